/*
 * crypto.c: vector cryptography on opcode OP-VE: Zvkned (AES), Zvknha and Zvknhb (SHA-2), Zvkg (GHASH), Zvksed
 * (SM4), Zvksh (SM3).
 *
 * Unprivileged ISA 20240411, chapter 32. Instructions work on element groups of four (SM3: eight) elements; vl and
 * vstart are multiples of the group, and the group fits the register group. FIPS 197, FIPS 180-4, SP 800-38D,
 * GB/T 32907 and GB/T 32905 define the functions.
 */
#include "target/riscv/vector/crypto-host.h"
#include "target/riscv/vector/sbox.h"
#include "target/riscv/vector/vector.h"

/* -- AES: a state is four words, column 0 first, row 0 in the low byte ------------------------------- */

static uint8_t xtime(uint8_t x)
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

static uint8_t gf_mul(uint8_t x, unsigned y)
{
    uint8_t r = 0;

    for (; y; y >>= 1, x = xtime(x)) {
        r ^= y & 1 ? x : 0;
    }
    return r;
}

static void sub_bytes(uint8_t s[16], const uint8_t *box)
{
    for (int i = 0; i < 16; i++) {
        s[i] = box[s[i]];
    }
}

/* Row r moves left by r columns, or right for the inverse. */
static void shift_rows(uint8_t s[16], bool inverse)
{
    uint8_t t[16];

    memcpy(t, s, 16);
    for (int c = 0; c < 4; c++) {
        for (int r = 0; r < 4; r++) {
            s[4 * c + r] = t[4 * ((c + (inverse ? 4 - r : r)) & 3) + r];
        }
    }
}

static void mix_columns(uint8_t s[16], bool inverse)
{
    static const uint8_t forward[4] = { 2, 3, 1, 1 }, backward[4] = { 14, 11, 13, 9 };
    const uint8_t *k = inverse ? backward : forward;

    for (int c = 0; c < 4; c++) {
        uint8_t t[4];
        memcpy(t, s + 4 * c, 4);
        for (int r = 0; r < 4; r++) {
            s[4 * c + r] = (uint8_t)(gf_mul(t[r], k[0]) ^ gf_mul(t[(r + 1) & 3], k[1]) ^
                                     gf_mul(t[(r + 2) & 3], k[2]) ^ gf_mul(t[(r + 3) & 3], k[3]));
        }
    }
}

static void add_key(uint8_t s[16], const uint8_t key[16])
{
    for (int i = 0; i < 16; i++) {
        s[i] ^= key[i];
    }
}

void rvv_aes_round(uint8_t s[16], const uint8_t key[16], unsigned kind)
{
    switch (kind) {
    case AES_DM:
        shift_rows(s, true);
        sub_bytes(s, riscv_aes_inv_sbox);
        add_key(s, key);
        mix_columns(s, true);
        break;
    case AES_DF:
        shift_rows(s, true);
        sub_bytes(s, riscv_aes_inv_sbox);
        add_key(s, key);
        break;
    case AES_EM:
        sub_bytes(s, riscv_aes_sbox);
        shift_rows(s, false);
        mix_columns(s, false);
        add_key(s, key);
        break;
    case AES_EF:
        sub_bytes(s, riscv_aes_sbox);
        shift_rows(s, false);
        add_key(s, key);
        break;
    default:
        add_key(s, key);
        break;
    }
}

static uint32_t sub_word(uint32_t w, const uint8_t *box)
{
    return box[w & 255] | (uint32_t)box[w >> 8 & 255] << 8 | (uint32_t)box[w >> 16 & 255] << 16 |
           (uint32_t)box[w >> 24] << 24;
}

