/*
 * boot.c: firmware and kernel of RISC-V boards.
 *
 * A hart starts in ROM with a0 = its id, a1 = the device tree and a2 = the
 * fw_dynamic_info of OpenSBI (docs/firmware/fw_dynamic.md there), and jumps to the
 * firmware. The firmware is put at the start of RAM, the kernel at the next
 * multiple of 2 MiB (4 MiB on RV32: a page of the top level), as the boot image header
 * document of Linux asks (Documentation/riscv/boot-image-header.rst).
 */
#include "hw/riscv/boot.h"
#include "softmmu/datadir.h"
#include "util/bits.h"

enum { ELF_MACHINE_RISCV = 243, FW_DYNAMIC_VERSION = 2, FW_NEXT_MODE_S = 1 };
#define FW_DYNAMIC_MAGIC 0x4942534fu /* "OSBI" */

static uint64_t superpage(const RiscvBoot *boot)
{
    return boot->is32 ? 4 * MiB : 2 * MiB;
}

static uint64_t ram_after(const RiscvBoot *boot, gpa addr)
{
    gpa end = boot->ram_base + boot->ram_bytes;

    return addr < end ? end - addr : 0;
}

bool riscv_load_firmware(Machine *m, RiscvBoot *boot, Error **errp)
{
    const char *name = m->firmware;
    Image image;

    boot->start = boot->firmware_end = boot->ram_base;
    if (name && !strcmp(name, "none")) {
        return true;
    }
    if (!name || !*name || !strcmp(name, "default")) {
        name = boot->is32 ? "opensbi-riscv32-generic-fw_dynamic.bin"
                          : "opensbi-riscv64-generic-fw_dynamic.bin";
    }
    char *path = datadir_find(name);
    if (!path) {
        error_set(errp, "Unable to find the RISC-V BIOS \"%s\"", name);
        return false;
    }
    bool ok = image_open(&image, "firmware", path, boot->ram_bytes, errp);
    if (ok && image_is_elf(&image)) {
        ElfInfo elf;
        ok = image_load_elf(m, &image, "firmware", path, ELF_MACHINE_RISCV, 0, &elf, errp);
        if (ok) {
            boot->start = elf.entry;
            boot->firmware_end = elf.last + 1;
        }
    } else if (ok) {
        ok = image_load_raw(m, &image, "firmware", path, boot->ram_base, errp);
        boot->firmware_end = boot->ram_base + image.len;
    }
    boot->have_firmware = ok;
    free(path);
    return ok;
}

bool riscv_load_kernel(Machine *m, RiscvBoot *boot, Error **errp)
{
    gpa at = ROUND_UP(boot->firmware_end, superpage(boot));
    Image image;

    if (!m->kernel) {
        return true;
    }
    if (!boot->have_firmware) {
        at = boot->ram_base;
    }
    if (!image_open(&image, "kernel", m->kernel, boot->ram_bytes, errp)) {
        return false;
    }
    if (image_is_elf(&image)) {
        ElfInfo elf;
        if (!image_load_elf(m, &image, "kernel", m->kernel, ELF_MACHINE_RISCV, 0, &elf, errp)) {
            return false;
        }
        if (elf.is64 && boot->is32) {
            error_set(errp, "kernel '%s' is a 64-bit ELF file, the CPU has 32 bits", m->kernel);
            return false;
        }
        boot->next = elf.entry;
        boot->kernel_end = elf.last + 1;
        return true;
    }
    uint64_t need = image.len;
    /* Image header: code, "RSC\5" at 56; image_size at 16 counts what follows (bss). */
    if (image.len >= 64 && ldle32(image.data + 56) == 0x05435352) {
        need = MAX(need, MIN(ldle64(image.data + 16), boot->ram_bytes + 1));
    }
    if (need > ram_after(boot, at)) {
        error_set(errp, "kernel '%s' needs %" PRIu64 " bytes, but there are only %" PRIu64
                  " bytes of memory after 0x%" PRIx64, m->kernel, need, ram_after(boot, at), at);
        return false;
    }
    if (!image_load_raw(m, &image, "kernel", m->kernel, at, errp)) {
        return false;
    }
    boot->next = at;
    boot->kernel_end = at + need;
    return true;
}

