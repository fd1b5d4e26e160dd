import { assertEquals, assertThrows } from "@std/assert";
import { CliError, EXIT } from "./errors.ts";
import { type LoadedImage, loadImage } from "./load_image.ts";
import { parseRun } from "./options.ts";

const SIEVE = new URL("../guests/bench/sieve32.img", import.meta.url).pathname;
const HELLO = new URL("../guests/hello.img", import.meta.url).pathname;

function load(...args: string[]): LoadedImage {
  const parsed = parseRun(args);
  if (parsed === "help") throw new Error("help was not asked for");
  return loadImage(parsed, parsed.image ?? "");
}

function refuse(args: string[], message: string): void {
  const error = assertThrows(() => load(...args), CliError, message);
  assertEquals([error.exitCode, error.message.includes("\n")], [EXIT.IO, false]);
}

Deno.test("loadImage() finds out what an image is", () => {
  const { plan, pc, regions } = load(SIEVE);
  assertEquals([plan.mode, plan.eax, plan.pieces.some(({ base }) => base === 0x100000)], [
    "protected",
    0x2badb002,
    true,
  ]);
  assertEquals([plan.pieces[0].name, pc, regions.length], ["the ACPI tables", true, 3]);
  const sector = load(HELLO);
  assertEquals([sector.plan.mode, sector.plan.ip, sector.pc, sector.notes], ["real", 0x7c00, false, []]);
});

Deno.test("loadImage() loads a kernel on the bare board where the regions leave no place for a PC", () => {
  const { plan, pc, regions } = load("--region", "gpa=0,size=16M", SIEVE);
  assertEquals([plan.eax, pc, regions.length], [0x2badb002, false, 1]);
});

Deno.test("loadImage() obeys --format", () => {
  assertEquals(load("--format", "flat", SIEVE).plan.ip, 0x1000);
  assertEquals(load("--format", "multiboot", SIEVE).plan.eax, 0x2badb002);
  refuse(["--format", "boot", SIEVE], "are not the boot signature");
  refuse(["--format", "multiboot", HELLO], "there is no multiboot header");
});

Deno.test("loadImage() refuses a command line that nobody reads", () => {
  refuse(["--append", "quick", HELLO], "nobody would read --append");
});

Deno.test("loadImage() says where a kernel has no room", () => {
  refuse(["-m", "1M", SIEVE], "there is no memory at 0x100000 for the kernel");
});
