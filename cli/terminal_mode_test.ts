import { assertEquals, assertThrows } from "@std/assert";
import { RawTerminal, type TerminalHost } from "./terminal_mode.ts";

class FakeHost implements TerminalHost {
  readonly events: string[] = [];
  end: ((signal?: Deno.Signal) => void) | undefined;
  gone = false;

  setRaw(raw: boolean): void {
    this.events.push(`raw ${raw}`);
    if (this.gone) throw new Error("Input/output error");
  }

  write(text: string): void {
    this.events.push(text);
    if (this.gone) throw new Error("Input/output error");
  }

  onEnd(listener: (signal?: Deno.Signal) => void): () => void {
    this.end = listener;
    return () => this.end = undefined;
  }
}

function open(host: FakeHost): RawTerminal {
  return new RawTerminal({ host, enter: "enter", leave: "leave", signalled: (signal) => host.events.push(signal) });
}

Deno.test("RawTerminal is put back when it is disposed of, once", () => {
  const host = new FakeHost();
  const terminal = open(host);
  terminal[Symbol.dispose]();
  terminal[Symbol.dispose]();
  assertEquals(host.events, ["raw true", "enter", "leave", "raw false"]);
  assertEquals(host.end, undefined);
});

Deno.test("RawTerminal is put back at a signal and at the end of the program", () => {
  const host = new FakeHost();
  open(host);
  host.end?.("SIGTERM");
  assertEquals(host.events, ["raw true", "enter", "leave", "raw false", "SIGTERM"]);
  host.events.length = 0;
  open(host);
  host.end?.();
  assertEquals(host.events, ["raw true", "enter", "leave", "raw false"]);
});

Deno.test("RawTerminal survives a terminal that is gone", () => {
  const host = new FakeHost();
  open(host);
  host.gone = true;
  host.end?.("SIGHUP");
  assertEquals(host.events.slice(2), ["leave", "raw false", "SIGHUP"]);
  assertThrows(() => open(host), Error, "Input/output error");
  assertEquals(host.end, undefined);
});
