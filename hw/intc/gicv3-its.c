/*
 * gicv3-its.c: "arm-gicv3-its": the interrupt translation service (IHI 0069H 5.2 and 12.19): messages, by device and event, become LPIs.
 *
 * Tables are the guest's memory and are looked at for every message; nothing is cached. The formats of entries are ours (5.2.3):
 *   device      8 bytes: bit 63 valid, 51:8 ITT address (256-byte aligned), 4:0 event id bits - 1
 *   ITT         8 bytes: bit 63 valid, 47:32 collection, 31:0 LPI; or bits 63 and 62, 47:32 virtual processor, 31:16 doorbell, 15:0 virtual LPI
 *   collection  8 bytes: bit 63 valid, 15:0 processor number
 *   vPE         8 bytes: bit 63 valid, 51:16 its pending table, 15:5 processor number, 4:0 bits of its LPIs - 1
 * A stretch of commands is bounded: what is left is done a moment later. Device and vPE tables may have two levels. A GICv4.0's (chapter 9) virtual
 * LPIs go to the virtual processor that is resident, or to its table and, as a doorbell, to the processor it is on. Left out: GICv4.1, collections held in
 * the hardware, physical target addresses (GITS_TYPER.PTA is 0).
 * Threads: BQL.
 */
#include "hw/dma.h"
#include "hw/intc/gicv3.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "util/log.h"

enum {
    GITS_CTLR = 0x0000, GITS_IIDR = 0x0004, GITS_TYPER = 0x0008, GITS_CBASER = 0x0080, GITS_CWRITER = 0x0088, GITS_CREADR = 0x0090,
    GITS_BASER = 0x0100, GITS_TRANSLATER = 0x10040, FRAME_BYTES = 0x20000,
};
enum { N_BASERS = 8, ENTRY_BYTES = 8, ID_BITS = V3_ID_BITS, DEVICE_BITS = 16, COLLECTION_BITS = 16, IIDR = 0x43b };
enum { CTLR_ENABLED = 1, BASER_DEVICES = 1, BASER_VPES = 2, BASER_COLLECTIONS = 4, NO_DOORBELL = 1023, VPE_CPU_BITS = 11, COMMAND_BYTES = 32, COMMANDS_AT_ONCE = 256 };
#define CTLR_QUIESCENT (UINT32_C(1) << 31)
#define BASER_VALID BIT(63)
#define BASER_INDIRECT BIT(62)
/* What a guest can change; type and entry size are fixed. */
#define BASER_BITS (BASER_VALID | BASER_INDIRECT | bits_mask(59, 3) | bits_mask(53, 3) | bits_mask(12, 36) | bits_mask(8, 4) | bits_mask(0, 8))
#define CBASER_BITS (BIT(63) | bits_mask(59, 3) | bits_mask(53, 3) | bits_mask(12, 40) | bits_mask(10, 2) | bits_mask(0, 8))
#define ENTRY_VALID BIT(63)
#define ENTRY_VIRTUAL BIT(62)

typedef struct Its {
    Device dev;
    GicV3 *gic;
    MemoryRegion mr;
    uint32_t ctlr;
    uint64_t cbaser, cwriter, creadr, baser[N_BASERS];
    Timer more;             /* commands are left */
} Its;

void gicv3_its_connect(Device *its, Device *gic)
{
    ((Its *)its)->gic = (GicV3 *)gic;
}

static AddressSpace *memory(void)
{
    return &machine_current()->memory;
}

static bool entry_read(gpa at, uint64_t *ret)
{
    uint8_t bytes[ENTRY_BYTES];

    if (!at || dma_read(memory(), at, bytes, sizeof(bytes)) != MEM_OK) {
        return false;
    }
    *ret = ldle64(bytes);
    return true;
}

static bool entry_write(gpa at, uint64_t value)
{
    uint8_t bytes[ENTRY_BYTES];

    stle64(bytes, value);
    return at && dma_write(memory(), at, bytes, sizeof(bytes)) == MEM_OK;
}

