/**
 * The state block as the structures of `kvm.h`, both ways.
 * @module
 */
import { GuestFault, type Machine, WALK_PROBE } from "../x86/machine.ts";
import * as S from "../x86/state.ts";
import { setSegment } from "../x86/system/segments.ts";
import { walk, WALKED_USER, WALKED_WRITABLE, type WalkResult } from "../x86/system/paging.ts";
import { getFlags, setFlags } from "../x86/system/rflags.ts";
import { setWords } from "../x86/table/x87_environment.ts";

/** Order of general registers in `struct kvm_regs`, as encoding numbers. */
const REGS = [0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
/** Order of segments in `struct kvm_sregs`. */
const SEGMENTS = [S.CS, S.DS, S.ES, S.FS, S.GS, S.SS, S.TR, S.LDTR];
const UNUSABLE = 1 << 16;
const EFER_LMA = 0x400;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many bits are set. */
export function popcount(words: Uint32Array): number {
  let n = 0;
  for (let w of words) for (; w !== 0; w &= w - 1) n++;
  return n;
}

/** `struct kvm_regs` from the state. */
export function getRegs(m: Machine, out: Uint8Array): void {
  const v = view(out);
  REGS.forEach((r, i) => v.setBigUint64(i * 8, m.u64[(S.GPR >> 3) + r], true));
  v.setBigUint64(128, m.u64[S.RIP >> 3], true);
  v.setBigUint64(136, BigInt(getFlags(m)), true);
}

/** The state from `struct kvm_regs`. */
export function setRegs(m: Machine, from: Uint8Array): void {
  const v = view(from);
  REGS.forEach((r, i) => m.u64[(S.GPR >> 3) + r] = v.getBigUint64(i * 8, true));
  m.u64[S.RIP >> 3] = v.getBigUint64(128, true);
  setFlags(m, v.getUint32(136, true));
}

/** `struct kvm_sregs` from the state; `irq` is the bitmap of queued interrupts. */
export function getSregs(m: Machine, out: Uint8Array, irq: Uint32Array): void {
  const v = view(out);
  out.fill(0);
  SEGMENTS.forEach((n, i) => {
    const at = i * 24, s = S.SEG + n * S.SEG_SIZE, attr = m.u32[(s + S.SEG_ATTR) >> 2];
    v.setBigUint64(at, m.u64[(s + S.SEG_BASE) >> 3], true);
    v.setUint32(at + 8, m.u32[(s + S.SEG_LIMIT) >> 2], true);
    v.setUint16(at + 12, m.u16[(s + S.SEG_SELECTOR) >> 1], true);
    const bits = [attr & 15, attr >> 7, attr >> 5 & 3, attr >> 14, attr >> 4, attr >> 13, attr >> 15, attr >> 12];
    bits.forEach((b, k) => out[at + 14 + k] = k === 0 ? b : k === 2 ? b : b & 1);
    out[at + 22] = attr & UNUSABLE ? 1 : 0;
  });
  for (const [at, table] of [[192, S.GDTR], [208, S.IDTR]] as const) {
    v.setBigUint64(at, m.u64[table >> 3], true);
    v.setUint16(at + 8, m.u32[(table + 8) >> 2], true);
  }
  v.setBigUint64(224, BigInt(m.u32[S.CR0 >> 2]), true);
  [S.CR2, S.CR3, S.CR4, S.CR8, S.EFER, S.APIC_BASE].forEach((a, i) => v.setBigUint64(232 + i * 8, m.u64[a >> 3], true));
  irq.forEach((w, i) => v.setUint32(280 + i * 4, w, true));
}

/** The state from `struct kvm_sregs`. */
export function setSregs(m: Machine, from: Uint8Array, irq: Uint32Array): void {
  const v = view(from);
  for (const [at, table] of [[192, S.GDTR], [208, S.IDTR]] as const) {
    m.u64[table >> 3] = v.getBigUint64(at, true);
    m.u32[(table + 8) >> 2] = v.getUint16(at + 8, true);
  }
  m.u64[S.CR0 >> 3] = v.getBigUint64(224, true);
  [S.CR2, S.CR3, S.CR4, S.CR8, S.EFER, S.APIC_BASE].forEach((a, i) =>
    m.u64[a >> 3] = v.getBigUint64(232 + i * 8, true)
  );
  SEGMENTS.forEach((n, i) => {
    const at = i * 24, bit = (k: number) => from[at + k] ? 1 : 0;
    const attr = from[at + 14] & 15 | bit(18) << 4 | (from[at + 16] & 3) << 5 | bit(15) << 7 | bit(21) << 12 |
      bit(19) << 13 | bit(17) << 14 | bit(20) << 15 | (bit(22) ? UNUSABLE : 0);
    setSegment(m, n, {
      selector: v.getUint16(at + 12, true),
      base: v.getBigUint64(at, true),
      limit: v.getUint32(at + 8, true),
      attr,
    });
  });
  irq.forEach((_, i) => irq[i] = v.getUint32(280 + i * 4, true));
}

/** `struct kvm_fpu` from the state. */
export function getFpu(m: Machine, out: Uint8Array): void {
  const v = view(out), top = m.i32[S.FTOP >> 2];
  out.fill(0);
  for (let i = 0; i < 8; i++) {
    const r = S.FPR + ((top + i) & 7) * 16;
    out.set(m.u8.subarray(r, r + 10), i * 16);
  }
  v.setUint16(128, m.u16[S.FCW >> 1], true);
  v.setUint16(130, m.u16[S.FSW >> 1] | top << 11, true);
  out[132] = ~m.i32[S.FEMPTY >> 2] & 0xff;
  v.setUint16(134, m.i32[S.FOP >> 2], true);
  v.setBigUint64(136, m.u64[S.FIP >> 3], true);
  v.setBigUint64(144, m.u64[S.FDP >> 3], true);
  out.set(m.u8.subarray(S.XMM, S.XMM + 256), 152);
  v.setUint32(408, m.u32[S.MXCSR >> 2], true);
}

/** The state from `struct kvm_fpu`. */
export function setFpu(m: Machine, from: Uint8Array): void {
  const v = view(from), fsw = v.getUint16(130, true), top = fsw >> 11 & 7;
  setWords(m, v.getUint16(128, true), fsw);
  m.i32[S.FEMPTY >> 2] = ~from[132] & 0xff;
  m.i32[S.FOP >> 2] = v.getUint16(134, true) & 0x7ff;
  m.u64[S.FIP >> 3] = v.getBigUint64(136, true);
  m.u64[S.FDP >> 3] = v.getBigUint64(144, true);
  for (let i = 0; i < 8; i++) {
    m.u8.set(from.subarray(i * 16, i * 16 + 10), S.FPR + ((top + i) & 7) * 16);
  }
  m.u8.set(from.subarray(152, 408), S.XMM);
  m.u32[S.MXCSR >> 2] = v.getUint32(408, true);
}

/** `struct kvm_translation`: what the page tables say, changing nothing. */
export function translate(m: Machine, t: Uint8Array): void {
  const v = view(t);
  const high = v.getInt32(4, true), long = (m.u32[S.EFER >> 2] & EFER_LMA) !== 0;
  const canonical = !long || (high << 16) >> 16 === high;
  const linear = (long ? high * 0x1_0000_0000 : 0) + v.getUint32(0, true);
  const paging = (m.u32[S.CR0 >> 2] & 0x8000_0000) !== 0;
  const result: WalkResult = { error: 0, flags: WALKED_WRITABLE | WALKED_USER };
  let page = linear - (linear & 4095);
  if (paging && canonical) {
    try {
      page = walk(m, linear, WALK_PROBE, result);
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      page = -1;
    }
  }
  const valid = canonical && page >= 0;
  v.setBigUint64(8, valid ? BigInt(page + (linear & 4095)) : 0xffff_ffff_ffff_ffffn, true);
  t[16] = valid ? 1 : 0;
  t[17] = valid && result.flags & WALKED_WRITABLE ? 1 : 0;
  t[18] = valid && result.flags & WALKED_USER ? 1 : 0;
}

/** Fills the hypercall exit: the arguments as the kernel of the time passed them; the number is in RAX or EBX. */
export function hypercallArguments(m: Machine, run: DataView, long: boolean): void {
  const g = (n: number) => m.u64[(S.GPR >> 3) + n];
  // 64-bit: the number is in RAX, arguments in RDI RSI RDX RCX R8 R9; 32-bit: EBX, then EAX ECX EDX ESI EDI EBP.
  const args = long ? [7, 6, 2, 1, 8, 9].map(g) : [0, 1, 2, 6, 7, 5].map((n) => BigInt.asUintN(32, g(n)));
  args.forEach((a, i) => run.setBigUint64(32 + i * 8, a, true));
  // What RAX becomes if the host program answers nothing: -KVM_EINVAL.
  run.setBigInt64(80, -22n, true);
  run.setUint32(88, long ? 1 : 0, true);
  run.setUint32(92, 0, true);
}
