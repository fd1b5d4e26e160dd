import { assertEquals } from "@std/assert";
import { I8259, type I8259Options } from "./i8259.ts";

interface Bench {
  readonly pic: I8259;
  readonly levels: boolean[];
}

/** A chip that got ICW1, ICW2 = 0x20, ICW3 where it is due, and ICW4. */
function bench(options: { icw1?: number; icw4?: number } & Partial<I8259Options> = {}): Bench {
  const { icw1 = 0x11, icw4 = 0x01, ...rest } = options;
  const levels: boolean[] = [];
  const pic = new I8259({ interrupt: (level) => levels.push(level), ...rest });
  pic.write(0, icw1);
  pic.write(1, 0x20);
  if ((icw1 & 2) === 0) pic.write(1, 0x04);
  if (icw1 & 1) pic.write(1, icw4);
  return { pic, levels };
}

function pulse(pic: I8259, ...inputs: number[]): void {
  for (const input of inputs) {
    pic.setInput(input, false);
    pic.setInput(input, true);
  }
}

/** Acknowledges all that the chip requests, without an end of interrupt. */
function drain(pic: I8259): number[] {
  const levels: number[] = [];
  while (pic.int) levels.push(pic.acknowledge());
  return levels;
}

function isr(pic: I8259): number {
  pic.write(0, 0x0b);
  return pic.read(0);
}

function irr(pic: I8259): number {
  pic.write(0, 0x0a);
  return pic.read(0);
}

Deno.test("I8259 takes as many initialization words as ICW1 announces", () => {
  const cases: readonly [icw1: number, words: number[]][] = [
    [0x10, [0x40, 0x04]],
    [0x11, [0x40, 0x04, 0x01]],
    [0x12, [0x40]],
    [0x13, [0x40, 0x01]],
  ];
  for (const [icw1, words] of cases) {
    const pic = new I8259({ interrupt: () => {} });
    pic.setInput(6, true);
    pic.write(0, icw1);
    for (const word of words) {
      pulse(pic, 5);
      assertEquals(pic.int, false, "nothing is requested before the last word");
      pic.write(1, word);
    }
    assertEquals([pic.int, pic.acknowledge(), pic.vector(5)], [true, 5, 0x45], `ICW1 ${icw1.toString(16)}`);
    pic.write(1, 0x5a);
    assertEquals(pic.read(1), 0x5a, "then comes OCW1");
  }
});

Deno.test("I8259 ICW1 clears masks, requests, what is in service, and the modes", () => {
  const { pic } = bench({ icw4: 0x13 });
  pic.write(1, 0x0f);
  pulse(pic, 4, 5, 6);
  pic.acknowledge();
  pic.write(0, 0xc3); // IR3 lowest
  pic.write(0, 0x68);
  pic.write(0, 0x10);
  assertEquals(pic.read(0), 0, "IRR is read");
  for (const word of [0x08, 0x04]) pic.write(1, word);
  assertEquals([pic.read(1), irr(pic), isr(pic)], [0, 0, 0]);
  pulse(pic, 7, 0);
  assertEquals(pic.acknowledge(), 0, "IR0 is the highest again");
  assertEquals(isr(pic), 1, "no automatic end any more");
});

Deno.test("I8259 is fully nested: a level holds back itself and all below", () => {
  for (let served = 0; served < 8; served++) {
    for (let next = 0; next < 8; next++) {
      const { pic } = bench();
      pulse(pic, served);
      pic.acknowledge();
      pulse(pic, next);
      assertEquals(pic.int, next < served, `IR${next} while IR${served} is in service`);
      pic.write(0, 0x20);
      assertEquals(pic.int, true);
      assertEquals(pic.acknowledge(), next);
    }
  }
});

Deno.test("I8259.acknowledge() moves the highest request from IRR to ISR", () => {
  const { pic, levels } = bench();
  pulse(pic, 6, 3);
  assertEquals([irr(pic), isr(pic)], [0x48, 0]);
  assertEquals([pic.acknowledge(), pic.vector(3)], [3, 0x23]);
  assertEquals([irr(pic), isr(pic)], [0x40, 0x08]);
  pic.write(0, 0x20);
  assertEquals([pic.acknowledge(), irr(pic), isr(pic)], [6, 0, 0x40]);
  assertEquals(levels, [true, false, true, false]);
});

