/**
 * The symbols of an ELF file, by address and by name.
 * Source: System V ABI, chapter 4 (ELF-32 and ELF-64, little-endian).
 * @module
 */

/** The file is not what it must be. */
export class SymbolError extends Error {
  /** `"SymbolError"`. */
  override readonly name: string = "SymbolError";
}

/** A named address. */
export interface GuestSymbol {
  /** Its name. */
  readonly name: string;
  /** Its address. */
  readonly address: bigint;
  /** Its size in bytes; 0 if the file does not say. */
  readonly size: bigint;
}

const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const SHT_SYMTAB = 2, SHT_DYNSYM = 11;
const SHN_UNDEF = 0, SHN_ABS = 0xfff1;
const SHF_ALLOC = 2n;
const STT_NOTYPE = 0, STT_OBJECT = 1, STT_FUNC = 2;
/** How far behind a symbol without a size an address may be and still be said to belong to it. */
const REACH = 0x10000n;

interface Section {
  readonly type: number;
  readonly flags: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

/** Symbols of a program. */
export class SymbolTable {
  /** In the order of their addresses. */
  readonly #symbols: readonly GuestSymbol[];
  readonly #byName: ReadonlyMap<string, GuestSymbol>;

  /**
   * A table of symbols.
   * @param symbols In any order; of several with one address, the first counts.
   */
  constructor(symbols: readonly GuestSymbol[]) {
    const byAddress = new Map<bigint, GuestSymbol>();
    for (const symbol of symbols) if (!byAddress.has(symbol.address)) byAddress.set(symbol.address, symbol);
    this.#symbols = [...byAddress.values()].sort((a, b) => a.address < b.address ? -1 : 1);
    this.#byName = new Map(symbols.map((symbol) => [symbol.name, symbol]));
  }

  /** How many addresses have a name. */
  get count(): number {
    return this.#symbols.length;
  }

  /** The symbol of that name. */
  find(name: string): GuestSymbol | undefined {
    return this.#byName.get(name);
  }

  /**
   * The name of an address.
   * @returns Such as `main` or `main+0x12`; null if it belongs to no symbol.
   */
  nameOf(address: bigint): string | null {
    let low = 0, high = this.#symbols.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.#symbols[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return null;
    const { name, address: start, size } = this.#symbols[low - 1];
    const offset = address - start;
    if (offset >= (size === 0n ? REACH : size)) return null;
    return offset === 0n ? name : `${name}+0x${offset.toString(16)}`;
  }
}

/**
 * Reads the symbols of an ELF file.
 * @param bytes The file.
 * @throws SymbolError It is no such file, is cut off, or has no symbols.
 */
export function readSymbols(bytes: Uint8Array): SymbolTable {
  if (MAGIC.some((byte, n) => bytes[n] !== byte)) throw new SymbolError("it is not an ELF file");
  if (bytes[5] !== 1 || (bytes[4] !== 1 && bytes[4] !== 2)) throw new SymbolError("it is not for x86");
  try {
    const symbols = symbolsOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes[4] === 2);
    if (symbols.length === 0) throw new SymbolError("it has no symbols");
    return new SymbolTable(symbols);
  } catch (error) {
    if (error instanceof RangeError) throw new SymbolError("it is cut off");
    throw error;
  }
}

function symbolsOf(view: DataView, is64: boolean): GuestSymbol[] {
  const offset = is64 ? Number(view.getBigUint64(0x28, true)) : view.getUint32(0x20, true);
  const entrySize = view.getUint16(is64 ? 0x3a : 0x2e, true);
  const count = view.getUint16(is64 ? 0x3c : 0x30, true);
  const sections = Array.from(
    { length: offset === 0 ? 0 : count },
    (_, n) => section(view, offset + n * entrySize, is64),
  );
  const table = sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM);
  if (table === undefined || table.entrySize === 0) return [];
  const strings = sections[table.link];
  if (strings === undefined) throw new SymbolError("its symbols have no names");
  const found: { readonly symbol: GuestSymbol; readonly rank: number }[] = [];
  for (let at = table.offset; at + table.entrySize <= table.offset + table.size; at += table.entrySize) {
    const info = view.getUint8(at + (is64 ? 4 : 12));
    const index = view.getUint16(at + (is64 ? 6 : 14), true);
    const type = info & 15;
    const inMemory = index === SHN_ABS || index !== SHN_UNDEF && ((sections[index]?.flags ?? 0n) & SHF_ALLOC) !== 0n;
    if (!inMemory || type !== STT_FUNC && type !== STT_OBJECT && type !== STT_NOTYPE) continue;
    const name = text(view, strings.offset + view.getUint32(at, true), strings.offset + strings.size);
    if (name === "") continue;
    const address = is64 ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
    const size = is64 ? view.getBigUint64(at + 16, true) : BigInt(view.getUint32(at + 8, true));
    // Functions before data before labels; global names before local ones.
    const rank = (type === STT_FUNC ? 0 : type === STT_OBJECT ? 2 : 4) + (info >> 4 === 0 ? 1 : 0);
    found.push({ symbol: { name, address, size }, rank });
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ symbol }) => symbol);
}

function section(view: DataView, at: number, is64: boolean): Section {
  const word = (offset: number): number =>
    is64 ? Number(view.getBigUint64(at + offset, true)) : view.getUint32(at + offset, true);
  return {
    type: view.getUint32(at + 4, true),
    flags: is64 ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 8, true)),
    offset: word(is64 ? 0x18 : 0x10),
    size: word(is64 ? 0x20 : 0x14),
    link: view.getUint32(at + (is64 ? 0x28 : 0x18), true),
    entrySize: word(is64 ? 0x38 : 0x24),
  };
}

function text(view: DataView, start: number, end: number): string {
  let at = start;
  while (at < end && view.getUint8(at) !== 0) at++;
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + start, at - start));
}
