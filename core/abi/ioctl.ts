/**
 * The 23 ioctls of `kvm.h` as rows, and their codes under the names of `kvm.h`. The codes are for the raw form, which
 * gives errors as negative numbers: beside what is said at each, all of them give EBADF for a descriptor that is not open,
 * EINVAL for one of another kind, and those with a structure EFAULT where fewer bytes are given.
 * @module
 */

import { KVMIO } from "./constants.ts";
import { LAYOUTS, type StructName } from "./layout.ts";

/** The kind of file descriptor that an ioctl is for. */
export type FdKind = "system" | "vm" | "vcpu";

/** The macro an ioctl is declared with: which way its structure goes, seen from the caller. */
export type IoctlDirection = "_IO" | "_IOR" | "_IOW" | "_IOWR";

/** What the argument is: nothing (must be 0), a number, or the address of the row's structure. */
export type IoctlArgument = "none" | "value" | "pointer";

/** The ioctls of `/dev/kvm`. */
export type SystemIoctlName =
  | "KVM_GET_API_VERSION"
  | "KVM_CREATE_VM"
  | "KVM_GET_MSR_INDEX_LIST"
  | "KVM_CHECK_EXTENSION"
  | "KVM_GET_VCPU_MMAP_SIZE";

/** The ioctls of a VM. */
export type VmIoctlName = "KVM_SET_MEMORY_REGION" | "KVM_CREATE_VCPU" | "KVM_GET_DIRTY_LOG" | "KVM_SET_MEMORY_ALIAS";

/** The ioctls of a vCPU. */
export type VcpuIoctlName =
  | "KVM_RUN"
  | "KVM_GET_REGS"
  | "KVM_SET_REGS"
  | "KVM_GET_SREGS"
  | "KVM_SET_SREGS"
  | "KVM_TRANSLATE"
  | "KVM_INTERRUPT"
  | "KVM_DEBUG_GUEST"
  | "KVM_GET_MSRS"
  | "KVM_SET_MSRS"
  | "KVM_SET_CPUID"
  | "KVM_SET_SIGNAL_MASK"
  | "KVM_GET_FPU"
  | "KVM_SET_FPU";

/** The name of an ioctl. */
export type IoctlName = SystemIoctlName | VmIoctlName | VcpuIoctlName;

/** One ioctl. */
export interface IoctlRow {
  /** Its name in `kvm.h`. */
  readonly name: IoctlName;
  /** The kind of file descriptor it works on; on any other it gives EINVAL. */
  readonly fd: FdKind;
  /** The macro it is declared with. */
  readonly direction: IoctlDirection;
  /** Its number under the type byte {@linkcode KVMIO}. */
  readonly number: number;
  /** The structure its code carries the size of, or null. */
  readonly structure: StructName | null;
  /** What its argument is. */
  readonly argument: IoctlArgument;
  /** The whole 32-bit request code, as an unsigned number. */
  readonly code: number;
}

const DIRECTION_BITS: Readonly<Record<IoctlDirection, number>> = { _IO: 0, _IOW: 1, _IOR: 2, _IOWR: 3 };

function row(
  name: IoctlName,
  fd: FdKind,
  direction: IoctlDirection,
  number: number,
  argument: StructName | "none" | "value",
): IoctlRow {
  const structure = argument === "none" || argument === "value" ? null : argument;
  const size = structure === null ? 0 : LAYOUTS[structure].size;
  const code = ((DIRECTION_BITS[direction] << 30) | (size << 16) | (KVMIO << 8) | number) >>> 0;
  return {
    name,
    fd,
    direction,
    number,
    structure,
    argument: structure === null ? argument as "none" : "pointer",
    code,
  };
}

/**
 * Every ioctl, in the order of `kvm.h`.
 *
 * @example
 * ```ts
 * import { IOCTLS } from "@kvm12/kvm12";
 *
 * for (const { name, code } of IOCTLS) console.log(name, code.toString(16));
 * ```
 */
