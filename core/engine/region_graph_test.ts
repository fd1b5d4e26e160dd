import { assert, assertEquals } from "@std/assert";
import { type Block, isBack, otherEntries, type RecordInfo, regionGraph, singleBlock } from "./region_graph.ts";

/** The step between records. */
const SIZE = 10;

/** A program: what stands at each record; what is not named is plain. A branch, jump or next is followed by its target. */
type Program = Readonly<Record<number, readonly [kind: RecordInfo["kind"], target?: number]>>;

function graph(entry: number, program: Program, last: number): Block[] {
  return regionGraph(entry, SIZE, (record) => {
    if (record > last) return { kind: "leave", target: 0 };
    const [kind, target] = program[record] ?? ["plain"];
    return { kind, target: target ?? 0 };
  });
}

/** The blocks as a text of one line each, so that a test can be read. */
function show(blocks: readonly Block[]): string[] {
  return blocks.map((b) => {
    const parts = [`${b.start}: ${b.records.join(" ") || "-"} ${b.last}`];
    if (b.taken) parts.push(`taken ${b.taken.start}`);
    if (b.following) parts.push(`following ${b.following.start}`);
    else if (b.exit) parts.push(`exit ${b.exit}`);
    if (b.loop) parts.push(b.number ? `loop ${b.number}` : "loop");
    if (b.resumes.length) parts.push(`first ${b.resumes.map((c) => `${c.firstNumber}-${c.lastNumber}`).join(" ")}`);
    if (b.forward > 1) parts.push(`merge of ${b.forward}`);
    if (b.children.length) parts.push(`dominates ${b.children.map((c) => c.start).join(" ")}`);
    return parts.join(", ");
  });
}

function assertStructured(blocks: readonly Block[]): void {
  blocks.forEach((b, i) => {
    assertEquals(b.order, i);
    for (const s of [b.taken, b.following]) {
      if (!s) continue;
      let d = b;
      while (d !== s && d.dominator !== d) d = d.dominator!;
      if (isBack(b, s)) assert(d === s, `${b.start} goes back to ${s.start}, which does not dominate it`);
      let up = b;
      while (up !== s.dominator && up.dominator !== up) up = up.dominator!;
      if (s !== blocks[0]) assert(up === s.dominator, `${s.start}'s dominator is not above ${b.start}`);
    }
  });
}

Deno.test("regionGraph() straight code is one block that goes on outside", () => {
  assertEquals(show(graph(10, {}, 30)), ["10: 10 20 30 plain, exit 40"]);
});

Deno.test("regionGraph() an end leaves nothing to follow", () => {
  assertEquals(show(graph(10, { 20: ["end"] }, 90)), ["10: 10 20 end"]);
});

Deno.test("regionGraph() what cannot be translated at the entry gives no region", () => {
  assertEquals(graph(10, { 10: ["leave"] }, 90), []);
});

Deno.test("regionGraph() a loop of one block", () => {
  const blocks = graph(10, { 30: ["branch", 20] }, 30);
  assertEquals(show(blocks), [
    "10: 10 plain, following 20, first 1-1, dominates 20",
    "20: 20 30 branch, taken 20, exit 40, loop 1, merge of 2",
  ]);
  assertStructured(blocks);
});

Deno.test("regionGraph() a loop back to the entry", () => {
  const blocks = graph(10, { 30: ["jump", 10] }, 90);
  assertEquals(show(blocks), ["10: 10 20 30 jump, taken 10, loop"]);
  assertStructured(blocks);
});

Deno.test("regionGraph() the two sides of an if merge", () => {
  // 10 branches to 40; 20 and 30 jump over it to 50.
  const blocks = graph(10, { 10: ["branch", 40], 30: ["jump", 50], 60: ["end"] }, 90);
  assertEquals(show(blocks), [
    "10: 10 branch, taken 40, following 20, dominates 40 20 50",
    "40: 40 plain, following 50",
    "20: 20 30 jump, taken 50",
    "50: 50 60 end, merge of 2",
  ]);
  assertStructured(blocks);
});

Deno.test("regionGraph() nested loops", () => {
  const blocks = graph(10, { 40: ["branch", 30], 60: ["branch", 20], 70: ["end"] }, 90);
  assertEquals(show(blocks), [
    "10: 10 plain, following 20, first 1-2, dominates 20",
    "20: 20 plain, following 30, loop 1, first 2-2, merge of 2, dominates 30",
    "30: 30 40 branch, taken 30, following 50, loop 2, merge of 2, dominates 50",
    "50: 50 60 branch, taken 20, following 70, dominates 70",
    "70: 70 end",
  ]);
  assertStructured(blocks);
});

Deno.test("regionGraph() a second way into a loop leads through the dispatch", () => {
  // 10 branches into the middle (30) of the loop 20 … 40.
  const program: Program = { 10: ["branch", 30], 40: ["branch", 20], 50: ["end"] };
  const blocks = graph(10, program, 90), [dispatch] = blocks;
  assertEquals([dispatch.last, dispatch.targets.length, dispatch.targets[0].start], ["dispatch", 2, 10]);
  const [stub] = blocks.filter((b) => b.selects);
  assertEquals([stub.selects, stub.following, isBack(stub, dispatch)], [dispatch.targets[1], dispatch, true]);
  assertEquals(blocks.map((b) => b.last === "branch" && !b.taken), blocks.map(() => false));
  assertStructured(blocks);
  const far = regionGraph(
    10,
    SIZE,
    (r) => ({ kind: program[r]?.[0] ?? "plain", target: program[r]?.[1] ?? 0 }),
    () => false,
  );
  assertEquals(far.filter((b) => b.last === "dispatch" || b.selects), [], "cut where the dispatch may not lead");
  assertStructured(far);
});

