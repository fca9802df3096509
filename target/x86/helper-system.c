/*
 * helper-system.c: what translated code calls for flags, descriptor checks, system registers and I/O (SDM 2; 19.5.2 I/O permission).
 */
#include <time.h>
#include "target/x86/translate.h"
#include "target/x86/system.h"

static noreturn void gp0(Vcpu *vcpu) { x86_raise_code(vcpu, X86_EXC_GP, 0); }

/* -- flags -------------------------------------------------------------------------------------------------- */

void x86_flags_write(Vcpu *vcpu, uint32_t value, uint32_t mask)
{
    const uint32_t known = 0x003f7fd5;
    X86State *s = x86_state(vcpu);
    uint64_t old = s->eflags;

    value &= known;
    if (mask & X86_ARITH_FLAGS) {
        uint32_t all = x86_eflags_get(vcpu);
        x86_eflags_set(vcpu, (all & ~mask) | (value & mask));
    } else {
        s->eflags = ((old & ~mask) | (value & mask)) | 2;
    }
    if (!(s->dr[7] & 0xff)) {
        s->eflags &= ~X86_RF; /* nothing looks at it: done with */
    }
    if ((old ^ s->eflags) & X86_VM) {
        x86_seg_changed(vcpu);
    }
    if ((old | s->eflags) & X86_TF) {
        x86_debug_update(vcpu);
    }
    if (vcpu->softmmu && (s->eflags & ~old & X86_IF) && x86_interrupt_pending(vcpu)) {
        vcpu_kick(vcpu);
    }
}

void x86_helper_popf(Vcpu *vcpu, uint32_t value, uint32_t width)
{
    X86State *s = x86_state(vcpu);
    uint32_t mask = X86_ARITH_FLAGS | X86_TF | X86_DF | X86_NT | X86_AC | X86_ID | X86_RF;
    unsigned cpl = x86_cpl(vcpu), iopl = x86_iopl(s);

    value &= ~(uint32_t)X86_RF;
    if (x86_is_vm86(s)) {
        if (iopl == 3) {
            mask |= X86_IF;
        } else {
            bool traps = (value & X86_TF) || ((value & X86_IF) && (s->eflags & X86_VIP));
            if (!(s->cr4 & X86_CR4_VME) || width != 2 || traps) {
                gp0(vcpu);
            }
            s->eflags = value & X86_IF ? s->eflags | X86_VIF : s->eflags & ~X86_VIF;
        }
    } else {
        mask |= cpl == 0 ? X86_IOPL : 0;
        mask |= cpl <= iopl ? X86_IF : 0;
        if (cpl == 3 && iopl < 3 && (s->cr4 & X86_CR4_PVI) && width == 2 && vcpu->softmmu) {
            if ((value & X86_TF) || ((value & X86_IF) && (s->eflags & X86_VIP))) {
                gp0(vcpu);
            }
            s->eflags = value & X86_IF ? s->eflags | X86_VIF : s->eflags & ~X86_VIF;
        }
    }
    x86_flags_write(vcpu, value, width == 2 ? mask & 0xffff : mask);
}

/* SDM 2A CLI, table 3-7: 0 IF, 1 VIF, else #GP. */
static bool virtual_if(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);
    unsigned cpl = x86_cpl(vcpu);

    if (x86_is_real(s) || cpl <= x86_iopl(s)) {
        return false;
    }
    if (cpl == 3 && (s->cr4 & (s->eflags & X86_VM ? X86_CR4_VME : X86_CR4_PVI))) {
        return true;
    }
    gp0(vcpu);
}

void x86_helper_cli(Vcpu *vcpu)
{
    x86_state(vcpu)->eflags &= virtual_if(vcpu) ? ~X86_VIF : ~X86_IF;
}

void x86_helper_sti(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (!virtual_if(vcpu)) {
        s->inhibit |= s->eflags & X86_IF ? 0 : X86_INHIBIT_IRQ;
        s->eflags |= X86_IF;
    } else if (s->eflags & X86_VIP) {
        gp0(vcpu);
    } else {
        s->eflags |= X86_VIF;
    }
}

/* -- INT n ------------------------------------------------------------------------------------------------------ */

