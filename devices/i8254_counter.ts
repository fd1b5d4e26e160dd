/**
 * One counter of the Intel 8254, without a clock of its own: {@linkcode I8254Counter.clock} gives it any number of CLK pulses at
 * once, in time that does not depend on how many they are.
 *
 * The counting element holds a whole number, also in BCD. Where the datasheet leaves it open: a count of 1 in modes 2 and 3 works
 * as 2, BCD digits above 9 count as what they are, and until a control word and a count have been written nothing counts.
 * @module
 */

import type { SavedReader, SavedState } from "./device.ts";

/** What the datasheet calls RW: which bytes of a count are read and written. */
const RW_LSB = 1;
const RW_MSB = 2;
const RW_BOTH = 3;

const CONTROL_BCD = 0x01;
const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

/** Control word after power-up: mode 3, both bytes. */
const CONTROL_AT_RESET = 0x36;

/** The six ways to count. */
const TERMINAL_COUNT = 0;
const ONE_SHOT = 1;
const RATE_GENERATOR = 2;
const SQUARE_WAVE = 3;
const SOFTWARE_STROBE = 4;
const HARDWARE_STROBE = 5;

/** A counter. */
export class I8254Counter {
  /** The low six bits of the last control word, as the status shows them. */
  #control = CONTROL_AT_RESET;
  #mode = SQUARE_WAVE;
  /** What the counting element counts in: 65,536 or, in BCD, 10,000 steps. */
  #modulus = 0x10000;
  /** Count register: 1 to the modulus; 0: none was written since the control word. */
  #cr = 0;
  /** Counting element: 0 to the modulus less 1, of which 0 comes after 1. */
  #ce = 0;
  /** The count that the counting element was loaded with is odd. */
  #odd = false;
  /** The count register has not reached the counting element yet. */
  #nullCount = true;
  /** The next pulse loads the counting element. */
  #load = false;
  /** Zero is still to have an effect (modes 0, 1, 4, 5), or the counter goes round (modes 2, 3). */
  #armed = false;
  /** Only the first byte of two has been written in mode 0, which stops counting. */
  #held = false;
  /** OUT is low for one pulse (modes 4, 5). */
  #strobe = false;
  #out = true;
  #gate = true;
  /** First byte of two written: the low one; -1: it is still to come. */
  #writtenLow = -1;
  /** The next byte read of two is the high one. */
  #readHigh = false;
  /** Latched count as it is read, in binary or BCD; -1: none. */
  #latchedCount = -1;
  /** Latched status; -1: none. */
  #latchedStatus = -1;

  /** The OUT pin. */
  get out(): boolean {
    return this.#out;
  }

  /** The GATE pin. */
  get gate(): boolean {
    return this.#gate;
  }

