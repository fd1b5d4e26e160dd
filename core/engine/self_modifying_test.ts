import { assertEquals } from "@std/assert";
import { CODE, EngineGuest, ENGINES } from "../../tests/engine_guest.ts";

/** Makes a flat 32-bit guest with this code, and registers it by executor in the name. */
function test(name: string, body: (make: (code: string, at?: number, vcpus?: number) => EngineGuest) => void): void {
  for (const engine of ENGINES) {
    Deno.test(`run() ${name} [${engine}]`, () => {
      body((code, at = CODE, vcpus = 1) => {
        const guest = new EngineGuest({ engine, mode: "protected", vcpus });
        guest.code(code, at);
        for (let n = 0; n < vcpus; n++) guest.set({ rip: BigInt(at) }, n);
        return guest;
      });
    });
  }
}

test("executes the next instruction as the one before has changed it", (make) => {
  using guest = make(`
    c6 05 08 00 01 00 07 ; mov byte [0x10008], 0x7
    b0 01                ; mov al, 0x1
    f4                   ; hlt
  `);
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 7n);
});

test("executes an instruction that changes in every iteration of a loop", (make) => {
  using guest = make(`
    b9 05 00 00 00    ; mov ecx, 0x5
    fe 05 0d 00 01 00 ; inc byte [0x1000d]
    83 c0 00          ; add eax, 0x0
    e2 f5             ; loop 0x10005
    f4                ; hlt
  `);
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 15n);
});

test("executes code that a hot loop changes in its middle", (make) => {
  using guest = make(`
    40                   ; inc eax
    3d 00 30 00 00       ; cmp eax, 0x3000
    75 07                ; jne 0x1000f
    c6 05 0f 00 01 00 43 ; mov byte [0x1000f], 0x43
    42                   ; inc edx
    90                   ; nop
    3d 00 60 00 00       ; cmp eax, 0x6000
    75 e8                ; jne 0x10000
    f4                   ; hlt
  `);
  guest.expect("HLT");
  const { rdx, rbx } = guest.regs();
  assertEquals([rdx, rbx], [0x2fffn, 0x3001n]);
});

test("executes a straddling instruction as its second page has changed", (make) => {
  using guest = make(
    `
    31 db             ; xor ebx, ebx
    b8 01 01 01 01    ; mov eax, 0x1010101
    01 c2             ; add edx, eax
    ff 05 00 10 01 00 ; inc dword [0x11000]
    43                ; inc ebx
    83 fb 04          ; cmp ebx, 0x4
    75 ed             ; jne 0x10ffe
    f4                ; hlt
  `,
    0x1_0ffc,
  );
  guest.expect("HLT");
  assertEquals(guest.regs().rdx, 4n * 0x0101_0101n + 6n * 0x100n);
});

test("executes a straddling instruction that was none before", (make) => {
  using guest = make("0f a2 ; cpuid\nf4 ; hlt", 0x1_0fff);
  guest.poke(0x1_1000, [0x04]);
  // #UD without a descriptor for it.
  guest.expect("SHUTDOWN");
  guest.set({ rip: 0x1_0fff, rax: 0 });
  guest.expect("SHUTDOWN");
  guest.memory.bytes[0x1_1000] = 0xa2;
  guest.set({ rip: 0x1_0fff, rax: 0 });
  guest.expect("HLT");
  assertEquals(guest.regs().rip, 0x1_1002n);
});

test("executes what PUSH has put before it", (make) => {
  using guest = make(`
    bc 15 00 01 00 ; mov esp, 0x10015
    68 90 90 90 90 ; push 0x90909090
    83 c0 01       ; add eax, 0x1
    83 c0 01       ; add eax, 0x1
    90             ; nop
    04 10          ; add al, 0x10
    04 20          ; add al, 0x20
    f4             ; hlt
  `);
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 2n);
});

test("executes what REP MOVSB has put behind it", (make) => {
  using guest = make(`
    be 00 20 00 00 ; mov esi, 0x2000
    bf 11 00 01 00 ; mov edi, 0x10011
    b9 06 00 00 00 ; mov ecx, 0x6
    f3 a4          ; rep movsb
    40             ; inc eax
    40             ; inc eax
    40             ; inc eax
    40             ; inc eax
    40             ; inc eax
    40             ; inc eax
    f4             ; hlt
  `);
  guest.poke(0x2000, [0x42, 0x42, 0x42, 0x40, 0x42, 0x42]);
  guest.expect("HLT");
  assertEquals([guest.regs().rax, guest.regs().rdx], [1n, 5n]);
});

