/**
 * Ethernet between a network card and what is at the other end of its cable.
 *
 * Frames are without preamble and check sequence: destination, source, type, contents.
 * @module
 */

/** Bytes of the header: two addresses and the type. */
export const ETHERNET_HEADER = 14;
/** The longest frame on a wire, without its check sequence. */
export const ETHERNET_MOST = 1514;
/** The most bytes that a frame carries on a wire. */
export const ETHERNET_MTU: number = ETHERNET_MOST - ETHERNET_HEADER;
/** Bytes of an address. */
export const MAC_LENGTH = 6;
/** Where the type is in a frame. */
export const ETHER_TYPE_AT = 12;

/** Types of frames. */
export const ETHER_TYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;

/** The address of everybody. */
export const MAC_BROADCAST: Uint8Array = new Uint8Array(MAC_LENGTH).fill(0xff);

/** A network card, as the cable sees it. */
export interface EthernetCard {
  /**
   * The longest frame with TCP that the card takes: {@linkcode ETHERNET_MOST}, or more where its driver takes segments that have
   * yet to be cut.
   */
  readonly largest: number;
  /**
   * Takes a frame for the guest.
   * @param frame The frame. The card may change it, and has no use of it later.
   * @param segmentSize Given for TCP that stands for several segments, where the card takes such: the payload of each of them, in bytes;
   * the sum in its TCP header is that of the pseudo header only.
   * @returns Whether it was taken, or lost. If not, there is no room; `resume` of the port is called when there is.
   */
  receive(frame: Uint8Array, segmentSize?: number): boolean;
}

/** How a card sends. */
export interface EthernetSendOptions {
  /** Whether checksums of TCP and UDP may be missing, for the frame never was on a wire; no unless told. */
  readonly unchecked?: boolean;
}

/** The end of a cable that a card is plugged into. */
export interface EthernetPort {
  /**
   * Plugs a card in, in place of an earlier one.
   * @param card The card.
   */
  connect(card: EthernetCard): void;
  /**
   * Takes a frame from the card.
   * @param frame The frame, of any length and with any contents; it is the card's again when the call returns.
   * @param options How it is sent.
   */
  send(frame: Uint8Array, options?: EthernetSendOptions): void;
  /** The card has room again. */
  resume(): void;
}

/**
 * Reads an address as people write it.
 * @param text Six bytes in hexadecimal, with colons or hyphens between them.
 * @returns The address; none: it is no such text.
 */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

/**
 * Writes an address as people do.
 * @param mac Six bytes.
 */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/**
 * Writes the header of a frame.
 * @param frame The frame.
 * @param header To whom, from whom, and the type of what follows.
 */
export function writeEthernet(
  frame: Uint8Array,
  header: { readonly to: Uint8Array; readonly from: Uint8Array; readonly type: number },
): void {
  frame.set(header.to);
  frame.set(header.from, MAC_LENGTH);
  frame[ETHER_TYPE_AT] = header.type >> 8;
  frame[ETHER_TYPE_AT + 1] = header.type;
}
