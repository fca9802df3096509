/*
 * cpu-status.c: "acpi-cpu-status": the ports where firmware of virtual machines counts processors, with those that are there and those
 * that could be added (0xcd8 on the ICH9, 0xaf00 on the PIIX4).
 *
 * After a reset a bit for each processor by its APIC id, 256 of them. A write to the first dword ends that: from then on it selects a
 * processor (by number), byte 4 is its status (bit 0: there), byte 5 a command (0: the next one with an event; 3: its APIC id), dword 8 the
 * command's result, dword 0 the upper half of a result. OVMF built for SMM ends when it finds this missing and there is more than one
 * processor. No processor can be added or removed: no events, and the control bits are not kept.
 */
#include "hw/acpi.h"
#include "util/bits.h"

enum { N_PORTS = 32, REG_SELECTOR = 0, REG_STATUS = 4, REG_COMMAND = 5, REG_DATA = 8, STATUS_ENABLED = 1 << 0, COMMAND_NEXT = 0,
       COMMAND_ID = 3 };

typedef struct CpuStatus {
    Device dev;
    const Machine *machine;
    uint32_t (*apic_id)(const SmpConfig *smp, unsigned index);
    uint32_t selector;
    uint8_t command, modern;
} CpuStatus;

static uint64_t bitmap(const CpuStatus *s, uint64_t offset, unsigned size)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < s->machine->smp.cpus; i++) {
        uint64_t bit = s->apic_id(&s->machine->smp, i) - offset * 8;
        bits |= bit < 8 * size ? UINT64_C(1) << bit : 0;
    }
    return bits;
}

static MemResult status_read(void *opaque, uint64_t offset, unsigned size, uint64_t *ret, MemAttrs attrs)
{
    const CpuStatus *s = opaque;
    bool exists = s->selector < s->machine->smp.max_cpus;

    *ret = 0;
    if (!s->modern) {
        *ret = bitmap(s, offset, size);
    } else if (offset == REG_STATUS) {
        *ret = s->selector < s->machine->smp.cpus ? STATUS_ENABLED : 0;
    } else if (offset == REG_DATA && exists) {
        *ret = s->command == COMMAND_NEXT ? s->selector : s->command == COMMAND_ID ? s->apic_id(&s->machine->smp, s->selector) : 0;
    }
    return MEM_OK;
}

static MemResult status_write(void *opaque, uint64_t offset, unsigned size, uint64_t value, MemAttrs attrs)
{
    CpuStatus *s = opaque;

    if (offset == REG_SELECTOR && size == 4) {
        s->selector = s->modern ? (uint32_t)value : 0;
        s->modern = 1;
    } else if (s->modern && offset == REG_COMMAND) {
        s->command = (uint8_t)value;
    }
    return MEM_OK;
}

static const MemoryOps status_ops = {
    .read = status_read, .write = status_write, .endian = MEM_LITTLE_ENDIAN, .valid = { .min = 1, .max = 4 },
};

static const RegisterBank banks[] = { { .name = "acpi-cpu-status", .size_bytes = N_PORTS, .ops = &status_ops } };

static bool realize(Device *dev, Error **errp)
{
    if (!((CpuStatus *)dev)->machine) {
        error_set(errp, "acpi-cpu-status is part of a board");
        return false;
    }
    return true;
}

static void reset(Device *dev, ResetKind kind)
{
    CpuStatus *s = (CpuStatus *)dev;

    s->selector = s->command = s->modern = 0;
}

bool acpi_cpu_status_create(const Machine *machine, uint32_t (*apic_id)(const SmpConfig *smp, unsigned index), MemoryRegion *io,
                            uint16_t port, Error **errp)
{
    CpuStatus *s = (CpuStatus *)device_new("acpi-cpu-status", errp);

    if (!s) {
        return false;
    }
    s->machine = machine;
    s->apic_id = apic_id;
    bool ok = device_realize(&s->dev, NULL, errp);
    object_unref(&s->dev.obj);
    if (ok) {
        memory_region_add_overlap(io, port, device_mmio(&s->dev, 0), 1);
    }
    return ok;
}

static const StateField fields[] = { STATE_U(CpuStatus, selector), STATE_U(CpuStatus, command), STATE_U(CpuStatus, modern) };
static const StateDesc state = {
    .name = "acpi-cpu-status", .version = 1, .min_version = 1, .fields = fields, .n_fields = ARRAY_SIZE(fields),
};

static const DeviceType status_type = {
    .type = { .name = "acpi-cpu-status", .parent = "sys-bus-device", .summary = "Processors that are there",
              .size_bytes = sizeof(CpuStatus) },
    .category = DEVICE_MISC, .bus = "System", .banks = banks, .n_banks = ARRAY_SIZE(banks), .state = &state, .realize = realize,
    .reset_enter = reset,
};
DEVICE_TYPE_REGISTER(status_type);
