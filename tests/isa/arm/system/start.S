/* Entry, vectors and the way to EL0 for the tests of the system level. Enters at EL1 or EL2 with the MMU off. */
    .section .text.start, "ax"
    .global _start
_start:
    adrp x1, stack_top
    add x1, x1, :lo12:stack_top
    mov sp, x1
    mrs x0, CurrentEL
    lsr x0, x0, #2
    adrp x2, vectors
    add x2, x2, :lo12:vectors
    cmp x0, #2
    b.ne 1f
    msr vbar_el2, x2
    mov x3, #(3 << 20)
    msr cptr_el2, xzr
    b 2f
1:  msr vbar_el1, x2
2:  mov x3, #(3 << 20)
    msr cpacr_el1, x3
    isb
    bl test_main
    ldr x0, =0x84000008        /* PSCI SYSTEM_OFF, by HVC at EL1 and SMC at EL2 */
    mrs x1, CurrentEL
    cmp x1, #8
    b.eq 3f
    hvc #0
3:  smc #0
4:  b 4b

/*
 * Every vector: x0 to x30, SP_EL0, ELR, SPSR, ESR, FAR and which vector go into a frame; handle_exception(frame) may change
 * it, and execution goes on from it. The level is the one the exception was taken to.
 */
    .macro vector number
    .balign 128
    sub sp, sp, #336
    stp x0, x1, [sp, #0]
    mov x0, #\number
    b common
    .endm
    .balign 2048
    .global vectors
vectors:
    vector 0
    vector 1
    vector 2
    vector 3
    vector 4
    vector 5
    vector 6
    vector 7
    vector 8
    vector 9
    vector 10
    vector 11
    vector 12
    vector 13
    vector 14
    vector 15
    .balign 128
common:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    str x30, [sp, #240]
    str x0, [sp, #248]
    mrs x1, CurrentEL
    cmp x1, #8
    b.eq 5f
    mrs x2, elr_el1
    mrs x3, spsr_el1
    mrs x4, esr_el1
    mrs x5, far_el1
    b 6f
5:  mrs x2, elr_el2
    mrs x3, spsr_el2
    mrs x4, esr_el2
    mrs x5, far_el2
6:  stp x2, x3, [sp, #256]
    stp x4, x5, [sp, #272]
    str x1, [sp, #288]
    mov x0, sp
    bl handle_exception
    ldp x2, x3, [sp, #256]
    mrs x1, CurrentEL
    cmp x1, #8
    b.eq 7f
    msr elr_el1, x2
    msr spsr_el1, x3
    b 8f
7:  msr elr_el2, x2
    msr spsr_el2, x3
8:  ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #240]
    ldp x0, x1, [sp, #0]
    add sp, sp, #336
    eret

/* uint64_t run_at(void (*fn)(void), uint64_t spsr): goes there by ERET; comes back by SVC #0x77, whose handler returns to the place saved here. */
    .global run_at
run_at:
    stp x29, x30, [sp, #-112]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    adrp x2, return_sp
    mov x3, sp
    str x3, [x2, :lo12:return_sp]
    mrs x4, CurrentEL
    cmp x4, #8
    b.eq 9f
    adrp x5, el0_stack_top
    add x5, x5, :lo12:el0_stack_top
    msr sp_el0, x5
    msr elr_el1, x0
    msr spsr_el1, x1
    eret
9:  adrp x5, el0_stack_top
    add x5, x5, :lo12:el0_stack_top
    msr sp_el0, x5
    msr elr_el2, x0
    msr spsr_el2, x1
    eret
    .global run_at_done
run_at_done:
    adrp x2, return_sp
    ldr x3, [x2, :lo12:return_sp]
    mov sp, x3
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #112
    ret

    .bss
    .balign 16
return_sp:
    .skip 16
    .skip 16384
stack_top:
    .balign 4096
    .skip 4096
el0_stack_top:
