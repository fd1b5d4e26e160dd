import { assert, assertEquals } from "@std/assert";
import { CODE, EngineGuest, ENGINES } from "../../tests/engine_guest.ts";
import type { Engine } from "./soft.ts";

/** Loops, calls, REP, helpers, an interrupt shadow: some 300 instructions that end in HLT. */
const PROGRAM = `
  b9 05 00 00 00    ; mov ecx, 0x5
  51                ; push ecx
  bb 07 00 00 00    ; mov ebx, 0x7
  01 d8             ; add eax, ebx
  83 d2 11          ; adc edx, 0x11
  89 86 00 20 00 00 ; mov [esi+0x2000], eax
  33 be 00 20 00 00 ; xor edi, [esi+0x2000]
  46                ; inc esi
  4b                ; dec ebx
  75 eb             ; jne 0x1000b
  e8 36 00 00 00    ; call 0x1005b
  59                ; pop ecx
  e2 dd             ; loop 0x10005
  9c                ; pushf
  9d                ; popf
  b9 09 00 00 00    ; mov ecx, 0x9
  be 00 20 00 00    ; mov esi, 0x2000
  bf 00 30 00 00    ; mov edi, 0x3000
  f3 a4             ; rep movsb
  b9 03 00 00 00    ; mov ecx, 0x3
  b8 55 00 00 00    ; mov eax, 0x55
  f3 ab             ; rep stosd
  31 c0             ; xor eax, eax
  0f a2             ; cpuid
  fb                ; sti
  8e 15 00 40 00 00 ; mov ss, word [0x4000]
  89 c1             ; mov ecx, eax
  fa                ; cli
  e8 18 00 00 00    ; call 0x10072
  f4                ; hlt
  a9 01 00 00 00    ; test eax, 0x1
  74 03             ; je 0x10065
  01 c5             ; add ebp, eax
  c3                ; ret
  83 ed 03          ; sub ebp, 0x3
  e9 04 00 00 00    ; jmp 0x10071
  90                ; nop
  90                ; nop
  90                ; nop
  90                ; nop
  c3                ; ret
  b8 78 56 34 12    ; mov eax, 0x12345678
  0f bd c8          ; bsr ecx, eax
  74 f6             ; je 0x10072
  c3                ; ret
`;
/** Every instruction of PROGRAM lies across a page or next to one, one after the other. */
const PLACES = [CODE, CODE + 4096 - 12, CODE + 4096 - 30, CODE + 4096 - 49, CODE + 4096 - 87, CODE + 4096 - 97];

function start(engine: Engine, place: number): EngineGuest {
  const guest = new EngineGuest({ engine, mode: "protected" });
  guest.code(PROGRAM);
  guest.poke(place, guest.peek(CODE, 0x80));
  guest.poke(0x4000, [0x10]);
  guest.set({ rip: BigInt(place), rsi: 0 });
  return guest;
}

/** The state after each instruction, and the number of instructions, by running one after the other. */
function steps(engine: Engine, place: number): string[] {
  using guest = start(engine, place);
  const [vcpu] = guest.vcpus, states = [guest.snapshot()], before = vcpu.instructions();
  for (let n = 1; guest.run(1) === "INTR"; n++) {
    assertEquals(vcpu.instructions() - before, n);
    states.push(guest.snapshot());
    assert(n < 1000, "the program does not end");
  }
  return [...states, guest.snapshot()];
}

/** Puts a guest back to where it was: what its engine has decoded stays. */
function rewinder(guest: EngineGuest): () => void {
  const regs = guest.regs(), sregs = new Uint8Array(312), fpu = new Uint8Array(416), memory = guest.peek(0, 0x2_0000);
  guest.vcpus[0].getSregs(sregs);
  guest.vcpus[0].getFpu(fpu);
  return () => {
    const now = guest.peek(0, memory.length);
    memory.forEach((b, i) => b === now[i] || guest.poke(i, [b]));
    guest.vcpus[0].setSregs(sregs);
    guest.vcpus[0].setRegs(regs.bytes);
    guest.vcpus[0].setFpu(fpu);
  };
}

