/*
 * x87-native.c: x87 instructions in C (target/x86/x87-soft.c) against this machine's x87 unit.
 *
 * Random states (registers of all classes, tags, top, control words with any masks, rounding and precision, sticky flags) and
 * every instruction; the whole state afterwards must be equal: registers, tags, status and control word, memory operand.
 * The unit is asked right after the instruction by fnsave, so unmasked exceptions are looked at, not taken.
 *
 * usage: x87-native ROUNDS [SEED [SHOWN]]
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "accel/tcg.h"
#include "target/x86/x87.h"
#include "tests/fpu/operands.h"
#include "tests/test.h"

#if defined(__x86_64__)

/* ---- what the code under test asks of the emulator ---- */

uint64_t guest_load(Vcpu *vcpu, vaddr addr, unsigned size_bytes, unsigned mmu_index)
{
    uint64_t v = 0;
    (void)vcpu;
    (void)mmu_index;
    memcpy(&v, (const void *)(uintptr_t)addr, size_bytes);
    return v;
}

void guest_store(Vcpu *vcpu, vaddr addr, uint64_t value, unsigned size_bytes, unsigned mmu_index)
{
    (void)vcpu;
    (void)mmu_index;
    memcpy((void *)(uintptr_t)addr, &value, size_bytes);
}

void *guest_ptr_access(Vcpu *vcpu, vaddr addr, unsigned size_bytes, MmuAccess access, unsigned mmu_index)
{
    (void)vcpu;
    (void)size_bytes;
    (void)access;
    (void)mmu_index;
    return (void *)(uintptr_t)addr;
}

/* ---- the host ---- */

typedef struct Image { /* fnsave, 32-bit protected mode */
    uint16_t control, r0, status, r1, tags, r2;
    uint32_t ip, cs_opcode, dp, ds;
    uint8_t st[8][10];
} Image;

typedef struct Outcome {
    Image image;
    uint8_t memory[16];
    uint32_t value;     /* ax or the flags of fcomi */
} Outcome;

static uint8_t *code_page;

/* frstor [rdi]; instruction with operand [rsi]; fnsave [rdx] */
static void run_host(const Image *before, uint32_t code, bool has_memory, uint64_t condition, Outcome *o)
{
    uint8_t *p = code_page;
    unsigned opcode = ir_x87_opcode(code), modrm = ir_x87_modrm(code);
    bool flags = ir_x87_form(code) == IR_X87_FLAGS;

    memcpy(p, "\xdd\x27", 2); /* frstor [rdi] */
    p += 2;
    if (ir_x87_form(code) == IR_X87_CONDITION) {
        memcpy(p, "\x85\xc9", 2); /* test ecx, ecx */
        p += 2;
    } else if (flags) {
        memcpy(p, "\x31\xc0", 2); /* xor eax, eax */
        p += 2;
    }
    *p++ = (uint8_t)opcode;
    *p++ = (uint8_t)(has_memory ? (modrm & 0x38) | 6 : modrm);
    if (flags) {
        memcpy(p, "\x9c\x58", 2); /* pushfq; pop rax */
        p += 2;
    }
    memcpy(p, "\xdd\x32\xc3", 3); /* fnsave [rdx]; ret */
    o->value = ((uint32_t (*)(const void *, void *, void *, uint32_t))(uintptr_t)code_page)(before, o->memory, &o->image,
                                                                                          (uint32_t)condition);
    __asm__ volatile("fninit");
}

static void from_image(X86State *s, const Image *image)
{
    s->fcw = image->control;
    s->ftop = image->status >> 11 & 7;
    s->fsw = image->status & 0xc7ff;
    s->fempty = 0;
    for (unsigned i = 0; i < 8; i++) {
        s->fempty |= (uint8_t)((image->tags >> 2 * i & 3) == 3 ? 1u << i : 0u);
        memcpy(s->fpr[(s->ftop + i) & 7].bytes, image->st[i], 10);
    }
}

/* ---- random states ---- */

