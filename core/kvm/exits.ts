/**
 * What `vcpu.run()` returns: why the guest stopped, as a union of objects told apart by `reason`. Each vCPU has one object
 * of each kind and hands out the same one again and again; their properties read and write `kvm_run` itself, so they hold
 * until the next `run()`.
 * @module
 */

import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_EXCEPTION,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HLT,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  type KVM_EXIT_IO_IN,
  type KVM_EXIT_IO_OUT,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_MMIO,
  KVM_EXIT_SHUTDOWN,
  KVM_EXIT_UNKNOWN,
} from "../abi/constants.ts";
import { LAYOUTS } from "../abi/layout.ts";
import type { KvmRun, KvmRunHypercall } from "../abi/run.ts";
import type { U64Array } from "../abi/struct_view.ts";

/** Where the payload of an exit is in `kvm_run`. */
const UNION: number = LAYOUTS.kvm_run.fields.padding.offset;
const MMIO_DATA: number = UNION + LAYOUTS["kvm_run.mmio"].fields.data.offset;
const MMIO_LEN: number = UNION + LAYOUTS["kvm_run.mmio"].fields.len.offset;
const MMIO_IS_WRITE: number = UNION + LAYOUTS["kvm_run.mmio"].fields.is_write.offset;

/**
 * The engine met what it cannot run.
 *
 * @example
 * ```ts
 * import { describeUnknownExit, KVM_EXIT_UNKNOWN, openKvm } from "@kvm12/kvm12";
 * import { assertNotEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * using vcpu = vm.createVcpu(0); // there is no memory to fetch an instruction from
 * const exit = vcpu.run();
 * if (exit.reason !== KVM_EXIT_UNKNOWN) throw new Error("it ran");
 * assertNotEquals(describeUnknownExit(vcpu.shared), "");
 * ```
 */
export class UnknownExit {
  /** KVM_EXIT_UNKNOWN. */
  readonly reason: typeof KVM_EXIT_UNKNOWN = KVM_EXIT_UNKNOWN;
  readonly #run: KvmRun;

  /** The exit as told by `run`. */
  constructor(run: KvmRun) {
    this.#run = run;
  }

  /** Which thing it was: a number of the engine's. */
  get hardware_exit_reason(): bigint {
    return this.#run.hw.hardware_exit_reason;
  }
}

/**
 * An exception that the host asked to intercept.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_EXCEPTION, type VcpuExit } from "@kvm12/kvm12";
 *
 * // The software engine and today's kernels give exceptions to the guest itself.
 * function tell(exit: VcpuExit): void {
 *   if (exit.reason === KVM_EXIT_EXCEPTION) console.error(`exception ${exit.exception}, error code ${exit.error_code}`);
 * }
 * console.log(tell.name);
 * ```
 */
export class ExceptionExit {
  /** KVM_EXIT_EXCEPTION. */
  readonly reason: typeof KVM_EXIT_EXCEPTION = KVM_EXIT_EXCEPTION;
  readonly #run: KvmRun;

  /** The exit as told by `run`. */
  constructor(run: KvmRun) {
    this.#run = run;
  }

  /** Its vector. */
  get exception(): number {
    return this.#run.ex.exception;
  }

  /** Its error code; 0 where there is none. */
  get error_code(): number {
    return this.#run.ex.error_code;
  }
}

/**
 * IN, OUT, INS or OUTS. For input, fill {@linkcode data} before the next `run()`.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_IO, KVM_EXIT_IO_IN, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xe4, 0x60, 0xe6, 0x80, 0xf4)); // in al, 0x60; out 0x80, al; hlt
 * using vcpu = vm.createVcpu(0);
 * const input = vcpu.run();
 * if (input.reason !== KVM_EXIT_IO || input.direction !== KVM_EXIT_IO_IN) throw new Error("no input");
 * input.writeUint(0x1c);
 * const output = vcpu.run();
 * if (output.reason !== KVM_EXIT_IO) throw new Error("no output");
 * assertEquals([output.port, output.size, output.count, output.data[0], output.readUint()], [0x80, 1, 1, 0x1c, 0x1c]);
 * ```
 */
export class IoExit {
  /** KVM_EXIT_IO. */
  readonly reason: typeof KVM_EXIT_IO = KVM_EXIT_IO;
  readonly #view: DataView;
  readonly #shared: Uint8Array;
  /** All of `shared`: the data lies behind `kvm_run`. */
  readonly #all: DataView;
  #data: Uint8Array;

