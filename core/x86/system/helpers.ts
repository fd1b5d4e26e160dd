/**
 * The TypeScript helpers that instructions call by name. Operands and results are in ARG 0 … 5 of the state block; each
 * helper says which. Those marked "sets RIP" end their instruction.
 * @module
 */
import { AC } from "../flags.ts";
import type { Helper, Machine } from "../machine.ts";
import { APIC_BASE, ARG, CR0, CR4, GDTR, IDTR, SEG_BASE, SS, TR, XCR0 } from "../state.ts";
import { LDTR } from "../state.ts";
import { X87_HELPERS } from "../table/x87_helpers.ts";
import { get64, GP, gpr, isCanonical, put32, segment, selectorOf, UD } from "./access.ts";
import { controlAddress, CR0_TS, CR4_FSGSBASE, CR4_OSXSAVE, CR4_PCE, CR4_TSD, setCr0, setXcr0 } from "./control.ts";
import { writeControl } from "./control.ts";
import { debugAddress, writeDebug } from "./debug_registers.ts";
import { afterSwitch, deliver, softwareInterrupt } from "./interrupts.ts";
import { clearInterrupts, setInterrupts } from "./interrupt_flag.ts";
import { input, inputString, output, outputString } from "./io.ts";
import { cpl } from "./mode.ts";
import { readMsr, readTsc, writeMsr } from "./msr.ts";
import { interruptReturn, popFlags, pushedFlags, returnFar } from "./returns.ts";
import { changeFlags } from "./rflags.ts";
import { loadSegment } from "./segments.ts";
import { MSR_SLOTS as N, slot, XCR0_ALLOWED } from "./slots.ts";
import type { StackSize } from "./stack.ts";
import { swapgs, syscall, sysenter, sysexit, sysret } from "./syscall.ts";
import { checkUmip, loadLdt, loadTable, loadTask } from "./tables.ts";
import { farTransfer } from "./transfer.ts";
import { accessRights, segmentLimit, setZero, verify } from "./verify.ts";

const RAX = gpr(0) >> 2, RCX = gpr(1) >> 2, RDX = gpr(2) >> 2;

/** Argument `n`, its low half, unsigned. */
const argument = (m: Machine, n: number): number => m.u32[(ARG + n * 8) >> 2];
/** Its high half, signed. */
const argumentHigh = (m: Machine, n: number): number => m.i32[((ARG + n * 8) >> 2) + 1];
/** Sets a result to 32 bits. */
const result = (m: Machine, n: number, value: number): void => put32(m, ARG + n * 8, value);
/** Sets a result to the 64-bit field at a state address. */
function resultFrom(m: Machine, n: number, at: number): void {
  m.i32[(ARG + n * 8) >> 2] = m.i32[at >> 2];
  m.i32[((ARG + n * 8) >> 2) + 1] = m.i32[(at >> 2) + 1];
}
/** Argument `n` as an operand size of 16, 32 or 64, in bytes. */
const size = (m: Machine, n: number): StackSize => (argument(m, n) >> 3) as StackSize;

/** EDX:EAX, upper halves cleared. */
function setPair(m: Machine, low: number, high: number): void {
  put32(m, gpr(0), low);
  put32(m, gpr(2), high);
}

const leaf = new Uint32Array(4);
/** Leaves whose answer depends on ECX: entries of API version 12 have no index, so only index 0 is there. */
const INDEXED: ReadonlySet<number> = new Set([4, 7, 11, 13]);

/** Leaf 13, index 2: size and place of the upper halves of YMM registers in the XSAVE area. */
const AVX_STATE = [256, 576, 0, 0];

function cpuid(m: Machine): void {
  const n = m.u32[RAX], index = m.u32[RCX];
  if (n === 13 && index === 2 && m.i32[XCR0_ALLOWED >> 2] & 4) leaf.set(AVX_STATE);
  else if (INDEXED.has(n) && index !== 0) leaf.fill(0);
  else m.cpuid(n, index, leaf);
  let [eax, ebx, ecx, edx] = leaf;
  if (n === 1) {
    ecx = ecx & ~(1 << 27) | (m.i32[CR4 >> 2] & CR4_OSXSAVE ? ecx << 1 & 1 << 27 : 0);
    if (!(m.i32[APIC_BASE >> 2] & 0x800)) edx &= ~(1 << 9);
  }
  eax >>>= 0;
  put32(m, gpr(0), eax);
  put32(m, gpr(3), ebx);
  put32(m, gpr(1), ecx);
  put32(m, gpr(2), edx);
}

function timeStamp(m: Machine): void {
  if (m.i32[CR4 >> 2] & CR4_TSD && cpl(m) > 0) m.fault(GP, 0);
  const now = m.ticks(), offset = slot(N.tscOffset) >> 2;
  if (m.i32[offset + 1] === 0 && m.i32[offset] === 0) return setPair(m, now % 0x1_0000_0000, now / 0x1_0000_0000);
  const tsc = readTsc(m);
  setPair(m, Number(tsc & 0xffff_ffffn), Number(tsc >> 32n));
}

