import { cpuModel } from "../mod.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { pcMemory } from "../machine/memory_layout.ts";
import { CliError, EXIT } from "./errors.ts";
import { parseInfo, parseRun, type RunCommand } from "./options.ts";

function run(...args: string[]): RunCommand {
  const parsed = parseRun([...args, "image"]);
  if (parsed === "help") throw new Error("help was not asked for");
  return parsed;
}

function refuse(args: string[], message: string): void {
  const error = assertThrows(() => parseRun([...args, "image"]), CliError, message);
  assertEquals(error.exitCode, EXIT.USAGE);
  assertEquals(error.message.includes("\n"), false);
}

Deno.test("parseRun() has the documented defaults", () => {
  assertEquals(run(), {
    image: "image",
    format: "auto",
    commandLine: undefined,
    flat: undefined,
    registers: new Map(),
    backend: "soft",
    clock: "real",
    processors: 1,
    reboot: true,
    initrd: undefined,
    pcRegions: pcMemory(256 * 2 ** 20).map((each) => ({ ...each, logDirty: false })),
    engine: undefined,
    regions: [{ slot: 0, base: 0, size: 16 * 2 ** 20, logDirty: false }],
    aliases: [],
    cpuid: [],
    bios: undefined,
    videoBios: undefined,
    debugConsole: { kind: "null" },
    drives: { drives: [], boot: undefined },
    shares: [],
    net: undefined,
    entropy: false,
    virtioConsole: undefined,
    screen: { untilText: undefined, screenshot: undefined, screenText: undefined },
    serial: { kind: "stdio" },
    debugExit: undefined,
    timeout: undefined,
    debug: { gdb: undefined, trace: undefined },
    stats: false,
  });
});

Deno.test("parseRun() wants one image", () => {
  assertThrows(() => parseRun([]), CliError, "no IMAGE is given");
  assertThrows(() => parseRun(["a", "b"]), CliError, "these are 2: a, b");
});

Deno.test("parseRun() takes --load, --entry or --mode for a flat binary", () => {
  assertEquals(run("--load", "0x1000").flat, { mode: "real", load: 0x1000, entry: undefined });
  assertEquals(run("--mode=long", "--entry", "1M").flat, { mode: "long", load: undefined, entry: 0x100000 });
  assertEquals([run("--load", "0x1000").format, run("--format", "flat").format], ["flat", "flat"]);
  refuse(["--mode", "unreal"], "it must be real or protected or long");
  refuse(["--load", "here"], "Cannot use 'here' as --load");
});

Deno.test("parseRun() takes --format and --append", () => {
  assertEquals(run("--format", "multiboot", "--append", "quick now").commandLine, "quick now");
  assertEquals(run("--format=boot").format, "boot");
  refuse(["--format", "coff"], "it must be auto or bzimage or multiboot2 or multiboot or pvh or elf or boot or flat");
  refuse(["--format", "boot", "--load", "1M"], "with --format boot: they are for flat binaries");
  refuse(["--format", "flat", "--append", "x"], "Cannot use --append: it is for kernels");
  refuse(["--load", "1M", "--initrd", "x"], "Cannot use --initrd: it is for kernels");
});

Deno.test("parseRun() gives regions without a slot the free ones", () => {
  const { regions } = run("--region", "gpa=1G,size=4K", "--region", "gpa=2G,size=8K,slot=1,log-dirty,file=x");
  assertEquals(regions.map(({ slot, base, size, logDirty, file }) => [slot, base, size, logDirty, file]), [
    [0, 0, 16 * 2 ** 20, false, undefined],
    [1, 2 ** 31, 8192, true, "x"],
    [2, 2 ** 30, 4096, false, undefined],
  ]);
  assertEquals(run("--region", "gpa=0,size=4K").regions.length, 1, "it replaces the default memory");
  assertEquals(run("--region", "gpa=4K,size=4K,slot=0").regions.length, 1, "as slot 0 does");
});

Deno.test("parseRun() says what the memory of a PC would be, unless the regions leave no place for it", () => {
  const slots = (...args: string[]): unknown => run(...args).pcRegions?.map(({ slot, base }) => [slot, base]);
  const low = [[0, 0], [1, 0xc0000], [2, 0x100000]];
  assertEquals(slots("-m", "2M"), low);
  assertEquals(slots("--region", "gpa=1G,size=4K"), [...low, [3, 2 ** 30]]);
  for (const region of ["gpa=0,size=4K", "gpa=1G,size=4K,slot=2", "gpa=128M,size=4K"]) {
    assertEquals(slots("--region", region), undefined);
  }
  const parsed = parseRun(["--bios", "file", "-m", "5G"]);
  assertEquals(parsed !== "help" && [parsed.bios, parsed.image, parsed.pcRegions?.length], ["file", undefined, 4]);
  refuse(["--bios", "file"], "Cannot use --bios with an IMAGE");
  refuse(["--video-bios", "file"], "Cannot use --video-bios without --bios");
  assertThrows(() => parseRun(["--bios", "file", "--region", "gpa=0,size=4K"]), CliError, "leave no place");
});

Deno.test("parseRun() takes --clock as far as instructions are counted", () => {
  assertEquals([run().clock, run("--clock", "virtual").clock, run("--engine", "both").clock], [
    "real",
    "virtual",
    "virtual",
  ]);
  assertEquals([run().reboot, run("--no-reboot").reboot], [true, false]);
  refuse(["--clock", "virtual", "--backend", "kvm"], "it is for the software engine");
  refuse(["--clock", "real", "--engine", "both"], "both must see the same time");
  refuse(["--clock", "sun"], "it must be real or virtual");
});

