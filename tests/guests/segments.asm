; Segments, gates and privilege levels in 32-bit protected mode. Checked by what the manual says of each instruction.
%include "check32.inc"

main:

; Exceptions of the program.
        faults "divide error", 0, 0
        xor ecx, ecx
        mov eax, 1
        div ecx
        done
        faults "INT3 is a trap", 3, 0
int3_at: int3
int3_next:
        done
        mov eax, [got_eip]
        equals "INT3 saves the next address", int3_next
        faults "INTO", 4, 0
        mov al, 0x7f
        inc al
        into
        done
        faults "BOUND", 5, 0
        mov eax, 11
        bound eax, [bounds]
        done
        faults "BOUND within", -1, 0
        mov eax, 10
        bound eax, [bounds]
        done
        faults "UD2", 6, 0
        ud2
        done
        faults "INT beyond the IDT limit", 13, 0x1ff * 0 + (0x90 << 3 | 2)
        lidt [short_idt]
        int 0x90
        done
        lidt [idtr]
        mov byte [idt + 0x90 * 8 + 5], 0x0e
        faults "INT of a gate that is not present", 11, 0x90 << 3 | 2
        int 0x90
        done
        mov byte [idt + 0x90 * 8 + 5], 0x92
        faults "INT of what is no gate", 13, 0x90 << 3 | 2
        int 0x90
        done
        mov byte [idt + 0x90 * 8 + 5], 0x8e
        mov word [idt + 0x90 * 8 + 2], 0
        faults "INT of a gate with null selector", 13, 0
        int 0x90
        done
        mov word [idt + 0x90 * 8 + 2], SEL_DATA
        faults "INT of a gate to data", 13, SEL_DATA
        int 0x90
        done
        mov word [idt + 0x90 * 8 + 2], SEL_CODE
        faults "a fault sets RF in the saved flags", 6, 0
        ud2
        done
        mov eax, [got_flags]
        and eax, 0x10000
        equals "RF", 0x10000

; Loading segment registers.
        descriptor 0x30, 0, 0xfffff, 0xc012      ; data, not present
        descriptor 0x38, 0, 0x0fff, 0x4092       ; 4 KiB, byte granular
        descriptor 0x40, 0, 0x0fff, 0x4096       ; expand-down
        descriptor 0x48, 0, 0x0fff, 0x4090       ; read-only
        descriptor 0x50, 0, 0xfffff, 0xc098      ; execute-only
        descriptor 0x58, 0, 0xfffff, 0xc09a      ; readable code
        descriptor 0x60, 0, 0xfffff, 0xc09e      ; conforming code
        descriptor 0x68, 0, 0xfffff, 0xc0f2      ; data of ring 3
        faults "DS beyond the GDT", 13, 0xfff8
        mov ax, 0xfffb
        mov ds, ax
        done
        faults "DS not present", 11, 0x30
        mov ax, 0x30
        mov ds, ax
        done
        faults "DS execute-only", 13, 0x50
        mov ax, 0x50
        mov ds, ax
        done
        faults "DS a system segment", 13, SEL_TSS
        mov ax, SEL_TSS
        mov ds, ax
        done
        faults "DS null loads", -1, 0
        xor ax, ax
        mov ds, ax
        done
        faults "DS null cannot be used", 13, 0
        xor ax, ax
        mov ds, ax
        mov eax, [0]
        done
        faults "DS RPL above DPL", 13, SEL_DATA
        mov ax, SEL_DATA | 3
        mov ds, ax
        done
        faults "DS local without an LDT", 13, 0x3c
        mov ax, 0x3c
        mov ds, ax
        done
        faults "SS null", 13, 0
        xor ax, ax
        mov ss, ax
        done
        faults "SS not present", 12, 0x30
        mov ax, 0x30
        mov ss, ax
        done
        faults "SS read-only", 13, 0x48
        mov ax, 0x48
        mov ss, ax
        done
        faults "SS of ring 3", 13, 0x68
        mov ax, 0x68
        mov ss, ax
        done
        faults "SS with RPL 3", 13, 0x10
        mov ax, 0x13
        mov ss, ax
        done
        faults "MOV CS", 6, 0
        mov ax, SEL_CODE
        db 0x8e, 0xc8
        done
        mov al, [gdt + 0x38 + 5]
        and eax, 1
        equals "not accessed before", 0
        faults "loading sets accessed", -1, 0
        mov ax, 0x38
        mov fs, ax
        done
        mov al, [gdt + 0x38 + 5]
        and eax, 1
        equals "accessed", 1

