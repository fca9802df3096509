/*
 * hw-devices.c: the contract (contract.h) of every device of the `virt` board, and their behaviour as their data sheets
 * say.
 */
#include <fcntl.h>
#include <unistd.h>
#include "block/block.h"
#include "hw/fw_cfg.h"
#include "hw/riscv/aplic.h"
#include "hw/riscv/harts.h"
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "tests/hw/chardev-double.h"
#include "tests/hw/contract.h"
#include "tests/test.h"
#include "util/parse.h"

static Machine *machine;

/* --- behaviour --- */

static Device *find(const char *type)
{
    for (Device *dev = machine->sysbus.first; dev; dev = dev->bus_next) {
        if (!strcmp(dev->obj.type->name, type)) {
            return dev;
        }
    }
    CHECK(!"device is there");
    return NULL;
}

static uint32_t ld(gpa addr, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, &value,
                         MEM_ATTRS_NONE), MEM_OK);
    return (uint32_t)value;
}

static void st(gpa addr, unsigned size, uint64_t value)
{
    CHECK_EQ(memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value,
                          MEM_ATTRS_NONE), MEM_OK);
}

enum { UART = 0x10000000, PLIC = 0xc000000, CLINT = 0x2000000, RTC = 0x101000 };

/* Which interrupt lines of hart 0 and 1 are up: bit n of [hart]. */
static uint64_t hart_up[2];

static void fake_irq(struct Vcpu *vcpu, unsigned line, bool level)
{
    uint64_t *up = (uint64_t *)vcpu;

    *up = level ? *up | 1ull << line : *up & ~(1ull << line);
}

static struct Vcpu *fake_create(Machine *m, unsigned index, const char *model, uint64_t pc,
                                Error **errp)
{
    return (struct Vcpu *)&hart_up[index];
}

static void fake_time(struct Vcpu *vcpu, Device *mtimer)
{
}

static bool fake_info(struct Vcpu *vcpu, HartInfo *ret)
{
    return true;
}

static const HartOps fake_harts = { fake_create, fake_irq, fake_time, fake_info };

static void test_uart(void)
{
    machine_reset(machine, RESET_COLD);
    CHECK_EQ(ld(UART + 5, 1), 0x60);
    CHECK_EQ(ld(UART + 2, 1), 1);
    st(UART + 3, 1, 0x83);
    st(UART + 0, 1, 0x34);
    st(UART + 1, 1, 0x12);
    CHECK_EQ(ld(UART + 0, 1), 0x34);
    CHECK_EQ(ld(UART + 1, 1), 0x12);
    st(UART + 3, 1, 0x03);
    st(UART + 7, 1, 0x5a);
    CHECK_EQ(ld(UART + 7, 1), 0x5a);
    /* Output, with back-pressure. */
    double_out_len = 0;
    st(UART + 0, 1, 'h');
    CHECK(double_out_len == 1 && double_out[0] == 'h');
    st(UART + 2, 1, 1);
    double_blocked = true;
    for (unsigned i = 0; i < 16; i++) {
        st(UART + 0, 1, 'a' + i);
        CHECK(!(ld(UART + 5, 1) & 0x60));
    }
    double_unblock();
    CHECK(double_out_len == 17 && double_out[16] == 'a' + 15);
    CHECK_EQ(ld(UART + 5, 1) & 0x60, 0x60);
    /* Transmitter-empty interrupt: raised by enabling it, taken away by reading IIR. */
    st(UART + 1, 1, 2);
    CHECK_EQ(ld(UART + 2, 1), 0xc2);
    CHECK_EQ(ld(UART + 2, 1), 0xc1);
    /* Input: trigger level, then the data-ready interrupt. */
    st(UART + 1, 1, 1);
    st(UART + 2, 1, 0x41); /* trigger at 4 */
    CHECK_EQ(double_input("xyz", 3), 3);
    CHECK_EQ(ld(UART + 2, 1) & 0xf, 1);
    CHECK_EQ(double_input("w", 1), 1);
    CHECK_EQ(ld(UART + 2, 1), 0xc4);
    CHECK_EQ(ld(UART, 1), 'x');
    CHECK_EQ(ld(UART + 2, 1) & 0xf, 1);
    CHECK_EQ(double_input("0123456789abcdefgh", 18), 13);
    CHECK_EQ(ld(UART + 5, 1) & 1, 1);
    for (unsigned i = 0; i < 16; i++) {
        ld(UART, 1);
    }
    CHECK_EQ(ld(UART + 5, 1) & 1, 0);
    /* Break and line status. */
    st(UART + 1, 1, 4);
    double_break();
    CHECK_EQ(ld(UART + 2, 1) & 0xf, 6);
    CHECK_EQ(ld(UART + 5, 1) & 0x11, 0x11);
    CHECK_EQ(ld(UART + 2, 1) & 0xf, 1);
    ld(UART, 1);
    /* Loop-back: bytes and modem lines. */
    st(UART + 4, 1, 0x1f);
    CHECK_EQ(ld(UART + 6, 1) & 0xf0, 0xf0);
    st(UART + 0, 1, 'L');
    CHECK_EQ(ld(UART, 1), 'L');
    CHECK_EQ(double_input("no", 2), 0);
    st(UART + 4, 1, 0);
}

