/**
 * What a kind of fuzzing is.
 * @module
 */

/** Runs cases of one kind. A case is a function of its number alone. */
export interface Fuzzer extends Disposable {
  /**
   * Runs a case.
   * @param number The case, 0 to 2^32 − 1.
   * @returns null if nothing differs, else a report for a human.
   */
  run(number: number): string | null;
}

/** A row of the table of kinds. */
export interface Kind {
  /** Its name on the command line. */
  readonly name: string;
  /** What it compares, in a line. */
  readonly summary: string;
  /** Why it cannot be done here; undefined if it can. */
  missing(): string | undefined;
  /** Makes what it runs on. */
  open(): Fuzzer;
}
