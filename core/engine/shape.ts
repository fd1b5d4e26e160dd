/**
 * The shape of a decoded instruction: all that a handler is specialised by besides its form, packed into one number.
 * @module
 */
import type { Decoder } from "../x86/decode.ts";
import { MODE_CODE, MODE_FLAT, MODE_STACK32 } from "../x86/mode.ts";
import { CS, ES, FS } from "../x86/state.ts";

/** How the effective address is put together. */
export const EA_NONE = 0, EA_DISP = 1, EA_BASE = 2, EA_INDEX = 3, EA_RIP = 4;

/**
 * How an offset becomes a linear address: with a checked segment and a 16- or 32-bit offset, flat with 32 or 64 bits, or
 * plus an unchecked base (64-bit mode) with a 64- or 32-bit offset.
 */
export const AM_SEG16 = 0, AM_SEG32 = 1, AM_FLAT32 = 2, AM_FLAT64 = 3, AM_BASE64 = 4, AM_BASE32 = 5;

/** Address size in bits for each way. */
export const AM_SIZE: readonly (16 | 32 | 64)[] = [16, 32, 32, 64, 64, 32];

/** A shape's parts. */
export interface Shape {
  /** Operand size. */
  readonly opsize: 16 | 32 | 64;
  /** Address size. */
  readonly asize: 16 | 32 | 64;
  /** Code size. */
  readonly code: 16 | 32 | 64;
  /** EA_… of the ModRM or moffs operand. */
  readonly ea: number;
  /** AM_… of that operand, or of a string source. */
  readonly am: number;
  /** AM_… of the stack. */
  readonly stackMode: number;
  /** AM_… of ES:rDI. */
  readonly destinationMode: number;
  /** Repeat prefix. */
  readonly rep: 0 | 1 | 2;
  /** LOCK. */
  readonly locked: boolean;
}

const SIZES = [16, 32, 64] as const;
const sizeCode = (s: 16 | 32 | 64): number => s === 16 ? 0 : s === 32 ? 1 : 2;

function addressMode(d: Decoder, mode: number, segment: number): number {
  const code = mode & MODE_CODE;
  if (code === 2) {
    if (segment >= FS) return d.asize === 64 ? AM_BASE64 : AM_BASE32;
    return d.asize === 64 ? AM_FLAT64 : AM_BASE32;
  }
  if (d.asize === 16) return AM_SEG16;
  return mode & MODE_FLAT && segment !== CS && segment < FS ? AM_FLAT32 : AM_SEG32;
}

/** The shape of what `d` has just decoded under `mode`, as a number. */
export function shapeOf(d: Decoder, mode: number): number {
  const code = mode & MODE_CODE;
  const stack = code === 2 ? AM_FLAT64 : !(mode & MODE_STACK32) ? AM_SEG16 : mode & MODE_FLAT ? AM_FLAT32 : AM_SEG32;
  const ea = !d.memory
    ? EA_NONE
    : d.ripRelative
    ? EA_RIP
    : d.base < 0 && d.index < 0
    ? EA_DISP
    : d.index < 0
    ? EA_BASE
    : EA_INDEX;
  const string = d.form.row.attributes.string !== undefined || d.form.row.attributes.address;
  const am = d.memory || string ? addressMode(d, mode, d.segment) : 0;
  const destination = string ? addressMode(d, mode, ES) : 0;
  return sizeCode(d.opsize) | ea << 2 | am << 5 | stack << 8 | code << 11 | d.rep << 13 | sizeCode(d.asize) << 15 |
    destination << 17 | +d.lock << 20;
}

/** Unpacks a shape number. */
export function unpackShape(n: number): Shape {
  return {
    opsize: SIZES[n & 3],
    ea: n >> 2 & 7,
    am: n >> 5 & 7,
    stackMode: n >> 8 & 7,
    code: SIZES[n >> 11 & 3],
    rep: (n >> 13 & 3) as 0 | 1 | 2,
    asize: SIZES[n >> 15 & 3],
    destinationMode: n >> 17 & 7,
    locked: (n >> 20 & 1) === 1,
  };
}
