/**
 * The kind `restore`: a stream on one machine without interruption, and on machines that take over from each other at
 * every stop, with nothing but what the calls of the API give: memory, KVM_GET_REGS, SREGS, FPU and MSRS.
 *
 * Version 12 has no call for debug registers, XCR0, the shadow of STI, nor for I/O that waits for its answer: streams do
 * not use the former, and are not moved during the latter.
 * @module
 */
import type { Engine } from "../core/engine/soft.ts";
import { PairFuzzer, streamCase } from "./engine.ts";
import { RESTORE_POOLS } from "./forms.ts";
import type { Kind } from "./kind.ts";
import { Machine, type Start } from "./machine.ts";
import { beginning, type Sides } from "./sides.ts";

const EXIT_INTR = 10;
/** Parts that a RUN is cut into. */
const PIECES = [1, 3, 7, 20, 2, 64, 5];

/** A machine, and two that take turns. */
class Movers implements Sides {
  readonly first: Machine;
  /** What no call of the API saves: TF alone changes DR6. */
  readonly ignore: ReadonlySet<string> = new Set(["fpu selectors", "dr6"]);
  readonly names: readonly [string, string] = ["uninterrupted", "moved"];
  readonly title: string;
  #active: Machine;
  #idle: Machine;
  #turn = 0;

  constructor(engine: Engine) {
    this.first = new Machine(engine);
    this.#active = new Machine(engine);
    this.#idle = new Machine(engine);
    this.title = `${engine}, saved and restored`;
  }

  get second(): Machine {
    return this.#active;
  }

  get progress(): number {
    return this.first.progress;
  }

  get reason(): number {
    return this.first.reason;
  }

  start(s: Start): void {
    this.#turn = 0;
    this.first.start(s);
    this.#active.start(s);
  }

  run(instructions: number): void {
    this.first.run(instructions);
    for (let left = instructions; left > 0;) {
      const before = this.#active.progress, piece = Math.min(left, PIECES[this.#turn++ % PIECES.length]);
      this.#active.run(piece);
      left -= this.#active.progress - before;
      if (this.#active.failure !== null || this.#active.reason !== EXIT_INTR) return;
      if (left > 0) this.#move();
    }
  }

  #move(): void {
    this.#idle.takeOver(this.#active);
    [this.#active, this.#idle] = [this.#idle, this.#active];
  }

  interrupt(vector: number): void {
    this.first.vcpu.interrupt(vector);
    this.#active.vcpu.interrupt(vector);
  }

  moveTo(s: Pick<Start, "sregs" | "regs">): void {
    this.first.moveTo(s);
    this.#active.moveTo(s);
  }

  write(at: number, bytes: Uint8Array): void {
    this.first.vcpu.shared.set(bytes, at);
    this.#active.vcpu.shared.set(bytes, at);
  }

  beginning(s: Start): string {
    this.first.start(s);
    return beginning(this.first);
  }

  [Symbol.dispose](): void {
    for (const m of [this.first, this.#active, this.#idle]) m[Symbol.dispose]();
  }
}

/** Streams that are moved. */
export const RESTORE: Kind = {
  name: "restore",
  summary: "streams that are saved and restored into other machines, against the same without interruption",
  missing: () => undefined,
  open: () =>
    new PairFuzzer(() => new Movers("interpreter"), (number, sregs) => streamCase(number, sregs, RESTORE_POOLS, false)),
};