static f80 operand_f80(void)
{
    uint64_t r = operand_random();
    uint64_t wide = operand_float(15, 48);
    f80 v = { .sign_exp = (uint16_t)(wide >> 48), .sig = operand_fraction(63) | (uint64_t)1 << 63 };

    if ((v.sign_exp & 0x7fff) == 0 || (r & 31) == 0) {
        v.sig &= ~(uint64_t)0 >> ((r >> 8) & 63);
    }
    switch (r >> 16 & 15) {
    case 0: v.sig &= ~(uint64_t)0 << 39; break;
    case 1: v.sig &= ~(uint64_t)0 << 10; break;
    case 2: case 3: case 4: v.sign_exp = (uint16_t)((v.sign_exp & 0x8000) | (16383 - 8 + (r >> 24 & 15))); break;
    case 5: v.sign_exp = (uint16_t)((v.sign_exp & 0x8000) | (16383 + (r >> 24 & 127))); break;
    case 6: v.sig = (uint64_t)1 << 63; break;
    case 7: v.sig = 0; v.sign_exp &= 0x8000; break;
    }
    return v;
}

static void random_image(Image *image)
{
    uint64_t r = operand_random();

    memset(image, 0, sizeof(*image));
    image->control = (uint16_t)((r & 0xf00) | 0x40 | ((r >> 12 & 1) ? 0x3f : r >> 16 & 0x3f));
    image->status = (uint16_t)((r >> 24 & 0x7f) | (r >> 32 & 0x7f00));
    image->status &= (uint16_t)~(~image->control & 0x3f); /* none pending */
    for (unsigned i = 0; i < 8; i++) {
        f80 v = operand_f80();
        if (i == 1 && operand_random() & 1) {
            uint16_t e;
            memcpy(&e, image->st[0] + 8, 2);
            v.sign_exp = (uint16_t)((v.sign_exp & 0x8000) | ((e + operand_random() % 141 - 70) & 0x7fff));
        }
        memcpy(image->st[i], &v.sig, 8);
        memcpy(image->st[i] + 8, &v.sign_exp, 2);
        uint64_t t = operand_random();
        bool empty = r >> 52 & 3 ? (i == 7 || !(t & 31)) : t & 1; /* mostly full but for the place above the top */
        unsigned n = (i + (image->status >> 11)) & 7;
        image->tags |= (uint16_t)(empty ? 3u << 2 * n : 0u);
    }
}

static void random_memory(uint8_t memory[16])
{
    uint64_t lo = operand_random() & 1 ? operand_f64() : operand_int(), hi = operand_random();
    if (!(operand_random() & 3)) {
        lo = operand_f32();
    } else if (!(hi & 0x700)) {
        f80 v = operand_f80();
        lo = v.sig;
        hi = v.sign_exp;
    }
    memcpy(memory, &lo, 8);
    memcpy(memory + 8, &hi, 8);
}

/* Packed decimal: digits only, others are undefined. */
static void random_bcd(uint8_t memory[16])
{
    for (unsigned k = 0; k < 9; k++) {
        memory[k] = (uint8_t)(operand_random() % 10 | operand_random() % 10 << 4);
    }
    memory[9] = operand_random() & 1 ? 0x80 : 0;
}

/* ---- every instruction ---- */

typedef struct Insn { uint32_t code; bool has_memory; } Insn;
static Insn insns[1024];
static unsigned n_insns;

static void add(unsigned opcode, unsigned modrm, IrX87Form form, bool has_memory)
{
    insns[n_insns++] = (Insn){ ir_x87_code(IR_X87_D8, form, opcode, modrm), has_memory };
}

