/**
 * The x87 environment in memory: FSTENV, FSAVE, FLDENV, FRSTOR in their 16- and 32-bit layouts of protected mode and of
 * real and virtual-8086 mode. Source: SDM volume 1, 8.1.10.
 *
 * Processors whose CPUID has fpu_cs_ds store zero for both selectors in the layouts of protected mode.
 * @module
 */
import type { Machine } from "../machine.ts";
import * as S from "../state.ts";
import { get64, GP, isCanonical, SS as SS_FAULT } from "../system/access.ts";
import { cpl, is64, isProtected } from "../system/mode.ts";

const STATUS_BITS = 0xc7ff, TOP_SHIFT = 11;
const EXCEPTIONS = 0x3f, PENDING = 0x8080;
const FCW_BITS = 0x1f3f, FCW_FIXED = 0x40;
/** What the upper halves of 16-bit fields are in 32-bit layouts. */
const UPPER = 0xffff_0000;
const PAGE = 4096;
/** Bytes of ST(0) to ST(7). */
const REGISTERS = 80;
/** Tags. */
const VALID = 0, ZERO = 1, SPECIAL = 2, EMPTY = 3;

/** An area of memory that an instruction works on; faults come in the order of its parts. */
class Area {
  readonly #start: number;
  readonly #user: boolean;
  readonly #long: boolean;

  /** The offset in the instruction's segment is in ARG 0; the segment's limit has been checked. */
  constructor(readonly m: Machine) {
    this.#long = is64(m);
    const flat = this.#long && m.segment < S.SEG + S.FS * S.SEG_SIZE;
    this.#start = this.#wrapped((flat ? 0 : get64(m, m.segment + S.SEG_BASE)) + get64(m, S.ARG));
    this.#user = cpl(m) === 3;
  }

