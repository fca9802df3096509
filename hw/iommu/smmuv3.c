/*
 * smmuv3.c: "arm-smmuv3": Arm's System MMU, which translates the addresses of PCI functions' DMA, messages included.
 *
 * Reading order: this file (registers), smmuv3-queue.c (commands, events), smmuv3-tlb.c (an access), smmuv3-config.c, smmuv3-walk.c.
 * Stage 1, stage 2 and both, tables of 4, 16 and 64 KiB pages, 16 bits of StreamID, ASID and VMID, ranges in TLB commands, linear and two-level
 * stream tables. Interrupts are wires: there are no messages of the SMMU's own (IDR0.MSI). Left out: the secure programming interface, ATS and
 * PRI, substreams, stalls, hardware access and dirty flags, the EL2 stream world.
 * Specification: SMMUv3 IHI 0070, 6 (registers). Threads: BQL; translations any (smmuv3-internal.h).
 */
#include "hw/iommu/smmuv3-internal.h"

enum {
    IDR0 = 1 << 0 | 1 << 1 | 2 << 2 | 1 << 4 | 1 << 12 | 1 << 18 | 2 << 21 | 1 << 24 | 1 << 26 | 1 << 27, /* S2P S1P TTF=AArch64 COHACC ASID16 VMID16
                                                        TTENDIAN=little STALL_MODEL=none TERM_MODEL ST_LEVEL=2 */
    IDR1 = SMMU_SID_BITS | SMMU_QUEUE_BITS << 16 | SMMU_QUEUE_BITS << 21,
    IDR3 = 1 << 2 | 1 << 10,                         /* HAD, RIL */
    IDR5 = 5 | 1 << 4 | 1 << 5 | 1 << 6,             /* OAS 48 bits; 4, 16 and 64 KiB */
    AIDR = 2,                                        /* SMMUv3.2, which has RIL */
    GBPA_ABORT = 1 << 20, GBPA_RESET = 0x1000,
};
#define GBPA_UPDATE (UINT32_C(1) << 31)
#define QUEUE_BASE_BITS (BIT(62) | bits_mask(0, 52))

void smmu_interrupt(SmmuV3 *s, SmmuLine line, uint32_t enable)
{
    if (!enable || (s->irq_ctrlack & enable)) {
        irq_pulse(device_irq_out(&s->dev, "sysbus-irq", line));
    }
}

/* -- PCI --------------------------------------------------------------------------------------------------------------------------- */

static MemoryIommu *attach(void *opaque, PciDevice *pci)
{
    SmmuStream *st = xnew(SmmuStream);

    *st = (SmmuStream){ .iommu.translate = smmu_iommu_translate, .smmu = opaque, .pci = pci };
    return &st->iommu;
}

static void detach(void *opaque, MemoryIommu *iommu)
{
    free(container_of(iommu, SmmuStream, iommu));
}

static const PciIommuOps pci_ops = { attach, detach };

void smmuv3_attach(Device *smmu, PciBus *root)
{
    pci_set_iommu(root, &pci_ops, smmu);
}

/* -- registers --------------------------------------------------------------------------------------------------------------------- */

static uint64_t constant_read(Device *dev, const Register *reg, unsigned index)
{
    return reg->aux;
}

/* What translations go by from now on; nothing of before is remembered. */
static void activate(SmmuV3 *s)
{
    pthread_mutex_lock(&s->lock);
    s->active.enabled = s->cr0ack & CR0_SMMUEN;
    s->active.abort = s->gbpa & GBPA_ABORT;
    s->active.report_bad_sid = s->cr2 & CR2_RECINVSID;
    s->active.strtab_base = s->strtab_base;
    s->active.strtab_base_cfg = s->strtab_base_cfg;
    s->generation++;
    smmu_tlb_flush(s, NULL, NULL);
    pthread_mutex_unlock(&s->lock);
}

static void cr0_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    s->cr0ack = s->cr0;
    activate(s);
    smmu_run_commands(s);
}

static void irq_ctrl_changed(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    s->irq_ctrlack = s->irq_ctrl;
}

static void gbpa_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    if (value & GBPA_UPDATE) { /* 6.3.14: else it is ignored */
        s->gbpa = (uint32_t)value & (GBPA_ABORT | 0xf3f1f);
        activate(s);
    }
}

