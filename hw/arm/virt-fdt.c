/*
 * virt-fdt.c: the device tree of the `virt` board, from its tables.
 *
 * The order of nodes is kept as known, because kernels number devices by it. Phandles begin at 0x8000: the clock, the processors from the
 * last to the first (for cpu-map), interrupt controller, message frame or ITS, SMMU, GPIO controllers.
 * Bindings: Devicetree specification 0.4, those of Linux for arm,gic, arm,gic-v3, arm,armv8-timer, arm,psci, pci-host-ecam-generic.
 */
#include <stdio.h>
#include "hw/arm/virt.h"
#include "hw/fdt.h"
#include "softmmu/numa.h"
#include "util/bits.h"
#include "util/random.h"

typedef struct VirtFdt {
    Fdt fdt;
    VirtMachine *v;
    uint32_t clock, cpus, gic, msi, smmu, gpio, secure_gpio;
} VirtFdt;
#define VIRT(f) container_of(f, VirtFdt, fdt)
#define HI_LO(x) (uint32_t)((uint64_t)(x) >> 32), (uint32_t)(x)
#define REG(base, size) HI_LO(base), HI_LO(size)

enum { FIRST_PHANDLE = 0x8000, CLOCK_HZ = 24000000, KEY_POWER = 116 };
enum { GIC_SPI = 0, GIC_PPI = 1, EDGE = 1, LEVEL = 4 };

static void prop_place(Fdt *f, VirtPlace place)
{
    fdt_prop_cells(f, "reg", REG(place.base, place.size));
}

static void prop_spi(Fdt *f, unsigned spi, uint32_t kind)
{
    fdt_prop_cells(f, "interrupts", GIC_SPI, spi, kind);
}

/* The flags of a PPI; on a GICv2 also whose it is. */
static uint32_t ppi_flags(const VirtMachine *v, uint32_t kind)
{
    uint32_t all = (1u << MIN(v->arm.machine.smp.cpus, 8u)) - 1;

    return v->gic_version == 2 ? all << 8 | kind : kind;
}

static void prop_secure(Fdt *f)
{
    fdt_prop_text(f, "secure-status", "okay");
    fdt_prop_text(f, "status", "disabled");
}

/* -- nodes ---------------------------------------------------------------------------------------------------------------- */

