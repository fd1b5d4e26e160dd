/**
 * Random streams: instructions, forward branches, small loops, calls, and what the case asks for besides.
 * @module
 */
import type { Form } from "../core/x86/insn.ts";
import { dataBase } from "../tests/differential/encode.ts";
import type { Prng } from "../tests/differential/prng.ts";
import { DATA_ADDRESS } from "../tests/host/memory_map.ts";
import type { NativeMode } from "../tests/host/native_cpu.ts";
import type { Pools } from "./forms.ts";
import { FORK, type Part, type Program, type Step } from "./program.ts";
import { absolute, instruction, moveTo, type StepOptions, storeTo } from "./steps.ts";
import { systemSteps } from "./system_steps.ts";

/** What a stream is made of. */
export interface StreamOptions {
  /** How it is decoded. */
  readonly mode: NativeMode;
  /** Randomness. */
  readonly random: Prng;
  /** Instructions. */
  readonly pools: Pools;
  /** Parts of the main way. */
  readonly parts: number;
  /** Most passes of a loop. */
  readonly passes: number;
  /** Most instructions that the stream may take, if it must end. */
  readonly budget: number;
  /** Selectors to be loaded. */
  readonly selectors?: readonly number[];
  /** How data instructions reach code: stores to it are made now and then if this is given. */
  readonly patch?: "data" | "cs";
}

/** The first bytes, that hold counters and the like, must be zero in the beginning. */
export const RESERVED_ADDRESS: number = DATA_ADDRESS + 0x3f00;
/** Bytes. */
export const RESERVED_SIZE = 0x100;
const COUNTERS = RESERVED_ADDRESS + 0x40, SLOTS = RESERVED_ADDRESS;
const STACKS = DATA_ADDRESS + 0x3800;
const MOST_LOOPS = 16;
/** Iterations of the longest repeated string instruction. */
const REPEATS = 24;

interface Draft {
  steps: Step[];
  /** Instructions in one pass. */
  cost: number;
  needs?: number;
  fixed?: boolean;
  /** Passes if it heads a loop. */
  loop?: { readonly tail: number; readonly passes: number };
  /** First part of the function that it calls. */
  calls?: number;
}

class StreamBuilder {
  readonly #o: StreamOptions;
  readonly #step: StepOptions;
  readonly #drafts: Draft[] = [];
  readonly #random: Prng;
  readonly #mode: NativeMode;
  readonly #near: number;
  readonly #weights: readonly [integer: number, x87: number, simd: number];
  #loops = 0;

  constructor(options: StreamOptions) {
    this.#o = options;
    this.#random = options.random;
    this.#mode = options.mode;
    this.#near = options.mode === 16 ? 2 : 4;
    this.#step = { mode: options.mode, random: options.random, selectors: options.selectors ?? [] };
    const r = options.random;
    this.#weights = [1 + r.below(8), r.below(5), r.below(5)];
  }

  build(): Program {
    const { parts } = this.#o, r = this.#random;
    const functions = r.once(2) ? 0 : r.range(1, 2);
    // The numbers of the parts are known before they are made: the main way, its end, the functions, the end.
    const sizes = Array.from({ length: functions }, () => r.range(1, Math.max(2, parts >> 2)));
    let at = parts + 1;
    const first = sizes.map((size) => (at += size + 1) - size - 1);
    const end = at;
    this.#way(0, parts, first);
    this.#add([{ bytes: this.#jump(), reads: FORK, fix: this.#to(end) }], { fixed: true });
    sizes.forEach((size, n) => {
      this.#way(first[n], size, []);
      this.#add(this.#return(n), { fixed: true });
    });
    this.#add([], { fixed: true });
    this.#afford(end);
    const drafts: readonly Part[] = this.#drafts;
    return { mode: this.#mode, parts: drafts };
  }

  #add(steps: Step[], more: Partial<Draft> = {}): void {
    this.#drafts.push({ steps, cost: steps.length, ...more });
  }

