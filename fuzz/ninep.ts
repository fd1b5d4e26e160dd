/**
 * The kind `9p`: random requests to the server of a shared folder, beside which is another one that it must not reach, whatever links
 * lead there. A case is a sequence of requests to two servers of the same folder; between them the host changes it, too. Nothing throws,
 * each answer is well-formed, and the other folder is never seen nor changed.
 * @module
 */
import { DenoFiles } from "../devices/ninep/deno_files.ts";
import { NinepServer } from "../devices/ninep/ninep_server.ts";
import { RLERROR_LENGTH } from "../devices/ninep/protocol.ts";
import { Prng } from "../tests/differential/prng.ts";
import type { Fuzzer, Kind } from "./kind.ts";
import { checkAnswer, type Forbidden } from "./ninep_answers.ts";
import { LINKS, NAMES, RequestMaker } from "./ninep_messages.ts";

/** Requests of a case. */
export const REQUESTS = 100;

const SECRET = "CONTENTS-OF-THE-OUTSIDE", SECRET_NAME = "NAME-OF-THE-OUTSIDE";
const ROOM_MOST = 1 << 20;

/** A place on the host with the shared folder `in`, and `out`. */
class Ninep implements Fuzzer {
  readonly #place: string = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "fuzz-9p-" }));
  readonly #forbidden: Forbidden;
  readonly #before: string;

  constructor() {
    Deno.mkdirSync(`${this.#place}/out/folder`, { recursive: true });
    Deno.writeTextFileSync(`${this.#place}/out/s`, SECRET);
    Deno.writeTextFileSync(`${this.#place}/out/${SECRET_NAME}`, SECRET);
    const outside = ["", "/out", "/out/s", "/out/folder", `/out/${SECRET_NAME}`];
    const inodes = outside.map((path) => BigInt(Deno.lstatSync(this.#place + path).ino ?? 0));
    this.#forbidden = { texts: [SECRET, SECRET_NAME], inodes: new Set(inodes) };
    this.#fill();
    this.#before = this.#outside();
  }

  run(number: number): string | null {
    const random = new Prng(number);
    this.#fill();
    const errors: unknown[] = [];
    const makeServer = (): NinepServer =>
      new NinepServer({
        files: new DenoFiles(`${this.#place}/in`),
        readonly: random.once(10),
        hostOpen: random.pick([1, 2, 256]),
        failed: (error) => errors.push(error),
      });
    const clients = [1, 2].map(() => ({ server: makeServer(), maker: new RequestMaker(random, this.#place) }));
    const requests: Uint8Array[] = [];
    const report = (problem: string): string => {
      const messages = requests.map((each) => each.toHex()).join("\n  ");
      return `${problem}\nThe requests, the last one being the one to look at:\n  ${messages}`;
    };
    try {
      for (const { server, maker } of clients) {
        for (const message of maker.beginning()) maker.learn(message, server.serve(message, ROOM_MOST));
      }
      for (let n = 0; n < REQUESTS; n++) {
        const { server, maker } = random.once(6) ? clients[1] : clients[0];
        const message = maker.next();
        const room = random.once(8) ? RLERROR_LENGTH + random.below(200) : ROOM_MOST;
        requests.push(message);
        const answer = server.serve(message, room);
        const problem = checkAnswer(message, answer, room, this.#forbidden);
        if (problem !== null) return report(`An answer is wrong: ${problem}`);
        if (errors.length > 0) return report(`The server fails: ${errors[0]}`);
        maker.learn(message, answer);
        if (random.once(25)) this.#disturb(random);
      }
      const after = this.#outside();
      if (after !== this.#before) return report(`The outside has changed:\n  ${this.#before}\n  ${after}`);
      return null;
    } catch (error) {
      return report(`The server throws: ${error}`);
    } finally {
      for (const { server } of clients) server.reset();
    }
  }

  [Symbol.dispose](): void {
    removeAll(this.#place);
  }

  /** The shared folder, as each case finds it. */
  #fill(): void {
    const place = this.#place, folder = `${place}/in`;
    removeAll(folder);
    Deno.mkdirSync(`${folder}/d/e`, { recursive: true });
    for (const name of ["a", "b", "d/a", "d/e/b"]) Deno.writeTextFileSync(`${folder}/${name}`, `this is ${name}`);
    const targets: Readonly<Record<typeof LINKS[number], string>> = {
      escape: "../out",
      secret: `${place}/out/s`,
      up: "..",
      loop: "loop",
      nowhere: "x/y",
    };
    for (const name of LINKS) Deno.symlinkSync(targets[name], `${folder}/${name}`);
  }

  /** The host changes the folder between two requests. */
  #disturb(random: Prng): void {
    const folder = `${this.#place}/in`, name = `${folder}/${random.pick(NAMES)}`;
    try {
      switch (random.below(3)) {
        case 0:
          Deno.renameSync(name, `${name}-moved`);
          Deno.symlinkSync("../out", name);
          break;
        case 1:
          Deno.renameSync(`${folder}/${random.pick(LINKS)}`, name);
          break;
        default:
          Deno.renameSync(`${folder}/new${random.below(4)}`, name);
      }
    } catch {
      // What the requests have left may not be as it was.
    }
  }

  /** All there is to see of the outside. */
  #outside(): string {
    const look = (path: string): unknown => {
      const { mode, size, nlink, uid, gid, mtime, ctime, ino } = Deno.lstatSync(path);
      return [path, mode, size, nlink, uid, gid, mtime, ctime, ino];
    };
    const out = `${this.#place}/out`;
    const names = [...Deno.readDirSync(out)].map(({ name }) => name).sort();
    const texts = ["s", SECRET_NAME].map((name) => Deno.readTextFileSync(`${out}/${name}`));
    const folder = [...Deno.readDirSync(`${out}/folder`)].length;
    const above = [...Deno.readDirSync(this.#place)].map(({ name }) => name).sort();
    return JSON.stringify([look(out), names.map((name) => look(`${out}/${name}`)), texts, folder, above]);
  }
}

/** Removes a folder, whatever its permissions are. */
function removeAll(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    allow(folder);
    Deno.removeSync(folder, { recursive: true });
  }
}

function allow(folder: string): void {
  Deno.chmodSync(folder, 0o700);
  for (const { name, isDirectory } of Deno.readDirSync(folder)) if (isDirectory) allow(`${folder}/${name}`);
}

/** The server on a folder of the host. */
export const NINEP: Kind = {
  name: "9p",
  summary: `${REQUESTS} requests each to the server of a shared folder, which must stay in it`,
  missing: () => {
    if (Deno.build.os === "windows") return "Windows has no shared folders";
    return ["read", "write"].every((name) => Deno.permissions.querySync({ name: name as "read" }).state === "granted")
      ? undefined
      : "needs --allow-read and --allow-write";
  },
  open: () => new Ninep(),
};
