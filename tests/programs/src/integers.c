/* Edges of whole numbers: multiplication and division in every width, shifts, rotations, overflow, bits, strings. */
#include "program.h"

#define OPAQUE(value) __asm__ volatile("" : "+g"(value))

static const u64 edges[] = {
  0, 1, 2, 3, 7, 10, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001,
  0xfffffffe, 0xffffffff, 0x100000000, 0x100000001, 0x123456789abcdef, 0x7ffffffffffffffe, 0x7fffffffffffffff,
  0x8000000000000000, 0x8000000000000001, 0xdeadbeefcafef00d, 0xfffffffeffffffff, 0xfffffffffffffffe, 0xffffffffffffffff,
};

/* Multiplication, division and rest in one width; what would fault is left out. */
#define DIVISIONS(name, type, wide, least) \
  static KEEP u32 divide_##name(u32 sum, type a, type b) { \
    sum = mix64(sum, (u64)(wide)(type)(a * b)); \
    if (b == 0 || ((least) != 0 && a == (type)(least) && b == (type)-1)) return mix(sum, 0xdd); \
    sum = mix64(sum, (u64)(wide)(type)(a / b)); \
    return mix64(sum, (u64)(wide)(type)(a % b)); \
  }
DIVISIONS(i8, i8, i64, 0x80)
DIVISIONS(u8, u8, u64, 0)
DIVISIONS(i16, i16, i64, 0x8000)
DIVISIONS(u16, u16, u64, 0)
DIVISIONS(i32, i32, i64, 0x80000000)
DIVISIONS(u32, u32, u64, 0)
DIVISIONS(i64, i64, i64, 0x8000000000000000)
DIVISIONS(u64, u64, u64, 0)

static void divisions(void) {
  u32 bytes = 1, words = 2, doubles = 3, quads = 4;
  for (u32 i = 0; i < COUNT(edges); i++) {
    for (u32 j = 0; j < COUNT(edges); j++) {
      u64 a = edges[i], b = edges[j];
      bytes = divide_u8(divide_i8(bytes, (i8)a, (i8)b), (u8)a, (u8)b);
      words = divide_u16(divide_i16(words, (i16)a, (i16)b), (u16)a, (u16)b);
      doubles = divide_u32(divide_i32(doubles, (i32)a, (i32)b), (u32)a, (u32)b);
      quads = divide_u64(divide_i64(quads, (i64)a, (i64)b), a, b);
    }
  }
  put_sum("divisions of bytes", bytes);
  put_sum("divisions of words", words);
  put_sum("divisions of doublewords", doubles);
  put_sum("divisions of quadwords", quads);
  u32 state = 12345, sum = 5;
  for (u32 i = 0; i < 4000; i++) {
    u64 a = ((u64)next_random(&state) << 32) | next_random(&state);
    u64 b = (((u64)next_random(&state) << 32) | next_random(&state)) >> (next_random(&state) & 63);
    sum = divide_u64(divide_i64(sum, (i64)a, (i64)b), a, b);
  }
  put_sum("random divisions", sum);
  sum = 6;
  for (u32 i = 0; i < 4000; i++) {
    u32 a = next_random(&state);
    sum = mix(sum, a / 3 + a / 7 * 5 + a % 10 + a / 641 + a % 1000003);
    sum = mix(sum, (u32)((i32)a / 3 + (i32)a / -7 + (i32)a % 10 + (i32)a / 65536 + (i32)a % -1024));
    u64 wide = ((u64)a << 27) * a;
    sum = mix64(sum, wide / 3 + wide / 10 + wide % 1000000007);
  }
  put_sum("divisions by constants", sum);
}

static void products(void) {
  u32 sum = 7;
  for (u32 i = 0; i < COUNT(edges); i++) {
    for (u32 j = 0; j < COUNT(edges); j++) {
      u64 a = edges[i], b = edges[j];
      /* The high half of the product of 64 bits, by parts. */
      u64 low = (u64)(u32)a * (u32)b, middle = (a >> 32) * (u32)b + (low >> 32);
      u64 other = (u64)(u32)a * (b >> 32) + (u32)middle;
      u64 high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
      sum = mix64(mix64(sum, high), a * b);
      sum = mix64(sum, (u64)((i64)(i32)a * (i32)b));
      sum = mix(sum, (u32)((i16)a * (i16)b));
      sum = mix(sum, (u32)((i8)a * (i8)b));
#ifdef __x86_64__
      if ((u64)(((unsigned __int128)a * b) >> 64) != high) put_text("the product of 128 bits differs\n");
#endif
    }
  }
  put_sum("products", sum);
}

