/**
 * What of the current kernel's interface goes beyond version 12: request codes, exit numbers and layouts of
 * `linux/kvm.h` and `asm/kvm.h`, as far as this backend needs them. Everything else is in `core/abi`.
 * @module
 */

/** System: `struct kvm_cpuid2`, the CPUID leaves that a guest can have. */
export const KVM_GET_SUPPORTED_CPUID = 0xc008ae05;
/** VM: `struct kvm_userspace_memory_region`; took the place of KVM_SET_MEMORY_REGION. */
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
/** VM: where Intel processors without unrestricted guest mode may keep three pages of their own. */
export const KVM_SET_TSS_ADDR = 0xae47;
/** vCPU: `struct kvm_cpuid2`. */
export const KVM_SET_CPUID2 = 0x4008ae90;
/** vCPU: `struct kvm_guest_debug`; took the place of KVM_DEBUG_GUEST. */
export const KVM_SET_GUEST_DEBUG = 0x4048ae9b;
/** vCPU: `struct kvm_vcpu_events`. */
export const KVM_GET_VCPU_EVENTS = 0x8040ae9f;
/** vCPU: `struct kvm_vcpu_events`. */
export const KVM_SET_VCPU_EVENTS = 0x4040aea0;
/** vCPU: `struct kvm_xsave`. */
export const KVM_GET_XSAVE = 0x9000aea4;
/** vCPU: `struct kvm_xsave`. */
export const KVM_SET_XSAVE = 0x5000aea5;

/** Number for KVM_CHECK_EXTENSION: how many memory slots a VM has. */
export const KVM_CAP_NR_MEMSLOTS = 10;

/** Exit: the guest lowered its task priority; nothing that version 12 reports. */
export const KVM_EXIT_SET_TPR = 11;
/** Exit: the kernel cannot go on. */
export const KVM_EXIT_INTERNAL_ERROR = 17;

/** Below 4 GiB, and above everything that PCs keep there. */
export const TSS_ADDRESS = 0xfffbd000;

/** `struct kvm_userspace_memory_region`. */
export const USER_MEMORY_REGION = { size: 32, slot: 0, flags: 4, gpa: 8, memorySize: 16, address: 24 } as const;
/** The most bytes of one memory slot: its pages must be countable in 31 bits. */
export const MOST_SLOT_BYTES: number = (2 ** 31 - 1) * 4096;

/** `struct kvm_cpuid2` and its `struct kvm_cpuid_entry2`. */
export const CPUID2 = { headerSize: 8, entrySize: 40, function: 0, index: 4, flags: 8, eax: 12, ecx: 20 } as const;
/** The most CPUID entries that the kernel takes. */
export const MOST_CPUID_ENTRIES = 256;

/** `struct kvm_guest_debug`. */
export const GUEST_DEBUG = { size: 72, control: 0, debugRegisters: 8 } as const;
/** Bit of `kvm_guest_debug.control`: any of the following counts. */
export const KVM_GUESTDBG_ENABLE = 0x00001;
/** Bit of `kvm_guest_debug.control`: leave after each instruction. */
export const KVM_GUESTDBG_SINGLESTEP = 0x00002;
/** Bit of `kvm_guest_debug.control`: the debug registers given count instead of the guest's. */
export const KVM_GUESTDBG_USE_HW_BP = 0x20000;

/** `struct kvm_vcpu_events`, as far as it is about external interrupts. */
export const VCPU_EVENTS = {
  size: 64,
  interruptInjected: 8,
  interruptVector: 9,
  interruptSoft: 10,
  flags: 20,
} as const;

/** `struct kvm_xsave`: the FXSAVE area, and the bits that say which parts are in use. */
export const XSAVE = {
  size: 4096,
  fcw: 0,
  fsw: 2,
  ftwx: 4,
  lastOpcode: 6,
  lastIp: 8,
  lastDp: 16,
  mxcsr: 24,
  fpr: 32,
  xmm: 160,
  inUse: 512,
} as const;
