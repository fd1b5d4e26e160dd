/**
 * Debugging and tracing of a guest: a gdb server, the run control under it, and traces in the form of QEMU's. Knows
 * nothing but the public KVM objects, so it serves every virtual machine monitor that uses them.
 *
 * @example A run loop that gdb can take part in
 * ```ts
 * import { KVM_EXIT_HLT, openKvm } from "@kvm12/kvm12";
 * import { Debugger, GdbListener } from "@kvm12/kvm12/debug";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x10000 });
 * using vcpu = vm.createVcpu(0);
 * const debug = new Debugger({ vm, vcpus: [vcpu] });
 * using _gdb = new GdbListener({ debug, port: 0 });
 * for (let running = true; running;) {
 *   await debug.paused();
 *   const exit = debug.run({ maxInstructions: 100_000 });
 *   running = exit.reason !== KVM_EXIT_HLT;
 * }
 * ```
 *
 * @module
 */

export { type CodeMode, codeMode, CpuState, linearRip } from "./cpu_state.ts";
export { Debugger, type DebuggerOptions, type StepTracer } from "./debugger.ts";
export { GdbListener, type GdbListenOptions } from "./gdb_listener.ts";
export { GdbServer, type GdbServerOptions } from "./gdb_server.ts";
export type { GdbTarget, ResumeAction, StopPointKind, StopReason } from "./gdb_target.ts";
export { GuestMemory } from "./guest_memory.ts";
export { type Mapping, mappings, mergedMappings, type PagingMode, pagingMode } from "./page_tables.ts";
export { registerDump } from "./register_dump.ts";
export type { GdbArchitecture } from "./registers.ts";
export { type GuestSymbol, readSymbols, SymbolError, SymbolTable } from "./symbols.ts";
export { targetXml } from "./target_xml.ts";
export { Tracer, type TraceRange, type TracerOptions } from "./tracer.ts";
