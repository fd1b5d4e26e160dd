; A floppy that boots by the firmware and says what comes from keyboard and mouse: each key until Escape, then a movement of the mouse;
; a hook of INT 15h AH=4Fh makes Z of Y, hooks of INT 1Bh and 1Ch are called. It ends by Ctrl-Alt-Del.

        bits 16
        org 0x7c00

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov eax, [0x15 * 4]
        mov [old_15], eax
        mov word [0x15 * 4], hook_15
        mov word [0x15 * 4 + 2], 0
        mov word [0x1b * 4], hook_1b
        mov word [0x1b * 4 + 2], 0
        mov si, ready
        call print
.key:   mov ah, 0x10
        int 0x16
        push ax
        call hex16
        call line
        pop ax
        cmp ax, 0x011b
        jne .key

        mov ax, 0xc205                  ; the mouse, packets of three bytes
        mov bh, 3
        int 0x15
        jc failed
        mov ax, 0xc207
        mov bx, moved
        int 0x15
        jc failed
        mov ax, 0xc200
        mov bh, 1
        int 0x15
        jc failed
        mov si, mouse
        call print
.wait:  hlt
        jmp .wait

failed: mov si, failure
        call print
        jmp finish

hook_15:
        cmp ah, 0x4f
        jne .old
        cmp al, 0x15                    ; Y
        jne .old
        mov al, 0x2c                    ; Z
.old:   jmp far [cs:old_15]

hook_1b:
        push si
        mov si, break
        call print
        pop si
        iret

; Prints status, x and y.
moved:  push bp
        mov bp, sp
        pushad
        mov ax, [bp + 12]
        call hex16
        mov ax, [bp + 10]
        call hex16
        mov ax, [bp + 8]
        call hex16
        call line
        popad
        pop bp
        retf

ready:  db "ready", 13, 10, 0
mouse:  db "mouse", 13, 10, 0
break:  db "break", 13, 10, 0
failure: db "failed", 0
        align 4
old_15: dd 0

%include "boot.inc"

        times 510 - ($ - $$) db 0
        dw 0xaa55
