/*
 * smmuv3-tlb.c: a device's access: its stream's configuration, translations that are remembered, events of those that fail.
 *
 * Entries are found by stream and page of 4 KiB, so that one block may have several. Invalidation looks at all of them.
 * Memory that a device has mapped before stays mapped until it lets go: CMD_SYNC does not wait for accesses under way (ASSUME: drivers let a
 * device finish before they unmap).
 * Specification: IHI 0070 3.4, 7.2, 7.3. Threads: any.
 */
#include "hw/iommu/smmuv3-internal.h"

static SmmuTlbEntry *entry_of(SmmuV3 *s, uint32_t sid, uint64_t addr)
{
    uint64_t hash = (addr >> 12 ^ (uint64_t)sid << 20) * UINT64_C(0x9e3779b97f4a7c15);

    return &s->tlb[hash >> 54 & (SMMU_TLB_ENTRIES - 1)];
}

void smmu_tlb_flush(SmmuV3 *s, bool (*drop)(const SmmuTlbEntry *e, const void *opaque), const void *opaque)
{
    for (unsigned i = 0; i < SMMU_TLB_ENTRIES; i++) {
        if (s->tlb[i].valid && (!drop || drop(&s->tlb[i], opaque))) {
            s->tlb[i].valid = false;
        }
    }
}

static void report_config(SmmuV3 *s, const SmmuStream *st, gpa addr)
{
    const SmmuConfig *c = &st->config;
    uint64_t words[4] = { c->bad | (uint64_t)st->sid << 32 };

    if (!c->report_config) {
        return;
    }
    if (c->bad == EVENT_STE_FETCH || c->bad == EVENT_CD_FETCH) {
        words[3] = c->bad_fetch & bits_mask(3, 49);
    } else if (c->bad >= EVENT_TRANSLATION) { /* stage 2 of the descriptor's address */
        words[1] = BIT(35) | BIT(39) | (uint64_t)CLASS_CD << 40;
        words[2] = addr;
        words[3] = c->bad_fetch & bits_mask(12, 40);
    }
    smmu_add_event(s, words);
}

static void report_fault(SmmuV3 *s, const SmmuStream *st, const SmmuFault *fault, gpa addr, bool is_write)
{
    const SmmuConfig *c = &st->config;
    bool reported = fault->stage2 ? c->s2.report : c->range[0].report || c->range[1].report;
    uint64_t words[4] = { fault->type | (uint64_t)st->sid << 32 };

    if (!reported && fault->type != EVENT_WALK_ABORT) {
        return;
    }
    /* RnW is the input's for class IN, a read's for what the SMMU fetches. */
    words[1] = (uint64_t)c->privileged << 33 | (uint64_t)(fault->cls != CLASS_IN || !is_write) << 35 | (uint64_t)fault->stage2 << 39 |
               (uint64_t)fault->cls << 40;
    words[2] = addr;
    words[3] = fault->type == EVENT_WALK_ABORT ? fault->fetch & bits_mask(3, 49) : fault->ipa & bits_mask(12, 40);
    smmu_add_event(s, words);
}

static bool translate_stream(SmmuV3 *s, SmmuStream *st, gpa addr, bool is_write, SmmuPage *page)
{
    uint32_t sid = pci_attrs(st->pci).requester_id;
    uint8_t wanted = is_write ? PERM_WRITE : PERM_READ;
    SmmuFault fault = {0};

    if (!s->active.enabled) {
        return !s->active.abort;
    }
    if (!st->config.valid || st->generation != s->generation || st->sid != sid) {
        st->sid = sid;
        st->generation = s->generation;
        smmu_read_config(s, sid, &st->config);
    }
    const SmmuConfig *c = &st->config;
    if (c->bad) {
        report_config(s, st, addr);
        st->config.valid = false; /* errors are not remembered: the guest repairs them without a command */
        return false;
    }
    if (c->abort) {
        return false;
    }
    if (!c->stage1 && !c->stage2) {
        return true;
    }
    SmmuTlbEntry *e = entry_of(s, sid, addr);
    if (e->valid && e->sid == sid && addr - e->page.va < e->page.bytes && (e->page.perms & wanted)) {
        *page = e->page;
        return true;
    }
    if (!smmu_translate(c, addr, is_write, page, &fault)) {
        report_fault(s, st, &fault, addr, is_write);
        return false;
    }
    *e = (SmmuTlbEntry){ .page = *page, .sid = sid, .asid = c->asid, .vmid = c->vmid, .valid = true, .stage1 = c->stage1, .stage2 = c->stage2 };
    return true;
}

bool smmu_iommu_translate(MemoryIommu *iommu, gpa addr, bool is_write, gpa *ret_addr, uint64_t *ret_bytes)
{
    SmmuStream *st = container_of(iommu, SmmuStream, iommu);
    SmmuV3 *s = st->smmu;
    SmmuPage page = { .bytes = 0 };

    pthread_mutex_lock(&s->lock);
    bool ok = translate_stream(s, st, addr, is_write, &page);
    pthread_mutex_unlock(&s->lock);
    *ret_addr = page.bytes ? page.out + (addr - page.va) : addr;
    *ret_bytes = ok ? (page.bytes ? page.va + page.bytes - addr : UINT64_MAX) : 4096 - (addr & 4095);
    return ok;
}
