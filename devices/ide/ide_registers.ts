/**
 * The names of ATA (ATA/ATAPI-6, T13/1410D): registers, their bits, and commands.
 * @module
 */

/** Registers of the command block, by offset. Reads of `FEATURES` give the errors, reads of `COMMAND` the status. */
export const IDE = { DATA: 0, FEATURES: 1, COUNT: 2, LOW: 3, MID: 4, HIGH: 5, DEVICE: 6, COMMAND: 7 } as const;

/** Bits of the status. */
export const STATUS = { ERR: 0x01, DRQ: 0x08, DSC: 0x10, DRDY: 0x40, BSY: 0x80 } as const;

/** Bits of the errors. */
export const ERROR = { ABRT: 0x04, IDNF: 0x10, UNC: 0x40 } as const;

/** What a drive finds out about itself: all is well. */
export const DIAGNOSTIC_PASSED = 0x01;

/** Bits of device control. */
export const CONTROL = { NIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

/** Bits of the device register; two of them are always set. */
export const DEVICE = { HEAD: 0x0f, DEV: 0x10, LBA: 0x40, ALWAYS: 0xa0 } as const;

/** Commands. */
export const COMMAND = {
  NOP: 0x00,
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ_SECTORS: 0x20,
  READ_SECTORS_ONCE: 0x21,
  READ_SECTORS_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_ONCE: 0x31,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  WRITE_MULTIPLE_EXT: 0x39,
  VERIFY: 0x40,
  VERIFY_ONCE: 0x41,
  VERIFY_EXT: 0x42,
  SEEK: 0x70,
  DIAGNOSTIC: 0x90,
  INITIALIZE_PARAMETERS: 0x91,
  STANDBY_IMMEDIATE_OLD: 0x94,
  IDLE_IMMEDIATE_OLD: 0x95,
  STANDBY_OLD: 0x96,
  IDLE_OLD: 0x97,
  CHECK_POWER_OLD: 0x98,
  SLEEP_OLD: 0x99,
  PACKET: 0xa0,
  IDENTIFY_PACKET: 0xa1,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_ONCE: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_ONCE: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  CHECK_POWER: 0xe5,
  SLEEP: 0xe6,
  FLUSH_CACHE: 0xe7,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY: 0xec,
  SET_FEATURES: 0xef,
} as const;

/** Subcommands of SET FEATURES. */
export const FEATURE = {
  WRITE_CACHE: 0x02,
  TRANSFER_MODE: 0x03,
  NO_LOOK_AHEAD: 0x55,
  KEEP_ON_RESET: 0x66,
  NO_WRITE_CACHE: 0x82,
  LOOK_AHEAD: 0xaa,
  DEFAULTS_ON_RESET: 0xcc,
} as const;
