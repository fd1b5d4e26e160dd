/**
 * Runs a kernel with 256 MiB and shows what it says:
 * `deno run --allow-read tests/linux/run_linux.ts KERNEL INITRD COMMAND-LINE`.
 * @module
 */

import { BufferedOutput } from "../../devices/host_end.ts";
import { runLinux } from "./linux_machine.ts";

if (import.meta.main) {
  const [kernel, initrd, commandLine] = Deno.args;
  const output = new BufferedOutput(Deno.stdout, { byLine: true });
  const { end, instructions } = await runLinux({
    kernel: Deno.readFileSync(kernel),
    initrd: Deno.readFileSync(initrd),
    commandLine,
    memory: 256 * 2 ** 20,
    timeoutMs: 600_000,
    onOutput: (byte) => output.put(byte),
  });
  output.flush();
  console.log(`${end} after ${instructions} instructions`);
}
