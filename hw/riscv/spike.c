/*
 * spike.c: the board of Berkeley's instruction set simulator.
 *
 * Harts, a CLINT, memory and the host-target interface, nothing else: what bare-metal test
 * programs and proxy kernels expect. `tohost` and `fromhost` lie where the firmware or the
 * kernel (an ELF file) has symbols of these names, else at a fixed place that the
 * device tree names.
 */
#include <stdio.h>
#include "hw/chardev-prop.h"
#include "hw/riscv/fdt.h"
#include "hw/riscv/htif.h"
#include "softmmu/datadir.h"

enum { SPIKE_ROM = 0x1000, SPIKE_ROM_BYTES = 0xf000, SPIKE_HTIF = 0x1000000,
       SPIKE_HTIF_BYTES = 0x1000, SPIKE_CLINT = 0x2000000, SPIKE_CLINT_BYTES = 0x10000,
       SPIKE_TIMEBASE_HZ = 10000000, SPIKE_MAX_HARTS = 8 };
static const gpa spike_ram = 0x80000000;

typedef struct SpikeMachine {
    Machine machine;
    bool is32, htif_fixed;
    MemoryRegion rom;
    Device *htif;
    RiscvBoot boot;
} SpikeMachine;

static bool spike_clint(Machine *m, Error **errp)
{
    char harts[16], hz[16];

    snprintf(harts, sizeof(harts), "%u", m->smp.cpus);
    snprintf(hz, sizeof(hz), "%u", SPIKE_TIMEBASE_HZ);
    const char *swi_props[] = { "num-harts", harts, NULL };
    const char *timer_props[] = { "num-harts", harts, "timebase-freq", hz, NULL };
    Device *swi = device_create("riscv.aclint.swi", NULL, swi_props, errp);
    Device *timer = swi ? device_create("riscv.aclint.mtimer", NULL, timer_props, errp) : NULL;

    if (!timer) {
        return false;
    }
    sysbus_map(swi, 0, SPIKE_CLINT);
    sysbus_map(timer, 0, SPIKE_CLINT + 0x4000);
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        device_connect_irq(swi, NULL, i, harts_irq(m, i, HART_IRQ_MSI));
        device_connect_irq(timer, NULL, i, harts_irq(m, i, HART_IRQ_MTI));
    }
    harts_set_time(m, timer);
    return true;
}

static bool spike_init(Machine *m, Error **errp)
{
    SpikeMachine *s = (SpikeMachine *)m;

    s->is32 = !strcmp(m->arch, "riscv32");
    if (m->ram_bytes < 1 * MiB || m->ram_bytes % 4096 || (s->is32 && m->ram_bytes > 2 * GiB)) {
        error_set(errp, "memory of %" PRIu64 " bytes is not possible: 'spike' takes multiples of "
                  "4 KiB from 1 MiB up%s", m->ram_bytes, s->is32 ? " to 2 GiB" : "");
        return false;
    }
    if (!machine_create_ram(m, errp) ||
        !memory_region_init_rom(&s->rom, NULL, "riscv.spike.mrom", SPIKE_ROM_BYTES, errp)) {
        return false;
    }
    memory_region_add(&m->system_memory, spike_ram, m->ram);
    memory_region_add(&m->system_memory, SPIKE_ROM, &s->rom);
    if (!harts_create(m, SPIKE_ROM, errp) || !spike_clint(m, errp)) {
        return false;
    }
    s->htif = device_new("riscv.htif", errp);
    bool ok = s->htif && device_attach_chardev(s->htif, m->serials[0], errp) &&
              device_realize(s->htif, NULL, errp);
    if (s->htif) {
        object_unref(&s->htif->obj);
    }
    return ok;
}

/* --- images --- */

typedef struct HtifPlace {
    uint64_t tohost, fromhost;
    bool found;
} HtifPlace;

static bool find_htif(const char *path, HtifPlace *ret, Error **errp)
{
    Image image;

    if (ret->found || !path || !image_open_raw(&image, "image", path, NULL)) {
        return true; /* the loader has said what there is to say */
    }
    bool to = image_elf_symbol(&image, "tohost", &ret->tohost);
    bool from = image_elf_symbol(&image, "fromhost", &ret->fromhost);
    image_close(&image);
    ret->found = to && from;
    if (ret->found && (ret->tohost % HTIF_BYTES || ret->fromhost % HTIF_BYTES ||
                       ret->tohost == ret->fromhost)) {
        error_set(errp, "'%s': the symbols tohost (0x%" PRIx64 ") and fromhost (0x%" PRIx64
                  ") must be two aligned 64-bit words", path, ret->tohost, ret->fromhost);
        return false;
    }
    return true;
}

