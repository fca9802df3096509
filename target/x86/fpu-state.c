/*
 * fpu-state.c: images of the x87, MMX, SSE and AVX state in host memory: FSAVE, FXSAVE and XSAVE, for the instructions
 * (helper-x87.c) and for signal frames.
 *
 * Intel SDM volume 1: 8.1.10 (FSAVE, FSTENV), 10.5 (FXSAVE), 13 (XSAVE). FCS and FDS are always zero, as CPUID.7.0:EBX[13] says.
 * The slots must be in memory (helpers that read state).
 *
 * Threads: the vCPU's own.
 */
#include <string.h>
#include "target/x86/x87.h"
#include "target/x86/fpu-state.h"

static bool addresses_are_linear(const X86State *s)
{
    return !(s->cr0 & X86_CR0_PE) || s->eflags & X86_VM;
}

static uint16_t status_word(const X86State *s)
{
    return (uint16_t)(s->fsw | s->ftop << X87_TOP_SHIFT);
}

/* ES and B follow from the flags and masks, so the control word goes first. */
static void set_status_word(X86State *s, uint16_t word)
{
    s->ftop = word >> X87_TOP_SHIFT & 7;
    s->fsw = word & (uint16_t)~(7u << X87_TOP_SHIFT);
    x87_summary(s);
}

static void set_control_word(X86State *s, uint16_t word)
{
    s->fcw = (uint16_t)((word & 0x1f3f) | 0x40);
}

/* Two bits by register: valid, zero, special, empty. */
static uint16_t full_tags(const X86State *s)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        const X86Fpr *r = &s->fpr[i];
        unsigned e = r->sign_exp & 0x7fff;
        unsigned tag = s->fempty >> i & 1 ? 3 : !e && !r->mantissa ? 1 : !e || e == 0x7fff || !(r->mantissa >> 63) ? 2 : 0;
        tags |= tag << 2 * i;
    }
    return (uint16_t)tags;
}

static void set_full_tags(X86State *s, uint16_t tags)
{
    s->fempty = 0;
    for (unsigned i = 0; i < 8; i++) {
        s->fempty |= (uint8_t)((tags >> 2 * i & 3) == 3 ? 1u << i : 0u);
    }
}

static void put16(uint8_t *p, unsigned v) { stle16(p, (uint16_t)v); }

/* ---- FSTENV, FSAVE ---- */

unsigned x86_fstenv(Vcpu *vcpu, uint8_t *image, bool is32)
{
    x86_fpu_flush(vcpu);
    const X86State *s = x86_state(vcpu);
    uint32_t ip = (uint32_t)s->fip, dp = (uint32_t)s->fdp;
    bool linear = addresses_are_linear(s);

    if (!is32) {
        put16(image, s->fcw);
        put16(image + 2, status_word(s));
        put16(image + 4, full_tags(s));
        put16(image + 6, ip & 0xffff);
        put16(image + 8, linear ? (ip >> 16 & 15) << 12 | (s->fop & 0x7ff) : s->fcs);
        put16(image + 10, dp & 0xffff);
        put16(image + 12, linear ? (dp >> 16 & 15) << 12 : s->fds);
        return 14;
    }
    stle32(image, 0xffff0000u | s->fcw); /* unused halves are ones */
    stle32(image + 4, 0xffff0000u | status_word(s));
    stle32(image + 8, 0xffff0000u | full_tags(s));
    if (linear) {
        stle32(image + 12, 0xffff0000u | (ip & 0xffff));
        stle32(image + 16, (ip >> 16) << 12 | (s->fop & 0x7ffu));
        stle32(image + 20, 0xffff0000u | (dp & 0xffff));
        stle32(image + 24, (dp >> 16) << 12);
    } else {
        stle32(image + 12, ip);
        stle32(image + 16, s->fcs | (s->fop & 0x7ffu) << 16);
        stle32(image + 20, dp);
        stle32(image + 24, 0xffff0000u | s->fds);
    }
    return 28;
}

