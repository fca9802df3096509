/*
 * far.c: far JMP, CALL and RET, call gates, IRET (SDM 6.8-6.14, 8.3-8.5; the operations in SDM 2).
 *
 * Everything that may fault is done before registers change. The functions return the new linear pc.
 */
#include "target/x86/system.h"
#include "target/x86/translate.h"

static noreturn void gp(Vcpu *vcpu, uint16_t sel) { x86_raise_sel(vcpu, X86_EXC_GP, sel); }

/* Long mode: a code segment with both L and D set does not exist. */
static bool bad_long_code(const X86State *s, X86Desc d) { return x86_is_long(s) && (d.hi & X86_ATTR_L) && (d.hi & X86_ATTR_B); }

static bool is_code64(const X86State *s, X86Desc d) { return x86_is_long(s) && (d.hi & X86_ATTR_L); }

/* The entry point must lie in the segment, or be canonical. */
static void check_ip(Vcpu *vcpu, X86Desc cs, uint64_t ip)
{
    const X86State *s = x86_state(vcpu);
    bool ok = is_code64(s, cs) ? x86_is_canonical(s, ip) : ip <= x86_desc_limit(cs);

    if (!ok) {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
}

static uint64_t cs_commit(Vcpu *vcpu, uint16_t sel, X86Desc d, unsigned cpl, uint64_t ip)
{
    x86_seg_from_desc(vcpu, X86_CS, (uint16_t)((sel & ~3u) | cpl), d);
    return x86_linear_pc(x86_state(vcpu), ip);
}

/* -- real mode and VM86 ------------------------------------------------------------------------------------------ */

static uint64_t jump_real(Vcpu *vcpu, uint16_t sel, uint64_t ip)
{
    X86State *s = x86_state(vcpu);

    if (ip > (x86_is_vm86(s) ? 0xffffu : s->seg_limit[X86_CS])) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    x86_cs_set_real(vcpu, sel);
    return x86_linear_pc(s, ip);
}

/* -- gates and code segments ----------------------------------------------------------------------------------------- */

typedef struct Gate {
    uint16_t sel;
    uint64_t ip;
    unsigned width, n_params;
} Gate;

/* SDM 6.8.4: DPL of the gate, and the code segment it names. */
static Gate gate_read(Vcpu *vcpu, uint16_t sel, X86Desc d, X86Desc *ret_cs)
{
    const X86State *s = x86_state(vcpu);
    unsigned type = x86_desc_type(d);
    Gate g = { .sel = (uint16_t)(d.lo >> 16), .ip = (d.lo & 0xffff) | (d.hi & 0xffff0000u), .n_params = d.hi & 31 };

    if (x86_desc_dpl(d) < x86_cpl(vcpu) || x86_desc_dpl(d) < (sel & 3u)) {
        gp(vcpu, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    if (x86_is_long(s)) {
        uint32_t high;
        if (!x86_desc_fetch_high(vcpu, sel, &high)) {
            gp(vcpu, sel);
        }
        g.ip |= (uint64_t)high << 32;
        g.width = 8;
        g.n_params = 0;
    } else {
        g.width = type == X86_SYS_CALL ? 4 : 2;
        g.ip = g.width == 2 ? (uint16_t)g.ip : g.ip;
    }
    if (!(g.sel & 0xfffc)) {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
    if (!x86_desc_fetch(vcpu, g.sel, ret_cs) || !x86_desc_is_code(*ret_cs) || x86_desc_dpl(*ret_cs) > x86_cpl(vcpu)) {
        gp(vcpu, g.sel);
    }
    if (x86_is_long(s) && (!(ret_cs->hi & X86_ATTR_L) || (ret_cs->hi & X86_ATTR_B))) {
        gp(vcpu, g.sel);
    }
    if (!(ret_cs->hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, g.sel);
    }
    return g;
}

/* JMP and CALL to a code segment itself. */
static void check_direct_code(Vcpu *vcpu, uint16_t sel, X86Desc d)
{
    unsigned cpl = x86_cpl(vcpu), dpl = x86_desc_dpl(d);
    bool allowed = x86_desc_is_conforming(d) ? dpl <= cpl : (sel & 3u) <= cpl && dpl == cpl;

    if (!allowed || bad_long_code(x86_state(vcpu), d)) {
        gp(vcpu, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
}

static X86Desc fetch_target(Vcpu *vcpu, uint16_t sel)
{
    X86Desc d;

    if (!(sel & 0xfffc)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    if (!x86_desc_fetch(vcpu, sel, &d)) {
        gp(vcpu, sel);
    }
    return d;
}

/* A TSS or a task gate as a target (SDM 8.3). */
static uint64_t to_task(Vcpu *vcpu, uint16_t sel, X86Desc d, X86TaskSource source, uint64_t next_ip)
{
    unsigned type = x86_desc_type(d);

    if (x86_desc_dpl(d) < x86_cpl(vcpu) || x86_desc_dpl(d) < (sel & 3u)) {
        gp(vcpu, sel);
    }
    if (type == X86_SYS_TASK_GATE) {
        if (!(d.hi & X86_ATTR_P)) {
            x86_raise_sel(vcpu, X86_EXC_NP, sel);
        }
        sel = (uint16_t)(d.lo >> 16);
        if ((sel & 4) || !(sel & 0xfffc) || !x86_desc_fetch(vcpu, sel, &d) || (d.hi & X86_ATTR_S)) {
            gp(vcpu, sel);
        }
        type = x86_desc_type(d);
    }
    if ((sel & 4) || (type != X86_SYS_TSS && type != X86_SYS_TSS16)) {
        gp(vcpu, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    x86_task_switch(vcpu, sel, d, source, next_ip, NULL);
    return x86_state(vcpu)->pc;
}

static bool is_task(unsigned type)
{
    return type == X86_SYS_TSS || type == X86_SYS_TSS16 || type == X86_SYS_TASK_GATE || type == X86_SYS_TSS_BUSY ||
           type == X86_SYS_TSS16_BUSY;
}

/* A call gate of a kind this mode has. */
static bool is_call_gate(const X86State *s, unsigned type)
{
    return type == X86_SYS_CALL || (type == X86_SYS_CALL16 && !x86_is_long(s));
}

uint64_t x86_helper_far_jmp(Vcpu *vcpu, uint32_t sel, uint64_t ip, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);

    if (x86_is_real(s) || x86_is_vm86(s)) {
        return jump_real(vcpu, (uint16_t)sel, ip);
    }
    X86Desc d = fetch_target(vcpu, (uint16_t)sel), cs = d;
    if (d.hi & X86_ATTR_S) {
        if (!x86_desc_is_code(d)) {
            gp(vcpu, (uint16_t)sel);
        }
        check_direct_code(vcpu, (uint16_t)sel, d);
        ip = is_code64(s, d) ? ip : (uint32_t)ip;
    } else if (is_call_gate(s, x86_desc_type(d))) {
        Gate g = gate_read(vcpu, (uint16_t)sel, d, &cs);
        if (!x86_desc_is_conforming(cs) && x86_desc_dpl(cs) != x86_cpl(vcpu)) {
            gp(vcpu, g.sel);
        }
        sel = g.sel;
        ip = g.ip;
    } else if (!x86_is_long(s) && is_task(x86_desc_type(d))) {
        return to_task(vcpu, (uint16_t)sel, d, X86_TASK_JMP, next_ip);
    } else {
        gp(vcpu, (uint16_t)sel);
    }
    check_ip(vcpu, cs, ip);
    x86_desc_accessed(vcpu, (uint16_t)sel, &cs);
    return cs_commit(vcpu, (uint16_t)sel, cs, x86_cpl(vcpu), ip);
}

/* SDM 6.8.5: the new stack, with the old one's pointer and parameters on it. */
static uint64_t call_inner(Vcpu *vcpu, const Gate *g, X86Desc cs, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);
    unsigned cpl = x86_desc_dpl(cs);
    uint16_t ss;
    X86Desc ss_desc;
    uint64_t params[31];

    X86Stack old = x86_stack_current(vcpu), st = x86_stack_of_tss(vcpu, cpl, 0, &ss, &ss_desc);
    check_ip(vcpu, cs, g->ip);
    for (unsigned i = 0; i < g->n_params; i++) {
        params[i] = x86_stack_pop(&old, g->width);
    }
    x86_stack_push(&st, s->seg_sel[X86_SS], g->width);
    x86_stack_push(&st, s->gpr[X86_RSP], g->width);
    for (unsigned i = g->n_params; i-- > 0;) {
        x86_stack_push(&st, params[i], g->width);
    }
    x86_stack_push(&st, s->seg_sel[X86_CS], g->width);
    x86_stack_push(&st, next_ip, g->width);
    x86_desc_accessed(vcpu, g->sel, &cs);
    if (g->width == 8) {
        x86_seg_set(vcpu, X86_SS, ss, 0, 0, cpl << 13);
    } else {
        x86_seg_from_desc(vcpu, X86_SS, ss, ss_desc);
    }
    uint64_t pc = cs_commit(vcpu, g->sel, cs, cpl, g->ip);
    x86_stack_commit(&st);
    return pc;
}

static uint64_t call_same(Vcpu *vcpu, uint16_t sel, X86Desc cs, uint64_t ip, uint64_t next_ip, unsigned width)
{
    X86State *s = x86_state(vcpu);
    X86Stack st = x86_stack_current(vcpu);

    x86_stack_push(&st, s->seg_sel[X86_CS], width);
    x86_stack_push(&st, next_ip, width);
    check_ip(vcpu, cs, ip);
    x86_desc_accessed(vcpu, sel, &cs);
    uint64_t pc = cs_commit(vcpu, sel, cs, x86_cpl(vcpu), ip);
    x86_stack_commit(&st);
    return pc;
}

uint64_t x86_helper_far_call(Vcpu *vcpu, uint32_t sel, uint64_t ip, uint64_t next_ip, uint32_t width)
{
    X86State *s = x86_state(vcpu);

    if (x86_is_real(s) || x86_is_vm86(s)) {
        X86Stack st = x86_stack_current(vcpu);
        x86_stack_push(&st, s->seg_sel[X86_CS], width);
        x86_stack_push(&st, next_ip, width);
        uint64_t pc = jump_real(vcpu, (uint16_t)sel, ip);
        x86_stack_commit(&st);
        return pc;
    }
    X86Desc d = fetch_target(vcpu, (uint16_t)sel), cs;
    if (d.hi & X86_ATTR_S) {
        if (!x86_desc_is_code(d)) {
            gp(vcpu, (uint16_t)sel);
        }
        check_direct_code(vcpu, (uint16_t)sel, d);
        return call_same(vcpu, (uint16_t)sel, d, is_code64(s, d) ? ip : (uint32_t)ip, next_ip, width);
    }
    if (is_call_gate(s, x86_desc_type(d))) {
        Gate g = gate_read(vcpu, (uint16_t)sel, d, &cs);
        if (!x86_desc_is_conforming(cs) && x86_desc_dpl(cs) < x86_cpl(vcpu)) {
            return call_inner(vcpu, &g, cs, next_ip);
        }
        return call_same(vcpu, g.sel, cs, g.ip, next_ip, g.width);
    }
    if (x86_is_long(s) || !is_task(x86_desc_type(d))) {
        gp(vcpu, (uint16_t)sel);
    }
    return to_task(vcpu, (uint16_t)sel, d, X86_TASK_CALL, next_ip);
}

/* -- returns ----------------------------------------------------------------------------------------------------------- */

/* The code segment of a far RET or IRET (protected mode). */
static X86Desc check_return_code(Vcpu *vcpu, uint16_t sel)
{
    X86Desc d;
    unsigned rpl = sel & 3;

    if (!(sel & 0xfffc)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    if (!x86_desc_fetch(vcpu, sel, &d) || !x86_desc_is_code(d) || rpl < x86_cpl(vcpu)) {
        gp(vcpu, sel);
    }
    if (x86_desc_is_conforming(d) ? x86_desc_dpl(d) > rpl : x86_desc_dpl(d) != rpl) {
        gp(vcpu, sel);
    }
    if (bad_long_code(x86_state(vcpu), d)) {
        gp(vcpu, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    return d;
}

/* A null SS may be returned to in 64-bit code below level 3. */
static bool null_stack_allowed(const X86State *s, uint16_t ss, X86Desc cs, unsigned cpl)
{
    return !(ss & 0xfffc) && is_code64(s, cs) && cpl != 3;
}

/* Stack and code of a return to an outer level, or of any return in 64-bit mode. */
static uint64_t return_with_stack(Vcpu *vcpu, uint16_t cs_sel, X86Desc cs, uint64_t ip, uint16_t ss_sel, uint64_t sp)
{
    X86State *s = x86_state(vcpu);
    unsigned cpl = cs_sel & 3, old_cpl = x86_cpl(vcpu);
    bool null_ss = null_stack_allowed(s, ss_sel, cs, cpl);
    X86Desc ss = { 0 };

    if (!null_ss) {
        if (!(ss_sel & 0xfffc)) {
            x86_raise_code(vcpu, X86_EXC_GP, 0);
        }
        ss = x86_check_stack(vcpu, ss_sel, cpl, X86_EXC_GP);
    }
    check_ip(vcpu, cs, ip);
    x86_desc_accessed(vcpu, cs_sel, &cs);
    if (null_ss) {
        x86_seg_set(vcpu, X86_SS, ss_sel, 0, 0, cpl << 13);
    } else {
        x86_seg_from_desc(vcpu, X86_SS, ss_sel, ss);
    }
    uint64_t pc = cs_commit(vcpu, cs_sel, cs, cpl, ip);
    if (is_code64(s, cs)) {
        s->gpr[X86_RSP] = sp;
    } else if (ss.hi & X86_ATTR_B) {
        s->gpr[X86_RSP] = (uint32_t)sp;
    } else {
        s->gpr[X86_RSP] = (s->gpr[X86_RSP] & ~(uint64_t)0xffff) | (sp & 0xffff);
    }
    if (cpl != old_cpl) {
        x86_drop_inner_segments(vcpu);
    }
    return pc;
}

uint64_t x86_helper_far_ret(Vcpu *vcpu, uint32_t width, uint32_t release)
{
    X86State *s = x86_state(vcpu);
    X86Stack st = x86_stack_current(vcpu);
    uint64_t ip = x86_stack_pop(&st, width);
    uint16_t sel = (uint16_t)x86_stack_pop(&st, width);

    if (x86_is_real(s) || x86_is_vm86(s)) {
        uint64_t pc = jump_real(vcpu, sel, ip);
        st.sp += release;
        x86_stack_commit(&st);
        return pc;
    }
    X86Desc cs = check_return_code(vcpu, sel);
    st.sp = (st.sp & ~st.mask) | ((st.sp + release) & st.mask);
    if ((sel & 3u) == x86_cpl(vcpu)) {
        check_ip(vcpu, cs, ip);
        x86_desc_accessed(vcpu, sel, &cs);
        uint64_t pc = cs_commit(vcpu, sel, cs, sel & 3, ip);
        x86_stack_commit(&st);
        return pc;
    }
    uint64_t sp = x86_stack_pop(&st, width);
    uint16_t ss = (uint16_t)x86_stack_pop(&st, width);
    uint64_t pc = return_with_stack(vcpu, sel, cs, ip, ss, sp + release);
    return pc;
}

/* -- IRET ---------------------------------------------------------------------------------------------------------------- */

enum { FLAGS16 = 0xffff };
#define FLAGS_USER (X86_ARITH_FLAGS | X86_TF | X86_DF | X86_NT)

/* What a return to this level may change; 16-bit images hold the low half. */
static uint32_t iret_mask(const Vcpu *vcpu, unsigned cpl, unsigned width)
{
    const X86State *s = x86_state(vcpu);
    uint32_t mask = FLAGS_USER | X86_RF | X86_AC | X86_ID;

    mask |= cpl <= x86_iopl(s) ? X86_IF : 0;
    mask |= cpl == 0 ? X86_IOPL | X86_VIF | X86_VIP : 0;
    return width == 2 ? mask & FLAGS16 : mask;
}

static uint64_t iret_real(Vcpu *vcpu, unsigned width)
{
    X86State *s = x86_state(vcpu);
    X86Stack st = x86_stack_current(vcpu);
    uint64_t ip = x86_stack_pop(&st, width);
    uint16_t sel = (uint16_t)x86_stack_pop(&st, width);
    uint32_t flags = (uint32_t)x86_stack_pop(&st, width);
    uint32_t mask = FLAGS_USER | X86_IF | X86_IOPL | (width == 2 ? 0 : X86_RF | X86_AC | X86_ID);
    bool virtual_if = false;

    if (x86_is_vm86(s)) {
        mask &= ~(uint32_t)X86_IOPL;
        if (x86_iopl(s) < 3) {
            /* SDM 21.3: with VME a 16-bit IRET works on VIF. */
            bool traps = (flags & X86_TF) || ((flags & X86_IF) && (s->eflags & X86_VIP));
            if (!(s->cr4 & X86_CR4_VME) || width != 2 || traps) {
                x86_raise_code(vcpu, X86_EXC_GP, 0);
            }
            virtual_if = true;
            mask &= ~(uint32_t)X86_IF;
        }
    }
    uint64_t pc = jump_real(vcpu, sel, ip);
    x86_stack_commit(&st);
    if (virtual_if) {
        s->eflags = flags & X86_IF ? s->eflags | X86_VIF : s->eflags & ~X86_VIF;
    }
    x86_flags_write(vcpu, flags, mask);
    return pc;
}

/* SDM 21.2.3: from level 0 into VM86. */
static uint64_t iret_to_vm86(Vcpu *vcpu, X86Stack *st, uint64_t ip, uint16_t cs, uint32_t flags)
{
    static const uint8_t order[] = { X86_SS, X86_ES, X86_DS, X86_FS, X86_GS };
    X86State *s = x86_state(vcpu);
    uint16_t sel[X86_N_SEGS];
    uint64_t sp = x86_stack_pop(st, 4);

    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        sel[order[i]] = (uint16_t)x86_stack_pop(st, 4);
    }
    x86_flags_write(vcpu, flags, FLAGS_USER | X86_IF | X86_IOPL | X86_RF | X86_AC | X86_ID | X86_VIF | X86_VIP | X86_VM);
    sel[X86_CS] = cs;
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        x86_seg_vm86(vcpu, seg, sel[seg]);
    }
    s->gpr[X86_RSP] = (uint32_t)sp;
    return x86_linear_pc(s, ip & 0xffff);
}

/* NT is set: back to the task whose TSS is linked from this one (SDM 8.3). */
static uint64_t iret_task(Vcpu *vcpu, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);
    uint16_t sel = (uint16_t)guest_load(vcpu, (uint32_t)s->tr_base, 2, x86_mmu_implicit(vcpu));
    X86Desc d;

    if ((sel & 4) || !(sel & 0xfffc) || !x86_desc_fetch(vcpu, sel, &d) || (d.hi & X86_ATTR_S) ||
        (x86_desc_type(d) != X86_SYS_TSS_BUSY && x86_desc_type(d) != X86_SYS_TSS16_BUSY)) {
        x86_raise_sel(vcpu, X86_EXC_TS, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    x86_task_switch(vcpu, sel, d, X86_TASK_IRET, next_ip, NULL);
    return s->pc;
}

uint64_t x86_helper_iret(Vcpu *vcpu, uint32_t width, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);

    x86_block_nmi(vcpu, false);
    if (x86_is_real(s) || x86_is_vm86(s)) {
        return iret_real(vcpu, width);
    }
    if (s->eflags & X86_NT) {
        if (x86_is_long(s)) {
            x86_raise_code(vcpu, X86_EXC_GP, 0);
        }
        return iret_task(vcpu, next_ip);
    }
    X86Stack st = x86_stack_current(vcpu);
    uint64_t ip = x86_stack_pop(&st, width);
    uint16_t sel = (uint16_t)x86_stack_pop(&st, width);
    uint32_t flags = (uint32_t)x86_stack_pop(&st, width);
    unsigned cpl = x86_cpl(vcpu);
    if ((flags & X86_VM) && cpl == 0 && width == 4 && !x86_is_long(s)) {
        return iret_to_vm86(vcpu, &st, ip, sel, flags);
    }
    X86Desc cs = check_return_code(vcpu, sel);
    uint32_t mask = iret_mask(vcpu, cpl, width);
    uint64_t pc;
    if ((sel & 3u) != cpl || x86_is_code64(s)) {
        uint64_t sp = x86_stack_pop(&st, width);
        uint16_t ss = (uint16_t)x86_stack_pop(&st, width);
        pc = return_with_stack(vcpu, sel, cs, ip, ss, sp);
    } else {
        check_ip(vcpu, cs, ip);
        x86_desc_accessed(vcpu, sel, &cs);
        pc = cs_commit(vcpu, sel, cs, cpl, ip);
        x86_stack_commit(&st);
    }
    x86_flags_write(vcpu, flags, mask);
    return pc;
}

/* -- SYSENTER, SYSEXIT (SDM 2), SYSCALL, SYSRET (APM 2, 6.1.1) ----------------------------------------------------------- */

/* Flat segments with fixed attributes, as these instructions load without looking at memory. */
static void flat(Vcpu *vcpu, X86SegId seg, unsigned sel, unsigned dpl, bool code64)
{
    uint32_t attr = X86_ATTR_P | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A | X86_ATTR_G | dpl << 13;

    attr |= seg == X86_CS ? X86_ATTR_CODE : 0;
    attr |= code64 ? X86_ATTR_L : X86_ATTR_B;
    x86_seg_set(vcpu, seg, (uint16_t)((sel & 0xfffc) | dpl), 0, UINT32_MAX, attr);
}

/* Long mode of AMD's processors has neither (APM volume 3). */
static void need_sysenter(Vcpu *vcpu)
{
    if (x86_is_long(x86_state(vcpu)) && x86_is_amd(x86_model(vcpu))) {
        x86_raise(vcpu, X86_EXC_UD);
    }
}

uint64_t x86_helper_sysenter(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    bool is_long = x86_is_long(s);

    need_sysenter(vcpu);
    if (x86_is_real(s) || !(s->sysenter_cs & 0xfffc)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    x86_flags_write(vcpu, 0, X86_VM | X86_IF | X86_RF);
    flat(vcpu, X86_SS, (uint16_t)s->sysenter_cs + 8, 0, false);
    flat(vcpu, X86_CS, (uint16_t)s->sysenter_cs, 0, is_long);
    s->gpr[X86_RSP] = is_long ? s->sysenter_esp : (uint32_t)s->sysenter_esp;
    return x86_linear_pc(s, is_long ? s->sysenter_eip : (uint32_t)s->sysenter_eip);
}

uint64_t x86_helper_sysexit(Vcpu *vcpu, uint32_t width)
{
    X86State *s = x86_state(vcpu);
    bool to64 = width == 8;
    uint64_t ip = s->gpr[X86_RDX], sp = s->gpr[X86_RCX];

    need_sysenter(vcpu);
    if (x86_is_real(s) || x86_cpl(vcpu) || !(s->sysenter_cs & 0xfffc) ||
        (to64 && (!x86_is_canonical(s, ip) || !x86_is_canonical(s, sp)))) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    unsigned cs = (uint16_t)s->sysenter_cs + (to64 ? 32 : 16);
    flat(vcpu, X86_SS, cs + 8, 3, false);
    flat(vcpu, X86_CS, cs, 3, to64);
    s->gpr[X86_RSP] = to64 ? sp : (uint32_t)sp;
    return x86_linear_pc(s, to64 ? ip : (uint32_t)ip);
}

uint64_t x86_helper_syscall(Vcpu *vcpu, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);
    unsigned cs = s->star >> 32 & 0xffff;
    uint32_t flags = x86_eflags_get(vcpu);

    if (!(s->efer & X86_EFER_SCE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (!x86_is_long(s)) {
        /* AMD's legacy mode form. */
        s->gpr[X86_RCX] = (uint32_t)next_ip;
        flat(vcpu, X86_CS, cs, 0, false);
        flat(vcpu, X86_SS, cs + 8, 0, false);
        x86_flags_write(vcpu, 0, X86_VM | X86_IF | X86_RF);
        return x86_linear_pc(s, (uint32_t)s->star);
    }
    bool from64 = x86_is_code64(s);
    s->gpr[X86_RCX] = next_ip;
    s->gpr[11] = flags & ~(uint32_t)X86_RF;
    flat(vcpu, X86_CS, cs, 0, true);
    flat(vcpu, X86_SS, cs + 8, 0, false);
    x86_flags_write(vcpu, 0, (uint32_t)s->sfmask | X86_RF);
    x86_debug_step_by_new_tf(vcpu);
    return x86_linear_pc(s, from64 ? s->lstar : s->cstar);
}

uint64_t x86_helper_sysret(Vcpu *vcpu, uint32_t width)
{
    X86State *s = x86_state(vcpu);
    unsigned sel = s->star >> 48;
    uint64_t ip = s->gpr[X86_RCX];
    bool to64 = width == 8, is_long = x86_is_long(s);

    if (!(s->efer & X86_EFER_SCE) || x86_is_real(s)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (x86_cpl(vcpu) || (to64 && !x86_is_canonical(s, ip))) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    flat(vcpu, X86_CS, to64 ? sel + 16 : sel, 3, to64);
    flat(vcpu, X86_SS, sel + 8, 3, false);
    if (is_long) {
        uint32_t keep = X86_RF | X86_VM;
        x86_flags_write(vcpu, (uint32_t)s->gpr[11], ~keep);
    } else {
        x86_flags_write(vcpu, X86_IF, X86_IF);
    }
    x86_debug_step_by_new_tf(vcpu);
    return x86_linear_pc(s, to64 ? ip : (uint32_t)ip);
}
