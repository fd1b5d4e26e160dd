/**
 * Segments and descriptors: what `kvm_sregs` and a descriptor table need so that a guest can begin in real, protected or
 * long mode. Source: Intel SDM volume 3, 3.4.5 (descriptors), 4.1 (paging modes), 10.8.5 (entering long mode).
 *
 * @example The state of a flat 32-bit guest
 * ```ts
 * import { openKvm, protectedModeRegisters, protectedModeSegments } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * using vcpu = vm.createVcpu(0);
 * vcpu.setSregs(Object.assign(vcpu.getSregs(), protectedModeSegments(), protectedModeRegisters()));
 * ```
 *
 * @module
 */

import { KvmSegment } from "./regs.ts";
import type { StructInit } from "./struct_view.ts";

/** `kvm_segment.type` of code that may be read, already accessed. */
const CODE_READABLE_ACCESSED = 0xb;
/** `kvm_segment.type` of data that may be written, already accessed. */
const DATA_WRITABLE_ACCESSED = 0x3;

const CR0_PE = 1n << 0n, CR0_ET = 1n << 4n, CR0_NE = 1n << 5n, CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n, EFER_LMA = 1n << 10n;

/** Which flat segment is wanted. */
export interface FlatSegmentOptions {
  /** What it is for. */
  readonly kind: "code" | "data";
  /**
   * Size of code in bits; of data, the width of the stack pointer (16 or 32; 64-bit code uses data of 32).
   * @default 32
   */
  readonly bits?: 16 | 32 | 64;
  /**
   * The selector, 16 bits; its lowest two bits should be `dpl`.
   * @default 0
   */
  readonly selector?: number;
  /**
   * Privilege level, 0 (kernel) to 3 (user).
   * @default 0
   */
  readonly dpl?: number;
}

/** CS and the data segments: a part of `kvm_sregs`, to be copied into a {@linkcode KvmSregs} by `Object.assign`. */
export interface Segments {
  /** CS. */
  readonly cs: KvmSegment;
  /** DS. */
  readonly ds: KvmSegment;
  /** ES. */
  readonly es: KvmSegment;
  /** FS. */
  readonly fs: KvmSegment;
  /** GS. */
  readonly gs: KvmSegment;
  /** SS. */
  readonly ss: KvmSegment;
}

/** The selectors of {@linkcode protectedModeSegments} and {@linkcode longModeSegments}. */
export interface SegmentSelectors {
  /**
   * Of CS. Its lowest two bits are the privilege level of all segments.
   * @default 0x08
   */
  readonly code?: number;
  /**
   * Of the others.
   * @default 0x10
   */
  readonly data?: number;
}

/** Control registers: a part of `kvm_sregs`, to be copied into a {@linkcode KvmSregs} by `Object.assign`. */
export interface ControlRegisters {
  /** CR0. */
  readonly cr0: bigint;
  /** CR3. */
  readonly cr3: bigint;
  /** CR4. */
  readonly cr4: bigint;
  /** MSR EFER. */
  readonly efer: bigint;
}

/**
 * A segment with base 0 that reaches over 4 GiB.
 * @param options Which.
 * @returns The segment, fresh; any of its fields can still be changed.
 *
 * @example
 * ```ts
 * import { flatSegment } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(flatSegment({ kind: "code", bits: 64, selector: 8 }).l, 1);
 * ```
 */
export function flatSegment(options: FlatSegmentOptions): KvmSegment {
  const { kind, bits = 32, selector = 0, dpl = 0 } = options;
  return new KvmSegment({
    limit: 0xffffffff,
    selector,
    type: kind === "code" ? CODE_READABLE_ACCESSED : DATA_WRITABLE_ACCESSED,
    present: 1,
    dpl,
    s: 1,
    db: bits === 32 || bits === 64 && kind === "data" ? 1 : 0,
    l: bits === 64 && kind === "code" ? 1 : 0,
    g: 1,
  });
}

