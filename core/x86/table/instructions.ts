/**
 * The one instruction table: decoder, interpreter, translator, disassembler, documentation and tests are made from it.
 * @module
 */
import { InsnTable } from "../insn.ts";
import { INTEGER } from "./integer.ts";
import { SIMD } from "./simd.ts";
import { SYSTEM } from "./system.ts";
import { X87 } from "./x87.ts";

/** All instructions. */
export const INSTRUCTIONS: InsnTable = new InsnTable([...INTEGER, ...SYSTEM, ...X87, ...SIMD]);
