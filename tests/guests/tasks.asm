; Hardware tasks: 32- and 16-bit TSSs, by jump, call, IRET, task gates and exceptions.
%include "check32.inc"

SEL_T32   equ 0x30
SEL_T16   equ 0x38
SEL_GATE  equ 0x40
SEL_CODE16 equ 0x48
SEL_BAD   equ 0x50
STACK_T   equ 0x4000            ; of the other tasks

; `task32 entry, flags`: makes the TSS of task T32 anew, available.
%macro task32 2
        mov eax, %1
        mov ebx, %2
        call make_task32
%endmacro

main:
        descriptor SEL_CODE16, 0, 0xffff, 0x009a

        ; A jump there and back.
        task32 task_jump_back, 2
        mov dword [t32 + 52], 0xabcd             ; EBX of the task
        faults "jump to a task and back", -1, 0
        mov ecx, 0x1234
        jmp SEL_T32:0
        done
        mov eax, [seen_ebx]
        equals "registers come from the TSS", 0xabcd
        mov eax, [seen_tr]
        equals "TR", SEL_T32
        mov eax, [seen_flags]
        and eax, 0x4000
        equals "a jump does not nest", 0
        mov eax, [tss + 44]
        equals "registers go to the TSS", 0x1234
        mov eax, cr0
        and eax, 8
        equals "CR0.TS", 8
        clts
        movzx eax, byte [gdt + SEL_T32 + 5]
        equals "a jump leaves the task available", 0x89
        movzx eax, byte [gdt + SEL_TSS + 5]
        equals "and makes the new one busy", 0x8b

        ; A call, which nests, and IRET.
        task32 task_call, 2
        faults "call of a task", -1, 0
        call SEL_T32:0
        done
        mov eax, [seen_flags]
        and eax, 0x4000
        equals "a call sets NT", 0x4000
        mov eax, [seen_link]
        equals "link", SEL_TSS
        mov eax, [seen_busy]
        equals "the caller stays busy", 0x8b
        movzx eax, byte [gdt + SEL_T32 + 5]
        equals "IRET makes the task available", 0x89
        mov eax, [t32 + 36]
        and eax, 0x4000
        equals "IRET saves NT clear", 0
        pushfd
        pop eax
        and eax, 0x4000
        equals "NT of the caller", 0
        clts

        ; Where a task goes on after IRET.
        faults "second call goes on behind IRET", -1, 0
        call SEL_T32:0
        done
        mov eax, [seen_second]
        equals "second", 2
        clts

        ; Task gates.
        task32 task_call, 2
        gate SEL_GATE, SEL_T32, 0, 0x85, 0
        faults "call through a task gate", -1, 0
        call SEL_GATE:0
        done
        clts
        task32 task_call, 2
        mov dword [idt + 0x91 * 8], SEL_T32 << 16
        mov dword [idt + 0x91 * 8 + 4], 0x8500
        faults "INT through a task gate", -1, 0
        int 0x91
        done
        clts

        ; An exception through a task gate: the error code is on the task's stack, and the fault is restarted.
        task32 task_fault, 2
        mov dword [idt + 13 * 8], SEL_T32 << 16
        mov dword [idt + 13 * 8 + 4], 0x8500
        faults "#GP through a task gate", -1, 0
        mov ax, 0xfff8