Deno.test("parseRun() refuses impossible memory", () => {
  refuse(["-m", "0"], "it must be 0x1000 to");
  refuse(["-m", "5000"], "it is not a multiple of 4096");
  refuse(["-m", "lots"], "it must be a number");
  refuse(
    ["-m", "16M", "--region", "gpa=15M,size=2M"],
    "slot 1 (0xf00000 to 0x10fffff) overlaps slot 0 (0x0 to 0xffffff)",
  );
  refuse(["--region", "gpa=15M,size=2M"], "overlaps slot 0");
  refuse(["--region", "gpa=1G,size=4K,slot=3", "--region", "gpa=2G,size=4K,slot=3"], "slot 3 is given twice");
  refuse(["--region", "gpa=1G,size=4K,slot=32"], "it must be 0x0 to 0x1f");
  refuse(["--region", "gpa=1G"], "'size' is missing");
  refuse(["--region", "gpa=100,size=4K"], "it is not a multiple of 4096");
  refuse(["-m1M", "--region", "gpa=1G,size=4K,slot=0"], "slot 0 is given twice");
  refuse(Array.from({ length: 32 }, (_, n) => `--region=gpa=${n + 1}G,size=4K`), "there are only 32 slots");
});

Deno.test("parseRun() takes aliases", () => {
  assertEquals(run("--alias", "gpa=0x20000,size=4K,target=0x8000").aliases, [
    { slot: 0, base: 0x20000, size: 4096, target: 0x8000 },
  ]);
  refuse(["--alias", "gpa=0x20000,size=4K"], "'target' is missing");
  refuse(["--alias", "gpa=0x20000,size=4K,target=1"], "an alias's target: it is not a multiple of 4096");
  refuse(Array.from({ length: 9 }, () => "--alias=gpa=0,size=4K,target=0"), "there are only 8 slots");
});

Deno.test("parseRun() takes CPUID leaves and files", () => {
  assertEquals(run("--cpuid", "0x1=1,2,0xffffffff,4", "--cpuid", "a.json").cpuid, [
    { function: 1, eax: 1, ebx: 2, ecx: 0xffffffff, edx: 4 },
    "a.json",
  ]);
  assertEquals(run("--cpu", "486", "--cpuid", "1=1,2,3,4").cpuid.length, cpuModel("486").length + 1);
  refuse(["--cpu", "z80"], "Cannot choose the processor z80");
  refuse(["--cpu", "max,+warp"], "Cannot read the processor feature +warp");
  refuse(["--cpuid", "1=1,2,3"], "EAX, EBX, ECX and EDX, 3 are given");
  refuse(["--cpuid", "1=1,2,3,0x100000000"], "it must be 0x0 to 0xffffffff");
  refuse(["--cpuid", "leaf"], "it must be LEAF=EAX,EBX,ECX,EDX or a FILE.json");
});

Deno.test("parseRun() takes registers", () => {
  assertEquals(
    [...run("--reg", "rax=2", "--reg", "R15=0xffffffffffffffff").registers],
    [["rax", 2n], ["r15", (1n << 64n) - 1n]],
  );
  refuse(["--reg", "eax=1"], "it must be rax or rbx");
  refuse(["--reg", "rax"], "it must be NAME=VALUE");
  refuse(["--reg", "rax=0x10000000000000000"], "--reg rax: it must be 0x0 to 0xffffffffffffffff");
});

Deno.test("parseRun() takes the ends of COM1", () => {
  assertEquals(run("--serial", "null").serial, { kind: "null" });
  assertEquals(run("--serial=file:a:b").serial, { kind: "file", path: "a:b" });
  refuse(["--serial", "file:"], "it must be stdio, file:PATH or null");
  refuse(["--serial", "tty"], "it must be stdio, file:PATH or null");
});

Deno.test("parseRun() takes --debug-exit with and without a port", () => {
  assertEquals(run("--debug-exit").debugExit, 0x501);
  assertEquals(run("--debug-exit", "0xf4").debugExit, 0xf4);
  refuse(["--debug-exit", "0xfffd"], "it must be 0x0 to 0xfffc");
});

Deno.test("parseRun() takes the rest", () => {
  const { backend, timeout, debug, stats } = run("--backend=kvm", "--timeout", "1.5", "--trace", "exits", "--stats");
  assertEquals([backend, timeout, [...debug.trace!.kinds], stats], ["kvm", 1.5, ["exits"], true]);
  refuse(["--backend", "qemu"], "it must be soft or kvm or auto");
  assertEquals([run("--engine", "both").engine, run("--engine=auto", "--backend=auto").engine], ["both", "auto"]);
  refuse(["--engine", "fast"], "it must be auto or interpreter or translator or both");
  refuse(["--engine", "translator", "--backend", "kvm"], "it is for the software engine");
  refuse(["--timeout", "0"], "it must be seconds above 0");
  refuse(["--trace", "everything"], "it must be exits");
  refuse(["--verbose"], "there is no such option");
});

Deno.test("parseRun() and parseInfo() give help a chance before all else", () => {
  assertEquals(parseRun(["--help"]), "help");
  assertEquals(parseInfo(["-h"]), "help");
  assertEquals(parseInfo(["--backend", "auto"]), { backend: "auto" });
  assertThrows(() => parseInfo(["image"]), CliError, "info takes no file");
});

Deno.test("parseRun() takes --smp as QEMU does, for the software engine", () => {
  assertEquals([run("-smp", "4").processors, run("--smp", "cpus=16").processors], [4, 16]);
  for (const args of [["--smp", "0"], ["--smp", "17"], ["--smp", "x"]]) refuse(args, "--smp");
  refuse(["--smp", "2", "--backend", "kvm"], "Cannot use --smp with --backend kvm");
  refuse(["--smp", "2", "--engine", "both"], "Cannot use --smp with --engine both");
});
