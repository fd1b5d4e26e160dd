/**
 * Building the machine that a command line describes.
 * @module
 */

import { BusConflictError } from "../devices/bus.ts";
import type { HostEnd } from "../devices/host_end.ts";
import { setUpPci } from "../devices/firmware/services/pci_setup.ts";
import type { Pc, PcOptions } from "../devices/pc.ts";
import { enter } from "../guests/entry_state.ts";
import type { BootPlan } from "../guests/image.ts";
import { memorySizes } from "../machine/memory_layout.ts";
import { kernelBoard, romBoard } from "../machine/pc_config.ts";
import { loadRom, ROM_MOST, ROM_UNIT, romRegion } from "../machine/rom.ts";
import { buildMachine, type BuiltMachine, type MachineConfig, MemoryConfigError } from "../machine/build.ts";
import { type Kvm, KvmError, openKvm, type Vcpu, type Vm } from "../mod.ts";
import { readCpuidFile } from "./cpuid_file.ts";
import type { OpenDrives } from "./drives.ts";
import { entropySource } from "./entropy.ts";
import { CliError, EXIT, usageError } from "./errors.ts";
import { readFile } from "./host.ts";
import { loadImage } from "./load_image.ts";
import type { BackendChoice, CpuidLeaf, RegionOption, RunCommand } from "./options.ts";

/** The largest video BIOS. */
const VIDEO_ROM_MOST = 0x10000;
/** 80 by 25 characters in colour. */
const TEXT_MODE = 3;

