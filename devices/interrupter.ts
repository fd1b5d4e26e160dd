/**
 * What a processor's INTR pin is wired to: the 8259 pair, or a local APIC that takes over from it.
 * @module
 */

/** An interrupt controller as its processor sees it. */
export interface Interrupter {
  /** INTR: whether an interrupt waits for the processor. */
  readonly pending: boolean;
  /**
   * The processor takes the interrupt; asked only when it can, and while {@linkcode pending}.
   * @returns The vector, 0..255.
   */
  acknowledge(): number;
  /** Whether nothing can become {@linkcode pending} unless the processor does something before. */
  readonly deaf: boolean;
  /** The processor's task priority, CR8, where the controller has such a register: told before each run, and after it. */
  taskPriority?: number;
  /** Told of the processor's MSR IA32_APIC_BASE after each run, the low 32 bits, where it matters. */
  apicBase?(low: number): void;
}
