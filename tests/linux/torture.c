// User space put to work: floating point, vectors, signals, threads, fork, pipes, mmap, files and timers. It prints sums that must be the
// same on every machine of its word size. Built by gcc, statically; run on the host and in a guest.
#define _GNU_SOURCE
#include <emmintrin.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t mix(uint64_t hash, const void *data, size_t size) {
  for (const uint8_t *p = data; size-- > 0; p++) hash = (hash ^ *p) * 0x100000001b3u;
  return hash;
}

static uint64_t state = 88172645463325252u;
static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

#define SAY(name, hash) printf("%-12s %016llx\n", name, (unsigned long long)(hash)), fflush(stdout)

static void floats(void) {
  uint64_t hash = 1;
  volatile double x = 1.0, y;
  for (int i = 1; i < 20000; i++) {
    x = x * 1.0000123 + (double)(int32_t)next() / 1e9;
    y = sqrt(fabs(x)) / (i + 0.25) - floor(x);
    hash = mix(hash, (void *)&y, sizeof y);
    volatile float f = (float)y * 3.3f;
    hash = mix(hash, (void *)&f, sizeof f);
    int64_t whole = (int64_t)(y * 1000);
    hash = mix(hash, &whole, sizeof whole);
  }
  SAY("floats", hash);
  hash = 2;
  volatile long double l = 1.0L;
  for (int i = 1; i < 20000; i++) {
    l = l * 1.00017L - (long double)(int32_t)next() / 7.0L;
    if (l > 1e6L || l < -1e6L) l = sqrtl(fabsl(l));
    hash = mix(hash, (void *)&l, 10);
  }
  SAY("long double", hash);
}

static void vectors(void) {
  uint64_t hash = 3;
  __m128i a = _mm_set_epi32(1, 2, 3, 4);
  __m128d d = _mm_set_pd(1.5, -2.25);
  for (int i = 0; i < 50000; i++) {
    __m128i r = _mm_set_epi64x((int64_t)next(), (int64_t)next());
    a = _mm_add_epi8(_mm_xor_si128(a, _mm_slli_epi32(r, 3)), _mm_madd_epi16(a, r));
    a = _mm_sub_epi64(_mm_packs_epi32(a, r), _mm_shuffle_epi32(a, 0x1b));
    d = _mm_add_pd(_mm_mul_pd(d, _mm_set1_pd(0.999)), _mm_cvtepi32_pd(a));
    int32_t mask = _mm_movemask_epi8(_mm_cmpgt_epi8(a, r)) ^ _mm_movemask_pd(d);
    hash = mix(mix(mix(hash, &a, 16), &d, 16), &mask, 4);
  }
  SAY("vectors", hash);
}

static volatile sig_atomic_t caught, ticks;
static sigjmp_buf escape;

static void onSignal(int number, siginfo_t *info, void *context) {
  (void)context;
  volatile double spoil = number * 1.5; // the interrupted registers must come back
  caught = caught * 31 + number + (info->si_code > 0) + (int)(spoil - spoil);
  siglongjmp(escape, number);
}

static void onTick(int number) {
  volatile double spoil = sqrt(number);
  ticks += spoil > 0;
}

static void signals(void) {
  struct sigaction action = {.sa_sigaction = onSignal, .sa_flags = SA_SIGINFO | SA_NODEFER};
  for (int number = 1; number < 32; number++) sigaction(number, &action, NULL);
  volatile int zero = 0;
  for (int i = 0; i < 500; i++) {
    if (sigsetjmp(escape, 1) != 0) continue;
    switch (i % 5) {
      case 0: *(volatile int *)(uintptr_t)(8 * (i + 1)) = 1; break;
      case 1: zero = 1 / zero; break;
      case 2: __asm__ volatile("ud2"); break;
      case 3: raise(SIGUSR1); break;
      case 4: __asm__ volatile("int3"); raise(SIGUSR2); break;
    }
  }
  for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
  SAY("signals", (uint64_t)(unsigned)caught);
  // A computation that timers interrupt comes to the same sum.
  signal(SIGALRM, onTick);
  struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  double sum = 0;
  __m128d pair = _mm_setzero_pd();
  for (int i = 1; i < 3000000; i++) {
    sum += 1.0 / i;
    pair = _mm_add_pd(pair, _mm_set_pd(sum, -sum / i));
  }
  while (ticks < 3) pause();
  setitimer(ITIMER_REAL, &never, NULL);
  SAY("interrupted", mix(mix(4, &sum, sizeof sum), &pair, sizeof pair));
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;
static uint64_t shared = 5, atomics;
static __thread uint64_t mine;

static void *worker(void *argument) {
  int self = (int)(intptr_t)argument;
  mine = self;
  for (int round = 0; round < 300; round++) {
    pthread_mutex_lock(&lock);
    while (turn != self) pthread_cond_wait(&turned, &lock);
    mine = mine * 6364136223846793005u + round;
    shared = mix(shared, &mine, sizeof mine);
    turn = (turn + 1) % 4;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 200; i++) __atomic_fetch_add(&atomics, self + 1, __ATOMIC_SEQ_CST);
  }
  return (void *)(intptr_t)(mine & 0x7fffffff);
}

