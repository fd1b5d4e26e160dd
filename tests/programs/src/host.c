/* A process's side of the runtime: Linux's system calls, without a library. */
#include "program.h"

#ifdef __i386__

#define WRITE 4
#define EXIT 1

static long call(long number, long first, long second, long third) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory");
  return result;
}

__asm__(".globl _start\n_start: xorl %ebp, %ebp; andl $-16, %esp; call host_main");

#else

#define WRITE 1
#define EXIT 60

static long call(long number, long first, long second, long third) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third)
                   : "rcx", "r11", "memory");
  return result;
}

__asm__(".globl _start\n_start: xorl %ebp, %ebp; andq $-16, %rsp; call host_main");

#endif

#define STANDARD_OUTPUT 1

void write_out(const char *text, usize size) {
  while (size != 0) {
    long written = call(WRITE, STANDARD_OUTPUT, (long)text, (long)size);
    if (written <= 0) call(EXIT, 1, 0, 0);
    text += written;
    size -= (usize)written;
  }
}

void host_main(void);

void host_main(void) {
  run_program();
  call(EXIT, 0, 0, 0);
}
