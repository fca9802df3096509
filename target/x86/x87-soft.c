/*
 * x87-soft.c: x87 instructions in C, on the state in memory.
 *
 * Everything the unit does: stack faults, masked and unmasked responses, condition codes, precision and rounding control. Numbers are libfpu's, the
 * transcendental functions those of x87-math.c. An unmasked exception leaves operands and stack as the manual says and sets ES; it is
 * delivered in front of the next waiting instruction (helper-x87.c).
 *
 * Specification: Intel SDM volume 1, chapter 8; volume 2, the instruction pages. What the manual leaves open is as processors do it
 * (tests/isa/x86/x87-native.c).
 */
#include <string.h>
#include "accel/tcg.h"
#include "target/x86/x87.h"

typedef struct X87 {
    Vcpu *vcpu;
    X86State *s;
    uint32_t code;
    FpStatus fp;
} X87;

static const f80 indefinite = { .sign_exp = 0xffff, .sig = (uint64_t)3 << 62 };

static void begin(X87 *x, Vcpu *vcpu, uint32_t code)
{
    static const uint8_t rounding[4] = { FP_RNE, FP_RDN, FP_RUP, FP_RTZ };
    static const uint8_t precision[4] = { 24, 64, 53, 64 };
    X86State *s = x86_state(vcpu);

    *x = (X87){ .vcpu = vcpu, .s = s, .code = code };
    x->fp.rules = &fp_rules_x87;
    x->fp.rounding = rounding[s->fcw >> 10 & 3];
    x->fp.precision = precision[s->fcw >> 8 & 3];
    x->fp.trapped = (uint8_t)((s->fcw & X87_OE ? 0 : FP_OVERFLOW) | (s->fcw & X87_UE ? 0 : FP_UNDERFLOW));
}

/* ---- the stack ---- */

static unsigned phys(const X87 *x, unsigned i) { return (x->s->ftop + i) & 7; }
static bool is_empty(const X87 *x, unsigned i) { return x->s->fempty >> phys(x, i) & 1; }

static f80 st(const X87 *x, unsigned i)
{
    const X86Fpr *r = &x->s->fpr[phys(x, i)];
    return (f80){ .sig = r->mantissa, .sign_exp = r->sign_exp };
}

static void set_st(X87 *x, unsigned i, f80 v)
{
    X86Fpr *r = &x->s->fpr[phys(x, i)];
    r->mantissa = v.sig;
    r->sign_exp = v.sign_exp;
    x->s->fempty &= (uint8_t)~(1u << phys(x, i));
}

static void pop(X87 *x)
{
    x->s->fempty |= (uint8_t)(1u << x->s->ftop);
    x->s->ftop = (x->s->ftop + 1) & 7;
}

static void pops(X87 *x, unsigned n)
{
    while (n--) {
        pop(x);
    }
}

static void push(X87 *x, f80 v)
{
    x->s->ftop = (x->s->ftop - 1) & 7;
    set_st(x, 0, v);
}

/* ---- exceptions ---- */

static void set_c1(X87 *x, bool on)
{
    x->s->fsw = (uint16_t)((x->s->fsw & ~X87_C1) | (on ? X87_C1 : 0));
}

/* Sets flags (and SF); true when one of them is unmasked. */
static bool raise_flags(X87 *x, unsigned flags)
{
    bool unmasked = flags & ~x->s->fcw & X87_EXCEPTIONS;
    x->s->fsw |= (uint16_t)flags;
    if (unmasked) {
        x->s->fsw |= X87_ES | X87_B;
        x->s->fop = (uint16_t)((ir_x87_opcode(x->code) & 7) << 8 | ir_x87_modrm(x->code));
    }
    return unmasked;
}

/* Stack fault; true: masked, the response is the indefinite value. */
static bool stack_fault(X87 *x, bool overflow)
{
    set_c1(x, overflow);
    return !raise_flags(x, X87_IE | X87_SF);
}

static unsigned flags_of(const FpStatus *fp)
{
    uint32_t f = fp->flags;
    return (f & FP_INVALID ? X87_IE : 0u) | (f & FP_DENORMAL ? X87_DE : 0u) | (f & FP_DIVZERO ? X87_ZE : 0u) |
           (f & FP_OVERFLOW ? X87_OE : 0u) | (f & FP_UNDERFLOW ? X87_UE : 0u) | (f & FP_INEXACT ? X87_PE : 0u);
}

/* After a computation. False: an unmasked exception found before it, nothing else is to happen. */
static bool raise_before(X87 *x)
{
    unsigned flags = flags_of(&x->fp), before = flags & (X87_IE | X87_DE | X87_ZE);
    set_c1(x, false);
    if (before & ~x->s->fcw) {
        raise_flags(x, before);
        return false;
    }
    return true;
}

