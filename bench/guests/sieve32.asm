; The sieve of Eratosthenes over 8192 bytes, once a round.

%define MODE 32
%include "boot.inc"

SIEVE equ 0x20000
SIZE equ 8192

work:
  push ecx
  mov edi, SIEVE
  mov ecx, SIZE / 4
  mov eax, 0x01010101
  rep stosd
  mov esi, 2
.next:
  cmp byte [SIEVE+esi], 0
  je .composite
  inc ebp
  lea ebx, [esi+esi]
.strike:
  cmp ebx, SIZE
  jae .composite
  mov byte [SIEVE+ebx], 0
  add ebx, esi
  jmp .strike
.composite:
  inc esi
  cmp esi, SIZE
  jb .next
  pop ecx
  dec ecx
  jnz work
  ret

times 510-($-$$) db 0
dw 0xaa55
