/**
 * Control registers: what may be set when, and what follows from it. Source: SDM volume 3, section 2.5; volume 2, MOV.
 * @module
 */
import type { Machine } from "../machine.ts";
import { VM } from "../flags.ts";
import {
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  CS,
  EFER,
  FPU_FLAT,
  FPU_FOLLOWS,
  GDTR,
  IDTR,
  RFLAGS,
  RIP,
  TR,
  XCR0,
} from "../state.ts";
import { attributesOf, get64, GP, isCanonical, put32, UD } from "./access.ts";
import { ATTR_DB, ATTR_L, EFER_LMA, is64, isLong } from "./mode.ts";
import { TSS16_BUSY } from "./descriptors.ts";
import { loadPdptes } from "./paging.ts";
import { deriveAll } from "./segments.ts";
import { CR4_ALLOWED, EFER_ALLOWED, PHYSICAL_HIGH, PSE36_LIMIT, XCR0_ALLOWED } from "./slots.ts";

/** CR0.PE. */
export const CR0_PE = 1;
/** CR0.MP. */
export const CR0_MP = 2;
/** CR0.TS. */
export const CR0_TS = 8;
const CR0_ET = 0x10, CR0_WP = 0x1_0000, CR0_NW = 0x2000_0000, CR0_CD = 0x4000_0000, CR0_PG = 0x8000_0000 | 0;
/** The bits of CR0 that exist. */
const CR0_BITS = 0xe005_003f | 0;

/** CR4.VME. */
export const CR4_VME = 1;
/** CR4.PVI. */
export const CR4_PVI = 2;
/** CR4.TSD. */
export const CR4_TSD = 4;
/** CR4.DE. */
export const CR4_DE = 8;
const CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_PGE = 0x80;
/** CR4.PCE. */
export const CR4_PCE = 0x100;
/** CR4.UMIP. */
export const CR4_UMIP = 0x800;
/** CR4.FSGSBASE. */
export const CR4_FSGSBASE = 0x1_0000;
const CR4_PCIDE = 0x2_0000;
/** CR4.OSXSAVE. */
export const CR4_OSXSAVE = 0x4_0000;
const CR4_SMEP = 0x10_0000, CR4_SMAP = 0x20_0000;

const EFER_SCE = 1, EFER_LME = 0x100, EFER_NXE = 0x800, EFER_FFXSR = 0x4000;

/** CR4 bits and the CPUID feature that offers each; "" for those that any CPUID does. */
const CR4_FEATURES: readonly (readonly [bit: number, feature: string])[] = [
  [CR4_VME, "vme"],
  [CR4_PVI, "vme"],
  [CR4_TSD, "tsc"],
  [CR4_DE, "de"],
  [CR4_PSE, "pse"],
  [CR4_PAE, "pae"],
  [0x40, "mce"],
  [CR4_PGE, "pge"],
  [CR4_PCE, "mmx"],
  [0x200, "fxsr"],
  [0x400, "sse"],
  [CR4_UMIP, "umip"],
  [CR4_FSGSBASE, "fsgsbase"],
  [CR4_PCIDE, "pcid"],
  [CR4_OSXSAVE, "xsave"],
  [CR4_SMEP, "smep"],
  [CR4_SMAP, "smap"],
];

/** Bits of CR4 and EFER that exist, whatever CPUID offers. */
const CR4_KNOWN = CR4_FEATURES.reduce((all, [bit]) => all | bit, 0);
const EFER_KNOWN = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR;

/** Recomputes what the state keeps of CPUID: to be called when CPUID entries were set, and at reset. */
export function cpuidChanged(m: Machine): void {
  const { i32 } = m;
  let cr4 = 0;
  for (const [bit, feature] of CR4_FEATURES) if (m.has(feature)) cr4 |= bit;
  i32[CR4_ALLOWED >> 2] = cr4;
  i32[EFER_ALLOWED >> 2] = (m.has("syscall") ? EFER_SCE : 0) | (m.has("lm") ? EFER_LME | EFER_LMA : 0) |
    (m.has("nx") ? EFER_NXE : 0) | (m.has("fxsr_opt") ? EFER_FFXSR : 0);
  i32[FPU_FOLLOWS >> 2] = m.has("fdp_excptn") ? 0 : 1;
  i32[FPU_FLAT >> 2] = m.has("fpu_cs_ds") ? 1 : 0;
  i32[XCR0_ALLOWED >> 2] = m.has("avx") ? 7 : 3;
  const width = physicalWidth(m);
  i32[PHYSICAL_HIGH >> 2] = 0xf_ffff & ~((1 << Math.max(0, width - 32)) - 1);
  i32[PSE36_LIMIT >> 2] = m.has("pse36") ? 1 << Math.min(8, Math.max(0, width - 32)) : 1;
}

