/*
 * smm.c: system management mode: the two save maps and RSM (SDM 31.4; 64-bit map: APM 2, 10.2.3, table 10-1).
 *
 * Processors with long mode save 64 bits (revision 20064h), others 32 (30000h; SDM table 31-1, hidden parts in its reserved area). The
 * map is read and written physically: the handler may have turned paging on. Leaves out: I/O instruction restart.
 */
#include "target/x86/system.h"
#include "util/log.h"

enum { MAP = 0x8000, REVISION = 0x7efc, REV32 = 0x30000, REV64 = 0x20064, HALT_RESTART32 = 0x7f02, HALT_RESTART64 = 0x7ec9, NMI_MASK64 = 0x7eca };

static void *map_ptr(Vcpu *vcpu, unsigned offset, unsigned size_bytes, bool write)
{
    gpa at = (uint32_t)(x86_state(vcpu)->smbase + MAP + offset);
    return vcpu->phys_ptr ? vcpu->phys_ptr(vcpu, at, size_bytes, write) : NULL;
}

static void put(Vcpu *vcpu, unsigned offset, uint64_t value, unsigned size_bytes)
{
    void *p = map_ptr(vcpu, offset, size_bytes, true);
    if (p) {
        memcpy(p, &value, size_bytes);
    }
}

static uint64_t get(Vcpu *vcpu, unsigned offset, unsigned size_bytes)
{
    const void *p = map_ptr(vcpu, offset, size_bytes, false);
    uint64_t value = 0;
    if (p) {
        memcpy(&value, p, size_bytes);
    } else {
        value = bits_mask(0, 8 * size_bytes);
    }
    return value;
}

static bool has_map64(Vcpu *vcpu) { return x86_model(vcpu)->long_mode; }

/* -- descriptor registers as 16 bytes (selector, attributes, limit, base) -------------------------------------------- */

static void put64_seg(Vcpu *vcpu, unsigned offset, uint16_t sel, uint32_t attr, uint32_t limit, uint64_t base)
{
    put(vcpu, offset, sel, 2);
    put(vcpu, offset + 2, attr >> 8 & 0xf0ff, 2);
    put(vcpu, offset + 4, limit, 4);
    put(vcpu, offset + 8, base, 8);
}

typedef struct Hidden {
    uint16_t sel;
    uint32_t attr, limit;
    uint64_t base;
} Hidden;

static Hidden get64_seg(Vcpu *vcpu, unsigned offset)
{
    return (Hidden){ .sel = (uint16_t)get(vcpu, offset, 2), .attr = (uint32_t)get(vcpu, offset + 2, 2) << 8 & X86_ATTR_MASK,
                     .limit = (uint32_t)get(vcpu, offset + 4, 4), .base = get(vcpu, offset + 8, 8) };
}

/* Where the 32-bit map keeps what Intel does not document: attributes, limit, base in 12 bytes. */
static unsigned hidden32(unsigned seg) { return seg < X86_DS ? 0x7f84 + seg * 12 : 0x7f2c + (seg - X86_DS) * 12; }

static void put32_hidden(Vcpu *vcpu, unsigned offset, uint32_t attr, uint32_t limit, uint64_t base)
{
    put(vcpu, offset, attr >> 8 & 0xf0ff, 4);
    put(vcpu, offset + 4, limit, 4);
    put(vcpu, offset + 8, base, 4);
}

static Hidden get32_hidden(Vcpu *vcpu, unsigned sel_offset, unsigned offset)
{
    return (Hidden){ .sel = (uint16_t)get(vcpu, sel_offset, 2), .attr = (uint32_t)get(vcpu, offset, 4) << 8 & X86_ATTR_MASK,
                     .limit = (uint32_t)get(vcpu, offset + 4, 4), .base = get(vcpu, offset + 8, 4) };
}

/* -- saving ------------------------------------------------------------------------------------------------------------ */

