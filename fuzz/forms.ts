/**
 * Which instructions streams are made of.
 * @module
 */
import type { Form, Row } from "../core/x86/insn.ts";
import { INSTRUCTIONS } from "../core/x86/table/instructions.ts";
import { INTEGER } from "../core/x86/table/integer.ts";
import { SIMD } from "../core/x86/table/simd.ts";
import { X87 } from "../core/x86/table/x87.ts";

/** Streams have ways of their own to branch. */
const BRANCHES = /^(JMP|CALL|RET|J[A-Z]+|LOOP.*)$/;
/** What they do is not a function of the state that a case sets, or they would take the stream out of its memory. */
const NOT_ON_HOST = new RegExp(
  "^(RDRAND|RDSEED|INT|INT1|INT3|IRET|RETF|SYSCALL|SYSENTER|CPUID|RDTSC|RDTSCP|RDPMC|RDPID|SLDT|STR|SMSW|SGDT|SIDT|" +
    "LAR|LSL|VERR|VERW|XGETBV|XSETBV|XSAVE|XRSTOR|WRFSBASE|WRGSBASE|POPF|LES|LDS|LSS|LFS|LGS|VMCALL|VMMCALL|FBLD|INS|OUTS|IN|OUT)$",
);
/** Their results may differ in the last place, and that would spread. */
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSINCOS|FSIN|FCOS)$/;
/** They mostly fault. */
const FAULTING = new RegExp(
  "^(UD.*|BOUND|INTO|DIV|IDIV|INS|OUTS|IN|OUT|HLT|CLI|STI|LGDT|LIDT|LLDT|LTR|LMSW|INVLPG|CLTS|INVD|WBINVD|WRMSR|RDMSR|" +
    "SYSRET|SYSEXIT|SWAPGS|STAC|CLAC|INVPCID|LDMXCSR|FXRSTOR)$",
);

/** Forms by what they work on. */
export interface Pools {
  /** Integer and what belongs to no other. */
  readonly integer: readonly Form[];
  /** x87. */
  readonly x87: readonly Form[];
  /** MMX and SSE. */
  readonly simd: readonly Form[];
  /** Those that mostly fault, for a user. */
  readonly faulting: readonly Form[];
  /** System instructions. */
  readonly system: readonly Form[];
}

function isSegment(f: Form): boolean {
  return f.operands.some((o) => o.code === "S") && f.mnemonic !== "PUSH" && f.operands[0].code === "S";
}

function pools(allowed: (f: Form) => boolean, system: readonly Form[]): Pools {
  const of = (rows: readonly Row[]) => {
    const set = new Set(rows);
    return INSTRUCTIONS.forms.filter((f) =>
      set.has(f.row) && allowed(f) && !BRANCHES.test(f.mnemonic) && !FAULTING.test(f.mnemonic)
    );
  };
  const faulting = INSTRUCTIONS.forms.filter((f) => FAULTING.test(f.mnemonic) && allowed(f));
  return { integer: of(INTEGER), x87: of(X87), simd: of(SIMD), faulting, system };
}

/** What does the same on the host processor. */
export const HOST_POOLS: Pools = pools(
  (f) => !NOT_ON_HOST.test(f.mnemonic) && !TRANSCENDENTAL.test(f.mnemonic) && !isSegment(f) && !isDebugMove(f),
  [],
);

function isDebugMove(f: Form): boolean {
  return f.operands.some((o) => o.code === "D" || o.code === "C");
}

const KNOWN: ReadonlySet<Row> = new Set([...INTEGER, ...X87, ...SIMD]);
/** All that the engine has. */
export const ENGINE_POOLS: Pools = pools(() => true, INSTRUCTIONS.forms.filter((f) => !KNOWN.has(f.row)));

/** What keeps no state that the API of version 12 cannot save: no debug registers, no XCR0. */
export const RESTORE_POOLS: Pools = {
  ...ENGINE_POOLS,
  system: ENGINE_POOLS.system.filter((f) => !f.operands.some((o) => o.code === "D") && f.mnemonic !== "XSETBV"),
};