/* -- tables ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t page_bytes(uint64_t baser)
{
    static const uint32_t sizes[4] = { 4096, 16384, 65536, 65536 };

    return sizes[bits_get(baser, 8, 2)];
}

static gpa table_base(uint64_t baser)
{
    /* 12.19.1: with 64 KiB pages bits 15:12 are bits 51:48 of the address. */
    return page_bytes(baser) == 65536 ? (baser & bits_mask(16, 32)) | bits_get(baser, 12, 4) << 48 : baser & bits_mask(12, 36);
}

static const uint64_t *table_of(const Its *s, unsigned type)
{
    for (unsigned i = 0; i < N_BASERS; i++) {
        if (bits_get(s->baser[i], 56, 3) == type && (s->baser[i] & BASER_VALID)) {
            return &s->baser[i];
        }
    }
    return NULL;
}

/* Where entry `index` is; 0: nowhere. */
static gpa entry_at(const Its *s, unsigned type, uint32_t index)
{
    const uint64_t *baser = table_of(s, type);

    if (!baser) {
        return 0;
    }
    uint64_t page = page_bytes(*baser), bytes = (bits_get(*baser, 0, 8) + 1) * page, level2;
    if (!(*baser & BASER_INDIRECT)) {
        return (uint64_t)index * ENTRY_BYTES < bytes ? table_base(*baser) + (uint64_t)index * ENTRY_BYTES : 0;
    }
    uint64_t per_page = page / ENTRY_BYTES, first = index / per_page;
    if (first * 8 >= bytes || !entry_read(table_base(*baser) + first * 8, &level2) || !(level2 & ENTRY_VALID)) {
        return 0;
    }
    return (level2 & bits_mask(12, 40) & ~(page - 1)) + index % per_page * ENTRY_BYTES;
}

typedef struct Translation {
    gpa at;           /* of the ITT entry */
    uint64_t entry;
    uint32_t lpi;     /* virtual, if `table` is not 0 */
    V3Cpu *cpu;
    gpa table;        /* where the virtual processor's pending bits are */
    uint32_t doorbell;
} Translation;

static bool has_virtual(const Its *s)
{
    return s->gic->revision == 4;
}

static gpa itt_entry_at(const Its *s, uint32_t device, uint32_t event)
{
    uint64_t entry;

    if (device >= 1u << DEVICE_BITS || !entry_read(entry_at(s, BASER_DEVICES, device), &entry) || !(entry & ENTRY_VALID) ||
        event >> (bits_get(entry, 0, 5) + 1)) {
        return 0;
    }
    return (entry & bits_mask(8, 44)) + (uint64_t)event * ENTRY_BYTES;
}

static V3Cpu *collection_cpu(const Its *s, uint32_t collection)
{
    uint64_t entry;

    if (collection >= 1u << COLLECTION_BITS || !entry_read(entry_at(s, BASER_COLLECTIONS, collection), &entry) || !(entry & ENTRY_VALID)) {
        return NULL;
    }
    unsigned index = entry & 0xffff;
    return index < s->gic->n_cpus ? &s->gic->cpus[index] : NULL;
}

/* Where a virtual processor is, and its table. */
static V3Cpu *vpe_cpu(const Its *s, uint32_t vpe, uint64_t *ret)
{
    if (!entry_read(entry_at(s, BASER_VPES, vpe), ret) || !(*ret & ENTRY_VALID)) {
        return NULL;
    }
    unsigned index = (unsigned)bits_get(*ret, 5, VPE_CPU_BITS);
    return index < s->gic->n_cpus ? &s->gic->cpus[index] : NULL;
}

static bool translate(const Its *s, uint32_t device, uint32_t event, Translation *t)
{
    uint64_t vpe;

    t->at = itt_entry_at(s, device, event);
    t->table = 0;
    if (!entry_read(t->at, &t->entry) || !(t->entry & ENTRY_VALID)) {
        return false;
    }
    if (!(t->entry & ENTRY_VIRTUAL)) {
        t->lpi = (uint32_t)t->entry;
        t->cpu = collection_cpu(s, (uint32_t)bits_get(t->entry, 32, 16));
        return t->cpu != NULL;
    }
    t->lpi = (uint32_t)bits_get(t->entry, 0, 16);
    t->doorbell = (uint32_t)bits_get(t->entry, 16, 16);
    t->cpu = has_virtual(s) ? vpe_cpu(s, (uint32_t)bits_get(t->entry, 32, 16), &vpe) : NULL;
    if (!t->cpu || t->lpi >> (bits_get(vpe, 0, 5) + 1)) {
        return false;
    }
    t->table = vpe & bits_mask(16, 36);
    return t->table != 0;
}

