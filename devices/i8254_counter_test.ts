import { assertEquals } from "@std/assert";
import { I8254Counter } from "./i8254_counter.ts";

/** Reads the count without disturbing it; the control word must read one byte, or both. */
function count(counter: I8254Counter, control: number): number {
  counter.latchCount();
  const low = counter.read();
  return (control & 0x30) === 0x30 ? low | (counter.read() << 8) : low;
}

/**
 * Plays a diagram of the datasheet: `w3` writes a byte, `g0` and `g1` drive GATE, `t` is a trigger (GATE falls and rises), and
 * `3` or `3-` is a CLK pulse that leaves this count (low byte, hexadecimal) with OUT high or low.
 */
function play(control: number, diagram: string): void {
  const counter = new I8254Counter();
  if (control >> 1 === 0x09 || control >> 1 === 0x0d) counter.gate = false; // modes 1 and 5 wait for a trigger
  counter.program(control);
  let done = "";
  for (const step of diagram.split(" ")) {
    done += ` ${step}`;
    if (step[0] === "w") counter.write(parseInt(step.slice(1), 16));
    else if (step[0] === "g") counter.gate = step === "g1";
    else if (step === "t") {
      counter.gate = false;
      counter.gate = true;
    } else if (step === "+" || step === "-") assertEquals(counter.out, step === "+", done);
    else {
      counter.clock(1);
      const shown = count(counter, control).toString(16) + (counter.out ? "" : "-");
      assertEquals(shown, step, `${control.toString(16)}:${done}`);
    }
  }
}

Deno.test("I8254Counter mode 0, as in the datasheet's diagrams", () => {
  play(0x10, "- w4 - 4- 3- 2- 1- 0 ff fe");
  play(0x10, "w3 3- 2- g0 2- 2- g1 1- 0 ff");
  play(0x10, "w3 3- 2- 1- w2 2- 1- 0 ff");
  play(0x10, "g0 w3 3- 3- g1 2- 1- 0 + w2 - 2- 1- 0");
  play(0x10, "w1 1- 0 ff w0 - 0- ff- fe-");
});

Deno.test("I8254Counter mode 0: the first of two bytes stops counting and clears OUT", () => {
  play(0x30, "w2 w0 2- 1- 0 ffff + w5 - ffff- ffff- w0 5- 4- 3-");
});

Deno.test("I8254Counter mode 1, as in the datasheet's diagrams", () => {
  play(0x12, "+ w3 t 3- 2- 1- 0 ff t 3- 2-");
  play(0x12, "w3 t 3- 2- 1- t 3- 2- 1- 0 ff");
  play(0x12, "w2 t 2- 1- w4 0 ff fe t 4- 3-");
});

Deno.test("I8254Counter mode 2, as in the datasheet's diagrams", () => {
  play(0x14, "+ w3 3 2 1- 3 2 1- 3");
  play(0x14, "w3 3 2 g0 2 2 g1 3 2 1- 3");
  play(0x14, "w4 4 3 w5 2 1- 5 4 3 2 1- 5");
  play(0x14, "w3 3 2 1- g0 + 1 g1 3 2 1-");
  play(0x1c, "w2 2 1- 2 1- 2"); // mode 6 is mode 2
});

Deno.test("I8254Counter mode 3, as in the datasheet's diagrams", () => {
  play(0x16, "+ w4 4 2 4- 2- 4 2 4- 2- 4 2");
  play(0x16, "w5 4 2 0 4- 2- 4 2 0 4- 2- 4");
  play(0x16, "w4 4 2 4- g0 + 4 4 g1 4 2 4- 2-");
  play(0x16, "w4 4 2 4- w6 2- 6 4 2 6- 4- 2-");
  play(0x16, "w3 2 0 2- 2 0 2- 2");
  play(0x1e, "w2 2 2- 2 2-"); // mode 7 is mode 3
});

Deno.test("I8254Counter mode 4, as in the datasheet's diagrams", () => {
  play(0x18, "+ w3 3 2 1 0- ff fe fd");
  play(0x18, "w3 g0 3 3 g1 2 1 0- ff");
  play(0x18, "w3 3 2 1 w2 2 1 0- ff");
  play(0x18, "w1 1 0- g0 - 0 + 0 g1 ff");
});

Deno.test("I8254Counter mode 5, as in the datasheet's diagrams", () => {
  play(0x1a, "+ w3 t 3 2 1 0- ff t 3");
  play(0x1a, "w3 t 3 2 t 3 2 1 0- ff fe");
  play(0x1a, "w3 t 3 2 w5 1 0- ff fe t 5 4");
});

Deno.test("I8254Counter modes 1 and 5 ignore a trigger before there is a count", () => {
  play(0x12, "t + w2 + t 2- 1- 0");
  play(0x1a, "t w2 + t 2 1 0-");
});

