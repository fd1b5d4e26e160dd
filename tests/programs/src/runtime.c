/* Text, memory, and what all programs do at their end. */
#include "program.h"

static char line[256];
static u32 used;
static u32 said = 0x811c9dc5u;

static void flush(void) {
  write_out(line, used);
  used = 0;
}

void put_char(char character) {
  said = (said ^ (u8)character) * 0x01000193u;
  line[used++] = character;
  if (character == '\n' || used == sizeof line) flush();
}

void put_text(const char *text) {
  while (*text) put_char(*text++);
}

void put_hex(u64 value, u32 digits) {
  while (digits--) put_char("0123456789abcdef"[(value >> (4 * digits)) & 15]);
}

void put_unsigned(u64 value) {
  char digits[20];
  u32 count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count--) put_char(digits[count]);
}

void put_signed(i64 value) {
  if (value < 0) put_char('-');
  put_unsigned(value < 0 ? -(u64)value : (u64)value);
}

static void put_label(const char *label) {
  put_text(label);
  put_text(": ");
}

void put_sum(const char *label, u32 sum) {
  put_label(label);
  put_hex(sum, 8);
  put_char('\n');
}

void put_bytes(const char *label, const void *bytes, usize size) {
  const u8 *at = bytes;
  put_label(label);
  while (size--) put_hex(*at++, 2);
  put_char('\n');
}

void put_number(const char *label, i64 value) {
  put_label(label);
  put_signed(value);
  put_char('\n');
}

void *memcpy(void *to, const void *from, usize size) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}

void *memmove(void *to, const void *from, usize size) {
  if ((uptr)to - (uptr)from >= size) return memcpy(to, from, size);
  u8 *last = (u8 *)to + size - 1;
  const u8 *source = (const u8 *)from + size - 1;
  __asm__ volatile("std; rep movsb; cld" : "+D"(last), "+S"(source), "+c"(size) : : "memory");
  return to;
}

void *memset(void *to, int value, usize size) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return start;
}

int memcmp(const void *left, const void *right, usize size) {
  const u8 *a = left, *b = right;
  for (usize i = 0; i < size; i++) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

usize text_length(const char *text) {
  const char *end = text;
  while (*end) end++;
  return (usize)(end - text);
}

void run_program(void) {
  program();
  put_text("all: ");
  put_hex(said, 8);
  put_char('\n');
}
