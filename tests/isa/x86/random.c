/*
 * random.c: random instructions from the tables on the host's processor and under the translator.
 *
 * usage: random [-u UNIT] [-m NAME] [-s SEED] [-n STREAMS] [-l LENGTH] [-3] [-4] [-i] [-o] [-v] [-x] [-a]
 *   -u  only rows of this unit (int x87 mmx sse avx); -m only this mnemonic; -l instructions of a stream, 1 by default
 *   -x  random SIMD exceptions are unmasked; -a memory operands of 16 bytes and more need not be aligned
 *   -3  32-bit code on the 32-bit target; -4: on the 64-bit one; -i IR interpreter; -o one instruction per unit; -v print all
 *
 * Memory operands point into the data area, except by accident. Undefined flags are followed through a stream and not compared, nor
 * used. Rows are left out that leave user mode, whose result is the machine's own (time, CPUID), or that the host lacks. Nor is compared what the
 * manuals leave to the processor: 16-bit SHLD and SHRD by more than 16, which NaN DPPS and DPPD give, registers of a gather that faulted,
 * PAUSE with REX.B.
 */
#include "x86test.h"
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BASE = X86T_DATA + 0x4000, MAX_STREAM = 32 };

static struct {
    uint64_t seed;
    bool code32, stream, unmasked, misaligned;
    const char *unit, *name;
    X86tState *state;
    uint8_t bytes[MAX_STREAM * 24];
    size_t n;
    uint32_t undefined;           /* X86_ROWFLAG_* */
    uint32_t undefined_at[MAX_STREAM * 24 + 2]; /* before the instruction at this offset */
    uint8_t insns_at[MAX_STREAM * 24 + 2];      /* how many instructions precede the one at this offset */
    uint8_t n_insns;
    bool gather_at[MAX_STREAM * 24 + 2];        /* the instruction at this offset is one */
    bool dot_product;
} g;

