/*
 * segment.c: segment registers, descriptors and their checks (SDM 3.4, 3.5, 6.2-6.10).
 */
#include "target/x86/translate.h"
#include "target/x86/system.h"

void x86_raise(Vcpu *vcpu, unsigned vector)
{
    vcpu_raise(vcpu, (int32_t)vector, 0);
}

void x86_raise_code(Vcpu *vcpu, unsigned vector, uint32_t code)
{
    vcpu_raise(vcpu, (int32_t)(vector | X86_CAUSE_HAS_CODE), code);
}

void x86_raise_sel(Vcpu *vcpu, unsigned vector, uint16_t sel)
{
    x86_raise_code(vcpu, vector, (sel & 0xfffcu) | x86_state(vcpu)->ext);
}

/* -- hidden parts ------------------------------------------------------------------------------------------ */

/* Accesses through the register need a look at limit or rights. */
static bool needs_check(const X86State *s, X86SegId seg)
{
    uint32_t attr = s->seg_attr[seg];

    if (s->seg_limit[seg] != UINT32_MAX) {
        return true;
    }
    if (!(s->cr0 & X86_CR0_PE)) {
        return false;
    }
    /* CS can be read at most; what is not writable data needs its rights looked at. */
    return seg == X86_CS || !(attr & X86_ATTR_P) || !(attr & X86_ATTR_S) || (attr & (X86_ATTR_CODE | X86_ATTR_E)) || !(attr & X86_ATTR_W);
}

void x86_seg_changed(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    s->seg_check = 0;
    for (unsigned seg = 0; seg < X86_N_SEGS && !x86_is_code64(s); seg++) {
        s->seg_check |= needs_check(s, seg) << seg;
    }
}

void x86_seg_set(Vcpu *vcpu, X86SegId seg, uint16_t sel, uint64_t base, uint32_t limit, uint32_t attr)
{
    X86State *s = x86_state(vcpu);
    bool was64 = x86_is_code64(s);

    s->seg_sel[seg] = sel;
    s->seg_base[seg] = base;
    s->seg_limit[seg] = limit;
    s->seg_attr[seg] = attr;
    bool is64 = x86_is_code64(s);
    if (is64 && seg == X86_CS) {
        s->seg_base[X86_CS] = 0;
    }
    if (was64 != is64) {
        x86_seg_changed(vcpu);
    } else if (!is64) {
        s->seg_check = (uint8_t)((s->seg_check & ~(1u << seg)) | (unsigned)needs_check(s, seg) << seg);
    }
}

void x86_seg_from_desc(Vcpu *vcpu, X86SegId seg, uint16_t sel, X86Desc d)
{
    x86_seg_set(vcpu, seg, sel, x86_desc_base(d), x86_desc_limit(d), d.hi & X86_ATTR_MASK);
}

void x86_seg_null(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    x86_seg_set(vcpu, seg, sel, 0, 0, 0);
}

void x86_seg_vm86(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    /* SDM 21.2.1: present, writable (CS too), DPL 3, 64 KiB. */
    x86_seg_set(vcpu, seg, sel, (uint32_t)sel << 4, 0xffff, X86_ATTR_P | X86_ATTR_DPL | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A);
}

/* Real mode changes the base; limit and size stay as protected mode left them. */
static void seg_set_real(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    X86State *s = x86_state(vcpu);
    uint32_t attr = X86_ATTR_P | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A | (seg == X86_CS ? X86_ATTR_CODE : 0);

    x86_seg_set(vcpu, seg, sel, (uint32_t)sel << 4, s->seg_limit[seg], attr | (s->seg_attr[seg] & (X86_ATTR_B | X86_ATTR_G)));
}

void x86_cs_set_real(Vcpu *vcpu, uint16_t sel)
{
    if (x86_is_vm86(x86_state(vcpu))) {
        x86_seg_vm86(vcpu, X86_CS, sel);
    } else {
        seg_set_real(vcpu, X86_CS, sel);
    }
}

/* -- descriptor tables ---------------------------------------------------------------------------------------- */

static bool table_entry(const Vcpu *vcpu, uint16_t sel, unsigned size_bytes, uint64_t *ret)
{
    const X86State *s = x86_state(vcpu);
    uint64_t base = sel & 4 ? s->ldt_base : s->gdt_base;
    uint32_t limit = sel & 4 ? s->ldt_limit : s->gdt_limit;
    bool usable = !(sel & 4) || (s->ldt_attr & X86_ATTR_P) || !vcpu->softmmu;

    if (!usable || (sel & ~7u) + size_bytes - 1 > limit) {
        return false;
    }
    *ret = base + (sel & ~7u);
    *ret = x86_is_long(s) ? *ret : (uint32_t)*ret;
    return true;
}

