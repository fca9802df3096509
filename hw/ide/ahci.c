/*
 * ahci.c: the ICH9's SATA controller in AHCI mode: registers, ports' resets, interrupts.
 *
 * Specifications: AHCI 1.3.1, 3 (registers), 10 (software operation); Intel I/O Controller Hub 9, 14 (PCI and index/data
 * registers). Leaves out: port multipliers, command completion coalescing, enclosure management, legacy IDE mode.
 */
#include "hw/ide/ahci.h"
#include "util/log.h"

enum { HBA_CAP = 0, HBA_GHC = 4, HBA_IS = 8, HBA_PI = 0xc, HBA_VS = 0x10, PORTS_AT = 0x100, PORT_BYTES = 0x80, MEM_BYTES = 0x1000 };
enum { PX_CLB = 0, PX_CLBU = 4, PX_FB = 8, PX_FBU = 0xc, PX_IS = 0x10, PX_IE = 0x14, PX_CMD = 0x18, PX_TFD = 0x20, PX_SIG = 0x24,
       PX_SSTS = 0x28, PX_SCTL = 0x2c, PX_SERR = 0x30, PX_SACT = 0x34, PX_CI = 0x38 };
enum { GHC_HR = 1, GHC_IE = 2 };
#define GHC_AE UINT32_C(0x80000000)
/* 64-bit addresses, NCQ, AHCI only, 1.5 Gbit/s, 32 slots */
#define CAP_VALUE (UINT32_C(0x80000000) | 1u << 30 | 1u << 20 | 1u << 18 | (AHCI_SLOTS - 1) << 8 | (AHCI_PORTS - 1))
enum { PIE_MASK = 0x7dc000ff, VS_1_0 = 0x10000 };

static void update_irq(AhciController *s)
{
    s->is = 0;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        s->is |= (s->ports[i].is & s->ports[i].ie) ? 1u << i : 0;
    }
    bool level = s->is && (s->ghc & GHC_IE);
    pci_set_irq(&s->pci, level);
}

void ahci_port_irq(AhciPort *p, uint32_t bits)
{
    p->is |= bits;
    if (p->is & p->ie) {
        update_irq(p->hba);
    }
}

/* -- ports ------------------------------------------------------------------------------------------------------------------ */

/* COMRESET, 10.4.2: the drive starts anew and sends its signature. */
static void port_comreset(AhciPort *p)
{
    IdeDrive *d = p->channel.drives[0];

    ahci_port_drop(p);
    p->scr_error = 0;
    p->scr_active = p->ci = 0;
    p->is = 0;
    p->signature_sent = false;
    p->scr_status = 0;
    p->tfd = 0x7f;
    p->sig = UINT32_MAX;
    if (!d) {
        update_irq(p->hba);
        return;
    }
    ide_channel_reset(&p->channel);
    p->scr_status = 0x113;  /* device present, communication up, 1.5 Gbit/s, active */
    p->scr_error = 1 << 26 | 1 << 16; /* exchanged, PhyRdy changed */
    ahci_port_update(p);
    if (d->is_cd) {
        p->cmd |= PCMD_ATAPI;
    }
    ahci_port_irq(p, PIS_PCS);
    ahci_send_signature(p);
    update_irq(p->hba);
}

static void port_stop(AhciPort *p)
{
    ahci_port_drop(p);
    p->ci = p->scr_active = 0;
    p->halted = false;
}

static void write_command(AhciPort *p, uint32_t value)
{
    uint32_t writable = PCMD_ST | PCMD_SUD | PCMD_POD | PCMD_FRE | PCMD_ATAPI, old = p->cmd;

    p->cmd = (p->cmd & ~writable) | (value & writable);
    if ((old & PCMD_ST) && !(p->cmd & PCMD_ST)) {
        port_stop(p);
    }
    if (value & PCMD_CLO && !(p->cmd & PCMD_ST)) {
        p->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
    }
    p->cmd &= ~(uint32_t)(PCMD_CR | PCMD_FR);
    p->cmd |= (p->cmd & PCMD_ST ? PCMD_CR : 0) | (p->cmd & PCMD_FRE ? PCMD_FR : 0);
    ahci_send_signature(p);
    ahci_port_run(p);
}

static uint32_t port_read(AhciPort *p, unsigned offset)
{
    switch (offset) {
    case PX_CLB: return p->clb;
    case PX_CLBU: return p->clbu;
    case PX_FB: return p->fb;
    case PX_FBU: return p->fbu;
    case PX_IS: return p->is;
    case PX_IE: return p->ie;
    case PX_CMD: return p->cmd | (uint32_t)p->last_slot << 8;
    case PX_TFD: return p->tfd;
    case PX_SIG: return p->sig;
    case PX_SSTS: return p->scr_status;
    case PX_SCTL: return p->scr_control;
    case PX_SERR: return p->scr_error;
    case PX_SACT: return p->scr_active;
    case PX_CI: return p->ci;
    default: return 0;
    }
}