static void overflows(void) {
  u32 sum = 8, count = 0;
  for (u32 i = 0; i < COUNT(edges); i++) {
    for (u32 j = 0; j < COUNT(edges); j++) {
      u64 a = edges[i], b = edges[j];
      i32 narrow;
      i64 wide;
      u32 plain;
      i16 word;
      i8 byte;
      u32 found = __builtin_add_overflow((i32)a, (i32)b, &narrow);
      sum = mix(sum, (u32)narrow);
      found += __builtin_sub_overflow((i32)a, (i32)b, &narrow) << 1;
      sum = mix(sum, (u32)narrow);
      found += __builtin_mul_overflow((i32)a, (i32)b, &narrow) << 2;
      sum = mix(sum, (u32)narrow);
      found += __builtin_add_overflow((u32)a, (u32)b, &plain) << 3;
      found += __builtin_mul_overflow((u32)a, (u32)b, &plain) << 4;
      found += __builtin_add_overflow((i64)a, (i64)b, &wide) << 5;
      sum = mix64(sum, (u64)wide);
      found += __builtin_sub_overflow((i64)a, (i64)b, &wide) << 6;
      sum = mix64(sum, (u64)wide);
      found += __builtin_add_overflow((i16)a, (i16)b, &word) << 7;
      found += __builtin_mul_overflow((i8)a, (i8)b, &byte) << 8;
      sum = mix(sum, found ^ (u32)word << 9 ^ (u32)byte << 3);
      count += (u32)__builtin_popcount(found);
    }
  }
  put_number("overflows", count);
  put_sum("what they left", sum);
}

static KEEP u32 rotate_left(u32 value, u32 by) { return (value << (by & 31)) | (value >> (-by & 31)); }
static KEEP u32 rotate_right(u32 value, u32 by) { return (value >> (by & 31)) | (value << (-by & 31)); }
static KEEP u64 rotate64(u64 value, u32 by) { return (value << (by & 63)) | (value >> (-by & 63)); }
static KEEP u16 rotate16(u16 value, u32 by) { return (u16)((value << (by & 15)) | (value >> (-by & 15))); }
static KEEP u8 rotate8(u8 value, u32 by) { return (u8)((value >> (by & 7)) | (value << (-by & 7))); }

static void shifts(void) {
  u32 sum = 9, turned = 10;
  for (u32 i = 0; i < COUNT(edges); i++) {
    for (u32 by = 0; by < 64; by++) {
      u64 a = edges[i];
      OPAQUE(by);
      sum = mix64(mix64(sum, a << by), a >> by);
      sum = mix64(sum, (u64)((i64)a >> by));
      sum = mix(sum, (u32)a << (by & 31));
      sum = mix(sum, (u32)((i32)a >> (by & 31)));
      sum = mix(sum, (u32)(u16)((u16)a >> (by & 15)));
      sum = mix(sum, (u32)(i16)((i16)a >> (by & 15)));
      sum = mix(sum, (u32)(i8)((i8)a >> (by & 7)));
      turned = mix(mix(turned, rotate_left((u32)a, by)), rotate_right((u32)a, by));
      turned = mix(mix64(turned, rotate64(a, by)), (u32)rotate16((u16)a, by) << 8 | rotate8((u8)a, by));
    }
  }
  put_sum("shifts", sum);
  put_sum("rotations", turned);
}

/* Rotations through the carry and double shifts, which no C asks for. */
static void carried(void) {
  u32 sum = 11, state = 77;
  for (u32 i = 0; i < 500; i++) {
    u32 a = next_random(&state), b = next_random(&state), carry;
    u8 by = (u8)(next_random(&state) & 31);
    __asm__("btl $7, %1; rcll %%cl, %0; sbbl %1, %1" : "+r"(a), "=r"(carry) : "c"(by), "1"(b) : "cc");
    sum = mix(mix(sum, a), carry);
    __asm__("btl $9, %1; rcrl $5, %0; adcl %1, %0; sbbl $0, %1" : "+r"(a), "+r"(b) : : "cc");
    sum = mix(mix(sum, a), b);
    __asm__("shldl %%cl, %1, %0; shrdl $11, %0, %1" : "+r"(a), "+r"(b) : "c"(by) : "cc");
    sum = mix(mix(sum, a), b);
    u16 word = (u16)a;
    __asm__("rcrw $3, %0; rclw $1, %0; xchgb %b0, %h0; adcw $0x7fff, %0" : "+Q"(word) : : "cc");
    u8 low = (u8)b, high = (u8)(b >> 8);
    __asm__("addb %1, %0; rclb $2, %0; sbbb %0, %1; setob %1" : "+q"(low), "+q"(high) : : "cc");
    sum = mix(sum, (u32)word << 16 | (u32)low << 8 | high);
  }
  put_sum("through the carry", sum);
  u32 wide[12] = {0}, other[12];
  for (u32 i = 0; i < 12; i++) other[i] = next_random(&state) | 0x80000000u;
  for (u32 round = 0; round < 50; round++) {
    u8 carry = 0;
    for (u32 i = 0; i < 12; i++) {
      __asm__("addb $0xff, %1; adcl %2, %0; setcb %1" : "+r"(wide[i]), "+q"(carry) : "r"(other[i]) : "cc");
    }
    sum = mix(sum, carry);
  }
  for (u32 i = 0; i < 12; i++) sum = mix(sum, wide[i]);
  put_sum("a long addition", sum);
}

