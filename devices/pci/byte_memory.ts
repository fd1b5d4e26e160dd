/**
 * Bytes on a bus: memory of a device, or a ROM.
 * @module
 */

import type { BusDevice } from "../bus.ts";

/**
 * Shows bytes on a bus.
 * @param bytes The bytes; behind their end there are zeros.
 * @param options `readonly`: whether writes are lost; no unless told.
 */
export function byteMemory(bytes: Uint8Array, options: { readonly readonly?: boolean } = {}): BusDevice {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    width: 4,
    plain: true,
    read(offset, size) {
      if (offset + size > view.byteLength) {
        let value = 0;
        for (let n = 0; n < size; n++) value |= (bytes[offset + n] ?? 0) << 8 * n;
        return value >>> 0;
      }
      return size === 1
        ? view.getUint8(offset)
        : size === 2
        ? view.getUint16(offset, true)
        : view.getUint32(offset, true);
    },
    write(offset, value, size) {
      if (options.readonly) return;
      for (let n = 0; n < size && offset + n < bytes.length; n++) bytes[offset + n] = value >>> 8 * n;
    },
  };
}
