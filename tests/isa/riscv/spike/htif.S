/*
 * Talks to the host-target interface: a line by the console device, a line by the system call, an unknown system call,
 * an echo of what is typed; ends with status 7. LOW: as a 32-bit program that writes only the low half to end.
 */
#if __riscv_xlen == 64
    .macro command reg          /* the command's 64 bits in \reg and, for 32 bits, a3 above */
    sd      \reg, 0(s0)
    .endm
#else
    .macro command reg
    sw      \reg, 0(s0)
    sw      a3, 4(s0)
    .endm
#endif

    .section .text.start
    .globl  _start
_start:
    lla     s0, tohost
    lla     s1, fromhost
    lla     s2, console_text
1:  lbu     a0, 0(s2)
    beqz    a0, 2f
    jal     put
    addi    s2, s2, 1
    j       1b

2:  li      s3, 64              /* write */
    jal     syscall
    li      t0, 13              /* bytes */
    bne     a0, t0, fail
    li      s3, 1234
    jal     syscall
    li      t0, -38             /* ENOSYS */
    bne     a0, t0, fail

3:  jal     get                 /* until the end of a line */
    mv      s2, a0
    jal     put
    li      t0, '\n'
    bne     s2, t0, 3b
    li      a0, 7 << 1 | 1
    j       end
fail:
    li      a0, 99 << 1 | 1
end:
#ifdef LOW
    sw      a0, 0(s0)
#else
    li      a3, 0
    command a0
#endif
    j       end

put:
    li      a3, 0x01010000
#if __riscv_xlen == 64
    slli    t0, a3, 32
    or      a0, a0, t0
#endif
    command a0
    ret

get:
    li      a0, 0
    li      a3, 0x01000000
#if __riscv_xlen == 64
    slli    a0, a3, 32
#endif
    command a0
1:  lw      a0, 0(s1)
    beqz    a0, 1b
    sw      zero, 0(s1)
    sw      zero, 4(s1)
    andi    a0, a0, 0xff
    ret

syscall:                        /* number s3; the result in a0 */
    lla     t0, block
    sw      s3, 0(t0)
    sw      zero, 4(t0)
    li      a3, 0
    command t0
1:  lw      t1, 0(s1)
    beqz    t1, 1b
    sw      zero, 0(s1)
    sw      zero, 4(s1)
    lw      a0, 0(t0)
    ret

    .data
console_text:
    .asciz  "console\n"
text:
    .ascii  "system call \n"
    .balign 64
block:
    .dword  0, 1, text, 13, 0, 0, 0, 0
    .balign 64
    .globl  tohost, fromhost
tohost:
    .dword  0
    .size   tohost, 8
    .type   tohost, @object
fromhost:
    .dword  0
    .size   fromhost, 8
    .type   fromhost, @object
