/**
 * The Intel 8042 as the keyboard controller of a PS/2 and of all PCs since, with its keyboard (`keyboard.ts`) and its mouse
 * (`mouse.ts`).
 *
 * | port | |
 * | --- | --- |
 * | 0x60 | read: what the controller or a device has sent; write: to the keyboard, or the argument of a command |
 * | 0x64 | read: status; write: commands |
 *
 * Replies are there at once. Keys and movements come with a pause after the byte before them was read, as on a serial wire, so
 * that a guest may read a byte twice.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import type { CancelTimer, Clock } from "./clock.ts";
import { type Device, savedBytes, SavedReader, type SavedState } from "./device.ts";
import { SET_1_RELEASE, SET_2_RELEASE, toSet1 } from "./i8042_translation.ts";
import { Keyboard } from "./keyboard.ts";
import { Mouse } from "./mouse.ts";

/** The port of data. */
export const KEYBOARD_DATA_PORT = 0x60;
/** The port of commands and status. */
export const KEYBOARD_COMMAND_PORT = 0x64;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_MOUSE = 0x20;

const MODE_KEYBOARD_INTERRUPT = 0x01;
const MODE_MOUSE_INTERRUPT = 0x02;
const MODE_SYSTEM = 0x04;
const MODE_KEYBOARD_OFF = 0x10;
const MODE_MOUSE_OFF = 0x20;
const MODE_TRANSLATE = 0x40;

const READ_MEMORY = 0x20;
const WRITE_MEMORY = 0x60;
const MEMORY_SIZE = 0x20;
const PASSWORD_TEST = 0xa4;
const MOUSE_DISABLE = 0xa7;
const MOUSE_ENABLE = 0xa8;
const MOUSE_TEST = 0xa9;
const SELF_TEST = 0xaa;
const KEYBOARD_TEST = 0xab;
const KEYBOARD_DISABLE = 0xad;
const KEYBOARD_ENABLE = 0xae;
const READ_INPUT_PORT = 0xc0;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_BUFFER = 0xd2;
const WRITE_MOUSE_BUFFER = 0xd3;
const WRITE_MOUSE = 0xd4;
const A20_OFF = 0xdd;
const A20_ON = 0xdf;
const READ_TEST_INPUTS = 0xe0;
const PULSE = 0xf0;

const SELF_TEST_PASSED = 0x55;
const PORT_TEST_PASSED = 0x00;
const NO_PASSWORD = 0xf1;
/** Not locked, no manufacturing jumper, colour display as the switches of an AT said it. */
const INPUT_PORT = 0xa0;

const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_FULL = 0x10;
const OUTPUT_MOUSE_FULL = 0x20;
/** The lines to the keyboard. */
const OUTPUT_LINES = 0xcc;

/** How long a byte takes on the wire, about. */
const BYTE_NS = 500_000;
const MOST_REPLIES = 16;

/** What the controller is wired to. */
export interface I8042Wires {
  /** The time. */
  readonly clock: Clock;
  /** IRQ 1; called when its level changes. It is low for the one who was never called. */
  readonly keyboardInterrupt: (level: boolean) => void;
  /** IRQ 12; called when its level changes. It is low for the one who was never called. */
  readonly mouseInterrupt: (level: boolean) => void;
  /** The A20 gate; called when it opens (true) or closes. It is open for the one who was never called. */
  readonly a20: (open: boolean) => void;
  /** Called when the guest resets the processor; memory and devices are not to change. */
  readonly reset: () => void;
}

/** The controller. */
export class I8042 implements Device {
  /** `"i8042"`. */
  readonly name = "i8042";
  /** The keyboard. */
  readonly keyboard: Keyboard;
  /** The mouse. */
  readonly mouse: Mouse = new Mouse();
  readonly #wires: I8042Wires;
  readonly #memory: Uint8Array = new Uint8Array(MEMORY_SIZE);
  #outputPort = OUTPUT_NO_RESET | OUTPUT_A20;
  #status = STATUS_UNLOCKED;
  #data = 0;
  /** Replies of the controller itself; those in the mouse's name have bit 8. */
  #replies: number[] = [];
  /** The command whose argument comes next; 0: none. */
  #pending = 0;
  /** The keyboard has said that a key was released, in set 2. */
  #released = false;
  /** When the last byte was read. */
  #lastRead = 0;
  #cancel: CancelTimer = () => {};
  readonly #levels = { keyboard: false, mouse: false };

