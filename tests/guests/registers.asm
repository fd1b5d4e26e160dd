; Instructions about segment registers, descriptor tables, ports, time stamps and extended state that no other guest uses.
; Port 0x80 has nothing behind it: it reads as ones.
%include "check32.inc"

NOTHING equ 0x80
buffer  equ 0x4000

main:
; Segment registers from the stack, and with a pointer.
        push dword SEL_DATA
        pop es
        mov eax, es
        equals "POP ES", SEL_DATA
        push dword SEL_DATA
        pop ss
        mov eax, ss
        equals "POP SS", SEL_DATA
        push dword SEL_DATA
        pop ds
        mov eax, ds
        equals "POP DS", SEL_DATA
        push dword 0
        pop fs
        mov eax, fs
        equals "POP FS", 0
        push dword SEL_DATA
        pop gs
        mov eax, gs
        equals "POP GS", SEL_DATA
        les eax, [pointer]
        equals "LES gives the offset", 0x12345678
        mov eax, es
        equals "LES gives the selector", SEL_DATA
        lds eax, [pointer]
        equals "LDS gives the offset", 0x12345678
        mov eax, ds
        equals "LDS gives the selector", SEL_DATA
        lfs eax, [pointer]
        mov eax, fs
        equals "LFS", SEL_DATA
        lgs eax, [pointer]
        mov eax, gs
        equals "LGS", SEL_DATA
        mov [stack_pointer], esp
        lss esp, [stack_pointer]
        mov eax, ss
        equals "LSS", SEL_DATA

; Tables and the machine status word.
        sgdt [buffer]
        movzx eax, word [buffer]
        movzx ebx, word [gdtr]
        sub eax, ebx
        equals "SGDT gives the limit", 0
        mov eax, [buffer + 2]
        sub eax, [gdtr + 2]
        equals "SGDT gives the base", 0
        sidt [buffer]
        mov eax, [buffer + 2]
        equals "SIDT gives the base", idt
        smsw eax
        and eax, 1
        equals "SMSW has PE", 1
        mov ax, 0x9
        lmsw ax
        mov eax, cr0
        and eax, 0xf
        equals "LMSW sets TS", 9
        mov ax, 0
        lmsw ax
        mov eax, cr0
        and eax, 0xf
        equals "LMSW cannot clear PE", 1

; Ports.
        in al, NOTHING
        movzx eax, al
        equals "IN AL,Ib", 0xff
        in eax, NOTHING
        equals "IN EAX,Ib", 0xffffffff
        mov dx, NOTHING
        in eax, dx
        equals "IN EAX,DX", 0xffffffff
        mov eax, 5
        out NOTHING, eax
        equals "OUT leaves EAX", 5
        mov edi, buffer
        mov dword [buffer], 0
        mov dword [buffer + 4], 0
        insb
        insd
        mov eax, [buffer]
        equals "INSB and INSD", 0xffffffff
        mov eax, [buffer + 4]
        equals "INSD gives four bytes", 0xff
        mov eax, edi
        equals "EDI after INSB and INSD", buffer + 5
        mov esi, buffer
        outsb
        outsd
        mov eax, esi
        equals "ESI after OUTSB and OUTSD", buffer + 5

; Time stamps and counters.
        rdtsc
        mov ebx, eax
        mov ecx, edx
        rdtsc
        sub eax, ebx
        sbb edx, ecx
        mov eax, edx
        equals "RDTSC goes up", 0
        mov ecx, 0xc0000103                     ; TSC_AUX
        mov eax, 0x77
        xor edx, edx
        wrmsr
        rdtscp
        mov eax, ecx
        equals "RDTSCP gives TSC_AUX", 0x77
        rdpid eax
        equals "RDPID gives TSC_AUX", 0x77
        faults "RDPMC of a counter that there is not", 13, 0
        mov ecx, 0x12345
        rdpmc
        done
        faults "RDPMC of a counter", -1, 0
        xor ecx, ecx
        rdpmc
        done

; Caches and translations.
        faults "WBINVD and INVD", -1, 0
        wbinvd
        invd
        done
        faults "INVPCID of everything", -1, 0
        mov eax, 2
        invpcid eax, [descriptor_of_none]
        done
        faults "INVPCID of no kind", 13, 0
        mov eax, 4
        invpcid eax, [descriptor_of_none]
        done

; Extended state.
        mov eax, cr4
        and eax, ~(1 << 18)
        mov cr4, eax
        faults "XGETBV without OSXSAVE", 6, 0
        xor ecx, ecx
        xgetbv
        done
        mov eax, cr4
        or eax, 1 << 18
        mov cr4, eax
        xor ecx, ecx
        mov eax, 3
        xor edx, edx
        xsetbv
        xor ecx, ecx
        xgetbv
        equals "XGETBV gives what XSETBV has set", 3
        faults "XSETBV without x87", 13, 0
        xor ecx, ecx
        mov eax, 2
        xor edx, edx
        xsetbv
        done
        faults "XGETBV of a register that there is not", 13, 0
        mov ecx, 2
        xgetbv
        done
        jmp finish

        align 4
pointer: dd 0x12345678
        dw SEL_DATA
        align 4
stack_pointer: dd 0
        dw SEL_DATA
        align 16
descriptor_of_none: times 16 db 0
