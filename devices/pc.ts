/**
 * The board: which device is where. This is the whole map.
 *
 * | ports | device | interrupt |
 * | --- | --- | --- |
 * | 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 | two 8259A with edge/level control | LINT0 |
 * | 0x40 to 0x43, 0x61 | 8254, and the port around it | IRQ 0 |
 * | 0x70, 0x71 | MC146818 with 128 bytes of memory | IRQ 8 |
 * | 0x60, 0x64 | 8042 with keyboard and mouse | IRQ 1, 12 |
 * | 0x92 | A20 gate and reset | |
 * | 0xe9 | debug console | |
 * | 0x2e8, 0x2f8, 0x3e8, 0x3f8 to 7 behind | COM4, COM2, COM3, COM1: 16550A | IRQ 3, 3, 4, 4 |
 * | 0x1ce to 0x1d0, 0x3b0 to 0x3df | VGA, where it is asked for | |
 * | 0x501 to 0x504, or as told | debug-exit, only where it is asked for | |
 * | 0x510 to 0x51b | fw_cfg, where it is asked for | |
 * | 0x600 to 0x60f | power management; power-off is 0x2000 to 0x604 | IRQ 9 |
 * | 0xcf9 | reset control | |
 * | 0x4ff0 to 0x4ff3 | services of the built-in firmware, where it is asked for | |
 * | 0xcf8 to 0xcff | PCI (`pci/pci_board.ts` has the map), where it is asked for | IRQ 10, 11 as firmware says |
 *
 * | addresses | device | interrupt |
 * | --- | --- | --- |
 * | 0xa0000 to 0xbffff | VGA | |
 * | 0xe0000000, or as PCI says | its linear frame buffer, 16 MiB | |
 * | 0xfec00000 | I/O APIC: IRQ 0 at pin 2, the others at the pins of their numbers | by message |
 * | 0xfed00000 | HPET | IRQ 0 and 8 in place of 8254 and clock, or a pin |
 * | 0xfee00000 | local APIC, each processor's its own; the 8259s reach the first processor through its LINT0 | INTR |
 *
 * The board knows no processor: it has an INTR pin ({@linkcode Pc.interrupts}), and says what the processor has to do by
 * {@linkcode Pc.exitCode}, {@linkcode Pc.resetRequested} and {@linkcode Pc.a20}.
 * @module
 */

import { ApicBoard, type ProcessorWires } from "./apic_board.ts";
import { Bus } from "./bus.ts";
import { type Clock, VirtualClock } from "./clock.ts";
import { type CmosContents, writeCmosContents } from "./cmos_contents.ts";
import { DEBUG_CONSOLE_PORT, DebugConsole } from "./debug_console.ts";
import { DEBUG_EXIT_LENGTH, DebugExit } from "./debug_exit.ts";
import { type Device, type SavedState, SavedStateError } from "./device.ts";
import type { Disk } from "./disk/disk.ts";
import type { Firmware, FirmwareOptions } from "./firmware/firmware.ts";
import { FwCfg, type FwCfgOptions } from "./fw_cfg.ts";
import type { GuestMemory } from "./guest_memory.ts";
import type { HostEnd } from "./host_end.ts";
import { I8042 } from "./i8042.ts";
import { AtaDrive } from "./ide/ata_drive.ts";
import { AtapiDrive } from "./ide/atapi_drive.ts";
import { BusMaster } from "./ide/bus_master.ts";
import { IDE_PRIMARY, IDE_SECONDARY, IdeChannel } from "./ide/ide_channel.ts";
import { I8254 } from "./i8254.ts";
import { I8259Pair } from "./i8259_pair.ts";
import type { Interrupter } from "./interrupter.ts";
import { Mc146818 } from "./mc146818.ts";
import { NE2000_ISA_IRQ, Ne2000Isa } from "./net/ne2000_isa.ts";
import { Ne2000Pci } from "./net/ne2000_pci.ts";
import { type Network, NETWORK_MAC, type NetworkCardOptions } from "./net/network_card.ts";
import { NullEnd } from "./null_end.ts";
import { byteMemory } from "./pci/byte_memory.ts";
import { buildPci } from "./pci/pci_board.ts";
import type { PciBus } from "./pci/pci_bus.ts";
import { Port61 } from "./port61.ts";
import { Port92 } from "./port92.ts";
import { ResetControl, type ResetKind } from "./reset_control.ts";
import { Uart16550 } from "./uart16550.ts";
import { Virtio9p, type Virtio9pOptions } from "./virtio/virtio_9p.ts";
import { VirtioBlock } from "./virtio/virtio_block.ts";
import { VirtioConsole } from "./virtio/virtio_console.ts";
import { VirtioEntropy, type VirtioEntropyOptions } from "./virtio/virtio_entropy.ts";
import { VirtioNet } from "./virtio/virtio_net.ts";
import { VirtioPci } from "./virtio/virtio_pci.ts";
import { Vga, VGA_LINEAR_BASE, VGA_LINEAR_SIZE } from "./video/vga.ts";

