import { assertEquals } from "@std/assert";
import { coverage, isTested, page } from "./coverage/report.ts";

Deno.test("docs/instructions.md says how each encoding of the table is tested, and none is not", async () => {
  const all = await coverage();
  assertEquals(all.filter((c) => !isTested(c)).map(({ form }) => `${form.mnemonic} ${form.text}`), []);
  const committed = Deno.readTextFileSync(new URL("../docs/instructions.md", import.meta.url));
  assertEquals(committed, page(all), "deno task coverage writes it anew");
});
