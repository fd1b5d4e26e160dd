/**
 * Keeping what a client has of files: paths and flags. Files that have lost their names are lost, too.
 * @module
 */

import { savedBytes, type SavedReader, type SavedState } from "../device.ts";
import { type Fid, FIDS_MOST, type FidTable } from "./fids.ts";
import { HostError, type HostPath, isPlainName } from "./host_files.ts";
import { OpenFile } from "./open_files.ts";

const PATH_MOST = 0x10000;
/** In place of flags. */
const CLOSED = -1, FOLDER = -2;

/** A fid that was kept. */
export interface KeptFid {
  /** Its number. */
  readonly number: number;
  /** Where its file is. */
  readonly path: HostPath;
  /** What is open; for a file, its flags. */
  readonly open?: "folder" | number;
}

/**
 * Keeps all fids.
 * @param fids Where they are.
 */
export function saveFids(fids: FidTable): SavedState[] {
  const states: SavedState[] = [];
  for (const [number, fid] of fids) {
    const path = pathOf(fids, fid);
    if (path === undefined) continue;
    const bytes = new TextEncoder().encode(path.join("/"));
    const flags = fid.open === undefined ? CLOSED : fid.open instanceof OpenFile ? fid.open.flags : FOLDER;
    states.push({ number, flags, length: bytes.length, path: savedBytes(bytes) });
  }
  return states;
}

/**
 * Reads kept fids.
 * @param reader Of the state.
 * @returns The fids.
 * @throws SavedStateError It is not such a state.
 */
export function readFids(reader: SavedReader): KeptFid[] {
  const count = reader.integer("count", { max: FIDS_MOST });
  const kept: KeptFid[] = [];
  for (const each of reader.parts("fids", count)) {
    const number = each.integer("number", { max: 0xffffffff });
    const flags = each.integer("flags", { min: FOLDER, max: 0xffffffff });
    const text = new TextDecoder().decode(each.bytes("path", each.integer("length", { max: PATH_MOST })));
    const path = text === "" ? [] : text.split("/");
    if (!path.every(isPlainName)) continue;
    kept.push({ number, path, open: flags === CLOSED ? undefined : flags === FOLDER ? "folder" : flags });
  }
  return kept;
}

function pathOf(fids: FidTable, { node }: Fid): HostPath | undefined {
  try {
    return fids.tree.path(node);
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}
