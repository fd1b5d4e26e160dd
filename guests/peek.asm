; Looks at an alias, at a hole in memory and at CPUID, and prints what it saw. It wants 64 KiB of memory, the page 0x8000 to be
; seen at 0x20000 too, nothing at 0x30000, and a CPUID leaf 0 of the host's choice.
;
;   kvm12 run guests/peek.bin --load 0x1000 -m 64K --alias gpa=0x20000,size=4K,target=0x8000 \
;     --cpuid 0=1,0x316d766b,0x656c706d,0x61732032

        bits 16
        org 0x1000

COM1    equ 0x3f8

        cld
        ; the alias: what is written there must be readable at its target
        mov ax, 0x2000
        mov es, ax
        mov dword [es:0x10], 0xcafef00d
        mov si, alias_text
        call print
        mov eax, [0x8010]
        call print_hex
        call print_newline

        ; and the other way round
        mov dword [0x8014], 0x600df00d
        mov si, target_text
        call print
        mov eax, [es:0x14]
        call print_hex
        call print_newline

        ; the hole: the write is lost, the read gives all ones
        mov ax, 0x3000
        mov es, ax
        mov dword [es:0], 0x12345678
        mov si, hole_text
        call print
        mov eax, [es:0]
        call print_hex
        call print_newline

        mov si, cpuid_text
        call print
        xor eax, eax
        cpuid
        mov [vendor], ebx
        mov [vendor + 4], edx
        mov [vendor + 8], ecx
        call print_hex
        mov si, vendor_text
        call print
        cli
        hlt

; Prints the text at DS:SI up to a zero byte.
print:  lodsb
        test al, al
        jz .done
        mov dx, COM1
        out dx, al
        jmp print
.done:  ret

; Prints EAX as eight digits.
print_hex:
        mov cx, 8
.next:  rol eax, 4
        push eax
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .digit
        add al, 'a' - '0' - 10
.digit: mov dx, COM1
        out dx, al
        pop eax
        loop .next
        ret

print_newline:
        mov al, 10
        mov dx, COM1
        out dx, al
        ret

alias_text:     db "written at 20010, read at 08010: ", 0
target_text:    db "written at 08014, read at 20014: ", 0
hole_text:      db "written at 30000, read there:    ", 0
cpuid_text:     db "CPUID leaf 0: ", 0
vendor_text:    db " "
vendor:         times 12 db 0
                db 10, 0
