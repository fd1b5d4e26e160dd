/* Copying, filling, comparing and summing memory with plain loops over bytes, words and double words. */
#include "bench.h"

#define SIZE 65536

const char bench_name[] = "memloop";

static u32 from[SIZE / 4], to[SIZE / 4];

u32 bench_work(u32 quick) {
  u32 state = 0x5eed5eed, sum = 0;
  for (u32 i = 0; i < SIZE / 4; i++) from[i] = next_random(&state);
  for (u32 round = 0; round < ROUNDS(quick, 700); round++) {
    const u8 *from8 = (const u8 *)from;
    u8 *to8 = (u8 *)to;
    u16 *to16 = (u16 *)to;
    for (u32 i = 0; i < SIZE / 4; i++) to[i] = from[i] + round;
    for (u32 i = 0; i < SIZE / 2; i++) to8[i] = from8[SIZE - 1 - i];
    for (u32 i = 0; i < SIZE / 8; i++) to16[i] = (u16)(to16[i] + i);
    u32 equal = 0, total = 0;
    for (u32 i = 0; i < SIZE / 2; i++) equal += from8[i] == to8[i];
    for (u32 i = 0; i < SIZE / 4; i++) total += to[i];
    sum = mix(mix(sum, equal), total);
  }
  return sum;
}
