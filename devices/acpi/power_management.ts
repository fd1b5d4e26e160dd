/**
 * ACPI's fixed hardware as the PIIX4 has it: power button, sleep control, and the power-management timer, with IRQ 9 as SCI.
 *
 * | offset | |
 * | --- | --- |
 * | 0 | PM1_STS, 16 bits: what has happened; ones clear |
 * | 2 | PM1_EN, 16 bits: what of it asks for the interrupt |
 * | 4 | PM1_CNT, 16 bits: SCI_EN, sleep type and enable |
 * | 8 | PM_TMR, 32 bits: counts at 3.579545 MHz, 24 bits of it |
 *
 * SCI_EN is set from the beginning: there is no SMM to hand over from.
 * @module
 */

import type { Bus, BusDevice } from "../bus.ts";
import type { CancelTimer, Clock } from "../clock.ts";
import { type Device, SavedReader, type SavedState } from "../device.ts";

/** The first port where nothing else is said. */
export const PM_PORT = 0x600;
/** How many ports it takes. */
export const PM_LENGTH = 0x10;
/** Offset of the sleep control. */
export const PM1_CONTROL = 4;
/** Offset of the timer. */
export const PM_TIMER = 8;
/** The sleep type that turns the machine off, S5. */
export const SLEEP_TYPE_S5 = 0;

const PM1_STS = 0;
const PM1_EN = 2;

const TMR_STS = 0x0001;
const GBL_STS = 0x0020;
const PWRBTN_STS = 0x0100;
const RTC_STS = 0x0400;
const WAK_STS = 0x8000;
const STATUS_BITS = TMR_STS | GBL_STS | PWRBTN_STS | RTC_STS | WAK_STS;
const ENABLE_BITS = TMR_STS | GBL_STS | PWRBTN_STS | RTC_STS;

const SCI_EN = 0x0001;
const SLP_TYP = 0x1c00;
const SLP_EN = 0x2000;
const CONTROL_BITS = SCI_EN | 0x0002 | SLP_TYP;

/** The timer counts 315 times in 88,000 ns: three times the colour carrier of NTSC, by 3. */
const GROUP_TICKS = 315;
const GROUP_NS = 88_000;
const TIMER_BITS = 24;
/** TMR_STS is set when the timer's highest bit changes. */
const HALF = 2 ** (TIMER_BITS - 1);

/** What the chip is wired to. */
export interface PowerManagementWires {
  /** The time. */
  readonly clock: Clock;
  /** SCI; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** The guest turns the machine off. */
  readonly powerOff: () => void;
}

/** The chip. */
export class PowerManagement implements Device, BusDevice {
  /** `"power_management"`. */
  readonly name = "power_management";
  /** Up to 32 bits: the timer. */
  readonly width = 4;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #wires: PowerManagementWires;
  #status = 0;
  #enable = 0;
  #control = SCI_EN;
  #level = false;
  /** Which half of its range the timer was in when its status was last brought up to date. */
  #half = 0;
  #cancel: CancelTimer = () => {};

  /**
   * Makes the chip as it is after power-up.
   * @param wires What it is wired to.
   */
  constructor(wires: PowerManagementWires) {
    this.#wires = wires;
    this.#half = Math.floor(this.#ticks() / HALF);
  }

  /** As after power-up. */
  reset(): void {
    this.#half = Math.floor(this.#ticks() / HALF);
    this.#status = this.#enable = 0;
    this.#control = SCI_EN;
    this.#update();
  }

  /**
   * Takes ports 0x600 to 0x60f.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "power management", base: PM_PORT, length: PM_LENGTH }, this);
  }

  /** The power button is pressed and let go: a guest with ACPI shuts down. */
  pressPowerButton(): void {
    this.#sync();
    this.#status |= PWRBTN_STS;
    this.#update();
  }

  /**
   * Reads registers.
   * @param offset 0..15.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    this.#sync();
    const first = offset & ~3;
    const word = first === 0
      ? this.#status | this.#enable << 16
      : first === PM1_CONTROL
      ? this.#control
      : first === PM_TIMER
      ? this.#ticks() % 2 ** TIMER_BITS
      : 0;
    return (word >>> 8 * (offset & 3) & (size === 4 ? 0xffffffff : (1 << 8 * size) - 1)) >>> 0;
  }

  /**
   * Writes registers.
   * @param offset 0..15.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    this.#sync();
    for (let n = 0; n < size; n++) this.#writeByte(offset + n, value >>> 8 * n & 0xff);
    this.#update();
    const sleep = PM1_CONTROL + 1 - offset;
    if (sleep >= 0 && sleep < size && (value >>> 8 * sleep & SLP_EN >> 8) !== 0) this.#sleep();
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    this.#sync();
    return { version: 1, status: this.#status, enable: this.#enable, control: this.#control };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const status = reader.integer("status", { max: STATUS_BITS });
    const enable = reader.integer("enable", { max: ENABLE_BITS });
    const control = reader.integer("control", { max: CONTROL_BITS });
    this.#status = status & STATUS_BITS;
    this.#enable = enable & ENABLE_BITS;
    this.#control = control & CONTROL_BITS;
    this.#half = Math.floor(this.#ticks() / HALF);
    this.#update();
  }

  #writeByte(offset: number, value: number): void {
    const shift = 8 * (offset & 1);
    const place = 0xff << shift, bits = value << shift;
    switch (offset & ~1) {
      case PM1_STS:
        this.#status &= ~bits;
        break;
      case PM1_EN:
        this.#enable = (this.#enable & ~place | bits) & ENABLE_BITS;
        break;
      case PM1_CONTROL:
        this.#control = (this.#control & ~place | bits) & CONTROL_BITS | SCI_EN;
        break;
    }
  }

  /** The only sleep that is offered is S5; what asks for another one stays awake. */
  #sleep(): void {
    if ((this.#control & SLP_TYP) >> 10 === SLEEP_TYPE_S5) this.#wires.powerOff();
    else this.#status |= WAK_STS;
  }

  /** Ticks of the timer since the machine was switched on. */
  #ticks(): number {
    const now = this.#wires.clock.now();
    const groups = Math.floor(now / GROUP_NS);
    return groups * GROUP_TICKS + Math.floor((now - groups * GROUP_NS) * GROUP_TICKS / GROUP_NS);
  }

  #sync(): void {
    const half = Math.floor(this.#ticks() / HALF);
    if (half === this.#half) return;
    this.#half = half;
    this.#status |= TMR_STS;
    this.#update();
  }

  /** Drives SCI, and asks to be called when the timer will. */
  #update(): void {
    const level = (this.#status & this.#enable & ENABLE_BITS) !== 0 && (this.#control & SCI_EN) !== 0;
    this.#cancel();
    this.#cancel = () => {};
    if ((this.#enable & TMR_STS) !== 0 && (this.#status & TMR_STS) === 0) {
      const ticks = (this.#half + 1) * HALF;
      const groups = Math.floor(ticks / GROUP_TICKS);
      const at = groups * GROUP_NS + Math.ceil((ticks - groups * GROUP_TICKS) * GROUP_NS / GROUP_TICKS);
      this.#cancel = this.#wires.clock.schedule(at, () => this.#sync());
    }
    if (level === this.#level) return;
    this.#level = level;
    this.#wires.interrupt(level);
  }
}
