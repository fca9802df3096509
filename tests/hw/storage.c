/*
 * storage.c: see storage.h.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "hw/prop-hooks.h"
#include "softmmu/bql.h"
#include "tests/hw/storage.h"

enum { MAX_FILES = 16 };

Machine *machine;
static char *files[MAX_FILES];
static unsigned n_files;

static void die(Error *err)
{
    fprintf(stderr, "%s\n", error_message(err));
    exit(1);
}

static bool set_drive(Object *obj, const Property *prop, void *field, const char *text, Error **errp)
{
    *(BlockBackend **)field = *text ? block_find(text) : NULL;
    CHECK(!*text || *(BlockBackend **)field);
    return true;
}

static const PropHooks drive_hooks = { .set = set_drive };

static void build(unsigned n_cpus)
{
    Error *err = NULL;

    if (!machine_set_smp(machine, &(SmpConfig){ .cpus = n_cpus }, &err) || !machine_build(machine, &err)) {
        die(err);
    }
}

static void prepare(const char *board, const char *arch)
{
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    property_set_hooks(PROP_DRIVE, &drive_hooks);
    machine = machine_new(machine_type_find(board, arch), arch);
}

void storage_start(void)
{
    prepare("virt", "riscv64");
    machine->firmware = xstrdup("none");
    machine->ram_bytes = 16 << 20;
    build(0);
}

void storage_start_on(const char *board, const char *arch, unsigned n_cpus)
{
    prepare(board, arch);
    build(n_cpus);
}

void storage_ready(void)
{
    Error *err = NULL;

    if (!machine_ready(machine, &err)) {
        die(err);
    }
    machine_reset(machine, RESET_COLD);
    vm_start(machine);
}

void storage_finish(void)
{
    block_drain_all();
    for (unsigned i = 0; i < n_files; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    if (test_failures) { /* those of this file: test.h counts per file */
        exit(1);
    }
}

uint32_t storage_word(uint64_t sector, unsigned word)
{
    return (uint32_t)(sector & 0xffffff) | word << 24;
}

const char *storage_image(const char *id, uint64_t bytes, const char *drive_options)
{
    const char *tmp = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *path = xasprintf("%s/storage-XXXXXX", tmp);
    int fd = mkstemp(path);
    Error *err = NULL;
    uint32_t data[128];
    bool ok = fd >= 0;

    for (uint64_t at = 0; ok && at < bytes; at += sizeof(data)) {
        for (unsigned i = 0; i < 128; i++) {
            stle32(&data[i], storage_word(at / 512, i));
        }
        size_t len = MIN(bytes - at, sizeof(data));
        ok = pwrite(fd, data, len, (off_t)at) == (ssize_t)len;
    }
    if (!ok) {
        perror(path);
        exit(1);
    }
    close(fd);
    char *text = drive_options ? xasprintf("file=%s,id=%s,format=raw,%s", path, id, drive_options)
                               : xasprintf("{\"driver\": \"file\", \"node-name\": \"%s\", \"filename\": \"%s\"}", id, path);
    if (drive_options) {
        ok = drive_add(text, NULL, 0, &err);
    } else {
        Json *options = json_parse_string(text, NULL);
        ok = blockdev_add(options, &err);
        json_free(options);
    }
    free(text);
    if (!ok) {
        die(err);
    }
    files[n_files++] = path;
    return path;
}

uint32_t storage_file_word(const char *path, uint64_t sector, unsigned word)
{
    uint8_t raw[4] = { 0 };
    int fd = open(path, O_RDONLY);

    CHECK(pread(fd, raw, 4, (off_t)(sector * 512 + word * 4)) == 4);
    close(fd);
    return ldle32(raw);
}

Device *storage_add(const char *type, const char *const *opts)
{
    Error *err = NULL;
    Device *dev = device_add(type, opts, &err);

    if (!dev) {
        die(err);
    }
    return dev;
}

uint64_t ld(gpa addr, unsigned size)
{
    uint64_t value = 0;

    CHECK_EQ(memory_load(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE), MEM_OK);
    return value;
}

void st(gpa addr, unsigned size, uint64_t value)
{
    CHECK_EQ(memory_store(&machine->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE), MEM_OK);
}

void put_bytes(gpa addr, const void *data, size_t bytes)
{
    CHECK_EQ(memory_write(&machine->memory, addr, data, bytes, MEM_ATTRS_NONE), MEM_OK);
}

void get_bytes(gpa addr, void *data, size_t bytes)
{
    CHECK_EQ(memory_read(&machine->memory, addr, data, bytes, MEM_ATTRS_NONE), MEM_OK);
}

uint32_t config_ld(Device *dev, unsigned offset, unsigned size)
{
    return pci_config_read(pci_first_root(), PCI_DEVICE(dev)->devfn, offset, size);
}

void config_st(Device *dev, unsigned offset, unsigned size, uint32_t value)
{
    pci_config_write(pci_first_root(), PCI_DEVICE(dev)->devfn, offset, size, value);
}

void storage_map_bar(Device *dev, unsigned bar, gpa addr)
{
    config_st(dev, PCI_BAR0 + bar * 4, 4, (uint32_t)addr);
    config_st(dev, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void storage_check_state(Device *dev)
{
    StateBuffer a = { 0 }, b = { 0 };
    size_t pos = 0;
    uint64_t seed = 1;
    Error *err = NULL;

    device_save(dev, &a);
    device_reset(dev, RESET_COLD);
    CHECK(device_load(dev, a.at, a.n, &pos, NULL));
    device_save(dev, &b);
    CHECK(a.n == b.n && !memcmp(a.at, b.at, a.n));
    for (size_t len = 0; len < a.n; len += 1 + a.n / 40) {
        pos = 0;
        CHECK(!device_load(dev, a.at, len, &pos, &err));
        error_free(err);
        err = NULL;
    }
    for (unsigned i = 0; i < 300 && a.n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        a.at[(seed >> 33) % a.n] = (uint8_t)(seed >> 25);
        pos = 0;
        if (!device_load(dev, a.at, a.n, &pos, &err)) {
            error_free(err);
            err = NULL;
        }
    }
    device_reset(dev, RESET_COLD);
    vec_free(&a);
    vec_free(&b);
}
