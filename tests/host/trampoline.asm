; Runs guest instructions on the host processor: the machine code half of native_cpu.ts.
;
; Rebuild: nasm -f bin -o trampoline.bin trampoline.asm
;
; The image is mapped at IMAGE. One call of `enter` runs a whole batch: for each record it loads the state block, jumps to
; the guest code, and stores the state that came out. The guest comes back in one of two ways: by the jump that
; native_cpu.ts places after the instruction (to `exit64`), or by a signal (to `handler`). While a batch runs, no host
; code runs on this thread: every other signal is blocked, FS and GS belong to the guest, and system calls from outside
; this image raise SIGSYS (Syscall User Dispatch).
;
; All addresses are absolute and below 2 GB, so that nothing here needs a base register or a guest's segment.

bits 64
default abs

IMAGE       equ 0x7f000000
CONTROL     equ IMAGE + 0x2000
BLOCK       equ CONTROL + 0x400     ; the state block of the case under way (layout: state_block.ts)
SCRATCH_TOP equ CONTROL + 0xc00     ; a small stack for PUSHF and POPF
OLD_ACTIONS equ CONTROL + 0xc00     ; struct kernel_sigaction by signal number, 32 of 32 bytes
ALT_STACK   equ IMAGE + 0x4000
ALT_SIZE    equ 0x10000

; Parameters, written by native_cpu.ts.
p_window    equ CONTROL + 0x00      ; address of the data window
p_length    equ CONTROL + 0x08      ; its length in bytes
p_code_len  equ CONTROL + 0x10      ; length of the guest code in bytes
p_xmask     equ CONTROL + 0x18      ; XSAVE components (3 or 7), 0 for FXSAVE
p_fsgsbase  equ CONTROL + 0x20      ; 1 if RDFSBASE and its like are enabled
p_timer     equ CONTROL + 0x28      ; struct itimerspec

; Variables.
v_host_rsp  equ CONTROL + 0x80
v_input     equ CONTROL + 0x88
v_output    equ CONTROL + 0x90
v_count     equ CONTROL + 0x98
v_index     equ CONTROL + 0xa0      ; cases finished
v_tick      equ CONTROL + 0xa8      ; v_index at the last tick of the timer
v_start_rip equ CONTROL + 0xb0
v_end_rip   equ CONTROL + 0xb8
v_far       equ CONTROL + 0xc0      ; m16:32 of the guest code
v_start_cs  equ CONTROL + 0xc8
v_mxcsr     equ CONTROL + 0xd0
v_fcw       equ CONTROL + 0xd4
v_ds        equ CONTROL + 0xd8
v_es        equ CONTROL + 0xda
v_fs        equ CONTROL + 0xdc
v_gs        equ CONTROL + 0xde
v_ss        equ CONTROL + 0xe0
v_selector  equ CONTROL + 0xe4      ; Syscall User Dispatch selector byte
v_timer_id  equ CONTROL + 0xe8
v_done      equ CONTROL + 0xec      ; set-up steps done, so that leaving undoes just these
v_result    equ CONTROL + 0xf0
v_fs_base   equ CONTROL + 0xf8
v_gs_base   equ CONTROL + 0x100
v_old_mask  equ CONTROL + 0x108
v_mask      equ CONTROL + 0x110
v_old_stack equ CONTROL + 0x118     ; stack_t, 24 bytes
v_new_stack equ CONTROL + 0x130
v_action    equ CONTROL + 0x150     ; struct kernel_sigaction, 32 bytes
v_event     equ CONTROL + 0x180     ; struct sigevent, 64 bytes

; State block.
b_gpr       equ BLOCK + 0x00
b_rip       equ BLOCK + 0x80
b_rflags    equ BLOCK + 0x88
b_fs_base   equ BLOCK + 0x90
b_gs_base   equ BLOCK + 0x98
b_cs        equ BLOCK + 0xa0
b_ds        equ BLOCK + 0xa2
b_es        equ BLOCK + 0xa4
b_ss        equ BLOCK + 0xa6
b_fs        equ BLOCK + 0xa8
b_gs        equ BLOCK + 0xaa
b_trap      equ BLOCK + 0xb0
b_error     equ BLOCK + 0xb4
b_cr2       equ BLOCK + 0xb8
b_fpu       equ BLOCK + 0xc0
BLOCK_SIZE  equ 0x400

