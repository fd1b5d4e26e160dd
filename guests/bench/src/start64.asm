; The start of a 64-bit guest: a multiboot-1 header with an address part, the low 1 GiB at its own addresses in 2 MiB pages
; (open to ring 3 too), long mode, the FPU and SSE, a clean bss.
bits 32

extern load_start, load_end, bss_start, bss_clear_end, bss_end, kernel_main
global start, start_tss, start_pdpt

MAGIC equ 0x1badb002
FLAGS equ 0x00010002            ; addresses are given, and memory information is wanted
PAGE equ 7                      ; present, writable, user

section .multiboot progbits alloc noexec nowrite align=4
header:
  dd MAGIC, FLAGS, -(MAGIC + FLAGS)
  dd header, load_start, load_end, bss_end, start

section .text
start:
  cli
  cld
  mov esi, eax
  lgdt [gdt_pointer]
  mov eax, 0x10
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
  mov dword [pml4], start_pdpt + PAGE
  mov dword [start_pdpt], directory + PAGE
  mov eax, 0x80 + PAGE
  mov edi, directory
.next:
  mov [edi], eax
  add edi, 8
  add eax, 0x200000
  cmp eax, 0x40000000
  jb .next
  mov eax, cr4
  or eax, 0x620                 ; PAE, OSFXSR and OSXMMEXCPT
  mov cr4, eax
  mov eax, pml4
  mov cr3, eax
  mov ecx, 0xc0000080           ; EFER
  rdmsr
  or eax, 0x100                 ; LME
  wrmsr
  mov eax, cr0
  and eax, ~0x0c                ; EM and TS
  or eax, 0x80000022            ; PG, MP and NE
  mov cr0, eax
  jmp 0x08:.long

bits 64
.long:
  fninit
  mov eax, start_tss
  mov [abs gdt.tss + 2], ax
  shr eax, 16
  mov [abs gdt.tss + 4], al
  mov [abs gdt.tss + 7], ah
  mov edi, esi
  mov esi, ebx
  call kernel_main
.stop:
  cli
  hlt
  jmp .stop

section .data align=8
gdt:
  dq 0
  dq 0x00af9b000000ffff         ; 0x08: 64-bit code
  dq 0x00cf93000000ffff         ; 0x10: data
  dq 0x00cffb000000ffff         ; 0x18: 32-bit code of ring 3
  dq 0x00cff3000000ffff         ; 0x20: data of ring 3
  dq 0x00affb000000ffff         ; 0x28: 64-bit code of ring 3
.tss:
  dq 0x0000890000000067, 0      ; 0x30: TSS, its base is filled in
.end:
gdt_pointer:
  dw gdt.end - gdt - 1
  dd gdt

section .bss align=4096
pml4:
  resb 4096
start_pdpt:
  resb 4096
directory:
  resb 4096
start_tss:
  resb 112
  resb 16384
kernel_stack_top:
