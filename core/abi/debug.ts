/**
 * Views of what KVM_DEBUG_GUEST takes: `kvm_breakpoint`, `kvm_debug_guest`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView } from "./struct_view.ts";

/**
 * One execution breakpoint: `struct kvm_breakpoint`, 16 bytes.
 *
 * @example
 * ```ts
 * import { KvmBreakpoint } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmBreakpoint({ enabled: 1, address: 0x7c00 }).address, 0x7c00n);
 * ```
 */
export class KvmBreakpoint extends StructView {
  /** Whether it is armed (any non-zero value). */
  declare enabled: number;
  /** Unused. */
  declare padding: number;
  /** Linear address. */
  declare address: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmBreakpoint>, offset: number = 0) {
    super(LAYOUTS["kvm_breakpoint"], source, offset);
  }
}
defineFields(KvmBreakpoint, LAYOUTS["kvm_breakpoint"]);

/**
 * Four breakpoints and single step: `struct kvm_debug_guest`, 80 bytes.
 *
 * @example
 * ```ts
 * import { KvmDebugGuest } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const debug = new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: 0x7c00n }] });
 * assertEquals([debug.breakpoints.length, debug.breakpoints[0].address, debug.singlestep], [4, 0x7c00n, 0]);
 * ```
 */
export class KvmDebugGuest extends StructView {
  /** Whether anything of the following counts (any non-zero value). */
  declare enabled: number;
  /** Unused. */
  declare pad: number;
  /** Four execution breakpoints. */
  declare readonly breakpoints: readonly KvmBreakpoint[];
  /** Whether to leave after each instruction (any non-zero value). */
  declare singlestep: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmDebugGuest>, offset: number = 0) {
    super(LAYOUTS["kvm_debug_guest"], source, offset);
  }
}
defineFields(KvmDebugGuest, LAYOUTS["kvm_debug_guest"], { kvm_breakpoint: KvmBreakpoint });
