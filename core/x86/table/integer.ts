/**
 * The integer instructions of user programs, of all processors from the 8086 on.
 * @module
 */
import type { Row } from "../insn.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { BCD } from "./bcd.ts";
import { BITS } from "./bits.ts";
import { BMI } from "./bmi.ts";
import { CONTROL } from "./control.ts";
import { DATA } from "./data.ts";
import { LOGIC } from "./logic.ts";
import { MULTIPLY } from "./multiply.ts";
import { SHIFTS } from "./shift.ts";
import { STACKS } from "./stack.ts";
import { STRINGS } from "./string.ts";

/** All integer instructions, the groups in the order of their first opcodes. */
// deno-fmt-ignore
export const INTEGER: readonly Row[] = [
  ...ARITHMETIC, ...STACKS, ...LOGIC, ...BCD, ...DATA, ...MULTIPLY, ...CONTROL, ...STRINGS, ...SHIFTS, ...BITS,
  ...BMI,
];
