/**
 * A virtual machine: the object behind a VM file descriptor, with one method for each of its ioctls and access to guest
 * memory by guest-physical address.
 * @module
 */

import { KvmMemoryAlias, KvmMemoryRegion } from "../abi/memory.ts";
import type { StructInit, StructView } from "../abi/struct_view.ts";
import type { BackendMemory, BackendVm } from "./backend.ts";
import { bytesOf, dirtyAddresses, readStretch, writeStretch } from "./guest_data.ts";
import { KvmError } from "./kvm_error.ts";
import { MemoryMap, PAGE_SIZE, type Stretch } from "./memory_map.ts";
import { Vcpu } from "./vcpu.ts";

/** Number of vCPUs a VM can have; their slots are 0 to one less. */
export const KVM_MAX_VCPUS = 16 as const;

/** A guest-physical address. Numbers must be exact: integers below 2^53. */
export type GuestAddress = number | bigint;

/** Something with bytes: an array, a `DataView`, or a structure of `kvm.h`. */
export type GuestData = ArrayBufferView | StructView;

/** What {@linkcode Vm.readString} is to read. */
export interface ReadStringOptions {
  /** Bytes of the text, the whole of it; none: it ends before the first byte 0. */
  readonly length?: number;
  /**
   * Without `length`: how many bytes are looked at for the byte 0.
   * @default 4096
   */
  readonly most?: number;
}

/** Bytes that {@linkcode Vm.readString} looks at, unless told. */
const STRING_MOST = 4096;

/** An address for a message. */
function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

/**
 * A virtual machine. Made by `Kvm.createVm`; closed by `using` or `[Symbol.dispose]()`, which closes its vCPUs too; after
 * that each call gives EBADF, and views of its memory must no longer be used.
 *
 * @example
 * ```ts
 * import { KVM_MEM_LOG_DIRTY_PAGES, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 0, memory_size: 1 << 20 });
 * vm.memory(0x7c00, 512).fill(0x90);
 * ```
 */
export class Vm implements Disposable {
  #backend: BackendVm | null;
  #map: MemoryMap = new MemoryMap();
  /** The vCPUs by slot; a closed one keeps its slot. */
  readonly #vcpus: Map<number, Vcpu> = new Map();
  readonly #onClose: () => void;

  /**
   * Use `Kvm.createVm`.
   * @param backend The engine's machine.
   * @param onClose Called once when it is closed.
   */
  constructor(backend: BackendVm, onClose: () => void) {
    this.#backend = backend;
    this.#onClose = onClose;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#backend === null;
  }