  /** A rising edge triggers the modes that have a trigger. */
  set gate(level: boolean) {
    if (level === this.#gate) return;
    this.#gate = level;
    switch (this.#mode) {
      case ONE_SHOT:
      case HARDWARE_STROBE:
        if (level && this.#cr !== 0) this.#load = true;
        break;
      case RATE_GENERATOR:
      case SQUARE_WAVE:
        if (level) this.#load = this.#cr !== 0;
        else this.#out = true;
        break;
    }
  }

  /**
   * Takes a control word that is not a latch command.
   * @param control Its low six bits: RW, mode, BCD; RW is not 0.
   */
  program(control: number): void {
    this.#control = control & 0x3f;
    const mode = (control >> 1) & 7;
    this.#mode = mode > HARDWARE_STROBE ? mode & 3 : mode; // 6 and 7 are 2 and 3
    this.#modulus = control & CONTROL_BCD ? 10_000 : 0x10000;
    this.#ce %= this.#modulus;
    this.#cr = 0;
    this.#nullCount = true;
    this.#load =
      this.#armed =
      this.#held =
      this.#strobe =
        false;
    this.#writtenLow = this.#latchedCount = this.#latchedStatus = -1;
    this.#readHigh = false;
    this.#out = this.#mode !== TERMINAL_COUNT;
  }

  /**
   * Writes a byte of the count.
   * @param value 0..255.
   */
  write(value: number): void {
    const rw = (this.#control >> 4) & 3;
    if (rw === RW_BOTH && this.#writtenLow < 0) {
      this.#writtenLow = value;
      if (this.#mode === TERMINAL_COUNT) {
        this.#held = true;
        this.#out = false;
      }
      return;
    }
    const raw = rw === RW_LSB ? value : rw === RW_MSB ? value << 8 : this.#writtenLow | (value << 8);
    this.#writtenLow = -1;
    this.#held = false;
    this.#setCount(raw);
  }

  /**
   * Reads a byte: of the latched status, of the latched count, or of the count as it is.
   * @returns 0..255.
   */
  read(): number {
    if (this.#latchedStatus >= 0) {
      const status = this.#latchedStatus;
      this.#latchedStatus = -1;
      return status;
    }
    const rw = (this.#control >> 4) & 3;
    const count = this.#latchedCount >= 0 ? this.#latchedCount : this.#shown();
    const high = rw === RW_MSB || (rw === RW_BOTH && this.#readHigh);
    if (rw === RW_BOTH) this.#readHigh = !this.#readHigh;
    if (!this.#readHigh) this.#latchedCount = -1;
    return high ? count >> 8 : count & 0xff;
  }

  /** Latches the count until it has been read; a second command before that has no effect. */
  latchCount(): void {
    if (this.#latchedCount < 0) this.#latchedCount = this.#shown();
  }

  /** Latches the status until it has been read; a second command before that has no effect. */
  latchStatus(): void {
    if (this.#latchedStatus >= 0) return;
    this.#latchedStatus = (this.#out ? STATUS_OUT : 0) | (this.#nullCount ? STATUS_NULL_COUNT : 0) | this.#control;
  }

  /**
   * Gives CLK pulses.
   * @param pulses How many, 0 or more.
   */
  clock(pulses: number): void {
    for (let left = pulses; left > 0;) {
      if (this.#strobe) {
        this.#strobe = false;
        this.#out = true;
      }
      if (this.#load) {
        this.#loadElement();
        left--;
      } else if (!this.#counting()) {
        return;
      } else if (this.#mode === RATE_GENERATOR || this.#mode === SQUARE_WAVE) {
        left -= this.#goRound(left);
      } else {
        left -= this.#countDown(left);
      }
    }
  }

  /**
   * Tells how long OUT is sure to stay as it is if nothing else happens.
   * @returns The pulse, 1 or more, with which it may change; `Infinity`: it stays.
   */
  pulsesToChange(): number {
    if (this.#load || this.#strobe) return 1;
    if (!this.#counting() || !this.#armed) return Infinity;
    switch (this.#mode) {
      case RATE_GENERATOR:
        return this.#out ? Math.max(this.#pulsesToZero() - 1, 1) : 1;
      case SQUARE_WAVE:
        return this.#pulsesOfHalf();
      default:
        return this.#pulsesToZero();
    }
  }

  /** All that the counter remembers, to be kept. */
  save(): SavedState {
    return {
      control: this.#control,
      cr: this.#cr,
      ce: this.#ce,
      odd: this.#odd,
      nullCount: this.#nullCount,
      load: this.#load,
      armed: this.#armed,
      held: this.#held,
      strobe: this.#strobe,
      out: this.#out,
      gate: this.#gate,
      writtenLow: this.#writtenLow,
      readHigh: this.#readHigh,
      latchedCount: this.#latchedCount,
      latchedStatus: this.#latchedStatus,
    };
  }

  /**
   * Checks a kept state.
   * @param state What {@linkcode save} gave.
   * @returns Goes back to it.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(state: SavedReader): () => void {
    const control = state.integer("control", { min: RW_LSB << 4, max: 0x3f });
    const modulus = control & CONTROL_BCD ? 10_000 : 0x10000;
    const cr = state.integer("cr", { max: modulus });
    const ce = state.integer("ce", { max: modulus - 1 });
    const odd = state.boolean("odd");
    const nullCount = state.boolean("nullCount");
    const load = state.boolean("load");
    const armed = state.boolean("armed");
    const held = state.boolean("held");
    const strobe = state.boolean("strobe");
    const out = state.boolean("out");
    const gate = state.boolean("gate");
    const writtenLow = state.integer("writtenLow", { min: -1, max: 0xff });
    const readHigh = state.boolean("readHigh");
    const latchedCount = state.integer("latchedCount", { min: -1, max: 0xffff });
    const latchedStatus = state.integer("latchedStatus", { min: -1, max: 0xff });
    return () => {
      this.program(control);
      this.#cr = cr;
      // A square wave counts by two from an even number; before it begins, what an earlier mode has left may be odd.
      this.#ce = this.#mode === SQUARE_WAVE && armed ? ce & ~1 : ce;
      this.#odd = odd;
      this.#nullCount = nullCount;
      this.#load = load && cr !== 0;
      this.#armed = armed && cr !== 0;
      this.#held = held;
      this.#strobe = strobe;
      this.#out = out;
      this.#gate = gate;
      this.#writtenLow = writtenLow;
      this.#readHigh = readHigh;
      this.#latchedCount = latchedCount;
      this.#latchedStatus = latchedStatus;
    };
  }

  #setCount(raw: number): void {
    const count = this.#modulus === 0x10000 ? raw : fromBcd(raw) % this.#modulus;
    const first = this.#cr === 0;
    this.#cr = count === 0 ? this.#modulus : count;
    this.#nullCount = true;
    switch (this.#mode) {
      case TERMINAL_COUNT:
        this.#out = false;
        this.#load = true;
        break;
      case SOFTWARE_STROBE:
        this.#load = true;
        break;
      case RATE_GENERATOR:
      case SQUARE_WAVE:
        this.#cr = Math.max(this.#cr, 2);
        if (first) this.#load = true;
        break;
    }
  }

  #loadElement(): void {
    this.#load = false;
    this.#nullCount = false;
    this.#armed = true;
    this.#ce = this.#cr % this.#modulus;
    this.#odd = (this.#ce & 1) !== 0;
    if (this.#mode === SQUARE_WAVE) this.#ce &= ~1;
    if (this.#mode === RATE_GENERATOR || this.#mode === SQUARE_WAVE) this.#out = true;
    else if (this.#mode === ONE_SHOT) this.#out = false;
  }

  #counting(): boolean {
    switch (this.#mode) {
      case ONE_SHOT:
      case HARDWARE_STROBE:
        return true;
      case RATE_GENERATOR:
      case SQUARE_WAVE:
        return this.#gate && this.#armed;
      default:
        return this.#gate && !this.#held;
    }
  }

  #pulsesToZero(): number {
    return this.#ce === 0 ? this.#modulus : this.#ce;
  }

  /** Modes 0, 1, 4 and 5. */
  #countDown(left: number): number {
    const toZero = this.#pulsesToZero();
    if (!this.#armed) {
      this.#ce = (this.#ce + this.#modulus - left % this.#modulus) % this.#modulus;
      return left;
    }
    if (left < toZero) {
      this.#ce = toZero - left;
      return left;
    }
    this.#ce = 0;
    this.#armed = false;
    if (this.#mode === SOFTWARE_STROBE || this.#mode === HARDWARE_STROBE) {
      this.#strobe = true;
      this.#out = false;
    } else {
      this.#out = true;
    }
    return toZero;
  }

  /** Modes 2 and 3: whole periods change nothing once the count in use is the one in the count register. */
  #goRound(left: number): number {
    const whole = this.#nullCount ? 0 : left - left % this.#cr;
    if (whole > 0) return whole;
    return this.#mode === RATE_GENERATOR ? this.#rate(left) : this.#square(left);
  }

  #rate(left: number): number {
    if (!this.#out) {
      this.#loadElement();
      return 1;
    }
    const toLow = this.#pulsesToZero() - 1;
    const pulses = Math.min(left, toLow);
    this.#ce = this.#pulsesToZero() - pulses;
    if (pulses === toLow) this.#out = false;
    return pulses;
  }

  #square(left: number): number {
    const half = this.#pulsesOfHalf();
    if (left < half) {
      this.#ce = (this.#ce + this.#modulus - 2 * left) % this.#modulus;
      return left;
    }
    const out = !this.#out;
    this.#loadElement();
    this.#out = out;
    return half;
  }

  /**
   * Mode 3 counts by two. An odd count is loaded less one, and OUT is high one pulse longer: then the element shows 0.
   */
  #pulsesOfHalf(): number {
    const longer = this.#out && this.#odd;
    if (this.#ce === 0) return longer ? 1 : this.#modulus / 2;
    return this.#ce / 2 + (longer ? 1 : 0);
  }

  /** The count as it is read. */
  #shown(): number {
    return this.#modulus === 0x10000 ? this.#ce : toBcd(this.#ce);
  }
}

function fromBcd(raw: number): number {
  return (raw >> 12) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15);
}

function toBcd(value: number): number {
  return (Math.floor(value / 1000) << 12) | (Math.floor(value / 100) % 10 << 8) | (Math.floor(value / 10) % 10 << 4) |
    value % 10;
}
