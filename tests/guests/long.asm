; Long mode: events and IST, system calls, compatibility mode, canonical addresses, page tables of four levels.
%include "check64.inc"

BAD       equ 0x0000800000000000         ; not canonical
TEXT_ADDRESS equ 0x40000000              ; behind the first GiB

%macro wrmsr64 2
        mov ecx, %1
        mov rax, %2
        mov rdx, rax
        shr rdx, 32
        wrmsr
%endmacro

main:
; Canonical addresses.
        faults "read of a bad address", 13, 0
        mov rbx, BAD
        mov rax, [rbx]
        done
        faults "stack of a bad address", 12, 0
        mov byte [idt + 12 * 16 + 4], 1
        mov rsp, BAD + 16
        push rax
        done
        faults "read by RBP of a bad address", 12, 0
        mov rbp, BAD
        mov rax, [rbp]
        done
        faults "jump to a bad address", 13, 0
        mov rbx, BAD
        jmp rbx
        done
        faults "RET to a bad address", 13, 0
        mov rbx, BAD
        push rbx
        ret
        done
        faults "page fault, not mapped", 14, 0
        mov rbx, 0x7fffffffe000
        mov rax, [rbx]
        done
        mov rax, cr2
        equals "CR2, low half", 0x7fffffffe000
        faults "page fault in the high half", 14, 2
        mov rbx, 0xffff800000001234
        mov [rbx], rax
        done
        mov rax, cr2
        equals "CR2, high half", 0xffff800000001234
        faults "LGDT of a bad base", 13, 0
        lgdt [bad_table]
        done
        faults "WRMSR FS base bad", 13, 0
        wrmsr64 0xc0000100, BAD
        done
        faults "CR3 reserved", 13, 0
        mov rax, 1 << 60
        mov cr3, rax
        done
        faults "CR0 upper half", 13, 0
        mov rax, cr0
        bts rax, 32
        mov cr0, rax
        done
        faults "clearing PAE", 13, 0
        mov rax, cr4
        and rax, ~0x20
        mov cr4, rax
        done
        faults "clearing PG in 64-bit mode", 13, 0
        mov rax, cr0
        btr rax, 31
        mov cr0, rax
        done
        faults "clearing LME while paging", 13, 0
        mov ecx, 0xc0000080
        rdmsr
        and eax, ~0x100
        wrmsr
        done
        faults "CR8 reserved", 13, 0
        mov eax, 16
        mov cr8, rax
        done
        mov eax, 5
        mov cr8, rax
        mov rax, cr8
        equals "CR8", 5

; Events.
        faults "event in ring 0", 0x80, 0
        mov rsp, 0x6ff8 - 3
        int 0x80
        done
        mov rax, [got_rsp]
        equals "RSP is pushed", 0x6ff5
        mov rax, [got_ss]
        equals "SS is pushed", SEL_DATA
        mov rax, [got_frame]
        equals "the frame is aligned", 0x6ff0
        faults "event from ring 3", 0x80, 0
        user u_int
        done
        movzx rax, word [got_in_ss]
        equals "SS is null in the handler", 0
        mov rax, [got_ss]
        equals "SS of ring 3", SEL_DATA3
        mov rax, [got_frame]
        equals "RSP0", STACK_R0
        mov byte [idt + 0x80 * 16 + 4], 1
        faults "event with IST", 0x80, 0
        int 0x80
        done
        mov rax, [got_frame]
        equals "IST1", STACK_IST
        mov byte [idt + 0x80 * 16 + 4], 0
        faults "handler not canonical", 13, 0
        mov dword [idt + 0x81 * 16 + 8], 0x00008000
        int 0x81
        done
        mov dword [idt + 0x81 * 16 + 8], 0
        mov word [idt + 0x81 * 16 + 2], SEL_CODE32
        faults "handler in compatibility mode", 13, SEL_CODE32
        int 0x81
        done
        mov word [idt + 0x81 * 16 + 2], SEL_CODE
        mov byte [idt + 0x81 * 16 + 5], 0x85
        faults "task gate in long mode", 13, 0x81 << 3 | 2
        int 0x81
        done
        mov byte [idt + 0x81 * 16 + 5], 0x8e
        mov rax, BAD
        mov [tss + 4], rax
        faults "bad RSP0", 12, 0
        user u_int
        done
        mov byte [idt + 8 * 16 + 4], 1
        mov qword [tss + 4], STACK_R0
        mov byte [idt + 13 * 16 + 5], 0x0e
        faults "double fault", 8, 0
        mov rbx, BAD
        mov rax, [rbx]
        done
        mov byte [idt + 13 * 16 + 5], 0x8e
        faults "IRETQ with NT", 13, 0
        pushfq
        or dword [rsp], 0x4000
        popfq
        push 0
        iretq
        done
        faults "IRETQ to a bad RIP", 13, 0
        mov rax, BAD
        push SEL_DATA
        push STACK0
        push 2
        push SEL_CODE
        push rax
        iretq
        done
        faults "IRETQ to SS null in ring 0", 0x80, 0
        push 0
        push STACK0 - 64
        push 2
        push SEL_CODE
        push u_int
        iretq
        done
        mov rax, [got_ss]
        equals "SS null is allowed", 0
        faults "IRETQ to SS null in ring 3", 13, 0
        push 3
        push STACK3
        push 2
        push SEL_CODE3
        push u_int
        iretq
        done
        faults "far jump immediate is gone", 6, 0
        db 0xea, 0, 0, 0, 0, 8, 0
        done
        faults "PUSH ES is gone", 6, 0
        db 0x06
        done
        faults "INTO is gone", 6, 0
        db 0xce
        done

