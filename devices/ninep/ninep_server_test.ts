import { assertEquals } from "@std/assert";
import { DenoFiles } from "./deno_files.ts";
import { ERRNO } from "./errno.ts";
import { FIDS_MOST } from "./fids.ts";
import { Answer, Client, request, u16, u32, u64, u8 } from "./ninep_client_test.ts";
import { NinepServer } from "./ninep_server.ts";
import { NO_FID, NO_TAG, OPEN, QID, REMOVE_FOLDER, REQUEST, RLERROR, SET } from "./protocol.ts";

/** Bits of `st_mode` of a file. */
const FILE = 0o100000;
const ignore = Deno.build.os === "windows";

/** A folder with another one beside it, `out`, into which `in/escape` and `in/secret` lead. */
class Bench implements Disposable {
  readonly place: string = Deno.realPathSync(Deno.makeTempDirSync());
  readonly server: NinepServer;
  readonly client: Client;
  readonly errors: unknown[] = [];

  constructor(options: { readonly readonly?: boolean } = {}) {
    Deno.mkdirSync(this.path("in/folder"), { recursive: true });
    Deno.mkdirSync(this.path("out"));
    Deno.writeTextFileSync(this.path("out/secret"), "secret");
    Deno.writeTextFileSync(this.path("in/hello"), "hello, world");
    Deno.symlinkSync("../out", this.path("in/escape"));
    Deno.symlinkSync(this.path("out/secret"), this.path("in/secret"));
    const files = new DenoFiles(this.path("in"));
    this.server = new NinepServer({ ...options, files, failed: (error) => this.errors.push(error) });
    this.client = new Client(this.server);
  }

  readonly path = (path: string): string => `${this.place}/${path}`;

  readonly text = (path: string): string => Deno.readTextFileSync(this.path(path));

  [Symbol.dispose](): void {
    this.server.reset();
    Deno.removeSync(this.place, { recursive: true });
    assertEquals(this.errors, []);
  }
}

function test(name: string, fn: (bench: Bench) => void, options: { readonly readonly?: boolean } = {}): void {
  Deno.test({
    name: `NinepServer ${name}`,
    ignore,
    fn: () => {
      using bench = new Bench(options);
      fn(bench);
      assertEquals(bench.text("out/secret"), "secret");
      assertEquals([...Deno.readDirSync(bench.path("out"))].length, 1);
    },
  });
}

test("agrees on a version and a size, and serves nothing before", ({ server }) => {
  const ask = (...message: Parameters<typeof request>): Answer => new Answer(server.serve(request(...message), 100));
  const version = (most: number, name: string): [number, string] | number => {
    const answer = ask(REQUEST.VERSION, NO_TAG, u32(most), name);
    return answer.type === RLERROR ? answer.number(4) : [answer.number(4), answer.text()];
  };
  assertEquals(version(8192, "9P2000.L"), [8192, "9P2000.L"]);
  assertEquals(server.fids, 0, "what was attached is gone");
  assertEquals(version(2 ** 32 - 1, "9P2000.L"), [512 * 1024, "9P2000.L"]);
  assertEquals(version(4095, "9P2000.L"), ERRNO.EMSGSIZE);
  assertEquals(version(8192, "9P2000.u"), [8192, "unknown"]);
  assertEquals(ask(REQUEST.ATTACH, 1, u32(0), u32(NO_FID), "", "", u32(0)).number(4), ERRNO.EPROTO);
});

test("attaches once a fid, without authentication", ({ client }) => {
  const attach = (fid: number, auth: number, tree: string) =>
    client.ask(REQUEST.ATTACH, u32(fid), u32(auth), "user", tree, u32(1000));
  assertEquals(attach(0, NO_FID, ""), ERRNO.EINVAL);
  assertEquals(attach(1, 0, ""), ERRNO.EINVAL);
  assertEquals(attach(1, NO_FID, "/etc"), ERRNO.ENOENT);
  assertEquals(typeof attach(1, NO_FID, "/"), "object");
  assertEquals(client.do(REQUEST.AUTH, u32(2), "user", "", u32(0)), ERRNO.EOPNOTSUPP);
});

