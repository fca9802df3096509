/*
 * loader.c: -kernel for PCs: which kind of image it is, and Linux bzImages.
 *
 * A bzImage has a real-mode part with the setup header and a protected-mode part. The boot loader (the option ROM, or
 * firmware) puts the first at 64 KiB, the second at 1 MiB, and jumps to the real-mode entry; the header is filled in here.
 *
 * Specification: "The Linux/x86 Boot Protocol" (Documentation/arch/x86/boot.rst of Linux), versions 2.00 to 2.15. Older
 * kernels, and zImages, which go below 640 KiB, are refused.
 */
#include "hw/boot.h"
#include "hw/fw_cfg.h"
#include "hw/i386/loader.h"
#include "util/bits.h"

enum { /* offsets in the image */
    SETUP_SECTS = 0x1f1, VID_MODE = 0x1fa, BOOT_FLAG = 0x1fe, MAGIC = 0x202, VERSION = 0x206, TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END_PTR = 0x224, CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c, XLOADFLAGS = 0x236, CMDLINE_SIZE = 0x238, HEADER_END = 0x268,
    OLD_CL_MAGIC = 0x20, OLD_CL_OFFSET = 0x22,
};
enum {
    LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, CAN_BE_LOADED_ABOVE_4G = 2, LOADER_ID = 0xb0, /* 0xb: this field, version 0 */
    REAL_MODE_ADDR = 0x10000, CMDLINE_ADDR = 0x20000, KERNEL_ADDR = 0x100000, SECTOR = 512,
    OLD_INITRD_MAX = 0x37ffffff, OLD_CMDLINE_BYTES = 255, PAGE = 4096,
};

void x86_put_cmdline(const X86Kernel *k)
{
    const char *text = k->machine->append ? k->machine->append : "";
    uint32_t len = (uint32_t)strlen(text) + 1;

    fw_cfg_add_u32(k->fw_cfg, FW_CFG_CMDLINE_SIZE, len);
    fw_cfg_add_bytes(k->fw_cfg, FW_CFG_CMDLINE_DATA, text, len);
}

bool x86_put_initrd(const X86Kernel *k, uint64_t max, uint32_t *ret_addr, uint32_t *ret_len, Error **errp)
{
    uint64_t top = MIN(max, k->below_4g_bytes - MIN(k->acpi_data_bytes, k->below_4g_bytes));
    Image image;

    *ret_addr = *ret_len = 0;
    if (!k->machine->initrd) {
        return true;
    }
    if (!image_open_raw(&image, "initrd", k->machine->initrd, errp)) {
        return false;
    }
    if (image.len > top || top - image.len < KERNEL_ADDR) {
        error_set(errp, "initrd '%s' is too large: %" PRIu64 " bytes do not fit below 0x%" PRIx64, k->machine->initrd,
                  image.len, top);
        image_close(&image);
        return false;
    }
    *ret_len = (uint32_t)image.len;
    *ret_addr = (uint32_t)((top - image.len) & ~(uint64_t)(PAGE - 1));
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_INITRD_ADDR, *ret_addr);
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_INITRD_SIZE, *ret_len);
    fw_cfg_add_bytes(k->fw_cfg, FW_CFG_INITRD_DATA, image.data, *ret_len);
    image_close(&image);
    return true;
}

/* "vga=" is for the boot loader: it goes into the header. */
static bool video_mode(const char *cmdline, uint8_t *setup, Error **errp)
{
    static const struct {
        const char *name;
        uint16_t mode;
    } names[] = { { "normal", 0xffff }, { "ext", 0xfffe }, { "ask", 0xfffd } };
    const char *p = cmdline;
    uint64_t number = 0;

    while (p && (p = strstr(p, "vga=")) && p != cmdline && p[-1] != ' ') {
        p++;
    }
    if (!p) {
        return true;
    }
    p += 4;
    size_t len = strcspn(p, " ");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (len == strlen(names[i].name) && !memcmp(p, names[i].name, len)) {
            stle16(setup + VID_MODE, names[i].mode);
            return true;
        }
    }
    char *text = xstrndup(p, len), *rest;
    number = strtoull(text, &rest, 0);
    bool ok = len && !*rest && number <= UINT16_MAX;
    free(text);
    if (!ok) {
        error_set(errp, "invalid 'vga=' kernel parameter");
        return false;
    }
    stle16(setup + VID_MODE, (uint16_t)number);
    return true;
}

static uint64_t initrd_max(const uint8_t *d, unsigned version)
{
    if (version >= 0x20c && (ldle16(d + XLOADFLAGS) & CAN_BE_LOADED_ABOVE_4G)) {
        return UINT32_MAX; /* where the kernel says 2 GiB only for old boot loaders */
    }
    return version >= 0x203 ? ldle32(d + INITRD_ADDR_MAX) : OLD_INITRD_MAX;
}

