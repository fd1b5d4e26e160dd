/**
 * A backend without a processor, for the tests of the rules above it: memory, maps and dirty marks are real, registers are
 * kept as they are set, and a run does what the test says.
 * @module
 */

import { ERRNO, KVM_EXIT_INTR, LAYOUTS } from "../core/abi/mod.ts";
import type { Backend, BackendMemory, BackendVcpu, BackendVm, MappedRange } from "../core/kvm/backend.ts";
import { KvmError } from "../core/kvm/kvm_error.ts";

/** Memory with dirty marks that the test sets. */
export class FakeMemory implements BackendMemory {
  bytes: Uint8Array;
  readonly dirty: Set<number> = new Set();

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }
}

export class FakeVcpu implements BackendVcpu {
  readonly shared: Uint8Array = new Uint8Array(8192);
  readonly calls: [string, ...unknown[]][] = [];
  readonly kept: Map<string, Uint8Array> = new Map();
  readonly msrs: Map<number, bigint>;
  closed: boolean = false;
  /** What a run does; returns what `run` is to return. */
  onRun: (vcpu: FakeVcpu, maxInstructions: number) => number = () => 0;

  constructor(msrs: Map<number, bigint>) {
    this.msrs = msrs;
  }

  run(maxInstructions: number): number {
    return this.onRun(this, maxInstructions);
  }

  #get(name: string, into: Uint8Array): void {
    const kept = this.kept.get(name);
    if (kept !== undefined) into.set(kept);
  }

  #set(name: string, from: Uint8Array): void {
    this.kept.set(name, from.slice());
  }

  getRegs(regs: Uint8Array): void {
    this.#get("regs", regs);
  }
  setRegs(regs: Uint8Array): void {
    this.#set("regs", regs);
  }
  getSregs(sregs: Uint8Array): void {
    this.#get("sregs", sregs);
  }
  setSregs(sregs: Uint8Array): void {
    this.#set("sregs", sregs);
  }
  getFpu(fpu: Uint8Array): void {
    this.#get("fpu", fpu);
  }
  setFpu(fpu: Uint8Array): void {
    this.#set("fpu", fpu);
  }

  #msrs(entries: Uint8Array, entry: (view: DataView, index: number) => void): number {
    const size = LAYOUTS.kvm_msr_entry.size;
    for (let n = 0; n < entries.length / size; n++) {
      const view = new DataView(entries.buffer, entries.byteOffset + n * size, size);
      const index = view.getUint32(0, true);
      if (!this.msrs.has(index)) return n;
      entry(view, index);
    }
    return entries.length / size;
  }

  getMsrs(entries: Uint8Array): number {
    return this.#msrs(entries, (view, index) => view.setBigUint64(8, this.msrs.get(index)!, true));
  }
  setMsrs(entries: Uint8Array): number {
    return this.#msrs(entries, (view, index) => this.msrs.set(index, view.getBigUint64(8, true)));
  }
  setCpuid(entries: Uint8Array): void {
    this.#set("cpuid", entries);
  }
  translate(translation: Uint8Array): void {
    translation.copyWithin(8, 0, 8);
    translation[16] = 1;
  }
  interrupt(vector: number): void {
    this.calls.push(["interrupt", vector]);
  }
  debugGuest(debug: Uint8Array): void {
    this.#set("debug", debug);
  }
  setSignalMask(sigset: Uint8Array | null): void {
    this.calls.push(["setSignalMask", sigset === null ? null : [...sigset]]);
  }
  signal(n: number): void {
    this.calls.push(["signal", n]);
    this.onRun = () => {
      new DataView(this.shared.buffer).setUint32(8, KVM_EXIT_INTR, true);
      return -ERRNO.EINTR;
    };
  }
  [Symbol.dispose](): void {
    this.closed = true;
  }
}

export class FakeVm implements BackendVm {
  readonly memories: Set<FakeMemory> = new Set();
  readonly vcpus: FakeVcpu[] = [];
  ranges: readonly MappedRange[] = [];
  closed: boolean = false;
  /** Bytes that are left to allocate. */
  room: number = 1 << 26;
  /** Refuses the next map. */
  refuseMap: boolean = false;
  readonly #msrs: readonly number[];

  constructor(msrs: readonly number[]) {
    this.#msrs = msrs;
  }

  allocate(size: number): BackendMemory {
    if (size > this.room) throw new KvmError("ENOMEM", `allocate ${size} bytes`, "there is no room");
    this.room -= size;
    const memory = new FakeMemory(size);
    this.memories.add(memory);
    return memory;
  }

  release(memory: BackendMemory): void {
    if (!this.memories.delete(memory as FakeMemory)) throw new Error("released twice");
    if (this.ranges.some((range) => range.memory === memory)) throw new Error("released while mapped");
    this.room += memory.bytes.length;
  }

  map(ranges: readonly MappedRange[]): void {
    if (this.refuseMap) {
      this.refuseMap = false;
      throw new KvmError("ENOSPC", "map guest memory", "the fake refuses");
    }
    let end = 0;
    for (const { gpa, size, memory, offset } of ranges) {
      if (gpa < end || size <= 0 || (gpa | size | offset) % 4096 || gpa + size > 2 ** 52) throw new Error("bad range");
      if (!this.memories.has(memory as FakeMemory)) throw new Error("not allocated");
      if (offset + size > memory.bytes.length) throw new Error("beyond the memory");
      end = gpa + size;
    }
    this.ranges = ranges;
  }

  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void {
    const { dirty } = memory as FakeMemory;
    for (const page of dirty) bitmap[page >> 3] |= 1 << (page & 7);
    dirty.clear();
  }

  createVcpu(_id: number): BackendVcpu {
    const vcpu = new FakeVcpu(new Map(this.#msrs.map((index) => [index, 0n])));
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** What a guest's write of `byte` at `gpa` does. */
  guestWrite(gpa: number, byte: number): void {
    const range = this.ranges.find((range) => gpa >= range.gpa && gpa < range.gpa + range.size);
    if (range === undefined) throw new Error("no memory there");
    const at = range.offset + gpa - range.gpa;
    range.memory.bytes[at] = byte;
    if (range.log) (range.memory as FakeMemory).dirty.add(at >> 12);
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}

export class FakeBackend implements Backend {
  readonly name = "soft";
  readonly vms: FakeVm[] = [];
  readonly msrs: number[] = [0x10, 0x174, 0xc0000080];
  closed: boolean = false;

  msrIndexList(): Uint32Array {
    return Uint32Array.from(this.msrs);
  }

  createVm(): BackendVm {
    const vm = new FakeVm(this.msrs);
    this.vms.push(vm);
    return vm;
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}
