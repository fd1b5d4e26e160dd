// Processors put to work together: locks, futexes, atomic operations of all widths, the outcomes that x86's memory model forbids,
// shoot-downs of translations, code that another processor changes, time stamps, migration. Each line says what must be the same on
// every machine. Built by gcc, statically; run on the host and in a guest. Its argument is the number of threads, at most 16.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define MOST 16
#define SAY(name, value) printf("%-24s %llu\n", name, (unsigned long long)(value)), fflush(stdout)

static int threads;
static pthread_barrier_t together;

static void meet(void) { pthread_barrier_wait(&together); }

// Runs a function in all threads at once, each on a processor of its own as far as there are enough.
static void *(*work)(int);
static void *begin(void *argument) {
  int self = (int)(intptr_t)argument;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(self % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
  sched_setaffinity(0, sizeof one, &one);
  meet();
  return work(self);
}
static uint64_t run(void *(*function)(int)) {
  pthread_t thread[MOST];
  uint64_t sum = 0;
  work = function;
  for (int n = 0; n < threads; n++) pthread_create(&thread[n], NULL, begin, (void *)(intptr_t)n);
  for (int n = 0; n < threads; n++) {
    void *result;
    pthread_join(thread[n], &result);
    sum += (uint64_t)(uintptr_t)result;
  }
  return sum;
}

// Locks.

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static volatile uint64_t guarded, second, turns;
static atomic_flag spin = ATOMIC_FLAG_INIT;

static void *lockMutex(int self) {
  for (int i = 0; i < 20000; i++) {
    pthread_mutex_lock(&mutex);
    guarded = guarded + 1;
    pthread_mutex_unlock(&mutex);
  }
  return (void *)(intptr_t)(self * 0);
}

static void *lockSpin(int self) {
  for (int i = 0; i < 20000; i++) {
    while (atomic_flag_test_and_set_explicit(&spin, memory_order_acquire)) _mm_pause();
    guarded = guarded + 1;
    atomic_flag_clear_explicit(&spin, memory_order_release);
  }
  return (void *)(intptr_t)(self * 0);
}

static void *lockReadWrite(int self) {
  uint64_t torn = 0;
  for (int i = 0; i < 5000; i++) {
    if ((i + self) % 4 == 0) {
      pthread_rwlock_wrlock(&rwlock);
      guarded = guarded + 1;
      second = second + 1;
    } else {
      pthread_rwlock_rdlock(&rwlock);
      torn += guarded != second;
    }
    pthread_rwlock_unlock(&rwlock);
  }
  return (void *)torn;
}

static void *passOn(int self) {
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mutex);
    while (turns % (uint64_t)threads != (uint64_t)self) pthread_cond_wait(&turned, &mutex);
    turns = turns + 1;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void *countDown(int self) {
  (void)self;
  for (int i = 0; i < 3000; i++) {
    sem_wait(&semaphore);
    guarded = guarded + 1;
    sem_post(&semaphore);
  }
  return NULL;
}

// Atomic operations.

static _Atomic uint8_t a8;
static _Atomic uint16_t a16;
static _Atomic uint32_t a32;
static _Atomic uint64_t a64, across[3], bits;
static _Alignas(16) volatile unsigned __int128 a128;
static char line[128] __attribute__((aligned(64)));

static void *atomics(int self) {
  uint64_t *crossing = (uint64_t *)(void *)(line + 60); // in two cache lines
  for (int i = 0; i < 10000; i++) {
    atomic_fetch_add(&a8, 1);
    atomic_fetch_sub(&a16, 3);
    atomic_fetch_xor(&a32, 1u << (i & 31));
    atomic_fetch_add(&a64, (uint64_t)i);
    __asm__ volatile("lock incq %0" : "+m"(*crossing)::"cc");
    uint64_t old = atomic_load(&across[0]);
    while (!atomic_compare_exchange_weak(&across[0], &old, old * 3 + 1)) {}
    uint8_t was;
    __asm__ volatile("lock btsq %2, %1; setc %0" : "=q"(was), "+m"(bits) : "r"((uint64_t)(i & 63)) : "cc", "memory");
    if (!was) atomic_fetch_add(&across[1], 1);
    __asm__ volatile("lock btrq %2, %1; setc %0" : "=q"(was), "+m"(bits) : "r"((uint64_t)(i & 63)) : "cc", "memory");
    if (was) atomic_fetch_sub(&across[1], 1);
    unsigned __int128 before = a128, after;
    do {
      after = before + (((unsigned __int128)1 << 64) | 1);
    } while (!__extension__({
      uint8_t done;
      uint64_t low = (uint64_t)before, high = (uint64_t)(before >> 64);
      __asm__ volatile("lock cmpxchg16b %1; sete %0"
                       : "=q"(done), "+m"(a128), "+a"(low), "+d"(high)
                       : "b"((uint64_t)after), "c"((uint64_t)(after >> 64))
                       : "cc", "memory");
      before = ((unsigned __int128)high << 64) | low;
      done;
    }));
  }
  return (void *)(intptr_t)(self * 0);
}

// Forbidden outcomes. Each test has many places, through which the threads go at their own speed.

#define PLACES 4096
static volatile int x[PLACES][16], y[PLACES][16];
static int seen[4][2][PLACES];
static enum { MESSAGE, LOAD_BUFFER, STORE_BUFFER, STORE_BUFFER_LOCK, INDEPENDENT, CHAIN } shape;

static void *litmus(int self) {
  if (self > 3) return NULL;
  int (*mine)[PLACES] = seen[self];
  for (int i = 0; i < PLACES; i++) {
    int *first = &mine[0][i], *other = &mine[1][i];
    volatile int *px = x[i], *py = y[i];
    switch (shape) {
      case MESSAGE: // 0 writes x, then y; 1 must not see y without x
        if (self == 0) *px = 1, *py = 1;
        if (self == 1) *first = *py, *other = *px;
        break;
      case LOAD_BUFFER: // neither sees what the other writes later
        if (self == 0) *first = *px, *py = 1;
        if (self == 1) *first = *py, *px = 1;
        break;
      case STORE_BUFFER: // with fences, one of them sees the other's
        if (self == 0) *px = 1, _mm_mfence(), *first = *py;
        if (self == 1) *py = 1, _mm_mfence(), *first = *px;
        break;
      case STORE_BUFFER_LOCK: // with locked instructions, too
        if (self == 0) __atomic_exchange_n(px, 1, __ATOMIC_SEQ_CST), *first = *py;
        if (self == 1) __atomic_exchange_n(py, 1, __ATOMIC_SEQ_CST), *first = *px;
        break;
      case INDEPENDENT: // two that read agree on the order of two that write
        if (self == 0) *px = 1;
        if (self == 1) *py = 1;
        if (self == 2) *first = *px, *other = *py;
        if (self == 3) *first = *py, *other = *px;
        break;
      case CHAIN: // 0 writes x, 1 sees it and writes y, 2 sees that and must see x
        if (self == 0) *px = 1;
        if (self == 1) *py = *px;
        if (self == 2) *first = *py, *other = *px;
        break;
    }
  }
  return NULL;
}

static uint64_t forbidden(int kind) {
  uint64_t count = 0;
  shape = kind;
  for (int round = 0; round < 8; round++) {
    memset((void *)x, 0, sizeof x);
    memset((void *)y, 0, sizeof y);
    run(litmus);
    for (int i = 0; i < PLACES; i++) {
      switch (kind) {
        case MESSAGE: count += seen[1][0][i] == 1 && seen[1][1][i] == 0; break;
        case LOAD_BUFFER: count += seen[0][0][i] == 1 && seen[1][0][i] == 1; break;
        case STORE_BUFFER:
        case STORE_BUFFER_LOCK: count += seen[0][0][i] == 0 && seen[1][0][i] == 0; break;
        case INDEPENDENT:
          count += seen[2][0][i] == 1 && seen[2][1][i] == 0 && seen[3][0][i] == 1 && seen[3][1][i] == 0;
          break;
        case CHAIN: count += seen[2][0][i] == 1 && seen[2][1][i] == 0; break;
      }
    }
  }
  return count;
}

// Translations: what the first thread takes away, nobody uses any more.

static volatile uint32_t *page;
static volatile int stop, closed;
static __thread sigjmp_buf escape;
static void onFault(int number) { siglongjmp(escape, number); }

static void *translations(int self) {
  uint64_t wrong = 0;
  if (self == 0) {
    for (int round = 0; round < 200; round++) {
      for (int i = 0; i < 200; i++) sched_yield(), i += 50;
      mprotect((void *)page, 4096, PROT_READ);
      uint32_t before[MOST];
      for (int n = 1; n < threads; n++) before[n] = page[n * 16];
      for (volatile int i = 0; i < 3000; i++) {}
      for (int n = 1; n < threads; n++) wrong += before[n] != page[n * 16];
      mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
    }
    stop = 1;
    return (void *)wrong;
  }
  while (!stop) {
    if (sigsetjmp(escape, 1) != 0) sched_yield();
    for (int i = 0; i < 1000 && !stop; i++) page[self * 16]++;
  }
  return NULL;
}

// Code that another processor writes: `mov eax, number; ret`, whose number only grows.

static uint8_t *code;
static void *codes(int self) {
  uint64_t wrong = 0;
  if (self == 0) {
    for (uint32_t number = 1; number <= 2000; number++) {
      *(volatile uint32_t *)(code + 4) = number; // aligned, behind "nop; nop; nop; mov eax"
      for (volatile int i = 0; i < 50; i++) {}
    }
    stop = 1;
    return NULL;
  }
  for (uint32_t last = 0; !stop;) {
    uint32_t now = ((uint32_t (*)(void))(uintptr_t)code)();
    wrong += now < last;
    last = now;
  }
  unsigned a = 0, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  wrong += ((uint32_t (*)(void))(uintptr_t)code)() != 2000;
  return (void *)wrong;
}

// Time stamps never go back, whoever reads them.

static uint64_t newest;
static void *stamps(int self) {
  uint64_t wrong = 0;
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&mutex);
    uint64_t now = __rdtsc();
    wrong += now < newest;
    newest = now;
    pthread_mutex_unlock(&mutex);
  }
  return (void *)(wrong + (uint64_t)(self * 0));
}

