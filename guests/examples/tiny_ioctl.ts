/**
 * The tiny virtual machine monitor of "Using the KVM API" (LWN, 2015), in the raw form: `open`, `ioctl`, `mmap`, line by line as
 * in C. The guest adds RAX and RBX, prints the digit and a newline on COM1, and halts.
 *
 *     deno run guests/examples/tiny_ioctl.ts
 *     deno run --allow-ffi guests/examples/tiny_ioctl.ts kvm
 *
 * What is different from the C program: version 12 gives a slot its memory, where the KVM of today takes memory of the program.
 * @module
 */

import {
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_UNKNOWN,
  KVM_GET_API_VERSION,
  KVM_GET_SREGS,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_RUN,
  KVM_SET_MEMORY_REGION,
  KVM_SET_REGS,
  KVM_SET_SREGS,
  KvmMemoryRegion,
  KvmRegs,
  KvmRun,
  KvmSregs,
  openKvm,
  RawKvm,
} from "../../mod.ts";

// const uint8_t code[] = {
const code = Uint8Array.of(
  ...[0xba, 0xf8, 0x03], // mov $0x3f8, %dx
  ...[0x00, 0xd8], //       add %bl, %al
  ...[0x04, 0x30], //       add $'0', %al
  ...[0xee], //             out %al, (%dx)
  ...[0xb0, 0x0a], //       mov $'\n', %al
  ...[0xee], //             out %al, (%dx)
  ...[0xf4], //             hlt
);

/** `err(3)`. */
function err(what: string): never {
  console.error(`tiny_ioctl: ${what}`);
  Deno.exit(1);
}

/** What a call answers; a negative one is an error. */
function check(answer: number, what: string): number {
  return answer < 0 ? err(`${what}: errno ${-answer}`) : answer;
}

using raw = new RawKvm(() => openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" }));

// kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
const kvm = check(raw.open("/dev/kvm"), "/dev/kvm");

// Make sure we have the right version of the API.
const version = check(raw.ioctl(kvm, KVM_GET_API_VERSION, null), "KVM_GET_API_VERSION");
if (version !== 12) err(`KVM_GET_API_VERSION ${version}, expected 12`);

const vmfd = check(raw.ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");

// One page of guest memory at the second page frame (to avoid the real-mode IDT at 0), to hold the code.
const region = new KvmMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
check(raw.ioctl(vmfd, KVM_SET_MEMORY_REGION, region), "KVM_SET_MEMORY_REGION");
const mem = raw.mmap(vmfd, 0x1000, 0x1000);
if (typeof mem === "number") err(`mmap: errno ${-mem}`);
mem.set(code); // memcpy(mem, code, sizeof(code));

const vcpufd = check(raw.ioctl(vmfd, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");

// Map the shared kvm_run structure and following data.
const mmapSize = check(raw.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, null), "KVM_GET_VCPU_MMAP_SIZE");
if (mmapSize < new KvmRun().bytes.length) err("KVM_GET_VCPU_MMAP_SIZE unexpectedly small");
const shared = raw.mmap(vcpufd, 0, mmapSize);
if (typeof shared === "number") err(`mmap vcpu: errno ${-shared}`);
const run = new KvmRun(shared);

// Initialize CS to point at 0, via a read-modify-write of sregs.
const sregs = new KvmSregs();
check(raw.ioctl(vcpufd, KVM_GET_SREGS, sregs), "KVM_GET_SREGS");
sregs.cs.base = 0n;
sregs.cs.selector = 0;
check(raw.ioctl(vcpufd, KVM_SET_SREGS, sregs), "KVM_SET_SREGS");

// Instruction pointer for the code, initial addends, and flags required by the x86 architecture.
const regs = new KvmRegs({ rip: 0x1000, rax: 2, rbx: 2, rflags: 0x2 });
check(raw.ioctl(vcpufd, KVM_SET_REGS, regs), "KVM_SET_REGS");

// Repeatedly run code and handle VM exits.
for (;;) {
  check(raw.ioctl(vcpufd, KVM_RUN, null), "KVM_RUN");
  switch (run.exit_reason) {
    case KVM_EXIT_HLT:
      console.log("KVM_EXIT_HLT");
      Deno.exit(0);
      break;
    case KVM_EXIT_IO: {
      const { direction, size, port, count } = run.io;
      if (direction !== KVM_EXIT_IO_OUT || size !== 1 || port !== 0x3f8 || count !== 1) err("unhandled KVM_EXIT_IO");
      // putchar(*(((char *)run) + run->io.data_offset));
      Deno.stdout.writeSync(shared.subarray(Number(run.io.data_offset), Number(run.io.data_offset) + 1));
      break;
    }
    case KVM_EXIT_FAIL_ENTRY:
      err(
        `KVM_EXIT_FAIL_ENTRY: hardware_entry_failure_reason = 0x${
          run.fail_entry.hardware_entry_failure_reason.toString(16)
        }`,
      );
      break;
    case KVM_EXIT_UNKNOWN:
      err(`KVM_EXIT_UNKNOWN: hardware_exit_reason = 0x${run.hw.hardware_exit_reason.toString(16)}`);
      break;
    default:
      err(`exit_reason = 0x${run.exit_reason.toString(16)}`);
  }
}
