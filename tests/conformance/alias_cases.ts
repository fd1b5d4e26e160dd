import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_MMIO } from "../../mod.ts";
import { access, change, ELSEWHERE, LOAD, LOAD_64, LOG, REP_STOSB, segmentAt, STORE, STORE_WORD } from "./guests.ts";
import { alias, bits, type Case, code, DATA, Guest, PAGE, poke, refuses, region } from "./harness.ts";

/** KVM_SET_MEMORY_ALIAS: the rules, and what the guest sees of them. */
export const ALIAS_CASES: readonly Case[] = [
  {
    name: "setMemoryAlias() shows the target's memory",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      alias(vm, 0, 0x100000, 2 * PAGE, 2 * PAGE);
      vm.memory(0x100000, 1)[0] = 1;
      vm.memory(3 * PAGE + 7, 1)[0] = 2;
      assertEquals([vm.memory(2 * PAGE, 1)[0], vm.memory(0x101007, 1)[0]], [1, 2]);
    },
  },
  {
    name: "setMemoryAlias() takes 8 aliases",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 8 * PAGE);
      for (let n = 0; n < 8; n++) alias(vm, n, 0x100000 + n * 2 * PAGE, PAGE, n * PAGE);
      for (let n = 0; n < 8; n++) vm.memory(0x100000 + n * 2 * PAGE, 1)[0] = n + 1;
      for (let n = 0; n < 8; n++) assertEquals(vm.memory(n * PAGE, 1)[0], n + 1);
    },
  },
  {
    name: "setMemoryAlias() gives EINVAL: unaligned, slot out of range, either range wraps",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      refuses("EINVAL", () => alias(vm, 0, 0x100001, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, PAGE + 1, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, PAGE, 1));
      refuses("EINVAL", () => alias(vm, 0xffffffff, 0x100000, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0x1000, 0x100000, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0xfffffffffffff000n, 2 * PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, 2 * PAGE, 0xfffffffffffff000n));
      refuses("EFAULT", () => vm.memory(0x100000, 1));
    },
  },
  {
    name: "setMemoryAlias() slots are counted apart from memory slots",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      alias(vm, 0, PAGE, PAGE, 0);
      assertEquals(vm.memory(0, 2 * PAGE - 4096).length, PAGE);
      region(vm, 0, 0, 0);
      refuses("EFAULT", () => vm.memory(PAGE, 1));
    },
  },
  {
    name: "setMemoryAlias() wins over the slot beneath it; removed, the slot is there again",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      vm.memory(PAGE, 1)[0] = 1;
      vm.memory(2 * PAGE, 1)[0] = 2;
      alias(vm, 3, PAGE, PAGE, 2 * PAGE);
      assertEquals(vm.memory(PAGE, 1)[0], 2);
      alias(vm, 3, PAGE, 0, 2 * PAGE);
      assertEquals(vm.memory(PAGE, 1)[0], 1);
    },
  },
  {
    name: "setMemoryAlias() does not chain",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      alias(vm, 0, 0x100000, PAGE, 0);
      alias(vm, 1, 0x200000, PAGE, 0x100000);
      refuses("EFAULT", () => vm.memory(0x200000, 1));
    },
  },
  {
    name: "setMemoryAlias() again with the same slot moves the alias",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      alias(vm, 0, 0x100000, PAGE, 0);
      alias(vm, 0, 0x200000, 2 * PAGE, PAGE);
      refuses("EFAULT", () => vm.memory(0x100000, 1));
      vm.memory(0x201000, 1)[0] = 6;
      assertEquals(vm.memory(2 * PAGE, 1)[0], 6);
    },
  },
  {
    name: "setMemoryAlias() may come before the slot it shows",
    run: (kvm) => {
      using vm = kvm.createVm();
      alias(vm, 0, 0x100000, PAGE, 0);
      refuses("EFAULT", () => vm.memory(0x100000, 1));
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 3;
      assertEquals(vm.memory(0x100000, 1)[0], 3);
    },
  },
  {
    name: "setMemoryAlias() is read by the guest",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4 });
      alias(guest.vm, 0, DATA + 4 * PAGE, PAGE, DATA + 2 * PAGE);
      guest.vm.memory(DATA + 2 * PAGE + 8, 1)[0] = 0x31;
      assertEquals(access(guest, 4 * PAGE + 8), 0x31);
    },
  },
  {
    name: "setMemoryAlias() is written by the guest",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4 });
      alias(guest.vm, 0, DATA + 4 * PAGE, PAGE, DATA + 2 * PAGE);
      access(guest, 4 * PAGE + 8, 0x32);
      assertEquals(guest.vm.memory(DATA + 2 * PAGE + 8, 1)[0], 0x32);
    },
  },
  {
    name: "setMemoryAlias() over a slot hides it, removed shows it, for a guest that used it",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4 });
      for (let page = 0; page < 4; page++) guest.vm.memory(DATA + page * PAGE, 1)[0] = page + 1;
      assertEquals(access(guest, PAGE), 2);
      alias(guest.vm, 7, DATA + PAGE, PAGE, DATA + 3 * PAGE);
      assertEquals(access(guest, PAGE), 4);
      assertEquals([access(guest, 0), access(guest, 2 * PAGE)], [1, 3]);
      alias(guest.vm, 7, DATA + PAGE, 0, 0);
      assertEquals(access(guest, PAGE), 2);
    },
  },
  {
    name: "setMemoryAlias() of a hole is MMIO at the alias's address",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4 });
      alias(guest.vm, 0, DATA + PAGE, PAGE, ELSEWHERE);
      guest.restart({ rbx: PAGE + 7 });
      const exit = guest.expect(KVM_EXIT_MMIO);
      assertEquals([exit.address, exit.len, exit.is_write], [DATA + PAGE + 7, 1, false]);
      exit.data[0] = 0x44;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x44n);
    },
  },
  {
    name: "setMemoryAlias() of an alias is MMIO: they do not chain",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      alias(guest.vm, 1, DATA + PAGE, PAGE, ELSEWHERE);
      guest.restart({ rbx: PAGE });
      assertEquals(guest.expect(KVM_EXIT_MMIO).address, DATA + PAGE);
    },
  },
  {
    name: "setMemoryAlias() of a page that is itself under an alias shows the slot's page",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 3 });
      for (let page = 0; page < 3; page++) guest.vm.memory(DATA + page * PAGE, 1)[0] = page + 1;
      alias(guest.vm, 0, DATA, PAGE, DATA + PAGE);
      alias(guest.vm, 1, DATA + 4 * PAGE, PAGE, DATA);
      assertEquals([access(guest, 0), access(guest, 4 * PAGE)], [2, 1]);
    },
  },
  {
    name: "setMemoryAlias() follows its target when that moves",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      guest.vm.memory(DATA, 1)[0] = 0x51;
      region(guest.vm, 2, ELSEWHERE, PAGE);
      guest.vm.memory(ELSEWHERE, 1)[0] = 0x52;
      alias(guest.vm, 0, DATA + 4 * PAGE, PAGE, ELSEWHERE);
      assertEquals(access(guest, 4 * PAGE), 0x52);
      region(guest.vm, 2, ELSEWHERE + PAGE, PAGE);
      guest.restart({ rbx: 4 * PAGE });
      guest.expect(KVM_EXIT_MMIO);
    },
  },
  {
    name: "setMemoryAlias() twice of one page shows one memory at both",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        88 07    ; mov [bx], al
        26 8a 27 ; mov ah, [es:bx]
        f4       ; hlt
      `),
        {
          data: 1,
          regs: { rax: 0x61 },
          sregs: (sregs) => {
            Object.assign(sregs.ds, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 });
            Object.assign(sregs.es, { base: BigInt(ELSEWHERE + PAGE), selector: (ELSEWHERE + PAGE) >> 4 });
          },
        },
      );
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      alias(guest.vm, 1, ELSEWHERE + PAGE, PAGE, DATA);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.vm.memory(DATA, 1)[0]], [0x6161n, 0x61]);
    },
  },
  {
    name: "setMemoryAlias() gives EINVAL for alias 8, the first one too many",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => alias(vm, 8, ELSEWHERE, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 8, ELSEWHERE, 0, 0));
      alias(vm, 7, ELSEWHERE, PAGE, 0);
      assertEquals(vm.memory(ELSEWHERE, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryAlias() refused leaves the alias that is there",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      vm.write(PAGE, Uint8Array.of(8));
      alias(vm, 0, ELSEWHERE, PAGE, PAGE);
      refuses("EINVAL", () => alias(vm, 0, ELSEWHERE + 1, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, ELSEWHERE, PAGE, 0xfffffffffffff000n));
      assertEquals(vm.read(ELSEWHERE, 1)[0], 8);
    },
  },
  {
    name: "setMemoryAlias() with size 0 for an unused alias does nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      alias(vm, 5, 0, 0, 0);
      assertEquals(vm.memory(0, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryAlias() of itself changes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1 });
      guest.vm.write(DATA, Uint8Array.of(0x21));
      alias(guest.vm, 0, DATA, PAGE, DATA);
      assertEquals(access(guest, 0), 0x21);
    },
  },
  {
    name: "setMemoryAlias() of two aliases over one page: the lower numbered one counts",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 3 });
      for (let page = 0; page < 3; page++) guest.vm.write(DATA + page * PAGE, Uint8Array.of(page + 1));
      alias(guest.vm, 4, ELSEWHERE, PAGE, DATA + 2 * PAGE);
      change(guest, (sregs) => segmentAt(sregs, "ds", ELSEWHERE));
      assertEquals(access(guest, 0), 3);
      alias(guest.vm, 2, ELSEWHERE, PAGE, DATA + PAGE);
      assertEquals(access(guest, 0), 2);
      alias(guest.vm, 2, ELSEWHERE, 0, 0);
      assertEquals(access(guest, 0), 3);
    },
  },
  {
    name: "setMemoryAlias() across two slots shows both",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 1 });
      region(guest.vm, 2, DATA + PAGE, PAGE);
      alias(guest.vm, 0, ELSEWHERE, 2 * PAGE, DATA);
      change(guest, (sregs) => segmentAt(sregs, "ds", ELSEWHERE));
      guest.restart({ rbx: PAGE - 1, rax: 0x4433 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...guest.vm.read(DATA + PAGE - 1, 2)], [0x33, 0x44]);
    },
  },
  {
    name: "setMemoryAlias() larger than the memory behind it: the rest is MMIO",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) });
      guest.vm.write(DATA, Uint8Array.of(0x12));
      alias(guest.vm, 0, ELSEWHERE - PAGE, 3 * PAGE, DATA - PAGE);
      assertEquals(access(guest, 0), 0x12);
      guest.restart({ rbx: PAGE });
      assertEquals(guest.expect(KVM_EXIT_MMIO).address, ELSEWHERE + PAGE);
    },
  },
  {
    name: "setMemoryAlias() over a device's addresses is memory, removed is the device again",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1, sregs: (sregs) => segmentAt(sregs, "ds", 0xa0000) });
      guest.vm.write(DATA, Uint8Array.of(0x99));
      for (let n = 0; n < 3; n++) {
        guest.restart({ rbx: 0 });
        const exit = guest.expect(KVM_EXIT_MMIO);
        assertEquals([exit.address, exit.is_write], [0xa0000, false]);
        exit.data[0] = n;
        guest.expect(KVM_EXIT_HLT);
        assertEquals(guest.regs.rax, BigInt(n));
        alias(guest.vm, 0, 0xa0000, PAGE, DATA);
        assertEquals(access(guest, 0), 0x99);
        alias(guest.vm, 0, 0xa0000, 0, 0);
      }
    },
  },
  {
    name: "setMemoryAlias() removed under a guest between two of its exits",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        88 07 ; mov [bx], al
        e6 10 ; out 0x10, al
        40    ; inc ax
        eb f9 ; jmp again
      `),
        { data: 1, flags: LOG, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) },
      );
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      for (let n = 0; n < 3; n++) guest.expectOut(0x10, 1, n);
      alias(guest.vm, 0, ELSEWHERE, 0, 0);
      const exit = guest.expect(KVM_EXIT_MMIO);
      assertEquals([exit.is_write, exit.address, exit.data[0]], [true, ELSEWHERE, 3]);
      guest.expectOut(0x10, 1, 3);
      assertEquals([guest.vm.read(DATA, 1)[0], bits(guest.vm.getDirtyLog(1))], [2, [0]]);
    },
  },
  {
    name: "setMemoryAlias() removed while the guest's access to it is under way",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 a4 ; rep movsb
        f4    ; hlt
      `),
        {
          data: 1,
          regs: { rcx: 4, rsi: 0, rdi: 0x10 },
          sregs: (sregs) => {
            segmentAt(sregs, "ds", 0xa0000);
            segmentAt(sregs, "es", ELSEWHERE);
          },
        },
      );
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      for (let n = 0; n < 2; n++) guest.expect(KVM_EXIT_MMIO).data[0] = 0x30 + n;
      const third = guest.expect(KVM_EXIT_MMIO);
      third.data[0] = 0x32;
      alias(guest.vm, 0, ELSEWHERE, 0, 0);
      const write = guest.expect(KVM_EXIT_MMIO);
      assertEquals([write.is_write, write.address, write.data[0]], [true, ELSEWHERE + 0x12, 0x32]);
      assertEquals([...guest.vm.read(DATA + 0x10, 3)], [0x30, 0x31, 0]);
    },
  },
  {
    name: "setMemoryAlias() of a slot that is deleted is MMIO, and memory when the slot is made anew",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 1, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) });
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      guest.vm.write(DATA, Uint8Array.of(5));
      assertEquals(access(guest, 0), 5);
      region(guest.vm, 1, DATA, 0);
      guest.restart({ rbx: 0 });
      assertEquals(guest.expect(KVM_EXIT_MMIO).address, ELSEWHERE);
      guest.expect(KVM_EXIT_HLT);
      region(guest.vm, 1, DATA, PAGE);
      guest.vm.write(DATA, Uint8Array.of(6));
      assertEquals(access(guest, 0), 6);
    },
  },
  {
    name: "setMemoryAlias() holds the stack",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        50 ; push ax
        53 ; push bx
        59 ; pop cx
        f4 ; hlt
      `),
        {
          data: 1,
          regs: { rax: 0x1122, rbx: 0x3344, rsp: 0x100 },
          sregs: (sregs) => segmentAt(sregs, "ss", ELSEWHERE),
        },
      );
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 0x3344n);
      assertEquals([...guest.vm.read(DATA + 0xfc, 4)], [0x44, 0x33, 0x22, 0x11]);
    },
  },
  {
    name: "setMemoryAlias() is filled by REP STOS across its pages, and the target's pages are dirty",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_STOSB, {
        data: 6,
        flags: LOG,
        regs: { rcx: PAGE + 2, rdi: PAGE - 1, rax: 0x7e },
        sregs: (sregs) => segmentAt(sregs, "es", ELSEWHERE),
      });
      alias(guest.vm, 0, ELSEWHERE, 3 * PAGE, DATA + 2 * PAGE);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2, 3, 4]);
      assertEquals([...guest.vm.read(DATA + 4 * PAGE, 2)], [0x7e, 0]);
    },
  },
  {
    name: "setMemoryAlias() of a slot whose log is switched on later",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) });
      alias(guest.vm, 0, ELSEWHERE, 2 * PAGE, DATA);
      access(guest, 0, 1);
      region(guest.vm, 1, DATA, 2 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      access(guest, PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "setMemoryAlias() of a slot that logs, above one that does not: the target decides",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) });
      region(guest.vm, 2, ELSEWHERE, 2 * PAGE, LOG);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      access(guest, 0, 1);
      access(guest, PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(2)), [1]);
      refuses("ENOENT", () => guest.vm.getDirtyLog(1));
    },
  },
  {
    name: "setMemoryAlias() lets the guest use all 8 aliases at once",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 8, sregs: (sregs) => segmentAt(sregs, "ds", ELSEWHERE) });
      for (let n = 0; n < 8; n++) {
        guest.vm.write(DATA + n * PAGE, Uint8Array.of(0x80 + n));
        alias(guest.vm, n, ELSEWHERE + (7 - n) * PAGE, PAGE, DATA + n * PAGE);
      }
      assertEquals(
        Array.from({ length: 8 }, (_, n) => access(guest, n * PAGE)),
        [0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81, 0x80],
      );
    },
  },
  {
    name: "setMemoryAlias() holds page tables",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_64, { mode: "long", regs: { rbx: 0x40000008 }, data: 2, flags: LOG });
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      poke(guest.vm, 0x9008, [BigInt(ELSEWHERE) | 3n]);
      poke(guest.vm, DATA, [0x83n]);
      poke(guest.vm, 8, [0x5an]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x5an);
      assertEquals(guest.vm.read(DATA, 1)[0] & 0x20, 0x20);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0]);
    },
  },
  {
    name: "setMemoryAlias() above 4 GiB shows memory below",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_64, { mode: "long", regs: { rbx: 0x40000003 }, data: 1 });
      alias(guest.vm, 0, 0x1_4000_0000, PAGE, DATA);
      poke(guest.vm, 0x9008, [0xb003n]);
      poke(guest.vm, 0xb000, [0x1_4000_0083n]);
      guest.vm.write(DATA + 3, Uint8Array.of(0x4b));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x4bn);
    },
  },
];