static uint64_t rnd(void)
{
    uint64_t z = (g.seed += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned upto(unsigned n) { return (unsigned)(rnd() % n); }

static uint64_t value(void)
{
    uint64_t v = rnd();
    switch (upto(8)) {
    case 0: return upto(4) - (uint64_t)2;
    case 1: return (uint64_t)1 << upto(64);
    case 2: return ((uint64_t)1 << upto(64)) - 1;
    case 3: return ~(uint64_t)0 << upto(64);
    case 4: return v & 0xff;
    case 5: return (uint64_t)(int64_t)(int8_t)v;
    case 6: return (uint32_t)v;
    }
    return v;
}

/* A lane that floating point finds interesting. */
static uint64_t fp_lane(bool dbl)
{
    static const uint32_t f32[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345,
        1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x5f000000, 0x3effffff, 0x3f000000, 0x40200000 };
    static const uint64_t f64[] = { 0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
        0x7ff8000000000000, 0x7ff0000000000001, 0xfff8123456789abc, 1, 0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
        0x41e0000000000000, 0xc1e0000000000000, 0x43e0000000000000, 0x3fdfffffffffffff, 0x3fe0000000000000, 0x4004000000000000 };
    uint64_t r = rnd();
    if (upto(3) == 0) {
        return dbl ? f64[r % ARRAY_SIZE(f64)] : f32[r % ARRAY_SIZE(f32)];
    }
    /* Exponents near one. */
    return dbl ? (r & 0x800fffffffffffff) | (uint64_t)(1023 - 8 + upto(16)) << 52
               : (r & 0x807fffff) | (uint32_t)(127 - 8 + upto(16)) << 23;
}

static void random_vec(uint8_t *out, unsigned n)
{
    unsigned how = upto(4);
    for (unsigned i = 0; i < n; i += 8) {
        stle64(out + i, how == 0 ? rnd() : how == 1 ? value() : how == 2 ? fp_lane(true) : fp_lane(false) | fp_lane(false) << 32);
    }
}

/* Registers of all classes, mostly not empty; any control word, mostly with all exceptions masked; none pending. */
static void random_x87(X86tState *s)
{
    static const uint16_t exponents[] = { 0, 1, 0x7fff, 0x7ffe, 0x3fff, 0x4000 };
    for (unsigned i = 0; i < 8; i++) {
        uint64_t m = value() | BIT(63);
        unsigned e = 16383 - 8 + upto(16);
        switch (upto(8)) {
        case 0: m = rnd() >> upto(64); e = 0; break;
        case 1: m = upto(2) ? BIT(63) : 0; e = exponents[upto(ARRAY_SIZE(exponents))]; break;
        case 2: e = exponents[upto(ARRAY_SIZE(exponents))]; break;
        case 3: e = upto(32768); break;
        case 4: m = rnd() & ~(uint64_t)0 << upto(64); break; /* also unnormal */
        }
        stle64(s->st[i], m);
        stle16(s->st[i] + 8, (uint16_t)(e | upto(2) << 15));
    }
    s->fcw = (uint16_t)(0x40 | (upto(8) ? 0x3f : upto(64)) | upto(16) << 8);
    s->fsw = (uint16_t)((rnd() & 0x7f7f) & ~(~s->fcw & 0x3fu));
    s->ftag = upto(4) ? (uint8_t)~BIT(upto(8)) : (uint8_t)rnd();
}

static void random_state(X86tState *s, uint8_t *data)
{
    x86t_initial(s);
    for (unsigned i = 0; i < 16; i++) {
        if (i != X86_RSP && (i < 8 || !g.code32)) {
            s->gpr[i] = value();
        }
        random_vec(s->ymm[i], x86t_host_has_avx() ? 32 : 16);
    }
    s->gpr[X86_RBX] = BASE;
    if (g.code32) {
        for (unsigned i = 0; i < 8; i++) {
            s->gpr[i] = (uint32_t)s->gpr[i];
        }
        for (unsigned i = 8; i < 16; i++) {
            memset(s->ymm[i], 0, 32);
        }
    }
    s->eflags = (uint32_t)rnd() & X86_ARITH_FLAGS;
    if (upto(4) == 0) {
        s->mxcsr = 0x1f80 | upto(4) << 13 | upto(64) | (upto(8) == 0) << 6 | (upto(8) == 0) << 15;
    }
    random_x87(s);
    for (unsigned i = 0x3e00; i < 0x4200; i += 32) {
        random_vec(data + i, 32);
    }
    for (unsigned i = 0x7f00; i < 0x8100; i += 8) {
        stle64(data + i, value());
    }
}

static void put8(uint64_t v) { g.bytes[g.n++] = (uint8_t)v; }

static bool host_has(unsigned feature)
{
    static const struct { uint8_t word; uint32_t leaf, sub; uint8_t reg; } words[] = {
        { X86_WORD_1_EDX, 1, 0, 3 }, { X86_WORD_1_ECX, 1, 0, 2 }, { X86_WORD_7_0_EBX, 7, 0, 1 }, { X86_WORD_7_0_ECX, 7, 0, 2 },
        { X86_WORD_7_0_EDX, 7, 0, 3 }, { X86_WORD_7_1_EAX, 7, 1, 0 }, { X86_WORD_8000_0001_EDX, 0x80000001, 0, 3 },
        { X86_WORD_8000_0001_ECX, 0x80000001, 0, 2 }, { X86_WORD_D_1_EAX, 13, 1, 0 }, { X86_WORD_8000_0008_EBX, 0x80000008, 0, 1 },
    };
    if (feature == X86_FEAT_NONE) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        unsigned r[4];
        if (words[i].word == feature / 32) {
            return __get_cpuid_count(words[i].leaf, words[i].sub, &r[0], &r[1], &r[2], &r[3]) && (r[words[i].reg] >> feature % 32 & 1);
        }
    }
    return false;
}

/* Names of rows that cannot be compared this way. */
static bool left_out(const X86Row *row)
{
    static const char *const names[] = { "syscall", "sysenter", "int", "int1", "int3", "icebp", "into", "hlt", "cpuid", "rdtsc", "rdtscp", "rdrand",
        "rdseed", "rdpid", "rdpmc", "xgetbv", "sgdt", "sidt", "sldt", "str", "smsw", "ret", "retf", "iret/iretd/iretq", "jmp", "call", "lar", "lsl", "verr", "verw", "wrfsbase",
        "wrgsbase", "rdfsbase", "rdgsbase", "in", "out", "bound", "pushf", "popf", "pushf/pushfd/pushfq", "popf/popfd/popfq", "xabort", "xbegin", "xend", "xtest",
        "ldmxcsr", "vldmxcsr", "fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec", "fldenv", "frstor", "std", "sti", "cli",
        "lds", "les", "lss", "lfs", "lgs", "monitor", "mwait", "clzero", "arpl", "jecxz", "enter", "vzeroall", "leave", "fnstenv", "fnsave", "rdpkru", "wrpkru", "push", "pop",
        "popa/popad", "pusha/pushad" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(row->name, names[i]) && !(g.name && !strcmp(g.name, names[i]))) {
            return true;
        }
    }
    return row->kind == SCAN_STOP || row->kind == SCAN_INDIRECT || row->kind == SCAN_JUMP || row->kind == SCAN_CALL;
}

