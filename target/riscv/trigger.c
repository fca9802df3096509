/*
 * trigger.c: the trigger module: instruction, load and store address match (mcontrol, mcontrol6) and instruction count (icount),
 * with the action "breakpoint exception".
 *
 * While a trigger is armed the hart runs one instruction at a time and riscv_before_insn() looks at each before it runs, so all
 * triggers are precise and fire before; while none is, nothing is asked. Two triggers, as on the reference.
 *
 * Leaves out: data match (select), chains, tdata3 and contexts, external, interrupt and exception triggers, debug mode. As on the
 * reference there is no tcontrol: handlers that run into an armed trigger of their own mode are taken again.
 * Specification: RISC-V Debug 1.0, chapter 5 (Sdtrig).
 */
#include "accel/tcg.h"
#include "target/riscv/trigger.h"

enum { TYPE_MCONTROL = 2, TYPE_ICOUNT = 3, TYPE_MCONTROL6 = 6, TYPE_DISABLED = 15 };

/* tdata1 as kept: RV64's layout on both, the type in bits 63:60. */
#define TYPE_SHIFT 60
#define MC_LOAD    BIT(0)
#define MC_STORE   BIT(1)
#define MC_EXECUTE BIT(2)
#define MC_HIT     BIT(20)            /* mcontrol */
#define MC_SIZEHI  (3 * BIT(21))
#define MC6_HIT0   BIT(22)
#define IC_PENDING BIT(8)
#define IC_COUNT   (0x3fff * BIT(10))
#define IC_HIT     BIT(24)

static unsigned type_of(uint64_t tdata1) { return (unsigned)(tdata1 >> TYPE_SHIFT); }

/* The bits by mode, U in bit 0: of mcontrol(6) in 3, 4, 6, of icount in 6, 7, 9. */
static bool mode_enabled(const RiscvState *s, uint64_t tdata1)
{
    return tdata1 >> (type_of(tdata1) == TYPE_ICOUNT ? 6 : 3) >> s->priv & 1;
}

static uint64_t mode_bits(Vcpu *vcpu, unsigned shift)
{
    return (BIT(3) | (riscv_has(vcpu, S) ? BIT(1) : 0) | (riscv_has(vcpu, U) ? BIT(0) : 0)) << shift;
}

static bool armed(Vcpu *vcpu, uint64_t tdata1)
{
    switch (type_of(tdata1)) {
    case TYPE_MCONTROL:
    case TYPE_MCONTROL6:
        return (tdata1 & (MC_LOAD | MC_STORE | MC_EXECUTE)) && (tdata1 & mode_bits(vcpu, 3));
    case TYPE_ICOUNT:
        return (tdata1 & (IC_COUNT | IC_PENDING)) && (tdata1 & mode_bits(vcpu, 6));
    default:
        return false;
    }
}

static void update(Vcpu *vcpu)
{
    const RiscvState *s = riscv_state(vcpu);
    bool any = false;
    for (unsigned i = 0; i < RISCV_N_TRIGGERS; i++) {
        any |= armed(vcpu, s->tdata1[i]);
    }
    vcpu->ask_before_insn = any;
}

void riscv_trigger_reset(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    for (unsigned i = 0; i < RISCV_N_TRIGGERS; i++) {
        s->tdata1[i] = (uint64_t)TYPE_MCONTROL << TYPE_SHIFT;
    }
    update(vcpu);
}

/* -- matching -------------------------------------------------------------------------------------------- */

/* 5.7.11, "match": one compare value. */
static bool matches_one(unsigned match, unsigned xlen, uint64_t tdata2, uint64_t a)
{
    uint64_t half = xlen / 2, low = bits_mask(0, (unsigned)half), mask;

    switch (match & 7) {
    case 0:
        return a == tdata2;
    case 1: /* NAPOT: the lowest zero bit and all below it do not count */
        mask = tdata2 ^ (tdata2 + 1);
        return (a & ~mask) == (tdata2 & ~mask);
    case 2:
        return a >= tdata2;
    case 3:
        return a < tdata2;
    case 4:
        return (a & tdata2 >> half & low) == (tdata2 & low);
    default:
        return (a >> half & tdata2 >> half & low) == (tdata2 & low);
    }
}