static void list_insns(void)
{
    /* by opcode: reg fields with a memory operand that are tested here; the environment's images are fpu-state.c's */
    static const uint8_t memory[8] = { 0xff, 0xad, 0xff, 0xaf, 0xff, 0x8f, 0xff, 0xff };
    for (unsigned k = 0; k < 8; k++) {
        for (unsigned reg = 0; reg < 8; reg++) {
            if (memory[k] >> reg & 1) {
                add(0xd8 + k, reg << 3, IR_X87_MEMORY, true);
            }
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned reg = 0; reg < 8; reg++) {
            unsigned m = 0xc0 | reg << 3 | i;
            add(0xd8, m, IR_X87_MEMORY, false);
            add(0xdc, m, IR_X87_MEMORY, false);
            if (reg != 3 || i == 1) {
                add(0xde, m, IR_X87_MEMORY, false);
            }
            if (reg < 4) {
                add(0xda, m, IR_X87_CONDITION, false);
                add(0xdb, m, IR_X87_CONDITION, false);
                add(0xdf, m, IR_X87_MEMORY, false);
            }
            if (reg < 6) {
                add(0xdd, m, IR_X87_MEMORY, false);
            }
            if (reg == 5 || reg == 6) {
                add(0xdb, m, IR_X87_FLAGS, false);
                add(0xdf, m, IR_X87_FLAGS, false);
            }
        }
        add(0xd9, 0xc0 | i, IR_X87_MEMORY, false);
        add(0xd9, 0xc8 | i, IR_X87_MEMORY, false);
        add(0xd9, 0xd8 | i, IR_X87_MEMORY, false);
    }
    static const uint8_t d9[] = { 0xd0, 0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4,
                                  0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff };
    for (unsigned k = 0; k < ARRAY_SIZE(d9); k++) {
        for (unsigned n = 0; n < 6; n++) {
            add(0xd9, d9[k], IR_X87_MEMORY, false);
        }
    }
    add(0xda, 0xe9, IR_X87_MEMORY, false);
    add(0xdb, 0xe2, IR_X87_MEMORY, false);
    add(0xdb, 0xe3, IR_X87_MEMORY, false);
}

static void print_state(const char *who, const X86State *s, const uint8_t memory[16], uint64_t value)
{
    fprintf(stderr, "%s cw %04x sw %04x top %u empty %02x value %llx memory", who, s->fcw, s->fsw, s->ftop, s->fempty,
            (unsigned long long)value);
    for (unsigned k = 0; k < 10; k++) {
        fprintf(stderr, " %02x", memory[k]);
    }
    fputc('\n', stderr);
    for (unsigned i = 0; i < 8; i += i == 1 ? 6 : 1) {
        const X86Fpr *r = &s->fpr[(s->ftop + i) & 7];
        fprintf(stderr, "  st%u %04x:%016llx%s\n", i, r->sign_exp, (unsigned long long)r->mantissa,
                s->fempty >> ((s->ftop + i) & 7) & 1 ? " empty" : "");
    }
}

static bool same(const X86State *a, const X86State *b)
{
    bool ok = a->fcw == b->fcw && a->fsw == b->fsw && a->ftop == b->ftop && a->fempty == b->fempty;
    for (unsigned i = 0; i < 8; i++) {
        ok &= a->fpr[i].mantissa == b->fpr[i].mantissa && a->fpr[i].sign_exp == b->fpr[i].sign_exp;
    }
    return ok;
}

/* FSCALE of a denormal by 0 and FPREM and FPREM1 of one by an infinity, where underflow is not masked: the result is tiny, and the operand
 * unchanged. Some processors take the exception with its biased result, as the software does, others leave the operand; the manuals do not say. */
static bool is_open(unsigned opcode, unsigned modrm, const X86State *s)
{
    const X86Fpr *value = &s->fpr[s->ftop], *other = &s->fpr[(s->ftop + 1) & 7];

    if (opcode != 0xd9 || s->fcw & X87_UE || value->sign_exp & 0x7fff) {
        return false;
    }
    return modrm == 0xfd ? !(other->sign_exp & 0x7fff) && !other->mantissa
                         : (modrm == 0xf5 || modrm == 0xf8) && (other->sign_exp & 0x7fff) == 0x7fff && other->mantissa == BIT(63);
}

static unsigned limit = 10, n_bad, bad_of[1024];

