/*
 * exception.c: exceptions and interrupts enter their handlers (SDM 6.8-6.14, 21.2, 21.3; long mode 6.14).
 *
 * Delivery reads descriptors and pushes before it changes registers; a fault on the way leaves by vcpu_loop_exit() and comes back
 * as the next exception, with state.delivering telling what it interrupted: that makes double and triple faults (SDM 6.15, table 6-5).
 */
#include "target/x86/system.h"
#include "util/log.h"

enum { BENIGN = 0x100 };
#define HANDLER_CLEARS (X86_TF | X86_NT | X86_RF | X86_VM)

static bool is_contributory(unsigned vector)
{
    return vector == X86_EXC_DE || (vector >= X86_EXC_TS && vector <= X86_EXC_GP);
}

void x86_shutdown(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (log_enabled(LOG_INT | LOG_CPU_RESET)) {
        log_printf("CPU %d: triple fault at " VADDR_FMT "\n", vcpu->index, s->pc);
    }
    s->delivering = 0;
    s->ext = false;
    s->db_pending = 0;
    s->shutdown = 1;
    atomic_store(&vcpu->halted, true);
    if (s->platform && s->platform->triple_fault) {
        s->platform->triple_fault(s->platform_opaque, vcpu);
    }
    vcpu_loop_exit(vcpu, VCPU_EXIT_HALTED);
}

static noreturn void bad_vector(Vcpu *vcpu, unsigned vector, unsigned exception)
{
    x86_raise_code(vcpu, exception, vector * 8 + 2 + x86_state(vcpu)->ext);
}

/*
 * A breakpoint hit that MOV SS held off, or one of INT's own, becomes a trap at the handler's first instruction when it was INT n, INT3 or INTO
 * that called it (SDM 6.8.3); the step that INT was is none.
 */
static void delivered(Vcpu *vcpu, bool soft)
{
    X86State *s = x86_state(vcpu);

    s->delivering = 0;
    s->ext = false;
    s->inhibit = 0;
    s->db_pending &= soft ? 0xf : 0;
    x86_debug_update(vcpu);
}

/* -- real mode (SDM 21.1.4) ------------------------------------------------------------------------------------- */

void x86_deliver_real(Vcpu *vcpu, unsigned vector, uint64_t base, uint64_t ip, uint32_t flags)
{
    X86State *s = x86_state(vcpu);
    uint32_t entry = (uint32_t)guest_load(vcpu, (uint32_t)(base + 4 * vector), 4, x86_is_vm86(s) ? X86_MMU_USER : x86_mmu_implicit(vcpu));
    X86Stack st = x86_stack_current(vcpu);

    x86_stack_push(&st, flags, 2);
    x86_stack_push(&st, s->seg_sel[X86_CS], 2);
    x86_stack_push(&st, ip, 2);
    x86_cs_set_real(vcpu, (uint16_t)(entry >> 16));
    x86_stack_commit(&st);
    s->pc = x86_linear_pc(s, entry & 0xffff);
}

static void deliver_real(Vcpu *vcpu, unsigned vector, uint64_t ip)
{
    X86State *s = x86_state(vcpu);

    if (vector * 4 + 3 > s->idt_limit) {
        bad_vector(vcpu, vector, X86_EXC_GP);
    }
    x86_deliver_real(vcpu, vector, s->idt_base, ip, x86_eflags_get(vcpu));
    x86_flags_write(vcpu, 0, X86_IF | X86_TF | X86_AC | X86_RF);
}

/* -- protected and long mode ----------------------------------------------------------------------------------------- */

typedef struct Gate {
    uint64_t ip;
    uint16_t sel;
    unsigned type, dpl, ist, width;
} Gate;

