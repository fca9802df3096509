/*
 * virt-dtb.c: writes the device tree of a `virt` machine to a file, for
 * hw-virt-dtb.py. Arguments: FILE ARCH SMP MEMORY [PROPERTY=VALUE]…
 */
#include <stdio.h>
#include <string.h>
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "util/parse.h"

int main(int argc, char **argv)
{
    Error *err = NULL;
    uint64_t n;

    if (argc < 5) {
        return 2;
    }
    bql_lock();
    Machine *m = machine_new(machine_type_find("virt", argv[2]), argv[2]);
    bool ok = parse_uint("smp", argv[3], UINT32_MAX, &n, &err) &&
              machine_set_smp(m, &(SmpConfig){ .cpus = (unsigned)n }, &err) &&
              parse_size(argv[4], &m->ram_bytes, &err);
    for (int i = 5; ok && i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) {
            return 2;
        }
        *value++ = '\0';
        ok = object_property_parse(&m->obj, argv[i], value, &err);
    }
    ok = ok && machine_build(m, &err) && machine_ready(m, &err);
    if (!ok) {
        error_report_free(err);
        return 1;
    }
    machine_reset(m, RESET_COLD);
    FILE *f = fopen(argv[1], "wb");
    ok = f && fwrite(m->fdt, 1, m->fdt_bytes, f) == m->fdt_bytes && !fclose(f);
    return ok ? 0 : 1;
}
