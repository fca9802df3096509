/*
 * task.c: task switches through a task state segment (SDM 8.2-8.4), 16 and 32 bits.
 *
 * The new TSS is read, and the old one written, before anything changes: page faults belong to the old task. Faults of the new task's
 * segments are taken in the new task.
 */
#include "target/x86/system.h"

enum { TSS16_BYTES = 0x2c, TSS_BYTES = 0x68 };

typedef struct TaskImage {
    uint32_t cr3, ip, flags, gpr[8], trap;
    uint16_t sel[X86_N_SEGS], ldt;
} TaskImage;

static uint32_t field(Vcpu *vcpu, uint64_t base, unsigned offset, unsigned size_bytes)
{
    return (uint32_t)guest_load(vcpu, (uint32_t)(base + offset), size_bytes, x86_mmu_implicit(vcpu));
}

static void put(Vcpu *vcpu, uint64_t base, unsigned offset, uint32_t value, unsigned size_bytes)
{
    guest_store(vcpu, (uint32_t)(base + offset), value, size_bytes, x86_mmu_implicit(vcpu));
}

static TaskImage image_read(Vcpu *vcpu, uint64_t base, bool tss32)
{
    TaskImage t = { 0 };

    if (tss32) {
        t.cr3 = field(vcpu, base, 0x1c, 4);
        t.ip = field(vcpu, base, 0x20, 4);
        t.flags = field(vcpu, base, 0x24, 4);
        for (unsigned i = 0; i < 8; i++) {
            t.gpr[i] = field(vcpu, base, 0x28 + 4 * i, 4);
        }
        for (unsigned i = 0; i < X86_N_SEGS; i++) {
            t.sel[i] = (uint16_t)field(vcpu, base, 0x48 + 4 * i, 2);
        }
        t.ldt = (uint16_t)field(vcpu, base, 0x60, 2);
        t.trap = field(vcpu, base, 0x64, 2) & 1;
    } else {
        t.ip = field(vcpu, base, 0x0e, 2);
        t.flags = field(vcpu, base, 0x10, 2);
        for (unsigned i = 0; i < 8; i++) {
            t.gpr[i] = field(vcpu, base, 0x12 + 2 * i, 2) | 0xffff0000u;
        }
        for (unsigned i = 0; i < 4; i++) {
            t.sel[i] = (uint16_t)field(vcpu, base, 0x22 + 2 * i, 2);
        }
        t.ldt = (uint16_t)field(vcpu, base, 0x2a, 2);
    }
    return t;
}

static void image_save(Vcpu *vcpu, uint64_t base, bool tss32, uint64_t ip, uint32_t flags)
{
    const X86State *s = x86_state(vcpu);

    if (tss32) {
        put(vcpu, base, 0x20, (uint32_t)ip, 4);
        put(vcpu, base, 0x24, flags, 4);
        for (unsigned i = 0; i < 8; i++) {
            put(vcpu, base, 0x28 + 4 * i, (uint32_t)s->gpr[i], 4);
        }
        for (unsigned i = 0; i < X86_N_SEGS; i++) {
            put(vcpu, base, 0x48 + 4 * i, s->seg_sel[i], 2);
        }
        return;
    }
    put(vcpu, base, 0x0e, (uint16_t)ip, 2);
    put(vcpu, base, 0x10, (uint16_t)flags, 2);
    for (unsigned i = 0; i < 8; i++) {
        put(vcpu, base, 0x12 + 2 * i, (uint16_t)s->gpr[i], 2);
    }
    for (unsigned i = 0; i < 4; i++) {
        put(vcpu, base, 0x22 + 2 * i, s->seg_sel[i], 2);
    }
}

static void set_busy(Vcpu *vcpu, uint16_t sel, bool busy)
{
    X86Desc d;

    if (x86_desc_fetch(vcpu, sel, &d)) {
        x86_desc_set_byte5(vcpu, sel, (uint8_t)(busy ? d.hi >> 8 | 2 : d.hi >> 8 & ~2u));
    }
}

/* -- segments of the new task (SDM 8.3, table 8-1) -------------------------------------------------------------------- */

