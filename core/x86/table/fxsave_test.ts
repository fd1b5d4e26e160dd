import { assertEquals } from "@std/assert";
import { EngineGuest } from "../../../tests/engine_guest.ts";

/** As the host processor answers: found by the fuzzer. */
Deno.test("FXSAVE and its like report of an area that is not there what Intel's processors look at first", () => {
  const AREA = 0x1_0000_0000n; // the first address that is not mapped
  const cases: readonly (readonly [code: string, offset: bigint])[] = [
    ["0f ae 06 ; fxsave [rsi]", 511n],
    ["0f ae 0e ; fxrstor [rsi]", 511n],
    ["0f ae 26 ; xsave [rsi]", 575n],
    ["0f ae 2e ; xrstor [rsi]", 520n],
  ];
  for (const [code, offset] of cases) {
    using guest = new EngineGuest({ engine: "interpreter", mode: "long" });
    guest.code(`31 c9 ; xor ecx, ecx\n31 d2 ; xor edx, edx\nb8 03 00 00 00 ; mov eax, 0x3\n0f 01 d1 ; xsetbv\n${code}`);
    guest.change((sregs) => {
      sregs.cr4 |= 0x4_0200n;
      sregs.idt.limit = 0;
    });
    guest.set({ rsi: AREA });
    guest.expect("SHUTDOWN");
    guest.change((sregs) => assertEquals(sregs.cr2, AREA + offset, code));
  }
});
