/**
 * Published images that boot by the built-in firmware, unmodified: GRUB's rescue floppy and CD, the latter as a disk too, and memtest86+.
 * They are those of Debian's packages, installed or fetched by `get_loaders.sh`; `deno test … -- --loaders=DIRECTORY` names another place.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import type { FirmwareBootDevice } from "../../devices/firmware/firmware.ts";
import { bootFirmware } from "./firmware_machine.ts";
import { MemoryDisk } from "./memory_disk.ts";

const GRUB = "usr/lib/grub-rescue/grub-rescue-", MEMTEST = "usr/lib/memtest86+/memtest86+";

/** A file of a package; none: it is not here. */
function find(file: string): string | undefined {
  const told = Deno.args.find((each) => each.startsWith("--loaders="))?.slice("--loaders=".length);
  const places = told === undefined ? [new URL("loaders", import.meta.url).pathname, ""] : [told];
  return places.map((place) => `${place}/${file}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return false;
      throw error;
    }
  });
}

function testImage(name: string, file: string, body: (image: Uint8Array) => Promise<void>): void {
  const path = find(file);
  Deno.test({
    name: `${name}${path === undefined ? " (lacks: the image; tests/firmware/get_loaders.sh fetches it)" : ""}`,
    ignore: path === undefined,
    fn: async () => await body(await Deno.readFile(path!)),
  });
}

const GRUBS: readonly (readonly [file: string, kind: FirmwareBootDevice, name: string])[] = [
  ["floppy.img", "floppy", "fd0"],
  ["cdrom.iso", "cdrom", "cd"],
  ["cdrom.iso", "disk", "hd0"],
];

for (const [file, kind, name] of GRUBS) {
  testImage(`GRUB from its ${file} as ${kind} shows its menu, and takes commands`, GRUB + file, async (image) => {
    const disk = new MemoryDisk(image.length, image, kind === "cdrom");
    await using vm = bootFirmware({ drives: [{ kind, disk }] }, { clock: "real", timeoutMs: 60_000 });
    await vm.screen.expect("GNU GRUB");
    await vm.screen.expect("*GNU/Linux");
    vm.keyboard.type("c");
    await vm.screen.expect("grub>");
    vm.keyboard.type("ls\n");
    await vm.screen.expect(`(${name})`);
    await vm.screen.expect(/grub>$/);
    vm.keyboard.type("lsmmap\n");
    await vm.screen.expect("base_addr = 0x100000, length = 0xf00000, available RAM");
  });
}

testImage("GRUB draws in a mode of the VBE", `${GRUB}cdrom.iso`, async (image) => {
  const drives = [{ kind: "cdrom", disk: new MemoryDisk(image.length, image, true) }] as const;
  await using vm = bootFirmware({ drives }, { clock: "real", timeoutMs: 60_000 });
  await vm.screen.expect("*GNU/Linux");
  vm.keyboard.type("c");
  await vm.screen.expect("grub>");
  vm.keyboard.type("insmod vbe\n");
  await vm.screen.expect(/vbe\n.*grub>$/s);
  vm.keyboard.type("videotest\n");
  const red = (): boolean => {
    const frame = vm.screen.frame();
    return frame?.width === 640 && frame.height === 480 && frame.rgba[0] === 255 && frame.rgba[1] === 0;
  };
  for (let n = 0; n < 300 && !red(); n++) await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(red(), true);
});

// The last test, "bit fade", does nothing but wait for minutes.
for (const word of ["ia32", "x64"]) {
  testImage(`memtest86+ ${word} from its CD tests a small memory`, `${MEMTEST}${word}.iso`, async (image) => {
    const drives = [{ kind: "cdrom", disk: new MemoryDisk(image.length, image, true) }] as const;
    await using vm = bootFirmware({ drives }, { clock: "real", memoryMib: 5, timeoutMs: 60_000 });
    await vm.screen.expect("Memtest86+ v");
    await vm.screen.expect("Press <F1>");
    vm.keyboard.type("\n");
    await vm.screen.expect("Test #10 [Bit fade", { timeoutMs: 50_000 });
    assertMatch(vm.screen.text(), /Pass 9\d%[^]*Memory {2}: {4}5MB[^]*Errors: 0/);
  });
}
