/**
 * The Motorola MC146818 real-time clock with 128 bytes of memory, as a PC/AT has it: IRQ 8, a century byte, and the NMI mask in
 * its index port.
 *
 * | port | |
 * | --- | --- |
 * | 0x70 | bits 6 to 0: index; bit 7: NMI is masked; write only |
 * | 0x71 | the byte at the index |
 *
 * The time is kept in the bytes themselves and goes on with an update each second, in their format. Time and interrupts are
 * worked out when somebody looks; the chip asks to be called only for an interrupt that is enabled and not yet requested.
 *
 * Left out: daylight saving (register B bit 0 is kept), the square wave, and the other two time bases: a divider that runs, runs
 * at 32,768 Hz. Bytes of the time can be read during an update and hold the time before it. Every fourth year is a leap year.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "./device.ts";

/** How many addresses the chip takes. */
export const MC146818_LENGTH = 2;
/** The first of its ports. */
export const RTC_PORT = 0x70;
/** How many bytes the chip has, of which the first 14 are its registers. */
export const CMOS_SIZE = 128;
/** Index of the century, in the format of the year. */
export const CMOS_CENTURY = 0x32;

const INDEX_PORT = 0;
const INDEX_MASK = 0x7f;
const INDEX_NMI = 0x80;

const SECONDS = 0;
const SECONDS_ALARM = 1;
const MINUTES = 2;
const MINUTES_ALARM = 3;
const HOURS = 4;
const HOURS_ALARM = 5;
const DAY_OF_WEEK = 6;
const DATE = 7;
const MONTH = 8;
const YEAR = 9;
const REGISTER_A = 10;
const REGISTER_B = 11;
const REGISTER_C = 12;
const REGISTER_D = 13;

const A_UIP = 0x80;
const A_DIVIDER = 0x70;
/** Above this the divider is held in reset. */
const A_DIVIDER_LAST = 0x20;
const A_RATE = 0x0f;

const B_SET = 0x80;
const B_PIE = 0x40;
const B_AIE = 0x20;
const B_UIE = 0x10;
const B_SQWE = 0x08;
const B_DM_BINARY = 0x04;
const B_24_HOURS = 0x02;

const C_IRQF = 0x80;
const C_PF = 0x40;
const C_AF = 0x20;
const C_UF = 0x10;

const D_VRT = 0x80;

const HOURS_PM = 0x80;
/** An alarm byte with both of these bits matches everything. */
const ALARM_DO_NOT_CARE = 0xc0;

/** Divider for 32,768 Hz, 1024 periodic interrupts a second: what a PC's firmware leaves. */
const A_AT_POWER_UP = 0x26;

const SECOND_NS = 1_000_000_000;
/** From UIP to the end of an update: 244 µs until it begins and 1984 µs for it. */
const UPDATE_NS = 2_228_000;
/** A divider that is let go makes its first update after half a second. */
const FIRST_UPDATE_NS = SECOND_NS / 2;
/** 64 cycles of 32,768 Hz take 1,953,125 ns. */
const GROUP_CYCLES = 64;
const GROUP_NS = 1_953_125;

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** What the chip is made from and wired to. */
export interface Mc146818Options {
  /** IRQ 8; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** The time that goes by. */
  readonly clock: Clock;
  /**
   * The date and time to begin with: its UTC fields are what the guest sees. A `Date` of local time has to be moved by the
   * difference before.
   */
  readonly time: Date;
}

/** The chip. */
export class Mc146818 implements Device, BusDevice {
  /** `"mc146818"`. */
  readonly name = "mc146818";
  /** An 8-bit chip. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #interrupt: (level: boolean) => void;
  readonly #clock: Clock;
  readonly #bytes: Uint8Array = new Uint8Array(CMOS_SIZE);
  #index = 0;
  #nmiMasked = false;
  /** When the next update ends, in nanoseconds, whether or not SET keeps it from happening; always after `#synced`. */
  #nextUpdate: number;
  /** Up to when the flags of register C are right, in nanoseconds. */
  #synced: number;
  #level = false;
  #cancel: CancelTimer = () => {};

  /**
   * Makes a chip with a full battery: its time is right, in BCD and 24 hours, and its memory is clear.
   * @param options What it is made from and wired to.
   */
  constructor(options: Mc146818Options) {
    this.#interrupt = options.interrupt;
    this.#clock = options.clock;
    this.#synced = options.clock.now();
    this.#nextUpdate = this.#synced + SECOND_NS - options.time.getUTCMilliseconds() * 1_000_000;
    this.#bytes[REGISTER_A] = A_AT_POWER_UP;
    this.#bytes[REGISTER_B] = B_24_HOURS;
    this.#setTime(options.time);
  }

  /** The RESET pin: interrupts are off; time and memory stay. */
  reset(): void {
    this.#sync();
    this.#bytes[REGISTER_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    this.#bytes[REGISTER_C] = 0;
    this.#index = 0;
    this.#nmiMasked = false;
    this.#update();
  }

  /** Whether the guest has masked NMI, with bit 7 of port 0x70. */
  get nmiMasked(): boolean {
    return this.#nmiMasked;
  }

