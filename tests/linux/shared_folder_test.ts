/**
 * Debian's kernel with shared folders: what it unpacks and makes there, the host finds with the same bytes, modes and times. The
 * kernel is not in the repository: `get_kernels.sh` fetches one with modules for 9P.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { cli } from "../cli_support.ts";
import { busyboxInitrd } from "./initrd.ts";
import { findKernels } from "./linux_kernels.ts";
import { kernelModules } from "./modules.ts";

const PATIENCE_SECONDS = "300";
const KIB = 1024;

const SCRIPT = `
b=/bin/busybox
$b mkdir /read
options=trans=virtio,version=9p2000.L
$b mount -t 9p -o $options,msize=262144 work /mnt || $b echo NO MOUNT
$b mount -t 9p -o $options doc /read || $b echo NO MOUNT

$b tar cf /tmp/tree.tar -C / bin modules
$b mkdir /mnt/tree
$b tar xf /tmp/tree.tar -C /mnt/tree
cd /mnt
$b echo BEGIN
tree/bin/busybox echo run from the share
$b sha256sum hello | $b cut -c 1-64
$b echo text > file; $b chmod 640 file; $b touch -d "2001-02-03 04:05:06" file
$b mkdir -p -m 750 deep/er; $b ln -s ../file deep/link; $b ln file deep/hard; $b mv deep/er deep/moved
$b echo more >> long; $b dd if=/bin/busybox of=long bs=1k count=300 seek=5 conv=notrunc 2>/dev/null
$b cp long short; $b truncate -s 1000 short
$b echo x > gone; $b mkdir gone.d; $b rm gone; $b rmdir gone.d
$b cat deep/link
$b cat escape/secret 2>&1
$b mknod device c 1 3 2>&1
$b ls /read
$b cat /read/hello; $b echo
$b sh -c 'echo x > /read/new' 2>&1
$b rm /read/hello 2>&1
$b chmod 777 /read/hello 2>&1
$b echo END
cd /
$b umount /mnt /read
$b poweroff -f
`;

/** The permissions of a file. */
function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o7777;
}

const { kernels, missing } = findKernels();
const kernel = kernels.find(({ flavour }) => flavour === "amd64");
const modules = kernel && kernelModules(kernel, ["virtio_pci", "9pnet_virtio", "9p"]);
const reason = modules !== undefined ? "" : `, skipped: ${missing ?? "no modules for 9P; get_kernels.sh fetches some"}`;

Deno.test({
  name: `Virtio9p shows Linux folders that it can use as its own${reason}`,
  ignore: modules === undefined,
  fn: async () => {
    if (kernel === undefined || modules === undefined) return;
    const place = Deno.makeTempDirSync(), work = `${place}/work`, doc = `${place}/doc`;
    try {
      for (const folder of [work, doc, `${place}/out`]) Deno.mkdirSync(folder);
      const hello = crypto.getRandomValues(new Uint8Array(50 * KIB));
      Deno.writeFileSync(`${work}/hello`, hello);
      Deno.writeTextFileSync(`${doc}/hello`, "read me");
      Deno.writeTextFileSync(`${place}/out/secret`, "secret");
      Deno.symlinkSync(`${place}/out`, `${work}/escape`);
      const busybox = Deno.readFileSync(kernel.busybox);
      const initrd = `${place}/initrd`;
      Deno.writeFileSync(
        initrd,
        busyboxInitrd({ busybox, script: modules.script + SCRIPT, files: modules.files }),
      );
      const { code, stdout, stderr } = await cli([
        ...["run", kernel.path, "--initrd", initrd, "--append", "console=ttyS0 quiet", "--timeout", PATIENCE_SECONDS],
        ...["--share", `work=${work}`, "--virtfs", `local,path=${doc},mount_tag=doc,security_model=none,readonly=on`],
      ]);
      assertEquals([code, stderr], [0, ""], stdout);
      const said = stdout.slice(stdout.indexOf("BEGIN"), stdout.indexOf("END")).split(/\r?\n/);
      assertEquals(said, [
        "BEGIN",
        "run from the share",
        new Uint8Array(await crypto.subtle.digest("SHA-256", hello)).toHex(),
        "text",
        "cat: can't open 'escape/secret': No such file or directory",
        "mknod: device: Operation not permitted",
        "hello",
        "read me",
        "sh: can't create /read/new: Read-only file system",
        "rm: can't remove '/read/hello': Read-only file system",
        "chmod: /read/hello: Read-only file system",
        "",
      ]);

      assertEquals(Deno.readFileSync(`${work}/tree/bin/busybox`), busybox);
      for (const { path, kind, contents } of modules.files) {
        if (kind === "file") assertEquals(Deno.readFileSync(`${work}/tree/${path}`), contents, path);
      }
      assertEquals([modeOf(`${work}/tree/bin/busybox`), modeOf(`${work}/tree/modules`)], [0o755, 0o755]);
      assertEquals(Deno.readLinkSync(`${work}/tree/bin/sh`), "busybox");
      assertEquals(Deno.statSync(`${work}/tree/bin/busybox`).mtime?.getTime(), 0, "as in the archive");

      const { mtime, nlink } = Deno.statSync(`${work}/file`);
      assertEquals([mtime?.toISOString(), nlink], ["2001-02-03T04:05:06.000Z", 2]);
      assertEquals([modeOf(`${work}/file`), modeOf(`${work}/deep/moved`)], [0o640, 0o750]);
      assertEquals(Deno.readTextFileSync(`${work}/deep/hard`), "text\n");
      assertEquals(Deno.readLinkSync(`${work}/deep/link`), "../file");
      const long = new Uint8Array(305 * KIB);
      long.set(new TextEncoder().encode("more\n"));
      long.set(busybox.subarray(0, 300 * KIB), 5 * KIB);
      assertEquals(Deno.readFileSync(`${work}/long`), long);
      assertEquals(Deno.readFileSync(`${work}/short`), long.slice(0, 1000));
      const names = [...Deno.readDirSync(work)].map(({ name }) => name).sort();
      assertEquals(names, ["deep", "escape", "file", "hello", "long", "short", "tree"]);
      assertEquals([...Deno.readDirSync(doc)].length, 1);
      assertMatch(Deno.readTextFileSync(`${place}/out/secret`), /^secret$/);
    } finally {
      Deno.removeSync(place, { recursive: true });
    }
  },
});
