import { assertEquals, assertThrows } from "@std/assert";
import { DiskError } from "./disk_error.ts";
import { openDisk } from "./open_disk.ts";

/** Runs a test with a file of so many bytes, each of them the number of its sector. */
function withFile(length: number, test: (file: string, folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    const file = `${folder}/disk.img`;
    Deno.writeFileSync(file, Uint8Array.from({ length }, (_, i) => (i >> 9) + 1));
    test(file, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function refusal(file: string, options: { readonly?: boolean; snapshot?: boolean } = {}): string {
  const error = assertThrows(() => openDisk({ file, ...options }), DiskError);
  return error.message.replace(file, "disk.img");
}

Deno.test("openDisk() keeps what is written in the file", () => {
  withFile(2048, (file) => {
    {
      using disk = openDisk({ file });
      assertEquals([disk.size, disk.readonly], [2048, false]);
      disk.write(1023, Uint8Array.of(0x55, 0xaa));
      disk.flush();
    }
    using disk = openDisk({ file, readonly: true });
    const bytes = new Uint8Array(4);
    disk.read(1022, bytes);
    assertEquals([...bytes], [2, 0x55, 0xaa, 3]);
    assertThrows(() => disk.write(0, bytes), DiskError, "read-only");
    disk.flush();
  });
});

Deno.test("openDisk() forgets what is written where it is asked to", () => {
  withFile(1024, (file) => {
    {
      using disk = openDisk({ file, snapshot: true });
      disk.write(0, Uint8Array.of(0x55));
      const bytes = new Uint8Array(2);
      disk.read(0, bytes);
      assertEquals([...bytes], [0x55, 1]);
    }
    assertEquals(Deno.readFileSync(file)[0], 1);
  });
});

Deno.test("openDisk() rounds an image up to whole sectors, and never makes the file longer", () => {
  withFile(700, (file) => {
    using disk = openDisk({ file });
    assertEquals(disk.size, 1024);
    const bytes = new Uint8Array(512).fill(9);
    disk.read(512, bytes);
    assertEquals([bytes[187], bytes[188], bytes[511]], [2, 0, 0]);
    disk.read(900, bytes.subarray(0, 100).fill(9));
    assertEquals([bytes[0], bytes[99]], [0, 0]);
    assertThrows(() => disk.write(512, bytes), DiskError, "in the middle of a sector");
    disk.write(0, bytes);
    assertEquals(Deno.statSync(file).size, 700);
  });
});

Deno.test("openDisk() says in a line what is wrong with a file", () => {
  withFile(0, (file, folder) => {
    assertEquals(refusal(file), "Cannot open disk.img: it is empty");
    assertEquals(refusal(folder), "Cannot open disk.img: it is a directory");
    assertEquals(refusal(folder + "/none.img"), "Cannot open disk.img: there is no such file");
    assertEquals(refusal(folder + "/none.img", { readonly: true }), "Cannot open disk.img: there is no such file");
    assertEquals(refusal("/dev/null"), "Cannot open disk.img: it is no file");
  });
});

Deno.test("openDisk() says which permission it needs", { permissions: { read: true } }, () => {
  const file = new URL(import.meta.url).pathname;
  assertEquals(refusal(file), "Cannot open disk.img: this needs the permission --allow-write");
  using disk = openDisk({ file, snapshot: true });
  assertEquals(disk.size % 512, 0);
});

Deno.test("openDisk() refuses a file that another one may change", () => {
  withFile(512, (file) => {
    {
      using _first = openDisk({ file });
      assertEquals(refusal(file), "Cannot open disk.img: another machine is using it");
      assertEquals(
        refusal(file, { snapshot: true }),
        "Cannot open disk.img: another machine is using it and may change it",
      );
    }
    using _snapshot = openDisk({ file, snapshot: true });
    using _reader = openDisk({ file, readonly: true });
    assertEquals(refusal(file), "Cannot open disk.img: another machine is using it");
  });
});

Deno.test("RawDisk throws a DiskError where somebody has shortened the file", () => {
  withFile(1024, (file) => {
    using disk = openDisk({ file });
    Deno.truncateSync(file, 600);
    assertThrows(() => disk.read(512, new Uint8Array(512)), DiskError, "shorter");
    disk.read(0, new Uint8Array(512));
    disk[Symbol.dispose]();
    assertThrows(() => disk.read(0, new Uint8Array(512)), DiskError);
  });
});
