/**
 * Which network cards a board may have, and what they are plugged into.
 * @module
 */

import type { Clock } from "../clock.ts";
import type { EthernetPort } from "./ethernet.ts";

/** The cards, by QEMU's names. */
export const NETWORK_CARDS = ["virtio", "ne2k_pci", "ne2k_isa"] as const;

/** A card. */
export type NetworkCard = typeof NETWORK_CARDS[number];

/** The address of a card that is told none: QEMU's. */
export const NETWORK_MAC: Uint8Array = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);

/** A network behind a cable. */
export interface Network {
  /** The end of the cable. */
  readonly port: EthernetPort;
  /** Whether something may come for the guest without its doing. */
  readonly awaits: () => boolean;
}

/** What a network gets from its board. */
export interface NetworkWires {
  /** The time. */
  readonly clock: Clock;
  /** To be called when a frame was put into the card: wakes a processor that sleeps. */
  readonly delivered: () => void;
}

/** A card of a board. */
export interface NetworkCardOptions {
  /** Which. */
  readonly card: NetworkCard;
  /** Its address, six bytes; {@linkcode NETWORK_MAC} unless told. */
  readonly mac?: Uint8Array;
  /** Makes the network. */
  readonly network: (wires: NetworkWires) => Network;
}
