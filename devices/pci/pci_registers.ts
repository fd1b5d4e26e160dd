/**
 * The registers that every PCI function has in its configuration space (PCI Local Bus Specification 3.0, chapter 6), by the
 * specification's names.
 * @module
 */

/** Bytes of a function's configuration space. */
export const PCI_CONFIG_SIZE = 256;

/** Where the registers of a type 0 header are. */
export const PCI = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  EXPANSION_ROM: 0x30,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
  FIRST_FREE: 0x40,
} as const;

/** Bits of the command register. */
export const PCI_COMMAND = { IO: 0x0001, MEMORY: 0x0002, MASTER: 0x0004, SERR: 0x0100, INTX_DISABLE: 0x0400 } as const;
/** Bits of the status register. */
export const PCI_STATUS = {
  INTERRUPT: 0x0008,
  CAPABILITIES: 0x0010,
  FAST_BACK_TO_BACK: 0x0080,
  MEDIUM_DEVSEL: 0x0200,
  ERRORS: 0xf900,
} as const;
/** Bits of a base address register. */
export const PCI_BAR = { IO: 0x1, PREFETCHABLE: 0x8, IO_FLAGS: 0x3, MEMORY_FLAGS: 0xf } as const;
/** How many base address registers there are. */
export const PCI_BARS = 6;
/** The expansion ROM is decoded. */
export const PCI_ROM_ENABLE = 0x1;
/** Header type: the device has more functions than 0. */
export const PCI_MULTIFUNCTION = 0x80;
/** Identifiers of capabilities. */
export const PCI_CAPABILITY = { MSI: 0x05, VENDOR: 0x09, MSIX: 0x11 } as const;
/** What a read gives where there is no function. */
export const PCI_NOBODY = 0xffffffff;
