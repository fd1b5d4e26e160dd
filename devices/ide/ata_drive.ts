/**
 * A hard disk on ATA (ATA/ATAPI-6): cylinders, heads and sectors, LBA of 28 and of 48 bits, data by programmed I/O and by DMA.
 * Not there: SMART, security, a protected area, command queues.
 * @module
 */

import type { Disk } from "../disk/disk.ts";
import type { SavedReader, SavedState } from "../device.ts";
import { IDE_BUFFER, IdeDrive, type IdeIdentity } from "./ide_drive.ts";
import { IDENTIFY_LENGTH, IdentifyWords } from "./ide_identify.ts";
import { COMMAND, DEVICE, ERROR, FEATURE, IDE } from "./ide_registers.ts";

/** Bytes of a sector. */
export const ATA_SECTOR = 512;
/** The most sectors that READ MULTIPLE and WRITE MULTIPLE move at a time. */
export const ATA_MULTIPLE = 16;

/** How a drive presents itself. */
export interface AtaDriveOptions extends Partial<IdeIdentity> {
  /** How it is divided for guests that know no LBA: at most 16,383 cylinders, 16 heads, 63 sectors; unless told, 16 and 63. */
  readonly geometry?: { readonly cylinders: number; readonly heads: number; readonly sectors: number };
}

const MOST_CYLINDERS = 16_383, HEADS = 16, SECTORS = 63;
const LBA28_SECTORS = 0x0fffffff;
const DMA_SECTORS = IDE_BUFFER / ATA_SECTOR;

/** What goes on. */
const IDLE = 0, REPLY = 1, READ = 2, WRITE = 3;

const POWER_STANDBY = 0x00, POWER_ACTIVE = 0xff;

/** A hard disk. */
export class AtaDrive extends IdeDrive {
  /** What is in it. */
  readonly disk: Disk;
  /** How many sectors it has. */
  readonly sectors: number;
  protected override readonly signature = { mid: 0, high: 0, status: 0x50 };
  readonly #identity: IdeIdentity;
  readonly #geometry: { readonly cylinders: number; readonly heads: number; readonly sectors: number };
  /** The division that the guest has chosen. */
  #heads = HEADS;
  #perTrack = SECTORS;
  /** Sectors of a block of READ MULTIPLE, 0 for none. Linux sets none, but uses what it finds. */
  #multiple = ATA_MULTIPLE;
  #writeCache = true;
  #standby = false;
  #state: typeof IDLE | typeof REPLY | typeof READ | typeof WRITE = IDLE;
  /** The first sector of the block being moved, sectors left with this block, and in this block. */
  #lba = 0;
  #left = 0;
  #block = 0;
  /** The most sectors of a block. */
  #most = 1;
  #ext = false;
  #byDma = false;

