/**
 * View of the x87, MMX and SSE state: `kvm_fpu`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView } from "./struct_view.ts";

/**
 * The FXSAVE content: `struct kvm_fpu`, 416 bytes.
 *
 * @example
 * ```ts
 * import { KvmFpu } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const fpu = new KvmFpu({ fcw: 0x37f, mxcsr: 0x1f80 });
 * assertEquals([fpu.fcw, fpu.fpr.length, fpu.xmm.length, fpu.xmm[0].length], [0x37f, 8, 16, 16]);
 * ```
 */
export class KvmFpu extends StructView {
  /** ST(0) to ST(7): 16 bytes each, of which 10 count. */
  declare readonly fpr: readonly Uint8Array[];
  /** Control word. */
  declare fcw: number;
  /** Status word; TOP is in bits 11 to 13. */
  declare fsw: number;
  /** Tag word in the form of FXSAVE: bit n is 1 where physical register n is not empty. */
  declare ftwx: number;
  /** Unused. */
  declare pad1: number;
  /** Opcode of the last x87 instruction (11 bits). */
  declare last_opcode: number;
  /** Address of the last x87 instruction. */
  declare last_ip: bigint;
  /** Address of its operand. */
  declare last_dp: bigint;
  /** XMM0 to XMM15: 16 bytes each. */
  declare readonly xmm: readonly Uint8Array[];
  /** MXCSR. */
  declare mxcsr: number;
  /** Unused. */
  declare pad2: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmFpu>, offset: number = 0) {
    super(LAYOUTS["kvm_fpu"], source, offset);
  }
}
defineFields(KvmFpu, LAYOUTS["kvm_fpu"]);
