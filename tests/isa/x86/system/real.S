/*
 * real.S: real mode from the first instruction: the vector table, limits of 64 KiB, far transfers, flags pushed, segments that keep the limits
 * protected mode gave them, instructions that do not exist here (SDM 21.1). Prints what fails and ends with the number of failures.
 *
 * Variables are in segment 0: 7000h the last vector, 7002h where to go on after a trap (offset in this segment), 7004h the stack pointer
 * then, 7006h failures, 7008h checks, 700ah flags pushed, 700ch the return address pushed.
 */
    .set VECTOR, 0x7000
    .set RESUME, 0x7002
    .set SAVED_SP, 0x7004
    .set FAILED, 0x7006
    .set CHECKS, 0x7008
    .set FLAGS, 0x700a
    .set FROM, 0x700c
    .set NONE, 0xff

    .section .reset, "ax"
    .code16
    .globl reset
reset:
    .byte 0x66, 0xea
    .long start - 0xf0000
    .word 0xf000
    .org 16, 0

    .text
/* The offset of a label in segment F000h. */
#define OFF(label) (label - 0xf0000)

/* Compares a word with what it should be. */
    .macro check value, want, line
    incw %ds:CHECKS
    cmpw \want, \value
    je 1f
    movw $\line, %ax
    call complain
1:
    .endm

/* Runs what follows up to 2: and expects a trap. */
    .macro expect vector, line, body
    movb $NONE, %ds:VECTOR
    movl $OFF(2f), %eax
    movw %ax, %ds:RESUME
    movw %sp, %ds:SAVED_SP
    \body
2:
    xorw %bx, %bx
    movw %bx, %ds
    movw %bx, %es
    movw %bx, %ss
    movzbw %ds:VECTOR, %bx
    incw %ds:CHECKS
    cmpw $\vector, %bx
    je 1f
    movw $\line, %ax
    call complain
1:
    .endm

start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x6ff0, %sp
    cld
    movw %ax, %ds:FAILED
    movw %ax, %ds:CHECKS
    /* Vectors 0 to 255 at handlers of 8 bytes. */
    xorw %di, %di
    movl $OFF(handlers), %eax
1:  stosw
    movw $0xf000, %es:(%di)
    addw $2, %di
    addw $8, %ax
    cmpw $0x400, %di
    jne 1b

    /* Faults and where they point. */
    expect 0, 1, "xorw %cx, %cx; divw %cx"
    expect 6, 2, "ud2"
    movw %ds:FROM, %ax
    movw %cs:0(%eax), %dx
    check %dx, $0x0b0f, 3
    expect 3, 4, "int3"
    expect 4, 5, "movb $0x7f, %al; incb %al; into"
    expect NONE, 6, "xorw %ax, %ax; into"
    expect 5, 7, "movw $0x7100, %bx; movw $1, (%bx); movw $2, 2(%bx); movw $3, %ax; bound %ax, (%bx)"
    expect NONE, 8, "movw $0x7100, %bx; movw $2, %ax; bound %ax, (%bx)"
    expect 0x21, 9, "int $0x21"
    /* The limit of 64 KiB: a byte at FFFFh is there, a word is not; through SS it is 12. */
    expect NONE, 10, "movb %ds:0xffff, %al"
    expect 13, 11, "movw %ds:0xffff, %ax"
    expect 13, 12, "movl %ds:0xfffd, %eax"
    expect 12, 13, "movw %ss:0xffff, %ax"
    expect 13, 14, "movw $0xffff, %bx; movw %ax, (%bx)"
    expect 13, 15, "movl $0x10000, %ebx; addr32 movb (%ebx), %al"
    expect 13, 16, "movw $0xffff, %si; lodsw"
    /* 16-bit addresses wrap before they are looked at. */
    movw $0x5aa5, %ds:0x7110
    movw $0x7120, %bx
    movw $0xfff0, %si
    movw (%bx,%si), %dx
    check %dx, $0x5aa5, 17
    /* Not here: what needs protected mode. */
    expect 6, 18, "lldt %ax"
    expect 6, 19, ".byte 0x63, 0xc8"  /* ARPL */
    expect 6, 20, "verr %ax"
    expect 6, 21, "lar %ax, %bx"
    expect 6, 22, ".byte 0x8e, 0xc8"  /* MOV CS */
    expect 13, 23, "movl $0x80000000, %eax; movl %eax, %cr0"
    smsw %ax
    andw $1, %ax
    check %ax, $0, 24

    /* INT pushes flags as they were and clears IF and TF; IRET brings them back. */
    pushw $0xf202
    popfw
    expect 0x30, 25, "stc; int $0x30"
    movw %ds:FLAGS, %dx
    andw $0x0203, %dx
    check %dx, $0x0203, 26
    pushfw
    popw %dx
    andw $0x0300, %dx
    check %dx, $0, 27           /* in the handler's context still */
    cli

    /* Far calls and returns. */
    movw %sp, %bp
    movl $OFF(far_target), %eax
    movw %ax, %ds:0x7150
    movw %cs, %ds:0x7152
    lcallw *%ds:0x7150
    check %dx, $0x1234, 28
    check %sp, %bp, 29
    pushfw
    pushw %cs
    call iret_target
    check %sp, %bp, 30

    /* PUSH SP pushes the old value. SP wraps. */
    movw %sp, %bp
    pushw %sp
    popw %dx
    check %dx, %bp, 31
    movw %sp, %bp
    movw $2, %sp
    pushw $0x4321
    movw %sp, %dx
    movw %ds:0, %cx
    movw %bp, %sp
    check %dx, $0, 32
    check %cx, $0x4321, 33
    movl $OFF(handlers), %eax
    movw %ax, %ds:0             /* the vector of #DE again */

    /* The table's limit counts: vector 21h is beyond 80h bytes. */
    movw $0x7f, %ds:0x7130
    movl $0, %ds:0x7132
    lidt %ds:0x7130
    expect 13, 34, "int $0x21"
    movw $0x3ff, %ds:0x7130
    lidt %ds:0x7130

    /* A limit that protected mode set stays: "unreal" mode. */
    movw $23, %ds:0x7140
    movl $gdt, %eax
    movl %eax, %ds:0x7142
    lgdtl %ds:0x7140
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    jmp 1f
1:  movw $0x10, %bx
    movw %bx, %fs
    andb $0xfe, %al
    movl %eax, %cr0
    jmp 1f