Deno.test("I8259 OCW1 masks requests, which are kept", () => {
  const { pic } = bench();
  pic.write(1, 0xff);
  pulse(pic, 2);
  assertEquals([pic.int, irr(pic), pic.read(1)], [false, 0x04, 0xff]);
  pic.write(1, 0xfb);
  assertEquals(pic.int, true);
  pic.write(1, 0xff);
  assertEquals(pic.int, false);
});

Deno.test("I8259 OCW2 commands", () => {
  // In service: 1 and 5 (5 first). Then all inputs rise; what the command leaves shows in ISR and in the order.
  const cases: readonly [name: string, ocw2: number, isr: number, order: number[]][] = [
    ["non-specific EOI", 0x20, 0x20, [0, 1, 2, 3, 4]],
    ["specific EOI", 0x65, 0x02, [0]],
    ["rotate on non-specific EOI", 0xa0, 0x20, [2, 3, 4]],
    ["rotate on specific EOI", 0xe5, 0x02, [6, 7, 0]],
    ["set priority", 0xc3, 0x22, [4]],
    ["no operation", 0x47, 0x22, [0]],
  ];
  for (const [name, ocw2, left, order] of cases) {
    const { pic } = bench();
    pulse(pic, 5);
    pic.acknowledge();
    pulse(pic, 1);
    pic.acknowledge();
    pic.write(0, ocw2);
    assertEquals(isr(pic), left, name);
    pulse(pic, 0, 1, 2, 3, 4, 5, 6, 7);
    const seen: number[] = [];
    while (pic.int) {
      const level = pic.acknowledge();
      seen.push(level);
      pic.write(0, 0x60 | level);
    }
    assertEquals(seen, order, name);
  }
});

Deno.test("I8259 set priority puts the next level on top", () => {
  for (let lowest = 0; lowest < 8; lowest++) {
    const { pic } = bench({ icw4: 0x03 });
    pic.write(0, 0xc0 | lowest);
    pulse(pic, 0, 1, 2, 3, 4, 5, 6, 7);
    assertEquals(drain(pic), [1, 2, 3, 4, 5, 6, 7, 8].map((i) => (lowest + i) & 7));
  }
});

Deno.test("I8259 automatic end of interrupt leaves nothing in service, and rotates if told to", () => {
  const { pic } = bench({ icw4: 0x03 });
  pulse(pic, 1, 2);
  assertEquals(drain(pic), [1, 2]);
  assertEquals(isr(pic), 0);
  pic.write(0, 0x80);
  const order: number[] = [];
  for (let i = 0; i < 4; i++) {
    pulse(pic, 1, 2);
    order.push(pic.acknowledge());
  }
  assertEquals(order, [1, 2, 1, 2], "equal rights");
  pic.write(0, 0x00);
  order.length = 0;
  for (let i = 0; i < 3; i++) {
    pulse(pic, 1, 2);
    order.push(pic.acknowledge());
  }
  assertEquals(order, [1, 1, 1], "IR2 stays the lowest");
});

Deno.test("I8259 special mask mode lets lower levels through while a masked one is in service", () => {
  const { pic } = bench();
  pulse(pic, 3);
  pic.acknowledge();
  pulse(pic, 6);
  pic.write(1, 0x08);
  assertEquals(pic.int, false);
  pic.write(0, 0x68);
  assertEquals([pic.int, pic.acknowledge()], [true, 6]);
  pic.write(0, 0x20);
  assertEquals(isr(pic), 0x08, "a non-specific EOI does not end the masked level");
  pic.write(0, 0x20);
  assertEquals(isr(pic), 0x08);
  pulse(pic, 6);
  pic.write(0, 0x08);
  assertEquals(pic.int, true, "without ESMM the mode stays");
  pic.write(0, 0x48);
  assertEquals(pic.int, false);
  pic.write(0, 0x20);
  assertEquals([isr(pic), pic.int], [0, true]);
});

