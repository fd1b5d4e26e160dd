/**
 * Records what the host processor does with MMX and SSE instructions: writes tests/data/simd_vectors.bin. Needs an x86-64
 * Linux host with all of them, of Intel's: RCPPS and RSQRTPS are approximations of its own.
 *
 * Run: deno run --allow-ffi --allow-read --allow-write tests/differential/record_simd_vectors.ts
 * @module
 */
import { NativeCpu } from "../host/native_cpu.ts";
import { type Oracle, Recorder } from "./replay.ts";
import type { Comparison } from "./run.ts";
import { compareSimd, testedForms } from "./simd.ts";
import { compareImages, IMAGE_INSTRUCTIONS } from "./simd_images.ts";
import { SoftCpu } from "./soft_cpu.ts";

/** The cases that are recorded. */
export function recordedCases(oracle: Oracle, soft: SoftCpu): Comparison {
  const parts = [
    compareSimd(oracle, soft, testedForms(), { seed: 12, encodings: 2, states: 5 }),
    ...IMAGE_INSTRUCTIONS.map((name) => compareImages(oracle, soft, name, { seed: 12, states: 8 })),
  ];
  const sum = (part: (c: Comparison) => number) => parts.reduce((n, c) => n + part(c), 0);
  return { cases: sum((c) => c.cases), failed: sum((c) => c.failed), examples: parts.flatMap((c) => c.examples) };
}

if (import.meta.main) {
  using native = NativeCpu.open();
  using soft = new SoftCpu();
  const recorder = new Recorder(native);
  const { cases, failed } = recordedCases(recorder, soft);
  const file = await recorder.finish();
  Deno.writeFileSync(new URL("../data/simd_vectors.bin", import.meta.url), file);
  console.log(`${cases} cases, of which ${failed} differ now, ${file.length} bytes`);
}
