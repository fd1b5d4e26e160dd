; Paging with 32-bit and PAE tables: faults, error codes, CR2, accessed and dirty bits, WP, NX, SMEP, SMAP.
%include "check32.inc"

PD        equ 0x20000           ; 32-bit page directory, and the table of 4 MiB on
PT        equ 0x21000
PDPT      equ 0x22000           ; PAE
PD2       equ 0x23000
PT2       equ 0x24000
FRAME     equ 0x30000           ; what test pages show
WIN       equ 0x400000          ; the window: page n of it is entry n of PT or PT2

TSS_DF    equ 0x11000
SEL_DF    equ 0x38

P equ 1
W equ 2
U equ 4
A equ 0x20
D equ 0x40
PS equ 0x80
NX equ 0x80000000               ; in the upper half

; `cr2 "name", value`
%macro cr2_is 2
        mov eax, cr2
        equals %1, %2
%endmacro
; `page n, flags`: entry n of the window's table shows FRAME + n pages.
%macro page 2
        mov dword [PT + (%1) * 4], FRAME + (%1) * 0x1000 | (%2)
        invlpg [WIN + (%1) * 0x1000]
%endmacro
%macro page2 2-3 0
        mov dword [PT2 + (%1) * 8], FRAME + (%1) * 0x1000 | (%2)
        mov dword [PT2 + (%1) * 8 + 4], %3
        invlpg [WIN + (%1) * 0x1000]
%endmacro

main:   mov edi, PD
        mov ecx, 0x5000 / 4
        xor eax, eax
        rep stosd
        mov dword [PD], PS | W | U | P           ; the guest itself, 4 MiB
        mov dword [PD + 4], PT | W | U | P
        mov dword [PD + 8], 0x200000 | PS | W | P        ; bit 21 is reserved
        mov eax, cr4
        or eax, 0x10                             ; PSE
        mov cr4, eax
        mov eax, PD
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp .paged
.paged: page 1, W | U | P
        page 2, W | P
        page 3, U | P
        page 4, P

        mov dword [FRAME + 0x1000], 0x12345678
        mov eax, [WIN + 0x1000]
        equals "translation", 0x12345678
        mov eax, [PT + 4]
        and eax, A | D
        equals "read sets accessed", A
        mov [WIN + 0x1000], eax
        mov eax, [PT + 4]
        and eax, A | D
        equals "write sets dirty", A | D
        mov eax, [PD + 4]
        and eax, A
        equals "accessed in the directory", A
        mov eax, [PD]
        and eax, A | D
        equals "accessed and dirty of 4 MiB", A | D
        faults "read, not present", 14, 0
        mov eax, [WIN + 0x123]
        done
        cr2_is "CR2 of a read", WIN + 0x123
        faults "write, not present", 14, 2
        mov [WIN + 0x456], eax
        done
        cr2_is "CR2 of a write", WIN + 0x456
        faults "directory entry not present", 14, 0
        mov eax, [0x1234567]
        done
        cr2_is "CR2 without a table", 0x1234567
        faults "reserved bit of a 4 MiB page", 14, 9
        mov eax, [0x812345]
        done
        faults "read-only by the supervisor without WP", -1, 0
        mov [WIN + 0x3000], eax
        done
        mov eax, cr0
        or eax, 0x10000
        mov cr0, eax
        faults "read-only by the supervisor with WP", 14, 3
        mov [WIN + 0x3000], eax
        done
        faults "user reads a user page", 0x80, 0
        mov esi, WIN + 0x1000
        user u_read
        done
        faults "user reads a supervisor page", 14, 5
        mov esi, WIN + 0x2000
        user u_read
        done
        cr2_is "CR2 of a user", WIN + 0x2000
        faults "user writes a read-only page", 14, 7
        mov esi, WIN + 0x3000
        user u_write
        done
        faults "user reads what is not present", 14, 4
        mov esi, WIN
        user u_read
        done
        faults "user runs what is not present", 14, 4
        user WIN + 0x10
        done
        cr2_is "CR2 of a fetch", WIN + 0x10
        page 5, W | U | P
        page 6, 0
        faults "read across into a missing page", 14, 0
        mov eax, [WIN + 0x5ffe]
        done
        cr2_is "CR2 is the second page", WIN + 0x6000
        mov dword [FRAME + 0x5ffc], 0
        faults "write across into a missing page", 14, 2
        mov dword [WIN + 0x5ffe], -1
        done
        mov eax, [FRAME + 0x5ffc]
        equals "nothing was written", 0
        faults "push", 14, 6
        user u_push
        done
        cr2_is "CR2 of a push", WIN + 0x6ffc
        faults "far call onto a missing stack", 14, 6
        user u_call
        done
        cr2_is "CR2 of a far call", WIN + 0x6ffc
        call double_fault_task
        mov dword [tss + 4], WIN + 0x7000
        mov word [tss + 8], SEL_DATA
        faults "event onto a missing stack", 8, 0
        user u_int
        done
        cr2_is "CR2 of a handler's push", WIN + 0x6ffc
        mov dword [tss + 4], STACK_R0
        call double_fault_task
        mov byte [idt + 14 * 8 + 5], 0x0e
        faults "#PF whose gate is not present", 8, 0
        mov eax, [WIN]
        done
        mov byte [idt + 14 * 8 + 5], 0x8e
        lldt [zero]
        mov dword [gdt + SEL_FREE], (WIN & 0xffff) << 16 | 0xfff
        mov dword [gdt + SEL_FREE + 4], 0x00408200 | (WIN >> 16 & 0xff)
        mov ax, SEL_FREE
        lldt ax
        faults "descriptor in a missing page", 14, 0
        mov ax, 0x0c
        mov fs, ax
        done
        cr2_is "CR2 of a descriptor", WIN + 8

        ; A mapping changes: INVLPG.
        page 1, W | U | P
        mov eax, [WIN + 0x1000]
        mov dword [FRAME + 0x4000], 0x55
        mov dword [PT + 4], FRAME + 0x4000 | W | P
        invlpg [WIN + 0x1000]
        mov eax, [WIN + 0x1000]
        equals "INVLPG", 0x55

        ; Off, and on again with PAE.
        mov eax, cr0
        and eax, 0x7fffffff
        mov cr0, eax
        mov dword [PDPT], PD2 | P
        mov dword [PD2], PS | W | U | P
        mov dword [PD2 + 4], 0
        mov dword [PD2 + 16], PT2 | W | U | P
        mov eax, cr4
        or eax, 0x20
        mov cr4, eax
        mov eax, PDPT
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        jmp .pae
.pae:   page2 1, W | U | P
        page2 2, W | U | P, NX
        mov dword [FRAME + 0x1000], 0x80cd9090   ; nop, nop, int 80h
        mov dword [FRAME + 0x2000], 0x80cd9090
        mov eax, [WIN + 0x1000]
        equals "PAE translation", 0x80cd9090
        faults "XD is reserved without NXE", 14, 9
        mov eax, [WIN + 0x2000]
        done
        faults "reserved address bits", 14, 9
        page2 3, W | P, 0x00080000
        mov eax, [WIN + 0x3000]
        done
        faults "ignored bits are reserved in PAE", 14, 9
        page2 3, W | P, 0x00100000
        mov eax, [WIN + 0x3000]
        done
        mov ecx, 0xc0000080
        rdmsr
        or eax, 0x800
        wrmsr
        faults "XD permits reading", -1, 0
        mov eax, [WIN + 0x2000]
        done
        faults "user runs a page", 0x80, 0
        user WIN + 0x1000
        done
        faults "user runs an XD page", 14, 0x15
        user WIN + 0x2000
        done
        faults "supervisor runs an XD page", 14, 0x11
        mov eax, WIN + 0x2000
        jmp eax
        done
        faults "reserved bits of a PDPTE", 13, 0
        mov dword [PDPT + 8], 0x60 | P
        mov eax, PDPT
        mov cr3, eax
        done
        mov dword [PDPT + 8], 0
        mov dword [PD2 + 16], PT2 | W | P        ; the directory decides too
        mov eax, cr3
        mov cr3, eax
        faults "user page of a supervisor directory", 14, 5
        mov esi, WIN + 0x1000
        user u_read
        done
        mov dword [PD2 + 16], PT2 | U | P
        mov eax, cr3
        mov cr3, eax
        faults "writable page of a read-only directory", 14, 3
        mov [WIN + 0x1000], eax
        done
        mov dword [PD2 + 16], PT2 | U | W | P
        mov dword [PD2 + 20], NX
        mov eax, cr3
        mov cr3, eax
        faults "page of an XD directory", 14, 0x15
        user WIN + 0x1000
        done
        mov dword [PD2 + 20], 0
        mov dword [PD2 + 0], PS | W | P          ; the guest itself: supervisor, for SMEP and SMAP
        mov eax, cr3
        mov cr3, eax

        mov eax, 7
        xor ecx, ecx
        cpuid
        mov [leaf7], ebx
        test ebx, 1 << 7
        jz .no_smep
        mov eax, cr4
        or eax, 1 << 20
        mov cr4, eax
        faults "SMEP", 14, 0x11
        mov eax, WIN + 0x1000
        jmp eax
        done