static void port_write(AhciPort *p, unsigned offset, uint32_t value)
{
    bool was_reset = (p->scr_control & 15) == 1;

    switch (offset) {
    case PX_CLB: p->clb = value & ~1023u; break;
    case PX_CLBU: p->clbu = value; break;
    case PX_FB: p->fb = value & ~255u; break;
    case PX_FBU: p->fbu = value; break;
    case PX_IS:
        p->is &= ~value;
        update_irq(p->hba);
        break;
    case PX_IE:
        p->ie = value & PIE_MASK;
        update_irq(p->hba);
        break;
    case PX_CMD: write_command(p, value); break;
    case PX_SCTL:
        p->scr_control = value & 0xfff;
        if (was_reset && (value & 15) == 0) {
            port_comreset(p);
        } else if (!was_reset && (value & 15) == 1) {
            ahci_port_drop(p);
            p->scr_status = 0;
        }
        break;
    case PX_SERR: p->scr_error &= ~value; break;
    case PX_SACT:
        if (p->cmd & PCMD_ST) {
            p->scr_active |= value;
        }
        break;
    case PX_CI:
        if (p->cmd & PCMD_ST) {
            p->ci |= value;
            ahci_port_run(p);
        }
        break;
    default:
        log_guest_error("ahci: write of %x to port register %x\n", value, offset);
        break;
    }
}

/* -- the controller ------------------------------------------------------------------------------------------------------------ */

static void controller_reset(AhciController *s)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        AhciPort *p = &s->ports[i];
        ahci_port_drop(p);
        p->clb = p->clbu = p->fb = p->fbu = p->ie = p->scr_control = 0;
        p->cmd = PCMD_SUD | PCMD_POD;
        p->halted = false;
        port_comreset(p);
        p->is = 0;
    }
    s->ghc = GHC_AE;
    s->idp_index = 0;
    update_irq(s);
}

static uint32_t reg_read(AhciController *s, uint32_t offset)
{
    switch (offset) {
    case HBA_CAP: return CAP_VALUE;
    case HBA_GHC: return s->ghc;
    case HBA_IS: return s->is;
    case HBA_PI: return (1u << AHCI_PORTS) - 1;
    case HBA_VS: return VS_1_0;
    default:
        if (offset >= PORTS_AT && offset < PORTS_AT + AHCI_PORTS * PORT_BYTES) {
            return port_read(&s->ports[(offset - PORTS_AT) / PORT_BYTES], offset % PORT_BYTES);
        }
        return 0;
    }
}

static void reg_write(AhciController *s, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case HBA_GHC:
        if (value & GHC_HR) {
            controller_reset(s);
            break;
        }
        s->ghc = (value & GHC_IE) | GHC_AE;
        update_irq(s);
        break;
    case HBA_IS:
        /* 10.7.2.1: the bit follows what is pending in the port. */
        update_irq(s);
        break;
    case HBA_CAP: case HBA_PI: case HBA_VS:
        break;
    default:
        if (offset >= PORTS_AT && offset < PORTS_AT + AHCI_PORTS * PORT_BYTES) {
            port_write(&s->ports[(offset - PORTS_AT) / PORT_BYTES], offset % PORT_BYTES, value);
        }
        break;
    }
}

static MemResult mem_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    *ret = reg_read(opaque, (uint32_t)offset & ~3u) >> (offset & 3) * 8;
    return MEM_OK;
}

static MemResult mem_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    reg_write(opaque, (uint32_t)offset & ~3u, (uint32_t)value);
    return MEM_OK;
}

static const MemoryOps mem_ops = {
    .read = mem_read, .write = mem_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 8 }, .impl = { 4, 4 },
};

/* 14.1.3: an index and a data register in I/O space, for software that cannot reach the memory. */
enum { IDP_INDEX = 0x10, IDP_DATA = 0x14, IDP_BYTES = 32 };

static MemResult idp_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    AhciController *s = opaque;

    *ret = offset == IDP_INDEX ? s->idp_index : offset == IDP_DATA ? reg_read(s, s->idp_index) : 0;
    return MEM_OK;
}

static MemResult idp_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    AhciController *s = opaque;

    if (offset == IDP_INDEX) {
        s->idp_index = (uint32_t)value & (MEM_BYTES - 4);
    } else if (offset == IDP_DATA) {
        reg_write(s, s->idp_index, (uint32_t)value);
    }
    return MEM_OK;
}

static const MemoryOps idp_ops = {
    .read = idp_read, .write = idp_write, .endian = MEM_LITTLE_ENDIAN, .valid = { 1, 4 }, .impl = { 4, 4 },
};

static bool ahci_realize(PciDevice *pci, Error **errp)
{
    AhciController *s = (AhciController *)pci;

    pci->config[PCI_INTERRUPT_PIN] = 1;
    pci->config[PCI_CACHE_LINE] = 8;
    pci->config[0x90] = 1 << 6; /* address map: AHCI mode */
    uint8_t cap = pci_add_cap(pci, 0x12, 8); /* SATA: the index/data registers are in BAR 4 */
    stle16(pci->config + cap + 2, 0x10);
    stle32(pci->config + cap + 4, (4 + 4) | (IDP_INDEX >> 2) << 4);
    memory_region_init_mmio(&s->mem, &pci->dev.obj, &mem_ops, s, "ahci", MEM_BYTES);
    memory_region_init_mmio(&s->idp, &pci->dev.obj, &idp_ops, s, "ahci-idp", IDP_BYTES);
    pci_add_bar(pci, 4, PCI_BAR_IO, &s->idp);
    pci_add_bar(pci, 5, PCI_BAR_MEMORY, &s->mem);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        AhciPort *p = &s->ports[i];
        p->hba = s;
        p->number = i;
        p->slot = -1;
        for (unsigned k = 0; k < AHCI_SLOTS; k++) {
            p->queued[k] = (AhciQueued){ .port = p, .tag = k };
        }
        ide_channel_init(&p->channel, &pci->dev, NULL, 1, &ahci_host, p);
    }
    return true;
}

static void ahci_unrealize(PciDevice *pci)
{
    AhciController *s = (AhciController *)pci;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        ahci_port_drop(&s->ports[i]);
    }
}

static void ahci_reset(PciDevice *pci)
{
    controller_reset((AhciController *)pci);
}

static const PciType ich9_ahci = {
    .vendor = 0x8086, .device = 0x2922, .revision = 2, .class_code = 0x0106, .prog_if = 1, .realize = ahci_realize,
    .unrealize = ahci_unrealize, .reset = ahci_reset,
};

static void pre_save(void *opaque)
{
    AhciController *s = opaque;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (s->ports[i].channel.drives[0] && s->ports[i].channel.drives[0]->conf.blk) {
            block_drain(s->ports[i].channel.drives[0]->conf.blk);
        }
    }
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    AhciController *s = opaque;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        s->ports[i].slot = -1;
    }
    s->idp_index &= MEM_BYTES - 4;
    update_irq(s);
    return true;
}

static const StateField port_fields[] = {
    STATE_U(AhciPort, clb), STATE_U(AhciPort, clbu), STATE_U(AhciPort, fb), STATE_U(AhciPort, fbu), STATE_U(AhciPort, is),
    STATE_U(AhciPort, ie), STATE_U(AhciPort, cmd), STATE_U(AhciPort, tfd), STATE_U(AhciPort, sig), STATE_U(AhciPort, scr_status),
    STATE_U(AhciPort, scr_control), STATE_U(AhciPort, scr_error), STATE_U(AhciPort, scr_active), STATE_U(AhciPort, ci),
    STATE_U(AhciPort, halted), STATE_U(AhciPort, signature_sent), STATE_U(AhciPort, error_tag), STATE_U(AhciPort, error_status),
    STATE_U(AhciPort, error_error), STATE_U(AhciPort, error_lba), STATE_U(AhciPort, error_valid),
};
static const StateDesc port_state = {
    .name = "ahci-port", .version = 1, .fields = port_fields, .n_fields = ARRAY_SIZE(port_fields),
};
static const StateField fields[] = {
    { .name = "pci", .kind = STATE_STRUCT, .offset = 0, .elem_size = sizeof(PciDevice), .sub = &pci_state },
    STATE_U(AhciController, ghc), STATE_U(AhciController, idp_index),
    { .name = "ports", .kind = STATE_STRUCT, .offset = offsetof(AhciController, ports), .elem_size = sizeof(AhciPort),
      .count = AHCI_PORTS, .sub = &port_state },
};
static const StateDesc state = {
    .name = "ich9-ahci", .version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .pre_save = pre_save, .post_load = post_load,
};

static const DeviceType ich9_ahci_type = {
    .type = { .name = "ich9-ahci", .parent = "pci-device", .size_bytes = sizeof(AhciController), .summary = "SATA controller (AHCI)",
              .class_data = &ich9_ahci },
    .category = DEVICE_STORAGE, .alias = "ahci", .state = &state, .user_creatable = true, PCI_DEVICE_HOOKS,
};
DEVICE_TYPE_REGISTER(ich9_ahci_type);
