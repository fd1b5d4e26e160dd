/**
 * Moves between MMX and XMM registers, general registers and memory. Source: SDM volume 2.
 * @module
 */
import {
  type I32,
  i32,
  type I64,
  i64,
  lane,
  op,
  replaceLane,
  shuffle,
  v,
  type V128,
  v128Const,
} from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import {
  enterMmx,
  formatOf,
  join64,
  k,
  mmx,
  mmxStore,
  read128,
  read32,
  read64,
  readScalar,
  sse,
  sseWithMmx,
  store128,
  write128,
  writeMmx,
  writeScalar,
} from "./simd_kit.ts";

const low = (a: V128): I64 => lane<"i64">("i64x2.extract_lane", a, 0);
const high = (a: V128): I64 => lane<"i64">("i64x2.extract_lane", a, 1);

/** A whole register; `aligned` false for the forms that allow any address. */
const move = (aligned: boolean) => (c: Ctx): void => {
  sse(c);
  const { src } = c;
  const a = src.isMemory && !aligned ? c.f.let(src.access(16, "read").load<V128>("v128.load")) : read128(c, src);
  store128(c, c.dst, a, aligned);
};

/** MOVSS, MOVSD: a load clears the rest of the register, a move between registers keeps it. */
function moveScalar(c: Ctx): void {
  sse(c);
  const { format } = formatOf(c), { dst, src } = c;
  if (src.isMemory) return write128(c, dst, format.type === "i32" ? read32(c, src) : read64(c, src));
  if (!dst.isMemory) return writeScalar(c, dst, format, readScalar(c, src, format));
  dst.access(format.type === "i32" ? 4 : 8, "write").store(`${format.name}.store`, readScalar(c, src, format));
}

/** MOVQ and MOVD of XMM registers: the rest of the destination is cleared. */
function moveLow(c: Ctx): void {
  sse(c);
  const { dst } = c;
  if (dst.isMemory) dst.access(8, "write").store("i64.store", low(read64(c, c.src)));
  else write128(c, dst, read64(c, c.src));
}

/** MOVD and MOVQ from a general register or memory. */
function fromGeneral(c: Ctx): void {
  sse(c);
  write128(c, c.dst, replaceLane("i64x2.replace_lane", v128Const(new Uint8Array(16)), 0, c.src.read()));
}

/** MOVD and MOVQ to a general register or memory. */
function toGeneral(c: Ctx): void {
  sse(c);
  c.dst.write(c.f.let(low(read64(c, c.src))));
}

/** MOVLPS, MOVLPD: the low half from memory or, MOVHLPS, from the high half of a register. */
function loadLow(c: Ctx): void {
  sse(c);
  const { src } = c;
  const value = src.isMemory ? src.access(8, "read").load<I64>("i64.load") : high(c.read128(src));
  c.setState("i64.store", c.dst.address(), value);
}

/** MOVHPS, MOVHPD: the high half from memory or, MOVLHPS, from the low half of a register. */
function loadHigh(c: Ctx): void {
  sse(c);
  const { src } = c;
  const value = src.isMemory ? src.access(8, "read").load<I64>("i64.load") : low(c.read128(src));
  c.setState("i64.store", c.f.let(i32.add(c.dst.address(), k(8))), value);
}

const storeHalf = (half: (a: V128) => I64) => (c: Ctx): void => {
  sse(c);
  c.dst.access(8, "write").store("i64.store", half(c.read128(c.src)));
};

/** MOVSHDUP, MOVSLDUP: lanes doubled. */
const double = (lanes: readonly number[]) => (c: Ctx): void => {
  sse(c);
  const a = read128(c, c.src);
  write128(c, c.dst, shuffle(a, a, lanes));
};

function moveDouble(c: Ctx): void {
  sse(c);
  const a = read64(c, c.src);
  write128(c, c.dst, join64(a, a));
}

// MMX.

function moveMmx(c: Ctx): void {
  if (c.dst.isMemory) mmxStore(c);
  else mmx(c);
  const a = read64(c, c.src);
  if (c.dst.isMemory) c.dst.access(8, "write").store("i64.store", low(a));
  else writeMmx(c, c.dst, a);
}