gpa riscv_fdt_addr(const RiscvBoot *boot, uint64_t fdt_bytes)
{
    gpa end = boot->ram_base + boot->ram_bytes;
    gpa limit = boot->is32 ? MIN(end, (gpa)3 * GiB) : boot->ram_base < 3 * GiB ? MIN(end, 3 * GiB)
                                                                              : end;

    /* In the last superpage of what a 32-bit firmware can reach too. */
    return fdt_bytes > limit ? 0 : ROUND_DOWN(limit - fdt_bytes, 2 * MiB);
}

bool riscv_load_initrd(Machine *m, RiscvBoot *boot, uint64_t fdt_bytes, Error **errp)
{
    Image image;

    if (!m->initrd) {
        return true;
    }
    if (!m->kernel) {
        error_set(errp, "-initrd needs -kernel");
        return false;
    }
    /* gzip stays packed: the kernel unpacks it. */
    if (!image_open_raw(&image, "ramdisk", m->initrd, errp)) {
        return false;
    }
    /* Half-way up, at most 128 MiB, so that a kernel that unpacks itself has room. */
    gpa at = boot->kernel_end;
    gpa half = boot->ram_base + MIN(boot->ram_bytes / 2, 128 * MiB);
    at = ROUND_UP(MAX(at, half), 4096);
    gpa top = riscv_fdt_addr(boot, fdt_bytes);
    if (at >= top || image.len > top - at) {
        error_set(errp, "ramdisk '%s' (%" PRIu64 " bytes) does not fit into memory between "
                  "0x%" PRIx64 " and 0x%" PRIx64, m->initrd, image.len, at, MAX(top, at));
        return false;
    }
    if (!image_load_raw(m, &image, "ramdisk", m->initrd, at, errp)) {
        return false;
    }
    boot->initrd = at;
    boot->initrd_bytes = image.len;
    return true;
}

void riscv_make_reset_code(Machine *m, const RiscvBoot *boot, gpa rom)
{
    enum { DATA = 24, INFO = 40 };
    const uint32_t load = boot->is32 ? 0x2003 : 0x3003; /* lw, ld: funct3 and opcode */
    /* t0 = x5, a0 = x10, a1 = x11, a2 = x12 */
    const uint32_t code[] = {
        0x00000297,                               /* auipc t0, 0 */
        0x13 | 12 << 7 | 5 << 15 | INFO << 20,    /* addi  a2, t0, INFO */
        0xf1402573,                               /* csrr  a0, mhartid */
        load | 11 << 7 | 5 << 15 | (DATA + 8) << 20, /* load a1, DATA + 8(t0) */
        load | 5 << 7 | 5 << 15 | DATA << 20,     /* load  t0, DATA(t0) */
        0x00028067,                               /* jr    t0 */
    };
    unsigned word = boot->is32 ? 4 : 8;
    const uint64_t info[] = {
        FW_DYNAMIC_MAGIC, FW_DYNAMIC_VERSION, boot->next, FW_NEXT_MODE_S, 0, 0,
    };
    size_t len = INFO + ARRAY_SIZE(info) * 8;
    uint8_t *bytes = xcalloc(1, len);

    for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
        stle32(bytes + 4 * i, code[i]);
    }
    stle64(bytes + DATA, boot->start);
    stle64(bytes + DATA + 8, boot->fdt);
    for (size_t i = 0; i < ARRAY_SIZE(info); i++) {
        if (boot->is32) {
            stle32(bytes + INFO + word * i, (uint32_t)info[i]);
        } else {
            stle64(bytes + INFO + word * i, info[i]);
        }
    }
    machine_add_rom(m, "reset", rom, bytes, len, 0);
}
