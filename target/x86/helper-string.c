/*
 * helper-string.c: repeated string instructions.
 *
 * SDM volume 2B, REP; volume 3, 6.5 (faults restart the instruction with what is done in the registers). Work goes in pieces that stay in one page
 * of each operand; rcx, rsi, rdi are right before each piece, and what a page refuses it refuses at its first byte. Between pieces a
 * request to leave is answered.
 */
#include "target/x86/translate.h"
#include "accel/tcg.h"
#include "util/stream-copy.h"

typedef struct Rep {
    Vcpu *vcpu;
    X86State *s;
    X86StringOp op;
    unsigned size, size_log2, addrsize, seg, mmu;
    bool repne, down, is64;
    bool streams;            /* a copy past the cache */
    uint64_t mask;           /* of rcx, rsi and rdi */
} Rep;

/* Copies from this size on, much of a second-level cache, leave it alone, as processors' own do (SDM volume 3A, 8.2.4, fast-string operation). */
enum { PIECE_BYTES = 4096, STREAM_BYTES = 512 << 10 };

/* The slots of the i386 target are stored as 32 bits; a host that reads more than that has to wait until they are in its cache. */
static inline uint64_t gpr(const X86State *s, unsigned n, uint64_t mask)
{
    return mask <= UINT32_MAX ? *(const volatile uint32_t *)(const void *)&s->gpr[n] & mask : s->gpr[n] & mask;
}

static uint64_t reg(const Rep *r, unsigned n) { return gpr(r->s, n, r->mask); }

static void set_reg(const Rep *r, unsigned n, uint64_t value)
{
    uint64_t *g = &r->s->gpr[n];
    *g = r->addrsize == 2 ? (*g & ~(uint64_t)0xffff) | (value & 0xffff) : value & r->mask;
}

static void step(const Rep *r, unsigned n, uint64_t bytes)
{
    set_reg(r, n, reg(r, n) + (r->down ? -bytes : bytes));
}

static vaddr linear(const Rep *r, unsigned seg, uint64_t offset)
{
    if (r->is64) {
        return offset + (seg >= X86_FS ? r->s->seg_base[seg] : 0);
    }
    return (uint32_t)(r->s->seg_base[seg] + offset);
}

static void check(const Rep *r, unsigned seg, uint64_t offset, bool write)
{
    if (!r->is64 && r->s->seg_check >> seg & 1) {
        x86_helper_seg_check(r->vcpu, offset, seg | r->size << 8 | (uint32_t)write << 16);
    }
}

static bool uses_source(X86StringOp op) { return op == X86_STRING_MOVS || op == X86_STRING_CMPS || op == X86_STRING_LODS; }
static bool uses_destination(X86StringOp op) { return op != X86_STRING_LODS; }
static bool writes(X86StringOp op) { return op == X86_STRING_MOVS || op == X86_STRING_STOS; }
static bool compares(X86StringOp op) { return op == X86_STRING_CMPS || op == X86_STRING_SCAS; }

static uint64_t get(const void *p, unsigned size)
{
    return size == 1 ? *(const uint8_t *)p : size == 2 ? ldle16(p) : size == 4 ? ldle32(p) : ldle64(p);
}

static void put_rax(const Rep *r, uint64_t v)
{
    uint64_t *rax = &r->s->gpr[X86_RAX];
    *rax = r->size == 8 ? v : r->size == 4 ? (uint32_t)v : bits_set(*rax, 0, 8 * r->size, v);
}

static void set_compare(const Rep *r, uint64_t a, uint64_t b)
{
    r->s->cc_src2 = a;
    r->s->cc_src = b;
    r->s->cc_op = X86_CC(X86_CCK_CMP, X86_CARRY_LT, x86_log2(r->size));
}

/* Whether a repeated comparison is over after these two. */
static bool ends(const Rep *r, uint64_t a, uint64_t b) { return (a == b) == r->repne; }

/* One element by the slow way; true: a comparison ended the repetition. */
static bool element(const Rep *r)
{
    uint64_t src = reg(r, X86_RSI), dst = reg(r, X86_RDI), a = 0, b = 0, acc = gpr(r->s, X86_RAX, bits_mask(0, 8 * r->size));

    if (uses_source(r->op)) {
        check(r, r->seg, src, false);
        a = guest_load(r->vcpu, linear(r, r->seg, src), r->size, r->mmu);
    }
    if (uses_destination(r->op)) {
        check(r, X86_ES, dst, writes(r->op));
        if (writes(r->op)) {
            guest_store(r->vcpu, linear(r, X86_ES, dst), r->op == X86_STRING_STOS ? acc : a, r->size, r->mmu);
        } else {
            b = guest_load(r->vcpu, linear(r, X86_ES, dst), r->size, r->mmu);
        }
    }
    if (r->op == X86_STRING_LODS) {
        put_rax(r, a);
    }
    if (uses_source(r->op)) {
        step(r, X86_RSI, r->size);
    }
    if (uses_destination(r->op)) {
        step(r, X86_RDI, r->size);
    }
    set_reg(r, X86_RCX, reg(r, X86_RCX) - 1);
    if (compares(r->op)) {
        a = r->op == X86_STRING_SCAS ? acc : a;
        set_compare(r, a, b);
        return ends(r, a, b);
    }
    return false;
}

