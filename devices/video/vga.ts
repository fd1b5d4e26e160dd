/**
 * A VGA with the "display interface" of Bochs for larger modes: registers (`vga_registers.ts`), the planes behind 0xa0000
 * (`vga_memory.ts`), the interface (`vga_dispi.ts`), and what is to be seen (`vga_text.ts`, `vga_render.ts`).
 *
 * The memory belongs to the machine, which also gives it to the guest as the linear frame buffer. All of it is one memory: the
 * planes are its first 256 KiB.
 *
 * Left out: the vertical interrupt, and the light pen.
 * @module
 */

import type { Bus, BusDevice } from "../bus.ts";
import type { Clock } from "../clock.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "../device.ts";
import { font } from "./font.ts";
import { DISPI_8BIT_DAC, DISPI_ENABLED, DISPI_PORT, DISPI_PORTS, VgaDispi } from "./vga_dispi.ts";
import { VGA_WINDOW, VGA_WINDOW_SIZE, VgaMemory } from "./vga_memory.ts";
import { VGA_MODES } from "./vga_modes.ts";
import {
  ATTR_INDEX_SCREEN,
  CLOCKING_HALF,
  CRTC_MODE,
  GFX_GRAPHICS,
  GFX_MISCELLANEOUS,
  GFX_MODE,
  GFX_MODE_SHIFT_256,
  MEMORY_CHAIN4,
  MEMORY_SEQUENTIAL,
  SEQ_CLOCKING,
  SEQ_MAP_MASK,
  SEQ_MEMORY_MODE,
  VGA_PORT,
  VGA_PORTS,
  VgaRegisters,
} from "./vga_registers.ts";
import { renderDispi, renderVga, type VgaFrame } from "./vga_render.ts";
import { readText, textLines, type VgaText } from "./vga_text.ts";

export type { VgaFrame } from "./vga_render.ts";
export type { VgaCursor, VgaText } from "./vga_text.ts";

/** Where the linear frame buffer is unless PCI says otherwise. */
export const VGA_LINEAR_BASE = 0xe0000000;
/** How much memory the adapter has unless the machine wants it otherwise: 16 MiB. */
export const VGA_LINEAR_SIZE = 0x1000000;
/** Length of {@linkcode Vga.pciRegisters}. */
export const VGA_PCI_REGISTERS_LENGTH = 0x1000;

/** Half of the time in which a cursor blinks: 8 frames of 1/70 s. */
const CURSOR_NS = 114_000_000;

const PCI_VGA = 0x400;
const PCI_DISPI = 0x500;

/** What an adapter is made from. */
export interface VgaOptions {
  /** Its memory: a power of two of bytes, at least 256 KiB, at a multiple of 4 in its buffer. */
  readonly linear: Uint8Array;
  /** The time, for retrace and blinking. */
  readonly clock: Clock;
  /**
   * Called when the 64 KiB at 0xa0000 become or cease to be plain memory (see {@linkcode Vga.direct}), so that a machine can let
   * the guest write there without exits.
   */
  readonly directChanged?: (offset: number) => void;
}

/**
 * The adapter.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "../clock.ts";
 * import { Vga } from "./vga.ts";
 *
 * const vga = new Vga({ linear: new Uint8Array(0x1000000), clock: new VirtualClock() });
 * vga.setMode(3);
 * vga.memory.write(0x18000, 0x0748, 2); // an H in the corner
 * vga.lines()[0]; // "H"
 * ```
 */
export class Vga implements Device {
  /** `"vga"`. */
  readonly name = "vga";
  /** The registers at 0x3b0 to 0x3df. */
  readonly registers: VgaRegisters;
  /** The window at 0xa0000. */
  readonly memory: VgaMemory;
  /** The display interface. */
  readonly dispi: VgaDispi;
  /** The registers as a PCI adapter has them in memory: those of the VGA from 0x400, those of the display interface from 0x500. */
  readonly pciRegisters: BusDevice;
  readonly #linear: Uint8Array;
  readonly #words: Int32Array;
  readonly #clock: Clock;
  readonly #directChanged: (offset: number) => void;
  #direct = -1;
  #changes = 0;
  #checksum = 0;

