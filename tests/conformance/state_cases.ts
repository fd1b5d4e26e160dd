import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN, KvmRegs } from "../../mod.ts";
import { ADD_32, change, HLT, LOAD_64, pagingPae, userGuest } from "./guests.ts";
import { type Case, code, DATA, flatProtected, Guest, longMode, poke } from "./harness.ts";

/** Registers, and paging as the guest has it. */
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
  {
    name: "setRegs() drops what RFLAGS cannot hold, and keeps what it can",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: 0x240ed7 } });
      assertEquals(guest.regs.rflags, 0x240ed7n);
    },
  },
  {
    name: "getRegs() into a view of the caller's",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rdi: 0x1234 } });
      const regs = new KvmRegs();
      assertEquals(guest.vcpu.getRegs(regs) === regs, true);
      assertEquals(regs.rdi, 0x1234n);
    },
  },
  {
    name: "setSregs() with another CR3 is what the guest's memory is from then on",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_64, { mode: "long", data: 2, regs: { rbx: 0x40000000 } });
      poke(guest.vm, 0xb000, [BigInt(DATA) | 3n]);
      poke(guest.vm, 0xc000, [BigInt(DATA + 0x1000) | 3n]);
      poke(guest.vm, DATA, [0xa1n]);
      poke(guest.vm, DATA + 0x1000, [0xa2n]);
      // Two sets of tables, for the second gigabyte through 0xb000 and 0xc000.
      poke(guest.vm, 0x6000, [0x7003n]);
      poke(guest.vm, 0x7000, [0xa003n, 0xd003n]);
      poke(guest.vm, 0xd000, [0xc003n]);
      poke(guest.vm, 0x9008, [0xe003n]);
      poke(guest.vm, 0xe000, [0xb003n]);
      for (const [cr3, value] of [[0x8000n, 0xa1n], [0x6000n, 0xa2n], [0x8000n, 0xa1n]] as const) {
        const sregs = guest.vcpu.getSregs();
        sregs.cr3 = cr3;
        guest.vcpu.setSregs(sregs);
        guest.restart({ rax: 0 });
        guest.expect(KVM_EXIT_HLT);
        assertEquals(guest.regs.rax, value);
      }
    },
  },
  {
    name: "setSregs() with PAE loads the four pointers: what is written there later does not count",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, ADD_32, { data: 1, regs: { rbx: 0x200000, rcx: 1 } });
      poke(guest.vm, 0x9000, [0x83n, BigInt(DATA) | 7n]);
      poke(guest.vm, DATA, [0x400083n]);
      const paging = pagingPae(guest.vm);
      poke(guest.vm, 0x9008, [0x83n]);
      change(guest, paging);
      poke(guest.vm, 0x8000, [0n]);
      poke(guest.vm, 0, [0x1234n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x1235n);
    },
  },
  {
    name: "run() with PAE goes through the page tables",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, ADD_32, { data: 1, regs: { rbx: 0x201010, rcx: 2 } });
      poke(guest.vm, 0x9000, [0x83n, 0xb003n]);
      poke(guest.vm, 0xb008, [BigInt(DATA) | 3n]);
      change(guest, pagingPae(guest.vm));
      guest.vm.write(DATA + 0x10, Uint8Array.of(40));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.read(DATA + 0x10, 1)[0], 42);
      assertEquals(guest.vm.read(0xb008, 1)[0] & 0x60, 0x60);
    },
  },
  {
    name: "getSregs() shows the control registers that the guest loaded",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        b8 00 40 23 01    ; mov rax, 0x1234000
        0f 22 d0          ; mov cr2, rax
        0f 20 e0          ; mov rax, cr4
        48 0d 80 00 00 00 ; or rax, 0x80
        0f 22 e0          ; mov cr4, rax
        f4                ; hlt
      `,
          64,
        ),
        { mode: "long" },
      );
      guest.expect(KVM_EXIT_HLT);
      const { cr2, cr4 } = guest.vcpu.getSregs();
      assertEquals([cr2, cr4 & 0x80n], [0x1234000n, 0x80n]);
    },
  },
  {
    name: "getSregs() shows the page fault's address in CR2",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(kvm, LOAD_64, { regs: { rbx: 0x7fff_1234_5678n }, sregs: ({ idt }) => idt.limit = 0 });
      guest.expect(KVM_EXIT_SHUTDOWN);
      assertEquals(guest.vcpu.getSregs().cr2, 0x7fff_1234_5678n);
    },
  },
];