TRAP_NONE    equ -1
TRAP_SYSCALL equ 256
TRAP_TIMEOUT equ 257
TRAP_SETUP   equ 258

; Flags a case may set: CF PF AF ZF SF DF OF NT AC ID. Bit 1 and IF are always set.
FLAGS_SETTABLE equ 0x244cd5
FLAGS_FIXED    equ 0x202
RF             equ 0x10000
CS64           equ 0x33

SIGILL    equ 4
SIGTRAP   equ 5
SIGBUS    equ 7
SIGFPE    equ 8
SIGSEGV   equ 11
SIGVTALRM equ 26
SIGSYS    equ 31
SA_SIGINFO  equ 0x4
SA_RESTORER equ 0x04000000
SA_ONSTACK  equ 0x08000000
SA_NODEFER  equ 0x40000000

SYS_rt_sigaction   equ 13
SYS_rt_sigprocmask equ 14
SYS_rt_sigreturn   equ 15
SYS_sigaltstack    equ 131
SYS_prctl          equ 157
SYS_arch_prctl     equ 158
SYS_gettid         equ 186
SYS_timer_create   equ 222
SYS_timer_settime  equ 223
SYS_timer_delete   equ 226
ARCH_SET_GS equ 0x1001
ARCH_SET_FS equ 0x1002
ARCH_GET_FS equ 0x1003
ARCH_GET_GS equ 0x1004
PR_SET_SYSCALL_USER_DISPATCH equ 59

; ucontext_t: general registers from 40 on, 8 bytes each; pointer to the floating-point state at 224.
UC_GREGS equ 40
UC_FPU   equ 224
G_RIP    equ 16
G_EFL    equ 17
G_CS     equ 18                     ; cs, gs, fs, ss: 16 bits each
G_ERR    equ 19
G_TRAP   equ 20
G_CR2    equ 22

org IMAGE

; What native_cpu.ts reads from the file.
        dq      enter, exit64, query_cpu, text_end

; int enter(const void *inputs, void *outputs, size_t count): 0, or step << 16 | errno.
align 16
enter:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [v_host_rsp], rsp
        mov     [v_input], rdi
        mov     [v_output], rsi
        mov     [v_count], rdx
        mov     qword [v_index], 0
        mov     qword [v_tick], -1
        mov     dword [v_done], 0
        mov     qword [v_result], 0
        stmxcsr [v_mxcsr]
        fnstcw  [v_fcw]
        mov     [v_ds], ds
        mov     [v_es], es
        mov     [v_fs], fs
        mov     [v_gs], gs
        mov     [v_ss], ss
        mov     esi, v_fs_base
        mov     edi, ARCH_GET_FS
        call    arch_prctl
        mov     esi, v_gs_base
        mov     edi, ARCH_GET_GS
        call    arch_prctl

        ; Step 1: block every signal but ours.
        mov     rax, ~((1 << (SIGILL-1)) | (1 << (SIGTRAP-1)) | (1 << (SIGBUS-1)) | (1 << (SIGFPE-1)) | (1 << (SIGSEGV-1)) | (1 << (SIGVTALRM-1)) | (1 << (SIGSYS-1)))
        mov     [v_mask], rax
        mov     edi, 2              ; SIG_SETMASK
        mov     esi, v_mask
        mov     edx, v_old_mask
        mov     r10d, 8
        mov     eax, SYS_rt_sigprocmask
        call    step

        ; Step 2: a stack for the handler.
        mov     qword [v_new_stack], ALT_STACK
        mov     qword [v_new_stack+8], 0
        mov     qword [v_new_stack+16], ALT_SIZE
        mov     edi, v_new_stack
        mov     esi, v_old_stack
        mov     eax, SYS_sigaltstack
        call    step

        ; Step 3: the handlers.
        mov     dword [v_action], handler
        mov     dword [v_action+4], 0
        mov     qword [v_action+8], SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER
        mov     qword [v_action+16], restorer
        mov     qword [v_action+24], 0
        xor     ebx, ebx
.install:
        movzx   edi, byte [signals+rbx]
        mov     edx, edi
        shl     edx, 5
        add     edx, OLD_ACTIONS
        mov     esi, v_action
        mov     r10d, 8
        mov     eax, SYS_rt_sigaction
        syscall
        test    eax, eax
        js      .install_failed
        inc     ebx
        cmp     ebx, signals_end - signals
        jb      .install
        inc     dword [v_done]

        ; Step 4: a timer on this thread's processor time, against guest code that does not end.
        mov     eax, SYS_gettid
        syscall
        mov     qword [v_event], 0
        mov     dword [v_event+8], SIGVTALRM
        mov     dword [v_event+12], 4           ; SIGEV_THREAD_ID
        mov     [v_event+16], eax
        mov     edi, 3              ; CLOCK_THREAD_CPUTIME_ID
        mov     esi, v_event
        mov     edx, v_timer_id
        mov     eax, SYS_timer_create
        call    step
        ; Step 5.
        mov     edi, [v_timer_id]
        xor     esi, esi
        mov     edx, p_timer
        xor     r10d, r10d
        mov     eax, SYS_timer_settime
        call    step

        ; Step 6: system calls from outside this image become SIGSYS.
        mov     byte [v_selector], 1            ; SYSCALL_DISPATCH_FILTER_BLOCK
        mov     edi, PR_SET_SYSCALL_USER_DISPATCH
        mov     esi, 1
        mov     edx, IMAGE
        mov     r10d, text_end - IMAGE
        mov     r8d, v_selector
        mov     eax, SYS_prctl
        call    step
        jmp     next_case

.install_failed:
        ; Undo those that were installed, then the steps before.
        neg     eax
        or      eax, 3 << 16
        mov     [v_result], rax
.uninstall:
        dec     ebx
        js      leave_steps
        movzx   edi, byte [signals+rbx]
        call    restore_action
        jmp     .uninstall

; Makes the system call in EAX; on failure leaves the batch with the step's number, else counts the step.
step:
        syscall
        test    eax, eax
        js      .failed
        inc     dword [v_done]
        ret
.failed:
        neg     eax
        mov     ecx, [v_done]
        inc     ecx
        shl     ecx, 16
        or      eax, ecx
        mov     [v_result], rax
        jmp     leave_steps

restore_action:
        mov     esi, edi
        shl     esi, 5
        add     esi, OLD_ACTIONS
        xor     edx, edx
        mov     r10d, 8
        mov     eax, SYS_rt_sigaction
        syscall
        ret

arch_prctl:
        mov     eax, SYS_arch_prctl
        syscall
        ret

; Runs the next case, or leaves when there is none. The stack is not used for anything that has to last.
align 16
next_case:
        mov     esp, SCRATCH_TOP
        mov     rax, [v_index]
        cmp     rax, [v_count]
        jae     leave_batch

        mov     rsi, [v_input]
        mov     edi, BLOCK
        mov     ecx, BLOCK_SIZE / 8
        rep movsq
        mov     rdi, [p_window]
        mov     rcx, [p_length]
        rep movsb
        mov     [v_input], rsi

        mov     rax, [b_rip]
        mov     [v_start_rip], rax
        mov     [v_far], eax
        add     rax, [p_code_len]
        mov     [v_end_rip], rax
        movzx   eax, word [b_cs]
        mov     [v_far+4], ax
        mov     [v_start_cs], eax

        mov     fs, [b_fs]
        mov     gs, [b_gs]
        cmp     eax, CS64
        jne     .bases_loaded
        mov     rax, [b_fs_base]
        mov     rdx, [b_gs_base]
        cmp     dword [p_fsgsbase], 0
        je      .set_bases
        wrfsbase rax
        wrgsbase rdx
        jmp     .bases_loaded
