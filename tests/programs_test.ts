/**
 * Programs of some size, compiled by gcc: on the software engine and on the real device they say what they say as programs of a host.
 * Where that very compiler is installed, images and texts are made anew and compared.
 *
 * Each guest runs on one of the executors, so that each program meets all of them; on all three with
 * `deno test tests/programs_test.ts -- --all`.
 * @module
 */

import { assertEquals } from "@std/assert";
import { enter } from "../guests/entry_state.ts";
import { planFlat } from "../guests/image.ts";
import { type EngineChoice, KVM_EXIT_IO, KVM_EXIT_IO_OUT, openKvm } from "../mod.ts";
import { BACKENDS } from "./cli_support.ts";
import { COMPILER, compilerVersion, ProgramBuilder, TOOLS } from "./programs/build.ts";
import {
  PROGRAM_BUILDS,
  PROGRAM_GUESTS,
  type ProgramGuest,
  programImageUrl,
  PROGRAMS,
  programTextUrl,
} from "./programs/list.ts";

const MEMORY = 0x40_0000;
const TEXT_PORT = 0xe9;
const END_PORT = 0xf4;
/** For a guest that does not come to its end: in milliseconds, and in instructions between two lines on the software engine. */
const PATIENCE = 30_000, MAX_INSTRUCTIONS = 50_000_000;

/** Runs a guest to its end and gives what it says. */
async function run(backend: "soft" | "kvm", guest: ProgramGuest, engine?: EngineChoice): Promise<string> {
  using kvm = openKvm({ backend, engine });
  const { mode, load } = guest.build;
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: MEMORY });
  const plan = planFlat(Deno.readFileSync(programImageUrl(guest)), [{ base: 0, size: MEMORY }], { mode, load });
  for (const { base, bytes } of plan.pieces) vm.write(base, bytes);
  using vcpu = vm.createVcpu(0);
  const regs = vcpu.getRegs(), sregs = vcpu.getSregs();
  enter(plan, regs, sregs);
  vcpu.setSregs(sregs);
  vcpu.setRegs(regs);
  const said: number[] = [];
  const failed = (why: string) => new Error(`the guest ends with ${why} behind\n${textOf(said)}`);
  while (true) {
    const exit = backend === "soft"
      ? vcpu.run({ maxInstructions: MAX_INSTRUCTIONS })
      : await vcpu.runAsync({ signal: AbortSignal.timeout(PATIENCE) });
    if (exit.reason !== KVM_EXIT_IO || exit.direction !== KVM_EXIT_IO_OUT) throw failed(`exit ${exit.reason}`);
    if (exit.port === END_PORT) return textOf(said);
    if (exit.port !== TEXT_PORT) throw failed(`port ${exit.port}`);
    said.push(...exit.data);
  }
}

function textOf(bytes: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

function expected(guest: ProgramGuest): string {
  return Deno.readTextFileSync(programTextUrl(guest));
}

/** What a test's name says of what is missing. */
function suffix(lacks: string | undefined): string {
  return lacks === undefined ? "" : ` (lacks: ${lacks})`;
}

/** Who has its turn: translating all takes longest. */
const TURNS: readonly EngineChoice[] = ["translator", "interpreter", "auto", "interpreter", "auto"];

/** The executors on which a guest runs. */
function executors({ program, build }: ProgramGuest): readonly EngineChoice[] {
  if (Deno.args.includes("--all")) return ["interpreter", "translator", "auto"];
  return [TURNS[(PROGRAMS.indexOf(program) + PROGRAM_BUILDS.indexOf(build)) % TURNS.length]];
}

for (const guest of PROGRAM_GUESTS) {
  for (const engine of executors(guest)) {
    Deno.test(`${guest.name}.bin says what it says on a host processor [soft, ${engine}]`, async () => {
      assertEquals(await run("soft", guest, engine), expected(guest));
    });
  }
}

/** What runs a program: nothing if it cannot be run. */
async function output(command: string, args: readonly string[]): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return undefined;
  try {
    const { success, stdout } = await new Deno.Command(command, { args: [...args], stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

/** The features of the host's processor, by Linux's names. */
const features: readonly string[] = (await output("grep", ["-m1", "^flags", "/proc/cpuinfo"]))?.trim().split(/\s+/) ??
  [];

/** What the host's processor lacks for a build. */
function processorLacks({ build }: ProgramGuest): string | undefined {
  const lacks = build.features.filter((each) => !features.includes(each));
  return lacks.length === 0 ? undefined : `a processor known to have ${lacks.join(", ")}`;
}

const device = BACKENDS.find(({ name }) => name === "kvm");

/** Whether the device comes to ring 3 from protected mode without paging. */
async function runsProtectedMode(): Promise<boolean> {
  const probe = PROGRAM_GUESTS.find(({ name }) => name === "containers-32-387");
  if (device === undefined || device.missing !== undefined || probe === undefined) return false;
  return await run("kvm", probe).then(() => true, () => false);
}

const wholeDevice = await runsProtectedMode();
/** Real mode on a device that runs it through an emulator: the one that is quick enough. */
const EMULATED = "script-16";

/** Why a guest does not run on the device. */
function deviceLacks(guest: ProgramGuest): string | undefined {
  if (device === undefined || device.missing !== undefined) return device?.missing ?? "/dev/kvm";
  if (!wholeDevice && guest.build.mode !== "long" && guest.name !== EMULATED) {
    return "a /dev/kvm that runs modes without paging on the processor";
  }
  return processorLacks(guest);
}

for (const guest of PROGRAM_GUESTS) {
  const lacks = deviceLacks(guest);
  Deno.test({
    name: `${guest.name}.bin says what it says on a host processor [kvm]${suffix(lacks)}`,
    ignore: lacks !== undefined,
    async fn() {
      assertEquals(await run("kvm", guest), expected(guest));
    },
  });
}

/** What is missing to build here. */
async function missingForBuild(): Promise<string | undefined> {
  for (const tool of TOOLS) {
    if (await output(tool, [tool === "nasm" ? "-v" : "--version"]) === undefined) return tool;
  }
  const version = await compilerVersion();
  return version === COMPILER ? undefined : `${COMPILER}; this is ${version}`;
}

const missing = await missingForBuild();

Deno.test({
  name: `ProgramBuilder makes the kept images, and programs of the host with the kept texts${suffix(missing)}`,
  ignore: missing !== undefined,
  async fn() {
    await using builder = new ProgramBuilder();
    const queue = [...PROGRAM_GUESTS];
    await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, async () => {
      for (let guest = queue.pop(); guest !== undefined; guest = queue.pop()) {
        assertEquals(await builder.image(guest), Deno.readFileSync(programImageUrl(guest)), guest.name);
        if (processorLacks(guest) !== undefined) continue;
        assertEquals(await builder.text(guest), expected(guest), guest.name);
      }
    }));
  },
});
