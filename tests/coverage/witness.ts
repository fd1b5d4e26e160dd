/**
 * Which forms of the instruction table a guest really executes: the software engine runs it one instruction at a time, and
 * what stands at RIP is decoded before.
 * @module
 */
import type { SoftVcpu } from "../../core/engine/cpu.ts";
import type { RamBlock } from "../../core/engine/ram.ts";
import { createSoftBackend, type SoftVm } from "../../core/engine/soft.ts";
import type { Backend, BackendVcpu, BackendVm } from "../../core/kvm/backend.ts";
import { VM } from "../../core/x86/flags.ts";
import { Decoder, MAX_LENGTH } from "../../core/x86/decode.ts";
import type { Form } from "../../core/x86/insn.ts";
import { MODE_CODE } from "../../core/x86/mode.ts";
import { CR0, CS, EFER, KEY, RFLAGS, RIP, SEG, SEG_BASE, SEG_LIMIT, SEG_SIZE } from "../../core/x86/state.ts";
import { INSTRUCTIONS } from "../../core/x86/table/instructions.ts";

/** The mode of an executed instruction: real, virtual-8086, 16- and 32-bit protected, compatibility, 64-bit. */
export type ExecutionMode = "real" | "v86" | "16" | "32" | "c16" | "c32" | "64";

/** A budget that no guest here needs. */
const STEPS = 5_000_000;
const EXIT_REASON = 8, EXIT_INTR = 10;
const CODE_SIZES = [16, 32, 64] as const;
const EFER_LMA = 0x400;

/** What was seen: for each form by its number the modes in which it completed, or only raised an exception. */
export class Witness {
  /** Modes in which a form completed. */
  readonly completed: Map<Form, Set<ExecutionMode>> = new Map();
  /** Forms that raised an exception, by vector. */
  readonly faulted: Map<Form, Set<number>> = new Map();
  readonly #decoder: Decoder;
  readonly #bytes: Uint8Array = new Uint8Array(MAX_LENGTH);
  readonly #translation: Uint8Array = new Uint8Array(24);
  readonly #view: DataView = new DataView(this.#translation.buffer);

  /** `has` says which CPUID features are offered. */
  constructor(has: (feature: string) => boolean = () => true) {
    this.#decoder = new Decoder(INSTRUCTIONS, has);
  }

  /** Notes that `form` completed in `mode`. */
  note(form: Form, mode: ExecutionMode): void {
    const modes = this.completed.get(form);
    if (modes === undefined) this.completed.set(form, new Set([mode]));
    else modes.add(mode);
  }

  /** Runs a processor as `run` does, but watches each instruction. `memory` gives the byte at a physical address. */
  run(
    vcpu: SoftVcpu,
    memory: (address: number) => number,
    maxInstructions: number,
    step = vcpu.run.bind(vcpu),
  ): number {
    let exception = -1;
    vcpu.observe({
      event: (kind, vector) => {
        if (kind === "exception" || kind === "external" || kind === "nmi") exception = vector;
      },
    });
    const reason = new DataView(vcpu.shared.buffer, vcpu.shared.byteOffset);
    for (let n = 0; n < Math.min(maxInstructions, STEPS); n++) {
      const mode = modeOf(vcpu);
      const form = this.#formAt(vcpu, memory);
      exception = -1;
      const result = step(1);
      if (form !== null) {
        if (exception < 0) this.note(form, mode);
        else this.#fault(form, exception);
      }
      if (reason.getUint32(EXIT_REASON, true) !== EXIT_INTR) return result;
    }
    return step(0);
  }

  #fault(form: Form, vector: number): void {
    const vectors = this.faulted.get(form);
    if (vectors === undefined) this.faulted.set(form, new Set([vector]));
    else vectors.add(vector);
  }

  /** The form of the instruction at CS:RIP; null if it cannot be fetched or decoded. */
  #formAt(vcpu: SoftVcpu, memory: (address: number) => number): Form | null {
    const cs = SEG + CS * SEG_SIZE, code = CODE_SIZES[vcpu.u32[KEY >> 2] & MODE_CODE];
    const rip = vcpu.u64[RIP >> 3], base = vcpu.u64[(cs + SEG_BASE) >> 3];
    let length = 0;
    for (; length < MAX_LENGTH; length++) {
      if (code !== 64 && Number(rip) + length > vcpu.u32[(cs + SEG_LIMIT) >> 2]) break;
      const linear = code === 64 ? rip + BigInt(length) : BigInt.asUintN(32, base + rip + BigInt(length));
      this.#view.setBigUint64(0, linear, true);
      vcpu.translate(this.#translation);
      if (this.#translation[16] === 0) break;
      this.#bytes[length] = memory(Number(this.#view.getBigUint64(8, true)));
    }
    return this.#decoder.decode(this.#bytes, 0, length, code) === "ok" ? this.#decoder.form : null;
  }
}

function modeOf(vcpu: SoftVcpu): ExecutionMode {
  const { u32 } = vcpu, code = CODE_SIZES[u32[KEY >> 2] & MODE_CODE];
  if (code === 64) return "64";
  if ((u32[CR0 >> 2] & 1) === 0) return "real";
  if (u32[RFLAGS >> 2] & VM) return "v86";
  return `${u32[EFER >> 2] & EFER_LMA ? "c" : ""}${code}`;
}

/** A software engine whose processors are watched: for cases of the conformance suite. */
export function watchedBackend(witness: Witness): Backend {
  const backend = createSoftBackend({ engine: "interpreter" });
  const watch = (vm: SoftVm): BackendVm => {
    const ranges: Parameters<BackendVm["map"]>[0][number][] = [];
    const memory = (address: number): number => {
      const r = ranges.find(({ gpa, size }) => address >= gpa && address < gpa + size);
      return r === undefined ? 0xff : vm.ram.u8[(r.memory as RamBlock).start + r.offset + address - r.gpa];
    };
    // The memory is looked at behind the back of its views: one that the host has been given is compared at each RUN.
    const map = vm.map.bind(vm), create = vm.createVcpu.bind(vm);
    vm.map = (all) => {
      ranges.splice(0, ranges.length, ...all);
      map(all);
    };
    vm.createVcpu = (id): BackendVcpu => {
      const vcpu = create(id) as SoftVcpu, step = vcpu.run.bind(vcpu);
      vcpu.run = (max) => witness.run(vcpu, memory, max, step);
      return vcpu;
    };
    return vm;
  };
  const create = backend.createVm.bind(backend);
  backend.createVm = () => watch(create() as SoftVm);
  return backend;
}
