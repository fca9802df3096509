/*
 * mmu-list.c: everything a hart's page tables map, for `info mem`. Neighbours that go on in both address spaces with the same
 * attributes are one line.
 *
 * Privileged ISA 20240411, 10.3 to 10.6, Svnapot. A guest may make tables that point at each other: the walk ends after MAX_TABLES.
 */
#include "target/riscv/cpu.h"

enum { MAX_TABLES = 1 << 18, PTE_V = 1, PTE_LEAF = 2 | 8 };

typedef struct Walk {
    Vcpu *vcpu;
    TargetMapping *emit;
    void *opaque;
    unsigned va_bits, index_bits, pte_bytes, n_tables;
    /* The run so far; size 0: none. */
    vaddr addr;
    gpa phys;
    uint64_t size;
    unsigned attr;
} Walk;

static void flush(Walk *w)
{
    static const char letters[] = "rwxugad"; /* bits 1 to 7 */
    char attr[sizeof(letters)];
    for (unsigned i = 0; i < 7; i++) {
        attr[i] = w->attr >> (i + 1) & 1 ? letters[i] : '-';
    }
    attr[7] = 0;
    if (w->size) {
        w->emit(w->opaque, w->addr, w->phys, w->size, attr);
    }
    w->size = 0;
}

static void leaf(Walk *w, vaddr addr, gpa phys, uint64_t size, unsigned attr)
{
    bool goes_on = w->size && addr == w->addr + w->size && phys == w->phys + w->size && attr == w->attr;
    if (!goes_on) {
        flush(w);
        w->addr = addr;
        w->phys = phys;
        w->attr = attr;
    }
    w->size += size;
}

static void table(Walk *w, gpa at, vaddr base, unsigned level)
{
    unsigned shift = 12 + level * w->index_bits;
    if (w->n_tables++ >= MAX_TABLES) {
        return;
    }
    for (unsigned i = 0; i < 1u << w->index_bits; i++) {
        void *p = w->vcpu->phys_ptr ? w->vcpu->phys_ptr(w->vcpu, at + (gpa)i * w->pte_bytes, w->pte_bytes, false) : NULL;
        uint64_t pte = !p ? 0 : w->pte_bytes == 8 ? __atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED)
                                                  : __atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
        gpa phys = (w->pte_bytes == 8 ? bits_get(pte, 10, 44) : pte >> 10) << 12;
        vaddr addr = base | (vaddr)i << shift;
        addr = w->pte_bytes == 8 ? (vaddr)bits_sext(addr, w->va_bits) : (uint32_t)addr;
        if (!(pte & PTE_V)) {
            continue;
        }
        if (pte & PTE_LEAF) {
            bool napot = w->pte_bytes == 8 && (pte & BIT(63)); /* 64 KiB in 16 equal entries */
            leaf(w, addr, napot ? (phys & ~(gpa)0xffff) | (addr & 0xf000) : phys, BIT(shift), (unsigned)pte & 0xfe);
        } else if (level) {
            table(w, phys, addr, level - 1);
        }
    }
}

bool riscv_mappings(Vcpu *vcpu, TargetMapping *emit, void *opaque)
{
    const RiscvState *s = riscv_state(vcpu);
    unsigned mode = (unsigned)(s->satp >> 60);
    bool rv32 = riscv_model(vcpu)->xlen == 32;
    unsigned levels = rv32 ? 2 : mode == RISCV_SATP_SV39 ? 3 : mode == RISCV_SATP_SV48 ? 4 : 5;

    if (mode == RISCV_SATP_BARE) {
        return false;
    }
    Walk w = { .vcpu = vcpu, .emit = emit, .opaque = opaque, .index_bits = rv32 ? 10 : 9, .pte_bytes = rv32 ? 4 : 8 };
    w.va_bits = 12 + levels * w.index_bits;
    table(&w, (s->satp & bits_mask(0, 44)) << 12, 0, levels - 1);
    flush(&w);
    return true;
}
