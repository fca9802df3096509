/*
 * loader-multiboot.c: Multiboot 1 kernels.
 *
 * The kernel, the command lines, the module list and the modules (-initrd "FILE ARGUMENTS,FILE…") are one piece that the
 * option ROM copies to where the kernel wants to be; the information structure follows as "initrd". The memory map in it is
 * added by the option ROM, which asks the BIOS.
 *
 * Specification: Multiboot Specification 0.6.96. Left out: setting a video mode (header bit 2), symbols.
 */
#include <elf.h>

#include "hw/boot.h"
#include "hw/fw_cfg.h"
#include "hw/i386/loader.h"
#include "util/bits.h"

#define MULTIBOOT_MAGIC 0x1badb002u
enum { /* header flags (3.1.2) */
    SEARCH_BYTES = 8192, HEADER_BYTES = 48, ALIGN_MODULES = 1, WANT_MEMORY = 2, WANT_VIDEO = 4, HAS_ADDRESSES = 1 << 16,
    REQUIRED = 0xffff,
};
enum { /* information structure (3.3) */
    INFO_BYTES = 88, INFO_FLAGS = 0, INFO_BOOT_DEVICE = 12, INFO_CMDLINE = 16, INFO_MODS_COUNT = 20, INFO_MODS_ADDR = 24,
    INFO_MMAP_ADDR = 48, INFO_LOADER_NAME = 64, HAS_MEMORY = 1, HAS_BOOT_DEVICE = 2, HAS_CMDLINE = 4, HAS_MODULES = 8,
    HAS_MMAP = 0x40, HAS_LOADER_NAME = 0x200, MODULE_BYTES = 16,
};
enum { /* what the option ROM expects where */
    MMAP_ADDR = 0x9000, INFO_ADDR = 0x9500, PAGE = 4096,
};
#define FIRST_DISK 0x8000ffffu

typedef struct Blob {
    VEC(uint8_t) bytes;
    uint32_t addr; /* of the first byte */
} Blob;

static uint32_t blob_end(const Blob *b)
{
    return b->addr + (uint32_t)b->bytes.n;
}

static void blob_append(Blob *b, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *vec_push(&b->bytes) = data ? ((const uint8_t *)data)[i] : 0;
    }
}

static void blob_align(Blob *b)
{
    blob_append(b, NULL, ROUND_UP(b->bytes.n, PAGE) - b->bytes.n);
}

/* Offset of the header, -1: none. */
static int64_t find_header(const Image *image)
{
    for (uint64_t at = 0; at + HEADER_BYTES <= MIN(image->len, SEARCH_BYTES); at += 4) {
        const uint8_t *h = image->data + at;
        if (ldle32(h) == MULTIBOOT_MAGIC && ldle32(h) + ldle32(h + 4) + ldle32(h + 8) == 0) {
            return (int64_t)at;
        }
    }
    return -1;
}

bool x86_is_multiboot(const Image *image)
{
    return find_header(image) >= 0;
}

/* [first, last) of the image in memory; bytes of it from `data`. */
static bool check_range(const X86Kernel *k, uint64_t first, uint64_t last, Error **errp)
{
    if (first >= last || last > k->below_4g_bytes) {
        error_set(errp, "multiboot kernel '%s' wants memory from 0x%" PRIx64 " to 0x%" PRIx64 ", which is not there",
                  k->machine->kernel, first, last);
        return false;
    }
    return true;
}

