; Virtual-8086 mode, without and with VME.
%include "check32.inc"

STACK_V   equ 0x4ff0
VM        equ 0x20000
VIF       equ 0x80000
VIP       equ 0x100000
IOPL3     equ 0x3000
REDIRECT  equ 104               ; in the TSS: 32 bytes of redirection bitmap, then the I/O bitmap

; `virtual label, flags`: goes to virtual-8086 mode at 0:label.
%macro virtual 2
        push dword 0x4444                        ; GS, FS, DS, ES
        push dword 0x3333
        push dword 0x0100
        push dword 0x0200
        push dword 0
        push dword STACK_V
        push dword VM | 2 | %2
        push dword 0
        push dword %1
        iretd
%endmacro

main:   mov byte [idt + 3 * 8 + 5], 0xee
        mov byte [idt + 4 * 8 + 5], 0xee
        mov edi, tss + REDIRECT
        mov al, 0xff
        mov ecx, 32 + 129
        rep stosb
        mov byte [tss + REDIRECT + 32 + 0x3f8 / 8], 0xfe
        mov word [tss + 102], REDIRECT + 32
        mov word [gdt + SEL_TSS], REDIRECT + 32 + 128
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax

        faults "INT with IOPL 3", 0x80, 0
        virtual v_int, IOPL3
        done
        mov eax, [got_flags]
        and eax, VM
        equals "VM in the saved flags", VM
        mov eax, [got_cs]
        equals "saved CS", 0
        mov eax, [got_esp]
        equals "saved ESP", STACK_V
        mov ebx, [got_frame]
        mov eax, [ebx]
        equals "saved ES", 0x200
        mov ebx, [got_frame]
        mov eax, [ebx + 4]
        equals "saved DS", 0x100
        mov ebx, [got_frame]
        mov eax, [ebx + 8]
        equals "saved FS", 0x3333
        mov ebx, [got_frame]
        mov eax, [ebx + 12]
        equals "saved GS", 0x4444
        mov dword [idt + 0x90 * 8], (SEL_CODE << 16)
        mov eax, raw_handler
        mov [idt + 0x90 * 8], ax
        mov byte [idt + 0x90 * 8 + 5], 0xee
        faults "INT with IOPL 3, raw", 0x90, 0
        virtual v_int90, IOPL3
        done
        mov eax, [raw_ds]
        equals "the handler's DS is null", 0
        mov eax, [raw_gs]
        equals "and its GS", 0
        faults "INT with IOPL 0", 13, 0
        virtual v_int, 0
        done
        faults "INT3 with IOPL 0", 3, 0
        virtual v_int3, 0
        done
        faults "gate of DPL 0 with IOPL 3", 13, 0x81 << 3 | 2
        virtual v_int81, IOPL3
        done
        faults "CLI with IOPL 0", 13, 0
        virtual v_cli, 0
        done
        faults "CLI with IOPL 3", 0x80, 0
        virtual v_cli, IOPL3
        done
        faults "PUSHF with IOPL 0", 13, 0
        virtual v_pushf, 0
        done
        faults "POPF with IOPL 0", 13, 0
        virtual v_popf, 0
        done
        faults "IRET with IOPL 0", 13, 0
        virtual v_iret, 0
        done
        faults "HLT with IOPL 3", 13, 0
        virtual v_hlt, IOPL3
        done
        faults "MOV CR0", 13, 0
        virtual v_cr0, IOPL3
        done
        faults "LAR", 6, 0
        virtual v_lar, IOPL3
        done
        faults "ARPL", 6, 0
        virtual v_arpl, IOPL3
        done
        faults "SLDT", 6, 0
        virtual v_sldt, IOPL3
        done
        faults "segments are paragraphs", 0x80, 0
        virtual v_segment, IOPL3
        done
        mov eax, [v_value]
        equals "DS", 0x11223344
        faults "word at FFFF", 13, 0
        virtual v_limit, IOPL3
        done
        faults "stack word at FFFF", 12, 0
        virtual v_stack, IOPL3
        done
        faults "far jump", 0x80, 0
        virtual v_far, IOPL3
        done
        mov eax, [got_cs]
        equals "CS after a far jump", 0x123
        faults "port that the bitmap permits, IOPL 0", 0x80, 0
        virtual v_out, IOPL3
        done
        faults "port that the bitmap forbids, IOPL 3", 13, 0
        virtual v_out81, IOPL3
        done
        faults "IRET and POPF keep IOPL", 0x80, 0
        virtual v_flags, IOPL3
        done
        mov eax, [got_flags]
        and eax, VM | IOPL3 | 0x200
        equals "VM, IOPL, IF", VM | IOPL3 | 0x200

        ; With VME.
        mov eax, cr4
        or eax, 1
        mov cr4, eax
        faults "VME: STI with IOPL 0 sets VIF", 3, 0
        virtual v_sti, 0
        done
        mov eax, [got_flags]
        and eax, VIF | 0x200
        equals "VIF", VIF
        faults "VME: CLI with IOPL 0 clears VIF", 3, 0
        virtual v_cli3, VIF
        done
        mov eax, [got_flags]
        and eax, VIF
        equals "VIF clear", 0
        faults "VME: STI with VIP", 13, 0
        virtual v_sti, VIP
        done
        faults "VME: PUSHF shows VIF as IF", 3, 0
        virtual v_pushf3, VIF
        done
        mov eax, [v_value]
        and eax, 0x3200
        equals "image", 0x3200
        faults "VME: POPF sets VIF", 3, 0
        virtual v_popf3, 0
        done
        mov eax, [got_flags]
        and eax, VIF | 0x200
        equals "VIF by POPF", VIF
        faults "VME: POPFD", 13, 0
        virtual v_popfd, 0
        done
        faults "VME: POPF with TF", 13, 0
        virtual v_popf_tf, 0
        done
        mov word [0x60 * 4], v_redirected
        mov word [0x60 * 4 + 2], 0
        and byte [tss + REDIRECT + 0x60 / 8], 0xfe
        faults "VME: INT redirected, IOPL 0", 3, 0
        virtual v_int60, VIF
        done
        mov eax, [v_value]
        and eax, 0x3200
        equals "pushed IF is VIF, IOPL 3", 0x3200
        mov eax, [v_inside]
        and eax, 0x3200
        equals "VIF is clear inside", 0x3000
        mov eax, [got_flags]
        and eax, VIF
        equals "IRET restores VIF", VIF
        faults "VME: INT redirected, IOPL 3", 3, 0
        virtual v_int60, IOPL3 | 0x200
        done
        mov eax, [v_value]
        and eax, 0x3200
        equals "pushed IF is IF", 0x3200
        mov eax, [v_inside]
        and eax, 0x3200
        equals "IF is clear inside", 0x3000
        faults "VME: INT not redirected, IOPL 0", 13, 0
        virtual v_int, 0
        done
        jmp finish

