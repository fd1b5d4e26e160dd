/** Soft-float against the host processor: x87 arithmetic, conversions, transcendentals. @module */
import { assert, assertEquals } from "@std/assert";
import { DATA_ADDRESS } from "../../../tests/host/memory_map.ts";
import { NativeCpu } from "../../../tests/host/native_cpu.ts";
import { STATE_SIZE, StateBlock, TRAP } from "../../../tests/host/state_block.ts";
import type { F80Bits, Outcome } from "./f80_value.ts";
import { C0, C1, C2, C3, F32, F64, NO_RESULT } from "./format.ts";
import type { SoftFloatName } from "./softfloat.ts";
import { Instance, Operands } from "./support_test.ts";
import * as transcendental from "./transcendental.ts";

const CASES = 1500;
const EXCEPTIONS = 0x3f;
const CODES = C0 | C1 | C2 | C3;

const missing = NativeCpu.unavailable();
const name = (what: string): string => `${what}${missing ? `: ${missing}` : ""}`;

/** One case: two stack operands, 10 bytes of memory, a control word. */
interface Case {
  readonly a: F80Bits;
  readonly b: F80Bits;
  readonly memory: F80Bits;
  readonly fcw: number;
}

/** What the processor made of it. */
interface Native {
  readonly status: number;
  readonly st: readonly F80Bits[];
  readonly memory: F80Bits;
}

function readF80(view: DataView, at: number): F80Bits {
  return { sig: view.getBigUint64(at, true), se: view.getUint16(at + 8, true) };
}

function writeF80(view: DataView, at: number, value: F80Bits): void {
  view.setBigUint64(at, value.sig, true);
  view.setUint16(at + 8, value.se, true);
}

/** Runs code with a in ST(0), b in ST(1) and RAX at the memory operand. */
function native(cpu: NativeCpu, code: readonly number[], cases: readonly Case[]): Native[] {
  const record = STATE_SIZE + 16;
  const inputs = new Uint8Array(cases.length * record), outputs = new Uint8Array(inputs.length);
  const state = new StateBlock(inputs), view = new DataView(inputs.buffer);
  cases.forEach(({ a, b, memory, fcw }, i) => {
    state.at(i * record).reset();
    cpu.prepare(state, 64);
    state.setX87("fcw", fcw);
    state.setX87("ftw", 3);
    state.setGpr("rax", BigInt(DATA_ADDRESS));
    writeF80(view, state.st(0).byteOffset, a);
    writeF80(view, state.st(1).byteOffset, b);
    writeF80(view, i * record + STATE_SIZE, memory);
  });
  cpu.runBatch({
    mode: 64,
    code: Uint8Array.from(code),
    inputs,
    outputs,
    window: { address: DATA_ADDRESS, length: 16 },
  });
  const out = new StateBlock(outputs), result = new DataView(outputs.buffer);
  return cases.map((_, i) => {
    out.at(i * record);
    assertEquals(out.trap, TRAP.none);
    const st = [0, 1].map((n) => readF80(result, out.st(n).byteOffset));
    return { status: out.x87("fsw"), st, memory: readF80(result, i * record + STATE_SIZE) };
  });
}

function makeCases(seed: number, more: (operands: Operands, one: Case) => Partial<Case> = () => ({})): Case[] {
  const operands = new Operands(seed);
  return Array.from({ length: CASES }, () => {
    const a = operands.f80(), b = operands.f80(a);
    const one = { a, b, memory: { sig: 0x1122334455667788n, se: 0x99aa }, fcw: operands.fcw() };
    return { ...one, ...more(operands, one) };
  });
}

/** Fails with everything that is needed to see why. */
function expect(what: string, one: Case, got: unknown[], want: unknown[]): void {
  const same = got.every((g, i) => g === want[i] || isSame(g, want[i]));
  if (!same) assertEquals(got, want, `${what} ${Deno.inspect(one)}`);
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object") return false;
  const x = a as F80Bits, y = b as F80Bits;
  return x.sig === y.sig && x.se === y.se;
}

