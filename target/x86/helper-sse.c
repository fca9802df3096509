/*
 * helper-sse.c: helpers of SSE and AVX (helpers-sse.def): exceptions that are not masked, masked memory, gathers, strings.
 *
 * SDM volume 1, 11.5 (SIMD exceptions); volume 2, 4.1 (PCMPxSTRx), VGATHER, VMASKMOV.
 */
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "accel/tcg.h"
#include "target/x86/translate.h"
#include "util/host-x64.h"

/* -- MXCSR ------------------------------------------------------------------------------------------------- */

enum { MXCSR_FLAGS = 0x3f, MXCSR_BEFORE = 7 /* IE DE ZE: found before the operation */, MXCSR_MASKS_SHIFT = 7,
       MXCSR_UE = 16, MXCSR_UM = 0x800 };

void x86_helper_sse_begin(Vcpu *vcpu)
{
    x86_state(vcpu)->mxcsr |= vcpu->jit.fp_control_guest & MXCSR_FLAGS;
    vcpu->jit.fp_control_guest &= ~(uint32_t)MXCSR_FLAGS;
}

/*
 * tiny: a result is denormal. Masked underflow needs one that is inexact as well, unmasked does not.
 * DEVIATION: with an unmasked overflow or underflow PE says whether the result in the format is inexact, not whether it would be with an exponent
 * without bounds.
 */
void x86_helper_sse_check(Vcpu *vcpu, uint32_t tiny)
{
    X86State *s = x86_state(vcpu);
    uint32_t raised = (vcpu->jit.fp_control_guest & MXCSR_FLAGS) | (tiny && !(s->mxcsr & MXCSR_UM) ? MXCSR_UE : 0);
    uint32_t unmasked = raised & ~(s->mxcsr >> MXCSR_MASKS_SHIFT);

    if (unmasked & MXCSR_BEFORE) {
        raised &= MXCSR_BEFORE; /* nothing was computed */
    }
    vcpu->jit.fp_control_guest &= ~(uint32_t)MXCSR_FLAGS;
    s->mxcsr |= raised;
    if (unmasked) {
#ifdef __SSE2__
        if (vcpu->jit.fp_control_host) {
            _mm_setcsr(vcpu->jit.fp_control_guest); /* from where it is read when generated code is left */
        }
#endif
        x86_raise(vcpu, vcpu->softmmu && !(s->cr4 & X86_CR4_OSXMMEXCPT) ? X86_EXC_UD : X86_EXC_XM);
    }
}

/* -- masked memory --------------------------------------------------------------------------------------------- */

static uint8_t *byte_of(X86State *s, unsigned reg, unsigned i)
{
    return i < 16 ? &s->xmm[reg].u8[i] : &s->ymmh[reg].u8[i - 16];
}

static uint64_t element(X86State *s, unsigned reg, unsigned i, unsigned size)
{
    const uint8_t *p = byte_of(s, reg, i * size);
    return size == 1 ? *p : size == 4 ? ldle32(p) : ldle64(p);
}

static void put_element(uint8_t *p, uint64_t v, unsigned size)
{
    if (size == 4) {
        stle32(p, (uint32_t)v);
    } else {
        stle64(p, v);
    }
}

/* guest_load of 4 or 8 bytes without the call where that is possible. */
static inline uint64_t load_element(Vcpu *vcpu, uint64_t at, unsigned size, unsigned mmu)
{
    if (vcpu->softmmu) {
        return guest_load(vcpu, at, size, mmu);
    }
    const uint8_t *p = (const uint8_t *)(uintptr_t)(vcpu->jit.guest_base + at);
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t v = size == 4 ? ldle32(p) : ldle64(p);
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    return v;
}

