import { assert, assertEquals } from "@std/assert";
import { fromLanes, lanes, reference, toFloat } from "../../tests/wasm_reference.ts";
import { type Expr, i32, lane, load, op, replaceLane, select, shuffle, v128Const } from "./expr.ts";
import { ModuleBuilder } from "./module.ts";
import { LANES, LOADS, type Op, OPS, STORES, type ValType } from "./ops.ts";

/** Where operands are, 16 bytes apart, and where the result goes. */
const RESULT = 64;
const ROUNDS = 40;

const K = (n: number) => i32.const(n);
const at = <T extends ValType>(type: T, address: number): Expr<T> => load<T>(`${type}.load`, K(address));

/** A module of functions over one memory, or two: each stores a result. */
class Bench {
  readonly module: ModuleBuilder = new ModuleBuilder();
  readonly bytes: Uint8Array;
  readonly other: Uint8Array;
  readonly #memories: [WebAssembly.Memory, WebAssembly.Memory];

  constructor() {
    this.#memories = [new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Memory({ initial: 1 })];
    [this.bytes, this.other] = this.#memories.map((m) => new Uint8Array(m.buffer));
    this.module.importMemory("e", "memory", { initial: 1 });
    this.module.importMemory("e", "other", { initial: 1 });
  }

  add(name: string, value: Expr): void {
    const f = this.module.function(name, []);
    f.store(`${value.type}.store`, K(RESULT), value);
    this.module.export(name, f);
  }

  start(): Record<string, () => void> {
    const [memory, other] = this.#memories;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(this.module.toBytes()), { e: { memory, other } });
    return instance.exports as Record<string, () => void>;
  }

  get result(): Uint8Array {
    return this.bytes.slice(RESULT, RESULT + 16);
  }
}

/** xorshift32. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    return (x ^= x << 5) >>> 0;
  };
}

const SPECIAL = [0n, 1n, -1n, 1n << 63n, (1n << 63n) - 1n, 0x7fffn, 0x8000_8000_8000_8000n, 0x80_0000_0000n];
// deno-fmt-ignore
const FLOATS = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 1e10, -1e10, 3e38, 2 ** 31, 2 ** 32, -(2 ** 31), 2 ** 63, 2 ** 64, 1e-40, 5e-324, Infinity, -Infinity, NaN, 4194304.5, 0.1];

/** An operand of 16 bytes that has a special value more often than chance would have it. */
function operand(next: () => number, type: ValType, shape: string): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 0; i < 16; i += 4) new DataView(out.buffer).setUint32(i, next(), true);
  if (next() % 2) return out;
  const float = type[0] === "f" ? type : type === "v128" && shape[0] === "f" ? shape : "";
  if (!float) return fromLanes([SPECIAL[next() % SPECIAL.length], SPECIAL[next() % SPECIAL.length]], 64);
  const single = float.startsWith("f32"), view = new DataView(out.buffer);
  for (let i = 0; i < 16; i += single ? 4 : 8) {
    const v = FLOATS[next() % FLOATS.length];
    if (single) view.setFloat32(i, v, true);
    else view.setFloat64(i, v, true);
  }
  return out;
}

/** NaNs are alike: which one results is not defined. */
function canonical(bytes: Uint8Array, type: string): string {
  const float = /^f(32|64)/.exec(type);
  if (!float) return bytes.join(" ");
  const bits = Number(float[1]);
  return lanes(bytes, bits).map((v) => Number.isNaN(toFloat(v, bits)) ? "NaN" : v.toString(16)).join(" ");
}

/** The type by whose lanes a result is compared. */
function resultType({ name, result }: Op): string {
  if (result !== "v128") return result;
  return /(demote|promote|convert|add|sub|mul|div|min|max|sqrt|ceil|floor|trunc|nearest)/.test(name) ? name : "i";
}

Deno.test("OPS each operator does what the specification says", () => {
  const bench = new Bench(), next = random(0x6b766d);
  for (const o of OPS.values()) bench.add(o.name, op(o.name, ...o.operands.map((t, i) => at(t, i * 16))));
  const functions = bench.start();
  for (const o of OPS.values()) {
    const source = /_(f32|f64)(x\d)?/.exec(o.name)?.[0].slice(1) ?? o.name;
    for (let round = 0; round < ROUNDS; round++) {
      const operands = o.operands.map((t) => operand(next, t, source));
      operands.forEach((x, i) => bench.bytes.set(x, i * 16));
      bench.bytes.fill(0, RESULT, RESULT + 16);
      const expected = reference(o.name, operands);
      const text = `${o.name} of ${operands.map((x) => lanes(x, 64).map((l) => l.toString(16)).join(":")).join(", ")}`;
      if (!expected) {
        let trapped = false;
        try {
          functions[o.name]();
        } catch (e) {
          trapped = e instanceof WebAssembly.RuntimeError;
        }
        assert(trapped, `${text} must trap`);
        continue;
      }
      functions[o.name]();
      const type = resultType(o);
      assertEquals(canonical(bench.result, type), canonical(expected, type), text);
    }
  }
});

