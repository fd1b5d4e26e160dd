import { assertEquals } from "@std/assert";
import { buildInitrd, busyboxInitrd } from "./initrd.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The members of an archive: path, mode and contents. */
function members(archive: Uint8Array): [string, string, string][] {
  const list: [string, string, string][] = [];
  for (let at = 0; at < archive.length;) {
    const field = (n: number): number => parseInt(text(archive.subarray(at + 6 + 8 * n, at + 14 + 8 * n)), 16);
    assertEquals(text(archive.subarray(at, at + 6)), "070701");
    const nameAt = at + 110, contentsAt = (nameAt + field(11) + 3) & ~3, size = field(6);
    const path = text(archive.subarray(nameAt, nameAt + field(11) - 1));
    list.push([path, field(1).toString(8), text(archive.subarray(contentsAt, contentsAt + size))]);
    at = (contentsAt + size + 3) & ~3;
  }
  return list;
}

Deno.test("buildInitrd() makes members that begin at multiples of four", () => {
  const archive = buildInitrd([
    { path: "a", kind: "directory", mode: 0o700 },
    { path: "a/file", kind: "file", contents: "hello" },
    { path: "link", kind: "link", contents: "a/file" },
    { path: "console", kind: "character", mode: 0o600, device: [5, 1] },
  ]);
  assertEquals(archive.length % 4, 0);
  assertEquals(members(archive), [
    ["a", "40700", ""],
    ["a/file", "100755", "hello"],
    ["link", "120755", "a/file"],
    ["console", "20600", ""],
    ["TRAILER!!!", "0", ""],
  ]);
});

Deno.test("busyboxInitrd() has an init that busybox reads", () => {
  const found = members(busyboxInitrd({ busybox: Uint8Array.of(65), script: "echo" }));
  const paths = found.map(([path]) => path);
  assertEquals(found.find(([path]) => path === "init"), ["init", "100755", "#!/bin/sh\necho"]);
  assertEquals(["dev/console", "bin/busybox", "bin/sh"].every((path) => paths.includes(path)), true);
});
