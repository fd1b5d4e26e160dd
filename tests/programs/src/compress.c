/* Compression: matches in a window found by hash chains, both coded by canonical Huffman codes; and back, byte for byte. */
#include "program.h"

#define SIZE 5000
#define PACKED 6600
#define WINDOW 2048
#define LEAST 3
#define MOST 66
#define HASHES 512
#define LITERALS (256 + MOST - LEAST + 1)
#define DISTANCES 12
#define LONGEST 15

static u8 plain[SIZE], packed[PACKED], again[SIZE];

/* Checksums. */
static u32 crc_table[256];

static void make_crc_table(void) {
  for (u32 i = 0; i < 256; i++) {
    u32 value = i;
    for (u32 bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    crc_table[i] = value;
  }
}

static u32 crc32(const u8 *bytes, u32 size) {
  u32 crc = ~0u;
  while (size--) crc = crc >> 8 ^ crc_table[(crc ^ *bytes++) & 255];
  return ~crc;
}

static u32 adler32(const u8 *bytes, u32 size) {
  u32 a = 1, b = 0;
  while (size--) {
    a = (a + *bytes++) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

/* Bits, the lowest first. */
static u32 bit_buffer, bit_count, position;

static void begin_bits(void) { bit_buffer = bit_count = position = 0; }

static void write_bits(u32 value, u32 count) {
  bit_buffer |= value << bit_count;
  bit_count += count;
  while (bit_count >= 8) {
    if (position < PACKED) packed[position] = (u8)bit_buffer;
    position++;
    bit_buffer >>= 8;
    bit_count -= 8;
  }
}

static u32 read_bits(u32 count) {
  while (bit_count < count) {
    bit_buffer |= (u32)packed[position++] << bit_count;
    bit_count += 8;
  }
  u32 value = bit_buffer & ((1u << count) - 1);
  bit_buffer >>= count;
  bit_count -= count;
  return value;
}

/* A Huffman code: how long the code of each symbol is, and what it is. */
struct code {
  u32 size;
  u8 lengths[LITERALS];
  u16 codes[LITERALS];
  u16 sorted[LITERALS];
  u16 first[LONGEST + 2], starts[LONGEST + 2], counts[LONGEST + 1];
};

static struct code literal_code, distance_code;
static u16 literal_counts[LITERALS], distance_counts[DISTANCES];

/* Codes from lengths, in the order of lengths, then of symbols. */
static void assign(struct code *code) {
  memset(code->counts, 0, sizeof code->counts);
  for (u32 i = 0; i < code->size; i++) code->counts[code->lengths[i]]++;
  code->counts[0] = 0;
  u32 next = 0, index = 0;
  for (u32 length = 1; length <= LONGEST; length++) {
    next = (next + (length > 1 ? code->counts[length - 1] : 0)) << 1;
    code->first[length] = (u16)next;
    code->starts[length] = (u16)index;
    u32 value = next;
    for (u32 i = 0; i < code->size; i++) {
      if (code->lengths[i] != length) continue;
      code->sorted[index++] = (u16)i;
      u32 reversed = 0;
      for (u32 bit = 0; bit < length; bit++) reversed |= (value >> bit & 1) << (length - 1 - bit);
      code->codes[i] = (u16)reversed;
      value++;
    }
  }
}

/* A tree by a heap of weights; if it grows too deep, with weights made more alike. */
static void make_code(struct code *code, const u16 *counts, u32 size) {
  static u32 weights[2 * LITERALS];
  static u16 parents[2 * LITERALS], heap[LITERALS + 1];
  code->size = size;
  for (u32 flatten = 0;; flatten++) {
    u32 used = 0, nodes = size;
    for (u32 i = 0; i < size; i++) {
      code->lengths[i] = 0;
      if (counts[i] == 0) continue;
      weights[i] = (counts[i] >> flatten) + 1;
      u32 at = ++used;
      for (; at > 1 && weights[heap[at / 2]] > weights[i]; at /= 2) heap[at] = heap[at / 2];
      heap[at] = (u16)i;
    }
    if (used < 2) {
      for (u32 i = 0; i < size; i++) code->lengths[i] = counts[i] != 0;
      break;
    }
    while (used > 1) {
      u32 pair[2];
      for (u32 each = 0; each < 2; each++) {
        pair[each] = heap[1];
        u16 last = heap[used--];
        u32 at = 1;
        for (u32 child; (child = 2 * at) <= used; at = child) {
          if (child < used && weights[heap[child + 1]] < weights[heap[child]]) child++;
          if (weights[heap[child]] >= weights[last]) break;
          heap[at] = heap[child];
        }
        heap[at] = last;
      }
      u32 node = nodes++;
      parents[pair[0]] = parents[pair[1]] = (u16)node;
      weights[node] = weights[pair[0]] + weights[pair[1]];
      u32 at = ++used;
      for (; at > 1 && weights[heap[at / 2]] > weights[node]; at /= 2) heap[at] = heap[at / 2];
      heap[at] = (u16)node;
    }
    u32 deepest = 0;
    for (u32 i = 0; i < size; i++) {
      if (counts[i] == 0) continue;
      u32 depth = 1;
      for (u32 node = parents[i]; node != nodes - 1; node = parents[node]) depth++;
      code->lengths[i] = (u8)(depth > 255 ? 255 : depth);
      if (depth > deepest) deepest = depth;
    }
    if (deepest <= LONGEST) break;
  }
  assign(code);
}

static void write_symbol(const struct code *code, u32 symbol) { write_bits(code->codes[symbol], code->lengths[symbol]); }

static u32 read_symbol(const struct code *code) {
  u32 value = 0;
  for (u32 length = 1; length <= LONGEST; length++) {
    value = value << 1 | read_bits(1);
    u32 offset = value - code->first[length];
    if (offset < code->counts[length]) return code->sorted[code->starts[length] + offset];
  }
  return 0;
}

/* Lengths of codes, with runs of 0 made short. */
static void write_lengths(const struct code *code) {
  for (u32 i = 0; i < code->size;) {
    u32 run = 0;
    while (i + run < code->size && run < 64 && code->lengths[i + run] == 0) run++;
    if (run > 0) {
      write_bits(0, 4);
      write_bits(run - 1, 6);
      i += run;
    } else {
      write_bits(code->lengths[i++], 4);
    }
  }
}

static void read_lengths(struct code *code, u32 size) {
  code->size = size;
  for (u32 i = 0; i < size;) {
    u32 length = read_bits(4);
    if (length != 0) {
      code->lengths[i++] = (u8)length;
      continue;
    }
    for (u32 run = read_bits(6) + 1; run > 0 && i < size; run--) code->lengths[i++] = 0;
  }
  assign(code);
}

/* Matches: found the same way in both passes, first to count symbols, then to write them. */
static u16 heads[HASHES], chain[WINDOW];

static u32 hash(const u8 *at) { return ((u32)at[0] << 6 ^ (u32)at[1] << 3 ^ at[2]) * 2654435761u >> 23; }

static u32 longest_match(u32 at, u32 size, u32 *distance) {
  u32 best = 0, tries = 24;
  if (at + LEAST > size) return 0;
  u32 limit = size - at < MOST ? size - at : MOST;
  for (u32 from = heads[hash(plain + at)]; from != 0 && at - (from - 1) < WINDOW && tries-- != 0; from = chain[(from - 1) % WINDOW]) {
    const u8 *a = plain + at, *b = plain + from - 1;
    u32 length = 0;
    while (length < limit && a[length] == b[length]) length++;
    if (length > best) best = length, *distance = at - (from - 1);
  }
  return best < LEAST ? 0 : best;
}

static void remember(u32 at, u32 size) {
  if (at + LEAST > size) return;
  u32 place = hash(plain + at);
  chain[at % WINDOW] = heads[place];
  heads[place] = (u16)(at + 1);
}

static u32 log2_of(u32 value) { return 31 - (u32)__builtin_clz(value); }

static void count_symbol(u32 literal, u32 distance) {
  literal_counts[literal]++;
  if (distance != 0) distance_counts[log2_of(distance)]++;
}

static void emit_symbol(u32 literal, u32 distance) {
  write_symbol(&literal_code, literal);
  if (distance == 0) return;
  u32 bits = log2_of(distance);
  write_symbol(&distance_code, bits);
  write_bits(distance - (1u << bits), bits);
}

static void parse(u32 size, void (*take)(u32 literal, u32 distance)) {
  memset(heads, 0, sizeof heads);
  for (u32 at = 0; at < size;) {
    u32 distance = 0, length = longest_match(at, size, &distance);
    take(length == 0 ? plain[at] : 256 + length - LEAST, length == 0 ? 0 : distance);
    for (u32 i = length == 0 ? 1 : length; i > 0; i--) remember(at++, size);
  }
}

static u32 compress(u32 size) {
  memset(literal_counts, 0, sizeof literal_counts);
  memset(distance_counts, 0, sizeof distance_counts);
  parse(size, count_symbol);
  make_code(&literal_code, literal_counts, LITERALS);
  make_code(&distance_code, distance_counts, DISTANCES);
  begin_bits();
  write_bits(size, 16);
  write_lengths(&literal_code);
  write_lengths(&distance_code);
  parse(size, emit_symbol);
  write_bits(0, 7);
  return position;
}

static u32 expand(void) {
  begin_bits();
  u32 size = read_bits(16), at = 0;
  read_lengths(&literal_code, LITERALS);
  read_lengths(&distance_code, DISTANCES);
  while (at < size) {
    u32 symbol = read_symbol(&literal_code);
    if (symbol < 256) {
      again[at++] = (u8)symbol;
      continue;
    }
    u32 bits = read_symbol(&distance_code);
    u32 distance = (1u << bits) + read_bits(bits);
    for (u32 length = symbol - 256 + LEAST; length > 0; length--, at++) again[at] = again[at - distance];
  }
  return size;
}

/* Things to compress. */
static u32 sentences(u32 size, u32 seed) {
  static const char *const words[] = {
    "the ", "a ", "old ", "processor ", "writes ", "reads ", "page ", "of ", "memory ", "and ", "then ", "it ", "faults ",
    "table ", "segment ", "by ", "which ", "an ", "interrupt ", "returns ", "slowly ", "twice", ", ", ". ", "never ",
  };
  for (u32 at = 0; at < size;) {
    const char *word = words[(next_random(&seed) >> 3) % COUNT(words) * (next_random(&seed) & 3) / 3];
    while (*word && at < size) plain[at++] = (u8)*word++;
  }
  return size;
}

static u32 noise(u32 size, u32 seed) {
  for (u32 i = 0; i < size; i++) plain[i] = (u8)(next_random(&seed) >> 11);
  return size;
}

static u32 zeros(u32 size, u32 seed) {
  memset(plain, (int)seed, size);
  return size;
}

static u32 numbers(u32 size, u32 seed) {
  for (u32 i = 0; i + 4 <= size; i += 4) {
    seed += 3 + (i >> 5);
    plain[i] = (u8)seed, plain[i + 1] = (u8)(seed >> 8), plain[i + 2] = (u8)(seed >> 16), plain[i + 3] = 0;
  }
  return size & ~3u;
}

/* Weights like Fibonacci's numbers, whose tree would be too deep. */
static u32 skewed(u32 size, u32 seed) {
  u32 a = 1, b = 1, at = 0;
  for (u32 symbol = 0; at < size; symbol++) {
    for (u32 i = 0; i < a && at < size; i++) plain[at++] = (u8)(symbol + 100);
    u32 sum = a + b;
    a = b, b = sum;
  }
  for (u32 i = size - 1; i > 0; i--) {
    u32 j = next_random(&seed) % (i + 1);
    u8 kept = plain[i];
    plain[i] = plain[j], plain[j] = kept;
  }
  return size;
}

static const struct {
  const char *name;
  u32 (*make)(u32 size, u32 seed);
  u32 size, seed;
} inputs[] = {
  {"sentences", sentences, SIZE, 1}, {"noise", noise, 2000, 2}, {"zeros", zeros, 4097, 0},
  {"numbers", numbers, 4002, 5}, {"skewed", skewed, SIZE, 6}, {"one byte", noise, 1, 7}, {"nothing", zeros, 0, 0},
  {"short", sentences, 100, 8}, {"sentences again", sentences, 3000, 9},
};

void program(void) {
  make_crc_table();
  for (u32 i = 0; i < COUNT(inputs); i++) {
    u32 size = inputs[i].make(inputs[i].size, inputs[i].seed);
    u32 small = compress(size);
    memset(again, 0xee, sizeof again);
    u32 back = expand();
    put_text(inputs[i].name);
    put_text(": ");
    put_unsigned(size);
    put_text(" to ");
    put_unsigned(small);
    put_text(back == size && memcmp(plain, again, size) == 0 ? " and back" : " and NOT back");
    put_text(", crc ");
    put_hex(crc32(plain, size), 8);
    put_char(' ');
    put_hex(crc32(packed, small), 8);
    put_text(", adler ");
    put_hex(adler32(again, back), 8);
    put_char('\n');
  }
}
