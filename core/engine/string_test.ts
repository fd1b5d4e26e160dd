import { assertEquals } from "@std/assert";
import { EngineGuest } from "../../tests/engine_guest.ts";

const AREA = 0x2_0000, LENGTH = 0x3000;

/** What REP MOVS or STOS does, element by element. */
function model(area: Uint8Array, from: number | null, to: number, count: number, width: number, down: boolean): void {
  const step = down ? -width : width;
  for (let i = 0; i < count; i++, to += step, from = from === null ? null : from + step) {
    const element = from === null
      ? Uint8Array.of(0x12, 0x34, 0x56, 0x78).subarray(0, width)
      : area.slice(from, from + width);
    area.set(element, to);
  }
}

Deno.test("REP MOVS and STOS move each element in its turn, up and down, within pages, across them, over themselves", () => {
  using guest = new EngineGuest({ engine: "interpreter", mode: "protected" });
  const codes = {
    movs1: "f3 a4 ; rep movsb",
    movs4: "f3 a5 ; rep movsd",
    stos1: "f3 aa ; rep stosb",
    stos4: "f3 ab ; rep stosd",
  };
  const starts = Object.fromEntries(
    Object.entries(codes).map(([name, text], i) => {
      guest.code(`${text}\nf4 ; hlt`, 0x1_0000 + i * 16);
      return [name, 0x1_0000 + i * 16];
    }),
  );
  const places = [[0x800, 0x1800], [0x1800, 0x800], [0x1000, 0x1004], [0x1004, 0x1000], [0x1ffd, 0x1001], [
    0xfff,
    0x2002,
  ]];
  for (const [name, rip] of Object.entries(starts)) {
    for (const [from, to] of places) {
      for (const down of [false, true]) {
        for (const count of [0, 1, 2, 7, 300, 512]) {
          const width = Number(name[4]), back = down ? (count - 1) * width : 0;
          const area = Uint8Array.from({ length: LENGTH }, (_, i) => i * 7 + (i >> 8) & 0xff);
          guest.poke(AREA, area);
          const source = name.startsWith("movs") ? Math.min(from + back, LENGTH - 4) : null;
          const target = Math.min(to + back, LENGTH - 4), step = down ? -width : width;
          if (
            down && Math.min(source ?? target, target) - back < 0 ||
            !down && Math.max(from, to) + count * width > LENGTH
          ) {
            continue;
          }
          guest.set({
            rip,
            rcx: count,
            rsi: AREA + (source ?? 0),
            rdi: AREA + target,
            rax: 0x7856_3412,
            rflags: down ? 0x402 : 2,
          });
          guest.expect("HLT");
          model(area, source, target, count, width, down);
          const what = `${name} ${from} ${to} ${down} ${count}`, { rcx, rsi, rdi } = guest.regs();
          assertEquals(guest.peek(AREA, LENGTH), area, what);
          const moved = source === null ? 0 : source + count * step;
          assertEquals([rcx, rsi, rdi].map(Number), [0, AREA + moved, AREA + target + count * step], what);
        }
      }
    }
  }
});
