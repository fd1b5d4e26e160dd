import { assertEquals } from "@std/assert";
import { NullEnd } from "../devices/null_end.ts";
import { Pc } from "../devices/pc.ts";
import { Vcpu } from "../mod.ts";
import { FakeVcpu } from "../tests/fake_backend.ts";
import { Processors } from "./processors.ts";
import { VirtualTime } from "./time.ts";

const ICR = 0xfee0_0300, ICR_HIGH = 0xfee0_0310, SVR = 0xfee0_00f0;

/** Some processors that count instructions as they are told to; `code.bytes` is what is around their next instructions. */
function machine(count: number) {
  const time = new VirtualTime();
  const pc = new Pc({ serial: new NullEnd(), clock: time.clock, processors: count });
  const instructions = new Array<number>(count).fill(0);
  const vcpus = instructions.map((_, n) => {
    const backend = new FakeVcpu(new Map());
    const translate = (bytes: Uint8Array): void => void (bytes[16] = 1); // valid
    return new Vcpu(n, Object.assign(backend, { instructions: () => instructions[n], translate }));
  });
  const code = { bytes: Uint8Array.of(0x90) };
  const processors = new Processors({ vm: { read: () => code.bytes as never }, vcpus, pc, time });
  /** The current processor sends a message. */
  const send = (low: number, destination = 0): void => {
    pc.mmio.out(ICR_HIGH, 4, destination << 24 >>> 0);
    pc.mmio.out(ICR, 4, low);
  };
  /** The current processor runs for as long as it may. */
  const use = (): number => {
    const used = processors.bound();
    instructions[processors.current.index] += used;
    return used;
  };
  return { time, pc, instructions, processors, send, use, code };
}

/** All have begun and switched their APICs on; it is the first one's turn. */
function started(count: number) {
  const parts = machine(count);
  const { pc, processors } = parts;
  for (const each of processors.all) {
    each.waiting = false;
    pc.apic.current = each.index;
    pc.mmio.out(SVR, 4, 0x1ff);
  }
  pc.apic.current = 0;
  return parts;
}

Deno.test("Processors.next() gives each its turn, and counts what the others have executed", () => {
  const { processors, use, pc, time } = started(3);
  const turns: unknown[] = [];
  for (let n = 0; n < 3; n++) {
    use();
    assertEquals([processors.over, processors.bound()], [true, 1], "one instruction for what an exit has left open");
    processors.next();
    turns.push([processors.current.index, processors.elsewhere, processors.instructions, pc.apic.current]);
  }
  assertEquals(turns, [[1, 10_000, 10_000, 1], [2, 20_000, 20_000, 2], [0, 20_000, 30_000, 0]]);
  assertEquals(time.elsewhere, 20_000);
});

Deno.test("Processors have longer and longer turns, but for those that wait in a loop", () => {
  const { processors, use, code } = started(2);
  const turns = (count: number): number[] =>
    Array.from({ length: count }, () => {
      const used = use();
      processors.next();
      return used;
    });
  assertEquals(turns(6), [10_000, 10_000, 20_000, 20_000, 40_000, 40_000]);
  code.bytes = Uint8Array.of(0x8b, 0x07, 0xf3, 0x90, 0xeb, 0xfa); // mov eax, [edi]; pause; jmp
  assertEquals(turns(4), [80_000, 80_000, 10_000, 10_000]);
  code.bytes = Uint8Array.of(0x90);
  assertEquals(turns(16).slice(-2), [400_000, 400_000]);
  processors.most = 50_000;
  assertEquals(turns(4), [400_000, 400_000, 50_000, 50_000]);
});

Deno.test("Processors: who halts gives its turn away, and has it alone if nobody else has something to do", () => {
  const { processors, use } = started(2);
  processors.current.halted = true;
  assertEquals([processors.over, processors.next(), processors.current.index], [true, true, 1]);
  use();
  assertEquals([processors.next(), processors.current.index], [true, 1]);
  processors.current.halted = true;
  assertEquals(processors.next(), false);
});

Deno.test("Processors interrupt a turn for a message to another, which goes on behind it", () => {
  const { processors, send, use } = started(3);
  const [first, second] = processors.all;
  const turn = processors.bound();
  send(0x44040);
  assertEquals([processors.disturbed, processors.bound()], [false, turn], "to itself");
  send(0x4040, 1);
  assertEquals(processors.disturbed, true);
  const used = use();
  assertEquals([used < turn / 2, processors.disturbed, processors.over], [true, false, true]);
  processors.next();
  assertEquals([processors.current, processors.bound() < turn], [second, true]);
  use();
  processors.next();
  assertEquals([processors.current, processors.bound()], [first, turn - used]);
});

Deno.test("Processors that send each other messages leave the others their turns", () => {
  const { processors, send, use } = started(3);
  const seen = new Set<number>();
  for (let n = 0; n < 100; n++) {
    const { index } = processors.current;
    seen.add(index);
    if (index < 2) send(0x4040, 1 - index);
    use();
    processors.next();
  }
  assertEquals(seen, new Set([0, 1, 2]));
});

Deno.test("Processors.skip() goes on to another one before the turn is used up", () => {
  const { processors } = started(2);
  assertEquals([processors.skip(), processors.current.index], [true, 1]);
});

Deno.test("Processors wait for startup messages after power-up and INIT, and take one", () => {
  const { processors, pc, send } = machine(2);
  const [first, second] = processors.all;
  assertEquals([first.runs, second.runs, second.deaf, processors.deaf], [true, false, true, false]);
  assertEquals([processors.next(), processors.current], [true, first]);
  send(0xc4500);
  send(0xc4609);
  send(0xc460a);
  assertEquals([second.runs, second.told, second.init, second.startup], [true, true, true, 9]);
  send(0xc4500);
  assertEquals([second.runs, second.init, second.startup], [false, true, -1]);
  send(0xc4400);
  assertEquals(second.nmi, false, "it has no ear for NMI while it waits");
  assertEquals(pc.resetRequested, undefined);
  send(0x4500, 0);
  assertEquals(pc.resetRequested, "processor", "INIT to the first is a reset");
});

Deno.test("Processor.deaf says when nothing can wake it but another one", () => {
  const { processors, send } = started(2);
  const [first, second] = processors.all;
  second.halted = second.stopped = true;
  assertEquals([second.runs, second.deaf, processors.deaf], [false, true, false]);
  first.halted = first.stopped = true;
  assertEquals(processors.deaf, true);
  send(0x4040, 1);
  assertEquals([second.runs, processors.deaf], [false, true], "interrupts are off");
  send(0x4400, 1);
  assertEquals([second.runs, processors.deaf], [true, false], "NMI is not");
  processors.reset();
  assertEquals([first.runs, second.runs, second.told, processors.current], [true, false, false, first]);
});
