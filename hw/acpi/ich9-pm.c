/*
 * ich9-pm.c: the power management registers of the ICH9's LPC function: 128 ports from PMBASE.
 *
 * Specification: Intel I/O Controller Hub 9 (ICH9) data sheet, 13.8.3 (PM I/O registers), 13.9 (TCO). Left out: GPE
 * sources of the chipset itself, SMI sources other than the command port and the watchdog.
 */
#include "hw/acpi.h"
#include "hw/fw_cfg.h"
#include "util/bits.h"

enum {
    PM_BYTES = 128, GPE0 = 0x20, GPE0_BYTES = 16, SMI_EN = 0x30, SMI_STS = 0x34, TCO = 0x60, APM_PORT = 0xb2,
    SMI_EN_GLOBAL = 1 << 0, SMI_EN_APMC = 1 << 5, SMI_EN_TCO = 1 << 13,
    SMI_STS_APM = 1 << 5, SMI_STS_TCO = 1 << 13,
};
#define UNMAPPED UINT32_MAX

/* ---- SMI ---- */

static void raise_smi(Ich9Pm *s, uint32_t source, uint32_t enable)
{
    s->smi_status |= source;
    if (s->smm && (s->smi_enable & SMI_EN_GLOBAL) && (s->smi_enable & enable)) {
        irq_pulse(s->smi);
    }
}

static void command(void *opaque, uint8_t value)
{
    Ich9Pm *s = opaque;

    if (value == ICH9_ACPI_ENABLE || value == ICH9_ACPI_DISABLE) {
        acpi_pm_enable(&s->pm, value == ICH9_ACPI_ENABLE);
    }
    raise_smi(s, SMI_STS_APM, SMI_EN_APMC);
}

static void tco_smi(void *opaque)
{
    raise_smi(opaque, SMI_STS_TCO, SMI_EN_TCO);
}

static MemResult smi_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    Ich9Pm *s = opaque;

    *ret = offset ? s->smi_status : s->smi_enable;
    return MEM_OK;
}

static MemResult smi_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    Ich9Pm *s = opaque;

    if (offset) {
        s->smi_status &= ~(uint32_t)value;
    } else {
        /* TCO_LOCK keeps TCO_EN (13.9.6), SMI_LOCK keeps GBL_SMI_EN (13.8.1.1). */
        uint32_t keep = (s->tco.control1 & 1 << 12 ? SMI_EN_TCO : 0) | (s->smi_locked ? SMI_EN_GLOBAL : 0);
        s->smi_enable = (s->smi_enable & keep) | ((uint32_t)value & ~keep);
    }
    return MEM_OK;
}

static const MemoryOps smi_ops = {
    .read = smi_read, .write = smi_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 4, .max = 4 },
};

/* ---- firmware asks for SMI features ---- */

static void features_check(void *opaque)
{
    Ich9Pm *s = opaque;
    uint32_t len;
    const uint8_t *bytes = fw_cfg_file(s->fw_cfg, "etc/smi/requested-features", &len);

    if (s->smi_features_ok) {
        return; /* once between resets */
    }
    s->smi_requested = ldle64(bytes);
    if (!(s->smi_requested & ~(uint64_t)ICH9_SMI_BROADCAST)) {
        s->smi_features = s->smi_requested;
        s->smi_features_ok = 1;
    }
    if (!fw_cfg_set_file(s->fw_cfg, "etc/smi/features-ok", &s->smi_features_ok, 1, NULL)) {
        s->smi_features_ok = 0;
    }
}

bool ich9_smi_features_install(Ich9Pm *s, Device *fw_cfg, Error **errp)
{
    uint8_t supported[8], zeros[8] = {0};

    s->fw_cfg = fw_cfg;
    stle64(supported, ICH9_SMI_BROADCAST);
    if (!fw_cfg_add_file(fw_cfg, "etc/smi/supported-features", supported, 8, errp) ||
        !fw_cfg_add_file(fw_cfg, "etc/smi/requested-features", zeros, 8, errp) ||
        !fw_cfg_add_file(fw_cfg, "etc/smi/features-ok", zeros, 1, errp)) {
        return false;
    }
    fw_cfg_make_writable(fw_cfg, "etc/smi/requested-features", NULL, NULL);
    fw_cfg_on_select(fw_cfg, "etc/smi/features-ok", features_check, s);
    return true;
}

