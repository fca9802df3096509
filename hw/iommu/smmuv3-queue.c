/*
 * smmuv3-queue.c: the SMMU's command queue and its event queue.
 *
 * A stretch of commands is bounded: what is left is done a moment later. Events are noted by whoever's access failed and go to the guest's
 * queue from the main loop.
 * Specification: IHI 0070 3.5 (queues), 4 (commands), 7 (events, errors). Threads: BQL, but smmu_add_event().
 */
#include "hw/iommu/smmuv3-internal.h"

enum {
    CMD_PREFETCH_CONFIG = 0x01, CMD_PREFETCH_ADDR = 0x02, CMD_CFGI_STE = 0x03, CMD_CFGI_STE_RANGE = 0x04, CMD_CFGI_CD = 0x05, CMD_CFGI_CD_ALL = 0x06,
    CMD_TLBI_NH_ALL = 0x10, CMD_TLBI_NH_ASID = 0x11, CMD_TLBI_NH_VA = 0x12, CMD_TLBI_NH_VAA = 0x13, CMD_TLBI_S12_VMALL = 0x28,
    CMD_TLBI_S2_IPA = 0x2a, CMD_TLBI_NSNH_ALL = 0x30, CMD_SYNC = 0x46,
};
enum { ERROR_NONE, ERROR_ILLEGAL, ERROR_ABORT, COMMANDS_AT_ONCE = 256, SYNC_IRQ = 1 };

/* -- TLB invalidation (4.4) ------------------------------------------------------------------------------------------------------ */

typedef struct Invalidation {
    uint8_t number;
    uint16_t asid, vmid;
    uint64_t first, last;
} Invalidation;

static bool overlaps(const SmmuTlbEntry *e, const Invalidation *i)
{
    return e->page.va <= i->last && e->page.va + (e->page.bytes - 1) >= i->first;
}

static bool drops(const SmmuTlbEntry *e, const void *opaque)
{
    const Invalidation *i = opaque;

    if (i->number == CMD_TLBI_NSNH_ALL) {
        return true;
    }
    if (e->vmid != i->vmid) {
        return false;
    }
    switch (i->number) {
    case CMD_TLBI_NH_ALL: return e->stage1;
    case CMD_TLBI_NH_ASID: return e->stage1 && e->asid == i->asid;
    case CMD_TLBI_NH_VA: return e->stage1 && e->asid == i->asid && overlaps(e, i);
    case CMD_TLBI_NH_VAA: return e->stage1 && overlaps(e, i);
    case CMD_TLBI_S2_IPA: return e->stage2 && (e->stage1 || overlaps(e, i)); /* entries of both stages do not know their IPA */
    default: return true; /* S12_VMALL */
    }
}

static void invalidate(SmmuV3 *s, const uint64_t c[2])
{
    Invalidation i = { .number = (uint8_t)c[0], .vmid = (uint16_t)(c[0] >> 32), .asid = (uint16_t)(c[0] >> 48) };
    unsigned granule = (unsigned)bits_get(c[1], 10, 2);
    uint64_t bytes = 4096;

    i.first = c[1] & ~UINT64_C(4095);
    if (granule) { /* 4.4.1: a range */
        bytes = (bits_get(c[0], 12, 5) + 1) << (bits_get(c[0], 20, 5) + 10 + 2 * granule);
    }
    i.last = i.first + (bytes - 1) < i.first ? UINT64_MAX : i.first + (bytes - 1);
    pthread_mutex_lock(&s->lock);
    smmu_tlb_flush(s, drops, &i);
    pthread_mutex_unlock(&s->lock);
}

/* -- commands ---------------------------------------------------------------------------------------------------------------------- */

static bool run_command(SmmuV3 *s, const uint64_t c[2])
{
    switch (c[0] & 0xff) {
    case CMD_PREFETCH_CONFIG: case CMD_PREFETCH_ADDR:
        return true;
    case CMD_CFGI_STE: case CMD_CFGI_STE_RANGE: case CMD_CFGI_CD: case CMD_CFGI_CD_ALL:
        /* Any of them has all streams look at their tables again. */
        pthread_mutex_lock(&s->lock);
        s->generation++;
        pthread_mutex_unlock(&s->lock);
        return true;
    case CMD_TLBI_NH_ALL: case CMD_TLBI_NH_ASID: case CMD_TLBI_NH_VA: case CMD_TLBI_NH_VAA: case CMD_TLBI_S12_VMALL: case CMD_TLBI_S2_IPA:
    case CMD_TLBI_NSNH_ALL:
        invalidate(s, c);
        return true;
    case CMD_SYNC: /* everything has had its effect already; SEV wakes processors, which do not sleep for it */
        if (bits_get(c[0], 12, 2) == SYNC_IRQ) {
            smmu_interrupt(s, SMMU_LINE_SYNC, 0);
        }
        return true;
    default:
        return false;
    }
}

