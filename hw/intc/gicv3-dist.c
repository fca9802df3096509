/*
 * gicv3-dist.c: the distributor's registers (IHI 0069H 12.9).
 */
#include "hw/intc/gicv3.h"
#include "util/log.h"

enum {
    GICD_CTLR = 0x0000, GICD_TYPER = 0x0004, GICD_IIDR = 0x0008, GICD_BITS = 0x0080, GICD_PRIORITY = 0x0400, GICD_TARGETS = 0x0800,
    GICD_CONFIG = 0x0c00, GICD_GROUP_MOD = 0x0d00, GICD_ROUTER = 0x6000, GICD_ID = 0xffd0,
};
enum { IIDR = 0x43b, TYPER_LPIS = 1 << 17, TYPER_ID_BITS = 19, TYPER_A3V = 1 << 24, TYPER_NO_1N = 1 << 25, TYPER_SECURITY = 1 << 10 };

uint32_t v3_id_read(const GicV3 *s, uint64_t offset, uint8_t part)
{
    /* PIDR4 to 7, 0 to 3 (PIDR2: architecture revision), CIDR0 to 3. */
    const uint8_t ids[12] = { 0x44, 0, 0, 0, part, 0xb4, (uint8_t)(s->revision << 4 | 0xb), 0, 0x0d, 0xf0, 0x05, 0xb1 };

    return offset >= GICD_ID && offset < 0x10000 ? ids[(offset - GICD_ID) / 4] : 0;
}

/* -- what redistributors have, too -------------------------------------------------------------------------------------------- */

static uint8_t priority_read(const GicWord *w, unsigned n, bool ns)
{
    return w->group >> n & 1 || !ns ? (uint8_t)(w->priority[n] << ns) : 0;
}

static void priority_write(GicWord *w, unsigned n, uint8_t value, bool ns)
{
    const uint8_t bits = (uint8_t)(0xff << (8 - V3_PRIORITY_BITS));

    if (w->group >> n & 1 || !ns) {
        w->priority[n] = (ns ? 0x80 | value >> 1 : value) & bits;
    }
}

bool v3_word_read(GicV3 *s, GicWord *w, uint64_t offset, unsigned size, bool ns, uint64_t *ret)
{
    *ret = 0;
    if (offset >= GICD_BITS && offset < GICD_PRIORITY) {
        unsigned kind = (unsigned)(offset >> 7);
        *ret = ns && kind == GIC_GROUP ? 0 : gic_word_read(w, kind, v3_visible(w, ns));
    } else if (offset >= GICD_PRIORITY && offset < GICD_TARGETS) {
        for (unsigned i = 0; i < size; i++) {
            *ret |= (uint64_t)priority_read(w, (unsigned)(offset + i) % 32, ns) << 8 * i;
        }
    } else if (offset >= GICD_CONFIG && offset < GICD_GROUP_MOD) {
        *ret = gic_word_config(w, offset / 4 & 1, v3_visible(w, ns));
    } else if (offset >= GICD_GROUP_MOD && offset < GICD_GROUP_MOD + 0x80) {
        *ret = ns || v3_single(s) ? 0 : w->group_mod;
    } else {
        return false;
    }
    return true;
}

bool v3_word_write(GicV3 *s, GicWord *w, uint64_t offset, unsigned size, uint64_t value, bool ns, bool sgis)
{
    if (offset >= GICD_BITS && offset < GICD_PRIORITY) {
        unsigned kind = (unsigned)(offset >> 7);
        if (!ns || kind != GIC_GROUP) {
            gic_word_write(w, kind, (uint32_t)value, v3_visible(w, ns));
        }
    } else if (offset >= GICD_PRIORITY && offset < GICD_TARGETS) {
        for (unsigned i = 0; i < size; i++) {
            priority_write(w, (unsigned)(offset + i) % 32, (uint8_t)(value >> 8 * i), ns);
        }
    } else if (offset >= GICD_CONFIG && offset < GICD_GROUP_MOD) {
        gic_word_set_config(w, offset / 4 & 1, (uint32_t)value, v3_visible(w, ns) & (sgis ? 0xffff0000 : UINT32_MAX));
    } else if (offset >= GICD_GROUP_MOD && offset < GICD_GROUP_MOD + 0x80) {
        if (!ns && !v3_single(s)) {
            w->group_mod = (uint32_t)value;
        }
    } else {
        return false;
    }
    return true;
}

/* -- the distributor ------------------------------------------------------------------------------------------------------------ */

/* The word of SPIs that a register belongs to; NULL: none, it reads as zero. Word 0 is the redistributors'. */
static GicWord *word_at(GicV3 *s, uint64_t offset)
{
    uint64_t n = s->n_words;

    if (offset >= GICD_PRIORITY && offset < GICD_TARGETS) {
        n = (offset - GICD_PRIORITY) / 32;
    } else if (offset >= GICD_CONFIG && offset < GICD_GROUP_MOD) {
        n = (offset - GICD_CONFIG) / 8;
    } else if ((offset >= GICD_BITS && offset < GICD_PRIORITY) || (offset >= GICD_GROUP_MOD && offset < GICD_GROUP_MOD + 0x80)) {
        n = (offset & 0x7f) / 4;
    }
    return n && n < s->n_words ? v3_word(s, NULL, (unsigned)n) : NULL;
}

