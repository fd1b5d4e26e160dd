import { assertEquals, assertThrows } from "@std/assert";
import { assertGolden } from "../../tests/golden.ts";
import {
  type Expr,
  f32,
  f64,
  type I32,
  i32,
  i64,
  lane,
  load,
  node,
  op,
  replaceLane,
  select,
  shuffle,
  v,
} from "./expr.ts";
import { v128Const } from "./expr.ts";
import { type Label, ModuleBuilder } from "./module.ts";

const K = (n: number): I32 => i32.const(n);

type Imports = Record<string, WebAssembly.ImportValue>;

function start(m: ModuleBuilder, e: Imports = {}): Record<string, (...args: unknown[]) => unknown> {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()), { e });
  return instance.exports as Record<string, (...args: unknown[]) => unknown>;
}

/** The modules whose text is in testdata, and what running them gives. */
const MODULES: Record<string, { build: (m: ModuleBuilder) => void; run: (m: ModuleBuilder) => void }> = {
  control: {
    build(m) {
      const sum = m.function("sum", ["i32"], ["i32"]);
      const n = sum.param(0, "i32"), total = sum.local("i32");
      sum.block((done) => {
        sum.loop((again) => {
          sum.brIf(done, i32.eqz(sum.get(n)));
          sum.set(total, i32.add(sum.get(total), sum.get(n)));
          sum.set(n, i32.sub(sum.get(n), K(1)));
          sum.br(again);
        });
      });
      sum.return(sum.get(total));
      m.export("sum", sum);

      const sort = m.function("sort", ["i32"], ["i32"]);
      const labels: Label[] = [];
      const nest = (depth: number): void => {
        if (depth === 4) return sort.brTable(sort.get(sort.param(0, "i32")), labels.slice(0, 3), labels[3]);
        sort.block((l) => {
          labels.unshift(l);
          nest(depth + 1);
        });
        sort.return(K(10 + depth));
      };
      nest(0);
      m.export("sort", sort);

      const sides = m.function("sides", ["i32"], ["i32"]);
      const x = sides.get(sides.param(0, "i32"));
      const r = sides.choose(i32.gt_s(x, K(0)), () => i32.mul(x, K(2)), () => i32.sub(K(0), x));
      sides.if(i32.eq(r, K(6)), () => sides.return(K(600)), () => sides.if(i32.eq(r, K(7)), () => sides.unreachable()));
      sides.if(K(1), () => sides.return(r), () => sides.unreachable());
      m.export("sides", sides);

      const hole = m.function("hole", [], ["i32"]);
      const a = hole.local("i32"), place = hole.hole();
      hole.return(hole.get(a));
      hole.fill(place, () => hole.set(a, K(5)));
      m.export("hole", hole);
    },
    run(m) {
      const { sum, sort, sides, hole } = start(m);
      assertEquals(sum(100), 5050);
      assertEquals([0, 1, 2, 3, -1].map((n) => sort(n)), [13, 12, 11, 10, 10]);
      assertEquals([3, -5, 0].map((n) => sides(n)), [600, 5, 0]);
      assertThrows(() => sides(-7), WebAssembly.RuntimeError, "unreachable");
      assertEquals(hole(), 5);
    },
  },

  calls: {
    build(m) {
      m.importTable("e", "table", { initial: 4, maximum: 8 });
      const type = m.type(["i32", "i64"], ["i64"]);
      const even = m.function("even", ["i32", "i64"], ["i64"]), odd = m.function("odd", ["i32", "i64"], ["i64"]);
      const count = even.get(even.param(0, "i32")), total = even.get(even.param(1, "i64"));
      even.if(i32.eqz(count), () => even.return(total));
      even.returnCall(odd, i32.sub(count, K(1)), i64.add(total, i64.const(1)));
      const c = odd.get(odd.param(0, "i32")), t = odd.get(odd.param(1, "i64"));
      odd.returnCallIndirect(type, 0, i32.and(c, K(2)), i32.sub(c, K(1)), i64.add(t, i64.const(1n << 40n)));
      m.element(0, 0, [even]);
      m.element(0, 2, [even, odd]);
      m.export("even", even);

      const note = m.importFunction("e", "note", ["i32"], []), twice = m.importFunction("e", "twice", ["f64"], ["f64"]);
      const user = m.function("user", ["f64"], ["f64"]);
      user.call(note, K(42));
      user.call(twice, f64.const(1));
      user.return(user.callExpr(twice, "f64", user.get(user.param(0, "f64"))));
      m.export("user", user);

      const table = m.function("table", ["i32"], ["i64"]);
      const index = table.get(table.param(0, "i32"));
      table.return(node("i64", "indirect", "call_indirect", [K(1), i64.const(7), index], type, 0));
      m.export("table", table);
    },
    run(m) {
      const notes: number[] = [];
      const { even, user, table } = start(m, {
        table: new WebAssembly.Table({ initial: 4, maximum: 8, element: "anyfunc" }),
        note: (n: number) => notes.push(n),
        twice: (n: number) => {
          notes.push(n);
          return n * 2;
        },
      });
      assertEquals(even(100_000, 0n), 50_000n + (50_000n << 40n));
      assertEquals(user(1.25), 2.5);
      assertEquals(notes, [42, 1, 1.25]);
      assertEquals(table(3), 7n + (1n << 40n));
    },
  },

  memories: {
    build(m) {
      m.importMemory("e", "first", { initial: 1 });
      m.importMemory("e", "second", { initial: 1, maximum: 2, shared: true });
      m.importGlobal("e", "base", "i32");
      const counter = m.importGlobal("e", "counter", "i64", true);
      const f = m.function("run", []);
      const base = node("i32", "global", "global.get", [], 0);
      f.memoryFill(1, K(16), K(0xab), K(8));
      f.memoryCopy(0, 1, base, K(14), K(6));
      const value = f.let(load<"i64">("i64.load", base, { offset: 0 }));
      f.store("i64.store", K(32), value, { memory: 1 });
      f.store("i32.store16", K(0), K(0x1234), { offset: 70_000 - 65_536, memory: 1 });
      f.setGlobal(counter, i64.add(node("i64", "global", "global.get", [], counter), i64.const(1)));
      m.export("run", f);
    },
    run(m) {
      const first = new WebAssembly.Memory({ initial: 1 });
      const second = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
      const counter = new WebAssembly.Global({ value: "i64", mutable: true }, 41n);
      start(m, { first, second, counter, base: new WebAssembly.Global({ value: "i32" }, 100) }).run();
      assertEquals(counter.value, 42n);
      assertEquals(new Uint8Array(first.buffer, 100, 7), Uint8Array.of(0, 0, 0xab, 0xab, 0xab, 0xab, 0));
      assertEquals(new Uint8Array(second.buffer).slice(32, 39), Uint8Array.of(0, 0, 0xab, 0xab, 0xab, 0xab, 0));
      assertEquals([...new Uint8Array(second.buffer).slice(4464, 4466)], [0x34, 0x12]);
    },
  },

  values: {
    build(m) {
      const f = m.function("mix", ["i32", "i64", "f32", "f64"], ["f64"]);
      const [a, b] = [f.get(f.param(0, "i32")), f.get(f.param(1, "i64"))];
      const [c, d] = [f.get(f.param(2, "f32")), f.get(f.param(3, "f64"))];
      const vector = f.let(
        v("i32x4.add", v("i32x4.splat", a), v128Const([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])),
      );
      const other = replaceLane("i64x2.replace_lane", vector, 1, b);
      const mixed = f.let(shuffle(vector, other, [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]));
      const last: Expr<"i32"> = lane("i32x4.extract_lane", mixed, 2);
      const sum = f64.add(op<"f64">("f64.convert_i32_s", last), op<"f64">("f64.promote_f32", c));
      f.return(select(i32.and(a, K(1)), sum, f64.mul(d, f64.const(-0.5))));
      m.export("mix", f);
      const g = m.function("constants", [], ["f32"]);
      g.return(f32.add(f32.const(0.1), f32.const(-Infinity)));
      const h = m.function("wide", [], ["i64"]);
      h.return(i64.xor(i64.const(-(1n << 63n)), h.let(i64.const(0x1234_5678_9abc_def0n))));
      for (const x of [g, h]) m.export(x.name.slice(1), x);
    },
    run(m) {
      const { mix, constants, wide } = start(m);
      assertEquals(mix(1, 0x7_0000_0005n, 0.25, 0), 5.25);
      assertEquals(mix(2, 0n, 0, 3), -1.5);
      assertEquals(constants(), -Infinity);
      assertEquals(wide(), BigInt.asIntN(64, 0x9234_5678_9abc_def0n));
    },
  },
};

