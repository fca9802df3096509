/*
 * datadir.c: see datadir.h. Filled while options are parsed, read afterwards.
 *
 * The distribution keeps OpenSBI in a folder and under names of its own; those
 * are searched last.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "softmmu/datadir.h"
#include "util/alloc.h"

#ifndef CONFIG_DATADIR
#define CONFIG_DATADIR "/usr/local/share/qemu"
#endif

static VEC(char *) datadirs;

static const char *const built_in[] = {
    CONFIG_DATADIR,
    "/usr/share/qemu",
    "/usr/share/qemu-firmware",
    "/usr/share/seabios",
    "/usr/lib/ipxe/qemu",
};

/* Other names of the same image. */
static const struct {
    const char *name, *path;
} elsewhere[] = {
    { "opensbi-riscv64-generic-fw_dynamic.bin",
      "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin" },
    { "opensbi-riscv64-generic-fw_dynamic.elf",
      "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.elf" },
};

void datadir_add(const char *dir)
{
    *vec_push(&datadirs) = xstrdup(dir);
}

void datadir_print(void)
{
    for (size_t i = 0; i < datadirs.n; i++) {
        puts(datadirs.at[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
        puts(built_in[i]);
    }
}

static char *try_file(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);

    if (!access(path, R_OK)) {
        return path;
    }
    free(path);
    return NULL;
}

char *datadir_find(const char *name)
{
    char *path = NULL;

    if (!access(name, R_OK)) {
        return xstrdup(name);
    }
    if (*name == '/' || *name == '.') {
        return NULL;
    }
    for (size_t i = 0; i < datadirs.n && !path; i++) {
        path = try_file(datadirs.at[i], name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(built_in) && !path; i++) {
        path = try_file(built_in[i], name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere) && !path; i++) {
        if (!strcmp(elsewhere[i].name, name) && !access(elsewhere[i].path, R_OK)) {
            path = xstrdup(elsewhere[i].path);
        }
    }
    return path;
}

const char *datadir_package(const char *path)
{
    static const struct {
        const char *start, *package; /* of the file's name */
    } packages[] = {
        { "bios-microvm.bin", "seabios or qemu-system-data" },
        { "bios", "seabios" },
        { "vgabios", "seabios" },
        { "OVMF", "ovmf" },
        { "qboot", "qemu-system-data" },
    };
    const char *name = strrchr(path, '/');

    if (name && strncmp(path, "/usr/share/", 11)) {
        return NULL;
    }
    name = name ? name + 1 : path;
    for (size_t i = 0; i < ARRAY_SIZE(packages); i++) {
        if (!strncmp(name, packages[i].start, strlen(packages[i].start))) {
            return packages[i].package;
        }
    }
    return NULL;
}
