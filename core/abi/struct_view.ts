/**
 * What the typed views of `kvm.h` structures have in common. A view stands on bytes that belong to somebody else (a
 * `kvm_run` page, a record in WebAssembly memory) or on fresh ones of its own; reading and writing a field goes straight
 * to those bytes, little-endian, at any alignment.
 * @module
 */

import type { FieldLayout, ScalarType, StructLayout, StructName } from "./layout.ts";

/**
 * An array of 64-bit integers inside a structure.
 *
 * @example
 * ```ts
 * import { KvmRunHypercall } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const array = new KvmRunHypercall().args;
 * array.set(0, 5);
 * assertEquals([array.length, array.get(0), [...array][1]], [6, 5n, 0n]);
 * ```
 */
export class U64Array {
  /** Number of elements. */
  readonly length: number;
  readonly #view: DataView;

  /**
   * Stands on `view` from its start.
   * @param view 8 bytes an element.
   */
  constructor(view: DataView) {
    this.#view = view;
    this.length = view.byteLength / 8;
  }

  /** Element `index` (0 to {@linkcode length} - 1). */
  get(index: number): bigint {
    return this.#view.getBigUint64(index * 8, true);
  }

  /** Sets element `index`; of `value`, the lower 64 bits count. */
  set(index: number, value: bigint | number): void {
    this.#view.setBigUint64(index * 8, BigInt(value), true);
  }

  /** All elements in order. */
  *[Symbol.iterator](): Generator<bigint, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }
}

/** What initialises a field of type `V`. */
export type FieldInit<V> = V extends bigint ? bigint | number
  : V extends number ? number
  : V extends U64Array ? Iterable<bigint | number>
  : V extends StructView ? StructInit<V>
  : V extends Uint8Array ? ArrayLike<number>
  : V extends readonly (infer E)[] ? readonly FieldInit<E>[]
  : never;

/** Any of the fields of the view `T`, by name; what is left out is zero. */
export type StructInit<T> = { readonly [K in Exclude<keyof T, keyof StructView>]?: FieldInit<T[K]> };

/** Existing bytes to stand on, or initial values for fresh ones. */
export type StructSource<T> = ArrayBufferLike | ArrayBufferView | StructInit<T>;

/** Whether `source` is bytes rather than initial values. */
export function isBytes(source: unknown): source is ArrayBufferLike | ArrayBufferView {
  return ArrayBuffer.isView(source) || source instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== "undefined" && source instanceof SharedArrayBuffer);
}

/**
 * A structure in memory.
 *
 * @example
 * ```ts
 * import { KvmRegs } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = new Uint8Array(1000);
 * const regs = new KvmRegs(memory, 100); // a view of the bytes from 100 on
 * regs.rax = 0x1122n;
 * assertEquals([memory[100], memory[101], regs.bytes.length, regs.view.getUint16(0, true)], [0x22, 0x11, 144, 0x1122]);
 * ```
 */
export abstract class StructView {
  /** The bytes of the structure, no more and no less; no copy. */
  readonly bytes: Uint8Array;
  /** The same bytes, for access by offset (see `LAYOUTS`). */
  readonly view: DataView;
  /** The views of fields that are themselves structures or arrays, made when first asked for. */
  #parts: Map<string, unknown> | undefined;

  /**
   * Stands on given bytes, or on fresh ones with initial values.
   * @param layout The structure.
   * @param source Bytes to stand on, or initial values.
   * @param offset Where in the given bytes the structure begins.
   * @param size Bytes, where an array follows the structure; with given bytes, `null` means all the rest of them.
   * @throws RangeError when the bytes given are too few.
   */
  constructor(layout: StructLayout, source: unknown, offset: number, size: number | null = layout.size) {
    if (isBytes(source)) {
      const whole = ArrayBuffer.isView(source) ? source : new Uint8Array(source);
      const room = whole.byteLength - offset;
      if (room < (size ?? layout.size) || offset < 0) {
        throw new RangeError(
          `Cannot view ${layout.name}: it needs ${size ?? layout.size} bytes, behind offset ${offset} there are ${
            Math.max(room, 0)
          }`,
        );
      }
      this.bytes = new Uint8Array(whole.buffer, whole.byteOffset + offset, size ?? room);
    } else {
      this.bytes = new Uint8Array(size ?? layout.size);
    }
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    if (!isBytes(source) && typeof source === "object" && source !== null) Object.assign(this, source);
  }

