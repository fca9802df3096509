/*
 * virt-fdt.c: the device tree of the `virt` board, from its tables.
 *
 * Written in one pass with libfdt's sequential interface; the order of nodes is
 * kept as known, because kernels number devices by it. Phandles: harts from the
 * last to the first take two each (the hart, its interrupt controller), then come
 * the IMSICs, the interrupt controller(s) and the test finisher.
 * Bindings: Devicetree specification 0.4, RISC-V bindings of Linux.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include "hw/riscv/virt.h"
#include "util/bits.h"
#include "util/random.h"

typedef struct Fdt {
    void *buf;
    int err;         /* first failure */
    VirtMachine *v;
    uint32_t imsic_m, imsic_s, intc, intc_m, test;
} Fdt;

static void fdt_did(Fdt *f, int err)
{
    if (err < 0 && !f->err) {
        f->err = err;
    }
}

static void begin(Fdt *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void begin(Fdt *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *name = xvasprintf(fmt, ap);
    va_end(ap);
    fdt_did(f, fdt_begin_node(f->buf, name));
    free(name);
}

static void end(Fdt *f)
{
    fdt_did(f, fdt_end_node(f->buf));
}

static void prop_cells_n(Fdt *f, const char *name, const uint32_t *cells, size_t n)
{
    uint8_t *bytes = xcalloc(n + 1, 4);

    for (size_t i = 0; i < n; i++) {
        stbe32(bytes + 4 * i, cells[i]);
    }
    fdt_did(f, fdt_property(f->buf, name, bytes, (int)(4 * n)));
    free(bytes);
}

#define prop_cells(f, name, ...)                                        \
    prop_cells_n(f, name, (const uint32_t[]){ __VA_ARGS__ },            \
                 sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define HI_LO(x) (uint32_t)((uint64_t)(x) >> 32), (uint32_t)(x)
#define REG(base, size) HI_LO(base), HI_LO(size)

static void prop_text(Fdt *f, const char *name, const char *text)
{
    fdt_did(f, fdt_property_string(f->buf, name, text));
}

/* Several strings, each followed by a NUL in the literal. */
#define prop_texts(f, name, literal) \
    fdt_did(f, fdt_property((f)->buf, name, literal, sizeof(literal)))

static void prop_flag(Fdt *f, const char *name)
{
    fdt_did(f, fdt_property(f->buf, name, NULL, 0));
}

static uint32_t hart_phandle(const Fdt *f, unsigned hart)
{
    return 2 * (f->v->machine.smp.cpus - 1 - hart) + 1;
}

/* <intc line …> for each hart. */
static void prop_hart_lines(Fdt *f, const char *name, const uint32_t *lines, unsigned n_lines)
{
    unsigned harts = f->v->machine.smp.cpus;
    uint32_t *cells = xnew_array(uint32_t, (size_t)harts * n_lines * 2);

    for (unsigned i = 0; i < harts; i++) {
        for (unsigned k = 0; k < n_lines; k++) {
            cells[(i * n_lines + k) * 2] = hart_phandle(f, i) + 1;
            cells[(i * n_lines + k) * 2 + 1] = lines[k];
        }
    }
    prop_cells_n(f, name, cells, (size_t)harts * n_lines * 2);
    free(cells);
}

static void prop_irq(Fdt *f, unsigned source)
{
    if (f->v->aia == VIRT_AIA_NONE) {
        prop_cells(f, "interrupts", source);
    } else {
        prop_cells(f, "interrupts", source, 4); /* level, active high */
    }
    prop_cells(f, "interrupt-parent", f->intc);
}

static void prop_reg(Fdt *f, VirtPart part)
{
    prop_cells(f, "reg", REG(virt_map[part].base, virt_map[part].size));
}

/* --- nodes --- */

static void node_syscon(Fdt *f, const char *name, const char *compatible, uint32_t value)
{
    begin(f, "%s", name);
    prop_cells(f, "value", value);
    prop_cells(f, "offset", 0);
    prop_cells(f, "regmap", f->test);
    prop_text(f, "compatible", compatible);
    end(f);
}

/* riscv,isa-extensions: the single letters, then what stands between underscores. */
static void prop_isa_extensions(Fdt *f, const char *isa)
{
    size_t len = strlen(isa);
    char *list = xcalloc(len + 1, 2);
    size_t n = 0;
    const char *p = isa + MIN(len, 4);

    for (; *p && *p != '_'; p++) {
        list[n++] = *p;
        list[n++] = '\0';
    }
    while (*p == '_') {
        size_t part = strcspn(++p, "_");
        memcpy(list + n, p, part);
        n += part + 1;
        p += part;
    }
    fdt_did(f, fdt_property(f->buf, "riscv,isa-extensions", list, (int)n));
    free(list);
}

static void node_cpus(Fdt *f)
{
    unsigned harts = f->v->machine.smp.cpus;

    begin(f, "cpus");
    prop_cells(f, "#address-cells", 1);
    prop_cells(f, "#size-cells", 0);
    prop_cells(f, "timebase-frequency", VIRT_TIMEBASE_HZ);
    for (unsigned i = 0; i < harts; i++) {
        HartInfo info = harts_info(&f->v->machine, i);
        char base[8];

        begin(f, "cpu@%u", i);
        prop_cells(f, "phandle", hart_phandle(f, i));
        prop_text(f, "device_type", "cpu");
        prop_cells(f, "reg", i);
        prop_text(f, "status", "okay");
        prop_text(f, "compatible", "riscv");
        if (info.cbop_bytes) {
            prop_cells(f, "riscv,cbop-block-size", info.cbop_bytes);
        }
        if (info.cboz_bytes) {
            prop_cells(f, "riscv,cboz-block-size", info.cboz_bytes);
        }
        if (info.cbom_bytes) {
            prop_cells(f, "riscv,cbom-block-size", info.cbom_bytes);
        }
        prop_isa_extensions(f, info.isa);
        snprintf(base, sizeof(base), "%.5s", info.isa); /* rv64i, rv32e */
        prop_text(f, "riscv,isa-base", base);
        prop_text(f, "riscv,isa", info.isa);
        if (info.mmu) {
            prop_text(f, "mmu-type", info.mmu);
        }
        begin(f, "interrupt-controller");
        prop_cells(f, "#interrupt-cells", 1);
        prop_flag(f, "interrupt-controller");
        prop_text(f, "compatible", "riscv,cpu-intc");
        prop_cells(f, "phandle", hart_phandle(f, i) + 1);
        end(f);
        end(f);
    }
    begin(f, "cpu-map");
    begin(f, "cluster0");
    for (unsigned i = 0; i < harts; i++) {
        begin(f, "core%u", i);
        prop_cells(f, "cpu", hart_phandle(f, i));
        end(f);
    }
    end(f);
    end(f);
    end(f);
}

/* SBI PMU extension: which counters can count which events (docs/pmu_support.md of
 * OpenSBI): cycles and instructions, and three cache events on the free counters. */
static void node_pmu(Fdt *f)
{
    const uint32_t free_counters = 0x7fff8;

    begin(f, "pmu");
    prop_cells(f, "riscv,event-to-mhpmcounters", 0x1, 0x1, free_counters | 1, 0x2, 0x2,
               free_counters | 4, 0x10019, 0x10019, free_counters, 0x1001b, 0x1001b,
               free_counters, 0x10021, 0x10021, free_counters);
    prop_text(f, "compatible", "riscv,pmu");
    end(f);
}

static void node_chosen(Fdt *f)
{
    uint8_t seed[32];

    begin(f, "aliases");
    prop_text(f, "serial0", "/soc/serial@10000000");
    end(f);
    begin(f, "chosen");
    prop_text(f, "stdout-path", "/soc/serial@10000000");
    if (random_bytes(seed, sizeof(seed), true)) {
        fdt_did(f, fdt_property(f->buf, "rng-seed", seed, sizeof(seed)));
    }
    end(f);
}

static void node_plic(Fdt *f)
{
    const uint32_t lines[] = { HART_IRQ_MEI, HART_IRQ_SEI };

    begin(f, "interrupt-controller@%" PRIx64, virt_map[VIRT_PLIC].base);
    prop_cells(f, "phandle", f->intc);
    prop_cells(f, "riscv,ndev", VIRT_N_SOURCES - 1);
    prop_cells(f, "reg", REG(virt_map[VIRT_PLIC].base, virt_map[VIRT_PLIC].size));
    prop_hart_lines(f, "interrupts-extended", lines, 2);
    prop_flag(f, "interrupt-controller");
    prop_texts(f, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    prop_cells(f, "#address-cells", 0);
    prop_cells(f, "#interrupt-cells", 1);
    end(f);
}

static void node_aplic(Fdt *f, bool mmode)
{
    const VirtPlace *place = &virt_map[mmode ? VIRT_APLIC_M : VIRT_APLIC_S];
    const uint32_t line = mmode ? HART_IRQ_MEI : HART_IRQ_SEI;

    begin(f, "interrupt-controller@%" PRIx64, place->base);
    prop_cells(f, "phandle", mmode ? f->intc_m : f->intc);
    if (mmode) {
        prop_cells(f, "riscv,delegation", f->intc, 1, VIRT_N_SOURCES);
        /* The name before the binding was final: OpenSBI up to 1.2 knows only this one. */
        prop_cells(f, "riscv,delegate", f->intc, 1, VIRT_N_SOURCES);
        prop_cells(f, "riscv,children", f->intc);
    }
    prop_cells(f, "riscv,num-sources", VIRT_N_SOURCES);
    prop_cells(f, "reg", REG(place->base, place->size));
    if (f->v->aia == VIRT_AIA_IMSIC) {
        prop_cells(f, "msi-parent", mmode ? f->imsic_m : f->imsic_s);
    } else {
        prop_hart_lines(f, "interrupts-extended", &line, 1);
    }
    prop_flag(f, "interrupt-controller");
    prop_cells(f, "#interrupt-cells", 2);
    prop_cells(f, "#address-cells", 0);
    prop_texts(f, "compatible", "qemu,aplic\0riscv,aplic");
    end(f);
}

static void node_imsic(Fdt *f, bool mmode)
{
    const VirtPlace *place = &virt_map[mmode ? VIRT_IMSIC_M : VIRT_IMSIC_S];
    const uint32_t line = mmode ? HART_IRQ_MEI : HART_IRQ_SEI;

    begin(f, "interrupt-controller@%" PRIx64, place->base);
    prop_cells(f, "phandle", mmode ? f->imsic_m : f->imsic_s);
    if (!mmode && virt_guest_bits(f->v)) {
        prop_cells(f, "riscv,guest-index-bits", virt_guest_bits(f->v));
    }
    prop_cells(f, "riscv,num-ids", VIRT_IMSIC_IDS);
    prop_cells(f, "reg", REG(place->base, virt_imsic_bytes(f->v, mmode)));
    prop_hart_lines(f, "interrupts-extended", &line, 1);
    prop_flag(f, "msi-controller");
    prop_flag(f, "interrupt-controller");
    prop_cells(f, "#interrupt-cells", 0);
    prop_texts(f, "compatible", "qemu,imsics\0riscv,imsics");
    end(f);
}

static void node_swi(Fdt *f, const char *name, const char *compatible, gpa base, uint32_t line)
{
    begin(f, "%s@%" PRIx64, name, base);
    prop_cells(f, "#interrupt-cells", 0);
    prop_flag(f, "interrupt-controller");
    prop_hart_lines(f, "interrupts-extended", &line, 1);
    prop_cells(f, "reg", REG(base, 0x4000));
    prop_text(f, "compatible", compatible);
    end(f);
}

static void node_timer(Fdt *f)
{
    const gpa base = virt_map[VIRT_CLINT].base;
    const uint32_t both[] = { HART_IRQ_MSI, HART_IRQ_MTI };
    gpa mtime = base + 0xbff8, timecmp = base + 0x4000;

    if (!f->v->aclint) {
        begin(f, "clint@%" PRIx64, base);
        prop_hart_lines(f, "interrupts-extended", both, 2);
        prop_cells(f, "reg", REG(base, virt_map[VIRT_CLINT].size));
        prop_texts(f, "compatible", "sifive,clint0\0riscv,clint0");
        end(f);
        return;
    }
    bool swi = virt_has_clint_swi(f->v);
    if (swi) {
        node_swi(f, "sswi", "riscv,aclint-sswi", virt_map[VIRT_SSWI].base, HART_IRQ_SSI);
    } else {
        mtime = base + 0x7ff8;
        timecmp = base;
    }
    begin(f, "mtimer@%" PRIx64, mtime);
    prop_hart_lines(f, "interrupts-extended", &both[1], 1);
    /* The window of mtime goes on to where the next device could be. */
    prop_cells(f, "reg", REG(mtime, swi ? 0x4008 : 8), REG(timecmp, 0x7ff8));
    prop_text(f, "compatible", "riscv,aclint-mtimer");
    end(f);
    if (swi) {
        node_swi(f, "mswi", "riscv,aclint-mswi", base, HART_IRQ_MSI);
    }
}

static void node_pci(Fdt *f)
{
    const VirtPlace *ecam = &virt_map[VIRT_PCIE_ECAM], *pio = &virt_map[VIRT_PCIE_PIO];
    const VirtPlace *mmio = &virt_map[VIRT_PCIE_MMIO], *high = &f->v->pcie_high;
    bool aia = f->v->aia != VIRT_AIA_NONE;
    uint32_t map[16 * 7];
    size_t n = 0;

    begin(f, "pci@%" PRIx64, ecam->base);
    prop_cells(f, "interrupt-map-mask", 0x1800, 0, 0, 7);
    /* Slot and pin to source: pins rotate with the slot (PCI bridge specification 9.1). */
    for (uint32_t slot = 0; slot < 4; slot++) {
        for (uint32_t pin = 1; pin <= 4; pin++) {
            map[n++] = slot << 11;
            map[n++] = 0;
            map[n++] = 0;
            map[n++] = pin;
            map[n++] = f->intc;
            map[n++] = VIRT_IRQ_PCIE + (pin - 1 + slot) % 4;
            if (aia) {
                map[n++] = 4;
            }
        }
    }
    prop_cells_n(f, "interrupt-map", map, n);
    prop_cells(f, "ranges",
               0x1000000, 0, 0, HI_LO(pio->base), HI_LO(pio->size),
               0x2000000, HI_LO(mmio->base), HI_LO(mmio->base), HI_LO(mmio->size),
               0x3000000, HI_LO(high->base), HI_LO(high->base), HI_LO(high->size));
    prop_cells(f, "reg", REG(ecam->base, ecam->size));
    if (f->v->aia == VIRT_AIA_IMSIC) {
        prop_cells(f, "msi-parent", f->imsic_s);
    }
    prop_flag(f, "dma-coherent");
    prop_cells(f, "bus-range", 0, 255);
    prop_cells(f, "linux,pci-domain", 0);
    prop_text(f, "device_type", "pci");
    prop_text(f, "compatible", "pci-host-ecam-generic");
    prop_cells(f, "#size-cells", 2);
    prop_cells(f, "#interrupt-cells", 1);
    prop_cells(f, "#address-cells", 3);
    end(f);
}

static void node_soc(Fdt *f)
{
    VirtMachine *v = f->v;

    begin(f, "soc");
    prop_cells(f, "#address-cells", 2);
    prop_cells(f, "#size-cells", 2);
    prop_text(f, "compatible", "simple-bus");
    prop_flag(f, "ranges");

    begin(f, "rtc@%" PRIx64, virt_map[VIRT_RTC].base);
    prop_irq(f, VIRT_IRQ_RTC);
    prop_reg(f, VIRT_RTC);
    prop_text(f, "compatible", "google,goldfish-rtc");
    end(f);

    begin(f, "serial@%" PRIx64, virt_map[VIRT_UART0].base);
    prop_irq(f, VIRT_IRQ_UART0);
    prop_cells(f, "clock-frequency", VIRT_UART_CLOCK_HZ);
    prop_reg(f, VIRT_UART0);
    prop_text(f, "compatible", "ns16550a");
    end(f);

    begin(f, "test@%" PRIx64, virt_map[VIRT_TEST].base);
    prop_cells(f, "phandle", f->test);
    prop_reg(f, VIRT_TEST);
    prop_texts(f, "compatible", "sifive,test1\0sifive,test0\0syscon");
    end(f);

    for (unsigned i = VIRT_N_VIRTIO; v->have_virtio && i-- > 0;) {
        gpa base = virt_map[VIRT_VIRTIO].base + i * virt_map[VIRT_VIRTIO].size;
        begin(f, "virtio_mmio@%" PRIx64, base);
        prop_irq(f, VIRT_IRQ_VIRTIO + i);
        prop_cells(f, "reg", REG(base, virt_map[VIRT_VIRTIO].size));
        prop_text(f, "compatible", "virtio,mmio");
        end(f);
    }
    if (v->aia == VIRT_AIA_NONE) {
        node_plic(f);
    } else {
        node_aplic(f, false);
        node_aplic(f, true);
        if (v->aia == VIRT_AIA_IMSIC) {
            node_imsic(f, false);
            node_imsic(f, true);
        }
    }
    node_timer(f);
    if (v->have_pcie) {
        node_pci(f);
    }
    end(f);
}

static void fdt_write(Fdt *f)
{
    VirtMachine *v = f->v;

    fdt_did(f, fdt_finish_reservemap(f->buf));
    begin(f, "%s", "");
    prop_cells(f, "#address-cells", 2);
    prop_cells(f, "#size-cells", 2);
    prop_text(f, "compatible", v->machine.dt_compatible ? v->machine.dt_compatible
                                                        : "riscv-virtio");
    prop_text(f, "model", "riscv-virtio,qemu");
    node_syscon(f, "poweroff", "syscon-poweroff", 0x5555);
    node_syscon(f, "reboot", "syscon-reboot", 0x7777);

    const VirtPlace *bus = &virt_map[VIRT_PLATFORM_BUS];
    begin(f, "platform-bus@%" PRIx64, bus->base);
    prop_cells(f, "interrupt-parent", f->intc);
    prop_cells(f, "ranges", 0, HI_LO(bus->base), (uint32_t)bus->size);
    prop_cells(f, "#address-cells", 1);
    prop_cells(f, "#size-cells", 1);
    prop_texts(f, "compatible", "qemu,platform\0simple-bus");
    end(f);

    begin(f, "memory@%" PRIx64, virt_map[VIRT_RAM].base);
    prop_text(f, "device_type", "memory");
    prop_cells(f, "reg", REG(virt_map[VIRT_RAM].base, v->machine.ram_bytes));
    end(f);
    node_cpus(f);
    node_pmu(f);
    if (v->have_fw_cfg) {
        begin(f, "fw-cfg@%" PRIx64, virt_map[VIRT_FW_CFG].base);
        prop_flag(f, "dma-coherent");
        prop_reg(f, VIRT_FW_CFG);
        prop_text(f, "compatible", "qemu,fw-cfg-mmio");
        end(f);
    }
    if (v->have_flash) {
        begin(f, "flash@%" PRIx64, virt_map[VIRT_FLASH0].base);
        prop_cells(f, "bank-width", 4);
        prop_cells(f, "reg", REG(virt_map[VIRT_FLASH0].base, virt_map[VIRT_FLASH0].size),
                   REG(virt_map[VIRT_FLASH1].base, virt_map[VIRT_FLASH1].size));
        prop_text(f, "compatible", "cfi-flash");
        end(f);
    }
    node_chosen(f);
    node_soc(f);
    end(f);
    fdt_did(f, fdt_finish(f->buf));
}

/* A tree with room to add properties later. */
static bool fdt_take(Machine *m, const void *tree, const char *what, Error **errp)
{
    int size = (int)fdt_totalsize(tree) + 16384 + (m->append ? (int)strlen(m->append) : 0);
    void *room = xcalloc(1, (size_t)size);
    int err = fdt_open_into(tree, room, size);

    if (err < 0) {
        error_set(errp, "device tree %s cannot be used: %s", what, fdt_strerror(err));
        free(room);
        return false;
    }
    free(m->fdt);
    m->fdt = room;
    m->fdt_bytes = (uint64_t)size;
    return true;
}

bool virt_make_fdt(VirtMachine *v, Error **errp)
{
    Fdt f = { .v = v };
    uint32_t next = 2 * v->machine.smp.cpus + 1;
    size_t size = 1 * MiB;

    if (v->aia == VIRT_AIA_IMSIC) {
        f.imsic_m = next++;
        f.imsic_s = next++;
    }
    if (v->aia != VIRT_AIA_NONE) {
        f.intc_m = next++;
    }
    f.intc = next++;
    f.test = next++;
    do {
        free(f.buf);
        f.err = 0;
        f.buf = xcalloc(1, size);
        fdt_did(&f, fdt_create(f.buf, (int)size));
        fdt_write(&f);
        size *= 2;
    } while (f.err == -FDT_ERR_NOSPACE && size <= 64 * MiB);
    if (f.err) {
        error_set(errp, "cannot make the device tree: %s", fdt_strerror(f.err));
        free(f.buf);
        return false;
    }
    bool ok = fdt_take(&v->machine, f.buf, "of the board", errp);
    free(f.buf);
    return ok;
}

bool virt_load_fdt(VirtMachine *v, Error **errp)
{
    Machine *m = &v->machine;
    Image image;

    if (!image_open_raw(&image, "device tree", m->dtb, errp)) {
        return false;
    }
    int err = image.len > INT32_MAX ? -FDT_ERR_BADSTRUCTURE
                                    : fdt_check_full(image.data, image.len);
    bool ok = err >= 0;
    if (!ok) {
        error_set(errp, "device tree '%s' cannot be used: %s", m->dtb, fdt_strerror(err));
    } else {
        ok = fdt_take(m, image.data, m->dtb, errp);
    }
    image_close(&image);
    return ok;
}

static void set_cells(Fdt *f, int node, const char *name, uint64_t value)
{
    fdt_did(f, fdt_setprop_u64(f->buf, node, name, value));
}

bool virt_finish_fdt(VirtMachine *v, Error **errp)
{
    Machine *m = &v->machine;
    Fdt f = { .v = v, .buf = m->fdt };
    int chosen = fdt_path_offset(m->fdt, "/chosen");

    if (chosen < 0) {
        chosen = fdt_add_subnode(m->fdt, 0, "chosen");
        fdt_did(&f, chosen);
    }
    if (!f.err && m->append && *m->append) {
        fdt_did(&f, fdt_setprop_string(m->fdt, chosen, "bootargs", m->append));
    }
    if (!f.err && v->boot.initrd_bytes) {
        set_cells(&f, chosen, "linux,initrd-start", v->boot.initrd);
        set_cells(&f, chosen, "linux,initrd-end", v->boot.initrd + v->boot.initrd_bytes);
    }
    if (f.err) {
        error_set(errp, "cannot complete the device tree: %s", fdt_strerror(f.err));
        return false;
    }
    fdt_pack(m->fdt);
    m->fdt_bytes = fdt_totalsize(m->fdt);
    return true;
}