/** MAXPHYADDR: from CPUID leaf 80000008, else 36 with PAE or PSE-36, else 32. */
function physicalWidth(m: Machine): number {
  const out = new Uint32Array(4);
  m.cpuid(0x8000_0000, 0, out);
  if (out[0] >= 0x8000_0008 && out[0] < 0x8000_ffff) {
    m.cpuid(0x8000_0008, 0, out);
    const width = out[0] & 0xff;
    if (width >= 32 && width <= 52) return width;
  }
  return m.has("pae") || m.has("pse36") ? 36 : 32;
}

/** Sets CR0 as MOV CR0 does; faults with #GP(0). */
export function setCr0(m: Machine, low: number, high: number): void {
  const { i32 } = m, old = i32[CR0 >> 2];
  if (high !== 0 || (low & CR0_PG && !(low & CR0_PE)) || (low & CR0_NW && !(low & CR0_CD))) m.fault(GP, 0);
  const next = low & CR0_BITS | CR0_ET, changed = old ^ next;
  if (changed & CR0_PG) {
    if (next & CR0_PG) enablePaging(m);
    else disablePaging(m);
  }
  if (pdptesNeeded(m, next, i32[CR4 >> 2]) && changed & (CR0_PG | CR0_CD | CR0_NW)) reloadPdptes(m);
  i32[CR0 >> 2] = next;
  if (changed & (CR0_PG | CR0_WP | CR0_PE)) m.flushTlb(true);
  if (changed & CR0_PE) deriveAll(m);
  m.modeChanged();
}

function enablePaging(m: Machine): void {
  const { i32 } = m;
  if (!(i32[EFER >> 2] & EFER_LME)) return;
  if (!(i32[CR4 >> 2] & CR4_PAE) || attributesOf(m, CS) & ATTR_L || (attributesOf(m, TR) & 15) <= TSS16_BUSY) {
    m.fault(GP, 0);
  }
  i32[EFER >> 2] |= EFER_LMA;
}

function disablePaging(m: Machine): void {
  const { i32 } = m;
  if (is64(m) || i32[CR4 >> 2] & CR4_PCIDE) m.fault(GP, 0);
  i32[EFER >> 2] &= ~EFER_LMA;
}

function pdptesNeeded(m: Machine, cr0: number, cr4: number): boolean {
  return (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0 && !isLong(m);
}

function reloadPdptes(m: Machine): void {
  if (!loadPdptes(m, m.i32[CR3 >> 2])) m.fault(GP, 0);
}

/** Sets CR3 as MOV CR3 does; faults with #GP(0). */
export function setCr3(m: Machine, low: number, high: number): void {
  const { i32 } = m;
  if (isLong(m)) {
    if (i32[CR4 >> 2] & CR4_PCIDE) high &= 0x7fff_ffff;
    if (high & (i32[PHYSICAL_HIGH >> 2] | 0xfff0_0000)) m.fault(GP, 0);
  } else high = 0;
  if (pdptesNeeded(m, i32[CR0 >> 2], i32[CR4 >> 2]) && !loadPdptes(m, low)) m.fault(GP, 0);
  i32[CR3 >> 2] = low;
  i32[(CR3 >> 2) + 1] = high;
  m.flushTlb(false);
}

/** Sets CR4 as MOV CR4 does; faults with #GP(0). */
export function setCr4(m: Machine, low: number, high: number): void {
  const { i32 } = m, old = i32[CR4 >> 2], changed = old ^ low;
  if (high !== 0 || low & ~i32[CR4_ALLOWED >> 2]) m.fault(GP, 0);
  if (isLong(m) && !(low & CR4_PAE)) m.fault(GP, 0);
  if (changed & low & CR4_PCIDE && (!isLong(m) || i32[CR3 >> 2] & 0xfff)) m.fault(GP, 0);
  if (pdptesNeeded(m, i32[CR0 >> 2], low) && changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) reloadPdptes(m);
  i32[CR4 >> 2] = low;
  i32[(CR4 >> 2) + 1] = 0;
  if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE)) m.flushTlb(true);
  m.modeChanged();
}

/** Sets CR8; faults with #GP(0). */
export function setCr8(m: Machine, low: number, high: number): void {
  if (high !== 0 || low & ~15) m.fault(GP, 0);
  put32(m, CR8, low);
}

/** Sets EFER; false for #GP. */
export function setEfer(m: Machine, low: number, high: number): boolean {
  const { i32 } = m, old = i32[EFER >> 2];
  if (high !== 0 || low & ~i32[EFER_ALLOWED >> 2]) return false;
  if ((old ^ low) & EFER_LME && i32[CR0 >> 2] & CR0_PG) return false;
  i32[EFER >> 2] = low & ~EFER_LMA | old & EFER_LMA;
  i32[(EFER >> 2) + 1] = 0;
  if ((old ^ low) & EFER_NXE) m.flushTlb(true);
  m.modeChanged();
  return true;
}