#ifdef __x86_64__
/* User mode: elements of 4 or 8 bytes by the host's own instruction, which faults as the guest's does and before anything is stored. */
__attribute__((target("avx"))) static void host_maskmov(X86State *s, void *p, unsigned data, unsigned mask, bool wide, bool quad, bool store)
{
    const int *low = &s->xmm[mask].s32[0], *high = &s->ymmh[mask].s32[0];
    void *data_low = &s->xmm[data], *data_high = &s->ymmh[data];

#define IN(ptr) "m"(*(const __m128i *)(const void *)(ptr))
    if (wide && store) {
        __asm__ volatile("vmovdqa %1, %%xmm0\n\tvinsertf128 $1, %2, %%ymm0, %%ymm0\n\tvmovdqa %3, %%xmm1\n\tvinsertf128 $1, %4, %%ymm1, %%ymm1\n\t"
                         "testb %b5, %b5\n\tjz 1f\n\tvmaskmovpd %%ymm1, %%ymm0, (%0)\n\tjmp 2f\n1:\tvmaskmovps %%ymm1, %%ymm0, (%0)\n2:\tvzeroupper"
                         : : "r"(p), IN(low), IN(high), IN(data_low), IN(data_high), "q"(quad) : "memory", "cc", "xmm0", "xmm1");
    } else if (store) {
        __asm__ volatile("vmovdqa %1, %%xmm0\n\tvmovdqa %2, %%xmm1\n\ttestb %b3, %b3\n\tjz 1f\n\tvmaskmovpd %%xmm1, %%xmm0, (%0)\n\tjmp 2f\n"
                         "1:\tvmaskmovps %%xmm1, %%xmm0, (%0)\n2:"
                         : : "r"(p), IN(low), IN(data_low), "q"(quad) : "memory", "cc", "xmm0", "xmm1");
    } else if (wide) {
        __asm__ volatile("vmovdqa %3, %%xmm0\n\tvinsertf128 $1, %4, %%ymm0, %%ymm0\n\ttestb %b5, %b5\n\tjz 1f\n\tvmaskmovpd (%2), %%ymm0, %%ymm0\n\tjmp 2f\n"
                         "1:\tvmaskmovps (%2), %%ymm0, %%ymm0\n2:\tvmovdqa %%xmm0, %0\n\tvextractf128 $1, %%ymm0, %1\n\tvzeroupper"
                         : "=m"(*(__m128i *)data_low), "=m"(*(__m128i *)data_high) : "r"(p), IN(low), IN(high), "q"(quad) : "memory", "cc", "xmm0");
    } else {
        __asm__ volatile("vmovdqa %2, %%xmm0\n\ttestb %b3, %b3\n\tjz 1f\n\tvmaskmovpd (%1), %%xmm0, %%xmm0\n\tjmp 2f\n"
                         "1:\tvmaskmovps (%1), %%xmm0, %%xmm0\n2:\tvmovdqa %%xmm0, %0"
                         : "=m"(*(__m128i *)data_low) : "r"(p), IN(low), "q"(quad) : "memory", "cc", "xmm0");
        memset(data_high, 0, 16);
    }
#undef IN
}

static bool user_maskmov(Vcpu *vcpu, uint64_t addr, unsigned data, unsigned mask, unsigned size, unsigned bytes, bool store)
{
    if (vcpu->softmmu || size == 1 || !x64_has(X_AVX)) {
        return false;
    }
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    host_maskmov(x86_state(vcpu), (void *)(uintptr_t)(vcpu->jit.guest_base + addr), data, mask, bytes == 32, size == 8, store);
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    return true;
}
#else
static bool user_maskmov(Vcpu *vcpu, uint64_t addr, unsigned data, unsigned mask, unsigned size, unsigned bytes, bool store) { return false; }
#endif

