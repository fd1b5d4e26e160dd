import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as abi from "../abi/mod.ts";
import type { Backend, BackendMemory, BackendVcpu, BackendVm, MappedRange } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";
import { createNativeBackend, describeUnknownExit } from "./native.ts";
import type { NativeVcpu } from "./vcpu.ts";

/** Why the device cannot be used here; null if it can. */
function reasonToSkip(): string | null {
  try {
    createNativeBackend()[Symbol.dispose]();
    return null;
  } catch (error) {
    if (error instanceof KvmError) return error.message;
    throw error;
  }
}

const skip = reasonToSkip();

/** A test that needs the device. */
function onDevice(name: string, body: () => void): void {
  Deno.test({ name: skip === null ? name : `${name} (skipped: ${skip})`, ignore: skip !== null, fn: body });
}

Deno.test({
  name: "createNativeBackend() without --allow-ffi says so in one line",
  permissions: { ffi: false },
  ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64",
  fn: () => {
    const error = assertThrows(createNativeBackend, KvmError);
    assertEquals([error.code, error.message], ["EACCES", "Cannot open /dev/kvm: this program has no --allow-ffi"]);
  },
});

const MEMORY_SIZE = 0x10000;
/** Where the guest's code begins. */
const CODE = 0x1000;

/** Machine code from lines `bytes ; assembly`. */
function assemble(...lines: string[]): number[] {
  return lines.flatMap((line) => line.split(";")[0].trim().split(/\s+/)).map((byte) => parseInt(byte, 16));
}

/** A machine with 64 KiB at 0 and one processor in real mode. */
class Machine {
  readonly backend: Backend = createNativeBackend();
  readonly vm: BackendVm = this.backend.createVm();
  readonly memory: BackendMemory = this.vm.allocate(MEMORY_SIZE);
  readonly vcpu: BackendVcpu;
  readonly run: abi.KvmRun;

  constructor(...lines: string[]) {
    this.memory.bytes.set(assemble(...lines), CODE);
    this.vm.map([this.range({})]);
    this.vcpu = this.vm.createVcpu(0);
    this.run = new abi.KvmRun(this.vcpu.shared);
    this.setSregs((sregs) => {
      Object.assign(sregs.cs, { base: 0, selector: 0 });
    });
    this.setRegs({ rip: BigInt(CODE), rsp: 0x8000n, rflags: 2n });
  }

  range(part: Partial<MappedRange>): MappedRange {
    return { gpa: 0, size: MEMORY_SIZE, memory: this.memory, offset: 0, log: false, ...part };
  }

  regs(): abi.KvmRegs {
    const regs = new abi.KvmRegs();
    this.vcpu.getRegs(regs.bytes);
    return regs;
  }

  setRegs(values: abi.StructInit<abi.KvmRegs>): void {
    const regs = this.regs();
    Object.assign(regs, values);
    this.vcpu.setRegs(regs.bytes);
  }

  sregs(): abi.KvmSregs {
    const sregs = new abi.KvmSregs();
    this.vcpu.getSregs(sregs.bytes);
    return sregs;
  }

  setSregs(change: (sregs: abi.KvmSregs) => void): void {
    const sregs = this.sregs();
    change(sregs);
    this.vcpu.setSregs(sregs.bytes);
  }

  /** Runs to the next exit, which must be `reason`. */
  expect(reason: number): void {
    const answer = this.vcpu.run(Infinity);
    const detail = this.run.exit_reason === abi.KVM_EXIT_UNKNOWN ? `: ${describeUnknownExit(this.vcpu.shared)}` : "";
    assertEquals(
      abi.KVM_EXIT_NAMES[this.run.exit_reason] + detail,
      abi.KVM_EXIT_NAMES[reason],
      `at ${this.regs().rip.toString(16)}`,
    );
    assertEquals(answer, reason === abi.KVM_EXIT_INTR ? -4 : 0);
  }

  /** Runs to an OUT of one byte and gives port and byte. */
  out(): [number, number] {
    this.expect(abi.KVM_EXIT_IO);
    assertEquals([this.run.io.direction, this.run.io.size, this.run.io.count], [abi.KVM_EXIT_IO_OUT, 1, 1]);
    return [this.run.io.port, this.vcpu.shared[Number(this.run.io.data_offset)]];
  }

