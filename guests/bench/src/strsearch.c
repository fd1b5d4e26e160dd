/* Searching words in a text: letter by letter, and by Horspool's table. */
#include "bench.h"

#define SIZE 60000

const char bench_name[] = "strsearch";

static char text[SIZE + 1];

static u32 length(const char *word) {
  u32 count = 0;
  while (word[count]) count++;
  return count;
}

/* How often a word is in the text, by trying everywhere. */
static u32 search_plainly(const char *word) {
  u32 found = 0;
  for (const char *at = text; *at; at++) {
    if (*at != *word) continue;
    const char *a = at + 1, *b = word + 1;
    while (*b && *a == *b) a++, b++;
    if (!*b) found += (u32)(at - text);
  }
  return found;
}

/* The same by looking at the last letter first. */
static u32 search_horspool(const char *word) {
  u8 skip[256];
  u32 size = length(word), found = 0;
  for (u32 i = 0; i < 256; i++) skip[i] = (u8)size;
  for (u32 i = 0; i + 1 < size; i++) skip[(u8)word[i]] = (u8)(size - 1 - i);
  for (u32 at = 0; at + size <= SIZE; at += skip[(u8)text[at + size - 1]]) {
    u32 i = size;
    while (i > 0 && text[at + i - 1] == word[i - 1]) i--;
    if (i == 0) found += at;
  }
  return found;
}

u32 bench_work(u32 quick) {
  static const char *const words[] = {"on", "sea", "rain", "stone", "heater", "another", "no train here"};
  static const char letters[] = "eeeetttaaaoooiinnsshhrrdlu  ";
  u32 state = 0x600dcafe, sum = 0;
  for (u32 i = 0; i < SIZE; i++) text[i] = letters[next_random(&state) % (sizeof letters - 1)];
  for (u32 round = 0; round < ROUNDS(quick, 60); round++) {
    text[round * 101 % SIZE] = 's';
    for (u32 i = 0; i < sizeof words / sizeof *words; i++) {
      u32 plainly = search_plainly(words[i]), horspool = search_horspool(words[i]);
      sum = mix(sum, plainly);
      sum += plainly != horspool;
    }
  }
  return sum;
}
