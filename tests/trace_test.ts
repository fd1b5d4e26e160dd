/**
 * `--trace` as a person meets it.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { cli, code, TestFolder, testOnBackends } from "./cli_support.ts";

const GUEST = code([
  ["mov al, 0x41", "b0 41"],
  ["mov dx, 0x3f8", "ba f8 03"],
  ["out dx, al", "ee"],
  ["mov ax, 0x9000", "b8 00 90"],
  ["mov ds, ax", "8e d8"],
  ["mov [0], al", "a2 00 00"],
  ["hlt", "f4"],
]);
const FAULT = code([
  ["int 0x20", "cd 20"],
  ["ud2", "0f 0b"],
]);

testOnBackends("run --trace io,mmio shows only these exits", async (backend) => {
  using folder = new TestFolder();
  const image = folder.file("guest", GUEST);
  const args = ["run", "--backend", backend, "-m", "64K", "--load", "0x1000", image];
  const io = await cli([...args, "--trace", "io"]);
  assertEquals([io.code, io.stdout], [0, "A"]);
  assertMatch(io.stderr, /^KVM_RUN = KVM_EXIT_IO \{out, port=0x3f8, [^\n]*\n$/);
  const both = await cli([...args, "--trace", "mmio,io"]);
  assertMatch(
    both.stderr,
    /^[^\n]*KVM_EXIT_IO [^\n]*\n[^\n]*KVM_EXIT_MMIO \{write, addr=0x90000, len=1, data=00 [^\n]*\n$/,
  );
});

testOnBackends("run --trace instructions --trace-file writes what QEMU's -d in_asm,cpu writes", async (backend) => {
  using folder = new TestFolder();
  const image = folder.file("guest", GUEST), file = `${folder.path}/trace`;
  const args = ["run", "--backend", backend, "-m", "64K", "--load", "0x1000", "--reg", "rbx=0x12345678"];
  const result = await cli([...args, "--trace", "instructions", "--trace-file", file, image]);
  assertEquals(result, { code: 0, stdout: "A", stderr: "" });
  const trace = Deno.readTextFileSync(file);
  assertEquals(trace.match(/^0x0000.*/gm), [
    "0x00001000:  b0 41                    mov      al, 0x41",
    "0x00001002:  ba f8 03                 mov      dx, 0x3f8",
    "0x00001005:  ee                       out      dx, al",
    "0x00001006:  b8 00 90                 mov      ax, 0x9000",
    "0x00001009:  8e d8                    mov      ds, ax",
    "0x0000100b:  a2 00 00                 mov      [0x0], al",
    "0x0000100e:  f4                       hlt",
  ]);
  assertEquals(trace.match(/^EIP=\w+/gm)!.length, 7);
  assertMatch(trace, /^EAX=00000041 EBX=12345678 ECX=00000000 EDX=\w{4}03f8$/m);
});

Deno.test("run --trace interrupts,exceptions shows events in the form of QEMU's -d int", async () => {
  using folder = new TestFolder();
  const image = folder.file("guest", FAULT);
  const vectors = new Uint8Array(4096);
  vectors.set([0x02, 0x10, 0, 0], 0x20 * 4); // goes on behind INT
  vectors.set([0x00, 0x05, 0, 0], 6 * 4);
  vectors[0x500] = 0xf4; // hlt
  const args = ["run", "--region", `gpa=0,size=64K,file=${folder.file("low", vectors)}`, "--load", "0x1000", image];
  const both = await cli([...args, "--trace", "interrupts,exceptions"]);
  assertEquals(both.code, 0);
  const lines = both.stderr.trimEnd().split("\n");
  assertEquals(lines.map((line) => line.slice(0, 48)), [
    "     0: v=20 e=0000 i=1 cpl=0 IP=0000:0000000000",
    "     1: v=06 e=0000 i=0 cpl=0 IP=0000:0000000000",
  ]);
  assertStringIncludes(lines[1], "pc=0000000000001002 ");
  assertEquals((await cli([...args, "--trace", "exceptions"])).stderr.split("\n").length, 2);
});

Deno.test("run refuses traces that it cannot make with one line", async () => {
  using folder = new TestFolder();
  const image = folder.file("guest", GUEST), text = folder.file("text", "no ELF");
  const run = (...more: string[]) => cli(["run", "--load", "0x1000", ...more, image]);
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [["--trace", "io", "--symbols", text], 1, "it is not an ELF file"],
    [["--trace", "io", "--symbols", `${folder.path}/none`], 1, "there is no such file"],
    [["--trace", "io", "--trace-file", `${folder.path}/none/x`], 1, "Cannot write the trace"],
    [["--trace", "instructions=main"], 2, "a name needs --symbols"],
    [["--trace", "io,steps"], 2, "it must be exits"],
    [["--wait"], 2, "without --gdb"],
  ];
  for (const [args, exitCode, message] of cases) {
    const { code, stderr } = await run(...args);
    assertStringIncludes(stderr, message);
    assertMatch(stderr, /^kvm12: [^\n]+\n$/);
    assertEquals(code, exitCode);
  }
});

testOnBackends("run --trace interrupts is for the software engine only", async (backend) => {
  if (backend === "soft") return;
  using folder = new TestFolder();
  const image = folder.file("guest", GUEST);
  const { code, stderr } = await cli(["run", "--backend", "kvm", "--load", "0x1000", "--trace", "interrupts", image]);
  assertEquals([code, stderr], [2, 'kvm12: Cannot trace interrupts on the engine "kvm": use --backend soft\n']);
});