/* -- what is pending ------------------------------------------------------------------------------------------------------------------ */

static bool is_resident(const Translation *t)
{
    return t->cpu->vlpi.on && v3_lpi_table(&t->cpu->vlpi) == t->table;
}

/* The byte with its bit in the table of a virtual processor that is not resident. */
static bool away_byte(const Translation *t, uint8_t *ret)
{
    return dma_read(memory(), t->table + t->lpi / 8, ret, 1) == MEM_OK;
}

static bool is_pending(const Translation *t)
{
    uint8_t byte;

    if (!t->table) {
        return v3_lpi_is_pending(&t->cpu->lpi, t->lpi);
    }
    return is_resident(t) ? v3_lpi_is_pending(&t->cpu->vlpi, t->lpi) : away_byte(t, &byte) && (byte >> t->lpi % 8 & 1);
}

static void set_pending(const Translation *t, bool pending)
{
    uint8_t byte, bit = (uint8_t)(1u << t->lpi % 8);

    if (!t->table) {
        v3_lpi_set(t->cpu, &t->cpu->lpi, t->lpi, pending);
        return;
    }
    if (is_resident(t)) {
        v3_lpi_set(t->cpu, &t->cpu->vlpi, t->lpi, pending);
        return;
    }
    if (t->lpi >= V3_FIRST_LPI && away_byte(t, &byte)) {
        byte = (uint8_t)(pending ? byte | bit : byte & ~bit);
        (void)dma_write(memory(), t->table + t->lpi / 8, &byte, 1); /* where there is no RAM it is lost, and no harm is done */
    }
    if (pending && t->doorbell != NO_DOORBELL) {
        v3_lpi_set(t->cpu, &t->cpu->lpi, t->doorbell, true);
    }
}

/* -- commands (5.3) ------------------------------------------------------------------------------------------------------------------- */

enum {
    CMD_MOVI = 0x01, CMD_INT = 0x03, CMD_CLEAR = 0x04, CMD_SYNC = 0x05, CMD_MAPD = 0x08, CMD_MAPC = 0x09, CMD_MAPTI = 0x0a, CMD_MAPI = 0x0b,
    CMD_INV = 0x0c, CMD_INVALL = 0x0d, CMD_MOVALL = 0x0e, CMD_DISCARD = 0x0f,
    CMD_VMOVI = 0x21, CMD_VMOVP = 0x22, CMD_VSYNC = 0x25, CMD_VMAPP = 0x29, CMD_VMAPTI = 0x2a, CMD_VMAPI = 0x2b, CMD_VINVALL = 0x2d,
};

static bool map_device(const Its *s, const uint64_t c[4])
{
    uint32_t device = (uint32_t)(c[0] >> 32);
    unsigned size = c[1] & 31;

    if (device >= 1u << DEVICE_BITS || ((c[2] & BIT(63)) && size + 1 > ID_BITS)) {
        return false;
    }
    return entry_write(entry_at(s, BASER_DEVICES, device), c[2] & BIT(63) ? ENTRY_VALID | (c[2] & bits_mask(8, 44)) | size : 0);
}

static bool map_collection(const Its *s, const uint64_t c[4])
{
    uint64_t cpu = bits_get(c[2], 16, 36);

    if ((c[2] & BIT(63)) && cpu >= s->gic->n_cpus) {
        return false;
    }
    return entry_write(entry_at(s, BASER_COLLECTIONS, c[2] & 0xffff), c[2] & BIT(63) ? ENTRY_VALID | cpu : 0);
}

