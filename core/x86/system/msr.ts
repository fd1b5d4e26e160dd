/**
 * Model-specific registers. Those that hold a plain value are slots of the state block; the rest live where they act.
 * Unknown ones do not exist: RDMSR and WRMSR raise #GP, GET_MSRS and SET_MSRS stop. Source: SDM volume 4.
 * @module
 */
import type { Machine } from "../machine.ts";
import { APIC_BASE, EFER, FS, GS, SEG_BASE } from "../state.ts";
import { segment } from "./access.ts";
import { setEfer } from "./control.ts";
import { MSR_SLOTS as N, slot } from "./slots.ts";

/** IA32_TSC. */
export const MSR_TSC = 0x10;
/** IA32_EFER. */
export const MSR_EFER = 0xc000_0080;

/** A register: how it reads, and how it takes a value (false for #GP). */
interface Register {
  readonly read: (m: Machine) => bigint | undefined;
  readonly write: (m: Machine, value: bigint) => boolean;
  /** How it takes a value from the host program, where that differs: one that was saved is put back, and nothing else. */
  readonly restore?: (m: Machine, value: bigint) => boolean;
  /** Whether save and restore need it. */
  readonly state: boolean;
}

const REGISTERS: Map<number, Register> = new Map();

function define(index: number, r: Register): void {
  REGISTERS.set(index, r);
}

/** A value that is kept if `check` permits it. */
function kept(index: number, at: number, check: (value: bigint, m: Machine) => boolean = () => true): void {
  define(index, {
    state: true,
    read: (m) => m.u64[at >> 3],
    write: (m, value) => {
      if (!check(value, m)) return false;
      m.u64[at >> 3] = value;
      return true;
    },
  });
}

/** A constant that cannot be written. */
function fixed(index: number, value: bigint): void {
  define(index, { state: false, read: () => value, write: () => false });
}

/** A register whose value is of no consequence: writes are ignored, reads give a constant. */
function ignored(index: number, value: bigint = 0n): void {
  define(index, { state: false, read: () => value, write: () => true });
}

/** A register that bit 0 of what is written makes do something, which here is nothing. */
function command(index: number, feature: string): void {
  define(index, {
    state: false,
    read: () => undefined,
    write: (m, value) => m.has(feature) && (value & ~1n) === 0n,
  });
}

/**
 * IA32_ARCH_CAPABILITIES: the processor has none of the faults that software works around. RDCL_NO 0, IBRS_ALL 1,
 * SKIP_L1DFL_VMENTRY 3, SSB_NO 4, MDS_NO 5, IF_PSCHANGE_MC_NO 6, TAA_NO 8, SBDR_SSDP_NO 13, FBSDP_NO 14, PSDP_NO 15,
 * BHI_NO 20, PBRSB_NO 24, GDS_NO 26, RFDS_NO 27, ITS_NO 62.
 */
const ARCH_CAPABILITIES = [0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62].reduce(
  (v, n) => v | 1n << BigInt(n),
  0n,
);

const canonical = (v: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, v)) === v;
const below = (mask: bigint) => (v: bigint): boolean => (v & ~mask) === 0n;
const U32 = 0xffff_ffffn;

/** The time-stamp counter. */
export function readTsc(m: Machine): bigint {
  return BigInt.asUintN(64, BigInt(m.ticks()) + m.u64[slot(N.tscOffset) >> 3]);
}

/** Makes the time-stamp counter show a value; gives its new offset. */
function setTsc(m: Machine, value: bigint): bigint {
  return m.u64[slot(N.tscOffset) >> 3] = BigInt.asUintN(64, value - BigInt(m.ticks()));
}

define(MSR_TSC, {
  state: true,
  read: readTsc,
  write: (m, value) => {
    const old = m.u64[slot(N.tscOffset) >> 3], next = setTsc(m, value), adjust = slot(N.tscAdjust) >> 3;
    m.u64[adjust] = BigInt.asUintN(64, m.u64[adjust] + next - old);
    return true;
  },
  restore: (m, value) => {
    setTsc(m, value);
    return true;
  },
});
define(0x3b, { // IA32_TSC_ADJUST
  state: true,
  read: (m) => m.u64[slot(N.tscAdjust) >> 3],
  write: (m, value) => {
    const adjust = slot(N.tscAdjust) >> 3, offset = slot(N.tscOffset) >> 3;
    m.u64[offset] = BigInt.asUintN(64, m.u64[offset] + value - m.u64[adjust]);
    m.u64[adjust] = value;
    return true;
  },
  restore: (m, value) => {
    m.u64[slot(N.tscAdjust) >> 3] = value;
    return true;
  },
});
kept(0x6e0, slot(N.tscDeadline));

define(MSR_EFER, {
  state: true,
  read: (m) => m.u64[EFER >> 3],
  write: (m, value) => setEfer(m, Number(value & U32) | 0, Number(value >> 32n)),
});
kept(0xc000_0081, slot(N.star));
kept(0xc000_0082, slot(N.lstar), canonical);
kept(0xc000_0083, slot(N.cstar), canonical);
kept(0xc000_0084, slot(N.sfmask), below(U32));
kept(0xc000_0100, segment(FS) + SEG_BASE, canonical);
kept(0xc000_0101, segment(GS) + SEG_BASE, canonical);
kept(0xc000_0102, slot(N.kernelGsBase), canonical);
kept(0xc000_0103, slot(N.tscAux), below(U32));

kept(0x174, slot(N.sysenterCs), below(U32));
kept(0x175, slot(N.sysenterEsp), canonical);
kept(0x176, slot(N.sysenterEip), canonical);

