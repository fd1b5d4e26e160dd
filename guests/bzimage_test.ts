import { assertEquals, assertThrows } from "@std/assert";
import { KvmRegs, KvmSregs } from "../core/abi/regs.ts";
import { isLinux, planLinux, readLinuxHeader } from "./bzimage.ts";
import { enter } from "./entry_state.ts";
import { ImageError } from "./image.ts";
import { BOOT_PARAMS } from "./linux_boot_params.ts";

const MIB = 2 ** 20;
const MEMORY = [{ base: 0, size: 64 * MIB }];

interface Options {
  protocol?: number;
  loadflags?: number;
  xloadflags?: number;
  relocatable?: number;
  preferred?: number;
  initSize?: number;
  kernelInfo?: number;
}

/** A file with a setup header of one sector and a kernel of 64 KiB, each byte 0x90. */
function kernel(options: Options = {}): Uint8Array {
  const { protocol = 0x20f, loadflags = 1, xloadflags = 1, relocatable = 1 } = options;
  const { preferred = 16 * MIB, initSize = 0x40000, kernelInfo = 0 } = options;
  const image = new Uint8Array(2 * 512 + 0x10000).fill(0x90, 1024);
  const view = new DataView(image.buffer);
  image[0x1f1] = 1;
  view.setUint32(0x1f4, 0x1000, true);
  view.setUint16(0x1fe, 0xaa55, true);
  image[0x201] = 0x6a;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, protocol, true);
  view.setUint16(0x20e, 0x100, true);
  image.set(new TextEncoder().encode("6.1 test\0"), 0x300);
  image[0x211] = loadflags;
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x230, 0x200000, true);
  image[0x234] = relocatable;
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, BigInt(preferred), true);
  view.setUint32(0x260, initSize, true);
  view.setUint32(0x268, kernelInfo, true);
  return image;
}

Deno.test("readLinuxHeader() reads a header of version 2.15", () => {
  const header = readLinuxHeader(kernel());
  assertEquals([header.protocol, header.version, header.entries], [0x20f, "6.1 test", ["64", "32", "real"]]);
  assertEquals([header.preferred, header.initSize, header.alignment], [16 * MIB, 0x40000, 0x200000]);
});

Deno.test("readLinuxHeader() finds the ways in of old kernels", () => {
  assertEquals(readLinuxHeader(kernel({ protocol: 0x20b })).entries, ["32", "real"]);
  assertEquals(readLinuxHeader(kernel({ xloadflags: 0 })).entries, ["32", "real"]);
  assertEquals(readLinuxHeader(kernel({ protocol: 0x201 })).entries, ["real"]);
  assertEquals(readLinuxHeader(kernel({ loadflags: 0 })).entries, ["real"]);
});

Deno.test("readLinuxHeader() says in one line what is no kernel", () => {
  const refuse = (image: Uint8Array, message: string): void => {
    assertThrows(() => readLinuxHeader(image), ImageError, message);
  };
  refuse(new Uint8Array(0), "it is no Linux kernel: HdrS is not at 0x202");
  refuse(new Uint8Array(4096), "it is no Linux kernel");
  refuse(kernel({ protocol: 0x105 }), "boot protocol 0x105 is older than 2.00");
  refuse(kernel().subarray(0, 1024), "cut off");
  refuse(kernel().subarray(0, 5000), "3976 of the kernel's 65536 bytes are there");
  refuse(kernel({ kernelInfo: 0x100 }), "kernel_info is damaged");
  const unsigned = kernel();
  unsigned[0x1fe] = 0;
  refuse(unsigned, "setup header is damaged");
  assertEquals([isLinux(kernel()), isLinux(unsigned.subarray(0, 0x204))], [true, false]);
});

Deno.test("readLinuxHeader() reads kernel_info", () => {
  const image = kernel({ kernelInfo: 0x1000 });
  const view = new DataView(image.buffer, 1024 + 0x1000);
  view.setUint32(0, 0x506f544c, true);
  view.setUint32(4, 16, true);
  view.setUint32(8, 16, true);
  view.setUint32(12, 9, true);
  assertEquals(readLinuxHeader(image).setupTypeMax, 9);
  const setupData = [{ type: 10, bytes: new Uint8Array(1) }];
  assertThrows(() => planLinux(image, MEMORY, { setupData }), ImageError, "up to type 9, not 10");
});

