/**
 * Guests that boot by the built-in firmware. Where NASM is installed, each image is compared with its source.
 * @module
 */

import { assertEquals, assertNotEquals } from "@std/assert";
import { testOnBackends } from "../cli_support.ts";
import { bootableCd } from "./bootable_cd.ts";
import { bootFirmware } from "./firmware_machine.ts";
import { MemoryDisk } from "./memory_disk.ts";

const FOLDER = new URL("./", import.meta.url);
const NAMES = ["tour", "keys", "screens"];
/** What a guest gives debug-exit. */
const SUCCESS = 1;
const DISK = 8 * 1024 * 1024, FLOPPY = 1440 * 1024;

function path(file: string): string {
  return decodeURIComponent(new URL(file, FOLDER).pathname);
}

async function image(name: string): Promise<Uint8Array> {
  return await Deno.readFile(path(`${name}.bin`));
}

testOnBackends(
  "firmware: a disk boots, reads both ways, writes, finds memory, and waits for keys and time",
  async (backend) => {
    const disk = new MemoryDisk(DISK, await image("tour"));
    await using vm = bootFirmware({ drives: [{ kind: "disk", disk }] }, { backend });
    await vm.serial.expect("booted from 80\r\nread by CHS\r\nread by LBA\r\n0F3F 0F01\r\n027F\r\n");
    await vm.serial.expect(/^0{16} 0{11}9FC00 1\r\n.*0000000000100000 0000000000F00000 1\r\n.*press a key\r\n/s);
    vm.keyboard.type("a");
    await vm.serial.expect(/^1E61\r\n000[1-3]\r\n/);
    assertEquals(await vm.exitCode(), SUCCESS);
    assertEquals(new TextDecoder().decode(disk.bytes.subarray(11 * 512, 11 * 512 + 20)), "written by the guest");
    assertEquals(vm.screen.text().replaceAll("\n", "\r\n").trimEnd(), vm.serial.text.trimEnd());
  },
);

testOnBackends("firmware: the same from a floppy", async (backend) => {
  const disk = new MemoryDisk(FLOPPY, await image("tour"));
  await using vm = bootFirmware({ drives: [{ kind: "floppy", disk }] }, { backend });
  // The extensions are for hard disks.
  await vm.serial.expect("booted from 00\r\nread by CHS\r\nfailed\r\n");
  assertEquals(await vm.exitCode(), SUCCESS);
});

testOnBackends("firmware: keys, hooks, mouse, and Ctrl-Alt-Del", async (backend) => {
  const disk = new MemoryDisk(FLOPPY, await image("keys"));
  await using vm = bootFirmware({ drives: [{ kind: "floppy", disk }] }, { backend, reboot: true });
  await vm.serial.expect("ready\r\n");
  vm.keyboard.type("aB");
  await vm.serial.expect("1E61\r\n3042\r\n");
  vm.keyboard.press("KeyY");
  await vm.serial.expect("2C7A\r\n");
  vm.keyboard.press("ControlLeft", "ScrollLock");
  await vm.serial.expect("break\r\n0000\r\n");
  vm.keyboard.press("ArrowUp");
  await vm.serial.expect("48E0\r\n");
  vm.keyboard.press("Escape");
  await vm.serial.expect("011B\r\n");
  await vm.serial.expect("mouse\r\n");
  vm.machine.pc.keyboard.mouse.move(5, 3);
  vm.machine.pc.wake();
  await vm.serial.expect("0028000500FD\r\n");
  vm.keyboard.press("ControlLeft", "AltLeft", "Delete");
  await vm.serial.expect("ready\r\n");
});

testOnBackends("firmware: a CD boots without emulation, and draws in all kinds of modes", async (backend) => {
  const disk = bootableCd({ image: await image("screens") });
  await using vm = bootFirmware({ drives: [{ kind: "cdrom", disk }] }, { backend });
  const pixel = (x: number, y: number): readonly number[] => {
    const frame = vm.screen.frame();
    const at = 4 * (y * (frame?.width ?? 0) + x);
    return [...frame?.rgba.subarray(at, at + 3) ?? []];
  };
  const size = (): readonly unknown[] => [vm.screen.frame()?.width, vm.screen.frame()?.height];
  await vm.serial.expect("1");
  assertEquals(size(), [320, 200]);
  assertEquals([pixel(1, 0), pixel(15, 0), pixel(257, 0)], [[0, 0, 170], [255, 255, 255], [0, 0, 170]]);
  vm.keyboard.type(" ");
  await vm.serial.expect("2");
  assertEquals(size(), [640, 480]);
  assertEquals([pixel(100, 100), pixel(479, 479), pixel(101, 100)], [[255, 255, 255], [255, 255, 255], [0, 0, 0]]);
  const letter = Array.from({ length: 16 * 8 }, (_, n) => pixel(n % 8, n >> 3));
  assertNotEquals(letter.find(([red, green]) => red === 170 && green === 0), undefined);
  vm.keyboard.type(" ");
  await vm.serial.expect("3");
  const orange = [255, 128, 0];
  assertEquals([...size(), pixel(0, 0), pixel(639, 19), pixel(0, 20)], [640, 480, orange, orange, [0, 0, 0]]);
  vm.keyboard.type(" ");
  await vm.screen.expect("text again");
  await vm.serial.expect("4");
  vm.keyboard.type(" ");
  assertEquals(await vm.exitCode(), SUCCESS);
});

Deno.test("firmware: the boot order is kept, and what cannot be booted from is left out", async () => {
  const tour = await image("tour");
  const disk = new MemoryDisk(DISK, tour), floppy = new MemoryDisk(FLOPPY, tour), blank = new MemoryDisk(FLOPPY);
  const drives = [{ kind: "floppy", disk: floppy }, { kind: "disk", disk }] as const;
  for (
    const [boot, from] of [[["disk", "floppy"], "80"], [["floppy", "disk"], "00"], [["cdrom", "disk"], "80"]] as const
  ) {
    await using vm = bootFirmware({ drives, boot });
    await vm.serial.expect(`booted from ${from}`);
  }
  await using vm = bootFirmware({ drives: [{ kind: "floppy", disk: blank }, { kind: "disk", disk }] });
  await vm.serial.expect("booted from 80");
});

Deno.test("firmware: without anything to boot from it says so", async () => {
  await using vm = bootFirmware({ drives: [{ kind: "floppy", disk: undefined }] });
  await vm.serial.expect("No bootable device\r\n");
  await vm.screen.expect("No bootable device");
});

/** Assembles a source; its include is beside it. */
async function assemble(name: string): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    const args = ["-f", "bin", "-w+error", "-i", path(""), "-o", `${folder}/image`, path(`${name}.asm`)];
    const { success, stderr } = await new Deno.Command("nasm", { args, stderr: "piped" }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return await Deno.readFile(`${folder}/image`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is missing to assemble the sources here. */
async function missingForNasm(): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command: "nasm" }).state !== "granted") return "--allow-run";
  try {
    await new Deno.Command("nasm", { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return undefined;
  } catch {
    return "NASM";
  }
}

const missing = await missingForNasm();

for (const name of NAMES) {
  Deno.test({
    name: `firmware/${name}.bin is what its source says${missing === undefined ? "" : ` (lacks: ${missing})`}`,
    ignore: missing !== undefined,
    fn: async () => assertEquals(await assemble(name), await image(name)),
  });
}
