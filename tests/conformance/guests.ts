/**
 * Set-ups that several conformance cases share: short programs, tables for protected and long mode, user mode, and paging
 * in each of its forms.
 * @module
 */

import {
  type Kvm,
  KVM_MEM_LOG_DIRTY_PAGES,
  KvmRegs,
  type KvmSregs,
  type StructInit,
  type Vcpu,
  type VcpuExit,
  type Vm,
} from "../../mod.ts";
import { code, flatProtected, Guest, type GuestOptions, type Listing, longMode, poke } from "./harness.ts";

/** Flags of a slot that logs. */
export const LOG = KVM_MEM_LOG_DIRTY_PAGES;
/** An address of no slot. */
export const ELSEWHERE = 0x80000;

/** Halts, and goes on halting. */
export const HLT: Listing = code(`
        f4    ; hlt
        eb fd ; jmp $-1
      `);
/** Never ends. */
export const SPIN: Listing = code(`
        eb fe ; jmp $
      `);
/** Counts in AX for ever. */
export const COUNT: Listing = code(`
        40    ; inc ax
        eb fd ; jmp $-1
      `);
/** Three countable instructions, then HLT. */
export const STEPS: Listing = code(`
        40 ; inc ax
        43 ; inc bx
        41 ; inc cx
        f4 ; hlt
      `);
/** Sets IF and halts, again and again. */
export const STI_HLT: Listing = code(`
        fb    ; sti
        90    ; nop
        f4    ; hlt
        eb fd ; jmp $-1
      `);
/** Sets IF and spins. */
export const STI_SPIN: Listing = code(`
        fb    ; sti
        90    ; nop
        eb fe ; jmp $
      `);
/** Reads a byte at DS:BX. */
export const LOAD: Listing = code(`
        8a 07 ; mov al, [bx]
        f4    ; hlt
      `);
/** Writes a byte at DS:BX. */
export const STORE: Listing = code(`
        88 07 ; mov [bx], al
        f4    ; hlt
      `);
/** Writes two bytes at DS:BX. */
export const STORE_WORD: Listing = code(`
        89 07 ; mov [bx], ax
        f4    ; hlt
      `);
/** Reads a dword at DS:BX. */
export const LOAD_DWORD: Listing = code(`
        66 8b 07 ; mov eax, [bx]
        f4       ; hlt
      `);
/** Reads a byte at ES:BX. */
export const LOAD_ES: Listing = code(`
        26 8a 07 ; mov al, [es:bx]
        f4       ; hlt
      `);
/** Fills CX bytes at ES:DI. */
export const REP_STOSB: Listing = code(`
        f3 aa ; rep stosb
        f4    ; hlt
      `);
/** Writes a byte at ES:DI, then tells port 0x10, for ever: DI moves up by BX each time. */
export const STORE_OUT: Listing = code(`
                 ; again:
        26 88 05 ; mov [es:di], al
        e6 10    ; out 0x10, al
        01 df    ; add di, bx
        40       ; inc ax
        eb f6    ; jmp again
      `);
/** Reads and writes a dword at EBX, 32-bit code. */
export const ADD_32: Listing = code(
  `
        8b 03 ; mov eax, [ebx]
        01 c8 ; add eax, ecx
        89 03 ; mov [ebx], eax
        f4    ; hlt
      `,
  32,
);
/** Writes a byte at RBX, 64-bit code. */
export const STORE_64: Listing = code(
  `
        88 03 ; mov [rbx], al
        f4    ; hlt
      `,
  64,
);
/** Reads a byte at RBX, 64-bit code. */
export const LOAD_64: Listing = code(
  `
        8a 03 ; mov al, [rbx]
        f4    ; hlt
      `,
  64,
);
/** Halts, 64-bit code. */
export const HLT_64: Listing = code(
  `
        f4    ; hlt
        eb fd ; jmp $-1
      `,
  64,
);
/** Writes AL to port 0x10, 64-bit code that may run in user mode. */
export const OUT_64: Listing = code(
  `
        e6 10 ; out 0x10, al
        90    ; nop
      `,
  64,
);
/** An exception, 64-bit code. */
export const UD2_64: Listing = code(
  `
        0f 0b ; ud2
      `,
  64,
);
/** Runs from the start to HLT with BX and AL set; gives AL. */
export function access(guest: Guest, bx: number, al: number = 0): number {
  guest.restart({ rbx: bx, rax: al });
  guest.expectHlt();
  return guest.regs.rax_lo & 0xff;
}

/** Makes segment `name` begin at `base`, as in real mode. */
export function segmentAt(sregs: KvmSregs, name: "cs" | "ds" | "es" | "ss" | "fs" | "gs", base: number): void {
  Object.assign(sregs[name], { base: BigInt(base), selector: base >> 4 });
}

/** Changes segments and control registers of a guest that exists. */
export function change(guest: Guest, how: (sregs: KvmSregs) => void): void {
  const sregs = guest.vcpu.getSregs();
  how(sregs);
  guest.vcpu.setSregs(sregs);
}

