/**
 * What firmware does to the PCI bus before anything else runs: each function gets its addresses and its interrupt line, as on a board
 * with a 440FX and a PIIX3.
 * @module
 */

import type { Bus } from "../../bus.ts";
import { PCI, pciFunctions, readPci, writePci } from "../pci.ts";

const FIRST_MEMORY = 0xe0000000, FIRST_PORT = 0xc000;
const BARS = 6;
const BAR_IO = 0x01, BAR_64 = 0x04, BAR_TYPE = 0x06;
const COMMAND_IO = 0x01, COMMAND_MEMORY = 0x02, COMMAND_MASTER = 0x04;
const CLASS_IDE = 0x0101;
const ISA_BRIDGE = 0x70008086, IDE = 0x70108086, POWER = 0x71138086;
/** Registers of the ISA bridge that route INTA to INTD, and to what. */
const ROUTES = 0x60, ROUTED_IRQS: readonly number[] = [10, 10, 11, 11];
/** Registers of the interrupt controllers that say which lines are levels; 10 and 11 of them. */
const LEVELS_HIGH_PORT = 0x4d1, LEVELS_HIGH = 0x0c;
const IDE_CHANNELS = 0x40, IDE_ENABLED = 0x80008000;
const POWER_BASE = 0x40, POWER_PORTS = 0x601, POWER_ENABLE = 0x80;
const POWER_IRQ = 9;

/**
 * Sets the bus up. Addresses that a function has already stay.
 * @param ports The I/O ports.
 */
export function setUpPci(ports: Bus): void {
  const next = { memory: FIRST_MEMORY, port: FIRST_PORT };
  const functions = pciFunctions(ports);
  for (const place of functions) {
    for (let n = 0; n < BARS; n++) keep(ports, place, n, next);
  }
  for (const place of functions) {
    const id = readPci(ports, place, PCI.VENDOR, 4);
    if ((readPci(ports, place, PCI.HEADER, 1) & 0x7f) === 0) assign(ports, place, next);
    const pin = readPci(ports, place, PCI.INTERRUPT_PIN, 1);
    const write = (offset: number, size: number, value: number): void =>
      writePci(ports, { place, offset }, size, value);
    if (pin !== 0) write(PCI.INTERRUPT_LINE, 1, ROUTED_IRQS[pin - 1 + (place >> 3) - 1 & 3]);
    if (id === ISA_BRIDGE) {
      ROUTED_IRQS.forEach((irq, n) => write(ROUTES + n, 1, irq));
      ports.out(LEVELS_HIGH_PORT, 1, ports.in(LEVELS_HIGH_PORT, 1) & 0xff | LEVELS_HIGH);
    } else if (id === IDE) {
      write(IDE_CHANNELS, 4, IDE_ENABLED);
    } else if (id === POWER) {
      write(POWER_BASE, 4, POWER_PORTS);
      write(POWER_ENABLE, 1, 1);
      write(PCI.INTERRUPT_LINE, 1, POWER_IRQ);
    }
  }
}

interface Next {
  memory: number;
  port: number;
}

/** What a function has already is not given to another. */
function keep(ports: Bus, place: number, n: number, next: Next): void {
  const { base, size, io } = measure(ports, place, n);
  if (base === 0 || size === 0) return;
  if (io) next.port = Math.max(next.port, base + size);
  else next.memory = Math.max(next.memory, base + size);
}

function assign(ports: Bus, place: number, next: Next): void {
  let command = readPci(ports, place, PCI.COMMAND, 2);
  for (let n = 0; n < BARS; n++) {
    const { base, size, io, wide } = measure(ports, place, n);
    if (size === 0) continue;
    command |= io ? COMMAND_IO : COMMAND_MEMORY;
    if (base === 0) {
      const first = Math.ceil((io ? next.port : next.memory) / size) * size;
      writePci(ports, { place, offset: PCI.BAR0 + 4 * n }, 4, first);
      if (io) next.port = first + size;
      else next.memory = first + size;
    }
    if (wide) n++;
  }
  if (readPci(ports, place, PCI.CLASS + 2, 2) === CLASS_IDE) command |= COMMAND_IO | COMMAND_MASTER;
  writePci(ports, { place, offset: PCI.COMMAND }, 2, command);
}

/** Where a range is, and how long. */
function measure(
  ports: Bus,
  place: number,
  n: number,
): { readonly base: number; readonly size: number; readonly io: boolean; readonly wide: boolean } {
  const offset = PCI.BAR0 + 4 * n;
  const old = readPci(ports, place, offset, 4);
  const command = readPci(ports, place, PCI.COMMAND, 2);
  // While it is being measured it is at no address.
  writePci(ports, { place, offset: PCI.COMMAND }, 2, command & ~(COMMAND_IO | COMMAND_MEMORY));
  writePci(ports, { place, offset }, 4, 0xffffffff);
  const mask = readPci(ports, place, offset, 4);
  writePci(ports, { place, offset }, 4, old);
  writePci(ports, { place, offset: PCI.COMMAND }, 2, command);
  const io = (mask & BAR_IO) !== 0;
  const bits = io ? (mask & 0xfffc) | 0xffff0000 : mask & 0xfffffff0;
  const size = mask === 0 ? 0 : -bits >>> 0;
  return { base: (old & (io ? 0xfffc : 0xfffffff0)) >>> 0, size, io, wide: !io && (mask & BAR_TYPE) === BAR_64 };
}