static void test_plic(void)
{
    Device *plic = find("riscv.sifive.plic");

    machine_reset(machine, RESET_COLD);
    CHECK_EQ(hart_up[0] | hart_up[1], 0);
    st(PLIC + 4 * 5, 4, 2);
    st(PLIC + 4 * 6, 4, 7);
    st(PLIC + 4 * 0, 4, 7);
    CHECK_EQ(ld(PLIC, 4), 0);
    CHECK_EQ(ld(PLIC + 4 * 6, 4), 7);
    st(PLIC + 0x2000, 4, ~0u);
    CHECK_EQ(ld(PLIC + 0x2000, 4), ~1u);
    st(PLIC + 0x2000, 4, 0x60);
    st(PLIC + 0x2080 + 0x100, 4, 0x40); /* context 3: hart 1, S */
    irq_raise(device_irq_in(plic, NULL, 5));
    CHECK_EQ(ld(PLIC + 0x1000, 4), 0x20);
    CHECK_EQ(hart_up[0], 1ull << HART_IRQ_MEI);
    CHECK_EQ(hart_up[1], 0);
    irq_raise(device_irq_in(plic, NULL, 6));
    CHECK_EQ(hart_up[1], 1ull << HART_IRQ_SEI);
    CHECK_EQ(ld(PLIC + 0x200004, 4), 6); /* the higher priority first */
    CHECK_EQ(hart_up[1], 0);             /* claimed by somebody else */
    CHECK_EQ(ld(PLIC + 0x200004, 4), 5);
    CHECK_EQ(ld(PLIC + 0x200004, 4), 0);
    CHECK_EQ(hart_up[0], 0);
    irq_lower(device_irq_in(plic, NULL, 5));
    st(PLIC + 0x200004, 4, 5);
    CHECK_EQ(hart_up[0], 0);
    st(PLIC + 0x200004, 4, 6);           /* still high: again */
    CHECK_EQ(hart_up[0], 1ull << HART_IRQ_MEI);
    st(PLIC + 0x200000, 4, 7);           /* threshold */
    CHECK_EQ(hart_up[0], 0);
    CHECK_EQ(ld(PLIC + 0x200004, 4), 6); /* masks notification only */
    irq_lower(device_irq_in(plic, NULL, 6));
    st(PLIC + 0x200004, 4, 6);
    CHECK_EQ(hart_up[1], 0);
    uint64_t value;
    CHECK(memory_load(&machine->memory, PLIC, 2, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE));
}

