/**
 * The kind `host`: streams of a user's instructions on the software engine, interpreter and translator in turns, against
 * the host processor. Compared are all registers, the flags that are defined, x87 and SIMD state, memory, and of a fault
 * vector, error code, address and place.
 *
 * The host runs the code in this process. That is safe because every address is made by a MOV right before its use, and
 * branches lead to the beginning of such a part only.
 * @module
 */
import { STATUS_FLAGS } from "../core/x86/flags.ts";
import type { Engine } from "../core/engine/soft.ts";
import { baseRecord } from "../tests/differential/batch.ts";
import { startRip } from "../tests/differential/encode.ts";
import { imageDifferences } from "../tests/differential/simd.ts";
import { SoftCpu } from "../tests/differential/soft_cpu.ts";
import { CODE_ADDRESS, CODE_SIZE, DATA_ADDRESS, DATA_SIZE, DEFAULT_CODE_OFFSET } from "../tests/host/memory_map.ts";
import { type DataWindow, NativeCpu, type NativeMode } from "../tests/host/native_cpu.ts";
import { FLAG, GPR_NAMES, STATE_OFFSET, STATE_SIZE, TRAP } from "../tests/host/state_block.ts";
import { CalmPrng } from "./calm.ts";
import { HOST_POOLS } from "./forms.ts";
import type { Fuzzer, Kind } from "./kind.ts";
import { minimise } from "./minimise.ts";
import { type Layout, layOut, type Program } from "./program.ts";
import { fillFpu } from "./random_state.ts";
import { listing, table } from "./report.ts";
import { RESERVED_ADDRESS, RESERVED_SIZE, stream } from "./stream.ts";

/** States that each stream is run from. */
const STATES = 4;
const RECORD = STATE_SIZE + DATA_SIZE;
const WINDOW: DataWindow = { address: DATA_ADDRESS, length: DATA_SIZE };
const PARTS = 24, PASSES = 5;
/** Below what SoftCpu gives a case. */
const BUDGET = 900;
const MODES: readonly NativeMode[] = [64, 64, 64, 32, 32, 16];
/** The first address of the kernel's half as Linux sees it: faults there are reported as of present pages. */
const KERNEL_HALF = 0x7fff_ffff_f000n;
const PAGE_FAULT = 14;

/** A soft processor that runs on to the end of the code, on either executor. */
class StreamCpu extends SoftCpu {
  /** What SoftCpu asks to know whether one instruction is enough. */
  override readonly engine: Engine = "translator";
}

interface HostCase {
  readonly program: Program;
  readonly executor: "interpreter" | "translator";
  readonly inputs: Uint8Array<ArrayBuffer>;
}

function makeCase(number: number, has16Bit: boolean): HostCase {
  const random = new CalmPrng(number);
  const chosen = random.pick(MODES), mode = chosen === 16 && !has16Bit ? 32 : chosen;
  const executor = random.once(3) ? "translator" : "interpreter";
  const parts = random.once(3) ? random.range(2, 6) : random.range(4, PARTS);
  const program = stream({ mode, random, pools: HOST_POOLS, parts, passes: PASSES, budget: BUDGET });
  const inputs = new Uint8Array(STATES * RECORD);
  for (let i = 0; i < STATES; i++) {
    const record = new DataView(inputs.buffer, i * RECORD, RECORD);
    baseRecord(mode, random.u32(), record);
    fillFpu(record, random, mode);
  }
  for (let at = 0; at < inputs.length; at += RECORD) {
    inputs.fill(
      0,
      at + STATE_SIZE + RESERVED_ADDRESS - DATA_ADDRESS,
      at + STATE_SIZE + RESERVED_ADDRESS - DATA_ADDRESS + RESERVED_SIZE,
    );
  }
  return { program, executor, inputs };
}

/** How a record of the soft engine differs from the host's. */
function recordDifferences(
  mode: NativeMode,
  layout: Layout,
  expected: DataView,
  actual: DataView,
  at: number,
): string[] {
  const trap = expected.getUint32(at + STATE_OFFSET.trap, true), other = actual.getUint32(at + STATE_OFFSET.trap, true);
  if (trap !== other) return [`trap ${trapName(other)}, not ${trapName(trap)}`];
  const out: string[] = [];
  const check = (what: string, offset: number, mask: bigint) => {
    const a = actual.getBigUint64(at + offset, true) & mask, b = expected.getBigUint64(at + offset, true) & mask;
    if (a !== b) out.push(`${what} ${a.toString(16)}, not ${b.toString(16)}`);
  };
  const wide = mode === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  GPR_NAMES.slice(0, mode === 64 ? 16 : 8).forEach((name, n) => check(name, n * 8, wide));
  check("rip", STATE_OFFSET.rip, wide);
  const place = Number(expected.getBigUint64(at + STATE_OFFSET.rip, true)) - startRip(mode);
  const unknown = layout.undefinedAt.get(place) ?? 0;
  check("flags", STATE_OFFSET.rflags, BigInt((STATUS_FLAGS | FLAG.df) & ~unknown));
  if (trap !== TRAP.none) {
    check("cr2", STATE_OFFSET.cr2, 0xffff_ffff_ffff_ffffn);
    const kernel = expected.getBigUint64(at + STATE_OFFSET.cr2, true) >= KERNEL_HALF;
    check("error", STATE_OFFSET.error, trap === PAGE_FAULT && kernel ? 0xffff_fffen : 0xffff_ffffn);
  }
  out.push(...imageDifferences(mode, expected, actual, at));
  for (let i = 0; i < DATA_SIZE; i += 8) {
    const offset = at + STATE_SIZE + i, a = actual.getBigUint64(offset, true), b = expected.getBigUint64(offset, true);
    if (a === b) continue;
    out.push(`memory ${(DATA_ADDRESS + i).toString(16)} ${a.toString(16)}, not ${b.toString(16)}`);
    if (out.length > 12) break;
  }
  return out;
}