  dirtyPages(memory: BackendMemory = this.memory): number[] {
    const bitmap = new Uint8Array(Math.ceil(memory.bytes.length / 4096 / 64) * 8);
    this.vm.harvestDirty(memory, bitmap);
    return Array.from({ length: bitmap.length * 8 }, (_, n) => n).filter((n) => bitmap[n >> 3] >> (n & 7) & 1);
  }

  [Symbol.dispose](): void {
    this.backend[Symbol.dispose]();
  }
}

onDevice("NativeVcpu.run() gives port output, port input and HLT", () => {
  using machine = new Machine(
    "b0 41    ; mov al, 0x41",
    "e6 10    ; out 0x10, al",
    "e4 20    ; in al, 0x20",
    "fe c0    ; inc al",
    "e6 11    ; out 0x11, al",
    "f4       ; hlt",
    "b0 07    ; mov al, 7",
    "e6 12    ; out 0x12, al",
  );
  assertEquals(machine.out(), [0x10, 0x41]);
  assertEquals(machine.run.io.data_offset, 4096n);
  machine.expect(abi.KVM_EXIT_IO);
  assertEquals([machine.run.io.direction, machine.run.io.port], [abi.KVM_EXIT_IO_IN, 0x20]);
  assertEquals(machine.regs().rip, 0x1004n, "registers at the exit of an IN are those before");
  machine.vcpu.shared[4096] = 0x61;
  assertEquals(machine.out(), [0x11, 0x62]);
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals(machine.regs().rip, 0x100bn);
  assertEquals(machine.run.if_flag, 0);
});

onDevice("NativeVcpu.run() after HLT stays halted until RIP is set", () => {
  using machine = new Machine("f4 ; hlt", "b0 07 ; mov al, 7", "e6 12 ; out 0x12, al");
  for (let n = 0; n < 3; n++) machine.expect(abi.KVM_EXIT_HLT);
  machine.setRegs({ rax: 0n });
  machine.expect(abi.KVM_EXIT_HLT);
  machine.setRegs({ rip: 0x1001n + 2n, rax: 9n });
  assertEquals(machine.out(), [0x12, 9]);
});

onDevice("NativeVcpu.run() gives MMIO reads and writes of addresses without memory", () => {
  using machine = new Machine(
    "b8 00 f0    ; mov ax, 0xf000",
    "8e d8       ; mov ds, ax",
    "a1 00 10    ; mov ax, [0x1000]",
    "40          ; inc ax",
    "a3 02 10    ; mov [0x1002], ax",
    "f4          ; hlt",
  );
  machine.expect(abi.KVM_EXIT_MMIO);
  assertEquals([machine.run.mmio.phys_addr, machine.run.mmio.len, machine.run.mmio.is_write], [0xf1000n, 2, 0]);
  machine.run.mmio.data.set([0x34, 0x12]);
  machine.expect(abi.KVM_EXIT_MMIO);
  assertEquals([machine.run.mmio.phys_addr, machine.run.mmio.len, machine.run.mmio.is_write], [0xf1002n, 2, 1]);
  assertEquals([...machine.run.mmio.data.subarray(0, 2)], [0x35, 0x12]);
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVm.map() moves memory with its contents and keeps the marks of aliases together", () => {
  using machine = new Machine(
    "a2 00 20    ; mov [0x2000], al",
    "b9 00 20    ; mov cx, 0x2000",
    "8e d9       ; mov ds, cx",
    "a2 05 00    ; mov [0x0005], al ; 0x20005, the alias of 0x3005",
    "f4          ; hlt",
    "90          ; nop",
    "a2 00 60    ; mov [0x6000], al ; 0x26000: behind the alias",
    "f4          ; hlt",
  );
  const alias = machine.range({ gpa: 0x20000, size: 0x2000, offset: 0x3000, log: true });
  machine.vm.map([machine.range({ log: true }), alias]);
  machine.setRegs({ rax: 0x5an });
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals([machine.memory.bytes[0x2000], machine.memory.bytes[0x3005]], [0x5a, 0x5a]);
  assertEquals(machine.dirtyPages(), [2, 3]);
  assertEquals(machine.dirtyPages(), []);

  machine.memory.bytes[0x5000] = 1;
  assertEquals(machine.dirtyPages(), [], "what the host writes is not marked");

  machine.setRegs({ rip: BigInt(CODE) });
  machine.setSregs((sregs) => {
    sregs.ds.base = 0n;
    sregs.ds.selector = 0;
  });
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vm.map([machine.range({ log: false })]);
  machine.vm.map([machine.range({ log: true }), machine.range({ gpa: 0x20000 })]);
  machine.setRegs({ rip: 0x100dn });
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals(machine.memory.bytes[0x6000], 0x5a);
  assertEquals(machine.dirtyPages(), [2, 3], "marks survive a new map; a range without log adds none");
});