Deno.test("LOADS each load reads its bytes from either memory", () => {
  const bench = new Bench(), names = Object.keys(LOADS);
  for (const name of names) {
    bench.add(name, load(name, K(100), { offset: 28 }));
    bench.add(`${name} 1`, load(name, K(100), { offset: 300, memory: 1 }));
  }
  const functions = bench.start(), next = random(7);
  for (let i = 0; i < 16; i++) {
    bench.bytes[128 + i] = next();
    bench.other[400 + i] = next();
  }
  for (const name of names) {
    for (const [memory, source] of [["", bench.bytes.slice(128, 144)], [" 1", bench.other.slice(400, 416)]] as const) {
      const type = LOADS[name][1], full = type === "v128" ? 128 : Number(type.slice(1));
      const bits = Number(/load(\d+)/.exec(name)?.[1] ?? full);
      const low = lanes(source, bits)[0];
      const value = name.endsWith("_s") ? BigInt.asIntN(bits, low) : low;
      bench.bytes.fill(0, RESULT, RESULT + 16);
      functions[name + memory]();
      assertEquals(bench.result, fromLanes([value], full), name + memory);
    }
  }
});

Deno.test("STORES each store writes its bytes, and no others, to either memory", () => {
  const bench = new Bench(), names = Object.keys(STORES);
  for (const name of names) {
    for (const memory of [0, 1]) {
      const f = bench.module.function(`${name} ${memory}`, []);
      f.store(name, K(200), at(STORES[name][1], 0), { offset: 1000, memory });
      bench.module.export(f.name, f);
    }
  }
  const functions = bench.start(), next = random(9);
  for (let i = 0; i < 16; i++) bench.bytes[i] = next();
  const value = bench.bytes.slice(0, 16);
  for (const name of names) {
    const type = STORES[name][1];
    const size = Number(/store(\d+)/.exec(name)?.[1] ?? (type === "v128" ? 128 : type.slice(1))) / 8;
    for (const [memory, bytes] of [bench.bytes, bench.other].entries()) {
      bytes.fill(0xee, 1184, 1232);
      functions[`$${name} ${memory}`]();
      const expected = new Uint8Array(48).fill(0xee);
      expected.set(value.subarray(0, size), 16);
      assertEquals(bytes.slice(1184, 1232), expected, `${name} ${memory}`);
    }
  }
});

Deno.test("LANES each lane can be extracted and replaced", () => {
  const bench = new Bench();
  const all: { name: string; index: number; key: string }[] = [];
  for (const [name, [, scalar, count]] of Object.entries(LANES)) {
    for (let index = 0; index < count; index++) {
      const key = `${name} ${index}`;
      all.push({ name, index, key });
      const vector = at("v128", 0);
      bench.add(
        key,
        name.includes("replace") ? replaceLane(name, vector, index, at(scalar, 16)) : lane(name, vector, index),
      );
    }
  }
  const functions = bench.start(), next = random(11);
  for (let i = 0; i < 32; i++) bench.bytes[i] = next() & 0x7f | (i & 1) << 7;
  const vector = bench.bytes.slice(0, 16), scalar = bench.bytes.slice(16, 32);
  for (const { name, index, key } of all) {
    const bits = Number(/\d+/.exec(name)![0]), values = lanes(vector, bits);
    let expected: Uint8Array;
    if (name.includes("replace")) {
      values[index] = lanes(scalar, bits)[0];
      expected = fromLanes(values, bits);
    } else {
      const v = name.endsWith("_s") ? BigInt.asIntN(bits, values[index]) : values[index];
      expected = fromLanes([v], Math.max(bits, 32));
    }
    bench.bytes.fill(0, RESULT, RESULT + 16);
    functions[key]();
    assertEquals(bench.result, expected, key);
  }
});

Deno.test("shuffle(), v128Const() and select() take their bytes and sides", () => {
  const bench = new Bench(), order = [31, 0, 30, 1, 29, 2, 28, 3, 16, 15, 17, 14, 18, 13, 19, 12];
  const low = Array.from({ length: 16 }, (_, i) => i + 1), high = low.map((v) => v + 0x80);
  bench.add("shuffle", shuffle(v128Const(low), v128Const(high), order));
  for (const type of ["i32", "i64", "f32", "f64", "v128"] as const) {
    for (const side of [0, 1]) {
      bench.bytes[48 + side] = side;
      bench.add(`${type} ${side}`, select(i32.load8_u(K(48 + side)), at(type, 0), at(type, 16)));
    }
  }
  const functions = bench.start();
  bench.bytes.set([...low, ...high], 0);
  functions.shuffle();
  assertEquals([...bench.result], order.map((i) => [...low, ...high][i]));
  for (const type of ["i32", "i64", "f32", "f64", "v128"] as const) {
    for (const side of [0, 1]) {
      functions[`${type} ${side}`]();
      assertEquals(bench.result[0], side ? 1 : 0x81, `select of ${type}`);
    }
  }
});

Deno.test("OPS names and opcodes are all different", () => {
  const codes = [...OPS.values()].map((o) => o.code);
  for (const list of [LOADS, STORES, LANES]) codes.push(...Object.values(list).map(([code]) => code));
  assertEquals(new Set(codes).size, codes.length);
});
