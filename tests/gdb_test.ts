/**
 * Debian's gdb on a guest that runs under the command: what a person would type, and what must come of it.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openKvm } from "../mod.ts";
import { BACKENDS, cli, TestFolder } from "./cli_support.ts";
import { findLimits } from "./conformance/probes.ts";

const PROGRAM = new URL("../cli.ts", import.meta.url).pathname;
const TWO_VCPUS = new URL("./gdb_two_vcpus.ts", import.meta.url).pathname;
const SOURCE = new URL("./guests/gdb_guest.c", import.meta.url).pathname;
/** What says in a gdb script that the guest is about to run until Ctrl-C. */
const RUNNING = "RUNNING-UNTIL-CTRL-C";
const SECONDS = 60;

type BackendName = "soft" | "kvm";

function isThere(program: string): boolean {
  if (Deno.permissions.querySync({ name: "run", command: program }).state !== "granted") return false;
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const MISSING = ["gdb", "gcc", "objcopy"].filter((program) => !isThere(program));

/** Why a backend cannot be debugged here; undefined: it can. */
function lacks(backend: BackendName): string | undefined {
  if (MISSING.length > 0) return MISSING.join(", ");
  const { missing } = BACKENDS.find(({ name }) => name === backend)!;
  if (missing !== undefined || backend === "soft") return missing;
  using kvm = openKvm({ backend });
  const limits = findLimits(kvm);
  return limits.get("debug") ?? limits.get("long");
}

const REASONS: Readonly<Record<BackendName, string | undefined>> = { soft: lacks("soft"), kvm: lacks("kvm") };

/** A guest in a folder of its own: the ELF file for gdb, and the flat binary for the command. */
interface Built {
  readonly elf: string;
  readonly image: string;
  readonly entry: string;
  readonly bits: 32 | 64;
}

function build(folder: TestFolder, bits: 32 | 64): Built {
  const elf = `${folder.path}/guest.elf`, image = `${folder.path}/guest.bin`;
  run("gcc", [
    ...[`-m${bits}`, "-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-fno-pie", "-no-pie"],
    ...["-fcf-protection=none", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-mno-red-zone"],
    ...["-mgeneral-regs-only", "-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments", "-o", elf, SOURCE],
  ]);
  run("objcopy", ["-O", "binary", elf, image]);
  const view = new DataView(Deno.readFileSync(elf).buffer);
  return { elf, image, entry: `0x${view.getUint32(0x18, true).toString(16)}`, bits };
}

function run(program: string, args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(program, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

/** What happened. */
interface Session {
  /** What gdb wrote. */
  readonly gdb: string;
  /** What the guest wrote on COM1, and the command's messages and exit code. */
  readonly guest: string;
  readonly messages: string;
  readonly code: number;
}

/** Runs the guest under the command and gdb scripts on it, one after the other. */
function debug(
  { elf, image, entry, bits }: Built,
  backend: BackendName,
  scripts: readonly (readonly string[])[],
  more: readonly string[] = [],
): Promise<Session> {
  const args = [
    ...[`--allow-read=${image}`, ...backend === "kvm" ? ["--allow-ffi"] : []],
    ...[PROGRAM, "run", "--backend", backend, "--mode", bits === 64 ? "long" : "protected", "--load", "0x100000"],
    ...["--entry", entry, "--gdb", "0", "--wait", "--timeout", `${SECONDS}`, ...more, image],
  ];
  return session(elf, args, scripts);
}

/** Runs a program that waits for gdb, and gdb scripts on it, one after the other. */
async function session(
  elf: string,
  program: readonly string[],
  scripts: readonly (readonly string[])[],
): Promise<Session> {
  const args = ["run", "--no-prompt", "--allow-net=127.0.0.1", ...program];
  await using child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
  let messages = "";
  const port = Promise.withResolvers<string>();
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      messages += text;
      const match = /target remote 127\.0\.0\.1:(\d+)\n/.exec(messages);
      if (match !== null) port.resolve(match[1]);
    }
    port.reject(new Error(`the guest does not wait for gdb: ${messages}`));
  })();
  const stdout = new Response(child.stdout).text();
  const target = `target remote 127.0.0.1:${await port.promise}`;
  let gdb = "";
  for (const script of scripts) gdb += await runGdb(elf, [target, ...script]);
  const { code } = await child.status;
  await reading;
  return { gdb, guest: await stdout, messages, code };
}

async function runGdb(elf: string, commands: readonly string[]): Promise<string> {
  const setup = ["set pagination off", "set confirm off", "set width 0"];
  const args = ["-nx", "-batch", ...[...setup, ...commands].flatMap((command) => ["-ex", command]), elf];
  await using gdb = new Deno.Command("gdb", { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let output = "", pressed = false;
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (pressed || !output.includes(RUNNING)) continue;
      pressed = true;
      setTimeout(() => gdb.kill("SIGINT"), 500);
    }
  };
  await Promise.all([read(gdb.stdout), read(gdb.stderr), gdb.status]);
  return output;
}

/** Registers a test for each backend that can; where one cannot, its test is skipped and its name says why. */
function testWithGdb(
  name: string,
  bits: 32 | 64,
  backends: readonly BackendName[],
  body: (guest: Built, backend: BackendName) => Promise<void>,
): void {
  for (const backend of backends) {
    const reason = REASONS[backend];
    Deno.test({
      name: `${name} [${backend}]${reason === undefined ? "" : ` (lacks: ${reason})`}`,
      ignore: reason !== undefined,
      fn: async () => {
        using folder = new TestFolder();
        await body(build(folder, bits), backend);
      },
    });
  }
}

testWithGdb(
  "gdb stops at a symbol, steps, reads and changes a 64-bit guest",
  64,
  ["soft", "kvm"],
  async (guest, backend) => {
    const session = await debug(guest, backend, [[
      "info threads",
      "break work",
      "continue",
      "backtrace",
      "print n",
      "print $rip == &work",
      "stepi",
      "print $rip > &work",
      "print/x $cs",
      "print/x $cr0 & 1",
      "print $efer",
      "x/2xg &counter",
      "set var n=9",
      "print counter=1234567",
      "info registers rdi",
      "tbreak finish",
      "continue",
      "print shared",
      "print counter",
      "x/i $pc",
      "delete",
      "continue",
    ]]);
    assertMatch(session.gdb, /Thread 1 \(vCPU 0 \[64-bit\]\)/);
    assertMatch(session.gdb, /Breakpoint 1, work \(n=5\)/);
    assertMatch(session.gdb, /#0 +work \(n=5\).*\n#1 .* _start \(\)/);
    assertMatch(session.gdb, /\$1 = 5\n\$2 = 1\n/);
    assertMatch(session.gdb, /\$3 = 1\n\$4 = 0x8\n\$5 = 0x1\n\$6 = \[ LME LMA \]\n/);
    assertMatch(session.gdb, /<counter>:\t0x0000000000000005\t0x0000000000000000/);
    assertMatch(session.gdb, /\$7 = 1234567\n/);
    assertMatch(session.gdb, /rdi +0x9 +9\n/);
    assertMatch(session.gdb, /Temporary breakpoint 2, finish \(\)/);
    assertMatch(session.gdb, /\$8 = 45\n\$9 = 1234567\n/);
    assertMatch(session.gdb, /=> 0x[0-9a-f]+ <finish>:/);
    assertMatch(session.gdb, /\[Inferior 1 \(Remote target\) exited normally\]/);
    assertEquals([session.guest, session.code], ["45", 0]);
  },
);

testWithGdb(
  "gdb steps by source lines, over calls and out of functions",
  64,
  ["soft", "kvm"],
  async (guest, backend) => {
    const session = await debug(guest, backend, [[
      "tbreak work",
      "continue",
      "finish",
      "next",
      "step",
      "next 3",
      "kill",
    ]]);
    assertMatch(session.gdb, /Value returned is \$1 = 15\n/);
    assertMatch(session.gdb, /out8\(0x3f8, '0' \+ sum \/ 10\)/);
    assertMatch(session.gdb, /if \(crash\)/);
    assertEquals([session.guest, session.code], ["15", 0]);
  },
);

testWithGdb(
  "gdb interrupts a guest that computes for ever, and lets it go on",
  64,
  ["soft", "kvm"],
  async (guest, backend) => {
    const session = await debug(guest, backend, [[
      "set var spinning=1",
      `echo ${RUNNING}\\n`,
      "continue",
      "backtrace",
      "set var spinning=0",
      "continue",
    ]]);
    assertMatch(session.gdb, /Program received signal SIGINT, Interrupt\.\n.*_start \(\)/);
    assertMatch(session.gdb, /exited normally/);
    assertEquals([session.guest, session.code], ["15", 0]);
  },
);

testWithGdb("gdb watches variables being written, read and touched", 64, ["soft"], async (guest, backend) => {
  const session = await debug(guest, backend, [[
    "watch shared",
    "rwatch counter",
    "awatch spinning",
    "continue",
    "continue",
    "continue",
    "delete",
    "continue",
  ]]);
  assertMatch(session.gdb, /Hardware read watchpoint 2: counter\n\nValue = 5\n.*_start/);
  assertMatch(session.gdb, /Hardware watchpoint 1: shared\n\nOld value = 0\nNew value = 15\n.*work \(n=5\)/);
  assertMatch(session.gdb, /Hardware access \(read\/write\) watchpoint 3: spinning\n\nValue = 0\n/);
  assertEquals([session.guest, session.code], ["15", 0]);
});

testWithGdb("gdb gets no watchpoints from the real device, and is told so", 64, ["kvm"], async (guest, backend) => {
  const session = await debug(guest, backend, [["watch shared", "continue", "kill"]]);
  assertStringIncludes(session.gdb, "Could not insert hardware watchpoint 1.");
});

testWithGdb("gdb sets more breakpoints than the processor has", 64, ["soft"], async (guest, backend) => {
  const session = await debug(guest, backend, [[
    ...["*work+0", "*work+1", "*work+2", "*work+3", "*finish", "*finish+1"].map((place) => `break ${place}`),
    "continue",
    "print $pc == &work",
    "continue",
    "print $pc == (char*)work+3",
    "continue",
    "print $pc == &finish",
    "delete",
    "continue",
  ]]);
  assertMatch(session.gdb, /\$1 = 1\n[^]*\$2 = 1\n[^]*\$3 = 1\n/);
  assertEquals([session.guest, session.code], ["15", 0]);
});

testWithGdb("gdb reads and sets floating-point, vector and system registers", 64, ["soft"], async (guest, backend) => {
  const session = await debug(guest, backend, [[
    "print $st0=1.5",
    "print $ftag",
    "print $xmm3.v2_double[1]=2.5",
    "print $xmm3.v2_double",
    "print $mxcsr",
    "print/x $fs_base=0x1234",
    "print/x $fs_base",
    "print/x $k_gs_base=0xffff800000000000",
    "print/x $k_gs_base",
    "print $cr4",
    "print/x $cr2=0x1000",
    "print/x $cr2",
    "print/x $gdt_limit",
    "info float",
    "kill",
  ]]);
  assertMatch(session.gdb, /\$1 = 1\.5\n/);
  assertMatch(session.gdb, /\$3 = 2\.5\n\$4 = \{0, 2\.5\}\n\$5 = \[ IM DM ZM OM UM PM \]\n/);
  assertMatch(session.gdb, /\$6 = 0x1234\n\$7 = 0x1234\n\$8 = 0xffff800000000000\n\$9 = 0xffff800000000000\n/);
  assertMatch(session.gdb, /\$10 = \[ PAE \]\n\$11 = 0x1000\n\$12 = 0x1000\n\$13 = 0x17\n/);
  assertMatch(session.gdb, /Control Word:/);
  assertEquals(session.code, 0);
});

testWithGdb("gdb asks the monitor, and reads physical memory", 64, ["soft", "kvm"], async (guest, backend) => {
  const session = await debug(guest, backend, [[
    "tbreak finish",
    "continue",
    "monitor help",
    "monitor info regs",
    "monitor info mmu",
    "monitor info exits",
    "monitor xp 0x100000 4",
    "monitor phys on",
    "x/2xb 0x100000",
    "maintenance packet qqemu.PhyMemMode",
    "monitor phys off",
    "monitor nonsense",
    "continue",
  ]]);
  for (const part of ["monitor info regs [CPU]", "RIP=", "4-level paging", "KVM_EXIT_IO 2", "addresses are physical"]) {
    assertStringIncludes(session.gdb, part);
  }
  assertMatch(session.gdb, /0000000000100000: [0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2}\n/);
  assertMatch(session.gdb, /received: "1"/);
  assertStringIncludes(session.gdb, "There is no 'nonsense'");
  assertEquals(session.code, 0);
});

testWithGdb(
  "gdb detaches and comes back, and a guest without gdb runs on",
  64,
  ["soft", "kvm"],
  async (guest, backend) => {
    const session = await debug(guest, backend, [
      ["set var spinning=1", "break finish", "detach"],
      ["print spinning", "print $rip != 0", "set var spinning=0", "detach"],
    ]);
    assertMatch(session.gdb, /detached\]\n[^]*\$1 = 1\n\$2 = 1\n[^]*detached\]/);
    assertEquals([session.guest, session.code], ["15", 0]);
  },
);