static bool map_event(const Its *s, const uint64_t c[4], bool same)
{
    uint32_t event = (uint32_t)c[1], lpi = same ? event : (uint32_t)(c[1] >> 32);

    if (lpi < V3_FIRST_LPI || lpi >= 1u << ID_BITS) {
        return false;
    }
    return entry_write(itt_entry_at(s, (uint32_t)(c[0] >> 32), event), ENTRY_VALID | (c[2] & 0xffff) << 32 | lpi);
}

static bool move_event(Its *s, const uint64_t c[4])
{
    Translation t;
    V3Cpu *to = collection_cpu(s, c[2] & 0xffff);

    if (!to || !translate(s, (uint32_t)(c[0] >> 32), (uint32_t)c[1], &t) || t.table) {
        return false;
    }
    if (to != t.cpu && is_pending(&t)) {
        set_pending(&t, false);
        v3_lpi_set(to, &to->lpi, t.lpi, true);
    }
    return entry_write(t.at, bits_set(t.entry, 32, 16, c[2] & 0xffff));
}

/* Commands about one event that is mapped. */
static bool on_event(Its *s, unsigned number, const uint64_t c[4])
{
    Translation t;

    if (!translate(s, (uint32_t)(c[0] >> 32), (uint32_t)c[1], &t)) {
        return false;
    }
    switch (number) {
    case CMD_INT: set_pending(&t, true); return true;
    case CMD_CLEAR: set_pending(&t, false); return true;
    case CMD_DISCARD: set_pending(&t, false); return entry_write(t.at, 0);
    default: *(t.table ? &t.cpu->vlpi.stale : &t.cpu->lpi.stale) = true; return true; /* INV */
    }
}

/* -- commands about virtual processors (5.3, those with V) ------------------------------------------------------------------------------ */

static uint32_t vpe_of(const uint64_t c[4])
{
    return (uint32_t)bits_get(c[1], 32, 16);
}

static bool map_vpe(const Its *s, const uint64_t c[4])
{
    gpa at = entry_at(s, BASER_VPES, vpe_of(c));
    uint64_t cpu = bits_get(c[2], 16, 36);

    if (!(c[2] & BIT(63))) {
        return entry_write(at, 0);
    }
    if (cpu >= s->gic->n_cpus || (c[3] & 31) + 1 > ID_BITS) {
        return false;
    }
    return entry_write(at, ENTRY_VALID | (c[3] & bits_mask(16, 36)) | cpu << 5 | (c[3] & 31));
}

/* Its pending bits are in its table, which it takes along. */
static bool move_vpe(const Its *s, const uint64_t c[4])
{
    gpa at = entry_at(s, BASER_VPES, vpe_of(c));
    uint64_t cpu = bits_get(c[2], 16, 36), entry;

    if (cpu >= s->gic->n_cpus || !entry_read(at, &entry) || !(entry & ENTRY_VALID)) {
        return false;
    }
    return entry_write(at, bits_set(entry, 5, VPE_CPU_BITS, cpu));
}

static bool map_virtual_event(const Its *s, const uint64_t c[4], bool same)
{
    uint32_t event = (uint32_t)c[1] , lpi = same ? event : (uint32_t)c[2], doorbell = (uint32_t)(c[2] >> 32);

    if (lpi < V3_FIRST_LPI || lpi >= 1u << ID_BITS || (doorbell != NO_DOORBELL && (doorbell < V3_FIRST_LPI || doorbell >= 1u << ID_BITS))) {
        return false;
    }
    return entry_write(itt_entry_at(s, (uint32_t)(c[0] >> 32), event),
                       ENTRY_VALID | ENTRY_VIRTUAL | (uint64_t)vpe_of(c) << 32 | (uint64_t)doorbell << 16 | lpi);
}

