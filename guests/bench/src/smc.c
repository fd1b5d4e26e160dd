/* Code that writes code: a number inside an instruction before every call, and now and then all instructions. */
#include "bench.h"

#define OPERATIONS 6
#define REWRITE 50

const char bench_name[] = "smc";

static u8 code[4096] __attribute__((aligned(4096)));

static u32 put32(u32 at, u32 value) {
  for (u32 i = 0; i < 4; i++) code[at + i] = (u8)(value >> 8 * i);
  return at + 4;
}

/* Makes a function of EAX from random instructions; the first is always ADD EAX, 0. */
static void generate(u32 *state) {
  u32 at = 0;
  code[at++] = 0x05;
  at = put32(at, 0);
  for (u32 i = 0; i < OPERATIONS; i++) {
    u32 random = next_random(state);
    switch (random & 3) {
      case 0: code[at++] = 0x05; at = put32(at, random); break;                         /* ADD EAX, imm32 */
      case 1: code[at++] = 0x35; at = put32(at, random); break;                         /* XOR EAX, imm32 */
      case 2: code[at++] = 0x69; code[at++] = 0xc0; at = put32(at, random | 1); break;  /* IMUL EAX, EAX, imm32 */
      default: code[at++] = 0xc1; code[at++] = 0xc0; code[at++] = random >> 4 & 31;     /* ROL EAX, imm8 */
    }
  }
  code[at] = 0xc3; /* RET */
}

static u32 call(u32 value) {
  __asm__ volatile("call *%1" : "+a"(value) : "r"(code) : "memory", "cc");
  return value;
}

u32 bench_work(u32 quick) {
  u32 state = 0x5e1f, sum = 0;
  allow_execution(code, sizeof code);
  for (u32 round = 0; round < ROUNDS(quick, 20000); round++) {
    if (round % REWRITE == 0) generate(&state);
    put32(1, round);
    sum = call(sum);
  }
  return sum;
}