  /** The exit as told by `run` at the start of `shared`. */
  constructor(run: KvmRun, shared: Uint8Array) {
    this.#view = run.view;
    this.#shared = shared;
    this.#all = new DataView(shared.buffer, shared.byteOffset, shared.byteLength);
    this.#data = shared.subarray(0, 0);
  }

  /** KVM_EXIT_IO_IN or KVM_EXIT_IO_OUT. */
  get direction(): typeof KVM_EXIT_IO_IN | typeof KVM_EXIT_IO_OUT {
    return this.#view.getUint8(UNION) as typeof KVM_EXIT_IO_IN | typeof KVM_EXIT_IO_OUT;
  }

  /** Bytes of one item: 1, 2 or 4. */
  get size(): number {
    return this.#view.getUint8(UNION + 1);
  }

  /** Port number. */
  get port(): number {
    return this.#view.getUint16(UNION + 2, true);
  }

  /** Number of items: 1 but for string instructions. */
  get count(): number {
    return this.#view.getUint32(UNION + 4, true);
  }

  /** The data itself, `count` times `size` bytes, not a copy: what the guest wrote, or where what it reads goes. */
  get data(): Uint8Array {
    const offset = this.#view.getUint32(UNION + 8, true);
    const length = this.size * this.count;
    const data = this.#data;
    if (data.length === length && data.byteOffset === this.#shared.byteOffset + offset) return data;
    return this.#data = this.#shared.subarray(offset, offset + length);
  }

  /**
   * An item of {@linkcode data} as a number. Makes no object, as {@linkcode data} does when it moves or changes its length.
   * @param item Which one, 0 to {@linkcode count} - 1.
   * @returns Its value, little-endian and unsigned.
   * @throws RangeError when there is no such item.
   */
  readUint(item: number = 0): number {
    const at = this.#at(item);
    switch (this.size) {
      case 1:
        return this.#all.getUint8(at);
      case 2:
        return this.#all.getUint16(at, true);
      default:
        return this.#all.getUint32(at, true);
    }
  }

  /**
   * Sets an item of {@linkcode data}: what the guest reads.
   * @param value Its value; of it, the lower {@linkcode size} bytes count.
   * @param item Which one, 0 to {@linkcode count} - 1.
   * @throws RangeError when there is no such item.
   */
  writeUint(value: number, item: number = 0): void {
    const at = this.#at(item);
    switch (this.size) {
      case 1:
        return this.#all.setUint8(at, value);
      case 2:
        return this.#all.setUint16(at, value, true);
      default:
        return this.#all.setUint32(at, value, true);
    }
  }

  /** Where an item is in `shared`. */
  #at(item: number): number {
    const { count } = this;
    if (!(item >= 0 && item < count)) {
      throw new RangeError(`Cannot use item ${item} of the port data: there are ${count}`);
    }
    return this.#view.getUint32(UNION + 8, true) + item * this.size;
  }
}

/**
 * VMCALL or VMMCALL. Set {@linkcode ret} before the next `run()`.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_HYPERCALL, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0x0f, 0x01, 0xc1, 0xf4)); // vmcall; hlt
 * using vcpu = vm.createVcpu(0);
 * vcpu.setRegs(Object.assign(vcpu.getRegs(), { rax: 5n }));
 * const exit = vcpu.run();
 * if (exit.reason !== KVM_EXIT_HYPERCALL) throw new Error("no hypercall");
 * assertEquals([exit.longmode, exit.args.length], [false, 6]);
 * exit.ret = 42n;
 * vcpu.run();
 * assertEquals(vcpu.getRegs().rax, 42n);
 * ```
 */
export class HypercallExit {
  /** KVM_EXIT_HYPERCALL. */
  readonly reason: typeof KVM_EXIT_HYPERCALL = KVM_EXIT_HYPERCALL;
  readonly #hypercall: KvmRunHypercall;

  /** The exit as told by `run`. */
  constructor(run: KvmRun) {
    this.#hypercall = run.hypercall;
  }

  /** The six argument registers; see `kvm-v12-semantics` for which they are. */
  get args(): U64Array {
    return this.#hypercall.args;
  }

  /** Whether it was called from 64-bit code. */
  get longmode(): boolean {
    return this.#hypercall.longmode !== 0;
  }

  /** What RAX is to be afterwards. */
  get ret(): bigint {
    return this.#hypercall.ret;
  }

  set ret(value: bigint) {
    this.#hypercall.ret = value;
  }
}