/* MASKMOVDQU in user mode where no page ends in the sixteen bytes. */
static bool user_maskmov_bytes(Vcpu *vcpu, uint64_t addr, unsigned data, unsigned mask)
{
#ifdef __SSE2__
    X86State *s = x86_state(vcpu);
    if (vcpu->softmmu || (addr & 0xfff) > 0xff0) {
        return false;
    }
    uint8_t *p = (uint8_t *)(uintptr_t)(vcpu->jit.guest_base + addr);
    unsigned m = (unsigned)_mm_movemask_epi8(_mm_load_si128((const __m128i *)(const void *)&s->xmm[mask]));
    vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    (void)*(const volatile uint8_t *)p; /* processors report faults of the first byte whatever the mask is */
    if (m == 0xffff) {
        _mm_storeu_si128((__m128i *)(void *)p, _mm_load_si128((const __m128i *)(const void *)&s->xmm[data]));
    } else {
        for (; m; m &= m - 1) {
            unsigned i = (unsigned)__builtin_ctz(m);
            *(volatile uint8_t *)(p + i) = s->xmm[data].u8[i];
        }
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    return true;
#else
    return false;
#endif
}

void x86_helper_sse_maskmov(Vcpu *vcpu, uint64_t addr, uint32_t how)
{
    X86State *s = x86_state(vcpu);
    unsigned data = how & 15, mask = how >> 4 & 15, size = how >> 8 & 15, n = (how >> 12 & 0xff) / size;
    unsigned mmu = x86_mmu_index(vcpu, MMU_READ);
    bool store = how >> 20 & 1, long_addr = vcpu->target->word_bits == 64 && s->efer & X86_EFER_LMA && s->seg_attr[X86_CS] & X86_ATTR_L;
    uint8_t loaded[32] = { 0 };

    if (size == 1 ? user_maskmov_bytes(vcpu, addr, data, mask) : user_maskmov(vcpu, addr, data, mask, size, n * size, store)) {
        return;
    }
    if (size == 1) {
        /* MASKMOVDQU: sixteen bytes that would wrap in a flat segment are beyond its limit. */
        if (!long_addr && addr == (uint32_t)addr && addr > UINT32_MAX - 15 && !s->seg_base[X86_DS]) {
            x86_raise_code(vcpu, X86_EXC_GP, 0);
        }
        /* Processors report faults of the first byte whatever the mask is. */
        guest_load(vcpu, long_addr || !vcpu->softmmu ? addr : (uint32_t)addr, 1, mmu);
        /* Nothing is stored when what goes into the second page cannot be; its first byte is named. */
        uint64_t second = (addr | 0xfff) + 1;
        for (unsigned i = (unsigned)(second - addr); i < 16; i++) {
            if (*byte_of(s, mask, i) & 0x80) {
                second = long_addr || !vcpu->softmmu ? second : (uint32_t)second;
                if (vcpu->softmmu) {
                    guest_ptr_access(vcpu, second, 1, MMU_WRITE, mmu);
                } else {
                    guest_load(vcpu, second, 1, mmu);
                }
                break;
            }
        }
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = addr + (uint64_t)i * size;
        if (!(element(s, mask, i, size) >> (8 * size - 1) & 1)) {
            continue;
        }
        at = long_addr || !vcpu->softmmu ? at : (uint32_t)at;
        if (store) {
            guest_store(vcpu, at, element(s, data, i, size), size, mmu);
        } else {
            put_element(loaded + i * size, load_element(vcpu, at, size, mmu), size); /* of 4 or 8 bytes: MASKMOVDQU stores */
        }
    }
    if (!store) {
        memcpy(&s->xmm[data], loaded, 16);
        memcpy(&s->ymmh[data], loaded + 16, 16);
    }
}

typedef uint32_t Unaligned32 __attribute__((aligned(1), may_alias));
typedef uint64_t Unaligned64 __attribute__((aligned(1), may_alias));

/* User mode, no segment; the sizes are constants. */
static inline __attribute__((always_inline)) void gather_plain(Vcpu *vcpu, uint64_t base, uint32_t how, unsigned index_size, unsigned size)
{
    X86State *s = x86_state(vcpu);
    unsigned data = how & 15, mask = how >> 4 & 15, index = how >> 8 & 15, scale = how >> 20 & 3;
    unsigned n = 16 * (how >> 22 & 3) / MAX(size, index_size);

    vcpu->guest_access = true;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *m = byte_of(s, mask, i * size);
        if (m[size - 1] & 0x80) {
            const uint8_t *x = byte_of(s, index, i * index_size);
            uint64_t offset = index_size == 4 ? (uint64_t)(int32_t)ldle32(x) : ldle64(x);
            uint64_t at = base + (offset << scale);
            const uint8_t *p = (const uint8_t *)(uintptr_t)(vcpu->jit.guest_base + (how >> 24 & 1 ? (uint32_t)at : at));
            atomic_signal_fence(memory_order_seq_cst); /* what was gathered before it is there when this one faults */
            put_element(byte_of(s, data, i * size), size == 4 ? *(const volatile Unaligned32 *)(const void *)p
                                                              : *(const volatile Unaligned64 *)(const void *)p, size);
        }
        put_element(m, 0, size);
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    for (unsigned i = n; i < 32 / size; i++) {
        put_element(byte_of(s, mask, i * size), 0, size);
        put_element(byte_of(s, data, i * size), 0, size);
    }
}

static bool user_gather(Vcpu *vcpu, uint64_t base, uint32_t how)
{
    const X86State *s = x86_state(vcpu);
    unsigned seg = how >> 25 & 7;
    bool addr32 = how >> 24 & 1, narrow = vcpu->target->word_bits == 32;

    /* An address of 32 bits and a flat segment, or 64 bits. */
    if (vcpu->softmmu || narrow != addr32 || seg == X86_FS || seg == X86_GS || (narrow && (s->seg_check >> seg & 1 || s->seg_base[seg]))) {
        return false;
    }
    switch ((how >> 16 & 15) << 4 | (how >> 12 & 15)) {
    case 0x44: gather_plain(vcpu, base, how, 4, 4); break;
    case 0x48: gather_plain(vcpu, base, how, 4, 8); break;
    case 0x84: gather_plain(vcpu, base, how, 8, 4); break;
    default: gather_plain(vcpu, base, how, 8, 8); break;
    }
    return true;
}

/* An element is done when its mask is 0: a fault leaves what was gathered so far, and the instruction is begun again. */
void x86_helper_sse_gather(Vcpu *vcpu, uint64_t base, uint32_t how)
{
    X86State *s = x86_state(vcpu);
    unsigned data = how & 15, mask = how >> 4 & 15, index = how >> 8 & 15, size = how >> 12 & 15, index_size = how >> 16 & 15;
    unsigned scale = how >> 20 & 3, halves = how >> 22 & 3, seg = how >> 25 & 7, mmu = x86_mmu_index(vcpu, MMU_READ);
    bool addr32 = how >> 24 & 1;
    unsigned n = MIN(16 * halves / size, 16 * halves / index_size);

    if (user_gather(vcpu, base, how)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        uint8_t *m = byte_of(s, mask, i * size), *d = byte_of(s, data, i * size);
        if (!(m[size - 1] & 0x80)) {
            put_element(m, 0, size);
            continue;
        }
        uint64_t x = index_size == 4 ? (uint64_t)(int32_t)element(s, index, i, 4) : element(s, index, i, 8);
        uint64_t offset = base + (x << scale);
        offset = addr32 ? (uint32_t)offset : offset;
        uint64_t at = offset + (seg == X86_FS || seg == X86_GS || !(s->seg_attr[X86_CS] & X86_ATTR_L) ? s->seg_base[seg] : 0);
        if (!(s->seg_attr[X86_CS] & X86_ATTR_L)) {
            if (s->seg_check >> seg & 1) {
                x86_helper_seg_check(vcpu, offset, seg | size << 8);
            }
            at = (uint32_t)at;
        }
        put_element(d, load_element(vcpu, at, size, mmu), size);
        put_element(m, 0, size);
    }
    for (unsigned i = n; i < 32 / size; i++) {
        put_element(byte_of(s, mask, i * size), 0, size);
        put_element(byte_of(s, data, i * size), 0, size);
    }
}

/* -- strings ------------------------------------------------------------------------------------------------------ */

#ifdef __SSE2__
enum { HOST_COMPARES_BYTES = 1 };
#else
enum { HOST_COMPARES_BYTES = 0 };
#endif

typedef struct Strings {
    int32_t x[16], y[16];  /* elements; not of bytes where the host compares them */
    unsigned n, nx, ny;    /* elements of a register; those that are valid */
} Strings;

static unsigned explicit_length(unsigned length, unsigned n)
{
    int l = (int8_t)length;
    return MIN((unsigned)(l < 0 ? -l : l), n);
}

static void read_string(int32_t *out, unsigned *ret_valid, const uint8_t *bytes, unsigned how, unsigned length)
{
    bool words = how & 1, is_signed = how & 2, implicit = how & 0x100;
    unsigned n = words ? 8 : 16, valid = n;

    for (unsigned i = n; i-- > 0;) {
        int32_t e = words ? ldle16(bytes + 2 * i) : bytes[i];
        if (implicit && !e) {
            valid = i;
        }
        out[i] = !is_signed ? e : words ? (int16_t)e : (int8_t)e;
    }
    if (!implicit) {
        valid = explicit_length(length, n);
    }
    *ret_valid = valid;
}

/* Valid ones of sixteen bytes. */
static unsigned valid_bytes(const uint8_t *bytes, unsigned how, unsigned length)
{
#ifdef __SSE2__
    if (how & 0x100) {
        __m128i zeros = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)bytes), _mm_setzero_si128());
        return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(zeros) | 1u << 16);
    }
