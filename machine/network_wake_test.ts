import { assertEquals } from "@std/assert";
import type { EthernetCard } from "../devices/net/ethernet.ts";
import { NE2000_ISA_PORT } from "../devices/net/ne2000_isa.ts";
import type { NetworkCardOptions } from "../devices/net/network_card.ts";
import { NullEnd } from "../devices/null_end.ts";
import type { Pc } from "../devices/pc.ts";
import { code } from "../tests/cli_support.ts";
import { buildMachine } from "./build.ts";
import { pcMemory } from "./memory_layout.ts";

const MIB = 2 ** 20;
const VECTOR = 0x71;
/** After so many milliseconds a frame comes, and by when the guest must have ended. */
const COMES_MS = 100, LATE_MS = 1000;

/** Interrupt controllers, an interval timer that nobody listens to, and the card, as a driver would set them up. */
function setUp(pc: Pc): void {
  const out = (port: number, ...values: number[]): void => values.forEach((value) => pc.ports.out(port, 1, value));
  out(0x20, 0x11);
  out(0x21, 0x08, 4, 1, 0xfb);
  out(0xa0, 0x11);
  out(0xa1, 0x70, 2, 1, 0xfd);
  out(0x43, 0x34);
  out(0x40, 0, 0);
  const registers = [[0x0c, 0x10], [1, 0x46], [2, 0x80], [3, 0x46], [7, 0xff], [0x0f, 1], [0, 0x61], [7, 0x47], [
    0,
    0x22,
  ]];
  for (const [register, value] of registers) out(NE2000_ISA_PORT + register, value);
}

for (const clock of ["real", "virtual"] as const) {
  Deno.test(`runLoop() wakes a guest at once when the network brings something, with the ${clock} clock`, async () => {
    let card: EthernetCard | undefined, timer: ReturnType<typeof setTimeout> | undefined;
    const network: NetworkCardOptions["network"] = ({ delivered }) => {
      timer = setTimeout(() => {
        card?.receive(new Uint8Array(60));
        delivered();
      }, COMES_MS);
      return { port: { connect: (plugged) => card = plugged, send: () => {}, resume: () => {} }, awaits: () => true };
    };
    using built = buildMachine({
      clock,
      regions: [...pcMemory(2 * MIB), { slot: 4, base: 0xffff_0000, size: 0x10000 }],
      board: { serial: new NullEnd(), debugExit: 0x501, network: { card: "ne2k_isa", network } },
      start(vm, _vcpu, pc) {
        setUp(pc);
        vm.write(VECTOR * 4, Uint8Array.of(0, 6, 0, 0));
        vm.write(0x600, code([["iret", "cf"]]));
        vm.write(0xffff_fff0, code([["jmp 0:0x500", "ea 00 05 00 00"]]));
        vm.write(
          0x500,
          code([["sti", "fb"], ["hlt", "f4"], ["mov dx, 0x501", "ba 01 05"], ["out dx, al", "ee"], ["jmp $", "eb fe"]]),
        );
      },
    });
    const { machine } = built;
    const begin = performance.now();
    const { end } = await machine.run({ timeoutMs: 10_000 });
    clearTimeout(timer);
    const took = performance.now() - begin;
    assertEquals(end.kind, "ended");
    assertEquals(took < LATE_MS, true, `${took} ms`);
    const guest = machine.time.clock.now() / 1e6;
    assertEquals(guest < LATE_MS, true, `${guest} ms in the guest`);
  });
}