/** Sets XCR0; faults with #GP(0). */
export function setXcr0(m: Machine, low: number, high: number): void {
  if (high !== 0 || !(low & 1) || low & ~m.i32[XCR0_ALLOWED >> 2] || (low & 6) === 4) m.fault(GP, 0);
  put32(m, XCR0, low);
}

/** MOV to CRn; operands are the register number and the value. */
export function writeControl(m: Machine, n: number, low: number, high: number): void {
  switch (n) {
    case 0:
      return setCr0(m, low, high);
    case 2:
      m.i32[CR2 >> 2] = low;
      m.i32[(CR2 >> 2) + 1] = high;
      return;
    case 3:
      return setCr3(m, low, high);
    case 4:
      return setCr4(m, low, high);
    case 8:
      return setCr8(m, low, high);
    default:
      m.fault(UD);
  }
}

/** State address of CRn; faults with #UD if there is none. */
export function controlAddress(m: Machine, n: number): number {
  switch (n) {
    case 0:
      return CR0;
    case 2:
      return CR2;
    case 3:
      return CR3;
    case 4:
      return CR4;
    case 8:
      return CR8;
    default:
      return m.fault(UD);
  }
}

/** What {@linkcode checkState} answers, as `hardware_entry_failure_reason` of KVM_EXIT_FAIL_ENTRY. */
export const IMPOSSIBLE = {
  /** CR0.PG without PE, or NW without CD, or a bit above 31. */
  cr0: 1,
  /** CR3 beyond MAXPHYADDR. */
  cr3: 2,
  /** A CR4 bit that CPUID does not offer, or long mode without PAE, or PCIDE outside long mode. */
  cr4: 3,
  /** An EFER bit that CPUID does not offer, or LMA that is not LME and CR0.PG. */
  efer: 4,
  /** CS with both L and D in long mode. Outside, L means nothing, and a guest can load it. */
  cs: 5,
  /** VM set in real or long mode. */
  rflags: 6,
  /** RIP not canonical, or above 4 GiB outside 64-bit mode. */
  rip: 7,
  /** A descriptor table base that is not canonical. */
  table: 8,
} as const;

/**
 * Whether the processor could be in the state as it is: looked at when RUN begins.
 * @returns 0, or a value of {@linkcode IMPOSSIBLE} that names the first impossible field.
 */
export function checkState(m: Machine): number {
  const { i32 } = m;
  const cr0 = i32[CR0 >> 2], cr4 = i32[CR4 >> 2], efer = i32[EFER >> 2], cs = attributesOf(m, CS);
  if ((cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)) || i32[(CR0 >> 2) + 1]) {
    return IMPOSSIBLE.cr0;
  }
  // What the guest could not set because its CPUID lacks it, the host program may: CPUID is what the guest is told.
  if (efer & ~EFER_KNOWN || i32[(EFER >> 2) + 1]) return IMPOSSIBLE.efer;
  const long = (efer & EFER_LMA) !== 0;
  if (long !== ((efer & EFER_LME) !== 0 && (cr0 & CR0_PG) !== 0)) return IMPOSSIBLE.efer;
  if (cr4 & ~CR4_KNOWN || i32[(CR4 >> 2) + 1]) return IMPOSSIBLE.cr4;
  if (long ? !(cr4 & CR4_PAE) : (cr4 & CR4_PCIDE) !== 0) return IMPOSSIBLE.cr4;
  if (i32[(CR3 >> 2) + 1] & (i32[PHYSICAL_HIGH >> 2] | 0xfff0_0000)) return IMPOSSIBLE.cr3;
  if (long && cs & ATTR_L && cs & ATTR_DB) return IMPOSSIBLE.cs;
  if (i32[RFLAGS >> 2] & VM && (long || !(cr0 & CR0_PE))) return IMPOSSIBLE.rflags;
  if (long && cs & ATTR_L ? !isCanonical(get64(m, RIP)) : i32[(RIP >> 2) + 1] !== 0) return IMPOSSIBLE.rip;
  if (!isCanonical(get64(m, GDTR)) || !isCanonical(get64(m, IDTR))) return IMPOSSIBLE.table;
  return 0;
}

/**
 * To be called after the host program has replaced registers: access bounds of the segments follow CR0.PE and VM, PAE
 * loads its PDPTEs (a table that would fault leaves the old ones).
 */
export function stateReplaced(m: Machine): void {
  deriveAll(m);
  if (pdptesNeeded(m, m.i32[CR0 >> 2], m.i32[CR4 >> 2])) loadPdptes(m, m.i32[CR3 >> 2]);
  m.flushTlb(true);
  m.modeChanged();
}