/* Addresses in the header (3.1.3). */
static bool load_flat(const X86Kernel *k, const Image *image, uint64_t at, Blob *blob, uint32_t *ret_entry, Error **errp)
{
    const uint8_t *h = image->data + at;
    uint32_t header = ldle32(h + 12), load = ldle32(h + 16), load_end = ldle32(h + 20), bss_end = ldle32(h + 24);

    if (header < load || header - load > at) {
        error_set(errp, "multiboot kernel '%s' has impossible load addresses in its header", k->machine->kernel);
        return false;
    }
    uint64_t from = at - (header - load), len = load_end ? (uint64_t)load_end - load : image->len - from;
    if ((load_end && load_end < load) || len > image->len - from) {
        error_set(errp, "multiboot kernel '%s' is cut short", k->machine->kernel);
        return false;
    }
    uint64_t last = MAX(load + len, bss_end);
    if (!check_range(k, load, last, errp)) {
        return false;
    }
    blob->addr = load;
    blob_append(blob, image->data + from, len);
    blob_append(blob, NULL, last - load - len);
    *ret_entry = ldle32(h + 28);
    return true;
}

static bool load_elf(const X86Kernel *k, const Image *image, Blob *blob, uint32_t *ret_entry, Error **errp)
{
    const uint8_t *d = image->data;
    uint64_t first = UINT64_MAX, last = 0;

    if (d[EI_CLASS] != ELFCLASS32 || ldle16(d + 18) != EM_386) {
        error_set(errp, "multiboot kernel '%s' is not a 32-bit x86 ELF file", k->machine->kernel);
        return false;
    }
    uint64_t phoff = ldle32(d + 28), size = ldle16(d + 42), n = ldle16(d + 44);
    bool ok = size >= sizeof(Elf32_Phdr) && phoff <= image->len && size * n <= image->len - phoff;
    for (unsigned pass = 0; pass < 2 && ok; pass++) {
        if (pass) {
            if (!check_range(k, first, last, errp)) {
                return false;
            }
            blob->addr = (uint32_t)first;
            blob_append(blob, NULL, last - first);
        }
        for (unsigned i = 0; i < n && ok; i++) {
            const uint8_t *p = d + phoff + i * size;
            uint64_t offset = ldle32(p + 4), paddr = ldle32(p + 12), filesz = ldle32(p + 16), memsz = ldle32(p + 20);
            if (ldle32(p) != PT_LOAD || !memsz) {
                continue;
            }
            ok = offset <= image->len && filesz <= image->len - offset && filesz <= memsz;
            first = MIN(first, paddr);
            last = MAX(last, paddr + memsz);
            if (pass && ok) {
                memcpy(blob->bytes.at + (paddr - first), d + offset, filesz);
            }
        }
    }
    if (!ok) {
        error_set(errp, "multiboot kernel '%s' is cut short or damaged", k->machine->kernel);
        return false;
    }
    *ret_entry = ldle32(d + 24);
    return true;
}

/* "FILE ARGUMENTS", a doubled comma is one in the name; *p moves behind it. */
static char *next_module(const char **p)
{
    VEC(char) word = {0};

    while (**p && (**p != ',' || (*p)[1] == ',')) {
        *p += **p == ',';
        *vec_push(&word) = *(*p)++;
    }
    *p += **p == ',';
    *vec_push(&word) = 0;
    return word.at;
}

typedef struct Module {
    char *text;
    Image image;
    uint32_t text_addr;
} Module;

static bool open_module(Module *m, Error **errp)
{
    char *path = xstrndup(m->text, strcspn(m->text, " "));
    bool ok = image_open_raw(&m->image, "multiboot module", path, errp);

    free(path);
    return ok;
}

