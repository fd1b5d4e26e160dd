import { assertEquals } from "@std/assert";
import type { BenchGuest } from "../guests/bench/list.ts";
import type { Executor, ExecutorName } from "./executors.ts";
import { Measurement } from "./measure.ts";
import type { RunResult } from "./process.ts";

// deno-fmt-ignore
const GUEST: BenchGuest = {
  name: "sieve", bits: 32, image: "sieve32.img", work: "sieves", native: true, checksum: "11111111", quickChecksum: "22222222",
};

function executor(name: ExecutorName, tryShortForm = false): Executor {
  return { name, tryShortForm, prepare: (_, quick) => ({ program: name, args: quick ? ["quick"] : [] }) };
}

function good(startMs: number, workMs: number, checksum = GUEST.checksum): RunResult {
  return { ok: true, startMs, workMs, checksum };
}

/** A measurement with so many rounds, whose runs are played from lists; and the programs in the order of their calls. */
function play(rounds: number, results: Record<string, RunResult[]>): { measurement: Measurement; calls: string[] } {
  const calls: string[] = [];
  const run = ({ program, args }: { program: string; args: readonly string[] }): Promise<RunResult> => {
    const key = [program, ...args].join(" ");
    calls.push(key);
    return Promise.resolve(results[key].shift()!);
  };
  const signal = new AbortController().signal;
  return { measurement: new Measurement({ rounds, deadlineMs: 4000, quick: false, signal, run }), calls };
}

Deno.test("Measurement.guest() takes turns and gives medians", async () => {
  const { measurement, calls } = play(3, {
    soft: [good(10, 5), good(30, 3), good(20, 4)],
    tcg: [good(7, 1), good(7, 2), good(7, 9)],
  });
  const { cells } = await measurement.guest(GUEST, [executor("soft"), executor("tcg")]);
  assertEquals(calls, ["soft", "tcg", "soft", "tcg", "soft", "tcg"]);
  assertEquals(cells, { soft: { median: 4, all: [5, 3, 4] }, tcg: { median: 2, all: [1, 2, 9] } });
  assertEquals(measurement.starts(), { soft: 20, tcg: 7 });
});

Deno.test("Measurement.guest() does not ask again who failed", async () => {
  const { measurement, calls } = play(2, {
    soft: [good(1, 1), good(1, 1)],
    tcg: [{ ok: false, reason: "not ready after 4 s" }],
  });
  const { cells } = await measurement.guest(GUEST, [executor("soft"), executor("tcg")]);
  assertEquals([calls.length, cells.tcg], [3, { reason: "not ready after 4 s" }]);
  assertEquals(measurement.errors, []);
});

Deno.test("Measurement.guest() makes a wrong checksum an error", async () => {
  const { measurement } = play(1, { soft: [good(1, 1, "33333333")] });
  const { cells } = await measurement.guest(GUEST, [executor("soft")]);
  assertEquals(cells.soft, { reason: "checksum 33333333 instead of 11111111" });
  assertEquals(measurement.errors, ["sieve32 on soft: checksum 33333333 instead of 11111111"]);
  assertEquals(measurement.starts(), {});
  const short = play(1, { "kvm quick": [good(1, 1)] });
  await short.measurement.guest(GUEST, [executor("kvm", true)]);
  assertEquals(short.measurement.errors, ["sieve32 on kvm: checksum 11111111 instead of 22222222"]);
});

Deno.test("Measurement.guest() tries the short form of what may be slow", async () => {
  const slow = play(1, { "kvm quick": [good(1, 200, GUEST.quickChecksum)] });
  const result = await slow.measurement.guest(GUEST, [executor("kvm", true)]);
  assertEquals(result.cells.kvm, { reason: "about 8 s by its short form" });
  const fast = play(1, { "kvm quick": [good(1, 50, GUEST.quickChecksum)], kvm: [good(1, 2000)] });
  assertEquals((await fast.measurement.guest(GUEST, [executor("kvm", true)])).cells.kvm, { median: 2000, all: [2000] });
});
