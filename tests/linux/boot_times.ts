/**
 * How long kernels take to their first line of user space, on this engine and on QEMU's translator, in turns:
 * `deno run --allow-read --allow-write --allow-run tests/linux/boot_times.ts [--linux=DIRECTORY] [--rounds=N]`. The time is from
 * the start of the process to the line; medians are shown as a table.
 * @module
 */

import { busyboxInitrd } from "./initrd.ts";
import { findKernels, type LinuxKernel } from "./linux_kernels.ts";

const FIRST_LINE = "FIRST LINE OF USER SPACE";
const SCRIPT = `/bin/busybox echo ${FIRST_LINE}\n/bin/busybox poweroff -f\n`;
const COMMAND_LINE = "console=ttyS0";
const MEMORY_MIB = 256;

interface Executor {
  readonly name: string;
  readonly command: (kernel: LinuxKernel, initrd: string) => readonly [string, readonly string[]];
}

const EXECUTORS: readonly Executor[] = [
  {
    name: "soft",
    command: ({ path }, initrd) => [
      Deno.execPath(),
      ["run", "--allow-read", new URL("run_linux.ts", import.meta.url).pathname, path, initrd, COMMAND_LINE],
    ],
  },
  {
    name: "tcg",
    command: ({ path, flavour }, initrd) => [
      /686/.test(flavour) ? "qemu-system-i386" : "qemu-system-x86_64",
      // deno-fmt-ignore
      ["-accel", "tcg", "-m", `${MEMORY_MIB}`, "-kernel", path, "-initrd", initrd, "-append", COMMAND_LINE,
        "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
    ],
  },
];

/** Seconds from the start of a process to the line; the process is ended then. */
async function time([program, args]: readonly [string, readonly string[]]): Promise<number> {
  const start = performance.now();
  const child = new Deno.Command(program, { args: [...args], stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  let text = "", seconds = NaN;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (Number.isNaN(seconds) && text.includes(FIRST_LINE)) seconds = (performance.now() - start) / 1000;
  }
  await child.status;
  return seconds;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) {
  const rounds = Number(Deno.args.find((each) => each.startsWith("--rounds="))?.slice("--rounds=".length) ?? 3);
  const { kernels, missing } = findKernels();
  if (missing !== undefined) {
    console.error(`Cannot measure: ${missing}`);
    Deno.exit(1);
  }
  console.log("| kernel | soft, s | tcg, s | soft/tcg |\n| --- | ---: | ---: | ---: |");
  for (const kernel of kernels) {
    const initrd = Deno.makeTempFileSync();
    Deno.writeFileSync(initrd, busyboxInitrd({ busybox: Deno.readFileSync(kernel.busybox), script: SCRIPT }));
    const times: number[][] = EXECUTORS.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [n, { command }] of EXECUTORS.entries()) times[n].push(await time(command(kernel, initrd)));
    }
    Deno.removeSync(initrd);
    const [soft, tcg] = times.map(median);
    console.log(`| ${kernel.flavour} | ${soft.toFixed(2)} | ${tcg.toFixed(2)} | ${(soft / tcg).toFixed(2)} |`);
  }
}
