/**
 * The Linux calls that native_cpu.ts needs, through Deno's FFI.
 *
 * Limitations: 64-bit Linux with glibc's name for the C library, `libc.so.6`.
 *
 * @module
 */

const SYMBOLS = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "isize" },
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  getauxval: { parameters: ["u64"], result: "u64" },
  syscall: { parameters: ["i64", "i64", "buffer", "i64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

/** Page protections. */
export const PROTECTION = {
  none: 0,
  read: PROT_READ,
  readWrite: PROT_READ | PROT_WRITE,
  readExecute: PROT_READ | PROT_EXEC,
} as const;

/** One of `PROTECTION`. */
export type Protection = typeof PROTECTION[keyof typeof PROTECTION];

const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FIXED_NOREPLACE = 0x100000;
const SYS_MODIFY_LDT = 154;
const MODIFY_LDT_WRITE = 0x11;
const AT_HWCAP2 = 26;
const HWCAP2_FSGSBASE = 2;

/** A segment descriptor of the local descriptor table. */
export interface SegmentDescriptor {
  /** Linear base, 32 bits. */
  base: number;
  /** Limit as the descriptor has it: 20 bits, in bytes or, with `pages`, in pages. */
  limit: number;
  /** What the segment holds. */
  kind: "data" | "expand-down" | "code" | "conforming";
  /** D or B bit: 32-bit code or stack. Default false. */
  is32?: boolean;
  /** Not writable (data) or not readable (code). Default false. */
  restricted?: boolean;
  /** G bit. Default false. */
  pages?: boolean;
  /** P bit. Default true. */
  present?: boolean;
}

const KINDS: readonly SegmentDescriptor["kind"][] = ["data", "expand-down", "code", "conforming"];

/** The opened C library. */
export class Linux implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  /** @throws {Deno.errors.NotCapable} FFI is not permitted. */
  constructor() {
    this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
  }

  /**
   * Reserves and clears memory at a fixed address; whatever lies there stays.
   *
   * @returns Whether the memory could be had.
   */
  map(address: number, size: number, protection: Protection): boolean {
    const flags = MAP_PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE;
    const got = Number(this.#library.symbols.mmap(BigInt(address), BigInt(size), protection, flags, -1, 0n));
    if (got === address) return true;
    // A kernel before 4.17 takes the address for a hint only.
    if (got > 0) this.#library.symbols.munmap(BigInt(got), BigInt(size));
    return false;
  }

  /**
   * Changes the protection of mapped pages.
   *
   * @throws {Error} The kernel refuses.
   */
  protect(address: number, size: number, protection: Protection): void {
    if (this.#library.symbols.mprotect(BigInt(address), BigInt(size), protection) !== 0) {
      throw new Error(
        `Cannot protect memory at 0x${address.toString(16)}: the kernel refused protection ${protection}`,
      );
    }
  }

  /** Gives memory back; views of it must not be used any more. */
  unmap(address: number, size: number): void {
    this.#library.symbols.munmap(BigInt(address), BigInt(size));
  }

  /** The bytes at a mapped address, in place. */
  bytes(address: number, size: number): Uint8Array<ArrayBuffer> {
    const pointer = Deno.UnsafePointer.create(BigInt(address));
    if (pointer === null) throw new Error("Cannot view memory: the address is null");
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size));
  }

  /** Whether user code may use RDFSBASE and WRFSBASE. */
  get hasFsGsBase(): boolean {
    return (Number(this.#library.symbols.getauxval(BigInt(AT_HWCAP2))) & HWCAP2_FSGSBASE) !== 0;
  }

  /**
   * Writes an entry of this process's local descriptor table.
   *
   * @param entry Index, 0 to 8191.
   * @param descriptor The segment, or `undefined` to clear the entry.
   * @returns Whether the kernel took it; kernels without 16-bit support refuse 16-bit segments.
   */
  writeLdt(entry: number, descriptor: SegmentDescriptor | undefined): boolean {
    const description = new Uint32Array([entry, 0, 0, 0x28]);
    if (descriptor !== undefined) {
      description[1] = descriptor.base;
      description[2] = descriptor.limit;
      description[3] = (descriptor.is32 ? 1 : 0) | KINDS.indexOf(descriptor.kind) << 1 |
        (descriptor.restricted ? 8 : 0) | (descriptor.pages ? 0x10 : 0) |
        ((descriptor.present ?? true) ? 0 : 0x20) | 0x40;
    }
    // The kernel's result is a 32-bit number, zero-extended: a negative errno has the high half clear.
    const result = this.#library.symbols.syscall(
      BigInt(SYS_MODIFY_LDT),
      BigInt(MODIFY_LDT_WRITE),
      description,
      BigInt(description.byteLength),
    );
    return Number(BigInt.asIntN(32, BigInt(result))) === 0;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
