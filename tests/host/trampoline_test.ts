import { assertEquals } from "@std/assert";

const SOURCE = new URL("./trampoline.asm", import.meta.url);
const IMAGE = new URL("./trampoline.bin", import.meta.url);

async function assemble(): Promise<{ success: boolean; image: Uint8Array; messages: string }> {
  const command = new Deno.Command("nasm", { args: ["-f", "bin", "-Wall", "-o", "/dev/stdout", SOURCE.pathname] });
  const { success, stdout, stderr } = await command.output();
  return { success, image: stdout, messages: new TextDecoder().decode(stderr) };
}

async function missing(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return "needs /dev/stdout";
  if ((await Deno.permissions.query({ name: "run", command: "nasm" })).state !== "granted") {
    return "needs --allow-run=nasm";
  }
  try {
    await new Deno.Command("nasm", { args: ["-v"], stdout: "null", stderr: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "needs nasm";
    throw error;
  }
  return undefined;
}

const reason = await missing();

Deno.test({
  name: `trampoline.bin is what trampoline.asm assembles to${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  ignore: reason !== undefined,
  fn: async () => {
    const { success, image, messages } = await assemble();
    assertEquals({ success, messages }, { success: true, messages: "" });
    assertEquals(image, Deno.readFileSync(IMAGE));
  },
});
