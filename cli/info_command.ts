/**
 * `kvm12 info`.
 * @module
 */

import { type Kvm, KVM_EXIT_HLT, KvmError, type Vcpu } from "../mod.ts";
import { CliError, EXIT } from "./errors.ts";
import { digits } from "./format.ts";
import { type CliHost, print } from "./host.ts";
import { open } from "./machine.ts";
import type { BackendChoice, CpuidLeaf } from "./options.ts";

const BACKENDS = ["soft", "kvm"] as const;
/** More leaves than this in one half are not shown. */
const MOST_LEAVES = 0x40;
/** As many extension numbers as are tried. */
const EXTENSIONS = 32;
const PER_LINE = 8;
/** cpuid; hlt */
const CPUID_CODE = Uint8Array.of(0x0f, 0xa2, 0xf4);

/**
 * Shows what there is.
 * @param command Which engine to ask.
 * @param host The streams.
 * @returns The exit code.
 * @throws CliError There is no such engine here.
 */
export function infoCommand(command: { readonly backend: BackendChoice }, host: CliHost): number {
  using kvm = open(command.backend, (line) => print(host.stderr, `kvm12: ${line}\n`));
  const extensions = Array.from({ length: EXTENSIONS }, (_, n) => n).filter((n) => kvm.checkExtension(n) !== 0);
  const msrs = kvm.getMsrIndexList().indices.toSorted((a, b) => a - b).map((index) => digits(index, 8));
  const lines = [
    `API version: ${kvm.getApiVersion()}`,
    ...BACKENDS.map((name) => `backend ${name}: ${availability(name, kvm)}`),
    `the following is from: ${kvm.backend}`,
    `kvm_run: ${kvm.getVcpuMmapSize()} bytes`,
    `extensions: ${extensions.length === 0 ? "none; version 12 defines none" : extensions.join(", ")}`,
    `MSRs: ${msrs.length}`,
    ...Array.from({ length: Math.ceil(msrs.length / PER_LINE) }, (_, row) => {
      return `  ${msrs.slice(row * PER_LINE, row * PER_LINE + PER_LINE).join(" ")}`;
    }),
    "CPUID, as a guest sees it without --cpuid, less the leaves that are all zero:",
    ...cpuidLeaves(kvm).filter(({ eax, ebx, ecx, edx }) => (eax | ebx | ecx | edx) !== 0).map((leaf) => {
      const values = (["eax", "ebx", "ecx", "edx"] as const).map((name) => `${name} ${digits(leaf[name], 8)}`);
      return `  ${digits(leaf.function, 8)}: ${values.join("  ")}`;
    }),
  ];
  print(host.stdout, lines.join("\n") + "\n");
  return EXIT.OK;
}

/** Whether an engine can be had, and if not, why. */
function availability(name: typeof BACKENDS[number], asked: Kvm): string {
  if (asked.backend === name) return "available";
  try {
    using _other = open(name, () => {});
    return "available";
  } catch (error) {
    if (error instanceof CliError) return `not available: ${error.message}`;
    throw error;
  }
}

/** Lets a guest execute CPUID for each leaf of both halves. */
function cpuidLeaves(kvm: Kvm): CpuidLeaf[] {
  try {
    using vm = kvm.createVm();
    vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x1000 });
    vm.write(0, CPUID_CODE);
    using vcpu = vm.createVcpu(0);
    return [0, 0x80000000].flatMap((first) => {
      const leaf = cpuidLeaf(vcpu, first);
      const count = leaf.eax - first + 1;
      if (count < 1 || count > MOST_LEAVES) return [leaf];
      return [leaf, ...Array.from({ length: count - 1 }, (_, n) => cpuidLeaf(vcpu, first + 1 + n))];
    });
  } catch (error) {
    if (error instanceof KvmError) throw new CliError(EXIT.ENGINE, `${error.message} (${error.code})`);
    throw error;
  }
}

function cpuidLeaf(vcpu: Vcpu, leaf: number): CpuidLeaf {
  const sregs = vcpu.getSregs(), regs = vcpu.getRegs();
  sregs.cs.base = 0n;
  sregs.cs.selector = 0;
  vcpu.setSregs(sregs);
  regs.bytes.fill(0);
  regs.rax = BigInt(leaf);
  regs.rflags = 2n;
  vcpu.setRegs(regs);
  const { reason } = vcpu.run();
  if (reason !== KVM_EXIT_HLT) throw new KvmError("EIO", "ask a guest for CPUID", `it stopped with exit ${reason}`);
  const { rax_lo, rbx_lo, rcx_lo, rdx_lo } = vcpu.getRegs();
  return { function: leaf, eax: rax_lo, ebx: rbx_lo, ecx: rcx_lo, edx: rdx_lo };
}
