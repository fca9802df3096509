/*
 * nvme.c: an NVM Express controller on PCI: registers, doorbells, life.
 *
 * Specification: NVM Express 1.4, 3 (registers), 7.6 (initialization and shutdown). Leaves out: controller memory buffer,
 * persistent memory region, scatter gather lists, several controllers of one subsystem, virtualization, zoned namespaces.
 */
#include <stdio.h>

#include "hw/nvme/nvme.h"
#include "softmmu/clock.h"
#include "util/log.h"

enum { REG_CAP = 0, REG_CAP_HIGH = 4, REG_VS = 8, REG_INTMS = 0xc, REG_INTMC = 0x10, REG_CC = 0x14, REG_CSTS = 0x1c, REG_AQA = 0x24,
       REG_ASQ = 0x28, REG_ASQ_HIGH = 0x2c, REG_ACQ = 0x30, REG_ACQ_HIGH = 0x34, DOORBELLS = 0x1000 };
enum { CC_EN = 1, CSTS_RDY = 1, CSTS_CFS = 2, CSTS_SHST_BUSY = 4, CSTS_SHST_DONE = 8 };
/* 2048 entries, contiguous queues, 7.5 s, NVM command set, pages of 4 to 64 KiB */
#define CAP_LOW ((NVME_QUEUE_ENTRIES - 1) | 1u << 16 | 0xfu << 24)
enum { CAP_HIGH = 1 << 5 | 4 << 20, VS_1_4 = 0x10400, MPS_MAX = 4 };

/* -- enabling ----------------------------------------------------------------------------------------------------------------- */

static void disable(NvmeCtrl *n)
{
    nvme_drop_all(n);
    n->csts = 0;
    nvme_update_irq(n);
}

/* 7.6.1; false: what the guest set cannot be. */
static bool enable(NvmeCtrl *n)
{
    unsigned mps = n->cc >> 7 & 15, sq_entries = (n->aqa & 0xfff) + 1, cq_entries = (n->aqa >> 16 & 0xfff) + 1;

    n->page_bytes = NVME_PAGE_MIN << MIN(mps, MPS_MAX);
    if (mps > MPS_MAX || (n->cc >> 4 & 7) || (n->cc >> 11 & 7) || (n->cc >> 16 & 15) != 6 || (n->cc >> 20 & 15) != 4 ||
        sq_entries < 2 || cq_entries < 2 || n->asq % n->page_bytes || n->acq % n->page_bytes) {
        log_guest_error("nvme: cannot be enabled with CC %08x, AQA %08x\n", n->cc, n->aqa);
        return false;
    }
    nvme_create_cq(n, 0, n->acq, cq_entries, 0, true);
    nvme_create_sq(n, 0, 0, n->asq, sq_entries);
    nvme_reset_features(n);
    return true;
}

/* -- shutdown: all namespaces are flushed ---------------------------------------------------------------------------------------- */

typedef struct Shutdown {
    NvmeCtrl *n;
    uint32_t turn;
} Shutdown;

static void shutdown_flushed(void *opaque, int result)
{
    Shutdown *s = opaque;
    NvmeCtrl *n = s->n;

    n->shutdown_flushes--;
    if (s->turn == n->shutdown_turn && !n->shutdown_flushes && n->csts & CSTS_SHST_BUSY) {
        n->csts = (n->csts & ~(uint32_t)CSTS_SHST_BUSY) | CSTS_SHST_DONE;
    }
    free(s);
}

static void shutdown_begin(NvmeCtrl *n)
{
    n->csts = (n->csts & ~(uint32_t)CSTS_SHST_DONE) | CSTS_SHST_BUSY;
    n->shutdown_turn++;
    n->shutdown_flushes++; /* ours, until all are on their way */
    for (unsigned i = 1; i <= NVME_MAX_NS; i++) {
        if (n->ns[i]) {
            Shutdown *s = xnew(Shutdown);
            s->n = n;
            s->turn = n->shutdown_turn;
            n->shutdown_flushes++;
            block_flush(n->ns[i]->conf.blk, shutdown_flushed, s);
        }
    }
    Shutdown *own = xnew(Shutdown);
    own->n = n;
    own->turn = n->shutdown_turn;
    shutdown_flushed(own, 0);
}

static void write_cc(NvmeCtrl *n, uint32_t value)
{
    uint32_t old = n->cc;

    n->cc = value & 0x00fffff1;
    if ((value & CC_EN) && !(old & CC_EN)) {
        n->csts = enable(n) ? CSTS_RDY : CSTS_CFS;
    } else if (!(value & CC_EN) && (old & CC_EN)) {
        disable(n);
    }
    if ((value >> 14 & 3) && !(old >> 14 & 3)) {
        shutdown_begin(n);
    } else if (!(value >> 14 & 3)) {
        n->csts &= ~(uint32_t)(CSTS_SHST_BUSY | CSTS_SHST_DONE);
    }
}

/* -- doorbells (3.1.24, 3.1.25) ---------------------------------------------------------------------------------------------------- */

