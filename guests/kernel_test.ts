import { assertEquals, assertThrows } from "@std/assert";
import { readElf } from "./elf.ts";
import { ImageError } from "./image.ts";
import { kernelFormat, planKernel } from "./kernel.ts";

const MIB = 2 ** 20;
const MEMORY = [{ base: 0, size: 16 * MIB }];
const CODE = 0x200;

/** An ELF file with one segment of 16 bytes at 1 MiB, whose virtual address is in the upper half, and the given note. */
function elf(bits: 32 | 64, note?: { name: string; type: number; data: Uint8Array }): Uint8Array {
  const image = new Uint8Array(0x400);
  const view = new DataView(image.buffer);
  const long = bits === 64;
  const high = 0xffffffff80000000n;
  const put = (at: number, value: bigint): void => {
    if (long) view.setBigUint64(at, value, true);
    else view.setUint32(at, Number(value & 0xffffffffn), true);
  };
  view.setUint32(0, 0x464c457f, true);
  image.set([long ? 2 : 1, 1, 1], 4);
  view.setUint16(16, 2, true);
  view.setUint16(18, long ? 62 : 3, true);
  put(24, high + BigInt(MIB) + 4n);
  put(long ? 32 : 28, 0x40n);
  view.setUint16(long ? 54 : 42, long ? 56 : 32, true);
  view.setUint16(long ? 56 : 44, note === undefined ? 1 : 2, true);
  const program = (at: number, type: number, values: readonly bigint[]): void => {
    view.setUint32(at, type, true);
    (long ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20]).forEach((offset, n) => put(at + offset, values[n]));
  };
  program(0x40, 1, [BigInt(CODE), high + BigInt(MIB), BigInt(MIB), 16n, 32n]);
  if (note !== undefined) {
    program(0x40 + (long ? 56 : 32), 4, [0x300n, 0n, 0n, 20n, 20n]);
    view.setUint32(0x300, note.name.length + 1, true);
    view.setUint32(0x304, note.data.length, true);
    view.setUint32(0x308, note.type, true);
    image.set(new TextEncoder().encode(note.name), 0x30c);
    image.set(note.data, 0x30c + ((note.name.length + 4) & ~3));
  }
  image.fill(0x90, CODE, CODE + 16);
  return image;
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

const PVH_NOTE = { name: "Xen", type: 18, data: words(MIB + 8) };

/** A multiboot-2 header in the ELF file's segment. */
function multiboot2(tags: readonly number[], image = elf(32)): Uint8Array {
  const length = 16 + 4 * tags.length;
  const magic = 0xe85250d6;
  image.set(words(magic, 0, length, -(magic + length) >>> 0, ...tags), CODE);
  return image;
}

