; init.asm: ROM of 64 KiB: an application processor that gets an INIT waits for its SIPI (SDM volume 3, 9.4.3). pc.py has the bytes:
; nasm -f bin init.asm -o init.bin; xxd -p init.bin
; Status of isa-debug-exit 1: so it is; 3: it ran from the reset vector.
bits 16
org 0
sipi:   xor ax, ax                          ; F000:0000, SIPI vector F0h
        mov ds, ax
        mov byte [0x501], 1
.h:     hlt
        jmp .h
start:  mov ecx, 0x1b                       ; from the reset vector
        rdmsr
        test ah, 1                          ; bootstrap processor?
        jz ap
        lgdt [cs:gdtr]                      ; flat DS in real mode, for the local APIC
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov ds, bx
        and al, 0xfe
        mov cr0, eax
        mov dword [dword 0xfee000f0], 0x1ff
        mov dword [dword 0xfee00300], 0xc4500 ; INIT, all but self
        mov ecx, 200000
.w:     in al, 0x80
        a32 loop .w
        mov bl, [dword 0x500]
        mov dword [dword 0xfee00300], 0xc46f0 ; SIPI
.v:     cmp byte [dword 0x501], 1
        jne .v
        mov al, bl
        out 0xf4, al
ap:     xor ax, ax
        mov ds, ax
        mov byte [0x500], 1
.h:     hlt
        jmp .h
gdtr:   dw 15
        dd 0xf0000 + gdt
gdt:    dq 0
        dw 0xffff, 0
        db 0, 0x93, 0xcf, 0
        times 0xfff0 - ($ - $$) db 0
        jmp 0xf000:start
        times 0x10000 - ($ - $$) db 0
