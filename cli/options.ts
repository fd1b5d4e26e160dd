/**
 * The options of the program, and what they mean.
 * @module
 */

import { DEBUG_EXIT_PORT } from "../devices/debug_exit.ts";
import { CPU_MODELS, type EngineChoice, KVM_ALIAS_SLOTS, KVM_MAX_VCPUS, KVM_MEMORY_SLOTS, PAGE_SIZE } from "../mod.ts";
import type { GuestMode } from "../guests/image.ts";
import { KERNEL_FORMATS, type KernelFormat } from "../guests/kernel.ts";
import { pcMemory } from "../machine/memory_layout.ts";
import { boardCpuid } from "../machine/processor.ts";
import type { ClockKind } from "../machine/time.ts";
import { type Arguments, type OptionRow, parseArguments } from "./arguments.ts";
import { DEBUG_OPTIONS, type DebugOptions, parseDebugOptions } from "./debug_options.ts";
import { DRIVE_OPTIONS, type DriveOptions, parseDrives } from "./drive_options.ts";
import { usageError } from "./errors.ts";
import { NET_OPTIONS, type NetOptions, parseNet } from "./net_options.ts";
import { parseScreen, SCREEN_OPTIONS, type ScreenOptions } from "./screen_options.ts";
import { parseShares, SHARE_OPTIONS, type ShareOption } from "./share_options.ts";
import { parseBigint, parseKeys, parseNumber, parseSeconds } from "./values.ts";

/** The engines to choose from. */
export type BackendChoice = "soft" | "kvm" | "auto";

/** What an image is; `auto` finds out. */
export type ImageFormat = "auto" | KernelFormat | "boot" | "flat";

const IMAGE_FORMATS: readonly ImageFormat[] = ["auto", ...KERNEL_FORMATS, "boot", "flat"];

const DEFAULT_MEMORY = 16 * 2 ** 20, PC_MEMORY = 256 * 2 ** 20;
const MAX_ADDRESS = Number.MAX_SAFE_INTEGER;

const BACKEND: OptionRow = {
  name: "backend",
  value: "soft|kvm|auto",
  help:
    "the engine: soft (the default) needs no permission, kvm is /dev/kvm and needs --allow-ffi, auto takes kvm if it can",
};
const HELP: OptionRow = { name: "help", short: "h", help: "print this" };

