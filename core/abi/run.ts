/**
 * View of `kvm_run`, the page that a vCPU shares with its host, and of the members of its union.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView, type U64Array } from "./struct_view.ts";

/**
 * KVM_EXIT_UNKNOWN: what the engine met.
 *
 * @example
 * ```ts
 * import { KvmRunHw } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmRunHw({ hardware_exit_reason: 5 }).hardware_exit_reason, 5n);
 * ```
 */
export class KvmRunHw extends StructView {
  /** A number of the engine's. */
  declare hardware_exit_reason: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunHw>, offset: number = 0) {
    super(LAYOUTS["kvm_run.hw"], source, offset);
  }
}
defineFields(KvmRunHw, LAYOUTS["kvm_run.hw"]);

/**
 * KVM_EXIT_FAIL_ENTRY: why the processor would refuse the state.
 *
 * @example
 * ```ts
 * import { KvmRunFailEntry } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmRunFailEntry({ hardware_entry_failure_reason: 1 }).hardware_entry_failure_reason, 1n);
 * ```
 */
export class KvmRunFailEntry extends StructView {
  /** A number of the engine's. */
  declare hardware_entry_failure_reason: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunFailEntry>, offset: number = 0) {
    super(LAYOUTS["kvm_run.fail_entry"], source, offset);
  }
}
defineFields(KvmRunFailEntry, LAYOUTS["kvm_run.fail_entry"]);

/**
 * KVM_EXIT_EXCEPTION: which exception.
 *
 * @example
 * ```ts
 * import { KvmRunEx } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmRunEx({ exception: 13, error_code: 8 }).error_code, 8);
 * ```
 */
export class KvmRunEx extends StructView {
  /** Vector. */
  declare exception: number;
  /** Error code, 0 where there is none. */
  declare error_code: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunEx>, offset: number = 0) {
    super(LAYOUTS["kvm_run.ex"], source, offset);
  }
}
defineFields(KvmRunEx, LAYOUTS["kvm_run.ex"]);

/**
 * KVM_EXIT_IO: port input or output; `count` times `size` bytes at `data_offset`.
 *
 * @example
 * ```ts
 * import { KvmRunIo } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmRunIo({ port: 0x3f8, size: 1, count: 1, data_offset: 4096 }).port, 0x3f8);
 * ```
 */
export class KvmRunIo extends StructView {
  /** KVM_EXIT_IO_IN or KVM_EXIT_IO_OUT. */
  declare direction: number;
  /** Bytes of one item: 1, 2 or 4. */
  declare size: number;
  /** Port number. */
  declare port: number;
  /** Number of items, 1 but for string instructions. */
  declare count: number;
  /** Where the data is, in bytes from the start of `kvm_run`. */
  declare data_offset: bigint;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunIo>, offset: number = 0) {
    super(LAYOUTS["kvm_run.io"], source, offset);
  }
}
defineFields(KvmRunIo, LAYOUTS["kvm_run.io"]);

/**
 * KVM_EXIT_MMIO: an access to an address without memory.
 *
 * @example
 * ```ts
 * import { KvmRunMmio } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const mmio = new KvmRunMmio({ phys_addr: 0xfee0_0020, len: 4, is_write: 1 });
 * assertEquals([mmio.phys_addr, mmio.data.length], [0xfee0_0020n, 8]);
 * ```
 */
export class KvmRunMmio extends StructView {
  /** Guest-physical address. */
  declare phys_addr: bigint;
  /** The lower 32 bits of {@linkcode phys_addr}, unsigned. */
  declare phys_addr_lo: number;
  /** The upper 32 bits of {@linkcode phys_addr}, unsigned. */
  declare phys_addr_hi: number;
  /** 8 bytes: what is written, or where the answer goes. */
  declare readonly data: Uint8Array;
  /** How many bytes of them count, 1 to 8. */
  declare len: number;
  /** 1 for a write. */
  declare is_write: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunMmio>, offset: number = 0) {
    super(LAYOUTS["kvm_run.mmio"], source, offset);
  }
}
defineFields(KvmRunMmio, LAYOUTS["kvm_run.mmio"], {}, true);

