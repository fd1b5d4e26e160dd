/**
 * The command `kvm12`: runs raw images on the software engine or on `/dev/kvm`.
 *
 *     deno run --allow-read=IMAGE cli.ts run IMAGE
 *
 * @module
 */

import { main } from "./cli/main.ts";
import { denoTerminal } from "./cli/terminal_mode.ts";

if (import.meta.main) {
  Deno.exit(
    await main(Deno.args, {
      stdout: Deno.stdout,
      stderr: Deno.stderr,
      get stdin(): ReadableStream<Uint8Array> {
        return Deno.stdin.readable;
      },
      terminal: Deno.stdin.isTerminal() && Deno.stdout.isTerminal() ? denoTerminal : undefined,
    }),
  );
}
