/* boot32.S: from reset to a flat 32-bit main(), and the ways into and out of tests (test32.h). */
    .section .reset, "ax"
    .code16
    .globl reset
reset:
    .byte 0x66, 0xea                    /* ljmpl $0xf000, $start16 - 0xf0000 */
    .long start16 - 0xf0000
    .word 0xf000
    .org 16, 0

    .text
    .code16
start16:
    cli
    addr32 lgdtl %cs:(gdt_pointer - 0xf0000)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $start32
    .balign 8
gdt_rom:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt_rom

    .code32
start32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl $0x90000, %esp
    cld
    movl $data_start, %edi
    movl $data_load, %esi
    movl $data_end, %ecx
    subl %edi, %ecx
    rep movsb
    movl $bss_end, %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb
    call main
    .globl finish
finish:
    movw $0xf4, %dx
    outb %al, %dx
    cli
    hlt

/* bool try0(void (*fn)(void)): true if fn came back; else a trap was caught. Everything callee-saved survives. */
    .globl try0, try3, try_back
try0:
    pushl %ebp; pushl %ebx; pushl %esi; pushl %edi; pushfl
    movl %esp, try_esp
    movl 24(%esp), %eax
    call *%eax
    movl $1, %eax
    jmp try_out
/* The same at level 3, with a stack of its own; fn ends there with INT 40h (a gate of DPL 3). */
try3:
    pushl %ebp; pushl %ebx; pushl %esi; pushl %edi; pushfl
    movl %esp, try_esp
    movl 24(%esp), %eax
    pushl $0x23
    pushl $0x80000
    pushl user_flags
    pushl $0x1b
    pushl $user_start
    movl $0x23, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    iret
user_start:
    call *%eax
    int $0x40
/* From the trap handler: al = result. */
try_back:
    movl try_result, %eax
try_out:
    movl $0x10, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %fs
    movl %ecx, %gs
    movl %ecx, %ss
    movl try_esp, %esp
    popfl; popl %edi; popl %esi; popl %ebx; popl %ebp
    ret

    .altmacro
    .macro stub n
    .balign 16
    .if \n == 8 || (\n >= 10 && \n <= 14) || \n == 17
    .else
    pushl $0
    .endif
    pushl $\n
    jmp trap_common
    .endm
    .balign 16
    .globl stubs
stubs:
    .set i, 0
    .rept 256
    stub %i
    .set i, i + 1
    .endr
trap_common:
    pushal
    pushl %ds; pushl %es; pushl %fs; pushl %gs
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    cld
    pushl %esp
    call trap
    addl $4, %esp
    popl %gs; popl %fs; popl %es; popl %ds
    popal
    addl $8, %esp
    iret

    .data
    .globl try_esp, try_result, user_flags
try_esp: .long 0
try_result: .long 0
user_flags: .long 2
    .section .note.GNU-stack, "", @progbits
