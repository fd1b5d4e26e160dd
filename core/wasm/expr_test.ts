import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  constantOf,
  type Expr,
  f64,
  type I32,
  i32,
  type I64,
  i64,
  lane,
  load,
  op,
  replaceLane,
  select,
  shuffle,
  v128Const,
} from "./expr.ts";
import { ModuleBuilder } from "./module.ts";
import { OPS, type ValType } from "./ops.ts";
import { printExpr } from "./print.ts";

/** xorshift32. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    return (x ^= x << 5) >>> 0;
  };
}

/** Integer operators that never trap, by result type. */
const INTEGER = [...OPS.values()].filter((o) =>
  /^i(32|64)\./.test(o.name) && o.operands.every((t) => t === "i32" || t === "i64") && !/div|rem/.test(o.name)
);
const WORDS = [0n, 0n, 1n, -1n, 31n, 32n, 63n, 64n, 0x8000_0000n, 0x7fff_ffffn, 1n << 63n, (1n << 63n) - 1n, 0xffn];

type Tree = { readonly op: string; readonly args: readonly Tree[] } | {
  readonly type: ValType;
  readonly value: bigint;
};

function tree(next: () => number, type: ValType, depth: number): Tree {
  if (depth === 0 || next() % 5 === 0) {
    const v = next() % 3 ? WORDS[next() % WORDS.length] : BigInt(next()) << 32n | BigInt(next());
    return { type, value: BigInt.asIntN(type === "i32" ? 32 : 64, v) };
  }
  const fitting = INTEGER.filter((o) => o.result === type), o = fitting[next() % fitting.length];
  return { op: o.name, args: o.operands.map((t) => tree(next, t, depth - 1)) };
}

const constant = (t: ValType, value: bigint): Expr => t === "i32" ? i32.const(Number(value)) : i64.const(value);

Deno.test("op() a tree of constants, all or some, gives what the tree gives on locals", () => {
  const next = random(0x1234), m = new ModuleBuilder(), trees: Tree[] = [];
  const ways = ["locals", "constants", "both"] as const;
  for (let n = 0; n < 400; n++) {
    trees.push(tree(next, "i64", 5));
    for (const way of ways) {
      const f = m.function(`${way}${n}`, [], ["i64"]);
      const emit = (t: Tree): Expr => {
        if ("op" in t) return op(t.op, ...t.args.map(emit));
        if (way === "constants" || way === "both" && next() % 2) return constant(t.type, t.value);
        const l = f.local(t.type);
        f.set(l, constant(t.type, t.value));
        return f.get(l);
      };
      const e = emit(trees[n]);
      f.return(e);
      m.export(f.name, f);
    }
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()));
  const run = (name: string) => (exports[`$${name}`] as () => bigint)();
  let folded = 0;
  for (let n = 0; n < trees.length; n++) {
    const expected = run(`locals${n}`);
    for (const way of ways) assertEquals(run(`${way}${n}`), expected, `${way} in ${printTree(trees[n])}`);
    const c = constantOf(whole(trees[n]));
    if (c !== undefined) {
      folded++;
      assertEquals(c, expected);
    }
  }
  assert(folded > trees.length / 4, `only ${folded} of ${trees.length} fold to one constant`);
});

function whole(t: Tree): Expr {
  return "op" in t ? op(t.op, ...t.args.map(whole)) : constant(t.type, t.value);
}

function printTree(t: Tree): string {
  return "op" in t ? `(${t.op} ${t.args.map(printTree).join(" ")})` : String(t.value);
}

const x = { type: "i64", kind: "local", name: "local.get", args: [], imm: 0, index: 0, bytes: null } as I64;
const y = { ...x, type: "i32" } as I32;

Deno.test("op() leaves out what changes nothing", () => {
  for (const name of ["add", "sub", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"] as const) {
    assert(i64[name](x, i64.const(0)) === x, `i64.${name} of 0`);
    assert(i32[name](y, i32.const(0)) === y, `i32.${name} of 0`);
  }
  for (const name of ["add", "or", "xor"] as const) assert(i64[name](i64.const(0), x) === x, `i64.${name} to 0`);
  assert(i64.and(x, i64.const(-1)) === x);
  assert(i32.and(y, i32.const(-1)) === y);
  assertEquals(constantOf(i64.and(x, i64.const(0))), 0n);
  assertEquals(printExpr(i64.sub(i64.const(0), x)), "(i64.sub (i64.const 0) $0)");
});

Deno.test("op() does not leave out a call whose result does not matter", () => {
  const m = new ModuleBuilder();
  let calls = 0;
  const called = m.importFunction("e", "called", [], ["i32"]);
  const f = m.function("f", [], ["i32"]);
  f.return(i32.and(f.callExpr(called, "i32"), i32.const(0)));
  m.export("f", f);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()), { e: { called: () => ++calls } });
  assertEquals((instance.exports.f as () => number)(), 0);
  assertEquals(calls, 1);
});

Deno.test("const() keeps what fits the type", () => {
  assertEquals(constantOf(i32.const(0xffff_ffff)), -1);
  assertEquals(constantOf(i64.const(1n << 63n)), -(1n << 63n));
  assertEquals(constantOf(i64.const(-1)), -1n);
  assertEquals(constantOf(v128Const(new Uint8Array(16))), undefined);
  assertEquals(constantOf(x), undefined);
});

Deno.test("select() of a constant condition is one side", () => {
  assert(select(i32.const(5), x, i64.const(1)) === x);
  assertEquals(constantOf(select(i32.const(0), x, i64.const(1))), 1n);
});

Deno.test("op() and its relatives refuse what no operator takes", () => {
  const v = v128Const(new Uint8Array(16));
  const cases: [() => unknown, string][] = [
    [() => op("i32.nonsense", y), "Cannot build i32.nonsense: no such operator"],
    [() => op("i32.add", y), "Cannot build i32.add: operands are i32"],
    [() => op("i32.add", y, x), "Cannot build i32.add: operands are i32, i64"],
    [() => load("i32.load9", y), "Cannot build i32.load9: no such load"],
    [() => load("i32.load", x as unknown as I32), "Cannot build i32.load: address is i64"],
    [() => lane("i32x4.extract", v, 0), "Cannot build i32x4.extract: no such lane access"],
    [() => lane("i32x4.extract_lane", v, 4), "Cannot build i32x4.extract_lane: there is no lane 4"],
    [() => replaceLane("i32x4.replace_lane", v, 0, x), "Cannot build i32x4.replace_lane: scalar is i64"],
    [() => shuffle(v, v, [1, 2]), "Cannot build i8x16.shuffle: 2 lanes"],
    [() => v128Const([1]), "Cannot build v128.const: 1 bytes"],
    [() => select(y, x, y as unknown as I64), "Cannot select between i64 and i32"],
  ];
  for (const [make, message] of cases) assertThrows(make, TypeError, message);
});

Deno.test("printExpr() tells apart what is different", () => {
  assertEquals(printExpr(f64.const(-0)), "(f64.const -0)");
  assertEquals(printExpr(f64.const(-Infinity)), "(f64.const -inf)");
  assertEquals(printExpr(f64.const(NaN)), "(f64.const nan)");
  assertEquals(printExpr(load("i64.load8_u", y, { offset: 3, memory: 1 })), "(i64.load8_u 1 offset=3 $0)");
  assertEquals(printExpr(select(y, x, i64.const(2))), "(select $0 (i64.const 2) $0)");
});
