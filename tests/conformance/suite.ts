/**
 * All cases of the conformance suite, and what each of them is about: the ioctls and exits that the page
 * `docs/conformance.md` counts it under.
 * @module
 */

import {
  IOCTLS,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KVM_EXIT_NAMES,
  type KvmExitReason,
} from "../../mod.ts";
import { ALIAS_CASES } from "./alias_cases.ts";
import { ALIAS_CODE_CASES } from "./alias_code_cases.ts";
import { CPUID_CASES } from "./cpuid_cases.ts";
import { DEBUG_CASES } from "./debug_cases.ts";
import { DIRTY_LOG_CASES } from "./dirty_log_cases.ts";
import { DIRTY_WALK_CASES } from "./dirty_walk_cases.ts";
import { ERROR_CASES } from "./error_cases.ts";
import { FAIL_ENTRY_CASES } from "./fail_entry_cases.ts";
import { FPU_CASES } from "./fpu_cases.ts";
import { GUEST_MEMORY_CASES } from "./guest_memory_cases.ts";
import type { Case } from "./harness.ts";
import { HYPERCALL_CASES } from "./hypercall_cases.ts";
import { INTERRUPT_CASES } from "./interrupt_cases.ts";
import { INTERRUPT_QUEUE_CASES } from "./interrupt_queue_cases.ts";
import { IO_CASES } from "./io_cases.ts";
import { MMIO_CASES } from "./mmio_cases.ts";
import { MSR_CASES } from "./msr_cases.ts";
import { PENDING_ACCESS_CASES } from "./pending_access_cases.ts";
import { RAW_CALL_CASES } from "./raw_call_cases.ts";
import { RAW_CASES } from "./raw_cases.ts";
import { REGION_CASES } from "./region_cases.ts";
import { RUN_CASES } from "./run_cases.ts";
import { SIGNAL_CASES } from "./signal_cases.ts";
import { STATE_CASES } from "./state_cases.ts";
import { STRING_IO_CASES } from "./string_io_cases.ts";
import { SYSTEM_CASES } from "./system_cases.ts";
import { TASK_PRIORITY_CASES } from "./task_priority_cases.ts";
import { TRANSLATE_CASES } from "./translate_cases.ts";
import { VCPU_CASES } from "./vcpu_cases.ts";

/** Marks cases as being about an exit where they do not say themselves. */
function about(exit: KvmExitReason, cases: readonly Case[]): Case[] {
  return cases.map((each) => ({ exit, ...each }));
}

/** Cases that belong together, for the page. */
export interface Chapter {
  /** What they are about. */
  readonly title: string;
  /** The cases. */
  readonly cases: readonly Case[];
}

/** The suite. */
export const CHAPTERS: readonly Chapter[] = [
  { title: "System calls and rules", cases: SYSTEM_CASES },
  { title: "Memory regions", cases: REGION_CASES },
  { title: "Guest memory", cases: GUEST_MEMORY_CASES },
  { title: "Aliases", cases: [...ALIAS_CASES, ...ALIAS_CODE_CASES] },
  { title: "Dirty logs", cases: [...DIRTY_LOG_CASES, ...DIRTY_WALK_CASES] },
  { title: "Several processors", cases: VCPU_CASES },
  { title: "Registers and paging", cases: STATE_CASES },
  { title: "Address translation", cases: TRANSLATE_CASES },
  { title: "Floating point", cases: FPU_CASES },
  { title: "MSRs", cases: MSR_CASES },
  { title: "CPUID", cases: CPUID_CASES },
  { title: "Port I/O", cases: about(KVM_EXIT_IO, [...IO_CASES, ...STRING_IO_CASES]) },
  { title: "Memory-mapped I/O", cases: about(KVM_EXIT_MMIO, MMIO_CASES) },
  { title: "Between an access and its answer", cases: about(KVM_EXIT_IO, PENDING_ACCESS_CASES) },
  { title: "Running and halting", cases: RUN_CASES },
  { title: "Signals and budgets", cases: SIGNAL_CASES },
  { title: "Hypercalls", cases: HYPERCALL_CASES },
  { title: "Impossible states", cases: about(KVM_EXIT_FAIL_ENTRY, FAIL_ENTRY_CASES) },
  { title: "Interrupts", cases: [...INTERRUPT_CASES, ...INTERRUPT_QUEUE_CASES] },
  { title: "Task priority", cases: TASK_PRIORITY_CASES },
  { title: "Debugging and exceptions", cases: DEBUG_CASES },
  { title: "Errors", cases: ERROR_CASES },
  { title: "The raw form", cases: [...RAW_CASES, ...RAW_CALL_CASES] },
];

/** All cases in order. */
export const CASES: readonly Case[] = CHAPTERS.flatMap(({ cases }) => cases);

/** The ioctl behind a method of the object API: `setMemoryRegion` is KVM_SET_MEMORY_REGION. */
const BY_METHOD: ReadonlyMap<string, string> = new Map(
  IOCTLS.map(({ name }) => {
    const words = name.slice("KVM_".length).toLowerCase().split("_");
    return [words.map((word, n) => n === 0 ? word : word[0].toUpperCase() + word.slice(1)).join(""), name];
  }),
);

/** The names of the ioctls that a case is about: those that its name calls, as `run()` or as `KVM_RUN`. */
export function ioctlsOf({ name }: Case): string[] {
  const called = [...name.matchAll(/(\w+)\(\)/g)].flatMap(([, method]) => BY_METHOD.get(method) ?? []);
  const named = IOCTLS.map((row) => row.name).filter((ioctl) => name.split(/[^A-Z_]+/).includes(ioctl));
  return [...new Set([...called, ...named])];
}

/** The names of the exits that a case is about: that of its own, and those that its name tells. */
export function exitsOf({ name, exit }: Case): string[] {
  const own = exit === undefined ? [] : [KVM_EXIT_NAMES[exit]];
  return [...new Set([...own, ...name.match(/KVM_EXIT_[A-Z_]+/g) ?? []])];
}