/* SDM 21.3.3: with VME the task's bitmap says whether INT n stays in the 8086 program. */
static bool redirected(Vcpu *vcpu, unsigned vector)
{
    const X86State *s = x86_state(vcpu);

    if (!(s->cr4 & X86_CR4_VME) || s->tr_limit < 0x67) {
        return false;
    }
    uint32_t map = (uint32_t)guest_load(vcpu, (uint32_t)(s->tr_base + 0x66), 2, x86_mmu_implicit(vcpu)) - 32;
    if (map + vector / 8 > s->tr_limit) {
        return false;
    }
    return !(guest_load(vcpu, (uint32_t)(s->tr_base + map + vector / 8), 1, x86_mmu_implicit(vcpu)) >> (vector & 7) & 1);
}

static uint64_t int_vm86(Vcpu *vcpu, unsigned vector, uint64_t next_ip)
{
    X86State *s = x86_state(vcpu);
    uint32_t flags = x86_eflags_get(vcpu);
    bool own_if = x86_iopl(s) == 3;

    if (redirected(vcpu, vector)) {
        if (!own_if) {
            flags = (flags & ~(uint32_t)X86_IF) | X86_IOPL | (flags & X86_VIF ? X86_IF : 0);
        }
        x86_deliver_real(vcpu, vector, 0, next_ip, flags);
        x86_flags_write(vcpu, 0, X86_TF | X86_NT | X86_RF | X86_AC | (own_if ? X86_IF : X86_VIF));
        return s->pc;
    }
    if (!own_if) {
        gp0(vcpu);
    }
    x86_deliver(vcpu, vector, true, NULL, false, next_ip, false);
    return s->pc;
}

uint64_t x86_helper_int_n(Vcpu *vcpu, uint32_t vector, uint64_t next_ip, uint32_t is_n)
{
    if (is_n && x86_is_vm86(x86_state(vcpu))) {
        return int_vm86(vcpu, vector, next_ip);
    }
    x86_deliver(vcpu, vector, true, NULL, false, next_ip, false);
    return x86_state(vcpu)->pc;
}

/* INT1: as from hardware, so no look at the gate's DPL (SDM 2A INT n). */
uint64_t x86_helper_int1(Vcpu *vcpu, uint64_t next_ip)
{
    x86_debug_enter(vcpu, 0);
    x86_deliver(vcpu, X86_EXC_DB, false, NULL, false, next_ip, false);
    return x86_state(vcpu)->pc;
}

/* -- segments ----------------------------------------------------------------------------------------------------- */

void x86_helper_seg_load(Vcpu *vcpu, uint32_t seg, uint32_t sel)
{
    x86_seg_load(vcpu, (X86SegId)seg, (uint16_t)sel);
}

void x86_helper_umip(Vcpu *vcpu)
{
    if (x86_state(vcpu)->cr4 & X86_CR4_UMIP) {
        gp0(vcpu);
    }
}

void x86_helper_lldt(Vcpu *vcpu, uint32_t sel)
{
    x86_ldt_load(vcpu, (uint16_t)sel, X86_EXC_GP);
}

void x86_helper_ltr(Vcpu *vcpu, uint32_t sel)
{
    X86State *s = x86_state(vcpu);
    X86Desc d;
    uint32_t high = 0;

    if (!(sel & 0xfffc)) {
        gp0(vcpu);
    }
    if ((sel & 4) || !x86_desc_fetch(vcpu, (uint16_t)sel, &d) || (d.hi & X86_ATTR_S) ||
        !(x86_desc_type(d) == X86_SYS_TSS || (x86_desc_type(d) == X86_SYS_TSS16 && !x86_is_long(s))) ||
        (x86_is_long(s) && !x86_desc_fetch_high(vcpu, (uint16_t)sel, &high))) {
        x86_raise_sel(vcpu, X86_EXC_GP, (uint16_t)sel);
    }
    if (!(d.hi & X86_ATTR_P)) {
        x86_raise_sel(vcpu, X86_EXC_NP, (uint16_t)sel);
    }
    uint64_t base = (uint64_t)high << 32 | x86_desc_base(d);
    if (x86_is_long(s) && !x86_is_canonical_base(vcpu, base)) {
        gp0(vcpu);
    }
    d.hi |= 2 << 8; /* busy */
    x86_desc_set_byte5(vcpu, (uint16_t)sel, (uint8_t)(d.hi >> 8));
    s->tr_sel = (uint16_t)sel;
    s->tr_base = base;
    s->tr_limit = x86_desc_limit(d);
    s->tr_attr = d.hi & X86_ATTR_MASK;
}

