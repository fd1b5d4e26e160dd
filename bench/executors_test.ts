import { assert, assertEquals } from "@std/assert";
import { BENCH_GUESTS } from "../guests/bench/list.ts";
import { EXECUTOR_NAMES, guestCall, nativeBuild } from "./executors.ts";
import type { ProcessCall } from "./process.ts";

const find = (name: string, bits: 32 | 64) => BENCH_GUESTS.find((each) => each.name === name && each.bits === bits)!;
const small = find("sieve", 32), large = find("mat387", 64);

function argsOf(call: ProcessCall | string): string {
  return typeof call === "string" ? call : call.args.join(" ");
}

Deno.test("guestCall() gives every executor the same image, memory and command line", () => {
  for (const name of EXECUTOR_NAMES) {
    if (name === "native") continue;
    const line = argsOf(guestCall(name, small, true));
    assert(line.includes("/guests/bench/sieve32.img"), line);
    assert(/quick/.test(line), line);
    assert(name === "v86" || /(-m 128|--memory 128M) /.test(line), line);
    assert(!/quick/.test(argsOf(guestCall(name, small, false))), line);
  }
});

Deno.test("guestCall() chooses the engine", () => {
  const line = (name: "soft" | "interpreter" | "translator" | "kvm") => argsOf(guestCall(name, large, false));
  assert(!/--engine|--backend|ffi/.test(line("soft")));
  assert(line("interpreter").includes("--engine interpreter"));
  assert(line("translator").includes("--engine translator"));
  assert(/--allow-ffi.*--backend kvm/.test(line("kvm")));
});

Deno.test("guestCall() has no v86 for 64-bit guests", () => {
  assertEquals(guestCall("v86", large, false), "it has no 64-bit mode");
});

Deno.test("nativeBuild() builds for the guest's size, and keeps what the guest wants of the x87", () => {
  const line = nativeBuild(find("mat387", 32), "out").join(" ");
  assert(/-mfpmath=sse .*-mfpmath=387/.test(line), line);
  assert(/-march=x86-64 .*-m32 -march=pentium4$/.test(line), line);
  assert(!nativeBuild(large, "out").includes("-m32"));
});
