/**
 * The processor's way to memory outside emitted code: filling the software TLB, accesses that miss it, memory-mapped
 * I/O, physical accesses of the page walker.
 *
 * An instruction that meets memory-mapped I/O is given up, RUN ends, and the next RUN executes it again from its start
 * with what it had read before at hand: instructions commit nothing before their last memory access. An access that the
 * host program's server answers is at hand at once.
 * @module
 */
import type { AccessServer } from "../kvm/backend.ts";
import { GuestFault, WALK_EXECUTE, WALK_USER, WALK_WRITE } from "../x86/machine.ts";
import { MODE_CODE, MODE_USER } from "../x86/mode.ts";
import * as S from "../x86/state.ts";
import {
  walk,
  WALKED_GLOBAL,
  WALKED_HUGE,
  WALKED_LARGE,
  WALKED_WRITABLE,
  type WalkResult,
} from "../x86/system/paging.ts";
import { watchData, watchesData } from "../x86/system/debug_registers.ts";
import type { Machine } from "../x86/machine.ts";
import type { Ram, RamBlock } from "./ram.ts";
import { entryOf } from "./tlb.ts";
import { ACCESS_READ, ACCESS_WRITE, type Watch } from "./watch.ts";

/** Thrown to leave an instruction that cannot go on before the host program has answered. */
export const LEAVE: unique symbol = Symbol("leave");

/** #SS, #GP, #PF, #AC. */
const SS_FAULT = 12, GP_FAULT = 13, PF_FAULT = 14, AC_FAULT = 17;
/** The TLB view of a user whose accesses have to be aligned: they all miss it, and are checked. */
const ALIGNED_VIEW = S.TLB + 3 * S.TLB_SIZE;
const CR0_PG = 0x8000_0000;
const CR4_SMAP = 0x20_0000;
const LOG_MAX = 64;
/** How many TLB entries are kept account of. */
const FILLED_MAX = 2048;

/** Bytes of the processor's own memory: state, TLBs, decoded records; untouched pages cost nothing. */
const OWN_SIZE = 0x400_0000;

/** State views, TLB and slow accesses. */
export abstract class MemoryUnit {
  /** The processor's part of the machine's memory. */
  protected readonly own: RamBlock;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;

  /** Who answers accesses inside RUN; null: each is an exit. */
  protected server: AccessServer | null = null;

  /** What a debugger watches; null for nothing. */
  protected watch: Watch | null = null;

  readonly #walk: WalkResult = { error: 0, flags: 0 };
  /** Arena address that the last translation led to, or −1 for none; valid with {@linkcode physical}. */
  #place = -1;
  #writable = false;
  /** WALKED_GLOBAL, WALKED_LARGE, WALKED_HUGE of the last translation. */
  #kind = 0;
  /** TLB entries filled since the last flush, so that forgetting them need not touch all: those not global, and those that are. */
  readonly #filled: FilledEntries = new FilledEntries();
  readonly #filledGlobal: FilledEntries = new FilledEntries();
  /** The large pages of which the TLB may have pieces, by {@linkcode fetchKey}. */
  readonly #large: Set<number> = new Set();
  /** Those of them that are global. */
  readonly #largeGlobal: Set<number> = new Set();
  #faultLow = 0;
  #faultHigh = 0;

  // Instruction fetch translations, by linear page and user bit.
  readonly #fetchTag: Float64Array = new Float64Array(256).fill(NaN);
  readonly #fetchPlace: Float64Array = new Float64Array(256);
  readonly #fetchGlobal: Uint8Array = new Uint8Array(256);
  /** The pages that code was fetched from since the last flush, by {@linkcode fetchKey}. */
  readonly #fetched: Set<number> = new Set();
  /** Those of them that are global. */
  readonly #fetchedGlobal: Set<number> = new Set();
  /** Whether the page of the last fetch is global. */
  protected fetchedGlobal = false;

  // What memory-mapped I/O the current instruction has done so far.
  #logCount = 0;
  #logIndex = 0;
  readonly #log: Uint8Array = new Uint8Array(LOG_MAX * 8);
  readonly #logPhysical: Float64Array = new Float64Array(LOG_MAX);
  #logAt = -1;
  #logLow = 0;
  #logHigh = 0;
  #mmioPending = false;

  /** The same 8192 bytes as the vCPU's `mmap`. */
  abstract readonly shared: Uint8Array;
  abstract readonly sharedView: DataView;

