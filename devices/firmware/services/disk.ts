/**
 * INT 13h: disks, floppies and CDs. The services work on the disks' contents, without the controllers.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { type BiosDrive, FIRST_CD, FIRST_DISK } from "../drives.ts";
import { SECTOR } from "../geometry.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { diskExtensions } from "./disk_extensions.ts";
import { DISK_STATUS } from "./disk_status.ts";
import { emulationService } from "./el_torito.ts";

const MOST_SECTORS = 128;
const TYPE_FLOPPY_WITH_CHANGE_LINE = 2, TYPE_DISK = 3;
/** The diskette parameter table in the ROM. */
const PARAMETERS_SEGMENT = 0xf000, PARAMETERS_OFFSET = 0xefc7;

/** INT 13h. */
export function diskService(frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory } = board;
  const { dl, ah } = frame;
  const place = dl < FIRST_DISK ? BDA.FLOPPY_STATUS : BDA.DISK_STATUS;
  if (ah === 0x01) {
    frame.ah = memory.get8(place);
    frame.carry = frame.ah !== 0;
    return;
  }
  let status: number;
  try {
    status = serve(frame, board);
  } catch {
    // The host cannot read or write: for the guest that is a broken disk.
    status = dl < FIRST_DISK ? DISK_STATUS.SEEK : DISK_STATUS.CONTROLLER;
  }
  // What AH=15h gives in AH is no status.
  if (status !== NO_STATUS) frame.ah = status;
  frame.carry = status > 0;
  memory.set8(place, Math.max(0, status));
}

/** AH holds something else. */
const NO_STATUS = -1;

function serve(frame: ServiceFrame, board: FirmwareBoard): number {
  const { ah, dl } = frame;
  if (ah === 0x4b) return emulationService(frame, board);
  const { drives } = board;
  if (ah === 0x08) return parameters(frame, board);
  if (ah === 0x15) return driveType(frame, board);
  if (!drives.exists(dl)) return DISK_STATUS.BAD_COMMAND;
  const drive = drives.get(dl);
  if (ah >= 0x41 && ah <= 0x4e) return diskExtensions(frame, board, drive);
  switch (ah) {
    case 0x00: // reset
    case 0x0d:
      drive?.disk.flush();
      return DISK_STATUS.OK;
    case 0x02:
    case 0x03:
    case 0x04:
      return transfer(frame, board, drive, ah);
    case 0x05: // format a track
      return drive === undefined ? DISK_STATUS.TIMEOUT : format(frame, drive);
    case 0x09: // initialise with parameters
    case 0x0c: // seek
    case 0x10: // ready
    case 0x11: // recalibrate
    case 0x14: // diagnostics
      return dl >= FIRST_DISK ? DISK_STATUS.OK : DISK_STATUS.BAD_COMMAND;
    case 0x16: // change line
      return drive === undefined ? DISK_STATUS.TIMEOUT : DISK_STATUS.OK;
    case 0x17: // type for formatting
    case 0x18:
      return mediaType(frame, drive);
    default:
      return DISK_STATUS.BAD_COMMAND;
  }
}

/** AH=02h read, 03h write, 04h verify. */
function transfer(frame: ServiceFrame, board: FirmwareBoard, drive: BiosDrive | undefined, action: number): number {
  const count = frame.al;
  if (drive === undefined) {
    frame.al = 0;
    return DISK_STATUS.TIMEOUT;
  }
  const first = sectorOf(frame, drive);
  if (count === 0 || count > MOST_SECTORS || drive.kind === "cdrom") return DISK_STATUS.BAD_COMMAND;
  if (first === undefined || first + count > drive.total) {
    frame.al = 0;
    return drive.kind === "floppy" ? DISK_STATUS.NOT_FOUND : DISK_STATUS.BAD_COMMAND;
  }
  if (action === 0x04) return DISK_STATUS.OK;
  const at = linear(frame.es, frame.bx);
  const bytes = new Uint8Array(count * SECTOR);
  const offset = drive.offset + first * SECTOR;
  if (action === 0x02) {
    drive.disk.read(offset, bytes);
    board.memory.write(at, bytes);
  } else {
    if (drive.readonly) {
      frame.al = 0;
      return DISK_STATUS.WRITE_PROTECTED;
    }
    board.memory.read(at, bytes);
    drive.disk.write(offset, bytes);
  }
  return DISK_STATUS.OK;
}