test("walks by names, and as far as they lead", ({ client, server }) => {
  assertEquals(client.walk(0, 1, "folder"), [QID.FOLDER]);
  assertEquals(client.walk(0, 2, "hello"), [QID.FILE]);
  assertEquals(client.walk(0, 3, "escape"), [QID.LINK]);
  assertEquals(client.walk(0, 4), []);
  assertEquals(client.walk(0, 5, "folder", "nothing"), [QID.FOLDER]);
  assertEquals(client.walk(0, 5, "nothing"), ERRNO.ENOENT);
  assertEquals(client.walk(0, 5, "escape", "secret"), [QID.LINK]);
  assertEquals(client.walk(3, 5, "secret"), ERRNO.ELOOP);
  assertEquals(client.walk(2, 5, "x"), ERRNO.ENOTDIR);
  assertEquals(client.walk(0, 1), ERRNO.EINVAL, "taken");
  assertEquals(client.walk(9, 10), ERRNO.EBADF);
  assertEquals(server.fids, 5);
  assertEquals(client.walk(1, 1), []);
  for (const name of ["..", ".", "", "/", "a/b", "../out", "a\0b", "folder/..", "/etc"]) {
    assertEquals(client.walk(0, 5, name), ERRNO.EINVAL, JSON.stringify(name));
  }
  assertEquals(client.walk(0, 5, "x".repeat(256)), ERRNO.ENAMETOOLONG);
  assertEquals(client.walk(0, 5, ...Array<string>(17).fill("folder")), ERRNO.EINVAL);
});

test("reads a file in parts, and refuses what the answer has no room for", ({ client, path }) => {
  client.walk(0, 1, "hello");
  assertEquals(client.read(1), ERRNO.EBADF);
  assertEquals(client.open(1), 0);
  assertEquals(client.open(1), ERRNO.EINVAL);
  assertEquals(client.read(1, 0, 5), "hello");
  assertEquals(client.read(1, 7), "world");
  assertEquals(client.read(1, 12), "");
  client.room = 7 + 4 + 3;
  assertEquals(client.read(1), "hel");
  client.room = 7 + 2 + 13 + 5;
  assertEquals(client.walk(0, 2, "folder", "x"), [QID.FOLDER]);
  Deno.mkdirSync(path("in/folder/x"));
  assertEquals(client.walk(0, 2, "folder", "x"), ERRNO.EMSGSIZE, "no room for both");
  client.room = 1 << 20;
  assertEquals(client.write(1, "x"), -ERRNO.EBADF);
});

test("makes, writes and cuts files; the mode is what was asked for", ({ client, text, path }) => {
  client.walk(0, 1, "folder");
  assertEquals(client.create(1, "new", OPEN.READ_WRITE, 0o666), 0);
  assertEquals(Deno.statSync(path("in/folder/new")).mode, FILE | 0o666);
  assertEquals(client.write(1, "hello, world"), 12);
  assertEquals(client.write(1, "HE", 0), 2);
  assertEquals(client.read(1), "HEllo, world");
  assertEquals(client.write(1, "x", 2n ** 63n), -ERRNO.EFBIG);
  assertEquals(client.do(REQUEST.FSYNC, u32(1), u32(0)), 0);
  assertEquals(client.set(1, SET.SIZE, { size: 4 }), 0);
  assertEquals(text("in/folder/new"), "HEll");
  client.walk(0, 2, "folder");
  assertEquals(client.create(2, "new", OPEN.READ_WRITE | OPEN.EXCLUSIVE), ERRNO.EEXIST);
  assertEquals(client.create(2, "new", OPEN.WRITE | OPEN.APPEND), 0);
  assertEquals(client.write(2, "!", 0), 1);
  assertEquals(client.read(2), ERRNO.EBADF);
  assertEquals(client.read(1), "HEll!");
  client.walk(0, 3, "hello");
  assertEquals(client.open(3, OPEN.WRITE | OPEN.TRUNCATE), 0);
  assertEquals(text("in/hello"), "");
  client.walk(0, 4);
  assertEquals(client.create(4, "../out/new"), ERRNO.EINVAL);
  assertEquals(client.create(4, "secret"), ERRNO.ELOOP, "a link is not followed");
  assertEquals(client.create(4, "set", 2, 0o6755), 0);
  assertEquals(Deno.statSync(path("in/set")).mode, FILE | 0o755, "nothing runs as its owner");
});

test("lists folders in parts, with . and ..", ({ client, path }) => {
  for (let n = 0; n < 100; n++) Deno.writeTextFileSync(path(`in/folder/file ${n}`), "");
  Deno.writeTextFileSync(path("in/folder/\u{1f642}"), "");
  client.walk(0, 1, "folder");
  assertEquals(client.list(1), ERRNO.EBADF);
  assertEquals(client.open(1, OPEN.FOLDER), 0);
  const names = client.list(1, 200) as string[];
  assertEquals(names.length, 103);
  assertEquals([...names.slice(0, 3), names.at(-1)], [".", "..", "file 0", "\u{1f642}"]);
  assertEquals(client.list(1, 20), ERRNO.EINVAL, "no room for an entry");
  assertEquals(client.read(1), ERRNO.EISDIR);
  client.walk(0, 2);
  client.open(2);
  assertEquals(client.list(2), [".", "..", "escape", "folder", "hello", "secret"]);
});

