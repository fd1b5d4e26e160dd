/**
 * A PS/2 keyboard with scan code sets 1, 2 and 3, typematic repetition and lamps.
 *
 * Keys that the host holds down and keys that wait to be typed belong to the host: they are no part of a kept state.
 * @module
 */

import type { CancelTimer, Clock } from "./clock.ts";
import type { SavedReader, SavedState } from "./device.ts";
import { type Ps2Device, Ps2Output } from "./i8042_port.ts";
import { breakCode, isKey, makeCode, type ScanCodeSet } from "./keyboard_keys.ts";
import { type KeyEvent, typed } from "./keyboard_typing.ts";

const SET_LEDS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DEFAULT_DISABLE = 0xf5;
const DEFAULT = 0xf6;
/** In set 3, for all keys: 0xf7 repeats, 0xf8 make and break, 0xf9 make only, 0xfa all of it. */
const ALL_FIRST = 0xf7;
const ALL_LAST = 0xfa;
/** The same for keys that follow. */
const KEY_FIRST = 0xfb;
const KEY_LAST = 0xfd;
const RESEND = 0xfe;
const RESET = 0xff;

const ACK = 0xfa;
const SELF_TEST_PASSED = 0xaa;
const ID = [0xab, 0x83];
/** No room for a key, in sets 2 and 3; in set 1 it is 0xff. */
const OVERRUN = 0x00;
const OVERRUN_1 = 0xff;

/** 10.9 a second after half a second. */
const DEFAULT_TYPEMATIC = 0x2b;
/** Keys that never repeat. */
const QUIET: ReadonlySet<string> = new Set(["Pause", "PrintScreen"]);
/** From one movement of a typed text to the next, in nanoseconds. */
const TYPING_NS = 5_000_000;

/** What lamps a keyboard has. */
export interface KeyboardLeds {
  /** Scroll Lock. */
  readonly scrollLock: boolean;
  /** Num Lock. */
  readonly numLock: boolean;
  /** Caps Lock. */
  readonly capsLock: boolean;
}

/** The keyboard. */
export class Keyboard implements Ps2Device {
  /** What it has to send. */
  readonly output: Ps2Output = new Ps2Output();
  readonly #clock: Clock;
  readonly #held = new Set<string>();
  readonly #waiting: KeyEvent[] = [];
  #typing = false;
  #enabled = true;
  #set: ScanCodeSet = 2;
  #leds = 0;
  #typematic = DEFAULT_TYPEMATIC;
  /** The command whose argument comes next; 0: none. */
  #pending = 0;
  #repeating = "";
  #cancelRepeat: CancelTimer = () => {};

