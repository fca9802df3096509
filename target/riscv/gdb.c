/*
 * gdb.c: registers as gdb and the monitor see them: x0..x31, pc, f0..f31 and the CSRs that exist, numbered as in
 * gdb's org.gnu.gdb.riscv.* features (x 0-31, pc 32, f 33-64, CSR 65 + number, priv 65 + 4096, v after it).
 */
#include <stdio.h>
#include "target/riscv/cpu.h"
#include "util/log.h"

enum { GDB_PC = 32, GDB_F0 = 33, GDB_CSR0 = 65, GDB_PRIV = 65 + 4096, GDB_V0 = GDB_PRIV + 1, N_USER_CSRS = 6 };

static const uint16_t shown_csrs[] = {
    0x001, 0x002, 0x003, 0xc00, 0xc01, 0xc02,
    0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180,
    0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344,
    0x3a0, 0x3a2, 0x3b0, 0x3b1, 0x3b2, 0x3b3, 0x3b4, 0x3b5, 0x3b6, 0x3b7,
    0x7a0, 0x7a1, 0x7a2, 0x7a3, 0x7a4, 0xb00, 0xb02, 0xf11, 0xf12, 0xf13, 0xf14,
};

static const struct { const char *name; uint16_t csr; } vector_csrs[] = {
    { "vstart", 0x008 }, { "vxsat", 0x009 }, { "vxrm", 0x00a }, { "vcsr", 0x00f }, { "vl", 0xc20 }, { "vtype", 0xc21 },
    { "vlenb", 0xc22 },
};

static const char *const v_names[32] = {
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",
};

enum { N_REGS = 32 + 1 + 32 + ARRAY_SIZE(shown_csrs) + 1 + ARRAY_SIZE(vector_csrs) + 32 };

typedef struct RegTable {
    RegDesc regs[N_REGS];
    unsigned n;
} RegTable;

