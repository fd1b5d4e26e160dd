import { assertEquals, assertMatch } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_IO, openKvm } from "../../mod.ts";
import { CODE, code, Guest, handle, IF } from "../../tests/conformance/harness.ts";
import { Debugger } from "./debugger.ts";
import { GuestMemory } from "./guest_memory.ts";
import { SymbolTable } from "./symbols.ts";
import { Tracer, type TracerOptions } from "./tracer.ts";

const CALLS = code(`
  40    ; inc ax
  cd 80 ; int 0x80
  e4 10 ; in al, 0x10
  f4    ; hlt
`);

/** Runs a guest to its halt under a tracer; an interrupt comes at the IN. */
function trace(guest: Guest, options: Partial<TracerOptions>): string {
  let text = "";
  const write = (more: string): void => {
    text += more;
  };
  const tracer = new Tracer({ vcpus: [guest.vcpu], memory: new GuestMemory(guest.vm), write, ...options });
  const debug = new Debugger({ vm: guest.vm, vcpus: [guest.vcpu], tracer });
  for (let exits = 0; exits < 100; exits++) {
    const exit = debug.run({ maxInstructions: 1000 });
    if (exit.reason === KVM_EXIT_IO && exit.port === 0x10) guest.vcpu.interrupt(0x30);
    if (exit.reason === KVM_EXIT_HLT) return text;
  }
  throw new Error("it does not halt");
}

/** The addresses of register dumps and the vectors of events, in order. */
function outline(text: string): string[] {
  return [...text.matchAll(/^EIP=0000(\w{4})|^ *\d+: (v=\w\w).*i=(\d)/gm)].map(([, rip, vector, soft]) =>
    rip ?? `${vector} ${soft}`
  );
}

Deno.test("Tracer shows each instruction and each event once, in the order of execution", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, CALLS, { regs: { rflags: IF } });
  handle(guest, 0x80, 0x30);
  const text = trace(guest, { instructions: null, interrupts: true, exceptions: true });
  const handler = ["2000", "2002"];
  assertEquals(outline(text), ["1000", "1001", "v=80 1", ...handler, "1003", "v=30 0", ...handler, "1005"]);
});

Deno.test("Tracer has the layout of QEMU's -d in_asm,cpu; a listing comes once, the registers each time", () => {
  const loop = code(`
    48    ; dec ax
    75 fd ; jnz $-1
    f4    ; hlt
  `);
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, loop, { regs: { rax: 2 } });
  const text = trace(guest, {
    instructions: null,
    symbols: new SymbolTable([{ name: "loop", address: BigInt(CODE), size: 0n }]),
  });
  assertEquals(text.split("\n").slice(0, 8), [
    "----------------",
    "IN: loop",
    "0x00001000:  48                       dec      ax",
    "",
    "EAX=00000002 EBX=00000000 ECX=00000000 EDX=00000000",
    "ESI=00000000 EDI=00000000 EBP=00000000 ESP=0000f000",
    "EIP=00001000 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0",
    "ES =2000 00020000 0000ffff 00009300",
  ]);
  assertEquals(text.match(/^IN: .*/gm), ["IN: loop", "IN: loop+0x1", "IN: loop+0x3"]);
  assertEquals(outline(text), ["1000", "1001", "1000", "1001", "1003"]);
});

Deno.test("Tracer keeps to a range of instructions", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, CALLS, { regs: { rflags: IF } });
  handle(guest, 0x80, 0x30);
  const text = trace(guest, { instructions: { start: BigInt(CODE + 1), end: BigInt(CODE + 3) } });
  assertEquals(outline(text), ["1001", "1003"]);
});

Deno.test("Tracer shows events alone as QEMU's -d int, without making the guest run step by step", () => {
  const faults = code(`
    31 c9 ; xor cx, cx
    f7 f1 ; div cx
    f4    ; hlt
  `);
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, faults);
  guest.vm.write(0x2000, Uint8Array.of(0xf4)); // hlt
  guest.setVector(0, 0x2000);
  const text = trace(guest, {
    exceptions: true,
    symbols: new SymbolTable([{ name: "a", address: 0x1000n, size: 8n }]),
  });
  assertMatch(
    text,
    /^ {5}0: v=00 e=0000 i=0 cpl=0 IP=0000:0000000000001002 pc=0000000000001002 SP=0000:000000000000f000 env->regs\[R_EAX\]=0{16} <a\+0x2>\n$/,
  );
});