Deno.test({
  name: name("defineSoftFloat() agrees with the host processor on x87 arithmetic"),
  ignore: missing !== undefined,
  fn() {
    using cpu = NativeCpu.open();
    const soft = new Instance();
    // deno-fmt-ignore
    const rows: [SoftFloatName, number[], 1 | 2][] = [
      ["f80_add", [0xd8, 0xc1], 2], ["f80_sub", [0xd8, 0xe1], 2], ["f80_mul", [0xd8, 0xc9], 2],
      ["f80_div", [0xd8, 0xf1], 2], ["f80_sqrt", [0xd9, 0xfa], 1], ["f80_round", [0xd9, 0xfc], 1],
      ["f80_prem", [0xd9, 0xf8], 2], ["f80_prem1", [0xd9, 0xf5], 2], ["f80_scale", [0xd9, 0xfd], 2],
      ["f80_compare", [0xd8, 0xd1], 2], ["f80_compare_quiet", [0xdd, 0xe1], 2],
    ];
    for (const [what, code, count] of rows) {
      const cases = makeCases(code[1], (operands) => {
        // Factors that matter to FSCALE.
        if (what !== "f80_scale" || operands.below(3) === 0) return {};
        return {
          b: { sig: 1n << 63n | operands.bits(), se: operands.below(2) << 15 | 16383 + operands.below(18) - 2 },
        };
      });
      const codes = what.includes("prem") || what.includes("compare") ? CODES : C1;
      native(cpu, code, cases).forEach(({ status, st }, i) => {
        const one = cases[i];
        const flags = soft.slots(what, [one.a, one.b].slice(0, count), one.fcw);
        const unwritten = flags & NO_RESULT || what.includes("compare");
        expect(what, one, [unwritten ? one.a : soft.slot(96), flags & (EXCEPTIONS | codes)], [
          st[0],
          status & (EXCEPTIONS | codes),
        ]);
      });
    }
  },
});

Deno.test({
  name: name("defineSoftFloat() agrees with the host processor on FXTRACT"),
  ignore: missing !== undefined,
  fn() {
    using cpu = NativeCpu.open();
    const soft = new Instance();
    const cases = makeCases(77);
    native(cpu, [0xd9, 0xf4], cases).forEach(({ status, st }, i) => {
      const { a, b, fcw } = cases[i];
      soft.setSlot(64, a);
      const flags = Number(soft.call("f80_extract", 64, 80, 96, fcw));
      const got = flags & NO_RESULT ? [a, b] : [soft.slot(96), soft.slot(80)];
      expect("f80_extract", cases[i], [...got, flags & EXCEPTIONS], [...st, status & EXCEPTIONS]);
    });
  },
});

Deno.test({
  name: name("defineSoftFloat() agrees with the host processor on x87 stores"),
  ignore: missing !== undefined,
  fn() {
    using cpu = NativeCpu.open();
    const soft = new Instance();
    // deno-fmt-ignore
    const rows: [SoftFloatName, number[]][] = [
      ["f80_to_f32", [0xd9, 0x10]], ["f80_to_f64", [0xdd, 0x10]], ["f80_to_i16", [0xdf, 0x10]], ["f80_to_i32", [0xdb, 0x10]],
      ["f80_to_i64", [0xdf, 0x38]], ["f80_to_i16_trunc", [0xdf, 0x08]], ["f80_to_i32_trunc", [0xdb, 0x08]],
      ["f80_to_i64_trunc", [0xdd, 0x08]], ["f80_to_bcd", [0xdf, 0x30]],
    ];
    for (const [what, code] of rows) {
      const cases = makeCases(code[0] * code[1]);
      native(cpu, code, cases).forEach(({ status, memory }, i) => {
        const one = cases[i];
        soft.setSlot(96, one.memory);
        const flags = soft.slots(what, [one.a], one.fcw);
        const bits = EXCEPTIONS | C1;
        expect(what, one, [soft.slot(96), flags & bits], [memory, status & bits]);
      });
    }
  },
});

