import { assertEquals, assertStringIncludes } from "@std/assert";
import { GdbServer } from "./gdb_server.ts";
import type { GdbTarget, ResumeAction, StopPointKind } from "./gdb_target.ts";
import { textToHex } from "./hex.ts";
import { encodePacket, type PacketEvent, PacketReader } from "./packet.ts";
import type { GdbArchitecture } from "./registers.ts";

/** A machine that notes what it is asked. */
class FakeTarget implements GdbTarget {
  threadCount = 2;
  isStopped = true;
  architecture: GdbArchitecture = "i386:x86-64";
  physicalMemory = false;
  readonly log: string[] = [];
  readonly memory: Uint8Array = Uint8Array.from({ length: 16 }, (_, n) => n);

  describe(thread: number): string {
    return `cpu ${thread}`;
  }
  readRegisters(thread: number): Uint8Array {
    return Uint8Array.of(thread, 0xab);
  }
  writeRegisters(thread: number, bytes: Uint8Array): boolean {
    this.log.push(`G${thread} ${bytes}`);
    return bytes.length === 2;
  }
  readRegister(thread: number, number: number): Uint8Array | null {
    return number < 20 ? Uint8Array.of(thread, number) : null;
  }
  writeRegister(thread: number, number: number, bytes: Uint8Array): boolean {
    this.log.push(`P${thread} ${number} ${bytes}`);
    return number < 20;
  }
  readMemory(_thread: number, address: bigint, length: number): Uint8Array {
    return this.memory.subarray(Number(address), Number(address) + length);
  }
  writeMemory(_thread: number, address: bigint, bytes: Uint8Array): boolean {
    if (Number(address) + bytes.length > 16) return false;
    this.memory.set(bytes, Number(address));
    return true;
  }
  insert(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported" | "full" {
    this.log.push(`Z ${kind} ${address} ${length}`);
    return kind === "read" ? "unsupported" : address === 9n ? "full" : "done";
  }
  remove(kind: StopPointKind, address: bigint, length: number): "done" {
    this.log.push(`z ${kind} ${address} ${length}`);
    return "done";
  }
  resume(actions: readonly ResumeAction[]): void {
    this.isStopped = false;
    this.log.push(`resume ${actions.map((a) => a.kind === "range" ? `${a.start}-${a.end}` : a.kind)}`);
  }
  interrupt(): void {
    this.isStopped = true;
    this.log.push("interrupt");
  }
  monitor(command: string): string {
    return command === "silent" ? "" : `you said ${command}\n`;
  }
  detach(): void {
    this.log.push("detach");
  }
  kill(): void {
    this.log.push("kill");
  }
}

class Session {
  readonly target: FakeTarget = new FakeTarget();
  readonly events: PacketEvent[] = [];
  readonly server: GdbServer;

  constructor() {
    const reader = new PacketReader();
    this.server = new GdbServer({ target: this.target, send: (bytes) => this.events.push(...reader.read(bytes)) });
  }

  /** Sends a packet and gives what came back, acknowledgements left out. */
  ask(body: string): string | undefined {
    this.server.receive(encodePacket(body));
    return this.answers().join(" ") || undefined;
  }

  /** What came since the last time. */
  answers(): string[] {
    return this.events.splice(0).flatMap((e) => e.kind === "packet" ? [`${String.fromCharCode(...e.body)}`] : []);
  }
}

Deno.test("GdbServer acknowledges until it is told not to, and repeats what was not understood", () => {
  const session = new Session();
  const kinds = (): string[] => session.events.splice(0).map((e) => e.kind);
  session.server.receive(encodePacket("qC"));
  assertEquals(kinds(), ["ack", "packet"]);
  session.server.receive(new TextEncoder().encode("$qC#00"));
  assertEquals(kinds(), ["nak"]);
  session.server.receive(new TextEncoder().encode("-"));
  assertEquals(session.answers(), ["QC1"]);
  session.server.receive(encodePacket("QStartNoAckMode"));
  assertEquals(kinds(), ["ack", "packet"]);
  session.server.receive(encodePacket("qC"));
  assertEquals(kinds(), ["packet"]);
});

Deno.test("GdbServer says what it supports, and answers nothing to what it does not know", () => {
  const session = new Session();
  const supported = session.ask("qSupported:multiprocess+;swbreak+;hwbreak+")!;
  for (const part of ["PacketSize=8000", "QStartNoAckMode+", "qXfer:features:read+", "swbreak+", "hwbreak+"]) {
    assertStringIncludes(supported, part);
  }
  assertEquals(supported.includes("multiprocess"), false);
  assertEquals(session.ask("vMustReplyEmpty"), undefined);
  assertEquals(session.answers(), []);
  session.server.receive(encodePacket("bogus"));
  assertEquals(session.events.map((e) => e.kind === "packet" ? e.body.length : e.kind), ["ack", 0]);
});

Deno.test("GdbServer reads and writes registers of the chosen thread", () => {
  const session = new Session();
  assertEquals([session.ask("g"), session.ask("p10"), session.ask("p14")], ["00ab", "0010", "E16"]);
  assertEquals([session.ask("Hg2"), session.ask("g"), session.ask("Hg0"), session.ask("p1")], [
    "OK",
    "01ab",
    "OK",
    "0101",
  ]);
  assertEquals([session.ask("Hg3"), session.ask("T2"), session.ask("T3")], ["E16", "OK", "E16"]);
  assertEquals([session.ask("G0102"), session.ask("G01"), session.ask("G0x")], ["OK", "E16", "E16"]);
  assertEquals([session.ask("P2=cdef"), session.ask("P20=00"), session.ask("P2")], ["OK", "E16", "E16"]);
  assertEquals(session.target.log, ["G1 1,2", "G1 1", "P1 2 205,239", "P1 32 0"]);
});