static void doorbell(NvmeCtrl *n, uint32_t offset, uint32_t value)
{
    unsigned id = offset / 8;
    bool is_cq = offset & 4;

    if (offset & 3 || id >= NVME_MAX_QUEUES || (is_cq ? !n->cqs[id] : !n->sqs[id])) {
        log_guest_error("nvme: doorbell %x of no queue\n", offset);
        nvme_event(n, 0, 0, 1); /* write to an invalid doorbell */
        return;
    }
    if (value >= (is_cq ? n->cqs[id]->entries : n->sqs[id]->entries)) {
        log_guest_error("nvme: doorbell value %u is past the end of queue %u\n", value, id);
        nvme_event(n, 0, 1, 1); /* invalid doorbell value */
        return;
    }
    if (!is_cq) {
        n->sqs[id]->tail = (uint16_t)value;
        nvme_process(n, n->sqs[id]);
        return;
    }
    NvmeCq *cq = n->cqs[id];
    cq->head = (uint16_t)value;
    nvme_post_waiting(n, cq);
    nvme_update_irq(n);
    /* Submission queues that waited for room go on. */
    for (unsigned i = 0; i < NVME_MAX_QUEUES; i++) {
        if (n->sqs[i] && n->sqs[i]->cq == cq) {
            nvme_process(n, n->sqs[i]);
        }
    }
}

/* -- registers ------------------------------------------------------------------------------------------------------------------------ */

static uint32_t reg_read(NvmeCtrl *n, uint32_t offset)
{
    switch (offset) {
    case REG_CAP: return CAP_LOW;
    case REG_CAP_HIGH: return CAP_HIGH;
    case REG_VS: return VS_1_4;
    case REG_INTMS: case REG_INTMC: return n->intms;
    case REG_CC: return n->cc;
    case REG_CSTS: return n->csts;
    case REG_AQA: return n->aqa;
    case REG_ASQ: return (uint32_t)n->asq;
    case REG_ASQ_HIGH: return (uint32_t)(n->asq >> 32);
    case REG_ACQ: return (uint32_t)n->acq;
    case REG_ACQ_HIGH: return (uint32_t)(n->acq >> 32);
    default: return 0;
    }
}

static void reg_write(NvmeCtrl *n, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case REG_INTMS:
        n->intms |= value;
        nvme_update_irq(n);
        break;
    case REG_INTMC:
        n->intms &= ~value;
        nvme_update_irq(n);
        break;
    case REG_CC: write_cc(n, value); break;
    case REG_CSTS: break; /* only subsystem resets could be acknowledged */
    case REG_AQA: n->aqa = value & 0x0fff0fff; break;
    case REG_ASQ: n->asq = (n->asq & ~UINT64_C(0xffffffff)) | (value & 0xfffff000); break;
    case REG_ASQ_HIGH: n->asq = (uint32_t)n->asq | (uint64_t)value << 32; break;
    case REG_ACQ: n->acq = (n->acq & ~UINT64_C(0xffffffff)) | (value & 0xfffff000); break;
    case REG_ACQ_HIGH: n->acq = (uint32_t)n->acq | (uint64_t)value << 32; break;
    default:
        if (offset >= DOORBELLS) {
            doorbell(n, offset - DOORBELLS, value);
        } else {
            log_guest_error("nvme: write of %x to register %x\n", value, offset);
        }
        break;
    }
}

static MemResult mem_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = reg_read(opaque, (uint32_t)offset);
    return MEM_OK;
}

static MemResult mem_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    NvmeCtrl *n = opaque;

    if (n->engaged) {
        log_guest_error("nvme: the controller was made to write to itself\n");
        return MEM_OK;
    }
    n->engaged = true;
    reg_write(n, (uint32_t)offset, (uint32_t)value);
    n->engaged = false;
    return MEM_OK;
}

static const MemoryOps mem_ops = {
    .read = mem_read, .write = mem_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 2, 8 }, .impl = { 4, 4 },
};

/* -- the device ------------------------------------------------------------------------------------------------------------------------ */

static bool check_properties(NvmeCtrl *n, Error **errp)
{
    if (n->num_queues) { /* the old name, which counts the admin queue */
        n->max_ioqpairs = n->num_queues - 1;
    }
    if (!n->max_ioqpairs || n->max_ioqpairs >= NVME_MAX_QUEUES) {
        error_set(errp, "max_ioqpairs must be between 1 and %d", NVME_MAX_QUEUES - 1);
        return false;
    }
    if (!n->msix_qsize || n->msix_qsize > 2048) {
        error_set(errp, "msix_qsize must be between 1 and 2048");
        return false;
    }
    if (!n->conf.serial) {
        error_set(errp, "serial property not set");
        return false;
    }
    if (n->aerl >= NVME_AER_MAX) {
        error_set(errp, "aerl must be at most %d", NVME_AER_MAX - 1);
        return false;
    }
    if (n->mdts > 16) {
        error_set(errp, "mdts must be at most 16");
        return false;
    }
    return true;
}

