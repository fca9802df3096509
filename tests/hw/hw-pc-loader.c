/*
 * hw-pc-loader.c: kernels for PCs, boot order, option ROMs, the memory map: what firmware finds in fw_cfg.
 *
 * Images are made here; with arguments (hw-pc-loader KERNEL INITRD) a real bzImage is loaded too. Damaged images must be
 * refused with a line, whatever their bytes are.
 */
#include "hw/boot.h"
#include "hw/fw_cfg.h"
#include "hw/i386/e820.h"
#include "hw/i386/kernel.h"
#include "hw/pci.h"
#include "softmmu/bql.h"
#include "softmmu/datadir.h"
#include "tests/test.h"
#include "util/bits.h"

static Machine *machine;
static Device *fw_cfg;
static char directory[] = "/tmp/hw-pc-loader-XXXXXX";

static char *write_file(const char *name, const void *data, size_t len)
{
    char *path = xasprintf("%s/%s", directory, name);
    FILE *f = fopen(path, "wb");

    CHECK(f && fwrite(data, 1, len, f) == len);
    fclose(f);
    return path;
}

static uint32_t item32(uint16_t key)
{
    uint32_t len;
    const uint8_t *p = fw_cfg_item(fw_cfg, key, &len);

    return p && len == 4 ? ldle32(p) : UINT32_MAX;
}

static void new_fw_cfg(void)
{
    fw_cfg = device_create("fw_cfg_mem", sysbus_get(), NULL, NULL);
}

/* Loads image bytes as -kernel into a new fw_cfg; *ret_error is the message or NULL. */
static bool load(const uint8_t *image, size_t len, const char *append, const char *initrd, char **ret_error)
{
    X86Kernel k = { .machine = machine, .below_4g_bytes = 512 * MiB, .acpi_data_bytes = 0x28000, .pvh = true,
                    .linuxboot_dma = true };
    Error *err = NULL;

    new_fw_cfg();
    k.fw_cfg = fw_cfg;
    free(machine->kernel);
    free(machine->append);
    free(machine->initrd);
    machine->kernel = write_file("kernel", image, len);
    machine->append = append ? xstrdup(append) : NULL;
    machine->initrd = initrd ? xstrdup(initrd) : NULL;
    bool ok = x86_load_kernel(&k, &err);
    CHECK(ok == !err);
    if (ret_error) {
        *ret_error = err ? xstrdup(error_message(err)) : NULL;
    }
    error_free(err);
    machine_drop_roms(machine, machine->kernel);
    return ok;
}

static bool refused(const uint8_t *image, size_t len, const char *append, const char *initrd, const char *word)
{
    char *text;
    bool ok = load(image, len, append, initrd, &text);
    bool match = !ok && text && strstr(text, word) && !strchr(text, '\n');

    if (!match) {
        fprintf(stderr, "expected '%s', got %s\n", word, text ? text : "success");
    }
    free(text);
    return match;
}

/* ---- bzImage ---- */

enum { BZ_BYTES = 0x1400 + 5000 };

static uint8_t *bzimage(unsigned version)
{
    uint8_t *d = xcalloc(1, BZ_BYTES);

    for (unsigned i = 0x1400; i < BZ_BYTES; i++) {
        d[i] = (uint8_t)(i * 7);
    }
    d[0x1f1] = 9;
    stle16(d + 0x1fe, 0xaa55);
    memcpy(d + 0x202, "HdrS", 4);
    stle16(d + 0x206, (uint16_t)version);
    d[0x211] = 1;
    stle32(d + 0x22c, 0x7fffffff);
    stle32(d + 0x238, 2047);
    return d;
}

