/**
 * The local APIC of a processor (xAPIC, as the SDM's volume 3 chapter "APIC" has it): what interrupts its processor, in order of
 * priority, with a timer and messages between processors. Registers are 32 bits wide, each at a multiple of 16.
 *
 * Left out: x2APIC, the arbitration priority (reads 0), interrupts of thermal sensor and performance counters (their LVT
 * entries keep what is written), and remote reads.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { Clock } from "./clock.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "./device.ts";
import type { Interrupter } from "./interrupter.ts";
import { type ApicBus, type ApicMessage, type ApicReceiver, DELIVERY } from "./local_apic_bus.ts";
import { LocalApicTimer, type TscTime } from "./local_apic_timer.ts";

/** Where the registers are in the memory of each processor. */
export const LOCAL_APIC_BASE = 0xfee00000;
/** How many addresses they take. */
export const LOCAL_APIC_LENGTH = 0x1000;

const ID = 0x02;
const VERSION = 0x03;
const TPR = 0x08;
const PPR = 0x0a;
const EOI = 0x0b;
const LDR = 0x0d;
const DFR = 0x0e;
const SVR = 0x0f;
const ISR = 0x10;
const TMR = 0x18;
const IRR = 0x20;
const ESR = 0x28;
const ICR_LOW = 0x30;
const ICR_HIGH = 0x31;
const LVT_TIMER = 0x32;
const LVT_LAST = 0x37;
const INITIAL_COUNT = 0x38;
const CURRENT_COUNT = 0x39;
const DIVIDE = 0x3e;
/** Those that exist and read 0: arbitration priority and remote read. */
const APR = 0x09;
const RRD = 0x0c;

/** Six LVT entries; the version of processors since the Pentium 4. */
const VERSION_VALUE = 0x0005_0014;

const LVTS = 6;
/** Entries of the local vector table. */
const LVT = { TIMER: 0, LINT0: 3, LINT1: 4, ERROR: 5 } as const;
/** The bits of each entry that can be written. */
const LVT_WRITABLE: readonly number[] = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
const LVT_MASKED = 0x1_0000;
const LVT_LEVEL = 0x8000;
const LVT_REMOTE_IRR = 0x4000;
const LVT_LOW_ACTIVE = 0x2000;
const LVT_EXTINT = DELIVERY.EXTINT << 8;
const LVT_MODE = 7 << 8;

const SVR_ENABLE = 0x100;
const SVR_WRITABLE = 0x3ff;
const SVR_AT_RESET = 0xff;

const DFR_FIXED = 0x0fff_ffff;
const DFR_FLAT = 0xf000_0000;

const ESR_SEND_ILLEGAL_VECTOR = 0x20;
const ESR_RECEIVED_ILLEGAL_VECTOR = 0x40;
const ESR_ILLEGAL_REGISTER = 0x80;
const FIRST_LEGAL_VECTOR = 16;

const ICR_WRITABLE = 0xc_cfff;
const ICR_LOGICAL = 0x800;
const ICR_ASSERT = 0x4000;
const ICR_LEVEL = 0x8000;
/** Destination shorthands. */
const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2 } as const;

/** Bit 11 of MSR IA32_APIC_BASE. */
const APIC_BASE_ENABLE = 0x800;

const WORDS = 8;

/** What a local APIC is made from and wired to. */
export interface LocalApicOptions {
  /** Its ID at reset, 0..254. */
  readonly id: number;
  /** Whether its processor starts the machine. A firmware's work is done then: the 8259 gets through on LINT0. */
  readonly bootstrap: boolean;
  /** The time. */
  readonly clock: Clock;
  /** The bus to the others; the APIC connects itself. */
  readonly bus: ApicBus;
  /** The processor's INTR; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** The 8259 pair, whose INTR is on LINT0. */
  readonly external: Pick<Interrupter, "acknowledge" | "deaf">;
  /** The processor's NMI. */
  readonly nmi?: () => void;
  /** INIT: the processor resets itself and waits for {@linkcode startup}; this APIC is reset already. */
  readonly init?: () => void;
  /** Startup: the processor, if it waits, begins in real mode at `vector << 12`. */
  readonly startup?: (vector: number) => void;
  /** The time-stamp counter; none: the timer has no TSC-deadline mode. */
  readonly tsc?: TscTime;
}

