/**
 * The real `/dev/kvm` behind the interface of a backend, through Deno's foreign function interface. It needs Deno with
 * `--allow-ffi` on Linux on x86-64; elsewhere the module can be imported, but {@linkcode createNativeBackend} throws.
 *
 * What it makes belongs to the thread that made it. Where today's kernel differs from version 12 in a way that shows,
 * `vcpu.ts` says so.
 * @module
 */

import { KVM_API_VERSION } from "../abi/constants.ts";
import { type ErrnoName, errnoName } from "../abi/errno.ts";
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_MSR_INDEX_LIST,
  KVM_GET_VCPU_MMAP_SIZE,
} from "../abi/ioctl.ts";
import { LAYOUTS } from "../abi/layout.ts";
import { KvmMsrList, KvmMsrs } from "../abi/msrs.ts";
import type { Backend, BackendVm } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";
import { cpuModel } from "./cpuid.ts";
import { type Libc, openLibc } from "./libc.ts";
import { KVM_CAP_NR_MEMSLOTS } from "./requests.ts";
import { NativeVm } from "./vm.ts";

export { describeUnknownExit } from "./exit_detail.ts";

const DEVICE = "/dev/kvm";

/** The most MSRs that the kernel is asked for. */
const MOST_MSRS = 1024;

/** The upper 24 bits of the kernel's paravirtual MSRs, which version 12 did not have. */
const PARAVIRTUAL = 0x4b564d;

/** Why the device cannot be opened, where the kernel's answer needs words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is none on this machine",
  EACCES: "this user has no right to it",
  EPERM: "this user has no right to it",
  ENODEV: "the processor cannot run guests",
  ENXIO: "the kernel has no KVM module loaded",
};

function refuse(error: ErrnoName | number, state: string): never {
  throw new KvmError(error, `open ${DEVICE}`, state);
}

/** The C library, if this program may use it. */
function checkedLibc(): Libc {
  if (typeof Deno === "undefined") refuse("ENOSYS", "this program does not run on Deno");
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") refuse("ENOSYS", `it needs Linux on x86_64, this is ${os} on ${arch}`);
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    refuse("EACCES", "this program has no --allow-ffi");
  }
  try {
    return openLibc();
  } catch {
    refuse("ENOSYS", "libc.so.6 cannot be loaded");
  }
}

/** The real device. Disposing of it disposes of its machines. */
class NativeBackend implements Backend {
  readonly name = "kvm" as const;
  readonly #libc: Libc;
  #fd: number;
  readonly #memorySlots: number;
  readonly #vcpuMmapSize: number;
  readonly #cpuid: Uint8Array;
  readonly #vms: Set<NativeVm> = new Set();
  #msrs: Uint32Array | null = null;

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
    const version = libc.ioctlValue(fd, KVM_GET_API_VERSION, 0, "get the API version");
    if (version !== KVM_API_VERSION) refuse("ENOSYS", `its API version is ${version}, not ${KVM_API_VERSION}`);
    this.#memorySlots = libc.ioctlValue(fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS, "count the memory slots") || 32;
    this.#vcpuMmapSize = libc.ioctlValue(fd, KVM_GET_VCPU_MMAP_SIZE, 0, "get the size of kvm_run");
    this.#cpuid = cpuModel(libc, fd);
  }

  msrIndexList(): Uint32Array {
    return (this.#msrs ??= this.#usableMsrs()).slice();
  }

  createVm(): BackendVm {
    const vm = new NativeVm({
      libc: this.#libc,
      fd: this.#libc.ioctlValue(this.#fd, KVM_CREATE_VM, 0, "create a machine"),
      memorySlots: this.#memorySlots,
      vcpuMmapSize: this.#vcpuMmapSize,
      cpuid: this.#cpuid,
      onDispose: (gone) => this.#vms.delete(gone),
    });
    this.#vms.add(vm);
    return vm;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    for (const vm of this.#vms) vm[Symbol.dispose]();
    this.#libc.symbols.close(this.#fd);
    this.#fd = -1;
  }

  /** The kernel also lists MSRs that belong to its own local APIC; those that a processor does not take are left out. */
  #usableMsrs(): Uint32Array {
    const list = new KvmMsrList(MOST_MSRS);
    this.#libc.ioctlBytes(this.#fd, KVM_GET_MSR_INDEX_LIST, list.bytes, "list the MSRs");
    using vm = this.createVm();
    using vcpu = vm.createVcpu(0);
    const usable = list.indices.filter((index) => {
      const msr = new KvmMsrs([{ index }]).bytes.subarray(LAYOUTS.kvm_msrs.size);
      return index >>> 8 !== PARAVIRTUAL && vcpu.getMsrs(msr) === 1 && vcpu.setMsrs(msr) === 1;
    });
    return Uint32Array.from(usable);
  }
}

/**
 * Opens the real device.
 * @returns It; dispose of it to close it.
 * @throws KvmError when it cannot be used; the message says why in one line.
 */
export function createNativeBackend(): Backend {
  const libc = checkedLibc();
  const fd = libc.open(DEVICE);
  if (fd < 0) {
    const name = errnoName(libc.errno);
    refuse(libc.errno, REASONS[name] ?? `the kernel answers ${name}`);
  }
  try {
    return new NativeBackend(libc, fd);
  } catch (error) {
    libc.symbols.close(fd);
    throw error;
  }
}