static void features_reset(Ich9Pm *s)
{
    uint8_t zeros[8] = {0};

    s->smi_features = s->smi_requested = 0;
    s->smi_features_ok = 0;
    if (s->fw_cfg) {
        (void)!fw_cfg_set_file(s->fw_cfg, "etc/smi/requested-features", zeros, 8, NULL);
        (void)!fw_cfg_set_file(s->fw_cfg, "etc/smi/features-ok", zeros, 1, NULL);
    }
}

/* ---- the block ---- */

void ich9_pm_set_base(Ich9Pm *s, uint32_t base, bool enabled)
{
    base = enabled && base ? base & 0xff80 : UNMAPPED;
    if (s->base == base) {
        return;
    }
    memory_begin();
    if (s->base != UNMAPPED) {
        memory_region_remove(s->io, &s->container);
    }
    s->base = base;
    if (base != UNMAPPED) {
        memory_region_add_overlap(s->io, base, &s->container, 1);
    }
    memory_commit();
}

void ich9_pm_init(Ich9Pm *s, Object *owner, MemoryRegion *io)
{
    s->io = io;
    s->base = UNMAPPED;
    memory_region_init(&s->container, owner, "ich9-pm", PM_BYTES);
    acpi_pm_init(&s->pm, owner, GPE0_BYTES);
    memory_region_set_size(&s->pm.pm1_mr, GPE0);
    acpi_apm_init(&s->apm, owner, command, s);
    ich9_tco_init(&s->tco, owner, tco_smi, s);
    memory_region_init_mmio(&s->smi_mr, owner, &smi_ops, s, "acpi-smi", 8);
    memory_region_add(&s->container, 0, &s->pm.pm1_mr);
    memory_region_add(&s->container, GPE0, &s->pm.gpe_mr);
    memory_region_add(&s->container, SMI_EN, &s->smi_mr);
    memory_region_add(&s->container, TCO, &s->tco.mr);
    memory_region_add(io, APM_PORT, &s->apm.mr);
}

void ich9_pm_finish(Ich9Pm *s)
{
    ich9_pm_set_base(s, 0, false);
    memory_region_remove(s->io, &s->apm.mr);
    acpi_pm_finish(&s->pm);
    ich9_tco_finish(&s->tco);
}

void ich9_pm_reset(Ich9Pm *s, ResetKind kind)
{
    ich9_pm_set_base(s, 0, false);
    acpi_pm_reset(&s->pm, kind);
    acpi_apm_reset(&s->apm);
    ich9_tco_reset(&s->tco);
    s->smi_enable = s->smm ? 0 : SMI_EN_APMC; /* else firmware must not look for SMM */
    s->smi_status = 0;
    features_reset(s);
}

static const StateField fields[] = {
    { .name = "pm", .kind = STATE_STRUCT, .offset = offsetof(Ich9Pm, pm), .elem_size = sizeof(AcpiPm), .sub = &acpi_pm_state },
    { .name = "tco", .kind = STATE_STRUCT, .offset = offsetof(Ich9Pm, tco), .elem_size = sizeof(Ich9Tco),
      .sub = &ich9_tco_state },
    { .name = "apm_control", .kind = STATE_UINT, .offset = offsetof(Ich9Pm, apm.control), .elem_size = 1 },
    { .name = "apm_status", .kind = STATE_UINT, .offset = offsetof(Ich9Pm, apm.status), .elem_size = 1 },
    STATE_U(Ich9Pm, smi_enable), STATE_U(Ich9Pm, smi_status), STATE_U(Ich9Pm, smi_features), STATE_U(Ich9Pm, smi_requested),
    STATE_U(Ich9Pm, smi_features_ok),
};

const StateDesc ich9_pm_state = {
    .name = "ich9-pm", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
};