/* Whether a program of this level may look at the descriptor at all. */
static bool visible(const Vcpu *vcpu, uint32_t sel, X86Desc d)
{
    unsigned dpl = x86_desc_dpl(d);
    return x86_desc_is_conforming(d) || (dpl >= x86_cpl(vcpu) && dpl >= (sel & 3));
}

uint32_t x86_helper_verr(Vcpu *vcpu, uint32_t sel, uint32_t what)
{
    X86Desc d;

    if (!(sel & 0xfffc) || !x86_desc_fetch(vcpu, (uint16_t)sel, &d) || !(d.hi & X86_ATTR_S) || !visible(vcpu, sel, d)) {
        return 0;
    }
    return what ? x86_desc_is_stack(d) : x86_desc_is_data(d) || (d.hi & X86_ATTR_W);
}

uint64_t x86_helper_lar(Vcpu *vcpu, uint32_t sel, uint32_t what)
{
    /* System types that have rights, and limits, to show (SDM 2A LAR, LSL). */
    const uint32_t types_lar = 0x1a3e, types_lsl = 0x0a0e, types_lar_long = 0x1a04, types_lsl_long = 0x0a04;
    X86Desc d;
    bool is_long = x86_is_long(x86_state(vcpu));

    if (!(sel & 0xfffc) || !x86_desc_fetch(vcpu, (uint16_t)sel, &d) || !visible(vcpu, sel, d)) {
        return 0;
    }
    uint32_t types = what ? is_long ? types_lsl_long : types_lsl : is_long ? types_lar_long : types_lar;
    if (!(d.hi & X86_ATTR_S) && !(types >> x86_desc_type(d) & 1)) {
        return 0;
    }
    return BIT(32) | (what ? x86_desc_limit(d) : d.hi & 0x00ffff00);
}

void x86_helper_load_table(Vcpu *vcpu, uint32_t which, uint32_t limit, uint64_t base)
{
    X86State *s = x86_state(vcpu);

    if (x86_is_code64(s) && !x86_is_canonical_base(vcpu, base)) {
        gp0(vcpu);
    }
    if (which) {
        s->idt_base = base;
        s->idt_limit = limit & 0xffff;
    } else {
        s->gdt_base = base;
        s->gdt_limit = limit & 0xffff;
    }
}

/* -- system registers ------------------------------------------------------------------------------------------------ */

