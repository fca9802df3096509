/*
 * smmuv3-internal.h: between the files of the SMMUv3.
 *
 * Translations are asked for by any thread, registers and commands are the BQL's: what both need (SmmuV3.active, the caches, the events that
 * wait) is behind SmmuV3.lock.
 */
#ifndef SMMUV3_INTERNAL_H
#define SMMUV3_INTERNAL_H

#include <pthread.h>
#include "hw/dma.h"
#include "hw/iommu/smmuv3.h"
#include "softmmu/clock.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum { SMMU_SID_BITS = 16, SMMU_QUEUE_BITS = 19, SMMU_OUT_BITS = 48, SMMU_TLB_ENTRIES = 1024, SMMU_MAX_WAITING = 64 };
enum { SMMU_COMMAND_BYTES = 16, SMMU_EVENT_BYTES = 32, SMMU_STE_BYTES = 64, SMMU_CD_BYTES = 64 };

enum { /* event types: IHI 0070, 7.3 */
    EVENT_BAD_STREAMID = 0x02, EVENT_STE_FETCH = 0x03, EVENT_BAD_STE = 0x04, EVENT_CD_FETCH = 0x09, EVENT_BAD_CD = 0x0a, EVENT_WALK_ABORT = 0x0b,
    EVENT_TRANSLATION = 0x10, EVENT_ADDR_SIZE = 0x11, EVENT_ACCESS = 0x12, EVENT_PERMISSION = 0x13,
};
typedef enum SmmuClass { CLASS_CD, CLASS_TTD, CLASS_IN } SmmuClass; /* what an access was for */
enum { PERM_READ = 1, PERM_WRITE = 2 };

/* One stage of one range of addresses. */
typedef struct SmmuStage {
    uint64_t table;
    uint8_t address_bits, granule_bits, level, out_bits; /* of the input, of a page, where the walk begins, of the output */
    bool on, no_access_fault, flat_rights, report;       /* AFFD; HAD; faults are recorded (R) */
} SmmuStage;

/* A stream's table entry and context descriptor, understood. */
typedef struct SmmuConfig {
    bool valid, abort, report_config; /* abort: without an event */
    bool stage1, stage2, privileged;
    uint8_t bad;                      /* an event type: the configuration cannot be used */
    gpa bad_fetch;                    /* what could not be fetched */
    uint8_t tbi;                      /* bit n: the top byte is ignored in range n */
    uint16_t asid, vmid;
    SmmuStage range[2], s2;
} SmmuConfig;

typedef struct SmmuFault {
    uint8_t type;
    SmmuClass cls;
    bool stage2;
    gpa ipa, fetch;
} SmmuFault;

typedef struct SmmuPage {
    uint64_t va, bytes;               /* bytes: a power of two */
    gpa out;
    uint8_t perms;
} SmmuPage;

typedef struct SmmuTlbEntry {
    SmmuPage page;
    uint32_t sid;
    uint16_t asid, vmid;
    bool valid, stage1, stage2;
} SmmuTlbEntry;

typedef struct SmmuV3 SmmuV3;
/* One function whose DMA is translated. */
typedef struct SmmuStream {
    MemoryIommu iommu;
    SmmuV3 *smmu;
    PciDevice *pci;
    uint32_t sid, generation;         /* whose configuration this is, and of which time */
    SmmuConfig config;
} SmmuStream;

struct SmmuV3 {
    Device dev;
    /* Registers. */
    uint32_t cr0, cr0ack, cr1, cr2, gbpa, irq_ctrl, irq_ctrlack, gerror, gerrorn, gerror_irq_cfg1, gerror_irq_cfg2, strtab_base_cfg;
    uint32_t cmdq_prod, cmdq_cons, eventq_prod, eventq_cons, eventq_irq_cfg1, eventq_irq_cfg2;
    uint64_t gerror_irq_cfg0, strtab_base, cmdq_base, eventq_base, eventq_irq_cfg0;
    Timer more;                       /* commands are left */
    BottomHalf *deliver;              /* events that wait go to the guest's queue */

    pthread_mutex_t lock;
    struct { bool enabled, abort, report_bad_sid; uint64_t strtab_base; uint32_t strtab_base_cfg; } active;
    uint32_t generation;              /* of configurations; another one makes streams look again */
    SmmuTlbEntry tlb[SMMU_TLB_ENTRIES];
    uint64_t waiting[SMMU_MAX_WAITING][SMMU_EVENT_BYTES / 8];
    unsigned n_waiting;
    bool lost;                        /* an event found no place */
};

enum { /* CR0 and its acknowledgement, 6.3.9 */
    CR0_SMMUEN = 1 << 0, CR0_EVENTQEN = 1 << 2, CR0_CMDQEN = 1 << 3,
    CR2_RECINVSID = 1 << 1, IRQ_GERROR = 1 << 0, IRQ_EVENTQ = 1 << 2,
    GERROR_CMDQ = 1 << 0, GERROR_EVENTQ_ABORT = 1 << 2,
};

/* Guest memory as the SMMU sees it: RAM alone. */
static inline bool smmu_fetch(gpa at, void *buf, size_t bytes)
{
    return dma_read(&machine_current()->memory, at, buf, bytes) == MEM_OK;
}

/* smmuv3.c. A line's interrupt, if `enable` of IRQ_CTRL is on. */
void smmu_interrupt(SmmuV3 *s, SmmuLine line, uint32_t enable);
/* smmuv3-queue.c */
void smmu_run_commands(SmmuV3 *s);
void smmu_deliver_events(void *opaque);
void smmu_error(SmmuV3 *s, uint32_t bit);
/* Under the lock. `words` as 7.3 lays them out. */
void smmu_add_event(SmmuV3 *s, const uint64_t words[SMMU_EVENT_BYTES / 8]);
/* smmuv3-config.c. Under the lock; what the tables say of a stream, which may be that they are wrong. */
void smmu_read_config(SmmuV3 *s, uint32_t sid, SmmuConfig *ret);
/* smmuv3-walk.c. The page of addr through one stage (and, for the tables of stage 1, the other). */
bool smmu_walk(const SmmuConfig *c, bool stage2, uint64_t addr, uint8_t wanted, SmmuClass cls, SmmuPage *ret, SmmuFault *fault);
/* Both stages, as configured. */
bool smmu_translate(const SmmuConfig *c, uint64_t addr, bool is_write, SmmuPage *ret, SmmuFault *fault);
/* smmuv3-tlb.c */
void smmu_tlb_flush(SmmuV3 *s, bool (*drop)(const SmmuTlbEntry *e, const void *opaque), const void *opaque);
bool smmu_iommu_translate(MemoryIommu *iommu, gpa addr, bool is_write, gpa *ret_addr, uint64_t *ret_bytes);

#endif