function fromGeneralMmx(c: Ctx): void {
  mmx(c);
  writeMmx(c, c.dst, c.f.let(v("i64x2.splat", c.src.read())));
}

function toGeneralMmx(c: Ctx): void {
  if (c.dst.isMemory) mmxStore(c);
  else mmx(c);
  c.dst.write(c.f.let(low(read64(c, c.src))));
}

function toMmx(c: Ctx): void {
  sseWithMmx(c);
  writeMmx(c, c.dst, read64(c, c.src));
}

function fromMmx(c: Ctx): void {
  sseWithMmx(c);
  write128(c, c.dst, read64(c, c.src));
}

// Masks.

/** A bit for the sign of each lane. */
const signs = (shape: string) => (c: Ctx): void => {
  sse(c);
  c.dst.write(i64.extend_i32_u(op(`${shape}.bitmask`, c.read128(c.src))));
};

function signsMmx(c: Ctx): void {
  mmx(c);
  c.dst.write(i64.extend_i32_u(op("i8x16.bitmask", read64(c, c.src))));
}

/** The bytes of the first operand whose sign bit in the second is set go to DS:rDI; the rest of memory stays. */
function storeMasked(c: Ctx): void {
  const wide = c.form.operands[0].code === "V";
  if (wide) sse(c);
  else enterMmx(c);
  const at = c.memory(c.reg(7, c.asize).read(), 8);
  // The upper half is the first that processors look at.
  const halves = (wide ? [8, 0] : [0]).map((n) => {
    const access = at.access(8, "modify", i64.const(n));
    return { access, old: c.f.let(v("i64x2.splat", access.load<I64>("i64.load"))), half: n === 0 ? low : high };
  });
  const mask = c.f.let(v("i8x16.shr_s", wide ? c.read128(c.src) : read64(c, c.src), k(7)));
  const value = wide ? c.read128(c.dst) : read64(c, c.dst);
  for (const { access, old, half } of halves) {
    access.store("i64.store", half(v("v128.bitselect", value, old, mask)));
  }
}

// Single words, bytes and so on. The number of a lane is known when the instruction runs.

/** PINSRB and its like: lane `imm` of `width` bits is replaced. */
const insert = (width: 8 | 16) => (c: Ctx): void => {
  const small = c.form.operands[0].code === "P";
  if (small) mmx(c);
  else sse(c);
  const shape = width === 8 ? "i8x16" : "i16x8", lanes = small ? 4 : 128 / width;
  const n = i32.and(i32.wrap_i64(c.imm()), k(lanes - 1));
  const value = v(`${shape}.splat`, i32.wrap_i64(c.src.read()));
  const numbers = v128Const(Array.from({ length: 16 }, (_, i) => width === 8 ? i : i & 1 ? 0 : i >> 1));
  const mask = v(`${shape}.eq`, v(`${shape}.splat`, n), numbers);
  const old = small ? read64(c, c.dst) : c.read128(c.dst);
  const r = c.f.let(v("v128.bitselect", value, old, mask));
  if (small) writeMmx(c, c.dst, r);
  else write128(c, c.dst, r);
};

/** PINSRD, PINSRQ. */
function insertWide(c: Ctx): void {
  sse(c);
  const n = i32.wrap_i64(c.imm()), value = c.src.read(), bytes = c.src.width / 8;
  const at = i32.mul(i32.and(n, k(16 / bytes - 1)), k(bytes));
  c.setState(bytes === 8 ? "i64.store" : "i64.store32", c.f.let(i32.add(c.dst.address(), at)), value);
}

/** PEXTRB and its like, EXTRACTPS: lane `imm` to a general register, zero-extended, or to memory. */
const extract = (width: 8 | 16 | 32 | 64) => (c: Ctx): void => {
  const small = c.form.operands[1].code === "N";
  if (small) mmx(c);
  else sse(c);
  const lanes = (small ? 64 : 128) / width;
  const at = i32.mul(i32.and(i32.wrap_i64(c.imm()), k(lanes - 1)), k(width / 8));
  const value = c.state<I64>(width === 64 ? "i64.load" : `i64.load${width}_u`, i32.add(c.src.address(), at));
  c.dst.write(c.f.let(value));
};

