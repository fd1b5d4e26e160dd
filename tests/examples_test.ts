/**
 * The programs in `guests/examples/`, each run as a user would run it.
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { testOnBackends } from "./cli_support.ts";

const FOLDER = new URL("../guests/examples/", import.meta.url);

/** What each prints: the whole of it, or a pattern of the whole. */
const OUTPUT: Readonly<Record<string, string | RegExp>> = {
  "tiny_ioctl.ts": "4\nKVM_EXIT_HLT\n",
  "tiny_objects.ts": "4\nKVM_EXIT_HLT\n",
  "long_mode.ts": "0xfedcba9876543210 * 0x123456789abcdef0 = 0x121fa00ad77d7422236d88fe5618cf00\n",
  "mmio_device.ts": '"the guest talks to a device that is made of nothing but this program"\n' +
    "has 14 words, says the device after 69 exits\n",
  "dirty_viewer.ts": `\
###.............................................................
...####.........................................................
.......#####....................................................
............######..............................................
..................#######.......................................
.........................########...............................
.................................#########......................
..........................................##########............
....................................................###########.
###########....................................................#
`,
  "cpuid_spoof.ts": "vendor: TypeScriptPC\nbrand:  Paper and Pencil(R) CPU @ 0.001 Hz\n",
  "two_vms.ts": /^([ab][1-8] ){16}\ninterleaved: yes; the timer ticked meanwhile: yes\n$/,
};

const canRun = Deno.permissions.querySync({ name: "run", command: Deno.execPath() }).state === "granted";

/** Runs an example with no permission but what its first lines say. */
async function run(name: string, backend: "soft" | "kvm"): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = backend === "kvm" ? ["--allow-ffi", new URL(name, FOLDER).href, "kvm"] : [new URL(name, FOLDER).href];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

if (canRun) {
  for (const [name, output] of Object.entries(OUTPUT)) {
    testOnBackends(`guests/examples/${name} does what it says`, async (backend) => {
      const { code, stdout, stderr } = await run(name, backend);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      if (typeof output === "string") assertEquals(stdout, output);
      else assertMatch(stdout, output);
    });
  }
} else {
  Deno.test({ name: "guests/examples do what they say (lacks: --allow-run)", ignore: true, fn() {} });
}

Deno.test("guests/examples has no program that is not run here, but for tests", () => {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => !name.endsWith("_test.ts"));
  assertEquals(names.sort(), Object.keys(OUTPUT).sort());
});
