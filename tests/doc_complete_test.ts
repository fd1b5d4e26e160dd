import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const MOD = fromFileUrl(new URL("../mod.ts", import.meta.url));
/** The classes whose methods stand for what a user does. */
const ACTIVE = new Set(["Kvm", "Vm", "Vcpu", "RawKvm"]);
/** Methods that need no example: how things end, and whether they have. */
const PLAIN = new Set(["[Symbol.dispose]", "closed"]);
const ALLOWED = Deno.permissions.querySync({ name: "run", command: Deno.execPath() }).state === "granted";

interface Documented {
  readonly name: string;
  readonly kind?: string;
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly { readonly kind: string }[] };
}

interface Declaration extends Documented {
  readonly def?: { readonly methods?: readonly Documented[] };
}

interface PublicSymbol {
  readonly name: string;
  readonly declarations: readonly Declaration[];
}

const hasExample = ({ jsDoc }: Documented): boolean => jsDoc?.tags?.some(({ kind }) => kind === "example") ?? false;

Deno.test({
  name: "every public class and function, and every method of the objects, has an example",
  ignore: !ALLOWED,
  fn: async () => {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["doc", "--json", MOD], stderr: "null" })
      .output();
    assertEquals(code, 0);
    const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
      readonly nodes: Readonly<Record<string, { readonly symbols: readonly PublicSymbol[] }>>;
    };
    const symbols = Object.values(nodes).flatMap((node) => node.symbols);
    assertEquals(symbols.length > 100, true);
    const missing: string[] = [];
    for (const { name, declarations } of symbols) {
      for (const declaration of declarations) {
        if (declaration.kind !== "class" && declaration.kind !== "function") continue;
        if (!hasExample(declaration)) missing.push(name);
        if (!ACTIVE.has(name)) continue;
        const methods = Map.groupBy(declaration.def?.methods ?? [], (method) => method.name);
        for (const [method, overloads] of methods) {
          if (!PLAIN.has(method) && !overloads.some(hasExample)) missing.push(`${name}.${method}`);
        }
      }
    }
    assertEquals(missing, []);
  },
});
