/**
 * The KVM API, version 12, for TypeScript: virtual machines on a software x86 engine that needs no permission at all, or
 * on the real `/dev/kvm` of Linux behind the very same objects.
 *
 * {@linkcode openKvm} gives a {@linkcode Kvm}, that makes a {@linkcode Vm}, and that makes {@linkcode Vcpu}s; each ioctl of
 * `kvm.h` is a method with the ioctl's name. Structures are views with the field names of `kvm.h`. What fails throws a
 * {@linkcode KvmError} with the kernel's errno. {@linkcode RawKvm} has the same as `open`, `ioctl` and `mmap`.
 *
 * @example A guest that adds two numbers and prints the digit
 * ```ts
 * import { KVM_EXIT_HLT, KVM_EXIT_IO, KvmRegs, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
 * // add al, bl; add al, '0'; mov dx, 0x3f8; out dx, al; hlt
 * vm.write(0x1000, Uint8Array.of(0x00, 0xd8, 0x04, 0x30, 0xba, 0xf8, 0x03, 0xee, 0xf4));
 * using vcpu = vm.createVcpu(0);
 * const sregs = vcpu.getSregs();
 * sregs.cs.base = 0n;
 * sregs.cs.selector = 0;
 * vcpu.setSregs(sregs);
 * vcpu.setRegs(new KvmRegs({ rip: 0x1000, rax: 2, rbx: 2, rflags: 2 }));
 * for (let exit = vcpu.run(); exit.reason !== KVM_EXIT_HLT; exit = vcpu.run()) {
 *   if (exit.reason !== KVM_EXIT_IO) throw new Error(`unexpected exit ${exit.reason}`);
 *   console.log(`port 0x${exit.port.toString(16)}: ${String.fromCharCode(...exit.data)}`); // port 0x3f8: 4
 * }
 * ```
 *
 * @module
 */

export * from "./core/abi/mod.ts";
export { LockstepError, type LockstepFinding, type LockstepStep } from "./core/engine/lockstep_error.ts";
export type { LockstepDifference } from "./core/engine/lockstep_state.ts";
export type { AccessServer, BackendName, VcpuEventKind, VcpuObserver, Watchpoint } from "./core/kvm/backend.ts";
export type {
  DebugExit,
  ExceptionExit,
  FailEntryExit,
  HltExit,
  HypercallExit,
  IntrExit,
  IoExit,
  IrqWindowOpenExit,
  MmioExit,
  ShutdownExit,
  UnknownExit,
  VcpuExit,
} from "./core/kvm/exits.ts";
export { Kvm, VCPU_MMAP_SIZE } from "./core/kvm/kvm.ts";
export { KvmError } from "./core/kvm/kvm_error.ts";
export { KVM_ALIAS_SLOTS, KVM_MEMORY_SLOTS, PAGE_SIZE } from "./core/kvm/memory_map.ts";
export { type EngineChoice, openKvm, type OpenKvmOptions } from "./core/kvm/open_kvm.ts";
export type { Timestamp } from "./core/engine/soft.ts";
export { type RawArgument, type RawDirtyLog, RawKvm } from "./core/kvm/raw.ts";
export { describeFailEntry } from "./core/kvm/fail_entry.ts";
export { describeUnknownExit } from "./core/kvm/unknown_exit.ts";
export { type RunAsyncOptions, type RunOptions, Vcpu } from "./core/kvm/vcpu.ts";
export { type GuestAddress, type GuestData, KVM_MAX_VCPUS, type ReadStringOptions, Vm } from "./core/kvm/vm.ts";
export {
  boot,
  type BootedGuest,
  type BootFile,
  type BootOptions,
  type ExpectOptions,
  type GuestKeyboard,
  type GuestScreen,
  type GuestSerial,
} from "./machine/boot_options.ts";
export { ExpectError } from "./machine/expect_error.ts";
export { CPU_MODELS, type CpuidEntry, cpuModel } from "./core/x86/system/cpuid.ts";
export { disassemble, type Disassembled, type DisassembleOptions } from "./core/x86/disassemble.ts";