/* 3.5.1: LOG2SIZE of a queue's base, cut down to what IDR1 says. */
static unsigned queue_bits(uint64_t base)
{
    return MIN((unsigned)bits_get(base, 0, 5), (unsigned)SMMU_QUEUE_BITS);
}

static uint32_t index_and_wrap(uint32_t value, unsigned bits)
{
    return value & ((2u << bits) - 1);
}

static gpa entry_at(uint64_t base, uint32_t index, unsigned bits, unsigned bytes)
{
    uint64_t size = (uint64_t)bytes << bits;

    return (base & bits_mask(5, 47) & ~(size - 1)) + (uint64_t)(index & ((1u << bits) - 1)) * bytes;
}

void smmu_error(SmmuV3 *s, uint32_t bit)
{
    if (!((s->gerror ^ s->gerrorn) & bit)) {
        s->gerror ^= bit;
        smmu_interrupt(s, SMMU_LINE_ERROR, IRQ_GERROR);
    }
}

static void command_error(SmmuV3 *s, uint32_t error)
{
    log_guest_error("smmuv3: command error %u\n", error);
    s->cmdq_cons = (uint32_t)bits_set(s->cmdq_cons, 24, 7, error);
    smmu_error(s, GERROR_CMDQ);
}

void smmu_run_commands(SmmuV3 *s)
{
    unsigned bits = queue_bits(s->cmdq_base);

    for (unsigned n = 0; (s->cr0ack & CR0_CMDQEN) && !((s->gerror ^ s->gerrorn) & GERROR_CMDQ); n++) {
        uint32_t at = index_and_wrap(s->cmdq_cons, bits);
        uint8_t raw[SMMU_COMMAND_BYTES];

        if (at == index_and_wrap(s->cmdq_prod, bits)) {
            return;
        }
        if (n == COMMANDS_AT_ONCE) {
            timer_set_ns(&s->more, clock_get_ns(VM_CLOCK_VIRTUAL) + 1);
            return;
        }
        if (!smmu_fetch(entry_at(s->cmdq_base, at, bits, SMMU_COMMAND_BYTES), raw, sizeof(raw))) {
            command_error(s, ERROR_ABORT);
            return;
        }
        const uint64_t c[2] = { ldle64(raw), ldle64(raw + 8) };
        if (!run_command(s, c)) {
            command_error(s, ERROR_ILLEGAL);
            return;
        }
        s->cmdq_cons = index_and_wrap(at + 1, bits);
    }
}

/* -- events ------------------------------------------------------------------------------------------------------------------------ */

void smmu_add_event(SmmuV3 *s, const uint64_t words[SMMU_EVENT_BYTES / 8])
{
    if (s->n_waiting == SMMU_MAX_WAITING) {
        s->lost = true;
    } else {
        memcpy(s->waiting[s->n_waiting++], words, SMMU_EVENT_BYTES);
    }
    bh_schedule(s->deliver);
}

/* 7.4: OVFLG differs from what the guest has acknowledged while events are lost. */
static void overflow(SmmuV3 *s)
{
    if (!((s->eventq_prod ^ s->eventq_cons) & UINT32_C(1) << 31)) {
        s->eventq_prod ^= UINT32_C(1) << 31;
    }
}

static bool write_event(SmmuV3 *s, const uint64_t words[SMMU_EVENT_BYTES / 8])
{
    unsigned bits = queue_bits(s->eventq_base);
    uint32_t prod = index_and_wrap(s->eventq_prod, bits), cons = index_and_wrap(s->eventq_cons, bits);
    uint8_t raw[SMMU_EVENT_BYTES];

    if ((prod ^ cons) == 1u << bits) {
        overflow(s);
        return false;
    }
    for (unsigned i = 0; i < SMMU_EVENT_BYTES / 8; i++) {
        stle64(raw + 8 * i, words[i]);
    }
    if (dma_write(&machine_current()->memory, entry_at(s->eventq_base, prod, bits, SMMU_EVENT_BYTES), raw, sizeof(raw)) != MEM_OK) {
        smmu_error(s, GERROR_EVENTQ_ABORT);
        return false;
    }
    s->eventq_prod = (s->eventq_prod & UINT32_C(1) << 31) | index_and_wrap(prod + 1, bits);
    return prod == cons;
}

void smmu_deliver_events(void *opaque)
{
    SmmuV3 *s = opaque;
    uint64_t words[SMMU_MAX_WAITING][SMMU_EVENT_BYTES / 8];
    bool begins = false;

    pthread_mutex_lock(&s->lock);
    unsigned n = s->n_waiting;
    bool lost = s->lost;
    memcpy(words, s->waiting, n * SMMU_EVENT_BYTES);
    s->n_waiting = 0;
    s->lost = false;
    pthread_mutex_unlock(&s->lock);
    if (!(s->cr0ack & CR0_EVENTQEN)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        begins |= write_event(s, words[i]);
    }
    if (lost) {
        overflow(s);
    }
    if (begins) {
        smmu_interrupt(s, SMMU_LINE_EVENT, IRQ_EVENTQ);
    }
}
