/**
 * The rows that are compared with the host processor, form by form, in the groups that the tests name.
 * @module
 */
import type { Row } from "../../core/x86/insn.ts";
import { AES } from "../../core/x86/table/aes.ts";
import { ARITHMETIC } from "../../core/x86/table/arithmetic.ts";
import { BCD } from "../../core/x86/table/bcd.ts";
import { BITS } from "../../core/x86/table/bits.ts";
import { BMI } from "../../core/x86/table/bmi.ts";
import { CONTROL } from "../../core/x86/table/control.ts";
import { DATA } from "../../core/x86/table/data.ts";
import { FXSAVE } from "../../core/x86/table/fxsave.ts";
import { LOGIC } from "../../core/x86/table/logic.ts";
import { MULTIPLY } from "../../core/x86/table/multiply.ts";
import { SHIFTS } from "../../core/x86/table/shift.ts";
import { SSE_41 } from "../../core/x86/table/sse41.ts";
import { SSE_42_STRING } from "../../core/x86/table/sse42_string.ts";
import { SSE_CONVERT } from "../../core/x86/table/sse_convert.ts";
import { SSE_FLOAT } from "../../core/x86/table/sse_float.ts";
import { SSE_INTEGER } from "../../core/x86/table/sse_integer.ts";
import { SSE_MOVE } from "../../core/x86/table/sse_move.ts";
import { STACKS } from "../../core/x86/table/stack.ts";
import { STRINGS } from "../../core/x86/table/string.ts";
import { X87_ARITHMETIC } from "../../core/x86/table/x87_arith.ts";
import { X87_COMPARISON } from "../../core/x86/table/x87_compare.ts";
import { X87_CONTROL } from "../../core/x86/table/x87_control.ts";
import { X87_DATA } from "../../core/x86/table/x87_data.ts";

/** Compared by differential_integer_test.ts. */
// deno-fmt-ignore
export const INTEGER_GROUPS: Readonly<Record<string, readonly Row[]>> = {
  ARITHMETIC, STACKS, LOGIC, BCD, DATA, MULTIPLY, CONTROL, STRINGS, SHIFTS, BITS, BMI,
};

/** Compared by differential_x87_test.ts. */
// deno-fmt-ignore
export const X87_GROUPS: Readonly<Record<string, readonly Row[]>> = {
  X87_DATA, X87_ARITHMETIC, X87_COMPARISON, X87_CONTROL,
};

/** Compared by differential_simd_test.ts. */
// deno-fmt-ignore
export const SIMD_GROUPS: Readonly<Record<string, readonly Row[]>> = {
  SSE_MOVE, SSE_FLOAT, SSE_CONVERT, SSE_INTEGER, SSE_41, SSE_42_STRING, AES, FXSAVE,
};
