import { assertEquals, assertThrows } from "@std/assert";
import { ModuleBuilder } from "../../wasm/module.ts";
import { C0, C1, C3, DE, F32, F64, IE, NO_RESULT, OE, PE, UE, ZE } from "./format.ts";
import { importSoftFloat, SOFT_FLOAT_NAMES, SOFT_FLOAT_SIGNATURES } from "./softfloat.ts";
import { Instance, Operands } from "./support_test.ts";

const MXCSR = 0x1f80;
const FCW = 0x37f;
const soft = new Instance();
const view = new DataView(new ArrayBuffer(8));

function toF64(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

function fromF64(x: number): bigint {
  view.setFloat64(0, x);
  return view.getBigUint64(0);
}

function toF32(bits: bigint): number {
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

function fromF32(x: number): bigint {
  view.setFloat32(0, x);
  return BigInt(view.getUint32(0));
}

const HOST = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
} as const;

Deno.test("defineSoftFloat() rounds to nearest as JavaScript does", () => {
  const operands = new Operands(2);
  const agree = (what: string, got: number, want: number): void => {
    if (!Object.is(got, want)) assertEquals(got, want, what);
  };
  for (let i = 0; i < 4000; i++) {
    const a = operands.sse(F64), b = operands.sse(F64, a), x = toF64(a), y = toF64(b);
    const c = operands.sse(F32), d = operands.sse(F32, c), p = toF32(c), q = toF32(d);
    for (const [name, host] of Object.entries(HOST)) {
      const operation = name as keyof typeof HOST;
      agree(`f64_${name} ${x} ${y}`, toF64(soft.call(`f64_${operation}`, a, b, MXCSR)), host(x, y));
      const single = soft.call(`f32_${operation}`, Number(c) | 0, Number(d) | 0, MXCSR);
      agree(`f32_${name} ${p} ${q}`, toF32(single), Math.fround(host(p, q)));
    }
    agree(`f64_sqrt ${x}`, toF64(soft.call("f64_sqrt", a, MXCSR)), Math.sqrt(x));
    agree(`f32_sqrt ${p}`, toF32(soft.call("f32_sqrt", Number(c) | 0, MXCSR)), Math.fround(Math.sqrt(p)));
    agree(`f64_to_f32 ${x}`, toF32(soft.call("f64_to_f32", a, MXCSR)), Math.fround(x));
    agree(`f64_from_i64 ${a}`, toF64(soft.call("f64_from_i64", a, MXCSR)), Number(BigInt.asIntN(64, a)));
    const fraction = Math.abs(x) < 2 ** 31 ? Math.trunc(x) : -(2 ** 31);
    assertEquals(soft.call("f64_to_i32_trunc", a, MXCSR), BigInt(fraction >>> 0));
  }
});

Deno.test("defineSoftFloat() raises each SSE exception", () => {
  const one = fromF64(1), tiny = 1n, largest = 0x7fefffffffffffffn, infinity = 0x7ff0000000000000n;
  const cases: [Parameters<Instance["call"]>, bigint, number][] = [
    [["f64_sub", infinity, infinity, MXCSR], 0xfff8000000000000n, IE],
    [["f64_add", 0x7ff0000000000001n, 0xfff8000000000005n, MXCSR], 0x7ff8000000000001n, IE],
    [["f64_add", one, 0xfff8000000000005n, MXCSR], 0xfff8000000000005n, 0],
    [["f64_add", one, tiny, MXCSR], one, DE | PE],
    [["f64_add", one, tiny, MXCSR | 0x40], one, 0],
    [["f64_div", one, 1n << 63n, MXCSR], infinity | 1n << 63n, ZE],
    [["f64_mul", largest, largest, MXCSR], infinity, OE | PE],
    [["f64_mul", largest, largest, MXCSR | 0x6000], largest, OE | PE],
    [["f64_mul", 0x0010000000000000n, fromF64(0.75), MXCSR], 0x000c000000000000n, 0],
    [["f64_mul", 0x0010000000000000n, fromF64(0.75), MXCSR | 0x8000], 0n, UE | PE],
    [["f64_mul", 0x0010000000000000n, fromF64(0.75), MXCSR & ~(UE << 7)], 0n, UE],
    // Tiny before rounding, not after: no underflow.
    [["f64_mul", 0x0010000000000001n, fromF64(1 - 2 ** -52), MXCSR], 0x0010000000000000n, PE],
    [["f32_add", Number(fromF32(1)), Number(fromF32(2 ** -24)), MXCSR], fromF32(1), PE],
    [["f32_add", Number(fromF32(1)), Number(fromF32(2 ** -24)), MXCSR | 0x4000], fromF32(1 + 2 ** -23), PE],
    [["f32_min", Number(fromF32(-0)) | 0, 0, MXCSR], 0n, 0],
    [["f32_max", 0x7fc00000, Number(fromF32(3)), MXCSR], fromF32(3), IE],
    [["f64_compare_quiet", 0x7ff8000000000000n, one, MXCSR], 2n, 0],
    [["f64_compare", 0x7ff8000000000000n, one, MXCSR], 2n, IE],
    [["f64_compare", fromF64(-2), one, MXCSR], 0xffffffffn, 0],
    [["f64_round", fromF64(2.5), 0, MXCSR], fromF64(2), PE],
    [["f64_round", fromF64(2.5), 8 | 2, MXCSR], fromF64(3), 0],
    [["f64_to_i32", fromF64(2 ** 31), MXCSR], 0x80000000n, IE],
    [["f64_to_i64", fromF64(-1.5), MXCSR | 0x2000], BigInt.asUintN(64, -2n), PE],
  ];
  for (const [call, result, flags] of cases) {
    assertEquals([soft.call(...call), soft.flags], [result, flags], call.join(" "));
  }
});

Deno.test("defineSoftFloat() rounds and reports in the x87 format", () => {
  const one = { sig: 1n << 63n, se: 0x3fff }, three = { sig: 3n << 62n, se: 0x4000 };
  const run = (...args: Parameters<Instance["slots"]>): unknown[] => {
    soft.setSlot(96, { sig: 0xaan, se: 0xbb });
    const flags = soft.slots(...args);
    assertEquals(soft.flags, flags & (0x3f | C1));
    return [soft.slot(96).sig, soft.slot(96).se, flags];
  };
  assertEquals(run("f80_div", [one, three], FCW), [0xaaaaaaaaaaaaaaabn, 0x3ffd, PE | C1]);
  assertEquals(run("f80_div", [one, three], FCW & ~0x300), [0xaaaaab0000000000n, 0x3ffd, PE | C1]);
  assertEquals(run("f80_div", [one, three], FCW & ~0x100), [0xaaaaaaaaaaaaa800n, 0x3ffd, PE]);
  assertEquals(run("f80_sqrt", [{ sig: 1n << 63n, se: 0x4000 }], FCW), [0xb504f333f9de6484n, 0x3fff, PE]);
  assertEquals(run("f80_div", [one, { sig: 0n, se: 0 }], FCW & ~ZE), [0xaan, 0xbb, ZE | NO_RESULT]);
  const largest = { sig: (1n << 64n) - 1n, se: 0x7ffe };
  assertEquals(run("f80_add", [largest, largest], FCW), [1n << 63n, 0x7fff, OE | PE | C1]);
  assertEquals(run("f80_add", [largest, largest], FCW & ~OE), [(1n << 64n) - 1n, 0x1fff, OE]);
  const least = { sig: 1n << 63n, se: 1 };
  assertEquals(run("f80_scale", [least, { sig: 1n << 63n, se: 0xbfff }], FCW & ~UE), [1n << 63n, 0x6000, UE]);
  assertEquals(run("f80_scale", [least, { sig: 1n << 63n, se: 0xbfff }], FCW), [1n << 62n, 0, 0]);
  const seven = { sig: 7n << 61n, se: 0x4001 };
  assertEquals(run("f80_prem", [seven, three], FCW), [1n << 63n, 0x3fff, C3]);
  assertEquals(run("f80_compare", [one, three], FCW).at(-1), C0);
  assertEquals(run("f80_add", [{ sig: 1n << 62n, se: 0x3fff }, one], FCW), [3n << 62n, 0xffff, IE]);
});

Deno.test("defineSoftFloat() converts packed decimals both ways", () => {
  soft.view.setBigUint64(64, 0x9876543210123456n, true);
  soft.view.setUint16(72, 0x8012, true);
  assertEquals(soft.call("f80_from_bcd", 64, 80), 0n);
  soft.call("f80_to_i64", 80, 96, FCW);
  assertEquals(soft.view.getBigInt64(96, true), -129876543210123456n);
  assertEquals(soft.call("f80_to_bcd", 80, 112, FCW), 0n);
  assertEquals([soft.view.getBigUint64(112, true), soft.view.getUint16(120, true)], [0x9876543210123456n, 0x8012]);
});

Deno.test("defineSoftFloat() makes a few functions alone", () => {
  const few = new Instance(["f32_mul"]);
  assertEquals(few.call("f32_mul", Number(fromF32(3)), Number(fromF32(5)), MXCSR), fromF32(15));
  assertThrows(() => few.call("f64_mul", 0n, 0n, MXCSR), TypeError);
});

Deno.test("importSoftFloat() declares what another module exports", () => {
  const module = new ModuleBuilder();
  const imported = importSoftFloat(module, "soft", SOFT_FLOAT_NAMES);
  for (const name of SOFT_FLOAT_NAMES) {
    const { params, results } = SOFT_FLOAT_SIGNATURES.get(name)!;
    assertEquals(imported.callee(name).type, { params, results });
  }
  assertThrows(() => importSoftFloat(new ModuleBuilder(), "soft", []).callee("f32_add"), TypeError, "not imported");
});
