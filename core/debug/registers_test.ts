import { assert, assertEquals } from "@std/assert";
import { openKvm } from "../../mod.ts";
import { code, Guest } from "../../tests/conformance/harness.ts";
import { CpuState } from "./cpu_state.ts";
import { type GdbArchitecture, readRegister, type RegisterRow, REGISTERS, writeRegister } from "./registers.ts";
import { targetXml } from "./target_xml.ts";

const HALT = code("f4 ; hlt");
const ARCHITECTURES: readonly GdbArchitecture[] = ["i386", "i386:x86-64"];

function row(architecture: GdbArchitecture, name: string): RegisterRow {
  const found = REGISTERS[architecture].find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

Deno.test("REGISTERS have the order and the sizes that gdb prescribes", () => {
  const names = (architecture: GdbArchitecture): string[] => REGISTERS[architecture].map(({ name }) => name);
  assertEquals(names("i386").slice(0, 16).join(" "), "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs");
  assertEquals(
    names("i386:x86-64").slice(0, 24).join(" "),
    "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags cs ss ds es fs gs",
  );
  assertEquals(
    names("i386").slice(16, 41).join(" ").includes("st7 fctrl fstat ftag fiseg fioff foseg fooff fop xmm0"),
    true,
  );
  for (const architecture of ARCHITECTURES) assertEquals(new Set(names(architecture)).size, names(architecture).length);
});

Deno.test("targetXml() has every register once, under its number", () => {
  for (const architecture of ARCHITECTURES) {
    const xml = targetXml(architecture);
    const found = [...xml.matchAll(/<reg name="(\w+)" bitsize="(\d+)" type="\w+" regnum="(\d+)"/g)]
      .map(([, name, bits, number]) => [name, Number(bits), Number(number)]);
    const wanted = REGISTERS[architecture].map(({ name, bits }, number) => [name, bits, number]);
    assertEquals(found.sort((a, b) => Number(a[2]) - Number(b[2])), wanted);
    const tags = [...xml.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)].filter(([, , , closed]) => closed === "");
    const open: string[] = [];
    for (const [, end, tag] of tags) {
      if (end === "") open.push(tag);
      else assertEquals(open.pop(), tag);
    }
    assertEquals(open, []);
  }
});

Deno.test("writeRegister() changes each register, and readRegister() gives it back", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, HALT, { mode: "long" });
  const fixed = new Set([
    "cs",
    "ss",
    "ds",
    "es",
    "fs",
    "gs",
    "tr",
    "ldt",
    "fiseg",
    "foseg",
    "cr0",
    "cr4",
    "efer",
    "cr3",
    "cr8",
  ]);
  for (const each of REGISTERS["i386:x86-64"].filter(({ name }) => !fixed.has(name))) {
    const state = new CpuState(guest.vcpu);
    const bytes = readRegister(each, state).slice();
    assertEquals(bytes.length, each.bits / 8, each.name);
    bytes[0] ^= each.name === "eflags" || each.name === "fstat" ? 0x40 : 1;
    assert(writeRegister(each, state, bytes), each.name);
    state.write();
    assertEquals(readRegister(each, new CpuState(guest.vcpu)), bytes, each.name);
  }
});

Deno.test("writeRegister() loads selectors with their base in real mode, and refuses new ones in protected mode", () => {
  using kvm = openKvm({ backend: "soft" });
  using real = new Guest(kvm, HALT);
  const state = new CpuState(real.vcpu);
  assert(writeRegister(row("i386", "ds"), state, Uint8Array.of(0x34, 0x12, 0, 0)));
  state.write();
  assertEquals([real.vcpu.getSregs().ds.selector, real.vcpu.getSregs().ds.base], [0x1234, 0x12340n]);
  using long = new Guest(kvm, HALT, { mode: "long" });
  const ds = row("i386:x86-64", "ds");
  assertEquals(writeRegister(ds, new CpuState(long.vcpu), Uint8Array.of(0x34, 0x12, 0, 0)), false);
  assertEquals(writeRegister(ds, new CpuState(long.vcpu), Uint8Array.of(16, 0, 0, 0)), true);
});

Deno.test("ftag is the full tag word, made from the short one and the registers", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, HALT);
  const fpu = guest.vcpu.getFpu();
  fpu.fsw = 6 << 11; // TOP is 6: ST(0) is R6, ST(1) is R7
  fpu.ftwx = 0b1110_0000;
  fpu.fpr[0].set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]); // R6: 1.0
  fpu.fpr[1].fill(0); // R7: 0
  fpu.fpr[7].set([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // R5: a denormal
  guest.vcpu.setFpu(fpu);
  const state = new CpuState(guest.vcpu);
  const ftag = row("i386", "ftag");
  assertEquals(readRegister(ftag, state), Uint8Array.of(0xff, 0b01_00_10_11, 0, 0));
  writeRegister(ftag, state, Uint8Array.of(0xfc, 0xff, 0, 0));
  assertEquals(state.fpu.ftwx, 1);
});

Deno.test("i386 registers leave the upper halves alone", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, HALT, { regs: { rax: 0x1122334455667788n } });
  const state = new CpuState(guest.vcpu);
  writeRegister(row("i386", "eax"), state, Uint8Array.of(1, 2, 3, 4));
  assertEquals(state.regs.rax, 0x1122334404030201n);
});
