/**
 * The control-flow graph of a region: which records belong to it, in which blocks, and in which order WebAssembly's
 * structured control flow can nest them. Built from the records that the interpreter has run, so a branch that was never
 * taken leads out of the region.
 *
 * Structuring follows the dominator tree, as in Ramsey, "Beyond Relooper" (ICFP 2022). The target of an edge that would
 * make the graph irreducible is reached through a block around everything, the dispatch.
 * @module
 */

/** What the graph asks about a record. */
export interface RecordInfo {
  /**
   * "plain" falls through, "branch" also goes to `target`, "jump" and "call" only there, "return" goes where a call says,
   * "end" elsewhere, "next" is no instruction, "leave" is not part of a region.
   */
  readonly kind: "plain" | "branch" | "jump" | "call" | "return" | "end" | "next" | "leave";
  /** Target of a branch, jump or call, or where a "next" leads; 0 if it is not known. */
  readonly target: number;
  /** Where an absolute jump or call ("end", "call") has led. */
  readonly targets?: readonly number[];
}

/** A basic block. */
export interface Block {
  /** Address of its first record. */
  readonly start: number;
  /** Records to emit, in order. */
  readonly records: number[];
  /** How it ends: the last record branches, or the path goes on at `exit`; "dispatch" leads to the selected target. */
  readonly last: RecordInfo["kind"] | "dispatch";
  /** The target that it selects before it goes on to the dispatch; else null. */
  selects: Block | null;
  /** Block that the branch goes to; null outside. */
  taken: Block | null;
  /** Block that follows; null outside or nowhere. */
  following: Block | null;
  /** Blocks that an absolute jump at its end may lead to; of a return, those behind calls. */
  readonly targets: Block[];
  /** First blocks of the loops within that it goes on to first, where the region is entered there or further inside. */
  readonly resumes: Block[];
  /** If the region can be entered here, at a loop, that loop's number, from 1 on; else 0. */
  number: number;
  /** The numbers of the loops at which it can be entered, from this one on inwards. */
  firstNumber: number;
  lastNumber: number;
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
  /** The blocks of the loop that it begins; null if no edge comes back to it. */
  loop: Set<Block> | null;
  /** The loop behind whose end its code stands, so that the loop has only what it repeats; null: where it is branched to. */
  behind: Block | null;
}

function newBlock(start: number, records: number[], last: Block["last"], exit: number): Block {
  const links = { selects: null, taken: null, following: null, dominator: null };
  return {
    start,
    records,
    last,
    ...links,
    targets: [],
    resumes: [],
    number: 0,
    firstNumber: 0,
    lastNumber: 0,
    exit,
    order: 0,
    children: [],
    forward: 0,
    loop: null,
    behind: null,
  };
}

/** A graph of one instruction. */
export function singleBlock(record: number): Block {
  return newBlock(record, [record], "plain", record);
}

/** Most places that a return is compared with. */
const RETURNS_MAX = 6;
/** Most instructions in a region. */
const REGION_MAX = 500;

/**
 * The blocks of the region entered at `entry`, in reverse postorder.
 * @param size The address of the next record is that much higher.
 * @param near Whether the dispatch may lead to a record.
 */
