/**
 * KVM_DEBUG_GUEST by way of KVM_SET_GUEST_DEBUG: breakpoints in the processor's debug registers, which the kernel keeps
 * apart from the guest's own.
 * @module
 */

import type { KvmDebugGuest } from "../abi/debug.ts";
import type { Libc } from "./libc.ts";
import {
  GUEST_DEBUG,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_SINGLESTEP,
  KVM_GUESTDBG_USE_HW_BP,
  KVM_SET_GUEST_DEBUG,
} from "./requests.ts";

/** DR7 without breakpoints: one bit is always set. */
const DR7_FIXED = 0x400n;

/** What the host watches of one processor. */
export class GuestDebug {
  readonly #libc: Libc;
  readonly #fd: number;
  #breakpoints: readonly bigint[] = [];
  #stepping = false;
  /** The breakpoint that is not armed although it is wanted. */
  #skipped: bigint | null = null;

  /** @param fd The vCPU. */
  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Whether the processor stops after each instruction. */
  get isStepping(): boolean {
    return this.#stepping;
  }

  /** Whether {@linkcode skip} has to be called before each run. */
  get needsSkip(): boolean {
    return this.#stepping && this.#breakpoints.length > 0;
  }

  /** Sets what is watched. */
  set({ enabled, breakpoints, singlestep }: KvmDebugGuest): void {
    this.#breakpoints = enabled === 0
      ? []
      : breakpoints.filter((breakpoint) => breakpoint.enabled !== 0).map(({ address }) => address);
    this.#stepping = enabled !== 0 && singlestep !== 0;
    this.#skipped = null;
    this.#arm();
  }

  /**
   * Makes a step leave the instruction at `linear` behind, even if a breakpoint is there: version 12 set RF for that,
   * which the kernel's emulator would not look at.
   */
  skip(linear: bigint): void {
    const skipped = this.#breakpoints.includes(linear) ? linear : null;
    if (skipped === this.#skipped) return;
    this.#skipped = skipped;
    this.#arm();
  }

  #arm(): void {
    const armed = this.#breakpoints.filter((address) => address !== this.#skipped);
    const view = new DataView(new ArrayBuffer(GUEST_DEBUG.size));
    let control = 0;
    if (this.#stepping) control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
    if (armed.length > 0) control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
    view.setUint32(GUEST_DEBUG.control, control, true);
    let dr7 = DR7_FIXED;
    armed.forEach((address, n) => {
      view.setBigUint64(GUEST_DEBUG.debugRegisters + 8 * n, address, true);
      dr7 |= 1n << BigInt(2 * n);
    });
    view.setBigUint64(GUEST_DEBUG.debugRegisters + 8 * 7, dr7, true);
    this.#libc.ioctlBytes(this.#fd, KVM_SET_GUEST_DEBUG, new Uint8Array(view.buffer), "debug the guest");
  }
}
