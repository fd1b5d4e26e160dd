/* The guest of gdb_test.ts: 32- or 64-bit, without a library, loaded as a flat binary at 0x100000. */

typedef unsigned long word;

volatile word counter = 5;
volatile word shared;
volatile word spinning;
volatile word crash;

static inline void out8(unsigned short port, unsigned char value) {
  __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(unsigned short port, unsigned short value) {
  __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

__attribute__((noinline)) word work(word n) {
  word sum = 0;
  for (word i = 1; i <= n; i++) sum += i;
  shared = sum;
  return sum;
}

__attribute__((noinline)) void finish(void) {
  out16(0x604, 0x2000);
  for (;;) __asm__ volatile("hlt");
}

void _start(void) {
  word sum = work(counter);
  out8(0x3f8, '0' + sum / 10);
  out8(0x3f8, '0' + sum % 10);
  if (crash) __asm__ volatile("ud2");
  while (spinning) __asm__ volatile("pause");
  finish();
}
