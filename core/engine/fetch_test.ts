import { assertEquals } from "@std/assert";
import { CODE, EngineGuest, ENGINES } from "../../tests/engine_guest.ts";
import { KvmSregs } from "../../mod.ts";
import { UNKNOWN_FETCH } from "./cpu.ts";
import type { Engine } from "./soft.ts";

const END = 0x10_0000;

function test(name: string, body: (engine: Engine) => void): void {
  for (const engine of ENGINES) Deno.test(`run() ${name} [${engine}]`, () => body(engine));
}

function reason(guest: EngineGuest): number {
  return Number(guest.vcpus[0].sharedView.getBigUint64(32, true));
}

function cr2(guest: EngineGuest): bigint {
  const sregs = new KvmSregs();
  guest.vcpus[0].getSregs(sregs.bytes);
  return sregs.cr2;
}

test("executes the last byte of memory, and cannot go on behind it", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.code("40 ; inc eax\nf4 ; hlt", END - 2);
  guest.set({ rip: END - 2 });
  guest.expect("HLT");
  assertEquals([guest.regs().rip, guest.regs().rax], [BigInt(END), 1n]);
  guest.expect("HLT");
  guest.memory.bytes[END - 1] = 0x40;
  guest.set({ rip: END - 1 });
  for (let i = 0; i < 2; i++) {
    guest.expect("UNKNOWN");
    assertEquals([guest.regs().rip, guest.regs().rax, reason(guest)], [BigInt(END), 2n, UNKNOWN_FETCH]);
  }
});

test("cannot fetch an instruction that reaches over the end of memory until there is some", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.poke(END - 2, [0xb8, 1]);
  guest.set({ rip: END - 2, rax: 5 });
  guest.expect("UNKNOWN");
  assertEquals([guest.regs().rip, guest.regs().rax, reason(guest)], [BigInt(END - 2), 5n, UNKNOWN_FETCH]);
  const more = guest.vm.allocate(4096);
  guest.vm.map([
    { gpa: 0, size: END, memory: guest.memory, offset: 0, log: false },
    { gpa: END, size: 4096, memory: more, offset: 0, log: false },
  ]);
  more.bytes.set([2, 3, 4, 0xf4]);
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 0x0403_0201n);
});

test("executes an instruction that straddles two pages, wherever it is cut", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  const text =
    "f0 81 84 8b 00 20 00 00 78 56 34 12 ; lock add dword [ebx+ecx*4+0x2000], 0x12345678\n40 ; inc eax\nf4 ; hlt";
  for (let before = 1; before < 14; before++) {
    const at = CODE + before * 0x2000 + 0x1000 - before;
    guest.code(text, at);
    for (let i = 0; i < 3; i++) {
      guest.poke(0x2018, [0, 0, 0, 0]);
      guest.set({ rip: BigInt(at), rbx: 0x10, rcx: 2, rax: 7 });
      guest.expect("HLT");
      assertEquals([...guest.peek(0x2018, 4)], [0x78, 0x56, 0x34, 0x12], `${before} bytes before the page`);
      assertEquals([guest.regs().rip, guest.regs().rax], [BigInt(at + 14), 8n]);
    }
  }
});

test("executes a loop that straddles two pages", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  const loop = "05 01 00 00 00 ; add eax, 0x1\n49 ; dec ecx\n75 f8 ; jne 0x10ffe\nf4 ; hlt";
  guest.code(loop, 0x1_0ffe);
  guest.set({ rip: 0x1_0ffe, rcx: 100_000 });
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 100_000n);
});

/** Takes the second page from under 64-bit code that ends in the first. */
function withoutSecondPage(guest: EngineGuest): void {
  // Page directory 0 at 0x4000 gets a page table at 0x9000 that has all pages but 0x11000.
  const table = new DataView(new ArrayBuffer(4096));
  for (let n = 0; n < 512; n++) table.setBigUint64(n * 8, n === 0x11 ? 0n : BigInt(n * 4096) | 3n, true);
  guest.poke(0x9000, new Uint8Array(table.buffer));
  guest.poke(0x4000, [0x03, 0x90, 0, 0, 0, 0, 0, 0]);
}

test("faults on the second page only when its bytes are needed", (engine) => {
  using guest = new EngineGuest({ engine, mode: "long" });
  withoutSecondPage(guest);
  guest.code("ff c0 ; inc eax", 0x1_0ffe);
  guest.set({ rip: 0x1_0ffe });
  // There is no interrupt table: the page fault becomes a triple fault.
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, guest.regs().rax, cr2(guest)], [0x1_1000n, 1n, 0x1_1000n]);

  guest.memory.bytes.set([0xb8, 1], 0x1_0ffe);
  guest.change((s) => s.cr2 = 0n);
  guest.set({ rip: 0x1_0ffe });
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, guest.regs().rax, cr2(guest)], [0x1_0ffen, 1n, 0x1_1000n]);

  // An opcode that does not exist in 64-bit mode needs no second page.
  guest.memory.bytes[0x1_0fff] = 0x06;
  guest.change((s) => s.cr2 = 0n);
  guest.set({ rip: 0x1_0fff });
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, cr2(guest)], [0x1_0fffn, 0n]);
});

