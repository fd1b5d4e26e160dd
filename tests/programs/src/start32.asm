; The start of a guest in protected mode, entered in flat segments: a clean bss, the first 4 MiB at their own addresses by paging, and on
; to ring 3 with all ports allowed. There the program runs, as programs do: some devices execute ring 0, or all that runs without
; paging, through an emulator that knows neither FPU nor SSE.
; Assembled with FPU=1 for programs that calculate with a point, SSE=1 where the compiler uses XMM registers.
bits 32

extern bss_start, bss_end, guest_main
global start

USER_CODE equ 0x1b
USER_DATA equ 0x23
USER_FLAGS equ 0x3002           ; IOPL 3

section .start progbits alloc exec nowrite align=16
start:
  cli
  cld
  lgdt [gdt_pointer]
  mov edi, bss_start
  mov ecx, bss_end
  sub ecx, edi
  shr ecx, 2
  xor eax, eax
  rep stosd
%if FPU
  mov eax, cr0
  and eax, ~0x0c                ; EM and TS
  or eax, 0x22                  ; MP and NE
  mov cr0, eax
%endif
%if SSE
  mov eax, cr4
  or eax, 0x600                 ; OSFXSR and OSXMMEXCPT
  mov cr4, eax
%endif
  mov esp, stack_top
  mov eax, USER_DATA
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  push dword USER_DATA
  push dword stack_top
  push dword USER_FLAGS
  push dword USER_CODE
  push dword user
  iretd

user:
%if FPU
  fninit
%endif
  xor ebp, ebp
  call guest_main

section .data align=8
gdt:
  dq 0
  dq 0x00cf9b000000ffff         ; 0x08: code
  dq 0x00cf93000000ffff         ; 0x10: data
  dq 0x00cffb000000ffff         ; 0x18: code of ring 3
  dq 0x00cff3000000ffff         ; 0x20: data of ring 3
.end:
gdt_pointer:
  dw gdt.end - gdt - 1
  dd gdt

section .stack nobits alloc write align=16
  resb 0x10000
stack_top:
