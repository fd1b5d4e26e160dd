import { assertEquals, assertThrows } from "@std/assert";
import { CliError } from "./errors.ts";
import { parseBigint, parseKeys, parseNumber, parseSeconds } from "./values.ts";

Deno.test("parseNumber() takes decimal, 0x, and K, M, G", () => {
  const max = 2 ** 40;
  assertEquals(
    ["0", "10", "0x10", "0XfF", "4K", "4k", "16M", "2g", "0x1K", "007"].map((text) => parseNumber("n", text, { max })),
    [0, 10, 16, 255, 4096, 4096, 2 ** 24, 2 ** 31, 1024, 7],
  );
});

Deno.test("parseNumber() refuses everything else", () => {
  for (const text of ["", " 1", "1 ", "-1", "+1", "1.5M", "1e3", "0x", "K", "1T", "0b1", "١", "12KB"]) {
    assertThrows(
      () => parseNumber("n", text, { max: 2 ** 40 }),
      CliError,
      `Cannot use '${text}' as n: it must be a number`,
    );
  }
  assertThrows(() => parseNumber("n", "5", { min: 1, max: 4 }), CliError, "it must be 0x1 to 0x4");
  assertThrows(() => parseNumber("n", "9".repeat(400), { max: 4 }), CliError, "0x0 to 0x4");
});

Deno.test("parseBigint() is exact above 2^53", () => {
  assertEquals(parseBigint("n", "0xffffffffffffffff", { max: (1n << 64n) - 1n }), (1n << 64n) - 1n);
  assertEquals(parseBigint("n", "9007199254740993", { max: 1n << 64n }), 9007199254740993n);
});

Deno.test("parseSeconds() takes fractions, and nothing at or below 0", () => {
  assertEquals(["1", "0.5", ".25", "10.0"].map((text) => parseSeconds("t", text)), [1, 0.5, 0.25, 10]);
  for (const text of ["0", "-1", "", "1s", "Infinity", "1e9", "99999999999", "."]) {
    assertThrows(() => parseSeconds("t", text), CliError, "it must be seconds above 0");
  }
});

Deno.test("parseKeys() gives keys and flags", () => {
  const list = { keys: ["gpa", "size", "file"], flags: ["log-dirty"], required: ["gpa", "size"] };
  assertEquals(
    Object.fromEntries(parseKeys("--region", "gpa=0,log-dirty,size=4K,file=a=b", list)),
    { gpa: "0", "log-dirty": "", size: "4K", file: "a=b" },
  );
  const refuse = (text: string, message: string): unknown =>
    assertThrows(() => parseKeys("--region", text, list), CliError, message);
  refuse("gpa=0", "'size' is missing");
  refuse("gpa=0,size=1,gpa=2", "'gpa' is there twice");
  refuse("gpa=0,size=", "'size' needs a value");
  refuse("gpa=0,size", "'size' needs a value");
  refuse("gpa=0,size=1,log-dirty=1", "'log-dirty' takes no value");
  refuse("gpa=0,size=1,color=red", "there is no 'color', only gpa, size, file, log-dirty");
  refuse("", "there is no ''");
});
