/**
 * Runs all cases on each executor and writes `docs/conformance.md`: tables by ioctl, by exit, and of all cases. The page is
 * the same whenever it is made, apart from what the real device at hand can do.
 *
 * `deno run --allow-read --allow-write=docs/conformance.md --allow-ffi tests/conformance/report.ts`
 * @module
 */

import { IOCTLS, KVM_EXIT_NAMES } from "../../mod.ts";
import { examine, type ExecutorName, EXECUTORS, type Limits, type Outcome, runCase, skipReason } from "./executors.ts";
import type { Case } from "./harness.ts";
import { CASES, CHAPTERS, exitsOf, ioctlsOf } from "./suite.ts";

/** Where the page is. */
export const PAGE_URL: URL = new URL("../../docs/conformance.md", import.meta.url);

/** Exits without cases, and why there are none. */
export const NEVER: ReadonlyMap<string, string> = new Map([
  ["KVM_EXIT_EXCEPTION", "no call of version 12 asks for it"],
]);

/** How each case went on one executor, by its name. */
type Results = ReadonlyMap<string, Outcome>;

/** How all cases went. */
export type Report = ReadonlyMap<ExecutorName, Results>;

/** Runs one case where it can be run. */
function tryCase(executor: ExecutorName, limits: Limits, each: Case): Outcome {
  const reason = skipReason(limits, each);
  if (reason !== null) return { result: "skipped", reason };
  try {
    runCase(executor, each);
    return { result: "passed" };
  } catch (error) {
    const [first] = (error instanceof Error ? error.message : String(error)).trim().split("\n");
    return { result: "failed", message: first };
  }
}

/** Runs all cases on all executors. */
export function runAll(): Report {
  return new Map(EXECUTORS.map((executor) => {
    const limits = examine(executor);
    return [executor, new Map(CASES.map((each) => [each.name, tryCase(executor, limits, each)]))];
  }));
}

/** A cell's text: what would end the cell or begin markup is written as itself. */
function cell(text: string): string {
  return text.replaceAll(/[|<>*_`]/g, (character) => `\\${character}`);
}

/** "12 passed, 2 skipped". */
function summary(cases: readonly Case[], results: Results): string {
  const of = (result: Outcome["result"]) => cases.filter(({ name }) => results.get(name)!.result === result).length;
  const parts = (["passed", "skipped", "failed"] as const).map((result) => [of(result), result] as const);
  return parts.filter(([count]) => count > 0).map(([count, result]) => `${count} ${result}`).join(", ") || "none";
}

/** A table of how many cases each of `names` has, and how they went. */
function countTable(head: string, names: readonly string[], of: (each: Case) => string[], report: Report): string[] {
  return [
    `| ${head} | cases | ${EXECUTORS.join(" | ")} |`,
    `| --- | --- |${" --- |".repeat(EXECUTORS.length)}`,
    ...names.map((name) => {
      const cases = CASES.filter((each) => of(each).includes(name));
      const never = NEVER.get(name);
      const cells = EXECUTORS.map((executor) => never ?? summary(cases, report.get(executor)!));
      return `| \`${name}\` | ${cases.length} | ${cells.join(" | ")} |`;
    }),
  ];
}

/** The page. */
export function renderPage(report: Report): string {
  const reasons: string[] = [];
  /** The number of a reason for skipping, from 1 on. */
  const numberOf = (reason: string): number => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  };
  const show = (outcome: Outcome): string => {
    switch (outcome.result) {
      case "passed":
        return "passed";
      case "skipped":
        return `skipped (${numberOf(outcome.reason)})`;
      case "failed":
        return `failed: ${cell(outcome.message)}`;
    }
  };
  const chapters = CHAPTERS.flatMap(({ title, cases }) => [
    `### ${title}`,
    "",
    `| case | ${EXECUTORS.join(" | ")} |`,
    `| --- |${" --- |".repeat(EXECUTORS.length)}`,
    ...cases.map(({ name }) => {
      const cells = EXECUTORS.map((executor) => show(report.get(executor)!.get(name)!));
      return `| ${cell(name)} | ${cells.join(" | ")} |`;
    }),
    "",
  ]);
  return [
    "# Conformance",
    "",
    "Every ioctl and exit of API version 12, case by case: the software engine's interpreter, its translator (everything",
    "translated before it first runs), and the real `/dev/kvm`. `tests/conformance/report.ts` wrote this page; the same cases",
    "are tests in `tests/conformance_test.ts`.",
    "",
    `There are ${CASES.length} cases. ${
      EXECUTORS.map((executor) => `On ${executor}: ${summary(CASES, report.get(executor)!)}.`).join(" ")
    }`,
    "",
    "What the real device cannot do depends on the machine and its kernel: it is found out by trying, and such cases are",
    "skipped; so are those of the software engine's that it is known to fail. The reasons here were:",
    "",
    ...reasons.map((reason, n) => `${n + 1}. ${reason}`),
    ...(reasons.length === 0 ? ["none"] : []),
    "",
    "## By ioctl",
    "",
    "A case counts for each call that its name gives.",
    "",
    ...countTable("ioctl", IOCTLS.map(({ name }) => name), ioctlsOf, report),
    "",
    "## By exit",
    "",
    ...countTable("exit", KVM_EXIT_NAMES, exitsOf, report),
    "",
    "## All cases",
    "",
    ...chapters,
  ].join("\n");
}

/** What {@linkcode renderPage} listed. */
export interface Listed {
  /** The chapters with the names of their cases. */
  readonly chapters: readonly { readonly title: string; readonly cases: readonly string[] }[];
  /** How many cases each ioctl and each exit has. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Reads back from a page which cases it lists. */
export function listedCases(page: string): Listed {
  const chapters: { title: string; cases: string[] }[] = [];
  const counts = new Map<string, number>();
  for (const line of page.split("\n")) {
    const count = /^\| `(\w+)` \| (\d+) \|/.exec(line);
    if (count !== null) counts.set(count[1], Number(count[2]));
    else if (line.startsWith("### ")) chapters.push({ title: line.slice(4), cases: [] });
    else if (line.startsWith("| ") && !/^\| (case|---|ioctl|exit) /.test(line)) {
      const [name] = line.slice(2).split(/(?<!\\) \| /);
      chapters.at(-1)?.cases.push(name.replaceAll(/\\(.)/g, "$1"));
    }
  }
  return { chapters, counts };
}

if (import.meta.main) {
  const report = runAll();
  Deno.writeTextFileSync(PAGE_URL, renderPage(report));
  for (const executor of EXECUTORS) {
    const results = report.get(executor)!;
    console.log(`${executor}: ${summary(CASES, results)}`);
    for (const [name, outcome] of results) {
      if (outcome.result === "failed") console.log(`  ${name}: ${outcome.message}`);
    }
  }
}
