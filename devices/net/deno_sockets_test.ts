import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DenoSockets } from "./deno_sockets.ts";
import { HostSocketError, type HostStream } from "./host_sockets.ts";

const LOOPBACK = 0x7f000001;
const HOSTS = ["127.0.0.1", "localhost"];
const isAllowed = HOSTS.every((host) => Deno.permissions.querySync({ name: "net", host }).state === "granted");
const SKIPPED = isAllowed ? "" : `, skipped: give --allow-net=${HOSTS}`;
const net = { ignore: !isAllowed, permissions: { net: HOSTS } };
const signal = new AbortController().signal;

/** Two ends of a connection, and how they are closed. */
async function connected(sockets: DenoSockets): Promise<{ here: HostStream; there: HostStream; close: () => void }> {
  const accepted = Promise.withResolvers<HostStream>();
  const listener = sockets.listen({ address: LOOPBACK, port: 0 }, (stream, from) => {
    assertEquals(from.address, LOOPBACK);
    accepted.resolve(stream);
  });
  const here = await sockets.connect(listener.at, signal), there = await accepted.promise;
  return {
    here,
    there,
    close: () => {
      here.close();
      there.close();
      there.close();
      listener.close();
    },
  };
}

Deno.test({
  name: `DenoSockets.connect() and listen() make connections${SKIPPED}`,
  ...net,
  async fn() {
    const { here, there, close } = await connected(new DenoSockets());
    assertEquals(await here.write(Uint8Array.of(1, 2, 3)), 3);
    const buffer = new Uint8Array(10);
    assertEquals(await there.read(buffer), 3);
    assertEquals(buffer.subarray(0, 3), Uint8Array.of(1, 2, 3));
    await here.closeWrite();
    assertEquals(await there.read(buffer), null);
    await there.write(Uint8Array.of(9));
    assertEquals(await here.read(buffer), 1);
    close();
  },
});

Deno.test({
  name: `DenoSockets.connect() says why there is no connection${SKIPPED}`,
  ...net,
  async fn() {
    const sockets = new DenoSockets();
    const refused = await assertRejects(() => sockets.connect({ address: LOOPBACK, port: 1 }, signal), HostSocketError);
    assertEquals(refused.refusal, "refused");
    const outside = { address: 0xc0000201, port: 80 };
    const error = await assertRejects(() => sockets.connect(outside, signal), HostSocketError, "--allow-net");
    assertEquals(error.refusal, "forbidden");
    assertThrows(() => sockets.listen({ address: 0, port: 0 }, () => {}), HostSocketError, "--allow-net");
    assertThrows(() => sockets.datagrams({ address: 0, port: 0 }, () => {}), HostSocketError, "--allow-net");
  },
});

Deno.test({
  name: `DenoSockets.datagrams() sends and receives${SKIPPED}`,
  ...net,
  async fn() {
    const sockets = new DenoSockets();
    const got = Promise.withResolvers<[bytes: Uint8Array, from: number]>();
    const one = sockets.datagrams({ address: LOOPBACK, port: 0 }, (bytes, { address }) => {
      got.resolve([bytes.slice(), address]);
    });
    const two = sockets.datagrams({ address: LOOPBACK, port: 0 }, () => {});
    const to = await one.opened;
    assertEquals(two.send(Uint8Array.of(5, 6), { address: 0xc0000201, port: 80 }), false);
    assertEquals(two.send(Uint8Array.of(5, 6), { address: LOOPBACK, port: 0 }), true, "lost");
    assertEquals(two.send(Uint8Array.of(5, 6), to), true);
    const [bytes, from] = await got.promise;
    assertEquals([[...bytes], from], [[5, 6], LOOPBACK]);
    const taken = sockets.datagrams(to, () => {});
    await assertRejects(() => taken.opened, HostSocketError);
    for (const each of [one, two, taken, taken]) each.close();
  },
});

Deno.test({
  name: `DenoSockets.resolve() looks up what may be used by its name, and nothing else${SKIPPED}`,
  ...net,
  async fn() {
    const sockets = new DenoSockets();
    assertEquals(await sockets.resolve("localhost", "A"), [{ type: "A", value: "127.0.0.1" }]);
    for (const [name, type] of [["example.com", "A"], ["localhost", "MX"], ["", "A"], ["a b", "A"]] as const) {
      const error = await assertRejects(() => sockets.resolve(name, type), HostSocketError);
      assertEquals(error.refusal, "forbidden");
    }
  },
});

Deno.test({
  name: `DenoSockets.connect() takes an address for the name by which it was found${SKIPPED}`,
  ignore: !isAllowed,
  permissions: { net: ["localhost"] },
  async fn() {
    const { close } = await connected(new DenoSockets());
    close();
  },
});
