/*
 * encode.c: x86-64 instruction encoding. See encode.h.
 */
#include "tcg/x86_64/encode.h"

static const uint8_t legacy_prefix[4] = { 0, 0x66, 0xf3, 0xf2 };

static inline uint8_t *put_prefixes(uint8_t *p, uint32_t op, unsigned rex, bool force)
{
    unsigned pp = op >> 10 & 3, map = op >> 8 & 3;
    if (pp) {
        *p++ = legacy_prefix[pp];
    }
    rex |= (op & X_W) >> 9;
    if (rex || force) {
        *p++ = 0x40 | rex;
    }
    if (map) {
        *p++ = 0x0f;
        if (map == 2) {
            *p++ = 0x38;
        } else if (map == 3) {
            *p++ = 0x3a;
        }
    }
    *p++ = op;
    return p;
}

void x_rr(Asm *a, uint32_t op, unsigned reg, unsigned rm)
{
    unsigned r = reg & 15, b = rm & 15;
    bool force = ((op & X_BREG) && r >= 4) || ((op & X_BRM) && b >= 4);
    uint8_t *p = put_prefixes(a->cur, op, (r >> 3) << 2 | b >> 3, force);
    *p++ = 0xc0 | (r & 7) << 3 | (b & 7);
    a->cur = p;
    a->n_insns++;
}

static inline unsigned mem_rex(Mem m)
{
    return (m.index < 16 ? (m.index >> 3) << 1 : 0) | (m.base < 16 ? m.base >> 3 : 0);
}

static uint8_t *put_modrm(Asm *a, uint8_t *p, unsigned reg, Mem m, unsigned tail)
{
    unsigned r = (reg & 7) << 3;
    if (m.base == X_RIP || m.base == X_POOL) {
        *p++ = r | 5;
        if (m.base == X_POOL && a->n_pool_refs < X_MAX_POOL_REFS) {
            a->pool_ref[a->n_pool_refs++] = p - a->start;
        }
        int32_t rel = m.disp - (int32_t)(p + 4 + tail - a->start);
        memcpy(p, &rel, 4);
        return p + 4;
    }
    if (m.base == NO_REG) {
        *p++ = r | 4;
        *p++ = m.scale << 6 | (m.index == NO_REG ? 4 : m.index & 7) << 3 | 5;
        memcpy(p, &m.disp, 4);
        return p + 4;
    }
    unsigned b = m.base & 7, mod;
    if (m.disp == 0 && b != 5) {
        mod = 0;
    } else if (m.disp == (int8_t)m.disp) {
        mod = 0x40;
    } else {
        mod = 0x80;
    }
    if (m.index == NO_REG && b != 4) {
        *p++ = mod | r | b;
    } else {
        *p++ = mod | r | 4;
        *p++ = m.scale << 6 | (m.index == NO_REG ? 4 : m.index & 7) << 3 | b;
    }
    if (mod == 0x40) {
        *p++ = m.disp;
    } else if (mod == 0x80) {
        memcpy(p, &m.disp, 4);
        p += 4;
    }
    return p;
}

void x_rm_tail(Asm *a, uint32_t op, unsigned reg, Mem m, unsigned tail)
{
    unsigned r = reg & 15;
    uint8_t *p = a->cur;
    if (m.addr32) {
        *p++ = 0x67;
    }
    p = put_prefixes(p, op, (r >> 3) << 2 | mem_rex(m), (op & X_BREG) && r >= 4);
    a->cur = put_modrm(a, p, r, m, tail);
    a->n_insns++;
}

