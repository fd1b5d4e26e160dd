/**
 * Views of MSRs: `kvm_msr_entry`, `kvm_msrs`, `kvm_msr_list`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, isBytes, type StructInit, type StructSource, StructView } from "./struct_view.ts";

/**
 * One MSR: `struct kvm_msr_entry`, 16 bytes.
 *
 * @example
 * ```ts
 * import { KvmMsrEntry } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const entry = new KvmMsrEntry({ index: 0xc000_0080, data: 0x500 });
 * assertEquals([entry.index, entry.data], [0xc000_0080, 0x500n]);
 * ```
 */
export class KvmMsrEntry extends StructView {
  /** Its number. */
  declare index: number;
  /** Unused. */
  declare reserved: number;
  /** Its value. */
  declare data: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmMsrEntry>, offset: number = 0) {
    super(LAYOUTS["kvm_msr_entry"], source, offset);
  }
}
defineFields(KvmMsrEntry, LAYOUTS["kvm_msr_entry"]);

/**
 * MSRs to read or write: `struct kvm_msrs`, 8 bytes and 16 more for each entry.
 *
 * @example
 * ```ts
 * import { KvmMsrs } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const msrs = new KvmMsrs([{ index: 0x174, data: 8 }, { index: 0x175 }]);
 * assertEquals([msrs.nmsrs, msrs.entries[0].data], [2, 8n]);
 * ```
 */
export class KvmMsrs extends StructView {
  /** How many of {@linkcode entries} count. */
  declare nmsrs: number;
  /** Unused. */
  declare pad: number;
  /** The entries, as many as there are bytes for. */
  readonly entries: readonly KvmMsrEntry[];

  /**
   * Stands on `source` from `offset` to its end, or on fresh bytes.
   * @param source Bytes to stand on, or the number of zeroed entries, or their initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(
    source: ArrayBufferLike | ArrayBufferView | number | readonly StructInit<KvmMsrEntry>[],
    offset: number = 0,
  ) {
    const header = LAYOUTS.kvm_msrs.size;
    const size = LAYOUTS.kvm_msr_entry.size;
    const count = typeof source === "number" ? source : isBytes(source) ? null : source.length;
    super(
      LAYOUTS.kvm_msrs,
      isBytes(source) ? source : undefined,
      offset,
      count === null ? null : header + count * size,
    );
    const room = Math.floor((this.bytes.length - header) / size);
    this.entries = Array.from({ length: room }, (_, index) => new KvmMsrEntry(this.bytes, header + index * size));
    if (count !== null) this.nmsrs = count;
    if (typeof source === "object" && !isBytes(source)) {
      source.forEach((entry, index) => Object.assign(this.entries[index], entry));
    }
  }
}
defineFields(KvmMsrs, LAYOUTS.kvm_msrs);

/**
 * The numbers of MSRs: `struct kvm_msr_list`, 4 bytes and 4 more for each number.
 *
 * @example
 * ```ts
 * import { KvmMsrList } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const list = new KvmMsrList(2);
 * list.setIndex(0, 0x10);
 * assertEquals([list.capacity, list.indices], [2, [0x10, 0]]);
 * ```
 */
export class KvmMsrList extends StructView {
  /** How many numbers there are; before the call, for how many there is room. */
  declare nmsrs: number;

  /**
   * Stands on `source` from `offset` to its end, or on fresh bytes.
   * @param source Bytes to stand on, or for how many numbers there is to be room.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source: ArrayBufferLike | ArrayBufferView | number, offset: number = 0) {
    const size = typeof source === "number" ? LAYOUTS.kvm_msr_list.size + 4 * source : null;
    super(LAYOUTS.kvm_msr_list, source, offset, size);
    if (typeof source === "number") this.nmsrs = source;
  }

  /** For how many numbers there are bytes. */
  get capacity(): number {
    return (this.bytes.length - LAYOUTS.kvm_msr_list.size) >> 2;
  }

  /** The numbers, as many as count; a copy. */
  get indices(): number[] {
    const count = Math.min(this.nmsrs, this.capacity);
    return Array.from({ length: count }, (_, index) => this.view.getUint32(4 + 4 * index, true));
  }

  /** Sets number `index`. */
  setIndex(index: number, msr: number): void {
    this.view.setUint32(4 + 4 * index, msr, true);
  }
}
defineFields(KvmMsrList, LAYOUTS.kvm_msr_list);
