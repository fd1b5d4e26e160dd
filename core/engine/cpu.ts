/**
 * The software processor: the run loop around emitted code, and all that emitted code and system helpers call.
 * @module
 */
import type { AccessServer, BackendVcpu, VcpuEventKind, VcpuObserver } from "../kvm/backend.ts";
import { IF, RF, TF } from "../x86/flags.ts";
import { GuestFault, type Helper, type Machine } from "../x86/machine.ts";
import { MODE_CODE, MODE_USER } from "../x86/mode.ts";
import * as S from "../x86/state.ts";
import { type CpuidEntry, cpuModel, hasFeature, lookupCpuid } from "../x86/system/cpuid.ts";
import { HELPERS } from "../x86/system/helpers.ts";
import { deliver, raise } from "../x86/system/interrupts.ts";
import { modeOf, viewOf } from "../x86/system/mode.ts";
import { readMsr, restoreMsr } from "../x86/system/msr.ts";
import { checkState, cpuidChanged, stateReplaced } from "../x86/system/control.ts";
import { reset } from "../x86/system/reset.ts";
import { BEHIND, CodeCache, RUN_MAX } from "./code_cache.ts";
import { type EngineImports, H_STALE, Handlers } from "./handlers.ts";
import { ELSEWHERE } from "./branch_target.ts";
import { SLOW_REGION, SLOW_STACK } from "./instruction_context.ts";
import { LEAVE, MemoryUnit, offsetOf } from "./memory_unit.ts";
import type { SoftVm } from "./soft.ts";
import * as io from "./structures.ts";
import { supportFunctions } from "./support.ts";
import { ACCESS_READ, ACCESS_WRITE, Watch } from "./watch.ts";
import { INSTRUCTIONS } from "../x86/table/instructions.ts";

// Exit reasons of kvm_run.
const EXIT_UNKNOWN = 0, EXIT_IO = 2, EXIT_HYPERCALL = 3, EXIT_DEBUG = 4, EXIT_HLT = 5, EXIT_IRQ_WINDOW_OPEN = 7;
const EXIT_SHUTDOWN = 8, EXIT_FAIL_ENTRY = 9, EXIT_INTR = 10;
const EINTR = 4;
const DB = 1;
/** DR6.BS: single step. */
const DR6_BS = 0x4000;
/** Most instructions handed to emitted code at once: the budget is an i32. */
const SLICE = 0x3fff_ffff;
const REP_CHUNK = 4096;
/** Bytes of the words from MSR on that are in use. */
const WORDS = 72 * 8;
/** In ATTENTION: code must be looked up anew. */
const KEY_CHANGED = 2;
/** How many entries of the jump cache for pages that are not global are noted. */
const LOCAL_JUMPS = 4096;
/** Bits of the mode in a key, and of the generation above them. */
const MODE_MASK = 63, GENERATION = 6, GENERATIONS = 0x3ff_ffff;
/** Where the lower half of the canonical addresses ends. */
const CANONICAL_END = 0x8000_0000_0000;
/** Instructions between two samples of where the time goes: while they find something new, and at most. */
const SAMPLE = 20_000, SAMPLE_MAX = 320_000;
/** hw.hardware_exit_reason of KVM_EXIT_UNKNOWN: an instruction was fetched where there is no memory. */
export const UNKNOWN_FETCH = 0x1000;
/**
 * Control transfers behind which the run loop takes no single-step trap: the handler of an interrupt runs with TF clear,
 * SYSCALL traps by the TF that it loads.
 */
const NO_TRAP = new Set(["int", "int1", "int3", "into", "syscall"]);

/** Helpers that change nothing before they fault, if they do: nothing is to be put back then. */
const ATOMIC = new Set([
  "syscall",
  "sysret",
  "sysenter",
  "sysexit",
  "swapgs",
  "in",
  "out",
  "cli",
  "sti",
  "clts",
  "rdtsc",
  "rdtscp",
  "rdpid",
  "rdmsr",
  "cpuid",
  "invlpg",
  "hlt",
  "mov_from_cr",
  "mov_from_dr",
  "mov_from_segment",
  "set_ac",
  "pushf",
  "smsw",
  "sldt",
  "str",
  "umip",
  "read_base",
  "xgetbv",
  "rdrand",
  "rdseed",
]);

