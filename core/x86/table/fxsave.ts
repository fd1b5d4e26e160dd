/**
 * MXCSR, and saving and restoring x87, MMX and SSE state: FXSAVE, FXRSTOR, XSAVE, XRSTOR. The image is put together in
 * the work area behind the state; memory is written or state is changed only once nothing can fault any more. Source: SDM
 * volume 1, 10.5 and chapter 13; volume 2.
 * @module
 */
import { type I32, i32, type I64, i64, load, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { MODE_USER } from "../mode.ts";
import {
  CR0,
  CR4,
  EFER,
  FCW,
  FDP,
  FEMPTY,
  FIP,
  FOP,
  FPR,
  FPU_FLAT,
  FSEL,
  FSW,
  FTOP,
  KEY,
  MXCSR,
  WORK,
  XCR0,
  XMM,
} from "../state.ts";
import { k, sse } from "./simd_kit.ts";

const CR0_EM = 4, CR0_TS = 8, CR4_OSXSAVE = 0x4_0000, EFER_FFXSR = 0x4000;
const UD = 6, NM = 7, GP = 13;
/** MXCSR bits that exist. */
const MXCSR_MASK = 0xffff;
/** Places in the image. */
const MXCSR_AT = 24, ST_AT = 32, XMM_AT = 160, HEADER = 512, SIZE = 576;
/** The control word's bits, one that always reads as one, the status word's without what others tell. */
const FCW_BITS = 0x1f3f, FCW_FIXED = 0x40, STATUS_BITS = 0x477f;
/** Exceptions, and the bits that say that one of them is unmasked. */
const EXCEPTIONS = 0x3f, PENDING = 0x8080;
/** Components: bits of XCR0. */
const X87 = 1, SSE_STATE = 2;

const word = (c: Ctx, at: number): I32 => c.state<I32>("i32.load", at);
/** Reads the image in the work area. */
const image = (name: string, at: number): I32 => load<"i32">(name, k(0), { offset: WORK + at });
const image64 = (at: number): I64 => i64.load(k(0), { offset: WORK + at });

function put(c: Ctx, name: string, at: number, value: I32 | I64): void {
  c.f.store(name, k(0), value, { offset: at });
}

/** Registers that the code size can name. */
const registers = (c: Ctx): number => c.code === 64 ? 16 : 8;

/** Does something for i = 0 … `count` − 1. */
function each(c: Ctx, count: number, body: (i: I32) => void): void {
  const { f } = c, i = f.local("i32");
  f.set(i, k(0));
  f.loop((again) => {
    body(f.get(i));
    f.set(i, i32.add(f.get(i), k(1)));
    f.brIf(again, i32.lt_u(f.get(i), k(count)));
  });
}

/** The state address of ST(i). */
function stAddress(c: Ctx, top: I32, i: I32): I32 {
  return c.f.let(i32.shl(i32.and(i32.add(top, i), k(7)), k(4)));
}

// Between state and work area.

function gatherX87(c: Ctx): void {
  const { f } = c, top = word(c, FTOP);
  put(c, "i32.store16", WORK, word(c, FCW));
  put(c, "i32.store16", WORK + 2, i32.or(word(c, FSW), i32.shl(top, k(11))));
  put(c, "i32.store16", WORK + 4, i32.and(i32.xor(word(c, FEMPTY), k(0xff)), k(0xff)));
  put(c, "i32.store16", WORK + 6, word(c, FOP));
  put(c, "i64.store", WORK + 8, c.state<I64>("i64.load", FIP));
  put(c, "i64.store", WORK + 16, c.state<I64>("i64.load", FDP));
  if (c.opsize !== 64) {
    const selectors = f.let(select(word(c, FPU_FLAT), k(0), word(c, FSEL)));
    put(c, "i32.store", WORK + 12, i32.and(selectors, k(0xffff)));
    put(c, "i32.store", WORK + 20, i32.shr_u(selectors, k(16)));
  }
  each(c, 8, (i) => {
    const from = stAddress(c, top, i), to = f.let(i32.shl(i, k(4)));
    f.store("i64.store", to, i64.load(from, { offset: FPR }), { offset: WORK + ST_AT });
    f.store("i64.store", to, i64.load16_u(from, { offset: FPR + 8 }), { offset: WORK + ST_AT + 8 });
  });
}

function scatterX87(c: Ctx): void {
  const { f } = c, fsw = f.let(image("i32.load16_u", 2)), top = f.let(i32.and(i32.shr_u(fsw, k(11)), k(7)));
  const fcw = f.let(i32.or(i32.and(image("i32.load16_u", 0), k(FCW_BITS)), k(FCW_FIXED)));
  put(c, "i32.store", FCW, fcw);
  const unmasked = i32.and(i32.and(fsw, i32.xor(fcw, k(-1))), k(EXCEPTIONS));
  const pending = f.let(select(unmasked, k(PENDING), k(0)));
  put(c, "i32.store", FSW, i32.or(i32.and(fsw, k(STATUS_BITS)), pending));
  put(c, "i32.store", FTOP, top);
  put(c, "i32.store", FEMPTY, i32.xor(image("i32.load8_u", 4), k(0xff)));
  put(c, "i32.store", FOP, i32.and(image("i32.load16_u", 6), k(0x7ff)));
  if (c.opsize === 64) {
    // Of the instruction's address processors keep 57 bits, sign-extended.
    put(c, "i64.store", FIP, i64.shr_s(i64.shl(image64(8), i64.const(7)), i64.const(7)));
    put(c, "i64.store", FDP, image64(16));
    put(c, "i32.store", FSEL, k(0));
  } else {
    put(c, "i64.store", FIP, i64.extend_i32_u(image("i32.load", 8)));
    put(c, "i64.store", FDP, i64.extend_i32_u(image("i32.load", 16)));
    put(c, "i32.store", FSEL, i32.or(image("i32.load16_u", 12), i32.shl(image("i32.load16_u", 20), k(16))));
  }
  each(c, 8, (i) => {
    const to = stAddress(c, top, i), from = f.let(i32.shl(i, k(4)));
    f.store("i64.store", to, i64.load(from, { offset: WORK + ST_AT }), { offset: FPR });
    f.store("i64.store", to, i64.load16_u(from, { offset: WORK + ST_AT + 8 }), { offset: FPR + 8 });
  });
}

/** The x87 state after FNINIT, with empty registers. */
function resetX87(c: Ctx): void {
  put(c, "i32.store", FCW, k(0x37f));
  for (const at of [FSW, FTOP, FOP, FSEL]) put(c, "i32.store", at, k(0));
  put(c, "i32.store", FEMPTY, k(0xff));
  for (const at of [FIP, FDP]) put(c, "i64.store", at, i64.const(0));
  c.f.memoryFill(0, k(FPR), k(0), k(128));
}

function gatherMxcsr(c: Ctx): void {
  put(c, "i32.store", WORK + MXCSR_AT, word(c, MXCSR));
  put(c, "i32.store", WORK + MXCSR_AT + 4, k(MXCSR_MASK));
}

function gatherXmm(c: Ctx): void {
  c.f.memoryCopy(0, 0, k(WORK + XMM_AT), k(XMM), k(registers(c) * 16));
}

function scatterXmm(c: Ctx): void {
  c.f.memoryCopy(0, 0, k(XMM), k(WORK + XMM_AT), k(registers(c) * 16));
}

// Between work area and memory.

/**
 * Checks the whole area for writing or reading, and its alignment. Of an area that is not there Intel's processors report the
 * last byte, or of what they look at `before` that.
 */
function check(
  c: Ctx,
  how: "modify" | "read",
  bytes: number,
  alignment: number,
  before: () => void = () => {
    c.f.let(c.dst.access(1, how, i64.const(bytes - 1)).load<I32>("i32.load8_u"));
  },
): void {
  const first = c.dst.access(16, how, undefined, alignment);
  before();
  c.f.let(first.load("v128.load"));
  c.f.let(c.dst.access(16, how, i64.const(bytes - 16)).load("v128.load"));
}

/** Copies bytes `from` to `to` of the image, `step` at a time. */
function copy(c: Ctx, direction: "in" | "out", from: number, to: number, step: 8 | 16): void {
  const { f } = c, type = step === 8 ? "i64" : "v128";
  each(c, (to - from) / step, (i) => {
    const at = f.let(i32.add(i32.mul(i, k(step)), k(from)));
    const access = c.dst.access(step, direction === "in" ? "read" : "write", i64.extend_i32_u(at));
    if (direction === "out") access.store(`${type}.store`, load(`${type}.load`, at, { offset: WORK }));
    else f.store(`${type}.store`, at, access.load(`${type}.load`), { offset: WORK });
  });
}

const copyX87 = (c: Ctx, direction: "in" | "out"): void => {
  copy(c, direction, 0, 24, 8);
  copy(c, direction, ST_AT, XMM_AT, 16);
};
const copyXmm = (c: Ctx, direction: "in" | "out"): void => copy(c, direction, XMM_AT, XMM_AT + registers(c) * 16, 16);
const copyMxcsr = (c: Ctx, direction: "in" | "out"): void => copy(c, direction, MXCSR_AT, MXCSR_AT + 8, 8);

/** #GP(0) if MXCSR in the image has reserved bits. */
function checkMxcsr(c: Ctx): void {
  c.f.if(i32.and(image("i32.load", MXCSR_AT), k(~MXCSR_MASK)), () => c.raise(GP, k(0)));
}

const restoreMxcsr = (c: Ctx): void => put(c, "i32.store", MXCSR, image("i32.load", MXCSR_AT));

// FXSAVE.

/** #NM under CR0.EM and CR0.TS. */
function available(c: Ctx, bits: number): void {
  c.f.if(i32.and(word(c, CR0), k(bits)), () => c.raise(NM));
}

/** Does something unless EFER.FFXSR leaves the XMM registers out: in 64-bit mode for the supervisor. */
function unlessFast(c: Ctx, body: () => void): void {
  if (c.code !== 64) return body();
  const user = i32.and(word(c, KEY), k(MODE_USER)), slow = i32.eqz(i32.and(word(c, EFER), k(EFER_FFXSR)));
  c.f.if(i32.or(user, slow), body);
}

function fxsave(c: Ctx): void {
  c.wholeState();
  available(c, CR0_EM | CR0_TS);
  check(c, "modify", 512, 16);
  gatherX87(c);
  gatherMxcsr(c);
  gatherXmm(c);
  copyX87(c, "out");
  copyMxcsr(c, "out");
  unlessFast(c, () => copyXmm(c, "out"));
}

function fxrstor(c: Ctx): void {
  c.wholeState();
  available(c, CR0_EM | CR0_TS);
  check(c, "read", 512, 16);
  copyX87(c, "in");
  copyMxcsr(c, "in");
  copyXmm(c, "in");
  checkMxcsr(c);
  scatterX87(c);
  restoreMxcsr(c);
  unlessFast(c, () => scatterXmm(c));
}

// XSAVE.

/** The checks of XSAVE and XRSTOR; gives the components asked for. */
function components(c: Ctx): I32 {
  const off = i32.eqz(i32.and(word(c, CR4), k(CR4_OSXSAVE)));
  c.f.if(off, () => c.raise(UD));
  available(c, CR0_TS);
  return c.f.let(i32.and(i32.wrap_i64(c.reg(0, 32).read()), word(c, XCR0)));
}

/** XSAVE: no component is tracked; each that is asked for counts as in use. */
function xsave(c: Ctx): void {
  c.wholeState();
  const { f } = c, asked = components(c);
  check(c, "modify", SIZE, 64);
  const old = f.let(c.dst.access(8, "read", i64.const(HEADER)).load<I64>("i64.load"));
  f.if(i32.and(asked, k(X87)), () => {
    gatherX87(c);
    copyX87(c, "out");
  });
  f.if(i32.and(asked, k(SSE_STATE)), () => {
    gatherMxcsr(c);
    gatherXmm(c);
    copyMxcsr(c, "out");
    copyXmm(c, "out");
  });
  const used = i64.or(old, i64.extend_i32_u(asked));
  c.dst.access(8, "write", i64.const(HEADER)).store("i64.store", used);
}

/** XRSTOR of the standard form. */
function xrstor(c: Ctx): void {
  c.wholeState();
  const { f } = c, asked = components(c);
  check(c, "read", SIZE, 64, () => {
    // The header comes first, XCOMP_BV before all.
    f.let(c.dst.access(8, "read", i64.const(HEADER + 8)).load<I64>("i64.load"));
    copy(c, "in", HEADER, HEADER + 24, 8);
    const allowed = c.state<I64>("i64.load", XCR0);
    const foreign = i64.and(image64(HEADER), i64.xor(allowed, i64.const(-1)));
    const rest = i64.or(image64(HEADER + 8), image64(HEADER + 16));
    f.if(i64.ne(i64.or(foreign, rest), i64.const(0)), () => c.raise(GP, k(0)));
  });
  const there = f.let(image64(HEADER)), present = f.let(i32.wrap_i64(there));
  const wanted = f.let(i32.and(asked, k(SSE_STATE)));
  copyX87(c, "in");
  copyMxcsr(c, "in");
  copyXmm(c, "in");
  f.if(wanted, () => checkMxcsr(c));
  f.if(i32.and(asked, k(X87)), () => {
    f.if(i32.and(present, k(X87)), () => scatterX87(c), () => resetX87(c));
  });
  f.if(wanted, () => {
    // MXCSR is taken from the image even if that says that the registers have their initial values.
    restoreMxcsr(c);
    const bytes = k(registers(c) * 16);
    f.if(i32.and(present, k(SSE_STATE)), () => scatterXmm(c), () => f.memoryFill(0, k(XMM), k(0), bytes));
  });
}

// MXCSR.

function ldmxcsr(c: Ctx): void {
  sse(c);
  const value = c.f.let(i32.wrap_i64(c.dst.read()));
  c.f.if(i32.and(value, k(~MXCSR_MASK)), () => c.raise(GP, k(0)));
  c.setState("i32.store", MXCSR, value);
}

function stmxcsr(c: Ctx): void {
  sse(c);
  c.dst.write(i64.extend_i32_u(word(c, MXCSR)));
}

const FXSR = { cpuid: "fxsr" } as const, SSE = { cpuid: "sse" } as const, XSAVE = { cpuid: "xsave" } as const;

/** MXCSR and state images. */
// deno-fmt-ignore
export const FXSAVE: readonly Row[] = [
  insn("FXSAVE", "NP 0F AE /0 M", FXSR, fxsave),
  insn("FXRSTOR", "NP 0F AE /1 M", FXSR, fxrstor),
  insn("LDMXCSR", "NP 0F AE /2 Md", SSE, ldmxcsr),
  insn("STMXCSR", "NP 0F AE /3 Md", SSE, stmxcsr),
  insn("XSAVE", "NP 0F AE /4 M", XSAVE, xsave),
  insn("XRSTOR", "NP 0F AE /5 M", XSAVE, xrstor),
];