static Gate gate_read(Vcpu *vcpu, unsigned vector, bool soft)
{
    const X86State *s = x86_state(vcpu);
    bool is_long = x86_is_long(s);
    unsigned size = is_long ? 16 : 8;

    if (vector * size + size - 1 > s->idt_limit) {
        bad_vector(vcpu, vector, X86_EXC_GP);
    }
    uint64_t at = s->idt_base + vector * size;
    at = is_long ? at : (uint32_t)at;
    uint64_t raw = guest_load(vcpu, at, 8, x86_mmu_implicit(vcpu));
    X86Desc d = { (uint32_t)raw, (uint32_t)(raw >> 32) };
    Gate g = { .ip = (d.lo & 0xffff) | (d.hi & 0xffff0000u), .sel = (uint16_t)(d.lo >> 16), .type = x86_desc_type(d),
               .dpl = x86_desc_dpl(d) };
    bool known = g.type == X86_SYS_INT || g.type == X86_SYS_TRAP;
    known |= !is_long && (g.type == X86_SYS_INT16 || g.type == X86_SYS_TRAP16 || g.type == X86_SYS_TASK_GATE);
    if ((d.hi & X86_ATTR_S) || !known || (soft && g.dpl < x86_cpl(vcpu))) {
        bad_vector(vcpu, vector, X86_EXC_GP);
    }
    if (!(d.hi & X86_ATTR_P)) {
        bad_vector(vcpu, vector, X86_EXC_NP);
    }
    g.width = is_long ? 8 : g.type & 8 ? 4 : 2;
    if (is_long) {
        g.ip |= guest_load(vcpu, at + 8, 4, x86_mmu_implicit(vcpu)) << 32;
        g.ist = d.hi & 7;
    }
    g.ip = g.width == 2 ? (uint16_t)g.ip : g.ip;
    return g;
}

static void deliver_task(Vcpu *vcpu, uint16_t sel, const uint32_t *error_code, uint64_t ip, bool set_rf)
{
    X86State *s = x86_state(vcpu);
    X86Desc d;

    if ((sel & 4) || !(sel & 0xfffc) || !x86_desc_fetch(vcpu, sel, &d) || (d.hi & X86_ATTR_S) ||
        (x86_desc_type(d) != X86_SYS_TSS && x86_desc_type(d) != X86_SYS_TSS16)) {
        x86_raise_sel(vcpu, X86_EXC_GP, sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, sel);
    }
    s->eflags |= set_rf ? X86_RF : 0;
    x86_task_switch(vcpu, sel, d, X86_TASK_INT, ip, error_code);
}

