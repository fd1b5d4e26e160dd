; Each byte from the keyboard is shown in hexadecimal on the text screen, which the host program has set up. Escape ends it.

%include "board.inc"

main:   mov al, 0x21
        mov dx, key
        call set_vector
        outb 0x64, 0x60                 ; the keyboard interrupts, and its codes are translated to set 1
        outb 0x60, 0x41
        mov ax, 0xb800
        mov es, ax
        xor di, di
        outb 0x21, 0xfd
.wait:  sti
        hlt
        cli
        cmp byte [last], 0x81
        jne .wait
        jmp finish

key:    push ax
        in al, 0x60
        mov [last], al
        call digits
        mov ax, 0x0720
        stosw
        outb 0x20, 0x20
        pop ax
        iret

; Shows AL with two digits.
digits: push ax
        shr al, 4
        call .digit
        pop ax
        and al, 15
.digit: cmp al, 10
        sbb al, 0x69
        das
        mov ah, 0x07
        stosw
        ret

last:   db 0