/* The whole of it for operations whose destination is a register. */
static bool raise_all(X87 *x)
{
    if (!raise_before(x)) {
        return false;
    }
    set_c1(x, x->fp.flags & FP_ROUNDED_UP);
    raise_flags(x, flags_of(&x->fp));
    return true;
}

/* ---- kinds of numbers ---- */

static bool is_nan_or_bad(f80 v)
{
    unsigned e = v.sign_exp & 0x7fff;
    return e && (!(v.sig >> 63) || (e == 0x7fff && v.sig << 1));
}
static bool is_inf(f80 v) { return (v.sign_exp & 0x7fff) == 0x7fff && v.sig == (uint64_t)1 << 63; }
static bool is_zero(f80 v) { return !(v.sign_exp & 0x7fff) && !v.sig; }
static bool is_denormal(f80 v) { return !(v.sign_exp & 0x7fff) && v.sig; }
static bool is_negative(f80 v) { return v.sign_exp >> 15; }
static f80 make(bool negative, unsigned e, uint64_t sig)
{
    return (f80){ .sign_exp = (uint16_t)((negative ? 0x8000u : 0u) | e), .sig = sig };
}
static f80 infinity(bool negative) { return make(negative, 0x7fff, (uint64_t)1 << 63); }

/* ---- arithmetic ---- */

enum { OP_ADD, OP_MUL, OP_COM, OP_COMP, OP_SUB, OP_SUBR, OP_DIV, OP_DIVR };

static f80 arith(X87 *x, unsigned op, f80 a, f80 b)
{
    switch (op) {
    case OP_ADD: return f80_add(a, b, &x->fp);
    case OP_MUL: return f80_mul(a, b, &x->fp);
    case OP_SUB: return f80_sub(a, b, &x->fp);
    case OP_SUBR: return f80_sub(b, a, &x->fp);
    case OP_DIV: return f80_div(a, b, &x->fp);
    default: return f80_div(b, a, &x->fp);
    }
}

static void set_compare(X87 *x, FpRelation r)
{
    static const uint16_t cc[4] = { X87_C0, X87_C3, 0, X87_C0 | X87_C2 | X87_C3 };
    x->s->fsw = (uint16_t)((x->s->fsw & ~X87_CC) | cc[r + 1]);
}

/* ST0 against b; popped `n_pops` times afterwards. */
static void compare(X87 *x, f80 b, bool b_empty, bool quiet, unsigned n_pops)
{
    if (is_empty(x, 0) || b_empty) {
        set_compare(x, FP_UNORDERED);
        if (stack_fault(x, false)) {
            pops(x, n_pops);
        }
        return;
    }
    FpRelation r = quiet ? f80_compare_quiet(st(x, 0), b, &x->fp) : f80_compare(st(x, 0), b, &x->fp);
    set_compare(x, r);
    if (raise_before(x)) {
        raise_flags(x, flags_of(&x->fp));
        pops(x, n_pops);
    }
}

/*
 * fcomi: the same into EFLAGS. When an unmasked exception stops it Intel's processors keep EFLAGS (SDM volume 2, FCOMI), AMD's do not. C1 is as AMD has
 * it: changed by stack faults only.
 */
static uint64_t compare_flags(X87 *x, unsigned i, bool quiet, unsigned n_pops)
{
    static const uint8_t eflags[4] = { X86_CF, X86_ZF, 0, X86_CF | X86_PF | X86_ZF };
    const X86Model *model = x86_model(x->vcpu);
    FpRelation r = FP_UNORDERED;
    bool stopped;

    if (is_empty(x, 0) || is_empty(x, i)) {
        stopped = !stack_fault(x, false);
    } else {
        r = quiet ? f80_compare_quiet(st(x, 0), st(x, i), &x->fp) : f80_compare(st(x, 0), st(x, i), &x->fp);
        stopped = raise_flags(x, flags_of(&x->fp));
    }
    if (!stopped) {
        pops(x, n_pops);
    }
    return stopped && model && !strcmp(model->vendor, "GenuineIntel") ? X87_FLAGS_KEPT : eflags[r + 1];
}

/* ST(to) = ST(to) op ST(from). */
static void arith_st(X87 *x, unsigned op, unsigned to, unsigned from, unsigned n_pops)
{
    if (is_empty(x, to) || is_empty(x, from)) {
        if (stack_fault(x, false)) {
            set_st(x, to, indefinite);
            pops(x, n_pops);
        }
        return;
    }
    f80 r = arith(x, op, st(x, to), st(x, from));
    if (raise_all(x)) {
        set_st(x, to, r);
        pops(x, n_pops);
    }
}