test("tells attributes and sets them", ({ client, path }) => {
  client.walk(0, 1, "hello");
  const before = client.stat(1);
  assertEquals(typeof before === "object" && [before.type, before.size, before.links], [QID.FILE, 12, 1]);
  assertEquals(client.set(1, SET.MODE, { mode: 0o4640 }), 0);
  const times = { accessed: [1_000_000_000, 5e8], modified: [-1000, 25e7] } as const;
  assertEquals(client.set(1, SET.ACCESSED | SET.ACCESSED_TO | SET.MODIFIED | SET.MODIFIED_TO, times), 0);
  const { mode, atime, mtime } = Deno.statSync(path("in/hello"));
  assertEquals([mode, atime?.getTime(), mtime?.getTime()], [FILE | 0o640, 1e12 + 500, -999_750]);
  assertEquals(client.set(1, SET.MODIFIED, {}), 0);
  const after = client.stat(1);
  assertEquals(typeof after === "object" && [after.accessed, after.modified > 1.6e9], [1_000_000_000.5, true]);
  assertEquals(client.set(1, SET.SIZE, { size: 5 }), 0);
  assertEquals(Deno.statSync(path("in/hello")).size, 5);
  assertEquals(client.set(1, SET.SIZE, { size: 2 ** 53 }), ERRNO.EFBIG);
  assertEquals(client.set(0, SET.SIZE, { size: 5 }), ERRNO.EISDIR);
  assertEquals(client.set(1, SET.USER | SET.GROUP, { user: 2 ** 32 - 1, group: 2 ** 32 - 1 }), 0, "as they are");
});

test("never touches what a link leads to", ({ client, path }) => {
  const before = Deno.statSync(path("out/secret"));
  for (const name of ["secret", "escape"]) {
    client.walk(0, 1, name);
    assertEquals(client.open(1), ERRNO.ELOOP);
    assertEquals(client.open(1, OPEN.WRITE | OPEN.TRUNCATE), ERRNO.ELOOP);
    assertEquals(client.set(1, SET.MODE, { mode: 0o777 }), ERRNO.EOPNOTSUPP);
    assertEquals([ERRNO.ELOOP, ERRNO.EISDIR].includes(client.set(1, SET.SIZE, { size: 0 }) as never), true);
    assertEquals(client.set(1, SET.MODIFIED | SET.MODIFIED_TO, { modified: [-5, 0] }), 0);
    assertEquals(Deno.lstatSync(path(`in/${name}`)).mtime?.getTime(), -5000);
    assertEquals(client.create(1, "new"), ERRNO.ELOOP);
    assertEquals(client.do(REQUEST.UNLINKAT, u32(1), "secret", u32(0)), ERRNO.ELOOP);
    assertEquals(client.do(REQUEST.MKDIR, u32(1), "new", u32(0o777), u32(0)), ERRNO.ELOOP);
    assertEquals(client.do(REQUEST.RENAMEAT, u32(1), "secret", u32(0), "stolen"), ERRNO.ELOOP);
    assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "hello", u32(1), "planted"), ERRNO.ELOOP);
    client.clunk(1);
  }
  const { mode, mtime, ctime } = Deno.statSync(path("out/secret"));
  assertEquals([mode, mtime, ctime], [before.mode, before.mtime, before.ctime]);
});

test("makes links, and tells where they lead", ({ client, path }) => {
  client.walk(0, 1, "folder");
  const symlink = client.ask(REQUEST.SYMLINK, u32(1), "link", "../../etc/passwd", u32(0));
  if (typeof symlink === "number") assertEquals(symlink, ERRNO.EPERM, "Deno has no permission for it");
  else assertEquals(Deno.readLinkSync(path("in/folder/link")), "../../etc/passwd");
  client.walk(0, 2, "secret");
  const target = client.ask(REQUEST.READLINK, u32(2));
  assertEquals(typeof target === "object" && target.text(), path("out/secret"));
  client.walk(0, 3, "hello");
  assertEquals(client.ask(REQUEST.READLINK, u32(3)), ERRNO.EINVAL);
  assertEquals(client.do(REQUEST.LINK, u32(1), u32(3), "second"), 0);
  assertEquals(Deno.statSync(path("in/hello")).nlink, 2);
  assertEquals(client.do(REQUEST.LINK, u32(1), u32(1), "third"), ERRNO.EPERM);
  assertEquals(client.do(REQUEST.LINK, u32(1), u32(3), "../third"), ERRNO.EINVAL);
  assertEquals(client.do(REQUEST.LINK, u32(1), u32(2), "to secret"), 0, "the link itself");
  assertEquals(Deno.lstatSync(path("in/folder/to secret")).isSymlink, true);
  assertEquals(Deno.statSync(path("out/secret")).nlink, 1);
});