  constructor(readonly ram: Ram) {
    this.own = ram.allocate(OWN_SIZE);
    const { buffer } = ram.memory, { start } = this.own;
    this.u8 = new Uint8Array(buffer, start, OWN_SIZE);
    this.u16 = new Uint16Array(buffer, start, OWN_SIZE / 2);
    this.i32 = new Int32Array(buffer, start, OWN_SIZE / 4);
    this.u32 = new Uint32Array(buffer, start, OWN_SIZE / 4);
    this.u64 = new BigUint64Array(buffer, start, OWN_SIZE / 8);
  }

  abstract instructions(): number;
  /** Tells all processors of the machine that decoded code in an arena page was overwritten. */
  abstract codeWritten(place: number): void;
  /** Ends RUN with this exit reason. */
  abstract exit(reason: number): void;
  /** This object as the system helpers see it. */
  protected abstract get machine(): Machine;

  // Linear addresses.

  /** The number for a 64-bit linear address in two halves; NaN if it is not canonical. */
  linearOf(low: number, high: number): number {
    if ((this.i32[S.KEY >> 2] & MODE_CODE) !== 2) return low >>> 0;
    if (((high << 16) >> 16) !== (high | 0)) return NaN;
    return (high | 0) * 0x1_0000_0000 + (low >>> 0);
  }