  /**
   * Takes ports 0x70 and 0x71.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "clock and CMOS memory", base: RTC_PORT, length: MC146818_LENGTH }, this);
  }

  /**
   * Reads a port.
   * @param offset 0: all ones; 1: the byte at the index.
   * @returns 0..255.
   */
  read(offset: number): number {
    if (offset === INDEX_PORT) return 0xff;
    this.#sync();
    switch (this.#index) {
      case REGISTER_A:
        return this.#bytes[REGISTER_A] | (this.#updateInProgress() ? A_UIP : 0);
      case REGISTER_C: {
        const flags = this.#flags();
        this.#bytes[REGISTER_C] = 0;
        this.#update();
        return flags;
      }
      case REGISTER_D:
        return D_VRT;
      default:
        return this.#bytes[this.#index];
    }
  }

  /**
   * Writes a port.
   * @param offset 0: index and NMI mask; 1: the byte at the index.
   * @param value 0..255.
   */
  write(offset: number, value: number): void {
    if (offset === INDEX_PORT) {
      this.#index = value & INDEX_MASK;
      this.#nmiMasked = (value & INDEX_NMI) !== 0;
      return;
    }
    this.#sync();
    switch (this.#index) {
      case REGISTER_A:
        this.#bytes[REGISTER_A] = value & ~A_UIP;
        if (!this.#dividerRuns()) this.#nextUpdate = this.#synced + FIRST_UPDATE_NS;
        break;
      case REGISTER_B:
        this.#bytes[REGISTER_B] = value & B_SET ? value & ~B_UIE : value;
        break;
      case REGISTER_C:
      case REGISTER_D:
        return;
      default:
        this.#bytes[this.#index] = value;
    }
    this.#update();
  }

  /**
   * Looks at the memory as firmware would, without the ports.
   * @param index 14..127.
   * @returns The byte there.
   * @throws RangeError There is no memory.
   */
  peek(index: number): number {
    return this.#bytes[memoryIndex(index)];
  }

  /**
   * Puts a byte into the memory, as a battery keeps it.
   * @param index 14..127.
   * @param value 0..255.
   * @throws RangeError There is no memory.
   */
  poke(index: number, value: number): void {
    this.#bytes[memoryIndex(index)] = value;
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    this.#sync();
    return {
      version: 1,
      bytes: savedBytes(this.#bytes),
      index: this.#index,
      nmiMasked: this.#nmiMasked,
      nextUpdate: this.#nextUpdate,
      synced: this.#synced,
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
    const bytes = reader.bytes("bytes", CMOS_SIZE);
    const index = reader.integer("index", { max: INDEX_MASK });
    const nmiMasked = reader.boolean("nmiMasked");
    const synced = reader.integer("synced", { max: Number.MAX_SAFE_INTEGER - SECOND_NS });
    const nextUpdate = reader.integer("nextUpdate", { min: synced + 1, max: synced + SECOND_NS });
    this.#bytes.set(bytes);
    this.#bytes[REGISTER_A] &= ~A_UIP;
    this.#bytes[REGISTER_C] &= C_PF | C_AF | C_UF;
    this.#index = index;
    this.#nmiMasked = nmiMasked;
    this.#synced = synced;
    this.#nextUpdate = nextUpdate;
    this.#update();
  }

  #dividerRuns(): boolean {
    return (this.#bytes[REGISTER_A] & A_DIVIDER) <= A_DIVIDER_LAST;
  }

  #updates(): boolean {
    return this.#dividerRuns() && (this.#bytes[REGISTER_B] & B_SET) === 0;
  }

  #updateInProgress(): boolean {
    return this.#updates() && this.#nextUpdate - this.#synced <= UPDATE_NS;
  }

  /** Makes all updates and sets all flags up to now. */
  #sync(): void {
    const now = this.#clock.now();
    if (now <= this.#synced) return;
    if (this.#dividerRuns()) {
      const period = this.#period();
      if (period > 0 && this.#cycles(now, period) > this.#cycles(this.#synced, period)) this.#bytes[REGISTER_C] |= C_PF;
      if (!this.#updates() && this.#nextUpdate <= now) {
        this.#nextUpdate += Math.ceil((now + 1 - this.#nextUpdate) / SECOND_NS) * SECOND_NS;
      }
      for (; this.#nextUpdate <= now; this.#nextUpdate += SECOND_NS) this.#nextSecond();
    } else {
      this.#nextUpdate = now + FIRST_UPDATE_NS;
    }
    this.#synced = now;
    this.#drive();
  }

  /** The time between two periodic interrupts, in cycles of 32,768 Hz; 0: there are none. */
  #period(): number {
    const rate = this.#bytes[REGISTER_A] & A_RATE;
    if (rate === 0) return 0;
    return rate <= 2 ? 1 << (rate + 6) : 1 << (rate - 1);
  }

  /** How often a period was over at a time, counted from the second before the next update. */
  #cycles(at: number, period: number): number {
    return Math.floor(Math.floor((at - this.#nextUpdate + SECOND_NS) * GROUP_CYCLES / GROUP_NS) / period);
  }

  #flags(): number {
    const flags = this.#bytes[REGISTER_C];
    return flags & this.#bytes[REGISTER_B] & (C_PF | C_AF | C_UF) ? flags | C_IRQF : flags;
  }

  #drive(): void {
    const level = (this.#flags() & C_IRQF) !== 0;
    if (level === this.#level) return;
    this.#level = level;
    this.#interrupt(level);
  }

  /** Drives the interrupt line and asks for a call when a flag that is enabled may come. */
  #update(): void {
    this.#drive();
    this.#cancel();
    this.#cancel = () => {};
    const at = this.#nextInterrupt();
    if (at === Infinity) return;
    this.#cancel = this.#clock.schedule(at, () => {
      this.#sync();
      this.#update();
    });
  }

  #nextInterrupt(): number {
    const awaited = this.#bytes[REGISTER_B] & ~this.#bytes[REGISTER_C];
    let next = Infinity;
    if (awaited & (B_UIE | B_AIE) && this.#updates()) next = this.#nextUpdate;
    const period = this.#period();
    if (awaited & B_PIE && period > 0 && this.#dividerRuns()) {
      const cycles = (this.#cycles(this.#synced, period) + 1) * period;
      next = Math.min(next, this.#nextUpdate - SECOND_NS + Math.ceil(cycles * GROUP_NS / GROUP_CYCLES));
    }
    return next;
  }

  #setTime(time: Date): void {
    const bytes = this.#bytes;
    bytes[SECONDS] = this.#encode(time.getUTCSeconds());
    bytes[MINUTES] = this.#encode(time.getUTCMinutes());
    bytes[HOURS] = this.#encode(time.getUTCHours());
    bytes[DAY_OF_WEEK] = time.getUTCDay() + 1;
    bytes[DATE] = this.#encode(time.getUTCDate());
    bytes[MONTH] = this.#encode(time.getUTCMonth() + 1);
    bytes[YEAR] = this.#encode(time.getUTCFullYear() % 100);
    bytes[CMOS_CENTURY] = this.#encode(Math.floor(time.getUTCFullYear() / 100) % 100);
  }

  /** An update: one second more, and the alarm. */
  #nextSecond(): void {
    const bytes = this.#bytes;
    if (this.#carry(SECONDS, 59) && this.#carry(MINUTES, 59) && this.#carryHour()) this.#nextDay();
    bytes[REGISTER_C] |= C_UF;
    if (
      this.#alarmMatches(SECONDS, SECONDS_ALARM) && this.#alarmMatches(MINUTES, MINUTES_ALARM) &&
      this.#alarmMatches(HOURS, HOURS_ALARM)
    ) bytes[REGISTER_C] |= C_AF;
  }

  #alarmMatches(index: number, alarm: number): boolean {
    const wanted = this.#bytes[alarm];
    return (wanted & ALARM_DO_NOT_CARE) === ALARM_DO_NOT_CARE || wanted === this.#bytes[index];
  }

  /** Adds 1 to a byte that goes from a first to a last value; tells whether it has begun anew. */
  #carry(index: number, last: number, first = 0): boolean {
    const value = this.#decode(this.#bytes[index]);
    const over = value >= last;
    this.#bytes[index] = this.#encode(over ? first : value + 1);
    return over;
  }

