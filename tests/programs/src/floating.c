/* Numbers with a point: transforms, linear equations, orbits, conversions, text, special values, rounding. */
#include "program.h"

static void put_labelled(const char *label, double value, u32 digits) {
  put_text(label);
  put_text(": ");
  put_double(value, digits);
  put_char('\n');
}

static u32 mix_double(u32 sum, double value) { return mix64(sum, double_bits(value)); }

static double square_root(double value) {
#if defined(__SSE2_MATH__)
  __asm__("sqrtsd %1, %0" : "=x"(value) : "x"(value));
#else
  __asm__("fsqrt" : "+t"(value));
#endif
  return value;
}

static double absolute(double value) { return value < 0 ? -value : value; }

/* Sine and cosine by their series, behind a reduction to a quarter of a turn. */
static const double pi = 3.14159265358979323846;

static double sine(double x) {
  i32 turns = (i32)(x / (pi / 2) + (x < 0 ? -0.5 : 0.5));
  x -= turns * (pi / 2);
  u32 odd = turns & 1;
  double term = odd ? 1 : x, sum = term;
  for (i32 n = odd ? 1 : 2; n < 24; n += 2) {
    term *= -x * x / (n * (n + 1));
    sum += term;
  }
  return turns & 2 ? -sum : sum;
}

static double cosine(double x) { return sine(x + pi / 2); }

/* A fast Fourier transform. */
#define POINTS 256
static double real[POINTS], imaginary[POINTS];

static void transform(i32 direction) {
  for (u32 i = 0, j = 0; i < POINTS; i++) {
    if (i < j) {
      double kept = real[i];
      real[i] = real[j], real[j] = kept;
      kept = imaginary[i];
      imaginary[i] = imaginary[j], imaginary[j] = kept;
    }
    u32 bit = POINTS >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j |= bit;
  }
  for (u32 size = 2; size <= POINTS; size *= 2) {
    double angle = direction * 2 * pi / size, step_real = cosine(angle), step_imaginary = sine(angle);
    for (u32 start = 0; start < POINTS; start += size) {
      double w_real = 1, w_imaginary = 0;
      for (u32 i = start; i < start + size / 2; i++) {
        u32 other = i + size / 2;
        double a = real[other] * w_real - imaginary[other] * w_imaginary;
        double b = real[other] * w_imaginary + imaginary[other] * w_real;
        real[other] = real[i] - a, imaginary[other] = imaginary[i] - b;
        real[i] += a, imaginary[i] += b;
        double next = w_real * step_real - w_imaginary * step_imaginary;
        w_imaginary = w_real * step_imaginary + w_imaginary * step_real;
        w_real = next;
      }
    }
  }
}

static void fourier(void) {
  u32 state = 3, sum = 1;
  for (u32 i = 0; i < POINTS; i++) {
    real[i] = sine(i * 0.2) + 0.5 * cosine(i * 1.3) + (next_random(&state) % 1000) / 5000.0;
    imaginary[i] = 0;
  }
  double before = real[100], energy = 0;
  transform(-1);
  for (u32 i = 0; i < POINTS; i++) {
    energy += real[i] * real[i] + imaginary[i] * imaginary[i];
    sum = mix_double(mix_double(sum, real[i]), imaginary[i]);
  }
  put_labelled("energy", energy / POINTS, 17);
  put_sum("spectrum", sum);
  transform(1);
  put_labelled("there and back", real[100] / POINTS - before, 3);
}

/* Linear equations by LU decomposition with pivots. */
#define ROWS 20
static double matrix[ROWS][ROWS], copy[ROWS][ROWS], right[ROWS], solution[ROWS];

