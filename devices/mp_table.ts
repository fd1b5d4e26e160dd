/**
 * The tables of Intel's MultiProcessor Specification 1.4: for systems that have no ACPI, the processors, the buses, the I/O APIC,
 * and how interrupts are wired to it.
 * @module
 */

import { IO_APIC_BASE } from "./io_apic.ts";
import { LOCAL_APIC_BASE } from "./local_apic.ts";

/** Where the tables are unless told: in the last KiB of base memory, where they are looked for. */
export const MP_TABLE_BASE = 0x9fc00;

/** What the tables are made from. */
export interface MpTableOptions {
  /** Guest-physical address of the first byte, a multiple of 16; none: {@linkcode MP_TABLE_BASE}. */
  readonly base?: number;
  /** How many processors there are; their IDs are 0, 1, 2 and so on. */
  readonly processors: number;
  /** What CPUID leaf 1 answers in EAX. */
  readonly signature: number;
  /** What CPUID leaf 1 answers in EDX. */
  readonly features: number;
}

const POINTER_SIZE = 16;
const HEADER_SIZE = 44;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const IO_APIC_ID = 0;
const ISA_BUS = 0;

const ENTRY = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
const INTERRUPT = { INT: 0, NMI: 1, EXTINT: 3 } as const;
/** Active high, level-triggered; and what the bus says. */
const TRIGGER = { LEVEL_HIGH: 0x0d, OF_BUS: 0 } as const;
const CPU_ENABLED = 1;
const CPU_BOOTSTRAP = 2;
/** IRQs that PCI interrupts and SCI are routed to. */
const LEVEL_IRQS: readonly number[] = [5, 9, 10, 11];
const TIMER_PIN = 2;

/**
 * Makes the tables: the pointer first.
 * @param options What is on the board.
 * @returns Where they go, and their bytes.
 */
export function buildMpTable(options: MpTableOptions): { readonly base: number; readonly bytes: Uint8Array } {
  const base = options.base ?? MP_TABLE_BASE;
  const entries: number[][] = [];
  for (let n = 0; n < options.processors; n++) {
    const flags = CPU_ENABLED | (n === 0 ? CPU_BOOTSTRAP : 0);
    const words = [...dword(options.signature), ...dword(options.features), ...dword(0), ...dword(0)];
    entries.push([ENTRY.PROCESSOR, n, LOCAL_APIC_VERSION, flags, ...words]);
  }
  entries.push([ENTRY.BUS, ISA_BUS, ...text("ISA", 6)]);
  entries.push([ENTRY.IO_APIC, IO_APIC_ID, IO_APIC_VERSION, 1, ...dword(IO_APIC_BASE)]);
  for (let irq = 0; irq < 16; irq++) {
    if (irq === 2) continue; // the second 8259 is there
    const trigger = LEVEL_IRQS.includes(irq) ? TRIGGER.LEVEL_HIGH : TRIGGER.OF_BUS;
    const pin = irq === 0 ? TIMER_PIN : irq;
    entries.push([ENTRY.INTERRUPT, INTERRUPT.INT, trigger, 0, ISA_BUS, irq, IO_APIC_ID, pin]);
  }
  entries.push([ENTRY.INTERRUPT, INTERRUPT.EXTINT, 0, 0, ISA_BUS, 0, IO_APIC_ID, 0]);
  entries.push([ENTRY.LOCAL_INTERRUPT, INTERRUPT.EXTINT, 0, 0, ISA_BUS, 0, 0xff, 0]);
  entries.push([ENTRY.LOCAL_INTERRUPT, INTERRUPT.NMI, 0, 0, ISA_BUS, 0, 0xff, 1]);
  const body = entries.flat();
  const table = [
    ...text("PCMP", 4),
    ...word(HEADER_SIZE + body.length),
    4,
    0,
    ...text("KVM12", 8),
    ...text("PC", 12),
    ...dword(0),
    ...word(0),
    ...word(entries.length),
    ...dword(LOCAL_APIC_BASE),
    ...dword(0),
    ...body,
  ];
  table[7] = checksum(table);
  const pointer = [...text("_MP_", 4), ...dword(base + POINTER_SIZE), 1, 4, 0, 0, 0, 0, 0, 0];
  pointer[10] = checksum(pointer);
  return { base, bytes: Uint8Array.from([...pointer, ...table]) };
}

function word(value: number): number[] {
  return [value & 0xff, value >> 8 & 0xff];
}

function dword(value: number): number[] {
  return [...word(value), ...word(value >>> 16)];
}

function text(value: string, length: number): number[] {
  return [...new TextEncoder().encode(value.padEnd(length))];
}

function checksum(bytes: readonly number[]): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
