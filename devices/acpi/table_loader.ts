/**
 * ACPI's tables as firmware gets them from QEMU's fw_cfg device: two files, and a script that tells where in memory they go, which
 * fields are addresses, and which are checksums. SeaBIOS follows it.
 * @module
 */

import { ascii, join, little } from "./aml.ts";
import { type AcpiOptions, buildAcpiTables, RSDP_SIZE } from "./tables.ts";

/** Files for fw_cfg. */
export interface TableLoaderFiles {
  /** The RSDP. */
  readonly "etc/acpi/rsdp": Uint8Array;
  /** All other tables. */
  readonly "etc/acpi/tables": Uint8Array;
  /** The script. */
  readonly "etc/table-loader": Uint8Array;
}

const RSDP_FILE = "etc/acpi/rsdp";
const TABLES_FILE = "etc/acpi/tables";
const NAME_SIZE = 56;
const ENTRY_SIZE = 128;
const ALIGN = 64;
const RSDP_ALIGN = 16;

const COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;
const ZONE = { HIGH: 1, FSEG: 2 } as const;

/** Bytes of a table's header up to its checksum, and of an RSDP's. */
const TABLE_CHECKSUM = 9;
const RSDP_CHECKSUM = { old: 8, oldLength: 20, all: 32 } as const;

/**
 * Makes the files.
 * @param options What is on the board; `base` is not looked at.
 */
export function buildTableLoader(options: AcpiOptions): TableLoaderFiles {
  const { bytes, tables, pointers } = buildAcpiTables({ ...options, base: -ALIGN });
  const script = [allocate(TABLES_FILE, ALIGN, ZONE.HIGH), allocate(RSDP_FILE, RSDP_ALIGN, ZONE.FSEG)];
  for (const { at, size } of pointers) {
    script.push(at < 0 ? pointer(RSDP_FILE, at + ALIGN, size) : pointer(TABLES_FILE, at, size));
  }
  for (const { at, length } of tables) script.push(checksum(TABLES_FILE, at + TABLE_CHECKSUM, at, length));
  script.push(checksum(RSDP_FILE, RSDP_CHECKSUM.old, 0, RSDP_CHECKSUM.oldLength));
  script.push(checksum(RSDP_FILE, RSDP_CHECKSUM.all, 0, RSDP_SIZE));
  const rsdp = bytes.slice(0, RSDP_SIZE), others = bytes.slice(ALIGN);
  // What the script adds up must begin at 0.
  rsdp[RSDP_CHECKSUM.old] = rsdp[RSDP_CHECKSUM.all] = 0;
  for (const { at } of tables) others[at + TABLE_CHECKSUM] = 0;
  return { "etc/acpi/rsdp": rsdp, "etc/acpi/tables": others, "etc/table-loader": join(...script) };
}

function allocate(file: string, align: number, zone: number): Uint8Array {
  return entry(COMMAND.ALLOCATE, name(file), little(align, 4), Uint8Array.of(zone));
}

function pointer(file: string, at: number, size: number): Uint8Array {
  return entry(COMMAND.ADD_POINTER, name(file), name(TABLES_FILE), little(at, 4), Uint8Array.of(size));
}

function checksum(file: string, at: number, start: number, length: number): Uint8Array {
  return entry(COMMAND.ADD_CHECKSUM, name(file), little(at, 4), little(start, 4), little(length, 4));
}

function entry(command: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(ENTRY_SIZE);
  bytes.set(join(little(command, 4), ...parts));
  return bytes;
}

function name(file: string): Uint8Array {
  const bytes = new Uint8Array(NAME_SIZE);
  bytes.set(ascii(file));
  return bytes;
}
