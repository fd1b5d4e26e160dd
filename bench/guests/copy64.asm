; REP MOVSQ and REP STOSB: 64 KiB of each a round.

%define MODE 64
%include "boot.inc"

work:
  mov ebx, ecx
.round:
  mov esi, 0x20000
  mov edi, 0x40000
  mov ecx, 8192
  rep movsq
  mov edi, 0x20000
  mov ecx, 65536
  mov eax, ebx
  rep stosb
  dec ebx
  jnz .round
  ret

times 510-($-$$) db 0
dw 0xaa55
