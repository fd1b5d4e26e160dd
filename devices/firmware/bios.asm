; The ROM of the built-in BIOS: 0xfe000 to 0xfffff. It powers the board up, takes the hardware's interrupts, and hands every service
; to firmware.ts: by one OUT to a port that no PC has, with the address of the caller's registers on the stack. The places that
; programs know by heart (IBM's) are where they always were.
;
; What lies on the stack at the OUT, from SS:SP, which is EAX, upwards (service_frame.ts):
;   0 EDI, ESI, EBP, ESP, EBX, EDX, ECX, EAX   32 ES, DS   36 number of the service   38 SIGNATURE   40 IP, CS, FLAGS
; The answer comes in place of SIGNATURE: 0 done; 1 wait for an interrupt and ask again; 2 wait for an interrupt and be done.

        bits 16
        cpu 386
        org 0xe000

PORT       equ 0x4ff0
SIGNATURE  equ 0xb105
ANSWER_WAIT equ 1
ANSWER_HALT equ 2

; Services that no program calls.
SERVICE_KEYBOARD_IRQ equ 0x109
SERVICE_MOUSE_IRQ    equ 0x174
SERVICE_POST         equ 0x100

; What SERVICE_KEYBOARD_IRQ gives in AL.
KEY_BREAK  equ 1
KEY_PRINT  equ 2
KEY_SYSREQ_DOWN equ 3
KEY_SYSREQ_UP equ 4
KEY_RESET  equ 5
KEY_PAUSE  equ 6

BDA        equ 0x40
; Offsets in the BIOS data area.
BREAK_FLAG equ 0x71
KEY_FLAGS2 equ 0x18
TICKS      equ 0x6c
MIDNIGHT   equ 0x70
RESET_VECTOR equ 0x67
FLOPPY_DONE equ 0x3e
MOTORS     equ 0x3f
MOTOR_TIME equ 0x40
DISK_DONE  equ 0x8e
WAIT_FLAG  equ 0x98
WAIT_TIME  equ 0x9c
WAITING    equ 0xa0

TICKS_A_DAY equ 0x1800b0
RTC_TICK_US equ 976
BOOT       equ 0x7c00

%macro outb 2
        mov al, %2
        out %1, al
%endmacro

; Fills up to an offset in segment F000.
%macro place 1
        times %1 - 0xe000 - ($ - $$) db 0
%endmacro

%macro service 1
        push word SIGNATURE
        push word %1
        jmp trap
%endmacro

; Calls a service from within.
%macro request 1
        pushf
        push cs
        call %1
%endmacro

        place 0xe05b
post:   cli
        cld
        mov dx, 0x70
        outb dx, 0x8f
        in al, 0x71
        mov bl, al
        outb dx, 0x8f
        outb 0x71, 0
        outb dx, 0x0d
        in al, 0x71
        push BDA
        pop ds
        cmp bl, 5
        je .acknowledge
        cmp bl, 0x0a
        je .continue
        cmp bl, 9
        jne .cold
; Back from protected mode by the reset line, as programs of the AT do it.
        lss sp, [RESET_VECTOR]
        pop ds
        pop es
        popa
        iret
.acknowledge:
        outb 0xa0, 0x20
        out 0x20, al
.continue:
        jmp far [RESET_VECTOR]

.cold:  xor ax, ax
        mov es, ax
        mov ss, ax
        mov sp, BOOT
        mov si, first_writes
        mov cx, (first_writes_end - first_writes) / 4
        call write_ports
        xor di, di
        mov cx, 0x78
.fill:  mov ax, dummy_iret
        stosw
        mov ax, cs
        stosw
        loop .fill
        xor di, di
        mov si, vectors
        mov cx, (vectors_end - vectors) / 2
        call write_vectors
        mov word [es:0x40 * 4], entry_40
        mov word [es:0x42 * 4], entry_10
        mov di, 0x70 * 4
        mov si, high_vectors
        mov cx, (high_vectors_end - high_vectors) / 2
        call write_vectors
        request service_post
        call init_keyboard
        outb 0x21, 0xb8                 ; timer, keyboard, second 8259, floppy
        outb 0xa1, 0x8f                 ; mouse, coprocessor, hard disk
        sti
        call scan_adapters
        int 0x19
        jmp $

        place 0xe2c3
nmi:    iret

        place 0xe3fe
entry_13:
        jmp service_13

        place 0xe6f2
entry_19:
        jmp service_19

; What INT 15h AH=C0h points to: model FC, DMA 3 not used, second 8259, clock, keyboard intercept, wait for events.
        place 0xe6f5
configuration:
        dw 8
        db 0xfc, 0, 1, 0x70, 0x40, 0, 0, 0

        place 0xe739
entry_14:
        jmp service_14

        place 0xe82e
entry_16:
        jmp service_16

        place 0xe987
entry_09:
        jmp irq1

        place 0xec59
entry_40:
        jmp service_13

        place 0xef57
entry_0e:
        push ds
        push BDA
        pop ds
        or byte [FLOPPY_DONE], 0x80
        pop ds
        jmp irq_low

        place 0xefc7
diskette_parameters:                    ; 1.44 MB
        db 0xaf, 2, 0x25, 2, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 8

        place 0xefd2
entry_17:
        jmp service_17

        place 0xf065
entry_10:
        jmp service_10

; What the 6845 was given in modes 0 and 1, 2 and 3, 4 to 6, and 7; length of a page, columns, and mode register for each.
        place 0xf0a4
video_parameters:
        db 0x38, 0x28, 0x2d, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0
        db 0x71, 0x50, 0x5a, 0x0a, 0x1f, 6, 0x19, 0x1c, 2, 7, 6, 7, 0, 0, 0, 0
        db 0x38, 0x28, 0x2d, 0x0a, 0x7f, 6, 0x64, 0x70, 2, 1, 6, 7, 0, 0, 0, 0
        db 0x61, 0x50, 0x52, 0x0f, 0x19, 6, 0x19, 0x19, 2, 0x0d, 0x0b, 0x0c, 0, 0, 0, 0
        dw 0x800, 0x1000, 0x4000, 0x4000
        db 40, 40, 80, 80, 40, 40, 80, 80
        db 0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29

        place 0xf120
trap:   push ds
        push es
        pushad
.again: mov bp, sp
        mov word [bp + 38], SIGNATURE
        mov ax, ss
        shl eax, 16
        mov ax, sp
        mov dx, PORT
        out dx, eax
        cmp word [bp + 38], ANSWER_WAIT
        jb .done
        ja .halt
        sti
        hlt
        cli
        jmp .again
.halt:  cmp word [bp + 38], ANSWER_HALT
        jne .done
        sti
        hlt
        cli
.done:  popad
        pop es
        pop ds
        add sp, 4
        iret

service_10: service 0x10
service_11: service 0x11
service_12: service 0x12
service_13: service 0x13
service_14: service 0x14
service_15: service 0x15
service_16: service 0x16
service_17: service 0x17
service_18: service 0x18
service_19: service 0x19
service_1a: service 0x1a
service_keyboard: service SERVICE_KEYBOARD_IRQ
service_mouse: service SERVICE_MOUSE_IRQ
service_post: service SERVICE_POST

; IRQ 1: INT 15h AH=4Fh may change or swallow the scan code; firmware.ts turns it into a key.
irq1:   push ax
        push ds
        push BDA
        pop ds
        in al, 0x60
        mov ah, 0x4f
        stc
        int 0x15
        jnc .end
        request service_keyboard
        cmp al, KEY_PAUSE
        je .pause
        ja .end
        cmp al, KEY_RESET
        je .reset
        push ax
        outb 0x20, 0x20
        pop ax
        cmp al, KEY_BREAK
        jne .print
        int 0x1b
        jmp .left
.print: cmp al, KEY_PRINT
        jne .sysreq
        int 5
        jmp .left
.sysreq:
        cmp al, KEY_SYSREQ_DOWN
        jb .left
        sub al, KEY_SYSREQ_DOWN
        mov ah, 0x85
        sti
        int 0x15
        jmp .left
.pause: outb 0x20, 0x20
.hold:  sti
        hlt
        cli
        test byte [KEY_FLAGS2], 8
        jnz .hold
        jmp .left
.reset: outb 0x64, 0xfe
        mov dx, 0xcf9
        outb dx, 6
        cli
        hlt
.end:   outb 0x20, 0x20
.left:  pop ds
        pop ax
        iret

; IRQ 8: the clock's periodic interrupt counts down a wait, its alarm calls INT 4Ah.
irq8:   push ax
        push ds
        push BDA
        pop ds
        outb 0x70, 0x0c
        in al, 0x71
        mov ah, al
        test ah, 0x40
        jz .alarm
        test byte [WAITING], 1
        jz .alarm
        sub dword [WAIT_TIME], RTC_TICK_US
        jae .alarm
        outb 0x70, 0x0b
        in al, 0x71
        and al, ~0x40
        push ax
        outb 0x70, 0x0b
        pop ax
        out 0x71, al
        mov byte [WAITING], 0
        push es
        push bx
        les bx, [WAIT_FLAG]
        or byte [es:bx], 0x80
        pop bx
        pop es
.alarm: test ah, 0x20
        jz .end
        int 0x4a
.end:   outb 0xa0, 0x20
        out 0x20, al
        pop ds
        pop ax
        iret

; IRQ 12: a byte of the mouse. A whole packet comes back as a handler in ESI and what it is to be given in BX, CX, DX.
irq12:  pushad
        push ds
        push es
        request service_mouse
        test al, al
        jz .end
        push bx
        push cx
        push dx
        push 0
        push cs
        push .back
        push esi
        retf
.back:  add sp, 8
.end:   cli
        outb 0xa0, 0x20
        out 0x20, al
        pop es
        pop ds
        popad
        iret

; IRQ 13: the coprocessor's error becomes NMI.
irq13:  push ax
        outb 0xf0, 0
        mov al, 0x20
        out 0xa0, al
        out 0x20, al
        pop ax
        int 2
        iret

; IRQ 14: a hard disk is done.
irq14:  push ds
        push BDA
        pop ds
        mov byte [DISK_DONE], 0xff
        pop ds
; Interrupts of the second 8259 that nobody wants.
irq_high:
        push ax
        outb 0xa0, 0x20
        out 0x20, al
        pop ax
        iret

; Interrupts of the first 8259 that nobody wants. An IRQ 7 that is not in service must not be acknowledged.
irq_low:
        push ax
        outb 0x20, 0x0b
        in al, 0x20
        test al, al
        jz .end
        outb 0x20, 0x20
.end:   pop ax
        iret

; The 8259s: vectors 8 and 70h; one stays masked until all is set up. The 8254: counter 0 at 18.2 Hz, counter 1 for refresh.
; DMA: on, channel 4 as the cascade.
first_writes:
        dw 0x20, 0x11, 0xa0, 0x11, 0x21, 0x08, 0xa1, 0x70, 0x21, 0x04, 0xa1, 0x02, 0x21, 0x01, 0xa1, 0x01
        dw 0x21, 0xff, 0xa1, 0xff
        dw 0x43, 0x36, 0x40, 0x00, 0x40, 0x00, 0x43, 0x54, 0x41, 0x12, 0x61, 0x00
        dw 0x0d, 0x00, 0xda, 0x00, 0xd6, 0xc0, 0xd4, 0x00, 0x92, 0x02
first_writes_end:

; Vectors 0 to 1Fh and 40h to 4Ah, and 70h to 77h; the rest stays at dummy_iret. Pointers to data are firmware.ts's.
vectors:
        dw dummy_iret, dummy_iret, nmi, dummy_iret, dummy_iret, print_screen, dummy_iret, dummy_iret
        dw irq0, entry_09, irq_low, irq_low, irq_low, irq_low, entry_0e, irq_low
        dw entry_10, entry_11, entry_12, entry_13, entry_14, entry_15, entry_16, entry_17
        dw service_18, entry_19, entry_1a, dummy_iret, dummy_iret, 0xf0a4, diskette_parameters, dummy_iret
vectors_end:
high_vectors:
        dw irq8, irq_high, irq_high, irq_high, irq12, irq13, irq14, irq_high
high_vectors_end:

; SI: port and value, CX: how many pairs.
write_ports:
        cs lodsw
        mov dx, ax
        cs lodsw
        out dx, al
        loop write_ports
        ret

; SI to CX vectors in segment F000, at ES:DI.
write_vectors:
        cs lodsw
        stosw
        mov ax, cs
        stosw
        loop write_vectors
        ret

; Waits until the keyboard controller takes a byte; ZF is clear if it never does.
keyboard_ready:
        xor cx, cx
.wait:  in al, 0x64
        test al, 2
        loopnz .wait
        ret

; Waits for a byte from the keyboard controller, in AL; ZF is set if none comes.
keyboard_answer:
        xor cx, cx
.wait:  in al, 0x64
        test al, 1
        loopz .wait
        jz .end
        in al, 0x60
        test sp, sp
.end:   ret

; Sends AL to the keyboard and waits until it says that it has got it.
keyboard_send:
        push ax
        call keyboard_ready
        pop ax
        out 0x60, al
        jmp keyboard_answer

; Writes AH as the keyboard controller's command byte.
keyboard_command_byte:
        call keyboard_ready
        outb 0x64, 0x60
        call keyboard_ready
        mov al, ah
        out 0x60, al
        ret

init_keyboard:
        in al, 0x64
        cmp al, 0xff
        je .end
        mov cx, 32
.flush: in al, 0x60
        in al, 0x64
        test al, 1
        loopnz .flush
        outb 0x64, 0xaa
        call keyboard_answer
        jz .end
        mov ah, 0x74                    ; translate, no mouse, no keyboard, system flag, no interrupts
        call keyboard_command_byte
        call keyboard_ready
        outb 0x64, 0xae
        mov al, 0xff
        call keyboard_send
        jz .on
        call keyboard_answer            ; its self-test
        mov al, 0xf4
        call keyboard_send
.on:    mov ah, 0x65                    ; translate, no mouse, system flag, the keyboard's interrupts
        call keyboard_command_byte
        call keyboard_ready
.end:   ret

; Calls the adapters' firmware at 0xc8000 to 0xdffff.
scan_adapters:
        mov bx, 0xc800
.next:  mov ds, bx
        cmp word [0], 0xaa55
        jne .none
        movzx ecx, byte [2]
        shl ecx, 9
        jz .none
        xor esi, esi
        xor al, al
.sum:   add al, [esi]
        inc esi
        a32 loop .sum
        test al, al
        jnz .none
        movzx ax, byte [2]
        add ax, 3
        and ax, ~3
        shl ax, 5
        push bx
        push ax
        push cs
        push .back
        push bx
        push 3
        retf
.back:  cli
        cld
        pop ax
        pop bx
        add bx, ax
        jmp .more
.none:  add bx, 0x80
.more:  cmp bx, 0xe000
        jb .next
        ret

        place 0xf841
entry_12:
        jmp service_12

        place 0xf84d
entry_11:
        jmp service_11

        place 0xf859
entry_15:
        jmp service_15

; 0xfa6e: firmware.ts puts the font of 8 lines here, codes 0 to 7Fh.

        place 0xfe6e
entry_1a:
        jmp service_1a

        place 0xfea5
irq0:   push eax
        push ds
        push dx
        push BDA
        pop ds
        mov eax, [TICKS]
        inc eax
        cmp eax, TICKS_A_DAY
        jb .same_day
        xor eax, eax
        inc byte [MIDNIGHT]
.same_day:
        mov [TICKS], eax
        cmp byte [MOTOR_TIME], 0
        je .user
        dec byte [MOTOR_TIME]
        jnz .user
        and byte [MOTORS], 0xf0
        mov dx, 0x3f2
        outb dx, 0x0c
.user:  int 0x1c
        cli
        outb 0x20, 0x20
        pop dx
        pop ds
        pop eax
        iret

        place 0xff53
dummy_iret:
        iret

        place 0xff54
print_screen:
        iret

        place 0xfff0
        jmp 0xf000:post
        db "01/01/26"
        db 0
        db 0xfc
        db 0
