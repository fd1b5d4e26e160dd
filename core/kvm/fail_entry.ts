/**
 * KVM_EXIT_FAIL_ENTRY in words.
 * @module
 */

import { IMPOSSIBLE } from "../x86/system/control.ts";

/** What is wrong with each field. */
const SOFT: Readonly<Record<keyof typeof IMPOSSIBLE, string>> = {
  cr0: "CR0 has PG without PE, NW without CD, or a bit above 31",
  cr3: "CR3 is beyond the physical addresses",
  cr4: "CR4 has an unknown bit, lacks PAE in long mode, or has PCIDE outside it",
  efer: "EFER has an unknown bit, or LMA that is not LME and CR0.PG",
  cs: "CS has both L and D in long mode",
  rflags: "RFLAGS has VM in real or long mode",
  rip: "RIP is not canonical, or above 4 GiB outside 64-bit mode",
  table: "the base of GDT or IDT is not canonical",
};

const WORDS: ReadonlyMap<bigint, string> = new Map(
  (Object.keys(IMPOSSIBLE) as (keyof typeof IMPOSSIBLE)[]).map((name) => [BigInt(IMPOSSIBLE[name]), SOFT[name]]),
);
/** VMX: the basic exit reason, and the bit that says that the entry failed. Source: SDM volume 3, appendix C. */
const VMX_FAILED = 1n << 31n, VMX_STATE = 33n, VMX_MSR = 34n;

/**
 * What KVM_EXIT_FAIL_ENTRY is about: of the software engine the first field that no processor could have so, of the real
 * device what its hardware says.
 * @param reason `hardware_entry_failure_reason`.
 * @returns Some words for a message.
 *
 * @example
 * ```ts
 * import { describeFailEntry } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(describeFailEntry(5n), "CS has both L and D in long mode");
 * assertEquals(describeFailEntry(0x8000_0021n), "the processor refuses the guest's state");
 * ```
 */
export function describeFailEntry(reason: bigint): string {
  const known = WORDS.get(reason);
  if (known !== undefined) return known;
  const basic = reason & 0xffffn;
  if (reason & VMX_FAILED && basic === VMX_STATE) return "the processor refuses the guest's state";
  if (reason & VMX_FAILED && basic === VMX_MSR) return "the processor cannot load an MSR";
  return `reason 0x${reason.toString(16)}`;
}
