/*
 * loader-pvh.c: uncompressed kernels (ELF) with a PVH entry.
 *
 * The segments are put into memory at each reset; the option ROM makes the start info (memory map, command line, initrd as
 * first module) and enters the kernel in 32-bit protected mode without paging.
 *
 * Specifications: "x86/HVM direct boot ABI" (Xen, docs/misc/pvh.pandoc), ELF note XEN_ELFNOTE_PHYS32_ENTRY; System V ABI,
 * chapter 5 (notes).
 */
#include <elf.h>

#include "hw/boot.h"
#include "hw/fw_cfg.h"
#include "hw/i386/loader.h"
#include "util/bits.h"

enum { XEN_PHYS32_ENTRY = 18, HEADER_BYTES = 8192 };

/* Notes: name size, descriptor size, type, then both padded to 4 bytes (or the segment's alignment, which is 4 here). */
static bool find_note(const uint8_t *p, uint64_t len, uint32_t *ret_entry)
{
    for (uint64_t at = 0; at + 12 <= len;) {
        uint64_t name_len = ldle32(p + at), desc_len = ldle32(p + at + 4), type = ldle32(p + at + 8);
        uint64_t name = at + 12, desc = name + ROUND_UP(name_len, 4), next = desc + ROUND_UP(desc_len, 4);
        if (next > len) {
            return false;
        }
        if (type == XEN_PHYS32_ENTRY && name_len == 4 && !memcmp(p + name, "Xen", 4) && desc_len >= 4) {
            *ret_entry = ldle32(p + desc);
            return true;
        }
        at = next;
    }
    return false;
}

bool x86_find_pvh_entry(const Image *image, uint32_t *ret_entry)
{
    const uint8_t *d = image->data;
    bool is64 = d[EI_CLASS] == ELFCLASS64;

    if (image->len < sizeof(Elf64_Ehdr) || d[EI_DATA] != ELFDATA2LSB) {
        return false;
    }
    uint64_t phoff = is64 ? ldle64(d + 32) : ldle32(d + 28);
    uint16_t size = ldle16(d + (is64 ? 54 : 42)), n = ldle16(d + (is64 ? 56 : 44));
    if (size < (is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || phoff > image->len || (uint64_t)size * n > image->len - phoff) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *p = d + phoff + (uint64_t)i * size;
        uint64_t offset = is64 ? ldle64(p + 8) : ldle32(p + 4), len = is64 ? ldle64(p + 32) : ldle32(p + 16);
        if (ldle32(p) == PT_NOTE && offset <= image->len && len <= image->len - offset && find_note(d + offset, len, ret_entry)) {
            return true;
        }
    }
    return false;
}

bool x86_load_pvh(const X86Kernel *k, const Image *image, uint32_t entry, Error **errp)
{
    const char *path = k->machine->kernel;
    bool is64 = image->data[EI_CLASS] == ELFCLASS64;
    uint32_t initrd_addr, initrd_len, header_len = (uint32_t)MIN(image->len, HEADER_BYTES);
    ElfInfo info;

    if (!image_load_elf(k->machine, image, "kernel", path, is64 ? EM_X86_64 : EM_386, 0, &info, errp)) {
        return false;
    }
    if (info.last > UINT32_MAX) {
        error_set(errp, "kernel '%s' lies above 4 GiB, where PVH does not reach", path);
        return false;
    }
    if (!x86_put_initrd(k, UINT32_MAX, &initrd_addr, &initrd_len, errp)) {
        return false;
    }
    if (initrd_len && initrd_addr <= info.last) {
        error_set(errp, "kernel '%s' and its initrd do not both fit into %" PRIu64 " bytes of memory", path, k->below_4g_bytes);
        return false;
    }
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_ENTRY, entry);
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_ADDR, (uint32_t)info.first);
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_SIZE, (uint32_t)(info.last - info.first + 1));
    x86_put_cmdline(k);
    fw_cfg_add_u32(k->fw_cfg, FW_CFG_SETUP_SIZE, header_len);
    fw_cfg_add_bytes(k->fw_cfg, FW_CFG_SETUP_DATA, image->data, header_len);
    return k->no_roms || boot_install_rom(k->fw_cfg, "pvh.bin", 0, errp);
}
