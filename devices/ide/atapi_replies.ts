/**
 * What a CD or DVD drive answers to SCSI commands (SPC-3, MMC-5), as bytes.
 * @module
 */

/** Bytes of a sector of a CD or DVD. */
export const CD_SECTOR = 2048;

/** SCSI commands. */
export const SCSI = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  START_STOP_UNIT: 0x1b,
  PREVENT: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS: 0x4a,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
} as const;

/** Why a command has failed: a key, a code and its qualifier. */
export interface Sense {
  /** The kind of failure: 0..15. */
  readonly key: number;
  /** What it was. */
  readonly code: number;
  /** More about it. */
  readonly qualifier: number;
}

/** What can fail. */
export const SENSE = {
  NONE: { key: 0, code: 0, qualifier: 0 },
  NO_MEDIUM: { key: 2, code: 0x3a, qualifier: 0x01 },
  TRAY_OPEN: { key: 2, code: 0x3a, qualifier: 0x02 },
  READ_ERROR: { key: 3, code: 0x11, qualifier: 0 },
  BAD_COMMAND: { key: 5, code: 0x20, qualifier: 0 },
  OUT_OF_RANGE: { key: 5, code: 0x21, qualifier: 0 },
  BAD_FIELD: { key: 5, code: 0x24, qualifier: 0 },
  PREVENTED: { key: 5, code: 0x53, qualifier: 0x02 },
  CHANGED: { key: 6, code: 0x28, qualifier: 0 },
} as const satisfies Record<string, Sense>;

const PROFILE_CD = 0x0008, PROFILE_DVD = 0x0010;
/** More sectors than this, 90 minutes, are no CD. */
const LONGEST_CD = 90 * 60 * 75;
const FRAMES = 75, LEAD_IN = 2 * FRAMES;
const LEAD_OUT = 0xaa;
/** A data track, its position in the Q channel. */
const DATA_TRACK = 0x14;

const MEDIUM_DATA = 0x01, MEDIUM_NONE = 0x70, MEDIUM_OPEN = 0x71;

/** What is in the tray. */
export interface Tray {
  /** Whether it is open. */
  readonly open: boolean;
  /** Whether it is locked. */
  readonly locked: boolean;
  /** How many sectors the disc has, 0 without one or with an open tray. */
  readonly sectors: number;
}

/**
 * The answer to INQUIRY.
 * @param model The model, cut to 16 characters.
 */
export function inquiry(model: string): Uint8Array {
  const bytes = new Uint8Array(36);
  bytes.set([0x05, 0x80, 0x05, 0x21, bytes.length - 5]); // a CD drive, removable, SPC-3, ATAPI
  text(bytes, { at: 8, length: 8 }, "KVM12");
  text(bytes, { at: 16, length: 16 }, model);
  text(bytes, { at: 32, length: 4 }, "1.0");
  return bytes;
}

/**
 * The answer to REQUEST SENSE.
 * @param sense What has failed.
 */
export function requestSense(sense: Sense): Uint8Array {
  const bytes = new Uint8Array(18);
  bytes.set([0x70, 0, sense.key, 0, 0, 0, 0, bytes.length - 8]);
  bytes.set([sense.code, sense.qualifier], 12);
  return bytes;
}

/**
 * The answer to READ CAPACITY.
 * @param sectors How many there are.
 */
export function readCapacity(sectors: number): Uint8Array {
  return concat(be32(sectors - 1), be32(CD_SECTOR));
}

/**
 * The answer to READ TOC: a disc with one session of one data track.
 * @param packet The command.
 * @param sectors How many the disc has.
 * @returns The answer, undefined if the command asks for something else.
 */
export function readToc(packet: Uint8Array, sectors: number): Uint8Array | undefined {
  const inMinutes = (packet[1] & 2) !== 0;
  const address = (sector: number) => inMinutes ? minutes(sector) : be32(sector);
  const track = (number: number, sector: number) => [0, DATA_TRACK, number, 0, ...address(sector)];
  const first = packet[6];
  switch (packet[2] & 0x0f || packet[9] >> 6) {
    case 0: {
      if (first > 1 && first !== LEAD_OUT) return undefined;
      return sized16([1, 1, ...(first <= 1 ? track(1, 0) : []), ...track(LEAD_OUT, sectors)]);
    }
    case 1: // the last session begins with track 1
      return sized16([1, 1, ...track(1, 0)]);
    default:
      return undefined;
  }
}

/**
 * The answer to MODE SENSE(10).
 * @param packet The command.
 * @param tray The tray.
 * @returns The answer, undefined if there is no such page.
 */
export function modeSense(packet: Uint8Array, tray: Tray): Uint8Array | undefined {
  const SAVED = 3;
  if (packet[2] >> 6 === SAVED) return undefined;
  const wanted = packet[2] & 0x3f;
  const all: readonly number[][] = [errorRecoveryPage(), capabilitiesPage(tray.locked)];
  const pages = wanted === 0x3f ? all : all.filter(([page]) => page === wanted);
  if (pages.length === 0) return undefined;
  const medium = tray.open ? MEDIUM_OPEN : tray.sectors === 0 ? MEDIUM_NONE : MEDIUM_DATA;
  return sized16([medium, 0, 0, 0, 0, 0, ...pages.flat()]);
}