testWithGdb("gdb kills a guest", 64, ["soft", "kvm"], async (guest, backend) => {
  const session = await debug(guest, backend, [["kill"]]);
  assertEquals([session.guest, session.code], ["", 0]);
});

testWithGdb("gdb sees a guest that crashed before the program ends", 64, ["soft"], async (guest, backend) => {
  const session = await debug(guest, backend, [["set var crash=1", "continue", "x/i $pc", "backtrace", "detach"]]);
  assertMatch(session.gdb, /Program received signal SIGSEGV, Segmentation fault\.\n/);
  assertMatch(session.gdb, /=> 0x[0-9a-f]+ <_start\+\d+>:\tud2/);
  assertStringIncludes(session.messages, "triple fault");
  assertEquals(session.code, 3);
});

testWithGdb("gdb debugs a 32-bit guest with i386 registers", 32, ["soft", "kvm"], async (guest, backend) => {
  const session = await debug(guest, backend, [[
    "show architecture",
    "break work",
    "continue",
    "print n",
    "print $eip == &work",
    "set var *(int*)($esp+4)=4",
    "stepi",
    "print/x $cr0 & 1",
    "delete",
    "continue",
  ]], ["--gdb-arch", "i386"]);
  assertMatch(session.gdb, /currently "i386"/);
  assertMatch(session.gdb, /Breakpoint 1, work \(n=5\)/);
  assertMatch(session.gdb, /\$1 = 5\n\$2 = 1\n[^]*\$3 = 0x1\n/);
  assertEquals([session.guest, session.code], ["10", 0]);
});