static uint32_t ror32(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static uint32_t rol32(uint32_t v, unsigned n)
{
    return ror32(v, 32 - n);
}

/* vaeskf1: the next round key of AES-128; rounds 1 to 10, others with bit 3 inverted. */
static void aes_key128(uint32_t d[4], const uint32_t s[4], const uint32_t old[4], unsigned round)
{
    static const uint8_t rcon[10] = { 1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36 };

    if (round > 10 || round == 0) {
        round ^= 8;
    }
    d[0] = s[0] ^ sub_word(ror32(s[3], 8), riscv_aes_sbox) ^ rcon[round - 1];
    for (int i = 1; i < 4; i++) {
        d[i] = s[i] ^ d[i - 1];
    }
}

/* vaeskf2: AES-256; rounds 2 to 14, others with bit 3 inverted. `old` is vd, `s` vs2. */
static void aes_key256(uint32_t d[4], const uint32_t s[4], const uint32_t old[4], unsigned round)
{
    static const uint8_t rcon[7] = { 1, 2, 4, 8, 16, 32, 64 };

    if (round < 2 || round > 14) {
        round ^= 8;
    }
    uint32_t t = round & 1 ? sub_word(s[3], riscv_aes_sbox)
                           : sub_word(ror32(s[3], 8), riscv_aes_sbox) ^ rcon[(round >> 1) - 1];
    d[0] = old[0] ^ t;
    for (int i = 1; i < 4; i++) {
        d[i] = old[i] ^ d[i - 1];
    }
}

/* -- SHA-2 --------------------------------------------------------------------------------------- */

static uint64_t ror64(uint64_t v, unsigned n)
{
    return v >> n | v << (64 - n);
}

static inline __attribute__((always_inline)) uint64_t sha2_sum(bool wide, uint64_t x, unsigned which)
{
    static const uint8_t r[2][2][3] = { { { 2, 13, 22 }, { 6, 11, 25 } }, { { 28, 34, 39 }, { 14, 18, 41 } } };
    const uint8_t *n = r[wide][which];

    return wide ? ror64(x, n[0]) ^ ror64(x, n[1]) ^ ror64(x, n[2])
                : ror32((uint32_t)x, n[0]) ^ ror32((uint32_t)x, n[1]) ^ ror32((uint32_t)x, n[2]);
}

static inline __attribute__((always_inline)) uint64_t sha2_sigma(bool wide, uint64_t x, unsigned which)
{
    static const uint8_t r[2][2][3] = { { { 7, 18, 3 }, { 17, 19, 10 } }, { { 1, 8, 7 }, { 19, 61, 6 } } };
    const uint8_t *n = r[wide][which];

    return wide ? ror64(x, n[0]) ^ ror64(x, n[1]) ^ x >> n[2]
                : ror32((uint32_t)x, n[0]) ^ ror32((uint32_t)x, n[1]) ^ (uint32_t)x >> n[2];
}

/* d = {h, g, d, c} in, c = {f, e, b, a}; two rounds with message words kw[0], kw[1]; d = {f, e, b, a}. */
static inline __attribute__((always_inline)) void sha2_rounds(bool wide, uint64_t d[4], const uint64_t s[4], const uint64_t kw[2])
{
    uint64_t mask = wide ? ~(uint64_t)0 : UINT32_MAX;
    uint64_t a = s[3], b = s[2], e = s[1], f = s[0], c = d[3], dd = d[2], g = d[1], h = d[0];

    for (int i = 0; i < 2; i++) {
        uint64_t t1 = h + sha2_sum(wide, e, 1) + ((e & f) ^ (~e & g)) + kw[i];
        uint64_t t2 = sha2_sum(wide, a, 0) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = (dd + t1) & mask;
        dd = c;
        c = b;
        b = a;
        a = (t1 + t2) & mask;
    }
    d[0] = f;
    d[1] = e;
    d[2] = b;
    d[3] = a;
}

/* d: W0..W3, s2: W4, W9..W11, s1: W12..W15; the next four words. */
static inline __attribute__((always_inline)) void sha2_schedule(bool wide, uint64_t d[4], const uint64_t s2[4], const uint64_t s1[4])
{
    uint64_t w16 = sha2_sigma(wide, s1[2], 1) + s2[1] + sha2_sigma(wide, d[1], 0) + d[0];
    uint64_t w17 = sha2_sigma(wide, s1[3], 1) + s2[2] + sha2_sigma(wide, d[2], 0) + d[1];
    uint64_t mask = wide ? ~(uint64_t)0 : UINT32_MAX;
    uint64_t w18 = sha2_sigma(wide, w16 & mask, 1) + s2[3] + sha2_sigma(wide, d[3], 0) + d[2];
    uint64_t w19 = sha2_sigma(wide, w17 & mask, 1) + s1[0] + sha2_sigma(wide, s2[0], 0) + d[3];

    d[0] = w16;
    d[1] = w17;
    d[2] = w18;
    d[3] = w19;
}

/* -- GHASH: bits within each byte are reversed against the polynomial (SP 800-38D, 6.3) ---------------------- */

static void bits_reverse(uint8_t v[16])
{
    for (int i = 0; i < 16; i++) {
        uint8_t r = 0;
        for (int k = 0; k < 8; k++) {
            r |= (uint8_t)((v[i] >> k & 1) << (7 - k));
        }
        v[i] = r;
    }
}

void rvv_gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16])
{
    unsigned __int128 a, h, z = 0;
    uint8_t ra[16], rh[16];

    memcpy(ra, x, 16);
    memcpy(rh, y, 16);
    bits_reverse(ra);
    bits_reverse(rh);
    memcpy(&a, ra, 16);
    memcpy(&h, rh, 16);
    for (int i = 0; i < 128; i++) {
        z ^= a >> i & 1 ? h : 0;
        bool reduce = h >> 127;
        h = h << 1 ^ (reduce ? 0x87 : 0);
    }
    memcpy(d, &z, 16);
    bits_reverse(d);
}

