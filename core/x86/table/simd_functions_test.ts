import { assertEquals, assertThrows } from "@std/assert";
import { supportFunctions } from "../../engine/support.ts";
import { i32, load, type V128 } from "../../wasm/expr.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import { defineSimdFunction, isSimdFunction, type SimdFunction } from "./simd_functions.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const cpu = { memory, base: 0 };

function call<T extends number | bigint>(name: SimdFunction, ...args: (number | bigint)[]): T {
  return supportFunctions(cpu, name).func(...args) as T;
}

/** Applies a function of one vector to 16 bytes. */
function through(name: SimdFunction, bytes: Uint8Array): Uint8Array {
  const m = new ModuleBuilder();
  m.importMemory("e", "cpu", { initial: 1 });
  const callee = defineSimdFunction(m, name), f = m.function("run", []);
  const operand = load<"v128">("v128.load", i32.const(0)) as V128;
  f.store("v128.store", i32.const(16), f.callExpr(callee, "v128", operand));
  m.export("run", f);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()), { e: { cpu: memory } });
  const view = new Uint8Array(memory.buffer);
  view.set(bytes, 0);
  (instance.exports.run as () => void)();
  return view.slice(16, 32);
}

Deno.test("aes_sub is the S-box of FIPS 197, and aes_inverse_sub its inverse", () => {
  const first = through("aes_sub", Uint8Array.from({ length: 16 }, (_, i) => i));
  // deno-fmt-ignore
  assertEquals([...first], [0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76]);
  for (let n = 0; n < 256; n += 16) {
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => n + i);
    assertEquals(through("aes_inverse_sub", through("aes_sub", bytes)), bytes);
  }
});

Deno.test("clmul_low and clmul_high are the halves of the carry-less product", () => {
  const product = (a: bigint, b: bigint): bigint => {
    let r = 0n;
    for (let i = 0n; i < 64n; i++) if (b >> i & 1n) r ^= a << i;
    return r;
  };
  const all = (1n << 64n) - 1n;
  const values = [
    0n,
    1n,
    2n,
    3n,
    all,
    1n << 63n,
    0x8765_4321_0fed_cba9n,
    0x1111_1111_1111_1111n,
    0xf0f0_f0f0_f0f0_f0f0n,
  ];
  for (const a of values) {
    for (const b of values) {
      assertEquals(BigInt.asUintN(64, call<bigint>("clmul_low", a, b)), product(a, b) & all);
      assertEquals(BigInt.asUintN(64, call<bigint>("clmul_high", a, b)), product(a, b) >> 64n);
    }
  }
});

Deno.test("rcp and rsqrt give what Intel's processors give", () => {
  const bits = (name: SimdFunction, x: number) => call<number>(name, x | 0) >>> 0;
  // deno-fmt-ignore
  const known = [
    [0, 0x7f800000, 0x7f800000], [0x80000001, 0xff800000, 0xff800000], [0x3f800000, 0x3f7ff000, 0x3f7ff000],
    [0x40000000, 0x3efff000, 0x3f34f800], [0x7e7fffff, 0x00800800, 0x20000800], [0x7e800000, 0, 0x1ffff000],
    [0x7f800000, 0, 0], [0xff800000, 0x80000000, 0xffc00000], [0x7f800001, 0x7fc00001, 0x7fc00001],
    [0xbf800000, 0xbf7ff000, 0xffc00000],
  ];
  for (const [x, reciprocal, root] of known) assertEquals([bits("rcp", x), bits("rsqrt", x)], [reciprocal, root]);
});

Deno.test("supportFunctions() gives one function a name and processor, and knows no others", () => {
  assertEquals(supportFunctions(cpu, "rcp"), supportFunctions(cpu, "rcp"));
  assertEquals(supportFunctions(cpu, "f64_add").type, { params: ["i64", "i64", "i32"], results: ["i64"] });
  assertEquals(isSimdFunction("constructor"), false);
  assertThrows(() => supportFunctions(cpu, "no such"), TypeError, "Cannot find the support function no such");
});
