import { assertEquals, assertThrows } from "@std/assert";
import { BusConflictError } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { SavedStateError } from "./device.ts";
import type { NetworkCardOptions } from "./net/network_card.ts";
import { NullEnd } from "./null_end.ts";
import { Pc, type PcOptions } from "./pc.ts";

function board(options: Partial<PcOptions> = {}): { readonly pc: Pc; readonly clock: VirtualClock } {
  const clock = new VirtualClock();
  return { pc: new Pc({ serial: new NullEnd(), clock, ...options }), clock };
}

/** Initializes the interrupt controllers as a PC's firmware does, all lines open. */
function initialize(pc: Pc): void {
  for (const [port, vector, wiring] of [[0x20, 0x08, 4], [0xa0, 0x70, 2]]) {
    pc.ports.out(port, 1, 0x11);
    for (const word of [vector, wiring, 1, 0]) pc.ports.out(port + 1, 1, word);
  }
}

Deno.test("Pc has what a PC has, where a PC has it", () => {
  const { pc } = board();
  assertEquals(pc.ports.map().map(({ name, base, length }) => `${base.toString(16)}+${length} ${name}`), [
    "20+2 interrupt controller 1",
    "40+4 interval timer",
    "60+1 keyboard controller data",
    "61+1 port 61",
    "64+1 keyboard controller command",
    "70+2 clock and CMOS memory",
    "92+1 port 92",
    "a0+2 interrupt controller 2",
    "e9+1 debug console",
    "2e8+8 COM4",
    "2f8+8 COM2",
    "3e8+8 COM3",
    "3f8+8 COM1",
    "4d0+2 interrupt edge/level",
    "600+16 power management",
    "cf9+1 reset control",
  ]);
  assertEquals(pc.ports.in(0x80, 4), 0xffffffff);
});

Deno.test("Pc has debug-exit where asked", () => {
  assertEquals(board({ debugExit: 0xf4 }).pc.ports.map().find(({ name }) => name === "debug-exit")?.base, 0xf4);
  assertThrows(() => board({ debugExit: 0x3fa }), BusConflictError, "COM1 has 0x3f8 to 0x3ff");
});

Deno.test("Pc.exitCode keeps the first end", () => {
  const { pc } = board({ debugExit: 0xf4 });
  assertEquals(pc.exitCode, undefined);
  pc.ports.write(0xf4, Uint8Array.of(3));
  pc.ports.write(0x604, Uint8Array.of(0, 0x20));
  assertEquals(pc.exitCode, 7);
  const off = board().pc;
  off.ports.write(0x604, Uint8Array.of(0, 0x20));
  assertEquals(off.exitCode, 0);
});

Deno.test("Pc wires each device to its interrupt", () => {
  const { pc, clock } = board();
  initialize(pc);
  assertEquals([pc.interrupts.pending, pc.interrupts.deaf], [false, false]);
  pc.ports.out(0x43, 1, 0x30); // counter 0, mode 0
  pc.ports.out(0x40, 1, 10);
  pc.ports.out(0x40, 1, 0);
  clock.advance(20_000);
  assertEquals(pc.interrupts.acknowledge(), 0x08);
  pc.ports.out(0x20, 1, 0x20);
  for (const [com, vector] of [[0x3f8, 0x0c], [0x2f8, 0x0b], [0x3e8, 0x0c], [0x2e8, 0x0b]]) {
    pc.ports.out(com + 4, 1, 0x08);
    pc.ports.out(com + 1, 1, 0x02);
    assertEquals(pc.interrupts.acknowledge(), vector);
    pc.ports.in(com + 2, 1);
    pc.ports.out(0x20, 1, 0x20);
  }
  pc.ports.out(0x70, 1, 0x0b);
  pc.ports.out(0x71, 1, 0x42); // periodic interrupts
  clock.advance(1_000_000);
  assertEquals(pc.interrupts.acknowledge(), 0x70);
});

Deno.test("Pc.reset() resets all devices, and opens the A20 gate", () => {
  const { pc } = board();
  const gate: boolean[] = [];
  pc.onA20 = (open) => gate.push(open);
  initialize(pc);
  pc.ports.out(0x3fb, 1, 3);
  pc.ports.out(0x92, 1, 0);
  assertEquals([pc.a20, pc.resetRequested], [false, undefined]);
  pc.ports.out(0x92, 1, 1);
  assertEquals(pc.resetRequested, "processor");
  pc.ports.out(0xcf9, 1, 6);
  assertEquals(pc.resetRequested, "machine");
  pc.reset();
  assertEquals([pc.a20, pc.resetRequested, pc.interrupts.deaf], [true, undefined, true]);
  assertEquals(pc.ports.in(0x3fb, 1), 0);
  assertEquals(gate, [false, true]);
});