/* -- SM4 and SM3 ------------------------------------------------------------------------------------ */

/* The four new words replace the old ones; words are in host order, as the elements are. */
static void sm4_rounds(uint32_t x[4], const uint32_t key[4])
{
    for (int i = 0; i < 4; i++) {
        uint32_t b = sub_word(x[1] ^ x[2] ^ x[3] ^ key[i], riscv_sm4_sbox);
        uint32_t n = x[0] ^ b ^ rol32(b, 2) ^ rol32(b, 10) ^ rol32(b, 18) ^ rol32(b, 24);
        x[0] = x[1];
        x[1] = x[2];
        x[2] = x[3];
        x[3] = n;
    }
}

static void sm4_keys(uint32_t d[4], const uint32_t s[4], unsigned round)
{
    uint32_t k[4];

    memcpy(k, s, 16);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t ck = 0;
        for (unsigned j = 0; j < 4; j++) {
            ck = ck << 8 | ((4 * (4 * (round & 7) + i) + j) * 7 & 255);
        }
        uint32_t b = sub_word(k[1] ^ k[2] ^ k[3] ^ ck, riscv_sm4_sbox);
        uint32_t n = k[0] ^ b ^ rol32(b, 13) ^ rol32(b, 23);
        k[0] = k[1];
        k[1] = k[2];
        k[2] = k[3];
        k[3] = n;
    }
    memcpy(d, k, 16);
}

static uint32_t p0(uint32_t x)
{
    return x ^ rol32(x, 9) ^ rol32(x, 17);
}

static uint32_t p1(uint32_t x)
{
    return x ^ rol32(x, 15) ^ rol32(x, 23);
}

/* vsm3me: the next eight message words; elements are big-endian words. s1: W0..W7, s2: W8..W15. */
static void sm3_expand(uint32_t d[8], const uint32_t s1[8], const uint32_t s2[8])
{
    uint32_t w[24];

    for (int i = 0; i < 8; i++) {
        w[i] = __builtin_bswap32(s1[i]);
        w[8 + i] = __builtin_bswap32(s2[i]);
    }
    for (int i = 16; i < 24; i++) {
        w[i] = p1(w[i - 16] ^ w[i - 9] ^ rol32(w[i - 3], 15)) ^ rol32(w[i - 13], 7) ^ w[i - 6];
    }
    for (int i = 0; i < 8; i++) {
        d[i] = __builtin_bswap32(w[16 + i]);
    }
}

/* vsm3c: two rounds of compression; d: {A..H}, s: message words. */
static void sm3_rounds(uint32_t d[8], const uint32_t s[8], unsigned rounds)
{
    uint32_t v[8], w[8];

    for (int i = 0; i < 8; i++) {
        v[i] = __builtin_bswap32(d[i]);
        w[i] = __builtin_bswap32(s[i]);
    }
    uint32_t a = v[0], b = v[1], c = v[2], e = v[4], f = v[5], g = v[6], h = v[7], dd = v[3];
    for (unsigned i = 0; i < 2; i++) {
        unsigned j = 2 * rounds + i;
        uint32_t t = j < 16 ? 0x79cc4519 : 0x7a879d8a;
        uint32_t ss1 = rol32(rol32(a, 12) + e + (j & 31 ? rol32(t, j & 31) : t), 7), ss2 = ss1 ^ rol32(a, 12);
        uint32_t ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
        uint32_t gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
        uint32_t t1 = ff + dd + ss2 + (w[i] ^ w[4 + i]), t2 = gg + h + ss1 + w[i];
        dd = c;
        c = rol32(b, 9);
        b = a;
        a = t1;
        h = g;
        g = rol32(f, 19);
        f = e;
        e = p0(t2);
    }
    const uint32_t out[8] = { a, b, c, dd, e, f, g, h };
    for (int i = 0; i < 8; i++) {
        d[i] = __builtin_bswap32(out[i]);
    }
}

