import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT } from "../../mod.ts";
import { ADD_32, change, descriptorTables, LOAD_64, LOG, paging32, pagingPae, poke32, STORE_64 } from "./guests.ts";
import { bits, type Case, code, DATA, Guest, PAGE, poke, region } from "./harness.ts";

/** KVM_GET_DIRTY_LOG: what the processor itself writes, into page tables and descriptor tables. */
export const DIRTY_WALK_CASES: readonly Case[] = [
  {
    name: "getDirtyLog() has page tables whose accessed and dirty bits were set",
    needs: ["long"],
    run: (kvm) => {
      const listing = code(
        `
        88 03 ; mov [rbx], al
        f4    ; hlt
      `,
        64,
      );
      using guest = new Guest(kvm, listing, { mode: "long", regs: { rbx: 0x40000000 }, data: 4, flags: LOG });
      // The second gigabyte: its page directory is page 1 of slot 1.
      poke(guest.vm, 0x9008, [BigInt(DATA + PAGE) | 3n]);
      poke(guest.vm, DATA + PAGE, [0x83n]);
      guest.expect(KVM_EXIT_HLT);
      assert(bits(guest.vm.getDirtyLog(1)).includes(1));
      assertEquals(guest.vm.read(DATA + PAGE, 1)[0] & 0x60, 0x60);
    },
  },
  {
    name: "getDirtyLog() has the table whose descriptor a segment load marks as accessed",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        b8 18 00 00 00 ; mov eax, 24
        8e e0          ; mov fs, ax
        f4             ; hlt
      `,
          32,
        ),
        { mode: "protected" },
      );
      descriptorTables(guest, 32);
      region(guest.vm, 1, DATA, PAGE, LOG);
      guest.vm.write(DATA, guest.vm.read(0x5000, 32));
      change(guest, ({ gdt }) => gdt.base = BigInt(DATA));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.read(DATA + 24 + 5, 1)[0], 0x93);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0]);
    },
  },
  {
    name: "getDirtyLog() has 32-bit page tables that the walker marks, and the page written",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, ADD_32, {
        mode: "protected",
        data: 4,
        flags: LOG,
        regs: { rbx: 0x400000, rcx: 5 },
        sregs: paging32(true),
      });
      poke32(guest.vm, 0x8000, [0x83, (DATA + PAGE) | 7]);
      poke32(guest.vm, DATA + PAGE, [(DATA + 3 * PAGE) | 7]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 3]);
      assertEquals(guest.vm.read(DATA + PAGE, 1)[0] & 0x60, 0x60);
    },
  },
  {
    name: "getDirtyLog() has PAE page tables that the walker marks, and the page written",
    needs: ["paging32"],
    run: (kvm) => {
      using guest = new Guest(kvm, ADD_32, { data: 4, flags: LOG, regs: { rbx: 0x200000, rcx: 5 } });
      poke(guest.vm, 0x9000, [0x83n, BigInt(DATA + PAGE) | 7n]);
      poke(guest.vm, DATA + PAGE, [BigInt(DATA + 3 * PAGE) | 7n]);
      change(guest, pagingPae(guest.vm));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 3]);
    },
  },
  {
    name: "getDirtyLog() has the table marked as accessed by a read alone",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_64, { mode: "long", regs: { rbx: 0x40000000 }, data: 4, flags: LOG });
      poke(guest.vm, 0x9008, [BigInt(DATA + PAGE) | 3n]);
      poke(guest.vm, DATA + PAGE, [BigInt(DATA + 2 * PAGE) | 3n]);
      poke(guest.vm, DATA + 2 * PAGE, [BigInt(DATA + 3 * PAGE) | 3n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
      assertEquals(guest.vm.read(DATA + 2 * PAGE, 1)[0] & 0x60, 0x20);
    },
  },
  {
    name: "getDirtyLog() does not have tables that are marked already",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_64, { mode: "long", regs: { rbx: 0x40000000 }, data: 4, flags: LOG });
      poke(guest.vm, 0x9008, [BigInt(DATA + PAGE) | 0x23n]);
      poke(guest.vm, DATA + PAGE, [BigInt(DATA + 2 * PAGE) | 0x23n]);
      poke(guest.vm, DATA + 2 * PAGE, [BigInt(DATA + 3 * PAGE) | 0x63n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3]);
    },
  },
  {
    name: "getDirtyLog() does not have the page whose write the page tables refuse",
    needs: ["long", "user64"],
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_64, {
        mode: "long",
        regs: { rbx: 0x40000000 },
        data: 4,
        flags: LOG,
        sregs: (sregs) => sregs.cr0 |= 0x10000n,
      });
      descriptorTables(guest, 64, 14);
      guest.vm.write(0x2000, HLT_BYTE);
      poke(guest.vm, 0x9008, [0xb003n]);
      poke(guest.vm, 0xb000, [0xc003n]);
      poke(guest.vm, 0xc000, [BigInt(DATA + PAGE) | 1n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rip, 0x2001n);
      assertEquals(guest.vcpu.getSregs().cr2, 0x40000000n);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
];

/** Handles a fault by halting. */
const HLT_BYTE = Uint8Array.of(0xf4);