/**
 * A breakpoint or single step of `debugGuest`.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_DEBUG, KvmDebugGuest, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0x90, 0xf4)); // nop; hlt
 * using vcpu = vm.createVcpu(0);
 * vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
 * assertEquals(vcpu.run().reason, KVM_EXIT_DEBUG);
 * assertEquals(vcpu.getRegs().rip, 0xfff1n);
 * ```
 */
export class DebugExit {
  /** KVM_EXIT_DEBUG. */
  readonly reason: typeof KVM_EXIT_DEBUG = KVM_EXIT_DEBUG;
}

/**
 * HLT with nothing to deliver; RIP is behind it.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_HLT, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xf4)); // hlt
 * using vcpu = vm.createVcpu(0);
 * assertEquals(vcpu.run().reason, KVM_EXIT_HLT);
 * ```
 */
export class HltExit {
  /** KVM_EXIT_HLT. */
  readonly reason: typeof KVM_EXIT_HLT = KVM_EXIT_HLT;
}

/**
 * An access to an address without memory. For a read, fill {@linkcode data} before the next `run()`.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_MMIO, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xa0, 0x00, 0x80, 0xa2, 0x01, 0x80, 0xf4)); // mov al, [0x8000]; mov [0x8001], al; hlt
 * using vcpu = vm.createVcpu(0);
 * const read = vcpu.run();
 * if (read.reason !== KVM_EXIT_MMIO || read.is_write) throw new Error("no read");
 * read.writeUint(7);
 * const write = vcpu.run();
 * if (write.reason !== KVM_EXIT_MMIO) throw new Error("no write");
 * assertEquals([write.is_write, write.address, write.phys_addr, write.len], [true, 0x8001, 0x8001n, 1]);
 * assertEquals([write.data[0], write.readUint(), write.readBigUint()], [7, 7, 7n]);
 * ```
 */
export class MmioExit {
  /** KVM_EXIT_MMIO. */
  readonly reason: typeof KVM_EXIT_MMIO = KVM_EXIT_MMIO;
  readonly #view: DataView;
  readonly #data: readonly Uint8Array[];

  /** The exit as told by `run`. */
  constructor(run: KvmRun) {
    this.#view = run.view;
    this.#data = Array.from({ length: 9 }, (_, length) => run.bytes.subarray(MMIO_DATA, MMIO_DATA + length));
  }

  /** Guest-physical address. */
  get phys_addr(): bigint {
    return this.#view.getBigUint64(UNION, true);
  }

  /** The same as a number, which is exact: physical addresses have 52 bits. */
  get address(): number {
    return this.#view.getUint32(UNION, true) + this.#view.getUint32(UNION + 4, true) * 0x1_0000_0000;
  }

  /** How many bytes, 1 to 8. */
  get len(): number {
    return this.#view.getUint32(MMIO_LEN, true);
  }

  /** Whether the guest writes. */
  get is_write(): boolean {
    return this.#view.getUint8(MMIO_IS_WRITE) !== 0;
  }

  /** The data itself, `len` bytes, not a copy: what the guest wrote, or where what it reads goes. */
  get data(): Uint8Array {
    return this.#data[Math.min(this.len, 8)];
  }

  /**
   * {@linkcode data} as a number, little-endian and unsigned; makes no object. Of 7 or 8 bytes, a value of 2^53 or more is
   * rounded; {@linkcode readBigUint} is exact.
   */
  readUint(): number {
    const view = this.#view;
    switch (this.len) {
      case 1:
        return view.getUint8(MMIO_DATA);
      case 2:
        return view.getUint16(MMIO_DATA, true);
      case 4:
        return view.getUint32(MMIO_DATA, true);
      default: {
        let value = 0;
        for (let n = Math.min(this.len, 8) - 1; n >= 0; n--) value = value * 256 + view.getUint8(MMIO_DATA + n);
        return value;
      }
    }
  }

