/**
 * Views of CPUID leaves: `kvm_cpuid_entry`, `kvm_cpuid`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, isBytes, type StructInit, type StructSource, StructView } from "./struct_view.ts";

/**
 * One CPUID leaf: `struct kvm_cpuid_entry`, 24 bytes.
 *
 * @example
 * ```ts
 * import { KvmCpuidEntry } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const entry = new KvmCpuidEntry({ function: 0x8000_0000, eax: 0x8000_0008 });
 * assertEquals([entry.function, entry.bytes.length], [0x8000_0000, 24]);
 * ```
 */
export class KvmCpuidEntry extends StructView {
  /** Which leaf: EAX before CPUID. */
  declare function: number;
  /** EAX after it. */
  declare eax: number;
  /** EBX after it. */
  declare ebx: number;
  /** ECX after it. */
  declare ecx: number;
  /** EDX after it. */
  declare edx: number;
  /** Unused. */
  declare padding: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmCpuidEntry>, offset: number = 0) {
    super(LAYOUTS["kvm_cpuid_entry"], source, offset);
  }
}
defineFields(KvmCpuidEntry, LAYOUTS["kvm_cpuid_entry"]);

/**
 * CPUID leaves: `struct kvm_cpuid`, 8 bytes and 24 more for each leaf.
 *
 * @example
 * ```ts
 * import { KvmCpuid } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const cpuid = new KvmCpuid([{ function: 0, eax: 1 }, { function: 1, edx: 0x11 }]);
 * assertEquals([cpuid.nent, cpuid.entries[1].edx], [2, 0x11]);
 * ```
 */
export class KvmCpuid extends StructView {
  /** How many of {@linkcode entries} count. */
  declare nent: number;
  /** Unused. */
  declare padding: number;
  /** The entries, as many as there are bytes for. */
  readonly entries: readonly KvmCpuidEntry[];

  /**
   * Stands on `source` from `offset` to its end, or on fresh bytes.
   * @param source Bytes to stand on, or the number of zeroed entries, or their initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(
    source: ArrayBufferLike | ArrayBufferView | number | readonly StructInit<KvmCpuidEntry>[],
    offset: number = 0,
  ) {
    const header = LAYOUTS.kvm_cpuid.size;
    const size = LAYOUTS.kvm_cpuid_entry.size;
    const count = typeof source === "number" ? source : isBytes(source) ? null : source.length;
    super(
      LAYOUTS.kvm_cpuid,
      isBytes(source) ? source : undefined,
      offset,
      count === null ? null : header + count * size,
    );
    const room = Math.floor((this.bytes.length - header) / size);
    this.entries = Array.from({ length: room }, (_, index) => new KvmCpuidEntry(this.bytes, header + index * size));
    if (count !== null) this.nent = count;
    if (typeof source === "object" && !isBytes(source)) {
      source.forEach((entry, index) => Object.assign(this.entries[index], entry));
    }
  }
}
defineFields(KvmCpuid, LAYOUTS.kvm_cpuid);
