import { assertEquals, assertThrows } from "@std/assert";
import { BufferedOutput } from "./host_end.ts";
import { FileEnd } from "./file_end.ts";
import { NullEnd } from "./null_end.ts";
import { StdioEnd } from "./stdio_end.ts";

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("BufferedOutput.flush() finishes partial writes and waits for a writer that would block", () => {
  let got = "", calls = 0;
  const output = new BufferedOutput({
    writeSync(bytes): number {
      if (calls++ === 0) throw new Deno.errors.WouldBlock("later");
      got += text(bytes.subarray(0, 1));
      return 1;
    },
  }, { byLine: false });
  for (const byte of new TextEncoder().encode("ab\n")) output.put(byte);
  assertEquals(got, "");
  output.flush();
  assertEquals(got, "ab\n");
  output.flush();
  assertEquals(calls, 4);
});

Deno.test("BufferedOutput.put() writes a full buffer", () => {
  let size = 0;
  const output = new BufferedOutput({ writeSync: (bytes) => (size += bytes.length, bytes.length) }, { byLine: true });
  for (let i = 0; i < 5000; i++) output.put(0x20);
  assertEquals(size, 4096);
});

Deno.test("StdioEnd.send() shows each line at once and flush() the rest", () => {
  let got = "";
  using end = new StdioEnd({
    output: { writeSync: (bytes) => (got += text(bytes), bytes.length) },
    input: () => ReadableStream.from([]),
  });
  for (const byte of new TextEncoder().encode("one\ntwo")) end.send(byte);
  assertEquals(got, "one\n");
  end.flush();
  assertEquals(got, "one\ntwo");
});

Deno.test("StdioEnd.receive() gives the input byte by byte and then nothing", async () => {
  using end = new StdioEnd({
    output: { writeSync: (bytes) => bytes.length },
    input: () => ReadableStream.from([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]),
  });
  assertEquals(end.receive(), -1);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([end.receive(), end.receive(), end.receive(), end.receive()], [1, 2, 3, -1]);
});

Deno.test("StdioEnd.receive() treats unreadable input as silence", async () => {
  using end = new StdioEnd({
    output: { writeSync: (bytes) => bytes.length },
    input: () => new ReadableStream({ start: (controller) => controller.error(new Error("gone")) }),
  });
  assertEquals(end.receive(), -1);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(end.receive(), -1);
});

Deno.test("NullEnd loses output and has no input", () => {
  using end = new NullEnd();
  end.send(1);
  end.flush();
  assertEquals(end.receive(), -1);
});

Deno.test("FileEnd writes the file and empties an old one", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, "something old and long");
    using end = new FileEnd(path);
    for (const byte of new TextEncoder().encode("new")) end.send(byte);
    assertEquals(end.receive(), -1);
    end.flush();
    assertEquals(Deno.readTextFileSync(path), "new");
    assertThrows(() => new FileEnd(`${path}/below`));
  } finally {
    Deno.removeSync(path);
  }
});