static void save64(Vcpu *vcpu, const X86State *old, uint64_t ip, uint32_t flags, bool was_halted)
{
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        put64_seg(vcpu, 0x7e00 + 16 * seg, old->seg_sel[seg], old->seg_attr[seg], old->seg_limit[seg], old->seg_base[seg]);
    }
    put64_seg(vcpu, 0x7e60, 0, 0, old->gdt_limit, old->gdt_base);
    put64_seg(vcpu, 0x7e70, old->ldt_sel, old->ldt_attr, old->ldt_limit, old->ldt_base);
    put64_seg(vcpu, 0x7e80, 0, 0, old->idt_limit, old->idt_base);
    put64_seg(vcpu, 0x7e90, old->tr_sel, old->tr_attr, old->tr_limit, old->tr_base);
    put(vcpu, 0x7ec0, 0, 8); /* no I/O trap */
    put(vcpu, HALT_RESTART64, was_halted, 1);
    put(vcpu, NMI_MASK64, old->nmi_blocked, 1);
    put(vcpu, 0x7ed0, old->efer, 8);
    put(vcpu, REVISION, REV64, 4);
    put(vcpu, 0x7f00, old->smbase, 4);
    put(vcpu, 0x7f48, old->cr4, 8);
    put(vcpu, 0x7f50, old->cr3, 8);
    put(vcpu, 0x7f58, old->cr0, 8);
    put(vcpu, 0x7f60, old->dr[7], 8);
    put(vcpu, 0x7f68, old->dr[6], 8);
    put(vcpu, 0x7f70, flags, 8);
    put(vcpu, 0x7f78, ip, 8);
    static const uint8_t order[16] = { 15, 14, 13, 12, 11, 10, 9, 8, X86_RDI, X86_RSI, X86_RBP, X86_RSP, X86_RBX, X86_RDX, X86_RCX, X86_RAX };
    for (unsigned i = 0; i < 16; i++) {
        put(vcpu, 0x7f80 + 8 * i, old->gpr[order[i]], 8);
    }
}

static const uint8_t order32[8] = { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI };

static void save32(Vcpu *vcpu, const X86State *old, uint64_t ip, uint32_t flags, bool was_halted)
{
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        put(vcpu, 0x7fa8 + 4 * seg, old->seg_sel[seg], 4);
        put32_hidden(vcpu, hidden32(seg), old->seg_attr[seg], old->seg_limit[seg], old->seg_base[seg]);
    }
    put(vcpu, 0x7fc0, old->ldt_sel, 4);
    put(vcpu, 0x7fc4, old->tr_sel, 4);
    put32_hidden(vcpu, 0x7f78, old->ldt_attr, old->ldt_limit, old->ldt_base);
    put32_hidden(vcpu, 0x7f5c, old->tr_attr, old->tr_limit, old->tr_base);
    put(vcpu, 0x7f70, old->gdt_limit, 4);
    put(vcpu, 0x7f74, old->gdt_base, 4);
    put(vcpu, 0x7f54, old->idt_limit, 4);
    put(vcpu, 0x7f58, old->idt_base, 4);
    put(vcpu, 0x7f14, old->cr4, 4);
    put(vcpu, 0x7f10, old->nmi_blocked, 4);
    put(vcpu, 0x7f00, (uint32_t)was_halted << 16, 4);
    put(vcpu, REVISION, REV32, 4);
    put(vcpu, 0x7ef8, old->smbase, 4);
    put(vcpu, 0x7fc8, old->dr[7], 4);
    put(vcpu, 0x7fcc, old->dr[6], 4);
    for (unsigned i = 0; i < 8; i++) {
        put(vcpu, 0x7fd0 + 4 * i, old->gpr[order32[i]], 4);
    }
    put(vcpu, 0x7ff0, ip, 4);
    put(vcpu, 0x7ff4, flags, 4);
    put(vcpu, 0x7ff8, old->cr3, 4);
    put(vcpu, 0x7ffc, old->cr0, 4);
}

