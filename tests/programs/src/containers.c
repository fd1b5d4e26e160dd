/* Sorting in several ways, a hash table, a balanced tree, and patterns of text: with pointers to functions throughout. */
#include "program.h"

#define ITEMS 600
static i32 items[ITEMS], sorted[ITEMS], spare[ITEMS];

typedef i32 (*compare_function)(i32 a, i32 b);

static u32 comparisons;
static i32 ascending(i32 a, i32 b) { return comparisons++, a < b ? -1 : a > b; }
static i32 descending(i32 a, i32 b) { return comparisons++, a > b ? -1 : a < b; }
static i32 by_last_digits(i32 a, i32 b) { return comparisons++, (a & 0xff) != (b & 0xff) ? (a & 0xff) - (b & 0xff) : ascending(a, b); }

static void swap(i32 *a, i32 *b) {
  i32 kept = *a;
  *a = *b, *b = kept;
}

static void quick(i32 *a, u32 size, compare_function compare) {
  while (size > 8) {
    i32 pivot = a[size / 2];
    u32 low = 0, high = size - 1;
    for (;;) {
      while (compare(a[low], pivot) < 0) low++;
      while (compare(pivot, a[high]) < 0) high--;
      if (low >= high) break;
      swap(&a[low++], &a[high--]);
    }
    quick(a, low, compare);
    a += low, size -= low;
  }
  for (u32 i = 1; i < size; i++) {
    i32 value = a[i];
    u32 j = i;
    for (; j > 0 && compare(value, a[j - 1]) < 0; j--) a[j] = a[j - 1];
    a[j] = value;
  }
}

static void merge(i32 *a, u32 size, compare_function compare) {
  if (size < 2) return;
  u32 half = size / 2, i = 0, j = half, at = 0;
  merge(a, half, compare);
  merge(a + half, size - half, compare);
  while (i < half && j < size) spare[at++] = compare(a[j], a[i]) < 0 ? a[j++] : a[i++];
  while (i < half) spare[at++] = a[i++];
  while (j < size) spare[at++] = a[j++];
  memcpy(a, spare, size * sizeof *a);
}

static void heap(i32 *a, u32 size, compare_function compare) {
  for (u32 round = size / 2 + size; round-- > 0;) {
    u32 at = round >= size ? round - size : 0, end = round >= size ? size : round;
    if (round < size) swap(&a[0], &a[round]);
    for (u32 child; (child = 2 * at + 1) < end; at = child) {
      if (child + 1 < end && compare(a[child], a[child + 1]) < 0) child++;
      if (compare(a[at], a[child]) >= 0) break;
      swap(&a[at], &a[child]);
    }
  }
}

static void shell(i32 *a, u32 size, compare_function compare) {
  for (u32 gap = 364; gap > 0; gap /= 3) {
    for (u32 i = gap; i < size; i++) {
      i32 value = a[i];
      u32 j = i;
      for (; j >= gap && compare(value, a[j - gap]) < 0; j -= gap) a[j] = a[j - gap];
      a[j] = value;
    }
  }
}

static void sorts(void) {
  static const struct {
    const char *name;
    void (*sort)(i32 *a, u32 size, compare_function compare);
  } ways[] = {{"quick", quick}, {"merge", merge}, {"heap", heap}, {"shell", shell}};
  static const compare_function orders[] = {ascending, descending, by_last_digits};
  u32 state = 7;
  for (u32 i = 0; i < ITEMS; i++) items[i] = (i32)next_random(&state) >> (i & 15);
  for (u32 way = 0; way < COUNT(ways); way++) {
    for (u32 order = 0; order < COUNT(orders); order++) {
      memcpy(sorted, items, sizeof items);
      comparisons = 0;
      ways[way].sort(sorted, ITEMS, orders[order]);
      u32 sum = comparisons, wrong = 0;
      for (u32 i = 0; i < ITEMS; i++) {
        sum = mix(sum, (u32)sorted[i]);
        wrong += i > 0 && orders[order](sorted[i - 1], sorted[i]) > 0;
      }
      put_sum(ways[way].name, sum);
      if (wrong) put_number("  wrong", wrong);
    }
  }
}

/* A hash table with open addresses and graves. */
#define SLOTS 512
static struct {
  u32 key, value;
} slots[SLOTS];
enum { FREE = 0, GRAVE = 0xffffffffu };

