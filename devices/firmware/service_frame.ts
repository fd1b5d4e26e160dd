/**
 * The registers of a program that called a service: `bios.asm` has pushed them, and pops them again with what was changed.
 * @module
 */

import type { LinearMemory } from "./linear_memory.ts";

const EDI = 0, ESI = 4, EBP = 8, EBX = 16, EDX = 20, ECX = 24, EAX = 28;
const ES = 32, DS = 34;
const SERVICE = 36;
const ANSWER = 38;
const IP = 40, CS = 42, FLAGS = 44;
const SIZE = 46;

/** What stands in the place of the answer when `bios.asm` asks; anything else comes from no program of ours. */
const SIGNATURE = 0xb105;

const CF = 0x0001;
const ZF = 0x0040;

/** What `bios.asm` does next: go back to the program; halt and ask again; halt and go back. */
export const ANSWER_DONE = 0, ANSWER_WAIT = 1, ANSWER_HALT = 2;
/** One of these. */
export type Answer = typeof ANSWER_DONE | typeof ANSWER_WAIT | typeof ANSWER_HALT;

/** The registers. Those of 16 and 8 bits leave the other bits as they are. */
export class ServiceFrame {
  readonly #memory: LinearMemory;
  readonly #bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #address = 0;

  /**
   * Makes a frame that is loaded again for each call.
   * @param memory The memory with the stack.
   */
  constructor(memory: LinearMemory) {
    this.#memory = memory;
  }

  /**
   * Reads the registers.
   * @param address Linear address of the frame.
   * @returns Whether it is one.
   */
  load(address: number): boolean {
    this.#address = address;
    this.#memory.read(address, this.#bytes);
    return this.#get(ANSWER) === SIGNATURE;
  }

  /**
   * Writes the registers back.
   * @param answer What `bios.asm` does next.
   */
  store(answer: Answer): void {
    this.#set(ANSWER, answer);
    this.#memory.write(this.#address, this.#bytes);
  }

  /** Which service: the number of the interrupt, or 0x100 and more for one that programs do not call. */
  get service(): number {
    return this.#get(SERVICE);
  }

  /** EAX. */
  get eax(): number {
    return this.#view.getUint32(EAX, true);
  }
  set eax(value: number) {
    this.#view.setUint32(EAX, value, true);
  }
  /** EBX. */
  get ebx(): number {
    return this.#view.getUint32(EBX, true);
  }
  set ebx(value: number) {
    this.#view.setUint32(EBX, value, true);
  }
  /** ECX. */
  get ecx(): number {
    return this.#view.getUint32(ECX, true);
  }
  set ecx(value: number) {
    this.#view.setUint32(ECX, value, true);
  }
  /** EDX. */
  get edx(): number {
    return this.#view.getUint32(EDX, true);
  }
  set edx(value: number) {
    this.#view.setUint32(EDX, value, true);
  }
  /** EDI. */
  get edi(): number {
    return this.#view.getUint32(EDI, true);
  }
  set edi(value: number) {
    this.#view.setUint32(EDI, value, true);
  }
  /** ESI. */
  get esi(): number {
    return this.#view.getUint32(ESI, true);
  }
  set esi(value: number) {
    this.#view.setUint32(ESI, value, true);
  }

  /** AX. */
  get ax(): number {
    return this.#get(EAX);
  }
  set ax(value: number) {
    this.#set(EAX, value);
  }
  /** BX. */
  get bx(): number {
    return this.#get(EBX);
  }
  set bx(value: number) {
    this.#set(EBX, value);
  }
  /** CX. */
  get cx(): number {
    return this.#get(ECX);
  }
  set cx(value: number) {
    this.#set(ECX, value);
  }
  /** DX. */
  get dx(): number {
    return this.#get(EDX);
  }
  set dx(value: number) {
    this.#set(EDX, value);
  }
  /** SI. */
  get si(): number {
    return this.#get(ESI);
  }
  set si(value: number) {
    this.#set(ESI, value);
  }
  /** DI. */
  get di(): number {
    return this.#get(EDI);
  }
  set di(value: number) {
    this.#set(EDI, value);
  }
  /** BP. */
  get bp(): number {
    return this.#get(EBP);
  }
  set bp(value: number) {
    this.#set(EBP, value);
  }
  /** ES. */
  get es(): number {
    return this.#get(ES);
  }
  set es(value: number) {
    this.#set(ES, value);
  }
  /** DS. */
  get ds(): number {
    return this.#get(DS);
  }
  set ds(value: number) {
    this.#set(DS, value);
  }

  /** AL. */
  get al(): number {
    return this.#bytes[EAX];
  }
  set al(value: number) {
    this.#bytes[EAX] = value;
  }
  /** AH. */
  get ah(): number {
    return this.#bytes[EAX + 1];
  }
  set ah(value: number) {
    this.#bytes[EAX + 1] = value;
  }
  /** BL. */
  get bl(): number {
    return this.#bytes[EBX];
  }
  set bl(value: number) {
    this.#bytes[EBX] = value;
  }
  /** BH. */
  get bh(): number {
    return this.#bytes[EBX + 1];
  }
  set bh(value: number) {
    this.#bytes[EBX + 1] = value;
  }
  /** CL. */
  get cl(): number {
    return this.#bytes[ECX];
  }
  set cl(value: number) {
    this.#bytes[ECX] = value;
  }
  /** CH. */
  get ch(): number {
    return this.#bytes[ECX + 1];
  }
  set ch(value: number) {
    this.#bytes[ECX + 1] = value;
  }
  /** DL. */
  get dl(): number {
    return this.#bytes[EDX];
  }
  set dl(value: number) {
    this.#bytes[EDX] = value;
  }
  /** DH. */
  get dh(): number {
    return this.#bytes[EDX + 1];
  }
  set dh(value: number) {
    this.#bytes[EDX + 1] = value;
  }

  /** The carry flag that the program gets back. */
  get carry(): boolean {
    return (this.#get(FLAGS) & CF) !== 0;
  }
  set carry(on: boolean) {
    this.#flag(CF, on);
  }
  /** The zero flag that the program gets back. */
  get zero(): boolean {
    return (this.#get(FLAGS) & ZF) !== 0;
  }
  set zero(on: boolean) {
    this.#flag(ZF, on);
  }

  /**
   * Lets the processor go on elsewhere, with interrupts on.
   * @param segment CS.
   * @param offset IP.
   */
  jump(segment: number, offset: number): void {
    this.#set(CS, segment);
    this.#set(IP, offset);
    this.#set(FLAGS, 0x0202);
  }

  #flag(bit: number, on: boolean): void {
    const flags = this.#get(FLAGS);
    this.#set(FLAGS, on ? flags | bit : flags & ~bit);
  }

  #get(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  #set(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }
}

/** The linear address of segment:offset. */
export function linear(segment: number, offset: number): number {
  return (segment << 4) + (offset & 0xffff);
}