Deno.test("I8254Counter reads and writes the bytes that the control word names", () => {
  for (const [rw, bytes, expected] of [[1, [0x34], 0x34], [2, [0x12], 0x1200], [3, [0x34, 0x12], 0x1234]] as const) {
    const counter = new I8254Counter();
    counter.program(rw << 4 | 0x8);
    for (const byte of bytes) counter.write(byte);
    counter.clock(1);
    const first = counter.read();
    const second = counter.read();
    assertEquals([first, second], rw === 3 ? [0x34, 0x12] : rw === 2 ? [0x12, 0x12] : [0x34, 0x34]);
    counter.program(0x38);
    counter.latchCount();
    assertEquals(counter.read() | counter.read() << 8, expected);
  }
});

Deno.test("I8254Counter a count of 0 is the largest: 65,536, or 10,000 in BCD", () => {
  for (const [control, period] of [[0x34, 65_536], [0x35, 10_000], [0x36, 65_536], [0x37, 10_000]] as const) {
    const counter = new I8254Counter();
    counter.program(control);
    counter.write(0);
    counter.write(0);
    counter.clock(1);
    const low: number[] = [];
    for (let pulse = 1; pulse <= 2 * period; pulse++) {
      counter.clock(1);
      if (!counter.out) low.push(pulse);
    }
    const half = (control & 2) !== 0;
    assertEquals(low.length, half ? period : 2);
    assertEquals([low[0], low.at(-1)], half ? [period / 2, 2 * period - 1] : [period - 1, 2 * period - 1]);
  }
});

Deno.test("I8254Counter counts in BCD", () => {
  const counter = new I8254Counter();
  counter.program(0x31);
  counter.write(0x00);
  counter.write(0x10); // 1000
  counter.clock(1);
  const seen: number[] = [];
  for (const pulses of [0, 1, 89, 1, 908, 1, 1]) {
    counter.clock(pulses);
    seen.push(count(counter, 0x31));
  }
  assertEquals(seen, [0x1000, 0x999, 0x910, 0x909, 0x001, 0x000, 0x9999]);
});

Deno.test("I8254Counter.latchCount() holds the count until it has been read whole", () => {
  const counter = new I8254Counter();
  counter.program(0x34);
  counter.write(0x00);
  counter.write(0x10);
  counter.clock(2);
  counter.latchCount();
  counter.clock(0x100);
  counter.latchCount(); // no effect
  assertEquals([counter.read(), counter.read()], [0xff, 0x0f]);
  assertEquals([counter.read(), counter.read()], [0xff, 0x0e]);
  counter.latchCount();
  counter.program(0x34);
  counter.write(0x34);
  counter.write(0x12);
  counter.clock(1);
  assertEquals([counter.read(), counter.read()], [0x34, 0x12], "a control word ends the latch");
});

Deno.test("I8254Counter.latchStatus() shows OUT, null count and the control word, before a latched count", () => {
  const counter = new I8254Counter();
  counter.program(0x30);
  counter.latchStatus();
  assertEquals(counter.read(), 0x70, "OUT low, nothing written");
  counter.write(5);
  counter.write(0);
  counter.latchStatus();
  assertEquals(counter.read(), 0x70, "written, not loaded");
  counter.clock(1);
  counter.latchCount();
  counter.latchStatus();
  counter.clock(5);
  counter.latchStatus(); // no effect
  assertEquals([counter.read(), counter.read(), counter.read()], [0x30, 5, 0]);
  counter.latchStatus();
  assertEquals(counter.read(), 0xb0);
  counter.program(0x1f);
  counter.latchStatus();
  assertEquals(counter.read(), 0xdf, "the mode is shown as it was written");
});

Deno.test("I8254Counter a count of 1 in modes 2 and 3 works as 2", () => {
  play(0x14, "w1 2 1- 2 1- 2");
  play(0x16, "w1 2 2- 2 2-");
});

Deno.test("I8254Counter.clock() with many pulses is the same as many times one, and pulsesToChange() misses no change", () => {
  let seed = 12345;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor(seed / 0x1_0000_0000 * below);
  };
  for (let round = 0; round < 400; round++) {
    const one = new I8254Counter(), many = new I8254Counter();
    const both = (act: (counter: I8254Counter) => void) => [one, many].forEach(act);
    for (let step = 0; step < 20; step++) {
      const value = random(2) === 0 ? random(256) : random(9);
      const action = random(8);
      if (step === 0 || action === 0) both((counter) => counter.program((value & 0x30 || 0x10) | value & 0x0f));
      else if (action < 4) both((counter) => counter.write(value));
      else if (action < 6) both((counter) => counter.gate = (value & 1) === 0);
      const pulses = random(4) === 0 ? random(1000) : random(12);
      let out = one.out;
      let quiet = one.pulsesToChange();
      for (let pulse = 1; pulse <= pulses; pulse++) {
        one.clock(1);
        quiet--;
        if (one.out !== out && quiet > 0) throw new Error(`OUT changed ${quiet} pulses too early`);
        if (quiet <= 0) quiet = one.pulsesToChange();
        out = one.out;
      }
      many.clock(pulses);
      assertEquals(many.save(), one.save());
    }
  }
});
