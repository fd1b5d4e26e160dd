/**
 * The National Semiconductor 16550A UART: the chip of a PC's serial ports. A pure object: the interrupt line and both ends of the
 * wire are handed in.
 *
 * Characters take no time: a byte written to THR is on the wire at once, so LSR always says that the transmitter is empty, and
 * received bytes are fetched as soon as there is room. Divisor and line format matter for one thing: after the time of four
 * characters a receiver FIFO below its trigger level interrupts. A line never has errors; bytes are lost in loop mode only.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "./device.ts";

/** How many addresses the chip takes. */
export const UART16550_LENGTH = 8;

/** Receiver buffer (read), transmitter holding (write); divisor's low byte while LCR.DLAB is set. */
const RBR_THR_DLL = 0;
/** Interrupt enable; divisor's high byte while LCR.DLAB is set. */
const IER_DLM = 1;
/** Interrupt identification (read), FIFO control (write). */
const IIR_FCR = 2;
/** Line control. */
const LCR = 3;
/** Modem control. */
const MCR = 4;
/** Line status (read only). */
const LSR = 5;
/** Modem status (read only). */
const MSR = 6;
/** Scratch. */
const SCR = 7;

const IER_RECEIVED = 0x01;
const IER_TRANSMITTER_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_TRIGGER_SHIFT = 6;

const LCR_WORD_LENGTH = 0x03;
const LCR_STOP_BITS = 0x04;
const LCR_PARITY = 0x08;
const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const MCR_WRITABLE = 0x1f;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_THR_EMPTY = 0x20;
const LSR_TRANSMITTER_EMPTY = 0x40;

const MSR_DELTAS = 0x0f;
const MSR_DELTA_DCD = 0x08;
const MSR_TRAILING_RI = 0x04;
const MSR_DELTA_DSR = 0x02;
const MSR_DELTA_CTS = 0x01;
const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;

const FIFO_BYTES = 16;
const TRIGGERS = [1, 4, 8, 14];
/** A receiver FIFO that is not empty interrupts after so many characters' time. */
const TIMEOUT_CHARACTERS = 4;
/** One bit takes divisor times 16 cycles of 1.8432 MHz. */
const BIT_NS = 16 * 1e9 / 1_843_200;
/** 9600 baud, what a PC's firmware leaves. */
const DIVISOR_AT_RESET = 12;

/** What the chip is made from and wired to. */
export interface Uart16550Options {
  /** What it is called, where states are kept: `"com1"` and so on. */
  readonly name: string;
  /** The first of its ports. */
  readonly port: number;
  /** The time. */
  readonly clock: Clock;
  /** Takes a byte that the guest sent, 0..255. */
  readonly transmit: (byte: number) => void;
  /** Gives the next byte for the guest, 0..255, or -1 while there is none. */
  readonly receive: () => number;
  /** The interrupt line; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
}

/** The chip. */
export class Uart16550 implements Device, BusDevice {
  /** As it was told. */
  readonly name: string;
  /** An 8-bit chip. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #options: Uart16550Options;
  /** Received bytes; without FIFOs at most one. */
  #received: number[] = [];
  /** The last byte that was read, which an empty receiver gives again. */
  #last = 0;
  #fifos = false;
  #trigger = TRIGGERS[0];
  #timedOut = false;
  #overrun = false;
  #ier = 0;
  #lcr = 0;
  #mcr = 0;
  #msr = 0;
  #scr = 0;
  #divisor = DIVISOR_AT_RESET;
  #transmitterInterrupt = false;
  #level = false;
  #cancelTimeout: CancelTimer | undefined;

  /**
   * Makes a chip in its reset state.
   * @param options What it is made from and wired to.
   */
  constructor(options: Uart16550Options) {
    this.name = options.name;
    this.#options = options;
    this.reset();
  }

  /** The reset pin. */
  reset(): void {
    this.#received.length = 0;
    this.#last =
      this.#ier =
      this.#lcr =
      this.#mcr =
      this.#scr =
        0;
    this.#fifos = this.#overrun = this.#transmitterInterrupt = false;
    this.#trigger = TRIGGERS[0];
    this.#divisor = DIVISOR_AT_RESET;
    this.#msr = MSR_CTS | MSR_DSR | MSR_DCD; // a peer that is always there
    this.#restartTimeout();
    this.#update();
  }