static bool uses(const X86Row *row, unsigned spec)
{
    for (unsigned i = 0; i < row->n_ops; i++) {
        if (row->op[i].spec == spec) {
            return true;
        }
    }
    return false;
}

static bool is_row_usable(const X86Row *row)
{
    static const char *const units[] = { "int", "x87", "mmx", "sse", "avx", "simd" };
    if ((g.unit && strcmp(g.unit, units[row->unit])) || (g.name && strcmp(g.name, row->name)) || left_out(row) ||
        row->enc == X86_ENC_EVEX || row->attrs & (g.code32 ? X86_ATTR_ROW_O64 : X86_ATTR_ROW_I64)) {
        return false;
    }
    /* Whether MMX state is entered before an unmasked exception, and whether SHA's operands must be aligned, processors do not agree on. */
    if ((g.unmasked && (uses(row, X86_SPEC_P) || uses(row, X86_SPEC_Q))) || (g.misaligned && !strncmp(row->name, "sha", 3))) {
        return false;
    }
    if (uses(row, X86_SPEC_C) || uses(row, X86_SPEC_D) || uses(row, X86_SPEC_S) || uses(row, X86_SPEC_A) || uses(row, X86_SPEC_FIXED_SEG)) {
        return false;
    }
    /* SHA with misaligned memory: #GP by the manual (SDM volume 2, exceptions type 4), AMD's processors take it. */
    if (!strncmp(row->name, "sha", 3) && g.misaligned) {
        return false;
    }
    bool any = false;
    for (unsigned i = 0; i < ARRAY_SIZE(row->feature); i++) {
        bool has = host_has(row->feature[i]) && x86_model_has(x86_model(x86t_vcpu()), row->feature[i]);
        if (row->any_feature) {
            any |= has && row->feature[i] != X86_FEAT_NONE;
        } else if (!has) {
            return false;
        }
    }
    if (row->any_feature && !any) {
        return false;
    }
    return !row->enc || x86t_host_has_avx();
}

/* ModRM and what follows; a memory operand lies in the data area. Returns prefix 67 wanted etc. through the arguments. */
static void put_modrm(const X86Row *row, bool mem, unsigned reg, unsigned rm, unsigned base_kind, int disp, unsigned scale, size_t imm_bytes)
{
    reg = row->reg >= 0 ? (unsigned)row->reg : reg & 7;
    if (!mem) {
        put8(0xc0 | reg << 3 | (row->rm >= 0 ? (unsigned)row->rm : rm & 7));
        return;
    }
    switch (base_kind) {
    case 0:   /* [rbx + disp8] */
        put8(0x40 | reg << 3 | 3);
        put8((unsigned)disp & 0xff);
        break;
    case 1:   /* [rbx + disp32] */
        put8(0x80 | reg << 3 | 3);
        stle32(g.bytes + g.n, (uint32_t)disp);
        g.n += 4;
        break;
    case 2:   /* absolute in 32-bit code, relative to rip in 64-bit code */
        put8(reg << 3 | 5);
        stle32(g.bytes + g.n, BASE + (uint32_t)disp - (g.code32 ? 0 : X86T_CODE + (uint32_t)g.n + 4 + (uint32_t)imm_bytes));
        g.n += 4;
        break;
    case 3:   /* [disp32] by SIB */
        put8(reg << 3 | 4);
        put8(0x25);
        stle32(g.bytes + g.n, BASE + (uint32_t)disp);
        g.n += 4;
        break;
    default:  /* [rsp + disp8], [rbx + rbx * scale…] would leave the area: no index but with scale of none */
        put8(0x40 | reg << 3 | 4);
        put8(scale << 6 | 0x20 | 3);
        put8((unsigned)disp & 0xff);
        break;
    }
}

