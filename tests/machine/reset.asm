; Resets of all kinds. CMOS byte 0x40, which survives them, counts the starts; each start goes the next way, checks that the
; board is as after power-up, and the last one ends.

%include "board.inc"

main:   outb 0x70, 0x40
        in al, 0x71
        mov [starts], al
        inc al
        push ax
        outb 0x70, 0x40
        pop ax
        out 0x71, al
        mov eax, cr0
        and eax, 1
        cmp eax, 0
        call check
        db "real mode", 0
        mov dx, COM1 + 7
        in al, dx
        cmp al, 0
        call check
        db "the scratch register is clear", 0
        outb dx, 0x5a
        ; The A20 gate is open: 0x100500 is not 0x500.
        mov word [0x500], 0x1234
        mov ax, 0xffff
        mov es, ax
        mov word [es:0x510], 0x4321
        cmp word [0x500], 0x1234
        call check
        db "the A20 gate is open", 0
        outb 0x92, 0
        mov word [es:0x510], 0x4321
        cmp word [0x500], 0x4321
        call check
        db "a closed A20 gate wraps", 0
        cmp bx, 0
        jne finish
        movzx ax, byte [starts]
        add al, '0'
        mov dx, COM1
        out dx, al
        movzx di, byte [starts]
        shl di, 1
        jmp [ways + di]

ways:   dw port92, cf9_machine, cf9_processor, keyboard, triple

port92: outb 0x92, 1
        jmp never
cf9_machine:
        mov dx, 0xcf9
        outb dx, 0x02
        outb dx, 0x06
        jmp never
cf9_processor:
        mov dx, 0xcf9
        outb dx, 0x00
        outb dx, 0x04
        jmp never
keyboard:
        in al, 0x64
        cmp al, 0xff                    ; there is none
        je triple
        outb 0x64, 0xfe
        jmp never
triple: call newline
        jmp finish
never:  inc bx
        mov si, .text
        call print
        jmp finish
.text:  db "FAIL the processor runs on", 10, 0

starts: db 0