/** A local APIC. */
export class LocalApic implements Device, BusDevice, ApicReceiver, Interrupter {
  /** `"local_apic"` and the ID at reset. */
  readonly name: string;
  /** 32-bit registers. */
  readonly width = 4;
  readonly #options: LocalApicOptions;
  readonly #bus: ApicBus;
  readonly #timer: LocalApicTimer;
  readonly #isr = new Uint32Array(WORDS);
  readonly #tmr = new Uint32Array(WORDS);
  readonly #irr = new Uint32Array(WORDS);
  readonly #lvt = new Uint32Array(LVTS);
  /** Levels of the pins LINT0 and LINT1. */
  readonly #lint: boolean[] = [false, false];
  /** Whether an I/O APIC has passed on a request of the 8259. */
  #extint = false;
  #on = true;
  #id = 0;
  #tpr = 0;
  #ldr = 0;
  #dfr = 0;
  #svr = 0;
  #esr = 0;
  /** Errors since ESR was written last. */
  #errors = 0;
  #icrLow = 0;
  #icrHigh = 0;
  #level = false;

  /**
   * Makes a local APIC as it is after power-up.
   * @param options What it is made from and wired to.
   */
  constructor(options: LocalApicOptions) {
    this.name = `local_apic${options.id}`;
    this.#options = options;
    this.#bus = options.bus;
    this.#timer = new LocalApicTimer(options.clock, () => this.#signal(LVT.TIMER), options.tsc);
    this.#id = options.id;
    this.#clear();
    options.bus.connect(this);
  }

  /** As after power-up; the levels of the pins stay. */
  reset(): void {
    this.#id = this.#options.id;
    this.#on = true;
    this.#clear();
    this.#update();
  }

  /**
   * Takes the registers' addresses, for a machine with one processor. With several, each sees its own: {@linkcode LocalApicPage}.
   * @param _ports Not used.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError They are taken.
   */
  attach(_ports: Bus, mmio: Bus): void {
    mmio.attach({ name: "local APIC", base: LOCAL_APIC_BASE, length: LOCAL_APIC_LENGTH }, this);
  }

  /** Its ID, 8 bits. */
  get id(): number {
    return this.#id;
  }

  /** Whether it takes fixed interrupts. */
  get enabled(): boolean {
    return this.#on && (this.#svr & SVR_ENABLE) !== 0;
  }

  /** The processor's priority, PPR. */
  get priority(): number {
    return this.#ppr();
  }

  /** INTR of the processor. */
  get pending(): boolean {
    return this.#level;
  }