static void test_bzimage(void)
{
    uint8_t *d = bzimage(0x20f), initrd_bytes[10000];
    char *initrd, long_line[3000];
    uint32_t len;

    memset(initrd_bytes, 0x5a, sizeof(initrd_bytes));
    initrd = write_file("initrd", initrd_bytes, sizeof(initrd_bytes));
    CHECK(load(d, BZ_BYTES, "console=ttyS0 vga=0x317", initrd, NULL));
    CHECK_EQ(item32(FW_CFG_SETUP_SIZE), 0x1400);
    CHECK_EQ(item32(FW_CFG_SETUP_ADDR), 0x10000);
    CHECK_EQ(item32(FW_CFG_KERNEL_ADDR), 0x100000);
    CHECK_EQ(item32(FW_CFG_KERNEL_SIZE), 5000);
    CHECK_EQ(item32(FW_CFG_CMDLINE_ADDR), 0x20000);
    CHECK_EQ(item32(FW_CFG_CMDLINE_SIZE), 24);
    CHECK_EQ(item32(FW_CFG_INITRD_SIZE), 10000);
    /* As high as it goes below the ACPI tables at the end of memory. */
    CHECK_EQ(item32(FW_CFG_INITRD_ADDR), (512 * MiB - 0x28000 - 10000) & ~UINT64_C(4095));
    const uint8_t *setup = fw_cfg_item(fw_cfg, FW_CFG_SETUP_DATA, &len);
    CHECK_EQ(len, 0x1400);
    CHECK_EQ(setup[0x210], 0xb0);
    CHECK_EQ(setup[0x211], 0x81);
    CHECK_EQ(ldle16(setup + 0x1fa), 0x317);
    CHECK_EQ(ldle16(setup + 0x224), 0xfe00);
    CHECK_EQ(ldle32(setup + 0x228), 0x20000);
    CHECK_EQ(ldle32(setup + 0x218), item32(FW_CFG_INITRD_ADDR));
    CHECK_EQ(ldle32(setup + 0x21c), 10000);
    const uint8_t *kernel = fw_cfg_item(fw_cfg, FW_CFG_KERNEL_DATA, &len);
    CHECK(len == 5000 && !memcmp(kernel, d + 0x1400, len));
    kernel = fw_cfg_item(fw_cfg, FW_CFG_INITRD_DATA, &len);
    CHECK(len == 10000 && !memcmp(kernel, initrd_bytes, len));
    CHECK(fw_cfg_file(fw_cfg, "genroms/linuxboot_dma.bin", &len) && len == 4);

    /* Boot protocol 2.01: the command line is found by a magic number at 20h. */
    stle16(d + 0x206, 0x201);
    CHECK(load(d, BZ_BYTES, "x", NULL, NULL));
    setup = fw_cfg_item(fw_cfg, FW_CFG_SETUP_DATA, &len);
    CHECK_EQ(ldle16(setup + 0x20), 0xa33f);
    CHECK_EQ(ldle16(setup + 0x22), 0x10000 & 0xffff);
    CHECK_EQ(ldle32(setup + 0x228), 0);
    CHECK_EQ(item32(FW_CFG_INITRD_SIZE), UINT32_MAX);

    stle16(d + 0x206, 0x20f);
    CHECK(load(d, BZ_BYTES, "a vga=ask", NULL, NULL));
    CHECK_EQ(ldle16(fw_cfg_item(fw_cfg, FW_CFG_SETUP_DATA, &len) + 0x1fa), 0xfffd);
    CHECK(load(d, BZ_BYTES, "xvga=zz", NULL, NULL)); /* not that parameter */
    CHECK(refused(d, BZ_BYTES, "vga=zz", NULL, "vga="));
    memset(long_line, 'x', sizeof(long_line) - 1);
    long_line[sizeof(long_line) - 1] = 0;
    CHECK(refused(d, BZ_BYTES, long_line, NULL, "command line"));
    CHECK(refused(d, 0x1400, NULL, NULL, "cut short"));
    CHECK(refused(d, 100, NULL, NULL, "boot header"));
    CHECK(refused((const uint8_t *)"hello\n", 6, NULL, NULL, "boot header"));
    CHECK(refused(d, BZ_BYTES, NULL, "/tmp/no/such/initrd", "initrd"));
    d[0x211] = 0;
    CHECK(refused(d, BZ_BYTES, NULL, NULL, "zImage"));
    d[0x211] = 1;
    stle32(d + 0x22c, 0x101000); /* an initrd must lie below 1 MiB and a page */
    CHECK(refused(d, BZ_BYTES, NULL, initrd, "too large"));
    free(d);
    free(initrd);
}

/* ---- Multiboot ---- */