static void test_clint(void)
{
    machine_reset(machine, RESET_COLD);
    st(CLINT + 4, 4, 1);
    CHECK_EQ(hart_up[1], 1ull << HART_IRQ_MSI);
    CHECK_EQ(ld(CLINT + 4, 4), 1);
    st(CLINT + 4, 4, 0xfffffffe);
    CHECK_EQ(hart_up[1], 0);
    st(CLINT + 0x4000, 8, 0);
    CHECK_EQ(hart_up[0], 1ull << HART_IRQ_MTI);
    st(CLINT + 0x4004, 4, 0x7fffffff);
    CHECK_EQ(hart_up[0], 0);
    CHECK_EQ(ld(CLINT + 0x4004, 4), 0x7fffffff);
    /* Setting mtime moves the deadline. */
    st(CLINT + 0xbff8, 8, 0x8000000000000000);
    CHECK_EQ(hart_up[0], 1ull << HART_IRQ_MTI);
    CHECK_EQ(ld(CLINT + 0xbffc, 4), 0x80000000);
    Device *mtimer = find("riscv.aclint.mtimer");
    uint64_t now = aclint_mtime(mtimer);
    CHECK_EQ(aclint_deadline_ns(mtimer, now + 10), clock_get_ns(VM_CLOCK_VIRTUAL) + 1000);
    CHECK_EQ(aclint_deadline_ns(mtimer, UINT64_MAX), INT64_MAX);
}

static void test_rtc(void)
{
    machine_reset(machine, RESET_COLD);
    uint64_t low = ld(RTC, 4), high = ld(RTC + 4, 4);
    int64_t now = (int64_t)(high << 32 | low);
    CHECK(now <= rtc_now_ns() && now > rtc_now_ns() - NS_PER_SECOND);
    st(RTC + 4, 4, 0x10);
    st(RTC, 4, 0);
    ld(RTC, 4);
    CHECK_EQ(ld(RTC + 4, 4), 0x10);
    /* An alarm in the past fires at once; on the PLIC as source 11. */
    st(RTC + 0x10, 4, 1);
    st(RTC + 0xc, 4, 0);
    st(RTC + 0x8, 4, 1);
    CHECK_EQ(ld(PLIC + 0x1000, 4), 1u << 11);
    st(RTC + 0x1c, 4, 1);
    CHECK_EQ(ld(RTC + 0x18, 4), 0);
}

static void test_fw_cfg(void)
{
    enum { FW = 0x10100000 };
    uint8_t desc[16], buf[16];

    machine_reset(machine, RESET_COLD);
    st(FW + 8, 2, 0); /* selector 0, the same in both byte orders */
    CHECK_EQ(ld(FW, 4), 0x554d4551); /* "QEMU" in string order */
    CHECK_EQ(ld(FW, 1), 0);
    CHECK_EQ(memory_ld_be64(&machine->memory, FW + 16, NULL), 0x51454d5520434647);
    CHECK_EQ(memory_ld_be32(&machine->memory, FW + 20, NULL), 0x20434647);
    CHECK(fw_cfg_add_file(find("fw_cfg_mem"), "opt/test", "hello", 5, NULL));
    Error *err = NULL;
    CHECK(!fw_cfg_add_file(find("fw_cfg_mem"), "opt/test", "hello", 5, &err));
    error_free(err);
    /* DMA: select the file, read 8 bytes of which 5 are there. */
    memory_fill(&machine->memory, 0x80001000, 0xee, 64, MEM_ATTRS_NONE);
    memset(desc, 0, sizeof(desc));
    desc[1] = 0x20;
    desc[3] = 8 | 2;
    desc[7] = 8;
    desc[12] = 0x80;
    desc[14] = 0x10;
    memory_write(&machine->memory, 0x80002000, desc, 16, MEM_ATTRS_NONE);
    CHECK_EQ(memory_store(&machine->memory, FW + 16, 8, MEM_BIG_ENDIAN, 0x80002000,
                          MEM_ATTRS_NONE), MEM_OK);
    memory_read(&machine->memory, 0x80001000, buf, 9, MEM_ATTRS_NONE);
    CHECK(!memcmp(buf, "hello\0\0\0\xee", 9));
    CHECK_EQ(memory_ld_be32(&machine->memory, 0x80002000, NULL), 0);
    /* A descriptor or buffer that is not there: an error, no hang. */
    CHECK_EQ(memory_store(&machine->memory, FW + 16, 8, MEM_BIG_ENDIAN, 0x4000,
                          MEM_ATTRS_NONE), MEM_OK);
    desc[12] = 0;
    desc[4] = 0xff;
    memory_write(&machine->memory, 0x80002000, desc, 16, MEM_ATTRS_NONE);
    memory_store(&machine->memory, FW + 16, 8, MEM_BIG_ENDIAN, 0x80002000, MEM_ATTRS_NONE);
    CHECK_EQ(memory_ld_be32(&machine->memory, 0x80002000, NULL), 1);
}