static u32 *find(u32 key, u32 create) {
  u32 place = key * 2654435761u >> 23, grave = SLOTS;
  for (u32 i = 0; i < SLOTS; i++, place = (place + 1) % SLOTS) {
    if (slots[place].key == key) return &slots[place].value;
    if (slots[place].key == GRAVE && grave == SLOTS) grave = place;
    if (slots[place].key == FREE) break;
  }
  if (!create) return 0;
  if (grave != SLOTS) place = grave;
  slots[place].key = key;
  slots[place].value = 0;
  return &slots[place].value;
}

static void table(void) {
  u32 state = 11, found = 0, removed = 0, sum = 2;
  for (u32 i = 0; i < 4000; i++) {
    u32 key = 1 + next_random(&state) % 300;
    u32 *value = find(key, i % 4 != 3);
    if (value == 0) continue;
    found += *value != 0;
    *value += i;
    if (i % 4 == 3) {
      sum = mix(sum, *value);
      ((u32 *)(void *)value)[-1] = GRAVE;
      removed++;
    }
  }
  for (u32 i = 0; i < SLOTS; i++) sum = mix(sum, slots[i].key ^ slots[i].value << 9);
  put_number("found", found);
  put_number("removed", removed);
  put_sum("table", sum);
}

/* A balanced tree (AVL). */
static struct node {
  i32 key, height;
  struct node *sides[2];
} nodes[400];
static u32 nodes_used, turns;

static i32 height(const struct node *node) { return node ? node->height : 0; }

static void measure(struct node *node) {
  i32 a = height(node->sides[0]), b = height(node->sides[1]);
  node->height = 1 + (a > b ? a : b);
}

static struct node *turn(struct node *node, u32 side) {
  struct node *other = node->sides[!side];
  node->sides[!side] = other->sides[side];
  other->sides[side] = node;
  measure(node);
  measure(other);
  turns++;
  return other;
}

static struct node *insert(struct node *node, i32 key) {
  if (!node) {
    node = &nodes[nodes_used++];
    node->key = key, node->height = 1;
    return node;
  }
  if (key == node->key) return node;
  u32 side = key > node->key;
  node->sides[side] = insert(node->sides[side], key);
  measure(node);
  if (height(node->sides[side]) - height(node->sides[!side]) < 2) return node;
  if (height(node->sides[side]->sides[!side]) > height(node->sides[side]->sides[side])) {
    node->sides[side] = turn(node->sides[side], side);
  }
  return turn(node, !side);
}

static void walk(const struct node *node, void (*visit)(const struct node *)) {
  if (!node) return;
  walk(node->sides[0], visit);
  visit(node);
  walk(node->sides[1], visit);
}

static u32 walk_sum;
static void add_to_sum(const struct node *node) { walk_sum = mix(walk_sum, (u32)node->key << 4 ^ (u32)node->height); }

static void tree(void) {
  struct node *root = 0;
  u32 state = 13;
  for (u32 i = 0; i < COUNT(nodes); i++) root = insert(root, i % 3 ? (i32)next_random(&state) % 5000 : (i32)i * 4);
  walk(root, add_to_sum);
  put_number("nodes", nodes_used);
  put_number("height", height(root));
  put_number("turns", turns);
  put_sum("in order", walk_sum);
}

/* Patterns: letters, '.', classes, groups with '|', and '*', '+', '?' behind each; matched by going back, with continuations. */
struct rest {
  const char *pattern, *end;
  const struct rest *next;
};

static u32 effort;
static const char *match(const char *pattern, const char *end, const char *text, const struct rest *rest);

static const char *skip_one(const char *pattern) {
  if (*pattern == '[') {
    while (*pattern != ']') pattern++;
  } else if (*pattern == '(') {
    for (u32 depth = 0;; pattern++) {
      depth += *pattern == '(';
      depth -= *pattern == ')';
      if (depth == 0) break;
    }
  } else if (*pattern == '\\') {
    pattern++;
  }
  return pattern + 1;
}

