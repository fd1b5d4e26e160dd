import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { KVM_MEM_LOG_DIRTY_PAGES } from "../abi/constants.ts";
import type { ErrnoName } from "../abi/errno.ts";
import { KvmMemoryAlias, KvmMemoryRegion } from "../abi/memory.ts";
import type { BackendMemory } from "./backend.ts";
import { KvmError } from "./kvm_error.ts";
import { KVM_ALIAS_SLOTS, KVM_MEMORY_SLOTS, MemoryMap } from "./memory_map.ts";

const PAGE = 4096n;
const EMPTY: BackendMemory = { bytes: new Uint8Array(0) };

/** A map with another region; its memory is an empty object, as only identity counts here. */
function region(map: MemoryMap, slot: number, gpa: bigint, size: bigint, flags: number = 0): MemoryMap {
  const value = new KvmMemoryRegion({ slot, flags, guest_phys_addr: gpa, memory_size: size });
  return map.withRegion(value, () => ({ ...EMPTY }));
}

function alias(map: MemoryMap, slot: number, gpa: bigint, size: bigint, target: bigint): MemoryMap {
  return map.withAlias(
    new KvmMemoryAlias({ slot, guest_phys_addr: gpa, memory_size: size, target_phys_addr: target }),
  );
}

function refuses(code: ErrnoName, text: string, call: () => unknown): void {
  const error = assertThrows(call, KvmError, text);
  assertEquals(error.code, code);
}

/** The pieces as `[gfn, pages, slot, page]`. */
function pieces(map: MemoryMap): number[][] {
  return map.pieces.map(({ gfn, pages, slot, page }) => [gfn, pages, slot, page]);
}

Deno.test("withRegion() refuses what is not page-aligned", () => {
  refuses("EINVAL", "size 0x1001 is not a multiple", () => region(new MemoryMap(), 0, 0n, 4097n));
  refuses("EINVAL", "address 0x1 is not a multiple", () => region(new MemoryMap(), 0, 1n, PAGE));
});

Deno.test("withRegion() refuses a slot out of range", () => {
  region(new MemoryMap(), KVM_MEMORY_SLOTS - 1, 0n, PAGE);
  refuses("EINVAL", "the slots are 0 to 31", () => region(new MemoryMap(), KVM_MEMORY_SLOTS, 0n, PAGE));
  refuses("EINVAL", "the slots are", () => region(new MemoryMap(), -1, 0n, PAGE));
  refuses("EINVAL", "the slots are", () => region(new MemoryMap(), KVM_MEMORY_SLOTS, 0n, 0n));
});

Deno.test("withRegion() refuses unknown flags", () => {
  refuses("EINVAL", "the flags 0x2", () => region(new MemoryMap(), 0, 0n, PAGE, 2));
  refuses("EINVAL", "the flags 0x80000001", () => region(new MemoryMap(), 0, 0n, PAGE, 0x80000001));
});

Deno.test("withRegion() refuses an address that wraps", () => {
  refuses("EINVAL", "wraps", () => region(new MemoryMap(), 0, (1n << 64n) - PAGE, 2n * PAGE));
  refuses("EINVAL", "wraps", () => region(new MemoryMap(), 0, (1n << 64n) - PAGE, PAGE));
  refuses("EINVAL", "wraps", () => region(new MemoryMap(), 0, PAGE, (1n << 64n) - PAGE));
});

Deno.test("withRegion() takes the last pages below the end and maps what a processor can reach", () => {
  const map = region(new MemoryMap(), 0, (1n << 64n) - 2n * PAGE, PAGE);
  assertEquals(map.pieces.length, 1);
  assertEquals(map.ranges(), []);
  const across = region(new MemoryMap(), 0, (1n << 52n) - PAGE, 2n * PAGE);
  assertEquals(across.ranges().map(({ gpa, size }) => [gpa, size]), [[2 ** 52 - 4096, 4096]]);
});

Deno.test("withRegion() refuses another size for a slot in use", () => {
  const map = region(new MemoryMap(), 3, 0n, 4n * PAGE);
  refuses("EINVAL", "the size of a slot in use cannot change", () => region(map, 3, 0n, 5n * PAGE));
  refuses("EINVAL", "the size of a slot in use cannot change", () => region(map, 3, 0n, 3n * PAGE));
});

Deno.test("withRegion() refuses an overlap with another slot, on every side", () => {
  const map = region(new MemoryMap(), 0, 4n * PAGE, 4n * PAGE);
  for (const [gpa, size] of [[4n, 4n], [3n, 2n], [7n, 1n], [5n, 1n], [0n, 20n], [7n, 5n]]) {
    refuses("EEXIST", "overlaps region 0", () => region(map, 1, gpa * PAGE, size * PAGE));
  }
  region(map, 1, 3n * PAGE, PAGE);
  region(map, 1, 8n * PAGE, PAGE);
});

Deno.test("withRegion() reports a size change before an overlap, as the kernel does", () => {
  const map = region(region(new MemoryMap(), 0, 0n, PAGE), 1, PAGE, PAGE);
  refuses("EINVAL", "size of a slot", () => region(map, 1, 0n, 2n * PAGE));
});