/* Elements from addr on that lie in its page, in the direction of the operation; 0: the first does not. */
static uint64_t in_page(const Rep *r, vaddr addr)
{
    unsigned at = addr & (PIECE_BYTES - 1);
    if (at + r->size > PIECE_BYTES) {
        return 0;
    }
    return r->down ? (at >> r->size_log2) + 1 : (PIECE_BYTES - at) >> r->size_log2;
}

/* Elements until the offset wraps in the address size. */
static uint64_t until_wrap(const Rep *r, uint64_t offset)
{
    return r->down ? (offset >> r->size_log2) + 1 : MAX((r->mask - offset) >> r->size_log2, 1);
}

/* Host memory of n elements from addr on (down: from there backwards), NULL: not plain. Lowest address. */
static void *piece(const Rep *r, vaddr addr, uint64_t n, bool write)
{
    vaddr low = r->down ? addr - (n - 1) * r->size : addr;
    if (!r->vcpu->softmmu) {
        return (void *)(uintptr_t)(r->vcpu->jit.guest_base + low);
    }
    return guest_ptr_access(r->vcpu, low, (unsigned)(n * r->size), write ? MMU_WRITE : MMU_READ, r->mmu);
}

static void put(void *p, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: *(uint8_t *)p = (uint8_t)v; break;
    case 2: stle16(p, (uint16_t)v); break;
    case 4: stle32(p, (uint32_t)v); break;
    default: stle64(p, v);
    }
}

/* Copies as the processor does, element after element, where it shows: areas that overlap so that what was written is read again. */
static void copy(const Rep *r, uint8_t *to, const uint8_t *from, size_t n_bytes)
{
    intptr_t ahead = r->down ? from - to : to - from;
    if (ahead > 0 && (size_t)ahead < n_bytes) {
        size_t n = n_bytes >> r->size_log2;
        for (size_t i = 0; i < n; i++) {
            size_t k = (r->down ? n - 1 - i : i) * r->size;
            put(to + k, get(from + k, r->size), r->size);
        }
        return;
    }
    if (r->streams && !((uintptr_t)to & (STREAM_LINE_BYTES - 1))) {
        stream_copy(to, from, n_bytes);
        return;
    }
    /* The first to be copied alone: it is the one that faults. */
    size_t first = r->down ? n_bytes - r->size : 0;
    put(to + first, get(from + first, r->size), r->size);
    atomic_signal_fence(memory_order_seq_cst);
    n_bytes -= r->size;
    if (r->streams) {
        stream_copy(to + r->size, from + r->size, n_bytes);
        return;
    }
    first = r->down ? 0 : r->size;
    memmove(to + first, from + first, n_bytes);
}

static void fill(uint8_t *to, uint64_t value, unsigned size, uint64_t n, bool down)
{
    memcpy(to + (down ? (n - 1) * size : 0), &value, size); /* the first to be written: it is the one that faults */
    atomic_signal_fence(memory_order_seq_cst);
    if (size == 1 || value == 0) {
        memset(to, (int)(value & 0xff), n * size);
        return;
    }
    uint64_t pattern = value * (size == 2 ? 0x0001000100010001 : size == 4 ? 0x0000000100000001 : 1);
    size_t n_bytes = n * size, i = 0;
    for (; n_bytes - i >= sizeof(pattern); i += sizeof(pattern)) {
        memcpy(to + i, &pattern, sizeof(pattern));
    }
    memcpy(to + i, &pattern, n_bytes - i);
}

/* Compares up to n elements; the number looked at, the last two in *a and *b. */
static uint64_t compare(const Rep *r, const uint8_t *src, const uint8_t *dst, uint64_t n, uint64_t *a, uint64_t *b)
{
    uint64_t acc = *a, i = 0;
    if (!r->down && r->size == 1 && !src && r->repne) { /* strlen, memchr */
        const uint8_t *found = memchr(dst, (int)acc, n);
        i = found ? (uint64_t)(found - dst) + 1 : n;
        *b = dst[i - 1];
        return i;
    }
    if (src && !r->down && !r->repne) { /* memcmp: words that are equal end nothing */
        unsigned step = 8u >> r->size_log2;
        while (i + step < n && ldle64(src + i * r->size) == ldle64(dst + i * r->size)) {
            i += step;
        }
    }
    while (i < n) {
        uint64_t k = (r->down ? n - 1 - i : i) * r->size;
        *a = src ? get(src + k, r->size) : acc;
        *b = get(dst + k, r->size);
        i++;
        if (ends(r, *a, *b)) {
            break;
        }
    }
    return i;
}

