/* Writing to a port behind which there is nothing that matters. */
#include "machine.h"

const char bench_name[] = "portio";

u32 bench_work(u32 quick) {
  u32 sum = 0;
  for (u32 round = 0; round < ROUNDS(quick, 500000); round++) {
    out8(0x80, (u8)round);
    sum = mix(sum, round);
  }
  return sum;
}
