/**
 * The x87 instructions, of all processors from the 8087 on. Encodings that no manual names but processors accept are
 * forms of what they do there.
 * @module
 */
import type { Row } from "../insn.ts";
import { X87_ARITHMETIC } from "./x87_arith.ts";
import { X87_COMPARISON } from "./x87_compare.ts";
import { X87_CONTROL } from "./x87_control.ts";
import { X87_DATA } from "./x87_data.ts";

/** All x87 instructions. */
export const X87: readonly Row[] = [...X87_DATA, ...X87_ARITHMETIC, ...X87_COMPARISON, ...X87_CONTROL];
