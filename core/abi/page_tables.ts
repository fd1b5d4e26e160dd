/**
 * Page tables made by the host program, so that a guest can begin with paging on. Source: Intel SDM volume 3, 4.3 to 4.5.
 * @module
 */

const PAGE = 4096;
const KIB4 = 0x1000, MIB2 = 0x20_0000, MIB4 = 0x40_0000, GIB1 = 0x4000_0000;

/** Bits of an entry. */
const PRESENT = 1n, WRITABLE = 2n, USER = 4n, LARGE = 0x80n, NO_EXECUTE = 1n << 63n;

/** The paging modes: without PAE (4 bytes an entry), with PAE, and long mode with four levels. */
export type PageTableMode = "32-bit" | "pae" | "long";

/** The sizes of pages: 4 KiB, 2 MiB, 4 MiB, 1 GiB. */
export type PageSize = 0x1000 | 0x20_0000 | 0x40_0000 | 0x4000_0000;

/** Linear memory and the physical memory behind it. */
export interface PageMapping {
  /** Linear address of the first byte, a multiple of the page size; in the upper half of 64-bit addresses as a bigint. */
  readonly linear: number | bigint;
  /**
   * Guest-physical address of the first byte, a multiple of the page size, below 2^52 (2^32 in 32-bit mode).
   * @default linear
   */
  readonly physical?: number | bigint;
  /** Bytes, a multiple of the page size, above 0. */
  readonly size: number | bigint;
  /**
   * Size of its pages: 4 KiB in all modes, 2 MiB with PAE and in long mode, 4 MiB in 32-bit mode (needs CR4.PSE), 1 GiB in
   * long mode (needs a processor that has them).
   * @default 0x200000, in 32-bit mode 0x400000
   */
  readonly pageSize?: PageSize;
  /**
   * Whether it may be written.
   * @default true
   */
  readonly writable?: boolean;
  /**
   * Whether user mode may use it.
   * @default false
   */
  readonly user?: boolean;
  /**
   * Whether code in it may run; false needs EFER.NXE, and is not possible in 32-bit mode.
   * @default true
   */
  readonly executable?: boolean;
}

/** Which page tables are wanted. */
export interface PageTableOptions {
  /** Guest-physical address at which the tables will be, a multiple of 4096: what CR3 is to be. */
  readonly address: number;
  /**
   * The paging mode.
   * @default "long"
   */
  readonly mode?: PageTableMode;
  /** Maps so many bytes from address 0 on at their own addresses. A short way to write one entry of `mappings`. */
  readonly size?: number | bigint;
  /** What to map; the ranges must not overlap. */
  readonly mappings?: readonly PageMapping[];
}

/** How addresses are divided up. */
interface Format {
  /** Bytes of an entry. */
  readonly entry: 4 | 8;
  /** Bytes that one entry stands for, by level: the lowest is level 0. */
  readonly spans: readonly bigint[];
  /** Entries of the table of the highest level. */
  readonly top: number;
  /** Bits that an entry of the highest level must not have. */
  readonly notOnTop: bigint;
  /** Page sizes, by level. */
  readonly sizes: readonly number[];
  /** The physical addresses end there. */
  readonly physicalEnd: bigint;
}

const FORMATS: Readonly<Record<PageTableMode, Format>> = {
  "32-bit": {
    entry: 4,
    spans: [BigInt(KIB4), BigInt(MIB4)],
    top: 1024,
    notOnTop: 0n,
    sizes: [KIB4, MIB4],
    physicalEnd: 1n << 32n,
  },
  pae: {
    entry: 8,
    spans: [BigInt(KIB4), BigInt(MIB2), BigInt(GIB1)],
    top: 4,
    notOnTop: WRITABLE | USER,
    sizes: [KIB4, MIB2],
    physicalEnd: 1n << 52n,
  },
  long: {
    entry: 8,
    spans: [BigInt(KIB4), BigInt(MIB2), BigInt(GIB1), 1n << 39n],
    top: 512,
    notOnTop: 0n,
    sizes: [KIB4, MIB2, GIB1],
    physicalEnd: 1n << 52n,
  },
};

/**
 * Page tables for a guest: the top table first, each further one in the page behind, in the order in which they are needed.
 *
 * Whether memory may be written is said by the entries of pages alone; those of tables allow it.
 * @param options What to map, and where the tables will be.
 * @returns The tables, to be written to `address`; a multiple of 4096 bytes.
 * @throws RangeError for an address or size that is not aligned or out of range, a page size that the mode does not have, or
 * mappings that overlap.
 *
 * @example A 64-bit guest in five lines
 * ```ts
 * import { buildPageTables, KvmRegs, longModeRegisters, longModeSegments, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 1 << 20 });
 * vm.write(0x10000, Uint8Array.of(0x48, 0xff, 0xc0, 0xf4)); // inc rax; hlt
 * using vcpu = vm.createVcpu(0);
 *
 * vm.write(0x2000, buildPageTables({ address: 0x2000, size: 1 << 30 }));
 * const sregs = vcpu.getSregs();
 * Object.assign(sregs, longModeSegments(), longModeRegisters(0x2000));
 * vcpu.setSregs(sregs);
 * vcpu.setRegs(new KvmRegs({ rip: 0x10000, rsp: 0x8000, rflags: 2 }));
 *
 * console.log(vcpu.run().reason); // 5, KVM_EXIT_HLT
 * ```
 */
