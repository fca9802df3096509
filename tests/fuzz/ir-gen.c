/*
 * ir-gen.c: random units for the IR fuzzer.
 *
 * Instructions are made from the signatures in ops.def, so a new operation is covered from its first day.
 * Control flow: blocks in emission order; open edges of finished blocks are taken up by later TREE or MERGE
 * blocks, or go back to LOOP blocks, each of which counts the slot cnt down and leaves at zero.
 * Registers x6, x7 and w3 hold addresses in the scratch area and are never written.
 */
#include "ir-fuzz.h"
#include "tcg/text.h"

enum { MAX_BLOCKS = 64, MAX_VALS = 48, MAX_EDGES = 160 };

typedef struct Vals {
    IrRef ref[IR_N_TYPES][MAX_VALS];
    unsigned n[IR_N_TYPES];
} Vals;

typedef struct Edge {
    IrRef term;
    unsigned which;     /* 0: br target or taken, 1: other */
    uint16_t from;
} Edge;

typedef struct Gen {
    IrUnit *u;
    Rng *rng;
    FuzzMode mode;
    const GenOptions *opt;
    Vals cur, end[MAX_BLOCKS];
    Edge edge[MAX_EDGES];
    unsigned n_edges;
    IrRef leave[MAX_BLOCKS];  /* loop heads whose taken edge goes to the last block, which exits */
    unsigned n_leave;
    uint16_t loops[MAX_BLOCKS];
    unsigned n_loops;
    vaddr pc;
} Gen;

uint64_t rng_value(Rng *r, IrType type)
{
    static const uint64_t f64s[] = {
        0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
        0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000, 1,
        0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000,
        0xc1e0000000200000, 0x43e0000000000000, 0x3fe0000000000000, 0xc3e0000000000000,
        0x41efffffffe00000, 0x3ca0000000000000, 0x4330000000000001, 0x3ff8000000000000,
    };
    static const uint32_t f32s[] = {
        0, 1u << 31, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001,
        0xffa00000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000001, 0x5f000000,
        0x3f000000, 0x33800000, 0x4b000001, 0x3fc00000,
    };
    uint64_t v = rng_next(r);

    if (type == IR_F64 && rng_percent(r, 70)) {
        v = f64s[rng_below(r, ARRAY_SIZE(f64s))];
        return rng_percent(r, 30) ? v ^ rng_next(r) >> (20 + rng_below(r, 44)) : v;
    }
    if (type == IR_F32 && rng_percent(r, 70)) {
        v = f32s[rng_below(r, ARRAY_SIZE(f32s))];
        return rng_percent(r, 30) ? v ^ (uint32_t)(rng_next(r) >> (42 + rng_below(r, 20))) : v;
    }
    switch (rng_below(r, 8)) {
    case 0: v = (uint64_t)(int64_t)(int8_t)v; break;
    case 1: v = 1ull << (v & 63); break;
    case 2: v = (1ull << (v & 63)) - 1; break;
    case 3: v = 0 - (1ull << (v & 63)); break;
    case 4: v = (uint64_t)(int64_t)(int32_t)v; break;
    case 5: v &= 0xff; break;
    case 6: v = v & 1 ? UINT32_MAX : 0x7fffffff; break;
    default: break;
    }
    return ir_type_bytes(type) == 4 ? (uint32_t)v : v;
}

static IrRef append(Gen *g, IrInsn in)
{
    *vec_push(&g->u->insns) = in;
    return g->u->insns.n - 1;
}

static void add_value(Gen *g, IrRef ref)
{
    IrType type = ir_insn(g->u, ref)->type;
    Vals *v = &g->cur;

    if (v->n[type] < MAX_VALS) {
        v->ref[type][v->n[type]++] = ref;
    } else {
        v->ref[type][rng_below(g->rng, MAX_VALS)] = ref;
    }
}

static IrRef value_insn(Gen *g, IrInsn in)
{
    IrRef ref = append(g, in);

    add_value(g, ref);
    return ref;
}

static IrRef gen_const_of(Gen *g, IrType type, uint64_t imm)
{
    return append(g, (IrInsn){ .op = IR_const, .type = type, .a = IR_NONE, .imm = imm });
}