static unsigned imm_bytes_of(const X86Row *row, bool small, bool w, unsigned addr)
{
    unsigned n = 0, opsize = !g.code32 && (w || row->attrs & X86_ATTR_ROW_F64) ? 8
                                 : small ? 2 : !g.code32 && row->attrs & X86_ATTR_ROW_D64 ? 8 : 4;
    for (unsigned i = 0; i < row->n_ops; i++) {
        const X86OpSpec *o = &row->op[i];
        if (o->spec == X86_SPEC_I || o->spec == X86_SPEC_J) {
            n += o->size == X86_SIZE_B || o->size == X86_SIZE_BS ? 1 : o->size == X86_SIZE_W ? 2
                 : o->size == X86_SIZE_Z ? (opsize == 2 ? 2 : 4) : o->size == X86_SIZE_V ? opsize : 4;
        } else if (o->spec == X86_SPEC_L) {
            n++;
        } else if (o->spec == X86_SPEC_O) {
            n += addr;
        }
    }
    return n;
}

/* Appends one instruction; false: this one will not do, nothing is appended. */
static bool put_insn(const X86Row *row)
{
    size_t start = g.n;
    bool vex = row->enc == X86_ENC_VEX;
    bool mem = row->mod & 1 && (!(row->mod & 2) || upto(2)), string = uses(row, X86_SPEC_X) || uses(row, X86_SPEC_Y) || strstr(row->name, "maskmovq") || strstr(row->name, "maskmovdqu");
    unsigned pp = X86_PP_NONE, options = 0, list[4];
    bool w = row->w == 2 || (row->w == 3 && upto(3) == 0);
    unsigned reg = upto(16), rm = upto(16), low = upto(16);

    if (row->flags.tested & g.undefined) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        /* F2 and F3 mean something only where the row says so (XACQUIRE, BND and others aside). */
        if (row->pp >> i & 1 && (row->pp != 15 || i < 2 || row->attrs & X86_ATTR_ROW_REP)) {
            list[options++] = i;
        }
    }
    pp = list[upto(options)];
    if (row->pp == 15 && pp == X86_PP_66 && (upto(2) || row->kind == SCAN_BRANCH)) {
        pp = X86_PP_NONE;
    }
    bool small = pp == X86_PP_66 && row->pp & 1;
    if (pp >= X86_PP_F3 && row->map && row->unit == X86_UNIT_INT && upto(3) == 0) {
        small = true; /* crc32, popcnt… with 16 bits */
    }
    if (g.code32) {
        reg &= 7;
        rm &= 7;
        low &= 7;
        w = vex && w && row->w == 2;
        if (row->w == 2 && !vex) {
            return false;
        }
    }
    bool rex = !g.code32 && (w || reg > 7 || rm > 7 || low > 7 || upto(3) == 0);
    if (!row->mod) {
        reg = 0;
        rm = row->attrs && low > 7 ? low : low;
    }
    unsigned imm_n = imm_bytes_of(row, small, w, g.code32 ? 4 : 8);
    unsigned base_kind = upto(5);
    int disp = (int)upto(128) - 64;
    if (base_kind == 1) {
        disp = (int)upto(512) - 256;
    }
    if (mem) {
        if (g.misaligned) {
            disp &= upto(2) ? ~15 : -1;
        } else if (row->op[0].size == X86_SIZE_DQ || row->op[0].size == X86_SIZE_X || upto(2)) {
            disp &= ~31;
        }
        rm = 0;
    }
    if (vex) {
        unsigned l = row->l == 2 ? 1 : row->l & 2 ? upto(2) : 0;
        unsigned map = row->map, vvvv = uses(row, X86_SPEC_H) || uses(row, X86_SPEC_B) ? upto(g.code32 ? 8 : 16) : 0;
        unsigned r = row->reg >= 0 ? 0 : reg >> 3, b = mem ? 0 : rm >> 3;
        if (uses(row, X86_SPEC_B) && (vvvv == X86_RBX || vvvv == X86_RSP)) {
            return false;
        }
        if (map == 1 && !b && !w && upto(2)) {
            put8(0xc5);
            put8((r ? 0 : 0x80) | (~vvvv & 15) << 3 | l << 2 | pp);
        } else {
            put8(0xc4);
            put8((r ? 0 : 0x80) | 0x40 | (b ? 0 : 0x20) | map);
            put8((unsigned)w << 7 | (~vvvv & 15) << 3 | l << 2 | pp);
        }
        put8(row->opcode);
    } else {
        if (row->attrs & X86_ATTR_ROW_LOCK && mem && upto(6) == 0) {
            put8(0xf0);
        }
        if (pp == X86_PP_66 || small) {
            put8(0x66);
        }
        if (pp >= X86_PP_F3) {
            put8(pp == X86_PP_F3 ? 0xf3 : 0xf2);
        }
        if (rex) {
            unsigned b = row->mod ? (mem ? 0 : rm >> 3) : low >> 3;
            put8(0x40 | (unsigned)w << 3 | (row->reg >= 0 || !row->mod ? 0 : reg >> 3) << 2 | b);
        }
        if (row->map) {
            put8(0x0f);
            if (row->map > 1) {
                put8(row->map == 2 ? 0x38 : 0x3a);
            }
        }
        bool plus_r = uses(row, X86_SPEC_Z);
        put8(row->opcode | (plus_r ? low & 7 : 0));
    }
    if (row->mod) {
        put_modrm(row, mem, reg, rm, base_kind, disp, upto(1), imm_n);
    }
    if (row->kind == SCAN_BRANCH) {
        if (small) {
            g.n = start;
            return false;
        }
        put8(3);
        for (unsigned i = 1; i < imm_n; i++) {
            put8(0);
        }
        put8(0xf6); /* not byte [rbx + disp8]: seen when the branch is not taken */
        put8(0x53);
        put8(upto(100));
    } else if (uses(row, X86_SPEC_O)) {
        uint64_t addr = BASE + upto(256);
        for (unsigned i = 0; i < imm_n; i++) {
            put8(addr >> (8 * i));
        }
    } else {
        uint64_t v = value();
        for (unsigned i = 0; i < imm_n; i++) {
            put8(v >> (8 * i));
        }
    }
    X86Insn in;
    uint8_t *at = g.bytes + start;
    if (x86_decode(x86_model(x86t_vcpu()), g.code32 ? X86_CODE_32 : X86_CODE_64, X86T_CODE + start, at, g.n - start, &in) != X86_DECODE_OK ||
        in.row != row) {
        g.n = start;
        return false;
    }
    /* Registers that later instructions rely on stay. */
    for (unsigned i = 0; i < in.n_ops; i++) {
        if (in.op[i].kind == X86_OP_REG && (in.op[i].reg == X86_RBX || in.op[i].reg == X86_RSP) && !in.op[i].high) {
            g.n = start;
            return false;
        }
        if (in.op[i].kind == X86_OP_REG && in.op[i].high && in.op[i].reg == X86_RBX) {
            g.n = start;
            return false;
        }
    }
    if (strstr(row->name, "maskmovdqu")) {
        g.state->gpr[X86_RDI] = BASE + upto(64);
    }
    if (string && !g.stream) {
        g.state->gpr[X86_RSI] = BASE + upto(64);
        g.state->gpr[X86_RDI] = BASE + 256 + upto(64);
        g.state->gpr[X86_RCX] = upto(4) == 0 ? upto(4) : upto(40);
        if (upto(3) == 0) {
            g.state->eflags |= X86_DF;
        }
    } else if (string) {
        g.n = start;
        return false;
    }
    bool maybe = !strncmp(row->name, "sh", 2) || !strncmp(row->name, "sa", 2) || !strncmp(row->name, "ro", 2) || !strncmp(row->name, "rc", 2);
    if (small && (!strcmp(row->name, "shld") || !strcmp(row->name, "shrd"))) { /* no counts above the size */
        if (row->op[2].spec == X86_SPEC_I) {
            g.bytes[g.n - 1] &= (uint8_t)~0x10;
        } else if (g.stream) {
            g.n = start;
            return false;
        } else {
            g.state->gpr[X86_RCX] &= ~(uint64_t)0x10;
        }
    }
    if (!strcmp(row->name, "pause") && g.n - start > 2) { /* with REX.B some exchange r8 and rax */
        g.n = start;
        return false;
    }
    if (strstr(row->name, "dpps") || strstr(row->name, "dppd")) {
        if (g.stream) { /* where NaNs would go on */
            g.n = start;
            return false;
        }
        g.dot_product = true;
    }
    g.gather_at[start] = strstr(row->name, "gather") != NULL;
    g.undefined_at[start] = g.undefined;
    g.undefined |= row->flags.undefined;
    if (!maybe && !string) { /* counts of 0 leave flags as they were */
        g.undefined &= ~(uint32_t)(row->flags.written & ~row->flags.undefined);
    }
    return true;
}

