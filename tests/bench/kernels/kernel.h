/*
 * kernel.h: the benchmark kernels. Each does `n` rounds of one kind of work and returns a checksum, which must be the
 * same on every machine: `kernels NAME N` prints it.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include <stdint.h>

typedef uint64_t KernelFn(unsigned n);

KernelFn kernel_integer, kernel_sort, kernel_sieve, kernel_tree, kernel_interpreter, kernel_branches, kernel_recursion,
    kernel_indirect, kernel_hash;
KernelFn kernel_f64, kernel_f32, kernel_libm, kernel_matrix, kernel_vector_loops;
KernelFn kernel_memory, kernel_syscalls, kernel_signals, kernel_threads, kernel_setjmp, kernel_fork;
KernelFn kernel_x87, kernel_avx, kernel_fma; /* x86 only */
KernelFn kernel_neon_lanes, kernel_neon_media, kernel_neon_search; /* AArch64 only */
KernelFn kernel_neon32_float, kernel_neon32_bytes, kernel_aes32, kernel_sha32, kernel_crc32; /* 32-bit Arm only */

/* The kernel called FUNCTION-SIZE; 0 when there is no such function. */
int kernel_libc(const char *name, unsigned n, uint64_t *ret_sum);

/* xorshift64: the same numbers everywhere. */
static inline uint64_t kernel_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