/** The options of `kvm12 run`. */
export const RUN_OPTIONS: readonly OptionRow[] = [
  {
    name: "format",
    value: "auto|bzimage|multiboot2|multiboot|pvh|elf|boot|flat",
    help: "what IMAGE is; auto looks for the kernels in this order, and takes what is none for a boot sector",
  },
  { name: "append", value: "TEXT", help: "the command line of a kernel" },
  { name: "initrd", value: "FILE", help: "the initial ramdisk of a Linux kernel, or the first module of another one" },
  {
    name: "load",
    value: "ADDRESS",
    help: "IMAGE is a flat binary for this address; the default is 0x1000 in real mode, otherwise 0x100000",
  },
  { name: "entry", value: "ADDRESS", help: "where a flat binary begins, if not at its first byte" },
  { name: "mode", value: "real|protected|long", help: "the mode in which a flat binary begins; real" },
  { name: "reg", value: "NAME=VALUE", repeat: true, help: "a register at the beginning, rax to r15 or rflags" },
  ...DRIVE_OPTIONS,
  ...SHARE_OPTIONS,
  ...NET_OPTIONS,
  ...SCREEN_OPTIONS,
  {
    name: "bios",
    value: "FILE",
    help: "a PC that begins with this firmware, in place of IMAGE: SeaBIOS's bios.bin, for example",
  },
  {
    name: "video-bios",
    value: "FILE",
    help: "the video BIOS that --bios finds on the VGA: SeaBIOS's vgabios-stdvga.bin",
  },
  BACKEND,
  {
    name: "engine",
    value: "auto|interpreter|translator|both",
    help:
      "how the software engine runs the guest: auto translates what is hot, both runs interpreter and translator in lockstep and stops where they differ",
  },
  {
    name: "memory",
    short: "m",
    value: "SIZE",
    help:
      "memory from address 0 on, as slot 0; 16M unless a --region has address 0 or slot 0. For kernels and with --bios it is that of a PC, in slots 0 to 3, 256M unless told",
  },
  {
    name: "region",
    value: "gpa=N,size=N[,slot=N][,log-dirty][,file=PATH]",
    repeat: true,
    help: "more memory, with the contents of a file if there is one",
  },
  {
    name: "alias",
    value: "gpa=N,size=N,target=N[,slot=N]",
    repeat: true,
    help: "show the memory at target a second time, at gpa",
  },
  {
    name: "cpu",
    value: "MODEL[,+FEATURE][,-FEATURE]...",
    help: `the processor: ${
      CPU_MODELS.join(", ")
    }; features are added or removed by name, as in x86-64-v2,-sse4.2,+bmi2`,
  },
  {
    name: "smp",
    value: "N",
    help: `how many processors there are, 1 to ${KVM_MAX_VCPUS}, which take turns; 1. More are for the software engine`,
  },
  {
    name: "cpuid",
    value: "LEAF=EAX,EBX,ECX,EDX | FILE.json",
    repeat: true,
    help:
      'what CPUID answers, and nothing else but what --cpu says; a file holds a list of {"function", "eax", "ebx", "ecx", "edx"}',
  },
  { name: "serial", value: "stdio|file:PATH|null", help: "where COM1 leads; stdio, unless --virtio-console does" },
  {
    name: "virtio-console",
    value: "stdio|file:PATH|null",
    help: "a console on virtio, Linux's hvc0, and where it leads",
  },
  {
    name: "entropy",
    help: "a source of random bytes on virtio: the host's, but with --clock virtual always the same ones",
  },
  { name: "debugcon", value: "stdio|file:PATH|null", help: "where what is written to port 0xe9 goes; null" },
  {
    name: "debug-exit",
    value: "PORT",
    optional: true,
    help: `writing v to this port ends the program with (v<<1)|1; 0x${
      DEBUG_EXIT_PORT.toString(16)
    } unless another is given`,
  },
  {
    name: "clock",
    value: "real|virtual",
    help:
      "the guest's time: real (the default) is the host's, virtual is a nanosecond for each instruction, so that all runs are the same; for the software engine",
  },
  { name: "no-reboot", help: "end the program when the guest resets the machine" },
  { name: "timeout", value: "SECONDS", help: "end the program with 124 after so long" },
  ...DEBUG_OPTIONS,
  { name: "stats", help: "print times and counts at the end, on stderr" },
  HELP,
];

/** The options of `kvm12 info`. */
export const INFO_OPTIONS: readonly OptionRow[] = [BACKEND, HELP];

/** The options of `kvm12` itself. */
export const MAIN_OPTIONS: readonly OptionRow[] = [HELP, { name: "version", help: "print the version" }];

/** Memory to be made. */
export interface RegionOption {
  /** Its slot. */
  readonly slot: number;
  /** Guest-physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Whether writes are recorded. */
  readonly logDirty: boolean;
  /** A file with its contents. */
  readonly file?: string;
}

/** An alias to be made. */
export interface AliasOption {
  /** Its slot. */
  readonly slot: number;
  /** Guest-physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Guest-physical address of the memory shown. */
  readonly target: number;
}

/** A CPUID leaf. */
export interface CpuidLeaf {
  /** Which leaf. */
  readonly function: number;
  /** EAX. */
  readonly eax: number;
  /** EBX. */
  readonly ebx: number;
  /** ECX. */
  readonly ecx: number;
  /** EDX. */
  readonly edx: number;
}

/** Where COM1 leads. */
export type SerialOption = { readonly kind: "stdio" | "null" } | { readonly kind: "file"; readonly path: string };