// deno-fmt-ignore
export const IOCTLS: readonly IoctlRow[] = [
  row("KVM_GET_API_VERSION",    "system", "_IO",   0x00, "none"),
  row("KVM_CREATE_VM",          "system", "_IO",   0x01, "none"),
  row("KVM_GET_MSR_INDEX_LIST", "system", "_IOWR", 0x02, "kvm_msr_list"),
  row("KVM_CHECK_EXTENSION",    "system", "_IO",   0x03, "value"),
  row("KVM_GET_VCPU_MMAP_SIZE", "system", "_IO",   0x04, "none"),
  row("KVM_SET_MEMORY_REGION",  "vm",     "_IOW",  0x40, "kvm_memory_region"),
  row("KVM_CREATE_VCPU",        "vm",     "_IO",   0x41, "value"),
  row("KVM_GET_DIRTY_LOG",      "vm",     "_IOW",  0x42, "kvm_dirty_log"),
  row("KVM_SET_MEMORY_ALIAS",   "vm",     "_IOW",  0x43, "kvm_memory_alias"),
  row("KVM_RUN",                "vcpu",   "_IO",   0x80, "none"),
  row("KVM_GET_REGS",           "vcpu",   "_IOR",  0x81, "kvm_regs"),
  row("KVM_SET_REGS",           "vcpu",   "_IOW",  0x82, "kvm_regs"),
  row("KVM_GET_SREGS",          "vcpu",   "_IOR",  0x83, "kvm_sregs"),
  row("KVM_SET_SREGS",          "vcpu",   "_IOW",  0x84, "kvm_sregs"),
  row("KVM_TRANSLATE",          "vcpu",   "_IOWR", 0x85, "kvm_translation"),
  row("KVM_INTERRUPT",          "vcpu",   "_IOW",  0x86, "kvm_interrupt"),
  row("KVM_DEBUG_GUEST",        "vcpu",   "_IOW",  0x87, "kvm_debug_guest"),
  row("KVM_GET_MSRS",           "vcpu",   "_IOWR", 0x88, "kvm_msrs"),
  row("KVM_SET_MSRS",           "vcpu",   "_IOW",  0x89, "kvm_msrs"),
  row("KVM_SET_CPUID",          "vcpu",   "_IOW",  0x8a, "kvm_cpuid"),
  row("KVM_SET_SIGNAL_MASK",    "vcpu",   "_IOW",  0x8b, "kvm_signal_mask"),
  row("KVM_GET_FPU",            "vcpu",   "_IOR",  0x8c, "kvm_fpu"),
  row("KVM_SET_FPU",            "vcpu",   "_IOW",  0x8d, "kvm_fpu"),
];

const BY_CODE: ReadonlyMap<number, IoctlRow> = new Map(IOCTLS.map((row) => [row.code, row]));

/**
 * The ioctl of a request code.
 * @param code All 32 bits of it, signed or unsigned.
 * @returns Its row, or undefined where version 12 has none.
 *
 * @example
 * ```ts
 * import { ioctlByCode, KVM_RUN } from "@kvm12/kvm12";
 *
 * console.log(ioctlByCode(KVM_RUN)?.name, ioctlByCode(0)); // KVM_RUN undefined
 * ```
 */
export function ioctlByCode(code: number): IoctlRow | undefined {
  return BY_CODE.get(code >>> 0);
}

/** The code of the ioctl `name`. */
function codeOf(name: IoctlName): number {
  return IOCTLS.find((row) => row.name === name)!.code;
}

/**
 * System: the API version. Returns 12.
 *
 * Errors: EINVAL for an argument other than 0.
 *
 * @example
 * ```ts
 * import { KVM_GET_API_VERSION, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvm = raw.open("/dev/kvm");
 * console.log(raw.ioctl(kvm, KVM_GET_API_VERSION)); // 12
 * ```
 */
export const KVM_GET_API_VERSION: number = codeOf("KVM_GET_API_VERSION");
/**
 * System: a new VM without memory and processors. Returns its file descriptor.
 *
 * Errors: EINVAL for an argument other than 0.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VM, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvm = raw.open("/dev/kvm");
 * const vm = raw.ioctl(kvm, KVM_CREATE_VM);
 * console.log(vm); // 4
 * ```
 */
export const KVM_CREATE_VM: number = codeOf("KVM_CREATE_VM");
/**
 * System: the numbers of all MSRs that hold state, into a `struct kvm_msr_list` whose `nmsrs` says for how many
 * there is room.
 *
 * Errors: E2BIG if that is too little: `nmsrs` then says how many there are; EFAULT for fewer bytes than `nmsrs`
 * says.
 *
 * @example
 * ```ts
 * import { KVM_GET_MSR_INDEX_LIST, KvmMsrList, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvm = raw.open("/dev/kvm");
 * const list = new KvmMsrList(0);
 * console.log(raw.ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list)); // -7: E2BIG
 * const all = new KvmMsrList(list.nmsrs);
 * console.log(raw.ioctl(kvm, KVM_GET_MSR_INDEX_LIST, all), all.indices.includes(0x10)); // 0 true
 * ```
 */