function readModelSpecific(m: Machine): void {
  const value = readMsr(m, m.u32[RCX]);
  if (value === undefined) m.fault(GP, 0);
  setPair(m, Number(value & 0xffff_ffffn), Number(value >> 32n));
}

function writeModelSpecific(m: Machine): void {
  if (!writeMsr(m, m.u32[RCX], BigInt(m.u32[RDX]) << 32n | BigInt(m.u32[RAX]))) m.fault(GP, 0);
}

/** INVPCID: every kind forgets more than it must; our translations have no PCID. */
function invalidatePcid(m: Machine): void {
  const kind = argument(m, 0), pcid = argument(m, 1), linear = get64(m, ARG + 16);
  if (kind > 3 || argumentHigh(m, 0) !== 0 || (kind < 2 && (argumentHigh(m, 1) !== 0 || pcid > 0xfff))) m.fault(GP, 0);
  if (kind < 2 && pcid !== 0 && !(m.i32[CR4 >> 2] & 0x2_0000)) m.fault(GP, 0);
  if (kind > 0) return m.flushTlb(kind !== 3);
  if (!isCanonical(linear)) m.fault(GP, 0);
  m.flushPage(linear);
}

/** FS and GS base instructions: ARG 0 is the segment number; writing, ARG 1 the value. */
function segmentBase(m: Machine, write: boolean): void {
  if (!(m.i32[CR4 >> 2] & CR4_FSGSBASE)) m.fault(UD);
  const at = segment(argument(m, 0)) + SEG_BASE;
  if (!write) return resultFrom(m, 0, at);
  if (!isCanonical(get64(m, ARG + 8))) m.fault(GP, 0);
  m.i32[at >> 2] = m.i32[(ARG + 8) >> 2];
  m.i32[(at >> 2) + 1] = argumentHigh(m, 1);
}

/** MOV and POP to a segment register. */
function moveSegment(m: Machine): void {
  const n = argument(m, 0);
  if (n === 1 || n > 5) m.fault(UD);
  loadSegment(m, n, argument(m, 1) & 0xffff);
  if (n === SS) m.shadow();
}

/** LMSW: PE can be set but not cleared. */
function loadStatusWord(m: Machine): void {
  const old = m.i32[CR0 >> 2];
  setCr0(m, old & ~0xe | argument(m, 0) & 0xf, 0);
}

function extendedControl(m: Machine): void {
  if (!(m.i32[CR4 >> 2] & CR4_OSXSAVE)) m.fault(UD);
  if (m.i32[RCX] !== 0) m.fault(GP, 0);
}

/** RDRAND and RDSEED: ARG 0 is the width; results are the number, and 1 for CF. */
function randomNumber(m: Machine): void {
  const width = argument(m, 0), low = m.random();
  m.i32[ARG >> 2] = width === 16 ? low & 0xffff : low;
  m.i32[(ARG >> 2) + 1] = width === 64 ? m.random() : 0;
  result(m, 1, 1);
}

function accessCheck(m: Machine): void {
  if (cpl(m) !== 0) m.fault(UD);
  changeFlags(m, AC, argument(m, 0) ? AC : 0);
}

function hypercall(m: Machine): void {
  if (cpl(m) !== 0) m.fault(UD);
  m.hypercall();
}

