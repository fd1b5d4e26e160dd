/**
 * What gdb's `monitor` can ask.
 * @module
 */

import { KVM_EXIT_NAMES } from "../../mod.ts";
import { CpuState } from "./cpu_state.ts";
import type { Debugger } from "./debugger.ts";
import { digits } from "./hex.ts";
import { type Mapping, mappings, mergedMappings, pagingMode } from "./page_tables.ts";
import { registerDump } from "./register_dump.ts";

/** Most lines of a list of mappings. */
const LINES_MOST = 2000;
/** Most bytes that `xp` shows. */
const DUMP_MOST = 0x10000;

interface Command {
  /** What stands behind `monitor`, for the help. */
  readonly usage: string;
  readonly help: string;
  /** Answers it; null if the arguments are wrong. */
  readonly run: (debug: Debugger, args: readonly string[]) => string | null;
}

const INFO: Readonly<Record<string, Command>> = {
  regs: {
    usage: "info regs [CPU]",
    help: "registers, as QEMU shows them",
    run: (debug, args) =>
      ofThread(debug, args, (index) => {
        const { regs, sregs } = new CpuState(debug.vcpu(index));
        return registerDump(regs, sregs);
      }),
  },
  mmu: {
    usage: "info mmu [CPU]",
    help: "the paging mode and the ranges that are mapped",
    run: (debug, args) =>
      ofThread(debug, args, (index) => {
        const { sregs } = new CpuState(debug.vcpu(index));
        const mode = pagingMode(sregs);
        const head = mode === "off" ? "paging is off\n" : `${mode} paging, cr3=${digits(sregs.cr3, 16)}\n`;
        return head + lines(mergedMappings(sregs, debug.memory), rangeLine);
      }),
  },
  tlb: {
    usage: "info tlb [CPU]",
    help: "every page that the page tables map",
    run: (debug, args) =>
      ofThread(debug, args, (index) => {
        const { sregs } = new CpuState(debug.vcpu(index));
        if (pagingMode(sregs) === "off") return "paging is off\n";
        return lines(mappings(sregs, debug.memory), pageLine);
      }),
  },
  exits: {
    usage: "info exits [CPU]",
    help: "how often the guest left, by reason",
    run: (debug, args) =>
      ofThread(debug, args, (index) => {
        const counted = debug.exitsOf(index).flatMap((count, reason) =>
          count === 0 ? [] : [`${KVM_EXIT_NAMES[reason]} ${count}\n`]
        );
        return counted.length === 0 ? "none yet\n" : counted.join("");
      }),
  },
};

const COMMANDS: Readonly<Record<string, Command>> = {
  xp: {
    usage: "xp ADDRESS [BYTES]",
    help: "memory by physical address",
    run: (debug, [address, count = "64"]) => {
      const at = number(address), length = number(count);
      if (at === null || length === null || length > BigInt(DUMP_MOST)) return null;
      return dump(at, debug.memory.read(null, at, Number(length)));
    },
  },
  phys: {
    usage: "phys [on|off]",
    help: "whether gdb's own memory commands mean physical addresses",
    run: (debug, [value]) => {
      if (value !== undefined && value !== "on" && value !== "off") return null;
      if (value !== undefined) debug.physicalMemory = value === "on";
      return `addresses are ${debug.physicalMemory ? "physical" : "virtual"}\n`;
    },
  },
  arch: {
    usage: "arch [i386|x86-64]",
    help: "the registers that gdb gets to see, from its next connection on",
    run: (debug, [value]) => {
      if (value !== undefined && value !== "i386" && value !== "x86-64") return null;
      if (value !== undefined) debug.architecture = value === "i386" ? "i386" : "i386:x86-64";
      return `${debug.architecture}\n`;
    },
  },
};

/**
 * Answers a monitor command.
 * @param debug The machine.
 * @param command What stands behind `monitor`.
 * @returns Lines for the user.
 */
export function monitor(debug: Debugger, command: string): string {
  const words = command.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0 || words[0] === "help") return help();
  const found = words[0] === "info" ? INFO[aliased(words[1])] : COMMANDS[words[0]];
  if (found === undefined) return `There is no '${command}'; see 'monitor help'.\n`;
  return found.run(debug, words.slice(words[0] === "info" ? 2 : 1)) ?? `It must be: monitor ${found.usage}\n`;
}

/** QEMU's names for the same. */
function aliased(name: string | undefined): string {
  return name === "registers" ? "regs" : name === "mem" ? "mmu" : name ?? "";
}

function help(): string {
  const all = [...Object.values(INFO), ...Object.values(COMMANDS)];
  return all.map(({ usage, help }) => `monitor ${usage.padEnd(22)} ${help}\n`).join("");
}

function ofThread(debug: Debugger, [index = "0"]: readonly string[], answer: (index: number) => string): string | null {
  return /^[0-9]+$/.test(index) && Number(index) < debug.threadCount ? answer(Number(index)) : null;
}

function number(text: string | undefined): bigint | null {
  return text !== undefined && /^(0x[0-9a-f]{1,16}|[0-9]{1,15})$/i.test(text) ? BigInt(text) : null;
}

function lines(found: Iterable<Mapping>, line: (mapping: Mapping) => string): string {
  let text = "", count = 0;
  for (const mapping of found) {
    if (++count > LINES_MOST) return `${text}... and more\n`;
    text += line(mapping);
  }
  return text;
}

/** As QEMU's `info mem`, with where it leads. */
function rangeLine({ linear, physical, size, user, writable, noExecute }: Mapping): string {
  const end = BigInt.asUintN(64, linear + size);
  const rights = `${user ? "u" : "-"}r${writable ? "w" : "-"}${noExecute ? "-" : "x"}`;
  return `${digits(linear, 16)}-${digits(end, 16)} ${digits(size, 16)} ${rights} -> ${digits(physical, 16)}\n`;
}

/** As QEMU's `info tlb`: NX, global, large, dirty, accessed, cache disable, write-through, user, writable. */
function pageLine({ linear, physical, flags }: Mapping): string {
  const letters = [[63n, "X"], [8n, "G"], [7n, "P"], [6n, "D"], [5n, "A"], [4n, "C"], [3n, "T"], [2n, "U"], [1n, "W"]];
  const shown = letters.map(([bit, letter]) => (flags >> (bit as bigint) & 1n) !== 0n ? letter : "-").join("");
  return `${digits(linear, 16)}: ${digits(physical, 16)} ${shown}\n`;
}

function dump(address: bigint, bytes: Uint8Array): string {
  if (bytes.length === 0) return `There is no memory at 0x${address.toString(16)}.\n`;
  let text = "";
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.subarray(at, at + 16), (byte) => digits(byte, 2)).join(" ");
    text += `${digits(address + BigInt(at), 16)}: ${row}\n`;
  }
  return text;
}