/** `kvm12 run`, understood. */
export interface RunCommand {
  /** Path of the image; none: {@linkcode bios} or drives are given. */
  readonly image?: string;
  /** Path of the firmware; none: the image is loaded and entered without one. */
  readonly bios?: string;
  /** Path of the video BIOS. */
  readonly videoBios?: string;
  /** What the image is. */
  readonly format: ImageFormat;
  /** The command line of a kernel. */
  readonly commandLine?: string;
  /** Path of the initial ramdisk. */
  readonly initrd?: string;
  /** How a flat binary is entered. */
  readonly flat?: { readonly mode: GuestMode; readonly load?: number; readonly entry?: number };
  /** Registers at the beginning, by name. */
  readonly registers: ReadonlyMap<RegisterName, bigint>;
  /** The engine. */
  readonly backend: BackendChoice;
  /** How the software engine runs the guest, if that is said. */
  readonly engine?: EngineChoice;
  /** Memory, by slot. */
  readonly regions: readonly RegionOption[];
  /** The memory of a PC, by slot; none: the regions that were given leave no place for it. */
  readonly pcRegions?: readonly RegionOption[];
  /** Aliases, by slot. */
  readonly aliases: readonly AliasOption[];
  /** CPUID leaves and files of them, in the order of the command line. */
  readonly cpuid: readonly (CpuidLeaf | string)[];
  /** Drives, and what to boot from; without image and firmware, the built-in firmware does. */
  readonly drives: DriveOptions;
  /** Shared folders. */
  readonly shares: readonly ShareOption[];
  /** The network; none: there is none. */
  readonly net?: NetOptions;
  /** What is to be done with the screen. */
  readonly screen: ScreenOptions;
  /** Where COM1 leads. */
  readonly serial: SerialOption;
  /** Where the console on virtio leads; none: there is none. */
  readonly virtioConsole?: SerialOption;
  /** Whether there is a source of random bytes. */
  readonly entropy: boolean;
  /** Where the debug console leads. */
  readonly debugConsole: SerialOption;
  /** The port of debug-exit. */
  readonly debugExit?: number;
  /** How the guest's time goes by. */
  readonly clock: ClockKind;
  /** How many processors there are. */
  readonly processors: number;
  /** Whether the guest may reset the machine; else a reset ends the program. */
  readonly reboot: boolean;
  /** Seconds until the end. */
  readonly timeout?: number;
  /** gdb and traces. */
  readonly debug: DebugOptions;
  /** Whether times and counts are to be printed. */
  readonly stats: boolean;
}

const REGISTER_NAMES = [
  ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp"] as const,
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rflags"] as const,
] as const;

/** A register that `--reg` can set. */
export type RegisterName = typeof REGISTER_NAMES[number];

/**
 * Understands the arguments of `kvm12 run`.
 * @param args What follows `run`.
 * @returns The command, or `"help"`.
 * @throws CliError The call is wrong.
 */