/**
 * A segment of 64 KiB as real mode has it: its base is 16 times the selector.
 * @param kind What it is for.
 * @param selector The selector, 16 bits.
 * @returns The segment, fresh.
 *
 * @example
 * ```ts
 * import { realModeSegment } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(realModeSegment("data", 0x1000).base, 0x1_0000n);
 * ```
 */
export function realModeSegment(kind: "code" | "data", selector: number = 0): KvmSegment {
  return new KvmSegment({
    base: selector * 16,
    limit: 0xffff,
    selector,
    type: kind === "code" ? CODE_READABLE_ACCESSED : DATA_WRITABLE_ACCESSED,
    present: 1,
    s: 1,
  });
}

/**
 * All segments of real mode.
 * @param code Selector of CS.
 * @param data Selector of the others.
 *
 * @example
 * ```ts
 * import { realModeSegments } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(realModeSegments(0xf000).cs.base, 0xf_0000n);
 * ```
 */
export function realModeSegments(code: number = 0, data: number = 0): Segments {
  return segments(realModeSegment("code", code), realModeSegment("data", data));
}

/**
 * All segments of flat 32-bit protected mode. With them alone the guest runs; a descriptor table it needs when it loads a
 * segment register or takes an interrupt.
 * @param selectors The selectors.
 *
 * @example
 * ```ts
 * import { protectedModeSegments } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(protectedModeSegments({ code: 8, data: 16 }).ds.selector, 16);
 * ```
 */
export function protectedModeSegments(selectors: SegmentSelectors = {}): Segments {
  return flat(32, selectors);
}

/**
 * All segments of 64-bit code, as {@linkcode protectedModeSegments}.
 * @param selectors The selectors.
 *
 * @example
 * ```ts
 * import { longModeSegments } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(longModeSegments().cs.l, 1);
 * ```
 */
export function longModeSegments(selectors: SegmentSelectors = {}): Segments {
  return flat(64, selectors);
}

/**
 * Control registers of protected mode without paging: CR0 is PE, ET and NE, all others 0.
 *
 * @example
 * ```ts
 * import { protectedModeRegisters } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(protectedModeRegisters().cr0 & 1n, 1n); // PE
 * ```
 */
export function protectedModeRegisters(): ControlRegisters {
  return { cr0: CR0_PE | CR0_ET | CR0_NE, cr3: 0n, cr4: 0n, efer: 0n };
}

/**
 * Control registers of long mode: paging and PAE on, EFER with LME and LMA, nothing else.
 * @param pageTables Guest-physical address of the PML4, a multiple of 4096: see {@linkcode buildPageTables}.
 *
 * @example
 * ```ts
 * import { longModeRegisters } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(longModeRegisters(0x2000).cr3, 0x2000n);
 * ```
 */
export function longModeRegisters(pageTables: number | bigint): ControlRegisters {
  const { cr0 } = protectedModeRegisters();
  return { cr0: cr0 | CR0_PG, cr3: BigInt(pageTables), cr4: CR4_PAE, efer: EFER_LME | EFER_LMA };
}

/**
 * A segment as an entry of a descriptor table.
 * @param segment The segment; its selector has no place in the entry. With `g`, the lower 12 bits of the limit neither.
 * @returns The 8 bytes, little-endian, as a number. System segments of long mode (`s` 0) have 8 more: the upper half of the
 * base and zeros; {@linkcode buildDescriptorTable} writes them.
 * @throws RangeError when the limit has more than 20 bits without `g`.
 *
 * @example
 * ```ts
 * import { encodeDescriptor, flatSegment } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeDescriptor(flatSegment({ kind: "code", bits: 32 })), 0x00cf_9b00_0000_ffffn);
 * ```
 */
export function encodeDescriptor(segment: KvmSegment | StructInit<KvmSegment>): bigint {
  const { base, limit, type, present, dpl, s, db, l, g, avl } = viewOf(segment);
  const scaled = g !== 0 ? limit >>> 12 : limit;
  if (scaled > 0xfffff) {
    throw new RangeError(`Cannot encode a descriptor: the limit 0x${limit.toString(16)} needs the granularity bit`);
  }
  const access = type & 15 | (s & 1) << 4 | (dpl & 3) << 5 | (present & 1) << 7;
  const flags = avl & 1 | (l & 1) << 1 | (db & 1) << 2 | (g & 1) << 3;
  return BigInt(scaled & 0xffff) | (base & 0xffffffn) << 16n | BigInt(access) << 40n | BigInt(scaled >> 16) << 48n |
    BigInt(flags) << 52n | (base >> 24n & 0xffn) << 56n;
}

