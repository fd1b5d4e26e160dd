/**
 * The program as a person meets it: what wrong calls and files give, and how guests end.
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bootSector, cli, type CliResult, code, TestFolder, testOnBackends } from "./cli_support.ts";

const HELLO = new URL("../guests/hello.img", import.meta.url).pathname;
const PROGRAM = new URL("../cli.ts", import.meta.url).pathname;

const FOREVER = code([["jmp $", "eb fe"]]);

/** One clear line, and nothing on standard output. */
function assertRefused(result: CliResult, exitCode: number, message: string): void {
  assertStringIncludes(result.stderr, message);
  assertMatch(result.stderr, /^kvm12: [^\n]+\n$/);
  assertEquals(result.stdout, "");
  assertEquals(result.code, exitCode);
}

Deno.test("main() refuses wrong calls with one line and 2", async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], "no command is given"],
    [["start"], "there is no command 'start'"],
    [["--verbose"], "there is no such option"],
    [["run"], "no IMAGE is given"],
    [["run", HELLO, HELLO], "one IMAGE is wanted"],
    [["run", "--memory", HELLO], "as --memory: it must be a number"],
    [["run", HELLO, "--memory"], "it needs SIZE"],
    [["run", HELLO, "-m", "12Q"], "Cannot use '12Q'"],
    [["run", HELLO, "-m", "1"], "Cannot use '1' as --memory"],
    [["run", HELLO, "-m", "1M", "--region", "gpa=0,size=4K"], "overlaps slot 0"],
    [["run", HELLO, "--region", "gpa=1G"], "'size' is missing"],
    [["run", HELLO, "--alias", "gpa=1G,size=4K,target=5"], "not a multiple of 4096"],
    [["run", HELLO, "--backend", "xen"], "it must be soft or kvm or auto"],
    [["run", HELLO, "--mode", "virtual"], "it must be real or protected or long"],
    [["run", HELLO, "--cpuid", "1=2"], "1 are given"],
    [["run", HELLO, "--serial", "com2"], "it must be stdio, file:PATH or null"],
    [["run", HELLO, "--timeout", "-1"], "it must be seconds above 0"],
    [["run", HELLO, "--trace", "all"], "it must be exits"],
    [["run", HELLO, "--debug-exit", "0x3f8"], "COM1 has 0x3f8 to 0x3ff"],
    [["info", HELLO], "info takes no file"],
  ];
  for (const [args, message] of cases) assertRefused(await cli(args), 2, message);
});

Deno.test("main() refuses files that it cannot use with one line and 1", async () => {
  using folder = new TestFolder();
  const image = folder.file("sector", bootSector(FOREVER));
  const huge = folder.file("huge", "");
  Deno.truncateSync(huge, 2 ** 40);
  const missing = `${folder.path}/missing`;
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[missing], `Cannot read the image '${missing}': there is no such file`],
    [[folder.path], "it is a folder"],
    [[folder.file("empty", "")], "it has 0 bytes"],
    [["--load=4K", folder.file("empty", "")], "it is empty"],
    [[folder.file("short", new Uint8Array(300))], "it has 300 bytes, a boot sector has 512"],
    [[folder.file("unsigned", new Uint8Array(512))], "boot signature"],
    [[huge], "boot signature"],
    [["--load=0x1000", huge], "it is larger than the largest region"],
    [["--mode=long", "-m", "1M", image], "there is no memory at 0x100000"],
    [["--load=0xff000", "-m", "1M", folder.file("8k", new Uint8Array(8192))], "the memory there ends at 0x100000"],
    [["--load=0x100000", image], "real mode cannot enter at 0x100000"],
    [["--mode=protected", "--load=0x1000", image], "it would lie on"],
    [["-m", "16K", image], "there is no memory at 0x7c00"],
    [["--region", `gpa=1G,size=4K,file=${missing}`, image], "there is no such file"],
    [["--region", `gpa=1G,size=4K,file=${huge}`, image], "it is larger than slot 1, 4096 bytes"],
    [["--cpuid", `${missing}.json`, image], "there is no such file"],
    [["--cpuid", folder.file("bad.json", "{"), image], "it is not JSON"],
    [["--serial", `file:${missing}/x`, image], "Cannot write the serial output"],
    [["--serial", `file:${folder.path}`, image], "Cannot write the serial output"],
  ];
  for (const [args, message] of cases) assertRefused(await cli(["run", ...args]), 1, message);
});

