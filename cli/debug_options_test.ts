import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "./arguments.ts";
import { DEBUG_OPTIONS, type DebugOptions, parseDebugOptions } from "./debug_options.ts";
import { CliError } from "./errors.ts";

function parse(...args: string[]): DebugOptions {
  return parseDebugOptions(parseArguments(args, DEBUG_OPTIONS));
}

Deno.test("parseDebugOptions() takes where gdb can connect", () => {
  const common = { architecture: "i386:x86-64", wait: false } as const;
  assertEquals(parse().gdb, undefined);
  assertEquals(parse("--gdb", "1234").gdb, { hostname: "127.0.0.1", port: 1234, ...common });
  assertEquals(parse("--gdb", "example:1").gdb, { hostname: "example", port: 1, ...common });
  assertEquals(parse("--gdb", "[::1]:0").gdb, { hostname: "::1", port: 0, ...common });
  assertEquals(parse("--gdb", ":9", "--wait", "--gdb-arch", "i386").gdb, {
    hostname: "127.0.0.1",
    port: 9,
    architecture: "i386",
    wait: true,
  });
});

Deno.test("parseDebugOptions() takes kinds of traces and ranges of instructions", () => {
  assertEquals(parse().trace, undefined);
  const all = parse("--trace", "exits,io,mmio,interrupts,exceptions,instructions").trace!;
  assertEquals([all.kinds.size, all.instructions, all.file], [6, "all", undefined]);
  const range = (text: string) => parse("--symbols", "a.elf", "--trace", `io,instructions=${text}`).trace!.instructions;
  assertEquals(range("0x1000..0x1fff"), { start: 0x1000n, end: 0x1fffn });
  assertEquals(range("0x1000+4K"), { start: 0x1000n, end: 0x1fffn });
  assertEquals(range("main"), "main");
  const { file, symbols } = parse("--trace", "io", "--trace-file", "t.log", "--symbols", "a.elf").trace!;
  assertEquals([file, symbols], ["t.log", "a.elf"]);
});

Deno.test("parseDebugOptions() refuses what makes no sense", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--wait"], "without --gdb"],
    [["--gdb-arch", "i386"], "without --gdb"],
    [["--gdb", "x"], "Cannot use 'x' as the port of --gdb"],
    [["--gdb", "65536"], "it must be 0x0 to 0xffff"],
    [["--gdb", "1", "--gdb-arch", "arm"], "it must be x86-64 or i386"],
    [["--trace", "everything"], "it must be exits"],
    [["--trace", "io=1..2"], "only instructions have a range"],
    [["--trace", "instructions=1"], "it must be FIRST..LAST"],
    [["--trace", "instructions=2..1"], "it must be 0x2 to"],
    [["--trace", "instructions=main"], "a name needs --symbols"],
    [["--trace-file", "x"], "without --trace"],
    [["--symbols", "x"], "without --trace"],
  ];
  for (const [args, message] of cases) assertThrows(() => parse(...args), CliError, message);
});
