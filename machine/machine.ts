/**
 * A machine: processors and the board around them. It uses nothing but the objects of `mod.ts` and the board.
 * @module
 */

import type { Pc } from "../devices/pc.ts";
import { type Kvm, KvmMsrs, KvmRegs, KvmSregs, type Vcpu, type VcpuExit, type Vm } from "../mod.ts";
import { KVM_ALIAS_SLOTS, KVM_EXIT_INTR, KvmFpu } from "../mod.ts";
import { deliverNmi } from "./nmi.ts";
import { type Processor, Processors } from "./processors.ts";
import { type RunControl, type RunEnd, runLoop, type RunRecord } from "./run_loop.ts";
import type { RealTime, VirtualTime } from "./time.ts";

/** What a closed A20 gate hides: the memory behind the first megabyte that real mode reaches. */
const HIGH_MEMORY_AREA = 0x100000, HIGH_MEMORY_AREA_SIZE = 0x10000;
/** The alias slot that the A20 gate takes. */
const A20_ALIAS = KVM_ALIAS_SLOTS - 1;

/** A signal that ends a run before the next instruction. */
const SIGUSR1 = 10;
/** An interrupted string instruction comes to its end in so many runs at most. */
const RUNS_TO_COMPLETE = 4;

/** The bit of IA32_APIC_BASE for the processor that starts the machine. */
const BOOTSTRAP = 0x100n;
/** CD and NW in CR0, which INIT leaves as they are. */
const CACHE_BITS = 0x6000_0000n;

/** Time-stamp counter and its adjustment: they go on over a reset, for the counter agrees with the board's clock. */
const TIME_MSRS: readonly number[] = [0x10, 0x3b];

/** What a {@linkcode Machine} is made from. */
export interface MachineOptions {
  /** KVM. */
  readonly kvm: Kvm;
  /** The machine's memory, as the guest finds it. */
  readonly vm: Vm;
  /** Its first processor, fresh. */
  readonly vcpu: Vcpu;
  /** The other processors, fresh; none unless told. The board has an APIC for each. */
  readonly others?: readonly Vcpu[];
  /** The board. */
  readonly pc: Pc;
  /** The board's time; its `timestamp` was given to `openKvm`. */
  readonly time: RealTime | VirtualTime;
  /**
   * Puts into memory what the guest begins with and sets the first processor's registers, from their values at power-up: after it
   * was made, and again after each reset. Firmware does it; a loader stands in for firmware. The others wait for a startup message.
   */
  readonly start: (vm: Vm, vcpu: Vcpu) => void;
}

/** How {@linkcode Machine.run} is to go on. */
export interface MachineRunOptions {
  /** Milliseconds until the end; none: no limit. */
  readonly timeoutMs?: number;
  /** Ends the run when it is aborted. */
  readonly signal?: AbortSignal;
  /** Whose output is shown in each turn of the event loop. */
  readonly outputs?: readonly { flush(): void }[];
  /** Who stands between the loop and the processor. */
  readonly control?: RunControl;
  /** Told of each exit once it was served, with the processor's number. */
  readonly trace?: (exit: VcpuExit, processor: number) => void;
  /** Whether the guest's wish for a reset is followed; else it ends the run. Yes unless told. */
  readonly reboot?: boolean;
  /** Whether a triple fault is such a wish; else it ends the run. No unless told. */
  readonly rebootOnCrash?: boolean;
  /** Called in each turn of the event loop. */
  readonly onTurn?: () => void;
}

/** A processor at power-up. */
interface PowerUp {
  readonly regs: KvmRegs;
  readonly sregs: KvmSregs;
  readonly fpu: KvmFpu;
  readonly msrs: readonly KvmMsrs[];
}

/**
 * A machine. Whoever made KVM, machine and processor closes them.
 *
 * @example
 * ```ts
 * import { NullEnd } from "../devices/null_end.ts";
 * import { Pc } from "../devices/pc.ts";
 * import { openKvm } from "../mod.ts";
 * import { Machine } from "./machine.ts";
 * import { VirtualTime } from "./time.ts";
 *
 * const time = new VirtualTime();
 * using kvm = openKvm({ backend: "soft", timestamp: time.timestamp });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xf_f000, memory_size: 0x1000 });
 * using vcpu = vm.createVcpu(0);
 * const pc = new Pc({ serial: new NullEnd(), clock: time.clock });
 * const start = () => {
 *   vm.write(0xf_fff0, Uint8Array.of(0xf4)); // hlt
 *   const sregs = vcpu.getSregs();
 *   sregs.cs.base = 0xf_0000n;
 *   vcpu.setSregs(sregs);
 * };
 * const { end } = await new Machine({ kvm, vm, vcpu, pc, time, start }).run();
 * console.log(end.kind); // halted
 * ```
 */
export class Machine {
  /** KVM. */
  readonly kvm: Kvm;
  /** The memory. */
  readonly vm: Vm;
  /** The first processor. */
  readonly vcpu: Vcpu;
  /** All processors, by number. */
  readonly vcpus: readonly Vcpu[];
  /** The board. */
  readonly pc: Pc;
  /** The board's time. */
  readonly time: RealTime | VirtualTime;
  readonly #start: MachineOptions["start"];
  readonly #processors: Processors;
  /** All processors at power-up. */
  readonly #powerUp: readonly PowerUp[];

