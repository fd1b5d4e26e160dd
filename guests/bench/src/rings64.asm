; Ring 3 and the ways back, 64-bit: see rings.h.
bits 64
default rel

extern handle_call
global enter_user, leave_user, system_entry, interrupt_entry, cpu_area

USER_DATA equ 0x23
USER_CODE equ 0x2b

section .text

; void enter_user(void (*function)(void), void *stack_top)
enter_user:
  push rbx
  push rbp
  push r12
  push r13
  push r14
  push r15
  mov [kept_rsp], rsp
  sub rsi, 8
  push USER_DATA
  push rsi
  push 2
  push USER_CODE
  push rdi
  iretq

leave_user:
  swapgs
  mov rsp, [kept_rsp]
  pop r15
  pop r14
  pop r13
  pop r12
  pop rbp
  pop rbx
  ret

; SYSCALL: EDI the number, ESI the argument; the result is in RAX
system_entry:
  swapgs
  mov [gs:8], rsp
  mov rsp, [gs:0]
  push qword [gs:8]
  push rcx
  push r11
  sub rsp, 8
  call handle_call
  add rsp, 8
  pop r11
  pop rcx
  pop rsp
  swapgs
  o64 sysret

; INT: EDI the number, ESI the argument; the result is in RAX
interrupt_entry:
  test byte [rsp + 8], 3
  jz .inside
  swapgs
.inside:
  push rcx
  push rdx
  push rsi
  push rdi
  push r8
  push r9
  push r10
  push r11
  sub rsp, 8
  cld
  call handle_call
  add rsp, 8
  pop r11
  pop r10
  pop r9
  pop r8
  pop rdi
  pop rsi
  pop rdx
  pop rcx
  test byte [rsp + 8], 3
  jz .back
  swapgs
.back:
  iretq

section .bss align=16
; What GS points to in ring 0: the stack of ring 0, and room for that of ring 3
cpu_area:
  resq 2
kept_rsp:
  resq 1