static u32 fits(const char *pattern, char character) {
  if (character == 0) return 0;
  switch (*pattern) {
    case '.': return 1;
    case '\\':
      switch (pattern[1]) {
        case 'd': return character >= '0' && character <= '9';
        case 'w': return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
        case 's': return character == ' ';
        default: return character == pattern[1];
      }
    case '[': {
      u32 not = pattern[1] == '^', found = 0;
      for (pattern += 1 + not; *pattern != ']'; pattern++) {
        if (pattern[1] == '-' && pattern[2] != ']') {
          found |= character >= pattern[0] && character <= pattern[2];
          pattern += 2;
        } else {
          found |= character == *pattern;
        }
      }
      return found != not;
    }
    default: return character == *pattern;
  }
}

static const char *go_on(const char *text, const struct rest *rest) {
  return rest ? match(rest->pattern, rest->end, text, rest->next) : text;
}

/* One way of a group, or all of them in turn. */
static const char *ways(const char *from, const char *end, const char *text, const struct rest *rest) {
  const char *start = from;
  for (const char *at = from; at <= end; at = at < end ? skip_one(at) : at + 1) {
    if (at < end && *at != '|') continue;
    const char *found = match(start, at, text, rest);
    if (found) return found;
    start = at + 1;
    if (at == end) break;
  }
  return 0;
}

static const char *one(const char *pattern, const char *behind, const char *text, const struct rest *rest) {
  if (*pattern == '(') return ways(pattern + 1, behind - 1, text, rest);
  return fits(pattern, *text) ? go_on(text + 1, rest) : 0;
}

static const char *repeat(const char *pattern, const char *behind, const char *text, const struct rest *rest, u32 left) {
  const char *found = 0;
  if (*pattern != '(') {
    if (left > 0 && fits(pattern, *text)) found = repeat(pattern, behind, text + 1, rest, left - 1);
    return found ? found : go_on(text, rest);
  }
  /* A group is tried with what is left of the pattern first so often as it can. */
  if (left > 0) {
    const char *middle = ways(pattern + 1, behind - 1, text, 0);
    if (middle && middle != text) found = repeat(pattern, behind, middle, rest, left - 1);
  }
  return found ? found : go_on(text, rest);
}

static const char *match(const char *pattern, const char *end, const char *text, const struct rest *rest) {
  effort++;
  if (pattern >= end) return go_on(text, rest);
  if (*pattern == '$' && pattern + 1 == end) return *text ? 0 : go_on(text, rest);
  const char *behind = skip_one(pattern);
  struct rest then = {behind, end, rest};
  if (behind < end && (*behind == '*' || *behind == '+' || *behind == '?')) {
    struct rest later = {behind + 1, end, rest};
    switch (*behind) {
      case '?': {
        const char *found = one(pattern, behind, text, &later);
        return found ? found : go_on(text, &later);
      }
      case '+': {
        const char *middle = one(pattern, behind, text, 0);
        return middle ? repeat(pattern, behind, middle, &later, 1000) : 0;
      }
      default: return repeat(pattern, behind, text, &later, 1000);
    }
  }
  return one(pattern, behind, text, &then);
}

static void patterns(void) {
  static const char *const given[] = {
    "proc[a-z]+r", "\\d+\\.\\d+", "(cat|dog|bird)s?", "^the", "e.*e", "x*y", "[^a-z ]+", "(ab|a)(c|bcd)$", "\\w+\\s\\w+\\s\\w+$",
    "(a|b)*c", "q?u+i", "o.?t", "n(o|u)(m|n)e?", "z",
  };
  static const char *const texts[] = {
    "the processor of 1985 had 275000 transistors", "cats, dogs and birds at 3.14 each", "xxxy", "abcd", "ababababc",
    "quick brown foxes outdo the lot", "none of the numbers", "",
  };
  for (u32 i = 0; i < COUNT(given); i++) {
    put_text(given[i]);
    put_char(':');
    const char *pattern = given[i];
    u32 fixed = *pattern == '^';
    pattern += fixed;
    for (u32 j = 0; j < COUNT(texts); j++) {
      const char *found = 0, *from = texts[j];
      do found = ways(pattern, pattern + text_length(pattern), from, 0);
      while (!found && !fixed && *from++);
      put_char(' ');
      if (found) {
        put_unsigned((u64)(from - texts[j]));
        put_char('-');
        put_unsigned((u64)(found - texts[j]));
      } else {
        put_char('.');
      }
    }
    put_char('\n');
  }
  put_number("effort", effort);
}

void program(void) {
  sorts();
  table();
  tree();
  patterns();
}