/**
 * The answer to GET CONFIGURATION.
 * @param packet The command.
 * @param sectors How many the disc has, 0 without one.
 */
export function getConfiguration(packet: Uint8Array, sectors: number): Uint8Array {
  const current = sectors === 0 ? 0 : sectors > LONGEST_CD ? PROFILE_DVD : PROFILE_CD;
  const present = sectors > 0;
  const isCd = current === PROFILE_CD, isDvd = current === PROFILE_DVD;
  const features: readonly Feature[] = [
    {
      code: 0x00, // profiles
      current: true,
      data: [...be16(PROFILE_DVD), isDvd ? 1 : 0, 0, ...be16(PROFILE_CD), isCd ? 1 : 0, 0],
    },
    { code: 0x01, current: true, version: 2, data: [...be32(2), 1, 0, 0, 0] }, // core: ATAPI
    { code: 0x03, current: true, data: [0x29, 0, 0, 0] }, // a tray that can be locked
    { code: 0x10, current: present, data: [...be32(CD_SECTOR), ...be16(1), 0, 0] }, // random reads
    { code: 0x1e, current: isCd, version: 2, data: [0, 0, 0, 0] }, // reads CDs
    { code: 0x1f, current: isDvd, data: [] }, // reads DVDs
  ];
  const start = packet[2] << 8 | packet[3];
  const chosen = features.filter(({ code, current }) => {
    switch (packet[1] & 3) {
      case 0:
        return code >= start;
      case 1:
        return code >= start && current;
      default:
        return code === start;
    }
  });
  const body = [0, 0, ...be16(current), ...chosen.flatMap(featureBytes)];
  return Uint8Array.from([...be32(body.length), ...body]);
}

/** What has happened to the medium. */
export const MEDIA_EVENT = { NONE: 0, EJECT_REQUEST: 1, NEW: 2, REMOVED: 3 } as const;

/**
 * The answer to GET EVENT STATUS NOTIFICATION.
 * @param packet The command.
 * @param event What has happened to the medium since the last answer.
 * @param tray The tray.
 * @returns The answer, undefined if the drive would have to wait for an event.
 */
export function eventStatus(packet: Uint8Array, event: number, tray: Tray): Uint8Array | undefined {
  const POLLED = 1, MEDIA = 4;
  if ((packet[1] & POLLED) === 0) return undefined;
  if (!wantsMediaEvents(packet)) return Uint8Array.of(0, 2, 0x80, 1 << MEDIA);
  return Uint8Array.of(0, 6, MEDIA, 1 << MEDIA, event, (tray.open ? 1 : 0) | (tray.sectors > 0 ? 2 : 0), 0, 0);
}

/**
 * Whether GET EVENT STATUS NOTIFICATION asks for the events of the medium.
 * @param packet The command.
 */
export function wantsMediaEvents(packet: Uint8Array): boolean {
  return (packet[4] & 0x10) !== 0;
}

interface Feature {
  readonly code: number;
  readonly current: boolean;
  readonly version?: number;
  readonly data: readonly number[];
}

function featureBytes({ code, current, version = 0, data }: Feature): number[] {
  const persistent = code < 0x10 ? 2 : 0;
  return [...be16(code), version << 2 | persistent | (current ? 1 : 0), data.length, ...data];
}

function errorRecoveryPage(): number[] {
  return [0x01, 6, 0, 5, 0, 0, 0, 0];
}

/** Reads CD-R, CD-RW and DVD; has a tray; 8 MB/s or so. */
function capabilitiesPage(locked: boolean): number[] {
  const SPEED = be16(7056);
  return [0x2a, 18, 0x0b, 0, 0x70, 0, 0x29 | (locked ? 2 : 0), 0, ...SPEED, 0, 2, ...be16(512), ...SPEED, 0, 0, 0, 0];
}

/** A position in minutes, seconds and frames, which count from before the lead-in. */
function minutes(sector: number): number[] {
  const frames = sector + LEAD_IN;
  return [0, Math.floor(frames / (60 * FRAMES)) & 0xff, Math.floor(frames / FRAMES) % 60, frames % FRAMES];
}

function be16(value: number): number[] {
  return [value >> 8 & 0xff, value & 0xff];
}

function be32(value: number): number[] {
  return [value >>> 24, value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff];
}

function concat(...parts: readonly number[][]): Uint8Array {
  return Uint8Array.from(parts.flat());
}

/** An answer with its length in 16 bits before it. */
function sized16(body: readonly number[]): Uint8Array {
  return Uint8Array.from([...be16(body.length), ...body]);
}

function text(bytes: Uint8Array, { at, length }: { at: number; length: number }, value: string): void {
  const padded = value.slice(0, length).padEnd(length);
  for (let i = 0; i < length; i++) bytes[at + i] = padded.charCodeAt(i) & 0x7f;
}
