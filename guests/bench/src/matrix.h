/* The multiplication of two matrices of doubles. All values are small whole numbers, so that every result is exact whatever the
   precision in between. */
#ifndef MATRIX_H
#define MATRIX_H

#include "bench.h"

#define N 64

static double a[N][N], b[N][N], c[N][N];

static void multiply(void) {
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N; j++) {
      double sum = 0;
      for (u32 k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  }
}

static u32 multiply_matrices(u32 rounds) {
  u32 state = 0x31415926, sum = 0;
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N; j++) {
      a[i][j] = (i32)(next_random(&state) & 1023) - 512;
      b[i][j] = (i32)(next_random(&state) & 255) * 0.25;
    }
  }
  for (u32 round = 0; round < rounds; round++) {
    a[round % N][0] += 1;
    multiply();
    for (u32 i = 0; i < N; i += 7) sum = mix(sum, (u32)(i32)(c[i][(i + round) % N] * 4));
  }
  return sum;
}

#endif
