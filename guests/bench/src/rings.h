/* Ring 3 and the ways back into ring 0; the assembly is in rings32.asm and rings64.asm. */
#ifndef RINGS_H
#define RINGS_H

#include "machine.h"

/* Calls a function in ring 3 with a stack; returns when ring 0 calls leave_user. */
void enter_user(void (*function)(void), void *stack_top);

/* Called in ring 0: makes enter_user return. */
__attribute__((noreturn)) void leave_user(void);

/* Serves a call from ring 3, or an interrupt; defined by the guest. */
uptr handle_call(u32 number, u32 argument);

/* Where SYSENTER or SYSCALL, and INT, arrive; they call handle_call. */
extern const u8 system_entry[], interrupt_entry[];

extern u8 start_tss[];

/* The stack on which ring 0 begins when it is called from ring 3. */
static u8 entry_stack[4096] __attribute__((aligned(16)));
static u8 user_stack[4096] __attribute__((aligned(16)));

#define TOP_OF(stack) ((void *)((stack) + sizeof(stack)))

#endif
