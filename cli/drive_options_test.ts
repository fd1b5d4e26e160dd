import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "./arguments.ts";
import { DRIVE_OPTIONS, parseDrives } from "./drive_options.ts";
import { CliError } from "./errors.ts";

const parse = (...args: string[]) => parseDrives(parseArguments(args, DRIVE_OPTIONS));

Deno.test("parseDrives() takes QEMU's short forms and --drive", () => {
  const { drives, boot } = parse(
    "-hda",
    "a.img",
    "-cdrom",
    "b.iso",
    "--fda=c.img",
    "--drive",
    "file=d,if=virtio",
    "-boot",
    "dc",
  );
  const summary = drives.map((
    { file, bus, unit, cd, readonly, snapshot },
  ) => [file, bus, unit, cd, readonly, snapshot]);
  assertEquals(summary, [
    ["a.img", "ide", 0, false, false, false],
    ["c.img", "floppy", 0, false, false, false],
    ["d", "virtio", 0, false, false, false],
    ["b.iso", "ide", 2, true, true, false],
  ]);
  assertEquals(boot, ["cdrom", "disk"]);
});

Deno.test("parseDrives() gives each drive its place, and --snapshot to all", () => {
  const { drives } = parse(
    "-snapshot",
    "-hda",
    "a",
    "--drive",
    "file=b",
    "--drive",
    "file=c,if=cdrom",
    "--drive",
    "file=d,readonly",
  );
  assertEquals(drives.map(({ file, unit }) => [file, unit]), [["a", 0], ["b", 1], ["c", 2], ["d", 3]]);
  assertEquals(drives.every(({ snapshot }) => snapshot), true);
  assertEquals(drives.map(({ readonly }) => readonly), [false, false, true, true]);
});

Deno.test("parseDrives() refuses what does not go", () => {
  for (
    const args of [
      ["-hdc", "a", "-cdrom", "b"],
      ["--drive", "if=ide"],
      ["--drive", "file=a,if=tape"],
      ["-boot", "n"],
      ["-fda", "a", "-fdb", "b", "--drive", "file=c,if=floppy"],
    ]
  ) assertThrows(() => parse(...args), CliError, undefined, args.join(" "));
});