for (const [name, { build, run }] of Object.entries(MODULES)) {
  Deno.test(`toText() ${name} is what testdata/${name}.wat has`, () => {
    const m = new ModuleBuilder();
    build(m);
    assertGolden(new URL(`testdata/${name}.wat`, import.meta.url), m.toText());
  });

  Deno.test(`toBytes() ${name} runs as built`, () => {
    const m = new ModuleBuilder();
    build(m);
    run(m);
  });
}

Deno.test("toBytes() writes numbers of every length", () => {
  const m = new ModuleBuilder();
  const values: bigint[] = [];
  for (let n = 0n; n < 64n; n++) {
    for (const d of [-1n, 0n, 1n]) values.push(BigInt.asIntN(64, (1n << n) + d), -(1n << n) + d);
  }
  values.forEach((value, i) => {
    const wide = m.function(`wide${i}`, [], ["i64"]), narrow = m.function(`narrow${i}`, [], ["i32"]);
    wide.return(i64.const(value));
    narrow.return(i32.const(Number(BigInt.asIntN(32, value))));
    for (const f of [wide, narrow]) m.export(f.name, f);
  });
  const run = start(m);
  values.forEach((value, i) => {
    assertEquals(run[`$wide${i}`](), BigInt.asIntN(64, value));
    assertEquals(run[`$narrow${i}`](), Number(BigInt.asIntN(32, value)));
  });
});

