; 16-bit arithmetic on registers and memory, with a near call in each round.

%define MODE 16
%include "boot.inc"

work:
  mov si, 0x100
.round:
  mov bx, 500
.inner:
  add ax, bx
  adc dx, 0
  mov [si+0x2000], ax
  add di, [si+0x2000]
  sub bx, 1
  jnz .inner
  call .mix
  dec ecx
  jnz .round
  ret
.mix:
  rol bp, 3
  xor bp, ax
  ret

times 510-($-$$) db 0
dw 0xaa55