static bool spike_map_htif(SpikeMachine *s, Error **errp)
{
    Machine *m = &s->machine;
    HtifPlace place = { 0 };

    char *firmware = m->firmware && *m->firmware ? datadir_find(m->firmware) : NULL;
    bool ok = find_htif(firmware, &place, errp) && find_htif(m->kernel, &place, errp);
    free(firmware);
    if (!ok) {
        return false;
    }
    s->htif_fixed = !place.found;
    if (s->htif_fixed) {
        place.fromhost = SPIKE_HTIF;
        place.tohost = SPIKE_HTIF + HTIF_BYTES;
    }
    /* Over the memory that the image has for them. */
    memory_region_add_overlap(&m->system_memory, place.fromhost,
                              device_mmio(s->htif, HTIF_FROMHOST), 1);
    memory_region_add_overlap(&m->system_memory, place.tohost,
                              device_mmio(s->htif, HTIF_TOHOST), 1);
    return true;
}

static void spike_write_fdt(Fdt *f)
{
    const uint32_t lines[] = { HART_IRQ_MSI, HART_IRQ_MTI };
    const SpikeMachine *s = (const SpikeMachine *)f->machine;
    uint64_t ram_bytes = f->machine->ram_bytes;

    fdt_node(f, "%s", "");
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_text(f, "compatible", f->machine->dt_compatible ? f->machine->dt_compatible
                                                             : "ucbbar,spike-bare-dev");
    fdt_prop_text(f, "model", "ucbbar,spike-bare,qemu");
    fdt_node(f, "chosen");
    fdt_prop_text(f, "stdout-path", "/htif");
    fdt_end(f);
    fdt_node(f, "memory@%" PRIx64, spike_ram);
    fdt_prop_text(f, "device_type", "memory");
    fdt_prop_cells(f, "reg", 0, (uint32_t)spike_ram, (uint32_t)(ram_bytes >> 32),
                   (uint32_t)ram_bytes);
    fdt_end(f);
    fdt_cpus(f, SPIKE_TIMEBASE_HZ);
    fdt_node(f, "soc");
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_text(f, "compatible", "simple-bus");
    fdt_prop_flag(f, "ranges");
    fdt_node(f, "clint@%x", SPIKE_CLINT);
    fdt_prop_hart_lines(f, "interrupts-extended", lines, 2);
    fdt_prop_cells(f, "reg", 0, SPIKE_CLINT, 0, SPIKE_CLINT_BYTES);
    fdt_prop_texts(f, "compatible", "sifive,clint0\0riscv,clint0");
    fdt_end(f);
    fdt_end(f);
    fdt_node(f, "htif");
    if (s->htif_fixed) {
        fdt_prop_cells(f, "reg", 0, SPIKE_HTIF, 0, SPIKE_HTIF_BYTES);
    }
    fdt_prop_text(f, "compatible", "ucb,htif0");
    fdt_end(f);
    fdt_end(f);
}

static bool spike_ready(Machine *m, Error **errp)
{
    SpikeMachine *s = (SpikeMachine *)m;
    RiscvBoot *boot = &s->boot;
    Fdt fdt = { 0 };

    *boot = (RiscvBoot){ .is32 = s->is32, .ram_base = spike_ram, .ram_bytes = m->ram_bytes };
    /* Images are checked against memory as it is without the words of the HTIF. */
    if (!riscv_load_firmware(m, boot, errp) || !riscv_load_kernel(m, boot, errp) ||
        !spike_map_htif(s, errp) ||
        !(m->dtb ? fdt_load(m, errp) : fdt_make(m, &fdt, spike_write_fdt, errp)) ||
        !riscv_load_initrd(m, boot, m->fdt_bytes + 4096, errp) ||
        !fdt_finish_chosen(m, boot->initrd, boot->initrd_bytes, errp)) {
        return false;
    }
    if (!boot->have_firmware && boot->next) {
        boot->start = boot->next;
    }
    boot->fdt = riscv_fdt_addr(boot, m->fdt_bytes);
    if (boot->fdt < MAX(boot->firmware_end, boot->kernel_end)) {
        error_set(errp, "%" PRIu64 " bytes of memory are too few for the firmware, the kernel and "
                  "the device tree", m->ram_bytes);
        return false;
    }
    machine_add_rom(m, "fdt", boot->fdt, m->fdt, m->fdt_bytes, 0);
    riscv_make_reset_code(m, boot, SPIKE_ROM);
    return true;
}

static const char *const spike_arches[] = { "riscv32", "riscv64", NULL };

static const MachineType spike_type = {
    .type = {
        .name = "spike-machine",
        .parent = "machine",
        .summary = "RISC-V Spike board",
        .size_bytes = sizeof(SpikeMachine),
    },
    .name = "spike",
    .desc = "RISC-V Spike board",
    .arches = spike_arches,
    .is_default = true,
    .default_cpu32 = "rv32",
    .default_cpu64 = "rv64",
    .max_cpus = SPIKE_MAX_HARTS,
    .default_cpus = 1,
    .default_ram_bytes = 128 * MiB,
    .ram_id = "riscv.spike.ram",
    .default_block_if = "none",
    .no_parallel = true,
    .init = spike_init,
    .ready = spike_ready,
};
OBJECT_TYPE_REGISTER(spike_type);
