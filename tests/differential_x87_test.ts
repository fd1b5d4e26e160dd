/** The x87 instructions against the host processor. @module */
import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../core/engine/soft.ts";
import { Decoder } from "../core/x86/decode.ts";
import { cpuModel } from "../core/x86/system/cpuid.ts";
import { X87_GROUPS } from "./differential/groups.ts";
import { baseRecord } from "./differential/batch.ts";
import { SoftCpu } from "./differential/soft_cpu.ts";
import { decodeVectors } from "./differential/vectors.ts";
import { compareX87, describeCase, X87_TABLE, x87CaseDifferences } from "./differential/x87.ts";
import { DATA_ADDRESS } from "./host/memory_map.ts";
import { NativeCpu } from "./host/native_cpu.ts";
import { STATE_SIZE, StateBlock } from "./host/state_block.ts";

const ENGINES: readonly Engine[] = ["interpreter", "translator"];
const UD = 6;
const VECTORS = new URL("./data/x87_vectors.bin", import.meta.url);

/** Why the host's x87 cannot be asked: others keep FDP, FOP and the selectors in other ways than our newest model. */
function unsuitable(): string | undefined {
  const missing = NativeCpu.unavailable();
  if (missing !== undefined) return missing;
  using native = NativeCpu.open();
  const has = (bit: number) => (native.cpuid(7)[1] >> bit & 1) === 1;
  return has(6) && has(13) ? undefined : "the host processor lacks fdp_excptn or fpu_cs_ds";
}

const missing = unsuitable();
const unless = missing === undefined ? "" : ` (not here: ${missing})`;

for (const [name, rows] of Object.entries(X87_GROUPS)) {
  for (const engine of ENGINES) {
    Deno.test({
      name: `${name} each form does in the ${engine} what it does in the host processor${unless}`,
      ignore: missing !== undefined,
      fn() {
        using native = NativeCpu.open();
        using soft = new SoftCpu(engine);
        const forms = X87_TABLE.forms.filter((f) => rows.includes(f.row));
        const effort = engine === "interpreter" ? { encodings: 8, states: 30 } : { encodings: 4, states: 8 };
        const { cases, failed, examples } = compareX87(native, soft, forms, { seed: 5, ...effort });
        assert(cases > 0);
        assertEquals(failed, 0, `${failed} of ${cases} cases differ:\n${examples.join("\n")}`);
      },
    });
  }
}

for (const engine of ENGINES) {
  Deno.test(`X87 each form does in the ${engine} what was recorded of a processor`, async () => {
    using soft = new SoftCpu(engine);
    const wrong: string[] = [];
    let cases = 0;
    for (
      const { name, encoding: e, flags, seeds, inputs, outputs } of await decodeVectors(Deno.readFileSync(VECTORS))
    ) {
      const actual = new Uint8Array(inputs.length), size = inputs.length / seeds.length;
      soft.runBatch({ ...e, inputs, outputs: actual, fpu: true });
      const views = [new DataView(outputs.buffer), new DataView(actual.buffer)] as const;
      for (let at = 0; at < inputs.length; at += size) {
        cases++;
        const d = x87CaseDifferences(name, flags, e, views, at);
        if (d.length) wrong.push(`${describeCase(name, e, new DataView(inputs.buffer), at)}\n  ${d.join("; ")}`);
      }
    }
    assert(cases > 1000);
    assertEquals(wrong.length, 0, `${wrong.length} of ${cases} cases differ:\n${wrong.slice(0, 5).join("\n")}`);
  });
}

Deno.test({
  name: `X87 has the encodings that the host processor has${unless}`,
  ignore: missing !== undefined,
  fn() {
    using native = NativeCpu.open();
    const decoder = new Decoder(X87_TABLE, () => true);
    const registers = { rax: BigInt(DATA_ADDRESS), rbp: BigInt(DATA_ADDRESS) };
    const wrong: string[] = [];
    for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
      for (
        const modrm of [
          ...Array.from({ length: 8 }, (_, n) => n << 3),
          ...Array.from({ length: 64 }, (_, n) => 0xc0 | n),
        ]
      ) {
        const code = Uint8Array.of(opcode, modrm);
        const exists = native.run({ mode: 64, code, registers }).state.trap !== UD;
        const known = decoder.decode(code, 0, 2, 64) === "ok";
        if (exists !== known) wrong.push(`${opcode.toString(16)} ${modrm.toString(16)}: ${known}, not ${exists}`);
      }
    }
    assertEquals(wrong, []);
  },
});

Deno.test("X87 FDP and FOP follow each instruction on a processor without fdp_excptn", () => {
  using soft = new SoftCpu();
  const entries = cpuModel("max,-fdp_excptn,-fpu_cs_ds"),
    bytes = new Uint8Array(entries.length * 24),
    view = new DataView(bytes.buffer);
  entries.forEach(({ function: leaf, eax, ebx, ecx, edx }, i) => {
    [leaf, eax, ebx, ecx, edx].forEach((v, n) => view.setUint32(i * 24 + n * 4, v, true));
  });
  const inputs = new Uint8Array(STATE_SIZE), outputs = new Uint8Array(STATE_SIZE);
  baseRecord(64, 1, new DataView(inputs.buffer));
  const before = new StateBlock(inputs), after = new StateBlock(outputs);
  before.setGpr("rax", BigInt(DATA_ADDRESS));
  before.setX87("ftw", 0xff);
  const batch = { mode: 64, code: Uint8Array.of(0xd8, 0x10), inputs, outputs, fpu: true } as const; // fcom dword [rax]
  const window = { address: DATA_ADDRESS, length: 0 };
  soft.runBatch({ ...batch, window });
  assertEquals([after.get("fdp"), after.x87("fop")], [0n, 0]);
  soft.vcpu.setCpuid(bytes);
  soft.runBatch({ ...batch, window });
  assertEquals([after.get("fdp"), after.x87("fop")], [BigInt(DATA_ADDRESS), 0x010]);
  assertEquals(after.get("fip"), before.get("rip"));
});

Deno.test("compareX87() finds a wrong instruction", { ignore: missing !== undefined }, () => {
  using native = NativeCpu.open();
  using soft = new SoftCpu();
  const run = soft.runBatch.bind(soft);
  // FADD ST(0),ST(i) (D8 C0+i) is replaced by FMUL (D8 C8+i).
  soft.runBatch = (batch) => run({ ...batch, code: batch.code.map((b) => (b & 0xf8) === 0xc0 ? b | 8 : b) });
  const form = X87_TABLE.forms.find((f) => f.text === "D8 /0 STi")!;
  assert(compareX87(native, soft, [form], { seed: 3, encodings: 4, states: 8 }).failed > 0);
});