// IA32_APIC_BASE: BSP 8, x2APIC 10, enable 11, address from 12; x2APIC is not offered.
kept(0x1b, APIC_BASE, (v) => (v & 0x6ffn) === 0n && v < 1n << 52n);
// IA32_FEATURE_CONTROL: once bit 0 is set, it stays as it is.
kept(0x3a, slot(N.featureControl), (v, m) => {
  const old = m.u64[slot(N.featureControl) >> 3];
  return v === old || ((old & 1n) === 0n && v <= 0x1f_ffffn);
});
kept(0x8b, slot(N.microcode));
ignored(0x79); // IA32_BIOS_UPDT_TRIG
kept(0x1a0, slot(N.miscEnable));
kept(0x1d9, slot(N.debugControl), below(3n));

kept(0x277, slot(N.pat), (v) => {
  for (let i = 0n; i < 64n; i += 8n) if (![0n, 1n, 4n, 5n, 6n, 7n].includes(v >> i & 0xffn)) return false;
  return true;
});
fixed(0xfe, 0x508n); // IA32_MTRRCAP: eight variable ranges, fixed ranges, write-combining.
// Nothing is executed speculatively here: IA32_SPEC_CTRL keeps IBRS, STIBP and SSBD, and the commands have nothing to do.
kept(0x48, slot(N.specCtrl), (v, m) => v === 0n || m.has("spec_ctrl") && below(7n)(v));
command(0x49, "spec_ctrl"); // IA32_PRED_CMD
command(0x10b, "flush_l1d"); // IA32_FLUSH_CMD
define(0x10a, { // IA32_ARCH_CAPABILITIES
  state: false,
  read: (m) => m.has("arch_capabilities") ? ARCH_CAPABILITIES : undefined,
  write: () => false,
});
kept(0x2ff, slot(N.mtrrDefType), (v) => (v & ~0xcffn) === 0n && memoryType(v & 0xffn));
for (let i = 0; i < 16; i++) {
  const mask = i % 2 === 1;
  kept(0x200 + i, slot(N.mtrrVariable + i), (v) => v < 1n << 52n && (mask ? (v & 0x7ffn) === 0n : typeOk(v)));
}
[0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f].forEach((index, i) => {
  kept(index, slot(N.mtrrFixed + i), (v) => {
    for (let b = 0n; b < 64n; b += 8n) if (!memoryType(v >> b & 0xffn)) return false;
    return true;
  });
});

function memoryType(v: bigint): boolean {
  return [0n, 1n, 4n, 5n, 6n].includes(v);
}

function typeOk(v: bigint): boolean {
  return (v & 0xf00n) === 0n && memoryType(v & 0xffn);
}

// Machine check: four banks, with a control register.
fixed(0x179, 0x104n);
kept(0x17a, slot(N.mcgStatus));
kept(0x17b, slot(N.mcgControl), (v) => v === 0n || v === (1n << 64n) - 1n);
for (let i = 0; i < 16; i++) kept(0x400 + i, slot(N.machineCheck + i));

// What kernels touch at boot and need no effect.
ignored(0x17); // IA32_PLATFORM_ID
ignored(0x2a); // EBL_CR_POWERON
fixed(0xce, 0n); // MSR_PLATFORM_INFO
fixed(0xcd, 3n); // MSR_FSB_FREQ
fixed(0x34, 0n); // MSR_SMI_COUNT
for (let i = 0; i < 4; i++) {
  ignored(0xc1 + i); // performance counters
  ignored(0x186 + i); // event selectors
}
fixed(0x198, 0x1000_0400n); // IA32_PERF_STATUS
ignored(0x199); // IA32_PERF_CTL
ignored(0x19a);
ignored(0x19b);
fixed(0x19c, 0x8800_0000n); // IA32_THERM_STATUS
ignored(0x1b0); // IA32_ENERGY_PERF_BIAS
fixed(0x1db, 0n); // last branch records: none
fixed(0x1dc, 0n);
fixed(0x1dd, 0n);
fixed(0x1de, 0n);
ignored(0x1fc); // MSR_POWER_CTL
ignored(0xc001_0010); // AMD SYSCFG
ignored(0xc001_0015, 1n << 24n); // AMD HWCR: TscFreqSel
ignored(0xc001_001f); // AMD NB_CFG
fixed(0xc001_0140, 0n); // AMD OSVW
fixed(0xc001_0141, 0n);

/** The MSRs that hold state, in ascending order: what GET_MSR_INDEX_LIST answers. */
export const MSR_INDEX_LIST: readonly number[] = [...REGISTERS].filter(([, r]) => r.state).map(([index]) => index)
  .sort((a, b) => a - b);

/** The value of an MSR; undefined if there is none of that number. */
export function readMsr(m: Machine, index: number): bigint | undefined {
  return REGISTERS.get(index >>> 0)?.read(m);
}

/** Sets an MSR; false if there is none, or it refuses the value. */
export function writeMsr(m: Machine, index: number, value: bigint): boolean {
  return REGISTERS.get(index >>> 0)?.write(m, BigInt.asUintN(64, value)) ?? false;
}

/**
 * Sets an MSR as KVM_SET_MSRS does; false if there is none, or it refuses the value. IA32_TSC and IA32_TSC_ADJUST, which
 * move each other when the guest writes them, do not then.
 */
export function restoreMsr(m: Machine, index: number, value: bigint): boolean {
  const r = REGISTERS.get(index >>> 0);
  return (r?.restore ?? r?.write)?.(m, BigInt.asUintN(64, value)) ?? false;
}