static void bits(void) {
  u32 sum = 12, state = 99;
  for (u32 i = 0; i < 3000; i++) {
    u32 a = next_random(&state);
    u64 wide = ((u64)a << 32 | next_random(&state)) >> (a & 31);
    sum = mix(sum, (u32)__builtin_popcount(a) << 24 | (u32)__builtin_popcountll(wide) << 16);
    if (a != 0) sum = mix(sum, (u32)__builtin_clz(a) << 8 | (u32)__builtin_ctz(a));
    if (wide != 0) sum = mix(sum, (u32)__builtin_clzll(wide) << 8 | (u32)__builtin_ctzll(wide));
    sum = mix64(mix(sum, __builtin_bswap32(a)), __builtin_bswap64(wide));
    sum = mix(sum, (u32)__builtin_bswap16((u16)a) | (u32)__builtin_parity(a) << 16 | (u32)__builtin_ffs((int)a) << 20);
    a &= a - 1;
    u32 reversed = 0;
    for (u32 bit = 0; bit < 32; bit++) reversed |= ((a >> bit) & 1) << (31 - bit);
    sum = mix(sum, reversed);
  }
  put_sum("bits", sum);
  static u32 map[40];
  for (u32 i = 0; i < 2000; i++) {
    /* The bit's number reaches beyond the operand, in both directions. */
    i32 number = (i32)(next_random(&state) % 1200) - 560;
    u8 was;
    switch (i % 3) {
      case 0:
        __asm__("btsl %2, %1; setcb %0" : "=q"(was), "+m"(map[18]) : "r"(number) : "cc", "memory");
        break;
      case 1:
        __asm__("btrl %2, %1; setcb %0" : "=q"(was), "+m"(map[18]) : "r"(number) : "cc", "memory");
        break;
      default:
        __asm__("btcl %2, %1; setcb %0" : "=q"(was), "+m"(map[18]) : "r"(number) : "cc", "memory");
    }
    sum = mix(sum, was);
  }
  for (u32 i = 0; i < COUNT(map); i++) sum = mix(sum, map[i]);
  put_sum("a map of bits", sum);
}

/* A number of 16 binary-coded digits in decimal adjustment, where there are instructions for it; elsewhere by hand. */
static void decimal(void) {
  u8 a[10] = {0}, b[10] = {0x97, 0x86, 0x75, 0x64, 0x53, 0x42, 0x31, 0x20, 0x19, 0x08};
  u32 sum = 13;
  for (u32 round = 0; round < 300; round++) {
    u8 carry = 0;
    for (u32 i = 0; i < 10; i++) {
#ifdef __i386__
      __asm__("negb %1; movb %0, %%al; adcb %2, %%al; daa; movb %%al, %0; setcb %1"
              : "+m"(a[i]), "+q"(carry) : "q"(b[i]) : "eax", "cc");
#else
      u32 low = (a[i] & 15u) + (b[i] & 15u) + carry, high = (a[i] >> 4) + (b[i] >> 4);
      if (low > 9) low -= 10, high++;
      carry = high > 9;
      if (carry) high -= 10;
      a[i] = (u8)(high << 4 | low);
#endif
    }
    for (u32 i = 0; i < 10; i++) sum = mix(sum, a[i]);
  }
  put_text("decimal: ");
  for (u32 i = 10; i-- > 0;) put_hex(a[i], 2);
  put_char('\n');
  for (u32 i = 0; i < 256; i++) {
    u32 tens, ones;
#ifdef __i386__
    u32 both;
    __asm__("aam" : "=a"(both) : "a"(i) : "cc");
    tens = (both >> 8) & 255, ones = both & 255;
    __asm__("aad" : "=a"(both) : "a"(both & 0xffff) : "cc");
    if ((both & 255) != i) put_text("AAD differs\n");
#else
    tens = i / 10, ones = i % 10;
#endif
    sum = mix(sum, tens << 8 | ones);
  }
  put_sum("decimal digits", sum);
}

