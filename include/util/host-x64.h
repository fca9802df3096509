/*
 * host-x64.h: which extensions of an x86-64 host may be used, by generated code and by helpers alike: what CPUID says (SDM volume 2A,
 * CPUID), limited by EMU_HOST_FEATURES (a list of the names of host-x64.c separated by commas or spaces; "sse2" alone means the x86-64
 * baseline). Only on such hosts. Threads: any.
 */
#ifndef UTIL_HOST_X64_H
#define UTIL_HOST_X64_H

#include "util/base.h"

enum {
    X_SSE41 = 1, X_AVX = 2, X_AVX2 = 4, X_BMI1 = 8, X_BMI2 = 16, X_LZCNT = 32, X_POPCNT = 64,
    X_FMA = 128, X_PCLMUL = 256, X_MOVBE = 512, X_AVX512VL = 1024, X_SSSE3 = 2048, X_SSE42 = 4096, X_F16C = 8192,
    X_AES = 16384, X_SHA = 32768,
    X_LAHF = 65536,           /* in 64-bit mode */
    X_FAST_PDEP = 131072,     /* BMI2, and its PDEP and PEXT are no microcode */
};

extern uint32_t x64_features_mask;   /* by x64_features(); set before main() */
static inline uint32_t x64_features(void) { return x64_features_mask; }
const char *x64_features_text(void);
static inline bool x64_has(uint32_t features) { return (x64_features() & features) == features; }

#endif
