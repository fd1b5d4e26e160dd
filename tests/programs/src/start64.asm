; The start of a guest in long mode, entered with the page tables of guests/low_tables.ts, which it opens to ring 3: a clean bss, and
; on to ring 3 with all ports allowed. Assembled as start32.asm is.
bits 64

extern bss_start, bss_end, guest_main
global start

PAGE_TABLES equ 0x2000          ; PML4, page-directory pointers and four page directories, in a row
PAGE_TABLES_END equ 0x8000
USER equ 4
USER_CODE equ 0x1b
USER_DATA equ 0x23
USER_FLAGS equ 0x3002           ; IOPL 3

section .start progbits alloc exec nowrite align=16
start:
  cli
  cld
  mov edi, PAGE_TABLES
.next:
  test byte [rdi], 1
  jz .free
  or byte [rdi], USER
.free:
  add edi, 8
  cmp edi, PAGE_TABLES_END
  jb .next
  mov rax, cr3
  mov cr3, rax
  lgdt [abs gdt_pointer]
  mov edi, bss_start
  mov ecx, bss_end
  sub ecx, edi
  shr ecx, 3
  xor eax, eax
  rep stosq
%if FPU
  mov rax, cr0
  and eax, ~0x0c                ; EM and TS
  or eax, 0x22                  ; MP and NE
  mov cr0, rax
%endif
%if SSE
  mov rax, cr4
  or eax, 0x600                 ; OSFXSR and OSXMMEXCPT
  mov cr4, rax
%endif
  mov esp, stack_top
  mov eax, USER_DATA
  mov ds, eax
  mov es, eax
  push USER_DATA
  push stack_top
  push USER_FLAGS
  push USER_CODE
  push user
  iretq

user:
%if FPU
  fninit
%endif
  xor ebp, ebp
  call guest_main

section .data align=8
gdt:
  dq 0
  dq 0x00af9b000000ffff         ; 0x08: 64-bit code
  dq 0x00cf93000000ffff         ; 0x10: data
  dq 0x00affb000000ffff         ; 0x18: 64-bit code of ring 3
  dq 0x00cff3000000ffff         ; 0x20: data of ring 3
.end:
gdt_pointer:
  dw gdt.end - gdt - 1
  dq gdt

section .stack nobits alloc write align=16
  resb 0x10000
stack_top:
