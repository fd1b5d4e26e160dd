/**
 * The object behind a `/dev/kvm` file descriptor, with one method for each of its ioctls.
 * @module
 */

import { KVM_API_VERSION } from "../abi/constants.ts";
import { KvmMsrList } from "../abi/msrs.ts";
import type { Backend, BackendName } from "./backend.ts";
import { KvmError } from "./kvm_error.ts";
import { Vm } from "./vm.ts";

/** Bytes that `mmap` of a vCPU gives: `kvm_run` and the page of port data. */
export const VCPU_MMAP_SIZE = 8192 as const;

/**
 * KVM itself. Made by `openKvm`; closed by `using` or `[Symbol.dispose]()`, after which each call gives EBADF. VMs made
 * before live on until they are closed themselves.
 *
 * @example
 * ```ts
 * import { openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "auto" });
 * console.log(kvm.backend, kvm.getApiVersion()); // "kvm" or "soft", 12
 * ```
 */
export class Kvm implements Disposable {
  /** Which engine is behind it. */
  readonly backend: BackendName;
  #backend: Backend | null;
  /** VMs that are not closed, and this object itself: when none is left, the engine goes. */
  #users: number = 1;

  /**
   * Use `openKvm`.
   * @param backend The engine; it is closed when this object and all its VMs are.
   */
  constructor(backend: Backend) {
    this.backend = backend.name;
    this.#backend = backend;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#backend === null;
  }

  /**
   * KVM_GET_API_VERSION.
   * @returns 12.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_API_VERSION, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * assertEquals(kvm.getApiVersion(), KVM_API_VERSION);
   * ```
   */
  getApiVersion(): number {
    this.#open("get the API version");
    return KVM_API_VERSION;
  }

  /**
   * KVM_CREATE_VM: a new machine without memory and processors.
   * @returns The machine.
   * @throws KvmError EBADF when closed; what the kernel reports (real device).
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * assertEquals(vm.closed, false);
   * ```
   */
  createVm(): Vm {
    const backend = this.#open("create a VM");
    const vm = new Vm(backend.createVm(), () => this.#leave(backend));
    this.#users++;
    return vm;
  }

  /**
   * KVM_GET_MSR_INDEX_LIST: the numbers of all MSRs that hold state; GET_MSRS and SET_MSRS accept every one of them.
   * @param into Where to put them: its `nmsrs` says for how many there is room. A fresh view if left out.
   * @returns `into`, its `nmsrs` being how many there are.
   * @throws KvmError E2BIG if there is not room for all (`nmsrs` then says how many there are); EFAULT if there are fewer
   * bytes than `nmsrs` says; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assert } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * const list = kvm.getMsrIndexList();
   * assert(list.indices.includes(0xc000_0080)); // IA32_EFER
   * ```
   */
  getMsrIndexList(into?: KvmMsrList): KvmMsrList {
    const action = "get the MSR index list";
    const indices = this.#open(action).msrIndexList();
    const list = into ?? new KvmMsrList(indices.length);
    const room = list.nmsrs;
    list.nmsrs = indices.length;
    if (room < indices.length) {
      throw new KvmError("E2BIG", action, `there are ${indices.length} MSRs and room for ${room}`);
    }
    if (list.capacity < indices.length) {
      throw new KvmError("EFAULT", action, `there are ${indices.length} MSRs and bytes for ${list.capacity}`);
    }
    indices.forEach((msr, index) => list.setIndex(index, msr));
    return list;
  }

  /**
   * KVM_CHECK_EXTENSION: whether an extension is there.
   * @param _extension Its number.
   * @returns 0: version 12 defines none.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * assertEquals(kvm.checkExtension(0), 0); // version 12 has none
   * ```
   */
  checkExtension(_extension: number): number {
    this.#open("check an extension");
    return 0;
  }

  /**
   * KVM_GET_VCPU_MMAP_SIZE: how many bytes `Vcpu.shared` has.
   * @returns 8192.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * assertEquals(kvm.getVcpuMmapSize(), 8192);
   * ```
   */
  getVcpuMmapSize(): number {
    this.#open("get the size of kvm_run");
    return VCPU_MMAP_SIZE;
  }

  /** Closes it. Closing again does nothing. */
  [Symbol.dispose](): void {
    const backend = this.#backend;
    if (backend === null) return;
    this.#backend = null;
    this.#leave(backend);
  }

  /** The backend, for `action`. */
  #open(action: string): Backend {
    if (this.#backend === null) throw new KvmError("EBADF", action, "KVM is closed");
    return this.#backend;
  }

  /** One user less. */
  #leave(backend: Backend): void {
    if (--this.#users === 0) backend[Symbol.dispose]();
  }
}
