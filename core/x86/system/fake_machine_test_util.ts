/**
 * A machine without an engine for the tests of the system part: flat physical memory, a real page walk, no TLB.
 * @module
 */
import { GuestFault, type Machine, WALK_USER, WALK_WRITE } from "../machine.ts";
import { CR2, SEG, STATE_SIZE } from "../state.ts";
import { put64 } from "./access.ts";
import { type CpuidEntry, cpuModel, hasFeature, lookupCpuid } from "./cpuid.ts";
import { walk, type WalkResult } from "./paging.ts";
import { reset } from "./reset.ts";

/** Thrown by {@linkcode FakeMachine.shutdown}. */
export class Shutdown extends Error {}

/** Thrown by {@linkcode FakeMachine.unknown}. */
export class Unknown extends Error {}

/** The machine. What it was asked is in its fields. */
export class FakeMachine implements Machine {
  readonly u8: Uint8Array = new Uint8Array(STATE_SIZE + 0x400);
  readonly u16: Uint16Array = new Uint16Array(this.u8.buffer);
  readonly i32: Int32Array = new Int32Array(this.u8.buffer);
  readonly u32: Uint32Array = new Uint32Array(this.u8.buffer);
  readonly u64: BigUint64Array = new BigUint64Array(this.u8.buffer);
  /** Physical memory. */
  readonly memory: DataView;
  length = 2;
  segment: number = SEG;
  /** What {@linkcode instructions} says. */
  clock = 0;
  /** Ports written, in order. */
  readonly ports: [port: number, size: number, value: number][] = [];
  /** What {@linkcode debugTrap} got. */
  traps = 0;
  /** Calls of flushTlb and flushPage. */
  flushes = 0;
  /** Calls of shadow. */
  shadows = 0;
  /** Calls of halt and hypercall. */
  halts = 0;
  readonly #entries: CpuidEntry[];
  readonly #result: WalkResult = { error: 0, flags: 0 };

  /** After RESET, with `size` bytes of memory from address 0 on. */
  constructor(size: number = 0x10_0000, model: string = "max") {
    this.memory = new DataView(new ArrayBuffer(size));
    this.#entries = cpuModel(model);
    reset(this);
  }

  ticks(): number {
    return this.clock;
  }

  instructions(): number {
    return this.clock;
  }

  #translate(linear: number, access: number): number {
    const page = walk(this, linear, access, this.#result);
    if (page < 0) {
      put64(this, CR2, linear);
      this.fault(14, this.#result.error);
    }
    const at = page + (linear % 0x1_0000_0000 & 4095);
    if (at + 8 > this.memory.byteLength) throw new Error(`Cannot access ${at.toString(16)}: beyond the memory`);
    return at;
  }

  read(linear: number, size: number, user: boolean): number {
    const at = this.#translate(linear, user ? WALK_USER : 0), { memory } = this;
    return size === 1 ? memory.getUint8(at) : size === 2 ? memory.getUint16(at, true) : memory.getUint32(at, true);
  }

  write(linear: number, size: number, value: number, user: boolean): void {
    const at = this.#translate(linear, WALK_WRITE | (user ? WALK_USER : 0)), { memory } = this;
    if (size === 1) memory.setUint8(at, value);
    else if (size === 2) memory.setUint16(at, value, true);
    else memory.setUint32(at, value, true);
  }

  probeWrite(linear: number, size: number, user: boolean): void {
    this.#translate(linear, WALK_WRITE | (user ? WALK_USER : 0));
    this.#translate(linear + size - 1, WALK_WRITE | (user ? WALK_USER : 0));
  }

  readPhysical(address: number): number {
    return address + 4 <= this.memory.byteLength ? this.memory.getUint32(address, true) : 0xffff_ffff;
  }

  writePhysical(address: number, value: number): void {
    this.memory.setUint32(address, value, true);
  }

  fault(vector: number, errorCode = -1): never {
    throw new GuestFault(vector, errorCode);
  }

  shutdown(): never {
    throw new Shutdown();
  }

  unknown(reason: number): never {
    throw new Unknown(`${reason}`);
  }

  modeChanged(): void {}

  flushTlb(): void {
    this.flushes++;
  }

  flushPage(): void {
    this.flushes++;
  }

  readonly words: Uint32Array = new Uint32Array(0);
  place(): number {
    return -1;
  }

  portIn(port: number, size: number): number {
    return (port * 0x0101_0101 & (size === 4 ? -1 : (1 << size * 8) - 1)) >>> 0;
  }

  portOut(port: number, size: number, value: number): boolean {
    this.ports.push([port, size, value]);
    return true;
  }

  portString(port: number, size: number, out: boolean, linear: number, count: number, backward: boolean): number {
    for (let i = 0; i < count; i++) {
      const at = linear + (backward ? -i : i) * size;
      if (out) this.ports.push([port, size, this.read(at, size, false)]);
      else this.write(at, size, i, false);
    }
    return count;
  }

  halt(): void {
    this.halts++;
  }

  hypercall(): void {
    this.halts++;
  }

  shadow(): void {
    this.shadows++;
  }

  attention(): void {}

  debugTrap(dr6: number): void {
    this.traps |= dr6;
  }

  cpuid(leaf: number, _subleaf: number, out: Uint32Array): void {
    const e = lookupCpuid(this.#entries, leaf);
    out.set(e ? [e.eax, e.ebx, e.ecx, e.edx] : [0, 0, 0, 0]);
  }

  has(feature: string): boolean {
    return hasFeature(this.#entries, feature);
  }

  random(): number {
    return 4;
  }
}

/** What `action` raises, as `vector` and error code (−1 for none); null if nothing. */
export function faultOf(action: () => void): [vector: number, errorCode: number] | null {
  try {
    action();
    return null;
  } catch (e) {
    if (e instanceof GuestFault) return [e.vector, e.errorCode];
    throw e;
  }
}
