/**
 * The 23 ioctls of `kvm.h` as rows, and their codes under the names of `kvm.h`.
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

/** Every ioctl, in the order of `kvm.h`. */
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
 */
export function ioctlByCode(code: number): IoctlRow | undefined {
  return BY_CODE.get(code >>> 0);
}

/** The code of the ioctl `name`. */
function codeOf(name: IoctlName): number {
  return IOCTLS.find((row) => row.name === name)!.code;
}

/** System: the API version, 12. */
export const KVM_GET_API_VERSION: number = codeOf("KVM_GET_API_VERSION");
/** System: a new VM. */
export const KVM_CREATE_VM: number = codeOf("KVM_CREATE_VM");
/** System: which MSRs hold state. */
export const KVM_GET_MSR_INDEX_LIST: number = codeOf("KVM_GET_MSR_INDEX_LIST");
/** System: whether an extension is there; version 12 has none. */
export const KVM_CHECK_EXTENSION: number = codeOf("KVM_CHECK_EXTENSION");
/** System: bytes that `mmap` of a vCPU gives. */
export const KVM_GET_VCPU_MMAP_SIZE: number = codeOf("KVM_GET_VCPU_MMAP_SIZE");
/** VM: creates, moves, changes or deletes a memory slot. */
export const KVM_SET_MEMORY_REGION: number = codeOf("KVM_SET_MEMORY_REGION");
/** VM: a new vCPU. */
export const KVM_CREATE_VCPU: number = codeOf("KVM_CREATE_VCPU");
/** VM: which pages of a slot the guest wrote. */
export const KVM_GET_DIRTY_LOG: number = codeOf("KVM_GET_DIRTY_LOG");
/** VM: makes an address range show the memory of another. */
export const KVM_SET_MEMORY_ALIAS: number = codeOf("KVM_SET_MEMORY_ALIAS");
/** vCPU: runs the guest until the next exit. */
export const KVM_RUN: number = codeOf("KVM_RUN");
/** vCPU: reads the general registers. */
export const KVM_GET_REGS: number = codeOf("KVM_GET_REGS");
/** vCPU: writes the general registers. */
export const KVM_SET_REGS: number = codeOf("KVM_SET_REGS");
/** vCPU: reads segments, control registers and queued interrupts. */
export const KVM_GET_SREGS: number = codeOf("KVM_GET_SREGS");
/** vCPU: writes segments, control registers and queued interrupts. */
export const KVM_SET_SREGS: number = codeOf("KVM_SET_SREGS");
/** vCPU: walks the page tables for one address. */
export const KVM_TRANSLATE: number = codeOf("KVM_TRANSLATE");
/** vCPU: queues an external interrupt. */
export const KVM_INTERRUPT: number = codeOf("KVM_INTERRUPT");
/** vCPU: breakpoints and single step. */
export const KVM_DEBUG_GUEST: number = codeOf("KVM_DEBUG_GUEST");
/** vCPU: reads MSRs. */
export const KVM_GET_MSRS: number = codeOf("KVM_GET_MSRS");
/** vCPU: writes MSRs. */
export const KVM_SET_MSRS: number = codeOf("KVM_SET_MSRS");
/** vCPU: what the CPUID instruction answers. */
export const KVM_SET_CPUID: number = codeOf("KVM_SET_CPUID");
/** vCPU: the signal mask inside KVM_RUN. */
export const KVM_SET_SIGNAL_MASK: number = codeOf("KVM_SET_SIGNAL_MASK");
/** vCPU: reads x87, MMX and SSE state. */
export const KVM_GET_FPU: number = codeOf("KVM_GET_FPU");
/** vCPU: writes x87, MMX and SSE state. */
export const KVM_SET_FPU: number = codeOf("KVM_SET_FPU");
