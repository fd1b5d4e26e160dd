/**
 * Runs cases on two processors and says where they differ.
 * @module
 */
import type { Form } from "../../core/x86/insn.ts";
import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from "../../core/x86/flags.ts";
import { FLAG, GPR_NAMES, STATE_OFFSET, STATE_SIZE, TRAP } from "../host/state_block.ts";
import { type Encoding, startRip } from "./encode.ts";

const LETTERS: Readonly<Record<string, number>> = { O: OF, S: SF, Z: ZF, A: AF, P: PF, C: CF };

/** Flags that a form leaves with a defined value, or alone. Shifts and rotates by the constant one define OF. */
export function definedFlags(form: Form): number {
  let mask = STATUS_FLAGS | FLAG.df;
  const one = form.operands.some((o) => o.code === "1");
  for (const letter of form.row.attributes.undefined ?? "") {
    if (!(letter === "O" && one)) mask &= ~LETTERS[letter];
  }
  return mask;
}

function hex(v: bigint | number): string {
  return "0x" + v.toString(16);
}

/** How a record of `actual` differs from that of `expected`; empty if it does not. */
export function differences(
  e: Pick<Encoding, "mode" | "window">,
  flags: number,
  expected: DataView,
  actual: DataView,
  at: number,
): string[] {
  const out: string[] = [];
  const trapped = expected.getUint32(at + STATE_OFFSET.trap, true);
  const trap = actual.getUint32(at + STATE_OFFSET.trap, true);
  const rip = actual.getBigUint64(at + STATE_OFFSET.rip, true);
  // A branch to itself: the one processor was stopped behind it, the other went on.
  if (trap === TRAP.none && rip === BigInt(startRip(e.mode))) return out;
  if (trap !== trapped) return [`trap ${name(trap)}, not ${name(trapped)}`];
  const wide = e.mode === 64 ? -1n : 0xffff_ffffn;
  const check = (what: string, offset: number, mask: bigint) => {
    const a = actual.getBigUint64(at + offset, true) & mask, b = expected.getBigUint64(at + offset, true) & mask;
    if (a !== b) out.push(`${what} ${hex(a)}, not ${hex(b)}`);
  };
  GPR_NAMES.slice(0, e.mode === 64 ? 16 : 8).forEach((n, i) => check(n, i * 8, BigInt.asUintN(64, wide)));
  check("rip", STATE_OFFSET.rip, BigInt.asUintN(64, wide));
  // A fault leaves all flags as they were.
  check("flags", STATE_OFFSET.rflags, BigInt(trapped === TRAP.none ? flags : STATUS_FLAGS | FLAG.df));
  if (trapped !== TRAP.none) {
    check("cr2", STATE_OFFSET.cr2, 0xffff_ffff_ffff_ffffn);
    // Linux reports what is not the program's half of the addresses as present.
    const kernel = expected.getBigUint64(at + STATE_OFFSET.cr2, true) >= 0x7fff_ffff_f000n;
    check("error", STATE_OFFSET.error, kernel ? 0xffff_fffen : 0xffff_ffffn);
  }
  for (let i = 0; i < e.window.length; i++) {
    const a = actual.getUint8(at + STATE_SIZE + i), b = expected.getUint8(at + STATE_SIZE + i);
    if (a !== b) {
      out.push(`byte at ${hex(e.window.address + i)} is ${hex(a)}, not ${hex(b)}`);
      break;
    }
  }
  return out;
}

function name(trap: number): string {
  return trap === TRAP.none ? "none" : String(trap);
}

/** A case's state in one line. */
export function describe(e: Pick<Encoding, "mode" | "code">, state: DataView, at: number): string {
  const registers = GPR_NAMES.slice(0, e.mode === 64 ? 16 : 8)
    .map((n, i) => `${n}=${state.getBigUint64(at + i * 8, true).toString(16)}`).join(" ");
  const code = Array.from(e.code, (b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${e.mode}-bit ${code}: ${registers} flags=${state.getUint32(at + STATE_OFFSET.rflags, true).toString(16)}`;
}
