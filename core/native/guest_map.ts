/**
 * Guest memory on the real device: anonymous memory of this process, and the kernel's user memory slots that show it.
 *
 * Version 12's slots and aliases arrive here flattened (see `core/kvm/memory_map.ts`): disjoint ranges, of which two may
 * show the same memory. Each becomes one memory slot of the kernel; an alias is a further slot over the same host pages.
 * The kernel keeps a dirty log for each of its slots; ours is per memory, so the logs are gathered and put together.
 * @module
 */

import { KVM_MEM_LOG_DIRTY_PAGES } from "../abi/constants.ts";
import { KVM_GET_DIRTY_LOG } from "../abi/ioctl.ts";
import { LAYOUTS } from "../abi/layout.ts";
import type { BackendMemory, MappedRange } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";
import { orBits } from "./dirty_bits.ts";
import type { Libc, Mapping } from "./libc.ts";
import { KVM_SET_USER_MEMORY_REGION, MOST_SLOT_BYTES, USER_MEMORY_REGION } from "./requests.ts";

const PAGE_SIZE = 4096;

/** A piece of guest memory. */
export class NativeMemory implements BackendMemory {
  /** The memory itself; of length 0 once it was given back. */
  readonly bytes: Uint8Array;
  /** Where it is in this process. */
  readonly mapping: Mapping;
  /** Dirty marks taken from kernel slots that are gone. */
  readonly pending: Uint8Array;

  /**
   * Takes `size` bytes from the host.
   * @throws KvmError ENOMEM.
   */
  constructor(libc: Libc, size: number) {
    const mapping = size <= MOST_SLOT_BYTES ? libc.map(size, null) : null;
    if (mapping === null) {
      throw new KvmError("ENOMEM", `allocate ${size} bytes of guest memory`, "the host cannot give them");
    }
    this.mapping = mapping;
    this.bytes = new Uint8Array(mapping.buffer);
    this.pending = new Uint8Array(Math.ceil(size / PAGE_SIZE / 8));
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }
}

/** A range that a kernel slot shows. */
interface InstalledSlot {
  readonly id: number;
  readonly range: MappedRange;
  readonly memory: NativeMemory;
}

/** The guest-physical map of one VM. */
export class GuestMap {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #most: number;
  /** In address order. */
  #installed: readonly InstalledSlot[] = [];
  /** Numbers of kernel slots that were used and are free again. */
  readonly #free: number[] = [];
  #used = 0;
  readonly #region: Uint8Array<ArrayBuffer> = new Uint8Array(USER_MEMORY_REGION.size);

  /**
   * @param fd The VM.
   * @param most How many slots the kernel has.
   */
  constructor(libc: Libc, fd: number, most: number) {
    this.#libc = libc;
    this.#fd = fd;
    this.#most = most;
  }

