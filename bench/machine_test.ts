import { assertEquals } from "@std/assert";
import { machineLine, versionIn } from "./machine.ts";

Deno.test("versionIn() finds the version in what programs answer", () => {
  assertEquals(versionIn("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)\nCopyright"), "7.2.22");
  assertEquals(versionIn("gcc (Debian 12.2.0-14) 12.2.0\nCopyright"), "12.2.0");
});

Deno.test("machineLine() is one line", () => {
  assertEquals(
    machineLine({ processor: "A", processors: 1, versions: ["Deno 2", "gcc 12"] }),
    "A, 1 processor; Deno 2; gcc 12",
  );
});
