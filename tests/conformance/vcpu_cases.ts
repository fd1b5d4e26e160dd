import { assert, assertEquals } from "@std/assert";
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KvmCpuid,
  KvmDebugGuest,
  KvmMsrs,
  KvmRegs,
  KvmSregs,
  type Vcpu,
} from "../../mod.ts";
import { access, HLT, HLT_64, LOAD, LOAD_DWORD, LOAD_ES, runLimited, second, STEPS, STORE } from "./guests.ts";
import { type Case, CODE, code, DATA, Guest, handle, IF, littleEndian, PAGE, refuses, region } from "./harness.ts";

/** Adds its DX to a counter that all share and tells it on port 0x10, for ever. */
const SHARED_COUNTER = code(`
                    ; again:
        01 16 00 00 ; add [0], dx
        a1 00 00    ; mov ax, [0]
        e7 10       ; out 0x10, ax
        eb f5       ; jmp again
      `);

/** Four processors of one machine that run the same code, with DX 1 to 4. */
function four(guest: Guest): Vcpu[] {
  const first = guest.regs;
  first.rdx = 1n;
  guest.vcpu.setRegs(first);
  return [guest.vcpu, ...[1, 2, 3].map((slot) => second(guest, slot, { rdx: slot + 1 }))];
}

/** Runs to the next OUT; gives what it wrote. */
function nextOut(vcpu: Vcpu): number {
  const exit = runLimited(vcpu);
  if (exit.reason !== KVM_EXIT_IO) throw new Error(`unexpected exit ${exit.reason}`);
  return littleEndian(exit.data);
}

