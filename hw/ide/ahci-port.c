/*
 * ahci-port.c: an AHCI port at work: command slots, physical region descriptors, received FISes, native command queueing.
 *
 * Specifications: AHCI 1.3.1, 4 (memory structures), 5 (port state machine), 6.2 (errors); Serial ATA 3.0, 10.3 (FISes), 13.6
 * (NCQ). What a descriptor table may ask for is bounded by the command's own length.
 */
#include <errno.h>

#include "hw/ide/ahci.h"
#include "util/log.h"

enum { FIS_H2D = 0x27, FIS_D2H = 0x34, FIS_PIO_SETUP = 0x5f, FIS_SET_BITS = 0xa1 };
enum { RX_PIO_SETUP = 0x20, RX_D2H = 0x40, RX_SET_BITS = 0x58 };
enum { HEAD_BYTES = 32, TABLE_ACMD = 0x40, TABLE_PRDT = 0x80, PRD_BYTES = 16, PRD_BATCH = 32, LOG_NCQ_ERROR = 0x10 };

static AhciPort *port_of(IdeChannel *ch)
{
    return ch->opaque;
}

static IdeDrive *drive_of(AhciPort *p)
{
    return p->channel.drives[0];
}

static gpa command_list(const AhciPort *p)
{
    return (gpa)p->clbu << 32 | p->clb;
}

/* -- received FISes ------------------------------------------------------------------------------------------------------- */

static void receive(AhciPort *p, unsigned at, const uint8_t *fis, unsigned bytes)
{
    if (p->cmd & PCMD_FRE) {
        dma_write(&p->hba->pci.dma, ((gpa)p->fbu << 32 | p->fb) + at, fis, bytes);
    }
}

void ahci_port_update(AhciPort *p)
{
    IdeDrive *d = drive_of(p);

    if (d) {
        p->tfd = ide_read_alternate(&p->channel) | (uint32_t)d->error << 8;
    }
}

static void task_file(const IdeDrive *d, uint8_t *fis)
{
    fis[2] = d->status;
    fis[3] = d->error;
    fis[4] = d->reg.low;
    fis[5] = d->reg.mid;
    fis[6] = d->reg.high;
    fis[7] = d->select;
    fis[8] = d->hob.low;
    fis[9] = d->hob.mid;
    fis[10] = d->hob.high;
    fis[12] = d->reg.nsector;
    fis[13] = d->hob.nsector;
}

static void send_d2h(AhciPort *p, bool interrupt)
{
    uint8_t fis[20] = { FIS_D2H, interrupt ? 0x40 : 0 };

    task_file(drive_of(p), fis);
    receive(p, RX_D2H, fis, sizeof(fis));
    ahci_port_update(p);
    if (interrupt) {
        ahci_port_irq(p, PIS_DHRS);
    }
}

static void send_pio_setup(AhciPort *p, uint32_t bytes, bool to_device, uint8_t end_status)
{
    uint8_t fis[20] = { FIS_PIO_SETUP, to_device ? 0 : 0x60 };

    task_file(drive_of(p), fis);
    fis[15] = end_status;
    stle16(fis + 16, (uint16_t)bytes);
    receive(p, RX_PIO_SETUP, fis, sizeof(fis));
    ahci_port_update(p);
    if (!to_device) {
        ahci_port_irq(p, PIS_PSS);
    }
}

void ahci_send_signature(AhciPort *p)
{
    IdeDrive *d = drive_of(p);

    if (!d || p->signature_sent || p->scr_status == 0) {
        return;
    }
    p->sig = (uint32_t)d->reg.high << 24 | (uint32_t)d->reg.mid << 16 | (uint32_t)d->reg.low << 8 | d->reg.nsector;
    if (p->cmd & PCMD_FRE) {
        p->signature_sent = true;
        send_d2h(p, false);
    }
}

/* -- descriptors -------------------------------------------------------------------------------------------------------------- */

