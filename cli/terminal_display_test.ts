import { assertEquals } from "@std/assert";
import { VirtualClock } from "../devices/clock.ts";
import { Vga } from "../devices/video/vga.ts";
import { TerminalDisplay } from "./terminal_display.ts";

Deno.test("TerminalDisplay.draw() follows a VGA through its modes", () => {
  const vga = new Vga({ linear: new Uint8Array(0x40000), clock: new VirtualClock() });
  const written: string[] = [];
  let columns = 80;
  const display = new TerminalDisplay({
    screen: vga,
    write: (text) => written.push(text),
    size: () => ({ columns, rows: 25 }),
    trueColour: true,
  });
  const drawn = (): string => {
    written.length = 0;
    display.draw();
    return written.join("");
  };
  vga.setMode(3);
  assertEquals(drawn().startsWith("\x1b[0m\x1b[2J"), true);
  assertEquals(drawn(), "", "nothing new");
  vga.memory.write(0x18000 + 162, 0x0741, 2);
  assertEquals(drawn(), "\x1b[2;2H\x1b[0;37;40mA\x1b[0m\x1b[1;1H\x1b[?25h");
  columns = 40;
  assertEquals(drawn().startsWith("\x1b[0m\x1b[2J"), true, "another size");
  vga.setMode(0x13);
  assertEquals(drawn().includes("▀"), true);
  display.sixel = true;
  display.forget();
  assertEquals(drawn().includes('\x1bPq"1;1;320;200'), true);
});

Deno.test("TerminalDisplay.start() draws by itself until it is stopped", async () => {
  const vga = new Vga({ linear: new Uint8Array(0x40000), clock: new VirtualClock() });
  vga.setMode(3);
  const { promise, resolve } = Promise.withResolvers<string>();
  using display = new TerminalDisplay({
    screen: vga,
    write: resolve,
    size: () => ({ columns: 80, rows: 25 }),
    trueColour: true,
  });
  display.start();
  display.start();
  const alive = setTimeout(() => resolve("nothing"), 5000);
  assertEquals((await promise).startsWith("\x1b[0m"), true);
  clearTimeout(alive);
});
