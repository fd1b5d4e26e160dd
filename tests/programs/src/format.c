/* Numbers with a point in decimal: exact, then rounded to even. */
#include "program.h"

#define BASE 1000000000u
#define WORDS 1856

/* A number in base 10^9, the lowest word first; its point is behind `fraction` words. */
static u32 words[WORDS];
static u32 count;

static void multiply(u32 by) {
  u32 carry = 0;
  for (u32 i = 0; i < count; i++) {
    u64 product = (u64)words[i] * by + carry;
    words[i] = (u32)(product % BASE);
    carry = (u32)(product / BASE);
  }
  if (carry != 0) words[count++] = carry;
}

/* Halves so often, at most 9 times as often as BASE can be halved without a rest below its lowest word. */
static void halve(u32 shift) {
  u32 rest = 0;
  /* One word more below: 10^9 is divisible by 2^9. */
  for (u32 i = count; i > 0; i--) words[i] = words[i - 1];
  words[0] = 0;
  count++;
  for (u32 i = count; i-- > 0;) {
    u32 value = words[i];
    words[i] = (value >> shift) + rest;
    rest = (value & ((1u << shift) - 1)) * (BASE >> shift);
  }
  if (words[count - 1] == 0) count--;
}

static u32 digit_at(u32 place) {
  static const u32 powers[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  return words[place / 9] / powers[place % 9] % 10;
}

/* mantissa * 2^exponent with so many digits. */
static void put_decimal(u64 mantissa, i32 exponent, u32 digits) {
  i32 power = 0; /* of ten, of the lowest digit of the lowest word */
  count = 0;
  for (; mantissa != 0; mantissa /= BASE) words[count++] = (u32)(mantissa % BASE);
  for (; exponent >= 29; exponent -= 29) multiply(1u << 29);
  if (exponent > 0) multiply(1u << exponent);
  for (; exponent <= -9; exponent += 9, power -= 9) halve(9);
  if (exponent < 0) halve((u32)-exponent), power -= 9;

  u32 length = 9 * count;
  while (digit_at(length - 1) == 0) length--;
  char text[48];
  u32 shown = 0;
  for (; shown < digits; shown++) text[shown] = (char)(shown < length ? digit_at(length - 1 - shown) : 0);
  i32 ten = power + (i32)length - 1;
  if (length > digits) {
    u32 place = length - 1 - digits, next = digit_at(place);
    u32 rest = 0;
    for (u32 i = 0; i < place && !rest; i++) rest = digit_at(i);
    if (next > 5 || (next == 5 && (rest || (text[digits - 1] & 1)))) {
      u32 at = digits;
      while (at > 0 && ++text[at - 1] == 10) text[--at] = 0;
      if (at == 0) text[0] = 1, ten++;
    }
  }
  put_char((char)('0' + text[0]));
  if (digits > 1) put_char('.');
  for (u32 i = 1; i < digits; i++) put_char((char)('0' + text[i]));
  put_char('e');
  put_signed(ten);
}

u64 double_bits(double value) {
  union {
    double value;
    u64 bits;
  } both = {.value = value};
  return both.bits;
}

u32 float_bits(float value) {
  union {
    float value;
    u32 bits;
  } both = {.value = value};
  return both.bits;
}

void put_double(double value, u32 digits) {
  u64 bits = double_bits(value), fraction = bits & 0xfffffffffffffull;
  u32 exponent = (u32)(bits >> 52) & 0x7ff;
  if (bits >> 63) put_char('-');
  if (exponent == 0x7ff) {
    put_text(fraction == 0 ? "inf" : "nan ");
    if (fraction != 0) put_hex(fraction, 13);
  } else if (exponent == 0 && fraction == 0) {
    put_char('0');
  } else {
    put_decimal(exponent == 0 ? fraction : fraction | (1ull << 52), (i32)(exponent == 0 ? 1 : exponent) - 1075, digits);
  }
}

void put_extended(long double value, u32 digits) {
  union {
    long double value;
    struct {
      u64 mantissa;
      u16 top;
    } parts;
  } both = {.value = value};
  u64 mantissa = both.parts.mantissa;
  u32 exponent = both.parts.top & 0x7fff;
  if (both.parts.top >> 15) put_char('-');
  if (exponent == 0x7fff) {
    put_text(mantissa << 1 == 0 ? "inf" : "nan ");
    if (mantissa << 1 != 0) put_hex(mantissa, 16);
  } else if (mantissa == 0) {
    put_char('0');
  } else {
    put_decimal(mantissa, (i32)(exponent == 0 ? 1 : exponent) - 16446, digits);
  }
}