/* -- the instructions ------------------------------------------------------------------------------- */

typedef enum Shape {
    VV,    /* vd, vs2 group by group; vs1 selects */
    VS,    /* vs2's first element group for all */
    VI,    /* round number in vs1 */
    VVV,   /* vs1 is a third operand */
} Shape;

/* Group checks common to all: 32.3. `group` elements of SEW, a power of two; sources are read before vd is written. */
static inline __attribute__((always_inline)) bool groups_ok(RvvExec *e, unsigned group, Shape shape)
{
    int lmul = e->s->lmul;
    unsigned bytes = group << e->sew;
    unsigned register_bytes = lmul < 0 ? e->s->vlenb >> -lmul : e->s->vlenb << lmul;

    if (e->masked || ((e->to | e->s->vstart) & (group - 1)) || register_bytes < bytes ||
        rvv_bad_group(e->vd, lmul) || (shape != VS && rvv_bad_group(e->vs2, lmul)) ||
        (shape == VVV && rvv_bad_group(e->vs1, lmul))) {
        return false;
    }
    /* One element group for all must not be overwritten while it is used. */
    return shape != VS || !rvv_overlap(e->vd, rvv_group_regs(lmul), e->vs2, 1);
}

static void gf128_mul(uint8_t d[16], const uint8_t x[16], const uint8_t y[16])
{
    if (!rvv_host_gf128_mul(d, x, y)) {
        rvv_gf128_mul(d, x, y);
    }
}

typedef union Group {
    uint8_t b[32];
    uint32_t w[8];
    uint64_t l[4];
} Group;

static Group load_group(const RvvExec *e, unsigned reg, unsigned element, unsigned bytes)
{
    Group g;

    memcpy(g.b, rvv_reg(e, reg) + ((size_t)element << e->sew), bytes);
    return g;
}

static bool exec_32(RvvExec *e, unsigned funct6, Shape shape)
{
    unsigned elements = funct6 == 0x20 || funct6 == 0x2b ? 8 : 4, bytes = elements * 4;

    if (e->sew != 2 || !groups_ok(e, elements, shape)) {
        return false;
    }
    if ((funct6 == 0x28 || funct6 == 0x29) && e->vs1 <= AES_Z) {
        for (unsigned i = e->from; i < e->to; i += 4) {
            uint8_t *s = rvv_reg(e, e->vd) + i * 4, key[16];
            memcpy(key, rvv_reg(e, e->vs2) + (shape == VS ? 0 : i * 4), 16);
            if (!rvv_host_aes_round(s, key, e->vs1)) {
                rvv_aes_round(s, key, e->vs1);
            }
        }
        return true;
    }
    for (unsigned i = e->from; i < e->to; i += elements) {
        Group d = load_group(e, e->vd, i, bytes), s = load_group(e, e->vs2, shape == VS ? 0 : i, bytes), a, old = d;
        switch (funct6) {
        case 0x28: /* vgmul.vv, vsm4r.vv */
        case 0x29: /* vsm4r.vs */
            if (e->vs1 == 16) {
                sm4_rounds(d.w, s.w);
            } else {
                gf128_mul(d.b, old.b, s.b);
            }
            break;
        case 0x2c: /* vghsh.vv: (vd ^ vs1) * vs2 */
            a = load_group(e, e->vs1, i, bytes);
            add_key(a.b, old.b);
            gf128_mul(d.b, a.b, s.b);
            break;
        case 0x22:
            aes_key128(d.w, s.w, old.w, e->vs1 & 15);
            break;
        case 0x2a:
            aes_key256(d.w, s.w, old.w, e->vs1 & 15);
            break;
        case 0x21:
            sm4_keys(d.w, s.w, e->vs1);
            break;
        case 0x20:
            a = load_group(e, e->vs1, i, bytes);
            sm3_expand(d.w, a.w, s.w);
            break;
        default:
            sm3_rounds(d.w, s.w, e->vs1);
            break;
        }
        memcpy(rvv_reg(e, e->vd) + ((size_t)i << 2), d.b, bytes);
    }
    return true;
}

