/*
 * ir-eval.c: ir_eval against a second formulation of every pure scalar operation: bit by bit, digit by
 * digit, or by definition, whatever looks least like eval.c.
 */
#include "ir-target.h"
#include "tests/test.h"

noreturn void vcpu_raise(Vcpu *vcpu, int32_t cause, uint64_t value) { abort(); }
noreturn void vcpu_loop_exit(Vcpu *vcpu, VcpuExit reason) { abort(); }

static uint64_t seed = 42;

static uint64_t next_value(void)
{
    static const uint64_t special[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
        0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000,
    };
    seed = seed * 6364136223846793005 + 1442695040888963407;
    uint64_t v = seed ^ seed >> 29;
    return v % 3 ? v >> (v >> 58) : special[v % ARRAY_SIZE(special)];
}

static unsigned bit(uint64_t v, unsigned i) { return v >> i & 1; }

/* The product of two width-bit numbers as 2 * width bits, by shifting and adding; signs by correction. */
static void long_multiply(uint64_t a, uint64_t b, unsigned width, uint64_t *ret_low, uint64_t *ret_high)
{
    uint64_t mask = width == 64 ? ~0ull : (1ull << width) - 1, low = 0, high = 0;

    for (unsigned i = width; i-- > 0;) {
        high = (high << 1 | bit(low, width - 1)) & mask;
        low = low << 1 & mask;
        if (bit(b, i)) {
            uint64_t sum = (low + a) & mask;
            high = (high + (sum < low)) & mask;
            low = sum;
        }
    }
    *ret_low = low;
    *ret_high = high;
}

/* Restoring division; b not 0. */
static void long_divide(uint64_t a, uint64_t b, uint64_t *ret_q, uint64_t *ret_r)
{
    uint64_t q = 0, r = 0;

    for (unsigned i = 64; i-- > 0;) {
        bool carry = bit(r, 63);
        r = r << 1 | bit(a, i);
        q <<= 1;
        if (carry || r >= b) {
            r -= b;
            q |= 1;
        }
    }
    *ret_q = q;
    *ret_r = r;
}

static uint64_t expected(IrOp op, unsigned w, unsigned pos, unsigned len, uint64_t a, uint64_t b)
{
    uint64_t mask = w == 64 ? ~0ull : (1ull << w) - 1, low, high, q, r, v = 0;
    bool na = bit(a, w - 1), nb = bit(b, w - 1);
    unsigned n = b % w;

    switch (op) {
    case IR_add: return a - ~b - 1;
    case IR_sub: return a + ~b + 1;
    case IR_mul: long_multiply(a, b, w, &low, &high); return low;
    case IR_mulhu: long_multiply(a, b, w, &low, &high); return high;
    case IR_mulhs: long_multiply(a, b, w, &low, &high); return high - (na ? b : 0) - (nb ? a : 0);
    case IR_mulhsu: long_multiply(a, b, w, &low, &high); return high - (na ? b : 0);
    case IR_divu: case IR_remu:
        if (!b) {
            return op == IR_divu ? mask : a;
        }
        long_divide(a, b, &q, &r);
        return op == IR_divu ? q : r;
    case IR_divs: case IR_rems:
        if (!b) {
            return op == IR_divs ? mask : a;
        }
        long_divide(na ? (0 - a) & mask : a, nb ? (0 - b) & mask : b, &q, &r);
        return op == IR_divs ? (na != nb ? 0 - q : q) : na ? 0 - r : r;
    case IR_neg: return ~a + 1;
    case IR_not: return mask - a;
    case IR_shl: return n ? a << n : a;
    case IR_clz: while (v < w && !bit(a, w - 1 - v)) { v++; } return v;
    case IR_ctz: while (v < w && !bit(a, v)) { v++; } return v;
    case IR_mins: return (na == nb ? a < b : na) ? a : b;
    case IR_maxs: return (na == nb ? a < b : na) ? b : a;
    case IR_minu: return a < b ? a : b;
    case IR_maxu: return a < b ? b : a;
    case IR_clmul: case IR_clmulh:
        for (unsigned i = 0; i < 2 * w - 1; i++) {
            unsigned parity = 0;
            for (unsigned j = 0; j <= i; j++) {
                parity ^= j < w && i - j < w ? bit(a, j) & bit(b, i - j) : 0;
            }
            unsigned to = op == IR_clmul ? i : i - w;
            v |= to < w ? (uint64_t)parity << to : 0;
        }
        return v;
    default:
        break;
    }
    /* operations that place bits */
    for (unsigned i = 0; i < w; i++) {
        unsigned x = bit(a, i), y = bit(b, i);
        uint64_t any = 0;
        for (unsigned j = i & ~7u; j < (i & ~7u) + 8; j++) {
            any |= bit(a, j);
        }
        switch (op) {
        case IR_and: x = x && y; break;
        case IR_or: x = x || y; break;
        case IR_xor: x = x != y; break;
        case IR_andn: x = x && !y; break;
        case IR_orn: x = x || !y; break;
        case IR_xnor: x = x == y; break;
        case IR_shr: x = i + n < w ? bit(a, i + n) : 0; break;
        case IR_sar: x = bit(a, MIN(i + n, w - 1)); break;
        case IR_rotl: x = bit(a, (i + w - n) % w); break;
        case IR_rotr: x = bit(a, (i + n) % w); break;
        case IR_popcnt: v += x; continue;
        case IR_bswap: x = bit(a, (w / 8 - 1 - i / 8) * 8 + i % 8); break;
        case IR_brev8: x = bit(a, i / 8 * 8 + 7 - i % 8); break;
        case IR_orcb: x = any != 0; break;
        case IR_sext8: x = bit(a, MIN(i, 7u)); break;
        case IR_sext16: x = bit(a, MIN(i, 15u)); break;
        case IR_sext32: case IR_ext_s: x = bit(a, MIN(i, 31u)); break;
        case IR_zext8: x = i < 8 ? x : 0; break;
        case IR_zext16: x = i < 16 ? x : 0; break;
        case IR_zext32: case IR_ext_u: case IR_trunc: x = i < 32 ? x : 0; break;
        case IR_bfx: x = i < len ? bit(a, pos + i) : 0; break;
        case IR_bfxs: x = bit(a, pos + MIN(i, len - 1)); break;
        case IR_bfi: x = i >= pos && i < pos + len ? bit(b, i - pos) : x; break;
        case IR_fbox: x = i < 32 ? x : 1; break;
        case IR_flow: x = i < 32 ? x : 0; break;
        default: break;
        }
        v |= (uint64_t)x << i;
    }
    return v;
}

