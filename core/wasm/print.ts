/** The readable form behind {@linkcode ModuleBuilder.toText}. @module */
import type { Expr } from "./expr.ts";
import type { FunctionBuilder, FunctionType, Limits, ModuleBuilder, Stmt } from "./module.ts";

/** The names of a module's functions, imported and built. */
export interface Names {
  /** Imported functions. */
  readonly imported: readonly string[];
  /** Functions built here. */
  readonly built: readonly string[];
}

const NO_NAMES: Names = { imported: [], built: [] };

function calleeName(names: Names, index: number): string {
  return (index < 0 ? names.imported[-1 - index] : names.built[index]) ?? String(index);
}

function number(v: number | bigint): string {
  return Object.is(v, -0) ? "-0" : String(v).toLowerCase().replace("infinity", "inf");
}

/** One expression, folded. */
export function printExpr(e: Expr, callees: Names = NO_NAMES): string {
  const args = e.args.map((a) => " " + printExpr(a, callees)).join("");
  const at = (e.index ? ` ${e.index}` : "") + (e.imm ? ` offset=${e.imm}` : "");
  switch (e.kind) {
    case "const":
      return `(${e.name} ${e.bytes ? "i8x16 " + e.bytes.join(" ") : number(e.imm)})`;
    case "local":
      return `$${e.imm}`;
    case "global":
      return `(global.get ${e.imm})`;
    case "load":
      return `(${e.name}${at}${args})`;
    case "lane":
      return `(${e.name} ${e.imm}${args})`;
    case "shuffle":
      return `(${e.name} ${e.bytes!.join(" ")}${args})`;
    case "call":
      return `(call ${calleeName(callees, Number(e.imm))}${args})`;
    case "indirect":
      return `(call_indirect ${e.index} (type ${e.imm})${args})`;
    default:
      return `(${e.name}${args})`;
  }
}

function printStmts(body: readonly Stmt[], callees: Names, indent: string): string {
  const x = (e: Expr) => printExpr(e, callees);
  const list = (es: readonly Expr[]) => es.map((e) => " " + x(e)).join("");
  const inner = (b: readonly Stmt[]) => printStmts(b, callees, indent + "  ");
  let out = "";
  for (const s of body) {
    const line = (t: string) => out += indent + t + "\n";
    switch (s.kind) {
      case "set":
        line(`(local.set $${s.index} ${x(s.value)})`);
        break;
      case "global.set":
        line(`(global.set ${s.index} ${x(s.value)})`);
        break;
      case "store":
        // deno-fmt-ignore
        line(`(${s.name}${s.memory ? " " + s.memory : ""}${s.offset ? ` offset=${s.offset}` : ""} ${x(s.address)} ${x(s.value)})`);
        break;
      case "if":
        line(`(if ${x(s.condition)} (then`);
        out += inner(s.then);
        if (s.else.length) {
          line(") (else");
          out += inner(s.else);
        }
        line("))");
        break;
      case "block":
      case "loop":
        line(`(${s.kind} ${s.label.name}`);
        out += inner(s.body);
        line(")");
        break;
      case "br":
        line(s.condition ? `(br_if ${s.label.name} ${x(s.condition)})` : `(br ${s.label.name})`);
        break;
      case "br_table":
        line(`(br_table ${[...s.labels, s.otherwise].map((l) => l.name).join(" ")} ${x(s.index)})`);
        break;
      case "return":
        line(`(return${list(s.values)})`);
        break;
      case "call":
        line(`(${s.drop ? "drop (" : ""}call ${calleeName(callees, s.func)}${list(s.args)}${s.drop ? ")" : ""})`);
        break;
      case "return_call":
        line(`(return_call ${calleeName(callees, s.func)}${list(s.args)})`);
        break;
      case "return_call_indirect":
        line(`(return_call_indirect ${s.table} (type ${s.type})${list(s.args)} ${x(s.index)})`);
        break;
      case "memory.fill":
        line(`(memory.fill ${s.memory}${list(s.args)})`);
        break;
      case "memory.copy":
        line(`(memory.copy ${s.memory} ${s.source}${list(s.args)})`);
        break;
      case "group":
        out += printStmts(s.body, callees, indent);
        break;
      case "unreachable":
        line("(unreachable)");
        break;
    }
  }
  return out;
}

function signature({ params, results }: FunctionType): string {
  return (params.length ? ` (param ${params.join(" ")})` : "") +
    (results.length ? ` (result ${results.join(" ")})` : "");
}

/** One function. */
export function printFunction(f: FunctionBuilder, callees: Names = NO_NAMES): string {
  const locals = f.locals.length ? `  (local ${f.locals.join(" ")})\n` : "";
  return `(func ${f.name}${signature(f.type)}\n${locals}${printStmts(f.body, callees, "  ")})\n`;
}

function limits({ initial, maximum, shared }: Limits): string {
  return `${initial}${maximum === undefined ? "" : ` ${maximum}`}${shared ? " shared" : ""}`;
}

/** A module: its imports, functions and exports. */
export function printModule(m: ModuleBuilder): string {
  const callees = { imported: m.importedFunctions.map((f) => `$${f.name}`), built: m.functions.map((f) => f.name) };
  let out = "(module\n";
  m.types.forEach((t, i) => out += `(type ${i} (func${signature(t)}))\n`);
  m.importedFunctions.forEach((f) => out += `(import "${f.module}" "${f.name}" (func $${f.name} (type ${f.type})))\n`);
  m.importedMemories.forEach((f) => out += `(import "${f.module}" "${f.name}" (memory ${limits(f)}))\n`);
  if (m.memories.some(({ index, base }, n) => index !== n || base !== 0)) {
    m.memories.forEach(({ index, base }, n) => out += `;; memory ${n} here is memory ${index} from ${base} on\n`);
  }
  m.importedTables.forEach((f) => out += `(import "${f.module}" "${f.name}" (table ${limits(f)} funcref))\n`);
  m.importedGlobals.forEach((g) =>
    out += `(import "${g.module}" "${g.name}" (global ${g.mutable ? `(mut ${g.type})` : g.type}))\n`
  );
  for (const f of m.functions) out += printFunction(f, callees);
  for (const e of m.exports) out += `(export "${e.name}" (func ${calleeName(callees, e.func)}))\n`;
  for (const e of m.elements) {
    out += `(elem (table ${e.table}) (i32.const ${e.offset}) ${
      e.functions.map((f) => calleeName(callees, f)).join(" ")
    })\n`;
  }
  return out + ")\n";
}