test("moves files; who knows one finds it where it is", ({ client, path, text }) => {
  Deno.mkdirSync(path("in/folder/deep"));
  Deno.writeTextFileSync(path("in/folder/deep/file"), "deep");
  client.walk(0, 1, "folder", "deep", "file");
  client.walk(0, 2, "hello");
  assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "folder", u32(0), "moved"), 0);
  assertEquals(client.open(1), 0);
  assertEquals(client.read(1), "deep");
  client.walk(0, 3, "moved");
  assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "moved", u32(3), "into itself"), ERRNO.EINVAL);
  assertEquals(client.do(REQUEST.RENAME, u32(2), u32(3), "file"), 0);
  assertEquals(text("in/moved/file"), "hello, world");
  assertEquals(client.do(REQUEST.RENAME, u32(0), u32(3), "root"), ERRNO.EBUSY);
  client.walk(3, 4, "file");
  Deno.writeTextFileSync(path("in/other"), "other");
  assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "other", u32(3), "file"), 0);
  assertEquals(client.stat(4), ERRNO.ENOENT, "the file that was there is gone");
  assertEquals(client.walk(3, 5, "file"), [QID.FILE]);
  assertEquals(client.open(5), 0);
  assertEquals(client.read(5), "other");
  assertEquals(client.do(REQUEST.LINK, u32(3), u32(5), "same"), 0);
  assertEquals(client.do(REQUEST.RENAMEAT, u32(3), "file", u32(3), "same"), 0, "two names of a file stay");
  client.walk(3, 6, "file");
  assertEquals(client.open(6), 0);
  assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "..", u32(3), "x"), ERRNO.EINVAL);
});

test("removes files and empty folders; an open file lives on", ({ client, path }) => {
  client.walk(0, 1, "hello");
  client.open(1, OPEN.READ_WRITE);
  const unlink = (name: string, flags = 0): number => client.do(REQUEST.UNLINKAT, u32(0), name, u32(flags));
  assertEquals(unlink("hello", REMOVE_FOLDER), ERRNO.ENOTDIR);
  assertEquals(unlink("hello"), 0);
  assertEquals(client.read(1), "hello, world");
  assertEquals(client.set(1, SET.SIZE, { size: 5 }), 0);
  const stat = client.stat(1);
  assertEquals(typeof stat === "object" && [stat.size, stat.links], [5, 0]);
  Deno.writeTextFileSync(path("in/hello"), "another");
  assertEquals(client.set(1, SET.MODE, { mode: 0 }), ERRNO.ENOENT, "it is not the one of its name");
  assertEquals(unlink("folder"), ERRNO.EISDIR);
  Deno.writeTextFileSync(path("in/folder/x"), "");
  assertEquals(unlink("folder", REMOVE_FOLDER), ERRNO.ENOTEMPTY);
  client.walk(0, 2, "folder", "x");
  assertEquals(client.do(REQUEST.REMOVE, u32(2)), 0);
  assertEquals(client.do(REQUEST.REMOVE, u32(2)), ERRNO.EBADF, "it is clunked");
  assertEquals(unlink("folder", REMOVE_FOLDER), 0);
  assertEquals(unlink("secret"), 0, "the link, not where it leads");
  assertEquals(unlink("..", REMOVE_FOLDER), ERRNO.EINVAL);
  client.walk(0, 2);
  assertEquals(client.do(REQUEST.REMOVE, u32(2)), ERRNO.EBUSY);
});

