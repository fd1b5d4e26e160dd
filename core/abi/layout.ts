/**
 * The structures of `kvm.h` as data: where each field is, how wide, of which type, as a 64-bit x86 C compiler lays them
 * out. Everything is little-endian. The views (`views.ts`, `run.ts`) get their accessors from these tables.
 * @module
 */

/** The integer types of a field. */
export type ScalarType = "u8" | "u16" | "u32" | "u64";

/** The name of a structure; the members of the union of `kvm_run` have names of their own. */
export type StructName =
  | "kvm_memory_region"
  | "kvm_memory_alias"
  | "kvm_run"
  | "kvm_run.hw"
  | "kvm_run.fail_entry"
  | "kvm_run.ex"
  | "kvm_run.io"
  | "kvm_run.mmio"
  | "kvm_run.hypercall"
  | "kvm_regs"
  | "kvm_fpu"
  | "kvm_segment"
  | "kvm_dtable"
  | "kvm_sregs"
  | "kvm_msr_entry"
  | "kvm_msrs"
  | "kvm_msr_list"
  | "kvm_translation"
  | "kvm_interrupt"
  | "kvm_breakpoint"
  | "kvm_debug_guest"
  | "kvm_dirty_log"
  | "kvm_cpuid_entry"
  | "kvm_cpuid"
  | "kvm_signal_mask";

/** One field of a structure. */
export interface FieldLayout {
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** Bytes in all; 0 for an array that runs on behind the structure. */
  readonly size: number;
  /** The type of the field, or of its elements where it is an array. */
  readonly type: ScalarType | StructName;
  /** The lengths of an array, outermost first; empty for a single value. */
  readonly dimensions: readonly number[];
}

/** One structure. */
export interface StructLayout {
  /** Its name in `kvm.h`. */
  readonly name: StructName;
  /** Bytes, without the array behind it where there is one. */
  readonly size: number;
  /** Its fields by name, in the order of `kvm.h`. */
  readonly fields: Readonly<Record<string, FieldLayout>>;
}

const SCALAR_SIZE: Readonly<Record<ScalarType, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

const layouts = new Map<StructName, StructLayout>();

/** The byte size of one element of `type`. */
function elementSize(type: ScalarType | StructName): number {
  const scalar = SCALAR_SIZE[type as ScalarType];
  return scalar ?? layouts.get(type as StructName)!.size;
}

/** A field as `type` or `type[n]` or `type[n][m]`. */
function field(offset: number, declaration: string): FieldLayout {
  const [name, ...lengths] = declaration.split("[");
  const type = name as ScalarType | StructName;
  const dimensions = lengths.map((length) => parseInt(length));
  return { offset, size: dimensions.reduce((size, length) => size * length, elementSize(type)), type, dimensions };
}

/** Adds the structure `name` of `size` bytes with the fields `[offset, declaration]`. */
function struct(name: StructName, size: number, fields: Readonly<Record<string, readonly [number, string]>>): void {
  const entries = Object.entries(fields).map(([key, [offset, type]]) => [key, field(offset, type)] as const);
  layouts.set(name, { name, size, fields: Object.fromEntries(entries) });
}