/** The first port of COM1. */
export const COM1_PORT = 0x3f8;

/** Ports and interrupt lines of COM1 to COM4. */
const COMS = [
  { port: COM1_PORT, irq: 4 },
  { port: 0x2f8, irq: 3 },
  { port: 0x3e8, irq: 4 },
  { port: 0x2e8, irq: 3 },
] as const;

const KEYBOARD_IRQ = 1;
const MOUSE_IRQ = 12;

/** The date of a machine that is told none, so that all of its runs are the same. */
const FIRST_DATE = Date.UTC(2025, 0, 1);

const NO_MEMORY: GuestMemory = { read: (_, into) => into.fill(0xff), write: () => {} };

/** A drive on IDE. */
export interface IdeUnit {
  /** A hard disk, or a drive for CDs. */
  readonly kind: "disk" | "cdrom";
  /** What is in it; a drive for CDs may be empty. */
  readonly disk: Disk | undefined;
}

/** What the APICs of a board with several processors tell them, besides interrupts. */
export interface ProcessorSignals {
  /** A processor's INTR has become high. */
  interrupt(processor: number): void;
  /** A processor is to take an NMI. */
  nmi(processor: number): void;
  /** INIT: a processor resets itself and, unless it is the first, waits for {@linkcode startup}. */
  init(processor: number): void;
  /** A processor, if it waits, begins in real mode at `vector << 12`. */
  startup(processor: number, vector: number): void;
}

/** What a {@linkcode Pc} is made from. */
export interface PcOptions {
  /** The host's ends of COM1 to COM4; those that are left out lead nowhere. */
  readonly serial: HostEnd | readonly (HostEnd | undefined)[];
  /** The time; none: a clock that stands still. */
  readonly clock?: Clock;
  /** The guest's memory, for devices that reach it by themselves; none: there is none. */
  readonly memory?: GuestMemory;
  /** How many processors there are, 1..254, with as many local APICs; 1 unless told. Their signals: {@linkcode Pc.signals}. */
  readonly processors?: number;
  /** The date and time at the beginning: its UTC fields are what the guest sees. The first of January 2025 unless told. */
  readonly time?: Date;
  /** What the CMOS memory says; none: it is clear. */
  readonly cmos?: CmosContents;
  /** Whether there is a VGA; there is none unless told. */
  readonly video?: boolean;
  /** The video BIOS in the expansion ROM of a VGA on PCI; none: it has none. */
  readonly videoRom?: Uint8Array;
  /** Whether there is PCI; there is none unless told. Then the VGA is on it, and its frame buffer where firmware puts it. */
  readonly pci?: boolean;
  /** IDE drives: master and slave of the first channel, then of the second. There are no channels if this is left out. */
  readonly ide?: readonly (IdeUnit | undefined)[];
  /** Disks on virtio, where there is PCI: its devices 3 and up. None unless told. */
  readonly virtioDisks?: readonly Disk[];
  /** Folders of the host, shown to the guest by 9P on virtio, where there is PCI. None unless told. */
  readonly shares?: readonly Omit<Virtio9pOptions, "clock">[];
  /** The host's end of a console on virtio, where there is PCI; none: there is no such console. */
  readonly virtioConsole?: HostEnd;
  /** What the guest gets random bytes from on virtio, where there is PCI; none: there is no such device. */
  readonly entropy?: VirtioEntropyOptions["fill"];
  /** A network card; those on PCI want PCI. None unless told. */
  readonly network?: NetworkCardOptions;
  /** Makes the built-in firmware; none: there is no such firmware. Somebody has to install it at each start. */
  readonly firmware?: (wires: Pick<FirmwareOptions, "guest" | "a20">) => Firmware;
  /** What another firmware, such as SeaBIOS, is told by fw_cfg; none: there is no such device. */
  readonly fwCfg?: Omit<FwCfgOptions, "memory">;
  /** Takes what the guest writes to the debug console; it is lost unless told. */
  readonly debugConsole?: (byte: number) => void;
  /** First port of debug-exit, 0..0xfffc; none: there is no such device. */
  readonly debugExit?: number;
}

