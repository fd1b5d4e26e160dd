/**
 * What a debugger watches on one processor, in the form in which the run loop asks for it. Linear addresses are numbers
 * as everywhere in the engine. Code of pages with a breakpoint runs one instruction at a time, data of pages with a
 * watchpoint never gets into the TLB; all else runs as if nobody watched.
 * @module
 */
import type { VcpuObserver } from "../kvm/backend.ts";

/** A data access, for {@linkcode Watch.meets}. */
export const ACCESS_READ = 1, ACCESS_WRITE = 2;

interface Range {
  readonly start: number;
  readonly end: number;
  readonly access: number;
}

/** Armed breakpoints and watchpoints. */
export class Watch {
  /** Whether there are watchpoints. */
  readonly hasData: boolean;
  /** A watchpoint was met: RUN is to end behind the instruction. */
  hit = false;
  /** The next instruction meets a watchpoint and is to run alone. */
  replay = false;
  readonly #breakpoints: ReadonlySet<number>;
  readonly #codePages: ReadonlySet<number>;
  readonly #dataPages: ReadonlySet<number>;
  readonly #ranges: readonly Range[];
  readonly #observer: VcpuObserver | null;

  /**
   * Arms what KVM_DEBUG_GUEST and an observer ask for.
   * @param breakpoints Linear addresses.
   * @param observer What is watched beyond them.
   */
  constructor(breakpoints: readonly number[], observer: VcpuObserver | null) {
    this.#observer = observer;
    this.#breakpoints = new Set([...breakpoints, ...(observer?.breakpoints ?? []).map(linearNumber)]);
    this.#codePages = new Set([...this.#breakpoints].map(pageOf));
    this.#ranges = (observer?.watchpoints ?? []).map(({ address, length, read, write }) => {
      const start = linearNumber(address);
      return { start, end: start + length, access: (read ? ACCESS_READ : 0) | (write ? ACCESS_WRITE : 0) };
    });
    this.hasData = this.#ranges.length > 0;
    const pages = new Set<number>();
    for (const { start, end } of this.#ranges) for (let p = pageOf(start); p <= pageOf(end - 1); p++) pages.add(p);
    this.#dataPages = pages;
  }

  /** Whether nothing is armed. */
  get isEmpty(): boolean {
    return this.#breakpoints.size === 0 && !this.hasData;
  }

  /** Whether there is a breakpoint at a linear address. */
  breaksAt(linear: number): boolean {
    return this.#breakpoints.has(linear);
  }

  /** Whether the page of a linear address has a breakpoint. */
  breaksNear(linear: number): boolean {
    return this.#codePages.has(pageOf(linear));
  }

  /** Whether the page of a linear address has a watchpoint. */
  watchesNear(linear: number): boolean {
    return this.#dataPages.has(pageOf(linear));
  }

  /** Whether an access meets a watchpoint. */
  meets(linear: number, size: number, access: number): boolean {
    for (const range of this.#ranges) {
      if (linear < range.end && linear + size > range.start && (range.access & access) !== 0) return true;
    }
    return false;
  }

  /** Notes an access that is made; returns whether it met a watchpoint. */
  note(linear: number, size: number, access: number): boolean {
    if (!this.meets(linear, size, access)) return false;
    this.hit = true;
    const address = BigInt.asUintN(64, BigInt(linear));
    if ((access & ACCESS_READ) !== 0) this.#observer?.touched?.(address, size, false);
    if ((access & ACCESS_WRITE) !== 0) this.#observer?.touched?.(address, size, true);
    return true;
  }
}

function pageOf(linear: number): number {
  return Math.floor(linear / 4096);
}

/** The engine's number for an address: canonical ones are signed. */
function linearNumber(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}
