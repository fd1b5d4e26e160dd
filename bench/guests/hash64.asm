; 64-bit multiplications, rotations and loads: a hash of 32 KiB a round.

%define MODE 64
%include "boot.inc"

work:
  mov r8, 0x9e3779b97f4a7c15
  mov rax, 0xcbf29ce484222325
.round:
  mov esi, 0x20000
  mov edx, 4096
.word:
  xor rax, [rsi]
  imul rax, r8
  rol rax, 31
  add rax, rcx
  movzx edi, byte [rsi+3]
  lea rax, [rax+rdi*4+1]
  add rsi, 8
  dec edx
  jnz .word
  mov [0x20000], rax
  dec ecx
  jnz .round
  ret

times 510-($-$$) db 0
dw 0xaa55
