/* Compressing with references to what was before, and expanding again. */
#include "bench.h"

#define SIZE 65536
#define HASHES 4096
#define LONGEST 255

const char bench_name[] = "lz";

static u8 plain[SIZE], packed[SIZE * 2], again[SIZE];
static u32 last[HASHES];

static u32 hash(const u8 *at) { return ((at[0] | (u32)at[1] << 8 | (u32)at[2] << 16) * 0x9e3779b1u) >> 20; }

/* Pieces: a count of bytes as they are, the bytes, then a length and a distance of 16 bits. */
static u32 compress(void) {
  u32 out = 0, pending = 0, at = 0;
  for (u32 i = 0; i < HASHES; i++) last[i] = SIZE;
  while (at < SIZE) {
    u32 length = 0, from = SIZE;
    if (at + 3 < SIZE) {
      u32 slot = hash(plain + at);
      from = last[slot];
      last[slot] = at;
      if (from < at && at - from < 65536) {
        while (length < LONGEST && at + length < SIZE && plain[from + length] == plain[at + length]) length++;
      }
    }
    if (length < 4 && at - pending < 255 && at + 1 < SIZE) {
      at++;
      continue;
    }
    if (length < 4) length = 0;
    packed[out++] = (u8)(at - pending);
    while (pending < at) packed[out++] = plain[pending++];
    if (length == 0) length = 1, from = at, packed[out++] = 0, packed[out++] = plain[at], packed[out++] = 0;
    else packed[out++] = (u8)length, packed[out++] = (u8)(at - from), packed[out++] = (u8)((at - from) >> 8);
    pending = at += length;
  }
  packed[out++] = 0;
  return out;
}

static u32 expand(u32 size) {
  u32 in = 0, out = 0;
  while (in + 1 < size) {
    for (u32 count = packed[in++]; count > 0; count--) again[out++] = packed[in++];
    u32 length = packed[in], distance = packed[in + 1] | (u32)packed[in + 2] << 8;
    in += 3;
    if (length == 0) again[out++] = (u8)distance;
    for (; length > 0; length--, out++) again[out] = again[out - distance];
  }
  return out;
}

u32 bench_work(u32 quick) {
  u32 state = 0x1ead1ead, sum = 0;
  for (u32 round = 0; round < ROUNDS(quick, 120); round++) {
    for (u32 at = 0; at < SIZE;) {
      u32 random = next_random(&state), count = 3 + (random >> 8 & 31), from = at == 0 ? 0 : (random >> 13) % at;
      for (; count > 0 && at < SIZE; count--, at++, from++) {
        plain[at] = (random & 3) != 0 && at > 64 ? plain[from] : (u8)(next_random(&state) & 63);
      }
    }
    u32 size = compress(), back = expand(size);
    for (u32 i = 0; i < SIZE; i++) sum += plain[i] != again[i];
    sum = mix(mix(sum, size), back);
    for (u32 i = 0; i < size; i += 61) sum = mix(sum, packed[i]);
  }
  return sum;
}
