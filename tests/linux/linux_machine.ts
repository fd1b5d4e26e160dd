/**
 * A machine that runs a Linux kernel until it ends, with all that it says on its serial line.
 * @module
 */

import { buildAcpiTables } from "../../devices/acpi/tables.ts";
import type { HostEnd } from "../../devices/host_end.ts";
import { HPET_BASE, HPET_CAPABILITIES } from "../../devices/hpet.ts";
import { Pc } from "../../devices/pc.ts";
import { enter } from "../../guests/entry_state.ts";
import type { BootPlan, MemoryRange } from "../../guests/image.ts";
import { type KernelOptions, planKernel } from "../../guests/kernel.ts";
import { Machine } from "../../machine/machine.ts";
import { boardCpuid, processorCpuid } from "../../machine/processor.ts";
import type { RunEnd } from "../../machine/run_loop.ts";
import { VirtualTime } from "../../machine/time.ts";
import { type EngineChoice, KvmCpuid, openKvm } from "../../mod.ts";

/** What runs. */
export interface LinuxOptions extends KernelOptions {
  /** The kernel's file. */
  readonly kernel: Uint8Array;
  /** Bytes of memory from address 0 on. */
  readonly memory: number;
  /** How the engine runs it. */
  readonly engine?: EngineChoice;
  /** How many processors there are; 1 unless told. */
  readonly processors?: number;
  /** Milliseconds until it is given up. */
  readonly timeoutMs: number;
  /** Takes what it says while it runs, too. */
  readonly onOutput?: (byte: number) => void;
}

/** What became of it. */
export interface LinuxRun {
  /** How it ended. */
  readonly end: RunEnd["kind"];
  /** What it said. */
  readonly output: string;
  /** How many instructions its processors executed. */
  readonly instructions: number;
}

/** COM1 to COM4. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/** Keeps what the guest says. */
class Listener implements HostEnd {
  readonly bytes: number[] = [];
  readonly #onOutput: (byte: number) => void;

  constructor(onOutput: (byte: number) => void = () => {}) {
    this.#onOutput = onOutput;
  }

  send(byte: number): void {
    this.bytes.push(byte);
    this.#onOutput(byte);
  }

  receive(): number {
    return -1;
  }

  flush(): void {}

  [Symbol.dispose](): void {}
}

/**
 * Runs a kernel.
 * @param options What.
 */
export async function runLinux(options: LinuxOptions): Promise<LinuxRun> {
  const { kernel, memory: size, engine, processors = 1 } = options;
  const time = new VirtualTime();
  using kvm = openKvm({ backend: "soft", engine, timestamp: time.timestamp });
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: size });
  const [vcpu, ...others] = Array.from({ length: processors }, (_, n) => {
    const one = vm.createVcpu(n);
    one.setCpuid(new KvmCpuid(processorCpuid(boardCpuid(), n, processors)));
    return one;
  });
  using listener = new Listener(options.onOutput);
  const pc = new Pc({ serial: listener, clock: time.clock, processors });
  const memory: MemoryRange[] = [{ base: 0, size }];
  const acpi = buildAcpiTables({
    processors,
    serial: COM_PORTS,
    floppy: false,
    keyboard: false,
    hpet: HPET_BASE,
    hpetCapabilities: HPET_CAPABILITIES,
    apic: true,
    vga: false,
  });
  const plan: BootPlan = planKernel(kernel, memory, { ...options, acpi });
  const start = (): void => {
    for (const { base, bytes } of [acpi, ...plan.pieces]) vm.write(base, bytes);
    const regs = vcpu.getRegs(), sregs = vcpu.getSregs();
    enter(plan, regs, sregs);
    vcpu.setSregs(sregs);
    vcpu.setRegs(regs);
  };
  const machine = new Machine({ kvm, vm, vcpu, others, pc, time, start });
  const { end } = await machine.run({ timeoutMs: options.timeoutMs, reboot: false });
  const output = new TextDecoder("latin1").decode(Uint8Array.from(listener.bytes));
  return { end: end.kind, output, instructions: machine.instructions ?? 0 };
}
