/**
 * One suite of small cases for every ioctl and exit, on every executor: the software engine's interpreter, its translator,
 * and the real device. On the real device, cases that it cannot do are skipped with the reason in their name; where there is
 * no device, all of its cases are.
 */

import { assert, assertEquals } from "@std/assert";
import { IOCTLS, KVM_EXIT_NAMES } from "../mod.ts";
import { examine, type ExecutorName, EXECUTORS, runCase, skipReason } from "./conformance/executors.ts";
import { type Case, type Listing, LISTINGS } from "./conformance/harness.ts";
import { Remote } from "./conformance/remote.ts";
import { listedCases, NEVER, PAGE_URL } from "./conformance/report.ts";
import { CASES, CHAPTERS, exitsOf, ioctlsOf } from "./conformance/suite.ts";

/** The name of a case's test. */
function title(executor: ExecutorName, { name }: Case, why: string | null): string {
  return why === null ? `${executor}: ${name}` : `${executor}: ${name} (skipped: ${why})`;
}

const remotes: readonly Remote[] = EXECUTORS.filter((executor) => executor !== "kvm").map((executor) => {
  const remote = new Remote(executor);
  const limits = examine(executor);
  for (const each of CASES) {
    const why = skipReason(limits, each);
    // The worker outlives its first case, and so does what waits for its messages.
    Deno.test({
      name: title(executor, each, why),
      ignore: why !== null,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: () => remote.run(each.name),
    });
  }
  return remote;
});

{
  const limits = examine("kvm");
  for (const each of CASES) {
    const why = skipReason(limits, each);
    Deno.test({
      name: title("kvm", each, why),
      ignore: why !== null,
      fn: () => runCase("kvm", each),
    });
  }
}

Deno.test("CASES have names of their own and cover each ioctl and each exit", () => {
  assertEquals(new Set(CASES.map(({ name }) => name)).size, CASES.length);
  assert(CASES.length >= 260, `${CASES.length} cases`);
  const ioctls = new Set(CASES.flatMap(ioctlsOf));
  assertEquals(IOCTLS.map(({ name }) => name).filter((name) => !ioctls.has(name)), []);
  const exits = new Set(CASES.flatMap(exitsOf));
  assertEquals(KVM_EXIT_NAMES.filter((name) => !exits.has(name) && !NEVER.has(name)), []);
});

Deno.test("docs/conformance.md lists exactly the existing cases, and counts them right", () => {
  const { chapters, counts } = listedCases(Deno.readTextFileSync(PAGE_URL));
  assertEquals(chapters, CHAPTERS.map(({ title, cases }) => ({ title, cases: cases.map(({ name }) => name) })));
  for (const { name } of IOCTLS) {
    assertEquals(counts.get(name), CASES.filter((each) => ioctlsOf(each).includes(name)).length, name);
  }
  for (const name of KVM_EXIT_NAMES) {
    assertEquals(counts.get(name), CASES.filter((each) => exitsOf(each).includes(name)).length, name);
  }
});

const NASM_ALLOWED = Deno.permissions.querySync({ name: "run", command: "nasm" }).state === "granted" &&
  Deno.permissions.querySync({ name: "write" }).state === "granted";

/** The version of NASM, or null where there is none. */
function nasmVersion(): string | null {
  if (!NASM_ALLOWED) return null;
  try {
    return new TextDecoder().decode(new Deno.Command("nasm", { args: ["-v"] }).outputSync().stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const NASM = nasmVersion();

Deno.test({
  name: `code() listings assemble to their bytes${NASM === null ? " (skipped: no NASM, or no --allow-run=nasm)" : ""}`,
  ignore: NASM === null,
  fn: () => {
    const listings = new Map<string, Listing>();
    for (const listing of [...remotes.flatMap((remote) => remote.listings), ...LISTINGS]) {
      listings.set(`${listing.bits} ${listing.source} ${listing.bytes}`, listing);
    }
    // One run for all: each listing is a section of its own, at the same address, with labels of its own.
    const all = [...listings.values()];
    const sections = all.map(({ source, bits }, n) => {
      const labels = [...source.matchAll(/^(\w+):$/gm)].map(([, label]) => label);
      const own = labels.reduce(
        (text, label) => text.replaceAll(new RegExp(`\\b${label}\\b`, "g"), `${label}_${n}`),
        source,
      );
      const place = n === 0 ? "start=0" : `follows=.s${n - 1}`;
      return `section .s${n} ${place} vstart=0x1000 align=1\nbits ${bits}\n${own}\n`;
    });
    const folder = Deno.makeTempDirSync();
    try {
      Deno.writeTextFileSync(`${folder}/guests.asm`, sections.join(""));
      const args = ["-f", "bin", "-o", `${folder}/guests.bin`, `${folder}/guests.asm`];
      const { success, stderr } = new Deno.Command("nasm", { args }).outputSync();
      assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
      const image = Deno.readFileSync(`${folder}/guests.bin`);
      let at = 0;
      for (const { source, bytes } of all) assertEquals(image.subarray(at, at += bytes.length), bytes, source);
      assertEquals(at, image.length);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

// The last test: what is shared by those before it goes.
Deno.test({
  name: "Remote.stop() ends the workers",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () => {
    for (const remote of remotes) remote.stop();
  },
});