; Limits.
        faults "last dword within the limit", -1, 0
        mov ax, 0x38
        mov fs, ax
        mov eax, [fs:0xffc]
        done
        faults "dword across the limit", 13, 0
        mov ax, 0x38
        mov fs, ax
        mov eax, [fs:0xffd]
        done
        faults "byte beyond the limit", 13, 0
        mov ax, 0x38
        mov fs, ax
        mov al, [fs:0x1000]
        done
        faults "expand-down below", 13, 0
        mov ax, 0x40
        mov fs, ax
        mov al, [fs:0xfff]
        done
        faults "expand-down above", -1, 0
        mov ax, 0x40
        mov fs, ax
        mov al, [fs:0x1000]
        done
        faults "read-only write", 13, 0
        mov ax, 0x48
        mov fs, ax
        mov [fs:0], al
        done
        faults "code read", -1, 0
        mov ax, 0x58
        mov fs, ax
        mov al, [fs:0x8000]
        done
        faults "code write", 13, 0
        mov [cs:0x6000], al
        done
        descriptor 0xa8, 0, 0x0fff, 0x40f2       ; 4 KiB of ring 3
        faults "stack limit by push", 12, 0
        user user_push
        done
        faults "stack limit by pop", 12, 0
        user user_pop
        done
        faults "stack limit by [EBP]", 12, 0
        user user_frame
        done
        faults "jump beyond the limit", 13, 0
        descriptor 0x70, 0, 0xffff, 0x409a
        jmp 0x70:0x10000
        done

; Far transfers.
        faults "far jump to null", 13, 0
        jmp 0:0
        done
        faults "far jump to data", 13, SEL_DATA
        jmp SEL_DATA:0
        done
        descriptor 0x78, 0, 0xfffff, 0xc01a      ; code, not present
        faults "far jump not present", 11, 0x78
        jmp 0x78:0
        done
        faults "far jump to code of ring 3", 13, SEL_CODE3 & ~3
        jmp SEL_CODE3:0
        done
        descriptor 0x80, 0, 0xfffff, 0xc09a
        faults "far jump and return", -1, 0
        call 0x80:far_back
        done
        gate 0x88, SEL_CODE, far_back, 0x8c, 0
        faults "call gate, same level", -1, 0
        call 0x88:0
        done
        gate 0x90, SEL_DATA, far_back, 0x8c, 0
        faults "call gate to data", 13, SEL_DATA
        call 0x90:0
        done
        gate 0x90, SEL_CODE, far_back, 0x0c, 0
        faults "call gate not present", 11, 0x90
        call 0x90:0
        done
        gate 0x90, SEL_CODE, 0, 0x84, 0
        mov word [gdt + 0x90], far_back16
        faults "16-bit call gate", -1, 0
        call 0x90:0
        done

