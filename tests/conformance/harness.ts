/**
 * What the conformance cases are made of: guest code as listings, guests, and expectations on exits. A case needs nothing
 * but an open `Kvm`, so it runs on every backend.
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type ErrnoName,
  type Kvm,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_NAMES,
  KvmError,
  type KvmExitReason,
  KvmRegs,
  type KvmSregs,
  type StructInit,
  type Vcpu,
  type VcpuExit,
  type Vm,
} from "../../mod.ts";

/** What a case asks of a backend beyond the plainest; the real device may lack it, see `probes.ts`. */
export type Need =
  | "interrupts"
  | "exceptions"
  | "soft-int"
  | "debug"
  | "hypercall"
  | "long"
  | "paging32"
  | "fpu"
  | "late-rip"
  | "vector-limit"
  | "prompt"
  | "budget"
  | "user64"
  | "checked-late"
  | "own-leaves"
  | "far-leaves";

/** One case of the suite. */
export interface Case {
  /** "call() criterion". */
  readonly name: string;
  /** What the backend must be able to do. */
  readonly needs?: readonly Need[];
  /** The exit that it is about, where its name does not tell. */
  readonly exit?: KvmExitReason;
  /** Throws where the backend is wrong. */
  readonly run: (kvm: Kvm) => void;
}

/** Guest code with its source beside it. */
export interface Listing {
  /** The machine code. */
  readonly bytes: Uint8Array;
  /** The assembly, for NASM. */
  readonly source: string;
  /** 16, 32 or 64. */
  readonly bits: number;
}

/** Every listing made so far, for the test that assembles them. */
export const LISTINGS: Listing[] = [];

/**
 * Guest code from lines `bytes ; assembly`.
 * @param text The lines; bytes in hexadecimal, assembly for NASM, a label may stand alone behind its semicolon.
 * @param bits The code size.
 * @returns The code.
 */
export function code(text: string, bits: 16 | 32 | 64 = 16): Listing {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const hex = lines.flatMap((line) => line.split(";")[0].trim().split(/\s+/)).filter((byte) => byte !== "");
  const listing = {
    bytes: Uint8Array.from(hex, (byte) => parseInt(byte, 16)),
    source: lines.map((line) => line.slice(line.indexOf(";") + 1).trim()).join("\n"),
    bits,
  };
  LISTINGS.push(listing);
  return listing;
}

/** Where the code of a guest is. */
export const CODE = 0x1000;
/** Bytes of slot 0, from address 0 on: interrupt vectors, code, page tables, stack. */
export const LOW_MEMORY = 0x10000;
/** Where DS and ES begin in a {@linkcode Guest} in real mode: cases put memory, aliases or nothing there. */
export const DATA = 0x20000;
/** A page. */
export const PAGE = 4096;

/** Far more than any case needs: an engine that goes astray is stopped (the software engine; the real device is not). */
const LIMIT = { maxInstructions: 5_000_000 };

/** How a guest starts. */
export interface GuestOptions {
  /** Registers; RIP, RSP and RFLAGS are set unless given. */
  readonly regs?: StructInit<KvmRegs>;
  /** Changes to segments and control registers. */
  readonly sregs?: (sregs: KvmSregs) => void;
  /** Pages of slot 1 at {@linkcode DATA}; none if left out. */
  readonly data?: number;
  /** Flags of slot 1. */
  readonly flags?: number;
  /** `real` (default), `protected`: flat 32-bit, `long`: 64-bit with the first gigabyte mapped to itself. */
  readonly mode?: "real" | "protected" | "long";
}

/** Makes the segments flat and the mode 32-bit protected. */
export function flatProtected(sregs: KvmSregs): void {
  for (const name of ["cs", "ds", "es", "fs", "gs", "ss"] as const) {
    const type = name === "cs" ? 11 : 3;
    Object.assign(sregs[name], { base: 0n, limit: 0xffffffff, selector: name === "cs" ? 8 : 16, type, present: 1 });
    Object.assign(sregs[name], { dpl: 0, db: 1, s: 1, l: 0, g: 1, unusable: 0 });
  }
  sregs.cr0 |= 1n;
}

/** Writes 64-bit words into guest memory. */
export function poke(vm: Vm, gpa: number, words: readonly bigint[]): void {
  vm.write(gpa, new Uint8Array(BigUint64Array.from(words).buffer));
}

/** Makes the mode 64-bit; the tables at 0x8000 map the first gigabyte to itself. */
export function longMode(vm: Vm, sregs: KvmSregs): void {
  flatProtected(sregs);
  Object.assign(sregs.cs, { l: 1, db: 0 });
  poke(vm, 0x8000, [0x9003n]);
  poke(vm, 0x9000, [0xa003n]);
  poke(vm, 0xa000, Array.from({ length: 512 }, (_, n) => BigInt(n) << 21n | 0x83n));
  sregs.cr3 = 0x8000n;
  sregs.cr4 |= 0x20n;
  sregs.efer |= 0x500n;
  sregs.cr0 |= 0x80000001n;
}

