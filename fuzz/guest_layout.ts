/**
 * The machine that streams run on where there is no host processor to compare with: modes with their segments, tables,
 * handlers. Code and data are where the tests against the host have them.
 *
 *     0 vectors of real mode   0x1000 long-mode tables   0x5000 32-bit tables   0x8000 IDT, 64-bit   0x9000 IDT, 32-bit
 *     0xa000 GDT   0xa800 TSS, 64- and 32-bit   0xc000 handlers, 16 bytes each   0xf000 end of the supervisor's stack
 *
 * Handlers of faults halt; those of traps and interrupts return.
 * @module
 */
import { KvmRegs, type KvmSegment, type KvmSregs } from "../mod.ts";
import {
  backgroundByte,
  CODE_ADDRESS,
  CODE_SIZE,
  DATA_ADDRESS,
  DATA_SIZE,
  DEFAULT_CODE_OFFSET,
  READ_ONLY_ADDRESS,
  READ_ONLY_SIZE,
} from "../tests/host/memory_map.ts";
import type { NativeMode } from "../tests/host/native_cpu.ts";

/** Bytes of guest memory. */
export const MEMORY = 0x12_0000;
/** Handlers. */
export const HANDLERS = 0xc000;
const LONG_TABLES = 0x1000,
  TABLES32 = 0x5000,
  IDT64 = 0x8000,
  IDT32 = 0x9000,
  GDT = 0xa000,
  TSS64 = 0xa800,
  TSS32 = 0xa900;
const STACK_END = 0xf000;
const HANDLER_SIZE = 16, VECTORS = 256;
/** Faults and aborts: their handlers halt. */
const HALTING: ReadonlySet<number> = new Set([0, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21]);

/** A mode that streams run in. */
export interface Variant {
  /** Its name. */
  readonly name: string;
  /** How code is decoded. */
  readonly mode: NativeMode;
  /** Privilege. */
  readonly cpl: 0 | 3;
  /** Paging: none, 32-bit, or with 4 levels. */
  readonly paging: "none" | "32" | "long";
  /** Real mode. */
  readonly real?: boolean;
}

/** The modes. */
// deno-fmt-ignore
export const VARIANTS: readonly Variant[] = [
  { name: "real mode", mode: 16, cpl: 0, paging: "none", real: true },
  { name: "16-bit protected mode", mode: 16, cpl: 0, paging: "none" },
  { name: "16-bit protected mode, CPL 3, paging", mode: 16, cpl: 3, paging: "32" },
  { name: "protected mode", mode: 32, cpl: 0, paging: "none" },
  { name: "protected mode, paging", mode: 32, cpl: 0, paging: "32" },
  { name: "protected mode, CPL 3, paging", mode: 32, cpl: 3, paging: "32" },
  { name: "long mode", mode: 64, cpl: 0, paging: "long" },
  { name: "long mode, CPL 3", mode: 64, cpl: 3, paging: "long" },
  { name: "compatibility mode, CPL 3", mode: 32, cpl: 3, paging: "long" },
];

/** GDT entries by privilege (0, 3): code of 32, 64 and 16 bits, data, data of 16 bits. */
const ENTRY = { code32: [1, 6], data: [2, 7], code64: [3, 8], code16: [4, 9], data16: [5, 10] } as const;
const TSS_ENTRY = 12;

/** Selectors to be loaded: those of the GDT with both privileges, and null. */
export const SELECTORS: readonly number[] = [
  0,
  ...Object.values(ENTRY).flatMap(([system, user]) => [system << 3, user << 3 | 3]),
  TSS_ENTRY << 3,
];

function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const low = BigInt(base & 0xffff) << 16n | BigInt(limit & 0xffff);
  const high = BigInt((base >>> 24) << 24 >>> 0 | flags << 20 | limit & 0xf_0000 | access << 8 | base >> 16 & 0xff) &
    0xffff_ffffn;
  return high << 32n | low;
}

/** Memory as every case finds it, but for code and data. */
export function memoryImage(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MEMORY), view = new DataView(bytes.buffer);
  // HLT: whoever gets lost stops soon.
  bytes.fill(0xf4, 0xb000);
  for (let a = DATA_ADDRESS; a < READ_ONLY_ADDRESS + READ_ONLY_SIZE; a++) bytes[a] = backgroundByte(a);
  for (let v = 0; v < VECTORS; v++) {
    const at = HANDLERS + v * HANDLER_SIZE;
    // HLT, or IRET of the handler's own size: REX.W is DEC EAX elsewhere, so real mode gets a handler of its own.
    bytes.set(HALTING.has(v) ? [0xf4] : [0xcf], at);
    bytes.set(HALTING.has(v) ? [0xf4] : [0x48, 0xcf], at + 8);
    view.setUint16(v * 4, at, true);
    view.setUint32(IDT32 + v * 8, at & 0xffff | ENTRY.code32[0] << 19, true);
    view.setUint32(IDT32 + v * 8 + 4, 0xee00, true);
    view.setUint32(IDT64 + v * 16, at + 8 & 0xffff | ENTRY.code64[0] << 19, true);
    view.setUint32(IDT64 + v * 16 + 4, 0xee00, true);
  }
  for (const cpl of [0, 1] as const) {
    const dpl = cpl * 0x60, set = (n: number, value: bigint) => view.setBigUint64(GDT + n * 8, value, true);
    set(ENTRY.code32[cpl], descriptor(0, 0xf_ffff, 0x9b | dpl, 0xc));
    set(ENTRY.data[cpl], descriptor(0, 0xf_ffff, 0x93 | dpl, 0xc));
    set(ENTRY.code64[cpl], descriptor(0, 0xf_ffff, 0x9b | dpl, 0xa));
    set(ENTRY.code16[cpl], descriptor(CODE_ADDRESS, CODE_SIZE - 1, 0x9b | dpl, 0));
    set(ENTRY.data16[cpl], descriptor(DATA_ADDRESS, 0xffff, 0x93 | dpl, 0));
  }
  view.setBigUint64(GDT + TSS_ENTRY * 8, descriptor(TSS64, 0x67, 0x89, 0), true);
  view.setUint32(TSS64 + 4, STACK_END, true);
  view.setUint32(TSS32 + 4, STACK_END, true);
  view.setUint16(TSS32 + 8, ENTRY.data[0] << 3, true);
  for (const tss of [TSS64, TSS32]) view.setUint16(tss + 0x66, 0x68, true);
  pageTables(view);
  return bytes;
}

