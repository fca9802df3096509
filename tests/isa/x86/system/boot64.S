/* boot64.S: from reset through protected mode with 4-level paging to a 64-bit main(); ways into and out of tests (test64.h). */
    .section .reset, "ax"
    .code16
    .globl reset
reset:
    .byte 0x66, 0xea
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
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
    .word 31
    .long gdt_rom

    .code32
start32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
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
    /* 16 MiB one to one, for level 3 too: pml4 -> pdpt -> pd of 2 MiB pages. */
    movl $pdpt, %eax
    orl $7, %eax
    movl %eax, pml4
    movl $pd, %eax
    orl $7, %eax
    movl %eax, pdpt
    movl $pd, %edi
    movl $0x87, %eax
    movl $8, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax                    /* NXE LME SCE */
    wrmsr
    movl %cr0, %eax
    orl $0x80010000, %eax
    movl %eax, %cr0
    ljmpl $0x18, $start64
    .code64
start64:
    movl $0x90000, %esp
    xorl %eax, %eax
    movl %eax, %ss
    call main
    movw $0xf4, %dx
    outb %al, %dx
    cli
    hlt

    .globl try0, try3, try_back
try0:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; pushfq
    movq %rsp, try_rsp
    call *%rdi
    movl $1, %eax
    jmp try_out
try3:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15; pushfq
    movq %rsp, try_rsp
    pushq $0x23
    pushq $0x80000
    pushq user_flags
    pushq $0x2b
    pushq $user_start
    iretq
user_start:
    call *%rdi
    int $0x40
try_back:
    movl try_result, %eax
try_out:
    movl $0x10, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %ss
    movq try_rsp, %rsp
    popfq; popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret

    .altmacro
    .macro stub n
    .balign 16
    .if \n == 8 || (\n >= 10 && \n <= 14) || \n == 17
    .else
    pushq $0
    .endif
    pushq $\n
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
    pushq %rax; pushq %rcx; pushq %rdx; pushq %rbx; pushq %rbp; pushq %rsi; pushq %rdi
    pushq %r8; pushq %r9; pushq %r10; pushq %r11; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call trap
    movq %rbp, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %r11; popq %r10; popq %r9; popq %r8
    popq %rdi; popq %rsi; popq %rbp; popq %rbx; popq %rdx; popq %rcx; popq %rax
    addq $16, %rsp
    iretq

/* SYSCALL ends here: what it left is looked at, and control goes back as from a trap. */
    .globl syscall_entry, syscall_seen
syscall_entry:
    movq %rcx, syscall_seen
    movq %r11, syscall_seen + 8
    pushfq
    popq syscall_seen + 16
    movl %cs, %eax
    movl %eax, syscall_seen + 24
    movl %ss, %eax
    movl %eax, syscall_seen + 28
    sysretq
    .globl syscall_user, compat_code, compat_end
syscall_user:
    movl $0x12345, %r10d
    syscall
    movl %cs, %eax
    movl %eax, syscall_seen + 32
    movl %ss, %eax
    movl %eax, syscall_seen + 36
    int $0x40

    .globl syscall_stepped, syscall_stepped_back
syscall_stepped:
    pushfq
    orl $0x100, (%rsp)
    popfq
    syscall                             /* the first instruction with TF */
syscall_stepped_back:
    nop
    int $0x40

/* 32-bit code of compatibility mode. */
    .code32
compat_code:
    movl $0x11223344, %eax
    movl %eax, compat_seen
    movl %esp, compat_seen + 4
    pushl $0x55
    popl compat_seen + 8
    movl %cs, %eax
    movl %eax, compat_seen + 12
    decl %eax                           /* 48h in 64-bit code is a prefix */
    movl %eax, compat_seen + 16
    int $0x40

    .code64
    .data
    .balign 8
    .globl try_rsp, try_result, user_flags, compat_seen
try_rsp: .quad 0
try_result: .quad 0
user_flags: .quad 2
syscall_seen: .fill 8, 8, 0
compat_seen: .fill 8, 4, 0
    .bss
    .balign 4096
    .globl pml4, pdpt, pd
pml4: .fill 4096, 1, 0
pdpt: .fill 4096, 1, 0
pd: .fill 4096, 1, 0
    .section .note.GNU-stack, "", @progbits
