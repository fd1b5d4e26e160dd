/**
 * The guest's memory for devices that read and write it by themselves.
 * @module
 */

import type { GuestMemory } from "../devices/guest_memory.ts";
import { KvmError, PAGE_SIZE, type Vm } from "../mod.ts";

/** The memory of a VM; what is not there reads as all ones and loses what is written. */
export class VmMemory implements GuestMemory {
  readonly #vm: Vm;

  /**
   * Gives devices a way to memory.
   * @param vm Whose memory.
   */
  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /**
   * Reads memory.
   * @param address The guest-physical address of the first byte.
   * @param into Filled whole.
   */
  read(address: number, into: Uint8Array): void {
    if (this.#try(() => this.#vm.read(address, into))) return;
    for (const { at, bytes } of pages(address, into)) {
      if (!this.#try(() => this.#vm.read(at, bytes))) bytes.fill(0xff);
    }
  }

  /**
   * Writes memory.
   * @param address The guest-physical address of the first byte.
   * @param bytes What is written.
   */
  write(address: number, bytes: Uint8Array): void {
    if (this.#try(() => this.#vm.write(address, bytes))) return;
    for (const page of pages(address, bytes)) this.#try(() => this.#vm.write(page.at, page.bytes));
  }

  /** Whether there was memory. */
  #try(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof KvmError && (error.code === "EFAULT" || error.code === "EINVAL")) return false;
      throw error;
    }
  }
}

/** The pieces of a range, none of which crosses a page. */
function* pages(address: number, bytes: Uint8Array): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  for (let done = 0; done < bytes.length;) {
    const at = address + done;
    const end = Math.min(bytes.length, done + PAGE_SIZE - at % PAGE_SIZE);
    yield { at, bytes: bytes.subarray(done, end) };
    done = end;
  }
}
