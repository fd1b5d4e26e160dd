/* Multiplying matrices of doubles on the x87. */
#include "matrix.h"

const char bench_name[] = "mat387";

u32 bench_work(u32 quick) { return multiply_matrices(ROUNDS(quick, 20)); }
