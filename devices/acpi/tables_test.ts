import { assertEquals, assertThrows } from "@std/assert";
import { buildMpTable } from "../mp_table.ts";
import { buffer, eisaId, integer, name, pack, path, scope } from "./aml.ts";
import { resources } from "./resources.ts";
import { buildTableLoader } from "./table_loader.ts";
import { ACPI_BASE, type AcpiOptions, buildAcpiTables } from "./tables.ts";

const BOARD: AcpiOptions = {
  processors: 2,
  pci: { first: 0xc0000000, last: 0xfebfffff },
  serial: [0x3f8, 0x2f8],
  floppy: true,
  keyboard: true,
  hpet: 0xfed00000,
  hpetCapabilities: 0x8086a201,
  apic: true,
  vga: true,
};

const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => a + b, 0) & 0xff;
const text = (bytes: Uint8Array): string => new TextDecoder("latin1").decode(bytes);

Deno.test("path() encodes names of one, two and more segments", () => {
  assertEquals(text(path("\\_SB")), "\\_SB_");
  assertEquals(text(path("^LNKA")), "^LNKA");
  assertEquals(text(path("_SB.PCI0")), "\x2e_SB_PCI0");
  assertEquals(text(path("\\_SB.PCI0.ISA")), "\\\x2f\x03_SB_PCI0ISA_");
  assertThrows(() => path("TOOLONG"), RangeError, "Cannot encode the name");
  assertThrows(() => path(""), RangeError, "Cannot encode the name");
});

