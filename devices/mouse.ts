/**
 * A PS/2 mouse with three buttons, and with a wheel and five buttons for a host that knows how to ask (IntelliMouse).
 * @module
 */

import type { SavedReader, SavedState } from "./device.ts";
import { type Ps2Device, Ps2Output } from "./i8042_port.ts";

const SCALING_1_1 = 0xe6;
const SCALING_2_1 = 0xe7;
const RESOLUTION = 0xe8;
const STATUS = 0xe9;
const STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const RESET_WRAP = 0xec;
const WRAP_MODE = 0xee;
const REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const DEFAULTS = 0xf6;
const RESEND = 0xfe;
const RESET = 0xff;

const ACK = 0xfa;
const SELF_TEST_PASSED = 0xaa;

/** What a mouse is, as it says itself. */
const ID_PLAIN = 0;
const ID_WHEEL = 3;
const ID_FIVE_BUTTONS = 4;
/** Sample rates in this order make it another mouse. */
const KNOCK_WHEEL = "200,100,80";
const KNOCK_FIVE_BUTTONS = "200,200,80";

/** A packet holds movements from -256 to 255. */
const MOST = 255;
const MOST_WHEEL = 7;
/** What is not told to the host is not remembered for ever. */
const MOST_WAITING = 0x7fff;

/** A button: left, right, middle, back, forward. */
export type MouseButton = 0 | 1 | 2 | 3 | 4;

/** The mouse. */
export class Mouse implements Ps2Device {
  /** What it has to send. */
  readonly output: Ps2Output = new Ps2Output();
  #enabled = false;
  #remote = false;
  #wrap = false;
  #double = false;
  #resolution = 2;
  #rate = 100;
  #id = ID_PLAIN;
  #knock = [0, 0, 0];
  #pending = 0;
  #buttons = 0;
  /** Buttons as the host knows them. */
  #told = 0;
  #dx = 0;
  #dy = 0;
  #wheel = 0;

  /** As after power-up: it does not report. */
  reset(): void {
    this.#defaults();
    this.#wrap = false;
    this.#id = ID_PLAIN;
    this.#knock = [0, 0, 0];
    this.#pending = 0;
    this.output.reset();
  }

  /**
   * The mouse moves.
   * @param dx To the right, in counts.
   * @param dy Down, in counts.
   * @param wheel Steps of the wheel, towards the user.
   */
  move(dx: number, dy: number, wheel = 0): void {
    const limited = (value: number): number => Math.max(-MOST_WAITING, Math.min(MOST_WAITING, Math.trunc(value)));
    this.#dx = limited(this.#dx + dx);
    this.#dy = limited(this.#dy - dy);
    this.#wheel = limited(this.#wheel + wheel);
    this.report();
  }

  /**
   * A button goes down or up.
   * @param button Which.
   * @param down Whether it is down.
   */
  button(button: MouseButton, down: boolean): void {
    this.#buttons = down ? this.#buttons | 1 << button : this.#buttons & ~(1 << button);
    this.report();
  }

