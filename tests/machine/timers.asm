; Timers through the interrupt controllers: the PIT's interrupts come and in order, HLT wakes by them, IRQ 0 goes before IRQ 8,
; masks hold, the clock's periodic interrupt comes and stops until register C is read, and port 61 shows counter 2. At each of
; the first interrupts the time-stamp counter and a counting loop are noted and printed at the end: by that, two runs are
; compared to the instruction.

%include "board.inc"

TICKS equ 40

main:   mov al, 0x20
        mov dx, tick
        call set_vector
        mov al, 0x28
        mov dx, clock
        call set_vector

        ; 40 ticks of a counting loop: a rate generator at 1193181 / 1193 Hz.
        outb 0x43, 0x34
        outb 0x40, 1193 & 0xff
        outb 0x40, 1193 >> 8
        outb 0x21, 0xfe
        xor ecx, ecx
        sti
.count: inc ecx
        cmp word [ticks], TICKS
        jb .count
        cli
        cmp word [ticks], TICKS
        call check
        db "ticks in a loop", 0

        ; The same in HLT.
        mov word [ticks], 0
        sti
.halt:  hlt
        cmp word [ticks], 20
        jb .halt
        cli
        cmp word [ticks], 20
        call check
        db "ticks in HLT", 0

        ; A masked timer stays quiet, and its request waits.
        outb 0x21, 0xff
        mov word [ticks], 0
        call wait_2ms
        call let_in
        cmp word [ticks], 0
        call check
        db "masked", 0
        outb 0x20, 0x0a                 ; OCW3: read IRR
        in al, 0x20
        and al, 1
        cmp al, 1
        call check
        db "IRR of a masked timer", 0
        outb 0x21, 0xfe
        call let_in
        mov ax, [ticks]                 ; one, and more if the host is slow
        dec ax
        cmp ah, 0
        call check
        db "unmasked", 0

        ; One shot, and it is over.
        outb 0x43, 0x30
        outb 0x40, 0x00
        outb 0x40, 0x08
        mov word [ticks], 0
        sti
        hlt
        cli
        cmp word [ticks], 1
        call check
        db "one shot", 0
        call wait_2ms
        call let_in
        cmp word [ticks], 1
        call check
        db "no second shot", 0

        ; The clock: 1024 interrupts a second, ten of them.
        outb 0x21, 0xfb
        outb 0xa1, 0xfe
        outb 0x70, 0x0a
        outb 0x71, 0x26
        outb 0x70, 0x0c
        in al, 0x71
        outb 0x70, 0x0b
        outb 0x71, 0x42
        sti
.clock: hlt
        cmp word [clocks], 10
        jb .clock
        cli
        cmp word [clocks], 10
        call check
        db "periodic interrupts", 0

        ; IRQ 0 and IRQ 8 at once: IRQ 0 goes first.
        outb 0x21, 0xff
        outb 0x43, 0x30
        outb 0x40, 0x00
        outb 0x40, 0x01
        call wait_2ms
        mov word [order], 0
        outb 0x21, 0xfa
        call let_in
        cmp word [order], 0x2820
        call check
        db "IRQ 0 before IRQ 8", 0

        ; Without reading register C there is no further interrupt.
        mov byte [clock_quiet], 1
        mov word [clocks], 0
        outb 0x70, 0x0c
        in al, 0x71
        sti
        hlt
        cli
        call wait_2ms
        call wait_2ms
        call let_in
        cmp word [clocks], 1
        call check
        db "register C not read", 0
        outb 0x70, 0x0b
        outb 0x71, 0x02

        ; Spurious: a level-triggered line that nobody drives stays quiet; nothing waits at the end.
        outb 0x20, 0x0b                 ; OCW3: read ISR
        in al, 0x20
        cmp al, 0
        call check
        db "ISR is empty", 0

        mov si, noted
        mov cx, TICKS * 2
.note:  lodsd
        call print_hex
        loop .note
        call newline
        jmp finish

; Takes interrupts for some thousand instructions: a kernel that emulates looks for them only now and then.
let_in: push cx
        mov cx, 5000
        sti
        loop $
        cli
        pop cx
        ret

; Waits for two milliseconds by counter 2.
wait_2ms:
        push ax
        in al, 0x61
        and al, 0xfc
        out 0x61, al
        outb 0x43, 0xb0
        outb 0x42, 2386 & 0xff
        outb 0x42, 2386 >> 8
        in al, 0x61
        or al, 1
        out 0x61, al
.wait:  in al, 0x61
        test al, 0x20
        jz .wait
        pop ax
        ret

tick:   push ax
        push dx
        push di
        mov di, [notes]
        cmp di, TICKS
        jae .full
        shl di, 3
        push eax
        push edx
        rdtsc
        mov [noted + di], eax
        mov [noted + di + 4], ecx
        pop edx
        pop eax
        inc word [notes]
.full:  inc word [ticks]
        shl word [order], 8
        mov byte [order], 0x20
        outb 0x20, 0x20
        pop di
        pop dx
        pop ax
        iret

clock:  push ax
        inc word [clocks]
        mov al, [order]
        mov ah, 0x28
        mov [order], ax
        cmp byte [clock_quiet], 0
        jne .quiet
        outb 0x70, 0x0c
        in al, 0x71
.quiet: outb 0xa0, 0x20
        outb 0x20, 0x20
        pop ax
        iret

ticks:       dw 0
notes:       dw 0
clocks:      dw 0
order:       dw 0
clock_quiet: db 0
        align 4
noted:  times TICKS * 2 dd 0