#endif
    return explicit_length(length, 16);
}

static uint32_t equal_any(const Strings *s)
{
    uint32_t r = 0;
    for (unsigned j = 0; j < s->ny; j++) {
        for (unsigned i = 0; i < s->nx; i++) {
            r |= (uint32_t)(s->x[i] == s->y[j]) << j;
        }
    }
    return r;
}

static uint32_t ranges(const Strings *s)
{
    uint32_t r = 0;
    for (unsigned j = 0; j < s->ny; j++) {
        for (unsigned i = 0; i + 1 < s->nx; i += 2) {
            r |= (uint32_t)(s->x[i] <= s->y[j] && s->y[j] <= s->x[i + 1]) << j;
        }
    }
    return r;
}

static uint32_t equal_each(const Strings *s)
{
    uint32_t r = 0;
    for (unsigned j = 0; j < s->n; j++) {
        bool vx = j < s->nx, vy = j < s->ny;
        r |= (uint32_t)(vx && vy ? s->x[j] == s->y[j] : vx == vy) << j;
    }
    return r;
}

static uint32_t equal_ordered(const Strings *s)
{
    uint32_t r = 0;
    for (unsigned j = 0; j < s->n; j++) {
        bool all = true;
        for (unsigned i = 0; i < s->nx && i + j < s->n; i++) {
            all &= i + j < s->ny && s->x[i] == s->y[i + j];
        }
        r |= (uint32_t)all << j;
    }
    return r;
}