static bool fill_header(const X86Kernel *k, const uint8_t *image, uint8_t *setup, unsigned version, Error **errp)
{
    const char *cmdline = k->machine->append ? k->machine->append : "";
    size_t cmdline_max = version >= 0x206 ? ldle32(image + CMDLINE_SIZE) : OLD_CMDLINE_BYTES;
    uint32_t initrd_addr, initrd_len;

    if (strlen(cmdline) > cmdline_max) {
        error_set(errp, "the kernel takes a command line of at most %zu bytes, not %zu", cmdline_max, strlen(cmdline));
        return false;
    }
    if (!video_mode(cmdline, setup, errp) ||
        !x86_put_initrd(k, initrd_max(image, version), &initrd_addr, &initrd_len, errp)) {
        return false;
    }
    setup[TYPE_OF_LOADER] = LOADER_ID;
    if (version >= 0x201) {
        setup[LOADFLAGS] |= CAN_USE_HEAP;
        stle16(setup + HEAP_END_PTR, CMDLINE_ADDR - REAL_MODE_ADDR - 0x200);
    }
    if (version >= 0x202) {
        stle32(setup + CMD_LINE_PTR, CMDLINE_ADDR);
    } else {
        stle16(setup + OLD_CL_MAGIC, 0xa33f);
        stle16(setup + OLD_CL_OFFSET, (uint16_t)(CMDLINE_ADDR - REAL_MODE_ADDR));
    }
    stle32(setup + RAMDISK_IMAGE, initrd_addr);
    stle32(setup + RAMDISK_SIZE, initrd_len);
    return true;
}

bool x86_load_bzimage(const X86Kernel *k, const Image *image, Error **errp)
{
    const uint8_t *d = image->data;
    const char *path = k->machine->kernel;

    if (image->len < HEADER_END || ldle16(d + BOOT_FLAG) != 0xaa55 || memcmp(d + MAGIC, "HdrS", 4)) {
        error_set(errp, "kernel '%s' has no boot header that is known here: neither a Linux bzImage, nor an ELF file for PVH, "
                  "nor Multiboot", path);
        return false;
    }
    unsigned version = ldle16(d + VERSION);
    uint64_t setup_len = (uint64_t)((d[SETUP_SECTS] ? d[SETUP_SECTS] : 4) + 1) * SECTOR;
    if (version < 0x200 || !(d[LOADFLAGS] & LOADED_HIGH)) {
        error_set(errp, "kernel '%s' is a zImage (boot protocol %u.%02u); only bzImages are supported", path, version >> 8,
                  version & 0xff);
        return false;
    }
    if (setup_len >= image->len || image->len - setup_len > UINT32_MAX) {
        error_set(errp, "kernel '%s' is cut short: it has %" PRIu64 " bytes, its header alone takes %" PRIu64, path, image->len,
                  setup_len);
        return false;
    }
    uint32_t kernel_len = (uint32_t)(image->len - setup_len);
    if (kernel_len > k->below_4g_bytes || k->below_4g_bytes - kernel_len < KERNEL_ADDR) {
        error_set(errp, "kernel '%s' does not fit into %" PRIu64 " bytes of memory", path, k->below_4g_bytes);
        return false;
    }
    uint8_t *setup = xmemdup(d, setup_len);
    bool ok = fill_header(k, d, setup, version, errp);
    if (ok) {
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_CMDLINE_ADDR, CMDLINE_ADDR);
        x86_put_cmdline(k);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_ADDR, KERNEL_ADDR);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_SIZE, kernel_len);
        fw_cfg_add_bytes(k->fw_cfg, FW_CFG_KERNEL_DATA, d + setup_len, kernel_len);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_SETUP_ADDR, REAL_MODE_ADDR);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_SETUP_SIZE, (uint32_t)setup_len);
        fw_cfg_add_bytes(k->fw_cfg, FW_CFG_SETUP_DATA, setup, (uint32_t)setup_len);
        ok = k->no_roms || boot_install_rom(k->fw_cfg, k->linuxboot_dma ? "linuxboot_dma.bin" : "linuxboot.bin", 0, errp);
    }
    free(setup);
    return ok;
}

bool x86_load_kernel(const X86Kernel *k, Error **errp)
{
    const Machine *m = k->machine;
    uint32_t entry;
    Image image;
    bool ok;

    if (m->dtb) {
        error_set(errp, "-dtb is not supported by machine '%s'", m->type->name);
        return false;
    }
    if (!image_open_raw(&image, "kernel", m->kernel, errp)) {
        return false;
    }
    if (x86_is_multiboot(&image)) {
        ok = x86_load_multiboot(k, &image, errp);
    } else if (image_is_elf(&image)) {
        if (!x86_find_pvh_entry(&image, &entry)) {
            error_set(errp, "kernel '%s' is an ELF file without a PVH entry note", m->kernel);
            ok = false;
        } else if (!k->pvh) {
            error_set(errp, "kernel '%s' is a PVH image, which machine '%s' does not take", m->kernel, m->type->name);
            ok = false;
        } else if (x86_load_pvh(k, &image, entry, errp)) {
            return true; /* the image is kept for resets */
        } else {
            machine_drop_roms(k->machine, m->kernel);
            ok = false;
        }
    } else {
        ok = x86_load_bzimage(k, &image, errp);
    }
    image_close(&image);
    return ok;
}
