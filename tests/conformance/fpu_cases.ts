import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KvmFpu } from "../../mod.ts";
import { HLT, second, userGuest } from "./guests.ts";
import { type Case, code, DATA, Guest, littleEndian } from "./harness.ts";

/** Lets SSE instructions run. */
const SSE = 0x200n;

/** KVM_GET_FPU and KVM_SET_FPU. In ring 0 a nested device's emulator may lack these instructions; ring 3 has them. */
export const FPU_CASES: readonly Case[] = [
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
    name: "setFpu() with what getFpu() gave changes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const fpu = guest.vcpu.getFpu();
      fpu.fcw = 0x37f;
      fpu.ftwx = 0x81;
      fpu.fsw = 0x4700;
      fpu.fpr.forEach((register, n) => register.fill(0x30 + n, 0, 10));
      guest.vcpu.setFpu(fpu);
      const before = guest.vcpu.getFpu();
      guest.vcpu.setFpu(before);
      assertEquals(guest.vcpu.getFpu().bytes, before.bytes);
    },
  },
  {
    name: "getFpu() into a view of the caller's",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const fpu = new KvmFpu();
      fpu.bytes.fill(0xff);
      assertEquals(guest.vcpu.getFpu(fpu) === fpu, true);
      assertEquals([fpu.fsw, fpu.mxcsr, fpu.xmm[0][0]], [0, 0x1f80, 0]);
    },
  },
  {
    name: "setFpu() moves the state from one vCPU to another",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const other = second(guest, 1);
      const fpu = guest.vcpu.getFpu();
      fpu.fpr[2].fill(7, 0, 10);
      fpu.xmm[15].fill(9);
      fpu.mxcsr = 0x1fa0;
      guest.vcpu.setFpu(fpu);
      other.setFpu(guest.vcpu.getFpu());
      assertEquals(other.getFpu().bytes, guest.vcpu.getFpu().bytes);
    },
  },
  {
    name: "setFpu() survives a run that does not use it",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const fpu = guest.vcpu.getFpu();
      fpu.xmm[4].fill(0x44);
      fpu.fpr[0].fill(1, 0, 10);
      guest.vcpu.setFpu(fpu);
      const before = guest.vcpu.getFpu();
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vcpu.getFpu().bytes, before.bytes);
    },
  },
  {
    name: "setFpu() MXCSR is read by the guest's STMXCSR, getFpu() has that of LDMXCSR",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(
        kvm,
        code(
          `
        0f ae 1b    ; stmxcsr [rbx]
        0f ae 53 04 ; ldmxcsr [rbx+4]
        e6 10       ; out 0x10, al
        90          ; nop
      `,
          64,
        ),
        { data: 1, regs: { rbx: DATA }, sregs: (sregs) => sregs.cr4 |= SSE },
      );
      guest.vm.write(DATA + 4, Uint8Array.of(0x80, 0x3f, 0, 0));
      const fpu = guest.vcpu.getFpu();
      fpu.mxcsr = 0x5f80;
      guest.vcpu.setFpu(fpu);
      guest.expect(KVM_EXIT_IO);
      assertEquals(littleEndian(guest.vm.read(DATA, 4)), 0x5f80);
      assertEquals(guest.vcpu.getFpu().mxcsr, 0x3f80);
    },
  },
  {
    name: "setFpu() XMM registers are read by the guest, getFpu() has what it computes",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(
        kvm,
        code(
          `
        44 0f 11 0b    ; movups [rbx], xmm9
        66 45 0f fc c9 ; paddb xmm9, xmm9
        e6 10          ; out 0x10, al
        90             ; nop
      `,
          64,
        ),
        { data: 1, regs: { rbx: DATA }, sregs: (sregs) => sregs.cr4 |= SSE },
      );
      const fpu = guest.vcpu.getFpu();
      fpu.xmm[9].fill(0x21);
      guest.vcpu.setFpu(fpu);
      guest.expect(KVM_EXIT_IO);
      assertEquals([...guest.vm.read(DATA, 16)], new Array(16).fill(0x21));
      assertEquals([...guest.vcpu.getFpu().xmm[9]], new Array(16).fill(0x42));
    },
  },
  {
    name: "setFpu() x87 registers and their order are the guest's, getFpu() has what it pushes",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(
        kvm,
        code(
          `
        d9 1b    ; fstp dword [rbx]
        d9 5b 04 ; fstp dword [rbx+4]
        d9 e8    ; fld1
        e6 10    ; out 0x10, al
        90       ; nop
      `,
          64,
        ),
        { data: 1, regs: { rbx: DATA } },
      );
      const fpu = guest.vcpu.getFpu();
      Object.assign(fpu, { fcw: 0x37f, fsw: 0x3000, ftwx: 0xc0 });
      fpu.fpr[0].set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);
      fpu.fpr[1].set([0, 0, 0, 0, 0, 0, 0, 0x80, 0x00, 0x40]);
      guest.vcpu.setFpu(fpu);
      guest.expect(KVM_EXIT_IO);
      assertEquals([littleEndian(guest.vm.read(DATA, 4)), littleEndian(guest.vm.read(DATA + 4, 4))], [
        0x3f800000,
        0x40000000,
      ]);
      const { fsw, ftwx } = guest.vcpu.getFpu();
      assertEquals([fsw & 0x3800, ftwx], [0x3800, 0x80]);
    },
  },
];
