/*
 * cross.c: random vector instructions on random state. Compiled for RISC-V it runs them and prints what they did;
 * compiled for the host it runs target/riscv/vector on the same sequence and compares with that.
 *
 * usage (RISC-V): cross records|digest CASES SEED [KINDS]  > file
 *        (host):  cross records|digest CASES SEED [KINDS]  < file
 * records: the whole state after each case. digest: one line of text for each 500 cases, small enough to be kept
 * as golden-*.txt. KINDS: letters of kinds[], default all.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fpu/operands.h"

enum { MAX_VLENB = 128, MEMORY_BYTES = 16384, N_KINDS = 10 };
#define MEMORY_BASE 0x20000000u

/* Offsets are known to the assembly below. */
typedef struct Case {
    uint8_t *v;                                        /* 0 */
    uint64_t vtype, avl, vstart, vxrm, frm, x, y, f;   /* 8..64 */
    uint32_t *code;                                    /* 72 */
    uint64_t vl_out, vstart_out, vtype_out, x_out, f_out, fflags, vxsat; /* 80..128 */
    uint64_t trap;
    uint32_t insn;
} Case;

typedef struct Record {
    uint64_t vl, vstart, vtype, x, f, fflags, vxsat, trap, memory;
} Record;

static bool digest;
static long case_number;
static uint64_t digest_state;
static uint8_t v[32 * MAX_VLENB] __attribute__((aligned(64)));
static unsigned vlenb;
static uint8_t *memory;

static uint64_t pick(uint64_t n)
{
    return operand_random() % n;
}

static void random_bytes(uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t w, style = pick(8);
        switch (style) {
        case 0:
            w = operand_f64();
            break;
        case 1:
            w = operand_f32();
            w |= (uint64_t)operand_f32() << 32;
            break;
        case 2:
        case 3:
            w = 0;
            for (int k = 0; k < 4; k++) {
                w = w << 16 | operand_f16();
            }
            break;
        case 4:
            w = operand_int();
            break;
        case 5: /* small numbers of every width: indices, shift counts */
            w = operand_random() & 0x1f1f1f1f1f1f1f1f;
            w &= pick(2) ? 0x00ff00ff00ff00ff : pick(2) ? 0x000000ff000000ff : 0xff;
            break;
        default:
            w = operand_random();
            break;
        }
        memcpy(at + i, &w, 8);
    }
}

/* Register number, usually aligned for groups of 2^lmul. */
static uint32_t reg(int lmul)
{
    uint32_t r = (uint32_t)pick(32);
    if (pick(16) && lmul > 0) {
        r &= ~((1u << lmul) - 1);
    }
    return r;
}

static uint32_t arith(unsigned funct3, unsigned funct6, unsigned vm, unsigned vs2, unsigned vs1, unsigned vd)
{
    return funct6 << 26 | vm << 25 | vs2 << 20 | vs1 << 15 | funct3 << 12 | vd << 7 | 0x57;
}

static const char kinds[N_KINDS + 1] = "iuwmfcplsk";

/*
 * Kinds: k cryptography, i integer and fixed point, u unary and moves, w widening and narrowing, m mask and reductions,
 * f floating point, c conversions, p permutations, l loads, s stores.
 */
