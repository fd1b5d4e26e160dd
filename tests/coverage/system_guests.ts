/**
 * The self-checking guests of `tests/guests` and the cases that use instructions of no guest, watched while they run.
 * @module
 */
import { Kvm } from "../../core/kvm/kvm.ts";
import { KVM_EXIT_HYPERCALL, KVM_EXIT_IO, KVM_EXIT_IO_IN, KvmRegs } from "../../mod.ts";
import { HYPERCALL_CASES } from "../conformance/hypercall_cases.ts";
import { watchedBackend, Witness } from "./witness.ts";

/** The images in `tests/guests`, without their extension. */
export const GUEST_NAMES = ["segments", "tasks", "v86", "paging", "long", "debug", "fpu", "registers"] as const;

const FOLDER = new URL("../guests/", import.meta.url);
const LOAD = 0x8000, MEMORY = 0x100_0000, DEBUG_EXIT = 0x501;

/** Runs one guest to its end, which must be success, and says what it executed. */
export function watchGuest(name: string): Witness {
  const witness = new Witness();
  using kvm = new Kvm(watchedBackend(witness));
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: MEMORY });
  vm.write(LOAD, Deno.readFileSync(new URL(`${name}.bin`, FOLDER)));
  using vcpu = vm.createVcpu(0);
  const sregs = vcpu.getSregs();
  sregs.cs.base = 0n;
  sregs.cs.selector = 0;
  vcpu.setSregs(sregs);
  vcpu.setRegs(new KvmRegs({ rip: LOAD, rsp: LOAD, rflags: 2 }));
  for (;;) {
    const exit = vcpu.run();
    if (exit.reason === KVM_EXIT_HYPERCALL) exit.ret = 0n;
    else if (exit.reason !== KVM_EXIT_IO) throw new Error(`${name}: unexpected exit ${exit.reason}`);
    else if (exit.direction === KVM_EXIT_IO_IN) exit.data.fill(0xff);
    else if (exit.port === DEBUG_EXIT) {
      if (exit.data[0] !== 0) throw new Error(`${name}: ${exit.data[0]} checks fail`);
      return witness;
    }
  }
}

/** Runs the cases about hypercalls, which a guest has no use for alone, and says what they executed. */
export function watchHypercalls(): Witness {
  const witness = new Witness();
  using kvm = new Kvm(watchedBackend(witness));
  for (const { run } of HYPERCALL_CASES) run(kvm);
  return witness;
}