1:  movl $0x123456, %ebx
    movl $0x89abcdef, %edx
    expect NONE, 35, "movl $0x123456, %ebx; addr32 movl %edx, %fs:(%ebx); xorw %ax, %ax; movw %ax, %fs; addr32 movl %fs:(%ebx), %ecx"
    movw %cx, %ax
    check %ax, $0xcdef, 36
    expect 13, 37, "movl $0x123456, %ebx; addr32 movl (%ebx), %ecx"

    movw %ds:CHECKS, %ax
    call print_number
    movl $OFF(done_text), %esi
    call print
    movw %ds:FAILED, %ax
    testw %ax, %ax
    setnz %al
    movw $0xf4, %dx
    outb %al, %dx
    cli
    hlt

/* ax: number of the check that failed; bx, dx: what was found. */
complain:
    incw %ds:FAILED
    pushw %dx
    pushw %bx
    pushw %ax
    movl $OFF(failed_text), %esi
    call print
    popw %ax
    call print_number
    movb $' ', %al
    outb %al, $0xe9
    popw %ax
    call print_number
    movb $' ', %al
    outb %al, $0xe9
    popw %ax
    call print_number
    movb $'\n', %al
    outb %al, $0xe9
    ret

print:
    movb %cs:(%si), %al
    incw %si
    testb %al, %al
    jz 1f
    outb %al, $0xe9
    jmp print
1:  ret

print_number:
    movw $10, %cx
    xorw %dx, %dx
    divw %cx
    pushw %dx
    testw %ax, %ax
    jz 1f
    call print_number
1:  popw %ax
    addb $'0', %al
    outb %al, $0xe9
    ret

    .balign 8
handlers:
    .set i, 0
    .rept 256
    .balign 8
    pushw $i
    jmp trapped
    .set i, i + 1
    .endr
/* On the stack: vector, ip, cs, flags. */
trapped:
    popw %ax
    xorw %bx, %bx
    movw %bx, %ds
    movb %al, %ds:VECTOR
    popw %ax
    movw %ax, %ds:FROM
    popw %ax
    popw %ax
    movw %ax, %ds:FLAGS
    movw %bx, %ss
    movw %ds:SAVED_SP, %sp
    jmpw *%ds:RESUME

far_target:
    movw $0x1234, %dx
    lretw
iret_target:
    popw %ax                    /* the near return address is what IRET wants first: push it back */
    pushw %ax
    iretw
done_text: .asciz " checks of real mode\n"
failed_text: .asciz "FAIL real.S check "
    .balign 8
gdt: .quad 0, 0x00009b000000ffff, 0x00cf93000000ffff

    .section .note.GNU-stack, "", @progbits
