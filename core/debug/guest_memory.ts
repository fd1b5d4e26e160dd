/**
 * Guest memory as a processor sees it: by linear address, page by page through its page tables, or by physical address.
 * @module
 */

import { KvmError, KvmTranslation, PAGE_SIZE, type Vcpu, type Vm } from "../../mod.ts";

/** Guest memory for a debugger. Never throws for an address that is not there. */
export class GuestMemory {
  readonly #vm: Vm;
  readonly #translation: KvmTranslation = new KvmTranslation();

  /**
   * The memory of a machine.
   * @param vm The machine.
   */
  constructor(vm: Vm) {
    this.#vm = vm;
  }

  /**
   * Physical address for a linear one.
   * @returns The address, or null if it is not mapped.
   */
  translate(vcpu: Vcpu, linear: bigint): bigint | null {
    this.#translation.linear_address = linear;
    const { valid, physical_address } = vcpu.translate(this.#translation);
    return valid === 0 ? null : physical_address;
  }

  /**
   * Reads up to the first byte that is not there.
   * @param vcpu Whose page tables count; null for physical addresses.
   * @param address Of the first byte; addresses wrap at 2^64.
   * @param length How many bytes.
   * @returns The bytes up to there.
   */
  read(vcpu: Vcpu | null, address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    this.#pieces(vcpu, address, length, (physical, size) => {
      // A page may have memory only in part: slots end at pages, so all or nothing.
      this.#vm.read(physical, bytes.subarray(done, done + size));
      done += size;
    });
    return bytes.subarray(0, done);
  }

  /**
   * Writes all bytes, or none if one of them has no place.
   * @param vcpu Whose page tables count; null for physical addresses.
   * @returns Whether they were written.
   */
  write(vcpu: Vcpu | null, address: bigint, bytes: Uint8Array): boolean {
    const places: { readonly physical: bigint; readonly from: number; readonly size: number }[] = [];
    let done = 0;
    this.#pieces(vcpu, address, bytes.length, (physical, size) => {
      this.#vm.read(physical, size);
      places.push({ physical, from: done, size });
      done += size;
    });
    if (done < bytes.length) return false;
    for (const { physical, from, size } of places) this.#vm.write(physical, bytes.subarray(from, from + size));
    return true;
  }

  /** Calls `use` for the part of each page in turn, until there is none or it throws EFAULT. */
  #pieces(vcpu: Vcpu | null, address: bigint, length: number, use: (physical: bigint, size: number) => void): void {
    for (let done = 0; done < length;) {
      const linear = BigInt.asUintN(64, address + BigInt(done));
      const size = Math.min(length - done, PAGE_SIZE - Number(linear % BigInt(PAGE_SIZE)));
      const physical = vcpu === null ? linear : this.translate(vcpu, linear);
      if (physical === null) return;
      try {
        use(physical, size);
      } catch (error) {
        if (error instanceof KvmError && (error.code === "EFAULT" || error.code === "EINVAL")) return;
        throw error;
      }
      done += size;
    }
  }
}
