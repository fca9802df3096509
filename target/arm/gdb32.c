/*
 * gdb32.c: registers of AArch32 as gdb and logs see them: org.gnu.gdb.arm.core (r0 to r12, sp, lr, pc: 0 to 15, cpsr: 25) and .vfp (d0
 * to d31, fpscr: from 26 on).
 */
#include <stdio.h>
#include "target/arm/cpu.h"
#include "util/log.h"

enum { GDB_SP = 13, GDB_LR = 14, GDB_PC = 15, GDB_CPSR = 25, GDB_D0 = 26, GDB_FPSCR = 58, N_REGS = 50 };

static const char *const core_names[16] = {
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc",
};
static const char *const double_names[32] = {
    "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12", "d13", "d14", "d15", "d16", "d17", "d18", "d19", "d20",
    "d21", "d22", "d23", "d24", "d25", "d26", "d27", "d28", "d29", "d30", "d31",
};

const char *arm32_gdb_feature(const char *group)
{
    return !strcmp(group, "general") ? "org.gnu.gdb.arm.core" : !strcmp(group, "float") ? "org.gnu.gdb.arm.vfp" : NULL;
}

const RegDesc *arm32_regs(const Vcpu *vcpu, size_t *n)
{
    static RegDesc regs[N_REGS];

    if (!regs[N_REGS - 1].name) { /* threads write the same */
        for (unsigned i = 0; i < 16; i++) {
            regs[i] = (RegDesc){ core_names[i], "general", i == GDB_PC ? UINT32_MAX : (uint32_t)(offsetof(ArmState, x) + 8 * i), 32, (uint16_t)i,
                                 i == GDB_PC ? "code_ptr" : i == GDB_SP ? "data_ptr" : "int" };
        }
        regs[16] = (RegDesc){ "cpsr", "general", UINT32_MAX, 32, GDB_CPSR, "int" };
        for (unsigned i = 0; i < 32; i++) {
            regs[17 + i] = (RegDesc){ double_names[i], "float", (uint32_t)(offsetof(ArmState, v) + 8 * i), 64, (uint16_t)(GDB_D0 + i), "ieee_double" };
        }
        regs[N_REGS - 1] = (RegDesc){ "fpscr", "float", UINT32_MAX, 32, GDB_FPSCR, "int" };
    }
    *n = N_REGS;
    return regs;
}

bool arm32_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out)
{
    if (reg->offset != UINT32_MAX) {
        memcpy(out, vcpu->state + reg->offset, reg->bits / 8);
        return true;
    }
    uint32_t value = reg->number == GDB_CPSR ? arm_cpsr_get(vcpu) : reg->number == GDB_PC ? (uint32_t)arm_state(vcpu)->pc & ~1u : arm_fpscr_get(vcpu);
    memcpy(out, &value, 4);
    return true;
}

bool arm32_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in)
{
    ArmState *s = arm_state(vcpu);
    uint32_t value;

    if (reg->offset != UINT32_MAX) {
        memcpy(vcpu->state + reg->offset, in, reg->bits / 8);
        return true;
    }
    memcpy(&value, in, 4);
    if (reg->number == GDB_CPSR) {
        arm_cpsr_set_user(vcpu, value);
    } else if (reg->number == GDB_PC) {
        s->pc = (value & ~1u) | (s->pc & 1);
    } else {
        arm_fpscr_set(vcpu, value);
    }
    return true;
}

void arm32_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    static const char *const modes[16] = { [0] = "usr", [1] = "fiq", [2] = "irq", [3] = "svc", [6] = "mon", [7] = "abt", [10] = "hyp", [11] = "und",
                                           [15] = "sys" };
    const ArmState *s = arm_state(vcpu);
    uint32_t cpsr = arm_cpsr_get(vcpu);
    const char *mode = modes[cpsr & 15];

    for (unsigned i = 0; i < 16; i++) {
        fprintf(out, "R%02u=%08x%s", i, i == GDB_PC ? (uint32_t)s->pc & ~1u : (uint32_t)s->x[i], i % 4 == 3 ? "\n" : " ");
    }
    fprintf(out, "PSR=%08x %c%c%c%c %c %s32\n", cpsr, cpsr >> 31 & 1 ? 'N' : '-', cpsr >> 30 & 1 ? 'Z' : '-', cpsr >> 29 & 1 ? 'C' : '-',
            cpsr >> 28 & 1 ? 'V' : '-', cpsr >> 5 & 1 ? 'T' : 'A', mode ? mode : "?");
    if (log_items & LOG_FPU) {
        for (unsigned i = 0; i < 32; i++) {
            fprintf(out, "d%02u=%016" PRIx64 "%s", i, s->v[i / 2].d[i % 2], i % 4 == 3 ? "\n" : " ");
        }
        fprintf(out, "FPSCR: %08x\n", arm_fpscr_get(vcpu));
    }
}
