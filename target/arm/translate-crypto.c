/*
 * translate-crypto.c: AES, PMULL of 64 bits, SHA-1, SHA-256, SHA-512, SHA-3, SM3, SM4 (Arm ARM DDI 0487, C7.2; FIPS 180-4, 197, 202;
 * GB/T 32905, 32907).
 *
 * The IR's operations are those of x86, which cut the algorithms at other places. What one instruction undoes of what
 * the one before has done is left out where both are in one block: AESE and AESMC with the next AESE become
 * one round each, SHA256H and SHA256H2 the two halves of four rounds, with no shuffling between them.
 */
#include "target/arm/translate-simd.h"

typedef const ArmArgsK2 ArgsK2;
typedef const ArmArgsK3 ArgsK3;
typedef const ArmArgsK4 ArgsK4;
typedef const ArmArgsKi ArgsKi;

static void set_v(TransCtx *ctx, int n, IrRef v) { ir_put(ctx->b, ARM_SLOT_V + ((unsigned)n & 31), v); }
static IrRef v_xor(TransCtx *ctx, IrRef x, IrRef y) { return arm_v2(ctx, IR_vxor, 0, x, y); }
static IrRef v_op1(TransCtx *ctx, IrOp op, unsigned aux, IrRef x) { return ir_emit(ctx->b, op, IR_V128, aux, x, IR_NONE, IR_NONE); }

static const IrInsn *insn_of(const TransCtx *ctx, IrRef v) { return ir_insn(ctx->b->unit, v); }

/* -- AES ------------------------------------------------------------------------------------------------------ */

static IrRef zero(TransCtx *ctx)
{
    static const IrVecConst none;
    return ir_vconst(ctx->b, IR_V128, &none);
}

static bool is_zero(const TransCtx *ctx, IrRef v)
{
    static const uint8_t none[16];
    const IrInsn *in = insn_of(ctx, v);
    return in->op == IR_const && !memcmp(ctx->b->unit->vconst.at[in->imm].u8, none, sizeof(none));
}

/* The round key of a round without one is zero: then the next instruction's takes its place. */
static bool keyless(const TransCtx *ctx, IrRef v, IrOp round)
{
    const IrInsn *in = insn_of(ctx, v);
    return in->op == round && is_zero(ctx, in->b);
}

static void last_round(TransCtx *ctx, ArgsK2 *a, IrOp round, IrOp last)
{
    IrRef state = arm_v(ctx, a->d), key = arm_v(ctx, a->n);
    IrRef x = keyless(ctx, state, round) ? arm_v2(ctx, round, 0, insn_of(ctx, state)->a, key) : v_xor(ctx, state, key);
    set_v(ctx, a->d, arm_v2(ctx, last, 0, x, zero(ctx)));
}

void arm_trans_aese(TransCtx *ctx, ArgsK2 *a) { last_round(ctx, a, IR_aesenc, IR_aesenclast); }
void arm_trans_aesd(TransCtx *ctx, ArgsK2 *a) { last_round(ctx, a, IR_aesdec, IR_aesdeclast); }

/* Columns alone are mixed by a round whose other steps have been undone before. */
void arm_trans_aesmc(TransCtx *ctx, ArgsK2 *a)
{
    IrRef x = arm_v(ctx, a->n);
    IrRef state = keyless(ctx, x, IR_aesenclast) ? insn_of(ctx, x)->a : arm_v2(ctx, IR_aesdeclast, 0, x, zero(ctx));
    set_v(ctx, a->d, arm_v2(ctx, IR_aesenc, 0, state, zero(ctx)));
}

void arm_trans_aesimc(TransCtx *ctx, ArgsK2 *a)
{
    IrRef x = arm_v(ctx, a->n);
    IrRef r = keyless(ctx, x, IR_aesdeclast) ? arm_v2(ctx, IR_aesdec, 0, insn_of(ctx, x)->a, zero(ctx)) : v_op1(ctx, IR_aesimc, 0, x);
    set_v(ctx, a->d, r);
}

/* -- PMULL --------------------------------------------------------------------------------------------------------- */

