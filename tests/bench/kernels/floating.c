/* floating.c: scalar and vectorisable floating point, libm. */
#include <math.h>
#include <string.h>

#include "kernel.h"

static uint64_t bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, sizeof(u));
    return u;
}

uint64_t kernel_f64(unsigned n) /* planets: dependent adds, square roots, divisions */
{
    double x[5] = { 0, 1, 0, -1.5, 2 }, v[5] = { 0, .1, .9, -.2, .3 }, m[5] = { 10, 1e-3, 1e-4, 1e-3, 2e-3 };
    double y[5] = { 0, 0, 1, .5, -2 }, w[5] = { 0, .9, 0, .4, -.1 };
    for (unsigned step = 0; step < n * 150000u; step++) {
        for (int i = 0; i < 5; i++) {
            for (int j = i + 1; j < 5; j++) {
                double dx = x[i] - x[j], dy = y[i] - y[j];
                double d2 = dx * dx + dy * dy + 1e-2, mag = 1e-4 / (d2 * sqrt(d2));
                v[i] -= dx * m[j] * mag; w[i] -= dy * m[j] * mag;
                v[j] += dx * m[i] * mag; w[j] += dy * m[i] * mag;
            }
        }
        for (int i = 0; i < 5; i++) { x[i] += 1e-4 * v[i]; y[i] += 1e-4 * w[i]; }
    }
    return bits(x[1]) ^ bits(y[3]);
}

uint64_t kernel_f32(unsigned n)
{
    static float a[4096], b[4096];
    float k = 1.0001f, sum = 0;
    for (int i = 0; i < 4096; i++) { a[i] = i * .5f; b[i] = 1.0f / (i + 1); }
    for (unsigned r = 0; r < n * 800u; r++) {
        for (int i = 0; i < 4096; i++) b[i] = a[i] * k + b[i] * .5f;
        k *= .9999f;
    }
    for (int i = 0; i < 4096; i++) sum += b[i];
    return bits(sum);
}

uint64_t kernel_libm(unsigned n)
{
    double sum = 0;
    for (unsigned i = 1; i <= n * 60000u; i++) {
        double x = i * 1e-3;
        sum += sin(x) * cos(x / 3) + exp(-x / 100) + log(x) + pow(x, 0.3) + atan2(x, 2.0) + tan(x * .1);
    }
    /* libm differs in the last bit between machines with and without FMA. */
    return bits(round(sum * 1e3));
}

uint64_t kernel_matrix(unsigned n)
{
    enum { N = 96 };
    static double a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) { a[i][j] = (i * 7 + j) % 13; b[i][j] = (i + j * 5) % 11; c[i][j] = 0; }
    for (unsigned r = 0; r < n * 8u; r++)
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
    double sum = 0;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) sum += c[i][j] * (i + 1) - j;
    return bits(sum);
}

uint64_t kernel_vector_loops(unsigned n)
{
    enum { N = 8192 };
    static uint8_t p[N], q[N], r[N];
    static int32_t x[N], y[N];
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) { p[i] = i * 7; q[i] = i * 13 >> 2; x[i] = i * 31; y[i] = N - i; }
    for (unsigned k = 0; k < n * 120u; k++) {
        for (int i = 0; i < N; i++) r[i] = (uint8_t)((p[i] + q[i] + 1) >> 1);
        for (int i = 0; i < N; i++) p[i] = r[i] > 200 ? r[i] - 200 : r[i] + 3;
        for (int i = 0; i < N; i++) x[i] += y[i] * 3 - (x[i] >> 4);
        for (int i = 0; i < N; i++) sum += (unsigned)(x[i] ^ p[i]);
    }
    return sum;
}
