/* Cryptography: SHA-256, SHA-512, MD5, AES-128 by tables, ChaCha20; known answers first, then sums over much. */
#include "program.h"

static u8 text[1024];

static inline u32 left32(u32 value, u32 by) { return value << by | value >> (32 - by); }
static inline u32 right32(u32 value, u32 by) { return value >> by | value << (32 - by); }
static inline u64 right64(u64 value, u32 by) { return value >> by | value << (64 - by); }
static inline u32 little32(const u8 *at) { return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24; }
static inline u32 big32(const u8 *at) { return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3]; }

/* The fraction of a root, for the constants of the hashes: floor(root * 2^64) without its whole part, by bisection. */
static void multiply_wide(u32 *to, const u32 *a, u32 a_size, const u32 *b, u32 b_size) {
  memset(to, 0, (a_size + b_size) * 4);
  for (u32 i = 0; i < a_size; i++) {
    u64 carry = 0;
    for (u32 j = 0; j < b_size; j++) {
      carry += (u64)a[i] * b[j] + to[i + j];
      to[i + j] = (u32)carry;
      carry >>= 32;
    }
    to[i + b_size] = (u32)carry;
  }
}

static u64 root_fraction(u32 of, u32 power) {
  u32 root[3] = {0, 0, 0}, square[6], cube[9];
  for (u32 bit = 69; bit-- > 0;) {
    root[bit / 32] |= 1u << (bit & 31);
    multiply_wide(square, root, 3, root, 3);
    u32 whole;
    if (power == 2) {
      whole = square[4];
    } else {
      multiply_wide(cube, square, 6, root, 3);
      whole = cube[6];
    }
    if (whole >= of) root[bit / 32] &= ~(1u << (bit & 31));
  }
  return (u64)root[1] << 32 | root[0];
}

static u64 round_constants[80], first_words[8];

static void make_constants(void) {
  u32 found = 0;
  for (u32 number = 2; found < 80; number++) {
    u32 prime = 1;
    for (u32 by = 2; by * by <= number; by++) prime &= number % by != 0;
    if (!prime) continue;
    if (found < 8) first_words[found] = root_fraction(number, 2);
    round_constants[found++] = root_fraction(number, 3);
  }
}

/* A hash function: what it does with a block, and how the length ends the last one. */
struct hash {
  const char *name;
  u32 block, length_bytes, big, output;
  void (*start)(void *state);
  void (*step)(void *state, const u8 *block);
};

static void sha256_start(void *state) {
  for (u32 i = 0; i < 8; i++) ((u32 *)state)[i] = (u32)(first_words[i] >> 32);
}