static void load_code(Vcpu *vcpu, uint16_t sel)
{
    unsigned rpl = sel & 3;
    X86Desc d;

    if (!(sel & 0xfffc) || !x86_desc_fetch(vcpu, sel, &d) || !x86_desc_is_code(d) ||
        (x86_desc_is_conforming(d) ? x86_desc_dpl(d) > rpl : x86_desc_dpl(d) != rpl)) {
        x86_raise_sel(vcpu, X86_EXC_TS, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    x86_desc_accessed(vcpu, sel, &d);
    uint64_t ip = x86_ip(vcpu);
    x86_seg_from_desc(vcpu, X86_CS, sel, d);
    x86_state(vcpu)->pc = x86_linear_pc(x86_state(vcpu), ip);
}

static void load_data(Vcpu *vcpu, X86SegId seg, uint16_t sel, unsigned cpl)
{
    X86Desc d;

    if (!(sel & 0xfffc)) {
        return; /* null already */
    }
    if (!x86_desc_fetch(vcpu, sel, &d) || !(x86_desc_is_data(d) || (x86_desc_is_code(d) && (d.hi & X86_ATTR_W))) ||
        (!x86_desc_is_conforming(d) && (x86_desc_dpl(d) < cpl || x86_desc_dpl(d) < (sel & 3u)))) {
        x86_raise_sel(vcpu, X86_EXC_TS, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    x86_desc_accessed(vcpu, sel, &d);
    x86_seg_from_desc(vcpu, seg, sel, d);
}

static void load_segments(Vcpu *vcpu, const TaskImage *t)
{
    static const uint8_t data[] = { X86_DS, X86_ES, X86_FS, X86_GS };
    unsigned cpl = t->sel[X86_CS] & 3;

    x86_ldt_load(vcpu, t->ldt, X86_EXC_TS);
    if (x86_state(vcpu)->eflags & X86_VM) {
        return; /* done with the selectors */
    }
    load_code(vcpu, t->sel[X86_CS]);
    x86_seg_from_desc(vcpu, X86_SS, t->sel[X86_SS], x86_check_stack(vcpu, t->sel[X86_SS], cpl, X86_EXC_TS));
    for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
        load_data(vcpu, data[i], t->sel[data[i]], cpl);
    }
}

/* Registers of the new task, segments with nothing but their selectors yet. */
static void image_commit(Vcpu *vcpu, const TaskImage *t, uint32_t flags, bool tss32)
{
    X86State *s = x86_state(vcpu);

    if (tss32 && (s->cr0 & X86_CR0_PG) && s->cr3 != t->cr3) {
        x86_cr3_write(vcpu, t->cr3);
    }
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[i] = t->gpr[i];
    }
    x86_flags_write(vcpu, flags, UINT32_MAX);
    for (unsigned i = 0; i < X86_N_SEGS; i++) {
        if (flags & X86_VM) {
            x86_seg_vm86(vcpu, i, t->sel[i]);
        } else {
            x86_seg_null(vcpu, i, t->sel[i]);
        }
    }
    if (!(flags & X86_VM)) {
        s->seg_attr[X86_SS] = (t->sel[X86_CS] & 3u) << 13;
    }
    s->pc = (uint32_t)(s->seg_base[X86_CS] + t->ip);
    s->ldt_sel = t->ldt;
    s->ldt_attr = s->ldt_limit = 0;
}

void x86_task_switch(Vcpu *vcpu, uint16_t sel, X86Desc d, X86TaskSource source, uint64_t next_ip, const uint32_t *error_code)
{
    X86State *s = x86_state(vcpu);
    bool new32 = x86_desc_type(d) & 8, old32 = s->tr_attr >> 8 & 8, nests = source == X86_TASK_CALL || source == X86_TASK_INT;
    uint32_t base = x86_desc_base(d), old_flags = x86_eflags_get(vcpu);
    uint16_t old_sel = s->tr_sel;

    if (x86_desc_limit(d) < (new32 ? TSS_BYTES : TSS16_BYTES) - 1u) {
        x86_raise_sel(vcpu, X86_EXC_TS, sel);
    }
    if (s->tr_limit < (old32 ? TSS_BYTES : TSS16_BYTES) - 1u) {
        x86_raise_sel(vcpu, X86_EXC_TS, old_sel);
    }
    TaskImage t = image_read(vcpu, base, new32);
    image_save(vcpu, s->tr_base, old32, next_ip, source == X86_TASK_IRET ? old_flags & ~(uint32_t)X86_NT : old_flags);
    if (nests) {
        put(vcpu, base, 0, old_sel, 2);
    } else {
        set_busy(vcpu, old_sel, false);
    }
    if (source != X86_TASK_IRET) {
        set_busy(vcpu, sel, true);
    }

    s->tr_sel = sel;
    s->tr_base = base;
    s->tr_limit = x86_desc_limit(d);
    s->tr_attr = (d.hi & X86_ATTR_MASK) | 2 << 8;
    s->cr0 |= X86_CR0_TS;
    s->dr[7] &= ~(uint64_t)0x55; /* local breakpoints */
    uint32_t flags = (t.flags & 0x003f7fd5u) | 2 | (nests ? X86_NT : 0);
    image_commit(vcpu, &t, flags, new32);
    s->db_pending = t.trap ? BIT(15) : 0;
    x86_debug_update(vcpu);
    load_segments(vcpu, &t);
    if (!(s->eflags & X86_VM) && x86_ip(vcpu) > s->seg_limit[X86_CS]) {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
    if (error_code) {
        X86Stack st = x86_stack_current(vcpu);
        x86_stack_push(&st, *error_code, new32 ? 4 : 2);
        x86_stack_commit(&st);
    }
}