  #jump(): number[] {
    return [0xe9, ...new Array<number>(this.#near).fill(0)];
  }

  #to(part: number): Step["fix"] {
    return { kind: "near", size: this.#near, part };
  }

  /** `size` parts from number `from` on, from which branches lead no further than to the one behind them. */
  #way(from: number, size: number, functions: readonly number[]): void {
    const r = this.#random, tails = new Map<number, number>(), end = from + size;
    for (let n = from; n < end; n++) {
      const head = tails.get(n);
      if (head !== undefined) {
        this.#tail(head);
        continue;
      }
      const room = end - n - 1;
      switch (room > 1 ? r.below(24) : 99) {
        case 0:
        case 1:
        case 2:
          this.#branch(r.range(n + 1, Math.min(end, n + 6)));
          break;
        case 3:
          this.#indirect(r.range(n + 1, Math.min(end, n + 6)));
          break;
        case 4:
        case 5: {
          // Loops lie within each other or apart.
          const limit = Math.min(end - 1, n + 10, ...[...tails.keys()].filter((t) => t > n).map((t) => t - 1));
          if (this.#loops >= MOST_LOOPS || limit <= n + 1) this.#plain();
          else {
            const tail = r.range(n + 2 > limit ? limit : n + 2, limit);
            tails.set(tail, n);
            this.#head(tail);
          }
          break;
        }
        case 6:
          if (functions.length) this.#call(r.below(functions.length), functions);
          else this.#control();
          break;
        case 7:
          this.#control();
          break;
        case 8:
          if (this.#o.patch !== undefined) this.#patch(r.range(from, end));
          else this.#plain();
          break;
        case 9:
          if (this.#o.pools.system.length) this.#system();
          else this.#plain();
          break;
        default:
          this.#plain();
      }
    }
  }

  #plain(): void {
    const r = this.#random, { pools } = this.#o, [integer, x87, simd] = this.#weights;
    for (;;) {
      const n = r.below(integer + x87 + simd);
      const pool = r.below(40) === 0
        ? pools.faulting
        : n < integer
        ? pools.integer
        : n < integer + x87
        ? pools.x87
        : pools.simd;
      if (this.#instruction(r.pick(pool))) return;
    }
  }

  #instruction(form: Form): boolean {
    const steps = instruction(form, this.#step);
    if (!steps) return false;
    this.#add(steps, { cost: steps.length + 1 + (form.row.attributes.string ? REPEATS : 0) });
    return true;
  }

  #system(): void {
    for (;;) {
      const steps = systemSteps(this.#random.pick(this.#o.pools.system), this.#step);
      if (steps) return this.#add(steps, { cost: steps.length + REPEATS });
    }
  }

  /** A jump forward, conditional or not, by flags or by a count. */
  #branch(part: number): void {
    const r = this.#random, jump = this.#jump(), fix = this.#to(part);
    switch (r.below(6)) {
      case 0:
        return this.#add([{ bytes: jump, reads: FORK, fix }]);
      case 1: {
        const prefix = r.once(3) ? [0x67] : [];
        return this.#add([{ bytes: [...prefix, 0xe0 | r.below(4), 2, 0xeb, jump.length, ...jump], reads: FORK, fix }], {
          cost: 3,
        });
      }
      case 2:
        return this.#add([{ bytes: [0x70 | r.below(16), 2, 0xeb, jump.length, ...jump], reads: FORK, fix }], {
          cost: 3,
        });
      default:
        return this.#add([{ bytes: [0x0f, 0x80 | r.below(16), ...jump.slice(1)], reads: FORK, fix }], { cost: 2 });
    }
  }

  /** A jump by way of a register or of memory. */
  #indirect(part: number): void {
    const r = this.#random, mode = this.#mode;
    if (r.once(2)) {
      const n = r.pick([0, 1, 2, 3, 6, 7]);
      const load = moveTo(mode, n, 0n).bytes;
      const fix = { kind: "offset", at: load.length - 4, size: 4, part, add: 0 } as const;
      return this.#add([{ bytes: load, fix }, { bytes: [0xff, 0xe0 | n], reads: FORK }]);
    }
    const slot = SLOTS + 8 * r.below(4), store = storeTo(mode, slot, 0);
    const fix = { kind: "offset", at: store.length - 4, size: 4, part, add: 0 } as const;
    const clear = storeTo(mode, slot + 4, 0);
    this.#add([{ bytes: store, fix }, { bytes: clear }, { bytes: [0xff, ...absolute(mode, 4, slot)], reads: FORK }]);
  }

  #head(tail: number): void {
    const passes = this.#random.range(1, this.#o.passes);
    const step = { bytes: storeTo(this.#mode, COUNTERS + 4 * this.#loops, passes), reads: FORK };
    this.#add([step], { cost: 2, loop: { tail, passes } });
    this.#loops++;
  }

  #tail(head: number): void {
    const { steps: [{ bytes }] } = this.#drafts[head], mode = this.#mode;
    // The counter's address is in the head's store: opcode, ModRM and displacement.
    const prefix = mode === 16 ? [0x66] : [];
    const address = bytes.slice(prefix.length + 2, bytes.length - 4), modrm = bytes[prefix.length + 1] | 5 << 3;
    const decrement = [...prefix, 0x83, modrm, ...address, 1];
    const again = [0x0f, 0x8f, ...new Array<number>(this.#near).fill(0)];
    // SUB, then JG: a loop that is entered from the side, with a counter of 0, ends.
    const steps: Step[] = [{ bytes: decrement, reads: FORK }, { bytes: again, fix: this.#to(head + 1) }];
    this.#add(steps, { needs: head, cost: 3 });
  }

  #call(n: number, functions: readonly number[]): void {
    const r = this.#random, mode = this.#mode, fix = this.#to(functions[n]);
    const stack = moveTo(mode, 4, BigInt(STACKS + n * 0x80 - dataBase(mode)));
    if (r.once(3)) {
      const load = moveTo(mode, 3, 0n).bytes;
      const target = { kind: "offset", at: load.length - 4, size: 4, part: functions[n], add: 0 } as const;
      return this.#add([{ bytes: load, fix: target }, stack, { bytes: [0xff, 0xd3], reads: FORK }], {
        calls: functions[n],
        cost: 4,
      });
    }
    this.#add([stack, { bytes: [0xe8, ...this.#jump().slice(1)], reads: FORK, fix }], { calls: functions[n], cost: 3 });
  }

  #return(n: number): Step[] {
    const mode = this.#mode, width = mode / 8;
    const stack = moveTo(mode, 4, BigInt(STACKS + n * 0x80 - width - dataBase(mode)));
    return [stack, { bytes: this.#random.once(3) ? [0xc2, 8, 0] : [0xc3], reads: FORK }];
  }

  /** Control words and flags get random values. */
  #control(): void {
    const r = this.#random, mode = this.#mode, slot = SLOTS + 0x20;
    switch (r.below(3)) {
      case 0: {
        const value = (r.once(8) ? r.below(64) << 7 : 0x1f80) | r.below(4) << 13 | (r.once(4) ? 0x8000 : 0) |
          (r.once(4) ? 0x40 : 0);
        return this.#add([{ bytes: storeTo(mode, slot, value) }, { bytes: [0x0f, 0xae, ...absolute(mode, 2, slot)] }]);
      }
      case 1: {
        const value = (r.once(8) ? r.below(64) : 0x3f) | 0x40 | r.below(16) << 8;
        return this.#add([{ bytes: storeTo(mode, slot, value) }, { bytes: [0xd9, ...absolute(mode, 5, slot)] }]);
      }
      default: {
        const flags = r.u32() & 0x8d5 | 2 | 0x200 | (r.once(3) ? 0x400 : 0);
        const push = [0x68, flags & 0xff, flags >> 8, ...(mode === 16 ? [] : [0, 0])];
        const stack = moveTo(mode, 4, BigInt(STACKS + 0x400 - dataBase(mode)));
        return this.#add([stack, { bytes: push }, { bytes: [0x9d], writes: FORK }]);
      }
    }
  }

  /** Changes a byte of code: to NOP, to something short, or to anything. */
  #patch(part: number): void {
    const r = this.#random, mode = this.#mode;
    const value = r.pick([0x90, 0x40 | r.below(16), 0xf8, 0xf9, 0xf5, r.below(256)]);
    const prefix = this.#o.patch === "cs" ? [0x2e] : [];
    const bytes = [...prefix, 0xc6, ...absolute(mode, 0, DATA_ADDRESS), value];
    const size = mode === 16 ? 2 : 4;
    const at = bytes.length - 1 - size;
    const fix = { kind: "offset", at, size, part, add: r.once(2) ? 0 : r.below(16) } as const;
    this.#add([{ bytes, fix }]);
  }

  /** Makes loops shorter until the whole fits into the budget. */
  #afford(end: number): void {
    const drafts = this.#drafts;
    for (let most = this.#o.passes;; most--) {
      const cost = (from: number): number => {
        let sum = 0;
        const times: { readonly tail: number; readonly passes: number }[] = [];
        for (let n = from; n < end; n++) {
          const d = drafts[n];
          if (n > from && d.fixed) break;
          const factor = times.reduce((f, t) => n <= t.tail ? f * t.passes : f, 1);
          if (d.loop) times.push({ tail: d.loop.tail, passes: Math.min(d.loop.passes, most) });
          sum += factor * (d.cost + (d.calls === undefined ? 0 : cost(d.calls)));
        }
        return sum;
      };
      if (cost(0) <= this.#o.budget || most === 1) {
        for (const d of drafts) {
          if (!d.loop || d.loop.passes <= most) continue;
          const [head] = d.steps, bytes = head.bytes.slice();
          bytes[bytes.length - 4] = most;
          bytes[bytes.length - 3] = 0;
          d.steps = [{ ...head, bytes }];
        }
        return;
      }
    }
  }
}

/** Makes a stream. */
export function stream(options: StreamOptions): Program {
  return new StreamBuilder(options).build();
}
