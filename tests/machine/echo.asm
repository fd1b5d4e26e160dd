; COM1 by interrupts, with FIFOs: what comes in goes out again, sent by the transmitter's interrupt, and HLT wakes for it. A
; Q ends the guest. Fewer than eight bytes are told by the receiver's time-out.

%include "board.inc"

main:   mov al, 0x24
        mov dx, serial
        call set_vector
        mov dx, COM1 + 3
        outb dx, 0x83
        mov dx, COM1
        outb dx, 1                      ; 115,200 baud
        mov dx, COM1 + 3
        outb dx, 0x03
        mov dx, COM1 + 2
        outb dx, 0x87                   ; FIFOs, level 8
        in al, dx
        and al, 0xc0
        cmp al, 0xc0
        call check
        db "a 16550A", 0
        mov dx, COM1 + 4
        outb dx, 0x0b
        mov dx, COM1 + 1
        outb dx, 0x03
        outb 0x21, 0xef
        sti
.loop:  hlt
        cmp byte [quit], 0
        je .loop
        cli
        jmp finish

serial: push ax
        push dx
        push di
.again: mov dx, COM1 + 2
        in al, dx
        test al, 1
        jnz .end
        and al, 0x0e
        cmp al, 0x02
        je .send
.take:  mov dx, COM1 + 5
        in al, dx
        test al, 1
        jz .taken
        mov dx, COM1
        in al, dx
        cmp al, 'Q'
        jne .keep
        mov byte [quit], 1
.keep:  mov di, [tail]
        mov [queue + di], al
        inc di
        and di, 0xff
        mov [tail], di
        jmp .take
.taken: cmp byte [idle], 0
        je .again
.send:  mov byte [idle], 1
        mov di, [head]
        cmp di, [tail]
        je .again
        mov byte [idle], 0
        mov al, [queue + di]
        inc di
        and di, 0xff
        mov [head], di
        mov dx, COM1
        out dx, al
        jmp .again
.end:   outb 0x20, 0x20
        pop di
        pop dx
        pop ax
        iret

quit:   db 0
idle:   db 1
head:   dw 0
tail:   dw 0
queue:  times 256 db 0
