/**
 * MMX, SSE to SSE4.2, AES-NI and PCLMULQDQ, and the instructions that save and restore their state.
 * @module
 */
import type { Row } from "../insn.ts";
import { AES } from "./aes.ts";
import { FXSAVE } from "./fxsave.ts";
import { SSE_41 } from "./sse41.ts";
import { SSE_42_STRING } from "./sse42_string.ts";
import { SSE_CONVERT } from "./sse_convert.ts";
import { SSE_FLOAT } from "./sse_float.ts";
import { SSE_INTEGER } from "./sse_integer.ts";
import { SSE_MOVE } from "./sse_move.ts";

/** All of them. */
// deno-fmt-ignore
export const SIMD: readonly Row[] = [
  ...SSE_MOVE, ...SSE_FLOAT, ...SSE_CONVERT, ...SSE_INTEGER, ...FXSAVE, ...SSE_41, ...SSE_42_STRING, ...AES,
];