enum { MB_BYTES = 0x2000 };

/* An ELF file: 0x100 bytes at 1 MiB from offset 0x1000, followed by 0x300 of zeros, entry 1 MiB + 0x10. */
static uint8_t *elf32(void)
{
    uint8_t *d = xcalloc(1, MB_BYTES);

    memcpy(d, "\x7f" "ELF\1\1\1", 7);
    stle16(d + 16, 2);
    stle16(d + 18, 3);
    stle32(d + 24, 0x100010);
    stle32(d + 28, 0x34);
    stle16(d + 42, 32);
    stle16(d + 44, 1);
    stle32(d + 0x34, 1);
    stle32(d + 0x38, 0x1000);
    stle32(d + 0x3c, 0xc0100000);
    stle32(d + 0x40, 0x100000);
    stle32(d + 0x44, 0x100);
    stle32(d + 0x48, 0x400);
    memset(d + 0x1000, 0x77, 0x100);
    return d;
}

static void put_header(uint8_t *d, uint32_t flags)
{
    stle32(d + 0x100, 0x1badb002);
    stle32(d + 0x104, flags);
    stle32(d + 0x108, 0u - 0x1badb002 - flags);
}

static void test_multiboot(void)
{
    uint8_t *d = elf32();
    char *module = write_file("module,1", "MODULE", 6), *initrd = xasprintf("%s/module,,1 with words,%s/module,,1", directory, directory);
    uint32_t len;

    put_header(d, 3);
    CHECK(load(d, MB_BYTES, "the arguments", initrd, NULL));
    CHECK_EQ(item32(FW_CFG_KERNEL_ENTRY), 0x100010);
    CHECK_EQ(item32(FW_CFG_KERNEL_ADDR), 0x100000);
    const uint8_t *blob = fw_cfg_item(fw_cfg, FW_CFG_KERNEL_DATA, &len);
    CHECK_EQ(len, item32(FW_CFG_KERNEL_SIZE));
    CHECK(len > 0x3000 && blob[0] == 0x77 && blob[0xff] == 0x77 && !blob[0x100] && !blob[0x3ff]);
    uint32_t info_len;
    const uint8_t *info = fw_cfg_item(fw_cfg, FW_CFG_INITRD_DATA, &info_len);
    CHECK_EQ(info_len, 88);
    CHECK_EQ(item32(FW_CFG_INITRD_ADDR), 0x9500);
    CHECK_EQ(ldle32(info), 0x24f);
    CHECK_EQ(ldle32(info + 20), 2);
    CHECK_EQ(ldle32(info + 48), 0x9000);
    const uint8_t *mods = blob + (ldle32(info + 24) - 0x100000);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t start = ldle32(mods + 16 * i), end = ldle32(mods + 16 * i + 4);
        CHECK_EQ(start % 4096, 0);
        CHECK_EQ(end - start, 6);
        CHECK(!memcmp(blob + (start - 0x100000), "MODULE", 6));
        const char *text = (const char *)blob + (ldle32(mods + 16 * i + 8) - 0x100000);
        CHECK(strstr(text, "module,1") && (strstr(text, " with words") != NULL) == (i == 0));
    }
    const char *line = (const char *)blob + (ldle32(info + 16) - 0x100000);
    CHECK(!strncmp(line, machine->kernel, strlen(machine->kernel)) && strstr(line, " the arguments"));
    CHECK(fw_cfg_file(fw_cfg, "genroms/multiboot_dma.bin", &len) != NULL);

    /* Without ELF: addresses in the header. */
    uint8_t *flat = xcalloc(1, 0x800);
    put_header(flat, 1 << 16);
    stle32(flat + 0x10c, 0x200100);
    stle32(flat + 0x110, 0x200000);
    stle32(flat + 0x118, 0x203000);
    stle32(flat + 0x11c, 0x200004);
    flat[0] = 0x99;
    CHECK(load(flat, 0x800, NULL, NULL, NULL));
    CHECK_EQ(item32(FW_CFG_KERNEL_ADDR), 0x200000);
    CHECK_EQ(item32(FW_CFG_KERNEL_ENTRY), 0x200004);
    CHECK_EQ(fw_cfg_item(fw_cfg, FW_CFG_KERNEL_DATA, &len)[0], 0x99);
    stle32(flat + 0x118, 0xffffffff);
    CHECK(refused(flat, 0x800, NULL, NULL, "memory"));
    stle32(flat + 0x10c, 0x1000);
    CHECK(refused(flat, 0x800, NULL, NULL, "addresses"));
    put_header(flat, 8);
    CHECK(refused(flat, 0x800, NULL, NULL, "features"));
    put_header(flat, 0);
    CHECK(refused(flat, 0x800, NULL, NULL, "no ELF"));
    CHECK(refused(d, 0x1080, NULL, NULL, "cut short"));
    CHECK(refused(d, MB_BYTES, NULL, "/tmp/no/such/module", "module"));
    free(flat);
    free(d);
    free(module);
    free(initrd);
}

