/* Reading and writing guest-physical addresses at which there is nothing; what is read does not matter. */
#include "machine.h"

#define NOTHING 0xfea00000u

const char bench_name[] = "mmio";

#ifdef __x86_64__
extern u64 start_pdpt[512];
static u64 directory[512] __attribute__((aligned(4096)));

/* The fourth GiB at its own addresses, as far as it is needed. */
static void map(void) {
  directory[NOTHING >> 21 & 511] = (NOTHING & ~0x1fffffull) | 0x83;
  start_pdpt[NOTHING >> 30] = (u64)(uptr)directory | 3;
}
#else
static void map(void) {}
#endif

u32 bench_work(u32 quick) {
  u32 sum = 0;
  map();
  for (u32 round = 0; round < ROUNDS(quick, 100000); round++) {
    uptr at = NOTHING + (round & 255) * 16;
    *(volatile u32 *)at = round;
    (void)*(volatile u32 *)at;
    *(volatile u8 *)(at + 5) = (u8)round;
    (void)*(volatile u16 *)(at + 8);
    sum = mix(sum, round);
  }
  return sum;
}
