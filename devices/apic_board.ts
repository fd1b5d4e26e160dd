/**
 * What a PC with ACPI has beyond an AT: local APICs and an I/O APIC beside the 8259 pair, an HPET, and power management. This is
 * how they are wired.
 *
 * | IRQ | 8259 | I/O APIC |
 * | --- | --- | --- |
 * | 0 | 0 | 2 |
 * | 1, 3 to 15 | the same | the same |
 * | PCI's A to D | what PIRQRC says | the same number |
 *
 * The HPET's legacy replacement cuts the 8254 off IRQ 0 and the clock off IRQ 8.
 * @module
 */

import { PowerManagement } from "./acpi/power_management.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./device.ts";
import { Hpet } from "./hpet.ts";
import type { I8259Pair } from "./i8259_pair.ts";
import { IO_APIC_PINS, IoApic } from "./io_apic.ts";
import { LineGate } from "./line_gate.ts";
import { LocalApic, LocalApicPage } from "./local_apic.ts";
import { ApicBus } from "./local_apic_bus.ts";

const TIMER_IRQ = 0;
const TIMER_PIN = 2;
const CLOCK_IRQ = 8;
const SCI_IRQ = 9;
const IO_APIC_ID = 0;

/** How a processor is told to start and to stop. */
export interface ProcessorWires {
  /** The processor's INTR; called when its level changes. Whoever wants to look at it has `ApicBoard.apics`. */
  readonly interrupt?: (level: boolean) => void;
  /** The processor's NMI. */
  readonly nmi?: () => void;
  /** INIT: the processor resets itself and waits for `startup`. */
  readonly init?: () => void;
  /** The processor, if it waits, begins in real mode at `vector << 12`. */
  readonly startup?: (vector: number) => void;
}

/** What the chips are made from and wired to. */
export interface ApicBoardOptions {
  /** The time. */
  readonly clock: Clock;
  /**
   * The 8259 pair. Its INTR pin is to be wired to {@linkcode ApicBoard.external}.
   */
  readonly pic: I8259Pair;
  /** The guest turns the machine off. */
  readonly powerOff: () => void;
  /** The processors, of which the first one starts the machine; one that nobody starts or stops unless told. */
  readonly processors?: readonly ProcessorWires[];
}

/** The chips. */
export class ApicBoard {
  /** Between the APICs; message-signalled interrupts go in here. */
  readonly bus: ApicBus = new ApicBus();
  /** The processors' APICs: each is its processor's interrupt controller. */
  readonly apics: readonly LocalApic[];
  /** The I/O APIC. */
  readonly ioApic: IoApic;
  /** The high-precision timer. */
  readonly hpet: Hpet;
  /** Power management. */
  readonly power: PowerManagement;
  /** Which processor's access to memory-mapped registers is served. */
  current = 0;
  readonly #pic: I8259Pair;
  readonly #timerGate: LineGate;
  readonly #clockGate: LineGate;

  /**
   * Puts the chips together.
   * @param options What they are made from and wired to.
   */
  constructor(options: ApicBoardOptions) {
    const { clock, pic, powerOff, processors = [{}] } = options;
    this.#pic = pic;
    this.apics = processors.map((wires, id) =>
      new LocalApic({ id, bootstrap: id === 0, clock, bus: this.bus, interrupt: () => {}, external: pic, ...wires })
    );
    this.ioApic = new IoApic({ id: IO_APIC_ID, bus: this.bus });
    this.#timerGate = new LineGate(this.irq(TIMER_IRQ));
    this.#clockGate = new LineGate(this.irq(CLOCK_IRQ));
    const legacy = { [TIMER_IRQ]: this.irq(TIMER_IRQ), [CLOCK_IRQ]: this.irq(CLOCK_IRQ) };
    const pins = Array.from({ length: IO_APIC_PINS }, (_, pin) => this.ioApic.line(pin));
    this.hpet = new Hpet({
      clock,
      pin: (pin, level) => pins[pin](level),
      legacy: (irq, level) => legacy[irq](level),
      replaces: (on) => this.#timerGate.open = this.#clockGate.open = !on,
    });
    this.power = new PowerManagement({ clock, interrupt: this.irq(SCI_IRQ), powerOff });
  }

  /** All chips, to be plugged in, in this order; the local APICs last: they are restored after what drives them. */
  get devices(): readonly Device[] {
    const page = new LocalApicPage(() => this.apics[this.current]);
    const [first, ...others] = this.apics;
    const withPage = plugged(first, (_, mmio) => page.attach(mmio));
    return [this.hpet, this.power, this.ioApic, withPage, ...others.map((each) => plugged(each, () => {}))];
  }

  /** What the 8259 pair's INTR pin drives: LINT0 of all processors. */
  readonly external = (level: boolean): void => {
    for (const apic of this.apics) apic.setLint(0, level);
  };

  /** OUT of the 8254's counter 0 drives this. */
  readonly timer = (level: boolean): void => this.#timerGate.drive(level);

  /** The clock's interrupt drives this. */
  readonly realTimeClock = (level: boolean): void => this.#clockGate.drive(level);

  /**
   * Solders one more wire to an IRQ line. The line is high while any of its wires is.
   * @param irq 0..15, but not 2.
   * @returns Drives the wire, which is low at first.
   * @throws RangeError There is no such line.
   */
  irq(irq: number): (level: boolean) => void {
    const pic = this.#pic.line(irq), ioApic = this.ioApic.line(irq === TIMER_IRQ ? TIMER_PIN : irq);
    return (level) => {
      pic(level);
      ioApic(level);
    };
  }
}

/** A device that takes its addresses in another way. */
function plugged(device: Device, attach: Device["attach"]): Device {
  return {
    name: device.name,
    attach,
    reset: () => device.reset(),
    save: () => device.save(),
    restore: (state) => device.restore(state),
  };
}