Deno.test("main() prints help and version on standard output", async () => {
  for (const args of [["--help"], ["-h"], ["run", "--help"], ["info", "--help"]]) {
    const { code, stdout, stderr } = await cli(args);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^kvm12/);
  }
  assertMatch((await cli(["--version"])).stdout, /^kvm12 \d+\.\d+\.\d+ \(KVM API 12\)\n$/);
});

testOnBackends("run prints what the guest sends and ends with 0 when it halts", async (backend) => {
  assertEquals(await cli(["run", "--backend", backend, HELLO]), {
    code: 0,
    stdout: "Hello from a boot sector at 0:7C00.\n",
    stderr: "",
  });
});

testOnBackends("run --serial file:PATH and null keep standard output free", async (backend) => {
  using folder = new TestFolder();
  const path = `${folder.path}/out`;
  assertEquals(await cli(["run", "--backend", backend, "--serial", `file:${path}`, HELLO]), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assertEquals(Deno.readTextFileSync(path), "Hello from a boot sector at 0:7C00.\n");
  assertEquals((await cli(["run", "--backend", backend, "--serial", "null", HELLO])).stdout, "");
});

testOnBackends("run notes that the rest of a disk image is not loaded", async (backend) => {
  using folder = new TestFolder();
  const disk = new Uint8Array(1024);
  disk.set(Deno.readFileSync(HELLO));
  const { code, stderr } = await cli(["run", "--backend", backend, folder.file("disk", disk)]);
  assertEquals(code, 0);
  assertMatch(stderr, /^kvm12: only the first 512 bytes of '.*' are loaded: there is no disk yet\n$/);
});

testOnBackends("run --debug-exit ends with (v << 1) | 1", async (backend) => {
  using folder = new TestFolder();
  const leave = code([
    ["mov al, 0x2a", "b0 2a"],
    ["out 0xf4, al", "e6 f4"],
    ["jmp $", "eb fe"],
  ]);
  const image = folder.file("exit", leave);
  const args = ["run", "--backend", backend, "--load", "0x1000", image, "--timeout"];
  assertEquals((await cli([...args, "10", "--debug-exit", "0xf4"])).code, 0x55);
  assertEquals((await cli([...args, "0.2"])).code, 124, "without the option there is no such port");
});

testOnBackends("run ends with 0 when the guest powers off", async (backend) => {
  using folder = new TestFolder();
  const off = code([
    ["mov dx, 0x604", "ba 04 06"],
    ["mov ax, 0x2000", "b8 00 20"],
    ["out dx, ax", "ef"],
    ["jmp $", "eb fe"],
  ]);
  assertEquals(await cli(["run", "--backend", backend, "--timeout", "10", folder.file("off", bootSector(off))]), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

testOnBackends("run --timeout ends a guest that never exits with 124", async (backend) => {
  using folder = new TestFolder();
  const start = performance.now();
  const result = await cli(["run", "--backend", backend, "--timeout", "0.3", folder.file("loop", bootSector(FOREVER))]);
  const seconds = (performance.now() - start) / 1000;
  assertRefused(result, 124, "the time is over after 0.3 s: real mode, rip=0x7c00");
  assertEquals(seconds >= 0.3 && seconds < 5, true, `it took ${seconds} s`);
});

testOnBackends("run --timeout ends a guest that exits all the time with 124", async (backend) => {
  using folder = new TestFolder();
  const busy = code([["in al, 0x80", "e4 80"], ["jmp $-2", "eb fc"]]);
  const result = await cli(["run", "--backend", backend, "--timeout", "0.2", folder.file("busy", bootSector(busy))]);
  assertRefused(result, 124, "the time is over");
});

testOnBackends("run reports a crash with all that a developer needs, and 3", async (backend) => {
  using folder = new TestFolder();
  // without a descriptor for the breakpoint exception, nor for the fault that follows, the processor shuts down
  const crash = code([
    ["mov eax, 0x12345678", "b8 78 56 34 12"],
    ["push eax", "50"],
    ["ud2", "0f 0b"],
  ]);
  const { code: exitCode, stdout, stderr } = await cli([
    ...["run", "--backend", backend, "--mode", "protected", "--timeout", "10"],
    folder.file("crash", crash),
  ]);
  assertEquals([exitCode, stdout], [3, ""]);
  assertMatch(stderr, /^kvm12: the guest crashed: triple fault in 32-bit protected mode, rip=0x100006\n/);
  assertStringIncludes(stderr, "rax 0000000012345678");
  assertStringIncludes(stderr, "rip 0000000000100006\n");
  assertStringIncludes(stderr, "cs  0008 base 0000000000000000 limit ffffffff");
  assertStringIncludes(stderr, "cr0 00000031");
  assertStringIncludes(stderr, "code at 0x100006: 0f 0b 00");
  assertStringIncludes(stderr, "stack at 0xffffec: (no memory at 0x1000000)\n    12345678 00000000 00000000");
});

testOnBackends("run gives the guest what is typed", async (backend) => {
  using folder = new TestFolder();
  const echo = code([
    ["mov dx, 0x3fd", "ba fd 03"],
    ["in al, dx", "ec"],
    ["test al, 1", "a8 01"],
    ["jz $-3", "74 fb"],
    ["mov dx, 0x3f8", "ba f8 03"],
    ["in al, dx", "ec"],
    ["out dx, al", "ee"],
    ["cmp al, '.'", "3c 2e"],
    ["jne $-15", "75 ef"],
    ["hlt", "f4"],
  ]);
  const args = ["run", "--backend", backend, "--timeout", "10", folder.file("echo", bootSector(echo))];
  assertEquals(await cli(args, "type this.and not this"), { code: 0, stdout: "type this.", stderr: "" });
});

testOnBackends("run --trace exits prints a line for each exit", async (backend) => {
  const tiny = new URL("../guests/tiny.bin", import.meta.url).pathname;
  const args = ["--load", "0x1000", "--reg", "rax=2", "--reg", "rbx=2", "--trace", "exits"];
  const { code, stderr } = await cli(["run", "--backend", backend, ...args, tiny]);
  assertEquals(code, 0);
  assertEquals(
    stderr.replaceAll(/ rip=0x[0-9a-f]+/g, ""),
    `KVM_RUN = KVM_EXIT_IO {out, port=0x3f8, size=1, count=1, data=34 "4"}
KVM_RUN = KVM_EXIT_IO {out, port=0x3f8, size=1, count=1, data=0a "\\n"}
KVM_RUN = KVM_EXIT_HLT
`,
  );
});

testOnBackends("run --stats counts exits, bytes and dirty pages", async (backend) => {
  using folder = new TestFolder();
  const touch = code([
    ["mov al, 'x'", "b0 78"],
    ["mov dx, 0x3f8", "ba f8 03"],
    ["out dx, al", "ee"],
    ["mov [0x2000], al", "a2 00 20"],
    ["mov [0x3fff], al", "a2 ff 3f"],
    ["hlt", "f4"],
  ]);
  const args = ["--load", "0x1000", "--region", "gpa=0,size=64K,log-dirty", "--stats"];
  const { code: exitCode, stdout, stderr } = await cli([
    "run",
    "--backend",
    backend,
    ...args,
    folder.file("touch", touch),
  ]);
  assertEquals([exitCode, stdout], [0, "x"]);
  const lines = stderr.split("\n");
  assertEquals(lines[0], `kvm12: backend: ${backend}`);
  assertMatch(lines[1], /^kvm12: time: \d+\.\d{6} s$/);
  assertEquals(lines.slice(2), [
    "kvm12: exits: 2 (IO 1, HLT 1)",
    "kvm12: COM1: 1 bytes sent",
    "kvm12: slot 0: 2 of 16 pages dirty",
    "",
  ]);
});

testOnBackends("run --region file=PATH fills the region", async (backend) => {
  using folder = new TestFolder();
  const show = code([
    ["mov ax, 0x2000", "b8 00 20"],
    ["mov ds, ax", "8e d8"],
    ["mov al, [1]", "a0 01 00"],
    ["mov dx, 0x3f8", "ba f8 03"],
    ["out dx, al", "ee"],
    ["hlt", "f4"],
  ]);
  const content = folder.file("content", "abc");
  const args = ["-m", "64K", "--region", `gpa=0x20000,size=4K,file=${content}`, folder.file("show", bootSector(show))];
  assertEquals(await cli(["run", "--backend", backend, ...args]), { code: 0, stdout: "b", stderr: "" });
});

testOnBackends("run --mode long starts in 64-bit mode with 4 GiB mapped", async (backend) => {
  using folder = new TestFolder();
  const show = code([
    ["mov rax, 0x4b00000000", "48 b8 00 00 00 00 4b 00 00 00"],
    ["shr rax, 32", "48 c1 e8 20"],
    ["push rax", "50"],
    ["pop rbx", "5b"],
    ["mov al, bl", "88 d8"],
    ["mov dx, 0x3f8", "66 ba f8 03"],
    ["out dx, al", "ee"],
    ["hlt", "f4"],
  ]);
  const args = ["--mode", "long", "--timeout", "10", folder.file("long", show)];
  assertEquals(await cli(["run", "--backend", backend, ...args]), { code: 0, stdout: "K", stderr: "" });
});

testOnBackends("info shows the version, MSRs and CPUID", async (backend) => {
  const { code, stdout } = await cli(["info", "--backend", backend]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "API version: 12\n");
  assertStringIncludes(stdout, `backend ${backend}: available\n`);
  assertMatch(stdout, /\nMSRs: \d+\n/);
  assertMatch(stdout, /\n {2}00000000: eax [0-9a-f]{8} {2}ebx/);
});

Deno.test({
  name: "info and run say why a backend is missing",
  permissions: { read: true, ffi: false },
  async fn() {
    assertMatch((await cli(["info"])).stdout, /\nbackend kvm: not available: .+ --allow-ffi.*\n/);
    assertRefused(await cli(["run", "--backend", "kvm", HELLO]), 4, "--allow-ffi");
  },
});

/** Runs the program as its own process, with the given flags of Deno only. */
async function program(flags: readonly string[], args: readonly string[]): Promise<CliResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, PROGRAM, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const RUN_GRANTED = Deno.permissions.querySync({ name: "run" }).state === "granted";
const LACKS_RUN = RUN_GRANTED ? "" : " (lacks: --allow-run)";

Deno.test({
  name: `cli.ts runs the soft engine with read access to the image alone${LACKS_RUN}`,
  ignore: !RUN_GRANTED,
  async fn() {
    assertEquals(await program([`--allow-read=${HELLO}`, "--no-prompt"], ["run", HELLO]), {
      code: 0,
      stdout: "Hello from a boot sector at 0:7C00.\n",
      stderr: "",
    });
  },
});

Deno.test({
  name: `cli.ts never asks for a permission${LACKS_RUN}`,
  ignore: !RUN_GRANTED,
  async fn() {
    assertRefused(await program([], ["run", HELLO]), 1, `Deno runs without --allow-read=${HELLO}`);
    assertRefused(
      await program([`--allow-read=${HELLO}`], ["run", "--serial", "file:/tmp/x", HELLO]),
      1,
      "Deno runs without --allow-write=/tmp/x",
    );
    assertRefused(
      await program([`--allow-read=${HELLO}`], ["run", "--backend", "kvm", HELLO]),
      4,
      "--allow-ffi",
    );
    const auto = await program([`--allow-read=${HELLO}`], ["run", "--backend", "auto", HELLO]);
    assertEquals([auto.code, auto.stdout], [0, "Hello from a boot sector at 0:7C00.\n"]);
    assertMatch(auto.stderr, /^kvm12: [^\n]*--allow-ffi[^\n]*\n$/);
  },
});
