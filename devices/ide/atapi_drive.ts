/**
 * A CD or DVD drive on ATAPI (ATA/ATAPI-6, MMC-5): a tray with an image of a data disc, which can only be read.
 * Not there: audio, writing, overlapped commands.
 * @module
 */

import type { Disk } from "../disk/disk.ts";
import { savedBytes, type SavedReader, type SavedState } from "../device.ts";
import {
  CD_SECTOR,
  eventStatus,
  getConfiguration,
  inquiry,
  MEDIA_EVENT,
  modeSense,
  readCapacity,
  readToc,
  requestSense,
  SCSI,
  SENSE,
  type Sense,
  type Tray,
  wantsMediaEvents,
} from "./atapi_replies.ts";
import { IDE_BUFFER, IdeDrive, type IdeIdentity } from "./ide_drive.ts";
import { IDENTIFY_LENGTH, IdentifyWords } from "./ide_identify.ts";
import { COMMAND, ERROR, IDE } from "./ide_registers.ts";

/** Bytes of a packet. */
const PACKET_LENGTH = 12;
/** What moves, in the register of the sector count. */
const REASON_COMMAND = 1, REASON_IN = 2;
/** Asks for DMA, and for an overlapped command, in the register of features. */
const FEATURE_DMA = 1, FEATURE_OVERLAP = 2;
/** Sectors that are read at a time, and the most bytes that the guest takes at a time. */
const CHUNK_SECTORS = Math.floor(IDE_BUFFER / CD_SECTOR) - 1;
const MOST_BYTES = 0xfffe;
/** A sector that no disc has. */
const NOWHERE = 0xffffffff;

/** What goes on. */
const IDLE = 0, IDENTIFYING = 1, PACKET = 2, ANSWER = 3;

/** A CD or DVD drive. */
export class AtapiDrive extends IdeDrive {
  protected override readonly signature = { mid: 0x14, high: 0xeb, status: 0 };
  readonly #identity: IdeIdentity;
  #disc: Disk | undefined;
  #open = false;
  #locked = false;
  #sense: Sense = SENSE.NONE;
  /** The guest is yet to be told that there is another disc. */
  #changed = false;
  #event: number = MEDIA_EVENT.NONE;
  #state: typeof IDLE | typeof IDENTIFYING | typeof PACKET | typeof ANSWER = IDLE;
  #byDma = false;
  /** The most bytes that the guest takes at a time. */
  #limit = MOST_BYTES;
  /** Bytes in the buffer, and how many of them were announced to the guest. */
  #filled = 0;
  #shown = 0;
  /** Sectors that follow, and the first of them. */
  #left = 0;
  #lba = 0;

  /**
   * Makes a drive as it is after power-up.
   * @param disc What is in it; undefined: nothing.
   * @param options How it presents itself.
   */
  constructor(disc: Disk | undefined, options: Partial<IdeIdentity> = {}) {
    super();
    this.#disc = disc;
    this.#identity = { model: options.model ?? "KVM12 DVD-ROM", serial: options.serial ?? "KVM12-0002" };
    this.reset();
  }

  /** The disc in the drive, even with the tray open; undefined: none. */
  get disc(): Disk | undefined {
    return this.#disc;
  }

  /** Whether the tray is open. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether the guest has locked the tray. */
  get locked(): boolean {
    return this.#locked;
  }