static void make(Case *c, const char *filter)
{
    int sew = (int)pick(4), lmul;
    char kind;

    do {
        kind = kinds[pick(N_KINDS)];
    } while (filter && !strchr(filter, kind));
    if (strchr("fc", kind) && pick(8)) {
        sew = 1 + (int)pick(3);
    }
    do {
        lmul = (int)pick(7) - 3;
    } while (lmul < 0 && sew - lmul > 3 && pick(32));
    c->vtype = (uint64_t)(lmul & 7) | (uint64_t)sew << 3 | pick(4) << 6;
    uint64_t vlmax = (lmul < 0 ? vlenb >> -lmul : vlenb << lmul) >> sew;
    c->avl = pick(4) ? pick(vlmax + 2) : vlmax;
    /* Not beyond vl: the reference asserts. */
    c->vstart = pick(12) || !vlmax ? 0 : pick(c->avl < vlmax ? c->avl + 1 : vlmax);
    c->vxrm = pick(4);
    c->frm = pick(5);
    c->x = pick(3) ? operand_int() : pick(2) ? pick(vlmax + 4) : operand_f32();
    c->y = operand_int();
    c->f = pick(4) == 0 ? operand_f64() : pick(2) ? 0xffffffff00000000u | operand_f32()
                                                  : 0xffffffffffff0000u | operand_f16();
    random_bytes(v, 32 * vlenb);

    /* One draw per statement: the order of evaluation must not depend on the compiler. */
    unsigned vm = (unsigned)pick(2), funct3, funct6;
    uint32_t vd = reg(lmul);
    uint32_t vs1 = reg(lmul);
    uint32_t vs2 = reg(lmul);
    uint32_t any_vd = (uint32_t)pick(32);
    uint32_t any_vs1 = (uint32_t)pick(32);
    uint32_t any_vs2 = (uint32_t)pick(32);
    uint64_t draw = pick(1 << 16);
    switch (kind) {
    case 'i':
        funct3 = (unsigned[]){ 0, 2, 3, 4, 6 }[pick(5)];
        funct6 = (funct3 & 3) == 2 ? 8 + (unsigned)pick(40) : (unsigned)pick(44);
        if (funct3 == 3 || (funct3 & 4)) {
            vs1 = funct3 == 3 ? (uint32_t)pick(32) : 10;
        }
        if ((funct3 & 3) == 2 && funct6 >= 0x10 && funct6 < 0x18) {
            funct6 += 16;
        }
        c->insn = arith(funct3, funct6, vm, vs2, vs1, vd);
        break;
    case 'u':
        funct6 = 0x12;
        vs1 = (uint32_t)pick(16);
        if (vs1 < 8) {
            vs2 = reg(lmul - 4 + (int)(vs1 >> 1));
        }
        funct3 = 2;
        if (pick(3) == 0) {
            funct6 = 0x10;
            vs1 = (uint32_t[]){ 0, 16, 17 }[pick(3)];
            vd = 12;
            if (pick(3) == 0) {
                funct3 = 6;
                vs1 = 10;
                vs2 = 0;
                vd = (uint32_t)pick(32);
            } else if (vs1 == 0) {
                vm = 1;
            }
            vm |= funct3 == 6;
        }
        c->insn = arith(funct3, funct6, vm, vs2, vs1, vd);
        break;
    case 'w':
        if (pick(2)) {
            funct3 = pick(2) ? 2 : 6;
            funct6 = 0x30 + (unsigned)pick(16);
            vd = reg(lmul + 1);
            if (funct6 >= 0x34 && funct6 < 0x38) {
                vs2 = reg(lmul + 1);
            }
        } else {
            funct3 = (unsigned[]){ 0, 3, 4 }[pick(3)];
            funct6 = (unsigned[]){ 0x2c, 0x2d, 0x2e, 0x2f, 0x35 }[pick(5)];
            vs2 = reg(lmul + 1);
        }
        if (funct3 >= 3) {
            vs1 = funct3 == 3 ? (uint32_t)pick(32) : 10;
        }
        c->insn = arith(funct3, funct6, vm, vs2, vs1, vd);
        break;
    case 'm':
        switch (draw & 3) {
        case 0:
            c->insn = arith(2, 0x18 + (draw >> 2 & 7), (draw >> 5 & 15) != 0, any_vs2, any_vs1, any_vd);
            break;
        case 1:
            vs1 = (uint32_t[]){ 1, 2, 3, 16, 17 }[(draw >> 2) % 5];
            c->insn = arith(2, 0x14, vm, vs1 == 17 ? 0 : any_vs2, vs1, vs1 < 16 ? any_vd : vd);
            break;
        case 2:
            c->insn = arith(2, draw >> 2 & 7, vm, vs2, any_vs1, any_vd);
            break;
        default:
            c->insn = arith(0, 0x30 + (draw >> 2 & 1), vm, vs2, any_vs1, any_vd);
            break;
        }
        break;
    case 'f':
        funct3 = pick(2) ? 1 : 5;
        funct6 = (unsigned)pick(64);
        if (funct6 == 0x10) {
            vm = 1;
            vd = funct3 == 1 ? 12 : vd;
            vs1 = 0;
            vs2 = funct3 == 5 ? 0 : vs2;
        }
        if (funct6 >= 0x30) {
            vd = funct6 == 0x31 || funct6 == 0x33 ? (uint32_t)pick(32) : reg(lmul + 1);
            if (funct6 == 0x34 || funct6 == 0x36) {
                vs2 = reg(lmul + 1);
            }
        }
        if (funct3 == 5) {
            vs1 = 10;
            if (funct6 == 0x3b) {
                c->f |= ~(uint64_t)0xffff; /* the reference takes bfloat16 out of any box */
            }
        } else if (funct6 == 0x12 || funct6 == 0x13) {
            vs1 = (uint32_t[]){ 0, 4, 5, 16 }[pick(4)];
            funct6 = 0x13;
        }
        c->insn = arith(funct3, funct6, vm, vs2, vs1, vd);
        break;
    case 'c':
        vs1 = (uint32_t)pick(32);
        if (vs1 >= 8 && vs1 < 16) {
            vd = reg(lmul + 1);
        } else if (vs1 >= 16) {
            vs2 = reg(lmul + 1);
        }
        c->insn = arith(1, 0x12, vm, vs2, vs1, vd);
        break;
    case 'p':
        funct6 = (unsigned[]){ 0x0c, 0x0e, 0x0f }[(draw >> 3) % 3];
        switch (draw & 7) {
        case 0:
            c->insn = arith(0, 0x0c, vm, vs2, vs1, vd);
            break;
        case 1:
            c->insn = arith(0, 0x0e, vm, vs2, reg(lmul + 1 - sew), vd);
            break;
        case 2:
            c->insn = arith(3, funct6, vm, vs2, any_vs1, vd);
            break;
        case 3:
            c->insn = arith(4, funct6, vm, vs2, 10, vd);
            break;
        case 4:
            c->insn = arith(6, 0x0e + (draw >> 3 & 1), vm, vs2, 10, vd);
            break;
        case 5:
            c->insn = arith(5, 0x0e + (draw >> 3 & 1), vm, vs2, 10, vd);
            break;
        case 6:
            c->insn = arith(2, 0x17, 1, vs2, any_vs1, vd);
            break;
        default:
            c->insn = arith(3, 0x27, 1, any_vs2 & 24, (uint32_t[]){ 0, 1, 3, 7 }[draw >> 3 & 3],
                            any_vd & 24);
            break;
        }
        break;
    case 'k':
        funct6 = (unsigned[]){ 0x20, 0x21, 0x22, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x28, 0x29 }[draw % 13];
        if (funct6 == 0x28 || funct6 == 0x29) {
            vs1 = (uint32_t[]){ 0, 1, 2, 3, 7, 16, 17 }[(draw >> 4) % 7];
        } else if (funct6 == 0x21 || funct6 == 0x22 || funct6 == 0x2a || funct6 == 0x2b) {
            vs1 = any_vs1;
        }
        c->insn = arith(2, funct6, draw >> 10 & 31 ? 1 : vm, vs2, vs1, vd) | 0x20;
        c->vtype = (c->vtype & ~(uint64_t)56) | (draw >> 8 & 7 ? 2 + (draw >> 9 & 1) : (uint64_t)sew) << 3;
        c->avl = pick(16) ? c->avl & ~(uint64_t)7 : c->avl;
        c->vstart = 0;
        break;
    default: { /* l, s */
        unsigned mop = draw & 3, width = draw >> 2 & 3, nf = draw >> 4 & 1 ? 0 : draw >> 5 & 7;
        uint32_t rs2 = 11;
        int emul = mop & 1 ? lmul : (int)width - sew + lmul;
        c->x = MEMORY_BASE + MEMORY_BYTES / 2 + pick(128) - 64;
        c->y = pick(129) - 64;
        if (pick(4) == 0) {
            /* Near the end, so that some accesses fault. */
            c->x = MEMORY_BASE + MEMORY_BYTES - pick(64);
        }
        if (mop == 0) {
            rs2 = (uint32_t[]){ 0, 0, 8, 11, 16 }[pick(5)];
            if (rs2 == 8) {
                nf = (unsigned[]){ 0, 1, 3, 7 }[pick(4)];
                vm = 1;
                c->vstart %= ((nf + 1) * vlenb) >> width;
            } else if (rs2 == 11) {
                width = nf = 0;
                vm = 1;
                c->vstart = 0;
            }
        } else if (mop & 1) {
            rs2 = reg((int)width - sew + lmul);
            /* Offsets that stay within the memory. */
            unsigned bytes = 1u << width;
            for (size_t i = 0; i < 32 * vlenb; i += bytes) {
                if (bytes > 1) {
                    v[i + 1] = (uint8_t)pick(2);
                    memset(v + i + 2, 0, bytes - 2);
                }
            }
        }
        vd = rs2 == 8 && mop == 0 ? reg(3) : reg(emul);
        c->insn = nf << 29 | mop << 26 | vm << 25 | rs2 << 20 | 10u << 15 |
                  (uint32_t[]){ 0, 5, 6, 7 }[width] << 12 | vd << 7 | (kind == 'l' ? 0x07u : 0x27u);
        break;
    }
    }
}

