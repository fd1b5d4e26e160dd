/**
 * Views of the registers: `kvm_regs`, `kvm_segment`, `kvm_dtable`, `kvm_sregs`.
 * @module
 */

import { LAYOUTS } from "./layout.ts";
import { defineFields, type StructSource, StructView, type U64Array } from "./struct_view.ts";

/**
 * The general registers: `struct kvm_regs`, 144 bytes.
 *
 * @example
 * ```ts
 * import { KvmRegs } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const regs = new KvmRegs({ rip: 0x1000, rflags: 2 });
 * assertEquals([regs.rip, regs.rax, regs.bytes.length], [0x1000n, 0n, 144]);
 * ```
 */
export class KvmRegs extends StructView {
  /** RAX. */
  declare rax: bigint;
  /** The lower 32 bits of {@linkcode rax}, unsigned. */
  declare rax_lo: number;
  /** The upper 32 bits of {@linkcode rax}, unsigned. */
  declare rax_hi: number;
  /** RBX. */
  declare rbx: bigint;
  /** The lower 32 bits of {@linkcode rbx}, unsigned. */
  declare rbx_lo: number;
  /** The upper 32 bits of {@linkcode rbx}, unsigned. */
  declare rbx_hi: number;
  /** RCX. */
  declare rcx: bigint;
  /** The lower 32 bits of {@linkcode rcx}, unsigned. */
  declare rcx_lo: number;
  /** The upper 32 bits of {@linkcode rcx}, unsigned. */
  declare rcx_hi: number;
  /** RDX. */
  declare rdx: bigint;
  /** The lower 32 bits of {@linkcode rdx}, unsigned. */
  declare rdx_lo: number;
  /** The upper 32 bits of {@linkcode rdx}, unsigned. */
  declare rdx_hi: number;
  /** RSI. */
  declare rsi: bigint;
  /** The lower 32 bits of {@linkcode rsi}, unsigned. */
  declare rsi_lo: number;
  /** The upper 32 bits of {@linkcode rsi}, unsigned. */
  declare rsi_hi: number;
  /** RDI. */
  declare rdi: bigint;
  /** The lower 32 bits of {@linkcode rdi}, unsigned. */
  declare rdi_lo: number;
  /** The upper 32 bits of {@linkcode rdi}, unsigned. */
  declare rdi_hi: number;
  /** RSP. */
  declare rsp: bigint;
  /** The lower 32 bits of {@linkcode rsp}, unsigned. */
  declare rsp_lo: number;
  /** The upper 32 bits of {@linkcode rsp}, unsigned. */
  declare rsp_hi: number;
  /** RBP. */
  declare rbp: bigint;
  /** The lower 32 bits of {@linkcode rbp}, unsigned. */
  declare rbp_lo: number;
  /** The upper 32 bits of {@linkcode rbp}, unsigned. */
  declare rbp_hi: number;
  /** R8. */
  declare r8: bigint;
  /** The lower 32 bits of {@linkcode r8}, unsigned. */
  declare r8_lo: number;
  /** The upper 32 bits of {@linkcode r8}, unsigned. */
  declare r8_hi: number;
  /** R9. */
  declare r9: bigint;
  /** The lower 32 bits of {@linkcode r9}, unsigned. */
  declare r9_lo: number;
  /** The upper 32 bits of {@linkcode r9}, unsigned. */
  declare r9_hi: number;
  /** R10. */
  declare r10: bigint;
  /** The lower 32 bits of {@linkcode r10}, unsigned. */
  declare r10_lo: number;
  /** The upper 32 bits of {@linkcode r10}, unsigned. */
  declare r10_hi: number;
  /** R11. */
  declare r11: bigint;
  /** The lower 32 bits of {@linkcode r11}, unsigned. */
  declare r11_lo: number;
  /** The upper 32 bits of {@linkcode r11}, unsigned. */
  declare r11_hi: number;
  /** R12. */
  declare r12: bigint;
  /** The lower 32 bits of {@linkcode r12}, unsigned. */
  declare r12_lo: number;
  /** The upper 32 bits of {@linkcode r12}, unsigned. */
  declare r12_hi: number;
  /** R13. */
  declare r13: bigint;
  /** The lower 32 bits of {@linkcode r13}, unsigned. */
  declare r13_lo: number;
  /** The upper 32 bits of {@linkcode r13}, unsigned. */
  declare r13_hi: number;
  /** R14. */
  declare r14: bigint;
  /** The lower 32 bits of {@linkcode r14}, unsigned. */
  declare r14_lo: number;
  /** The upper 32 bits of {@linkcode r14}, unsigned. */
  declare r14_hi: number;
  /** R15. */
  declare r15: bigint;
  /** The lower 32 bits of {@linkcode r15}, unsigned. */
  declare r15_lo: number;
  /** The upper 32 bits of {@linkcode r15}, unsigned. */
  declare r15_hi: number;
  /** RIP. */
  declare rip: bigint;
  /** The lower 32 bits of {@linkcode rip}, unsigned. */
  declare rip_lo: number;
  /** The upper 32 bits of {@linkcode rip}, unsigned. */
  declare rip_hi: number;
  /** RFLAGS. */
  declare rflags: bigint;
  /** The lower 32 bits of {@linkcode rflags}, unsigned. */
  declare rflags_lo: number;
  /** The upper 32 bits of {@linkcode rflags}, unsigned. */
  declare rflags_hi: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmRegs>, offset: number = 0) {
    super(LAYOUTS["kvm_regs"], source, offset);
  }
}
defineFields(KvmRegs, LAYOUTS["kvm_regs"], {}, true);

