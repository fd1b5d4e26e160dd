/**
 * Modules of a kernel, for an initial ramdisk: found by name in what `get_kernels.sh` has unpacked, with those they depend on.
 * @module
 */

import type { InitrdFile } from "./initrd.ts";
import type { LinuxKernel } from "./linux_kernels.ts";

/** Modules in an initial ramdisk. */
export interface KernelModules {
  /** Their files, and the folder in which they are. */
  readonly files: readonly InitrdFile[];
  /** Lines of a script that load them in order. */
  readonly script: string;
}

const FOLDER = "modules";
/** In a module, between NULs: the modules without which it cannot be loaded. */
const DEPENDS = "\0depends=";

/**
 * Finds modules.
 * @param kernel For which kernel.
 * @param names Their names, `virtio_pci` for example; what the kernel has built in is left out.
 * @returns The modules; `undefined`: those of this kernel are not here, or one is missing.
 */
export function kernelModules(kernel: LinuxKernel, names: readonly string[]): KernelModules | undefined {
  const match = /^(.*)\/boot\/vmlinuz-(.+)$/.exec(kernel.path);
  if (match === null) return undefined;
  const root = `${match[1]}/lib/modules/${match[2]}`;
  const places = new Map<string, string>();
  const builtIn = new Set<string>();
  try {
    collect(`${root}/kernel`, places);
    for (const line of textOf(`${root}/modules.builtin`).split("\n")) builtIn.add(nameOf(line));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
  const found = new Map<string, Uint8Array>();
  const add = (name: string): boolean => {
    if (found.has(name) || builtIn.has(name)) return true;
    const place = places.get(name);
    if (place === undefined) return false;
    const bytes = Deno.readFileSync(place);
    if (!dependencies(bytes).every(add)) return false;
    found.set(name, bytes);
    return true;
  };
  if (!names.every(add)) return undefined;
  return {
    files: [
      { path: FOLDER, kind: "directory" },
      ...[...found].map(([name, contents]) => ({ path: `${FOLDER}/${name}.ko`, kind: "file" as const, contents })),
    ],
    script: [...found.keys()].map((name) => `/bin/busybox insmod /${FOLDER}/${name}.ko\n`).join(""),
  };
}

/** The name of a module, which has no dashes, from the path of its file. */
function nameOf(path: string): string {
  return path.replace(/^.*\//, "").replace(/\.ko$/, "").replaceAll("-", "_");
}

function collect(folder: string, places: Map<string, string>): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) collect(path, places);
    else if (name.endsWith(".ko")) places.set(nameOf(name), path);
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function dependencies(module: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(module), at = text.indexOf(DEPENDS);
  if (at < 0) return [];
  const from = at + DEPENDS.length;
  return text.slice(from, text.indexOf("\0", from)).split(",").filter((name) => name !== "");
}