  /**
   * Puts processor and board together, and starts what is to be started; no instruction is executed yet.
   * @param options What it is made from.
   * @throws KvmError The engine refuses something.
   */
  constructor(options: MachineOptions) {
    const { kvm, vm, vcpu, others = [], pc, time, start } = options;
    this.kvm = kvm;
    this.vm = vm;
    this.vcpu = vcpu;
    this.vcpus = [vcpu, ...others];
    this.pc = pc;
    this.time = time;
    this.#start = start;
    for (const other of others) clearBootstrap(other);
    this.#processors = new Processors({ vm, vcpus: this.vcpus, pc, time });
    this.#powerUp = this.vcpus.map((each) => ({
      regs: each.getRegs(),
      sregs: each.getSregs(),
      fpu: each.getFpu(),
      msrs: readMsrs(kvm, each),
    }));
    pc.onA20 = (open) => this.#moveA20(open);
    start(vm, vcpu);
  }

  /** How many instructions all processors have executed; undefined where they are not counted: the real device. */
  get instructions(): number | undefined {
    return this.vcpu.instructions === undefined ? undefined : this.#processors.instructions;
  }

  /**
   * Runs the guest until it or the board ends; can be called again after `"timeout"` and `"stopped"`.
   * @param options How.
   * @throws KvmError The engine refuses to run.
   * @throws Error An output cannot be written.
   */
  async run(options: MachineRunOptions = {}): Promise<RunRecord> {
    const { pc, time } = this;
    const { reboot = true, rebootOnCrash, outputs = [], ...others } = options;
    return await runLoop({
      processors: this.#processors,
      pc,
      time,
      outputs,
      settle: (processor) => this.#settle(processor),
      reset: reboot ? () => this.reset() : undefined,
      resetOnCrash: rebootOnCrash,
      ...others,
    });
  }

  /**
   * The reset button: the board is reset, the processors are as after power-up but for debug registers and XCR0, which the KVM API
   * of version 12 cannot reach, memory keeps its contents, and what is to be started starts again. Time goes on.
   * @throws KvmError The engine refuses something.
   */
  reset(): void {
    const { vm, vcpu, vcpus, pc } = this;
    for (const each of vcpus) complete(each);
    pc.reset();
    for (const [n, each] of vcpus.entries()) {
      const { regs, sregs, fpu, msrs } = this.#powerUp[n];
      each.setSregs(new KvmSregs(sregs.bytes.slice()));
      each.setRegs(new KvmRegs(regs.bytes.slice()));
      each.setFpu(new KvmFpu(fpu.bytes.slice()));
      // One that cannot be set is one that the guest cannot have changed.
      for (const msr of msrs) each.setMsrs(msr);
      each.kvmRun.cr8 = 0n;
    }
    this.#processors.reset();
    this.#start(vm, vcpu);
  }

  /** What others have told a processor: SDM volume 3, "Processor State After Reset", and "MP Initialization". */
  #settle(processor: Processor): void {
    const { vcpu, index } = processor;
    complete(vcpu);
    if (processor.init) {
      const { regs, sregs } = this.#powerUp[index];
      const before = vcpu.getSregs(), after = new KvmSregs(sregs.bytes.slice());
      after.cr0 = after.cr0 & ~CACHE_BITS | before.cr0 & CACHE_BITS;
      after.apic_base = before.apic_base;
      vcpu.setSregs(after);
      vcpu.setRegs(new KvmRegs(regs.bytes.slice()));
      vcpu.kvmRun.cr8 = 0n;
    }
    if (processor.startup >= 0) {
      const sregs = vcpu.getSregs(), regs = vcpu.getRegs();
      sregs.cs.selector = processor.startup << 8;
      sregs.cs.base = BigInt(processor.startup << 12);
      regs.rip = 0n;
      vcpu.setSregs(sregs);
      vcpu.setRegs(regs);
    }
    if (processor.nmi) {
      if (!deliverNmi(this.vm, vcpu)) this.pc.requestReset("machine");
      processor.ready = false;
    }
    processor.init = processor.nmi = false;
    processor.startup = -1;
  }

  #moveA20(open: boolean): void {
    this.vm.setMemoryAlias({
      slot: A20_ALIAS,
      guest_phys_addr: HIGH_MEMORY_AREA,
      memory_size: open ? 0 : HIGH_MEMORY_AREA_SIZE,
      target_phys_addr: 0,
    });
  }
}

/** The exit code of a program whose guest ended in this way, where the end is no failure. */
export function exitCodeOf(end: RunEnd): number | undefined {
  switch (end.kind) {
    case "ended":
      return end.code;
    case "halted":
    case "reset":
      return 0;
    default:
      return undefined;
  }
}

/** An instruction that waits for its port or memory comes to its end, so that it does not do so after a reset. */
function complete(vcpu: Vcpu): void {
  for (let runs = 0; runs < RUNS_TO_COMPLETE; runs++) {
    vcpu.signal(SIGUSR1);
    if (vcpu.run({ maxInstructions: 1 }).reason === KVM_EXIT_INTR) return;
  }
}

/** Says in MSR IA32_APIC_BASE that the processor is not the one that starts the machine. */
function clearBootstrap(vcpu: Vcpu): void {
  const sregs = vcpu.getSregs();
  sregs.apic_base &= ~BOOTSTRAP;
  vcpu.setSregs(sregs);
}

function readMsrs(kvm: Kvm, vcpu: Vcpu): KvmMsrs[] {
  const list = kvm.getMsrIndexList();
  const found: KvmMsrs[] = [];
  for (const index of list.indices) {
    if (TIME_MSRS.includes(index)) continue;
    const one = new KvmMsrs([{ index }]);
    if (vcpu.getMsrs(one) === 1) found.push(one);
  }
  return found;
}
