/*
 * gdb.c: registers as gdb and the monitor see them: x0..x31, pc, f0..f31 and the CSRs that exist, numbered as in
 * gdb's org.gnu.gdb.riscv.* features (x 0-31, pc 32, f 33-64, CSR 65 + number, priv 65 + 4096).
 */
#include <stdio.h>
#include "target/riscv/cpu.h"
#include "util/log.h"

enum { GDB_PC = 32, GDB_F0 = 33, GDB_CSR0 = 65, GDB_PRIV = 65 + 4096 };

static const uint16_t shown_csrs[] = {
    0x001, 0x002, 0x003, 0xc00, 0xc01, 0xc02,
    0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180,
    0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344,
    0x3a0, 0x3a2, 0x3b0, 0x3b1, 0x3b2, 0x3b3, 0x3b4, 0x3b5, 0x3b6, 0x3b7,
    0xb00, 0xb02, 0xf11, 0xf12, 0xf13, 0xf14,
};

enum { N_REGS = 32 + 1 + 32 + ARRAY_SIZE(shown_csrs) + 1 };

static void fill(RegDesc *regs, unsigned bits)
{
    static const char *const csr_names[ARRAY_SIZE(shown_csrs)] = {
        "fflags", "frm", "fcsr", "cycle", "time", "instret",
        "sstatus", "sie", "stvec", "scounteren", "senvcfg", "sscratch", "sepc", "scause", "stval", "sip", "stimecmp",
        "satp", "mstatus", "misa", "medeleg", "mideleg", "mie", "mtvec", "mcounteren", "menvcfg", "mcountinhibit",
        "mscratch", "mepc", "mcause", "mtval", "mip", "pmpcfg0", "pmpcfg2", "pmpaddr0", "pmpaddr1", "pmpaddr2",
        "pmpaddr3", "pmpaddr4", "pmpaddr5", "pmpaddr6", "pmpaddr7", "mcycle", "minstret", "mvendorid", "marchid",
        "mimpid", "mhartid",
    };
    unsigned n = 0;

    for (unsigned i = 0; i < 32; i++) {
        regs[n++] = (RegDesc){ riscv_x_names[i], "general", offsetof(RiscvState, x) + i * 8, bits, i,
                               i == 1 ? "code_ptr" : i == 2 || i == 3 || i == 4 || i == 8 ? "data_ptr" : "int" };
    }
    regs[n++] = (RegDesc){ "pc", "general", offsetof(RiscvState, pc), bits, GDB_PC, "code_ptr" };
    for (unsigned i = 0; i < 32; i++) {
        regs[n++] = (RegDesc){ riscv_f_names[i], "float", offsetof(RiscvState, f) + i * 8, 64, GDB_F0 + i,
                               "riscv_double" };
    }
    for (unsigned i = 0; i < ARRAY_SIZE(shown_csrs); i++) {
        regs[n++] = (RegDesc){ csr_names[i], "csr", UINT32_MAX, bits, GDB_CSR0 + shown_csrs[i], "int" };
    }
    regs[n++] = (RegDesc){ "priv", "csr", UINT32_MAX, bits, GDB_PRIV, "int" };
}

const RegDesc *riscv_regs(const Vcpu *vcpu, size_t *n)
{
    static RegDesc regs32[N_REGS], regs64[N_REGS];
    bool rv32 = riscv_model(vcpu)->xlen == 32;
    RegDesc *regs = rv32 ? regs32 : regs64;

    if (!regs[0].name) {
        fill(regs, rv32 ? 32 : 64);
    }
    *n = N_REGS;
    if (!vcpu->softmmu) { /* only what U mode has */
        *n = 65 + 6;
    }
    return regs;
}

bool riscv_reg_read(Vcpu *vcpu, const RegDesc *reg, void *out)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t value = 0;

    if (reg->offset != UINT32_MAX) {
        memcpy(out, vcpu->state + reg->offset, reg->bits / 8);
        return true;
    }
    if (reg->number == GDB_PRIV) {
        value = s->priv;
    } else {
        uint8_t priv = s->priv; /* a debugger sees everything */
        s->priv = RISCV_M;
        bool ok = riscv_csr_read(vcpu, reg->number - GDB_CSR0, &value);
        s->priv = priv;
        if (!ok) {
            return false;
        }
    }
    memcpy(out, &value, reg->bits / 8);
    return true;
}

bool riscv_reg_write(Vcpu *vcpu, const RegDesc *reg, const void *in)
{
    RiscvState *s = riscv_state(vcpu);
    uint64_t value = 0;

    if (reg->offset != UINT32_MAX) {
        if (reg->number != 0) { /* x0 stays zero */
            memcpy(vcpu->state + reg->offset, in, reg->bits / 8);
        }
        return true;
    }
    memcpy(&value, in, reg->bits / 8);
    if (reg->number == GDB_PRIV) {
        if (!vcpu->softmmu || value == 2 || value > 3) {
            return false;
        }
        s->priv = (uint8_t)value;
        return true;
    }
    uint8_t priv = s->priv;
    s->priv = RISCV_M;
    bool ok = riscv_csr_write(vcpu, reg->number - GDB_CSR0, value);
    s->priv = priv;
    return ok;
}

void riscv_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    static const char *const names[] = { "sstatus", "stvec", "sepc", "scause", "stval", "satp", "mstatus", "mip",
                                         "mie", "mideleg", "medeleg", "mtvec", "mepc", "mcause", "mtval" };
    const RiscvState *s = riscv_state(vcpu);
    int w = riscv_model(vcpu)->xlen / 4;
    uint64_t mask = w == 16 ? UINT64_MAX : UINT32_MAX;
    size_t n;

    fprintf(out, " pc       %0*" PRIx64 "\n", w, s->pc);
    if (vcpu->softmmu) {
        const RegDesc *regs = riscv_regs(vcpu, &n);
        fprintf(out, " priv     %u\n mhartid  %0*" PRIx64 "\n", s->priv, w, s->hartid);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                uint64_t value = 0;
                if (!strcmp(regs[i].name, names[k]) && riscv_reg_read(vcpu, &regs[i], &value)) {
                    fprintf(out, " %-8s %0*" PRIx64 "\n", names[k], w, value);
                }
            }
        }
    }
    for (unsigned i = 0; i < 32; i++) {
        fprintf(out, " x%u/%s%*s %0*" PRIx64 "%s", i, riscv_x_names[i], (int)(i < 10 ? 5 : 4) - (int)strlen(riscv_x_names[i]),
                "", w, s->x[i] & mask, i % 4 == 3 ? "\n" : "");
    }
    if (log_items & LOG_FPU) {
        for (unsigned i = 0; i < 32; i++) {
            fprintf(out, " f%u/%s%*s %016" PRIx64 "%s", i, riscv_f_names[i],
                    (int)(i < 10 ? 5 : 4) - (int)strlen(riscv_f_names[i]), "", s->f[i], i % 4 == 3 ? "\n" : "");
        }
    }
}