; Ring 3.
        faults "ring 3 and back by INT 80h", 0x80, 0
        user user_int
        done
        mov eax, [got_cs]
        equals "saved CS", SEL_CODE3
        mov eax, [got_ss]
        equals "saved SS", SEL_DATA3
        mov eax, [got_esp]
        equals "saved ESP", STACK3
        faults "CLI at CPL 3", 13, 0
        user user_cli
        done
        faults "CLI at CPL 3 with IOPL 3", 0x80, 0
        user user_cli, 0x3002
        done
        faults "HLT at CPL 3", 13, 0
        user user_hlt, 0x3002
        done
        faults "IN at CPL 3", 13, 0
        user user_in
        done
        faults "IN at CPL 3 with IOPL 3", 0x80, 0
        user user_in, 0x3002
        done
        faults "MOV CR at CPL 3", 13, 0
        user user_cr
        done
        faults "LGDT at CPL 3", 13, 0
        user user_lgdt
        done
        faults "INT of a DPL 0 gate", 13, 0x81 << 3 | 2
        user user_int81
        done
        faults "user loads DS of ring 0", 13, SEL_DATA
        user user_ds
        done
        faults "user loads SS of ring 0", 13, SEL_DATA
        user user_ss
        done
        faults "POPF keeps IF and IOPL at CPL 3", 0x80, 0
        user user_popf
        done
        mov eax, [got_flags]
        and eax, 0x3200
        equals "IF and IOPL", 0
        faults "IRET nulls data segments of ring 0", 0x80, 0
        mov ax, SEL_DATA
        mov fs, ax
        user user_fs
        done
        mov eax, [user_value]
        equals "FS is null", 0
        gate 0x98, SEL_CODE, gate_entry, 0xec, 2
        faults "call gate to ring 0 with two parameters", 0x80, 0
        user user_gate
        done
        mov eax, [gate_cs]
        equals "caller's CS", SEL_CODE3
        mov eax, [gate_p1]
        equals "first parameter", 0x1111
        mov eax, [gate_p2]
        equals "second parameter", 0x2222
        mov eax, [gate_esp]
        equals "caller's ESP", STACK3 - 8
        mov eax, [gate_ss]
        equals "caller's SS", SEL_DATA3
        mov eax, [got_esp]
        equals "RETF 8 releases on both stacks", STACK3
        gate 0x98, SEL_CODE, gate_entry, 0x8c, 2
        faults "call gate of DPL 0", 13, 0x98
        user user_gate
        done
        gate 0x98, 0x60, far_back, 0xec, 0
        faults "call gate to conforming code keeps the level", 0x80, 0
        user user_conforming
        done
        mov eax, [user_value]
        equals "CPL in conforming code", 3

; The I/O permission bitmap.
        mov word [tss + 102], 104
        mov word [gdt + SEL_TSS], 104 + 8192
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        mov edi, tss + 104
        mov al, 0xff
        mov ecx, 8193
        rep stosb
        mov byte [tss + 104 + 0x3f8 / 8], 0xfe
        faults "bitmap permits a byte", 0x80, 0
        user user_out
        done
        faults "bitmap forbids a word", 13, 0
        user user_out16
        done
        mov word [gdt + SEL_TSS], tss_size - 1
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        faults "bitmap beyond the limit", 13, 0
        user user_out
        done

; LAR, LSL, VERR, VERW, ARPL.
        xor eax, eax
        mov ecx, 0x38
        lar eax, ecx
        equals "LAR", 0x409300
        mov ecx, SEL_DATA
        lsl eax, ecx
        equals "LSL page granular", 0xffffffff
        mov eax, 5
        xor ecx, ecx
        lsl eax, ecx
        equals "LSL of null keeps the register", 5
        mov ecx, 0x88
        lsl eax, ecx
        setz al
        and eax, 0xff
        equals "LSL of a call gate", 0
        mov ecx, 0x88
        lar eax, ecx
        equals "LAR of a call gate", 0x8c00
        mov ecx, 0x50
        verr cx
        setz al
        movzx eax, al
        equals "VERR execute-only", 0
        mov ecx, 0x48
        verw cx
        setz al
        movzx eax, al
        equals "VERW read-only", 0
        mov ecx, 0x38
        verw cx
        setz al
        movzx eax, al
        equals "VERW data", 1
        mov eax, 0x10
        mov ecx, 3
        arpl ax, cx
        equals "ARPL", 0x13

; LDT.
        descriptor 0xa0, ldt, 15, 0x82
        mov ax, 0xa0
        lldt ax
        faults "local segment", -1, 0
        mov ax, 0x0c
        mov fs, ax
        done
        faults "beyond the LDT", 13, 0x14
        mov ax, 0x14
        mov fs, ax
        done
        faults "LLDT of a data segment", 13, SEL_DATA
        mov ax, SEL_DATA
        lldt ax
        done
        faults "LTR of a busy TSS", 13, SEL_TSS
        mov ax, SEL_TSS
        ltr ax
        done

; Control registers.
        faults "CR0.PG without PE", 13, 0
        mov eax, 0x80000010
        mov cr0, eax
        done
        faults "CR0.NW without CD", 13, 0
        mov eax, 0x20000011
        mov cr0, eax
        done
        faults "CR4 reserved", 13, 0
        mov eax, 0x80000000
        mov cr4, eax
        done
        faults "CR1", 6, 0
        db 0x0f, 0x20, 0xc8
        done
        faults "CR5", 6, 0
        db 0x0f, 0x22, 0xe8
        done
        faults "unknown MSR", 13, 0
        mov ecx, 0x12345678
        rdmsr
        done

