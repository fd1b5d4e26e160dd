/**
 * The state block: everything a user-mode instruction can see or change, in 1024 bytes, little-endian. `NativeCpu` takes
 * and gives arrays of them; recorded vectors have the same shape.
 *
 * | offset | size | field |
 * | ---: | ---: | --- |
 * | 0x000 | 16 × 8 | general registers in encoding order: RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15 |
 * | 0x080 | 8 | RIP, an offset in CS |
 * | 0x088 | 8 | RFLAGS |
 * | 0x090 | 8 | FS base (loaded in 64-bit mode only) |
 * | 0x098 | 8 | GS base (likewise) |
 * | 0x0a0 | 6 × 2 | selectors CS DS ES SS FS GS |
 * | 0x0ac | 4 | zero |
 * | 0x0b0 | 4 | out: trap: a vector 0 to 31, or one of `TRAP` |
 * | 0x0b4 | 4 | out: error code of the trap |
 * | 0x0b8 | 8 | out: CR2, 0 unless the trap is 14 |
 * | 0x0c0 | 512 | x87, MMX, SSE: the FXSAVE64 image |
 * | 0x2c0 | 64 | zero (the processor's XSAVE header while a case runs) |
 * | 0x300 | 16 × 16 | bits 255:128 of YMM0 to YMM15, where the processor has AVX |
 *
 * @module
 */

/** Bytes of a state block. */
export const STATE_SIZE = 0x400;

/** Byte offsets of the fields of a state block. */
export const STATE_OFFSET = {
  gpr: 0x000,
  rip: 0x080,
  rflags: 0x088,
  fsBase: 0x090,
  gsBase: 0x098,
  cs: 0x0a0,
  ds: 0x0a2,
  es: 0x0a4,
  ss: 0x0a6,
  fs: 0x0a8,
  gs: 0x0aa,
  trap: 0x0b0,
  error: 0x0b4,
  cr2: 0x0b8,
  fxsave: 0x0c0,
  fcw: 0x0c0,
  fsw: 0x0c2,
  ftw: 0x0c4,
  fop: 0x0c6,
  fip: 0x0c8,
  fdp: 0x0d0,
  mxcsr: 0x0d8,
  st: 0x0e0,
  xmm: 0x160,
  ymmHigh: 0x300,
} as const;

/** General registers in encoding order; the index of a name is its number. */
export const GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;

/** The name of a general register. */
export type GprName = typeof GPR_NAMES[number];

/** The name of a segment register. */
export type SegmentName = "cs" | "ds" | "es" | "ss" | "fs" | "gs";

/** Values of the trap field that are not processor vectors. */
export const TRAP = {
  /** The code ran to its end, or arrived on filler outside it: RIP says where. */
  none: 0xffffffff,
  /** The code made a system call (SYSCALL, SYSENTER or INT 80h); it was not executed. RIP is behind it, RCX and R11 are lost. */
  syscall: 256,
  /** The code did not end in time; the state is that of an arbitrary moment. */
  timeout: 257,
  /** The given state could not be loaded (bad selector or reserved bit); the error field has the vector, the rest is void. */
  setup: 258,
} as const;

/** Bits of RFLAGS that a case can set. IF always reads as one, RF as zero, and TF cannot be set from outside. */
export const FLAG = {
  cf: 1 << 0,
  pf: 1 << 2,
  af: 1 << 4,
  zf: 1 << 6,
  sf: 1 << 7,
  tf: 1 << 8,
  if: 1 << 9,
  df: 1 << 10,
  of: 1 << 11,
  nt: 1 << 14,
  ac: 1 << 18,
  id: 1 << 21,
} as const;

/** CF, PF, AF, ZF, SF and OF. */
export const STATUS_FLAGS = 0x8d5;

/**
 * Typed access to one state block. The view holds no state of its own: `at()` moves it, so that a loop over thousands of
 * blocks allocates nothing.
 *
 * @example
 * ```ts
 * const state = new StateBlock();
 * state.setGpr("rax", 0x1234n);
 * state.set("rflags", 0x202n);
 * ```
 */
export class StateBlock {
  /** The array the blocks are in. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #base: number;

  /**
   * @param bytes Array that holds the block; without it a new one with `reset()` done.
   * @param offset Byte offset of the block in it.
   * @throws {RangeError} The block does not fit.
   */
  constructor(bytes?: Uint8Array, offset: number = 0) {
    this.bytes = bytes ?? new Uint8Array(STATE_SIZE);
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    this.#base = 0;
    this.at(offset);
    if (bytes === undefined) this.reset();
  }

  /** Byte offset of the block in `bytes`. */
  get offset(): number {
    return this.#base;
  }

