/**
 * Debian's SeaBIOS with its VGA BIOS, both unchanged, boots a disk.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { Disk } from "../../devices/disk/disk.ts";
import { MemoryDisk } from "../../devices/disk/memory_disk.ts";
import { boot, type BootedMachine } from "../../machine/boot.ts";
import { pcMemory } from "../../machine/memory_layout.ts";
import { romBoard } from "../../machine/pc_config.ts";
import { loadRom, romRegion } from "../../machine/rom.ts";
import { BACKENDS } from "../cli_support.ts";

const MIB = 2 ** 20;
const SECTOR = 512;
const SEABIOS = "/usr/share/seabios/bios-256k.bin", VIDEO_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";
/** SeaBIOS writes its log here, if something reads as 0xe9. */
const LOG_PORT = 0x402, LOG_PRESENT = 0xe9;
const PATIENCE = { timeoutMs: 60_000 };

const LOADER = new URL("loader.bin", import.meta.url), SOURCE = new URL("loader.asm", import.meta.url);

/** Why the tests cannot be. */
function findMissing(): string | undefined {
  for (const path of [SEABIOS, VIDEO_BIOS]) {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "--allow-read";
    try {
      Deno.statSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return "SeaBIOS, Debian's package seabios";
    }
  }
}

/** Starts SeaBIOS with a disk on virtio. */
function start(backend: "soft" | "kvm", disk: Disk, processors = 1): { vm: BootedMachine; log: () => string } {
  const bios = Deno.readFileSync(SEABIOS);
  const regions = pcMemory(32 * MIB);
  let log = "", attached = false;
  const vm = boot({
    backend,
    clock: backend === "kvm" ? "real" : "virtual",
    regions: [...regions, romRegion(bios)],
    processors,
    board: { ...romBoard(regions, Deno.readFileSync(VIDEO_BIOS), processors), virtioDisks: [disk] },
    reboot: true,
    start(vm, _vcpu, pc) {
      loadRom(vm, bios);
      if (attached) return;
      attached = true;
      pc.ports.attach({ name: "SeaBIOS log", base: LOG_PORT, length: 1 }, {
        width: 1,
        read: () => LOG_PRESENT,
        write: (_, value) => log += String.fromCharCode(value),
      });
    },
  });
  return { vm, log: () => log };
}

const lacks = findMissing();
for (const { name: backend, missing = lacks } of BACKENDS) {
  Deno.test({
    name: `SeaBIOS boots a disk on virtio, which reads, writes, resets and turns off [${backend}]${
      missing === undefined ? "" : ` (lacks: ${missing})`
    }`,
    ignore: missing !== undefined,
    async fn() {
      const bytes = new Uint8Array(2 * MIB);
      bytes.set(Deno.readFileSync(LOADER));
      const { vm: machine, log } = start(backend, new MemoryDisk(bytes));
      await using vm = machine;
      assertEquals(await vm.exitCode(PATIENCE), 0, vm.screen.text());
      assertMatch(
        vm.screen.text(),
        /SeaBIOS \(version .*\)[^]*Booting from Hard Disk\.\.\.\nLoader\nSecond sector\nOff/,
      );
      assertEquals(bytes.subarray(5 * SECTOR, 6 * SECTOR), bytes.subarray(SECTOR, 2 * SECTOR));
      assertEquals(bytes[6 * SECTOR], 1);
      const said = log();
      assertEquals(said.match(/^Running on QEMU \(i440fx\)$/mg)?.length, 2, said);
      assertMatch(said, /QEMU fw_cfg DMA interface supported/);
      assertMatch(said, /using modern \(1\.0\) virtio mode/);
      assertMatch(said, /Using pmtimer, ioport 0x608/);
      assertMatch(said, /PCI: map device bdf=00:02\.0 +bar 0, addr [0-9a-f]+, size 01000000 \[prefmem\]/);
      assertMatch(said, /VBE DISPI: lfb_addr=[0-9a-f]+, size 16 MB/);
      assertMatch(said, /table\(50434146\)=0x[0-9a-f]+ \(via xsdt\)/, "the FADT is found");
    },
  });
}

Deno.test({
  name: `SeaBIOS finds eight processors, before and after a reset${lacks === undefined ? "" : ` (lacks: ${lacks})`}`,
  ignore: lacks !== undefined,
  async fn() {
    const bytes = new Uint8Array(2 * MIB);
    bytes.set(Deno.readFileSync(LOADER));
    const { vm: machine, log } = start("soft", new MemoryDisk(bytes), 8);
    await using vm = machine;
    assertEquals(await vm.exitCode(PATIENCE), 0, vm.screen.text());
    assertEquals(log().match(/^Found 8 cpu\(s\) max supported 8 cpu\(s\)$/mg)?.length, 2, log());
  },
});

/** Why nothing can be assembled. */
function findMissingNasm(): string | undefined {
  if (Deno.permissions.querySync({ name: "run", command: "nasm" }).state !== "granted") return "--allow-run";
  try {
    new Deno.Command("nasm", { args: ["-v"], stdout: "null" }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "NASM";
  }
}

const lacksNasm = findMissingNasm();
Deno.test({
  name: `loader.bin is what NASM makes of loader.asm${lacksNasm === undefined ? "" : ` (lacks: ${lacksNasm})`}`,
  ignore: lacksNasm !== undefined,
  fn() {
    const path = Deno.makeTempFileSync();
    try {
      const { success } = new Deno.Command("nasm", { args: ["-f", "bin", "-o", path, SOURCE.pathname] }).outputSync();
      assertEquals([success, Deno.readFileSync(path)], [true, Deno.readFileSync(LOADER)]);
    } finally {
      Deno.removeSync(path);
    }
  },
});
