/**
 * The registers of a VGA (IBM's Video Subsystem, and all since): ports 0x3b0 to 0x3df.
 *
 * | port | |
 * | --- | --- |
 * | 0x3b4, 0x3b5 or 0x3d4, 0x3d5 | CRT controller: index, data; which pair answers is bit 0 of miscellaneous output |
 * | 0x3ba or 0x3da | read: input status 1; write: feature control |
 * | 0x3c0, 0x3c1 | attribute controller: index and data by turns; data, read only |
 * | 0x3c2 | read: input status 0; write: miscellaneous output |
 * | 0x3c3 | the whole adapter is on |
 * | 0x3c4, 0x3c5 | sequencer: index, data |
 * | 0x3c6 to 0x3c9 | DAC: mask; read index or state; write index; data |
 * | 0x3ca, 0x3cc | read: feature control; miscellaneous output |
 * | 0x3ce, 0x3cf | graphics controller: index, data |
 *
 * The beam is where the clock and the CRT controller say, so that a guest that waits for the retrace gets it at the rate of its
 * mode. The vertical interrupt is not wired, as on most adapters.
 * @module
 */

import { savedBytes, type SavedReader, type SavedState } from "../device.ts";

/** The first port. */
export const VGA_PORT = 0x3b0;
/** How many ports there are. */
export const VGA_PORTS = 0x30;

/** Sequencer: clocking mode. */
export const SEQ_CLOCKING = 1;
/** Sequencer: map mask. */
export const SEQ_MAP_MASK = 2;
/** Sequencer: character map select. */
export const SEQ_CHARACTER_MAP = 3;
/** Sequencer: memory mode. */
export const SEQ_MEMORY_MODE = 4;
/** Clocking mode: characters are 8 dots wide, not 9. */
export const CLOCKING_8_DOTS = 0x01;
/** Clocking mode: half the dot clock. */
export const CLOCKING_HALF = 0x08;
/** Clocking mode: the screen is off. */
export const CLOCKING_SCREEN_OFF = 0x20;
/** Memory mode: even and odd addresses are not different planes. */
export const MEMORY_SEQUENTIAL = 0x04;
/** Memory mode: the low two bits of an address choose the plane. */
export const MEMORY_CHAIN4 = 0x08;

/** CRT controller: start of the cursor, and bit 5: no cursor. */
export const CRTC_CURSOR_START = 0x0a;
/** CRT controller: end of the cursor. */
export const CRTC_CURSOR_END = 0x0b;
/** CRT controller: start address, high byte; the low one follows. */
export const CRTC_START_HIGH = 0x0c;
/** CRT controller: cursor location, high byte; the low one follows. */
export const CRTC_CURSOR_HIGH = 0x0e;
/** CRT controller: preset row scan and byte panning. */
export const CRTC_PRESET_ROW_SCAN = 0x08;
/** CRT controller: maximum scan line. */
export const CRTC_MAXIMUM_SCAN_LINE = 0x09;
/** CRT controller: bits that had no room elsewhere. */
export const CRTC_OVERFLOW = 0x07;
/** CRT controller: end of the vertical retrace, and bit 7: registers 0 to 7 are protected. */
export const CRTC_RETRACE_END = 0x11;
/** CRT controller: last scan line that is displayed. */
export const CRTC_DISPLAY_END = 0x12;
/** CRT controller: offset from line to line. */
export const CRTC_OFFSET = 0x13;
/** CRT controller: underline location. */
export const CRTC_UNDERLINE = 0x14;
/** CRT controller: mode control. */
export const CRTC_MODE = 0x17;
/** CRT controller: line compare. */
export const CRTC_LINE_COMPARE = 0x18;

