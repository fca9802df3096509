/*
 * fuzz-disk.c: hostile drivers of disk controllers: AHCI, NVMe, virtio-scsi, the PIIX's IDE channels and the floppy controller, on the
 * `virt` board with an ISA bus added. Registers of all of them, command lists, queues and descriptor tables in guest memory that
 * loop, point nowhere or ask for too much, SCSI commands of all kinds, resets and media changes in between.
 *
 * Input: operations of 8 bytes: kind, region, offset (2), value (4). OP_BURST makes a row of set-ups from a random number generator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block/block.h"
#include "hw/ide.h"
#include "hw/isa.h"
#include "hw/pci.h"
#include "hw/prop-hooks.h"
#include "hw/virtio-types.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "tests/fuzz/fuzz.h"

enum { OP_BYTES = 8, OP_WRITE = 0, OP_READ = 1, OP_POKE = 2, OP_BURST = 3, OP_RUN = 4, OP_KINDS = 5, MAX_REGIONS = 32, RAM_BYTES = 4 << 20 };
#define RAM UINT64_C(0x80000000)
#define ABAR UINT64_C(0x40000000)
#define NVME UINT64_C(0x40100000)

const char *const fuzz_seeds[] = {
    "\x03\x01\x01\x01\x11\x12\x13\x14\x03\x01\x01\x01\x22\x33\x44\x55\x04\x01\x01\x01\x01\x01\x01\x01",
    "\x03\x02\x01\x01\x21\x42\x63\x14\x01\x01\x02\x01\x01\x01\x01\x01",
    "\x01\x01\x18\x01\x11\x01\x01\x01\x01\x01\x38\x01\xff\xff\xff\xff\x04\x01\x01\x01\x01\x01\x01\x01", NULL
};
const char *const fuzz_words[] = { "\x03\x01\x01\x01", "\x04\x01\x01\x01\x01\x01\x01\x01", "\xff\xff\xff\xff", "\xec", "\xc8", "\xa0", NULL };

static Machine *machine;
static MemoryRegion *regions[MAX_REGIONS];
static unsigned n_regions;
static MemoryRegion io_root, bus_master;
static AddressSpace io;
static Device *ahci, *nvme, *ide, *fdc;
static VirtioScsi *scsi;

static void check(bool ok, Error *err)
{
    if (!ok) {
        fprintf(stderr, "fuzz-disk: %s\n", error_message(err));
        exit(1);
    }
}

static void disk(const char *id, const char *options)
{
    char *text = xasprintf("{\"driver\": \"null-co\", \"node-name\": \"%s\", %s}", id, options);
    Json *json = json_parse_string(text, NULL);
    Error *err = NULL;

    check(blockdev_add(json, &err), err);
    json_free(json);
    free(text);
}

static Device *add(const char *type, const char *const *opts)
{
    Error *err = NULL;
    Device *dev = device_add(type, opts, &err);

    check(dev != NULL, err);
    return dev;
}

#define ADD(type, ...) add(type, (const char *const[]){ __VA_ARGS__, NULL })

static void collect(Device *dev, void *opaque)
{
    for (unsigned i = 0; i <= PCI_ROM_BAR && object_is_a(&dev->obj, "pci-device"); i++) {
        MemoryRegion *mr = PCI_DEVICE(dev)->bars[i].mr;
        if (mr && n_regions < MAX_REGIONS) {
            regions[n_regions++] = mr;
        }
    }
}

/* The floppy controller's DMA: one channel that goes on whenever it is asked for. */
static IsaDmaTransfer *dma_fn;
static void *dma_opaque;
static uint32_t dma_len;

static void dma_set(void *controller, unsigned channel, IsaDmaTransfer *transfer, void *opaque)
{
    dma_fn = transfer;
    dma_opaque = opaque;
}

static void dma_hold(void *controller, unsigned channel)
{
    if (dma_fn && dma_len) {
        uint32_t len = dma_len;
        dma_len = 0;
        dma_fn(dma_opaque, 2, 0, len);
    }
}

static void dma_release(void *controller, unsigned channel) { }

static void dma_get(void *controller, unsigned channel, void *buf, uint32_t pos, uint32_t len)
{
    memory_read(&machine->memory, RAM + pos, buf, len, MEM_ATTRS_NONE);
}

