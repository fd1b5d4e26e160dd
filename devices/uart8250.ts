/**
 * The National Semiconductor 8250 UART (with the 16450's scratch register): the chip of a PC's serial ports. A pure object: the
 * interrupt line and both ends of the wire are handed in.
 *
 * Characters take no time: a byte written to THR is on the wire at once, so LSR always says that the transmitter is empty.
 * The divisor and the line format are kept but mean nothing. There is no FIFO (IIR bits 7 and 6 read 0).
 * @module
 */

import type { BusDevice } from "./bus.ts";

/** How many addresses the chip takes. */
export const UART8250_LENGTH = 8;

/** Receiver buffer (read), transmitter holding (write); divisor's low byte while LCR.DLAB is set. */
const RBR_THR_DLL = 0;
/** Interrupt enable; divisor's high byte while LCR.DLAB is set. */
const IER_DLM = 1;
/** Interrupt identification (read only). */
const IIR = 2;
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

const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;

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

/** What the chip is wired to. */
export interface Uart8250Wires {
  /** Takes a byte that the guest sent, 0..255. */
  readonly transmit: (byte: number) => void;
  /** Gives the next byte for the guest, 0..255, or -1 while there is none. */
  readonly receive: () => number;
  /** The interrupt line; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
}

/** All that the chip remembers. */
export interface Uart8250State {
  /** Version of this form. */
  readonly version: 1;
  /** Receiver buffer. */
  readonly rbr: number;
  /** Interrupt enable. */
  readonly ier: number;
  /** Line control. */
  readonly lcr: number;
  /** Modem control. */
  readonly mcr: number;
  /** Line status: the bits about the receiver. */
  readonly lsr: number;
  /** Modem status. */
  readonly msr: number;
  /** Scratch. */
  readonly scr: number;
  /** Divisor latch, 16 bits. */
  readonly divisor: number;
  /** Whether the transmitter-empty interrupt waits to be seen. */
  readonly transmitterInterrupt: boolean;
}

/** The chip. */
export class Uart8250 implements BusDevice {
  /** An 8-bit chip. */
  readonly width = 1;
  readonly #wires: Uart8250Wires;
  #rbr = 0;
  #ier = 0;
  #lcr = 0;
  #mcr = 0;
  #lsr = 0;
  #msr = 0;
  #scr = 0;
  #divisor = 0;
  #transmitterInterrupt = false;
  #level = false;

  /**
   * Makes a chip in its reset state.
   * @param wires What it is wired to.
   */
  constructor(wires: Uart8250Wires) {
    this.#wires = wires;
    this.reset();
  }

  /** The reset pin. */
  reset(): void {
    this.#rbr =
      this.#ier =
      this.#lcr =
      this.#mcr =
      this.#lsr =
      this.#scr =
        0;
    this.#divisor = 12; // 9600 baud, what a PC's firmware leaves
    this.#msr = MSR_CTS | MSR_DSR | MSR_DCD; // a peer that is always there
    this.#transmitterInterrupt = false;
    this.#update();
  }

  /** Takes the next received byte if there is room for it; call it when the host has input. */
  poll(): void {
    if (this.#mcr & MCR_LOOP || this.#lsr & LSR_DATA_READY) return;
    const byte = this.#wires.receive();
    if (byte < 0) return;
    this.#rbr = byte;
    this.#lsr |= LSR_DATA_READY;
    this.#update();
  }

  /**
   * Reads a register.
   * @param offset 0..7.
   * @returns Its value, 0..255.
   */
  read(offset: number): number {
    switch (offset) {
      case RBR_THR_DLL: {
        if (this.#lcr & LCR_DLAB) return this.#divisor & 0xff;
        this.poll();
        const byte = this.#rbr;
        this.#lsr &= ~LSR_DATA_READY;
        this.poll();
        this.#update();
        return byte;
      }
      case IER_DLM:
        return this.#lcr & LCR_DLAB ? this.#divisor >> 8 : this.#ier;
      case IIR: {
        this.poll();
        const source = this.#source();
        if (source === IIR_TRANSMITTER_EMPTY) this.#transmitterInterrupt = false;
        this.#update();
        return source;
      }
      case LCR:
        return this.#lcr;
      case MCR:
        return this.#mcr;
      case LSR: {
        this.poll();
        const status = this.#lsr | LSR_THR_EMPTY | LSR_TRANSMITTER_EMPTY;
        this.#lsr &= ~LSR_OVERRUN;
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
      case LCR:
        this.#lcr = value;
        break;
      case MCR:
        this.#mcr = value & 0x1f;
        this.#setModemInputs();
        break;
      case SCR:
        this.#scr = value;
        break;
    }
    this.#update();
  }

  /** All that the chip remembers, to be kept. */
  state(): Uart8250State {
    return {
      version: 1,
      rbr: this.#rbr,
      ier: this.#ier,
      lcr: this.#lcr,
      mcr: this.#mcr,
      lsr: this.#lsr,
      msr: this.#msr,
      scr: this.#scr,
      divisor: this.#divisor,
      transmitterInterrupt: this.#transmitterInterrupt,
    };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode state} gave.
   */
  fromState(state: Uart8250State): void {
    this.#rbr = state.rbr;
    this.#ier = state.ier;
    this.#lcr = state.lcr;
    this.#mcr = state.mcr;
    this.#lsr = state.lsr;
    this.#msr = state.msr;
    this.#scr = state.scr;
    this.#divisor = state.divisor;
    this.#transmitterInterrupt = state.transmitterInterrupt;
    this.#update();
  }

  #send(byte: number): void {
    if (this.#mcr & MCR_LOOP) {
      if (this.#lsr & LSR_DATA_READY) this.#lsr |= LSR_OVERRUN;
      this.#rbr = byte;
      this.#lsr |= LSR_DATA_READY;
    } else {
      this.#wires.transmit(byte);
    }
    this.#transmitterInterrupt = true;
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
    if (this.#ier & IER_LINE_STATUS && this.#lsr & LSR_OVERRUN) return IIR_LINE_STATUS;
    if (this.#ier & IER_RECEIVED && this.#lsr & LSR_DATA_READY) return IIR_RECEIVED;
    if (this.#ier & IER_TRANSMITTER_EMPTY && this.#transmitterInterrupt) return IIR_TRANSMITTER_EMPTY;
    if (this.#ier & IER_MODEM_STATUS && this.#msr & MSR_DELTAS) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  /** A PC gates the interrupt line with OUT2; in loop mode the pin is off. */
  #update(): void {
    const level = this.#source() !== IIR_NONE && (this.#mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    if (level === this.#level) return;
    this.#level = level;
    this.#wires.interrupt(level);
  }
}
