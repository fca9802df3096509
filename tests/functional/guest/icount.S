# Hart 0 prints, hart 1 (if any) counts in memory meanwhile. All numbers depend on guest time or on who runs when.
    .globl _start
_start:
    csrr t0, mhartid
    bnez t0, other
    la sp, stack
    la t0, trap
    csrw mtvec, t0
    rdtime a0
    csrr s0, minstret
    rdtime a1
    li t1, 12345
1:  addi t1, t1, -1
    bnez t1, 1b
    csrr s1, minstret
    sub a0, s1, s0
    call hex                    # 1: exactly 2 * 12345 + 3
    csrr a0, mcycle
    call hex
    li s2, 0x200bff8            # mtime
    ld a0, 0(s2)
    call hex
    li s3, 5                    # timer interrupts in a busy loop of odd length
    li s4, 0x2004000            # mtimecmp
2:  ld t0, 0(s2)
    addi t0, t0, 777
    sd t0, 0(s4)
    li s5, 0
    li t0, 0x80
    csrw mie, t0
    csrsi mstatus, 8
3:  addi s5, s5, 1
    andi t1, s5, 3
    beqz t1, 4f
    addi t2, t2, 7
4:  addi t3, t3, 1
    beqz s6, 3b
    li s6, 0
    mv a0, s5
    call hex                    # how often the loop ran
    mv a0, s7
    call hex                    # where it was interrupted
    csrr a0, minstret
    call hex
    addi s3, s3, -1
    bnez s3, 2b
    ld t0, 0(s2)                # wfi until a deadline
    addi t0, t0, 1000
    sd t0, 0(s4)
    csrci mstatus, 8
    li t0, 0x80
    csrw mie, t0
    wfi
    rdtime a0
    call hex
    la t0, count
    ld a0, 0(t0)
    call hex                    # how far hart 1 is
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
5:  j 5b
other:
    la t0, count
6:  ld t1, 0(t0)
    addi t1, t1, 1
    sd t1, 0(t0)
    j 6b
    .balign 4
trap:
    csrr s7, mepc
    li s6, 1
    csrw mie, zero
    mret
hex:
    li t0, 0x10000000
    li t2, 60
7:  srl t3, a0, t2
    andi t3, t3, 15
    addi t3, t3, 48
    li t4, 58
    blt t3, t4, 8f
    addi t3, t3, 39
8:  sb t3, 0(t0)
    addi t2, t2, -4
    bgez t2, 7b
    li t3, 10
    sb t3, 0(t0)
    ret
    .balign 8
count: .dword 0
    .space 64
stack:
