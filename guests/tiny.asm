; The smallest guest worth running: adds BL to AL, prints the sum as a digit, and halts. The host sets both registers.
;
;   kvm12 run guests/tiny.bin --load 0x1000 --reg rax=2 --reg rbx=2

        bits 16
        org 0x1000

        mov dx, 0x3f8           ; COM1, always ready
        add al, bl
        add al, '0'
        out dx, al
        mov al, 10
        out dx, al
        hlt