bool x86_desc_fetch(Vcpu *vcpu, uint16_t sel, X86Desc *ret)
{
    uint64_t at;

    if (!table_entry(vcpu, sel, 8, &at)) {
        return false;
    }
    uint64_t raw = guest_load(vcpu, at, 8, x86_mmu_implicit(vcpu));
    *ret = (X86Desc){ (uint32_t)raw, (uint32_t)(raw >> 32) };
    return true;
}

bool x86_desc_fetch_high(Vcpu *vcpu, uint16_t sel, uint32_t *ret)
{
    uint64_t at;

    if (!table_entry(vcpu, sel, 16, &at)) {
        return false;
    }
    *ret = (uint32_t)guest_load(vcpu, at + 8, 4, x86_mmu_implicit(vcpu));
    return true;
}

void x86_desc_set_byte5(Vcpu *vcpu, uint16_t sel, uint8_t value)
{
    uint64_t at;

    if (table_entry(vcpu, sel, 8, &at)) {
        guest_store(vcpu, at + 5, value, 1, x86_mmu_implicit(vcpu));
    }
}

void x86_desc_accessed(Vcpu *vcpu, uint16_t sel, X86Desc *d)
{
    if (!(d->hi & X86_ATTR_A) && vcpu->softmmu) { /* the tables of user mode are the kernel's */
        d->hi |= X86_ATTR_A;
        x86_desc_set_byte5(vcpu, sel, (uint8_t)(d->hi >> 8));
    }
}

/* -- loads --------------------------------------------------------------------------------------------------------- */

/* CPL after a load that brings none along: in 64-bit mode a null SS keeps the level. */
static void load_null(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    X86State *s = x86_state(vcpu);
    unsigned cpl = x86_cpl(vcpu);

    if (seg != X86_SS) {
        x86_seg_null(vcpu, seg, sel);
    } else if (x86_is_code64(s) && cpl != 3 && (sel & 3u) == cpl) {
        x86_seg_set(vcpu, seg, sel, 0, 0, cpl << 13);
    } else {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
}

void x86_seg_load(Vcpu *vcpu, X86SegId seg, uint16_t sel)
{
    X86State *s = x86_state(vcpu);
    unsigned cpl = x86_cpl(vcpu), rpl = sel & 3;
    X86Desc d;

    if (x86_is_real(s)) {
        seg_set_real(vcpu, seg, sel);
        return;
    }
    if (x86_is_vm86(s)) {
        x86_seg_vm86(vcpu, seg, sel);
        return;
    }
    if (!(sel & 0xfffc)) {
        load_null(vcpu, seg, sel);
        return;
    }
    if (!x86_desc_fetch(vcpu, sel, &d)) {
        x86_raise_sel(vcpu, X86_EXC_GP, sel);
    }
    if (seg == X86_SS) {
        if (rpl != cpl || !x86_desc_is_stack(d) || x86_desc_dpl(d) != cpl) {
            x86_raise_sel(vcpu, X86_EXC_GP, sel);
        }
    } else {
        bool readable = x86_desc_is_data(d) || (x86_desc_is_code(d) && (d.hi & X86_ATTR_W));
        bool inner = !x86_desc_is_conforming(d) && (rpl > x86_desc_dpl(d) || cpl > x86_desc_dpl(d));
        if (!readable || inner) {
            x86_raise_sel(vcpu, X86_EXC_GP, sel);
        }
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, seg == X86_SS ? X86_EXC_SS : X86_EXC_NP, sel);
    }
    x86_desc_accessed(vcpu, sel, &d);
    x86_seg_from_desc(vcpu, seg, sel, d);
}

X86Desc x86_check_stack(Vcpu *vcpu, uint16_t sel, unsigned cpl, unsigned vector)
{
    X86Desc d;

    if (!(sel & 0xfffc) || (sel & 3u) != cpl || !x86_desc_fetch(vcpu, sel, &d) || !x86_desc_is_stack(d) || x86_desc_dpl(d) != cpl) {
        x86_raise_sel(vcpu, vector, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_SS, sel);
    }
    x86_desc_accessed(vcpu, sel, &d);
    return d;
}

