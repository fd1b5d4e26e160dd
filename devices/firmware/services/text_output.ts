/**
 * What the firmware itself says.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { Screen } from "./video_screen.ts";

/**
 * Prints on the screen and on COM1.
 * @param board The board.
 * @param text ASCII; lines end in CR LF.
 */
export function printText(board: FirmwareBoard, text: string): void {
  const { memory, ports } = board;
  const com = memory.get16(BDA.COM_PORTS);
  const screen = new Screen(board);
  for (const character of new TextEncoder().encode(text)) {
    screen.teletype(screen.activePage, character, 7);
    if (com !== 0) ports.out(com, 1, character);
  }
}
