/**
 * The bus between the local APICs of the processors, the I/O APICs, and what sends message-signalled interrupts.
 * @module
 */

/** How an interrupt is delivered; the numbers are those of all registers that have such a field. */
export const DELIVERY: {
  readonly FIXED: 0;
  readonly LOWEST_PRIORITY: 1;
  readonly SMI: 2;
  readonly NMI: 4;
  readonly INIT: 5;
  readonly STARTUP: 6;
  readonly EXTINT: 7;
} = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 };

/** A message. */
export interface ApicMessage {
  /** The destination, 8 bits: an APIC's ID (255: all), or what logical destinations are compared with. */
  readonly destination: number;
  /** Whether the destination is a logical one. */
  readonly logical: boolean;
  /** One of {@linkcode DELIVERY}. */
  readonly mode: number;
  /** The vector, 0..255. */
  readonly vector: number;
  /** Whether the trigger is a level. */
  readonly level: boolean;
}

/** What the bus sees of a local APIC. */
export interface ApicReceiver {
  /** Its ID, 8 bits. */
  readonly id: number;
  /** What a logical destination is compared with. */
  matches(destination: number): boolean;
  /** The priority of what its processor does, for lowest-priority delivery. */
  readonly priority: number;
  /** Whether it takes fixed interrupts. */
  readonly enabled: boolean;
  /** Takes a message. */
  accept(message: ApicMessage): void;
}

/** Who is told that a processor is done with a level-triggered interrupt. */
export type EoiListener = (vector: number) => void;

/** Destination of physical messages to all. */
const BROADCAST = 0xff;

const MSI_DESTINATION_SHIFT = 12;
const MSI_LOGICAL = 0x04;
const MSI_MODE_SHIFT = 8;
const MSI_LEVEL = 0x8000;

/** The bus. */
export class ApicBus {
  readonly #receivers: ApicReceiver[] = [];
  readonly #listeners: EoiListener[] = [];

  /** The local APICs in the order in which they were connected. */
  get receivers(): readonly ApicReceiver[] {
    return this.#receivers;
  }

  /**
   * Connects a local APIC.
   * @param receiver The APIC.
   */
  connect(receiver: ApicReceiver): void {
    this.#receivers.push(receiver);
  }

  /**
   * Connects an I/O APIC.
   * @param listener Called with the vector of each level-triggered interrupt that a processor is done with.
   */
  onEoi(listener: EoiListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Sends a message to those it is for.
   * @param message The message.
   * @returns Whether there is anybody.
   */
  send(message: ApicMessage): boolean {
    const { destination, logical, mode } = message;
    const targets = this.#receivers.filter((each) =>
      logical ? each.matches(destination) : destination === BROADCAST || each.id === destination
    );
    if (mode !== DELIVERY.LOWEST_PRIORITY) {
      for (const target of targets) target.accept(message);
      return targets.length > 0;
    }
    const able = targets.filter(({ enabled }) => enabled);
    if (able.length === 0) return false;
    able.reduce((best, each) => each.priority < best.priority ? each : best).accept(message);
    return true;
  }

  /**
   * Sends a message to chosen ones, as the shorthands of ICR do.
   * @param message The message; its destination is not looked at.
   * @param wanted Which ones.
   */
  sendTo(message: ApicMessage, wanted: (receiver: ApicReceiver) => boolean): void {
    for (const receiver of this.#receivers) if (wanted(receiver)) receiver.accept(message);
  }

  /**
   * Sends a message-signalled interrupt: what a device writes to 0xfeexxxxx.
   * @param address Where it writes, the low 32 bits.
   * @param data What it writes, the low 16 bits.
   * @returns Whether there is anybody.
   */
  sendMsi(address: number, data: number): boolean {
    return this.send({
      destination: address >>> MSI_DESTINATION_SHIFT & 0xff,
      logical: (address & MSI_LOGICAL) !== 0,
      mode: data >> MSI_MODE_SHIFT & 7,
      vector: data & 0xff,
      level: (data & MSI_LEVEL) !== 0,
    });
  }

  /**
   * A processor is done with a level-triggered interrupt.
   * @param vector Its vector.
   */
  eoi(vector: number): void {
    for (const listener of this.#listeners) listener(vector);
  }
}
