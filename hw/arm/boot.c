/*
 * boot.c: kernels of Arm boards.
 *
 * An arm64 Image is placed and entered as Documentation/arch/arm64/booting.rst of Linux asks: x0 = the device tree, x1 to x3 zero, the
 * image at text_offset behind a multiple of 2 MiB. An ELF file is entered where it says, with the device tree at the start of RAM if there is
 * room. Those of 32 bits: boot32.c. With firmware in flash, kernel, ramdisk and command line are fw_cfg items, and the device tree is at the start of RAM.
 */
#include <elf.h>
#include <stdio.h>
#include "hw/arm/boot.h"
#include "hw/fdt.h"
#include "hw/fw_cfg.h"
#include "util/bits.h"

enum { IMAGE_HEADER_BYTES = 64, IMAGE_MAGIC_AT = 56, STUB_BYTES = 4096, OLD_TEXT_OFFSET = 0x80000 };
#define IMAGE_MAGIC 0x644d5241u /* "ARM\x64" */

static bool load_elf(Machine *m, ArmBoot *boot, const Image *image, Error **errp)
{
    ElfInfo elf;

    if (!image_load_elf(m, image, "kernel", m->kernel, arm_boot_is32(m) ? EM_ARM : EM_AARCH64, 0, &elf, errp)) {
        return false;
    }
    boot->entry = elf.entry;
    boot->kernel = elf.first;
    boot->kernel_end = elf.last + 1;
    return true;
}

static bool load_image(Machine *m, ArmBoot *boot, Image *image, Error **errp)
{
    uint64_t offset = OLD_TEXT_OFFSET, need = image->len;

    if (arm_boot_is32(m)) {
        return arm_boot32_load(m, boot, image, errp);
    }

    if (image->len >= IMAGE_HEADER_BYTES && ldle32(image->data + IMAGE_MAGIC_AT) == IMAGE_MAGIC) {
        uint64_t size = ldle64(image->data + 16);

        if (size) { /* before Linux 3.17 both fields were unreliable: then as above */
            offset = ldle64(image->data + 8);
            need = MAX(need, size);
        }
        if (offset < STUB_BYTES) {
            offset += 2 * MiB; /* what enters it lies at the start */
        }
    }
    if (offset >= boot->ram_bytes || need > boot->ram_bytes - offset) {
        error_set(errp, "kernel '%s' needs %" PRIu64 " bytes at offset 0x%" PRIx64 " of memory, which has %" PRIu64, m->kernel, need, offset,
                  boot->ram_bytes);
        return false;
    }
    boot->is_linux = true;
    boot->kernel = boot->entry = boot->ram_base + offset;
    boot->kernel_end = boot->kernel + need;
    return image_load_raw(m, image, "kernel", m->kernel, boot->kernel, errp);
}

static bool load_initrd(Machine *m, ArmBoot *boot, Error **errp)
{
    gpa end = boot->ram_base + boot->ram_bytes;
    /* 128 MiB up, so that the kernel has room to unpack itself, or half-way in a small memory. */
    gpa at = ROUND_UP(MAX(boot->kernel_end, boot->ram_base + MIN(boot->ram_bytes / 2, 128 * MiB)), 4096);
    Image image;

    if (!image_open_raw(&image, "ramdisk", m->initrd, errp)) {
        return false;
    }
    if (at >= end || image.len > end - at) {
        error_set(errp, "could not load initrd '%s': its %" PRIu64 " bytes do not fit between 0x%" PRIx64 " and 0x%" PRIx64, m->initrd,
                  image.len, at, MAX(at, end));
        image_close(&image);
        return false;
    }
    boot->initrd = at;
    boot->initrd_bytes = image.len;
    return image_load_raw(m, &image, "ramdisk", m->initrd, at, errp);
}

