/**
 * The host processor as an oracle: runs short pieces of x86 code natively on an x86-64 Linux host, from a given state of
 * all user-visible registers, in 64-bit mode or in 32- or 16-bit protected mode, and captures the state that comes out.
 *
 * How it works is said in trampoline.asm, what a case looks like in state_block.ts, where it runs in memory_map.ts.
 *
 * Limitations:
 * - The caller keeps the guest's memory operands inside the arena of memory_map.ts or on addresses that are never mapped;
 *   an access to the host program's own memory is not caught. System calls and endless loops are.
 * - Linux answers some instructions itself: SGDT, SIDT, SLDT, SMSW and STR give made-up values under UMIP, and an access to
 *   an address of the kernel half reports a page fault with the present bit set.
 * - TF cannot be set from outside, IOPL is 0, CPL is 3.
 * - Only one `NativeCpu` can be open in a process; `open()` waits a while for another thread's to close.
 *
 * @module
 */

import {
  ARENA_ADDRESS,
  ARENA_SIZE,
  backgroundByte,
  CODE_ADDRESS,
  CODE_SIZE,
  DATA_ADDRESS,
  DATA_SIZE,
  DEFAULT_CODE_OFFSET,
  READ_ONLY_ADDRESS,
  READ_ONLY_SIZE,
} from "./memory_map.ts";
import { Linux, PROTECTION, type SegmentDescriptor } from "./linux.ts";
import { type GprName, STATE_SIZE, StateBlock } from "./state_block.ts";

export type { SegmentDescriptor } from "./linux.ts";

/** Code size of a case: 64-bit mode, 32-bit or 16-bit protected mode. */
export type NativeMode = 64 | 32 | 16;

/** A piece of data memory that is set before each case and captured after it. */
export interface DataWindow {
  /** Linear address, in the writable data pages. */
  address: number;
  /** Bytes, 0 to `DATA_SIZE`. */
  length: number;
}

/** Many cases of the same code. A record is a state block followed by the bytes of the data window. */
export interface NativeBatch {
  /** How the code is decoded; CS of every record must agree (see `NativeCpu.prepare`). */
  mode: NativeMode;
  /** The instruction or instructions. */
  code: Uint8Array;
  /** Where the code starts in the code pages. Default `DEFAULT_CODE_OFFSET`. The rest of them is INT3. */
  codeOffset?: number;
  /**
   * How the code ends: by a jump behind it (fast), or by running on INT3 (slower; for code that branches to just behind
   * itself, since then every other byte is filler). Default "jump"; code that leaves no room for a jump gets "int3".
   */
  landing?: "jump" | "int3";
  /** Records in. */
  inputs: Uint8Array<ArrayBuffer>;
  /** Records out, at least as long. */
  outputs: Uint8Array<ArrayBuffer>;
  /** Default: none. */
  window?: DataWindow;
  /** A case that takes longer than about this many milliseconds ends with `TRAP.timeout`. Default 100. */
  timeoutMs?: number;
}

/** What a batch left besides the records. */
export interface BatchReport {
  /** Cases run. */
  count: number;
  /** Lowest data address outside the window that some case changed, or `undefined`. */
  stray: number | undefined;
}

/** One case in readable form. */
export interface NativeRequest {
  /** How the code is decoded. */
  mode: NativeMode;
  /** The instruction or instructions. */
  code: Uint8Array;
  /** As in `NativeBatch`. */
  codeOffset?: number;
  /** As in `NativeBatch`. */
  landing?: "jump" | "int3";
  /** As in `NativeBatch`. */
  timeoutMs?: number;
  /** Registers that are not 0. */
  registers?: Partial<Record<GprName, bigint>>;
  /** Status, DF, AC, NT and ID bits of RFLAGS. Default 0. */
  flags?: number;
  /** Sets anything else, after the mode's selectors and RIP are in place. */
  set?: (state: StateBlock) => void;
  /** Data memory before the case; also what is captured. */
  data?: { address: number; bytes: Uint8Array };
}

/** What one case left. */
export interface NativeResult {
  /** The state that came out. */
  state: StateBlock;
  /** The bytes of the request's data after the case. */
  data: Uint8Array;
  /** As in `BatchReport`. */
  stray: number | undefined;
}

