/**
 * The processors of a machine, and whose turn it is: they run one after the other in one thread, each for a number of instructions,
 * so that all of them see memory and devices in one order, and the same run is the same again.
 *
 * - A turn is over after a number of instructions, or with HLT. A processor that waits in a loop has short turns: at the end of a turn
 *   its code is looked at for PAUSE. For all others turns become longer.
 * - When an interrupt comes for another processor, the turn is interrupted soon, for who has sent it waits for an answer, as a rule. The
 *   other one takes the interrupt, and then the turn goes on.
 *
 * Nothing of this depends on the host's time, unless {@linkcode Processors.most} is made to.
 * @module
 */

import type { Interrupter } from "../devices/interrupter.ts";
import type { Pc, ProcessorSignals } from "../devices/pc.ts";
import type { Vcpu, Vm } from "../mod.ts";
import type { RealTime, VirtualTime } from "./time.ts";
import { isWaiting } from "./waiting_loop.ts";

/**
 * Instructions of the shortest and the longest turn. It costs as much as some ten thousand fast instructions to begin and end one in the
 * middle of a loop.
 */
const TURN_LEAST = 10_000, TURN_MOST = 400_000;
/** What is left of a turn until it is interrupted for another processor: more messages may follow. */
const REST = 1_000;
/** What a processor may execute in another one's turn. */
const GUEST_TURN = 5_000;
/** So many may have another one's turn, for each processor that there is, before the turn goes on. */
const GUESTS = 2;

/** A processor, and what the loop knows of it. */
export class Processor {
  /** Its number, which is the ID of its local APIC too. */
  readonly index: number;
  /** The vCPU. */
  readonly vcpu: Vcpu;
  /** Its interrupt controller. */
  readonly interrupts: Interrupter;
  /** `Vcpu.shared`. */
  readonly shared: Uint8Array;
  /** The same. */
  readonly view: DataView;
  /** Whether it is in HLT. */
  halted = false;
  /** Whether nothing but INIT and NMI get it out of HLT: interrupts are off. */
  stopped = false;
  /** Whether it waits for a startup message, after power-up or INIT. */
  waiting: boolean;
  /** Whether it takes an interrupt now. */
  ready = false;
  /** The byte of IA32_APIC_BASE that has the APIC's switch, as it was last. */
  apicSwitch = -1;
  /** Whether it is to take an NMI. */
  nmi = false;
  /** Whether it is to reset itself before it runs again. */
  init = false;
  /** Where it is to begin before it runs again, as a startup message says it; -1: nowhere. */
  startup = -1;
  /** Whether something has come for it in another one's turn. */
  urgent = false;
  /** How many instructions its next turn has. */
  turn: number = TURN_LEAST;

  /**
   * Takes a processor as it is after power-up.
   * @param index Its number.
   * @param vcpu The vCPU.
   * @param interrupts Its interrupt controller.
   */
  constructor(index: number, vcpu: Vcpu, interrupts: Interrupter) {
    this.index = index;
    this.vcpu = vcpu;
    this.interrupts = interrupts;
    const shared = this.shared = vcpu.shared;
    this.view = new DataView(shared.buffer, shared.byteOffset, shared.byteLength);
    this.waiting = index !== 0;
  }

  /** Whether it has something to do. */
  get runs(): boolean {
    if (!this.halted) return !this.waiting;
    return this.nmi || !this.stopped && this.interrupts.pending;
  }

  /** Whether {@linkcode init}, {@linkcode startup} or {@linkcode nmi} tell it something. */
  get told(): boolean {
    return this.init || this.startup >= 0 || this.nmi;
  }

  /** Whether nothing wakes it unless another processor does something. */
  get deaf(): boolean {
    return this.waiting || this.halted && !this.nmi && (this.stopped || this.interrupts.deaf);
  }

  /** How many instructions it has executed; 0 where they are not counted. */
  get executed(): number {
    return this.vcpu.instructions ?? 0;
  }

  /** As after power-up: the first runs, the others wait. */
  reset(): void {
    this.halted = false;
    this.stopped = false;
    this.ready = false;
    this.nmi = false;
    this.init = false;
    this.urgent = false;
    this.startup = -1;
    this.turn = TURN_LEAST;
    this.waiting = this.index !== 0;
  }
}

/** What {@linkcode Processors} are made from. */
export interface ProcessorsOptions {
  /** Their memory. */
  readonly vm: Pick<Vm, "read">;
  /** The vCPUs, fresh, the one that starts the machine first. */
  readonly vcpus: readonly Vcpu[];
  /** The board, with as many APICs. */
  readonly pc: Pc;
  /** Its time. */
  readonly time: RealTime | VirtualTime;
}

