/*
 * instructions.c: single x86 instructions, each in a loop: nanoseconds of processor time for each, of the best of three rounds.
 *
 *     instructions [PART OF A NAME]
 *
 * What no kernel shows: an instruction that is slower than elsewhere. Times are of the loop, so differences of less than its counter's are noise.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint8_t here[1 << 16] __attribute__((aligned(64))), there[1 << 16] __attribute__((aligned(64)));
static const char *only;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#define ROW(name, thousands, ...) \
    if (!only || strstr(name, only)) { \
        double best = 1e9; \
        for (unsigned round = 0; round < 3; round++) { \
            double begin = now(); \
            for (long i = 0; i < thousands * 1000L; i++) { \
                __VA_ARGS__ \
            } \
            double t = now() - begin; \
            best = t < best ? t : best; \
        } \
        printf("%s\t%.2f\n", name, best / (thousands * 1000L) * 1e9); \
        fflush(stdout); \
    }
#define INSN(...) __asm__ volatile(__VA_ARGS__)
#ifdef __x86_64__
#define W "r"
#else
#define W "e"
#endif

static void integer(void)
{
    long a = 0x12345, b = 7;
#ifdef __x86_64__
    uint64_t q = 0x123456789abcdef;
#endif
    ROW("rep movsb 8", 1000, void *d = there, *s = here; long n = 8; INSN("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");)
    ROW("rep movsb 100", 1000, void *d = there, *s = here; long n = 100; INSN("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");)
    ROW("rep movsb 4000", 200, void *d = there, *s = here; long n = 4000; INSN("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");)
    ROW("rep movsl 16", 1000, void *d = there, *s = here; long n = 16; INSN("rep movsl" : "+D"(d), "+S"(s), "+c"(n) : : "memory");)
    ROW("rep stosb 20", 1000, void *d = there; long n = 20; INSN("rep stosb" : "+D"(d), "+c"(n) : "a"(0x61) : "memory");)
    ROW("rep stosl 500", 200, void *d = there; long n = 500; INSN("rep stosl" : "+D"(d), "+c"(n) : "a"(0x61616161) : "memory");)
    ROW("repne scasb 30", 300, void *d = there; long n = 30; INSN("repne scasb" : "+D"(d), "+c"(n) : "a"(0) : "memory", "cc");)
    ROW("repe cmpsb 30", 300, void *d = there, *s = here; long n = 30; INSN("repe cmpsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory", "cc");)
    ROW("movsb x1", 2000, void *d = there, *s = here; INSN("movsb" : "+D"(d), "+S"(s) : : "memory");)
    ROW("lodsb", 2000, void *s = here; long x; INSN("lodsb" : "=a"(x), "+S"(s) : : "memory");)
    ROW("div32", 2000, unsigned x = i + 100000, d = 0; INSN("divl %2" : "+a"(x), "+d"(d) : "r"((unsigned)(i & 63) + 3) : "cc");)
    ROW("idiv32", 2000, int x = i + 100000, d = 0; INSN("idivl %2" : "+a"(x), "+d"(d) : "r"((int)(i & 63) + 3) : "cc");)
#ifdef __x86_64__
    ROW("div64", 2000, uint64_t x = i + 100000, d = 0; INSN("divq %2" : "+a"(x), "+d"(d) : "r"((i & 63) + 3) : "cc");)
    ROW("idiv64 neg", 2000, int64_t x = -i-100000, d = -1; INSN("idivq %2" : "+a"(x), "+d"(d) : "r"((i & 63) + 3) : "cc");)
    ROW("mul64", 3000, uint64_t x = i, d; INSN("mulq %2" : "+a"(x), "=d"(d) : "r"(q) : "cc"); q ^= d;)
    ROW("mulx", 3000, uint64_t x, d; INSN("mulx %3,%0,%1" : "=r"(x), "=r"(d) : "d"(q), "r"(q) : "cc"); a ^= d;)
    ROW("cmpxchg16b", 1000, INSN("lock cmpxchg16b %0" : "+m"(here[64]) : "a"(0), "d"(0), "b"(1), "c"(2) : "cc", "memory");)
    ROW("adcx", 3000, INSN("adcx %1,%0; adox %1,%0" : "+r"(q) : "r"(q) : "cc");)
#endif
    ROW("div8", 2000, unsigned x = i & 0x7ff; INSN("divb %b1" : "+a"(x) : "q"((unsigned)(i & 63) + 60) : "cc");)
    ROW("adc chain", 3000, INSN("add %1,%0; adc %1,%0; adc %1,%0; sbb %1,%0" : "+r"(a) : "r"(b) : "cc");)
    ROW("rcl 1", 2000, INSN("rcl $1,%0" : "+r"(a) : : "cc");)
    ROW("rcr cl", 2000, INSN("rcr %%cl,%0" : "+r"(a) : "c"(i & 31) : "cc");)
    ROW("rol cl", 2000, INSN("rol %%cl,%0" : "+r"(a) : "c"(i & 31) : "cc");)
    ROW("shl cl+jc", 2000, INSN("shl %%cl,%0; jnc 1f; inc %0; 1:" : "+r"(a) : "c"(i & 31) : "cc");)
    ROW("shld cl", 2000, INSN("shld %%cl,%1,%0" : "+r"(a) : "r"(b), "c"(i & 31) : "cc");)
    ROW("bt mem reg", 2000, INSN("bts %1,%0; setc %b2" : "+m"(there[0]) : "r"(i & 1023), "q"(b) : "cc", "memory");)
    ROW("bt reg", 2000, INSN("bt %1,%0; adc $0,%0" : "+r"(a) : "r"(i & 31) : "cc");)
    ROW("bsf/bsr", 2000, long x; INSN("bsf %1,%0; bsr %1,%0" : "=&r"(x) : "r"(i | 1) : "cc");)
    ROW("popcnt/lzcnt", 2000, long x; INSN("popcnt %1,%0; lzcnt %1,%0; tzcnt %1,%0" : "=&r"(x) : "r"(i | 1) : "cc");)
    ROW("bswap/xchg", 2000, int x = i; INSN("bswap %0; xchg %0,%1" : "+r"(x), "+m"(there[8]) : : "memory");)
    ROW("partial regs", 2000, long x = i; INSN("movb $5,%%al; addb %%al,%%ah; movw $3,%%ax; movb %%ah,%%al" : "+a"(x) : : "cc");)
    ROW("pushf/popf", 1000, INSN("pushf; popf" : : : "cc", "memory");)
    ROW("lahf/sahf", 1000, INSN("lahf; sahf" : : : "eax", "cc");)
    ROW("cmc/stc/clc/adc", 2000, INSN("stc; cmc; adc $0,%0; clc" : "+r"(a) : : "cc");)
    ROW("std/cld", 1000, INSN("std; cld" : : : "cc");)
    ROW("enter/leave", 1000, INSN("sub $200,%%" W "sp; enter $64,$0; leave; add $200,%%" W "sp" : : : "memory", "cc");)
    ROW("xlat", 2000, long x = i & 255; INSN("xlat" : "+a"(x) : "b"(here));)
    ROW("call/ret", 2000, INSN("sub $200,%%" W "sp; call 1f; jmp 2f; 1: ret; 2: add $200,%%" W "sp" : : : "memory", "cc");)
    ROW("call/pop", 2000, INSN("sub $200,%%" W "sp; call 1f; 1: pop %0; add $200,%%" W "sp" : "=r"(a) : : "memory", "cc");)
    ROW("push/ret", 1000, INSN("sub $200,%%" W "sp; lea 1f,%0; push %0; ret; 1: add $200,%%" W "sp" : "=&r"(a) : : "memory", "cc");)
    ROW("jmp *reg", 2000, INSN("lea 1f,%0; jmp *%0; 1:" : "=&r"(a));)
    ROW("lock xadd", 2000, int x = 1; INSN("lock xaddl %0,%1" : "+r"(x), "+m"(there[16]) : : "memory", "cc");)
    ROW("lock inc", 2000, INSN("lock incl %0" : "+m"(there[16]) : : "memory", "cc");)
    ROW("lock or", 2000, INSN("lock orl $1,%0; jz 1f; 1:" : "+m"(there[16]) : : "memory", "cc");)
    ROW("cmpxchg", 2000, int x = 0; INSN("lock cmpxchgl %2,%1" : "+a"(x), "+m"(there[16]) : "r"(1) : "memory", "cc");)
    ROW("cmpxchg8b", 1000, INSN("push %%" W "bx; lock cmpxchg8b %0; pop %%" W "bx" : "+m"(there[64]) : "a"(0), "d"(0), "c"(2) : "memory", "cc");)
    ROW("mfence", 1000, INSN("mfence" : : : "memory");)
    ROW("cpuid", 100, int x = 0, d; INSN("push %%" W "bx; cpuid; pop %%" W "bx" : "+a"(x), "=d"(d) : : "ecx", "memory");)
    ROW("rdtsc", 1000, INSN("rdtsc" : : : "eax", "edx");)
    ROW("xgetbv", 1000, INSN("xgetbv" : : "c"(0) : "eax", "edx");)
    ROW("pause", 1000, INSN("pause");)
}

static void x87(void)
{
    ROW("fsin", 200, INSN("fldl %0; fsin; fstpl %0" : "+m"(there[128]) : : "memory");)
    ROW("fptan/fpatan", 100, INSN("fld1; fptan; fpatan; fstp %%st(0)" : : : "memory");)
    ROW("fyl2x/f2xm1", 100, INSN("fld1; fld1; fyl2x; f2xm1; fstp %%st(0)" : : : "memory");)
    ROW("fprem", 200, INSN("fld1; fldpi; fprem; fstp %%st(0); fstp %%st(0)" : : : "memory");)
    ROW("fild/fistp", 1000, INSN("fildl %0; fistpl %0" : "+m"(there[16]) : : "memory");)
    ROW("fbld/fbstp", 200, INSN("fld1; fbstp %0; fbld %0; fstp %%st(0)" : "+m"(there[32]) : : "memory");)
    ROW("fldt/fstpt", 1000, INSN("fld1; fstpt %0; fldt %0; fstp %%st(0)" : "+m"(there[32]) : : "memory");)
    ROW("fldcw/fnstcw", 1000, INSN("fnstcw %0; fldcw %0" : "+m"(there[48]) : : "memory");)
    ROW("fcom/fnstsw", 1000, INSN("fld1; fldz; fcompp; fnstsw %%ax; sahf" : : : "eax", "cc", "memory");)
    ROW("fcomi", 1000, INSN("fld1; fldz; fcomip %%st(1); fstp %%st(0)" : : : "cc", "memory");)
    ROW("fxch/faddp", 1000, INSN("fld1; fldpi; fxch; faddp; fstp %%st(0)" : : : "memory");)
    ROW("fsqrt/fdiv", 1000, INSN("fldpi; fsqrt; fld1; fdivp; fstp %%st(0)" : : : "memory");)
    ROW("frndint/fscale", 500, INSN("fld1; fldpi; frndint; fscale; fstp %%st(0); fstp %%st(0)" : : : "memory");)
    ROW("fnsave/frstor", 100, INSN("fnsave %0; frstor %0" : "+m"(there[512]) : : "memory");)
    ROW("fxsave/fxrstor", 100, INSN("fxsave %0; fxrstor %0" : "+m"(there[1024]) : : "memory");)
    memset(there + 4096, 0, 4096); /* a header that may be restored from */
    ROW("xsave/xrstor", 100, INSN("xsave %0; xrstor %0" : "+m"(there[4096]) : "a"(7), "d"(0) : "memory");)
    ROW("stmxcsr/ldmxcsr", 1000, INSN("stmxcsr %0; ldmxcsr %0" : "+m"(there[48]) : : "memory");)
    ROW("mmx paddb", 1000, INSN("movq %0,%%mm0; paddb %%mm0,%%mm0; movq %%mm0,%0" : "+m"(there[256]) : : "memory");)
    ROW("emms", 1000, INSN("emms");)
}

