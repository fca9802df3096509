/*
 * mmu.c: address translation (Privileged chapters 10.3-10.6, Svnapot, Svpbmt, Svadu/Svade) and the exceptions of memory
 * accesses. Page tables are read, and A/D bits set with compare-and-swap, through vcpu->phys_ptr.
 */
#include "target/riscv/pmp.h"

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_G = 32, PTE_A = 64, PTE_D = 128 };
#define PTE_N BIT(63)
#define PTE_PBMT (3 * BIT(61))
#define PTE_RESERVED (bits_mask(54, 7))

unsigned riscv_mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    const RiscvState *s = riscv_state(vcpu);
    unsigned priv = s->priv;

    if (!vcpu->softmmu) {
        return 0;
    }
    if (access != MMU_FETCH && (s->mstatus & MSTATUS_MPRV)) {
        priv = bits_get(s->mstatus, 11, 2);
    }
    switch (priv) {
    case RISCV_U:
        return RISCV_MMU_U;
    case RISCV_S:
        return access != MMU_FETCH && (s->mstatus & MSTATUS_SUM) ? RISCV_MMU_S_SUM : RISCV_MMU_S;
    default:
        return RISCV_MMU_M;
    }
}

static unsigned index_priv(unsigned mmu_index)
{
    return mmu_index == RISCV_MMU_U ? RISCV_U : mmu_index == RISCV_MMU_M ? RISCV_M : RISCV_S;
}

static bool fail(Vcpu *vcpu, bool probe, vaddr addr, int32_t cause)
{
    if (!probe) {
        vcpu->exception = (VcpuException){ .cause = cause, .value = addr };
    }
    return false;
}

static bool page_fault(Vcpu *vcpu, bool probe, vaddr addr, MmuAccess access)
{
    static const uint8_t cause[] = { RISCV_EXC_LOAD_PAGE, RISCV_EXC_STORE_PAGE, RISCV_EXC_FETCH_PAGE };
    return fail(vcpu, probe, addr, cause[access]);
}

static bool access_fault(Vcpu *vcpu, bool probe, vaddr addr, MmuAccess access)
{
    static const uint8_t cause[] = { RISCV_EXC_LOAD_ACCESS, RISCV_EXC_STORE_ACCESS, RISCV_EXC_FETCH_ACCESS };
    return fail(vcpu, probe, addr, cause[access]);
}

static const uint8_t needed[] = { PAGE_READ, PAGE_WRITE, PAGE_EXEC };

/* The page found, cut down to what PMP treats alike. */
static bool finish(Vcpu *vcpu, bool probe, vaddr addr, gpa phys, MmuAccess access, unsigned size_bytes,
                   unsigned priv, unsigned prot, uint8_t page_bits, bool global, TlbFill *ret)
{
    uint64_t left = BIT(page_bits) - (phys & (BIT(page_bits) - 1));
    prot &= riscv_pmp_prot(vcpu, phys, MIN(MAX(size_bytes, 1u), left), priv, &page_bits);

    if (!(prot & needed[access])) {
        return access_fault(vcpu, probe, addr, access);
    }
    *ret = (TlbFill){ .phys = phys & ~(BIT(page_bits) - 1), .prot = prot, .page_bits = page_bits, .global = global };
    return true;
}

/* Reads a PTE; false: no memory, or PMP forbids (as a load in S mode). */
static void *pte_ptr(Vcpu *vcpu, gpa addr, unsigned size, bool write)
{
    uint8_t bits = 12;

    if (!(riscv_pmp_prot(vcpu, addr, size, RISCV_S, &bits) & (write ? PAGE_WRITE : PAGE_READ))) {
        return NULL;
    }
    return vcpu->phys_ptr ? vcpu->phys_ptr(vcpu, addr, size, write) : NULL;
}

