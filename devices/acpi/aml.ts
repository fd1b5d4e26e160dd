/**
 * ACPI machine language (ACPI specification 6.4, chapter 20): a function for each object and operator that a small board needs.
 * Each gives the bytes of one term; terms are put into each other.
 *
 * Names are in the notation of ASL: `"\\_SB"`, `"_SB.PCI0"`, `"^LNKA"`; segments shorter than four letters are filled up.
 *
 * @example
 * ```ts
 * import { device, eisaId, name } from "./aml.ts";
 *
 * const keyboard: Uint8Array = device("KBD", name("_HID", eisaId("PNP0303")));
 * console.log(keyboard.length);
 * ```
 * @module
 */

/** The bytes of a term. */
export type Aml = Uint8Array;

const OP = {
  ZERO: 0x00,
  ONE: 0x01,
  NAME: 0x08,
  BYTE: 0x0a,
  WORD: 0x0b,
  DWORD: 0x0c,
  STRING: 0x0d,
  QWORD: 0x0e,
  SCOPE: 0x10,
  BUFFER: 0x11,
  PACKAGE: 0x12,
  METHOD: 0x14,
  DUAL_NAME: 0x2e,
  MULTI_NAME: 0x2f,
  EXTENDED: 0x5b,
  LOCAL0: 0x60,
  ARG0: 0x68,
  STORE: 0x70,
  AND: 0x7b,
  OR: 0x7d,
  CREATE_DWORD_FIELD: 0x8a,
  IF: 0xa0,
  ELSE: 0xa1,
  RETURN: 0xa4,
} as const;

/** Operators behind {@linkcode OP.EXTENDED}. */
const EXTENDED = { REGION: 0x80, FIELD: 0x81, DEVICE: 0x82 } as const;

/** Address spaces of operation regions. */
export const REGION: { readonly IO: 1; readonly PCI_CONFIG: 2 } = { IO: 1, PCI_CONFIG: 2 };

/** FieldFlags: access a byte at a time, without lock, bits beside a field are kept. */
const FIELD_BYTE_ACCESS = 0x01;
const METHOD_SERIALIZED = 0x08;

/**
 * Puts terms one behind the other.
 * @param parts Terms or single bytes.
 */
