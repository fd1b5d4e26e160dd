/**
 * The board as ACPI's machine language describes it: the DSDT without its header.
 * @module
 */

import {
  type Aml,
  and,
  arg,
  byteFields,
  createDwordField,
  device,
  eisaId,
  ifElse,
  integer,
  join,
  method,
  name,
  operationRegion,
  or,
  pack,
  path,
  REGION,
  ret,
  scope,
  store,
  string,
} from "./aml.ts";
import { busNumbers, dma, interrupt, io, ioWindow, irq, memory32, memoryWindow, resources } from "./resources.ts";
import { SLEEP_TYPE_S5 } from "./power_management.ts";

/** A range of addresses. */
export interface AddressWindow {
  /** The first address. */
  readonly first: number;
  /** The last one. */
  readonly last: number;
}

/** What a DSDT is made from. */
export interface DsdtOptions {
  /** How many processors there are. */
  readonly processors: number;
  /** Addresses for the registers of PCI devices, below 4 GiB; none: there is no PCI. */
  readonly pci?: AddressWindow;
  /** The serial ports that are there: their first ports, for COM1 on. */
  readonly serial: readonly number[];
  /** Whether there is a floppy controller. */
  readonly floppy: boolean;
  /** Whether there are keyboard and mouse. */
  readonly keyboard: boolean;
  /** Address of the HPET; none: there is none. */
  readonly hpet?: number;
}

/** Device 1, function 0: the ISA bridge. */
const ISA_ADDRESS = 0x1_0000;
/** The bridge's registers that route PIRQA to PIRQD; bit 7: not at all. */
const PIRQRC = 0x60;
const PIRQ_OFF = 0x80;
const PIRQ_NAMES = ["PRQA", "PRQB", "PRQC", "PRQD"] as const;
const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
/** What PIRQs can be routed to. */
const LINK_CHOICES = [5, 10, 11] as const;
/** Where the number is in an interrupt descriptor. */
const INTERRUPT_NUMBER = 5;
const SLOTS = 32;
const PINS = 4;

const SERIAL_IRQS = [4, 3, 4, 3] as const;
const PRESENT = 0x0f;
const LINK_ENABLED = 0x0b;
const LINK_DISABLED = 0x09;

/**
 * Makes the terms.
 * @param options What is on the board.
 */
export function dsdt(options: DsdtOptions): Aml {
  const { processors, pci } = options;
  const isa = legacyDevices(options);
  return join(
    name("\\_S5", pack(integer(SLEEP_TYPE_S5), integer(SLEEP_TYPE_S5), integer(0), integer(0))),
    scope(
      "\\_SB",
      ...Array.from({ length: processors }, (_, n) => processor(n)),
      ...(options.hpet === undefined ? [] : [hpet(options.hpet)]),
      ...(pci === undefined ? isa : [hostBridge(pci, isa), ...LINKS.map(link)]),
    ),
  );
}

function processor(n: number): Aml {
  const what = `C${n.toString(16).toUpperCase().padStart(3, "0")}`;
  return device(what, name("_HID", string("ACPI0007")), name("_UID", integer(n)));
}

function hpet(base: number): Aml {
  return pnp("HPET", "PNP0103", memory32(base, 0x400));
}

function pnp(what: string, id: string, ...used: readonly Uint8Array[]): Aml {
  return device(what, name("_HID", eisaId(id)), name("_STA", integer(PRESENT)), name("_CRS", resources(...used)));
}

function legacyDevices({ serial, floppy, keyboard }: DsdtOptions): Aml[] {
  const devices = [pnp("RTC", "PNP0B00", io(0x70, 2), irq(8))];
  if (keyboard) {
    devices.push(pnp("KBD", "PNP0303", io(0x60, 1), io(0x64, 1), irq(1)), pnp("MOU", "PNP0F13", irq(12)));
  }
  if (floppy) devices.push(pnp("FDC0", "PNP0700", io(0x3f2, 4), io(0x3f7, 1), irq(6), dma(2)));
  for (const [n, port] of serial.entries()) {
    const used = resources(io(port, 8), irq(SERIAL_IRQS[n]));
    const what = [name("_HID", eisaId("PNP0501")), name("_UID", integer(n + 1)), name("_CRS", used)];
    devices.push(device(`COM${n + 1}`, ...what, name("_STA", integer(PRESENT))));
  }
  return devices;
}

function hostBridge({ first, last }: AddressWindow, isa: readonly Aml[]): Aml {
  return device(
    "PCI0",
    name("_HID", eisaId("PNP0A03")),
    name("_UID", integer(0)),
    name(
      "_CRS",
      resources(
        busNumbers(0, 255),
        io(0xcf8, 8),
        ioWindow(0, 0xcf7),
        ioWindow(0xd00, 0xffff),
        memoryWindow(0xa0000, 0xbffff, true),
        memoryWindow(first, last),
      ),
    ),
    name("_PRT", routing()),
    device(
      "ISA",
      name("_ADR", integer(ISA_ADDRESS)),
      operationRegion("PIRQ", REGION.PCI_CONFIG, PIRQRC, PINS),
      byteFields("PIRQ", PIRQ_NAMES),
      ...isa,
    ),
  );
}

/** As on QEMU's PC: slot n's pin A is PIRQ (n - 1) mod 4. */
function routing(): Aml {
  const rows: Aml[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    for (let pin = 0; pin < PINS; pin++) {
      const source = path(LINKS[(slot + pin + 3) % PINS]);
      rows.push(pack(integer(slot * 0x10000 + 0xffff), integer(pin), source, integer(0)));
    }
  }
  return pack(...rows);
}

function link(what: string, n: number): Aml {
  const pirq = path(`\\_SB.PCI0.ISA.${PIRQ_NAMES[n]}`);
  return device(
    what,
    name("_HID", eisaId("PNP0C0F")),
    name("_UID", integer(n)),
    name("_PRS", resources(interrupt(...LINK_CHOICES))),
    name("BUF", resources(interrupt(0))),
    createDwordField(path("BUF"), INTERRUPT_NUMBER, "NUM"),
    method(
      "_STA",
      0,
      ifElse(and(pirq, integer(PIRQ_OFF)), ret(integer(LINK_DISABLED)), ret(integer(LINK_ENABLED))),
    ),
    method("_DIS", 0, or(pirq, integer(PIRQ_OFF), pirq)),
    method("_CRS", 0, and(pirq, integer(0x0f), path("NUM")), ret(path("BUF"))),
    method("_SRS", 1, createDwordField(arg(0), INTERRUPT_NUMBER, "SET"), store(path("SET"), pirq)),
  );
}
