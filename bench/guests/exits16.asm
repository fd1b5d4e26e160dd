; Port writes, each of which is an exit: one a round.

%define MODE 16
%include "boot.inc"

work:
  out 0x80, al
  dec ecx
  jnz work
  ret

times 510-($-$$) db 0
dw 0xaa55
