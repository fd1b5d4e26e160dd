/**
 * Shared folders, found and checked.
 * @module
 */

import { DenoFiles } from "../devices/ninep/deno_files.ts";
import { HostError } from "../devices/ninep/host_files.ts";
import type { PcOptions } from "../devices/pc.ts";
import { CliError, EXIT, lineOf } from "./errors.ts";
import { needPermission } from "./host.ts";
import type { ShareOption } from "./share_options.ts";

/** What a folder is called in messages. */
const WHAT = "the shared folder";

/**
 * Finds the folders.
 * @param shares Which.
 * @param note Told what the user should know, a line each.
 * @returns What the board is to have.
 * @throws CliError One of them cannot be shared.
 */
export function openShares(
  shares: readonly ShareOption[],
  note: (line: string) => void,
): NonNullable<PcOptions["shares"]> {
  return shares.map(({ tag, folder, readonly }) => {
    needPermission(WHAT, "read", folder);
    const noLinks = (): void =>
      note(
        `no symbolic links can be made in '${folder}': Deno wants --allow-read and --allow-write without a path for them`,
      );
    try {
      // Where a link leads has permissions of its own.
      const place = Deno.realPathSync(folder);
      needPermission(WHAT, "read", place);
      if (!readonly) needPermission(WHAT, "write", place);
      const files = new DenoFiles(folder, { noLinks });
      return { tag, readonly, files, failed: (error) => note(`${WHAT} '${folder}': ${lineOf(error)}`) };
    } catch (error) {
      if (error instanceof CliError) throw error;
      const cause = error instanceof HostError ? error.cause ?? error : error;
      throw new CliError(EXIT.IO, `Cannot share '${folder}': ${lineOf(cause)}`);
    }
  });
}