export function parseRun(args: readonly string[]): RunCommand | "help" {
  const parsed = parseArguments(args, RUN_OPTIONS);
  if (parsed.values.has("help")) return "help";
  const one = (name: string): string | undefined => parsed.values.get(name)?.[0];
  const all = (name: string): readonly string[] => parsed.values.get(name) ?? [];
  const mode = choice("--mode", one("mode") ?? "real", ["real", "protected", "long"]);
  const address = (name: string): number | undefined => {
    const text = one(name);
    return text === undefined ? undefined : parseNumber(`--${name}`, text, { max: MAX_ADDRESS });
  };
  const isFlat = ["load", "entry", "mode"].some((name) => parsed.values.has(name));
  const format = choice("--format", one("format") ?? (isFlat ? "flat" : "auto"), IMAGE_FORMATS);
  if (isFlat && format !== "flat") {
    throw usageError(`Cannot use --load, --entry or --mode with --format ${format}: they are for flat binaries`);
  }
  for (const name of ["append", "initrd"]) {
    if (parsed.values.has(name) && (format === "flat" || format === "boot")) {
      throw usageError(`Cannot use --${name}: it is for kernels`);
    }
  }
  const debugExit = one("debug-exit");
  const timeout = one("timeout");
  const bios = one("bios");
  const pcRegions = isPcMemory(one("memory"), all("region"))
    ? parseRegions(one("memory"), all("region"), true)
    : undefined;
  if (bios !== undefined && isGuestGiven(parsed)) {
    throw usageError("Cannot use --bios with an IMAGE or its options: the firmware is what is entered");
  }
  if (bios === undefined && parsed.values.has("video-bios")) {
    throw usageError("Cannot use --video-bios without --bios: nobody would call it");
  }
  if (bios !== undefined && pcRegions === undefined) {
    throw usageError("Cannot use --bios with these --region: they leave no place for the memory of a PC");
  }
  const drives = parseDrives(parsed);
  const command: Omit<RunCommand, "image"> = {
    drives,
    shares: parseShares(parsed),
    net: parseNet(parsed),
    screen: parseScreen(parsed),
    bios,
    videoBios: one("video-bios"),
    format,
    commandLine: one("append"),
    initrd: one("initrd"),
    flat: isFlat ? { mode, load: address("load"), entry: address("entry") } : undefined,
    registers: new Map(all("reg").map(parseRegister)),
    backend: parseBackend(parsed),
    engine: parseEngine(parsed),
    regions: parseRegions(one("memory"), all("region"), false),
    pcRegions,
    aliases: parseAliases(all("alias")),
    cpuid: [...parseCpu(one("cpu"), parseBackend(parsed) === "soft"), ...all("cpuid").map(parseCpuid)],
    ...parseConsoles(one("serial"), one("virtio-console")),
    entropy: parsed.values.has("entropy"),
    debugConsole: parseSerial("--debugcon", one("debugcon") ?? "null"),
    debugExit: debugExit === undefined
      ? undefined
      : debugExit === ""
      ? DEBUG_EXIT_PORT
      : parseNumber("--debug-exit", debugExit, { max: 0xfffc }),
    clock: parseClock(parsed),
    processors: parseProcessors(parsed),
    reboot: !parsed.values.has("no-reboot"),
    timeout: timeout === undefined ? undefined : parseSeconds("--timeout", timeout),
    debug: parseDebugOptions(parsed),
    stats: parsed.values.has("stats"),
  };
  if (bios !== undefined) return command;
  if (drives.drives.length > 0 && !isGuestGiven(parsed)) {
    if (pcRegions !== undefined) return command;
    throw usageError("Cannot boot from drives with these --region: they leave no place for the memory of a PC");
  }
  if (parsed.positional.length !== 1) {
    throw usageError(
      parsed.positional.length === 0
        ? "Cannot run: no IMAGE is given, no drive, and no --bios; see --help"
        : `Cannot run: one IMAGE is wanted, and these are ${parsed.positional.length}: ${parsed.positional.join(", ")}`,
    );
  }
  return { image: parsed.positional[0], ...command };
}

/**
 * Understands the arguments of `kvm12 info`.
 * @param args What follows `info`.
 * @returns The engine to ask, or `"help"`.
 * @throws CliError The call is wrong.
 */
export function parseInfo(args: readonly string[]): { readonly backend: BackendChoice } | "help" {
  const parsed = parseArguments(args, INFO_OPTIONS);
  if (parsed.values.has("help")) return "help";
  if (parsed.positional.length > 0) throw usageError(`Cannot use '${parsed.positional[0]}': info takes no file`);
  return { backend: parseBackend(parsed) };
}

function choice<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw usageError(`Cannot use '${value}' for ${option}: it must be ${allowed.join(" or ")}`);
  return found;
}

function parseBackend({ values }: Arguments): BackendChoice {
  return choice("--backend", values.get("backend")?.[0] ?? "soft", ["soft", "kvm", "auto"]);
}

function parseEngine(parsed: Arguments): EngineChoice | undefined {
  const text = parsed.values.get("engine")?.[0];
  if (text === undefined) return undefined;
  const engine = choice("--engine", text, ["auto", "interpreter", "translator", "both"]);
  if (parseBackend(parsed) === "kvm") {
    throw usageError("Cannot use --engine with --backend kvm: it is for the software engine");
  }
  return engine;
}

/** Virtual time wants instructions that are counted; interpreter and translator in lockstep want time that is counted. */
function parseClock(parsed: Arguments): ClockKind {
  const backend = parseBackend(parsed), engine = parseEngine(parsed);
  const text = parsed.values.get("clock")?.[0];
  if (text === undefined) return engine === "both" ? "virtual" : "real";
  const clock = choice("--clock", text, ["real", "virtual"]);
  if (clock === "virtual" && backend === "kvm") {
    throw usageError("Cannot use --clock virtual with --backend kvm: it is for the software engine");
  }
  if (clock === "real" && engine === "both") {
    throw usageError("Cannot use --clock real with --engine both: both must see the same time");
  }
  return clock;
}

