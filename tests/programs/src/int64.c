/* 64-bit division and the conversions to 64 bits that a compiler for 32-bit registers leaves to its library. */
#include "program.h"

int __popcountdi2(u64 value);
int __popcountsi2(u32 value);

#ifdef __i386__

/* Divides 64 by 32 bits where the quotient has 32 bits. */
static inline u32 divide(u32 high, u32 low, u32 by, u32 *rest) {
  u32 quotient;
  __asm__("divl %4" : "=a"(quotient), "=d"(*rest) : "0"(low), "1"(high), "rm"(by) : "cc");
  return quotient;
}

u64 __udivmoddi4(u64 value, u64 by, u64 *rest);
u64 __udivdi3(u64 value, u64 by);
u64 __umoddi3(u64 value, u64 by);
i64 __divdi3(i64 value, i64 by);
i64 __moddi3(i64 value, i64 by);
i64 __divmoddi4(i64 value, i64 by, i64 *rest);
u64 __fixunsdfdi(double value);
u64 __fixunssfdi(float value);
u64 __fixunsxfdi(long double value);
int __ctzdi2(u64 value);

u64 __udivmoddi4(u64 value, u64 by, u64 *rest) {
  u32 high = (u32)(value >> 32), low = (u32)value, by_high = (u32)(by >> 32), remainder;
  if (by_high == 0) {
    u32 divisor = (u32)by;
    u32 first = divide(0, high, divisor, &remainder);
    u32 second = divide(remainder, low, divisor, &remainder);
    if (rest) *rest = remainder;
    return ((u64)first << 32) | second;
  }
  u32 shift = (u32)__builtin_clz(by_high);
  u64 quotient;
  if (shift == 0) {
    quotient = value >= by;
  } else {
    /* The estimate from the leading 32 bits of the divisor is right or one too high. */
    u64 half = value >> 1;
    u32 estimate = divide((u32)(half >> 32), (u32)half, (u32)((by << shift) >> 32), &remainder);
    quotient = estimate >> (31 - shift);
    if (quotient != 0) quotient--;
    if (value - quotient * by >= by) quotient++;
  }
  if (rest) *rest = value - quotient * by;
  return quotient;
}

u64 __udivdi3(u64 value, u64 by) { return __udivmoddi4(value, by, 0); }

u64 __umoddi3(u64 value, u64 by) {
  u64 rest;
  __udivmoddi4(value, by, &rest);
  return rest;
}

static u64 magnitude(i64 value) { return value < 0 ? -(u64)value : (u64)value; }

i64 __divmoddi4(i64 value, i64 by, i64 *rest) {
  u64 remainder;
  u64 quotient = __udivmoddi4(magnitude(value), magnitude(by), &remainder);
  *rest = (i64)(value < 0 ? -remainder : remainder);
  return (i64)((value < 0) != (by < 0) ? -quotient : quotient);
}

i64 __divdi3(i64 value, i64 by) {
  i64 rest;
  return __divmoddi4(value, by, &rest);
}

i64 __moddi3(i64 value, i64 by) {
  i64 rest;
  __divmoddi4(value, by, &rest);
  return rest;
}

u64 __fixunsxfdi(long double value) {
  if (value < 0x1p63L) return (u64)(i64)value;
  return (u64)(i64)(value - 0x1p63L) ^ (1ull << 63);
}

u64 __fixunsdfdi(double value) { return __fixunsxfdi(value); }

u64 __fixunssfdi(float value) { return __fixunsxfdi(value); }

int __ctzdi2(u64 value) { return (u32)value != 0 ? __builtin_ctz((u32)value) : 32 + __builtin_ctz((u32)(value >> 32)); }

#endif

/* Bits that are 1, where the processor may have no instruction for that. */
int __popcountdi2(u64 value) {
  value -= (value >> 1) & 0x5555555555555555ull;
  value = (value & 0x3333333333333333ull) + ((value >> 2) & 0x3333333333333333ull);
  value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0full;
  return (int)((value * 0x0101010101010101ull) >> 56);
}

int __popcountsi2(u32 value) { return __popcountdi2(value); }
