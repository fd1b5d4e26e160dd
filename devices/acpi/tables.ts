/**
 * The ACPI tables of the board (specification 6.4, chapter 5): RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET and DSDT, one behind the
 * other in one piece of memory.
 * @module
 */

import { ascii, join, little } from "./aml.ts";
import { dsdt, type DsdtOptions } from "./dsdt.ts";
import { PM1_CONTROL, PM_PORT, PM_TIMER } from "./power_management.ts";

/** Where the tables are unless told: in what a PC keeps for firmware, where the RSDP is looked for. */
export const ACPI_BASE = 0xe0000;

/** What the tables are made from. */
export interface AcpiOptions extends DsdtOptions {
  /** Guest-physical address of the first byte, a multiple of 64; none: {@linkcode ACPI_BASE}. */
  readonly base?: number;
  /** What the HPET's capabilities are; none: there is no HPET. */
  readonly hpetCapabilities?: number;
  /** Whether there are local APICs and an I/O APIC. */
  readonly apic: boolean;
  /** Whether there is a VGA. */
  readonly vga: boolean;
}

/** The tables. */
export interface AcpiTables {
  /** Guest-physical address of the RSDP, which is that of the first byte too. */
  readonly base: number;
  /** All of them. */
  readonly bytes: Uint8Array;
  /** The tables with a common header: their addresses and lengths. */
  readonly tables: readonly { readonly at: number; readonly length: number }[];
  /** The addresses of all fields that hold addresses, and how many bytes they have. */
  readonly pointers: readonly { readonly at: number; readonly size: number }[];
}

const OEM = "KVM12 ";
const CREATOR = "KVM1";
const HEADER = 36;
/** Bytes of an RSDP. */
export const RSDP_SIZE = 36;
const FACS_SIZE = 64;
const ALIGN = 64;

const LOCAL_APIC = 0xfee00000;
const IO_APIC = 0xfec00000;
const SCI = 9;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 0x06;
const CENTURY = 0x32;

/** The FADT's fields that hold addresses of tables. */
const FADT_POINTERS = [[36, 4], [40, 4], [132, 8], [140, 8]] as const;
/** FADT flags: WBINVD works, HLT is C1, no sleep button, the clock cannot wake from S4, there is a reset register. */
const FADT_FLAGS = 0x0001 | 0x0004 | 0x0020 | 0x0400;
/** IAPC_BOOT_ARCH: there are devices on ISA; there is an 8042; there is no VGA. */
const ARCH = { LEGACY: 0x01, KEYBOARD: 0x02, NO_VGA: 0x04 } as const;

/** MADT entries. */
const MADT = { LOCAL_APIC: 0, IO_APIC: 1, OVERRIDE: 2, LOCAL_NMI: 4 } as const;
/** Active high, level-triggered. */
const LEVEL_HIGH = 0x000d;

const SPACE = { MEMORY: 0, IO: 1 } as const;

/**
 * Makes the tables.
 * @param options What is on the board.
 */
export function buildAcpiTables(options: AcpiOptions): AcpiTables {
  const base = options.base ?? ACPI_BASE;
  const parts: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  const pointers = [{ at: base + 16, size: 4 }, { at: base + 24, size: 8 }];
  let end = base + ALIGN;
  const place = (bytes: Uint8Array, fields: readonly (readonly [offset: number, size: number])[] = []): number => {
    const at = end;
    parts.push({ at, bytes });
    for (const [offset, size] of fields) pointers.push({ at: at + offset, size });
    end = Math.ceil((at + bytes.length) / ALIGN) * ALIGN;
    return at;
  };
  const facsAt = place(facs());
  const dsdtAt = place(table("DSDT", 2, dsdt(options)));
  const tables = [place(fadt(facsAt, dsdtAt, options), FADT_POINTERS)];
  if (options.apic) tables.push(place(madt(options.processors)));
  if (options.hpet !== undefined) tables.push(place(hpetTable(options.hpet, options.hpetCapabilities ?? 0)));
  const list = (signature: string, size: number): number =>
    place(
      table(signature, 1, join(...tables.map((at) => little(at, size)))),
      tables.map((_, n) => [HEADER + size * n, size]),
    );
  const rsdtAt = list("RSDT", 4), xsdtAt = list("XSDT", 8);
  const bytes = new Uint8Array(end - base);
  bytes.set(rsdp(rsdtAt, xsdtAt));
  for (const part of parts) bytes.set(part.bytes, part.at - base);
  const headed = parts.filter(({ at }) => at !== facsAt).map((part) => ({ at: part.at, length: part.bytes.length }));
  return { base, bytes, tables: headed, pointers };
}

