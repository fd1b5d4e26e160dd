/**
 * Eight guests in one test: each is booted in the background, spoken to on its serial line, and ends by itself, but for one that is
 * stopped. Nothing of one machine is another's; they take turns in this thread.
 *
 *     deno test guests/examples/eight_guests_test.ts
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { boot, type BootedMachine } from "../../machine/boot.ts";

const program = Uint8Array.of(
  ...[0xba, 0xf8, 0x03], //  0500 mov dx, 0x3f8     ; COM1
  ...[0xbe, 0x00, 0x06], //  0503 mov si, 0x600     ; a text for each guest
  ...[0xac], //              0506 lodsb
  ...[0x84, 0xc0], //        0507 test al, al
  ...[0x74, 0x03], //        0509 jz 050e
  ...[0xee], //              050b out dx, al
  ...[0xeb, 0xf8], //        050c jmp 0506
  ...[0x83, 0xc2, 0x05], //  050e add dx, 5         ; line status
  ...[0xec], //              0511 in al, dx
  ...[0xa8, 0x01], //        0512 test al, 1        ; has a byte come?
  ...[0x74, 0xfb], //        0514 jz 0511
  ...[0x83, 0xea, 0x05], //  0516 sub dx, 5
  ...[0xec], //              0519 in al, dx
  ...[0xee], //              051a out dx, al        ; an echo
  ...[0x3c, 0x0a], //        051b cmp al, 10
  ...[0x75, 0xef], //        051d jne 050e
  ...[0xfa, 0xf4], //        051f cli; hlt          ; the end
);
const jump = Uint8Array.of(0xea, 0x00, 0x05, 0x00, 0x00); // jmp 0:0x500

/** A guest that greets, echoes a line, and halts. */
function guest(name: string): BootedMachine {
  return boot({
    regions: [{ slot: 0, base: 0, size: 0x10000 }, { slot: 1, base: 0xffff_0000, size: 0x10000 }],
    start(vm) {
      vm.write(0xffff_fff0, jump); // where the processor begins
      vm.write(0x500, program);
      vm.write(0x600, new TextEncoder().encode(`this is ${name}\n\0`));
    },
  });
}

Deno.test("eight guests run at once, each on its own", async () => {
  await using machines = new AsyncDisposableStack();
  const names = ["Ada", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Howard"];
  const guests = names.map((name) => ({ name, vm: machines.use(guest(name)) }));
  await Promise.all(guests.map(({ name, vm }) => vm.serial.expect(`this is ${name}\n`)));
  const [last, ...others] = guests.toReversed();
  for (const { name, vm } of others) vm.serial.write(`hello, ${name}\n`);
  for (const { name, vm } of others) {
    assertEquals([await vm.exitCode(), vm.serial.text.split("\n")[1]], [0, `hello, ${name}`]);
  }
  await last.vm[Symbol.asyncDispose](); // it still waits for its line
  assertEquals((await last.vm.ended).end.kind, "stopped");
});