.set_bases:
        mov     rsi, rax
        mov     edi, ARCH_SET_FS
        call    arch_prctl
        mov     rsi, [b_gs_base]
        mov     edi, ARCH_SET_GS
        call    arch_prctl
.bases_loaded:

        mov     eax, [p_xmask]
        xor     edx, edx
        test    eax, eax
        jz      .fxrstor
        mov     [b_fpu+512], rax
        mov     [b_fpu+520], rdx
        mov     [b_fpu+528], rdx
        xrstor64 [b_fpu]
        jmp     .fpu_loaded
.fxrstor:
        fxrstor64 [b_fpu]
.fpu_loaded:

        mov     ds, [b_ds]
        mov     es, [b_es]
        mov     ss, [b_ss]
        mov     rax, [b_rflags]
        and     eax, FLAGS_SETTABLE
        or      eax, FLAGS_FIXED
        push    rax
        mov     rax, [b_gpr+0x00]
        mov     rcx, [b_gpr+0x08]
        mov     rdx, [b_gpr+0x10]
        mov     rbx, [b_gpr+0x18]
        mov     rbp, [b_gpr+0x28]
        mov     rsi, [b_gpr+0x30]
        mov     rdi, [b_gpr+0x38]
        mov     r8,  [b_gpr+0x40]
        mov     r9,  [b_gpr+0x48]
        mov     r10, [b_gpr+0x50]
        mov     r11, [b_gpr+0x58]
        mov     r12, [b_gpr+0x60]
        mov     r13, [b_gpr+0x68]
        mov     r14, [b_gpr+0x70]
        mov     r15, [b_gpr+0x78]
        popfq
        mov     rsp, [b_gpr+0x20]
        jmp     dword far [v_far]

; The guest's jump after its last instruction comes here, in 64-bit mode with the guest's state in every register.
align 16
exit64:
        mov     [b_gpr+0x00], rax
        mov     [b_gpr+0x08], rcx
        mov     [b_gpr+0x10], rdx
        mov     [b_gpr+0x18], rbx
        mov     [b_gpr+0x20], rsp
        mov     [b_gpr+0x28], rbp
        mov     [b_gpr+0x30], rsi
        mov     [b_gpr+0x38], rdi
        mov     [b_gpr+0x40], r8
        mov     [b_gpr+0x48], r9
        mov     [b_gpr+0x50], r10
        mov     [b_gpr+0x58], r11
        mov     [b_gpr+0x60], r12
        mov     [b_gpr+0x68], r13
        mov     [b_gpr+0x70], r14
        mov     [b_gpr+0x78], r15
        mov     esp, SCRATCH_TOP
        pushfq
        push    FLAGS_FIXED
        popfq
        pop     rax
        mov     [b_rflags], rax
        mov     rax, [v_end_rip]
        mov     [b_rip], rax
        mov     [b_ss], ss
        mov     dword [b_trap], TRAP_NONE
        mov     dword [b_error], 0
        mov     qword [b_cr2], 0

; General registers, RIP, flags, CS, SS and the trap are in the block; the rest is still in the processor.
capture:
        mov     [b_ds], ds
        mov     [b_es], es
        mov     [b_fs], fs
        mov     [b_gs], gs
        cmp     dword [p_fsgsbase], 0
        je      .get_bases
        rdfsbase rax
        rdgsbase rdx
        mov     [b_fs_base], rax
        mov     [b_gs_base], rdx
        jmp     .bases_stored
.get_bases:
        mov     esi, b_fs_base
        mov     edi, ARCH_GET_FS
        call    arch_prctl
        mov     esi, b_gs_base
        mov     edi, ARCH_GET_GS
        call    arch_prctl
.bases_stored:
        mov     eax, [p_xmask]
        xor     edx, edx
        test    eax, eax
        jz      .fxsave
        xsave64 [b_fpu]
        mov     [b_fpu+512], rdx
        jmp     .fpu_stored
