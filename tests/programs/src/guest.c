/* The bare processor's side of the runtime: text goes to port 0xe9, and a write to port 0xf4 is the end. */
#include "program.h"

#define TEXT_PORT 0xe9
#define END_PORT 0xf4

void write_out(const char *text, usize size) {
  __asm__ volatile("rep outsb" : "+S"(text), "+c"(size) : "d"(TEXT_PORT) : "memory");
}

/* Called by the start-up code. */
void guest_main(void);

void guest_main(void) {
  run_program();
  for (;;) __asm__ volatile("outb %b0, %1" : : "a"(0), "i"(END_PORT));
}