/** Helpers by the names that rows use. */
export const HELPERS: Readonly<Record<string, Helper>> = {
  // Interrupts; all set RIP.
  /** Vector. */
  int: (m) => softwareInterrupt(m, argument(m, 0) & 0xff),
  int1: (m) => deliver(m, 1, "int1", -1),
  int3: (m) => deliver(m, 3, "software", -1),
  into: (m) => deliver(m, 4, "software", -1),
  /** Operand size. */
  iret: (m) => afterSwitch(m, () => interruptReturn(m, size(m, 0))),

  // Far transfers; all set RIP.
  /** Selector, offset, operand size. */
  jmp_far: (m) => afterSwitch(m, () => farTransfer(m, false, argument(m, 0), get64(m, ARG + 8), size(m, 2))),
  call_far: (m) => afterSwitch(m, () => farTransfer(m, true, argument(m, 0), get64(m, ARG + 8), size(m, 2))),
  /** Operand size, bytes to release. */
  ret_far: (m) => returnFar(m, size(m, 0), argument(m, 1) & 0xffff),
  syscall,
  /** Operand size. */
  sysret: (m) => sysret(m, argument(m, 0) === 64),
  sysenter,
  sysexit: (m) => sysexit(m, argument(m, 0) === 64),

  // Segments and tables.
  /** Number, selector. MOV and POP of SS hold interrupts off for an instruction, LSS does not. */
  mov_to_segment: moveSegment,
  load_segment: (m) => loadSegment(m, argument(m, 0), argument(m, 1) & 0xffff),
  /** Segment number; result: selector. */
  mov_from_segment: (m) => {
    const n = argument(m, 0);
    if (n > 5) m.fault(UD);
    result(m, 0, selectorOf(m, n));
  },
  lldt: (m) => loadLdt(m, argument(m, 0) & 0xffff),
  ltr: (m) => loadTask(m, argument(m, 0) & 0xffff),
  /** Limit, base. */
  lgdt: (m) => loadTable(m, GDTR, argument(m, 0), argument(m, 1), argumentHigh(m, 1)),
  lidt: (m) => loadTable(m, IDTR, argument(m, 0), argument(m, 1), argumentHigh(m, 1)),
  /** #GP(0) for user programs under UMIP. */
  umip: checkUmip,
  /** Results: selector. */
  sldt: (m) => {
    checkUmip(m);
    result(m, 0, selectorOf(m, LDTR));
  },
  str: (m) => {
    checkUmip(m);
    result(m, 0, selectorOf(m, TR));
  },
  /** Selector; results: value, whether valid. Sets ZF. */
  lar: (m) => lookUp(m, accessRights(m, argument(m, 0) & 0xffff)),
  lsl: (m) => lookUp(m, segmentLimit(m, argument(m, 0) & 0xffff)),
  verr: (m) => setZero(m, verify(m, argument(m, 0) & 0xffff, false)),
  verw: (m) => setZero(m, verify(m, argument(m, 0) & 0xffff, true)),
  /** Destination, source; result: destination. Sets ZF. */
  arpl: (m) => {
    const to = argument(m, 0), rpl = argument(m, 1) & 3, lower = (to & 3) < rpl;
    setZero(m, lower);
    result(m, 0, lower ? to & ~3 | rpl : to);
  },
  swapgs,
  read_base: (m) => segmentBase(m, false),
  write_base: (m) => segmentBase(m, true),

  // Control, debug and model-specific registers.
  /** Number; result: value. */
  mov_from_cr: (m) => resultFrom(m, 0, controlAddress(m, argument(m, 0))),
  /** Number, value. */
  mov_to_cr: (m) => writeControl(m, argument(m, 0), argument(m, 1) | 0, argumentHigh(m, 1)),
  mov_from_dr: (m) => resultFrom(m, 0, debugAddress(m, argument(m, 0))),
  mov_to_dr: (m) => writeDebug(m, argument(m, 0), argument(m, 1) | 0, argumentHigh(m, 1)),
  lmsw: loadStatusWord,
  smsw: (m) => {
    checkUmip(m);
    resultFrom(m, 0, CR0);
  },
  clts: (m) => {
    m.i32[CR0 >> 2] &= ~CR0_TS;
  },
  xgetbv: (m) => {
    extendedControl(m);
    setPair(m, m.i32[XCR0 >> 2], m.i32[(XCR0 >> 2) + 1]);
  },
  xsetbv: (m) => {
    extendedControl(m);
    setXcr0(m, m.i32[RAX], m.i32[RDX]);
  },
  rdmsr: readModelSpecific,
  wrmsr: writeModelSpecific,
  rdtsc: timeStamp,
  rdtscp: (m) => {
    timeStamp(m);
    put32(m, gpr(1), m.i32[slot(N.tscAux) >> 2]);
  },
  rdpid: (m) => resultFrom(m, 0, slot(N.tscAux)),
  rdpmc: (m) => {
    if ((!(m.i32[CR4 >> 2] & CR4_PCE) && cpl(m) > 0) || m.u32[RCX] > 3) m.fault(GP, 0);
    setPair(m, 0, 0);
  },
  cpuid,
  /** Offset in the instruction's segment. */
  invlpg: (m) => {
    const linear = get64(m, ARG) + get64(m, m.segment + SEG_BASE);
    if (isCanonical(linear)) m.flushPage(linear);
  },
  /** Kind, PCID, linear address. */
  invpcid: invalidatePcid,

  // Flags.
  /** Operand size; result: image. */
  pushf: (m) => result(m, 0, pushedFlags(m, size(m, 0))),
  /** Image, operand size. */
  popf: (m) => popFlags(m, argument(m, 0) | 0, size(m, 1)),
  cli: clearInterrupts,
  sti: setInterrupts,
  /** AC: 1 STAC, 0 CLAC. */
  set_ac: accessCheck,

  // Ports.
  /** Port, size; result: value. */
  in: (m) => {
    const value = input(m, argument(m, 0) & 0xffff, argument(m, 1));
    if (value < 0) return false;
    result(m, 0, value);
  },
  /** Port, size, value. */
  out: (m) => output(m, argument(m, 0) & 0xffff, argument(m, 1), argument(m, 2)) ? undefined : false,
  /** Size, address size, whether repeated; set RIP. */
  ins: inputString,
  outs: outputString,

  hlt: (m) => m.halt(),
  hypercall,
  rdrand: randomNumber,
  rdseed: randomNumber,

  ...X87_HELPERS,
};

function lookUp(m: Machine, value: number): void {
  setZero(m, value >= 0);
  result(m, 0, value);
  result(m, 1, value >= 0 ? 1 : 0);
}