.fxsave:
        fxsave64 [b_fpu]
.fpu_stored:
        mov     esi, BLOCK
        mov     rdi, [v_output]
        mov     ecx, BLOCK_SIZE / 8
        rep movsq
        mov     rsi, [p_window]
        mov     rcx, [p_length]
        rep movsb
        mov     [v_output], rdi
        inc     qword [v_index]
        jmp     next_case

; Gives the thread back to the host.
leave_batch:
        mov     ds, [v_ds]
        mov     es, [v_es]
        mov     fs, [v_fs]
        mov     gs, [v_gs]
        mov     ss, [v_ss]
        mov     rsi, [v_fs_base]
        mov     edi, ARCH_SET_FS
        call    arch_prctl
        mov     rsi, [v_gs_base]
        mov     edi, ARCH_SET_GS
        call    arch_prctl
        fninit
        fldcw   [v_fcw]
        ldmxcsr [v_mxcsr]
        test    dword [p_xmask], 4
        jz      leave_steps
        vzeroupper
leave_steps:
        mov     esp, SCRATCH_TOP
        cmp     dword [v_done], 6
        jb      .no_dispatch
        mov     edi, PR_SET_SYSCALL_USER_DISPATCH
        xor     esi, esi
        xor     edx, edx
        xor     r10d, r10d
        xor     r8d, r8d
        mov     eax, SYS_prctl
        syscall
.no_dispatch:
        cmp     dword [v_done], 4
        jb      .no_timer
        mov     edi, [v_timer_id]
        mov     eax, SYS_timer_delete
        syscall
.no_timer:
        cmp     dword [v_done], 3
        jb      .no_actions
        mov     ebx, signals_end - signals - 1
.restore:
        movzx   edi, byte [signals+rbx]
        call    restore_action
        dec     ebx
        jns     .restore
.no_actions:
        cmp     dword [v_done], 2
        jb      .no_stack
        mov     edi, v_old_stack
        xor     esi, esi
        mov     eax, SYS_sigaltstack
        syscall
.no_stack:
        cmp     dword [v_done], 1
        jb      .no_mask
        mov     edi, 2              ; SIG_SETMASK
        mov     esi, v_old_mask
        xor     edx, edx
        mov     r10d, 8
        mov     eax, SYS_rt_sigprocmask
        syscall
.no_mask:
        mov     rax, [v_result]
        mov     rsp, [v_host_rsp]
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

; void handler(int signal, siginfo_t *info, ucontext_t *context)
align 16
handler:
        mov     rax, rsp
        sub     rax, ALT_STACK
        cmp     rax, ALT_SIZE
        jae     foreign
        lea     rbx, [rdx+UC_GREGS]
        mov     r8, [rbx+G_RIP*8]
        lea     r9, [r8-IMAGE]
        cmp     edi, SIGVTALRM
        je      tick

        mov     ecx, [rbx+G_TRAP*8]
        mov     r10d, [rbx+G_ERR*8]
        xor     r11d, r11d
        cmp     edi, SIGSYS
        je      .system_call
        cmp     ecx, 14
        jne     .not_page_fault
        mov     r11, [rbx+G_CR2*8]
.not_page_fault:
        cmp     r9, text_end - IMAGE
        jb      .in_image
        cmp     ecx, 3
        jne     take
        ; INT3: the guest's own, or the filler around its code, which means that it arrived there.
        dec     r8
        movzx   eax, word [rbx+G_CS*8]
        cmp     eax, [v_start_cs]
        jne     .arrived
        cmp     r8, [v_start_rip]
        jb      .arrived
        cmp     r8, [v_end_rip]
        jae     .arrived
        inc     r8
        jmp     take
.system_call:
        mov     ecx, TRAP_SYSCALL
        xor     r10d, r10d
        jmp     take