for (const engine of ENGINES) {
  Deno.test(`run() with the ${engine} stops after exactly as many instructions as it may`, () => {
    const expected = steps("interpreter", CODE);
    assert(expected.length > 200);
    assertEquals(steps(engine, CODE), expected);
    using guest = start(engine, CODE);
    const rewind = rewinder(guest), [vcpu] = guest.vcpus;
    for (let n = 0; n < expected.length - 1; n++) {
      const before = vcpu.instructions();
      assertEquals(guest.run(n), "INTR", `budget ${n}`);
      assertEquals(vcpu.instructions() - before, n);
      assertEquals(guest.snapshot(), expected[n], `budget ${n}`);
      rewind();
    }
  });

  Deno.test(`run() with the ${engine} leaves the same state in pieces of any size as in one go`, () => {
    for (const place of PLACES) {
      using guest = start(engine, place);
      const rewind = rewinder(guest);
      guest.expect("HLT");
      const expected = guest.snapshot();
      for (const piece of [1, 2, 3, 5, 7, 16, 31, 47, 48, 49, 64, 100, 257]) {
        rewind();
        let end = "";
        for (let i = 0; i < 1000 && end !== "HLT"; i++) end = guest.run(piece);
        assertEquals(guest.snapshot(), expected, `pieces of ${piece}, at ${place.toString(16)}`);
      }
    }
  });
}

Deno.test("run() goes through as many instructions with every executor", () => {
  const counts = ENGINES.map((engine) => {
    using guest = start(engine, CODE);
    guest.expect("HLT");
    return guest.vcpus[0].instructions();
  });
  assertEquals(new Set(counts).size, 1, `${counts}`);
});

Deno.test("run() of a slice without an end stops, too", () => {
  for (const engine of ENGINES) {
    using guest = new EngineGuest({ engine, mode: "protected" });
    guest.code("eb fe ; jmp short 0x10000");
    for (const n of [1, 100_000, 1_234_567]) {
      const before = guest.vcpus[0].instructions();
      assertEquals(guest.run(n), "INTR");
      assertEquals(guest.vcpus[0].instructions() - before, n);
    }
  }
});

Deno.test("run() counts a jump that a region knows some targets of, wherever it is stopped", () => {
  const starts = ENGINES.map((engine) => {
    const guest = new EngineGuest({ engine, mode: "protected" });
    guest.code(`
      b9 40 00 00 00       ; mov ecx, 0x40
      89 c8                ; mov eax, ecx
      83 e0 03             ; and eax, 0x3
      ff 24 85 00 20 00 00 ; jmp [eax*4+0x2000]
      43                   ; inc ebx
      43                   ; inc ebx
      43                   ; inc ebx
      eb 08                ; jmp short 0x1001e
      4b                   ; dec ebx
      eb 05                ; jmp short 0x1001e
      01 cb                ; add ebx, ecx
      01 cb                ; add ebx, ecx
      90                   ; nop
      49                   ; dec ecx
      75 e4                ; jne 0x10005
      f4                   ; hlt
    `);
    return guest;
  });
  // The other targets are seen when there are regions that know the first.
  const tables = [
    Uint32Array.of(0x1_0011, 0x1_0011, 0x1_0011, 0x1_0011),
    Uint32Array.of(0x1_0011, 0x1_0016, 0x1_0019, 0x1_0011),
  ];
  for (let piece = 1; piece < 60; piece++) {
    const traces = starts.map((guest) => {
      guest.poke(0x2000, new Uint8Array(tables[piece < 30 ? 0 : 1].buffer));
      const from = guest.vcpus[0].instructions(), trace: bigint[] = [];
      guest.set({ rip: CODE, rbx: 0 });
      for (let end = ""; end !== "HLT";) {
        end = guest.run(piece);
        const { rip, rbx } = guest.regs();
        trace.push(rip, rbx, BigInt(guest.vcpus[0].instructions() - from));
      }
      return trace;
    });
    for (const trace of traces) assertEquals(trace, traces[0], `pieces of ${piece}`);
  }
  for (const guest of starts) guest[Symbol.dispose]();
});