/** The states of all devices, by name. */
export interface PcState extends SavedState {
  /** Version of this form. */
  readonly version: 1;
  /** Whether the A20 gate is open. */
  readonly a20: boolean;
  /** What each device gave. */
  readonly devices: { readonly [name: string]: SavedState };
}

/** The board. */
export class Pc {
  /** The 65,536 I/O ports. */
  readonly ports: Bus = new Bus("port", 0x10000);
  /** The guest-physical addresses without memory. */
  readonly mmio: Bus = new Bus("address", 2 ** 52);
  /** The time. */
  readonly clock: Clock;
  /** The guest's memory, for devices. */
  readonly memory: GuestMemory;
  /** The interrupt controllers of an AT. */
  readonly pic: I8259Pair;
  /** Those that came later, with HPET and power management. */
  readonly apic: ApicBoard;
  /** The interval timer. */
  readonly pit: I8254;
  /** The clock with its memory. */
  readonly rtc: Mc146818;
  /** COM1 to COM4. */
  readonly coms: readonly Uart16550[];
  /** Keyboard and mouse. */
  readonly keyboard: I8042;
  /** The screen; none: there is no VGA. */
  readonly vga?: Vga;
  /** PCI; none: there is none. */
  readonly pci?: PciBus;
  /** The built-in firmware; none: there is another one, or none. */
  readonly firmware?: Firmware;
  /** Called when the A20 gate opens or closes. It is open at first. */
  onA20: (open: boolean) => void = () => {};
  /** Told what the APICs of several processors want of them; of one processor nothing is told. */
  signals: Partial<ProcessorSignals> = {};
  /** Whether somebody may use keyboard and mouse at any time, so that a guest that halts has something to wait for. */
  attended: boolean = false;
  readonly #serial: readonly HostEnd[];
  readonly #devices: Device[] = [];
  /** Interrupt controllers, which are restored after whatever drives them. */
  readonly #controllers: readonly Device[];
  readonly #network: Network | undefined;
  readonly #console: { readonly device: VirtioConsole; readonly end: HostEnd } | undefined;
  #a20 = true;
  #inputListener: () => void = () => {};
  #exitCode: number | undefined;
  #resetRequested: ResetKind | undefined;

