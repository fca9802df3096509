/*
 * pmp.c: physical memory protection (Privileged 3.7) and its enhancements (Smepmp 1.0). Up to 64 entries, granularity 4
 * bytes. Locks last until reset.
 */
#include "target/riscv/tlb.h"
#include "target/riscv/pmp.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_A_SHIFT = 3, PMP_L = 0x80 };
enum { PMP_OFF, PMP_TOR, PMP_NA4, PMP_NAPOT };
enum { SECCFG_MML = 1, SECCFG_MMWP = 2, SECCFG_RLB = 4, SECCFG_USEED = 0x100, SECCFG_SSEED = 0x200 };

static unsigned mode_of(uint8_t cfg) { return cfg >> PMP_A_SHIFT & 3; }

static bool locked(const RiscvState *s, unsigned i)
{
    return (s->pmpcfg[i] & PMP_L) && !(s->mseccfg & SECCFG_RLB);
}

bool riscv_pmpcfg_read(Vcpu *vcpu, unsigned index, uint64_t *ret)
{
    const RiscvModel *m = riscv_model(vcpu);
    unsigned n = m->xlen / 8;

    if (!m->pmp || (n == 8 && (index & 1))) {
        return false;
    }
    *ret = 0;
    for (unsigned i = 0; i < n; i++) {
        *ret |= (uint64_t)riscv_state(vcpu)->pmpcfg[index * 4 + i] << i * 8;
    }
    return true;
}

bool riscv_pmpcfg_write(Vcpu *vcpu, unsigned index, uint64_t value)
{
    const RiscvModel *m = riscv_model(vcpu);
    RiscvState *s = riscv_state(vcpu);
    unsigned n = m->xlen / 8;

    if (!m->pmp || (n == 8 && (index & 1))) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned entry = index * 4 + i;
        uint8_t cfg = value >> i * 8 & 0x9f;
        if (entry >= m->n_pmp || locked(s, entry)) {
            continue;
        }
        bool mml = s->mseccfg & SECCFG_MML;
        if (!mml && (cfg & (PMP_R | PMP_W)) == PMP_W) {
            cfg &= ~PMP_W; /* reserved */
        }
        if (mml && !(s->mseccfg & SECCFG_RLB) && (cfg & PMP_L)) {
            /* With MML no new locked rule may make code executable in M mode (Smepmp 4b). */
            unsigned rwx = cfg & 7;
            if ((rwx & PMP_X) && rwx != (PMP_R | PMP_W | PMP_X)) {
                continue;
            }
            if (rwx == PMP_W) {
                continue; /* shared code region */
            }
        }
        s->pmpcfg[entry] = cfg;
    }
    tlb_flush(vcpu);
    return true;
}

bool riscv_pmpaddr_write(Vcpu *vcpu, unsigned index, uint64_t value)
{
    const RiscvModel *m = riscv_model(vcpu);
    RiscvState *s = riscv_state(vcpu);

    if (!m->pmp) {
        return false;
    }
    if (index >= m->n_pmp || locked(s, index)) {
        return true;
    }
    /* The lower bound of a locked TOR entry is locked too. */
    if (index + 1 < m->n_pmp && locked(s, index + 1) && mode_of(s->pmpcfg[index + 1]) == PMP_TOR) {
        return true;
    }
    s->pmpaddr[index] = value & (m->xlen == 64 ? bits_mask(0, 54) : UINT32_MAX);
    tlb_flush(vcpu);
    return true;
}

bool riscv_mseccfg_write(Vcpu *vcpu, uint64_t value)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t old = s->mseccfg, now = 0;

    if (riscv_has(vcpu, Smepmp)) {
        now |= (old | value) & (SECCFG_MML | SECCFG_MMWP); /* sticky */
        bool any_locked = false;
        for (unsigned i = 0; i < 64; i++) {
            any_locked |= (s->pmpcfg[i] & PMP_L) != 0;
        }
        now |= (old & SECCFG_RLB) || !any_locked ? value & SECCFG_RLB : 0;
    }
    if (riscv_has(vcpu, Zkr)) {
        now |= value & (SECCFG_USEED | SECCFG_SSEED);
    }
    s->mseccfg = now;
    tlb_flush(vcpu);
    return true;
}