  /** Sends what has changed, if the host wants it and has taken what came before; asked for again when it has. */
  report(): void {
    if (!this.#enabled || this.#remote || this.#wrap || this.output.hasEvent) return;
    if (this.#dx === 0 && this.#dy === 0 && this.#wheel === 0 && this.#buttons === this.#told) return;
    this.output.send(this.#packet(this.#double));
  }

  /**
   * Takes a command or its argument.
   * @param value 0..255.
   */
  write(value: number): void {
    if (this.#wrap && value !== RESET && value !== RESET_WRAP) return this.output.reply(value);
    const command = this.#pending;
    this.#pending = 0;
    if (command === SAMPLE_RATE) {
      this.#rate = value;
      this.#knock = [...this.#knock.slice(1), value];
      return this.output.reply(ACK);
    }
    if (command === RESOLUTION) {
      this.#resolution = value & 3;
      return this.output.reply(ACK);
    }
    this.#command(value);
  }

  /** All that the mouse remembers. */
  save(): SavedState {
    const [first, second, third] = this.#knock;
    return {
      enabled: this.#enabled,
      remote: this.#remote,
      wrap: this.#wrap,
      double: this.#double,
      resolution: this.#resolution,
      rate: this.#rate,
      id: this.#id,
      knock: first << 16 | second << 8 | third,
      pending: this.#pending,
      buttons: this.#buttons,
      told: this.#told,
      dx: this.#dx,
      dy: this.#dy,
      wheel: this.#wheel,
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
    const flags = ["enabled", "remote", "wrap", "double"].map((name) => reader.boolean(name));
    const byte = (name: string, max = 0xff): number => reader.integer(name, { max });
    const move = (name: string): number => reader.integer(name, { min: -MOST_WAITING, max: MOST_WAITING });
    const resolution = byte("resolution", 3), rate = byte("rate"), id = byte("id", ID_FIVE_BUTTONS);
    const knock = byte("knock", 0xffffff), pending = byte("pending");
    const buttons = byte("buttons", 0x1f), told = byte("told", 0x1f);
    const dx = move("dx"), dy = move("dy"), wheel = move("wheel");
    const put = this.output.restore(reader.parts("output", 1)[0]);
    return () => {
      put();
      [this.#enabled, this.#remote, this.#wrap, this.#double] = flags;
      [this.#resolution, this.#rate, this.#id, this.#pending] = [resolution, rate, id, pending];
      this.#knock = [knock >> 16, knock >> 8 & 0xff, knock & 0xff];
      [this.#buttons, this.#told, this.#dx, this.#dy, this.#wheel] = [buttons, told, dx, dy, wheel];
    };
  }

  #command(value: number): void {
    const { output } = this;
    switch (value) {
      case SCALING_1_1:
      case SCALING_2_1:
        this.#double = value === SCALING_2_1;
        break;
      case RESOLUTION:
      case SAMPLE_RATE:
        this.#pending = value;
        break;
      case STATUS:
        return output.reply(ACK, this.#status(), this.#resolution, this.#rate);
      case STREAM_MODE:
      case REMOTE_MODE:
        this.#remote = value === REMOTE_MODE;
        break;
      case READ_DATA:
        return output.reply(ACK, ...this.#packet(false));
      case WRAP_MODE:
      case RESET_WRAP:
        this.#wrap = value === WRAP_MODE;
        break;
      case IDENTIFY:
        return output.reply(ACK, this.#identify());
      case ENABLE:
      case DISABLE:
        this.#enabled = value === ENABLE;
        output.clear();
        this.#forget();
        break;
      case DEFAULTS:
        this.#defaults();
        break;
      case RESEND:
        return output.resend();
      case RESET:
        this.reset();
        return output.reply(ACK, SELF_TEST_PASSED, ID_PLAIN);
      default:
        return output.reply(RESEND);
    }
    output.reply(ACK);
  }

  #identify(): number {
    const knock = this.#knock.join();
    if (knock === KNOCK_WHEEL && this.#id === ID_PLAIN) this.#id = ID_WHEEL;
    if (knock === KNOCK_FIVE_BUTTONS && this.#id !== ID_PLAIN) this.#id = ID_FIVE_BUTTONS;
    return this.#id;
  }

  #status(): number {
    const buttons = this.#buttons;
    const shown = (buttons & 1) << 2 | (buttons & 4) >> 1 | (buttons & 2) >> 1;
    return shown | (this.#double ? 0x10 : 0) | (this.#enabled ? 0x20 : 0) | (this.#remote ? 0x40 : 0);
  }

  #defaults(): void {
    this.#enabled = this.#remote = this.#double = false;
    this.#resolution = 2;
    this.#rate = 100;
    this.#forget();
    this.output.clear();
  }

  #forget(): void {
    this.#dx = this.#dy = this.#wheel = 0;
    this.#told = this.#buttons;
  }

  /** Takes as much of the movement as a packet holds. */
  #packet(double: boolean): number[] {
    const part = (value: number, most: number): number => Math.max(-most, Math.min(most, value));
    const dx = part(this.#dx, double ? MOST >> 1 : MOST), dy = part(this.#dy, double ? MOST >> 1 : MOST);
    const wheel = this.#id === ID_PLAIN ? this.#wheel : part(this.#wheel, MOST_WHEEL);
    this.#dx -= dx;
    this.#dy -= dy;
    this.#wheel -= wheel;
    this.#told = this.#buttons;
    const x = double ? scaled(dx) : dx, y = double ? scaled(dy) : dy;
    const bytes = [0x08 | this.#buttons & 7 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0), x & 0xff, y & 0xff];
    if (this.#id === ID_WHEEL) bytes.push(wheel & 0xff);
    if (this.#id === ID_FIVE_BUTTONS) bytes.push(wheel & 0x0f | (this.#buttons & 0x18) << 1);
    return bytes;
  }
}

/** Scaling 2:1: small movements become smaller, large ones larger. */
function scaled(value: number): number {
  const counts = Math.abs(value);
  const more = counts > 5 ? counts * 2 : [0, 1, 1, 3, 6, 9][counts];
  return value < 0 ? -more : more;
}
