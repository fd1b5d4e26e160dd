/**
 * Building the machine that a command line describes.
 * @module
 */

import { enter } from "../guests/entry_state.ts";
import type { BootPlan } from "../guests/image.ts";
import { type EngineChoice, type Kvm, KVM_MEM_LOG_DIRTY_PAGES, KvmCpuid, KvmError, openKvm } from "../mod.ts";
import type { Vcpu, Vm } from "../mod.ts";
import { readCpuidFile } from "./cpuid_file.ts";
import { CliError, EXIT, usageError } from "./errors.ts";
import { readFile } from "./host.ts";
import { loadImage } from "./load_image.ts";
import type { BackendChoice, CpuidLeaf, RunCommand } from "./options.ts";

/** All that comes from files, read and checked before there is a machine. */
export interface Materials {
  /** How the image is loaded and entered. */
  readonly plan: BootPlan;
  /** The contents of regions, by slot. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
  /** What CPUID is to answer; none: what the engine answers. */
  readonly cpuid: readonly CpuidLeaf[];
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

/**
 * Reads all files that a command names.
 * @param command The command.
 * @throws CliError One of them cannot be used.
 */
export function readMaterials(command: RunCommand): Materials {
  const { plan, notes } = loadImage(command);
  const contents = new Map<number, Uint8Array>();
  for (const { slot, size, file } of command.regions) {
    if (file === undefined) continue;
    const content = readFile(`the contents of slot ${slot}`, file, size);
    if (content.more) {
      throw new CliError(EXIT.IO, `Cannot load '${file}': it is larger than slot ${slot}, ${size} bytes`);
    }
    contents.set(slot, content.bytes);
  }
  const leaves = new Map<number, CpuidLeaf>();
  for (const each of command.cpuid) {
    for (const leaf of typeof each === "string" ? readCpuidFile(each) : [each]) leaves.set(leaf.function, leaf);
  }
  return { plan, contents, cpuid: [...leaves.values()], notes };
}

/** A machine with one processor. */
export interface Machine extends Disposable {
  /** KVM. */
  readonly kvm: Kvm;
  /** The machine. */
  readonly vm: Vm;
  /** Its processor, before its first instruction. */
  readonly vcpu: Vcpu;
}

/**
 * Opens KVM with one line of explanation where that fails.
 * @param backend The engine.
 * @param note Told why `auto` fell back.
 * @param executor How the software engine runs the guest, if that is said.
 * @throws CliError There is no such engine here.
 */
export function open(backend: BackendChoice, note: (line: string) => void, executor?: EngineChoice): Kvm {
  return engine(() => openKvm({ backend, engine: executor, onFallback: note }));
}

/**
 * Builds the machine.
 * @param command What it is to be.
 * @param materials What came from files.
 * @param note Told what the user should know.
 * @throws CliError The engine refuses something.
 */
export function build(command: RunCommand, materials: Materials, note: (line: string) => void): Machine {
  using stack = new DisposableStack();
  const kvm = stack.use(open(command.backend, note, command.engine));
  const vm = stack.use(engine(() => kvm.createVm()));
  for (const { slot, base, size, logDirty } of command.regions) {
    const flags = logDirty ? KVM_MEM_LOG_DIRTY_PAGES : 0;
    option(() => vm.setMemoryRegion({ slot, flags, guest_phys_addr: base, memory_size: size }));
    const content = materials.contents.get(slot);
    if (content !== undefined) vm.write(base, content);
  }
  for (const { slot, base, size, target } of command.aliases) {
    option(() => vm.setMemoryAlias({ slot, guest_phys_addr: base, memory_size: size, target_phys_addr: target }));
  }
  const vcpu = stack.use(engine(() => vm.createVcpu(0)));
  engine(() => {
    for (const { base, bytes } of materials.plan.pieces) vm.write(base, bytes);
    if (materials.cpuid.length > 0) vcpu.setCpuid(new KvmCpuid(materials.cpuid));
    const regs = vcpu.getRegs(), sregs = vcpu.getSregs();
    enter(materials.plan, regs, sregs);
    for (const [name, value] of command.registers) regs[name] = value;
    vcpu.setSregs(sregs);
    vcpu.setRegs(regs);
  });
  const held = stack.move();
  return { kvm, vm, vcpu, [Symbol.dispose]: () => held.dispose() };
}

/** What the engine refuses ends the program with one line. */
function engine<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof KvmError) throw new CliError(EXIT.ENGINE, `${error.message} (${error.code})`);
    throw error;
  }
}

/** The same for what an option asks for: an impossible wish is wrong usage. */
function option(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof KvmError && error.code !== "ENOMEM") throw usageError(`${error.message} (${error.code})`);
    if (error instanceof KvmError) throw new CliError(EXIT.ENGINE, `${error.message} (${error.code})`);
    throw error;
  }
}