/**
 * A segment register with its hidden part: `struct kvm_segment`, 24 bytes.
 *
 * @example
 * ```ts
 * import { KvmSegment } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const segment = new KvmSegment({ base: 0x1_0000, limit: 0xffff, selector: 0x1000, type: 3, s: 1, present: 1 });
 * assertEquals([segment.base, segment.limit, segment.dpl], [0x1_0000n, 0xffff, 0]);
 * ```
 */
export class KvmSegment extends StructView {
  /** Linear address of the first byte. */
  declare base: bigint;
  /** Highest offset in bytes, granularity applied (0 to 2^32 - 1). */
  declare limit: number;
  /** The selector (16 bits). */
  declare selector: number;
  /** Descriptor type (4 bits). */
  declare type: number;
  /** P bit. */
  declare present: number;
  /** Descriptor privilege level (0 to 3). */
  declare dpl: number;
  /** D/B bit: 32-bit default size. */
  declare db: number;
  /** S bit: 1 for code and data, 0 for system descriptors. */
  declare s: number;
  /** L bit: 64-bit code. */
  declare l: number;
  /** Granularity bit. */
  declare g: number;
  /** Bit for the operating system's use. */
  declare avl: number;
  /** 1 where a null selector was loaded. */
  declare unusable: number;
  /** Unused. */
  declare padding: number;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmSegment>, offset: number = 0) {
    super(LAYOUTS["kvm_segment"], source, offset);
  }
}
defineFields(KvmSegment, LAYOUTS["kvm_segment"]);

/**
 * A descriptor table register: `struct kvm_dtable`, 16 bytes.
 *
 * @example
 * ```ts
 * import { KvmDtable } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new KvmDtable({ base: 0x1000, limit: 0x17 }).base, 0x1000n);
 * ```
 */
export class KvmDtable extends StructView {
  /** Linear address of the table. */
  declare base: bigint;
  /** Size of the table in bytes, less one (16 bits). */
  declare limit: number;
  /** Unused. */
  declare readonly padding: Uint8Array;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmDtable>, offset: number = 0) {
    super(LAYOUTS["kvm_dtable"], source, offset);
  }
}
defineFields(KvmDtable, LAYOUTS["kvm_dtable"]);

/**
 * Segments, control registers and queued interrupts: `struct kvm_sregs`, 312 bytes.
 *
 * @example
 * ```ts
 * import { KvmSregs } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const sregs = new KvmSregs({ cr0: 0x11, cs: { base: 0xf_0000, selector: 0xf000 } });
 * assertEquals([sregs.cr0, sregs.cs.base, sregs.interrupt_bitmap.length], [0x11n, 0xf_0000n, 4]);
 * ```
 */
export class KvmSregs extends StructView {
  /** CS. */
  declare readonly cs: KvmSegment;
  /** DS. */
  declare readonly ds: KvmSegment;
  /** ES. */
  declare readonly es: KvmSegment;
  /** FS. */
  declare readonly fs: KvmSegment;
  /** GS. */
  declare readonly gs: KvmSegment;
  /** SS. */
  declare readonly ss: KvmSegment;
  /** Task register. */
  declare readonly tr: KvmSegment;
  /** Local descriptor table register. */
  declare readonly ldt: KvmSegment;
  /** Global descriptor table register. */
  declare readonly gdt: KvmDtable;
  /** Interrupt descriptor table register. */
  declare readonly idt: KvmDtable;
  /** CR0. */
  declare cr0: bigint;
  /** CR2. */
  declare cr2: bigint;
  /** CR3. */
  declare cr3: bigint;
  /** CR4. */
  declare cr4: bigint;
  /** Task priority (4 bits). */
  declare cr8: bigint;
  /** MSR EFER. */
  declare efer: bigint;
  /** MSR IA32_APIC_BASE. */
  declare apic_base: bigint;
  /** Queued external interrupts: bit n of word w is vector 64 w + n. */
  declare readonly interrupt_bitmap: U64Array;

  /**
   * Stands on `source` from `offset`, or on fresh bytes with the given values.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(source?: StructSource<KvmSregs>, offset: number = 0) {
    super(LAYOUTS["kvm_sregs"], source, offset);
  }
}
defineFields(KvmSregs, LAYOUTS["kvm_sregs"], { kvm_segment: KvmSegment, kvm_dtable: KvmDtable });
