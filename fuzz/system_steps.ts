/**
 * System instructions for streams, with operands that they accept more often than not.
 * @module
 */
import type { Form } from "../core/x86/insn.ts";
import { MSR_INDEX_LIST } from "../core/x86/system/msr.ts";
import type { Prng } from "../tests/differential/prng.ts";
import type { Step } from "./program.ts";
import { instruction, moveTo, type StepOptions } from "./steps.ts";

const CR0_BITS = [0, 1, 2, 3, 5, 16, 18, 29, 30, 31],
  CR4_BITS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 16, 17, 18, 20, 21];
/** They take a selector. */
const SELECTORS = /^(LLDT|LTR|VERR|VERW|LAR|LSL|MOV|ARPL)$/;

/** A value for a control register. */
function controlValue(n: number, r: Prng): bigint {
  if (n === 0) {
    return BigInt((0x33 | (r.once(2) ? 0x8000_0000 : 0)) >>> 0) ^ (r.once(2) ? 1n << BigInt(r.pick(CR0_BITS)) : 0n);
  }
  if (n === 3) return r.once(4) ? BigInt(r.u32()) : BigInt(r.pick([0x1000, 0x5000, 0x7000]) + (r.once(4) ? 0x18 : 0));
  if (n === 4) return 0x620n ^ 1n << BigInt(r.pick(CR4_BITS)) ^ (r.once(2) ? 0x20n : 0n);
  return r.value();
}

/** A system instruction; null if the mode does not have it. */
export function systemSteps(form: Form, options: StepOptions): Step[] | null {
  const { mode, random: r, selectors } = options;
  const steps = instruction(form, options);
  if (!steps) return null;
  const last = steps[steps.length - 1];
  const wide = (v: bigint) => BigInt.asUintN(mode === 64 ? 64 : 32, v);
  const modrm = last.bytes[last.bytes.length - 1];
  if (/^(RDMSR|WRMSR)$/.test(form.mnemonic)) {
    steps.unshift(moveTo(mode, 1, BigInt(r.pick(MSR_INDEX_LIST))));
    if (r.once(2)) steps.unshift(moveTo(mode, 2, 0n), moveTo(mode, 0, BigInt(r.once(2) ? r.u32() : r.below(0x1000))));
  } else if (form.mnemonic === "XSETBV") {
    steps.unshift(moveTo(mode, 1, 0n), moveTo(mode, 2, 0n), moveTo(mode, 0, BigInt(r.pick([1, 3, 7, 2]))));
  } else if (form.operands[0]?.code === "C" && modrm >= 0xc0) {
    const rex = last.bytes.find((b) => (b & 0xf0) === 0x40) ?? 0;
    const value = controlValue((modrm >> 3 & 7) | (rex & 4) << 1, r);
    steps.unshift(moveTo(mode, (modrm & 7) | (rex & 1) << 3, wide(value)));
  } else if (SELECTORS.test(form.mnemonic) && form.modrm && modrm >= 0xc0 && selectors.length) {
    const rex = mode === 64 ? last.bytes.find((b) => (b & 0xf0) === 0x40) ?? 0 : 0;
    const value = BigInt(r.once(8) ? r.below(0x1_0000) : r.pick(selectors));
    steps.unshift(moveTo(mode, (modrm & 7) | (rex & 1) << 3, value));
  }
  return steps;
}