  /** Whether no interrupt can come: the APIC takes none, and the 8259 does not get through or cannot interrupt either. */
  get deaf(): boolean {
    if (this.#level || this.enabled) return false;
    return this.#on && !this.#passesExternal() || this.#options.external.deaf;
  }

  /** The upper half of TPR, as CR8 shows it. */
  get taskPriority(): number {
    return this.#tpr >> 4;
  }

  set taskPriority(value: number) {
    if (value === this.#tpr >> 4) return;
    this.#tpr = (value & 0xf) << 4;
    this.#update();
  }

  /** Bit 11 of MSR IA32_APIC_BASE: without it the processor has no APIC, and the 8259 gets through. */
  get on(): boolean {
    return this.#on;
  }

  set on(value: boolean) {
    if (value === this.#on) return;
    this.#on = value;
    this.#clear();
    this.#update();
  }

  /**
   * Follows MSR IA32_APIC_BASE, of which the APIC's switch counts; its registers stay where they are.
   * @param low The low 32 bits.
   */
  apicBase(low: number): void {
    this.on = (low & APIC_BASE_ENABLE) !== 0;
  }

  /** MSR IA32_TSC_DEADLINE. */
  get tscDeadline(): number {
    return this.#timer.deadline;
  }

  set tscDeadline(tsc: number) {
    this.#timer.deadline = tsc;
  }

  /**
   * What a logical destination is compared with.
   * @param destination 8 bits.
   */
  matches(destination: number): boolean {
    const own = this.#ldr >>> 24;
    if ((this.#dfr >>> 28) === 0xf) return (own & destination) !== 0;
    if (destination === 0xff) return true;
    return own >> 4 === destination >> 4 && (own & destination & 0xf) !== 0;
  }

  /**
   * Drives a pin.
   * @param pin 0: LINT0, the 8259; 1: LINT1, NMI.
   * @param level Its level.
   */
  setLint(pin: 0 | 1, level: boolean): void {
    if (this.#lint[pin] === level) return;
    this.#lint[pin] = level;
    const entry = this.#lvt[LVT.LINT0 + pin];
    const mode = entry & LVT_MODE;
    const active = level !== ((entry & LVT_LOW_ACTIVE) !== 0);
    if (mode !== LVT_EXTINT && active && this.#on) this.#signal(LVT.LINT0 + pin);
    else this.#update();
  }

  /**
   * The processor takes an interrupt.
   * @returns The vector, 0..255. Where the request has gone meanwhile it is the spurious one.
   */
  acknowledge(): number {
    const vector = this.#deliverable();
    if (vector < 0) {
      if (!this.#external()) return this.#svr & 0xff;
      this.#extint = false;
      const external = this.#options.external.acknowledge();
      this.#update();
      return external;
    }
    clearBit(this.#irr, vector);
    setBit(this.#isr, vector);
    this.#update();
    return vector;
  }

  /** Takes a message from the bus. */
  accept(message: ApicMessage): void {
    const { mode, vector, level } = message;
    switch (mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY:
        if (this.enabled) this.#request(vector, level);
        break;
      case DELIVERY.NMI:
        this.#options.nmi?.();
        break;
      case DELIVERY.INIT:
        this.#clear();
        this.#update();
        this.#options.init?.();
        break;
      case DELIVERY.STARTUP:
        this.#options.startup?.(vector);
        break;
      case DELIVERY.EXTINT:
        this.#extint = true;
        this.#update();
        break;
    }
  }

  /**
   * Reads registers.
   * @param offset 0..0xfff.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const inside = offset & 0xf;
    if (inside > 3 || !this.#on) return this.#on ? 0 : ones(size);
    return ((this.#register(offset >> 4) >>> (8 * inside)) & ones(size)) >>> 0;
  }

  /**
   * Writes a register; what is not 32 bits wide and aligned is lost.
   * @param offset 0..0xfff.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (size !== 4 || (offset & 0xf) !== 0 || !this.#on) return;
    const register = offset >> 4;
    switch (register) {
      case ID:
        this.#id = value >>> 24;
        return;
      case TPR:
        this.#tpr = value & 0xff;
        break;
      case EOI:
        this.#endOfInterrupt();
        break;
      case LDR:
        this.#ldr = (value & 0xff00_0000) >>> 0;
        return;
      case DFR:
        this.#dfr = (value | DFR_FIXED) >>> 0;
        return;
      case SVR:
        this.#svr = value & SVR_WRITABLE;
        if ((value & SVR_ENABLE) === 0) { for (let n = 0; n < LVTS; n++) this.#lvt[n] |= LVT_MASKED; }
        break;
      case ESR:
        this.#esr = this.#errors;
        this.#errors = 0;
        return;
      case ICR_LOW:
        this.#icrLow = value & ICR_WRITABLE;
        this.#sendIpi();
        return;
      case ICR_HIGH:
        this.#icrHigh = (value & 0xff00_0000) >>> 0;
        return;
      case INITIAL_COUNT:
        this.#timer.initial = value;
        return;
      case DIVIDE:
        this.#timer.divide = value;
        return;
      default:
        if (register >= LVT_TIMER && register <= LVT_LAST) this.#writeLvt(register - LVT_TIMER, value);
        else if (!exists(register)) this.#error(ESR_ILLEGAL_REGISTER);
    }
    this.#update();
  }

  /** All that the APIC remembers, to be kept. */
  save(): SavedState {
    const words = (array: Uint32Array): string => savedBytes(new Uint8Array(array.buffer));
    return {
      version: 1,
      on: this.#on,
      extint: this.#extint,
      id: this.#id,
      tpr: this.#tpr,
      ldr: this.#ldr,
      dfr: this.#dfr,
      svr: this.#svr,
      esr: this.#esr,
      errors: this.#errors,
      icrLow: this.#icrLow,
      icrHigh: this.#icrHigh,
      isr: words(this.#isr),
      tmr: words(this.#tmr),
      irr: words(this.#irr),
      lvt: words(this.#lvt),
      timer: [this.#timer.save()],
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
    const on = reader.boolean("on"), extint = reader.boolean("extint");
    const byte = (name: string): number => reader.integer(name, { max: 0xff });
    const word = (name: string): number => reader.integer(name, { max: 0xffffffff });
    const id = byte("id"), tpr = byte("tpr"), ldr = word("ldr"), dfr = word("dfr");
    const svr = reader.integer("svr", { max: SVR_WRITABLE });
    const esr = byte("esr"), errors = byte("errors"), icrLow = word("icrLow"), icrHigh = word("icrHigh");
    const arrays = ([["isr", this.#isr], ["tmr", this.#tmr], ["irr", this.#irr], ["lvt", this.#lvt]] as const)
      .map(([name, array]) => [new Uint8Array(array.buffer), reader.bytes(name, array.byteLength)] as const);
    const restoreTimer = this.#timer.prepareRestore(reader.parts("timer", 1)[0]);
    for (const [array, bytes] of arrays) array.set(bytes);
    this.#on = on;
    this.#extint = extint;
    this.#id = id;
    this.#tpr = tpr;
    this.#ldr = ldr;
    this.#dfr = dfr;
    this.#svr = svr;
    this.#esr = esr;
    this.#errors = errors;
    this.#icrLow = icrLow;
    this.#icrHigh = icrHigh;
    restoreTimer();
    this.#update();
  }

  #register(register: number): number {
    if (register >= ISR && register < ISR + WORDS) return this.#isr[register - ISR];
    if (register >= TMR && register < TMR + WORDS) return this.#tmr[register - TMR];
    if (register >= IRR && register < IRR + WORDS) return this.#irr[register - IRR];
    if (register >= LVT_TIMER && register <= LVT_LAST) return this.#lvt[register - LVT_TIMER];
    switch (register) {
      case ID:
        return this.#id << 24;
      case VERSION:
        return VERSION_VALUE;
      case TPR:
        return this.#tpr;
      case PPR:
        return this.#ppr();
      case LDR:
        return this.#ldr;
      case DFR:
        return this.#dfr;
      case SVR:
        return this.#svr;
      case ESR:
        return this.#esr;
      case ICR_LOW:
        return this.#icrLow;
      case ICR_HIGH:
        return this.#icrHigh;
      case INITIAL_COUNT:
        return this.#timer.initial;
      case CURRENT_COUNT:
        return this.#timer.current;
      case DIVIDE:
        return this.#timer.divide;
      default:
        if (!exists(register)) this.#error(ESR_ILLEGAL_REGISTER);
        return 0;
    }
  }

  /** The state after INIT: all but the ID. */
  #clear(): void {
    this.#tpr =
      this.#ldr =
      this.#esr =
      this.#errors =
      this.#icrLow =
      this.#icrHigh =
        0;
    this.#dfr = (DFR_FLAT | DFR_FIXED) >>> 0;
    this.#svr = SVR_AT_RESET;
    for (const array of [this.#isr, this.#tmr, this.#irr]) array.fill(0);
    this.#lvt.fill(LVT_MASKED);
    if (this.#options.bootstrap) this.#lvt[LVT.LINT0] = LVT_EXTINT;
    this.#timer.reset();
    this.#extint = false;
  }

  #writeLvt(entry: number, value: number): void {
    const old = this.#lvt[entry];
    let next = value & LVT_WRITABLE[entry] | old & LVT_REMOTE_IRR;
    if ((this.#svr & SVR_ENABLE) === 0) next |= LVT_MASKED;
    if (entry === LVT.TIMER) {
      const mode = next >> 17 & 3;
      if (mode === 3 || (mode === 2 && this.#options.tsc === undefined)) next &= ~0x4_0000;
      this.#timer.mode = next >> 17 & 3;
    }
    this.#lvt[entry] = next;
  }

  /** A local source fires. */
  #signal(entry: number): void {
    const value = this.#lvt[entry];
    if (value & LVT_MASKED || !this.#on) return;
    const mode = value >> 8 & 7;
    if (entry === LVT.TIMER || entry === LVT.ERROR || mode === DELIVERY.FIXED) {
      const level = (entry === LVT.LINT0 || entry === LVT.LINT1) && (value & LVT_LEVEL) !== 0;
      this.#request(value & 0xff, level);
    } else if (mode === DELIVERY.NMI) {
      this.#options.nmi?.();
    } else if (mode === DELIVERY.INIT) {
      this.accept({ destination: this.#id, logical: false, mode, vector: 0, level: false });
    }
  }

  #request(vector: number, level: boolean): void {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.#error(ESR_RECEIVED_ILLEGAL_VECTOR);
      return;
    }
    setBit(this.#irr, vector);
    if (level) setBit(this.#tmr, vector);
    else clearBit(this.#tmr, vector);
    this.#update();
  }

  #endOfInterrupt(): void {
    const vector = highest(this.#isr);
    if (vector < 0) return;
    clearBit(this.#isr, vector);
    if (hasBit(this.#tmr, vector)) this.#bus.eoi(vector);
  }

  #sendIpi(): void {
    const low = this.#icrLow;
    const message: ApicMessage = {
      destination: this.#icrHigh >>> 24,
      logical: (low & ICR_LOGICAL) !== 0,
      mode: low >> 8 & 7,
      vector: low & 0xff,
      level: false,
    };
    const fixed = message.mode === DELIVERY.FIXED || message.mode === DELIVERY.LOWEST_PRIORITY;
    if (fixed && message.vector < FIRST_LEGAL_VECTOR) {
      this.#error(ESR_SEND_ILLEGAL_VECTOR);
      return;
    }
    // INIT level de-assert only set arbitration IDs on old processors.
    if (message.mode === DELIVERY.INIT && (low & (ICR_ASSERT | ICR_LEVEL)) === ICR_LEVEL) return;
    const shorthand = low >>> 18 & 3;
    if (shorthand === SHORTHAND.NONE) this.#bus.send(message);
    else if (shorthand === SHORTHAND.SELF) this.accept(message);
    else this.#bus.sendTo(message, (each) => shorthand === SHORTHAND.ALL || each !== this);
  }

  #error(bit: number): void {
    this.#errors |= bit;
    // An illegal vector in the error entry itself would never end.
    if ((this.#lvt[LVT.ERROR] & 0xff) >= FIRST_LEGAL_VECTOR) this.#signal(LVT.ERROR);
  }

  #ppr(): number {
    const served = highest(this.#isr);
    return served >= 0 && served >> 4 > this.#tpr >> 4 ? served & 0xf0 : this.#tpr;
  }

  /** The fixed interrupt that the processor may take, or -1. */
  #deliverable(): number {
    if (!this.enabled) return -1;
    const wanted = highest(this.#irr);
    return wanted >= 0 && wanted >> 4 > this.#ppr() >> 4 ? wanted : -1;
  }

  /** Whether the 8259 gets through. */
  #external(): boolean {
    if (this.#extint && this.enabled) return true;
    return this.#lint[0] && (!this.#on || this.#passesExternal());
  }

  #passesExternal(): boolean {
    return (this.#lvt[LVT.LINT0] & (LVT_MASKED | LVT_MODE)) === LVT_EXTINT;
  }

  #update(): void {
    const level = this.#deliverable() >= 0 || this.#external();
    if (level === this.#level) return;
    this.#level = level;
    this.#options.interrupt(level);
  }
}

/** The registers of the processor that looks: each has its own APIC at the same addresses. */
export class LocalApicPage implements BusDevice {
  /** 32-bit registers. */
  readonly width = 4;
  readonly #current: () => LocalApic;

  /**
   * Makes the page.
   * @param current Gives the APIC of the processor whose access is served.
   */
  constructor(current: () => LocalApic) {
    this.#current = current;
  }

  /**
   * Takes the registers' addresses.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError They are taken.
   */
  attach(mmio: Bus): void {
    mmio.attach({ name: "local APIC", base: LOCAL_APIC_BASE, length: LOCAL_APIC_LENGTH }, this);
  }

  /** Reads a register of the current processor's APIC. */
  read(offset: number, size: number): number {
    return this.#current().read(offset, size);
  }

  /** Writes a register of the current processor's APIC. */
  write(offset: number, value: number, size: number): void {
    this.#current().write(offset, value, size);
  }
}

function exists(register: number): boolean {
  return register >= TPR && register <= SVR || register >= ISR && register <= ESR ||
    register === ID || register === VERSION || register === APR || register === RRD ||
    register >= ICR_LOW && register <= CURRENT_COUNT || register === DIVIDE;
}

function ones(size: number): number {
  return size === 4 ? 0xffffffff : (1 << 8 * size) - 1;
}

function setBit(bits: Uint32Array, n: number): void {
  bits[n >> 5] |= 1 << (n & 31);
}

function clearBit(bits: Uint32Array, n: number): void {
  bits[n >> 5] &= ~(1 << (n & 31));
}

function hasBit(bits: Uint32Array, n: number): boolean {
  return (bits[n >> 5] >>> (n & 31) & 1) !== 0;
}

/** The highest set bit, or -1. */
function highest(bits: Uint32Array): number {
  for (let word = WORDS - 1; word >= 0; word--) {
    if (bits[word] !== 0) return 32 * word + 31 - Math.clz32(bits[word]);
  }
  return -1;
}
