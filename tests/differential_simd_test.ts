/** MMX and SSE instructions against the host processor. @module */
import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../core/engine/soft.ts";
import { Decoder } from "../core/x86/decode.ts";
import { CR0, CR4 } from "../core/x86/state.ts";
import { INSTRUCTIONS } from "../core/x86/table/instructions.ts";
import { SIMD_GROUPS } from "./differential/groups.ts";
import { recordedCases } from "./differential/record_simd_vectors.ts";
import { Player } from "./differential/replay.ts";
import { compareSimd, testedForms } from "./differential/simd.ts";
import { compareImages, IMAGE_INSTRUCTIONS } from "./differential/simd_images.ts";
import { SoftCpu } from "./differential/soft_cpu.ts";
import { DATA_ADDRESS } from "./host/memory_map.ts";
import { NativeCpu } from "./host/native_cpu.ts";
import { STATE_SIZE, StateBlock, TRAP } from "./host/state_block.ts";

const ENGINES: readonly Engine[] = ["interpreter", "translator"];
const VECTORS = new URL("./data/simd_vectors.bin", import.meta.url);
const UD = 6, NM = 7, MF = 16, XM = 19;

const missing = missingHere();
const unless = missing === undefined ? "" : ` (not here: ${missing})`;

/** Why there is nothing to compare with. */
function missingHere(): string | undefined {
  const reason = NativeCpu.unavailable();
  if (reason !== undefined) return reason;
  using native = NativeCpu.open();
  const [, , ecx] = native.cpuid(1);
  // PCLMULQDQ, SSSE3, SSE4.1, SSE4.2, AES.
  if ((ecx & 0x0218_0202) !== 0x0218_0202) return "its host has no SSE4.2 or AES";
  const vendor = String.fromCharCode(...new Uint8Array(native.cpuid(0).slice(1, 4).buffer));
  return vendor === "GenuntelineI" ? undefined : "RCPPS and others are of Intel's processors";
}

for (const [name, rows] of Object.entries(SIMD_GROUPS)) {
  for (const engine of ENGINES) {
    Deno.test({
      name: `${name} each form does in the ${engine} what it does in the host processor${unless}`,
      ignore: missing !== undefined,
      fn() {
        using native = NativeCpu.open();
        using soft = new SoftCpu(engine);
        const forms = testedForms().filter((f) => rows.includes(f.row));
        const effort = engine === "interpreter" ? { encodings: 8, states: 16 } : { encodings: 3, states: 10 };
        const { cases, failed, examples } = compareSimd(native, soft, forms, { seed: 5, ...effort });
        assert(cases > 0);
        assertEquals(failed, 0, `${failed} of ${cases} cases differ:\n${examples.slice(0, 5).join("\n")}`);
      },
    });
  }
}

for (const engine of ENGINES) {
  Deno.test({
    name: `FXSAVE and the other images are in the ${engine} those of the host processor${unless}`,
    ignore: missing !== undefined,
    fn() {
      using native = NativeCpu.open();
      using soft = new SoftCpu(engine);
      for (const name of IMAGE_INSTRUCTIONS) {
        const { cases, failed, examples } = compareImages(native, soft, name, { seed: 5, states: 60 });
        assert(cases > 0);
        assertEquals(failed, 0, `${failed} of ${cases} cases differ:\n${examples.join("\n")}`);
      }
    },
  });

  Deno.test(`SIMD each form does in the ${engine} what was recorded of a processor`, async () => {
    using soft = new SoftCpu(engine);
    const player = await Player.open(Deno.readFileSync(VECTORS));
    const { cases, failed, examples } = recordedCases(player, soft);
    assert(cases > 5000);
    assertEquals(failed, 0, `${failed} of ${cases} cases differ:\n${examples.slice(0, 5).join("\n")}`);
  });
}

/** Prefix and opcode bytes in which all encodings are MMX or SSE, or those of no processor. */
const MAPS: readonly (readonly [bytes: readonly number[], ranges: readonly (readonly [number, number])[]])[] = [
  // deno-fmt-ignore
  [[0x0f], [[0x10, 0x17], [0x28, 0x2f], [0x50, 0x77], [0x7c, 0x7f], [0xc2, 0xc2], [0xc4, 0xc6], [0xd0, 0xfe]]],
  [[0x0f, 0x38], [[0x00, 0x41], [0xdb, 0xdf]]],
  [[0x0f, 0x3a], [[0x08, 0x17], [0x20, 0x22], [0x40, 0x42], [0x44, 0x44], [0x60, 0x63], [0xdf, 0xdf]]],
];

Deno.test({
  name: `SIMD has the encodings that the host processor has${unless}`,
  ignore: missing !== undefined,
  fn() {
    using native = NativeCpu.open();
    const decoder = new Decoder(INSTRUCTIONS, () => true);
    const registers = { rax: BigInt(DATA_ADDRESS), rdi: BigInt(DATA_ADDRESS) };
    const wrong: string[] = [];
    for (const [bytes, ranges] of MAPS) {
      for (const prefix of [[], [0x66], [0xf2], [0xf3]]) {
        for (const [first, last] of ranges) {
          for (let opcode = first; opcode <= last; opcode++) {
            // The shift groups are told apart by the reg field.
            const fields = bytes.length === 1 && opcode >= 0x71 && opcode <= 0x73 ? [0, 1, 2, 3, 4, 5, 6, 7] : [1];
            for (const modrm of fields.flatMap((n) => [n << 3, 0xc0 | n << 3])) {
              const code = Uint8Array.of(...prefix, ...bytes, opcode, modrm, 0);
              const exists = native.run({ mode: 64, code, registers }).state.trap !== UD;
              const known = decoder.decode(code, 0, code.length, 64) === "ok";
              const text = Array.from(code, (b) => b.toString(16)).join(" ");
              if (exists !== known) wrong.push(`${text}: ${known}, not ${exists}`);
            }
          }
        }
      }
    }
    assertEquals(wrong, []);
  },
});