static uint32_t eflags_of(uint32_t rowflags)
{
    static const uint32_t bits[] = { X86_OF, X86_SF, X86_ZF, X86_AF, X86_PF, X86_CF };
    uint32_t e = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
        e |= rowflags >> i & 1 ? bits[i] : 0;
    }
    return e;
}

/* Takes the host's NaN for ours, lane by lane. */
static void accept_nans(X86tState *ours, const X86tState *host)
{
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned k = 0; k < 32; k += 4) {
            if (ldle32(ours->ymm[i] + k) << 1 > 0xff000000u && ldle32(host->ymm[i] + k) << 1 > 0xff000000u) {
                memcpy(ours->ymm[i] + k, host->ymm[i] + k, 4);
            }
        }
        for (unsigned k = 0; k < 32; k += 8) {
            const uint64_t infinity = (uint64_t)0xffe << 52;
            if (ldle64(ours->ymm[i] + k) << 1 > infinity && ldle64(host->ymm[i] + k) << 1 > infinity) {
                memcpy(ours->ymm[i] + k, host->ymm[i] + k, 8);
            }
        }
    }
}

static void show(void)
{
    for (size_t at = 0; at < g.n;) {
        char text[100];
        size_t n = x86_disas(X86T_CODE + at, g.bytes + at, g.n - at, (uint64_t)(g.code32 ? X86_CODE_32 : X86_CODE_64) << X86_MODE_CODE,
                             text, sizeof(text));
        printf("  %08zx  ", X86T_CODE + at);
        for (size_t i = 0; i < n && at + i < g.n; i++) {
            printf("%02x", g.bytes[at + i]);
        }
        printf("  %s\n", text);
        at += n;
    }
}

