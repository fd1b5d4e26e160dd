import { assertEquals } from "@std/assert";
import { type Registers, ServiceBench } from "../../../tests/firmware/service_call.ts";
import { font } from "../../video/font.ts";

function video(bench: ServiceBench, ax: number, registers: Registers = {}) {
  return bench.call(0x10, { ...registers, eax: ax });
}

function say(bench: ServiceBench, text: string): void {
  for (const character of new TextEncoder().encode(text)) video(bench, 0x0e00 | character);
}

Deno.test("INT 10h is in mode 3 after power-up, with its font", () => {
  const bench = new ServiceBench();
  const { eax, ebx } = video(bench, 0x0f00);
  assertEquals([eax, ebx], [0x5003, 0]);
  assertEquals(bench.vga.text()?.columns, 80);
  const { width, height } = bench.vga.frame();
  assertEquals([width, height], [720, 400]);
});

Deno.test("INT 10h AH=0Eh writes, breaks lines and scrolls", () => {
  const bench = new ServiceBench();
  say(bench, "first\r\n" + "x".repeat(81) + "\bo");
  assertEquals(bench.vga.lines().slice(0, 3), ["first", "x".repeat(80), "o"]);
  assertEquals(video(bench, 0x0300).edx, 0x0201);
  say(bench, "\r\n".repeat(23) + "end");
  assertEquals([bench.vga.lines()[0], bench.vga.lines()[24]], ["x".repeat(80), "end"]);
  const cursor = bench.vga.text()?.cursor;
  assertEquals([cursor?.row, cursor?.column], [24, 3]);
});

Deno.test("INT 10h AH=09h, 0Ah, 08h: characters with and without attribute", () => {
  const bench = new ServiceBench();
  video(bench, 0x0200, { edx: 0x0305 });
  video(bench, 0x0941, { ebx: 0x1e, ecx: 3 });
  video(bench, 0x0a42, { ecx: 2 });
  assertEquals(video(bench, 0x0800).eax, 0x1e42);
  assertEquals(bench.vga.lines()[3], "     BBA");
  assertEquals(video(bench, 0x0300).edx, 0x0305);
});

Deno.test("INT 10h AH=06h, 07h scroll a part", () => {
  const bench = new ServiceBench();
  say(bench, "aaaa\r\nbbbb\r\ncccc");
  video(bench, 0x0601, { ebx: 0x0700, ecx: 0x0001, edx: 0x0202 });
  assertEquals(bench.vga.lines().slice(0, 3), ["abba", "bccb", "c  c"]);
  video(bench, 0x0702, { ebx: 0x0700, ecx: 0x0000, edx: 0x0200 });
  assertEquals(bench.vga.lines().slice(0, 3), [" bba", " ccb", "a  c"]);
  video(bench, 0x0600, { ebx: 0x0700, edx: 0x184f });
  assertEquals(bench.vga.lines().join(""), "");
});

Deno.test("INT 10h AH=13h writes a string, with attributes of its own", () => {
  const bench = new ServiceBench();
  bench.put(0x3000, "string");
  video(bench, 0x1301, { ebx: 0x0a, ecx: 6, edx: 0x0102, es: 0x300 });
  assertEquals([bench.vga.lines()[1], video(bench, 0x0300).edx], ["  string", 0x0108]);
  bench.put(0x3000, [0x41, 0x1f, 0x42, 0x2f]);
  video(bench, 0x1302, { ecx: 2, edx: 0x0200, es: 0x300 });
  assertEquals([bench.vga.lines()[2], video(bench, 0x0300).edx], ["AB", 0x0108]);
  video(bench, 0x0200, { edx: 0x0201 });
  assertEquals(video(bench, 0x0800).eax, 0x2f42);
});

Deno.test("INT 10h AH=05h shows another page", () => {
  const bench = new ServiceBench();
  video(bench, 0x0200, { ebx: 0x0100 });
  video(bench, 0x0950, { ebx: 0x0107, ecx: 1 });
  assertEquals(bench.vga.lines()[0], "");
  video(bench, 0x0501);
  assertEquals([bench.vga.lines()[0], video(bench, 0x0f00).ebx], ["P", 0x0100]);
});

Deno.test("INT 10h AH=01h: a cursor for 8 lines becomes one for 16", () => {
  const bench = new ServiceBench();
  const crtc = (index: number): number => {
    bench.ports.out(0x3d4, 1, index);
    return bench.ports.in(0x3d5, 1);
  };
  assertEquals([crtc(10), crtc(11)], [13, 14]);
  video(bench, 0x0100, { ecx: 0x0007 });
  assertEquals([crtc(10), crtc(11)], [1, 15]);
  video(bench, 0x0100, { ecx: 0x2000 });
  assertEquals(crtc(10) & 0x20, 0x20);
  assertEquals(video(bench, 0x0300).ecx, 0x2000);
});