/* --- APLIC: two domains that are not on the board's map --- */

static Device *aplic_root, *aplic_leaf;
static int aplic_out[2];

static void aplic_line(void *opaque, int n, int level)
{
    ((int *)opaque)[n] = level;
}

static void aplic_make(void)
{
    static const char *const props[] = { "num-harts", "2", "num-irqs", "40", "iprio-mask", "7",
                                         "aperture-size", "0x8000", "mmode", "on", NULL };

    aplic_root = device_create("riscv.aplic", NULL, props, NULL);
    aplic_leaf = device_create("riscv.aplic", NULL, props, NULL);
    aplic_set_child(aplic_root, aplic_leaf);
    for (int i = 0; i < 2; i++) {
        device_connect_irq(aplic_leaf, NULL, (unsigned)i, irq_new(aplic_line, aplic_out, i));
    }
}

static uint32_t reg_ld(Device *dev, uint64_t offset)
{
    uint64_t value;

    CHECK_EQ(memory_region_read(device_mmio(dev, 0), offset, 4, MEM_LITTLE_ENDIAN, &value,
                                MEM_ATTRS_NONE), MEM_OK);
    return (uint32_t)value;
}

static void reg_st(Device *dev, uint64_t offset, uint32_t value)
{
    CHECK_EQ(memory_region_write(device_mmio(dev, 0), offset, 4, MEM_LITTLE_ENDIAN, value,
                                 MEM_ATTRS_NONE), MEM_OK);
}

static void test_aplic(void)
{
    Device *leaf = aplic_leaf;

    machine_reset(machine, RESET_COLD);
    CHECK_EQ(reg_ld(leaf, 0), 0x80000000);
    reg_st(leaf, 0, 0xffffffff);
    CHECK_EQ(reg_ld(leaf, 0), 0x80000100);
    reg_st(leaf, 4 * 5, 0x400);             /* no child of its own: cannot delegate */
    CHECK_EQ(reg_ld(leaf, 4 * 5), 0);
    reg_st(aplic_root, 4 * 5, 0x400);
    reg_st(aplic_root, 4 * 6, 0x400);
    CHECK_EQ(reg_ld(aplic_root, 4 * 5), 0x400);
    reg_st(leaf, 0x3004 + 4 * 4, 1 << 18 | 3);
    CHECK_EQ(reg_ld(leaf, 0x3004 + 4 * 4), 0); /* inactive */
    reg_st(leaf, 4 * 5, 6);
    reg_st(leaf, 4 * 6, 4);
    reg_st(leaf, 0x3000 + 4 * 5, 1 << 18 | 3);
    reg_st(leaf, 0x3000 + 4 * 6, 1 << 18);
    CHECK_EQ(reg_ld(leaf, 0x3000 + 4 * 6), 1 << 18 | 1); /* priority 0 becomes 1 */
    reg_st(leaf, 0x1edc, 5);
    reg_st(leaf, 0x1edc, 6);
    CHECK_EQ(reg_ld(leaf, 0x1e00), 0x60);
    reg_st(leaf, 0x4020, 1);
    irq_raise(device_irq_in(aplic_root, NULL, 5));
    CHECK_EQ(reg_ld(leaf, 0x1c00), 0x20);
    CHECK_EQ(reg_ld(leaf, 0x1d00), 0x20);
    CHECK(!aplic_out[0] && aplic_out[1]);
    CHECK_EQ(reg_ld(leaf, 0x4020 + 0x18), 5 << 16 | 3);
    irq_raise(device_irq_in(aplic_root, NULL, 6));
    irq_lower(device_irq_in(aplic_root, NULL, 6));
    CHECK_EQ(reg_ld(leaf, 0x4020 + 0x1c), 6 << 16 | 1); /* the edge was kept; claimed */
    CHECK_EQ(reg_ld(leaf, 0x4020 + 0x1c), 5 << 16 | 3); /* a level stays */
    CHECK(aplic_out[1]);
    reg_st(leaf, 0x4020 + 8, 3); /* threshold: only more important than 3 */
    CHECK(!aplic_out[1]);
    reg_st(leaf, 0x4020 + 8, 0);
    CHECK(aplic_out[1]);
    irq_lower(device_irq_in(aplic_root, NULL, 5));
    CHECK(!aplic_out[1]);
    CHECK_EQ(reg_ld(leaf, 0x4020 + 0x1c), 0);
    reg_st(leaf, 0x1cdc, 6); /* software sets an edge source */
    CHECK(aplic_out[1]);
    reg_st(leaf, 0x1fdc, 6);
    CHECK(!aplic_out[1]);
}

