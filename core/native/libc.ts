/**
 * The C library of Linux through Deno's foreign function interface: the few calls that `/dev/kvm` needs.
 *
 * Nothing here touches Deno before {@linkcode openLibc} is called, so that the module can be imported anywhere.
 * @module
 */

import { errnoName } from "../abi/errno.ts";
import { KvmError } from "../kvm/kvm_error.ts";

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ioctlNull: { name: "ioctl", parameters: ["i32", "u32", "pointer"], result: "i32" },
  ioctlValue: { name: "ioctl", parameters: ["i32", "u32", "usize"], result: "i32" },
  ioctlBytes: { name: "ioctl", parameters: ["i32", "u32", "buffer"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  errnoLocation: { name: "__errno_location", parameters: [], result: "pointer" },
  getpid: { parameters: [], result: "i32" },
  systemCall: { name: "syscall", parameters: ["usize", "usize", "usize", "usize"], result: "i32" },
  sigprocmask: { name: "syscall", parameters: ["usize", "usize", "buffer", "buffer", "usize"], result: "i32" },
  sigtimedwait: { name: "syscall", parameters: ["usize", "buffer", "usize", "buffer", "usize"], result: "i32" },
  sigpending: { name: "syscall", parameters: ["usize", "buffer", "usize"], result: "i32" },
  timerCreate: { name: "syscall", parameters: ["usize", "usize", "buffer", "buffer"], result: "i32" },
  timerSettime: { name: "syscall", parameters: ["usize", "usize", "usize", "buffer", "usize"], result: "i32" },
} as const;

/** Numbers of system calls, x86-64. */
export const SYS = {
  rt_sigprocmask: 14n,
  rt_sigpending: 127n,
  rt_sigtimedwait: 128n,
  gettid: 186n,
  timer_create: 222n,
  timer_settime: 223n,
  timer_delete: 226n,
  tgkill: 234n,
} as const;

/** Arguments of `mmap`. */
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;

/** Arguments of `open`. */
const O_RDWR_CLOEXEC = 0x80002;

/** What `mmap` answers when it fails. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** A mapping of this process, made by {@linkcode Libc.map}. */
export interface Mapping {
  /** Where it is in this process. */
  readonly address: bigint;
  /** All its bytes; detached (of length 0) once it was unmapped, so that a late access is harmless. */
  readonly buffer: ArrayBuffer;
  /** The address as Deno wants it. */
  readonly pointer: Deno.PointerValue;
  /** Bytes. */
  readonly size: number;
}

/** The C library, in the thread that opened it. */
export class Libc {
  /** The functions themselves; `ioctlNull` with null is the way to call KVM_RUN: it makes no object. */
  readonly symbols: Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;
  readonly #errno: Int32Array;

  /**
   * Loads the library.
   * @throws TypeError when it cannot be loaded.
   */
  constructor() {
    this.symbols = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(this.symbols.errnoLocation()!, 4));
  }

  /** `errno` of this thread: why the last call that answered -1 failed. */
  get errno(): number {
    return this.#errno[0];
  }

  /**
   * Opens a file for reading and writing.
   * @returns The file descriptor, or -1.
   */
  open(path: string): number {
    return this.symbols.open(new TextEncoder().encode(`${path}\0`), O_RDWR_CLOEXEC);
  }

  /**
   * Maps memory: zeroed memory of its own, or that of a file descriptor.
   * @param size Bytes, a multiple of 4096.
   * @param fd The file descriptor to map from its start, or null.
   * @returns The mapping, or null where the host cannot give it.
   */
  map(size: number, fd: number | null): Mapping | null {
    const flags = fd === null ? MAP_PRIVATE_ANONYMOUS_NORESERVE : MAP_SHARED;
    const pointer = this.symbols.mmap(0n, BigInt(size), PROT_READ_WRITE, flags, fd ?? -1, 0n);
    const address = BigInt(Deno.UnsafePointer.value(pointer));
    if (pointer === null || address === MAP_FAILED) return null;
    try {
      return { address, pointer, size, buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, size) };
    } catch {
      // More bytes than one ArrayBuffer can have.
      this.symbols.munmap(pointer, BigInt(size));
      return null;
    }
  }

  /** Gives a mapping back, after taking its bytes from whoever still holds them. */
  unmap(mapping: Mapping): void {
    mapping.buffer.transfer();
    this.symbols.munmap(mapping.pointer, BigInt(mapping.size));
  }

  /**
   * An `ioctl` with a number.
   * @param action What this is for, should it fail.
   * @returns What the kernel answers, not negative.
   * @throws KvmError with the kernel's errno.
   */
  ioctlValue(fd: number, request: number, value: number, action: string): number {
    const answer = this.symbols.ioctlValue(fd, request, BigInt(value));
    return answer < 0 ? this.fail(action) : answer;
  }

  /**
   * An `ioctl` with a structure.
   * @param bytes At least as many bytes as the kernel reads and writes for this request.
   * @param action What this is for, should it fail.
   * @returns What the kernel answers, not negative.
   * @throws KvmError with the kernel's errno.
   */
  ioctlBytes(fd: number, request: number, bytes: Uint8Array, action: string): number {
    const answer = this.symbols.ioctlBytes(fd, request, bytes as Uint8Array<ArrayBuffer>);
    return answer < 0 ? this.fail(action) : answer;
  }

  /** Throws the KvmError of {@linkcode errno}. */
  fail(action: string): never {
    const errno = this.errno;
    throw new KvmError(errno, action, `the kernel answers ${errnoName(errno)}`);
  }
}

let libc: Libc | null = null;

/**
 * The C library, loaded once.
 * @throws TypeError when it cannot be loaded.
 */
export function openLibc(): Libc {
  return libc ??= new Libc();
}
