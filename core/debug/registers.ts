/**
 * The registers that gdb sees, in its order: one table for i386 and one for x86-64, from which the target description and
 * the register packets are made.
 *
 * The features `org.gnu.gdb.i386.core`, `.sse` and `.segments` have the registers that gdb prescribes. The system registers
 * stand behind them in a feature of our own, with the names that QEMU gives them.
 * @module
 */

import type { KvmFpu } from "../../mod.ts";
import { type CpuState, setSelector } from "./cpu_state.ts";

/** The two target descriptions. */
export type GdbArchitecture = "i386" | "i386:x86-64";

/** The features of a target description. */
export type RegisterFeature = "core" | "sse" | "segments" | "system";

/** A register as gdb sees it. */
export interface RegisterRow {
  /** Its name. */
  readonly name: string;
  /** Its size in bits, a multiple of 8. */
  readonly bits: number;
  /** Its type in the target description. */
  readonly type: string;
  /** The feature it belongs to. */
  readonly feature: RegisterFeature;
  /** What gdb groups it by, where its default is not right. */
  readonly group?: string;
  /** Reads it: a number, or its bytes. */
  readonly get: (state: CpuState) => bigint | Uint8Array;
  /** Sets it; returns false if it cannot have that value. */
  readonly set: (state: CpuState, value: bigint, bytes: Uint8Array) => boolean | void;
}

type GeneralName =
  | "rax"
  | "rbx"
  | "rcx"
  | "rdx"
  | "rsi"
  | "rdi"
  | "rbp"
  | "rsp"
  | "rip"
  | `r${8 | 9}`
  | `r1${0 | 1 | 2 | 3 | 4 | 5}`;
type SelectorName = "cs" | "ss" | "ds" | "es" | "fs" | "gs";

const SELECTORS: readonly SelectorName[] = ["cs", "ss", "ds", "es", "fs", "gs"];
const LONG: readonly GeneralName[] = [
  ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11"] as const,
  ...["r12", "r13", "r14", "r15", "rip"] as const,
];
const SHORT: readonly GeneralName[] = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "rip"];

function general(name: GeneralName, bits: 32 | 64): RegisterRow {
  const short = `e${name.slice(1)}`;
  const pointer = name === "rsp" || name === "rbp";
  return {
    name: bits === 64 ? name : short,
    bits,
    type: name === "rip" ? "code_ptr" : pointer ? "data_ptr" : bits === 64 ? "int64" : "int32",
    feature: "core",
    get: ({ regs }) => regs[name],
    // What gdb does not see of a register stays as it is.
    set: ({ regs }, value) => {
      regs[name] = bits === 64 ? value : regs[name] >> 32n << 32n | value;
    },
  };
}

function flags(): RegisterRow {
  return {
    name: "eflags",
    bits: 32,
    type: "i386_eflags",
    feature: "core",
    get: ({ regs }) => regs.rflags,
    set: ({ regs }, value) => {
      regs.rflags = value | 2n;
    },
  };
}

function selector(name: SelectorName): RegisterRow {
  return {
    name,
    bits: 32,
    type: "int32",
    feature: "core",
    get: ({ sregs }) => BigInt(sregs[name].selector),
    set: (state, value) => setSelector(state, state.sregs[name], Number(value & 0xffffn)),
  };
}

function x87(): RegisterRow[] {
  const stack = Array.from({ length: 8 }, (_, n): RegisterRow => ({
    name: `st${n}`,
    bits: 80,
    type: "i387_ext",
    feature: "core",
    get: ({ fpu }) => fpu.fpr[n].slice(0, 10),
    set: ({ fpu }, _value, bytes) => fpu.fpr[n].set(bytes.subarray(0, 10)),
  }));
  const control = (
    name: string,
    get: (fpu: KvmFpu) => bigint | number,
    set: (fpu: KvmFpu, value: bigint) => void,
  ): RegisterRow => ({
    name,
    bits: 32,
    type: "int",
    feature: "core",
    group: "float",
    get: ({ fpu }) => BigInt(get(fpu)),
    set: ({ fpu }, value) => set(fpu, value),
  });
  const absent = (): void => {};
  return [
    ...stack,
    control("fctrl", (fpu) => fpu.fcw, (fpu, value) => fpu.fcw = Number(value & 0xffffn)),
    control("fstat", (fpu) => fpu.fsw, (fpu, value) => fpu.fsw = Number(value & 0xffffn)),
    control("ftag", fullTags, (fpu, value) => fpu.ftwx = shortTags(Number(value & 0xffffn))),
    // Version 12 has 64-bit addresses in place of selectors and offsets.
    control("fiseg", () => 0, absent),
    control("fioff", (fpu) => fpu.last_ip & 0xffffffffn, (fpu, value) => {
      fpu.last_ip = fpu.last_ip >> 32n << 32n | value;
    }),
    control("foseg", () => 0, absent),
    control("fooff", (fpu) => fpu.last_dp & 0xffffffffn, (fpu, value) => {
      fpu.last_dp = fpu.last_dp >> 32n << 32n | value;
    }),
    control("fop", (fpu) => fpu.last_opcode, (fpu, value) => fpu.last_opcode = Number(value & 0x7ffn)),
  ];
}