test("changes nothing in a folder that is read-only", ({ client, text }) => {
  client.walk(0, 1, "hello");
  client.walk(0, 2);
  assertEquals(client.open(1, OPEN.WRITE), ERRNO.EROFS);
  assertEquals(client.open(1, OPEN.READ | OPEN.TRUNCATE), ERRNO.EROFS);
  assertEquals(client.create(2, "new"), ERRNO.EROFS);
  assertEquals(client.set(1, SET.MODE, { mode: 0 }), ERRNO.EROFS);
  const [root, hello] = [u32(0), u32(1)];
  assertEquals(client.do(REQUEST.MKDIR, root, "new", u32(0), u32(0)), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.MKNOD, root, "new", u32(0), u32(0), u32(0), u32(0)), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.SYMLINK, root, "new", "x", u32(0)), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.LINK, root, hello, "new"), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.RENAME, hello, root, "new"), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.RENAMEAT, root, "hello", root, "new"), ERRNO.EROFS);
  assertEquals(client.do(REQUEST.UNLINKAT, root, "hello", u32(0)), ERRNO.EROFS);
  assertEquals(client.open(1), 0);
  assertEquals(client.read(1), "hello, world");
  assertEquals(client.do(REQUEST.REMOVE, hello), ERRNO.EROFS);
  assertEquals(text("in/hello"), "hello, world");
}, { readonly: true });

test("makes plain files by mknod, and no devices", ({ client, path }) => {
  const node = (name: string, mode: number) =>
    client.ask(REQUEST.MKNOD, u32(0), name, u32(mode), u32(1), u32(3), u32(0));
  assertEquals(typeof node("plain", FILE | 0o600), "object");
  assertEquals(Deno.statSync(path("in/plain")).mode, FILE | 0o600);
  assertEquals(
    [0o020666, 0o060666, 0o010666, 0o140666].map((mode) => node("device", mode)),
    Array(4).fill(ERRNO.EPERM),
  );
});

test("grants locks, knows no attributes but the usual ones, and tells the room", ({ client }) => {
  client.walk(0, 1, "hello");
  const lock = client.ask(REQUEST.LOCK, u32(1), u8(1), u32(0), u64(0), u64(0), u32(5), "guest");
  assertEquals(typeof lock === "object" && lock.number(1), 0);
  const get = client.ask(REQUEST.GETLOCK, u32(1), u8(1), u64(10), u64(20), u32(5), "guest");
  assertEquals(
    typeof get === "object" && [get.number(1), get.number(8), get.number(8), get.number(4), get.text()],
    [2, 10, 20, 5, "guest"],
  );
  assertEquals(client.ask(REQUEST.XATTRWALK, u32(1), u32(2), "user.x"), ERRNO.EOPNOTSUPP);
  assertEquals(client.ask(REQUEST.XATTRCREATE, u32(1), "user.x", u64(1), u32(0)), ERRNO.EOPNOTSUPP);
  assertEquals(client.do(REQUEST.FLUSH, u16(6)), 0);
  const room = client.ask(REQUEST.STATFS, u32(0));
  assertEquals(typeof room === "object" && [room.rest, room.number(4)], [60, 0x01021997]);
});

test("refuses messages that are too short, too long, or of no kind", ({ server, client }) => {
  const answer = (bytes: Uint8Array): [number, number, number] => {
    const got = new Answer(server.serve(bytes, 100));
    return [got.type, got.tag, got.number(4)];
  };
  const good = request(REQUEST.WALK, 5, u32(0), u32(1), u16(1), "hello");
  for (let length = 0; length < good.length; length++) {
    const expected = [RLERROR, length < 7 ? NO_TAG : 5, ERRNO.EINVAL];
    assertEquals(answer(good.subarray(0, length)) as number[], expected, `cut to ${length}`);
    const short = good.slice();
    new DataView(short.buffer).setUint32(0, length, true);
    assertEquals(answer(short), [RLERROR, 5, ERRNO.EINVAL], `said to have ${length}`);
  }
  assertEquals(answer(request(REQUEST.CLUNK, 5, u32(0), u8(0))), [RLERROR, 5, ERRNO.EINVAL]);
  assertEquals(
    answer(request(REQUEST.WALK, 5, u32(0), u32(1), u16(1), u16(2), Uint8Array.of(0xc0, 0x80)))[2],
    ERRNO.EILSEQ,
  );
  for (const type of [0, 6, 7, 9, 101, 255]) assertEquals(answer(request(type, 5))[2], ERRNO.EOPNOTSUPP);
  assertEquals(
    answer(request(REQUEST.WRITE, 5, u32(0), u64(0), u32(70_000), new Uint8Array(70_000)))[2],
    ERRNO.EMSGSIZE,
  );
  assertEquals(client.walk(0, 1), []);
});

test("bounds what a client may have", ({ client, server }) => {
  for (let fid = 1; server.fids < FIDS_MOST; fid++) client.walk(0, fid);
  assertEquals(client.walk(0, FIDS_MOST), ERRNO.ENFILE);
  client.clunk(1);
  assertEquals(client.walk(0, 1), []);
});