  /** {@linkcode data} as a bigint, little-endian and unsigned. */
  readBigUint(): bigint {
    return BigInt.asUintN(8 * Math.min(this.len, 8), this.#view.getBigUint64(MMIO_DATA, true));
  }

  /**
   * Sets {@linkcode data}: what the guest reads.
   * @param value An integer; of it, the lower {@linkcode len} bytes count. A number makes no object.
   */
  writeUint(value: number | bigint): void {
    const view = this.#view;
    if (typeof value === "bigint") return view.setBigUint64(MMIO_DATA, value, true);
    view.setUint32(MMIO_DATA, value, true);
    view.setUint32(MMIO_DATA + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

/**
 * An interrupt could be taken, none is queued, and `request_interrupt_window` was set.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_IRQ_WINDOW_OPEN, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xfb, 0x90, 0x90, 0xf4)); // sti; nop; nop; hlt
 * using vcpu = vm.createVcpu(0);
 * vcpu.kvmRun.request_interrupt_window = 1;
 * assertEquals(vcpu.run().reason, KVM_EXIT_IRQ_WINDOW_OPEN);
 * assertEquals(vcpu.kvmRun.if_flag, 1);
 * ```
 */
export class IrqWindowOpenExit {
  /** KVM_EXIT_IRQ_WINDOW_OPEN. */
  readonly reason: typeof KVM_EXIT_IRQ_WINDOW_OPEN = KVM_EXIT_IRQ_WINDOW_OPEN;
}

/**
 * Triple fault.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_SHUTDOWN, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0x0f, 0x01, 0x1e, 0xf8, 0xff, 0xcc)); // lidt [0xfff8]; int3
 * using vcpu = vm.createVcpu(0);
 * const sregs = vcpu.getSregs();
 * sregs.idt.limit = 0; // no exception can be delivered
 * vcpu.setSregs(sregs);
 * vm.write(0xfffffff0, Uint8Array.of(0xcc)); // int3
 * assertEquals(vcpu.run().reason, KVM_EXIT_SHUTDOWN);
 * ```
 */
export class ShutdownExit {
  /** KVM_EXIT_SHUTDOWN. */
  readonly reason: typeof KVM_EXIT_SHUTDOWN = KVM_EXIT_SHUTDOWN;
}

/**
 * The processor would refuse the state that was set.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_FAIL_ENTRY, openKvm } from "@kvm12/kvm12";
 * import { assertNotEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xf4)); // hlt
 * using vcpu = vm.createVcpu(0);
 * const sregs = vcpu.getSregs();
 * sregs.cr0 = 0x8000_0000n; // paging without protection: no processor can be in this state
 * vcpu.setSregs(sregs);
 * const exit = vcpu.run();
 * if (exit.reason !== KVM_EXIT_FAIL_ENTRY) throw new Error("it ran");
 * assertNotEquals(exit.hardware_entry_failure_reason, 0n);
 * ```
 */
export class FailEntryExit {
  /** KVM_EXIT_FAIL_ENTRY. */
  readonly reason: typeof KVM_EXIT_FAIL_ENTRY = KVM_EXIT_FAIL_ENTRY;
  readonly #run: KvmRun;

  /** The exit as told by `run`. */
  constructor(run: KvmRun) {
    this.#run = run;
  }

  /** Why: a number of the engine's. */
  get hardware_entry_failure_reason(): bigint {
    return this.#run.fail_entry.hardware_entry_failure_reason;
  }
}

/**
 * The run was interrupted by a signal, or the given number of instructions is over; just `run()` again.
 *
 * @example
 * ```ts
 * import { KVM_EXIT_INTR, openKvm } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xeb, 0xfe)); // jmp $
 * using vcpu = vm.createVcpu(0);
 * assertEquals(vcpu.run({ maxInstructions: 1000 }).reason, KVM_EXIT_INTR);
 * ```
 */
export class IntrExit {
  /** KVM_EXIT_INTR. */
  readonly reason: typeof KVM_EXIT_INTR = KVM_EXIT_INTR;
}

/** Why the guest stopped. */
export type VcpuExit =
  | UnknownExit
  | ExceptionExit
  | IoExit
  | HypercallExit
  | DebugExit
  | HltExit
  | MmioExit
  | IrqWindowOpenExit
  | ShutdownExit
  | FailEntryExit
  | IntrExit;

/**
 * The exit objects of one vCPU.
 * @param run Its `kvm_run`.
 * @param shared All that its `mmap` gives; `run` stands at the start of it.
 * @returns One object for each reason, in the order of their numbers.
 */
export function createExits(run: KvmRun, shared: Uint8Array): readonly VcpuExit[] {
  return [
    new UnknownExit(run),
    new ExceptionExit(run),
    new IoExit(run, shared),
    new HypercallExit(run),
    new DebugExit(),
    new HltExit(),
    new MmioExit(run),
    new IrqWindowOpenExit(),
    new ShutdownExit(),
    new FailEntryExit(run),
    new IntrExit(),
  ];
}
