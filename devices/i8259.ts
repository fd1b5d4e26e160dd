/**
 * The Intel 8259A programmable interrupt controller. A pure object: one chip; how a PC has two of them is `i8259_pair.ts`.
 *
 * A request of an edge-triggered input is withdrawn when the input falls before it is acknowledged, as on the chip. Left out: the
 * 8080's CALL instruction (ICW4.uPM clear; vectors are always those of the 8086), buffered mode (a matter of pins), and ICW3, for
 * the wiring decides what is cascaded. Until the chip has got its initialization command words it requests nothing.
 * @module
 */

import type { BusDevice } from "./bus.ts";
import type { SavedReader, SavedState } from "./device.ts";

/** How many addresses the chip takes. */
export const I8259_LENGTH = 2;

const ICW1 = 0x10;
const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW1_LTIM = 0x08;

const ICW2_VECTOR = 0xf8;

const ICW4_AEOI = 0x02;
const ICW4_SFNM = 0x10;

const OCW2_LEVEL = 0x07;
const OCW2_COMMAND = 0xe0;
const OCW2_ROTATE_IN_AEOI_CLEAR = 0x00;
const OCW2_NON_SPECIFIC_EOI = 0x20;
const OCW2_SPECIFIC_EOI = 0x60;
const OCW2_ROTATE_IN_AEOI_SET = 0x80;
const OCW2_ROTATE_ON_NON_SPECIFIC_EOI = 0xa0;
const OCW2_SET_PRIORITY = 0xc0;
const OCW2_ROTATE_ON_SPECIFIC_EOI = 0xe0;

const OCW3 = 0x08;
const OCW3_RIS = 0x01;
const OCW3_RR = 0x02;
const OCW3_POLL = 0x04;
const OCW3_SMM = 0x20;
const OCW3_ESMM = 0x40;

const POLL_INTERRUPT = 0x80;

/** The level that the chip gives when a request has gone before it was acknowledged. */
const SPURIOUS_LEVEL = 7;

/** Which word the chip expects next at its upper address. */
const Expect = { Icw2: 2, Icw3: 3, Icw4: 4, Ocw1: 1, Nothing: 0 } as const;

/** What a chip is wired to. */
export interface I8259Options {
  /** The INT pin; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** The inputs that other chips' INT pins drive, a bit each; none unless told. */
  readonly cascaded?: number;
  /**
   * The inputs that an edge/level control register (ELCR) may make level-triggered, a bit each, in a chip set that has one; it
   * takes the place of ICW1.LTIM, which is then without effect.
   */
  readonly elcr?: number;
}

/** The chip. */
export class I8259 implements BusDevice {
  /** An 8-bit chip. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #interrupt: (level: boolean) => void;
  readonly #cascaded: number;
  readonly #elcrBits: number | undefined;
  /** Levels of the inputs. */
  #lines = 0;
  /** Inputs that have risen, and neither fallen nor been acknowledged since. */
  #edges = 0;
  #isr = 0;
  #imr = 0;
  #elcr = 0;
  #ltim = false;
  #vector = 0;
  /** The level with the lowest priority; the next one has the highest. */
  #lowest = 7;
  #aeoi = false;
  #rotateInAeoi = false;
  #specialMask = false;
  #specialFullyNested = false;
  #readIsr = false;
  #poll = false;
  #expect: number = Expect.Nothing;
  #single = false;
  #icw4Follows = false;
  #int = false;

  /**
   * Makes a chip as it is after power-up: it waits for ICW1.
   * @param options What it is wired to.
   */
  constructor(options: I8259Options) {
    this.#interrupt = options.interrupt;
    this.#cascaded = options.cascaded ?? 0;
    this.#elcrBits = options.elcr;
  }

  /** As after power-up. The chip has no reset pin, but the chip set that holds it has. The inputs keep their levels. */
  reset(): void {
    this.#initialize();
    this.#isr = this.#elcr = this.#vector = 0;
    this.#ltim = this.#single = this.#icw4Follows = false;
    this.#expect = Expect.Nothing;
    this.#update();
  }

  /** The INT pin. */
  get int(): boolean {
    return this.#int;
  }

  /** The inputs that are not masked, a bit each; none before the chip is initialized. */
  get unmasked(): number {
    return this.#expect === Expect.Ocw1 ? ~this.#imr & 0xff : 0;
  }

  /** The edge/level control register: the inputs that are level-triggered, a bit each. */
  get elcr(): number {
    return this.#elcr;
  }