/** Graphics controller: set/reset. */
export const GFX_SET_RESET = 0;
/** Graphics controller: enable set/reset. */
export const GFX_ENABLE_SET_RESET = 1;
/** Graphics controller: color compare. */
export const GFX_COLOR_COMPARE = 2;
/** Graphics controller: data rotate and function. */
export const GFX_DATA_ROTATE = 3;
/** Graphics controller: read map select. */
export const GFX_READ_MAP = 4;
/** Graphics controller: mode. */
export const GFX_MODE = 5;
/** Graphics controller: miscellaneous. */
export const GFX_MISCELLANEOUS = 6;
/** Graphics controller: color don't care. */
export const GFX_COLOR_DONT_CARE = 7;
/** Graphics controller: bit mask. */
export const GFX_BIT_MASK = 8;
/** Graphics mode: reads take even and odd addresses from different planes. */
export const GFX_MODE_ODD_EVEN = 0x10;
/** Graphics mode: two bits for each pixel, as the CGA. */
export const GFX_MODE_SHIFT_INTERLEAVE = 0x20;
/** Graphics mode: eight bits for each pixel. */
export const GFX_MODE_SHIFT_256 = 0x40;
/** Miscellaneous: graphics, not text. */
export const GFX_GRAPHICS = 0x01;

/** Attribute controller: mode control. */
export const ATTR_MODE = 0x10;
/** Attribute controller: overscan color. */
export const ATTR_OVERSCAN = 0x11;
/** Attribute controller: color plane enable. */
export const ATTR_PLANE_ENABLE = 0x12;
/** Attribute controller: horizontal panning. */
export const ATTR_PANNING = 0x13;
/** Attribute controller: color select. */
export const ATTR_COLOR_SELECT = 0x14;
/** Attribute mode: monochrome attributes. */
export const ATTR_MODE_MONO = 0x02;
/** Attribute mode: the ninth dot of line characters is the eighth. */
export const ATTR_MODE_LINE_GRAPHICS = 0x04;
/** Attribute mode: bit 7 of an attribute is blinking, not intensity. */
export const ATTR_MODE_BLINK = 0x08;
/** Attribute mode: below a split the panning is 0. */
export const ATTR_MODE_PAN_TOP = 0x20;
/** Attribute mode: eight bits for each pixel. */
export const ATTR_MODE_8_BIT = 0x40;
/** Attribute mode: bits 5 and 4 of a colour come from color select. */
export const ATTR_MODE_P54 = 0x80;
/** Bit of the attribute controller's index: the palette belongs to the screen; while it is clear nothing is displayed. */
export const ATTR_INDEX_SCREEN = 0x20;

/** Miscellaneous output: the CRT controller is at 0x3d4, not at 0x3b4. */
export const MISC_COLOR = 0x01;
/** Miscellaneous output: the processor reaches the memory. */
export const MISC_RAM = 0x02;
/** Miscellaneous output: 28 MHz dot clock, not 25. */
const MISC_CLOCK_28 = 0x04;

const STATUS1_DISPLAY_DISABLED = 0x01;
const STATUS1_RETRACE = 0x08;
const STATUS0_SWITCH_SENSE = 0x10;
const DAC_STATE_READ = 3;
const PROTECT = 0x80;

const SEQ_COUNT = 5;
const CRTC_COUNT = 0x19;
const GFX_COUNT = 9;
const ATTR_COUNT = 0x15;
const DAC_BYTES = 768;
/** Not documented by IBM, but on every VGA: what the latches hold, and whose turn port 0x3c0 is. */
const CRTC_LATCH = 0x22;
const CRTC_TURN = 0x24;

// What can be written of each register.
const SEQ_MASK = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];
const GFX_MASK = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
const ATTR_MASK = [...new Array<number>(16).fill(0x3f), 0xef, 0xff, 0x3f, 0x0f, 0x0f];

const CLOCK_25_HZ = 25_175_000;
const CLOCK_28_HZ = 28_322_000;

/** What the registers are wired to. */
export interface VgaRegisterWires {
  /** The time, in nanoseconds. */
  readonly now: () => number;
  /** Called after a register that has to do with the processor's way to the memory has changed. */
  readonly memoryChanged: () => void;
  /** Called after a register that has to do with the screen has changed. */
  readonly screenChanged: () => void;
  /** What the latch of a plane holds. */
  readonly latch: (plane: number) => number;
}

