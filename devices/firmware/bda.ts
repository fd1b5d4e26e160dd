/**
 * Where the BIOS keeps its variables: the BIOS data area at 0x400, as every program since the IBM PC knows it, and the extended one in
 * the last KiB of base memory. Linear addresses.
 * @module
 */

/** Base memory, in KiB: 640 without the extended data area. */
export const BASE_KIB: number = 639;
/** The extended data area: linear address, segment, and length. */
export const EBDA: number = BASE_KIB * 1024, EBDA_SEGMENT: number = EBDA >> 4, EBDA_SIZE: number = 1024;

/** The BIOS data area. */
export const BDA = {
  /** Four words: ports of COM1 to COM4. */
  COM_PORTS: 0x400,
  /** Three words: ports of LPT1 to LPT3. */
  LPT_PORTS: 0x408,
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  MEMORY_KIB: 0x413,
  KEY_FLAGS: 0x417,
  KEY_FLAGS2: 0x418,
  /** The number that is being typed with Alt on the keypad. */
  KEY_ALT_NUMBER: 0x419,
  KEY_HEAD: 0x41a,
  KEY_TAIL: 0x41c,
  KEY_BUFFER: 0x41e,
  KEY_BUFFER_END: 0x43e,
  FLOPPY_STATUS: 0x441,
  VIDEO_MODE: 0x449,
  VIDEO_COLUMNS: 0x44a,
  VIDEO_PAGE_SIZE: 0x44c,
  VIDEO_PAGE_START: 0x44e,
  /** Eight words: column, row. */
  CURSORS: 0x450,
  /** End line, start line. */
  CURSOR_SHAPE: 0x460,
  VIDEO_PAGE: 0x462,
  CRTC_PORT: 0x463,
  CGA_MODE: 0x465,
  CGA_PALETTE: 0x466,
  TICKS: 0x46c,
  MIDNIGHT: 0x470,
  BREAK_FLAG: 0x471,
  RESET_FLAG: 0x472,
  DISK_STATUS: 0x474,
  DISK_COUNT: 0x475,
  LPT_TIMEOUTS: 0x478,
  COM_TIMEOUTS: 0x47c,
  KEY_BUFFER_START_POINTER: 0x480,
  KEY_BUFFER_END_POINTER: 0x482,
  VIDEO_LAST_ROW: 0x484,
  CHARACTER_HEIGHT: 0x485,
  VIDEO_CONTROL: 0x487,
  VIDEO_SWITCHES: 0x488,
  VIDEO_FLAGS: 0x489,
  VIDEO_COMBINATION: 0x48a,
  KEY_FLAGS3: 0x496,
  KEY_LEDS: 0x497,
  WAIT_POINTER: 0x498,
  WAIT_TIME: 0x49c,
  WAIT_ACTIVE: 0x4a0,
  VIDEO_SAVE_POINTER: 0x4a8,
} as const;

/** The extended data area: what others know, and from `OWN` on what only this BIOS does. */
export const EBDA_AT = {
  SIZE_KIB: EBDA,
  MOUSE_HANDLER: EBDA + 0x22,
  /** Bytes of the packet so far. */
  MOUSE_COUNT: EBDA + 0x26,
  /** Bit 7: there is a handler; bits 0 to 2: bytes in a packet less 1. */
  MOUSE_FLAGS: EBDA + 0x27,
  MOUSE_PACKET: EBDA + 0x28,
  /** Two tables of 16 bytes that vectors 41h and 46h point to. */
  DISK_TABLES: EBDA + 0x3d,
  /** Tick at which a wait for COM is over, plus 1; 0: nobody waits. */
  COM_DEADLINE: EBDA + 0x80,
  /** The same tick as long as a call of INT 15h AH=86h waits: 1. */
  WAITING: EBDA + 0x84,
  /** El Torito emulation: see `services/el_torito.ts`. */
  EMULATION: EBDA + 0x90,
  /** Answer of the VBE: the mode set last. */
  VBE_MODE: EBDA + 0xb0,
  /** Answer of the APM: whether somebody is connected. */
  APM_CONNECTED: EBDA + 0xb2,
} as const;