void x86_smm_enter(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    X86State old = *s;
    uint64_t ip = x86_ip(vcpu);
    uint32_t flags = x86_eflags_get(vcpu), data = X86_ATTR_P | X86_ATTR_S | X86_ATTR_W | X86_ATTR_A | X86_ATTR_G;
    bool was_halted = atomic_load(&vcpu->halted);

    if (log_enabled(LOG_INT)) {
        log_printf("CPU %d: SMI ip %04x:" VADDR_FMT " base %#" PRIx64 "\n", vcpu->index, s->seg_sel[X86_CS], ip, s->smbase);
    }
    s->in_smm = 1;
    if (s->platform && s->platform->smm_changed) {
        s->platform->smm_changed(s->platform_opaque, vcpu, true);
    }
    if (has_map64(vcpu)) {
        save64(vcpu, &old, ip, flags, was_halted);
    } else {
        save32(vcpu, &old, ip, flags, was_halted);
    }
    /* SDM table 31-4. */
    x86_block_nmi(vcpu, true);
    s->inhibit = 0;
    s->efer = 0;
    s->cr4 = 0;
    s->cr0 &= ~(uint64_t)(X86_CR0_PE | X86_CR0_EM | X86_CR0_TS | X86_CR0_PG);
    x86_eflags_set(vcpu, 2);
    s->dr[7] = 0x400;
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        x86_seg_set(vcpu, seg, 0, 0, UINT32_MAX, data);
    }
    x86_seg_set(vcpu, X86_CS, (uint16_t)(s->smbase >> 4), s->smbase, UINT32_MAX, data);
    s->pc = (uint32_t)(s->smbase + 0x8000);
    x86_seg_changed(vcpu);
    x86_debug_update(vcpu);
    x86_space_changed(vcpu);
    tlb_flush(vcpu);
}

/* -- RSM ---------------------------------------------------------------------------------------------------------------- */

typedef struct Saved {
    uint64_t cr0, cr3, cr4, efer, dr6, dr7, ip, smbase, gdt_base, idt_base, gpr[16];
    uint32_t flags, gdt_limit, idt_limit;
    Hidden seg[X86_N_SEGS], ldt, tr;
    bool halted, nmi_blocked;
} Saved;

static Saved load64(Vcpu *vcpu)
{
    static const uint8_t order[16] = { 15, 14, 13, 12, 11, 10, 9, 8, X86_RDI, X86_RSI, X86_RBP, X86_RSP, X86_RBX, X86_RDX, X86_RCX, X86_RAX };
    Saved m = {
        .efer = get(vcpu, 0x7ed0, 8), .cr4 = get(vcpu, 0x7f48, 8), .cr3 = get(vcpu, 0x7f50, 8), .cr0 = get(vcpu, 0x7f58, 8),
        .dr7 = get(vcpu, 0x7f60, 8), .dr6 = get(vcpu, 0x7f68, 8), .flags = (uint32_t)get(vcpu, 0x7f70, 8), .ip = get(vcpu, 0x7f78, 8),
        .smbase = get(vcpu, 0x7f00, 4), .halted = get(vcpu, HALT_RESTART64, 1) & 1, .nmi_blocked = get(vcpu, NMI_MASK64, 1) & 1,
        .ldt = get64_seg(vcpu, 0x7e70), .tr = get64_seg(vcpu, 0x7e90),
    };
    Hidden gdt = get64_seg(vcpu, 0x7e60), idt = get64_seg(vcpu, 0x7e80);

    m.gdt_base = gdt.base;
    m.gdt_limit = gdt.limit & 0xffff;
    m.idt_base = idt.base;
    m.idt_limit = idt.limit & 0xffff;
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        m.seg[seg] = get64_seg(vcpu, 0x7e00 + 16 * seg);
    }
    for (unsigned i = 0; i < 16; i++) {
        m.gpr[order[i]] = get(vcpu, 0x7f80 + 8 * i, 8);
    }
    return m;
}