export const KVM_GET_MSR_INDEX_LIST: number = codeOf("KVM_GET_MSR_INDEX_LIST");
/**
 * System: whether the extension of the given number is there. Returns 0: version 12 defines none.
 *
 * @example
 * ```ts
 * import { KVM_CHECK_EXTENSION, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvm = raw.open("/dev/kvm");
 * console.log(raw.ioctl(kvm, KVM_CHECK_EXTENSION, 7)); // 0
 * ```
 */
export const KVM_CHECK_EXTENSION: number = codeOf("KVM_CHECK_EXTENSION");
/**
 * System: bytes that `mmap` of a vCPU gives. Returns 8192: `kvm_run`, and the page of port data behind it.
 *
 * Errors: EINVAL for an argument other than 0.
 *
 * @example
 * ```ts
 * import { KVM_GET_VCPU_MMAP_SIZE, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvm = raw.open("/dev/kvm");
 * console.log(raw.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE)); // 8192
 * ```
 */
export const KVM_GET_VCPU_MMAP_SIZE: number = codeOf("KVM_GET_VCPU_MMAP_SIZE");
/**
 * VM: creates a memory slot with zeroed memory; moves it with its contents (same size, other address); switches
 * its dirty log (flags); deletes it (size 0).
 *
 * Errors: EINVAL: size or address is not page-aligned, the slot is not 0 to 31, unknown flags, the address wraps,
 * or the size of a slot in use would change; EEXIST: it overlaps another slot; ENOMEM: the host cannot give the
 * memory.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VM, KVM_SET_MEMORY_REGION, KvmMemoryRegion, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const region = new KvmMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
 * console.log(raw.ioctl(vm, KVM_SET_MEMORY_REGION, region)); // 0
 * const memory = raw.mmap(vm, 0x1000, 0x2000) as Uint8Array;
 * console.log(memory.length); // 8192
 * ```
 */
export const KVM_SET_MEMORY_REGION: number = codeOf("KVM_SET_MEMORY_REGION");
/**
 * VM: a new processor in its reset state, in the slot that is the argument, 0 to 15. Returns its file descriptor.
 *
 * Errors: EINVAL for another slot; EEXIST if it is taken.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * console.log(vcpu, raw.ioctl(vm, KVM_CREATE_VCPU, 0)); // 5 -17: EEXIST
 * ```
 */
export const KVM_CREATE_VCPU: number = codeOf("KVM_CREATE_VCPU");
/**
 * VM: which pages of a slot the guest wrote since the last call, one bit each, rounded up to 8 bytes; clears the
 * log.
 *
 * Errors: EINVAL: slot out of range; ENOENT: the slot does not log; EFAULT: the bitmap is too short.
 *
 * @example
 * ```ts
 * import {
 *   KVM_CREATE_VM,
 *   KVM_GET_DIRTY_LOG,
 *   KVM_MEM_LOG_DIRTY_PAGES,
 *   KVM_SET_MEMORY_REGION,
 *   KvmDirtyLog,
 *   KvmMemoryRegion,
 *   openKvm,
 *   RawKvm,
 * } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const region = new KvmMemoryRegion({ slot: 0, flags: KVM_MEM_LOG_DIRTY_PAGES, memory_size: 0x10000 });
 * raw.ioctl(vm, KVM_SET_MEMORY_REGION, region);
 * const bitmap = new Uint8Array(8);
 * const log = new KvmDirtyLog({ slot: 0 });
 * console.log(raw.ioctl(vm, KVM_GET_DIRTY_LOG, { log, bitmap }), bitmap[0]); // 0 0
 * ```
 */
export const KVM_GET_DIRTY_LOG: number = codeOf("KVM_GET_DIRTY_LOG");
/**
 * VM: makes an address range show the memory of another one, above any slot that is there; size 0 removes the
 * alias.
 *
 * Errors: EINVAL: an address or the size is not page-aligned, the alias is not 0 to 7, or a range wraps.
 *
 * @example
 * ```ts
 * import {
 *   KVM_CREATE_VM,
 *   KVM_SET_MEMORY_ALIAS,
 *   KVM_SET_MEMORY_REGION,
 *   KvmMemoryAlias,
 *   KvmMemoryRegion,
 *   openKvm,
 *   RawKvm,
 * } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * raw.ioctl(vm, KVM_SET_MEMORY_REGION, new KvmMemoryRegion({ slot: 0, memory_size: 0x1000 }));
 * const alias = new KvmMemoryAlias({ slot: 0, guest_phys_addr: 0xf0000, memory_size: 0x1000, target_phys_addr: 0 });
 * console.log(raw.ioctl(vm, KVM_SET_MEMORY_ALIAS, alias)); // 0
 * (raw.mmap(vm, 0, 0x1000) as Uint8Array)[5] = 42;
 * console.log((raw.mmap(vm, 0xf0000, 0x1000) as Uint8Array)[5]); // 42
 * ```
 */
