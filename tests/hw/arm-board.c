/*
 * arm-board.c: see arm-board.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include "softmmu/bql.h"
#include "tests/hw/arm-board.h"

Machine *board;
unsigned arm_board_up[ARM_BOARD_MAX_CPUS];

static struct Vcpu *fake_create(ArmCpu *cpu, const char *model, Error **errp)
{
    return (struct Vcpu *)&arm_board_up[cpu->index];
}

static void fake_nothing(ArmCpu *cpu)
{
}

static void fake_line(ArmCpu *cpu, ArmLine line, bool level)
{
    unsigned *up = &arm_board_up[cpu->index];

    *up = level ? *up | 1u << line : *up & ~(1u << line);
}

static void fake_info(ArmCpu *cpu, ArmCpuInfo *ret)
{
}

static const ArmCpuOps fake_ops = {
    .create = fake_create, .start = fake_nothing, .line = fake_line, .info = fake_info, .memory_changed = fake_nothing,
};

void arm_board_start(unsigned n_cpus, const char *const *props)
{
    Error *err = NULL;

    bql_lock();
    arm_cpus_set_ops(&fake_ops);
    board = machine_new(machine_type_find("virt", "aarch64"), "aarch64");
    bool ok = machine_set_smp(board, &(SmpConfig){ .cpus = n_cpus }, &err);
    for (; ok && *props; props += 2) {
        ok = object_property_parse(&board->obj, props[0], props[1], &err);
    }
    if (!ok || !machine_build(board, &err) || !machine_ready(board, &err)) {
        error_report_free(err);
        exit(1);
    }
    machine_reset(board, RESET_COLD);
}

Device *arm_board_find(const char *type)
{
    for (Device *dev = board->sysbus.first; dev; dev = dev->bus_next) {
        if (!strcmp(dev->obj.type->name, type)) {
            return dev;
        }
    }
    fprintf(stderr, "the board has no %s\n", type);
    exit(1);
}
