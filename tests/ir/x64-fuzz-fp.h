/* x64-fuzz-fp.h: floating-point and vector operations for x64-fuzz.c. */
#ifndef TESTS_IR_X64_FUZZ_FP_H
#define TESTS_IR_X64_FUZZ_FP_H

static uint64_t fp_bits(bool wide)
{
    static const uint64_t d[] = { 0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 1, 0x000fffffffffffff, 0x0010000000000000,
        0x7fefffffffffffff, 0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000,
        0x41efffffffe00000, 0x41f0000000000000, 0x3fe0000000000000, 0x4340000000000001, 0xfff8000000000123 };
    static const uint32_t s[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001,
        1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4effffff, 0x4f000000, 0xcf000000, 0x5f000000, 0x4f7fffff, 0x3f000000 };
    switch (pick(4)) {
    case 0: return wide ? d[pick(ARRAY_SIZE(d))] : s[pick(ARRAY_SIZE(s))];
    case 1: { /* small integers and halves */
        double x = (int)pick(4096) / 4.0 - 300;
        float y = x;
        uint64_t v = 0;
        wide ? memcpy(&v, &x, 8) : memcpy(&v, &y, 4);
        return v;
    }
    case 2: return wide ? (rnd() & 0x800fffffffffffff) | (uint64_t)(1023 - 40 + pick(120)) << 52
                        : (rnd() & 0x807fffff) | (127 - 40 + pick(120)) << 23;
    default: return wide ? rnd() : (uint32_t)rnd();
    }
}

static IrRef fp_value(IrType type)
{
    return pick(4) ? value(type) : ir_const(b, type, fp_bits(type == IR_F64));
}

void gen_fp(void)
{
    IrType t = pick(3) ? IR_F64 : IR_F32, other = t == IR_F64 ? IR_F32 : IR_F64;
    IrType it = pick(2) ? IR_I64 : IR_I32;
    unsigned rm = pick(3) ? IR_RM_DYN : pick(7);
    IrOp op = IR_fadd + pick(IR_flow - IR_fadd + 1);
    IrRef r;
    switch (op) {
    case IR_fadd: case IR_fsub: case IR_fmul: case IR_fdiv:
        r = ir_emit(b, op, t, rm, fp_value(t), fp_value(t), IR_NONE);
        break;
    case IR_fsqrt: r = ir_emit(b, op, t, rm, fp_value(t), IR_NONE, IR_NONE); break;
    case IR_fma: r = ir_emit(b, op, t, rm | pick(4) << 3, fp_value(t), fp_value(t), fp_value(t)); break;
    case IR_fmin: case IR_fmax: r = ir_emit(b, op, t, pick(x86_rules ? 3 : 2), fp_value(t), fp_value(t), IR_NONE); break;
    case IR_fcmp: r = ir_emit(b, op, it, pick(7), fp_value(t), fp_value(t), IR_NONE); break;
    case IR_frel: r = ir_emit(b, op, IR_I32, pick(2), fp_value(t), fp_value(t), IR_NONE); break;
    case IR_fcvt: r = ir_emit(b, op, t, rm, fp_value(other), IR_NONE, IR_NONE); break;
    case IR_f2i: case IR_f2u: r = ir_emit(b, op, it, pick(2) ? IR_RM_ZERO : rm, fp_value(t), IR_NONE, IR_NONE); break;
    case IR_i2f: case IR_u2f: r = ir_emit(b, op, t, rm, value(it), IR_NONE, IR_NONE); break;
    case IR_fround: r = ir_emit(b, op, t, rm | pick(2) << 3, fp_value(t), IR_NONE, IR_NONE); break;
    case IR_fclass: r = ir_emit(b, op, it, 0, fp_value(t), IR_NONE, IR_NONE); break;
    case IR_bitcast:
        switch (pick(4)) {
        case 0: r = ir_op1(b, op, IR_I64, value(IR_F64)); break;
        case 1: r = ir_op1(b, op, IR_F64, value(IR_I64)); break;
        case 2: r = ir_op1(b, op, IR_I32, value(IR_F32)); break;
        default: r = ir_op1(b, op, IR_F32, value(IR_I32)); break;
        }
        break;
    case IR_fbox: r = ir_op1(b, op, IR_F64, value(IR_F32)); break;
    default: r = ir_op1(b, op, IR_F32, value(IR_F64)); break;
    }
    pool_add(r);
}