/** A VM with one processor at the start of its code. */
export class Guest implements Disposable {
  readonly vm: Vm;
  readonly vcpu: Vcpu;

  constructor(kvm: Kvm, listing: Listing, options: GuestOptions = {}) {
    this.vm = kvm.createVm();
    region(this.vm, 0, 0, LOW_MEMORY);
    if (options.data !== undefined) region(this.vm, 1, DATA, options.data * PAGE, options.flags);
    this.vm.write(CODE, listing.bytes);
    this.vcpu = this.vm.createVcpu(0);
    const sregs = this.vcpu.getSregs();
    Object.assign(sregs.cs, { base: 0n, selector: 0 });
    Object.assign(sregs.ss, { base: 0n, selector: 0 });
    for (const name of ["ds", "es"] as const) Object.assign(sregs[name], { base: BigInt(DATA), selector: DATA >> 4 });
    if (options.mode === "protected") flatProtected(sregs);
    if (options.mode === "long") longMode(this.vm, sregs);
    options.sregs?.(sregs);
    this.vcpu.setSregs(sregs);
    this.vcpu.setRegs(new KvmRegs({ rip: CODE, rsp: 0xf000, rflags: 2, ...options.regs }));
  }

  /** The registers now. */
  get regs(): KvmRegs {
    return this.vcpu.getRegs();
  }

  /** Runs to the next exit. */
  run(): VcpuExit {
    return this.vcpu.run(LIMIT);
  }

  /** Runs, and expects an exit for `reason`. */
  expect<R extends KvmExitReason>(reason: R): Extract<VcpuExit, { reason: R }> {
    const exit = this.run();
    if (exit.reason !== reason) {
      const { rip } = this.regs;
      const detail = "hardware_exit_reason" in exit ? ` (${exit.hardware_exit_reason})` : "";
      throw new Error(
        `expected ${KVM_EXIT_NAMES[reason]}, got ${KVM_EXIT_NAMES[exit.reason]}${detail} at RIP 0x${rip.toString(16)}`,
      );
    }
    return exit as Extract<VcpuExit, { reason: R }>;
  }

  /** Runs, and expects HLT. */
  expectHlt(): void {
    this.expect(KVM_EXIT_HLT);
  }

  /** Puts the guest back to the start of its code, with other registers changed as given: this also ends HLT. */
  restart(changes: StructInit<KvmRegs> = {}): void {
    this.vcpu.setRegs(Object.assign(this.regs, { rip: CODE }, changes));
  }

  /** Expects port output of one item. */
  expectOut(port: number, size: number, value: number): void {
    const exit = this.expect(KVM_EXIT_IO);
    assertEquals([exit.direction, exit.port, exit.size, exit.count], [KVM_EXIT_IO_OUT, port, size, 1]);
    assertEquals(littleEndian(exit.data), value);
  }

  /** Expects port input of one item, and answers it. */
  expectIn(port: number, size: number, answer: readonly number[]): void {
    const exit = this.expect(KVM_EXIT_IO);
    assertEquals([exit.direction, exit.port, exit.size, exit.count], [KVM_EXIT_IO_IN, port, size, 1]);
    exit.data.set(answer);
  }

  /** Lets real-mode interrupt `vector` go to `segment`:`offset`. */
  setVector(vector: number, offset: number, segment: number = 0): void {
    this.vm.write(vector * 4, new Uint8Array(Uint16Array.of(offset, segment).buffer));
  }

  [Symbol.dispose](): void {
    this.vm[Symbol.dispose]();
  }
}

/** RFLAGS with interrupts on. */
export const IF = 0x202;

/** An interrupt handler that tells of itself on port 0x21. */
export const HANDLER: Listing = code(`
  e6 21 ; out 0x21, al
  cf    ; iret
`);

/** Lets {@linkcode HANDLER} handle `vectors` in real mode. */
export function handle(guest: Guest, ...vectors: number[]): void {
  guest.vm.write(0x2000, HANDLER.bytes);
  for (const vector of vectors) guest.setVector(vector, 0x2000);
}

/** The value of up to 6 bytes. */
export function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

/** KVM_SET_MEMORY_REGION. */
export function region(vm: Vm, slot: number, gpa: number | bigint, size: number | bigint, flags: number = 0): void {
  vm.setMemoryRegion({ slot, flags, guest_phys_addr: gpa, memory_size: size });
}

/** KVM_SET_MEMORY_ALIAS. */
export function alias(
  vm: Vm,
  slot: number,
  gpa: number | bigint,
  size: number | bigint,
  target: number | bigint,
): void {
  vm.setMemoryAlias({ slot, guest_phys_addr: gpa, memory_size: size, target_phys_addr: target });
}

/** Expects `call` to fail with `code`. */
export function refuses(code: ErrnoName, call: () => unknown): void {
  assertEquals(assertThrows(call, KvmError, "Cannot ").code, code);
}

/** The bits that are set in a bitmap. */
export function bits(bitmap: Uint8Array): number[] {
  return [...bitmap].flatMap((byte, n) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte >> bit & 1).map((b) => n * 8 + b)
  );
}