function trapName(trap: number): string {
  return trap === TRAP.none ? "none" : trap === TRAP.timeout ? "timeout" : String(trap);
}

/** What came of running a layout from some states. */
interface Answer {
  readonly layout: Layout;
  readonly expected: Uint8Array<ArrayBuffer>;
  readonly actual: Uint8Array<ArrayBuffer>;
}

class HostFuzzer implements Fuzzer {
  readonly #native: NativeCpu = NativeCpu.open();
  #soft: Record<"interpreter" | "translator", SoftCpu> = this.#fresh();

  #fresh(): Record<"interpreter" | "translator", SoftCpu> {
    return { interpreter: new StreamCpu("interpreter"), translator: new StreamCpu("translator") };
  }

  run(number: number): string | null {
    const c = makeCase(number, this.#native.has16Bit);
    const found = this.#firstDifference(c, c.inputs, all(c.program));
    if (!found) return null;
    // Once more on processors without a past, and from the one state.
    for (const soft of Object.values(this.#soft)) soft[Symbol.dispose]();
    this.#soft = this.#fresh();
    const inputs = c.inputs.slice(found.at, found.at + RECORD);
    if (!this.#firstDifference(c, inputs, all(c.program))) {
      return `${found.differences.join("\n")}\nIt does not happen without the cases before it: replay with --seed.`;
    }
    const kept = minimise(c.program.parts.length, (some) => this.#firstDifference(c, inputs, some) !== null);
    return this.#report(c, inputs, kept);
  }

  #answer(c: HostCase, inputs: Uint8Array<ArrayBuffer>, kept: readonly boolean[]): Answer | null {
    const { mode } = c.program;
    const layout = layOut(c.program, kept, startRip(mode), mode === 16 ? CODE_ADDRESS : 0);
    const { code } = layout;
    if (code.length > CODE_SIZE - DEFAULT_CODE_OFFSET - 16) return null;
    const expected = new Uint8Array(inputs.length), actual = new Uint8Array(inputs.length);
    this.#native.runBatch({ mode, code, inputs, outputs: expected, window: WINDOW });
    this.#soft[c.executor].runBatch({ mode, code, inputs, outputs: actual, window: WINDOW, fpu: true });
    return { layout, expected, actual };
  }

  #firstDifference(
    c: HostCase,
    inputs: Uint8Array<ArrayBuffer>,
    kept: readonly boolean[],
  ): { readonly at: number; readonly differences: readonly string[] } | null {
    const answer = this.#answer(c, inputs, kept);
    if (!answer) return null;
    const expected = new DataView(answer.expected.buffer), actual = new DataView(answer.actual.buffer);
    for (let at = 0; at < inputs.length; at += RECORD) {
      const differences = recordDifferences(c.program.mode, answer.layout, expected, actual, at);
      if (differences.length) return { at, differences };
    }
    return null;
  }

  #report(c: HostCase, inputs: Uint8Array<ArrayBuffer>, kept: readonly boolean[]): string {
    const { mode } = c.program, answer = this.#answer(c, inputs, kept), found = this.#firstDifference(c, inputs, kept);
    if (!answer || !found) return "It differs now and then only.";
    const rip = startRip(mode);
    return [
      `${mode}-bit code, ${c.executor} against the host processor`,
      listing(answer.layout.code, mode, rip),
      table(["before", "engine", "host"], [inputs, answer.actual, answer.expected], mode),
      "Where they differ (engine, not host):",
      ...found.differences.map((d) => `  ${d}`),
    ].join("\n");
  }

  [Symbol.dispose](): void {
    this.#native[Symbol.dispose]();
    for (const soft of Object.values(this.#soft)) soft[Symbol.dispose]();
  }
}

function all(program: Program): boolean[] {
  return program.parts.map(() => true);
}

/** Streams against the host processor. */
export const HOST: Kind = {
  name: "host",
  summary: "streams of user-mode instructions against the host processor",
  missing: () => NativeCpu.unavailable(),
  open: () => new HostFuzzer(),
};
