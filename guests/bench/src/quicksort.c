/* Quicksort, recursive, with insertion sort for short pieces. */
#include "bench.h"

#define COUNT 50000

const char bench_name[] = "quicksort";

static u32 numbers[COUNT];

static void sort(u32 *first, u32 *last) {
  while (last - first > 12) {
    u32 *left = first, *right = last, pivot = first[(last - first) / 2];
    while (left <= right) {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left <= right) {
        u32 other = *left;
        *left++ = *right;
        *right-- = other;
      }
    }
    if (right - first < last - left) {
      sort(first, right);
      first = left;
    } else {
      sort(left, last);
      last = right;
    }
  }
  for (u32 *at = first + 1; at <= last; at++) {
    u32 value = *at, *to = at;
    while (to > first && to[-1] > value) to[0] = to[-1], to--;
    *to = value;
  }
}

u32 bench_work(u32 quick) {
  u32 state = 0x1badcafe, sum = 0;
  for (u32 round = 0; round < ROUNDS(quick, 40); round++) {
    for (u32 i = 0; i < COUNT; i++) numbers[i] = next_random(&state) >> (round & 3) * 6;
    sort(numbers, numbers + COUNT - 1);
    for (u32 i = 1; i < COUNT; i++) sum += numbers[i - 1] > numbers[i];
    for (u32 i = 0; i < COUNT; i += 97) sum = mix(sum, numbers[i]);
  }
  return sum;
}
