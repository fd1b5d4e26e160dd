/**
 * How the program ends: its exit codes, and the error that carries one.
 * @module
 */

/** The exit codes, apart from those that a guest gives through debug-exit, which are odd. */
export const EXIT: {
  /** The guest powered off, or halted for good. */
  readonly OK: 0;
  /** Input or output failed: a file is missing, not permitted, or not what it must be. */
  readonly IO: 1;
  /** The program was called wrongly. */
  readonly USAGE: 2;
  /** The guest crashed: it shut the processor down. */
  readonly CRASH: 3;
  /** The engine cannot start or go on. */
  readonly ENGINE: 4;
  /** The time given with `--timeout` is over. */
  readonly TIMEOUT: 124;
} = { OK: 0, IO: 1, USAGE: 2, CRASH: 3, ENGINE: 4, TIMEOUT: 124 };

/** An end that one line explains. */
export class CliError extends Error {
  /** `"CliError"`. */
  override readonly name: string = "CliError";
  /** The exit code. */
  readonly exitCode: number;

  /**
   * Makes the error.
   * @param exitCode One of {@linkcode EXIT}.
   * @param message The line, without the program's name.
   */
  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * The error for a wrong call.
 * @param message The line.
 */
export function usageError(message: string): CliError {
  return new CliError(EXIT.USAGE, message);
}

/**
 * One line about whatever was thrown, without a stack and without the noise of the operating system's numbers.
 * @param error What was thrown.
 */
export function lineOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.BrokenPipe) return "nobody reads it any more";
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0].replace(/ \(os error \d+\).*$/, "").replace(/^(.)/, (c) => c.toLowerCase());
}
