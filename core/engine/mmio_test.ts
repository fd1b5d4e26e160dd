import { assertEquals } from "@std/assert";
import { CODE, EngineGuest, ENGINES } from "../../tests/engine_guest.ts";
import type { Engine } from "./soft.ts";

/** Where there is no memory. */
const HOLE = 0x20_0000;

function test(name: string, body: (engine: Engine) => void): void {
  for (const engine of ENGINES) Deno.test(`run() ${name} [${engine}]`, () => body(engine));
}

/** What an exit asks, as text: `read 4 at 200000`, `write 4 at 200000: 1234`. */
function asked(guest: EngineGuest): string {
  const { write, address, length, value } = guest.mmio();
  return `${write ? "write" : "read"} ${length} at ${address.toString(16)}${write ? `: ${value.toString(16)}` : ""}`;
}

test("PUSH from MMIO to MMIO is a read, then a write, and moves the stack pointer last", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("ff 33 ; push dword [ebx]\nf4 ; hlt");
  guest.set({ rbx: HOLE, rsp: HOLE + 0x100 });
  assertEquals(asked(guest), "read 4 at 200000");
  guest.answer(0x1234_5678n);
  assertEquals(asked(guest), "write 4 at 2000fc: 12345678");
  assertEquals([guest.regs().rip, guest.regs().rsp], [BigInt(CODE), BigInt(HOLE + 0x100)]);
  guest.expect("HLT");
  assertEquals(guest.regs().rsp, BigInt(HOLE + 0xfc));
});

test("POP from MMIO to MMIO reads once", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("8f 03 ; pop dword [ebx]\nf4 ; hlt");
  guest.set({ rbx: HOLE, rsp: HOLE + 0x100 });
  assertEquals(asked(guest), "read 4 at 200100");
  guest.answer(0x77n);
  assertEquals(asked(guest), "write 4 at 200000: 77");
  guest.expect("HLT");
  assertEquals(guest.regs().rsp, BigInt(HOLE + 0x104));
});

test("CALL through MMIO with the stack in MMIO reads its target once", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("ff 13 ; call [ebx]");
  guest.code("f4 ; hlt", CODE + 0x80);
  guest.set({ rbx: HOLE, rsp: HOLE + 0x100 });
  assertEquals(asked(guest), "read 4 at 200000");
  guest.answer(BigInt(CODE + 0x80));
  assertEquals(asked(guest), "write 4 at 2000fc: 10002");
  guest.expect("HLT");
  assertEquals([guest.regs().rip, guest.regs().rsp], [BigInt(CODE + 0x81), BigInt(HOLE + 0xfc)]);
});

test("PUSHA with the stack in MMIO writes each register once", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("60 ; pusha\nf4 ; hlt");
  const rsp = HOLE + 0x100;
  guest.set({ rax: 1, rcx: 2, rdx: 3, rbx: 4, rsp, rbp: 6, rsi: 7, rdi: 8 });
  const writes = Array.from({ length: 8 }, () => asked(guest)).sort();
  const values = [8, 7, 6, rsp, 4, 3, 2, 1].map((v, i) =>
    `write 4 at ${(rsp - 32 + i * 4).toString(16)}: ${v.toString(16)}`
  );
  assertEquals(writes, values);
  guest.expect("HLT");
  assertEquals(guest.regs().rsp, BigInt(rsp - 32));
});

test("REP MOVSB from MMIO to MMIO is a read and a write for each byte, with the count exact at each exit", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("f3 a4 ; rep movsb\nf4 ; hlt");
  const count = 150, before = guest.vcpus[0].instructions();
  guest.set({ rsi: HOLE, rdi: HOLE + 0x1000, rcx: count });
  for (let i = 0; i < count; i++) {
    assertEquals(asked(guest), `read 1 at ${(HOLE + i).toString(16)}`);
    assertEquals(guest.regs().rcx, BigInt(count - i));
    guest.answer(BigInt(i));
    assertEquals(asked(guest), `write 1 at ${(HOLE + 0x1000 + i).toString(16)}: ${i.toString(16)}`);
    assertEquals([guest.regs().rcx, guest.regs().rsi], [BigInt(count - i), BigInt(HOLE + i)]);
  }
  guest.expect("HLT");
  assertEquals(guest.vcpus[0].instructions() - before, 2);
});

