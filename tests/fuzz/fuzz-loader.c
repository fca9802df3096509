/*
 * fuzz-loader.c: kernel, firmware and RAM disk files (ELF of both sizes, gzip, raw) for a board of 2 MiB: a file is
 * loaded or refused with one line, whatever its numbers are; what is loaded lies in RAM.
 *
 * Input: the file. Seeds have no zero bytes (driver.c takes them as strings): each byte 0x01 of the input stands for
 * zero, 0xff for itself, so that edits hit real fields.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "hw/loader.h"
#include "softmmu/bql.h"
#include "softmmu/loop.h"
#include "softmmu/machine.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "tests/fuzz/fuzz.h"

enum { RAM_BYTES = 2 << 20, ELF_MACHINE_RISCV = 243, MAX_FILE_BYTES = 1 << 16 };
#define RAM_BASE UINT64_C(0x80000000)

#define Z2 "\x01\x01"
#define Z4 Z2 Z2
#define Z8 Z4 Z4
#define IDENT64 "\x7f" "ELF\x02\x02\x02" Z8 "\x01" /* 0x02 stands for 1, see decode() */
#define ADDR8 "\x01\x01\x01\x80" Z4

const char *const fuzz_seeds[] = {
    IDENT64 "\x03\x01\xf3\x01\x02" Z2 "\x01" ADDR8 "\x40\x01\x01\x01" Z4 Z8 Z4 "\x40\x01\x38\x01\x02\x01" Z2 Z4
        "\x02\x01\x01\x01\x07\x01\x01\x01" Z8 ADDR8 ADDR8 "\x40\x01\x01\x01" Z4 "\x40\x01\x01\x01" Z4 Z8,
    IDENT64 "\x04\x01\xf3\x01\x02" Z2 "\x01" ADDR8 "\x40\x01\x01\x01" Z4 Z8 Z4 "\x40\x01\x38\x01\x03\x01" Z2 Z4
        "\x02\x01\x01\x01\x07\x01\x01\x01" Z8 ADDR8 ADDR8 "\x40\x01\x01\x01" Z4 "\xff\x01\x01\x01" Z4 Z8
        "\x02\x01\x01\x01\x07\x01\x01\x01" Z8 "\x01\x10\x01\x80" Z4 "\x01\x10\x01\x80" Z4 "\x10\x01\x01\x01" Z4
        "\x01\x10\x01\x01" Z4 Z8,
    "\x7f" "ELF\x02\x02\x02" Z8 "\x01\x03\x01\xf3\x01\x02" Z2 "\x01\x01\x01\x01\x80\x34\x01\x01\x01" Z8 "\x34\x01\x20\x01\x02\x01" Z4,
    "\x1f\x8b\x08\x01\x01\x01\x01\x01\x01\x03\xcb\x48\xcd\xc9\xc9\x57\x28\xcf\x2f\xca\x49", "a raw file", NULL
};
const char *const fuzz_words[] = {
    "\xff\xff\xff\xff\xff\xff\xff\xff", "\x01\x01\x01\x80", Z8, "\xff\xff\x1f\x80", "\x01\x01\x20\x80", "\x7f" "ELF", "\x1f\x8b\x08",
    "\xf8\xff\xff\xff\xff\xff\xff\xff", "\xf3\x01", "\x38\x01", "\x01\x01\x01\x01\x01\x01\x01\x40", NULL
};

static Machine *machine;
static int fd;
static char path[64];

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-loader: %s\n", what);
        abort();
    }
}

static void start(void)
{
    error_set_program("fuzz-loader");
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    system_init_backends();
    machine = machine_new(machine_type_find("virt", "riscv64"), "riscv64");
    machine->firmware = xstrdup("none");
    machine->ram_bytes = RAM_BYTES;
    fd = memfd_create("fuzz-loader", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || !machine_build(machine, NULL)) {
        exit(1);
    }
}

/* 1 is 0; 2 is 1 but where a field of ELF (class, version, type) wants it as it is: both are tried by edits. */
static size_t decode(uint8_t *out, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = data[i] == 1 ? 0 : data[i];
    }
    if (size > 64 && !memcmp(out, "\x7f" "ELF", 4)) {
        out[6] = out[5] = 1;
        out[16] = out[16] == 3 ? 2 : out[16];
        out[56] = out[56] == 2 ? 1 : out[56];
        out[64] = out[64] == 2 ? 1 : out[64];
    }
    return size;
}

static void load(bool raw)
{
    Image image;
    Error *err = NULL;
    bool ok = raw ? image_open_raw(&image, "ramdisk", path, &err) : image_open(&image, "kernel", path, RAM_BYTES, &err);

    if (ok && image_is_elf(&image)) {
        /* What is loaded is kept for resets: a copy of the right size, so that its ends are seen. */
        ElfInfo info;
        Image copy = { xmemdup(image.data, image.len), image.len, false };
        ok = image_load_elf(machine, &copy, "kernel", path, ELF_MACHINE_RISCV, 0, &info, &err);
        if (ok) {
            require(info.first <= info.last && image_fits(machine, info.first, 1) && image_fits(machine, info.last, 1),
                    "an ELF file is loaded into memory");
            machine_reset(machine, RESET_COLD);
        }
        machine_drop_roms(machine, path);
        image_close(&copy);
    } else if (ok) {
        ok = image_fits(machine, RAM_BASE, image.len) || image.len > RAM_BYTES;
        require(ok, "a raw file fits by its size");
    }
    if (err) {
        require(!strchr(error_message(err), '\n') && strlen(error_message(err)) > 10, "an error is one line");
    }
    error_free(err);
    image_close(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[MAX_FILE_BYTES];

    if (!machine) {
        start();
    }
    size_t n = decode(file, data, MIN(size, sizeof(file)));
    if (ftruncate(fd, 0) < 0 || pwrite(fd, file, n, 0) != (ssize_t)n) {
        exit(1);
    }
    load(false);
    load(true);
    return 0;
}
