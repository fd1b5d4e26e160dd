/**
 * All mappings of a guest's page tables, read from its memory: what `info mmu` and `info tlb` show.
 * Source: SDM volume 3, chapter 5.
 * @module
 */

import type { KvmSregs } from "../../mod.ts";
import type { GuestMemory } from "./guest_memory.ts";

/** One page, or, merged, a range of pages that are mapped alike. */
export interface Mapping {
  /** Linear address of the first byte. */
  readonly linear: bigint;
  /** Guest-physical address of the first byte. */
  readonly physical: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** The bits of the entry that maps it, without the address. */
  readonly flags: bigint;
  /** Whether all levels allow writing. */
  readonly writable: boolean;
  /** Whether all levels allow user mode. */
  readonly user: boolean;
  /** Whether a level forbids execution. */
  readonly noExecute: boolean;
}

/** How a processor translates addresses. */
export type PagingMode = "off" | "32-bit" | "PAE" | "4-level";

const P = 1n, RW = 2n, US = 4n, PS = 0x80n, NX = 1n << 63n;
const CR0_PG = 1n << 31n, CR4_PSE = 1n << 4n, CR4_PAE = 1n << 5n, EFER_LMA = 1n << 10n;
/** Bits 12 to 51. */
const ADDRESS = 0xf_ffff_ffff_f000n;

/** How a processor translates addresses. */
export function pagingMode({ cr0, cr4, efer }: KvmSregs): PagingMode {
  if ((cr0 & CR0_PG) === 0n) return "off";
  if ((cr4 & CR4_PAE) === 0n) return "32-bit";
  return (efer & EFER_LMA) !== 0n ? "4-level" : "PAE";
}

/** One level of tables: which bits of the address choose the entry, and whether it can map a large page. */
interface Level {
  readonly shift: bigint;
  readonly bits: number;
  readonly large: boolean;
  /** Whether entries have R/W and U/S bits: the four PDPTEs of PAE have none. */
  readonly rights: boolean;
}

function levelsOf(mode: PagingMode, sregs: KvmSregs): Level[] {
  const level = (shift: bigint, bits: number, large: boolean, rights = true): Level => ({ shift, bits, large, rights });
  switch (mode) {
    case "off":
      return [];
    case "32-bit":
      return [level(22n, 10, (sregs.cr4 & CR4_PSE) !== 0n), level(12n, 10, false)];
    case "PAE":
      return [level(30n, 2, false, false), level(21n, 9, true), level(12n, 9, false)];
    case "4-level":
      return [level(39n, 9, false), level(30n, 9, true), level(21n, 9, true), level(12n, 9, false)];
  }
}

/** Every page that is mapped, in the order of linear addresses. */
export function* mappings(sregs: KvmSregs, memory: GuestMemory): Generator<Mapping, void, undefined> {
  const mode = pagingMode(sregs);
  const levels = levelsOf(mode, sregs);
  if (levels.length === 0) return;
  const root = mode === "PAE" ? sregs.cr3 & 0xffff_ffe0n : sregs.cr3 & (mode === "32-bit" ? 0xffff_f000n : ADDRESS);
  yield* walk(memory, levels, root, 0n, mode === "32-bit" ? 4 : 8, { writable: true, user: true, noExecute: false });
}

type Rights = Pick<Mapping, "writable" | "user" | "noExecute">;

function* walk(
  memory: GuestMemory,
  levels: readonly Level[],
  table: bigint,
  base: bigint,
  entrySize: number,
  above: Rights,
): Generator<Mapping, void, undefined> {
  const [{ shift, bits, large, rights }, ...below] = levels;
  const bytes = memory.read(null, table, entrySize << bits);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let n = 0; n < bytes.length / entrySize; n++) {
    const entry = entrySize === 4 ? BigInt(view.getUint32(n * 4, true)) : view.getBigUint64(n * 8, true);
    if ((entry & P) === 0n) continue;
    // Bit 47 is copied into those above it.
    const linear = shift === 39n && n >= 256 ? 0xffff_0000_0000_0000n | BigInt(n) << shift : base | BigInt(n) << shift;
    const own: Rights = {
      writable: above.writable && (!rights || (entry & RW) !== 0n),
      user: above.user && (!rights || (entry & US) !== 0n),
      noExecute: above.noExecute || (entrySize === 8 && (entry & NX) !== 0n),
    };
    const size = 1n << shift;
    if (below.length > 0 && !(large && (entry & PS) !== 0n)) {
      yield* walk(memory, below, entry & ADDRESS, linear, entrySize, own);
    } else {
      yield { linear, physical: frame(entry, size, entrySize), size, flags: entry & (0xfffn | NX), ...own };
    }
  }
}

/** The address in an entry that maps a page of a size. */
function frame(entry: bigint, size: bigint, entrySize: number): bigint {
  if (entrySize === 8) return entry & ADDRESS & ~(size - 1n);
  if (size === 0x1000n) return entry & 0xffff_f000n;
  // PSE-36: bits 13 to 20 of the entry are bits 32 to 39 of the address.
  return entry & 0xffc0_0000n | (entry >> 13n & 0xffn) << 32n;
}

/** The same with neighbours that are mapped alike, one behind the other, as one range. */
export function* mergedMappings(sregs: KvmSregs, memory: GuestMemory): Generator<Mapping, void, undefined> {
  let range: Mapping | undefined;
  for (const next of mappings(sregs, memory)) {
    const before: Mapping | undefined = range;
    if (before !== undefined && continues(before, next)) range = { ...before, size: before.size + next.size };
    else {
      if (before !== undefined) yield before;
      range = next;
    }
  }
  if (range !== undefined) yield range;
}

function continues(range: Mapping, next: Mapping): boolean {
  return range.linear + range.size === next.linear && range.physical + range.size === next.physical &&
    range.writable === next.writable && range.user === next.user && range.noExecute === next.noExecute;
}