  #carryHour(): boolean {
    if (this.#bytes[REGISTER_B] & B_24_HOURS) return this.#carry(HOURS, 23);
    const byte = this.#bytes[HOURS];
    const pm = byte & HOURS_PM;
    const hour = this.#decode(byte & ~HOURS_PM);
    // 12, 1, 2 ... 11, and with the next 12 the other half of the day.
    const other = hour === 11;
    this.#bytes[HOURS] = this.#encode(hour >= 12 ? 1 : hour + 1) | (other ? pm ^ HOURS_PM : pm);
    return other && pm !== 0;
  }

  #nextDay(): void {
    this.#carry(DAY_OF_WEEK, 7, 1);
    const month = this.#decode(this.#bytes[MONTH]);
    const leap = month === 2 && this.#decode(this.#bytes[YEAR]) % 4 === 0;
    const days = (DAYS[month - 1] ?? 31) + (leap ? 1 : 0);
    if (this.#carry(DATE, days, 1) && this.#carry(MONTH, 12, 1) && this.#carry(YEAR, 99)) this.#carry(CMOS_CENTURY, 99);
  }

  #encode(value: number): number {
    return this.#bytes[REGISTER_B] & B_DM_BINARY ? value : (Math.floor(value / 10) << 4) | value % 10;
  }

  #decode(byte: number): number {
    return this.#bytes[REGISTER_B] & B_DM_BINARY ? byte : (byte >> 4) * 10 + (byte & 15);
  }
}

function memoryIndex(index: number): number {
  if (!Number.isInteger(index) || index <= REGISTER_D || index >= CMOS_SIZE) {
    throw new RangeError(`Cannot reach CMOS memory: ${index} is not from ${REGISTER_D + 1} to ${CMOS_SIZE - 1}`);
  }
  return index;
}
