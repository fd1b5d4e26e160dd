import { assertEquals } from "@std/assert";
import { CODE, EngineGuest, ENGINES } from "../../tests/engine_guest.ts";

const AM = 0x4_0000n, AC = 0x4_0000n;

/** Runs code at CPL 3; the vectors and error codes of what it raises. */
function raised(engine: typeof ENGINES[number], code: string, { am = true, ac = true } = {}): [number, number][] {
  using guest = new EngineGuest({ engine, mode: "protected" });
  const [vcpu] = guest.vcpus, events: [number, number][] = [];
  const length = guest.code(code) - CODE;
  guest.poke(CODE + length, [0xeb, -2 - length & 0xff]);
  guest.change((s) => {
    s.cs.dpl = s.ss.dpl = 3;
    if (am) s.cr0 |= AM;
  });
  guest.set({ rip: BigInt(CODE), rax: 0x2000n, rflags: 2n | (ac ? AC : 0n) });
  vcpu.observe({ event: (_kind, vector, error) => events.push([vector, error]) });
  guest.run(200);
  return events;
}

for (const engine of ENGINES) {
  Deno.test(`run() raises #AC(0) for unaligned accesses of user programs under AM and AC [${engine}]`, () => {
    const cases: [code: string, first: number | undefined][] = [
      ["8b 18 ; mov ebx, [eax]", undefined],
      ["8b 58 01 ; mov ebx, [eax+0x1]", 17],
      ["66 8b 58 02 ; mov bx, [eax+0x2]", undefined],
      ["66 8b 58 01 ; mov bx, [eax+0x1]", 17],
      ["8a 58 01 ; mov bl, [eax+0x1]", undefined],
      ["89 58 02 ; mov [eax+0x2], ebx", 17],
      ["dd 40 04 ; fld qword [eax+0x4]", 17],
      ["ff 70 01 ; push dword [eax+0x1]", 17],
    ];
    for (const [code, vector] of cases) {
      const [first] = raised(engine, code);
      assertEquals(first?.[0], vector, code);
      if (vector !== undefined) assertEquals(first[1], 0, code);
      assertEquals(raised(engine, code, { am: false }), [], `without AM: ${code}`);
      assertEquals(raised(engine, code, { ac: false }), [], `without AC: ${code}`);
    }
  });
}
