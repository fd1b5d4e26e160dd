/**
 * CPUID leaves for the real device.
 * @module
 */

import { KVM_SET_CPUID } from "../abi/ioctl.ts";
import { LAYOUTS } from "../abi/layout.ts";
import type { Libc } from "./libc.ts";
import { CPUID2, KVM_GET_SUPPORTED_CPUID, MOST_CPUID_ENTRIES } from "./requests.ts";

const HEADER = LAYOUTS.kvm_cpuid.size;
const ENTRY = LAYOUTS.kvm_cpuid_entry.size;

/** Leaf 1, ECX: the local APIC has the interface by MSRs; the kernel could only offer that with an APIC of its own. */
const X2APIC = 1 << 21;

/** How many leaves from the start of each half are filled where the host program left them out. */
const FILLED_LEAVES = 0x20;
/** Leaves that the kernel itself acts on (XSAVE areas, enclaves, trace, address widths): never filled. */
const UNFILLED: ReadonlySet<number> = new Set([0xd, 0x12, 0x14, 0x80000008]);

/**
 * What a processor answers until the host program says otherwise: all that kernel and host processor can give, without
 * the kernel's own paravirtual leaves and without x2APIC, neither of which version 12 had.
 * @param fd The system's file descriptor.
 * @returns `struct kvm_cpuid2`.
 */
export function cpuModel(libc: Libc, fd: number): Uint8Array {
  const all = new Uint8Array(CPUID2.headerSize + MOST_CPUID_ENTRIES * CPUID2.entrySize);
  const view = new DataView(all.buffer);
  view.setUint32(0, MOST_CPUID_ENTRIES, true);
  libc.ioctlBytes(fd, KVM_GET_SUPPORTED_CPUID, all, "get the CPUID leaves of the host");
  const count = view.getUint32(0, true);
  let kept = 0;
  for (let n = 0; n < count; n++) {
    const from = CPUID2.headerSize + n * CPUID2.entrySize;
    const leaf = view.getUint32(from + CPUID2.function, true);
    if (leaf >>> 28 === 4) continue;
    if (leaf === 1) {
      view.setUint32(from + CPUID2.ecx, view.getUint32(from + CPUID2.ecx, true) & ~X2APIC, true);
    }
    all.copyWithin(CPUID2.headerSize + kept * CPUID2.entrySize, from, from + CPUID2.entrySize);
    kept++;
  }
  view.setUint32(0, kept, true);
  return all.slice(0, CPUID2.headerSize + kept * CPUID2.entrySize);
}

/**
 * Adds the leaves that the kernel would answer otherwise than version 12, where a missing leaf answers as the highest
 * given one of its half, or zeros where the half is empty.
 * @param entries Consecutive `struct kvm_cpuid_entry`.
 * @returns Consecutive `struct kvm_cpuid_entry`; those given come first.
 */
export function fillCpuid(entries: Uint8Array): Uint8Array {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const given = new Map<number, number>();
  for (let at = 0; at + ENTRY <= entries.length; at += ENTRY) {
    const leaf = view.getUint32(at, true);
    if (!given.has(leaf)) given.set(leaf, at);
  }
  const added: Uint8Array[] = [];
  for (const half of [0, 0x80000000]) {
    const leaves = [...given.keys()].filter((leaf) => (leaf & 0x80000000) === (half | 0));
    const highest = leaves.length === 0 ? undefined : given.get(Math.max(...leaves))!;
    for (let leaf = half; leaf < half + FILLED_LEAVES; leaf++) {
      if (given.has(leaf) || UNFILLED.has(leaf)) continue;
      const entry = highest === undefined ? new Uint8Array(ENTRY) : entries.slice(highest, highest + ENTRY);
      new DataView(entry.buffer).setUint32(0, leaf, true);
      added.push(entry);
    }
  }
  const all = new Uint8Array(entries.length + added.length * ENTRY);
  all.set(entries);
  added.forEach((entry, n) => all.set(entry, entries.length + n * ENTRY));
  return all;
}

/**
 * KVM_SET_CPUID.
 * @param fd The vCPU.
 * @param entries Consecutive `struct kvm_cpuid_entry`.
 * @throws KvmError what the kernel answers: EINVAL after the first KVM_RUN, unless nothing changes.
 */
export function setCpuid(libc: Libc, fd: number, entries: Uint8Array): void {
  const filled = fillCpuid(entries);
  const argument = new Uint8Array(HEADER + filled.length);
  new DataView(argument.buffer).setUint32(0, filled.length / ENTRY, true);
  argument.set(filled, HEADER);
  libc.ioctlBytes(fd, KVM_SET_CPUID, argument, "set CPUID (the kernel takes it only before the first KVM_RUN)");
}