onDevice("NativeVm.map() that the kernel refuses leaves the map as it was", () => {
  using machine = new Machine("a2 00 20 ; mov [0x2000], al", "f4 ; hlt");
  const bad = { ...machine.range({ gpa: 0x20000 }), size: 100 };
  const error = assertThrows(() => machine.vm.map([machine.range({ gpa: 0x40000 }), bad]), KvmError);
  assertEquals(error.code, "EINVAL");
  machine.setRegs({ rax: 3n });
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals(machine.memory.bytes[0x2000], 3);
});

onDevice("NativeVm.allocate() refuses what the host cannot give", () => {
  using machine = new Machine();
  assertEquals(assertThrows(() => machine.vm.allocate(2 ** 50), KvmError).code, "ENOMEM");
});

onDevice("NativeVm.release() takes the bytes away from who still holds them", () => {
  using machine = new Machine();
  const memory = machine.vm.allocate(4096);
  const { bytes } = memory;
  assertEquals(bytes.length, 4096);
  machine.vm.release(memory);
  assertEquals(bytes.length, 0);
  assertEquals(assertThrows(() => machine.vm.release(memory), KvmError).code, "EINVAL");
});

const SPIN = ["eb fe ; jmp $"];

onDevice("NativeVcpu.signal() ends RUN with EINTR, once", () => {
  using machine = new Machine(...SPIN);
  for (const n of [10, 12, 14, 34, 63]) {
    machine.vcpu.signal(n);
    machine.vcpu.signal(n);
    machine.expect(abi.KVM_EXIT_INTR);
  }
  machine.setRegs({ rip: 0x8000n });
  machine.memory.bytes.set(assemble("f4 ; hlt"), 0x8000);
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vcpu.signal(15);
  machine.expect(abi.KVM_EXIT_INTR);
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVcpu.setSignalMask() holds a signal back until it is open", () => {
  using machine = new Machine("90 ; nop", "f4 ; hlt");
  const mask = new Uint8Array(8);
  mask[1] = 0x02;
  machine.vcpu.setSignalMask(mask);
  machine.vcpu.signal(10);
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vcpu.setSignalMask(new Uint8Array(8));
  machine.setRegs({ rip: BigInt(CODE) });
  machine.expect(abi.KVM_EXIT_INTR);
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vcpu.setSignalMask(null);
  machine.vcpu.signal(10);
  machine.expect(abi.KVM_EXIT_INTR);
});

onDevice("NativeVcpu.signal() refuses what it could not hold back", () => {
  using machine = new Machine(...SPIN);
  for (const n of [0, 65, 9, 19, 11, 1.5]) {
    assertEquals(assertThrows(() => machine.vcpu.signal(n), KvmError).code, "EINVAL");
  }
});