/* A piece; false: the next element goes the slow way. *ret_over: a comparison ended it. */
static bool fast(const Rep *r, bool *ret_over)
{
    uint64_t n = reg(r, X86_RCX), src = reg(r, X86_RSI), dst = reg(r, X86_RDI);
    uint8_t *from = NULL, *to = NULL;

    if (!r->is64 && (r->s->seg_check >> r->seg & 1 || r->s->seg_check >> X86_ES & 1)) {
        return false;
    }
    vaddr from_addr = linear(r, r->seg, src), to_addr = linear(r, X86_ES, dst);
    if (uses_source(r->op)) {
        n = MIN(n, MIN(in_page(r, from_addr), until_wrap(r, src)));
    }
    if (uses_destination(r->op)) {
        n = MIN(n, MIN(in_page(r, to_addr), until_wrap(r, dst)));
    }
    if (n < 2) {
        return false;
    }
    if (uses_source(r->op) && !(from = piece(r, from_addr, n, false))) {
        return false;
    }
    if (uses_destination(r->op) && !(to = piece(r, to_addr, n, writes(r->op)))) {
        return false;
    }
    uint64_t a = gpr(r->s, X86_RAX, bits_mask(0, 8 * r->size)), b = 0;
    r->vcpu->guest_access = true;
    atomic_signal_fence(memory_order_seq_cst);
    switch (r->op) {
    case X86_STRING_MOVS: copy(r, to, from, n * r->size); break;
    case X86_STRING_STOS: fill(to, a, r->size, n, r->down); break;
    case X86_STRING_LODS:
        (void)*(const volatile uint8_t *)(from + (r->down ? (n - 1) * r->size : 0)); /* the one that faults */
        b = get(from + (r->down ? 0 : (n - 1) * r->size), r->size);
        break;
    case X86_STRING_SCAS: case X86_STRING_CMPS: n = compare(r, from, to, n, &a, &b); break;
    }
    atomic_signal_fence(memory_order_seq_cst);
    r->vcpu->guest_access = false;
    if (r->op == X86_STRING_LODS) {
        put_rax(r, b);
    }
    if (uses_source(r->op)) {
        step(r, X86_RSI, n * r->size);
    }
    if (uses_destination(r->op)) {
        step(r, X86_RDI, n * r->size);
    }
    set_reg(r, X86_RCX, reg(r, X86_RCX) - n);
    if (compares(r->op)) {
        set_compare(r, a, b);
        *ret_over = ends(r, a, b);
    }
    return true;
}

/*
 * A few bytes by accesses that may overlap: what they overlap in has been read before it is written. The lowest byte is accessed first on either
 * side, since it is the one that faults.
 */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    typedef struct Piece { uint64_t v[2]; } Piece;

    if (n) {
        (void)*(const volatile uint8_t *)from;
    }
    if (n >= 16) {
        Piece last, p;
        memcpy(&last, from + n - 16, 16);
        for (size_t i = 0; i + 16 < n; i += 16) {
            memcpy(&p, from + i, 16);
            memcpy(to + i, &p, 16);
        }
        atomic_signal_fence(memory_order_seq_cst);
        memcpy(to + n - 16, &last, 16);
    } else if (n >= 8) {
        uint64_t a = ldle64(from), b = ldle64(from + n - 8);
        stle64(to, a);
        atomic_signal_fence(memory_order_seq_cst);
        stle64(to + n - 8, b);
    } else if (n >= 4) {
        uint32_t a = ldle32(from), b = ldle32(from + n - 4);
        stle32(to, a);
        atomic_signal_fence(memory_order_seq_cst);
        stle32(to + n - 4, b);
    } else if (n) {
        uint8_t a = from[0], b = from[n >> 1], c = from[n - 1];
        to[0] = a;
        atomic_signal_fence(memory_order_seq_cst);
        to[n >> 1] = b;
        to[n - 1] = c;
    }
}

static inline void fill_short(uint8_t *to, uint64_t pattern, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            stle64(to + i, pattern);
        }
        /* Elements divide 8 bytes, so the last ones are whole wherever they begin. */
        stle64(to + n - 8, pattern);
    } else if (n >= 4) {
        stle32(to, (uint32_t)pattern);
        stle32(to + n - 4, (uint32_t)pattern);
    } else if (n >= 2) {
        stle16(to, (uint16_t)pattern);
        stle16(to + n - 2, (uint16_t)pattern);
    } else if (n) {
        *to = (uint8_t)pattern;
    }
}