  /**
   * Makes an adapter without a mode: the screen is off until a BIOS or {@linkcode setMode} sets one.
   * @param options What it is made from.
   * @throws RangeError The memory cannot be used.
   */
  constructor(options: VgaOptions) {
    const { linear, clock, directChanged = () => {} } = options;
    this.#linear = linear;
    this.#clock = clock;
    this.#directChanged = directChanged;
    this.registers = new VgaRegisters({
      now: () => clock.now(),
      memoryChanged: () => this.#memoryChanged(),
      screenChanged: () => this.#changes++,
      latch: (plane) => this.memory.latch >>> 8 * plane & 0xff,
    });
    this.memory = new VgaMemory(linear, this.registers);
    this.#words = new Int32Array(linear.buffer, linear.byteOffset, linear.length / 4);
    this.dispi = new VgaDispi({
      memorySize: linear.length,
      modeChanged: (enable) => this.#dispiChanged(enable),
      bankChanged: (bank) => {
        this.memory.bank = bank * 0x10000;
        this.#memoryChanged();
      },
      clear: (bytes) => linear.fill(0, 0, bytes),
    });
    this.pciRegisters = new PciRegisters(this.registers, this.dispi);
  }

  /** No mode; the memory stays. */
  reset(): void {
    this.memory.latch = 0;
    this.registers.reset();
    this.dispi.reset();
  }

  /**
   * Takes ports 0x1ce to 0x1d0 and 0x3b0 to 0x3df, and the addresses from 0xa0000 to 0xbffff. The linear frame buffer is memory
   * and no device: it is the machine's.
   * @param ports The I/O ports.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus, mmio: Bus): void {
    const { registers, dispi, memory } = this;
    ports.attach({ name: "VGA", base: VGA_PORT, length: VGA_PORTS }, {
      width: 1,
      plain: true,
      read: (offset) => registers.read(offset),
      write: (offset, value) => registers.write(offset, value),
    });
    ports.attach({ name: "VGA display interface", base: DISPI_PORT, length: DISPI_PORTS }, dispi);
    mmio.attach({ name: "VGA memory", base: VGA_WINDOW, length: VGA_WINDOW_SIZE }, memory);
  }

  /** Where in the memory the 64 KiB at 0xa0000 are, while they are nothing but memory; else -1. */
  get direct(): number {
    return this.#direct;
  }