/* Continues where the last call stopped. */
static void next_list(AhciPort *p, DmaList *list, uint64_t bytes)
{
    uint8_t raw[PRD_BATCH * PRD_BYTES];
    uint32_t have_from = 0, have = 0;

    while (list->bytes < bytes && p->prdt_at < p->prdt_entries) {
        if (p->prdt_at < have_from || p->prdt_at >= have_from + have) {
            have_from = p->prdt_at;
            have = MIN(PRD_BATCH, p->prdt_entries - p->prdt_at);
            if (dma_read(&p->hba->pci.dma, p->table + TABLE_PRDT + (gpa)have_from * PRD_BYTES, raw, (uint64_t)have * PRD_BYTES) !=
                MEM_OK) {
                ahci_port_irq(p, PIS_HBFS);
                return;
            }
        }
        const uint8_t *e = raw + (p->prdt_at - have_from) * PRD_BYTES;
        uint64_t len = (ldle32(e + 12) & 0x3fffff) + 1u - p->prdt_skip, part = MIN(len, bytes - list->bytes);
        dma_list_add(list, ldle64(e) + p->prdt_skip, part);
        if (part == len) {
            p->prdt_at++;
            p->prdt_skip = 0;
        } else {
            p->prdt_skip += (uint32_t)part;
        }
    }
}

static bool host_pio(IdeChannel *ch, uint8_t *buf, uint32_t len, bool to_device)
{
    AhciPort *p = port_of(ch);
    IdeDrive *d = drive_of(p);
    AddressSpace *as = &p->hba->pci.dma;
    DmaList list = { 0 };

    if (d->pio == PIO_PACKET) {
        return dma_read(as, p->table + TABLE_ACMD, buf, len) == MEM_OK;
    }
    next_list(p, &list, len);
    uint64_t want = list.bytes;
    uint64_t got = to_device ? dma_list_read(as, &list, 0, buf, want) : dma_list_write(as, &list, 0, buf, want);
    dma_list_finish(&list);
    p->moved += (uint32_t)got;
    if (got == want && want < len) {
        ahci_port_irq(p, PIS_OFS); /* the drive has more than there is room for */
    }
    if (got < want) {
        ahci_port_irq(p, PIS_HBDS);
        return false;
    }
    if (!to_device && d->pio != PIO_ATAPI) {
        p->pio_in = true;
    }
    send_pio_setup(p, len, to_device, (uint8_t)(ATA_DRDY | ATA_DSC | (d->left && d->pio == PIO_READ ? ATA_BSY : 0)));
    return true;
}

static void host_dma_ready(IdeChannel *ch)
{
    ide_dma_run(drive_of(port_of(ch)));
}

static void host_dma_list(IdeChannel *ch, DmaList *list, uint64_t bytes)
{
    AhciPort *p = port_of(ch);

    next_list(p, list, bytes);
    p->moved += (uint32_t)list->bytes;
}

static void host_dma_end(IdeChannel *ch, bool short_list, bool failed)
{
    AhciPort *p = port_of(ch);

    if (short_list || failed) {
        ahci_port_irq(p, failed ? PIS_HBDS : PIS_OFS);
    }
}

static AddressSpace *host_dma_space(IdeChannel *ch)
{
    return &port_of(ch)->hba->pci.dma;
}

static void host_set_irq(IdeChannel *ch, int level)
{
    /* Interrupts are FISes here. */
}

static void host_command_done(IdeChannel *ch)
{
    AhciPort *p = port_of(ch);
    IdeDrive *d = drive_of(p);
    uint8_t count[4];

    if (p->slot < 0) {
        return;
    }
    unsigned slot = (unsigned)p->slot;
    bool failed = d->status & ATA_ERR;
    p->slot = -1;
    stle32(count, p->moved);
    dma_write(&p->hba->pci.dma, command_list(p) + slot * HEAD_BYTES + 4, count, sizeof(count));
    if (failed) {
        p->halted = true;
    } else {
        p->ci &= ~(1u << slot);
    }
    if (p->pio_in && !failed) {
        ahci_port_update(p);
    } else {
        send_d2h(p, true);
    }
    if (failed) {
        ahci_port_irq(p, PIS_TFES);
    }
    ahci_port_run(p);
}

const IdeHost ahci_host = {
    .set_irq = host_set_irq, .pio = host_pio, .dma_ready = host_dma_ready, .dma_list = host_dma_list, .dma_end = host_dma_end,
    .command_done = host_command_done, .dma_space = host_dma_space,
};

