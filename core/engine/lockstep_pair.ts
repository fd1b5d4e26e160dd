/**
 * One processor on two engines: running both, telling whether they are alike, and going back to where they last were.
 *
 * A processor keeps a little that its state block does not hold: port and memory-mapped I/O that waits for the host's
 * answer. Going back to such a moment puts the processor before the instruction; {@linkcode LockstepPair.play} then gives
 * it the answers once more.
 * @module
 */
import { MSR_SLOTS, slot } from "../x86/system/slots.ts";
import { readTsc } from "../x86/system/msr.ts";
import * as S from "../x86/state.ts";
import type { SoftVcpu } from "./cpu.ts";
import type { LockstepRam } from "./lockstep_memory.ts";
import {
  littleEndian,
  type LockstepDifference,
  restoreState,
  sameState,
  saveState,
  stateDifferences,
} from "./lockstep_state.ts";

const SREGS_SIZE = 312, REGS_SIZE = 144;
/** In `struct kvm_sregs`: the bitmap of queued interrupts. */
const IRQ = 280, IRQ_END = 312;
/** In `struct kvm_regs`: RIP. */
const REGS_RIP = 128;
/** In `struct kvm_run`: exit reason, RAX after a hypercall. */
const EXIT_REASON = 8, HYPERCALL_RET = 80;
const EXIT_IO = 2, EXIT_HYPERCALL = 3, EXIT_MMIO = 6;
/** The parts of `kvm_run` by name. */
const RUN_PARTS = [
  ...[["exit reason", 8, 4], ["ready for interrupt", 12, 1], ["if flag", 13, 1], ["kvm_run cr8", 16, 8]] as const,
  ...[["kvm_run apic base", 24, 8], ["exit data", 32, 64], ["port data", 4096, 16]] as const,
] as const;
const MOST_DIFFERENCES = 16;

/** Random numbers that can be had again. */
class Draws {
  readonly #draw: () => number;
  readonly #drawn: number[] = [];
  #next = 0;

  constructor(v: SoftVcpu) {
    this.#draw = v.random.bind(v);
    v.random = () => this.#take();
  }

  #take(): number {
    if (this.#next === this.#drawn.length) this.#drawn.push(this.#draw());
    return this.#drawn[this.#next++];
  }

  /** Those drawn so far will not come again. */
  save(): void {
    this.#drawn.splice(0, this.#next);
    this.#next = 0;
  }

  /** Those drawn since {@linkcode save} come again. */
  rewind(): void {
    this.#next = 0;
  }
}

/** One side. */
interface Side {
  readonly vcpu: SoftVcpu;
  readonly words: Uint32Array;
  readonly draws: Draws;
  /** What was last returned by RUN, and what it threw. */
  result: number;
  failure: unknown;
  /** Instructions executed when the state was last saved or put back. */
  from: number;
}

/** The two. */
export class LockstepPair {
  /** Instructions that both have executed, up to the last {@linkcode save}. */
  position = 0;
  readonly #sides: readonly [Side, Side];
  readonly #ram: LockstepRam;
  readonly #state: Uint8Array = new Uint8Array(S.STATE_SIZE);
  readonly #sregs: Uint8Array = new Uint8Array(SREGS_SIZE);
  readonly #otherSregs: Uint8Array = new Uint8Array(SREGS_SIZE);
  readonly #shared: Uint8Array = new Uint8Array(8192);
  readonly #answers: Uint8Array[] = [];
  #tsc = 0n;

  /** Two processors in the same state. */
  constructor(readonly primary: SoftVcpu, readonly secondary: SoftVcpu, ram: LockstepRam) {
    this.#ram = ram;
    const side = (vcpu: SoftVcpu): Side => ({
      vcpu,
      words: new Uint32Array(vcpu.shared.buffer),
      draws: new Draws(vcpu),
      result: 0,
      failure: null,
      from: vcpu.instructions(),
    });
    this.#sides = [side(primary), side(secondary)];
  }

  /** The exit reason of the last run. */
  get reason(): number {
    return this.primary.sharedView.getUint32(EXIT_REASON, true);
  }

  /** Instructions that the primary has executed since the last {@linkcode save} or {@linkcode rewind}. */
  get progress(): number {
    return this.primary.instructions() - this.#sides[0].from;
  }