void arm_trans_pmull64(TransCtx *ctx, ArgsK3 *a) { set_v(ctx, a->d, arm_v2(ctx, IR_vclmul, 0x00, arm_v(ctx, a->n), arm_v(ctx, a->m))); }
void arm_trans_pmull64_hi(TransCtx *ctx, ArgsK3 *a) { set_v(ctx, a->d, arm_v2(ctx, IR_vclmul, 0x11, arm_v(ctx, a->n), arm_v(ctx, a->m))); }

/* -- SHA-1 --------------------------------------------------------------------------------------------------------- */

/* x86 has the first word of four highest. */
static IrRef reverse32(TransCtx *ctx, IrRef v)
{
    const IrInsn *in = insn_of(ctx, v);
    return in->op == IR_vperm32 && in->aux == 0x1b ? in->a : v_op1(ctx, IR_vperm32, 0x1b, v);
}

/* x86 adds the constant of the rounds itself; Arm's words have it already. E comes with the first word. */
static void sha1_rounds(TransCtx *ctx, ArgsK3 *a, unsigned which)
{
    static const uint32_t k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
    IrRef e = ir_op1(ctx->b, IR_vzext, IR_V128, ir_emit(ctx->b, IR_vget_lane, IR_I32, IR_LANE_32, arm_v(ctx, a->n), IR_NONE, IR_NONE));
    IrVecConst constant = { .u32 = { k[which], k[which], k[which], k[which] } };
    IrRef w = arm_v2(ctx, IR_vsub, IR_LANE_32, arm_v(ctx, a->m), ir_vconst(ctx->b, IR_V128, &constant));
    w = reverse32(ctx, arm_v2(ctx, IR_vadd, IR_LANE_32, w, e));
    IrRef abcd = arm_v2(ctx, IR_sha1rnds4, which, reverse32(ctx, arm_v(ctx, a->d)), w);
    set_v(ctx, a->d, v_op1(ctx, IR_vperm32, 0x1b, abcd));
}

void arm_trans_sha1c(TransCtx *ctx, ArgsK3 *a) { sha1_rounds(ctx, a, 0); }
void arm_trans_sha1p(TransCtx *ctx, ArgsK3 *a) { sha1_rounds(ctx, a, 1); }
void arm_trans_sha1m(TransCtx *ctx, ArgsK3 *a) { sha1_rounds(ctx, a, 2); }

void arm_trans_sha1h(TransCtx *ctx, ArgsK2 *a)
{
    IrRef e = ir_emit(ctx->b, IR_vget_lane, IR_I32, IR_LANE_32, arm_v(ctx, a->n), IR_NONE, IR_NONE);
    set_v(ctx, a->d, ir_op1(ctx->b, IR_vzext, IR_V128, ir_op2_imm(ctx->b, IR_rotl, IR_I32, e, 30)));
}

void arm_trans_sha1su0(TransCtx *ctx, ArgsK3 *a)
{
    IrRef d = arm_v(ctx, a->d);
    IrRef next = arm_v2(ctx, IR_vext, 8, d, arm_v(ctx, a->n));
    set_v(ctx, a->d, v_xor(ctx, v_xor(ctx, next, d), arm_v(ctx, a->m)));
}

static IrRef rotate(TransCtx *ctx, IrLane lane, IrRef v, unsigned left) { return v_op1(ctx, IR_vrotl, lane | left << 4, v); }

/* The last word also takes part in itself: what it lacks is the first one's result, rotated once more. */
void arm_trans_sha1su1(TransCtx *ctx, ArgsK2 *a)
{
    IrRef t = v_xor(ctx, arm_v(ctx, a->d), v_op1(ctx, IR_vshr_bytes, 4, arm_v(ctx, a->n)));
    IrRef r = rotate(ctx, IR_LANE_32, t, 1);
    IrRef last = rotate(ctx, IR_LANE_32, v_op1(ctx, IR_vshl_bytes, 12, r), 1);
    set_v(ctx, a->d, v_xor(ctx, r, last));
}

/* -- SHA-256 --------------------------------------------------------------------------------------------------------- */

enum { HIGH_WORDS = 3 | 2 << 2 | 3 << 4 | 2 << 6, LOW_WORDS = 1 | 0 << 2 | 1 << 4 | 0 << 6 }; /* vsel32: of both, reversed */

/*
 * x86 has (a b e f) and (c d g h), Arm (a b c d) and (e f g h); going from one to the other is the same shuffle both ways. Values
 * that come from there go back for nothing.
 */