/** QEMU's form `cpus=N` is understood, too. */
function parseProcessors(parsed: Arguments): number {
  const text = parsed.values.get("smp")?.[0] ?? "1";
  const count = parseNumber("--smp", text.replace(/^cpus=/, ""), { min: 1, max: KVM_MAX_VCPUS });
  if (count > 1 && parseBackend(parsed) === "kvm") {
    throw usageError("Cannot use --smp with --backend kvm: several processors are for the software engine");
  }
  if (count > 1 && parseEngine(parsed) === "both") {
    throw usageError("Cannot use --smp with --engine both: interpreter and translator are compared for one processor");
  }
  return count;
}

function parseRegister(text: string): [RegisterName, bigint] {
  const at = text.indexOf("=");
  if (at < 0) throw usageError(`Cannot use '${text}' for --reg: it must be NAME=VALUE`);
  const name = choice("--reg", text.slice(0, at).toLowerCase(), REGISTER_NAMES);
  return [name, parseBigint(`--reg ${name}`, text.slice(at + 1), { max: (1n << 64n) - 1n })];
}

/** Whether an image, or how one is loaded or entered, is given. */
function isGuestGiven({ positional, values }: Arguments): boolean {
  return positional.length > 0 ||
    ["format", "append", "initrd", "load", "entry", "mode", "reg"].some((name) => values.has(name));
}

/** Whether the memory of a PC can be had with these regions: none of them takes its place or its slots. */
function isPcMemory(memory: string | undefined, texts: readonly string[]): boolean {
  const pc = pcMemory(memorySize(memory, PC_MEMORY));
  return !parseGivenRegions(texts).some((one) =>
    pc.some((each) => each.slot === one.slot || one.base < each.base + each.size && each.base < one.base + one.size)
  );
}

function memorySize(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : parsePages("--memory", text, 1);
}

function parseGivenRegions(texts: readonly string[]): (Omit<RegionOption, "slot"> & { slot: number | undefined })[] {
  const slotRange = { max: KVM_MEMORY_SLOTS - 1 };
  return texts.map((text) => {
    const keys = parseKeys("--region", text, {
      keys: ["gpa", "size", "slot", "file"],
      flags: ["log-dirty"],
      required: ["gpa", "size"],
    });
    return {
      slot: keys.has("slot") ? parseNumber("a region's slot", keys.get("slot")!, slotRange) : undefined,
      base: parsePages("a region's gpa", keys.get("gpa")!, 0),
      size: parsePages("a region's size", keys.get("size")!, 1),
      logDirty: keys.has("log-dirty"),
      file: keys.get("file"),
    };
  });
}

/** The memory, of a PC or simply from address 0 on. */
function parseRegions(
  memory: string | undefined,
  texts: readonly string[],
  pc: boolean,
): RegionOption[] {
  const given = parseGivenRegions(texts);
  const wantsDefault = pc || memory !== undefined || !given.some(({ base, slot }) => base === 0 || slot === 0);
  const size = memorySize(memory, pc ? PC_MEMORY : DEFAULT_MEMORY);
  const whole = pc ? pcMemory(size) : [{ slot: 0, base: 0, size }];
  const main = wantsDefault ? whole.map((each) => ({ ...each, logDirty: false })) : [];
  const regions = assignSlots<RegionOption>("--region", [...main, ...given], KVM_MEMORY_SLOTS);
  for (const [index, one] of regions.entries()) {
    const other = regions.find((each, n) =>
      n < index && one.base < each.base + each.size && each.base < one.base + one.size
    );
    if (other !== undefined) throw usageError(`Cannot use --region: ${describe(one)} overlaps ${describe(other)}`);
  }
  return regions;
}