static void threads(void) {
  pthread_t thread[4];
  for (int n = 0; n < 4; n++) pthread_create(&thread[n], NULL, worker, (void *)(intptr_t)n);
  uint64_t hash = 6;
  for (int n = 0; n < 4; n++) {
    void *result;
    pthread_join(thread[n], &result);
    uint64_t value = (uint64_t)(uintptr_t)result;
    hash = mix(hash, &value, sizeof value);
  }
  SAY("threads", mix(mix(hash, &shared, sizeof shared), &atomics, sizeof atomics));
}

static void processes(void) {
  uint64_t hash = 7;
  uint32_t *page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint32_t *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 16384; i++) page[i] = i;
  for (int child = 0; child < 20; child++) {
    int ends[2];
    if (pipe(ends) != 0) exit(1);
    pid_t pid = fork();
    if (pid == 0) {
      for (int i = 0; i < 16384; i += 7) page[i] = page[i] * 3 + child; // copied on write
      common[child] = child * child;
      uint64_t sum = mix(8, page, 65536);
      if (write(ends[1], &sum, sizeof sum) != sizeof sum) _exit(1);
      _exit(child + 1);
    }
    uint64_t sum;
    int status;
    if (read(ends[0], &sum, sizeof sum) != sizeof sum) exit(1);
    waitpid(pid, &status, 0);
    close(ends[0]);
    close(ends[1]);
    hash = mix(mix(hash, &sum, sizeof sum), &status, sizeof status);
    page[child] ^= 0x5555;
  }
  SAY("processes", mix(mix(hash, page, 65536), common, 4096));
}

static void maps(const char *directory) {
  char path[256];
  snprintf(path, sizeof path, "%s/torture.data", directory);
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  uint64_t hash = 9;
  if (file < 0 || ftruncate(file, 1 << 20) != 0) exit(1);
  uint8_t *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  for (int i = 0; i < 1 << 20; i++) map[i] = (uint8_t)(i * 7 + (i >> 9));
  msync(map, 1 << 20, MS_SYNC);
  uint8_t buffer[5000];
  for (off_t at = 1; at < (1 << 20) - 5000; at += 49999) {
    if (pread(file, buffer, sizeof buffer, at) != (ssize_t)sizeof buffer) exit(1);
    hash = mix(hash, buffer, sizeof buffer);
    memset(buffer, (int)at, sizeof buffer);
    if (pwrite(file, buffer, 333, at + 111) != 333) exit(1);
  }
  hash = mix(hash, map, 1 << 20);
  mprotect(map, 4096, PROT_READ);
  struct sigaction action = {.sa_sigaction = onSignal, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  int trapped = sigsetjmp(escape, 1);
  if (trapped == 0) map[17] = 1;
  // Code written at run time.
  uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 2000; i++) {
    code[0] = 0xb8; // mov eax, imm32; ret
    memcpy(code + 1, &i, 4);
    code[5] = 0xc3;
    sum = sum * 33 + ((uint32_t(*)(void))(uintptr_t)code)();
  }
  munmap(map, 1 << 20);
  close(file);
  unlink(path);
  SAY("maps", mix(mix(hash, &trapped, sizeof trapped), &sum, sizeof sum));
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void heap(void) {
  uint64_t hash = 10;
  void *blocks[256] = {0};
  for (int i = 0; i < 20000; i++) {
    size_t size = next() % 9000 + 1;
    int slot = (int)(next() % 256);
    free(blocks[slot]);
    blocks[slot] = malloc(size);
    memset(blocks[slot], i, size);
    hash = mix(hash, (uint8_t *)blocks[slot] + size / 2, 1);
  }
  for (int slot = 0; slot < 256; slot++) free(blocks[slot]);
  static uint64_t numbers[50000];
  for (int i = 0; i < 50000; i++) numbers[i] = next() / (i % 5 + 1);
  qsort(numbers, 50000, sizeof numbers[0], compare);
  SAY("heap", mix(hash, numbers, sizeof numbers));
}

int main(int count, char **arguments) {
  floats();
  vectors();
  signals();
  threads();
  processes();
  maps(count > 1 ? arguments[1] : "/tmp");
  heap();
  puts("done");
  return 0;
}