static IrRef vec_value(IrType type)
{
    if (pick(6)) {
        return value(type);
    }
    IrVecConst c;
    for (unsigned i = 0; i < 4; i++) {
        c.u64[i] = pick(3) ? rnd_value() : fp_bits(true);
    }
    if (pick(4) == 0) {
        memset(&c, 0, sizeof(c));
    }
    return ir_vconst(b, type, &c);
}

/* Those whose aux the verifier's rules describe. */
static void gen_vec_more(IrOp op, const char *sig)
{
    IrType t = !allow_256 || pick(3) ? IR_V128 : IR_V256, own = t;
    IrInsn in = { .op = op };
    IrRef v[3] = { IR_NONE, IR_NONE, IR_NONE };
    switch (sig[0]) {
    case 'h': own = IR_V128; break;
    case 't': own = pick(2) ? IR_I64 : IR_I32; break;
    case 'w': own = IR_I32; break;
    case 'f': own = pick(2) ? IR_F64 : IR_F32; break;
    }
    in.type = own;
    for (unsigned i = 0; i < ir_op_info[op].n_operands; i++) {
        static const uint8_t scalars[] = { IR_I32, IR_I64, IR_F32, IR_F64 };
        IrType ot = sig[2 + i] == 'h' ? IR_V128 : sig[2 + i] == 'v' ? (ir_type_is_vec(own) ? own : t)
                  : sig[2 + i] == 'w' ? IR_I32 : sig[2 + i] == 'q' ? IR_I64 : sig[2 + i] == 'z' ? scalars[2 + pick(2)] : scalars[allow_fp ? pick(4) : pick(2)];
        v[i] = ir_type_is_vec(ot) ? vec_value(ot) : ir_type_is_fp(ot) ? fp_value(ot) : value(ot);
    }
    if (strstr(sig, "/imm")) {
        do {
            in.aux = pick(pick(2) ? 16 : 4096);
        } while (!ir_imm_valid(&in));
        if (!standard && ir_is_standard(&in)) {
            in.aux ^= IR_FREL_STD << 4;
        }
    } else if (op == IR_vfmin || op == IR_vfmax) {
        in.aux = 2 + pick(2) + pick(3) * 16 + (own == IR_V128 && pick(3) == 0 ? IR_LANE_LOW << 4 : 0);
        in.aux |= standard && own == IR_V128 && (in.aux & 3) == 2 && pick(2) ? IR_FP_STD << 4 : 0;
    } else if (strstr(sig, "/lane")) {
        in.aux = op == IR_vfrcp || op == IR_vfrsqrt ? 2 : op == IR_vmulws || op == IR_vmulwu ? pick(3)
               : op == IR_vpack_s || op == IR_vpack_u ? 1 + pick(2) : op == IR_vfaddsub ? 2 + pick(2) : pick(4);
    }
    pool_add(ir_emit(b, op, own, in.aux, v[0], v[1], v[2]));
}

/* A load right in front of the operation that uses it. */
static void gen_vec_load(void)
{
    static const uint8_t ops[] = { IR_vand, IR_vadd, IR_vcmp, IR_vzip_lo, IR_vtbl, IR_vsel32, IR_vsad, IR_vmulwu, IR_vfadd, IR_vfdiv, IR_vfmin,
                                   IR_vfcmp, IR_vfmul, IR_vsub, IR_vshl_by, IR_vpack_s, IR_vshr_each };
    IrOp op = ops[pick(ARRAY_SIZE(ops))];
    bool fp = op >= IR_vfadd;
    unsigned lane = fp ? 2 + pick(2) : op == IR_vmulwu ? 2 : op == IR_vpack_s ? 1 + pick(2) : pick(4), size = pick(4) ? 4 : lane >= 2 ? lane : 2;
    IrMem mem = { .size_log2 = size, .align = pick(3) ? IR_ALIGN_ANY : IR_ALIGN_FAULT };
    unsigned low = size < 4 && fp && pick(4) ? 1 : 0;
    unsigned aux = op == IR_vand || op == IR_vtbl || op == IR_vsad ? 0 : op == IR_vsel32 ? pick(256) : op == IR_vcmp ? lane | pick(10) << 4
                 : op == IR_vfcmp ? lane | low << 2 | pick(32) << 4 : op == IR_vfmin ? lane | IR_MINMAX_X86 << 4 | low * IR_LANE_LOW << 4
                 : lane | low * IR_LANE_LOW << 4;
    IrRef a = vec_value(IR_V128), index, base = address(&mem, &index);
    pool_add(ir_emit(b, op, IR_V128, aux, a, ir_load(b, IR_V128, base, index, mem), IR_NONE));
}

