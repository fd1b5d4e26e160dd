/* Integer arithmetic of all kinds: multiplications, divisions, shifts, carries over 64 bits, bit counting. */
#include "bench.h"

const char bench_name[] = "intmix";

static u32 bits(u32 value) {
  value -= (value >> 1) & 0x55555555;
  value = (value & 0x33333333) + ((value >> 2) & 0x33333333);
  return (((value + (value >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24;
}

static u32 common_divisor(u32 a, u32 b) {
  while (b) {
    u32 rest = a % b;
    a = b, b = rest;
  }
  return a;
}

u32 bench_work(u32 quick) {
  u32 state = 0x2545f491, sum = 0;
  u64 wide = 0x0123456789abcdefull;
  i32 balance = 0;
  for (u32 round = 0; round < ROUNDS(quick, 4000000); round++) {
    u32 a = next_random(&state), b = next_random(&state);
    wide += (u64)a * b;
    wide ^= wide << 13;
    wide ^= wide >> 7;
    balance += (i32)a / (i32)((b & 0xffff) + 3) - (i32)b % 1000;
    sum += a / ((b >> 20) + 1) + bits(a ^ b);
    if (a < b) sum = (sum << 5) | (sum >> 27);
    if ((round & 15) == 0) sum += common_divisor(a, b);
    sum ^= (u32)(wide >> 32) + (u32)balance;
  }
  return mix(mix(sum, (u32)wide), (u32)balance);
}
