/* Copying, filling, comparing and scanning memory with the string instructions under REP. */
#include "bench.h"

#define SIZE 65536

const char bench_name[] = "memrep";

static u8 from[SIZE + 16], to[SIZE + 16];

static void move8(void *target, const void *source, usize count) {
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(count) : : "memory");
}

static void move32(void *target, const void *source, usize count) {
  __asm__ volatile("rep movsl" : "+D"(target), "+S"(source), "+c"(count) : : "memory");
}

static void store8(void *target, u32 value, usize count) {
  __asm__ volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(value) : "memory");
}

static void store32(void *target, u32 value, usize count) {
  __asm__ volatile("rep stosl" : "+D"(target), "+c"(count) : "a"(value) : "memory");
}

/* How many bytes are compared before the first difference, at most count. */
static u32 compare8(const void *a, const void *b, usize count) {
  const void *start = a;
  __asm__ volatile("cmp %%eax, %%eax\n\trepe cmpsb" : "+S"(a), "+D"(b), "+c"(count) : : "memory", "cc");
  return (u32)((const u8 *)a - (const u8 *)start);
}

/* How many bytes are read until a value is found, at most count. */
static u32 scan8(const void *a, u32 value, usize count) {
  const void *start = a;
  __asm__ volatile("test %%esp, %%esp\n\trepne scasb" : "+D"(a), "+c"(count) : "a"(value) : "memory", "cc");
  return (u32)((const u8 *)a - (const u8 *)start);
}

u32 bench_work(u32 quick) {
  u32 state = 0x0badf00d, sum = 0;
  for (u32 i = 0; i < SIZE; i++) from[i] = (u8)(next_random(&state) | 1);
  for (u32 round = 0; round < ROUNDS(quick, 640); round++) {
    u32 odd = round & 7;
    move8(to + odd, from, SIZE);
    sum = mix(sum, compare8(to + odd, from, SIZE / 4));
    move32(to, from + odd, SIZE / 4);
    store8(to + odd, round, SIZE / 2);
    store32(to + SIZE / 2, round, SIZE / 8);
    sum = mix(sum, scan8(from, 0, SIZE / 4));
    for (u32 i = 0; i < 200; i++) move8(to + 64 * i, from + 67 * i, 16 + (i & 31));
    for (u32 i = 0; i < SIZE; i += 1021) sum = mix(sum, to[i]);
  }
  return sum;
}
