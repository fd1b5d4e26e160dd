/**
 * The guest's network on the command line: `--net`, and the part of QEMU's `-nic` that means the same.
 * @module
 */

import { parseMac } from "../devices/net/ethernet.ts";
import { parseIpv4Address } from "../devices/net/ipv4.ts";
import { NETWORK_CARDS, type NetworkCard } from "../devices/net/network_card.ts";
import type { PortForward } from "../devices/net/user_network.ts";
import type { Arguments, OptionRow } from "./arguments.ts";
import { usageError } from "./errors.ts";

/** A network. */
export interface NetOptions {
  /** Which card the guest has. */
  readonly card: NetworkCard;
  /** The card's address; the usual one unless told. */
  readonly mac?: Uint8Array;
  /** Ports of the host that lead to the guest. */
  readonly forwards: readonly PortForward[];
  /** Where the record of all frames goes. */
  readonly capture?: string;
}

/** Where the host listens unless told: for itself only. */
const LOOPBACK = 0x7f000001;
const PORT_MOST = 65535;
/** QEMU's names of the card on virtio. */
const VIRTIO_MODELS = ["virtio", "virtio-net-pci"];

/** The options. */
export const NET_OPTIONS: readonly OptionRow[] = [
  {
    name: "net",
    value: "none|user[,forward=FORWARD]...[,card=CARD][,mac=MAC]",
    help:
      `a network with DHCP and DNS that reaches what --allow-net allows; none is the default. FORWARD is tcp or udp:[ADDRESS:]PORT:GUEST-PORT and leads a port of the host, at 127.0.0.1 unless told, to the guest; CARD is ${
        NETWORK_CARDS.join(", ")
      }`,
  },
  {
    name: "nic",
    value: "none|user[,hostfwd=FORWARD]...[,model=CARD][,mac=MAC]",
    help: "the same, as QEMU has it; FORWARD is tcp or udp:[ADDRESS]:PORT-[ADDRESS]:GUEST-PORT",
  },
  { name: "net-capture", value: "PATH.pcap", help: "where all frames of the network are recorded, for Wireshark" },
];

/**
 * Understands the options of the network.
 * @param parsed The command line.
 * @returns The network; none: there is none.
 * @throws CliError They are wrong.
 */
export function parseNet({ values }: Arguments): NetOptions | undefined {
  const ours = values.get("net")?.[0], theirs = values.get("nic")?.[0], capture = values.get("net-capture")?.[0];
  if (ours !== undefined && theirs !== undefined) throw usageError("Cannot use --net and --nic together");
  const net = ours !== undefined
    ? parseNetwork("--net", ours, { forward: parseForward, card: "card" })
    : theirs !== undefined
    ? parseNetwork("--nic", theirs, { hostfwd: parseHostForward, card: "model" })
    : undefined;
  if (net === undefined && capture !== undefined) {
    throw usageError("Cannot use --net-capture: there is no network (--net)");
  }
  return net && { ...net, capture };
}

type ForwardParser = (text: string) => PortForward | undefined;

/** How keys are called. */
interface Spelling {
  readonly forward?: ForwardParser;
  readonly hostfwd?: ForwardParser;
  readonly card: string;
}

function parseNetwork(option: string, text: string, spelling: Spelling): NetOptions | undefined {
  const fail = (state: string): Error => usageError(`Cannot use '${text}' for ${option}: ${state}`);
  const [kind, ...parts] = text.split(",");
  if (kind === "none" && parts.length === 0) return undefined;
  if (kind !== "user") throw fail("it is none or begins with user");
  const forwards: PortForward[] = [];
  let card: NetworkCard = "virtio", mac: Uint8Array | undefined;
  for (const part of parts) {
    const [, key, value] = /^([^=]*)=?(.*)$/s.exec(part)!;
    const parser = key === "forward" ? spelling.forward : key === "hostfwd" ? spelling.hostfwd : undefined;
    if (parser !== undefined) {
      const forward = parser(value);
      if (forward === undefined) throw fail(`'${value}' is no forward, such as ${EXAMPLES[option]}`);
      forwards.push(forward);
    } else if (key === spelling.card) {
      const found = NETWORK_CARDS.find((each) => each === value) ??
        (VIRTIO_MODELS.includes(value) ? "virtio" : undefined);
      if (found === undefined) throw fail(`the card is ${NETWORK_CARDS.join(", ")}`);
      card = found;
    } else if (key === "mac") {
      mac = parseMac(value);
      if (mac === undefined || (mac[0] & 1) !== 0) throw fail(`'${value}' is no address of a card`);
    } else {
      const keys = [spelling.forward === undefined ? "hostfwd" : "forward", spelling.card, "mac"];
      throw fail(`there is no '${key}', only ${keys.join(", ")}`);
    }
  }
  return { card, mac, forwards };
}

const EXAMPLES: Readonly<Record<string, string>> = { "--net": "tcp:8080:80", "--nic": "tcp::8080-:80" };

/** `tcp:8080:80` or `tcp:0.0.0.0:8080:80`. */
function parseForward(text: string): PortForward | undefined {
  const match = /^(tcp|udp):(?:([0-9.]+):)?([0-9]+):([0-9]+)$/.exec(text);
  return match === null ? undefined : forwardOf(match[1], match[2], match[3], match[4]);
}

/** `tcp::8080-:80`, with addresses that may be left out. The guest has only one. */
function parseHostForward(text: string): PortForward | undefined {
  const match = /^(tcp|udp):([0-9.]*):([0-9]+)-(?:[0-9.]*):([0-9]+)$/.exec(text);
  return match === null ? undefined : forwardOf(match[1], match[2], match[3], match[4]);
}

function forwardOf(protocol: string, place: string | undefined, from: string, to: string): PortForward | undefined {
  const address = place === undefined || place === "" ? LOOPBACK : parseIpv4Address(place);
  const port = Number(from), guestPort = Number(to);
  if (address === undefined || port > PORT_MOST || guestPort > PORT_MOST || guestPort === 0) return undefined;
  return { protocol: protocol === "tcp" ? "tcp" : "udp", at: { address, port }, port: guestPort };
}
