/**
 * Running the program inside a test, and finding out which engines there are.
 * @module
 */

import { main } from "../cli/main.ts";
import { KvmError, openKvm } from "../mod.ts";

/** What the program did. */
export interface CliResult {
  /** Its exit code. */
  readonly code: number;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
}

/** An engine that tests run on. */
export interface TestBackend {
  /** Its name. */
  readonly name: "soft" | "kvm";
  /** Why it cannot be used here; none: it can. */
  readonly missing?: string;
}

/**
 * Runs the program in this process.
 * @param args Its arguments.
 * @param stdin What it can read.
 */
export async function cli(args: readonly string[], stdin: string = ""): Promise<CliResult> {
  const out: number[] = [], err: number[] = [];
  const code = await main(args, {
    stdout: { writeSync: (bytes) => out.push(...bytes) && bytes.length },
    stderr: { writeSync: (bytes) => err.push(...bytes) && bytes.length },
    stdin: ReadableStream.from(stdin === "" ? [] : [new TextEncoder().encode(stdin)]),
  });
  const text = (bytes: number[]): string => new TextDecoder().decode(Uint8Array.from(bytes));
  return { code, stdout: text(out), stderr: text(err) };
}

/** The engines, with the reason where one cannot be used. */
export const BACKENDS: readonly TestBackend[] = (["soft", "kvm"] as const).map((name) => {
  if (name === "kvm" && Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { name, missing: "--allow-ffi" };
  }
  try {
    using _kvm = openKvm({ backend: name });
    return { name };
  } catch (error) {
    if (error instanceof KvmError) return { name, missing: error.message };
    throw error;
  }
});

/**
 * Registers a test for each engine; where an engine is missing, its test is skipped and its name says why.
 * @param name The test's name.
 * @param body The test.
 */
export function testOnBackends(name: string, body: (backend: "soft" | "kvm") => void | Promise<void>): void {
  for (const { name: backend, missing } of BACKENDS) {
    Deno.test({
      name: `${name} [${backend}]${missing === undefined ? "" : ` (lacks: ${missing})`}`,
      ignore: missing !== undefined,
      fn: () => body(backend),
    });
  }
}

/**
 * Guest code: assembly text beside its bytes.
 * @param lines Pairs of one instruction and its bytes in hexadecimal.
 * @returns The bytes.
 */
export function code(lines: readonly (readonly [assembly: string, bytes: string])[]): Uint8Array {
  return Uint8Array.from(lines.flatMap(([, bytes]) => bytes.split(" ").map((pair) => parseInt(pair, 16))));
}

/** A boot sector with the given code. */
export function bootSector(bytes: Uint8Array): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(bytes);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** A folder for one test, gone afterwards. */
export class TestFolder implements Disposable {
  /** Its path. */
  readonly path: string = Deno.makeTempDirSync({ prefix: "kvm12_test_" });

  /** Writes a file and gives its path. */
  file(name: string, bytes: Uint8Array | string): string {
    const path = `${this.path}/${name}`;
    Deno.writeFileSync(path, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    return path;
  }

  /** Removes it. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