export function join(...parts: readonly (Aml | number)[]): Aml {
  const bytes = new Uint8Array(
    parts.reduce<number>((sum, part) => sum + (typeof part === "number" ? 1 : part.length), 0),
  );
  let at = 0;
  for (const part of parts) {
    if (typeof part === "number") {
      bytes[at++] = part;
    } else {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

/**
 * A name.
 * @param text As in ASL.
 * @throws RangeError It is none.
 */
export function path(text: string): Aml {
  const [, prefix, rest] = /^(\\|\^*)(.*)$/.exec(text) ?? ["", "", ""];
  const segments = rest === "" ? [] : rest.split(".");
  if (segments.some((each) => !/^[A-Z_][A-Z0-9_]{0,3}$/.test(each)) || text === "") {
    throw new RangeError(`Cannot encode the name "${text}": segments have one to four of A-Z, 0-9 and _`);
  }
  const letters = ascii(prefix + segments.map((each) => each.padEnd(4, "_")).join(""));
  const head = letters.subarray(0, prefix.length), tail = letters.subarray(prefix.length);
  if (segments.length === 0) return join(head, 0);
  if (segments.length === 1) return letters;
  if (segments.length === 2) return join(head, OP.DUAL_NAME, tail);
  return join(head, OP.MULTI_NAME, segments.length, tail);
}

/**
 * A whole number.
 * @param value 0 or more, safe.
 */
export function integer(value: number): Aml {
  if (value === 0) return join(OP.ZERO);
  if (value === 1) return join(OP.ONE);
  if (value <= 0xff) return join(OP.BYTE, value);
  if (value <= 0xffff) return join(OP.WORD, little(value, 2));
  if (value <= 0xffffffff) return join(OP.DWORD, little(value, 4));
  return join(OP.QWORD, little(value, 8));
}

/**
 * A text.
 * @param text ASCII.
 */
export function string(text: string): Aml {
  return join(OP.STRING, ascii(text), 0);
}

/**
 * The number for a Plug and Play identifier.
 * @param id Three letters and four hexadecimal digits.
 */
export function eisaId(id: string): Aml {
  const [a, b, c] = ascii(id);
  const letters = (a & 31) << 10 | (b & 31) << 5 | c & 31;
  const digits = parseInt(id.slice(3), 16);
  return join(OP.DWORD, letters >> 8, letters & 0xff, digits >> 8, digits & 0xff);
}

/**
 * `Buffer`.
 * @param bytes Its contents.
 */
export function buffer(bytes: Uint8Array): Aml {
  return join(OP.BUFFER, withLength(join(integer(bytes.length), bytes)));
}

/**
 * `Package`.
 * @param elements At most 255.
 */
export function pack(...elements: readonly Aml[]): Aml {
  return join(OP.PACKAGE, withLength(join(elements.length, ...elements)));
}

/**
 * `Name`.
 * @param what Its name.
 * @param value What it stands for.
 */
export function name(what: string, value: Aml): Aml {
  return join(OP.NAME, path(what), value);
}

/**
 * `Scope`.
 * @param what Its name.
 * @param terms What is in it.
 */
export function scope(what: string, ...terms: readonly Aml[]): Aml {
  return join(OP.SCOPE, withLength(join(path(what), ...terms)));
}

/**
 * `Device`.
 * @param what Its name.
 * @param terms What is in it.
 */
export function device(what: string, ...terms: readonly Aml[]): Aml {
  return join(OP.EXTENDED, EXTENDED.DEVICE, withLength(join(path(what), ...terms)));
}

/**
 * `Method`, serialized.
 * @param what Its name.
 * @param parameters How many arguments it has, 0..7.
 * @param terms What it does.
 */
export function method(what: string, parameters: number, ...terms: readonly Aml[]): Aml {
  return join(OP.METHOD, withLength(join(path(what), parameters | METHOD_SERIALIZED, ...terms)));
}

/**
 * `OperationRegion`.
 * @param what Its name.
 * @param space One of {@linkcode REGION}.
 * @param offset Its first byte.
 * @param length Bytes.
 */
export function operationRegion(what: string, space: number, offset: number, length: number): Aml {
  return join(OP.EXTENDED, EXTENDED.REGION, path(what), space, integer(offset), integer(length));
}

/**
 * `Field` of whole bytes.
 * @param region The region's name.
 * @param names A name for each byte in turn.
 */
export function byteFields(region: string, names: readonly string[]): Aml {
  const fields = names.map((each) => join(path(each), 8));
  return join(OP.EXTENDED, EXTENDED.FIELD, withLength(join(path(region), FIELD_BYTE_ACCESS, ...fields)));
}

/**
 * `CreateDWordField`.
 * @param source The buffer.
 * @param index Its first byte.
 * @param what The name that it gets.
 */
export function createDwordField(source: Aml, index: number, what: string): Aml {
  return join(OP.CREATE_DWORD_FIELD, source, integer(index), path(what));
}

/**
 * `Store`.
 * @param value What.
 * @param target Where.
 */
export function store(value: Aml, target: Aml): Aml {
  return join(OP.STORE, value, target);
}

/**
 * `And`, as a value or stored.
 * @param a A number.
 * @param b A number.
 * @param target Where the result is stored; none: nowhere.
 */
export function and(a: Aml, b: Aml, target: Aml = join(0)): Aml {
  return join(OP.AND, a, b, target);
}

/**
 * `Or`, as a value or stored.
 * @param a A number.
 * @param b A number.
 * @param target Where the result is stored; none: nowhere.
 */
export function or(a: Aml, b: Aml, target: Aml = join(0)): Aml {
  return join(OP.OR, a, b, target);
}

/**
 * `If` and `Else`.
 * @param condition A number.
 * @param then What is done unless it is 0.
 * @param otherwise What is done if it is 0.
 */
export function ifElse(condition: Aml, then: Aml, otherwise: Aml): Aml {
  return join(OP.IF, withLength(join(condition, then)), OP.ELSE, withLength(otherwise));
}

/**
 * `Return`.
 * @param value What is returned.
 */
export function ret(value: Aml): Aml {
  return join(OP.RETURN, value);
}

/**
 * An argument of the method.
 * @param n 0..6.
 */
export function arg(n: number): Aml {
  return join(OP.ARG0 + n);
}

/**
 * A local variable of the method.
 * @param n 0..7.
 */
export function local(n: number): Aml {
  return join(OP.LOCAL0 + n);
}

/** A number in so many bytes, the lowest first. */
export function little(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let n = 0; n < length; n++) bytes[n] = Math.floor(value / 256 ** n) % 256;
  return bytes;
}

/** The letters of a text. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What PkgLength stands before: the length, its own bytes counted, in one to four bytes. */
function withLength(body: Uint8Array): Aml {
  const { length } = body;
  if (length + 1 < 0x40) return join(length + 1, body);
  const more = length + 2 < 0x1000 ? 1 : length + 3 < 0x100000 ? 2 : 3;
  const all = length + 1 + more;
  const rest = Array.from({ length: more }, (_, n) => all >> 4 + 8 * n & 0xff);
  return join(more << 6 | all & 0xf, ...rest, body);
}