Deno.test("withRegion() with size 0 deletes, anywhere and again", () => {
  const map = region(region(new MemoryMap(), 0, 0n, PAGE), 1, PAGE, PAGE);
  const gone = region(map, 1, 0n, 0n);
  assertEquals(gone.slots[1], null);
  assertEquals(pieces(gone), [[0, 1, 0, 0]]);
  assertEquals(region(gone, 1, 0n, 0n).slots[1], null);
  region(gone, 2, PAGE, PAGE);
});

Deno.test("withRegion() moves a slot with its memory", () => {
  const map = region(new MemoryMap(), 0, 0n, 2n * PAGE);
  const moved = region(map, 0, PAGE, 2n * PAGE);
  assertStrictEquals(moved.slots[0]!.memory, map.slots[0]!.memory);
  assertEquals(pieces(moved), [[1, 2, 0, 0]]);
});

Deno.test("withRegion() gives fresh memory after deletion", () => {
  const map = region(new MemoryMap(), 0, 0n, PAGE);
  const again = region(region(map, 0, 0n, 0n), 0, 0n, PAGE);
  assert(again.slots[0]!.memory !== map.slots[0]!.memory);
});

Deno.test("withRegion() switches the log of a slot in use", () => {
  const map = region(new MemoryMap(), 0, 0n, PAGE);
  assertEquals(map.ranges()[0].log, false);
  const logging = region(map, 0, 0n, PAGE, KVM_MEM_LOG_DIRTY_PAGES);
  assertEquals(logging.ranges()[0].log, true);
  assertStrictEquals(logging.slots[0]!.memory, map.slots[0]!.memory);
});

Deno.test("withRegion() says ENOMEM for what no host has", () => {
  refuses("ENOMEM", "the host has no", () => region(new MemoryMap(), 0, 0n, 1n << 63n));
});

Deno.test("withRegion() leaves the map it was called on alone", () => {
  const map = region(new MemoryMap(), 0, 0n, PAGE);
  const before = pieces(map);
  region(map, 1, PAGE, PAGE);
  region(map, 0, 0n, 0n);
  assertEquals(pieces(map), before);
});

Deno.test("withAlias() refuses what is not page-aligned, a slot out of range, a range that wraps", () => {
  const map = new MemoryMap();
  refuses("EINVAL", "size 0x1 is not", () => alias(map, 0, 0n, 1n, 0n));
  refuses("EINVAL", "address 0x1 is not", () => alias(map, 0, 1n, PAGE, 0n));
  refuses("EINVAL", "target 0x1 is not", () => alias(map, 0, 0n, PAGE, 1n));
  refuses("EINVAL", "the aliases are 0 to 7", () => alias(map, KVM_ALIAS_SLOTS, 0n, PAGE, 0n));
  refuses("EINVAL", "the address", () => alias(map, 0, (1n << 64n) - PAGE, 2n * PAGE, 0n));
  refuses("EINVAL", "the target", () => alias(map, 0, 0n, 2n * PAGE, (1n << 64n) - PAGE));
});

Deno.test("withAlias() shows the target's pages", () => {
  const map = alias(region(new MemoryMap(), 0, 16n * PAGE, 16n * PAGE), 0, 0n, 2n * PAGE, 20n * PAGE);
  assertEquals(pieces(map), [[0, 2, 0, 4], [16, 16, 0, 0]]);
});

Deno.test("withAlias() wins over the slot beneath it, with a hole too", () => {
  const map = region(region(new MemoryMap(), 0, 0n, 8n * PAGE), 1, 16n * PAGE, PAGE);
  assertEquals(pieces(alias(map, 0, 2n * PAGE, 2n * PAGE, 16n * PAGE)), [
    [0, 2, 0, 0],
    [2, 1, 1, 0],
    [4, 4, 0, 4],
    [16, 1, 1, 0],
  ]);
});

Deno.test("withAlias() does not chain", () => {
  let map = region(new MemoryMap(), 0, 0n, PAGE);
  map = alias(map, 0, 4n * PAGE, PAGE, 0n);
  map = alias(map, 1, 8n * PAGE, PAGE, 4n * PAGE);
  assertEquals(pieces(map), [[0, 1, 0, 0], [4, 1, 0, 0]]);
});

Deno.test("withAlias() of an aliased page shows the slot's own page", () => {
  let map = region(new MemoryMap(), 0, 0n, 4n * PAGE);
  map = alias(map, 0, 0n, PAGE, PAGE);
  map = alias(map, 1, 8n * PAGE, PAGE, 0n);
  assertEquals(pieces(map), [[0, 1, 0, 1], [1, 3, 0, 1], [8, 1, 0, 0]]);
});

Deno.test("withAlias() gives the page to the lower numbered of two", () => {
  let map = region(new MemoryMap(), 0, 0n, 4n * PAGE);
  map = alias(map, 5, 8n * PAGE, 3n * PAGE, 0n);
  map = alias(map, 2, 9n * PAGE, PAGE, 3n * PAGE);
  assertEquals(pieces(map), [[0, 4, 0, 0], [8, 1, 0, 0], [9, 1, 0, 3], [10, 1, 0, 2]]);
});

