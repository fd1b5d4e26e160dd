; Debugging in long mode: single steps, breakpoints on instructions, data and ports, RF.
%include "check64.inc"

%macro wrmsr64 2
        mov ecx, %1
        mov rax, %2
        mov rdx, rax
        shr rdx, 32
        wrmsr
%endmacro
; `stopped "name", rip, bits`: where #DB stopped, and the causes in DR6.
%macro stopped 3
        mov rax, [got_rip]
        equals %1, %2
        mov rax, dr6
        and eax, 0xe00f
        equals "its DR6", %3
        xor eax, eax
        mov dr6, rax
%endmacro
; `watch address, dr7`
%macro watch 2
        mov rax, %1
        mov dr0, rax
        mov eax, %2
        mov dr7, rax
%endmacro

main:   xor eax, eax
        mov dr6, rax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 1
        wrmsr
        wrmsr64 0xc0000081, (0x20 | 3) << 48 | SEL_CODE << 32
        wrmsr64 0xc0000082, system_call

; Single steps.
        faults "TF set by POPF", 1, 0
        pushfq
        or qword [rsp], 0x100
        popfq
tf_one: nop
tf_two: nop
        done
        stopped "after the instruction behind POPF", tf_two, 0x4000
        faults "TF and MOV SS", 1, 0
        mov bx, SEL_DATA
        pushfq
        or qword [rsp], 0x100
        popfq
        mov ss, bx
        nop
ss_two: nop
        done
        stopped "not between MOV SS and what follows", ss_two, 0x4000
        faults "TF set by IRETQ", 1, 0
        user u_nop, 0x102
        done
        stopped "after the first instruction", u_nop_two, 0x4000
        faults "INT n hides TF from its handler", 0x80, 0
        user u_int, 0x102
        done
        mov rax, [got_flags]
        and eax, 0x100
        equals "and saves it", 0x100
        faults "TF over SYSCALL that masks it", 1, 0
        wrmsr64 0xc0000084, 0x100
        user u_syscall, 0x102
        done
        stopped "after SYSRET", u_after, 0x4000
        faults "TF and SYSCALL that does not mask it", 1, 0
        wrmsr64 0xc0000084, 0
        user u_syscall, 0x102
        done
        stopped "in the handler", system_call, 0x4000

; Breakpoints on instructions.
        watch break_here, 2
        faults "instruction breakpoint", 1, 0
        nop
break_here: nop
        done
        stopped "before it", break_here, 1
        watch break_rf, 2
        faults "RF hides it once", -1, 0
        push SEL_DATA
        push STACK0 - 64
        push 0x10002
        push SEL_CODE
        push break_rf
        iretq
break_rf: nop
        done
        pushfq
        pop rax
        and eax, 0x10000
        equals "PUSHF does not show RF", 0
        watch break_disabled, 0
        faults "disabled", -1, 0
break_disabled: nop
        done

; Breakpoints on data: a write of 4 bytes, then 8 bytes of reads and writes.
        watch watched, 0xd0002
        faults "data write", 1, 0
        mov dword [watched], 5
data_one: nop
        done
        stopped "behind the write", data_one, 1
        faults "a byte of it", 1, 0
        mov byte [watched + 3], 5
data_two: nop
        done
        stopped "behind the byte", data_two, 1
        faults "what overlaps it", 1, 0
        mov qword [watched - 4], rax
data_three: nop
        done
        stopped "behind the quadword", data_three, 1
        faults "reading is not writing", -1, 0
        mov eax, [watched]
        done
        faults "what is beside it", -1, 0
        mov [watched + 4], eax
        mov [watched - 4], eax
        done
        watch watched, 0xb0002
        faults "data read", 1, 0
        mov al, [watched + 7]
data_four: nop
        done
        stopped "behind the read", data_four, 1
        faults "by a push", 1, 0
        mov rsp, watched + 8
        push rax
data_five: nop
        done
        stopped "behind the push", data_five, 1
        watch watched, 0x20400
        mov eax, 0x400
        mov dr7, rax

; Ports.
        mov rax, cr4
        or eax, 8
        mov cr4, rax
        watch 0x80, 0x20002
        faults "port", 1, 0
        out 0x80, al
port_one: nop
        done
        stopped "behind OUT", port_one, 1
        faults "another port", -1, 0
        out 0x81, al
        done
        mov eax, 0x400
        mov dr7, rax
        faults "DR6 upper half", 13, 0
        mov rax, 1 << 32
        mov dr6, rax
        done
        faults "DR4 with CR4.DE", 6, 0
        db 0x0f, 0x21, 0xe0
        done
        faults "INT1", 1, 0
        db 0xf1
        done
        jmp finish

u_nop:  nop
u_nop_two: nop
u_int:  int 0x80
u_syscall: syscall
u_after: int 0x80
system_call:
        o64 sysret

        align 8
        times 32 dq 0   ; the stack of the trap behind a push to what is watched
watched: dq 0, 0
