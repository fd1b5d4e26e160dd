; Fibonacci's numbers by recursion: calls, returns, the stack. fib(16) a round.

%define MODE 64
%include "boot.inc"

work:
  mov ebx, ecx
.round:
  mov edi, 16
  call fib
  dec ebx
  jnz .round
  ret

fib:
  cmp edi, 2
  jae .more
  mov eax, edi
  ret
.more:
  push rdi
  dec edi
  call fib
  pop rdi
  push rax
  lea edi, [rdi-2]
  call fib
  pop rdx
  add rax, rdx
  ret

times 510-($-$$) db 0
dw 0xaa55
