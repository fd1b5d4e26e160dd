/**
 * Records what the host processor does with x87 instructions: writes tests/data/x87_vectors.bin. Needs an x86-64 Linux
 * host whose CPUID has fdp_excptn and fpu_cs_ds.
 *
 * Run: deno run --allow-ffi --allow-read --allow-write tests/differential/record_x87_vectors.ts
 * @module
 */
import { NativeCpu } from "../host/native_cpu.ts";
import { MODES } from "./batch.ts";
import { definedFlags } from "./compare.ts";
import { encodeVectors, type Vectors } from "./vectors.ts";
import { X87_TABLE, x87Batches } from "./x87.ts";

const SEED = 12;

/** Records cases of every form in every mode. */
export function record(native: NativeCpu): Vectors[] {
  const all: Vectors[] = [];
  for (const form of X87_TABLE.forms) {
    for (const mode of MODES) {
      const effort = mode === 64 ? { seed: SEED, encodings: 2, states: 4 } : { seed: SEED, encodings: 1, states: 2 };
      for (const { encoding, inputs, seeds } of x87Batches(form, mode, effort)) {
        const { code, window } = encoding;
        const outputs = new Uint8Array(inputs.length);
        const { stray } = native.runBatch({ mode, code, inputs, outputs, window });
        // A write outside the window cannot be stored.
        if (stray !== undefined) continue;
        const name = `${form.mnemonic} ${form.text}`;
        all.push({ name, encoding, flags: definedFlags(form), seeds, inputs, outputs });
      }
    }
  }
  return all;
}

if (import.meta.main) {
  using native = NativeCpu.open();
  const all = record(native);
  const file = await encodeVectors(all);
  Deno.writeFileSync(new URL("../data/x87_vectors.bin", import.meta.url), file);
  console.log(`${all.reduce((n, v) => n + v.seeds.length, 0)} cases, ${file.length} bytes`);
}