/**
 * The trap at which an instruction ends if `change` has changed the processor's state before, and `prepare` the state
 * block.
 */
function trapOf(
  code: readonly number[],
  change: (state: Int32Array) => void,
  prepare: (b: StateBlock) => void = () => {},
): number {
  using soft = new SoftCpu();
  const state = (soft.vcpu as unknown as { readonly i32: Int32Array }).i32;
  const inputs = new Uint8Array(STATE_SIZE), outputs = new Uint8Array(STATE_SIZE);
  const block = new StateBlock(inputs);
  block.reset();
  block.setSelector("cs", 0x33);
  block.setSelector("ss", 0x2b);
  block.set("rip", 0x10_1800n);
  prepare(block);
  // The first run loads the control registers, which the second keeps.
  const window = { address: DATA_ADDRESS, length: 0 };
  soft.runBatch({ mode: 64, code: Uint8Array.of(0x90), inputs, outputs, window, fpu: true });
  change(state);
  soft.runBatch({ mode: 64, code: Uint8Array.from(code), inputs, outputs, window, fpu: true });
  return new StateBlock(outputs).trap;
}

const set = (at: number, bits: number) => (state: Int32Array): void => void (state[at >> 2] |= bits);
const clear = (at: number, bits: number) => (state: Int32Array): void => void (state[at >> 2] &= ~bits);
const all = (...changes: readonly ((state: Int32Array) => void)[]) => (state: Int32Array): void =>
  changes.forEach((change) => change(state));

const ADDPS = [0x0f, 0x58, 0xc1], PADDB = [0x0f, 0xfc, 0xc1], MOVDQ2Q = [0xf2, 0x0f, 0xd6, 0xc1];
const DIVPS = [0x0f, 0x5e, 0xc1], EMMS = [0x0f, 0x77], FXSAVE_RAX = [0x0f, 0xae, 0x00], XSAVE_RAX = [0x0f, 0xae, 0x20];
const EM = set(CR0, 4), TS = set(CR0, 8);
const OSFXSR = 0x200, OSXMMEXCPT = 0x400, OSXSAVE = 0x4_0000;

// deno-fmt-ignore
const CHECKS: readonly (readonly [what: string, code: readonly number[], change: (state: Int32Array) => void, trap: number])[] = [
  ["ADDPS with nothing in the way", ADDPS, () => {}, TRAP.none],
  ["ADDPS under CR0.EM", ADDPS, EM, UD],
  ["ADDPS under CR0.TS", ADDPS, TS, NM],
  ["ADDPS without CR4.OSFXSR", ADDPS, clear(CR4, OSFXSR), UD],
  ["ADDPS without CR4.OSFXSR, under CR0.TS", ADDPS, all(clear(CR4, OSFXSR), TS), UD],
  ["PADDB under CR0.EM and CR0.TS", PADDB, all(EM, TS), UD],
  ["PADDB under CR0.TS", PADDB, TS, NM],
  ["PADDB without CR4.OSFXSR", PADDB, clear(CR4, OSFXSR), TRAP.none],
  ["MOVDQ2Q without CR4.OSFXSR", MOVDQ2Q, clear(CR4, OSFXSR), UD],
  ["EMMS under CR0.EM", EMMS, EM, UD],
  ["FXSAVE under CR0.EM", FXSAVE_RAX, EM, NM],
  ["FXSAVE under CR0.TS", FXSAVE_RAX, TS, NM],
  ["XSAVE under CR0.TS", XSAVE_RAX, TS, NM],
  ["XSAVE without CR4.OSXSAVE", XSAVE_RAX, clear(CR4, OSXSAVE), UD],
];

for (const [what, code, change, trap] of CHECKS) {
  Deno.test(`SIMD ${what} ends as it should`, () => assertEquals(trapOf(code, change), trap));
}

Deno.test("SIMD a pending x87 exception stops MMX instructions, not SSE ones", () => {
  const pending = (b: StateBlock) => {
    b.setX87("fcw", 0x37e);
    b.setX87("fsw", 0x8081);
  };
  assertEquals(trapOf(PADDB, () => {}, pending), MF);
  assertEquals(trapOf(MOVDQ2Q, () => {}, pending), MF);
  assertEquals(trapOf(EMMS, () => {}, pending), MF);
  assertEquals(trapOf(ADDPS, () => {}, pending), TRAP.none);
});

Deno.test("SIMD an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT", () => {
  // Zero by zero.
  const unmasked = (b: StateBlock) => void (b.mxcsr = 0x1f00);
  assertEquals(trapOf(DIVPS, () => {}, unmasked), XM);
  assertEquals(trapOf(DIVPS, clear(CR4, OSXMMEXCPT), unmasked), UD);
});

Deno.test("compareSimd() finds a wrong instruction", { ignore: missing !== undefined }, () => {
  using native = NativeCpu.open();
  using soft = new SoftCpu();
  const run = soft.runBatch.bind(soft);
  // PADDB (0F FC) is replaced by PADDW (0F FD).
  soft.runBatch = (batch) => run({ ...batch, code: batch.code.map((b) => b === 0xfc ? 0xfd : b) });
  const form = testedForms().find((f) => f.text === "NP 0F FC /r Pq,Qq")!;
  assert(compareSimd(native, soft, [form], { seed: 3, encodings: 4, states: 8 }).failed > 0);
});
