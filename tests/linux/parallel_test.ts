/**
 * Debian's kernel with four processors: it finds them all and complains about none of them, and a program whose threads work together
 * says the same as on this machine. gcc builds it; `-- --linux=DIRECTORY` names the kernels as for `linux_test.ts`.
 * @module
 */

import { assertEquals } from "@std/assert";
import { busyboxInitrd, type InitrdFile } from "./initrd.ts";
import { findKernels } from "./linux_kernels.ts";
import { type LinuxRun, runLinux } from "./linux_machine.ts";

const SOURCE = new URL("parallel.c", import.meta.url).pathname;
const PATIENCE = 300_000;
const PROCESSORS = 4;
const KERNEL_LINE = /^\[ *\d+\.\d+\]/;
/** What a kernel says when it is not content with its machine. */
const COMPLAINTS =
  /WARNING:|BUG:|Oops|panic|Call Trace|\[Firmware Bug\]|Spurious|nobody cared|soft lockup|stall|warp|unstable|not responding|mismatch/i;

const { kernels, missing } = findKernels();
const kernel = kernels.find(({ flavour }) => /cloud/.test(flavour)) ??
  kernels.find(({ flavour }) => /64/.test(flavour));
const old = kernels.find(({ flavour }) => /686/.test(flavour));

/** What is missing here to build the program, or `undefined`. */
function lacking(): string | undefined {
  if (kernel === undefined) return missing ?? "no 64-bit kernel";
  if (Deno.build.arch !== "x86_64") return "not an x86-64 machine";
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return "needs --allow-run";
  try {
    return new Deno.Command("gcc", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success
      ? undefined
      : "gcc does not run";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no gcc";
    throw error;
  }
}

/** Boots to a script; gives what it says, and the whole. */
async function boot(
  { path, busybox }: { path: string; busybox: string },
  script: string,
  options: { files?: InitrdFile[]; commandLine?: string } = {},
): Promise<LinuxRun & { lines: string[] }> {
  const run = await runLinux({
    kernel: Deno.readFileSync(path),
    memory: 256 * 2 ** 20,
    processors: PROCESSORS,
    initrd: busyboxInitrd({
      busybox: Deno.readFileSync(busybox),
      script:
        `/bin/busybox mount -t proc proc /proc\n/bin/busybox echo BEGIN\n${script}\n/bin/busybox echo END\n/bin/busybox poweroff -f\n`,
      files: options.files,
    }),
    commandLine: `console=ttyS0 ${options.commandLine ?? ""}`,
    timeoutMs: PATIENCE,
  });
  const lines = run.output.split(/\r?\n/);
  const said = lines.filter((line) => !KERNEL_LINE.test(line));
  assertEquals(lines.filter((line) => COMPLAINTS.test(line)), [], run.output);
  assertEquals(run.end, "ended", run.output);
  return { ...run, lines: said.slice(said.indexOf("BEGIN") + 1, said.indexOf("END")) };
}

for (const one of [kernel, old]) {
  Deno.test({
    name: `runLinux() with ${PROCESSORS} processors: ${one?.flavour ?? "a kernel"} finds them all${
      one === undefined ? `, skipped: ${missing ?? "no such kernel"}` : ""
    }`,
    ignore: one === undefined,
    fn: async () => {
      if (one === undefined) return;
      const script = "/bin/busybox nproc\n/bin/busybox grep -c ^processor /proc/cpuinfo";
      const { lines } = await boot(one, script);
      assertEquals(lines, [`${PROCESSORS}`, `${PROCESSORS}`]);
    },
  });
}

const reason = lacking();

Deno.test({
  name: `runLinux() with ${PROCESSORS} processors runs a parallel torture with the host's results${
    reason === undefined ? "" : `, skipped: ${reason}`
  }`,
  ignore: reason !== undefined,
  fn: async () => {
    if (kernel === undefined) return;
    const directory = Deno.makeTempDirSync();
    try {
      const program = `${directory}/parallel`;
      const args = ["-O2", "-static", "-pthread", "-mcx16", "-o", program, SOURCE];
      const build = new Deno.Command("gcc", { args }).outputSync();
      assertEquals(new TextDecoder().decode(build.stderr), "");
      const threads = [`${PROCESSORS}`];
      const expected = new TextDecoder().decode(new Deno.Command(program, { args: threads }).outputSync().stdout);
      const files: InitrdFile[] = [{ path: "bin/parallel", kind: "file", contents: Deno.readFileSync(program) }];
      const { lines } = await boot(kernel, `/bin/parallel ${PROCESSORS}`, { files });
      assertEquals(lines, expected.trimEnd().split("\n"));
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});
