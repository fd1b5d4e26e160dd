import { assert, assertEquals } from "@std/assert";
import { EngineGuest, ENGINES } from "../../tests/engine_guest.ts";
import type { AccessServer } from "../kvm/backend.ts";
import type { SoftVcpu } from "./cpu.ts";
import type { Engine } from "./soft.ts";

/** Reads and writes ports and what is no memory, in all sizes, with one access an instruction and with more. */
const PROGRAM = `
  b9 28 00 00 00       ; mov ecx, 0x28
  66 ba 60 00          ; mov dx, 0x60
  ec                   ; in al, dx
  01 c3                ; add ebx, eax
  e6 80                ; out 0x80, al
  e5 40                ; in eax, 0x40
  a3 10 00 20 00       ; mov [0x200010], eax
  8b 15 20 00 20 00    ; mov edx, [0x200020]
  83 05 30 00 20 00 03 ; add dword [0x200030], 0x3
  ff 35 40 00 20 00    ; push dword [0x200040]
  58                   ; pop eax
  0f af c2             ; imul eax, edx
  01 c6                ; add esi, eax
  0f b6 05 51 00 20 00 ; movzx eax, byte [0x200051]
  66 a3 62 00 20 00    ; mov [0x200062], ax
  87 1d 04 00 20 00    ; xchg [0x200004], ebx
  8b 15 fe 0f 20 00    ; mov edx, [0x200ffe]
  0f 6f 05 08 00 20 00 ; movq mm0, [0x200008]
  ff 05 fe ff 0f 00    ; inc dword [0xffffe]
  e7 42                ; out 0x42, eax
  66 ba 61 00          ; mov dx, 0x61
  66 ef                ; out dx, ax
  49                   ; dec ecx
  75 a6                ; jne 0x10005
  f4                   ; hlt
`;
const ROUNDS = 40;

/** What the guest has accessed, and when. */
class Devices implements AccessServer {
  readonly log: string[] = [];
  onAccess: () => void = () => {};

  constructor(readonly vcpu: SoftVcpu) {}

  /** An access by any way; `value` is what is written, or undefined. */
  access(kind: string, address: number, size: number, value?: number): number {
    const answer = value ?? Math.imul(this.log.length + 1, 0x9e37_79b1) >>> (32 - 8 * size);
    this.log.push(`${this.vcpu.instructions()} ${kind} ${address.toString(16)} ${size} ${answer.toString(16)}`);
    this.onAccess();
    return answer;
  }

  in(port: number, size: number): number {
    return this.access("in", port, size);
  }

  out(port: number, size: number, value: number): boolean {
    this.access("out", port, size, value);
    return true;
  }

  read(address: number, size: number): number {
    return this.access("read", address, size);
  }

  write(address: number, size: number, value: number): boolean {
    this.access("write", address, size, value);
    return true;
  }
}

function start(engine: Engine): { guest: EngineGuest; vcpu: SoftVcpu; devices: Devices } {
  const guest = new EngineGuest({ engine, mode: "protected" });
  guest.code(PROGRAM);
  return { guest, vcpu: guest.vcpus[0], devices: new Devices(guest.vcpus[0]) };
}

/** Serves an exit as the devices do. */
function serveExit({ shared, sharedView: v }: SoftVcpu, devices: Devices): void {
  if (v.getUint32(8, true) === 2) {
    const size = shared[33], port = v.getUint16(34, true), data = new DataView(shared.buffer, 4096, 4);
    const value = [0, data.getUint8(0), data.getUint16(0, true), 0, data.getUint32(0, true)][size];
    const answer = shared[32] === 0 ? devices.in(port, size) : Number(devices.out(port, size, value));
    data.setUint32(0, answer, true);
    return;
  }
  const address = Number(v.getBigUint64(32, true)),
    size = v.getUint32(48, true),
    data = new DataView(shared.buffer, 40, 8);
  for (let at = 0; at < size; at += 4) {
    const part = Math.min(size - at, 4), all = data.getUint32(at, true);
    if (shared[52] !== 0) devices.write(address + at, part, part === 4 ? all : all & (2 ** (8 * part) - 1));
    else data.setUint32(at, devices.read(address + at, part), true);
  }
}

/** Runs to HLT with an exit for each access. */
function byExits(engine: Engine): { log: string[]; end: string } {
  const { guest, vcpu, devices } = start(engine);
  using _ = guest;
  while (guest.run() !== "HLT") serveExit(vcpu, devices);
  return { log: devices.log, end: guest.snapshot() + vcpu.instructions() };
}

for (const engine of ENGINES) {
  Deno.test(`serve() answers at the same places as exits, and leaves the rest to them [${engine}]`, () => {
    const expected = byExits("interpreter");
    assert(expected.log.length > 15 * ROUNDS);
    const { guest, vcpu, devices } = start(engine);
    using _ = guest;
    vcpu.serve(devices);
    const exits: string[] = [];
    for (let exit = guest.run(); exit !== "HLT"; exit = guest.run()) {
      exits.push(exit);
      serveExit(vcpu, devices);
    }
    // Only the access of eight bytes is an exit.
    assertEquals(exits, new Array(ROUNDS).fill("MMIO"));
    assertEquals(devices.log, expected.log);
    assertEquals(guest.snapshot() + vcpu.instructions(), expected.end);
  });

  Deno.test(`endBy() ends the run behind the instruction, or so many later [${engine}]`, () => {
    const expected = byExits("interpreter");
    for (const distance of [0, 1, 2, 3, 7, 30, 100]) {
      const { guest, vcpu, devices } = start(engine);
      using _ = guest;
      vcpu.serve(devices);
      let wanted = Infinity, count = 0;
      devices.onAccess = () => {
        if (++count % 3 !== 0) return;
        const by = vcpu.instructions() + distance;
        wanted = Math.min(wanted, Math.max(by, vcpu.instructions() + 1));
        vcpu.endBy(by);
      };
      for (;;) {
        wanted = Infinity;
        const exit = guest.run();
        if (exit === "HLT") break;
        if (exit === "INTR") assertEquals(vcpu.instructions(), wanted, `${distance} behind`);
        else serveExit(vcpu, devices);
      }
      assertEquals(devices.log, expected.log);
      assertEquals(guest.snapshot() + vcpu.instructions(), expected.end);
    }
  });
}

Deno.test("serve() with answers refused makes exits, and null takes the server away", () => {
  const expected = byExits("interpreter");
  const { guest, vcpu, devices } = start("auto");
  using _ = guest;
  vcpu.serve({ in: () => -1, out: () => false, read: () => -1, write: () => false });
  for (let n = 0; n < 100; n++) {
    assert(guest.run() !== "HLT");
    serveExit(vcpu, devices);
  }
  vcpu.serve(null);
  while (guest.run() !== "HLT") serveExit(vcpu, devices);
  assertEquals(devices.log, expected.log);
  assertEquals(guest.snapshot() + vcpu.instructions(), expected.end);
});
