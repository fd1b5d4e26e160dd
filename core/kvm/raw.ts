/**
 * The raw form of the API, for programs that were written against `/dev/kvm` in C: file descriptors, `ioctl` with request
 * codes, `mmap`; errors are negative errno numbers, nothing is thrown for them.
 *
 * Where C passes a pointer, pass a typed array, a `DataView` or a view of the structure. One structure holds a pointer of
 * its own: for KVM_GET_DIRTY_LOG pass `{ log, bitmap }`, the structure and the memory that `dirty_bitmap` would point to.
 * Not modelled: `mmap` of several slots at once (the range must be contiguous in one slot), and a descriptor's flags.
 * @module
 */

import { KvmCpuid } from "../abi/cpuid.ts";
import { KvmDebugGuest } from "../abi/debug.ts";
import { ERRNO, type ErrnoName } from "../abi/errno.ts";
import { KvmFpu } from "../abi/fpu.ts";
import { ioctlByCode, type SystemIoctlName, type VcpuIoctlName, type VmIoctlName } from "../abi/ioctl.ts";
import { KVM_EXIT_INTR } from "../abi/constants.ts";
import { LAYOUTS } from "../abi/layout.ts";
import { KvmDirtyLog, KvmMemoryAlias, KvmMemoryRegion } from "../abi/memory.ts";
import { KvmMsrList, KvmMsrs } from "../abi/msrs.ts";
import { KvmRegs, KvmSregs } from "../abi/regs.ts";
import { KvmSignalMask } from "../abi/signal_mask.ts";
import { StructView } from "../abi/struct_view.ts";
import { KvmInterrupt, KvmTranslation } from "../abi/translation.ts";
import type { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import { PAGE_SIZE } from "./memory_map.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vm } from "./vm.ts";

/**
 * The argument of KVM_GET_DIRTY_LOG.
 *
 * @example
 * ```ts
 * import { KvmDirtyLog, type RawDirtyLog } from "@kvm12/kvm12";
 *
 * const argument: RawDirtyLog = { log: new KvmDirtyLog({ slot: 0 }), bitmap: new Uint8Array(8) };
 * console.log(argument.bitmap.byteLength); // room for 64 pages
 * ```
 */
export interface RawDirtyLog {
  /** `struct kvm_dirty_log`; its pointer is not looked at. */
  readonly log: ArrayBufferView | StructView;
  /** Where the bitmap goes: one bit a page, rounded up to a multiple of 8 bytes. */
  readonly bitmap: ArrayBufferView;
}

/** The third argument of `ioctl`: a number, or what a pointer would point to; null is the number 0. */
export type RawArgument = number | bigint | null | ArrayBufferView | StructView | RawDirtyLog;

/** An open `/dev/kvm`. */
interface SystemFile {
  readonly kind: "system";
  readonly kvm: Kvm;
}

/** An open VM and who still holds it. */
interface VmFile {
  readonly kind: "vm";
  readonly vm: Vm;
  /** Descriptors that keep the VM alive: its own, and those of its vCPUs. */
  holders: number;
}

/** An open vCPU. */
interface VcpuFile {
  readonly kind: "vcpu";
  readonly vcpu: Vcpu;
  readonly owner: VmFile;
}

/** What a file descriptor stands for. */
type File = SystemFile | VmFile | VcpuFile;

/** The descriptors 0 to 2 are standard input, output and error. */
const FIRST_FD = 3;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The negative number of an error. */
function failure(name: ErrnoName): number {
  return -ERRNO[name];
}

/** Whether `argument` is that of KVM_GET_DIRTY_LOG. */
function isDirtyLog(argument: RawArgument): argument is RawDirtyLog {
  return typeof argument === "object" && argument !== null && "bitmap" in argument;
}

/** The bytes that `argument` points to; none if it is no pointer. */
function bytesOf(argument: RawArgument): Uint8Array {
  if (isDirtyLog(argument)) return bytesOf(argument.log);
  if (argument instanceof StructView) return argument.bytes;
  if (argument instanceof Uint8Array) return argument;
  if (ArrayBuffer.isView(argument)) return new Uint8Array(argument.buffer, argument.byteOffset, argument.byteLength);
  return NO_BYTES;
}

/** Whether `argument` is the number 0. */
function isZero(argument: RawArgument): boolean {
  return argument === 0 || argument === 0n || argument === null;
}

/** `argument` as a number; a pointer is one far out of range. */
function valueOf(argument: RawArgument): number {
  return typeof argument === "object" && argument !== null ? Infinity : Number(argument);
}

/** The negative number of a {@linkcode KvmError}; anything else is a fault of ours and goes on up. */
function negative(error: unknown): number {
  if (error instanceof KvmError) return -error.errno;
  throw error;
}

/**
 * What carries out an ioctl: on its descriptor, with the bytes of its structure (none where it has none) and its argument
 * as it was given; `add` gives a new descriptor.
 */
type Handler<T> = (file: T, bytes: Uint8Array, argument: RawArgument, add: (file: File) => number) => number;

const SYSTEM: Readonly<Record<SystemIoctlName, Handler<SystemFile>>> = {
  KVM_GET_API_VERSION: ({ kvm }) => kvm.getApiVersion(),
  KVM_CREATE_VM: ({ kvm }, _bytes, _argument, add) => add({ kind: "vm", vm: kvm.createVm(), holders: 1 }),
  KVM_GET_MSR_INDEX_LIST: ({ kvm }, bytes) => (kvm.getMsrIndexList(new KvmMsrList(bytes)), 0),
  KVM_CHECK_EXTENSION: ({ kvm }, _bytes, argument) => kvm.checkExtension(valueOf(argument)),
  KVM_GET_VCPU_MMAP_SIZE: ({ kvm }) => kvm.getVcpuMmapSize(),
};

const VM: Readonly<Record<VmIoctlName, Handler<VmFile>>> = {
  KVM_SET_MEMORY_REGION: ({ vm }, bytes) => (vm.setMemoryRegion(new KvmMemoryRegion(bytes)), 0),
  KVM_CREATE_VCPU: (owner, _bytes, argument, add) => {
    const vcpu = owner.vm.createVcpu(valueOf(argument));
    owner.holders++;
    return add({ kind: "vcpu", vcpu, owner });
  },
  KVM_GET_DIRTY_LOG: ({ vm }, bytes, argument) => {
    if (!isDirtyLog(argument)) return failure("EFAULT");
    vm.getDirtyLog(new KvmDirtyLog(bytes).slot, bytesOf(argument.bitmap));
    return 0;
  },
  KVM_SET_MEMORY_ALIAS: ({ vm }, bytes) => (vm.setMemoryAlias(new KvmMemoryAlias(bytes)), 0),
};

const VCPU: Readonly<Record<VcpuIoctlName, Handler<VcpuFile>>> = {
  KVM_RUN: ({ vcpu }) => vcpu.run().reason === KVM_EXIT_INTR ? failure("EINTR") : 0,
  KVM_GET_REGS: ({ vcpu }, bytes) => (vcpu.getRegs(new KvmRegs(bytes)), 0),
  KVM_SET_REGS: ({ vcpu }, bytes) => (vcpu.setRegs(new KvmRegs(bytes)), 0),
  KVM_GET_SREGS: ({ vcpu }, bytes) => (vcpu.getSregs(new KvmSregs(bytes)), 0),
  KVM_SET_SREGS: ({ vcpu }, bytes) => (vcpu.setSregs(new KvmSregs(bytes)), 0),
  KVM_TRANSLATE: ({ vcpu }, bytes) => (vcpu.translate(new KvmTranslation(bytes)), 0),
  KVM_INTERRUPT: ({ vcpu }, bytes) => (vcpu.interrupt(new KvmInterrupt(bytes).irq), 0),
  KVM_DEBUG_GUEST: ({ vcpu }, bytes) => (vcpu.debugGuest(new KvmDebugGuest(bytes)), 0),
  KVM_GET_MSRS: ({ vcpu }, bytes) => vcpu.getMsrs(new KvmMsrs(bytes)),
  KVM_SET_MSRS: ({ vcpu }, bytes) => vcpu.setMsrs(new KvmMsrs(bytes)),
  KVM_SET_CPUID: ({ vcpu }, bytes) => (vcpu.setCpuid(new KvmCpuid(bytes)), 0),
  KVM_SET_SIGNAL_MASK: ({ vcpu }, bytes, argument) => {
    vcpu.setSignalMask(isZero(argument) ? null : new KvmSignalMask(bytes));
    return 0;
  },
  KVM_GET_FPU: ({ vcpu }, bytes) => (vcpu.getFpu(new KvmFpu(bytes)), 0),
  KVM_SET_FPU: ({ vcpu }, bytes) => (vcpu.setFpu(new KvmFpu(bytes)), 0),
};

/**
 * The system calls that a program makes on `/dev/kvm`.
 *
 * @example
 * ```ts
 * import { KVM_CREATE_VM, KVM_GET_API_VERSION, openKvm, RawKvm } from "@kvm12/kvm12";
 *
 * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
 * const kvmFd = raw.open("/dev/kvm");
 * console.log(raw.ioctl(kvmFd, KVM_GET_API_VERSION, 0)); // 12
 * console.log(raw.ioctl(kvmFd, KVM_CREATE_VM, 0)); // a descriptor, for the calls of a VM
 * ```
 */
export class RawKvm implements Disposable {
  readonly #open: () => Kvm;
  readonly #files: Map<number, File> = new Map();
  /** Gives `file` the lowest free descriptor. */
  readonly #add = (file: File): number => {
    let fd = FIRST_FD;
    while (this.#files.has(fd)) fd++;
    this.#files.set(fd, file);
    return fd;
  };

  /**
   * Opens nothing yet.
   * @param open Gives the KVM that `open("/dev/kvm")` is to reach.
   */
  constructor(open: () => Kvm) {
    this.#open = open;
  }

  /**
   * `open(2)`.
   * @param path `/dev/kvm`.
   * @returns A file descriptor; -ENOENT for another path; the negative errno that the engine reports.
   *
   * @example
   * ```ts
   * import { openKvm, RawKvm } from "@kvm12/kvm12";
   *
   * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
   * console.log(raw.open("/dev/kvm"), raw.open("/dev/null")); // 3 -2: ENOENT
   * ```
   */
  open(path: string): number {
    if (path !== "/dev/kvm") return failure("ENOENT");
    try {
      return this.#add({ kind: "system", kvm: this.#open() });
    } catch (error) {
      return negative(error);
    }
  }

  /**
   * `ioctl(2)`.
   * @param fd The file descriptor.
   * @param request The request code, all 32 bits of it, signed or unsigned.
   * @param argument Its argument; see the module's text.
   * @returns What the call returns, 0 or more; or a negative errno: -EBADF for no such descriptor; -EINVAL for an unknown
   * request, one for another kind of descriptor, or an argument where none is taken; -EFAULT for fewer bytes than the
   * structure has; else as the methods of `Kvm`, `Vm` and `Vcpu` say.
   *
   * @example A guest of one instruction, as a C program would run it
   * ```ts
   * import {
   *   KVM_CREATE_VCPU,
   *   KVM_CREATE_VM,
   *   KVM_GET_SREGS,
   *   KVM_RUN,
   *   KVM_SET_MEMORY_REGION,
   *   KVM_SET_REGS,
   *   KVM_SET_SREGS,
   *   KvmMemoryRegion,
   *   KvmRegs,
   *   KvmRun,
   *   KvmSregs,
   *   openKvm,
   *   RawKvm,
   * } from "@kvm12/kvm12";
   *
   * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
   * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM, 0);
   * raw.ioctl(vm, KVM_SET_MEMORY_REGION, new KvmMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x1000 }));
   * (raw.mmap(vm, 0, 0x1000) as Uint8Array).set([0xe6, 0xe9]); // out 0xe9, al
   * const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
   * const sregs = new KvmSregs();
   * raw.ioctl(vcpu, KVM_GET_SREGS, sregs);
   * sregs.cs.base = 0n;
   * sregs.cs.selector = 0;
   * raw.ioctl(vcpu, KVM_SET_SREGS, sregs);
   * raw.ioctl(vcpu, KVM_SET_REGS, new KvmRegs({ rip: 0, rax: 0x41, rflags: 2 }));
   * const run = new KvmRun(raw.mmap(vcpu, 0, 8192) as Uint8Array);
   * if (raw.ioctl(vcpu, KVM_RUN, 0) < 0) throw new Error("interrupted");
   * const data = raw.mmap(vcpu, Number(run.io.data_offset), 4096) as Uint8Array;
   * console.log(run.exit_reason, run.io.port, String.fromCharCode(data[0])); // 2 233 A
   * ```
   */
  ioctl(fd: number, request: number, argument: RawArgument = 0): number {
    const file = this.#files.get(fd);
    if (file === undefined) return failure("EBADF");
    const row = ioctlByCode(request);
    if (row === undefined || row.fd !== file.kind) return failure("EINVAL");
    if (row.argument === "none" && !isZero(argument)) return failure("EINVAL");
    const bytes = bytesOf(argument);
    const noMask = row.name === "KVM_SET_SIGNAL_MASK" && isZero(argument);
    if (row.structure !== null && !noMask && bytes.length < LAYOUTS[row.structure].size) return failure("EFAULT");
    try {
      switch (file.kind) {
        case "system":
          return SYSTEM[row.name as SystemIoctlName](file, bytes, argument, this.#add);
        case "vm":
          return VM[row.name as VmIoctlName](file, bytes, argument, this.#add);
        case "vcpu":
          return VCPU[row.name as VcpuIoctlName](file, bytes, argument, this.#add);
      }
    } catch (error) {
      return negative(error);
    }
  }

  /**
   * `mmap(2)`, shared, readable and writable.
   * @param fd The file descriptor of a VM or vCPU.
   * @param offset A multiple of 4096: the guest-physical address (VM), or 0 or 4096 (vCPU).
   * @param length Bytes.
   * @returns The memory itself, not a copy; or a negative errno: -EBADF for no such descriptor; -ENODEV for that of
   * `/dev/kvm`; -EINVAL for an unaligned offset or no length; -EFAULT where there is no memory.
   *
   * @example
   * ```ts
   * import { KVM_CREATE_VM, KVM_SET_MEMORY_REGION, KvmMemoryRegion, openKvm, RawKvm } from "@kvm12/kvm12";
   *
   * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
   * const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
   * const region = new KvmMemoryRegion({ slot: 0, guest_phys_addr: 0x8000, memory_size: 0x1000 });
   * raw.ioctl(vm, KVM_SET_MEMORY_REGION, region);
   * const memory = raw.mmap(vm, 0x8000, 0x1000);
   * if (typeof memory === "number") throw new Error(`error ${-memory}`);
   * memory[0] = 0xf4;
   * console.log(raw.mmap(vm, 0, 0x1000)); // -14: EFAULT
   * ```
   */
  mmap(fd: number, offset: number | bigint, length: number): Uint8Array | number {
    const file = this.#files.get(fd);
    if (file === undefined) return failure("EBADF");
    if (file.kind === "system") return failure("ENODEV");
    if (!(Number.isSafeInteger(length) && length > 0) || Number(offset) % PAGE_SIZE !== 0) return failure("EINVAL");
    try {
      if (file.kind === "vm") return file.vm.memory(offset, length);
      const { shared } = file.vcpu;
      const start = Number(offset);
      if (start < 0 || start + length > shared.length) return failure("EFAULT");
      return shared.subarray(start, start + length);
    } catch (error) {
      return negative(error);
    }
  }

  /**
   * `close(2)`. A VM lives on until its vCPUs are closed too.
   * @param fd The file descriptor.
   * @returns 0, or -EBADF.
   *
   * @example
   * ```ts
   * import { openKvm, RawKvm } from "@kvm12/kvm12";
   *
   * using raw = new RawKvm(() => openKvm({ backend: "soft" }));
   * const kvm = raw.open("/dev/kvm");
   * console.log(raw.close(kvm), raw.close(kvm)); // 0 -9: EBADF
   * ```
   */
  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return failure("EBADF");
    this.#files.delete(fd);
    if (file.kind === "system") {
      file.kvm[Symbol.dispose]();
    } else if (file.kind === "vm") {
      this.#leave(file);
    } else {
      file.vcpu[Symbol.dispose]();
      this.#leave(file.owner);
    }
    return 0;
  }

  /** Closes all descriptors. */
  [Symbol.dispose](): void {
    for (const fd of [...this.#files.keys()]) this.close(fd);
  }

  /** One holder less. */
  #leave(file: VmFile): void {
    if (--file.holders === 0) file.vm[Symbol.dispose]();
  }
}
