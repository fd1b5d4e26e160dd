; The start of a guest in real mode: all segments at 0, the stack at the end of the first 64 KiB, a clean bss.
; Assembled with FPU=1 for programs that calculate with a point.
bits 16

extern bss_start, bss_end, guest_main
global start

section .start progbits alloc exec nowrite align=16
start:
  cli
  cld
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov esp, 0xfff0
  mov edi, bss_start
  mov ecx, bss_end
  sub ecx, edi
  shr ecx, 2
  xor eax, eax
  a32 rep stosd
%if FPU
  mov eax, cr0
  and eax, ~0x0c                ; EM and TS
  or eax, 0x22                  ; MP and NE
  mov cr0, eax
  fninit
%endif
  call dword guest_main