static void abef_cdgh(TransCtx *ctx, IrRef abcd, IrRef efgh, IrRef *ret_abef, IrRef *ret_cdgh)
{
    const IrInsn *x = insn_of(ctx, abcd), *y = insn_of(ctx, efgh);

    if (x->op == IR_vsel32 && x->aux == HIGH_WORDS && y->op == IR_vsel32 && y->aux == LOW_WORDS && x->a == y->a && x->b == y->b) {
        *ret_abef = x->a;
        *ret_cdgh = x->b;
        return;
    }
    *ret_abef = arm_v2(ctx, IR_vsel32, LOW_WORDS, efgh, abcd);
    *ret_cdgh = arm_v2(ctx, IR_vsel32, HIGH_WORDS, efgh, abcd);
}

/* Four rounds. SHA256H2 follows SHA256H with the same operands: the rounds are done once. */
static void sha256_rounds(TransCtx *ctx, IrRef abcd, IrRef efgh, IrRef words, IrRef *ret_abef, IrRef *ret_cdgh)
{
    uint64_t *last = &ctx->data[ARM_DATA_SHA256];
    const uint64_t key[3] = { abcd | (uint64_t)efgh << 32, words, ctx->b->block + 1u };

    if (!memcmp(last, key, sizeof(key))) {
        *ret_abef = (IrRef)last[3];
        *ret_cdgh = (IrRef)(last[3] >> 32);
        return;
    }
    IrRef abef, cdgh;
    abef_cdgh(ctx, abcd, efgh, &abef, &cdgh);
    IrRef half = ir_emit(ctx->b, IR_sha256rnds2, IR_V128, 0, cdgh, abef, words);
    IrRef upper = v_op1(ctx, IR_vshr_bytes, 8, words);
    *ret_abef = ir_emit(ctx->b, IR_sha256rnds2, IR_V128, 0, abef, half, upper);
    *ret_cdgh = half;
    memcpy(last, key, sizeof(key));
    last[3] = *ret_abef | (uint64_t)*ret_cdgh << 32;
}

void arm_trans_sha256h(TransCtx *ctx, ArgsK3 *a)
{
    IrRef abef, cdgh;
    sha256_rounds(ctx, arm_v(ctx, a->d), arm_v(ctx, a->n), arm_v(ctx, a->m), &abef, &cdgh);
    set_v(ctx, a->d, arm_v2(ctx, IR_vsel32, HIGH_WORDS, abef, cdgh));
}

void arm_trans_sha256h2(TransCtx *ctx, ArgsK3 *a)
{
    IrRef abef, cdgh;
    sha256_rounds(ctx, arm_v(ctx, a->n), arm_v(ctx, a->d), arm_v(ctx, a->m), &abef, &cdgh);
    set_v(ctx, a->d, arm_v2(ctx, IR_vsel32, LOW_WORDS, abef, cdgh));
}

void arm_trans_sha256su0(TransCtx *ctx, ArgsK2 *a)
{
    set_v(ctx, a->d, arm_v2(ctx, IR_sha256msg1, 0, arm_v(ctx, a->d), arm_v(ctx, a->n)));
}

void arm_trans_sha256su1(TransCtx *ctx, ArgsK3 *a)
{
    IrRef n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    IrRef sum = arm_v2(ctx, IR_vadd, IR_LANE_32, arm_v(ctx, a->d), arm_v2(ctx, IR_vext, 4, n, m));
    set_v(ctx, a->d, arm_v2(ctx, IR_sha256msg2, 0, sum, m));
}

/* -- SHA-512: two rounds in the lanes, the upper one first ------------------------------------------------------------------ */

enum { SWAPPED = 2 | 3 << 2 | 0 << 4 | 1 << 6 }; /* vperm32: the two words */

static IrRef add64(TransCtx *ctx, IrRef x, IrRef y) { return arm_v2(ctx, IR_vadd, IR_LANE_64, x, y); }
static IrRef select_bits(TransCtx *ctx, IrRef mask, IrRef x, IrRef y) { return ir_emit(ctx->b, IR_vbsel, IR_V128, 0, mask, x, y); }

static IrRef xor_rotated(TransCtx *ctx, IrRef x, unsigned r1, unsigned r2, unsigned r3)
{
    IrRef y = v_xor(ctx, rotate(ctx, IR_LANE_64, x, 64 - r1), rotate(ctx, IR_LANE_64, x, 64 - r2));
    return v_xor(ctx, y, rotate(ctx, IR_LANE_64, x, 64 - r3));
}