/** The registers. */
export class VgaRegisters {
  /** The sequencer's. */
  readonly sequencer: Uint8Array = new Uint8Array(SEQ_COUNT);
  /** The CRT controller's. */
  readonly crtc: Uint8Array = new Uint8Array(CRTC_COUNT);
  /** The graphics controller's. */
  readonly graphics: Uint8Array = new Uint8Array(GFX_COUNT);
  /** The attribute controller's. */
  readonly attribute: Uint8Array = new Uint8Array(ATTR_COUNT);
  /** The DAC's colours: red, green, blue by turns, six bits each (eight where the DISPI says so). */
  readonly dac: Uint8Array = new Uint8Array(DAC_BYTES);
  /** Bits of a colour that reach the DAC. */
  dacMask = 0xff;
  /** Whether colours have eight bits. */
  dac8Bit = false;
  readonly #wires: VgaRegisterWires;
  #misc = 0;
  #feature = 0;
  #enabled = true;
  #sequencerIndex = 0;
  #crtcIndex = 0;
  #graphicsIndex = 0;
  #attributeIndex = 0;
  /** Port 0x3c0 takes data next. */
  #attributeData = false;
  #dacIndex = 0;
  #dacPart = 0;
  #dacReading = false;
  readonly #dacPending = [0, 0];
  #timing: Timing | undefined;

  /**
   * Makes registers as after a reset.
   * @param wires What they are wired to.
   */
  constructor(wires: VgaRegisterWires) {
    this.#wires = wires;
  }

  /** All registers are 0: the screen is off until a BIOS sets a mode. The colours of the DAC stay. */
  reset(): void {
    for (const registers of [this.sequencer, this.crtc, this.graphics, this.attribute]) registers.fill(0);
    this.dacMask = 0xff;
    this.dac8Bit = false;
    this.#misc = 0;
    this.#feature = 0;
    this.#enabled = true;
    this.#sequencerIndex =
      this.#crtcIndex =
      this.#graphicsIndex =
      this.#attributeIndex =
        0;
    this.#attributeData = false;
    this.#dacIndex = this.#dacPart = 0;
    this.#dacReading = false;
    this.changed();
  }

  /** Miscellaneous output. */
  get misc(): number {
    return this.#misc;
  }

  /** Whether the processor reaches the memory. */
  get memoryEnabled(): boolean {
    return this.#enabled && (this.#misc & MISC_RAM) !== 0;
  }

