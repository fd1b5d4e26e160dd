/**
 * What `--stats` prints.
 * @module
 */

import type { Machine } from "../machine/machine.ts";
import type { RegionOption } from "./options.ts";
import type { RunRecord } from "../machine/run_loop.ts";
import { EXIT_NAMES } from "./trace.ts";
import { PAGE_SIZE, type VcpuExit } from "../mod.ts";

/**
 * Times and counts of a run.
 * @param regions Its memory.
 * @param machine Where; the dirty logs of its regions are fetched.
 * @param record What happened.
 * @param sent How many bytes the guest sent on COM1.
 * @returns Lines, each with its end.
 */
export function statsText(regions: readonly RegionOption[], machine: Machine, record: RunRecord, sent: number): string {
  const total = record.exits.reduce((sum, count) => sum + count, 0);
  const kinds = record.exits.flatMap((count, reason) =>
    count === 0 ? [] : [`${EXIT_NAMES[reason as VcpuExit["reason"]].replace("KVM_EXIT_", "")} ${count}`]
  );
  const lines = [
    `backend: ${machine.kvm.backend}`,
    `time: ${(record.milliseconds / 1000).toFixed(6)} s`,
    `exits: ${total}${total === 0 ? "" : ` (${kinds.join(", ")})`}`,
    `COM1: ${sent} bytes sent`,
  ];
  for (const { slot, size, logDirty } of regions) {
    if (!logDirty) continue;
    const pages = machine.vm.getDirtyLog(slot).reduce((sum, byte) => sum + ones(byte), 0);
    lines.push(`slot ${slot}: ${pages} of ${size / PAGE_SIZE} pages dirty`);
  }
  return lines.map((line) => `kvm12: ${line}\n`).join("");
}

function ones(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
}