  /**
   * The view of the field `name`, made by `make` when first asked for.
   * @ignore
   */
  part<T>(name: string, make: () => T): T {
    const parts = this.#parts ??= new Map();
    let part = parts.get(name) as T | undefined;
    if (part === undefined) parts.set(name, part = make());
    return part;
  }
}

/** A view class that can be constructed on bytes at an offset. */
type ViewClass = new (source: ArrayBufferView, offset: number) => StructView;

/** Accessors of an integer at `offset`. */
function scalar(type: ScalarType, offset: number): PropertyDescriptor & ThisType<StructView> {
  switch (type) {
    case "u8":
      return {
        get(): number {
          return this.view.getUint8(offset);
        },
        set(value: number): void {
          this.view.setUint8(offset, value);
        },
      };
    case "u16":
      return {
        get(): number {
          return this.view.getUint16(offset, true);
        },
        set(value: number): void {
          this.view.setUint16(offset, value, true);
        },
      };
    case "u32":
      return {
        get(): number {
          return this.view.getUint32(offset, true);
        },
        set(value: number): void {
          this.view.setUint32(offset, value, true);
        },
      };
    case "u64":
      return {
        get(): bigint {
          return this.view.getBigUint64(offset, true);
        },
        set(value: bigint | number): void {
          this.view.setBigUint64(offset, typeof value === "bigint" ? value : BigInt(value), true);
        },
      };
  }
}

/** What a field that is a structure or an array shows: a sub-view, bytes, a {@linkcode U64Array}, or a list of these. */
function compound(
  view: StructView,
  { offset, size, type }: FieldLayout,
  dimensions: readonly number[],
  structs: Readonly<Partial<Record<StructName, ViewClass>>>,
): unknown {
  const structure = structs[type as StructName];
  if (dimensions.length === 0 && structure !== undefined) return new structure(view.bytes, offset);
  if (dimensions.length === 1 && type === "u64") {
    return new U64Array(new DataView(view.bytes.buffer, view.bytes.byteOffset + offset, size));
  }
  if (dimensions.length <= 1 && structure === undefined) return view.bytes.subarray(offset, offset + size);
  const step = size / dimensions[0];
  return Array.from({ length: dimensions[0] }, (_, index) => {
    const element: FieldLayout = { offset: offset + index * step, size: step, type, dimensions };
    return compound(view, element, dimensions.slice(1), structs);
  });
}

/** Copies initial values into what {@linkcode compound} gave. */
function assign(part: unknown, value: unknown): void {
  if (part instanceof Uint8Array) {
    part.fill(0);
    part.set(Array.from(value as ArrayLike<number>).slice(0, part.length));
  } else if (part instanceof U64Array) {
    let index = 0;
    for (const element of value as Iterable<bigint | number>) part.set(index++, element);
  } else if (part instanceof StructView) {
    if (value instanceof StructView) part.bytes.set(value.bytes);
    else Object.assign(part, value);
  } else {
    (value as readonly unknown[]).forEach((element, index) => assign((part as readonly unknown[])[index], element));
  }
}

/**
 * Gives a view class the accessors of its structure. Fields that are structures or arrays can be read as views, and
 * written as a whole from initial values.
 * @param target The class; it declares the fields with their types.
 * @param layout The structure.
 * @param structs The view classes of the structures inside it.
 * @param halves Whether 64-bit fields `x` are also to be had as unsigned 32-bit `x_lo` and `x_hi`.
 */
export function defineFields(
  target: { readonly prototype: StructView },
  layout: StructLayout,
  structs: Readonly<Partial<Record<StructName, ViewClass>>> = {},
  halves: boolean = false,
): void {
  for (const [name, field] of Object.entries(layout.fields)) {
    if (field.dimensions.length === 0 && !field.type.startsWith("kvm_")) {
      Object.defineProperty(target.prototype, name, scalar(field.type as ScalarType, field.offset));
      if (halves && field.type === "u64") {
        Object.defineProperty(target.prototype, `${name}_lo`, scalar("u32", field.offset));
        Object.defineProperty(target.prototype, `${name}_hi`, scalar("u32", field.offset + 4));
      }
    } else if (field.size > 0) {
      Object.defineProperty(
        target.prototype,
        name,
        {
          get(): unknown {
            return this.part(name, () => compound(this, field, field.dimensions, structs));
          },
          set(value: unknown): void {
            assign(this.part(name, () => compound(this, field, field.dimensions, structs)), value);
          },
        } satisfies PropertyDescriptor & ThisType<StructView>,
      );
    }
  }
}
