/**
 * What firmware does with PCI before it starts a system: each window gets its addresses, each interrupt pin its IRQ. For machines
 * whose firmware does not, or that have none.
 * @module
 */

import type { Bus } from "../bus.ts";
import { ELCR_PORT } from "../i8259_pair.ts";
import { PIIX3_PIRQRC } from "./piix3.ts";
import { PCI_ADDRESS_PORT } from "./pci_bus.ts";
import { PCI, PCI_BAR, PCI_BARS, PCI_COMMAND, PCI_MULTIFUNCTION, PCI_NOBODY } from "./pci_registers.ts";

/** Where windows may be. */
export interface PciSetupOptions {
  /** The first address for memory, below 4 GiB; 0xe0000000 unless told. */
  readonly memory?: number;
  /** The first port; 0xc000 unless told. */
  readonly ports?: number;
}

const MEMORY = 0xe0000000, MEMORY_END = 0xfec00000;
const PORTS = 0xc000, PORTS_END = 0x10000;
const DATA_PORT = PCI_ADDRESS_PORT + 4, ENABLE = 0x80000000;
const PLACES = 256, FUNCTIONS = 8, PAGE = 0x1000;
/** The bridge to ISA is device 1, function 0. */
const ISA = 8;
const ISA_ID = 0x70008086, IDE_ID = 0x70108086;
/** PIRQA to PIRQD, as SeaBIOS has them. */
const PIRQ_IRQS = [10, 10, 11, 11] as const;
const PIN_SWIZZLE = 2;
/** The IDE function's timings: both channels answer. */
const IDE_TIMINGS = 0x40, IDE_DECODE = 0x80008000;

interface Window {
  readonly place: number;
  readonly offset: number;
  readonly io: boolean;
  readonly size: number;
}

/** Configuration space behind the ports. */
class Space {
  readonly #ports: Bus;

  constructor(ports: Bus) {
    this.#ports = ports;
  }

  read(place: number, offset: number, size: number): number {
    this.#ports.out(PCI_ADDRESS_PORT, 4, (ENABLE | place << 8 | offset & 0xfc) >>> 0);
    return this.#ports.in(DATA_PORT + (offset & 3), size);
  }

  write(place: number, offset: number, size: number, value: number): void {
    this.#ports.out(PCI_ADDRESS_PORT, 4, (ENABLE | place << 8 | offset & 0xfc) >>> 0);
    this.#ports.out(DATA_PORT + (offset & 3), size, value);
  }
}

/**
 * Sets all functions up: largest windows first, PIRQA to PIRQD at IRQ 10, 10, 11 and 11, which become level-triggered. Expansion ROMs
 * get no addresses, and what has no room gets none.
 * @param ports The I/O ports, with PCI among them; without it nothing happens.
 * @param options Where windows may be.
 */
export function setUpPci(ports: Bus, options: PciSetupOptions = {}): void {
  const space = new Space(ports);
  const places = findFunctions(space);
  const windows = places.flatMap((place) => findWindows(space, place)).toSorted((a, b) => b.size - a.size);
  let memory = options.memory ?? MEMORY, port = options.ports ?? PORTS;
  const decoded = new Map<number, number>();
  for (const { place, offset, io, size } of windows) {
    const unit = io ? size : Math.max(size, PAGE);
    const base = Math.ceil((io ? port : memory) / unit) * unit;
    if (base + unit > (io ? PORTS_END : MEMORY_END)) continue;
    if (io) port = base + unit;
    else memory = base + unit;
    space.write(place, offset, 4, base);
    decoded.set(place, (decoded.get(place) ?? 0) | (io ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY));
  }
  for (const [place, bits] of decoded) space.write(place, PCI.COMMAND, 2, space.read(place, PCI.COMMAND, 2) | bits);
  routeInterrupts(space, places, ports);
}

function findFunctions(space: Space): number[] {
  const found: number[] = [];
  for (let place = 0; place < PLACES; place++) {
    const first = place & -FUNCTIONS;
    const alone = (space.read(first, PCI.HEADER_TYPE, 1) & PCI_MULTIFUNCTION) === 0;
    if (place !== first && alone) continue;
    if (space.read(place, PCI.VENDOR_ID, 4) !== PCI_NOBODY) found.push(place);
  }
  return found;
}

function findWindows(space: Space, place: number): Window[] {
  const found: Window[] = [];
  for (let bar = 0; bar < PCI_BARS; bar++) {
    const offset = PCI.BAR0 + 4 * bar;
    const before = space.read(place, offset, 4);
    space.write(place, offset, 4, 0xffffffff);
    const bits = space.read(place, offset, 4);
    space.write(place, offset, 4, before);
    if (bits === 0) continue;
    const io = (bits & PCI_BAR.IO) !== 0;
    const size = -(bits & ~(io ? PCI_BAR.IO_FLAGS : PCI_BAR.MEMORY_FLAGS)) >>> 0;
    found.push({ place, offset, io, size });
  }
  return found;
}

function routeInterrupts(space: Space, places: readonly number[], ports: Bus): void {
  if (space.read(ISA, PCI.VENDOR_ID, 4) !== ISA_ID) return;
  PIRQ_IRQS.forEach((irq, pirq) => {
    space.write(ISA, PIIX3_PIRQRC + pirq, 1, irq);
    const elcr = ELCR_PORT + (irq >> 3);
    ports.out(elcr, 1, ports.in(elcr, 1) | 1 << (irq & 7));
  });
  for (const place of places) {
    if (space.read(place, PCI.VENDOR_ID, 4) === IDE_ID) space.write(place, IDE_TIMINGS, 4, IDE_DECODE);
    const pin = space.read(place, PCI.INTERRUPT_PIN, 1);
    // Power management has an IRQ of its own.
    if (pin === 0 || place >> 3 === ISA >> 3) continue;
    const irq = PIRQ_IRQS[pin + (place >> 3) + PIN_SWIZZLE & 3];
    space.write(place, PCI.INTERRUPT_LINE, 1, irq);
  }
}