/* -- native command queueing (Serial ATA 3.0, 13.6) ------------------------------------------------------------------------------- */

static void set_bits(AhciPort *p, uint32_t done, uint8_t status, uint8_t error)
{
    uint8_t fis[8] = { FIS_SET_BITS, 0x40, status & 0x77, error };

    stle32(fis + 4, done);
    p->scr_active &= ~done;
    receive(p, RX_SET_BITS, fis, sizeof(fis));
    p->tfd = status | (uint32_t)error << 8;
    ahci_port_irq(p, PIS_SDBS);
}

static void queued_fail(AhciPort *p, unsigned tag, uint64_t lba, uint8_t error)
{
    IdeDrive *d = drive_of(p);

    p->error_valid = true;
    p->error_tag = (uint8_t)tag;
    p->error_status = ATA_DRDY | ATA_DSC | ATA_ERR;
    p->error_error = error;
    p->error_lba = lba;
    p->halted = true;
    d->status = p->error_status;
    d->error = error;
    set_bits(p, 0, p->error_status, error);
    ahci_port_irq(p, PIS_TFES);
}

static void queued_done(void *opaque, int result)
{
    AhciQueued *q = opaque;
    AhciPort *p = q->port;

    q->active = false;
    if (p->dropping) {
        return;
    }
    if (result) {
        queued_fail(p, q->tag, q->lba, q->is_write ? ATA_ABRT : ATA_UNC);
    } else {
        set_bits(p, 1u << q->tag, ATA_DRDY | ATA_DSC, 0);
    }
}

static void queued_start(AhciPort *p, unsigned slot)
{
    IdeDrive *d = drive_of(p);
    const uint8_t *fis = p->fis;
    AhciQueued *q = &p->queued[slot];
    uint64_t lba = fis[4] | (uint64_t)fis[5] << 8 | (uint64_t)fis[6] << 16 | (uint64_t)fis[8] << 24 | (uint64_t)fis[9] << 32 |
                   (uint64_t)fis[10] << 40;
    uint64_t count = fis[3] | (uint64_t)fis[11] << 8, total = ide_sectors(d);
    bool is_write = fis[2] == CMD_WRITE_FPDMA, fua = fis[7] & 0x80;
    DmaList list = { 0 };

    count = count ? count : 65536;
    p->ci &= ~(1u << slot); /* the drive has the command; it is free to take another */
    q->is_write = is_write;
    q->lba = lba;
    if ((unsigned)fis[12] >> 3 != slot || q->active || d->status & (ATA_BSY | ATA_DRQ)) {
        queued_fail(p, slot, lba, ATA_ABRT);
        return;
    }
    if (lba > total || count > total - lba) {
        queued_fail(p, slot, lba, ATA_IDNF);
        return;
    }
    if (is_write && block_is_readonly(d->conf.blk)) {
        queued_fail(p, slot, lba, ATA_ABRT);
        return;
    }
    next_list(p, &list, count * SECTOR);
    if (list.bytes < count * SECTOR) {
        dma_list_finish(&list);
        ahci_port_irq(p, PIS_OFS);
        queued_fail(p, slot, lba, ATA_ABRT);
        return;
    }
    q->active = true;
    dma_block_rw(&p->hba->pci.dma, &list, d->conf.blk, is_write, lba * SECTOR, fua || !d->write_cache ? BLOCK_FUA : 0,
                 queued_done, q);
}

/* READ LOG EXT, page 10h: which queued command failed. Other pages do not exist. */
static void read_log(AhciPort *p)
{
    IdeDrive *d = drive_of(p);
    uint8_t *out = d->buf, sum = 0;

    if (d->is_cd || d->reg.low != LOG_NCQ_ERROR || d->reg.nsector != 1) {
        ide_finish(d, ATA_ABRT);
        return;
    }
    memset(out, 0, SECTOR);
    out[0] = p->error_valid ? p->error_tag : 0x80; /* 80h: not a queued command */
    out[2] = p->error_status;
    out[3] = p->error_error;
    for (unsigned i = 0; i < 3; i++) {
        out[4 + i] = (uint8_t)(p->error_lba >> i * 8);
        out[8 + i] = (uint8_t)(p->error_lba >> (24 + i * 8));
    }
    for (unsigned i = 0; i < SECTOR - 1; i++) {
        sum = (uint8_t)(sum + out[i]);
    }
    out[SECTOR - 1] = (uint8_t)-sum;
    p->error_valid = false;
    d->error = 0;
    ide_start_data(d, PIO_REPLY, out, SECTOR, false);
}