onDevice("NativeVcpu.alarm() ends a run that would not end", () => {
  using machine = new Machine(...SPIN);
  const vcpu = machine.vcpu as NativeVcpu;
  const start = performance.now();
  vcpu.alarm(20);
  machine.expect(abi.KVM_EXIT_INTR);
  const passed = performance.now() - start;
  assert(passed >= 19 && passed < 2000, `${passed} ms`);
  vcpu.setSignalMask(new Uint8Array(8).fill(0xff));
  vcpu.alarm(1);
  machine.expect(abi.KVM_EXIT_INTR);
  vcpu.alarm(1);
  const end = performance.now() + 3;
  while (performance.now() < end);
  vcpu.alarm(0);
  machine.memory.bytes[CODE] = 0xf4;
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVcpu.debugGuest() steps one instruction at a time and hides TF and RF", () => {
  using machine = new Machine("b0 01 ; mov al, 1", "90 ; nop", "9c ; pushf", "58 ; pop ax", "f4 ; hlt");
  machine.vcpu.debugGuest(new abi.KvmDebugGuest({ enabled: 1, singlestep: 1 }).bytes);
  for (const rip of [0x1002n, 0x1003n, 0x1004n, 0x1005n]) {
    machine.expect(abi.KVM_EXIT_DEBUG);
    assertEquals(machine.regs().rip, rip);
    assertEquals(machine.regs().rflags & 0x10100n, 0n);
  }
  assertEquals(machine.regs().rax & 0x100n, 0n, "the guest cannot see it");
  machine.vcpu.debugGuest(new abi.KvmDebugGuest().bytes);
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVcpu.debugGuest() stops before the instruction at a breakpoint, and steps leave it behind", () => {
  using machine = new Machine("b0 01 ; mov al, 1", "fe c0 ; inc al", "fe c0 ; inc al", "f4 ; hlt");
  const breakpoints = [{ enabled: 1, address: 0x1002n }, { enabled: 0, address: 0x1004n }, {}, {}];
  machine.vcpu.debugGuest(new abi.KvmDebugGuest({ enabled: 1, breakpoints }).bytes);
  machine.expect(abi.KVM_EXIT_DEBUG);
  assertEquals([machine.regs().rip, machine.regs().rax & 0xffn], [0x1002n, 1n]);
  machine.vcpu.debugGuest(new abi.KvmDebugGuest({ enabled: 1, breakpoints, singlestep: 1 }).bytes);
  machine.expect(abi.KVM_EXIT_DEBUG);
  assertEquals([machine.regs().rip, machine.regs().rax & 0xffn], [0x1004n, 2n]);
  machine.vcpu.debugGuest(new abi.KvmDebugGuest({ enabled: 1, breakpoints }).bytes);
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals(machine.regs().rax & 0xffn, 3n);
});

/** A machine whose interrupt handler for each of `vectors` writes the vector to port 0x40. */
function interruptMachine(vectors: number[], ...lines: string[]): Machine {
  const machine = new Machine(...lines);
  vectors.forEach((vector, n) => {
    const handler = 0x4000 + 16 * n;
    new DataView(machine.memory.bytes.buffer).setUint32(4 * vector, handler, true);
    const code = [`b0 ${vector.toString(16)} ; mov al, vector`, "e6 40 ; out 0x40, al", "cf ; iret"];
    machine.memory.bytes.set(assemble(...code), handler);
  });
  return machine;
}

onDevice("NativeVcpu.interrupt() queues many, and delivers each when IF allows", () => {
  using machine = interruptMachine(
    [0x20, 0x33, 0xf0],
    "b0 01 ; mov al, 1",
    "e6 10 ; out 0x10, al",
    "fb    ; sti",
    "90    ; nop",
    "f4    ; hlt",
    "eb fd ; jmp to the hlt",
  );
  for (const vector of [0xf0, 0x20, 0x33]) machine.vcpu.interrupt(vector);
  const bitmap = [...machine.sregs().interrupt_bitmap];
  assertEquals(bitmap, [1n << 32n | 1n << 51n, 0n, 0n, 1n << 48n]);
  assertEquals(machine.out(), [0x10, 1], "nothing is delivered while IF is 0");
  assertEquals(machine.run.ready_for_interrupt_injection, 0);
  for (const vector of [0x20, 0x33, 0xf0]) assertEquals(machine.out(), [0x40, vector]);
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals(machine.run.ready_for_interrupt_injection, 1);
  assertEquals(machine.run.request_interrupt_window, 0);
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vcpu.interrupt(0x33);
  assertEquals(machine.out(), [0x40, 0x33]);
  assertEquals(machine.regs().rsp, 0x8000n - 6n);
  machine.expect(abi.KVM_EXIT_HLT);
  assertEquals([...machine.sregs().interrupt_bitmap], [0n, 0n, 0n, 0n]);
});

onDevice("NativeVcpu.setSregs() replaces the queued interrupts", () => {
  using machine = interruptMachine([0x20, 0x21], "fb ; sti", "90 ; nop", "f4 ; hlt");
  machine.vcpu.interrupt(0x20);
  machine.setSregs((sregs) => {
    sregs.interrupt_bitmap.set(0, 1n << 33n);
  });
  assertEquals(machine.out(), [0x40, 0x21]);
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVcpu.run() keeps a queued interrupt when a signal comes first", () => {
  using machine = interruptMachine([0x20], "fb ; sti", "f4 ; hlt");
  machine.expect(abi.KVM_EXIT_HLT);
  machine.vcpu.interrupt(0x20);
  machine.vcpu.signal(10);
  machine.expect(abi.KVM_EXIT_INTR);
  assertEquals(machine.sregs().interrupt_bitmap.get(0), 1n << 32n);
  assertEquals(machine.out(), [0x40, 0x20]);
  assertEquals(machine.memory.bytes[0x7ffa] | machine.memory.bytes[0x7ffb] << 8, 0x1002, "it came after the HLT");
});

