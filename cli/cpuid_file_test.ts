import { assertEquals, assertThrows } from "@std/assert";
import { parseCpuidJson } from "./cpuid_file.ts";

Deno.test("parseCpuidJson() takes numbers and texts", () => {
  assertEquals(
    parseCpuidJson('[{"function": "0x80000000", "eax": 1, "ebx": "2", "ecx": "0xFFFFFFFF", "edx": 0}]'),
    [{ function: 0x80000000, eax: 1, ebx: 2, ecx: 0xffffffff, edx: 0 }],
  );
  assertEquals(parseCpuidJson("[]"), []);
});

Deno.test("parseCpuidJson() says what is wrong", () => {
  const refuse = (text: string, message: string): unknown => assertThrows(() => parseCpuidJson(text), Error, message);
  refuse("", "it is not JSON");
  refuse("{}", "it is not a list");
  refuse("[1]", "entry 0 is not an object");
  refuse('[{"function": 0}]', "entry 0 has no 32-bit number 'eax'");
  refuse('[{"function": 0, "eax": -1, "ebx": 0, "ecx": 0, "edx": 0}]', "entry 0 has no 32-bit number 'eax'");
  refuse('[{"leaf": 0}]', "entry 0 has 'leaf'");
});
