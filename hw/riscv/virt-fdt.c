/*
 * virt-fdt.c: the device tree of the `virt` board, from its tables.
 *
 * Written in one pass with libfdt's sequential interface; the order of nodes is
 * kept as known, because kernels number devices by it. Phandles: harts from the
 * last to the first take two each (the hart, its interrupt controller), then come
 * the IMSICs, the interrupt controller(s) and the test finisher.
 * Bindings: Devicetree specification 0.4, RISC-V bindings of Linux.
 */
#include "hw/riscv/fdt.h"
#include "hw/riscv/virt.h"
#include "util/bits.h"
#include "util/random.h"

typedef struct VirtFdt {
    Fdt fdt;
    VirtMachine *v;
    uint32_t imsic_m, imsic_s, intc, intc_m, test;
} VirtFdt;
#define VIRT(f) container_of(f, VirtFdt, fdt)
#define HI_LO(x) (uint32_t)((uint64_t)(x) >> 32), (uint32_t)(x)
#define REG(base, size) HI_LO(base), HI_LO(size)

static void prop_irq(Fdt *f, unsigned source)
{
    if (VIRT(f)->v->aia == VIRT_AIA_NONE) {
        fdt_prop_cells(f, "interrupts", source);
    } else {
        fdt_prop_cells(f, "interrupts", source, 4); /* level, active high */
    }
    fdt_prop_cells(f, "interrupt-parent", VIRT(f)->intc);
}

static void prop_reg(Fdt *f, VirtPart part)
{
    fdt_prop_cells(f, "reg", REG(virt_map[part].base, virt_map[part].size));
}

/* --- nodes --- */

static void node_syscon(Fdt *f, const char *name, const char *compatible, uint32_t value)
{
    fdt_node(f, "%s", name);
    fdt_prop_cells(f, "value", value);
    fdt_prop_cells(f, "offset", 0);
    fdt_prop_cells(f, "regmap", VIRT(f)->test);
    fdt_prop_text(f, "compatible", compatible);
    fdt_end(f);
}

/* SBI PMU extension: which counters can count which events (docs/pmu_support.md of
 * OpenSBI): cycles and instructions, and three cache events on the free counters. */
static void node_pmu(Fdt *f)
{
    const uint32_t free_counters = 0x7fff8;

    fdt_node(f, "pmu");
    fdt_prop_cells(f, "riscv,event-to-mhpmcounters", 0x1, 0x1, free_counters | 1, 0x2, 0x2,
               free_counters | 4, 0x10019, 0x10019, free_counters, 0x1001b, 0x1001b,
               free_counters, 0x10021, 0x10021, free_counters);
    fdt_prop_text(f, "compatible", "riscv,pmu");
    fdt_end(f);
}

static void node_chosen(Fdt *f)
{
    uint8_t seed[32];

    fdt_node(f, "aliases");
    fdt_prop_text(f, "serial0", "/soc/serial@10000000");
    fdt_end(f);
    fdt_node(f, "chosen");
    fdt_prop_text(f, "stdout-path", "/soc/serial@10000000");
    if (random_bytes(seed, sizeof(seed), true)) {
        fdt_check(f, fdt_property(f->buf, "rng-seed", seed, sizeof(seed)));
    }
    fdt_end(f);
}

