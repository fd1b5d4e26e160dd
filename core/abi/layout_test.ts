import { assert, assertEquals } from "@std/assert";
import * as abi from "./mod.ts";

/** What a C compiler says of `kvm.h`: `[offset, size]` of every field, the value of every constant. */
interface Figures {
  structs: Record<string, { size: number; fields: Record<string, [number, number]> }>;
  constants: Record<string, number>;
}

const FIGURES: Figures = JSON.parse(
  await Deno.readTextFile(new URL("../../tests/data/kvm_v12_layout.json", import.meta.url)),
);

/** Fields that the figures leave out: padding. */
const UNLISTED = new Set(["kvm_run.padding1", "kvm_run.padding2"]);

/** All fields as `name` or `member.name` → `[offset, size]`; members of the union of kvm_run are spread. */
function flatten(layout: abi.StructLayout): Record<string, [number, number]> {
  const out: Record<string, [number, number]> = {};
  for (const [name, { offset, size, type }] of Object.entries(layout.fields)) {
    if (type.startsWith("kvm_run.")) {
      for (const [inner, field] of Object.entries(abi.LAYOUTS[type as abi.StructName].fields)) {
        out[`${name}.${inner}`] = [offset + field.offset, field.size];
      }
    } else if (!UNLISTED.has(`${layout.name}.${name}`)) {
      out[name] = [offset, size];
    }
  }
  return out;
}

for (const [name, { size, fields }] of Object.entries(FIGURES.structs)) {
  Deno.test(`LAYOUTS ${name} is laid out as a C compiler does`, () => {
    const layout = abi.LAYOUTS[name as abi.StructName];
    assertEquals(layout.size, size);
    assertEquals(flatten(layout), fields);
  });
}

Deno.test("LAYOUTS holds no structure beyond kvm.h", () => {
  const names = Object.keys(abi.LAYOUTS).filter((name) => !name.startsWith("kvm_run."));
  assertEquals(new Set(names), new Set(Object.keys(FIGURES.structs)));
  for (const [name, layout] of Object.entries(abi.LAYOUTS)) assertEquals(layout.name, name);
});

Deno.test("constants have the values of kvm.h", () => {
  for (const [name, value] of Object.entries(FIGURES.constants)) {
    assertEquals((abi as unknown as Record<string, unknown>)[name], value, name);
  }
});

Deno.test("constants beyond kvm.h do not exist", () => {
  const exported = Object.entries(abi).filter(([name, value]) => name.startsWith("KVM_") && typeof value === "number");
  assertEquals(exported.map(([name]) => name).sort(), Object.keys(FIGURES.constants).sort());
});

Deno.test("IOCTLS has one row for each of the 23 calls, with the compiler's codes", () => {
  assertEquals(abi.IOCTLS.length, 23);
  assertEquals(new Set(abi.IOCTLS.map((row) => row.code)).size, 23);
  for (const row of abi.IOCTLS) {
    assertEquals(row.code, FIGURES.constants[row.name], row.name);
    assertEquals(row.argument === "pointer", row.structure !== null, row.name);
    assertEquals(row.argument !== "pointer", row.direction === "_IO", row.name);
    assertEquals(row.fd, row.number < 0x40 ? "system" : row.number < 0x80 ? "vm" : "vcpu", row.name);
  }
});

Deno.test("ioctlByCode() finds signed and unsigned codes and nothing else", () => {
  assertEquals(abi.ioctlByCode(abi.KVM_GET_REGS)?.name, "KVM_GET_REGS");
  assertEquals(abi.ioctlByCode(abi.KVM_GET_REGS | 0)?.name, "KVM_GET_REGS");
  assertEquals(abi.ioctlByCode(0x4020ae46), undefined);
  assertEquals(abi.ioctlByCode(0), undefined);
});

Deno.test("KVM_EXIT_NAMES names every exit reason", () => {
  abi.KVM_EXIT_NAMES.forEach((name, value) => assertEquals(FIGURES.constants[name], value));
  assertEquals(abi.KVM_EXIT_NAMES.length, 11);
});

Deno.test("errnoName() names the known and numbers the unknown", () => {
  assertEquals(abi.errnoName(22), "EINVAL");
  assertEquals(abi.errnoName(7), "E2BIG");
  assertEquals(abi.errnoName(12345), "E12345");
  assert(Object.values(abi.ERRNO).every((value) => value > 0));
});
