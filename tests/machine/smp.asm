; Several processors, as many as the CMOS memory says: the first starts the others by INIT and startup messages; all of them count
; together, with LOCK and under a spinlock; a token goes round four times by interrupts, half of the laps to physical and half to logical
; destinations; then messages to all and to the one with the lowest priority, INIT once more, and NMI.

%include "board.inc"

APIC       equ 0xfee00000
ID         equ 0x20
TPR        equ 0x80
EOI        equ 0xb0
LDR        equ 0xd0
SVR        equ 0xf0
ICR_LOW    equ 0x300
ICR_HIGH   equ 0x310

TOKEN      equ 0x40
EVERYBODY  equ 0x41
LOWEST     equ 0x42

ITERATIONS equ 20000
PAGE       equ 9                       ; of "other"

%macro write_apic 2
        mov dword [fs:dword APIC + %1], %2
%endmacro

main:   call flat
        outb 0x70, 0x5f
        in al, 0x71
        inc al
        mov [processors], al
        mov al, TOKEN
        mov dx, on_token
        call set_vector
        mov al, EVERYBODY
        mov dx, on_call
        call set_vector
        mov al, LOWEST
        mov dx, on_lowest
        call set_vector
        mov al, 2
        mov dx, on_nmi
        call set_vector
        call enable

        mov eax, [fs:dword APIC + ID]
        test eax, eax
        call check
        db "ID", 0
        mov ecx, 0x1b
        rdmsr
        and ax, 0x900
        cmp ax, 0x900
        call check
        db "IA32_APIC_BASE", 0
        mov eax, 1
        push bx
        cpuid
        shr ebx, 16
        cmp bx, [processors]            ; count, and ID 0
        pop bx
        je .counted
        cmp byte [processors], 1        ; alone, nothing is said
.counted:
        call check
        db "CPUID", 0

        write_apic ICR_LOW, 0xc4500     ; INIT to all others
        write_apic ICR_LOW, 0xc8500     ; and the end of it, which means nothing
        write_apic ICR_LOW, 0xc4600 + PAGE
        write_apic ICR_LOW, 0xc4600 + PAGE
.wait:  pause
        mov al, [present]
        inc al
        cmp al, [processors]
        jne .wait

        call work
.work:  pause
        mov al, [done]
        cmp al, [processors]
        jne .work
        movzx eax, byte [processors]
        imul eax, ITERATIONS
        cmp [atomic], eax
        call check
        db "LOCK INC", 0
        mov eax, [atomic]
        cmp [guarded], eax
        call check
        db "spinlock", 0

        movzx eax, byte [processors]
        shl eax, 2
        inc eax
        mov [hops_wanted], eax
        write_apic ICR_LOW, 0x44000 + TOKEN ; to itself
.token: cli
        mov eax, [hops]
        cmp eax, [hops_wanted]
        je .over
        sti
        hlt
        jmp .token
.over:  sti

        movzx eax, byte [processors]
        dec eax
        write_apic ICR_LOW, 0xc4000 + EVERYBODY
        call wait_calls
        add eax, eax
        inc eax
        write_apic ICR_LOW, 0x84000 + EVERYBODY
        call wait_calls

        mov byte [lowest], 0xff
        write_apic ICR_HIGH, 0xff000000
        write_apic ICR_LOW, 0x4900 + LOWEST
.low:   pause
        mov al, [lowest]
        cmp al, 0xff
        je .low
        inc al
        cmp al, [processors]
        call check
        db "lowest priority", 0

        cmp byte [processors], 1
        je .end
        mov al, [present]
        inc al
        write_apic ICR_HIGH, 0x01000000
        write_apic ICR_LOW, 0x4500      ; INIT
        write_apic ICR_LOW, 0x4600 + PAGE
.again: pause
        cmp al, [present]
        jne .again
        write_apic ICR_LOW, 0x4400      ; NMI, for it will halt with interrupts off
.nmi:   pause
        cmp byte [nmis], 1
        jne .nmi
        test byte [nmi_flags], 2        ; the interrupt flag
        call check
        db "NMI", 0

.end:   movzx eax, byte [processors]
        call print_hex
        mov eax, [atomic]
        call print_hex
        mov eax, [guarded]
        call print_hex
        mov eax, [hops]
        call print_hex
        mov eax, [calls]
        call print_hex
        call newline
        jmp finish

wait_calls:
        pause
        cmp [calls], eax
        jne wait_calls
        ret

; What every processor does.
work:   mov cx, ITERATIONS
.next:  lock inc dword [atomic]
.try:   mov al, 1
        xchg al, [taken]
        test al, al
        jz .mine
        pause
        jmp .try
.mine:  mov eax, [guarded]
        inc eax
        mov [guarded], eax
        mov byte [taken], 0
        loop .next
        lock inc byte [done]
        ret

; Switches the APIC on, with a logical ID; only the last processor has priority 0.
enable: write_apic SVR, 0x1ff
        mov ecx, [fs:dword APIC + ID]
        shr ecx, 24
        mov eax, 0x01000000
        shl eax, cl
        mov [fs:dword APIC + LDR], eax
        inc cl
        cmp cl, [processors]
        je .last
        write_apic TPR, 0x30
.last:  ret

; FS reaches all addresses.
flat:   lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp .on
.on:    mov dx, 8
        mov fs, dx
        and al, 0xfe
        mov cr0, eax
        jmp .off
.off:   ret

on_token:
        pushad
        write_apic EOI, 0
        inc dword [hops]
        mov eax, [hops]
        cmp eax, [hops_wanted]
        je .end
        mov ebx, [fs:dword APIC + ID]
        shr ebx, 24
        inc bl
        cmp bl, [processors]
        jb .next
        xor ebx, ebx
.next:  xor edx, edx
        movzx ecx, byte [processors]
        div ecx
        mov edx, 0x4000 + TOKEN
        test al, 1
        jz .send
        mov cl, bl                      ; an odd lap: logical
        mov ebx, 1
        shl ebx, cl
        mov edx, 0x4800 + TOKEN
.send:  shl ebx, 24
        mov [fs:dword APIC + ICR_HIGH], ebx
        mov [fs:dword APIC + ICR_LOW], edx
.end:   popad
        iret

on_call:
        lock inc dword [calls]
        write_apic EOI, 0
        iret

; An NMI has interrupted a processor that has interrupts off.
on_nmi: push bp
        push ax
        mov bp, sp
        mov al, [bp + 9]
        mov [nmi_flags], al
        pop ax
        pop bp
        lock inc byte [nmis]
        iret

on_lowest:
        push eax
        mov eax, [fs:dword APIC + ID]
        shr eax, 24
        mov [lowest], al
        write_apic EOI, 0
        pop eax
        iret

        align 8
gdt:    dq 0, 0x00cf92000000ffff
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

processors: dw 0
present: db 0
done:   db 0
taken:  db 0
lowest: db 0
nmis:   db 0
nmi_flags: db 0
        align 4
atomic: dd 0
guarded: dd 0
hops:   dd 0
hops_wanted: dd 0
calls:  dd 0

        times 0x1000 - ($ - $$) db 0
; Where the others begin.
other:  cli
        jmp 0:.here
.here:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7000
        call flat
        mov eax, [fs:dword APIC + ID]
        shr eax, 24 - 8
        sub sp, ax
        call enable
        lock inc byte [present]
        cmp dword [calls], 0
        jne .halt                       ; started for the second time
        call work
        sti
.halt:  hlt
        jmp .halt