static void vectors(void)
{
    long a = 0;
    ROW("cvtsi2sd/cvttsd2si", 2000, double d; int x; INSN("cvtsi2sdl %2,%0; cvttsd2si %0,%1" : "=&x"(d), "=r"(x) : "r"((int)i));)
    ROW("sqrtsd/divsd", 2000, double d = i + 1; INSN("sqrtsd %0,%0; divsd %0,%0" : "+x"(d));)
    ROW("comisd+jp", 2000, double d = i; INSN("ucomisd %0,%0; jp 1f; ja 1f; inc %1; 1:" : "+x"(d), "+r"(a) : : "cc");)
    ROW("roundsd", 2000, double d = i * .5; INSN("roundsd $1,%0,%0" : "+x"(d));)
    ROW("dpps", 1000, __m128 x = _mm_set1_ps(i); INSN("dpps $0xf1,%0,%0" : "+x"(x));)
    ROW("haddps", 1000, __m128 x = _mm_set1_ps(i); INSN("haddps %0,%0" : "+x"(x));)
    ROW("rcpps/rsqrtps", 1000, __m128 x = _mm_set1_ps(i + 1); INSN("rcpps %0,%0; rsqrtps %0,%0" : "+x"(x));)
    ROW("denormal mulsd", 1000, double d = 1e-310; INSN("mulsd %0,%1" : "+x"(d) : "x"(d));)
    ROW("pshufb", 2000, __m128i x = _mm_set1_epi8(i); INSN("pshufb %0,%0" : "+x"(x));)
    ROW("pmaddwd/psadbw", 2000, __m128i x = _mm_set1_epi8(i); INSN("pmaddwd %0,%0; psadbw %0,%0" : "+x"(x));)
    ROW("pmulld/phminpos", 1000, __m128i x = _mm_set1_epi8(i); INSN("pmulld %0,%0; phminposuw %0,%0" : "+x"(x));)
    ROW("mpsadbw", 1000, __m128i x = _mm_set1_epi8(i); INSN("mpsadbw $1,%0,%0" : "+x"(x));)
    ROW("packuswb/unpck", 2000, __m128i x = _mm_set1_epi8(i); INSN("packuswb %0,%0; punpcklbw %0,%0; pshufd $0x1b,%0,%0" : "+x"(x));)
    ROW("pslldq/palignr", 2000, __m128i x = _mm_set1_epi8(i); INSN("pslldq $3,%0; palignr $5,%0,%0; psrlw $3,%0" : "+x"(x));)
    ROW("psll reg", 2000, __m128i x = _mm_set1_epi8(i), y = _mm_cvtsi32_si128(i & 7); INSN("psllw %1,%0; psrad %1,%0" : "+x"(x) : "x"(y));)
    ROW("pinsr/pextr", 2000, __m128i x = _mm_set1_epi8(i); int r; INSN("pinsrw $3,%2,%0; pextrb $5,%0,%1" : "+x"(x), "=&r"(r) : "r"((int)i));)
    ROW("ptest/pmovmskb", 2000, __m128i x = _mm_set1_epi8(i); int r; INSN("ptest %0,%0; jz 1f; pmovmskb %0,%1; 1:" : "+x"(x), "=&r"(r) : : "cc");)
    ROW("pmovzx/pblendvb", 1000, __m128i x = _mm_set1_epi8(i); INSN("pmovzxbw %0,%0; pblendvb %%xmm0,%0,%0" : "+x"(x));)
    ROW("pcmpistri", 1000, __m128i x = _mm_set1_epi8('a'); int r; INSN("pcmpistri $0x0c,%1,%1" : "=c"(r) : "x"(x) : "cc");)
    ROW("pcmpistri 1a", 1000, __m128i x = _mm_set1_epi8('a'); int r; INSN("pcmpistri $0x1a,%1,%1" : "=c"(r) : "x"(x) : "cc");)
    ROW("pcmpistri 0 any", 1000, __m128i x = _mm_set1_epi8('a'), y = _mm_cvtsi32_si128(0x646362); int r; INSN("pcmpistri $0,%1,%2" : "=c"(r) : "x"(x), "x"(y) : "cc");)
    ROW("pcmpestrm", 1000, __m128i x = _mm_set1_epi8('a'); INSN("pcmpestrm $0x40,%0,%0" : : "x"(x), "a"(9), "d"(9) : "xmm0", "cc");)
    ROW("crc32", 2000, unsigned x = i; INSN("crc32l %0,%0; crc32b %b0,%0" : "+q"(x));)
    ROW("aesenc", 2000, __m128i x = _mm_set1_epi8(i); INSN("aesenc %0,%0; aesdeclast %0,%0" : "+x"(x));)
    ROW("aeskeygen", 1000, __m128i x = _mm_set1_epi8(i); INSN("aeskeygenassist $1,%0,%0; aesimc %0,%0" : "+x"(x));)
    ROW("pclmul", 2000, __m128i x = _mm_set1_epi8(i); INSN("pclmulqdq $1,%0,%0" : "+x"(x));)
    ROW("maskmovdqu", 500, __m128i x = _mm_set1_epi8(i); INSN("maskmovdqu %0,%0" : : "x"(x), "D"(there) : "memory");)
    ROW("movnti/movntdq", 2000, __m128i x = _mm_set1_epi8(i); INSN("movntdq %1,%0" : "=m"(there[0]) : "x"(x) : "memory");)
    ROW("prefetch/clflush", 1000, INSN("prefetcht0 %0; clflush %0" : : "m"(there[0]));)
    ROW("rdrand", 200, int x; INSN("rdrand %0" : "=r"(x) : : "cc");)
    ROW("pdep/pext", 1000, unsigned x = i; INSN("pdep %0,%0,%0; pext %0,%0,%0" : "+r"(x));)
    ROW("bzhi/bextr/andn", 2000, unsigned x = i; INSN("bzhi %0,%0,%0; bextr %0,%0,%0; andn %0,%0,%0; blsr %0,%0" : "+r"(x) : : "cc");)
    ROW("shlx/rorx", 2000, unsigned x = i; INSN("shlx %0,%0,%0; rorx $3,%0,%0; sarx %0,%0,%0" : "+r"(x));)
    ROW("movbe", 2000, int x; INSN("movbe %1,%0" : "=r"(x) : "m"(there[0]));)
    ROW("vpermd", 1000, INSN("vpermd %%ymm0,%%ymm1,%%ymm2; vpermq $0x1b,%%ymm2,%%ymm0" : : : "xmm0", "xmm2");)
    ROW("vgatherdps", 300, INSN("vpxor %%xmm1,%%xmm1,%%xmm1; vpcmpeqd %%ymm2,%%ymm2,%%ymm2; vgatherdps %%ymm2,(%0,%%ymm1,4),%%ymm0" : : "r"(here) : "xmm0", "xmm1", "xmm2");)
    ROW("vpgatherqq", 300, INSN("vpxor %%xmm1,%%xmm1,%%xmm1; vpcmpeqd %%ymm2,%%ymm2,%%ymm2; vpgatherqq %%ymm2,(%0,%%ymm1,8),%%ymm0" : : "r"(here) : "xmm0", "xmm1", "xmm2");)
    ROW("vmaskmov", 500, INSN("vpcmpeqd %%ymm2,%%ymm2,%%ymm2; vmaskmovps (%0),%%ymm2,%%ymm0; vpmaskmovd %%ymm0,%%ymm2,(%0)" : : "r"(there) : "xmm0", "xmm2", "memory");)
    ROW("vpsllv", 2000, INSN("vpsllvd %%ymm0,%%ymm1,%%ymm2; vpsravd %%ymm0,%%ymm2,%%ymm2" : : : "xmm2");)
    ROW("vfmadd", 2000, INSN("vfmadd231pd %%ymm0,%%ymm1,%%ymm2" : : : "xmm2");)
    ROW("vcvtph2ps", 2000, INSN("vcvtph2ps %%xmm0,%%ymm1; vcvtps2ph $0,%%ymm1,%%xmm2" : : : "xmm1", "xmm2");)
    ROW("vzeroupper", 2000, INSN("vzeroupper");)
    ROW("vtestps/vperm2f", 2000, INSN("vtestps %%ymm0,%%ymm0; vperm2f128 $1,%%ymm0,%%ymm0,%%ymm1" : : : "xmm1", "cc");)
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    memset(here, 'a', sizeof(here));
    memset(there, 'a', sizeof(there));
    integer();
    x87();
    vectors();
    return 0;
}
