/**
 * Breakpoints and watchpoints of a debugger, and which of the engine's means they take.
 *
 * The first four addresses go to KVM_DEBUG_GUEST, which both engines have. More of them, and watchpoints, need
 * `Vcpu.observe`, which only the software engine has. Guest memory is never patched: version 12 has no exit for INT3, and the
 * guest could see it.
 * @module
 */

import { KvmDebugGuest, type Vcpu, type VcpuObserver, type Watchpoint } from "../../mod.ts";
import type { StopPointKind } from "./gdb_target.ts";

/** Breakpoints that KVM_DEBUG_GUEST has. */
const HARDWARE_BREAKPOINTS = 4;

interface StopPoint {
  readonly kind: StopPointKind;
  readonly address: bigint;
  readonly length: number;
}

/** What a debugger has set, for all processors of a machine. */
export class StopPoints {
  readonly #canObserve: boolean;
  #points: readonly StopPoint[] = [];
  #version = 0;

  /**
   * None yet.
   * @param canObserve Whether the engine has `Vcpu.observe`.
   */
  constructor(canObserve: boolean) {
    this.#canObserve = canObserve;
  }

  /** Changes whenever something is set or taken away. */
  get version(): number {
    return this.#version;
  }

  /** Sets one; see `GdbTarget.insert`. */
  insert(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported" | "full" {
    const isData = kind !== "software" && kind !== "hardware";
    if (isData && !this.#canObserve) return "unsupported";
    const points = [...this.#without(kind, address, length), { kind, address, length: Math.max(1, length) }];
    if (!this.#canObserve && addresses(points).length > HARDWARE_BREAKPOINTS) return "full";
    this.#set(points);
    return "done";
  }

  /** Takes one away. */
  remove(kind: StopPointKind, address: bigint, length: number): "done" {
    this.#set(this.#without(kind, address, length));
    return "done";
  }

  /** Takes all away. */
  clear(): void {
    this.#set([]);
  }

  /** The kind of the breakpoint at a linear address; null if there is none. */
  breakpointAt(linear: bigint): "software" | "hardware" | null {
    for (const { kind, address } of this.#points) {
      if (address === linear && (kind === "software" || kind === "hardware")) return kind;
    }
    return null;
  }

  /** The watchpoint that an access meets; null if there is none. */
  watchpointAt(
    linear: bigint,
    size: number,
    write: boolean,
  ): { kind: "write" | "read" | "access"; address: bigint } | null {
    for (const { kind, address, length } of this.#points) {
      if (kind === "software" || kind === "hardware" || kind === (write ? "read" : "write")) continue;
      if (linear < address + BigInt(length) && linear + BigInt(size) > address) return { kind, address };
    }
    return null;
  }

  /**
   * Arms a processor.
   * @param singleStep Whether it is to leave after each instruction.
   * @param observer What else is to be observed.
   */
  arm(vcpu: Vcpu, singleStep: boolean, observer: Pick<VcpuObserver, "touched" | "event">): void {
    const all = addresses(this.#points);
    // A step ends anyway; what the engine would find first must not come in its way.
    const breakpoints = singleStep
      ? []
      : all.slice(0, HARDWARE_BREAKPOINTS).map((address) => ({ enabled: 1, address }));
    const enabled = singleStep || breakpoints.length > 0 ? 1 : 0;
    vcpu.debugGuest(new KvmDebugGuest({ enabled, singlestep: singleStep ? 1 : 0, breakpoints }));
    const watchpoints = this.#points.flatMap(({ kind, address, length }): Watchpoint[] =>
      kind === "software" || kind === "hardware"
        ? []
        : [{ address, length, read: kind !== "write", write: kind !== "read" }]
    );
    const rest = singleStep ? [] : all.slice(HARDWARE_BREAKPOINTS);
    vcpu.observe?.(
      rest.length + watchpoints.length > 0 || observer.event !== undefined
        ? { breakpoints: rest, watchpoints, ...observer }
        : null,
    );
  }

  #without(kind: StopPointKind, address: bigint, length: number): StopPoint[] {
    return this.#points.filter((point) =>
      point.kind !== kind || point.address !== address || point.length !== Math.max(1, length)
    );
  }

  #set(points: readonly StopPoint[]): void {
    this.#points = points;
    this.#version++;
  }
}

/** The addresses of the breakpoints, each once. */
function addresses(points: readonly StopPoint[]): bigint[] {
  const code = points.filter(({ kind }) => kind === "software" || kind === "hardware");
  return [...new Set(code.map(({ address }) => address))];
}