static void equations(void) {
  u32 state = 4, order[ROWS];
  for (u32 i = 0; i < ROWS; i++) {
    for (u32 j = 0; j < ROWS; j++) copy[i][j] = matrix[i][j] = (double)(i32)next_random(&state) / 0x40000000;
    right[i] = (double)i - 7.25;
    order[i] = i;
  }
  double determinant = 1;
  for (u32 k = 0; k < ROWS; k++) {
    u32 pivot = k;
    for (u32 i = k + 1; i < ROWS; i++) {
      if (absolute(matrix[i][k]) > absolute(matrix[pivot][k])) pivot = i;
    }
    if (pivot != k) {
      for (u32 j = 0; j < ROWS; j++) {
        double kept = matrix[k][j];
        matrix[k][j] = matrix[pivot][j], matrix[pivot][j] = kept;
      }
      u32 kept = order[k];
      order[k] = order[pivot], order[pivot] = kept;
      determinant = -determinant;
    }
    determinant *= matrix[k][k];
    for (u32 i = k + 1; i < ROWS; i++) {
      double factor = matrix[i][k] /= matrix[k][k];
      for (u32 j = k + 1; j < ROWS; j++) matrix[i][j] -= factor * matrix[k][j];
    }
  }
  for (u32 i = 0; i < ROWS; i++) {
    solution[i] = right[order[i]];
    for (u32 j = 0; j < i; j++) solution[i] -= matrix[i][j] * solution[j];
  }
  for (u32 i = ROWS; i-- > 0;) {
    for (u32 j = i + 1; j < ROWS; j++) solution[i] -= matrix[i][j] * solution[j];
    solution[i] /= matrix[i][i];
  }
  double worst = 0;
  for (u32 i = 0; i < ROWS; i++) {
    double error = -right[i];
    for (u32 j = 0; j < ROWS; j++) error += copy[i][j] * solution[j];
    if (absolute(error) > worst) worst = absolute(error);
  }
  put_labelled("determinant", determinant, 17);
  put_labelled("first unknown", solution[0], 17);
  put_text(worst < 1e-11 ? "the equations hold\n" : "the equations do NOT hold\n");
  put_labelled("worst error", worst, 6);
}

/* Bodies that attract each other. */
struct body {
  double at[3], speed[3], mass;
};

static struct body bodies[4] = {
  {{0, 0, 0}, {0, 0, 0}, 1000}, {{10, 0, 0.5}, {0, 9.5, 0}, 1}, {{-20, 3, 0}, {0.5, -7, 0.25}, 3}, {{0, 35, -1}, {-5, 0, 0}, 0.01},
};

static double orbits_energy(void) {
  double energy = 0;
  for (u32 i = 0; i < 4; i++) {
    struct body *a = &bodies[i];
    energy += a->mass * (a->speed[0] * a->speed[0] + a->speed[1] * a->speed[1] + a->speed[2] * a->speed[2]) / 2;
    for (u32 j = i + 1; j < 4; j++) {
      double distance = 0;
      for (u32 k = 0; k < 3; k++) distance += (a->at[k] - bodies[j].at[k]) * (a->at[k] - bodies[j].at[k]);
      energy -= a->mass * bodies[j].mass / square_root(distance);
    }
  }
  return energy;
}

static void orbits(void) {
  put_labelled("energy before", orbits_energy(), 17);
  for (u32 round = 0; round < 600; round++) {
    for (u32 i = 0; i < 4; i++) {
      for (u32 j = i + 1; j < 4; j++) {
        double apart[3], distance = 0;
        for (u32 k = 0; k < 3; k++) apart[k] = bodies[i].at[k] - bodies[j].at[k], distance += apart[k] * apart[k];
        double force = 0.002 / (distance * square_root(distance));
        for (u32 k = 0; k < 3; k++) {
          bodies[i].speed[k] -= apart[k] * bodies[j].mass * force;
          bodies[j].speed[k] += apart[k] * bodies[i].mass * force;
        }
      }
    }
    for (u32 i = 0; i < 4; i++) {
      for (u32 k = 0; k < 3; k++) bodies[i].at[k] += 0.002 * bodies[i].speed[k];
    }
  }
  put_labelled("energy behind", orbits_energy(), 17);
  for (u32 i = 0; i < 4; i++) put_labelled("body", bodies[i].at[0], 17);
}

