/**
 * Golden files: text that a test makes, compared with the text that is committed. With `--accept` behind the arguments of
 * `deno test` (`deno task test core/wasm -- --accept`) the files are written instead.
 * @module
 */
import { assertEquals } from "@std/assert";

/** Whether golden files are to be written. */
export const ACCEPT: boolean = Deno.args.includes("--accept");

/**
 * Compares `text` with the golden file, or writes it.
 * @param file The file, as `new URL("testdata/x.wat", import.meta.url)`.
 */
export function assertGolden(file: URL, text: string): void {
  if (ACCEPT) {
    Deno.mkdirSync(new URL(".", file), { recursive: true });
    Deno.writeTextFileSync(file, text);
    return;
  }
  let golden: string;
  try {
    golden = Deno.readTextFileSync(file);
  } catch (e) {
    if (!(e instanceof Deno.errors.NotFound)) throw e;
    throw new Error(`Cannot compare with ${file.pathname}: it does not exist; run the test with -- --accept`);
  }
  assertEquals(text, golden, `${file.pathname} differs; if it should, run the test with -- --accept`);
}
