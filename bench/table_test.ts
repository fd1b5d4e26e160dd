import { assertEquals } from "@std/assert";
import { renderMarkdown, renderText } from "./table.ts";

const table = { header: ["guest", "soft", "tcg"], rows: [["sieve 32", "1200", "-"], ["a|b", "7", ""]] };

Deno.test("renderText() aligns text to the left and numbers to the right", () => {
  assertEquals(renderText(table), "guest     soft  tcg\nsieve 32  1200    -\na|b          7\n");
});

Deno.test("renderMarkdown() makes a row a line and escapes bars", () => {
  assertEquals(
    renderMarkdown(table),
    "| guest | soft | tcg |\n| --- | ---: | ---: |\n| sieve 32 | 1200 | - |\n| a\\|b | 7 |  |\n",
  );
});
