/**
 * From measurements to what is printed: ratios, means, the worst ratios, and tables.
 * @module
 */

import { EXECUTOR_ABOUT, type ExecutorName } from "./executors.ts";
import type { ExitRate } from "./exits.ts";
import { type Machine, machineLine } from "./machine.ts";
import type { Cell, GuestResult } from "./measure.ts";
import { geometricMean } from "./statistics.ts";
import { renderMarkdown, renderText, type Table } from "./table.ts";

/** All that was measured. */
export interface Report {
  /** Where. */
  readonly machine: Machine;
  /** Runs of each guest on each executor. */
  readonly rounds: number;
  /** Whether guests did their short form. */
  readonly quick: boolean;
  /** Who took part, in the order of the columns. */
  readonly executors: readonly ExecutorName[];
  /** Why others did not. */
  readonly missing: readonly { readonly executor: ExecutorName; readonly reason: string }[];
  /** The guests. */
  readonly guests: readonly GuestResult[];
  /** Median milliseconds from the start of a process to the guest's first byte. */
  readonly start: Readonly<Partial<Record<ExecutorName, number>>>;
  /** Port exits a second; none: they were not measured. */
  readonly exits: readonly ExitRate[];
  /** Wrong checksums. */
  readonly errors: readonly string[];
  /** Whether the measurement was broken off. */
  readonly interrupted: boolean;
}

/** With whom the software engine is compared. */
export const PEERS = ["tcg", "v86", "native"] as const;

/** Whom the software engine is compared with. */
export type Peer = typeof PEERS[number];

/** The software engine's time divided by a peer's: lower is better. */
export interface Ratio {
  /** The guest with its size. */
  readonly guest: string;
  /** Its size. */
  readonly bits: 32 | 64;
  /** The peer. */
  readonly peer: Peer;
  /** The ratio. */
  readonly ratio: number;
}

/** The geometric mean of ratios. */
export interface Mean {
  /** Which guests. */
  readonly bits: 32 | 64 | "both";
  /** The peer. */
  readonly peer: Peer;
  /** The mean. */
  readonly ratio: number;
  /** Of how many guests. */
  readonly count: number;
}

/** Above this, the software engine is worse than it should be on any guest. */
const BAD_RATIO = 1.2;
const WORST = 10;

/**
 * All ratios to peers that were measured.
 * @param guests What was measured.
 */
export function ratiosOf(guests: readonly GuestResult[]): Ratio[] {
  return guests.flatMap(({ name, bits, cells }) =>
    PEERS.flatMap((peer) => {
      const own = medianOf(cells.soft), other = medianOf(cells[peer]);
      if (own === undefined || other === undefined || other === 0) return [];
      return [{ guest: `${name} ${bits}`, bits, peer, ratio: own / other }];
    })
  );
}

/**
 * The geometric means of ratios, by size and peer; those of nothing are left out.
 * @param ratios The ratios.
 */
export function meansOf(ratios: readonly Ratio[]): Mean[] {
  return ([32, 64, "both"] as const).flatMap((bits) =>
    PEERS.flatMap((peer) => {
      const values = ratios.filter((each) => each.peer === peer && (bits === "both" || each.bits === bits));
      const ratio = geometricMean(values.map((each) => each.ratio));
      return ratio === undefined ? [] : [{ bits, peer, ratio, count: values.length }];
    })
  );
}

/**
 * The worst ratios to other emulators, the worst first.
 * @param ratios The ratios.
 */
export function worstOf(ratios: readonly Ratio[]): Ratio[] {
  return ratios.filter(({ peer }) => peer !== "native").toSorted((a, b) => b.ratio - a.ratio).slice(0, WORST);
}

/**
 * A report for machines: the measurements with ratios and means.
 * @param report The report.
 */
export function renderJson(report: Report): string {
  const ratios = ratiosOf(report.guests);
  return JSON.stringify({ ...report, ratios, means: meansOf(ratios) }, null, 2) + "\n";
}

/**
 * A report for a terminal, or as Markdown for a document.
 * @param report The report.
 * @param format Which.
 */
