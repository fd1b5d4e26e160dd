/**
 * What `--help` prints.
 * @module
 */

import type { OptionRow } from "./arguments.ts";
import { INFO_OPTIONS, MAIN_OPTIONS, RUN_OPTIONS } from "./options.ts";

const COLUMN = 30;
const WIDTH = 80;

/** `kvm12 --help`. */
export function mainHelp(): string {
  return `kvm12: virtual machines by the KVM API, version 12

  kvm12 run [OPTION]... IMAGE   run a raw image, or a PC by --bios
  kvm12 info [OPTION]...        show what there is: engines, MSRs, CPUID
  kvm12 run --help              and so on: all options

${optionsHelp(MAIN_OPTIONS)}
`;
}

/** `kvm12 run --help`. */
export function runHelp(): string {
  return `kvm12 run [OPTION]... IMAGE
kvm12 run [OPTION]... --bios FILE

IMAGE is a multiboot kernel, or else a boot sector, of which the first 512 bytes
are loaded at 0:7C00; with --load, --entry or --mode it is a flat binary.
Numbers may begin with 0x and end in K, M or G.

${optionsHelp(RUN_OPTIONS)}

Exit codes: 0 the guest powered off (0x2000 to port 0x604), halted so that
nothing can wake it, or wanted a reset with --no-reboot;
1 input or output failed; 2 wrong usage; 3 the guest crashed; 4 the engine
cannot start or go on; 124 the time is over; otherwise what the guest gave
debug-exit.
`;
}

/** `kvm12 info --help`. */
export function infoHelp(): string {
  return `kvm12 info [OPTION]...

Shows the API version, the engines and why one is missing, extensions, MSRs, and
what CPUID answers a guest.

${optionsHelp(INFO_OPTIONS)}
`;
}

function optionsHelp(rows: readonly OptionRow[]): string {
  return rows.map((row) => {
    const value = row.value === undefined ? "" : row.optional ? ` [${row.value}]` : ` ${row.value}`;
    const left = `  ${row.short === undefined ? "" : `-${row.short}, `}--${row.name}${value}`;
    const [first, ...others] = wrap(row.help, WIDTH - COLUMN);
    const indented = others.map((line) => " ".repeat(COLUMN) + line);
    if (left.length < COLUMN - 1) return [left.padEnd(COLUMN) + first, ...indented].join("\n");
    return [left, " ".repeat(COLUMN) + first, ...indented].join("\n");
  }).join("\n");
}

/** Breaks text between words into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