static bool nvme_realize(PciDevice *pci, Error **errp)
{
    NvmeCtrl *n = (NvmeCtrl *)pci;

    if (!check_properties(n, errp)) {
        return false;
    }
    pci->config[PCI_INTERRUPT_PIN] = 1;
    uint64_t table = ROUND_UP(DOORBELLS + (n->max_ioqpairs + 1) * 8u, 4096u), pending = table + ROUND_UP(n->msix_qsize * 16u, 4096u);
    uint64_t bytes = 1ull << (64 - __builtin_clzll(pending + 4096 - 1));
    memory_region_init(&n->bar, &pci->dev.obj, "nvme-bar0", bytes);
    memory_region_init_mmio(&n->regs, &pci->dev.obj, &mem_ops, n, "nvme", table);
    memory_region_add(&n->bar, 0, &n->regs);
    if (pci->bus->is_express) {
        pci_add_express_cap(pci, pci->bus->bridge ? 0 : 9);
    }
    if (!pci_add_msix(pci, n->msix_qsize, 0, &n->bar, table, pending, errp)) {
        return false;
    }
    pci_add_bar(pci, 0, PCI_BAR_64, &n->bar);
    bus_init_embedded(&n->bus, "nvme-bus", &pci->dev, pci->dev.id);
    n->bus.hotplug = true;
    nvme_reset_features(n);
    if (n->conf.blk) {
        const char *drive = block_id(n->conf.blk);
        char block[24], physical[24];
        snprintf(block, sizeof(block), "%llu", (unsigned long long)n->conf.logical_block_size);
        snprintf(physical, sizeof(physical), "%llu", (unsigned long long)n->conf.physical_block_size);
        const char *const props[] = { "drive", drive, "nsid", "1", "logical_block_size", block, "physical_block_size", physical, NULL };
        Device *ns = device_create("nvme-ns", &n->bus, props, errp);
        n->conf.blk = NULL;
        if (!ns) {
            return false;
        }
    }
    return true;
}

static void nvme_unrealize(PciDevice *pci)
{
    nvme_drop_all((NvmeCtrl *)pci);
}

static void nvme_reset(PciDevice *pci)
{
    NvmeCtrl *n = (NvmeCtrl *)pci;

    disable(n);
    n->intms = n->cc = n->csts = n->aqa = 0;
    n->asq = n->acq = 0;
    n->shutdown_turn++;
    nvme_reset_features(n);
    nvme_update_irq(n);
}

static const PciType nvme_pci = {
    .vendor = 0x1b36, .device = 0x0010, .revision = 2, .class_code = 0x0108, .prog_if = 2, .realize = nvme_realize,
    .unrealize = nvme_unrealize, .reset = nvme_reset,
};

static void pre_save(void *opaque)
{
    NvmeCtrl *n = opaque;

    for (unsigned i = 1; i <= NVME_MAX_NS; i++) {
        if (n->ns[i]) {
            block_drain(n->ns[i]->conf.blk);
        }
    }
}

/* Queues are not part of saved state yet: the controller comes back disabled, and drivers reset it. */
static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    NvmeCtrl *n = opaque;

    nvme_drop_all(n);
    n->cc &= ~(uint32_t)CC_EN;
    n->csts = 0;
    nvme_update_irq(n);
    return true;
}

static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U(NvmeCtrl, intms), STATE_U(NvmeCtrl, cc), STATE_U(NvmeCtrl, aqa), STATE_U(NvmeCtrl, asq), STATE_U(NvmeCtrl, acq),
};
static const StateDesc state = {
    .name = "nvme", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save, .post_load = post_load,
};

static const Property props[] = {
    BLOCK_CONF_PROPS(NvmeCtrl, conf), BLOCK_CONF_SERIAL_PROP(NvmeCtrl, conf),
    PROP_U32("max_ioqpairs", NvmeCtrl, max_ioqpairs, 64, "Pairs of I/O queues"),
    PROP_U32("num_queues", NvmeCtrl, num_queues, 0, "The same and one more; 0: as max_ioqpairs says"),
    PROP_U16("msix_qsize", NvmeCtrl, msix_qsize, 65, "MSI-X vectors"),
    PROP_U8("mdts", NvmeCtrl, mdts, 7, "Largest transfer: pages, as a power of two; 0: no limit"),
    PROP_U8("aerl", NvmeCtrl, aerl, 3, "Asynchronous event requests at once, less one"),
    PROP_U32("aer_max_queued", NvmeCtrl, aer_max_queued, 64, "Events kept until they are asked for"),
};

static char *fw_path(Device *dev)
{
    char *function = pci_fw_path(dev), *path = xasprintf("%s/namespace@1,0", function);

    free(function);
    return path;
}

static const DeviceType nvme_type = {
    .type = { .name = "nvme", .parent = "pci-device", .size_bytes = sizeof(NvmeCtrl), .summary = "Non-Volatile Memory Express",
              .props = props, .n_props = ARRAY_SIZE(props), .class_data = &nvme_pci },
    .category = DEVICE_STORAGE, .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS, .fw_path = fw_path,
};
DEVICE_TYPE_REGISTER(nvme_type);