/** KVM_CREATE_VCPU, and several processors in one machine. */
export const VCPU_CASES: readonly Case[] = [
  {
    name: "createVcpu() gives 16, EINVAL beyond, EEXIST again",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (let slot = 0; slot < 16; slot++) vm.createVcpu(slot);
      refuses("EINVAL", () => vm.createVcpu(16));
      refuses("EINVAL", () => vm.createVcpu(-1));
      refuses("EEXIST", () => vm.createVcpu(0));
      refuses("EEXIST", () => vm.createVcpu(15));
    },
  },
  {
    name: "createVcpu() takes slots in any order",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const slot of [7, 0, 3]) assertEquals(vm.createVcpu(slot).id, slot);
    },
  },
  {
    name: "createVcpu() gives EEXIST for a slot that was closed",
    run: (kvm) => {
      using vm = kvm.createVm();
      vm.createVcpu(1)[Symbol.dispose]();
      refuses("EEXIST", () => vm.createVcpu(1));
    },
  },
  {
    name: "createVcpu() processors see one memory and have registers of their own",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 1 });
      const other = guest.vm.createVcpu(1);
      other.setSregs(guest.vcpu.getSregs());
      const { regs } = guest;
      regs.rip = 0x2000n;
      guest.vm.write(0x2000, LOAD_ES.bytes);
      other.setRegs(regs);
      access(guest, 0, 0x71);
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assertEquals(other.getRegs().rax, 0x71n);
      access(guest, 0, 0x72);
      other.setRegs(regs);
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assertEquals([other.getRegs().rax, guest.regs.rax], [0x72n, 0x72n]);
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
    name: "run() two vCPUs with MMIO pending at once complete each its own",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD);
      const other = guest.vm.createVcpu(1);
      other.setSregs(guest.vcpu.getSregs());
      other.setRegs(guest.regs);
      const first = guest.expect(KVM_EXIT_MMIO);
      const second = other.run();
      if (second.reason !== KVM_EXIT_MMIO) throw new Error(`unexpected exit ${second.reason}`);
      first.data.set([1, 0, 0, 0]);
      second.data.set([2, 0, 0, 0]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, other.getRegs().rax], [1n, 2n]);
    },
  },
  {
    name: "run() of 4 vCPUs in turn: one memory, registers of their own",
    run: (kvm) => {
      using guest = new Guest(kvm, SHARED_COUNTER, { data: 1 });
      const vcpus = four(guest);
      let sum = 0;
      for (let round = 0; round < 5; round++) {
        vcpus.forEach((vcpu, n) => assertEquals(nextOut(vcpu), sum += n + 1));
      }
      assertEquals(littleEndian(guest.vm.read(DATA, 2)), 50);
      assertEquals(vcpus.map((vcpu) => vcpu.getRegs().rdx), [1n, 2n, 3n, 4n]);
    },
  },
  {
    name: "run() of 4 vCPUs in any order, each as often as it likes",
    run: (kvm) => {
      using guest = new Guest(kvm, SHARED_COUNTER, { data: 1 });
      const vcpus = four(guest);
      let sum = 0;
      for (const n of [3, 3, 0, 2, 2, 2, 1, 0, 3, 1, 1]) assertEquals(nextOut(vcpus[n]), sum += n + 1);
    },
  },
  {
    name: "run() of all 16 vCPUs",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const vcpus = [guest.vcpu, ...Array.from({ length: 15 }, (_, n) => second(guest, n + 1, { rax: n + 1 }))];
      vcpus.forEach((vcpu, n) => {
        assertEquals(runLimited(vcpu).reason as number, KVM_EXIT_HLT);
        assertEquals(vcpu.getRegs().rax, BigInt(n + 1));
      });
    },
  },
  {
    name: "run() of a vCPU in slot 9 alone",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      vm.write(CODE, STEPS.bytes);
      const vcpu = vm.createVcpu(9);
      const sregs = vcpu.getSregs();
      Object.assign(sregs.cs, { base: 0n, selector: 0 });
      vcpu.setSregs(sregs);
      vcpu.setRegs(new KvmRegs({ rip: CODE, rflags: 2 }));
      assertEquals(runLimited(vcpu).reason as number, KVM_EXIT_HLT);
      assertEquals(vcpu.getRegs().rcx, 1n);
    },
  },
  {
    name: "run() of a vCPU that was closed gives EBADF, the others go on",
    run: (kvm) => {
      using guest = new Guest(kvm, SHARED_COUNTER, { data: 1 });
      const vcpus = four(guest);
      nextOut(vcpus[1]);
      vcpus[1][Symbol.dispose]();
      refuses("EBADF", () => vcpus[1].run());
      assertEquals([nextOut(vcpus[0]), nextOut(vcpus[2])], [3, 6]);
    },
  },
  {
    name: "run() of a vCPU executes what another one wrote over its code",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        b0 01 ; mov al, 1
        e6 10 ; out 0x10, al
        eb fa ; jmp again
      `),
      );
      guest.vm.write(
        0x2000,
        code(`
        2e fe 06 01 10 ; inc byte [cs:0x1001]
        f4             ; hlt
      `).bytes,
      );
      const other = second(guest, 1, { rip: 0x2000 });
      for (let n = 1; n < 5; n++) {
        guest.expectOut(0x10, 1, n);
        const regs = other.getRegs();
        regs.rip = 0x2000n;
        other.setRegs(regs);
        assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
      }
    },
  },
  {
    name: "run() of vCPUs in different modes",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
                          ; again:
        66 b8 44 33 22 11 ; mov eax, 0x11223344
        40                ; inc ax
        e7 10             ; out 0x10, ax
        eb f5             ; jmp again
      `),
      );
      const other = new Guest(kvm, HLT_64, { mode: "long" });
      const long = guest.vm.createVcpu(1);
      using _ = other;
      guest.vm.write(0x8000, other.vm.read(0x8000, 0x3000));
      long.setSregs(other.vcpu.getSregs());
      guest.vm.write(
        0x2000,
        code(
          `
                 ; again:
        49 ff c0 ; inc r8
        e6 11    ; out 0x11, al
        eb f9    ; jmp again
      `,
          64,
        ).bytes,
      );
      long.setRegs(new KvmRegs({ rip: 0x2000, rflags: 2 }));
      for (let n = 1; n < 4; n++) {
        guest.expectOut(0x10, 2, 0x3345);
        nextOut(long);
        assertEquals(long.getRegs().r8, BigInt(n));
      }
    },
  },
  {
    name: "interrupt() reaches the vCPU that it is for and no other",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: IF } });
      handle(guest, 0x20);
      const other = second(guest, 1, { rsp: 0xe000 });
      other.interrupt(0x20);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rsp, 0xf000n);
      assertEquals(nextOut(other), 0);
      assertEquals(other.getRegs().rsp, 0xdffan);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "signal() ends the run of the vCPU that it is for, the next one is undisturbed",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const other = second(guest, 1);
      other.signal(10);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(runLimited(other).reason as number, KVM_EXIT_INTR);
      assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
    },
  },
  {
    name: "setMsrs(), setFpu() and setCpuid() of one vCPU do not touch another",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        0f a2 ; cpuid
        f4    ; hlt
      `),
      );
      const other = second(guest, 1);
      for (const [vcpu, n] of [[guest.vcpu, 1], [other, 2]] as const) {
        vcpu.setMsrs(new KvmMsrs([{ index: 0x175, data: n }]));
        const fpu = vcpu.getFpu();
        fpu.xmm[3].fill(n);
        vcpu.setFpu(fpu);
        vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 0, ebx: n }]));
      }
      for (const [vcpu, n] of [[guest.vcpu, 1], [other, 2]] as const) {
        const msrs = new KvmMsrs([{ index: 0x175 }]);
        vcpu.getMsrs(msrs);
        assertEquals(runLimited(vcpu).reason as number, KVM_EXIT_HLT);
        assertEquals([msrs.entries[0].data, vcpu.getFpu().xmm[3][7], vcpu.getRegs().rbx], [BigInt(n), n, BigInt(n)]);
      }
    },
  },
  {
    name: "debugGuest() of one vCPU does not stop another",
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const other = second(guest, 1);
      other.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: CODE + 1 }] }));
      guest.expect(KVM_EXIT_HLT);
      runLimited(other);
      assertEquals(other.getRegs().rip, BigInt(CODE + 1));
    },
  },
  {
    name: "setMemoryRegion() while another vCPU waits for its MMIO",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD);
      const other = second(guest, 1);
      const first = guest.expect(KVM_EXIT_MMIO);
      first.data[0] = 0x31;
      region(guest.vm, 1, DATA, PAGE);
      guest.vm.write(DATA, Uint8Array.of(0x32));
      assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, other.getRegs().rax], [0x31n, 0x32n]);
    },
  },
  {
    name: "createVcpu() while the machine runs",
    run: (kvm) => {
      using guest = new Guest(kvm, SHARED_COUNTER, { data: 1, regs: { rdx: 1 } });
      assertEquals([nextOut(guest.vcpu), nextOut(guest.vcpu)], [1, 2]);
      const other = second(guest, 1, { rip: CODE, rdx: 10 });
      assertEquals([nextOut(other), nextOut(guest.vcpu)], [12, 13]);
    },
  },
  {
    name: "createVcpu() processors have kvm_run of their own",
    run: (kvm) => {
      using guest = new Guest(kvm, SHARED_COUNTER, { data: 1, regs: { rdx: 1 } });
      const other = guest.vm.createVcpu(1);
      assert(other.shared !== guest.vcpu.shared);
      nextOut(guest.vcpu);
      assertEquals([guest.vcpu.kvmRun.exit_reason, other.kvmRun.io.port], [KVM_EXIT_IO, 0]);
    },
  },
];
