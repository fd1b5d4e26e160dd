/* What every program of this folder and its surroundings share. */
#ifndef PROGRAM_H
#define PROGRAM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef __UINTPTR_TYPE__ uptr;
typedef __SIZE_TYPE__ usize;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEEP __attribute__((noinline, noclone))

/* The work of a program. */
void program(void);

/* Text to whoever listens; it goes out with the end of the line. */
void put_char(char character);
void put_text(const char *text);
void put_hex(u64 value, u32 digits);
void put_unsigned(u64 value);
void put_signed(i64 value);
/* "label: xxxxxxxx" and the end of the line. */
void put_sum(const char *label, u32 sum);
/* "label: " and the bytes in hexadecimal. */
void put_bytes(const char *label, const void *bytes, usize size);
/* "label: " and a number. */
void put_number(const char *label, i64 value);

/* Numbers with a point, in decimal with so many digits, correctly rounded; and "inf", or the bits of what is no number. */
void put_double(double value, u32 digits);
void put_extended(long double value, u32 digits);
u64 double_bits(double value);
u32 float_bits(float value);

/* What the compiler may call. */
void *memcpy(void *to, const void *from, usize size);
void *memmove(void *to, const void *from, usize size);
void *memset(void *to, int value, usize size);
int memcmp(const void *left, const void *right, usize size);
usize text_length(const char *text);

/* The next pseudo-random number of a 32-bit xorshift generator; the state must not be 0. */
static inline u32 next_random(u32 *state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

/* Adds a number to a checksum. */
static inline u32 mix(u32 sum, u32 value) {
  sum ^= value;
  sum *= 0x9e3779b1u;
  return sum ^ (sum >> 15);
}

static inline u32 mix64(u32 sum, u64 value) { return mix(mix(sum, (u32)value), (u32)(value >> 32)); }

/* The other side of the runtime: guest.c on the bare processor, host.c in a process. */
void write_out(const char *text, usize size);
/* Runs the program, and says a checksum of all that it said. */
void run_program(void);

#endif
