/**
 * Shared folders on the command line: `--share`, and the part of QEMU's `-virtfs` that means the same.
 * @module
 */

import { TAG_MOST } from "../devices/virtio/virtio_9p.ts";
import type { Arguments, OptionRow } from "./arguments.ts";
import { usageError } from "./errors.ts";
import { parseKeys } from "./values.ts";

/** A shared folder. */
export interface ShareOption {
  /** What the guest finds it by. */
  readonly tag: string;
  /** Path of the folder. */
  readonly folder: string;
  /** Whether the guest can change nothing. */
  readonly readonly: boolean;
}

/** The most shares. */
export const SHARES_MOST = 8;

/** The options. */
export const SHARE_OPTIONS: readonly OptionRow[] = [
  {
    name: "share",
    value: "TAG=DIR[,readonly]",
    repeat: true,
    help:
      "show the guest a folder: in Linux, mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt; needs --allow-read=DIR and, unless readonly, --allow-write=DIR. May be repeated",
  },
  {
    name: "virtfs",
    value: "local,path=DIR,mount_tag=TAG,security_model=none[,readonly=on]",
    repeat: true,
    help: "the same, as QEMU has it",
  },
];

/**
 * Understands the options of shared folders.
 * @param parsed The command line.
 * @throws CliError They are wrong.
 */
export function parseShares({ values }: Arguments): ShareOption[] {
  const shares = [...(values.get("share") ?? []).map(parseShare), ...(values.get("virtfs") ?? []).map(parseVirtfs)];
  for (const [n, { tag }] of shares.entries()) {
    const { length } = new TextEncoder().encode(tag);
    if (length > TAG_MOST) throw usageError(`Cannot share as '${tag}': a tag has at most ${TAG_MOST} bytes`);
    if (shares.findIndex((each) => each.tag === tag) !== n) throw usageError(`Cannot share twice as '${tag}'`);
  }
  if (shares.length > SHARES_MOST) {
    throw usageError(`Cannot share ${shares.length} folders: ${SHARES_MOST} are the most`);
  }
  return shares;
}

function parseShare(text: string): ShareOption {
  const match = /^([^=,]+)=(.+?)(,readonly)?$/s.exec(text);
  if (match === null) throw usageError(`Cannot use '${text}' for --share: it must be TAG=DIR or TAG=DIR,readonly`);
  return { tag: match[1], folder: match[2], readonly: match[3] !== undefined };
}

function parseVirtfs(text: string): ShareOption {
  const keys = parseKeys("--virtfs", text, {
    keys: ["path", "mount_tag", "security_model", "readonly", "id"],
    flags: ["local"],
    required: ["local", "path", "mount_tag", "security_model"],
  });
  const model = keys.get("security_model"), readonly = keys.get("readonly") ?? "off";
  if (model !== "none" || (readonly !== "on" && readonly !== "off")) {
    throw usageError(`Cannot use '${text}' for --virtfs: security_model is none, and readonly is on or off`);
  }
  return { tag: keys.get("mount_tag")!, folder: keys.get("path")!, readonly: readonly === "on" };
}
