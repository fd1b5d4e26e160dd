/**
 * Random requests of 9P2000.L: mostly such as a client could send, some of them damaged.
 * @module
 */
import { type Part, request, u16, u32, u64, u8 } from "../devices/ninep/ninep_client_test.ts";
import { NO_FID, NO_TAG, OPEN, QID, REQUEST, RLERROR, VERSION } from "../devices/ninep/protocol.ts";
import type { Prng } from "../tests/differential/prng.ts";

/** The names of files that the folder has at first. */
export const NAMES = ["a", "b", "d", "e"] as const;
/** The names of links that lead out of the folder, round in circles, or nowhere. */
export const LINKS = ["escape", "secret", "up", "loop", "nowhere"] as const;

const FIDS = 12;
const TYPES = Object.values(REQUEST);
/** What is asked for more often than once in all types. */
const OFTEN = [
  REQUEST.WALK,
  REQUEST.WALK,
  REQUEST.WALK,
  REQUEST.LOPEN,
  REQUEST.LCREATE,
  REQUEST.READ,
  REQUEST.WRITE,
  REQUEST.READDIR,
  REQUEST.CLUNK,
];
// deno-fmt-ignore
const EVIL = ["..", ".", "", "/", "../out", "../out/s", "a/b", "d/../../out", "/etc", "//", "a\0b", "out", "s", "..\\out", "x".repeat(255),
  "x".repeat(256), "\u00e9".repeat(127), "\u{1f642}", "\ufffd", "-", " ", "a\n"];
const KIND_BITS = [0, 0o100000, 0o040000, 0o120000, 0o020000, 0o060000, 0o010000, 0o140000];

/** The requests that say nothing of a fid which a client has. */
const CONNECTION: readonly number[] = [REQUEST.VERSION, REQUEST.AUTH, REQUEST.ATTACH, REQUEST.FLUSH];

/** What should be open of the fid of some requests. */
const WANTS: ReadonlyMap<number, "closed" | "file" | "folder"> = new Map([
  [REQUEST.LOPEN, "closed"],
  [REQUEST.LCREATE, "closed"],
  [REQUEST.READ, "file"],
  [REQUEST.WRITE, "file"],
  [REQUEST.READDIR, "folder"],
]);

/** Makes the requests of a client, which remembers what it has. */
export class RequestMaker {
  /** Its fids, and what is open of each. */
  readonly #fids: Map<number, "closed" | "file" | "folder"> = new Map();
  readonly #random: Prng;
  readonly #place: string;

  /**
   * Makes a maker.
   * @param random Where choices come from.
   * @param place The path of the folder above the shared one, for links that lead there.
   */
  constructor(random: Prng, place: string) {
    this.#random = random;
    this.#place = place;
  }

  /** The requests with which a client begins. */
  beginning(): Uint8Array[] {
    const most = this.#random.pick([4096, 8192, 65536, 524288]);
    return [
      request(REQUEST.VERSION, NO_TAG, u32(most), VERSION),
      request(REQUEST.ATTACH, 1, u32(0), u32(NO_FID), "root", "", u32(0)),
    ];
  }

  /** The next request. */
  next(): Uint8Array {
    const random = this.#random;
    if (this.#fids.size === 0 && !random.once(3)) return random.pick(this.beginning());
    const any = random.once(3) ? random.pick(TYPES) : random.pick(OFTEN);
    const type = CONNECTION.includes(any) && !random.once(8) ? REQUEST.WALK : any;
    const message = request(type, random.once(50) ? NO_TAG : random.below(100), ...this.#parts(type));
    return random.once(8) ? this.#damage(message) : message;
  }

  /**
   * Learns from an answer.
   * @param message A request.
   * @param answer What the server has given.
   */
  learn(message: Uint8Array, answer: Uint8Array): void {
    const type = message[4], fids = this.#fids;
    if (answer[4] === RLERROR && type !== REQUEST.REMOVE) return;
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const fid = message.length < 11 ? NO_FID : view.getUint32(7, true);
    switch (type) {
      case REQUEST.VERSION:
        fids.clear();
        break;
      case REQUEST.ATTACH:
        fids.set(fid, "closed");
        break;
      case REQUEST.WALK:
        if (message.length < 17 || answer[7] < message[15]) break;
        fids.set(view.getUint32(11, true), "closed");
        break;
      case REQUEST.LOPEN:
        fids.set(fid, (answer[7] & QID.FOLDER) !== 0 ? "folder" : "file");
        break;
      case REQUEST.LCREATE:
        fids.set(fid, "file");
        break;
      case REQUEST.CLUNK:
      case REQUEST.REMOVE:
        fids.delete(fid);
    }
  }

  #damage(message: Uint8Array): Uint8Array {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        return message.subarray(0, random.below(message.length));
      case 1:
        new DataView(message.buffer).setUint32(0, random.once(2) ? random.u32() : random.below(100), true);
        return message;
      case 2: {
        const longer = new Uint8Array(message.length + random.range(1, 20));
        longer.set(message);
        if (random.once(2)) new DataView(longer.buffer).setUint32(0, longer.length, true);
        return longer;
      }
      case 3:
        return Uint8Array.from({ length: random.below(60) }, () => random.u32());
      default:
        for (let n = random.range(1, 4); n > 0; n--) message[random.below(message.length)] = random.u32();
        return message;
    }
  }