raw_handler:
        mov eax, ds
        movzx eax, ax
        mov ebx, gs
        movzx ebx, bx
        mov cx, SEL_DATA
        mov ds, cx
        mov [raw_ds], eax
        mov [raw_gs], ebx
        mov dword [got], 0x90
        mov esp, [resume_esp]
        jmp [resume]

        bits 16
v_int:  int 0x80
v_int90: int 0x90
v_int3: int3
v_int81: int 0x81
v_cli:  cli
        int 0x80
v_cli3: cli
        int3
v_sti:  sti
        int3
v_pushf: pushf
        int 0x80
v_pushf3: pushf
        pop ax
        mov [cs:v_value], ax
        int3
v_popf: push word 2
        popf
        int 0x80
v_popf3: push word 0x202
        popf
        int3
v_popfd: push dword 2
        popfd
        int3
v_popf_tf: push word 0x102
        popf
        int3
v_iret: push word 2
        push cs
        push word v_int
        iret
v_hlt:  hlt
v_cr0:  mov eax, cr0
v_lar:  lar ax, bx
v_arpl: db 0x63, 0xc0
v_sldt: sldt ax
v_segment:
        mov ax, (v_data - $$ + 0x8000) >> 4
        mov ds, ax
        mov eax, [0]
        mov [cs:v_value], eax
        int 0x80
v_limit: mov ax, [0xffff]
v_stack: mov bp, 0xffff
        mov ax, [bp]
v_far:  jmp 0x123:v_there - 0x1230
v_there: int 0x80
v_out:  mov dx, 0x3f8
        mov al, '-'
        out dx, al
        mov al, 10
        out dx, al
        int 0x80
v_out81: out 0x81, al
v_flags: push word 0x202
        popf
        push word 0x0202
        push cs
        push word v_int
        iret
v_int60: int 0x60
        int3
v_redirected:
        mov bp, sp
        mov ax, [bp + 4]
        mov [cs:v_value], ax
        pushf
        pop ax
        mov [cs:v_inside], ax
        iret
        bits 32

        align 16
v_data: dd 0x11223344
v_value: dd 0
v_inside: dd 0
raw_ds: dd -1
raw_gs: dd -1
