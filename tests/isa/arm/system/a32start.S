/* Entry and vectors of the AArch32 programs. Enters in Supervisor mode with translation off; r0 to r2 are not looked at. */
    .syntax unified
    .arm
    .section .text.start, "ax"
    .global _start
_start:
    ldr r0, =stacks
    .irp mode, 0x11, 0x12, 0x17, 0x1b, 0x1f, 0x13   /* fiq irq abt und sys svc */
    cps #\mode
    add r0, r0, #4096
    mov sp, r0
    .endr
    add sp, sp, #8192
    ldr r0, =vectors
    mcr p15, 0, r0, c12, c0, 0
    isb
    bl test_main
    ldr r0, =0x84000008        /* PSCI SYSTEM_OFF */
    .arch_extension virt
    hvc #0
1:  b 1b

/* Every vector: SPSR, r0 to r12 and LR in a frame on the mode's own stack; handle(number, frame) may change it, and execution goes on from it. */
    .macro vector number
v\number:
    push {r0-r12, lr}
    mrs r2, spsr
    push {r2, r3}
    mov r0, #\number
    mov r1, sp
    bl handle
    pop {r2, r3}
    msr spsr_cxsf, r2
    ldm sp!, {r0-r12, pc}^
    .endm
    .balign 32
vectors:
    b .
    b v1
    b v2
    b v3
    b v4
    b .
    b v6
    b v7
    vector 1
    vector 2
    vector 3
    vector 4
    vector 6
    vector 7

/* uint32_t in_user(uint32_t (*fn)(uint32_t), uint32_t argument): calls it in User mode; comes back by SVC #0x77, whose handler goes to in_user_back. */
    .global in_user, in_user_back
in_user:
    push {r4-r11, lr}
    cps #0x1f
    ldr sp, =user_stack_top
    ldr lr, =user_return
    cps #0x13
    mov r2, r0
    mov r0, r1
    mov r1, #0x10
    tst r2, #1
    orrne r1, r1, #0x20
    bic r2, r2, #1
    push {r1}
    push {r2}
    rfeia sp!
in_user_back:
    pop {r4-r11, pc}

    .section .text.user, "ax"
    .global user_return
user_return:
    svc #0x77

    .bss
    .balign 4096
stacks:
    .skip 6 * 4096 + 8192
    .global user_stack
user_stack:
    .skip 4096
user_stack_top:
    .section .note.GNU-stack, "", %progbits