.in_image:
        cmp     ecx, 1
        jne     .set_up
        cmp     r8, exit64
        jne     .set_up
        ; The guest set TF: the single step came after the jump to exit64.
        mov     r8, [v_end_rip]
.arrived:
        mov     ecx, TRAP_NONE
        xor     r10d, r10d
        jmp     take
.set_up:
        mov     r10d, ecx
        mov     ecx, TRAP_SETUP

; RBX general registers of the context, RDX the context, R8 RIP, ECX trap, R10D error code, R11 CR2.
take:
        mov     [b_rip], r8
        mov     [b_trap], ecx
        mov     [b_error], r10d
        mov     [b_cr2], r11
%assign i 0
%rep 8
        mov     rax, [rbx+i*8]
        mov     [b_gpr+0x40+i*8], rax
%assign i i+1
%endrep
        mov     rax, [rbx+13*8]
        mov     [b_gpr+0x00], rax
        mov     rax, [rbx+14*8]
        mov     [b_gpr+0x08], rax
        mov     rax, [rbx+12*8]
        mov     [b_gpr+0x10], rax
        mov     rax, [rbx+11*8]
        mov     [b_gpr+0x18], rax
        mov     rax, [rbx+15*8]
        mov     [b_gpr+0x20], rax
        mov     rax, [rbx+10*8]
        mov     [b_gpr+0x28], rax
        mov     rax, [rbx+9*8]
        mov     [b_gpr+0x30], rax
        mov     rax, [rbx+8*8]
        mov     [b_gpr+0x38], rax
        mov     rax, [rbx+G_EFL*8]
        and     eax, ~RF
        mov     [b_rflags], rax
        mov     ax, [rbx+G_CS*8]
        mov     [b_cs], ax
        mov     ax, [rbx+G_CS*8+6]
        mov     [b_ss], ax

        mov     rbx, [rdx+UC_FPU]
        mov     esp, SCRATCH_TOP
        push    FLAGS_FIXED
        popfq
        mov     eax, [p_xmask]
        xor     edx, edx
        test    eax, eax
        jz      .fxrstor
        xrstor64 [rbx]
        jmp     capture
.fxrstor:
        fxrstor64 [rbx]
        jmp     capture

; The timer: a case that is still the one of the last tick does not end. In this image there is nothing to stop.
tick:
        mov     rax, [v_index]
        cmp     rax, [v_tick]
        mov     [v_tick], rax
        jne     .resume
        cmp     r9, text_end - IMAGE
        jb      .resume
        mov     ecx, TRAP_TIMEOUT
        xor     r10d, r10d
        xor     r11d, r11d
        jmp     take
.resume:
        ret

; The signal of another thread: what was there before takes it.
foreign:
        mov     eax, edi
        shl     eax, 5
        mov     rax, [OLD_ACTIONS+rax]
        cmp     rax, 1
        ja      .call
        mov     esi, default_action
        xor     edx, edx
        mov     r10d, 8
        mov     eax, SYS_rt_sigaction
        syscall
        ret
.call:
        jmp     rax

; void query_cpu(uint32_t leaf, uint32_t subleaf, uint32_t out[5]): EAX, EBX, ECX, EDX of CPUID, and the low half of XCR0
; (0 where the operating system has not enabled XSAVE).
query_cpu:
        push    rbx
        mov     r8, rdx
        mov     eax, 1
        xor     ecx, ecx
        cpuid
        xor     eax, eax
        bt      ecx, 27             ; OSXSAVE
        jnc     .no_xsave
        xor     ecx, ecx
        xgetbv
.no_xsave:
        mov     [r8+16], eax
        mov     eax, edi
        mov     ecx, esi
        cpuid
        mov     [r8], eax
        mov     [r8+4], ebx
        mov     [r8+8], ecx
        mov     [r8+12], edx
        pop     rbx
        ret

restorer:
        mov     eax, SYS_rt_sigreturn
        syscall

align 8
default_action:
        dq      0, SA_RESTORER, restorer, 0
signals:
        db      SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGVTALRM, SIGSYS
signals_end:
text_end:
