/**
 * The kinds of fuzzing. Another one is another row.
 * @module
 */
import { BYTES } from "./bytes.ts";
import { ENGINE } from "./engine.ts";
import { HOST } from "./host.ts";
import type { Kind } from "./kind.ts";
import { NINEP } from "./ninep.ts";
import { RESTORE } from "./restore.ts";

/** All kinds. */
export const KINDS: readonly Kind[] = [HOST, ENGINE, RESTORE, BYTES, NINEP];