.no_smep:
        test dword [leaf7], 1 << 20
        jz .no_smap
        mov eax, cr4
        or eax, 1 << 21
        mov cr4, eax
        faults "SMAP read", 14, 1
        mov eax, [WIN + 0x1000]
        done
        faults "SMAP write", 14, 3
        mov [WIN + 0x1000], eax
        done
        faults "SMAP with AC", -1, 0
        stac
        mov eax, [WIN + 0x1000]
        done
        faults "SMAP after CLAC", 14, 1
        stac
        mov eax, [WIN + 0x1000]
        clac
        mov eax, [WIN + 0x1000]
        done
        clac
.no_smap:
        jmp finish

u_read: mov ax, SEL_DATA3
        mov ds, ax
        mov eax, [esi]
        int 0x80
u_write: mov ax, SEL_DATA3
        mov ds, ax
        mov [esi], eax
u_int:  int 0x80
u_push: mov esp, WIN + 0x7000
        push eax
u_call: mov esp, WIN + 0x7000
        call SEL_CODE3:u_read

; Makes #DF a task: its handler has a stack whatever happens.
double_fault_task:
        mov edi, TSS_DF
        xor eax, eax
        mov ecx, 26
        rep stosd
        mov dword [TSS_DF + 28], PD
        mov dword [TSS_DF + 32], .task
        mov dword [TSS_DF + 36], 2
        mov dword [TSS_DF + 56], 0x4000
        mov dword [TSS_DF + 72], SEL_DATA
        mov dword [TSS_DF + 76], SEL_CODE
        mov dword [TSS_DF + 80], SEL_DATA
        mov dword [TSS_DF + 84], SEL_DATA
        descriptor SEL_DF, TSS_DF, 103, 0x89
        mov dword [idt + 8 * 8], SEL_DF << 16
        mov dword [idt + 8 * 8 + 4], 0x8500
        ret
.task:  pop dword [got_error]
        mov dword [got], 8
        mov byte [gdt + SEL_TSS + 5], 0x89
        mov ax, SEL_TSS
        ltr ax
        clts
        mov ax, SEL_DATA
        mov es, ax
        mov esp, [resume_esp]
        push dword 2
        popfd
        jmp [resume]
leaf7:  dd 0
zero:   dw 0
