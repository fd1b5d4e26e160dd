import { assertEquals, assertThrows } from "@std/assert";
import { KvmRegs, KvmSregs } from "../core/abi/regs.ts";
import { enter } from "./entry_state.ts";
import { type BootPlan, ImageError } from "./image.ts";
import { findMultibootHeader, MULTIBOOT_HEADER_MAGIC, planMultiboot } from "./multiboot.ts";

const MIB = 2 ** 20;
const MEMORY = [{ base: 0, size: 2 * MIB }];
const ADDRESSES = 0x10000;

/** Puts 32-bit numbers into a file. */
function put(image: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (const [n, value] of values.entries()) view.setUint32(at + 4 * n, value, true);
  return image;
}

/** A header with its checksum. */
function header(flags: number, addresses: readonly number[] = []): number[] {
  return [MULTIBOOT_HEADER_MAGIC, flags, -(MULTIBOOT_HEADER_MAGIC + flags) >>> 0, ...addresses];
}

/** A file of 64 bytes with a header at 8 that loads it at 1 MiB, with changes. */
function flat(change: Partial<Record<"header" | "load" | "loadEnd" | "bssEnd" | "entry", number>> = {}): Uint8Array {
  const own = { header: MIB + 8, load: MIB, loadEnd: MIB + 48, bssEnd: MIB + 0x1000, entry: MIB + 40, ...change };
  const image = Uint8Array.from({ length: 64 }, (_, n) => n);
  return put(image, 8, header(ADDRESSES, [own.header, own.load, own.loadEnd, own.bssEnd, own.entry]));
}

interface Segment {
  readonly type?: number;
  readonly address: number;
  readonly base: number;
  readonly inFile: number;
  readonly inMemory: number;
}

/** A 32-bit ELF file whose segments' bytes begin at 0x100, with a multiboot header at 0xc0. */
function elf(entry: number, segments: readonly Segment[], flags = 0): Uint8Array {
  const image = Uint8Array.from({ length: 0x200 }, (_, n) => n < 0x100 ? 0 : 0xaa);
  put(image, 0, [0x464c457f, 0x00010101, 0, 0, 0x00030002, 1, entry, 52, 0, 0]);
  new DataView(image.buffer).setUint16(42, 32, true);
  new DataView(image.buffer).setUint16(44, segments.length, true);
  for (const [n, { type, address, base, inFile, inMemory }] of segments.entries()) {
    put(image, 52 + 32 * n, [type ?? 1, 0x100, address, base, inFile, inMemory, 7, 4096]);
  }
  return put(image, 0xc0, header(flags));
}

function layout({ pieces }: BootPlan): [number, number][] {
  return pieces.slice(2).map(({ base, bytes }) => [base, bytes.length]);
}

Deno.test("findMultibootHeader() finds an aligned header with a right checksum in the first 8192 bytes", () => {
  const at = (offset: number): Uint8Array => put(new Uint8Array(9000), offset, header(3));
  assertEquals(findMultibootHeader(at(0)), { offset: 0, flags: 3 });
  assertEquals(findMultibootHeader(at(8180)), { offset: 8180, flags: 3 });
  for (const offset of [2, 8184, 8192]) assertEquals(findMultibootHeader(at(offset)), undefined);
  assertEquals(findMultibootHeader(at(8180).subarray(0, 8191)), undefined);
  assertEquals(findMultibootHeader(new Uint8Array(3)), undefined);
  const wrong = put(put(new Uint8Array(64), 0, [MULTIBOOT_HEADER_MAGIC, 3, 5]), 16, header(1));
  assertEquals(findMultibootHeader(wrong), { offset: 16, flags: 1 }, "it goes on behind a wrong one");
});

Deno.test("planMultiboot() loads by the addresses of the header", () => {
  const plan = planMultiboot(flat(), MEMORY);
  assertEquals([plan.mode, plan.ip, plan.eax, plan.ebx], ["protected", MIB + 40, 0x2badb002, 0x2000]);
  assertEquals(layout(plan), [[MIB, 48], [MIB + 48, 0x1000 - 48]]);
  assertEquals(plan.pieces[2].bytes[47], 47);
  const all = planMultiboot(flat({ loadEnd: 0, bssEnd: 0 }), MEMORY);
  assertEquals(layout(all), [[MIB, 64]], "without ends it is the whole file and no bss");
  const later = planMultiboot(flat({ header: MIB, load: MIB, entry: MIB + 32 }), MEMORY);
  assertEquals(
    [later.pieces[2].bytes[0], later.pieces[2].bytes.length],
    [0x02, 48],
    "the load address is at the header",
  );
});

