/**
 * The control-flow graph of a region: which records belong to it, in which blocks, and in which order WebAssembly's
 * structured control flow can nest them. Built from the records that the interpreter has run, so a branch that was never
 * taken leads out of the region.
 *
 * Structuring follows the dominator tree, as in Ramsey, "Beyond Relooper" (ICFP 2022); an edge that would make the graph
 * irreducible leaves the region instead.
 * @module
 */

/** What the graph asks about a record. */
export interface RecordInfo {
  /** "plain" falls through, "branch" also goes to `target`, "leave" is not part of a region. */
  readonly kind: "plain" | "branch" | "jump" | "end" | "next" | "leave";
  /** Target of a branch or jump, or where a "next" leads; 0 if it is not known. */
  readonly target: number;
}

/** A basic block. */
export interface Block {
  /** Address of its first record. */
  readonly start: number;
  /** Records to emit, in order. */
  readonly records: number[];
  /** How it ends: the last record branches, or the path goes on at `fallthrough`. */
  readonly last: RecordInfo["kind"];
  /** Block that the branch goes to; null outside. */
  taken: Block | null;
  /** Block that follows; null outside or nowhere. */
  following: Block | null;
  /** Record where the path goes on when `following` is null and the block does not end in a jump; 0 for none. */
  exit: number;
  /** Place in reverse postorder. */
  order: number;
  /** Immediate dominator. */
  dominator: Block | null;
  /** Blocks that it dominates immediately. */
  readonly children: Block[];
  /** Edges into it from before it in order. */
  forward: number;
  /** Whether an edge comes back to it. */
  loop: boolean;
}

function newBlock(start: number, records: number[], last: RecordInfo["kind"], exit: number): Block {
  const links = { taken: null, following: null, dominator: null };
  return { start, records, last, ...links, exit, order: 0, children: [], forward: 0, loop: false };
}

/** A graph of one instruction. */
export function singleBlock(record: number): Block {
  return newBlock(record, [record], "plain", record);
}

/** Most instructions in a region. */
const REGION_MAX = 300;

/**
 * The blocks of the region entered at `entry`, in reverse postorder.
 * @param record The address of the next record is `record + size`.
 */
export function regionGraph(entry: number, size: number, info: (record: number) => RecordInfo): Block[] {
  const leaders = new Set<number>([entry]), seen = new Map<number, RecordInfo>();
  const work = [entry];
  while (work.length) {
    let r = work.pop()!;
    while (!seen.has(r) && seen.size < REGION_MAX) {
      const i = info(r);
      seen.set(r, i);
      if (i.kind === "leave" || i.kind === "end") break;
      if (i.kind === "branch" || i.kind === "jump" || i.kind === "next") {
        if (i.target) {
          leaders.add(i.target);
          work.push(i.target);
        }
        if (i.kind !== "branch") break;
        leaders.add(r + size);
      }
      r += size;
    }
  }
  const blocks = new Map<number, Block>();
  for (const start of leaders) {
    const first = seen.get(start);
    if (!first || first.kind === "leave") continue;
    const records: number[] = [];
    let r = start, last: RecordInfo["kind"] = "leave", exit = 0;
    for (;;) {
      const i = seen.get(r);
      if (!i || i.kind === "leave" || (r !== start && leaders.has(r))) {
        exit = r;
        break;
      }
      last = i.kind;
      if (i.kind === "next") {
        exit = i.target || r;
        break;
      }
      records.push(r);
      if (i.kind === "end" || i.kind === "jump") break;
      r += size;
      if (i.kind === "branch") {
        exit = r;
        break;
      }
    }
    blocks.set(start, newBlock(start, records, last, exit));
  }
  for (const b of blocks.values()) {
    const end = b.records[b.records.length - 1];
    const i = end === undefined ? undefined : seen.get(end);
    if (i && (i.kind === "branch" || i.kind === "jump")) b.taken = blocks.get(i.target) ?? null;
    if (b.exit) b.following = blocks.get(b.exit) ?? null;
  }
  const root = blocks.get(entry);
  return root ? structure(root) : [];
}

/** Numbers the blocks, finds dominators, loops and merges; cuts edges that are not reducible. */
function structure(root: Block): Block[] {
  const order: Block[] = [];
  const visited = new Set<Block>();
  const visit = (b: Block): void => {
    visited.add(b);
    for (const s of [b.following, b.taken]) if (s && !visited.has(s)) visit(s);
    order.push(b);
  };
  visit(root);
  order.reverse();
  order.forEach((b, i) => b.order = i);
  const predecessors = new Map<Block, Block[]>(order.map((b) => [b, []]));
  for (const b of order) for (const s of successors(b)) predecessors.get(s)!.push(b);
  root.dominator = root;
  for (let changed = true; changed;) {
    changed = false;
    for (const b of order) {
      if (b === root) continue;
      let d: Block | null = null;
      for (const p of predecessors.get(b)!) {
        if (p.dominator) d = d ? common(p, d) : p;
      }
      if (d !== b.dominator) {
        b.dominator = d;
        changed = true;
      }
    }
  }
  for (const b of order) {
    if (b.taken && isBack(b, b.taken)) b.taken = keepBack(b, b.taken);
    if (b.following && isBack(b, b.following)) b.following = keepBack(b, b.following);
  }
  for (const b of order) {
    if (b !== root) b.dominator!.children.push(b);
    for (const s of successors(b)) {
      if (isBack(b, s)) s.loop = true;
      else s.forward++;
    }
  }
  return order;
}

function successors(b: Block): Block[] {
  return [b.taken, b.following].filter((s): s is Block => s !== null);
}

/** Whether the edge goes back, to a block at or before its source. */
export function isBack(from: Block, to: Block): boolean {
  return to.order <= from.order;
}

function keepBack(from: Block, to: Block): Block | null {
  for (let d = from;; d = d.dominator!) {
    if (d === to) return to;
    if (d.dominator === d) return null;
  }
}

function common(a: Block, b: Block): Block {
  while (a !== b) {
    while (a.order > b.order) a = a.dominator!;
    while (b.order > a.order) b = b.dominator!;
  }
  return a;
}
