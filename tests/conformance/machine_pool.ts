/**
 * A backend whose machines are used again: when one is closed, its memory goes back to it and the next case gets it as new.
 * The software engine reserves 4 GiB of addresses for each machine, and the collector runs for each of them; with hundreds
 * of small cases, that was most of the time.
 * @module
 */

import type { Backend, BackendMemory, BackendVcpu, BackendVm, MappedRange } from "../../core/kvm/backend.ts";

/** After so many uses a machine is closed: it remembers all memory that it ever gave. */
const MOST_USES = 25;

/** A machine on loan. Its processors are closed before it is. */
class Loan implements BackendVm {
  readonly #vm: BackendVm;
  readonly #memories: Set<BackendMemory> = new Set();
  readonly #giveBack: () => void;

  constructor(vm: BackendVm, giveBack: () => void) {
    this.#vm = vm;
    this.#giveBack = giveBack;
  }

  allocate(size: number): BackendMemory {
    const memory = this.#vm.allocate(size);
    this.#memories.add(memory);
    return memory;
  }

  release(memory: BackendMemory): void {
    this.#memories.delete(memory);
    this.#vm.release(memory);
  }

  map(ranges: readonly MappedRange[]): void {
    this.#vm.map(ranges);
  }

  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void {
    this.#vm.harvestDirty(memory, bitmap);
  }

  createVcpu(id: number): BackendVcpu {
    return this.#vm.createVcpu(id);
  }

  [Symbol.dispose](): void {
    this.#vm.map([]);
    for (const memory of this.#memories) this.#vm.release(memory);
    this.#memories.clear();
    this.#giveBack();
  }
}

/**
 * A backend that uses the machines of another one again.
 * @param backend The other one; it stays open.
 */
export function reusing(backend: Backend): Backend {
  const free: { readonly vm: BackendVm; uses: number }[] = [];
  return {
    name: backend.name,
    msrIndexList: () => backend.msrIndexList(),
    createVm: () => {
      const machine = free.pop() ?? { vm: backend.createVm(), uses: 0 };
      machine.uses++;
      return new Loan(machine.vm, () => {
        if (machine.uses < MOST_USES) free.push(machine);
        else machine.vm[Symbol.dispose]();
      });
    },
    [Symbol.dispose]() {},
  };
}
