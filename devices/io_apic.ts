/**
 * An I/O APIC (82093AA, with the EOI register of its successors): 24 pins whose interrupts go as messages to local APICs.
 *
 * | offset | |
 * | --- | --- |
 * | 0x00 | IOREGSEL: the register that is seen |
 * | 0x10 | IOWIN: that register |
 * | 0x40 | EOI, write only |
 *
 * A pin is driven with whether its device wants an interrupt; the polarity is kept and means nothing.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "./device.ts";
import { type ApicBus, DELIVERY } from "./local_apic_bus.ts";

/** Where the registers of a PC's first I/O APIC are. */
export const IO_APIC_BASE = 0xfec00000;
/** How many addresses they take. */
export const IO_APIC_LENGTH = 0x1000;
/** How many pins it has. */
export const IO_APIC_PINS = 24;

const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOI = 0x40;

const IOAPICID = 0x00;
const IOAPICVER = 0x01;
const IOAPICARB = 0x02;
const IOREDTBL = 0x10;

const VERSION_VALUE = 0x20 | (IO_APIC_PINS - 1) << 16;
const ID_MASK = 0x0f00_0000;

const VECTOR = 0xff;
const MODE_SHIFT = 8;
const LOGICAL = 0x800;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
/** What can be written of a table entry's low half. */
const LOW_WRITABLE = 0x1_afff;
const DESTINATION = 0xff00_0000;

/** What an I/O APIC is made from and wired to. */
export interface IoApicOptions {
  /** Its ID at reset, 0..15. */
  readonly id: number;
  /** The bus to the local APICs. */
  readonly bus: ApicBus;
}

/** An I/O APIC. */
export class IoApic implements Device, BusDevice {
  /** `"io_apic"`. */
  readonly name = "io_apic";
  /** 32-bit registers. */
  readonly width = 4;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #bus: ApicBus;
  readonly #firstId: number;
  readonly #low = new Uint32Array(IO_APIC_PINS);
  readonly #high = new Uint32Array(IO_APIC_PINS);
  /** For each pin, the levels of all that drive it. */
  readonly #drivers: boolean[][] = Array.from({ length: IO_APIC_PINS }, () => []);
  readonly #levels: boolean[] = new Array(IO_APIC_PINS).fill(false);
  #select = 0;
  #id = 0;

  /**
   * Makes an I/O APIC as it is after power-up: all pins are masked.
   * @param options What it is made from and wired to.
   */
  constructor(options: IoApicOptions) {
    this.#bus = options.bus;
    this.#firstId = options.id << 24;
    this.reset();
    this.#bus.onEoi((vector) => this.#eoi(vector));
  }

  /** As after power-up; the levels of the pins stay. */
  reset(): void {
    this.#select = 0;
    this.#id = this.#firstId;
    this.#low.fill(MASKED);
    this.#high.fill(0);
  }

  /**
   * Takes the registers' addresses.
   * @param _ports Not used.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError They are taken.
   */
  attach(_ports: Bus, mmio: Bus): void {
    mmio.attach({ name: "I/O APIC", base: IO_APIC_BASE, length: IO_APIC_LENGTH }, this);
  }

  /**
   * Solders one more wire to a pin. The pin is active while any of its wires is.
   * @param pin 0..23.
   * @returns Drives the wire, which is inactive at first.
   * @throws RangeError There is no such pin.
   */
  line(pin: number): (level: boolean) => void {
    const drivers = this.#drivers[pin];
    if (drivers === undefined) throw new RangeError(`Cannot wire pin ${pin}: the pins are 0 to ${IO_APIC_PINS - 1}`);
    const driver = drivers.push(false) - 1;
    return (level) => {
      drivers[driver] = level;
      this.#setPin(pin, drivers.includes(true));
    };
  }

  /**
   * Reads registers.
   * @param offset 0..0xfff.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const inside = offset & 3;
    const value = this.#window(offset - inside);
    return (value >>> 8 * inside & (size === 4 ? 0xffffffff : (1 << 8 * size) - 1)) >>> 0;
  }

  /**
   * Writes a register; writes to the window that are not 32 bits wide are lost.
   * @param offset 0..0xfff.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (offset === IOREGSEL) this.#select = value & 0xff;
    else if (offset === EOI) this.#eoi(value & VECTOR);
    else if (offset === IOWIN && size === 4) this.#write(value);
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    return {
      version: 1,
      select: this.#select,
      id: this.#id,
      low: savedBytes(new Uint8Array(this.#low.buffer)),
      high: savedBytes(new Uint8Array(this.#high.buffer)),
    };
  }

  /**
   * Goes back to a kept state; the devices that drive the pins must have been restored before.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const select = reader.integer("select", { max: 0xff });
    const id = reader.integer("id", { max: ID_MASK });
    const low = reader.bytes("low", 4 * IO_APIC_PINS), high = reader.bytes("high", 4 * IO_APIC_PINS);
    this.#select = select;
    this.#id = id & ID_MASK;
    new Uint8Array(this.#low.buffer).set(low);
    new Uint8Array(this.#high.buffer).set(high);
  }

  #window(offset: number): number {
    if (offset === IOREGSEL) return this.#select;
    if (offset !== IOWIN) return 0;
    switch (this.#select) {
      case IOAPICID:
      case IOAPICARB:
        return this.#id;
      case IOAPICVER:
        return VERSION_VALUE;
      default: {
        const pin = (this.#select - IOREDTBL) >> 1;
        if (pin < 0 || pin >= IO_APIC_PINS) return 0;
        return this.#select & 1 ? this.#high[pin] : this.#low[pin];
      }
    }
  }

  #write(value: number): void {
    if (this.#select === IOAPICID) {
      this.#id = value & ID_MASK;
      return;
    }
    const pin = (this.#select - IOREDTBL) >> 1;
    if (pin < 0 || pin >= IO_APIC_PINS) return;
    if (this.#select & 1) {
      this.#high[pin] = value & DESTINATION;
      return;
    }
    // An edge-triggered entry has no remote IRR: switching to edge is how old drivers end an interrupt.
    const remote = value & LEVEL ? this.#low[pin] & REMOTE_IRR : 0;
    this.#low[pin] = value & LOW_WRITABLE | remote;
    if (value & LEVEL) this.#serve(pin);
  }

  #setPin(pin: number, level: boolean): void {
    if (level === this.#levels[pin]) return;
    this.#levels[pin] = level;
    if (level) this.#serve(pin);
  }

  /** Sends the interrupt of an active pin, unless its processor still works on the last one. */
  #serve(pin: number): void {
    const low = this.#low[pin];
    if (!this.#levels[pin] || low & (MASKED | REMOTE_IRR)) return;
    const level = (low & LEVEL) !== 0;
    const mode = low >> MODE_SHIFT & 7;
    const sent = this.#bus.send({
      destination: this.#high[pin] >>> 24,
      logical: (low & LOGICAL) !== 0,
      mode,
      vector: low & VECTOR,
      level,
    });
    if (sent && level && (mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST_PRIORITY)) this.#low[pin] |= REMOTE_IRR;
  }

  #eoi(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      if ((this.#low[pin] & (VECTOR | REMOTE_IRR)) !== (vector | REMOTE_IRR)) continue;
      this.#low[pin] &= ~REMOTE_IRR;
      this.#serve(pin);
    }
  }
}
