import { assertEquals, assertThrows } from "@std/assert";
import { CliError, EXIT } from "./errors.ts";
import { loadImage } from "./load_image.ts";
import { parseRun, type RunCommand } from "./options.ts";

const SIEVE = new URL("../guests/bench/sieve32.img", import.meta.url).pathname;
const HELLO = new URL("../guests/hello.img", import.meta.url).pathname;

function command(...args: string[]): RunCommand {
  const parsed = parseRun(args);
  if (parsed === "help") throw new Error("help was not asked for");
  return parsed;
}

function refuse(args: string[], message: string): void {
  const error = assertThrows(() => loadImage(command(...args)), CliError, message);
  assertEquals([error.exitCode, error.message.includes("\n")], [EXIT.IO, false]);
}

Deno.test("loadImage() finds out what an image is", () => {
  const kernel = loadImage(command(SIEVE)).plan;
  assertEquals([kernel.mode, kernel.eax, kernel.pieces[2].base], ["protected", 0x2badb002, 0x100000]);
  const sector = loadImage(command(HELLO));
  assertEquals([sector.plan.mode, sector.plan.ip, sector.notes], ["real", 0x7c00, []]);
});

Deno.test("loadImage() obeys --format", () => {
  assertEquals(loadImage(command("--format", "flat", SIEVE)).plan.ip, 0x1000);
  assertEquals(loadImage(command("--format", "multiboot", SIEVE)).plan.eax, 0x2badb002);
  refuse(["--format", "boot", SIEVE], "are not the boot signature");
  refuse(["--format", "multiboot", HELLO], "there is no multiboot header");
});

Deno.test("loadImage() refuses a command line that nobody reads", () => {
  refuse(["--append", "quick", HELLO], "nobody would read --append");
});

Deno.test("loadImage() says where a kernel has no room", () => {
  refuse(["-m", "1M", SIEVE], "there is no memory at 0x100000 for the kernel");
});
