/*
 * machine.c: the machine object: options, memory, reset.
 * See machine.h for the order of events. Threads: BQL.
 */
#include <errno.h>
#include <stdio.h>
#include "accel/vcpu.h"
#include "hw/chardev-prop.h"
#include "hw/hostmem.h"
#include "softmmu/machine.h"
#include "softmmu/runstate-internal.h"
#include "softmmu/numa.h"
#include "target/target.h"
#include "util/log.h"
#include "util/rcu.h"
#include "util/trace.h"

static Machine *the_machine;

typedef struct ResetHook {
    void (*fn)(void *opaque);
    void *opaque;
} ResetHook;
static VEC(ResetHook) reset_hooks;

typedef struct Rom {
    char *name;
    gpa addr;
    void *data;
    uint64_t len, mem_len;
} Rom;
static VEC(Rom) roms, noted_roms;

typedef struct Start { unsigned vcpu; uint64_t pc; } Start;
static VEC(Start) starts;

Machine *machine_current(void)
{
    return the_machine;
}

/* --- the base type --- */

#define MACHINE_STR(pname, field, text) PROP_STR(pname, Machine, field, text)

static bool phandle_start_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    *ret = prop_int(0);
    return true;
}

static const Property machine_props[] = {
    MACHINE_STR("kernel", kernel, "Linux kernel image file"),
    MACHINE_STR("initrd", initrd, "Linux initial ramdisk file"),
    MACHINE_STR("append", append, "Linux kernel command line"),
    MACHINE_STR("dtb", dtb, "Linux kernel device tree file"),
    { .name = "dumpdtb", .kind = PROP_STRING, .offset = offsetof(Machine, dumpdtb),
      .help = "Dump current dtb to a file and quit", .settable_when_realized = true },
    { .name = "phandle-start", .kind = PROP_CUSTOM, .type_name = "int",
      .get = phandle_start_get,
      .help = "The first phandle ID we may generate dynamically" },
    MACHINE_STR("dt-compatible", dt_compatible,
                "Overrides the \"compatible\" property of the dt root node"),
    { .name = "dump-guest-core", .kind = PROP_BOOL, .offset = offsetof(Machine, dump_guest_core),
      .def = true, .help = "Include guest memory in a core dump" },
    { .name = "mem-merge", .kind = PROP_BOOL, .offset = offsetof(Machine, mem_merge),
      .def = true, .help = "Enable/disable memory merge support" },
    { .name = "usb", .kind = PROP_BOOL, .offset = offsetof(Machine, usb),
      .help = "Set on/off to enable/disable usb" },
    { .name = "graphics", .kind = PROP_BOOL, .offset = offsetof(Machine, graphics),
      .help = "Set on/off to enable/disable graphics emulation" },
    MACHINE_STR("firmware", firmware, "Firmware image"),
    MACHINE_STR("shim", shim, "shim.efi file"),
    { .name = "suppress-vmdesc", .kind = PROP_BOOL,
      .offset = offsetof(Machine, suppress_vmdesc),
      .help = "Set on to disable self-describing migration" },
    { .name = "memory-backend", .kind = PROP_STRING, .type_name = "link<memory-backend>",
      .offset = offsetof(Machine, memory_backend),
      .help = "Set RAM backend. Valid value is ID of hostmem based backend" },
};

static void machine_obj_init(Object *obj)
{
    Machine *m = (Machine *)obj;

    m->dump_guest_core = m->mem_merge = m->graphics = true;
    m->state = RUN_STATE_PRELAUNCH;
}

static void machine_obj_finish(Object *obj)
{
    Machine *m = (Machine *)obj;

    free(m->cpu_type);
    free(m->boot_order);
    free(m->boot.once);
    free(m->boot.splash);
    free(m->fdt);
}

static const ObjectType machine_base_type = {
    .name = "machine",
    .parent = "object",
    .summary = "a board with everything on it",
    .size_bytes = sizeof(Machine),
    .abstract = true,
    .props = machine_props,
    .n_props = ARRAY_SIZE(machine_props),
    .init = machine_obj_init,
    .finish = machine_obj_finish,
};
OBJECT_TYPE_REGISTER(machine_base_type);

