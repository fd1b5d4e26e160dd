/**
 * The processor's way to the memory of a VGA: four planes behind the window at 0xa0000, with latches, write modes 0 to 3 and read
 * modes 0 and 1.
 *
 * The planes are interleaved: byte `4 * address + plane` of the memory, so that the four latches are one word. Chain-4 and odd/even
 * addressing put neighbouring bytes of the processor's view into neighbouring planes at one address; where IBM's adapter leaves the
 * addresses between them empty, this one does not, and the CRT controller's word and doubleword modes count accordingly. A program
 * sees the difference only if it writes in one kind of addressing and reads in another. In chain-4 the window thus is plain memory.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import {
  GFX_BIT_MASK,
  GFX_COLOR_COMPARE,
  GFX_COLOR_DONT_CARE,
  GFX_DATA_ROTATE,
  GFX_ENABLE_SET_RESET,
  GFX_MISCELLANEOUS,
  GFX_MODE,
  GFX_MODE_ODD_EVEN,
  GFX_READ_MAP,
  GFX_SET_RESET,
  MEMORY_CHAIN4,
  MEMORY_SEQUENTIAL,
  SEQ_MAP_MASK,
  SEQ_MEMORY_MODE,
  type VgaRegisters,
} from "./vga_registers.ts";

/** The first address of the window. */
export const VGA_WINDOW = 0xa0000;
/** How many bytes the window has at most. */
export const VGA_WINDOW_SIZE = 0x20000;
/** What the smallest adapter has. */
export const VGA_MEMORY_SIZE = 0x40000;

/** Offset and length of the window, by the memory map bits of the graphics controller. */
const WINDOWS = [[0, 0x20000], [0, 0x10000], [0x10000, 0x8000], [0x18000, 0x8000]] as const;

/** For four bits of planes a word with all ones in their bytes. */
const PLANES: Int32Array = Int32Array.from(
  { length: 16 },
  (_, bits) => [0, 1, 2, 3].reduce((word, plane) => word | ((bits >> plane & 1) !== 0 ? 0xff << 8 * plane : 0), 0),
);

const EVEN_PLANES = 0x5;
const ODD_PLANES = 0xa;

/** The window. */
export class VgaMemory implements BusDevice {
  /** The processor may write words. */
  readonly width = 4;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  /** Goes up with each write. */
  writes = 0;
  /** First byte of the memory that the window shows, for adapters with more than 256 KiB. */
  bank = 0;
  /** Whether addresses beyond 256 KiB are reached. */
  large = false;
  /** The latches, plane 0 in the lowest byte. */
  latch = 0;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #registers: VgaRegisters;
  // Worked out from the registers.
  #start = 0;
  #length = 0;
  #mask = 0;
  #chain4 = false;
  #oddEvenWrite = false;
  #oddEvenRead = false;
  /** What the processor writes is what gets into the planes. */
  #simple = false;
  #writeMode = 0;
  #readMode1 = false;
  #addressMask = 0;

  /**
   * Makes the window.
   * @param bytes The memory; its length is a power of two, at least 256 KiB, its offset a multiple of 4.
   * @param registers The adapter's.
   * @throws RangeError The memory cannot be used.
   */
  constructor(bytes: Uint8Array, registers: VgaRegisters) {
    const { length, byteOffset, buffer } = bytes;
    if (length < VGA_MEMORY_SIZE || (length & (length - 1)) !== 0 || byteOffset % 4 !== 0) {
      throw new RangeError(
        `Cannot use ${length} bytes at ${byteOffset} as the memory of a VGA: it needs an aligned power of two`,
      );
    }
    this.#bytes = bytes;
    this.#words = new Int32Array(buffer, byteOffset, length / 4);
    this.#registers = registers;
    this.update();
  }

  /** Works out again what depends on registers, on {@linkcode bank} and on {@linkcode large}. */
  update(): void {
    const { graphics, sequencer, memoryEnabled } = this.#registers;
    const [start, length] = WINDOWS[graphics[GFX_MISCELLANEOUS] >> 2 & 3];
    this.#start = start;
    this.#length = memoryEnabled ? length : 0;
    this.#mask = sequencer[SEQ_MAP_MASK];
    this.#chain4 = (sequencer[SEQ_MEMORY_MODE] & MEMORY_CHAIN4) !== 0;
    this.#oddEvenWrite = (sequencer[SEQ_MEMORY_MODE] & MEMORY_SEQUENTIAL) === 0;
    this.#oddEvenRead = (graphics[GFX_MODE] & GFX_MODE_ODD_EVEN) !== 0;
    this.#writeMode = graphics[GFX_MODE] & 3;
    this.#readMode1 = (graphics[GFX_MODE] & 8) !== 0;
    this.#simple = this.#writeMode === 0 && graphics[GFX_ENABLE_SET_RESET] === 0 && graphics[GFX_DATA_ROTATE] === 0 &&
      graphics[GFX_BIT_MASK] === 0xff;
    this.#addressMask = (this.large ? this.#bytes.length : VGA_MEMORY_SIZE) / 4 - 1;
  }

