/**
 * docs/instructions.md: for each encoding of the instruction table, how it is tested. What is said is found out: by the lists
 * that the comparisons with the host processor go through, by decoding the recorded cases, and by watching guests.
 *
 * `deno run --allow-read --allow-write=docs/instructions.md tests/coverage/report.ts` writes the page.
 * @module
 */
import { Decoder } from "../../core/x86/decode.ts";
import type { Form, Row } from "../../core/x86/insn.ts";
import { INSTRUCTIONS } from "../../core/x86/table/instructions.ts";
import { INTEGER_GROUPS, SIMD_GROUPS, X87_GROUPS } from "../differential/groups.ts";
import { Player } from "../differential/replay.ts";
import { recordedCases } from "../differential/record_simd_vectors.ts";
import { SoftCpu } from "../differential/soft_cpu.ts";
import { decodeVectors } from "../differential/vectors.ts";
import { GUEST_NAMES, watchGuest, watchHypercalls } from "./system_guests.ts";
import { UNIT_TESTED } from "./unit_tested.ts";
import type { ExecutionMode, Witness } from "./witness.ts";

const PAGE = new URL("../../docs/instructions.md", import.meta.url);

/** How one encoding is tested. */
export interface Coverage {
  /** The encoding. */
  readonly form: Form;
  /** Whether it is compared with the host processor. */
  readonly native: boolean;
  /** Code sizes in which recorded cases have it. */
  readonly recorded: ReadonlySet<number>;
  /** Guests that execute it, with the modes. */
  readonly guests: ReadonlyMap<string, ReadonlySet<ExecutionMode>>;
  /** Guests in which it only raises exceptions. */
  readonly faults: ReadonlySet<string>;
  /** A test of its own, where none of those reaches it. */
  readonly unit: string | null;
}

/** What is tested how, for the whole table. */
export async function coverage(): Promise<Coverage[]> {
  const recorded = new Map<Form, Set<number>>();
  const decoder = new Decoder(INSTRUCTIONS, () => true);
  const note = (mode: 16 | 32 | 64, code: ArrayLike<number>): void => {
    if (decoder.decode(Uint8Array.from(code), 0, code.length, mode) !== "ok") return;
    const sizes = recorded.get(decoder.form);
    if (sizes) sizes.add(mode);
    else recorded.set(decoder.form, new Set([mode]));
  };
  const vectors = (name: string) => Deno.readFileSync(new URL(`../data/${name}_vectors.bin`, import.meta.url));
  for (const name of ["integer", "x87"]) {
    for (const { encoding: { mode, code } } of await decodeVectors(vectors(name))) note(mode, code);
  }
  using soft = new SoftCpu("interpreter");
  const run = soft.runBatch.bind(soft);
  soft.runBatch = (batch) => {
    note(batch.mode, batch.code);
    return run(batch);
  };
  recordedCases(await Player.open(vectors("simd")), soft);
  const witnesses = new Map<string, Witness>(GUEST_NAMES.map((name) => [`${name}.asm`, watchGuest(name)]));
  witnesses.set("hypercall cases", watchHypercalls());
  const compared = new Set<Row>([INTEGER_GROUPS, X87_GROUPS, SIMD_GROUPS].flatMap((g) => Object.values(g).flat()));
  return INSTRUCTIONS.forms.map((form) => {
    const guests = new Map<string, ReadonlySet<ExecutionMode>>(), faults = new Set<string>();
    for (const [name, w] of witnesses) {
      const modes = w.completed.get(form);
      if (modes) guests.set(name, modes);
      else if (w.faulted.has(form)) faults.add(name);
    }
    const random = /^(RDRAND|RDSEED)$/.test(form.mnemonic);
    const native = compared.has(form.row) && !random;
    const unit = UNIT_TESTED[form.mnemonic] ?? null;
    return { form, native, recorded: recorded.get(form) ?? new Set(), guests, faults, unit };
  });
}

/** Whether something tests it. */
export function isTested({ native, recorded, guests, faults, unit }: Coverage): boolean {
  return native || recorded.size > 0 || guests.size > 0 || faults.size > 0 || unit !== null;
}

/** The page. */
export function page(all: readonly Coverage[]): string {
  const count = (test: (c: Coverage) => boolean) => all.filter(test).length;
  const lines = [
    "# How each instruction is tested",
    "",
    "Made by `deno task coverage`; a test compares this page with what is found.",
    "",
    `Of ${all.length} encodings, ${
      count((c) => c.native)
    } are compared with the host processor in 64-bit and compatibility mode, ` +
    `${count((c) => c.recorded.size > 0)} have recorded answers of a processor (code sizes are given), ` +
    `${count((c) => c.guests.size > 0)} are executed by guests that check themselves (\`tests/guests/\`), ` +
    `${count((c) => c.faults.size > 0)} only with an exception, ${
      count((c) => c.unit !== null)
    } have tests of their own, ` +
    `${count((c) => !isTested(c))} have none.`,
    "",
    "| instruction | encoding | CPUID | host processor | recorded | guests and other tests |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  for (const c of all) {
    const { form } = c, { cpuid } = form.row.attributes;
    const guests = [...c.guests].map(([name, modes]) => `${name} (${[...modes].sort().join(", ")})`);
    const faults = [...c.faults].map((name) => `${name} (exception)`);
    const others = [...guests, ...faults, ...c.unit === null ? [] : [c.unit]].join("; ");
    const sizes = [...c.recorded].sort((a, b) => a - b).join(", ");
    lines.push(
      `| ${form.mnemonic} | \`${form.text}\` | ${cpuid ?? ""} | ${c.native ? "yes" : ""} | ${sizes} | ${others} |`,
    );
  }
  return lines.join("\n") + "\n";
}

if (import.meta.main) {
  const all = await coverage();
  await Deno.writeTextFile(PAGE, page(all));
  for (const c of all) if (!isTested(c)) console.log(`no test: ${c.form.mnemonic} ${c.form.text}`);
}