/* The flash as a driver for two 16-bit chips sees it. */
static char flash_file[] = "/tmp/hw-devices-flash-XXXXXX";

static void test_flash(void)
{
    enum { FLASH = 0x20000000, BLOCK = FLASH + 0x40000 };
    uint8_t buf[8];

    machine_reset(machine, RESET_COLD);
    CHECK_EQ(ld(FLASH, 4), 0xddccbbaa); /* from the drive */
    st(FLASH + 0x55 * 4, 4, 0x00980098);
    CHECK_EQ(ld(FLASH + 0x10 * 4, 4), 0x00510051); /* "QRY" of both */
    CHECK_EQ(ld(FLASH + 0x12 * 4, 4), 0x00590059);
    CHECK_EQ(ld(FLASH + 0x27 * 4, 4), 0x00180018); /* 2^24 bytes each */
    CHECK_EQ(ld(FLASH + 0x2d * 4, 4), 0x007f007f); /* 128 blocks… */
    CHECK_EQ(ld(FLASH + 0x30 * 4, 4), 0x00020002); /* …of 2 * 64 KiB */
    st(FLASH, 4, 0x00900090);
    CHECK_EQ(ld(FLASH, 4), 0x00890089);
    CHECK_EQ(ld(FLASH + 4, 4), 0x00180018);
    st(FLASH, 4, 0x00ff00ff);
    CHECK_EQ(ld(FLASH, 4), 0xddccbbaa);
    st(BLOCK, 4, 0x00200020);
    st(BLOCK, 4, 0x00d000d0);
    CHECK_EQ(ld(BLOCK, 4), 0x00800080);
    st(BLOCK, 4, 0x00ff00ff);
    CHECK_EQ(ld(BLOCK + 0x3fffc, 4), 0xffffffff);
    CHECK_EQ(ld(BLOCK + 0x40000, 4), 0);
    st(BLOCK + 8, 4, 0x00400040);
    st(BLOCK + 8, 4, 0x12345678);
    CHECK_EQ(ld(BLOCK, 4), 0x00800080);
    st(BLOCK, 4, 0x00400040);
    st(BLOCK + 8, 4, 0xf0f0f0f0); /* bits can only be cleared */
    st(BLOCK, 4, 0x00ff00ff);
    CHECK_EQ(ld(BLOCK + 8, 4), 0x10305070);
    st(BLOCK + 0x100, 4, 0x00e800e8);
    CHECK_EQ(ld(BLOCK, 4), 0x00800080);
    st(BLOCK + 0x100, 4, 0x00030003);
    for (unsigned i = 0; i < 4; i++) {
        st(BLOCK + 0x100 + 4 * i, 4, 0x11111111 * (i + 1));
    }
    st(BLOCK + 0x100, 4, 0x00d000d0);
    CHECK_EQ(ld(BLOCK, 4), 0x00800080);
    st(BLOCK, 4, 0x00ff00ff);
    CHECK_EQ(ld(BLOCK + 0x10c, 4), 0x44444444);
    CHECK_EQ(ld(BLOCK + 0x110, 4), 0xffffffff);
    /* A broken sequence is told, and cleared. */
    st(BLOCK, 4, 0x00200020);
    st(BLOCK, 4, 0x00000000);
    CHECK_EQ(ld(BLOCK, 4) & 0x30, 0x30);
    st(BLOCK, 4, 0x00500050);
    st(BLOCK, 4, 0x00700070);
    CHECK_EQ(ld(BLOCK, 4), 0); /* how UEFI firmware tells flash from ROM (cfi-pflash.c) */
    st(BLOCK + 8, 4, 0x00400040);
    st(BLOCK + 8, 4, UINT32_MAX);
    CHECK_EQ(ld(BLOCK, 4), 0x00800080); /* the next operation was done */
    st(BLOCK, 4, 0x00ff00ff);
    int fd = open(flash_file, O_RDONLY);
    CHECK(pread(fd, buf, 4, 0x40000 + 0x104) == 4 && !memcmp(buf, "\x22\x22\x22\x22", 4));
    close(fd);
}

