/*
 * mmu.c: address translation (SDM 4: 32-bit, PAE, 4- and 5-level paging) and page faults.
 *
 * Page tables are read, and accessed and dirty bits set with compare-and-swap, through vcpu->phys_ptr. A table where there is no memory
 * reads as all ones, one in ROM keeps its bits. What an entry in the TLB allows holds for one MMU index and until CR0.WP, CR4, EFER
 * or PKRU change (sysreg.c flushes).
 */
#include "target/x86/system.h"

#define PTE_P   BIT(0)
#define PTE_W   BIT(1)
#define PTE_U   BIT(2)
#define PTE_A   BIT(5)
#define PTE_D   BIT(6)
#define PTE_PS  BIT(7)
#define PTE_G   BIT(8)
#define PTE_NX  BIT(63)
#define ADDR_MASK bits_mask(12, 40)

enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16, PF_PK = 32 };

static const uint8_t needed[] = { [MMU_READ] = PAGE_READ, [MMU_WRITE] = PAGE_WRITE, [MMU_FETCH] = PAGE_EXEC };

unsigned x86_mmu_index(const Vcpu *vcpu, MmuAccess access)
{
    return vcpu->softmmu ? x86_mmu_at(x86_state(vcpu), x86_cpl(vcpu)) : 0;
}

typedef struct Walk {
    Vcpu *vcpu;
    X86State *s;
    vaddr addr;
    MmuAccess access;
    unsigned mmu_index;
    bool probe, debug, pae;
    uint32_t error;      /* of the page fault */
} Walk;

static bool fault(Walk *w, unsigned bits)
{
    X86State *s = w->s;
    bool nx_reported = (s->efer & X86_EFER_NXE && w->pae) || (s->cr4 & X86_CR4_SMEP);

    if (!w->probe && !w->debug) {
        uint32_t code = bits | (w->access == MMU_WRITE ? PF_W : 0) | (w->mmu_index == X86_MMU_USER ? PF_U : 0) |
                        (w->access == MMU_FETCH && nx_reported ? PF_I : 0);
        s->cr2 = w->addr;
        w->vcpu->exception = (VcpuException){ .cause = X86_EXC_PF | X86_CAUSE_HAS_CODE, .value = code };
    }
    return false;
}

static bool not_canonical(Walk *w)
{
    if (!w->probe && !w->debug) {
        w->vcpu->exception = (VcpuException){ .cause = X86_EXC_GP | X86_CAUSE_HAS_CODE | X86_CAUSE_CANONICAL, .value = w->s->ext };
    }
    return false;
}

static void *entry_ptr(const Walk *w, gpa at, unsigned size_bytes, bool write)
{
    at = w->s->a20_off ? at & ~BIT(20) : at;
    return w->vcpu->phys_ptr ? w->vcpu->phys_ptr(w->vcpu, at, size_bytes, write) : NULL;
}

static uint64_t entry_read(const Walk *w, gpa at, unsigned size_bytes)
{
    const void *p = entry_ptr(w, at, size_bytes, false);
    if (!p) {
        return size_bytes == 8 ? UINT64_MAX : UINT32_MAX;
    }
    return size_bytes == 8 ? __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE) : __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}