static bool move_virtual_event(const Its *s, const uint64_t c[4])
{
    Translation from, to;
    uint32_t device = (uint32_t)(c[0] >> 32), event = (uint32_t)c[1];
    bool new_doorbell = c[2] & 1;

    if (!translate(s, device, event, &from) || !from.table) {
        return false;
    }
    uint64_t entry = bits_set(from.entry, 32, 16, vpe_of(c));
    entry = new_doorbell ? bits_set(entry, 16, 16, c[2] >> 32) : entry;
    bool pending = is_pending(&from);
    if (!entry_write(from.at, entry)) {
        return false;
    }
    if (!translate(s, device, event, &to)) { /* no such virtual processor: nothing has been moved */
        (void)entry_write(from.at, from.entry);
        return false;
    }
    if (pending && from.table != to.table) {
        set_pending(&from, false);
        set_pending(&to, true);
    }
    return true;
}

static bool on_vpe(const Its *s, const uint64_t c[4])
{
    uint64_t entry;
    V3Cpu *cpu = vpe_cpu(s, vpe_of(c), &entry);

    if (cpu) {
        cpu->vlpi.stale = true;
    }
    return cpu != NULL;
}

static bool run_virtual(const Its *s, unsigned number, const uint64_t c[4])
{
    switch (number) {
    case CMD_VMAPP: return map_vpe(s, c);
    case CMD_VMOVP: return move_vpe(s, c);
    case CMD_VMAPTI: return map_virtual_event(s, c, false);
    case CMD_VMAPI: return map_virtual_event(s, c, true);
    case CMD_VMOVI: return move_virtual_event(s, c);
    case CMD_VINVALL: return on_vpe(s, c);
    case CMD_VSYNC: return true;
    default: return false;
    }
}

static bool move_all(Its *s, const uint64_t c[4])
{
    uint64_t from = bits_get(c[2], 16, 36), to = bits_get(c[3], 16, 36);

    if (from >= s->gic->n_cpus || to >= s->gic->n_cpus) {
        return false;
    }
    v3_lpi_move_all(&s->gic->cpus[from], &s->gic->cpus[to]);
    return true;
}

static bool run_command(Its *s, const uint64_t c[4])
{
    unsigned number = c[0] & 0xff;
    V3Cpu *cpu;

    switch (number) {
    case CMD_MAPD: return map_device(s, c);
    case CMD_MAPC: return map_collection(s, c);
    case CMD_MAPTI: return map_event(s, c, false);
    case CMD_MAPI: return map_event(s, c, true);
    case CMD_MOVI: return move_event(s, c);
    case CMD_MOVALL: return move_all(s, c);
    case CMD_INT: case CMD_CLEAR: case CMD_DISCARD: case CMD_INV: return on_event(s, number, c);
    case CMD_INVALL:
        cpu = collection_cpu(s, c[2] & 0xffff);
        if (cpu) {
            cpu->lpi.stale = true;
        }
        return cpu != NULL;
    case CMD_SYNC: return true; /* everything has had its effect already */
    default: return has_virtual(s) && run_virtual(s, number, c);
    }
}

static uint64_t queue_bytes(const Its *s)
{
    return (bits_get(s->cbaser, 0, 8) + 1) * 4096;
}

/* Configuration may have changed: once for any number of INV and INVALL. */
static void look_again(Its *s)
{
    for (unsigned i = 0; i < s->gic->n_cpus; i++) {
        V3Cpu *cpu = &s->gic->cpus[i];
        V3Lpis *const sets[] = { &cpu->lpi, &cpu->vlpi };

        for (unsigned n = 0; n < ARRAY_SIZE(sets); n++) {
            if (sets[n]->stale) {
                sets[n]->stale = false;
                v3_lpi_find_best(cpu, sets[n]);
                v3_update_cpu(s->gic, cpu);
            }
        }
    }
}

