/**
 * The terminal as the far end of the serial line: keys go to the guest as they are, Ctrl-C too.
 * @module
 */

import { TerminalPrefix } from "./terminal_prefix.ts";

/**
 * What is typed, without Ctrl-A and what follows it. It is read from now on, whether the guest asks for it or not, so that the
 * program can always be left.
 * @param input The terminal's bytes.
 * @param quit Called for Ctrl-A X.
 */
export function typedInput(input: ReadableStream<Uint8Array>, quit: () => void): ReadableStream<Uint8Array> {
  const prefix = new TerminalPrefix(), reader = input.getReader();
  const pump = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const part of prefix.feed(value)) {
          if (part.kind === "bytes") controller.enqueue(part.bytes);
          else if (part.kind === "quit") quit();
        }
      }
      controller.close();
    } catch (error) {
      controller.error(error);
    }
  };
  return new ReadableStream({
    start(controller) {
      pump(controller);
    },
    async cancel() {
      await reader.cancel();
    },
  });
}
