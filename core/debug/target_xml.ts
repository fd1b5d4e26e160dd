/**
 * The target descriptions that gdb asks for, made from the table of registers.
 * @module
 */

import { type GdbArchitecture, type RegisterFeature, type RegisterRow, REGISTERS } from "./registers.ts";

/** Bits of flag registers, by name. */
type Bits = readonly (readonly [name: string, bit: number])[];

const EFLAGS: Bits = [
  ...[["CF", 0], ["", 1], ["PF", 2], ["AF", 4], ["ZF", 6], ["SF", 7], ["TF", 8], ["IF", 9], ["DF", 10]] as const,
  ...[["OF", 11], ["NT", 14], ["RF", 16], ["VM", 17], ["AC", 18], ["VIF", 19], ["VIP", 20], ["ID", 21]] as const,
];
const MXCSR: Bits = [
  ...[["IE", 0], ["DE", 1], ["ZE", 2], ["OE", 3], ["UE", 4], ["PE", 5], ["DAZ", 6], ["IM", 7], ["DM", 8]] as const,
  ...[["ZM", 9], ["OM", 10], ["UM", 11], ["PM", 12], ["FZ", 15]] as const,
];
const CR0: Bits = [
  ...[["PE", 0], ["MP", 1], ["EM", 2], ["TS", 3], ["ET", 4], ["NE", 5], ["WP", 16], ["AM", 18]] as const,
  ...[["NW", 29], ["CD", 30], ["PG", 31]] as const,
];
const CR4: Bits = [
  ...[["VME", 0], ["PVI", 1], ["TSD", 2], ["DE", 3], ["PSE", 4], ["PAE", 5], ["MCE", 6], ["PGE", 7]] as const,
  ...[["PCE", 8], ["OSFXSR", 9], ["OSXMMEXCPT", 10], ["UMIP", 11], ["LA57", 12], ["VMXE", 13], ["SMXE", 14]] as const,
  ...[["FSGSBASE", 16], ["PCIDE", 17], ["OSXSAVE", 18], ["SMEP", 20], ["SMAP", 21], ["PKE", 22]] as const,
];
const EFER: Bits = [["SCE", 0], ["LME", 8], ["LMA", 10], ["NXE", 11], ["SVME", 12], ["LMSLE", 13], ["FFXSR", 14]];

const VECTORS = [
  ["v4f", "ieee_single", 4],
  ["v2d", "ieee_double", 2],
  ["v16i8", "int8", 16],
  ["v8i16", "int16", 8],
  ["v4i32", "int32", 4],
  ["v2i64", "int64", 2],
] as const;
const VECTOR_FIELDS = [
  ["v4_float", "v4f"],
  ["v2_double", "v2d"],
  ["v16_int8", "v16i8"],
  ["v8_int16", "v8i16"],
  ["v4_int32", "v4i32"],
  ["v2_int64", "v2i64"],
  ["uint128", "uint128"],
] as const;

const FEATURE_NAMES: Readonly<Record<RegisterFeature, string>> = {
  core: "org.gnu.gdb.i386.core",
  sse: "org.gnu.gdb.i386.sse",
  segments: "org.gnu.gdb.i386.segments",
  system: "org.kvm12.gdb.i386.system",
};

/** The types that a feature defines. */
function types(feature: RegisterFeature, bits: 32 | 64): string[] {
  switch (feature) {
    case "core":
      return [flagType("i386_eflags", 4, EFLAGS)];
    case "sse":
      return [
        ...VECTORS.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`),
        `<union id="vec128">${VECTOR_FIELDS.map(([name, type]) => `<field name="${name}" type="${type}"/>`).join("")}` +
        `</union>`,
        flagType("i386_mxcsr", 4, MXCSR),
      ];
    case "segments":
      return [];
    case "system":
      return [
        flagType("x86_cr0", bits / 8, CR0),
        flagType("x86_cr4", bits / 8, CR4),
        flagType("x86_efer", bits / 8, EFER),
      ];
  }
}

function flagType(id: string, size: number, fields: Bits): string {
  const lines = fields.map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`);
  return `<flags id="${id}" size="${size}">${lines.join("")}</flags>`;
}

/**
 * A target description.
 * @param architecture Which one.
 * @returns XML, as `qXfer:features:read:target.xml` gives it.
 */
export function targetXml(architecture: GdbArchitecture): string {
  const rows = REGISTERS[architecture];
  const bits = architecture === "i386" ? 32 : 64;
  const features = [...new Set(rows.map(({ feature }) => feature))];
  const numbered = rows.map((row, number) => ({ row, number }));
  return [
    `<?xml version="1.0"?>`,
    `<!DOCTYPE target SYSTEM "gdb-target.dtd">`,
    `<target version="1.0">`,
    `<architecture>${architecture}</architecture>`,
    ...features.flatMap((feature) => [
      `<feature name="${FEATURE_NAMES[feature]}">`,
      ...types(feature, bits),
      ...numbered.filter(({ row }) => row.feature === feature).map(({ row, number }) => register(row, number)),
      `</feature>`,
    ]),
    `</target>`,
    ``,
  ].join("\n");
}

function register({ name, bits, type, group }: RegisterRow, number: number): string {
  const grouped = group === undefined ? "" : ` group="${group}"`;
  return `<reg name="${name}" bitsize="${bits}" type="${type}" regnum="${number}"${grouped}/>`;
}
