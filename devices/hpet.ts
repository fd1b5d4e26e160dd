/**
 * A high-precision event timer (IA-PC HPET specification 1.0a): a 64-bit counter of 100 MHz and three timers.
 *
 * | offset | |
 * | --- | --- |
 * | 0x000 | capabilities and period |
 * | 0x010 | configuration: run, legacy replacement |
 * | 0x020 | interrupt status of level-triggered timers |
 * | 0x0f0 | the counter |
 * | 0x100, 0x120, 0x140 | timers: configuration, and at 8 the comparator |
 *
 * With legacy replacement, timers 0 and 1 take the places of the 8254 on IRQ 0 and of the clock on IRQ 8. Message-signalled
 * interrupts are not offered.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";

/** Where the registers are. */
export const HPET_BASE = 0xfed00000;
/** How many addresses they take. */
export const HPET_LENGTH = 0x400;
/** Nanoseconds of one count. */
export const HPET_TICK_NS = 10;
/** The low half of the capabilities, which ACPI's table repeats: Intel, legacy replacement, 64 bits, three timers, revision 1. */
export const HPET_CAPABILITIES = 0x8086_a201;

const TIMERS = 3;
const FEMTOSECONDS = HPET_TICK_NS * 1_000_000;

const CAPABILITIES = 0x000;
const CONFIGURATION = 0x010;
const STATUS = 0x020;
const COUNTER = 0x0f0;
const TIMER = 0x100;
const TIMER_STRIDE = 0x20;
const COMPARATOR = 8;

const ENABLE_CNF = 1;
const LEG_RT_CNF = 2;

const INT_TYPE_LEVEL = 0x02;
const INT_ENB = 0x04;
const TYPE_PERIODIC = 0x08;
const PER_INT_CAP = 0x10;
const SIZE_CAP = 0x20;
const VAL_SET = 0x40;
const MODE_32 = 0x100;
const ROUTE_SHIFT = 9;
const WRITABLE = INT_TYPE_LEVEL | INT_ENB | TYPE_PERIODIC | VAL_SET | MODE_32 | 0x1f << ROUTE_SHIFT;
/** Pins of the I/O APIC that a timer can drive: 2, 8 and 16 to 23. */
const ROUTES = 0x00ff_0104;

const MASK_32 = 0xffff_ffffn;
/** Later than this nobody waits: 100 days. */
const LONGEST_TICKS = 10n ** 9n * 864n;

/** What the chip is wired to. */
export interface HpetWires {
  /** The time. */
  readonly clock: Clock;
  /** Drives a pin of the I/O APIC; called when the level that this chip wants changes. */
  readonly pin: (pin: number, level: boolean) => void;
  /** Drives IRQ 0 and 8 in place of the 8254 and the clock. */
  readonly legacy: (irq: 0 | 8, level: boolean) => void;
  /** Told whether legacy replacement is on: the 8254 and the clock are cut off then. */
  readonly replaces?: (on: boolean) => void;
}

/** One timer's registers. */
class Timer {
  configuration = 0;
  comparator = 0n;
  period = 0n;
  cancel: CancelTimer = () => {};
  /** Where its interrupt was driven active last: a pin, or -1 - IRQ. */
  driven: number | undefined;
}

/** The chip. */
export class Hpet implements Device, BusDevice {
  /** `"hpet"`. */
  readonly name = "hpet";
  /** The bus splits 64-bit accesses. */
  readonly width = 4;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #wires: HpetWires;
  readonly #timers: readonly Timer[] = Array.from({ length: TIMERS }, () => new Timer());
  #configuration = 0;
  #status = 0;
  /** The counter while it stands; while it runs, what it would have shown at time 0. */
  #base = 0n;

  /**
   * Makes a chip as it is after power-up: the counter stands at 0.
   * @param wires What it is wired to.
   */
  constructor(wires: HpetWires) {
    this.#wires = wires;
    this.reset();
  }

  /** As after power-up. */
  reset(): void {
    this.#setConfiguration(0);
    this.#base = 0n;
    for (const timer of this.#timers) {
      this.#lower(timer);
      timer.configuration = 0;
      timer.comparator = 0xffff_ffff_ffff_ffffn;
      timer.period = 0n;
    }
    this.#status = 0;
  }