/* Four elements of a group, in one access: a narrow store that a wide load follows at once is slow on hosts. */
static inline __attribute__((always_inline)) void load_words(uint64_t out[4], const RvvExec *e, unsigned reg, unsigned element, bool wide)
{
    if (wide) {
        memcpy(out, rvv_reg(e, reg) + element * 8, 32);
    } else {
        uint32_t w[4];
        memcpy(w, rvv_reg(e, reg) + element * 4, 16);
        for (unsigned k = 0; k < 4; k++) {
            out[k] = w[k];
        }
    }
}

static inline __attribute__((always_inline)) void sha2_groups(RvvExec *e, unsigned funct6, bool wide)
{
    for (unsigned i = e->from; i < e->to; i += 4) {
        uint64_t d[4], a[4], b[4];
        load_words(d, e, e->vd, i, wide);
        load_words(a, e, e->vs2, i, wide);
        load_words(b, e, e->vs1, i, wide);
        if (funct6 == 0x2d) {
            sha2_schedule(wide, d, a, b);
        } else {
            sha2_rounds(wide, d, a, funct6 == 0x2e ? b + 2 : b);
        }
        if (wide) {
            memcpy(rvv_reg(e, e->vd) + i * 8, d, 32);
        } else {
            const uint32_t w[4] = { (uint32_t)d[0], (uint32_t)d[1], (uint32_t)d[2], (uint32_t)d[3] };
            memcpy(rvv_reg(e, e->vd) + i * 4, w, 16);
        }
    }
}

static bool exec_sha2(RvvExec *e, unsigned funct6)
{
    bool wide = e->sew == 3;
    int lmul = e->s->lmul;
    unsigned regs = rvv_group_regs(lmul);

    if (!(wide ? e->features->zvknhb : e->sew == 2 && (e->features->zvknha || e->features->zvknhb)) ||
        !groups_ok(e, 4, VVV) || rvv_overlap(e->vd, regs, e->vs1, regs) || rvv_overlap(e->vd, regs, e->vs2, regs)) {
        return false;
    }
    if (wide) {
        sha2_groups(e, funct6, true);
    } else {
        sha2_groups(e, funct6, false);
    }
    return true;
}

static bool dispatch(RvvExec *e, unsigned funct6)
{
    const RvvFeatures *f = e->features;
    unsigned regs = rvv_group_regs(e->s->lmul);

    switch (funct6) {
    case 0x28:
    case 0x29:
        if (e->vs1 == 16) {
            return f->zvksed && exec_32(e, funct6, funct6 == 0x29 ? VS : VV);
        }
        if (e->vs1 == 17) {
            return f->zvkg && funct6 == 0x28 && exec_32(e, funct6, VV);
        }
        return f->zvkned && (e->vs1 <= AES_EF || (e->vs1 == AES_Z && funct6 == 0x29)) &&
               exec_32(e, funct6, funct6 == 0x29 ? VS : VV);
    case 0x22:
    case 0x2a:
        return f->zvkned && exec_32(e, funct6, VI);
    case 0x2c:
        return f->zvkg && exec_32(e, funct6, VVV);
    case 0x21:
        return f->zvksed && exec_32(e, funct6, VI);
    case 0x20:
    case 0x2b:
        return f->zvksh && !rvv_overlap(e->vd, regs, e->vs2, regs) && exec_32(e, funct6, funct6 == 0x20 ? VVV : VI);
    case 0x2d:
    case 0x2e:
    case 0x2f:
        return exec_sha2(e, funct6);
    default:
        return false;
    }
}

bool rvv_crypto(RvvExec *e)
{
    if (unlikely(e->s->vill || (e->insn >> 12 & 7) != 2)) {
        return false;
    }
    e->vd = e->insn >> 7 & 31;
    e->vs1 = e->insn >> 15 & 31;
    e->vs2 = e->insn >> 20 & 31;
    e->masked = !(e->insn >> 25 & 1);
    e->sew = e->s->sew;
    e->to = (unsigned)e->s->vl;
    e->from = (unsigned)MIN(e->s->vstart, e->to);
    if (!dispatch(e, e->insn >> 26)) {
        return false;
    }
    e->s->vstart = 0;
    return true;
}
