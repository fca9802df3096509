/*
 * generic-loader.c: -device loader: a file or a number in memory, the address at which a processor starts.
 *
 * Three uses: file= (ELF where it says, anything else at addr=), data= with data-len=, and a bare addr= with cpu-num=. With cpu-num= a file's
 * entry point, or its address, is where that processor starts. All of it happens at each reset. Not here: uImage and Intel HEX.
 */
#include "accel/vcpu.h"
#include "hw/device.h"
#include "hw/loader.h"
#include "target/target.h"
#include "util/alloc.h"

enum { NO_CPU = -1 };

typedef struct GenericLoader {
    Device dev;
    uint64_t addr, data;
    uint8_t data_len;
    bool data_be, force_raw;
    int32_t cpu_num;
    char *file;
} GenericLoader;

static bool has_data(const GenericLoader *l) { return l->data || l->data_len || l->data_be; }

static bool check(const GenericLoader *l, Error **errp)
{
    const Machine *m = machine_current();

    if (has_data(l) && l->file) {
        error_set(errp, "Specifying a file is not supported when loading memory values");
    } else if (has_data(l) && l->force_raw) {
        error_set(errp, "Specifying force-raw is not supported when loading memory values");
    } else if (has_data(l) && !l->data_len) {
        error_set(errp, "Both data and data-len must be specified");
    } else if (has_data(l) && l->data_len > 8) {
        error_set(errp, "data-len cannot be greater then 8 bytes");
    } else if (!has_data(l) && !l->file && !l->addr) {
        error_set(errp, "please include valid arguments");
    } else if (!has_data(l) && !l->file && l->cpu_num == NO_CPU) {
        error_set(errp, "cpu_num must be specified when setting a program counter");
    } else if (l->cpu_num != NO_CPU && (l->cpu_num < 0 || (unsigned)l->cpu_num >= m->n_vcpus)) {
        error_set(errp, "Specified boot CPU#%d is nonexistent", l->cpu_num);
    } else {
        return true;
    }
    return false;
}

static bool load_data(GenericLoader *l, Error **errp)
{
    Machine *m = machine_current();

    if (!image_fits(m, l->addr, l->data_len)) {
        error_set(errp, "no memory for %u bytes at 0x%" PRIx64, l->data_len, l->addr);
        return false;
    }
    uint8_t *bytes = xmalloc(l->data_len);
    for (unsigned i = 0; i < l->data_len; i++) {
        bytes[l->data_be ? l->data_len - 1u - i : i] = (uint8_t)(l->data >> 8 * i);
    }
    char *name = xasprintf("loader at 0x%" PRIx64, l->addr);
    machine_add_rom(m, name, l->addr, bytes, l->data_len, l->data_len);
    free(name);
    return true;
}

/* uImage's magic number; a record of Intel HEX. */
static bool is_other_format(const Image *image)
{
    static const uint8_t uimage[4] = { 0x27, 0x05, 0x19, 0x56 };

    return image->len >= 11 && (!memcmp(image->data, uimage, sizeof(uimage)) || (image->data[0] == ':' && image->data[7] == '0'));
}

static bool load_image(GenericLoader *l, const Image *image, Error **errp)
{
    Machine *m = machine_current();
    ElfInfo elf;

    if (!l->force_raw && image_is_elf(image)) {
        uint16_t elf_machine = m->n_vcpus ? m->vcpus[0]->target->elf_machine : 0;
        if (!image_load_elf(m, image, "file", l->file, elf_machine, 0, &elf, errp)) {
            return false;
        }
        l->addr = elf.entry;
        return true;
    }
    if (!l->force_raw && is_other_format(image)) {
        error_set(errp, "Cannot load specified image %s: uImage and Intel HEX are not supported (force-raw=on takes the bytes as they are)", l->file);
        return false;
    }
    return image_load_raw(m, image, "file", l->file, l->addr, errp);
}

static bool load_file(GenericLoader *l, Error **errp)
{
    Image image;

    if (!image_open_raw(&image, "file", l->file, errp)) {
        return false;
    }
    if (!load_image(l, &image, errp)) {
        image_close(&image);
        return false;
    }
    return true; /* the machine's ROMs point into it */
}

static bool loader_realize(Device *dev, Error **errp)
{
    GenericLoader *l = (GenericLoader *)dev;

    if (!check(l, errp)) {
        return false;
    }
    if ((has_data(l) && !load_data(l, errp)) || (l->file && !load_file(l, errp))) {
        return false;
    }
    if (l->cpu_num != NO_CPU && !has_data(l)) {
        machine_set_start(machine_current(), (unsigned)l->cpu_num, l->addr);
    }
    return true;
}

static const Property loader_props[] = {
    PROP_U64("addr", GenericLoader, addr, 0, "Where"),
    PROP_U64("data", GenericLoader, data, 0, "A number to be stored"),
    PROP_U8("data-len", GenericLoader, data_len, 0, "Its bytes, 1 to 8"),
    PROP_B("data-be", GenericLoader, data_be, false, "Its most significant byte first"),
    PROP_I32("cpu-num", GenericLoader, cpu_num, NO_CPU, "The processor that starts there"),
    PROP_B("force-raw", GenericLoader, force_raw, false, "Take an ELF file as bytes"),
    PROP_STR("file", GenericLoader, file, "An ELF file, or bytes"),
};

static const DeviceType loader_type = {
    .type = { .name = "loader", .parent = "device", .summary = "Generic Loader", .size_bytes = sizeof(GenericLoader),
              .props = loader_props, .n_props = ARRAY_SIZE(loader_props) },
    .category = DEVICE_MISC, .realize = loader_realize, .user_creatable = true,
};
DEVICE_TYPE_REGISTER(loader_type);