/** The tag word of FNSTENV, two bits a register: 0 valid, 1 zero, 2 special, 3 empty. */
function fullTags(fpu: KvmFpu): number {
  const top = fpu.fsw >> 11 & 7;
  let tags = 0;
  for (let physical = 0; physical < 8; physical++) {
    const value = fpu.fpr[physical - top & 7];
    const exponent = (value[8] | value[9] << 8) & 0x7fff;
    const isZero = exponent === 0 && value.subarray(0, 8).every((byte) => byte === 0);
    const isNormal = exponent !== 0 && exponent !== 0x7fff && (value[7] & 0x80) !== 0;
    const tag = (fpu.ftwx >> physical & 1) === 0 ? 3 : isZero ? 1 : isNormal ? 0 : 2;
    tags |= tag << 2 * physical;
  }
  return tags;
}

/** The same as FXSAVE has it: one bit a register, 1 where it is not empty. */
function shortTags(tags: number): number {
  let short = 0;
  for (let physical = 0; physical < 8; physical++) if ((tags >> 2 * physical & 3) !== 3) short |= 1 << physical;
  return short;
}

function sse(count: 8 | 16): RegisterRow[] {
  const vectors = Array.from({ length: count }, (_, n): RegisterRow => ({
    name: `xmm${n}`,
    bits: 128,
    type: "vec128",
    feature: "sse",
    get: ({ fpu }) => fpu.xmm[n].slice(),
    set: ({ fpu }, _value, bytes) => fpu.xmm[n].set(bytes),
  }));
  return [...vectors, {
    name: "mxcsr",
    bits: 32,
    type: "i386_mxcsr",
    feature: "sse",
    group: "vector",
    get: ({ fpu }) => BigInt(fpu.mxcsr),
    set: ({ fpu }, value) => {
      fpu.mxcsr = Number(value);
    },
  }];
}

function base(name: SelectorName, bits: 32 | 64, feature: RegisterFeature): RegisterRow {
  return {
    name: `${name}_base`,
    bits,
    type: bits === 64 ? "int64" : "int32",
    feature,
    get: ({ sregs }) => sregs[name].base,
    set: ({ sregs }, value) => {
      sregs[name].base = value;
    },
  };
}

function control(name: "cr0" | "cr2" | "cr3" | "cr4" | "cr8" | "efer", bits: 32 | 64, type?: string): RegisterRow {
  return {
    name,
    bits,
    type: type ?? (bits === 64 ? "int64" : "int32"),
    feature: "system",
    get: ({ sregs }) => sregs[name],
    set: ({ sregs }, value) => {
      sregs[name] = value;
    },
  };
}

function table(name: "gdt" | "idt", bits: 32 | 64): RegisterRow[] {
  const type = bits === 64 ? "int64" : "int32";
  return [
    {
      name: `${name}_base`,
      bits,
      type,
      feature: "system",
      get: ({ sregs }) => sregs[name].base,
      set: ({ sregs }, value) => {
        sregs[name].base = value;
      },
    },
    {
      name: `${name}_limit`,
      bits: 32,
      type: "int32",
      feature: "system",
      get: ({ sregs }) => BigInt(sregs[name].limit),
      set: ({ sregs }, value) => {
        sregs[name].limit = Number(value & 0xffffn);
      },
    },
  ];
}

function task(name: "tr" | "ldt"): RegisterRow {
  return {
    name,
    bits: 32,
    type: "int32",
    feature: "system",
    get: ({ sregs }) => BigInt(sregs[name].selector),
    set: ({ sregs }, value) => sregs[name].selector === Number(value & 0xffffn),
  };
}

function system(bits: 32 | 64): RegisterRow[] {
  const bases = bits === 64 ? SELECTORS.filter((name) => name !== "fs" && name !== "gs") : SELECTORS;
  const kernelGs: RegisterRow = {
    name: "k_gs_base",
    bits: 64,
    type: "int64",
    feature: "system",
    get: (state) => state.kernelGsBase ?? 0n,
    set: (state, value) => {
      state.kernelGsBase = value;
    },
  };
  return [
    ...bases.map((name) => base(name, bits, "system")),
    ...bits === 64 ? [kernelGs] : [],
    control("cr0", bits, "x86_cr0"),
    control("cr2", bits),
    control("cr3", bits),
    control("cr4", bits, "x86_cr4"),
    control("cr8", bits),
    control("efer", bits, "x86_efer"),
    ...table("gdt", bits),
    ...table("idt", bits),
    task("tr"),
    task("ldt"),
  ];
}

/** The registers of each description, in the order of their numbers. */
export const REGISTERS: Readonly<Record<GdbArchitecture, readonly RegisterRow[]>> = {
  "i386": [
    ...SHORT.map((name) => general(name, 32)),
    flags(),
    ...SELECTORS.map(selector),
    ...x87(),
    ...sse(8),
    ...system(32),
  ],
  "i386:x86-64": [
    ...LONG.map((name) => general(name, 64)),
    flags(),
    ...SELECTORS.map(selector),
    ...x87(),
    ...sse(16),
    base("fs", 64, "segments"),
    base("gs", 64, "segments"),
    ...system(64),
  ],
};

/** The value of a register as its bytes, least significant first. */
export function readRegister(row: RegisterRow, state: CpuState): Uint8Array {
  const value = row.get(state);
  if (typeof value !== "bigint") return value;
  const bytes = new Uint8Array(row.bits / 8);
  for (let n = 0; n < bytes.length; n++) bytes[n] = Number(value >> BigInt(8 * n) & 0xffn);
  return bytes;
}

/**
 * Sets a register from its bytes.
 * @returns Whether it can have that value.
 */
export function writeRegister(row: RegisterRow, state: CpuState, bytes: Uint8Array): boolean {
  if (bytes.length !== row.bits / 8) return false;
  let value = 0n;
  for (let n = bytes.length - 1; n >= 0; n--) value = value << 8n | BigInt(bytes[n]);
  return row.set(state, value, bytes) ?? true;
}