const IMAGE_ADDRESS = 0x7f000000;
const CONTROL_OFFSET = 0x2000;
const HOST_SIZE = 0x15000;

const PARAMETER = { window: 0x00, length: 0x08, codeLength: 0x10, xmask: 0x18, fsgsbase: 0x20, timer: 0x28 } as const;

const ENTER = { parameters: ["buffer", "buffer", "usize"], result: "i32" } as const;
const QUERY_CPU = { parameters: ["u32", "u32", "buffer"], result: "void" } as const;

const STEPS = ["", "block signals", "set a signal stack", "set signal handlers", "make a timer", "start the timer"];
const DISPATCH_STEP = 6;

const USER_CODE_64 = 0x33;
const USER_CODE_32 = 0x23;
const USER_DATA = 0x2b;
const LDT_CODE_16 = 0;
const LDT_DATA_16 = 1;

/** First entry of the local descriptor table that `NativeCpu.segment` gives out. */
const FIRST_FREE_ENTRY = 8;
const LDT_ENTRIES = 8192;

const OPEN_WAIT_MS = 5000;
const RETRY_MS = 10;

/** The INT3 instruction. */
const FILLER = 0xcc;

let probed: { reason: string | undefined } | undefined;

/**
 * The host processor.
 *
 * @example
 * ```ts
 * using cpu = NativeCpu.open();
 * const { state } = cpu.run({
 *   mode: 64,
 *   code: new Uint8Array([0x48, 0x01, 0xd8]), // add rax, rbx
 *   registers: { rax: 1n, rbx: 2n },
 * });
 * console.log(state.gpr("rax")); // 3n
 * ```
 */
export class NativeCpu implements Disposable {
  /** Whether records carry the upper halves of the YMM registers. */
  readonly hasAvx: boolean;
  /** Whether FS and GS bases can be read and written by instructions. */
  readonly hasFsGsBase: boolean;
  /** Whether 16-bit segments can be made; without them mode 16 is refused. */
  readonly has16Bit: boolean;

  readonly #linux: Linux;
  readonly #enter: Deno.UnsafeFnPointer<typeof ENTER>;
  readonly #queryCpu: Deno.UnsafeFnPointer<typeof QUERY_CPU>;
  readonly #exitAddress: number;
  readonly #control: DataView;
  readonly #code: Uint8Array;
  readonly #data: Uint8Array;
  readonly #background: Uint8Array;
  readonly #bases = new Map<number, number>();
  #open = true;

  private constructor(linux: Linux, image: Uint8Array) {
    this.#linux = linux;
    linux.protect(IMAGE_ADDRESS, HOST_SIZE, PROTECTION.readWrite);
    linux.bytes(IMAGE_ADDRESS, image.length).set(image);
    linux.protect(IMAGE_ADDRESS, CONTROL_OFFSET, PROTECTION.readExecute);
    const header = new DataView(image.buffer, image.byteOffset);
    this.#enter = new Deno.UnsafeFnPointer(functionPointer(header, 0), ENTER);
    this.#exitAddress = Number(header.getBigUint64(8, true));
    this.#queryCpu = new Deno.UnsafeFnPointer(functionPointer(header, 16), QUERY_CPU);

    this.#code = linux.bytes(CODE_ADDRESS, CODE_SIZE);
    this.#data = linux.bytes(DATA_ADDRESS, DATA_SIZE);
    this.#background = new Uint8Array(DATA_SIZE);
    for (let i = 0; i < DATA_SIZE; i++) this.#background[i] = backgroundByte(DATA_ADDRESS + i);
    linux.protect(DATA_ADDRESS, DATA_SIZE, PROTECTION.readWrite);
    this.#data.set(this.#background);
    linux.protect(READ_ONLY_ADDRESS, READ_ONLY_SIZE, PROTECTION.readWrite);
    const readOnly = linux.bytes(READ_ONLY_ADDRESS, READ_ONLY_SIZE);
    for (let i = 0; i < READ_ONLY_SIZE; i++) readOnly[i] = backgroundByte(READ_ONLY_ADDRESS + i);
    linux.protect(READ_ONLY_ADDRESS, READ_ONLY_SIZE, PROTECTION.read);

    this.has16Bit = this.#writeLdt(LDT_CODE_16, { base: CODE_ADDRESS, limit: CODE_SIZE - 1, kind: "code" }) &&
      this.#writeLdt(LDT_DATA_16, { base: DATA_ADDRESS, limit: DATA_SIZE - 1, kind: "data" });
    this.hasFsGsBase = linux.hasFsGsBase;
    const control = linux.bytes(IMAGE_ADDRESS + CONTROL_OFFSET, PARAMETER.timer + 32);
    this.#control = new DataView(control.buffer, control.byteOffset, control.byteLength);
    const query = this.#query(0, 0);
    const enabled = query[4] & 7;
    const xmask = enabled === 7 ? 7 : (enabled & 3) === 3 ? 3 : 0;
    this.hasAvx = xmask === 7;
    this.#control.setBigUint64(PARAMETER.xmask, BigInt(xmask), true);
    this.#control.setUint32(PARAMETER.fsgsbase, this.hasFsGsBase ? 1 : 0, true);
  }