void gen_vec(void)
{
    if (pick(4) == 0) {
        gen_vec_load();
        return;
    }
    IrType t = !allow_256 || pick(3) ? IR_V128 : IR_V256;
    IrOp op = IR_VEC_FIRST + pick(IR_VEC_LAST - IR_VEC_FIRST + 1);
    unsigned lane = pick(4), n = ir_type_bytes(t) >> lane;
    IrType it = lane == 3 ? IR_I64 : pick(2) ? IR_I64 : IR_I32;
    const char *sig = ir_op_info[op].signature;
    IrRef r;
    if (op >= IR_vlow && (op < IR_vfadd || op > IR_vfma)) {
        gen_vec_more(op, sig);
        return;
    }
    switch (op) {
    case IR_vget_lane: r = ir_emit(b, op, it, lane | pick(n) << 4, vec_value(t), IR_NONE, IR_NONE); break;
    case IR_vset_lane: r = ir_emit(b, op, t, lane | pick(n) << 4, vec_value(t), value(it), IR_NONE); break;
    case IR_vdup: r = ir_emit(b, op, t, lane, value(it), IR_NONE, IR_NONE); break;
    case IR_vcmp: r = ir_emit(b, op, t, lane | pick(IR_N_CONDS) << 4, vec_value(t), vec_value(t), IR_NONE); break;
    case IR_vshl: case IR_vshr: case IR_vsar:
        r = ir_emit(b, op, t, lane, vec_value(t), pick(2) ? ir_i64(b, pick(70)) : value(it), IR_NONE);
        break;
    case IR_vbsel: r = ir_emit(b, op, t, 0, vec_value(t), vec_value(t), vec_value(t)); break;
    case IR_vxor: /* of three, half of them */
        r = pick(2) ? vec_value(t) : ir_emit(b, op, t, 0, vec_value(t), vec_value(t), IR_NONE);
        r = ir_emit(b, op, t, 0, r, vec_value(t), IR_NONE);
        break;
    default:
        if (op >= IR_vfadd) {
            lane = 2 + pick(2);
        }
        if (t == IR_V128 && (op == IR_vfma || (op >= IR_vfadd && op <= IR_vfdiv)) && pick(3) == 0) {
            lane |= IR_LANE_LOW << 4;
        }
        if (op == IR_vfma) {
            lane |= pick(4) << 7 | pick(3) * IR_FMA_REST_B << 4;
        }
        if (standard && t == IR_V128 && (lane & 3) == 2 && op >= IR_vfadd && op <= IR_vfma && op != IR_vfdiv && op != IR_vfsqrt && pick(2)) {
            lane |= IR_FP_STD << 4;
        }
        r = ir_emit(b, op, t, op >= IR_vand && op <= IR_vbsel ? 0 : lane, vec_value(t),
                    ir_op_info[op].n_operands > 1 ? vec_value(t) : IR_NONE,
                    ir_op_info[op].n_operands > 2 ? vec_value(t) : IR_NONE);
    }
    pool_add(r);
}

static void fuzz_fp_state(TestState *st)
{
    for (unsigned i = 0; i < 3; i++) {
        st->f[i] = pick(3) ? fp_bits(true) : 0xffffffff00000000 | fp_bits(false);
    }
    st->s[0] = fp_bits(false);
    st->s[1] = fp_bits(false);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = pick(2) ? fp_bits(true) : fp_bits(false) | fp_bits(false) << 32;
        memcpy(st->v[i % 3] + i / 3 * 8 % 16, &v, 8);
        memcpy(st->y[i % 2] + i / 2 * 8, &v, 8);
    }
}

/* The denormal flag and modes, which no guest but x86 has: the flag is set from the start for others. */
static uint32_t fuzz_fp_control(void)
{
    if (standard) {
        return 0x1fa2; /* nearest, inexact raised */
    }
    uint32_t denormals = !x86_rules ? 2 : pick(3) ? 0 : (pick(2) ? 0x40 : 0) | (pick(2) ? 0x8000 : 0);
    return 0x1f80 | denormals | (allow_fp ? pick(4) << 13 | (pick(2) ? 0x20 : 0) : 0);
}
static VcpuExit fuzz_interp(Vcpu *vcpu, const IrUnit *u) { return host_run_interp(vcpu, u); }
#endif