/* Sets bits of an entry; false: somebody changed it meanwhile. */
static bool entry_mark(const Walk *w, gpa at, unsigned size_bytes, uint64_t old, uint64_t bits)
{
    void *p = entry_ptr(w, at, size_bytes, true);
    uint64_t old64 = old;
    uint32_t old32 = (uint32_t)old;

    if (!p) {
        return true;
    }
    return size_bytes == 8 ? __atomic_compare_exchange_n((uint64_t *)p, &old64, old | bits, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
                           : __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)(old | bits), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

typedef struct Step {
    gpa at;
    uint64_t entry;
} Step;

/* What was found: the entries on the way, the last one maps. */
typedef struct Found {
    Step step[5];
    unsigned n, size_bytes;      /* of an entry */
    uint8_t page_bits;
    gpa phys;
    uint64_t all, any;           /* entries ANDed, ORed: rights */
} Found;

/* Bits that must be zero (SDM tables 4-4 to 4-20). `shift`: of what the entry maps or refers to. */
static uint64_t reserved(const Walk *w, unsigned shift, bool leaf)
{
    const X86Model *m = x86_model(w->vcpu);
    uint64_t bits = ADDR_MASK & ~bits_mask(0, m->phys_bits);

    bits |= w->s->efer & X86_EFER_NXE ? 0 : PTE_NX;
    if (!x86_is_long(w->s)) {
        bits |= bits_mask(52, 11);
    }
    if (leaf && shift > 12) {
        bits |= bits_mask(13, shift - 13);
    } else if (shift >= 39 || (shift == 30 && !x86_has(w->vcpu, X86_FEAT_PDPE1GB))) {
        bits |= PTE_PS;
    }
    return bits;
}

/* PAE and long mode: entries of 8 bytes, 9 bits a level. */
static bool walk64(Walk *w, Found *f)
{
    const X86State *s = w->s;
    bool is_long = x86_is_long(s);
    unsigned levels = !is_long ? 2 : s->cr4 & X86_CR4_LA57 ? 5 : 4;
    gpa table = s->cr3 & ADDR_MASK;

    f->size_bytes = 8;
    if (!is_long) {
        uint64_t pdpte = s->pdpte[w->addr >> 30 & 3];
        if (!(pdpte & PTE_P)) {
            return fault(w, 0);
        }
        table = pdpte & ADDR_MASK;
    }
    for (unsigned level = levels; level-- > 0;) {
        unsigned shift = 12 + 9 * level;
        gpa at = table + (w->addr >> shift & 511) * 8;
        uint64_t e = entry_read(w, at, 8);

        if (!(e & PTE_P)) {
            return fault(w, 0);
        }
        bool leaf = level == 0 || ((e & PTE_PS) && (level == 1 || (level == 2 && is_long && x86_has(w->vcpu, X86_FEAT_PDPE1GB))));
        if (e & reserved(w, shift, leaf)) {
            return fault(w, PF_P | PF_RSVD);
        }
        f->step[f->n++] = (Step){ at, e };
        f->all &= e;
        f->any |= e;
        if (leaf) {
            f->page_bits = (uint8_t)shift;
            f->phys = e & ADDR_MASK & ~(BIT(shift) - 1);
            return true;
        }
        table = e & ADDR_MASK;
    }
    return false;
}

/* Two levels of 4-byte entries. Pages of 4 MiB may lie above 4 GiB (PSE-36). */
static bool walk32(Walk *w, Found *f)
{
    const X86State *s = w->s;
    gpa at = (s->cr3 & 0xfffff000) + (w->addr >> 22 & 1023) * 4;
    uint64_t e = entry_read(w, at, 4);

    f->size_bytes = 4;
    if (!(e & PTE_P)) {
        return fault(w, 0);
    }
    f->step[f->n++] = (Step){ at, e };
    f->all &= e;
    f->any |= e;
    if ((e & PTE_PS) && (s->cr4 & X86_CR4_PSE)) {
        unsigned high = x86_has(w->vcpu, X86_FEAT_PSE36) ? MIN(x86_model(w->vcpu)->phys_bits, 40u) - 32 : 0;
        if (e & bits_mask(13, 9) & ~(high ? bits_mask(13, high) : 0)) {
            return fault(w, PF_P | PF_RSVD);
        }
        f->page_bits = 22;
        f->phys = (e & 0xffc00000) | (high ? bits_get(e, 13, high) << 32 : 0);
        return true;
    }
    at = (e & 0xfffff000) + (w->addr >> 12 & 1023) * 4;
    e = entry_read(w, at, 4);
    if (!(e & PTE_P)) {
        return fault(w, 0);
    }
    f->step[f->n++] = (Step){ at, e };
    f->all &= e;
    f->any |= e;
    f->page_bits = 12;
    f->phys = e & 0xfffff000;
    return true;
}

/* SDM 4.6: what the page may be used for at this MMU index. *ret_key: what a protection key forbids, by other rights forbidden or not (4.7: PK). */
static unsigned rights(const Walk *w, const Found *f, unsigned *ret_key)
{
    X86State *s = w->s;
    bool user_page = f->all & PTE_U, writable = f->all & PTE_W, user = w->mmu_index == X86_MMU_USER;
    unsigned prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC;

    *ret_key = 0;
    if (user && !user_page) {
        return 0;
    }
    if (!writable && (user || (s->cr0 & X86_CR0_WP))) {
        prot &= ~(unsigned)PAGE_WRITE;
    }
    if ((f->any & PTE_NX) && f->size_bytes == 8) {
        prot &= ~(unsigned)PAGE_EXEC;
    }
    if (!user && user_page) {
        prot &= s->cr4 & X86_CR4_SMEP ? ~(unsigned)PAGE_EXEC : ~0u;
        prot &= w->mmu_index == X86_MMU_KERNEL ? (unsigned)PAGE_EXEC : ~0u; /* SMAP */
    }
    if ((s->cr4 & X86_CR4_PKE) && x86_is_long(s) && user_page) {
        unsigned key = bits_get(f->step[f->n - 1].entry, 59, 4), bits = s->pkru >> (2 * key) & 3;
        s->pkeys_seen |= key != 0;
        if (bits & 1) {
            *ret_key = PAGE_READ | PAGE_WRITE;
        } else if ((bits & 2) && (user || (s->cr0 & X86_CR0_WP))) {
            *ret_key = PAGE_WRITE;
        }
    }
    return prot & ~*ret_key;
}

static bool all_accessed(const Found *f)
{
    bool all = true;
    for (unsigned i = 0; i < f->n; i++) {
        all &= (f->step[i].entry & PTE_A) != 0;
    }
    return all;
}

/* Every entry used gets its accessed bit, the last one of a store its dirty bit; false: start again. */
static bool mark(Walk *w, Found *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        bool last = i == f->n - 1;
        uint64_t want = PTE_A | (last && w->access == MMU_WRITE ? PTE_D : 0);
        if ((f->step[i].entry & want) != want) {
            if (!entry_mark(w, f->step[i].at, f->size_bytes, f->step[i].entry, want)) {
                return false;
            }
            f->step[i].entry |= want;
        }
    }
    return true;
}

