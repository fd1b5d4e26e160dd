/* Large whole numbers: products by two ways, division, powers to a modulus, primes, a small RSA, digits of pi and e. */
#include "program.h"

#define WORDS 40

/* Words of 32 bits, the lowest first; no leading zeros. */
struct number {
  u32 size;
  u32 words[WORDS];
};

static void trim(struct number *a) {
  while (a->size > 0 && a->words[a->size - 1] == 0) a->size--;
}

static void set(struct number *a, u32 value) {
  a->words[0] = value;
  a->size = value != 0;
}

static i32 compare(const struct number *a, const struct number *b) {
  if (a->size != b->size) return a->size < b->size ? -1 : 1;
  for (u32 i = a->size; i-- > 0;) {
    if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
  }
  return 0;
}

static void add(struct number *to, const struct number *a, const struct number *b) {
  u32 size = a->size > b->size ? a->size : b->size;
  u64 carry = 0;
  for (u32 i = 0; i < size; i++) {
    carry += (u64)(i < a->size ? a->words[i] : 0) + (i < b->size ? b->words[i] : 0);
    to->words[i] = (u32)carry;
    carry >>= 32;
  }
  to->size = size;
  if (carry) to->words[to->size++] = (u32)carry;
}

/* a must not be less than b. */
static void subtract(struct number *to, const struct number *a, const struct number *b) {
  u32 borrow = 0;
  for (u32 i = 0; i < a->size; i++) {
    u64 difference = (u64)a->words[i] - (i < b->size ? b->words[i] : 0) - borrow;
    to->words[i] = (u32)difference;
    borrow = (u32)(difference >> 32) & 1;
  }
  to->size = a->size;
  trim(to);
}

static void multiply(struct number *to, const struct number *a, const struct number *b) {
  struct number product;
  memset(product.words, 0, sizeof product.words);
  for (u32 i = 0; i < a->size; i++) {
    u64 carry = 0;
    for (u32 j = 0; j < b->size; j++) {
      carry += (u64)a->words[i] * b->words[j] + product.words[i + j];
      product.words[i + j] = (u32)carry;
      carry >>= 32;
    }
    product.words[i + b->size] = (u32)carry;
  }
  product.size = a->size + b->size;
  trim(&product);
  *to = product;
}

static void shift_left(struct number *a, u32 by) {
  struct number result;
  u32 words = by / 32, bits = by % 32;
  memset(result.words, 0, sizeof result.words);
  for (u32 i = 0; i < a->size; i++) {
    result.words[i + words] |= a->words[i] << bits;
    if (bits != 0) result.words[i + words + 1] |= a->words[i] >> (32 - bits);
  }
  result.size = a->size + words + 1;
  trim(&result);
  *a = result;
}

static void shift_right(struct number *a, u32 by) {
  u32 words = by / 32, bits = by % 32;
  if (words >= a->size) {
    a->size = 0;
    return;
  }
  for (u32 i = 0; i + words < a->size; i++) {
    u64 pair = a->words[i + words] | (i + words + 1 < a->size ? (u64)a->words[i + words + 1] << 32 : 0);
    a->words[i] = (u32)(pair >> bits);
  }
  a->size -= words;
  trim(a);
}

/* A part of a number: its words from `from` on, at most `size`. */
static void part(struct number *to, const struct number *a, u32 from, u32 size) {
  to->size = a->size <= from ? 0 : a->size - from < size ? a->size - from : size;
  memcpy(to->words, a->words + from, to->size * 4);
  trim(to);
}

/* Karatsuba's product: three products of halves. */
static void karatsuba(struct number *to, const struct number *a, const struct number *b) {
  u32 size = a->size > b->size ? a->size : b->size;
  if (size < 6) {
    multiply(to, a, b);
    return;
  }
  u32 half = size / 2;
  struct number low_a, high_a, low_b, high_b, middle;
  part(&low_a, a, 0, half), part(&high_a, a, half, size);
  part(&low_b, b, 0, half), part(&high_b, b, half, size);
  add(to, &low_a, &high_a);
  add(&middle, &low_b, &high_b);
  karatsuba(&middle, to, &middle);
  karatsuba(&low_a, &low_a, &low_b);
  karatsuba(&high_a, &high_a, &high_b);
  subtract(&middle, &middle, &low_a);
  subtract(&middle, &middle, &high_a);
  shift_left(&middle, 32 * half);
  shift_left(&high_a, 64 * half);
  add(to, &low_a, &middle);
  add(to, to, &high_a);
}

