import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KvmCpuid, KvmFpu, KvmMsrs, KvmRegs, KvmSregs } from "../../mod.ts";
import { type Case, CODE, code, DATA, flatProtected, Guest, littleEndian, longMode, poke, refuses } from "./harness.ts";

const HLT = code(`
        f4 ; hlt
      `);
const CPUID = code(`
        0f a2 ; cpuid
        f4    ; hlt
      `);
const RDMSR = code(`
        0f 32 ; rdmsr
        f4    ; hlt
      `);
const WRMSR = code(`
        0f 30 ; wrmsr
        f4    ; hlt
      `);

/** The CPUID leaf as the guest sees it. */
function cpuid(guest: Guest, leaf: number): number[] {
  guest.vcpu.setRegs(new KvmRegs({ rip: CODE, rflags: 2, rsp: 0xf000, rax: leaf }));
  guest.expect(KVM_EXIT_HLT);
  const { rax_lo, rbx_lo, rcx_lo, rdx_lo } = guest.regs;
  return [rax_lo, rbx_lo, rcx_lo, rdx_lo];
}

/** A translation as `[valid, physical address, writeable, usermode]`, or null where invalid. */
function translate(guest: Guest, address: bigint): [bigint, number, number] | null {
  const { valid, physical_address, writeable, usermode } = guest.vcpu.translate(address);
  return valid ? [physical_address, writeable, usermode] : null;
}