/* Address line 20 held low: pages may not reach over it. */
static void apply_a20(const X86State *s, vaddr addr, TlbFill *f)
{
    if (!s->a20_off) {
        return;
    }
    if (f->page_bits > 20) {
        f->phys |= addr & bits_mask(20, f->page_bits - 20);
        f->page_bits = 20;
    }
    f->phys &= ~BIT(20);
}

static bool fill(Walk *w, TlbFill *ret)
{
    X86State *s = w->s;

    if (!x86_is_long(s)) {
        w->addr = (uint32_t)w->addr;
    }
    if (!(s->cr0 & X86_CR0_PG)) {
        *ret = (TlbFill){ .phys = 0, .prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC, .page_bits = 32, .global = true };
        apply_a20(s, w->addr, ret);
        return true;
    }
    if (x86_is_long(s) && !x86_is_canonical(s, w->addr)) {
        return not_canonical(w);
    }
    w->pae = s->cr4 & X86_CR4_PAE;
    for (;;) {
        Found f = { .all = UINT64_MAX };
        unsigned key = 0;
        if (!(w->pae ? walk64(w, &f) : walk32(w, &f))) {
            return false;
        }
        unsigned prot = w->debug ? PAGE_READ | PAGE_WRITE | PAGE_EXEC : rights(w, &f, &key);
        if (!(prot & needed[w->access])) {
            return fault(w, PF_P | (key & needed[w->access] ? PF_PK : 0));
        }
        if (w->probe && !all_accessed(&f)) {
            return false; /* a probe marks nothing, and what it finds is kept */
        }
        if (!w->debug && !w->probe && !mark(w, &f)) {
            continue;
        }
        uint64_t last = f.step[f.n - 1].entry;
        if (!w->debug && !(last & PTE_D)) {
            prot &= ~(unsigned)PAGE_WRITE; /* the first store comes back here */
        }
        *ret = (TlbFill){ .phys = f.phys, .prot = (uint8_t)prot, .page_bits = f.page_bits,
                          .global = (last & PTE_G) && (s->cr4 & X86_CR4_PGE) };
        apply_a20(s, w->addr, ret);
        return true;
    }
}

bool x86_tlb_fill(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned size_bytes, unsigned mmu_index, bool probe, TlbFill *ret)
{
    Walk w = { .vcpu = vcpu, .s = x86_state(vcpu), .addr = addr, .access = access, .mmu_index = mmu_index, .probe = probe };
    return fill(&w, ret);
}

bool x86_tlb_fill_debug(Vcpu *vcpu, vaddr addr, TlbFill *ret)
{
    Walk w = { .vcpu = vcpu, .s = x86_state(vcpu), .addr = addr, .debug = true };
    return (x86_is_long(w.s) || !(addr >> 32)) && fill(&w, ret); /* linear addresses have 32 bits, and do not begin again behind them */
}

/* SDM 4.4.1: the four pointers are registers, loaded with CR3. */
bool x86_pdptes_load(Vcpu *vcpu, uint64_t cr3)
{
    X86State *s = x86_state(vcpu);
    Walk w = { .vcpu = vcpu, .s = s };
    uint64_t pdpte[4], bad = (ADDR_MASK & ~bits_mask(0, x86_model(vcpu)->phys_bits)) | bits_mask(52, 12) | bits_mask(5, 4) | 6;

    for (unsigned i = 0; i < 4; i++) {
        pdpte[i] = entry_read(&w, (cr3 & 0xffffffe0) + 8 * i, 8);
        if ((pdpte[i] & PTE_P) && (pdpte[i] & bad)) {
            return false;
        }
    }
    memcpy(s->pdpte, pdpte, sizeof(pdpte));
    return true;
}

void x86_unaligned(Vcpu *vcpu, vaddr addr, MmuAccess access, unsigned mmu_index)
{
    /* Without alignment checks it is a vector operand that must be aligned. */
    const X86State *s = x86_state(vcpu);
    bool checks = s->cr0 & X86_CR0_AM && s->eflags & X86_AC && x86_cpl(vcpu) == 3;

    vcpu->exception = (VcpuException){ .cause = (checks ? X86_EXC_AC : X86_EXC_GP) | X86_CAUSE_HAS_CODE };
}

/*
 * The bus answers everything, so this is code outside memory (and what a device refuses). Processors would run what the floating
 * bus gives, FFh FFh, which is an invalid instruction.
 */
void x86_bus_error(Vcpu *vcpu, vaddr addr, gpa phys, MmuAccess access)
{
    vcpu->exception = (VcpuException){ .cause = access == MMU_FETCH ? X86_EXC_UD : X86_EXC_MC };
}
