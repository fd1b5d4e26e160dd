/**
 * INT 13h AH=41h to 4Eh: the extensions of the Enhanced Disk Drive specification, with sectors by their numbers.
 * @module
 */

import type { FirmwareBoard } from "../board.ts";
import { type BiosDrive, FIRST_CD, FIRST_DISK } from "../drives.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { DISK_STATUS } from "./disk_status.ts";

/** What AH=41h gives: version 3.0; extended access, removable drives, parameters. */
const VERSION = 0x30, SUPPORTED = 0x0007;
const SIGNATURE = 0x55aa, SIGNATURE_ANSWER = 0xaa55;
const PACKET = 16, LONG_PACKET = 24;
const FAR_AWAY = 0xffffffff;
const PARAMETERS_1 = 26, PARAMETERS_2 = 30;
const FLAG_DMA_TRANSPARENT = 0x01,
  FLAG_GEOMETRY_VALID = 0x02,
  FLAG_REMOVABLE = 0x04,
  FLAG_LOCKABLE = 0x20,
  FLAG_CHANGE_LINE = 0x10;
/** Sectors at a time. */
const CHUNK = 128;

/**
 * The extensions.
 * @param frame The registers.
 * @param board The board.
 * @param drive The drive that DL names; none: it is empty.
 * @returns The status.
 * @throws Error The host cannot read or write.
 */
export function diskExtensions(frame: ServiceFrame, board: FirmwareBoard, drive: BiosDrive | undefined): number {
  const { ah, dl } = frame;
  if (dl < FIRST_DISK) return DISK_STATUS.BAD_COMMAND;
  const removable = dl >= FIRST_CD;
  switch (ah) {
    case 0x41:
      if (frame.bx !== SIGNATURE) return DISK_STATUS.BAD_COMMAND;
      frame.bx = SIGNATURE_ANSWER;
      frame.cx = SUPPORTED;
      return answer(frame, VERSION);
    case 0x42: // read
    case 0x43: // write
    case 0x44: // verify
    case 0x47: // seek
      return drive === undefined ? DISK_STATUS.NO_MEDIA : transfer(frame, board, drive);
    case 0x45: // lock
      if (frame.al > 2) return DISK_STATUS.BAD_COMMAND;
      frame.al = 0;
      return DISK_STATUS.OK;
    case 0x46: // eject
      return removable ? DISK_STATUS.NOT_LOCKED : DISK_STATUS.NOT_REMOVABLE;
    case 0x48:
      return drive === undefined ? DISK_STATUS.NO_MEDIA : parameters(frame, board, drive);
    case 0x49: // changed?
      return drive === undefined ? DISK_STATUS.NO_MEDIA : DISK_STATUS.OK;
    case 0x4e: // how the hardware transfers
      return frame.al <= 6 ? DISK_STATUS.OK : DISK_STATUS.BAD_COMMAND;
    default:
      return DISK_STATUS.BAD_COMMAND;
  }
}

/** AH=41h is the one success with something else than 0 in AH; `diskService` must not take it for a failure. */
function answer(frame: ServiceFrame, version: number): number {
  frame.ah = version;
  return -1;
}

function transfer(frame: ServiceFrame, board: FirmwareBoard, drive: BiosDrive): number {
  const { memory } = board;
  const { ah } = frame;
  const packet = linear(frame.ds, frame.si);
  const size = memory.get8(packet);
  if (size < PACKET) return DISK_STATUS.BAD_COMMAND;
  const count = memory.get16(packet + 2);
  const offset = memory.get16(packet + 4), segment = memory.get16(packet + 6);
  const first = memory.get32(packet + 8) + memory.get32(packet + 12) * 2 ** 32;
  if (first + count > drive.total) {
    memory.set16(packet + 2, 0);
    return DISK_STATUS.BAD_COMMAND;
  }
  if (ah === 0x44 || ah === 0x47) return DISK_STATUS.OK;
  if (ah === 0x43 && drive.readonly) {
    memory.set16(packet + 2, 0);
    return DISK_STATUS.WRITE_PROTECTED;
  }
  const far = offset === 0xffff && segment === 0xffff && size >= LONG_PACKET;
  const at = far ? memory.get32(packet + 16) + memory.get32(packet + 20) * 2 ** 32 : linear(segment, offset);
  const { sectorSize, disk } = drive;
  for (let done = 0; done < count; done += CHUNK) {
    const bytes = new Uint8Array(Math.min(CHUNK, count - done) * sectorSize);
    const place = drive.offset + (first + done) * sectorSize, target = at + done * sectorSize;
    if (ah === 0x42) {
      disk.read(place, bytes);
      memory.write(target, bytes);
    } else {
      memory.read(target, bytes);
      disk.write(place, bytes);
    }
  }
  return DISK_STATUS.OK;
}

/** AH=48h. */
function parameters(frame: ServiceFrame, board: FirmwareBoard, drive: BiosDrive): number {
  const { memory } = board;
  const at = linear(frame.ds, frame.si);
  const room = memory.get16(at);
  if (room < PARAMETERS_1) return DISK_STATUS.BAD_COMMAND;
  const length = room >= PARAMETERS_2 ? PARAMETERS_2 : PARAMETERS_1;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const { total, sectorSize, geometry } = drive;
  const cd = drive.kind === "cdrom";
  view.setUint16(0, length, true);
  view.setUint16(
    2,
    FLAG_DMA_TRANSPARENT | (cd ? FLAG_REMOVABLE | FLAG_CHANGE_LINE | FLAG_LOCKABLE : FLAG_GEOMETRY_VALID),
    true,
  );
  view.setUint32(4, cd ? FAR_AWAY : geometry.cylinders, true);
  view.setUint32(8, cd ? FAR_AWAY : geometry.heads, true);
  view.setUint32(12, cd ? FAR_AWAY : geometry.sectors, true);
  view.setUint32(16, total % 2 ** 32, true);
  view.setUint32(20, Math.floor(total / 2 ** 32), true);
  view.setUint16(24, sectorSize, true);
  // No further parameters of the controller.
  if (length >= PARAMETERS_2) view.setUint32(26, FAR_AWAY, true);
  memory.write(at, bytes);
  return DISK_STATUS.OK;
}
