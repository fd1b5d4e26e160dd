import { assert, assertEquals, assertThrows } from "@std/assert";
import { INSTRUCTIONS } from "../table/instructions.ts";
import { cpuModel, hasFeature, IMPLEMENTED, lookupCpuid, MODELS } from "./cpuid.ts";
import { FAMILY_FEATURES, FEATURES } from "./cpuid_features.ts";

Deno.test("FEATURES places well-known bits where the manual does", () => {
  const known: [name: string, leaf: number, register: string, bit: number][] = [
    ["fpu", 1, "edx", 0],
    ["cx8", 1, "edx", 8],
    ["pse36", 1, "edx", 17],
    ["mmx", 1, "edx", 23],
    ["sse2", 1, "edx", 26],
    ["sse3", 1, "ecx", 0],
    ["cx16", 1, "ecx", 13],
    ["sse4.2", 1, "ecx", 20],
    ["popcnt", 1, "ecx", 23],
    ["rdrand", 1, "ecx", 30],
    ["hypervisor", 1, "ecx", 31],
    ["smep", 7, "ebx", 7],
    ["bmi2", 7, "ebx", 8],
    ["adx", 7, "ebx", 19],
    ["smap", 7, "ebx", 20],
    ["clflushopt", 7, "ebx", 23],
    ["sha", 7, "ebx", 29],
    ["umip", 7, "ecx", 2],
    ["rdpid", 7, "ecx", 22],
    ["syscall", 0x8000_0001, "edx", 11],
    ["nx", 0x8000_0001, "edx", 20],
    ["pdpe1gb", 0x8000_0001, "edx", 26],
    ["rdtscp", 0x8000_0001, "edx", 27],
    ["lm", 0x8000_0001, "edx", 29],
    ["lzcnt", 0x8000_0001, "ecx", 5],
    ["3dnowprefetch", 0x8000_0001, "ecx", 8],
  ];
  for (const [name, leaf, register, bit] of known) assertEquals({ ...FEATURES[name] }, { leaf, register, bit }, name);
});

Deno.test("MODELS: each offers what it names and is implemented, the older ones no more than the newer", () => {
  let before: string[] = [];
  for (const name of ["8086", "286", "386", "pentium3", "x86-64-v1", "core2", "x86-64-v2", "max"]) {
    const entries = cpuModel(name);
    const offered = Object.keys(FEATURES).filter((f) => hasFeature(entries, f));
    assertEquals(offered.filter((f) => !IMPLEMENTED.has(f)), [], name);
    assertEquals(before.filter((f) => !offered.includes(f)), [], `${name} lacks`);
    before = offered;
  }
  assertEquals(before.length, IMPLEMENTED.size);
});

Deno.test("cpuModel() adds and removes features, and says what it cannot do", () => {
  const entries = cpuModel("x86-64-v2,-sse4.2,+bmi2");
  assert(!hasFeature(entries, "sse4.2"));
  assert(hasFeature(entries, "bmi2"));
  assert(hasFeature(cpuModel("pentium,+bmi2,+lzcnt"), "bmi2"));
  assert(hasFeature(cpuModel("pentium,+bmi2,+lzcnt"), "lzcnt"));
  assertThrows(() => cpuModel("z80"), RangeError, "Cannot choose the processor z80: there are 8086, ");
  assertThrows(() => cpuModel("max,sse2"), RangeError, "Cannot read the processor feature sse2");
  assertThrows(() => cpuModel("max,+amx"), RangeError, "Cannot read the processor feature +amx");
  assertThrows(() => cpuModel("max,+avx512f"), RangeError, "it is not implemented");
});

Deno.test("cpuModel() entries fit SET_CPUID and each leaf is there once", () => {
  for (const name of MODELS.keys()) {
    const leaves = cpuModel(name).map((e) => e.function);
    assert(leaves.length <= 40);
    assertEquals(new Set(leaves).size, leaves.length);
    assertEquals(lookupCpuid(cpuModel(name), 0)?.eax, MODELS.get(name)?.basic);
  }
});

Deno.test("lookupCpuid() answers a missing leaf with the highest entry of its half", () => {
  const e = (n: number) => ({ function: n, eax: n, ebx: 0, ecx: 0, edx: 0 });
  const entries = [e(0), e(4), e(2), e(0x8000_0000), e(0x8000_0004)];
  assertEquals(lookupCpuid(entries, 2)?.eax, 2);
  assertEquals(lookupCpuid(entries, 3)?.eax, 4);
  assertEquals(lookupCpuid(entries, 0x4000_0000)?.eax, 4);
  assertEquals(lookupCpuid(entries, 0x8000_0009)?.eax, 0x8000_0004);
  assertEquals(lookupCpuid([e(0)], 0x8000_0000), undefined);
});

Deno.test("hasFeature() knows families, and every feature that an instruction asks for", () => {
  assert(!hasFeature(cpuModel("8086"), "i186"));
  assert(hasFeature(cpuModel("286"), "i286"));
  assert(!hasFeature(cpuModel("286"), "i386"));
  assert(hasFeature(cpuModel("486"), "i486"));
  assert(hasFeature([], "i686"));
  for (const { row } of INSTRUCTIONS.forms) {
    const feature = row.attributes.cpuid;
    if (feature !== undefined) assert(feature in FEATURES || feature in FAMILY_FEATURES, `${row.mnemonic}: ${feature}`);
  }
});
