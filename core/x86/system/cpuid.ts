/**
 * CPUID: processor models as data, features by name, and the lookup rule of API version 12.
 * @module
 */
import { FAMILY_FEATURES, FEATURES } from "./cpuid_features.ts";

/** One leaf, as in `struct kvm_cpuid_entry`. */
export interface CpuidEntry {
  /** Leaf. */
  readonly function: number;
  /** EAX. */
  eax: number;
  /** EBX. */
  ebx: number;
  /** ECX. */
  ecx: number;
  /** EDX. */
  edx: number;
}

/** What a model is made of. */
export interface Model {
  /** Vendor, 12 characters. */
  readonly vendor: string;
  /** Brand string of leaves 80000002 … 4, "" for none. */
  readonly brand: string;
  /** Leaf 1 EAX: family, model, stepping. */
  readonly signature: number;
  /** Highest basic leaf. */
  readonly basic: number;
  /** Highest extended leaf, 0 for none. */
  readonly extended: number;
  /** Features, separated by blanks. */
  readonly features: string;
}

/**
 * All that the engine can offer: a feature whose instructions the table lacks must not be here. Models are cut to it.
 */
export const IMPLEMENTED: ReadonlySet<string> = new Set((
  "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 " +
  "sse3 pclmul ssse3 cx16 pcid sse4.1 sse4.2 movbe popcnt tsc_deadline aes xsave rdrand hypervisor " +
  "fsgsbase tsc_adjust bmi1 smep bmi2 erms invpcid rdseed adx smap clflushopt clwb umip rdpid " +
  "syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm lahf_lm lzcnt 3dnowprefetch fdp_excptn fpu_cs_ds " +
  "md_clear spec_ctrl stibp flush_l1d arch_capabilities ssbd"
).split(" "));

const PENTIUM = "fpu vme de pse tsc msr mce cx8";
const PENTIUM3 = PENTIUM + " pae sep mtrr pge mca cmov pat pse36 mmx fxsr sse";
const V1 = PENTIUM3 + " apic clflush sse2 syscall nx lm";
const CORE2 = V1 + " sse3 ssse3 cx16 lahf_lm";
const V2 = CORE2 + " sse4.1 sse4.2 popcnt";

const INTEL = "GenuineIntel", OURS = "kvm12 virtual processor";

/** The models by name, oldest first. */
export const MODELS: ReadonlyMap<string, Model> = new Map([
  ["8086", { vendor: INTEL, brand: "", signature: 0, basic: 1, extended: 0, features: "" }],
  ["286", { vendor: INTEL, brand: "", signature: 0x200, basic: 1, extended: 0, features: "" }],
  ["386", { vendor: INTEL, brand: "", signature: 0x308, basic: 1, extended: 0, features: "fpu" }],
  ["486", { vendor: INTEL, brand: "", signature: 0x480, basic: 1, extended: 0, features: "fpu vme" }],
  ["pentium", { vendor: INTEL, brand: "", signature: 0x525, basic: 1, extended: 0, features: PENTIUM }],
  ["pentium3", { vendor: INTEL, brand: "", signature: 0x673, basic: 3, extended: 0, features: PENTIUM3 }],
  ["core2", {
    vendor: INTEL,
    brand: "kvm12 core2",
    signature: 0x6f6,
    basic: 10,
    extended: 0x8000_0008,
    features: CORE2,
  }],
  ["x86-64-v1", { vendor: INTEL, brand: OURS, signature: 0xf48, basic: 5, extended: 0x8000_0008, features: V1 }],
  ["x86-64-v2", { vendor: INTEL, brand: OURS, signature: 0x106a5, basic: 11, extended: 0x8000_0008, features: V2 }],
  ["max", {
    vendor: INTEL,
    brand: OURS,
    signature: 0x306c3,
    basic: 13,
    extended: 0x8000_0008,
    features: [...IMPLEMENTED].join(" "),
  }],
]);

/** The names of the models, for {@linkcode cpuModel}. */
export const CPU_MODELS: readonly string[] = [...MODELS.keys()];

/** Physical address bits offered by models with leaf 80000008. */
const PHYSICAL_BITS = 40;

function words(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  const v = new DataView(new ArrayBuffer(48));
  bytes.subarray(0, 48).forEach((b, i) => v.setUint8(i, b));
  return Array.from({ length: 12 }, (_, i) => v.getUint32(i * 4, true));
}

/**
 * The entries of a model.
 * @param model A name of {@linkcode MODELS}, then features added or removed: `x86-64-v2,-sse4.2,+bmi2`.
 * @throws RangeError for a model or feature that does not exist, or a feature that is not implemented.
 *
 * @example
 * ```ts
 * import { cpuModel, KvmCpuid, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * using vcpu = vm.createVcpu(0);
 * vcpu.setCpuid(new KvmCpuid(cpuModel("x86-64-v2,-sse4.2,+bmi2")));
 * ```
 */
