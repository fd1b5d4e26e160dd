import { assert, assertEquals } from "@std/assert";
import { disassemble } from "./disassemble.ts";
import { type Form, InsnTable, VEX_MAP } from "./insn.ts";
import { INSTRUCTIONS } from "./table/instructions.ts";

type Code = 16 | 32 | 64;
const CODES: readonly Code[] = [16, 32, 64];

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (b) => parseInt(b, 16));
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(" ");
}

// deno-fmt-ignore
const CASES: readonly (readonly [code: Code, hex: string, text: string])[] = [
  [16, "8b 87 34 12", "mov ax, [bx+0x1234]"], [16, "8b 42 f0", "mov ax, [bp+si-0x10]"], [16, "a1 34 12", "mov ax, [0x1234]"],
  [16, "66 67 8b 44 88 04", "mov eax, [eax+ecx*4+0x4]"], [16, "67 8b 05 78 56 34 12", "mov ax, [dword 0x12345678]"],
  [16, "26 c7 06 34 12 78 56", "mov word [es:0x1234], 0x5678"], [16, "ea 00 7c c0 07", "jmp 0x7c0:0x7c00"],
  [16, "eb fe", "jmp short 0x0"], [16, "75 fd", "jne 0xffff"], [16, "66 e8 00 00 00 80", "call dword 0x80000006"],
  [16, "ff 1e 34 12", "call far [0x1234]"], [16, "66 c3", "retd"], [16, "66 70 fd", "o32 jo short 0x0"], [32, "66 0f 84 fb ff", "je near word 0x0"], [16, "cf", "iret"], [16, "f3 a5", "rep movsw"],
  [32, "83 c0 fe", "add eax, -0x2"], [32, "66 81 c1 fe ff", "add cx, 0xfffe"], [32, "f0 0f b1 0b", "lock cmpxchg [ebx], ecx"],
  [32, "8b 04 25 00 00 00 80", "mov eax, [0x80000000]"], [32, "65 67 a1 34 12", "mov eax, [gs:word 0x1234]"],
  [32, "0f b6 00", "movzx eax, byte [eax]"], [32, "d3 20", "shl dword [eax], cl"], [32, "6a 80", "push -0x80"],
  [32, "66 68 34 12", "push word 0x1234"], [32, "67 e3 00", "jcxz 0x3"], [32, "f3 67 64 ac", "fs rep a16 lodsb"],
  [32, "c8 10 00 01", "enter 0x10, 0x1"], [32, "0f 20 c0", "mov eax, cr0"], [32, "8c c8", "mov eax, cs"], [32, "98", "cwde"],
  [64, "48 8b 05 00 10 00 00", "mov rax, [rel 0x1007]"], [64, "67 8b 05 00 00 00 00", "mov eax, [dword rel 0x7]"],
  [64, "43 8b 04 a1", "mov eax, [r9+r12*4]"], [64, "8b 04 25 00 00 00 80", "mov eax, [0xffffffff80000000]"],
  [64, "40 88 e0", "mov al, spl"], [64, "88 e0", "mov al, ah"], [64, "41 b7 01", "mov r15b, 0x1"], [64, "48 99", "cqo"],
  [64, "48 b8 88 77 66 55 44 33 22 11", "mov rax, 0x1122334455667788"], [64, "48 c7 c0 ff ff ff ff", "mov rax, 0xffffffffffffffff"],
  [64, "48 a1 88 77 66 55 44 33 22 11", "mov rax, [qword 0x1122334455667788]"], [64, "41 ff 33", "push qword [r11]"],
  [64, "e8 fb ff ff ff", "call 0x0"], [64, "e8 fa ff ff ff", "call 0xffffffffffffffff"], [64, "48 cf", "iretq"],
  [64, "90", "nop"], [64, "48 90", "xchg rax, rax"], [64, "41 90", "xchg r8d, eax"], [64, "f3 90", "pause"],
  [64, "63 c1", "movsxd eax, ecx"], [64, "48 0f c7 0f", "cmpxchg16b oword [rdi]"], [64, "8b 04 23", "mov eax, [rbx]"],
  [64, "8b 04 05 00 00 00 00", "mov eax, [nosplit rax*1]"], [64, "8b 04 0c", "mov eax, [rsp+rcx]"],
  [64, "c4 e2 78 f2 c1", "andn eax, eax, ecx"], [64, "c4 e3 fb f0 c1 05", "rorx rax, rcx, 0x5"],
  [32, "d8 c1", "fadd st1"], [32, "dc c1", "fadd to st1"], [32, "db 28", "fld tword [eax]"], [32, "df e0", "fnstsw ax"],
  [64, "66 0f 6f 0a", "movdqa xmm1, [rdx]"], [64, "f2 48 0f 2a 00", "cvtsi2sd xmm0, qword [rax]"], [64, "f3 0f 10 45 fc", "movss xmm0, [rbp-0x4]"],
  [64, "66 48 0f 6e c0", "movq xmm0, rax"], [32, "0f 6f ca", "movq mm1, mm2"], [64, "66 45 0f 3a 0f c1 08", "palignr xmm8, xmm9, 0x8"],
  [64, "06", "(bad)"], [64, "0f 0b", "ud2"], [32, "0f 04", "(bad)"], [64, "48", "(bad)"], [32, "f0 90", "(bad)"],
  [64, "26 26 26 26 26 26 26 26 26 26 26 26 26 26 26 90", "(bad)"],
];