; Segments.
        faults "DS null may be used", -1, 0
        xor eax, eax
        mov ds, ax
        mov rax, [0x8000]
        done
        wrmsr64 0xc0000100, 0x123456789000
        mov ax, SEL_DATA
        mov fs, ax
        mov ecx, 0xc0000100
        rdmsr
        equals "loading FS sets its base", 0
        wrmsr64 0xc0000100, value_a
        mov rax, [fs:0]
        equals "FS base", 0x1122334455667788
        wrmsr64 0xc0000101, value_a
        wrmsr64 0xc0000102, value_b
        swapgs
        mov rax, [gs:0]
        equals "SWAPGS", 0x99aabbccddeeff00
        swapgs
        mov rax, cr4
        bts rax, 16
        mov cr4, rax
        mov rbx, value_b
        wrgsbase rbx
        rdgsbase rax
        equals "WRGSBASE and RDGSBASE", value_b
        faults "WRFSBASE of a bad address", 13, 0
        mov rax, BAD
        wrfsbase rax
        done
        mov rax, cr4
        btr rax, 16
        mov cr4, rax
        faults "RDFSBASE without CR4.FSGSBASE", 6, 0
        rdfsbase rax
        done
        wrmsr64 0xc0000100, 0x7fffffffff00
        faults "FS base plus offset not canonical", 13, 0
        mov rax, [fs:0x100]
        done

; SYSCALL and SYSRET.
        faults "SYSCALL without SCE", 6, 0
        syscall
        done
        mov ecx, 0xc0000080
        rdmsr
        or eax, 1
        wrmsr
        wrmsr64 0xc0000081, (0x20 | 3) << 48 | SEL_CODE << 32
        wrmsr64 0xc0000082, system_call
        wrmsr64 0xc0000084, 0x400
        faults "SYSCALL and SYSRET", 0x80, 0
        user u_syscall, 0x402
        done
        mov rax, [seen_rcx]
        equals "RCX", u_after
        mov rax, [seen_r11]
        and rax, 0x400
        equals "R11 has DF", 0x400
        mov rax, [seen_flags]
        and rax, 0x400
        equals "DF is masked", 0
        mov rax, [seen_cs]
        equals "CS", SEL_CODE
        mov rax, [seen_ss]
        equals "SS", SEL_DATA
        mov rax, [got_cs]
        equals "CS after SYSRET", SEL_CODE3
        mov rax, [got_ss]
        equals "SS after SYSRET", SEL_DATA3
        mov rax, [got_flags]
        and rax, 0x400
        equals "SYSRET restores DF", 0x400
        faults "SYSRET to a bad address", 13, 0
        mov rcx, BAD
        mov r11, 2
        o64 sysret
        done
        faults "SYSRET to compatibility mode", 0x80, 0
        mov ecx, c_int
        mov r11, 2
        mov rsp, STACK3
        o32 sysret
        done
        mov rax, [got_cs]
        equals "CS of compatibility mode", SEL_CODE3C

; SYSENTER and SYSEXIT.
        faults "SYSENTER without a selector", 13, 0
        sysenter
        done
        wrmsr64 0x174, SEL_CODE
        wrmsr64 0x175, STACK_R0
        wrmsr64 0x176, system_enter
        faults "SYSENTER from ring 3", -1, 0
        user u_sysenter, 0x202
        done
        mov rax, [seen_cs]
        equals "CS after SYSENTER", SEL_CODE
        mov rax, [seen_flags]
        and rax, 0x200
        equals "IF after SYSENTER", 0
        faults "SYSEXIT at CPL 3", 13, 0
        user u_sysexit
        done

; Compatibility mode.
        faults "far jump to compatibility mode", 0x80, 0
        jmp far dword [compat_pointer]
        done
        mov rax, [got_cs]
        equals "CS", SEL_CODE32
        faults "compatibility mode of ring 3", 0x80, 0
        push SEL_DATA3
        push STACK3
        push 2
        push SEL_CODE3C
        push c_int
        iretq
        done
        mov rax, [got_cs]
        equals "CS of ring 3", SEL_CODE3C
        faults "far jump to code with L and D", 13, SEL_FREE
        descriptor SEL_FREE, 0xffff, 0x00ef9a00
        jmp far dword [ld_pointer]
        done
        faults "IRETQ to compatibility mode beyond the limit", 13, 0
        descriptor SEL_FREE, 0x7fff, 0x0040fa00
        push SEL_DATA3
        push STACK3
        push 2
        push SEL_FREE | 3
        push c_int
        iretq
        done

