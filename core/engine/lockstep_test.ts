import { assert, assertEquals, assertThrows } from "@std/assert";
import { enter } from "../../guests/entry_state.ts";
import { LOW_TABLES, lowTables } from "../../guests/low_tables.ts";
import {
  KVM_EXIT_HLT,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KVM_MEM_LOG_DIRTY_PAGES,
  type Vcpu,
  type Vm,
} from "../../mod.ts";
import { code } from "../../tests/cli_support.ts";
import { Kvm } from "../kvm/kvm.ts";
import * as S from "../x86/state.ts";
import type { SoftVcpu } from "./cpu.ts";
import { createLockstepBackend } from "./lockstep.ts";
import { LockstepError, type LockstepFinding } from "./lockstep_error.ts";
import { SoftVm } from "./soft.ts";

/** Stands in for RUN of the translating side. */
type Fault = (v: SoftVcpu, run: (instructions: number) => number, instructions: number) => number;

/** A machine whose processors have a fault. */
class FaultyVm extends SoftVm {
  readonly #fault: Fault;

  constructor(fault: Fault) {
    super("translator");
    this.#fault = fault;
  }

  override createVcpu(id: number): SoftVcpu {
    const v = super.createVcpu(id) as SoftVcpu;
    const run = v.run.bind(v);
    v.run = (instructions) => this.#fault(v, run, instructions);
    return v;
  }
}

const BASE = 0x1_0000, MEMORY = 0x10_0000, PORT = 0x80;

/** A guest in 32-bit protected mode. */
class Guest implements Disposable {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  readonly #kvm: Kvm;

  constructor(program: Uint8Array, slice: number, fault?: Fault) {
    const createVm = fault &&
      ((engine: "auto" | "interpreter" | "translator") =>
        engine === "translator" ? new FaultyVm(fault) : new SoftVm(engine));
    this.#kvm = new Kvm(createLockstepBackend({ slice, createVm }));
    this.vm = this.#kvm.createVm();
    this.vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: MEMORY, flags: KVM_MEM_LOG_DIRTY_PAGES });
    this.vm.write(LOW_TABLES, lowTables("protected"));
    this.vm.write(BASE, program);
    this.vcpu = this.vm.createVcpu(0);
    const regs = this.vcpu.getRegs(), sregs = this.vcpu.getSregs();
    enter({ mode: "protected", cs: 0, ip: BASE, sp: 0x8000, dl: 0, pieces: [] }, regs, sregs);
    sregs.cr4 |= 0x600n; // SSE
    this.vcpu.setSregs(sregs);
    this.vcpu.setRegs(regs);
  }

  /** Runs to the difference. */
  differs(): LockstepFinding {
    return assertThrows(() => this.finish(), LockstepError).finding;
  }

  /** Runs to HLT; IN reads 0, 1, 2 and so on. */
  finish(): void {
    for (let n = 0;;) {
      const exit = this.vcpu.run();
      if (exit.reason === KVM_EXIT_HLT) return;
      if (exit.reason === KVM_EXIT_IO || exit.reason === KVM_EXIT_MMIO) exit.data.fill(n++);
      else if (exit.reason === KVM_EXIT_HYPERCALL) exit.ret = 7n;
      else throw new Error(`unexpected exit ${exit.reason}`);
    }
  }

  [Symbol.dispose](): void {
    this.vm[Symbol.dispose]();
    this.#kvm[Symbol.dispose]();
  }
}

/** 1 + 100 × 5 + 1 instructions. */
const LOOP = code([
  ["mov ecx, 0x64", "b9 64 00 00 00"],
  ["add eax, ecx", "01 c8"],
  ["mov [edx+0x2000], eax", "89 82 00 20 00 00"],
  ["add edx, 4", "83 c2 04"],
  ["dec ecx", "49"],
  ["jne 0x10005", "75 f2"],
  ["hlt", "f4"],
]);
/** Offsets in LOOP. */
const ADD = BASE + 5, STORE = BASE + 7, DEC = BASE + 16;

/** Executes instruction by instruction, with a fault behind some of them. */
function stepping(hurt: (v: SoftVcpu, rip: number, left: number) => void): Fault {
  return (v, run, instructions) => {
    for (let left = instructions;;) {
      const rip = v.u32[S.RIP >> 2], before = v.instructions();
      const result = run(Math.min(left, 1));
      if (v.instructions() !== before) hurt(v, rip, left);
      if (v.sharedView.getUint32(8, true) !== KVM_EXIT_INTR || --left <= 0) return result;
    }
  };
}

