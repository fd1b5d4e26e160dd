/* Multiplying matrices of doubles with scalar SSE2. */
#include "matrix.h"

const char bench_name[] = "matsse";

u32 bench_work(u32 quick) { return multiply_matrices(ROUNDS(quick, 40)); }
