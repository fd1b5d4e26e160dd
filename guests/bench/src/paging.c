/* Many pages of 4 KiB through page tables of its own: touching them in order and at random, exchanging pages with INVLPG, and
   forgetting all of them by a new CR3. */
#include "machine.h"

#define PAGES 2048u
#define WINDOW 0x40000000u
#define LOW_PAGES 8192u /* 32 MiB at their own addresses */
#define PRESENT_WRITABLE 3

const char bench_name[] = "paging";

static u8 pool[PAGES * 4096] __attribute__((aligned(4096), section(".pool")));

#ifdef __x86_64__
typedef u64 entry;
#define PER_TABLE 512u
static entry pml4[512] __attribute__((aligned(4096)));
static entry pdpt[512] __attribute__((aligned(4096)));
static entry window_directory[512] __attribute__((aligned(4096)));
#else
typedef u32 entry;
#define PER_TABLE 1024u
#endif
static entry directory[PER_TABLE] __attribute__((aligned(4096)));
static entry low[LOW_PAGES] __attribute__((aligned(4096)));
static entry window[PAGES] __attribute__((aligned(4096)));

static entry point_to(const void *table) { return (entry)(uptr)table | PRESENT_WRITABLE; }

/* Builds the tables and switches to them. */
static uptr map(void) {
  for (u32 i = 0; i < LOW_PAGES; i++) low[i] = (entry)i << 12 | PRESENT_WRITABLE;
  for (u32 i = 0; i < PAGES; i++) window[i] = point_to(pool + 4096 * i);
  for (u32 i = 0; i < LOW_PAGES / PER_TABLE; i++) directory[i] = point_to(low + PER_TABLE * i);
#ifdef __x86_64__
  for (u32 i = 0; i < PAGES / PER_TABLE; i++) window_directory[i] = point_to(window + PER_TABLE * i);
  pdpt[0] = point_to(directory);
  pdpt[WINDOW >> 30] = point_to(window_directory);
  pml4[0] = point_to(pdpt);
  write_cr3((uptr)pml4);
  return (uptr)pml4;
#else
  for (u32 i = 0; i < PAGES / PER_TABLE; i++) directory[(WINDOW >> 22) + i] = point_to(window + PER_TABLE * i);
  write_cr3((uptr)directory);
  uptr cr0;
  __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
  __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 0x80010000) : "memory"); /* PG and WP */
  return (uptr)directory;
#endif
}

static volatile u32 *word(u32 page, u32 offset) { return (volatile u32 *)(uptr)(WINDOW + page * 4096 + offset * 4); }

u32 bench_work(u32 quick) {
  u32 state = 0xbadc0de, sum = 0, pages = quick ? PAGES / 4 : PAGES;
  uptr tables = map();
  for (u32 page = 0; page < pages; page++) {
    for (u32 i = 0; i < 1024; i += 16) *word(page, i) = page;
  }
  for (u32 round = 0; round < ROUNDS(quick, 150); round++) {
    u32 offset = (round * 16) & 1023;
    for (u32 page = 0; page < pages; page++) *word(page, offset) += page ^ sum;
    for (u32 i = 0; i < pages * 4; i++) {
      u32 random = next_random(&state);
      sum = mix(sum, *word(random % pages, offset));
    }
    for (u32 i = 0; i < 256; i++) {
      u32 random = next_random(&state), a = random % pages, b = (random >> 12) % pages;
      entry kept = window[a];
      window[a] = window[b];
      window[b] = kept;
      forget_page(WINDOW + a * 4096);
      forget_page(WINDOW + b * 4096);
      sum = mix(sum, *word(a, offset) - *word(b, offset));
    }
    if ((round & 3) == 3) write_cr3(tables);
  }
  return sum;
}
