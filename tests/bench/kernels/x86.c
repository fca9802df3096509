/* x86.c: what only x86 has: long double on the x87, AVX and FMA (which the processor must have). */
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernel.h"

uint64_t kernel_x87(unsigned n) /* mandelbrot and a sum of square roots in 80 bits */
{
    uint64_t inside = 0;
    long double sum = 0;
    for (unsigned k = 0; k < n * 100u; k++) {
        for (int i = 0; i < 40; i++) {
            long double cr = -2 + 0.06L * i, ci = 0.003L * (k % 400), r = 0, s = 0;
            int j = 0;
            for (; j < 100 && r * r + s * s < 4; j++) {
                long double t = r * r - s * s + cr;
                s = 2 * r * s + ci;
                r = t;
            }
            inside += (unsigned)j;
            sum += sqrtl(i + cr * cr) / (1 + i);
        }
    }
    return inside * 1000003 + (uint64_t)(sum * 1024);
}

__attribute__((target("avx2"))) uint64_t kernel_avx(unsigned n) /* floats, doubles and integers, 256 bits at a time */
{
    enum { N = 2048 };
    static float f[N], g[N];
    static int32_t x[N];
    __m256d total = _mm256_setzero_pd();
    for (int i = 0; i < N; i++) { f[i] = i * .25f; g[i] = 1.f / (i + 1); x[i] = i * 77; }
    for (unsigned k = 0; k < n * 1000u; k++) {
        __m256 scale = _mm256_set1_ps(1 + k % 7 * .01f);
        for (int i = 0; i < N; i += 8) {
            __m256 v = _mm256_loadu_ps(f + i), w = _mm256_loadu_ps(g + i);
            w = _mm256_add_ps(_mm256_mul_ps(w, _mm256_set1_ps(.5f)), _mm256_mul_ps(v, scale));
            w = _mm256_max_ps(_mm256_sub_ps(w, v), _mm256_blendv_ps(v, w, _mm256_cmp_ps(v, w, _CMP_LT_OQ)));
            _mm256_storeu_ps(g + i, w);
            __m256i y = _mm256_loadu_si256((__m256i *)(x + i));
            y = _mm256_add_epi32(_mm256_slli_epi32(y, 3), _mm256_shuffle_epi32(_mm256_permutevar8x32_epi32(y, _mm256_set_epi32(0, 7, 1, 6, 2, 5, 3, 4)), 0x4e));
            _mm256_storeu_si256((__m256i *)(x + i), _mm256_xor_si256(y, _mm256_cvtps_epi32(_mm256_mul_ps(w, _mm256_set1_ps(1e-3f)))));
            total = _mm256_add_pd(total, _mm256_cvtps_pd(_mm256_castps256_ps128(w)));
        }
    }
    double d[4];
    uint64_t sum = 0;
    _mm256_storeu_pd(d, total);
    for (int i = 0; i < N; i++) sum = sum * 31 + (uint32_t)x[i];
    return sum ^ (uint64_t)((d[0] + d[1] + d[2] + d[3]) * 16);
}

__attribute__((target("avx2,fma"))) uint64_t kernel_fma(unsigned n) /* a matrix product of doubles with four accumulators */
{
    enum { N = 64 };
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { a[i][j] = (i * 7 + j) % 13 * .125; b[i][j] = (i + j * 5) % 11 * .25; }
    for (unsigned k = 0; k < n * 20u; k++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j += 16) {
                __m256d s0 = _mm256_loadu_pd(&c[i][j]), s1 = _mm256_loadu_pd(&c[i][j + 4]), s2 = _mm256_loadu_pd(&c[i][j + 8]), s3 = _mm256_loadu_pd(&c[i][j + 12]);
                for (int m = 0; m < N; m++) {
                    __m256d v = _mm256_broadcast_sd(&a[i][m]);
                    s0 = _mm256_fmadd_pd(v, _mm256_loadu_pd(&b[m][j]), s0);
                    s1 = _mm256_fmadd_pd(v, _mm256_loadu_pd(&b[m][j + 4]), s1);
                    s2 = _mm256_fmadd_pd(v, _mm256_loadu_pd(&b[m][j + 8]), s2);
                    s3 = _mm256_fmadd_pd(v, _mm256_loadu_pd(&b[m][j + 12]), s3);
                }
                _mm256_storeu_pd(&c[i][j], s0);
                _mm256_storeu_pd(&c[i][j + 4], s1);
                _mm256_storeu_pd(&c[i][j + 8], s2);
                _mm256_storeu_pd(&c[i][j + 12], s3);
            }
        }
    }
    double sum = 0;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) sum += c[i][j] * (i + 1) - j;
    return (uint64_t)(sum * 64);
}
#else
typedef int kernel_x86_none;
#endif