static IrRef gen_const(Gen *g, IrType type)
{
    if (ir_type_is_vec(type)) {
        IrVecConst v = { { 0 } };
        bool fp32 = rng_percent(g->rng, 40);
        for (unsigned i = 0; i < ir_type_bytes(type) / 8; i++) {
            v.u64[i] = fp32 ? rng_value(g->rng, IR_F32) | rng_value(g->rng, IR_F32) << 32
                            : rng_value(g->rng, rng_percent(g->rng, 50) ? IR_F64 : IR_I64);
        }
        *vec_push(&g->u->vconst) = v;
        return gen_const_of(g, type, g->u->vconst.n - 1);
    }
    return gen_const_of(g, type, rng_value(g->rng, type));
}

static unsigned random_slot(Gen *g, IrType type, bool to_write)
{
    for (;;) {
        unsigned s = 1 + rng_below(g->rng, T_N_SLOTS - 1);
        bool reserved = s == T_X6 || s == T_X7 || s == T_W3 || s == T_CNT;
        if (test_target.slots[s].type == type && !(to_write && reserved)) {
            return s;
        }
    }
}

static IrRef gen_get_slot(Gen *g, unsigned slot)
{
    return value_insn(g, (IrInsn){ .op = IR_get, .type = test_target.slots[slot].type, .aux = slot,
                                   .a = IR_NONE, .b = IR_NONE, .c = IR_NONE });
}

static IrRef operand(Gen *g, IrType type)
{
    Vals *v = &g->cur;
    unsigned dice = rng_below(g->rng, 100);

    if (dice < 15) {
        return gen_const(g, type);
    }
    if (dice < 30 || !v->n[type]) {
        return gen_get_slot(g, random_slot(g, type, false));
    }
    /* recent values more often, old ones keep registers under pressure */
    unsigned n = v->n[type];
    return rng_percent(g->rng, 60) && n > 4 ? v->ref[type][n - 1 - rng_below(g->rng, 4)]
                                            : v->ref[type][rng_below(g->rng, n)];
}

static IrType random_type(Gen *g)
{
    static const uint8_t mix[] = { IR_I64, IR_I64, IR_I64, IR_I32, IR_I32, IR_F64, IR_F32, IR_V128, IR_V256 };

    return mix[rng_below(g->rng, g->opt->no_v256 ? ARRAY_SIZE(mix) - 1 : ARRAY_SIZE(mix))];
}

static IrType type_for(Gen *g, char letter, IrType own)
{
    Rng *r = g->rng;

    switch (letter) {
    case 't': case 'f': case 'x': return own;
    case 'v': return ir_type_is_vec(own) ? own : g->opt->no_v256 || rng_percent(r, 50) ? IR_V128 : IR_V256;
    case 'w': return IR_I32;
    case 'q': return IR_I64;
    case 's': return IR_F32;
    case 'd': return IR_F64;
    case 'h': return IR_V128;
    case 'y': return rng_percent(r, 60) ? IR_I64 : IR_I32;
    case 'z': return rng_percent(r, 50) ? IR_F64 : IR_F32;
    default: return random_type(g);
    }
}

static IrType result_type(Gen *g, char letter)
{
    Rng *r = g->rng;

    switch (letter) {
    case 't': case 'y': return rng_percent(r, 65) ? IR_I64 : IR_I32;
    case 'f': return rng_percent(r, 50) ? IR_F64 : IR_F32;
    case 'v': return g->opt->no_v256 || rng_percent(r, 60) ? IR_V128 : IR_V256;
    case 'x': return random_type(g);
    case 'w': return IR_I32;
    case 'q': return IR_I64;
    case 's': return IR_F32;
    case 'h': return IR_V128;
    default: return IR_F64;
    }
}

