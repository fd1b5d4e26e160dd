/* 80-bit numbers: functions by series, by the x87's instructions, and by iteration; edges of all operations. */
#include "program.h"

typedef long double extended;

static void put_labelled(const char *label, extended value, u32 digits) {
  put_text(label);
  put_text(": ");
  put_extended(value, digits);
  put_char('\n');
}

static u32 mix_extended(u32 sum, extended value) {
  union {
    extended value;
    struct {
      u64 mantissa;
      u16 top;
    } parts;
  } both = {.value = value};
  return mix64(mix(sum, both.parts.top), both.parts.mantissa);
}

static const extended pi = 3.14159265358979323846264338327950288L;
static const extended ln2 = 0.693147180559945309417232121458176568L;

/* By series. */
static extended series_exp(extended x) {
  i32 twos = (i32)(x / ln2 + (x < 0 ? -0.5L : 0.5L));
  x -= twos * ln2;
  extended term = 1, sum = 1;
  for (i32 n = 1; n < 26; n++) sum += term *= x / n;
  for (; twos > 0; twos--) sum *= 2;
  for (; twos < 0; twos++) sum /= 2;
  return sum;
}

static extended series_sin(extended x) {
  extended term = x, sum = x;
  for (i32 n = 2; n < 40; n += 2) sum += term *= -x * x / (n * (n + 1));
  return sum;
}

static extended series_log(extended x) {
  i32 twos = 0;
  for (; x > 1.5L; x /= 2) twos++;
  for (; x < 0.75L; x *= 2) twos--;
  extended y = (x - 1) / (x + 1), power = y, sum = 0;
  for (i32 n = 1; n < 60; n += 2, power *= y * y) sum += power / n;
  return 2 * sum + twos * ln2;
}

static extended series_atan(extended x) {
  if (x < 0) return -series_atan(-x);
  if (x > 1) return pi / 2 - series_atan(1 / x);
  if (x > 0.3L) return pi / 6 + series_atan((x - 0.577350269189625764509148780501957456L) / (1 + x * 0.577350269189625764509148780501957456L));
  extended power = x, sum = 0;
  for (i32 n = 1; n < 60; n += 2, power *= -x * x) sum += power / n;
  return sum;
}

/* By the x87. */
static extended x87_exp(extended x) {
  extended whole, result;
  __asm__("fldl2e; fmulp" : "+t"(x));
  __asm__("frndint" : "=t"(whole) : "0"(x));
  x -= whole;
  __asm__("f2xm1" : "+t"(x));
  x += 1;
  __asm__("fscale" : "=t"(result) : "0"(x), "u"(whole));
  return result;
}

static extended x87_log(extended x) {
  extended result, factor;
  __asm__("fldln2" : "=t"(factor));
  __asm__("fyl2x" : "=t"(result) : "0"(x), "u"(factor) : "st(1)");
  return result;
}

static extended x87_log1(extended x) {
  extended result, factor;
  __asm__("fldln2" : "=t"(factor));
  __asm__("fyl2xp1" : "=t"(result) : "0"(x), "u"(factor) : "st(1)");
  return result;
}

static extended x87_sin(extended x) {
  __asm__("fsin" : "+t"(x));
  return x;
}

static extended x87_cos(extended x) {
  __asm__("fcos" : "+t"(x));
  return x;
}

static extended x87_tan(extended x) {
  extended one, result;
  __asm__("fptan" : "=t"(one), "=u"(result) : "0"(x));
  return result / one;
}

static extended x87_atan(extended y, extended x) {
  extended result;
  __asm__("fpatan" : "=t"(result) : "0"(x), "u"(y) : "st(1)");
  return result;
}

static extended x87_sqrt(extended x) {
  __asm__("fsqrt" : "+t"(x));
  return x;
}

/* The rest of a division, in as many steps as it takes; and the low bits of the quotient. */
static extended x87_rest(extended a, extended b, u32 nearest, u32 *quotient) {
  u16 status;
  do {
    if (nearest) {
      __asm__("fprem1; fnstsw %1" : "+t"(a), "=a"(status) : "u"(b));
    } else {
      __asm__("fprem; fnstsw %1" : "+t"(a), "=a"(status) : "u"(b));
    }
  } while (status & 0x400);
  *quotient = (status >> 8 & 1) << 2 | (status >> 14 & 1) << 1 | (status >> 9 & 1);
  return a;
}

static extended newton_root(extended x) {
  extended root = x > 1 ? x : 1;
  for (u32 i = 0; i < 200; i++) {
    extended next = (root + x / root) / 2;
    if (next >= root) break;
    root = next;
  }
  return root;
}

