/**
 * What the gdb server asks of the machine that is debugged. Threads are processors, numbered from 0 here.
 * @module
 */

import type { GdbArchitecture } from "./registers.ts";

/** What a thread is to do when it resumes. */
export type ResumeAction =
  | { readonly kind: "continue" | "step" | "stay" }
  /** Steps until RIP is outside `start` to `end` - 1. */
  | { readonly kind: "range"; readonly start: bigint; readonly end: bigint };

/** Breakpoints in code, by patching or by the processor, and data breakpoints for writing, reading, and both. */
export type StopPointKind = "software" | "hardware" | "write" | "read" | "access";

/** Why the machine stopped. */
export type StopReason =
  /** A step is done. */
  | { readonly kind: "step" }
  /** Ctrl-C, or gdb has just come. */
  | { readonly kind: "interrupt" }
  | { readonly kind: "software" | "hardware" }
  | { readonly kind: "write" | "read" | "access"; readonly address: bigint }
  /** The guest crashed, or the engine cannot go on. */
  | { readonly kind: "crash" | "stuck" };

/** The machine as the gdb server sees it. */
export interface GdbTarget {
  /** How many processors there are. */
  readonly threadCount: number;
  /** Whether the machine is stopped. Everything but {@linkcode interrupt} may be asked only then. */
  readonly isStopped: boolean;
  /** The description that gdb gets; changed by a monitor command. */
  readonly architecture: GdbArchitecture;
  /** Whether addresses of memory are physical ones. */
  physicalMemory: boolean;

  /** What a processor is doing, for people. */
  describe(thread: number): string;
  /** All registers in the order of the description. */
  readRegisters(thread: number): Uint8Array;
  /** Sets all registers; false if one of them cannot have its value, and then none is set. */
  writeRegisters(thread: number, bytes: Uint8Array): boolean;
  /** One register by its number in the description; null if there is none. */
  readRegister(thread: number, number: number): Uint8Array | null;
  /** Sets one register; false if there is none or it cannot have that value. */
  writeRegister(thread: number, number: number, bytes: Uint8Array): boolean;
  /** Reads up to the first byte that is not there. */
  readMemory(thread: number, address: bigint, length: number): Uint8Array;
  /** Writes all, or returns false. */
  writeMemory(thread: number, address: bigint, bytes: Uint8Array): boolean;
  /**
   * Sets a breakpoint or watchpoint.
   * @returns "unsupported" if the engine has nothing of the kind; "full" if no more fit.
   */
  insert(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported" | "full";
  /** Takes it away again; what is not there is no error. */
  remove(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported";
  /** Lets the machine run; `actions` has one for each thread. */
  resume(actions: readonly ResumeAction[]): void;
  /** Stops the machine. */
  interrupt(): void;
  /** Answers a monitor command. */
  monitor(command: string): string;
  /** gdb goes: no breakpoints any more, the machine runs. */
  detach(): void;
  /** Ends the machine. */
  kill(): void;
}