/* A chip as PC firmware has it: a number of blocks that is no power of two; secure=on shuts its commands to all but SMM. */
static void test_secure_flash(void)
{
    static const char *const props[] = { "num-blocks", "132", "sector-length", "4096", "width", "1", "secure", "on", "name", "vars", NULL };
    Device *dev = device_create("cfi.pflash01", NULL, props, NULL);
    const MemAttrs plain = MEM_ATTRS_NONE, secure = { .secure = true };
    uint64_t value;

    CHECK(dev != NULL);
    if (!dev) {
        return;
    }
    device_reset(dev, RESET_COLD);
    MemoryRegion *mr = device_mmio(dev, 0);
    CHECK_EQ(mr->size, 132 * 4096);
#define FLASH_WRITE(at, v, attrs) CHECK(memory_region_write(mr, at, 1, MEM_LITTLE_ENDIAN, v, attrs) == MEM_OK)
#define FLASH_READ(at, attrs) (CHECK(memory_region_read(mr, at, 1, MEM_LITTLE_ENDIAN, &value, attrs) == MEM_OK), value)
    FLASH_WRITE(131 * 4096, 0x20, plain);
    FLASH_WRITE(131 * 4096, 0xd0, plain);
    CHECK_EQ(FLASH_READ(131 * 4096, plain), 0);
    FLASH_WRITE(131 * 4096, 0x20, secure);
    FLASH_WRITE(131 * 4096, 0xd0, secure);
    CHECK_EQ(FLASH_READ(131 * 4096, secure), 0x80);
    CHECK_EQ(FLASH_READ(131 * 4096 + 1, plain), 0xff); /* others go on reading the contents */
    FLASH_WRITE(0, 0xff, plain);
    CHECK_EQ(FLASH_READ(130 * 4096, secure), 0x80);
    FLASH_WRITE(0, 0x98, secure);
    CHECK_EQ(FLASH_READ(0x27, secure), 20); /* half a MiB and more: 2^20 bytes hold it */
    FLASH_WRITE(0, 0xff, secure);
    CHECK_EQ(FLASH_READ(131 * 4096 + 4095, secure), 0xff);
    device_unrealize(dev);
}