  /** Inputs that cannot be level-triggered stay as they are. */
  set elcr(value: number) {
    this.#elcr = value & (this.#elcrBits ?? 0);
    this.#update();
  }

  /**
   * Drives an input.
   * @param input 0..7.
   * @param level Its level.
   */
  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    if (level === ((this.#lines & bit) !== 0)) return;
    if (level) {
      this.#lines |= bit;
      this.#edges |= bit;
    } else {
      this.#lines &= ~bit;
      this.#edges &= ~bit;
    }
    this.#update();
  }

  /**
   * The first INTA pulse: the request of the highest priority is now in service.
   * @returns Its level, 0..7; 7, not in service, if there is no request.
   */
  acknowledge(): number {
    const level = this.#request();
    if (level < 0) return SPURIOUS_LEVEL;
    const bit = 1 << level;
    this.#edges &= ~bit;
    if (!this.#aeoi) this.#isr |= bit;
    else if (this.#rotateInAeoi) this.#lowest = level;
    this.#setInt(false); // the pin falls between two requests
    this.#update();
    return level;
  }

  /**
   * The second INTA pulse.
   * @param level What {@linkcode acknowledge} gave.
   * @returns The vector, 0..255.
   */
  vector(level: number): number {
    return this.#vector | level;
  }

  /**
   * Reads a register. Reading takes a poll command as an acknowledgement.
   * @param offset 0: IRR or ISR, 1: IMR.
   * @returns Its value, 0..255.
   */
  read(offset: number): number {
    if (this.#poll) {
      this.#poll = false;
      return this.#request() < 0 ? 0 : POLL_INTERRUPT | this.acknowledge();
    }
    return offset === 1 ? this.#imr : this.#readIsr ? this.#isr : this.#irr();
  }

  /**
   * Writes a command word.
   * @param offset 0: ICW1, OCW2, OCW3; 1: ICW2 to ICW4, OCW1.
   * @param value 0..255.
   */
  write(offset: number, value: number): void {
    if (offset === 1) this.#writeUpper(value);
    else if (value & ICW1) this.#writeIcw1(value);
    else if (value & OCW3) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#update();
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    return {
      lines: this.#lines,
      edges: this.#edges,
      isr: this.#isr,
      imr: this.#imr,
      elcr: this.#elcr,
      ltim: this.#ltim,
      vector: this.#vector,
      lowest: this.#lowest,
      aeoi: this.#aeoi,
      rotateInAeoi: this.#rotateInAeoi,
      specialMask: this.#specialMask,
      specialFullyNested: this.#specialFullyNested,
      readIsr: this.#readIsr,
      poll: this.#poll,
      expect: this.#expect,
      single: this.#single,
      icw4Follows: this.#icw4Follows,
    };
  }

  /**
   * Checks a kept state.
   * @param state What {@linkcode save} gave.
   * @returns Goes back to it.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(state: SavedReader): () => void {
    const byte = { max: 0xff };
    const lines = state.integer("lines", byte);
    const edges = state.integer("edges", byte);
    const isr = state.integer("isr", byte);
    const imr = state.integer("imr", byte);
    const elcr = state.integer("elcr", byte);
    const ltim = state.boolean("ltim");
    const vector = state.integer("vector", byte);
    const lowest = state.integer("lowest", { max: 7 });
    const aeoi = state.boolean("aeoi");
    const rotateInAeoi = state.boolean("rotateInAeoi");
    const specialMask = state.boolean("specialMask");
    const specialFullyNested = state.boolean("specialFullyNested");
    const readIsr = state.boolean("readIsr");
    const poll = state.boolean("poll");
    const expect = state.integer("expect", { max: Expect.Icw4 });
    const single = state.boolean("single");
    const icw4Follows = state.boolean("icw4Follows");
    return () => {
      this.#lines = lines;
      this.#edges = edges & lines;
      this.#isr = isr;
      this.#imr = imr;
      this.#elcr = elcr & (this.#elcrBits ?? 0);
      this.#ltim = ltim;
      this.#vector = vector & ICW2_VECTOR;
      this.#lowest = lowest;
      this.#aeoi = aeoi;
      this.#rotateInAeoi = rotateInAeoi;
      this.#specialMask = specialMask;
      this.#specialFullyNested = specialFullyNested;
      this.#readIsr = readIsr;
      this.#poll = poll;
      this.#expect = expect;
      this.#single = single;
      this.#icw4Follows = icw4Follows;
      this.#update();
    };
  }

  /** What ICW1 clears: also an input that is high must rise again. */
  #initialize(): void {
    this.#edges = this.#imr = this.#isr = 0;
    this.#lowest = 7;
    this.#aeoi =
      this.#rotateInAeoi =
      this.#specialMask =
      this.#specialFullyNested =
        false;
    this.#readIsr = this.#poll = false;
  }

  #writeIcw1(value: number): void {
    this.#initialize();
    this.#ltim = (value & ICW1_LTIM) !== 0;
    this.#single = (value & ICW1_SNGL) !== 0;
    this.#icw4Follows = (value & ICW1_IC4) !== 0;
    this.#expect = Expect.Icw2;
  }

  #writeUpper(value: number): void {
    switch (this.#expect) {
      case Expect.Icw2:
        this.#vector = value & ICW2_VECTOR;
        this.#expect = this.#single ? this.#afterIcw3() : Expect.Icw3;
        break;
      case Expect.Icw3:
        this.#expect = this.#afterIcw3();
        break;
      case Expect.Icw4:
        this.#aeoi = (value & ICW4_AEOI) !== 0;
        this.#specialFullyNested = (value & ICW4_SFNM) !== 0;
        this.#expect = Expect.Ocw1;
        break;
      default:
        this.#imr = value; // OCW1, which the chip takes at any time
    }
  }

  #afterIcw3(): number {
    return this.#icw4Follows ? Expect.Icw4 : Expect.Ocw1;
  }