Deno.test("INT 10h AH=0Ch, 0Dh: pixels in all graphics modes", () => {
  for (const mode of [0x04, 0x05, 0x06, 0x0d, 0x0e, 0x10, 0x11, 0x12, 0x13]) {
    const bench = new ServiceBench();
    video(bench, mode);
    for (const [colour, cx, dx] of [[1, 0, 0], [1, 317, 199], [0, 16, 5]]) {
      video(bench, 0x0c00 | colour, { ecx: cx, edx: dx });
      const name = `mode ${mode.toString(16)}`;
      assertEquals(video(bench, 0x0d00, { ecx: cx, edx: dx }).eax & 0xff, colour, name);
    }
    if (mode === 0x13) continue;
    video(bench, 0x0c81, { ecx: 317, edx: 199 });
    assertEquals(video(bench, 0x0d00, { ecx: 317, edx: 199 }).eax & 0xff, 0, `exclusive or in ${mode}`);
  }
});

Deno.test("INT 10h: text in graphics modes is drawn, read and scrolled", () => {
  for (const mode of [0x04, 0x06, 0x0d, 0x10, 0x12, 0x13]) {
    const bench = new ServiceBench();
    video(bench, mode);
    for (const character of "AB\r\nC") video(bench, 0x0e00 | character.charCodeAt(0), { ebx: 1 });
    const read = (place: number): number => {
      video(bench, 0x0200, { edx: place });
      return video(bench, 0x0800).eax & 0xff;
    };
    assertEquals([read(0x0001), read(0x0100)], [0x42, 0x43], `mode ${mode.toString(16)}`);
    video(bench, 0x0601, { edx: 0x1818 });
    assertEquals([read(0x0000), read(0x0100)], [0x43, 0x20], `scrolled in mode ${mode.toString(16)}`);
  }
});

Deno.test("INT 10h mode 13h: what is drawn is seen", () => {
  const bench = new ServiceBench();
  video(bench, 0x13);
  video(bench, 0x1010, { ebx: 5, edx: 0x3f00, ecx: 0x0000 });
  video(bench, 0x0c05, { ecx: 10, edx: 20 });
  const { width, height } = bench.vga.frame();
  assertEquals([width % 320, height % 200], [0, 0]);
  const { edx, ecx } = video(bench, 0x1015, { ebx: 5 });
  assertEquals([edx >> 8, ecx], [0x3f, 0]);
});

Deno.test("INT 10h AH=11h: fonts, and how many lines fit", () => {
  const bench = new ServiceBench();
  video(bench, 0x1112);
  assertEquals([bench.memory[0x484], bench.memory[0x485], bench.vga.text()?.rows], [49, 8, 50]);
  video(bench, 0x1111);
  assertEquals([bench.memory[0x484] + 1, bench.vga.text()?.rows], [28, 28]);
  video(bench, 0x1114);
  assertEquals(bench.vga.text()?.rows, 25);
  const { es, ebp, ecx, edx } = video(bench, 0x1130, { ebx: 0x0600 });
  assertEquals([ecx, edx & 0xff], [16, 24]);
  const rom = bench.memory.subarray((es << 4) + ebp, (es << 4) + ebp + 4096);
  assertEquals(rom, font(16));
  bench.put(0x3000, new Uint8Array(16).fill(0xaa));
  video(bench, 0x1100, { es: 0x300, ecx: 1, edx: 0x41, ebx: 0x1000 });
  say(bench, "A");
  const { rgba } = bench.vga.frame();
  assertEquals([0, 1, 2, 3].map((x) => rgba[4 * x] === 0), [false, true, false, true]);
});

Deno.test("INT 10h AH=10h, 12h, 1Ah, 1Bh: colours and what there is", () => {
  const bench = new ServiceBench();
  video(bench, 0x1000, { ebx: 0x2a05 });
  assertEquals(video(bench, 0x1007, { ebx: 5 }).ebx >> 8, 0x2a);
  bench.put(0x3000, Uint8Array.from({ length: 17 }, (_, n) => n + 1));
  video(bench, 0x1002, { es: 0x300 });
  video(bench, 0x1009, { es: 0x310 });
  assertEquals(bench.memory.subarray(0x3100, 0x3111), bench.memory.subarray(0x3000, 0x3011));
  bench.put(0x3000, [63, 0, 0, 0, 63, 0]);
  video(bench, 0x1012, { ebx: 20, ecx: 2, es: 0x300 });
  video(bench, 0x101b, { ebx: 20, ecx: 2 });
  video(bench, 0x1017, { ebx: 20, ecx: 2, es: 0x310 });
  assertEquals([...bench.memory.subarray(0x3100, 0x3106)], [19, 19, 19, 37, 37, 37]);
  const { ebx, ecx } = video(bench, 0x1200, { ebx: 0x10 });
  assertEquals([ebx, ecx], [0x0003, 0x0f09]);
  assertEquals([video(bench, 0x1a00).eax, video(bench, 0x1a00).ebx], [0x1a1a & 0xff | 0x1a00, 8]);
  assertEquals(video(bench, 0x1b00, { es: 0x300 }).eax & 0xff, 0x1b);
  assertEquals([bench.memory[0x3004], bench.memory[0x3022]], [3, 25]);
});

Deno.test("INT 10h AX=0083h keeps the memory", () => {
  const bench = new ServiceBench();
  say(bench, "stays");
  video(bench, 0x0083);
  assertEquals([bench.vga.lines()[0], video(bench, 0x0f00).eax & 0xff], ["stays", 0x83]);
});