; Debugging.
        faults "single step", 1, 0
        pushfd
        or dword [esp], 0x100
        popfd
step_one: nop
step_two: nop
        done
        mov eax, [got_eip]
        equals "steps after one instruction", step_two
        mov eax, dr6
        and eax, 0xe00f
        equals "DR6.BS", 0x4000
        xor eax, eax
        mov dr6, eax
        mov eax, break_here
        mov dr0, eax
        mov eax, 2
        mov dr7, eax
        faults "instruction breakpoint", 1, 0
        nop
break_here: nop
        done
        mov eax, [got_eip]
        equals "breaks before the instruction", break_here
        mov eax, dr6
        and eax, 0xe00f
        equals "DR6.B0", 1
        mov eax, 0x2000
        mov dr7, eax
        faults "general detect", 1, 0
        mov eax, dr0
        done
        mov eax, dr7
        and eax, 0x2000
        equals "the handler runs without GD", 0
        mov eax, dr6
        and eax, 0x2000
        equals "DR6.BD", 0x2000
        xor eax, eax
        mov dr7, eax
        mov dr6, eax
        mov eax, cr4
        or eax, 8
        mov cr4, eax
        faults "DR4 with CR4.DE", 6, 0
        mov eax, dr4
        done

; Double fault: #NP for a #GP gate that is not present.
        mov byte [idt + 13 * 8 + 5], 0x0e
        faults "double fault", 8, 0
        mov ax, 0xfff8
        mov ds, ax
        done
        mov byte [idt + 13 * 8 + 5], 0x8e
        mov byte [idt + 6 * 8 + 5], 0x0e
        faults "a benign first fault gives the second", 11, 6 << 3 | 3
        ud2
        done
        jmp finish

far_back: retf
far_back16: o16 retf
user_int: int 0x80
user_push: mov ax, 0xab
        mov ss, ax
        mov esp, 0x1004
        push eax
user_pop: mov ax, 0xab
        mov ss, ax
        mov esp, 0xffe
        pop eax
user_frame: mov ax, 0xab
        mov ss, ax
        mov ebp, 0xffe
        mov eax, [ebp]
user_cli: cli
        int 0x80
user_hlt: hlt
user_in: mov dx, 0x80
        in al, dx
        int 0x80
user_out: mov dx, 0x3f8
        mov al, '-'
        out dx, al
        mov al, 10
        out dx, al
        int 0x80
user_out16: mov dx, 0x3f8
        out dx, ax
        int 0x80
user_cr: mov eax, cr0
user_lgdt: lgdt [gdtr]
user_int81: int 0x81
user_ds: mov ax, SEL_DATA
        mov ds, ax
user_ss: mov ax, SEL_DATA
        mov ss, ax
user_popf: push dword 0x3202
        popfd
        int 0x80
user_fs: mov ax, SEL_DATA3
        mov ds, ax
        mov ax, fs
        movzx eax, ax
        mov [user_value], eax
        int 0x80
user_gate: push dword 0x1111
        push dword 0x2222
        call 0x98:0
        int 0x80
user_conforming:
        mov ax, SEL_DATA3
        mov ds, ax
        call 0x60 | 3:.inside
        int 0x80
.inside: mov ax, cs
        and eax, 3
        mov [user_value], eax
        retf
gate_entry:
        mov ax, SEL_DATA
        mov ds, ax
        mov eax, [esp + 4]
        mov [gate_cs], eax
        mov eax, [esp + 12]
        mov [gate_p1], eax
        mov eax, [esp + 8]
        mov [gate_p2], eax
        mov eax, [esp + 16]
        mov [gate_esp], eax
        mov eax, [esp + 20]
        mov [gate_ss], eax
        retf 8

bounds: dd -10, 10
short_idt: dw 0x47f
        dd idt
user_value: dd 0
gate_cs: dd 0
gate_p1: dd 0
gate_p2: dd 0
gate_esp: dd 0
gate_ss: dd 0
        align 8
ldt:    dq 0x00cf92000000ffff, 0x00cf92000000ffff