static void mandelbrot(void) {
  u32 sum = 2, inside = 0;
  float narrow = 0;
  for (i32 row = 0; row < 24; row++) {
    for (i32 column = 0; column < 48; column++) {
      double cx = (column - 34) / 16.0, cy = (row - 12) / 10.0, x = 0, y = 0;
      u32 steps = 0;
      for (; steps < 60 && x * x + y * y < 4; steps++) {
        double next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
      }
      inside += steps == 60;
      narrow += (float)x * 0.125f;
      sum = mix_double(mix(sum, steps), x);
    }
  }
  put_number("inside", inside);
  put_sum("outside", sum);
  put_sum("in single precision", float_bits(narrow));
}

/* Values at the edges. Volatile: the processor shall calculate, not the compiler. */
static volatile double values[] = {
  0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.0, 0.1, 1e10, -1e15, 4294967295.5, 2147483647.5, -2147483648.75,
  9007199254740993.0, 9.2e18, -9.3e18, 1.8e19, 1e300, 1.7976931348623157e308, 2.2250738585072014e-308, 2.2250738585072009e-308,
  4.9406564584124654e-324, -4.9406564584124654e-324, 1e-310, 1e-200, 3.4028235677973366e38, 1.401298464324817e-45, 1e-40,
  __builtin_inf(), -__builtin_inf(), __builtin_nan("0x123"), -__builtin_nan("0x456"),
};

/* The rounding of what both the x87 and SSE do: 0 to nearest, 1 down, 2 up, 3 to zero. */
static void set_rounding(u32 mode) {
  u16 control;
  __asm__ volatile("fnstcw %0" : "=m"(control));
  control = (u16)((control & ~0xc00) | mode << 10);
  __asm__ volatile("fldcw %0" : : "m"(control) : "memory");
#ifdef __SSE2__
  u32 word;
  __asm__ volatile("stmxcsr %0" : "=m"(word));
  word = (word & ~0x6000u) | mode << 13;
  __asm__ volatile("ldmxcsr %0" : : "m"(word) : "memory");
#endif
}

/* What has happened since the last time, of invalid, denormal, division by 0, overflow, underflow, inexact. */
static u32 take_flags(void) {
  u16 status;
  __asm__ volatile("fnstsw %0; fnclex" : "=a"(status) : : "memory");
  u32 flags = status & 0x3f;
#ifdef __SSE2__
  u32 word;
  __asm__ volatile("stmxcsr %0" : "=m"(word));
  flags |= word & 0x3f;
  word &= ~0x3fu;
  __asm__ volatile("ldmxcsr %0" : : "m"(word) : "memory");
#endif
  return flags;
}

static KEEP double add(double a, double b) { return a + b; }
static KEEP double subtract(double a, double b) { return a - b; }
static KEEP double multiply(double a, double b) { return a * b; }
static KEEP double divide(double a, double b) { return a / b; }
static KEEP double add_narrow(double a, double b) { return (float)a + (float)b; }
static KEEP double multiply_narrow(double a, double b) { return (float)a * (float)b; }
static KEEP double root(double a, double b) { return square_root(a) + b * 0; }
static KEEP double smaller(double a, double b) { return a < b ? a : b; }

static double (*const operations[])(double, double) = {
  add, subtract, multiply, divide, add_narrow, multiply_narrow, root, smaller,
};
static const char *const operation_names[] = {
  "add", "subtract", "multiply", "divide", "add singles", "multiply singles", "root", "smaller",
};