static inline uint8_t *put_vex(uint8_t *p, uint32_t op, unsigned r, unsigned x, unsigned b,
                               unsigned vvvv)
{
    unsigned last = (~vvvv & 15) << 3 | (op & X_256 ? 4 : 0) | (op >> 10 & 3);
    unsigned map = op >> 8 & 3;
    if (!x && !b && map == 1 && !(op & X_W)) {
        *p++ = 0xc5;
        *p++ = (r ? 0 : 0x80) | last;
    } else {
        *p++ = 0xc4;
        *p++ = (r ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map;
        *p++ = (op & X_W ? 0x80 : 0) | last;
    }
    *p++ = op;
    return p;
}

void v_rrr(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm)
{
    unsigned r = reg & 15, b = rm & 15;
    uint8_t *p = put_vex(a->cur, op, r >> 3, 0, b >> 3, vvvv & 15);
    *p++ = 0xc0 | (r & 7) << 3 | (b & 7);
    a->cur = p;
    a->n_insns++;
}

void e_rrr(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm)
{
    unsigned r = reg & 15, b = rm & 15;
    uint8_t *p = a->cur;

    *p++ = 0x62;
    *p++ = (r >> 3 ? 0 : 0x80) | 0x40 | (b >> 3 ? 0 : 0x20) | 0x10 | (op >> 8 & 3);
    *p++ = (op & X_W ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | (op >> 10 & 3);
    *p++ = (op & X_256 ? 0x20 : 0) | 8;
    *p++ = op;
    *p++ = 0xc0 | (r & 7) << 3 | (b & 7);
    a->cur = p;
    a->n_insns++;
}
void v_rrm(Asm *a, uint32_t op, unsigned reg, unsigned vvvv, Mem m, unsigned tail)
{
    unsigned r = reg & 15, rex = mem_rex(m);
    uint8_t *p = a->cur;
    if (m.addr32) {
        *p++ = 0x67;
    }
    p = put_vex(p, op, r >> 3, rex >> 1 & 1, rex & 1, vvvv & 15);
    a->cur = put_modrm(a, p, r, m, tail);
    a->n_insns++;
}

void x_mov_ri(Asm *a, Reg d, uint64_t imm)
{
    unsigned b = d & 7, ext = d >> 3;
    if (imm <= UINT32_MAX) {
        if (ext) {
            x_u8(a, 0x41);
        }
        x_u8(a, 0xb8 | b);
        x_u32(a, imm);
    } else if ((int64_t)imm == (int32_t)imm) {
        x_u8(a, 0x48 | ext);
        x_u8(a, 0xc7);
        x_u8(a, 0xc0 | b);
        x_u32(a, imm);
    } else {
        x_u8(a, 0x48 | ext);
        x_u8(a, 0xb8 | b);
        x_u64(a, imm);
    }
    a->n_insns++;
}

void x_alu_ri(Asm *a, bool w, unsigned alu, Reg d, int32_t imm)
{
    if (imm == (int8_t)imm) {
        x_rr(a, 0x83 | x_w(w), alu, d);
        x_u8(a, imm);
    } else if (d == RAX) {
        if (w) {
            x_u8(a, 0x48);
        }
        x_u8(a, 0x05 | alu << 3);
        x_u32(a, imm);
        a->n_insns++;
    } else {
        x_rr(a, 0x81 | x_w(w), alu, d);
        x_u32(a, imm);
    }
}

void x_alu_mi(Asm *a, bool w, unsigned alu, Mem m, int32_t imm)
{
    if (imm == (int8_t)imm) {
        x_rm_tail(a, 0x83 | x_w(w), alu, m, 1);
        x_u8(a, imm);
    } else {
        x_rm_tail(a, 0x81 | x_w(w), alu, m, 4);
        x_u32(a, imm);
    }
}

void x_shift_ri(Asm *a, bool w, unsigned shift, Reg d, unsigned count)
{
    if (count == 1) {
        x_rr(a, 0xd1 | x_w(w), shift, d);
    } else {
        x_rr(a, 0xc1 | x_w(w), shift, d);
        x_u8(a, count);
    }
}

void x_test_ri(Asm *a, bool w, Reg r, int32_t imm)
{
    if (imm >= 0 && imm < 128) {
        /* Only ZF is looked at where this is used with a positive mask. */
        x_rr(a, 0xf6 | X_BRM, 0, r);
        x_u8(a, imm);
    } else {
        x_rr(a, 0xf7 | x_w(w && imm < 0), 0, r);
        x_u32(a, imm);
    }
}

void x_bswap(Asm *a, bool w, Reg d)
{
    unsigned rex = (w ? 8 : 0) | d >> 3;
    if (rex) {
        x_u8(a, 0x40 | rex);
    }
    x_u8(a, 0x0f);
    x_u8(a, 0xc8 | (d & 7));
    a->n_insns++;
}

void x_mov_mi(Asm *a, unsigned size_log2, Mem m, int32_t imm)
{
    switch (size_log2) {
    case 0:
        x_rm_tail(a, 0xc6, 0, m, 1);
        x_u8(a, imm);
        break;
    case 1:
        x_rm_tail(a, 0xc7 | P_66, 0, m, 2);
        x_u8(a, imm);
        x_u8(a, imm >> 8);
        break;
    default:
        x_rm_tail(a, 0xc7 | x_w(size_log2 == 3), 0, m, 4);
        x_u32(a, imm);
    }
}

void x_load(Asm *a, unsigned size_log2, bool sign, bool w, Reg d, Mem m)
{
    static const uint32_t op[2][4] = {
        { I_MOVZX8 & ~X_BRM, I_MOVZX16, I_MOV_LD, I_MOV_LD | X_W },
        { I_MOVSX8 & ~X_BRM, I_MOVSX16, I_MOV_LD, I_MOV_LD | X_W },
    };
    if (sign && size_log2 == 2 && w) {
        x_rm(a, I_MOVSXD | X_W, d, m);
    } else {
        x_rm(a, op[sign][size_log2] | x_w(sign && w && size_log2 < 2), d, m);
    }
}

void x_store(Asm *a, unsigned size_log2, Mem m, Reg s)
{
    static const uint32_t op[4] = { I_MOV_ST8, I_MOV_ST | P_66, I_MOV_ST, I_MOV_ST | X_W };
    x_rm(a, op[size_log2], s, m);
}

void x_jump_back(Asm *a, unsigned cc, uint32_t target)
{
    int32_t rel = (int32_t)target - (int32_t)(x_offset(a) + 2);
    if (rel == (int8_t)rel) {
        x_u8(a, cc == CC_ALWAYS ? 0xeb : 0x70 | cc);
        x_u8(a, rel);
        a->n_insns++;
        return;
    }
    if (cc == CC_ALWAYS) {
        x_jmp_rel32(a);
    } else {
        x_jcc_rel32(a, cc);
    }
    rel = (int32_t)target - (int32_t)x_offset(a);
    memcpy(a->cur - 4, &rel, 4);
}

void x_nops(Asm *a, unsigned n)
{
    static const uint8_t nop[9][9] = {
        { 0x90 }, { 0x66, 0x90 }, { 0x0f, 0x1f, 0 }, { 0x0f, 0x1f, 0x40, 0 },
        { 0x0f, 0x1f, 0x44, 0, 0 }, { 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 },
        { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
    };
    while (n) {
        unsigned k = MIN(n, 9u);
        memcpy(a->cur, nop[k - 1], k);
        a->cur += k;
        n -= k;
    }
}
