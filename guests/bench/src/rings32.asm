; Ring 3 and the ways back, 32-bit: see rings.h.
bits 32

extern handle_call
global enter_user, leave_user, system_entry, interrupt_entry

KERNEL_DATA equ 0x10
USER_CODE equ 0x1b
USER_DATA equ 0x23

section .text

; void enter_user(void (*function)(void), void *stack_top)
enter_user:
  mov ecx, [esp + 4]
  mov edx, [esp + 8]
  push ebx
  push esi
  push edi
  push ebp
  mov [kept_esp], esp
  mov eax, USER_DATA
  mov ds, ax
  mov es, ax
  sub edx, 4
  push eax
  push edx
  push 2
  push USER_CODE
  push ecx
  iretd

leave_user:
  mov esp, [kept_esp]
  mov eax, KERNEL_DATA
  mov ds, ax
  mov es, ax
  pop ebp
  pop edi
  pop esi
  pop ebx
  ret

; SYSENTER: EAX the number, EBX the argument, ECX the stack, EDX the address to return to; the result is in EAX
system_entry:
  push ecx
  push edx
  push ebx
  push eax
  call handle_call
  add esp, 8
  pop edx
  pop ecx
  sysexit

; INT: EAX the number, EBX the argument; the result is in EAX
interrupt_entry:
  push ds
  push es
  pushad
  mov edx, KERNEL_DATA
  mov ds, dx
  mov es, dx
  cld
  push ebx
  push eax
  call handle_call
  add esp, 8
  mov [esp + 28], eax
  popad
  pop es
  pop ds
  iretd

section .bss align=4
kept_esp:
  resd 1
