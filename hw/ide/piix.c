/*
 * piix.c: the IDE function of the PIIX3 and PIIX4 south bridges: two channels at their legacy ports and lines, and a bus
 * master for each.
 *
 * Specification: Intel 82371FB/SB (PIIX/PIIX3) data sheet, 2.3 and 2.7 (IDE function), 82371AB (PIIX4), 6; Programming Interface
 * for Bus Master IDE Controller 1.0. Drive timings are kept and mean nothing.
 */
#include "hw/ide.h"
#include "hw/ide/internal.h"
#include "hw/isa.h"
#include "hw/pci.h"

enum { BM_COMMAND = 0, BM_STATUS = 2, BM_PRDT = 4, BM_CHANNEL = 8, BM_BYTES = 16 };
enum { BMC_START = 1, BMC_READ = 8, BMS_ACTIVE = 1, BMS_ERROR = 2, BMS_IRQ = 4, BMS_CAPABLE = 0x60 };
enum { PRD_BYTES = 8, PRD_TABLE_BYTES = 65536, IDETIM = 0x40, SIDETIM = 0x44, UDMACTL = 0x48, UDMATIM = 0x4a };
#define PRD_LAST UINT32_C(0x80000000)

typedef struct PiixIde PiixIde;

typedef struct PiixChannel {
    IdeChannel channel;
    PiixIde *ide;
    unsigned number;
    MemoryRegion command, control;
    Irq *irq;
    bool mapped, irq_level;
    uint8_t bm_command, bm_status;
    uint32_t prdt;
    /* Where in the table the running transfer is. */
    uint32_t prd_at, prd_left;
    gpa prd_addr;
    bool prd_last;
} PiixChannel;

struct PiixIde {
    PciDevice pci;
    MemoryRegion bm;
    PiixChannel ch[2];
};

static PiixChannel *channel_of(IdeChannel *ch)
{
    return ch->opaque;
}

/* -- what drives ask for ---------------------------------------------------------------------------------------------------- */

static void host_set_irq(IdeChannel *ch, int level)
{
    PiixChannel *c = channel_of(ch);

    if (level && !c->irq_level) {
        c->bm_status |= BMS_IRQ;
    }
    c->irq_level = level;
    irq_set(c->irq, level);
}

static void host_dma_ready(IdeChannel *ch)
{
    PiixChannel *c = channel_of(ch);
    IdeDrive *d = ide_selected(ch);

    if (c->bm_command & BMC_START && c->bm_status & BMS_ACTIVE && d && d->dma_waits) {
        ide_dma_run(d);
    }
}

/* The table lies in one 64 KiB page, which also bounds it when no entry is marked as the last. */
static bool next_entry(PiixChannel *c)
{
    uint8_t raw[PRD_BYTES];

    if (c->prd_last || c->prd_at >= PRD_TABLE_BYTES ||
        dma_read(&c->ide->pci.dma, (c->prdt & 0xffff0000) | ((c->prdt + c->prd_at) & 0xffff), raw, sizeof(raw)) != MEM_OK) {
        return false;
    }
    uint32_t count = ldle32(raw + 4);
    c->prd_addr = ldle32(raw) & ~1u;
    c->prd_left = count & 0xfffe ? count & 0xfffe : 0x10000;
    c->prd_last = count & PRD_LAST;
    c->prd_at += PRD_BYTES;
    return true;
}

static void host_dma_list(IdeChannel *ch, DmaList *list, uint64_t bytes)
{
    PiixChannel *c = channel_of(ch);

    while (list->bytes < bytes && (c->prd_left || next_entry(c))) {
        uint32_t part = (uint32_t)MIN(c->prd_left, bytes - list->bytes);
        dma_list_add(list, c->prd_addr, part);
        c->prd_addr += part;
        c->prd_left -= part;
    }
}

/* Table 3 of the programming interface: active stays set when the table has more than the drive took. */
static void host_dma_end(IdeChannel *ch, bool short_list, bool failed)
{
    PiixChannel *c = channel_of(ch);

    if (failed) {
        c->bm_status |= BMS_ERROR;
    }
    if (short_list || failed || (!c->prd_left && c->prd_last)) {
        c->bm_status &= (uint8_t)~BMS_ACTIVE;
    }
}

static AddressSpace *host_dma_space(IdeChannel *ch)
{
    return &channel_of(ch)->ide->pci.dma;
}

static const IdeHost host = {
    .set_irq = host_set_irq, .dma_ready = host_dma_ready, .dma_list = host_dma_list, .dma_end = host_dma_end,
    .dma_space = host_dma_space,
};

/* -- bus master registers -------------------------------------------------------------------------------------------------------- */