export const KVM_SET_MEMORY_ALIAS: number = codeOf("KVM_SET_MEMORY_ALIAS");
/**
 * vCPU: completes what the last exit left pending, then runs the guest until the next exit; `kvm_run` tells why it
 * stopped.
 *
 * Errors: EINTR, with `exit_reason` KVM_EXIT_INTR, if it was interrupted; EINVAL for an argument other than 0.
 *
 * @example
 * ```ts
 * import {
 *   KVM_CREATE_VCPU,
 *   KVM_CREATE_VM,
 *   KVM_EXIT_HLT,
 *   KVM_RUN,
 *   KVM_SET_MEMORY_REGION,
 *   KvmMemoryRegion,
 *   KvmRun,
 *   openKvm,
 *   RawKvm,
 * } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * // The processor begins at 0xfffffff0.
 * raw.ioctl(vm, KVM_SET_MEMORY_REGION, new KvmMemoryRegion({ guest_phys_addr: 0xfffff000, memory_size: 0x1000 }));
 * (raw.mmap(vm, 0xfffff000, 0x1000) as Uint8Array)[0xff0] = 0xf4; // hlt
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const run = new KvmRun(raw.mmap(vcpu, 0, 8192) as Uint8Array);
 * console.log(raw.ioctl(vcpu, KVM_RUN), run.exit_reason === KVM_EXIT_HLT); // 0 true
 * ```
 */
export const KVM_RUN: number = codeOf("KVM_RUN");
/**
 * vCPU: reads the general registers, RIP and RFLAGS into a `struct kvm_regs`. TF and RF are hidden while the host
 * single-steps.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_GET_REGS, KvmRegs, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const regs = new KvmRegs();
 * raw.ioctl(vcpu, KVM_GET_REGS, regs);
 * console.log(regs.rip.toString(16)); // fff0
 * ```
 */
export const KVM_GET_REGS: number = codeOf("KVM_GET_REGS");
/**
 * vCPU: writes all general registers, RIP and RFLAGS.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_SET_REGS, KvmRegs, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * console.log(raw.ioctl(vcpu, KVM_SET_REGS, new KvmRegs({ rip: 0x1000, rsp: 0x8000, rflags: 2 }))); // 0
 * ```
 */
export const KVM_SET_REGS: number = codeOf("KVM_SET_REGS");
/**
 * vCPU: reads segments, tables, control registers and queued interrupts into a `struct kvm_sregs`.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_GET_SREGS, KvmSregs, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const sregs = new KvmSregs();
 * raw.ioctl(vcpu, KVM_GET_SREGS, sregs);
 * console.log(sregs.cs.base.toString(16)); // ffff0000
 * ```
 */
export const KVM_GET_SREGS: number = codeOf("KVM_GET_SREGS");
/**
 * vCPU: writes segments, tables, control registers and queued interrupts. An impossible state shows at the next
 * KVM_RUN as KVM_EXIT_FAIL_ENTRY.
 *
 * @example
 * ```ts
 * import {
 *   KVM_CREATE_VCPU,
 *   KVM_CREATE_VM,
 *   KVM_GET_SREGS,
 *   KVM_SET_SREGS,
 *   KvmSregs,
 *   openKvm,
 *   RawKvm,
 * } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const sregs = new KvmSregs();
 * raw.ioctl(vcpu, KVM_GET_SREGS, sregs);
 * sregs.cs.base = 0n;
 * sregs.cs.selector = 0;
 * console.log(raw.ioctl(vcpu, KVM_SET_SREGS, sregs)); // 0
 * ```
 */
export const KVM_SET_SREGS: number = codeOf("KVM_SET_SREGS");
/**
 * vCPU: walks the page tables for the `linear_address` of a `struct kvm_translation`, and changes nothing.
 *
 * Errors: none: where no mapping is present, `valid` is 0.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_TRANSLATE, KvmTranslation, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const found = new KvmTranslation({ linear_address: 0x1234 });
 * raw.ioctl(vcpu, KVM_TRANSLATE, found);
 * console.log(found.valid, found.physical_address); // 1 4660n
 * ```
 */
