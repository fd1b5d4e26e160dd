/**
 * The examples in the documentation of the public modules: each is type-checked and run as a program of its own, with no
 * permission but to read the modules. Those that wait for a debugger are only type-checked.
 */

import { assertEquals } from "@std/assert";
import { fromFileUrl, relative } from "@std/path";
import { IOCTLS } from "../mod.ts";

const ROOT = new URL("..", import.meta.url);
const CONFIG = new URL("deno.json", ROOT);
/** What is not run: it needs the network, and somebody at the other end. */
const CHECKED_ONLY = "core/debug/";
/** Milliseconds that all examples together may take. */
const TIMEOUT = 60_000;
/** Where the public modules are. */
const PLACES = ["mod.ts", "core/", "devices/", "machine/"];

const ALLOWED = Deno.permissions.querySync({ name: "run", command: Deno.execPath() }).state === "granted" &&
  Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** One example. */
interface Example {
  /** File and line. */
  readonly place: string;
  /** The program. */
  readonly source: string;
}

/** The TypeScript files at `place` that are no tests, in order. */
function filesAt(place: URL): URL[] {
  if (!place.href.endsWith("/")) return [place];
  return [...Deno.readDirSync(place)].sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) => {
    if (isDirectory) return filesAt(new URL(`${name}/`, place));
    return name.endsWith(".ts") && !name.endsWith("_test.ts") ? [new URL(name, place)] : [];
  });
}

/** The examples in the comments of a file. */
function examplesIn(file: URL, exports: Readonly<Record<string, string>>): Example[] {
  const text = Deno.readTextFileSync(file);
  const own = [...text.matchAll(/^export (?:abstract )?(?:async )?(?:function|class|const) (\w+)/gm)].map(([, name]) =>
    name
  );
  return [...text.matchAll(/^ *\* ```ts\n((?: *\*.*\n)*?) *\* ```$/gm)].map(({ 1: body, index }) => ({
    place: `${relative(fromFileUrl(ROOT), fromFileUrl(file))}:${text.slice(0, index).split("\n").length}`,
    source: resolve(body.replaceAll(/^ *\* ?/gm, ""), file, own, exports),
  }));
}

/**
 * The example with names of modules replaced by where they are. As with `deno test --doc`, what the file exports need not be
 * imported.
 */
function resolve(source: string, file: URL, own: readonly string[], exports: Readonly<Record<string, string>>): string {
  const imported = [...source.matchAll(/import (?:type )?\{([^}]*)\}/g)].flatMap(([, names]) =>
    names.match(/\w+/g) ?? []
  );
  const implied = own.filter((name) => !imported.includes(name) && new RegExp(`\\b${name}\\b`).test(source));
  const head = implied.length === 0 ? "" : `import { ${implied.join(", ")} } from "${file}";\n`;
  return head + source
    .replaceAll(
      /"@kvm12\/kvm12(\/\w+)?"/g,
      (_, path: string | undefined) => JSON.stringify(new URL(exports[`.${path ?? ""}`], ROOT).href),
    )
    .replaceAll(/from "(\.[^"]*)"/g, (_, path: string) => `from ${JSON.stringify(new URL(path, file).href)}`);
}

/** Runs Deno; gives its output where it fails, or null. */
async function failure(args: readonly string[], cwd: string): Promise<string | null> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(TIMEOUT),
  }).output();
  return success ? null : new TextDecoder().decode(stderr);
}

Deno.test({
  name: `examples in the documentation are right and run${ALLOWED ? "" : " (skipped: no permission to run Deno)"}`,
  ignore: !ALLOWED,
  fn: async () => {
    const { exports } = JSON.parse(Deno.readTextFileSync(CONFIG)) as { exports: Record<string, string> };
    const examples = PLACES.flatMap((place) => filesAt(new URL(place, ROOT))).flatMap((file) =>
      examplesIn(file, exports)
    );
    const folder = Deno.makeTempDirSync();
    try {
      examples.forEach(({ place, source }, n) =>
        Deno.writeTextFileSync(`${folder}/example_${n}.ts`, `// ${place}\n${source}`)
      );
      // Each is a module of its own; one program runs them all and names those that throw.
      const main = [
        `const failed: string[] = [];`,
        `const run = async (place: string, example: () => Promise<unknown>): Promise<void> => {`,
        `  try { await example(); } catch (error) { failed.push(place + ": " + error); }`,
        `};`,
        ...examples.map(({ place }, n) =>
          place.startsWith(CHECKED_ONLY)
            ? `void (() => import("./example_${n}.ts"));`
            : `await run(${JSON.stringify(place)}, () => import("./example_${n}.ts"));`
        ),
        `if (failed.length > 0) { console.error(failed.join("\\n")); Deno.exit(1); }`,
      ];
      Deno.writeTextFileSync(`${folder}/main.ts`, main.join("\n"));
      const config = ["--config", fromFileUrl(CONFIG)];
      assertEquals(await failure(["check", ...config, "main.ts"], folder), null);
      const allow = `--allow-read=${fromFileUrl(ROOT)},${folder}`;
      assertEquals(
        await failure(
          ["run", "--no-check", "--no-prompt", allow, ...config, "main.ts"],
          folder,
        ),
        null,
      );
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("each ioctl has an example at its name", () => {
  const text = Deno.readTextFileSync(new URL("core/abi/ioctl.ts", ROOT));
  const missing = IOCTLS.map(({ name }) => name).filter((name) => {
    const end = text.indexOf(`export const ${name}:`);
    return !text.slice(text.lastIndexOf("/**", end), end).includes("@example");
  });
  assertEquals(missing, []);
});
