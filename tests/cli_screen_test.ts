import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";

const ROOT = new URL("..", import.meta.url);
const MEMTEST = new URL("firmware/loaders/usr/lib/memtest86+/memtest86+x64.iso", import.meta.url);
const ALLOWED = Deno.permissions.querySync({ name: "run", command: Deno.execPath() }).state === "granted" &&
  Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

function exists(url: URL): boolean {
  if (!ALLOWED) return false;
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", fromFileUrl(new URL("cli.ts", ROOT)), "run", ...args],
    stdin: "null",
    stdout: "null",
  }).output();
  return { code, text: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: `kvm12 run -cdrom boots memtest86+ from its CD, sees its screen, and keeps it${
    exists(MEMTEST) ? "" : " (no image; tests/firmware/get_loaders.sh fetches it)"
  }`,
  ignore: !exists(MEMTEST),
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const [png, text] = [`${folder}/screen.png`, `${folder}/screen.txt`];
      const screen = ["--screenshot", png, "--screen-text", text, "--until-text", "Memtest86\\+ v"];
      const { code, text: said } = await run(
        "-cdrom",
        fromFileUrl(MEMTEST),
        "-m",
        "16M",
        ...screen,
        "--timeout",
        "120",
      );
      assertEquals([code, said], [0, ""]);
      assertStringIncludes(Deno.readTextFileSync(text), "kvm12 virtual processor");
      assertEquals([...Deno.readFileSync(png).subarray(1, 4)], [0x50, 0x4e, 0x47]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "kvm12 run with an image that cannot be used is one line and code 1",
  ignore: !ALLOWED,
  fn: async () => {
    const empty = Deno.makeTempFileSync();
    try {
      for (
        const [file, why] of [["/no/such/image", "No such file"], [fromFileUrl(ROOT), "directory"], [empty, "empty"]]
      ) {
        const { code, text } = await run("-hda", file);
        assertEquals(code, 1, text);
        assertStringIncludes(text.toLowerCase(), why.toLowerCase());
        assertEquals(text.trimEnd().split("\n").length, 1);
      }
    } finally {
      Deno.removeSync(empty);
    }
  },
});