/** The processors of a machine. */
export class Processors {
  /** All of them, the one that starts the machine first. */
  readonly all: readonly Processor[];
  /** Whether there are others than the first. */
  readonly several: boolean;
  /** Which one runs. */
  current: Processor;
  /** How many instructions the others have executed, all together; 0 where they are not counted. */
  elsewhere = 0;
  /** Whether something has come for another processor since {@linkcode bound} was asked. */
  disturbed = false;
  readonly #options: ProcessorsOptions;
  /** Whose turn it is; another one may run meanwhile. */
  #holder: Processor;
  /** When its turn is over, in its instructions. */
  #turnEnd: number = TURN_LEAST;
  /** When the current one is to be interrupted, in its instructions. */
  #end: number = TURN_LEAST;
  /** How many others have run in this turn since the one whose turn it is. */
  #guests = 0;
  #most: number = TURN_MOST;

  /**
   * Wires processors to their APICs.
   * @param options What they are made from.
   */
  constructor(options: ProcessorsOptions) {
    const { vcpus, pc } = this.#options = options;
    this.all = vcpus.map((vcpu, n) => new Processor(n, vcpu, pc.apic.apics[n]));
    this.several = vcpus.length > 1;
    this.#holder = this.current = this.all[0];
    if (this.several) pc.signals = this.#signals();
  }

  /** How many instructions all have executed, where they are counted. */
  get instructions(): number {
    return this.elsewhere + this.current.executed;
  }

  /** The longest turn, in instructions: what the host can do in a time in which all should have their turn. */
  set most(instructions: number) {
    this.#most = Math.min(TURN_MOST, Math.max(TURN_LEAST, Math.round(instructions)));
  }

  /** How many instructions may run now, at least 1: what an exit has left open comes to its end before another one runs. */
  bound(): number {
    this.disturbed = false;
    return Math.max(1, this.#end - this.current.executed);
  }

  /** Whether the current processor has run for long enough, or has nothing to do. */
  get over(): boolean {
    return !this.current.runs || this.current.executed >= this.#end;
  }

  /**
   * The next one that has something to do runs; the same one, if it is the only one.
   * @returns Whether there is one.
   */
  next(): boolean {
    const holder = this.#holder;
    if (this.#guests < GUESTS * this.all.length) {
      const guest = this.#after(this.current, (each) => each.urgent && each !== holder);
      if (guest !== undefined) {
        this.#guests++;
        this.#run(guest, guest.executed + GUEST_TURN);
        return true;
      }
    }
    this.#guests = 0;
    if (!holder.runs || holder.executed >= this.#turnEnd) return this.#nextTurn();
    this.#run(holder, this.#turnEnd);
    return true;
  }

  /**
   * The turn is over though not used up, for a debugger keeps the processor from running.
   * @returns Whether there is one that has something to do.
   */
  skip(): boolean {
    if (this.current === this.#holder) this.#turnEnd = 0;
    return this.next();
  }

  /** Whether nothing wakes any of them. */
  get deaf(): boolean {
    return this.all.every((each) => each.deaf);
  }

  /** As after power-up; it is the first one's turn. */
  reset(): void {
    for (const each of this.all) each.reset();
    this.#give(this.all[0]);
  }

  #nextTurn(): boolean {
    const holder = this.#holder;
    if (holder.runs) {
      const waits = isWaiting(this.#options.vm, holder.vcpu);
      holder.turn = waits ? TURN_LEAST : Math.min(this.#most, holder.turn * 2);
    }
    const next = this.#after(holder, () => true);
    if (next === undefined) return false;
    this.#give(next);
    return true;
  }

  /** The next one behind another that is wanted and has something to do; that other one comes last. */
  #after({ index }: Processor, wanted: (one: Processor) => boolean): Processor | undefined {
    const { all } = this;
    for (let n = 1; n <= all.length; n++) {
      const one = all[(index + n) % all.length];
      if (one.runs && wanted(one)) return one;
    }
    return undefined;
  }

  /** It is a processor's turn. */
  #give(one: Processor): void {
    this.#holder = one;
    this.#guests = 0;
    this.#turnEnd = one.executed + one.turn;
    this.#run(one, this.#turnEnd);
  }

  #run(one: Processor, end: number): void {
    const { pc, time } = this.#options;
    one.urgent = false;
    this.#end = end;
    this.current = one;
    this.elsewhere = 0;
    for (const each of this.all) if (each !== one) this.elsewhere += each.executed;
    if (time.kind === "virtual") time.elsewhere = this.elsewhere;
    pc.apic.current = one.index;
  }

  #signals(): ProcessorSignals {
    const { all } = this;
    return {
      interrupt: (n) => this.#disturb(all[n]),
      nmi: (n) => {
        if (all[n].waiting) return;
        all[n].nmi = true;
        this.#disturb(all[n]);
      },
      init: (n) => {
        if (n === 0) {
          this.#options.pc.requestReset("processor");
          return;
        }
        all[n].reset();
        all[n].init = true;
      },
      startup: (n, vector) => {
        if (!all[n].waiting) return;
        all[n].waiting = false;
        all[n].startup = vector;
        this.#disturb(all[n]);
      },
    };
  }

  /** Something has come for a processor. */
  #disturb(one: Processor): void {
    if (one === this.current) return;
    one.urgent = this.disturbed = true;
    this.#end = Math.min(this.#end, this.current.executed + REST);
  }
}
