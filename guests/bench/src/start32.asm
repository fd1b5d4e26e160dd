; The start of a 32-bit guest: a multiboot-1 header with an address part, flat segments, the FPU and SSE, a clean bss.
bits 32

extern load_start, load_end, bss_start, bss_clear_end, bss_end, kernel_main
global start, start_tss

MAGIC equ 0x1badb002
FLAGS equ 0x00010002            ; addresses are given, and memory information is wanted

section .multiboot progbits alloc noexec nowrite align=4
header:
  dd MAGIC, FLAGS, -(MAGIC + FLAGS)
  dd header, load_start, load_end, bss_end, start

section .text
start:
  cli
  cld
  lgdt [gdt_pointer]
  jmp 0x08:.flat
.flat:
  mov esi, eax
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov edi, bss_start
  mov ecx, bss_clear_end
  sub ecx, edi
  shr ecx, 2
  xor eax, eax
  rep stosd
  mov esp, kernel_stack_top
  mov eax, cr0
  and eax, ~0x0c                ; EM and TS
  or eax, 0x22                  ; MP and NE
  mov cr0, eax
  mov eax, cr4
  or eax, 0x600                 ; OSFXSR and OSXMMEXCPT
  mov cr4, eax
  fninit
  mov eax, start_tss
  mov [gdt.tss + 2], ax
  shr eax, 16
  mov [gdt.tss + 4], al
  mov [gdt.tss + 7], ah
  sub esp, 8
  push ebx
  push esi
  call kernel_main
.stop:
  cli
  hlt
  jmp .stop

section .data align=8
gdt:
  dq 0
  dq 0x00cf9b000000ffff         ; 0x08: code
  dq 0x00cf93000000ffff         ; 0x10: data
  dq 0x00cffb000000ffff         ; 0x18: code of ring 3
  dq 0x00cff3000000ffff         ; 0x20: data of ring 3
  dq 0                          ; 0x28
.tss:
  dq 0x0000890000000067         ; 0x30: TSS, its base is filled in
.end:
gdt_pointer:
  dw gdt.end - gdt - 1
  dd gdt

section .bss align=16
start_tss:
  resb 112
  resb 16384
kernel_stack_top:
