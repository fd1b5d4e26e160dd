; SSE2 arithmetic in double precision: 256 steps of an iteration z = z*z + c a round.

%define MODE 64
%include "boot.inc"

work:
  movsd xmm4, [re]
  movsd xmm5, [im]
.round:
  xorpd xmm0, xmm0
  xorpd xmm1, xmm1
  mov edx, 256
.step:
  movapd xmm2, xmm0
  movapd xmm3, xmm1
  mulsd xmm2, xmm2
  mulsd xmm3, xmm3
  mulsd xmm1, xmm0
  subsd xmm2, xmm3
  addsd xmm1, xmm1
  addsd xmm2, xmm4
  addsd xmm1, xmm5
  movapd xmm0, xmm2
  dec edx
  jnz .step
  dec ecx
  jnz .round
  ret

align 8
re: dq -0.5
im: dq 0.5

times 510-($-$$) db 0
dw 0xaa55