  /**
   * Where the 64 KiB at 0xa0000 are plain memory, so that a machine can give the guest the memory itself there: chain-4, all planes
   * on, nothing in the way of a write.
   * @returns The first byte of the memory that they show, or -1.
   */
  get direct(): number {
    const plain = this.#chain4 && this.#simple && this.#mask === 0xf && !this.#readMode1 && this.#start === 0 &&
      this.#length === 0x10000;
    return plain && this.bank + 0x10000 <= this.#bytes.length ? this.bank : -1;
  }

  /**
   * Reads from the window; the latches are loaded.
   * @param offset From 0xa0000, 0..0x1ffff.
   * @param size 1, 2 or 4.
   */
  read(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#readByte(offset + i) << (8 * i);
    return value >>> 0;
  }

  /**
   * Writes into the window.
   * @param offset From 0xa0000, 0..0x1ffff.
   * @param value Little-endian.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    this.writes++;
    for (let i = 0; i < size; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  #readByte(offset: number): number {
    let address = offset - this.#start;
    if (address < 0 || address >= this.#length) return 0xff;
    address += this.bank;
    let plane: number;
    if (this.#chain4) {
      plane = address & 3;
      address >>>= 2;
    } else if (this.#oddEvenRead) {
      plane = (this.#registers.graphics[GFX_READ_MAP] & 2) | (address & 1);
      address >>>= 1;
    } else {
      plane = this.#registers.graphics[GFX_READ_MAP];
    }
    const latch = this.latch = this.#words[address & this.#addressMask];
    if (!this.#readMode1) return (latch >>> (8 * plane)) & 0xff;
    const { graphics } = this.#registers;
    let differences = (latch ^ PLANES[graphics[GFX_COLOR_COMPARE]]) & PLANES[graphics[GFX_COLOR_DONT_CARE]];
    differences |= differences >>> 16;
    return ~(differences | differences >>> 8) & 0xff;
  }

  #writeByte(offset: number, value: number): void {
    let address = offset - this.#start;
    if (address < 0 || address >= this.#length) return;
    address += this.bank;
    let mask = this.#mask;
    if (this.#chain4) {
      mask &= 1 << (address & 3);
      address >>>= 2;
    } else if (this.#oddEvenWrite) {
      mask &= (address & 1) !== 0 ? ODD_PLANES : EVEN_PLANES;
      address >>>= 1;
    }
    const planes = PLANES[mask];
    address &= this.#addressMask;
    const word = this.#simple ? Math.imul(value, 0x01010101) : this.#combine(value);
    this.#words[address] = this.#words[address] & ~planes | word & planes;
  }

  /** What the graphics controller makes of a byte: the bytes for all planes. */
  #combine(value: number): number {
    const { graphics } = this.#registers;
    const latch = this.latch;
    if (this.#writeMode === 1) return latch;
    let bits = graphics[GFX_BIT_MASK];
    let word: number;
    if (this.#writeMode === 2) {
      word = PLANES[value & 0x0f];
    } else {
      const rotate = graphics[GFX_DATA_ROTATE] & 7;
      const rotated = (value >>> rotate | value << (8 - rotate)) & 0xff;
      if (this.#writeMode === 3) {
        bits &= rotated;
        word = PLANES[graphics[GFX_SET_RESET]];
      } else {
        const set = PLANES[graphics[GFX_ENABLE_SET_RESET]];
        word = Math.imul(rotated, 0x01010101) & ~set | PLANES[graphics[GFX_SET_RESET]] & set;
      }
    }
    switch (graphics[GFX_DATA_ROTATE] >> 3) {
      case 1:
        word &= latch;
        break;
      case 2:
        word |= latch;
        break;
      case 3:
        word ^= latch;
        break;
    }
    const all = Math.imul(bits, 0x01010101);
    return word & all | latch & ~all;
  }
}