static uint64_t hash(uint64_t h, const void *at, size_t n)
{
    uint64_t w;
    for (size_t i = 0; i < n; i += 8) {
        memcpy(&w, (const char *)at + i, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

/*
 * An unmasked contiguous access that faults may stop at any element before the fault. The reference's whole-register
 * accesses have larger elements than the encoded ones; ours may be done in pieces of whole registers.
 */
static bool incomparable(const Case *c)
{
    return c->trap == 2 && (c->insn & 0x0e000000) == 0x02000000;
}

static Record record_of(const Case *c)
{
    return (Record){ c->vl_out, c->vstart_out, c->vtype_out, c->x_out, c->f_out, c->fflags, c->vxsat, c->trap,
                     hash(0, memory, MEMORY_BYTES) };
}

/* True when a line is due. */
static bool digest_add(const Case *c)
{
    Record r = record_of(c);
    if (!incomparable(c)) {
        digest_state = hash(digest_state, &r, sizeof(r));
        digest_state = hash(digest_state, v, 32 * vlenb);
    }
    return ++case_number % 500 == 0;
}

#ifdef __riscv

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

void run_case(Case *c);
__asm__(".option push\n.option arch, +v\n"
        "run_case:\n"
        " addi sp, sp, -16\n sd ra, 0(sp)\n sd s0, 8(sp)\n mv s0, a0\n"
        " csrr t1, vlenb\n slli t1, t1, 3\n csrw vstart, zero\n"
        " ld t0, 0(s0)\n vl8re8.v v0, (t0)\n add t0, t0, t1\n vl8re8.v v8, (t0)\n add t0, t0, t1\n"
        " vl8re8.v v16, (t0)\n add t0, t0, t1\n vl8re8.v v24, (t0)\n"
        " ld t0, 32(s0)\n csrw vxrm, t0\n csrw vxsat, zero\n"
        " ld t0, 40(s0)\n fsrm t0\n fsflags zero\n"
        " ld t0, 8(s0)\n ld t1, 16(s0)\n vsetvl zero, t1, t0\n"
        " fld fa0, 64(s0)\n fld fa2, 64(s0)\n"
        " ld t0, 24(s0)\n ld t6, 72(s0)\n"
        " ld a0, 48(s0)\n ld a1, 56(s0)\n li a2, 0\n ld a3, 16(s0)\n"
        " csrw vstart, t0\n"
        " jalr ra, t6\n"
        " csrr t0, vstart\n sd t0, 88(s0)\n csrw vstart, zero\n"
        " csrr t0, vl\n sd t0, 80(s0)\n csrr t0, vtype\n sd t0, 96(s0)\n"
        " sd a2, 104(s0)\n fsd fa2, 112(s0)\n frflags t0\n sd t0, 120(s0)\n"
        " csrr t0, vxsat\n sd t0, 128(s0)\n"
        " csrr t1, vlenb\n slli t1, t1, 3\n"
        " ld t0, 0(s0)\n vs8r.v v0, (t0)\n add t0, t0, t1\n vs8r.v v8, (t0)\n add t0, t0, t1\n"
        " vs8r.v v16, (t0)\n add t0, t0, t1\n vs8r.v v24, (t0)\n"
        " ld ra, 0(sp)\n ld s0, 8(sp)\n addi sp, sp, 16\n ret\n"
        ".option pop\n");

static Case current;

static void trapped(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    current.trap = sig == SIGILL ? 1 : 2;
    u->uc_mcontext.__gregs[0] += 4;
}

static void execute(Case *c)
{
    /* vsetvli zero, a3 right before it, as in real programs: a translator then knows vtype. */
    uint32_t *code = c->code;
    if (c->vstart == 0) {
        *code++ = (uint32_t)c->vtype << 20 | 13 << 15 | 7 << 12 | 0x57;
    }
    *code++ = c->insn;
    *code = 0x00008067;
    __asm__ volatile("fence.i" ::: "memory");
    run_case(c);
}

static void prepare(void)
{
    struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER };

    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    memory = mmap((void *)(uintptr_t)MEMORY_BASE, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    current.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asm__ volatile("csrr %0, 0xc22" : "=r"(vlenb));
    if (digest) {
        printf("vlenb %u\n", vlenb);
    } else {
        fwrite(&vlenb, sizeof(vlenb), 1, stdout);
    }
}

static int finish(const Case *c, long n)
{
    if (digest) {
        if (digest_add(c)) {
            printf("%016llx\n", (unsigned long long)digest_state);
        }
        return 0;
    }
    Record r = record_of(c);
    fwrite(&r, sizeof(r), 1, stdout);
    fwrite(v, vlenb, 32, stdout);
    return 0;
}

#else

#include "accel/tcg.h"
#include "target/riscv/vector/vector.h"

static Case current;
static Vcpu vcpu;
static jmp_buf fault;
static RvvState state;
static uint8_t before[32 * MAX_VLENB];
static long n_bad, n_legal, n_fault;

static uint8_t *host_of(vaddr addr, unsigned size)
{
    bool inside = addr >= MEMORY_BASE && addr + size <= MEMORY_BASE + MEMORY_BYTES;
    return inside ? memory + (addr - MEMORY_BASE) : NULL;
}

uint64_t guest_load(Vcpu *cpu, vaddr addr, unsigned size, unsigned mmu_index)
{
    uint8_t *p = host_of(addr, size);
    uint64_t value = 0;
    if (!p) {
        longjmp(fault, 1);
    }
    memcpy(&value, p, size);
    return value;
}

void guest_store(Vcpu *cpu, vaddr addr, uint64_t value, unsigned size, unsigned mmu_index)
{
    uint8_t *p = host_of(addr, size);
    if (!p) {
        longjmp(fault, 1);
    }
    memcpy(p, &value, size);
}

void *guest_ptr_probe(Vcpu *cpu, vaddr addr, unsigned size, MmuAccess access, unsigned mmu_index)
{
    return host_of(addr, size);
}

static const RvvFeatures features = {
    true, true, true, true, true, true, true, true, true, true, true, true, true, true, true,
};

static void execute(Case *c)
{
    static const FpRounding rounding[5] = { FP_RNE, FP_RTZ, FP_RDN, FP_RUP, FP_RMM };

    memcpy(before, v, sizeof(v));
    rvv_reset(&state, vlenb * 8, 64);
    memcpy(state.v, v, 32 * vlenb);
    rvv_set_vl(&state, c->vtype, c->avl, false, 64);
    state.vstart = c->vstart;
    state.vxrm = (uint8_t)c->vxrm;
    RvvExec e = { .s = &state, .vcpu = &vcpu, .features = &features, .insn = c->insn, .x = c->x, .y = c->y,
                  .xlen = 64, .frm_valid = true,
                  .fp = { .rules = &fp_rules_riscv, .rounding = (uint8_t)rounding[c->frm] } };
    unsigned opcode = c->insn & 0x7f, funct3 = c->insn >> 12 & 7;
    if (opcode == 0x57 && funct3 == 5) {
        e.x = c->f;
    }
    c->x_out = 0;
    c->f_out = c->f;
    if (setjmp(fault)) {
        c->trap = 2;
    } else if (!rvv_exec(&e)) {
        c->trap = 1;
        if (memcmp(state.v, before, 32 * vlenb) || state.vstart != c->vstart || e.fp.flags) {
            fprintf(stderr, "%08x: an illegal instruction changed something\n", c->insn);
            n_bad++;
        }
    } else if (e.result_kind == RVV_RESULT_X) {
        c->x_out = e.result;
    } else if (e.result_kind == RVV_RESULT_F) {
        c->f_out = e.result;
    }
    c->fflags = e.fp.flags & FP_IEEE_FLAGS;
    c->vl_out = state.vl;
    c->vstart_out = state.vstart;
    c->vxsat = state.vxsat;
    c->vtype_out = state.vill ? (uint64_t)1 << 63 : state.vtype;
    memcpy(v, state.v, 32 * vlenb);
    n_legal += c->trap != 1;
    n_fault += c->trap == 2;
}

static void prepare(void)
{
    memory = calloc(1, MEMORY_BYTES);
    if (!memory || (digest ? scanf("vlenb %u", &vlenb) : (int)fread(&vlenb, sizeof(vlenb), 1, stdin)) != 1 ||
        vlenb > MAX_VLENB || vlenb < 8) {
        fprintf(stderr, "no records\n");
        exit(1);
    }
}

static void hex(const char *what, const uint8_t *at)
{
    fprintf(stderr, "    %s ", what);
    for (unsigned i = vlenb; i-- > 0;) {
        fprintf(stderr, "%02x%s", at[i], i % 8 == 0 ? " " : "");
    }
    fprintf(stderr, "\n");
}

static int finish(const Case *c, long n)
{
    static uint8_t want_v[32 * MAX_VLENB];
    Record ours = record_of(c), want;

    if (digest) {
        unsigned long long line;
        if (digest_add(c)) {
            if (scanf("%llx", &line) != 1) {
                fprintf(stderr, "digests end at case %ld\n", n);
                return 1;
            }
            if (line != digest_state) {
                fprintf(stderr, "a case between %ld and %ld differs\n", n - 499, n);
                n_bad++;
                return 1;
            }
        }
        return 0;
    }
    if (fread(&want, sizeof(want), 1, stdin) != 1 || fread(want_v, vlenb, 32, stdin) != 32) {
        fprintf(stderr, "records end at case %ld\n", n);
        return 1;
    }
    if (want.trap == ours.trap && incomparable(c)) {
        return 0;
    }
    if (!memcmp(&want, &ours, sizeof(want)) && !memcmp(v, want_v, 32 * vlenb)) {
        return 0;
    }
    if (n_bad++ < 10) {
        uint32_t w = c->insn;
        fprintf(stderr, "case %ld: %08x (opcode %#x funct3 %d funct6 %#x vm %d vs2 %d vs1 %d vd %d) sew %d lmul %d "
                "vl %d vstart %d vxrm %d frm %d x %#llx y %#llx f %#llx\n", n, w, w & 127, w >> 12 & 7,
                w >> 26, w >> 25 & 1, w >> 20 & 31, w >> 15 & 31, w >> 7 & 31, 8 << (c->vtype >> 3 & 7),
                (int)(c->vtype << 29) >> 29, (int)state.vl, (int)c->vstart, (int)c->vxrm, (int)c->frm,
                (unsigned long long)c->x, (unsigned long long)c->y, (unsigned long long)c->f);
        const uint64_t *o = (const uint64_t *)&ours, *r = (const uint64_t *)&want;
        static const char *const names[9] = { "vl", "vstart", "vtype", "x", "f", "fflags", "vxsat", "trap",
                                              "memory" };
        for (int i = 0; i < 9; i++) {
            if (o[i] != r[i]) {
                fprintf(stderr, "  %s %#llx, reference %#llx\n", names[i], (unsigned long long)o[i],
                        (unsigned long long)r[i]);
            }
        }
        for (unsigned i = 0; i < 32; i++) {
            if (memcmp(v + i * vlenb, want_v + i * vlenb, vlenb)) {
                fprintf(stderr, "  v%u\n", i);
                hex("before   ", before + i * vlenb);
                hex("ours     ", v + i * vlenb);
                hex("reference", want_v + i * vlenb);
            }
        }
    }
    return 0;
}
#endif

int main(int argc, char **argv)
{
    long cases = argc > 2 ? atol(argv[2]) : 1000;

    digest = argc > 1 && !strcmp(argv[1], "digest");
    operand_seed(argc > 3 ? strtoull(argv[3], NULL, 0) : 0);
    prepare();
    for (long n = 0; n < cases; n++) {
        current.v = v;
        current.trap = 0;
        random_bytes(memory + MEMORY_BYTES / 2 - 512, 1024);
        make(&current, argc > 4 ? argv[4] : NULL);
        execute(&current);
        if (finish(&current, n)) {
            return 1;
        }
        /* A difference must not spoil the cases after it. */
        memset(memory, 0, MEMORY_BYTES);
    }
#ifndef __riscv
    printf("%ld of %ld differ (%ld legal, %ld faults)\n", n_bad, cases, n_legal, n_fault);
    return n_bad != 0;
#endif
}