; A call gate, 16 bytes.
        descriptor SEL_FREE, SEL_CODE << 16, 0x0000ec00
        mov eax, gate_entry
        mov [gdt + SEL_FREE], ax
        mov dword [gdt + SEL_FREE + 8], 0
        mov dword [gdt + SEL_FREE + 12], 0
        faults "call gate from ring 3", 0x80, 0
        user u_gate
        done
        mov rax, [seen_cs]
        equals "the caller's CS", SEL_CODE3
        mov rax, [seen_rsp]
        equals "the caller's RSP", STACK3
        mov rax, [seen_ss]
        equals "the caller's SS", SEL_DATA3
        mov dword [gdt + SEL_FREE + 12], 0x100
        faults "call gate with a type in its upper half", 13, SEL_FREE
        user u_gate
        done

; LTR and LLDT of 16 bytes.
        descriptor SEL_FREE, 0x67, 0x00008900
        mov dword [gdt + SEL_FREE + 8], 0x00008000
        mov dword [gdt + SEL_FREE + 12], 0
        faults "LTR of a bad base", 13, SEL_FREE
        mov ax, SEL_FREE
        ltr ax
        done
        faults "LTR of a 16-bit TSS", 13, SEL_FREE
        descriptor SEL_FREE, 0x67, 0x00008100
        mov ax, SEL_FREE
        ltr ax
        done

; Page tables.
        mov dword [PDPT + 8], 0x83               ; 1 GiB at 1 GiB: the first again
        mov eax, [0x8000 + TEXT_ADDRESS]
        cmp eax, [0x8000]
        setz al
        movzx rax, al
        equals "1 GiB page", 1
        mov eax, [PDPT + 8]
        and rax, 0x60
        equals "its accessed bit", 0x20
        mov dword [PDPT + 8], 0x4083             ; bit 14 is reserved
        mov rax, cr3
        mov cr3, rax
        faults "reserved bit of a 1 GiB page", 14, 9
        mov eax, [0x8000 + TEXT_ADDRESS]
        done
        mov dword [PDPT + 8], 0x83
        mov dword [PDPT + 12], 0x80000000
        mov rax, cr3
        mov cr3, rax
        faults "XD without NXE", 14, 9
        mov eax, [0x8000 + TEXT_ADDRESS]
        done
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x800
        wrmsr
        faults "XD", 14, 0x11
        mov rbx, c_int + TEXT_ADDRESS
        jmp rbx
        done
        mov dword [PML4 + 4080], PDPT | 0x83     ; PS is reserved there
        faults "PS in the top level", 14, 9
        mov rbx, 0xffffff0000000000
        mov rax, [rbx]
        done
        mov dword [PML4 + 4080], PDPT | 3
        mov rbx, 0xffffff0000008000
        mov eax, [rbx]
        cmp eax, [0x8000]
        setz al
        movzx rax, al
        equals "the high half is mapped", 1
        mov rax, cr3
        or rax, 0
        mov cr3, rax
        mov rax, cr4
        bts rax, 17
        mov cr4, rax
        mov rax, cr4
        and rax, 1 << 17
        equals "CR4.PCIDE", 1 << 17
        mov rax, PML4 | 5
        bts rax, 63
        mov cr3, rax
        mov rax, cr3
        equals "CR3 with a PCID", PML4 | 5
        faults "clearing PG with PCIDE is #GP", 13, 0
        mov rax, cr0
        btr rax, 31
        mov cr0, rax
        done
        mov rax, cr4
        btr rax, 17
        mov cr4, rax

        jmp finish

u_int:  int 0x80
u_syscall: syscall
u_after: int 0x80
u_sysenter: sysenter
u_sysexit: sysexit
u_gate: call far dword [gate_pointer]
        int 0x80
system_call:
        mov [seen_rcx], rcx
        mov [seen_r11], r11
        mov ax, cs
        movzx eax, ax
        mov [seen_cs], rax
        mov ax, ss
        movzx eax, ax
        mov [seen_ss], rax
        mov rsp, STACK_R0
        pushfq
        pop qword [seen_flags]
        o64 sysret
system_enter:
        mov ax, cs
        movzx eax, ax
        mov [seen_cs], rax
        pushfq
        pop qword [seen_flags]
        jmp [resume]
gate_entry:
        mov rax, [rsp + 8]
        mov [seen_cs], rax
        mov rax, [rsp + 16]
        mov [seen_rsp], rax
        mov rax, [rsp + 24]
        mov [seen_ss], rax
        o64 retf

        bits 32
c_int:  int 0x80
        bits 64

        align 8
bad_table: dw 0xff
        dq BAD
compat_pointer: dd c_int
        dw SEL_CODE32
ld_pointer: dd c_int
        dw SEL_FREE
gate_pointer: dd 0
        dw SEL_FREE | 3
        align 8
value_a: dq 0x1122334455667788
value_b: dq 0x99aabbccddeeff00
seen_rcx: dq 0
seen_r11: dq 0
seen_flags: dq 0
seen_cs: dq 0
seen_ss: dq 0
seen_rsp: dq 0
