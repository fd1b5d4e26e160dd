import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "./arguments.ts";
import { CliError } from "./errors.ts";
import { NET_OPTIONS, parseNet } from "./net_options.ts";

const parse = (...args: string[]) => parseNet(parseArguments(args, NET_OPTIONS));
const LOOPBACK = 0x7f000001;

Deno.test("parseNet() gives no network unless it is asked for", () => {
  assertEquals([parse(), parse("--net", "none"), parse("-nic", "none")], [undefined, undefined, undefined]);
  assertEquals(parse("--net=user"), { card: "virtio", mac: undefined, forwards: [], capture: undefined });
});

Deno.test("parseNet() takes card, address, forwards and a record", () => {
  const list = "user,forward=tcp:8080:80,forward=udp:0.0.0.0:53:5353,card=ne2k_pci,mac=52:54:00:aa:bb:cc";
  assertEquals(parse("--net", list, "--net-capture", "a.pcap"), {
    card: "ne2k_pci",
    mac: Uint8Array.of(0x52, 0x54, 0, 0xaa, 0xbb, 0xcc),
    forwards: [
      { protocol: "tcp", at: { address: LOOPBACK, port: 8080 }, port: 80 },
      { protocol: "udp", at: { address: 0, port: 53 }, port: 5353 },
    ],
    capture: "a.pcap",
  });
});

Deno.test("parseNet() takes what QEMU's -nic has", () => {
  const list = "user,hostfwd=tcp::8080-:80,hostfwd=udp:127.0.0.1:53-10.0.2.15:5353,model=virtio-net-pci";
  assertEquals(parse("-nic", list)?.forwards, [
    { protocol: "tcp", at: { address: LOOPBACK, port: 8080 }, port: 80 },
    { protocol: "udp", at: { address: LOOPBACK, port: 53 }, port: 5353 },
  ]);
  assertEquals(parse("-nic", "user,model=ne2k_isa")?.card, "ne2k_isa");
});

Deno.test("parseNet() refuses what does not go", () => {
  for (
    const args of [
      ["--net", "tap"],
      ["--net", "none,card=virtio"],
      ["--net", "user,card=e1000"],
      ["--net", "user,mac=1:2:3:4:5:6"],
      ["--net", "user,mac=01:02:03:04:05:06"],
      ["--net", "user,forward=tcp:80"],
      ["--net", "user,forward=tcp:1.2.3:80:80"],
      ["--net", "user,forward=tcp:70000:80"],
      ["--net", "user,forward=tcp:80:0"],
      ["--net", "user,hostfwd=tcp::80-:80"],
      ["-nic", "user,forward=tcp:80:80"],
      ["--net", "user", "-nic", "user"],
      ["--net-capture", "a.pcap"],
    ]
  ) assertThrows(() => parse(...args), CliError, undefined, args.join(" "));
});