onDevice("NativeVcpu.run() delivers to a guest that never stops by itself", () => {
  using machine = interruptMachine([0x20, 0x21], "fb ; sti", "eb fe ; jmp $");
  const vcpu = machine.vcpu as NativeVcpu;
  for (let n = 0; n < 3; n++) {
    vcpu.alarm(1);
    machine.expect(abi.KVM_EXIT_INTR);
    vcpu.interrupt(0x21);
    vcpu.interrupt(0x20);
    vcpu.signal(10);
    machine.expect(abi.KVM_EXIT_INTR);
    assertEquals(machine.sregs().interrupt_bitmap.get(0), 3n << 32n, "a signal takes no interrupt away");
    assertEquals(machine.out(), [0x40, 0x20]);
    assertEquals(machine.out(), [0x40, 0x21]);
    machine.setRegs({ rax: 0n });
    vcpu.interrupt(0x20);
    assertEquals(machine.out(), [0x40, 0x20]);
  }
});

onDevice("NativeVcpu.run() gives IRQ_WINDOW_OPEN once an interrupt could be taken", () => {
  using machine = interruptMachine([0x20], "90 ; nop", "fb ; sti", "eb fe ; jmp $");
  machine.run.request_interrupt_window = 1;
  machine.expect(abi.KVM_EXIT_IRQ_WINDOW_OPEN);
  assertEquals(machine.regs().rip, 0x1002n);
  assertEquals([machine.run.ready_for_interrupt_injection, machine.run.if_flag], [1, 1]);
  machine.vcpu.interrupt(0x20);
  assertEquals(machine.out(), [0x40, 0x20]);
  assertEquals(machine.run.request_interrupt_window, 1);
  machine.expect(abi.KVM_EXIT_IRQ_WINDOW_OPEN);
  assertEquals(machine.regs().rip, 0x1002n);
  machine.memory.bytes[0x1002] = 0xf4;
  machine.run.request_interrupt_window = 0;
  machine.expect(abi.KVM_EXIT_HLT);
  machine.run.request_interrupt_window = 1;
  machine.expect(abi.KVM_EXIT_IRQ_WINDOW_OPEN);
  assertEquals(machine.regs().rip, 0x1003n);
});

/** CPUID of leaf EAX; the four answers as the guest stores them at 0x2000. */
const CPUID_CODE = [
  "0f a2             ; cpuid",
  "66 a3 00 20       ; mov [0x2000], eax",
  "66 89 1e 04 20    ; mov [0x2004], ebx",
  "66 89 0e 08 20    ; mov [0x2008], ecx",
  "66 89 16 0c 20    ; mov [0x200c], edx",
  "f4                ; hlt",
];

function cpuid(machine: Machine, leaf: number): number[] {
  machine.setRegs({ rip: BigInt(CODE), rax: BigInt(leaf), rcx: 0n });
  machine.expect(abi.KVM_EXIT_HLT);
  return [...new Uint32Array(machine.memory.bytes.buffer, 0x2000, 4)];
}

onDevice("NativeVm.createVcpu() gives a processor with long mode, without x2APIC and paravirtual leaves", () => {
  using machine = new Machine(...CPUID_CODE);
  assert(cpuid(machine, 0x80000001)[3] & 1 << 29, "long mode");
  assertEquals(cpuid(machine, 1)[2] & 1 << 21, 0, "x2APIC");
  assert(cpuid(machine, 0x40000000)[1] !== 0x4b4d564b, "the kernel's signature");
});