function parseAliases(texts: readonly string[]): AliasOption[] {
  const lists = texts.map((text) =>
    parseKeys("--alias", text, { keys: ["gpa", "size", "target", "slot"], required: ["gpa", "size", "target"] })
  );
  const given = lists.map((keys) => ({
    slot: keys.has("slot")
      ? parseNumber("an alias's slot", keys.get("slot")!, { max: KVM_ALIAS_SLOTS - 1 })
      : undefined,
    base: parsePages("an alias's gpa", keys.get("gpa")!, 0),
    size: parsePages("an alias's size", keys.get("size")!, 1),
    target: parsePages("an alias's target", keys.get("target")!, 0),
  }));
  return assignSlots<AliasOption>("--alias", given, KVM_ALIAS_SLOTS);
}

/** A multiple of the page size, at least `min` pages. */
function parsePages(what: string, text: string, min: number): number {
  const value = parseNumber(what, text, { min: min * PAGE_SIZE, max: MAX_ADDRESS });
  if (value % PAGE_SIZE !== 0) {
    throw usageError(`Cannot use '${text}' as ${what}: it is not a multiple of ${PAGE_SIZE}`);
  }
  return value;
}

/** Gives those without a slot the lowest free ones. */
function assignSlots<T extends { readonly slot: number }>(
  option: string,
  given: readonly (Omit<T, "slot"> & { readonly slot: number | undefined })[],
  count: number,
): T[] {
  const taken = new Set<number>();
  for (const { slot } of given) {
    if (slot === undefined) continue;
    if (taken.has(slot)) throw usageError(`Cannot use ${option}: slot ${slot} is given twice`);
    taken.add(slot);
  }
  return given.map((each) => {
    let slot = each.slot;
    if (slot === undefined) {
      slot = 0;
      while (taken.has(slot)) slot++;
      if (slot >= count) throw usageError(`Cannot use ${option}: there are only ${count} slots`);
      taken.add(slot);
    }
    return { ...each, slot } as T;
  }).sort((a, b) => a.slot - b.slot);
}

function describe({ slot, base, size }: RegionOption): string {
  return `slot ${slot} (0x${base.toString(16)} to 0x${(base + size - 1).toString(16)})`;
}

/** The leaves of a processor model, none if none is named. Only the software engine's clocks are known. */
function parseCpu(text: string | undefined, clocks: boolean): readonly CpuidLeaf[] {
  if (text === undefined) return [];
  try {
    return boardCpuid(text, { clocks });
  } catch (error) {
    if (error instanceof RangeError) throw usageError(`${error.message} (--cpu)`);
    throw error;
  }
}

function parseCpuid(text: string): CpuidLeaf | string {
  const match = /^((?:0x)?[0-9a-f]+)=(.*)$/i.exec(text);
  if (match === null) {
    if (text.endsWith(".json")) return text;
    throw usageError(`Cannot use '${text}' for --cpuid: it must be LEAF=EAX,EBX,ECX,EDX or a FILE.json`);
  }
  const values = match[2].split(",");
  if (values.length !== 4) {
    throw usageError(
      `Cannot use '${text}' for --cpuid: behind the leaf come EAX, EBX, ECX and EDX, ${values.length} are given`,
    );
  }
  const [leaf, eax, ebx, ecx, edx] = [match[1], ...values].map((each) =>
    parseNumber("a number of --cpuid", each, { max: 0xffffffff })
  );
  return { function: leaf, eax, ebx, ecx, edx };
}

/** COM1 and the console on virtio: only one of them can have the terminal. */
function parseConsoles(
  serial: string | undefined,
  virtio: string | undefined,
): Pick<RunCommand, "serial" | "virtioConsole"> {
  const virtioConsole = virtio === undefined ? undefined : parseSerial("--virtio-console", virtio);
  const taken = virtioConsole?.kind === "stdio";
  if (taken && serial === "stdio") throw usageError("Cannot use stdio for --serial and --virtio-console");
  return { serial: parseSerial("--serial", serial ?? (taken ? "null" : "stdio")), virtioConsole };
}

function parseSerial(option: string, text: string): SerialOption {
  if (text === "stdio" || text === "null") return { kind: text };
  if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
  throw usageError(`Cannot use '${text}' for ${option}: it must be stdio, file:PATH or null`);
}
