; A disk that boots by the firmware, and looks around: sector 2 by CHS, sector 3 by LBA, writes sector 4, prints the memory map, waits
; for a key and a tenth of a second, and reads the clock.

        bits 16
        org 0x7c00

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov [drive], dl
        mov ax, 0x0207                  ; the rest of this program
        mov cx, 2
        xor dh, dh
        mov bx, 0x7e00
        int 0x13
        mov si, no_disk
        jc say
        jmp main
say:    call print
        call line
        jmp finish

no_disk: db "no disk", 0
drive:  db 0

%include "boot.inc"

        times 510 - ($ - $$) db 0
        dw 0xaa55

main:   mov si, booted
        call print
        mov al, [drive]
        call hex8
        call line

        ; by CHS: sector 9, the 10th of the disk
        mov ax, 0x0201
        mov cx, 10
        xor dh, dh
        mov dl, [drive]
        mov bx, buffer
        int 0x13
        mov si, failed
        jc say
        mov si, buffer
        call print
        call line

        ; by LBA: sector 10
        mov si, packet
        mov ah, 0x42
        mov dl, [drive]
        int 0x13
        mov si, failed
        jc say
        mov si, buffer
        call print
        call line

        ; and one is written
        mov si, message
        mov di, buffer
        mov cx, message_end - message
        rep movsb
        inc dword [packet + 8]
        mov si, packet
        mov ax, 0x4300
        mov dl, [drive]
        int 0x13
        mov si, failed
        jc say
        mov ah, 0x08
        mov dl, [drive]
        push es
        int 0x13
        pop es
        mov ax, cx
        push dx
        call hex16
        mov al, ' '
        call putc
        pop ax
        call hex16
        call line

        ; memory
        int 0x12
        call hex16
        call line
        xor ebx, ebx
.range: mov eax, 0xe820
        mov edx, 0x534d4150
        mov ecx, 20
        mov di, buffer
        int 0x15
        jc .map
        mov eax, [buffer + 4]
        call hex32
        mov eax, [buffer]
        call hex32
        mov al, ' '
        call putc
        mov eax, [buffer + 12]
        call hex32
        mov eax, [buffer + 8]
        call hex32
        mov al, ' '
        call putc
        mov al, [buffer + 16]
        add al, '0'
        call putc
        call line
        test ebx, ebx
        jnz .range
.map:

        ; the date, a key, a tenth of a second
        mov ah, 4
        int 0x1a
        push dx
        mov ax, cx
        call hex16
        pop ax
        call hex16
        call line
        mov si, press
        call print
        mov ah, 0
        int 0x16
        call hex16
        call line
        mov ah, 0
        int 0x1a
        push dx
        mov ah, 0x86
        mov cx, 0x0001
        mov dx, 0x86a0
        int 0x15
        mov ah, 0
        int 0x1a
        pop ax
        sub dx, ax
        mov ax, dx
        call hex16
        call line
        jmp finish

booted: db "booted from ", 0
failed: db "failed", 0
press:  db "press a key", 13, 10, 0
message: db "written by the guest", 0
message_end:
        align 4
packet: db 16, 0
        dw 1, buffer, 0
        dq 10

        times 9 * 512 - ($ - $$) db 0
        db "read by CHS", 0
        times 10 * 512 - ($ - $$) db 0
        db "read by LBA", 0
        times 12 * 512 - ($ - $$) db 0

buffer equ 0xa000