/* The file's bytes as an item, and their number as another. */
static bool give_file(ArmBoot *boot, const char *what, const char *path, uint16_t size_key, uint16_t data_key, bool unpack, Error **errp)
{
    Image image;

    if (!(unpack ? image_open(&image, what, path, UINT32_MAX, errp) : image_open_raw(&image, what, path, errp))) {
        return false;
    }
    if (image.len > UINT32_MAX) {
        error_set(errp, "%s '%s' is too large for firmware to load", what, path);
        image_close(&image);
        return false;
    }
    fw_cfg_add_u32(boot->fw_cfg, size_key, (uint32_t)image.len);
    fw_cfg_add_bytes(boot->fw_cfg, data_key, image.data, (uint32_t)image.len);
    image_close(&image);
    return true;
}

static bool give_to_firmware(Machine *m, ArmBoot *boot, Error **errp)
{
    if (!give_file(boot, "kernel", m->kernel, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, true, errp) ||
        (m->initrd && !give_file(boot, "ramdisk", m->initrd, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, false, errp))) {
        return false;
    }
    if (m->append && *m->append) {
        uint32_t len = (uint32_t)strlen(m->append) + 1;

        fw_cfg_add_u32(boot->fw_cfg, FW_CFG_CMDLINE_SIZE, len);
        fw_cfg_add_bytes(boot->fw_cfg, FW_CFG_CMDLINE_DATA, m->append, len);
    }
    return true;
}

bool arm_load_images(Machine *m, ArmBoot *boot, Error **errp)
{
    Image image;

    if (!m->kernel) {
        if (m->initrd) {
            error_set(errp, "-initrd only allowed with -kernel option");
            return false;
        }
        return true;
    }
    if (boot->have_firmware) {
        return give_to_firmware(m, boot, errp);
    }
    if (!image_open(&image, "kernel", m->kernel, boot->ram_bytes, errp)) {
        return false;
    }
    bool ok = image_is_elf(&image) ? load_elf(m, boot, &image, errp) : load_image(m, boot, &image, errp);
    return ok && (!m->initrd || load_initrd(m, boot, errp));
}

/* -- placing ------------------------------------------------------------------------------------------------------------ */

static int memory_node(void *fdt)
{
    int node = fdt_path_offset(fdt, "/memory");

    for (int at = fdt_first_subnode(fdt, 0); node < 0 && at >= 0; at = fdt_next_subnode(fdt, at)) {
        const char *type = fdt_getprop(fdt, at, "device_type", NULL);

        node = type && !strcmp(type, "memory") ? at : node;
    }
    return node;
}

bool arm_take_dtb(Machine *m, ArmBoot *boot, uint64_t usable, Error **errp)
{
    if (!m->dtb) {
        return true;
    }
    if (!fdt_load(m, errp)) {
        return false;
    }
    int address_cells = fdt_address_cells(m->fdt, 0), size_cells = fdt_size_cells(m->fdt, 0), node = memory_node(m->fdt);
    uint8_t reg[16] = {0};
    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2) {
        error_set(errp, "device tree '%s' has addresses of %d cells and sizes of %d", m->dtb, address_cells, size_cells);
        return false;
    }
    stbe32(reg + 4 * (address_cells - 1), (uint32_t)boot->ram_base);
    stbe32(reg + 4 * (address_cells + size_cells - 1), (uint32_t)usable);
    if (size_cells == 2) {
        stbe32(reg + 4 * address_cells, (uint32_t)(usable >> 32));
    }
    if (node < 0) {
        node = fdt_add_subnode(m->fdt, 0, "memory");
        if (node >= 0) {
            fdt_setprop_string(m->fdt, node, "device_type", "memory");
        }
    }
    int err = node < 0 ? node : fdt_setprop(m->fdt, node, "reg", reg, 4 * (address_cells + size_cells));
    if (err < 0) {
        error_set(errp, "cannot put memory into device tree '%s': %s", m->dtb, fdt_strerror(err));
        return false;
    }
    return fdt_finish_chosen(m, boot->initrd, boot->initrd_bytes, errp);
}

