/**
 * Views of two small arguments: `kvm_translation`, `kvm_interrupt`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView } from "./struct_view.ts";

/**
 * A page-table walk: `struct kvm_translation`, 24 bytes.
 *
 * @example
 * ```ts
 * import { KvmTranslation } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmTranslation({ linear_address: 0x1000 }).linear_address, 0x1000n);
 * ```
 */
export class KvmTranslation extends StructView {
  /** In: linear address. */
  declare linear_address: bigint;
  /** Out: guest-physical address, where valid. */
  declare physical_address: bigint;
  /** Out: 1 if a mapping is present. */
  declare valid: number;
  /** Out: 1 if the page tables allow writing. */
  declare writeable: number;
  /** Out: 1 if they allow user mode. */
  declare usermode: number;
  /** Unused. */
  declare readonly pad: Uint8Array;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmTranslation>, offset: number = 0) {
    super(LAYOUTS["kvm_translation"], source, offset);
  }
}
defineFields(KvmTranslation, LAYOUTS["kvm_translation"]);

/**
 * An external interrupt: `struct kvm_interrupt`, 4 bytes.
 *
 * @example
 * ```ts
 * import { KvmInterrupt } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmInterrupt({ irq: 0x20 }).irq, 0x20);
 * ```
 */
export class KvmInterrupt extends StructView {
  /** Vector, 0 to 255. */
  declare irq: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmInterrupt>, offset: number = 0) {
    super(LAYOUTS["kvm_interrupt"], source, offset);
  }
}
defineFields(KvmInterrupt, LAYOUTS["kvm_interrupt"]);
