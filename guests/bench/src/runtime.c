/* Everything between the start-up code and a guest's work: the serial line, the command line, the end. */
#include "machine.h"

#define COM1 0x3f8
#define COM1_LSR (COM1 + 5)
#define LSR_THRE 0x20
#define DEBUG_EXIT 0xf4
#define INFO_COMMAND_LINE 4u

struct multiboot_info {
  u32 flags, mem_lower, mem_upper, boot_device, command_line;
};

void *memcpy(void *to, const void *from, usize size) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return start;
}

void *memset(void *to, int value, usize size) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return start;
}

void allow_execution(void *start, usize size) {
  (void)start;
  (void)size;
}

static void put(char character) {
  while (!(in8(COM1_LSR) & LSR_THRE)) {
  }
  out8(COM1, (u8)character);
}

static void print(const char *text) {
  while (*text) put(*text++);
}

static void print_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
}

/* Whether a command line has a word. */
static u32 has_word(const char *line, const char *word) {
  while (*line) {
    const char *at = word;
    while (*at && *line == *at) line++, at++;
    if (!*at && (*line == 0 || *line == ' ')) return 1;
    while (*line && *line != ' ') line++;
    while (*line == ' ') line++;
  }
  return 0;
}

/* Called by the start-up code with EAX and EBX of the boot loader. */
void kernel_main(u32 magic, u32 info_address) {
  const struct multiboot_info *info = (const struct multiboot_info *)(uptr)info_address;
  u32 quick = 0;
  print(bench_name);
  print(" start\n");
  if (magic == 0x2badb002 && (info->flags & INFO_COMMAND_LINE) && info->command_line) {
    quick = has_word((const char *)(uptr)info->command_line, "quick");
  }
  u32 checksum = bench_work(quick);
  print(bench_name);
  put(' ');
  print_hex(checksum);
  put('\n');
  out8(DEBUG_EXIT, 0);
}