Deno.test("planLinux() enters a 64-bit kernel in long mode with boot_params", () => {
  const initrd = new Uint8Array(5000).fill(7);
  const setupData = [{ type: 9, bytes: Uint8Array.of(1, 2, 3) }];
  const plan = planLinux(kernel(), MEMORY, {
    commandLine: "quiet",
    initrd,
    rsdp: 0xe0000,
    setupData,
    textScreen: true,
  });
  assertEquals([plan.mode, plan.ip, plan.esi, plan.cs], ["long", 16 * MIB + 0x200, BOOT_PARAMS, 0x10]);
  assertEquals(plan.pieces.map(({ base }) => base), [0x1000, BOOT_PARAMS, 16 * MIB, 64 * MIB - 0x2000]);
  const { bytes } = plan.pieces[1];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number): number => view.getUint32(at, true);
  assertEquals([bytes[0x210], word(0x214), word(0x218), word(0x21c)], [0xff, 16 * MIB, 64 * MIB - 0x2000, 5000]);
  assertEquals(
    new TextDecoder().decode(bytes.subarray(word(0x228) - BOOT_PARAMS, word(0x228) - BOOT_PARAMS + 6)),
    "quiet\0",
  );
  assertEquals([word(0x70), bytes[6], bytes[7], bytes[0xe], bytes[0xf]], [0xe0000, 3, 80, 25, 1]);
  const data = word(0x250) - BOOT_PARAMS;
  assertEquals([word(data), word(data + 8), word(data + 12), bytes[data + 18]], [0, 9, 3, 3]);
  const entries = Array.from({ length: bytes[0x1e8] }, (_, n) => [0, 8, 16].map((at) => word(0x2d0 + 20 * n + at)));
  assertEquals(entries, [[0, 0xa0000, 1], [0xa0000, 0x60000, 2], [MIB, 63 * MIB, 1]]);
  assertEquals([view.getUint16(2, true), word(0x1e0)], [0xfc00, 63 * 1024]);
});

Deno.test("planLinux() makes the states of 32-bit and real-mode entry", () => {
  const regs = new KvmRegs(), sregs = new KvmSregs();
  enter(planLinux(kernel(), MEMORY, { entry: "32" }), regs, sregs);
  assertEquals([regs.rip, regs.rsi, regs.rbp, regs.rflags], [BigInt(16 * MIB), BigInt(BOOT_PARAMS), 0n, 2n]);
  assertEquals([sregs.cs.selector, sregs.ds.selector, sregs.gdt.limit, sregs.cr0 & 0x80000001n], [
    0x10,
    0x18,
    0x1f,
    1n,
  ]);
  const plan = planLinux(kernel(), MEMORY, { entry: "real", commandLine: "old" });
  enter(plan, regs, sregs);
  assertEquals([sregs.cs.base, regs.rip, sregs.ds.base, sregs.ss.base, regs.rsp], [
    0x10200n,
    0n,
    0x10000n,
    0x10000n,
    0xe000n,
  ]);
  const { bytes } = plan.pieces[0];
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(0x228, true), view.getUint16(0x224, true), bytes[0x211]], [0x1e000, 0xde00, 0x81]);
  assertEquals(new TextDecoder().decode(bytes.subarray(0xe000)), "old\0");
});

Deno.test("planLinux() loads a zImage low and tells it the command line in the old way", () => {
  const plan = planLinux(kernel({ protocol: 0x201, loadflags: 0 }), MEMORY, { commandLine: "old" });
  assertEquals([plan.mode, plan.cs, plan.data], ["real", 0x9020, 0x9000]);
  assertEquals(plan.pieces.map(({ base }) => base), [0x90000, 0x10000]);
  const view = new DataView(plan.pieces[0].bytes.buffer);
  assertEquals([view.getUint16(0x20, true), view.getUint16(0x22, true)], [0xa33f, 0x9800]);
});

Deno.test("planLinux() moves a relocatable kernel into small memory, and refuses what has no room", () => {
  const small = [{ base: 0, size: 8 * MIB }];
  assertEquals(planLinux(kernel(), small).ip, 2 * MIB + 0x200);
  assertThrows(() => planLinux(kernel({ relocatable: 0 }), small), ImageError, "memory at 0x1000000");
  assertThrows(() => planLinux(kernel({ initSize: 8 * MIB }), small), ImageError, "from 1 MiB on");
  const initrd = new Uint8Array(7 * MIB);
  assertThrows(() => planLinux(kernel(), small, { initrd }), ImageError, "no room for its initial ramdisk");
  assertThrows(() => planLinux(kernel(), small, { commandLine: "x".repeat(2048) }), ImageError, "may have 2047 bytes");
  assertThrows(
    () => planLinux(kernel({ xloadflags: 0 }), small, { entry: "64" }),
    ImageError,
    "it has no 64-bit entry",
  );
});

Deno.test("planLinux() puts the initial ramdisk below the kernel's limit and off reserved memory", () => {
  const map = [{ base: 0, size: 0xa0000, type: 1 }, { base: MIB, size: 40 * MIB, type: 1 }, {
    base: 41 * MIB,
    size: 23 * MIB,
    type: 2,
  }];
  const plan = planLinux(kernel(), MEMORY, { map, initrd: new Uint8Array(4096) });
  assertEquals(plan.pieces[3].base, 41 * MIB - 4096);
  const low = kernel();
  new DataView(low.buffer).setUint32(0x22c, 0x1ffffff, true);
  assertEquals(planLinux(low, MEMORY, { initrd: new Uint8Array(4096) }).pieces[3].base, 0x2000000 - 4096);
});

Deno.test("planLinux() passes on maps of more than 128 entries as setup data", () => {
  const map = Array.from(
    { length: 130 },
    (_, n) => ({ base: n * MIB, size: MIB, type: n % 2 === 0 || n < 64 ? 1 : 2 }),
  );
  const { bytes } = planLinux(kernel(), [{ base: 0, size: 130 * MIB }], { map }).pieces[1];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const data = view.getUint32(0x250, true) - BOOT_PARAMS;
  assertEquals([bytes[0x1e8], view.getUint32(data + 8, true), view.getUint32(data + 12, true)], [128, 1, 40]);
});