static void dma_put(void *controller, unsigned channel, const void *buf, uint32_t pos, uint32_t len)
{
    memory_write(&machine->memory, RAM + pos, buf, len, MEM_ATTRS_NONE);
}

static const IsaDmaOps dma_ops = { dma_set, dma_hold, dma_release, dma_get, dma_put, NULL };

static void line(void *opaque, int n, int level) { }

static bool set_drive(Object *obj, const Property *prop, void *field, const char *text, Error **errp)
{
    *(BlockBackend **)field = *text ? block_find(text) : NULL;
    return true;
}

static const PropHooks drive_hooks = { .set = set_drive };

static void start(void)
{
    static Irq irqs[ISA_N_IRQS];
    Irq *pirqs[ISA_N_IRQS];
    Error *err = NULL;

    error_set_program("fuzz-disk");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    property_set_hooks(PROP_DRIVE, &drive_hooks);
    machine = machine_new(machine_type_find("virt", "riscv64"), "riscv64");
    machine->firmware = xstrdup("none");
    machine->ram_bytes = RAM_BYTES;
    check(machine_build(machine, &err), err);
    memory_region_init(&io_root, NULL, "isa-io", 0x10000);
    address_space_init(&io, &io_root, "isa-io");
    IsaBus *isa = isa_bus_new(NULL, "isa.0", &machine->system_memory, &io_root);
    for (int i = 0; i < ISA_N_IRQS; i++) {
        irq_init(&irqs[i], line, NULL, i);
        pirqs[i] = &irqs[i];
    }
    isa_bus_set_irqs(isa, pirqs);
    isa_bus_set_dma(isa, &dma_ops, NULL);
    disk("d0", "\"size\": 1048576");
    disk("d1", "\"size\": 1048576");
    disk("d2", "\"size\": 1048576, \"read-only\": true");
    disk("d3", "\"size\": 1048576");
    disk("d4", "\"size\": 4194304");
    disk("d5", "\"size\": 1048576");
    disk("d6", "\"size\": 1048576, \"read-only\": true");
    disk("d7", "\"size\": 1048576");
    disk("f0", "\"size\": 1474560");
    disk("spare", "\"size\": 737280, \"read-only\": true");
    ahci = ADD("ich9-ahci", "id", "sata");
    ADD("ide-hd", "drive", "d0", "bus", "sata.0");
    ADD("ide-cd", "drive", "d2", "bus", "sata.1", "id", "cd0");
    nvme = ADD("nvme", "id", "nvme0", "serial", "n", "drive", "d3");
    ADD("nvme-ns", "drive", "d4", "bus", "nvme0", "logical_block_size", "4096", "physical_block_size", "4096");
    scsi = (VirtioScsi *)ADD("virtio-scsi-device", "id", "vs");
    ADD("scsi-hd", "drive", "d5", "bus", "vs.0", "scsi-id", "0", "serial", "s");
    ADD("scsi-cd", "drive", "d6", "bus", "vs.0", "scsi-id", "1", "id", "cd1");
    ide = ADD("piix3-ide", "id", "piix");
    ADD("ide-hd", "drive", "d1", "bus", "piix.0");
    ADD("ide-cd", "bus", "piix.1", "id", "cd2");
    fdc = device_create("isa-fdc", isa_bus_as_bus(isa), NULL, &err);
    check(fdc != NULL, err);
    static const char *const floppy[] = { "drive", "f0", NULL };
    check(device_create("floppy", fdc->first_bus, floppy, &err) != NULL, err);
    check(machine_ready(machine, &err), err);
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
    device_foreach(collect, NULL);
    /* An alias, since the bridge maps the BAR itself, in PCI's I/O space, as the commands will have it. */
    memory_region_init_alias(&bus_master, NULL, "bus-master", PCI_DEVICE(ide)->bars[4].mr, 0, PCI_DEVICE(ide)->bars[4].size_bytes);
    memory_region_add(&io_root, 0xc000, &bus_master);
}

/* -- small things --------------------------------------------------------------------------------------------------------------- */

static uint64_t rng_state;

static uint32_t pick(uint32_t below)
{
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % below);
}

