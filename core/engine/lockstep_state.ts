/**
 * What two processors that should be alike are compared by: the architectural fields of the state block by name. What the
 * engine keeps there for itself (budget, keys, scratch) is left out; the status flags are compared as flags, as two pairs
 * of words may mean the same, and the TSC as the time that it shows.
 * @module
 */
import * as S from "../x86/state.ts";
import { readTsc } from "../x86/system/msr.ts";
import { getFlags } from "../x86/system/rflags.ts";
import { MSR_SLOTS, PDPTE, slot } from "../x86/system/slots.ts";
import type { SoftVcpu } from "./cpu.ts";

/** A field of the state block. */
interface StateField {
  readonly name: string;
  readonly at: number;
  /** Bytes: a multiple of 2. */
  readonly size: number;
}

/** Something that two engines have different values of. */
export interface LockstepDifference {
  /** What it is: `"rax"`, `"xmm3"`, `"memory 0x1000"`, `"exit"`. */
  readonly name: string;
  /** The value on the one, in hexadecimal or words. */
  readonly primary: string;
  /** The value on the other. */
  readonly secondary: string;
}

const GENERAL = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "ldt", "tr"];
const CONTROL = [["cr0", S.CR0], ["cr2", S.CR2], ["cr3", S.CR3], ["cr4", S.CR4], ["cr8", S.CR8]] as const;
const OTHER = [["efer", S.EFER], ["apic base", S.APIC_BASE], ["xcr0", S.XCR0], ["direction step", S.STEP]] as const;
const X87 = [
  ...[["fcw", S.FCW], ["fsw", S.FSW], ["x87 top", S.FTOP], ["x87 empty", S.FEMPTY], ["fop", S.FOP]] as const,
  ...[["fpu selectors", S.FSEL], ["mxcsr", S.MXCSR]] as const,
];

function numbered(count: number, make: (n: number) => StateField): StateField[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

/** MSRs that are slots, each up to the next one's slot; the TSC's offset is compared as the time. */
function msrFields(): StateField[] {
  const rows = Object.entries(MSR_SLOTS);
  return rows.flatMap(([name, first], i) => {
    if (name === "tscOffset") return [];
    const count = (rows[i + 1]?.[1] ?? first + 1) - first;
    return numbered(count, (n) => ({ name: count === 1 ? name : `${name}[${n}]`, at: slot(first + n), size: 8 }));
  });
}

const FIELDS: readonly StateField[] = [
  ...numbered(16, (n) => ({ name: GENERAL[n] ?? `r${n}`, at: S.GPR + n * 8, size: 8 })),
  { name: "rip", at: S.RIP, size: 8 },
  ...SEGMENTS.flatMap((name, n) => {
    const at = S.SEG + n * S.SEG_SIZE;
    return [
      { name: `${name} selector`, at: at + S.SEG_SELECTOR, size: 2 },
      { name: `${name} base`, at: at + S.SEG_BASE, size: 8 },
      { name: `${name} limit`, at: at + S.SEG_LIMIT, size: 4 },
      { name: `${name} attributes`, at: at + S.SEG_ATTR, size: 4 },
      { name: `${name} bounds`, at: at + S.SEG_LOW, size: 24 },
    ];
  }),
  ...[["gdt", S.GDTR] as const, ["idt", S.IDTR] as const].flatMap(([name, at]) => [
    { name: `${name} base`, at, size: 8 },
    { name: `${name} limit`, at: at + 8, size: 4 },
  ]),
  ...[...CONTROL, ...OTHER].map(([name, at]) => ({ name, at, size: 8 })),
  ...numbered(8, (n) => ({ name: `dr${n}`, at: S.DR + n * 8, size: 8 })),
  ...numbered(8, (n) => ({ name: `x87 register ${n}`, at: S.FPR + n * 16, size: 10 })),
  ...X87.map(([name, at]) => ({ name, at, size: 4 })),
  { name: "fpu instruction", at: S.FIP, size: 8 },
  { name: "fpu operand", at: S.FDP, size: 8 },
  ...numbered(16, (n) => ({ name: `xmm${n}`, at: S.XMM + n * 16, size: 16 })),
  ...numbered(16, (n) => ({ name: `ymm${n} upper half`, at: S.YMMH + n * 16, size: 16 })),
  ...msrFields(),
  ...numbered(4, (n) => ({ name: `pdpte${n}`, at: PDPTE + n * 8, size: 8 })),
];

/** Bits that count, by 32-bit word of the state block; the flags are looked at apart. */
const MASK: Uint32Array = new Uint32Array(S.STATE_SIZE / 4);
for (const { at, size } of FIELDS) {
  for (let half = at >> 1; half < (at + size) >> 1; half++) MASK[half >> 1] |= half & 1 ? 0xffff_0000 : 0xffff;
}
const WORDS: readonly number[] = [...MASK.keys()].filter((i) => MASK[i] !== 0);
/** What is saved and put back besides: the words that flags and the TSC are made from. */
const SAVED: readonly (readonly [from: number, to: number])[] = [
  ...FIELDS.map(({ at, size }) => [at, at + size] as const),
  [S.FRES, S.RFLAGS + 8],
  [slot(MSR_SLOTS.tscOffset), slot(MSR_SLOTS.tscOffset) + 8],
];

/** Whether two processors have the same architectural state. */
export function sameState(a: SoftVcpu, b: SoftVcpu): boolean {
  const x = a.i32, y = b.i32;
  for (let i = 0; i < WORDS.length; i++) {
    const word = WORDS[i];
    if (((x[word] ^ y[word]) & MASK[word]) !== 0) return false;
  }
  return getFlags(a) === getFlags(b) && readTsc(a) === readTsc(b);
}

/** By name, where two processors differ. */
export function stateDifferences(a: SoftVcpu, b: SoftVcpu): LockstepDifference[] {
  const found = FIELDS.filter(({ at, size }) => !sameBytes(a.u8, b.u8, at, size)).map(({ name, at, size }) => ({
    name,
    primary: littleEndian(a.u8, at, size),
    secondary: littleEndian(b.u8, at, size),
  }));
  const add = (name: string, x: string, y: string): void => {
    if (x !== y) found.push({ name, primary: x, secondary: y });
  };
  add("rflags", getFlags(a).toString(16).padStart(8, "0"), getFlags(b).toString(16).padStart(8, "0"));
  add("tsc", `${readTsc(a)}`, `${readTsc(b)}`);
  return found;
}

/** The value of a field that {@linkcode stateDifferences} names; undefined if it is none of the state block. */
export function fieldValue(v: SoftVcpu, name: string): string | undefined {
  if (name === "rflags") return getFlags(v).toString(16);
  const field = FIELDS.find((f) => f.name === name);
  return field && littleEndian(v.u8, field.at, field.size);
}

/** Copies what makes up the state of a processor. */
export function saveState(v: SoftVcpu, into: Uint8Array): void {
  into.set(v.u8.subarray(0, S.STATE_SIZE));
}

/** Puts back what {@linkcode saveState} has copied, and leaves alone what the engine keeps for itself. */
export function restoreState(v: SoftVcpu, from: Uint8Array): void {
  for (const [start, end] of SAVED) v.u8.set(from.subarray(start, end), start);
}

function sameBytes(a: Uint8Array, b: Uint8Array, at: number, size: number): boolean {
  for (let i = at; i < at + size; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytes as one hexadecimal number. */
export function littleEndian(bytes: Uint8Array, at: number, size: number): string {
  return Array.from(bytes.subarray(at, at + size), (b) => b.toString(16).padStart(2, "0")).reverse().join("");
}