static uint16_t random_aux(Gen *g, const IrInsn *in, IrType vec_type)
{
    Rng *r = g->rng;
    const char *kind = strchr(ir_op_info[in->op].signature, '/');
    unsigned bits = in->type == IR_I32 ? 32 : 64, lane;

    kind = kind ? kind + 1 : "";
    if (!strcmp(kind, "cond")) {
        return rng_below(r, IR_N_CONDS);
    }
    if (!strcmp(kind, "fcond")) {
        return rng_below(r, IR_N_FP_CONDS);
    }
    if (!strcmp(kind, "rm")) {
        unsigned rm = rng_percent(r, 60) ? IR_RM_DYN
                    : rng_below(r, g->opt->all_roundings ? IR_RM_ODD + 1 : IR_RM_UP + 1);
        if (in->op == IR_fma) {
            rm |= rng_below(r, 4) * IR_FMA_NEG_PRODUCT;
        }
        return rm | (in->op == IR_fround && rng_percent(r, 50) ? IR_ROUND_EXACT : 0);
    }
    if (!strcmp(kind, "lane")) {
        if (in->op >= IR_vfadd && in->op <= IR_VEC_LAST) {
            bool low = in->type == IR_V128 && (in->op <= IR_vfdiv || in->op == IR_vfma) && rng_percent(r, 40);
            return (IR_LANE_32 + rng_below(r, 2)) | (low ? IR_LANE_LOW << 4 : 0) |
                   (in->op == IR_vfma ? rng_below(r, 4) * IR_FMA_NEG_PRODUCT << 4 : 0) |
                   (in->op == IR_vfma ? rng_below(r, 3) * IR_FMA_REST_B << 4 : 0);
        }
        switch (in->op) {
        case IR_vfrcp: case IR_vfrsqrt: return IR_LANE_32;
        case IR_vmulws: case IR_vmulwu: return rng_below(r, 3);
        case IR_vpack_s: case IR_vpack_u: return 1 + rng_below(r, 2);
        default: return rng_below(r, 4);
        }
    }
    if (!strcmp(kind, "pos")) {
        unsigned pos = rng_below(r, bits);
        return pos | (1 + rng_below(r, bits - pos)) << 8;
    }
    if (!strcmp(kind, "imm")) {
        IrInsn t = *in;
        do {
            t.aux = (uint16_t)rng_below(r, rng_percent(r, 50) ? 16 : 4096);
        } while (!ir_imm_valid(&t) || ir_is_standard(&t)); /* Arm's, which the test guest is not */
        return t.aux;
    }
    switch (in->op) {
    case IR_vfmin: case IR_vfmax:
        return (IR_LANE_32 + rng_below(r, 2)) | rng_below(r, IR_N_MINMAX) << 4 |
               (in->type == IR_V128 && rng_percent(r, 40) ? IR_LANE_LOW << 4 : 0);
    case IR_vget_lane: case IR_vset_lane:
        lane = rng_below(r, 4);
        return lane | rng_below(r, ir_type_bytes(vec_type) >> lane) << 4;
    case IR_vcmp: return rng_below(r, 4) | rng_below(r, IR_TSTEQ) << 4;
    case IR_fmin: case IR_fmax: return rng_below(r, IR_N_MINMAX);
    default: return 0;
    }
}

