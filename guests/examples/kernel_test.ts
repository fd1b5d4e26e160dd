/**
 * How the author of a kernel tests it: `deno test` boots the image, waits for what it says on the serial line and on the screen, types,
 * and looks at the exit code. Copy it, and put the path of your own image in place of `disk`.
 *
 *     deno test guests/examples/kernel_test.ts
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { boot } from "../../mod.ts";

/** The kernel: a boot sector that greets on screen and serial line, takes a key, and gives it to debug-exit. */
const disk = new Uint8Array(1440 * 1024);
disk.set([
  ...[0xfc], //              7c00 cld
  ...[0xbe, 0x24, 0x7c], //  7c01 mov si, greeting
  ...[0xac], //              7c04 next: lodsb
  ...[0x84, 0xc0], //        7c05 test al, al
  ...[0x74, 0x0a], //        7c07 jz key
  ...[0xb4, 0x0e], //        7c09 mov ah, 0xe    ; teletype
  ...[0xcd, 0x10], //        7c0b int 0x10
  ...[0xba, 0xf8, 0x03], //  7c0d mov dx, 0x3f8  ; COM1
  ...[0xee], //              7c10 out dx, al
  ...[0xeb, 0xf1], //        7c11 jmp next
  ...[0x30, 0xe4], //        7c13 key: xor ah, ah
  ...[0xcd, 0x16], //        7c15 int 0x16
  ...[0x2c, 0x30], //        7c17 sub al, '0'
  ...[0xba, 0x01, 0x05], //  7c19 mov dx, 0x501  ; debug-exit: (value << 1) | 1
  ...[0xee], //              7c1c out dx, al
]);
disk.set(new TextEncoder().encode("Press a digit: "), 0x24);
disk.set([0x55, 0xaa], 510);

Deno.test("the kernel takes a key and ends with it", async () => {
  await using guest = await boot({ hda: disk, memory: "16M", args: ["--debug-exit"] });
  await guest.serial.expect("Press a digit: ");
  await guest.screen.expect(/Press a digit:$/m);
  guest.keyboard.type("7");
  assertEquals(await guest.exitCode(), 7 << 1 | 1);
});

Deno.test("the kernel waits for its key, however long that takes", async () => {
  await using guest = await boot({ hda: disk, memory: "16M", cpu: "486" });
  await guest.serial.expect("Press a digit: ", { timeoutMs: 10_000 });
  // A screenshot, for a look at it: await Deno.writeFile("screen.png", await guest.screen.png());
  assertEquals(guest.screen.text().endsWith("Press a digit:"), true);
});
