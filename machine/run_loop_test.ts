import { assertEquals } from "@std/assert";
import { NullEnd } from "../devices/null_end.ts";
import { Pc } from "../devices/pc.ts";
import { KVM_EXIT_HLT, KVM_EXIT_HYPERCALL, KVM_EXIT_INTR, KVM_EXIT_IO, KVM_EXIT_MMIO, KvmRun, Vcpu } from "../mod.ts";
import { FakeVcpu } from "../tests/fake_backend.ts";
import { Processors } from "./processors.ts";
import { runLoop, type RunRecord } from "./run_loop.ts";
import { RealTime } from "./time.ts";

/** What a run of the scripted processor is to do; the last step stays. */
type Step = (run: KvmRun, maxInstructions: number, shared: Uint8Array) => void;

function leave(run: KvmRun, reason: number): void {
  run.exit_reason = reason;
}

async function loop(steps: readonly Step[], serial: NullEnd = new NullEnd(), timeoutMs?: number): Promise<RunRecord> {
  const backend = new FakeVcpu(new Map());
  const run = new KvmRun(backend.shared);
  let step = 0;
  backend.onRun = (_vcpu, maxInstructions) => {
    steps[Math.min(step++, steps.length - 1)](run, maxInstructions, backend.shared);
    return run.exit_reason === KVM_EXIT_INTR ? -4 : 0;
  };
  using vcpu = new Vcpu(0, backend);
  const time = new RealTime();
  const pc = new Pc({ serial, clock: time.clock, debugExit: 0xf4 });
  const processors = new Processors({ vm: { read: () => new Uint8Array(1) as never }, vcpus: [vcpu], pc, time });
  return await runLoop({ processors, pc, time, outputs: [serial], timeoutMs, settle: () => {} });
}

const halt: Step = (run) => leave(run, KVM_EXIT_HLT);

function io(direction: number, port: number, size: number, bytes: readonly number[]): Step {
  return (run, _max, shared) => {
    leave(run, KVM_EXIT_IO);
    Object.assign(run.io, { direction, port, size, count: bytes.length / size, data_offset: 4096 });
    shared.set(bytes, 4096);
  };
}

Deno.test("runLoop() gives every item of a string instruction to the device, in order", async () => {
  const sent: number[] = [];
  const serial = new (class extends NullEnd {
    override send(byte: number): void {
      sent.push(byte);
    }
  })();
  const { end, exits } = await loop([io(1, 0x3f8, 1, [1, 2, 3]), halt], serial);
  assertEquals(sent, [1, 2, 3]);
  assertEquals(end, { kind: "halted" });
  assertEquals([exits[KVM_EXIT_IO], exits[KVM_EXIT_HLT]], [1, 1]);
});

Deno.test("runLoop() fills what the guest reads", async () => {
  let seen: number[] = [];
  const look: Step = (run, _max, shared) => {
    seen = [...shared.subarray(4096, 4100)];
    leave(run, KVM_EXIT_HLT);
  };
  await loop([io(0, 0x3fd, 2, [0, 0, 0, 0]), look]);
  assertEquals(seen, [0x60, 0xb0, 0x60, 0xb0]);
});

Deno.test("runLoop() answers memory that is not there and hypercalls that nobody knows", async () => {
  let data: number[] = [], ret = 0n;
  await loop([
    (run) => {
      leave(run, KVM_EXIT_MMIO);
      Object.assign(run.mmio, { phys_addr: 0xd0000000n, len: 4, is_write: 0, data: [] });
    },
    (run) => {
      data = [...run.mmio.data.subarray(0, 4)];
      leave(run, KVM_EXIT_HYPERCALL);
    },
    (run) => {
      ret = run.hypercall.ret;
      leave(run, KVM_EXIT_HLT);
    },
  ]);
  assertEquals(data, [255, 255, 255, 255]);
  assertEquals(BigInt.asIntN(64, ret), -1000n);
});

Deno.test("runLoop() ends with what debug-exit gives, and with what it cannot serve", async () => {
  assertEquals((await loop([io(1, 0xf4, 1, [0x2a])])).end, { kind: "ended", code: 0x55 });
  const kinds = [];
  for (const reason of [8, 9, 0, 1, 4]) kinds.push((await loop([(run) => leave(run, reason)])).end.kind);
  assertEquals(kinds, ["shutdown", "stuck", "stuck", "stuck", "stuck"]);
});

Deno.test("runLoop() runs in slices, lets the event loop have its turn, and keeps the time limit", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const limits: number[] = [];
  const { end, exits } = await loop(
    [(run, maxInstructions) => {
      limits.push(maxInstructions);
      const until = performance.now() + 5;
      while (performance.now() < until);
      leave(run, KVM_EXIT_INTR);
    }],
    new NullEnd(),
    60,
  );
  clearInterval(timer);
  assertEquals(end, { kind: "timeout" });
  assertEquals(exits[KVM_EXIT_INTR], 0);
  assertEquals(limits.length >= 3 && limits.every((limit) => limit >= 1_000 && limit <= 20_000_000), true);
  assertEquals(turns > 0, true);
});
