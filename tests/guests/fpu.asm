; The FPU and the system: #NM, #MF, the environment in memory.
%include "check32.inc"

MP equ 2
EM equ 4
TS equ 8
NE equ 0x20
VM equ 0x20000
IOPL3 equ 0x3000
SEG_V equ 0x0123                ; of code in virtual-8086 mode, whose labels are offsets from its base
SEG_D equ 0x0456                ; of data there

; `control set`: CR0 with these of MP, EM, TS and NE.
%macro control 1
        mov eax, cr0
        and eax, ~(MP | EM | TS | NE)
        or eax, %1
        mov cr0, eax
%endmacro

main:   mov byte [idt + 3 * 8 + 5], 0xee
        control NE
        fninit

        control NE | EM
        faults "FLD1 with EM", 7, 0
        fld1
        done
        faults "FNINIT with EM", 7, 0
        fninit
        done
        faults "FNSTSW with EM", 7, 0
        fnstsw ax
        done
        faults "WAIT with EM", -1, 0
        fwait
        done
        control NE | TS
        faults "FNOP with TS", 7, 0
        fnop
        done
        faults "FNSTENV with TS", 7, 0
        fnstenv [env]
        done
        faults "WAIT with TS", -1, 0
        fwait
        done
        control NE | TS | MP
        faults "WAIT with TS and MP", 7, 0
        fwait
        done
        control NE | MP
        faults "WAIT with MP", -1, 0
        fwait
        done

        fninit
        fldcw [unmasked]
        fld1
        faults "the instruction that raises an exception", -1, 0
divide: fdiv dword [zero]
        done
        faults "FNSTSW behind it", -1, 0
        fnstsw ax
        done
        fnstsw ax
        and eax, 0xffff
        equals "status word", 0xb884
        faults "FWAIT behind it", 16, 0
        fwait
        done
        faults "FADD behind it", 16, 0
add1:   fadd st0, st0
        done
        mov eax, [got_eip]
        equals "the fault is at the second instruction", add1
        faults "a pending exception comes before the page of the operand is looked at", 16, 0
        fld dword [zero]
        done
        control NE | EM
        faults "#NM comes before #MF", 7, 0
        fadd st0, st0
        done
        control NE
        fnstenv [env]
        mov eax, [env]
        equals "control word", 0xffff037b
        mov eax, [env + 4]
        equals "status word in the environment", 0xffffb884
        mov eax, [env + 8]
        equals "tag word", 0xffff3fff
        mov eax, [env + 12]
        equals "instruction pointer", divide
        mov eax, [env + 20]
        equals "operand pointer", zero
        mov eax, [env + 16]
        shr eax, 16
        equals "opcode", 0x035
        fnstcw [word_]
        mov eax, [word_]
        equals "FNSTENV masks", 0x037f
        faults "and takes the exception back", -1, 0
        fnop
        done

        control 0
        fninit
        fldcw [unmasked]
        fld1
        fdiv dword [zero]
        faults "without NE", 16, 0
        fwait
        done
        fnclex
        control NE

        faults "virtual-8086 mode", 3, 0
        fninit
        fldcw [unmasked]
        fld1
        push dword 0
        push dword 0
        push dword SEG_D                         ; DS, ES
        push dword SEG_D
        push dword 0
        push dword 0x4ff0
        push dword VM | 2 | IOPL3
        push dword SEG_V
        push dword virtual - SEG_V * 16
        iretd
        done
        mov eax, [env16 + 6]
        equals "instruction pointer and opcode", 0x00360000 | (divide_v - $$ + 0x8000)
        mov eax, [env16 + 10]
        equals "operand pointer there", zero
        mov eax, [env32]
        equals "control word of the 32-bit one", 0xffff037b
        mov eax, [env32 + 12]
        equals "low half of its instruction pointer", 0xffff0000 | (divide_v - $$ + 0x8000)
        mov eax, [env32 + 16]
        equals "high half, and opcode", 0x36
        mov eax, [env32 + 20]
        equals "low half of its operand pointer", 0xffff0000 | (zero - $$ + 0x8000)
        mov eax, [env32 + 24]
        equals "high half of it", 0
        jmp finish

        bits 16
virtual:
divide_v: fdiv dword [zero - SEG_D * 16]
        db 0x66
        fnstenv [env32 - SEG_D * 16]
        fnstenv [env16 - SEG_D * 16]
        int3
        bits 32

        align 16
unmasked: dw 0x37b
word_:  dd 0
zero:   dd 0
env:    times 28 db 0
env16:  times 14 db 0
env32:  times 28 db 0
