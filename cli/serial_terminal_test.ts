import { assertEquals } from "@std/assert";
import { typedInput } from "./serial_terminal.ts";

Deno.test("typedInput() gives what is typed, but for Ctrl-A and what follows", async () => {
  const quits: string[] = [];
  const chunks = [[0x61, 0x03], [0x01], [0x01, 0x62], [0x01, 0x78, 0x63]].map((bytes) => Uint8Array.from(bytes));
  const out: number[] = [];
  for await (const chunk of typedInput(ReadableStream.from(chunks), () => quits.push("quit"))) out.push(...chunk);
  assertEquals(out, [0x61, 0x03, 0x01, 0x62, 0x63]);
  assertEquals(quits, ["quit"]);
});

Deno.test("typedInput() reads without being asked", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const input = typedInput(ReadableStream.from([Uint8Array.of(1, 0x58)]), resolve);
  await promise;
  await input.cancel();
});
