import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Cell, GuestResult } from "./measure.ts";
import { guestTable, meansOf, ratiosOf, renderJson, renderReport, type Report, worstOf } from "./report.ts";

const cell = (median: number): Cell => ({ median, all: [median] });

function guest(name: string, bits: 32 | 64, cells: GuestResult["cells"]): GuestResult {
  return { name, bits, work: "works", cells };
}

const REPORT: Report = {
  machine: { processor: "Some processor", processors: 2, versions: ["Deno 1", "QEMU 2"] },
  rounds: 3,
  quick: false,
  executors: ["soft", "tcg", "v86"],
  missing: [{ executor: "kvm", reason: "there is no /dev/kvm" }],
  guests: [
    guest("sieve", 32, { soft: cell(50), tcg: cell(100), v86: cell(200) }),
    guest("sieve", 64, { soft: cell(300), tcg: cell(150), v86: { reason: "it has no 64-bit mode" } }),
    guest("lz", 32, { soft: cell(8), tcg: { reason: "not ready after 60 s" }, v86: cell(8) }),
  ],
  start: { soft: 61.4, tcg: 104 },
  exits: [{ name: "soft", perSecond: 1_234_567, all: [1_234_567] }, { name: "kvm", reason: "there is no /dev/kvm" }],
  errors: [],
  interrupted: false,
};

const ratios = ratiosOf(REPORT.guests);

Deno.test("ratiosOf() divides soft by each peer that has a time", () => {
  assertEquals(ratios.map(({ guest, peer, ratio }) => [guest, peer, ratio]), [
    ["sieve 32", "tcg", 0.5],
    ["sieve 32", "v86", 0.25],
    ["sieve 64", "tcg", 2],
    ["lz 32", "v86", 1],
  ]);
});

Deno.test("ratiosOf() has none where a peer's time is too short to be seen", () => {
  assertEquals(ratiosOf([guest("smc", 64, { soft: cell(5), native: cell(0) })]), []);
});

Deno.test("meansOf() takes geometric means by size and peer", () => {
  const means = meansOf(ratios);
  assertEquals(means.map(({ bits, peer, count }) => [bits, peer, count]), [
    [32, "tcg", 1],
    [32, "v86", 2],
    [64, "tcg", 1],
    ["both", "tcg", 2],
    ["both", "v86", 2],
  ]);
  [0.5, 0.5, 2, 1, 0.5].forEach((expected, i) => assertAlmostEquals(means[i].ratio, expected));
});

Deno.test("worstOf() begins with the worst, without native programs", () => {
  const native = { guest: "a 32", bits: 32, peer: "native", ratio: 9 } as const;
  assertEquals(worstOf([native, ...ratios]).map(({ ratio }) => ratio), [2, 1, 0.5, 0.25]);
});

Deno.test("guestTable() has guests by size, means, and start times", () => {
  assertEquals(guestTable(REPORT, ratios), {
    header: ["guest", "soft", "tcg", "v86", "soft/tcg", "soft/v86"],
    rows: [
      ["sieve 32", "50", "100", "200", "0.50", "0.25"],
      ["lz 32", "8.0", "-", "8.0", "-", "1.00"],
      ["sieve 64", "300", "150", "-", "2.00", "-"],
      ["geometric mean (guests), 32-bit", "", "", "", "0.50 (1)", "0.50 (2)"],
      ["geometric mean (guests), 64-bit", "", "", "", "2.00 (1)", "-"],
      ["geometric mean (guests), both", "", "", "", "1.00 (2)", "0.50 (2)"],
      ["process start to first byte", "61", "104", "-", "", ""],
    ],
  });
});

Deno.test("renderReport() says where it was measured, what is bad, and what is missing", () => {
  for (const format of ["text", "markdown"] as const) {
    const text = renderReport(REPORT, format);
    for (
      const part of [
        "Some processor, 2 processors; Deno 1; QEMU 2\n",
        "medians of 3;",
        "2.00 !",
        "kvm: there is no /dev/kvm\n",
        "tcg: not ready after 60 s: lz32\n",
        "1235",
      ]
    ) assert(text.includes(part), `${part} is not in ${text}`);
  }
  assert(renderReport({ ...REPORT, interrupted: true }, "text").includes("broken off"));
});

Deno.test("renderJson() holds the measurements and what follows from them", () => {
  const json = JSON.parse(renderJson(REPORT));
  assertEquals(json.guests[0].cells.tcg, { median: 100, all: [100] });
  assertEquals([json.ratios.length, json.means.length], [4, 5]);
});
