import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT } from "../../mod.ts";
import { change, ELSEWHERE, LOAD, segmentAt } from "./guests.ts";
import { alias, type Case, CODE, code, DATA, Guest, PAGE } from "./harness.ts";

/** What the code at linear address `base` gives in AX. */
function runsAt(guest: Guest, base: number): bigint {
  change(guest, (sregs) => segmentAt(sregs, "cs", base));
  guest.restart({ rip: 0, rax: 0 });
  guest.expect(KVM_EXIT_HLT);
  return guest.regs.rax;
}

/** A guest with code that gives 0x11 at DATA, seen at ELSEWHERE too. */
function twoNames(guest: Guest): void {
  guest.vm.write(DATA, MOV_11.bytes);
  alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
}

const MOV_11 = code(`
        b0 11 ; mov al, 0x11
        f4    ; hlt
      `);

/**
 * Calls {@linkcode ROUTINE} four times under each of its names, DATA and ELSEWHERE, and after each pair raises the byte that
 * it adds, at offset 2 of DS.
 */
const MODIFY = code(`
        b9 04 00       ; mov cx, 4
                       ; again:
        9a 00 00 00 20 ; call 0x2000:0
        9a 00 00 00 80 ; call 0x8000:0
        fe 06 02 00    ; inc byte [2]
        e2 f0          ; loop again
        f4             ; hlt
      `);
/** Adds 1 to DL or DH, each time the other one. */
const ROUTINE = code(`
        80 c2 01 ; add dl, 1
        86 d6    ; xchg dl, dh
        cb       ; retf
      `);

/** Code that a guest executes under two names. */
export const ALIAS_CODE_CASES: readonly Case[] = [
  {
    name: "setMemoryAlias() is executed by the guest",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        ea 03 10 00 80 ; jmp 0x8000:0x1003
        f4             ; hlt
      `),
      );
      guest.vm.write(0x3003, Uint8Array.of(0xb0, 0x33, 0xf4)); // mov al, 0x33; hlt
      alias(guest.vm, 0, 0x81000, PAGE, 0x3000);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x33n, 0x1006n]);
    },
  },
  {
    name: "run() executes code that was changed through an alias",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
                    ; again:
        b0 01       ; mov al, 1
        fe 06 01 00 ; inc byte [again+1-0x1000]
        3c 03       ; cmp al, 3
        75 f6       ; jne again
        f4          ; hlt
      `),
      );
      alias(guest.vm, 0, DATA, PAGE, CODE);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.vm.read(CODE + 1, 1)[0]], [3n, 4]);
    },
  },
  {
    name: "setMemoryAlias() code is executed under both names",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      twoNames(guest);
      for (let n = 0; n < 3; n++) {
        assertEquals([runsAt(guest, DATA), runsAt(guest, ELSEWHERE)], [0x11n, 0x11n]);
      }
    },
  },
  {
    name: "setMemoryAlias() code executed under both names, modified by the host through either",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      twoNames(guest);
      assertEquals([runsAt(guest, DATA), runsAt(guest, ELSEWHERE)], [0x11n, 0x11n]);
      guest.vm.write(ELSEWHERE + 1, Uint8Array.of(0x12));
      assertEquals([runsAt(guest, DATA), runsAt(guest, ELSEWHERE)], [0x12n, 0x12n]);
      guest.vm.write(DATA + 1, Uint8Array.of(0x13));
      assertEquals([runsAt(guest, DATA), runsAt(guest, ELSEWHERE)], [0x13n, 0x13n]);
    },
  },
  {
    name: "setMemoryAlias() code executed under both names, modified by the guest through the alias",
    run: (kvm) => {
      using guest = new Guest(kvm, MODIFY, { data: 1 });
      guest.vm.write(DATA, ROUTINE.bytes);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      change(guest, (sregs) => segmentAt(sregs, "ds", ELSEWHERE));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rcx, guest.regs.rdx], [0n, 0x0a0an]);
    },
  },
  {
    name: "setMemoryAlias() code executed under both names, modified by the guest through the target",
    run: (kvm) => {
      using guest = new Guest(kvm, MODIFY, { data: 1 });
      guest.vm.write(DATA, ROUTINE.bytes);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rcx, guest.regs.rdx], [0n, 0x0a0an]);
    },
  },
  {
    name: "setMemoryAlias() code under an alias modifies itself through the target, hot",
    run: (kvm) => {
      // Runs at ELSEWHERE; DS is the target.
      const listing = code(`
        b9 c8 00    ; mov cx, 200
                    ; again:
        83 c2 01    ; add dx, 1
        fe 06 05 00 ; inc byte [5]
        fe 0e 05 00 ; dec byte [5]
        e2 f3       ; loop again
        fe 06 05 00 ; inc byte [5]
        83 c3 01    ; add bx, 1
        83 fb 03    ; cmp bx, 3
        b9 01 00    ; mov cx, 1
        75 e4       ; jne again
        f4          ; hlt
      `);
      using guest = new Guest(kvm, LOAD, { data: 1 });
      guest.vm.write(DATA, listing.bytes);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      change(guest, (sregs) => segmentAt(sregs, "cs", ELSEWHERE));
      guest.restart({ rip: 0, rbx: 0, rdx: 0 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rdx, 200n + 2n + 3n);
    },
  },
  {
    name: "setMemoryAlias() moved under code that was executed there",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 2 });
      guest.vm.write(DATA + PAGE, Uint8Array.of(0xb0, 0x22, 0xf4)); // mov al, 0x22; hlt
      twoNames(guest);
      assertEquals(runsAt(guest, ELSEWHERE), 0x11n);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA + PAGE);
      assertEquals(runsAt(guest, ELSEWHERE), 0x22n);
    },
  },
  {
    name: "setMemoryAlias() over the very code that runs: what it shows is executed next",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 10 ; out 0x10, al
        b0 01 ; mov al, 1
        f4    ; hlt
      `),
        { data: 1 },
      );
      guest.vm.write(DATA, Uint8Array.of(0xf4, 0xf4, 0xb0, 0x02, 0xf4)); // hlt; hlt; mov al, 2; hlt
      guest.expectOut(0x10, 1, 0);
      alias(guest.vm, 0, CODE, PAGE, DATA);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 2n);
    },
  },
  {
    name: "setMemoryAlias() holds an instruction across its end and the slot behind it",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 2 });
      alias(guest.vm, 0, DATA - PAGE, PAGE, DATA + PAGE);
      guest.vm.write(DATA + 2 * PAGE - 1, MOV_11.bytes.subarray(0, 1));
      guest.vm.write(DATA, MOV_11.bytes.subarray(1));
      change(guest, (sregs) => segmentAt(sregs, "cs", DATA - PAGE));
      guest.restart({ rip: PAGE - 1 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x11n);
    },
  },
];
