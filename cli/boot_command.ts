/**
 * `boot()`: a machine as `kvm12 run` builds it, in the background of a program.
 * @module
 */

import { BufferEnd } from "../devices/buffer_end.ts";
import { BootedMachine } from "../machine/boot.ts";
import type { BootFile, BootOptions } from "../machine/boot_options.ts";
import { OpenDrives } from "./drives.ts";
import { usageError } from "./errors.ts";
import { readFile } from "./host.ts";
import { build, readMaterials } from "./machine.ts";
import { parseRun } from "./options.ts";

/** The options that are the command's, by the names that they have there. */
const TEXTS = ["format", "append", "bios", "memory", "cpu", "backend", "engine"] as const;
/** Those that are files. */
const FILES = ["initrd", "hda", "cdrom", "fda"] as const;

/**
 * Builds and starts a machine.
 * @param options What from.
 * @throws CliError It cannot be built.
 */
export async function bootCommand(options: BootOptions): Promise<BootedMachine> {
  const held = new Map<string, Uint8Array>();
  const command = parseRun(commandLine(options, held));
  if (command === "help") throw usageError("Cannot boot with --help");
  const read: typeof readFile = (what, path, limit) => {
    const bytes = held.get(path);
    return bytes === undefined
      ? readFile(what, path, limit)
      : { bytes: bytes.subarray(0, limit), more: bytes.length > limit };
  };
  const materials = readMaterials(command, read);
  using stack = new DisposableStack();
  const drives = stack.use(new OpenDrives(command.drives.drives, held));
  const line = new BufferEnd();
  const built = stack.use(
    await build(command, {
      materials,
      drives,
      shares: [],
      network: undefined,
      serial: line,
      debugConsole: () => {},
      note: () => {},
    }),
  );
  const all = stack.move();
  const { machine } = built;
  return new BootedMachine({ machine, [Symbol.dispose]: () => all.dispose() }, line, options);
}

/** The command line of a machine; files that are bytes are kept under names that no path has. */
function commandLine(options: BootOptions, held: Map<string, Uint8Array>): string[] {
  const file = (name: string, given: BootFile): string => {
    if (typeof given === "string") return given;
    held.set(`<${name}>`, given);
    return `<${name}>`;
  };
  const line = [`--clock=${options.clock ?? "virtual"}`];
  for (const name of TEXTS) if (options[name] !== undefined) line.push(`--${name}=${options[name]}`);
  for (const name of FILES) {
    const given = options[name];
    if (given !== undefined) line.push(`--${name}=${file(name, given)}`);
  }
  if (options.smp !== undefined) line.push(`--smp=${options.smp}`);
  line.push(...options.args ?? []);
  if (options.image !== undefined) line.push(file("image", options.image));
  return line;
}
