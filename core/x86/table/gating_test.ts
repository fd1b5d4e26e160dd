/** What the rows' attributes promise, tried on the engine: each row for itself. @module */
import { assertEquals } from "@std/assert";
import type { SoftVcpu } from "../../engine/cpu.ts";
import { sample } from "../../../tests/coverage/sample.ts";
import { EngineGuest } from "../../../tests/engine_guest.ts";
import { Decoder } from "../decode.ts";
import { type Form, VEX_MAP } from "../insn.ts";
import { cpuModel, hasFeature, IMPLEMENTED } from "../system/cpuid.ts";
import { INSTRUCTIONS } from "./instructions.ts";

const UD = 6, GP = 13, CODE = 0xa000, USER = 3;
/** Models for the features that no bit tells: the one before. */
const BEFORE: Readonly<Record<string, string>> = {
  i186: "8086",
  i286: "8086",
  i386: "286",
  i486: "386",
  i586: "486",
  i686: "pentium",
};
/** Without their own feature they are what their bytes meant before. */
const OLDER: Readonly<Record<string, string>> = {
  TZCNT: "BSF",
  LZCNT: "BSR",
  PREFETCHNTA: "NOP",
  PREFETCHT0: "NOP",
  PREFETCHT1: "NOP",
  PREFETCHT2: "NOP",
};

/** A model in the form of SET_CPUID. */
function entries(model: string): Uint8Array {
  const list = cpuModel(model), bytes = new Uint8Array(list.length * 24), view = new DataView(bytes.buffer);
  list.forEach(({ function: leaf, eax, ebx, ecx, edx }, i) => {
    [leaf, eax, ebx, ecx, edx].forEach((v, n) => view.setUint32(i * 24 + n * 4, v, true));
  });
  return bytes;
}

/** The model that lacks a feature and nothing else that bits tell. */
const without = (feature: string): string => BEFORE[feature] ?? `max,-${feature}`;

/** The first exception of one instruction, or −1. */
function exception(guest: EngineGuest, bytes: Uint8Array): number {
  const vcpu: SoftVcpu = guest.vcpus[0];
  let first = -1;
  vcpu.observe({
    event(kind, vector) {
      if (kind === "exception" && first < 0) first = vector;
    },
  });
  // The host's own write: what was decoded there is compared anew.
  guest.memory.bytes.set(bytes, CODE);
  guest.set({
    rip: BigInt(CODE),
    rax: 0x3_0000n,
    rbx: 0x3_0000n,
    rcx: 1n,
    rdx: 0n,
    rsi: 0n,
    rdi: 0x3_0000n,
    rsp: 0x8000n,
  });
  vcpu.run(1);
  vcpu.observe(null);
  return first;
}

const withFeature: readonly Form[] = INSTRUCTIONS.forms.filter((f) => f.row.attributes.cpuid !== undefined);
const name = (f: Form): string => `${f.mnemonic} ${f.text}`;

Deno.test("INSTRUCTIONS a row with a feature is decoded if CPUID offers it, and not if it alone is missing", () => {
  const max = cpuModel("max"), wrong: string[] = [];
  for (const form of withFeature) {
    const feature = form.row.attributes.cpuid!;
    const code = form.row.attributes.long === "only" ? 64 : 32, bytes = sample(form);
    const decode = (list: typeof max): string => {
      const d = new Decoder(INSTRUCTIONS, (f) => hasFeature(list, f));
      return d.decode(bytes, 0, bytes.length, code) === "ok" ? d.form.mnemonic : "none";
    };
    const offered = feature in BEFORE || IMPLEMENTED.has(feature);
    if (decode(max) !== (offered ? form.mnemonic : "none")) {
      wrong.push(`${name(form)} is ${decode(max)} with ${feature}`);
    }
    const off = decode(cpuModel(offered ? without(feature) : "max"));
    if (off !== (OLDER[form.mnemonic] ?? "none")) wrong.push(`${name(form)} is ${off} without ${feature}`);
  }
  assertEquals(wrong, []);
});

Deno.test("INSTRUCTIONS a row for ring 0 raises #GP(0) at CPL 3, and one for protected mode #UD in real mode", () => {
  using user = new EngineGuest({ mode: "protected", engine: "interpreter" });
  using real = new EngineGuest({ engine: "interpreter" });
  for (const v of [user, real]) v.vcpus[0].setCpuid(entries("max"));
  user.change((s) => {
    for (const segment of [s.cs, s.ss, s.ds, s.es]) segment.dpl = USER;
    s.cs.selector |= USER;
    s.ss.selector |= USER;
  });
  real.change((s) => {
    s.cs.base = 0n;
    s.cs.selector = 0;
  });
  const wrong: string[] = [];
  for (const form of INSTRUCTIONS.forms) {
    const { cpl0, protected: inProtected, long, cpuid } = form.row.attributes;
    if (cpuid !== undefined && !(cpuid in BEFORE) && !IMPLEMENTED.has(cpuid)) continue;
    if (cpl0 && long !== "only") {
      const vector = exception(user, sample(form));
      if (vector !== GP) wrong.push(`${name(form)} ends with ${vector} at CPL 3`);
      user.change(() => {});
    }
    if ((inProtected || form.map >= VEX_MAP) && long !== "only") {
      const vector = exception(real, sample(form));
      if (vector !== UD) wrong.push(`${name(form)} ends with ${vector} in real mode`);
    }
  }
  assertEquals(wrong, []);
});