static void node_plic(Fdt *f)
{
    const uint32_t lines[] = { HART_IRQ_MEI, HART_IRQ_SEI };

    fdt_node(f, "interrupt-controller@%" PRIx64, virt_map[VIRT_PLIC].base);
    fdt_prop_cells(f, "phandle", VIRT(f)->intc);
    fdt_prop_cells(f, "riscv,ndev", VIRT_N_SOURCES - 1);
    fdt_prop_cells(f, "reg", REG(virt_map[VIRT_PLIC].base, virt_map[VIRT_PLIC].size));
    fdt_prop_hart_lines(f, "interrupts-extended", lines, 2);
    fdt_prop_flag(f, "interrupt-controller");
    fdt_prop_texts(f, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    fdt_prop_cells(f, "#address-cells", 0);
    fdt_prop_cells(f, "#interrupt-cells", 1);
    fdt_end(f);
}

static void node_aplic(Fdt *f, bool mmode)
{
    const VirtPlace *place = &virt_map[mmode ? VIRT_APLIC_M : VIRT_APLIC_S];
    const uint32_t line = mmode ? HART_IRQ_MEI : HART_IRQ_SEI;

    fdt_node(f, "interrupt-controller@%" PRIx64, place->base);
    fdt_prop_cells(f, "phandle", mmode ? VIRT(f)->intc_m : VIRT(f)->intc);
    if (mmode) {
        fdt_prop_cells(f, "riscv,delegation", VIRT(f)->intc, 1, VIRT_N_SOURCES);
        /* The name before the binding was final: OpenSBI up to 1.2 knows only this one. */
        fdt_prop_cells(f, "riscv,delegate", VIRT(f)->intc, 1, VIRT_N_SOURCES);
        fdt_prop_cells(f, "riscv,children", VIRT(f)->intc);
    }
    fdt_prop_cells(f, "riscv,num-sources", VIRT_N_SOURCES);
    fdt_prop_cells(f, "reg", REG(place->base, place->size));
    if (VIRT(f)->v->aia == VIRT_AIA_IMSIC) {
        fdt_prop_cells(f, "msi-parent", mmode ? VIRT(f)->imsic_m : VIRT(f)->imsic_s);
    } else {
        fdt_prop_hart_lines(f, "interrupts-extended", &line, 1);
    }
    fdt_prop_flag(f, "interrupt-controller");
    fdt_prop_cells(f, "#interrupt-cells", 2);
    fdt_prop_cells(f, "#address-cells", 0);
    fdt_prop_texts(f, "compatible", "qemu,aplic\0riscv,aplic");
    fdt_end(f);
}

static void node_imsic(Fdt *f, bool mmode)
{
    const VirtPlace *place = &virt_map[mmode ? VIRT_IMSIC_M : VIRT_IMSIC_S];
    const uint32_t line = mmode ? HART_IRQ_MEI : HART_IRQ_SEI;

    fdt_node(f, "interrupt-controller@%" PRIx64, place->base);
    fdt_prop_cells(f, "phandle", mmode ? VIRT(f)->imsic_m : VIRT(f)->imsic_s);
    if (!mmode && virt_guest_bits(VIRT(f)->v)) {
        fdt_prop_cells(f, "riscv,guest-index-bits", virt_guest_bits(VIRT(f)->v));
    }
    fdt_prop_cells(f, "riscv,num-ids", VIRT_IMSIC_IDS);
    fdt_prop_cells(f, "reg", REG(place->base, virt_imsic_bytes(VIRT(f)->v, mmode)));
    fdt_prop_hart_lines(f, "interrupts-extended", &line, 1);
    fdt_prop_flag(f, "msi-controller");
    fdt_prop_flag(f, "interrupt-controller");
    fdt_prop_cells(f, "#interrupt-cells", 0);
    fdt_prop_texts(f, "compatible", "qemu,imsics\0riscv,imsics");
    fdt_end(f);
}

static void node_swi(Fdt *f, const char *name, const char *compatible, gpa base, uint32_t line)
{
    fdt_node(f, "%s@%" PRIx64, name, base);
    fdt_prop_cells(f, "#interrupt-cells", 0);
    fdt_prop_flag(f, "interrupt-controller");
    fdt_prop_hart_lines(f, "interrupts-extended", &line, 1);
    fdt_prop_cells(f, "reg", REG(base, 0x4000));
    fdt_prop_text(f, "compatible", compatible);
    fdt_end(f);
}

static void node_timer(Fdt *f)
{
    const gpa base = virt_map[VIRT_CLINT].base;
    const uint32_t both[] = { HART_IRQ_MSI, HART_IRQ_MTI };
    gpa mtime = base + 0xbff8, timecmp = base + 0x4000;

    if (!VIRT(f)->v->aclint) {
        fdt_node(f, "clint@%" PRIx64, base);
        fdt_prop_hart_lines(f, "interrupts-extended", both, 2);
        fdt_prop_cells(f, "reg", REG(base, virt_map[VIRT_CLINT].size));
        fdt_prop_texts(f, "compatible", "sifive,clint0\0riscv,clint0");
        fdt_end(f);
        return;
    }
    bool swi = virt_has_clint_swi(VIRT(f)->v);
    if (swi) {
        node_swi(f, "sswi", "riscv,aclint-sswi", virt_map[VIRT_SSWI].base, HART_IRQ_SSI);
    } else {
        mtime = base + 0x7ff8;
        timecmp = base;
    }
    fdt_node(f, "mtimer@%" PRIx64, mtime);
    fdt_prop_hart_lines(f, "interrupts-extended", &both[1], 1);
    /* The window of mtime goes on to where the next device could be. */
    fdt_prop_cells(f, "reg", REG(mtime, swi ? 0x4008 : 8), REG(timecmp, 0x7ff8));
    fdt_prop_text(f, "compatible", "riscv,aclint-mtimer");
    fdt_end(f);
    if (swi) {
        node_swi(f, "mswi", "riscv,aclint-mswi", base, HART_IRQ_MSI);
    }
}

static void node_pci(Fdt *f)
{
    const VirtPlace *ecam = &virt_map[VIRT_PCIE_ECAM], *pio = &virt_map[VIRT_PCIE_PIO];
    const VirtPlace *mmio = &virt_map[VIRT_PCIE_MMIO], *high = &VIRT(f)->v->pcie_high;
    bool aia = VIRT(f)->v->aia != VIRT_AIA_NONE;
    uint32_t map[16 * 7];
    size_t n = 0;

    fdt_node(f, "pci@%" PRIx64, ecam->base);
    fdt_prop_cells(f, "interrupt-map-mask", 0x1800, 0, 0, 7);
    /* Slot and pin to source: pins rotate with the slot (PCI bridge specification 9.1). */
    for (uint32_t slot = 0; slot < 4; slot++) {
        for (uint32_t pin = 1; pin <= 4; pin++) {
            map[n++] = slot << 11;
            map[n++] = 0;
            map[n++] = 0;
            map[n++] = pin;
            map[n++] = VIRT(f)->intc;
            map[n++] = VIRT_IRQ_PCIE + (pin - 1 + slot) % 4;
            if (aia) {
                map[n++] = 4;
            }
        }
    }
    fdt_prop_cells_n(f, "interrupt-map", map, n);
    fdt_prop_cells(f, "ranges",
               0x1000000, 0, 0, HI_LO(pio->base), HI_LO(pio->size),
               0x2000000, HI_LO(mmio->base), HI_LO(mmio->base), HI_LO(mmio->size),
               0x3000000, HI_LO(high->base), HI_LO(high->base), HI_LO(high->size));
    fdt_prop_cells(f, "reg", REG(ecam->base, ecam->size));
    if (VIRT(f)->v->aia == VIRT_AIA_IMSIC) {
        fdt_prop_cells(f, "msi-parent", VIRT(f)->imsic_s);
    }
    fdt_prop_flag(f, "dma-coherent");
    fdt_prop_cells(f, "bus-range", 0, 255);
    fdt_prop_cells(f, "linux,pci-domain", 0);
    fdt_prop_text(f, "device_type", "pci");
    fdt_prop_text(f, "compatible", "pci-host-ecam-generic");
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_cells(f, "#interrupt-cells", 1);
    fdt_prop_cells(f, "#address-cells", 3);
    fdt_end(f);
}

static void node_soc(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;

    fdt_node(f, "soc");
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_text(f, "compatible", "simple-bus");
    fdt_prop_flag(f, "ranges");

    fdt_node(f, "rtc@%" PRIx64, virt_map[VIRT_RTC].base);
    prop_irq(f, VIRT_IRQ_RTC);
    prop_reg(f, VIRT_RTC);
    fdt_prop_text(f, "compatible", "google,goldfish-rtc");
    fdt_end(f);

    fdt_node(f, "serial@%" PRIx64, virt_map[VIRT_UART0].base);
    prop_irq(f, VIRT_IRQ_UART0);
    fdt_prop_cells(f, "clock-frequency", VIRT_UART_CLOCK_HZ);
    prop_reg(f, VIRT_UART0);
    fdt_prop_text(f, "compatible", "ns16550a");
    fdt_end(f);

    fdt_node(f, "test@%" PRIx64, virt_map[VIRT_TEST].base);
    fdt_prop_cells(f, "phandle", VIRT(f)->test);
    prop_reg(f, VIRT_TEST);
    fdt_prop_texts(f, "compatible", "sifive,test1\0sifive,test0\0syscon");
    fdt_end(f);

    for (unsigned i = VIRT_N_VIRTIO; v->have_virtio && i-- > 0;) {
        gpa base = virt_map[VIRT_VIRTIO].base + i * virt_map[VIRT_VIRTIO].size;
        fdt_node(f, "virtio_mmio@%" PRIx64, base);
        prop_irq(f, VIRT_IRQ_VIRTIO + i);
        fdt_prop_cells(f, "reg", REG(base, virt_map[VIRT_VIRTIO].size));
        fdt_prop_text(f, "compatible", "virtio,mmio");
        fdt_end(f);
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
    fdt_end(f);
}

static void fdt_write(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;

    fdt_node(f, "%s", "");
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_text(f, "compatible", v->machine.dt_compatible ? v->machine.dt_compatible
                                                        : "riscv-virtio");
    fdt_prop_text(f, "model", "riscv-virtio,qemu");
    node_syscon(f, "poweroff", "syscon-poweroff", 0x5555);
    node_syscon(f, "reboot", "syscon-reboot", 0x7777);

    const VirtPlace *bus = &virt_map[VIRT_PLATFORM_BUS];
    fdt_node(f, "platform-bus@%" PRIx64, bus->base);
    fdt_prop_cells(f, "interrupt-parent", VIRT(f)->intc);
    fdt_prop_cells(f, "ranges", 0, HI_LO(bus->base), (uint32_t)bus->size);
    fdt_prop_cells(f, "#address-cells", 1);
    fdt_prop_cells(f, "#size-cells", 1);
    fdt_prop_texts(f, "compatible", "qemu,platform\0simple-bus");
    fdt_end(f);

    fdt_node(f, "memory@%" PRIx64, virt_map[VIRT_RAM].base);
    fdt_prop_text(f, "device_type", "memory");
    fdt_prop_cells(f, "reg", REG(virt_map[VIRT_RAM].base, v->machine.ram_bytes));
    fdt_end(f);
    fdt_cpus(f, VIRT_TIMEBASE_HZ);
    node_pmu(f);
    if (v->have_fw_cfg) {
        fdt_node(f, "fw-cfg@%" PRIx64, virt_map[VIRT_FW_CFG].base);
        fdt_prop_flag(f, "dma-coherent");
        prop_reg(f, VIRT_FW_CFG);
        fdt_prop_text(f, "compatible", "qemu,fw-cfg-mmio");
        fdt_end(f);
    }
    if (v->have_flash) {
        fdt_node(f, "flash@%" PRIx64, virt_map[VIRT_FLASH0].base);
        fdt_prop_cells(f, "bank-width", 4);
        fdt_prop_cells(f, "reg", REG(virt_map[VIRT_FLASH0].base, virt_map[VIRT_FLASH0].size),
                   REG(virt_map[VIRT_FLASH1].base, virt_map[VIRT_FLASH1].size));
        fdt_prop_text(f, "compatible", "cfi-flash");
        fdt_end(f);
    }
    node_chosen(f);
    node_soc(f);
    fdt_end(f);
}

bool virt_make_fdt(VirtMachine *v, Error **errp)
{
    VirtFdt f = { .v = v };
    uint32_t next = 2 * v->machine.smp.cpus + 1;

    if (v->aia == VIRT_AIA_IMSIC) {
        f.imsic_m = next++;
        f.imsic_s = next++;
    }
    if (v->aia != VIRT_AIA_NONE) {
        f.intc_m = next++;
    }
    f.intc = next++;
    f.test = next++;
    return fdt_make(&v->machine, &f.fdt, fdt_write, errp);
}
