/**
 * The numbers of `kvm.h` that are neither layouts (see `layout.ts`) nor ioctls (see `ioctl.ts`).
 * @module
 */

/** What KVM_GET_API_VERSION answers. */
export const KVM_API_VERSION = 12 as const;
/** The type byte of every ioctl. */
export const KVMIO = 0xae as const;
/** Number of interrupt vectors. */
export const KVM_NR_INTERRUPTS = 256 as const;
/** Bytes of `kvm_sregs.interrupt_bitmap`. */
export const KVM_IRQ_BITMAP_SIZE_BYTES = 32 as const;
/** Bit of `kvm_memory_region.flags`: guest writes to the slot are recorded for KVM_GET_DIRTY_LOG. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1 as const;

/** The engine met what it cannot run; `hw.hardware_exit_reason` says which. */
export const KVM_EXIT_UNKNOWN = 0 as const;
/** An exception that the host asked to intercept. */
export const KVM_EXIT_EXCEPTION = 1 as const;
/** IN, OUT, INS or OUTS. */
export const KVM_EXIT_IO = 2 as const;
/** VMCALL or VMMCALL. */
export const KVM_EXIT_HYPERCALL = 3 as const;
/** A breakpoint or single step of KVM_DEBUG_GUEST. */
export const KVM_EXIT_DEBUG = 4 as const;
/** HLT with nothing to deliver. */
export const KVM_EXIT_HLT = 5 as const;
/** An access to an address without memory. */
export const KVM_EXIT_MMIO = 6 as const;
/** The requested interrupt window is open. */
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7 as const;
/** Triple fault. */
export const KVM_EXIT_SHUTDOWN = 8 as const;
/** The processor would refuse the state that was set. */
export const KVM_EXIT_FAIL_ENTRY = 9 as const;
/** KVM_RUN was interrupted. */
export const KVM_EXIT_INTR = 10 as const;

/** Any `kvm_run.exit_reason`. */
export type KvmExitReason =
  | typeof KVM_EXIT_UNKNOWN
  | typeof KVM_EXIT_EXCEPTION
  | typeof KVM_EXIT_IO
  | typeof KVM_EXIT_HYPERCALL
  | typeof KVM_EXIT_DEBUG
  | typeof KVM_EXIT_HLT
  | typeof KVM_EXIT_MMIO
  | typeof KVM_EXIT_IRQ_WINDOW_OPEN
  | typeof KVM_EXIT_SHUTDOWN
  | typeof KVM_EXIT_FAIL_ENTRY
  | typeof KVM_EXIT_INTR;

/** The names of the exit reasons, by number. */
export const KVM_EXIT_NAMES: readonly string[] = [
  "KVM_EXIT_UNKNOWN",
  "KVM_EXIT_EXCEPTION",
  "KVM_EXIT_IO",
  "KVM_EXIT_HYPERCALL",
  "KVM_EXIT_DEBUG",
  "KVM_EXIT_HLT",
  "KVM_EXIT_MMIO",
  "KVM_EXIT_IRQ_WINDOW_OPEN",
  "KVM_EXIT_SHUTDOWN",
  "KVM_EXIT_FAIL_ENTRY",
  "KVM_EXIT_INTR",
];

/** `kvm_run.io.direction`: the guest reads the port. */
export const KVM_EXIT_IO_IN = 0 as const;
/** `kvm_run.io.direction`: the guest writes the port. */
export const KVM_EXIT_IO_OUT = 1 as const;
