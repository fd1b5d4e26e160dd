/**
 * ELF files that no boot protocol is known of: programs for the bare machine, entered where their header says. A 32-bit file is
 * entered in flat protected mode, a 64-bit one in long mode with the first 4 GiB at their own addresses.
 * @module
 */

import { elfEntry, readElf } from "./elf.ts";
import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, lowTables } from "./low_tables.ts";

/**
 * Plans how an ELF file is loaded and entered. The stack begins at the end of the memory that holds its first segment.
 * @param image The file.
 * @param memory The memory of the machine.
 * @throws ImageError It is no x86 ELF file, has no room, or lies on the tables.
 */
export function planElf(image: Uint8Array, memory: readonly MemoryRange[]): BootPlan {
  const file = readElf(image);
  const mode = file.bits === 64 ? "long" : "protected";
  const tables: MemoryPiece = { name: "the descriptors and page tables", base: LOW_TABLES, bytes: lowTables(mode) };
  const end = LOW_TABLES + tables.bytes.length;
  for (const { name, base, bytes } of file.pieces) {
    if (base < end && LOW_TABLES < base + bytes.length) {
      throw new ImageError(`${name} would lie on ${tables.name} at ${hex(LOW_TABLES)} to ${hex(end - 1)}`);
    }
  }
  const pieces = [tables, ...file.pieces];
  const [, home] = pieces.map(({ name, base, bytes }) => containing(memory, name, base, bytes.length));
  const sp = Math.min(home.base + home.size, 2 ** 32) - 16;
  return { mode, pieces, cs: DESCRIPTORS.code, ip: elfEntry(file), sp, dl: 0 };
}