  #writeOcw2(value: number): void {
    const level = value & OCW2_LEVEL;
    switch (value & OCW2_COMMAND) {
      case OCW2_ROTATE_IN_AEOI_CLEAR:
        this.#rotateInAeoi = false;
        break;
      case OCW2_ROTATE_IN_AEOI_SET:
        this.#rotateInAeoi = true;
        break;
      case OCW2_NON_SPECIFIC_EOI:
        this.#endHighest(false);
        break;
      case OCW2_ROTATE_ON_NON_SPECIFIC_EOI:
        this.#endHighest(true);
        break;
      case OCW2_SPECIFIC_EOI:
        this.#isr &= ~(1 << level);
        break;
      case OCW2_ROTATE_ON_SPECIFIC_EOI:
        this.#isr &= ~(1 << level);
        this.#lowest = level;
        break;
      case OCW2_SET_PRIORITY:
        this.#lowest = level;
        break;
    }
  }

  #writeOcw3(value: number): void {
    if (value & OCW3_ESMM) this.#specialMask = (value & OCW3_SMM) !== 0;
    if (value & OCW3_POLL) this.#poll = true;
    else if (value & OCW3_RR) this.#readIsr = (value & OCW3_RIS) !== 0;
  }

  #endHighest(rotate: boolean): void {
    const level = this.#highest(this.#effectiveIsr());
    if (level < 0) return;
    this.#isr &= ~(1 << level);
    if (rotate) this.#lowest = level;
  }

  #irr(): number {
    const byLevel = this.#elcrBits !== undefined ? this.#elcr : this.#ltim ? 0xff : 0;
    return (this.#edges & ~byLevel) | (this.#lines & byLevel);
  }

  /** In special mask mode a level that is masked while in service neither holds others back nor ends without being named. */
  #effectiveIsr(): number {
    return this.#specialMask ? this.#isr & ~this.#imr : this.#isr;
  }

  /** The level of the highest priority among these, or -1. */
  #highest(levels: number): number {
    if (levels === 0) return -1;
    let level = (this.#lowest + 1) & 7;
    while ((levels & (1 << level)) === 0) level = (level + 1) & 7;
    return level;
  }

  /** How far a level is from the highest priority. */
  #rank(level: number): number {
    return (level - this.#lowest - 1) & 7;
  }

  /** The level that requests an interrupt now, or -1. */
  #request(): number {
    if (this.#expect !== Expect.Ocw1) return -1;
    const requests = this.#irr() & ~this.#imr;
    if (requests === 0) return -1;
    const wanted = this.#highest(requests);
    const served = this.#highest(this.#effectiveIsr());
    if (served < 0 || this.#rank(wanted) < this.#rank(served)) return wanted;
    // A cascaded chip requests again only for something more urgent, which special fully nested mode lets through.
    const nestable = this.#specialFullyNested && (this.#cascaded & (1 << wanted)) !== 0;
    return wanted === served && nestable ? wanted : -1;
  }

  #update(): void {
    this.#setInt(this.#request() >= 0);
  }

  #setInt(level: boolean): void {
    if (level === this.#int) return;
    this.#int = level;
    this.#interrupt(level);
  }
}