Deno.test("integer(), eisaId(), pack() and name() give the specification's bytes", () => {
  assertEquals([0, 1, 2, 0x1234, 0x12345678, 0x123456789a].map((value) => [...integer(value)]), [
    [0],
    [1],
    [0x0a, 2],
    [0x0b, 0x34, 0x12],
    [0x0c, 0x78, 0x56, 0x34, 0x12],
    [0x0e, 0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0],
  ]);
  assertEquals([...eisaId("PNP0A03")], [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  assertEquals([...name("A", pack(integer(0), integer(1)))], [0x08, 0x41, 0x5f, 0x5f, 0x5f, 0x12, 4, 2, 0, 1]);
});

Deno.test("buffer() and scope() give lengths of one, two and three bytes", () => {
  assertEquals([...buffer(new Uint8Array(1))], [0x11, 3, 1, 0]);
  assertEquals([...buffer(new Uint8Array(100)).subarray(0, 5)], [0x11, 0x48, 0x06, 0x0a, 100]);
  assertEquals([...scope("A", new Uint8Array(5000)).subarray(0, 4)], [0x10, 0x8f, 0x38, 0x01]);
  assertEquals([...resources()], [0x11, 5, 0x0a, 2, 0x79, 0]);
});

Deno.test("buildAcpiTables() links tables with right checksums", () => {
  const { base, bytes } = buildAcpiTables(BOARD);
  const view = new DataView(bytes.buffer);
  assertEquals([base, text(bytes.subarray(0, 8)), bytes[15]], [ACPI_BASE, "RSD PTR ", 2]);
  assertEquals([sum(bytes.subarray(0, 20)), sum(bytes.subarray(0, 36))], [0, 0]);
  const table = (address: number): Uint8Array => {
    const at = address - base;
    return bytes.subarray(at, at + view.getUint32(at + 4, true));
  };
  const rsdt = table(view.getUint32(16, true)), xsdt = table(Number(view.getBigUint64(24, true)));
  const from = (list: Uint8Array, size: number): string[] =>
    Array.from({ length: (list.length - 36) / size }, (_, n) => {
      const found = table(new DataView(list.buffer, list.byteOffset).getUint32(36 + size * n, true));
      assertEquals(sum(found), 0);
      return text(found.subarray(0, 4));
    });
  assertEquals([from(rsdt, 4), from(xsdt, 8)], [["FACP", "APIC", "HPET"], ["FACP", "APIC", "HPET"]]);
  const fadt = table(view.getUint32(rsdt.byteOffset + 36, true));
  const fields = new DataView(fadt.buffer, fadt.byteOffset);
  assertEquals([fadt.length, fields.getUint16(46, true), fields.getUint32(56, true)], [244, 9, 0x600]);
  assertEquals([fields.getUint32(64, true), fields.getUint32(76, true), fadt[91]], [0x604, 0x608, 4]);
  assertEquals([fields.getUint32(120, true), fadt[128]], [0xcf9, 6], "the reset register");
  const dsdt = table(fields.getUint32(40, true)), facs = table(fields.getUint32(36, true));
  assertEquals([text(dsdt.subarray(0, 4)), sum(dsdt), text(facs.subarray(0, 4))], ["DSDT", 0, "FACS"]);
  assertEquals((fields.getUint32(36, true)) % 64, 0);
});

Deno.test("buildAcpiTables() describes only what is there", () => {
  const plain = { processors: 1, serial: [], floppy: false, keyboard: false, apic: false, vga: false };
  const all = text(buildAcpiTables(BOARD).bytes), few = text(buildAcpiTables(plain).bytes);
  for (const found of ["APIC", "HPET", "PCI0", "COM2", "KBD_", "FDC0", "C001", "_PRT"]) {
    assertEquals([all.includes(found), few.includes(found)], [true, false], found);
  }
});

Deno.test("buildTableLoader() makes a script that leads to the same tables", () => {
  const files = buildTableLoader(BOARD);
  const script = files["etc/table-loader"];
  const places = new Map<string, number>(), memory = new Uint8Array(0x10000);
  const view = new DataView(memory.buffer);
  for (let at = 0; at < script.length; at += 128) {
    const entry = new DataView(script.buffer, at, 128);
    const file = (offset: number): keyof typeof files =>
      text(script.subarray(at + offset, at + offset + 56)).replace(/\0+$/, "") as keyof typeof files;
    const place = (offset: number): number => places.get(file(offset)) ?? NaN;
    switch (entry.getUint32(0, true)) {
      case 1:
        places.set(file(4), entry.getUint8(64) === 2 ? 0x1000 : 0x2000);
        memory.set(files[file(4)], place(4));
        break;
      case 2: {
        const field = place(4) + entry.getUint32(116, true);
        const [size, target] = [entry.getUint8(120), place(60)];
        if (size === 8) view.setBigUint64(field, view.getBigUint64(field, true) + BigInt(target), true);
        else view.setUint32(field, view.getUint32(field, true) + target, true);
        break;
      }
      case 3: {
        const start = place(4) + entry.getUint32(64, true);
        memory[place(4) + entry.getUint32(60, true)] -= sum(memory.subarray(start, start + entry.getUint32(68, true)));
        break;
      }
    }
  }
  const direct = buildAcpiTables({ ...BOARD, base: 0x2000 - 64 }).bytes;
  assertEquals(memory.subarray(0x2000, 0x2000 + direct.length - 64), direct.subarray(64));
  assertEquals(memory.subarray(0x1000, 0x1000 + 36), direct.subarray(0, 36));
});

Deno.test("buildMpTable() has the processors, the I/O APIC and 15 interrupts, with right checksums", () => {
  const { base, bytes } = buildMpTable({ processors: 2, signature: 0x306c3, features: 0x201 });
  const view = new DataView(bytes.buffer);
  assertEquals([text(bytes.subarray(0, 4)), view.getUint32(4, true), sum(bytes.subarray(0, 16))], [
    "_MP_",
    base + 16,
    0,
  ]);
  const length = view.getUint16(20, true);
  assertEquals([length, sum(bytes.subarray(16)), bytes.length], [44 + 2 * 20 + 8 + 8 + 18 * 8, 0, 16 + length]);
  assertEquals([view.getUint16(50, true), bytes[60], bytes[61], bytes[63]], [2 + 1 + 1 + 18, 0, 0, 3]);
  assertEquals(bytes.length < 1024, true);
});
