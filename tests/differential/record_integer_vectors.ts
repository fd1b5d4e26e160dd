/**
 * Records what the host processor does: writes tests/data/integer_vectors.bin. Needs an x86-64 Linux host.
 *
 * Run: deno run --allow-ffi --allow-read --allow-write tests/differential/record_integer_vectors.ts
 * @module
 */
import { NativeCpu } from "../host/native_cpu.ts";
import { branches, isRandom, MODES, records, TABLE } from "./batch.ts";
import { definedFlags } from "./compare.ts";
import { encode } from "./encode.ts";
import { Prng } from "./prng.ts";
import { encodeVectors, type Vectors } from "./vectors.ts";

const SEED = 12, ENCODINGS = 3, STATES = 6;

/** Records cases of every form in every mode. */
export function record(native: NativeCpu): Vectors[] {
  const all: Vectors[] = [];
  for (const form of TABLE.forms.filter((f) => !isRandom(f))) {
    const random = new Prng(SEED * 0x1_0001 + form.id);
    for (const mode of MODES) {
      for (let k = 0; k < ENCODINGS; k++) {
        const encoding = encode(form, mode, random);
        if (!encoding) break;
        const { code, window } = encoding;
        const { bytes: inputs, seeds } = records(encoding, STATES, random);
        const outputs = new Uint8Array(inputs.length);
        const landing = branches(form) ? "int3" : "jump";
        const { stray } = native.runBatch({ mode, code, inputs, outputs, window, landing });
        // A write outside the window cannot be stored.
        if (stray !== undefined) continue;
        all.push({
          name: `${form.mnemonic} ${form.text}`,
          encoding,
          flags: definedFlags(form),
          seeds,
          inputs,
          outputs,
        });
      }
    }
  }
  return all;
}

if (import.meta.main) {
  using native = NativeCpu.open();
  const all = record(native);
  const file = await encodeVectors(all);
  Deno.writeFileSync(new URL("../data/integer_vectors.bin", import.meta.url), file);
  console.log(`${all.reduce((n, v) => n + v.seeds.length, 0)} cases, ${file.length} bytes`);
}
