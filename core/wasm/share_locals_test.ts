import { assertEquals } from "@std/assert";
import { type I32, i32, i64 } from "./expr.ts";
import { type FunctionBuilder, ModuleBuilder } from "./module.ts";
import { shareLocals } from "./share_locals.ts";

/** Builds a function of one parameter; gives the numbers of its locals, and what it answers. */
function build(fill: (f: FunctionBuilder) => void): { locals: number[]; call: (n: number) => number } {
  const m = new ModuleBuilder(), f = m.function("f", ["i32"], ["i32"]);
  fill(f);
  m.export("f", f);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()));
  return { locals: [...Array.from(shareLocals(f).index)], call: exports.f as (n: number) => number };
}

const one = i32.const(1);

Deno.test("shareLocals() gives the place of a temporary to the next when it was read last", () => {
  const { locals, call } = build((f) => {
    const n = f.get(f.param(0, "i32"));
    const a = f.let(i32.add(n, one)), b = f.let(i32.mul(a, a)), c = f.let(i32.sub(b, n));
    f.return(i32.add(c, f.let(i32.add(c, one))));
  });
  assertEquals(locals, [0, 1, 1, 1, 2]);
  assertEquals(call(3), 27);
});

Deno.test("shareLocals() leaves alone what is no temporary, or kept, or of another type", () => {
  const { locals } = build((f) => {
    const n = f.get(f.param(0, "i32")), plain = f.local("i32");
    f.set(plain, n);
    const kept = f.let(i32.add(f.get(plain), one));
    f.keep(i32.add(kept, one));
    const wide = f.temporary("i64");
    f.let(i32.add(kept, one));
    f.set(wide, i64.const(0));
    f.return(f.let(i32.add(n, one)));
  });
  // Parameter, plain, kept, wide, what nobody reads, the last, which takes its place.
  assertEquals(locals, [0, 1, 2, 4, 3, 3]);
});

Deno.test("shareLocals() keeps what a loop reads until the loop's end", () => {
  const { locals, call } = build((f) => {
    const n = f.param(0, "i32"), sum = f.local("i32");
    const step = f.let(i32.add(f.get(n), one));
    f.loop((again) => {
      f.set(sum, i32.add(f.get(sum), step));
      const left = f.let(i32.sub(f.get(n), one)), next: I32 = f.let(i32.xor(left, i32.const(2)));
      f.set(n, i32.xor(next, i32.const(2)));
      f.brIf(again, f.get(n));
    });
    f.return(f.let(i32.add(f.get(sum), one)));
  });
  const [, sum, step, left, next] = locals;
  assertEquals(new Set([sum, step, left]).size, 3);
  assertEquals(next, left);
  assertEquals(call(4), 21);
});

Deno.test("shareLocals() does not share what is read before it is set", () => {
  const { locals, call } = build((f) => {
    const n = f.get(f.param(0, "i32")), late = f.temporary("i32");
    const a = f.let(i32.add(n, one));
    f.if(a, () => f.return(i32.add(f.get(late), a)));
    f.set(late, n);
    f.return(f.get(late));
  });
  assertEquals(new Set(locals).size, 3);
  assertEquals([call(4), call(-1)], [5, -1]);
});