/* Every byte of an access is a compare value. */
static bool matches(Vcpu *vcpu, uint64_t tdata1, uint64_t tdata2, uint64_t addr, uint64_t size_bytes)
{
    unsigned match = (unsigned)bits_get(tdata1, 7, 4), xlen = riscv_model(vcpu)->xlen;
    bool found = false;
    for (uint64_t i = 0; i < size_bytes && !found; i++) {
        uint64_t a = addr + i;
        found = matches_one(match, xlen, tdata2, xlen == 32 ? (uint32_t)a : a);
    }
    return match & 8 ? !found : found;
}

/* 0 any, else 1 + log2 of the bytes, but 4 is 48 bits. */
static bool size_fits(uint64_t tdata1, uint64_t size_bytes)
{
    static const uint8_t bytes[8] = { 0, 1, 2, 4, 6, 8, 10, 12 };
    unsigned size = (unsigned)bits_get(tdata1, 16, 2);
    if (type_of(tdata1) == TYPE_MCONTROL6) {
        size = (unsigned)bits_get(tdata1, 16, 3);
    } else {
        size |= (unsigned)bits_get(tdata1, 21, 2) << 2;
    }
    return !size || (size < 8 && bytes[size] == size_bytes);
}

static bool is_address_match(uint64_t tdata1)
{
    return type_of(tdata1) == TYPE_MCONTROL || type_of(tdata1) == TYPE_MCONTROL6;
}

static void fire(Vcpu *vcpu, unsigned index, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned type = type_of(s->tdata1[index]);

    s->tdata1[index] |= type == TYPE_MCONTROL ? MC_HIT : type == TYPE_MCONTROL6 ? MC6_HIT0 : IC_HIT;
    vcpu->exception = (VcpuException){ .cause = RISCV_EXC_BREAKPOINT, .value = value };
}

typedef struct Access {
    Vcpu *vcpu;
    bool fired;
} Access;

static void touched(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    Access *a = opaque;
    const RiscvState *s = riscv_state(a->vcpu);

    for (unsigned i = 0; i < RISCV_N_TRIGGERS && !a->fired; i++) {
        uint64_t t = s->tdata1[i];
        bool wanted = ((t & MC_LOAD) && read) || ((t & MC_STORE) && write);
        if (is_address_match(t) && wanted && mode_enabled(s, t) && size_fits(t, size_bytes) &&
            matches(a->vcpu, t, s->tdata2[i], addr, size_bytes)) {
            fire(a->vcpu, i, addr);
            a->fired = true;
        }
    }
}

/* The instruction at pc; 0: it cannot be fetched, which is its own exception. */
static unsigned fetch(Vcpu *vcpu, uint8_t out[4])
{
    vaddr pc = riscv_state(vcpu)->pc;
    unsigned mmu_index = riscv_mmu_index(vcpu, MMU_FETCH);

    for (unsigned i = 0; i < 4; i += 2) {
        vaddr at = riscv_model(vcpu)->xlen == 32 ? (uint32_t)(pc + i) : pc + i;
        const void *p = guest_ptr_probe(vcpu, at, 2, MMU_FETCH, mmu_index);
        if (!p) {
            return 0;
        }
        memcpy(out + i, p, 2);
        if ((out[0] & 3) != 3) {
            return 2;
        }
    }
    return 4;
}

bool riscv_before_insn(Vcpu *vcpu)
{
    RiscvState *s = riscv_state(vcpu);
    bool counts = false, accesses = false;

    for (unsigned i = 0; i < RISCV_N_TRIGGERS; i++) {
        uint64_t t = s->tdata1[i];
        if (!mode_enabled(s, t)) {
            continue;
        }
        if (type_of(t) == TYPE_ICOUNT && (t & IC_PENDING)) {
            s->tdata1[i] &= ~IC_PENDING;
            fire(vcpu, i, 0);
            update(vcpu);
            return true;
        }
        counts |= type_of(t) == TYPE_ICOUNT && (t & IC_COUNT);
        accesses |= is_address_match(t);
    }
    uint8_t insn[4] = { 0 };
    unsigned n = accesses ? fetch(vcpu, insn) : 0;
    for (unsigned i = 0; i < RISCV_N_TRIGGERS; i++) {
        uint64_t t = s->tdata1[i];
        /* Only the first byte of an instruction is compared, so that "before this one" is what it means. */
        if (is_address_match(t) && (t & MC_EXECUTE) && mode_enabled(s, t) && size_fits(t, n) &&
            matches(vcpu, t, s->tdata2[i], s->pc, 1)) {
            fire(vcpu, i, s->pc);
            return true;
        }
    }
    Access a = { vcpu, false };
    if (n) {
        riscv_mem_access(vcpu, insn, n, touched, &a);
    }
    for (unsigned i = 0; i < RISCV_N_TRIGGERS && counts && !a.fired; i++) {
        uint64_t t = s->tdata1[i];
        if (type_of(t) == TYPE_ICOUNT && (t & IC_COUNT) && mode_enabled(s, t)) {
            s->tdata1[i] = t - BIT(10);
            s->tdata1[i] |= s->tdata1[i] & IC_COUNT ? 0 : IC_PENDING; /* before the next instruction of these modes */
        }
    }
    return a.fired;
}

