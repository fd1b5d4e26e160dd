import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { EngineGuest, ENGINES } from "../../tests/engine_guest.ts";
import { entryOf } from "./tlb.ts";

Deno.test("entryOf() gives neighbours different places", () => {
  for (let bit = 12; bit < 32; bit++) {
    for (const upper of [0, 0x5555_5000, 0xaaaa_a000, 0xffff_f000]) {
      const second = (2 ** bit | upper & ~(2 ** (bit + 1) - 1)) >>> 0;
      assertNotEquals(entryOf(second), entryOf(second - 1), second.toString(16));
    }
  }
});

Deno.test("entryOf() gives blocks 4 MiB apart different places", () => {
  const places = new Set(Array.from({ length: 512 }, (_, n) => entryOf(n * 0x40_0000)));
  assertEquals(places.size, 512);
  assert([...places].every((place) => place % 32 === 0));
});

for (const engine of ENGINES) {
  Deno.test(`run() an access that reaches into the page of the one before it begins in its own [${engine}]`, () => {
    using guest = new EngineGuest({ engine, mode: "protected" });
    // Two pages that are neighbours as addresses and far apart in memory.
    const directory = 0x9000, table = 0xa000, page = 0x40_0000;
    guest.poke(directory, new Uint8Array(Uint32Array.of(0x83, table | 3).buffer));
    guest.poke(table, new Uint8Array(Uint32Array.of(0x8_0003, 0x6_0003).buffer));
    guest.change((sregs) => {
      sregs.cr3 = BigInt(directory);
      sregs.cr4 |= 0x10n;
      sregs.cr0 |= 0x8000_0000n;
    });
    guest.poke(0x8_0ffc, [1, 2, 3, 4]);
    guest.poke(0x6_0000, [5, 6, 7, 8]);
    guest.code(`
      b9 00 80 00 00       ; mov ecx, 0x8000
      8b 86 02 10 00 00    ; mov eax, [esi+0x1002]
      8b 96 fe 0f 00 00    ; mov edx, [esi+0xffe]
      49                   ; dec ecx
      75 f1                ; jne 0x10005
      f4                   ; hlt
    `);
    guest.set({ rsi: page });
    guest.expect("HLT");
    assertEquals(guest.regs().rdx, 0x0605_0403n);
  });
}

for (const engine of ENGINES) {
  Deno.test(`run() no address is taken for a page that is not remembered yet [${engine}]`, () => {
    for (const rsi of [0x8000_0000_0000_0000n, 0xffff_7fff_ffff_ffffn, 0x8000_0000_0801n]) {
      using guest = new EngineGuest({ engine, mode: "long" });
      guest.code("8b 06 ; mov eax, [rsi]\nf4 ; hlt");
      guest.change((sregs) => {
        sregs.idt.limit = 0;
      });
      guest.set({ rsi });
      guest.expect("SHUTDOWN");
      assertEquals(guest.regs().rip, BigInt(0x1_0000), rsi.toString(16));
    }
  });
}
