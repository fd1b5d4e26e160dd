/**
 * Debian's kernels on the network: an address by DHCP, a file from a server of the host, and one for a client of the host. The kernels
 * are not in the repository: `get_kernels.sh` fetches them with the modules of the cards. With `-- --all` the files are larger, and
 * it is told how fast they were.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { cli } from "../cli_support.ts";
import { busyboxInitrd, type InitrdFile } from "./initrd.ts";
import { findKernels } from "./linux_kernels.ts";
import { kernelModules } from "./modules.ts";

const HOSTS = ["127.0.0.1", "localhost"];
const MEASURES = Deno.args.includes("--all");
const PATIENCE_SECONDS = "300";
/** A machine that must not be reached. */
const OUTSIDE = "192.0.2.1";

/** What udhcpc calls when it has an address. */
const LEASED = `#!/bin/sh
[ "$1" = bound ] || exit 0
/bin/busybox ifconfig $interface $ip netmask $subnet
/bin/busybox route add default gw $router
echo nameserver $dns > /etc/resolv.conf
`;

const FILES: readonly InitrdFile[] = [
  { path: "etc", kind: "directory" },
  { path: "leased", kind: "file", contents: LEASED },
];

/** The guest gets a file, shows it to the host, and asks the host what came. */
function script(port: number): string {
  return `
b=/bin/busybox
$b mount -t proc proc /proc
$b ip link set lo up; $b ip link set eth0 up
$b udhcpc -i eth0 -s /leased -q -n 2>/dev/null
$b echo BEGIN
$b ip -4 addr show eth0 | $b grep -o "inet .* brd"
$b ping -c 1 10.0.2.2 | $b grep -o "1 packets received"
$b nslookup -type=a localhost | $b grep -o "127.0.0.1"
$b wget -q -O /tmp/file http://10.0.2.2:${port}/file || $b echo FAILED
$b wget -q -O /dev/null http://10.0.2.2:${port}/got
$b sha256sum /tmp/file | $b cut -c 1-64
$b httpd -p 80 -h /tmp
$b wget -q -O - http://10.0.2.2:${port}/back
$b wget -q -O - http://${OUTSIDE}/ 2>&1
$b wget -q -O - http://10.0.2.2:1/ 2>&1
$b echo END
$b poweroff -f
`;
}

async function sumOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: HOSTS[0], port: 0 });
  return listener.addr.port;
}

const { kernels, missing } = findKernels();
const isAllowed = HOSTS.every((host) => Deno.permissions.querySync({ name: "net", host }).state === "granted");

for (
  const { flavour, card, module, size } of [
    { flavour: "cloud-amd64", card: "virtio", module: "virtio_net", size: MEASURES ? 100_000_000 : 4_000_000 },
    { flavour: "amd64", card: "ne2k_pci", module: "ne2k_pci", size: MEASURES ? 20_000_000 : 1_000_000 },
  ]
) {
  const kernel = kernels.find((each) => each.flavour === flavour);
  const modules = kernel && kernelModules(kernel, ["virtio_pci", module]);
  const reason = !isAllowed
    ? `, skipped: give --allow-net=${HOSTS}`
    : modules === undefined
    ? `, skipped: ${missing ?? "no modules for the network; get_kernels.sh fetches some"}`
    : "";
  Deno.test({
    name: `UserNetwork carries files between Linux with ${card} and the host both ways${reason}`,
    ignore: reason !== "",
    permissions: isAllowed ? { read: true, write: true, net: HOSTS } : "inherit",
    fn: async () => {
      if (kernel === undefined || modules === undefined) return;
      const file = new Uint8Array(size);
      for (let at = 0; at < size; at += 0x10000) crypto.getRandomValues(file.subarray(at, at + 0x10000));
      const sum = await sumOf(file);
      const forwarded = freePort();
      let begin = 0;
      const tell = (way: string): void => {
        if (MEASURES) console.log(`${card}, ${way}: ${(size / (performance.now() - begin) / 1000).toFixed(1)} MB/s`);
      };
      await using server = Deno.serve({ hostname: HOSTS[0], port: 0, onListen: () => {} }, async ({ url }) => {
        if (url.endsWith("/file")) {
          begin = performance.now();
          return new Response(file);
        }
        if (url.endsWith("/got")) {
          tell("host to guest");
          return new Response();
        }
        begin = performance.now();
        const response = await fetch(`http://${HOSTS[0]}:${forwarded}/file`), back = await response.bytes();
        tell("guest to host");
        return new Response(`${await sumOf(back)} came back\n`);
      });
      const place = Deno.makeTempDirSync(), initrd = `${place}/initrd`, capture = `${place}/net.pcap`;
      try {
        const busybox = Deno.readFileSync(kernel.busybox);
        const files = [...FILES, ...modules.files];
        Deno.writeFileSync(
          initrd,
          busyboxInitrd({ busybox, script: modules.script + script(server.addr.port), files }),
        );
        const { code, stdout, stderr } = await cli([
          ...["run", kernel.path, "--initrd", initrd, "--append", "console=ttyS0 quiet", "--timeout", PATIENCE_SECONDS],
          ...["--memory", "512M", "--net", `user,forward=tcp:${forwarded}:80,card=${card}`, "--net-capture", capture],
        ]);
        assertEquals([code, stderr], [0, ""], stdout);
        const said = stdout.slice(stdout.indexOf("BEGIN"), stdout.indexOf("END")).split(/\r?\n/);
        assertEquals(said, [
          "BEGIN",
          "inet 10.0.2.15/24 brd",
          "1 packets received",
          "127.0.0.1",
          sum,
          `${sum} came back`,
          `wget: can't connect to remote host (${OUTSIDE}): No route to host`,
          "wget: can't connect to remote host (10.0.2.2): Connection refused",
          "",
        ]);
        const record = Deno.readFileSync(capture);
        assertEquals(record.subarray(0, 4), Uint8Array.of(0x4d, 0x3c, 0xb2, 0xa1));
        assertMatch(new TextDecoder("latin1").decode(record), /GET \/file HTTP/);
      } finally {
        Deno.removeSync(place, { recursive: true });
      }
    },
  });
}
