/* The privileged side of the processor, for guests that are about it. */
#ifndef MACHINE_H
#define MACHINE_H

#include "bench.h"

/* Selectors of the descriptor table in start32.asm and start64.asm. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE32 0x1b
#define USER_DATA 0x23
#define USER_CODE64 0x2b

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static inline u8 in8(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static inline void write_msr(u32 number, u64 value) {
  __asm__ volatile("wrmsr" : : "c"(number), "a"((u32)value), "d"((u32)(value >> 32)));
}

static inline u64 read_msr(u32 number) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return ((u64)high << 32) | low;
}

static inline void write_cr3(uptr value) { __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }

static inline void forget_page(uptr address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

#endif
