/**
 * CPUID leaves from a file: a JSON list of objects with the keys of `kvm_cpuid_entry`, numbers or texts such as "0x1".
 * @module
 */

import { CliError, EXIT, lineOf } from "./errors.ts";
import { readFile } from "./host.ts";
import type { CpuidLeaf } from "./options.ts";

const LARGEST_FILE = 2 ** 20;
const KEYS = ["function", "eax", "ebx", "ecx", "edx"] as const;

/**
 * Reads such a file.
 * @param path Its path.
 * @returns The leaves in their order.
 * @throws CliError It cannot be read, or is not such a list.
 */
export function readCpuidFile(path: string): CpuidLeaf[] {
  const { bytes, more } = readFile("the CPUID file", path, LARGEST_FILE);
  try {
    if (more) throw new Error(`it is larger than ${LARGEST_FILE} bytes`);
    return parseCpuidJson(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new CliError(EXIT.IO, `Cannot use the CPUID file '${path}': ${lineOf(error)}`);
  }
}

/**
 * Understands the text of such a file.
 * @param text The JSON.
 * @returns The leaves in their order.
 * @throws Error It is not such a list.
 */
export function parseCpuidJson(text: string): CpuidLeaf[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  if (!Array.isArray(list)) throw new Error("it is not a list");
  return list.map((entry: unknown, index): CpuidLeaf => {
    if (typeof entry !== "object" || entry === null) throw new Error(`entry ${index} is not an object`);
    const unknown = Object.keys(entry).find((key) => !(KEYS as readonly string[]).includes(key));
    if (unknown !== undefined) throw new Error(`entry ${index} has '${unknown}', which is none of ${KEYS.join(", ")}`);
    const [leaf, eax, ebx, ecx, edx] = KEYS.map((key) => {
      const value = (entry as Readonly<Record<string, unknown>>)[key];
      const number = typeof value === "string" && /^(0x[0-9a-f]+|[0-9]+)$/i.test(value) ? Number(value) : value;
      if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number > 0xffffffff) {
        throw new Error(`entry ${index} has no 32-bit number '${key}'`);
      }
      return number;
    });
    return { function: leaf, eax, ebx, ecx, edx };
  });
}
