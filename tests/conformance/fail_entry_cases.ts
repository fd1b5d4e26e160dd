import { assertEquals } from "@std/assert";
import { IMPOSSIBLE } from "../../core/x86/system/control.ts";
import { KVM_EXIT_FAIL_ENTRY, KVM_EXIT_HLT, type KvmRegs, type KvmSregs, type StructInit } from "../../mod.ts";
import { change, HLT, HLT_64, runLimited, second } from "./guests.ts";
import { type Case, CODE, Guest, type GuestOptions, type Need } from "./harness.ts";

/** What Intel processors give for a state that they refuse. */
const INVALID_GUEST_STATE = 0x80000021n;

/** One impossible state. */
interface State {
  /** What is wrong. */
  readonly what: string;
  /** The field that the reason must name. */
  readonly field: keyof typeof IMPOSSIBLE;
  /** The mode to begin with. */
  readonly mode: GuestOptions["mode"];
  /** What to set. */
  readonly sregs?: (sregs: KvmSregs) => void;
  /** What to set of the registers. */
  readonly regs?: StructInit<KvmRegs>;
  /** What the real device must do for it. */
  readonly needs?: readonly Need[];
}

// deno-fmt-ignore
const STATES: readonly State[] = [
  { what: "CR0.PG without PE", field: "cr0", mode: "real", sregs: (s) => s.cr0 = 0x80000010n },
  { what: "CR0.NW without CD", field: "cr0", mode: "protected", sregs: (s) => s.cr0 = (s.cr0 | 1n << 29n) & ~(1n << 30n) },
  { what: "a CR0 bit above 31", field: "cr0", mode: "protected", sregs: (s) => s.cr0 |= 1n << 40n },
  { what: "a CR3 bit above the physical addresses", field: "cr3", mode: "long", sregs: (s) => s.cr3 |= 1n << 52n },
  { what: "a CR4 bit that nobody knows", field: "cr4", mode: "protected", sregs: (s) => s.cr4 |= 1n << 31n },
  { what: "a CR4 bit above 31", field: "cr4", mode: "protected", sregs: (s) => s.cr4 |= 1n << 40n },
  { what: "long mode without CR4.PAE", field: "cr4", mode: "long", sregs: (s) => s.cr4 &= ~0x20n },
  { what: "CR4.PCIDE outside long mode", field: "cr4", mode: "protected", sregs: (s) => s.cr4 |= 0x20000n, needs: ["checked-late"] },
  { what: "an EFER bit that nobody knows", field: "efer", mode: "protected", sregs: (s) => s.efer |= 0x80n, needs: ["checked-late"] },
  { what: "an EFER bit above 31", field: "efer", mode: "protected", sregs: (s) => s.efer |= 1n << 40n, needs: ["checked-late"] },
  { what: "EFER.LMA without LME", field: "efer", mode: "protected", sregs: (s) => s.efer |= 0x400n },
  { what: "EFER.LMA without CR0.PG", field: "efer", mode: "protected", sregs: (s) => s.efer |= 0x500n },
  { what: "EFER.LME and CR0.PG without LMA", field: "efer", mode: "long", sregs: (s) => s.efer = 0x100n },
  { what: "CS with both L and D in long mode", field: "cs", mode: "long", sregs: (s) => s.cs.db = 1, needs: ["checked-late"] },
  { what: "RFLAGS.VM in long mode", field: "rflags", mode: "long", regs: { rflags: 0x20002 }, needs: ["checked-late"] },
  { what: "RFLAGS.VM in real mode", field: "rflags", mode: "real", regs: { rflags: 0x20002 }, needs: ["checked-late"] },
  { what: "a RIP that is not canonical", field: "rip", mode: "long", regs: { rip: 1n << 47n }, needs: ["checked-late"] },
  { what: "a RIP above 4 GiB in protected mode", field: "rip", mode: "protected", regs: { rip: 0x1_0000_1000n }, needs: ["checked-late"] },
  { what: "a GDT that is not canonical", field: "table", mode: "long", sregs: (s) => s.gdt.base = 1n << 60n, needs: ["checked-late"] },
  { what: "an IDT that is not canonical", field: "table", mode: "long", sregs: (s) => s.idt.base = 1n << 47n, needs: ["checked-late"] },
];

/** The reason that an engine must give for a field. */
function reason(guest: { readonly backend: string }, field: keyof typeof IMPOSSIBLE): bigint {
  return guest.backend === "soft" ? BigInt(IMPOSSIBLE[field]) : INVALID_GUEST_STATE;
}

/** A guest with CR0.PG without PE; what it could be instead. */
function spoil(guest: Guest): KvmSregs {
  const good = guest.vcpu.getSregs();
  change(guest, (sregs) => sregs.cr0 = 0x80000010n);
  return good;
}

/** States that the processor would refuse. */
export const FAIL_ENTRY_CASES: readonly Case[] = [
  {
    name: "run() with an impossible state is KVM_EXIT_FAIL_ENTRY",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const good = guest.vcpu.getSregs();
      const bad = guest.vcpu.getSregs();
      bad.cr0 = 0x80000010n; // PG without PE
      guest.vcpu.setSregs(bad);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      guest.vcpu.setSregs(good);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  ...STATES.map(({ what, field, mode, sregs, regs, needs = [] }): Case => ({
    name: `run() with ${what} is KVM_EXIT_FAIL_ENTRY, for ${field}`,
    needs: mode === "long" ? ["long", ...needs] : needs,
    run: (kvm) => {
      using guest = new Guest(kvm, mode === "long" ? HLT_64 : HLT, { mode, regs });
      if (sregs !== undefined) change(guest, sregs);
      const exit = guest.expect(KVM_EXIT_FAIL_ENTRY);
      assertEquals(exit.hardware_entry_failure_reason, reason(kvm, field));
    },
  })),
  {
    name: "run() with an impossible state fails as often as it is tried",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      spoil(guest);
      for (let n = 0; n < 3; n++) guest.expect(KVM_EXIT_FAIL_ENTRY);
    },
  },
  {
    name: "getSregs() gives an impossible state back as it was set",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      spoil(guest);
      assertEquals(guest.vcpu.getSregs().cr0, 0x80000010n);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      assertEquals(guest.vcpu.getSregs().cr0, 0x80000010n);
    },
  },
  {
    name: "run() with an impossible state executes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rax: 3 } });
      const before = guest.regs;
      spoil(guest);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      assertEquals(guest.regs.bytes, before.bytes);
    },
  },
  {
    name: "setSregs() with a possible state after KVM_EXIT_FAIL_ENTRY lets the guest go on",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const good = spoil(guest);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      guest.vcpu.setSregs(good);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
    },
  },
  {
    name: "run() with an impossible state on one vCPU leaves the others",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const other = second(guest, 1);
      spoil(guest);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
    },
  },
];