Deno.test("disassemble() writes each kind of operand as NASM does", () => {
  for (const [code, hex, text] of CASES) {
    const bytes = bytesOf(hex);
    const length = text === "(bad)" ? 1 : bytes.length;
    assertEquals(disassemble(bytes, { code }), { text, length }, `${code} bits, ${hex}`);
  }
  assertEquals(disassemble(new Uint8Array(0), { code: 64 }), { text: "(bad)", length: 0 });
});

Deno.test("disassemble() counts targets from the address given", () => {
  const at = (code: Code, hex: string, address: number | bigint) => disassemble(bytesOf(hex), { code, address }).text;
  assertEquals(at(16, "eb 10", 0xfff0), "jmp short 0x2");
  assertEquals(at(32, "e8 00 00 00 00", 0xffff_fffe), "call 0x3");
  assertEquals(at(64, "e8 00 00 00 00", 0xffff_8000_0000_0000n), "call 0xffff800000000005");
  assertEquals(at(64, "8d 05 f9 ff ff ff", 0x40_0000), "lea eax, [rel 0x3fffff]");
});

Deno.test("disassemble() knows only the table that it is given", () => {
  const table = new InsnTable(INSTRUCTIONS.forms.map((f) => f.row).filter((r) => r.mnemonic === "NOT"));
  assertEquals(disassemble(bytesOf("f7 d0"), { code: 32, table }).text, "not eax");
  assertEquals(disassemble(bytesOf("f7 d8"), { code: 32, table }).text, "(bad)");
});

const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
/** ModRM bytes, reg field 0, with what follows: registers, and memory in several ways. */
const MODRM16 = ["c0", "c7", "00", "06 34 12", "42 f0", "87 34 12"];
const MODRM32 = ["c0", "c7", "01", "05 78 56 34 12", "44 8b 08", "86 78 56 34 92", "04 25 78 56 34 12"];
const IMMEDIATE = [0x12, 0x83, 0x45, 0x06, 0x07, 0x08, 0x09, 0x0a];

