/*
 * x86_64-asm.S: system calls that a signal can stop before they begin, and copies that survive faults.
 * The ranges between labels are known to host_context_fixup (x86_64.c). System V ABI.
 */
    .text

/* safe_syscall(pending, nr, a0, a1, a2, a3, a4, a5) */
    .globl safe_syscall, safe_syscall_start, safe_syscall_insn, safe_syscall_end
    .globl safe_syscall_not_begun, safe_syscall_interrupted
    .type safe_syscall, @function
safe_syscall:
    mov %rdi, %r11
    mov %rsi, %rax
    mov %rdx, %rdi
    mov %rcx, %rsi
    mov %r8, %rdx
    mov %r9, %r10
    mov 8(%rsp), %r8
    mov 16(%rsp), %r9
safe_syscall_start:
    cmpl $0, (%r11)
    jne safe_syscall_not_begun
safe_syscall_insn:
    syscall
safe_syscall_end:
    ret
safe_syscall_not_begun:
    mov $-513, %rax
    ret
safe_syscall_interrupted:
    mov $-512, %rax
    ret
    .size safe_syscall, . - safe_syscall

/* raw_syscall(nr, a0, a1, a2, a3, a4, a5) */
    .globl raw_syscall
    .type raw_syscall, @function
raw_syscall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .size raw_syscall, . - raw_syscall

/* uaccess_copy(dst, src, n): what is left over */
    .globl uaccess_copy, uaccess_copy_start, uaccess_copy_end
    .type uaccess_copy, @function
uaccess_copy:
    mov %rdx, %rcx
uaccess_copy_start:
    rep movsb
uaccess_copy_end:
    mov %rcx, %rax
    ret
    .size uaccess_copy, . - uaccess_copy

/* uaccess_strnlen(src, max) */
    .globl uaccess_strnlen, uaccess_strnlen_start, uaccess_strnlen_end
    .type uaccess_strnlen, @function
uaccess_strnlen:
    xor %eax, %eax
uaccess_strnlen_start:
    cmp %rsi, %rax
    je 1f
    cmpb $0, (%rdi, %rax)
    je 1f
    inc %rax
    jmp uaccess_strnlen_start
uaccess_strnlen_end:
    mov $-1, %rax
1:  ret
    .size uaccess_strnlen, . - uaccess_strnlen

/* host_vfork(flags, stack_top, fn, arg) */
    .globl host_vfork
    .type host_vfork, @function
host_vfork:
    mov %rdx, %r8
    mov %rcx, %r9
    xor %edx, %edx
    xor %r10d, %r10d
    mov $56, %eax
    /* fn and arg travel in the child's registers; r8 is the new TLS only with CLONE_SETTLS. */
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  xor %ebp, %ebp
    mov %r9, %rdi
    call *%r8
    hlt
    .size host_vfork, . - host_vfork

    .section .note.GNU-stack, "", @progbits