/* -- registers (5.7) --------------------------------------------------------------------------------------- */

bool riscv_trigger_read(Vcpu *vcpu, unsigned csr, uint64_t *ret)
{
    const RiscvState *s = riscv_state(vcpu);
    uint64_t t = s->tdata1[s->tselect];
    bool rv32 = riscv_model(vcpu)->xlen == 32;

    switch (csr) {
    case 0x7a0:
        *ret = s->tselect;
        break;
    case 0x7a1:
        if (type_of(t) == TYPE_MCONTROL) { /* the largest NAPOT range: all but one bit of an address */
            t |= rv32 ? (uint64_t)31 << 21 : 63 * BIT(53);
        }
        *ret = rv32 ? (t & bits_mask(0, 27)) | (uint64_t)type_of(t) << 28 : t;
        break;
    case 0x7a2:
        *ret = s->tdata2[s->tselect];
        break;
    case 0x7a4:
        *ret = BIT(TYPE_MCONTROL) | BIT(TYPE_ICOUNT) | BIT(TYPE_MCONTROL6) | BIT(TYPE_DISABLED);
        break;
    default: /* tdata3: nothing of it is there */
        *ret = 0;
    }
    return true;
}

/* WARL: what is not supported becomes the nearest harmless thing. */
static uint64_t legal_tdata1(Vcpu *vcpu, uint64_t v)
{
    uint64_t kept;
    unsigned match;

    switch (type_of(v)) {
    case TYPE_MCONTROL:
    case TYPE_MCONTROL6:
        kept = MC_LOAD | MC_STORE | MC_EXECUTE | mode_bits(vcpu, 3) | 15 * BIT(7);
        if (type_of(v) == TYPE_MCONTROL) {
            kept |= 3 * BIT(16) | MC_HIT | (riscv_model(vcpu)->xlen == 64 ? MC_SIZEHI : 0);
        } else {
            kept |= 7 * BIT(16) | MC6_HIT0;
        }
        match = (unsigned)bits_get(v, 7, 4);
        if ((match & 7) > 5 || match == 10 || match == 11) {
            kept &= ~(15 * BIT(7)); /* equal */
        }
        return (v & kept) | (v & (uint64_t)15 << TYPE_SHIFT);
    case TYPE_ICOUNT:
        kept = mode_bits(vcpu, 6) | IC_PENDING | IC_COUNT | IC_HIT;
        return (v & kept) | (v & (uint64_t)15 << TYPE_SHIFT);
    default:
        return (uint64_t)TYPE_DISABLED << TYPE_SHIFT;
    }
}

bool riscv_trigger_write(Vcpu *vcpu, unsigned csr, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);

    switch (csr) {
    case 0x7a0:
        s->tselect = value < RISCV_N_TRIGGERS ? value : s->tselect;
        break;
    case 0x7a1:
        if (riscv_model(vcpu)->xlen == 32) {
            value = (value & bits_mask(0, 27)) | (value >> 28 & 15) << TYPE_SHIFT;
        }
        s->tdata1[s->tselect] = legal_tdata1(vcpu, value);
        update(vcpu);
        break;
    case 0x7a2:
        s->tdata2[s->tselect] = riscv_model(vcpu)->xlen == 32 ? (uint32_t)value : value;
        break;
    }
    return true;
}