export function cpuModel(model: string): CpuidEntry[] {
  const [name, ...changes] = model.split(",");
  const m = MODELS.get(name);
  if (m === undefined) {
    throw new RangeError(`Cannot choose the processor ${name}: there are ${[...MODELS.keys()].join(", ")}`);
  }
  const features = new Set(m.features.split(" ").filter((f) => IMPLEMENTED.has(f)));
  for (const change of changes) {
    const feature = change.slice(1);
    if (!/^[+-]/.test(change) || !Object.hasOwn(FEATURES, feature)) {
      throw new RangeError(`Cannot read the processor feature ${change}: it must be + or - and a name such as sse4.2`);
    }
    if (change[0] === "-") features.delete(feature);
    else if (IMPLEMENTED.has(feature)) features.add(feature);
    else throw new RangeError(`Cannot add the processor feature ${feature}: it is not implemented`);
  }
  return entriesOf(m, features);
}

function entriesOf(m: Model, features: ReadonlySet<string>): CpuidEntry[] {
  const leaf = (n: number, eax = 0, ebx = 0, ecx = 0, edx = 0): CpuidEntry => ({ function: n, eax, ebx, ecx, edx });
  const [v0, v1, v2] = words(m.vendor);
  // Features added to an old model bring the leaf that tells them.
  const leaves = [...features].map((f) => FEATURES[f].leaf);
  const basic = Math.max(m.basic, ...leaves.filter((n) => n < 0x8000_0000));
  const extended = Math.max(m.extended, ...leaves.filter((n) => n >= 0x8000_0000));
  const list = [leaf(0, basic, v0, v2, v1), leaf(1, m.signature, features.has("clflush") ? 0x800 : 0)];
  for (let n = 2; n <= basic; n++) {
    // Leaf 2: no cache described here; leaf D: what XCR0 may be, and the size of the XSAVE area.
    if (n === 2) list.push(leaf(2, 1));
    else if (n === 13 && features.has("xsave")) {
      list.push(features.has("avx") ? leaf(13, 7, 832, 832) : leaf(13, 3, 576, 576));
    } else list.push(leaf(n));
  }
  if (extended) list.push(leaf(0x8000_0000, extended, v0, v2, v1), leaf(0x8000_0001, m.signature));
  if (m.extended) {
    const brand = words(m.brand);
    for (let i = 0; i < 3; i++) {
      list.push(leaf(0x8000_0002 + i, brand[i * 4], brand[i * 4 + 1], brand[i * 4 + 2], brand[i * 4 + 3]));
    }
    list.push(leaf(0x8000_0005), leaf(0x8000_0006, 0, 0, 0x0200_8140), leaf(0x8000_0007, 0, 0, 0, 0x100));
    list.push(leaf(0x8000_0008, 48 << 8 | PHYSICAL_BITS));
  }
  for (const f of features) {
    const { leaf: n, register, bit } = FEATURES[f];
    const e = list.find((x) => x.function === n);
    if (e) e[register] = (e[register] | 1 << bit) >>> 0;
  }
  return list;
}

/**
 * The answer for a leaf by the rule of API version 12: a missing leaf answers with the highest entry of its half, basic
 * or extended; nothing if that half is empty.
 */
export function lookupCpuid(entries: readonly CpuidEntry[], leaf: number): CpuidEntry | undefined {
  let best: CpuidEntry | undefined;
  for (const e of entries) {
    if (e.function === leaf >>> 0) return e;
    if (((e.function ^ leaf) & 0x8000_0000) === 0 && (best === undefined || e.function > best.function)) best = e;
  }
  return best;
}

/** Whether the entries offer a feature by name; a leaf that is not there offers nothing. */
export function hasFeature(entries: readonly CpuidEntry[], name: string): boolean {
  const place = Object.hasOwn(FEATURES, name) ? FEATURES[name] : undefined;
  if (place === undefined) {
    const from = Object.hasOwn(FAMILY_FEATURES, name) ? FAMILY_FEATURES[name] : undefined;
    if (from === undefined) throw new RangeError(`Cannot look up the processor feature ${name}: there is none`);
    const signature = entries.find((e) => e.function === 1)?.eax;
    if (signature === undefined) return true;
    const family = familyOf(signature);
    // A signature of 0 is our 8086; another of family 0 is not a processor's, and takes nothing away.
    return family >= from || (family === 0 && signature !== 0);
  }
  const e = entries.find((x) => x.function === place.leaf);
  return e !== undefined && (e[place.register] >>> place.bit & 1) === 1;
}

function familyOf(signature: number): number {
  const family = signature >> 8 & 15;
  return family === 15 ? 15 + (signature >> 20 & 0xff) : family;
}