onDevice("NativeVcpu.setCpuid() decides what the guest sees, and a missing leaf answers as the highest", () => {
  using machine = new Machine(...CPUID_CODE);
  const leaves = [
    { function: 0, eax: 3, ebx: 0x756e6547, edx: 0x49656e69, ecx: 0x6c65746e },
    { function: 1, eax: 0x1234, edx: 1 },
    { function: 3, eax: 5, ebx: 6, ecx: 7, edx: 8 },
    { function: 0x80000000, eax: 0x80000001 },
    { function: 0x80000001, eax: 9, ebx: 10, ecx: 0, edx: 0 },
  ];
  machine.vcpu.setCpuid(new abi.KvmCpuid(leaves).bytes.subarray(8));
  assertEquals(cpuid(machine, 0), [3, 0x756e6547, 0x6c65746e, 0x49656e69]);
  assertEquals(cpuid(machine, 1)[0], 0x1234);
  for (const leaf of [2, 3, 4, 0x1f, 0x1234]) assertEquals(cpuid(machine, leaf), [5, 6, 7, 8], `leaf ${leaf}`);
  for (const leaf of [0x80000001, 0x80000002, 0x80000004]) assertEquals(cpuid(machine, leaf).slice(0, 2), [9, 10]);
});

onDevice("NativeBackend.msrIndexList() lists MSRs that can be read and written back", () => {
  using machine = new Machine();
  const list = machine.backend.msrIndexList();
  assert(list.length > 10);
  for (const index of [0x10, 0x174, 0xc0000081]) assert(list.includes(index), index.toString(16));
  const msrs = new abi.KvmMsrs([...list].map((index) => ({ index })));
  assertEquals(list.filter((index) => index >>> 8 === 0x4b564d).length, 0, "the kernel's own");
  assertEquals(machine.vcpu.getMsrs(msrs.bytes.subarray(8)), list.length);
  assertEquals(machine.vcpu.setMsrs(msrs.bytes.subarray(8)), list.length);
});

onDevice("NativeVcpu.setMsrs() stops at the first that is unknown", () => {
  using machine = new Machine();
  const values = [{ index: 0x175, data: 0x1234n }, { index: 0x0bad, data: 0n }, { index: 0x176, data: 5n }];
  const msrs = new abi.KvmMsrs(values);
  assertEquals(machine.vcpu.setMsrs(msrs.bytes.subarray(8)), 1);
  msrs.entries[0].data = 0n;
  assertEquals(machine.vcpu.getMsrs(msrs.bytes.subarray(8)), 1);
  assertEquals(msrs.entries[0].data, 0x1234n);
});

onDevice("NativeVcpu.setFpu() and getFpu() keep all of it, MXCSR included", () => {
  using machine = new Machine();
  const fpu = new abi.KvmFpu({ fcw: 0x27f, fsw: 0x3800, ftwx: 0x81, last_opcode: 0x123, last_ip: 5n, mxcsr: 0x9fc0 });
  fpu.bytes.subarray(0, 128).forEach((_, n, fpr) => fpr[n] = n % 16 < 10 ? n : 0);
  fpu.bytes.subarray(152, 408).forEach((_, n, xmm) => xmm[n] = 255 - n);
  machine.vcpu.setFpu(fpu.bytes);
  const back = new abi.KvmFpu();
  machine.vcpu.getFpu(back.bytes);
  assertEquals(back.bytes, fpu.bytes);
});

onDevice("NativeVcpu.run() gives FAIL_ENTRY for a state that was refused, until it is right again", () => {
  using machine = new Machine("f4 ; hlt");
  const good = machine.sregs();
  machine.setSregs((sregs) => {
    sregs.cr0 = 0x8000_0000n;
    sregs.cr3 = 0x5000n;
  });
  assertEquals([machine.sregs().cr0, machine.sregs().cr3], [0x8000_0000n, 0x5000n]);
  for (let n = 0; n < 2; n++) {
    machine.expect(abi.KVM_EXIT_FAIL_ENTRY);
    assertEquals(machine.run.fail_entry.hardware_entry_failure_reason, 0x80000021n);
  }
  machine.vcpu.setSregs(good.bytes);
  machine.expect(abi.KVM_EXIT_HLT);
});

onDevice("NativeVcpu.run() gives SHUTDOWN for a triple fault", () => {
  using machine = new Machine("0f 0b ; ud2");
  machine.setSregs((sregs) => {
    Object.assign(sregs.idt, { base: 0, limit: 0 });
    sregs.cr0 |= 1n;
    Object.assign(sregs.cs, { base: 0, selector: 8 });
  });
  machine.expect(abi.KVM_EXIT_SHUTDOWN);
});

