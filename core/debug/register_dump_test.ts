import { assertEquals } from "@std/assert";
import { KvmRegs, KvmSregs } from "../../mod.ts";
import { registerDump } from "./register_dump.ts";

const CODE64 = { selector: 0x18, limit: 0xffffffff, type: 11, present: 1, s: 1, l: 1, g: 1 };
const DATA = { selector: 0x10, limit: 0xffffffff, type: 3, present: 1, s: 1, db: 1, g: 1 };

Deno.test("registerDump() has the layout of QEMU in 64-bit mode", () => {
  const regs = new KvmRegs({ rax: 0x1122334455667788n, r15: 0xffffffffffffffffn, rip: 0x7d49, rflags: 0x86 });
  const sregs = new KvmSregs({
    cs: CODE64,
    ds: DATA,
    es: DATA,
    ss: DATA,
    fs: { ...DATA, base: 0x12345678, limit: 0xf0ffffff, selector: 0x28, type: 7 },
    gs: DATA,
    ldt: { limit: 0xffff, type: 2, present: 1 },
    tr: { selector: 0x30, base: 0x6000, limit: 0x67, type: 11, present: 1 },
    gdt: { base: 0x7d50, limit: 0x37 },
    idt: { base: 0x8000, limit: 0x21f },
    cr0: 0x80000011,
    cr2: 0x40000000,
    cr3: 0x1000,
    cr4: 0x20,
    efer: 0x500,
  });
  assertEquals(registerDump(regs, sregs).split("\n"), [
    "RAX=1122334455667788 RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000",
    "RSI=0000000000000000 RDI=0000000000000000 RBP=0000000000000000 RSP=0000000000000000",
    "R8 =0000000000000000 R9 =0000000000000000 R10=0000000000000000 R11=0000000000000000",
    "R12=0000000000000000 R13=0000000000000000 R14=0000000000000000 R15=ffffffffffffffff",
    "RIP=0000000000007d49 RFL=00000086 [--S--P-] CPL=0 II=0 A20=1 SMM=0 HLT=0",
    "ES =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
    "CS =0018 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]",
    "SS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
    "DS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
    "FS =0028 0000000012345678 f0ffffff 00cf9700 DPL=0 DS   [EWA]",
    "GS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
    "LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT",
    "TR =0030 0000000000006000 00000067 00008b00 DPL=0 TSS64-busy",
    "GDT=     0000000000007d50 00000037",
    "IDT=     0000000000008000 0000021f",
    "CR0=80000011 CR2=0000000040000000 CR3=0000000000001000 CR4=00000020",
    "EFER=0000000000000500",
    "",
  ]);
});

Deno.test("registerDump() has the layout of QEMU in real mode and in user mode", () => {
  const real = new KvmSregs({ cs: { selector: 0xf000, base: 0xffff0000, limit: 0xffff, type: 11, present: 1, s: 1 } });
  const lines = registerDump(new KvmRegs({ rip: 0xfff0, rflags: 0x846 }), real, true).split("\n");
  assertEquals(lines[2], "EIP=0000fff0 EFL=00000846 [-O-Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1");
  assertEquals(lines[4], "CS =f000 ffff0000 0000ffff 00009b00");
  const user = new KvmSregs({ cr0: 1, ss: { ...DATA, selector: 0x23, dpl: 3 } });
  const shown = registerDump(new KvmRegs(), user).split("\n");
  assertEquals(shown[2], "EIP=00000000 EFL=00000000 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=0");
  assertEquals(shown[5], "SS =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]");
});