/** The sector that CX and DH name; none: there is no such place. */
function sectorOf(frame: ServiceFrame, drive: BiosDrive): number | undefined {
  const { heads, sectors } = drive.geometry;
  const cylinder = frame.ch | (frame.cl & 0xc0) << 2;
  const sector = frame.cl & 0x3f;
  if (sector === 0 || sector > sectors || frame.dh >= heads) return undefined;
  return (cylinder * heads + frame.dh) * sectors + sector - 1;
}

/** AH=05h: a formatted track is full of F6h. */
function format(frame: ServiceFrame, drive: BiosDrive): number {
  if (drive.readonly) return DISK_STATUS.WRITE_PROTECTED;
  if (drive.kind !== "floppy") return DISK_STATUS.BAD_COMMAND;
  const { cylinders, heads, sectors } = drive.geometry;
  if (frame.ch >= cylinders || frame.dh >= heads) return DISK_STATUS.SEEK;
  const first = (frame.ch * heads + frame.dh) * sectors;
  const count = Math.min(sectors, drive.total - first);
  if (count > 0) drive.disk.write(first * SECTOR, new Uint8Array(count * SECTOR).fill(0xf6));
  return DISK_STATUS.OK;
}

/** AH=08h. */
function parameters(frame: ServiceFrame, board: FirmwareBoard): number {
  const { drives } = board;
  const { dl } = frame;
  const kind = dl < FIRST_DISK ? "floppy" : "disk";
  const drive = dl < FIRST_CD ? drives.get(dl) : undefined;
  const count = drives.count(kind);
  if (drive === undefined && !(kind === "floppy" && drives.exists(dl))) {
    frame.ax =
      frame.bx =
      frame.cx =
      frame.dx =
        0;
    if (kind === "disk") return DISK_STATUS.BAD_DRIVE;
    frame.es = frame.di = 0;
    frame.dl = count;
    return DISK_STATUS.OK;
  }
  // An empty floppy drive is one of 1.44 MB.
  const { cylinders, heads, sectors } = drive?.geometry ?? { cylinders: 80, heads: 2, sectors: 18 };
  const last = cylinders - 1;
  frame.ax = 0;
  frame.ch = last & 0xff;
  frame.cl = sectors | (last & 0x300) >> 2;
  frame.dh = heads - 1;
  frame.dl = count;
  if (kind === "floppy") {
    frame.bx = drive?.floppyType ?? 4;
    frame.es = PARAMETERS_SEGMENT;
    frame.di = PARAMETERS_OFFSET;
  }
  return DISK_STATUS.OK;
}

/** AH=15h. */
function driveType(frame: ServiceFrame, board: FirmwareBoard): number {
  const { drives } = board;
  const { dl } = frame;
  const drive = drives.get(dl);
  if (!drives.exists(dl) || dl >= FIRST_CD) {
    frame.ah = 0;
    return NO_STATUS;
  }
  if (dl < FIRST_DISK) {
    frame.ah = TYPE_FLOPPY_WITH_CHANGE_LINE;
    return NO_STATUS;
  }
  const total = Math.min(drive?.total ?? 0, 0xffffffff);
  frame.ah = TYPE_DISK;
  frame.cx = total >>> 16;
  frame.dx = total & 0xffff;
  return NO_STATUS;
}

/** AH=17h and 18h. */
function mediaType(frame: ServiceFrame, drive: BiosDrive | undefined): number {
  if (drive?.kind !== "floppy") return drive === undefined ? DISK_STATUS.TIMEOUT : DISK_STATUS.BAD_COMMAND;
  if (frame.ah === 0x17) return DISK_STATUS.OK;
  const { cylinders, sectors } = drive.geometry;
  if (frame.ch + 1 !== cylinders || (frame.cl & 0x3f) !== sectors) return DISK_STATUS.NOT_SUPPORTED_MEDIA;
  frame.es = PARAMETERS_SEGMENT;
  frame.di = PARAMETERS_OFFSET;
  return DISK_STATUS.OK;
}
