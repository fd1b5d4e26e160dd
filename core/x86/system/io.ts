/**
 * Port I/O: who may, and the string instructions in batches. Source: SDM volume 1, chapter 19; volume 2, INS and OUTS.
 * @module
 */
import { DF, IOPL } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { ARG, CR0, ES, FLAT, RFLAGS, SEG_BASE, SEG_LOW, SEG_READ, SEG_WRITE, SS, TR } from "../state.ts";
import { attributesOf, get64, getRip, GP, gpr, isCanonical, limitOf, linearAt, nextRip, put32 } from "./access.ts";
import { baseOf, put64, segment, setRip, SS as SS_FAULT } from "./access.ts";
import { CR0_PE } from "./control.ts";
import { watchPort } from "./debug_registers.ts";
import { cpl, is64, isV86 } from "./mode.ts";

/** Faults with #GP(0) unless the program may use the port: by IOPL, else by the TSS's permission bitmap. */
export function checkPort(m: Machine, port: number, size: number): void {
  if (!(m.i32[CR0 >> 2] & CR0_PE)) return;
  if (!isV86(m) && cpl(m) <= (m.i32[RFLAGS >> 2] & IOPL) >> 12) return;
  const limit = limitOf(m, TR), base = baseOf(m, TR);
  if (!(attributesOf(m, TR) & 8) || limit < 103) m.fault(GP, 0);
  const at = m.read(linearAt(m, base, 102), 2, false) + (port >> 3);
  if (at + 1 > limit) m.fault(GP, 0);
  const bits = m.read(linearAt(m, base, at), 2, false) >> (port & 7);
  if (bits & ((1 << size) - 1)) m.fault(GP, 0);
}

/** IN; −1 if RUN ends before the value is there. */
export function input(m: Machine, port: number, size: number): number {
  checkPort(m, port, size);
  const value = m.portIn(port, size);
  if (value >= 0) watchPort(m, port, size);
  return value;
}

/** OUT; false if RUN ends first. */
export function output(m: Machine, port: number, size: number, value: number): boolean {
  checkPort(m, port, size);
  const done = m.portOut(port, size, value);
  if (done) watchPort(m, port, size);
  return done;
}

/** A register's low bits by address size (16, 32, 64), as a number; signed for 64. */
function readIndex(m: Machine, n: number, asize: number): number {
  const at = gpr(n);
  return asize === 16 ? m.u16[at >> 1] : asize === 32 ? m.u32[at >> 2] : get64(m, at);
}

function writeIndex(m: Machine, n: number, asize: number, value: number): void {
  const at = gpr(n);
  if (asize === 16) m.u16[at >> 1] = value;
  else if (asize === 32) put32(m, at, value);
  else put64(m, at, value);
}

/** How many items of `size` from `offset` on lie in the segment, at most `count`; faults if the first does not. */
function itemsInside(
  m: Machine,
  seg: number,
  offset: number,
  size: number,
  count: number,
  write: boolean,
  asize: number,
  backward: boolean,
): number {
  if (is64(m)) {
    const linear = linearOf(m, seg, offset);
    if (!isCanonical(linear) || !isCanonical(linear + size - 1)) m.fault(seg === segment(SS) ? SS_FAULT : GP, 0);
    return count;
  }
  const low = get64(m, seg + SEG_LOW), high = get64(m, seg + (write ? SEG_WRITE : SEG_READ));
  if (offset < low || offset + size - 1 > high) m.fault(seg === segment(SS) ? SS_FAULT : GP, 0);
  // The index wraps at the address size: what is behind that is the next batch.
  const last = Math.min(high, asize === 16 ? 0xffff : 0xffff_ffff);
  const room = backward ? offset - low : last - offset - size + 1;
  return Math.max(1, Math.min(count, Math.floor(room / size) + 1));
}

function linearOf(m: Machine, seg: number, offset: number): number {
  const linear = get64(m, seg + SEG_BASE) + offset;
  return is64(m) ? linear : linear >>> 0;
}

/** INS and OUTS. ARG 0: size in bytes; 1: address size; 2: whether repeated; the segment is the engine's. */
function portString(m: Machine, out: boolean): void {
  const size = m.i32[ARG >> 2], asize = m.i32[(ARG + 8) >> 2], repeated = m.i32[(ARG + 16) >> 2] !== 0;
  const count = repeated ? readIndex(m, 1, asize) : 1;
  if (count === 0) return setRip(m, nextRip(m));
  const index = out ? 6 : 7, offset = readIndex(m, index, asize), port = m.u16[gpr(2) >> 1];
  const seg = out ? m.segment : segment(is64(m) ? FLAT : ES), backward = (m.i32[RFLAGS >> 2] & DF) !== 0;
  checkPort(m, port, size);
  // A negative 64-bit count is an enormous one.
  const wanted = count < 0 ? 0x7fff_ffff : count;
  const inside = itemsInside(m, seg, offset, size, Math.min(wanted, 4096), !out, asize, backward);
  const rip = getRip(m);
  const n = m.portString(port, size, out, linearOf(m, seg, offset), inside, backward);
  writeIndex(m, index, asize, offset + (backward ? -n : n) * size);
  if (repeated) {
    const rest = subtract(m, asize, n);
    setRip(m, rest ? nextRip(m) : rip);
  } else setRip(m, nextRip(m));
  watchPort(m, port, size);
}

/** Takes `n` from the count register; whether nothing is left. */
function subtract(m: Machine, asize: number, n: number): boolean {
  if (asize === 64) {
    const at = gpr(1) >> 3, rest = BigInt.asUintN(64, m.u64[at] - BigInt(n));
    m.u64[at] = rest;
    return rest === 0n;
  }
  const rest = readIndex(m, 1, asize) - n;
  writeIndex(m, 1, asize, rest);
  return rest === 0;
}

/** INS. */
export function inputString(m: Machine): void {
  portString(m, false);
}

/** OUTS. */
export function outputString(m: Machine): void {
  portString(m, true);
}
