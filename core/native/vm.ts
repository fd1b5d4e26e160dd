/**
 * A machine of the real device.
 * @module
 */

import { KVM_CREATE_VCPU } from "../abi/ioctl.ts";
import type { BackendMemory, BackendVcpu, BackendVm, MappedRange } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";
import { GuestMap, NativeMemory } from "./guest_map.ts";
import type { Libc } from "./libc.ts";
import { KVM_SET_CPUID2, KVM_SET_TSS_ADDR, TSS_ADDRESS } from "./requests.ts";
import { NativeVcpu } from "./vcpu.ts";

/** What a machine has from its backend. */
export interface VmParts {
  readonly libc: Libc;
  /** The file descriptor, which the machine owns. */
  readonly fd: number;
  /** How many memory slots the kernel has for it. */
  readonly memorySlots: number;
  /** Bytes that `mmap` of a vCPU gives. */
  readonly vcpuMmapSize: number;
  /** `struct kvm_cpuid2` for new processors. */
  readonly cpuid: Uint8Array;
  /** Called when the machine is disposed of. */
  readonly onDispose: (vm: NativeVm) => void;
}

/** One machine. Disposing of it disposes of its processors and gives its memory back. */
export class NativeVm implements BackendVm {
  readonly #parts: VmParts;
  readonly #libc: Libc;
  #fd: number;
  readonly #map: GuestMap;
  readonly #memories: Set<NativeMemory> = new Set();
  readonly #vcpus: Set<NativeVcpu> = new Set();

  /** Takes over the file descriptor. */
  constructor(parts: VmParts) {
    this.#parts = parts;
    this.#libc = parts.libc;
    this.#fd = parts.fd;
    this.#map = new GuestMap(parts.libc, parts.fd, parts.memorySlots);
    // Only Intel processors without unrestricted guest mode use it; elsewhere it does nothing.
    this.#libc.symbols.ioctlValue(parts.fd, KVM_SET_TSS_ADDR, BigInt(TSS_ADDRESS));
  }

  allocate(size: number): BackendMemory {
    this.#checkOpen("allocate guest memory");
    const memory = new NativeMemory(this.#libc, size);
    this.#memories.add(memory);
    return memory;
  }

  release(memory: BackendMemory): void {
    const own = this.#own(memory);
    this.#memories.delete(own);
    this.#libc.unmap(own.mapping);
  }

  map(ranges: readonly MappedRange[]): void {
    this.#checkOpen("map memory");
    this.#map.replace(ranges);
  }

  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void {
    this.#map.harvest(this.#own(memory), bitmap);
  }

  createVcpu(id: number): BackendVcpu {
    const libc = this.#libc;
    const fd = libc.ioctlValue(this.#fd, KVM_CREATE_VCPU, id, `create processor ${id}`);
    const mapping = libc.map(this.#parts.vcpuMmapSize, fd);
    if (mapping === null) {
      const { errno } = libc;
      libc.symbols.close(fd);
      throw new KvmError(errno, `create processor ${id}`, "its kvm_run cannot be mapped");
    }
    const vcpu = new NativeVcpu({
      libc,
      fd,
      mapping,
      read: (gpa, size) => this.#map.read(gpa, size),
      onDispose: (gone) => this.#vcpus.delete(gone),
    });
    this.#vcpus.add(vcpu);
    try {
      libc.ioctlBytes(fd, KVM_SET_CPUID2, this.#parts.cpuid, "set the CPUID leaves of the host");
    } catch (error) {
      vcpu[Symbol.dispose]();
      throw error;
    }
    return vcpu;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    for (const vcpu of this.#vcpus) vcpu[Symbol.dispose]();
    this.#libc.symbols.close(this.#fd);
    this.#fd = -1;
    for (const memory of this.#memories) this.release(memory);
    this.#parts.onDispose(this);
  }

  #own(memory: BackendMemory): NativeMemory {
    if (memory instanceof NativeMemory && this.#memories.has(memory)) return memory;
    throw new KvmError("EINVAL", "use guest memory", "it does not belong to this machine");
  }

  #checkOpen(action: string): void {
    if (this.#fd < 0) throw new KvmError("EBADF", action, "the machine is closed");
  }
}