Deno.test("GdbServer reads and writes memory, in digits and in bytes", () => {
  const session = new Session();
  assertEquals([session.ask("m2,3"), session.ask("me,8"), session.ask("m20,1")], ["020304", "0e0f", "E0e"]);
  assertEquals([session.ask("M0,2:aabb"), session.ask("m0,2")], ["OK", "aabb"]);
  assertEquals([session.ask("X4,0:"), session.ask("X4,3:#}*"), session.ask("m4,3")], ["OK", "OK", "237d2a"]);
  assertEquals([session.ask("Mf,2:aabb"), session.ask("M0,2:aa"), session.ask("m,1")], ["E0e", "E16", "E16"]);
});

Deno.test("GdbServer sets and takes away breakpoints and watchpoints of each kind", () => {
  const session = new Session();
  const answers = ["Z0,10,1", "Z1,11,1", "Z2,12,4", "Z3,13,2", "Z4,9,8", "z0,10,1"].map((p) => session.ask(p));
  assertEquals(answers, ["OK", "OK", "OK", undefined, "E1c", "OK"]);
  assertEquals(session.target.log, [
    "Z software 16 1",
    "Z hardware 17 1",
    "Z write 18 4",
    "Z read 19 2",
    "Z access 9 8",
    "z software 16 1",
  ]);
});

Deno.test("GdbServer resumes threads as vCont says, and tells when they stop", () => {
  const session = new Session();
  assertEquals(session.ask("vCont?"), "vCont;c;C;s;S;r");
  assertEquals(session.ask("vCont;s:2;c"), undefined);
  session.server.stopped({ kind: "step" }, 1);
  assertEquals(session.answers(), ["T05thread:2;"]);
  assertEquals([session.ask("?"), session.ask("qC")], ["T05thread:2;", "QC2"]);
  session.ask("vCont;r1000,1010:1");
  session.server.stopped({ kind: "write", address: 0x1234n }, 0);
  assertEquals(session.answers(), ["T05watch:1234;thread:1;"]);
  session.ask("vCont;C05");
  session.server.stopped({ kind: "software" }, 0);
  assertEquals(session.answers(), ["T05swbreak:;thread:1;"]);
  session.ask("s");
  session.server.stopped({ kind: "crash" }, 0);
  assertEquals(session.answers(), ["T0bthread:1;"]);
  session.ask("c2000");
  session.server.exited(3);
  assertEquals(session.answers(), ["W03"]);
  assertEquals(session.target.log, [
    "resume continue,step",
    "resume 4096-4112,stay",
    "resume continue,continue",
    "resume step,continue",
    "P0 16 0,32,0,0,0,0,0,0",
    "resume continue,continue",
  ]);
});

Deno.test("GdbServer takes Ctrl-C only while the machine runs", () => {
  const session = new Session();
  session.server.receive(Uint8Array.of(3));
  assertEquals(session.target.log, []);
  session.ask("c");
  session.server.receive(Uint8Array.of(3));
  session.server.stopped({ kind: "interrupt" }, 0);
  assertEquals(session.answers(), ["T02thread:1;"]);
  assertEquals(session.target.log, ["resume continue,continue", "interrupt"]);
});

Deno.test("GdbServer stops a running machine when gdb comes", () => {
  const target = new FakeTarget();
  target.isStopped = false;
  new GdbServer({ target, send: () => {} });
  assertEquals(target.log, ["interrupt"]);
});

Deno.test("GdbServer gives the target description in pieces, and the threads", () => {
  const session = new Session();
  let xml = "";
  for (let done = false; !done;) {
    const piece = session.ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},400`)!;
    done = piece[0] === "l";
    xml += piece.slice(1);
  }
  assertStringIncludes(xml, "<architecture>i386:x86-64</architecture>");
  assertStringIncludes(xml, "</target>");
  assertEquals(session.ask("qXfer:features:read:other.xml:0,400"), "E00");
  assertEquals([session.ask("qfThreadInfo"), session.ask("qsThreadInfo")], ["m1,2", "l"]);
  assertEquals(session.ask("qThreadExtraInfo,2"), textToHex("cpu 1"));
});

Deno.test("GdbServer passes monitor commands on, and knows physical addresses as QEMU does", () => {
  const session = new Session();
  assertEquals(session.ask(`qRcmd,${textToHex("info x")}`), `O${textToHex("you said info x\n")} OK`);
  assertEquals(session.ask(`qRcmd,${textToHex("silent")}`), "OK");
  assertEquals([session.ask("qqemu.PhyMemMode"), session.ask("Qqemu.PhyMemMode:1")], ["0", "OK"]);
  assertEquals([session.ask("qqemu.PhyMemMode"), session.target.physicalMemory], ["1", true]);
});

Deno.test("GdbServer ends on detach and kill", () => {
  const detached = new Session();
  assertEquals([detached.ask("D"), detached.server.isClosed, detached.target.log], ["OK", true, ["detach"]]);
  const killed = new Session();
  assertEquals([killed.ask("k"), killed.server.isClosed, killed.target.log], [undefined, true, ["kill"]]);
  assertEquals(new Session().ask("vKill;1"), "OK");
});
