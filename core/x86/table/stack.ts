/**
 * PUSH, POP and stack frames. Segment registers are popped in system.ts.
 * @module
 */
import { i32, type I64, i64 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { SEG, SEG_SELECTOR, SEG_SIZE } from "../state.ts";
import { k, zeroExtend } from "./arith_flags.ts";

const push = (c: Ctx): void => c.push(c.dst.read(), c.opsize);

function pop(c: Ctx): void {
  const v = c.pop(c.opsize);
  c.dst.write(v);
}

/**
 * PUSH of a segment register. With 32 bits only 16 are written and the upper half of the slot stays as it is, as on all
 * processors of today; the manual allows either.
 */
function pushSegment(c: Ctx): void {
  const n = c.form.operands[0].fixed;
  const selector = c.state<I64>("i64.load16_u", SEG + n * SEG_SIZE + SEG_SELECTOR);
  if (c.opsize !== 32) return c.push(selector, c.opsize);
  const pointer = c.reg(4, c.stack), top = c.f.let(i64.sub(pointer.read(), k(4)));
  c.stackMemory(top, 16).write(selector);
  pointer.write(top);
}

function pusha(c: Ctx): void {
  const width = c.opsize;
  const values = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => c.reg(n, width).read());
  for (const v of values) c.push(v, width);
}

/** POPA: the slot of SP is skipped. */
function popa(c: Ctx): void {
  const width = c.opsize;
  const values = [7, 6, 5, 4, 3, 2, 1, 0].map(() => c.pop(width));
  values.forEach((v, i) => i !== 3 && c.reg(7 - i, width).write(v));
}

/**
 * ENTER: the frame pointers of `level` − 1 enclosing frames are copied. Nothing is committed before the last slot, at
 * the new stack pointer, is known to be writable.
 */
function enter(c: Ctx): void {
  const { f } = c;
  const width = c.opsize, slot = k(width / 8), size = c.imm();
  const sp = f.local("i64"), below = (v: I64): I64 => zeroExtend(i64.sub(v, slot), c.stack);
  f.set(sp, below(c.reg(4, c.stack).read()));
  c.stackMemory(f.get(sp), width).write(c.reg(5, width).read());
  const frame = f.let(f.get(sp));
  const level = f.local("i32");
  f.set(level, i32.and(i32.wrap_i64(i64.shr_u(size, k(32))), i32.const(31)));
  f.if(f.get(level), () => {
    const outer = f.local("i64");
    f.set(outer, c.reg(5, c.stack).read());
    f.block((done) =>
      f.loop((again) => {
        f.set(level, i32.sub(f.get(level), i32.const(1)));
        f.brIf(done, i32.eqz(f.get(level)));
        f.set(outer, below(f.get(outer)));
        f.set(sp, below(f.get(sp)));
        c.stackMemory(f.get(sp), width).write(c.stackMemory(f.get(outer), width).read());
        f.br(again);
      })
    );
    f.set(sp, below(f.get(sp)));
    c.stackMemory(f.get(sp), width).write(frame);
  });
  const top = f.let(zeroExtend(i64.sub(f.get(sp), i64.and(size, k(0xffff))), c.stack));
  c.stackMemory(top, width).modify();
  c.reg(4, c.stack).write(top);
  c.reg(5, width).write(frame);
}

function leave(c: Ctx): void {
  const width = c.opsize, frame = c.reg(5, c.stack).read();
  const v = c.stackMemory(frame, width).read();
  c.reg(4, c.stack).write(c.f.let(i64.add(frame, k(width / 8))));
  c.reg(5, width).write(v);
}

const STACK = { stack: true, long: "default64" } as const;
const STACK186 = { cpuid: "i186", ...STACK } as const;
const STACK386 = { cpuid: "i386", ...STACK } as const;
const OLD = { stack: true, long: "invalid" } as const;
const OLD186 = { cpuid: "i186", ...OLD } as const;

/** Stack instructions. */
// deno-fmt-ignore
export const STACKS: readonly Row[] = [
  insn("PUSH", "06 ES|0E CS|16 SS|1E DS", OLD, pushSegment),
  insn("PUSH", "50+r Zv|FF /6 Ev", STACK, push),
  insn("POP", "58+r Zv|8F /0 Ev", STACK, pop),
  insn("PUSHA", "60", OLD186, pusha),
  insn("POPA", "61", OLD186, popa),
  insn("PUSH", "68 sIz|6A sIb", STACK186, push),
  insn("ENTER", "C8 Iw,Ib", STACK186, enter),
  insn("LEAVE", "C9", STACK186, leave),
  insn("PUSH", "0F A0 FS|0F A8 GS", STACK386, pushSegment),
];