  /**
   * A number that is another one whenever there may be something new to see, blinking apart. Memory that the guest writes without
   * an exit is looked through for it, so ask as often as you draw and no more.
   */
  get changes(): number {
    if (this.#direct >= 0 || this.dispi.mode !== undefined) {
      const checksum = this.#sum();
      if (checksum !== this.#checksum) this.#changes++;
      this.#checksum = checksum;
    }
    return this.#changes + this.memory.writes;
  }

  /** What stands on the screen; none: there is no text mode. */
  text(): VgaText | undefined {
    return this.dispi.mode === undefined ? readText(this.registers, this.#linear) : undefined;
  }

  /** The lines of the screen in Unicode, without blanks at their ends; none of them where there is no text mode. */
  lines(): string[] {
    const text = this.text();
    return text === undefined ? [] : textLines(text);
  }

  /** The picture, with blinking as far as it is to be seen now; black while the screen is off. */
  frame(): VgaFrame {
    const mode = this.dispi.mode;
    if (mode !== undefined) return renderDispi(mode, this.registers, this.#linear);
    const phase = Math.floor(this.#clock.now() / CURSOR_NS);
    return renderVga(this.registers, this.#words, { cursor: phase % 2 === 0, characters: phase % 4 < 2 });
  }

  /**
   * Sets a standard mode as a video BIOS does, with its colours and its font, and clears the screen.
   * @param number 0..7 or 0xd..0x13.
   * @throws RangeError There is no such mode.
   */
  setMode(number: number): void {
    const mode = VGA_MODES.find((one) => one.number === number);
    if (mode === undefined) throw new RangeError(`Cannot set mode ${number}: there is none`);
    this.reset();
    const write = (port: number, value: number): void => this.registers.write(port - VGA_PORT, value);
    const indexed = (port: number, values: readonly number[], first = 0): void =>
      values.forEach((value, index) => {
        write(port, first + index);
        write(port + 1, value);
      });
    write(0x3c2, mode.misc);
    indexed(0x3c4, [3, ...mode.sequencer]);
    indexed((mode.misc & 1) !== 0 ? 0x3d4 : 0x3b4, mode.crtc);
    indexed(0x3ce, mode.graphics);
    mode.attribute.forEach((value, index) => {
      write(0x3c0, index);
      write(0x3c0, value);
    });
    write(0x3c8, 0);
    for (const level of mode.dac()) write(0x3c9, level);
    const text = (mode.graphics[GFX_MISCELLANEOUS] & GFX_GRAPHICS) === 0;
    this.#words.fill(text ? 0x0720 : 0, 0, 0x10000);
    if (text) font(16).forEach((row, at) => this.#linear[((at >> 4) * 32 + (at & 15)) * 4 + 2] = row);
    write(0x3c0, ATTR_INDEX_SCREEN);
  }

  /** All that the adapter remembers, its memory too. */
  save(): SavedState {
    let used = this.#linear.length;
    while (used > 0 && this.#linear[used - 1] === 0) used--;
    return {
      version: 1,
      registers: [this.registers.save()],
      dispi: [this.dispi.save()],
      latch: this.memory.latch >>> 0,
      memorySize: this.#linear.length,
      memoryUsed: used,
      memory: savedBytes(this.#linear.subarray(0, used)),
    };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state, or of an adapter with more or less memory; nothing has changed then.
   */
  restore(state: SavedState): void {
    const size = this.#linear.length;
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const putRegisters = this.registers.restore(reader.parts("registers", 1)[0]);
    const putDispi = this.dispi.restore(reader.parts("dispi", 1)[0]);
    const latch = reader.integer("latch", { max: 0xffffffff });
    reader.integer("memorySize", { min: size, max: size });
    const used = reader.integer("memoryUsed", { max: size });
    const memory = reader.bytes("memory", used);
    putRegisters();
    putDispi();
    this.memory.latch = latch | 0;
    this.memory.large = this.dispi.mode !== undefined;
    this.#linear.set(memory);
    this.#linear.fill(0, used);
    this.registers.changed();
  }

  #memoryChanged(): void {
    this.memory.update();
    const direct = this.memory.direct;
    if (direct === this.#direct) return;
    this.#direct = direct;
    this.#directChanged(direct);
  }

  /** A mode of the display interface takes the window at 0xa0000 and the planes with it. */
  #dispiChanged(enable: number): void {
    const { registers, memory } = this;
    const mode = this.dispi.mode;
    registers.dac8Bit = mode !== undefined && (enable & DISPI_8BIT_DAC) !== 0;
    if (!registers.dac8Bit) registers.dac.forEach((level, at) => registers.dac[at] = level & 0x3f);
    memory.large = (enable & DISPI_ENABLED) !== 0;
    if (mode !== undefined) {
      const { graphics, sequencer, crtc } = registers;
      const planar = mode.bits === 4;
      graphics[GFX_MISCELLANEOUS] = graphics[GFX_MISCELLANEOUS] & ~0x0c | 0x04 | GFX_GRAPHICS;
      graphics[GFX_MODE] = graphics[GFX_MODE] & ~0x70 | (planar ? 0 : GFX_MODE_SHIFT_256);
      sequencer[SEQ_CLOCKING] &= ~CLOCKING_HALF;
      sequencer[SEQ_MAP_MASK] = 0x0f;
      sequencer[SEQ_MEMORY_MODE] = sequencer[SEQ_MEMORY_MODE] & ~MEMORY_CHAIN4 | MEMORY_SEQUENTIAL |
        (planar ? 0 : MEMORY_CHAIN4);
      crtc[CRTC_MODE] |= 0x03;
    }
    registers.changed();
  }

  /** A checksum of the memory that is to be seen. */
  #sum(): number {
    const mode = this.dispi.mode;
    const words = this.#words;
    let first = 0, last = 0x10000;
    if (mode !== undefined) {
      const planes = mode.bits === 4 ? 4 : 1;
      first = mode.start * planes >>> 2;
      last = Math.min((mode.start + mode.pitch * mode.height) * planes + 3 >>> 2, words.length);
    }
    let sum = 0;
    for (let at = first; at < last; at++) sum = Math.imul(sum, 31) + words[at] | 0;
    return sum;
  }
}

/** The registers in memory, as QEMU's adapter has them. */
class PciRegisters implements BusDevice {
  readonly width = 2;
  readonly plain = true;
  readonly #registers: VgaRegisters;
  readonly #dispi: VgaDispi;

  constructor(registers: VgaRegisters, dispi: VgaDispi) {
    this.#registers = registers;
    this.#dispi = dispi;
  }

  read(offset: number, size: number): number {
    if (offset >= PCI_DISPI && offset < PCI_DISPI + 0x16) {
      const value = this.#dispi.get(offset - PCI_DISPI >> 1);
      return size === 2 ? value : value >> 8 * (offset & 1) & 0xff;
    }
    const port = offset - PCI_VGA + 0x10;
    if (port < 0x10 || port + size > VGA_PORTS) return size === 2 ? 0xffff : 0xff;
    const low = this.#registers.read(port);
    return size === 1 ? low : low | this.#registers.read(port + 1) << 8;
  }

  write(offset: number, value: number, size: number): void {
    if (offset >= PCI_DISPI && offset < PCI_DISPI + 0x16) {
      if (size === 2 && (offset & 1) === 0) this.#dispi.set(offset - PCI_DISPI >> 1, value);
      return;
    }
    const port = offset - PCI_VGA + 0x10;
    if (port < 0x10 || port + size > VGA_PORTS) return;
    this.#registers.write(port, value & 0xff);
    if (size === 2) this.#registers.write(port + 1, value >> 8);
  }
}
