/* Following pointers through 4 MiB of nodes in random order. */
#include "bench.h"

#define COUNT 65536

const char bench_name[] = "chase";

struct node {
  struct node *next;
  u32 value;
  u8 rest[64 - sizeof(void *) - 4];
};

static struct node nodes[COUNT] POOL;
static u32 order[COUNT];

u32 bench_work(u32 quick) {
  u32 state = 0xfeedbeef, sum = 0;
  for (u32 i = 0; i < COUNT; i++) order[i] = i;
  for (u32 i = COUNT - 1; i > 0; i--) {
    u32 other = next_random(&state) % (i + 1), kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
  for (u32 i = 0; i < COUNT; i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % COUNT]];
    nodes[order[i]].value = i * 0x01000193;
  }
  struct node *at = &nodes[order[0]];
  for (u32 step = 0; step < ROUNDS(quick, 4000000); step++) {
    sum = (sum << 1 | sum >> 31) ^ at->value;
    at = at->next;
  }
  return sum;
}