static void node_psci(Fdt *f)
{
    static const char *const methods[] = { [PSCI_CONDUIT_HVC] = "hvc", [PSCI_CONDUIT_SMC] = "smc" };
    const VirtMachine *v = VIRT(f)->v;

    if (v->conduit == PSCI_CONDUIT_NONE) {
        return;
    }
    fdt_node(f, "psci");
    /* Numbers for kernels that know version 0.1 only; as that of 0.2 and on says (DEN 0022, 5.1). */
    uint32_t wide = arm_cpu_info(arm_virt_m(VIRT(f)->v), 0).has_aarch64 ? 0x40000000 : 0; /* arguments of 64 bits */
    fdt_prop_cells(f, "migrate", wide | 0x84000005);
    fdt_prop_cells(f, "cpu_on", wide | 0x84000003);
    fdt_prop_cells(f, "cpu_off", 0x84000002);
    fdt_prop_cells(f, "cpu_suspend", wide | 0x84000001);
    fdt_prop_text(f, "method", methods[v->conduit]);
    fdt_prop_texts(f, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci");
    fdt_end(f);
}

static void node_virtio(Fdt *f)
{
    VirtPlace place = arm_virt_place(VIRT(f)->v, VIRT_VIRTIO);

    for (unsigned i = 0; i < VIRT(f)->v->n_virtio; i++) {
        gpa base = place.base + i * place.size;

        fdt_node(f, "virtio_mmio@%" PRIx64, base);
        fdt_prop_flag(f, "dma-coherent");
        prop_spi(f, VIRT_SPI_VIRTIO + i, EDGE);
        fdt_prop_cells(f, "reg", REG(base, place.size));
        fdt_prop_text(f, "compatible", "virtio,mmio");
        fdt_end(f);
    }
}

static void node_gpio_user(Fdt *f, const char *kind, uint32_t line)
{
    fdt_node(f, "%s", kind);
    prop_secure(f);
    fdt_prop_cells(f, "gpios", VIRT(f)->secure_gpio, line, 0);
    fdt_prop_text(f, "compatible", kind);
    fdt_end(f);
}

static void node_pl061(Fdt *f, bool secure)
{
    VirtPlace place = arm_virt_place(VIRT(f)->v, secure ? VIRT_SECURE_GPIO : VIRT_GPIO);

    fdt_node(f, "pl061@%" PRIx64, place.base);
    if (secure) {
        prop_secure(f);
    }
    fdt_prop_cells(f, "phandle", secure ? VIRT(f)->secure_gpio : VIRT(f)->gpio);
    fdt_prop_text(f, "clock-names", "apb_pclk");
    fdt_prop_cells(f, "clocks", VIRT(f)->clock);
    prop_spi(f, secure ? 0 : VIRT_SPI_GPIO, LEVEL);
    fdt_prop_flag(f, "gpio-controller");
    fdt_prop_cells(f, "#gpio-cells", 2);
    fdt_prop_texts(f, "compatible", "arm,pl061\0arm,primecell");
    prop_place(f, place);
    fdt_end(f);
}

static void node_gpio(Fdt *f)
{
    if (VIRT(f)->v->secure) {
        node_gpio_user(f, "gpio-restart", 1);
        node_gpio_user(f, "gpio-poweroff", 0);
        node_pl061(f, true);
    }
    if (VIRT(f)->v->ged) {
        return; /* the power button is ACPI's */
    }
    fdt_node(f, "gpio-keys");
    fdt_prop_text(f, "compatible", "gpio-keys");
    fdt_node(f, "poweroff");
    fdt_prop_cells(f, "gpios", VIRT(f)->gpio, VIRT_GPIO_POWER, 0);
    fdt_prop_cells(f, "linux,code", KEY_POWER);
    fdt_prop_text(f, "label", "GPIO Key Poweroff");
    fdt_end(f);
    fdt_end(f);
    node_pl061(f, false);
}

static void node_smmu(Fdt *f)
{
    if (!VIRT(f)->v->iommu) {
        return;
    }
    VirtPlace place = arm_virt_place(VIRT(f)->v, VIRT_SMMU);
    fdt_node(f, "smmuv3@%" PRIx64, place.base);
    fdt_prop_cells(f, "phandle", VIRT(f)->smmu);
    fdt_prop_cells(f, "#iommu-cells", 1);
    fdt_prop_flag(f, "dma-coherent");
    fdt_prop_texts(f, "interrupt-names", "eventq\0priq\0cmdq-sync\0gerror");
    fdt_prop_cells(f, "interrupts", GIC_SPI, VIRT_SPI_SMMU, EDGE, GIC_SPI, VIRT_SPI_SMMU + 1, EDGE, GIC_SPI, VIRT_SPI_SMMU + 2, EDGE,
                   GIC_SPI, VIRT_SPI_SMMU + 3, EDGE);
    prop_place(f, place);
    fdt_prop_text(f, "compatible", "arm,smmu-v3");
    fdt_end(f);
}

static void node_pcie(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;
    VirtPlace ecam = arm_virt_ecam(v), mmio = arm_virt_place(v, VIRT_PCIE_MMIO), pio = arm_virt_place(v, VIRT_PCIE_PIO), high = arm_virt_place(v, VIRT_PCIE_HIGH);
    uint32_t map[16 * 10];
    size_t n = 0;

    /* The node is named after its first window, as firmware and scripts know it. */
    fdt_node(f, "pcie@%" PRIx64, mmio.base);
    if (v->iommu) {
        fdt_prop_cells(f, "iommu-map", 0, VIRT(f)->smmu, 0, 0x10000);
    }
    fdt_prop_cells(f, "interrupt-map-mask", 0x1800, 0, 0, 7);
    /* Slot and pin to SPI: pins rotate with the slot (PCI bridge specification 9.1). */
    for (uint32_t slot = 0; slot < 4; slot++) {
        for (uint32_t pin = 1; pin <= 4; pin++) {
            const uint32_t row[10] = { slot << 11, 0, 0, pin, VIRT(f)->gic, 0, 0, GIC_SPI, VIRT_SPI_PCIE + (pin - 1 + slot) % 4, LEVEL };
            memcpy(map + n, row, sizeof(row));
            n += ARRAY_SIZE(row);
        }
    }
    fdt_prop_cells_n(f, "interrupt-map", map, n);
    fdt_prop_cells(f, "#interrupt-cells", 1);
    const uint32_t ranges[] = {
        0x1000000, 0, 0, HI_LO(pio.base), HI_LO(pio.size), 0x2000000, HI_LO(mmio.base), HI_LO(mmio.base), HI_LO(mmio.size),
        0x3000000, HI_LO(high.base), HI_LO(high.base), HI_LO(high.size),
    };
    fdt_prop_cells_n(f, "ranges", ranges, high.size ? 21 : 14);
    prop_place(f, ecam);
    if (v->have_its || v->have_v2m) {
        fdt_prop_cells(f, "msi-map", 0, VIRT(f)->msi, 0, 0x10000);
    }
    fdt_prop_flag(f, "dma-coherent");
    fdt_prop_cells(f, "bus-range", 0, (uint32_t)(ecam.size / MiB) - 1);
    fdt_prop_cells(f, "linux,pci-domain", 0);
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_cells(f, "#address-cells", 3);
    fdt_prop_text(f, "device_type", "pci");
    fdt_prop_text(f, "compatible", "pci-host-ecam-generic");
    fdt_end(f);
}

static void node_pl011(Fdt *f, unsigned n)
{
    VirtPlace place = arm_virt_place(VIRT(f)->v, n ? VIRT_UART1 : VIRT_UART0);

    fdt_node(f, "pl011@%" PRIx64, place.base);
    if (n && VIRT(f)->v->secure) {
        prop_secure(f);
    }
    fdt_prop_texts(f, "clock-names", "uartclk\0apb_pclk");
    fdt_prop_cells(f, "clocks", VIRT(f)->clock, VIRT(f)->clock);
    prop_spi(f, n ? VIRT_SPI_UART1 : VIRT_SPI_UART0, LEVEL);
    prop_place(f, place);
    fdt_prop_texts(f, "compatible", "arm,pl011\0arm,primecell");
    fdt_end(f);
}

static void node_serial(Fdt *f)
{
    VirtPlace rtc = arm_virt_place(VIRT(f)->v, VIRT_RTC), ram = arm_virt_place(VIRT(f)->v, VIRT_SECURE_RAM);

    fdt_node(f, "pl031@%" PRIx64, rtc.base);
    fdt_prop_text(f, "clock-names", "apb_pclk");
    fdt_prop_cells(f, "clocks", VIRT(f)->clock);
    prop_spi(f, VIRT_SPI_RTC, LEVEL);
    prop_place(f, rtc);
    fdt_prop_texts(f, "compatible", "arm,pl031\0arm,primecell");
    fdt_end(f);
    if (VIRT(f)->v->secure) {
        fdt_node(f, "secram@%" PRIx64, ram.base);
        prop_secure(f);
        prop_place(f, ram);
        fdt_prop_text(f, "device_type", "memory");
        fdt_end(f);
    }
    /* Kernels without an alias count in this order: the console is not to be the secure world's. */
    bool both = VIRT(f)->v->have_uart1, secure = VIRT(f)->v->secure;
    if (both) {
        node_pl011(f, secure);
    }
    node_pl011(f, both && !secure);
}

static void node_pmu(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;

    if (arm_cpu_info(arm_virt_m(v), 0).has_pmu && !arm_virt_compat(v, VIRT_NO_PMU)) {
        fdt_node(f, "pmu");
        fdt_prop_cells(f, "interrupts", GIC_PPI, VIRT_PPI_PMU - 16, ppi_flags(v, LEVEL));
        fdt_prop_text(f, "compatible", "arm,armv8-pmuv3");
        fdt_end(f);
    }
}

static void prop_gic_reg(Fdt *f)
{
    const VirtMachine *v = VIRT(f)->v;
    VirtPlace dist = arm_virt_place(v, VIRT_GIC_DIST), cpu = arm_virt_place(v, VIRT_GIC_CPU), redist = arm_virt_place(v, VIRT_GIC_REDIST),
              high = arm_virt_place(v, VIRT_REDIST2), hyp = arm_virt_place(v, VIRT_GIC_HYP), vcpu = arm_virt_place(v, VIRT_GIC_VCPU);

    if (v->gic_version == 2) {
        const uint32_t reg[] = { REG(dist.base, dist.size), REG(cpu.base, cpu.size), REG(hyp.base, hyp.size), REG(vcpu.base, vcpu.size) };
        fdt_prop_cells_n(f, "reg", reg, v->virtualization ? 16 : 8);
    } else {
        const uint32_t reg[] = { REG(dist.base, dist.size), REG(redist.base, redist.size), REG(high.base, high.size) };
        fdt_prop_cells_n(f, "reg", reg, v->n_redists[1] ? 12 : 8);
        fdt_prop_cells(f, "#redistributor-regions", v->n_redists[1] ? 2 : 1);
    }
}

static void node_msi(Fdt *f)
{
    VirtPlace place = arm_virt_place(VIRT(f)->v, VIRT(f)->v->have_its ? VIRT_GIC_ITS : VIRT_GIC_V2M);
    bool its = VIRT(f)->v->have_its;

    fdt_node(f, its ? "its@%" PRIx64 : "v2m@%" PRIx64, place.base);
    fdt_prop_cells(f, "phandle", VIRT(f)->msi);
    prop_place(f, place);
    if (its) {
        fdt_prop_cells(f, "#msi-cells", 1);
    }
    fdt_prop_flag(f, "msi-controller");
    fdt_prop_text(f, "compatible", its ? "arm,gic-v3-its" : "arm,gic-v2m-frame");
    fdt_end(f);
}

static void node_gic(Fdt *f)
{
    const VirtMachine *v = VIRT(f)->v;

    fdt_node(f, "intc@%" PRIx64, arm_virt_place(v, VIRT_GIC_DIST).base);
    fdt_prop_cells(f, "phandle", VIRT(f)->gic);
    if (v->virtualization) {
        fdt_prop_cells(f, "interrupts", GIC_PPI, VIRT_PPI_MAINTENANCE - 16, LEVEL);
    }
    prop_gic_reg(f);
    fdt_prop_text(f, "compatible", v->gic_version == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
    fdt_prop_flag(f, "ranges");
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_flag(f, "interrupt-controller");
    fdt_prop_cells(f, "#interrupt-cells", 3);
    if (v->have_its || v->have_v2m) {
        node_msi(f);
    }
    fdt_end(f);
}

static void node_flash(Fdt *f)
{
    VirtPlace first = arm_virt_place(VIRT(f)->v, VIRT_FLASH0), second = arm_virt_place(VIRT(f)->v, VIRT_FLASH1);
    bool secure = VIRT(f)->v->secure;

    if (!VIRT(f)->v->flash[0]) {
        return;
    }
    fdt_node(f, "flash@%" PRIx64, secure ? second.base : first.base);
    fdt_prop_cells(f, "bank-width", 4);
    if (secure) {
        prop_place(f, second);
    } else {
        fdt_prop_cells(f, "reg", REG(first.base, first.size), REG(second.base, second.size));
    }
    fdt_prop_text(f, "compatible", "cfi-flash");
    fdt_end(f);
    if (secure) {
        fdt_node(f, "secflash@%" PRIx64, first.base);
        prop_secure(f);
        fdt_prop_cells(f, "bank-width", 4);
        prop_place(f, first);
        fdt_prop_text(f, "compatible", "cfi-flash");
        fdt_end(f);
    }
}

static uint32_t cpu_phandle(Fdt *f, unsigned index)
{
    return VIRT(f)->cpus + arm_virt_m(VIRT(f)->v)->smp.cpus - 1 - index;
}

static void node_cpu_map(Fdt *f)
{
    const SmpConfig *smp = &arm_virt_m(VIRT(f)->v)->smp;
    unsigned per_socket = smp->clusters * smp->cores * smp->threads, per_cluster = smp->cores * smp->threads;

    fdt_node(f, "cpu-map");
    for (unsigned socket = 0; socket * per_socket < smp->cpus; socket++) {
        fdt_node(f, "socket%u", socket);
        for (unsigned cluster = 0; cluster < smp->clusters && socket * per_socket + cluster * per_cluster < smp->cpus; cluster++) {
            fdt_node(f, "cluster%u", cluster);
            for (unsigned core = 0; core < smp->cores; core++) {
                unsigned first = socket * per_socket + cluster * per_cluster + core * smp->threads;

                if (first >= smp->cpus) {
                    break;
                }
                fdt_node(f, "core%u", core);
                if (smp->threads == 1) {
                    fdt_prop_cells(f, "cpu", cpu_phandle(f, first));
                }
                for (unsigned thread = 0; smp->threads > 1 && thread < smp->threads && first + thread < smp->cpus; thread++) {
                    fdt_node(f, "thread%u", thread);
                    fdt_prop_cells(f, "cpu", cpu_phandle(f, first + thread));
                    fdt_end(f);
                }
                fdt_end(f);
            }
            fdt_end(f);
        }
        fdt_end(f);
    }
    fdt_end(f);
}

/* Devicetree 0.4, 3.8.1. */
static void prop_cache(Fdt *f, const char *kind, const ArmCacheInfo *cache)
{
    char name[24];

    if (!cache->bytes) {
        return;
    }
    snprintf(name, sizeof(name), "%s-cache-sets", kind);
    fdt_prop_cells(f, name, cache->sets);
    snprintf(name, sizeof(name), "%s-cache-size", kind);
    fdt_prop_cells(f, name, cache->bytes);
    snprintf(name, sizeof(name), "%s-cache-block-size", kind);
    fdt_prop_cells(f, name, cache->line_bytes);
}

static void node_cpus(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;
    Machine *m = arm_virt_m(v);
    bool map = !arm_virt_compat(v, VIRT_NO_CPU_MAP);

    fdt_node(f, "cpus");
    fdt_prop_cells(f, "#size-cells", 0);
    fdt_prop_cells(f, "#address-cells", 1);
    if (map) {
        node_cpu_map(f);
    }
    for (unsigned i = 0; i < m->smp.cpus; i++) {
        ArmCpuInfo info = arm_cpu_info(m, i);

        fdt_node(f, "cpu@%u", i);
        prop_cache(f, "i", &info.icache);
        prop_cache(f, "d", &info.dcache);
        if (map) {
            fdt_prop_cells(f, "phandle", cpu_phandle(f, i));
        }
        if (m->numa) {
            fdt_prop_cells(f, "numa-node-id", numa_node_of(m, i));
        }
        fdt_prop_cells(f, "reg", (uint32_t)arm_cpu_affinity(&v->cpus, i));
        if (m->smp.cpus > 1) {
            fdt_prop_text(f, "enable-method", "psci");
        }
        fdt_prop_text(f, "compatible", info.compatible);
        fdt_prop_text(f, "device_type", "cpu");
        fdt_end(f);
    }
    fdt_end(f);
}

static void node_range(Fdt *f, gpa base, uint64_t bytes, int node)
{
    fdt_node(f, "memory@%" PRIx64, base);
    if (node >= 0) {
        fdt_prop_cells(f, "numa-node-id", (uint32_t)node);
    }
    fdt_prop_cells(f, "reg", REG(base, bytes));
    fdt_prop_text(f, "device_type", "memory");
    fdt_end(f);
}

static void node_memory(Fdt *f)
{
    const Machine *m = arm_virt_m(VIRT(f)->v);
    gpa base = arm_virt_place(VIRT(f)->v, VIRT_RAM).base;

    if (!m->numa) {
        node_range(f, base, m->ram_bytes, -1);
        return;
    }
    base += m->ram_bytes;
    for (unsigned i = m->numa->n_nodes; i-- > 0;) {
        base -= m->numa->nodes[i].bytes;
        if (m->numa->nodes[i].bytes) {
            node_range(f, base, m->numa->nodes[i].bytes, (int)i);
        }
    }
}

static void node_distances(Fdt *f)
{
    const Machine *m = arm_virt_m(VIRT(f)->v);

    if (!m->numa || !m->numa->have_distances) {
        return;
    }
    unsigned n = m->numa->n_nodes;
    uint32_t *matrix = xnew_array(uint32_t, 3 * n * n);
    for (unsigned from = 0; from < n; from++) {
        for (unsigned to = 0; to < n; to++) {
            uint32_t *row = matrix + 3 * (from * n + to);

            row[0] = from;
            row[1] = to;
            row[2] = numa_distance(m, from, to);
        }
    }
    fdt_node(f, "distance-map");
    fdt_prop_cells_n(f, "distance-matrix", matrix, 3 * n * n);
    fdt_prop_text(f, "compatible", "numa-distance-map-v1");
    fdt_end(f);
    free(matrix);
}

static void node_clocks(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;
    uint32_t flags = ppi_flags(v, arm_virt_compat(v, VIRT_EDGE_TIMERS) ? EDGE : LEVEL);

    fdt_node(f, "timer");
    fdt_prop_cells(f, "interrupts", GIC_PPI, VIRT_PPI_TIMER_SECURE - 16, flags, GIC_PPI, VIRT_PPI_TIMER_PHYS - 16, flags,
                   GIC_PPI, VIRT_PPI_TIMER_VIRT - 16, flags, GIC_PPI, VIRT_PPI_TIMER_HYP - 16, flags);
    fdt_prop_flag(f, "always-on");
    if (arm_cpu_info(arm_virt_m(v), 0).is_v8) {
        fdt_prop_texts(f, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    } else {
        fdt_prop_text(f, "compatible", "arm,armv7-timer");
    }
    fdt_end(f);
    node_distances(f);
    fdt_node(f, "apb-pclk");
    fdt_prop_cells(f, "phandle", VIRT(f)->clock);
    fdt_prop_text(f, "clock-output-names", "clk24mhz");
    fdt_prop_cells(f, "clock-frequency", CLOCK_HZ);
    fdt_prop_cells(f, "#clock-cells", 0);
    fdt_prop_text(f, "compatible", "fixed-clock");
    fdt_end(f);
}

static void prop_seed(Fdt *f, const char *name, size_t len)
{
    uint8_t seed[32];

    if (VIRT(f)->v->dtb_random && random_bytes(seed, len, true)) {
        fdt_check(f, fdt_property(f->buf, name, seed, (int)len));
    }
}

static void node_chosen(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;
    char path[2][32];

    for (unsigned n = 0; n < 2; n++) {
        snprintf(path[n], sizeof(path[n]), "/pl011@%" PRIx64, arm_virt_place(v, n ? VIRT_UART1 : VIRT_UART0).base);
    }
    fdt_node(f, "aliases");
    if (v->have_uart1) {
        fdt_prop_text(f, "serial1", path[1]);
    }
    fdt_prop_text(f, "serial0", path[0]);
    fdt_end(f);
    if (v->secure) {
        fdt_node(f, "secure-chosen");
        fdt_prop_text(f, "stdout-path", path[1]);
        prop_seed(f, "rng-seed", 32);
        prop_seed(f, "kaslr-seed", 8);
        fdt_end(f);
    }
    fdt_node(f, "chosen");
    fdt_prop_text(f, "stdout-path", path[0]);
    prop_seed(f, "rng-seed", 32);
    prop_seed(f, "kaslr-seed", 8);
    fdt_end(f);
}

static void fdt_write(Fdt *f)
{
    VirtMachine *v = VIRT(f)->v;
    Machine *m = arm_virt_m(v);
    const char *compatible = m->dt_compatible ? m->dt_compatible : "linux,dummy-virt";

    fdt_node(f, "%s", "");
    fdt_prop_cells(f, "interrupt-parent", VIRT(f)->gic);
    fdt_prop_flag(f, "dma-coherent");
    fdt_prop_text(f, "model", "linux,dummy-virt");
    fdt_prop_cells(f, "#size-cells", 2);
    fdt_prop_cells(f, "#address-cells", 2);
    fdt_prop_text(f, "compatible", compatible);
    node_psci(f);
    node_memory(f);
    VirtPlace bus = arm_virt_place(v, VIRT_PLATFORM_BUS);
    fdt_node(f, "platform-bus@%" PRIx64, bus.base);
    fdt_prop_cells(f, "interrupt-parent", VIRT(f)->gic);
    fdt_prop_cells(f, "ranges", 0, HI_LO(bus.base), (uint32_t)bus.size);
    fdt_prop_cells(f, "#address-cells", 1);
    fdt_prop_cells(f, "#size-cells", 1);
    fdt_prop_texts(f, "compatible", "qemu,platform\0simple-bus");
    fdt_end(f);
    VirtPlace fw_cfg = arm_virt_place(v, VIRT_FW_CFG);
    fdt_node(f, "fw-cfg@%" PRIx64, fw_cfg.base);
    fdt_prop_flag(f, "dma-coherent");
    prop_place(f, fw_cfg);
    fdt_prop_text(f, "compatible", "qemu,fw-cfg-mmio");
    fdt_end(f);
    node_virtio(f);
    node_gpio(f);
    node_smmu(f);
    node_pcie(f);
    node_serial(f);
    node_pmu(f);
    node_gic(f);
    node_flash(f);
    node_cpus(f);
    node_clocks(f);
    node_chosen(f);
    fdt_end(f);
}

bool arm_virt_make_fdt(VirtMachine *v, Error **errp)
{
    VirtFdt f = { .v = v, .clock = FIRST_PHANDLE };
    uint32_t next = FIRST_PHANDLE + 1;

    f.cpus = next;
    next += arm_virt_compat(v, VIRT_NO_CPU_MAP) ? 0 : arm_virt_m(v)->smp.cpus;
    f.gic = next++;
    f.msi = v->have_its || v->have_v2m ? next++ : 0;
    f.smmu = v->iommu ? next++ : 0;
    f.gpio = v->ged ? 0 : next++;
    f.secure_gpio = next++;
    return fdt_make(arm_virt_m(v), &f.fdt, fdt_write, errp);
}