  /**
   * Takes the registers' addresses.
   * @param _ports Not used.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError They are taken.
   */
  attach(_ports: Bus, mmio: Bus): void {
    mmio.attach({ name: "HPET", base: HPET_BASE, length: HPET_LENGTH }, this);
  }

  /**
   * Reads registers.
   * @param offset 0..0x3ff.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const shift = offset & 7;
    const value = this.#register(offset - shift);
    return Number(BigInt.asUintN(8 * size, value >> BigInt(8 * shift)));
  }

  /**
   * Writes one half of a register; writes that are not 32 bits wide and aligned are lost.
   * @param offset 0..0x3ff.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    const high = (offset & 4) !== 0, register = offset & ~7;
    if (register === CONFIGURATION) {
      if (!high) this.#setConfiguration(value & (ENABLE_CNF | LEG_RT_CNF));
    } else if (register === STATUS) {
      if (!high) this.#clearStatus(value);
    } else if (register === COUNTER) {
      this.#setCounter(half(this.#counter(), value, high));
    } else if (register >= TIMER) {
      const timer = this.#timers[(register - TIMER) / TIMER_STRIDE | 0];
      if (timer === undefined) return;
      const part = (register - TIMER) % TIMER_STRIDE;
      if (part === 0 && !high) this.#configure(timer, value);
      else if (part === COMPARATOR) this.#compare(timer, value, high);
    }
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    return {
      version: 1,
      configuration: this.#configuration,
      status: this.#status,
      timers: this.#timers.map(({ configuration, comparator, period, driven }) => ({
        configuration,
        driven: driven !== undefined,
        low: Number(comparator & MASK_32),
        high: Number(comparator >> 32n),
        periodLow: Number(period & MASK_32),
        periodHigh: Number(period >> 32n),
      })),
      baseLow: Number(this.#base & MASK_32),
      baseHigh: Number(BigInt.asUintN(64, this.#base) >> 32n),
    };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const configuration = reader.integer("configuration", { max: 3 });
    const status = reader.integer("status", { max: 7 });
    const base = wide(reader, "base");
    const parts = reader.parts("timers", TIMERS).map((part) => ({
      configuration: part.integer("configuration", { max: WRITABLE }),
      driven: part.boolean("driven"),
      comparator: BigInt(part.integer("high", { max: 0xffffffff })) << 32n |
        BigInt(part.integer("low", { max: 0xffffffff })),
      period: wide(part, "period"),
    }));
    this.#status = status;
    this.#base = base;
    this.#configuration = configuration;
    this.#wires.replaces?.((configuration & LEG_RT_CNF) !== 0);
    for (const [n, part] of parts.entries()) {
      const timer = this.#timers[n];
      timer.configuration = part.configuration & WRITABLE;
      timer.comparator = part.comparator;
      timer.period = part.period;
      if (part.driven) this.#drive(timer);
      else this.#lower(timer);
    }
    this.#arm();
  }

  #register(offset: number): bigint {
    switch (offset) {
      case CAPABILITIES:
        return BigInt(FEMTOSECONDS) << 32n | BigInt(HPET_CAPABILITIES);
      case CONFIGURATION:
        return BigInt(this.#configuration);
      case STATUS:
        return BigInt(this.#status);
      case COUNTER:
        return this.#counter();
    }
    const timer = this.#timers[(offset - TIMER) / TIMER_STRIDE | 0];
    if (offset < TIMER || timer === undefined) return 0n;
    const part = (offset - TIMER) % TIMER_STRIDE;
    if (part === 0) return BigInt(ROUTES) << 32n | BigInt(timer.configuration | PER_INT_CAP | SIZE_CAP);
    return part === COMPARATOR ? timer.comparator : 0n;
  }

  #ticks(): bigint {
    return BigInt(Math.floor(this.#wires.clock.now() / HPET_TICK_NS));
  }

  #counter(): bigint {
    return this.#configuration & ENABLE_CNF ? BigInt.asUintN(64, this.#base + this.#ticks()) : this.#base;
  }

  #setCounter(value: bigint): void {
    this.#base = this.#configuration & ENABLE_CNF ? BigInt.asUintN(64, value - this.#ticks()) : value;
    this.#arm();
  }

  #setConfiguration(value: number): void {
    const counter = this.#counter();
    const changed = value ^ this.#configuration;
    if (changed & LEG_RT_CNF) { for (const timer of this.#timers) this.#lower(timer); }
    this.#configuration = value;
    if (changed & LEG_RT_CNF) this.#wires.replaces?.((value & LEG_RT_CNF) !== 0);
    this.#setCounter(counter);
  }

  #clearStatus(bits: number): void {
    const cleared = bits & this.#status;
    this.#status &= ~bits;
    for (const [n, timer] of this.#timers.entries()) if (cleared & 1 << n) this.#lower(timer);
  }

  #configure(timer: Timer, value: number): void {
    const n = this.#timers.indexOf(timer);
    timer.configuration = value & WRITABLE;
    if (value & MODE_32) {
      timer.comparator &= MASK_32;
      timer.period &= MASK_32;
    }
    if ((value & INT_ENB) === 0 || (value & INT_TYPE_LEVEL) === 0) {
      this.#status &= ~(1 << n);
      this.#lower(timer);
    }
    this.#armOne(timer);
  }

  /** Comparator and, of a periodic timer, period: with VAL_SET the next write is of the comparator as well. */
  #compare(timer: Timer, value: number, high: boolean): void {
    if (timer.configuration & MODE_32 && high) return;
    if (timer.configuration & TYPE_PERIODIC) timer.period = half(timer.period, value, high);
    if ((timer.configuration & TYPE_PERIODIC) === 0 || timer.configuration & VAL_SET) {
      timer.comparator = half(timer.comparator, value, high);
      if (high || timer.configuration & MODE_32) timer.configuration &= ~VAL_SET;
    }
    this.#armOne(timer);
  }

  #arm(): void {
    for (const timer of this.#timers) this.#armOne(timer);
  }

  #armOne(timer: Timer): void {
    timer.cancel();
    timer.cancel = () => {};
    if ((this.#configuration & ENABLE_CNF) === 0) return;
    const counter = this.#counter();
    const bits = timer.configuration & MODE_32 ? 32 : 64;
    const left = BigInt.asUintN(bits, timer.comparator - counter);
    if (left > LONGEST_TICKS) return;
    const at = (this.#ticks() + (left === 0n ? 1n << BigInt(bits) : left)) * BigInt(HPET_TICK_NS);
    if (at > Number.MAX_SAFE_INTEGER) return;
    timer.cancel = this.#wires.clock.schedule(Number(at), () => this.#match(timer));
  }

  #match(timer: Timer): void {
    const bits = timer.configuration & MODE_32 ? 32 : 64;
    if (timer.configuration & TYPE_PERIODIC && timer.period > 0n) {
      timer.comparator = BigInt.asUintN(bits, timer.comparator + timer.period);
    }
    if (timer.configuration & INT_ENB) {
      if (timer.configuration & INT_TYPE_LEVEL) this.#status |= 1 << this.#timers.indexOf(timer);
      // An edge stays high up to the next one: an 8259 forgets a request whose line falls before it is served.
      this.#drive(timer);
    }
    this.#armOne(timer);
  }

  #drive(timer: Timer): void {
    const n = this.#timers.indexOf(timer);
    this.#lower(timer);
    if (this.#configuration & LEG_RT_CNF && n < 2) {
      timer.driven = n === 0 ? -1 : -9;
      this.#wires.legacy(n === 0 ? 0 : 8, true);
      return;
    }
    const pin = timer.configuration >> ROUTE_SHIFT & 0x1f;
    if ((ROUTES >>> pin & 1) === 0) return;
    timer.driven = pin;
    this.#wires.pin(pin, true);
  }

  #lower(timer: Timer): void {
    const { driven } = timer;
    timer.driven = undefined;
    if (driven === undefined) return;
    if (driven < 0) this.#wires.legacy(driven === -1 ? 0 : 8, false);
    else this.#wires.pin(driven, false);
  }
}

function half(old: bigint, value: number, high: boolean): bigint {
  return high ? old & MASK_32 | BigInt(value) << 32n : old & ~MASK_32 | BigInt(value);
}

function wide(reader: SavedReader, name: string): bigint {
  const low = reader.integer(`${name}Low`, { max: 0xffffffff }),
    high = reader.integer(`${name}High`, { max: 0xffffffff });
  return BigInt(high) << 32n | BigInt(low);
}
