/* CRC-32 (polynomial 0xedb88320, reflected) a byte at a time with a table. */
#include "bench.h"

#define SIZE 262144

const char bench_name[] = "crc32";

static u32 table[256];
static u8 data[SIZE];

static u32 crc(u32 value, const u8 *at, u32 size) {
  value = ~value;
  while (size--) value = table[(value ^ *at++) & 255] ^ (value >> 8);
  return ~value;
}

u32 bench_work(u32 quick) {
  u32 state = 0x12345678, sum = 0;
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (u32 bit = 0; bit < 8; bit++) value = (value & 1) ? (value >> 1) ^ 0xedb88320u : value >> 1;
    table[i] = value;
  }
  for (u32 i = 0; i < SIZE; i++) data[i] = (u8)next_random(&state);
  for (u32 round = 0; round < ROUNDS(quick, 200); round++) sum = crc(sum, data, SIZE);
  return sum;
}
