/**
 * Calls of the firmware's services without a processor: registers are put where `bios.asm` pushes them, and read again from there.
 * @module
 */

import { Bus } from "../../devices/bus.ts";
import { VirtualClock } from "../../devices/clock.ts";
import { Firmware, FIRMWARE_PORT, type FirmwareMachine } from "../../devices/firmware/firmware.ts";
import { I8042 } from "../../devices/i8042.ts";
import { Mc146818 } from "../../devices/mc146818.ts";
import { Uart16550 } from "../../devices/uart16550.ts";
import { Vga, VGA_LINEAR_SIZE } from "../../devices/video/vga.ts";

const STACK = 0x9000;
const SIGNATURE = 0xb105;
const CF = 0x01, ZF = 0x40;
const NAMES = ["edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax"] as const;
const SERVICE_POST = 0x100;

/** Registers; those that are left out are 0. */
export interface Registers {
  readonly eax?: number;
  readonly ebx?: number;
  readonly ecx?: number;
  readonly edx?: number;
  readonly esi?: number;
  readonly edi?: number;
  readonly ebp?: number;
  readonly es?: number;
  readonly ds?: number;
  /** Whether CF was set before the call. */
  readonly carry?: boolean;
}

/** Registers after a call. */
export interface Result extends Required<Registers> {
  readonly zero: boolean;
  /** 0: the service is done; 1: it waits. */
  readonly answer: number;
  readonly cs: number;
  readonly ip: number;
}

/** The firmware with what it needs of a board. */
export class ServiceBench {
  /** The first 2 MiB of memory. */
  readonly memory: Uint8Array = new Uint8Array(0x200000);
  readonly view: DataView = new DataView(this.memory.buffer);
  readonly ports: Bus = new Bus("port", 0x10000);
  readonly mmio: Bus = new Bus("address", 2 ** 32);
  readonly clock: VirtualClock = new VirtualClock();
  readonly vga: Vga = new Vga({ linear: new Uint8Array(VGA_LINEAR_SIZE), clock: this.clock });
  /** What was sent on COM1. */
  sent = "";

  /**
   * Makes it, after power-up.
   * @param machine What the firmware is to know of the machine.
   */
  constructor(machine: Partial<FirmwareMachine> = {}) {
    const { memory, ports, mmio, clock } = this;
    const guest = {
      read: (address: number, into: Uint8Array) => into.set(memory.subarray(address, address + into.length)),
      write: (address: number, bytes: Uint8Array) => memory.set(bytes, address),
    };
    this.vga.attach(ports, mmio);
    const line = { keyboardInterrupt: () => {}, mouseInterrupt: () => {}, a20: () => {}, reset: () => {} };
    new I8042({ clock, ...line }).attach(ports);
    new Mc146818({ clock, interrupt: () => {}, time: new Date(Date.UTC(2026, 1, 3, 16, 5, 6)) }).attach(ports);
    new Uart16550({
      name: "com1",
      port: 0x3f8,
      clock,
      transmit: (byte) => this.sent += String.fromCharCode(byte),
      receive: () => -1,
      interrupt: () => {},
    }).attach(ports);
    const firmware = new Firmware({ memory: memory.length, drives: [], ...machine, guest, a20: () => true });
    firmware.attach(ports, mmio);
    firmware.install();
    this.call(SERVICE_POST);
  }

  /**
   * Calls a service.
   * @param service The number of its interrupt.
   * @param registers What it is given.
   */
  call(service: number, registers: Registers = {}): Result {
    const { view } = this;
    NAMES.forEach((name, n) => view.setUint32(STACK + 4 * n, name === "esp" ? 0 : registers[name] ?? 0, true));
    const words = [registers.es ?? 0, registers.ds ?? 0, service, SIGNATURE, 0x1234, 0x5678, registers.carry ? CF : 0];
    words.forEach((word, n) => view.setUint16(STACK + 32 + 2 * n, word, true));
    this.ports.out(FIRMWARE_PORT, 4, STACK);
    const [es, ds, , answer, ip, cs, flags] = words.map((_, n) => view.getUint16(STACK + 32 + 2 * n, true));
    const [edi, esi, ebp, , ebx, edx, ecx, eax] = NAMES.map((_, n) => view.getUint32(STACK + 4 * n, true));
    const carry = (flags & CF) !== 0, zero = (flags & ZF) !== 0;
    return { edi, esi, ebp, ebx, edx, ecx, eax, es, ds, answer, ip, cs, carry, zero };
  }

  /** Text at an address, up to a zero byte. */
  text(address: number): string {
    const end = this.memory.indexOf(0, address);
    return new TextDecoder("latin1").decode(this.memory.subarray(address, end));
  }

  /** Puts bytes or ASCII to an address. */
  put(address: number, bytes: Iterable<number> | string): void {
    this.memory.set(typeof bytes === "string" ? new TextEncoder().encode(bytes) : [...bytes], address);
  }
}