Deno.test({
  name: name("defineSoftFloat() agrees with the host processor on x87 loads and memory operands"),
  ignore: missing !== undefined,
  fn() {
    using cpu = NativeCpu.open();
    const soft = new Instance();
    const decimal = (operands: Operands): F80Bits => {
      const digits = BigInt.asUintN(64, operands.bits());
      const nines = digits.toString(16).replace(/[a-f]/g, (d) => String(d.charCodeAt(0) % 10));
      return { sig: BigInt(`0x${nines}`), se: operands.below(2) << 15 | operands.below(10) << 4 | operands.below(10) };
    };
    const bits = EXCEPTIONS | C1;
    const number = (format: typeof F32) => (sig: bigint): number | bigint => format === F32 ? Number(sig) | 0 : sig;
    for (const [format, load, add] of [[F32, 0xd9, 0xd8], [F64, 0xdd, 0xdc]] as const) {
      const type = format.name as "f32" | "f64", typed = number(format);
      const cases = makeCases(load, (operands) => ({ memory: { sig: operands.sse(format), se: 0 } }));
      native(cpu, [load, 0x00], cases).forEach(({ status, st }, i) => {
        const { a, memory, fcw } = cases[i];
        const flags = Number(soft.call(`f80_from_${type}`, typed(memory.sig), 96, fcw));
        expect(`f80_from_${type}`, cases[i], [flags & NO_RESULT ? a : soft.slot(96), flags & bits], [
          st[0],
          status & bits,
        ]);
      });
      native(cpu, [add, 0x00], cases).forEach(({ status, st }, i) => {
        const { a, memory, fcw } = cases[i];
        const pending = Number(soft.call(`f80_from_${type}_operand`, typed(memory.sig), 80));
        const flags = soft.slots("f80_add", [a, soft.slot(80)], fcw | pending);
        expect(`f80_add ${type}`, cases[i], [flags & NO_RESULT ? a : soft.slot(96), flags & bits], [
          st[0],
          status & bits,
        ]);
      });
    }
    const integers = makeCases(5, (operands) => ({ memory: { sig: operands.pattern(64), se: 0 } }));
    native(cpu, [0xdf, 0x28], integers).forEach(({ status, st }, i) => {
      const flags = Number(soft.call("f80_from_i64", integers[i].memory.sig, 96));
      expect("f80_from_i64", integers[i], [soft.slot(96), flags], [st[0], status & bits]);
    });
    const decimals = makeCases(6, (operands) => ({ memory: decimal(operands) }));
    native(cpu, [0xdf, 0x20], decimals).forEach(({ status, st }, i) => {
      soft.setSlot(64, decimals[i].memory);
      const flags = Number(soft.call("f80_from_bcd", 64, 96));
      expect("f80_from_bcd", decimals[i], [soft.slot(96), flags], [st[0], status & bits]);
    });
  },
});

/** Distance in units of the last place, or a large number where signs differ. */
function ulps(a: F80Bits, b: F80Bits): number {
  const line = ({ sig, se }: F80Bits): bigint => (BigInt(se & 0x7fff) << 63n) + BigInt.asUintN(63, sig);
  if (a.se >> 15 !== b.se >> 15) return Infinity;
  const difference = line(a) - line(b);
  return Number(difference < 0n ? -difference : difference);
}

Deno.test({
  name: name("fsin() and its kin are within 1 ulp of the host processor"),
  ignore: missing !== undefined,
  fn() {
    using cpu = NativeCpu.open();
    const { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } = transcendental;
    // deno-fmt-ignore
    const rows: [string, number, (one: Case) => Outcome, (operands: Operands) => Partial<Case>][] = [
      ["f2xm1", 0xf0, ({ a, fcw }) => f2xm1(a, fcw), (o) => ({ a: finite(o, -80, -1) })],
      ["fyl2x", 0xf1, ({ a, b, fcw }) => fyl2x(b, a, fcw), (o) => ({ a: { ...finite(o, -40, 40), se: 16383 + o.below(3) - 1 } })],
      ["fptan", 0xf2, ({ a, fcw }) => fptan(a, fcw), (o) => ({ a: finite(o, -80, 64) })],
      ["fpatan", 0xf3, ({ a, b, fcw }) => fpatan(b, a, fcw), (o) => ({ a: finite(o, -50, 50), b: finite(o, -50, 50) })],
      ["fyl2xp1", 0xf9, ({ a, b, fcw }) => fyl2xp1(b, a, fcw), (o) => ({ a: finite(o, -80, -3) })],
      ["fsincos", 0xfb, ({ a, fcw }) => fsincos(a, fcw), (o) => ({ a: finite(o, -80, 64) })],
      ["fsin", 0xfe, ({ a, fcw }) => fsin(a, fcw), (o) => ({ a: finite(o, -80, 64) })],
      ["fcos", 0xff, ({ a, fcw }) => fcos(a, fcw), (o) => ({ a: finite(o, -80, 64) })],
    ];
    for (const [what, opcode, run, usual] of rows) {
      const cases = makeCases(opcode, (operands) => operands.below(2) ? usual(operands) : {});
      const bits = EXCEPTIONS | C2;
      native(cpu, [0xd9, opcode], cases).forEach(({ status, st }, i) => {
        const one = cases[i];
        const { values, flags } = run(one);
        expect(what, one, [flags & bits], [status & bits]);
        const got = values.length ? values : [st[0].sig === 3n << 62n ? st[0] : one.a];
        got.forEach((v, n) => assert(ulps(v, st[n]) <= 1, `${what} ${n} ${Deno.inspect([one, got, st])}`));
      });
    }
  },
});

/** A finite value whose exponent lies between two. */
function finite(operands: Operands, low: number, high: number): F80Bits {
  const exp = 16383 + low + operands.below(high - low + 1);
  return { sig: 1n << 63n | operands.pattern(63), se: operands.below(2) << 15 | exp };
}