/* One word of each. */
static void put_rounds(TransCtx *ctx, int d, IrRef low, IrRef high)
{
    set_v(ctx, d, ir_emit(ctx->b, IR_vsel64, IR_V128, 2, low, high, IR_NONE));
}

void arm_trans_sha512h(TransCtx *ctx, ArgsK3 *a)
{
    IrRef d = arm_v(ctx, a->d), n = arm_v(ctx, a->n), m = arm_v(ctx, a->m);
    IrRef other_n = v_op1(ctx, IR_vperm32, SWAPPED, n), other_m = v_op1(ctx, IR_vperm32, SWAPPED, m);

    IrRef high = add64(ctx, add64(ctx, select_bits(ctx, m, other_n, n), d), xor_rotated(ctx, m, 14, 18, 41));
    IrRef t = add64(ctx, v_op1(ctx, IR_vshr_bytes, 8, high), m);
    IrRef low = add64(ctx, add64(ctx, select_bits(ctx, t, other_m, n), d), xor_rotated(ctx, t, 14, 18, 41));
    put_rounds(ctx, a->d, low, high);
}

/* The majority of x, y and z is x where y and z differ. */
void arm_trans_sha512h2(TransCtx *ctx, ArgsK3 *a)
{
    IrRef d = arm_v(ctx, a->d), m = arm_v(ctx, a->m), other_m = v_op1(ctx, IR_vperm32, SWAPPED, m);
    IrRef other_n = v_op1(ctx, IR_vperm32, SWAPPED, arm_v(ctx, a->n)), differ = v_xor(ctx, m, other_m);

    IrRef high = add64(ctx, add64(ctx, select_bits(ctx, differ, other_n, m), d), xor_rotated(ctx, other_m, 28, 34, 39));
    IrRef x = v_op1(ctx, IR_vshr_bytes, 8, high);
    IrRef low = add64(ctx, add64(ctx, select_bits(ctx, differ, x, m), d), xor_rotated(ctx, x, 28, 34, 39));
    put_rounds(ctx, a->d, low, high);
}

/* Rotated right twice and shifted right once. */
static IrRef sigma(TransCtx *ctx, IrRef v, unsigned r1, unsigned r2, unsigned s)
{
    IrRef x = v_xor(ctx, rotate(ctx, IR_LANE_64, v, 64 - r1), rotate(ctx, IR_LANE_64, v, 64 - r2));
    return v_xor(ctx, x, arm_v2(ctx, IR_vshr, IR_LANE_64, v, ir_i32(ctx->b, s)));
}

void arm_trans_sha512su0(TransCtx *ctx, ArgsK2 *a)
{
    IrRef d = arm_v(ctx, a->d);
    IrRef next = arm_v2(ctx, IR_vext, 8, d, arm_v(ctx, a->n));
    set_v(ctx, a->d, arm_v2(ctx, IR_vadd, IR_LANE_64, d, sigma(ctx, next, 1, 8, 7)));
}

void arm_trans_sha512su1(TransCtx *ctx, ArgsK3 *a)
{
    IrRef sum = arm_v2(ctx, IR_vadd, IR_LANE_64, arm_v(ctx, a->d), arm_v(ctx, a->m));
    set_v(ctx, a->d, arm_v2(ctx, IR_vadd, IR_LANE_64, sum, sigma(ctx, arm_v(ctx, a->n), 19, 61, 6)));
}

/* -- SHA-3 ----------------------------------------------------------------------------------------------------------------- */

void arm_trans_eor3(TransCtx *ctx, ArgsK4 *a)
{
    set_v(ctx, a->d, v_xor(ctx, v_xor(ctx, arm_v(ctx, a->n), arm_v(ctx, a->m)), arm_v(ctx, a->a)));
}

void arm_trans_bcax(TransCtx *ctx, ArgsK4 *a)
{
    set_v(ctx, a->d, v_xor(ctx, arm_v(ctx, a->n), arm_v2(ctx, IR_vandn, 0, arm_v(ctx, a->m), arm_v(ctx, a->a))));
}