  /**
   * Why cases cannot be run natively here.
   *
   * @returns The reason in a few words, or `undefined` if they can. It is found out once.
   */
  static unavailable(): string | undefined {
    if (probed === undefined) {
      probed = { reason: missingHere() };
      if (probed.reason === undefined) {
        try {
          NativeCpu.open()[Symbol.dispose]();
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          probed.reason = error.message;
        }
      }
    }
    return probed.reason;
  }

  /**
   * Prepares memory and descriptors. To be disposed of.
   *
   * @throws {Error} This is not an x86-64 Linux host, FFI or reading is not permitted, the kernel lacks something, or the
   * addresses are taken.
   */
  static open(): NativeCpu {
    const reason = missingHere();
    if (reason !== undefined) throw new Error(`Cannot open the host processor: ${reason}`);
    const image = Deno.readFileSync(new URL("./trampoline.bin", import.meta.url));
    const linux = new Linux();
    const reserved: [number, number][] = [];
    try {
      for (const [address, size] of [[IMAGE_ADDRESS, HOST_SIZE], [ARENA_ADDRESS, ARENA_SIZE]]) {
        reserve(linux, address, size);
        reserved.push([address, size]);
      }
      const cpu = new NativeCpu(linux, image);
      cpu.runBatch({ mode: 64, code: new Uint8Array(0), inputs: new Uint8Array(0), outputs: new Uint8Array(0) });
      return cpu;
    } catch (error) {
      for (const [address, size] of reserved) linux.unmap(address, size);
      linux[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * CPUID of the host.
   *
   * @returns EAX, EBX, ECX, EDX.
   */
  cpuid(leaf: number, subleaf: number = 0): Uint32Array {
    return this.#query(leaf, subleaf).subarray(0, 4);
  }

  /**
   * Makes a segment for 32- or 16-bit cases. It stays until it is made anew or cleared.
   *
   * @param index Number of the caller's choice, 0 to 8183.
   * @param descriptor The segment, or `undefined` to clear it.
   * @returns Its selector, with RPL 3.
   * @throws {RangeError} No such index.
   * @throws {Error} The kernel refuses the segment.
   */
  segment(index: number, descriptor: SegmentDescriptor | undefined): number {
    const entry = FIRST_FREE_ENTRY + index;
    if (!Number.isInteger(index) || index < 0 || entry >= LDT_ENTRIES) {
      throw new RangeError(`Cannot make segment ${index}: not in 0 to ${LDT_ENTRIES - FIRST_FREE_ENTRY - 1}`);
    }
    this.#check();
    if (!this.#writeLdt(entry, descriptor)) throw new Error(`Cannot make segment ${index}: the kernel refuses it`);
    return ldtSelector(entry);
  }

  /**
   * Puts a mode's usual selectors, and RIP, into a state block: flat segments for 64 and 32; for 16 CS covers the code
   * pages and DS, ES, SS cover the writable data pages, so that offset 0 is `DATA_ADDRESS`. FS and GS are null.
   *
   * @param state Block to change.
   * @param mode Code size.
   * @param options `codeOffset` as in the batch; `cs`: another code selector, made by `segment`.
   */
  prepare(state: StateBlock, mode: NativeMode, options: { codeOffset?: number; cs?: number } = {}): void {
    const { codeOffset = DEFAULT_CODE_OFFSET } = options;
    const cs = options.cs ?? (mode === 64 ? USER_CODE_64 : mode === 32 ? USER_CODE_32 : ldtSelector(LDT_CODE_16));
    const data = mode === 16 ? ldtSelector(LDT_DATA_16) : USER_DATA;
    state.setSelector("cs", cs);
    state.setSelector("ss", data);
    state.setSelector("ds", mode === 64 ? 0 : data);
    state.setSelector("es", mode === 64 ? 0 : data);
    state.setSelector("fs", 0);
    state.setSelector("gs", 0);
    state.set("rip", BigInt(CODE_ADDRESS + codeOffset - (this.#bases.get(cs) ?? 0)));
  }

  /**
   * Runs one case.
   *
   * @throws {RangeError} Code or data do not fit.
   * @throws {Error} As `runBatch`.
   */
  run(request: NativeRequest): NativeResult {
    const { mode, code, codeOffset, landing, timeoutMs, data } = request;
    const length = data?.bytes.length ?? 0;
    const inputs = new Uint8Array(STATE_SIZE + length);
    const outputs = new Uint8Array(inputs.length);
    const state = new StateBlock(inputs);
    state.reset();
    this.prepare(state, mode, { codeOffset });
    for (const [name, value] of Object.entries(request.registers ?? {})) state.setGpr(name as GprName, value);
    state.set("rflags", BigInt(request.flags ?? 0));
    request.set?.(state);
    if (data !== undefined) inputs.set(data.bytes, STATE_SIZE);
    const window = data === undefined ? undefined : { address: data.address, length };
    const { stray } = this.runBatch({ mode, code, codeOffset, landing, timeoutMs, inputs, outputs, window });
    return { state: new StateBlock(outputs), data: outputs.subarray(STATE_SIZE), stray };
  }

  /**
   * Runs many cases of the same code. Data memory outside the window has its background before the first case; a case
   * sees what the ones before it changed there, which the report tells.
   *
   * @throws {RangeError} Code, window or records do not fit.
   * @throws {Error} The mode is not available, the kernel refuses something, or this object is closed.
   */
  runBatch(batch: NativeBatch): BatchReport {
    this.#check();
    const { mode, code, codeOffset = DEFAULT_CODE_OFFSET, inputs, outputs, timeoutMs = 100 } = batch;
    const { address, length } = batch.window ?? { address: DATA_ADDRESS, length: 0 };
    const record = STATE_SIZE + length;
    const count = inputs.length / record;
    if (mode === 16 && !this.has16Bit) {
      throw new Error("Cannot run 16-bit code: the kernel refuses 16-bit segments");
    }
    if (!(codeOffset >= 0 && codeOffset + code.length <= CODE_SIZE)) {
      throw new RangeError(`Cannot place code: ${code.length} bytes at ${codeOffset} exceed ${CODE_SIZE}`);
    }
    if (!(length >= 0 && address >= DATA_ADDRESS && address + length <= DATA_ADDRESS + DATA_SIZE)) {
      throw new RangeError("Cannot set the data window: it is not inside the writable data pages");
    }
    if (!Number.isInteger(count) || outputs.length < inputs.length) {
      throw new RangeError(`Cannot run records of ${record} bytes: ${inputs.length} in, ${outputs.length} out`);
    }
    this.#placeCode(batch, codeOffset);
    this.#control.setBigUint64(PARAMETER.window, BigInt(address), true);
    this.#control.setBigUint64(PARAMETER.length, BigInt(length), true);
    this.#control.setBigUint64(PARAMETER.codeLength, BigInt(code.length), true);
    this.#setTimer(timeoutMs);
    const result = this.#enter.call(inputs, outputs, BigInt(count));
    if (result !== 0) throw new Error(failure(result >>> 16, result & 0xffff));
    return { count, stray: this.#restoreBackground(address, length) };
  }

  /** Gives memory and descriptors back. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    for (const selector of this.#bases.keys()) this.#linux.writeLdt(selector >>> 3, undefined);
    this.#linux.unmap(ARENA_ADDRESS, ARENA_SIZE);
    this.#linux.unmap(IMAGE_ADDRESS, HOST_SIZE);
    this.#linux[Symbol.dispose]();
  }

  #check(): void {
    if (!this.#open) throw new Error("Cannot use the host processor: it is closed");
  }

  #query(leaf: number, subleaf: number): Uint32Array<ArrayBuffer> {
    this.#check();
    const out = new Uint32Array(5);
    this.#queryCpu.call(leaf, subleaf, out);
    return out;
  }

  #writeLdt(entry: number, descriptor: SegmentDescriptor | undefined): boolean {
    const written = this.#linux.writeLdt(entry, descriptor);
    if (written) this.#bases.set(ldtSelector(entry), descriptor?.base ?? 0);
    return written;
  }

  #placeCode(batch: NativeBatch, codeOffset: number): void {
    const { mode, code } = batch;
    const exit = exitJump(mode, CODE_ADDRESS + codeOffset + code.length, this.#exitAddress);
    const end = codeOffset + code.length;
    this.#linux.protect(CODE_ADDRESS, CODE_SIZE, PROTECTION.readWrite);
    this.#code.fill(FILLER);
    this.#code.set(code, codeOffset);
    if (batch.landing !== "int3" && end + exit.length <= CODE_SIZE) this.#code.set(exit, end);
    this.#linux.protect(CODE_ADDRESS, CODE_SIZE, PROTECTION.readExecute);
  }

  #setTimer(timeoutMs: number): void {
    // A case ends at the second tick that it sees.
    const nanoseconds = BigInt(Math.round(Math.max(timeoutMs, 1) * 5e5));
    for (const offset of [0, 16]) {
      this.#control.setBigUint64(PARAMETER.timer + offset, nanoseconds / 1_000_000_000n, true);
      this.#control.setBigUint64(PARAMETER.timer + offset + 8, nanoseconds % 1_000_000_000n, true);
    }
  }

  #restoreBackground(address: number, length: number): number | undefined {
    const start = address - DATA_ADDRESS;
    let stray: number | undefined;
    for (let i = 0; i < DATA_SIZE && stray === undefined; i++) {
      if (i === start) i += length;
      if (i < DATA_SIZE && this.#data[i] !== this.#background[i]) stray = DATA_ADDRESS + i;
    }
    this.#data.set(this.#background);
    return stray;
  }
}

/** What rules out native cases before anything is tried. */
function missingHere(): string | undefined {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    return `needs x86-64 Linux, this is ${Deno.build.arch} ${Deno.build.os}`;
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return "needs --allow-ffi";
  const path = new URL("./trampoline.bin", import.meta.url);
  if (path.protocol !== "file:") return "needs the project as files";
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "needs --allow-read";
  return undefined;
}

/** Reserves memory; another thread's `NativeCpu` may hold it for a while. */
function reserve(linux: Linux, address: number, size: number): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !linux.map(address, size, PROTECTION.none); waited += RETRY_MS) {
    if (waited >= OPEN_WAIT_MS) {
      throw new Error(`Cannot open the host processor: ${size} bytes at 0x${address.toString(16)} are not to be had`);
    }
    Atomics.wait(sleeper, 0, 0, RETRY_MS);
  }
}

function functionPointer<T>(header: DataView, offset: number): Deno.PointerObject<T> {
  const pointer = Deno.UnsafePointer.create<T>(header.getBigUint64(offset, true));
  if (pointer === null) throw new Error("Cannot open the host processor: the trampoline image is damaged");
  return pointer;
}

function ldtSelector(entry: number): number {
  return entry << 3 | 7;
}

/** A jump from `from` to the trampoline that changes nothing else. */
function exitJump(mode: NativeMode, from: number, target: number): Uint8Array {
  // jmp near rel32 in 64-bit mode; from the others jmp far 0x33:imm32, with an operand-size prefix in 16-bit code.
  const prefix = mode === 64 ? [0xe9] : mode === 32 ? [0xea] : [0x66, 0xea];
  const value = mode === 64 ? target - (from + 5) : target;
  const jump = new Uint8Array(prefix.length + 4 + (mode === 64 ? 0 : 2));
  jump.set(prefix);
  const view = new DataView(jump.buffer);
  view.setInt32(prefix.length, value, true);
  if (mode !== 64) view.setUint16(prefix.length + 4, USER_CODE_64, true);
  return jump;
}

function failure(step: number, errno: number): string {
  if (step === DISPATCH_STEP) {
    return `Cannot run native code: needs Syscall User Dispatch (Linux 5.11, errno ${errno})`;
  }
  return `Cannot run native code: cannot ${STEPS[step]} (errno ${errno})`;
}