static Saved load32(Vcpu *vcpu)
{
    Saved m = {
        .cr4 = get(vcpu, 0x7f14, 4), .cr3 = get(vcpu, 0x7ff8, 4), .cr0 = get(vcpu, 0x7ffc, 4), .dr7 = get(vcpu, 0x7fc8, 4),
        .dr6 = get(vcpu, 0x7fcc, 4), .flags = (uint32_t)get(vcpu, 0x7ff4, 4), .ip = get(vcpu, 0x7ff0, 4),
        .smbase = get(vcpu, 0x7ef8, 4), .halted = get(vcpu, HALT_RESTART32, 1) & 1, .nmi_blocked = get(vcpu, 0x7f10, 4) & 1,
        .ldt = get32_hidden(vcpu, 0x7fc0, 0x7f78), .tr = get32_hidden(vcpu, 0x7fc4, 0x7f5c),
        .gdt_base = get(vcpu, 0x7f74, 4), .gdt_limit = (uint32_t)get(vcpu, 0x7f70, 4) & 0xffff,
        .idt_base = get(vcpu, 0x7f58, 4), .idt_limit = (uint32_t)get(vcpu, 0x7f54, 4) & 0xffff,
    };

    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        m.seg[seg] = get32_hidden(vcpu, 0x7fa8 + 4 * seg, hidden32(seg));
    }
    for (unsigned i = 0; i < 8; i++) {
        m.gpr[order32[i]] = get(vcpu, 0x7fd0 + 4 * i, 4);
    }
    return m;
}

/* SDM 31.7: what no processor state can be is a shut-down. */
static bool possible(const Saved *m)
{
    bool paging = m->cr0 & X86_CR0_PG, is_long = m->efer & X86_EFER_LMA;

    return (!paging || (m->cr0 & X86_CR0_PE)) && (!(m->cr0 & X86_CR0_NW) || (m->cr0 & X86_CR0_CD)) && !(m->cr0 >> 32) &&
           (!is_long || (paging && (m->cr4 & X86_CR4_PAE) && (m->efer & X86_EFER_LME)));
}

bool x86_smm_leave(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);
    Saved m = has_map64(vcpu) ? load64(vcpu) : load32(vcpu);

    if (!possible(&m)) {
        return false;
    }
    s->in_smm = 0;
    if (s->platform && s->platform->smm_changed) {
        s->platform->smm_changed(s->platform_opaque, vcpu, false);
    }
    s->smbase = m.smbase;
    s->efer = m.efer;
    s->cr0 = m.cr0;
    s->cr4 = m.cr4;
    s->cr3 = m.cr3;
    x86_eflags_set(vcpu, (m.flags & 0x3f7fd5) | 2);
    for (unsigned seg = 0; seg < X86_N_SEGS; seg++) {
        x86_seg_set(vcpu, seg, m.seg[seg].sel, m.seg[seg].base, m.seg[seg].limit, m.seg[seg].attr);
    }
    x86_seg_changed(vcpu);
    s->ldt_sel = m.ldt.sel;
    s->ldt_base = m.ldt.base;
    s->ldt_limit = m.ldt.limit;
    s->ldt_attr = m.ldt.attr;
    s->tr_sel = m.tr.sel;
    s->tr_base = m.tr.base;
    s->tr_limit = m.tr.limit;
    s->tr_attr = m.tr.attr;
    s->gdt_base = m.gdt_base;
    s->gdt_limit = m.gdt_limit;
    s->idt_base = m.idt_base;
    s->idt_limit = m.idt_limit;
    s->dr[6] = m.dr6;
    s->dr[7] = m.dr7;
    memcpy(s->gpr, m.gpr, sizeof(s->gpr));
    x86_block_nmi(vcpu, m.nmi_blocked);
    s->pc = x86_linear_pc(s, m.ip);
    if ((s->cr0 & X86_CR0_PG) && (s->cr4 & X86_CR4_PAE) && !x86_is_long(s)) {
        x86_pdptes_load(vcpu, s->cr3);
    }
    x86_space_changed(vcpu);
    tlb_flush(vcpu);
    x86_debug_update(vcpu);
    atomic_store(&vcpu->halted, m.halted);
    return true;
}