function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const bytes = join(
    ascii("RSD PTR "),
    0,
    ascii(OEM),
    2,
    little(rsdt, 4),
    little(RSDP_SIZE, 4),
    little(xsdt, 8),
    0,
    little(0, 3),
  );
  bytes[8] = checksum(bytes.subarray(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}

/** A table with its header. */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = join(
    ascii(signature),
    little(HEADER + body.length, 4),
    revision,
    0,
    ascii(OEM),
    ascii("KVM12PC "),
    little(1, 4),
    ascii(CREATOR),
    little(1, 4),
    body,
  );
  bytes[9] = checksum(bytes);
  return bytes;
}

function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_SIZE);
  bytes.set(ascii("FACS"));
  bytes.set(little(FACS_SIZE, 4), 4);
  bytes[32] = 2;
  return bytes;
}

/** Revision 3: what version 2.0 of the specification and all later ones know. */
function fadt(facsAt: number, dsdtAt: number, { keyboard, vga }: AcpiOptions): Uint8Array {
  const arch = ARCH.LEGACY | (keyboard ? ARCH.KEYBOARD : 0) | (vga ? 0 : ARCH.NO_VGA);
  const ioBlock = (offset: number, length: number): Uint8Array => address(SPACE.IO, 8 * length, PM_PORT + offset);
  const none = new Uint8Array(12);
  return table(
    "FACP",
    3,
    join(
      little(facsAt, 4),
      little(dsdtAt, 4),
      0,
      1, // desktop
      little(SCI, 2),
      little(0, 4), // no SMI command: ACPI is always on
      little(0, 4),
      little(PM_PORT, 4),
      little(0, 4),
      little(PM_PORT + PM1_CONTROL, 4),
      little(0, 4),
      little(0, 4),
      little(PM_PORT + PM_TIMER, 4),
      little(0, 8), // GPE blocks
      join(4, 2, 0, 4, 0, 0, 0, 0), // lengths of event, control, PM2, timer, GPE0, GPE1 blocks; GPE1 base, CST
      little(0xffff, 2), // C2 and C3: none
      little(0xffff, 2),
      little(0, 4), // flush size and stride
      join(0, 0, 0, 0, CENTURY), // duty cycle, alarms, century
      little(arch, 2),
      0,
      little(FADT_FLAGS, 4),
      address(SPACE.IO, 8, RESET_PORT),
      RESET_VALUE,
      little(0, 3),
      little(facsAt, 8),
      little(dsdtAt, 8),
      ioBlock(0, 4),
      none,
      ioBlock(PM1_CONTROL, 2),
      none,
      none,
      ioBlock(PM_TIMER, 4),
      none,
      none,
    ),
  );
}

/** A generic address. */
function address(space: number, bits: number, at: number): Uint8Array {
  return join(space, bits, 0, Math.min(3, Math.log2(bits / 4)), little(at, 8));
}

function madt(processors: number): Uint8Array {
  const override = (irq: number, gsi: number, flags: number): Uint8Array =>
    join(MADT.OVERRIDE, 10, 0, irq, little(gsi, 4), little(flags, 2));
  return table(
    "APIC",
    3,
    join(
      little(LOCAL_APIC, 4),
      little(1, 4), // there are 8259s too
      ...Array.from({ length: processors }, (_, n) => join(MADT.LOCAL_APIC, 8, n, n, little(1, 4))),
      join(MADT.IO_APIC, 12, 0, 0, little(IO_APIC, 4), little(0, 4)),
      override(0, 2, 0),
      ...[5, SCI, 10, 11].map((irq) => override(irq, irq, LEVEL_HIGH)),
      join(MADT.LOCAL_NMI, 6, 0xff, little(0, 2), 1),
    ),
  );
}

function hpetTable(base: number, capabilities: number): Uint8Array {
  const body = join(little(capabilities, 4), address(SPACE.MEMORY, 64, base), 0, little(100, 2), 0);
  return table("HPET", 1, body);
}

function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