/* -- command slots ------------------------------------------------------------------------------------------------------------------ */

static void fatal(AhciPort *p, uint32_t why)
{
    p->halted = true;
    ahci_port_irq(p, why);
}

/* A register FIS without the command bit sets the control register: software reset. */
static void control_fis(AhciPort *p, unsigned slot)
{
    bool was = p->channel.control & ATA_SRST;

    ide_write_control(&p->channel, p->fis[15] & ATA_SRST);
    p->ci &= ~(1u << slot);
    if (was && !(p->fis[15] & ATA_SRST) && drive_of(p)) {
        p->signature_sent = false;
        ahci_send_signature(p);
    }
    ahci_port_update(p);
}

static void load_registers(IdeDrive *d, const uint8_t *fis)
{
    d->reg = (IdeTaskFile){ .feature = fis[3], .low = fis[4], .mid = fis[5], .high = fis[6], .nsector = fis[12] };
    d->hob = (IdeTaskFile){ .feature = fis[11], .low = fis[8], .mid = fis[9], .high = fis[10], .nsector = fis[13] };
    d->select = (uint8_t)((fis[7] & ~ATA_DEV_UNIT) | 0xa0);
}

static void start_slot(AhciPort *p, unsigned slot)
{
    IdeDrive *d = drive_of(p);
    AddressSpace *as = &p->hba->pci.dma;
    uint8_t head[HEAD_BYTES];

    p->last_slot = (uint8_t)slot;
    if (dma_read(as, command_list(p) + slot * HEAD_BYTES, head, sizeof(head)) != MEM_OK) {
        fatal(p, PIS_HBFS);
        return;
    }
    p->table = ldle64(head + 8) & ~(gpa)127;
    p->prdt_entries = ldle16(head + 2);
    p->prdt_at = p->prdt_skip = p->moved = 0;
    p->pio_in = false;
    if (dma_read(as, p->table, p->fis, sizeof(p->fis)) != MEM_OK) {
        fatal(p, PIS_HBFS);
        return;
    }
    if (p->fis[0] != FIS_H2D || (ldle16(head) & 31) < 2 || p->fis[1] & 15) {
        log_guest_error("ahci: port %u: command FIS %02x cannot be sent\n", p->number, p->fis[0]);
        fatal(p, PIS_HBFS);
        return;
    }
    if (!d || p->scr_status == 0) { /* nobody answers: the guest waits until it gives up */
        p->halted = true;
        return;
    }
    if (!(p->fis[1] & 0x80)) {
        control_fis(p, slot);
        return;
    }
    uint8_t command = p->fis[2];
    if (!d->is_cd && (command == CMD_READ_FPDMA || command == CMD_WRITE_FPDMA)) {
        queued_start(p, slot);
        return;
    }
    load_registers(d, p->fis);
    p->slot = (int)slot;
    if (command == CMD_READ_LOG_EXT) {
        d->command = command;
        read_log(p);
    } else {
        ide_execute(d, command);
    }
    if (p->slot == (int)slot) {
        ahci_port_update(p);
    }
}

void ahci_port_run(AhciPort *p)
{
    if (p->running) {
        return;
    }
    p->running = true;
    for (unsigned i = 0; i < AHCI_SLOTS && p->ci && p->slot < 0 && !p->halted && (p->cmd & PCMD_ST); i++) {
        start_slot(p, (unsigned)__builtin_ctz(p->ci));
    }
    p->running = false;
}

void ahci_port_drop(AhciPort *p)
{
    IdeDrive *d = drive_of(p);

    p->dropping = true;
    if (d) {
        ide_cancel(d);
        if (d->status & (ATA_BSY | ATA_DRQ)) {
            d->status = ATA_DRDY | ATA_DSC;
        }
    }
    p->dropping = false;
    p->slot = -1;
}