/* A computation on values: any op from its signature. */
static void gen_compute(Gen *g)
{
    IrInsn in = { .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
    const char *sig;
    IrType types[3] = { 0 };

    do {
        in.op = IR_add + rng_below(g->rng, IR_ld - IR_add);
        /* favour integers: they are most of real code */
        if (in.op > IR_maxu && rng_percent(g->rng, 40)) {
            in.op = IR_add + rng_below(g->rng, IR_maxu - IR_add + 1);
        }
        sig = ir_op_info[in.op].signature;
        in.type = result_type(g, sig[0]);
    } while (in.op == IR_select && ir_type_is_vec(in.type) && rng_percent(g->rng, 50));

    for (unsigned i = 0; i < ir_op_info[in.op].n_operands; i++) {
        types[i] = type_for(g, sig[2 + i], in.type);
    }
    if (in.op == IR_setcond || in.op == IR_fcmp || in.op == IR_frel) {
        types[1] = types[0];
    } else if (in.op == IR_bitcast) {
        static const uint8_t same[4][2] = {
            { IR_I32, IR_F32 }, { IR_F32, IR_I32 }, { IR_I64, IR_F64 }, { IR_F64, IR_I64 } };
        unsigned k = rng_below(g->rng, 4);
        in.type = same[k][0];
        types[0] = same[k][1];
    } else if (in.op == IR_fcvt) {
        types[0] = in.type == IR_F64 ? IR_F32 : IR_F64;
    } else if (in.op == IR_vdup || in.op == IR_vzext) {
        do {
            types[0] = random_type(g);
        } while (ir_type_is_vec(types[0]));
    }
    in.aux = random_aux(g, &in, types[0]);
    if (in.op == IR_vdup && ir_type_bytes(types[0]) < 1u << (in.aux & 3)) {
        types[0] = IR_I64;
    }
    if (in.op == IR_vset_lane && (in.aux & 3) == IR_LANE_64) {
        types[1] = IR_I64;
    }
    IrRef *field[3] = { &in.a, &in.b, &in.c };
    for (unsigned i = 0; i < ir_op_info[in.op].n_operands; i++) {
        IrRef ref = operand(g, types[i]);
        *field[i] = ref;
    }
    value_insn(g, in);
}

static void gen_put_to(Gen *g, unsigned slot, IrRef v)
{
    append(g, (IrInsn){ .op = IR_put, .type = test_target.slots[slot].type, .aux = slot, .a = v,
                        .b = IR_NONE, .c = IR_NONE });
}

/* slliw, srliw, or and its like, sometimes with counts that are no rotation. */
static IrRef gen_rotation(Gen *g)
{
    Rng *r = g->rng;
    bool words = rng_percent(r, 60);
    IrType type = words ? IR_I32 : IR_I64;
    unsigned bits = words ? 32 : 64, n = 1 + rng_below(r, bits - 1), m = bits - n + (rng_percent(r, 10) ? 1 : 0);
    static const uint8_t joins[] = { IR_or, IR_or, IR_xor, IR_add };
    IrRef v = operand(g, type), half[2];

    for (unsigned k = 0; k < 2; k++) {
        IrRef count = gen_const_of(g, type, k ? m & (bits - 1) : n);
        half[k] = value_insn(g, (IrInsn){ .op = k ? IR_shr : IR_shl, .type = type, .a = v, .b = count,
                                          .c = IR_NONE });
        if (words) {
            half[k] = value_insn(g, (IrInsn){ .op = rng_percent(r, 90) ? IR_ext_s : IR_ext_u, .type = IR_I64,
                                              .a = half[k], .b = IR_NONE, .c = IR_NONE });
        }
        gen_put_to(g, random_slot(g, IR_I64, true), words || type == IR_I64 ? half[k] : v);
    }
    unsigned swap = rng_below(r, 2);
    return value_insn(g, (IrInsn){ .op = joins[rng_below(r, ARRAY_SIZE(joins))], .type = IR_I64,
                                   .a = half[swap], .b = half[!swap], .c = IR_NONE });
}

/* Chains of cheap operations with the constants compilers like: what folding rules look for. */
static void gen_idiom(Gen *g)
{
    static const uint8_t ops[] = {
        IR_add, IR_sub, IR_and, IR_or, IR_xor, IR_andn, IR_shl, IR_shl, IR_shr, IR_shr, IR_sar, IR_neg,
        IR_not, IR_sext8, IR_sext16, IR_sext32, IR_sext32, IR_zext8, IR_zext16, IR_zext32, IR_bfx,
        IR_bfxs, IR_bfi, IR_trunc, IR_ext_s, IR_ext_u, IR_setcond, IR_select, IR_mul, IR_divu, IR_remu,
        IR_rotl,
    };
    static const uint64_t consts[] = {
        0, 1, 2, 3, 8, 16, 24, 29, 31, 32, 33, 48, 56, 61, 63, 0xff, 0xffff, 0xffffffff, 0x7fffffff,
        0x80000000, 0xffffffff80000000, 0xffffffffffffffff, 0xfff, 0x7f, 0x3f, 0x1f,
    };
    Rng *r = g->rng;
    IrRef v = rng_percent(r, 15) ? gen_rotation(g) : operand(g, rng_percent(r, 75) ? IR_I64 : IR_I32);

    for (unsigned n = 2 + rng_below(r, 4); n--;) {
        IrType type = ir_insn(g->u, v)->type;
        IrInsn in = { .op = ops[rng_below(r, ARRAY_SIZE(ops))], .type = type, .a = v, .b = IR_NONE,
                      .c = IR_NONE };
        uint64_t c = consts[rng_below(r, ARRAY_SIZE(consts))];
        const char *sig = ir_op_info[in.op].signature;
        if ((sig[2] == 'q' && type != IR_I64) || (sig[2] == 'w' && type != IR_I32)) {
            continue;
        }
        if (sig[0] == 'q' || sig[0] == 'w') {
            in.type = sig[0] == 'q' ? IR_I64 : IR_I32;
        }
        in.aux = random_aux(g, &in, IR_VOID);
        if (ir_op_info[in.op].n_operands >= 2) {
            in.b = rng_percent(r, 80) ? gen_const_of(g, type, type == IR_I32 ? (uint32_t)c : c)
                                      : operand(g, type);
        }
        if (in.op == IR_setcond) {
            in.type = rng_percent(r, 70) ? IR_I64 : IR_I32;
        } else if (in.op == IR_select) {
            in.c = rng_percent(r, 50) ? gen_const_of(g, type, rng_below(r, 2)) : operand(g, type);
        }
        if (ir_op_info[in.op].n_operands == 2 && rng_percent(r, 10) && in.op != IR_bfi) {
            IrRef t = in.a;
            in.a = in.b;
            in.b = t;
        }
        v = value_insn(g, in);
    }
    gen_put_to(g, random_slot(g, ir_insn(g->u, v)->type, true), v);
}

/* -- guest memory --------------------------------------------------------------------------------- */

static bool narrow_addresses(const Gen *g)
{
    return g->mode == FUZZ_ADDR32 || g->mode == FUZZ_SOFTMMU32;
}

static IrRef op2(Gen *g, IrOp op, IrType type, IrRef a, IrRef b)
{
    return value_insn(g, (IrInsn){ .op = op, .type = type, .a = a, .b = b, .c = IR_NONE });
}

/* Fills a, b and the descriptor of an access of size 1 << size_log2. */
static IrMem gen_address(Gen *g, IrInsn *in, unsigned size_log2, bool may_index, bool aligned)
{
    Rng *r = g->rng;
    IrType type = narrow_addresses(g) ? IR_I32 : IR_I64;
    IrMem mem = { .size_log2 = size_log2 };
    bool wild = rng_percent(r, 6);
    uint64_t mask = wild ? 0x3fff : 0x3ff;

    if (aligned || rng_percent(r, 60)) {
        mask &= ~(uint64_t)0 << size_log2;
    }
    in->a = gen_get_slot(g, narrow_addresses(g) ? T_W3 : rng_percent(r, 50) ? T_X6 : T_X7);
    in->b = IR_NONE;
    if (rng_percent(r, 15)) {
        /* a constant address */
        uint64_t addr = scratch_guest[g->mode] + (rng_next(r) & mask);
        in->a = gen_const_of(g, type, type == IR_I32 ? (uint32_t)addr : addr);
    } else if (rng_percent(r, 60)) {
        unsigned scale = may_index ? rng_below(r, 4) : 0;
        IrRef v = operand(g, type);
        IrRef c = gen_const_of(g, type, mask >> scale & ~(uint64_t)0 << (aligned ? size_log2 : 0));
        IrRef idx = op2(g, IR_and, type, v, c);
        if (may_index && rng_percent(r, 50)) {
            in->b = idx;
            mem.scale_log2 = scale;
        } else {
            in->a = op2(g, IR_add, type, in->a, idx);
        }
    }
    if (rng_percent(r, 60)) {
        mem.disp = (int32_t)(rng_below(r, 0x800) & mask) - (rng_percent(r, 30) ? 0x400 : 0);
    }
    mem.big_endian = size_log2 && size_log2 < 4 && rng_percent(r, 15);
    mem.align = rng_percent(r, 20) ? rng_percent(r, 20) ? IR_ALIGN_TWICE : IR_ALIGN_FAULT : IR_ALIGN_ANY;
    mem.order = rng_percent(r, 10) ? rng_below(r, 4) : 0;
    mem.mmu_index = g->mode >= FUZZ_SOFTMMU ? rng_below(r, 2) : 0;
    return mem;
}

static uint16_t add_mem(Gen *g, IrMem mem)
{
    *vec_push(&g->u->mem) = mem;
    return g->u->mem.n - 1;
}

static void gen_ld_st(Gen *g)
{
    Rng *r = g->rng;
    IrInsn in = { .op = rng_percent(r, 55) ? IR_ld : IR_st, .type = random_type(g), .c = IR_NONE };
    bool is_int = ir_type_is_int(in.type), vec = ir_type_is_vec(in.type);
    unsigned full = (unsigned)__builtin_ctz(ir_type_bytes(in.type));
    unsigned size = is_int ? rng_below(r, full + 1) : in.type == IR_V128 && rng_percent(r, 30) ? 2 + rng_below(r, 2) : full;

    if (in.op == IR_st) {
        in.c = operand(g, in.type);
    }
    IrMem mem = gen_address(g, &in, size, true, vec);
    mem.sign = in.op == IR_ld && is_int && rng_percent(r, 40);
    if (vec) {
        mem.big_endian = false;
        mem.order = 0;
        mem.disp &= ~31;
    }
    in.aux = add_mem(g, mem);
    if (in.op == IR_ld) {
        value_insn(g, in);
    } else {
        append(g, in);
    }
}

static void gen_atomic(Gen *g)
{
    Rng *r = g->rng;
    static const uint8_t ops[] = { IR_rmw, IR_rmw, IR_cas, IR_ll };
    IrInsn in = { .op = ops[rng_below(r, ARRAY_SIZE(ops))],
                  .type = rng_percent(r, 60) ? IR_I64 : IR_I32, .c = IR_NONE };
    unsigned size = rng_below(r, in.type == IR_I64 ? 4 : 3);
    bool misaligned = rng_percent(r, 10);

    if (in.op == IR_ll) {
        size = MAX(size, 2u);
    }
    IrRef v = operand(g, in.type), w = operand(g, in.type);
    IrMem mem = gen_address(g, &in, size, false, !misaligned);
    mem.align = IR_ALIGN_FAULT;
    mem.sign = rng_percent(r, 50);
    mem.rmw = rng_below(r, IR_N_RMWS);
    if (!misaligned) {
        mem.disp &= -(1 << size);
    }
    if (in.op != IR_rmw) {
        mem.rmw = 0;
    }
    in.aux = add_mem(g, mem);
    in.b = in.op == IR_ll ? IR_NONE : v;
    if (in.op == IR_cas) {
        in.c = w;
    }
    IrRef base = in.a;
    value_insn(g, in);
    if (in.op == IR_ll) {
        if (rng_percent(r, 40)) {
            gen_compute(g);
        }
        in.op = IR_sc;
        in.a = base;
        in.b = operand(g, in.type);
        if (rng_percent(r, 10)) {
            mem.disp += 1 << size;
            in.aux = add_mem(g, mem);
        }
        value_insn(g, in);
    }
}

/* -- the rest ---------------------------------------------------------------------------------------- */

static void gen_put(Gen *g)
{
    IrType type = random_type(g);
    IrRef v = operand(g, type);

    gen_put_to(g, random_slot(g, type, true), v);
}

static void gen_call(Gen *g)
{
    unsigned id = rng_below(g->rng, T_N_HELPERS);
    IrRef args[6];

    if (id == T_H_STOP) {
        id = T_H_MIX;
    }
    const HelperDesc *h = &test_target.helpers[id];
    for (unsigned i = 0; i < h->n_args; i++) {
        args[i] = operand(g, h->arg[i]);
    }
    if (h->flags & HELPER_RAISES) {
        gen_put_to(g, T_PC, gen_const_of(g, IR_I64, g->pc));
    }
    uint32_t first = g->u->args.n;
    for (unsigned i = 0; i < h->n_args; i++) {
        *vec_push(&g->u->args) = args[i];
    }
    IrInsn in = { .op = IR_call, .type = h->result, .aux = id, .a = first, .b = h->n_args, .c = IR_NONE };
    if (h->result == IR_VOID) {
        append(g, in);
    } else {
        value_insn(g, in);
    }
}

static void gen_env(Gen *g)
{
    Rng *r = g->rng;
    IrType type = random_type(g);
    unsigned full = (unsigned)__builtin_ctz(ir_type_bytes(type));
    unsigned size = ir_type_is_int(type) ? rng_below(r, full + 1) : full;
    int offset = (int)offsetof(TestState, env) + (int)(rng_below(r, 224) & ~((1u << size) - 1));

    if (rng_percent(r, 50)) {
        append(g, (IrInsn){ .op = IR_stenv, .type = type, .aux = size, .a = operand(g, type),
                            .b = (uint32_t)offset, .c = IR_NONE });
    } else {
        bool sign = ir_type_is_int(type) && rng_percent(r, 50);
        value_insn(g, (IrInsn){ .op = IR_ldenv, .type = type, .aux = size | (sign ? IR_ENV_SIGN : 0),
                                .a = IR_NONE, .b = (uint32_t)offset, .c = IR_NONE });
    }
}

static void gen_insn_start(Gen *g)
{
    g->pc += 4;
    append(g, (IrInsn){ .op = IR_insn_start, .a = (uint32_t)g->pc * 7, .imm = g->pc });
}

static void gen_body(Gen *g)
{
    unsigned n = 1 + rng_below(g->rng, g->opt->max_insns);

    for (unsigned i = 0; i < n; i++) {
        if (rng_percent(g->rng, 25)) {
            gen_insn_start(g);
        }
        unsigned dice = rng_below(g->rng, 100);
        if (dice < 12) {
            gen_idiom(g);
        } else if (dice < 52) {
            gen_compute(g);
        } else if (dice < 72) {
            gen_put(g);
        } else if (dice < 84) {
            gen_ld_st(g);
        } else if (dice < 88) {
            gen_atomic(g);
        } else if (dice < 92) {
            gen_env(g);
        } else if (dice < 96) {
            gen_call(g);
        } else if (dice < 97) {
            append(g, (IrInsn){ .op = IR_fence, .aux = rng_below(g->rng, 16), .a = IR_NONE,
                                .b = IR_NONE, .c = IR_NONE });
        } else {
            add_value(g, gen_get_slot(g, random_slot(g, random_type(g), false)));
        }
    }
}

static void gen_exit(Gen *g)
{
    Rng *r = g->rng;
    IrExit e = { .kind = rng_below(r, IR_N_EXIT_KINDS), .pc = 0x10000 + rng_below(r, 0x1000) * 2,
                 .return_pc = 0x20000 + rng_below(r, 0x1000) * 2 };
    IrInsn in = { .op = IR_exit, .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };

    if (e.kind == IR_EXIT_INDIRECT || e.kind == IR_EXIT_INDIRECT_CALL || e.kind == IR_EXIT_RETURN ||
        (e.kind == IR_EXIT_LEAVE && rng_percent(r, 30))) {
        in.a = operand(g, IR_I64);
    }
    if (e.kind == IR_EXIT_LEAVE) {
        e.reason = VCPU_EXIT_SYSCALL + rng_below(r, 2);
    }
    *vec_push(&g->u->exits) = e;
    in.aux = g->u->exits.n - 1;
    append(g, in);
}

static void open_edge(Gen *g, IrRef term, unsigned which, uint16_t from)
{
    g->edge[g->n_edges++] = (Edge){ .term = term, .which = which, .from = from };
}

static void resolve(Gen *g, const Edge *e, uint16_t to)
{
    IrInsn *in = ir_insn(g->u, e->term);

    if (in->op == IR_br) {
        in->a = to;
    } else if (e->which) {
        in->c = (in->c & 0xffff) | (uint32_t)to << 16;
    } else {
        in->c = (in->c & 0xffff0000) | to;
    }
}

static void take_edge(Gen *g, unsigned i, uint16_t to)
{
    resolve(g, &g->edge[i], to);
    g->edge[i] = g->edge[--g->n_edges];
}

/* Ends the block; `last`: nothing may be left open. */
static void gen_terminator(Gen *g, uint16_t block, bool last)
{
    Rng *r = g->rng;
    unsigned dice = rng_below(r, 100);

    if (last || dice < 18 || g->n_edges > MAX_EDGES - 4) {
        gen_exit(g);
        return;
    }
    IrInsn in = { .a = IR_NONE, .b = IR_NONE, .c = 0 };
    if (dice < 38) {
        in.op = IR_br;
        in.a = 0;
        in.c = IR_NONE;
    } else if (dice < 85) {
        IrType type = rng_percent(r, 70) ? IR_I64 : IR_I32;
        in.op = IR_brcond;
        in.aux = rng_below(r, IR_N_CONDS);
        in.a = operand(g, type);
        in.b = rng_percent(r, 40) ? gen_const_of(g, type, rng_below(r, 3)) : operand(g, type);
        in.type = type;
    } else {
        in.type = rng_percent(r, 70) ? IR_I64 : IR_I32;
        in.op = IR_brnz;
        in.a = operand(g, in.type);
    }
    IrRef term = append(g, in);
    for (unsigned which = 0; which < (in.op == IR_br ? 1u : 2u); which++) {
        Edge e = { .term = term, .which = which, .from = block };
        if (g->n_loops && rng_percent(r, 30)) {
            resolve(g, &e, g->loops[rng_below(r, g->n_loops)]);
        } else {
            open_edge(g, term, which, block);
        }
    }
}

/* A LOOP block counts down, and leaves when it has run often enough. */
static void gen_loop_head(Gen *g, uint16_t block)
{
    IrRef cnt = gen_get_slot(g, T_CNT);
    IrRef next = op2(g, IR_sub, IR_I32, cnt, gen_const_of(g, IR_I32, 1));

    gen_put_to(g, T_CNT, next);
    IrRef zero = gen_const_of(g, IR_I32, 0);
    IrRef term = append(g, (IrInsn){ .op = IR_brcond, .type = IR_I32, .aux = IR_LE, .a = next, .b = zero });
    g->leave[g->n_leave++] = term;
    open_edge(g, term, 1, block);
    g->loops[g->n_loops++] = block;
}

static void gen_block(Gen *g, uint16_t block, bool last)
{
    Rng *r = g->rng;
    IrBlock bb = { .first = g->u->insns.n, .pc = g->pc };
    bool loop = false;

    memset(&g->cur, 0, sizeof(g->cur));
    if (block == 0) {
        bb.flags = IR_BLOCK_MERGE;
        loop = !last && rng_percent(r, 15);
    } else if (!last && rng_percent(r, 65)) {
        unsigned i = rng_below(r, g->n_edges);
        bb.pred = g->edge[i].from;
        g->cur = g->end[bb.pred];
        take_edge(g, i, block);
        bb.flags = rng_percent(r, 10) ? IR_BLOCK_COLD : 0;
    } else {
        bb.flags = IR_BLOCK_MERGE;
        loop = !last && rng_percent(r, 50);
        unsigned n = last ? g->n_edges : 1 + rng_below(r, g->n_edges);
        while (n--) {
            take_edge(g, rng_below(r, g->n_edges), block);
        }
        for (unsigned i = 0; last && i < g->n_leave; i++) {
            resolve(g, &(Edge){ .term = g->leave[i] }, block);
        }
    }
    if (loop) {
        bb.flags |= IR_BLOCK_LOOP;
    }
    if (block == 0 || loop) {
        g->pc += 4;
        append(g, (IrInsn){ .op = IR_poll, .a = IR_NONE, .imm = g->pc });
        if (rng_percent(r, 20)) {
            append(g, (IrInsn){ .op = IR_icount, .aux = 1 + rng_below(r, 6), .a = IR_NONE, .imm = g->pc });
        }
        append(g, (IrInsn){ .op = IR_insn_start, .a = 0, .imm = g->pc });
    } else {
        gen_insn_start(g);
    }
    gen_body(g);
    if (loop) {
        gen_loop_head(g, block);
    } else {
        gen_terminator(g, block, last);
    }
    bb.end = g->u->insns.n;
    *vec_push(&g->u->blocks) = bb;
    g->end[block] = g->cur;
}

/* Gives blocks other numbers than their place in emission order, as front ends do. */
static void shuffle_numbers(Gen *g)
{
    IrUnit *u = g->u;
    uint16_t to[MAX_BLOCKS];
    IrBlock old[MAX_BLOCKS];
    unsigned n = u->blocks.n;

    for (unsigned i = 0; i < n; i++) {
        to[i] = i;
        old[i] = u->blocks.at[i];
    }
    for (unsigned i = n - 1; i > 1; i--) {
        unsigned j = 1 + rng_below(g->rng, i);
        uint16_t t = to[i];
        to[i] = to[j];
        to[j] = t;
    }
    for (unsigned i = 0; i < n; i++) {
        old[i].pred = to[old[i].pred];
        u->blocks.at[to[i]] = old[i];
        IrInsn *term = ir_insn(u, old[i].end - 1);
        if (term->op == IR_br) {
            term->a = to[term->a];
        } else if (term->op == IR_brcond || term->op == IR_brnz) {
            term->c = to[term->c & 0xffff] | (uint32_t)to[term->c >> 16] << 16;
        }
    }
}

void ir_gen(IrUnit *unit, Rng *rng, FuzzMode mode, const GenOptions *options)
{
    static Gen gen;
    Gen *g = &gen;
    unsigned max = MIN(options->max_blocks, (unsigned)MAX_BLOCKS);
    unsigned n = 1 + rng_below(rng, max);

    memset(g, 0, sizeof(*g));
    g->u = unit;
    g->rng = rng;
    g->mode = mode;
    g->opt = options;
    g->pc = 0x1000;
    ir_unit_reset(unit);
    unit->target = &test_target;
    unit->pc = 0x1000;
    unit->mode = 0;
    unit->softmmu = mode >= FUZZ_SOFTMMU;
    unit->addr32 = narrow_addresses(g);
    unit->guest_base_zero = mode == FUZZ_BASE0;
    unit->parallel = rng_percent(rng, 30);
    for (unsigned k = 0; k < n - 1; k++) {
        if (k && !g->n_edges) {
            break;
        }
        gen_block(g, k, false);
    }
    if (!unit->blocks.n || g->n_edges || g->n_leave) {
        gen_block(g, unit->blocks.n, true);
    }
    if (rng_percent(rng, 25)) {
        shuffle_numbers(g);
    }
    ir_unit_facts(unit);
}
