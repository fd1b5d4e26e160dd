import { assertEquals } from "@std/assert";
import { DenoFiles } from "./deno_files.ts";
import { ERRNO } from "./errno.ts";
import type { HostAccess, HostFile, HostPath } from "./host_files.ts";
import { Client, u32 } from "./ninep_client_test.ts";
import { NinepServer } from "./ninep_server.ts";
import { HOST_OPEN, HOST_OPEN_MOST } from "./open_files.ts";
import { OPEN, REQUEST, SET } from "./protocol.ts";

/** Counts what is open. */
class CountingFiles extends DenoFiles {
  count = 0;
  most = 0;

  override open(path: HostPath, access: HostAccess): HostFile {
    return this.#count(super.open(path, access));
  }

  override create(path: HostPath, mode: number, access: HostAccess): HostFile {
    return this.#count(super.create(path, mode, access));
  }

  #count(file: HostFile): HostFile {
    this.most = Math.max(this.most, ++this.count);
    const close = file.close.bind(file);
    file.close = () => {
      this.count--;
      close();
    };
    return file;
  }
}

function test(name: string, fn: (client: Client, files: CountingFiles, folder: string) => void): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    fn: () => {
      const folder = Deno.makeTempDirSync(), files = new CountingFiles(folder), server = new NinepServer({ files });
      try {
        fn(new Client(server), files, folder);
      } finally {
        server.reset();
        assertEquals(files.count, 0);
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

/** Makes and opens files: fid n is file n. */
function open(client: Client, count: number, mode = 0o644): void {
  for (let fid = 1; fid <= count; fid++) {
    client.walk(0, fid);
    assertEquals(client.create(fid, `file ${fid}`, OPEN.READ_WRITE, mode), 0);
    client.write(fid, `this is ${fid}`);
  }
}

test("OpenFiles has fewer open on the host than the client has", (client, files) => {
  open(client, 1000);
  for (let fid = 1; fid <= 1000; fid += 7) {
    assertEquals(client.read(fid), `this is ${fid}`);
    assertEquals(client.write(fid, "THIS"), 4);
    assertEquals(client.read(fid), `THIS is ${fid}`);
  }
  assertEquals([files.most <= HOST_OPEN, files.count], [true, HOST_OPEN]);
});

test("OpenFiles keeps a file that loses its name or permissions", (client, files, folder) => {
  open(client, 600);
  assertEquals(client.do(REQUEST.UNLINKAT, u32(0), "file 1", u32(0)), 0);
  assertEquals(client.do(REQUEST.RENAMEAT, u32(0), "file 3", u32(0), "file 2"), 0);
  assertEquals(client.set(4, SET.MODE, { mode: 0 }), 0);
  client.walk(0, 1000, "file 5");
  assertEquals(client.do(REQUEST.REMOVE, u32(1000)), 0);
  for (let fid = 6; fid <= 600; fid++) client.read(fid);
  assertEquals([1, 2, 3, 4, 5].map((fid) => client.read(fid)), [1, 2, 3, 4, 5].map((fid) => `this is ${fid}`));
  assertEquals(files.most <= HOST_OPEN + 5, true, `${files.most}`);
  Deno.removeSync(`${folder}/file 6`);
  Deno.writeTextFileSync(`${folder}/file 7`, "another");
  Deno.renameSync(`${folder}/file 8`, `${folder}/file 9`);
  for (let fid = 100; fid <= 600; fid++) client.read(fid);
  assertEquals([6, 7, 8, 9].map((fid) => client.read(fid)), [ERRNO.ENOENT, "another", ERRNO.ENOENT, ERRNO.ESTALE]);
});

test("OpenFiles refuses more where none can be closed", (client) => {
  open(client, HOST_OPEN_MOST, 0o400);
  client.walk(0, 5000);
  assertEquals(client.create(5000, "one more"), ERRNO.EMFILE);
  client.clunk(1);
  assertEquals(client.create(5000, "one more"), 0);
});