// A thread that moves keeps its registers.
static void *migration(int self) {
  int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t wrong = 0;
  volatile double sum = 0;
  for (int i = 1; i <= 200; i++) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((self + i) % count, &one);
    sched_setaffinity(0, sizeof one, &one);
    wrong += sched_getcpu() != (self + i) % count;
    sum = sum + 1.0 / i;
  }
  return (void *)(wrong + (sum < 5.878 || sum > 5.8781));
}

static uint64_t processes(void) {
  uint64_t sum = 0;
  int to[2], from[2];
  if (pipe(to) != 0 || pipe(from) != 0) return 1;
  for (int n = 0; n < threads; n++) {
    if (fork() == 0) {
      uint64_t number;
      while (read(to[0], &number, sizeof number) == sizeof number && number != 0) {
        number = number * number;
        if (write(from[1], &number, sizeof number) != sizeof number) _exit(1);
      }
      _exit(0);
    }
  }
  for (uint64_t n = 1; n <= 1000; n++) {
    uint64_t number = n;
    if (write(to[1], &number, sizeof number) != sizeof number) return 2;
    if (n % 8 == 0) {
      for (int i = 0; i < 8; i++) {
        if (read(from[0], &number, sizeof number) != sizeof number) return 3;
        sum += number;
      }
    }
  }
  uint64_t end = 0;
  for (int n = 0; n < threads; n++) {
    if (write(to[1], &end, sizeof end) != sizeof end) return 4;
  }
  for (int n = 0, status; n < threads; n++) {
    wait(&status);
    if (status != 0) return 5;
  }
  return sum;
}