static void write_command(PiixChannel *c, uint8_t value)
{
    IdeDrive *d = ide_selected(&c->channel);
    bool was = c->bm_command & BMC_START, is = value & BMC_START;

    c->bm_command = value & (BMC_START | BMC_READ);
    if (is && !was) {
        c->prd_at = c->prd_left = 0;
        c->prd_last = false;
        c->bm_status |= BMS_ACTIVE;
        if (d && d->dma_waits) {
            ide_dma_run(d);
        }
    } else if (was && !is) {
        /* What moves in the background must not come after the guest believes it has stopped. */
        if (d && d->dma != DMA_NONE && d->conf.blk && (c->bm_status & BMS_ACTIVE)) {
            block_drain(d->conf.blk);
        }
        c->bm_status &= (uint8_t)~BMS_ACTIVE;
    }
}

static MemResult bm_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    PiixIde *s = opaque;
    PiixChannel *c = &s->ch[offset / BM_CHANNEL];

    switch (offset % BM_CHANNEL) {
    case BM_COMMAND: *ret = c->bm_command; break;
    case BM_STATUS: *ret = c->bm_status; break;
    case BM_PRDT: case BM_PRDT + 1: case BM_PRDT + 2: case BM_PRDT + 3: *ret = c->prdt >> (offset % 4) * 8 & 0xff; break;
    default: *ret = 0xff; break;
    }
    return MEM_OK;
}

static MemResult bm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    PiixIde *s = opaque;
    PiixChannel *c = &s->ch[offset / BM_CHANNEL];
    unsigned shift = (unsigned)(offset % 4) * 8;

    switch (offset % BM_CHANNEL) {
    case BM_COMMAND:
        write_command(c, (uint8_t)value);
        break;
    case BM_STATUS:
        c->bm_status = (uint8_t)((value & BMS_CAPABLE) | (c->bm_status & BMS_ACTIVE) |
                                 (c->bm_status & ~value & (BMS_ERROR | BMS_IRQ)));
        break;
    case BM_PRDT: case BM_PRDT + 1: case BM_PRDT + 2: case BM_PRDT + 3:
        c->prdt = ((c->prdt & ~(0xffu << shift)) | ((uint32_t)value & 0xff) << shift) & ~3u;
        break;
    default:
        break;
    }
    return MEM_OK;
}

static const MemoryOps bm_ops = {
    .read = bm_read, .write = bm_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 4 }, .impl = { 1, 1 },
};

/* -- legacy ports ------------------------------------------------------------------------------------------------------------------ */

/* The data register takes two or four bytes; the others one. */
static MemResult port_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    PiixChannel *c = opaque;

    if (offset == 0) {
        *ret = ide_data_read(&c->channel, size);
    } else {
        *ret = ide_read(&c->channel, (unsigned)offset);
        for (unsigned i = 1; i < size; i++) {
            *ret |= (uint64_t)0xff << i * 8;
        }
    }
    return MEM_OK;
}

static MemResult port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    PiixChannel *c = opaque;

    if (offset == 0) {
        ide_data_write(&c->channel, (uint32_t)value, size);
    } else {
        ide_write(&c->channel, (unsigned)offset, (uint8_t)value);
    }
    return MEM_OK;
}

static MemResult control_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    PiixChannel *c = opaque;
    *ret = ide_read_alternate(&c->channel);
    return MEM_OK;
}

static MemResult control_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    PiixChannel *c = opaque;
    ide_write_control(&c->channel, (uint8_t)value);
    return MEM_OK;
}

static const MemoryOps port_ops = {
    .read = port_read, .write = port_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 4, true }, .impl = { 1, 4, true },
};
static const MemoryOps control_ops = {
    .read = control_read, .write = control_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 1 }, .impl = { 1, 1 },
};

/* IDETIM bit 15 of each channel decodes its ports (2.3.9), with I/O enabled in the command register. */
static void update_ports(PiixIde *s)
{
    bool io = pci_get16(&s->pci, PCI_COMMAND) & PCI_COMMAND_IO;

    for (unsigned i = 0; i < 2; i++) {
        PiixChannel *c = &s->ch[i];
        bool on = io && pci_get16(&s->pci, IDETIM + i * 2) & 0x8000;
        if (on != c->mapped) {
            c->mapped = on;
            memory_region_set_enabled(&c->command, on);
            memory_region_set_enabled(&c->control, on);
        }
    }
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    update_ports((PiixIde *)pci);
}

static void count_piix(Device *dev, void *opaque)
{
    *(unsigned *)opaque += object_is_a(&dev->obj, "piix3-ide") || object_is_a(&dev->obj, "piix4-ide");
}

