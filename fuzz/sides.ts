/**
 * Two machines, or one that is now and then moved, as two sides that must stay alike.
 * @module
 */
import type { Engine } from "../core/engine/soft.ts";
import { machineDifferences, memoryDifferences } from "./compare_machines.ts";
import { Machine, type Start } from "./machine.ts";

/** Two sides. */
export interface Sides extends Disposable {
  /** What they are, in a line. */
  readonly title: string;
  /** Their names. */
  readonly names: readonly [string, string];
  /** The first side. */
  readonly first: Machine;
  /** The second side, which may be another machine after each RUN. */
  readonly second: Machine;
  /** Fields that may differ. */
  readonly ignore: ReadonlySet<string>;
  /** Instructions since the start. */
  readonly progress: number;
  /** Exit reason. */
  readonly reason: number;
  /** Begins a case. */
  start(s: Start): void;
  /** KVM_RUN. */
  run(instructions: number): void;
  /** KVM_INTERRUPT. */
  interrupt(vector: number): void;
  /** Sets registers. */
  moveTo(s: Pick<Start, "sregs" | "regs">): void;
  /** Writes to `kvm_run`. */
  write(at: number, bytes: Uint8Array): void;
  /** The registers of a start as text. */
  beginning(s: Start): string;
}

/** How they differ; with `all`, memory too. */
export function compareSides(sides: Sides, all: boolean): string[] {
  const { first, second } = sides;
  const lines = machineDifferences(first, second, sides.ignore);
  if (all || lines.length) lines.push(...memoryDifferences(first, second));
  return lines;
}

/** Two executors. */
export class Executors implements Sides {
  readonly first: Machine;
  readonly second: Machine;
  readonly ignore: ReadonlySet<string> = new Set();
  readonly names: readonly [string, string];

  /** Makes both machines. */
  constructor(first: Engine, second: Engine) {
    this.first = new Machine(first);
    this.second = new Machine(second);
    this.names = [first, second];
  }

  get title(): string {
    return this.names.join(" against ");
  }

  get progress(): number {
    return this.first.progress;
  }

  get reason(): number {
    return this.first.reason;
  }

  start(s: Start): void {
    this.first.start(s);
    this.second.start(s);
  }

  run(instructions: number): void {
    this.first.run(instructions);
    this.second.run(instructions);
  }

  interrupt(vector: number): void {
    this.first.vcpu.interrupt(vector);
    this.second.vcpu.interrupt(vector);
  }

  moveTo(s: Pick<Start, "sregs" | "regs">): void {
    this.first.moveTo(s);
    this.second.moveTo(s);
  }

  write(at: number, bytes: Uint8Array): void {
    this.first.vcpu.shared.set(bytes, at);
    this.second.vcpu.shared.set(bytes, at);
  }

  beginning(s: Start): string {
    this.first.start(s);
    return beginning(this.first);
  }

  [Symbol.dispose](): void {
    this.first[Symbol.dispose]();
    this.second[Symbol.dispose]();
  }
}

// deno-fmt-ignore
const NAMES = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags"];

/** The general registers of a machine in lines of four. */
export function beginning(m: Machine): string {
  const { regs } = m.save(), view = new DataView(regs.buffer);
  const cells = NAMES.map((name, n) => `${name}=${view.getBigUint64(n * 8, true).toString(16)}`);
  const lines: string[] = [];
  for (let n = 0; n < cells.length; n += 4) lines.push(`  ${cells.slice(n, n + 4).join(" ")}`);
  return `Before:\n${lines.join("\n")}`;
}
