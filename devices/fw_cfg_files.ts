/**
 * Files that SeaBIOS looks for in {@linkcode FwCfg | fw_cfg.ts}.
 * @module
 */

/** Addresses of a kind. */
export interface FwCfgRange {
  /** The first. */
  readonly base: number;
  /** How many. */
  readonly size: number;
  /** 1 memory, 2 reserved. */
  readonly type: number;
}

/** A device to boot from. */
export type FwCfgBootDevice =
  | { readonly kind: "floppy"; readonly drive: 0 | 1 }
  | { readonly kind: "ide"; readonly channel: 0 | 1; readonly drive: 0 | 1 }
  | { readonly kind: "virtio"; readonly device: number };

/** What the files are made from. */
export interface FwCfgFilesOptions {
  /** Which addresses are memory and which must not be used; none: firmware goes by the CMOS memory. */
  readonly memory?: readonly FwCfgRange[];
  /** What to boot from, in turn; none: firmware goes by the CMOS memory. */
  readonly boot?: readonly FwCfgBootDevice[];
  /** How long the boot menu waits for a key, in milliseconds; none: there is no menu. */
  readonly bootMenuMs?: number;
  /** The tables of ACPI as `acpi/table_loader.ts` makes them. */
  readonly acpi?: { readonly [name: string]: Uint8Array };
  /** The tables of SMBIOS with their anchor. */
  readonly smbios?: { readonly anchor: Uint8Array; readonly tables: Uint8Array };
}

const RANGE_SIZE = 20;

/**
 * Makes the files.
 * @param options What of.
 * @returns Files by their names.
 */
export function fwCfgFiles(options: FwCfgFilesOptions): Record<string, Uint8Array> {
  const { memory, boot, bootMenuMs, acpi, smbios } = options;
  const files: Record<string, Uint8Array> = { ...acpi };
  if (memory !== undefined) files["etc/e820"] = ranges(memory);
  if (boot !== undefined) files["bootorder"] = new TextEncoder().encode(boot.map(bootPath).join("\n") + "\0");
  files["etc/show-boot-menu"] = little(bootMenuMs === undefined ? 0 : 1);
  if (bootMenuMs !== undefined) files["etc/boot-menu-wait"] = little(bootMenuMs);
  if (smbios !== undefined) {
    files["etc/smbios/smbios-anchor"] = smbios.anchor;
    files["etc/smbios/smbios-tables"] = smbios.tables;
  }
  return files;
}

/**
 * What Open Firmware would call a device, as SeaBIOS knows it.
 * @param device The device.
 */
export function bootPath(device: FwCfgBootDevice): string {
  switch (device.kind) {
    case "floppy":
      return `/pci@i0cf8/isa@1/fdc@03f0/floppy@${device.drive}`;
    case "ide":
      return `/pci@i0cf8/ide@1,1/drive@${device.channel}/disk@${device.drive}`;
    case "virtio":
      return `/pci@i0cf8/scsi@${device.device.toString(16)}/disk@0,0`;
  }
}

function ranges(memory: readonly FwCfgRange[]): Uint8Array {
  const bytes = new Uint8Array(memory.length * RANGE_SIZE), view = new DataView(bytes.buffer);
  memory.forEach(({ base, size, type }, n) => {
    view.setBigUint64(n * RANGE_SIZE, BigInt(base), true);
    view.setBigUint64(n * RANGE_SIZE + 8, BigInt(size), true);
    view.setUint32(n * RANGE_SIZE + 16, type, true);
  });
  return bytes;
}

function little(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, true);
  return bytes;
}
