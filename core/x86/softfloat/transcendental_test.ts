import { assertEquals } from "@std/assert";
import { f80, type F80Bits } from "./f80_value.ts";
import { C1, C2, DE, IE, NO_RESULT, PE, UE, ZE } from "./format.ts";
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from "./transcendental.ts";

const FCW = 0x37f;
const ONE = f80.one();
const ZERO = f80.zero(0);
const bits = (sig: bigint, se: number): F80Bits => ({ sig, se });
const negative = (v: F80Bits): F80Bits => ({ sig: v.sig, se: v.se | 0x8000 });
const HALF = bits(1n << 63n, 0x3ffe), TWO = bits(1n << 63n, 0x4000), TEN = bits(10n << 60n, 0x4002);
const PI = bits(0xc90fdaa22168c235n, 0x4000), QUARTER_PI = bits(PI.sig, 0x3ffe), HALF_PI = bits(PI.sig, 0x3fff);
const SIN_1 = bits(0xd76aa47848677021n, 0x3ffe), COS_1 = bits(0x8a51407da8345c92n, 0x3ffe);

Deno.test("fsin() gives known values and reduces by the processor's pi", () => {
  assertEquals(fsin(ONE, FCW), { values: [SIN_1], flags: PE | C1 });
  assertEquals(fcos(ONE, FCW).values, [COS_1]);
  assertEquals(fsincos(ONE, FCW).values, [COS_1, SIN_1]);
  assertEquals(fptan(ZERO, FCW), { values: [ONE, ZERO], flags: 0 });
  // Pi to 66 bits less pi to 64 bits, which is -2^-64; mathematics has -0xece675d1fc8f8cbb × 2^-128.
  assertEquals(fsin(PI, FCW).values, [bits(1n << 63n, 0xbfbf)]);
});

Deno.test("fsin() leaves arguments of 2^63 and more, and refuses infinity", () => {
  assertEquals(fsin(bits(1n << 63n, 0x3fff + 63), FCW), { values: [], flags: C2 });
  assertEquals(fcos(bits((1n << 64n) - 1n, 0xbfff + 62), FCW).flags & C2, 0);
  assertEquals(fptan(f80.infinity(0), FCW).values.length, 2);
  assertEquals(fsin(f80.infinity(1), FCW & ~IE), { values: [], flags: IE | NO_RESULT });
  assertEquals(fsin(bits(1n, 0), FCW), { values: [bits(1n, 0)], flags: DE | UE | PE });
});

Deno.test("f2xm1() gives known values", () => {
  assertEquals(f2xm1(HALF, FCW).values, [bits(0xd413cccfe7799211n, 0x3ffd)]);
  assertEquals(f2xm1(negative(ONE), FCW), { values: [negative(HALF)], flags: PE });
  assertEquals(f2xm1(f80.infinity(1), FCW), { values: [negative(ONE)], flags: 0 });
});

Deno.test("fpatan() gives angles in all quadrants", () => {
  const cases: [F80Bits, F80Bits, F80Bits][] = [
    [ONE, ONE, QUARTER_PI],
    [negative(ONE), ZERO, negative(HALF_PI)],
    [ZERO, negative(ONE), PI],
    [f80.infinity(0), f80.infinity(1), bits(0x96cbe3f9990e91a8n, 0x4000)],
    [negative(ZERO), f80.infinity(0), negative(ZERO)],
  ];
  for (const [y, x, angle] of cases) assertEquals(fpatan(y, x, FCW).values, [angle]);
});

Deno.test("fyl2x() gives known values and exceptions", () => {
  assertEquals(fyl2x(ONE, TEN, FCW).values, [bits(0xd49a784bcd1b8afen, 0x4000)]);
  assertEquals(fyl2x(TEN, TWO, FCW), { values: [TEN], flags: PE });
  assertEquals(fyl2x(ONE, ZERO, FCW), { values: [f80.infinity(1)], flags: ZE });
  assertEquals(fyl2x(ONE, ZERO, FCW & ~ZE), { values: [], flags: ZE | NO_RESULT });
  assertEquals(fyl2x(ONE, negative(ONE), FCW).flags, IE);
  assertEquals(fyl2x(f80.infinity(0), ONE, FCW).flags, IE);
});

Deno.test("fyl2xp1() keeps small arguments precise", () => {
  // log2(1 + 2^-70) = 2^-70 / ln 2.
  const tiny = bits(1n << 63n, 0x3fff - 70);
  assertEquals(fyl2xp1(ONE, tiny, FCW).values, [bits(0xb8aa3b295c17f0bcn, 0x3fff - 70)]);
  assertEquals(fyl2xp1(ONE, ONE, FCW), { values: [ONE], flags: PE });
  assertEquals(fyl2xp1(negative(TWO), negative(ZERO), FCW), { values: [ZERO], flags: 0 });
});