  /** The linear address behind `linear + n`. */
  #advance(linear: number, n: number): number {
    const next = linear + n;
    if ((this.i32[S.KEY >> 2] & MODE_CODE) !== 2) return next >= 0x1_0000_0000 ? next - 0x1_0000_0000 : next;
    return next;
  }

  /** Puts the address of the last page fault into CR2: once more after a helper was rolled back. */
  protected faultAddress(): void {
    this.i32[S.CR2 >> 2] = this.#faultLow;
    this.i32[(S.CR2 >> 2) + 1] = this.#faultHigh;
  }

  get #user(): boolean {
    return (this.i32[S.KEY >> 2] & MODE_USER) !== 0;
  }

  /** Physical address for a linear one; faults with #PF. `#writable` tells whether a TLB entry may allow writes. */
  #translate(linear: number, access: number): number {
    if (!(this.u32[S.CR0 >> 2] & CR0_PG)) {
      this.#writable = true;
      this.#kind = 0;
      return linear;
    }
    const page = walk(this.machine, linear, access, this.#walk);
    if (page < 0) {
      this.#faultLow = linear | 0;
      this.#faultHigh = Math.floor(linear / 0x1_0000_0000);
      this.faultAddress();
      throw new GuestFault(PF_FAULT, this.#walk.error);
    }
    const { flags } = this.#walk;
    this.#writable = (flags & WALKED_WRITABLE) !== 0;
    this.#kind = flags & (WALKED_GLOBAL | WALKED_LARGE | WALKED_HUGE);
    if (this.#kind & (WALKED_LARGE | WALKED_HUGE)) {
      (this.#kind & WALKED_GLOBAL ? this.#largeGlobal : this.#large).add(fetchKey(linear, this.#kind));
    }
    return page + offsetOf(linear);
  }

  /** Translates and finds the memory behind it in `#place`; fills the TLB view at `view` unless that is 0. */
  #resolve(linear: number, access: number, view: number): number {
    const physical = this.#translate(linear, access);
    const range = this.ram.lookup(physical);
    if (range === null) {
      this.#place = -1;
      return physical;
    }
    const place = range.place + (physical - range.gpa);
    this.#place = place;
    if (access & WALK_WRITE) this.ram.markDirty(range, place);
    if (
      view === 0 || view === ALIGNED_VIEW || watchesData(this.machine) ||
      this.watch !== null && this.watch.watchesNear(linear)
    ) {
      return physical;
    }
    const offset = offsetOf(linear), base = linear - offset, page = place - offset;
    const e = view + entryOf(linear);
    const writable = this.#writable && this.ram.code[page / 4096] === 0 &&
      (!range.log || this.ram.isDirty(range, place));
    const { i32 } = this;
    const low = base | 0, high = Math.floor(base / 0x1_0000_0000);
    i32[(e + S.TLB_READ) >> 2] = low;
    i32[(e + S.TLB_READ + 4) >> 2] = high;
    i32[(e + S.TLB_WRITE) >> 2] = writable ? low : 1;
    i32[(e + S.TLB_WRITE + 4) >> 2] = writable ? high : 0;
    i32[(e + S.TLB_ADDEND) >> 2] = page - low | 0;
    i32[(e + S.TLB_KIND) >> 2] = this.#kind;
    (this.#kind & WALKED_GLOBAL ? this.#filledGlobal : this.#filled).add(e);
    return physical;
  }

  /** Forgets translations: all, or those that are not marked global. */
  flushTlb(includingGlobal: boolean): void {
    const { i32 } = this;
    this.#filled.drain((e) => {
      if (includingGlobal || !(i32[(e + S.TLB_KIND) >> 2] & WALKED_GLOBAL)) this.#forget(e);
    });
    this.#large.clear();
    if (includingGlobal) {
      this.#filledGlobal.drain((e) => this.#forget(e));
      this.#largeGlobal.clear();
    }
    if (includingGlobal || this.#fetchedGlobal.size === 0) this.#forgetFetches();
    else this.#forgetLocalFetches();
  }

  #forget(entry: number): void {
    const { i32 } = this, at = entry >> 2;
    i32[at] =
      i32[at + 1] =
      i32[at + 2] =
      i32[at + 3] =
        -1;
  }

  #forgetFetches(): void {
    this.#fetchTag.fill(NaN);
    this.#fetched.clear();
    this.#fetchedGlobal.clear();
    this.flushJumps();
  }

  /** Forgets those of pages that are not global. */
  #forgetLocalFetches(): void {
    const tags = this.#fetchTag, global = this.#fetchGlobal;
    for (let i = 0; i < tags.length; i++) if (global[i] === 0) tags[i] = NaN;
    this.#fetched.clear();
    this.flushLocalJumps();
  }

  /** Forgets the jump cache. */
  abstract flushJumps(): void;

  /** Forgets what the jump cache has of pages that are not global. */
  protected abstract flushLocalJumps(): void;

  /** Forgets the page of one linear address, whatever its size. */
  flushPage(linear: number): void {
    const entry = S.TLB + entryOf(linear);
    for (let view = 0; view < S.TLB_VIEWS; view++) this.#forget(entry + view * S.TLB_SIZE);
    const keys = [WALKED_HUGE, WALKED_LARGE, 0].map((kind) => fetchKey(linear, kind));
    if (keys.some((key) => this.#large.has(key) || this.#largeGlobal.has(key))) this.#forgetLarge(linear);
    if (keys.some((key) => this.#fetched.has(key) || this.#fetchedGlobal.has(key))) this.#forgetFetches();
  }

  /** Forgets all pieces of the large page that holds a linear address. */
  #forgetLarge(linear: number): void {
    const { i32, u32 } = this;
    for (let e = S.TLB; e < S.TLB + S.TLB_VIEWS * S.TLB_SIZE; e += 32) {
      const kind = i32[(e + S.TLB_KIND) >> 2], high = i32[(e >> 2) + 1];
      if (!(kind & (WALKED_LARGE | WALKED_HUGE)) || i32[e >> 2] & 1) continue;
      if (fetchKey(high * 0x1_0000_0000 + u32[e >> 2], kind) === fetchKey(linear, kind)) this.#forget(e);
    }
  }

  /** Withdraws write permission for an arena page from all TLB views: it now holds decoded code. */
  protectPage(place: number): void {
    const { i32 } = this;
    for (let e = S.TLB; e < S.TLB + S.TLB_VIEWS * S.TLB_SIZE; e += 32) {
      const low = i32[(e + S.TLB_WRITE) >> 2];
      if (low & 1) continue;
      if (((low + i32[(e + S.TLB_ADDEND) >> 2]) >>> 0) === place) i32[(e + S.TLB_WRITE) >> 2] = 1;
    }
  }

  // Accesses that miss the TLB.

  /** The TLB view for an access by a helper. */
  #viewFor(user: boolean): number {
    const { i32 } = this;
    return ((i32[S.KEY >> 2] & MODE_USER) !== 0) === user ? i32[S.TLB_VIEW >> 2] : this.#otherView(user);
  }

  /** The TLB view for an access with other rights than the program's; it is implicit if the program is the user's. */
  #otherView(user: boolean): number {
    if (user) return this.u32[S.TLB_VIEW >> 2] === ALIGNED_VIEW ? ALIGNED_VIEW : S.TLB + 2 * S.TLB_SIZE;
    return this.i32[S.CR4 >> 2] & CR4_SMAP && this.u32[S.CR0 >> 2] & CR0_PG ? S.TLB + S.TLB_SIZE : S.TLB;
  }

  /** Place of `size` bytes that the TLB lets a helper read or write (`at` is TLB_READ or TLB_WRITE) directly, or −1. */
  #direct(linear: number, size: number, user: boolean, at: number): number {
    const { i32 } = this, low = linear | 0;
    if (this.watch !== null || (low & 4095) + size > 4096) return -1;
    const e = this.#viewFor(user) + entryOf(linear);
    if (i32[(e + at) >> 2] !== (low & ~4095)) return -1;
    if (i32[(e + at + 4) >> 2] !== Math.floor(linear / 0x1_0000_0000)) return -1;
    return (low + i32[(e + S.TLB_ADDEND) >> 2]) >>> 0;
  }

  get words(): Uint32Array {
    return this.ram.u32;
  }

  place(linear: number, size: number, user: boolean, write: boolean): number {
    if (linear & 3) return -1;
    const place = this.#direct(linear, size, user, write ? S.TLB_WRITE : S.TLB_READ);
    return place < 0 ? -1 : place >>> 2;
  }

  /** Whether the access at hand is made by a region. */
  protected inRegion = false;
  /** Lets the instruction at hand run again, alone, by the interpreter. */
  protected abstract alone(): void;
  /** Whether a write changes bytes that some processor has decoded. */
  abstract changesCode(place: number, length: number): boolean;

  /** A region must not overwrite code, which may be its own: it gives the instruction up. */
  #refusesCode(place: number, length: number): boolean {
    if (place < 0 || this.ram.code[Math.floor(place / 4096)] === 0 || !this.changesCode(place, length)) return false;
    this.alone();
    return true;
  }

  /**
   * Loads to or stores from SCRATCH; false if the instruction is given up because RUN ends, or it has to run alone.
   * @throws GuestFault
   */
  accessSlow(linear: number, size: number, write: boolean, modify: boolean, user: boolean, view: number): boolean {
    const access = (write || modify ? WALK_WRITE : 0) | (user ? WALK_USER : 0);
    if (this.watch !== null) this.#noteAccess(linear, size, write, modify);
    if (!modify && watchesData(this.machine)) watchData(this.machine, linear, size, write);
    const first = Math.min(size, 4096 - offsetOf(linear));
    if (first === size) {
      const physical = this.#resolve(linear, access, view);
      if (view === ALIGNED_VIEW) checkAlignment(linear, size);
      if (write && this.inRegion && this.#refusesCode(this.#place, size)) return false;
      return this.#part(physical, this.#place, size, 0, write);
    }
    const second = this.#advance(linear, first);
    const physical1 = this.#resolve(linear, access, view), place1 = this.#place;
    const physical2 = this.#resolve(second, access, view), place2 = this.#place;
    if (view === ALIGNED_VIEW) checkAlignment(linear, size);
    if (write && this.inRegion && (this.#refusesCode(place1, first) || this.#refusesCode(place2, size - first))) {
      return false;
    }
    // Memory is written last: the instruction begins anew behind the exit for what is not memory.
    const later = write && place1 >= 0 && place2 < 0;
    if (!later && !this.#part(physical1, place1, first, 0, write)) return false;
    if (!this.#part(physical2, place2, size - first, first, write)) return false;
    return !later || this.#part(physical1, place1, first, 0, write);
  }

  /** RUN ends behind the instruction if its access meets a watchpoint. */
  #noteAccess(linear: number, size: number, write: boolean, modify: boolean): void {
    const access = write ? ACCESS_WRITE : modify ? ACCESS_WRITE | ACCESS_READ : ACCESS_READ;
    if (this.watch!.note(linear, size, access)) this.i32[S.ATTENTION >> 2] = 1;
  }

  #part(physical: number, place: number, length: number, at: number, write: boolean): boolean {
    const scratch = S.SCRATCH + at;
    // What the host program has answered stays answered if it has put memory there meanwhile.
    if (place < 0 || this.#logIndex < this.#logCount && this.#isAnswered(physical)) {
      for (let done = 0; done < length; done += 8) {
        if (!this.#mmio(physical + done, Math.min(8, length - done), scratch + done, write)) return false;
      }
      return true;
    }
    const { u8 } = this, ram = this.ram.u8;
    if (write) {
      for (let i = 0; i < length; i++) ram[place + i] = u8[scratch + i];
      if (this.ram.code[Math.floor(place / 4096)] !== 0) this.codeTouched(place, length);
    } else for (let i = 0; i < length; i++) u8[scratch + i] = ram[place + i];
    return true;
  }

  /** A write hit a page that holds decoded code. */
  abstract codeTouched(place: number, length: number): void;

  /** Whether the next entry of the log is the answer to this access of the current instruction. */
  #isAnswered(physical: number): boolean {
    const { i32 } = this;
    return this.#logAt === this.instructions() && this.#logLow === i32[(S.GPR + 8) >> 2] &&
      this.#logHigh === i32[(S.GPR + 12) >> 2] && this.#logPhysical[this.#logIndex] === physical;
  }

  /** Memory-mapped I/O; false if the host program has to answer first. */
  #mmio(physical: number, length: number, scratch: number, write: boolean): boolean {
    const now = this.instructions(), { i32, u8 } = this;
    const low = i32[(S.GPR + 8) >> 2], high = i32[(S.GPR + 12) >> 2];
    if (this.#logAt !== now || this.#logLow !== low || this.#logHigh !== high) {
      this.#logAt = now;
      this.#logLow = low;
      this.#logHigh = high;
      this.#logCount = this.#logIndex = 0;
    }
    const i = this.#logIndex++;
    if (i < this.#logCount) {
      if (!write) u8.set(this.#log.subarray(i * 8, i * 8 + length), scratch);
      return true;
    }
    this.#logPhysical[Math.min(i, LOG_MAX - 1)] = physical;
    if (this.server !== null && this.#serve(this.server, physical, length, scratch, write)) {
      const at = Math.min(i, LOG_MAX - 1) * 8;
      for (let k = 0; k < length; k++) this.#log[at + k] = u8[scratch + k];
      this.#logCount++;
      return this.goesOn();
    }
    const v = this.sharedView, { shared } = this;
    v.setUint32(32, physical % 0x1_0000_0000, true);
    v.setUint32(36, physical / 0x1_0000_0000, true);
    for (let k = 0; k < 8; k++) shared[40 + k] = write && k < length ? u8[scratch + k] : 0;
    v.setUint32(48, length, true);
    shared[52] = write ? 1 : 0;
    this.#mmioPending = true;
    this.exit(6);
    return false;
  }

  /** Has an access answered inside RUN; false: it is to be an exit. */
  #serve(server: AccessServer, physical: number, length: number, scratch: number, write: boolean): boolean {
    const { u8 } = this;
    if (length !== 1 && length !== 2 && length !== 4) return false;
    if (write) {
      let value = u8[scratch];
      for (let k = 1; k < length; k++) value |= u8[scratch + k] << k * 8;
      return server.write(physical, length, value >>> 0);
    }
    const value = server.read(physical, length);
    if (value < 0) return false;
    for (let k = 0; k < length; k++) u8[scratch + k] = value >>> k * 8;
    return true;
  }

  /** Whether the instruction whose access was answered goes on; if not, it runs again, alone, with the answer at hand. */
  protected abstract goesOn(): boolean;

  /** Takes the host program's answer to the last MMIO exit, if there is one; called when RUN begins. */
  protected completeMmio(): boolean {
    this.#logIndex = 0;
    if (!this.#mmioPending) return false;
    this.#mmioPending = false;
    this.#log.set(this.shared.subarray(40, 48), Math.min(this.#logCount, LOG_MAX - 1) * 8);
    this.#logCount++;
    return true;
  }

  /** The current instruction is given up and executed again from its start, within the same RUN. */
  protected restartMmio(): void {
    this.#logIndex = 0;
  }

  /** Forgets what the current instruction did: the host program set other registers. */
  protected forgetMmio(): void {
    this.#logAt = -1;
    this.#mmioPending = false;
  }

  // For the system helpers.

  /** Reads 1, 2 or 4 bytes. */
  read(linear: number, size: number, user: boolean): number {
    const place = this.#direct(linear, size, user, S.TLB_READ);
    if (place >= 0) {
      const ram = this.ram.u8, low = ram[place];
      if (size === 1) return low;
      if (size === 2) return low | ram[place + 1] << 8;
      return (low | ram[place + 1] << 8 | ram[place + 2] << 16 | ram[place + 3] << 24) >>> 0;
    }
    if (!this.accessSlow(linear, size, false, false, user, this.#viewFor(user))) throw LEAVE;
    const { u8 } = this, s = S.SCRATCH;
    if (size === 1) return u8[s];
    if (size === 2) return this.u16[s >> 1];
    return this.u32[s >> 2];
  }

  /** Writes 1, 2 or 4 bytes. */
  write(linear: number, size: number, value: number, user: boolean): void {
    const place = this.#direct(linear, size, user, S.TLB_WRITE);
    if (place >= 0) {
      const ram = this.ram.u8;
      for (let i = 0; i < size; i++) ram[place + i] = value >>> i * 8;
      return;
    }
    if (size === 1) this.u8[S.SCRATCH] = value;
    else if (size === 2) this.u16[S.SCRATCH >> 1] = value;
    else this.i32[S.SCRATCH >> 2] = value;
    if (!this.accessSlow(linear, size, true, false, user, this.#viewFor(user))) throw LEAVE;
  }

  /** Faults as a write of `size` bytes would. */
  probeWrite(linear: number, size: number, user: boolean): void {
    const access = WALK_WRITE | (user ? WALK_USER : 0);
    this.#translate(linear, access);
    if (offsetOf(linear) + size > 4096) this.#translate(this.#advance(linear, size - 1), access);
  }

  /** Reads a word of physical memory. */
  readPhysical(address: number): number {
    const range = this.ram.lookup(address);
    return range === null ? 0xffff_ffff : this.ram.u32[(range.place + (address - range.gpa)) >>> 2];
  }

  /** Writes a word of physical memory. */
  writePhysical(address: number, value: number): void {
    const range = this.ram.lookup(address);
    if (range === null) return;
    const place = range.place + (address - range.gpa);
    this.ram.u32[place >>> 2] = value;
    this.ram.markDirty(range, place);
    if (this.ram.code[Math.floor(place / 4096)] !== 0) this.codeTouched(place, 4);
  }

  // Instruction fetch.

  /**
   * Arena address of the code at `linear`; faults with #PF.
   * @returns −1 where there is no memory.
   */
  fetchPlace(linear: number): number {
    const user = this.#user;
    const offset = offsetOf(linear), tag = (linear - offset) + (user ? 1 : 0);
    const slot = (linear >>> 12) & 255;
    if (this.#fetchTag[slot] === tag) {
      this.fetchedGlobal = this.#fetchGlobal[slot] !== 0;
      return this.#fetchPlace[slot] + offset;
    }
    this.#resolve(linear, WALK_EXECUTE | (user ? WALK_USER : 0), 0);
    if (this.#place < 0) return -1;
    this.fetchedGlobal = (this.#kind & WALKED_GLOBAL) !== 0;
    (this.fetchedGlobal ? this.#fetchedGlobal : this.#fetched).add(fetchKey(linear, this.#kind));
    this.#fetchGlobal[slot] = this.fetchedGlobal ? 1 : 0;
    this.#fetchTag[slot] = tag;
    this.#fetchPlace[slot] = this.#place - offset;
    return this.#place;
  }

  /** Raises the fault of an address that is not canonical. */
  nonCanonical(stack: boolean): never {
    throw new GuestFault(stack ? SS_FAULT : GP_FAULT, 0);
  }
}

/** TLB entries that were filled. */
class FilledEntries {
  readonly #entries: Int32Array = new Int32Array(FILLED_MAX);
  #count = 0;
  /** Whether there are more: all entries may be. */
  #over = true;

  add(entry: number): void {
    if (this.#count < FILLED_MAX) this.#entries[this.#count++] = entry;
    else this.#over = true;
  }

  /** Does something for each, perhaps for others too, and forgets them. */
  drain(action: (entry: number) => void): void {
    if (this.#over) { for (let e = S.TLB; e < S.TLB + S.TLB_VIEWS * S.TLB_SIZE; e += 32) action(e); }
    else for (let n = 0; n < this.#count; n++) action(this.#entries[n]);
    this.#count = 0;
    this.#over = false;
  }
}

/** Raises #AC for an address that is not a multiple of the access's size; of long images, of the items in them. */
function checkAlignment(linear: number, size: number): void {
  const unit = size === 10 ? 8 : size > 16 || (size & (size - 1)) !== 0 ? 4 : size;
  if (linear & (unit - 1)) throw new GuestFault(AC_FAULT, 0);
}

/** A number for the page, of the size that `kind` says, that holds a linear address; another one for each size. */
function fetchKey(linear: number, kind: number): number {
  if (kind & WALKED_HUGE) return Math.floor(linear / 0x4000_0000) * 4 + 1;
  if (kind & WALKED_LARGE) return Math.floor(linear / 0x40_0000) * 4 + 2;
  return Math.floor(linear / 4096) * 4;
}

/** The offset in its page of a linear address, which may be negative. */
export function offsetOf(linear: number): number {
  return linear & 4095;
}