/** Adds 1 to a register behind the instruction at an address when ECX has some value. */
function wrongRegister(at: number, ecx: number, register: number, room = 0): Fault {
  return stepping((v, rip, left) => {
    if (rip === at && v.u32[(S.GPR + 8) >> 2] === ecx && left > room) v.u32[(S.GPR >> 2) + register * 2]++;
  });
}

Deno.test("LockstepVcpu.run() is as a run on one engine, in slices of any size", () => {
  for (const slice of [1, 7, 100, 10_000]) {
    using guest = new Guest(LOOP, slice);
    guest.finish();
    const { rax, rip } = guest.vcpu.getRegs();
    assertEquals([rax, rip], [5050n, BigInt(BASE + LOOP.length)]);
    assertEquals([...guest.vm.getDirtyLog(0)].flatMap((byte, i) => byte ? [[i, byte]] : []), [[0, 4]]);
    assertEquals(guest.vm.getDirtyLog(0).some((byte) => byte !== 0), false, "the log was read");
  }
});

Deno.test("LockstepVcpu.run() stops after maxInstructions", () => {
  using guest = new Guest(LOOP, 10);
  for (const maxInstructions of [0, 1, 25, 30]) assertEquals(guest.vcpu.run({ maxInstructions }).reason, KVM_EXIT_INTR);
  assertEquals(guest.vcpu.getRegs().rcx, 89n, "1 + 11 × 5 instructions");
});

Deno.test("LockstepVcpu.run() names the first instruction that does something else", () => {
  for (const slice of [1, 5, 64, 10_000]) {
    using guest = new Guest(LOOP, slice, wrongRegister(ADD, 40, 3));
    const found = guest.differs();
    // mov, 60 rounds of 5, and the first of the next one
    assertEquals([found.agreed, found.differed], [301, 302], `slices of ${slice}`);
    assertEquals(found.differences.map((d) => d.name), ["rbx"]);
    assertEquals(found.steps, [{ rip: BigInt(ADD), text: "add eax, ecx", suspect: false }]);
    const { rip, rcx, rbx } = guest.vcpu.getRegs();
    assertEquals([rip, rcx, rbx], [BigInt(ADD), 40n, 0n], "it stands where both agreed");
    assertEquals(guest.differs(), found, "and comes to the same again");
  }
});

Deno.test("LockstepVcpu.run() finds faults that show only when several instructions run as one", () => {
  using guest = new Guest(LOOP, 1000, wrongRegister(ADD, 77, 0, 4));
  const found = guest.differs();
  assertEquals([found.agreed, found.differed], [1 + 23 * 5, 1 + 23 * 5 + 5]);
  assertEquals(found.steps.map((s) => [Number(s.rip), s.suspect]).slice(0, 2), [[ADD, true], [STORE, true]]);
  assertEquals(found.steps.filter((s) => s.suspect).length, 2);
  assertEquals(found.differences.map((d) => d.name), ["rax", "memory 0x2058"]);
});

Deno.test("LockstepVcpu.run() finds wrong memory, with and without a dirty mark", () => {
  const wrong = (address: number) =>
    stepping((v, rip) => {
      if (rip === STORE && v.u32[(S.GPR + 8) >> 2] === 3) v.ram.u8[v.ram.lookup(address)!.place + address] = 0x5a;
    });
  {
    using guest = new Guest(LOOP, 1000, wrong(0x2008));
    const found = guest.differs();
    assertEquals([found.steps.map((s) => s.text), found.differences.map((d) => d.name)], [
      ["mov [edx+0x2000], eax"],
      ["memory 0x2008"],
    ]);
  }
  using guest = new Guest(LOOP, 1000, wrong(0x9008));
  const found = guest.differs();
  assertEquals(found.differences, [
    { name: "memory 0x9008", primary: "0000000000000000", secondary: "000000000000005a" },
  ]);
  assert(found.note?.includes("without marking it dirty"));
});

Deno.test("LockstepVcpu.run() finds another number of instructions", () => {
  const fault: Fault = (v, run, instructions) => run(v.u32[(S.GPR + 8) >> 2] === 60 ? 1 : instructions);
  using guest = new Guest(LOOP, 100, fault);
  const found = guest.differs();
  assert(found.differences.some((d) => d.name === "instructions" || d.name === "rip"));
});

