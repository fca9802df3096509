/*
 * virt-options.c: the `virt` board's versions and properties, and what follows from them: which interrupt controller, where the regions
 * above RAM are.
 */
#include "hw/arm/virt.h"
#include "hw/arm/virt-versions.h"
#include "util/bits.h"
#include "util/parse.h"

#define HIGH_BASE (256 * GiB)
#define HIGH_MMIO_BYTES (512 * GiB)
enum { REDISTS_LOW_BYTES = 0xf60000 };

unsigned arm_virt_version(const VirtMachine *v)
{
    return ((const VirtVersion *)v->arm.machine.type->type.class_data)->number;
}

/* -- what follows from the options ------------------------------------------------------------------------------------------ */

unsigned arm_virt_redist_bytes(const VirtMachine *v)
{
    return v->gic_version == 4 ? GICV4_REDIST_BYTES : GICV3_REDIST_BYTES;
}

static bool resolve_gic(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);
    unsigned max;

    switch ((VirtGic)v->gic) {
    case VIRT_GIC_2: v->gic_version = 2; break;
    case VIRT_GIC_3: v->gic_version = 3; break;
    case VIRT_GIC_4:
        if (!v->virtualization) {
            error_set(errp, "gic-version=4 requires virtualization=on");
            return false;
        }
        v->gic_version = 4;
        break;
    case VIRT_GIC_MAX: v->gic_version = v->virtualization ? 4 : 3; break;
    case VIRT_GIC_AUTO: v->gic_version = m->smp.max_cpus > GICV2_MAX_CPUS ? 3 : 2; break;
    case VIRT_GIC_HOST: error_set(errp, "gic-version=host requires KVM"); return false;
    default:
        error_set(errp, "gic-version=x-5 is not available yet: 2, 3 and 4 are");
        return false;
    }
    if (v->gic_version == 2) {
        max = GICV2_MAX_CPUS;
    } else {
        unsigned each = arm_virt_redist_bytes(v), low = REDISTS_LOW_BYTES / each;

        max = low + (v->high[0].size ? (unsigned)(v->high[0].size / each) : 0);
        v->n_redists[0] = MIN(m->smp.max_cpus, low);
        v->n_redists[1] = m->smp.max_cpus - v->n_redists[0];
    }
    if (m->smp.max_cpus > max) {
        error_set(errp, "Number of SMP CPUs requested (%u) exceeds max CPUs supported by machine 'mach-virt' (%u)%s", m->smp.max_cpus, max,
                  v->gic_version >= 3 && !v->high[0].size ? "\nTry 'highmem-redists=on' for more CPUs" : "");
        return false;
    }
    return true;
}

static bool resolve_msi(VirtMachine *v, Error **errp)
{
    int msi = v->msi;

    if (v->gic_version == 2 && (msi == VIRT_MSI_ITS || (v->its_given && v->its && msi == VIRT_MSI_AUTO))) {
        error_set(errp, "GICv2 + ITS is an invalid configuration.");
        return false;
    }
    if (msi == VIRT_MSI_AUTO) {
        bool its = v->its && !arm_virt_compat(v, VIRT_NO_ITS);

        msi = v->gic_version == 2 ? VIRT_MSI_V2M : its ? VIRT_MSI_ITS : VIRT_MSI_OFF;
    }
    v->have_its = msi == VIRT_MSI_ITS;
    v->have_v2m = msi == VIRT_MSI_V2M;
    return true;
}

/* Each region lies at a multiple of its size; in the loose layout of old versions one that is off leaves its hole. */
static void place_high(VirtMachine *v)
{
    const struct { uint64_t size; bool on; } regions[] = {
        [VIRT_REDIST2 - VIRT_REDIST2] = { 64 * MiB, v->highmem && v->highmem_redists && !arm_virt_compat(v, VIRT_LOW_REDISTS) },
        [VIRT_ECAM_HIGH - VIRT_REDIST2] = { 256 * MiB, v->highmem && v->highmem_ecam && !arm_virt_compat(v, VIRT_LOW_ECAM) },
        [VIRT_PCIE_HIGH - VIRT_REDIST2] = { v->highmem_mmio_bytes, v->highmem && v->highmem_mmio },
    };
    gpa at = MAX(HIGH_BASE, ROUND_UP(arm_virt_place(v, VIRT_RAM).base + arm_virt_m(v)->ram_bytes, 1 * GiB));

    for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
        gpa base = ROUND_UP(at, regions[i].size);

        if (regions[i].on) {
            v->high[i] = (VirtPlace){ base, regions[i].size };
        }
        if (regions[i].on || !v->compact_highmem) {
            at = base + regions[i].size;
        }
    }
}

static bool check_address_bits(const VirtMachine *v, unsigned bits, Error **errp)
{
    gpa end = arm_virt_place(v, VIRT_RAM).base + v->arm.machine.ram_bytes;

    if (bits < 64 && end > BIT(bits)) {
        error_set(errp, "Addressing limited to %u bits, but memory exceeds it by %" PRIu64 " bytes", bits, (uint64_t)(end - BIT(bits)));
        return false;
    }
    return true;
}