  /**
   * Makes a drive as it is after power-up.
   * @param disk What is in it; whole sectors count.
   * @param options How it presents itself.
   */
  constructor(disk: Disk, options: AtaDriveOptions = {}) {
    super();
    this.disk = disk;
    this.sectors = Math.floor(disk.size / ATA_SECTOR);
    this.#identity = { model: options.model ?? "KVM12 HARDDISK", serial: options.serial ?? "KVM12-0001" };
    this.#geometry = options.geometry ?? {
      cylinders: Math.min(MOST_CYLINDERS, Math.floor(this.sectors / (HEADS * SECTORS))),
      heads: HEADS,
      sectors: SECTORS,
    };
    this.reset();
  }

  protected override restoreDefaults(): void {
    this.#heads = this.#geometry.heads;
    this.#perTrack = this.#geometry.sectors;
    this.#multiple = ATA_MULTIPLE;
    this.#writeCache = true;
    this.#standby = false;
  }

  protected override stop(): void {
    super.stop();
    this.#state = IDLE;
  }

  protected override execute(code: number): void {
    switch (code) {
      case COMMAND.READ_SECTORS:
      case COMMAND.READ_SECTORS_ONCE:
        return this.#start(READ, { most: 1 });
      case COMMAND.READ_SECTORS_EXT:
        return this.#start(READ, { most: 1, ext: true });
      case COMMAND.READ_MULTIPLE:
        return this.#start(READ, { most: this.#multiple });
      case COMMAND.READ_MULTIPLE_EXT:
        return this.#start(READ, { most: this.#multiple, ext: true });
      case COMMAND.READ_DMA:
      case COMMAND.READ_DMA_ONCE:
        return this.#start(READ, { most: DMA_SECTORS, byDma: true });
      case COMMAND.READ_DMA_EXT:
        return this.#start(READ, { most: DMA_SECTORS, byDma: true, ext: true });
      case COMMAND.WRITE_SECTORS:
      case COMMAND.WRITE_SECTORS_ONCE:
        return this.#start(WRITE, { most: 1 });
      case COMMAND.WRITE_SECTORS_EXT:
        return this.#start(WRITE, { most: 1, ext: true });
      case COMMAND.WRITE_MULTIPLE:
        return this.#start(WRITE, { most: this.#multiple });
      case COMMAND.WRITE_MULTIPLE_EXT:
        return this.#start(WRITE, { most: this.#multiple, ext: true });
      case COMMAND.WRITE_DMA:
      case COMMAND.WRITE_DMA_ONCE:
        return this.#start(WRITE, { most: DMA_SECTORS, byDma: true });
      case COMMAND.WRITE_DMA_EXT:
        return this.#start(WRITE, { most: DMA_SECTORS, byDma: true, ext: true });
      case COMMAND.VERIFY:
      case COMMAND.VERIFY_ONCE:
        return this.#verify(false);
      case COMMAND.VERIFY_EXT:
        return this.#verify(true);
      case COMMAND.FLUSH_CACHE:
      case COMMAND.FLUSH_CACHE_EXT:
        return works(() => this.disk.flush()) ? this.succeed() : this.fail();
      case COMMAND.IDENTIFY:
        return this.#identify();
      case COMMAND.INITIALIZE_PARAMETERS:
        return this.#setGeometry();
      case COMMAND.SET_MULTIPLE:
        return this.#setMultiple();
      case COMMAND.SET_FEATURES:
        return this.setFeature() ? this.succeed() : this.fail();
      case COMMAND.CHECK_POWER:
      case COMMAND.CHECK_POWER_OLD:
        this.registers[IDE.COUNT] = this.#standby ? POWER_STANDBY : POWER_ACTIVE;
        return this.succeed();
      case COMMAND.IDLE:
      case COMMAND.IDLE_OLD:
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.IDLE_IMMEDIATE_OLD:
        this.#standby = false;
        return this.succeed();
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.STANDBY_IMMEDIATE_OLD:
      case COMMAND.SLEEP:
      case COMMAND.SLEEP_OLD:
        this.#standby = true;
        return works(() => this.disk.flush()) ? this.succeed() : this.fail();
      case COMMAND.STANDBY:
      case COMMAND.STANDBY_OLD:
        return this.succeed();
    }
    const family = code & 0xf0; // the lower bits were the rate of steps once
    if (family === COMMAND.RECALIBRATE) return this.succeed();
    if (family === COMMAND.SEEK) return this.#check(false) === undefined ? this.fail(ERROR.IDNF) : this.succeed();
    this.fail();
  }

  protected override setFeature(): boolean {
    const feature = this.registers[IDE.FEATURES];
    if (feature === FEATURE.WRITE_CACHE) this.#writeCache = true;
    else if (feature === FEATURE.NO_WRITE_CACHE) {
      this.#writeCache = false;
      return works(() => this.disk.flush());
    } else return super.setFeature();
    return true;
  }

  protected override transferred(): void {
    switch (this.#state) {
      case READ:
        return this.#goOn();
      case WRITE:
        if (!this.#writeBlock()) return;
        return this.#goOn();
      default:
        this.stop();
    }
  }

  protected override saveDrive(): SavedState {
    return {
      kind: 0,
      heads: this.#heads,
      perTrack: this.#perTrack,
      multiple: this.#multiple,
      writeCache: this.#writeCache,
      standby: this.#standby,
      state: this.#state,
      lba: this.#lba,
      left: this.#left,
      block: this.#block,
      most: this.#most,
      ext: this.#ext,
      sectorsByDma: this.#byDma,
    };
  }

  protected override prepareDrive(reader: SavedReader, moving: { direction: string; end: number }): () => void {
    reader.integer("kind", { max: 0 });
    const heads = reader.integer("heads", { min: 1, max: 16 });
    const perTrack = reader.integer("perTrack", { min: 1, max: 255 });
    const multiple = reader.integer("multiple", { max: ATA_MULTIPLE });
    const writeCache = reader.boolean("writeCache");
    const standby = reader.boolean("standby");
    const least = moving.direction === "in" ? REPLY : moving.direction === "out" ? WRITE : IDLE;
    const most = moving.direction === "in" ? READ : least;
    const state = reader.integer("state", { min: least, max: most }) as 0 | 1 | 2 | 3;
    const lba = reader.integer("lba", { max: this.sectors });
    const moves = state === READ || state === WRITE;
    const size = moves ? Math.ceil(moving.end / ATA_SECTOR) : 0;
    const block = reader.integer("block", moves ? { min: size, max: size } : { max: DMA_SECTORS });
    const left = reader.integer("left", moves ? { min: block, max: this.sectors - lba } : { max: 0x10000 });
    const blockMost = reader.integer("most", { min: moves ? block : 1, max: DMA_SECTORS });
    const ext = reader.boolean("ext");
    const byDma = reader.boolean("sectorsByDma");
    return () => {
      this.#heads = heads;
      this.#perTrack = perTrack;
      this.#multiple = multiple;
      this.#writeCache = writeCache;
      this.#standby = standby;
      this.#state = state;
      this.#lba = lba;
      this.#left = left;
      this.#block = block;
      this.#most = blockMost;
      this.#ext = ext;
      this.#byDma = byDma;
    };
  }

  /** Begins to read or write sectors, with at most so many of them a block. */
  #start(
    state: typeof READ | typeof WRITE,
    how: { readonly most: number; readonly byDma?: boolean; readonly ext?: boolean },
  ): void {
    const { most, byDma = false, ext = false } = how;
    if (most === 0 || (byDma && !this.host.hasDma)) return this.fail();
    if (state === WRITE && this.disk.readonly) return this.fail();
    const first = this.#check(ext);
    if (first === undefined) return this.fail(ERROR.IDNF);
    this.#standby = false;
    this.#state = state;
    this.#lba = first;
    this.#left = this.#count(ext);
    this.#most = most;
    this.#ext = ext;
    this.#byDma = byDma;
    if (!this.#beginBlock()) return;
    if (byDma) this.host.requestDma();
    else if (state === READ) this.raise();
  }

  /** Goes to the next block, or ends the command. */
  #goOn(): void {
    this.#lba += this.#block;
    this.#left -= this.#block;
    if (this.#left > 0) {
      if (this.#beginBlock() && !this.#byDma) this.raise();
      return;
    }
    const interrupts = this.#byDma || this.#state === WRITE;
    this.#showAddress(this.#lba - 1, this.#ext);
    this.#showCount(0, this.#ext);
    this.stop();
    if (interrupts) this.raise();
  }

  /** Begins to move a block, for which the disk is read before; whether that went well. */
  #beginBlock(): boolean {
    const block = this.#block = Math.min(this.#left, this.#most);
    const length = block * ATA_SECTOR;
    if (this.#state === READ) {
      const bad = this.#read(this.#lba, this.buffer.subarray(0, length));
      if (bad !== undefined) return this.#failAt(bad, ERROR.UNC);
    }
    this.begin(this.#state === READ ? "in" : "out", { length, byDma: this.#byDma });
    return true;
  }

  /** Writes the block that has come; whether that went well. */
  #writeBlock(): boolean {
    const bytes = this.buffer.subarray(0, this.#block * ATA_SECTOR);
    const bad = firstBad(bytes, (at, part) => this.disk.write(this.#lba * ATA_SECTOR + at, part));
    if (bad !== undefined) return this.#failAt(this.#lba + bad, ERROR.ABRT);
    if (!this.#writeCache && !works(() => this.disk.flush())) return this.#failAt(this.#lba, ERROR.ABRT);
    return true;
  }

  /** Reads sectors; the first one that cannot be read. */
  #read(first: number, into: Uint8Array): number | undefined {
    const bad = firstBad(into, (at, part) => this.disk.read(first * ATA_SECTOR + at, part));
    return bad === undefined ? undefined : first + bad;
  }

  #failAt(lba: number, error: number): false {
    this.#showAddress(lba, this.#ext);
    this.#showCount(Math.min(this.#left, this.#ext ? 0xffff : 0xff), this.#ext);
    this.fail(error);
    return false;
  }

  #verify(ext: boolean): void {
    const first = this.#check(ext);
    if (first === undefined) return this.fail(ERROR.IDNF);
    this.#ext = ext;
    this.#left = this.#count(ext);
    for (let done = 0; done < this.#left;) {
      const count = Math.min(this.#left - done, DMA_SECTORS);
      const bad = this.#read(first + done, this.buffer.subarray(0, count * ATA_SECTOR));
      if (bad !== undefined) {
        this.#failAt(bad, ERROR.UNC);
        return;
      }
      done += count;
    }
    this.#showAddress(first + this.#left - 1, ext);
    this.#showCount(0, ext);
    this.succeed();
  }

  /** The first sector of a command, undefined if not all of them are on the disk; its address is shown then. */
  #check(ext: boolean): number | undefined {
    const first = this.#address(ext);
    if (first !== undefined && first + this.#count(ext) <= this.sectors) return first;
    if (first !== undefined) this.#showAddress(Math.max(first, this.sectors), ext);
    return undefined;
  }

  #count(ext: boolean): number {
    return ext ? this.wide(IDE.COUNT) || 0x10000 : this.registers[IDE.COUNT] || 0x100;
  }

  #address(ext: boolean): number | undefined {
    const { registers } = this;
    if (ext) {
      const [low, mid, high] = [this.wide(IDE.LOW), this.wide(IDE.MID), this.wide(IDE.HIGH)];
      return (high >> 8) * 2 ** 40 + (mid >> 8) * 2 ** 32 + (low >> 8) * 2 ** 24 +
        ((high & 0xff) << 16 | (mid & 0xff) << 8 | low & 0xff);
    }
    const head = registers[IDE.DEVICE] & DEVICE.HEAD;
    if ((registers[IDE.DEVICE] & DEVICE.LBA) !== 0) {
      return head << 24 | registers[IDE.HIGH] << 16 | registers[IDE.MID] << 8 | registers[IDE.LOW];
    }
    const sector = registers[IDE.LOW];
    if (sector < 1 || sector > this.#perTrack || head >= this.#heads) return undefined;
    const cylinder = registers[IDE.HIGH] << 8 | registers[IDE.MID];
    return (cylinder * this.#heads + head) * this.#perTrack + sector - 1;
  }

  /** Shows an address in the registers, in the form in which the command gave it. */
  #showAddress(lba: number, ext: boolean): void {
    const { registers } = this;
    if (ext) {
      this.setWide(IDE.LOW, Math.floor(lba / 2 ** 24) % 0x100 << 8 | lba % 0x100);
      this.setWide(IDE.MID, Math.floor(lba / 2 ** 32) % 0x100 << 8 | Math.floor(lba / 0x100) % 0x100);
      this.setWide(IDE.HIGH, Math.floor(lba / 2 ** 40) % 0x100 << 8 | Math.floor(lba / 0x10000) % 0x100);
      return;
    }
    let head: number;
    if ((registers[IDE.DEVICE] & DEVICE.LBA) !== 0) {
      registers[IDE.LOW] = lba;
      registers[IDE.MID] = lba >> 8;
      registers[IDE.HIGH] = lba >> 16;
      head = lba >> 24;
    } else {
      const track = Math.floor(lba / this.#perTrack);
      const cylinder = Math.floor(track / this.#heads);
      registers[IDE.LOW] = lba % this.#perTrack + 1;
      registers[IDE.MID] = cylinder;
      registers[IDE.HIGH] = cylinder >> 8;
      head = track % this.#heads;
    }
    registers[IDE.DEVICE] = registers[IDE.DEVICE] & ~DEVICE.HEAD | head & DEVICE.HEAD;
  }

  #showCount(count: number, ext: boolean): void {
    if (ext) this.setWide(IDE.COUNT, count);
    else this.registers[IDE.COUNT] = count;
  }

  #setGeometry(): void {
    const sectors = this.registers[IDE.COUNT];
    if (sectors === 0) return this.fail();
    this.#perTrack = sectors;
    this.#heads = (this.registers[IDE.DEVICE] & DEVICE.HEAD) + 1;
    this.succeed();
  }

  #setMultiple(): void {
    const sectors = this.registers[IDE.COUNT];
    if (sectors > ATA_MULTIPLE || (sectors & (sectors - 1)) !== 0) return this.fail();
    this.#multiple = sectors;
    this.succeed();
  }

  #identify(): void {
    const { hasDma } = this.host;
    const words = new IdentifyWords({ ...this.#identity, hasDma, mwdma: this.mwdma, udma: this.udma });
    const { cylinders, heads, sectors } = this.#geometry;
    const perCylinder = this.#heads * this.#perTrack;
    const current = Math.min(0xffff, Math.floor(this.sectors / perCylinder));
    const longAddresses = this.sectors > LBA28_SECTORS;
    words.set(0, 0x0040); // a fixed disk
    words.set(1, cylinders);
    words.set(3, heads);
    words.set(4, sectors * ATA_SECTOR);
    words.set(5, ATA_SECTOR);
    words.set(6, sectors);
    words.set(20, 3); // a cache for reads
    words.set(21, ATA_MULTIPLE);
    words.set(22, 4);
    words.set(47, 0x8000 | ATA_MULTIPLE);
    words.set(50, 0x4000);
    words.set(52, 0x0200);
    words.set(54, current);
    words.set(55, this.#heads);
    words.set(56, this.#perTrack);
    words.setLong(57, current * perCylinder);
    words.set(59, this.#multiple === 0 ? 0 : 0x0100 | this.#multiple);
    words.setLong(60, longAddresses ? LBA28_SECTORS : this.sectors);
    words.set(80, 0x0070); // ATA/ATAPI-4 to 6
    words.set(82, 0x4020); // NOP, a write cache
    words.set(83, 0x7400); // FLUSH CACHE (EXT), 48-bit addresses
    words.set(84, 0x4000);
    words.set(85, 0x4000 | (this.#writeCache ? 0x0020 : 0));
    words.set(86, 0x3400);
    words.set(87, 0x4000);
    words.setLong(100, this.sectors % 2 ** 32);
    words.setLong(102, Math.floor(this.sectors / 2 ** 32));
    this.buffer.set(words.finish());
    this.#state = REPLY;
    this.begin("in", { length: IDENTIFY_LENGTH });
    this.raise();
  }
}

/** Whether the host did it. */
function works(doIt: () => void): boolean {
  try {
    doIt();
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return false;
  }
}

/** Moves sectors together or, if the host fails, one by one; the number of the first that fails, undefined if all went well. */
function firstBad(bytes: Uint8Array, move: (at: number, part: Uint8Array) => void): number | undefined {
  if (works(() => move(0, bytes))) return undefined;
  for (let at = 0; at < bytes.length; at += ATA_SECTOR) {
    if (!works(() => move(at, bytes.subarray(at, at + ATA_SECTOR)))) return at / ATA_SECTOR;
  }
  return undefined;
}