/* A real operand from memory without what happens to it there: a signalling NaN stays one. */
static f80 real_operand(uint64_t raw, bool wide, bool *ret_denormal)
{
    FpStatus quiet = { .rules = &fp_rules_x87 };
    unsigned frac_bits = wide ? 52 : 23, e = (unsigned)(raw >> frac_bits) & (wide ? 0x7ff : 0xff);
    uint64_t frac = raw & bits_mask(0, frac_bits);

    *ret_denormal = !e && frac;
    if (frac && e == (wide ? 0x7ffu : 0xffu)) {
        return make(raw >> (wide ? 63 : 31), 0x7fff, (uint64_t)1 << 63 | frac << (63 - frac_bits));
    }
    return wide ? f64_to_f80(raw, &quiet) : f32_to_f80((uint32_t)raw, &quiet);
}

/* ST0 = ST0 op b, b from memory; denormal: it was one there. */
static void arith_mem(X87 *x, unsigned op, f80 b, bool denormal)
{
    /* Of less weight than a NaN and a division by zero. */
    if (denormal && !is_nan_or_bad(st(x, 0)) && !(op == OP_DIVR && is_zero(st(x, 0)))) {
        x->fp.flags |= FP_DENORMAL;
    }
    if (op == OP_COM || op == OP_COMP) {
        compare(x, b, false, false, op == OP_COMP);
        return;
    }
    if (is_empty(x, 0)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    f80 r = arith(x, op, st(x, 0), b);
    if (raise_all(x)) {
        set_st(x, 0, r);
    }
}

/* ST0 = fn(ST0). */
static void unary(X87 *x, f80 (*fn)(X87 *x, f80 a))
{
    if (is_empty(x, 0)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    f80 r = fn(x, st(x, 0));
    if (raise_all(x)) {
        set_st(x, 0, r);
    }
}

static f80 do_sqrt(X87 *x, f80 a) { return f80_sqrt(a, &x->fp); }
static f80 do_rndint(X87 *x, f80 a) { return f80_round_to_int(a, x->fp.rounding, true, &x->fp); }

/* ---- loads and stores of registers ---- */

static void load(X87 *x, f80 v)
{
    if (!is_empty(x, 7)) {
        if (stack_fault(x, true)) {
            push(x, indefinite);
        }
        return;
    }
    /* An unmasked denormal operand is loaded all the same. */
    if (raise_all(x) || !(x->fp.flags & FP_INVALID)) {
        push(x, v);
    }
}

static void load_st(X87 *x, unsigned i)
{
    /* Both faults at once: the empty source is found first. */
    if (is_empty(x, i)) {
        if (stack_fault(x, false)) {
            push(x, indefinite);
        }
        return;
    }
    load(x, st(x, i));
}

static void load_const(X87 *x, unsigned which)
{
    /* 1, log2 10, log2 e, pi, lg 2, ln 2, 0: to nearest; what is one less toward zero and down, one more up */
    static const struct { f80 v; int8_t down, up; } k[7] = {
        { { .sign_exp = 0x3fff, .sig = (uint64_t)1 << 63 }, 0, 0 },
        { { .sign_exp = 0x4000, .sig = 0xd49a784bcd1b8afe }, 0, 1 },
        { { .sign_exp = 0x3fff, .sig = 0xb8aa3b295c17f0bc }, -1, 0 },
        { { .sign_exp = 0x4000, .sig = 0xc90fdaa22168c235 }, -1, 0 },
        { { .sign_exp = 0x3ffd, .sig = 0x9a209a84fbcff799 }, -1, 0 },
        { { .sign_exp = 0x3ffe, .sig = 0xb17217f7d1cf79ac }, -1, 0 },
        { { .sign_exp = 0, .sig = 0 }, 0, 0 },
    };
    f80 v = k[which].v;
    v.sig += (uint64_t)(int64_t)(x->fp.rounding == FP_RUP ? k[which].up : x->fp.rounding == FP_RNE ? 0 : k[which].down);
    load(x, v);
}

static void store_st(X87 *x, unsigned i, unsigned n_pops)
{
    if (is_empty(x, 0)) {
        if (stack_fault(x, false)) {
            set_st(x, i, indefinite);
            pops(x, n_pops);
        }
        return;
    }
    set_c1(x, false);
    set_st(x, i, st(x, 0));
    pops(x, n_pops);
}

static void mark_free(X87 *x, unsigned i)
{
    set_c1(x, false);
    x->s->fempty |= (uint8_t)(1u << phys(x, i));
}

static void exchange(X87 *x, unsigned i)
{
    if (is_empty(x, 0) || is_empty(x, i)) {
        if (!stack_fault(x, false)) {
            return;
        }
        for (unsigned k = 0; k < 2; k++) {
            if (is_empty(x, k ? i : 0)) {
                set_st(x, k ? i : 0, indefinite);
            }
        }
    } else {
        set_c1(x, false);
    }
    f80 a = st(x, 0);
    set_st(x, 0, st(x, i));
    set_st(x, i, a);
}

static void cmov(X87 *x, unsigned i, bool taken)
{
    if (is_empty(x, 0) || is_empty(x, i)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    if (taken) {
        set_st(x, 0, st(x, i));
    }
}

static void change_sign(X87 *x, bool absolute)
{
    if (is_empty(x, 0)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    f80 v = st(x, 0);
    v.sign_exp = absolute ? v.sign_exp & 0x7fff : v.sign_exp ^ 0x8000;
    set_c1(x, false);
    set_st(x, 0, v);
}

static void examine(X87 *x)
{
    f80 v = st(x, 0);
    unsigned e = v.sign_exp & 0x7fff, cc;

    if (is_empty(x, 0)) {
        cc = X87_C3 | X87_C0;
    } else if (e == 0) {
        cc = v.sig ? X87_C3 | X87_C2 : X87_C3;
    } else if (!(v.sig >> 63)) {
        cc = 0;
    } else if (e == 0x7fff) {
        cc = v.sig << 1 ? X87_C0 : X87_C2 | X87_C0;
    } else {
        cc = X87_C2;
    }
    x->s->fsw = (uint16_t)((x->s->fsw & ~X87_CC) | cc | (v.sign_exp & 0x8000 ? X87_C1 : 0));
}

/* ---- remainders, scaling, parts ---- */

static void fprem(X87 *x, bool nearest)
{
    x->s->fsw &= (uint16_t)~X87_C2;
    if (is_empty(x, 0) || is_empty(x, 1)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    FpRemStep step = f80_rem_step(st(x, 0), st(x, 1), nearest, &x->fp);
    if (!raise_all(x)) {
        return;
    }
    unsigned cc = x->s->fsw & (X87_C0 | X87_C3);
    if (!step.complete) {
        cc = X87_C2;
    } else if (!is_nan_or_bad(step.value)) {
        cc = (step.quotient & 4 ? X87_C0 : 0u) | (step.quotient & 2 ? X87_C3 : 0u) | (step.quotient & 1 ? X87_C1 : 0u);
    }
    x->s->fsw = (uint16_t)((x->s->fsw & ~X87_CC) | cc);
    set_st(x, 0, step.value);
}

/* The NaN an operation on NaNs (or unsupported encodings) gives, with its flags: addition picks like all others. */
static f80 pick_nan(X87 *x, f80 a, f80 b)
{
    return f80_add(a, b, &x->fp);
}

static f80 invalid(X87 *x)
{
    x->fp.flags |= FP_INVALID;
    return indefinite;
}

static f80 scale(X87 *x, f80 a, f80 b)
{
    if (is_nan_or_bad(a) || is_nan_or_bad(b)) {
        return pick_nan(x, a, b);
    }
    if (is_inf(b)) {
        if (is_negative(b) ? is_inf(a) : is_zero(a)) {
            return invalid(x);
        }
        x->fp.flags |= is_denormal(a) ? FP_DENORMAL : 0;
        if (is_negative(b)) {
            return make(is_negative(a), 0, 0);
        }
        return infinity(is_negative(a));
    }
    x->fp.flags |= is_denormal(a) || is_denormal(b) ? FP_DENORMAL : 0;
    FpStatus quiet = { .rules = &fp_rules_x87 };
    int64_t n = (int64_t)f80_to_int(b, 64, true, 0, FP_RTZ, &quiet);
    if (quiet.flags & FP_INVALID || n > 100000 || n < -100000) {
        n = is_negative(b) ? -100000 : 100000;
    }
    return f80_scalbn(a, (int)n, &x->fp);
}

static void scale_st(X87 *x)
{
    if (is_empty(x, 0) || is_empty(x, 1)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
        }
        return;
    }
    f80 r = scale(x, st(x, 0), st(x, 1));
    if (raise_all(x)) {
        set_st(x, 0, r);
    }
}

static void extract(X87 *x)
{
    if (is_empty(x, 0)) {
        if (stack_fault(x, false)) {
            set_st(x, 0, indefinite);
            push(x, indefinite);
        }
        return;
    }
    if (!is_empty(x, 7)) {
        if (stack_fault(x, true)) {
            set_st(x, 0, indefinite);
            push(x, indefinite);
        }
        return;
    }
    f80 v = st(x, 0), e, m = v;
    if (is_nan_or_bad(v)) {
        e = m = pick_nan(x, v, v);
    } else if (is_zero(v)) {
        x->fp.flags |= FP_DIVZERO;
        e = infinity(true);
    } else if (is_inf(v)) {
        e = infinity(false);
    } else {
        int exponent = v.sign_exp & 0x7fff;
        if (is_denormal(v)) {
            x->fp.flags |= FP_DENORMAL;
            unsigned shift = (unsigned)__builtin_clzll(v.sig);
            m.sig = v.sig << shift;
            exponent = 1 - (int)shift;
        }
        m.sign_exp = (v.sign_exp & 0x8000) | 0x3fff;
        FpStatus quiet = { .rules = &fp_rules_x87 };
        e = f80_from_i32(exponent - 16383, &quiet);
    }
    if (raise_all(x)) {
        set_st(x, 0, e);
        push(x, m);
    }
}

/* ---- transcendental functions: special operands here, the rest in x87-math.c ---- */

/* Result of a function on operands that are not special. */
static f80 math(X87 *x, X87Math op, f80 a, f80 b, f80 *ret2, bool *ret_range)
{
    f80 r, second = { 0 };
    unsigned sw = x87_math(op, x->s->fcw, a, b, &r, &second);
    x->fp.flags |= (sw & X87_IE ? FP_INVALID : 0u) | (sw & X87_DE ? FP_DENORMAL : 0u) | (sw & X87_ZE ? FP_DIVZERO : 0u) |
                   (sw & X87_OE ? FP_OVERFLOW : 0u) | (sw & X87_UE ? FP_UNDERFLOW : 0u) | (sw & X87_PE ? FP_INEXACT : 0u) |
                   (sw & X87_C1 ? (uint32_t)FP_ROUNDED_UP : 0u);
    if (ret2) {
        *ret2 = second;
    }
    if (ret_range) {
        *ret_range = !(sw & X87_C2);
    }
    return r;
}

static f80 do_2xm1(X87 *x, f80 a)
{
    return is_nan_or_bad(a) ? pick_nan(x, a, a) : math(x, X87_F2XM1, a, a, NULL, NULL);
}

/* ST1 = fn(ST0, ST1), popped. */
static void binary_math(X87 *x, X87Math op)
{
    if (is_empty(x, 0) || is_empty(x, 1)) {
        if (stack_fault(x, false)) {
            set_st(x, 1, indefinite);
            pop(x);
        }
        return;
    }
    f80 a = st(x, 0), b = st(x, 1);
    f80 r = is_nan_or_bad(a) || is_nan_or_bad(b) ? pick_nan(x, b, a) : math(x, op, a, b, NULL, NULL);
    if (raise_all(x)) {
        set_st(x, 1, r);
        pop(x);
    }
}

/* fsin, fcos; fsincos and fptan push a second result. */
static void trigonometry(X87 *x, X87Math op)
{
    bool two = op == X87_FSINCOS || op == X87_FPTAN;

    x->s->fsw &= (uint16_t)~X87_C2;
    if (is_empty(x, 0) || (two && !is_empty(x, 7))) {
        if (stack_fault(x, !is_empty(x, 0))) {
            set_st(x, 0, indefinite);
            if (two) {
                push(x, indefinite);
            }
        }
        return;
    }
    f80 a = st(x, 0), r, second;
    bool in_range = true;
    if (is_nan_or_bad(a)) {
        r = second = pick_nan(x, a, a);
    } else if (is_inf(a)) {
        r = second = invalid(x);
    } else {
        r = math(x, op, a, a, &second, &in_range);
    }
    if (!in_range) {
        x->s->fsw |= X87_C2;
        set_c1(x, false);
        return;
    }
    if (raise_all(x)) {
        set_st(x, 0, r);
        if (two) {
            push(x, second);
        }
    }
}

/* ---- control ---- */

static void clear_exceptions(X87 *x)
{
    x->s->fsw &= (uint16_t)~(X87_EXCEPTIONS | X87_SF | X87_ES | X87_B);
}

static void rotate(X87 *x, int by)
{
    set_c1(x, false);
    x->s->ftop = (uint8_t)((x->s->ftop + by) & 7);
}

void x86_fpu_init(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    x86_fpu_flush(vcpu);
    s->fcw = 0x37f;
    s->fsw = 0;
    s->ftop = 0;
    s->fempty = 0xff;
    s->fop = s->fcs = s->fds = 0;
    s->fip = s->fdp = 0;
}

/* ---- by opcode ---- */

static void exec_d9(X87 *x, unsigned modrm)
{
    switch (modrm) {
    case 0xd0: break; /* fnop */
    case 0xe0: change_sign(x, false); break;
    case 0xe1: change_sign(x, true); break;
    case 0xe4: compare(x, make(false, 0, 0), false, false, 0); break;
    case 0xe5: examine(x); break;
    case 0xe8 ... 0xee: load_const(x, modrm - 0xe8); break;
    case 0xf0: unary(x, do_2xm1); break;
    case 0xf1: binary_math(x, X87_FYL2X); break;
    case 0xf2: trigonometry(x, X87_FPTAN); break;
    case 0xf3: binary_math(x, X87_FPATAN); break;
    case 0xf4: extract(x); break;
    case 0xf5: fprem(x, true); break;
    case 0xf6: rotate(x, -1); break;
    case 0xf7: rotate(x, 1); break;
    case 0xf8: fprem(x, false); break;
    case 0xf9: binary_math(x, X87_FYL2XP1); break;
    case 0xfa: unary(x, do_sqrt); break;
    case 0xfb: trigonometry(x, X87_FSINCOS); break;
    case 0xfc: unary(x, do_rndint); break;
    case 0xfd: scale_st(x); break;
    case 0xfe: trigonometry(x, X87_FSIN); break;
    case 0xff: trigonometry(x, X87_FCOS); break;
    }
}

static uint64_t exec_registers(X87 *x, unsigned opcode, unsigned modrm, uint64_t operand)
{
    unsigned i = modrm & 7, op = modrm >> 3 & 7;

    switch (opcode) {
    case 0xd8:
        if (op == OP_COM || op == OP_COMP) {
            compare(x, st(x, i), is_empty(x, i), false, op == OP_COMP);
        } else {
            arith_st(x, op, 0, i, 0);
        }
        break;
    case 0xd9:
        switch (op) {
        case 0: load_st(x, i); break;
        case 1: exchange(x, i); break;
        case 3: /* an alias of fstp that knows no stack underflow */
            set_c1(x, false);
            if (!is_empty(x, 0)) {
                set_st(x, i, st(x, 0));
            }
            pop(x);
            break;
        default: exec_d9(x, modrm);
        }
        break;
    case 0xda: case 0xdb:
        if (modrm == 0xe2) {
            clear_exceptions(x);
        } else if (modrm == 0xe3) {
            x86_fpu_init(x->vcpu);
        } else if (opcode == 0xda && modrm == 0xe9) {
            compare(x, st(x, 1), is_empty(x, 1), true, 2);
        } else if (op == 5 || op == 6) {
            return compare_flags(x, i, op == 5, 0);
        } else if (op < 4) {
            cmov(x, i, operand);
        }
        break;
    case 0xdc: case 0xde:
        if (op == OP_COM || op == OP_COMP) {
            unsigned n = opcode == 0xde ? 1 : op == OP_COMP; /* dc d0, dc d8, de d0: aliases */
            compare(x, st(x, i), is_empty(x, i), false, modrm == 0xd9 && opcode == 0xde ? 2 : n);
        } else {
            /* The directions of subtraction and division are the other way round than the names of d8. */
            arith_st(x, op >= OP_SUB ? op ^ 1 : op, i, 0, opcode == 0xde);
        }
        break;
    case 0xdd:
        switch (op) {
        case 0: mark_free(x, i); break;
        case 1: exchange(x, i); break;
        case 2: case 3: store_st(x, i, op == 3); break;
        default: compare(x, st(x, i), is_empty(x, i), true, op == 5);
        }
        break;
    default: /* df */
        switch (op) {
        case 0: mark_free(x, i); pop(x); break;
        case 1: exchange(x, i); break;
        case 2: case 3: store_st(x, i, 1); break;
        default: return compare_flags(x, i, op == 5, 1);
        }
    }
    return 0;
}

static uint16_t status_word(const X86State *s)
{
    return (uint16_t)(s->fsw | s->ftop << X87_TOP_SHIFT);
}

uint64_t x86_x87_exec(Vcpu *vcpu, uint32_t code, uint64_t operand)
{
    X86State *s = x86_state(vcpu);
    unsigned opcode = ir_x87_opcode(code), modrm = ir_x87_modrm(code);
    X87 x;

    if (ir_x87_map(code) != IR_X87_D8) {
        return x86_mmx_exec(vcpu, code, operand);
    }
    if (opcode == 0xdd && modrm >> 3 == 7) { /* fnstsw m16, also for fnstsw ax */
        return status_word(s);
    }
    if (opcode == 0xd9 && modrm >> 3 == 7) {
        return s->fcw;
    }
    if (opcode == 0xd9 && modrm >> 3 == 5) { /* fldcw; bit 6 is always set, 7 and 13 to 15 clear */
        s->fcw = (uint16_t)((operand & 0x1f3f) | 0x40);
        x87_summary(s);
        return 0;
    }
    begin(&x, vcpu, code);
    return exec_registers(&x, opcode, modrm, operand);
}

/* ---- memory operands ---- */

static f80 from_int(int64_t v)
{
    FpStatus quiet = { .rules = &fp_rules_x87 };
    return f80_from_int((uint64_t)v, true, 0, &quiet);
}

static f80 load_bcd(uint64_t low, unsigned high)
{
    uint64_t v = 0;
    for (unsigned k = 18; k-- > 0;) {
        v = v * 10 + (k >= 16 ? high >> 4 * (k - 16) & 15 : low >> 4 * k & 15);
    }
    f80 r = from_int((int64_t)v);
    r.sign_exp |= (uint16_t)(high & 0x8000);
    return r;
}

/* Whether what was stored is larger in magnitude than what it was rounded from. */
static bool grew(f80 stored, f80 from)
{
    FpStatus quiet = { .rules = &fp_rules_x87 };
    stored.sign_exp &= 0x7fff;
    from.sign_exp &= 0x7fff;
    return f80_compare_quiet(stored, from, &quiet) == FP_GREATER;
}

/* ST0 as a real of 32 or 64 bits, or an integer of `bits`; false: do not store, do not pop. */
static bool to_memory(X87 *x, unsigned bits, bool real, FpRounding rounding, uint64_t *ret)
{
    bool wide = bits == 64;
    if (is_empty(x, 0)) {
        *ret = !real ? BIT(bits - 1) : wide ? 0xfff8000000000000 : 0xffc00000;
        return stack_fault(x, false);
    }
    f80 v = st(x, 0);
    if (real) {
        *ret = wide ? f80_to_f64(v, &x->fp) : f80_to_f32(v, &x->fp);
        uint64_t magnitude = *ret & (wide ? (uint64_t)INT64_MAX : INT32_MAX);
        bool tiny = magnitude && !(magnitude >> (wide ? 52 : 23));
        x->fp.flags |= tiny && !(x->s->fcw & X87_UE) ? FP_UNDERFLOW : 0;
    } else {
        *ret = f80_to_int(v, bits, true, 0, rounding, &x->fp) & bits_mask(0, bits);
    }
    x->fp.flags &= ~(uint32_t)FP_DENORMAL; /* not reported */
    if (!raise_before(x)) {
        return false;
    }
    unsigned flags = flags_of(&x->fp);
    bool kept = flags & ~x->s->fcw & (X87_OE | X87_UE);
    if (kept) {
        flags &= ~(unsigned)X87_PE;
    } else if (x->fp.flags & FP_INEXACT) {
        FpStatus quiet = { .rules = &fp_rules_x87 };
        f80 stored = !real ? from_int(bits_sext(*ret, bits)) : wide ? f64_to_f80(*ret, &quiet) : f32_to_f80((uint32_t)*ret, &quiet);
        set_c1(x, grew(stored, v));
    }
    raise_flags(x, flags);
    return !kept;
}

static bool to_bcd(X87 *x, uint8_t ret[10])
{
    static const uint8_t bad[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };
    memcpy(ret, bad, 10);
    if (is_empty(x, 0)) {
        return stack_fault(x, false);
    }
    f80 v = st(x, 0);
    uint64_t n = f80_to_int(v, 64, true, 0, x->fp.rounding, &x->fp);
    uint64_t magnitude = (int64_t)n < 0 ? 0 - n : n;
    x->fp.flags &= ~(uint32_t)FP_DENORMAL;
    if (magnitude > 999999999999999999) {
        x->fp.flags = FP_INVALID;
    }
    if (!raise_before(x)) {
        return false;
    }
    if (!(x->fp.flags & FP_INVALID)) {
        for (unsigned k = 0; k < 9; k++) {
            ret[k] = (uint8_t)(magnitude % 10 | magnitude / 10 % 10 << 4);
            magnitude /= 100;
        }
        ret[9] = v.sign_exp >> 15 ? 0x80 : 0;
    }
    set_c1(x, x->fp.flags & FP_INEXACT && grew(from_int((int64_t)n), v));
    raise_flags(x, flags_of(&x->fp));
    return true;
}

/* Memory is written before the state changes: a fault leaves everything as it was. */
static void store_memory(X87 *x, vaddr addr, unsigned mmu_index, unsigned bits, bool real, FpRounding rounding, bool pops_it)
{
    uint16_t fsw = x->s->fsw, fop = x->s->fop;
    uint64_t v;
    if (to_memory(x, bits, real, rounding, &v)) {
        uint16_t new_fsw = x->s->fsw, new_fop = x->s->fop;
        x->s->fsw = fsw;
        x->s->fop = fop;
        guest_store(x->vcpu, addr, v, bits / 8, mmu_index);
        x->s->fsw = new_fsw;
        x->s->fop = new_fop;
        pops(x, pops_it);
    }
}

static void store_bytes(X87 *x, vaddr addr, unsigned mmu_index, const uint8_t bytes[10])
{
    uint64_t low;
    uint16_t high;
    memcpy(&low, bytes, 8);
    memcpy(&high, bytes + 8, 2);
    if (x->vcpu->softmmu && (addr ^ (addr + 9)) >> 12) {
        guest_ptr_access(x->vcpu, addr, 1, MMU_WRITE, mmu_index); /* both pages before either is written */
    }
    guest_store(x->vcpu, addr + 8, high, 2, mmu_index);
    guest_store(x->vcpu, addr, low, 8, mmu_index);
}

static void store_80(X87 *x, vaddr addr, unsigned mmu_index, bool bcd)
{
    uint16_t fsw = x->s->fsw, fop = x->s->fop;
    uint8_t bytes[10];
    bool store = true;
    if (bcd) {
        store = to_bcd(x, bytes);
    } else {
        f80 v = st(x, 0);
        if (is_empty(x, 0)) {
            v = indefinite;
            store = stack_fault(x, false);
        } else {
            set_c1(x, false);
        }
        memcpy(bytes, &v.sig, 8);
        memcpy(bytes + 8, &v.sign_exp, 2);
    }
    if (store) {
        uint16_t new_fsw = x->s->fsw, new_fop = x->s->fop;
        x->s->fsw = fsw;
        x->s->fop = fop;
        store_bytes(x, addr, mmu_index, bytes);
        x->s->fsw = new_fsw;
        x->s->fop = new_fop;
        pop(x);
    }
}

void x86_x87_exec_mem(Vcpu *vcpu, uint32_t code, vaddr addr, unsigned mmu_index)
{
    unsigned opcode = ir_x87_opcode(code), op = ir_x87_modrm(code) >> 3 & 7;
    X87 x;

    if (ir_x87_map(code) != IR_X87_D8) {
        if (ir_x87_reads_memory(code)) {
            bool narrow = opcode == 0x6e || opcode == 0x60 || opcode == 0x61 || opcode == 0x62, half = opcode == 0xc4;
            x86_mmx_exec(vcpu, code, guest_load(vcpu, addr, half ? 2 : narrow && !(code & IR_X87_W) ? 4 : 8, mmu_index));
        } else {
            unsigned size_bytes = opcode == 0x7e && !(code & IR_X87_W) ? 4 : 8;
            guest_store(vcpu, addr, x86_state(vcpu)->fpr[op].mantissa, size_bytes, mmu_index);
            x86_mmx_exec(vcpu, code, 0);
        }
        return;
    }
    begin(&x, vcpu, code);
    if (!(opcode & 1)) { /* arithmetic with an operand of 32 bits, a short integer of 32, 64, an integer of 16 */
        static const uint8_t size[4] = { 4, 4, 8, 2 };
        unsigned kind = opcode >> 1 & 3;
        uint64_t raw = guest_load(vcpu, addr, size[kind], mmu_index);
        bool denormal = false;
        f80 v = kind & 1 ? from_int(bits_sext(raw, size[kind] * 8)) : real_operand(raw, kind == 2, &denormal);
        arith_mem(&x, op, v, denormal);
        return;
    }
    switch ((opcode & 7) << 4 | op) {
    case 0x10: load(&x, f32_to_f80((uint32_t)guest_load(vcpu, addr, 4, mmu_index), &x.fp)); break;
    case 0x12: case 0x13: store_memory(&x, addr, mmu_index, 32, true, 0, op == 3); break;
    case 0x15: x86_x87_exec(vcpu, code, guest_load(vcpu, addr, 2, mmu_index)); break;
    case 0x17: case 0x57: guest_store(vcpu, addr, x86_x87_exec(vcpu, code, 0), 2, mmu_index); break;
    case 0x30: load(&x, from_int((int32_t)guest_load(vcpu, addr, 4, mmu_index))); break;
    case 0x31: store_memory(&x, addr, mmu_index, 32, false, FP_RTZ, true); break;
    case 0x32: case 0x33: store_memory(&x, addr, mmu_index, 32, false, x.fp.rounding, op == 3); break;
    case 0x35: {
        uint64_t low = guest_load(vcpu, addr, 8, mmu_index);
        load(&x, (f80){ .sig = low, .sign_exp = (uint16_t)guest_load(vcpu, addr + 8, 2, mmu_index) });
        break;
    }
    case 0x37: store_80(&x, addr, mmu_index, false); break;
    case 0x50: load(&x, f64_to_f80(guest_load(vcpu, addr, 8, mmu_index), &x.fp)); break;
    case 0x51: store_memory(&x, addr, mmu_index, 64, false, FP_RTZ, true); break;
    case 0x52: case 0x53: store_memory(&x, addr, mmu_index, 64, true, 0, op == 3); break;
    case 0x70: load(&x, from_int((int16_t)guest_load(vcpu, addr, 2, mmu_index))); break;
    case 0x71: store_memory(&x, addr, mmu_index, 16, false, FP_RTZ, true); break;
    case 0x72: case 0x73: store_memory(&x, addr, mmu_index, 16, false, x.fp.rounding, op == 3); break;
    case 0x74: {
        uint64_t low = guest_load(vcpu, addr, 8, mmu_index);
        load(&x, load_bcd(low, (unsigned)guest_load(vcpu, addr + 8, 2, mmu_index)));
        break;
    }
    case 0x75: load(&x, from_int((int64_t)guest_load(vcpu, addr, 8, mmu_index))); break;
    case 0x76: store_80(&x, addr, mmu_index, true); break;
    case 0x77: store_memory(&x, addr, mmu_index, 64, false, x.fp.rounding, true); break;
    default: break; /* the decoder lets no others through */
    }
}
