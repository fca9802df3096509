/*
 * fuzz-pckernel.c: -kernel files for PCs (bzImage, Multiboot with ELF or addresses, PVH): taken, or refused with one line,
 * whatever their numbers are.
 *
 * Input: a letter that chooses one of four good images, then edits of it: two bytes of offset (below 4096), the number of
 * bytes (1, 2, 4 by the next byte) and the bytes. What is left over cuts the image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/fw_cfg.h"
#include "hw/i386/kernel.h"
#include "hw/loader.h"
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "tests/fuzz/fuzz.h"
#include "util/bits.h"

enum { IMAGE_BYTES = 8192, RAM_BYTES = 4 << 20 };

const char *const fuzz_seeds[] = {
    "a", "b", "c", "d", "a\x01\xf1\x01\x09", "b\x01\x04\x04\x03\x01\x01\x01", "d\x01\x54\x04\x04\x01\x01\x01", "c\x01\x10\x04\xff\xff\xff\xff", NULL
};
const char *const fuzz_words[] = {
    "\x02\x06\x02", "\x01\xf1\x01", "\x02\x11\x01", "\x02\x2c\x04", "\x02\x38\x04", "\xff\xff\xff\xff", "\x01\x40\x04", "\x01\x44\x04", "\x01\x48\x04",
    "\x01\x1c\x04", "\x01\x2a\x02", "\x01\x2c\x02", "\x01\x58\x04", "\x01\x64\x04", "\x08\x10\x04", "\x01\x0c\x04", "\x01\x18\x04", NULL
};

static Machine *machine;
static Device *fw_cfg;
static int fd;

static void start(void)
{
    static MemoryRegion ram;

    error_set_program("fuzz-pckernel");
    bql_lock();
    machine = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    fd = memfd_create("fuzz-pckernel", MFD_CLOEXEC);
    if (fd < 0 || !machine_build(machine, NULL) || !memory_region_init_ram(&ram, NULL, "ram", RAM_BYTES, NULL)) {
        exit(1);
    }
    memory_region_add(&machine->system_memory, 0, &ram);
    fw_cfg = device_create("fw_cfg_mem", sysbus_get(), NULL, NULL);
    machine->kernel = xasprintf("/proc/self/fd/%d", fd);
    machine->append = xstrdup("vga=ask quiet");
    machine->initrd = xstrdup(machine->kernel);
}

static void put_elf(uint8_t *d)
{
    memcpy(d, "\x7f" "ELF\1\1\1", 7);
    stle16(d + 16, 2);
    stle16(d + 18, 3);
    stle32(d + 24, 0x100010);
    stle32(d + 28, 0x34);
    stle16(d + 42, 32);
    stle16(d + 44, 2);
    for (unsigned i = 0; i < 2; i++) { /* a segment to load; a note, which is an empty segment for the others */
        uint8_t *p = d + 0x34 + 32 * i;
        stle32(p, i ? 4 : 1);
        stle32(p + 4, i ? 0x800 : 0x1000);
        stle32(p + 12, 0x100000);
        stle32(p + 16, i ? 44 : 0x100);
        stle32(p + 20, i ? 44 : 0x400);
    }
    memcpy(d + 0x800, "\6\0\0\0\2\0\0\0\1\0\0\0Linux\0\0\0ab\0\0", 24);
    memcpy(d + 0x818, "\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0\x20\x01\x10\0", 20);
}

static void put_multiboot(uint8_t *d, uint32_t flags)
{
    stle32(d + 0x100, 0x1badb002);
    stle32(d + 0x104, flags);
    stle32(d + 0x108, 0u - 0x1badb002 - flags);
    stle32(d + 0x10c, 0x100100);
    stle32(d + 0x110, 0x100000);
    stle32(d + 0x118, 0x103000);
    stle32(d + 0x11c, 0x100004);
}

static void make_image(uint8_t *d, uint8_t kind)
{
    memset(d, 0, IMAGE_BYTES);
    switch (kind & 3) {
    case 1: /* 'a' */
        d[0x1f1] = 9;
        stle16(d + 0x1fe, 0xaa55);
        memcpy(d + 0x202, "HdrS\x0f\x02", 6);
        d[0x211] = 1;
        stle32(d + 0x22c, 0x7fffffff);
        stle32(d + 0x238, 2047);
        break;
    case 2:
        put_elf(d);
        put_multiboot(d, 3);
        break;
    case 3:
        put_multiboot(d, 1 << 16);
        break;
    default:
        put_elf(d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[IMAGE_BYTES];
    size_t at = 1, len = IMAGE_BYTES;
    Error *err = NULL;

    if (!machine) {
        start();
    }
    if (!size) {
        return 0;
    }
    make_image(image, data[0]);
    while (size - at >= 4) {
        size_t offset = (size_t)(data[at] & 15) << 8 | data[at + 1], n = data[at + 2] & 4 ? 4 : data[at + 2] & 2 ? 2 : 1;
        n = MIN(n, size - at - 3);
        memcpy(image + offset, data + at + 3, n);
        at += 3 + n;
    }
    if (size - at >= 2) {
        len = (size_t)(data[at] & 31) << 8 | data[at + 1];
    }
    if (ftruncate(fd, 0) < 0 || pwrite(fd, image, len, 0) != (ssize_t)len) {
        exit(1);
    }
    X86Kernel k = { .machine = machine, .fw_cfg = fw_cfg, .below_4g_bytes = RAM_BYTES, .acpi_data_bytes = 0x28000, .pvh = true,
                    .linuxboot_dma = true };
    bool ok = x86_load_kernel(&k, &err);
    if (ok == (err != NULL) || (err && (strchr(error_message(err), '\n') || strlen(error_message(err)) < 10))) {
        fprintf(stderr, "fuzz-pckernel: not one line: %s\n", err ? error_message(err) : "nothing");
        abort();
    }
    error_free(err);
    machine_drop_roms(machine, machine->kernel);
    return 0;
}
