/** The x87 instructions against the host processor. @module */
import { assert, assertEquals } from "@std/assert";
import type { Engine } from "../core/engine/soft.ts";
import { Decoder } from "../core/x86/decode.ts";
import type { Row } from "../core/x86/insn.ts";
import { X87_ARITHMETIC } from "../core/x86/table/x87_arith.ts";
import { X87_COMPARISON } from "../core/x86/table/x87_compare.ts";
import { X87_CONTROL } from "../core/x86/table/x87_control.ts";
import { X87_DATA } from "../core/x86/table/x87_data.ts";
import { SoftCpu } from "./differential/soft_cpu.ts";
import { compareX87, X87_TABLE } from "./differential/x87.ts";
import { DATA_ADDRESS } from "./host/memory_map.ts";
import { NativeCpu } from "./host/native_cpu.ts";

// deno-fmt-ignore
const GROUPS: Readonly<Record<string, readonly Row[]>> = { X87_DATA, X87_ARITHMETIC, X87_COMPARISON, X87_CONTROL };
const ENGINES: readonly Engine[] = ["interpreter", "translator"];
const UD = 6;

const missing = NativeCpu.unavailable();
const unless = missing === undefined ? "" : ` (not here: ${missing})`;

for (const [name, rows] of Object.entries(GROUPS)) {
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

Deno.test("compareX87() finds a wrong instruction", { ignore: missing !== undefined }, () => {
  using native = NativeCpu.open();
  using soft = new SoftCpu();
  const run = soft.runBatch.bind(soft);
  // FADD ST(0),ST(i) (D8 C0+i) is replaced by FMUL (D8 C8+i).
  soft.runBatch = (batch) => run({ ...batch, code: batch.code.map((b) => (b & 0xf8) === 0xc0 ? b | 8 : b) });
  const form = X87_TABLE.forms.find((f) => f.text === "D8 /0 STi")!;
  assert(compareX87(native, soft, [form], { seed: 3, encodings: 4, states: 8 }).failed > 0);
});