/** Puts the processor into long mode on page tables at 0x2000, of which the last one is at 0x5000. */
function enterLongMode(machine: Machine): DataView {
  const tables = new DataView(machine.memory.bytes.buffer);
  for (const table of [0x2000, 0x3000, 0x4000]) tables.setUint32(table, table + 0x1007, true);
  machine.setSregs((sregs) => {
    for (const name of ["ds", "es", "ss"] as const) {
      Object.assign(sregs[name], { base: 0, selector: 0x10, g: 1, db: 1 });
    }
    Object.assign(sregs.cs, { base: 0, selector: 8, limit: 0xffffffff, type: 11, l: 1, db: 0, g: 1 });
    sregs.cr3 = 0x2000n;
    sregs.cr4 = 0x20n;
    sregs.efer = 0x500n;
    sregs.cr0 = 0x8000_0011n;
  });
  return tables;
}

onDevice("NativeVcpu.translate() tells what the page tables allow and changes nothing", () => {
  using machine = new Machine();
  const at = (linear: bigint): [bigint, number, number, number] => {
    const translation = new abi.KvmTranslation({ linear_address: linear });
    machine.vcpu.translate(translation.bytes);
    return [translation.physical_address, translation.valid, translation.writeable, translation.usermode];
  };
  assertEquals(at(0x1234n), [0x1234n, 1, 1, 1]);
  const tables = enterLongMode(machine);
  tables.setUint32(0x5000, 0x7001, true);
  tables.setUint32(0x5008, 0x6007, true);
  assertEquals(at(0x123n), [0x7123n, 1, 0, 0]);
  assertEquals(at(0x1123n), [0x6123n, 1, 1, 1]);
  assertEquals(at(0x2123n), [0xffff_ffff_ffff_ffffn, 0, 0, 0]);
  assertEquals(tables.getUint32(0x5008, true), 0x6007);
});

onDevice("NativeVcpu.run() runs long mode without any KVM_SET_CPUID", () => {
  using machine = new Machine(
    "48 b8 88 77 66 55 44 33 22 11    ; mov rax, 0x1122334455667788",
    "49 89 c7                         ; mov r15, rax",
    "e6 10                            ; out 0x10, al",
  );
  const tables = enterLongMode(machine);
  for (let page = 0; page < 16; page++) tables.setUint32(0x5000 + 8 * page, page << 12 | 7, true);
  assertEquals(machine.out(), [0x10, 0x88]);
  assertEquals(machine.regs().r15, 0x1122334455667788n);
});

onDevice("describeUnknownExit() tells about an exit that version 12 does not have", () => {
  using machine = new Machine();
  machine.setRegs({ rip: 0xf000n });
  machine.setSregs((sregs) => {
    sregs.cs.base = 0x100000n;
  });
  machine.vcpu.run(Infinity);
  assertEquals(machine.run.exit_reason, abi.KVM_EXIT_UNKNOWN);
  assertEquals(machine.run.hw.hardware_exit_reason, 17n);
  assertMatch(describeUnknownExit(machine.vcpu.shared), /^the kernel cannot emulate an instruction/);
});

onDevice("createNativeBackend() leaves nothing behind when it is disposed of", () => {
  // dup gives the lowest number that is free.
  const libc = Deno.dlopen("libc.so.6", {
    dup: { parameters: ["i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const free = () => {
    const fd = libc.symbols.dup(0);
    libc.symbols.close(fd);
    return fd;
  };
  const before = free();
  const machine = new Machine("f4 ; hlt");
  const second = machine.vm.createVcpu(1);
  machine.expect(abi.KVM_EXIT_HLT);
  (machine.vcpu as NativeVcpu).alarm(1000);
  machine.vcpu.signal(10);
  assert(free() > before);
  const { bytes } = machine.memory;
  const { backend, vm, vcpu } = machine;
  for (const object of [second, backend, vm, vcpu, second, backend]) object[Symbol.dispose]();
  assertEquals(free(), before);
  libc.close();
  assertEquals([bytes.length, vcpu.shared.length], [0, 0]);
  for (const use of [() => vcpu.run(1), () => vm.createVcpu(2), () => vm.allocate(4096), () => backend.createVm()]) {
    assertEquals(assertThrows(use, KvmError).code, "EBADF");
  }
});