/* Long division with words as digits. */
static void divide(struct number *quotient, struct number *rest, const struct number *a, const struct number *b) {
  struct number left = *a, by = *b, result;
  if (compare(a, b) < 0) {
    if (quotient) set(quotient, 0);
    *rest = left;
    return;
  }
  u32 shift = (u32)__builtin_clz(b->words[b->size - 1]);
  shift_left(&left, shift);
  shift_left(&by, shift);
  left.words[left.size] = 0;
  u32 places = left.size - by.size + 1, top = by.words[by.size - 1];
  u32 next = by.size > 1 ? by.words[by.size - 2] : 0;
  for (u32 place = places; place-- > 0;) {
    u32 *at = left.words + place;
    u64 high = (u64)at[by.size] << 32 | at[by.size - 1];
    u64 digit = high / top, over = high % top;
    while (digit >> 32 || digit * next > (over << 32 | (by.size > 1 ? at[by.size - 2] : 0))) {
      digit--;
      over += top;
      if (over >> 32) break;
    }
    u64 carry = 0;
    u32 borrow = 0;
    for (u32 i = 0; i <= by.size; i++) {
      if (i < by.size) carry += digit * by.words[i];
      u64 difference = (u64)at[i] - (u32)carry - borrow;
      at[i] = (u32)difference;
      borrow = (u32)(difference >> 32) & 1;
      carry >>= 32;
    }
    if (borrow) {
      digit--;
      carry = 0;
      for (u32 i = 0; i <= by.size; i++) {
        carry += (u64)at[i] + (i < by.size ? by.words[i] : 0);
        at[i] = (u32)carry;
        carry >>= 32;
      }
    }
    result.words[place] = (u32)digit;
  }
  result.size = places;
  trim(&result);
  left.size = by.size;
  trim(&left);
  shift_right(&left, shift);
  *rest = left;
  if (quotient) *quotient = result;
}

static void put_number_of(const char *label, const struct number *a) {
  put_text(label);
  put_text(": ");
  for (u32 i = a->size; i-- > 0;) put_hex(a->words[i], 8);
  put_char('\n');
}

static void put_in_decimal(const struct number *a) {
  static u32 groups[2 * WORDS];
  struct number left = *a;
  u32 count = 0;
  while (left.size > 0) {
    u64 rest = 0;
    for (u32 i = left.size; i-- > 0;) {
      rest = rest << 32 | left.words[i];
      left.words[i] = (u32)(rest / 1000000000);
      rest %= 1000000000;
    }
    groups[count++] = (u32)rest;
    trim(&left);
  }
  put_unsigned(count == 0 ? 0 : groups[--count]);
  while (count-- > 0) {
    for (u32 by = 100000000; by > 0; by /= 10) put_char((char)('0' + groups[count] / by % 10));
  }
  put_char('\n');
}

/* base^exponent to a modulus, from the highest bit of the exponent on. */
static void power(struct number *to, const struct number *base, const struct number *exponent, const struct number *modulus) {
  struct number result;
  set(&result, 1);
  for (u32 bit = 32 * exponent->size; bit-- > 0;) {
    multiply(&result, &result, &result);
    divide(0, &result, &result, modulus);
    if (exponent->words[bit / 32] >> bit % 32 & 1) {
      multiply(&result, &result, base);
      divide(0, &result, &result, modulus);
    }
  }
  *to = result;
}

/* The inverse of a small number to a modulus, by Euclid with one sign kept apart. */
static void inverse(struct number *to, const struct number *a, const struct number *modulus) {
  struct number r0 = *modulus, r1 = *a, t0, t1, quotient, product;
  i32 negative = 1;
  set(&t0, 0);
  set(&t1, 1);
  while (r1.size > 0) {
    struct number rest;
    divide(&quotient, &rest, &r0, &r1);
    multiply(&product, &quotient, &t1);
    add(&product, &product, &t0);
    t0 = t1, t1 = product, r0 = r1, r1 = rest;
    negative = -negative;
  }
  if (negative > 0) {
    subtract(to, modulus, &t0);
  } else {
    *to = t0;
  }
}

static u32 is_prime(const struct number *a) {
  static const u32 witnesses[] = {2, 3, 5, 7};
  struct number one, less, odd, base, value;
  for (u32 by = 3; by < 200; by += 2) {
    u64 rest = 0;
    for (u32 i = a->size; i-- > 0;) rest = (rest << 32 | a->words[i]) % by;
    if (rest == 0) return 0;
  }
  set(&one, 1);
  subtract(&less, a, &one);
  odd = less;
  u32 twos = 0;
  while (!(odd.words[0] & 1)) shift_right(&odd, 1), twos++;
  for (u32 i = 0; i < COUNT(witnesses); i++) {
    set(&base, witnesses[i]);
    power(&value, &base, &odd, a);
    u32 good = compare(&value, &one) == 0;
    for (u32 j = 0; j < twos && !good; j++) {
      good = compare(&value, &less) == 0;
      multiply(&value, &value, &value);
      divide(0, &value, &value, a);
    }
    if (!good) return 0;
  }
  return 1;
}

