import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { FW_CFG_KEY, FwCfg } from "./fw_cfg.ts";
import { bootPath, fwCfgFiles } from "./fw_cfg_files.ts";

const ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16;

class Bench {
  readonly bytes = new Uint8Array(0x4000);
  readonly ports = new Bus("port", 0x10000);
  readonly device: FwCfg;

  constructor(files: Record<string, Uint8Array> = {}) {
    const { bytes } = this;
    this.device = new FwCfg({
      memory: {
        read: (address, into) => into.set(bytes.subarray(address, address + into.length)),
        write: (address, data) => address + data.length <= bytes.length && bytes.set(data, address),
      },
      memorySize: 2 ** 33 + 5,
      processors: 2,
      files,
    });
    this.device.attach(this.ports);
  }

  item(key: number, length: number): Uint8Array {
    this.ports.out(0x510, 2, key);
    return Uint8Array.from({ length }, () => this.ports.in(0x511, 1));
  }

  /** A DMA command at 0x100; gives its control word afterwards. */
  dma(control: number, length: number, address: number): number {
    const view = new DataView(this.bytes.buffer);
    view.setUint32(0x100, control);
    view.setUint32(0x104, length);
    view.setBigUint64(0x108, BigInt(address));
    this.ports.out(0x514, 4, 0);
    this.ports.out(0x518, 4, 0x00010000);
    return view.getUint32(0x100);
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const words = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("FwCfg gives the bytes of the item that was selected, and zeros behind them", () => {
  const bench = new Bench();
  assertEquals(words(bench.item(FW_CFG_KEY.SIGNATURE, 4)), "QEMU");
  assertEquals(bench.item(FW_CFG_KEY.ID, 6), Uint8Array.of(3, 0, 0, 0, 0, 0));
  assertEquals(bench.item(FW_CFG_KEY.RAM_SIZE, 8), Uint8Array.of(5, 0, 0, 0, 2, 0, 0, 0));
  assertEquals(bench.item(FW_CFG_KEY.PROCESSORS, 2), Uint8Array.of(2, 0));
  assertEquals(bench.item(0x1234, 2), Uint8Array.of(0, 0));
  bench.device.setItem(0x8003, Uint8Array.of(7));
  assertEquals(bench.item(0x8003, 1), Uint8Array.of(7));
});

Deno.test("FwCfg lists its files by name, big-endian", () => {
  const bench = new Bench({ "etc/b": text("bee"), bootorder: text("x"), "etc/a": new Uint8Array(0x1234) });
  assertEquals(bench.device.files, ["bootorder", "etc/a", "etc/b"]);
  const directory = bench.item(FW_CFG_KEY.DIRECTORY, 4 + 3 * 64), view = new DataView(directory.buffer);
  assertEquals(view.getUint32(0), 3);
  const entries = [0, 1, 2].map((n) => {
    const at = 4 + 64 * n;
    return [view.getUint32(at), view.getUint16(at + 4), words(directory.subarray(at + 8, at + 64)).replace(/\0+$/, "")];
  });
  assertEquals(entries, [[1, 0x20, "bootorder"], [0x1234, 0x21, "etc/a"], [3, 0x22, "etc/b"]]);
  assertEquals(words(bench.item(0x22, 3)), "bee");
  bench.device.setFile("etc/aa", text("new"));
  assertEquals(words(bench.item(0x22, 3)), "new");
});

Deno.test("FwCfg moves bytes by DMA", () => {
  const bench = new Bench({ file: text("0123456789") });
  assertEquals([bench.ports.in(0x514, 4), bench.ports.in(0x518, 4)], [0x554d4551, 0x47464320], "QEMU CFG");
  assertEquals(bench.dma(0x20 << 16 | SELECT | READ, 4, 0x200), 0);
  assertEquals(words(bench.bytes.subarray(0x200, 0x204)), "0123");
  assertEquals(bench.dma(SKIP, 3, 0), 0);
  bench.bytes.fill(0xee, 0x200, 0x210);
  assertEquals(bench.dma(READ, 6, 0x200), 0);
  assertEquals([words(bench.bytes.subarray(0x200, 0x203)), ...bench.bytes.subarray(0x203, 0x207)], [
    "789",
    0,
    0,
    0,
    0xee,
  ]);
  assertEquals(bench.dma(WRITE, 1, 0x200), ERROR);
  assertEquals(bench.dma(READ, 0xffffffff, 0x200), ERROR);
  assertEquals(bench.dma(READ, 16, 2 ** 60), ERROR);
  bench.ports.out(0x514, 4, 0xffffffff);
  bench.ports.out(0x518, 4, 0);
});

Deno.test("FwCfg refuses names and numbers that cannot be", () => {
  const { device } = new Bench();
  assertThrows(() => device.setFile("x".repeat(56), text("")), RangeError, "1 to 55 bytes");
  for (const key of [-1, 0x20, 0x4000, 0x10000, 1.5]) assertThrows(() => device.setItem(key, text("")), RangeError);
});

Deno.test("FwCfg.restore() goes on in the middle of an item", () => {
  const first = new Bench(), second = new Bench();
  first.item(0, 2);
  second.device.restore(JSON.parse(JSON.stringify(first.device.save())));
  assertEquals([second.ports.in(0x511, 1), second.ports.in(0x511, 1)], [0x4d, 0x55]);
  second.device.reset();
  assertEquals(second.ports.in(0x511, 1), 0x51);
});

Deno.test("fwCfgFiles() makes the files that SeaBIOS looks for", () => {
  const files = fwCfgFiles({
    memory: [{ base: 0, size: 0x100000, type: 1 }, { base: 2 ** 32, size: 2 ** 33, type: 2 }],
    boot: [{ kind: "floppy", drive: 0 }, { kind: "ide", channel: 1, drive: 0 }, { kind: "virtio", device: 10 }],
    bootMenuMs: 500,
    acpi: { "etc/table-loader": Uint8Array.of(1) },
    smbios: { anchor: Uint8Array.of(2), tables: Uint8Array.of(3) },
  });
  const view = new DataView(files["etc/e820"].buffer);
  assertEquals([view.byteLength, view.getBigUint64(20, true), view.getBigUint64(28, true)], [40, 2n ** 32n, 2n ** 33n]);
  assertEquals([view.getUint32(16, true), view.getUint32(36, true)], [1, 2]);
  assertEquals(words(files.bootorder).split("\n")[1], "/pci@i0cf8/ide@1,1/drive@1/disk@0");
  assertEquals(bootPath({ kind: "virtio", device: 10 }), "/pci@i0cf8/scsi@a/disk@0,0");
  assertEquals([files["etc/show-boot-menu"], files["etc/boot-menu-wait"]], [
    Uint8Array.of(1, 0),
    Uint8Array.of(0xf4, 1),
  ]);
  assertEquals(Object.keys(files).length, 7);
  assertEquals(Object.keys(fwCfgFiles({})), ["etc/show-boot-menu"]);
});
