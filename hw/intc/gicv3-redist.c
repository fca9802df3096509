/*
 * gicv3-redist.c: a redistributor's registers (IHI 0069H 12.10 and 12.11): the frame of LPIs and sleep, then the frame of SGIs and PPIs; of a GICv4 the frame
 * of virtual LPIs, too, and one that is reserved.
 */
#include "hw/intc/gicv3.h"
#include "util/log.h"

enum {
    GICR_CTLR = 0x0000, GICR_IIDR = 0x0004, GICR_TYPER = 0x0008, GICR_WAKER = 0x0014, GICR_PROPBASER = 0x0070, GICR_PENDBASER = 0x0078,
    GICR_SYNCR = 0x00c0, GICR_SGI_FRAME = 0x10000, GICR_VLPI_FRAME = 0x20000,
};
enum { IIDR = 0x43b, CTLR_CES = 1 << 1, WAKER_SLEEP = 1 << 1, WAKER_CHILDREN = 1 << 2 };
enum { TYPER_PLPIS = 1 << 0, TYPER_VLPIS = 1 << 1, TYPER_DIRTY = 1 << 2, TYPER_LAST = 1 << 4, TYPER_COMMON_AFF1 = 1 << 24 };
/* What can be written: addresses, attributes, and IDbits or PTZ. */
#define PROPBASER_BITS (bits_mask(56, 3) | bits_mask(12, 40) | bits_mask(7, 5) | bits_mask(0, 5))
#define PENDBASER_BITS (bits_mask(56, 3) | bits_mask(16, 36) | bits_mask(7, 5))
#define VPEND_PENDING_LAST BIT(61)

static uint64_t typer(const V3Cpu *cpu)
{
    const GicV3 *s = cpu->gic;
    uint64_t m = cpu->mpidr, affinity = (m >> 32 & 0xff) << 24 | (m & 0xffffff);

    return affinity << 32 | TYPER_COMMON_AFF1 | (uint64_t)cpu->index << 8 | (cpu->last_of_region ? TYPER_LAST : 0) | (s->has_lpi ? TYPER_PLPIS : 0) |
           (s->revision == 4 ? TYPER_VLPIS | TYPER_DIRTY : 0);
}

static uint64_t lpi_frame_read(V3Cpu *cpu, uint64_t offset)
{
    switch (offset & ~UINT64_C(7)) {
    case GICR_TYPER: return typer(cpu) >> 8 * (offset & 4);
    case GICR_PROPBASER: return cpu->lpi.propbaser >> 8 * (offset & 4);
    case GICR_PENDBASER: return cpu->lpi.pendbaser >> 8 * (offset & 4);
    }
    switch (offset) {
    case GICR_CTLR: return cpu->rctlr | (cpu->gic->has_lpi ? CTLR_CES : 0);
    case GICR_IIDR: return IIDR;
    case GICR_WAKER: return cpu->waker;
    case GICR_SYNCR: return 0; /* nothing is ever under way */
    default: return v3_id_read(cpu->gic, offset, 0x93);
    }
}

/* A 64-bit register or its half. */
static void merge(uint64_t *reg, uint64_t offset, unsigned size, uint64_t value, uint64_t mask)
{
    uint64_t all = size == 8 ? value : bits_set(*reg, 8 * (offset & 4), 32, value);

    *reg = all & mask;
}

static void lpi_frame_write(V3Cpu *cpu, uint64_t offset, unsigned size, uint64_t value, bool ns)
{
    GicV3 *s = cpu->gic;

    switch (offset & ~UINT64_C(7)) {
    case GICR_PROPBASER: case GICR_PENDBASER:
        /* 12.11.33: unpredictable while LPIs are on; nothing changes then. */
        if (s->has_lpi && !cpu->lpi.on) {
            bool prop = offset < GICR_PENDBASER;
            merge(prop ? &cpu->lpi.propbaser : &cpu->lpi.pendbaser, offset, size, value, prop ? PROPBASER_BITS : PENDBASER_BITS);
            if (!prop && (size == 8 || (offset & 4))) {
                cpu->lpi.table_is_zero = value >> (size == 8 ? 62 : 30) & 1; /* PTZ, reads as zero */
            }
        }
        return;
    }
    switch (offset) {
    case GICR_CTLR:
        if (s->has_lpi && ((value ^ cpu->rctlr) & V3_RCTLR_LPIS)) {
            cpu->rctlr ^= V3_RCTLR_LPIS;
            if (value & V3_RCTLR_LPIS) {
                v3_lpi_enable(cpu, &cpu->lpi);
            } else {
                v3_lpi_disable(cpu, &cpu->lpi);
            }
        }
        break;
    case GICR_WAKER:
        if (!ns) {
            cpu->waker = value & WAKER_SLEEP ? WAKER_SLEEP | WAKER_CHILDREN : 0; /* the children follow at once */
        }
        break;
    default:
        log_guest_error("gicv3: write of 0x%" PRIx64 " to redistributor register 0x%x\n", value, (unsigned)offset);
    }
}

