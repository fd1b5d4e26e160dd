/**
 * Building a machine: the engine, memory, the board and its processors.
 * @module
 */

import { Pc, type PcOptions } from "../devices/pc.ts";
import {
  type CpuidEntry,
  type EngineChoice,
  KVM_MAX_VCPUS,
  KVM_MEM_LOG_DIRTY_PAGES,
  KvmCpuid,
  KvmError,
  openKvm,
  type Vcpu,
  type Vm,
} from "../mod.ts";
import { VmMemory } from "./guest_memory.ts";
import { Machine } from "./machine.ts";
import type { MemoryAlias, MemoryRegion } from "./memory_layout.ts";
import { boardCpuid, processorCpuid } from "./processor.ts";
import { type ClockKind, machineTime } from "./time.ts";

/** What a machine is built from. */
export interface MachineConfig {
  /** The engine; soft unless told. With virtual time `auto` is soft. */
  readonly backend?: "soft" | "kvm" | "auto";
  /** How the software engine runs the guest, if that is said. */
  readonly engine?: EngineChoice;
  /** Told why `auto` fell back. */
  readonly onFallback?: (line: string) => void;
  /** How time goes by; real unless told. */
  readonly clock?: ClockKind;
  /** The memory. */
  readonly regions: readonly MemoryRegion[];
  /** Memory that is to be seen twice; slot 7 belongs to the A20 gate. */
  readonly aliases?: readonly MemoryAlias[];
  /** What CPUID answers; none: on the software engine `boardCpuid()`, on the real device what that answers. */
  readonly cpuid?: readonly CpuidEntry[];
  /**
   * How many processors there are, 1 to 16, which take turns; 1 unless told. More than one want the software engine, which `auto` is
   * then.
   */
  readonly processors?: number;
  /** What the board is made from; clock and memory are added. Unless it says otherwise, real time begins with the host's date. */
  readonly board: Omit<PcOptions, "clock" | "memory" | "processors">;
  /** See {@linkcode Machine}. */
  readonly start: (vm: Vm, vcpu: Vcpu, pc: Pc) => void;
}

/** Memory that cannot be had as it is wanted. */
export class MemoryConfigError extends Error {
  /** `"MemoryConfigError"`. */
  override readonly name: string = "MemoryConfigError";
  /** Why. */
  override readonly cause: KvmError;

  /**
   * Wraps what the engine says.
   * @param cause It.
   */
  constructor(cause: KvmError) {
    super(cause.message);
    this.cause = cause;
  }
}

/** A machine that closes what it was built from. */
export interface BuiltMachine extends Disposable {
  /** The machine, before its first instruction. */
  readonly machine: Machine;
}

/**
 * Builds a machine.
 * @param config What from.
 * @throws KvmError The engine cannot be had, or refuses something.
 * @throws MemoryConfigError It refuses the memory.
 * @throws BusConflictError The board has no room for debug-exit where it was asked for.
 * @throws RangeError More processors are wanted than the engine can run on a board.
 */
export function buildMachine(config: MachineConfig): BuiltMachine {
  const { clock = "real", engine, onFallback, processors = 1, board, start } = config;
  using stack = new DisposableStack();
  const time = machineTime(clock);
  const wanted = config.backend ?? "soft";
  const backend = wanted === "auto" && (clock === "virtual" || processors > 1) ? "soft" : wanted;
  const most = backend === "kvm" ? 1 : KVM_MAX_VCPUS;
  if (processors > most) {
    throw new RangeError(
      `Cannot build a machine with ${processors} processors on the engine "${backend}": it runs ${most}`,
    );
  }
  const kvm = stack.use(openKvm({ backend, engine, timestamp: time.timestamp, onFallback }));
  const vm = stack.use(kvm.createVm());
  layOut(vm, config);
  const date = clock === "real" ? new Date() : undefined;
  const pc = new Pc({ time: date, ...board, clock: time.clock, memory: new VmMemory(vm), processors });
  const cpuid = config.cpuid ?? (kvm.backend === "soft" ? boardCpuid() : []);
  const [vcpu, ...others] = Array.from({ length: processors }, (_, index) => {
    const one = stack.use(vm.createVcpu(index));
    if (cpuid.length > 0) one.setCpuid(new KvmCpuid(processorCpuid(cpuid, index, processors)));
    return one;
  });
  const machine = new Machine({ kvm, vm, vcpu, others, pc, time, start: () => start(vm, vcpu, pc) });
  const held = stack.move();
  return { machine, [Symbol.dispose]: () => held.dispose() };
}

function layOut(vm: Vm, { regions, aliases = [] }: MachineConfig): void {
  try {
    for (const { slot, base, size, logDirty } of regions) {
      const flags = logDirty ? KVM_MEM_LOG_DIRTY_PAGES : 0;
      vm.setMemoryRegion({ slot, flags, guest_phys_addr: base, memory_size: size });
    }
    for (const { slot, base, size, target } of aliases) {
      vm.setMemoryAlias({ slot, guest_phys_addr: base, memory_size: size, target_phys_addr: target });
    }
  } catch (error) {
    throw error instanceof KvmError ? new MemoryConfigError(error) : error;
  }
}