Deno.test("planMultiboot() refuses impossible addresses", () => {
  const refuse = (image: Uint8Array, message: string, memory = MEMORY): void => {
    const error = assertThrows(() => planMultiboot(image, memory), ImageError, message);
    assertEquals(error.message.includes("\n"), false);
  };
  refuse(new Uint8Array(64), "there is no multiboot header in its first 8192 bytes");
  refuse(flat({ load: MIB + 16 }), "does not fit to the load address 0x100010");
  refuse(flat({ header: MIB + 12 }), "does not fit to the load address");
  refuse(flat({ loadEnd: MIB + 65 }), "wants bytes 0 to 64 of the file, which has 64");
  refuse(flat({ loadEnd: MIB - 1 }), "of the file, which has 64");
  refuse(flat({ bssEnd: MIB + 47 }), "ends the bss at 0x10002f");
  refuse(flat({ entry: MIB + 0x1000 }), "its entry 0x101000 lies outside");
  refuse(flat({ bssEnd: 2 * MIB + 1 }), "the memory there ends at 0x200000");
  refuse(flat({ header: 0x2008, load: 0x2000, loadEnd: 0, bssEnd: 0, entry: 0x2000 }), "would lie on the multiboot");
  refuse(flat(), "there is no memory at 0x1000 for the descriptors", [{ base: MIB, size: MIB }]);
  refuse(put(new Uint8Array(32), 8, header(ADDRESSES)), "is cut off");
  refuse(put(new Uint8Array(64), 8, header(3)), "has no addresses, and it is no x86 ELF file");
  refuse(put(new Uint8Array(64), 8, header(4)), "it asks for a video mode");
  refuse(put(new Uint8Array(64), 8, header(0x28)), "unknown flags, 0x28");
});

Deno.test("planMultiboot() loads the segments of an ELF file at their physical addresses", () => {
  const code = { address: 0xc0100000, base: MIB, inFile: 16, inMemory: 16 };
  const data = { address: 0xc0101000, base: MIB + 0x1000, inFile: 8, inMemory: 0x100 };
  const note = { type: 4, address: 0, base: 0, inFile: 64, inMemory: 64 };
  const plan = planMultiboot(elf(0xc0100004, [note, code, data]), MEMORY);
  assertEquals(plan.ip, MIB + 4, "the entry is a virtual address");
  assertEquals(layout(plan), [[MIB, 16], [MIB + 0x1000, 8], [MIB + 0x1008, 0xf8]]);
  assertEquals(plan.pieces[2].bytes[0], 0xaa);
});

Deno.test("planMultiboot() refuses ELF files that it cannot load", () => {
  const good = { address: MIB, base: MIB, inFile: 16, inMemory: 16 };
  const refuse = (image: Uint8Array, message: string): void => {
    assertThrows(() => planMultiboot(image, MEMORY), ImageError, message);
  };
  const wide = elf(MIB, [good]);
  wide[4] = 2;
  refuse(wide, "it is no x86 ELF file");
  refuse(elf(MIB, []), "nothing to load");
  refuse(elf(MIB + 16, [good]), "its entry 0x100010 lies outside");
  refuse(elf(MIB, [{ ...good, inFile: 0x101, inMemory: 0x101 }]), "segment 0 wants bytes 256 to 512 of 512");
  refuse(elf(MIB, [{ ...good, inMemory: 8 }]), "segment 0 has more bytes in the file than in memory");
  refuse(elf(MIB, [{ ...good, base: 0xfffffff8, inMemory: 16 }]), "reaches beyond 4 GiB");
  refuse(elf(MIB, [{ ...good, base: 2 * MIB }]), "there is no memory at 0x200000 for ELF segment 0");
  const cut = elf(MIB, [good]);
  new DataView(cut.buffer).setUint16(44, 100, true);
  refuse(cut, "program headers are cut off");
});

Deno.test("planMultiboot() tells the memory, the command line and its name", () => {
  const memory = [{ base: 2 ** 32, size: MIB }, { base: 3 * MIB, size: MIB }, { base: 0, size: 3 * MIB }];
  const { pieces } = planMultiboot(flat(), memory, { commandLine: "quick now" });
  const { base, bytes } = pieces[1];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number): number => view.getUint32(at, true);
  const text = (address: number): string => {
    const start = address - base;
    return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
  };
  assertEquals([word(0), word(4), word(8)], [0x245, 640, 3072]);
  assertEquals([text(word(16)), text(word(64))], ["quick now", "kvm12"]);
  const map: number[][] = [];
  for (let at = word(48) - base; at < word(48) - base + word(44); at += word(at) + 4) {
    map.push([Number(view.getBigUint64(at + 4, true)), Number(view.getBigUint64(at + 12, true)), word(at + 20)]);
  }
  assertEquals(map, [
    [0, 0xa0000, 1],
    [0xa0000, 0x60000, 2],
    [MIB, 2 * MIB, 1],
    [3 * MIB, MIB, 1],
    [2 ** 32, MIB, 1],
  ]);
});

Deno.test("enter() makes the state that multiboot promises", () => {
  const regs = new KvmRegs(), sregs = new KvmSregs();
  enter(planMultiboot(flat(), MEMORY), regs, sregs);
  assertEquals([regs.rax, regs.rbx, regs.rip, regs.rflags], [0x2badb002n, 0x2000n, BigInt(MIB + 40), 2n]);
  assertEquals([sregs.cr0 & 0x80000001n, sregs.cs.base, sregs.cs.limit, sregs.cs.db], [1n, 0n, 0xffffffff, 1]);
  assertEquals([sregs.ds.base, sregs.ss.limit, sregs.ss.type & 2], [0n, 0xffffffff, 2]);
});
