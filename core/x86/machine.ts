/**
 * What the TypeScript part of the processor (segments, interrupts, paging, system registers) asks of the engine that
 * runs it. Architectural state is in the state block of state.ts; everything here is allocation-free unless it faults.
 *
 * Linear addresses are numbers: 0 … 2^32−1 outside long mode; in long mode the canonical address as a signed number,
 * −2^47 … 2^47−1. Physical addresses are numbers below 2^52.
 * @module
 */

/** An exception raised by the instruction that runs; caught by the engine, which undoes the helper's state changes. */
export class GuestFault {
  /** Exception `vector`; `errorCode` is −1 for none. */
  constructor(readonly vector: number, readonly errorCode: number) {}
}

/** How {@linkcode Machine.walk} is asked. */
export const WALK_WRITE = 2, WALK_USER = 4, WALK_EXECUTE = 16;
/** Walks without setting accessed and dirty bits. */
export const WALK_PROBE = 0x100;

/** The engine as the system helpers see it. A helper changes state only through these views and methods. */
export interface Machine {
  /** State block and everything behind it, as bytes. */
  readonly u8: Uint8Array;
  /** The same as 16-bit words. */
  readonly u16: Uint16Array;
  /** The same as signed 32-bit words. */
  readonly i32: Int32Array;
  /** The same as unsigned 32-bit words. */
  readonly u32: Uint32Array;
  /** The same as 64-bit words. */
  readonly u64: BigUint64Array;

  /** Bytes of the instruction that runs; RIP in the state block is its address. 0 while an interrupt is delivered. */
  readonly length: number;
  /** State address of the segment of the memory operand or string source of the instruction that runs. */
  readonly segment: number;
  /** Instructions executed since reset: the virtual clock. */
  instructions(): number;
  /** What the time-stamp counter counts, from the beginning of the machine on: a whole number below 2^53. */
  ticks(): number;

  /** Reads 1, 2 or 4 bytes at a linear address, as supervisor (`user` false) or with the rights of CPL 3. Faults. */
  read(linear: number, size: number, user: boolean): number;
  /** Writes 1, 2 or 4 bytes. Faults. */
  write(linear: number, size: number, value: number, user: boolean): void;
  /** Faults as {@linkcode write} would on `size` bytes (1 … 4096), but writes nothing. */
  probeWrite(linear: number, size: number, user: boolean): void;
  /**
   * Where in {@linkcode words} the memory at a linear address is, if all of it can be read or written at once: without a
   * fault, and with nobody to be told. −1 if not, or if the address is no multiple of 4.
   */
  place(linear: number, size: number, user: boolean, write: boolean): number;
  /** Guest memory. */
  readonly words: Uint32Array;
  /** Reads an aligned 32-bit word of physical memory, for page tables; all ones where there is no memory. */
  readPhysical(address: number): number;
  /** Writes an aligned 32-bit word of physical memory, for accessed and dirty bits; marks it dirty in the log. */
  writePhysical(address: number, value: number): void;

  /** Told before an interrupt or exception is delivered; errorCode is −1 for none. */
  delivering?(vector: number, kind: "external" | "software" | "exception" | "int1" | "nmi", errorCode: number): void;
  /** Raises an exception; does not return. */
  fault(vector: number, errorCode?: number): never;
  /** Triple fault: RUN ends with KVM_EXIT_SHUTDOWN. Does not return. */
  shutdown(): never;
  /** What the engine cannot run: RUN ends with KVM_EXIT_UNKNOWN and `reason`. Does not return. */
  unknown(reason: number): never;

  /**
   * The state that decoding and memory views depend on may have changed (CR0, CR4, EFER, CPL, VM, CS or flat segments):
   * the engine recomputes its key by {@linkcode modeOf} of mode.ts and its TLB view.
   */
  modeChanged(): void;
  /** Forgets translations: all, or those not marked global. */
  flushTlb(includingGlobal: boolean): void;
  /** Forgets the translation of one linear page in all views. */
  flushPage(linear: number): void;

  /** IN: ends RUN with KVM_EXIT_IO and gives −1, unless this is the completion, and then gives the value. */
  portIn(port: number, size: number): number;
  /** OUT: ends RUN with KVM_EXIT_IO and gives false, unless this is the completion. */
  portOut(port: number, size: number, value: number): boolean;
  /**
   * INS/OUTS of up to `count` items between port and linear memory at `linear`, stepping by ±size: ends RUN with
   * KVM_EXIT_IO, and on completion gives how many items were transferred (at least one; at most to the page's end).
   */
  portString(port: number, size: number, out: boolean, linear: number, count: number, backward: boolean): number;
  /** HLT: the processor stops behind this instruction until an interrupt; RUN ends with KVM_EXIT_HLT. */
  halt(): void;
  /** VMCALL or VMMCALL: ends RUN with KVM_EXIT_HYPERCALL; on completion RAX has the result. */
  hypercall(): void;
  /** No interrupt is taken before the next instruction has completed (STI, MOV SS, POP SS). */
  shadow(): void;
  /** Makes the run loop look at interrupts, TF and debug registers after this instruction: RFLAGS, DR7 changed. */
  attention(): void;
  /** #DB as a trap behind this instruction, besides one by TF, with these DR6 bits: I/O breakpoint, TSS debug trap. */
  debugTrap(dr6: number): void;

  /** CPUID leaf as the host program or the engine's model says: EAX EBX ECX EDX into `out[0…3]`. */
  cpuid(leaf: number, subleaf: number, out: Uint32Array): void;
  /** Whether a CPUID feature is offered, by its name in cpuid.ts. */
  has(feature: string): boolean;
  /** A random 32-bit word for RDRAND and RDSEED, from the seeded source. */
  random(): number;
}

/**
 * A helper that instructions call by name; operands and results are in ARG 0 … 5 of the state block. One that gives false
 * has changed nothing and ends RUN: the instruction is executed again.
 */
export type Helper = (m: Machine) => void | false;
