/* An interpreter of a stack machine's bytecode; the program in it adds up the lengths of Collatz sequences. */
#include "bench.h"

const char bench_name[] = "interp";

/* Every instruction has two bytes, the second is its operand. */
enum { PUSH, LOAD, STORE, ADD, MULTIPLY, AND, SHIFT_RIGHT, LESS, JUMP, JUMP_IF_ZERO, XOR, ROTATE, END };
enum { FIRST, NUMBER, SUM, LIMIT };

static const u8 program[] = {
    PUSH, 1, STORE, FIRST,                                          /* 0: first = 1 */
    LOAD, FIRST, LOAD, LIMIT, LESS, 0, JUMP_IF_ZERO, 41,            /* 2: while (first < limit) { */
    LOAD, FIRST, STORE, NUMBER,                                     /* 6: number = first */
    PUSH, 1, LOAD, NUMBER, LESS, 0, JUMP_IF_ZERO, 31,               /* 8: while (1 < number) { */
    LOAD, NUMBER, PUSH, 1, AND, 0, JUMP_IF_ZERO, 22,                /* 12: if (number & 1) */
    LOAD, NUMBER, PUSH, 3, MULTIPLY, 0, PUSH, 1, ADD, 0, JUMP, 25,  /* 16: number * 3 + 1 */
    LOAD, NUMBER, PUSH, 1, SHIFT_RIGHT, 0,                          /* 22: else number >> 1 */
    STORE, NUMBER,                                                  /* 25: number = that */
    LOAD, SUM, PUSH, 1, ADD, 0, STORE, SUM,                         /* 26: sum++ */
    JUMP, 8,                                                        /* 30: } */
    LOAD, FIRST, PUSH, 1, ADD, 0, STORE, FIRST,                     /* 31: first++ */
    LOAD, SUM, ROTATE, 3, LOAD, FIRST, XOR, 0, STORE, SUM,          /* 35: sum = rotate(sum, 3) ^ first */
    JUMP, 2,                                                        /* 40: } */
    LOAD, SUM, END, 0,                                              /* 41: the sum */
};

static u32 run(u32 limit) {
  u32 stack[16], variables[4] = {0, 0, 0, limit};
  u32 *top = stack;
  const u8 *at = program;
  for (;;) {
    u32 operand = at[1];
    u8 operation = *at;
    at += 2;
    switch (operation) {
      case PUSH: *top++ = operand; break;
      case LOAD: *top++ = variables[operand]; break;
      case STORE: variables[operand] = *--top; break;
      case ADD: top--, top[-1] += *top; break;
      case MULTIPLY: top--, top[-1] *= *top; break;
      case AND: top--, top[-1] &= *top; break;
      case SHIFT_RIGHT: top--, top[-1] >>= *top; break;
      case LESS: top--, top[-1] = top[-1] < *top; break;
      case JUMP: at = program + 2 * operand; break;
      case JUMP_IF_ZERO:
        if (*--top == 0) at = program + 2 * operand;
        break;
      case XOR: top--, top[-1] ^= *top; break;
      case ROTATE: top[-1] = (top[-1] << operand) | (top[-1] >> (32 - operand)); break;
      default: return *--top;
    }
  }
}

u32 bench_work(u32 quick) { return mix(0, run(ROUNDS(quick, 18000))); }