Deno.test("I8259 special fully nested mode lets a cascaded chip interrupt itself, and nothing below", () => {
  for (const icw4 of [0x01, 0x11]) {
    const { pic } = bench({ icw4, cascaded: 0x04 });
    pulse(pic, 2);
    pic.acknowledge();
    pulse(pic, 3);
    assertEquals(pic.int, false);
    pulse(pic, 2);
    assertEquals(pic.int, icw4 === 0x11);
    pic.write(0, 0x20);
    pic.acknowledge();
    pic.write(0, 0x20);
    assertEquals(pic.acknowledge(), 3);
    pulse(pic, 3);
    assertEquals(pic.int, false, "an input without a chip behind it does not");
  }
});

Deno.test("I8259 poll command makes the next read an acknowledgement", () => {
  const { pic } = bench();
  pulse(pic, 4);
  pic.write(0, 0x0e); // poll comes before RR
  assertEquals([pic.read(0), pic.int], [0x84, false]);
  assertEquals(pic.read(0), 0, "then IRR again");
  assertEquals(isr(pic), 0x10);
  pic.write(0, 0x0c);
  assertEquals(pic.read(0), 0, "nothing to serve");
  pulse(pic, 1);
  pic.write(0, 0x0c);
  assertEquals([pic.read(1), pic.read(1)], [0x81, 0], "at either address");
  assertEquals(isr(pic), 0x12);
});

Deno.test("I8259 OCW3 chooses what is read until it chooses anew", () => {
  const { pic } = bench();
  pulse(pic, 0, 7);
  pic.acknowledge();
  assertEquals(pic.read(0), 0x80, "IRR after ICW1");
  pic.write(0, 0x0b);
  assertEquals([pic.read(0), pic.read(0)], [0x01, 0x01]);
  pic.write(0, 0x08);
  assertEquals(pic.read(0), 0x01);
  pic.write(0, 0x0a);
  assertEquals(pic.read(0), 0x80);
});

Deno.test("I8259.acknowledge() without a request is a level 7 that is not in service", () => {
  const { pic } = bench();
  pic.setInput(3, true);
  pic.setInput(3, false);
  assertEquals(pic.int, false, "the request went with the input");
  assertEquals([pic.acknowledge(), pic.vector(7), isr(pic)], [7, 0x27, 0]);
});

Deno.test("I8259 edge mode: one request a rise, forgotten by ICW1", () => {
  const { pic } = bench();
  pic.setInput(4, true);
  pic.acknowledge();
  pic.write(0, 0x20);
  assertEquals(pic.int, false, "still high");
  pulse(pic, 4);
  assertEquals(pic.int, true);
  pic.write(0, 0x11);
  for (const word of [0x20, 0x04, 0x01]) pic.write(1, word);
  assertEquals([pic.int, irr(pic)], [false, 0]);
});

Deno.test("I8259 level mode (LTIM, or the ELCR of a chip set): requests while the input is high", () => {
  const ltim = bench({ icw1: 0x19 }), elcr = bench({ elcr: 0xf8 });
  elcr.pic.elcr = 0xff;
  assertEquals(elcr.pic.elcr, 0xf8);
  for (const { pic } of [ltim, elcr]) {
    pic.setInput(5, true);
    assertEquals(pic.acknowledge(), 5);
    assertEquals([pic.int, irr(pic)], [false, 0x20]);
    pic.write(0, 0x20);
    assertEquals([pic.int, pic.acknowledge()], [true, 5]);
    pic.setInput(5, false);
    pic.write(0, 0x20);
    assertEquals([pic.int, irr(pic)], [false, 0]);
  }
  const both = bench({ icw1: 0x19, elcr: 0xf8 });
  both.pic.setInput(0, true);
  both.pic.acknowledge();
  both.pic.write(0, 0x20);
  assertEquals(both.pic.int, false, "ELCR takes the place of LTIM");
});

Deno.test("I8259.reset() goes back to waiting for ICW1, and keeps the levels of the inputs", () => {
  const { pic, levels } = bench({ elcr: 0xff });
  pic.elcr = 0x02;
  pic.setInput(1, true);
  pic.write(1, 0x70);
  pic.reset();
  assertEquals([pic.elcr, pic.read(1), pic.int, levels], [0, 0, false, [true, false]]);
  pulse(pic, 0);
  assertEquals(pic.int, false);
});
