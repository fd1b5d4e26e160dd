import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_MMIO, KVM_MEM_LOG_DIRTY_PAGES } from "../../mod.ts";
import { alias, bits, type Case, CODE, code, DATA, Guest, PAGE, poke, refuses, region } from "./harness.ts";

const LOG = KVM_MEM_LOG_DIRTY_PAGES;
/** An address of no slot. */
const ELSEWHERE = 0x80000;

const LOAD = code(`
        8a 07 ; mov al, [bx]
        f4    ; hlt
      `);
const STORE = code(`
        88 07 ; mov [bx], al
        f4    ; hlt
      `);
const STORE_WORD = code(`
        89 07 ; mov [bx], ax
        f4    ; hlt
      `);
const REP_STOSB = code(`
        f3 aa ; rep stosb
        f4    ; hlt
      `);
const LOAD_OTHER = code(`
        26 8a 07 ; mov al, [es:bx]
        f4       ; hlt
      `);

/** Runs from the start to HLT with BX and AL set; gives AL. */
function access(guest: Guest, bx: number, al: number = 0): number {
  guest.restart({ rbx: bx, rax: al });
  guest.expect(KVM_EXIT_HLT);
  return guest.regs.rax_lo & 0xff;
}

/** Slots, aliases and dirty logs as the guest sees and makes them. DS and ES begin at DATA, which is slot 1. */
export const GUEST_MEMORY_CASES: readonly Case[] = [
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
    name: "getDirtyLog() has the page of a store, once",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 10, flags: LOG });
      access(guest, 3 * PAGE, 1);
      access(guest, 3 * PAGE + 4095, 1);
      access(guest, 9 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3, 9]);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has a page again that is written again",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      for (let n = 0; n < 3; n++) {
        access(guest, 2 * PAGE, n);
        assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
      }
    },
  },
  {
    name: "getDirtyLog() does not have what was only read or executed",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4, flags: LOG });
      access(guest, PAGE);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      guest.vm.write(DATA, Uint8Array.of(0xf4)); // hlt
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.cs, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.restart({ rip: 0 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has both pages of a store across them",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 4, flags: LOG });
      access(guest, 2 * PAGE - 1, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
    },
  },
  {
    name: "getDirtyLog() does not have what the host writes",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4, flags: LOG });
      access(guest, 0);
      guest.vm.write(DATA + PAGE, Uint8Array.of(1));
      guest.vm.memory(DATA, PAGE).fill(1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has the pages of REP STOS",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_STOSB, { data: 8, flags: LOG, regs: { rcx: 2 * PAGE, rdi: 3 * PAGE + 1 } });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3, 4, 5]);
    },
  },
  {
    name: "getDirtyLog() has the page of INSB",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6c ; insb
        f4 ; hlt
      `),
        { data: 8, flags: LOG, regs: { rdi: 5 * PAGE, rdx: 0x60 } },
      );
      guest.expectIn(0x60, 1, [1]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [5]);
    },
  },
  {
    name: "getDirtyLog() has the stack's page",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        50       ; push ax
        e8 00 00 ; call next
                 ; next:
        f4       ; hlt
      `),
        {
          data: 8,
          flags: LOG,
          sregs: ({ ss }) => Object.assign(ss, { base: BigInt(DATA), selector: DATA >> 4 }),
          regs: { rsp: 7 * PAGE + 2 },
        },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6, 7]);
    },
  },
  {
    name: "getDirtyLog() has the page of an interrupt's frame",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        eb fe ; jmp $
      `),
        {
          data: 8,
          flags: LOG,
          sregs: ({ ss }) => Object.assign(ss, { base: BigInt(DATA), selector: DATA >> 4 }),
          regs: { rsp: 5 * PAGE + 8, rflags: 0x202 },
        },
      );
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21)); // out 0x21, al
      guest.setVector(0x20, 0x2000);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [5]);
    },
  },
  {
    name: "getDirtyLog() has the page of a read-modify-write, and of one that writes the same value",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        80 07 00 ; add byte [bx], 0
        f4       ; hlt
      `),
        { data: 4, flags: LOG, regs: { rbx: 2 * PAGE } },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
    },
  },
  {
    name: "getDirtyLog() has the page that code writes into itself",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f4 ; hlt
      `),
        { data: 4, flags: LOG },
      );
      guest.vm.write(
        DATA + PAGE,
        code(`
        fe 07 ; inc byte [bx]
        f4    ; hlt
      `).bytes,
      );
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.cs, { base: BigInt(DATA), selector: DATA >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.restart({ rip: PAGE, rbx: PAGE + 0x80 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "getDirtyLog() has the target's page for a store through an alias",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 8, flags: LOG });
      alias(guest.vm, 0, DATA + 8 * PAGE, 2 * PAGE, DATA + 5 * PAGE);
      access(guest, 9 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6]);
      access(guest, 6 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6]);
    },
  },
  {
    name: "getDirtyLog() has nothing of a page that an alias hides",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 8, flags: LOG });
      alias(guest.vm, 0, DATA + 2 * PAGE, PAGE, DATA + 4 * PAGE);
      access(guest, 2 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [4]);
    },
  },
  {
    name: "getDirtyLog() keeps slots apart",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        88 07    ; mov [bx], al
        26 88 07 ; mov [es:bx], al
        f4       ; hlt
      `),
        {
          data: 2,
          flags: LOG,
          regs: { rbx: PAGE },
          sregs: ({ es }) => Object.assign(es, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 }),
        },
      );
      region(guest.vm, 2, ELSEWHERE, 2 * PAGE, LOG);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
      assertEquals(bits(guest.vm.getDirtyLog(2)), [1]);
    },
  },
  {
    name: "getDirtyLog() of more than 64 pages",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 130, flags: LOG });
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.ds, { base: BigInt(DATA + 120 * PAGE), selector: (DATA + 120 * PAGE) >> 4 });
      guest.vcpu.setSregs(sregs);
      access(guest, 9 * PAGE, 1);
      const log = guest.vm.getDirtyLog(1);
      assertEquals([log.length, bits(log)], [24, [129]]);
    },
  },
  {
    name: "setMemoryRegion() switches the log on: what was written before is not in it",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4 });
      access(guest, PAGE, 1);
      refuses("ENOENT", () => guest.vm.getDirtyLog(1));
      region(guest.vm, 1, DATA, 4 * PAGE, LOG);
      access(guest, 2 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
    },
  },
  {
    name: "setMemoryRegion() switches the log off and on: it starts empty",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      access(guest, PAGE, 1);
      region(guest.vm, 1, DATA, 4 * PAGE);
      refuses("ENOENT", () => guest.vm.getDirtyLog(1));
      access(guest, 2 * PAGE, 1);
      region(guest.vm, 1, DATA, 4 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      access(guest, 3 * PAGE, 7);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3]);
      assertEquals([1, 2, 3].map((n) => guest.vm.memory(DATA + n * PAGE, 1)[0]), [1, 1, 7]);
    },
  },
  {
    name: "setMemoryRegion() moves the log with the slot",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      access(guest, PAGE, 1);
      region(guest.vm, 1, ELSEWHERE, 4 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "setMemoryAlias() added and removed keeps the log of its target",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      alias(guest.vm, 0, DATA + 4 * PAGE, PAGE, DATA + PAGE);
      access(guest, 4 * PAGE, 1);
      access(guest, 2 * PAGE, 1);
      alias(guest.vm, 0, DATA + 4 * PAGE, 0, 0);
      alias(guest.vm, 1, DATA, PAGE, DATA + 3 * PAGE);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
    },
  },
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
    name: "createVcpu() processors see one memory and have registers of their own",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 1 });
      const other = guest.vm.createVcpu(1);
      other.setSregs(guest.vcpu.getSregs());
      const { regs } = guest;
      regs.rip = 0x2000n;
      guest.vm.write(0x2000, LOAD_OTHER.bytes);
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
];
