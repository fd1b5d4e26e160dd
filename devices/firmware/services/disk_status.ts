/**
 * What INT 13h gives in AH.
 * @module
 */

/** The statuses. */
export const DISK_STATUS = {
  OK: 0x00,
  BAD_COMMAND: 0x01,
  WRITE_PROTECTED: 0x03,
  NOT_FOUND: 0x04,
  BAD_DRIVE: 0x07,
  NOT_SUPPORTED_MEDIA: 0x0c,
  CONTROLLER: 0x20,
  NO_MEDIA: 0x31,
  SEEK: 0x40,
  TIMEOUT: 0x80,
  NOT_LOCKED: 0xb0,
  NOT_REMOVABLE: 0xb2,
} as const;