/** Registers, MSRs, CPUID, FPU and translation. */
export const STATE_CASES: readonly Case[] = [
  {
    name: "createVcpu() gives the reset state",
    run: (kvm) => {
      using vm = kvm.createVm();
      const vcpu = vm.createVcpu(0);
      const { rip, rflags, rax, rsp } = vcpu.getRegs();
      assertEquals([rip, rflags, rax, rsp], [0xfff0n, 2n, 0n, 0n]);
      const { cs, cr0, cr3, cr4, efer, idt, ds } = vcpu.getSregs();
      assertEquals([cs.selector, cs.base, ds.selector, ds.base, ds.limit], [0xf000, 0xffff0000n, 0, 0n, 0xffff]);
      assertEquals([cr0 & 0x80000001n, cr3, cr4, efer, idt.limit], [0n, 0n, 0n, 0n, 0xffff]);
    },
  },
  {
    name: "setRegs() and getRegs() carry all 18 registers in 64 bits",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const regs = new KvmRegs();
      for (let n = 0; n < 17; n++) {
        regs.view.setBigUint64(n * 8, 0x8000000000000000n + BigInt(n) * 0x0101010101010101n, true);
      }
      regs.rflags = 0xad7n;
      guest.vcpu.setRegs(regs);
      assertEquals(guest.vcpu.getRegs().bytes, regs.bytes);
    },
  },
  {
    name: "setRegs() without bit 1 of RFLAGS sets it",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: 0 } });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rflags, 2n);
    },
  },
  {
    name: "setRegs() reaches the guest",
    run: (kvm) => {
      const listing = code(`
        66 a3 00 00    ; mov [0], eax
        66 89 1e 04 00 ; mov [4], ebx
        66 89 0e 08 00 ; mov [8], ecx
        66 89 16 0c 00 ; mov [12], edx
        66 89 36 10 00 ; mov [16], esi
        66 89 3e 14 00 ; mov [20], edi
        66 89 2e 18 00 ; mov [24], ebp
        66 89 26 1c 00 ; mov [28], esp
        f4             ; hlt
      `);
      const regs = { rax: 1, rbx: 2, rcx: 3, rdx: 4, rsi: 5, rdi: 6, rbp: 7, rsp: 8 };
      using guest = new Guest(kvm, listing, { regs, data: 1 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...new Uint32Array(guest.vm.read(DATA, 32).buffer)], [1, 2, 3, 4, 5, 6, 7, 8]);
    },
  },
  {
    name: "setSregs() and getSregs() carry segments, tables and control registers",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const sregs = guest.vcpu.getSregs();
      flatProtected(sregs);
      Object.assign(sregs.gdt, { base: 0x12345678n, limit: 0x3ff });
      Object.assign(sregs.idt, { base: 0x87654321n, limit: 0x7ff });
      Object.assign(sregs.fs, { base: 0xcafe000n, selector: 0x1b, dpl: 3 });
      sregs.cr2 = 0xdeadbeefn;
      sregs.cr3 = 0x5000n;
      sregs.cr8 = 5n;
      guest.vcpu.setSregs(sregs);
      const now = guest.vcpu.getSregs();
      assertEquals(now.bytes.subarray(0, 192 - 48), sregs.bytes.subarray(0, 192 - 48));
      assertEquals([now.gdt.base, now.gdt.limit, now.idt.base, now.idt.limit], [
        0x12345678n,
        0x3ff,
        0x87654321n,
        0x7ff,
      ]);
      assertEquals([now.cr0, now.cr2, now.cr3, now.cr8], [sregs.cr0, 0xdeadbeefn, 0x5000n, 5n]);
    },
  },
  {
    name: "setSregs() with what getSregs() gave changes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const before = guest.vcpu.getSregs();
      guest.vcpu.setSregs(before);
      assertEquals(guest.vcpu.getSregs().bytes, before.bytes);
    },
  },
  {
    name: "setSregs() moves the guest's segments",
    run: (kvm) => {
      const listing = code(`
        a0 00 00       ; mov al, [0]
        26 8a 26 00 00 ; mov ah, [es:0]
        f4             ; hlt
      `);
      using guest = new Guest(kvm, listing, {
        data: 1,
        sregs: ({ es }) => Object.assign(es, { base: BigInt(DATA + 0x10), selector: (DATA + 0x10) >> 4 }),
      });
      guest.vm.write(DATA, Uint8Array.of(1));
      guest.vm.write(DATA + 0x10, Uint8Array.of(2));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x201n);
    },
  },
  {
    name: "setSregs() to flat protected mode runs 32-bit code",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        b8 78 56 34 12    ; mov eax, 0x12345678
        8b 1d 00 00 02 00 ; mov ebx, [0x20000]
        01 d8             ; add eax, ebx
        f4                ; hlt
      `,
          32,
        ),
        { mode: "protected", data: 1 },
      );
      guest.vm.write(DATA, Uint8Array.of(1));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x12345679n);
    },
  },
  {
    name: "setSregs() to long mode runs 64-bit code",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        48 b8 f0 de bc 9a 78 56 34 12 ; mov rax, 0x123456789abcdef0
        4c 8d 78 01                   ; lea r15, [rax+1]
        f4                            ; hlt
      `,
          64,
        ),
        { mode: "long" },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.r15], [0x123456789abcdef0n, 0x123456789abcdef1n]);
    },
  },
  {
    name: "getSregs() shows what the guest loaded",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        b8 34 12 ; mov ax, 0x1234
        8e d8    ; mov ds, ax
        8e e0    ; mov fs, ax
        f4       ; hlt
      `),
      );
      guest.expect(KVM_EXIT_HLT);
      const { ds, fs, gs } = guest.vcpu.getSregs();
      assertEquals([ds.selector, ds.base, fs.selector, fs.base, gs.selector], [0x1234, 0x12340n, 0x1234, 0x12340n, 0]);
    },
  },
  {
    name: "setSregs() cr8 shows in kvm_run, kvm_run's cr8 in getSregs()",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 10 ; out 0x10, al
        f4    ; hlt
      `),
        { sregs: (sregs) => sregs.cr8 = 3n },
      );
      guest.vcpu.kvmRun.cr8 = 3n;
      guest.expectOut(0x10, 1, 0);
      assertEquals(guest.vcpu.kvmRun.cr8, 3n);
      guest.vcpu.kvmRun.cr8 = 7n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.cr8, guest.vcpu.getSregs().cr8], [7n, 7n]);
    },
  },
  {
    name: "setFpu() and getFpu() carry the x87 registers and control words",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const fpu = new KvmFpu({
        fcw: 0x27f,
        fsw: 0x3800,
        ftwx: 0x80,
        last_opcode: 0x123,
        last_ip: 0x4567,
        last_dp: 0x89ab,
      });
      fpu.fpr.forEach((register, n) => register.fill(0x10 + n, 0, 10));
      fpu.mxcsr = 0x1f80;
      guest.vcpu.setFpu(fpu);
      const now = guest.vcpu.getFpu();
      assertEquals(
        now.fpr.map((register) => [...register.subarray(0, 10)]),
        fpu.fpr.map((r) => [...r.subarray(0, 10)]),
      );
      assertEquals([now.fcw, now.fsw, now.ftwx, now.last_opcode], [0x27f, 0x3800, 0x80, 0x123]);
      assertEquals([now.last_ip, now.last_dp], [0x4567n, 0x89abn]);
    },
  },
  {
    name: "setFpu() and getFpu() carry XMM0 to XMM15 and MXCSR",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const fpu = guest.vcpu.getFpu();
      fpu.xmm.forEach((register, n) => register.fill(0xa0 + n));
      fpu.mxcsr = 0x7fbf;
      guest.vcpu.setFpu(fpu);
      const now = guest.vcpu.getFpu();
      assertEquals(now.xmm.map((register) => [...register]), fpu.xmm.map((register) => [...register]));
      assertEquals(now.mxcsr, 0x7fbf);
    },
  },
  {
    name: "getFpu() of a fresh vCPU is the reset state",
    run: (kvm) => {
      using vm = kvm.createVm();
      const { fsw, mxcsr } = vm.createVcpu(0).getFpu();
      assertEquals([fsw, mxcsr], [0, 0x1f80]);
    },
  },
  {
    name: "setFpu() reaches the guest, and getFpu() what the guest does",
    needs: ["fpu"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        db e3       ; fninit
        d9 e8       ; fld1
        d9 1e 00 00 ; fstp dword [0]
        d9 e8       ; fld1
        f4          ; hlt
      `),
        { data: 1 },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(littleEndian(guest.vm.read(DATA, 4)), 0x3f800000);
      const { fcw, fsw, ftwx, fpr } = guest.vcpu.getFpu();
      assertEquals([fcw, fsw, ftwx, [...fpr[0].subarray(0, 10)]], [0x37f, 0x3800, 0x80, [
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0x80,
        0xff,
        0x3f,
      ]]);
    },
  },
  {
    name: "setMsrs() and getMsrs() carry values, and count",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const values = [{ index: 0x174, data: 8n }, { index: 0x175, data: 0xf00dn }, { index: 0x176, data: 0xbeefn }];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 3);
      const msrs = new KvmMsrs(values.map(({ index }) => ({ index })).reverse());
      assertEquals(guest.vcpu.getMsrs(msrs), 3);
      assertEquals(msrs.entries.map((entry) => entry.data), [0xbeefn, 0xf00dn, 8n]);
    },
  },
  {
    name: "getMsrs() and setMsrs() stop at the first unknown MSR",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const values = [{ index: 0x175, data: 5n }, { index: 0x12345678, data: 1n }, { index: 0x176, data: 6n }];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 1);
      const msrs = new KvmMsrs([{ index: 0x175 }, { index: 0x176 }, { index: 0x12345678 }, { index: 0x174 }]);
      assertEquals(guest.vcpu.getMsrs(msrs), 2);
      assertEquals(msrs.entries.slice(0, 2).map((entry) => entry.data), [5n, 0n]);
    },
  },
  {
    name: "getMsrs() and setMsrs() of none, and E2BIG for 256",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals([guest.vcpu.getMsrs(new KvmMsrs(0)), guest.vcpu.setMsrs(new KvmMsrs(0))], [0, 0]);
      refuses("E2BIG", () => guest.vcpu.getMsrs(new KvmMsrs(256)));
      refuses("E2BIG", () => guest.vcpu.setMsrs(new KvmMsrs(256)));
      const msrs = new KvmMsrs(Array.from({ length: 255 }, () => ({ index: 0x174 })));
      assertEquals(guest.vcpu.getMsrs(msrs), 255);
    },
  },
  {
    name: "setMsrs() is read by the guest's RDMSR",
    run: (kvm) => {
      using guest = new Guest(kvm, RDMSR, { regs: { rcx: 0x176 } });
      guest.vcpu.setMsrs(new KvmMsrs([{ index: 0x176, data: 0x12345678n }]));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rdx], [0x12345678n, 0n]);
    },
  },
  {
    name: "getMsrs() has what the guest's WRMSR wrote",
    run: (kvm) => {
      using guest = new Guest(kvm, WRMSR, { regs: { rcx: 0x175, rax: 0x77, rdx: 0 } });
      guest.expect(KVM_EXIT_HLT);
      const msrs = new KvmMsrs([{ index: 0x175 }]);
      guest.vcpu.getMsrs(msrs);
      assertEquals(msrs.entries[0].data, 0x77n);
    },
  },
  {
    name: "run() RDMSR of an unknown MSR is #GP",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(kvm, RDMSR, { regs: { rcx: 0x12345678, rax: 0xd } });
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21, 0xf4)); // out 0x21, al; hlt
      guest.setVector(13, 0x2000);
      guest.expectOut(0x21, 1, 0xd);
    },
  },
  {
    name: "setCpuid() is what the guest's CPUID answers",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 1, ebx: 0x11111111, ecx: 0x22222222, edx: 0x33333333 },
          { function: 1, eax: 0x600, ebx: 0, ecx: 0, edx: 0x8001 },
          { function: 0x80000000, eax: 0x80000001 },
          { function: 0x80000001, eax: 5, ebx: 6, ecx: 0, edx: 0x20000000 },
        ]),
      );
      assertEquals(cpuid(guest, 0), [1, 0x11111111, 0x22222222, 0x33333333]);
      assertEquals(cpuid(guest, 0x80000000)[0], 0x80000001);
      assertEquals(cpuid(guest, 0x80000001).slice(0, 2), [5, 6]);
    },
  },
  {
    name: "setCpuid() answers a missing basic leaf with the highest basic one",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 2, ebx: 1, ecx: 2, edx: 3 },
          { function: 2, eax: 0x44, ebx: 0x55, ecx: 0x66, edx: 0x77 },
          { function: 0x80000000, eax: 0x80000000 },
        ]),
      );
      assertEquals(cpuid(guest, 5), [0x44, 0x55, 0x66, 0x77]);
    },
  },
  {
    name: "setCpuid() answers a missing extended leaf with the highest extended one",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 0, ebx: 1, ecx: 2, edx: 3 },
          { function: 0x80000000, eax: 0x80000002, ebx: 0x12 },
          { function: 0x80000002, eax: 0x41, ebx: 0x42, ecx: 0x43, edx: 0x44 },
        ]),
      );
      assertEquals(cpuid(guest, 0x80000005), [0x41, 0x42, 0x43, 0x44]);
    },
  },
  {
    name: "setCpuid() takes 100 entries, E2BIG above",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid(Array.from({ length: 100 }, (_, n) => ({ function: n, eax: n === 0 ? 99 : n }))),
      );
      assertEquals([cpuid(guest, 0)[0], cpuid(guest, 99)[0]], [99, 99]);
      refuses("E2BIG", () => guest.vcpu.setCpuid(new KvmCpuid(101)));
    },
  },
  {
    name: "setCpuid() replaces what was set before",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      for (const ebx of [5, 6]) {
        guest.vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 0, ebx }]));
      }
      assertEquals(cpuid(guest, 0)[1], 6);
    },
  },
  {
    name: "translate() without paging is the address itself",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals(translate(guest, 0x12345n)?.[0], 0x12345n);
      assertEquals(translate(guest, 0xfffffff0n)?.[0], 0xfffffff0n);
    },
  },
  {
    name: "translate() in long mode walks four levels, 2 MiB pages too",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      assertEquals(translate(guest, 0x12345n), [0x12345n, 1, 0]);
      poke(guest.vm, 0xa008, [0x600083n, 0xb007n]);
      poke(guest.vm, 0xb000, [0x77000n | 7n, 0x78000n | 5n, 0n]);
      assertEquals(translate(guest, 0x2abcden), [0x6abcden, 1, 0]);
      assertEquals(translate(guest, 0x400123n), [0x77123n, 1, 0]);
      assertEquals(translate(guest, 0x401123n), [0x78123n, 0, 0]);
      assertEquals(translate(guest, 0x402123n), null);
      assertEquals(translate(guest, 0x8000000000n), null);
    },
  },
  {
    name: "translate() says user mode and writeable only if every level does",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      poke(guest.vm, 0x8000, [0x9007n]);
      poke(guest.vm, 0x9000, [0xa007n]);
      poke(guest.vm, 0xa010, [0xb005n, 0xb003n, 0xb007n]);
      poke(guest.vm, 0xb000, [0x77000n | 7n]);
      assertEquals(translate(guest, 0x400000n), [0x77000n, 0, 1]);
      assertEquals(translate(guest, 0x600000n), [0x77000n, 1, 0]);
      assertEquals(translate(guest, 0x800000n), [0x77000n, 1, 1]);
    },
  },
  {
    name: "translate() with 32-bit paging, 4 MiB pages too",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, {
        mode: "protected",
        sregs: (sregs) => Object.assign(sregs, { cr3: 0x8000n, cr4: 0x10n, cr0: sregs.cr0 | 0x80000000n }),
      });
      guest.vm.write(0x8000, new Uint8Array(Uint32Array.of(0x9007, 0xc00083).buffer));
      guest.vm.write(0x9000, new Uint8Array(Uint32Array.of(0x77007, 0x78005, 0).buffer));
      assertEquals(translate(guest, 0x123n), [0x77123n, 1, 1]);
      assertEquals(translate(guest, 0x1123n), [0x78123n, 0, 1]);
      assertEquals(translate(guest, 0x2123n), null);
      assertEquals(translate(guest, 0x512345n), [0xd12345n, 1, 0]);
      assertEquals(translate(guest, 0x800000n), null);
    },
  },
  {
    name: "translate() with PAE",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      poke(guest.vm, 0x8000, [0x9001n, 0n, 0n, 0n]);
      poke(guest.vm, 0x9000, [0xa007n, 0x83n | 0x1_0020_0000n]);
      poke(guest.vm, 0xa000, [0x77007n, 0n]);
      const sregs = guest.vcpu.getSregs();
      flatProtected(sregs);
      sregs.cr3 = 0x8000n;
      sregs.cr4 = 0x20n;
      sregs.cr0 |= 0x80000000n;
      guest.vcpu.setSregs(sregs);
      assertEquals(translate(guest, 0x123n), [0x77123n, 1, 1]);
      assertEquals(translate(guest, 0x1123n), null);
      assertEquals(translate(guest, 0x234567n), [0x100234567n, 1, 0]);
      assertEquals(translate(guest, 0x40000000n), null);
    },
  },
  {
    name: "translate() of an address that is not canonical is invalid",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      assertEquals(translate(guest, 0x800000000000n), null);
      assertEquals(translate(guest, 0x8000000000000000n), null);
    },
  },
  {
    name: "translate() changes no page table",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "long" });
      const before = guest.vm.read(0x8000, 0x3000);
      translate(guest, 0x12345n);
      assertEquals(guest.vm.read(0x8000, 0x3000), before);
    },
  },
  {
    name: "getSregs(), setSregs(), getRegs(), setRegs() move a guest from one vCPU to another",
    run: (kvm) => {
      const listing = code(`
        40    ; inc ax
        e6 10 ; out 0x10, al
        40    ; inc ax
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing);
      const other = guest.vm.createVcpu(1);
      guest.expectOut(0x10, 1, 1);
      const regs = guest.vcpu.getRegs();
      regs.rip = BigInt(CODE + 3);
      other.setSregs(guest.vcpu.getSregs(new KvmSregs()));
      other.setRegs(regs);
      other.setFpu(guest.vcpu.getFpu());
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assert(other.getRegs().rax === 2n);
    },
  },
  {
    name: "run() with 32-bit paging goes through the page tables",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        a1 10 00 40 00 ; mov eax, [0x400010]
        a3 14 00 40 00 ; mov [0x400014], eax
        f4             ; hlt
      `,
          32,
        ),
        {
          mode: "protected",
          data: 1,
          sregs: (sregs) => Object.assign(sregs, { cr3: 0x8000n, cr4: 0x10n, cr0: sregs.cr0 | 0x80000000n }),
        },
      );
      guest.vm.write(0x8000, new Uint8Array(Uint32Array.of(0x83, 0x9003).buffer));
      guest.vm.write(0x9000, new Uint8Array(Uint32Array.of(DATA | 3).buffer));
      guest.vm.write(DATA + 0x10, Uint8Array.of(1, 2, 3, 4));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...guest.vm.read(DATA + 0x14, 4)], [1, 2, 3, 4]);
      assertEquals([guest.vm.read(0x8004, 1)[0] & 0x20, guest.vm.read(0x9000, 1)[0] & 0x60], [0x20, 0x60]);
    },
  },
  {
    name: "longMode() guests keep 64-bit registers over an exit",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        49 c7 c1 ff ff ff ff ; mov r9, -1
        e7 10                ; out 0x10, eax
        44 89 c8             ; mov eax, r9d
        f4                   ; hlt
      `,
          64,
        ),
        { sregs: () => {}, regs: { rax: 0x1_0000_0001n } },
      );
      const sregs = guest.vcpu.getSregs();
      longMode(guest.vm, sregs);
      guest.vcpu.setSregs(sregs);
      guest.expectOut(0x10, 4, 1);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.r9], [0xffffffffn, 0xffffffffffffffffn]);
    },
  },
];