Machine *machine_new(const MachineType *type, const char *arch)
{
    assert(!the_machine);
    Machine *m = (Machine *)object_new(&type->type);

    the_machine = m;
    chardev_prop_install();
    m->type = type;
    m->arch = arch;
    m->ram_bytes = type->default_ram_bytes;
    m->boot.splash_time_ms = m->boot.reboot_timeout_ms = -1;
    object_add_child(object_root(), "machine", &m->obj);
    object_unref(&m->obj);
    object_container("/machine/peripheral");
    object_container("/machine/peripheral-anon");
    Object *unattached = object_container("/machine/unattached");
    bus_init_embedded(&m->sysbus, "System", NULL, "main-system-bus");
    object_add_child(unattached, "sysbus", &m->sysbus.obj);
    memory_region_init(&m->system_memory, NULL, "system", MEMORY_SIZE_ALL);
    memory_region_init(&m->system_io, NULL, "io", 0x10000);
    address_space_init(&m->memory, &m->system_memory, "memory");
    address_space_init(&m->io, &m->system_io, "I/O");
    return m;
}

bool machine_set_smp(Machine *m, const SmpConfig *smp, Error **errp)
{
    SmpConfig s = *smp;
    const unsigned limit = m->type->max_cpus;
    uint64_t others = 1;
    unsigned *level[] = { &s.drawers, &s.books, &s.dies, &s.clusters, &s.modules };

    for (size_t i = 0; i < ARRAY_SIZE(level); i++) {
        *level[i] = *level[i] ? *level[i] : 1;
        others *= *level[i];
    }
    if (!s.cpus && !s.max_cpus && !s.sockets && !s.cores && !s.threads) {
        s.cpus = m->type->default_cpus ? m->type->default_cpus : 1;
    }
    unsigned total = s.max_cpus ? s.max_cpus : s.cpus;
    if (!total) {
        s.sockets = MAX(s.sockets, 1);
        s.cores = MAX(s.cores, 1);
        s.threads = MAX(s.threads, 1);
        uint64_t n = others * s.sockets * s.cores * s.threads;
        total = (unsigned)MIN(n, UINT32_MAX);
    } else {
        /* What is left open is filled in, cores before sockets. */
        if (!s.cores) {
            s.sockets = MAX(s.sockets, 1);
            s.threads = MAX(s.threads, 1);
            uint64_t n = others * s.sockets * s.threads;
            s.cores = (unsigned)MAX(total / n, 1);
        } else if (!s.sockets) {
            s.threads = MAX(s.threads, 1);
            s.sockets = (unsigned)MAX(total / (others * s.cores * s.threads), 1);
        } else if (!s.threads) {
            s.threads = (unsigned)MAX(total / (others * s.cores * s.sockets), 1);
        }
    }
    s.max_cpus = s.max_cpus ? s.max_cpus : total;
    s.cpus = s.cpus ? s.cpus : s.max_cpus;
    if (s.cpus > s.max_cpus) {
        error_set(errp, "maxcpus (%u) must be equal to or greater than smp (%u)", s.max_cpus,
                  s.cpus);
        return false;
    }
    if (others * s.sockets * s.cores * s.threads != s.max_cpus) {
        error_set(errp, "Invalid CPU topology: product of the hierarchy must match maxcpus: "
                  "sockets (%u) * cores (%u) * threads (%u) != maxcpus (%u)", s.sockets, s.cores,
                  s.threads, s.max_cpus);
        return false;
    }
    if (s.max_cpus > limit) {
        error_set(errp, "Invalid SMP CPUs %u. The max CPUs supported by machine '%s' is %u",
                  s.max_cpus, m->type->name, limit);
        return false;
    }
    if (s.cpus < m->type->min_cpus) {
        error_set(errp, "Invalid SMP CPUs %u. The min CPUs supported by machine '%s' is %u", s.cpus, m->type->name, m->type->min_cpus);
        return false;
    }
    m->smp = s;
    return true;
}

