/**
 * What the services of the firmware work with.
 * @module
 */

import type { Bus } from "../bus.ts";
import type { Disk } from "../disk/disk.ts";
import type { Drives } from "./drives.ts";
import type { LinearMemory } from "./linear_memory.ts";
import type { Answer, ServiceFrame } from "./service_frame.ts";

/** A drive that the firmware boots from and gives to programs by INT 13h. */
export interface FirmwareDrive {
  /** What it is. */
  readonly kind: "floppy" | "disk" | "cdrom";
  /** What is in it now; none: it is empty. */
  readonly disk: Disk | undefined;
}

/** What the firmware tries to boot from. */
export type FirmwareBootDevice = FirmwareDrive["kind"];

/** Bytes that the firmware puts into memory: ACPI and MP tables. */
export interface FirmwareTable {
  /** Guest-physical address. */
  readonly address: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
}

/** Addresses that INT 15h E820h tells about. */
export interface FirmwareRange {
  /** The first. */
  readonly base: number;
  /** How many. */
  readonly size: number;
  /** 2 reserved, 3 ACPI data, 4 ACPI non-volatile; 2 unless told. */
  readonly type?: number;
}

/** What there is to know about the machine. */
export interface FirmwareMachine {
  /** Bytes of memory from address 0 on, below 4 GiB; at least 2 MiB. */
  readonly memory: number;
  /** Bytes of memory from 4 GiB on; none unless told. */
  readonly memoryAbove4G?: number;
  /** The drives: of each kind in the order of their numbers. */
  readonly drives: readonly FirmwareDrive[];
  /** What to boot from, in turn; floppy, CD, disk unless told. */
  readonly boot?: readonly FirmwareBootDevice[];
  /** What goes into memory at each start; 0xe0000 to 0xeffff and 0xf1000 to 0xfdfff are free for it. */
  readonly tables?: readonly FirmwareTable[];
  /** Addresses that are not to be used though there is memory, or that are not what they seem. */
  readonly reserved?: readonly FirmwareRange[];
}

/** What a service has. */
export interface FirmwareBoard {
  /** The machine. */
  readonly machine: FirmwareMachine;
  /** The I/O ports. */
  readonly ports: Bus;
  /** Memory, as the caller sees it. */
  readonly memory: LinearMemory;
  /** The drives, by the numbers of INT 13h. */
  readonly drives: Drives;
  /** Whether the A20 gate is open. */
  readonly a20: () => boolean;
}

/** A service: does what the registers ask for, and changes them. Without an answer it is done. */
export type Service = (frame: ServiceFrame, board: FirmwareBoard) => Answer | void;
