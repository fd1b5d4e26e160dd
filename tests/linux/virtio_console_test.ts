/**
 * Debian's kernel with a console and a source of random bytes on virtio. The kernel is not in the repository: `get_kernels.sh` fetches
 * one with its modules.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { cli } from "../cli_support.ts";
import { busyboxInitrd } from "./initrd.ts";
import { findKernels } from "./linux_kernels.ts";
import { kernelModules } from "./modules.ts";

const SCRIPT = `
b=/bin/busybox
$b mount -t devtmpfs none /dev
$b mount -t sysfs none /sys
exec < /dev/hvc0 > /dev/hvc0 2>&1
$b echo on hvc0
$b cat /sys/class/misc/hw_random/rng_current
$b dd if=/dev/hwrng bs=16 count=1 2>/dev/null | $b od -An -tx1
$b poweroff -f
`;

const { kernels, missing } = findKernels();
const kernel = kernels.find(({ flavour }) => /64$/.test(flavour));
const modules = kernel && kernelModules(kernel, ["virtio_pci", "virtio_console", "virtio_rng"]);
const reason = modules !== undefined ? "" : `, skipped: ${missing ?? "no modules; get_kernels.sh fetches some"}`;

Deno.test({
  name: `VirtioConsole and VirtioEntropy serve Linux${reason}`,
  ignore: modules === undefined,
  fn: async () => {
    if (kernel === undefined || modules === undefined) return;
    const place = Deno.makeTempDirSync(), initrd = `${place}/initrd`, output = `${place}/output`;
    try {
      const busybox = Deno.readFileSync(kernel.busybox);
      Deno.writeFileSync(
        initrd,
        busyboxInitrd({ busybox, script: modules.script + SCRIPT, files: modules.files }),
      );
      const { code, stdout, stderr } = await cli([
        ...["run", kernel.path, "--initrd", initrd, "--append", "console=ttyS0 quiet", "--timeout", "300"],
        ...["--virtio-console", `file:${output}`, "--entropy"],
      ]);
      assertEquals([code, stderr], [0, ""], stdout);
      const lines = Deno.readTextFileSync(output).split(/\r?\n/);
      assertEquals(lines.slice(0, 2), ["on hvc0", "virtio_rng.0"]);
      assertMatch(lines[2], /^( [0-9a-f]{2}){16}$/);
    } finally {
      Deno.removeSync(place, { recursive: true });
    }
  },
});
