import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { boot, ExpectError } from "../mod.ts";

/** A boot sector with code, and room for more on its disk. */
function sector(...code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1440 * 1024);
  bytes.set(code);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

// mov dx, 0x3f8; mov al, '!'; out dx, al; cli; hlt
const EXCLAIMS = [0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4];
// mov ax, 0x0e41; int 0x10; xor ah, ah; int 0x16; mov ah, 0x0e; int 0x10; jmp to the last five bytes
const ECHOES = [0xb8, 0x41, 0x0e, 0xcd, 0x10, 0x30, 0xe4, 0xcd, 0x16, 0xb4, 0x0e, 0xcd, 0x10, 0xeb, 0xf6];

Deno.test("boot() enters an image that is bytes, with no permission", { permissions: "none" }, async () => {
  await using guest = await boot({ image: sector(...EXCLAIMS).subarray(0, 512) });
  await guest.serial.expect("!");
  assertEquals(await guest.exitCode(), 0);
  assertEquals(guest.vcpus.length, 1);
  assertEquals(guest.vm.read(0x7c00, new Uint8Array(2)), Uint8Array.of(0xba, 0xf8));
});

for (const drive of ["hda", "fda"] as const) {
  Deno.test(`boot() boots ${drive} by the firmware, with screen and keyboard`, { permissions: "none" }, async () => {
    const bytes = sector(...ECHOES);
    await using guest = await boot({ [drive]: bytes, memory: "16M" });
    await guest.screen.expect(/^A$/m);
    guest.keyboard.type("bc");
    await guest.screen.expect(/^Abc$/m);
    assertMatch(guest.screen.text(), /Abc$/);
    assertEquals((await guest.screen.png()).subarray(1, 4), new TextEncoder().encode("PNG"));
  });
}

Deno.test("boot() says what is there instead of what was waited for", { permissions: "none" }, async () => {
  await using guest = await boot({ image: Uint8Array.of(...EXCLAIMS), format: "flat" });
  const error = await assertRejects(() => guest.serial.expect("login:", { timeoutMs: 10_000 }), ExpectError);
  assertMatch(error.message, /halted.*\n!$/);
});

Deno.test("boot() refuses with one line", { permissions: "none" }, async () => {
  const one = async (options: Parameters<typeof boot>[0], message: RegExp): Promise<void> => {
    const error = await assertRejects(() => boot(options), Error);
    assertMatch(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  };
  await one({ image: "nowhere.img" }, /^Cannot read the image 'nowhere.img'/);
  await one({ image: Uint8Array.of(1), memory: "few" }, /^Cannot use .*few/);
  await one({ args: ["--impossible"] }, /^Cannot use '--impossible'/);
});