bool machine_create_ram(Machine *m, Error **errp)
{
    static MemoryRegion own;

    if (m->numa) {
        return numa_create_ram(m, errp);
    }
    if (m->memory_backend) {
        Object *backend = object_resolve(m->memory_backend, NULL);
        m->ram = backend ? memory_backend_region(backend) : NULL;
        if (!m->ram) {
            error_set(errp, "memory backend '%s' not found", m->memory_backend);
            return false;
        }
        if (memory_region_size(m->ram) != m->ram_bytes) {
            error_set(errp, "memory backend '%s' has %" PRIu64 " bytes, the machine %" PRIu64,
                      m->memory_backend, memory_region_size(m->ram), m->ram_bytes);
            return false;
        }
        if (m->ram->container) {
            error_set(errp, "memory backend '%s' is in use already", m->memory_backend);
            return false;
        }
        return true;
    }
    m->ram = &own;
    return memory_region_init_ram(m->ram, NULL, m->type->ram_id, m->ram_bytes, errp);
}

bool machine_build(Machine *m, Error **errp)
{
    if (!m->smp.cpus && !machine_set_smp(m, &(SmpConfig){0}, errp)) {
        return false;
    }
    return numa_finish(m, errp) && m->type->init(m, errp);
}

/* -M dumpdtb=FILE: the tree is all that is wanted. */
static bool dump_fdt(Machine *m, Error **errp)
{
    FILE *f;

    if (!m->fdt) {
        error_set(errp, "this machine doesn't have a FDT");
        return false;
    }
    f = fopen(m->dumpdtb, "wb");
    if (!f || fwrite(m->fdt, 1, m->fdt_bytes, f) != m->fdt_bytes || fclose(f)) {
        error_set_errno(errp, errno, "Failed to dump dtb to '%s'", m->dumpdtb);
        return false;
    }
    error_report("info: dtb dumped to %s. Exiting.", m->dumpdtb);
    exit(0);
}

static int rom_order(const void *a, const void *b)
{
    gpa x = ((const Rom *)a)->addr, y = ((const Rom *)b)->addr;

    return (x > y) - (x < y);
}

/* What is loaded at reset may not depend on the order of loading. */
static bool check_roms(Error **errp)
{
    bool ok = true;

    if (!roms.n) {
        return true;
    }
    Rom *sorted = xmemdup(roms.at, roms.n * sizeof(Rom));
    qsort(sorted, roms.n, sizeof(Rom), rom_order);
    for (size_t i = 1; i < roms.n && ok; i++) {
        const Rom *low = &sorted[i - 1], *high = &sorted[i];
        if (high->addr - low->addr < low->mem_len) {
            error_set(errp, "'%s' (0x%" PRIx64 " to 0x%" PRIx64 ") and '%s' (0x%" PRIx64 " to 0x%" PRIx64
                      ") overlap in memory", low->name, low->addr, low->addr + low->mem_len - 1, high->name,
                      high->addr, high->addr + high->mem_len - 1);
            ok = false;
        }
    }
    free(sorted);
    return ok;
}

bool machine_ready(Machine *m, Error **errp)
{
    if ((m->type->ready && !m->type->ready(m, errp)) || !check_roms(errp)) {
        return false;
    }
    if (m->dumpdtb && !dump_fdt(m, errp)) {
        return false;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        if (!vcpu_control_start(m->vcpus[i], errp)) {
            return false;
        }
    }
    m->built = true;
    return true;
}

/* --- reset --- */

void machine_add_reset(void (*fn)(void *opaque), void *opaque)
{
    *vec_push(&reset_hooks) = (ResetHook){ fn, opaque };
}

void machine_remove_reset(void (*fn)(void *opaque), void *opaque)
{
    for (size_t i = 0; i < reset_hooks.n; i++) {
        if (reset_hooks.at[i].fn == fn && reset_hooks.at[i].opaque == opaque) {
            memmove(&reset_hooks.at[i], &reset_hooks.at[i + 1],
                    (--reset_hooks.n - i) * sizeof(ResetHook));
            return;
        }
    }
}

void machine_set_start(Machine *m, unsigned index, uint64_t pc)
{
    *vec_push(&starts) = (Start){ index, pc };
}

void machine_add_rom(Machine *m, const char *name, gpa addr, void *data, uint64_t len,
                     uint64_t mem_len)
{
    *vec_push(&roms) = (Rom){ xstrdup(name), addr, data, len, MAX(len, mem_len) };
}

