/**
 * PNG files, from pixels, with nothing but what the web platform has.
 * @module
 */

/** Pixels to be written. */
export interface PngPixels {
  /** Pixels in a line, 1 or more. */
  readonly width: number;
  /** Lines, 1 or more. */
  readonly height: number;
  /** Red, green, blue and alpha of each pixel, line by line. Alpha is not kept: the file is opaque. */
  readonly rgba: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const BITS_8 = 8;
const TRUECOLOUR = 2;
const FILTER_NONE = 0;
const FILTER_UP = 2;

const CRC_TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? 0xedb88320 ^ value >>> 1 : value >>> 1;
  return value;
});

/**
 * Makes a PNG file.
 * @param pixels What it shows.
 * @returns The file.
 * @throws RangeError There is no pixel, or their number does not fit the size.
 */
export async function encodePng(pixels: PngPixels): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, rgba } = pixels;
  if (!(width >= 1 && height >= 1 && rgba.length === width * height * 4)) {
    throw new RangeError(`Cannot make a PNG: ${rgba.length} bytes are not ${width} by ${height} pixels`);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, BITS_8);
  header.setUint8(9, TRUECOLOUR);
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", await deflate(filtered(pixels))),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The lines, each with its filter: what is as in the line above becomes 0. */
function filtered({ width, height, rgba }: PngPixels): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((width * 3 + 1) * height);
  let at = 0;
  for (let y = 0; y < height; y++) {
    out[at++] = y === 0 ? FILTER_NONE : FILTER_UP;
    const line = y * width * 4;
    for (let x = 0; x < width; x++) {
      for (let part = 0; part < 3; part++) {
        const from = line + x * 4 + part;
        out[at++] = y === 0 ? rgba[from] : rgba[from] - rgba[from - width * 4];
      }
    }
  }
  return out;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}