static void check(Vcpu *vcpu, unsigned n)
{
    const Insn *insn = &insns[n];
    unsigned opcode = ir_x87_opcode(insn->code), modrm = ir_x87_modrm(insn->code);
    X86State *s = x86_state(vcpu);
    Image before;
    Outcome host;
    uint8_t ours[16];
    uint64_t condition = operand_random() & 1, value = 0;
    X86State start, expected;

    random_image(&before);
    if (opcode == 0xdf && modrm >> 3 == 4) {
        random_bcd(ours);
    } else {
        random_memory(ours);
    }
    memcpy(host.memory, ours, 16);
    uint8_t memory[16];
    memcpy(memory, ours, 16);
    /* da: with the condition itself, db: with its opposite. */
    uint64_t host_condition = condition;
    Insn native = *insn;
    if (ir_x87_form(insn->code) == IR_X87_CONDITION) {
        native.code = (insn->code & ~0xffffu) | 0xdb00 | 0xc8 | (modrm & 7); /* fcmovne */
    }
    run_host(&before, native.code, insn->has_memory, host_condition, &host);
    memset(s, 0, sizeof(*s));
    from_image(s, &before);
    start = *s;
    if (is_open(opcode, modrm, s)) {
        return;
    }
    memset(&expected, 0, sizeof(expected));
    from_image(&expected, &host.image);
    if (insn->has_memory) {
        x86_x87_exec_mem(vcpu, insn->code, (uintptr_t)ours, 0);
    } else {
        value = x86_x87_exec(vcpu, insn->code, condition);
    }
    if (ir_x87_form(insn->code) != IR_X87_MEMORY && !((s->fsw ^ expected.fsw) & X87_SF)) {
        /* fcmov, fcomi: whether C1 is cleared without a stack fault differs between processors. */
        expected.fsw = (uint16_t)((expected.fsw & ~X87_C1) | (s->fsw & X87_C1));
    }
    bool ok = same(s, &expected) && !memcmp(ours, host.memory, 16);
    if (ir_x87_form(insn->code) == IR_X87_FLAGS) {
        uint32_t flags = host.value & 0x45;
        /* When they are kept xor's ZF and PF are there; but some processors change them all the same. */
        ok &= value & X87_FLAGS_KEPT ? flags == 0x44 || s->fsw & X87_ES : value == flags;
    }
    test_checks++;
    if (!ok) {
        test_failures++;
        if (!bad_of[n]++ && n_bad++ < limit) {
            fprintf(stderr, "%02x %02x%s condition %d\n", opcode, modrm, insn->has_memory ? " (memory)" : "", (int)condition);
            print_state("before", &start, memory, 0);
            print_state("ours", s, ours, value);
            print_state("host", &expected, host.memory, host.value);
        }
    }
}

/* ---- x87-math-soft.c against the host's transcendental functions ---- */

/* Units in the last place between two results; huge when they are of different kinds. */
static uint64_t distance(f80 a, f80 b)
{
    if (a.sign_exp == b.sign_exp && a.sig == b.sig) {
        return 0;
    }
    int exponents = (a.sign_exp & 0x7fff) - (b.sign_exp & 0x7fff);
    if ((a.sign_exp ^ b.sign_exp) & 0x8000 || exponents > 1 || exponents < -1 || (a.sign_exp & 0x7fff) == 0x7fff) {
        return UINT64_MAX;
    }
    uint64_t x = exponents > 0 ? a.sig << 1 : a.sig, y = exponents < 0 ? b.sig << 1 : b.sig;
    return exponents ? x - y < y - x ? x - y : y - x : x > y ? x - y : y - x;
}

static f80 random_between(int low, int high)
{
    uint64_t r = operand_random();
    return (f80){ .sig = operand_random() | (uint64_t)1 << 63,
                  .sign_exp = (uint16_t)((16383 + low + (int)(r >> 8) % (high - low + 1)) | (r & 1) << 15) };
}

