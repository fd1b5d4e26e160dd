/**
 * The tables of DMTF's System Management BIOS Reference Specification 2.8: what machine this is.
 * @module
 */

import type { FirmwareMachine } from "./board.ts";

/** Where the entry point is; the structures are behind it. */
export const SMBIOS_BASE = 0xf0000;

const ENTRY_SIZE = 0x20, ENTRY_LENGTH = 0x1f, INTERMEDIATE = 0x10, INTERMEDIATE_LENGTH = 0x0f;
const MIB = 0x100000, GIB_KIB = 0x100000;
const TYPE = {
  BIOS: 0,
  SYSTEM: 1,
  CHASSIS: 3,
  PROCESSOR: 4,
  MEMORY_ARRAY: 16,
  MEMORY: 17,
  MAPPED: 19,
  BOOT: 32,
  END: 127,
} as const;
const NO_ERRORS = 0xfffe, UNKNOWN = 2, OTHER = 1, NONE = 3;
const CHASSIS_OTHER = 1, SAFE = 3;
const MAKER = "KVM12", PRODUCT = "KVM12 PC", VERSION = "1";
const RELEASED = "01/01/2026";

/** What a structure holds behind its header: bytes, and numbers of so many bytes. */
type Field = number | readonly [value: number, size: number];

/**
 * Makes the tables.
 * @param machine The machine.
 * @returns Bytes for {@linkcode SMBIOS_BASE}.
 */
export function smbios(machine: FirmwareMachine): Uint8Array {
  const { memory, memoryAbove4G = 0 } = machine;
  const megabytes = Math.floor((memory + memoryAbove4G) / MIB);
  const structures: Uint8Array[] = [];
  const add = (type: number, fields: readonly Field[], texts: readonly string[] = []): number => {
    structures.push(structure(type, structures.length, fields, texts));
    return structures.length - 1;
  };
  // No characteristics but PCI, CD, choice of what to boot, EDD; ACPI.
  const characteristics = [[1 << 7 | 1 << 15 | 1 << 16 | 1 << 19, 4], [0, 4], 0x01, 0x04] as const;
  add(TYPE.BIOS, [1, 2, [0xf000, 2], 3, 0, ...characteristics, 0xff, 0xff, 0xff, 0xff], [MAKER, VERSION, RELEASED]);
  // Serial number and UUID are not there; it was switched on.
  const uuid = new Array<number>(16).fill(0xff);
  add(TYPE.SYSTEM, [1, 2, 3, 0, ...uuid, 6, 0, 0], [MAKER, PRODUCT, VERSION]);
  add(TYPE.CHASSIS, [1, CHASSIS_OTHER, 0, 0, 0, SAFE, SAFE, SAFE, UNKNOWN, [0, 4], 0, 0, 0, 0], [MAKER]);
  const processor = [1, 3, OTHER, 2, [0, 4], [0, 4], 0, 0, [0, 2], [1000, 2], [1000, 2], 0x41, OTHER] as const;
  const noCache = [[0xffff, 2], [0xffff, 2], [0xffff, 2]] as const;
  add(TYPE.PROCESSOR, [...processor, ...noCache, 0, 0, 0, 1, 1, 1, [0, 2], [1, 2]], ["CPU 0", MAKER]);
  const large = megabytes * 1024 >= 2 ** 31;
  const kib = large ? 0x80000000 : megabytes * 1024;
  const bytes = [[large ? megabytes * MIB % 2 ** 32 : 0, 4], [
    large ? Math.floor(megabytes * MIB / 2 ** 32) : 0,
    4,
  ]] as const;
  const array = add(TYPE.MEMORY_ARRAY, [OTHER, 3, NONE, [kib, 4], [NO_ERRORS, 2], [1, 2], ...bytes]);
  const size = megabytes >= 0x7fff ? 0x7fff : megabytes;
  const device: readonly Field[] = [
    [array, 2],
    [NO_ERRORS, 2],
    [64, 2],
    [64, 2],
    [size, 2],
    9,
    0,
    1,
    0,
    7,
    [2, 2],
    [0, 2],
    0,
    0,
    0,
    0,
  ];
  add(TYPE.MEMORY, [...device, 0, [size === 0x7fff ? megabytes : 0, 4], [0, 2], [0, 2], [0, 2], [0, 2]], ["DIMM 0"]);
  add(TYPE.MAPPED, mapped(0, memory, array));
  if (memoryAbove4G > 0) add(TYPE.MAPPED, mapped(4 * GIB_KIB, memoryAbove4G, array));
  add(TYPE.BOOT, [...new Array<number>(6).fill(0), 0]);
  add(TYPE.END, []);
  return withEntryPoint(structures);
}

/** A range of memory that the array is seen at, in KiB; beyond 4 TiB it would need more fields. */
function mapped(firstKib: number, size: number, array: number): Field[] {
  return [[firstKib, 4], [firstKib + Math.floor(size / 1024) - 1, 4], [array, 2], 1, [0, 4], [0, 4], [0, 4], [0, 4]];
}

function structure(type: number, handle: number, fields: readonly Field[], texts: readonly string[]): Uint8Array {
  const body = fields.flatMap((field) => typeof field === "number" ? [field] : little(field[0], field[1]));
  const strings = texts.length === 0 ? [0] : texts.flatMap((text) => [...new TextEncoder().encode(text), 0]);
  return Uint8Array.from([type, 4 + body.length, ...little(handle, 2), ...body, ...strings, 0]);
}

function withEntryPoint(structures: readonly Uint8Array[]): Uint8Array {
  const length = structures.reduce((sum, one) => sum + one.length, 0);
  const most = Math.max(...structures.map((one) => one.length));
  const bytes = new Uint8Array(ENTRY_SIZE + length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, what: string): void => bytes.set(new TextEncoder().encode(what), at);
  text(0, "_SM_");
  bytes[5] = ENTRY_LENGTH;
  bytes.set([2, 8], 6);
  view.setUint16(8, most, true);
  text(INTERMEDIATE, "_DMI_");
  view.setUint16(0x16, length, true);
  view.setUint32(0x18, SMBIOS_BASE + ENTRY_SIZE, true);
  view.setUint16(0x1c, structures.length, true);
  bytes[0x1e] = 0x28;
  bytes[INTERMEDIATE + 5] = checksum(bytes.subarray(INTERMEDIATE, INTERMEDIATE + INTERMEDIATE_LENGTH));
  bytes[4] = checksum(bytes.subarray(0, ENTRY_LENGTH));
  let at = ENTRY_SIZE;
  for (const one of structures) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}

function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

function little(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, n) => Math.floor(value / 2 ** (8 * n)) & 0xff);
}