/* SDM 18.2.2: 4 and 5 are names of 6 and 7, unless CR4.DE; GD makes any access a #DB. */
static unsigned dr_number(Vcpu *vcpu, uint32_t n)
{
    X86State *s = x86_state(vcpu);

    if ((n == 4 || n == 5) && (s->cr4 & X86_CR4_DE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (s->dr[7] & BIT(13)) {
        vcpu_raise(vcpu, X86_EXC_DB, BIT(13));
    }
    return n == 4 || n == 5 ? n + 2 : n;
}

uint64_t x86_helper_dr_read(Vcpu *vcpu, uint32_t n)
{
    return x86_state(vcpu)->dr[dr_number(vcpu, n)];
}

void x86_helper_dr_write(Vcpu *vcpu, uint32_t n, uint64_t value)
{
    X86State *s = x86_state(vcpu);

    n = dr_number(vcpu, n);
    if (n >= 6 && value >> 32) {
        gp0(vcpu);
    }
    s->dr[n] = n == 6 ? (value & 0xe00f) | 0xffff0ff0 : n == 7 ? (value & 0xffff2bff) | 0x400 : value;
    x86_debug_update(vcpu);
}

/* No counter has a number (SDM 2B RDPMC). */
void x86_helper_rdpmc(Vcpu *vcpu)
{
    gp0(vcpu);
}

void x86_helper_hlt(Vcpu *vcpu)
{
    atomic_store(&vcpu->halted, true);
}

void x86_helper_monitor(Vcpu *vcpu, uint64_t addr)
{
    if (x86_state(vcpu)->gpr[X86_RCX]) {
        gp0(vcpu);
    }
    guest_load(vcpu, addr, 1, x86_mmu_index(vcpu, MMU_READ));
}

/*
 * DEVIATION: nothing watches the line. Alone, the processor waits for an interrupt; with others, which may write the line and send none,
 * it goes on after a short sleep (SDM 9.10.4: MWAIT may end for any reason), so that an idle guest leaves the host's processors alone.
 */
void x86_helper_mwait(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    if (s->gpr[X86_RCX] & ~(uint64_t)1) {
        gp0(vcpu);
    }
    if (vcpu->parallel) {
        static const struct timespec nap = { .tv_nsec = 50000 };
        if (!atomic_load(&vcpu->interrupt_request) && !atomic_load(&vcpu->jit.exit_request)) {
            nanosleep(&nap, NULL);
        }
        return;
    }
    s->mwait_irq = s->gpr[X86_RCX] & 1;
    atomic_store(&vcpu->halted, true);
}

uint64_t x86_helper_rsm(Vcpu *vcpu)
{
    if (!x86_state(vcpu)->in_smm) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (!x86_smm_leave(vcpu)) {
        x86_shutdown(vcpu);
    }
    return x86_state(vcpu)->pc;
}

void x86_helper_invlpg(Vcpu *vcpu, uint64_t addr)
{
    tlb_flush_page(vcpu, addr);
}

/* SDM 2A INVPCID. Types 0 to 2 may always flush more than they must. */
void x86_helper_invpcid(Vcpu *vcpu, uint64_t type, uint64_t low, uint64_t addr)
{
    const X86State *s = x86_state(vcpu);
    uint32_t id = low & 0xfff;

    if (type > 3 || (type < 2 && (low >> 12 || (id && !(s->cr4 & X86_CR4_PCIDE)))) ||
        (type == 0 && x86_is_long(s) && !x86_is_canonical_base(vcpu, addr))) {
        gp0(vcpu);
    }
    if (type == 0) {
        tlb_flush_page(vcpu, addr);
    } else if (type == 1) {
        tlb_flush_asid(vcpu, id);
    } else {
        tlb_flush(vcpu);
    }
}

void x86_helper_fsgsbase(Vcpu *vcpu, uint64_t base)
{
    const X86State *s = x86_state(vcpu);

    if (!(s->cr4 & X86_CR4_FSGSBASE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if (!x86_is_canonical_base(vcpu, base)) {
        gp0(vcpu);
    }
}

static void pkru_check(Vcpu *vcpu)
{
    const X86State *s = x86_state(vcpu);

    if (!(s->cr4 & X86_CR4_PKE)) {
        x86_raise(vcpu, X86_EXC_UD);
    }
    if ((uint32_t)s->gpr[X86_RCX]) {
        gp0(vcpu);
    }
}

uint32_t x86_helper_rdpkru(Vcpu *vcpu)
{
    pkru_check(vcpu);
    return x86_state(vcpu)->pkru;
}

void x86_helper_wrpkru(Vcpu *vcpu)
{
    X86State *s = x86_state(vcpu);

    pkru_check(vcpu);
    if ((uint32_t)s->gpr[X86_RDX]) {
        gp0(vcpu);
    }
    if (s->pkru != (uint32_t)s->gpr[X86_RAX]) {
        s->pkru = (uint32_t)s->gpr[X86_RAX];
        x86_pkru_changed(vcpu);
    }
}

/* -- I/O (SDM 1, 19.5) -------------------------------------------------------------------------------------------------- */

void x86_helper_io_check(Vcpu *vcpu, uint32_t port, uint32_t size)
{
    const X86State *s = x86_state(vcpu);

    if (!vcpu->softmmu) {
        gp0(vcpu);
    }
    if (x86_is_real(s) || (!(s->eflags & X86_VM) && x86_cpl(vcpu) <= x86_iopl(s))) {
        return;
    }
    /* The bitmap of a 32- or 64-bit TSS; the word read may reach one byte over the last. */
    if (!(s->tr_attr >> 8 & 8) || s->tr_limit < 0x67) {
        gp0(vcpu);
    }
    uint64_t base = s->tr_base;
    uint32_t map = (uint32_t)guest_load(vcpu, base + 0x66, 2, x86_mmu_implicit(vcpu)) + port / 8;
    if (map + 1 > s->tr_limit) {
        gp0(vcpu);
    }
    uint32_t bits = (uint32_t)guest_load(vcpu, base + map, 2, x86_mmu_implicit(vcpu)) >> (port & 7);
    if (bits & ((1u << size) - 1)) {
        gp0(vcpu);
    }
}

static uint32_t port_read(Vcpu *vcpu, uint32_t port, unsigned size)
{
    const X86State *s = x86_state(vcpu);

    x86_debug_io(vcpu, (uint16_t)port, size);
    return s->platform && s->platform->io_read ? s->platform->io_read(s->platform_opaque, vcpu, (uint16_t)port, size)
                                               : (uint32_t)bits_mask(0, 8 * size);
}

static void port_write(Vcpu *vcpu, uint32_t port, unsigned size, uint32_t value)
{
    const X86State *s = x86_state(vcpu);

    x86_debug_io(vcpu, (uint16_t)port, size);
    if (s->platform && s->platform->io_write) {
        s->platform->io_write(s->platform_opaque, vcpu, (uint16_t)port, size, value);
    }
}

uint32_t x86_helper_in(Vcpu *vcpu, uint32_t port, uint32_t size)
{
    x86_helper_io_check(vcpu, port, size);
    return port_read(vcpu, port, size);
}

void x86_helper_out(Vcpu *vcpu, uint32_t port, uint32_t size, uint32_t value)
{
    x86_helper_io_check(vcpu, port, size);
    port_write(vcpu, port, size, value & (uint32_t)bits_mask(0, 8 * size));
}

typedef struct StringIo {
    unsigned size, addrsize, seg, mmu;
    bool repeats;
    uint64_t mask;
    int64_t step;
} StringIo;

static StringIo string_io(Vcpu *vcpu, uint32_t how)
{
    StringIo io = { .size = how & 0xff, .addrsize = how >> 8 & 0xff, .seg = how >> 16 & 0xff, .repeats = how >> 24 };

    io.mask = bits_mask(0, 8 * io.addrsize);
    io.step = x86_state(vcpu)->eflags & X86_DF ? -(int64_t)io.size : (int64_t)io.size;
    io.mmu = x86_mmu_index(vcpu, MMU_READ);
    return io;
}

static uint64_t string_addr(Vcpu *vcpu, const StringIo *io, unsigned reg, bool write)
{
    const X86State *s = x86_state(vcpu);
    uint64_t offset = s->gpr[reg] & io->mask;

    if (x86_is_code64(s)) {
        return offset + (io->seg >= X86_FS ? s->seg_base[io->seg] : 0);
    }
    if (s->seg_check >> io->seg & 1) {
        x86_seg_check_access(vcpu, (X86SegId)io->seg, offset, io->size, write);
    }
    return (uint32_t)(s->seg_base[io->seg] + offset);
}

/* A register of the address size moves: 4 bytes zero-extend, 2 merge. */
static void move_reg(Vcpu *vcpu, const StringIo *io, unsigned reg, int64_t by)
{
    uint64_t *r = &x86_state(vcpu)->gpr[reg], value = (*r + (uint64_t)by) & io->mask;
    *r = io->addrsize == 2 ? (*r & ~(uint64_t)0xffff) | value : value;
}

/* One iteration after the other until the count is used up or somebody wants the vCPU; true: more to do. */
static uint32_t run_string(Vcpu *vcpu, const StringIo *io, bool in)
{
    X86State *s = x86_state(vcpu);
    uint32_t port = s->gpr[X86_RDX] & 0xffff;

    for (;;) {
        if (io->repeats && !(s->gpr[X86_RCX] & io->mask)) {
            return 0;
        }
        unsigned reg = in ? X86_RDI : X86_RSI;
        uint64_t addr = string_addr(vcpu, io, reg, in);
        if (in) {
            guest_ptr_access(vcpu, addr, 1, MMU_WRITE, io->mmu); /* the fault before the device's side effect */
            guest_store(vcpu, addr, port_read(vcpu, port, io->size), io->size, io->mmu);
        } else {
            port_write(vcpu, port, io->size, (uint32_t)guest_load(vcpu, addr, io->size, io->mmu));
        }
        move_reg(vcpu, io, reg, io->step);
        if (!io->repeats) {
            return 0;
        }
        move_reg(vcpu, io, X86_RCX, -1);
        if (atomic_load_explicit(&vcpu->jit.exit_request, memory_order_relaxed)) {
            return (s->gpr[X86_RCX] & io->mask) != 0;
        }
    }
}

uint32_t x86_helper_ins(Vcpu *vcpu, uint32_t how)
{
    StringIo io = string_io(vcpu, how);

    x86_helper_io_check(vcpu, x86_state(vcpu)->gpr[X86_RDX] & 0xffff, io.size);
    return run_string(vcpu, &io, true);
}

uint32_t x86_helper_outs(Vcpu *vcpu, uint32_t how)
{
    StringIo io = string_io(vcpu, how);

    x86_helper_io_check(vcpu, x86_state(vcpu)->gpr[X86_RDX] & 0xffff, io.size);
    return run_string(vcpu, &io, false);
}
