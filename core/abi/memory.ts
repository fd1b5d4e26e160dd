/**
 * Views of what describes guest memory: `kvm_memory_region`, `kvm_memory_alias`, `kvm_dirty_log`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView } from "./struct_view.ts";

/**
 * A memory slot: `struct kvm_memory_region`, 24 bytes.
 *
 * @example
 * ```ts
 * import { KvmMemoryRegion } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const region = new KvmMemoryRegion({ slot: 1, guest_phys_addr: 0x1000, memory_size: 0x2000 });
 * assertEquals([region.slot, region.memory_size], [1, 0x2000n]);
 * ```
 */
export class KvmMemoryRegion extends StructView {
  /** Which slot. */
  declare slot: number;
  /** 0 or KVM_MEM_LOG_DIRTY_PAGES. */
  declare flags: number;
  /** Guest-physical address of the first byte, a multiple of 4096. */
  declare guest_phys_addr: bigint;
  /** Bytes, a multiple of 4096; 0 deletes the slot. */
  declare memory_size: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmMemoryRegion>, offset: number = 0) {
    super(LAYOUTS["kvm_memory_region"], source, offset);
  }
}
defineFields(KvmMemoryRegion, LAYOUTS["kvm_memory_region"]);

/**
 * An alias: `struct kvm_memory_alias`, 32 bytes.
 *
 * @example
 * ```ts
 * import { KvmMemoryAlias } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const alias = new KvmMemoryAlias({ slot: 0, guest_phys_addr: 0x8000, memory_size: 0x1000, target_phys_addr: 0 });
 * assertEquals([alias.guest_phys_addr, alias.bytes.length], [0x8000n, 32]);
 * ```
 */
export class KvmMemoryAlias extends StructView {
  /** Which alias; counted apart from memory slots. */
  declare slot: number;
  /** Unused. */
  declare flags: number;
  /** Guest-physical address at which the memory is to be seen too, a multiple of 4096. */
  declare guest_phys_addr: bigint;
  /** Bytes, a multiple of 4096; 0 removes the alias. */
  declare memory_size: bigint;
  /** Guest-physical address of the memory, a multiple of 4096. */
  declare target_phys_addr: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmMemoryAlias>, offset: number = 0) {
    super(LAYOUTS["kvm_memory_alias"], source, offset);
  }
}
defineFields(KvmMemoryAlias, LAYOUTS["kvm_memory_alias"]);

/**
 * Which dirty log to fetch: `struct kvm_dirty_log`, 16 bytes.
 *
 * @example
 * ```ts
 * import { KvmDirtyLog } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmDirtyLog({ slot: 3 }).slot, 3);
 * ```
 */
export class KvmDirtyLog extends StructView {
  /** Which memory slot. */
  declare slot: number;
  /** Unused. */
  declare padding: number;
  /** The C caller's address of the bitmap; unused here, the bitmap is handed over beside the structure. */
  declare dirty_bitmap: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmDirtyLog>, offset: number = 0) {
    super(LAYOUTS["kvm_dirty_log"], source, offset);
  }
}
defineFields(KvmDirtyLog, LAYOUTS["kvm_dirty_log"]);