const extractWide = (c: Ctx): void => extract(c.dst.width as 32 | 64)(c);

/** INSERTPS: source lane (of a register), destination lane, lanes to clear. */
function insertps(c: Ctx): void {
  sse(c);
  const { f, src, dst } = c, n = f.let(i32.wrap_i64(c.imm()));
  const from = i32.and(i32.shr_u(n, k(4)), k(12));
  const value = src.isMemory ? i32.wrap_i64(src.read()) : c.state<I32>("i32.load", i32.add(src.address(), from));
  const numbers = v128Const([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
  const bits = v128Const([1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0]);
  const place = v("i32x4.eq", v("i32x4.splat", i32.and(i32.shr_u(n, k(4)), k(3))), numbers);
  const kept = v("i32x4.ne", v("v128.and", v("i32x4.splat", n), bits), bits);
  const r = v("v128.bitselect", v("i32x4.splat", value), c.read128(dst), place);
  write128(c, dst, v("v128.and", r, kept));
}

const SSE = { cpuid: "sse" } as const, SSE2 = { cpuid: "sse2" } as const, SSE3 = { cpuid: "sse3" } as const;
const SSE41 = { cpuid: "sse4.1" } as const, MMX = { cpuid: "mmx" } as const;

/** Moves. */
// deno-fmt-ignore
export const SSE_MOVE: readonly Row[] = [
  insn("MOVUPS", "NP 0F 10 /r Vps,Wps|NP 0F 11 /r Wps,Vps", SSE, move(false)),
  insn("MOVUPD", "66 0F 10 /r Vpd,Wpd|66 0F 11 /r Wpd,Vpd", SSE2, move(false)),
  insn("MOVSS", "F3 0F 10 /r Vss,Wss|F3 0F 11 /r Wss,Vss", SSE, moveScalar),
  insn("MOVSD", "F2 0F 10 /r Vsd,Wsd|F2 0F 11 /r Wsd,Vsd", SSE2, moveScalar),
  insn("MOVLPS", "NP 0F 12 /r Vq,Mq", SSE, loadLow),
  insn("MOVHLPS", "NP 0F 12 /r Vq,Uq", SSE, loadLow),
  insn("MOVLPD", "66 0F 12 /r Vq,Mq", SSE2, loadLow),
  insn("MOVSLDUP", "F3 0F 12 /r Vps,Wps", SSE3, double([0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11])),
  insn("MOVDDUP", "F2 0F 12 /r Vq,Wq", SSE3, moveDouble),
  insn("MOVLPS", "NP 0F 13 /r Mq,Vq", SSE, storeHalf(low)),
  insn("MOVLPD", "66 0F 13 /r Mq,Vq", SSE2, storeHalf(low)),
  insn("MOVHPS", "NP 0F 16 /r Vq,Mq", SSE, loadHigh),
  insn("MOVLHPS", "NP 0F 16 /r Vq,Uq", SSE, loadHigh),
  insn("MOVHPD", "66 0F 16 /r Vq,Mq", SSE2, loadHigh),
  insn("MOVSHDUP", "F3 0F 16 /r Vps,Wps", SSE3, double([4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15])),
  insn("MOVHPS", "NP 0F 17 /r Mq,Vq", SSE, storeHalf(high)),
  insn("MOVHPD", "66 0F 17 /r Mq,Vq", SSE2, storeHalf(high)),
  insn("MOVAPS", "NP 0F 28 /r Vps,Wps|NP 0F 29 /r Wps,Vps", SSE, move(true)),
  insn("MOVAPD", "66 0F 28 /r Vpd,Wpd|66 0F 29 /r Wpd,Vpd", SSE2, move(true)),
  insn("MOVNTPS", "NP 0F 2B /r Mps,Vps", SSE, move(true)),
  insn("MOVNTPD", "66 0F 2B /r Mpd,Vpd", SSE2, move(true)),
  insn("MOVMSKPS", "NP 0F 50 /r Gd,Ups", SSE, signs("i32x4")),
  insn("MOVMSKPD", "66 0F 50 /r Gd,Upd", SSE2, signs("i64x2")),
  insn("MOVD", "NP 0F 6E /r Py,Ey", MMX, fromGeneralMmx),
  insn("MOVD", "66 0F 6E /r Vy,Ey", SSE2, fromGeneral),
  insn("MOVQ", "NP 0F 6F /r Pq,Qq|NP 0F 7F /r Qq,Pq", MMX, moveMmx),
  insn("MOVDQA", "66 0F 6F /r Vx,Wx|66 0F 7F /r Wx,Vx", SSE2, move(true)),
  insn("MOVDQU", "F3 0F 6F /r Vx,Wx|F3 0F 7F /r Wx,Vx", SSE2, move(false)),
  insn("MOVD", "NP 0F 7E /r Ey,Py", MMX, toGeneralMmx),
  insn("MOVD", "66 0F 7E /r Ey,Vy", SSE2, toGeneral),
  insn("MOVQ", "F3 0F 7E /r Vq,Wq|66 0F D6 /r Wq,Vq", SSE2, moveLow),
  insn("PINSRW", "NP 0F C4 /r Pq,Ew,Ib", SSE, insert(16)),
  insn("PINSRW", "66 0F C4 /r Vdq,Ew,Ib", SSE2, insert(16)),
  insn("PEXTRW", "NP 0F C5 /r Gd,Nq,Ib", SSE, extract(16)),
  insn("PEXTRW", "66 0F C5 /r Gd,Udq,Ib", SSE2, extract(16)),
  insn("MOVQ2DQ", "F3 0F D6 /r Vdq,Nq", SSE2, fromMmx),
  insn("MOVDQ2Q", "F2 0F D6 /r Pq,Uq", SSE2, toMmx),
  insn("PMOVMSKB", "NP 0F D7 /r Gd,Nq", SSE, signsMmx),
  insn("PMOVMSKB", "66 0F D7 /r Gd,Ux", SSE2, signs("i8x16")),
  insn("MOVNTQ", "NP 0F E7 /r Mq,Pq", SSE, moveMmx),
  insn("MOVNTDQ", "66 0F E7 /r Mx,Vx", SSE2, move(true)),
  insn("LDDQU", "F2 0F F0 /r Vx,Mx", SSE3, move(false)),
  insn("MASKMOVQ", "NP 0F F7 /r Pq,Nq", { ...SSE, address: true }, storeMasked),
  insn("MASKMOVDQU", "66 0F F7 /r Vdq,Udq", { ...SSE2, address: true }, storeMasked),
  insn("MOVNTDQA", "66 0F 38 2A /r Vx,Mx", SSE41, move(true)),
  insn("PEXTRB", "66 0F 3A 14 /r Rd,Vdq,Ib|66 0F 3A 14 /r Mb,Vdq,Ib", SSE41, extract(8)),
  insn("PEXTRW", "66 0F 3A 15 /r Rd,Vdq,Ib|66 0F 3A 15 /r Mw,Vdq,Ib", SSE41, extract(16)),
  insn("PEXTRD", "66 0F 3A 16 /r Ey,Vdq,Ib", SSE41, extractWide),
  insn("EXTRACTPS", "66 0F 3A 17 /r Ed,Vdq,Ib", SSE41, extract(32)),
  insn("PINSRB", "66 0F 3A 20 /r Vdq,Rd,Ib|66 0F 3A 20 /r Vdq,Mb,Ib", SSE41, insert(8)),
  insn("INSERTPS", "66 0F 3A 21 /r Vdq,Ud,Ib|66 0F 3A 21 /r Vdq,Md,Ib", SSE41, insertps),
  insn("PINSRD", "66 0F 3A 22 /r Vdq,Ey,Ib", SSE41, insertWide),
];
