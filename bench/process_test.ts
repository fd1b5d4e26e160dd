import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ProcessCall, reasonOf, runGuest, runProgram } from "./process.ts";

const deno = Deno.execPath();
const missing = Deno.permissions.querySync({ name: "run", command: deno }).state === "granted"
  ? ""
  : " (lacks: --allow-run)";
const limits = { deadlineMs: 20_000, signal: new AbortController().signal };

function script(code: string): ProcessCall {
  return { program: deno, args: ["eval", "--no-config", code] };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${missing}`, ignore: missing !== "", fn });
}

test("runGuest() times the work of a process and takes its checksum", async () => {
  const wait = "await new Promise((resolve) => setTimeout(resolve, 100));";
  const result = await runGuest(script(`console.log("a start"); ${wait} console.log("a 0123abcd");`), "a", limits);
  if (!result.ok) throw new Error(result.reason);
  assertEquals(result.checksum, "0123abcd");
  assert(result.startMs > 0 && result.workMs > 50 && result.workMs < 5000, JSON.stringify(result));
});

test("runGuest() says why there is no result", async () => {
  const complaint = script(`console.log("a start"); console.error("it broke\\nhere"); Deno.exit(3);`);
  assertEquals(await runGuest(complaint, "a", limits), { ok: false, reason: "it broke" });
  const silent = await runGuest(script("Deno.exit(3)"), "a", limits);
  assertEquals(silent, { ok: false, reason: "it ended with code 3 and gave no checksum" });
  const nothing = await runGuest({ program: "./no-such-program", args: [] }, "a", limits);
  assert(!nothing.ok);
});

test("runGuest() kills what is late", async () => {
  const hang = script(`console.log("a start"); setInterval(() => {}, 1000);`);
  const result = await runGuest(hang, "a", { ...limits, deadlineMs: 500 });
  assertEquals(result, { ok: false, reason: "not ready after 0.5 s" });
});

test("runGuest() kills the process and throws when it is aborted", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("stopped")), 200);
  const hang = script("setInterval(() => {}, 1000);");
  await assertRejects(() => runGuest(hang, "a", { ...limits, signal: abort.signal }), Error, "stopped");
});

test("runProgram() gives output and success", async () => {
  assertEquals(await runProgram(script("console.log(1); console.error(2);"), limits), {
    success: true,
    stdout: "1\n",
    stderr: "2\n",
  });
});

Deno.test("reasonOf() takes the first line that says something, without colours", () => {
  assertEquals(reasonOf("\n \x1b[1m\x1b[31merror\x1b[0m: no\nmore"), "error: no");
  assertEquals(reasonOf("kvm12: the guest crashed\n  rax 1"), "the guest crashed");
  assertEquals(reasonOf(" \n"), undefined);
  assertEquals(reasonOf("x".repeat(500))!.length, 120);
});