  /**
   * KVM_CREATE_VCPU: a new processor in its reset state.
   * @param slot Which one, 0 to 15. A slot can be used once in the life of a VM.
   * @returns The processor.
   * @throws KvmError EINVAL for another slot; EEXIST if it is taken; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmError, openKvm } from "@kvm12/kvm12";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.id, 0);
   * assertThrows(() => vm.createVcpu(0), KvmError, "taken");
   * ```
   */
  createVcpu(slot: number): Vcpu {
    const action = `create vCPU ${slot}`;
    const backend = this.#open(action);
    if (!(Number.isInteger(slot) && slot >= 0 && slot < KVM_MAX_VCPUS)) {
      throw new KvmError("EINVAL", action, `the slots are 0 to ${KVM_MAX_VCPUS - 1}`);
    }
    if (this.#vcpus.has(slot)) throw new KvmError("EEXIST", action, "the slot is taken");
    const vcpu = new Vcpu(slot, backend.createVcpu(slot));
    this.#vcpus.set(slot, vcpu);
    return vcpu;
  }

  /**
   * KVM_SET_MEMORY_REGION: creates a slot with zeroed memory; moves a slot with its contents (same size, new address);
   * switches its dirty log (flags); deletes it with its contents (size 0).
   * @param region `slot` 0 to 31, `flags` 0 or KVM_MEM_LOG_DIRTY_PAGES, `guest_phys_addr` and `memory_size` multiples of
   * 4096.
   * @throws KvmError EINVAL: not page-aligned, slot out of range, unknown flags, the address wraps, or the size of a slot in
   * use would change; EEXIST: it overlaps another slot; ENOMEM: the host cannot give the memory; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
   * vm.write(0x1000, "moved");
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x8000, memory_size: 0x1000 });
   * assertEquals(vm.readString(0x8000, { length: 5 }), "moved");
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x8000, memory_size: 0 }); // gone
   * ```
   */
  setMemoryRegion(region: KvmMemoryRegion | StructInit<KvmMemoryRegion>): void {
    const view = region instanceof KvmMemoryRegion ? region : new KvmMemoryRegion(region);
    const backend = this.#open(`set memory region ${view.slot}`);
    let fresh: BackendMemory | null = null;
    const next = this.#map.withRegion(view, (bytes) => fresh = backend.allocate(bytes));
    try {
      this.#remap(backend, next);
    } catch (error) {
      if (fresh !== null) backend.release(fresh);
      throw error;
    }
    const before = this.#map.slots[view.slot];
    const after = next.slots[view.slot];
    this.#map = next;
    if (before !== null && after === null) backend.release(before.memory);
    // Switching the log off frees it: what it held must not turn up when it is switched on again.
    if (before?.log && after !== null && !after.log) backend.harvestDirty(before.memory, this.#bitmap(before.pages));
  }

  /**
   * KVM_SET_MEMORY_ALIAS: shows the memory at `target_phys_addr` at `guest_phys_addr` too, above any slot that is there. An
   * alias of an alias shows what the slots have at its target. Where two aliases overlap, the lower numbered one counts.
   * @param alias `slot` 0 to 7, addresses and size multiples of 4096; size 0 removes the alias.
   * @throws KvmError EINVAL: not page-aligned, slot out of range, or a range wraps; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * vm.setMemoryAlias({ slot: 0, guest_phys_addr: 0x10_0000, memory_size: 0x1000, target_phys_addr: 0x2000 });
   * vm.write(0x2000, "seen twice");
   * assertEquals(vm.readString(0x10_0000, { length: 10 }), "seen twice");
   * ```
   */
  setMemoryAlias(alias: KvmMemoryAlias | StructInit<KvmMemoryAlias>): void {
    const view = alias instanceof KvmMemoryAlias ? alias : new KvmMemoryAlias(alias);
    const backend = this.#open(`set memory alias ${view.slot}`);
    const next = this.#map.withAlias(view);
    this.#remap(backend, next);
    this.#map = next;
  }

  /**
   * KVM_GET_DIRTY_LOG: which pages of a slot the guest wrote since the last call, and clears the log. Writes of the host do
   * not count.
   * @param slot The memory slot.
   * @param into Where to put the bitmap; a fresh one if left out.
   * @returns The bitmap: bit n % 8 of byte n / 8 is page n of the slot; rounded up to a multiple of 8 bytes.
   * @throws KvmError EINVAL: slot out of range; ENOENT: the slot does not log; EFAULT: `into` is too short; EBADF when
   * closed.
   *
   * @example
   * ```ts
   * import { KVM_MEM_LOG_DIRTY_PAGES, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xc6, 0x06, 0x00, 0x00, 0x01, 0xf4)); // mov byte [0], 1; hlt
   * using vcpu = vm.createVcpu(0);
   * vm.setMemoryRegion({ slot: 1, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 0, memory_size: 0x4000 });
   * vcpu.run();
   * assertEquals(vm.getDirtyLog(1)[0], 0b0001); // a bit for each page
   * assertEquals(vm.getDirtyLog(1)[0], 0); // told once
   * ```
   */
  getDirtyLog(slot: number, into?: Uint8Array): Uint8Array {
    const action = `get the dirty log of memory region ${slot}`;
    const backend = this.#open(action);
    const { slots } = this.#map;
    if (!(Number.isInteger(slot) && slot >= 0 && slot < slots.length)) {
      throw new KvmError("EINVAL", action, `the slots are 0 to ${slots.length - 1}`);
    }
    const region = slots[slot];
    if (region === null || !region.log) throw new KvmError("ENOENT", action, "it has none");
    const bitmap = this.#bitmap(region.pages);
    if (into !== undefined && into.length < bitmap.length) {
      throw new KvmError("EFAULT", action, `the bitmap has ${bitmap.length} bytes, there is room for ${into.length}`);
    }
    backend.harvestDirty(region.memory, bitmap);
    into?.set(bitmap);
    return into ?? bitmap;
  }

  /**
   * Which pages of a slot the guest wrote since the last call, one after the other: KVM_GET_DIRTY_LOG, which is called at
   * once and clears the log.
   * @param slot The memory slot.
   * @returns The guest-physical address of the first byte of each, ascending: where the slot itself is, also if the guest
   * wrote through an alias.
   * @throws KvmError As {@linkcode getDirtyLog}.
   *
   * @example
   * ```ts
   * import { KVM_MEM_LOG_DIRTY_PAGES, openKvm } from "@kvm12/kvm12";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 0, memory_size: 1 << 20 });
   * for (const page of vm.dirtyPages(0)) console.log(page.toString(16), vm.read(page, 4096));
   * ```
   */
  dirtyPages(slot: number): Generator<number, void, undefined> {
    const bitmap = this.getDirtyLog(slot);
    return dirtyAddresses(bitmap, this.#map.slots[slot]!.gfn * PAGE_SIZE);
  }

  /**
   * What `mmap` of the file descriptor gives: guest memory itself, not a copy. Writing there is a host write and marks
   * nothing dirty. The view holds until the slot is deleted or the VM closed.
   *
   * The software engine cannot see what is written there, so once this has been called, it compares decoded code with the
   * memory in each run. {@linkcode read} and {@linkcode write} spare it that.
   * @param gpa Guest-physical address of the first byte.
   * @param length Bytes.
   * @returns The memory, through slots and aliases.
   * @throws KvmError EFAULT if a byte has no memory or the range is not contiguous within one slot; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * const bytes = vm.memory(0x1000, 0x2000); // no copy
   * bytes[0] = 0xf4;
   * assertEquals(vm.read(0x1000, 1), Uint8Array.of(0xf4));
   * ```
   */
  memory(gpa: GuestAddress, length: number): Uint8Array {
    const action = `view ${length} bytes of guest memory`;
    this.#open(action);
    const address = this.#address(action, gpa, length);
    const stretch = this.#find(action, address, length);
    if (stretch.length < length) {
      const end = address + BigInt(stretch.length);
      throw new KvmError("EFAULT", action, `at ${hex(end)} it does not go on as at ${hex(address)}`);
    }
    return stretch.memory.bytes.subarray(stretch.offset, stretch.offset + length);
  }

  /**
   * The same as {@linkcode memory}, as a `DataView`.
   * @param gpa Guest-physical address of the first byte.
   * @param length Bytes.
   * @returns The memory itself, not a copy.
   * @throws KvmError As {@linkcode memory}.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * vm.dataView(0x1000, 8).setUint32(0, 0x1234_5678, true);
   * assertEquals(vm.read(0x1000, 2), Uint8Array.of(0x78, 0x56));
   * ```
   */
  dataView(gpa: GuestAddress, length: number): DataView {
    const { buffer, byteOffset, byteLength } = this.memory(gpa, length);
    return new DataView(buffer, byteOffset, byteLength);
  }

  /**
   * Copies guest memory out, across slots and aliases.
   * @param gpa Guest-physical address of the first byte.
   * @param length Bytes.
   * @returns The bytes, a fresh array.
   * @throws KvmError EFAULT if a byte has no memory; EINVAL for an impossible address or length; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmRegs, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * vm.write(0x1000, Uint8Array.of(1, 2, 3));
   * assertEquals(vm.read(0x1001, 2), Uint8Array.of(2, 3));
   * assertEquals(vm.read(0x1000, new KvmRegs()).rax, 0x30201n); // into a structure
   * ```
   */
  read(gpa: GuestAddress, length: number): Uint8Array;
  /**
   * Copies guest memory out, across slots and aliases, into an array, a `DataView` or a structure.
   * @param gpa Guest-physical address of the first byte.
   * @param into Where to; it is filled.
   * @returns `into`.
   * @throws KvmError EFAULT if a byte has no memory, and nothing was copied; EINVAL for an impossible address; EBADF when
   * closed.
   *
   * @example
   * ```ts
   * import { KvmSegment, openKvm } from "@kvm12/kvm12";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 4096 });
   * vm.write(0x10, new KvmSegment({ limit: 0xffff }));
   * console.log(vm.read(0x10, new KvmSegment()).limit); // 65535
   * ```
   */
  read<T extends GuestData>(gpa: GuestAddress, into: T): T;
  read(gpa: GuestAddress, into: GuestData | number): GuestData {
    const bytes = typeof into === "number" ? null : bytesOf(into);
    const length = typeof into === "number" ? into : bytes!.length;
    const stretches = this.#stretches(`read ${length} bytes of guest memory`, gpa, length);
    const target = bytes ?? new Uint8Array(length);
    let done = 0;
    for (const stretch of stretches) {
      readStretch(stretch, target.subarray(done, done + stretch.length));
      done += stretch.length;
    }
    return typeof into === "number" ? target : into;
  }

  /**
   * Copies bytes into guest memory, across slots and aliases: all of them or, on an error, none. Marks nothing dirty.
   * @param gpa Guest-physical address of the first byte.
   * @param data What to write: an array, a `DataView`, a structure; or text, as UTF-8 without a byte 0 behind it.
   * @throws KvmError EFAULT if a byte has no memory; EINVAL for an impossible address; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmRegs, openKvm } from "@kvm12/kvm12";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * vm.write(0x1000, Uint8Array.of(0xf4));
   * vm.write(0x1004, "text, in UTF-8");
   * vm.write(0x1100, new KvmRegs({ rax: 1 })); // a structure
   * ```
   */
  write(gpa: GuestAddress, data: GuestData | string): void {
    const bytes = bytesOf(data);
    let done = 0;
    for (const stretch of this.#stretches(`write ${bytes.length} bytes of guest memory`, gpa, bytes.length)) {
      writeStretch(stretch, bytes.subarray(done, done + stretch.length));
      done += stretch.length;
    }
  }

  /**
   * Reads text: UTF-8, of which bytes that are none become U+FFFD.
   * @param gpa Guest-physical address of the first byte.
   * @param options Where it ends; before the first byte 0 when left out.
   * @returns The text.
   * @throws KvmError EFAULT if a byte has no memory; E2BIG if no byte 0 is among the first `most` bytes; EINVAL for an
   * impossible address or length; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x2000 });
   * vm.write(0x1000, "to the zero\0and on");
   * assertEquals(vm.readString(0x1000), "to the zero");
   * ```
   */
  readString(gpa: GuestAddress, options: ReadStringOptions = {}): string {
    const { length, most = STRING_MOST } = options;
    const bytes = length === undefined ? this.#untilZero(gpa, most) : this.read(gpa, length);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  /** Closes it and its vCPUs and gives its memory back. Closing again does nothing. */
  [Symbol.dispose](): void {
    const backend = this.#backend;
    if (backend === null) return;
    this.#backend = null;
    for (const vcpu of this.#vcpus.values()) vcpu[Symbol.dispose]();
    backend[Symbol.dispose]();
    this.#onClose();
  }

  /** The backend, for `action`. */
  #open(action: string): BackendVm {
    if (this.#backend === null) throw new KvmError("EBADF", action, "the VM is closed");
    return this.#backend;
  }

  /** Lets the guest see `next`; if that fails, what it saw before. */
  #remap(backend: BackendVm, next: MemoryMap): void {
    try {
      backend.map(next.ranges());
    } catch (error) {
      backend.map(this.#map.ranges());
      throw error;
    }
  }

  /** An empty dirty bitmap for so many pages. */
  #bitmap(pages: number): Uint8Array {
    return new Uint8Array(Math.ceil(pages / 64) * 8);
  }

  /** The address as a bigint, if it and `length` are possible. */
  #address(action: string, gpa: GuestAddress, length: number): bigint {
    if (!(Number.isSafeInteger(length) && length >= 0)) {
      throw new KvmError("EINVAL", action, `${length} is no number of bytes`);
    }
    if (typeof gpa === "number" && !(Number.isSafeInteger(gpa) && gpa >= 0)) {
      throw new KvmError("EINVAL", action, `${gpa} is no address`);
    }
    const address = BigInt(gpa);
    if (address < 0n || address >> 64n) throw new KvmError("EINVAL", action, `${address} is no address`);
    return address;
  }

  /** The bytes before the first 0. */
  #untilZero(gpa: GuestAddress, most: number): Uint8Array {
    const action = "read text from guest memory";
    this.#open(action);
    const address = this.#address(action, gpa, most);
    const bytes = new Uint8Array(most);
    for (let done = 0; done < most;) {
      const stretch = this.#find(action, address + BigInt(done), Math.min(most - done, PAGE_SIZE));
      const piece = bytes.subarray(done, done + stretch.length);
      readStretch(stretch, piece);
      const end = piece.indexOf(0);
      if (end >= 0) return bytes.subarray(0, done + end);
      done += stretch.length;
    }
    throw new KvmError("E2BIG", action, `there is no byte 0 in ${most} bytes from ${hex(address)} on`);
  }

  /** The stretch of memory at `address`. */
  #find(action: string, address: bigint, length: number): Stretch {
    const stretch = this.#map.find(address, length);
    if (stretch === null) throw new KvmError("EFAULT", action, `there is no memory at ${hex(address)}`);
    return stretch;
  }

  /** All stretches of memory from `gpa` on that make up `length` bytes. */
  #stretches(action: string, gpa: GuestAddress, length: number): Stretch[] {
    this.#open(action);
    let address = this.#address(action, gpa, length);
    const stretches: Stretch[] = [];
    for (let left = length; left > 0;) {
      const stretch = this.#find(action, address, left);
      stretches.push(stretch);
      left -= stretch.length;
      address += BigInt(stretch.length);
    }
    return stretches;
  }
}
