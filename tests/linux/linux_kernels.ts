/**
 * Where the tests find Linux kernels and a busybox to go with them: what `get_kernels.sh` has fetched, or what this machine boots.
 * `deno test … -- --linux=DIRECTORY` names another directory, with the kernel in `boot` and busybox in `bin` of a directory in it.
 * @module
 */

/** A kernel. */
export interface LinuxKernel {
  /** What it is called in the names of tests: the end of its file's name, such as `cloud-amd64`. */
  readonly flavour: string;
  /** Its file. */
  readonly path: string;
  /** A statically linked busybox for it. */
  readonly busybox: string;
}

const HERE = new URL("kernels", import.meta.url).pathname;
const PROGRAM_INTERPRETER = 3;

/**
 * Looks for kernels.
 * @returns The newest of each flavour, and why there are none.
 */
export function findKernels(): { readonly kernels: readonly LinuxKernel[]; readonly missing?: string } {
  const told = Deno.args.find((each) => each.startsWith("--linux="))?.slice("--linux=".length);
  const place = told ?? HERE;
  const roots = [...directories(place), ...(told === undefined ? ["/"] : [])];
  const found = new Map<string, LinuxKernel>();
  let withoutBusybox = false;
  for (const root of roots) {
    const names = files(`${root}/boot`).filter((name) => name.startsWith("vmlinuz-")).sort();
    const busybox = ["bin/busybox", "usr/bin/busybox"].map((name) => `${root}/${name}`).find(isStatic);
    withoutBusybox ||= names.length > 0 && busybox === undefined;
    for (const name of names) {
      const flavour = name.replace(/^vmlinuz-[0-9.]+-([0-9]+-)?/, "");
      if (busybox === undefined || (root === "/" && found.has(flavour))) continue;
      found.set(flavour, { flavour, path: `${root}/boot/${name}`, busybox });
    }
  }
  if (found.size > 0) return { kernels: [...found.values()] };
  const missing = withoutBusybox
    ? "no static busybox beside the kernel"
    : "no kernel; tests/linux/get_kernels.sh fetches some";
  return { kernels: [], missing };
}

function directories(path: string): string[] {
  return entries(path).filter(({ isDirectory }) => isDirectory).map(({ name }) => `${path}/${name}`).sort();
}

function files(path: string): string[] {
  return entries(path).filter(({ isFile }) => isFile).map(({ name }) => name);
}

function entries(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}

/** Whether a file is an ELF program that wants no dynamic linker. */
function isStatic(path: string): boolean {
  let image: Uint8Array;
  try {
    image = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
  const view = new DataView(image.buffer);
  const long = image[4] === 2;
  const table = long ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const size = view.getUint16(long ? 54 : 42, true), count = view.getUint16(long ? 56 : 44, true);
  return Array.from({ length: count }, (_, n) => view.getUint32(table + n * size, true))
    .every((type) => type !== PROGRAM_INTERPRETER);
}
