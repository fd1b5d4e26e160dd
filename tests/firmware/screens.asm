; A CD's boot image: draws in mode 13h, in mode 12h and in a mode of the VBE, each until a key comes; then text again.

        bits 16
        org 0x7c00

start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00

        mov ax, 0x0013                  ; colours 0 to 255 in each line
        int 0x10
        push 0xa000
        pop es
        xor di, di
        mov cx, 320 * 200 / 2
        xor ax, ax
.pixel: stosb
        inc al
        stosb
        inc al
        loop .pixel
        mov al, '1'
        call key

        mov ax, 0x0012                  ; a letter in red, and a white line by pixels
        int 0x10
        mov ax, 0x0958
        mov bx, 0x0004
        mov cx, 1
        int 0x10
        mov dx, 479
.next:  mov ax, 0x0c0f
        mov bh, 0
        mov cx, dx
        int 0x10
        dec dx
        jns .next
        mov al, '2'
        call key

        push ds                         ; 640 by 480 in 32 bits, by the linear frame buffer
        pop es
        mov ax, 0x4f01
        mov cx, 0x142
        mov di, 0x8000
        int 0x10
        cmp ax, 0x004f
        jne failed
        mov ax, 0x4f02
        mov bx, 0x4142
        int 0x10
        cmp ax, 0x004f
        jne failed
        cli                             ; unreal mode: the buffer is far above
        lgdt [table]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp short .on
.on:    mov bx, 8
        mov fs, bx
        and al, 0xfe
        mov cr0, eax
        sti
        mov edi, [0x8000 + 0x28]
        mov eax, 0x00ff8000
        mov ecx, 640 * 20               ; its first lines
.orange: mov [fs:edi], eax
        add edi, 4
        dec ecx
        jnz .orange
        mov al, '3'
        call key

        mov ax, 0x0003
        int 0x10
        mov si, done
        call print
        mov al, '4'
        call key
        jmp finish

failed: mov ax, 3
        int 0x10
        mov si, no_mode
        call print
        jmp finish

; Sends AL on COM1 and waits for a key.
key:    mov ah, 1
        xor dx, dx
        int 0x14
        mov ah, 0
        int 0x16
        ret

done:   db "text again", 13, 10, 0
no_mode: db "no such mode", 13, 10, 0
        align 8
gdt:    dq 0, 0x00cf92000000ffff
table:  dw 15
        dd gdt

%include "boot.inc"

        times 2048 - ($ - $$) db 0
