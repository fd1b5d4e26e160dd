/**
 * Small guests straight on the software engine's backend, for what only the engine's own tests ask: instruction budgets,
 * executors, several processors over one memory.
 * @module
 */
import { assertEquals } from "@std/assert";
import type { SoftVcpu } from "../core/engine/cpu.ts";
import type { RamBlock } from "../core/engine/ram.ts";
import { createSoftBackend, type Engine, type SoftVm } from "../core/engine/soft.ts";
import { disassemble } from "../core/x86/disassemble.ts";
import { enter } from "../guests/entry_state.ts";
import { LOW_TABLES, lowTables } from "../guests/low_tables.ts";
import { KVM_EXIT_NAMES, type KvmExitReason, KvmRegs, KvmSregs, type StructInit } from "../mod.ts";

/** Every executor, for tests that hold in each. */
export const ENGINES: readonly Engine[] = ["auto", "interpreter", "translator"];

/** How a guest is made. */
export interface EngineGuestOptions {
  /** Executor. */
  readonly engine?: Engine;
  /** Mode in which it is entered; real mode has flat segments with a base of 0. */
  readonly mode?: "real" | "protected" | "long";
  /** Bytes of memory from address 0 on. */
  readonly memory?: number;
  /** Processors. */
  readonly vcpus?: number;
}

/** Where code is put unless a test says otherwise. */
export const CODE = 0x1_0000;

/** A machine with memory from address 0 on and its processors, each at the beginning of {@linkcode CODE}. */
export class EngineGuest implements Disposable {
  /** The machine. */
  readonly vm: SoftVm;
  /** Its memory. */
  readonly memory: RamBlock;
  /** Its processors. */
  readonly vcpus: readonly SoftVcpu[];
  readonly #bits: 16 | 32 | 64;

  /** Makes the machine. */
  constructor({ engine = "auto", mode = "real", memory = 0x10_0000, vcpus = 1 }: EngineGuestOptions = {}) {
    this.#bits = mode === "real" ? 16 : mode === "protected" ? 32 : 64;
    this.vm = createSoftBackend({ engine }).createVm() as SoftVm;
    this.memory = this.vm.allocate(memory) as RamBlock;
    this.vm.map([{ gpa: 0, size: memory, memory: this.memory, offset: 0, log: false }]);
    if (mode !== "real") this.poke(LOW_TABLES, lowTables(mode));
    const plan = { mode, cs: 0, ip: mode === "real" ? 0 : CODE, sp: 0x8000, dl: 0, pieces: [] };
    this.vcpus = Array.from({ length: vcpus }, (_, id) => {
      const v = this.vm.createVcpu(id) as SoftVcpu;
      const regs = new KvmRegs(), sregs = new KvmSregs();
      v.getSregs(sregs.bytes);
      enter(plan, regs, sregs);
      // Real mode reaches the code with a CS of its own, and the rest of the first 64 KiB with the others.
      if (mode === "real") Object.assign(sregs.cs, { base: BigInt(CODE), selector: CODE >> 4 });
      v.setSregs(sregs.bytes);
      v.setRegs(regs.bytes);
      return v;
    });
  }

  /** Writes memory as the machine's firmware would: code there is not decoded yet. */
  poke(address: number, bytes: ArrayLike<number>): void {
    this.vm.ram.u8.set(bytes, this.memory.start + address);
  }

  /** Reads memory. */
  peek(address: number, length: number): Uint8Array {
    return this.vm.ram.u8.slice(this.memory.start + address, this.memory.start + address + length);
  }

  /**
   * Puts code into memory: lines of bytes, a semicolon, and their text, which the disassembler must give. Addresses in
   * the text are offsets in CS.
   * @returns Where it ends.
   */
  code(text: string, address: number = CODE): number {
    const base = this.#bits === 16 ? CODE : 0;
    let at = address;
    for (const line of text.split("\n")) {
      const [hex, expected = ""] = line.split(";").map((part) => part.trim());
      if (hex === "") continue;
      const bytes = Uint8Array.from(hex.split(" "), (b) => parseInt(b, 16));
      const { text: found, length } = disassemble(bytes, { code: this.#bits, address: at - base });
      assertEquals([found, length], [expected, bytes.length], `the code at ${(at - base).toString(16)}`);
      this.poke(at, bytes);
      at += bytes.length;
    }
    return at;
  }

  /** Sets registers; the others stay as they are. */
  set(values: StructInit<KvmRegs>, n = 0): void {
    const regs = this.regs(n);
    Object.assign(regs, values);
    this.vcpus[n].setRegs(regs.bytes);
  }

  /** The registers. */
  regs(n = 0): KvmRegs {
    const regs = new KvmRegs();
    this.vcpus[n].getRegs(regs.bytes);
    return regs;
  }

  /** Changes segments and control registers. */
  change(edit: (sregs: KvmSregs) => void, n = 0): void {
    const sregs = new KvmSregs();
    this.vcpus[n].getSregs(sregs.bytes);
    edit(sregs);
    this.vcpus[n].setSregs(sregs.bytes);
  }

  /** Runs, and gives the name of the exit. */
  run(maxInstructions: number = 10_000_000, n = 0): string {
    this.vcpus[n].run(maxInstructions);
    return KVM_EXIT_NAMES[this.vcpus[n].sharedView.getUint32(8, true) as KvmExitReason].replace("KVM_EXIT_", "");
  }

  /** Runs to an exit of this name. */
  expect(name: string, n = 0): void {
    assertEquals(this.run(undefined, n), name);
  }

  /** Runs to an MMIO exit and gives what it asks: direction, address, length, and the value written. */
  mmio(n = 0): { readonly write: boolean; readonly address: number; readonly length: number; readonly value: bigint } {
    this.expect("MMIO", n);
    const v = this.vcpus[n].sharedView, write = v.getUint8(52) !== 0;
    const value = write ? v.getBigUint64(40, true) : 0n;
    return { write, address: Number(v.getBigUint64(32, true)), length: v.getUint32(48, true), value };
  }

  /** Answers an MMIO read. */
  answer(value: bigint, n = 0): void {
    this.vcpus[n].sharedView.setBigUint64(40, value, true);
  }

  /** All of a processor's registers and the first bytes of memory, to be compared. */
  snapshot(n = 0, bytes = 0x3_0000): string {
    const sregs = new Uint8Array(312), fpu = new Uint8Array(416);
    this.vcpus[n].getSregs(sregs);
    this.vcpus[n].getFpu(fpu);
    let sum = 0;
    for (const word of new Uint32Array(this.peek(0, bytes).buffer)) sum = Math.imul(sum, 31) + word | 0;
    return [this.regs(n).bytes, sregs, fpu].map((b) => b.join(",")).join(";") + `;${sum}`;
  }

  /** Gives the machine back. */
  [Symbol.dispose](): void {
    for (const v of this.vcpus) v[Symbol.dispose]();
    this.vm[Symbol.dispose]();
  }
}