static void take_commands(Its *s)
{
    uint64_t bytes = queue_bytes(s);

    for (unsigned n = 0; (s->ctlr & CTLR_ENABLED) && (s->cbaser & BIT(63)) && s->creadr != s->cwriter; n++) {
        uint8_t raw[COMMAND_BYTES];
        uint64_t c[4];

        if (n == COMMANDS_AT_ONCE) {
            timer_set_ns(&s->more, clock_get_ns(VM_CLOCK_VIRTUAL) + 1);
            return;
        }
        if (s->cwriter >= bytes || s->creadr >= bytes ||
            dma_read(memory(), (s->cbaser & bits_mask(12, 40)) + s->creadr, raw, sizeof(raw)) != MEM_OK) {
            log_guest_error("gicv3-its: the command queue is not in memory\n");
            return; /* stalls: 5.3.2 */
        }
        for (unsigned i = 0; i < 4; i++) {
            c[i] = ldle64(raw + 8 * i);
        }
        /* 5.3.3 lets an ITS ignore a command with an error. */
        if (!run_command(s, c)) {
            log_guest_error("gicv3-its: command 0x%x (%" PRIx64 " %" PRIx64 " %" PRIx64 ") is ignored\n", (unsigned)c[0] & 0xff, c[0], c[1], c[2]);
        }
        s->creadr = (s->creadr + COMMAND_BYTES) % bytes;
    }
}

static void run_commands(Its *s)
{
    take_commands(s);
    look_again(s);
}

static void go_on(void *opaque)
{
    run_commands(opaque);
}

/* -- registers ------------------------------------------------------------------------------------------------------------------------ */

static uint64_t typer(const Its *s)
{
    const uint64_t virtual = BIT(1) | BIT(37); /* virtual LPIs; VMOVP: one ITS is told of it */

    /* Physical LPIs; sizes of an ITT entry, ids and devices less one; CIL: collections have CIDbits. */
    return 1 | (ENTRY_BYTES - 1) << 4 | (ID_BITS - 1) << 8 | (DEVICE_BITS - 1) << 13 | (uint64_t)(COLLECTION_BITS - 1) << 32 | BIT(36) |
           (has_virtual(s) ? virtual : 0);
}

static uint64_t *wide_register(Its *s, uint64_t offset)
{
    offset &= ~UINT64_C(7);
    switch (offset) {
    case GITS_CBASER: return &s->cbaser;
    case GITS_CWRITER: return &s->cwriter;
    case GITS_CREADR: return &s->creadr;
    default: return offset >= GITS_BASER && offset < GITS_BASER + 8 * N_BASERS ? &s->baser[(offset - GITS_BASER) / 8] : NULL;
    }
}

static MemResult its_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Its *s = opaque;
    const uint64_t *wide = wide_register(s, offset);

    if (wide) {
        *ret = *wide >> 8 * (offset & 4);
    } else {
        switch (offset) {
        case GITS_CTLR: *ret = s->ctlr | (s->creadr == s->cwriter || !s->ctlr ? CTLR_QUIESCENT : 0); break;
        case GITS_IIDR: *ret = IIDR; break;
        case GITS_TYPER: *ret = typer(s); break;
        case GITS_TYPER + 4: *ret = typer(s) >> 32; break;
        default: *ret = v3_id_read(s->gic, offset, 0x94);
        }
    }
    *ret &= UINT64_MAX >> (64 - 8 * size);
    return MEM_OK;
}

static void write_wide(Its *s, uint64_t *reg, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t all = size == 8 ? value : bits_set(*reg, 8 * (offset & 4), 32, value);

    if (reg == &s->creadr) {
        return; /* read-only */
    }
    if (reg == &s->cwriter) {
        s->cwriter = all & bits_mask(5, 15); /* Retry, bit 0, has nothing to retry */
        run_commands(s);
        return;
    }
    /* 12.19: unpredictable while enabled; nothing changes then. */
    if (s->ctlr & CTLR_ENABLED) {
        log_guest_error("gicv3-its: write to register 0x%x while enabled\n", (unsigned)offset);
        return;
    }
    if (reg == &s->cbaser) {
        s->cbaser = all & CBASER_BITS;
        s->creadr = 0;
        return;
    }
    if (bits_get(*reg, 56, 3)) {
        uint64_t mask = bits_get(*reg, 56, 3) == BASER_COLLECTIONS ? BASER_BITS & ~BASER_INDIRECT : BASER_BITS;
        *reg = (*reg & ~mask) | (all & mask);
        if (bits_get(*reg, 8, 2) == 3) {
            *reg = bits_set(*reg, 8, 2, 2); /* reserved: as 64 KiB */
        }
    }
}