static void edges(void) {
  for (u32 mode = 0; mode < 4; mode++) {
    for (u32 each = 0; each < COUNT(operations); each++) {
      u32 sum = 3, flags = 0;
      for (u32 i = 0; i < COUNT(values); i++) {
        for (u32 j = 0; j < COUNT(values); j += 1 + (mode > 0)) {
          set_rounding(mode);
          volatile double result = operations[each](values[i], values[j]);
          set_rounding(0);
          flags = mix(flags, take_flags());
          sum = mix_double(sum, result);
        }
      }
      put_text(operation_names[each]);
      put_text(mode == 0 ? " to nearest" : mode == 1 ? " down" : mode == 2 ? " up" : " to zero");
      put_text(": ");
      put_hex(sum, 8);
      put_text(" flags ");
      put_hex(flags, 8);
      put_char('\n');
    }
  }
  u32 sum = 4;
  for (u32 i = 0; i < COUNT(values); i++) {
    for (u32 j = 0; j < COUNT(values); j++) {
      double a = values[i], b = values[j];
      u32 found = (u32)(a < b) | (u32)(a <= b) << 1 | (u32)(a == b) << 2 | (u32)(a != b) << 3 | (u32)(a > b) << 4;
      found |= (u32)__builtin_isless(a, b) << 5 | (u32)__builtin_isunordered(a, b) << 6;
      sum = mix(sum, found | take_flags() << 8);
    }
  }
  put_sum("comparisons", sum);
}

/* What comes of values as whole numbers and as single precision. Only where the result is defined. */
static void conversions(void) {
  u32 sum = 5;
  for (u32 mode = 0; mode < 4; mode++) {
    for (u32 i = 0; i < COUNT(values); i++) {
      double value = values[i], size = absolute(value);
      set_rounding(mode);
      volatile float narrow = (float)value;
      if (size < 32000) sum = mix(sum, (u32)(i16)value);
      if (size < 2147483648.0) sum = mix(sum, (u32)(i32)value);
      if (size < 9.2e18) sum = mix64(sum, (u64)(i64)value);
      if (value > -1 && value < 1.8e19) sum = mix64(sum, (u64)value);
      if (value > -1 && value < 4294967296.0) sum = mix(sum, (u32)value);
      set_rounding(0);
      sum = mix(sum, float_bits(narrow));
    }
    u32 state = 8 + mode;
    for (u32 i = 0; i < 200; i++) {
      u64 whole = (u64)next_random(&state) << 32 | next_random(&state);
      set_rounding(mode);
      volatile double a = (double)(i64)whole, b = (double)(i32)whole, c = (double)(u32)whole;
      volatile float d = (float)(i64)whole, e = (float)(i32)whole, f = (float)(u32)whole;
      set_rounding(0);
      sum = mix_double(mix_double(mix_double(sum, a), b), c);
      sum = mix(mix(mix(sum, float_bits(d)), float_bits(e)), float_bits(f));
    }
  }
  put_sum("conversions", sum);
  put_sum("flags", take_flags());
}

/* Text to number, by exact powers of ten where that suffices. */
static double parse(const char *text) {
  double value = 0, scale = 1;
  i32 sign = *text == '-' ? text++, -1 : 1, exponent = 0;
  for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (*text - '0');
  if (*text == '.') {
    for (text++; *text >= '0' && *text <= '9'; text++, exponent--) value = value * 10 + (*text - '0');
  }
  if (*text == 'e') {
    i32 number = 0, down = *++text == '-';
    for (text += down; *text >= '0' && *text <= '9'; text++) number = number * 10 + (*text - '0');
    exponent += down ? -number : number;
  }
  for (i32 n = exponent < 0 ? -exponent : exponent; n > 0; n--) scale *= 10;
  return sign * (exponent < 0 ? value / scale : value * scale);
}

static void texts(void) {
  static const char *const given[] = {"0.1", "3.14159", "-2.5e-3", "1e22", "123456789.125", "6.02e23", "1.5e-300", "99999999999e9"};
  for (u32 i = 0; i < COUNT(given); i++) put_labelled(given[i], parse(given[i]), 17);
  for (u32 i = 0; i < COUNT(values); i++) put_labelled(i & 1 ? "short" : "long", values[i], i & 1 ? 1 + i / 4 : 17);
  put_labelled("the least, whole", 4.9406564584124654e-324, 40);
}

void program(void) {
  fourier();
  equations();
  orbits();
  mandelbrot();
  edges();
  conversions();
  texts();
}
