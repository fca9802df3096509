/*
 * mmx-soft.c: MMX instructions in C, on the state in memory.
 *
 * SDM volume 1, chapter 9; volume 2, the instruction pages. A register written gets all ones in its exponent.
 */
#include <string.h>
#include "target/x86/x87.h"

typedef union Mmx {
    uint64_t q;
    uint32_t d[2];
    uint16_t w[4];
    uint8_t b[8];
    int32_t sd[2];
    int16_t sw[4];
    int8_t sb[8];
} Mmx;

static int clamp(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
static int8_t sat8(int v) { return (int8_t)clamp(v, -128, 127); }
static uint8_t satu8(int v) { return (uint8_t)clamp(v, 0, 255); }
static int16_t sat16(int v) { return (int16_t)clamp(v, -32768, 32767); }
static uint16_t satu16(int v) { return (uint16_t)clamp(v, 0, 65535); }

#define LANES(n, r) for (unsigned i = 0; i < (n); i++) { r; }
#define B(expr) LANES(8, r.b[i] = (uint8_t)(expr)) break
#define W(expr) LANES(4, r.w[i] = (uint16_t)(expr)) break
#define D(expr) LANES(2, r.d[i] = (uint32_t)(expr)) break

/* Counts of at least the width give zeros, or signs. */
static Mmx shift(unsigned opcode, Mmx a, uint64_t count)
{
    unsigned n = (unsigned)MIN(count, (uint64_t)64), arithmetic16 = MIN(n, 15u), arithmetic32 = MIN(n, 31u);
    Mmx r = { 0 };

    switch (opcode) {
    case 0xd1: W(n > 15 ? 0 : a.w[i] >> n);
    case 0xd2: D(n > 31 ? 0 : a.d[i] >> n);
    case 0xd3: r.q = n > 63 ? 0 : a.q >> n; break;
    case 0xe1: W(a.sw[i] >> arithmetic16);
    case 0xe2: D(a.sd[i] >> arithmetic32);
    case 0xf1: W(n > 15 ? 0 : a.w[i] << n);
    case 0xf2: D(n > 31 ? 0 : a.d[i] << n);
    default: r.q = n > 63 ? 0 : a.q << n;
    }
    return r;
}

static uint64_t sum_of_differences(Mmx a, Mmx b)
{
    unsigned sum = 0;
    LANES(8, sum += (unsigned)(a.b[i] > b.b[i] ? a.b[i] - b.b[i] : b.b[i] - a.b[i]))
    return sum;
}

static Mmx op_0f(unsigned opcode, Mmx a, Mmx b, unsigned imm)
{
    Mmx r = { 0 };

    switch (opcode) {
    case 0x60: B(i & 1 ? b.b[i / 2] : a.b[i / 2]);
    case 0x61: W(i & 1 ? b.w[i / 2] : a.w[i / 2]);
    case 0x62: D(i & 1 ? b.d[0] : a.d[0]);
    case 0x63: B(sat8(i < 4 ? a.sw[i] : b.sw[i - 4]));
    case 0x64: B(a.sb[i] > b.sb[i] ? 255 : 0);
    case 0x65: W(a.sw[i] > b.sw[i] ? 65535 : 0);
    case 0x66: D(a.sd[i] > b.sd[i] ? UINT32_MAX : 0);
    case 0x67: B(satu8(i < 4 ? a.sw[i] : b.sw[i - 4]));
    case 0x68: B(i & 1 ? b.b[4 + i / 2] : a.b[4 + i / 2]);
    case 0x69: W(i & 1 ? b.w[2 + i / 2] : a.w[2 + i / 2]);
    case 0x6a: D(i & 1 ? b.d[1] : a.d[1]);
    case 0x6b: W(sat16(clamp(i < 2 ? a.sd[i] : b.sd[i - 2], -32768, 32767)));
    case 0x6e: case 0x6f: r = b; break;
    case 0x70: W(b.w[imm >> 2 * i & 3]);
    case 0x74: B(a.b[i] == b.b[i] ? 255 : 0);
    case 0x75: W(a.w[i] == b.w[i] ? 65535 : 0);
    case 0x76: D(a.d[i] == b.d[i] ? UINT32_MAX : 0);
    case 0xc4: r = a; r.w[imm & 3] = b.w[0]; break;
    case 0xd4: r.q = a.q + b.q; break;
    case 0xd5: W(a.sw[i] * b.sw[i]);
    case 0xd8: B(satu8(a.b[i] - b.b[i]));
    case 0xd9: W(satu16(a.w[i] - b.w[i]));
    case 0xda: B(MIN(a.b[i], b.b[i]));
    case 0xdb: r.q = a.q & b.q; break;
    case 0xdc: B(satu8(a.b[i] + b.b[i]));
    case 0xdd: W(satu16(a.w[i] + b.w[i]));
    case 0xde: B(MAX(a.b[i], b.b[i]));
    case 0xdf: r.q = ~a.q & b.q; break;
    case 0xe0: B((a.b[i] + b.b[i] + 1) >> 1);
    case 0xe3: W((a.w[i] + b.w[i] + 1) >> 1);
    case 0xe4: W((uint32_t)a.w[i] * b.w[i] >> 16);
    case 0xe5: W(a.sw[i] * b.sw[i] >> 16);
    case 0xe8: B(sat8(a.sb[i] - b.sb[i]));
    case 0xe9: W(sat16(a.sw[i] - b.sw[i]));
    case 0xea: W(MIN(a.sw[i], b.sw[i]));
    case 0xeb: r.q = a.q | b.q; break;
    case 0xec: B(sat8(a.sb[i] + b.sb[i]));
    case 0xed: W(sat16(a.sw[i] + b.sw[i]));
    case 0xee: W(MAX(a.sw[i], b.sw[i]));
    case 0xef: r.q = a.q ^ b.q; break;
    case 0xf4: r.q = (uint64_t)a.d[0] * b.d[0]; break;
    case 0xf5: D((uint32_t)(a.sw[2 * i] * b.sw[2 * i]) + (uint32_t)(a.sw[2 * i + 1] * b.sw[2 * i + 1]));
    case 0xf6: r.q = sum_of_differences(a, b); break;
    case 0xf8: B(a.b[i] - b.b[i]);
    case 0xf9: W(a.w[i] - b.w[i]);
    case 0xfa: D(a.d[i] - b.d[i]);
    case 0xfb: r.q = a.q - b.q; break;
    case 0xfc: B(a.b[i] + b.b[i]);
    case 0xfd: W(a.w[i] + b.w[i]);
    case 0xfe: D(a.d[i] + b.d[i]);
    default: return shift(opcode, a, b.q);
    }
    return r;
}

static Mmx op_0f38(unsigned opcode, Mmx a, Mmx b)
{
    Mmx r = { 0 };
    /* The horizontal ones take pairs of a, then of b. */
#define PAIR_W(op) (i < 2 ? a.sw[2 * i] op a.sw[2 * i + 1] : b.sw[2 * i - 4] op b.sw[2 * i - 3])

    switch (opcode) {
    case 0x00: B(b.b[i] & 0x80 ? 0 : a.b[b.b[i] & 7]);
    case 0x01: W(PAIR_W(+));
    case 0x02: D(i ? b.d[0] + b.d[1] : a.d[0] + a.d[1]);
    case 0x03: W(sat16(PAIR_W(+)));
    case 0x04: W(sat16(a.b[2 * i] * b.sb[2 * i] + a.b[2 * i + 1] * b.sb[2 * i + 1]));
    case 0x05: W(PAIR_W(-));
    case 0x06: D(i ? b.d[0] - b.d[1] : a.d[0] - a.d[1]);
    case 0x07: W(sat16(PAIR_W(-)));
    case 0x08: B(b.sb[i] < 0 ? -a.sb[i] : b.sb[i] ? a.sb[i] : 0);
    case 0x09: W(b.sw[i] < 0 ? -a.sw[i] : b.sw[i] ? a.sw[i] : 0);
    case 0x0a: D(b.sd[i] < 0 ? 0 - a.d[i] : b.sd[i] ? a.d[i] : 0);
    case 0x0b: W(((a.sw[i] * b.sw[i] >> 14) + 1) >> 1);
    case 0x1c: B(b.sb[i] < 0 ? -b.sb[i] : b.sb[i]);
    case 0x1d: W(b.sw[i] < 0 ? -b.sw[i] : b.sw[i]);
    default: D(b.sd[i] < 0 ? 0 - b.d[i] : b.d[i]);
    }
#undef PAIR_W
    return r;
}

static Mmx align(Mmx a, Mmx b, unsigned bytes)
{
    unsigned __int128 both = (unsigned __int128)a.q << 64 | b.q;
    return (Mmx){ .q = bytes > 15 ? 0 : (uint64_t)(both >> 8 * bytes) };
}

static void write_register(X86State *s, unsigned n, uint64_t value)
{
    s->fpr[n].mantissa = value;
    s->fpr[n].sign_exp = 0xffff;
}

/* `operand` stands for what is no MMX register: memory or a general register. */
uint64_t x86_mmx_exec(Vcpu *vcpu, uint32_t code, uint64_t operand)
{
    X86State *s = x86_state(vcpu);
    unsigned opcode = ir_x87_opcode(code), modrm = ir_x87_modrm(code), reg = modrm >> 3 & 7, imm = ir_x87_imm(code);
    bool is_0f = ir_x87_map(code) == IR_X87_0F;

    s->ftop = 0;
    if (is_0f && opcode == 0x77) {
        s->fempty = 0xff;
        return 0;
    }
    s->fempty = 0;
    /* Results that are no MMX register, with a register operand: movd, pextrw, pmovmskb. */
    if (is_0f && opcode == 0x7e) {
        return code & IR_X87_W ? s->fpr[reg].mantissa : (uint32_t)s->fpr[reg].mantissa;
    }
    if (is_0f && opcode == 0xc5) {
        return (uint16_t)(s->fpr[modrm & 7].mantissa >> 16 * (imm & 3));
    }
    if (is_0f && opcode == 0xd7) {
        return (s->fpr[modrm & 7].mantissa >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56;
    }
    bool in_register = ir_x87_form(code) == IR_X87_MEMORY && modrm >= 0xc0;
    if (is_0f && (opcode == 0x7f || opcode == 0xe7)) {
        if (in_register) {
            write_register(s, modrm & 7, s->fpr[reg].mantissa);
        }
        return 0;
    }
    Mmx a = { .q = s->fpr[reg].mantissa }, b = { .q = in_register ? s->fpr[modrm & 7].mantissa : operand }, r;
    if (is_0f && opcode >= 0x71 && opcode <= 0x73) {
        /* psrl, psra, psll by /2, /4, /6: those with a register count start at d1, e1, f1 */
        static const uint8_t base[8] = { [2] = 0xd0, [4] = 0xe0, [6] = 0xf0 };
        write_register(s, modrm & 7, shift(base[reg] | (opcode & 15), b, imm).q);
        return 0;
    }
    if (is_0f && opcode == 0x6e && !(code & IR_X87_W)) {
        b.q = (uint32_t)b.q;
    }
    r = is_0f ? op_0f(opcode, a, b, imm) : ir_x87_map(code) == IR_X87_0F38 ? op_0f38(opcode, a, b) : align(a, b, imm);
    write_register(s, reg, r.q);
    return 0;
}