test("executes what STOSD and a helper's instruction have put behind them", (make) => {
  using guest = make(`
    b8 0d 00 01 00       ; mov eax, 0x1000d
    89 c7                ; mov edi, eax
    b8 43 43 43 43       ; mov eax, 0x43434343
    ab                   ; stosd
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    0f 01 05 18 00 01 00 ; sgdt [0x10018]
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    42                   ; inc edx
    f4                   ; hlt
  `);
  guest.change((s) => Object.assign(s.gdt, { base: 0x4343_4343n, limit: 0x4343 }));
  guest.expect("HLT");
  assertEquals([guest.regs().rbx, guest.regs().rdx], [10n, 0n]);
});

test("executes what a far call has pushed onto its target", (make) => {
  const nops = (n: number) => "90 ; nop\n".repeat(n);
  using guest = make(`
    ${nops(0x39)}
    9a 40 00 01 00 08 00 ; call 0x8:0x10040
    ${nops(8)}
    c0 f4 00             ; sal ah, 0x0
    f4                   ; hlt
  `);
  guest.expect("HLT");
  guest.set({ rip: CODE, rsp: 0x1_0048, rax: 0x2000, rcx: 0x2000 });
  guest.expect("HLT");
  // The return address is 40 00 01 00 08 00 00 00: inc eax; add [ecx], al; add [eax], cl; add [eax], al; add al, al.
  assertEquals([...guest.peek(0x2000, 2), guest.regs().rax], [1, 1, 0x2002n]);
});

test("executes what another processor has changed", (make) => {
  using guest = make(
    `
    b0 01                ; mov al, 0x1
    f4                   ; hlt
    c6 05 01 00 01 00 09 ; mov byte [0x10001], 0x9
    f4                   ; hlt
  `,
    CODE,
    2,
  );
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 1n);
  guest.set({ rip: 0x1_0003 }, 1);
  guest.expect("HLT", 1);
  guest.set({ rip: CODE });
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 9n);
});

test("executes a loop that another processor has changed while it was interrupted", (make) => {
  using guest = make(
    `
    40                   ; inc eax
    eb fd                ; jmp short 0x10000
    c6 05 00 00 01 00 43 ; mov byte [0x10000], 0x43
    f4                   ; hlt
  `,
    CODE,
    2,
  );
  assertEquals(guest.run(100_001), "INTR");
  assertEquals(guest.regs().rax, 50_001n);
  guest.set({ rip: 0x1_0003 }, 1);
  guest.expect("HLT", 1);
  assertEquals(guest.run(100_000), "INTR");
  assertEquals([guest.regs().rax, guest.regs().rbx], [50_001n, 50_000n]);
});

test("executes what was changed through an alias", (make) => {
  using guest = make(`
    c6 05 08 00 11 00 07 ; mov byte [0x110008], 0x7
    b0 01                ; mov al, 0x1
    f4                   ; hlt
  `);
  const { memory, vm } = guest;
  vm.map([
    { gpa: 0, size: 0x10_0000, memory, offset: 0, log: false },
    { gpa: 0x11_0000, size: 0x1000, memory, offset: CODE, log: false },
  ]);
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 7n);
  // The same code at its other address, with the write to itself.
  guest.poke(CODE + 8, [1]);
  guest.poke(CODE + 4, [1]);
  guest.set({ rip: 0x11_0000, rax: 0 });
  guest.expect("HLT");
  assertEquals(guest.regs().rax, 7n);
});

test("executes what the host program has written between two runs", (make) => {
  using guest = make("40 ; inc eax\neb fd ; jmp short 0x10000");
  const { bytes } = guest.memory;
  for (const [opcode, register] of [[0x40, "rax"], [0x43, "rbx"], [0x42, "rdx"], [0x40, "rax"]] as const) {
    bytes[CODE] = opcode;
    guest.set({ rip: CODE, [register]: 0 });
    assertEquals(guest.run(100_000), "INTR");
    assertEquals(guest.regs()[register], 50_000n);
  }
});

test("executes what port input has put behind it", (make) => {
  using guest = make(`
    ba 10 00 00 00 ; mov edx, 0x10
    bf 0b 00 01 00 ; mov edi, 0x1000b
    6c             ; insb
    40             ; inc eax
    f4             ; hlt
  `);
  guest.expect("IO");
  guest.vcpus[0].shared[4096] = 0x43;
  guest.expect("HLT");
  assertEquals([guest.regs().rax, guest.regs().rbx], [0n, 1n]);
});