Deno.test("Pc.restore() goes back to what save() gave, through JSON", () => {
  const { pc, clock } = board();
  initialize(pc);
  pc.ports.out(0x43, 1, 0x34);
  pc.ports.out(0x40, 1, 0x00);
  pc.ports.out(0x40, 1, 0x10);
  pc.ports.out(0x3ff, 1, 0x5a);
  pc.ports.out(0x64, 1, 0xdd); // the keyboard controller closes the A20 gate
  clock.advance(5_000_000);
  const state = JSON.parse(JSON.stringify(pc.save()));
  const other = board();
  other.clock.restore(clock.now());
  other.pc.restore(state);
  assertEquals(other.pc.save(), pc.save());
  assertEquals([other.pc.ports.in(0x3ff, 1), other.pc.interrupts.pending, other.pc.a20], [0x5a, true, false]);
  for (const each of [clock, other.clock]) each.advance(12_345_678);
  assertEquals(other.pc.save(), pc.save());
  assertThrows(() => pc.restore({ version: 1, a20: true, devices: {} }), SavedStateError, "there is no i8259");
});

Deno.test("Pc.awaitsInput says whether a serial line may still wake the guest", () => {
  const end = new (class extends NullEnd {
    ended = false;
    override receive(): number {
      return 0x41;
    }
  })();
  const { pc } = board({ serial: end });
  initialize(pc);
  assertEquals(pc.awaitsInput, false);
  pc.ports.out(0x3fc, 1, 0x08);
  pc.ports.out(0x3f9, 1, 0x01);
  assertEquals([pc.awaitsInput, pc.interrupts.pending], [true, false]);
  pc.poll();
  assertEquals(pc.interrupts.acknowledge(), 0x0c);
  end.ended = true;
  assertEquals(pc.awaitsInput, false);
});

Deno.test("Pc gives what is written to port e9 to the debug console", () => {
  const seen: number[] = [];
  const { pc } = board({ debugConsole: (byte) => seen.push(byte) });
  pc.ports.out(0xe9, 1, 0x41);
  assertEquals([pc.ports.in(0xe9, 1), ...seen], [0xe9, 0x41]);
});

Deno.test("Pc has PCI with a VGA and disks on virtio where asked, and saves and restores them", () => {
  const disk = { size: 0x100000, readonly: true, read() {}, write() {}, flush() {}, [Symbol.dispose]() {} };
  const options = { video: true, pci: true, virtioDisks: [disk] };
  const { pc } = board(options);
  const found: string[] = [];
  for (let device = 0; device < 32; device++) {
    for (let place = 0; place < 8; place++) {
      pc.ports.out(0xcf8, 4, 0x80000000 + (device << 11) + (place << 8));
      const id = pc.ports.in(0xcfc, 4);
      if (id !== 0xffffffff) found.push(`${device}.${place} ${id.toString(16)}`);
    }
  }
  assertEquals(found, ["0.0 12378086", "1.0 70008086", "1.3 71138086", "2.0 11111234", "3.0 10011af4"]);
  pc.vga?.setMode(3);
  pc.mmio.out(0xb8000, 2, 0x0741);
  pc.ports.out(0xcf9, 1, 6);
  assertEquals(pc.resetRequested, "machine");
  const other = board(options).pc;
  other.restore(JSON.parse(JSON.stringify(pc.save())));
  assertEquals([other.vga?.lines()[0], other.save()], ["A", pc.save()]);
});

Deno.test("Pc has a network card where asked, on PCI or ISA", () => {
  let waits = false, woken = 0;
  let wake = (): void => {};
  const network: NetworkCardOptions["network"] = ({ delivered }) => {
    wake = delivered;
    const port = { connect: () => {}, send: () => {}, resume: () => {} };
    return { port, awaits: () => waits };
  };
  for (const [card, id] of [["virtio", 0x10001af4], ["ne2k_pci", 0x802910ec], ["ne2k_isa", 0xffffffff]] as const) {
    const { pc } = board({ pci: true, network: { card, network } });
    pc.onInput(() => woken++);
    wake();
    assertEquals(woken, 1);
    woken = 0;
    pc.ports.out(0xcf8, 4, 0x80001800);
    assertEquals(pc.ports.in(0xcfc, 4), id);
    assertEquals(pc.ports.in(0x30a, 1), card === "ne2k_isa" ? 0x50 : 0xff);
    assertEquals([pc.isOnline, pc.awaitsInput], [false, false]);
    waits = true;
    assertEquals([pc.isOnline, pc.awaitsInput], [true, true]);
    waits = false;
    pc.reset();
    board({ pci: true, network: { card, network } }).pc.restore(JSON.parse(JSON.stringify(pc.save())));
  }
  assertEquals(woken, 0);
});

Deno.test("Pc without PCI has the frame buffer where it always was", () => {
  const { pc } = board({ video: true });
  pc.mmio.out(0xe0000000, 4, 0x12345678);
  assertEquals(pc.mmio.in(0xe0000002, 2), 0x1234);
  assertEquals(pc.ports.map().some(({ name }) => name === "PCI configuration"), false);
});