void x86_drop_inner_segments(Vcpu *vcpu)
{
    static const uint8_t data[] = { X86_ES, X86_DS, X86_FS, X86_GS };
    X86State *s = x86_state(vcpu);
    unsigned cpl = x86_cpl(vcpu);

    for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
        uint32_t attr = s->seg_attr[data[i]];
        bool conforming = (attr & X86_ATTR_CODE) && (attr & X86_ATTR_E);
        if ((attr & X86_ATTR_P) && !conforming && (attr >> 13 & 3) < cpl) {
            /* The selector becomes null, the base stays: 64-bit code goes on using those of FS and GS. */
            x86_seg_set(vcpu, data[i], 0, s->seg_base[data[i]], s->seg_limit[data[i]], 0);
        }
    }
}

void x86_ldt_load(Vcpu *vcpu, uint16_t sel, unsigned vector)
{
    X86State *s = x86_state(vcpu);
    X86Desc d;
    uint32_t high = 0;

    if (!(sel & 0xfffc)) {
        s->ldt_sel = sel;
        s->ldt_base = s->ldt_limit = s->ldt_attr = 0;
        return;
    }
    if ((sel & 4) || !x86_desc_fetch(vcpu, sel, &d) || (d.hi & X86_ATTR_S) || x86_desc_type(d) != X86_SYS_LDT ||
        (x86_is_long(s) && !x86_desc_fetch_high(vcpu, sel, &high))) {
        x86_raise_sel(vcpu, vector, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, vector == X86_EXC_GP ? X86_EXC_NP : vector, sel);
    }
    uint64_t base = (uint64_t)high << 32 | x86_desc_base(d);
    if (x86_is_long(s) && !x86_is_canonical_base(vcpu, base)) {
        x86_raise_code(vcpu, X86_EXC_GP, 0);
    }
    s->ldt_sel = sel;
    s->ldt_base = base;
    s->ldt_limit = x86_desc_limit(d);
    s->ldt_attr = d.hi & X86_ATTR_MASK;
}

/* -- stacks ---------------------------------------------------------------------------------------------------------- */

unsigned x86_mmu_at(const X86State *s, unsigned cpl)
{
    return cpl == 3 ? X86_MMU_USER : (s->cr4 & X86_CR4_SMAP) && !(s->eflags & X86_AC) ? X86_MMU_KERNEL : X86_MMU_K_AC;
}

X86Stack x86_stack_current(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    bool is64 = x86_is_code64(s);

    return (X86Stack){
        .vcpu = vcpu, .base = is64 ? 0 : s->seg_base[X86_SS], .sp = s->gpr[X86_RSP], .limit = s->seg_limit[X86_SS],
        .attr = s->seg_attr[X86_SS], .is64 = is64, .mmu_index = (uint8_t)x86_mmu_at(s, x86_cpl(vcpu)),
        .mask = is64 ? UINT64_MAX : s->seg_attr[X86_SS] & X86_ATTR_B ? UINT32_MAX : 0xffff,
    };
}

X86Stack x86_stack_new(Vcpu *vcpu, uint16_t sel, X86Desc ss, uint64_t sp, unsigned cpl)
{
    return (X86Stack){
        .vcpu = vcpu, .base = x86_desc_base(ss), .sp = sp, .limit = x86_desc_limit(ss), .attr = ss.hi, .sel = sel,
        .mmu_index = (uint8_t)x86_mmu_at(x86_state(vcpu), cpl), .mask = ss.hi & X86_ATTR_B ? UINT32_MAX : 0xffff,
    };
}

/* Whether [offset, offset + size) lies in a segment; expand-down ones hold what is above the limit (SDM 3.4.5.1). */
static bool in_limit(uint64_t offset, unsigned size_bytes, uint32_t limit, uint32_t attr)
{
    uint64_t last = offset + size_bytes - 1;

    if (!(attr & X86_ATTR_CODE) && (attr & X86_ATTR_E)) {
        return offset > limit && last <= (attr & X86_ATTR_B ? UINT32_MAX : 0xffff);
    }
    return last <= limit || limit == UINT32_MAX;
}