testWithGdb("gdb sees processors as threads, and steps one while the other stands", 64, ["soft"], async (guest) => {
  const { elf, image, entry } = guest;
  const { gdb, code } = await session(elf, [`--allow-read=${image}`, TWO_VCPUS, image, entry], [[
    "info threads",
    "thread 2",
    "print $rip",
    "set scheduler-locking on",
    "stepi",
    "stepi",
    "stepi",
    "print $rip",
    "print $rax",
    "thread 1",
    "print $rip == &_start",
    "set scheduler-locking off",
    "break work",
    "continue",
    "thread",
    "thread 2",
    "print $rax > 2",
    "delete",
    "continue",
  ]]);
  assertMatch(gdb, /1 +Thread 1 \(vCPU 0 \[64-bit\]\)[^]*2 +Thread 2 \(vCPU 1 \[64-bit\]\)/);
  assertMatch(gdb, /\$1 = \(void \(\*\)\(\)\) 0x2000\n[^]*\$2 = \(void \(\*\)\(\)\) 0x2003\n\$3 = 2\n/);
  assertMatch(gdb, /\$4 = 1\n[^]*Breakpoint 1, work \(n=5\)[^]*Current thread is 1 [^]*\$5 = /);
  assertMatch(gdb, /exited normally/);
  assertEquals(code, 0);
});

testWithGdb(
  "--trace names addresses by --symbols, and keeps to a function",
  64,
  ["soft", "kvm"],
  async (guest, backend) => {
    const { elf, image, entry } = guest;
    const { code, stdout, stderr } = await cli([
      ...["run", "--backend", backend, "--mode", "long", "--load", "0x100000", "--entry", entry, "--symbols", elf],
      ...["--trace", "io,instructions=finish", image],
    ]);
    assertEquals([code, stdout], [0, "15"]);
    assertEquals(stderr.match(/^IN: finish/gm)!.length >= 3, true);
    assertEquals(stderr.match(/^IN: (?!finish)/gm), null);
    assertMatch(stderr, /^KVM_RUN = KVM_EXIT_IO \{out, port=0x3f8.*\} rip=0x[0-9a-f]+ <_start\+0x[0-9a-f]+>$/m);
  },
);
