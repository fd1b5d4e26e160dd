/**
 * x87 and SSE state between `struct kvm_fpu` and the kernel's XSAVE area. KVM_GET_FPU and KVM_SET_FPU are still there, but
 * forget MXCSR.
 * @module
 */

import { LAYOUTS } from "../abi/layout.ts";
import { XSAVE } from "./requests.ts";

const FPU = LAYOUTS.kvm_fpu.fields;

/** Where each field of `struct kvm_fpu` is there and in the XSAVE area, and how many bytes it has. */
const FIELDS: readonly (readonly [number, number, number])[] = [
  [FPU.fpr.offset, XSAVE.fpr, FPU.fpr.size],
  [FPU.fcw.offset, XSAVE.fcw, FPU.fcw.size],
  [FPU.fsw.offset, XSAVE.fsw, FPU.fsw.size],
  [FPU.ftwx.offset, XSAVE.ftwx, FPU.ftwx.size],
  [FPU.last_opcode.offset, XSAVE.lastOpcode, FPU.last_opcode.size],
  [FPU.last_ip.offset, XSAVE.lastIp, FPU.last_ip.size],
  [FPU.last_dp.offset, XSAVE.lastDp, FPU.last_dp.size],
  [FPU.xmm.offset, XSAVE.xmm, FPU.xmm.size],
  [FPU.mxcsr.offset, XSAVE.mxcsr, FPU.mxcsr.size],
];

/** Bits of {@linkcode XSAVE.inUse}: x87 and SSE. */
const X87_SSE = 3;

/** Copies x87 and SSE state out of an XSAVE area. */
export function readFpuArea(area: Uint8Array, fpu: Uint8Array): void {
  for (const [to, from, size] of FIELDS) fpu.set(area.subarray(from, from + size), to);
}

/** Copies x87 and SSE state into an XSAVE area and leaves the rest of it. */
export function writeFpuArea(area: Uint8Array, fpu: Uint8Array): void {
  for (const [from, to, size] of FIELDS) area.set(fpu.subarray(from, from + size), to);
  area[XSAVE.inUse] |= X87_SSE;
}
