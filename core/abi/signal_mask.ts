/**
 * View of a signal mask: `kvm_signal_mask`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, isBytes, StructView } from "./struct_view.ts";

/**
 * Which signals are blocked inside KVM_RUN: `struct kvm_signal_mask`, 4 bytes and the set behind them.
 *
 * @example
 * ```ts
 * import { KvmSignalMask } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const mask = new KvmSignalMask(1n << 9n); // signal 10
 * assertEquals([mask.len, mask.sigset[1]], [8, 0b10]);
 * ```
 */
export class KvmSignalMask extends StructView {
  /** Bytes of the set; must be 8. */
  declare len: number;

  /**
   * Stands on `source` from `offset` to its end, or on fresh bytes with a set of 8.
   * @param source Bytes to stand on, or the set: bit n - 1 blocks signal n.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source: ArrayBufferLike | ArrayBufferView | bigint, offset: number = 0) {
    super(LAYOUTS.kvm_signal_mask, source, offset, isBytes(source) ? null : 12);
    if (typeof source === "bigint") {
      this.len = 8;
      this.view.setBigUint64(4, source, true);
    }
  }

  /** The set: all bytes behind `len`; no copy. */
  get sigset(): Uint8Array {
    return this.bytes.subarray(LAYOUTS.kvm_signal_mask.size);
  }
}
defineFields(KvmSignalMask, LAYOUTS.kvm_signal_mask);