/** Encodings of a form: prefixes that change something, operands of each kind. */
function* encodings(form: Form, code: Code): Generator<Uint8Array> {
  const { attributes } = form.row;
  if (attributes.long === (code === 64 ? "invalid" : "only")) return;
  const vex = form.map >= VEX_MAP, address = attributes.address || attributes.string !== undefined;
  const sizes: number[][] = [form.rexW === 1 ? [0x48] : []];
  if (!vex && form.prefix !== 0x66 && form.prefix !== 0) sizes.push([0x66]);
  const sized = !form.modrm || form.operands.some((o) => /^[vzyps]$/.test(o.size));
  if (code === 64 && !vex) sizes.push(...sized ? [[0x48], [0x45]] : [[0x45]]);
  if (!vex && (form.modrm && form.memory !== false || address) && form.exact < 0) sizes.push([0x67], [0x64]);
  if (attributes.string) sizes.push([0xf3], [0xf2]);
  const modrms: { wide: string[]; narrow: string[] } = { wide: [""], narrow: [""] };
  if (form.exact >= 0) modrms.wide = modrms.narrow = [form.exact.toString(16)];
  else if (form.modrm) {
    modrms.wide = MODRM32;
    modrms.narrow = MODRM16;
  }
  for (const p of sizes) {
    const rex = p.filter((b) => code === 64 && (b & 0xf0) === 0x40), legacy = p.filter((b) => !rex.includes(b));
    const narrow = (code === 16) !== p.includes(0x67) && code !== 64;
    for (const m of narrow ? modrms.narrow : modrms.wide) {
      // An address size or a segment is for memory.
      if (/^[6-7]/.test(p.map((b) => b === 0x66 ? "" : b.toString(16)).join("")) && form.modrm && /^c/.test(m)) {
        continue;
      }
      for (const reg of form.modrm && form.digit < 0 && form.exact < 0 ? [0, 3] : [0]) {
        const tail = [...bytesOf(m)];
        if (form.modrm && form.exact < 0) {
          if (form.memory !== undefined && form.memory !== tail[0] < 0xc0) continue;
          tail[0] |= (form.digit >= 0 ? form.digit : reg) << 3;
        }
        const mandatory = !vex && form.prefix > 0 ? [form.prefix] : [];
        const opcode = vex
          ? [0xc4, 0xe0 | form.map - VEX_MAP, 0x68 | [0, 0x66, 0xf3, 0xf2].indexOf(form.prefix), form.opcode]
          : [...mandatory, ...rex, ...MAPS[form.map], form.opcode];
        if (vex && !form.operands.some((o) => "BH".includes(o.code))) opcode[2] |= 0x78;
        yield Uint8Array.from([...legacy, ...opcode, ...tail, ...IMMEDIATE]);
      }
    }
  }
}

/** One encoding. */
interface Sample {
  readonly form: Form;
  readonly bytes: Uint8Array;
  readonly text: string;
}

const known: Map<Code, readonly Sample[]> = new Map();

/** Every instruction of the tests that is decoded, cut to its length. */
function samples(code: Code): readonly Sample[] {
  let list = known.get(code);
  if (!list) known.set(code, list = makeSamples(code));
  return list;
}

function makeSamples(code: Code): readonly Sample[] {
  const out: Sample[] = [], seen = new Set<string>();
  for (const form of INSTRUCTIONS.forms) {
    for (const bytes of encodings(form, code)) {
      const { text, length } = disassemble(bytes, { code });
      const key = hexOf(bytes.subarray(0, length));
      if (text === "(bad)" || seen.has(key)) continue;
      seen.add(key);
      out.push({ form, bytes: bytes.slice(0, length), text });
    }
  }
  return out;
}

Deno.test("disassemble() has a text for every form of the table in every mode", () => {
  for (const code of CODES) {
    const texts = samples(code);
    const written = new Set(texts.map(({ form }) => form));
    const outside = code === 64 ? "invalid" : "only";
    const missing = INSTRUCTIONS.forms.filter((f) => f.row.attributes.long !== outside && !written.has(f));
    // UD stands for encodings that exist to be refused: they have no text.
    assertEquals(missing.filter((f) => f.mnemonic !== "UD").map((f) => `${f.mnemonic} ${f.text}`), []);
    for (const { text, bytes } of texts) {
      assert(/^[a-z0-9]+( [a-z0-9*:+\-[\], ]+)?$/.test(text), `${hexOf(bytes)} is "${text}"`);
      assert(!/undefined|NaN|null/.test(text), text);
    }
  }
});

