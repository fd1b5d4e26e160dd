/**
 * The Intel 8254 programmable interval timer as a PC has it: three counters (`i8254_counter.ts`) on one CLK of 105/88 MHz, of
 * which counter 0 drives IRQ 0, counter 1 the refresh of memory, and counter 2 the speaker (`port61.ts`).
 *
 * | port | |
 * | --- | --- |
 * | 0x40 to 0x42 | counters 0 to 2 |
 * | 0x43 | control words; reads give all ones |
 *
 * The counters are moved when somebody looks; only the OUT pin of counter 0 asks the clock to be called.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";
import { I8254Counter } from "./i8254_counter.ts";

/** How many addresses the chip takes. */
export const I8254_LENGTH = 4;
/** The first of its ports. */
export const PIT_PORT = 0x40;

/** The counters: 0, 1 and 2. */
export type I8254CounterNumber = 0 | 1 | 2;

const CONTROL = 3;

const CONTROL_RW = 0x30;
const CONTROL_COUNTER = 0x3f;
const READ_BACK = 3;
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

/** 21 CLK pulses take 17,600 ns: the colour carrier of NTSC, 315/88 MHz, by 3. */
const GROUP_PULSES = 21;
const GROUP_NS = 17_600;

/**
 * The longest stretch, in pulses, of which every change of OUT 0 is shown one by one, two of the longest periods. A board that
 * looks away for longer has lost interrupts anyway.
 */
const LONGEST_STRETCH = 0x20000;

/** What the chip is wired to. */
export interface I8254Wires {
  /** OUT of counter 0; called when its level changes. It is low for the one who was never called. */
  readonly interrupt: (level: boolean) => void;
  /** The time. */
  readonly clock: Clock;
}

/** The chip. */
export class I8254 implements Device, BusDevice {
  /** `"i8254"`. */
  readonly name = "i8254";
  /** An 8-bit chip. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #wires: I8254Wires;
  #counters: I8254Counter[];
  /** CLK pulses that the counters have got since the machine was switched on. */
  #pulses = 0;
  #level = false;
  #cancel: CancelTimer = () => {};

  /**
   * Makes a chip as it is after power-up: nothing counts.
   * @param wires What it is wired to.
   */
  constructor(wires: I8254Wires) {
    this.#wires = wires;
    this.#counters = powerUp();
    this.reset();
  }

  /** As after power-up; the gates of all counters are open. */
  reset(): void {
    this.#pulses = pulsesAt(this.#wires.clock.now());
    this.#counters = powerUp();
    this.#show();
  }

  /**
   * Takes ports 0x40 to 0x43.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "interval timer", base: PIT_PORT, length: I8254_LENGTH }, this);
  }

  /**
   * Reads a counter.
   * @param offset 0..3.
   * @returns 0..255.
   */
  read(offset: number): number {
    if (offset === CONTROL) return 0xff;
    this.#sync();
    return this.#counters[offset].read();
  }

  /**
   * Writes a counter, or a control word.
   * @param offset 0..3.
   * @param value 0..255.
   */
  write(offset: number, value: number): void {
    this.#sync();
    if (offset === CONTROL) this.#control(value);
    else this.#counters[offset].write(value);
    this.#show();
  }

  /**
   * The OUT pin of a counter.
   * @param counter Which one.
   * @returns Its level now.
   */
  out(counter: I8254CounterNumber): boolean {
    this.#sync();
    return this.#counters[counter].out;
  }

  /**
   * The GATE pin of a counter as it was driven last.
   * @param counter Which one.
   * @returns Its level.
   */
  gate(counter: I8254CounterNumber): boolean {
    return this.#counters[counter].gate;
  }

  /**
   * Drives the GATE pin of a counter.
   * @param counter Which one.
   * @param level Its level.
   */
  setGate(counter: I8254CounterNumber, level: boolean): void {
    this.#sync();
    this.#counters[counter].gate = level;
    this.#show();
  }

  /**
   * CLK pulses since the machine was switched on.
   * @returns A whole number.
   */
  pulses(): number {
    return pulsesAt(this.#wires.clock.now());
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    this.#sync();
    return { version: 1, pulses: this.#pulses, counters: this.#counters.map((counter) => counter.save()) };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const pulses = reader.integer("pulses", { max: Number.MAX_SAFE_INTEGER });
    const restores = reader.parts("counters", 3).map((part, index) => this.#counters[index].prepareRestore(part));
    this.#pulses = pulses;
    for (const restore of restores) restore();
    this.#show();
  }

  #control(value: number): void {
    const select = value >> 6;
    if (select === READ_BACK) {
      this.#counters.forEach((counter, index) => {
        if ((value & (2 << index)) === 0) return;
        if ((value & READ_BACK_NO_COUNT) === 0) counter.latchCount();
        if ((value & READ_BACK_NO_STATUS) === 0) counter.latchStatus();
      });
    } else if ((value & CONTROL_RW) === 0) {
      this.#counters[select].latchCount();
    } else {
      this.#counters[select].program(value & CONTROL_COUNTER);
    }
  }

  /** Moves all counters to the present, and shows each change of OUT 0 on the way. */
  #sync(): void {
    let left = this.pulses() - this.#pulses;
    if (left <= 0) return;
    this.#pulses += left;
    const first = this.#counters[0];
    this.#counters[1].clock(left);
    this.#counters[2].clock(left);
    if (left > LONGEST_STRETCH) {
      first.clock(left - LONGEST_STRETCH);
      left = LONGEST_STRETCH;
    }
    this.#drive();
    while (left > 0) {
      const step = Math.min(left, first.pulsesToChange());
      first.clock(step);
      left -= step;
      this.#drive();
    }
  }

  /** Drives the interrupt line and asks for a call when it may change. */
  #show(): void {
    this.#drive();
    this.#cancel();
    const pulses = this.#pulses + this.#counters[0].pulsesToChange();
    if (pulses === Infinity) return;
    this.#cancel = this.#wires.clock.schedule(timeOf(pulses), () => {
      this.#sync();
      this.#show();
    });
  }

  #drive(): void {
    const level = this.#counters[0].out;
    if (level === this.#level) return;
    this.#level = level;
    this.#wires.interrupt(level);
  }
}

function powerUp(): I8254Counter[] {
  return [new I8254Counter(), new I8254Counter(), new I8254Counter()];
}

/** CLK pulses that have come by a time in nanoseconds, without loss in the product. */
function pulsesAt(ns: number): number {
  const groups = Math.floor(ns / GROUP_NS);
  return groups * GROUP_PULSES + Math.floor((ns - groups * GROUP_NS) * GROUP_PULSES / GROUP_NS);
}

/** The first nanosecond at which so many pulses have come. */
function timeOf(pulses: number): number {
  const groups = Math.floor(pulses / GROUP_PULSES);
  return groups * GROUP_NS + Math.ceil((pulses - groups * GROUP_PULSES) * GROUP_NS / GROUP_PULSES);
}