  /**
   * Builds the board.
   * @param options What it is made from.
   * @throws BusConflictError Debug-exit has no room where it was asked for.
   */
  constructor(options: PcOptions) {
    const { serial, debugExit, time = new Date(FIRST_DATE), debugConsole = () => {} } = options;
    const clock = this.clock = options.clock ?? new VirtualClock();
    this.memory = options.memory ?? NO_MEMORY;
    const ends = Array.isArray(serial) ? serial as readonly (HostEnd | undefined)[] : [serial as HostEnd];
    this.#serial = COMS.map((_, n) => ends[n] ?? new NullEnd());
    const reset = (kind: ResetKind): void => this.requestReset(kind);

    this.pic = this.add(new I8259Pair({ interrupt: (level) => this.apic.external(level) }));
    const processors = this.#wires(options.processors ?? 1);
    const apic = this.apic = new ApicBoard({ clock, pic: this.pic, powerOff: () => this.end(0), processors });
    const chips = apic.devices;
    for (const chip of chips) this.add(chip);
    const drivers: readonly Device[] = [apic.hpet, apic.power];
    this.#controllers = [this.pic, ...chips.filter((chip) => !drivers.includes(chip))];
    this.pit = this.add(new I8254({ clock, interrupt: apic.timer }));
    this.add(new Port61(this.pit));
    this.rtc = this.add(new Mc146818({ clock, interrupt: apic.realTimeClock, time }));
    if (options.cmos !== undefined) writeCmosContents(this.rtc, { processors: options.processors, ...options.cmos });
    this.add(new Port92({ a20: (open) => this.setA20(open), reset: () => reset("processor") }));
    const resetControl = new ResetControl({ reset });
    this.keyboard = this.add(
      new I8042({
        clock,
        keyboardInterrupt: this.irq(KEYBOARD_IRQ),
        mouseInterrupt: this.irq(MOUSE_IRQ),
        a20: (open) => this.setA20(open),
        reset: () => reset("processor"),
      }),
    );
    const linear = options.video ? new Uint8Array(VGA_LINEAR_SIZE) : undefined;
    if (linear !== undefined) this.vga = this.add(new Vga({ linear, clock }));
    const master = options.ide && this.#plugIde(options.ide);
    if (options.pci) {
      this.#devices.push(resetControl);
      this.pci = this.add(buildPci({
        irq: (irq) => this.irq(irq),
        message: (address, data) => apic.bus.sendMsi(address, data),
        resetControl,
        power: apic.power,
        ide: master,
        vga: linear && { linear, registers: this.vga!.pciRegisters, rom: options.videoRom },
      }));
      for (const disk of options.virtioDisks ?? []) {
        this.pci.plug(new VirtioPci(new VirtioBlock({ disk, clock }), this.memory));
      }
      for (const share of options.shares ?? []) {
        this.pci.plug(new VirtioPci(new Virtio9p({ ...share, clock }), this.memory));
      }
      if (options.virtioConsole !== undefined) this.#console = this.#plugConsole(options.virtioConsole);
      if (options.entropy !== undefined) {
        this.pci.plug(new VirtioPci(new VirtioEntropy({ fill: options.entropy }), this.memory));
      }
    } else {
      this.add(resetControl);
      if (linear !== undefined) {
        const frameBuffer = { name: "frame buffer", base: VGA_LINEAR_BASE, length: VGA_LINEAR_SIZE };
        this.mmio.attach(frameBuffer, byteMemory(linear));
      }
    }
    this.#network = options.network && this.#plugNetwork(options.network);
    this.coms = COMS.map(({ port, irq }, n) =>
      this.add(
        new Uart16550({
          name: `com${n + 1}`,
          port,
          clock,
          transmit: (byte) => this.#serial[n].send(byte),
          receive: () => this.#serial[n].receive(),
          interrupt: this.irq(irq),
        }),
      )
    );
    if (options.firmware !== undefined) {
      this.firmware = this.add(options.firmware({ guest: this.memory, a20: () => this.a20 }));
    }
    if (options.fwCfg !== undefined) {
      this.add(new FwCfg({ processors: options.processors, ...options.fwCfg, memory: this.memory }));
    }
    this.ports.attach(
      { name: "debug console", base: DEBUG_CONSOLE_PORT, length: 1 },
      new DebugConsole(debugConsole),
    );
    if (debugExit !== undefined) {
      this.ports.attach(
        { name: "debug-exit", base: debugExit, length: DEBUG_EXIT_LENGTH },
        new DebugExit((code) => this.end(code)),
      );
    }
  }