  /** Whether the attribute controller lets the picture through and the sequencer has the screen on. */
  get screenOn(): boolean {
    return (this.#attributeIndex & ATTR_INDEX_SCREEN) !== 0 &&
      (this.sequencer[SEQ_CLOCKING] & CLOCKING_SCREEN_OFF) === 0;
  }

  /** Lets go of what was worked out from the registers; after they were changed from outside. */
  changed(): void {
    this.#timing = undefined;
    this.#wires.memoryChanged();
    this.#wires.screenChanged();
  }

  /**
   * Reads a port.
   * @param offset From 0x3b0, 0..0x2f.
   */
  read(offset: number): number {
    const port = this.#port(offset);
    switch (port) {
      case 0x3c0:
        return this.#attributeIndex;
      case 0x3c1:
        return this.attribute[this.#attributeIndex & 0x1f] ?? 0;
      case 0x3c2:
        return STATUS0_SWITCH_SENSE;
      case 0x3c3:
        return Number(this.#enabled);
      case 0x3c4:
        return this.#sequencerIndex;
      case 0x3c5:
        return this.sequencer[this.#sequencerIndex] ?? 0;
      case 0x3c6:
        return this.dacMask;
      case 0x3c7:
        return this.#dacReading ? DAC_STATE_READ : 0;
      case 0x3c8:
        return this.#dacIndex;
      case 0x3c9:
        return this.#readDac();
      case 0x3ca:
        return this.#feature;
      case 0x3cc:
        return this.#misc;
      case 0x3ce:
        return this.#graphicsIndex;
      case 0x3cf:
        return this.graphics[this.#graphicsIndex] ?? 0;
      case 0x3d4:
        return this.#crtcIndex;
      case 0x3d5:
        return this.#readCrtc();
      case 0x3da:
        this.#attributeData = false;
        return this.#status1();
      default:
        return 0xff;
    }
  }

  /**
   * Writes a port.
   * @param offset From 0x3b0, 0..0x2f.
   * @param value 0..255.
   */
  write(offset: number, value: number): void {
    const port = this.#port(offset);
    switch (port) {
      case 0x3c0:
        return this.#writeAttribute(value);
      case 0x3c2:
        this.#misc = value;
        this.#timing = undefined;
        return this.#wires.memoryChanged();
      case 0x3c3:
        this.#enabled = (value & 1) !== 0;
        return this.#wires.memoryChanged();
      case 0x3c4:
        this.#sequencerIndex = value & 0x07;
        return;
      case 0x3c5:
        return this.#writeSequencer(value);
      case 0x3c6:
        this.dacMask = value;
        return this.#wires.screenChanged();
      case 0x3c7:
      case 0x3c8:
        this.#dacIndex = value;
        this.#dacPart = 0;
        this.#dacReading = port === 0x3c7;
        return;
      case 0x3c9:
        return this.#writeDac(value);
      case 0x3ce:
        this.#graphicsIndex = value & 0x0f;
        return;
      case 0x3cf:
        if (this.#graphicsIndex >= GFX_COUNT) return;
        this.graphics[this.#graphicsIndex] = value & GFX_MASK[this.#graphicsIndex];
        if (this.#graphicsIndex === GFX_MODE || this.#graphicsIndex === GFX_MISCELLANEOUS) this.#wires.screenChanged();
        return this.#wires.memoryChanged();
      case 0x3d4:
        this.#crtcIndex = value & 0x3f;
        return;
      case 0x3d5:
        return this.#writeCrtc(value);
      case 0x3da:
        this.#feature = value & 0x0b;
        return;
    }
  }

  /** All that the registers remember. */
  save(): SavedState {
    return {
      sequencer: savedBytes(this.sequencer),
      crtc: savedBytes(this.crtc),
      graphics: savedBytes(this.graphics),
      attribute: savedBytes(this.attribute),
      dac: savedBytes(this.dac),
      dacMask: this.dacMask,
      dac8Bit: this.dac8Bit,
      misc: this.#misc,
      feature: this.#feature,
      enabled: this.#enabled,
      sequencerIndex: this.#sequencerIndex,
      crtcIndex: this.#crtcIndex,
      graphicsIndex: this.#graphicsIndex,
      attributeIndex: this.#attributeIndex,
      attributeData: this.#attributeData,
      dacIndex: this.#dacIndex,
      dacPart: this.#dacPart,
      dacReading: this.#dacReading,
      dacPending: savedBytes(Uint8Array.from(this.#dacPending)),
    };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place; nothing has changed before.
   * @throws SavedStateError It is not such a state.
   */
  restore(reader: SavedReader): () => void {
    const masked = (name: string, masks: readonly number[]): Uint8Array =>
      reader.bytes(name, masks.length).map((value, index) => value & masks[index]);
    const byte = (name: string, max = 0xff): number => reader.integer(name, { max });
    const sequencer = masked("sequencer", SEQ_MASK);
    const crtc = reader.bytes("crtc", CRTC_COUNT);
    const graphics = masked("graphics", GFX_MASK);
    const attribute = masked("attribute", ATTR_MASK);
    const dac8Bit = reader.boolean("dac8Bit");
    const dac = reader.bytes("dac", DAC_BYTES).map((value) => dac8Bit ? value : value & 0x3f);
    const dacMask = byte("dacMask"), misc = byte("misc"), feature = byte("feature");
    const enabled = reader.boolean("enabled");
    const sequencerIndex = byte("sequencerIndex", 7), crtcIndex = byte("crtcIndex", 0x3f);
    const graphicsIndex = byte("graphicsIndex", 0x0f), attributeIndex = byte("attributeIndex", 0x3f);
    const attributeData = reader.boolean("attributeData"), dacReading = reader.boolean("dacReading");
    const dacIndex = byte("dacIndex"), dacPart = byte("dacPart", 2);
    const pending = reader.bytes("dacPending", 2);
    return () => {
      this.sequencer.set(sequencer);
      this.crtc.set(crtc);
      this.graphics.set(graphics);
      this.attribute.set(attribute);
      this.dac.set(dac);
      Object.assign(this, { dacMask, dac8Bit });
      [this.#misc, this.#feature, this.#enabled] = [misc, feature, enabled];
      [this.#sequencerIndex, this.#crtcIndex, this.#graphicsIndex] = [sequencerIndex, crtcIndex, graphicsIndex];
      [this.#attributeIndex, this.#attributeData] = [attributeIndex, attributeData];
      [this.#dacIndex, this.#dacPart, this.#dacReading] = [dacIndex, dacPart, dacReading];
      [this.#dacPending[0], this.#dacPending[1]] = pending;
      this.changed();
    };
  }

  /** The port's number as on a colour adapter; 0: it does not answer now. */
  #port(offset: number): number {
    const port = VGA_PORT + offset;
    if (port >= 0x3c0 && port < 0x3d0) return port;
    const colour = (this.#misc & MISC_COLOR) !== 0;
    if (port >= 0x3d0) return colour ? port : 0;
    return colour ? 0 : port + 0x20;
  }

  #writeAttribute(value: number): void {
    const data = this.#attributeData;
    this.#attributeData = !data;
    if (!data) {
      const before = this.#attributeIndex;
      this.#attributeIndex = value & 0x3f;
      if (((before ^ value) & ATTR_INDEX_SCREEN) !== 0) this.#wires.screenChanged();
      return;
    }
    const index = this.#attributeIndex & 0x1f;
    if (index >= ATTR_COUNT) return;
    // The palette cannot be written while it belongs to the screen.
    if (index < 0x10 && (this.#attributeIndex & ATTR_INDEX_SCREEN) !== 0) return;
    this.attribute[index] = value & ATTR_MASK[index];
    this.#wires.screenChanged();
  }

  #writeSequencer(value: number): void {
    const index = this.#sequencerIndex;
    if (index >= SEQ_COUNT) return;
    this.sequencer[index] = value & SEQ_MASK[index];
    if (index === SEQ_CLOCKING) this.#timing = undefined;
    if (index === SEQ_CLOCKING || index === SEQ_CHARACTER_MAP) this.#wires.screenChanged();
    else this.#wires.memoryChanged();
  }

  #readCrtc(): number {
    if (this.#crtcIndex === CRTC_LATCH) return this.#wires.latch(this.graphics[GFX_READ_MAP]);
    if (this.#crtcIndex === CRTC_TURN) return this.#attributeData ? 0x80 : 0;
    return this.crtc[this.#crtcIndex] ?? 0;
  }

  #writeCrtc(value: number): void {
    const index = this.#crtcIndex, crtc = this.crtc;
    if (index >= CRTC_COUNT) return;
    if (index <= CRTC_OVERFLOW && (crtc[CRTC_RETRACE_END] & PROTECT) !== 0) {
      // Of protected registers only bit 8 of line compare can be written.
      if (index !== CRTC_OVERFLOW) return;
      value = crtc[index] & ~0x10 | value & 0x10;
    }
    if (crtc[index] === value) return;
    crtc[index] = value;
    if (index < CRTC_CURSOR_START || index > CRTC_CURSOR_HIGH + 1) this.#timing = undefined;
    this.#wires.screenChanged();
  }

  #readDac(): number {
    const value = this.dac[this.#dacIndex * 3 + this.#dacPart];
    this.#nextDac();
    return value;
  }

  #writeDac(value: number): void {
    const part = this.#dacPart;
    if (part < 2) {
      this.#dacPending[part] = value;
    } else {
      const at = this.#dacIndex * 3, mask = this.dac8Bit ? 0xff : 0x3f;
      this.dac[at] = this.#dacPending[0] & mask;
      this.dac[at + 1] = this.#dacPending[1] & mask;
      this.dac[at + 2] = value & mask;
      this.#wires.screenChanged();
    }
    this.#nextDac();
  }

  #nextDac(): void {
    if (++this.#dacPart < 3) return;
    this.#dacPart = 0;
    this.#dacIndex = (this.#dacIndex + 1) & 0xff;
  }

  #status1(): number {
    this.#timing ??= timingOf(this);
    const { lineNs, frameNs, retraceStart, retraceEnd, displayLines, displayNs } = this.#timing;
    const at = this.#wires.now() % frameNs;
    const line = Math.floor(at / lineNs);
    const inRetrace = line >= retraceStart && line < retraceEnd;
    const displayed = line < displayLines && at - line * lineNs < displayNs;
    return (inRetrace ? STATUS1_RETRACE : 0) | (displayed ? 0 : STATUS1_DISPLAY_DISABLED);
  }
}

/** Where the beam is when. */
interface Timing {
  readonly lineNs: number;
  readonly frameNs: number;
  readonly displayNs: number;
  readonly displayLines: number;
  readonly retraceStart: number;
  readonly retraceEnd: number;
}

/** Scan lines that are displayed, 1..1024. */
export function displayedLines({ crtc }: VgaRegisters): number {
  return withOverflow(crtc, CRTC_DISPLAY_END, [0x02, 0x40]) + 1;
}

/** The scan line after which the address begins anew at 0, 0..1023. */
export function lineCompare({ crtc }: VgaRegisters): number {
  return withOverflow(crtc, CRTC_LINE_COMPARE, [0x10, 0]) | (crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x40) << 3;
}

/** A vertical value, with bits 8 and 9 from the overflow register. */
function withOverflow(crtc: Uint8Array, index: number, [bit8, bit9]: readonly [number, number]): number {
  const overflow = crtc[CRTC_OVERFLOW];
  return crtc[index] | ((overflow & bit8) !== 0 ? 0x100 : 0) | ((overflow & bit9) !== 0 ? 0x200 : 0);
}

/** Without a mode a frame takes what that of mode 3 does. */
function timingOf(registers: VgaRegisters): Timing {
  const { crtc, sequencer, misc } = registers;
  const clocking = sequencer[SEQ_CLOCKING];
  const hz = ((misc & MISC_CLOCK_28) !== 0 ? CLOCK_28_HZ : CLOCK_25_HZ) / ((clocking & CLOCKING_HALF) !== 0 ? 2 : 1);
  const characterNs = ((clocking & CLOCKING_8_DOTS) !== 0 ? 8 : 9) * 1e9 / hz;
  const total = withOverflow(crtc, 0x06, [0x01, 0x20]) + 2;
  const programmed = crtc[0] !== 0 && total > 100;
  const lineNs = programmed ? (crtc[0] + 5) * characterNs : 31_778;
  const lines = programmed ? total : 449;
  const retraceStart = programmed ? Math.min(withOverflow(crtc, 0x10, [0x04, 0x80]), lines - 1) : 412;
  const retraceLines = programmed ? ((crtc[CRTC_RETRACE_END] - retraceStart) & 0x0f) || 16 : 2;
  return {
    lineNs,
    frameNs: lineNs * lines,
    displayNs: programmed ? (crtc[1] + 1) * characterNs : lineNs * 0.8,
    displayLines: programmed ? displayedLines(registers) : 400,
    retraceStart,
    retraceEnd: retraceStart + retraceLines,
  };
}