test("REPE CMPSB of MMIO and memory stops at the first difference", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("f3 a6 ; repe cmpsb\nf4 ; hlt");
  guest.poke(0x2000, [1, 2, 9]);
  guest.set({ rsi: HOLE, rdi: 0x2000, rcx: 10 });
  for (let i = 0; i < 3; i++) {
    assertEquals(asked(guest), `read 1 at ${(HOLE + i).toString(16)}`);
    guest.answer(BigInt(i + 1));
  }
  guest.expect("HLT");
  assertEquals([guest.regs().rcx, guest.regs().rflags & 0x41n], [7n, 1n]);
});

test("a read-modify-write over two pages of MMIO is two reads, then two writes", (engine) => {
  using guest = new EngineGuest({ engine, mode: "long" });
  guest.code("48 01 03 ; add [rbx], rax\nf4 ; hlt");
  guest.set({ rbx: HOLE + 0xffd, rax: 1 });
  assertEquals(asked(guest), "read 3 at 200ffd");
  guest.answer(0xff_ffffn);
  assertEquals(asked(guest), "read 5 at 201000");
  guest.answer(0xff_ffff_ffffn);
  assertEquals(asked(guest), "write 3 at 200ffd: 0");
  assertEquals(asked(guest), "write 5 at 201000: 0");
  guest.expect("HLT");
  assertEquals(guest.regs().rflags & 0x41n, 0x41n);
});

test("a read-modify-write of memory and MMIO changes memory once", (engine) => {
  using guest = new EngineGuest({ engine, mode: "long" });
  guest.code("48 01 03 ; add [rbx], rax\nf4 ; hlt");
  const end = 0x10_0000;
  guest.poke(end - 4, [0xff, 0xff, 0xff, 0xff]);
  guest.set({ rbx: end - 4, rax: 2 });
  assertEquals(asked(guest), "read 4 at 100000");
  assertEquals([...guest.peek(end - 4, 4)], [0xff, 0xff, 0xff, 0xff]);
  guest.answer(5n);
  assertEquals(asked(guest), "write 4 at 100000: 6");
  guest.expect("HLT");
  assertEquals([...guest.peek(end - 4, 4)], [1, 0, 0, 0]);
});

test("CMPXCHG16B of MMIO is two reads, then two writes", (engine) => {
  using guest = new EngineGuest({ engine, mode: "long" });
  guest.code("f0 48 0f c7 0e ; lock cmpxchg16b oword [rsi]\nf4 ; hlt");
  guest.set({ rsi: HOLE, rax: 1, rdx: 2, rbx: 3, rcx: 4 });
  assertEquals(asked(guest), "read 8 at 200000");
  guest.answer(1n);
  assertEquals(asked(guest), "read 8 at 200008");
  guest.answer(2n);
  assertEquals([asked(guest), asked(guest)].sort(), ["write 8 at 200000: 3", "write 8 at 200008: 4"]);
  guest.expect("HLT");
  assertEquals([guest.regs().rflags & 0x40n, guest.regs().rcx], [0x40n, 4n]);
});

test("an instruction that meets MMIO again reads it again, and counts once", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("ff 03 ; inc dword [ebx]\ne2 fc ; loop 0x10000\nf4 ; hlt");
  guest.set({ rbx: HOLE, rcx: 5 });
  const before = guest.vcpus[0].instructions();
  for (let i = 0; i < 5; i++) {
    assertEquals(asked(guest), "read 4 at 200000");
    guest.answer(BigInt(i * 16));
    assertEquals(asked(guest), `write 4 at 200000: ${(i * 16 + 1).toString(16)}`);
  }
  guest.expect("HLT");
  assertEquals(guest.vcpus[0].instructions() - before, 11);
});

test("a budget is used up exactly with MMIO in between", (engine) => {
  for (let n = 0; n < 11; n++) {
    using guest = new EngineGuest({ engine, mode: "protected" });
    guest.code("ff 03 ; inc dword [ebx]\ne2 fc ; loop 0x10000\nf4 ; hlt");
    guest.set({ rbx: HOLE, rcx: 5 });
    const vcpu = guest.vcpus[0], before = vcpu.instructions();
    for (let exits = 0; guest.run(n - (vcpu.instructions() - before)) === "MMIO"; exits++) {
      assertEquals(exits < 20, true);
    }
    assertEquals(vcpu.instructions() - before, n);
    assertEquals(guest.regs().rcx, BigInt(5 - (n >> 1)));
  }
});