  /** The wires of several processors; the only one has none but INTR. */
  #wires(count: number): ProcessorWires[] {
    if (count === 1) return [{}];
    return Array.from({ length: count }, (_, n) => ({
      interrupt: (level) => {
        if (level) this.signals.interrupt?.(n);
      },
      nmi: () => this.signals.nmi?.(n),
      init: () => this.signals.init?.(n),
      startup: (vector) => this.signals.startup?.(n, vector),
    }));
  }

  /** Two channels of IDE; gives their bus master. */
  #plugIde(units: readonly (IdeUnit | undefined)[]): BusMaster {
    const master = this.add(new BusMaster(this.memory));
    const drive = (n: number) => {
      const unit = units[n];
      if (unit === undefined) return undefined;
      const serial = `KVM12-${n + 1}`;
      if (unit.kind === "cdrom") return new AtapiDrive(unit.disk, { serial });
      return unit.disk && new AtaDrive(unit.disk, { serial });
    };
    [IDE_PRIMARY, IDE_SECONDARY].forEach((place, n) => {
      const drives = [drive(n * 2), drive(n * 2 + 1)] as const;
      const dma = master.channel(n === 0 ? 0 : 1);
      this.add(new IdeChannel({ ...place, drives: [...drives], interrupt: this.irq(14 + n), dma }));
    });
    return master;
  }

  /** A console on virtio. */
  #plugConsole(end: HostEnd): { readonly device: VirtioConsole; readonly end: HostEnd } {
    const device = new VirtioConsole(end);
    this.pci?.plug(new VirtioPci(device, this.memory));
    return { device, end };
  }

  /** A network card with its network. */
  #plugNetwork({ card, mac = NETWORK_MAC, network: open }: NetworkCardOptions): Network {
    const network = open({ clock: this.clock, delivered: () => this.wake() });
    const { port } = network;
    if (card === "ne2k_isa") this.add(new Ne2000Isa({ port, mac, interrupt: this.irq(NE2000_ISA_IRQ) }));
    else if (card === "ne2k_pci") this.pci?.plug(new Ne2000Pci({ port, mac }));
    else this.pci?.plug(new VirtioPci(new VirtioNet({ port, mac }), this.memory));
    return network;
  }

  /**
   * Plugs a device in: it takes its addresses, and is reset, saved and restored with the board.
   * @param device The device.
   * @returns The same.
   * @throws BusConflictError Its addresses are taken.
   */
  add<T extends Device>(device: T): T {
    device.attach(this.ports, this.mmio);
    this.#devices.push(device);
    return device;
  }

  /** The devices in the order in which they were plugged in. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /**
   * Solders one more wire to an IRQ line. The line is high while any of its wires is.
   * @param irq 0..15, but not 2.
   * @returns Drives the wire, which is low at first.
   * @throws RangeError There is no such line.
   */
  irq(irq: number): (level: boolean) => void {
    return this.apic.irq(irq);
  }

  /** What the first processor's INTR pin is wired to; that of the others is in {@linkcode ApicBoard.apics}. */
  get interrupts(): Interrupter {
    return this.apic.apics[0];
  }

  /** The exit code once the machine has ended: 0 for power-off, otherwise what debug-exit gave. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /**
   * Ends the machine, as power-off does; the first end counts.
   * @param code The exit code, 0..255.
   */
  end(code: number): void {
    this.#exitCode ??= code;
  }

  /** What is to be reset, once somebody has asked for it; {@linkcode reset} does it. */
  get resetRequested(): ResetKind | undefined {
    return this.#resetRequested;
  }

  /**
   * Asks for a reset.
   * @param kind What is to be reset; a machine counts more than a processor.
   */
  requestReset(kind: ResetKind): void {
    if (this.#resetRequested !== "machine") this.#resetRequested = kind;
  }

  /** Whether the A20 gate is open. Of several ways to move it, the last that was used counts. */
  get a20(): boolean {
    return this.#a20;
  }

  /**
   * Moves the A20 gate.
   * @param open Whether address line 20 is let through.
   */
  setA20(open: boolean): void {
    if (open === this.#a20) return;
    this.#a20 = open;
    this.onA20(open);
  }

  /** The reset line of all devices; what was asked for is done then, and the A20 gate is open. */
  reset(): void {
    this.#resetRequested = undefined;
    for (const device of this.#devices) if (!this.#controllers.includes(device)) device.reset();
    for (const device of this.#controllers) device.reset();
    this.setA20(true);
  }

  /** Fetches what the host has for the guest; to be called when {@linkcode onInput} was, and from time to time. */
  poll(): void {
    for (const com of this.coms) if (com.listens) com.poll();
    this.#console?.device.poll();
  }

  /** Whether the network may bring something without the guest's doing. */
  get isOnline(): boolean {
    return this.#network?.awaits() ?? false;
  }

  /** Whether something from outside may still wake the guest. */
  get awaitsInput(): boolean {
    return this.attended || this.isOnline ||
      (this.#console !== undefined && this.#console.device.listens && this.#console.end.ended === false) ||
      this.coms.some(({ listens }, n) => listens && this.#serial[n].ended === false);
  }

  /**
   * Asks to be told when something from outside has come.
   * @param listener Called from the event loop.
   */
  onInput(listener: () => void): void {
    this.#inputListener = listener;
    for (const end of this.#serial) end.onInput?.(listener);
    this.#console?.end.onInput?.(listener);
  }

  /** Tells whoever waits that something has come: after keys were pressed, for example. */
  wake(): void {
    this.#inputListener();
  }

  /** The states of all devices, to be kept. */
  save(): PcState {
    return {
      version: 1,
      a20: this.#a20,
      devices: Object.fromEntries(this.#devices.map((device) => [device.name, device.save()])),
    };
  }

  /**
   * Goes back to kept states. The clock must have been restored before.
   * @param state What {@linkcode save} gave on a board with the same devices.
   * @throws SavedStateError It is not such a state; some devices may have changed then.
   */
  restore(state: PcState): void {
    if (state.version !== 1) throw new SavedStateError("Cannot restore the board: version is not 1");
    const missing = this.#devices.find(({ name }) => state.devices[name] === undefined);
    if (missing !== undefined) throw new SavedStateError(`Cannot restore the board: there is no ${missing.name}`);
    // Whoever drives a line comes before who listens to it.
    for (const device of this.#devices) {
      if (!this.#controllers.includes(device)) device.restore(state.devices[device.name]);
    }
    for (const device of this.#controllers) device.restore(state.devices[device.name]);
    this.setA20(state.a20);
  }
}