/**
 * KVM_EXIT_HYPERCALL: VMCALL or VMMCALL.
 *
 * @example
 * ```ts
 * import { KvmRunHypercall } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmRunHypercall({ ret: 42 }).ret, 42n);
 * ```
 */
export class KvmRunHypercall extends StructView {
  /** The six argument registers. */
  declare readonly args: U64Array;
  /** What RAX is to be afterwards; set by the host. */
  declare ret: bigint;
  /** 1 if called from 64-bit code. */
  declare longmode: number;
  /** Unused. */
  declare pad: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRunHypercall>, offset: number = 0) {
    super(LAYOUTS["kvm_run.hypercall"], source, offset);
  }
}
defineFields(KvmRunHypercall, LAYOUTS["kvm_run.hypercall"]);

/**
 * The shared page of a vCPU: `struct kvm_run`, 288 bytes.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_IO, KvmRun, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xe6, 0x80)); // out 0x80, al
 * using vcpu = vm.createVcpu(0);
 * vcpu.run();
 * const run = new KvmRun(vcpu.shared);
 * assertEquals([run.exit_reason, run.io.port, run.if_flag], [KVM_EXIT_IO, 0x80, 0]);
 * ```
 */
export class KvmRun extends StructView {
  /** In: 1 to leave KVM_RUN as soon as an interrupt could be taken and none is queued. */
  declare request_interrupt_window: number;
  /** Unused. */
  declare readonly padding1: Uint8Array;
  /** Out: one of the KVM_EXIT_ numbers. */
  declare exit_reason: number;
  /** Out: 1 if an interrupt could be taken and none is queued. */
  declare ready_for_interrupt_injection: number;
  /** Out: the guest's interrupt flag. */
  declare if_flag: number;
  /** Unused. */
  declare readonly padding2: Uint8Array;
  /** In and out: task priority. */
  declare cr8: bigint;
  /** The lower 32 bits of {@linkcode cr8}, unsigned. */
  declare cr8_lo: number;
  /** The upper 32 bits of {@linkcode cr8}, unsigned. */
  declare cr8_hi: number;
  /** Out: MSR IA32_APIC_BASE. */
  declare apic_base: bigint;
  /** The lower 32 bits of {@linkcode apic_base}, unsigned. */
  declare apic_base_lo: number;
  /** The upper 32 bits of {@linkcode apic_base}, unsigned. */
  declare apic_base_hi: number;
  /** With KVM_EXIT_UNKNOWN. */
  declare readonly hw: KvmRunHw;
  /** With KVM_EXIT_FAIL_ENTRY. */
  declare readonly fail_entry: KvmRunFailEntry;
  /** With KVM_EXIT_EXCEPTION. */
  declare readonly ex: KvmRunEx;
  /** With KVM_EXIT_IO. */
  declare readonly io: KvmRunIo;
  /** With KVM_EXIT_MMIO. */
  declare readonly mmio: KvmRunMmio;
  /** With KVM_EXIT_HYPERCALL. */
  declare readonly hypercall: KvmRunHypercall;
  /** All 256 bytes of the union. */
  declare readonly padding: Uint8Array;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRun>, offset: number = 0) {
    super(LAYOUTS["kvm_run"], source, offset);
  }
}
defineFields(KvmRun, LAYOUTS["kvm_run"], {
  "kvm_run.hw": KvmRunHw,
  "kvm_run.fail_entry": KvmRunFailEntry,
  "kvm_run.ex": KvmRunEx,
  "kvm_run.io": KvmRunIo,
  "kvm_run.mmio": KvmRunMmio,
  "kvm_run.hypercall": KvmRunHypercall,
}, true);
