/**
 * The framing of gdb's remote serial protocol: `$body#checksum`, acknowledgements, and the interrupt byte.
 * Source: Debugging with GDB, appendix "GDB Remote Serial Protocol".
 * @module
 */

const DOLLAR = 0x24, HASH = 0x23, PLUS = 0x2b, MINUS = 0x2d, ESCAPE = 0x7d, STAR = 0x2a, INTERRUPT = 0x03;
/** What an escaped byte is combined with. */
const ESCAPE_XOR = 0x20;

/** The longest body that is taken, in bytes. */
export const PACKET_MOST = 0x8000;

/** What came over the line. */
export type PacketEvent =
  /** A packet with a right checksum; its body as it came, escapes and all. */
  | { readonly kind: "packet"; readonly body: Uint8Array }
  /** A packet with a wrong checksum, or one that is too long. */
  | { readonly kind: "corrupt" }
  /** The other side got our last packet, or asks for it again. */
  | { readonly kind: "ack" | "nak" }
  /** Ctrl-C. */
  | { readonly kind: "interrupt" };

/** Takes a stream of bytes apart, however it is cut into pieces. */
export class PacketReader {
  #state: "idle" | "body" | "sum1" | "sum2" = "idle";
  readonly #body: number[] = [];
  #sum = 0;
  #given = 0;

  /**
   * Takes the next bytes.
   * @param bytes What came.
   * @returns What was completed by it, in order.
   */
  read(bytes: Uint8Array): PacketEvent[] {
    const events: PacketEvent[] = [];
    for (const byte of bytes) {
      const event = this.#byte(byte);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #byte(byte: number): PacketEvent | null {
    switch (this.#state) {
      case "idle":
        if (byte === DOLLAR) this.#begin();
        else if (byte === PLUS) return { kind: "ack" };
        else if (byte === MINUS) return { kind: "nak" };
        else if (byte === INTERRUPT) return { kind: "interrupt" };
        return null;
      case "body":
        if (byte === DOLLAR) this.#begin();
        else if (byte === HASH) this.#state = "sum1";
        else {
          this.#sum = this.#sum + byte & 0xff;
          if (this.#body.length <= PACKET_MOST) this.#body.push(byte);
        }
        return null;
      case "sum1":
        this.#given = digit(byte) << 4;
        this.#state = "sum2";
        return null;
      case "sum2": {
        this.#state = "idle";
        const right = (this.#given | digit(byte)) === this.#sum && this.#body.length <= PACKET_MOST;
        return right ? { kind: "packet", body: Uint8Array.from(this.#body) } : { kind: "corrupt" };
      }
    }
  }

  #begin(): void {
    this.#state = "body";
    this.#body.length = 0;
    this.#sum = 0;
  }
}

/** The value of a hexadecimal digit, or a number that makes every checksum wrong. */
function digit(byte: number): number {
  const value = parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 0x100 : value;
}

/**
 * A packet.
 * @param body Its body: text of the Latin-1 range, each character one byte; escaped here as need be.
 */
export function encodePacket(body: string): Uint8Array {
  const bytes: number[] = [DOLLAR];
  let sum = 0;
  const put = (byte: number): void => {
    bytes.push(byte);
    sum = sum + byte & 0xff;
  };
  for (let n = 0; n < body.length; n++) {
    const byte = body.charCodeAt(n);
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) {
      put(ESCAPE);
      put(byte ^ ESCAPE_XOR);
    } else put(byte);
  }
  bytes.push(HASH, ...sum.toString(16).padStart(2, "0").split("").map((c) => c.charCodeAt(0)));
  return Uint8Array.from(bytes);
}

/** Binary data of a packet without its escapes. */
export function unescapeBytes(bytes: Uint8Array): Uint8Array {
  const plain: number[] = [];
  for (let n = 0; n < bytes.length; n++) {
    plain.push(bytes[n] === ESCAPE && n + 1 < bytes.length ? bytes[++n] ^ ESCAPE_XOR : bytes[n]);
  }
  return Uint8Array.from(plain);
}