function pageTables(view: DataView): void {
  const rights = (page: number): number => {
    const a = page * 0x1000;
    if (a < 0x1_0000) return 3;
    if (a >= CODE_ADDRESS && a < CODE_ADDRESS + CODE_SIZE || a >= DATA_ADDRESS && a < DATA_ADDRESS + DATA_SIZE) {
      return 7;
    }
    return a >= READ_ONLY_ADDRESS && a < READ_ONLY_ADDRESS + READ_ONLY_SIZE ? 5 : 0;
  };
  for (let n = 0; n < 3; n++) view.setUint32(LONG_TABLES + n * 0x1000, LONG_TABLES + (n + 1) * 0x1000 | 7, true);
  view.setUint32(TABLES32, TABLES32 + 0x1000 | 7, true);
  for (let page = 0; page < MEMORY / 0x1000; page++) {
    const r = rights(page);
    if (!r) continue;
    view.setUint32(LONG_TABLES + 0x3000 + page * 8, page * 0x1000 | r, true);
    view.setUint32(TABLES32 + 0x1000 + page * 4, page * 0x1000 | r, true);
  }
}

/** Segments, tables and control registers of a mode, into registers of a fresh processor. */
export function enterVariant(s: KvmSregs, { mode, cpl, paging, real }: Variant): void {
  const long = paging === "long", row = cpl === 0 ? 0 : 1;
  const code = mode === 64 ? ENTRY.code64 : mode === 32 ? ENTRY.code32 : ENTRY.code16;
  const dataEntry = mode === 16 ? ENTRY.data16 : ENTRY.data;
  const set = (segment: KvmSegment, entry: number, isCode: boolean) => {
    segment.selector = real ? 0 : entry << 3 | cpl;
    segment.base = mode === 16 ? BigInt(isCode ? CODE_ADDRESS : DATA_ADDRESS) : 0n;
    segment.limit = mode !== 16 ? 0xffff_ffff : real || !isCode ? 0xffff : CODE_SIZE - 1;
    segment.type = real ? 3 : isCode ? 11 : 3;
    segment.present = segment.s = 1;
    segment.dpl = cpl;
    segment.unusable = 0;
    segment.db = mode === 16 || isCode && mode === 64 ? 0 : 1;
    segment.g = mode === 16 ? 0 : 1;
    segment.l = isCode && mode === 64 ? 1 : 0;
  };
  set(s.cs, code[row], true);
  for (const name of ["ds", "es", "ss", "fs", "gs"] as const) set(s[name], dataEntry[row], false);
  s.tr.selector = real ? 0 : TSS_ENTRY << 3;
  s.tr.base = real ? 0n : BigInt(long ? TSS64 : TSS32);
  s.tr.limit = real ? 0xffff : 0x67;
  s.tr.type = 11;
  s.tr.present = 1;
  s.tr.s = 0;
  s.tr.unusable = 0;
  s.gdt.base = BigInt(GDT);
  s.gdt.limit = (TSS_ENTRY + 2) * 8 - 1;
  s.idt.base = BigInt(real ? 0 : long ? IDT64 : IDT32);
  s.idt.limit = real ? 0x3ff : long ? 0xfff : 0x7ff;
  s.cr0 = real ? 0x30n : paging === "none" ? 0x33n : 0x8001_0033n;
  s.cr3 = BigInt(paging === "none" ? 0 : long ? LONG_TABLES : TABLES32);
  s.cr4 = long ? 0x620n : 0x600n;
  s.efer = long ? 0xd01n : 0n;
}

/** RIP of the first byte of a variant's code. */
export function entryOf({ mode }: Variant): number {
  return (mode === 16 ? 0 : CODE_ADDRESS) + DEFAULT_CODE_OFFSET;
}

/** General registers: pointers and numbers. */
export function registersOf(values: readonly bigint[], rip: number, rflags: number): KvmRegs {
  const order = [0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
  const regs = new KvmRegs({ rip: BigInt(rip), rflags: BigInt(rflags) });
  const view = new DataView(regs.bytes.buffer, regs.bytes.byteOffset);
  order.forEach((n, i) => view.setBigUint64(i * 8, values[n], true));
  return regs;
}