// deno-fmt-ignore-start
struct("kvm_memory_region", 24, {
  slot: [0, "u32"], flags: [4, "u32"], guest_phys_addr: [8, "u64"], memory_size: [16, "u64"],
});
struct("kvm_memory_alias", 32, {
  slot: [0, "u32"],
  flags: [4, "u32"],
  guest_phys_addr: [8, "u64"],
  memory_size: [16, "u64"],
  target_phys_addr: [24, "u64"],
});
struct("kvm_run.hw", 8, { hardware_exit_reason: [0, "u64"] });
struct("kvm_run.fail_entry", 8, { hardware_entry_failure_reason: [0, "u64"] });
struct("kvm_run.ex", 8, { exception: [0, "u32"], error_code: [4, "u32"] });
struct("kvm_run.io", 16, {
  direction: [0, "u8"],
  size: [1, "u8"],
  port: [2, "u16"],
  count: [4, "u32"],
  data_offset: [8, "u64"],
});
struct("kvm_run.mmio", 24, { phys_addr: [0, "u64"], data: [8, "u8[8]"], len: [16, "u32"], is_write: [20, "u8"] });
struct("kvm_run.hypercall", 64, { args: [0, "u64[6]"], ret: [48, "u64"], longmode: [56, "u32"], pad: [60, "u32"] });
struct("kvm_run", 288, {
  request_interrupt_window: [0, "u8"],
  padding1: [1, "u8[7]"],
  exit_reason: [8, "u32"],
  ready_for_interrupt_injection: [12, "u8"],
  if_flag: [13, "u8"],
  padding2: [14, "u8[2]"],
  cr8: [16, "u64"],
  apic_base: [24, "u64"],
  hw: [32, "kvm_run.hw"],
  fail_entry: [32, "kvm_run.fail_entry"],
  ex: [32, "kvm_run.ex"],
  io: [32, "kvm_run.io"],
  mmio: [32, "kvm_run.mmio"],
  hypercall: [32, "kvm_run.hypercall"],
  padding: [32, "u8[256]"],
});
struct("kvm_regs", 144, {
  rax: [0, "u64"],
  rbx: [8, "u64"],
  rcx: [16, "u64"],
  rdx: [24, "u64"],
  rsi: [32, "u64"],
  rdi: [40, "u64"],
  rsp: [48, "u64"],
  rbp: [56, "u64"],
  r8: [64, "u64"],
  r9: [72, "u64"],
  r10: [80, "u64"],
  r11: [88, "u64"],
  r12: [96, "u64"],
  r13: [104, "u64"],
  r14: [112, "u64"],
  r15: [120, "u64"],
  rip: [128, "u64"],
  rflags: [136, "u64"],
});
struct("kvm_fpu", 416, {
  fpr: [0, "u8[8][16]"],
  fcw: [128, "u16"],
  fsw: [130, "u16"],
  ftwx: [132, "u8"],
  pad1: [133, "u8"],
  last_opcode: [134, "u16"],
  last_ip: [136, "u64"],
  last_dp: [144, "u64"],
  xmm: [152, "u8[16][16]"],
  mxcsr: [408, "u32"],
  pad2: [412, "u32"],
});
struct("kvm_segment", 24, {
  base: [0, "u64"],
  limit: [8, "u32"],
  selector: [12, "u16"],
  type: [14, "u8"],
  present: [15, "u8"],
  dpl: [16, "u8"],
  db: [17, "u8"],
  s: [18, "u8"],
  l: [19, "u8"],
  g: [20, "u8"],
  avl: [21, "u8"],
  unusable: [22, "u8"],
  padding: [23, "u8"],
});
struct("kvm_dtable", 16, { base: [0, "u64"], limit: [8, "u16"], padding: [10, "u16[3]"] });
struct("kvm_sregs", 312, {
  cs: [0, "kvm_segment"],
  ds: [24, "kvm_segment"],
  es: [48, "kvm_segment"],
  fs: [72, "kvm_segment"],
  gs: [96, "kvm_segment"],
  ss: [120, "kvm_segment"],
  tr: [144, "kvm_segment"],
  ldt: [168, "kvm_segment"],
  gdt: [192, "kvm_dtable"],
  idt: [208, "kvm_dtable"],
  cr0: [224, "u64"],
  cr2: [232, "u64"],
  cr3: [240, "u64"],
  cr4: [248, "u64"],
  cr8: [256, "u64"],
  efer: [264, "u64"],
  apic_base: [272, "u64"],
  interrupt_bitmap: [280, "u64[4]"],
});
struct("kvm_msr_entry", 16, { index: [0, "u32"], reserved: [4, "u32"], data: [8, "u64"] });
struct("kvm_msrs", 8, { nmsrs: [0, "u32"], pad: [4, "u32"], entries: [8, "kvm_msr_entry[0]"] });
struct("kvm_msr_list", 4, { nmsrs: [0, "u32"], indices: [4, "u32[0]"] });
struct("kvm_translation", 24, {
  linear_address: [0, "u64"],
  physical_address: [8, "u64"],
  valid: [16, "u8"],
  writeable: [17, "u8"],
  usermode: [18, "u8"],
  pad: [19, "u8[5]"],
});
struct("kvm_interrupt", 4, { irq: [0, "u32"] });
struct("kvm_breakpoint", 16, { enabled: [0, "u32"], padding: [4, "u32"], address: [8, "u64"] });
struct("kvm_debug_guest", 80, {
  enabled: [0, "u32"],
  pad: [4, "u32"],
  breakpoints: [8, "kvm_breakpoint[4]"],
  singlestep: [72, "u32"],
});
struct("kvm_dirty_log", 16, { slot: [0, "u32"], padding: [4, "u32"], dirty_bitmap: [8, "u64"] });
struct("kvm_cpuid_entry", 24, {
  function: [0, "u32"],
  eax: [4, "u32"],
  ebx: [8, "u32"],
  ecx: [12, "u32"],
  edx: [16, "u32"],
  padding: [20, "u32"],
});
struct("kvm_cpuid", 8, { nent: [0, "u32"], padding: [4, "u32"], entries: [8, "kvm_cpuid_entry[0]"] });
struct("kvm_signal_mask", 4, { len: [0, "u32"], sigset: [4, "u8[0]"] });
// deno-fmt-ignore-end

/** The layout of every structure, by its name in `kvm.h`. */
export const LAYOUTS: Readonly<Record<StructName, StructLayout>> = Object.fromEntries(layouts) as Record<
  StructName,
  StructLayout
>;
