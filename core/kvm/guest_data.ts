/**
 * Moving data between the host program and guest memory.
 * @module
 */

import { StructView } from "../abi/struct_view.ts";
import { PAGE_SIZE, type Stretch } from "./memory_map.ts";

/** The bytes of `data`, not copied; of text, fresh ones in UTF-8. */
export function bytesOf(data: ArrayBufferView | StructView | string): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof StructView) return data.bytes;
  if (data instanceof Uint8Array) return data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Copies the bytes of a stretch to `into`, which has its length. */
export function readStretch({ memory, offset, length }: Stretch, into: Uint8Array): void {
  if (memory.read !== undefined) memory.read(offset, into);
  else into.set(memory.bytes.subarray(offset, offset + length));
}

/** Copies `bytes`, as many as the stretch has, into it. */
export function writeStretch({ memory, offset }: Stretch, bytes: Uint8Array): void {
  if (memory.write !== undefined) memory.write(offset, bytes);
  else memory.bytes.set(bytes, offset);
}

/**
 * The addresses of the pages that a dirty bitmap marks.
 * @param bitmap Bit n % 8 of byte n / 8 is page n.
 * @param base Address of page 0.
 */
export function* dirtyAddresses(bitmap: Uint8Array, base: number): Generator<number, void, undefined> {
  for (let at = 0; at < bitmap.length; at++) {
    for (let bits = bitmap[at]; bits !== 0; bits &= bits - 1) {
      yield base + (at * 8 + 31 - Math.clz32(bits & -bits)) * PAGE_SIZE;
    }
  }
}
