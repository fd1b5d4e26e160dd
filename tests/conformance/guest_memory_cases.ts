import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT } from "../../mod.ts";
import { type Case, CODE, code, Guest } from "./harness.ts";

/** Code that changes under the guest. */
export const GUEST_MEMORY_CASES: readonly Case[] = [
  {
    name: "memory() written by the host is executed, again after a change",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        b0 01 ; mov al, 1
        f4    ; hlt
      `),
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 1n);
      guest.vm.memory(CODE + 1, 1)[0] = 2;
      guest.restart();
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 2n);
    },
  },
  {
    name: "run() executes code that the guest itself changed",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
                       ; again:
        b0 01          ; mov al, 1
        2e fe 06 01 10 ; inc byte [cs:again+1]
        3c 03          ; cmp al, 3
        75 f5          ; jne again
        f4             ; hlt
      `),
        { regs: { rflags: 2 } },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 3n);
      assertEquals(guest.vm.read(CODE + 1, 1)[0], 4);
    },
  },
];
