/**
 * The kind `bytes`: random bytes as code in every mode, from random registers. They may do anything but end in an
 * exception of ours, hang, or differ between interpreter and translator.
 * @module
 */
import { INSTRUCTIONS } from "../core/x86/table/instructions.ts";
import { CalmPrng } from "./calm.ts";
import { PairFuzzer, startOf, stopsOf } from "./engine.ts";
import { entryOf, VARIANTS } from "./guest_layout.ts";
import type { Kind } from "./kind.ts";
import type { PairCase } from "./pair.ts";
import { Executors } from "./sides.ts";

const CODE = 0x10_1800, NOP = 0x90;

/** Random bytes: evenly, or with opcodes of the table more often. */
function randomBytes(random: CalmPrng, length: number): Uint8Array {
  const even = random.once(2);
  const bytes: number[] = [];
  while (bytes.length < length) {
    if (even || random.once(2)) bytes.push(random.u32() & 0xff);
    else {
      const { prefix, map, opcode } = random.pick(INSTRUCTIONS.forms);
      if (prefix > 0) bytes.push(prefix);
      if (map > 0) bytes.push(0x0f);
      if (map === 2 || map === 3) bytes.push(map === 2 ? 0x38 : 0x3a);
      bytes.push(opcode);
    }
  }
  return Uint8Array.from(bytes.slice(0, length));
}

function bytesCase(number: number, sregs: Uint8Array): PairCase {
  const random = new CalmPrng(number), variant = random.pick(VARIANTS);
  const bytes = randomBytes(random, random.range(16, 160));
  const start = startOf(variant, sregs, random);
  return {
    variant,
    count: bytes.length,
    build: (kept) => ({ code: bytes.map((b, n) => kept[n] ? b : NOP), starts: Array.from(bytes, (_, n) => n) }),
    entry: entryOf(variant),
    start,
    codeAddress: CODE,
    stops: stopsOf(random, random.pick([60, 200, 600]), random.once(2) ? 6 : 0),
    recoveries: 6,
    seed: random.u32(),
  };
}

/** Bytes on both executors. */
export const BYTES: Kind = {
  name: "bytes",
  summary: "random bytes as code in every mode, interpreter against translator",
  missing: () => undefined,
  open: () => new PairFuzzer(() => new Executors("interpreter", "translator"), bytesCase),
};
