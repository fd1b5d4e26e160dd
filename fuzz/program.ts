/**
 * Random code in parts that can be left out one by one: each part is a few instructions, and parts branch to each other
 * by number. Flags that an instruction leaves undefined are followed through the code: before something reads one of
 * them, or the way forks, an instruction that defines all flags is put in.
 * @module
 */
import { STATUS_FLAGS } from "../core/x86/flags.ts";
import type { NativeMode } from "../tests/host/native_cpu.ts";

/** An instruction, or a few that belong together. */
export interface Step {
  /** The bytes. */
  readonly bytes: readonly number[];
  /** Status flags that it looks at, as bits; all of them where a way forks. */
  readonly reads?: number;
  /** Flags that it defines in any case. */
  readonly writes?: number;
  /** Flags that it may leave undefined. */
  readonly leaves?: number;
  /** Bytes that depend on where it is put. */
  readonly fix?: Fix;
}

/** A place in a step's bytes that holds an address. */
export type Fix =
  /** 4 bytes at the end but `after`: distance from the end of the step to a linear address. */
  | { readonly kind: "rip"; readonly at: number; readonly target: number }
  /** The last `size` bytes: distance to a part. */
  | { readonly kind: "near"; readonly size: number; readonly part: number }
  /** `size` bytes: offset of a part in CS; `add` more. */
  | {
    readonly kind: "offset";
    readonly at: number;
    readonly size: number;
    readonly part: number;
    readonly add: number;
  };

/** What stays or goes as a whole. */
export interface Part {
  /** Its instructions. */
  readonly steps: readonly Step[];
  /** Stays only if this part does. */
  readonly needs?: number;
  /** Never goes. */
  readonly fixed?: boolean;
}

/** Parts that are put one behind the other. */
export interface Program {
  /** How it is decoded. */
  readonly mode: NativeMode;
  /** The parts. */
  readonly parts: readonly Part[];
}

/** Code with its places. */
export interface Layout {
  /** The bytes. */
  readonly code: Uint8Array;
  /** Offset of each part; of one that is left out, of the next. */
  readonly starts: readonly number[];
  /** Flags that are undefined before the instruction at an offset. */
  readonly undefinedAt: ReadonlyMap<number, number>;
}

/** CMP AL, imm8: defines all status flags. */
const DEFINE = [0x3c, 0x55];

/**
 * Puts the parts that are kept into memory.
 * @param origin Offset of the first byte in CS.
 * @param base Linear address of offset 0 of CS.
 */
export function layOut(program: Program, kept: readonly boolean[], origin: number, base: number): Layout {
  const { parts } = program;
  const bytes: number[] = [],
    starts: number[] = [],
    fixes: { readonly end: number; readonly start: number; readonly fix: Fix }[] = [];
  const undefinedAt = new Map<number, number>();
  let unknown = 0;
  const define = () => {
    undefinedAt.set(bytes.length, unknown);
    bytes.push(...DEFINE);
    unknown = 0;
  };
  parts.forEach((part, n) => {
    starts.push(bytes.length);
    const stays = part.fixed || kept[n] && (part.needs === undefined || kept[part.needs]);
    if (!stays) return;
    for (const step of part.steps) {
      if (((step.reads ?? 0) & unknown) !== 0) define();
      undefinedAt.set(bytes.length, unknown);
      const start = bytes.length;
      bytes.push(...step.bytes);
      if (step.fix) fixes.push({ start, end: bytes.length, fix: step.fix });
      unknown = (unknown & ~(step.writes ?? 0)) | (step.leaves ?? 0);
    }
  });
  undefinedAt.set(bytes.length, unknown);
  for (const { start, end, fix } of fixes) {
    const put = (at: number, size: number, value: number) => {
      for (let i = 0; i < size; i++) bytes[at + i] = i < 4 ? value >> i * 8 & 0xff : 0;
    };
    if (fix.kind === "rip") put(start + fix.at, 4, fix.target - (base + origin + end));
    else if (fix.kind === "near") put(end - fix.size, fix.size, starts[fix.part] - end);
    else put(start + fix.at, fix.size, origin + starts[fix.part] + fix.add);
  }
  return { code: Uint8Array.from(bytes), starts, undefinedAt };
}

/** All status flags, for a step before which they must be defined. */
export const FORK: number = STATUS_FLAGS;