  /**
   * Moves the view.
   *
   * @param offset Byte offset of another block in the same array.
   * @returns This view.
   * @throws {RangeError} The block does not fit.
   */
  at(offset: number): this {
    if (!(offset >= 0 && offset + STATE_SIZE <= this.bytes.length)) {
      throw new RangeError(`Cannot view a state block at ${offset}: the array has ${this.bytes.length} bytes`);
    }
    this.#base = offset;
    return this;
  }

  /** Clears the block and sets what is not zero after FNINIT and LDMXCSR 1F80h. */
  reset(): void {
    this.bytes.fill(0, this.#base, this.#base + STATE_SIZE);
    this.#view.setBigUint64(this.#base + STATE_OFFSET.rflags, 0x202n, true);
    this.#view.setUint16(this.#base + STATE_OFFSET.fcw, 0x37f, true);
    this.#view.setUint32(this.#base + STATE_OFFSET.mxcsr, 0x1f80, true);
    this.#view.setUint32(this.#base + STATE_OFFSET.trap, TRAP.none, true);
  }

  /** The value of a general register. */
  gpr(name: GprName): bigint {
    return this.#view.getBigUint64(this.#base + GPR_NAMES.indexOf(name) * 8, true);
  }

  /** Sets a general register; the value is taken modulo 2^64. */
  setGpr(name: GprName, value: bigint): void {
    this.#view.setBigUint64(this.#base + GPR_NAMES.indexOf(name) * 8, BigInt.asUintN(64, value), true);
  }

  /** The value of a 64-bit field. */
  get(name: "rip" | "rflags" | "fsBase" | "gsBase" | "cr2" | "fip" | "fdp"): bigint {
    return this.#view.getBigUint64(this.#base + STATE_OFFSET[name], true);
  }

  /** Sets a 64-bit field; the value is taken modulo 2^64. */
  set(name: "rip" | "rflags" | "fsBase" | "gsBase" | "fip" | "fdp", value: bigint): void {
    this.#view.setBigUint64(this.#base + STATE_OFFSET[name], BigInt.asUintN(64, value), true);
  }

  /** A selector. */
  selector(name: SegmentName): number {
    return this.#view.getUint16(this.#base + STATE_OFFSET[name], true);
  }

  /** Sets a selector, 0 to 0xffff. */
  setSelector(name: SegmentName, value: number): void {
    this.#view.setUint16(this.#base + STATE_OFFSET[name], value, true);
  }

  /** Low 32 bits of RFLAGS as a number. */
  get flags(): number {
    return this.#view.getUint32(this.#base + STATE_OFFSET.rflags, true);
  }

  /** The trap: a vector 0 to 31, or one of `TRAP`. */
  get trap(): number {
    return this.#view.getUint32(this.#base + STATE_OFFSET.trap, true);
  }

  /** The error code of the trap. */
  get error(): number {
    return this.#view.getUint32(this.#base + STATE_OFFSET.error, true);
  }

  /** A 16-bit field of the x87 state; `ftw` is FXSAVE's abridged tag byte. */
  x87(name: "fcw" | "fsw" | "ftw" | "fop"): number {
    return this.#view.getUint16(this.#base + STATE_OFFSET[name], true);
  }

  /** Sets a 16-bit field of the x87 state, 0 to 0xffff. */
  setX87(name: "fcw" | "fsw" | "ftw" | "fop", value: number): void {
    this.#view.setUint16(this.#base + STATE_OFFSET[name], value, true);
  }

  /** MXCSR. */
  get mxcsr(): number {
    return this.#view.getUint32(this.#base + STATE_OFFSET.mxcsr, true);
  }

  /** Sets MXCSR; a reserved bit (above 0xffff) makes the case end with `TRAP.setup`. */
  set mxcsr(value: number) {
    this.#view.setUint32(this.#base + STATE_OFFSET.mxcsr, value, true);
  }

  /** The 10 bytes of ST(index), 0 to 7 from the top of the stack, as a writable window; MM registers lie in the same place. */
  st(index: number): Uint8Array {
    return this.#window(STATE_OFFSET.st + index * 16, 10);
  }

  /** The 16 bytes of XMM0 to XMM15 as a writable window. */
  xmm(index: number): Uint8Array {
    return this.#window(STATE_OFFSET.xmm + index * 16, 16);
  }

  /** Bits 255:128 of YMM0 to YMM15 as a writable window. */
  ymmHigh(index: number): Uint8Array {
    return this.#window(STATE_OFFSET.ymmHigh + index * 16, 16);
  }

  #window(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(this.#base + offset, this.#base + offset + length);
  }
}
