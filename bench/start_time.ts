/**
 * How long a guest takes to its first byte of output, counted from the start of the process.
 * @module
 */
import { canRun, QEMU, QEMU_ARGUMENTS } from "./engines.ts";

const ROOT = new URL("..", import.meta.url);
const HELLO = decodeURIComponent(new URL("guests/hello.img", ROOT).pathname);
/** The first bytes of what the guest prints. */
const GREETING = "Hello";

/** A program that boots the guest. */
export interface Starter {
  /** Its name in the table. */
  readonly name: string;
  /** Milliseconds to the first byte of output. */
  run(): Promise<number>;
}

async function firstByte(program: string, args: readonly string[]): Promise<number> {
  const begin = performance.now();
  const child = new Deno.Command(program, { args: [...args], stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  let text = "", time = NaN;
  for await (const bytes of child.stdout) {
    text += new TextDecoder().decode(bytes);
    if (!text.includes(GREETING[0])) continue;
    time = performance.now() - begin;
    break;
  }
  try {
    child.kill();
  } catch {
    // it has ended by itself
  }
  await child.status;
  if (Number.isNaN(time)) throw new Error(`Cannot measure ${program}: it printed nothing`);
  return time;
}

/** What can be measured here. */
export function findStarters(): Starter[] {
  const starters: Starter[] = [];
  const deno = Deno.execPath(), cli = decodeURIComponent(new URL("cli.ts", ROOT).pathname);
  if (canRun(deno)) {
    const args = ["run", "--no-prompt", `--allow-read=${HELLO}`, cli, "run", HELLO];
    starters.push({ name: "soft", run: () => firstByte(deno, args) });
  }
  if (canRun(QEMU)) {
    const args = [...QEMU_ARGUMENTS, `format=raw,file=${HELLO},snapshot=on`];
    starters.push({ name: "qemu-tcg", run: () => firstByte(QEMU, args) });
  }
  return starters;
}