static void flash_drive(void)
{
    int fd = mkstemp(flash_file);
    Error *err = NULL;

    CHECK(fd >= 0 && !ftruncate(fd, 32 << 20) && pwrite(fd, "\xaa\xbb\xcc\xdd", 4, 0) == 4);
    close(fd);
    char *text = xasprintf("if=pflash,format=raw,file=%s", flash_file);
    if (!drive_add(text, "virtio", 0, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        exit(1);
    }
    free(text);
}

static void test_objects(void)
{
    Error *err = NULL;
    PropValue value;

    Object *plic = object_resolve("/machine/unattached/device[2]", NULL);
    CHECK(plic && !strcmp(plic->type->name, "riscv.sifive.plic"));
    CHECK(object_property_get(plic, "num-sources", &value, NULL) && value.u == 96);
    CHECK(object_property_get(plic, "type", &value, NULL) &&
          !strcmp(value.s, "riscv.sifive.plic"));
    prop_value_finish(&value);
    CHECK(!object_property_parse(plic, "num-sources", "4", &err));
    error_free(err);
    err = NULL;
    CHECK(!device_add("nonsense", NULL, &err));
    CHECK(err && !strcmp(error_message(err), "'nonsense' is not a valid device model name"));
    error_free(err);
    err = NULL;
    CHECK(!device_add("riscv.sifive.plic", NULL, &err));
    error_free(err);
    err = NULL;
    const char *opts[] = { "size", "4M", NULL };
    CHECK(object_create_user("memory-backend-ram", "mem0", opts, NULL));
    CHECK(!object_create_user("memory-backend-ram", "mem0", opts, &err));
    error_free(err);
    err = NULL;
    const char *bad[] = { "size", "4Q", NULL };
    CHECK(!object_create_user("memory-backend-ram", "mem1", bad, &err));
    error_free(err);
    err = NULL;
    Object *mem = object_resolve("/objects/mem0", NULL);
    CHECK(mem && object_property_get(mem, "size", &value, NULL) && value.u == 4 * MiB);
    CHECK(object_delete_user("mem0", NULL));
    CHECK(!object_resolve("/objects/mem0", NULL));
    uint64_t size;
    CHECK(parse_size("1.5G", &size, NULL) && size == 1536 * MiB);
    CHECK(!parse_size("-1", &size, NULL) && !parse_size("1x", &size, NULL) &&
          !parse_size("99999999999E", &size, NULL));
}

static void test_smp(void)
{
    SmpConfig smp = { .cpus = 8, .sockets = 2, .threads = 2 };
    Error *err = NULL;

    CHECK(machine_set_smp(machine, &smp, NULL));
    CHECK(machine->smp.cores == 2 && machine->smp.max_cpus == 8);
    CHECK(!machine_set_smp(machine, &(SmpConfig){ .cpus = 513 }, &err));
    error_free(err);
    err = NULL;
    CHECK(!machine_set_smp(machine, &(SmpConfig){ .cpus = 3, .cores = 2 }, &err));
    error_free(err);
    err = NULL;
    CHECK(!machine_set_smp(machine, &(SmpConfig){ .cpus = 4, .max_cpus = 2 }, &err));
    error_free(err);
    CHECK(machine_set_smp(machine, &(SmpConfig){ .cpus = 2 }, NULL));
}

int main(void)
{
    Error *err = NULL;
    unsigned n = 0;

    bql_lock();
    harts_set_ops(&fake_harts);
    machine = machine_new(machine_type_find("virt", "riscv64"), "riscv64");
    test_smp();
    machine->firmware = xstrdup("none");
    flash_drive();
    if (!machine_build(machine, &err) || !machine_ready(machine, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    machine_reset(machine, RESET_COLD);
    /* The reset code is in ROM and keeps to its place. */
    CHECK_EQ(ld(0x1000, 4), 0x00000297);
    aplic_make();
    device_foreach(contract_check, &n);
    CHECK_EQ(contract_failures(), 0);
    CHECK(n >= 8);
    test_uart();
    test_plic();
    test_clint();
    test_rtc();
    test_fw_cfg();
    test_flash();
    test_secure_flash();
    test_aplic();
    test_objects();
    unlink(flash_file);
    return test_result();
}