Deno.test("toBytes() a function with many locals of changing types", () => {
  const m = new ModuleBuilder(), f = m.function("f", [], ["i64"]);
  const types = ["i32", "i64", "i64", "f64"] as const;
  let sum: Expr<"i64"> = i64.const(0);
  for (let i = 0; i < 400; i++) {
    const type = types[i % 4];
    if (type !== "i64") f.local(type);
    else {
      const l = f.local(type);
      f.set(l, i64.const(i));
      sum = i64.add(sum, f.get(l));
    }
  }
  f.return(sum);
  m.export("f", f);
  assertEquals(
    start(m).f(),
    BigInt([...Array(400).keys()].filter((i) => types[i % 4] === "i64").reduce((a, b) => a + b)),
  );
});

Deno.test("toBytes() grows as large as its functions are", () => {
  const m = new ModuleBuilder(), f = m.function("f", ["i32"], ["i32"]);
  const p = f.param(0, "i32");
  for (let i = 0; i < 30_000; i++) f.set(p, i32.add(f.get(p), K(i)));
  f.return(f.get(p));
  m.export("f", f);
  assertEquals(start(m).f(1), 30_000 * 29_999 / 2 + 1);
});

Deno.test("let() evaluates once and passes through what cannot change", () => {
  const m = new ModuleBuilder(), f = m.function("f", ["i32"], ["i32"]);
  const p = f.param(0, "i32"), before = f.let(f.get(p));
  f.set(p, K(0));
  f.return(i32.sub(before, f.get(p)));
  m.export("f", f);
  assertEquals(start(m).f(9), 9);
  assertEquals(f.let(before) === before, true);
  const constant = K(3);
  assertEquals(f.let(constant) === constant, true);
});

Deno.test("type() gives one number to one type", () => {
  const m = new ModuleBuilder();
  assertEquals([m.type(["i32"], []), m.type([], ["i32"]), m.type(["i32"], []), m.type(["i32", "i32"], [])], [
    0,
    1,
    0,
    2,
  ]);
});

Deno.test("FunctionBuilder refuses what the module would not be valid with", () => {
  const m = new ModuleBuilder(), f = m.function("f", ["i32"], []);
  const imported = m.importFunction("e", "g", [], ["i64"]);
  const cases: [() => unknown, string][] = [
    [() => f.param(0, "i64"), "Cannot use parameter 0: it is i32"],
    [() => f.param(1, "i32"), "Cannot use parameter 1: it is undefined"],
    [() => f.set(f.local("i64"), K(1) as unknown as Expr<"i64">), "Cannot set i64 local: value is i32"],
    [() => f.store("i64.store9", K(0), i64.const(0)), "Cannot build i64.store9: no such store"],
    [() => f.store("i64.store", K(0), K(0)), "Cannot build i64.store: value is i32"],
    [() => f.callExpr(imported, "i32"), "Cannot call for i32: $g gives another"],
    [
      () => f.choose(f.get(f.param(0, "i32")), () => K(0), () => i64.const(0) as unknown as I32),
      "Cannot set i32 local",
    ],
  ];
  for (const [make, message] of cases) assertThrows(make, TypeError, message);
});

Deno.test("toBytes() refuses a branch from outside a block", () => {
  const m = new ModuleBuilder(), f = m.function("f", []);
  let outside: Label | undefined;
  f.block((l) => outside = l);
  f.br(outside!);
  assertThrows(() => m.toBytes(), TypeError, "Cannot branch to $b0: not inside it");
});