/* Functions that differ by a unit in the last place between processors: shown with 12 digits, which is far coarser. */
static void functions(void) {
  u32 good = 0, all = 0;
  for (i32 i = -12; i <= 12; i++) {
    extended x = i * 0.83L + 0.01L;
    extended pairs[][2] = {
      {series_exp(x), x87_exp(x)},
      {series_sin(x > 3 ? x - 2 * pi : x < -3 ? x + 2 * pi : x), x87_sin(x)},
      {series_sin(pi / 2 - (x < 0 ? -x : x)), x87_cos(x)},
      {series_log(x * x), x87_log(x * x)},
      {series_atan(x), x87_atan(x, 1)},
      {series_log(1 + x / 40), x87_log1(x / 40)},
      {x87_sin(x) / x87_cos(x), x87_tan(x)},
      {newton_root(x * x + 1), x87_sqrt(x * x + 1)},
    };
    for (u32 each = 0; each < COUNT(pairs); each++) {
      extended error = pairs[each][0] - pairs[each][1], size = pairs[each][1];
      if (error < 0) error = -error;
      if (size < 0) size = -size;
      good += error <= 1e-16L * (size > 1 ? size : 1);
      all++;
      put_extended(pairs[each][1], 12);
      put_char(each + 1 < COUNT(pairs) ? ' ' : '\n');
    }
  }
  put_number("functions", all);
  put_number("near to their series", good);
  put_labelled("e", series_exp(1), 19);
  put_labelled("pi", 4 * x87_atan(1, 1), 15);
  put_labelled("the root of 2", x87_sqrt(2), 21);
}

static volatile extended values[] = {
  0.0L, -0.0L, 1.0L, -1.0L, 1.5L, -2.5L, 3.0L, 0.1L, 1e18L, -9.3e18L, 1e100L, 1e4000L, 1.18973149535723176502e+4932L,
  3.36210314311209350626e-4932L, 1e-4940L, 3.6e-4951L, -3.6e-4951L, 1e-4000L, 1e308L, 1e-310L, 1e-39L, 16777217.0L,
  9007199254740993.0L, 0.99999999999999999995L, 1.0000000000000000001L, __builtin_infl(), -__builtin_infl(),
  __builtin_nanl("0x123"), -__builtin_nanl("0x456"),
};

/* Rounding 0 to nearest, 1 down, 2 up, 3 to zero; precision 0 for 24 bits, 2 for 53, 3 for 64. */
static void set_control(u32 rounding, u32 precision) {
  u16 control = (u16)(0x3f | precision << 8 | rounding << 10);
  __asm__ volatile("fldcw %0" : : "m"(control) : "memory");
}

static u32 take_status(void) {
  u16 status;
  __asm__ volatile("fnstsw %0; fnclex" : "=a"(status) : : "memory");
  return status;
}

static KEEP extended add(extended a, extended b) { return a + b; }
static KEEP extended subtract(extended a, extended b) { return a - b; }
static KEEP extended multiply(extended a, extended b) { return a * b; }
static KEEP extended divide(extended a, extended b) { return a / b; }
static KEEP extended root(extended a, extended b) { return x87_sqrt(a) + b * 0; }

static KEEP extended scale(extended a, extended b) {
  __asm__("fscale" : "+t"(a) : "u"(b));
  return a;
}

static KEEP extended whole(extended a, extended b) {
  __asm__("frndint" : "+t"(a));
  return a < b ? a : -a;
}

static KEEP extended extract(extended a, extended b) {
  extended mantissa, exponent;
  __asm__("fxtract" : "=t"(mantissa), "=u"(exponent) : "0"(a));
  return b > 0 ? mantissa : exponent;
}

static extended (*const operations[])(extended, extended) = {add, subtract, multiply, divide, root, scale, whole, extract};
static const char *const names[] = {"add", "subtract", "multiply", "divide", "root", "scale", "whole", "extract"};

static void edges(void) {
  static const u8 precisions[] = {3, 2, 0};
  for (u32 each = 0; each < COUNT(operations); each++) {
    put_text(names[each]);
    put_char(':');
    for (u32 mode = 0; mode < 6; mode++) {
      u32 sum = 1, flags = 2;
      u32 rounding = mode < 4 ? mode : 0, precision = precisions[mode < 4 ? 0 : mode - 3];
      for (u32 i = 0; i < COUNT(values); i++) {
        for (u32 j = mode & 1; j < COUNT(values); j += 2) {
          extended a = values[i], b = values[j];
          set_control(rounding, precision);
          volatile extended result = operations[each](a, b);
          set_control(0, 3);
          flags = mix(flags, take_status() & 0x3f);
          sum = mix_extended(sum, result);
        }
      }
      put_char(' ');
      put_hex(sum, 8);
      put_char('/');
      put_hex(flags, 8);
    }
    put_char('\n');
  }
}