/* 6.3: while the part is enabled these are read-only. */
static void guarded_write(SmmuV3 *s, const Register *reg, uint32_t enable, uint64_t *field, uint64_t value)
{
    if (s->cr0 & enable) {
        log_guest_error("smmuv3: write to %s while in use\n", reg->name);
    } else {
        *field = value;
    }
}

static void strtab_base_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    guarded_write((SmmuV3 *)dev, reg, CR0_SMMUEN, &((SmmuV3 *)dev)->strtab_base, value & (BIT(62) | bits_mask(6, 46)));
}

static void strtab_cfg_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SmmuV3 *s = (SmmuV3 *)dev;
    uint64_t cfg = s->strtab_base_cfg;

    guarded_write(s, reg, CR0_SMMUEN, &cfg, value & 0x307ff);
    s->strtab_base_cfg = (uint32_t)cfg;
}

static void cmdq_base_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    guarded_write((SmmuV3 *)dev, reg, CR0_CMDQEN, &((SmmuV3 *)dev)->cmdq_base, value & QUEUE_BASE_BITS);
}

static void eventq_base_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    guarded_write((SmmuV3 *)dev, reg, CR0_EVENTQEN, &((SmmuV3 *)dev)->eventq_base, value & QUEUE_BASE_BITS);
}

/* 3.5: set by software before the queue is enabled, the SMMU's own afterwards. */
static void cmdq_cons_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SmmuV3 *s = (SmmuV3 *)dev;
    uint64_t cons = s->cmdq_cons;

    guarded_write(s, reg, CR0_CMDQEN, &cons, value & 0x7f0fffff);
    s->cmdq_cons = (uint32_t)cons;
}

static void eventq_prod_write(Device *dev, const Register *reg, unsigned index, uint64_t value)
{
    SmmuV3 *s = (SmmuV3 *)dev;
    uint64_t prod = s->eventq_prod;

    guarded_write(s, reg, CR0_EVENTQEN, &prod, value & 0x800fffff);
    s->eventq_prod = (uint32_t)prod;
}

static void kick(Device *dev, const Register *reg, unsigned index, uint64_t old)
{
    smmu_run_commands((SmmuV3 *)dev);
}