unsigned x86_fldenv(Vcpu *vcpu, const uint8_t *image, bool is32)
{
    x86_fpu_flush(vcpu);
    X86State *s = x86_state(vcpu);
    unsigned step = is32 ? 4 : 2;
    bool linear = addresses_are_linear(s);

    set_control_word(s, ldle16(image));
    set_status_word(s, ldle16(image + step));
    set_full_tags(s, ldle16(image + 2 * step));
    if (is32) {
        uint32_t w16 = ldle32(image + 16);
        s->fip = linear ? ldle16(image + 12) | (w16 & 0x0ffff000) << 4 : ldle32(image + 12);
        s->fop = (uint16_t)((linear ? w16 : w16 >> 16) & 0x7ff);
        s->fdp = linear ? ldle16(image + 20) | (ldle32(image + 24) & 0x0ffff000) << 4 : ldle32(image + 20);
        return 28;
    }
    s->fip = ldle16(image + 6) | (linear ? (ldle16(image + 8) & 0xf000u) << 4 : 0);
    s->fop = linear ? ldle16(image + 8) & 0x7ff : 0;
    s->fdp = ldle16(image + 10) | (linear ? (ldle16(image + 12) & 0xf000u) << 4 : 0);
    return 14;
}

static X86Fpr *stack_place(X86State *s, unsigned i) { return &s->fpr[(s->ftop + i) & 7]; }

void x86_fsave_image(Vcpu *vcpu, uint8_t image[108], bool is32)
{
    unsigned n = x86_fstenv(vcpu, image, is32);

    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + n + 10 * i, stack_place(x86_state(vcpu), i)->bytes, 10);
    }
}

void x86_fsave(Vcpu *vcpu, uint8_t image[108], bool is32)
{
    x86_fsave_image(vcpu, image, is32);
    x86_fpu_init(vcpu);
}

bool x86_frstor(Vcpu *vcpu, const uint8_t image[108], bool is32)
{
    unsigned n = x86_fldenv(vcpu, image, is32);

    for (unsigned i = 0; i < 8; i++) {
        memcpy(stack_place(x86_state(vcpu), i)->bytes, image + n + 10 * i, 10);
    }
    return true;
}

/* ---- FXSAVE ---- */

enum { MXCSR_AT = 24, MXCSR_MASK = 0xffff, ST_AT = 32, XMM_AT = 160, HEADER_AT = 512 };

static bool in_64bit_code(const X86State *s)
{
    return s->efer & X86_EFER_LMA && s->seg_attr[X86_CS] & X86_ATTR_L;
}

static unsigned n_xmm(const X86State *s) { return in_64bit_code(s) ? 16 : 8; }

static void save_x87(const X86State *s, uint8_t *image, bool is64)
{
    put16(image, s->fcw);
    put16(image + 2, status_word(s));
    image[4] = (uint8_t)~s->fempty;
    image[5] = 0;
    put16(image + 6, s->fop & 0x7ff);
    stle64(image + 8, is64 ? s->fip : (uint32_t)s->fip);
    stle64(image + 16, is64 ? s->fdp : (uint32_t)s->fdp);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + ST_AT + 16 * i, s->fpr[(s->ftop + i) & 7].bytes, 10);
        memset(image + ST_AT + 16 * i + 10, 0, 6);
    }
}

static void load_x87(X86State *s, const uint8_t *image, bool is64)
{
    set_control_word(s, ldle16(image));
    set_status_word(s, ldle16(image + 2));
    s->fempty = (uint8_t)~image[4];
    s->fop = ldle16(image + 6) & 0x7ff;
    s->fip = is64 ? ldle64(image + 8) : ldle32(image + 8);
    s->fdp = is64 ? ldle64(image + 16) : ldle32(image + 16);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(stack_place(s, i)->bytes, image + ST_AT + 16 * i, 10);
    }
}

static void save_mxcsr(Vcpu *vcpu, uint8_t *image)
{
    stle32(image + MXCSR_AT, x86_mxcsr_get(vcpu));
    stle32(image + MXCSR_AT + 4, MXCSR_MASK);
}

