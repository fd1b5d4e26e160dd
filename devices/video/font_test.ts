import { assertEquals } from "@std/assert";
import { font, type FontHeight } from "./font.ts";

function rows(code: number, height: FontHeight = 16): string[] {
  return [...font(height).subarray(code * height, (code + 1) * height)].map((bits) =>
    bits.toString(2).padStart(8, "0").replaceAll("0", ".").replaceAll("1", "#")
  );
}

Deno.test("font() has a drawing for every character but the blank ones, and all are different", () => {
  for (const height of [8, 14, 16] as const) {
    const bytes = font(height);
    assertEquals(bytes.length, 256 * height);
    const seen = new Map<string, number>();
    for (let code = 0; code < 256; code++) {
      const drawing = bytes.subarray(code * height, (code + 1) * height).join();
      const blank = [0, 0x20, 0xff].includes(code);
      assertEquals(/[1-9]/.test(drawing), !blank, `${height} rows, ${code}`);
      if (!blank) assertEquals(seen.get(drawing), undefined, `${height} rows, ${code}`);
      seen.set(drawing, code);
    }
  }
});

Deno.test("font() draws a letter", () => {
  assertEquals(rows(0x41).slice(2, 12), [
    "...##...",
    "..####..",
    ".##..##.",
    ".##..##.",
    ".##..##.",
    ".######.",
    ".##..##.",
    ".##..##.",
    ".##..##.",
    ".##..##.",
  ]);
});

Deno.test("font() box drawing meets at the edges of its neighbours", () => {
  // deno-fmt-ignore
  const lines = "0011 1011 2011 1022 1002 2001 2022 0022 2002 2020 1020 2010 1001 0110 1110 1101 0111 1100 1111 0211 0122 0220 0202 2220 2202 0222 2200 2222 2210 1120 2201 1102 0120 0210 0201 0102 1122 2211 1010 0101".split(" ");
  for (const height of [8, 14, 16] as const) {
    const straight = { across: rows(0xc4, height), doubleAcross: rows(0xcd, height) };
    lines.forEach((arms, index) => {
      const drawing = rows(0xb3 + index, height);
      const edge = (x: number): string => drawing.map((row) => row[x]).join("");
      const expected = (arm: string, x: number): string =>
        (arm === "0"
          ? drawing.map(() => ".")
          : (arm === "1" ? straight.across : straight.doubleAcross).map((row) => row[x])).join("");
      assertEquals(edge(0), expected(arms[0], 0), `left of ${index}`);
      assertEquals(edge(7), expected(arms[1], 7), `right of ${index}`);
      const vertical = ["........", "...##...", "..##.##."];
      assertEquals(drawing[0], vertical[Number(arms[2])], `top of ${index}`);
      assertEquals(drawing[height - 1], vertical[Number(arms[3])], `bottom of ${index}`);
    });
  }
});
