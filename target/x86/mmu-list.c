/*
 * mmu-list.c: everything the page tables map. `info mem`: what may be done where; neighbours with the same rights are one line. `info tlb`: a line
 * a page, with the bits of its entry. Both print what debuggers' scripts have read since the reference's first versions: START-END SIZE urw, and
 * ADDRESS: PHYSICAL XGPDACTUW.
 *
 * SDM 4. A guest may make tables that point at each other: the walk ends after MAX_TABLES, the text after MAX_LINES.
 */
#include <stdio.h>
#include "target/x86/system.h"

enum { MAX_TABLES = 1 << 18, MAX_LINES = 1 << 19, P = 1, W = 2, U = 4, PWT = 8, PCD = 16, A = 32, D = 64, PS = 128, G = 256 };
#define NX BIT(63)
#define ADDR bits_mask(12, 40)

typedef struct Walk {
    Vcpu *vcpu;
    FILE *out;
    bool pages;             /* info tlb */
    unsigned index_bits, entry_bytes, va_bits, n_tables, n_lines;
    bool large_pages;       /* of the second level */
    vaddr addr;
    uint64_t size, rights;  /* of the run so far; size 0: none */
} Walk;

static bool room(Walk *w)
{
    if (w->n_lines == MAX_LINES) {
        fprintf(w->out, "(more is not listed)\n");
    }
    return w->n_lines++ < MAX_LINES;
}

static void flush(Walk *w)
{
    if (w->size && room(w)) {
        fprintf(w->out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n", w->addr, w->addr + w->size, w->size, w->rights & U ? 'u' : '-',
                w->rights & W ? 'w' : '-');
    }
    w->size = 0;
}

static void leaf(Walk *w, vaddr addr, gpa phys, uint64_t size, uint64_t rights, uint64_t entry)
{
    if (w->pages) {
        static const struct { uint64_t bit; char letter; } flags[] = {
            { NX, 'X' }, { G, 'G' }, { PS, 'P' }, { D, 'D' }, { A, 'A' }, { PCD, 'C' }, { PWT, 'T' }, { U, 'U' }, { W, 'W' } };
        char text[ARRAY_SIZE(flags) + 1] = "";
        for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
            text[i] = entry & flags[i].bit ? flags[i].letter : '-';
        }
        if (room(w)) {
            fprintf(w->out, "%016" PRIx64 ": %016" PRIx64 " %s\n", addr, phys, text);
        }
        return;
    }
    if (!w->size || addr != w->addr + w->size || rights != w->rights) {
        flush(w);
        w->addr = addr;
        w->rights = rights;
    }
    w->size += size;
}

static uint64_t entry_at(const Walk *w, gpa at)
{
    const void *p = w->vcpu->phys_ptr ? w->vcpu->phys_ptr(w->vcpu, at, w->entry_bytes, false) : NULL;
    return !p ? 0 : w->entry_bytes == 8 ? __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED)
                                        : __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
}

static void table(Walk *w, gpa at, vaddr base, unsigned level, uint64_t rights);

static void entry(Walk *w, uint64_t e, vaddr addr, unsigned level, uint64_t rights)
{
    unsigned shift = 12 + level * w->index_bits;
    bool large = level && (e & PS) && (level < 2 || w->index_bits == 9) && level <= 2 && w->large_pages;

    if (!(e & P)) {
        return;
    }
    rights &= e;
    if (level && !large) {
        table(w, e & ADDR, addr, level - 1, rights);
        return;
    }
    gpa phys = e & ADDR & ~(BIT(shift) - 1);
    if (large && w->entry_bytes == 4) {
        phys = (e & 0xffc00000) | bits_get(e, 13, 8) << 32;
    }
    leaf(w, addr, phys, BIT(shift), rights, large ? e : e & ~(uint64_t)PS); /* bit 7 of a small page's entry is PAT */
}

static void table(Walk *w, gpa at, vaddr base, unsigned level, uint64_t rights)
{
    if (w->n_tables++ >= MAX_TABLES || w->n_lines > MAX_LINES) {
        return;
    }
    for (unsigned i = 0; i < 1u << w->index_bits; i++) {
        vaddr addr = base | (vaddr)i << (12 + level * w->index_bits);
        addr = w->va_bits > 32 ? (vaddr)bits_sext(addr, w->va_bits) : addr;
        entry(w, entry_at(w, at + (gpa)i * w->entry_bytes), addr, level, rights);
    }
}

bool x86_print_mappings(Vcpu *vcpu, FILE *out, bool pages)
{
    const X86State *s = x86_state(vcpu);
    bool pae = s->cr4 & X86_CR4_PAE;
    Walk w = { .vcpu = vcpu, .out = out, .pages = pages, .index_bits = pae ? 9 : 10, .entry_bytes = pae ? 8 : 4, .va_bits = 32,
               .large_pages = pae || (s->cr4 & X86_CR4_PSE) };

    if (!(s->cr0 & X86_CR0_PG)) {
        return false;
    }
    if (x86_is_long(s)) {
        unsigned levels = s->cr4 & X86_CR4_LA57 ? 5 : 4;
        w.va_bits = 12 + 9 * levels;
        table(&w, s->cr3 & ADDR, 0, levels - 1, W | U);
    } else if (pae) {
        for (unsigned i = 0; i < 4; i++) {
            if (s->pdpte[i] & P) {
                table(&w, s->pdpte[i] & ADDR, (vaddr)i << 30, 1, W | U);
            }
        }
    } else {
        table(&w, s->cr3 & 0xfffff000, 0, 1, W | U);
    }
    flush(&w);
    return true;
}
