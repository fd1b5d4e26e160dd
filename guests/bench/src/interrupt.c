/* Interrupts by INT n, and IRET: half of them in ring 0, half from ring 3. */
#include "rings.h"

#define VECTOR 0x80

const char bench_name[] = "interrupt";

enum { ADD, MIX, LEAVE };

static u32 rounds, total;

uptr handle_call(u32 number, u32 argument) {
  switch (number) {
    case ADD: return total += argument;
    case MIX: return total = mix(total, argument);
    default: leave_user();
  }
}

struct gate {
  u16 low, selector, type, high;
#ifdef __x86_64__
  u32 highest, reserved;
#endif
};

static struct gate gates[VECTOR + 1];

static void prepare(void) {
  struct {
    u16 limit;
    uptr base;
  } __attribute__((packed)) table = {sizeof gates - 1, (uptr)gates};
  uptr entry = (uptr)interrupt_entry;
  gates[VECTOR].low = (u16)entry;
  gates[VECTOR].selector = KERNEL_CODE;
  gates[VECTOR].type = 0xee00; /* present, DPL 3, interrupt gate */
  gates[VECTOR].high = (u16)(entry >> 16);
  __asm__ volatile("lidt %0" : : "m"(table));
  *(uptr *)(start_tss + 4) = (uptr)TOP_OF(entry_stack);
#ifndef __x86_64__
  *(u32 *)(start_tss + 8) = KERNEL_DATA;
#endif
  __asm__ volatile("ltr %w0" : : "r"(0x30));
}

static inline u32 call(u32 number, u32 argument) {
#ifdef __x86_64__
  uptr result;
  __asm__ volatile("int $0x80" : "=a"(result) : "D"(number), "S"(argument) : "memory", "cc");
  return (u32)result;
#else
  __asm__ volatile("int $0x80" : "+a"(number) : "b"(argument) : "memory", "cc");
  return number;
#endif
}

static void half(void) {
  u32 sum = 0;
  for (u32 round = 0; round < rounds; round++) sum ^= call(round & 1, sum + round);
}

static void user(void) {
  half();
  call(LEAVE, 0);
}

u32 bench_work(u32 quick) {
  rounds = ROUNDS(quick, 200000);
  prepare();
  half();
  enter_user(user, TOP_OF(user_stack));
  return total;
}
