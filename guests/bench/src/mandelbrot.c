/* The Mandelbrot set: how long each point of a grid stays inside, in doubles. */
#include "bench.h"

#define SIZE 256
#define LIMIT 400

const char bench_name[] = "mandelbrot";

u32 bench_work(u32 quick) {
  u32 sum = 0;
  for (u32 row = 0; row < SIZE; row += quick ? 40 : 1) {
    double y0 = row * (2.5 / SIZE) - 1.25;
    for (u32 column = 0; column < SIZE; column++) {
      double x0 = column * (3.0 / SIZE) - 2.25, x = 0, y = 0;
      u32 count = 0;
      while (count < LIMIT && x * x + y * y < 4) {
        double next = x * x - y * y + x0;
        y = 2 * x * y + y0;
        x = next;
        count++;
      }
      sum = mix(sum, count);
    }
  }
  return sum;
}