function limited(engine: Engine, limit: number, text: string): EngineGuest {
  const guest = new EngineGuest({ engine, mode: "protected" });
  guest.code(text);
  guest.change((s) => Object.assign(s.cs, { limit, g: 0 }));
  return guest;
}

test("cannot go beyond the limit of CS", (engine) => {
  using guest = limited(engine, CODE + 2, "40 ; inc eax\n40 ; inc eax\n40 ; inc eax\n40 ; inc eax");
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, guest.regs().rax], [BigInt(CODE + 3), 3n]);
});

test("does not execute an instruction that crosses the limit of CS", (engine) => {
  for (const [inside, eax] of [[0, 1n], [4, 1n], [5, 5n]] as const) {
    using guest = limited(engine, CODE + inside, "40 ; inc eax\nb8 05 00 00 00 ; mov eax, 0x5\n90 ; nop");
    guest.expect("SHUTDOWN");
    assertEquals([guest.regs().rip, guest.regs().rax], [BigInt(CODE + (inside < 5 ? 1 : 6)), eax], `limit + ${inside}`);
  }
});

test("does not branch beyond the limit of CS", (engine) => {
  for (
    const text of ["eb 10 ; jmp short 0x10012", "e8 10 00 00 00 ; call 0x10015", "ff e1 ; jmp ecx", "ff d1 ; call ecx"]
  ) {
    using guest = limited(engine, CODE + 8, `${text}\nf4 ; hlt`);
    guest.set({ rcx: BigInt(CODE + 9) });
    guest.expect("SHUTDOWN");
    assertEquals(guest.regs().rip, BigInt(CODE), text);
  }
});

test("loops as long as it likes in a page that the limit of CS cuts", (engine) => {
  const loop = "40 ; inc eax\n49 ; dec ecx\n75 fc ; jne 0x10000\nf4 ; hlt";
  using guest = limited(engine, CODE + 6, loop);
  guest.set({ rcx: 2_000_000 });
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 2_000_000n);
});

test("jumps between segments over the same code by the limit of each", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  // 0x18 and 0x20: code from 0 to 0x2ffff, and to 0x20fff.
  guest.poke(0x1018, [0xff, 0xff, 0, 0, 0, 0x9b, 0x42, 0]);
  guest.poke(0x1020, [0xff, 0x0f, 0, 0, 0, 0x9b, 0x42, 0]);
  guest.change((s) => s.gdt.limit = 0x27);
  guest.code("ea 00 00 02 00 18 00 ; jmp 0x18:0x20000");
  guest.code("e9 fb 0f 00 00 ; jmp 0x21000", 0x2_0000);
  guest.code(
    `
    49                   ; dec ecx
    0f 85 f9 ef ff ff    ; jne 0x20000
    ea 00 00 02 00 20 00 ; jmp 0x20:0x20000
  `,
    0x2_1000,
  );
  guest.set({ rcx: 5 });
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, guest.regs().rcx], [0x2_0000n, 0n]);
});

test("runs sequentially out of a segment that is shorter than the one before", (engine) => {
  using guest = new EngineGuest({ engine, mode: "protected" });
  guest.poke(0x1018, [0xff, 0xff, 0, 0, 0, 0x9b, 0x42, 0]);
  guest.poke(0x1020, [0xff, 0x0f, 0, 0, 0, 0x9b, 0x42, 0]);
  guest.change((s) => s.gdt.limit = 0x27);
  guest.code("ea ff 0f 02 00 18 00 ; jmp 0x18:0x20fff");
  guest.code("40 ; inc eax\nea ff 0f 02 00 20 00 ; jmp 0x20:0x20fff", 0x2_0fff);
  guest.expect("SHUTDOWN");
  assertEquals([guest.regs().rip, guest.regs().rax], [0x2_1000n, 2n]);
});

test("wraps IP in 16-bit code, and faults where it would run on behind it", (engine) => {
  using guest = new EngineGuest({ engine });
  guest.code("eb 10 ; jmp short 0x8", CODE + 0xfff6);
  guest.code("f4 ; hlt", CODE + 8);
  guest.set({ rip: 0xfff6 });
  guest.expect("HLT");
  assertEquals(guest.regs().rip, 9n);
  // #GP through the vector at 13 * 4.
  guest.code("f4 ; hlt", CODE + 0x100);
  guest.poke(13 * 4, [0x00, 0x01, 0x00, 0x10]);
  guest.code("90 ; nop", CODE + 0xffff);
  guest.set({ rip: 0xffff, rsp: 0x8000 });
  guest.expect("HLT");
  assertEquals(guest.regs().rip, 0x101n);
});

for (const engine of ENGINES) {
  Deno.test(`run() a helper that faults behind writes of its instruction is told where it is [${engine}]`, () => {
    using guest = new EngineGuest({ engine, mode: "protected" });
    guest.code(`
      bc 00 70 00 00 ; mov esp, 0x7000
      68 44 02 00 00 ; push 0x244
      90             ; nop
      07             ; pop es
    `);
    guest.change((sregs) => {
      sregs.idt.limit = 0;
    });
    guest.expect("SHUTDOWN");
    assertEquals([guest.regs().rip, guest.regs().rsp], [BigInt(CODE + 11), 0x6ffcn]);
  });
}