  /**
   * Puts another disc into the drive and closes the tray, as by hand and against a lock. A read that goes on fails.
   * @param disc The disc; undefined: none, and the tray stays open. The last one is not closed.
   */
  insert(disc: Disk | undefined): void {
    this.#disc = disc;
    if (this.#left > 0) this.#lba = NOWHERE;
    this.#open = disc === undefined;
    this.#mediumChanged();
  }

  protected override restoreDefaults(): void {
    this.#locked = false;
    this.#sense = SENSE.NONE;
  }

  protected override stop(): void {
    super.stop();
    this.#state = IDLE;
    this.#left = 0;
  }

  protected override execute(code: number): void {
    switch (code) {
      case COMMAND.PACKET:
        return this.#awaitPacket();
      case COMMAND.IDENTIFY_PACKET:
        return this.#identify();
      case COMMAND.DEVICE_RESET:
        this.softReset();
        return;
      case COMMAND.SET_FEATURES:
        return this.setFeature() ? this.succeed() : this.fail();
      case COMMAND.CHECK_POWER:
        this.registers[IDE.COUNT] = 0xff;
        return this.succeed();
      case COMMAND.IDLE:
      case COMMAND.IDLE_IMMEDIATE:
      case COMMAND.STANDBY:
      case COMMAND.STANDBY_IMMEDIATE:
      case COMMAND.SLEEP:
        return this.succeed();
      case COMMAND.IDENTIFY:
      case COMMAND.READ_SECTORS:
        this.showSignature();
        return this.fail();
      default:
        this.fail();
    }
  }

  protected override transferred(): void {
    switch (this.#state) {
      case PACKET:
        return this.#packet(this.buffer.slice(0, PACKET_LENGTH));
      case ANSWER:
        if (this.#shown < this.#filled) return this.#show();
        if (this.#left > 0) this.#readOn();
        else this.#end();
        return;
      default:
        this.stop();
    }
  }

  protected override saveDrive(): SavedState {
    const { key, code, qualifier } = this.#sense;
    const filled = this.#state === ANSWER ? this.#filled : 0;
    return {
      kind: 1,
      open: this.#open,
      locked: this.#locked,
      senseKey: key,
      senseCode: code,
      senseQualifier: qualifier,
      changed: this.#changed,
      event: this.#event,
      state: this.#state,
      packetByDma: this.#byDma,
      limit: this.#limit,
      filled,
      shown: Math.min(this.#shown, filled),
      left: this.#left,
      lba: this.#lba,
      rest: savedBytes(this.buffer.subarray(0, filled)),
    };
  }

  protected override prepareDrive(reader: SavedReader, moving: { direction: string; end: number }): () => void {
    reader.integer("kind", { min: 1, max: 1 });
    const open = reader.boolean("open");
    const locked = reader.boolean("locked");
    const sense: Sense = {
      key: reader.integer("senseKey", { max: 15 }),
      code: reader.integer("senseCode", { max: 0xff }),
      qualifier: reader.integer("senseQualifier", { max: 0xff }),
    };
    const changed = reader.boolean("changed");
    const event = reader.integer("event", { max: MEDIA_EVENT.REMOVED });
    const [least, most] = moving.direction === "in"
      ? [IDENTIFYING, ANSWER]
      : moving.direction === "out"
      ? [PACKET, PACKET]
      : [IDLE, IDLE];
    const state = reader.integer("state", { min: least, max: most }) as 0 | 1 | 2 | 3;
    const byDma = reader.boolean("packetByDma");
    const limit = reader.integer("limit", { min: 1, max: MOST_BYTES });
    const filled = reader.integer("filled", { max: IDE_BUFFER });
    const shown = reader.integer("shown", { max: filled });
    const left = reader.integer("left", { max: NOWHERE });
    const lba = reader.integer("lba", { max: NOWHERE });
    const rest = reader.bytes("rest", filled);
    return () => {
      this.#open = open;
      this.#locked = locked;
      this.#sense = sense;
      this.#changed = changed;
      this.#event = event;
      this.#state = state;
      this.#byDma = byDma;
      this.#limit = limit;
      this.#filled = filled;
      this.#shown = shown;
      this.#left = left;
      this.#lba = lba;
      this.buffer.set(rest);
    };
  }

  get #sectors(): number {
    return this.#open || this.#disc === undefined ? 0 : Math.floor(this.#disc.size / CD_SECTOR);
  }

  get #tray(): Tray {
    return { open: this.#open, locked: this.#locked, sectors: this.#sectors };
  }

  #mediumChanged(): void {
    const present = this.#sectors > 0;
    this.#changed = present;
    this.#event = present ? MEDIA_EVENT.NEW : MEDIA_EVENT.REMOVED;
  }

  #awaitPacket(): void {
    const features = this.registers[IDE.FEATURES];
    const byDma = (features & FEATURE_DMA) !== 0;
    if ((features & FEATURE_OVERLAP) !== 0 || (byDma && !this.host.hasDma)) return this.fail();
    this.#state = PACKET;
    this.#byDma = byDma;
    const limit = this.registers[IDE.HIGH] << 8 | this.registers[IDE.MID];
    this.#limit = limit === 0 || limit > MOST_BYTES ? MOST_BYTES : limit;
    this.registers[IDE.COUNT] = REASON_COMMAND;
    this.begin("out", { length: PACKET_LENGTH });
  }

  #packet(packet: Uint8Array): void {
    const code = packet[0];
    const asksAboutDrive = code === SCSI.INQUIRY || code === SCSI.GET_CONFIGURATION || code === SCSI.GET_EVENT_STATUS;
    if (code === SCSI.REQUEST_SENSE) {
      const sense = this.#changed && this.#sense.key === 0 ? SENSE.CHANGED : this.#sense;
      if (sense.code === SENSE.CHANGED.code) this.#changed = false;
      this.#sense = SENSE.NONE;
      return this.#answer(requestSense(sense), packet[4]);
    }
    if (this.#changed && !asksAboutDrive) {
      this.#changed = false;
      return this.#refuse(SENSE.CHANGED);
    }
    this.#sense = SENSE.NONE;
    const long = packet[7] << 8 | packet[8];
    switch (code) {
      case SCSI.INQUIRY:
        // No pages of vital data; bytes 3 and 4 are the length.
        if ((packet[1] & 1) !== 0) return this.#refuse(SENSE.BAD_FIELD);
        return this.#answer(inquiry(this.#identity.model), packet[3] << 8 | packet[4]);
      case SCSI.GET_CONFIGURATION:
        return this.#answer(getConfiguration(packet, this.#sectors), long);
      case SCSI.GET_EVENT_STATUS: {
        const answer = eventStatus(packet, this.#event, this.#tray);
        if (answer !== undefined && wantsMediaEvents(packet)) this.#event = MEDIA_EVENT.NONE;
        return this.#answer(answer, long);
      }
      case SCSI.MODE_SENSE_10:
        return this.#answer(modeSense(packet, this.#tray), long);
      case SCSI.PREVENT:
        this.#locked = (packet[4] & 1) !== 0;
        return this.#end();
      case SCSI.START_STOP_UNIT:
        return this.#startStop(packet[4]);
      case SCSI.TEST_UNIT_READY:
      case SCSI.READ_CAPACITY:
      case SCSI.READ_TOC:
      case SCSI.READ_10:
      case SCSI.READ_12:
      case SCSI.SEEK_10:
        if (this.#sectors === 0) return this.#refuse(this.#open ? SENSE.TRAY_OPEN : SENSE.NO_MEDIUM);
        return this.#withDisc(packet);
      default:
        this.#refuse(SENSE.BAD_COMMAND);
    }
  }

  #withDisc(packet: Uint8Array): void {
    const sectors = this.#sectors;
    const view = new DataView(packet.buffer);
    const lba = view.getUint32(2);
    switch (packet[0]) {
      case SCSI.READ_CAPACITY:
        return this.#answer(readCapacity(sectors));
      case SCSI.READ_TOC:
        return this.#answer(readToc(packet, sectors), view.getUint16(7));
      case SCSI.READ_10:
        return this.#read(lba, view.getUint16(7));
      case SCSI.READ_12:
        return this.#read(lba, view.getUint32(6));
      case SCSI.SEEK_10:
        if (lba >= sectors) return this.#refuse(SENSE.OUT_OF_RANGE);
    }
    this.#end();
  }

  #startStop(what: number): void {
    const START = 1, LOAD_EJECT = 2;
    if ((what & LOAD_EJECT) === 0) return this.#end();
    const open = (what & START) === 0;
    if (open && this.#locked) return this.#refuse(SENSE.PREVENTED);
    if (open !== this.#open) {
      this.#open = open;
      this.#mediumChanged();
    }
    this.#end();
  }

  #read(lba: number, count: number): void {
    if (lba + count > this.#sectors) return this.#refuse(SENSE.OUT_OF_RANGE);
    if (count === 0) return this.#end();
    this.#lba = lba;
    this.#left = count;
    this.#state = ANSWER;
    if (this.#readOn()) this.#startDma();
  }

  /** Reads the next sectors from the disc and shows them; whether that went well. */
  #readOn(): boolean {
    const count = Math.min(this.#left, CHUNK_SECTORS);
    const bytes = this.buffer.subarray(0, count * CD_SECTOR);
    try {
      if (this.#lba + count > this.#sectors) throw new RangeError("The disc has been changed");
      this.#disc!.read(this.#lba * CD_SECTOR, bytes);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#refuse(SENSE.READ_ERROR);
      return false;
    }
    this.#lba += count;
    this.#left -= count;
    this.#filled = bytes.length;
    this.#shown = 0;
    this.#show();
    return true;
  }

  /** Answers with bytes of which the guest wants at most so many; without bytes, the command has asked for what is not there. */
  #answer(bytes: Uint8Array | undefined, most: number = Infinity): void {
    if (bytes === undefined) return this.#refuse(SENSE.BAD_FIELD);
    const length = Math.min(bytes.length, most);
    if (length === 0) return this.#end();
    this.buffer.set(bytes);
    this.#filled = length;
    this.#shown = 0;
    this.#state = ANSWER;
    this.#show();
    this.#startDma();
  }

  /** Shows the guest the next piece of what is in the buffer. */
  #show(): void {
    const from = this.#shown;
    const rest = this.#filled - from;
    this.registers[IDE.COUNT] = REASON_IN;
    if (this.#byDma) {
      this.#shown = this.#filled;
      this.begin("in", { from, length: rest, byDma: true });
      return;
    }
    const length = rest <= this.#limit ? rest : Math.max(2, this.#limit & ~1);
    this.#shown = Math.min(this.#filled, from + length);
    this.registers[IDE.MID] = length;
    this.registers[IDE.HIGH] = length >> 8;
    this.begin("in", { from, length });
    this.raise();
  }

  #startDma(): void {
    if (this.#byDma) this.host.requestDma();
  }

  #end(): void {
    this.registers[IDE.COUNT] = REASON_COMMAND | REASON_IN;
    this.succeed();
  }

  #refuse(sense: Sense): void {
    this.#sense = sense;
    this.registers[IDE.COUNT] = REASON_COMMAND | REASON_IN;
    this.fail(sense.key << 4 | ERROR.ABRT);
  }

  #identify(): void {
    const { hasDma } = this.host;
    const words = new IdentifyWords({ ...this.#identity, hasDma, mwdma: this.mwdma, udma: this.udma });
    words.set(0, 0x85c0); // ATAPI, a CD drive, removable, DRQ at once, packets of 12 bytes
    words.set(80, 0x0070); // ATA/ATAPI-4 to 6
    words.set(82, 0x0210); // packets, DEVICE RESET
    words.set(83, 0x4000);
    words.set(84, 0x4000);
    words.set(85, 0x0210);
    words.set(87, 0x4000);
    this.buffer.set(words.finish());
    this.#state = IDENTIFYING;
    this.begin("in", { length: IDENTIFY_LENGTH });
    this.raise();
  }
}
