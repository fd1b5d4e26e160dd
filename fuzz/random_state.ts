/**
 * Random x87 and SIMD states.
 * @module
 */
import { F32, F64 } from "../core/x86/softfloat/format.ts";
import { Operands } from "../core/x86/softfloat/support_test.ts";
import type { Prng } from "../tests/differential/prng.ts";
import type { NativeMode } from "../tests/host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE } from "../tests/host/state_block.ts";

/** Fills the FXSAVE image of a state block: exceptions are masked, and none waits. */
export function fillFpu(state: DataView, random: Prng, mode: NativeMode): void {
  const o = new Operands(random.u32() | 1), fx = STATE_OFFSET.fxsave;
  const top = random.below(8), used = random.range(2, 8);
  state.setUint16(fx, 0x7f | (random.once(2) ? 0x300 : random.below(16) << 8), true);
  state.setUint16(fx + 2, top << 11 | (random.once(3) ? random.below(64) : 0), true);
  let tags = 0;
  for (let i = 0; i < used; i++) tags |= 1 << (top + i & 7);
  state.setUint8(fx + 4, random.once(4) ? 0xff : tags);
  state.setUint32(
    STATE_OFFSET.mxcsr,
    0x1f80 | (random.once(2) ? 0x20 : random.below(64)) | (random.once(3) ? random.below(8) << 13 : 0),
    true,
  );
  for (let i = 0; i < 8; i++) {
    const v = o.f80();
    state.setBigUint64(STATE_OFFSET.st + i * 16, v.sig, true);
    state.setUint16(STATE_OFFSET.st + i * 16 + 8, v.se, true);
  }
  for (let i = 0; i < (mode === 64 ? 32 : 16); i++) {
    const kind = random.below(3), at = STATE_OFFSET.xmm + i * 8;
    const value = kind === 0 ? o.sse(F64) : kind === 1 ? o.sse(F32) | o.sse(F32) << 32n : random.value();
    state.setBigUint64(at, value, true);
  }
}

/** The same as `struct kvm_fpu`. */
export function fpuOf(random: Prng, mode: NativeMode): Uint8Array {
  const state = new Uint8Array(STATE_SIZE), fpu = new Uint8Array(416), from = STATE_OFFSET.fxsave;
  fillFpu(new DataView(state.buffer), random, mode);
  for (let i = 0; i < 8; i++) fpu.set(state.subarray(from + 32 + i * 16, from + 48 + i * 16), i * 16);
  fpu.set(state.subarray(from, from + 5), 128);
  fpu.set(state.subarray(from + 160, from + 416), 152);
  fpu.set(state.subarray(from + 24, from + 28), 408);
  return fpu;
}
