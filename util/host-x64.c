/*
 * host-x64.c: what CPUID says of the host, once.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util/host-x64.h"

static const struct { const char *name; uint32_t bit; } feature_names[] = {
    { "sse2", 0 }, { "ssse3", X_SSSE3 }, { "sse4.1", X_SSE41 }, { "sse4.2", X_SSE42 }, { "avx", X_AVX },
    { "avx2", X_AVX2 }, { "bmi1", X_BMI1 }, { "bmi2", X_BMI2 }, { "lzcnt", X_LZCNT }, { "popcnt", X_POPCNT },
    { "fma", X_FMA }, { "pclmul", X_PCLMUL }, { "movbe", X_MOVBE }, { "avx512vl", X_AVX512VL }, { "f16c", X_F16C },
    { "aes", X_AES }, { "sha", X_SHA }, { "lahf", X_LAHF }, { "pdep", X_FAST_PDEP },
};

uint32_t x64_features_mask;
static char features_text[160];

enum { HYGON_EBX = 0x6f677948 };

/* AMD's processors before Zen 3 (family 19h) have PDEP and PEXT as microcode that takes up to 290 cycles; Hygon's are of that kind. */
static bool has_fast_pdep(unsigned signature)
{
    unsigned eax, ebx = 0, ecx, edx, family = (signature >> 8 & 15) + ((signature >> 8 & 15) == 15 ? signature >> 20 & 0xff : 0);

    __get_cpuid(0, &eax, &ebx, &ecx, &edx);
    return family >= 0x19 || (ebx != signature_AMD_ebx && ebx != HYGON_EBX);
}

static uint32_t features_detect(void)
{
    unsigned eax, ebx, ecx, edx, signature;
    uint32_t f = 0;
    uint64_t xcr0 = 0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        return 0;
    }
    signature = eax;
    if (ecx & bit_OSXSAVE) {
        uint32_t lo, hi;
        __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        xcr0 = lo | (uint64_t)hi << 32;
    }
    f |= ecx & bit_SSSE3 ? X_SSSE3 : 0;
    f |= ecx & bit_SSE4_1 ? X_SSE41 : 0;
    f |= ecx & bit_SSE4_2 ? X_SSE42 : 0;
    f |= ecx & bit_POPCNT ? X_POPCNT : 0;
    f |= ecx & bit_MOVBE ? X_MOVBE : 0;
    f |= ecx & bit_PCLMUL ? X_PCLMUL : 0;
    f |= ecx & bit_AES ? X_AES : 0;
    bool ymm = (xcr0 & 6) == 6, zmm = (xcr0 & 0xe6) == 0xe6;
    if (ymm && (ecx & bit_AVX)) {
        f |= X_AVX;
        f |= ecx & bit_FMA ? X_FMA : 0;
        f |= ecx & bit_F16C ? X_F16C : 0;
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        f |= (f & X_AVX) && (ebx & bit_AVX2) ? X_AVX2 : 0;
        f |= ebx & bit_SHA ? X_SHA : 0;
        f |= ebx & bit_BMI ? X_BMI1 : 0;
        f |= ebx & bit_BMI2 ? X_BMI2 | (has_fast_pdep(signature) ? X_FAST_PDEP : 0) : 0;
        if (zmm && (f & X_AVX2) && (ebx & bit_AVX512VL) && (ebx & bit_AVX512BW) && (ebx & bit_AVX512DQ)) {
            f |= X_AVX512VL;
        }
    }
    if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)) {
        f |= ecx & bit_LZCNT ? X_LZCNT : 0;
        f |= ecx & bit_LAHF_LM ? X_LAHF : 0;
    }
    return f;
}

/* Before main(): helpers ask often. */
__attribute__((constructor)) static void features_init(void)
{
    uint32_t f = features_detect();
    const char *list = getenv("EMU_HOST_FEATURES");
    if (list && *list) {
        uint32_t allowed = 0;
        while (*list) {
            size_t n = strcspn(list, ", ");
            for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++) {
                if (strlen(feature_names[i].name) == n && !memcmp(feature_names[i].name, list, n)) {
                    allowed |= feature_names[i].bit;
                }
            }
            list += n;
            list += strspn(list, ", ");
        }
        f &= allowed;
        /* VEX forms of BMI need the OS's AVX state as little as the CPU bits do; the rest build on AVX. */
        if (!(f & X_AVX)) {
            f &= ~(X_AVX2 | X_FMA | X_F16C | X_AVX512VL);
        }
        if (!(f & X_AVX2)) {
            f &= ~X_AVX512VL;
        }
        if (!(f & X_BMI2)) {
            f &= ~X_FAST_PDEP;
        }
    }
    if (f & X_AVX) {
        f |= X_SSSE3 | X_SSE41 | X_SSE42;
    }
    if (f & X_SSE41) {
        f |= X_SSSE3;
    }
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(feature_names); i++) {
        if ((f & feature_names[i].bit) == feature_names[i].bit) {
            at += snprintf(features_text + at, sizeof(features_text) - at, "%s%s", at ? " " : "",
                           feature_names[i].name);
        }
    }
    x64_features_mask = f;
}

const char *x64_features_text(void)
{
    return features_text;
}
