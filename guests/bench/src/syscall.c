/* System calls from ring 3: SYSENTER and SYSEXIT in 32 bits, SYSCALL and SYSRET with SWAPGS in 64. */
#include "rings.h"

const char bench_name[] = "syscall";

enum { ADD, MIX, LEAVE };

static u32 rounds, total;

uptr handle_call(u32 number, u32 argument) {
  switch (number) {
    case ADD: return total += argument;
    case MIX: return total = mix(total, argument);
    default: leave_user();
  }
}

#ifdef __x86_64__
extern uptr cpu_area[2];

static void prepare(void) {
  cpu_area[0] = (uptr)TOP_OF(entry_stack);
  write_msr(0xc0000081, (u64)0x18 << 48 | (u64)KERNEL_CODE << 32); /* STAR */
  write_msr(0xc0000082, (uptr)system_entry);                      /* LSTAR */
  write_msr(0xc0000084, 0x700);                                   /* FMASK */
  write_msr(0xc0000102, (uptr)cpu_area);                          /* KERNEL_GS_BASE */
  write_msr(0xc0000080, read_msr(0xc0000080) | 1);                /* EFER.SCE */
}

static inline u32 call(u32 number, u32 argument) {
  uptr result;
  __asm__ volatile("syscall"
                   : "=a"(result), "+D"(number), "+S"(argument)
                   :
                   : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
  return (u32)result;
}
#else
static void prepare(void) {
  write_msr(0x174, KERNEL_CODE);
  write_msr(0x175, (uptr)TOP_OF(entry_stack));
  write_msr(0x176, (uptr)system_entry);
}

static inline u32 call(u32 number, u32 argument) {
  __asm__ volatile("movl %%esp, %%ecx\n\tmovl $1f, %%edx\n\tsysenter\n1:"
                   : "+a"(number)
                   : "b"(argument)
                   : "ecx", "edx", "memory", "cc");
  return number;
}
#endif

static void user(void) {
  u32 sum = 0;
  for (u32 round = 0; round < rounds; round++) sum ^= call(round & 1, sum + round);
  call(LEAVE, 0);
}

u32 bench_work(u32 quick) {
  rounds = ROUNDS(quick, 2500000);
  prepare();
  enter_user(user, TOP_OF(user_stack));
  return total;
}