/* Module list, command lines, then the modules, each on a page. */
static bool add_modules(const X86Kernel *k, Blob *blob, uint8_t *info, Error **errp)
{
    const char *cmdline = k->machine->append, *p = k->machine->initrd;
    VEC(Module) modules = {0};
    bool ok = true;

    while (ok && p && *p) {
        *vec_push(&modules) = (Module){ .text = next_module(&p) };
        ok = open_module(&modules.at[modules.n - 1], errp);
    }
    blob_align(blob);
    size_t list = blob->bytes.n;
    blob_append(blob, NULL, modules.n * MODULE_BYTES);
    stle32(info + INFO_MODS_ADDR, blob->addr + (uint32_t)list);
    stle32(info + INFO_MODS_COUNT, (uint32_t)modules.n);
    for (size_t i = 0; i < modules.n && ok; i++) {
        modules.at[i].text_addr = blob_end(blob);
        blob_append(blob, modules.at[i].text, strlen(modules.at[i].text) + 1);
    }
    stle32(info + INFO_CMDLINE, blob_end(blob));
    blob_append(blob, k->machine->kernel, strlen(k->machine->kernel));
    if (cmdline && *cmdline) {
        blob_append(blob, " ", 1);
        blob_append(blob, cmdline, strlen(cmdline));
    }
    blob_append(blob, NULL, 1);
    stle32(info + INFO_LOADER_NAME, blob_end(blob));
    blob_append(blob, "qemu", 5);
    for (size_t i = 0; i < modules.n; i++) {
        Module *m = &modules.at[i];
        if (ok) {
            blob_align(blob);
            uint64_t end = (uint64_t)blob_end(blob) + m->image.len;
            ok = check_range(k, blob_end(blob), end, errp);
            uint8_t *entry = blob->bytes.at + list + i * MODULE_BYTES;
            stle32(entry, blob_end(blob));
            stle32(entry + 4, (uint32_t)end);
            stle32(entry + 8, m->text_addr);
        }
        if (ok) {
            blob_append(blob, m->image.data, m->image.len);
        }
        free(m->text);
        image_close(&m->image);
    }
    vec_free(&modules);
    blob_align(blob);
    return ok;
}

bool x86_load_multiboot(const X86Kernel *k, const Image *image, Error **errp)
{
    uint64_t at = (uint64_t)find_header(image);
    uint32_t flags = ldle32(image->data + at + 4), entry = 0;
    uint8_t info[INFO_BYTES] = {0};
    Blob blob = {0};

    if (flags & REQUIRED & ~(ALIGN_MODULES | WANT_MEMORY | WANT_VIDEO)) {
        error_set(errp, "multiboot kernel '%s' requires features that are not known (flags 0x%x)", k->machine->kernel, flags);
        return false;
    }
    bool ok = flags & HAS_ADDRESSES ? load_flat(k, image, at, &blob, &entry, errp)
              : image_is_elf(image) ? load_elf(k, image, &blob, &entry, errp) : false;
    if (!ok && !(flags & HAS_ADDRESSES) && !image_is_elf(image)) {
        error_set(errp, "multiboot kernel '%s' is no ELF file and has no load addresses", k->machine->kernel);
    }
    ok = ok && add_modules(k, &blob, info, errp) && check_range(k, blob.addr, blob_end(&blob), errp);
    if (ok) {
        stle32(info + INFO_FLAGS, HAS_MEMORY | HAS_BOOT_DEVICE | HAS_CMDLINE | HAS_MODULES | HAS_MMAP | HAS_LOADER_NAME);
        stle32(info + INFO_BOOT_DEVICE, FIRST_DISK);
        stle32(info + INFO_MMAP_ADDR, MMAP_ADDR);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_ENTRY, entry);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_ADDR, blob.addr);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_KERNEL_SIZE, (uint32_t)blob.bytes.n);
        fw_cfg_add_bytes(k->fw_cfg, FW_CFG_KERNEL_DATA, blob.bytes.at, (uint32_t)blob.bytes.n);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_INITRD_ADDR, INFO_ADDR);
        fw_cfg_add_u32(k->fw_cfg, FW_CFG_INITRD_SIZE, INFO_BYTES);
        fw_cfg_add_bytes(k->fw_cfg, FW_CFG_INITRD_DATA, info, INFO_BYTES);
        ok = k->no_roms || boot_install_rom(k->fw_cfg, "multiboot_dma.bin", 0, errp);
    }
    vec_free(&blob.bytes);
    return ok;
}