/* To other formats and back, in all rounding modes; decimal ones, too. */
static void conversions(void) {
  u32 sum = 6;
  for (u32 mode = 0; mode < 4; mode++) {
    for (u32 i = 0; i < COUNT(values); i++) {
      extended value = values[i], size = value < 0 ? -value : value;
      float narrow;
      double wide;
      i16 word;
      i32 number;
      i64 large;
      u8 decimal[10];
      set_control(mode, 3);
      __asm__ volatile("fsts %0" : "=m"(narrow) : "t"(value));
      __asm__ volatile("fstl %0" : "=m"(wide) : "t"(value));
      __asm__ volatile("fists %0" : "=m"(word) : "t"(value));
      __asm__ volatile("fistl %0" : "=m"(number) : "t"(value));
      __asm__ volatile("fistpll %0" : "=m"(large) : "t"(value) : "st");
      if (size < 1e17L) {
        __asm__ volatile("fbstp %0" : "=m"(decimal) : "t"(value) : "st");
        for (u32 j = 0; j < 10; j++) sum = mix(sum, decimal[j]);
        extended back;
        __asm__ volatile("fbld %1" : "=t"(back) : "m"(decimal));
        sum = mix_extended(sum, back);
      }
      set_control(0, 3);
      sum = mix(sum, take_status() & 0x3f);
      sum = mix64(mix(sum, float_bits(narrow)), double_bits(wide));
      sum = mix64(mix(mix(sum, (u32)word), (u32)number), (u64)large);
    }
  }
  put_sum("conversions", sum);
  extended exact = 0;
  for (u32 i = 1; i < 300; i++) exact += (extended)(i64)((u64)i << (i % 60)) / (i * 3 + 1);
  put_labelled("a sum", exact, 21);
}

static void rests(void) {
  static const extended given[][2] = {
    {17, 5}, {-17, 5}, {1e18L, 7}, {1e30L, 3.5L}, {5.25L, 0.1L}, {1e4000L, 3}, {7, 2}, {2.5L, 1}, {1e-4000L, 1e-4005L}, {3, 1e10L},
  };
  for (u32 i = 0; i < COUNT(given); i++) {
    for (u32 nearest = 0; nearest < 2; nearest++) {
      u32 quotient;
      put_labelled(nearest ? "to nearest" : "rest", x87_rest(given[i][0], given[i][1], nearest, &quotient), 19);
      put_number("  quotient", quotient);
    }
  }
}

/* Classes and comparisons, by FXAM, FCOM, FUCOMI and FTST. */
static void classes(void) {
  u32 sum = 7;
  for (u32 i = 0; i < COUNT(values); i++) {
    extended a = values[i];
    u16 status;
    __asm__ volatile("fxam; fnstsw %0" : "=a"(status) : "t"(a));
    sum = mix(sum, status & 0x4700);
    __asm__ volatile("ftst; fnstsw %0; fnclex" : "=a"(status) : "t"(a));
    sum = mix(sum, status & 0x453f);
    for (u32 j = 0; j < COUNT(values); j++) {
      extended b = values[j];
      u8 above, equal, parity;
      __asm__ volatile("fucomi %4, %3; seta %0; sete %1; setp %2"
                       : "=q"(above), "=q"(equal), "=q"(parity) : "t"(a), "u"(b) : "cc");
      __asm__ volatile("fcom %2; fnstsw %0; fnclex" : "=a"(status) : "t"(a), "u"(b));
      sum = mix(sum, (u32)above | (u32)equal << 1 | (u32)parity << 2 | (status & 0x453fu) << 3);
      extended chosen;
      __asm__ volatile("fcomi %2, %1; fcmovb %2, %0; fnclex" : "=t"(chosen) : "0"(a), "u"(b) : "cc");
      sum = mix_extended(sum, chosen);
    }
  }
  put_sum("classes", sum);
}

/* The state saved, spoilt and restored; the stack overflown. */
static void states(void) {
  u8 area[108];
  extended sum = 0;
  for (u32 i = 0; i < 8; i++) {
    extended x = i, y;
    __asm__ volatile("fnsave %1; fldpi; fldz; fldl2t; fsubrp; frstor %1" : "+m"(x), "+m"(area) : : "memory");
    __asm__ volatile("fld1; fldlg2; fxch; fldpi; fincstp; fdecstp; faddp; fmulp" : "=t"(y));
    sum += y * x;
  }
  put_labelled("behind saving", sum, 19);
  u16 status;
  __asm__ volatile(
    "fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fnstsw %0; fninit" : "=a"(status) : : "memory");
  put_sum("overflown", status);
  __asm__ volatile("fadd %%st(1), %%st; fnstsw %0; fninit" : "=a"(status) : : "memory");
  put_sum("empty", status);
}

void program(void) {
  functions();
  edges();
  conversions();
  rests();
  classes();
  states();
}
