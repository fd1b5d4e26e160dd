import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../core/engine/soft.ts";
import { CF, STATUS_FLAGS } from "../core/x86/flags.ts";
import { INTEGER_GROUPS } from "./differential/groups.ts";
import { baseRecord, isRandom, TABLE } from "./differential/batch.ts";
import { describe, differences } from "./differential/compare.ts";
import { compare } from "./differential/run.ts";
import { SoftCpu } from "./differential/soft_cpu.ts";
import { decodeVectors } from "./differential/vectors.ts";
import { DATA_ADDRESS } from "./host/memory_map.ts";
import { NativeCpu } from "./host/native_cpu.ts";
import { STATE_SIZE, StateBlock } from "./host/state_block.ts";

const ENGINES: readonly Engine[] = ["interpreter", "translator"];
const VECTORS = new URL("./data/integer_vectors.bin", import.meta.url);

const missing = NativeCpu.unavailable();
const unless = missing === undefined ? "" : ` (not here: ${missing})`;

for (const [name, rows] of Object.entries(INTEGER_GROUPS)) {
  for (const engine of ENGINES) {
    Deno.test({
      name: `${name} each form does in the ${engine} what it does in the host processor${unless}`,
      ignore: missing !== undefined,
      fn: () => {
        using native = NativeCpu.open();
        using soft = new SoftCpu(engine);
        const forms = TABLE.forms.filter((f) => rows.includes(f.row) && !isRandom(f));
        // Branches are slow to run natively, for they end by a signal, and many forms are one instruction.
        const states = name === "CONTROL" ? 12 : 40;
        const effort = engine === "interpreter" ? { encodings: 8, states } : { encodings: 3, states: 12 };
        const { cases, failed, examples } = compare(native, soft, forms, { seed: 3, ...effort });
        assert(cases > 0);
        assertEquals(failed, 0, `${failed} of ${cases} cases differ:\n${examples.join("\n")}`);
      },
    });
  }
}

for (const engine of ENGINES) {
  Deno.test(`INTEGER each form does in the ${engine} what was recorded of a processor`, async () => {
    using soft = new SoftCpu(engine);
    const wrong: string[] = [];
    let cases = 0;
    for (const v of await decodeVectors(Deno.readFileSync(VECTORS))) {
      const { inputs, outputs, encoding: e } = v;
      const actual = new Uint8Array(inputs.length), size = inputs.length / v.seeds.length;
      soft.runBatch({ ...e, inputs, outputs: actual });
      for (let at = 0; at < inputs.length; at += size) {
        cases++;
        const d = differences(e, v.flags, new DataView(outputs.buffer), new DataView(actual.buffer), at);
        if (d.length) wrong.push(`${v.name}\n  ${describe(e, new DataView(inputs.buffer), at)}\n  ${d.join("; ")}`);
      }
    }
    assert(cases > 10_000);
    assertEquals(wrong.length, 0, `${wrong.length} of ${cases} cases differ:\n${wrong.slice(0, 5).join("\n")}`);
  });
}

Deno.test("compare() finds a wrong instruction", { ignore: missing !== undefined }, () => {
  using native = NativeCpu.open();
  using soft = new SoftCpu();
  const run = soft.runBatch.bind(soft);
  // ADD Eb,Gb (00) is replaced by ADC Eb,Gb (10), which differs when CF is set.
  soft.runBatch = (batch) => run({ ...batch, code: batch.code.map((b) => b === 0 ? 0x10 : b) });
  const form = TABLE.forms.find((f) => f.text === "00 /r Eb,Gb")!;
  assert(compare(native, soft, [form], { seed: 3, encodings: 4, states: 8 }).failed > 0);
});

Deno.test("RDRAND gives a number of its width, and CF alone", () => {
  using soft = new SoftCpu();
  const code = Uint8Array.of(0x66, 0x0f, 0xc7, 0xf0); // rdrand ax
  const size = STATE_SIZE, count = 4;
  const inputs = new Uint8Array(count * size), outputs = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) baseRecord(64, 1, new DataView(inputs.buffer, i * size, size));
  soft.runBatch({ mode: 64, code, inputs, outputs, window: { address: DATA_ADDRESS, length: 0 } });
  const before = new StateBlock(inputs), after = new StateBlock(outputs);
  const numbers = new Set<bigint>();
  for (let i = 0; i < count; i++) {
    const rax = after.at(i * size).gpr("rax");
    assertEquals(rax >> 16n, before.gpr("rax") >> 16n);
    assertEquals(after.flags & STATUS_FLAGS, CF);
    numbers.add(rax);
  }
  assert(numbers.size > 1);
});