void arm_trans_rax1(TransCtx *ctx, ArgsK3 *a)
{
    set_v(ctx, a->d, v_xor(ctx, arm_v(ctx, a->n), rotate(ctx, IR_LANE_64, arm_v(ctx, a->m), 1)));
}

void arm_trans_xar(TransCtx *ctx, ArgsKi *a)
{
    IrRef x = v_xor(ctx, arm_v(ctx, a->n), arm_v(ctx, a->m));
    set_v(ctx, a->d, a->imm ? rotate(ctx, IR_LANE_64, x, 64 - (unsigned)a->imm) : x);
}

/* -- SM3 ------------------------------------------------------------------------------------------------------------------- */

static IrRef word(TransCtx *ctx, IrRef v, unsigned lane)
{
    return ir_emit(ctx->b, IR_vget_lane, IR_I32, IR_LANE_32 | lane << 4, v, IR_NONE, IR_NONE);
}

static IrRef op32(TransCtx *ctx, IrOp op, IrRef x, IrRef y) { return ir_op2(ctx->b, op, IR_I32, x, y); }
static IrRef rotl32(TransCtx *ctx, IrRef x, unsigned n) { return ir_op2_imm(ctx->b, IR_rotl, IR_I32, x, n); }

/* v with the word in its highest lane. */
static IrRef with_top(TransCtx *ctx, IrRef v, IrRef top)
{
    return ir_emit(ctx->b, IR_vset_lane, IR_V128, IR_LANE_32 | 3 << 4, v, top, IR_NONE);
}

void arm_trans_sm3ss1(TransCtx *ctx, ArgsK4 *a)
{
    IrRef x = rotl32(ctx, word(ctx, arm_v(ctx, a->n), 3), 12);
    x = op32(ctx, IR_add, op32(ctx, IR_add, x, word(ctx, arm_v(ctx, a->m), 3)), word(ctx, arm_v(ctx, a->a), 3));
    set_v(ctx, a->d, with_top(ctx, arm_vzero(ctx), rotl32(ctx, x, 7)));
}

typedef enum Sm3Function { SM3_PARITY, SM3_MAJORITY, SM3_CHOOSE } Sm3Function;

/* The function of the state's upper three words, plus its lowest and the schedule's word. */
static IrRef sm3_sum(TransCtx *ctx, ArgsKi *a, Sm3Function f)
{
    IrRef d = arm_v(ctx, a->d), x = word(ctx, d, 3), y = word(ctx, d, 2), z = word(ctx, d, 1), t;

    if (f == SM3_PARITY) {
        t = op32(ctx, IR_xor, op32(ctx, IR_xor, x, y), z);
    } else if (f == SM3_MAJORITY) {
        t = op32(ctx, IR_or, op32(ctx, IR_and, x, y), op32(ctx, IR_and, op32(ctx, IR_or, x, y), z));
    } else {
        t = op32(ctx, IR_or, op32(ctx, IR_and, x, y), op32(ctx, IR_andn, z, x));
    }
    t = op32(ctx, IR_add, t, word(ctx, d, 0));
    return op32(ctx, IR_add, t, word(ctx, arm_v(ctx, a->m), (unsigned)a->imm));
}

/* The state moves down a word; the second highest is rotated on the way. */
static void sm3_shift(TransCtx *ctx, ArgsKi *a, unsigned rotation, IrRef top)
{
    IrRef d = arm_v(ctx, a->d), rotated = rotl32(ctx, word(ctx, d, 2), rotation);
    IrRef v = v_op1(ctx, IR_vshr_bytes, 4, d);

    v = ir_emit(ctx->b, IR_vset_lane, IR_V128, IR_LANE_32 | 1 << 4, v, rotated, IR_NONE);
    set_v(ctx, a->d, with_top(ctx, v, top));
}

static void sm3tt1(TransCtx *ctx, ArgsKi *a, Sm3Function f)
{
    IrRef x = rotl32(ctx, word(ctx, arm_v(ctx, a->d), 3), 12);
    IrRef ss2 = op32(ctx, IR_xor, word(ctx, arm_v(ctx, a->n), 3), x);
    sm3_shift(ctx, a, 9, op32(ctx, IR_add, sm3_sum(ctx, a, f), ss2));
}

