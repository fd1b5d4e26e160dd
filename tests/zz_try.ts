import { NativeCpu } from "/work/main/tests/host/native_cpu.ts";
import { SoftCpu } from "/work/main/tests/differential/soft_cpu.ts";
import { compareX87, X87_TABLE } from "/work/main/tests/differential/x87.ts";
const [pat, enc="2", st="12", eng="interpreter", seed="1"] = Deno.args;
using native = NativeCpu.open();
using soft = new SoftCpu(eng as any);
const re = new RegExp(pat ?? ".");
for (const form of X87_TABLE.forms) {
  if (!re.test(form.mnemonic+" "+form.text)) continue;
  try {
    const t=performance.now();
    const r = compareX87(native, soft, [form], { seed: +seed, encodings: +enc, states: +st });
    if (r.failed) console.log("FAIL", r.failed, "/", r.cases, r.examples.slice(0, Deno.args.length>5? 5:1).join("\n"));
    else console.log("ok", form.mnemonic, form.text, r.cases, (performance.now()-t).toFixed(0)+"ms");
  } catch (e) { console.log("EXC", form.mnemonic, form.text, e); }
}
