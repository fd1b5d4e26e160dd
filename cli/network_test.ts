import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { VirtualClock } from "../devices/clock.ts";
import { bootSector, cli, code, TestFolder } from "../tests/cli_support.ts";
import { CliError } from "./errors.ts";
import { OpenNetwork } from "./network.ts";
import type { NetOptions } from "./net_options.ts";

const LOOPBACK = 0x7f000001;
const OPTIONS: NetOptions = { card: "virtio", forwards: [] };
const HOST = "127.0.0.1";
const isAllowed = Deno.permissions.querySync({ name: "net", host: HOST }).state === "granted";
const SKIPPED = isAllowed ? "" : `, skipped: give --allow-net=${HOST}`;

/** What a board gives to its network. */
const WIRES = { clock: new VirtualClock(), delivered: () => {} };

function forwarding(protocol: "tcp" | "udp", port: number): NetOptions {
  return { ...OPTIONS, forwards: [{ protocol, at: { address: LOOPBACK, port }, port: 80 }] };
}

Deno.test({
  name: "OpenNetwork.start() says that a port must not be forwarded",
  permissions: { net: false },
  async fn() {
    for (const protocol of ["tcp", "udp"] as const) {
      using open = new OpenNetwork(forwarding(protocol, 8080), () => {});
      open.board!.network(WIRES);
      const error = await assertRejects(() => open.start(), CliError, "127.0.0.1:8080: Deno runs without --allow-net");
      assertEquals(error.exitCode, 1);
    }
  },
});

Deno.test({
  name: `OpenNetwork.start() forwards ports, and says so where it has chosen them, or that they are taken${SKIPPED}`,
  ignore: !isAllowed,
  async fn() {
    for (const protocol of ["tcp", "udp"] as const) {
      const notes: string[] = [];
      using open = new OpenNetwork(forwarding(protocol, 0), (line) => notes.push(line));
      const { awaits } = open.board!.network(WIRES);
      assertEquals(awaits(), false);
      await open.start();
      assertEquals(awaits(), true);
      const port = Number(new RegExp(`^${protocol} 127.0.0.1:(\\d+) leads to the guest's port 80$`).exec(notes[0])![1]);
      using other = new OpenNetwork(forwarding(protocol, port), () => {});
      other.board!.network(WIRES);
      await assertRejects(() => other.start(), CliError, `127.0.0.1:${port}: `);
    }
  },
});

Deno.test("OpenNetwork writes a record of all frames where asked", () => {
  using folder = new TestFolder();
  const capture = `${folder.path}/net.pcap`;
  {
    using open = new OpenNetwork({ ...OPTIONS, capture }, () => {});
    const { port } = open.board!.network(WIRES);
    port.connect({ largest: 1514, receive: () => true });
    port.send(new Uint8Array(60));
  }
  assertEquals(Deno.readFileSync(capture).length, 24 + 16 + 60);
  const missing = { ...OPTIONS, capture: `${folder.path}/none/net.pcap` };
  assertThrows(() => new OpenNetwork(missing, () => {}), CliError, "there is no such file");
});

Deno.test("kvm12 run refuses a network card on PCI for a machine without PCI, and takes one on ISA", async () => {
  using folder = new TestFolder();
  const image = folder.file("image", bootSector(code([["hlt", "f4"]])));
  const refused = await cli(["run", image, "--net", "user"]);
  assertEquals(refused.code, 2);
  assertMatch(refused.stderr, /no PCI/);
  const taken = await cli(["run", image, "--net", "user,card=ne2k_isa"]);
  assertEquals([taken.code, taken.stderr], [0, ""]);
});
