/* Entry, trap entries and mode changes of the bare-metal tests. One hart; others wait. */
#if __riscv_xlen == 64
#define LX ld
#define SX sd
#define REG 8
#else
#define LX lw
#define SX sw
#define REG 4
#endif

    .section .text.start
    .globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, 9f
    la      sp, stack_top
    la      t0, m_trap
    csrw    mtvec, t0
    la      t0, m_frame
    csrw    mscratch, t0
    call    main
    j       finish
9:  wfi
    j       9b

    .globl finish           /* a0: 0 pass, else the failed check's line */
finish:
    li      t0, 0x100000
    li      t1, 0x5555
    beqz    a0, 1f
    slli    a0, a0, 16
    li      t1, 0x3333
    or      t1, t1, a0
1:  sw      t1, 0(t0)
    j       1b

/*
 * Traps to M or S: what happened goes to `trap` (cause, epc, tval, mode 3 or 1), then execution goes on in M mode at
 * the address in `resume` with the registers saved by `run`. S traps first reach M by an illegal instruction trick:
 * the S handler stores its own record and does `ecall`-free `unimp`, which is never delegated here.
 */
    .balign 64              /* vectored: interrupts come in at 4 * cause */
    .globl m_trap
m_trap:
    j       m_trap_any
    .rept   15
    j       m_trap_any
    .endr
m_trap_any:
    csrrw   t6, mscratch, t6
    la      t6, trap
    SX      t5, 8*REG(t6)
    LX      t5, 4*REG(t6)
    bnez    t5, 1f          /* recorded by S already */
    csrr    t5, mcause
    SX      t5, 0*REG(t6)
    csrr    t5, mepc
    SX      t5, 1*REG(t6)
    csrr    t5, mtval
    SX      t5, 2*REG(t6)
    li      t5, 3
    SX      t5, 3*REG(t6)
1:  SX      zero, 4*REG(t6)
    csrr    t5, mstatus
    SX      t5, 5*REG(t6)
    j       leave

    .balign 64
    .globl s_trap
s_trap:
    j       s_trap_any
    .rept   15
    j       s_trap_any
    .endr
s_trap_any:
    la      t6, trap
    csrr    t5, scause
    SX      t5, 0*REG(t6)
    csrr    t5, sepc
    SX      t5, 1*REG(t6)
    csrr    t5, stval
    SX      t5, 2*REG(t6)
    li      t5, 1
    SX      t5, 3*REG(t6)
    SX      t5, 4*REG(t6)
    csrr    t5, sstatus
    SX      t5, 6*REG(t6)
    csrr    t5, mhartid     /* illegal in S: to M */
    unimp

/* Back into run()'s caller, in M mode, with interrupts off and bare addressing for M. */
leave:
    la      t6, m_frame
    csrw    mscratch, t6
    la      t0, m_trap
    csrw    mtvec, t0
    li      t0, 8 | 0x20000 /* MIE, MPRV off */
    csrc    mstatus, t0
    LX      ra, 0*REG(t6)
    LX      sp, 1*REG(t6)
    LX      s0, 2*REG(t6)
    LX      s1, 3*REG(t6)
    LX      s2, 4*REG(t6)
    LX      s3, 5*REG(t6)
    LX      s4, 6*REG(t6)
    LX      s5, 7*REG(t6)
    LX      s6, 8*REG(t6)
    LX      s7, 9*REG(t6)
    LX      s8, 10*REG(t6)
    LX      s9, 11*REG(t6)
    LX      s10, 12*REG(t6)
    LX      s11, 13*REG(t6)
    LX      gp, 14*REG(t6)
    LX      tp, 15*REG(t6)
    la      t6, trap
    LX      a0, 0*REG(t6)
    ret

/* long run(mode, pc, a0, a1): enters `mode` at pc; comes back at the next trap with its cause. */
    .globl run
run:
    la      t0, m_frame
    SX      ra, 0*REG(t0)
    SX      sp, 1*REG(t0)
    SX      s0, 2*REG(t0)
    SX      s1, 3*REG(t0)
    SX      s2, 4*REG(t0)
    SX      s3, 5*REG(t0)
    SX      s4, 6*REG(t0)
    SX      s5, 7*REG(t0)
    SX      s6, 8*REG(t0)
    SX      s7, 9*REG(t0)
    SX      s8, 10*REG(t0)
    SX      s9, 11*REG(t0)
    SX      s10, 12*REG(t0)
    SX      s11, 13*REG(t0)
    SX      gp, 14*REG(t0)
    SX      tp, 15*REG(t0)
    li      t1, 3 << 11
    csrc    mstatus, t1
    slli    a0, a0, 11
    csrs    mstatus, a0
    csrw    mepc, a1
    mv      a0, a2
    mv      a1, a3
    mret

/* Little bodies for run(). */
    .balign 4
    .globl do_ecall, do_load, do_store, do_illegal, do_fetch, do_wfi, do_sret, do_mret, do_sfence, do_satp, do_fadd
    .globl do_seed, do_rdtime, do_ebreak, do_amo, do_lr, do_cbo_zero, do_spin, do_flw, do_load_value, user_page
user_page:
do_ecall:   ecall
do_load:    LX t0, 0(a0)
            ecall
do_load_value: LX a1, 0(a0)
            ebreak
do_store:   SX a1, 0(a0)
            ecall
do_illegal: .4byte 0xffffffff
do_fetch:   jr a0
do_wfi:     wfi
            ecall
do_sret:    sret
do_mret:    mret
do_sfence:  sfence.vma
            ecall
do_satp:    csrr t0, satp
            ecall
do_fadd:    fadd.d f0, f1, f2
            ecall
do_flw:     fld f0, 0(a0)
            ecall
do_rdtime:  rdtime t0
            ecall
do_seed:    csrr t0, 0x15
            ecall
do_ebreak:  ebreak
do_amo:     amoadd.w t0, a1, (a0)
            ecall
#if __riscv_xlen == 64
do_lr:      lr.d t0, (a0)
#else
do_lr:      lr.w t0, (a0)
#endif
            ecall
do_cbo_zero: .4byte 0x0045200f
            ecall
do_spin:    addi t0, t0, 1
            j do_spin

    .data
    .balign 16
    .globl trap
trap:
    .space 128
m_frame:
    .space 256
    .bss
    .balign 16
stack:
    .space 16384
stack_top:
