; A boot sector that prints one line on COM1 and halts for good.
;
;   deno task demo

        bits 16
        org 0x7c00

COM1    equ 0x3f8
LSR     equ COM1 + 5
THRE    equ 0x20                ; the transmitter has room

        jmp 0:start             ; some firmware comes in as 07c0:0000
start:  xor ax, ax
        mov ds, ax
        mov si, text
        cld
next:   lodsb
        test al, al
        jz done
        mov ah, al
        mov dx, LSR
busy:   in al, dx
        test al, THRE
        jz busy
        mov al, ah
        mov dx, COM1
        out dx, al
        jmp next
done:   cli
        hlt
        jmp done

text:   db "Hello from a boot sector at 0:7C00.", 10, 0

        times 510 - ($ - $$) db 0
        dw 0xaa55