enum { SHORT_BYTES = 128 };

/* Out of line: what is short has few registers to save. */
static __attribute__((noinline)) void copy_in_page(uint8_t *to, const uint8_t *from, size_t n_bytes, unsigned size_log2)
{
    copy(&(const Rep){ .size = 1u << size_log2, .size_log2 = size_log2 }, to, from, n_bytes);
}

static __attribute__((noinline)) void fill_in_page(uint8_t *to, uint64_t value, unsigned size_log2, uint64_t n)
{
    fill(to, value, 1u << size_log2, n, false);
}

/* User mode, a flat address space, upwards, a piece of one page on each side that does not read what it wrote: most of what programs do. */
static inline bool short_way(Vcpu *vcpu, uint32_t how)
{
    X86State *s = x86_state(vcpu);
    X86StringOp op = (X86StringOp)(how & 7);
    unsigned size_log2 = how >> 3 & 3, seg = how >> 7 & 7;
    bool is64 = how >> 12 & 1;
    uint64_t mask = is64 ? ~(uint64_t)0 : UINT32_MAX, n = gpr(s, X86_RCX, mask), bytes = n << size_log2;
    uint64_t src = gpr(s, X86_RSI, mask), dst = gpr(s, X86_RDI, mask);

    if (vcpu->softmmu || n > PIECE_BYTES || bytes > PIECE_BYTES || (how >> 5 & 3) != (is64 ? 3 : 2) || s->eflags & X86_DF ||
        (op != X86_STRING_MOVS && op != X86_STRING_STOS) || (dst & (PIECE_BYTES - 1)) + bytes > PIECE_BYTES ||
        (!is64 && (s->seg_check >> X86_ES & 1 || s->seg_check >> seg & 1 || s->seg_base[X86_ES] || s->seg_base[seg])) || (is64 && seg >= X86_FS)) {
        return false;
    }
    uint8_t *to = (uint8_t *)(uintptr_t)(vcpu->jit.guest_base + dst);
    if (op == X86_STRING_MOVS) {
        if ((src & (PIECE_BYTES - 1)) + bytes > PIECE_BYTES || dst - src < bytes) {
            return false;
        }
        vcpu->guest_access = true;
        atomic_signal_fence(memory_order_seq_cst);
        const uint8_t *from = (const uint8_t *)(uintptr_t)(vcpu->jit.guest_base + src);
        if (bytes <= SHORT_BYTES) {
            copy_short(to, from, bytes);
        } else {
            copy_in_page(to, from, bytes, size_log2);
        }
        s->gpr[X86_RSI] = (src + bytes) & mask;
    } else {
        static const uint64_t repeat[4] = { 0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1 };
        vcpu->guest_access = true;
        atomic_signal_fence(memory_order_seq_cst);
        uint64_t value = gpr(s, X86_RAX, bits_mask(0, 8u << size_log2));
        if (bytes <= SHORT_BYTES) {
            fill_short(to, value * repeat[size_log2], bytes);
        } else {
            fill_in_page(to, value, size_log2, n);
        }
    }
    atomic_signal_fence(memory_order_seq_cst);
    vcpu->guest_access = false;
    s->gpr[X86_RDI] = (dst + bytes) & mask;
    s->gpr[X86_RCX] = 0;
    return true;
}

static __attribute__((noinline)) void long_way(Vcpu *vcpu, uint32_t how)
{
    Rep r = { .vcpu = vcpu, .s = x86_state(vcpu), .op = (X86StringOp)(how & 7), .size = 1u << (how >> 3 & 3), .size_log2 = how >> 3 & 3,
              .addrsize = 1u << (how >> 5 & 3), .seg = how >> 7 & 7, .repne = how >> 10 & 1, .down = x86_state(vcpu)->eflags & X86_DF,
              .is64 = how >> 12 & 1, .mmu = how >> 13 & 3 };
    bool over = false;

    r.mask = bits_mask(0, 8 * r.addrsize);
    r.streams = r.op == X86_STRING_MOVS && !r.down && reg(&r, X86_RCX) >= (uint64_t)STREAM_BYTES >> r.size_log2;
    while (!over && reg(&r, X86_RCX)) {
        if (!fast(&r, &over)) {
            over = element(&r);
        }
        if (!over && reg(&r, X86_RCX) && atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
            vcpu_loop_exit(vcpu, VCPU_EXIT_REQUEST);
        }
    }
}

void x86_helper_string(Vcpu *vcpu, uint32_t how)
{
    if (!short_way(vcpu, how)) {
        long_way(vcpu, how);
    }
}
