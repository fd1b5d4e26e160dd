/**
 * Whether two machines are alike.
 * @module
 */
import { sameState, stateDifferences } from "../core/engine/lockstep_state.ts";
import type { Machine } from "./machine.ts";

/** In `struct kvm_run`: what a RUN answers. */
const RUN_PARTS = [
  ["exit reason", 8, 4],
  ["ready for interrupt", 12, 1],
  ["if flag", 13, 1],
  ["kvm_run cr8", 16, 8],
  ["kvm_run apic base", 24, 8],
  ["exit data", 32, 64],
  ["port data", 4096, 16],
] as const;
const MOST = 14;

/** How the processors of two machines differ, in lines; empty if they do not. `ignore` names fields. */
export function machineDifferences(a: Machine, b: Machine, ignore: ReadonlySet<string> = NOTHING): string[] {
  if (
    a.failure === null && b.failure === null && a.progress === b.progress && sameRun(a, b) && sameState(a.vcpu, b.vcpu)
  ) {
    return [];
  }
  const out: string[] = [];
  const add = (name: string, x: unknown, y: unknown) => {
    if (x !== y && !ignore.has(name) && out.length < MOST) out.push(`${name}: ${x}, ${y}`);
  };
  if (a.failure !== null || b.failure !== null) out.push(`failure: ${text(a.failure)}, ${text(b.failure)}`);
  add("instructions", a.progress, b.progress);
  for (const [name, at, size] of RUN_PARTS) add(name, hex(a.vcpu.shared, at, size), hex(b.vcpu.shared, at, size));
  add("queued interrupts", a.queued(), b.queued());
  for (const d of stateDifferences(a.vcpu, b.vcpu)) add(d.name, d.primary, d.secondary);
  return out;
}

const NOTHING: ReadonlySet<string> = new Set();

function text(failure: unknown): string {
  return failure === null ? "none" : failure instanceof Error ? failure.stack ?? failure.message : String(failure);
}

function sameRun(a: Machine, b: Machine): boolean {
  for (const [, at, size] of RUN_PARTS) {
    for (let i = at; i < at + size; i++) if (a.vcpu.shared[i] !== b.vcpu.shared[i]) return false;
  }
  return true;
}

function hex(bytes: Uint8Array, at: number, size: number): string {
  return Array.from(bytes.subarray(at, at + size), (b) => b.toString(16).padStart(2, "0")).reverse().join("");
}

/** The first places where the memories differ. */
export function memoryDifferences(a: Machine, b: Machine, from = 0, to: number = a.bytes.length): string[] {
  const x = words(a), y = words(b), out: string[] = [];
  for (let i = from >> 2; i < to >> 2; i++) {
    if (x[i] === y[i]) continue;
    out.push(`memory ${(i * 4).toString(16)}: ${(x[i] >>> 0).toString(16)}, ${(y[i] >>> 0).toString(16)}`);
    if (out.length >= 4) break;
  }
  return out;
}

function words(m: Machine): Int32Array {
  const { bytes } = m;
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}