fault_at: mov ds, ax
        done
        mov eax, [seen_error]
        equals "error code on the task's stack", 0xfff8
        mov eax, [seen_eip]
        equals "EIP of the fault in the old TSS", fault_at
        mov eax, [seen_eflags]
        and eax, 0x10000
        equals "RF in the old TSS", 0x10000
        clts
        mov eax, handler_stub13
        mov ebx, eax
        and eax, 0xffff
        or eax, SEL_CODE << 16
        mov [idt + 13 * 8], eax
        and ebx, 0xffff0000
        or ebx, 0x8e00
        mov [idt + 13 * 8 + 4], ebx

        ; What is wrong with a task.
        task32 task_call, 2
        mov byte [gdt + SEL_T32 + 5], 0x8b
        faults "jump to a busy task", 13, SEL_T32
        jmp SEL_T32:0
        done
        mov byte [gdt + SEL_T32 + 5], 0x09
        faults "jump to a task not present", 11, SEL_T32
        jmp SEL_T32:0
        done
        mov byte [gdt + SEL_T32 + 5], 0x89
        mov word [gdt + SEL_T32], 0x66
        faults "TSS too short", 10, SEL_T32
        jmp SEL_T32:0
        done
        task32 task_call, 2
        faults "IRET to a task that is not busy", 10, SEL_T32
        mov word [tss], SEL_T32
        pushfd
        or dword [esp], 0x4000
        popfd
        iretd
        done
        task32 task_call, 2
        mov dword [t32 + 76], SEL_CODE3          ; of ring 3, so that there is a stack to fault on
        mov dword [t32 + 80], 0                  ; SS null
        faults "null SS in the new task", 10, 0
        jmp SEL_T32:0
        done
        str eax
        and eax, 0xffff
        equals "the fault is the new task's", SEL_T32
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        clts
        task32 task_call, 2
        descriptor SEL_BAD, 0, 0xfffff, 0xc012
        mov dword [t32 + 84], SEL_BAD            ; DS not present
        faults "DS not present in the new task", 11, SEL_BAD
        jmp SEL_T32:0
        done
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        clts

        ; The T bit.
        task32 task_call, 2
        mov word [t32 + 100], 1
        xor eax, eax
        mov dr6, eax
        faults "debug trap of a task", 1, 0
        jmp SEL_T32:0
        done
        mov eax, [got_eip]
        equals "before its first instruction", task_call
        mov eax, dr6
        and eax, 0xe00f
        equals "DR6.BT", 0x8000
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        clts

        ; A 16-bit task.
        mov edi, t16
        mov ecx, 22
        xor eax, eax
        rep stosw
        mov word [t16 + 14], task16
        mov word [t16 + 16], 2
        mov word [t16 + 26], STACK_T
        mov word [t16 + 24], 0x5678              ; BX
        mov word [t16 + 34], SEL_DATA
        mov word [t16 + 36], SEL_CODE16
        mov word [t16 + 38], SEL_DATA
        mov word [t16 + 40], SEL_DATA
        descriptor SEL_T16, t16, 43, 0x81
        faults "call of a 16-bit task", -1, 0
        call SEL_T16:0
        done
        mov eax, [seen_ebx]
        and eax, 0xffff
        equals "BX", 0x5678
        mov eax, [seen_fs]
        equals "FS of a 16-bit task is null", 0
        mov ax, SEL_DATA
        mov fs, ax
        mov gs, ax
        movzx eax, byte [gdt + SEL_T16 + 5]
        equals "available again", 0x81
        clts
        jmp finish

make_task32:
        push eax
        mov edi, t32
        mov ecx, 26
        xor eax, eax
        rep stosd
        pop eax
        mov [t32 + 32], eax
        mov [t32 + 36], ebx
        mov dword [t32 + 4], STACK_R0
        mov dword [t32 + 8], SEL_DATA
        mov dword [t32 + 56], STACK_T
        mov dword [t32 + 72], SEL_DATA
        mov dword [t32 + 76], SEL_CODE
        mov dword [t32 + 80], SEL_DATA
        mov dword [t32 + 84], SEL_DATA
        mov dword [t32 + 88], SEL_DATA
        mov dword [t32 + 92], SEL_DATA
        descriptor SEL_T32, t32, 103, 0x89
        ret

task_jump_back:
        mov [seen_ebx], ebx
        str [seen_tr]
        pushfd
        pop dword [seen_flags]
        jmp SEL_TSS:0

task_call:
        pushfd
        pop dword [seen_flags]
        movzx eax, word [t32]
        mov [seen_link], eax
        movzx eax, byte [gdt + SEL_TSS + 5]
        mov [seen_busy], eax
        iretd
        mov dword [seen_second], 2
        iretd

task_fault:
        pop dword [seen_error]
        mov eax, [tss + 32]
        mov [seen_eip], eax
        mov eax, [tss + 36]
        mov [seen_eflags], eax
        mov dword [tss + 40], SEL_DATA           ; EAX of the faulting program
        iretd

        bits 16
task16: mov [seen_ebx], bx
        mov ax, fs
        mov [seen_fs], ax
        iret
        bits 32

handler_stub13 equ stubs + 13 * 8
seen_ebx: dd 0
seen_tr: dd 0
seen_flags: dd 0
seen_link: dd 0
seen_busy: dd 0
seen_second: dd 0
seen_error: dd 0
seen_eip: dd 0
seen_eflags: dd 0
seen_fs: dd 0xffff
        align 8
t32:    times 26 dd 0
t16:    times 22 dw 0