/** All that comes from files, read and checked before there is a machine. */
export interface Materials {
  /** How the image is loaded and entered; none: a firmware boots. */
  readonly plan?: BootPlan;
  /** The firmware. */
  readonly bios?: Uint8Array;
  /** The video BIOS. */
  readonly videoRom?: Uint8Array;
  /** The memory. */
  readonly regions: readonly RegionOption[];
  /** Whether the machine is a PC, with a screen and PCI; else it is the bare board. */
  readonly pc: boolean;
  /** The contents of regions, by slot. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
  /** What CPUID is to answer; none: what the engine answers. */
  readonly cpuid: readonly CpuidLeaf[];
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

/** What boots without an image is the built-in firmware, unless another one is given. */
function isBuiltIn({ plan, bios }: Materials): boolean {
  return plan === undefined && bios === undefined;
}

/**
 * Reads all files that a command names.
 * @param command The command.
 * @param read Reads the image and what belongs to it.
 * @throws CliError One of them cannot be used.
 */
export function readMaterials(command: RunCommand, read: typeof readFile = readFile): Materials {
  const image = command.image === undefined ? undefined : loadImage(command, command.image, read);
  const bios = command.bios === undefined ? undefined : readBios(command.bios);
  const videoRom = command.videoBios === undefined ? undefined : readVideoBios(command.videoBios);
  const regions = image?.regions ?? command.pcRegions ?? command.regions;
  const contents = new Map<number, Uint8Array>();
  for (const { slot, size, file } of regions) {
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
  return {
    plan: image?.plan,
    bios,
    videoRom,
    regions,
    pc: image?.pc ?? true,
    contents,
    cpuid: [...leaves.values()],
    notes: image?.notes ?? [],
  };
}

/**
 * Opens KVM with one line of explanation where that fails.
 * @param backend The engine.
 * @param note Told why `auto` fell back.
 * @throws CliError There is no such engine here.
 */
export function open(backend: BackendChoice, note: (line: string) => void): Kvm {
  return refusable(() => openKvm({ backend, onFallback: note }));
}

function readVideoBios(path: string): Uint8Array {
  const { bytes, more } = readFile("the video BIOS", path, VIDEO_ROM_MOST);
  if (more || bytes[0] !== 0x55 || bytes[1] !== 0xaa) {
    throw new CliError(EXIT.IO, `Cannot use the video BIOS '${path}': it is no option ROM of at most 64 KiB`);
  }
  return bytes;
}

function readBios(path: string): Uint8Array {
  const { bytes, more } = readFile("the firmware", path, ROM_MOST);
  if (more || bytes.length === 0 || bytes.length % ROM_UNIT !== 0) {
    const sizes = `a multiple of ${ROM_UNIT / 1024} KiB, at most ${ROM_MOST / 2 ** 20} MiB`;
    throw new CliError(
      EXIT.IO,
      `Cannot use the firmware '${path}': it has ${more ? "more" : bytes.length} bytes, not ${sizes}`,
    );
  }
  return bytes;
}

/** What a machine is built from besides its command. */
export interface BuildOptions {
  /** What came from files. */
  readonly materials: Materials;
  /** The drives. */
  readonly drives: OpenDrives;
  /** The shared folders. */
  readonly shares: NonNullable<PcOptions["shares"]>;
  /** The network. */
  readonly network: PcOptions["network"];
  /** The host's end of COM1. */
  readonly serial: HostEnd;
  /** The host's end of the console on virtio; none: there is none. */
  readonly virtioConsole?: HostEnd;
  /** Takes what is written to the debug console. */
  readonly debugConsole: (byte: number) => void;
  /** Told what the user should know. */
  readonly note: (line: string) => void;
}

/**
 * Builds the machine.
 * @param command What it is to be.
 * @param options What it is built from.
 * @throws CliError The engine refuses something, or the board has no room for debug-exit.
 */
export async function build(command: RunCommand, options: BuildOptions): Promise<BuiltMachine> {
  const { materials, drives, shares, network, serial, virtioConsole, debugConsole, note } = options;
  const { backend, engine, clock, processors, aliases, debugExit } = command;
  const { bios, regions } = materials;
  // What most images do without is loaded only now.
  const firmware = isBuiltIn(materials) ? await import("../machine/firmware_start.ts") : undefined;
  let first = true;
  const start = (vm: Vm, vcpu: Vcpu, pc: Pc): void => {
    if (first) {
      for (const { slot, base } of regions) {
        const content = materials.contents.get(slot);
        if (content !== undefined) vm.write(base, content);
      }
    }
    first = false;
    if (bios !== undefined) loadRom(vm, bios);
    firmware?.startFirmware(vm, vcpu, pc);
    if (materials.plan === undefined) return;
    // What a firmware leaves.
    pc.vga?.setMode(TEXT_MODE);
    if (pc.pci !== undefined) setUpPci(pc.ports);
    enterPlan(command, materials.plan, vm, vcpu);
  };
  return refusable(() =>
    buildMachine({
      backend,
      engine,
      clock,
      processors,
      regions: bios === undefined ? regions : [...regions, romRegion(bios)],
      aliases,
      cpuid: materials.cpuid.length === 0 ? undefined : materials.cpuid,
      board: {
        ...boardOf(command, materials, drives, firmware?.firmwareBoard),
        ...drives.board,
        shares,
        network,
        serial,
        virtioConsole,
        entropy: command.entropy ? entropySource(clock) : undefined,
        debugConsole,
        debugExit,
      },
      onFallback: note,
      start,
    })
  );
}

function boardOf(
  { drives: { boot }, processors }: RunCommand,
  materials: Materials,
  drives: OpenDrives,
  firmwareBoard?: typeof import("../machine/firmware_start.ts").firmwareBoard,
): Omit<MachineConfig["board"], "serial"> {
  const { bios, videoRom, regions, pc } = materials;
  if (bios !== undefined) return romBoard(regions, videoRom, processors);
  if (firmwareBoard !== undefined) return firmwareBoard(regions, { drives: drives.firmware, boot }, processors);
  return pc ? kernelBoard(regions) : { cmos: memorySizes(regions) };
}

/** Loads what the plan says and goes to its first instruction. */
function enterPlan({ registers }: RunCommand, plan: BootPlan, vm: Vm, vcpu: Vcpu): void {
  for (const { base, bytes } of plan.pieces) vm.write(base, bytes);
  const regs = vcpu.getRegs(), sregs = vcpu.getSregs();
  enter(plan, regs, sregs);
  for (const [name, value] of registers) regs[name] = value;
  vcpu.setSregs(sregs);
  vcpu.setRegs(regs);
}

/** What the engine refuses ends the program with one line; an impossible wish is wrong usage. */
function refusable<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof BusConflictError) throw usageError(error.message);
    const refused = error instanceof MemoryConfigError ? error.cause : error;
    if (!(refused instanceof KvmError)) throw error;
    const text = `${refused.message} (${refused.code})`;
    throw refused !== error && refused.code !== "ENOMEM" ? usageError(text) : new CliError(EXIT.ENGINE, text);
  }
}
