/**
 * Where a relative branch leads, as emitted code works it out from the branch's record.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../wasm/expr.ts";
import * as S from "../x86/state.ts";
import type { Shape } from "./shape.ts";

/** In place of a branch's target record: the target was valid, but in another page. */
export const ELSEWHERE = 1;

const ZERO = i32.const(0);

/** The target of the branch whose record is `p`, masked to the width of its instruction pointer. */
export function relativeTarget(p: I32, shape: Shape): I64 {
  const within = i32.add(i32.load16_u(p, { offset: S.R_OFFSET }), i32.load8_u(p, { offset: S.R_LENGTH }));
  const distance = i64.add(i64.extend_i32_u(within), i64.load32_s(p, { offset: S.R_DISP }));
  const mask = shape.opsize === 16 ? 0xffff : shape.code === 64 ? -1 : 0xffff_ffff;
  return i64.and(i64.add(i64.load(ZERO, { offset: S.CODE_BASE }), distance), i64.const(mask));
}

/** The limit of CS. */
export function codeLimit(): I64 {
  return i64.load32_u(ZERO, { offset: S.SEG + S.CS * S.SEG_SIZE + S.SEG_LIMIT });
}