  /** The same of whichever has executed more. */
  get furthest(): number {
    return Math.max(...this.#sides.map(({ vcpu, from }) => vcpu.instructions() - from));
  }

  /** What RUN returned. */
  get result(): number {
    return this.#sides[0].result;
  }

  /** What both failed on in the engine itself; null if they did not. */
  get failure(): unknown {
    return this.#sides[0].failure;
  }

  /**
   * Begins a RUN: both get what the host has put into `kvm_run`.
   * @param touched Whether the host has called anything else since the last RUN.
   */
  begin(touched: boolean): void {
    const answering = this.reason === EXIT_IO || this.reason === EXIT_MMIO;
    // An instruction that asks several times has been at the same place since the first answer.
    const again = answering && this.progress === 0 && this.#answers.length > 0 && !touched;
    this.secondary.shared.set(this.primary.shared);
    if (!again) {
      this.save();
      if (this.reason === EXIT_HYPERCALL) {
        this.#state.set(this.#shared.subarray(HYPERCALL_RET, HYPERCALL_RET + 8), S.GPR);
      }
    }
    if (answering) this.#answers.push(this.primary.shared.slice());
  }

  /** Remembers where both are, which is where they are alike. */
  save(): void {
    this.position += this.progress;
    this.#answers.length = 0;
    saveState(this.primary, this.#state);
    this.primary.getSregs(this.#sregs);
    this.#shared.set(this.primary.shared);
    this.#tsc = readTsc(this.primary);
    for (const side of this.#sides) {
      side.from = side.vcpu.instructions();
      side.draws.save();
    }
  }

  /** Runs both. */
  run(instructions: number): void {
    for (const side of this.#sides) {
      side.failure = null;
      try {
        side.result = side.vcpu.run(instructions);
      } catch (error) {
        side.failure = error ?? "nothing";
      }
    }
  }

  /** Whether they are alike after a run; memory as far as it is marked. */
  alike(): boolean {
    const [a, b] = this.#sides;
    if (a.result !== b.result || String(a.failure) !== String(b.failure)) return false;
    if (a.vcpu.instructions() - a.from !== b.vcpu.instructions() - b.from) return false;
    for (let i = 0; i < a.words.length; i++) if (a.words[i] !== b.words[i]) return false;
    a.vcpu.getSregs(this.#otherSregs);
    const irq = littleEndian(this.#otherSregs, IRQ, IRQ_END - IRQ);
    b.vcpu.getSregs(this.#otherSregs);
    return irq === littleEndian(this.#otherSregs, IRQ, IRQ_END - IRQ) && sameState(a.vcpu, b.vcpu) &&
      this.#ram.compare() < 0 && this.#ram.markDifference() === null;
  }

  /** Goes back to where {@linkcode save} was last called. */
  rewind(): void {
    for (const { vcpu } of this.#sides) this.#settle(vcpu);
    this.#ram.rewind();
    for (const side of this.#sides) {
      const { vcpu, draws } = side;
      vcpu.setSregs(this.#sregs);
      restoreState(vcpu, this.#state);
      vcpu.u64[slot(MSR_SLOTS.tscOffset) >> 3] = BigInt.asUintN(64, this.#tsc - BigInt(vcpu.instructions()));
      vcpu.modeChanged();
      vcpu.flushTlb(true);
      vcpu.shared.set(this.#shared);
      draws.rewind();
      side.from = vcpu.instructions();
    }
  }

  /** Ends what a processor has begun; where that leads to does not matter. */
  #settle(vcpu: SoftVcpu): void {
    const reason = vcpu.sharedView.getUint32(EXIT_REASON, true);
    if (reason === EXIT_IO || reason === EXIT_MMIO || reason === EXIT_HYPERCALL) {
      try {
        vcpu.run(1);
      } catch {
        // Its failure was found before; the state is replaced now.
      }
    }
    // A processor that is moved forgets HLT, traps and I/O.
    const regs = new Uint8Array(REGS_SIZE);
    vcpu.getRegs(regs);
    regs[REGS_RIP] ^= 1;
    vcpu.setRegs(regs);
  }

  /** Behind {@linkcode rewind}: runs so many instructions, with the answers that the host gave then. */
  play(instructions: number): void {
    for (const answer of this.#answers) {
      for (const { vcpu } of this.#sides) vcpu.shared.set(answer);
      this.run(instructions);
      const asks = this.reason === EXIT_IO || this.reason === EXIT_MMIO;
      if (this.furthest > 0 || !asks) return;
      for (const { vcpu } of this.#sides) vcpu.shared.set(answer);
    }
    this.run(instructions);
  }

  /** In what they differ. */
  differences(): LockstepDifference[] {
    const [a, b] = this.#sides, found: LockstepDifference[] = [];
    const add = (name: string, primary: string, secondary: string): void => {
      if (primary !== secondary) found.push({ name, primary, secondary });
    };
    add("failure", describeFailure(a.failure), describeFailure(b.failure));
    add("result of RUN", `${a.result}`, `${b.result}`);
    add("instructions", `${a.vcpu.instructions() - a.from}`, `${b.vcpu.instructions() - b.from}`);
    for (const [name, at, size] of RUN_PARTS) {
      add(name, littleEndian(a.vcpu.shared, at, size), littleEndian(b.vcpu.shared, at, size));
    }
    const irqs = [a, b].map(({ vcpu }) => {
      vcpu.getSregs(this.#otherSregs);
      return littleEndian(this.#otherSregs, IRQ, IRQ_END - IRQ);
    });
    add("queued interrupts", irqs[0], irqs[1]);
    found.push(...stateDifferences(a.vcpu, b.vcpu));
    for (const place of this.#ram.differences()) {
      if (found.length >= MOST_DIFFERENCES) break;
      found.push(this.memoryDifference(place));
    }
    const mark = this.#ram.markDifference();
    if (mark !== null) {
      const name = `dirty mark of ${physicalName(this.primary, mark.place)}`;
      add(name, mark.primary ? "1" : "0", mark.primary ? "0" : "1");
    }
    return found;
  }

  /** 8 bytes of memory as a difference. */
  memoryDifference(place: number): LockstepDifference {
    const at = place - place % 8;
    const [primary, secondary] = this.#sides.map(({ vcpu }) => littleEndian(vcpu.ram.u8, at, 8));
    return { name: `memory ${physicalName(this.primary, at)}`, primary, secondary };
  }
}

/** A place in the arena as a guest-physical address. */
function physicalName(v: SoftVcpu, place: number): string {
  const range = v.ram.ranges.find((r) => place >= r.place && place < r.place + (r.end - r.gpa));
  return range === undefined ? "behind no address" : `0x${(range.gpa + (place - range.place)).toString(16)}`;
}

function describeFailure(failure: unknown): string {
  return failure === null ? "none" : failure instanceof Error ? failure.message : String(failure);
}
