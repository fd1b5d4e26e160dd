/**
 * The 256 words with which drives identify themselves (ATA/ATAPI-6, 8.15 and 8.16).
 * @module
 */

/** Bytes of the data of IDENTIFY. */
export const IDENTIFY_LENGTH = 512;

/** What drives of all kinds say. */
export interface CommonIdentity {
  /** The model. */
  readonly model: string;
  /** The serial number. */
  readonly serial: string;
  /** Whether data can be moved by DMA. */
  readonly hasDma: boolean;
  /** The modes of DMA that are chosen, -1 for none. */
  readonly mwdma: number;
  readonly udma: number;
}

const FIRMWARE = "1.0";

/** Words by name; a name that begins with a letter more often stands for the first of several words. */
const WORD = {
  SERIAL: 10,
  FIRMWARE: 23,
  MODEL: 27,
  DWORD_IO: 48,
  CAPABILITIES: 49,
  PIO_TIMING: 51,
  VALID: 53,
  MWDMA: 63,
  PIO: 64,
  CYCLE_TIMES: 65,
  UDMA: 88,
  HARDWARE_RESET: 93,
  INTEGRITY: 255,
} as const;

/** LBA and IORDY. */
const CAPABILITIES = 0x0a00;
const CAPABILITY_DMA = 0x0100;
/** Modes 0 to 2, modes 0 to 5. */
const MWDMA = 0x07, UDMA = 0x3f;
/** PIO modes 3 and 4, besides 0 to 2. */
const PIO = 3;
const CYCLE_NS = 120;
/** The cable has 80 wires, and device 0 has passed its test. */
const RESET_RESULT = 0x6001;

/** Words that are filled by their number. */
export class IdentifyWords {
  /** The data as the guest reads it. */
  readonly bytes: Uint8Array = new Uint8Array(IDENTIFY_LENGTH);
  readonly #view = new DataView(this.bytes.buffer);

  /**
   * Fills the words that drives of all kinds have.
   * @param common What they say.
   */
  constructor(common: CommonIdentity) {
    const { hasDma, mwdma, udma } = common;
    this.text(WORD.SERIAL, common.serial, 20);
    this.text(WORD.FIRMWARE, FIRMWARE, 8);
    this.text(WORD.MODEL, common.model, 40);
    this.set(WORD.DWORD_IO, 1);
    this.set(WORD.CAPABILITIES, CAPABILITIES | (hasDma ? CAPABILITY_DMA : 0));
    this.set(WORD.PIO_TIMING, 0x0200);
    this.set(WORD.VALID, hasDma ? 7 : 3);
    this.set(WORD.PIO, PIO);
    for (let i = 0; i < 4; i++) this.set(WORD.CYCLE_TIMES + i, CYCLE_NS);
    if (!hasDma) return;
    this.set(WORD.MWDMA, MWDMA | chosen(mwdma));
    this.set(WORD.UDMA, UDMA | chosen(udma));
    this.set(WORD.HARDWARE_RESET, RESET_RESULT);
  }

  /**
   * Sets a word.
   * @param word 0..255.
   * @param value Its 16 bits.
   */
  set(word: number, value: number): void {
    this.#view.setUint16(2 * word, value, true);
  }

  /**
   * Sets two words to a number.
   * @param word The first of them.
   * @param value Its 32 bits.
   */
  setLong(word: number, value: number): void {
    this.#view.setUint32(2 * word, value, true);
  }

  /**
   * Sets words to a text, the first of two characters in the upper byte.
   * @param word The first of them.
   * @param text ASCII; what is too much is cut off.
   * @param length Bytes, filled up with spaces.
   */
  text(word: number, text: string, length: number): void {
    const padded = text.slice(0, length).padEnd(length);
    for (let i = 0; i < length; i++) this.bytes[(2 * word + i) ^ 1] = padded.charCodeAt(i) & 0x7f;
  }

  /**
   * Puts the sum of all bytes in place.
   * @returns The data.
   */
  finish(): Uint8Array {
    this.set(WORD.INTEGRITY, 0x00a5);
    const sum = this.bytes.reduce((total, byte) => total + byte, 0);
    this.bytes[IDENTIFY_LENGTH - 1] = -sum;
    return this.bytes;
  }
}

function chosen(mode: number): number {
  return mode < 0 ? 0 : 0x100 << mode;
}
