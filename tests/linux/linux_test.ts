/**
 * Debian's kernels, unmodified, boot to a script of busybox. They are not in the repository: `get_kernels.sh` fetches them.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { LinuxEntry } from "../../guests/bzimage.ts";
import { readLinuxHeader } from "../../guests/bzimage.ts";
import { busyboxInitrd } from "./initrd.ts";
import { findKernels, type LinuxKernel } from "./linux_kernels.ts";
import { runLinux } from "./linux_machine.ts";

const MEMORY = 256 * 2 ** 20;
/** A slow machine under load takes a minute for a 32-bit kernel. */
const PATIENCE = 300_000;

const SCRIPT = `
/bin/busybox mount -t proc proc /proc
/bin/busybox echo BEGIN
/bin/busybox sha256sum /bin/busybox
/bin/busybox cat /proc/cmdline
/bin/busybox echo $((6 * 7))
/bin/busybox echo END
/bin/busybox poweroff -f
`;

/** What a kernel says when it is not content with its machine. */
const COMPLAINTS = /WARNING:|BUG:|Oops|panic|Call Trace|\[Firmware Bug\]|Spurious|nobody cared|soft lockup|stall/i;

/** What the kernel says in between. */
const KERNEL_LINE = /^\[ *\d+\.\d+\]/;

const { kernels, missing } = findKernels();

async function boots(kernel: LinuxKernel, entry: LinuxEntry): Promise<void> {
  const busybox = Deno.readFileSync(kernel.busybox);
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", busybox)).toHex();
  const { end, output } = await runLinux({
    kernel: Deno.readFileSync(kernel.path),
    memory: MEMORY,
    initrd: busyboxInitrd({ busybox, script: SCRIPT }),
    commandLine: "console=ttyS0 hello=world",
    entry,
    timeoutMs: PATIENCE,
  });
  const said = output.slice(output.indexOf("BEGIN"), output.indexOf("END"));
  const script = said.split(/\r?\n/).filter((line) => !KERNEL_LINE.test(line));
  assertEquals(script.slice(0, 4), ["BEGIN", `${sum}  /bin/busybox`, "console=ttyS0 hello=world", "42"], output);
  assertEquals(output.split("\n").filter((line) => COMPLAINTS.test(line)), []);
  assertEquals(end, "ended", "ACPI turns the machine off");
  assertMatch(output, /APIC.*Switch to symmetric I\/O mode|Enabling APIC mode/);
}

for (const kernel of kernels) {
  const [entry, ...others] = readLinuxHeader(Deno.readFileSync(kernel.path)).entries;
  Deno.test(`planLinux() boots ${kernel.flavour} to busybox by its ${entry}-bit entry`, () => boots(kernel, entry));
  if (entry === "64" && others.includes("32")) {
    const all = Deno.args.includes("--all");
    Deno.test({
      name: `planLinux() boots ${kernel.flavour} to busybox by its 32-bit entry${
        all ? "" : ", skipped: give -- --all"
      }`,
      ignore: !all,
      fn: () => boots(kernel, "32"),
    });
  }
}

Deno.test({
  name: `planLinux() boots a kernel to busybox${missing === undefined ? "" : `, skipped: ${missing}`}`,
  ignore: missing !== undefined,
  fn: () => assertMatch(kernels[0].path, /vmlinuz/),
});