  /**
   * Takes the chip's ports.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: this.name.toUpperCase(), base: this.#options.port, length: UART16550_LENGTH }, this);
  }

  /** Whether the guest has asked for interrupts by received bytes. */
  get listens(): boolean {
    return (this.#ier & IER_RECEIVED) !== 0 && (this.#mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
  }

  /** Takes received bytes while there is room for them; call it when the host has input. */
  poll(): void {
    if (this.#mcr & MCR_LOOP) return;
    const before = this.#received.length;
    const room = this.#fifos ? FIFO_BYTES : 1;
    while (this.#received.length < room) {
      const byte = this.#options.receive();
      if (byte < 0) break;
      this.#received.push(byte);
    }
    if (this.#received.length === before) return;
    this.#restartTimeout();
    this.#update();
  }

  /**
   * Reads a register.
   * @param offset 0..7.
   * @returns Its value, 0..255.
   */
  read(offset: number): number {
    switch (offset) {
      case RBR_THR_DLL:
        return this.#lcr & LCR_DLAB ? this.#divisor & 0xff : this.#readReceiver();
      case IER_DLM:
        return this.#lcr & LCR_DLAB ? this.#divisor >> 8 : this.#ier;
      case IIR_FCR: {
        this.poll();
        const source = this.#source();
        if (source === IIR_TRANSMITTER_EMPTY) this.#transmitterInterrupt = false;
        this.#update();
        return source | (this.#fifos ? IIR_FIFOS : 0);
      }
      case LCR:
        return this.#lcr;
      case MCR:
        return this.#mcr;
      case LSR: {
        this.poll();
        const status = LSR_THR_EMPTY | LSR_TRANSMITTER_EMPTY | (this.#received.length > 0 ? LSR_DATA_READY : 0) |
          (this.#overrun ? LSR_OVERRUN : 0);
        this.#overrun = false;
        this.#update();
        return status;
      }
      case MSR: {
        const status = this.#msr;
        this.#msr &= ~MSR_DELTAS;
        this.#update();
        return status;
      }
      default:
        return this.#scr;
    }
  }

  /**
   * Writes a register; writes to the read-only ones are lost.
   * @param offset 0..7.
   * @param value 0..255.
   */
  write(offset: number, value: number): void {
    switch (offset) {
      case RBR_THR_DLL:
        if (this.#lcr & LCR_DLAB) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#send(value);
        break;
      case IER_DLM:
        if (this.#lcr & LCR_DLAB) {
          this.#divisor = (this.#divisor & 0xff) | (value << 8);
          break;
        }
        if (~this.#ier & value & IER_TRANSMITTER_EMPTY) this.#transmitterInterrupt = true;
        this.#ier = value & 0x0f;
        break;
      case IIR_FCR:
        this.#controlFifos(value);
        break;
      case LCR:
        this.#lcr = value;
        break;
      case MCR:
        this.#mcr = value & MCR_WRITABLE;
        this.#setModemInputs();
        break;
      case SCR:
        this.#scr = value;
        break;
    }
    this.#update();
  }

  /** All that the chip remembers, to be kept. */
  save(): SavedState {
    return {
      version: 1,
      received: savedBytes(Uint8Array.from(this.#received)),
      receivedLength: this.#received.length,
      last: this.#last,
      fifos: this.#fifos,
      trigger: TRIGGERS.indexOf(this.#trigger),
      timedOut: this.#timedOut,
      overrun: this.#overrun,
      ier: this.#ier,
      lcr: this.#lcr,
      mcr: this.#mcr,
      msr: this.#msr,
      scr: this.#scr,
      divisor: this.#divisor,
      transmitterInterrupt: this.#transmitterInterrupt,
    };
  }

  /**
   * Goes back to a kept state; a FIFO that waits for its time-out begins to wait anew.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    const byte = { max: 0xff };
    reader.version(1);
    const length = reader.integer("receivedLength", { max: FIFO_BYTES });
    const received = reader.bytes("received", length);
    const last = reader.integer("last", byte);
    const fifos = reader.boolean("fifos");
    const trigger = reader.integer("trigger", { max: TRIGGERS.length - 1 });
    const timedOut = reader.boolean("timedOut");
    const overrun = reader.boolean("overrun");
    const ier = reader.integer("ier", { max: 0x0f });
    const lcr = reader.integer("lcr", byte);
    const mcr = reader.integer("mcr", { max: MCR_WRITABLE });
    const msr = reader.integer("msr", byte);
    const scr = reader.integer("scr", byte);
    const divisor = reader.integer("divisor", { max: 0xffff });
    const transmitterInterrupt = reader.boolean("transmitterInterrupt");
    this.#received = [...received];
    this.#last = last;
    this.#fifos = fifos;
    this.#trigger = TRIGGERS[trigger];
    this.#overrun = overrun;
    this.#ier = ier;
    this.#lcr = lcr;
    this.#mcr = mcr;
    this.#msr = msr;
    this.#scr = scr;
    this.#divisor = divisor;
    this.#transmitterInterrupt = transmitterInterrupt;
    this.#restartTimeout();
    this.#timedOut = timedOut;
    this.#update();
  }

  #readReceiver(): number {
    this.poll();
    const byte = this.#received.shift();
    if (byte !== undefined) this.#last = byte;
    this.#restartTimeout();
    this.#update(); // between two bytes the line may fall
    this.poll();
    return this.#last;
  }

  #controlFifos(value: number): void {
    const on = (value & FCR_ENABLE) !== 0;
    if (on !== this.#fifos || (on && value & FCR_CLEAR_RECEIVER)) {
      this.#received.length = 0;
      this.#restartTimeout();
    }
    this.#fifos = on;
    this.#trigger = on ? TRIGGERS[value >> FCR_TRIGGER_SHIFT] : TRIGGERS[0];
  }

  #send(byte: number): void {
    // THR is full for a moment, in which the line falls if nothing else holds it.
    this.#transmitterInterrupt = false;
    this.#update();
    if (this.#mcr & MCR_LOOP) this.#loopBack(byte);
    else this.#options.transmit(byte);
    this.#transmitterInterrupt = true;
  }

  /** A full FIFO keeps what it has; a full receiver buffer takes the new byte. */
  #loopBack(byte: number): void {
    if (this.#received.length >= (this.#fifos ? FIFO_BYTES : 1)) {
      this.#overrun = true;
      if (!this.#fifos) this.#received[0] = byte;
    } else {
      this.#received.push(byte);
    }
    this.#restartTimeout();
  }

  /** A byte has come or gone: the time-out is over and begins anew. */
  #restartTimeout(): void {
    this.#timedOut = false;
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    if (!this.#fifos || this.#received.length === 0) return;
    const { clock } = this.#options;
    this.#cancelTimeout = clock.schedule(clock.now() + this.#timeout(), () => {
      this.#cancelTimeout = undefined;
      this.#timedOut = true;
      this.#update();
    });
  }

  /** Four characters in nanoseconds. */
  #timeout(): number {
    const bits = 1 + 5 + (this.#lcr & LCR_WORD_LENGTH) + (this.#lcr & LCR_PARITY ? 1 : 0) +
      (this.#lcr & LCR_STOP_BITS ? 2 : 1);
    return Math.round(TIMEOUT_CHARACTERS * bits * (this.#divisor || 0x10000) * BIT_NS);
  }

  /** In loop mode the four modem outputs drive the four modem inputs. */
  #setModemInputs(): void {
    const mcr = this.#mcr;
    let lines = MSR_CTS | MSR_DSR | MSR_DCD;
    if (mcr & MCR_LOOP) {
      lines = (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_OUT1 ? MSR_RI : 0) |
        (mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    const changed = lines ^ this.#msr;
    let deltas = this.#msr & MSR_DELTAS;
    if (changed & MSR_CTS) deltas |= MSR_DELTA_CTS;
    if (changed & MSR_DSR) deltas |= MSR_DELTA_DSR;
    if (changed & MSR_DCD) deltas |= MSR_DELTA_DCD;
    if (changed & MSR_RI & ~lines) deltas |= MSR_TRAILING_RI;
    this.#msr = lines | deltas;
  }

  /** The pending interrupt of the highest priority, as IIR shows it. */
  #source(): number {
    if (this.#ier & IER_LINE_STATUS && this.#overrun) return IIR_LINE_STATUS;
    if (this.#ier & IER_RECEIVED) {
      if (this.#received.length >= this.#trigger) return IIR_RECEIVED;
      if (this.#timedOut) return IIR_TIMEOUT;
    }
    if (this.#ier & IER_TRANSMITTER_EMPTY && this.#transmitterInterrupt) return IIR_TRANSMITTER_EMPTY;
    if (this.#ier & IER_MODEM_STATUS && this.#msr & MSR_DELTAS) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  /** A PC gates the interrupt line with OUT2; in loop mode the pin is off. */
  #update(): void {
    const level = this.#source() !== IIR_NONE && (this.#mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    if (level === this.#level) return;
    this.#level = level;
    this.#options.interrupt(level);
  }
}