  /**
   * Makes a keyboard as after power-up: it scans, in set 2.
   * @param clock The time.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The lamps. */
  get leds(): KeyboardLeds {
    return { scrollLock: (this.#leds & 1) !== 0, numLock: (this.#leds & 2) !== 0, capsLock: (this.#leds & 4) !== 0 };
  }

  /** Whether movements of a text still wait to be typed. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  /** As after power-up. Keys that are held stay held. */
  reset(): void {
    this.#defaults();
    this.#enabled = true;
    this.#leds = 0;
    this.#pending = 0;
    this.output.reset();
  }

  /**
   * A key goes down; one that is down already repeats.
   * @param code Which, as `KeyboardEvent.code` has it.
   * @throws RangeError There is no such key.
   */
  press(code: string): void {
    this.#know(code);
    this.#held.add(code);
    this.#send(makeCode(code, this.#set));
    this.#repeat(code, this.#delayNs());
  }

  /**
   * A key goes up.
   * @param code Which, as `KeyboardEvent.code` has it.
   * @throws RangeError There is no such key.
   */
  release(code: string): void {
    this.#know(code);
    if (!this.#held.delete(code)) return;
    if (this.#repeating === code) this.#stopRepeating();
    this.#send(breakCode(code, this.#set));
  }

  /** All keys go up. */
  releaseAll(): void {
    for (const code of [...this.#held]) this.release(code);
  }

  /**
   * Types a text on a US layout, 5 ms a movement, and none before the guest has taken those before.
   * @param text Printable ASCII and control characters.
   * @throws RangeError A US keyboard has no key for some of it.
   */
  type(text: string): void {
    this.play(typed(text));
  }

  /**
   * Moves keys one after the other, as {@linkcode type} does.
   * @param events The movements.
   * @throws RangeError There is no such key; none has moved then.
   */
  play(events: readonly KeyEvent[]): void {
    for (const { code } of events) this.#know(code);
    this.#waiting.push(...events);
    if (!this.#typing) this.#next();
  }

  /** Forgets what waits to be typed. */
  stopTyping(): void {
    this.#waiting.length = 0;
    this.releaseAll();
  }

  /**
   * Takes a command or its argument.
   * @param value 0..255.
   */
  write(value: number): void {
    const command = this.#pending;
    this.#pending = 0;
    if (command !== 0 && value < SET_LEDS) return this.#argument(command, value);
    this.#command(value);
  }

  /** All that the keyboard remembers. */
  save(): SavedState {
    return {
      enabled: this.#enabled,
      set: this.#set,
      leds: this.#leds,
      typematic: this.#typematic,
      pending: this.#pending,
      output: [this.output.save()],
    };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place; nothing has changed before.
   * @throws SavedStateError It is not such a state.
   */
  restore(reader: SavedReader): () => void {
    const enabled = reader.boolean("enabled");
    const set = reader.integer("set", { min: 1, max: 3 }) as ScanCodeSet;
    const leds = reader.integer("leds", { max: 7 });
    const typematic = reader.integer("typematic", { max: 0x7f });
    const pending = reader.integer("pending", { max: 0xff });
    const put = this.output.restore(reader.parts("output", 1)[0]);
    return () => {
      put();
      this.#stopRepeating();
      [this.#enabled, this.#set, this.#leds, this.#typematic, this.#pending] = [enabled, set, leds, typematic, pending];
    };
  }

  #command(value: number): void {
    const { output } = this;
    switch (value) {
      case ECHO:
        return output.reply(ECHO);
      case RESEND:
        return output.resend();
      case IDENTIFY:
        return output.reply(ACK, ...ID);
      case ENABLE:
        this.#enabled = true;
        output.clear();
        return output.reply(ACK);
      case DEFAULT_DISABLE:
      case DEFAULT:
        this.#defaults();
        this.#enabled = value === DEFAULT;
        output.clear();
        return output.reply(ACK);
      case RESET:
        this.reset();
        return output.reply(ACK, SELF_TEST_PASSED);
    }
    const takesArgument = value === SET_LEDS || value === SCAN_CODE_SET || value === TYPEMATIC;
    if (takesArgument || (value >= KEY_FIRST && value <= KEY_LAST)) {
      this.#pending = value;
      return output.reply(ACK);
    }
    // Here all keys always repeat and tell their release.
    output.reply(value >= ALL_FIRST && value <= ALL_LAST ? ACK : RESEND);
  }

  #argument(command: number, value: number): void {
    switch (command) {
      case SET_LEDS:
        this.#leds = value & 7;
        break;
      case TYPEMATIC:
        this.#typematic = value & 0x7f;
        break;
      case SCAN_CODE_SET:
        if (value === 0) return this.output.reply(ACK, this.#set);
        if (value > 3) return this.output.reply(RESEND);
        this.#set = value as ScanCodeSet;
        this.output.clear();
        break;
      default:
        // A list of keys goes on until the next command.
        this.#pending = command;
    }
    this.output.reply(ACK);
  }

  #defaults(): void {
    this.#stopRepeating();
    this.#set = 2;
    this.#typematic = DEFAULT_TYPEMATIC;
  }

  #know(code: string): void {
    if (!isKey(code)) throw new RangeError(`Cannot press ${JSON.stringify(code)}: there is no such key`);
  }

  #send(bytes: readonly number[]): void {
    if (!this.#enabled || bytes.length === 0) return;
    if (!this.output.send(bytes)) this.output.overrun(this.#set === 1 ? OVERRUN_1 : OVERRUN);
  }

  #delayNs(): number {
    return ((this.#typematic >> 5) + 1) * 250_000_000;
  }

  /** From one repetition to the next: (8 + A) * 2 ** B / 240 s. */
  #periodNs(): number {
    return Math.round((8 + (this.#typematic & 7)) * 2 ** (this.#typematic >> 3 & 3) * 1e9 / 240);
  }

  #repeat(code: string, ns: number): void {
    this.#stopRepeating();
    if (QUIET.has(code)) return;
    this.#repeating = code;
    this.#cancelRepeat = this.#clock.schedule(this.#clock.now() + ns, () => {
      // A keyboard does not fill its buffer with repetitions.
      if (!this.output.hasEvent) this.#send(makeCode(code, this.#set));
      this.#repeat(code, this.#periodNs());
    });
  }

  #stopRepeating(): void {
    this.#cancelRepeat();
    this.#repeating = "";
  }

  #next(): void {
    this.#typing = this.#waiting.length > 0;
    if (!this.#typing) return;
    if (!this.output.hasEvent) {
      const event = this.#waiting.shift();
      if (event?.down === true) this.press(event.code);
      else if (event !== undefined) this.release(event.code);
    }
    this.#clock.schedule(this.#clock.now() + TYPING_NS, () => this.#next());
  }
}