export function renderReport(report: Report, format: "text" | "markdown"): string {
  const { guests, executors } = report;
  const isText = format === "text";
  const ratios = ratiosOf(guests);
  const table = isText ? renderText : renderMarkdown;
  const parts = [
    `${machineLine(report.machine)}\n`,
    `Milliseconds of the work, medians of ${report.rounds}${report.quick ? ", short forms" : ""}; ` +
    "soft/NAME is a ratio of times, lower is better for soft.\n" +
    executors.map((name) => (isText ? "  " : "- ") + `${name}: ${EXECUTOR_ABOUT[name]}\n`).join(""),
    table(guestTable(report, ratios)),
  ];
  if (report.exits.length > 0) parts.push(table(exitTable(report.exits)));
  const worst = worstOf(ratios);
  if (worst.length > 0) parts.push(`Worst ratios (!: more than ${BAD_RATIO}):\n\n` + table(worstTable(worst)));
  const notes = notesOf(report);
  if (notes.length > 0) {
    parts.push("Not measured:\n\n" + notes.map((line) => (isText ? "  " : "- ") + `${line}\n`).join(""));
  }
  if (report.interrupted) parts.push("The measurement was broken off.\n");
  return parts.join("\n");
}

/** Guests by executors, with means and start times below. */
export function guestTable(report: Report, ratios: readonly Ratio[]): Table {
  const { guests, executors, start } = report;
  const means = meansOf(ratios);
  const peers = PEERS.filter((peer) => ratios.some((each) => each.peer === peer));
  const rows = guests.toSorted((a, b) => a.bits - b.bits).map(({ name, bits, cells }) => {
    const guest = `${name} ${bits}`;
    const ratioTo = (peer: Peer): number | undefined =>
      ratios.find((each) => each.guest === guest && each.peer === peer)?.ratio;
    return [guest, ...executors.map((e) => milliseconds(medianOf(cells[e]))), ...peers.map((p) => ratio(ratioTo(p)))];
  });
  for (const bits of [32, 64, "both"] as const) {
    const mean = (peer: Peer): Mean | undefined => means.find((each) => each.bits === bits && each.peer === peer);
    const cells = peers.map((peer) => mean(peer)).map((each) => each ? `${ratio(each.ratio)} (${each.count})` : "-");
    const label = `geometric mean (guests), ${bits === "both" ? bits : `${bits}-bit`}`;
    if (cells.some((cell) => cell !== "-")) rows.push([label, ...executors.map(() => ""), ...cells]);
  }
  const blank = peers.map(() => "");
  rows.push(["process start to first byte", ...executors.map((e) => milliseconds(start[e])), ...blank]);
  return { header: ["guest", ...executors, ...peers.map((peer) => `soft/${peer}`)], rows };
}

function exitTable(exits: readonly ExitRate[]): Table {
  const rows = exits.map((each) => [each.name, "perSecond" in each ? (each.perSecond / 1000).toFixed(0) : "-"]);
  return { header: ["port exits", "thousands a second"], rows };
}

function worstTable(worst: readonly Ratio[]): Table {
  const rows = worst.map(({ guest, peer, ratio: value }) => [
    guest,
    peer,
    ratio(value) + (value > BAD_RATIO ? " !" : ""),
  ]);
  return { header: ["guest", "peer", "ratio"], rows };
}

/** Why cells are empty, each reason once with its guests. */
function notesOf({ missing, guests, executors, exits }: Report): string[] {
  const notes = missing.map(({ executor, reason }) => `${executor}: ${reason}`);
  for (const executor of executors) {
    const byReason = new Map<string, string[]>();
    for (const { name, bits, cells } of guests) {
      const cell = cells[executor];
      if (cell === undefined || !("reason" in cell)) continue;
      const reason = cell.reason.replace(/, rip=.*/, ""); // where it happens differs by guest
      byReason.set(reason, [...byReason.get(reason) ?? [], `${name}${bits}`]);
    }
    for (const [reason, names] of byReason) notes.push(`${executor}: ${reason}: ${names.join(", ")}`);
  }
  for (const each of exits) if ("reason" in each) notes.push(`port exits, ${each.name}: ${each.reason}`);
  return notes;
}

function medianOf(cell: Cell | undefined): number | undefined {
  return cell !== undefined && "median" in cell ? cell.median : undefined;
}

/** Milliseconds for people. */
export function milliseconds(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(value < 10 ? 1 : 0);
}

function ratio(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(2);
}