/* debug: finds what is mapped; permissions, A, D and PMP are not looked at. */
static bool fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index,
                 bool probe, bool debug, TlbFill *ret)
{
    RiscvState *s = riscv_state(vcpu);
    unsigned priv = index_priv(mmu_index), mode = s->satp >> 60;
    bool rv32 = riscv_model(vcpu)->xlen == 32;

    if (priv == RISCV_M || mode == RISCV_SATP_BARE) {
        if (!rv32 && addr >> 56) {
            return access_fault(vcpu, probe, addr, access);
        }
        if (debug) {
            *ret = (TlbFill){ .phys = addr & ~bits_mask(0, 12), .prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC, .page_bits = 12 };
            return true;
        }
        return finish(vcpu, probe, addr, addr, access, size_bytes, priv, PAGE_READ | PAGE_WRITE | PAGE_EXEC,
                      rv32 ? 32 : 56, true, ret);
    }
    unsigned levels = rv32 ? 2 : mode == RISCV_SATP_SV39 ? 3 : mode == RISCV_SATP_SV48 ? 4 : 5;
    unsigned index_bits = rv32 ? 10 : 9, pte_bytes = rv32 ? 4 : 8;
    unsigned va_bits = 12 + levels * index_bits;

    /* The upper bits must equal the top one (10.4.1). */
    if (!rv32 && bits_sext(addr, va_bits) != (int64_t)addr) {
        return page_fault(vcpu, probe, addr, access);
    }
    bool adue = s->menvcfg & MENVCFG_ADUE, pbmte = s->menvcfg & MENVCFG_PBMTE;
    bool global = false;

restart:;
    gpa table = (s->satp & bits_mask(0, 44)) << 12;
    for (int level = (int)levels - 1; level >= 0; level--) {
        unsigned shift = 12 + level * index_bits;
        gpa pte_addr = table + bits_get(addr, shift, index_bits) * pte_bytes;
        void *p = debug ? vcpu->phys_ptr ? vcpu->phys_ptr(vcpu, pte_addr, pte_bytes, false) : NULL
                        : pte_ptr(vcpu, pte_addr, pte_bytes, false);
        if (!p) {
            return access_fault(vcpu, probe, addr, access);
        }
        uint64_t pte = rv32 ? __atomic_load_n((uint32_t *)p, __ATOMIC_ACQUIRE)
                            : __atomic_load_n((uint64_t *)p, __ATOMIC_ACQUIRE);
        uint64_t ppn = rv32 ? pte >> 10 : bits_get(pte, 10, 44);

        if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W) {
            return page_fault(vcpu, probe, addr, access);
        }
        if (!rv32) {
            if ((pte & PTE_RESERVED & ~(riscv_has(vcpu, Svrsw60t59b) ? 3 * BIT(59) : 0)) || ((pte & PTE_N) && !riscv_has(vcpu, Svnapot)) ||
                ((pte & PTE_PBMT) && (!pbmte || (pte & PTE_PBMT) == PTE_PBMT))) {
                return page_fault(vcpu, probe, addr, access);
            }
        }
        global |= (pte & PTE_G) != 0;
        if (!(pte & (PTE_R | PTE_X))) { /* pointer to the next level */
            if (pte & (PTE_A | PTE_D | PTE_U | PTE_N | PTE_PBMT)) {
                return page_fault(vcpu, probe, addr, access);
            }
            table = ppn << 12;
            continue;
        }

        uint8_t page_bits = shift;
        if (pte & PTE_N) { /* 64 KiB: low PPN bits 1000 (Svnapot 5.1) */
            if (level != 0 || (ppn & 15) != 8) {
                return page_fault(vcpu, probe, addr, access);
            }
            ppn &= ~(uint64_t)15;
            page_bits = 16;
        } else if (ppn & (BIT(level * index_bits) - 1)) {
            return page_fault(vcpu, probe, addr, access); /* misaligned superpage */
        }
        if (debug) {
            *ret = (TlbFill){ .phys = ppn << 12 & ~(BIT(page_bits) - 1), .prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC, .page_bits = page_bits };
            return true;
        }
        unsigned prot = (pte & PTE_R ? PAGE_READ : 0) | (pte & PTE_W ? PAGE_WRITE : 0) | (pte & PTE_X ? PAGE_EXEC : 0);
        if ((s->mstatus & MSTATUS_MXR) && (pte & PTE_X)) {
            prot |= PAGE_READ;
        }
        if (pte & PTE_U) {
            if (priv == RISCV_S) {
                prot &= mmu_index == RISCV_MMU_S_SUM ? PAGE_READ | PAGE_WRITE : 0;
            }
        } else if (priv == RISCV_U) {
            prot = 0;
        }
        if (!(prot & needed[access])) {
            return page_fault(vcpu, probe, addr, access);
        }
        uint64_t want = pte | PTE_A | (access == MMU_WRITE ? PTE_D : 0);
        if (want != pte) {
            if (!adue) {
                return page_fault(vcpu, probe, addr, access); /* Svade */
            }
            if (!probe) {
                p = pte_ptr(vcpu, pte_addr, pte_bytes, true);
                if (!p) {
                    return access_fault(vcpu, probe, addr, access);
                }
                uint64_t old64 = pte;
                uint32_t old32 = (uint32_t)pte;
                bool done = rv32 ? __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)want, false,
                                                               __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
                                 : __atomic_compare_exchange_n((uint64_t *)p, &old64, want, false,
                                                               __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
                if (!done) {
                    goto restart; /* somebody changed it meanwhile */
                }
                pte = want;
            }
        }
        if (!(pte & PTE_D)) {
            prot &= ~(unsigned)PAGE_WRITE; /* the first store comes back here */
        }
        gpa phys = (ppn << 12 & ~(BIT(page_bits) - 1)) | (addr & (BIT(page_bits) - 1));
        return finish(vcpu, probe, addr, phys, access, size_bytes, priv, prot, page_bits, global, ret);
    }
    return page_fault(vcpu, probe, addr, access);
}

bool riscv_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret)
{
    return fill(vcpu, addr, access, size_bytes, mmu_index, probe, false, ret);
}

bool riscv_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret)
{
    return fill(vcpu, addr, MMU_READ, 1, riscv_mmu_index(vcpu, MMU_READ), true, true, ret);
}

void riscv_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    static const uint8_t cause[] = { RISCV_EXC_LOAD_MISALIGNED, RISCV_EXC_STORE_MISALIGNED, RISCV_EXC_FETCH_MISALIGNED };
    fail(vcpu, false, addr, cause[access]);
}

void riscv_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access)
{
    access_fault(vcpu, false, addr, access);
}
