import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "./arguments.ts";
import { CliError } from "./errors.ts";
import { parseShares, SHARE_OPTIONS } from "./share_options.ts";
import { openShares } from "./shares.ts";

const parse = (...args: string[]) => parseShares(parseArguments(args, SHARE_OPTIONS));

Deno.test("parseShares() takes --share and QEMU's -virtfs", () => {
  assertEquals(parse(), []);
  assertEquals(parse("--share", "work=/tmp/a,b=c", "--share=doc=../docs,readonly"), [
    { tag: "work", folder: "/tmp/a,b=c", readonly: false },
    { tag: "doc", folder: "../docs", readonly: true },
  ]);
  assertEquals(parse("-virtfs", "local,path=/tmp,mount_tag=t,security_model=none,id=x,readonly=on"), [
    { tag: "t", folder: "/tmp", readonly: true },
  ]);
});

Deno.test("parseShares() refuses what does not go", () => {
  for (
    const args of [
      ["--share", "/tmp"],
      ["--share", "=/tmp"],
      ["--share", "a="],
      ["--share", "a=/tmp", "--share", "a=/var"],
      ["--share", `${"x".repeat(32)}=/tmp`],
      ["--virtfs", "proxy,path=/tmp,mount_tag=t"],
      ["--virtfs", "local,path=/tmp,mount_tag=t,security_model=mapped"],
      Array.from({ length: 9 }, (_, n) => `--share=t${n}=/tmp`),
    ]
  ) assertThrows(() => parse(...args), CliError, undefined, args.join(" "));
});

Deno.test("openShares() refuses in one line what it cannot share", () => {
  const file = Deno.makeTempFileSync();
  try {
    const open = (folder: string): unknown => openShares([{ tag: "t", folder, readonly: true }], () => {});
    assertThrows(() => open(file), CliError, `Cannot share '${file}': it is no folder`);
    assertThrows(() => open(`${file}-none`), CliError, `Cannot share '${file}-none': there is no such file`);
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test({
  name: "openShares() names the permission that it lacks",
  permissions: { read: true },
  fn: () => {
    const share = { tag: "t", folder: "/tmp", readonly: false };
    assertThrows(() => openShares([share], () => {}), CliError, "Deno runs without --allow-write=/tmp");
    assertEquals(openShares([{ ...share, readonly: true }], () => {}).length, 1);
  },
});
