/* What every benchmark guest and its surroundings share. */
#ifndef BENCH_H
#define BENCH_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef __UINTPTR_TYPE__ uptr;
typedef __SIZE_TYPE__ usize;

/* The name that the program prints. */
extern const char bench_name[];

/* Does the work, or about a fortieth of it if quick is not 0, and gives a checksum of what came out. */
u32 bench_work(u32 quick);

/* How often to do something: n times, or a fortieth of that. */
#define ROUNDS(quick, n) ((quick) ? ((n) + 39) / 40 : (n))

/* The next pseudo-random number of a 32-bit xorshift generator; the state must not be 0. */
static inline u32 next_random(u32 *state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/* Adds a number to a checksum. */
static inline u32 mix(u32 sum, u32 value) {
  sum ^= value;
  sum *= 0x9e3779b1u;
  return sum ^ (sum >> 15);
}

/* For large arrays that need not be zero at the beginning. */
#ifdef NATIVE
#define POOL
#else
#define POOL __attribute__((section(".pool")))
#endif

/* Makes memory executable as well, where there is somebody to ask. */
void allow_execution(void *start, usize size);

#endif