  /** A fid: most often one that the client has, with that open. */
  #fid(open?: "closed" | "file" | "folder"): Part {
    const random = this.#random;
    if (open === undefined && random.once(4)) return u32(0);
    const own = random.once(12) ? [] : [...this.#fids].filter(([, each]) => open === undefined || each === open);
    if (own.length > 0) return u32(random.pick(own)[0]);
    return u32(random.once(40) ? random.pick([NO_FID, 0xfffffffe, 0x80000000]) : random.below(FIDS));
  }

  /** A fid that the client does not have, as a rule. */
  #newFid(): Part {
    const free = Array.from({ length: FIDS }, (_, n) => n).filter((n) => !this.#fids.has(n));
    return free.length === 0 || this.#random.once(12) ? this.#fid() : u32(this.#random.pick(free));
  }

  #name(): string {
    const random = this.#random;
    if (random.once(12)) return random.pick(EVIL);
    if (random.once(4)) return random.pick(LINKS);
    return random.once(3) ? `new${random.below(4)}` : random.pick(NAMES);
  }

  #target(): string {
    const place = this.#place;
    const ways = [
      `${place}/out`,
      `${place}/out/s`,
      "../out",
      "../out/s",
      "..",
      "/",
      ".",
      "/proc/self/root",
      "a",
      "d",
      "",
      "x\0",
    ];
    return this.#random.once(10) ? this.#name() : this.#random.pick(ways);
  }

  #offset(): Part {
    const random = this.#random;
    return u64(random.once(8) ? random.value() : random.below(3) * random.below(5000));
  }

  #mode(): Part {
    const random = this.#random;
    return u32(random.once(10) ? random.u32() : random.pick(KIND_BITS) | random.below(0o10000));
  }

  #flags(): Part {
    const random = this.#random;
    const { EXCLUSIVE, TRUNCATE, APPEND, FOLDER, SYNC } = OPEN;
    const extra = random.once(3) ? random.pick([EXCLUSIVE, TRUNCATE, APPEND, FOLDER, SYNC, 0o100, 0o400000]) : 0;
    return u32(random.once(20) ? random.u32() : random.pick([0, 0, 1, 2, 2, 3]) | extra);
  }

  #count(): Part {
    const random = this.#random;
    return u32(random.once(10) ? random.u32() : random.below(5000));
  }

  #time(): Part {
    return u64(this.#random.once(4) ? this.#random.value() : this.#random.u32());
  }

  #parts(type: number): Part[] {
    const random = this.#random, fid = this.#fid(WANTS.get(type));
    switch (type) {
      case REQUEST.VERSION:
        return random.once(4)
          ? [u32(random.pick([0, 100, 4096, 0xffffffff])), random.pick([VERSION, "9P2000", ""])]
          : [u32(8192), VERSION];
      case REQUEST.AUTH:
        return [fid, "root", "", u32(0)];
      case REQUEST.ATTACH:
        return [
          this.#newFid(),
          random.once(9) ? fid : u32(NO_FID),
          "root",
          random.once(6) ? this.#target() : "",
          u32(0),
        ];
      case REQUEST.FLUSH:
        return [u16(random.below(100))];
      case REQUEST.WALK: {
        const names = Array.from(
          { length: random.once(40) ? 17 : random.below(random.once(3) ? 4 : 2) },
          () => this.#name(),
        );
        const other = random.once(12) ? fid : this.#newFid();
        return [fid, other, u16(names.length), ...names];
      }
      case REQUEST.LOPEN:
        return [fid, this.#flags()];
      case REQUEST.LCREATE:
        return [fid, this.#name(), this.#flags(), this.#mode(), u32(0)];
      case REQUEST.SYMLINK:
        return [fid, this.#name(), this.#target(), u32(0)];
      case REQUEST.MKNOD:
        return [fid, this.#name(), this.#mode(), u32(1), u32(3), u32(0)];
      case REQUEST.MKDIR:
        return [fid, this.#name(), this.#mode(), u32(0)];
      case REQUEST.RENAME:
      case REQUEST.LINK:
        return [fid, this.#fid(), this.#name()];
      case REQUEST.RENAMEAT:
        return [fid, this.#name(), this.#fid(), this.#name()];
      case REQUEST.UNLINKAT:
        return [fid, this.#name(), u32(random.pick([0, 0x200, 0x200, 1]))];
      case REQUEST.GETATTR:
        return [fid, u64(0x7ff)];
      case REQUEST.SETATTR: {
        const size = random.once(9) ? u64(random.value()) : u64(random.below(10_000));
        const times = Array.from({ length: 4 }, () => this.#time());
        return [
          fid,
          u32(random.below(0x200)),
          this.#mode(),
          u32(random.below(3)),
          u32(random.below(3)),
          size,
          ...times,
        ];
      }
      case REQUEST.READ:
      case REQUEST.READDIR:
        return [fid, this.#offset(), this.#count()];
      case REQUEST.WRITE: {
        const bytes = new Uint8Array(random.once(20) ? 3000 : random.below(50)).fill(random.u32());
        return [fid, this.#offset(), random.once(20) ? this.#count() : u32(bytes.length), bytes];
      }
      case REQUEST.FSYNC:
        return [fid, u32(1)];
      case REQUEST.XATTRWALK:
        return [fid, this.#fid(), "user.x"];
      case REQUEST.XATTRCREATE:
        return [fid, "user.x", u64(1), u32(0)];
      case REQUEST.LOCK:
        return [fid, u8(1), u32(0), u64(0), u64(0), u32(5), "guest"];
      case REQUEST.GETLOCK:
        return [fid, u8(1), u64(0), u64(0), u32(5), "guest"];
      default:
        return [fid];
    }
  }
}
