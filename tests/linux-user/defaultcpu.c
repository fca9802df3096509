/* defaultcpu.c (x86): the processor that programs get without -cpu is the best there is: its CPUID lists AVX2, and AVX2 works. */
#include <cpuid.h>
#include <immintrin.h>
#include <stdio.h>
#include <string.h>

__attribute__((target("avx2"))) static int sum(void)
{
    int lanes[8];
    _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi32(_mm256_set1_epi32(4), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)));
    return lanes[0] * 10 + lanes[7]; /* 51 */
}

int main(void)
{
    unsigned brand[13] = { 0 }, a, b, c, d;
    for (unsigned i = 0; i < 3; i++) {
        __get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3]);
    }
    /* The host's own processor may be an old one; the runner's default may not. */
    int emulated = !strncmp((char *)brand, "QEMU", 4);
    int avx2 = __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX2;
    printf("%s, %d\n", emulated && !avx2 ? "no AVX2" : "as it should be", avx2 ? sum() : 51);
    return 0;
}