function unavailable(program: string): string | undefined {
  if (Deno.permissions.querySync({ name: "run", command: program }).state !== "granted") return "--allow-run";
  try {
    const { success } = new Deno.Command(program, { args: ["-v"], stdout: "null", stderr: "null" }).outputSync();
    return success ? undefined : program;
  } catch {
    return program;
  }
}

function run(program: string, args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(`${program} fails: ${new TextDecoder().decode(stderr).slice(0, 2000)}`);
  return new TextDecoder().decode(stdout);
}

function withFolder(body: (path: string) => void): void {
  const path = Deno.makeTempDirSync({ prefix: "kvm12_test_" });
  try {
    body(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

const SLOT = 16, CHUNK = 2000;
/** ndisasm's names for what we name as the manual does, and what is left out on both sides. */
// deno-fmt-ignore
const ALIASES: readonly (readonly [RegExp, string])[] = [
  [/\b(byte|word|dword|qword|oword|tword|short|near) /g, ""], [/, /g, ","], [/([, ])\+0x/g, "$10x"], [/[+]0x0\]/, "]"],
  [/\b[oa](16|32|64) /g, ""], [/^(repn?e?) ([c-gs]s) /, "$2 $1 "], [/^(xacquire|xrelease|bnd) /, ""],
  [/\b(j|set|cmov)(n?)c\b/, "$1$2b"], [/\b(j|set|cmov)(n?)z\b/, "$1$2e"], [/\b(j|set|cmov)pe\b/, "$1p"],
  [/\b(j|set|cmov)po\b/, "$1np"], [/\b(j|set|cmov)nb\b/, "$1ae"], [/\b(j|set|cmov)na\b/, "$1be"],
  [/\b(j|set|cmov)nl\b/, "$1ge"], [/\b(j|set|cmov)ng\b/, "$1le"], [/^retn/, "ret"], [/^sal /, "shl "], [/^mov ([c-gs]s),[er]([a-d]x|[sd]i|[sb]p)/, "mov $1,$2"],
  [/^mov ([c-gs]s),(r\d+)d/, "mov $1,$2w"],
];

function plain(text: string): string {
  const t = ALIASES.reduce((t, [from, to]) => t.replace(from, to), text);
  const swap = /^(xchg|test) (.*),(.*)$/.exec(t);
  return swap && swap[2] > swap[3] ? `${swap[1]} ${swap[3]},${swap[2]}` : t;
}

/** What ndisasm says of each slot of an image: length and text. */
function ndisasm(path: string, code: Code, image: Uint8Array): Map<number, { length: number; text: string }> {
  Deno.writeFileSync(`${path}/code.bin`, image);
  const out = new Map<number, { length: number; text: string }>();
  let last: { length: number; text: string } | undefined;
  for (const line of run("ndisasm", ["-b", String(code), `${path}/code.bin`]).split("\n")) {
    const m = /^([0-9A-F]+)\s+([0-9A-F]+)\s+(.*)$/.exec(line), more = /^ +-([0-9A-F]+)$/.exec(line);
    if (m) out.set(parseInt(m[1], 16), last = { length: m[2].length / 2, text: m[3] });
    else if (more && last) last.length += more[1].length / 2;
  }
  return out;
}

/** Where ndisasm does not know an instruction, or has another idea of it than the manual. */
// deno-fmt-ignore
const OTHERWISE = new Set(["NOP", "UD0", "PREFETCHW", "PREFETCHNTA", "PREFETCHT0", "PREFETCHT1", "PREFETCHT2", "LAR", "LSL", "FNSETPM", "PINSRW", "PINSRB", "RDPID", "FWAIT"]);

function isComparable(code: Code, form: Form, bytes: Uint8Array, their: string): boolean {
  if (OTHERWISE.has(form.mnemonic) || /^db |^([oa](16|32)|[c-gs]s|rex\S*| )+$/.test(their)) return false;
  // There is no such register; and prefixes of a near RET mean nothing.
  return code === 64 ? form.mnemonic !== "RET" || bytes[0] >= 0xc2 : !/xmm(8|9|1\d)/.test(their);
}

const noNdisasm = unavailable("ndisasm");

for (const code of CODES) {
  Deno.test({
    name: `disassemble() agrees with ndisasm in ${code} bits${noNdisasm ? ` (lacks: ${noNdisasm})` : ""}`,
    ignore: noNdisasm !== undefined,
    fn: () =>
      withFolder((path) => {
        const all = samples(code), wrong: string[] = [];
        let compared = 0;
        for (let first = 0; first < all.length; first += CHUNK) {
          const chunk = all.slice(first, first + CHUNK), image = new Uint8Array(chunk.length * SLOT).fill(0x90);
          chunk.forEach(({ bytes }, i) => image.set(bytes, i * SLOT));
          const theirs = ndisasm(path, code, image);
          chunk.forEach(({ form, bytes }, i) => {
            const their = theirs.get(i * SLOT) ?? { length: 0, text: "nothing" };
            const { text, length } = disassemble(bytes, { code, address: i * SLOT });
            if (!isComparable(code, form, bytes, their.text)) return;
            compared++;
            if (plain(text) !== plain(their.text) || length !== their.length) {
              wrong.push(`${hexOf(bytes)}: ${text} is to ndisasm ${their.text}`);
            }
          });
        }
        assert(compared > all.length * 0.9, `only ${compared} of ${all.length} could be compared`);
        assertEquals(wrong.length, 0, `${wrong.length} of ${all.length} differ:\n${wrong.slice(0, 20).join("\n")}`);
      }),
  });
}

/** What NASM cannot write, such as MOVZX from 16 bits to 16, or makes something shorter of. */
// deno-fmt-ignore
const UNWRITABLE = /^(o16 )?(bswap (..|r\d+w)$|mov[sz]x (..|r\d+w), (..$|r\d+w$|word)|movsxd (..|e..|r\d+[wd]), |prefetchw [er]?..$|prefetchw r|fnsetpm|mov r\w+, .s$|sldt r|retw 0x|mov r\w+, 0x\w{1,8}$|xchg (\w+), \7$)/;

const noNasm = unavailable("nasm");

for (const code of CODES) {
  Deno.test({
    name: `disassemble() NASM makes of the text what has the same text in ${code} bits${
      noNasm ? ` (lacks: ${noNasm})` : ""
    }`,
    ignore: noNasm !== undefined,
    fn: () =>
      withFolder((path) => {
        const all = samples(code).filter(({ text }) => !UNWRITABLE.test(text)), wrong: string[] = [];
        for (let first = 0; first < all.length; first += CHUNK) {
          const chunk = all.slice(first, first + CHUNK).map(({ form, bytes }, i) => ({
            form,
            bytes,
            text: disassemble(bytes, { code, address: i * SLOT }).text,
          }));
          const lines = chunk.map(({ text }, i) =>
            `times ${i * SLOT}-($-$$) nop\n${text.replace(/rel (..:)?/, "$&$$$$+")}`
          );
          Deno.writeTextFileSync(`${path}/code.asm`, `bits ${code}\norg 0\n${lines.join("\n")}\n`);
          const args = ["-w-all", "-f", "bin", "-o", `${path}/code.bin`, `${path}/code.asm`];
          const { success, stderr } = new Deno.Command("nasm", { args }).outputSync();
          for (const m of new TextDecoder().decode(stderr).matchAll(/:(\d+): (error: .*)/g)) {
            wrong.push(`${chunk[Number(m[1]) / 2 - 2]?.text}: ${m[2]}`);
          }
          if (!success) continue;
          const image = Deno.readFileSync(`${path}/code.bin`);
          chunk.forEach(({ text, bytes }, i) => {
            const again = disassemble(image.subarray(i * SLOT), { code, address: i * SLOT }).text;
            if (plain(again) !== plain(text)) wrong.push(`${hexOf(bytes)}: ${text} becomes ${again}`);
          });
        }
        assertEquals(wrong.length, 0, `${wrong.length} of ${all.length} differ:\n${wrong.slice(0, 20).join("\n")}`);
      }),
  });
}