static void poke(gpa addr, unsigned size, uint64_t value)
{
    memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    memory_store(&io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
}

static uint32_t in(uint16_t port, unsigned size)
{
    uint64_t value = 0;
    memory_load(&io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
    return (uint32_t)value;
}

static gpa some_address(void)
{
    static const gpa odd[] = { RAM + RAM_BYTES - 8, RAM - 4, 0, ABAR + 0x100, NVME + 0x14, UINT64_MAX - 7, UINT64_C(1) << 63, 0x30000000 };
    return pick(8) ? RAM + pick(256) * 0x1000 + (pick(4) ? 0 : pick(4096)) : odd[pick(ARRAY_SIZE(odd))];
}

static uint64_t some_lba(void)
{
    return pick(4) ? pick(2048) : pick(2) ? 2040 + pick(16) : (uint64_t)pick(UINT32_MAX) << pick(32);
}

static void enable(Device *dev, unsigned bar, gpa addr)
{
    unsigned bdf = PCI_DEVICE(dev)->devfn;

    pci_config_write(pci_first_root(), bdf, PCI_BAR0 + bar * 4, 4, (uint32_t)addr);
    pci_config_write(pci_first_root(), bdf, PCI_BAR0 + bar * 4 + 4, bar < 5 ? 4 : 1, 0);
    pci_config_write(pci_first_root(), bdf, PCI_COMMAND, 2, pick(16) ? 7 : pick(8));
}

static const uint8_t ata_commands[] = {
    0x06, 0x08, 0x10, 0x20, 0x24, 0x25, 0x27, 0x29, 0x2f, 0x30, 0x34, 0x35, 0x39, 0x3d, 0x40, 0x42, 0x60, 0x61, 0x70, 0x90, 0x91, 0xa0,
    0xa0, 0xa0, 0xa1, 0xb0, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xce, 0xe0, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0xf8,
};
static const uint8_t scsi_commands[] = {
    0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1d, 0x1e, 0x23, 0x25, 0x28, 0x2a, 0x2b, 0x2e, 0x2f, 0x35, 0x41, 0x42, 0x43, 0x46,
    0x4a, 0x51, 0x52, 0x55, 0x5a, 0x88, 0x8a, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xad, 0xbb, 0xbd, 0xbe,
};

static void some_cdb(uint8_t *cdb)
{
    for (unsigned i = 0; i < 16; i++) {
        cdb[i] = pick(3) ? 0 : (uint8_t)pick(256);
    }
    cdb[0] = pick(16) ? scsi_commands[pick(ARRAY_SIZE(scsi_commands))] : (uint8_t)pick(256);
    cdb[8] = pick(2) ? (uint8_t)pick(64) : cdb[8];
}

/* -- AHCI ------------------------------------------------------------------------------------------------------------------------ */

static void hostile_ahci(void)
{
    gpa port = ABAR + 0x100 + pick(3) * 0x80, list = RAM + pick(4) * 0x400, table = RAM + 0x10000 + pick(4) * 0x1000;
    unsigned slots = 1 + pick(4);

    enable(ahci, 5, ABAR);
    if (pick(3) == 0) {
        poke(port + 0x18, 4, pick(2) ? 0x10 : 0);
    }
    poke(port, 4, pick(16) ? list : some_address());
    poke(port + 8, 4, pick(16) ? RAM + 0x8000 : some_address());
    poke(port + 0x14, 4, pick(2) ? UINT32_MAX : pick(UINT32_MAX));
    for (unsigned n = 0; n < slots; n++) {
        uint8_t cdb[16], command = pick(16) ? ata_commands[pick(ARRAY_SIZE(ata_commands))] : (uint8_t)pick(256);
        uint64_t lba = some_lba();
        poke(list + n * 32, 4, (pick(16) ? 5 : pick(32)) | pick(2) << 6 | pick(2) << 5 | (pick(8) ? pick(20) : pick(65536)) << 16);
        poke(list + n * 32 + 8, 8, pick(16) ? table : some_address());
        poke(table, 4, (pick(16) ? 0x8027 : pick(65536)) | (uint32_t)command << 16 | (pick(4) ? pick(17) : pick(256)) << 24);
        poke(table + 4, 4, (uint32_t)(lba & 0xffffff) | (pick(8) ? 0x40u : pick(256)) << 24);
        poke(table + 8, 4, (uint32_t)(lba >> 24 & 0xffffff) | (pick(8) ? 0 : pick(256)) << 24);
        poke(table + 12, 4, command == 0x60 || command == 0x61 ? n << 3 : pick(4) ? pick(40) : pick(65536));
        some_cdb(cdb);
        for (unsigned i = 0; i < 16; i++) {
            poke(table + 0x40 + i, 1, cdb[i]);
        }
        for (unsigned i = 0; i < 20; i++) {
            poke(table + 0x80 + i * 16, 8, some_address());
            poke(table + 0x8c + i * 16, 4, pick(4) ? pick(8192) : pick(UINT32_MAX));
        }
    }
    poke(port + 0x18, 4, 0x11);
    poke(port + 0x34, 4, pick(1u << slots));
    poke(port + 0x38, 4, pick(4) ? (1u << slots) - 1 : pick(UINT32_MAX));
    if (!pick(6)) {
        poke(port + 0x2c, 4, 1);
        poke(port + 0x2c, 4, 0);
    }
    if (!pick(20)) {
        poke(ABAR + 4, 4, pick(2) ? 1 : 0x80000002);
    }
}

/* -- NVMe ------------------------------------------------------------------------------------------------------------------------- */

static void nvme_command(gpa at)
{
    static const uint8_t opcodes[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };

    for (unsigned i = 0; i < 64; i += 4) {
        poke(at + i, 4, pick(4) ? 0 : pick(UINT32_MAX));
    }
    poke(at, 4, (pick(16) ? opcodes[pick(ARRAY_SIZE(opcodes))] : pick(256)) | pick(256) << 16 | (pick(16) ? 0 : pick(256) << 8));
    poke(at + 4, 4, pick(8) ? pick(4) : pick(2) ? UINT32_MAX : pick(300));
    poke(at + 24, 8, some_address());
    poke(at + 32, 8, some_address());
    poke(at + 40, 4, pick(3) ? pick(8) | pick(16) << 16 : pick(UINT32_MAX));
    poke(at + 44, 4, pick(3) ? 1 | pick(4) << 16 : pick(UINT32_MAX));
    poke(at + 48, 4, pick(3) ? pick(256) : pick(UINT32_MAX));
}

static void hostile_nvme(void)
{
    unsigned queue = pick(3);

    enable(nvme, 0, NVME);
    if (!pick(6)) {
        poke(NVME + 0x14, 4, 0);
        poke(NVME + 0x24, 4, pick(8) ? 0x000f000f : pick(UINT32_MAX));
        poke(NVME + 0x28, 8, pick(16) ? RAM + 0x20000 : some_address());
        poke(NVME + 0x30, 8, pick(16) ? RAM + 0x21000 : some_address());
        poke(NVME + 0x14, 4, pick(16) ? 0x00460001 | pick(3) << 7 : pick(UINT32_MAX));
    }
    if (!pick(4)) { /* queues by the book */
        gpa at = RAM + 0x20000;
        for (unsigned i = 0; i < 16; i++) {
            nvme_command(at + i * 64);
            poke(at + i * 64, 1, i & 1 ? 1 : 5);
            poke(at + i * 64 + 24, 8, RAM + 0x22000 + (i & 3) * 0x1000);
            poke(at + i * 64 + 40, 4, (1 + (i >> 1) % 2) | 7 << 16);
            poke(at + i * 64 + 44, 4, i & 1 ? 1 | (1 + (i >> 1) % 2) << 16 : 3);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        gpa ring = queue ? RAM + 0x23000 + (queue - 1) * 0x2000 : RAM + 0x20000;
        if (pick(2)) {
            nvme_command(ring + i * 64);
        }
    }
    for (unsigned i = 0; i < 16; i++) { /* what may be taken for PRP lists */
        poke(RAM + pick(256) * 0x1000 + pick(512) * 8, 8, some_address());
    }
    poke(NVME + 0x1000 + queue * 8, 4, pick(8) ? pick(16) : pick(UINT32_MAX));
    poke(NVME + 0x1004 + pick(3) * 8, 4, pick(8) ? pick(16) : pick(UINT32_MAX));
    if (!pick(8)) {
        poke(NVME + (pick(2) ? 0x2000 + pick(64) * 4 : pick(0x1000)), 4, pick(2) ? some_address() : pick(UINT32_MAX));
    }
}

/* -- IDE and floppy ----------------------------------------------------------------------------------------------------------------- */

static void hostile_ide(void)
{
    uint16_t base = pick(2) ? 0x1f0 : 0x170, bm = base == 0x1f0 ? 0xc000 : 0xc008;
    uint64_t lba = some_lba();
    uint8_t command = pick(16) ? ata_commands[pick(ARRAY_SIZE(ata_commands))] : (uint8_t)pick(256), cdb[16];

    pci_config_write(pci_first_root(), PCI_DEVICE(ide)->devfn, PCI_COMMAND, 2, pick(16) ? 5 : pick(8));
    for (unsigned i = 0; i < 16; i++) {
        poke(RAM + 0x40000 + i * 8, 4, (uint32_t)some_address());
        poke(RAM + 0x40004 + i * 8, 4, (pick(4) ? pick(8192) : pick(65536)) | (pick(8) ? 0 : 0x80000000));
    }
    out((uint16_t)(bm + 4), 4, pick(8) ? (uint32_t)RAM + 0x40000 : pick(UINT32_MAX));
    out((uint16_t)(base + 6), 1, pick(8) ? 0xe0 | pick(2) << 4 : pick(256));
    for (unsigned twice = 0; twice < 2; twice++) {
        out((uint16_t)(base + 1), 1, pick(256));
        out((uint16_t)(base + 2), 1, pick(4) ? pick(20) : pick(256));
        for (unsigned i = 0; i < 3; i++) {
            out((uint16_t)(base + 3 + i), 1, (uint8_t)(lba >> (i + (twice ? 0 : 3)) * 8));
        }
    }
    if (!pick(3)) {
        out((uint16_t)(base + 4), 1, pick(2) ? pick(8) : 0x4f);
        out((uint16_t)(base + 5), 1, pick(2) ? 0 : 0xc2);
    }
    out((uint16_t)(base + 7), 1, command);
    some_cdb(cdb);
    for (unsigned i = 0; command == 0xa0 && i < 6; i++) {
        out(base, 2, cdb[2 * i] | (uint32_t)cdb[2 * i + 1] << 8);
    }
    out(bm, 1, pick(4) ? 1 | pick(2) * 8 : pick(256));
    for (unsigned n = pick(700); n; n--) {
        if (pick(2)) {
            in(base, 1u << pick(3));
        } else {
            out(base, 1u << pick(3), pick(UINT32_MAX));
        }
        if (!pick(64)) {
            loop_run_once(loop_main(), false);
        }
    }
    if (!pick(4)) {
        out((uint16_t)(base + 0x206), 1, pick(8));
    }
    if (!pick(3)) {
        out(bm, 1, 0);
        out((uint16_t)(bm + 2), 1, pick(256));
    }
    in((uint16_t)(base + pick(8)), 1);
}

static void hostile_fdc(void)
{
    static const uint8_t commands[] = { 0xe6, 0xc6, 0x46, 0xc5, 0x45, 0x4d, 0x4a, 0x0f, 0x07, 0x08, 0x03, 0x04, 0x10, 0x13, 0x0e, 0x12, 0x56,
                                        0x51, 0x59, 0x5d, 0x8f, 0xcf, 0x14, 0x94, 0x18, 0x2e, 0x4e, 0x42, 0x8e };
    uint8_t command = pick(16) ? commands[pick(ARRAY_SIZE(commands))] : (uint8_t)pick(256);

    if (!pick(8)) {
        out(0x3f2, 1, pick(2) ? 0 : pick(256));
    }
    out(0x3f2, 1, 0x1c | pick(2));
    out(0x3f7, 1, pick(4) ? 0 : pick(256));
    dma_len = pick(4) ? 512 * (1 + pick(40)) : pick(100000);
    out(0x3f5, 1, command);
    out(0x3f5, 1, pick(8) ? pick(2) << 2 : pick(256));
    out(0x3f5, 1, pick(4) ? pick(4) : pick(256));
    for (unsigned i = 0; i < 7; i++) {
        out(0x3f5, 1, pick(3) ? (uint32_t[]){ 0, 1, 2, 18, 0x1b, 0xff }[pick(6)] : pick(256));
    }
    for (unsigned n = pick(1200); n; n--) {
        if (pick(4)) {
            in((uint16_t)(0x3f1 + pick(5)), 1);
        } else {
            out(0x3f5, 1, pick(256));
        }
    }
}

/* -- SCSI units ------------------------------------------------------------------------------------------------------------------------ */

typedef struct Command {
    ScsiRequest req;
    bool waits;
} Command;

static uint8_t scsi_data[300000];
static unsigned scsi_under_way;

static void scsi_complete(ScsiRequest *req)
{
    scsi_under_way--;
    free(req->opaque);
}

static void scsi_part(ScsiRequest *req, uint8_t *buf, uint32_t len)
{
    for (uint32_t i = 0; req->to_device && i < len; i++) {
        buf[i] = (uint8_t)(i < 64 ? pick(256) : 0);
    }
    if (!pick(16)) {
        scsi_abort(req);
        scsi_under_way--;
        free(req->opaque);
    } else {
        scsi_continue(req);
    }
}

static const ScsiRequestOps scsi_ops = { .data = scsi_part, .complete = scsi_complete };

static void hostile_scsi(void)
{
    ScsiDevice *sd = scsi_bus_find(&scsi->bus, 0, pick(2), 0, NULL);
    Command *c = xnew(Command);
    struct iovec iov[3] = { { scsi_data, pick(3) ? pick(4096) : pick(100000) }, { scsi_data + 100000, pick(70000) },
                            { scsi_data + 200000, pick(2) ? 0 : pick(100000) } };

    some_cdb(c->req.cdb);
    c->req.ops = &scsi_ops;
    c->req.opaque = c;
    scsi_parse(&sd->unit, &c->req);
    if (pick(2)) {
        c->req.iov = iov;
        c->req.n_iov = 3;
        c->req.iov_bytes = iov[0].iov_len + iov[1].iov_len + iov[2].iov_len;
        if (c->req.to_device) {
            for (unsigned i = 0; i < 64; i++) {
                scsi_data[i] = (uint8_t)(pick(2) ? 0 : pick(256));
            }
        }
    }
    scsi_under_way++;
    scsi_start(&sd->unit, &c->req);
    /* The vector is on our stack and the data in one place: one at a time. */
    while (scsi_under_way) {
        loop_run_once(loop_main(), true);
    }
}

static void change_media(void)
{
    static const char *const drives[] = { "cd0", "cd1", "cd2" };
    BlockBackend *blk = block_find_owned(drives[pick(3)], NULL, NULL);

    switch (pick(4)) {
    case 0: (void)!block_eject(blk, pick(2), NULL); break;
    case 1: (void)!block_open_tray(blk, pick(2), NULL); break;
    case 2: (void)!block_insert_medium(blk, "spare", NULL); break;
    default: (void)!block_close_tray(blk, NULL); break;
    }
}

static void burst(uint64_t seed)
{
    rng_state = seed;
    for (unsigned i = 0; i < 48; i++) {
        switch (pick(8)) {
        case 0: case 1: hostile_ahci(); break;
        case 2: case 3: hostile_nvme(); break;
        case 4: hostile_ide(); break;
        case 5: hostile_fdc(); break;
        case 6: hostile_scsi(); break;
        default:
            if (pick(8)) {
                change_media();
            } else if (!pick(4)) {
                machine_reset(machine, RESET_COLD);
                device_reset(fdc, RESET_COLD);
            }
            break;
        }
        if (!pick(3)) {
            loop_run_once(loop_main(), false);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!machine) {
        start();
    }
    for (size_t at = 0; at + OP_BYTES <= size; at += OP_BYTES) {
        const uint8_t *op = data + at;
        MemoryRegion *mr = regions[op[1] % n_regions];
        uint64_t offset = (op[2] | (uint64_t)op[3] << 8) % memory_region_size(mr), value;
        uint32_t word = op[4] | (uint32_t)op[5] << 8 | (uint32_t)op[6] << 16 | (uint32_t)op[7] << 24;
        unsigned width = 1u << (op[0] >> 4) % 3;
        switch (op[0] % OP_KINDS) {
        case OP_WRITE:
            memory_region_write(mr, offset & ~(uint64_t)(width - 1), width, MEM_LITTLE_ENDIAN, word, MEM_ATTRS_NONE);
            break;
        case OP_READ:
            memory_region_read(mr, offset & ~(uint64_t)(width - 1), width, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
            break;
        case OP_POKE: poke(RAM + (op[1] | (uint32_t)op[2] << 8) * 16, 4, word); break;
        case OP_BURST: burst(word | (uint64_t)op[1] << 32); break;
        case OP_RUN: loop_run_once(loop_main(), false); break;
        }
    }
    /* Nothing may be left that a next input would meet. */
    block_drain_all();
    machine_reset(machine, RESET_COLD);
    device_reset(fdc, RESET_COLD);
    return 0;
}
