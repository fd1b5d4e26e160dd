/**
 * Boots a multiboot image in v86, the emulator of the npm registry, and shows what it writes to COM1: one column of the benchmark
 * table. It runs in a process of its own. v86 is no dependency of this project; Deno fetches it when this file first runs.
 *
 *     deno run --allow-read bench/v86_peer.ts IMAGE [COMMAND_LINE]
 *     deno run --allow-read bench/v86_peer.ts --version
 * @module
 */

/** The release that is compared with. */
export const V86_VERSION = "0.5.462";

const MEMORY = 128 * 2 ** 20;
const VIDEO_MEMORY = 2 * 2 ** 20;

interface V86 {
  add_listener(event: "serial0-output-byte", listener: (byte: number) => void): void;
}

interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => V86;
}

async function main([image, commandLine]: readonly string[]): Promise<void> {
  const specifier = `npm:v86@${V86_VERSION}`; // not a literal, so that nothing else fetches it
  const { V86 }: V86Module = await import(specifier);
  if (image === "--version") {
    console.log(V86_VERSION);
    return;
  }
  // Without a BIOS, v86 loads a multiboot image by itself; a write to port 0xf4 then throws "HALT" and ends the process.
  const emulator = new V86({
    wasm_path: decodeURIComponent(new URL("v86.wasm", import.meta.resolve(specifier)).pathname),
    multiboot: { buffer: Deno.readFileSync(image).buffer },
    cmdline: commandLine,
    memory_size: MEMORY,
    vga_memory_size: VIDEO_MEMORY,
    autostart: true,
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    if (event.error !== "HALT") console.error(event.message);
    Deno.exit(event.error === "HALT" ? 0 : 1);
  });
  emulator.add_listener("serial0-output-byte", (byte) => Deno.stdout.writeSync(Uint8Array.of(byte)));
}

if (import.meta.main) await main(Deno.args);