#ifdef __SSE2__
/* The same of bytes: all elements of y at once. */
static uint32_t compare_bytes(const Strings *s, const uint8_t *xs, __m128i x, __m128i y, unsigned how)
{
    uint32_t all = 0xffff, valid_x = (1u << s->nx) - 1, valid_y = (1u << s->ny) - 1, r = 0;
    __m128i bias = _mm_set1_epi8(how & 2 ? 0 : (char)0x80);

    switch (how >> 2 & 3) {
    case 0:
        for (unsigned i = 0; i < s->nx; i++) {
            r |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(y, _mm_set1_epi8((char)xs[i])));
        }
        return r & valid_y;
    case 1:
        for (unsigned i = 0; i + 1 < s->nx; i += 2) {
            __m128i low = _mm_xor_si128(_mm_set1_epi8((char)xs[i]), bias), high = _mm_xor_si128(_mm_set1_epi8((char)xs[i + 1]), bias);
            __m128i at = _mm_xor_si128(y, bias);
            r |= (uint32_t)~_mm_movemask_epi8(_mm_or_si128(_mm_cmpgt_epi8(low, at), _mm_cmpgt_epi8(at, high)));
        }
        return r & valid_y;
    case 2:
        r = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y));
        return (r & valid_x & valid_y) | (~valid_x & ~valid_y & all);
    default:
        r = all;
        for (unsigned i = 0; i < s->nx; i++) {
            uint32_t same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(y, _mm_set1_epi8((char)xs[i]))) & valid_y;
            r &= (same | ~all) >> i;
        }
        return r;
    }
}
#endif

static uint32_t compare_strings(const Strings *s, const uint8_t *x, const uint8_t *y, unsigned how)
{
#ifdef __SSE2__
    if (!(how & 1)) {
        return compare_bytes(s, x, _mm_loadu_si128((const __m128i *)(const void *)x), _mm_loadu_si128((const __m128i *)(const void *)y), how);
    }
#endif
    switch (how >> 2 & 3) {
    case 0: return equal_any(s);
    case 1: return ranges(s);
    case 2: return equal_each(s);
    default: return equal_ordered(s);
    }
}

uint64_t x86_helper_sse_pcmpstr(uint64_t x0, uint64_t x1, uint64_t y0, uint64_t y1, uint64_t lengths, uint32_t how)
{
    uint8_t x[16], y[16];
    Strings s = { 0 };
    uint32_t all, r;

    s.n = how & 1 ? 8 : 16;
    all = (1u << s.n) - 1;
    stle64(x, x0);
    stle64(x + 8, x1);
    stle64(y, y0);
    stle64(y + 8, y1);
    if (HOST_COMPARES_BYTES && !(how & 1)) {
        s.nx = valid_bytes(x, how, lengths & 0xff);
        s.ny = valid_bytes(y, how, lengths >> 8 & 0xff);
    } else {
        read_string(s.x, &s.nx, x, how, lengths & 0xff);
        read_string(s.y, &s.ny, y, how, lengths >> 8 & 0xff);
    }
    r = compare_strings(&s, x, y, how);
    switch (how >> 4 & 3) {
    case 1: r ^= all; break;
    case 3: r ^= (1u << s.ny) - 1; break;
    }
    r &= all;
    unsigned index = !r ? s.n : how & 0x40 ? 31 - (unsigned)__builtin_clz(r) : (unsigned)__builtin_ctz(r);
    uint64_t flags = (r ? X86_CF : 0) | (s.ny < s.n ? X86_ZF : 0) | (s.nx < s.n ? X86_SF : 0) | (r & 1 ? X86_OF : 0);
    return r | flags << 16 | (uint64_t)index << 32;
}