export const KVM_TRANSLATE: number = codeOf("KVM_TRANSLATE");
/**
 * vCPU: queues an external interrupt; the guest takes it when IF is set and nothing is in the way. Several may be
 * queued.
 *
 * Errors: EINVAL for a vector above 255.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_INTERRUPT, KvmInterrupt, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * console.log(raw.ioctl(vcpu, KVM_INTERRUPT, new KvmInterrupt({ irq: 0x20 }))); // 0
 * ```
 */
export const KVM_INTERRUPT: number = codeOf("KVM_INTERRUPT");
/**
 * vCPU: arms four execution breakpoints and single step, and disarms what was armed; KVM_RUN then ends with
 * KVM_EXIT_DEBUG.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_DEBUG_GUEST, KvmDebugGuest, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const breakpoints = [{ enabled: 1, address: 0x1000 }];
 * console.log(raw.ioctl(vcpu, KVM_DEBUG_GUEST, new KvmDebugGuest({ enabled: 1, breakpoints }))); // 0
 * ```
 */
export const KVM_DEBUG_GUEST: number = codeOf("KVM_DEBUG_GUEST");
/**
 * vCPU: reads MSRs in order into the entries of a `struct kvm_msrs`. Returns how many, up to the first that does
 * not exist.
 *
 * Errors: E2BIG for 256 entries or more; EFAULT for fewer entries than `nmsrs` says.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_GET_MSRS, KvmMsrs, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const msrs = new KvmMsrs([{ index: 0x174 }, { index: 0x12345678 }]);
 * console.log(raw.ioctl(vcpu, KVM_GET_MSRS, msrs), msrs.entries[0].data); // 1 0n
 * ```
 */
export const KVM_GET_MSRS: number = codeOf("KVM_GET_MSRS");
/**
 * vCPU: writes MSRs in order. Returns how many, up to the first that does not exist or does not take the value.
 *
 * Errors: E2BIG for 256 entries or more; EFAULT for fewer entries than `nmsrs` says.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_SET_MSRS, KvmMsrs, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * console.log(raw.ioctl(vcpu, KVM_SET_MSRS, new KvmMsrs([{ index: 0x174, data: 8 }]))); // 1
 * ```
 */
export const KVM_SET_MSRS: number = codeOf("KVM_SET_MSRS");
/**
 * vCPU: what the CPUID instruction answers, up to 100 leaves. A leaf that is missing answers as the highest one of
 * its half.
 *
 * Errors: E2BIG for more; EFAULT for fewer entries than `nent` says.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_SET_CPUID, KvmCpuid, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const cpuid = new KvmCpuid([{ function: 0, eax: 0, ebx: 0x756e6547, edx: 0x49656e69, ecx: 0x6c65746e }]);
 * console.log(raw.ioctl(vcpu, KVM_SET_CPUID, cpuid)); // 0
 * ```
 */
export const KVM_SET_CPUID: number = codeOf("KVM_SET_CPUID");
/**
 * vCPU: which signals are blocked inside KVM_RUN; a pending one that is not ends it with EINTR. An argument of 0
 * sets none.
 *
 * Errors: EINVAL unless `len` is 8; EFAULT for a set that is not there.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_SET_SIGNAL_MASK, KvmSignalMask, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * console.log(raw.ioctl(vcpu, KVM_SET_SIGNAL_MASK, new KvmSignalMask(0n))); // 0
 * console.log(raw.ioctl(vcpu, KVM_SET_SIGNAL_MASK, 0)); // 0
 * ```
 */
export const KVM_SET_SIGNAL_MASK: number = codeOf("KVM_SET_SIGNAL_MASK");
/**
 * vCPU: reads the x87, MMX and SSE state, MXCSR included, into a `struct kvm_fpu`.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_GET_FPU, KvmFpu, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const fpu = new KvmFpu();
 * raw.ioctl(vcpu, KVM_GET_FPU, fpu);
 * console.log(fpu.mxcsr.toString(16)); // 1f80
 * ```
 */
export const KVM_GET_FPU: number = codeOf("KVM_GET_FPU");
/**
 * vCPU: writes the x87, MMX and SSE state, MXCSR included.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VCPU, KVM_CREATE_VM, KVM_SET_FPU, KvmFpu, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
 * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
 * const fpu = new KvmFpu({ fcw: 0x37f, mxcsr: 0x1f80 });
 * fpu.xmm[0].fill(0xff);
 * console.log(raw.ioctl(vcpu, KVM_SET_FPU, fpu)); // 0
 * ```
 */
export const KVM_SET_FPU: number = codeOf("KVM_SET_FPU");