/** The text at an address in one of a plan's pieces. */
function textAt(pieces: readonly { readonly base: number; readonly bytes: Uint8Array }[], address: number): string {
  const piece = pieces.find(({ base, bytes }) => address >= base && address < base + bytes.length);
  const bytes = piece?.bytes.subarray(address - piece.base) ?? new Uint8Array(0);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

Deno.test("readElf() reads both classes, the physical entry and the notes", () => {
  for (const bits of [32, 64] as const) {
    const file = readElf(elf(bits, PVH_NOTE));
    assertEquals([file.bits, file.physicalEntry, file.notes.length], [bits, MIB + 4, 1]);
    assertEquals(file.pieces.map(({ base, bytes }) => [base, bytes.length]), [[MIB, 16], [MIB + 16, 16]]);
  }
});

Deno.test("kernelFormat() tells the formats apart", () => {
  const multiboot = elf(32);
  multiboot.set(words(0x1badb002, 0, -0x1badb002 >>> 0), CODE);
  assertEquals(
    [elf(64), elf(32, PVH_NOTE), multiboot2([0, 8]), multiboot, new Uint8Array(1024)].map(kernelFormat),
    ["elf", "pvh", "multiboot2", "multiboot", undefined],
  );
});

Deno.test("planKernel() enters plain ELF files in the mode of their class", () => {
  assertEquals([planKernel(elf(32), MEMORY).mode, planKernel(elf(64), MEMORY).mode], ["protected", "long"]);
  assertEquals(planKernel(elf(64), MEMORY).ip, MIB + 4);
  assertThrows(
    () => planKernel(elf(64), MEMORY, { commandLine: "x" }),
    ImageError,
    "neither a command line nor modules",
  );
  assertThrows(() => planKernel(new Uint8Array(600), MEMORY), ImageError, "it is no kernel");
  assertThrows(() => planKernel(new Uint8Array(600), MEMORY, { format: "elf" }), ImageError, "it is no x86 ELF file");
  assertThrows(() => planKernel(elf(64), MEMORY, { format: "pvh" }), ImageError, "it has no PVH entry");
});

Deno.test("planKernel() tells a PVH kernel map, modules and command line", () => {
  const initrd = new Uint8Array(100);
  const plan = planKernel(elf(64, PVH_NOTE), MEMORY, {
    commandLine: "hello",
    initrd,
    acpi: { base: 0xe0000, bytes: initrd },
  });
  assertEquals([plan.mode, plan.ip, plan.ebx], ["protected", MIB + 8, 0x10000]);
  const { bytes } = plan.pieces[1];
  const view = new DataView(bytes.buffer);
  const word = (at: number): number => view.getUint32(at, true);
  assertEquals([word(0), word(4), word(12), word(32), word(48)], [0x336ec578, 1, 1, 0xe0000, 3]);
  assertEquals(textAt(plan.pieces, word(24)), "hello");
  const module = word(16) - 0x10000;
  assertEquals([word(module), word(module + 8), textAt(plan.pieces, word(module + 16))], [MIB + 0x1000, 100, "initrd"]);
  const map = word(40) - 0x10000;
  assertEquals([word(map + 24), word(map + 32), word(map + 40)], [0xa0000, 0x60000, 2]);
});

Deno.test("planKernel() tells a multiboot kernel its modules", () => {
  const image = elf(32);
  image.set(words(0x1badb002, 0, -0x1badb002 >>> 0), CODE);
  const modules = [{ bytes: new Uint8Array(10), text: "one a" }, { bytes: new Uint8Array(5000), text: "two" }];
  const { pieces, ebx = 0 } = planKernel(image, MEMORY, { modules });
  const { bytes } = pieces[1];
  const word = (at: number): number => new DataView(bytes.buffer).getUint32(at, true);
  assertEquals([word(0) & 8, word(20)], [8, 2]);
  const list = word(24) - ebx;
  assertEquals([word(list), word(list + 4), textAt(pieces, word(list + 8))], [MIB + 0x1000, MIB + 0x100a, "one a"]);
  assertEquals([word(list + 16), textAt(pieces, word(list + 24))], [MIB + 0x2000, "two"]);
});

/** The tags of a multiboot-2 boot information. */
function tagsOf(bytes: Uint8Array): Map<number, DataView> {
  const view = new DataView(bytes.buffer);
  const tags = new Map<number, DataView>();
  for (let at = 8; at < view.getUint32(0, true); at += (view.getUint32(at + 4, true) + 7) & ~7) {
    tags.set(view.getUint32(at, true), new DataView(bytes.buffer, at, view.getUint32(at + 4, true)));
  }
  return tags;
}

Deno.test("planKernel() tells a multiboot-2 kernel what there is, in tags", () => {
  const image = multiboot2([3 | 1 << 16, 12, MIB + 12, 0, 0, 8]);
  const acpi = { base: 0xe0000, bytes: new Uint8Array(64).fill(1) };
  const modules = [{ bytes: new Uint8Array(10), text: "mod" }];
  const plan = planKernel(image, MEMORY, { commandLine: "go", modules, acpi });
  assertEquals([plan.mode, plan.eax, plan.ip], ["protected", 0x36d76289, MIB + 12]);
  const tags = tagsOf(plan.pieces[1].bytes);
  assertEquals([...tags.keys()], [1, 2, 4, 3, 6, 21, 14, 15, 0]);
  const text = (type: number, at: number): string => {
    const tag = tags.get(type) ?? new DataView(new ArrayBuffer(9));
    return new TextDecoder().decode(new Uint8Array(tag.buffer, tag.byteOffset + at, tag.byteLength - at - 1));
  };
  assertEquals([text(1, 8), text(2, 8), text(3, 16)], ["go", "kvm12", "mod"]);
  assertEquals([4, 8].map((at) => tags.get(4)?.getUint32(4 + at, true)), [640, 15 * 1024]);
  assertEquals([tags.get(14)?.byteLength, tags.get(15)?.byteLength, tags.get(21)?.getUint32(8, true)], [28, 44, MIB]);
});

Deno.test("planKernel() loads a multiboot-2 kernel by the addresses of its header", () => {
  const flat = new Uint8Array(0x100);
  const tags = [2, 24, MIB, MIB, MIB + 0x100, MIB + 0x180, 3, 12, MIB + 64, 0, 0, 8];
  flat.set(multiboot2(tags).subarray(CODE, CODE + 16 + 4 * tags.length));
  const plan = planKernel(flat, MEMORY);
  assertEquals(plan.pieces.slice(2).map(({ base, bytes }) => [base, bytes.length]), [[MIB, 0x100], [
    MIB + 0x100,
    0x80,
  ]]);
  assertEquals(plan.ip, MIB + 64);
});

Deno.test("planKernel() refuses what a multiboot-2 kernel cannot do without", () => {
  const refuse = (tags: readonly number[], message: string): void => {
    assertThrows(() => planKernel(multiboot2(tags), MEMORY), ImageError, message);
  };
  refuse([5, 20, 0, 0, 0, 0, 0, 8], "asks for what is not offered, tag 5");
  refuse([1, 12, 7, 0, 0, 8], "boot information of type 7");
  refuse([4, 12, 1, 0, 0, 8], "asks for a console");
  refuse([2, 24, MIB, MIB, 0, 0, 0, 8], "addresses and no entry");
  refuse([1, 4, 0, 8], "damaged tag");
  assertEquals(planKernel(multiboot2([5 | 1 << 16, 20, 0, 0, 0, 0, 0, 8]), MEMORY).ip, MIB + 4);
});
