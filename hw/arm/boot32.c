/*
 * boot32.c: Linux kernels of 32 bits (Documentation/arch/arm/booting.rst): where a zImage goes, and what enters it: r0 = 0, r1 = the machine's number, r2 =
 * the device tree, or, without one, a list of tags.
 *
 * Left out: uImage (its header names an address that says nothing about this machine), the command line of kernels older than tags.
 */
#include <elf.h>
#include "hw/arm/boot.h"
#include "util/bits.h"

enum {
    STUB_BYTES = 28, TAGS_AT = 0x100, TAGS_MAX_BYTES = 0x3000, KERNEL_AT = 0x10000,
    ZIMAGE_MAGIC_AT = 36, ZIMAGE_START_AT = 40, ZIMAGE_END_AT = 44,
    ROOM_TO_UNPACK = 4, /* times the file: zImage moves itself out of the way of what it unpacks */
};
#define ZIMAGE_MAGIC 0x016f2818u
#define NO_MACHINE UINT32_MAX

bool arm_boot_is32(Machine *m)
{
    return !arm_cpu_info(m, 0).has_aarch64;
}

bool arm_boot32_load(Machine *m, ArmBoot *boot, Image *image, Error **errp)
{
    uint64_t len = image->len;

    if (len > ZIMAGE_END_AT + 4 && ldle32(image->data + ZIMAGE_MAGIC_AT) == ZIMAGE_MAGIC) {
        uint32_t start = ldle32(image->data + ZIMAGE_START_AT), end = ldle32(image->data + ZIMAGE_END_AT);
        len = MAX(len, (uint64_t)end - start);
    }
    if (KERNEL_AT >= boot->ram_bytes || len > boot->ram_bytes - KERNEL_AT) {
        error_set(errp, "kernel '%s' needs %" PRIu64 " bytes at offset 0x%x of memory, which has %" PRIu64, m->kernel, len, KERNEL_AT, boot->ram_bytes);
        return false;
    }
    boot->is_linux = true;
    boot->kernel = boot->entry = boot->ram_base + KERNEL_AT;
    boot->kernel_end = boot->kernel + len * ROOM_TO_UNPACK;
    return image_load_raw(m, image, "kernel", m->kernel, boot->kernel, errp);
}

/* -- tags ----------------------------------------------------------------------------------------------------------------- */

enum { TAG_NONE = 0, TAG_CORE = 0x54410001, TAG_MEM = 0x54410002, TAG_INITRD2 = 0x54420005, TAG_CMDLINE = 0x54410009 };

typedef struct Tags {
    uint8_t *bytes;
    size_t len;
} Tags;

static void word(Tags *t, uint32_t value)
{
    stle32(t->bytes + t->len, value);
    t->len += 4;
}

static bool add_tags(Machine *m, const ArmBoot *boot, Error **errp)
{
    size_t text = m->append ? strlen(m->append) + 1 : 1;
    Tags t = { .bytes = xcalloc(1, TAGS_MAX_BYTES) };

    if (text > TAGS_MAX_BYTES / 2) {
        error_set(errp, "the kernel's command line is too long");
        free(t.bytes);
        return false;
    }
    word(&t, 5);
    word(&t, TAG_CORE);
    word(&t, 1);     /* flags: the root is read-only */
    word(&t, 4096);
    word(&t, 0);
    word(&t, 4);
    word(&t, TAG_MEM);
    word(&t, (uint32_t)MIN(boot->ram_bytes, (uint64_t)UINT32_MAX));
    word(&t, (uint32_t)boot->ram_base);
    if (boot->initrd_bytes) {
        word(&t, 4);
        word(&t, TAG_INITRD2);
        word(&t, (uint32_t)boot->initrd);
        word(&t, (uint32_t)boot->initrd_bytes);
    }
    if (text > 1) {
        word(&t, (uint32_t)(2 + ROUND_UP(text, 4) / 4));
        word(&t, TAG_CMDLINE);
        memcpy(t.bytes + t.len, m->append, text);
        t.len += ROUND_UP(text, 4);
    }
    word(&t, 0);
    word(&t, TAG_NONE);
    machine_add_rom(m, "tags", boot->ram_base + TAGS_AT, t.bytes, t.len, 0);
    return true;
}

/* -- entering ---------------------------------------------------------------------------------------------------------------- */

bool arm_boot32_place(Machine *m, ArmBoot *boot, Error **errp)
{
    const uint32_t code[] = {
        0xe3a00000, /* mov r0, #0 */
        0xe59f1004, /* ldr r1, the machine's number */
        0xe59f2004, /* ldr r2, tags or device tree */
        0xe59ff004, /* ldr pc, entry */
        m->fdt ? NO_MACHINE : boot->board_id, (uint32_t)(m->fdt ? boot->fdt : boot->ram_base + TAGS_AT), (uint32_t)boot->entry,
    };
    static_assert(sizeof(code) == STUB_BYTES, "seven words");
    uint8_t *bytes = xcalloc(1, STUB_BYTES);

    if (!m->fdt && !add_tags(m, boot, errp)) {
        free(bytes);
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(code); i++) {
        stle32(bytes + 4 * i, code[i]);
    }
    machine_add_rom(m, "bootloader", boot->ram_base, bytes, STUB_BYTES, 0);
    return true;
}
