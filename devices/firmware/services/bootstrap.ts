/**
 * INT 18h and 19h: loading what is to be booted.
 * @module
 */

import type { FirmwareBoard, FirmwareBootDevice } from "../board.ts";
import { FIRST_CD, FIRST_DISK } from "../drives.ts";
import { SECTOR } from "../geometry.ts";
import { type Answer, ANSWER_WAIT, linear, type ServiceFrame } from "../service_frame.ts";
import { findBootImage, storeEmulation } from "./el_torito.ts";
import { printText } from "./text_output.ts";

const BOOT = 0x7c00;
const DEFAULT_ORDER: readonly FirmwareBootDevice[] = ["floppy", "cdrom", "disk"];
/** What AX has when nothing could be booted and that has been said. */
const TOLD = 0x4e42;

/** What is to be executed. */
interface Boot {
  readonly number: number;
  readonly segment: number;
  readonly offset: number;
}

/** INT 19h: boots from the first device in order that can be booted from. */
export function bootstrap(frame: ServiceFrame, board: FirmwareBoard): Answer | void {
  storeEmulation(board.memory, undefined);
  board.drives.tell();
  for (const kind of board.machine.boot ?? DEFAULT_ORDER) {
    const boot = kind === "cdrom" ? bootCd(board) : bootSector(board, kind);
    if (boot === undefined) continue;
    frame.eax = 0xaa55;
    frame.ebx =
      frame.ecx =
      frame.esi =
      frame.edi =
        0;
    frame.edx = boot.number;
    frame.ds = frame.es = 0;
    frame.jump(boot.segment, boot.offset);
    return;
  }
  frame.ax = 0;
  return noBootDevice(frame, board);
}

/** INT 18h: says that there is nothing to boot from, and waits for Ctrl-Alt-Del. */
export function noBootDevice(frame: ServiceFrame, board: FirmwareBoard): Answer {
  if (frame.ax !== TOLD) printText(board, "No bootable device\r\n");
  frame.ax = TOLD;
  return ANSWER_WAIT;
}

/** Loads the first sector of the first floppy or disk. */
function bootSector({ drives, memory }: FirmwareBoard, kind: "floppy" | "disk"): Boot | undefined {
  const number = kind === "floppy" ? 0 : FIRST_DISK;
  const drive = drives.get(number);
  if (drive === undefined || drive.total === 0) return undefined;
  const sector = new Uint8Array(SECTOR);
  try {
    drive.disk.read(0, sector);
  } catch {
    return undefined;
  }
  if (sector[510] !== 0x55 || sector[511] !== 0xaa) return undefined;
  memory.write(BOOT, sector);
  return { number, segment: 0, offset: BOOT };
}

/** Loads the boot image of the first CD that has one. */
function bootCd({ drives, memory }: FirmwareBoard): Boot | undefined {
  for (const [device, { disk }] of drives.ofKind("cdrom").entries()) {
    if (disk === undefined) continue;
    let image: ReturnType<typeof findBootImage>;
    try {
      image = findBootImage(disk, device);
    } catch {
      image = undefined;
    }
    if (image === undefined) continue;
    storeEmulation(memory, image);
    drives.tell();
    const { segment, code, kind, number } = image;
    memory.write(linear(segment, 0), code);
    const usual = segment === BOOT >> 4;
    return {
      number: kind === "cdrom" ? FIRST_CD + device : number,
      segment: usual ? 0 : segment,
      offset: usual ? BOOT : 0,
    };
  }
  return undefined;
}