export function regionGraph(
  entry: number,
  size: number,
  info: (record: number) => RecordInfo,
  near: (record: number) => boolean = () => true,
): Block[] {
  const leaders = new Set<number>([entry]), seen = new Map<number, RecordInfo>();
  // A function is followed to its ends before those that it calls.
  const work = [entry], called: number[] = [];
  while (work.length || called.length) {
    let r = (work.pop() ?? called.shift())!;
    while (!seen.has(r) && seen.size < REGION_MAX) {
      const i = info(r);
      seen.set(r, i);
      if (i.kind === "leave" || i.kind === "return") break;
      if (i.kind !== "plain") {
        for (const t of i.targets ?? []) {
          leaders.add(t);
          (i.kind === "call" ? called : work).push(t);
        }
        if (i.target) {
          leaders.add(i.target);
          (i.kind === "call" ? called : work).push(i.target);
        }
        if (i.kind === "call") {
          const site = returnSite(r + size, info);
          leaders.add(site);
          work.push(site);
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
      if (i.kind !== "plain" && i.kind !== "branch") break;
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
    if (i && (i.kind === "branch" || i.kind === "jump" || i.kind === "call")) b.taken = blocks.get(i.target) ?? null;
    for (const t of i?.targets ?? []) {
      const target = blocks.get(t);
      if (target) b.targets.push(target);
    }
    // A "next" that leads nowhere known stands for itself.
    if (b.exit && b.exit !== b.start) b.following = blocks.get(b.exit) ?? null;
  }
  for (const b of blocks.values()) {
    if (b.last !== "call") continue;
    const site = blocks.get(returnSite(b.records[b.records.length - 1] + size, info));
    if (!site) continue;
    for (const callee of b.taken ? [b.taken, ...b.targets] : b.targets) {
      connectReturns(callee, site, (call) => blocks.get(returnSite(call + size, info)));
    }
  }
  const root = blocks.get(entry);
  return root ? structure(root, near) : [];
}

/** Where a call returns to: the record behind it, or the one that a "next" there leads to. */
function returnSite(behind: number, info: (record: number) => RecordInfo): number {
  const i = info(behind);
  return i.kind === "next" && i.target ? i.target : behind;
}

/** Leads the returns of the function that begins at `callee` to `site`. */
function connectReturns(callee: Block, site: Block, behind: (call: number) => Block | undefined): void {
  const seen = new Set<Block>([callee]);
  for (const b of seen) {
    if (b.last === "return") {
      if (!b.targets.includes(site) && b.targets.length < RETURNS_MAX) b.targets.push(site);
      continue;
    }
    const after = b.last === "call" ? [behind(b.records[b.records.length - 1])] : successors(b);
    for (const s of after) if (s) seen.add(s);
  }
}

/** An edge back to a block that does not dominate its source. */
interface Cut {
  readonly to: Block;
  /** Puts another edge in its place. */
  lead(to: Block): void;
}

/** How often edges are looked for that became irreducible by leading others through the dispatch. */
const DISPATCH_ROUNDS = 8;

/** Numbers the blocks, finds dominators, loops and merges; leads edges that are not reducible through a dispatch. */
function structure(entry: Block, near: (record: number) => boolean): Block[] {
  let root = entry, { order, cuts } = arrange(root);
  for (let n = 0; n < DISPATCH_ROUNDS; n++) {
    const useful = cuts.filter(({ to }) => to.last !== "dispatch" && near(to.start));
    if (useful.length === 0) break;
    if (root === entry) {
      root = newBlock(entry.start, [], "dispatch", 0);
      root.targets.push(entry);
    }
    for (const { to, lead } of useful) {
      if (!root.targets.includes(to)) root.targets.push(to);
      const stub = newBlock(to.start, [], "plain", 0);
      stub.selects = to;
      stub.following = root;
      lead(stub);
    }
    ({ order, cuts } = arrange(root));
  }
  const first = splitLoops(order) ?? order[0];
  ({ order } = arrange(first));
  if (addResumes(order, near)) ({ order } = arrange(first));
  for (const b of order) {
    for (const s of successors(b)) {
      if (isBack(b, s)) s.loop = naturalLoop(s, [b], order, s.loop ?? undefined);
      else s.forward++;
    }
  }
  for (const b of order) {
    if (b === order[0]) continue;
    const d = b.dominator!;
    d.children.push(b);
    for (let h = d;; h = h.dominator!) {
      if (h.loop?.has(d) && !h.loop.has(b)) b.behind = h;
      if (h.dominator === h) break;
    }
  }
  return order;
}

/** Numbers the blocks in reverse postorder, finds their dominators, and cuts edges back that are no loop's. */
function arrange(root: Block): { order: Block[]; cuts: Cut[] } {
  const order: Block[] = [];
  const visited = new Set<Block>();
  const visit = (b: Block): void => {
    visited.add(b);
    for (const s of successors(b).reverse()) if (!visited.has(s)) visit(s);
    order.push(b);
  };
  visit(root);
  order.reverse();
  order.forEach((b, i) => {
    b.order = i;
    b.dominator = null;
  });
  const predecessors = predecessorsIn(order);
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
  const cuts: Cut[] = [];
  for (const b of order) {
    for (const to of successors(b)) {
      if (!isBack(b, to) || dominates(to, b)) continue;
      const which = b.taken === to ? "taken" : b.following === to ? "following" : null;
      if (which) b[which] = null;
      else b.targets.splice(b.targets.indexOf(to), 1);
      cuts.push({ to, lead: (stub) => which ? b[which] = stub : b.targets.push(stub) });
    }
  }
  return { order, cuts };
}

function predecessorsIn(order: readonly Block[]): Map<Block, Block[]> {
  const predecessors = new Map<Block, Block[]>(order.map((b) => [b, []]));
  for (const b of order) for (const s of successors(b)) predecessors.get(s)!.push(b);
  return predecessors;
}

/** The blocks from which the edges back to `header` can be reached without passing it. */
function naturalLoop(
  header: Block,
  latches: readonly Block[],
  order: readonly Block[],
  loop: Set<Block> = new Set([header]),
): Set<Block> {
  const predecessors = predecessorsIn(order), work = latches.filter((l) => !loop.has(l));
  for (const l of work) loop.add(l);
  while (work.length) {
    for (const p of predecessors.get(work.pop()!)!) {
      if (loop.has(p)) continue;
      loop.add(p);
      work.push(p);
    }
  }
  return loop;
}

/**
 * Gives an inner loop that begins where an outer one does a beginning of its own: else the inner one would carry all that
 * the outer one changes.
 * @returns the first block, which may be new; null if nothing was split.
 */
function splitLoops(order: readonly Block[]): Block | null {
  const nested: [header: Block, inner: Set<Block>][] = [];
  for (const header of order) {
    if (header.last === "dispatch") continue;
    const latches = order.filter((b) => isBack(b, header) && successors(b).includes(header));
    const loops = latches.map((l) => naturalLoop(header, [l], order)).sort((a, b) => a.size - b.size);
    if (loops.length > 1 && loops[0].size * 2 <= loops[loops.length - 1].size) nested.push([header, loops[0]]);
  }
  let root = order[0];
  for (const [header, inner] of nested) {
    const outer = newBlock(header.start, [], "plain", header.start);
    for (const b of order) {
      if (inner.has(b) && isBack(b, header)) continue;
      if (b.taken === header) b.taken = outer;
      if (b.following === header) b.following = outer;
      b.targets.forEach((t, i) => t === header && (b.targets[i] = outer));
      if (b.selects === header) b.selects = outer;
    }
    outer.following = header;
    if (root === header) root = outer;
  }
  return nested.length ? root : null;
}

/** Lets each loop lead to those within it first, so that the region can be entered where any of them begins; false: there are none. */
function addResumes(order: readonly Block[], near: (record: number) => boolean): boolean {
  const loops = new Map<Block, Set<Block>>();
  for (const b of order) {
    for (const s of successors(b)) if (isBack(b, s)) loops.set(s, naturalLoop(s, [b], order, loops.get(s)));
  }
  const root = order[0], inside = new Map<Block, Block[]>([[root, []]]);
  for (const header of loops.keys()) inside.set(header, []);
  for (const header of loops.keys()) {
    if (header === root) continue;
    let parent = root, size = Infinity;
    for (const [other, blocks] of loops) {
      if (other !== header && blocks.has(header) && blocks.size < size) [parent, size] = [other, blocks.size];
    }
    inside.get(parent)!.push(header);
  }
  let number = 0;
  const visit = (header: Block): boolean => {
    if (!near(header.start)) return false;
    const before = number;
    // What only begins a loop that was split off has the same first record as the loop within.
    if (header !== root && header.records.length && !root.targets.includes(header)) number++;
    header.number = number > before ? number : 0;
    header.firstNumber = before + 1;
    for (const inner of inside.get(header)!) if (visit(inner)) header.resumes.push(inner);
    header.lastNumber = number;
    return number > before;
  };
  return visit(root);
}

/** The blocks, other than the first, with which a region can begin as well. */
export function otherEntries(blocks: readonly Block[]): Block[] {
  const targets = blocks[0].last === "dispatch" ? blocks[0].targets.slice(1) : [];
  return [...targets.filter((b) => b.records[0] === b.start), ...blocks.filter((b) => b.number > 0)];
}

/** Where a block may lead within the region. */
export function successors(b: Block): Block[] {
  return [b.taken, b.following, ...b.targets, ...b.resumes].filter((s): s is Block => s !== null);
}

/** Whether the edge goes back, to a block at or before its source. */
export function isBack(from: Block, to: Block): boolean {
  return to.order <= from.order;
}

function dominates(a: Block, b: Block): boolean {
  for (let d = b;; d = d.dominator!) {
    if (d === a) return true;
    if (d.dominator === d) return false;
  }
}

function common(a: Block, b: Block): Block {
  while (a !== b) {
    while (a.order > b.order) a = a.dominator!;
    while (b.order > a.order) b = b.dominator!;
  }
  return a;
}
