/* repeats.c (x86): repeated string instructions of each size, length and direction; POPF that changes the direction in the middle; divisions. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned char a[512], b[512];
static uint64_t sum;
static void mix(uint64_t x) { sum = (sum ^ x) * 0x9e3779b97f4a7c15u; sum ^= sum >> 29; }
static void mix_area(void) { for (unsigned i = 0; i < sizeof(a); i++) mix(b[i]); }

#define STOS(insn, type, down) do {                                                                    \
        for (unsigned long n = 0; n < 20; n++) {                                                       \
            void *to = b + 200 + n % 3;                                                                \
            unsigned long count = n;                                                                   \
            unsigned long value = (unsigned long)0xa1b2c3d4e5f60718u * (n + 1);                        \
            __asm__ volatile(down "rep " insn "; cld" : "+D"(to), "+c"(count) : "a"(value) : "memory"); \
            mix((uintptr_t)to - (uintptr_t)b + count);                                                 \
            mix_area();                                                                                \
        }                                                                                              \
    } while (0)
#define MOVS(insn, down) do {                                                                          \
        for (unsigned long n = 0; n < 24; n++) {                                                       \
            for (int ahead = -37; ahead <= 37; ahead++) {                                              \
                for (unsigned i = 0; i < sizeof(b); i++) b[i] = (unsigned char)(i * 11 + n);           \
                void *to = b + 250 + ahead;                                                            \
                const void *from = b + 250;                                                            \
                unsigned long count = n;                                                               \
                __asm__ volatile(down "rep " insn "; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); \
                mix((uintptr_t)to - (uintptr_t)b + ((uintptr_t)from - (uintptr_t)b) * 5 + count);      \
                mix_area();                                                                            \
            }                                                                                          \
        }                                                                                              \
    } while (0)
#define CMPS(insn, size, down) do {                                                                    \
        for (unsigned long n = 1; n < 24; n++) {                                                       \
            for (unsigned bad = 0; bad < 25 * (size); bad += 3) {                                      \
                const int up = !(down)[0];                                                             \
                memset(a, 5, sizeof(a));                                                               \
                memset(b, 5, sizeof(b));                                                               \
                b[up ? 200 + bad : 207 - bad] ^= bad & 1 ? 0x80 : 1;                                   \
                const void *x = a + 200, *y = b + 200;                                                 \
                unsigned long count = n;                                                               \
                unsigned char below, equal;                                                            \
                __asm__ volatile(down "cmpb %b2,%b2; repe " insn "; cld; setb %3; setz %4"             \
                                 : "+S"(x), "+D"(y), "+c"(count), "=q"(below), "=q"(equal) : : "memory", "cc"); \
                mix((uintptr_t)x - (uintptr_t)a + ((uintptr_t)y - (uintptr_t)b) * 3 + count * 7 + below * 64 + equal * 128); \
            }                                                                                          \
        }                                                                                              \
    } while (0)

static void divisions(void)
{
    static const int32_t n[] = { 0, 1, -1, 7, -7, 1000003, -1000003, INT32_MAX, -INT32_MAX, INT32_MIN };
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned k = 1; k < 10; k++) {
            if (n[i] == INT32_MIN && n[k] == -1) continue;
            int32_t q = n[i], r;
            __asm__ volatile("cltd; idivl %2" : "+a"(q), "=&d"(r) : "r"(n[k]) : "cc");
            mix((uint64_t)(uint32_t)q << 32 | (uint32_t)r);
            uint32_t uq = (uint32_t)n[i], ur = 0;
            __asm__ volatile("divl %2" : "+a"(uq), "+d"(ur) : "r"(n[k]) : "cc");
            mix((uint64_t)uq << 32 | ur);
            if (n[k] > 9 && n[i] > 0) { /* the upper half is not the sign */
                uint32_t high = (uint32_t)n[i] % (uint32_t)n[k] / 2, low = 0x89abcdef;
                __asm__ volatile("idivl %2" : "+a"(low), "+d"(high) : "r"(n[k]) : "cc");
                mix((uint64_t)low << 32 | high);
            }
            int16_t w = (int16_t)(n[i] % 100), wr;
            __asm__ volatile("cwtd; idivw %2" : "+a"(w), "=&d"(wr) : "r"((int16_t)(n[k] % 100 | 1)) : "cc");
            mix((uint64_t)(uint16_t)w << 16 | (uint16_t)wr);
        }
    }
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(a); i++) a[i] = (unsigned char)(i * 7);
    STOS("stosb", uint8_t, ""); STOS("stosw", uint16_t, ""); STOS("stosl", uint32_t, "");
    STOS("stosb", uint8_t, "std;"); STOS("stosw", uint16_t, "std;"); STOS("stosl", uint32_t, "std;");
    CMPS("cmpsb", 1, ""); CMPS("cmpsw", 2, ""); CMPS("cmpsl", 4, ""); CMPS("cmpsb", 1, "std;"); CMPS("cmpsl", 4, "std;");
    MOVS("movsb", ""); MOVS("movsw", ""); MOVS("movsl", ""); MOVS("movsb", "std;"); MOVS("movsw", "std;"); MOVS("movsl", "std;");
#ifdef __x86_64__
    MOVS("movsq", ""); MOVS("movsq", "std;");
    STOS("stosq", uint64_t, ""); STOS("stosq", uint64_t, "std;"); CMPS("cmpsq", 8, "");
#endif
    for (int i = 0; i < 40; i++) { /* POPF: the direction, sometimes */
        void *to = b + 256;
        unsigned long flags = 0x202 | (i % 3 == 1 ? 0x400 : 0) | (i & 1) | (i & 2 ? 0x40 : 0);
        unsigned char carry, zero;
        __asm__ volatile("push %3; popf; stosb; setc %1; setz %2; stosb; cld" : "+D"(to), "=q"(carry), "=q"(zero) : "r"(flags) : "memory", "cc");
        mix((uintptr_t)to - (uintptr_t)b + carry * 1000 + zero * 2000);
    }
    divisions();
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
