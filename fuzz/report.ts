/**
 * Differences for humans.
 * @module
 */
import { disassemble } from "../core/x86/disassemble.ts";
import { GPR_NAMES, STATE_OFFSET } from "../tests/host/state_block.ts";

/** Code with addresses and bytes, a line an instruction. */
export function listing(code: Uint8Array, mode: 16 | 32 | 64, address: number): string {
  const lines: string[] = [];
  for (let at = 0; at < code.length;) {
    const { text, length } = disassemble(code.subarray(at, at + 15), { code: mode, address: address + at });
    const bytes = Array.from(code.subarray(at, at + length), (b) => b.toString(16).padStart(2, "0")).join(" ");
    lines.push(`  ${(address + at).toString(16)}  ${bytes.padEnd(30)}  ${text}`);
    at += Math.max(length, 1);
  }
  return lines.join("\n");
}

/** A field of a state block. */
interface Field {
  readonly name: string;
  readonly at: number;
  readonly size: number;
}

const FIELDS: readonly Field[] = [
  ...GPR_NAMES.map((name, n) => ({ name, at: n * 8, size: 8 })),
  ...[
    ["rip", STATE_OFFSET.rip, 8] as const,
    ["rflags", STATE_OFFSET.rflags, 4] as const,
    ["fcw", STATE_OFFSET.fcw, 2] as const,
    ["fsw", STATE_OFFSET.fsw, 2] as const,
    ["ftw", STATE_OFFSET.ftw, 1] as const,
    ["mxcsr", STATE_OFFSET.mxcsr, 4] as const,
  ].map(([name, at, size]) => ({ name, at, size })),
  ...Array.from({ length: 8 }, (_, n) => ({ name: `st${n}`, at: STATE_OFFSET.st + n * 16, size: 10 })),
  ...Array.from({ length: 16 }, (_, n) => ({ name: `xmm${n}`, at: STATE_OFFSET.xmm + n * 16, size: 16 })),
];

/** State blocks side by side: the general registers, and of the others those that changed. */
export function table(titles: readonly string[], blocks: readonly Uint8Array[], mode: 16 | 32 | 64): string {
  const rows: string[][] = [["", ...titles]];
  FIELDS.forEach(({ name, at, size }, n) => {
    if (mode !== 64 && n >= 8 && n < 16) return;
    const values = blocks.map((b) => {
      return Array.from(b.subarray(at, at + size), (x) => x.toString(16).padStart(2, "0")).reverse().join("");
    });
    if (size < 9 || values.some((v) => v !== values[0])) rows.push([name, ...values]);
  });
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  return rows.map((r) => `  ${r.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()}`).join("\n");
}