static void sha256_step(void *state, const u8 *block) {
  u32 *sums = state, w[64], a[8];
  for (u32 i = 0; i < 16; i++) w[i] = big32(block + 4 * i);
  for (u32 i = 16; i < 64; i++) {
    u32 s0 = right32(w[i - 15], 7) ^ right32(w[i - 15], 18) ^ w[i - 15] >> 3;
    u32 s1 = right32(w[i - 2], 17) ^ right32(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(a, sums, sizeof a);
  for (u32 i = 0; i < 64; i++) {
    u32 s1 = right32(a[4], 6) ^ right32(a[4], 11) ^ right32(a[4], 25);
    u32 one = a[7] + s1 + ((a[4] & a[5]) ^ (~a[4] & a[6])) + (u32)(round_constants[i] >> 32) + w[i];
    u32 s0 = right32(a[0], 2) ^ right32(a[0], 13) ^ right32(a[0], 22);
    u32 two = s0 + ((a[0] & a[1]) ^ (a[0] & a[2]) ^ (a[1] & a[2]));
    for (u32 j = 7; j > 0; j--) a[j] = a[j - 1];
    a[4] += one;
    a[0] = one + two;
  }
  for (u32 i = 0; i < 8; i++) sums[i] += a[i];
}

static void sha512_start(void *state) { memcpy(state, first_words, sizeof first_words); }

static void sha512_step(void *state, const u8 *block) {
  u64 *sums = state, w[80], a[8];
  for (u32 i = 0; i < 16; i++) w[i] = (u64)big32(block + 8 * i) << 32 | big32(block + 8 * i + 4);
  for (u32 i = 16; i < 80; i++) {
    u64 s0 = right64(w[i - 15], 1) ^ right64(w[i - 15], 8) ^ w[i - 15] >> 7;
    u64 s1 = right64(w[i - 2], 19) ^ right64(w[i - 2], 61) ^ w[i - 2] >> 6;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(a, sums, sizeof a);
  for (u32 i = 0; i < 80; i++) {
    u64 s1 = right64(a[4], 14) ^ right64(a[4], 18) ^ right64(a[4], 41);
    u64 one = a[7] + s1 + ((a[4] & a[5]) ^ (~a[4] & a[6])) + round_constants[i] + w[i];
    u64 s0 = right64(a[0], 28) ^ right64(a[0], 34) ^ right64(a[0], 39);
    u64 two = s0 + ((a[0] & a[1]) ^ (a[0] & a[2]) ^ (a[1] & a[2]));
    for (u32 j = 7; j > 0; j--) a[j] = a[j - 1];
    a[4] += one;
    a[0] = one + two;
  }
  for (u32 i = 0; i < 8; i++) sums[i] += a[i];
}

static void md5_start(void *state) {
  static const u32 first[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  memcpy(state, first, sizeof first);
}

/* floor(2^32 * |sin(i)|) */
static const u32 sines[64] = {
  0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
  0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
  0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
  0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
  0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
  0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
  0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
  0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static void md5_step(void *state, const u8 *block) {
  static const u8 turns[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
  u32 *sums = state, a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  for (u32 i = 0; i < 64; i++) {
    u32 f, word;
    switch (i / 16) {
      case 0: f = (b & c) | (~b & d), word = i; break;
      case 1: f = (d & b) | (~d & c), word = 5 * i + 1; break;
      case 2: f = b ^ c ^ d, word = 3 * i + 5; break;
      default: f = c ^ (b | ~d), word = 7 * i;
    }
    f += a + sines[i] + little32(block + 4 * (word & 15));
    a = d, d = c, c = b;
    b += left32(f, turns[i / 16 * 4 + (i & 3)]);
  }
  sums[0] += a, sums[1] += b, sums[2] += c, sums[3] += d;
}

static const struct hash hashes[] = {
  {"SHA-256", 64, 8, 1, 32, sha256_start, sha256_step},
  {"SHA-512", 128, 16, 1, 64, sha512_start, sha512_step},
  {"MD5", 64, 8, 0, 16, md5_start, md5_step},
};

/* Hashes a prefix of one block, or none, and a message. */
static void hash_of(const struct hash *hash, const u8 *prefix, const u8 *message, u32 size, u8 *output) {
  u64 state[8];
  u8 block[128];
  u32 left = size;
  hash->start(state);
  if (prefix) hash->step(state, prefix);
  for (; left >= hash->block; left -= hash->block, message += hash->block) hash->step(state, message);
  memset(block, 0, sizeof block);
  memcpy(block, message, left);
  block[left] = 0x80;
  if (left + 1 + hash->length_bytes > hash->block) {
    hash->step(state, block);
    memset(block, 0, sizeof block);
  }
  u64 bits = 8 * (u64)(size + (prefix ? hash->block : 0));
  for (u32 i = 0; i < 8; i++) {
    block[hash->big ? hash->block - 1 - i : hash->block - 8 + i] = (u8)(bits >> 8 * i);
  }
  hash->step(state, block);
  u32 word = hash->block / 16; /* bytes of a word of the state */
  for (u32 i = 0; i < hash->output; i++) output[i] = ((u8 *)state)[hash->big ? i / word * word + word - 1 - i % word : i];
}

static void keyed(const struct hash *hash, const u8 *key, u32 key_size, const u8 *message, u32 size, u8 *output) {
  u8 inner[128], outer[128], between[64];
  for (u32 i = 0; i < hash->block; i++) {
    u8 byte = i < key_size ? key[i] : 0;
    inner[i] = byte ^ 0x36, outer[i] = byte ^ 0x5c;
  }
  hash_of(hash, inner, message, size, between);
  hash_of(hash, outer, between, hash->output, output);
}

/* AES-128: tables from the field's arithmetic. */
static u8 box[256], inverse_box[256];
static u32 forward[4][256], backward[4][256];

static u8 field(u8 a, u8 b) {
  u8 product = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = (u8)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
  }
  return product;
}

static void make_tables(void) {
  u8 p = 1, q = 1;
  do {
    p ^= (u8)(p << 1 ^ (p & 0x80 ? 0x1b : 0));
    q ^= (u8)(q << 1), q ^= (u8)(q << 2), q ^= (u8)(q << 4);
    if (q & 0x80) q ^= 0x09;
    u8 turned = (u8)(q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4));
    box[p] = turned ^ 0x63;
  } while (p != 1);
  box[0] = 0x63;
  for (u32 i = 0; i < 256; i++) inverse_box[box[i]] = (u8)i;
  for (u32 i = 0; i < 256; i++) {
    u8 s = box[i], t = inverse_box[i];
    u32 one = (u32)field(s, 2) << 24 | (u32)s << 16 | (u32)s << 8 | field(s, 3);
    u32 two = (u32)field(t, 14) << 24 | (u32)field(t, 9) << 16 | (u32)field(t, 13) << 8 | field(t, 11);
    for (u32 j = 0; j < 4; j++, one = right32(one, 8), two = right32(two, 8)) forward[j][i] = one, backward[j][i] = two;
  }
}

static u32 keys[44], inverse_keys[44];

static void expand_key(const u8 *key) {
  u8 round = 1;
  for (u32 i = 0; i < 4; i++) keys[i] = big32(key + 4 * i);
  for (u32 i = 4; i < 44; i++) {
    u32 word = keys[i - 1];
    if (i % 4 == 0) {
      word = left32(word, 8);
      word = (u32)box[word >> 24] << 24 | (u32)box[word >> 16 & 255] << 16 | (u32)box[word >> 8 & 255] << 8 | box[word & 255];
      word ^= (u32)round << 24;
      round = field(round, 2);
    }
    keys[i] = keys[i - 4] ^ word;
  }
  for (u32 i = 0; i < 44; i++) {
    u32 word = keys[40 - i / 4 * 4 + i % 4];
    if (i >= 4 && i < 40) {
      word = backward[0][box[word >> 24]] ^ backward[1][box[word >> 16 & 255]] ^ backward[2][box[word >> 8 & 255]] ^
             backward[3][box[word & 255]];
    }
    inverse_keys[i] = word;
  }
}

static void aes(const u8 *from, u8 *to, const u32 *key, u32 (*tables)[256], const u8 *last, u32 turn) {
  u32 state[4], next[4];
  for (u32 i = 0; i < 4; i++) state[i] = big32(from + 4 * i) ^ key[i];
  for (u32 round = 1; round <= 10; round++) {
    key += 4;
    for (u32 i = 0; i < 4; i++) {
      u32 a = state[i] >> 24, b = state[(i + turn) & 3] >> 16 & 255, c = state[(i + 2) & 3] >> 8 & 255;
      u32 d = state[(i - turn) & 3] & 255;
      next[i] = round < 10 ? tables[0][a] ^ tables[1][b] ^ tables[2][c] ^ tables[3][d]
                           : (u32)last[a] << 24 | (u32)last[b] << 16 | (u32)last[c] << 8 | last[d];
      next[i] ^= key[i];
    }
    memcpy(state, next, sizeof state);
  }
  for (u32 i = 0; i < 16; i++) to[i] = (u8)(state[i / 4] >> (24 - i % 4 * 8));
}

static void encrypt(const u8 *from, u8 *to) { aes(from, to, keys, forward, box, 1); }
static void decrypt(const u8 *from, u8 *to) { aes(from, to, inverse_keys, backward, inverse_box, 3); }

/* ChaCha20. */
static void quarter(u32 *s, u32 a, u32 b, u32 c, u32 d) {
  s[a] += s[b], s[d] = left32(s[d] ^ s[a], 16);
  s[c] += s[d], s[b] = left32(s[b] ^ s[c], 12);
  s[a] += s[b], s[d] = left32(s[d] ^ s[a], 8);
  s[c] += s[d], s[b] = left32(s[b] ^ s[c], 7);
}

static void chacha(const u8 *key, u32 counter, const u8 *nonce, u8 *output) {
  u32 first[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, state[16];
  for (u32 i = 0; i < 8; i++) first[4 + i] = little32(key + 4 * i);
  first[12] = counter;
  for (u32 i = 0; i < 3; i++) first[13 + i] = little32(nonce + 4 * i);
  memcpy(state, first, sizeof state);
  for (u32 i = 0; i < 10; i++) {
    for (u32 j = 0; j < 4; j++) quarter(state, j, j + 4, j + 8, j + 12);
    for (u32 j = 0; j < 4; j++) quarter(state, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4);
  }
  for (u32 i = 0; i < 64; i++) output[i] = (u8)((state[i / 4] + first[i / 4]) >> i % 4 * 8);
}

void program(void) {
  u8 output[64], key[64], before[16], block[16];
  make_constants();
  make_tables();
  for (u32 i = 0; i < COUNT(hashes); i++) {
    hash_of(&hashes[i], 0, (const u8 *)"", 0, output);
    put_bytes(hashes[i].name, output, hashes[i].output);
    hash_of(&hashes[i], 0, (const u8 *)"abc", 3, output);
    put_bytes("  of abc", output, hashes[i].output);
    keyed(&hashes[i], (const u8 *)"Jefe", 4, (const u8 *)"what do ya want for nothing?", 28, output);
    put_bytes("  keyed", output, hashes[i].output);
    u32 state = 17;
    for (u32 j = 0; j < sizeof text; j++) text[j] = (u8)next_random(&state);
    for (u32 size = 0; size < sizeof text; size += 37) {
      hash_of(&hashes[i], 0, text, size, output);
      for (u32 j = 0; j < hashes[i].output; j++) text[(j * 31 + size) % sizeof text] ^= output[j];
    }
    put_bytes("  of much", output, hashes[i].output);
  }
  for (u32 i = 0; i < 64; i++) key[i] = (u8)i;
  for (u32 i = 0; i < 16; i++) block[i] = (u8)(i * 0x11);
  expand_key(key);
  encrypt(block, output);
  put_bytes("AES-128", output, 16);
  decrypt(output, output);
  put_bytes("  and back", output, 16);
  memset(before, 0, sizeof before);
  for (u32 at = 0; at < sizeof text; at += 16) {
    for (u32 i = 0; i < 16; i++) before[i] ^= text[at + i];
    encrypt(before, before);
    memcpy(text + at, before, 16);
  }
  hash_of(&hashes[0], 0, text, sizeof text, output);
  put_bytes("  chained", output, 32);
  for (u32 at = sizeof text; at > 0; at -= 16) {
    decrypt(text + at - 16, block);
    for (u32 i = 0; i < 16; i++) text[at - 16 + i] = (u8)(block[i] ^ (at > 16 ? text[at - 32 + i] : 0));
  }
  hash_of(&hashes[0], 0, text, sizeof text, output);
  put_bytes("  and back", output, 32);
  static const u8 nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
  chacha(key, 1, nonce, output);
  put_bytes("ChaCha20", output, 64);
  for (u32 at = 0; at < sizeof text; at += 64) {
    chacha(key, at, nonce, output);
    for (u32 i = 0; i < 64; i++) text[at + i] ^= output[i];
  }
  hash_of(&hashes[2], 0, text, sizeof text, output);
  put_bytes("  over text", output, 16);
}