#define CONSTANT(pname, at, value) { .name = pname, .offset = at, .size = 4, .read = constant_read, .read_only = true, .aux = value }
#define PLAIN(pname, at, member, mask) { .name = pname, .offset = at, .size = sizeof(((SmmuV3 *)0)->member), REGISTER_FIELD(SmmuV3, member), .write_mask = mask }
#define HOOK(pname, at, member, hook) { .name = pname, .offset = at, .size = sizeof(((SmmuV3 *)0)->member), REGISTER_FIELD(SmmuV3, member), .write = hook }
#define IRQ_CFG(pname, at, member) \
    PLAIN(pname "_IRQ_CFG0", at, member##0, UINT64_C(0xffffffffffffc)), PLAIN(pname "_IRQ_CFG1", at + 8, member##1, UINT32_MAX), \
    PLAIN(pname "_IRQ_CFG2", at + 12, member##2, 0x3f)

static const Register regs[] = {
    CONSTANT("SMMU_IDR0", 0x00, IDR0), CONSTANT("SMMU_IDR1", 0x04, IDR1), CONSTANT("SMMU_IDR2", 0x08, 0), CONSTANT("SMMU_IDR3", 0x0c, IDR3),
    CONSTANT("SMMU_IDR4", 0x10, 0), CONSTANT("SMMU_IDR5", 0x14, IDR5), CONSTANT("SMMU_IIDR", 0x18, 0), CONSTANT("SMMU_AIDR", 0x1c, AIDR),
    { .name = "SMMU_CR0", .offset = 0x20, .size = 4, REGISTER_FIELD(SmmuV3, cr0), .write_mask = CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN,
      .changed = cr0_changed },
    { .name = "SMMU_CR0ACK", .offset = 0x24, .size = 4, REGISTER_FIELD(SmmuV3, cr0ack), .read_only = true },
    PLAIN("SMMU_CR1", 0x28, cr1, 0xfff), PLAIN("SMMU_CR2", 0x2c, cr2, CR2_RECINVSID | 4), CONSTANT("SMMU_STATUSR", 0x40, 0),
    { .name = "SMMU_GBPA", .offset = 0x44, .size = 4, REGISTER_FIELD(SmmuV3, gbpa), .reset = GBPA_RESET, .write = gbpa_write },
    { .name = "SMMU_IRQ_CTRL", .offset = 0x50, .size = 4, REGISTER_FIELD(SmmuV3, irq_ctrl), .write_mask = IRQ_GERROR | IRQ_EVENTQ,
      .changed = irq_ctrl_changed },
    { .name = "SMMU_IRQ_CTRLACK", .offset = 0x54, .size = 4, REGISTER_FIELD(SmmuV3, irq_ctrlack), .read_only = true },
    { .name = "SMMU_GERROR", .offset = 0x60, .size = 4, REGISTER_FIELD(SmmuV3, gerror), .read_only = true },
    { .name = "SMMU_GERRORN", .offset = 0x64, .size = 4, REGISTER_FIELD(SmmuV3, gerrorn), .write_mask = 0x1fd, .changed = kick },
    IRQ_CFG("SMMU_GERROR", 0x68, gerror_irq_cfg),
    HOOK("SMMU_STRTAB_BASE", 0x80, strtab_base, strtab_base_write), HOOK("SMMU_STRTAB_BASE_CFG", 0x88, strtab_base_cfg, strtab_cfg_write),
    HOOK("SMMU_CMDQ_BASE", 0x90, cmdq_base, cmdq_base_write),
    { .name = "SMMU_CMDQ_PROD", .offset = 0x98, .size = 4, REGISTER_FIELD(SmmuV3, cmdq_prod), .write_mask = 0xfffff, .changed = kick },
    HOOK("SMMU_CMDQ_CONS", 0x9c, cmdq_cons, cmdq_cons_write), HOOK("SMMU_EVENTQ_BASE", 0xa0, eventq_base, eventq_base_write),
    IRQ_CFG("SMMU_EVENTQ", 0xb0, eventq_irq_cfg),
    HOOK("SMMU_EVENTQ_PROD", 0x100a8, eventq_prod, eventq_prod_write), PLAIN("SMMU_EVENTQ_CONS", 0x100ac, eventq_cons, 0x800fffff),
};

static const RegisterBank banks[] = {
    { .name = "smmuv3", .size_bytes = SMMUV3_BYTES, .access_min = 4, .access_max = 8, .regs = regs, .n_regs = ARRAY_SIZE(regs) },
};

/* -- life -------------------------------------------------------------------------------------------------------------------------- */

static void go_on(void *opaque)
{
    smmu_run_commands(opaque);
}

static bool realize(Device *dev, Error **errp)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    pthread_mutex_init(&s->lock, NULL);
    s->deliver = bh_new(loop_main(), smmu_deliver_events, s);
    timer_init(&s->more, VM_CLOCK_VIRTUAL, go_on, s);
    return true;
}

static void unrealize(Device *dev)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    timer_cancel(&s->more);
    bh_free(s->deliver);
    pthread_mutex_destroy(&s->lock);
}

static void reset(Device *dev, ResetKind kind)
{
    SmmuV3 *s = (SmmuV3 *)dev;

    timer_cancel(&s->more);
    pthread_mutex_lock(&s->lock);
    s->n_waiting = 0;
    s->lost = false;
    pthread_mutex_unlock(&s->lock);
    activate(s);
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    activate(opaque);
    return true;
}

static const StateField fields[] = { STATE_TIMER_FIELD(SmmuV3, more) };
static const StateDesc state = {
    .name = "arm-smmuv3", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};
static const IrqDef irqs[] = { { "sysbus-irq", SMMU_N_LINES, NULL } };

static const DeviceType type = {
    .type = { .name = "arm-smmuv3", .parent = "sys-bus-device", .summary = "ARM System MMU version 3", .size_bytes = sizeof(SmmuV3) },
    .category = DEVICE_MISC, .bus = "System", .banks = banks, .n_banks = ARRAY_SIZE(banks), .irqs_out = irqs, .n_irqs_out = ARRAY_SIZE(irqs),
    .state = &state, .realize = realize, .unrealize = unrealize, .reset_enter = reset,
};
DEVICE_TYPE_REGISTER(type);