static void check_math(X87Math op)
{
    static const struct { int low, high; bool positive; } range[] = {
        [X87_F2XM1] = { -70, -1 }, [X87_FYL2X] = { -2000, 2000, true }, [X87_FPTAN] = { -70, 20 }, [X87_FPATAN] = { -60, 60 },
        [X87_FYL2XP1] = { -70, -3 }, [X87_FSINCOS] = { -70, 20 }, [X87_FSIN] = { -70, 20 }, [X87_FCOS] = { -70, 20 },
    };
    static const char *const names[] = { "f2xm1", "fyl2x", "fptan", "fpatan", "fyl2xp1", "fsincos", "fsin", "fcos" };
    bool specials = !(operand_random() & 3);
    f80 a = random_between(range[op].low, range[op].high), b = random_between(-60, 60), host[2] = { { 0 } }, soft[2] = { { 0 } };
    unsigned cw = 0x37f | (unsigned)(operand_random() & 0xc00);
    if (range[op].positive && !specials) {
        a.sign_exp &= 0x7fff;
        if (operand_random() & 1) {
            a.sign_exp = (uint16_t)(16383 - (operand_random() & 1)); /* near 1 */
        }
    }
    if (range[op].low == -70 && range[op].high > 0 && !(operand_random() & 7)) {
        a.sign_exp = (uint16_t)(16382 | (a.sign_exp & 0x8000)); /* around pi / 4 */
    }
    if (specials && op != X87_F2XM1 && op != X87_FYL2XP1) { /* outside their ranges those are undefined */
        static const f80 values[] = { { 0, 0 }, { 0, 0x8000 }, { (uint64_t)1 << 63, 0x3fff }, { (uint64_t)1 << 63, 0xbfff },
                                      { (uint64_t)1 << 63, 0x7fff }, { (uint64_t)1 << 63, 0xffff }, { 77, 0 } };
        a = values[operand_random() % 4];
        if (op == X87_FYL2X || op == X87_FPATAN) {
            a = values[operand_random() % 7];
            b = values[operand_random() % 7];
        }
    }
    bool trigonometric = op == X87_FSIN || op == X87_FCOS || op == X87_FSINCOS || op == X87_FPTAN;
    bool reduced = trigonometric && (a.sign_exp & 0x7fff) >= 16382;
    cw = reduced ? 0x37f : cw;
    unsigned h = x87_math(op, cw, a, b, &host[0], &host[1]), s = x87_math_soft(op, cw, a, b, &soft[0], &soft[1]);
    if (reduced && !(h & X87_C2)) { /* the C library's functions reduce with more of pi than the unit */
        long double x;
        memcpy(&x, &a, 10);
        long double r[2] = { op == X87_FCOS ? cosl(x) : op == X87_FPTAN ? tanl(x) : sinl(x), op == X87_FSINCOS ? cosl(x) : 1 };
        memcpy(&host[0], &r[0], 10);
        memcpy(&host[1], &r[1], 10);
        if (op == X87_FSIN || op == X87_FCOS) {
            host[1] = soft[1];
        }
    }
    /* Hosts round less well: their results may be one off, and so C1. */
    uint64_t d0 = distance(host[0], soft[0]), d1 = distance(host[1], soft[1]);
    unsigned flags = X87_IE | X87_ZE | X87_OE | X87_C2 | (specials ? 0 : X87_PE | X87_DE);
    test_checks++;
    if (d0 > 2 || d1 > 2 || (h ^ s) & flags) {
        test_failures++;
        if (n_bad++ < limit) {
            fprintf(stderr, "%s(%04x:%016llx, %04x:%016llx) cw %03x: host %04x:%016llx %04x:%016llx sw %x, ours %04x:%016llx %04x:%016llx sw %x\n",
                    names[op], a.sign_exp, (unsigned long long)a.sig, b.sign_exp, (unsigned long long)b.sig, cw, host[0].sign_exp,
                    (unsigned long long)host[0].sig, host[1].sign_exp, (unsigned long long)host[1].sig, h, soft[0].sign_exp,
                    (unsigned long long)soft[0].sig, soft[1].sign_exp, (unsigned long long)soft[1].sig, s);
        }
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 200;
    static const Target target = { .name = "test" };

    if (argc > 2) {
        operand_seed(strtoull(argv[2], NULL, 0));
    }
    if (argc > 3) {
        limit = (unsigned)atoi(argv[3]);
    }
    code_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code_page == MAP_FAILED) {
        return 77;
    }
    Vcpu *vcpu = aligned_alloc(64, ROUND_UP(sizeof(Vcpu) + sizeof(X86State), 64));
    memset(vcpu, 0, sizeof(Vcpu) + sizeof(X86State));
    vcpu->target = &target;
    list_insns();
    for (long k = 0; k < rounds; k++) {
        for (unsigned n = 0; n < n_insns; n++) {
            check(vcpu, n);
        }
    }
    for (long k = 0; k < rounds * 10; k++) {
        check_math((X87Math)(k & 7));
    }
    unsigned kinds = 0;
    for (unsigned n = 0; n < n_insns; n++) {
        kinds += bad_of[n] != 0;
        if (bad_of[n]) {
            fprintf(stderr, "[%02x %02x%s %u] ", ir_x87_opcode(insns[n].code), ir_x87_modrm(insns[n].code), insns[n].has_memory ? "m" : "", bad_of[n]);
        }
    }
    if (kinds) {
        fprintf(stderr, "\n%u of %u instructions differ\n", kinds, n_insns);
    }
    free(vcpu);
    return test_result();
}

#else
int main(void) { return 77; }
#endif