static bool piix_realize(PciDevice *pci, Error **errp)
{
    static const uint16_t command_ports[2] = { 0x1f0, 0x170 }, control_ports[2] = { 0x3f6, 0x376 };
    static const uint8_t lines[2] = { 14, 15 };
    PiixIde *s = (PiixIde *)pci;
    IsaBus *isa = isa_bus_find();

    unsigned others = 0;

    if (!isa) {
        error_set(errp, "%s needs a board with an ISA bus", pci->dev.obj.type->name);
        return false;
    }
    device_foreach(count_piix, &others);
    if (others > 1) { /* this one is on its bus already */
        error_set(errp, "ports 1f0h and 170h have an IDE controller already");
        return false;
    }
    pci->config[PCI_INTERRUPT_PIN] = 0;
    for (unsigned at = IDETIM; at < UDMATIM + 2; at++) {
        pci->write_mask[at] = 0xff;
    }
    memory_region_init_mmio(&s->bm, &pci->dev.obj, &bm_ops, s, "piix-bmdma", BM_BYTES);
    pci_add_bar(pci, 4, PCI_BAR_IO, &s->bm);
    for (unsigned i = 0; i < 2; i++) {
        PiixChannel *c = &s->ch[i];
        c->ide = s;
        c->number = i;
        c->irq = isa_irq(isa, lines[i]);
        memory_region_init_mmio(&c->command, &pci->dev.obj, &port_ops, c, "ide", 8);
        memory_region_init_mmio(&c->control, &pci->dev.obj, &control_ops, c, "ide", 1);
        isa_add_io(isa, command_ports[i], &c->command);
        isa_add_io(isa, control_ports[i], &c->control);
        c->mapped = true;
        ide_channel_init(&c->channel, &pci->dev, NULL, 2, &host, c);
    }
    return true;
}

static void piix_unrealize(PciDevice *pci)
{
    PiixIde *s = (PiixIde *)pci;

    for (unsigned i = 0; i < 2; i++) {
        memory_region_finish(&s->ch[i].command);
        memory_region_finish(&s->ch[i].control);
    }
}

static void piix_reset(PciDevice *pci)
{
    PiixIde *s = (PiixIde *)pci;

    for (unsigned i = 0; i < 2; i++) {
        PiixChannel *c = &s->ch[i];
        ide_channel_reset(&c->channel);
        c->bm_command = c->bm_status = 0;
        c->prdt = c->prd_at = c->prd_left = 0;
        c->prd_last = false;
        /* Firmware that knows nothing of this register finds its drives. */
        stle16(pci->config + IDETIM + i * 2, 0x8000);
    }
    memset(pci->config + SIDETIM, 0, UDMATIM + 2 - SIDETIM);
    /* The decoders work before firmware has enabled anything. */
    stle16(pci->config + PCI_COMMAND, (uint16_t)(pci_get16(pci, PCI_COMMAND) | PCI_COMMAND_IO));
    stle16(pci->config + PCI_STATUS, 0x0280);
    update_ports(s);
}

static const PciType piix3_ide = {
    .vendor = 0x8086, .device = 0x7010, .class_code = 0x0101, .prog_if = 0x80, .realize = piix_realize, .unrealize = piix_unrealize,
    .reset = piix_reset, .config_written = config_written,
};
static const PciType piix4_ide = {
    .vendor = 0x8086, .device = 0x7111, .class_code = 0x0101, .prog_if = 0x80, .realize = piix_realize, .unrealize = piix_unrealize,
    .reset = piix_reset, .config_written = config_written,
};

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    PiixIde *s = opaque;

    for (unsigned i = 0; i < 2; i++) {
        PiixChannel *c = &s->ch[i];
        c->channel.selected &= 1;
        c->channel.in_reset = c->channel.control & ATA_SRST;
        c->prd_left = c->prd_at = 0;
        c->prd_last = false;
    }
    update_ports(s);
    return true;
}

static const StateField channel_fields[] = {
    STATE_U(PiixChannel, channel.selected), STATE_U(PiixChannel, channel.control), STATE_U(PiixChannel, irq_level),
    STATE_U(PiixChannel, bm_command), STATE_U(PiixChannel, bm_status), STATE_U(PiixChannel, prdt),
};
static const StateDesc channel_state = {
    .name = "piix-ide-channel", .version = 1, .fields = channel_fields, .n_fields = ARRAY_SIZE(channel_fields),
};
static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    { .name = "channels", .kind = STATE_STRUCT, .offset = offsetof(PiixIde, ch), .elem_size = sizeof(PiixChannel), .count = 2,
      .sub = &channel_state },
};
static const StateDesc state = {
    .name = "piix-ide", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const DeviceType piix3_ide_type = {
    .type = { .name = "piix3-ide", .parent = "pci-device", .size_bytes = sizeof(PiixIde), .summary = "IDE controller of the PIIX3",
              .class_data = &piix3_ide },
    .category = DEVICE_STORAGE, .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS,
    .hotpluggable = false,
};
DEVICE_TYPE_REGISTER(piix3_ide_type);

static const DeviceType piix4_ide_type = {
    .type = { .name = "piix4-ide", .parent = "pci-device", .size_bytes = sizeof(PiixIde), .summary = "IDE controller of the PIIX4",
              .class_data = &piix4_ide },
    .category = DEVICE_STORAGE, .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS,
    .hotpluggable = false,
};
DEVICE_TYPE_REGISTER(piix4_ide_type);