int main(int argc, char **argv)
{
    X86tOptions options = { 0 };
    uint64_t seed = 1, n_streams = 1000;
    unsigned length = 1;
    bool verbose = false;
    int opt;

    while ((opt = getopt(argc, argv, "u:m:s:n:l:34iovc:xa")) != -1) {
        switch (opt) {
        case 'u': g.unit = optarg; break;
        case 'm': g.name = optarg; break;
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'n': n_streams = strtoull(optarg, NULL, 0); break;
        case 'l': length = (unsigned)MIN(strtoul(optarg, NULL, 0), MAX_STREAM - 1); break;
        case '3': g.code32 = options.i386 = true; break;
        case '4': g.code32 = true; break;
        case 'i': options.interpreter = true; break;
        case 'o': options.one_insn = true; break;
        case 'v': verbose = true; break;
        case 'x': g.unmasked = true; break;
        case 'a': g.misaligned = true; break;
        case 'c': options.cpu = optarg; break;
        default: return 2;
        }
    }
    if (!x86t_init(&options)) {
        return 77;
    }
    static uint16_t rows[X86_N_ROWS];
    unsigned n_rows = 0, failures = 0;
    uint64_t executed = 0;
    for (unsigned i = 0; i < X86_N_ROWS; i++) {
        if (is_row_usable(&x86_rows[i])) {
            rows[n_rows++] = (uint16_t)i;
        }
    }
    if (!n_rows) {
        printf("no rows\n");
        return 77;
    }
    static uint8_t before[X86T_DATA_BYTES], native[X86T_DATA_BYTES], emulated[X86T_DATA_BYTES];
    g.stream = length > 1;
    for (uint64_t stream = 0; stream < n_streams && failures < 10; stream++) {
        X86tRun a, b;
        g.seed = (seed + stream) * 0x2545f4914f6cdd1d;
        g.n = 0;
        g.n_insns = 0;
        g.undefined = 0;
        g.dot_product = false;
        random_state(&a.state, before);
        if (g.unmasked) {
            a.state.mxcsr = (a.state.mxcsr & ~0x1fbfu) | ((uint32_t)rnd() & 0x1f80);
        }
        g.state = &a.state;
        for (unsigned i = 0; i < length;) {
            unsigned which = g.stream ? upto(n_rows) : (unsigned)((stream + upto(2)) % n_rows);
            size_t at = g.n;
            if (put_insn(&x86_rows[rows[which]])) {
                g.insns_at[at] = g.n_insns++;
                i++;
            } else {
                i += upto(50) == 0;
            }
        }
        g.undefined_at[g.n] = g.undefined;
        g.insns_at[g.n] = g.n_insns;
        put8(0x0f);
        put8(0x0b);
        a.code = g.code32 ? X86_CODE_32 : X86_CODE_64;
        a.bytes = g.bytes;
        a.n_bytes = g.n;
        b = a;
        a.data = native;
        b.data = emulated;
        memcpy(native, before, sizeof(before));
        memcpy(emulated, before, sizeof(before));
        X86tState first = a.state;
        x86t_native(&a);
        x86t_emulated(&b);
        char text[4000];
        if (a.state.pc - X86T_CODE < g.n) {
            g.undefined = g.undefined_at[a.state.pc - X86T_CODE];
        }
        /* The one that raises an exception was executed, too; the final UD2 is none of ours. */
        size_t stop = a.state.pc - X86T_CODE;
        executed += stop >= g.n ? g.n_insns : g.insns_at[stop] + 1u;
        X86tMask mask = { .eflags = (X86_ARITH_FLAGS | X86_DF) & ~eflags_of(g.undefined), .x87 = true, .fsw = 0xffff, .mxcsr = ~0u };
        if (a.state.mxcsr & 0x18 & ~(a.state.mxcsr >> 7)) {
            mask.mxcsr &= ~0x20u; /* helper-sse.c: PE with an unmasked overflow or underflow */
        }
        if (g.dot_product) {
            accept_nans(&b.state, &a.state);
        }
        if (stop < g.n && a.state.vector != X86_EXC_UD && g.gather_at[stop]) {
            memcpy(b.state.ymm, a.state.ymm, sizeof(b.state.ymm));
        }
        x86t_diff(&a, &b, &mask, text, sizeof(text));
        if (text[0] || verbose) {
            printf("%sstream seed %" PRIu64 ":\n", text[0] ? "FAILED " : "", seed + stream);
            show();
            if (text[0]) {
                printf("    before     eflags %03x mxcsr %x", first.eflags, first.mxcsr);
                for (unsigned i = 0; i < 16; i++) {
                    printf("%s%016" PRIx64, i % 4 ? " " : "\n    ", first.gpr[i]);
                }
                printf("\n%s", text);
                failures++;
            }
        }
    }
    printf("%u rows, %" PRIu64 " instructions executed, %u failures\n", n_rows, executed, failures);
    return failures != 0;
}
