/* The sieve of Eratosthenes over bytes. */
#include "bench.h"

#define SIZE 500000

const char bench_name[] = "sieve";

static u8 composite[SIZE];

static u32 sieve(u32 size) {
  u32 count = 0;
  for (u32 i = 0; i < size; i++) composite[i] = 0;
  for (u32 i = 2; i < size; i++) {
    if (composite[i]) continue;
    count++;
    for (u32 j = i + i; j < size; j += i) composite[j] = 1;
  }
  return count;
}

u32 bench_work(u32 quick) {
  u32 sum = 0;
  for (u32 round = 0; round < ROUNDS(quick, 40); round++) sum = mix(sum, sieve(SIZE - 1000 * (round & 15)));
  return sum;
}