  /**
   * Makes a controller as after power-up.
   * @param wires What it is wired to.
   */
  constructor(wires: I8042Wires) {
    this.#wires = wires;
    this.keyboard = new Keyboard(wires.clock);
    this.#memory[0] = MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT;
    this.#lastRead = wires.clock.now() - BYTE_NS;
    this.keyboard.output.listener = this.mouse.output.listener = () => this.#fill();
  }

  /** As after power-up, with its devices; the A20 gate opens. */
  reset(): void {
    this.#cancel();
    this.#memory.fill(0);
    this.#memory[0] = MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT;
    this.#status = STATUS_UNLOCKED;
    this.#data = 0;
    this.#replies = [];
    this.#pending = 0;
    this.#released = false;
    this.#lastRead = this.#wires.clock.now() - BYTE_NS;
    this.keyboard.reset();
    this.mouse.reset();
    this.#setOutputPort(OUTPUT_NO_RESET | OUTPUT_A20);
    this.#drive();
  }

  /** Brings the controller into the state in which a BIOS leaves it: self-tested, keyboard with interrupt and set 1, no mouse. */
  setUp(): void {
    this.reset();
    this.#setMode(MODE_KEYBOARD_INTERRUPT | MODE_SYSTEM | MODE_MOUSE_OFF | MODE_TRANSLATE);
  }