static uint64_t stack_addr(const X86Stack *st, uint64_t sp, unsigned size_bytes)
{
    const X86State *s = x86_state(st->vcpu);

    if (st->is64) {
        if (!x86_is_canonical(s, sp)) {
            x86_raise_code(st->vcpu, X86_EXC_SS, s->ext);
        }
        return sp;
    }
    if (!in_limit(sp, size_bytes, st->limit, st->attr)) {
        x86_raise_sel(st->vcpu, X86_EXC_SS, st->sel);
    }
    return (uint32_t)(st->base + sp);
}

void x86_stack_push(X86Stack *st, uint64_t value, unsigned size_bytes)
{
    uint64_t sp = (st->sp - size_bytes) & st->mask;

    guest_store(st->vcpu, stack_addr(st, sp, size_bytes), value & bits_mask(0, 8 * size_bytes), size_bytes, st->mmu_index);
    st->sp = (st->sp & ~st->mask) | sp;
}

uint64_t x86_stack_pop(X86Stack *st, unsigned size_bytes)
{
    uint64_t sp = st->sp & st->mask, value = guest_load(st->vcpu, stack_addr(st, sp, size_bytes), size_bytes, st->mmu_index);

    st->sp = (st->sp & ~st->mask) | ((sp + size_bytes) & st->mask);
    return value;
}

void x86_stack_commit(const X86Stack *st)
{
    uint64_t *rsp = &x86_state(st->vcpu)->gpr[X86_RSP];

    *rsp = st->mask == 0xffff ? (*rsp & ~(uint64_t)0xffff) | (st->sp & 0xffff) : st->sp & st->mask;
}

static void tss_limit(Vcpu *vcpu, unsigned last)
{
    const X86State *s = x86_state(vcpu);
    if (last > s->tr_limit) {
        x86_raise_sel(vcpu, X86_EXC_TS, s->tr_sel);
    }
}

X86Stack x86_stack_of_tss(Vcpu *vcpu, unsigned cpl, unsigned ist, uint16_t *ret_ss, X86Desc *ret_desc)
{
    const X86State *s = x86_state(vcpu);

    if (x86_is_long(s)) {
        unsigned at = ist ? 36 + 8 * (ist - 1) : 4 + 8 * cpl;
        tss_limit(vcpu, at + 7);
        X86Stack st = { .vcpu = vcpu, .mask = UINT64_MAX, .is64 = true, .mmu_index = (uint8_t)x86_mmu_at(s, cpl) };
        st.sp = guest_load(vcpu, s->tr_base + at, 8, x86_mmu_implicit(vcpu));
        *ret_ss = (uint16_t)cpl;
        *ret_desc = (X86Desc){ .hi = cpl << 13 };
        return st;
    }
    bool tss32 = (s->tr_attr >> 8 & 8) != 0;
    unsigned at = tss32 ? 4 + 8 * cpl : 2 + 4 * cpl, width = tss32 ? 4 : 2;
    tss_limit(vcpu, at + width + 1);
    uint64_t sp = guest_load(vcpu, (uint32_t)(s->tr_base + at), width, x86_mmu_implicit(vcpu));
    *ret_ss = (uint16_t)guest_load(vcpu, (uint32_t)(s->tr_base + at + width), 2, x86_mmu_implicit(vcpu));
    *ret_desc = x86_check_stack(vcpu, *ret_ss, cpl, X86_EXC_TS);
    return x86_stack_new(vcpu, *ret_ss, *ret_desc, sp, cpl);
}

/* -- accesses through a register that is not flat (SDM 6.3, 6.4) --------------------------------------------------- */

void x86_seg_check_access(Vcpu *vcpu, X86SegId seg, uint64_t offset, unsigned size_bytes, bool write)
{
    const X86State *s = x86_state(vcpu);
    uint32_t attr = s->seg_attr[seg];
    bool ok = in_limit(offset, size_bytes, s->seg_limit[seg], attr);

    if (ok && (s->cr0 & X86_CR0_PE) && !(s->eflags & X86_VM)) {
        ok = (attr & X86_ATTR_P) && (write ? !(attr & X86_ATTR_CODE) && (attr & X86_ATTR_W)
                                           : !(attr & X86_ATTR_CODE) || (attr & X86_ATTR_W));
    }
    if (!ok) {
        x86_raise_code(vcpu, seg == X86_SS ? X86_EXC_SS : X86_EXC_GP, 0);
    }
}

void x86_helper_seg_check(Vcpu *vcpu, uint64_t offset, uint32_t how)
{
    x86_seg_check_access(vcpu, (X86SegId)(how & 0xff), offset, how >> 8 & 0xff, how >> 16);
}