bool arm_virt_resolve(VirtMachine *v, Error **errp)
{
    Machine *m = arm_virt_m(v);

    if (m->ram_bytes < 1 * MiB || m->ram_bytes % 4096) {
        error_set(errp, "memory of %" PRIu64 " bytes is not possible: 'virt' takes multiples of 4 KiB from 1 MiB up", m->ram_bytes);
        return false;
    }
    if (v->n_virtio > VIRT_MAX_VIRTIO) {
        error_set(errp, "virtio-mmio-transports must not exceed %u", VIRT_MAX_VIRTIO);
        return false;
    }
    if (v->ras) {
        error_set(errp, "ras=on is not available: it reports errors of the host's memory to guests of KVM");
        return false;
    }
    if (!v->highmem && !check_address_bits(v, 32, errp)) {
        return false;
    }
    if (arm_virt_compat(v, VIRT_LOOSE_HIGHMEM) && !v->compact_given) {
        v->compact_highmem = false;
    }
    place_high(v);
    return resolve_gic(v, errp) && resolve_msi(v, errp);
}

bool arm_virt_fit_cpu(VirtMachine *v, Error **errp)
{
    unsigned bits = arm_cpu_info(arm_virt_m(v), 0).phys_bits;

    if (!check_address_bits(v, bits, errp)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(v->high); i++) {
        if (bits < 64 && v->high[i].base + v->high[i].size > BIT(bits)) {
            if (i == VIRT_REDIST2 - VIRT_REDIST2 && v->n_redists[1]) {
                error_set(errp, "the redistributors of CPU %u and up lie above what CPUs with %u address bits reach", v->n_redists[0], bits);
                return false;
            }
            v->high[i].size = 0;
        }
    }
    return true;
}

/* -- properties ---------------------------------------------------------------------------------------------------------------- */

/* Options of a few words, with the message of who knows them all: def_str lists them for it. */
static bool word_get(Object *obj, const Property *prop, PropValue *ret, Error **errp)
{
    int value = *(int *)((char *)obj + prop->offset);

    *ret = prop_string(value == VIRT_GIC_AUTO ? "" : prop->names[value]);
    return true;
}

static bool word_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    for (int i = 0; value->kind == VALUE_STRING && prop->names[i]; i++) {
        if (!strcmp(value->s, prop->names[i])) {
            *(int *)((char *)obj + prop->offset) = i;
            return true;
        }
    }
    error_set(errp, "Invalid %s value\nValid values are %s", prop->name, prop->def_str);
    return false;
}

static bool mmio_size_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    uint64_t n = value->u;

    if (value->kind == VALUE_STRING && !parse_size(value->s, &n, errp)) {
        return false;
    }
    if (!bits_is_pow2(n)) {
        error_set(errp, "highmem-mmio-size is not a power of 2");
    } else if (n < HIGH_MMIO_BYTES) {
        error_set(errp, "highmem-mmio-size cannot be set to a lower value than the default (512 GiB)");
    } else if (n > BIT(50)) {
        error_set(errp, "highmem-mmio-size is more than 1 PiB");
    } else {
        ((VirtMachine *)obj)->highmem_mmio_bytes = n;
        return true;
    }
    return false;
}

/* A flag of which it matters whether somebody has set it: the next byte says so. */
static bool given_set(Object *obj, const Property *prop, const PropValue *value, Error **errp)
{
    bool *field = (bool *)((char *)obj + prop->offset), on = value->b;

    if (value->kind == VALUE_STRING && !parse_bool(prop->name, value->s, &on, errp)) {
        return false;
    }
    field[0] = on;
    field[1] = true;
    return true;
}

static const char *const gic_names[] = { "2", "3", "4", "x-5", "host", "max", NULL };
static const char *const iommu_names[] = { "none", "smmuv3", NULL };
static const char *const msi_names[] = { "auto", "gicv2m", "its", "off", NULL };
static const char *const on_off_auto_names[] = { "auto", "on", "off", NULL };

#define WORD(pname, field, words, list, text) \
    { .name = (pname), .kind = PROP_CUSTOM, .type_name = "string", .offset = offsetof(VirtMachine, field), .names = words, .def_str = list, \
      .get = word_get, .set = word_set, .help = (text) }
#define FLAG(pname, field, text) { .name = (pname), .kind = PROP_BOOL, .offset = offsetof(VirtMachine, field), .help = (text) }
#define FLAG_GIVEN(pname, field, text) \
    { .name = (pname), .kind = PROP_BOOL, .offset = offsetof(VirtMachine, field), .set = given_set, .help = (text) }