/* [*first, *last] of an entry; false when off or empty. */
static bool entry_range(const RiscvState *s, unsigned i, uint64_t *first, uint64_t *last)
{
    uint64_t addr = s->pmpaddr[i];
    unsigned ones;

    switch (mode_of(s->pmpcfg[i])) {
    case PMP_TOR:
        *first = i ? s->pmpaddr[i - 1] << 2 : 0;
        *last = (addr << 2) - 1;
        return addr << 2 > *first;
    case PMP_NA4:
        *first = addr << 2;
        *last = *first + 3;
        return true;
    case PMP_NAPOT:
        ones = __builtin_ctzll(~addr);
        if (ones >= 61) {
            *first = 0;
            *last = UINT64_MAX;
        } else {
            *first = (addr & ~(BIT(ones) - 1)) << 2;
            *last = *first + (BIT(ones + 3) - 1);
        }
        return true;
    default:
        return false;
    }
}

static unsigned to_page(unsigned rwx)
{
    return (rwx & PMP_R ? PAGE_READ : 0) | (rwx & PMP_W ? PAGE_WRITE : 0) | (rwx & PMP_X ? PAGE_EXEC : 0);
}

/* Smepmp 2.1, the truth table with MML set. */
static unsigned entry_prot_mml(uint8_t cfg, bool machine)
{
    bool lock = cfg & PMP_L;

    switch (cfg & 7) {
    case PMP_W: /* shared data, or with L shared code */
        return lock ? PAGE_EXEC : PAGE_READ | (machine ? PAGE_WRITE : 0);
    case PMP_W | PMP_X:
        return lock ? PAGE_EXEC | (machine ? PAGE_READ : 0) : PAGE_READ | PAGE_WRITE;
    case PMP_R | PMP_W | PMP_X:
        return lock ? PAGE_READ : machine ? 0 : PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    default:
        return lock == machine ? to_page(cfg & 7) : 0;
    }
}

unsigned riscv_pmp_prot(const Vcpu *vcpu, gpa addr, unsigned size_bytes, unsigned priv, uint8_t *ret_page_bits)
{
    const RiscvModel *m = riscv_model(vcpu);
    const RiscvState *s = riscv_state(vcpu);
    bool machine = priv == RISCV_M, mml = s->mseccfg & SECCFG_MML;

    if (!m->pmp) {
        return PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    }
    for (unsigned i = 0; i < m->n_pmp; i++) {
        uint64_t first, last;
        if (!entry_range(s, i, &first, &last)) {
            continue;
        }
        /* Shrink the block until this entry contains it or does not touch it. */
        while (*ret_page_bits > 2) {
            uint64_t lo = addr & ~(BIT(*ret_page_bits) - 1), hi = lo + (BIT(*ret_page_bits) - 1);
            if (hi < first || lo > last || (lo >= first && hi <= last)) {
                break;
            }
            --*ret_page_bits;
        }
        if (addr + size_bytes - 1 < first || addr > last) {
            continue;
        }
        if (addr < first || addr + size_bytes - 1 > last) {
            return 0; /* partly matched: fails whatever the permissions (3.7.1.3) */
        }
        if (mml) {
            return entry_prot_mml(s->pmpcfg[i], machine);
        }
        return machine && !(s->pmpcfg[i] & PMP_L) ? PAGE_READ | PAGE_WRITE | PAGE_EXEC : to_page(s->pmpcfg[i] & 7);
    }
    if (machine) {
        return s->mseccfg & SECCFG_MMWP ? 0 : mml ? PAGE_READ | PAGE_WRITE : PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    }
    return m->n_pmp ? 0 : PAGE_READ | PAGE_WRITE | PAGE_EXEC;
}