static void check_op(IrOp op, IrType type)
{
    unsigned w = ir_type_bytes(type) * 8;
    bool widens = op == IR_ext_s || op == IR_ext_u;

    for (unsigned k = 0; k < 400; k++) {
        uint64_t a = next_value(), b = next_value();
        unsigned pos = next_value() % w, len = 1 + next_value() % (w - pos);
        if (w == 32 && op != IR_trunc) {
            a = (uint32_t)a;
            b = (uint32_t)b;
        }
        uint64_t in = widens || op == IR_fbox ? (uint32_t)a : a;
        uint64_t got = ir_eval(op, type, type, pos | len << 8, in, b, 0);
        uint64_t want = expected(op, w == 32 && op == IR_trunc ? 64 : w, pos, len, in, b);
        if (w == 32) {
            want = (uint32_t)want;
        }
        if (got != want) {
            fprintf(stderr, "%s.%u a=%#lx b=%#lx pos=%u len=%u:\n", ir_op_info[op].name, w, (long)in, (long)b,
                    pos, len);
            CHECK_EQ(got, want);
            return;
        }
    }
    CHECK(true);
}

static void check_conditions(void)
{
    for (unsigned k = 0; k < 20000; k++) {
        IrType type = k & 1 ? IR_I64 : IR_I32;
        unsigned w = type == IR_I64 ? 64 : 32;
        uint64_t a = next_value(), b = k % 5 ? next_value() : a;
        if (w == 32) {
            a = (uint32_t)a;
            b = (uint32_t)b;
        }
        bool less = bit(a, w - 1) == bit(b, w - 1) ? a < b : bit(a, w - 1);
        bool want[IR_N_CONDS] = {
            [IR_EQ] = !(a ^ b), [IR_NE] = a ^ b, [IR_LT] = less, [IR_GE] = !less, [IR_LE] = less || a == b,
            [IR_GT] = !less && a != b, [IR_LTU] = a < b, [IR_GEU] = !(a < b), [IR_LEU] = !(b < a),
            [IR_GTU] = b < a, [IR_TSTEQ] = !(a & b), [IR_TSTNE] = a & b,
        };
        for (unsigned c = 0; c < IR_N_CONDS; c++) {
            CHECK_EQ(ir_cond_eval(c, type, a, b), want[c]);
            CHECK_EQ(ir_cond_eval(ir_cond_invert(c), type, a, b), !want[c]);
            CHECK_EQ(ir_cond_eval(ir_cond_swap(c), type, b, a), want[c]);
            CHECK_EQ(ir_eval(IR_setcond, IR_I64, type, c, a, b, 0), want[c]);
        }
        CHECK_EQ(ir_eval(IR_select, IR_I64, type, 0, a, 7, 9), a ? 7 : 9);
    }
}

static void check_fp_bits(void)
{
    CHECK_EQ(ir_eval(IR_funbox, IR_F32, IR_F64, 0, 0xffffffff3f800000, 0, 0), 0x3f800000);
    CHECK_EQ(ir_eval(IR_funbox, IR_F32, IR_F64, 0, 0xfffffffe3f800000, 0, 0), 0x7fc00000);
    static const struct { uint64_t f64; uint32_t f32; unsigned mask; } classes[] = {
        { 0xfff0000000000000, 0xff800000, 1 << 0 }, { 0xbff0000000000000, 0xbf800000, 1 << 1 },
        { 0x8000000000000001, 0x80000001, 1 << 2 }, { 0x8000000000000000, 0x80000000, 1 << 3 },
        { 0, 0, 1 << 4 }, { 0x000fffffffffffff, 0x007fffff, 1 << 5 },
        { 0x0010000000000000, 0x00800000, 1 << 6 }, { 0x7ff0000000000000, 0x7f800000, 1 << 7 },
        { 0x7ff0000000000001, 0x7f800001, 1 << 8 }, { 0xfff8000000000000, 0xffc00000, 1 << 9 },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
        CHECK_EQ(ir_eval(IR_fclass, IR_I64, IR_F64, 0, classes[i].f64, 0, 0), classes[i].mask);
        CHECK_EQ(ir_eval(IR_fclass, IR_I32, IR_F32, 0, classes[i].f32, 0, 0), classes[i].mask);
    }
}

int main(void)
{
    for (unsigned op = IR_add; op <= IR_maxu; op++) {
        char result = ir_op_info[op].signature[0];
        if (op == IR_setcond || op == IR_select) {
            continue;
        }
        if (result == 't' || result == 'q') {
            check_op(op, IR_I64);
        }
        if (result == 't' || result == 'w') {
            check_op(op, IR_I32);
        }
    }
    check_op(IR_fbox, IR_F64);
    check_op(IR_flow, IR_F32);
    check_conditions();
    check_fp_bits();
    return test_result();
}
