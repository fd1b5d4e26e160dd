import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_MMIO, KVM_MEMORY_SLOTS, KvmError } from "../../mod.ts";
import { access, change, ELSEWHERE, LOAD, LOAD_64, LOG, segmentAt, STORE, STORE_64, STORE_WORD } from "./guests.ts";
import { bits, type Case, code, DATA, Guest, PAGE, poke, refuses, region } from "./harness.ts";

/** KVM_SET_MEMORY_REGION: the rules, and what the guest sees of them. */
export const REGION_CASES: readonly Case[] = [
  {
    name: "setMemoryRegion() gives zeroed memory",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 64 * PAGE);
      assert(vm.memory(0, 64 * PAGE).every((byte) => byte === 0));
    },
  },
  {
    name: "setMemoryRegion() takes 32 slots",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (let slot = 0; slot < 32; slot++) region(vm, slot, slot * 2 * PAGE, PAGE);
      for (let slot = 0; slot < 32; slot++) assertEquals(vm.memory(slot * 2 * PAGE, PAGE).length, PAGE);
      refuses("EFAULT", () => vm.memory(PAGE, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a size or address that is not page-aligned",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const size of [1, 4095, 4097, 8191]) refuses("EINVAL", () => region(vm, 0, 0, size));
      for (const gpa of [1, 2048, 4095, 4097]) refuses("EINVAL", () => region(vm, 0, gpa, PAGE));
      refuses("EFAULT", () => vm.memory(0, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a slot out of range",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const slot of [0xffffffff, 0x80000000, 0x10000]) refuses("EINVAL", () => region(vm, slot, 0, PAGE));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for unknown flags",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const flags of [2, 3, 0x80000000]) refuses("EINVAL", () => region(vm, 0, 0, PAGE, flags));
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => region(vm, 0, 0, PAGE, 4));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for an address that wraps",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("EINVAL", () => region(vm, 0, 0xfffffffffffff000n, 2 * PAGE));
      refuses("EINVAL", () => region(vm, 0, 0xffffffffffffe000n, 0x3000));
      refuses("EINVAL", () => region(vm, 0, 0x1000, 0xfffffffffffff000n));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for another size of a slot in use",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      refuses("EINVAL", () => region(vm, 0, 0, PAGE));
      refuses("EINVAL", () => region(vm, 0, 0, 3 * PAGE));
      assertEquals(vm.memory(0, 2 * PAGE).length, 2 * PAGE);
    },
  },
  {
    name: "setMemoryRegion() gives EEXIST for an overlap, and changes nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 4 * PAGE, 4 * PAGE);
      vm.memory(4 * PAGE, 1)[0] = 5;
      for (const [gpa, pages] of [[4, 4], [0, 5], [7, 1], [5, 2], [0, 16]]) {
        refuses("EEXIST", () => region(vm, 1, gpa * PAGE, pages * PAGE));
      }
      refuses("EFAULT", () => vm.memory(0, 1));
      assertEquals(vm.memory(4 * PAGE, 1)[0], 5);
      region(vm, 1, 0, 4 * PAGE);
      region(vm, 2, 8 * PAGE, PAGE);
    },
  },
  {
    name: "setMemoryRegion() with size 0 deletes slot and contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 1;
      region(vm, 0, 0, 0);
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0, 3 * PAGE);
      assertEquals(vm.memory(0, 1)[0], 0);
    },
  },
  {
    name: "setMemoryRegion() with size 0 for an unused slot does nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 5, 0, 0);
      region(vm, 0, 0, PAGE);
      region(vm, 5, 0, 0);
      assertEquals(vm.memory(0, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryRegion() with the same size moves slot and contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      vm.memory(PAGE + 3, 1)[0] = 9;
      region(vm, 0, PAGE, 2 * PAGE);
      assertEquals(vm.memory(2 * PAGE + 3, 1)[0], 9);
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0x100000000, 2 * PAGE);
      assertEquals(vm.memory(0x100000000 + PAGE + 3, 1)[0], 9);
    },
  },
  {
    name: "setMemoryRegion() again with the same values keeps the contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 9;
      region(vm, 0, 0, PAGE);
      region(vm, 0, 0, PAGE, 1);
      region(vm, 0, 0, PAGE, 0);
      assertEquals(vm.memory(0, 1)[0], 9);
    },
  },
  {
    name: "setMemoryRegion() gives ENOMEM for more than any host has",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("ENOMEM", () => region(vm, 0, 0, 1n << 62n));
      refuses("ENOMEM", () => region(vm, 0, 0, 1n << 51n));
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0, PAGE);
    },
  },
  {
    name: "setMemoryRegion() memory is seen by guest and host alike",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fe 07 ; inc byte [bx]
        f4    ; hlt
      `),
        { data: 1, regs: { rbx: 9 } },
      );
      guest.vm.memory(DATA + 9, 1)[0] = 41;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.memory(DATA + 9, 1)[0], 42);
    },
  },
  {
    name: "setMemoryRegion() deletes a slot under a guest that used it",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      access(guest, 0);
      region(guest.vm, 1, DATA, 0);
      guest.restart();
      guest.expect(KVM_EXIT_MMIO);
    },
  },
  {
    name: "setMemoryRegion() adds a slot under a guest that met MMIO there",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD);
      guest.expect(KVM_EXIT_MMIO).data[0] = 1;
      guest.expect(KVM_EXIT_HLT);
      region(guest.vm, 1, DATA, PAGE);
      guest.vm.memory(DATA, 1)[0] = 2;
      assertEquals(access(guest, 0), 2);
    },
  },
  {
    name: "setMemoryRegion() moves a slot under a guest that used it",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 1 });
      access(guest, 5, 1);
      region(guest.vm, 1, ELSEWHERE, PAGE);
      assertEquals(guest.vm.memory(ELSEWHERE + 5, 1)[0], 1);
      guest.restart();
      guest.expect(KVM_EXIT_MMIO);
      guest.expect(KVM_EXIT_HLT);
      region(guest.vm, 1, DATA, PAGE);
      access(guest, 6, 2);
      assertEquals([...guest.vm.memory(DATA + 5, 2)], [1, 2]);
    },
  },
  {
    name: "setMemoryRegion() moves the very code that runs",
    run: (kvm) => {
      const listing = code(`
        40    ; inc ax
        e6 10 ; out 0x10, al
        40    ; inc ax
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing);
      region(guest.vm, 2, ELSEWHERE, PAGE);
      guest.vm.write(ELSEWHERE, listing.bytes);
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.cs, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.restart({ rip: 0 });
      guest.expectOut(0x10, 1, 1);
      region(guest.vm, 2, ELSEWHERE + PAGE, PAGE);
      Object.assign(sregs.cs, { base: BigInt(ELSEWHERE + PAGE), selector: (ELSEWHERE + PAGE) >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [2n, 5n]);
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for slot 32, the first one too many",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("EINVAL", () => region(vm, KVM_MEMORY_SLOTS, 0, PAGE));
      refuses("EINVAL", () => region(vm, KVM_MEMORY_SLOTS, 0, 0));
      region(vm, KVM_MEMORY_SLOTS - 1, 0, PAGE);
    },
  },
  {
    name: "setMemoryRegion() lets the guest use all 32 slots at once",
    run: (kvm) => {
      const listing = code(`
        b9 1f 00 ; mov cx, 31
                 ; again:
        8b 07    ; mov ax, [bx]
        89 47 02 ; mov [bx+2], ax
        8c d8    ; mov ax, ds
        05 00 02 ; add ax, 0x200
        8e d8    ; mov ds, ax
        e2 f2    ; loop again
        f4       ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rbx: 6 } });
      // Slot 0 is the guest's low memory; the others have a page without memory between each other.
      for (let slot = 1; slot < 32; slot++) {
        region(guest.vm, slot, DATA + (slot - 1) * 2 * PAGE, PAGE);
        guest.vm.write(DATA + (slot - 1) * 2 * PAGE + 6, Uint8Array.of(slot, 0x40 + slot));
      }
      guest.expect(KVM_EXIT_HLT);
      for (let slot = 1; slot < 32; slot++) {
        assertEquals([...guest.vm.read(DATA + (slot - 1) * 2 * PAGE + 8, 2)], [slot, 0x40 + slot]);
      }
    },
  },
  {
    name: "setMemoryRegion() takes a slot again that was deleted, when all others are in use",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (let slot = 0; slot < 32; slot++) region(vm, slot, slot * PAGE, PAGE);
      refuses("EEXIST", () => region(vm, 17, 3 * PAGE, PAGE));
      region(vm, 17, 17 * PAGE, 0);
      region(vm, 17, 0x100000, 4 * PAGE);
      assertEquals(vm.memory(0x100000, 4 * PAGE).length, 4 * PAGE);
      refuses("EFAULT", () => vm.memory(17 * PAGE, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a deletion that is not page-aligned",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => region(vm, 0, 5, 0));
      assertEquals(vm.memory(0, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryRegion() deletes a slot whatever address is given",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      region(vm, 0, 0x100000, 0);
      refuses("EFAULT", () => vm.memory(0, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a range that ends with the last address",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("EINVAL", () => region(vm, 0, 0xfffffffffffff000n, PAGE));
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => region(vm, 0, 0xfffffffffffff000n, PAGE));
      assertEquals(vm.memory(0, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryRegion() takes addresses that no processor reaches",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 1n << 60n, 2 * PAGE);
      vm.write((1n << 60n) + 5n, Uint8Array.of(7));
      assertEquals(vm.read((1n << 60n) + 5n, 1)[0], 7);
      refuses("EEXIST", () => region(vm, 1, (1n << 60n) + 4096n, PAGE));
    },
  },
  {
    name: "setMemoryRegion() gives EEXIST for one shared page at either end, and takes neighbours",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 10 * PAGE, 10 * PAGE);
      refuses("EEXIST", () => region(vm, 1, 9 * PAGE, 2 * PAGE));
      refuses("EEXIST", () => region(vm, 1, 19 * PAGE, PAGE));
      region(vm, 1, 9 * PAGE, PAGE);
      region(vm, 2, 20 * PAGE, PAGE);
    },
  },
  {
    name: "setMemoryRegion() gives EEXIST for a move onto another slot, which stays where it is",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      region(vm, 1, 4 * PAGE, 2 * PAGE);
      vm.write(4 * PAGE, Uint8Array.of(9));
      refuses("EEXIST", () => region(vm, 1, PAGE, 2 * PAGE));
      assertEquals(vm.memory(4 * PAGE, 1)[0], 9);
      region(vm, 1, 2 * PAGE, 2 * PAGE);
      assertEquals(vm.memory(2 * PAGE, 1)[0], 9);
    },
  },
  {
    name: "setMemoryRegion() swaps two slots by way of a third place",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      region(guest.vm, 2, DATA + PAGE, PAGE);
      guest.vm.write(DATA, Uint8Array.of(1));
      guest.vm.write(DATA + PAGE, Uint8Array.of(2));
      assertEquals([access(guest, 0), access(guest, PAGE)], [1, 2]);
      region(guest.vm, 1, ELSEWHERE, PAGE);
      region(guest.vm, 2, DATA, PAGE);
      region(guest.vm, 1, DATA + PAGE, PAGE);
      assertEquals([access(guest, 0), access(guest, PAGE)], [2, 1]);
    },
  },
  {
    name: "setMemoryRegion() moves a slot and switches its log in one call",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2 });
      access(guest, 0, 1);
      region(guest.vm, 1, DATA + PAGE, 2 * PAGE, LOG);
      access(guest, 2 * PAGE, 2);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
      assertEquals([guest.vm.read(DATA + PAGE, 1)[0], guest.vm.read(DATA + 2 * PAGE, 1)[0]], [1, 2]);
    },
  },
  {
    name: "setMemoryRegion() again with the same values keeps the log",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, flags: LOG });
      access(guest, PAGE, 1);
      region(guest.vm, 1, DATA, 2 * PAGE, LOG);
      access(guest, 0, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0, 1]);
    },
  },
  {
    name: "setMemoryRegion() deleted and made anew has zeroed memory and an empty log",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, flags: LOG });
      access(guest, PAGE, 0x55);
      region(guest.vm, 1, DATA, 0);
      region(guest.vm, 1, DATA, 2 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      assertEquals(guest.vm.read(DATA + PAGE, 1)[0], 0);
      access(guest, 0, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0]);
    },
  },
  {
    name: "setMemoryRegion() refused for its size leaves memory, log and guest as they were",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, flags: LOG });
      access(guest, PAGE, 3);
      refuses("EINVAL", () => region(guest.vm, 1, DATA, PAGE));
      refuses("EINVAL", () => region(guest.vm, 1, ELSEWHERE, 3 * PAGE, LOG));
      access(guest, 0, 4);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0, 1]);
      assertEquals([guest.vm.read(DATA, 1)[0], guest.vm.read(DATA + PAGE, 1)[0]], [4, 3]);
    },
  },
  {
    name: "setMemoryRegion() gives ENOMEM with a message that tells how much",
    run: (kvm) => {
      using vm = kvm.createVm();
      try {
        region(vm, 3, 0, 1n << 50n);
      } catch (error) {
        if (!(error instanceof KvmError)) throw error;
        assertEquals(error.code, "ENOMEM");
        assert(/^Cannot .*1125899906842624/.test(error.message), error.message);
        return;
      }
      throw new Error("a petabyte was given");
    },
  },
  {
    name: "setMemoryRegion() neighbours are one memory to a word across them",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 1, flags: LOG });
      region(guest.vm, 2, DATA + PAGE, PAGE, LOG);
      guest.restart({ rbx: PAGE - 1, rax: 0x2211 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...guest.vm.read(DATA + PAGE - 1, 2)], [0x11, 0x22]);
      assertEquals([bits(guest.vm.getDirtyLog(1)), bits(guest.vm.getDirtyLog(2))], [[0], [0]]);
    },
  },
  {
    name: "setMemoryRegion() neighbours hold an instruction across them",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      region(guest.vm, 2, DATA + PAGE, PAGE);
      const listing = code(`
        b8 34 12 ; mov ax, 0x1234
        f4       ; hlt
      `);
      change(guest, (sregs) => segmentAt(sregs, "cs", DATA));
      for (const before of [1, 2]) {
        guest.vm.write(DATA + PAGE - before, listing.bytes);
        guest.restart({ rip: PAGE - before, rax: 0 });
        guest.expect(KVM_EXIT_HLT);
        assertEquals(guest.regs.rax, 0x1234n);
      }
    },
  },
  {
    name: "setMemoryRegion() changes under a guest between two of its exits",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        8a 07 ; mov al, [bx]
        e6 10 ; out 0x10, al
        eb fa ; jmp again
      `),
        { data: 1 },
      );
      guest.vm.write(DATA, Uint8Array.of(1));
      guest.expectOut(0x10, 1, 1);
      region(guest.vm, 1, ELSEWHERE, PAGE);
      guest.expect(KVM_EXIT_MMIO).data[0] = 2;
      guest.expectOut(0x10, 1, 2);
      region(guest.vm, 1, DATA, PAGE);
      guest.expectOut(0x10, 1, 1);
    },
  },
  {
    name: "setMemoryRegion() above 4 GiB is memory to a 64-bit guest",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_64, { mode: "long", regs: { rbx: 0x40000123, rax: 0x66 } });
      region(guest.vm, 1, 0x1_0000_0000, PAGE, LOG);
      poke(guest.vm, 0x9008, [0xb003n]);
      poke(guest.vm, 0xb000, [0x1_0000_0083n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.read(0x1_0000_0123, 1)[0], 0x66);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0]);
    },
  },
  {
    name: "setMemoryRegion() moved across 4 GiB goes with its contents",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_64, { mode: "long", regs: { rbx: 0x40000000 }, data: 1 });
      guest.vm.write(DATA, Uint8Array.of(0x77));
      region(guest.vm, 1, 0x1_0000_0000, PAGE);
      poke(guest.vm, 0x9008, [0xb003n]);
      poke(guest.vm, 0xb000, [0x1_0000_0083n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x77n);
    },
  },
  {
    name: "setMemoryRegion() views that the host holds go on after a move",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      const view = vm.memory(0, PAGE);
      region(vm, 0, 0x100000, PAGE);
      view[5] = 0x42;
      assertEquals(vm.read(0x100005, 1)[0], 0x42);
    },
  },
];