  /**
   * Takes ports 0x60 and 0x64.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    const data: BusDevice = {
      width: 1,
      read: () => this.readData(),
      write: (_offset, value) => this.writeData(value),
    };
    const command: BusDevice = {
      width: 1,
      read: () => this.status,
      write: (_offset, value) => this.command(value),
    };
    ports.attach({ name: "keyboard controller data", base: KEYBOARD_DATA_PORT, length: 1 }, data);
    ports.attach({ name: "keyboard controller command", base: KEYBOARD_COMMAND_PORT, length: 1 }, command);
  }

  /** Whether the A20 gate is open. */
  get a20(): boolean {
    return (this.#outputPort & OUTPUT_A20) !== 0;
  }

  /** Port 0x64 as it is read. */
  get status(): number {
    return this.#status | ((this.#memory[0] & MODE_SYSTEM) !== 0 ? STATUS_SYSTEM : 0);
  }

  /** Reads port 0x60: the byte that is there, or once more the last one. */
  readData(): number {
    const data = this.#data;
    if ((this.#status & STATUS_OUTPUT_FULL) !== 0) {
      this.#status &= ~(STATUS_OUTPUT_FULL | STATUS_MOUSE);
      this.#lastRead = this.#wires.clock.now();
      this.#drive();
      this.mouse.report();
      this.#fill();
    }
    return data;
  }

  /**
   * Writes port 0x60.
   * @param value 0..255.
   */
  writeData(value: number): void {
    this.#status &= ~STATUS_COMMAND;
    const command = this.#pending;
    this.#pending = 0;
    switch (command) {
      case 0:
        // A byte for the keyboard opens its line.
        this.#memory[0] &= ~MODE_KEYBOARD_OFF;
        this.keyboard.write(value);
        return this.#fill();
      case WRITE_OUTPUT_PORT:
        return this.#setOutputPort(value);
      case WRITE_KEYBOARD_BUFFER:
        return this.#reply(value);
      case WRITE_MOUSE_BUFFER:
        return this.#reply(value | 0x100);
      case WRITE_MOUSE:
        this.#memory[0] &= ~MODE_MOUSE_OFF;
        this.mouse.write(value);
        return this.#fill();
      case WRITE_MEMORY:
        return this.#setMode(value);
      default:
        this.#memory[command - WRITE_MEMORY] = value;
    }
  }

  /**
   * Writes port 0x64.
   * @param value 0..255.
   */
  command(value: number): void {
    this.#status |= STATUS_COMMAND;
    this.#pending = 0;
    if (value >= PULSE) {
      if ((value & 1) === 0) this.#wires.reset();
      return;
    }
    if (value >= READ_MEMORY && value < READ_MEMORY + MEMORY_SIZE) {
      return this.#reply(this.#memory[value - READ_MEMORY]);
    }
    if (value >= WRITE_MEMORY && value < WRITE_MEMORY + MEMORY_SIZE) {
      this.#pending = value;
      return;
    }
    const mode = this.#memory[0];
    switch (value) {
      case PASSWORD_TEST:
        return this.#reply(NO_PASSWORD);
      case MOUSE_DISABLE:
        return this.#setMode(mode | MODE_MOUSE_OFF);
      case MOUSE_ENABLE:
        return this.#setMode(mode & ~MODE_MOUSE_OFF);
      case KEYBOARD_DISABLE:
        return this.#setMode(mode | MODE_KEYBOARD_OFF);
      case KEYBOARD_ENABLE:
        return this.#setMode(mode & ~MODE_KEYBOARD_OFF);
      case SELF_TEST:
        this.#memory[0] |= MODE_SYSTEM;
        return this.#reply(SELF_TEST_PASSED);
      case MOUSE_TEST:
      case KEYBOARD_TEST:
      case READ_TEST_INPUTS:
        return this.#reply(PORT_TEST_PASSED);
      case READ_INPUT_PORT:
        return this.#reply(INPUT_PORT);
      case READ_OUTPUT_PORT:
        return this.#reply(this.#readOutputPort());
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_BUFFER:
      case WRITE_MOUSE_BUFFER:
      case WRITE_MOUSE:
        this.#pending = value;
        return;
      case A20_OFF:
        return this.#setOutputPort(this.#outputPort & ~OUTPUT_A20);
      case A20_ON:
        return this.#setOutputPort(this.#outputPort | OUTPUT_A20);
    }
  }

  /** All that the controller and its devices remember. */
  save(): SavedState {
    return {
      version: 1,
      memory: savedBytes(this.#memory),
      outputPort: this.#outputPort,
      status: this.#status,
      data: this.#data,
      replies: this.#replies.length,
      replyBytes: savedBytes(Uint8Array.from(this.#replies.flatMap((value) => [value & 0xff, value >> 8]))),
      pending: this.#pending,
      released: this.#released,
      lastRead: this.#lastRead,
      keyboard: [this.keyboard.save()],
      mouse: [this.mouse.save()],
    };
  }

  /**
   * Goes back to a kept state; lines whose level differs are driven.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const memory = reader.bytes("memory", MEMORY_SIZE);
    const outputPort = reader.integer("outputPort", { max: 0xff });
    const status = reader.integer("status", { max: 0xff }) &
      (STATUS_OUTPUT_FULL | STATUS_COMMAND | STATUS_UNLOCKED | STATUS_MOUSE);
    const data = reader.integer("data", { max: 0xff });
    const replies = reader.integer("replies", { max: MOST_REPLIES });
    const replyBytes = reader.bytes("replyBytes", replies * 2);
    const pending = reader.integer("pending", { max: 0xff });
    const released = reader.boolean("released");
    const lastRead = reader.integer("lastRead", { min: -BYTE_NS, max: Number.MAX_SAFE_INTEGER });
    const putKeyboard = this.keyboard.restore(reader.parts("keyboard", 1)[0]);
    const putMouse = this.mouse.restore(reader.parts("mouse", 1)[0]);
    this.#cancel();
    this.#memory.set(memory);
    [this.#status, this.#data, this.#released, this.#lastRead] = [status, data, released, lastRead];
    this.#pending = takesArgument(pending) ? pending : 0;
    this.#replies = Array.from({ length: replies }, (_, n) => replyBytes[n * 2] | (replyBytes[n * 2 + 1] & 1) << 8);
    putKeyboard();
    putMouse();
    const open = (outputPort & OUTPUT_A20) !== 0;
    const changed = open !== this.a20;
    this.#outputPort = outputPort;
    if (changed) this.#wires.a20(open);
    this.#drive();
    this.#fill();
  }

  #reply(value: number): void {
    if (this.#replies.length < MOST_REPLIES) this.#replies.push(value);
    this.#fill();
  }

  #setMode(value: number): void {
    this.#memory[0] = value;
    this.#drive();
    this.#fill();
  }

  #readOutputPort(): number {
    const full = (this.#status & STATUS_OUTPUT_FULL) !== 0;
    const mouse = (this.#status & STATUS_MOUSE) !== 0;
    const lines = full ? mouse ? OUTPUT_MOUSE_FULL : OUTPUT_KEYBOARD_FULL : 0;
    return this.#outputPort & (OUTPUT_NO_RESET | OUTPUT_A20) | OUTPUT_LINES | lines;
  }

  #setOutputPort(value: number): void {
    const changed = ((value ^ this.#outputPort) & OUTPUT_A20) !== 0;
    this.#outputPort = value & (OUTPUT_NO_RESET | OUTPUT_A20);
    if (changed) this.#wires.a20(this.a20);
    if ((value & OUTPUT_NO_RESET) !== 0) return;
    this.#outputPort |= OUTPUT_NO_RESET;
    this.#wires.reset();
  }

  /** Puts the next byte where the guest can read it, if there is one and its time has come. */
  #fill(): void {
    if ((this.#status & STATUS_OUTPUT_FULL) !== 0) return;
    this.#cancel();
    const reply = this.#replies.shift();
    if (reply !== undefined) return this.#show(reply & 0xff, reply > 0xff);
    const mode = this.#memory[0];
    const keyboard = (mode & MODE_KEYBOARD_OFF) === 0 ? this.keyboard.output : undefined;
    const mouse = (mode & MODE_MOUSE_OFF) === 0 ? this.mouse.output : undefined;
    if (keyboard?.hasReply === true) return this.#takeKey();
    if (mouse?.hasReply === true) return this.#show(mouse.take(), true);
    if (keyboard?.hasEvent !== true && mouse?.hasEvent !== true) return;
    const { clock } = this.#wires;
    const due = this.#lastRead + BYTE_NS;
    if (clock.now() < due) {
      this.#cancel = clock.schedule(due, () => this.#fill());
    } else if (keyboard?.hasEvent === true) {
      this.#takeKey();
    } else if (mouse !== undefined) {
      this.#show(mouse.take(), true);
    }
  }

  #takeKey(): void {
    const value = this.keyboard.output.take();
    if ((this.#memory[0] & MODE_TRANSLATE) === 0) return this.#show(value, false);
    if (value === SET_2_RELEASE) {
      this.#released = true;
      return this.#fill();
    }
    const released = this.#released;
    this.#released = false;
    this.#show(released ? toSet1(value) | SET_1_RELEASE : toSet1(value), false);
  }

  #show(value: number, mouse: boolean): void {
    this.#data = value;
    this.#status |= STATUS_OUTPUT_FULL | (mouse ? STATUS_MOUSE : 0);
    this.#drive();
  }

  #drive(): void {
    const mode = this.#memory[0];
    const full = (this.#status & STATUS_OUTPUT_FULL) !== 0, mouse = (this.#status & STATUS_MOUSE) !== 0;
    const keyboardLevel = full && !mouse && (mode & MODE_KEYBOARD_INTERRUPT) !== 0;
    const mouseLevel = full && mouse && (mode & MODE_MOUSE_INTERRUPT) !== 0;
    if (keyboardLevel !== this.#levels.keyboard) {
      this.#levels.keyboard = keyboardLevel;
      this.#wires.keyboardInterrupt(keyboardLevel);
    }
    if (mouseLevel !== this.#levels.mouse) {
      this.#levels.mouse = mouseLevel;
      this.#wires.mouseInterrupt(mouseLevel);
    }
  }
}

function takesArgument(command: number): boolean {
  return (command >= WRITE_MEMORY && command < WRITE_MEMORY + MEMORY_SIZE) ||
    command >= WRITE_OUTPUT_PORT && command <= WRITE_MOUSE;
}