Deno.test("LockstepVcpu.run() tells what one of them fails on", () => {
  const fault: Fault = (v, run, instructions) => {
    const result = run(instructions);
    if (v.u32[(S.GPR + 8) >> 2] === 0) throw new TypeError("no such record");
    return result;
  };
  using guest = new Guest(LOOP, 100, fault);
  const found = guest.differs();
  assertEquals(found.differences[0], { name: "failure", primary: "none", secondary: "no such record" });
});

/** Reads a port and memory that is not there, calls the host, reads the time and a random number, three times. */
const EXITS = code([
  ["mov ebp, 3", "bd 03 00 00 00"],
  [`in al, ${PORT}`, "e4 80"],
  ["add ebx, eax", "01 c3"],
  ["movdqu xmm0, [0x200000]", "f3 0f 6f 05 00 00 20 00"],
  ["add [0x200000], al", "00 05 00 00 20 00"],
  ["vmcall", "0f 01 c1"],
  ["add ebx, eax", "01 c3"],
  ["rdtsc", "0f 31"],
  ["mov esi, eax", "89 c6"],
  ["rdrand edi", "0f c7 f7"],
  ["mov ecx, ebp", "89 e9"],
  ["dec ebp", "4d"],
  ["jne 0x10005", "75 dd"],
  ["hlt", "f4"],
]);

Deno.test("LockstepVcpu.run() gives the same answers again on the way to a difference", () => {
  using whole = new Guest(EXITS, 1000);
  whole.finish();
  assert(whole.vcpu.getRegs().rdi !== 0n);
  let at = 0;
  for (const [index, length] of [5, 2, 2, 8, 6, 3, 2, 2, 2, 3, 2, 1].entries()) {
    if (index > 0) {
      using guest = new Guest(EXITS, 1000, wrongRegister(BASE + at, 2, 4));
      const found = guest.differs(), last = Number(found.steps.at(-1)!.rip);
      assertEquals([last, found.steps.length, found.note], [BASE + at, 1, undefined], `the fault at ${at}`);
      assertEquals(found.differences.map((d) => d.name).includes("rsp"), true);
    }
    at += length;
  }
});

Deno.test("LockstepVcpu.run() gives both what the host writes into memory at any time", () => {
  using guest = new Guest(LOOP, 50);
  const view = guest.vm.memory(0, MEMORY);
  guest.vcpu.run({ maxInstructions: 101 });
  view[DEC] = 0xf4; // hlt, in code that both have decoded
  guest.finish();
  assertEquals(guest.vcpu.getRegs().rip, BigInt(DEC + 1));
});

Deno.test("LockstepVcpu.run() holds for several processors over one memory", () => {
  using guest = new Guest(LOOP, 20);
  const second = guest.vm.createVcpu(1);
  second.setSregs(guest.vcpu.getSregs());
  second.setRegs(guest.vcpu.getRegs());
  for (let n = 0; n < 30; n++) for (const vcpu of [guest.vcpu, second]) vcpu.run({ maxInstructions: 17 });
  assertEquals([guest.vcpu, second].map((vcpu) => [vcpu.getRegs().rax, vcpu.run().reason]), [
    [5050n, KVM_EXIT_HLT],
    [5050n, KVM_EXIT_HLT],
  ]);
});

Deno.test("LockstepVcpu.observe() tells of what happens once", () => {
  const seen: number[] = [];
  using guest = new Guest(LOOP, 10);
  guest.vcpu.observe!({
    breakpoints: [BigInt(BASE + LOOP.length - 1)],
    watchpoints: [{ address: 0x2010n, length: 4, read: false, write: true }],
    touched: (address) => seen.push(Number(address)),
  });
  assertEquals([guest.vcpu.run().reason, guest.vcpu.getRegs().rcx], [4, 96n]);
  assertEquals([guest.vcpu.run().reason, guest.vcpu.getRegs().rcx], [4, 0n]);
  assertEquals(seen, [0x2010]);
});

Deno.test("LockstepError has a report of values and instructions", () => {
  using guest = new Guest(LOOP, 1000, wrongRegister(ADD, 77, 0, 2));
  const error = assertThrows(() => guest.finish(), LockstepError);
  assertEquals(error.code, "EIO");
  assertEquals(error.message.split("\n").length, 1);
  const [head, rax, , title, first] = error.report.split("\n");
  assertEquals(head.trim().split(/ +/), ["interpreter", "translator"]);
  assertEquals(rax.trim().split(/ +/), ["rax", "000000000000084c", "000000000000084d"]);
  assertEquals([title, first], ["instruction by instruction, from number 117 on:", "  -> 0x10005  add eax, ecx"]);
});