/* ---- PVH ---- */

static void test_pvh(void)
{
    uint8_t *d = elf32();
    uint32_t len;

    /* A second program header: notes at 0x1800, the wanted one behind another. */
    stle16(d + 44, 2);
    stle32(d + 0x54, 4);
    stle32(d + 0x58, 0x1800);
    stle32(d + 0x64, 0x40);
    memcpy(d + 0x1800, "\6\0\0\0\2\0\0\0\1\0\0\0Linux\0\0\0ab\0\0", 24);
    memcpy(d + 0x1818, "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0\x20\x01\x10\0", 20);
    CHECK(load(d, MB_BYTES, "quiet", NULL, NULL));
    CHECK_EQ(item32(FW_CFG_KERNEL_ENTRY), 0x100120);
    CHECK_EQ(item32(FW_CFG_KERNEL_ADDR), 0x100000);
    CHECK_EQ(item32(FW_CFG_KERNEL_SIZE), 0x400);
    CHECK_EQ(item32(FW_CFG_CMDLINE_SIZE), 6);
    CHECK(fw_cfg_file(fw_cfg, "genroms/pvh.bin", &len) != NULL);
    stle32(d + 0x1820, 0x13); /* another note */
    CHECK(refused(d, MB_BYTES, NULL, NULL, "PVH"));
    stle32(d + 0x1820, 0x12);
    stle32(d + 0x1800, 0xfffffff0);
    CHECK(refused(d, MB_BYTES, NULL, NULL, "PVH"));
    free(d);
}

/* Whatever the bytes are: a message or success. */
static void test_damage(void)
{
    uint8_t *images[3] = { bzimage(0x20f), elf32(), elf32() };
    size_t lens[3] = { BZ_BYTES, MB_BYTES, MB_BYTES };
    uint64_t seed = 1;

    put_header(images[1], 3);
    memcpy(images[2] + 0x1818, "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0\x20\x01\x10\0", 20);
    stle16(images[2] + 44, 2);
    stle32(images[2] + 0x54, 4);
    stle32(images[2] + 0x58, 0x1818);
    stle32(images[2] + 0x64, 20);
    for (unsigned n = 0; n < 600; n++) {
        uint8_t *copy = xmemdup(images[n % 3], lens[n % 3]);
        for (unsigned k = 0; k < 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t range = n % 3 == 0 ? 0x260 : k == 2 ? 0x120 : 0x80;
            copy[(n % 3 == 0 ? 0x1f0 : 0x10) + (seed >> 33) % (range - (n % 3 == 0 ? 0x1f0 : 0x10))] = (uint8_t)(seed >> 56);
        }
        load(copy, lens[n % 3], "a", NULL, NULL);
        free(copy);
    }
    for (unsigned i = 0; i < 3; i++) {
        free(images[i]);
    }
}

/* ---- memory map ---- */

static void test_e820(void)
{
    static const E820Entry entries[] = {
        { 0, 512 * MiB, E820_RAM }, { 0xfffc0000, 0, E820_RESERVED }, { 4 * GiB, 3 * GiB, E820_RAM },
    };
    uint32_t len;

    new_fw_cfg();
    CHECK(e820_install(fw_cfg, entries, ARRAY_SIZE(entries), NULL));
    const uint8_t *p = fw_cfg_file(fw_cfg, "etc/e820", &len);
    CHECK_EQ(len, 40);
    CHECK_EQ(ldle64(p + 8), 512 * MiB);
    CHECK_EQ(ldle64(p + 20), 4 * GiB);
    CHECK_EQ(ldle64(p + 28), 3 * GiB);
    CHECK_EQ(ldle32(p + 36), E820_RAM);
}

