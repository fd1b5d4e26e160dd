import { assertEquals, assertThrows } from "@std/assert";
import { type OptionRow, parseArguments } from "./arguments.ts";
import { CliError } from "./errors.ts";

const ROWS: readonly OptionRow[] = [
  { name: "memory", short: "m", value: "SIZE", help: "memory" },
  { name: "region", value: "LIST", repeat: true, help: "more" },
  { name: "port", value: "PORT", optional: true, help: "port" },
  { name: "stats", help: "stats" },
];

function values(...args: string[]): Record<string, readonly string[]> {
  return Object.fromEntries(parseArguments(args, ROWS).values);
}

Deno.test("parseArguments() takes values behind, after = and after one letter", () => {
  for (const args of [["--memory", "1"], ["--memory=1"], ["-m", "1"], ["-m1"], ["-m=1"]]) {
    assertEquals(values(...args), { memory: ["1"] });
  }
  assertEquals(values("--region", "a=1", "--region=b=2"), { region: ["a=1", "b=2"] });
  assertEquals(values("--memory", "-1"), { memory: ["-1"] }, "a negative number is a value, if a bad one");
});

Deno.test("parseArguments() takes an optional value only if it is a number", () => {
  assertEquals(parseArguments(["--port", "image"], ROWS), {
    positional: ["image"],
    values: new Map([["port", [""]]]),
  });
  assertEquals(values("--port", "0xf4"), { port: ["0xf4"] });
  assertEquals(values("--port=x"), { port: ["x"] });
  assertEquals(values("--port"), { port: [""] });
});

Deno.test("parseArguments() ends the options at --", () => {
  assertEquals(parseArguments(["--stats", "--", "--memory", "-"], ROWS).positional, ["--memory", "-"]);
  assertEquals(parseArguments(["-", "a"], ROWS).positional, ["-", "a"]);
});

Deno.test("parseArguments() refuses what the table does not have", () => {
  const refuse = (args: string[], message: string): unknown =>
    assertThrows(() => parseArguments(args, ROWS), CliError, message);
  refuse(["--memroy", "1"], "Cannot use '--memroy': there is no such option");
  refuse(["-x"], "Cannot use '-x': there is no such option");
  refuse(["--memory"], "Cannot use '--memory' alone: it needs SIZE");
  refuse(["--memory="], "Cannot use '--memory' alone");
  refuse(["--memory", "--stats"], "Cannot use '--memory' alone");
  refuse(["--memory=1", "-m2"], "Cannot use '-m' twice");
  refuse(["--stats=1"], "--stats takes no value");
});
