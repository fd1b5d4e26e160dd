import { assertEquals, assertRejects } from "@std/assert";
import { encodePng } from "./png.ts";

/** Reads what encodePng writes: one IDAT, filters 0 and 2. */
async function decode(file: Uint8Array<ArrayBuffer>): Promise<{ width: number; height: number; rgb: number[] }> {
  const view = new DataView(file.buffer);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const length = view.getUint32(33);
  const stream = new Blob([file.slice(41, 41 + length)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const rgb: number[] = [];
  for (let y = 0; y < height; y++) {
    const line = y * (width * 3 + 1);
    for (let i = 0; i < width * 3; i++) {
      const above = raw[line] === 2 ? rgb[(y - 1) * width * 3 + i] : 0;
      rgb.push((raw[line + 1 + i] + above) & 0xff);
    }
  }
  return { width, height, rgb };
}

Deno.test("encodePng() keeps each pixel", async () => {
  const width = 7, height = 5;
  const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => i % 4 === 3 ? 255 : i * 37);
  const file = await encodePng({ width, height, rgba });
  assertEquals(await decode(file), { width, height, rgb: [...rgba].filter((_, i) => i % 4 !== 3) });
});

Deno.test("encodePng() writes a file with right checksums", async () => {
  const file = await encodePng({ width: 1, height: 1, rgba: Uint8Array.of(1, 2, 3, 255) });
  assertEquals(file.subarray(0, 8).toHex(), "89504e470d0a1a0a");
  assertEquals(file.subarray(-12).toHex(), "0000000049454e44ae426082");
  assertEquals(file.subarray(8, 33).toHex(), "0000000d49484452000000010000000108020000" + "00907753de");
});

Deno.test("encodePng() refuses what is no picture", async () => {
  await assertRejects(
    () => encodePng({ width: 0, height: 1, rgba: new Uint8Array(0) }),
    RangeError,
    "Cannot make a PNG",
  );
  await assertRejects(() => encodePng({ width: 2, height: 1, rgba: new Uint8Array(4) }), RangeError, "2 by 1");
});