static X86Desc handler_code(Vcpu *vcpu, const Gate *g)
{
    const X86State *s = x86_state(vcpu);
    X86Desc cs;

    if (!(g->sel & 0xfffc)) {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
    if (!x86_desc_fetch(vcpu, g->sel, &cs) || !x86_desc_is_code(cs) || x86_desc_dpl(cs) > x86_cpl(vcpu) ||
        (x86_is_long(s) && (!(cs.hi & X86_ATTR_L) || (cs.hi & X86_ATTR_B)))) {
        x86_raise_sel(vcpu, X86_EXC_GP, g->sel);
    }
    if (!(cs.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, g->sel);
    }
    bool in_reach = x86_is_long(s) ? x86_is_canonical(s, g->ip) : g->ip <= x86_desc_limit(cs);
    if (!in_reach) {
        x86_raise_code(vcpu, X86_EXC_GP, s->ext);
    }
    return cs;
}

static void deliver_gate(Vcpu *vcpu, const Gate *g, const uint32_t *error_code, uint64_t ip, bool set_rf)
{
    static const uint8_t vm86_order[] = { X86_GS, X86_FS, X86_DS, X86_ES };
    X86State *s = x86_state(vcpu);
    X86Desc cs = handler_code(vcpu, g), ss_desc = { 0 };
    unsigned cpl = x86_cpl(vcpu), new_cpl = x86_desc_is_conforming(cs) ? cpl : x86_desc_dpl(cs);
    bool is_long = x86_is_long(s), vm86 = x86_is_vm86(s), inner = new_cpl < cpl;
    uint32_t flags = x86_eflags_get(vcpu) | (set_rf ? X86_RF : 0);
    uint16_t ss = 0;

    if (vm86 && (!inner || new_cpl != 0)) {
        x86_raise_sel(vcpu, X86_EXC_GP, g->sel);
    }
    bool switches = inner || g->ist;
    X86Stack st = switches ? x86_stack_of_tss(vcpu, new_cpl, g->ist, &ss, &ss_desc) : x86_stack_current(vcpu);
    if (is_long) {
        st.is64 = true;
        st.base = 0;
        st.mask = UINT64_MAX;
        st.sp &= ~(uint64_t)15;
    }
    for (size_t i = 0; vm86 && i < ARRAY_SIZE(vm86_order); i++) {
        x86_stack_push(&st, s->seg_sel[vm86_order[i]], g->width);
    }
    if (inner || is_long) {
        x86_stack_push(&st, s->seg_sel[X86_SS], g->width);
        x86_stack_push(&st, s->gpr[X86_RSP], g->width);
    }
    x86_stack_push(&st, flags, g->width);
    x86_stack_push(&st, s->seg_sel[X86_CS], g->width);
    x86_stack_push(&st, ip, g->width);
    if (error_code) {
        x86_stack_push(&st, *error_code, g->width);
    }

    x86_desc_accessed(vcpu, g->sel, &cs);
    x86_flags_write(vcpu, 0, HANDLER_CLEARS | (g->type & 1 ? 0 : X86_IF));
    if (inner && is_long) {
        x86_seg_set(vcpu, X86_SS, ss, 0, 0, new_cpl << 13);
    } else if (inner) {
        x86_seg_from_desc(vcpu, X86_SS, ss, ss_desc);
    }
    x86_seg_from_desc(vcpu, X86_CS, (uint16_t)((g->sel & ~3u) | new_cpl), cs);
    for (size_t i = 0; vm86 && i < ARRAY_SIZE(vm86_order); i++) {
        x86_seg_null(vcpu, vm86_order[i], 0);
    }
    x86_stack_commit(&st);
    s->pc = x86_linear_pc(s, g->ip);
}

void x86_deliver(Vcpu *vcpu, unsigned vector, bool soft, const uint32_t *error_code, bool external, uint64_t ip, bool set_rf)
{
    X86State *s = x86_state(vcpu);

    s->delivering = (int16_t)(soft || external ? BENIGN : vector + 1);
    s->ext = !soft;
    if (x86_is_real(s)) {
        deliver_real(vcpu, vector, ip);
    } else {
        Gate g = gate_read(vcpu, vector, soft);
        if (g.type == X86_SYS_TASK_GATE) {
            deliver_task(vcpu, g.sel, error_code, ip, set_rf);
            uint16_t trap = s->db_pending;
            delivered(vcpu, soft);
            s->db_pending = trap;
            x86_debug_update(vcpu);
            return;
        }
        deliver_gate(vcpu, &g, error_code, ip, set_rf);
    }
    delivered(vcpu, soft);
}

/* -- exceptions ---------------------------------------------------------------------------------------------------------- */

/* Two faults that make a double fault; false: the second is handled as it is. */
static bool is_double(unsigned first, unsigned second)
{
    return (is_contributory(first) && is_contributory(second)) ||
           (first == X86_EXC_PF && (is_contributory(second) || second == X86_EXC_PF));
}

void x86_exception_enter(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    VcpuException e = vcpu->exception;
    unsigned vector = (unsigned)e.cause & X86_CAUSE_VECTOR_MASK;
    bool soft = e.cause & X86_CAUSE_SOFT, has_code = e.cause & X86_CAUSE_HAS_CODE;
    uint32_t code = (uint32_t)e.value;
    uint64_t ip = x86_ip(vcpu) + (soft ? e.value >> 32 : 0);
    int first = s->delivering - 1;

    if ((e.cause & X86_CAUSE_CANONICAL) && !s->delivering && x86_is_stack_access(vcpu)) {
        vector = X86_EXC_SS;
    }
    if (first == X86_EXC_DF) {
        x86_shutdown(vcpu);
    }
    if (first >= 0 && first + 1 != BENIGN && is_double((unsigned)first, vector)) {
        vector = X86_EXC_DF;
        has_code = true;
        code = 0;
    }
    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: exception %u code %#x ip %04x:" VADDR_FMT " cr2 %#" PRIx64 " cpl %u\n", vcpu->index, vector, code,
                   s->seg_sel[X86_CS], ip, s->cr2, x86_cpl(vcpu));
    }
    if (vector == X86_EXC_DB && !soft) {
        x86_debug_enter(vcpu, (uint16_t)e.value);
    }
    s->db_pending = 0;
    /* The pushed RF keeps a code breakpoint on the instruction from hitting twice (SDM 18.3.1.1). */
    bool fault = !soft && vector != X86_EXC_DB && vector != X86_EXC_DF && vector != X86_EXC_MC;
    x86_deliver(vcpu, vector, soft, has_code ? &code : NULL, false, ip, fault);
}
