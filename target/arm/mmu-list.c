/*
 * mmu-list.c: everything the stage 1 tables in force map, for `info mem`. Neighbours that go on in both address spaces with the same attributes
 * are one line.
 *
 * A guest may make tables that point at each other: the walk ends after MAX_TABLES. Addresses of tables are taken as physical: stage 2 is not
 * looked at. Arm ARM DDI 0487, D8.3.
 */
#include "target/arm/mmu.h"

enum { MAX_TABLES = 1 << 18 };

typedef struct Walk {
    Vcpu *vcpu;
    ArmRegime regime;
    TargetMapping *emit;
    void *opaque;
    const ArmTables *t;
    unsigned n_tables;
    /* The run so far; size 0: none. */
    vaddr addr;
    gpa phys;
    uint64_t size;
    unsigned attr;
} Walk;

/* Descriptor bits shown: user, read-only, accessed, not global, privileged and user execute-never. */
static unsigned attributes(uint64_t desc)
{
    return (unsigned)(bits_get(desc, 6, 2) | bits_get(desc, 10, 2) << 2 | bits_get(desc, 53, 2) << 4);
}

static void flush(Walk *w)
{
    char attr[7] = {
        w->attr & 1 ? 'u' : '-', 'r', w->attr & 2 ? '-' : 'w', w->attr & 16 ? '-' : 'x', w->attr & 8 ? '-' : 'g', w->attr & 4 ? 'a' : '-', 0,
    };

    if (w->size) {
        w->emit(w->opaque, w->addr, w->phys, w->size, attr);
    }
    w->size = 0;
}

static void leaf(Walk *w, vaddr addr, gpa phys, uint64_t size, unsigned attr)
{
    if (!(w->size && addr == w->addr + w->size && phys == w->phys + w->size && attr == w->attr)) {
        flush(w);
        w->addr = addr;
        w->phys = phys;
        w->attr = attr;
    }
    w->size += size;
}

static void table(Walk *w, gpa at, vaddr base, int level, unsigned index_bits)
{
    unsigned bits = arm_level_bits(w->t, level);

    if (w->n_tables++ >= MAX_TABLES) {
        return;
    }
    for (uint64_t i = 0; i < BIT(index_bits); i++) {
        const uint64_t *p = w->vcpu->phys_ptr ? w->vcpu->phys_ptr(w->vcpu, at + i * 8, 8, false) : NULL;
        uint64_t desc = p ? arm_descriptor_in_order(w->vcpu, w->regime, w->t, __atomic_load_n(p, __ATOMIC_RELAXED)) : 0;
        vaddr addr = base + (i << bits);
        if (!(desc & 1)) {
            continue;
        }
        if (level < 3 && (desc & 2)) {
            table(w, arm_descriptor_address(w->t, desc, level), addr, level + 1, w->t->granule_bits - 3u);
        } else if (level == 3 ? desc & 2 : arm_block_allowed(w->t, level)) {
            leaf(w, addr, arm_descriptor_address(w->t, desc, level), BIT(bits), attributes(desc));
        }
    }
}

bool arm_mappings(Vcpu *vcpu, TargetMapping *emit, void *opaque)
{
    ArmRegime regime = arm_regime(vcpu, arm_state(vcpu)->el);
    Walk w = { .vcpu = vcpu, .regime = regime, .emit = emit, .opaque = opaque };

    if (!arm_stage1_enabled(vcpu, regime)) {
        return false;
    }
    for (unsigned high = 0; high < (regime <= ARM_REGIME_EL20 ? 2u : 1u); high++) {
        ArmTables t;
        uint64_t in;
        ArmWalkFault f;
        if (arm_stage1_tables(vcpu, regime, high ? ~(vaddr)0 : 0, MMU_READ, false, &t, &in, &f)) {
            w.t = &t;
            table(&w, t.base, high ? ~bits_mask(0, t.va_bits) : 0, t.start, t.top_bits);
        }
    }
    flush(&w);
    return true;
}
