/**
 * The stack as far transfers and event delivery use it: checked by the SS in the state, with the rights of the CPL in
 * the state, so that a new stack is used by loading it first.
 * @module
 */
import type { Machine } from "../machine.ts";
import { SEG_LOW, SEG_READ, SEG_WRITE, SS } from "../state.ts";
import { attributesOf, baseOf, get64, gpr, isCanonical, put32, put64, segment, SS as SS_FAULT } from "./access.ts";
import { BIG } from "./descriptors.ts";
import { cpl, is64 } from "./mode.ts";

/** An operand of a push or pop, bytes. */
export type StackSize = 2 | 4 | 8;

const RSP = gpr(4);

/** Bits of the stack pointer that count. */
export function stackWidth(m: Machine): 16 | 32 | 64 {
  if (is64(m)) return 64;
  return attributesOf(m, SS) & BIG ? 32 : 16;
}

/** The stack pointer, as many bits as count. */
export function stackPointer(m: Machine): number {
  const width = stackWidth(m);
  return width === 64 ? get64(m, RSP) : width === 32 ? m.u32[RSP >> 2] : m.u16[RSP >> 1];
}

/** Sets as many bits of the stack pointer as count; 32 bits clear the upper half. */
export function setStackPointer(m: Machine, value: number): void {
  const width = stackWidth(m);
  if (width === 64) put64(m, RSP, value);
  else if (width === 32) put32(m, RSP, value);
  else m.u16[RSP >> 1] = value;
}

function wrap(m: Machine, value: number): number {
  const width = stackWidth(m);
  return width === 64 ? value : width === 32 ? value >>> 0 : value & 0xffff;
}

/** Linear address of `[SS:offset]`, checked for `size` bytes; faults with #SS(error). */
function locate(m: Machine, offset: number, size: number, write: boolean, error: number): number {
  if (is64(m)) {
    if (!isCanonical(offset) || !isCanonical(offset + size - 1)) m.fault(SS_FAULT, error);
    return offset;
  }
  const at = segment(SS), high = get64(m, at + (write ? SEG_WRITE : SEG_READ));
  if (offset < get64(m, at + SEG_LOW) || offset + size - 1 > high) m.fault(SS_FAULT, error);
  return (baseOf(m, SS) + offset) >>> 0;
}

/** Faults with #SS(error) if `bytes` cannot be pushed. */
export function reserve(m: Machine, bytes: number, error: number): void {
  const offset = wrap(m, stackPointer(m) - bytes);
  // A frame that wraps around the segment is checked push by push.
  if (offset + bytes <= 0x1_0000_0000 || is64(m)) locate(m, offset, bytes, true, error);
}

/** Pushes 2, 4 or 8 bytes; `error` is #SS's error code. */
export function push(m: Machine, size: StackSize, low: number, high: number = 0, error: number = 0): void {
  const sp = wrap(m, stackPointer(m) - size), user = cpl(m) === 3;
  const linear = locate(m, sp, size, true, error);
  if (size === 8) {
    m.write(linear + 4, 4, high >>> 0, user);
    m.write(linear, 4, low >>> 0, user);
  } else m.write(linear, size, size === 2 ? low & 0xffff : low >>> 0, user);
  setStackPointer(m, sp);
}

/** Items for {@linkcode pushFrame}, each in two words, in the order in which they are pushed. */
export const FRAME: Int32Array = new Int32Array(20);

/** Pushes the first `count` items of {@linkcode FRAME}; `error` is #SS's error code. */
export function pushFrame(m: Machine, size: StackSize, count: number, error: number): void {
  const place = size === 2 ? -1 : framePlace(m, stackPointer(m) - count * size, count * size, true);
  if (place < 0) {
    for (let n = 0; n < count; n++) push(m, size, FRAME[2 * n], FRAME[2 * n + 1], error);
    return;
  }
  const { words } = m;
  for (let n = 0, at = place + count * (size >> 2); n < count; n++) {
    if (size === 8) words[--at] = FRAME[2 * n + 1];
    words[--at] = FRAME[2 * n];
  }
  setStackPointer(m, stackPointer(m) - count * size);
}

/**
 * Where the bytes on the stack from `sp` on are in {@linkcode Machine.words}; −1 if they have to be accessed item by item.
 */
export function framePlace(m: Machine, sp: number, bytes: number, write: boolean): number {
  let linear = sp;
  if (!is64(m)) {
    const at = segment(SS), high = get64(m, at + (write ? SEG_WRITE : SEG_READ));
    if (sp < get64(m, at + SEG_LOW) || sp + bytes - 1 > Math.min(high, 0xffff_ffff)) return -1;
    linear = (baseOf(m, SS) + sp) >>> 0;
  }
  return m.place(linear, bytes, cpl(m) === 3, write);
}

/** Pushes a signed number. */
export function pushNumber(m: Machine, size: StackSize, value: number, error: number = 0): void {
  push(m, size, value | 0, Math.floor(value / 0x1_0000_0000), error);
}

/** The low word of what lies `offset` bytes above the stack top, unsigned, in 2 or 4 bytes of an item of `size`. */
export function peek(m: Machine, offset: number, size: StackSize): number {
  const linear = locate(m, wrap(m, stackPointer(m) + offset), size, false, 0);
  return m.read(linear, size === 2 ? 2 : 4, cpl(m) === 3);
}

/** The same as a signed number when `size` is 8. */
export function peekNumber(m: Machine, offset: number, size: StackSize): number {
  const low = peek(m, offset, size);
  if (size !== 8) return low;
  return (peek(m, offset + 4, 4) | 0) * 0x1_0000_0000 + low;
}

/** Moves the stack pointer up. */
export function release(m: Machine, bytes: number): void {
  setStackPointer(m, wrap(m, stackPointer(m) + bytes));
}