Deno.test("withAlias() follows a slot that moves or goes", () => {
  const map = alias(region(new MemoryMap(), 0, 0n, PAGE), 0, 4n * PAGE, PAGE, 8n * PAGE);
  assertEquals(pieces(map), [[0, 1, 0, 0]]);
  const moved = region(map, 0, 8n * PAGE, PAGE);
  assertEquals(pieces(moved), [[4, 1, 0, 0], [8, 1, 0, 0]]);
  assertEquals(pieces(region(moved, 0, 0n, 0n)), []);
});

Deno.test("withAlias() with size 0 removes", () => {
  const map = alias(region(new MemoryMap(), 0, 0n, PAGE), 0, 4n * PAGE, PAGE, 0n);
  assertEquals(pieces(alias(map, 0, 0n, 0n, 0n)), [[0, 1, 0, 0]]);
});

Deno.test("pieces joins what continues in one slot", () => {
  let map = region(new MemoryMap(), 0, 0n, 4n * PAGE);
  map = alias(map, 0, 4n * PAGE, PAGE, 0n);
  map = alias(map, 1, 5n * PAGE, PAGE, PAGE);
  assertEquals(pieces(map), [[0, 4, 0, 0], [4, 2, 0, 0]]);
});

Deno.test("ranges() carries memory, offset and the target's log", () => {
  let map = region(new MemoryMap(), 0, 0n, 4n * PAGE, KVM_MEM_LOG_DIRTY_PAGES);
  map = alias(map, 0, 8n * PAGE, PAGE, 2n * PAGE);
  const { memory } = map.slots[0]!;
  assertEquals(map.ranges(), [
    { gpa: 0, size: 16384, memory, offset: 0, log: true },
    { gpa: 32768, size: 4096, memory, offset: 8192, log: true },
  ]);
});

Deno.test("find() gives the contiguous part", () => {
  const map = region(region(new MemoryMap(), 0, 0n, PAGE), 1, PAGE, PAGE);
  assertEquals(map.find(100n, 10)!.offset, 100);
  assertEquals(map.find(4000n, 200)!.length, 96);
  assertEquals(map.find(2n * PAGE, 1), null);
  assertStrictEquals(map.find(PAGE, 1)!.memory, map.slots[1]!.memory);
});

/** Numbers below `limit` from a seed: a 32-bit linear congruential generator. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
}

Deno.test("MemoryMap agrees with a page by page model over random calls", () => {
  const PAGES = 48;
  for (let seed = 0; seed < 40; seed++) {
    const next = random(seed);
    let map = new MemoryMap();
    const slots: ({ gfn: number; pages: number; memory: BackendMemory } | null)[] = new Array(32).fill(null);
    const aliases: ({ gfn: number; pages: number; target: number } | null)[] = new Array(8).fill(null);
    for (let step = 0; step < 120; step++) {
      const gfn = next(PAGES);
      const pages = next(4) === 0 ? 0 : 1 + next(Math.min(12, PAGES - gfn));
      if (next(3) > 0) {
        const slot = next(6);
        const old = slots[slot];
        const taken = slots.some((s, n) =>
          s !== null && n !== slot && pages > 0 && gfn < s.gfn + s.pages && s.gfn < gfn + pages
        );
        const expected = pages > 0 && old !== null && old.pages !== pages ? "EINVAL" : taken ? "EEXIST" : "";
        let code = "";
        try {
          map = region(map, slot, BigInt(gfn) * PAGE, BigInt(pages) * PAGE);
        } catch (error) {
          code = (error as KvmError).code;
        }
        assertEquals(code, expected, `seed ${seed} step ${step}`);
        if (code === "") slots[slot] = pages === 0 ? null : { gfn, pages, memory: map.slots[slot]!.memory };
      } else {
        const slot = next(4);
        const target = next(PAGES);
        map = alias(map, slot, BigInt(gfn) * PAGE, BigInt(pages) * PAGE, BigInt(target) * PAGE);
        aliases[slot] = pages === 0 ? null : { gfn, pages, target };
      }
      let last = 0;
      for (const range of map.ranges()) {
        assert(range.gpa >= last && range.size > 0);
        last = range.gpa + range.size;
      }
      for (let page = 0; page < 2 * PAGES; page++) {
        const over = aliases.find((a) => a !== null && page >= a.gfn && page < a.gfn + a.pages);
        const real = over ? over.target + page - over.gfn : page;
        const owner = slots.find((s) => s !== null && real >= s.gfn && real < s.gfn + s.pages);
        const found = map.find(BigInt(page) * PAGE, 4096);
        assertStrictEquals(found?.memory, owner?.memory, `seed ${seed} step ${step} page ${page}`);
        if (owner) assertEquals(found?.offset, (real - owner.gfn) * 4096, `seed ${seed} step ${step} page ${page}`);
      }
    }
  }
});