/* -- virtual LPIs (12.13) ------------------------------------------------------------------------------------------------------- */

static uint64_t vlpi_frame_read(V3Cpu *cpu, uint64_t offset)
{
    switch (offset & ~UINT64_C(7)) {
    case GICR_PROPBASER: return cpu->vlpi.propbaser >> 8 * (offset & 4);
    case GICR_PENDBASER: return cpu->vlpi.pendbaser >> 8 * (offset & 4); /* Dirty is never set: the table is written at once */
    default: return 0;
    }
}

/* A virtual processor comes or goes; what is pending for it is in its table while it is away. */
static void vlpi_frame_write(V3Cpu *cpu, uint64_t offset, unsigned size, uint64_t value)
{
    V3Lpis *l = &cpu->vlpi;
    uint64_t before = l->pendbaser;

    switch (offset & ~UINT64_C(7)) {
    case GICR_PROPBASER:
        if (!l->on) { /* 12.13.2: unpredictable otherwise; nothing changes then */
            merge(&l->propbaser, offset, size, value, PROPBASER_BITS);
        }
        return;
    case GICR_PENDBASER: break;
    default:
        log_guest_error("gicv3: write of 0x%" PRIx64 " to register 0x%x of virtual LPIs\n", value, (unsigned)offset);
        return;
    }
    merge(&l->pendbaser, offset, size, value, PENDBASER_BITS | V3_VPEND_VALID);
    bool come = l->pendbaser & V3_VPEND_VALID;
    if (l->on && come) {
        log_guest_error("gicv3: GICR_VPENDBASER written while a virtual processor is resident\n");
        l->pendbaser = before;
    } else if (come) {
        v3_lpi_enable(cpu, l);
    } else if (l->on) {
        bool last = l->best.irq != V3_NONE;

        l->pendbaser = before & ~V3_VPEND_VALID;
        v3_lpi_disable(cpu, l);
        l->pendbaser |= last ? VPEND_PENDING_LAST : 0;
    }
}

/* Registers of the second frame that are there: those of interrupts 0 to 31 only. */
static bool is_sgi_register(uint64_t offset)
{
    return offset < 0x400 ? !(offset & 0x7c) : offset < 0x420 || offset == 0xc00 || offset == 0xc04 || offset == 0xd00;
}

static MemResult redist_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    V3Cpu *cpu = opaque;
    GicV3 *s = cpu->gic;

    if (offset >= GICR_VLPI_FRAME) {
        *ret = vlpi_frame_read(cpu, offset - GICR_VLPI_FRAME);
    } else if (offset >= GICR_SGI_FRAME) {
        offset -= GICR_SGI_FRAME;
        *ret = 0;
        if (is_sgi_register(offset & ~UINT64_C(3))) {
            v3_word_read(s, &cpu->word, offset, size, v3_is_ns(s, attrs), ret);
        }
    } else {
        *ret = lpi_frame_read(cpu, offset);
    }
    *ret &= UINT64_MAX >> (64 - 8 * size);
    return MEM_OK;
}

static MemResult redist_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    V3Cpu *cpu = opaque;
    GicV3 *s = cpu->gic;
    bool ns = v3_is_ns(s, attrs);

    if (offset >= GICR_VLPI_FRAME) {
        vlpi_frame_write(cpu, offset - GICR_VLPI_FRAME, size, value);
    } else if (offset < GICR_SGI_FRAME) {
        lpi_frame_write(cpu, offset, size, value, ns);
    } else if (is_sgi_register((offset - GICR_SGI_FRAME) & ~UINT64_C(3))) {
        v3_word_write(s, &cpu->word, offset - GICR_SGI_FRAME, size, value, ns, true);
        v3_update_cpu(s, cpu);
    }
    return MEM_OK;
}

static bool accepts(void *opaque, uint64_t offset, unsigned size, bool is_write, MemAttrs attrs)
{
    if (offset >= GICR_VLPI_FRAME) {
        return size == 4 || (size == 8 && (offset & 0xfff0) == GICR_PROPBASER);
    }
    if (offset >= GICR_SGI_FRAME) {
        return size == 4 || (size < 4 && offset >= GICR_SGI_FRAME + 0x400 && offset < GICR_SGI_FRAME + 0x420);
    }
    return size == 4 || (size == 8 && (offset == GICR_TYPER || (offset >= 0x40 && offset < 0x100)));
}

const MemoryOps v3_redist_ops = {
    .read = redist_read, .write = redist_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = 8 },
    .accepts = accepts,
};