/** Lets a second processor of `guest`'s machine begin as the first one stands, with other registers as given. */
export function second(guest: Guest, slot: number, changes: StructInit<KvmRegs> = {}): Vcpu {
  const vcpu = guest.vm.createVcpu(slot);
  vcpu.setSregs(guest.vcpu.getSregs());
  vcpu.setRegs(new KvmRegs({ ...plain(guest.regs), ...changes }));
  return vcpu;
}

/** The registers as an object of values. */
function plain(regs: KvmRegs): StructInit<KvmRegs> {
  const { rip, rflags, rsp, rax, rbx, rcx, rdx, rsi, rdi, rbp } = regs;
  return { rip, rflags, rsp, rax, rbx, rcx, rdx, rsi, rdi, rbp };
}

/** Runs a processor that may go astray to its next exit. */
export function runLimited(vcpu: Vcpu): VcpuExit {
  return vcpu.run({ maxInstructions: 5_000_000 });
}

/** Where {@linkcode descriptorTables} puts the GDT. */
export const GDT = 0x5000;
/** Where {@linkcode descriptorTables} puts the IDT. */
export const IDT = 0x5800;
/** A flat 32-bit code descriptor, not accessed. */
const CODE_32 = 0x00cf9a000000ffffn;
/** A flat 32-bit data descriptor, not accessed. */
const DATA_32 = 0x00cf92000000ffffn;
/** A 64-bit code descriptor, not accessed. */
const CODE_64 = 0x00af9a000000ffffn;

/**
 * Writes a GDT with code (8), data (16) and another data descriptor (24), and an IDT whose interrupt gates of `vectors`
 * all lead to 0x2000; lets the tables be in force.
 */
export function descriptorTables(guest: Guest, bits: 32 | 64, ...vectors: number[]): void {
  poke(guest.vm, GDT, [0n, bits === 32 ? CODE_32 : CODE_64, DATA_32, DATA_32]);
  const gate = 0x2000n | 8n << 16n | 0x8e00n << 32n;
  for (const vector of vectors) {
    if (bits === 32) poke(guest.vm, IDT + vector * 8, [gate]);
    else poke(guest.vm, IDT + vector * 16, [gate, 0n]);
  }
  change(guest, (sregs) => {
    Object.assign(sregs.gdt, { base: BigInt(GDT), limit: 31 });
    Object.assign(sregs.idt, { base: BigInt(IDT), limit: 0x7ff });
  });
}

/** Long mode's flat segments for ring 3; with `iopl`, port instructions are allowed there. */
export function userMode(guest: Guest, iopl: boolean = true): void {
  change(guest, (sregs) => {
    for (const name of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
      Object.assign(sregs[name], { dpl: 3, selector: (name === "cs" ? 0x20 : 0x28) | 3 });
    }
  });
  const { regs } = guest;
  if (iopl) regs.rflags |= 0x3000n;
  guest.vcpu.setRegs(regs);
  openToUsers(guest.vm);
}

/** Lets ring 3 use what the tables of {@linkcode longMode} map. */
function openToUsers(vm: Vm): void {
  poke(vm, 0x8000, [0x9007n]);
  poke(vm, 0x9000, [0xa007n]);
  poke(vm, 0xa000, Array.from({ length: 512 }, (_, n) => BigInt(n) << 21n | 0x87n));
}

/** A guest in ring 3 of long mode, with port instructions allowed. */
export function userGuest(kvm: Kvm, listing: Listing, options: GuestOptions = {}): Guest {
  const guest = new Guest(kvm, listing, { ...options, mode: "long" });
  userMode(guest);
  return guest;
}

/** 32-bit paging by the directory at 0x8000; `pse` allows pages of 4 MiB. */
export function paging32(pse: boolean): (sregs: KvmSregs) => void {
  return (sregs) => {
    flatProtected(sregs);
    Object.assign(sregs, { cr3: 0x8000n, cr4: pse ? 0x10n : 0n, cr0: sregs.cr0 | 0x80000000n });
  };
}

/** PAE paging by the pointers at 0x8000, of which the first leads to the directory at 0x9000; tables before this. */
export function pagingPae(vm: Vm): (sregs: KvmSregs) => void {
  poke(vm, 0x8000, [0x9001n, 0n, 0n, 0n]);
  return (sregs) => {
    flatProtected(sregs);
    Object.assign(sregs, { cr3: 0x8000n, cr4: 0x20n, cr0: sregs.cr0 | 0x80000000n });
  };
}

/** Writes 32-bit words into guest memory. */
export function poke32(vm: Vm, gpa: number, words: readonly number[]): void {
  vm.write(gpa, new Uint8Array(Uint32Array.from(words).buffer));
}

/** Puts a guest into long mode that began in real mode. */
export function enterLongMode(guest: Guest): void {
  change(guest, (sregs) => longMode(guest.vm, sregs));
}