int main(int argc, char **argv) {
  threads = argc > 1 ? atoi(argv[1]) : 4;
  if (threads < 4 || threads > MOST) return 2;
  pthread_barrier_init(&together, NULL, (unsigned)threads);
  run(lockMutex);
  SAY("mutex", guarded);
  guarded = 0, run(lockSpin);
  SAY("spinlock", guarded);
  guarded = 0;
  uint64_t torn = run(lockReadWrite);
  SAY("read-write lock", guarded + torn);
  run(passOn);
  SAY("condition", turns);
  guarded = 0, sem_init(&semaphore, 0, 1);
  run(countDown);
  SAY("semaphore", guarded);
  run(atomics);
  uint64_t crossing;
  memcpy(&crossing, line + 60, sizeof crossing);
  SAY("add 8", a8);
  SAY("sub 16", a16);
  SAY("xor 32", a32);
  SAY("add 64", a64);
  SAY("inc in two lines", crossing);
  SAY("compare and exchange", across[0]);
  SAY("bit set and reset", across[1] + bits);
  SAY("compare 128", (uint64_t)a128 + (uint64_t)(a128 >> 64));
  SAY("message passing", forbidden(MESSAGE));
  SAY("load buffering", forbidden(LOAD_BUFFER));
  SAY("store buffering", forbidden(STORE_BUFFER));
  SAY("store buffering, locked", forbidden(STORE_BUFFER_LOCK));
  SAY("independent reads", forbidden(INDEPENDENT));
  SAY("chain", forbidden(CHAIN));
  signal(SIGSEGV, onFault);
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SAY("translations", run(translations));
  signal(SIGSEGV, SIG_DFL);
  static const uint8_t program[] = {0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3};
  code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, program, sizeof program);
  stop = 0;
  SAY("code", run(codes));
  SAY("time stamps", run(stamps));
  SAY("migration", run(migration));
  SAY("processes", processes());
  return 0;
}
