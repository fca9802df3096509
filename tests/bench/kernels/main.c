/* main.c: kernels NAME N runs one benchmark kernel; without arguments it lists them. FUNCTION-SIZE names are in libc.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static const struct { const char *name; KernelFn *run; } kernels[] = {
    { "integer", kernel_integer }, { "sort", kernel_sort }, { "sieve", kernel_sieve },
    { "tree", kernel_tree }, { "interpreter", kernel_interpreter }, { "branches", kernel_branches },
    { "recursion", kernel_recursion }, { "indirect", kernel_indirect }, { "hash", kernel_hash },
    { "f64", kernel_f64 }, { "f32", kernel_f32 }, { "libm", kernel_libm }, { "matrix", kernel_matrix },
    { "vector-loops", kernel_vector_loops }, { "memory", kernel_memory }, { "syscalls", kernel_syscalls },
    { "signals", kernel_signals }, { "threads", kernel_threads }, { "setjmp", kernel_setjmp },
    { "fork", kernel_fork },
#if defined(__x86_64__) || defined(__i386__)
    { "x87", kernel_x87 }, { "avx", kernel_avx }, { "fma", kernel_fma },
#endif
#if defined(__aarch64__)
    { "neon-lanes", kernel_neon_lanes }, { "neon-media", kernel_neon_media }, { "neon-search", kernel_neon_search },
#endif
#if defined(__arm__) && defined(__ARM_FEATURE_CRYPTO)
    { "neon32-float", kernel_neon32_float }, { "neon32-bytes", kernel_neon32_bytes }, { "aes32", kernel_aes32 }, { "sha32", kernel_sha32 },
    { "crc32", kernel_crc32 },
#endif
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        if (argc < 2) {
            puts(kernels[i].name);
        } else if (!strcmp(argv[1], kernels[i].name)) {
            printf("%s %016llx\n", kernels[i].name,
                   (unsigned long long)kernels[i].run(argc > 2 ? atoi(argv[2]) : 1));
            return 0;
        }
    }
    uint64_t sum;
    if (argc > 1 && kernel_libc(argv[1], argc > 2 ? (unsigned)atoi(argv[2]) : 1, &sum)) {
        printf("%s %016llx\n", argv[1], (unsigned long long)sum);
        return 0;
    }
    return argc < 2 ? 0 : 2;
}