/* vlen_bits: 0 without vectors. user: only what U mode has. A group's registers stand together. */
static void fill(RegTable *table, unsigned bits, unsigned vlen_bits, bool user)
{
    RegDesc *regs = table->regs;
    static const char *const csr_names[ARRAY_SIZE(shown_csrs)] = {
        "fflags", "frm", "fcsr", "cycle", "time", "instret",
        "sstatus", "sie", "stvec", "scounteren", "senvcfg", "sscratch", "sepc", "scause", "stval", "sip", "stimecmp",
        "satp", "mstatus", "misa", "medeleg", "mideleg", "mie", "mtvec", "mcounteren", "menvcfg", "mcountinhibit",
        "mscratch", "mepc", "mcause", "mtval", "mip", "pmpcfg0", "pmpcfg2", "pmpaddr0", "pmpaddr1", "pmpaddr2",
        "pmpaddr3", "pmpaddr4", "pmpaddr5", "pmpaddr6", "pmpaddr7", "tselect", "tdata1", "tdata2", "tdata3", "tinfo", "mcycle", "minstret", "mvendorid", "marchid",
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
    for (unsigned i = 0; i < (user ? N_USER_CSRS : ARRAY_SIZE(shown_csrs)); i++) {
        regs[n++] = (RegDesc){ csr_names[i], "csr", UINT32_MAX, bits, GDB_CSR0 + shown_csrs[i], "int" };
    }
    for (unsigned i = 0; vlen_bits && i < ARRAY_SIZE(vector_csrs); i++) {
        regs[n++] = (RegDesc){ vector_csrs[i].name, "csr", UINT32_MAX, bits, GDB_CSR0 + vector_csrs[i].csr, "int" };
    }
    if (!user) {
        regs[n++] = (RegDesc){ "priv", "virtual", UINT32_MAX, bits, GDB_PRIV, "int" };
    }
    for (unsigned i = 0; vlen_bits && i < 32; i++) {
        regs[n++] = (RegDesc){ v_names[i], "vector", offsetof(RiscvState, vector.v) + i * vlen_bits / 8,
                               (uint16_t)vlen_bits, GDB_V0 + i, "vector" };
    }
    table->n = n;
}

const char *riscv_gdb_feature(const char *group)
{
    static const char *const names[][2] = {
        { "general", "org.gnu.gdb.riscv.cpu" }, { "float", "org.gnu.gdb.riscv.fpu" },
        { "csr", "org.gnu.gdb.riscv.csr" }, { "virtual", "org.gnu.gdb.riscv.virtual" }, { "vector", "org.gnu.gdb.riscv.vector" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(group, names[i][0])) {
            return names[i][1];
        }
    }
    return NULL;
}

const RegDesc *riscv_regs(const Vcpu *vcpu, size_t *n)
{
    static RegTable tables[2][2][2]; /* all harts of a program have one VLEN */
    const RiscvModel *m = riscv_model(vcpu);
    bool vectors = m->ext[RISCV_EXT_Zve32x];
    RegTable *table = &tables[m->xlen == 64][vectors][!vcpu->softmmu];

    if (!table->n) {
        fill(table, m->xlen, vectors ? m->vlen_bits : 0, !vcpu->softmmu);
    }
    *n = table->n;
    return table->regs;
}

/* A debugger sees everything: as M mode, and what is off (FS, VS) too. */
static bool csr_access(Vcpu *vcpu, unsigned csr, uint64_t *value, bool write)
{
    enum { VECTOR_FIRST = 0xc20, VECTOR_LAST = 0xc22 };
    RiscvState *s = riscv_state(vcpu);
    uint8_t priv = s->priv;
    uint64_t mstatus = s->mstatus;
    bool unit = csr < 0x100 || (csr >= VECTOR_FIRST && csr <= VECTOR_LAST);

    s->priv = RISCV_M;
    s->mstatus |= unit ? MSTATUS_FS | MSTATUS_VS : 0;
    bool ok = write ? riscv_csr_write(vcpu, csr, *value) : riscv_csr_read(vcpu, csr, value);
    s->priv = priv;
    s->mstatus = unit ? mstatus : s->mstatus;
    return ok;
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
    } else if (!csr_access(vcpu, reg->number - GDB_CSR0, &value, false)) {
        return false;
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
    return csr_access(vcpu, reg->number - GDB_CSR0, &value, true);
}

static void dump_csr(Vcpu *vcpu, FILE *out, unsigned csr)
{
    uint64_t value;
    const char *name = riscv_csr_name(csr);
    if (name && csr_access(vcpu, csr, &value, false)) {
        fprintf(out, " %-13s %0*" PRIx64 "\n", name, riscv_model(vcpu)->xlen / 4, value);
    }
}

/* Every register that exists, as M mode sees it, by number. Vector registers and the one whose reading has an effect are left out. */
static void dump_csrs(Vcpu *vcpu, FILE *out)
{
    enum { FIRST = 0x100, N_CSRS = 0x1000, FIRST_VECTOR = 0xc20, LAST_VECTOR = 0xc22 };

    for (unsigned csr = FIRST; csr < N_CSRS; csr++) {
        if (csr < FIRST_VECTOR || csr > LAST_VECTOR) {
            dump_csr(vcpu, out, csr);
        }
    }
}

void riscv_dump(Vcpu *vcpu, FILE *out, unsigned log_items)
{
    const RiscvState *s = riscv_state(vcpu);
    int w = riscv_model(vcpu)->xlen / 4;
    uint64_t mask = w == 16 ? UINT64_MAX : UINT32_MAX;

    if (vcpu->softmmu) {
        fprintf(out, " %-13s %c\n", "priv", "US?M"[s->priv & 3]);
    }
    fprintf(out, " %-13s %0*" PRIx64 "\n", "pc", w, s->pc);
    if (vcpu->softmmu) {
        dump_csrs(vcpu, out);
    }
    for (unsigned i = 0; i < 32; i++) {
        fprintf(out, " x%u/%s%*s %0*" PRIx64 "%s", i, riscv_x_names[i], (int)(i < 10 ? 5 : 4) - (int)strlen(riscv_x_names[i]),
                "", w, s->x[i] & mask, i % 4 == 3 ? "\n" : "");
    }
    if (log_items & LOG_FPU) {
        for (unsigned csr = 1; csr <= 3; csr++) {
            dump_csr(vcpu, out, csr);
        }
        for (unsigned i = 0; i < 32; i++) {
            fprintf(out, " f%u/%s%*s %016" PRIx64 "%s", i, riscv_f_names[i],
                    (int)(i < 10 ? 5 : 4) - (int)strlen(riscv_f_names[i]), "", s->f[i], i % 4 == 3 ? "\n" : "");
        }
    }
}