/* ---- boot order, ROMs ---- */

static Device *plug(const char *type, const char *const *props)
{
    Error *err = NULL;
    Device *dev = device_create(type, bus_find("pcie.0"), props, &err);

    if (!dev) {
        fprintf(stderr, "%s\n", error_message(err));
        exit(1);
    }
    return dev;
}

static void check_order(const char *expected)
{
    uint32_t len;
    const char *text = (const char *)fw_cfg_file(fw_cfg, "bootorder", &len);

    if (len != strlen(expected) + 1 || memcmp(text, expected, len)) {
        fprintf(stderr, "order: %.*s\n", (int)len, text);
    }
    CHECK(len == strlen(expected) + 1 && !memcmp(text, expected, len));
}

static char last_order[8];

static void set_order(void *opaque, const char *order)
{
    snprintf(last_order, sizeof(last_order), "%s", order);
}

static void test_boot(void)
{
    static const char *const nic1[] = { "addr", "3", "bootindex", "7", "romfile", "", NULL };
    static const char *const nic2[] = { "addr", "4.1", "bootindex", "2", "romfile", "rom.bin", NULL };
    static const char *const nic3[] = { "addr", "5", "romfile", "rom.bin", "rombar", "0", NULL };
    static const char *const nic4[] = { "addr", "6", "bootindex", "7", "romfile", "", NULL };
    uint8_t rom[3000] = { 0x55, 0xaa, 6 };
    Error *err = NULL;
    uint32_t len;

    rom[2999] = 0x42;
    free(write_file("rom.bin", rom, sizeof(rom)));
    free(write_file("splash.bmp", "BM______________________________________", 40));
    CHECK(device_create("gpex-pcihost", sysbus_get(), NULL, &err) != NULL);
    Device *first = plug("virtio-net-pci", nic1), *second = plug("e1000", nic2);
    plug("virtio-net-pci", nic3);
    CHECK(!device_create("virtio-net-pci", bus_find("pcie.0"), nic4, &err));
    CHECK(err && strstr(error_message(err), "bootindex 7 has already been used"));
    error_free(err);
    err = NULL;

    machine->boot.strict = machine->boot.menu = true;
    machine->boot.once = xstrdup("n");
    machine->boot_order = xstrdup("dc");
    machine->boot.splash_time_ms = 0x1234;
    snprintf(machine->uuid, sizeof(machine->uuid), "11223344-5566-7788-99aa-bbccddeeff00");
    CHECK(boot_add_option_rom("pvh.bin", 5, &err));
    CHECK(!boot_add_option_rom("nowhere.bin", 5, &err));
    error_free(err);
    err = NULL;
    new_fw_cfg();
    CHECK(boot_install(machine, fw_cfg, &err));
    boot_set_handler(machine, set_order, NULL);
    CHECK(!strcmp(last_order, "n"));
    machine_reset(machine, RESET_COLD);
    check_order("/rom@genroms/linuxboot_dma.bin\n/pci@i0cf8/ethernet@4,1/ethernet-phy@0\n/rom@genroms/pvh.bin\n"
                "/pci@i0cf8/ethernet@3/ethernet-phy@0\nHALT");
    CHECK(object_property_parse(&first->obj, "bootindex", "1", &err));
    CHECK(!strcmp(last_order, "n"));
    machine_reset(machine, RESET_COLD);
    CHECK(!strcmp(last_order, "dc"));
    check_order("/rom@genroms/linuxboot_dma.bin\n/pci@i0cf8/ethernet@3/ethernet-phy@0\n"
                "/pci@i0cf8/ethernet@4,1/ethernet-phy@0\n/rom@genroms/pvh.bin\nHALT");
    CHECK(fw_cfg_file(fw_cfg, "genroms/pvh.bin", &len) && len == 4);
    CHECK(fw_cfg_file(fw_cfg, "genroms/rom.bin", &len) && len == sizeof(rom)); /* rombar=0 */
    CHECK_EQ(ldle16(fw_cfg_file(fw_cfg, "etc/boot-menu-wait", &len)), 0x1234);
    CHECK_EQ(ldle32(fw_cfg_file(fw_cfg, "etc/boot-fail-wait", &len)), UINT32_MAX);
    CHECK_EQ(ldle16(fw_cfg_item(fw_cfg, FW_CFG_BOOT_MENU, &len)), 1);
    CHECK_EQ(ldbe32(fw_cfg_item(fw_cfg, FW_CFG_UUID, &len)), 0x11223344);
    machine->boot.splash = xasprintf("%s/splash.bmp", directory);
    new_fw_cfg();
    CHECK(!boot_install(machine, fw_cfg, &err)); /* not 24 bits */
    CHECK(err && strstr(error_message(err), "format not recognized"));
    error_free(err);

    /* The ROM BAR: 4 KiB, enabled by bit 0. */
    PciBus *root = PCI_BUS(bus_find("pcie.0"));
    unsigned devfn = PCI_DEVICE(second)->devfn;
    pci_config_write(root, devfn, PCI_ROM, 4, 0xffffffff);
    CHECK_EQ(pci_config_read(root, devfn, PCI_ROM, 4), 0xfffff001);
    pci_config_write(root, devfn, PCI_ROM, 4, 0x50000001);
    pci_config_write(root, devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    CHECK_EQ(PCI_DEVICE(second)->bars[PCI_ROM_BAR].addr, 0x50000000);
    CHECK(memory_region_host(PCI_DEVICE(second)->bars[PCI_ROM_BAR].mr) != NULL);
    CHECK_EQ(((uint8_t *)memory_region_host(PCI_DEVICE(second)->bars[PCI_ROM_BAR].mr))[2999], 0x42);
}

static void test_real(const char *kernel, const char *initrd)
{
    X86Kernel k = { .machine = machine, .below_4g_bytes = 512 * MiB, .acpi_data_bytes = 0x28000, .linuxboot_dma = true };
    Error *err = NULL;
    uint32_t len;

    new_fw_cfg();
    k.fw_cfg = fw_cfg;
    machine->kernel = xstrdup(kernel);
    machine->initrd = xstrdup(initrd);
    machine->append = xstrdup("console=ttyS0");
    CHECK(x86_load_kernel(&k, &err));
    const uint8_t *setup = fw_cfg_item(fw_cfg, FW_CFG_SETUP_DATA, &len);
    CHECK(len > 1024 && !memcmp(setup + 0x202, "HdrS", 4) && ldle32(setup + 0x228) == 0x20000);
    CHECK(item32(FW_CFG_KERNEL_SIZE) > MiB);
}

int main(int argc, char **argv)
{
    static const char *const roms[] = { "linuxboot_dma.bin", "multiboot_dma.bin", "pvh.bin" };
    Error *err = NULL;

    if (!mkdtemp(directory)) {
        return 1;
    }
    datadir_add(directory);
    for (unsigned i = 0; i < ARRAY_SIZE(roms); i++) {
        free(write_file(roms[i], "ROM", 4));
    }
    bql_lock();
    machine = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    if (!machine_build(machine, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        return 1;
    }
    static MemoryRegion ram;
    CHECK(memory_region_init_ram(&ram, NULL, "ram", 512 * MiB, &err));
    memory_region_add(&machine->system_memory, 0, &ram);
    if (argc == 3) {
        test_real(argv[1], argv[2]);
        return test_result();
    }
    test_e820();
    test_bzimage();
    test_multiboot();
    test_pvh();
    test_damage();
    test_boot();
    static const char *const left[] = { "kernel", "initrd", "module,1", "rom.bin", "splash.bmp" };
    for (unsigned i = 0; i < ARRAY_SIZE(roms) + ARRAY_SIZE(left); i++) {
        char *path = xasprintf("%s/%s", directory, i < ARRAY_SIZE(roms) ? roms[i] : left[i - ARRAY_SIZE(roms)]);
        remove(path);
        free(path);
    }
    CHECK(!remove(directory));
    return test_result();
}
