import { assertEquals } from "@std/assert";
import { BIOS_IMAGE } from "./bios_image.ts";
import { assembleRom, imageModule } from "./build.ts";

async function missingForNasm(): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command: "nasm" }).state !== "granted") return "--allow-run";
  try {
    await new Deno.Command("nasm", { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return undefined;
  } catch {
    return "NASM";
  }
}

const missing = await missingForNasm();

Deno.test({
  name: `bios_image.ts is what bios.asm says${missing === undefined ? "" : ` (lacks: ${missing})`}`,
  ignore: missing !== undefined,
  fn: async () => {
    const built = await assembleRom();
    assertEquals(BIOS_IMAGE, built);
    assertEquals(await Deno.readTextFile(new URL("bios_image.ts", import.meta.url)), imageModule(built));
  },
});

Deno.test("BIOS_IMAGE has IBM's entries at IBM's places", () => {
  const at = (address: number): number => BIOS_IMAGE[address - 0xe000];
  assertEquals(BIOS_IMAGE.length, 0x2000);
  assertEquals(at(0xfff0), 0xea); // far jump at the reset vector
  assertEquals(at(0xfffe), 0xfc); // model
  assertEquals(at(0xff53), 0xcf); // IRET
  for (
    const entry of [0xe3fe, 0xe6f2, 0xe739, 0xe82e, 0xe987, 0xec59, 0xefd2, 0xf065, 0xf841, 0xf84d, 0xf859, 0xfe6e]
  ) {
    assertEquals(at(entry) === 0xe9 || at(entry) === 0xeb, true, entry.toString(16)); // a jump
  }
});