static MemResult its_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Its *s = opaque;
    uint64_t *wide = wide_register(s, offset);
    Translation t;

    if (wide) {
        write_wide(s, wide, offset, size, value);
    } else if (offset == GITS_CTLR) {
        s->ctlr = value & CTLR_ENABLED;
        run_commands(s);
    } else if (offset == GITS_TRANSLATER) {
        if (s->ctlr & CTLR_ENABLED && translate(s, attrs.requester_id, (uint32_t)value, &t)) {
            set_pending(&t, true);
        } else {
            log_guest_error("gicv3-its: message %u of device 0x%x means nothing\n", (unsigned)value, attrs.requester_id);
        }
    } else {
        log_guest_error("gicv3-its: write of 0x%" PRIx64 " to register 0x%x\n", value, (unsigned)offset);
    }
    return MEM_OK;
}

static bool accepts(void *opaque, uint64_t offset, unsigned size, bool is_write, MemAttrs attrs)
{
    if (offset == GITS_TRANSLATER) {
        return is_write && (size == 4 || size == 2);
    }
    return size == 4 || (size == 8 && (offset == GITS_TYPER || (offset >= GITS_CBASER && offset < GITS_BASER + 8 * N_BASERS)));
}

static const MemoryOps its_ops = {
    .read = its_read, .write = its_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 8 }, .impl = { .min = 1, .max = 8 },
    .accepts = accepts,
};

/* -- life ------------------------------------------------------------------------------------------------------------------------------- */

static bool realize(Device *dev, Error **errp)
{
    Its *s = (Its *)dev;

    memory_region_init_mmio(&s->mr, &dev->obj, &its_ops, s, "gicv3-its", FRAME_BYTES);
    device_add_mmio(dev, &s->mr);
    timer_init(&s->more, VM_CLOCK_VIRTUAL, go_on, s);
    return true;
}

static void unrealize(Device *dev)
{
    timer_cancel(&((Its *)dev)->more);
}

static void reset(Device *dev, ResetKind kind)
{
    Its *s = (Its *)dev;
    const uint64_t size = (uint64_t)(ENTRY_BYTES - 1) << 48 | 2 << 8; /* pages of 64 KiB */

    timer_cancel(&s->more);
    s->ctlr = 0;
    s->cbaser = s->cwriter = s->creadr = 0;
    memset(s->baser, 0, sizeof(s->baser));
    s->baser[0] = (uint64_t)BASER_DEVICES << 56 | size;
    s->baser[1] = (uint64_t)BASER_COLLECTIONS << 56 | size;
    s->baser[2] = has_virtual(s) ? (uint64_t)BASER_VPES << 56 | size : 0;
}

static bool post_load(void *opaque, uint32_t version, Error **errp)
{
    Its *s = opaque;

    if (s->cwriter % COMMAND_BYTES || s->creadr % COMMAND_BYTES || bits_get(s->baser[0], 56, 3) != BASER_DEVICES ||
        bits_get(s->baser[1], 56, 3) != BASER_COLLECTIONS || bits_get(s->baser[2], 56, 3) != (has_virtual(s) ? BASER_VPES : 0)) {
        error_set(errp, "ITS state: command queue or tables make no sense");
        return false;
    }
    return true;
}

static const StateField fields[] = {
    STATE_U(Its, ctlr), STATE_U(Its, cbaser), STATE_U(Its, cwriter), STATE_U(Its, creadr), STATE_U_ARRAY(Its, baser),
    STATE_TIMER_FIELD(Its, more),
};
static const StateDesc state = {
    .name = "arm-gicv3-its", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields), .post_load = post_load,
};

static const DeviceType type = {
    .type = { .name = "arm-gicv3-its", .parent = "sys-bus-device", .summary = "ARM GICv3 interrupt translation service",
              .size_bytes = sizeof(Its) },
    .category = DEVICE_MISC, .bus = "System", .state = &state, .realize = realize, .unrealize = unrealize, .reset_enter = reset,
};
DEVICE_TYPE_REGISTER(type);