/* Fast FXSAVE of 64-bit kernels leaves the XMM registers alone (APM volume 2, 11.4.4). */
static bool fxsr_fast(const Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    return s->efer & X86_EFER_FFXSR && in_64bit_code(s) && !x86_cpl(vcpu);
}

void x86_fxsave(Vcpu *vcpu, uint8_t image[512], bool is64)
{
    x86_fpu_flush(vcpu);
    const X86State *s = x86_state(vcpu);

    save_x87(s, image, is64);
    save_mxcsr(vcpu, image);
    if (!fxsr_fast(vcpu)) {
        memcpy(image + XMM_AT, s->xmm, 16 * n_xmm(s));
    }
}

bool x86_fxrstor(Vcpu *vcpu, const uint8_t image[512], bool is64)
{
    X86State *s = x86_state(vcpu);
    uint32_t mxcsr = ldle32(image + MXCSR_AT);

    if (mxcsr & ~(uint32_t)MXCSR_MASK) {
        return false;
    }
    x86_fpu_flush(vcpu);
    load_x87(s, image, is64);
    x86_mxcsr_set(vcpu, mxcsr);
    if (!fxsr_fast(vcpu)) {
        memcpy(s->xmm, image + XMM_AT, 16 * n_xmm(s));
    }
    return true;
}

/* ---- XSAVE ---- */

enum { C_X87 = 1, C_SSE = 2, C_AVX = 4, C_PKRU = 1 << 9, XSTATE_BV_AT = HEADER_AT, XCOMP_BV_AT = HEADER_AT + 8, AREA_AT = 576,
       AVX_BYTES = 256, PKRU_BYTES = 8, PKRU_AT = 2688 };
#define XCOMP_COMPACT BIT(63)

uint32_t x86_xsave_size(uint64_t xcr0)
{
    return xcr0 & C_PKRU ? PKRU_AT + PKRU_BYTES : xcr0 & C_AVX ? AREA_AT + AVX_BYTES : AREA_AT;
}

static uint32_t pkru_at(uint64_t compact_mask)
{
    return !(compact_mask & XCOMP_COMPACT) ? PKRU_AT : compact_mask & C_AVX ? AREA_AT + AVX_BYTES : AREA_AT;
}

static bool all_zero(const void *p, size_t n)
{
    static const uint8_t zero[sizeof(((X86State *)0)->xmm)];
    return !memcmp(p, zero, n);
}

/* Components that are not in their initial state (13.6). */
uint64_t x86_xsave_in_use(const X86State *s)
{
    bool x87 = s->fcw != 0x37f || s->fsw || s->ftop || s->fempty != 0xff || s->fip || s->fdp || s->fop ||
               !all_zero(s->fpr, sizeof(s->fpr));
    return (x87 ? C_X87 : 0u) | (all_zero(s->xmm, 16 * n_xmm(s)) ? 0 : C_SSE) | (all_zero(s->ymmh, 16 * n_xmm(s)) ? 0 : C_AVX) |
           (s->pkru ? C_PKRU : 0);
}

static void save_components(Vcpu *vcpu, uint8_t *image, uint64_t which, uint64_t compact_mask, bool is64)
{
    const X86State *s = x86_state(vcpu);

    if (which & C_X87) {
        save_x87(s, image, is64);
    }
    if (which & C_SSE) {
        memcpy(image + XMM_AT, s->xmm, 16 * n_xmm(s));
    }
    if (which & C_AVX) {
        memcpy(image + AREA_AT, s->ymmh, 16 * n_xmm(s));
    }
    if (which & C_PKRU) {
        stle64(image + pkru_at(compact_mask), s->pkru);
    }
}