static const Property virt_props[] = {
    { .name = "acpi", .kind = PROP_ENUM, .type_name = "OnOffAuto", .offset = offsetof(VirtMachine, acpi), .names = on_off_auto_names,
      .help = "Enable ACPI" },
    FLAG_GIVEN("compact-highmem", compact_highmem, "Set on/off to enable/disable compact layout for high memory regions"),
    FLAG("dtb-kaslr-seed", dtb_random, "Deprecated synonym of dtb-randomness"),
    FLAG("dtb-randomness", dtb_random, "Set off to disable passing random or non-deterministic dtb nodes to guest"),
    WORD("gic-version", gic, gic_names, "2, 3, 4, x-5, host, and max.", "Set GIC version. Valid values are 2, 3, 4, x-5, host and max"),
    FLAG("highmem", highmem, "Set on/off to enable/disable using physical address space above 32 bits"),
    FLAG("highmem-ecam", highmem_ecam, "Set on/off to enable/disable high memory region for PCI ECAM"),
    FLAG("highmem-mmio", highmem_mmio, "Set on/off to enable/disable high memory region for PCI MMIO"),
    { .name = "highmem-mmio-size", .kind = PROP_SIZE, .offset = offsetof(VirtMachine, highmem_mmio_bytes), .set = mmio_size_set,
      .help = "Set the high memory region size for PCI MMIO" },
    FLAG("highmem-redists", highmem_redists, "Set on/off to enable/disable high memory region for GICv3 or GICv4 redistributor"),
    WORD("iommu", iommu, iommu_names, "none, smmuv3.", "Set the IOMMU type. Valid values are none and smmuv3"),
    FLAG_GIVEN("its", its, "Set on/off to enable/disable ITS instantiation"),
    WORD("msi", msi, msi_names, "auto, gicv2m, its, off", "Set MSI settings. Valid values are auto, gicv2m, its and off"),
    FLAG("mte", mte, "Set on/off to enable/disable emulating a guest CPU which implements the ARM Memory Tagging Extension"),
    PROP_STR("pflash0", VirtMachine, pflash[0], "Node name or ID of a block device to use as a backend"),
    PROP_STR("pflash1", VirtMachine, pflash[1], "Node name or ID of a block device to use as a backend"),
    FLAG("ras", ras, "Set on/off to enable/disable reporting host memory errors to a KVM guest using ACPI and guest external abort exceptions"),
    FLAG("secure", secure, "Set on/off to enable/disable the ARM Security Extensions (TrustZone)"),
    { .name = "virtio-mmio-transports", .kind = PROP_UINT8, .offset = offsetof(VirtMachine, n_virtio),
      .help = "Set the number of virtio-mmio transports to instantiate" },
    FLAG("virtualization", virtualization,
         "Set on/off to enable/disable emulating a guest CPU which implements the ARM Virtualization Extensions"),
    PROP_STR("x-oem-id", VirtMachine, oem_id,
             "Override the default value of field OEMID in ACPI table header.The string may be up to 6 bytes in size"),
    PROP_STR("x-oem-table-id", VirtMachine, oem_table_id,
             "Override the default value of field OEM Table ID in ACPI table header.The string may be up to 8 bytes in size"),
};

static void obj_init(Object *obj)
{
    VirtMachine *v = (VirtMachine *)obj;

    v->gic = VIRT_GIC_AUTO;
    v->highmem = v->highmem_ecam = v->highmem_mmio = v->highmem_redists = v->compact_highmem = v->its = v->dtb_random = true;
    v->n_virtio = VIRT_MAX_VIRTIO;
    v->highmem_mmio_bytes = HIGH_MMIO_BYTES;
}

static const ObjectType virt_base_type = {
    .name = "virt-arm-machine", .parent = "machine", .summary = "what versions of the board share", .size_bytes = sizeof(VirtMachine),
    .abstract = true, .props = virt_props, .n_props = ARRAY_SIZE(virt_props), .init = obj_init,
};
OBJECT_TYPE_REGISTER(virt_base_type);

static const char *const arches[] = { "aarch64", "arm", NULL };

#define VIRT_TYPE(id, num, text, newest)                                                                                                \
    static const VirtVersion version_##id = { num, text };                                                                             \
    static const MachineType virt_##id = {                                                                                             \
        .type = { .name = "virt-" text "-machine", .parent = "virt-arm-machine", .summary = "QEMU " text " ARM Virtual Machine",           \
                  .size_bytes = sizeof(VirtMachine), .class_data = &version_##id },                                                    \
        .name = "virt-" text, .alias = newest ? "virt" : NULL, .desc = "QEMU " text " ARM Virtual Machine", .arches = arches,             \
        .max_cpus = VIRT_MAX_CPUS, .default_cpus = 1, .default_cpu32 = "cortex-a15", .default_cpu64 = "cortex-a57", .default_ram_bytes = 128 * MiB, \
        .ram_id = "mach-virt.ram", .default_block_if = "virtio", .default_nic = "virtio-net-pci", .creates_nic = true,                   \
        .no_floppy = true, .no_cdrom = true, .no_parallel = true, .usb_controller = "qemu-xhci", .init = arm_virt_init, .ready = arm_virt_ready,  \
        .reset = arm_machine_reset,                                                                                                    \
        .vcpu_path = arm_vcpu_path, .has_numa = true,                                                                                                    \
    };                                                                                                                                 \
    OBJECT_TYPE_REGISTER(virt_##id);
VIRT_VERSIONS(VIRT_TYPE)