/** One software vCPU. */
export class SoftVcpu extends MemoryUnit implements BackendVcpu, Machine, EngineImports {
  readonly shared: Uint8Array = new Uint8Array(8192);
  readonly sharedView: DataView = new DataView(this.shared.buffer);
  /** The part of the state that helpers may change before they fault, and where it is kept meanwhile. */
  readonly #parts = {
    general: this.u8.subarray(0, S.FPR),
    savedGeneral: this.u8.subarray(S.SNAPSHOT, S.SNAPSHOT + S.FPR),
    words: this.u8.subarray(S.MSR, S.MSR + WORDS),
    savedWords: this.u8.subarray(S.SNAPSHOT + S.MSR, S.SNAPSHOT + S.MSR + WORDS),
  };
  length = 0;
  segment = 0;

  readonly #handlers: Handlers;
  readonly #code: CodeCache;
  #begun = false;
  /** Instructions executed when the current slice began, and the slice. */
  #retired = 0;
  #slice = 0;
  #left = 0;
  /** Instructions that RUN may execute behind the slice. */
  #beyond = 0;
  /** The part of the budget that emitted code is not given yet: when the rest is used up, the run loop takes a sample. */
  #held = 0;
  /** Which run, of those that host writes may have preceded. */
  #epoch = 0;
  /** Which contents of the jump cache count. */
  #generation = 0;
  #exit = -1;
  #faultVector = -1;
  #faultError = -1;
  #halted = false;
  #shadowAt = -1;
  #trapSuppressed = false;
  /** DR6 bits of traps that wait for the end of the instruction. */
  #trapBits = 0;
  #stepping = false;
  /** The next instruction must be executed alone. */
  #alone = false;
  /** When RUN is to end, in instructions: before what emitted code was given is used up. -1: not so. */
  #endBy = -1;
  /** Instructions between two samples. */
  #sampling = SAMPLE;
  /** Whether a region's budget was used up: the code at hand is in it, and may come back to its start soon. */
  #leftRegion = false;
  /** When the next sample is due, in instructions. */
  #sampleAt = SAMPLE;
  /** The instruction at RIP has been answered by the host program and is to be executed once more. */
  #completing = false;

  /** Entries of the jump cache for pages that are not global, as word indices. */
  readonly #localJumps: Int32Array = new Int32Array(LOCAL_JUMPS);
  #localJumpCount = 0;
  readonly #irq: Uint32Array = new Uint32Array(8);
  #irqCount = 0;

  // Port I/O in flight: 0 none, 1 the host program has it, 2 answered.
  #pio = 0;
  #pioAt = -1;
  #pioRip = 0;
  #pioCount = 0;
  /** Bytes of the instruction if it is IN or OUT; 0 for INS and OUTS. */
  #pioLength = 0;

  #cpuid: CpuidEntry[];
  #debugStep = false;
  readonly #breakpoints: number[] = [];
  #observer: VcpuObserver | null = null;
  #blocked: bigint | null = null;
  #pending = 0n;
  #random = 0x9e37_79b9;
  readonly #fetchBytes: Uint8Array = new Uint8Array(16);

  constructor(readonly vm: SoftVm) {
    super(vm.ram);
    this.#cpuid = cpuModel("max");
    const memory = { memory: vm.ram.memory, base: this.own.start };
    this.#handlers = new Handlers({
      ...memory,
      imports: this,
      helper: (name) => this.#wrap(name),
      support: (name) => supportFunctions(memory, name),
    });
    this.#code = new CodeCache(INSTRUCTIONS, this.#handlers, vm.ram, this, (f) => this.has(f), (a) => this.#recall(a));
    this.i32[S.REP_LIMIT >> 2] = REP_CHUNK;
    this.flushTlb(true);
    reset(this);
    this.modeChanged();
  }

  protected override get machine(): Machine {
    return this;
  }

  // Time.

  instructions(): number {
    return this.#retired + (this.#slice - this.#left);
  }

  ticks(): number {
    return this.vm.timestamp(this.instructions());
  }

  /** Brings RIP and the budget up to date with the record that runs. */
  #sync(record: number): void {
    const { i32, u8, u16 } = this;
    const low = (i32[S.CODE_BASE >> 2] >>> 0) + u16[(record + S.R_OFFSET) >> 1];
    const long = (i32[S.KEY >> 2] & MODE_CODE) === 2;
    i32[S.RIP >> 2] = low | 0;
    i32[(S.RIP >> 2) + 1] = long ? i32[(S.CODE_BASE >> 2) + 1] + (low > 0xffff_ffff ? 1 : 0) : 0;
    this.#left = i32[S.BUDGET >> 2] - u8[record + S.R_SEQ] + this.#held;
    this.length = u8[record + S.R_LENGTH];
    this.segment = u16[(record + S.R_SEG) >> 1];
  }

  /** Moves RIP behind the current instruction. */
  #advanceRip(): void {
    const { i32 } = this;
    const low = (i32[S.RIP >> 2] >>> 0) + this.length;
    i32[S.RIP >> 2] = low | 0;
    if ((i32[S.KEY >> 2] & MODE_CODE) !== 2) return;
    if (low > 0xffff_ffff) i32[(S.RIP >> 2) + 1]++;
  }

  // What emitted code calls.

  slow(record: number, low: number, high: number, how: number): number {
    this.#sync(record);
    try {
      const linear = this.linearOf(low, high);
      if (Number.isNaN(linear) || linear + (how & 0xff) > CANONICAL_END) {
        this.nonCanonical((how & SLOW_STACK) !== 0 || this.segment === S.SEG + S.SS * S.SEG_SIZE);
      }
      const kind = how >> 8 & 3;
      if (this.watch !== null && !this.#stepping) {
        const access = kind === 1 ? ACCESS_WRITE : kind === 2 ? ACCESS_WRITE | ACCESS_READ : ACCESS_READ;
        if (this.watch.meets(linear, how & 0xff, access)) return this.#replay();
      }
      this.inRegion = (how & SLOW_REGION) !== 0;
      const user = (this.i32[S.KEY >> 2] & MODE_USER) !== 0, view = this.u32[S.TLB_VIEW >> 2];
      return this.accessSlow(linear, how & 0xff, kind === 1, kind === 2, user, view) ? 1 : 0;
    } catch (e) {
      return this.#caught(e);
    } finally {
      this.inRegion = false;
    }
  }

  /** Gives the instruction up that meets a watchpoint: it runs once more, alone, so that RUN can end behind it. */
  #replay(): number {
    this.watch!.replay = true;
    this.restartMmio();
    return 0;
  }

  raise(record: number, vector: number, errorCode: number): number {
    this.#sync(record);
    this.#faultVector = vector;
    this.#faultError = errorCode;
    return 0;
  }

  branch_slow(record: number): number {
    this.#sync(record);
    if (!this.#branchTarget(record)) return 0;
    this.#left--;
    const owner = this.#code.ownerOf(record);
    const target = this.#resolve();
    if (target !== 0) {
      if (owner === null) return target;
      const within = owner === this.#code.ownerOf(target);
      this.i32[(record + S.R_IMM) >> 2] = within ? target : ELSEWHERE;
      this.i32[(record + S.R_IMM + 4) >> 2] = this.u8[target + S.R_SEQ] - this.u8[record + S.R_SEQ] - 1;
    }
    return target;
  }

  check_branch(record: number): number {
    this.#sync(record);
    const low = this.i32[S.RIP >> 2], high = this.i32[(S.RIP >> 2) + 1];
    const ok = this.#branchTarget(record);
    this.i32[S.RIP >> 2] = low;
    this.i32[(S.RIP >> 2) + 1] = high;
    return ok ? 1 : 0;
  }

  /** Sets RIP to the target of a relative branch; raises #GP(0) and leaves RIP if it is outside the segment. */
  #branchTarget(record: number): boolean {
    const { i32 } = this;
    const rip = S.RIP >> 2, low = i32[rip], high = i32[rip + 1];
    const distance = i32[(record + S.R_DISP) >> 2] + this.length;
    const sum = (low >>> 0) + distance;
    if ((i32[S.KEY >> 2] & MODE_CODE) === 2) {
      i32[rip] = sum | 0;
      i32[rip + 1] = high + Math.floor(sum / 0x1_0000_0000);
      if (!Number.isNaN(this.linearOf(i32[rip], i32[rip + 1]))) return true;
    } else {
      i32[rip] = this.u8[record + S.R_SCALE] === 1 ? sum & 0xffff : sum | 0;
      if (i32[rip] >>> 0 <= this.u32[(S.SEG + S.CS * S.SEG_SIZE + S.SEG_LIMIT) >> 2]) return true;
    }
    i32[rip] = low;
    i32[rip + 1] = high;
    this.#faultVector = 13;
    this.#faultError = 0;
    return false;
  }

  again_slow(record: number): number {
    this.#sync(record);
    this.#left--;
    return 0;
  }

  goto_slow(record: number): number {
    this.#left = this.i32[S.BUDGET >> 2] - this.u8[record + S.R_SEQ] - 1 + this.#held;
    const target = this.#resolve();
    if (target !== 0) this.#code.noteTarget(record, target, this.#linearRip());
    return target;
  }

  stale(record: number): number {
    this.#sync(record);
    if (this.u8[record + S.R_SCALE] === BEHIND && this.length === 0) this.#left--;
    return this.#resolve();
  }

  straddle(record: number): number {
    this.#sync(record);
    try {
      const linear = this.#linearRip(),
        offset = offsetOf(linear),
        first = 4096 - offset,
        reach = Math.min(15, this.#reach());
      if (reach <= first) throw new GuestFault(13, 0);
      const next = this.fetchPlace(this.#across(linear + first));
      if (next < 0) {
        this.#leaveUnknown(UNKNOWN_FETCH);
        return 0;
      }
      let r = this.#code.straddling(record, next, reach, this.#epoch);
      if (r === 0) {
        this.#fetchBoth(this.fetchPlace(linear), next, first, reach);
        r = this.#code.straddle(record, next, offset, this.#mode(), this.#fetchBytes, reach, this.#epoch);
        if (r === 0) throw new GuestFault(13, 0);
        this.vm.protectPage(next);
      }
      this.i32[S.BUDGET >> 2] = this.#left - this.#held;
      return r;
    } catch (e) {
      return this.#caught(e);
    }
  }

  /** A linear address behind another, which wraps outside 64-bit mode. */
  #across(linear: number): number {
    return (this.i32[S.KEY >> 2] & MODE_CODE) === 2 ? linear : linear % 0x1_0000_0000;
  }

  leave(record: number): number {
    this.#sync(record);
    this.#leftRegion = true;
    return 0;
  }

  /** Keeps what helpers may change before they fault: all up to the x87, and the words of MSRs. */
  #save(): void {
    const parts = this.#parts;
    parts.savedGeneral.set(parts.general);
    parts.savedWords.set(parts.words);
  }

  #restore(): void {
    const parts = this.#parts;
    parts.general.set(parts.savedGeneral);
    parts.words.set(parts.savedWords);
  }

  begin(): void {
    this.#save();
    this.#begun = true;
  }

  attend(record: number): number {
    this.#sync(record);
    this.#advanceRip();
    this.#left--;
    return this.#goOn();
  }

  /** Goes on at RIP, where code is looked up under the present key. */
  #goOn(): number {
    this.i32[S.ATTENTION >> 2] &= ~KEY_CHANGED;
    return this.#resolve();
  }

  /** What a record runs when its instruction has a helper: `name!` for one that transfers control. */
  #wrap(name: string): (record: number) => number {
    const transfers = name.endsWith("!");
    const plain = transfers ? name.slice(0, -1) : name;
    const helper: Helper | undefined = HELPERS[plain];
    if (!helper) throw new TypeError(`Cannot call the helper ${plain}: there is none of that name`);
    const noTrap = NO_TRAP.has(plain), atomic = ATOMIC.has(plain);
    return (record: number): number => {
      this.#sync(record);
      if (!this.#begun && !atomic) this.begin();
      try {
        if (helper(this) === false) return 0;
      } catch (e) {
        if (this.#begun || !atomic) this.#restore();
        this.modeChanged();
        // The copy may be older than the place.
        this.#sync(record);
        return this.#caught(e);
      } finally {
        this.#begun = false;
      }
      if (!transfers) return 1;
      this.#trapSuppressed = noTrap;
      this.#left--;
      return this.#goOn();
    };
  }

  /** Turns what a helper or slow access threw into the state that the run loop acts on. */
  #caught(e: unknown): number {
    if (e instanceof GuestFault) {
      this.#faultVector = e.vector;
      this.#faultError = e.errorCode;
      if (e.vector === 14) this.faultAddress();
    } else if (e !== LEAVE) throw e;
    return 0;
  }

  // Finding code.

  #mode(): number {
    return this.i32[S.KEY >> 2] & 63;
  }

  /** Linear address of RIP; faults with #GP(0) if it is outside CS or not canonical. */
  #linearRip(): number {
    const { u32 } = this;
    const low = u32[S.RIP >> 2];
    if ((u32[S.KEY >> 2] & MODE_CODE) === 2) {
      const linear = this.linearOf(low, u32[(S.RIP >> 2) + 1]);
      if (Number.isNaN(linear)) throw new GuestFault(13, 0);
      return linear;
    }
    const cs = (S.SEG + S.CS * S.SEG_SIZE) >> 2;
    if (low > u32[cs + (S.SEG_LIMIT >> 2)]) throw new GuestFault(13, 0);
    return (low + u32[cs]) >>> 0;
  }

  /** How many bytes from the current RIP the code segment reaches, at most 4 GiB. */
  #reach(): number {
    if ((this.u32[S.KEY >> 2] & MODE_CODE) === 2) return 0x1_0000_0000;
    return this.u32[(S.SEG + S.CS * S.SEG_SIZE + S.SEG_LIMIT) >> 2] - this.u32[S.RIP >> 2] + 1;
  }

  /** The record at RIP, ready to run within the budget; 0 if the run loop must act. */
  #resolve(): number {
    const { i32 } = this;
    if (i32[S.ATTENTION >> 2] !== 0 || this.#stepping || this.#left <= 0) return 0;
    try {
      const linear = this.#linearRip();
      if (this.watch !== null && this.watch.breaksNear(linear)) return 0;
      const offset = offsetOf(linear), limit = offset + this.#reach();
      // The jump cache is for code whose segment reaches to the end of its page.
      const known = limit >= 4096 ? this.#recall(linear) : 0;
      if (known !== 0) return this.#begin(known, offset);
      const place = this.fetchPlace(linear);
      if (place < 0) {
        this.#leaveUnknown(UNKNOWN_FETCH);
        return 0;
      }
      if (this.#code.reclaim()) this.flushJumps();
      const page = place - offset;
      const fresh = this.ram.code[page / 4096] === 0 || !this.#code.holds(page);
      const record = this.#code.lookup(page, offset, this.#mode(), limit, this.#epoch);
      if (fresh) this.vm.protectPage(page);
      if (this.vm.engine === "translator") this.#code.translate(record, linear - offset);
      if (limit >= 4096) this.#remember(linear, record);
      return this.#begin(record, offset);
    } catch (e) {
      return this.#caught(e);
    }
  }

  /** Gives emitted code its budget and place for a record at RIP; 0 if the budget does not reach. */
  #begin(record: number, offset: number): number {
    const { i32 } = this;
    const budget = this.#left - this.#held + this.u8[record + S.R_SEQ];
    if (budget < this.u8[record + S.R_RUN]) return 0;
    i32[S.BUDGET >> 2] = budget;
    const low = i32[S.RIP >> 2] >>> 0;
    i32[S.CODE_BASE >> 2] = low - offset | 0;
    i32[(S.CODE_BASE >> 2) + 1] = i32[(S.RIP >> 2) + 1] - (low < offset ? 1 : 0);
    return record;
  }

  /** The record that the jump cache has for a linear address under the present key, or 0. */
  #recall(linear: number): number {
    const { i32 } = this, low = linear | 0;
    const e = (S.JUMP_CACHE >> 2) + ((low ^ (low >>> 12)) & (S.JUMP_ENTRIES - 1)) * 4;
    if (i32[e] !== low || i32[e + 2] !== i32[S.KEY >> 2] || i32[e + 1] !== Math.floor(linear / 0x1_0000_0000)) return 0;
    const record = i32[e + 3];
    return i32[record >> 2] === H_STALE ? 0 : record;
  }

  #remember(linear: number, record: number): void {
    const { i32 } = this;
    const low = linear | 0;
    const e = (S.JUMP_CACHE >> 2) + ((low ^ (low >>> 12)) & (S.JUMP_ENTRIES - 1)) * 4;
    i32[e] = low;
    i32[e + 1] = Math.floor(linear / 0x1_0000_0000);
    i32[e + 2] = i32[S.KEY >> 2];
    i32[e + 3] = record;
    if (this.fetchedGlobal) return;
    if (this.#localJumpCount < LOCAL_JUMPS) this.#localJumps[this.#localJumpCount] = e;
    this.#localJumpCount++;
  }

  /** Reads up to 15 bytes at RIP; 0 if there is no memory. The second page is read only if its bytes are needed. */
  #fetch(): number {
    const linear = this.#linearRip();
    const reach = Math.min(15, this.#reach());
    const place = this.fetchPlace(linear);
    if (place < 0) {
      this.#leaveUnknown(UNKNOWN_FETCH);
      return 0;
    }
    const { u8 } = this.ram, bytes = this.#fetchBytes;
    const first = Math.min(reach, 4096 - offsetOf(linear));
    for (let i = 0; i < first; i++) bytes[i] = u8[place + i];
    if (first === reach || this.#code.single(CodeCache.SCRATCH, bytes, first, offsetOf(linear), this.#mode())) {
      return first;
    }
    const next = this.fetchPlace(this.#across(linear + first));
    if (next < 0) {
      this.#leaveUnknown(UNKNOWN_FETCH);
      return 0;
    }
    this.#fetchBoth(place, next, first, reach);
    return reach;
  }

  /** Reads `first` bytes at arena address `place` and the rest of `reach` at `next`. */
  #fetchBoth(place: number, next: number, first: number, reach: number): void {
    const { u8 } = this.ram, bytes = this.#fetchBytes;
    for (let i = 0; i < reach; i++) bytes[i] = i < first ? u8[place + i] : u8[next + i - first];
  }

  /** Executes one instruction. */
  #step(): void {
    const { i32 } = this;
    this.#stepping = true;
    this.#held = 0;
    // A trap comes behind every iteration.
    if (this.#watched() || this.watch?.hasData) i32[S.REP_LIMIT >> 2] = 1;
    try {
      const linear = this.#linearRip(), offset = offsetOf(linear);
      const n = this.#fetch();
      if (n === 0) return;
      const at = CodeCache.SCRATCH;
      if (!this.#code.single(at, this.#fetchBytes, n, offset, this.#mode())) throw new GuestFault(13, 0);
      const low = i32[S.RIP >> 2] >>> 0;
      i32[S.CODE_BASE >> 2] = low - offset | 0;
      i32[(S.CODE_BASE >> 2) + 1] = i32[(S.RIP >> 2) + 1] - (low < offset ? 1 : 0);
      const rest = this.#left - 1;
      this.#enterSlice(1);
      i32[S.BUDGET >> 2] = 1;
      this.#handlers.enter(at);
      this.#leaveSlice(rest + this.#left);
    } catch (e) {
      this.#caught(e);
    } finally {
      this.#stepping = false;
      i32[S.REP_LIMIT >> 2] = REP_CHUNK;
    }
  }

  #enterSlice(n: number): void {
    this.#retired = this.instructions();
    this.#slice = this.#left = n;
  }

  #leaveSlice(left: number): void {
    this.#retired = this.instructions();
    this.#slice = this.#left = left;
  }

  // The run loop.

  run(maxInstructions: number): number {
    const v = this.sharedView;
    this.#exit = this.#endBy = -1;
    this.#held = 0;
    if (this.watch !== null) this.watch.hit = this.watch.replay = false;
    const completed = this.#pio === 1 && maxInstructions > 0 && this.#completePort();
    this.#completing = this.completeMmio() || this.#pio === 1;
    if (this.#pio === 1) this.#pio = 2;
    this.#completeHypercall();
    this.u64[S.CR8 >> 3] = v.getBigUint64(16, true);
    if (this.ram.exposed) {
      this.#epoch++;
      this.flushJumps();
    }
    const bad = checkState(this);
    if (bad !== 0) {
      this.exit(EXIT_FAIL_ENTRY);
      v.setBigUint64(32, BigInt(bad), true);
    } else {
      this.#beyond = completed ? maxInstructions - 1 : maxInstructions;
      while (this.#exit < 0) {
        const slice = Math.min(this.#beyond, SLICE);
        this.#beyond -= slice;
        this.#leaveSlice(slice);
        this.#loop();
        this.#beyond += this.#left;
        this.#leaveSlice(0);
        if (this.#endBy >= 0) {
          this.#beyond = Math.max(0, Math.min(this.#beyond, this.#endBy - this.instructions()));
          this.#endBy = -1;
        } else if (this.#exit < 0 && this.#beyond <= 0) this.exit(EXIT_INTR);
      }
    }
    this.#leaveSlice(0);
    const flags = this.i32[S.RFLAGS >> 2];
    this.shared[12] = this.#interruptible() && this.#irqCount === 0 ? 1 : 0;
    this.shared[13] = flags & IF ? 1 : 0;
    v.setBigUint64(16, this.u64[S.CR8 >> 3], true);
    v.setBigUint64(24, this.u64[S.APIC_BASE >> 3], true);
    v.setUint32(8, this.#exit, true);
    return this.#exit === EXIT_INTR ? -EINTR : 0;
  }

  /**
   * Completes the IN or OUT that the host program has answered, unless that is more than to go on behind it.
   * @returns whether that is done.
   */
  #completePort(): boolean {
    if (this.#pioLength === 0 || this.#watched() || this.watch !== null) return false;
    if (this.#pioAt !== this.instructions() || this.#pioRip !== this.u32[S.RIP >> 2]) return false;
    this.#pio = 0;
    if (this.shared[32] === 0) {
      const v = this.sharedView, size = this.shared[33];
      if (size === 1) this.u8[S.GPR] = this.shared[4096];
      else if (size === 2) this.u16[S.GPR >> 1] = v.getUint16(4096, true);
      else {
        this.u32[S.GPR >> 2] = v.getUint32(4096, true);
        this.u32[(S.GPR >> 2) + 1] = 0;
      }
    }
    this.length = this.#pioLength;
    this.#advanceRip();
    this.#retired++;
    return true;
  }

  #interruptible(): boolean {
    return (this.i32[S.RFLAGS >> 2] & IF) !== 0 && this.#shadowAt !== this.instructions();
  }

  /** Runs until the slice is used up or RUN must end. */
  #loop(): void {
    const { i32 } = this;
    while (this.#exit < 0) {
      i32[S.ATTENTION >> 2] = 0;
      if (this.#endBy >= 0) return;
      if (this.watch !== null && this.watch.hit) return this.exit(EXIT_DEBUG);
      if (this.#pending & ~(this.#blocked ?? 0n)) {
        if (!this.#completing || this.#left <= 0) return this.#signalled();
        this.#completing = false;
        this.#watchedStep();
        continue;
      }
      if (this.#trapBits !== 0 && this.#faultVector < 0) {
        i32[(S.DR + 48) >> 2] |= this.#trapBits;
        this.#faultVector = DB;
        this.#faultError = -1;
        this.#trapBits = 0;
      }
      if (this.#faultVector >= 0) {
        this.#deliverFault();
        continue;
      }
      if (this.#completing) {
        // What the host program has just answered comes to its end before an interrupt is looked at.
        this.#completing = false;
        if (this.#left <= 0) return;
        if (this.#irqCount > 0 || this.shared[0] !== 0) {
          this.#watchedStep();
          continue;
        }
      } else if (this.#interruptible()) {
        if (this.#irqCount > 0) {
          this.#deliverInterrupt();
          continue;
        }
        if (this.shared[0] !== 0) return this.exit(EXIT_IRQ_WINDOW_OPEN);
      }
      if (this.#halted) return this.exit(EXIT_HLT);
      if (this.#left <= 0) return;
      // A rest that is shorter than a run of records would have to be stepped through.
      const now = this.instructions(), due = now + RUN_MAX >= this.#sampleAt;
      if (due) this.#sampleAt = now + this.#sampling;
      this.#held = Math.max(0, this.#left - (this.#sampleAt - now));
      if (this.#watched() || this.watch !== null && this.#nearWatch(this.watch)) {
        this.#watchedStep();
        continue;
      }
      // Whatever waits for the interrupt window is looked at after every instruction that may open it.
      const record = this.#waiting() || this.#alone ? 0 : this.#resolve();
      this.#alone = false;
      if (record !== 0) {
        if (due && this.vm.engine === "auto") this.#sample(record);
        this.#leftRegion = false;
        this.#handlers.enter(record);
      } else if (this.#exit < 0 && this.#faultVector < 0) this.#step();
    }
  }

  #sample(record: number): void {
    const linear = this.#linearRip();
    const fresh = !this.#leftRegion && this.#code.sample(record, linear - offsetOf(linear), this.#sampling);
    this.#sampling = fresh ? SAMPLE : Math.min(this.#sampling * 2, SAMPLE_MAX);
  }

  /** An interrupt or the host waits, and only the shadow of STI or MOV SS is in the way. */
  #waiting(): boolean {
    return (this.#irqCount > 0 || this.shared[0] !== 0) && this.#shadowAt === this.instructions();
  }

  #watched(): boolean {
    return (this.i32[S.RFLAGS >> 2] & (TF | RF)) !== 0 || this.#debugStep || (this.i32[(S.DR + 56) >> 2] & 0xff) !== 0;
  }

  /** Whether the next instruction has to run alone for the debugger. */
  #nearWatch(watch: Watch): boolean {
    if (watch.replay) return true;
    try {
      return watch.breaksNear(this.#linearRip());
    } catch {
      return false; // to be found, and raised, by whoever executes it
    }
  }

  /** One instruction with everything that can trap around it. */
  #watchedStep(): void {
    const { i32 } = this;
    let linear = NaN;
    try {
      linear = this.#linearRip();
    } catch (e) {
      this.#caught(e);
      return;
    }
    if (this.watch !== null) {
      this.watch.replay = false;
      if (this.watch.breaksAt(linear) && !this.#debugStep) return this.exit(EXIT_DEBUG);
    }
    const trap = (i32[S.RFLAGS >> 2] & TF) !== 0;
    if ((i32[S.RFLAGS >> 2] & RF) === 0) {
      const hit = this.#codeBreakpoints(linear);
      if (hit !== 0) {
        i32[(S.DR + 48) >> 2] = (i32[(S.DR + 48) >> 2] & ~15) | hit;
        this.#faultVector = DB;
        this.#faultError = -1;
        return;
      }
    }
    i32[S.RFLAGS >> 2] &= ~RF;
    const before = this.instructions();
    this.#trapSuppressed = false;
    this.#step();
    if (this.#faultVector >= 0 || this.#exit >= 0 && this.#exit !== EXIT_HLT && this.instructions() === before) return;
    if (this.#shadowAt === this.instructions()) return;
    if (trap && !this.#trapSuppressed) this.#trapBits |= DR6_BS;
    if (this.#debugStep && this.#exit < 0) this.exit(EXIT_DEBUG);
  }

  /** DR6 bits of the enabled instruction breakpoints at a linear address. */
  #codeBreakpoints(linear: number): number {
    const { i32 } = this, dr7 = i32[(S.DR + 56) >> 2];
    let hit = 0;
    for (let n = 0; n < 4; n++) {
      if ((dr7 >> n * 2 & 3) === 0 || (dr7 >> 16 + n * 4 & 15) !== 0) continue;
      if (this.linearOf(i32[(S.DR + n * 8) >> 2], i32[((S.DR + n * 8) >> 2) + 1]) === linear) hit |= 1 << n;
    }
    return hit;
  }

  #deliverFault(): void {
    const vector = this.#faultVector, error = this.#faultError;
    this.#faultVector = -1;
    this.length = 0;
    this.#halted = false;
    this.#guarded(() => raise(this, vector, error));
  }

  #deliverInterrupt(): void {
    let word = 0;
    while (this.#irq[word] === 0) word++;
    const bit = 31 - Math.clz32(this.#irq[word] & -this.#irq[word]);
    this.length = 0;
    const was = this.#halted;
    const done = this.#guarded(() => deliver(this, word * 32 + bit, "external", -1));
    if (!done && this.#faultVector < 0) return;
    this.#irq[word] &= ~(1 << bit);
    this.#irqCount--;
    if (was) this.#halted = false;
  }

  /** Delivers something: all or nothing, and it counts as an instruction, so that time passes. */
  #guarded(deliverIt: () => void): boolean {
    this.#save();
    try {
      deliverIt();
      this.#left--;
      return true;
    } catch (e) {
      this.#restore();
      this.modeChanged();
      this.#caught(e);
      return false;
    }
  }

  #signalled(): void {
    this.#pending &= this.#blocked ?? 0n;
    this.exit(EXIT_INTR);
  }

  override exit(reason: number): void {
    this.#exit = reason;
  }

  #leaveUnknown(reason: number): void {
    this.sharedView.setBigUint64(32, BigInt(reason), true);
    this.exit(EXIT_UNKNOWN);
  }

  // Machine: what system helpers ask.

  fault(vector: number, errorCode = -1): never {
    throw new GuestFault(vector, errorCode);
  }

  shutdown(): never {
    this.exit(EXIT_SHUTDOWN);
    throw LEAVE;
  }

  unknown(reason: number): never {
    this.#leaveUnknown(reason);
    throw LEAVE;
  }

  modeChanged(): void {
    const key = modeOf(this) | this.#generation << GENERATION;
    this.i32[S.TLB_VIEW >> 2] = S.TLB + viewOf(this) * S.TLB_SIZE;
    if (key === this.i32[S.KEY >> 2]) return;
    this.i32[S.KEY >> 2] = key;
    this.i32[S.ATTENTION >> 2] |= KEY_CHANGED;
  }

  /** What the jump cache holds is of an older generation then. */
  override flushJumps(): void {
    this.#localJumpCount = 0;
    this.#generation = this.#generation + 1 & GENERATIONS;
    if (this.#generation === 0) this.u8.fill(0xff, S.JUMP_CACHE, S.JUMP_CACHE + S.JUMP_ENTRIES * 16);
    this.i32[S.KEY >> 2] = this.i32[S.KEY >> 2] & MODE_MASK | this.#generation << GENERATION;
  }

  protected override flushLocalJumps(): void {
    const count = this.#localJumpCount;
    if (count > LOCAL_JUMPS) return this.flushJumps();
    for (let n = 0; n < count; n++) this.i32[this.#localJumps[n] + 2] = -1;
    this.#localJumpCount = 0;
  }

  portIn(port: number, size: number): number {
    if (this.#portDone(1)) {
      const v = this.sharedView;
      return size === 1 ? this.shared[4096] : size === 2 ? v.getUint16(4096, true) : v.getUint32(4096, true);
    }
    const value = this.server?.in(port, size) ?? -1;
    if (value >= 0) return value;
    this.#port(0, port, size, 1);
    this.#pioLength = this.length;
    return -1;
  }

  portOut(port: number, size: number, value: number): boolean {
    if (this.#portDone(1) || this.server?.out(port, size, value >>> 0)) return true;
    this.sharedView.setUint32(4096, value, true);
    this.#port(1, port, size, 1);
    this.#pioLength = this.length;
    return false;
  }

  portString(port: number, size: number, out: boolean, linear: number, count: number, backward: boolean): number {
    const offset = offsetOf(linear);
    const inPage = backward ? Math.floor(offset / size) + 1 : Math.max(1, Math.floor((4096 - offset) / size));
    const n = Math.min(count, inPage, 4096 / size, this.i32[S.REP_LIMIT >> 2]);
    const user = (this.i32[S.KEY >> 2] & 16) !== 0;
    const step = backward ? -size : size;
    const done = this.#portDone(n);
    const v = this.sharedView;
    if (!done && out) {
      for (let i = 0; i < n; i++) {
        const value = this.read(linear + i * step, size, user);
        if (size === 1) this.shared[4096 + i] = value;
        else if (size === 2) v.setUint16(4096 + i * 2, value, true);
        else v.setUint32(4096 + i * 4, value, true);
      }
    }
    if (!done) {
      if (!out) { for (let i = 0; i < n; i++) this.probeWrite(linear + i * step, size, user); }
      this.#port(out ? 1 : 0, port, size, n);
      throw LEAVE;
    }
    if (!out) {
      for (let i = 0; i < n; i++) {
        const at = 4096 + i * size;
        const value = size === 1 ? this.shared[at] : size === 2 ? v.getUint16(at, true) : v.getUint32(at, true);
        this.write(linear + i * step, size, value, user);
      }
    }
    return n;
  }

  /** Whether the port I/O that the host program has answered is this one. */
  #portDone(count: number): boolean {
    if (this.#pio !== 2) return false;
    this.#pio = 0;
    return this.#pioAt === this.instructions() && this.#pioRip === this.u32[S.RIP >> 2] && this.#pioCount === count;
  }

  #port(direction: number, port: number, size: number, count: number): void {
    const { shared, sharedView: v } = this;
    shared[32] = direction;
    shared[33] = size;
    v.setUint16(34, port, true);
    v.setUint32(36, count, true);
    v.setUint32(40, 4096, true);
    v.setUint32(44, 0, true);
    this.#pio = 1;
    this.#pioAt = this.instructions();
    this.#pioRip = this.u32[S.RIP >> 2];
    this.#pioCount = count;
    this.#pioLength = 0;
    this.exit(EXIT_IO);
  }

  halt(): void {
    this.#halted = true;
    this.attention();
  }

  #hypercall = false;
  hypercall(): void {
    io.hypercallArguments(this, this.sharedView, (this.i32[S.KEY >> 2] & MODE_CODE) === 2);
    this.#hypercall = true;
    this.exit(EXIT_HYPERCALL);
    this.attention();
  }

  #completeHypercall(): void {
    if (!this.#hypercall) return;
    this.#hypercall = false;
    this.u64[S.GPR >> 3] = this.sharedView.getBigUint64(80, true);
  }

  shadow(): void {
    this.#shadowAt = this.instructions() + 1;
    if (this.#irqCount > 0 || this.shared[0] !== 0) this.attention();
  }

  debugTrap(dr6: number): void {
    this.#trapBits |= dr6;
    this.attention();
  }

  attention(): void {
    // RFLAGS or DR7 changed: that matters only if something waits for it.
    if (
      this.#irqCount > 0 || this.shared[0] !== 0 || this.#halted || this.#exit >= 0 || this.#trapBits !== 0 ||
      this.#watched()
    ) this.i32[S.ATTENTION >> 2] = 1;
  }

  cpuid(leaf: number, _subleaf: number, out: Uint32Array): void {
    const e = lookupCpuid(this.#cpuid, leaf);
    out[0] = e?.eax ?? 0;
    out[1] = e?.ebx ?? 0;
    out[2] = e?.ecx ?? 0;
    out[3] = e?.edx ?? 0;
  }

  has(feature: string): boolean {
    return hasFeature(this.#cpuid, feature);
  }

  random(): number {
    // xorshift32, seeded: runs repeat.
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#random = x) >>> 0;
  }

  // Code and memory of the machine.

  override codeTouched(place: number, length: number): void {
    this.vm.codeTouched(place, length);
  }

  override codeWritten(place: number): void {
    this.#code.invalidate(place);
  }

  override changesCode(place: number, length: number): boolean {
    return this.vm.changesCode(place, length);
  }

  protected override goesOn(): boolean {
    if (this.#endBy < 0 || this.#stepping) return true;
    this.#alone = true;
    this.restartMmio();
    return false;
  }

  protected override alone(): void {
    this.#alone = true;
  }

  /** Whether a write changes bytes that this processor has decoded. */
  covers(place: number, length: number): boolean {
    return this.#code.covers(place, length);
  }

  /** The memory map changed. */
  memoryChanged(): void {
    this.#code.clear();
    this.flushTlb(true);
  }

  // BackendVcpu.

  getRegs(regs: Uint8Array): void {
    io.getRegs(this, regs);
  }

  setRegs(regs: Uint8Array): void {
    const rip = this.u64[S.RIP >> 3];
    io.setRegs(this, regs);
    this.#repositioned(rip !== this.u64[S.RIP >> 3]);
  }

  getSregs(sregs: Uint8Array): void {
    io.getSregs(this, sregs, this.#irq);
  }

  setSregs(sregs: Uint8Array): void {
    const cs = (S.SEG + S.CS * S.SEG_SIZE) >> 3;
    const base = this.u64[cs], selector = this.u16[cs * 4 + (S.SEG_SELECTOR >> 1)];
    io.setSregs(this, sregs, this.#irq);
    stateReplaced(this);
    this.#irqCount = io.popcount(this.#irq);
    this.flushTlb(true);
    this.#repositioned(base !== this.u64[cs] || selector !== this.u16[cs * 4 + (S.SEG_SELECTOR >> 1)]);
  }

  /** The host program has set registers; with `moved`, the processor stands elsewhere, and HLT is left. */
  #repositioned(moved: boolean): void {
    this.modeChanged();
    if (!moved) return;
    this.#halted = false;
    this.#faultVector = -1;
    this.#trapBits = 0;
    this.#shadowAt = -1;
    this.forgetMmio();
  }

  getFpu(fpu: Uint8Array): void {
    io.getFpu(this, fpu);
  }

  setFpu(fpu: Uint8Array): void {
    io.setFpu(this, fpu);
  }

  getMsrs(entries: Uint8Array): number {
    const v = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    let n = 0;
    for (; n * 16 < entries.length; n++) {
      const value = readMsr(this, v.getUint32(n * 16, true));
      if (value === undefined) break;
      v.setBigUint64(n * 16 + 8, value, true);
    }
    return n;
  }

  setMsrs(entries: Uint8Array): number {
    const v = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    let n = 0;
    for (; n * 16 < entries.length; n++) {
      if (!restoreMsr(this, v.getUint32(n * 16, true), v.getBigUint64(n * 16 + 8, true))) break;
    }
    this.flushTlb(true);
    this.modeChanged();
    return n;
  }

  setCpuid(entries: Uint8Array): void {
    const v = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    const list: CpuidEntry[] = [];
    for (let at = 0; at + 24 <= entries.length; at += 24) {
      const word = (i: number) => v.getUint32(at + i * 4, true);
      list.push({ function: word(0), eax: word(1), ebx: word(2), ecx: word(3), edx: word(4) });
    }
    this.#cpuid = list;
    cpuidChanged(this);
    this.#code.clear();
    this.flushJumps();
  }

  translate(translation: Uint8Array): void {
    io.translate(this, translation);
  }

  interrupt(vector: number): void {
    const bit = 1 << (vector & 31);
    if ((this.#irq[vector >> 5] & bit) === 0) this.#irqCount++;
    this.#irq[vector >> 5] |= bit;
  }

  debugGuest(debug: Uint8Array): void {
    const v = new DataView(debug.buffer, debug.byteOffset, debug.byteLength);
    const enabled = v.getUint32(0, true) !== 0;
    this.#debugStep = enabled && v.getUint32(72, true) !== 0;
    const before = this.#breakpoints.splice(0);
    for (let n = 0; enabled && n < 4; n++) {
      const at = 8 + n * 16;
      if (v.getUint32(at, true)) {
        this.#breakpoints.push(v.getInt32(at + 12, true) * 0x1_0000_0000 + v.getUint32(at + 8, true));
      }
    }
    if (before.length !== this.#breakpoints.length || before.some((at, n) => at !== this.#breakpoints[n])) this.#arm();
  }

  observe(observer: VcpuObserver | null): void {
    this.#observer = observer;
    this.#arm();
  }

  /** Code and data that are watched must not be run or touched unseen any more. */
  #arm(): void {
    const watch = new Watch(this.#breakpoints, this.#observer);
    this.watch = watch.isEmpty ? null : watch;
    this.flushTlb(true);
  }

  serve(server: AccessServer | null): void {
    this.server = server;
  }

  endBy(instructions: number): void {
    const now = this.instructions(), end = Math.max(instructions, now + 1), rest = end - now;
    if (rest >= this.#left + this.#beyond) return;
    const less = this.#left - rest;
    if (!this.#stepping && less <= this.#held) {
      this.#beyond = Math.max(0, -less);
      if (less <= 0) return;
      this.#held -= less;
      this.#left -= less;
      this.#slice -= less;
      return;
    }
    this.#endBy = this.#endBy < 0 ? end : Math.min(this.#endBy, end);
    this.i32[S.ATTENTION >> 2] = 1;
  }

  /** See Machine. */
  delivering(vector: number, kind: VcpuEventKind, errorCode: number): void {
    this.#observer?.event?.(kind, vector, errorCode);
  }

  setSignalMask(sigset: Uint8Array | null): void {
    this.#blocked = sigset && new DataView(sigset.buffer, sigset.byteOffset, 8).getBigUint64(0, true);
  }

  signal(n: number): void {
    this.#pending |= 1n << BigInt(n - 1);
  }

  [Symbol.dispose](): void {
    this.vm.forget(this);
    this.ram.release(this.own);
  }
}
