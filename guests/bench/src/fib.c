/* Recursive calls: Fibonacci's numbers, and Takeuchi's function. */
#include "bench.h"

const char bench_name[] = "fib";

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static u32 fib(u32 n) {
  if (n < 2) return n;
  return fib(n - 1) + fib(n - 2);
}

__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) static i32 tak(i32 x, i32 y, i32 z) {
  if (y >= x) return z;
  return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

u32 bench_work(u32 quick) {
  u32 sum = 0;
  for (u32 round = 0; round < ROUNDS(quick, 30); round++) {
    sum = mix(sum, fib(24 + (round & 1)));
    sum = mix(sum, (u32)tak(14, 8, (i32)(round & 3)));
  }
  return sum;
}