void x86_xsave_by(Vcpu *vcpu, uint8_t *image, uint64_t mask, X86XsaveKind kind, bool is64)
{
    x86_fpu_flush(vcpu);
    const X86State *s = x86_state(vcpu);
    uint64_t wanted = mask & s->xcr0, used = x86_xsave_in_use(s) & wanted;

    if (kind >= X86_XSAVEC) {
        /* MXCSR counts as SSE state (13.10). */
        used |= wanted & C_SSE && x86_mxcsr_get(vcpu) != 0x1f80 ? C_SSE : 0;
        if (used & C_SSE) {
            save_mxcsr(vcpu, image);
        }
        memset(image + HEADER_AT, 0, 64);
        stle64(image + XSTATE_BV_AT, used);
        stle64(image + XCOMP_BV_AT, wanted | XCOMP_COMPACT);
        save_components(vcpu, image, used, wanted | XCOMP_COMPACT, is64);
        return;
    }
    if (wanted & (C_SSE | C_AVX)) {
        save_mxcsr(vcpu, image);
    }
    stle64(image + XSTATE_BV_AT, (ldle64(image + XSTATE_BV_AT) & ~wanted) | used);
    save_components(vcpu, image, kind == X86_XSAVEOPT ? used : wanted, 0, is64);
}

void x86_xsave(Vcpu *vcpu, uint8_t *image, uint64_t mask, bool is64)
{
    x86_xsave_by(vcpu, image, mask, X86_XSAVE, is64);
}

static void init_component(Vcpu *vcpu, uint64_t c)
{
    X86State *s = x86_state(vcpu);

    switch (c) {
    case C_X87:
        x86_fpu_init(vcpu);
        memset(s->fpr, 0, sizeof(s->fpr));
        break;
    case C_SSE: memset(s->xmm, 0, 16 * n_xmm(s)); break;
    case C_AVX: memset(s->ymmh, 0, 16 * n_xmm(s)); break;
    default: s->pkru = 0;
    }
}

void x86_fpu_start(Vcpu *vcpu)
{
    x86_fpu_flush(vcpu);
    x86_mxcsr_set(vcpu, 0x1f80);
    init_component(vcpu, C_X87);
    init_component(vcpu, C_SSE);
    init_component(vcpu, C_AVX);
}

static void load_component(Vcpu *vcpu, uint64_t c, const uint8_t *image, uint64_t compact_mask, bool is64)
{
    X86State *s = x86_state(vcpu);

    switch (c) {
    case C_X87: load_x87(s, image, is64); break;
    case C_SSE: memcpy(s->xmm, image + XMM_AT, 16 * n_xmm(s)); break;
    case C_AVX: memcpy(s->ymmh, image + AREA_AT, 16 * n_xmm(s)); break;
    default: s->pkru = ldle32(image + pkru_at(compact_mask));
    }
}

bool x86_xrstor(Vcpu *vcpu, const uint8_t *image, uint64_t mask, bool is64)
{
    X86State *s = x86_state(vcpu);
    uint64_t bv = ldle64(image + XSTATE_BV_AT), comp = ldle64(image + XCOMP_BV_AT), wanted = mask & s->xcr0;
    uint32_t mxcsr = ldle32(image + MXCSR_AT), pkru = s->pkru;
    bool compact = comp & XCOMP_COMPACT;

    /* 13.8: a header that promises what is not enabled, or with reserved bits set */
    if (bv & ~s->xcr0 || !all_zero(image + HEADER_AT + 16, compact ? 48 : 8)) {
        return false;
    }
    if (compact ? !x86_has(vcpu, X86_FEAT_XSAVEC) || comp & ~XCOMP_COMPACT & ~s->xcr0 || bv & ~comp : comp != 0) {
        return false;
    }
    bool has_mxcsr = compact ? wanted & C_SSE : wanted & (C_SSE | C_AVX);
    if (compact && !(bv & C_SSE)) {
        mxcsr = 0x1f80;
    }
    if (has_mxcsr && mxcsr & ~(uint32_t)MXCSR_MASK) {
        return false;
    }
    x86_fpu_flush(vcpu);
    if (has_mxcsr) {
        x86_mxcsr_set(vcpu, mxcsr);
    }
    for (uint64_t m = wanted & (C_X87 | C_SSE | C_AVX | C_PKRU); m; m &= m - 1) {
        uint64_t c = m & -m;
        if (bv & c) {
            load_component(vcpu, c, image, comp, is64);
        } else {
            init_component(vcpu, c);
        }
    }
    if (s->pkru != pkru) {
        x86_pkru_changed(vcpu);
    }
    return true;
}
