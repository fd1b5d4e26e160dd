/**
 * A PC from power-up: the built-in firmware boots a disk, and Debian's SeaBIOS, where it is installed, comes to its end of the
 * search for one.
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Disk } from "../devices/disk/disk.ts";
import { boot, type BootedMachine } from "../machine/boot.ts";
import { firmwareBoard, startFirmware } from "../machine/firmware_start.ts";
import { pcMemory } from "../machine/memory_layout.ts";
import { romBoard } from "../machine/pc_config.ts";
import { loadRom, romRegion } from "../machine/rom.ts";
import { BACKENDS, testOnBackends } from "./cli_support.ts";

const MIB = 2 ** 20;
const SEABIOS = "/usr/share/seabios/bios-256k.bin", VIDEO_BIOS = "/usr/share/seabios/vgabios-stdvga.bin";

/** A disk that is gone afterwards. */
function memoryDisk(bytes: Uint8Array): Disk {
  return {
    size: bytes.length,
    readonly: false,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    write: (offset, from) => bytes.set(from, offset),
    flush: () => {},
    [Symbol.dispose]: () => {},
  };
}

testOnBackends("the built-in firmware boots a boot sector from a disk", async (backend) => {
  const bytes = new Uint8Array(MIB);
  bytes.set(Deno.readFileSync(new URL("../guests/hello.img", import.meta.url)));
  const regions = pcMemory(16 * MIB);
  await using vm = boot({
    backend,
    regions,
    board: firmwareBoard(regions, { drives: [{ kind: "disk", disk: memoryDisk(bytes) }] }),
    start: startFirmware,
  });
  await vm.serial.expect("Hello from a boot sector at 0:7C00.\n", { timeoutMs: 30_000 });
  assertEquals(await vm.exitCode(), 0);
});

function bootSeaBios(backend: "soft" | "kvm"): BootedMachine {
  const bios = Deno.readFileSync(SEABIOS);
  const regions = pcMemory(32 * MIB);
  return boot({
    backend,
    regions: [...regions, romRegion(bios)],
    board: romBoard(regions, Deno.readFileSync(VIDEO_BIOS)),
    start: (vm) => loadRom(vm, bios),
  });
}

/** Why SeaBIOS cannot be had. */
function missingSeaBios(): string | undefined {
  for (const path of [SEABIOS, VIDEO_BIOS]) {
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return "--allow-read";
    try {
      Deno.statSync(path);
    } catch {
      return "SeaBIOS, Debian's package seabios";
    }
  }
}

const lacksSeaBios = missingSeaBios();
for (const { name: backend, missing = lacksSeaBios } of BACKENDS) {
  Deno.test({
    name: `SeaBIOS finds memory and screen, and no disk [${backend}]${
      missing === undefined ? "" : ` (lacks: ${missing})`
    }`,
    ignore: missing !== undefined,
    async fn() {
      await using vm = bootSeaBios(backend);
      await vm.screen.expect("No bootable device.", { timeoutMs: 30_000 });
    },
  });
}