Deno.test("regionGraph() a branch whose target is unknown leads out, and the path goes on", () => {
  assertEquals(show(graph(10, { 20: ["branch", 0], 30: ["end"] }, 90)), [
    "10: 10 20 branch, following 30, dominates 30",
    "30: 30 end",
  ]);
});

Deno.test("regionGraph() a next joins runs and is no instruction", () => {
  assertEquals(show(graph(10, { 20: ["next", 100], 110: ["end"] }, 200)), [
    "10: 10 next, following 100, dominates 100",
    "100: 100 110 end",
  ]);
});

Deno.test("regionGraph() a next that leads nowhere known is the exit", () => {
  assertEquals(show(graph(10, { 20: ["next", 0] }, 200)), ["10: 10 next, exit 20"]);
});

Deno.test("regionGraph() a jump to a next that leads nowhere known leaves, and is no loop", () => {
  assertEquals(show(graph(10, { 20: ["jump", 60], 60: ["next", 0] }, 200)), [
    "10: 10 20 jump, taken 60, dominates 60",
    "60: - next, exit 60",
  ]);
});

Deno.test("regionGraph() a call leads to the callee, whose return leads behind the call", () => {
  const blocks = graph(10, { 20: ["call", 60], 30: ["branch", 10], 70: ["return"] }, 200);
  assertEquals(blocks.map((b) => [b.start, b.last, b.taken?.start, b.targets.map((t) => t.start)]), [
    [10, "call", 60, []],
    [60, "return", undefined, [30]],
    [30, "branch", 10, []],
    [40, "plain", undefined, []],
  ]);
});

Deno.test("regionGraph() loops that begin together are split, and what comes behind a loop stands behind it", () => {
  const blocks = graph(10, { 20: ["branch", 10], 40: ["branch", 10], 50: ["end"] }, 200);
  assertEquals(blocks.map((b) => [b.start, b.records.length, b.loop?.size, b.behind?.records.length]), [
    [10, 0, 3, undefined],
    [10, 2, 1, undefined],
    [30, 2, undefined, 2],
    [50, 1, undefined, 0],
  ]);
});

Deno.test("regionGraph() a branch into the middle of a block splits it", () => {
  const blocks = graph(10, { 50: ["branch", 30] }, 50);
  assertEquals(show(blocks), [
    "10: 10 20 plain, following 30, first 1-1, dominates 30",
    "30: 30 40 50 branch, taken 30, exit 60, loop 1, merge of 2",
  ]);
});

Deno.test("regionGraph() what is too long goes on outside", () => {
  const blocks = graph(10, {}, Infinity);
  assertEquals(blocks.length, 1);
  assertEquals(blocks[0].exit, 10 + blocks[0].records.length * SIZE);
  assertEquals(blocks[0].records.length, 500);
});

Deno.test("regionGraph() any program becomes structured", () => {
  let seed = 1;
  const random = (n: number): number => {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    return (seed >>> 8) % n;
  };
  for (let round = 0; round < 500; round++) {
    const length = 3 + random(30), program: Record<number, readonly [RecordInfo["kind"], number]> = {};
    for (let i = 1; i <= length; i++) {
      const kind = (["plain", "plain", "branch", "branch", "jump", "end", "next"] as const)[random(7)];
      program[i * SIZE] = [kind, random(5) === 0 ? 0 : (1 + random(length)) * SIZE];
    }
    const blocks = graph(SIZE, program, length * SIZE);
    assertStructured(blocks);
    const records = blocks.flatMap((b) => b.records);
    assertEquals(new Set(records).size, records.length, "a record is in two blocks");
  }
});

Deno.test("singleBlock() is a block of one record that goes on at it", () => {
  assertEquals(show([singleBlock(40)]), ["40: 40 plain, exit 40"]);
});

Deno.test("otherEntries() are the loops, but for what is on other pages and what only begins an outer loop", () => {
  // 20 begins two loops; 40 one within the larger.
  const program: Program = { 30: ["branch", 20], 50: ["branch", 40], 60: ["branch", 20] };
  const info = (record: number): RecordInfo => {
    const [kind, target] = program[record] ?? ["plain"];
    return record > 70 ? { kind: "leave", target: 0 } : { kind, target: target ?? 0 };
  };
  const entries = (near: (record: number) => boolean) => {
    const blocks = regionGraph(10, SIZE, info, near);
    assertStructured(blocks);
    return otherEntries(blocks).map((b) => [b.start, b.number]);
  };
  assertEquals(entries(() => true), [[20, 1], [40, 2]]);
  assertEquals(entries((record) => record !== 40), [[20, 1]]);
  assertEquals(entries((record) => record !== 20), []);
});
