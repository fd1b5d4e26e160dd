/**
 * The terminal in raw mode, and back on every way out: the end of the program, an exception, Ctrl-C from outside, a closed window.
 * @module
 */

/** What is needed of the host; {@linkcode denoTerminal} is the real one. */
export interface TerminalHost {
  /** Switches raw mode on or off. */
  setRaw(raw: boolean): void;
  /** Writes to the terminal. */
  write(text: string): void;
  /**
   * Listens for signals that end a program, for the end of the program, and for exceptions that nobody catches.
   * @param listener Told the signal, if it was one.
   * @returns Listens no more.
   */
  onEnd(listener: (signal?: Deno.Signal) => void): () => void;
}

/** What {@linkcode RawTerminal} is made from. */
export interface RawTerminalOptions {
  /** The host's terminal. */
  readonly host: TerminalHost;
  /** What is written at the beginning. */
  readonly enter?: string;
  /** What is written at the end, to undo it. */
  readonly leave?: string;
  /** Told that a signal has come, after the terminal is as it was; ends the program. */
  readonly signalled: (signal: Deno.Signal) => void;
}

/** A terminal in raw mode, until it is disposed of. */
export class RawTerminal implements Disposable {
  readonly #host: TerminalHost;
  readonly #leave: string;
  readonly #forget: () => void;
  #raw = true;

  /**
   * Enters raw mode.
   * @param options What it is made from.
   * @throws Error What the host said; the terminal is as it was then.
   */
  constructor(options: RawTerminalOptions) {
    const { host, enter = "", leave = "", signalled } = options;
    this.#host = host;
    this.#leave = leave;
    this.#forget = host.onEnd((signal) => {
      this[Symbol.dispose]();
      if (signal !== undefined) signalled(signal);
    });
    try {
      host.setRaw(true);
      host.write(enter);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Puts the terminal back; without effect the second time. */
  [Symbol.dispose](): void {
    if (!this.#raw) return;
    this.#raw = false;
    this.#forget();
    // A terminal that is gone cannot be put back, and each step is to be tried.
    for (const step of [() => this.#host.write(this.#leave), () => this.#host.setRaw(false)]) {
      try {
        step();
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    }
  }
}

const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const SIGNALS_WINDOWS: readonly Deno.Signal[] = ["SIGINT", "SIGBREAK"];

/** The terminal that the program runs in. */
export const denoTerminal: TerminalHost = {
  setRaw: (raw) => Deno.stdin.setRaw(raw),
  write(text) {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) {
      try {
        done += Deno.stdout.writeSync(bytes.subarray(done));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  },
  onEnd(listener) {
    const signals = Deno.build.os === "windows" ? SIGNALS_WINDOWS : SIGNALS;
    const listeners = signals.map((signal) => ({ signal, handler: () => listener(signal) }));
    for (const { signal, handler } of listeners) Deno.addSignalListener(signal, handler);
    const ended = (): void => listener();
    const events = ["unload", "error", "unhandledrejection"];
    for (const event of events) globalThis.addEventListener(event, ended);
    return () => {
      for (const { signal, handler } of listeners) Deno.removeSignalListener(signal, handler);
      for (const event of events) globalThis.removeEventListener(event, ended);
    };
  },
};