static bool place_fdt(Machine *m, ArmBoot *boot, Error **errp)
{
    gpa at = boot->ram_base, end = boot->ram_base + boot->ram_bytes;

    if (!m->fdt) {
        return true;
    }
    if (boot->is_linux) {
        /* Behind ramdisk and kernel; it may not cross a multiple of 2 MiB (booting.rst, 2). */
        at = ROUND_UP(boot->initrd_bytes ? boot->initrd + boot->initrd_bytes : MAX(boot->kernel_end, boot->ram_base + MIN(boot->ram_bytes / 2, 128 * MiB)),
                      2 * MiB);
    } else if (m->kernel && !boot->have_firmware && boot->kernel < at + m->fdt_bytes) {
        boot->fdt = 0; /* no room below the program */
        return true;
    }
    if (at >= end || m->fdt_bytes > end - at) {
        error_set(errp, "no room for the device tree (%" PRIu64 " bytes) behind kernel and ramdisk in %" PRIu64 " bytes of memory",
                  m->fdt_bytes, boot->ram_bytes);
        return false;
    }
    boot->fdt = at;
    machine_add_rom(m, "dtb", at, m->fdt, m->fdt_bytes, 0);
    return true;
}

enum { STUB_SECOND = 64, STUB_BYTES_USED = 128 };

/* What enters a kernel: registers of a processor that comes out of reset say nothing. */
static void add_stub(Machine *m, const ArmBoot *boot)
{
    enum { FDT = 32, ENTRY = 40, TABLE = STUB_SECOND + 48 };
    const uint32_t code[] = {
        0x58000000 | (FDT / 4) << 5 | 0,           /* ldr x0, FDT */
        0xaa1f03e1,                                /* mov x1, xzr */
        0xaa1f03e2,                                /* mov x2, xzr */
        0xaa1f03e3,                                /* mov x3, xzr */
        0x58000000 | ((ENTRY - 16) / 4) << 5 | 4,  /* ldr x4, ENTRY */
        0xd61f0080,                                /* br x4 */
    };
    const uint32_t second[] = {
        0xd53800a5,                                /* mrs x5, mpidr_el1 */
        0x92401ca5,                                /* and x5, x5, #255 */
        0x58000000 | ((TABLE - STUB_SECOND - 8) / 4) << 5 | 6, /* ldr x6, TABLE */
        0xd503205f,                                /* wfe */
        0xf86578c4,                                /* ldr x4, [x6, x5, lsl #3] */
        0xb4ffffc4,                                /* cbz x4, wfe */
        0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, /* mov x0, #0 and so on */
        0xd61f0080,                                /* br x4 */
    };
    uint8_t *bytes = xcalloc(1, STUB_BYTES_USED);

    for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
        stle32(bytes + 4 * i, code[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
        stle32(bytes + STUB_SECOND + 4 * i, second[i]);
    }
    stle64(bytes + FDT, boot->fdt);
    stle64(bytes + ENTRY, boot->entry);
    stle64(bytes + TABLE, boot->spin_table);
    machine_add_rom(m, "bootloader", boot->ram_base, bytes, STUB_BYTES_USED, 0);
    if (boot->spin_table) {
        machine_add_rom(m, "spin-table", boot->spin_table, xcalloc(m->smp.cpus, 8), 8 * m->smp.cpus, 0);
    }
}

bool arm_place_boot(Machine *m, ArmBoot *boot, PsciConduit conduit, unsigned kernel_el, Error **errp)
{
    bool direct = m->kernel && !boot->have_firmware;

    if (!place_fdt(m, boot, errp)) {
        return false;
    }
    if (boot->is_linux && !arm_boot_is32(m)) {
        add_stub(m, boot);
    } else if (boot->is_linux && !arm_boot32_place(m, boot, errp)) {
        return false;
    }
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        ArmCpu *cpu = arm_cpu(m, i);

        cpu->conduit = conduit;
        cpu->start_off = i && conduit != PSCI_CONDUIT_NONE;
        cpu->start_pc = boot->is_linux ? boot->ram_base + (i && boot->spin_table ? STUB_SECOND : 0) : direct ? boot->entry : boot->firmware_entry;
        cpu->start_el = boot->is_linux ? kernel_el : 0;
    }
    return true;
}
