/**
 * A program that puts user space to work says the same in a guest as on this machine: floating point, vectors, signals, threads,
 * processes, files, code written at run time. gcc builds it; `-- --linux=DIRECTORY` names the kernels as for `linux_test.ts`.
 * @module
 */

import { assertEquals } from "@std/assert";
import { busyboxInitrd } from "./initrd.ts";
import { findKernels } from "./linux_kernels.ts";
import { runLinux } from "./linux_machine.ts";

const SOURCE = new URL("torture.c", import.meta.url).pathname;
const PATIENCE = 300_000;
const SCRIPT = `/bin/busybox echo BEGIN\n/bin/torture /tmp\n/bin/busybox echo END\n/bin/busybox poweroff -f\n`;
const KERNEL_LINE = /^\[ *\d+\.\d+\]/;

const { kernels, missing } = findKernels();
const kernel = kernels.find(({ flavour }) => /cloud/.test(flavour)) ??
  kernels.find(({ flavour }) => /64/.test(flavour));

/** What is missing here, or `undefined`. */
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

const reason = lacking();

Deno.test({
  name: `runLinux() runs a torture of user space with the host's results${
    reason === undefined ? "" : `, skipped: ${reason}`
  }`,
  ignore: reason !== undefined,
  fn: async () => {
    if (kernel === undefined) return;
    const directory = Deno.makeTempDirSync();
    try {
      const program = `${directory}/torture`;
      const args = ["-O2", "-static", "-pthread", "-o", program, SOURCE, "-lm"];
      const build = new Deno.Command("gcc", { args }).outputSync();
      assertEquals(new TextDecoder().decode(build.stderr), "");
      const expected = new TextDecoder().decode(new Deno.Command(program, { args: [directory] }).outputSync().stdout);
      const { output } = await runLinux({
        kernel: Deno.readFileSync(kernel.path),
        memory: 256 * 2 ** 20,
        initrd: busyboxInitrd({
          busybox: Deno.readFileSync(kernel.busybox),
          script: SCRIPT,
          files: [{ path: "bin/torture", kind: "file", contents: Deno.readFileSync(program) }],
        }),
        commandLine: "console=ttyS0",
        timeoutMs: PATIENCE,
      });
      const lines = output.split(/\r?\n/).filter((line) => !KERNEL_LINE.test(line));
      const said = lines.slice(lines.indexOf("BEGIN") + 1, lines.indexOf("END"));
      assertEquals(said, expected.trimEnd().split("\n"));
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});