static void next_prime(struct number *a, u32 words, u32 *state) {
  struct number two;
  set(&two, 2);
  for (u32 i = 0; i < words; i++) a->words[i] = next_random(state);
  a->words[0] |= 1;
  a->words[words - 1] |= 0xc0000000u;
  a->size = words;
  while (!is_prime(a)) add(a, a, &two);
}

static void rsa(void) {
  struct number p, q, n, totient, e, d, one, message, secret, again;
  u32 state = 2024;
  next_prime(&p, 4, &state);
  next_prime(&q, 4, &state);
  put_number_of("p", &p);
  put_number_of("q", &q);
  multiply(&n, &p, &q);
  set(&one, 1);
  subtract(&p, &p, &one);
  subtract(&q, &q, &one);
  multiply(&totient, &p, &q);
  set(&e, 65537);
  inverse(&d, &e, &totient);
  put_number_of("d", &d);
  message.size = 7;
  for (u32 i = 0; i < 7; i++) message.words[i] = 0x64636261u + i * 0x04040404u;
  power(&secret, &message, &e, &n);
  put_number_of("secret", &secret);
  power(&again, &secret, &d, &n);
  put_text(compare(&message, &again) == 0 ? "the message is back\n" : "the message is NOT back\n");
}

static void products(void) {
  struct number a, b, plain, clever, quotient, rest;
  u32 state = 31, sum = 1, bad = 0;
  for (u32 round = 0; round < 60; round++) {
    a.size = 1 + next_random(&state) % 18;
    b.size = 1 + next_random(&state) % 18;
    for (u32 i = 0; i < WORDS / 2; i++) {
      u32 kind = next_random(&state) & 7;
      a.words[i] = kind == 0 ? 0xffffffffu : kind == 1 ? 0 : next_random(&state);
      b.words[i] = kind == 2 ? 0xffffffffu : kind == 3 ? 0x80000000u : next_random(&state);
    }
    a.words[a.size - 1] |= 1, b.words[b.size - 1] |= 1;
    multiply(&plain, &a, &b);
    karatsuba(&clever, &a, &b);
    bad += compare(&plain, &clever) != 0;
    divide(&quotient, &rest, &plain, &b);
    bad += compare(&quotient, &a) != 0 || rest.size != 0;
    divide(&quotient, &rest, &a, &b);
    multiply(&clever, &quotient, &b);
    add(&clever, &clever, &rest);
    bad += compare(&clever, &a) != 0 || compare(&rest, &b) >= 0;
    for (u32 i = 0; i < plain.size; i++) sum = mix(sum, plain.words[i]);
    for (u32 i = 0; i < rest.size; i++) sum = mix(sum, rest.words[i]);
  }
  put_sum("products", sum);
  put_number("wrong", bad);
}

/* The digits of pi by a spigot, those of e by their series. */
static void digits(void) {
#define DIGITS 100
  static u32 pi[DIGITS * 10 / 3 + 2], e[DIGITS];
  u32 size = COUNT(pi), nines = 0, held = 0;
  for (u32 i = 0; i < size; i++) pi[i] = 2;
  put_text("pi: ");
  for (u32 shown = 0; shown <= DIGITS; shown++) {
    u32 carry = 0;
    for (u32 i = size; i-- > 0;) {
      u32 value = pi[i] * 10 + carry;
      u32 by = i == 0 ? 10 : 2 * i + 1;
      pi[i] = value % by;
      carry = value / by * (i == 0 ? 1 : i);
    }
    if (carry == 9) {
      nines++;
      continue;
    }
    if (shown > 0) put_char((char)('0' + held + (carry == 10)));
    for (; nines > 0; nines--) put_char(carry == 10 ? '0' : '9');
    held = carry == 10 ? 0 : carry;
  }
  put_text("\ne: 2.");
  for (u32 i = 0; i < DIGITS; i++) e[i] = 1;
  for (u32 shown = 0; shown < DIGITS - 20; shown++) {
    u32 carry = 0;
    for (u32 i = DIGITS; i-- > 0;) {
      u32 value = e[i] * 10 + carry;
      e[i] = value % (i + 2);
      carry = value / (i + 2);
    }
    put_char((char)('0' + carry));
  }
  put_char('\n');
}

void program(void) {
  struct number a, b, c;
  products();
  set(&a, 1);
  for (u32 i = 2; i <= 100; i++) {
    set(&b, i);
    multiply(&a, &a, &b);
  }
  put_text("100!: ");
  put_in_decimal(&a);
  set(&a, 0);
  set(&b, 1);
  for (u32 i = 0; i < 500; i++) add(&c, &a, &b), a = b, b = c;
  put_text("Fibonacci: ");
  put_in_decimal(&a);
  rsa();
  digits();
}