  /**
   * Makes the guest see `ranges` and nothing else. Slots that stay as they are are not touched.
   * @throws KvmError ENOSPC when the kernel has too few slots, or what it answers; then the map is as it was.
   */
  replace(ranges: readonly MappedRange[]): void {
    if (ranges.length > this.#most) {
      throw new KvmError(
        "ENOSPC",
        `map ${ranges.length} ranges of memory`,
        `the kernel has ${this.#most} memory slots`,
      );
    }
    const old = new Map(this.#installed.map((slot) => [slot.range.gpa, slot]));
    const kept: InstalledSlot[] = [];
    const wanted: MappedRange[] = [];
    for (const range of ranges) {
      const slot = old.get(range.gpa);
      if (slot !== undefined && isSame(slot.range, range)) {
        kept.push(slot);
        old.delete(range.gpa);
      } else {
        wanted.push(range);
      }
    }
    for (const slot of old.values()) this.#remove(slot);
    const added: InstalledSlot[] = [];
    try {
      for (const range of wanted) added.push(this.#install(range));
    } catch (error) {
      for (const slot of added) this.#remove(slot);
      const restored = [...old.values()].map(({ range }) => this.#install(range));
      this.#installed = inOrder([...kept, ...restored]);
      throw error;
    }
    this.#installed = inOrder([...kept, ...added]);
  }

  /** Ors the dirty marks of `memory` into `bitmap` and clears them. */
  harvest(memory: NativeMemory, bitmap: Uint8Array): void {
    for (const slot of this.#installed) {
      if (slot.memory === memory && slot.range.log) this.#collect(slot);
    }
    orBits(memory.pending, memory.mapping.size / PAGE_SIZE, bitmap, 0);
    memory.pending.fill(0);
  }

  /**
   * Reads an integer of guest memory.
   * @param gpa Guest-physical address, a multiple of `size`.
   * @param size Bytes.
   * @returns Its value, or null where there is no memory.
   */
  read(gpa: bigint, size: 4 | 8): bigint | null {
    const address = Number(gpa);
    for (const { range, memory } of this.#installed) {
      if (address < range.gpa || address >= range.gpa + range.size) continue;
      const view = new DataView(memory.mapping.buffer, range.offset + address - range.gpa, size);
      return size === 4 ? BigInt(view.getUint32(0, true)) : view.getBigUint64(0, true);
    }
    return null;
  }

  #install(range: MappedRange): InstalledSlot {
    const memory = range.memory;
    if (!(memory instanceof NativeMemory)) {
      throw new KvmError("EINVAL", "map memory", "it does not belong to this backend");
    }
    const id = this.#free.pop() ?? this.#used++;
    const slot = { id, range, memory };
    try {
      this.#setRegion(slot, range.size);
    } catch (error) {
      this.#free.push(id);
      throw error;
    }
    return slot;
  }

  #remove(slot: InstalledSlot): void {
    if (slot.range.log) this.#collect(slot);
    this.#setRegion(slot, 0);
    this.#free.push(slot.id);
  }

  /** Adds the kernel's dirty log of a slot to what is pending of its memory; the kernel clears it. */
  #collect({ id, range, memory }: InstalledSlot): void {
    const pages = range.size / PAGE_SIZE;
    const bitmap = new BigUint64Array(Math.ceil(pages / 64));
    const log = new Uint8Array(LAYOUTS.kvm_dirty_log.size);
    const view = new DataView(log.buffer);
    view.setUint32(LAYOUTS.kvm_dirty_log.fields.slot.offset, id, true);
    const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bitmap)));
    view.setBigUint64(LAYOUTS.kvm_dirty_log.fields.dirty_bitmap.offset, address, true);
    this.#libc.ioctlBytes(this.#fd, KVM_GET_DIRTY_LOG, log, "get the dirty log");
    orBits(new Uint8Array(bitmap.buffer), pages, memory.pending, range.offset / PAGE_SIZE);
  }

  #setRegion({ id, range, memory }: InstalledSlot, size: number): void {
    const view = new DataView(this.#region.buffer);
    view.setUint32(USER_MEMORY_REGION.slot, id, true);
    view.setUint32(USER_MEMORY_REGION.flags, range.log ? KVM_MEM_LOG_DIRTY_PAGES : 0, true);
    view.setBigUint64(USER_MEMORY_REGION.gpa, BigInt(range.gpa), true);
    view.setBigUint64(USER_MEMORY_REGION.memorySize, BigInt(size), true);
    view.setBigUint64(USER_MEMORY_REGION.address, memory.mapping.address + BigInt(range.offset), true);
    const action = `map memory at 0x${range.gpa.toString(16)}`;
    this.#libc.ioctlBytes(this.#fd, KVM_SET_USER_MEMORY_REGION, this.#region, action);
  }
}

/** Whether the guest would see no difference. */
function isSame(a: MappedRange, b: MappedRange): boolean {
  return a.gpa === b.gpa && a.size === b.size && a.memory === b.memory && a.offset === b.offset && a.log === b.log;
}

function inOrder(slots: readonly InstalledSlot[]): InstalledSlot[] {
  return slots.toSorted((a, b) => a.range.gpa - b.range.gpa);
}
