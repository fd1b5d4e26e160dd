/**
 * Numbers, sizes and key lists as people write them on a command line.
 * @module
 */

import { usageError } from "./errors.ts";

const UNITS: Readonly<Record<string, bigint>> = { "": 1n, k: 1n << 10n, m: 1n << 20n, g: 1n << 30n };

/** Between which values a number must be, both allowed. */
export interface NumberRange {
  /** The least. */
  readonly min?: bigint;
  /** The most. */
  readonly max: bigint;
}

/**
 * A whole number: decimal or 0x, with K, M or G for 2^10, 2^20, 2^30.
 * @param what What it is, for the message.
 * @param text The number.
 * @param range Between which values it must be.
 * @throws CliError It is no such number.
 */
export function parseBigint(what: string, text: string, { min = 0n, max }: NumberRange): bigint {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmg]?)$/i.exec(text);
  if (match === null) {
    throw usageError(`Cannot use '${text}' as ${what}: it must be a number such as 4096, 0x1000 or 4K`);
  }
  const value = BigInt(match[1]) * UNITS[match[2].toLowerCase()];
  if (value < min || value > max) {
    throw usageError(`Cannot use '${text}' as ${what}: it must be 0x${min.toString(16)} to 0x${max.toString(16)}`);
  }
  return value;
}

/**
 * The same for numbers below 2^53.
 * @param what What it is, for the message.
 * @param text The number.
 * @param range Between which values it must be.
 * @throws CliError It is no such number.
 */
export function parseNumber(
  what: string,
  text: string,
  range: { readonly min?: number; readonly max: number },
): number {
  return Number(parseBigint(what, text, { min: BigInt(range.min ?? 0), max: BigInt(range.max) }));
}

/**
 * A number of seconds, with a decimal fraction if need be.
 * @param what What it is, for the message.
 * @param text The number.
 * @throws CliError It is not above 0 or more than a year.
 */
export function parseSeconds(what: string, text: string): number {
  const value = /^[0-9]+(\.[0-9]+)?$|^\.[0-9]+$/.test(text) ? Number(text) : NaN;
  if (!(value > 0 && value <= 31_536_000)) {
    throw usageError(`Cannot use '${text}' as ${what}: it must be seconds above 0, such as 10 or 0.5`);
  }
  return value;
}

/** What a {@linkcode parseKeys} list may hold. */
export interface KeyList {
  /** Keys with a value. */
  readonly keys: readonly string[];
  /** Keys without one. */
  readonly flags?: readonly string[];
  /** Which keys must be there. */
  readonly required: readonly string[];
}

/**
 * A list `key=value,flag,…`.
 * @param option The option it belongs to, for the message.
 * @param text The list.
 * @param list Which keys there are.
 * @returns The values by key; a flag that is there has the value `""`.
 * @throws CliError A key is unknown, given twice, missing, or without its value.
 */
export function parseKeys(option: string, text: string, list: KeyList): ReadonlyMap<string, string> {
  const fail = (state: string): Error => usageError(`Cannot use '${text}' for ${option}: ${state}`);
  const values = new Map<string, string>();
  for (const part of text.split(",")) {
    const [, key, equals, value] = /^([^=]*)(=?)(.*)$/s.exec(part)!;
    const isFlag = list.flags?.includes(key) ?? false;
    if (!isFlag && !list.keys.includes(key)) {
      throw fail(`there is no '${key}', only ${[...list.keys, ...list.flags ?? []].join(", ")}`);
    }
    if (values.has(key)) throw fail(`'${key}' is there twice`);
    if (isFlag && equals !== "") throw fail(`'${key}' takes no value`);
    if (!isFlag && value === "") throw fail(`'${key}' needs a value`);
    values.set(key, value);
  }
  const missing = list.required.find((key) => !values.has(key));
  if (missing !== undefined) throw fail(`'${missing}' is missing`);
  return values;
}