  #wrapped(linear: number): number {
    return this.#long ? linear : linear >>> 0;
  }

  /** Linear address of `size` bytes at `offset`. */
  #at(offset: number, size: number): number {
    const at = this.#wrapped(this.#start + offset);
    if (this.#long && !(isCanonical(at) && isCanonical(at + size - 1))) {
      this.m.fault(this.m.segment === S.SEG + S.SS * S.SEG_SIZE ? SS_FAULT : GP, 0);
    }
    return at;
  }

  read(offset: number, size: number): number {
    return this.m.read(this.#at(offset, size), size, this.#user);
  }

  write(offset: number, size: number, value: number): void {
    this.m.write(this.#at(offset, size), size, value, this.#user);
  }

  /** Faults if any of `length` bytes, at most a page and beginning with `first` in one access, cannot be written. */
  probe(length: number, first: number): void {
    this.#at(0, first);
    const here = Math.min(length, PAGE - offsetInPage(this.#start));
    this.m.probeWrite(this.#at(0, here), here, this.#user);
    if (here < length) this.m.probeWrite(this.#at(here, length - here), length - here, this.#user);
  }
}

function offsetInPage(linear: number): number {
  return linear % 0x1_0000_0000 & (PAGE - 1);
}

/** Whether the layout is 16-bit: argument 1 of the helpers. */
function isSmall(m: Machine): boolean {
  return m.i32[(S.ARG + 8) >> 2] !== 0;
}

/** State address of ST(i). */
function slot(m: Machine, i: number): number {
  return S.FPR + (m.i32[S.FTOP >> 2] + i & 7) * 16;
}

/** The tag word: two bits for each physical register. */
export function tagWord(m: Machine): number {
  let word = 0;
  for (let n = 0; n < 8; n++) word |= tag(m, n) << n * 2;
  return word;
}

function tag(m: Machine, n: number): number {
  if (m.i32[S.FEMPTY >> 2] >> n & 1) return EMPTY;
  const at = S.FPR + n * 16, exponent = m.u16[(at + 8) >> 1] & 0x7fff;
  const low = m.i32[at >> 2], high = m.i32[(at + 4) >> 2];
  if (exponent === 0 && (low | high) === 0) return ZERO;
  return exponent !== 0 && exponent !== 0x7fff && high < 0 ? VALID : SPECIAL;
}

/** The seven fields as FSTENV stores them. */
function fields(m: Machine, small: boolean): number[] {
  const { i32, u16, u32 } = m, upper = small ? 0 : UPPER;
  const fsw = u16[S.FSW >> 1] | i32[S.FTOP >> 2] << TOP_SHIFT, fop = i32[S.FOP >> 2];
  const words = [u16[S.FCW >> 1], fsw, tagWord(m)].map((v) => v | upper);
  const ip = u32[S.FIP >> 2], dp = u32[S.FDP >> 2];
  if (isProtected(m)) {
    const [cs, ds] = m.has("fpu_cs_ds") ? [0, 0] : [u16[S.FSEL >> 1], u16[(S.FSEL + 2) >> 1]];
    return [...words, ip, small ? cs : cs | fop << 16, dp, ds | upper];
  }
  const linear = (offset: number, at: number) => offset + u16[at >> 1] * 16 >>> 0;
  const instruction = linear(ip, S.FSEL), data = linear(dp, S.FSEL + 2);
  const low = (v: number) => v & 0xffff | upper, high = (v: number) => (v >>> 16) << 12;
  return [...words, low(instruction), high(instruction) | fop, low(data), high(data)];
}

/** Sets control and status word as FLDENV, FRSTOR and FXRSTOR do: ES and B follow from exceptions and masks. */
export function setWords(m: Machine, fcw: number, fsw: number): void {
  const control = fcw & FCW_BITS | FCW_FIXED, status = fsw & STATUS_BITS & ~PENDING;
  m.i32[S.FCW >> 2] = control;
  m.i32[S.FSW >> 2] = status | (status & ~control & EXCEPTIONS ? PENDING : 0);
  m.i32[S.FTOP >> 2] = fsw >> TOP_SHIFT & 7;
}

/** Sets what FLDENV loads; `read` gives field `n`. */
function setFields(m: Machine, small: boolean, read: (n: number) => number): void {
  const { i32, u32 } = m;
  const v = Array.from({ length: 7 }, (_, n) => read(n));
  setWords(m, v[0], v[1]);
  let empty = 0;
  for (let n = 0; n < 8; n++) if ((v[2] >> n * 2 & 3) === EMPTY) empty |= 1 << n;
  i32[S.FEMPTY >> 2] = empty;
  const mask = small ? 0xffff : 0xffff_ffff;
  if (isProtected(m)) {
    u32[S.FIP >> 2] = v[3] & mask;
    u32[S.FDP >> 2] = v[5] & mask;
    i32[S.FSEL >> 2] = v[4] & 0xffff | v[6] << 16;
    i32[S.FOP >> 2] = small ? 0 : v[4] >> 16 & 0x7ff;
  } else {
    const high = (n: number) => (small ? n >> 12 & 15 : n >>> 12 & 0xffff) << 16;
    u32[S.FIP >> 2] = v[3] & 0xffff | high(v[4]);
    u32[S.FDP >> 2] = v[5] & 0xffff | high(v[6]);
    i32[S.FSEL >> 2] = 0;
    i32[S.FOP >> 2] = v[4] & 0x7ff;
  }
  i32[(S.FIP + 4) >> 2] = i32[(S.FDP + 4) >> 2] = 0;
}

function store(m: Machine, registers: boolean): void {
  const small = isSmall(m), size = small ? 2 : 4, length = size * 7 + (registers ? REGISTERS : 0);
  const area = new Area(m);
  area.probe(length, size);
  fields(m, small).forEach((v, n) => area.write(n * size, size, v));
  if (!registers) return;
  for (let i = 0; i < 8; i++) {
    const from = slot(m, i), to = size * 7 + i * 10;
    area.write(to, 4, m.u32[from >> 2]);
    area.write(to + 4, 4, m.u32[(from + 4) >> 2]);
    area.write(to + 8, 2, m.u16[(from + 8) >> 1]);
  }
}

/** FNSTENV: all exceptions are masked then. */
export function storeEnvironment(m: Machine): void {
  store(m, false);
  m.i32[S.FCW >> 2] |= EXCEPTIONS;
  m.i32[S.FSW >> 2] &= ~PENDING;
}

/** FNSAVE: initialises then. */
export function saveState(m: Machine): void {
  store(m, true);
  for (const at of [S.FSW, S.FTOP, S.FOP, S.FSEL, S.FIP, S.FIP + 4, S.FDP, S.FDP + 4]) m.i32[at >> 2] = 0;
  m.i32[S.FCW >> 2] = 0x37f;
  m.i32[S.FEMPTY >> 2] = 0xff;
}

/** FLDENV. */
export function loadEnvironment(m: Machine): void {
  const small = isSmall(m), size = small ? 2 : 4;
  const area = new Area(m);
  setFields(m, small, (n) => area.read(n * size, size));
}

/** FRSTOR. */
export function restoreState(m: Machine): void {
  const small = isSmall(m), size = small ? 2 : 4;
  const area = new Area(m);
  setFields(m, small, (n) => area.read(n * size, size));
  for (let i = 0; i < 8; i++) {
    const to = slot(m, i), from = size * 7 + i * 10;
    m.u32[to >> 2] = area.read(from, 4);
    m.u32[(to + 4) >> 2] = area.read(from + 4, 4);
    m.u16[(to + 8) >> 1] = area.read(from + 8, 2);
  }
}