export function buildPageTables(options: PageTableOptions): Uint8Array {
  const { address, mode = "long", size, mappings = [] } = options;
  const { physicalEnd } = FORMATS[mode];
  if (!Number.isSafeInteger(address) || address < 0 || address % PAGE !== 0 || BigInt(address) >= physicalEnd) {
    refuse(`${address} is no address of a page`);
  }
  if (mode !== "long" && address >= 2 ** 32) refuse(`CR3 has 32 bits, the address is 0x${address.toString(16)}`);
  const tables = new Tables(mode, BigInt(address));
  if (size !== undefined) tables.map({ linear: 0, size });
  for (const mapping of mappings) tables.map(mapping);
  return tables.toBytes();
}

function refuse(state: string): never {
  throw new RangeError(`Cannot build page tables: ${state}`);
}

/** Tables in the making. */
class Tables {
  readonly #mode: PageTableMode;
  readonly #format: Format;
  readonly #address: bigint;
  /** The entries of each table; which level it has is known from the way to it. */
  readonly #tables: BigUint64Array[] = [];

  constructor(mode: PageTableMode, address: bigint) {
    this.#mode = mode;
    this.#format = FORMATS[mode];
    this.#address = address;
    this.#add();
  }

  /** Adds pages. */
  map(mapping: PageMapping): void {
    const { spans, sizes, top, physicalEnd } = this.#format;
    const { pageSize = sizes[1], writable = true, user = false, executable = true } = mapping;
    const level = sizes.indexOf(pageSize);
    if (level < 0) refuse(`the mode ${this.#mode} has no pages of ${pageSize} bytes`);
    const span = spans[level];
    const linear = BigInt.asUintN(64, BigInt(mapping.linear)), size = BigInt(mapping.size);
    const physical = BigInt(mapping.physical ?? mapping.linear);
    if (linear % span || physical % span || size % span || size <= 0n) {
      refuse(`0x${linear.toString(16)}, 0x${physical.toString(16)} and ${size} are not all multiples of ${pageSize}`);
    }
    if (physical < 0n || physical + size > physicalEnd) refuse(`0x${physical.toString(16)} is beyond physical memory`);
    if (!executable && this.#mode === "32-bit") refuse("pages without code need PAE or long mode");
    const end = spans.at(-1)! * BigInt(top);
    this.#checkLinear(linear, size, end);
    const attributes = PRESENT | (writable ? WRITABLE : 0n) | (user ? USER : 0n) | (level > 0 ? LARGE : 0n) |
      (executable ? 0n : NO_EXECUTE);
    for (let done = 0n; done < size; done += span) {
      this.#put((linear + done) % end, level, physical + done | attributes);
    }
  }

  /** The bytes of all tables. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(PAGE * this.#tables.length);
    const view = new DataView(bytes.buffer);
    this.#tables.forEach((table, number) => {
      table.forEach((entry, index) => {
        const at = PAGE * number + this.#format.entry * index;
        if (this.#format.entry === 8) view.setBigUint64(at, entry, true);
        else view.setUint32(at, Number(entry), true);
      });
    });
    return bytes;
  }

  /** The range must lie in the linear addresses, and in one half of those of long mode. */
  #checkLinear(linear: bigint, size: bigint, end: bigint): void {
    const last = linear + size - 1n;
    const half = end / 2n;
    const fits = this.#mode === "long" ? last < half || linear >= (1n << 64n) - half && last < 1n << 64n : last < end;
    if (!fits) refuse(`0x${linear.toString(16)} to 0x${last.toString(16)} are no linear addresses`);
  }

  /** Sets the entry of `level` for `linear`, an address without the sign of long mode. */
  #put(linear: bigint, level: number, entry: bigint): void {
    const { spans, notOnTop } = this.#format;
    const top = spans.length - 1;
    let table = this.#tables[0];
    for (let at = top; at > level; at--) {
      const index = this.#index(linear, at);
      if (table[index] & LARGE) refuse(`the mappings overlap at 0x${linear.toString(16)}`);
      if (table[index] === 0n) table[index] = this.#address + BigInt(PAGE * this.#add());
      table[index] |= (PRESENT | WRITABLE | entry & USER) & ~(at === top ? notOnTop : 0n);
      table = this.#tables[Number((table[index] & ~0xfffn) - this.#address) / PAGE];
    }
    const index = this.#index(linear, level);
    if (table[index] !== 0n) refuse(`the mappings overlap at 0x${linear.toString(16)}`);
    table[index] = entry;
  }

  #index(linear: bigint, level: number): number {
    const { spans, entry } = this.#format;
    return Number(linear / spans[level]) % (PAGE / entry);
  }

  /** A new table; answers its number. */
  #add(): number {
    return this.#tables.push(new BigUint64Array(PAGE / this.#format.entry)) - 1;
  }
}