/* 12.9.4: what a secure access, a non-secure one, and one where there is one security state see. */
static uint32_t ctlr_read(const GicV3 *s, bool ns)
{
    if (ns) {
        return (s->ctlr & V3_DCTLR_G1NS ? 3 : 0) | V3_DCTLR_ARE_S; /* EnableGrp1 and EnableGrp1A, ARE_NS */
    }
    return s->ctlr;
}

static void ctlr_write(GicV3 *s, uint32_t value, bool ns)
{
    if (ns) {
        s->ctlr = (s->ctlr & ~(uint32_t)V3_DCTLR_G1NS) | (value & 2);
    } else if (v3_single(s)) {
        s->ctlr = (s->ctlr & ~3u) | (value & 3);
    } else {
        s->ctlr = (s->ctlr & ~7u) | (value & 7);
        if (value & V3_DCTLR_DS) { /* for good, until reset */
            s->ctlr = (s->ctlr & 3) | V3_DCTLR_ARE_S | V3_DCTLR_DS;
        }
    }
    v3_update(s);
}

static uint32_t typer(const GicV3 *s)
{
    uint32_t value = (s->n_words - 1) | TYPER_A3V | TYPER_NO_1N | (uint32_t)(V3_ID_BITS - 1) << TYPER_ID_BITS;

    return value | (s->has_lpi ? TYPER_LPIS : 0) | (v3_single(s) ? 0 : TYPER_SECURITY);
}

static bool router_at(const GicV3 *s, uint64_t offset, unsigned *ret_irq)
{
    *ret_irq = (unsigned)((offset - GICD_ROUTER) / 8);
    return offset >= GICD_ROUTER && *ret_irq >= GIC_FIRST_SPI && *ret_irq < s->n_irqs;
}

static bool router_visible(GicV3 *s, unsigned irq, bool ns)
{
    return v3_visible(v3_word(s, NULL, irq / 32), ns) & v3_bit(irq);
}

static MemResult dist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    GicV3 *s = opaque;
    bool ns = v3_is_ns(s, attrs);
    GicWord *w = word_at(s, offset);
    unsigned irq;

    *ret = 0;
    if (w) {
        v3_word_read(s, w, offset, size, ns, ret);
    } else if (router_at(s, offset, &irq)) {
        *ret = router_visible(s, irq, ns) ? s->router[irq] >> 8 * (offset & 4) : 0;
    } else {
        switch (offset) {
        case GICD_CTLR: *ret = ctlr_read(s, ns); break;
        case GICD_TYPER: *ret = typer(s); break;
        case GICD_IIDR: *ret = IIDR; break;
        default: *ret = v3_id_read(s, offset, 0x92);
        }
    }
    *ret &= UINT64_MAX >> (64 - 8 * size);
    return MEM_OK;
}

static MemResult dist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    GicV3 *s = opaque;
    bool ns = v3_is_ns(s, attrs);
    GicWord *w = word_at(s, offset);
    unsigned irq;

    if (w) {
        v3_word_write(s, w, offset, size, value, ns, false);
        v3_update(s);
    } else if (router_at(s, offset, &irq)) {
        if (router_visible(s, irq, ns)) {
            V3Cpu *old = v3_target(s, irq), *cpu;
            uint64_t all = size == 8 ? value : bits_set(s->router[irq], 8 * (offset & 4), 32, value);

            s->router[irq] = all & (bits_mask(32, 8) | BIT(31) | bits_mask(0, 24));
            cpu = v3_target(s, irq);
            if (old) {
                old->routed[irq / 32] &= ~v3_bit(irq);
                v3_update_cpu(s, old);
            }
            if (cpu) {
                cpu->routed[irq / 32] |= v3_bit(irq);
                v3_update_cpu(s, cpu);
            }
        }
    } else if (offset == GICD_CTLR) {
        ctlr_write(s, (uint32_t)value, ns);
    } else {
        log_guest_error("gicv3: write of 0x%" PRIx64 " to distributor register 0x%x\n", value, (unsigned)offset);
    }
    return MEM_OK;
}

static bool accepts(void *opaque, uint64_t offset, unsigned size, bool is_write, MemAttrs attrs)
{
    /* 12.1.3: words; bytes of priorities; 64 bits of what is that wide. */
    return size == 4 || (size == 8 && offset >= GICD_ROUTER && offset < 0x8000) || (size < 4 && offset >= GICD_PRIORITY && offset < GICD_CONFIG);
}

const MemoryOps v3_dist_ops = {
    .read = dist_read, .write = dist_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = 8 },
    .accepts = accepts,
};