static u8 left[700], right[700];

static void strings(void) {
  u32 sum = 14, state = 4711;
  for (u32 i = 0; i < sizeof left; i++) left[i] = (u8)(next_random(&state) >> 13);
  for (u32 round = 0; round < 120; round++) {
    u32 from = next_random(&state) % 300, to = next_random(&state) % 300, size = next_random(&state) % 200;
    memmove(left + to, left + from, size);
    memcpy(right, left, sizeof right);
    right[next_random(&state) % sizeof right] ^= (u8)(round & 1);
    memset(right + from, (int)round, size & 15);
    const u8 *a = left, *b = right;
    usize count = sizeof left;
    u8 same;
    __asm__ volatile("repe cmpsb; seteb %0" : "=q"(same), "+S"(a), "+D"(b), "+c"(count) : : "cc", "memory");
    sum = mix(sum, (u32)count << 8 | same);
    sum = mix(sum, (u32)memcmp(left, right, sizeof left));
    const u8 *at = left;
    count = sizeof left;
    __asm__ volatile("repne scasb; seteb %0" : "=q"(same), "+D"(at), "+c"(count) : "a"(round) : "cc", "memory");
    sum = mix(sum, (u32)count << 8 | same);
    u32 added = 0;
    u32 *words = (u32 *)(void *)right;
    count = sizeof right / 4;
    while (count-- != 0) {
      u32 word;
      __asm__ volatile("lodsl" : "=a"(word), "+S"(words) : : "memory");
      added = rotate_left(added, 5) + word;
    }
    sum = mix(sum, added);
    u16 *target = (u16 *)(void *)(right + (from & ~1u));
    count = size / 2;
    __asm__ volatile("rep stosw" : "+D"(target), "+c"(count) : "a"(added) : "memory");
  }
  put_sum("strings", sum);
  put_sum("what is left", mix(memcmp(left, right, 64) < 0, left[99] + right[88]));
}

/* A small machine of words that is driven by a switch and by flags of comparisons in every width. */
static KEEP u32 compare(i64 a, i64 b) {
  u32 found = 0;
  found |= (u32)(a < b) | (u32)(a <= b) << 1 | (u32)((u64)a < (u64)b) << 2 | (u32)((u64)a <= (u64)b) << 3;
  found |= (u32)((i32)a < (i32)b) << 4 | (u32)((u32)a < (u32)b) << 5 | (u32)((i32)a > (i32)b) << 6;
  found |= (u32)((i16)a < (i16)b) << 7 | (u32)((u16)a >= (u16)b) << 8 | (u32)((i8)a < (i8)b) << 9;
  found |= (u32)((u8)a > (u8)b) << 10 | (u32)((a & b) == 0) << 11 | (u32)((i32)(a & b) < 0) << 12;
  found |= (u32)((i8)(a ^ b) < 0) << 13 | (u32)(a == b) << 14;
  return found;
}

static void comparisons(void) {
  u32 sum = 15;
  i64 least = 0, most = 0;
  for (u32 i = 0; i < COUNT(edges); i++) {
    for (u32 j = 0; j < COUNT(edges); j++) {
      i64 a = (i64)edges[i], b = (i64)edges[j];
      sum = mix(sum, compare(a, b));
      i64 chosen = (u64)a > (u64)b ? a : b;
      OPAQUE(chosen);
      least = chosen < least ? chosen : least;
      most = chosen > most ? chosen : most;
      sum = mix64(sum, (u64)(a < b ? -a : b) ^ (u64)(i64)(i8)a ^ (u64)(u16)b);
    }
  }
  put_sum("comparisons", sum);
  put_number("least", least);
  put_number("most", most);
}

static KEEP u32 step(u32 kind, u32 a, u32 b) {
  switch (kind) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * (b | 1);
    case 3: return a / (b | 1);
    case 4: return a % (b | 1);
    case 5: return rotate_left(a, b);
    case 6: return a & ~b;
    case 7: return (u32)((i32)a >> (b & 31));
    case 8: return a ^ b >> 3;
    case 9: return a > b ? a - b : b - a;
    case 10: return (u32)(((u64)a * b) >> 17);
    default: return ~a;
  }
}

void program(void) {
  divisions();
  products();
  overflows();
  shifts();
  carried();
  bits();
  decimal();
  strings();
  comparisons();
  u32 a = 1, state = 5;
  for (u32 i = 0; i < 60000; i++) a = step(a % 12, a, next_random(&state));
  put_sum("steps", a);
}
