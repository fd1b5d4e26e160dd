/**
 * Running a benchmark guest's work on one engine and timing it: on a backend in this process, or in QEMU.
 * @module
 */
import { SoftVcpu } from "../core/engine/cpu.ts";
import { createSoftBackend } from "../core/engine/soft.ts";
import type { Backend } from "../core/kvm/backend.ts";
import { createNativeBackend } from "../core/native/native.ts";
import { enter } from "../guests/entry_state.ts";
import { planBootSector } from "../guests/image.ts";
import { KvmError, KvmRegs, KvmSregs } from "../mod.ts";
import { type BenchGuest, DEBUG_EXIT, imageWith, MARK_BEGIN, MARK_END } from "./guests.ts";

/** What one run gave. */
export interface Timing {
  /** Milliseconds between the two marks. */
  readonly milliseconds: number;
  /** Instructions of the whole run, where the engine counts them. */
  readonly instructions?: number;
}

/** An engine that guests are run on. */
export interface BenchEngine {
  /** Its name in the table. */
  readonly name: string;
  /** Runs a guest. */
  run(guest: BenchGuest, rounds: number): Promise<Timing>;
}

const MEMORY = 0x100_0000;
const COM1 = 0x3f8;
const EXIT_REASON = 8, PORT = 34, DATA = 4096;
const EXIT_IO = 2;
/** A guest that takes longer than this has gone astray. */
const PATIENCE_MS = 30_000;

function runInProcess(backend: Backend, guest: BenchGuest, rounds: number): Timing {
  using vm = backend.createVm();
  const memory = vm.allocate(MEMORY);
  vm.map([{ gpa: 0, size: MEMORY, memory, offset: 0, log: false }]);
  using vcpu = vm.createVcpu(0);
  const plan = planBootSector(imageWith(guest, rounds), [{ base: 0, size: MEMORY }]);
  for (const { base, bytes } of plan.pieces) memory.bytes.set(bytes, base);
  const regs = new KvmRegs(), sregs = new KvmSregs();
  vcpu.getSregs(sregs.bytes);
  enter(plan, regs, sregs);
  vcpu.setSregs(sregs.bytes);
  vcpu.setRegs(regs.bytes);
  const { shared } = vcpu, view = new DataView(shared.buffer, shared.byteOffset, shared.byteLength);
  let begin = 0, end = 0;
  for (;;) {
    vcpu.run(Infinity);
    const reason = view.getUint32(EXIT_REASON, true), port = view.getUint16(PORT, true);
    if (reason !== EXIT_IO) throw new Error(`Cannot measure ${guest.name}: it ends with exit ${reason}`);
    if (port === COM1 && shared[DATA] === MARK_BEGIN) begin = performance.now();
    if (port === COM1 && shared[DATA] === MARK_END) end = performance.now();
    if (port === DEBUG_EXIT) break;
  }
  return { milliseconds: end - begin, instructions: vcpu instanceof SoftVcpu ? vcpu.instructions() : undefined };
}

/** An engine that runs guests on a backend in this process. */
export function inProcess(name: string, create: () => Backend): BenchEngine {
  return {
    name,
    run: (guest, rounds) => {
      using backend = create();
      return Promise.resolve(runInProcess(backend, guest, rounds));
    },
  };
}

/** QEMU's own translator. */
export const QEMU = "qemu-system-x86_64";
/** How QEMU is called, up to the image. */
// deno-fmt-ignore
export const QEMU_ARGUMENTS: readonly string[] = [
  "-accel", "tcg", "-m", "16", "-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none",
  "-device", `isa-debug-exit,iobase=${DEBUG_EXIT},iosize=1`, "-drive",
];

async function runInQemu(folder: string, guest: BenchGuest, rounds: number): Promise<Timing> {
  const image = `${folder}/${guest.name}.img`;
  Deno.writeFileSync(image, imageWith(guest, rounds));
  const args = [...QEMU_ARGUMENTS, `format=raw,file=${image}`];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const child = new Deno.Command(QEMU, { args, stdin: "null", stdout: "piped", stderr: "null", signal }).spawn();
  let begin = 0, end = 0;
  for await (const bytes of child.stdout) {
    const now = performance.now();
    if (bytes.includes(MARK_BEGIN)) begin = now;
    if (bytes.includes(MARK_END)) end = now;
  }
  await child.status;
  if (begin === 0 || end === 0) throw new Error(`Cannot measure ${guest.name} in QEMU: it did not come to its end`);
  return { milliseconds: end - begin };
}

/** Whether a program can be run here. */
export function canRun(program: string): boolean {
  if (Deno.permissions.querySync({ name: "run", command: program }).state !== "granted") return false;
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** The engines that there are here, and why the others are missing. `folder` is for files that QEMU reads. */
export function findEngines(folder: string): { readonly engines: BenchEngine[]; readonly missing: string[] } {
  const engines = [
    inProcess("soft", () => createSoftBackend()),
    inProcess("interpreter", () => createSoftBackend({ engine: "interpreter" })),
  ];
  const missing: string[] = [];
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") missing.push("kvm: it needs --allow-ffi");
  else {
    try {
      createNativeBackend()[Symbol.dispose]();
      engines.push(inProcess("kvm", createNativeBackend));
    } catch (error) {
      if (!(error instanceof KvmError)) throw error;
      missing.push(`kvm: ${error.message}`);
    }
  }
  if (canRun(QEMU)) engines.push({ name: "qemu-tcg", run: (guest, rounds) => runInQemu(folder, guest, rounds) });
  else missing.push(`qemu-tcg: ${QEMU} is not here, or not permitted`);
  return { engines, missing };
}