static void sm3tt2(TransCtx *ctx, ArgsKi *a, Sm3Function f)
{
    IrRef t = op32(ctx, IR_add, sm3_sum(ctx, a, f), word(ctx, arm_v(ctx, a->n), 3));
    sm3_shift(ctx, a, 19, op32(ctx, IR_xor, op32(ctx, IR_xor, t, rotl32(ctx, t, 9)), rotl32(ctx, t, 17)));
}

void arm_trans_sm3tt1a(TransCtx *ctx, ArgsKi *a) { sm3tt1(ctx, a, SM3_PARITY); }
void arm_trans_sm3tt1b(TransCtx *ctx, ArgsKi *a) { sm3tt1(ctx, a, SM3_MAJORITY); }
void arm_trans_sm3tt2a(TransCtx *ctx, ArgsKi *a) { sm3tt2(ctx, a, SM3_PARITY); }
void arm_trans_sm3tt2b(TransCtx *ctx, ArgsKi *a) { sm3tt2(ctx, a, SM3_CHOOSE); }

/* P1 of each lane: x ^ x <<< 15 ^ x <<< 23. */
static IrRef sm3_p1(TransCtx *ctx, IrRef v)
{
    return v_xor(ctx, v_xor(ctx, v, rotate(ctx, IR_LANE_32, v, 15)), rotate(ctx, IR_LANE_32, v, 23));
}

/* The highest lane needs the lowest one's result. */
void arm_trans_sm3partw1(TransCtx *ctx, ArgsK3 *a)
{
    IrRef x = v_xor(ctx, arm_v(ctx, a->d), arm_v(ctx, a->n)), m = arm_v(ctx, a->m);
    IrRef r = sm3_p1(ctx, v_xor(ctx, x, rotate(ctx, IR_LANE_32, v_op1(ctx, IR_vshr_bytes, 4, m), 15)));
    IrRef top = v_xor(ctx, x, rotate(ctx, IR_LANE_32, v_op1(ctx, IR_vshl_bytes, 12, r), 15));
    set_v(ctx, a->d, ir_emit(ctx->b, IR_vblend, IR_V128, IR_LANE_32 | 8 << 4, r, sm3_p1(ctx, top), IR_NONE));
}

void arm_trans_sm3partw2(TransCtx *ctx, ArgsK3 *a)
{
    IrRef t = v_xor(ctx, arm_v(ctx, a->n), rotate(ctx, IR_LANE_32, arm_v(ctx, a->m), 7));
    IrRef r = v_xor(ctx, arm_v(ctx, a->d), t);
    IrRef x = rotate(ctx, IR_LANE_32, v_op1(ctx, IR_vshl_bytes, 12, t), 15);
    set_v(ctx, a->d, v_xor(ctx, r, sm3_p1(ctx, x)));
}

/* -- SM4 ------------------------------------------------------------------------------------------------------------------- */

static IrRef lane64(TransCtx *ctx, IrRef v, unsigned lane) { return arm_lane(ctx, v, IR_LANE_64, lane); }

static IrRef pair64(TransCtx *ctx, IrRef low, IrRef high)
{
    IrRef v = ir_op1(ctx->b, IR_vzext, IR_V128, low);
    return ir_emit(ctx->b, IR_vset_lane, IR_V128, IR_LANE_64 | 1 << 4, v, high, IR_NONE);
}

/* Two rounds per call: they make the state's upper half, the old one becomes the lower. */
static void sm4_rounds(TransCtx *ctx, int d, IrRef state, IrRef keys, ArmHelper two_rounds)
{
    IrRef low = lane64(ctx, state, 0), high = lane64(ctx, state, 1);
    IrRef next = ir_call(ctx->b, two_rounds, 3, (IrRef[]){ low, high, lane64(ctx, keys, 0) });
    IrRef last = ir_call(ctx->b, two_rounds, 3, (IrRef[]){ high, next, lane64(ctx, keys, 1) });
    set_v(ctx, d, pair64(ctx, next, last));
}

void arm_trans_sm4e(TransCtx *ctx, ArgsK2 *a) { sm4_rounds(ctx, a->d, arm_v(ctx, a->d), arm_v(ctx, a->n), ARM_HELPER_sm4_cipher); }
void arm_trans_sm4ekey(TransCtx *ctx, ArgsK3 *a) { sm4_rounds(ctx, a->d, arm_v(ctx, a->n), arm_v(ctx, a->m), ARM_HELPER_sm4_key); }
