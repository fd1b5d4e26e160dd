/* Multiplying matrices of floats and of 32-bit numbers with packed SSE2. All floats are small whole numbers, so all is exact. */
#include "bench.h"

#define N 64

const char bench_name[] = "matpacked";

typedef float floats __attribute__((vector_size(16)));
typedef u32 words __attribute__((vector_size(16)));
typedef u16 halves __attribute__((vector_size(16)));

static floats a[N][N / 4], b[N][N / 4], c[N][N / 4];
static words d[N][N / 4];

static void multiply(void) {
  for (u32 i = 0; i < N; i++) {
    floats sums[N / 4];
    for (u32 j = 0; j < N / 4; j++) sums[j] = (floats){0, 0, 0, 0};
    for (u32 k = 0; k < N; k++) {
      float one = a[i][k / 4][k % 4];
      floats all = {one, one, one, one};
      for (u32 j = 0; j < N / 4; j++) sums[j] += all * b[k][j];
    }
    for (u32 j = 0; j < N / 4; j++) c[i][j] = sums[j];
  }
}

/* Whole numbers: conversion, shifts, additions, 16-bit products, comparisons, shuffles. */
static words stir(void) {
  words total = {0, 0, 0, 0};
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N / 4; j++) {
      words value = (words)__builtin_convertvector(c[i][j], __typeof__(int __attribute__((vector_size(16)))));
      value = (value << 7) ^ (value >> 3) ^ d[i][j];
      value = (words)((halves)value * (halves)__builtin_shuffle(value, (words){1, 2, 3, 0}));
      d[i][j] = value + total;
      total += value ^ (words)(value > (words){1000, 2000, 3000, 4000});
    }
  }
  return total;
}

u32 bench_work(u32 quick) {
  u32 state = 0x27182818, sum = 0;
  for (u32 i = 0; i < N; i++) {
    for (u32 j = 0; j < N; j++) {
      a[i][j / 4][j % 4] = (float)((i32)(next_random(&state) & 255) - 128);
      b[i][j / 4][j % 4] = (float)(next_random(&state) & 127);
    }
  }
  for (u32 round = 0; round < ROUNDS(quick, 45); round++) {
    a[round % N][0][0] += 1;
    multiply();
    words total = stir();
    for (u32 i = 0; i < 4; i++) sum = mix(sum, total[i]);
  }
  return sum;
}
