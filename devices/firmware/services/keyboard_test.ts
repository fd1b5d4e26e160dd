import { assertEquals } from "@std/assert";
import { ServiceBench } from "../../../tests/firmware/service_call.ts";

const KEYBOARD_IRQ = 0x109;

/** What INT 16h gives after some scan codes, all of them. */
function keys(scans: readonly number[], read = 0x1000): { readonly codes: number[]; readonly todo: number[] } {
  const bench = new ServiceBench();
  const todo = scans.map((scan) => bench.call(KEYBOARD_IRQ, { eax: scan }).eax & 0xff).filter((what) => what !== 7);
  const codes: number[] = [];
  while (!bench.call(0x16, { eax: read + 0x100 }).zero) codes.push(bench.call(0x16, { eax: read }).eax & 0xffff);
  return { codes, todo };
}

const A = 0x1e, SHIFT = 0x2a, CTRL = 0x1d, ALT = 0x38, CAPS = 0x3a, NUM = 0x45;
const up = (scan: number): number => scan | 0x80;

Deno.test("INT 9 gives a letter its four codes", () => {
  assertEquals(keys([A, up(A)]).codes, [0x1e61]);
  assertEquals(keys([SHIFT, A, up(A), up(SHIFT), A]).codes, [0x1e41, 0x1e61]);
  assertEquals(keys([CTRL, A, up(A), up(CTRL), A]).codes, [0x1e01, 0x1e61]);
  assertEquals(keys([ALT, A]).codes, [0x1e00]);
  assertEquals(keys([CAPS, up(CAPS), A, SHIFT, A, 0x02]).codes, [0x1e41, 0x1e61, 0x0221]);
});

Deno.test("INT 9 knows function keys, grey keys and the keypad", () => {
  assertEquals(keys([0x3b, SHIFT, 0x3b, up(SHIFT), 0x57, ALT, 0x44]).codes, [0x3b00, 0x5400, 0x8500, 0x7100]);
  assertEquals(keys([0xe0, 0x48, 0x48, CTRL, 0xe0, 0x4d]).codes, [0x48e0, 0x4800, 0x74e0]);
  assertEquals(keys([NUM, up(NUM), 0x48, 0x53, SHIFT, 0x48]).codes, [0x4838, 0x532e, 0x4800]);
  assertEquals(keys([0x4a, 0x4e, 0xe0, 0x35, 0xe0, 0x1c]).codes, [0x4a2d, 0x4e2b, 0xe02f, 0xe00d]);
});

Deno.test("INT 16h AH=00h hides what a keyboard of 84 keys has not", () => {
  assertEquals(keys([0xe0, 0x48, 0x57, 0xe0, 0x35, 0xe0, 0x1c, A], 0).codes, [0x4800, 0x352f, 0x1c0d, 0x1e61]);
});

Deno.test("INT 9: Alt and digits of the keypad make a character", () => {
  assertEquals(keys([ALT, 0x4f, up(0x4f), 0x4c, 0x4d, up(ALT)]).codes, [156]);
});

Deno.test("INT 9 says what is left to be done", () => {
  assertEquals(keys([CTRL, 0x46]), { codes: [0], todo: [1] });
  assertEquals(keys([0xe0, 0x2a, 0xe0, 0x37]).todo, [2]);
  assertEquals(keys([0x54, up(0x54)]).todo, [3, 4]);
  assertEquals(keys([CTRL, ALT, 0xe0, 0x53]).todo, [5]);
  assertEquals(keys([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, A, A]), { codes: [0x1e61], todo: [6] });
});

Deno.test("INT 9 keeps 15 keys", () => {
  assertEquals(keys(new Array(20).fill(A)).codes.length, 15);
});

Deno.test("INT 16h waits, tells shift states, and takes keys", () => {
  const bench = new ServiceBench();
  assertEquals(bench.call(0x16, { eax: 0 }).answer, 1);
  assertEquals(bench.call(0x16, { eax: 0x0500, ecx: 0x1234 }).eax & 0xff, 0);
  assertEquals(bench.call(0x16, { eax: 0x0000 }), { ...bench.call(0x16, { eax: 0x0200 }), eax: 0x1234 });
  bench.call(KEYBOARD_IRQ, { eax: SHIFT });
  bench.call(KEYBOARD_IRQ, { eax: 0xe0 });
  bench.call(KEYBOARD_IRQ, { eax: ALT });
  assertEquals(bench.call(0x16, { eax: 0x0200 }).eax & 0xff, 0x0a);
  assertEquals(bench.call(0x16, { eax: 0x1200 }).eax, 0x080a);
  assertEquals(bench.call(0x16, { eax: 0x0305 }).carry, false);
});