/**
 * The segment that a processor loads from an entry of a descriptor table.
 * @param entry The 8 bytes, little-endian, as a number.
 * @param selector The selector that the segment is to have.
 * @returns The segment, fresh; `unusable` where it is not present. Of system segments of long mode the upper half of the base
 * is missing: it is in the 8 bytes behind.
 *
 * @example
 * ```ts
 * import { decodeDescriptor } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const { base, limit, db } = decodeDescriptor(0x00cf_9a00_0000_ffffn, 8);
 * assertEquals([base, limit, db], [0n, 0xffff_ffff, 1]);
 * ```
 */
export function decodeDescriptor(entry: bigint, selector: number = 0): KvmSegment {
  const access = Number(entry >> 40n & 0xffn);
  const flags = Number(entry >> 52n & 0xfn);
  const limit = Number(entry & 0xffffn | entry >> 32n & 0xf0000n);
  const g = flags >> 3;
  const present = access >> 7;
  return new KvmSegment({
    base: entry >> 16n & 0xffffffn | entry >> 32n & 0xff000000n,
    limit: g !== 0 ? limit * 4096 + 4095 : limit,
    selector,
    type: access & 15,
    present,
    dpl: access >> 5 & 3,
    db: flags >> 2 & 1,
    s: access >> 4 & 1,
    l: flags >> 1 & 1,
    g,
    avl: flags & 1,
    unusable: 1 - present,
  });
}

/**
 * A descriptor table.
 * @param entries Its entries: segments, finished descriptors, or null for an empty one. Entry n has the selector 8 n, the
 * first must be null in a GDT. In long mode a system segment (`s` 0) takes two places.
 * @param mode Long mode has system descriptors of 16 bytes.
 * @returns The bytes; the limit of the table is their number less one.
 * @throws RangeError as {@linkcode encodeDescriptor}.
 *
 * @example
 * ```ts
 * import { buildDescriptorTable, longModeSegments, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x10000 });
 * using vcpu = vm.createVcpu(0);
 * const { cs, ds } = longModeSegments();
 * const table = buildDescriptorTable([null, cs, ds], "long");
 * vm.write(0x1000, table);
 * vcpu.setSregs(Object.assign(vcpu.getSregs(), { gdt: { base: 0x1000, limit: table.length - 1 } }));
 * ```
 */
export function buildDescriptorTable(
  entries: readonly (KvmSegment | StructInit<KvmSegment> | bigint | null)[],
  mode: "protected" | "long" = "protected",
): Uint8Array {
  const words = entries.flatMap((entry) => {
    if (entry === null) return [0n];
    if (typeof entry === "bigint") return [entry];
    const { base, s } = viewOf(entry);
    return s === 0 && mode === "long" ? [encodeDescriptor(entry), base >> 32n] : [encodeDescriptor(entry)];
  });
  const bytes = new Uint8Array(8 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => view.setBigUint64(8 * index, word, true));
  return bytes;
}

function viewOf(segment: KvmSegment | StructInit<KvmSegment>): KvmSegment {
  return segment instanceof KvmSegment ? segment : new KvmSegment(segment);
}

function flat(bits: 32 | 64, { code = 0x08, data = 0x10 }: SegmentSelectors): Segments {
  const dpl = code & 3;
  return segments(
    flatSegment({ kind: "code", bits, selector: code, dpl }),
    flatSegment({ kind: "data", bits, selector: data, dpl }),
  );
}

/** One segment for code, and one for each of the others. */
function segments(cs: KvmSegment, data: KvmSegment): Segments {
  const copy = (): KvmSegment => new KvmSegment(data.bytes.slice());
  return { cs, ds: data, es: copy(), fs: copy(), gs: copy(), ss: copy() };
}
