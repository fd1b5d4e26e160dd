/**
 * The guests of `tests/machine` on the bare board: timers, serial interrupts and resets, in real and in virtual time. Where NASM
 * is installed, each image is compared with its source.
 * @module
 */

import { assertEquals, assertNotEquals } from "@std/assert";
import { cpuUsage } from "node:process";
import { boot } from "../machine/boot.ts";
import { KvmRegs } from "../mod.ts";
import { cli, type CliResult, code, testOnBackends } from "./cli_support.ts";

const FOLDER = new URL("./machine/", import.meta.url);
const NAMES = ["timers", "echo", "reset", "idle", "keys", "smp"];
/** What a guest gives debug-exit when no check has failed. */
const SUCCESS = 1;

function path(file: string): string {
  return decodeURIComponent(new URL(file, FOLDER).pathname);
}

function run(name: string, options: readonly string[], stdin?: string): Promise<CliResult> {
  return cli(["run", "--load", "0x8000", "--debug-exit", "--timeout", "20", ...options, path(`${name}.bin`)], stdin);
}

testOnBackends("timers.bin: interrupts of 8254 and clock come, in order, in loops and in HLT", async (backend) => {
  const { code, stdout, stderr } = await run("timers", ["--backend", backend]);
  assertEquals([stdout.match(/FAIL.*/), stderr, code], [null, "", SUCCESS]);
});

testOnBackends("echo.bin: COM1 echoes by interrupts", async (backend) => {
  for (const text of ["What comes in goes out again, ".repeat(7) + "Q", "twoQ"]) {
    assertEquals(await run("echo", ["--backend", backend], text), { code: SUCCESS, stdout: text, stderr: "" });
  }
});

testOnBackends("reset.bin: each way to reset starts the machine anew", async (backend) => {
  const { code, stdout, stderr } = await run("reset", ["--backend", backend]);
  assertEquals([stdout.slice(0, 3), stdout.match(/FAIL.*/), stderr, code], ["012", null, "", SUCCESS]);
});

testOnBackends("reset.bin: with --no-reboot the first reset ends the program", async (backend) => {
  assertEquals(await run("reset", ["--backend", backend, "--no-reboot"]), { code: 0, stdout: "0", stderr: "" });
});

testOnBackends("run: HLT that nothing can wake is the end", async (backend) => {
  const folder = await Deno.makeTempDir();
  try {
    const image = `${folder}/image`;
    await Deno.writeFile(image, code([["sti", "fb"], ["hlt", "f4"]]));
    const { code: exit, stderr } = await cli([
      "run",
      "--backend",
      backend,
      "--load",
      "0x8000",
      "--timeout",
      "5",
      image,
    ]);
    assertEquals([exit, stderr], [0, ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("run --clock virtual: the same run to the instruction, on interpreter and translator", async () => {
  const outputs: string[] = [];
  for (const engine of ["interpreter", "translator", "auto", "auto"]) {
    const { code, stdout, stderr } = await run("timers", ["--clock", "virtual", "--stats", "--engine", engine]);
    assertEquals(code, SUCCESS);
    outputs.push(stdout + stderr.replace(/time:.*/, ""));
  }
  assertEquals(outputs, outputs.map(() => outputs[0]));
  assertNotEquals(outputs[0].match(/^000[0-9A-F]{5} /), null);
});

Deno.test("run --clock virtual: HLT takes no time; run --clock real: it takes the time and no host CPU", async () => {
  for (const clock of ["virtual", "real"]) {
    const start = performance.now(), cpu = cpuUsage();
    const { code, stderr } = await run("idle", ["--clock", clock]);
    const took = performance.now() - start, { user, system } = cpuUsage(cpu);
    assertEquals([code, stderr], [SUCCESS, ""]);
    // Ten periods of 54.9 ms.
    assertEquals(clock === "virtual" ? took < 400 : took > 540, true, `${clock}: ${took} ms`);
    if (clock === "real") assertEquals(user + system < 500 * took, true, `${user} + ${system} µs in ${took} ms`);
  }
});

Deno.test("smp.bin: processors start, count together, and interrupt each other", async () => {
  for (const count of [1, 2, 4, 8]) {
    const { code, stdout, stderr } = await run("smp", ["--smp", `${count}`]);
    assertEquals([stdout.match(/FAIL.*/), stderr, code], [null, "", SUCCESS]);
    const numbers = stdout.trim().split(" ").map((text) => parseInt(text, 16));
    assertEquals(numbers, [count, 20_000 * count, 20_000 * count, 4 * count + 1, 2 * count - 1]);
  }
});

Deno.test("run --smp 4 --clock virtual: the same run to the instruction, on interpreter and translator", async () => {
  const image = await Deno.readFile(path("smp.bin"));
  const runs: unknown[] = [];
  for (const engine of ["interpreter", "translator", "auto", "auto"] as const) {
    await using vm = boot({
      engine,
      clock: "virtual",
      processors: 4,
      regions: [{ slot: 0, base: 0, size: 0x10000 }],
      board: { cmos: { memory: 0x10000 }, debugExit: 0x501 },
      start(vm, vcpu) {
        vm.write(0x8000, image);
        const sregs = vcpu.getSregs();
        Object.assign(sregs.cs, { selector: 0, base: 0n });
        vcpu.setSregs(sregs);
        vcpu.setRegs(new KvmRegs({ rip: 0x8000, rflags: 2 }));
      },
    });
    assertEquals(await vm.exitCode(), SUCCESS);
    const { machine, serial } = vm;
    const { exits } = await vm.ended;
    runs.push([serial.text, exits, machine.time.clock.now(), machine.vcpus.map(({ instructions }) => instructions)]);
  }
  assertEquals(runs, runs.map(() => runs[0]));
});

/** Assembles a source; its include is beside it. */
async function assemble(name: string): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    const args = ["-f", "bin", "-w+error", "-i", path(""), "-o", `${folder}/image`, path(`${name}.asm`)];
    const { success, stderr } = await new Deno.Command("nasm", { args, stderr: "piped" }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return await Deno.readFile(`${folder}/image`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is missing to assemble the sources here. */
async function missingForNasm(): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command: "nasm" }).state !== "granted") return "--allow-run";
  try {
    await new Deno.Command("nasm", { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return undefined;
  } catch {
    return "NASM";
  }
}

const missing = await missingForNasm();

for (const name of NAMES) {
  Deno.test({
    name: `${name}.bin is what its source says${missing === undefined ? "" : ` (lacks: ${missing})`}`,
    ignore: missing !== undefined,
    fn: async () => assertEquals(await assemble(name), await Deno.readFile(path(`${name}.bin`))),
  });
}