void machine_note_rom(Machine *m, const char *name, gpa addr, uint64_t len)
{
    *vec_push(&noted_roms) = (Rom){ .name = xstrdup(name), .addr = addr, .mem_len = len };
}

void machine_drop_roms(Machine *m, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < roms.n; i++) {
        if (strcmp(roms.at[i].name, name)) {
            roms.at[kept++] = roms.at[i];
        } else {
            free(roms.at[i].name);
        }
    }
    roms.n = kept;
}

/* The first byte at or behind `at` that no image has, and the first behind that that one has. */
static gpa behind_images(gpa at, gpa *next)
{
    for (bool moved = true; moved;) {
        moved = false;
        *next = UINT64_MAX;
        for (size_t i = 0; i < roms.n; i++) {
            const Rom *r = &roms.at[i];
            if (r->addr <= at && at - r->addr < r->mem_len) {
                at = r->addr + r->mem_len;
                moved = true;
            } else if (r->addr > at) {
                *next = MIN(*next, r->addr);
            }
        }
    }
    return at;
}

bool machine_unused_ram(Machine *m, gpa *ret_start, gpa *ret_end)
{
    *ret_start = *ret_end = 0;
    for (size_t i = 0; i < roms.n; i++) {
        rcu_read_lock();
        MemLookup here = memory_lookup(&m->memory, roms.at[i].addr);
        rcu_read_unlock();
        if (!here.host || here.readonly) {
            continue;
        }
        gpa next, at, end = roms.at[i].addr + here.length;
        for (at = roms.at[i].addr - here.offset; (at = behind_images(at, &next)) < end; at = next) {
            if (MIN(next, end) - at > *ret_end - *ret_start) {
                *ret_start = at;
                *ret_end = MIN(next, end);
            }
        }
    }
    return *ret_start < *ret_end;
}

void machine_print_roms(PrintFn *print, void *opaque)
{
    for (size_t i = 0; i < roms.n; i++) {
        print_fmt(print, opaque, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=%s name=\"%s\"\n",
                  roms.at[i].addr, roms.at[i].mem_len,
                  memory_lookup(&the_machine->memory, roms.at[i].addr).readonly
                  ? "rom" : "ram", roms.at[i].name);
    }
    for (size_t i = 0; i < noted_roms.n; i++) {
        const Rom *r = &noted_roms.at[i];
        if (r->addr == MACHINE_ROM_OF_FW_CFG) {
            print_fmt(print, opaque, "fw=%s size=0x%06" PRIx64 " name=\"%s\"\n", r->name, r->mem_len, strrchr(r->name, '/') + 1);
        } else {
            print_fmt(print, opaque, "addr=%016" PRIx64 " size=0x%06" PRIx64 " mem=rom name=\"%s\"\n", r->addr, r->mem_len, r->name);
        }
    }
}

void machine_reset_devices(Machine *m, ResetKind kind)
{
    device_reset_bus(&m->sysbus, kind);
    for (size_t i = 0; i < roms.n && kind != RESET_WAKEUP; i++) { /* what slept in memory is there still */
        static const uint8_t zeros[4096];
        memory_write_rom(&m->memory, roms.at[i].addr, roms.at[i].data, roms.at[i].len);
        for (uint64_t pos = roms.at[i].len; pos < roms.at[i].mem_len; pos += sizeof(zeros)) {
            memory_write_rom(&m->memory, roms.at[i].addr + pos, zeros,
                             MIN(sizeof(zeros), roms.at[i].mem_len - pos));
        }
    }
    for (size_t i = 0; i < reset_hooks.n; i++) {
        reset_hooks.at[i].fn(reset_hooks.at[i].opaque);
    }
    vcpu_control_reset_all();
    for (size_t i = 0; i < starts.n && kind != RESET_WAKEUP; i++) {
        Vcpu *vcpu = m->vcpus[starts.at[i].vcpu];
        vcpu->target->set_pc(vcpu, starts.at[i].pc);
    }
}

void machine_reset(Machine *m, ResetKind kind)
{
    TRACE("system_reset", "kind %d", (int)kind);
    if (m->type->reset) {
        m->type->reset(m, kind);
    } else {
        machine_reset_devices(m, kind);
    }
}
