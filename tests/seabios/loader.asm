; A loader for SeaBIOS: reads its second sector and shows it, writes that to sector 5, and starts the machine anew once; sector 6
; remembers that. The second time it turns the machine off.
bits 16
org 0x7c00

  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  cld
  mov [drive], dl
  mov si, hello
  call print
  mov ax, 0x0201            ; sector 2 of cylinder 0, head 0
  mov cx, 2
  mov dh, 0
  mov bx, 0x8000
  int 0x13
  jc fail
  mov si, 0x8000
  call print
  mov byte [packet + 8], 5
  mov ah, 0x43
  call extended
  mov byte [packet + 8], 6
  mov ah, 0x42
  call extended
  cmp byte [0x8000], 0
  jne off
  mov byte [0x8000], 1
  mov ah, 0x43
  call extended
  mov si, again
  call print
  mov dx, 0xcf9
  mov al, 6
  out dx, al
  jmp $
off:
  mov si, bye
  call print
  mov dx, 0x604
  mov ax, 0x2000
  out dx, ax
  jmp $
fail:
  mov si, failed
  call print
  hlt
  jmp $

; Reads (AH = 42) or writes (AH = 43) the sector that the packet says.
extended:
  mov al, 0
  mov dl, [drive]
  mov si, packet
  int 0x13
  jc fail
  ret

print:
  lodsb
  test al, al
  jz .done
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp print
.done:
  ret

drive: db 0
hello: db "Loader", 13, 10, 0
failed: db "Disk error", 13, 10, 0
again: db "Once more", 13, 10, 0
bye: db "Off", 13, 10, 0
align 4
packet:
  db 16, 0
  dw 1, 0x8000, 0
  dq 0
times 510 - ($ - $$) db 0
  dw 0xaa55
  db "Second sector", 13, 10, 0
times 1024 - ($ - $$) db 0
