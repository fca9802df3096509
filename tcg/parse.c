/*
 * parse.c: reads the text form of units that print.c describes.
 *
 * A unit is taken as it stands, without folding. Every mistake in the text is an error that names the
 * line; whether the unit keeps the rules of the IR is ir_verify's business.
 */
#include <ctype.h>
#include "tcg/text.h"
#include "target/target.h"

enum { MAX_VALUES = 1 << 20, MAX_BLOCKS = 4096, MAX_PARTS = 6 };

typedef struct Parser {
    IrUnit *unit;
    const char *p;
    unsigned line;
    int block;             /* open block or -1 */
    VEC(IrRef) values;     /* by number */
    char part[MAX_PARTS][24]; /* of the mnemonic, between dots */
    unsigned n_parts;
    bool failed;
    char why[120];
} Parser;

static bool fail(Parser *ps, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool fail(Parser *ps, const char *fmt, ...)
{
    va_list ap;

    if (!ps->failed) {
        ps->failed = true;
        va_start(ap, fmt);
        vsnprintf(ps->why, sizeof(ps->why), fmt, ap);
        va_end(ap);
    }
    return false;
}

/* -- tokens ----------------------------------------------------------------------------------------- */

static void skip_space(Parser *ps)
{
    while (*ps->p == ' ') {
        ps->p++;
    }
}

static bool at_end(Parser *ps)
{
    skip_space(ps);
    return *ps->p == '\0' || *ps->p == '\n' || *ps->p == '#';
}

static bool accept(Parser *ps, const char *text)
{
    size_t n = strlen(text);

    skip_space(ps);
    if (strncmp(ps->p, text, n)) {
        return false;
    }
    /* a word must end there */
    if (isalnum((unsigned char)text[n - 1]) && (isalnum((unsigned char)ps->p[n]) || ps->p[n] == '_')) {
        return false;
    }
    ps->p += n;
    return true;
}

static bool expect(Parser *ps, const char *text)
{
    return accept(ps, text) || fail(ps, "'%s' expected", text);
}

static bool word(Parser *ps, char *out, size_t size)
{
    size_t n = 0;

    skip_space(ps);
    while (isalnum((unsigned char)ps->p[n]) || ps->p[n] == '_') {
        n++;
    }
    if (!n || n >= size) {
        return fail(ps, "name expected");
    }
    memcpy(out, ps->p, n);
    out[n] = '\0';
    ps->p += n;
    return true;
}

static uint64_t number(Parser *ps)
{
    char *end;

    skip_space(ps);
    bool negative = *ps->p == '-';
    const char *digits = ps->p + negative;
    if (!isdigit((unsigned char)*digits)) {
        fail(ps, "number expected");
        return 0;
    }
    uint64_t v = strtoull(digits, &end, 0);
    ps->p = end;
    return negative ? 0 - v : v;
}

static int find(const char *const *names, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

static unsigned part_of(Parser *ps, unsigned index, const char *const *names, unsigned n, const char *what)
{
    int i = index < ps->n_parts ? find(names, n, ps->part[index]) : -1;

    if (i < 0) {
        fail(ps, "%s expected in '%s'", what, ps->part[0]);
        return 0;
    }
    return (unsigned)i;
}

/* -- values -------------------------------------------------------------------------------------------- */

static IrRef append(Parser *ps, IrInsn insn)
{
    *vec_push(&ps->unit->insns) = insn;
    return ps->unit->insns.n - 1;
}

static IrRef constant(Parser *ps, IrType type, uint64_t imm)
{
    if (ir_type_bytes(type) == 4) {
        imm = (uint32_t)imm;
    }
    return append(ps, (IrInsn){ .op = IR_const, .type = type, .a = IR_NONE, .imm = imm });
}

static IrRef operand(Parser *ps, IrType type)
{
    IrVecConst vec = { { 0 } };
    bool is_vec = false;
    uint64_t imm = 0;

    skip_space(ps);
    if (*ps->p == 'v' && isdigit((unsigned char)ps->p[1])) {
        ps->p++;
        uint64_t n = number(ps);
        if (n >= ps->values.n || ps->values.at[n] == IR_NONE) {
            fail(ps, "v%" PRIu64 " is not defined", n);
            return 0;
        }
        return ps->values.at[n];
    }
    if (accept(ps, "{")) {
        is_vec = true;
        for (unsigned i = 0; i < 4; i++) {
            vec.u64[i] = number(ps);
            if (!accept(ps, ",")) {
                break;
            }
        }
        expect(ps, "}");
    } else {
        imm = number(ps);
    }
    if (*ps->p == ':') {
        char name[8];
        ps->p++;
        if (!word(ps, name, sizeof(name))) {
            return 0;
        }
        int t = find(ir_type_names, IR_N_TYPES, name);
        if (t <= 0) {
            fail(ps, "'%s' is no type", name);
            return 0;
        }
        type = (IrType)t;
    }
    if (is_vec != ir_type_is_vec(type) || type == IR_VOID) {
        fail(ps, "constant of type %s", ir_type_names[type]);
        return 0;
    }
    if (is_vec) {
        *vec_push(&ps->unit->vconst) = vec;
        imm = ps->unit->vconst.n - 1;
    }
    return constant(ps, type, imm);
}

static uint16_t block_ref(Parser *ps)
{
    skip_space(ps);
    if (*ps->p != 'b') {
        fail(ps, "block expected");
        return 0;
    }
    ps->p++;
    uint64_t n = number(ps);
    if (n >= MAX_BLOCKS) {
        fail(ps, "block number too large");
        return 0;
    }
    while (!ps->failed && ps->unit->blocks.n <= n) {
        *vec_push(&ps->unit->blocks) = (IrBlock){ 0 };
    }
    return n;
}

static unsigned log2_bytes(Parser *ps, bool *ret_sign)
{
    skip_space(ps);
    *ret_sign = *ps->p == 's';
    if (*ps->p != 's' && *ps->p != 'u') {
        fail(ps, "size expected");
        return 0;
    }
    ps->p++;
    uint64_t bits = number(ps);
    if (!bits_is_pow2(bits) || bits < 8 || bits > 256) {
        fail(ps, "size of %" PRIu64 " bits", bits);
        return 0;
    }
    return (unsigned)__builtin_ctzll(bits) - 3;
}

static void memory(Parser *ps, IrInsn *in, IrRmw rmw)
{
    IrMem mem = { .rmw = rmw };

    if (!expect(ps, "[")) {
        return;
    }
    in->a = operand(ps, IR_I64);
    in->b = IR_NONE;
    for (;;) {
        skip_space(ps);
        if (*ps->p != '+' && *ps->p != '-') {
            break;
        }
        bool minus = *ps->p++ == '-';
        const char *start = ps->p;
        skip_space(ps);
        bool indexed = *ps->p == 'v' || (strchr(ps->p, '*') && strchr(ps->p, '*') < strpbrk(ps->p, "]\n+"));
        if (indexed) {
            ps->p = start;
            in->b = operand(ps, IR_I64);
            expect(ps, "*");
            uint64_t scale = number(ps);
            if (!bits_is_pow2(scale) || scale > 8) {
                fail(ps, "scale %" PRIu64, scale);
                return;
            }
            mem.scale_log2 = (uint8_t)__builtin_ctzll(scale);
        } else {
            uint64_t disp = number(ps);
            mem.disp = (int32_t)(minus ? 0 - disp : disp);
        }
    }
    expect(ps, "]");
    mem.size_log2 = (uint8_t)log2_bytes(ps, &mem.sign);
    while (!ps->failed) {
        if (accept(ps, "be")) {
            mem.big_endian = true;
        } else if (accept(ps, "align2")) {
            mem.align = IR_ALIGN_TWICE;
        } else if (accept(ps, "align")) {
            mem.align = IR_ALIGN_FAULT;
        } else if (accept(ps, "seqcst")) {
            mem.order = IR_ORDER_SEQ_CST;
        } else if (accept(ps, "acq")) {
            mem.order = IR_ORDER_ACQUIRE;
        } else if (accept(ps, "rel")) {
            mem.order = IR_ORDER_RELEASE;
        } else if (accept(ps, "mmu")) {
            expect(ps, "=");
            mem.mmu_index = (uint8_t)number(ps);
        } else {
            break;
        }
    }
    in->aux = ps->unit->mem.n;
    *vec_push(&ps->unit->mem) = mem;
}

static unsigned slot_ref(Parser *ps)
{
    char name[32];

    if (!word(ps, name, sizeof(name))) {
        return 0;
    }
    for (unsigned i = 0; i < ps->unit->target->n_slots; i++) {
        if (!strcmp(ps->unit->target->slots[i].name, name)) {
            return i;
        }
    }
    fail(ps, "'%s' is no slot", name);
    return 0;
}

/* -- instructions ------------------------------------------------------------------------------------------ */

static void parse_exit(Parser *ps, IrInsn *in)
{
    IrExit e = { .kind = part_of(ps, 1, ir_exit_names, IR_N_EXIT_KINDS, "exit kind") };

    if (e.kind == IR_EXIT_LEAVE) {
        e.reason = part_of(ps, 2, ir_leave_names, IR_N_LEAVES, "reason");
        if (e.reason == VCPU_EXIT_TARGET && accept(ps, "+")) {
            e.reason += (uint8_t)number(ps);
        }
    }
    if (accept(ps, "pc")) {
        expect(ps, "=");
        e.pc = number(ps);
    } else {
        in->a = operand(ps, ps->unit->target->slots[ps->unit->target->pc_slot].type);
    }
    if (accept(ps, ",")) {
        expect(ps, "ret");
        expect(ps, "=");
        e.return_pc = number(ps);
    }
    in->aux = ps->unit->exits.n;
    *vec_push(&ps->unit->exits) = e;
}

static void parse_call(Parser *ps, IrInsn *in)
{
    const Target *target = ps->unit->target;
    char name[64];
    unsigned id;
    IrRef args[6];

    if (!word(ps, name, sizeof(name))) {
        return;
    }
    for (id = 0; id < target->n_helpers && strcmp(target->helpers[id].name, name); id++) {
    }
    if (id == target->n_helpers) {
        fail(ps, "'%s' is no helper", name);
        return;
    }
    in->aux = id;
    in->b = 0;
    expect(ps, "(");
    while (!ps->failed && !accept(ps, ")")) {
        if (in->b == 6 || in->b >= target->helpers[id].n_args) {
            fail(ps, "too many arguments for %s", name);
            return;
        }
        args[in->b] = operand(ps, target->helpers[id].arg[in->b]);
        in->b++;
        if (!accept(ps, ",") && *ps->p != ')') {
            fail(ps, "',' or ')' expected");
        }
    }
    in->a = ps->unit->args.n;
    for (unsigned i = 0; i < in->b; i++) {
        *vec_push(&ps->unit->args) = args[i];
    }
}

static unsigned flag_parts(Parser *ps, unsigned from)
{
    unsigned flags = 0;

    for (unsigned i = from; i < ps->n_parts; i++) {
        if (!strcmp(ps->part[i], "np")) {
            flags |= IR_FMA_NEG_PRODUCT;
        } else if (!strcmp(ps->part[i], "na")) {
            flags |= IR_FMA_NEG_ADDEND;
        } else if (!strcmp(ps->part[i], "low")) {
            flags |= IR_LANE_LOW;
        } else if (!strcmp(ps->part[i], "std")) {
            flags |= IR_FP_STD;
        } else if (!strcmp(ps->part[i], "rb")) {
            flags |= IR_FMA_REST_B;
        } else if (!strcmp(ps->part[i], "rc")) {
            flags |= IR_FMA_REST_C;
        } else if (!strcmp(ps->part[i], "exact")) {
            flags |= IR_ROUND_EXACT;
        } else {
            fail(ps, "'%s' is unknown", ps->part[i]);
        }
    }
    return flags;
}

/* The aux field as far as the mnemonic says it: parts 2 and on. */
static void parse_suffix(Parser *ps, IrInsn *in)
{
    const char *kind = strchr(ir_op_info[in->op].signature, '/');

    kind = kind ? kind + 1 : "";
    if (!strcmp(kind, "cond")) {
        in->aux = part_of(ps, 2, ir_cond_names, IR_N_CONDS, "condition");
    } else if (!strcmp(kind, "fcond")) {
        in->aux = part_of(ps, 2, ir_fp_cond_names, IR_N_FP_CONDS, "condition");
    } else if (!strcmp(kind, "rm")) {
        in->aux = part_of(ps, 2, ir_rounding_names, IR_N_ROUNDINGS, "rounding");
        in->aux |= flag_parts(ps, 3);
    } else if (!strcmp(kind, "lane")) {
        in->aux = part_of(ps, 2, ir_lane_names, IR_N_LANES, "lane size");
        in->aux |= flag_parts(ps, 3) << 4;
    } else if (in->op == IR_vget_lane || in->op == IR_vset_lane) {
        in->aux = part_of(ps, 2, ir_lane_names, IR_N_LANES, "lane size");
    } else if (in->op == IR_vcmp) {
        in->aux = part_of(ps, 2, ir_lane_names, IR_N_LANES, "lane size");
        in->aux |= part_of(ps, 3, ir_cond_names, IR_N_CONDS, "condition") << 4;
    } else if (in->op == IR_vfmin || in->op == IR_vfmax) {
        in->aux = part_of(ps, 2, ir_lane_names, IR_N_LANES, "lane size");
        in->aux |= part_of(ps, 3, ir_minmax_names, IR_N_MINMAX, "rule") << 4;
        in->aux |= flag_parts(ps, 4) << 4;
    } else if (in->op == IR_fmin || in->op == IR_fmax) {
        in->aux = part_of(ps, 2, ir_minmax_names, IR_N_MINMAX, "rule");
    }
}

static void parse_typed(Parser *ps, IrInsn *in)
{
    bool sign;

    in->type = part_of(ps, 1, ir_type_names, IR_N_TYPES, "type");
    parse_suffix(ps, in);
    switch (in->op) {
    case IR_get:
        in->aux = slot_ref(ps);
        return;
    case IR_kill:
        in->aux = slot_ref(ps);
        return;
    case IR_put:
        in->aux = slot_ref(ps);
        expect(ps, ",");
        in->a = operand(ps, in->type);
        return;
    case IR_ldenv: case IR_stenv:
        in->aux = log2_bytes(ps, &sign);
        in->aux |= sign ? IR_ENV_SIGN : 0;
        expect(ps, "@");
        in->b = (uint32_t)number(ps);
        if (in->op == IR_stenv) {
            expect(ps, ",");
            in->a = operand(ps, in->type);
        }
        return;
    case IR_ld: case IR_ll:
        memory(ps, in, 0);
        return;
    case IR_st:
        memory(ps, in, 0);
        expect(ps, ",");
        in->c = operand(ps, in->type);
        return;
    case IR_x87_out:
        in->c = (uint32_t)number(ps);
        return;
    case IR_x87_in:
        in->c = (uint32_t)number(ps);
        expect(ps, ",");
        in->a = operand(ps, in->type);
        return;
    case IR_rmw: case IR_sc: case IR_cas:
        memory(ps, in, in->op == IR_rmw ? part_of(ps, 2, ir_rmw_names, IR_N_RMWS, "operation") : 0);
        expect(ps, ",");
        in->b = operand(ps, in->type);
        if (in->op == IR_cas) {
            expect(ps, ",");
            in->c = operand(ps, in->type);
        }
        return;
    case IR_call:
        parse_call(ps, in);
        return;
    default:
        break;
    }

    for (unsigned i = 0; i < ir_op_info[in->op].n_operands; i++) {
        if (i) {
            expect(ps, ",");
        }
        IrRef ref = operand(ps, ir_text_operand_type(in, i));
        *(i == 0 ? &in->a : i == 1 ? &in->b : &in->c) = ref;
    }
    if (in->op == IR_bfx || in->op == IR_bfxs || in->op == IR_bfi) {
        expect(ps, ",");
        in->aux = number(ps) & 0xff;
        expect(ps, ",");
        in->aux |= number(ps) << 8;
    } else if (in->op == IR_vget_lane || in->op == IR_vset_lane) {
        expect(ps, ",");
        in->aux |= number(ps) << 4;
    } else if (strstr(ir_op_info[in->op].signature, "/imm")) {
        expect(ps, ",");
        in->aux = (uint16_t)number(ps);
    } else if (in->op == IR_brcond || in->op == IR_brnz) {
        expect(ps, ",");
        in->c = block_ref(ps);
        expect(ps, ",");
        in->c |= (uint32_t)block_ref(ps) << 16;
    }
}

static bool parse_mnemonic(Parser *ps)
{
    ps->n_parts = 0;
    do {
        if (ps->n_parts == MAX_PARTS || !word(ps, ps->part[ps->n_parts], sizeof(ps->part[0]))) {
            return fail(ps, "bad mnemonic");
        }
        ps->n_parts++;
    } while (*ps->p == '.' && ps->p++);
    return true;
}

static void parse_insn(Parser *ps)
{
    IrInsn in = { .a = IR_NONE, .b = IR_NONE, .c = IR_NONE };
    uint64_t name = UINT64_MAX;

    skip_space(ps);
    if (*ps->p == 'v' && isdigit((unsigned char)ps->p[1])) {
        ps->p++;
        name = number(ps);
        if (name >= MAX_VALUES) {
            fail(ps, "value number too large");
            return;
        }
        expect(ps, "=");
    }
    if (!parse_mnemonic(ps)) {
        return;
    }
    const char *op_name = !strcmp(ps->part[0], "insn") ? "insn_start" : ps->part[0];
    unsigned op;
    for (op = 0; op < IR_N_OPS && strcmp(ir_op_info[op].name, op_name); op++) {
    }
    if (op == IR_N_OPS) {
        fail(ps, "'%s' is no operation", ps->part[0]);
        return;
    }
    in.op = (uint8_t)op;
    switch (op) {
    case IR_nop: case IR_trap:
        break;
    case IR_const:
        fail(ps, "constants stand where they are used");
        return;
    case IR_insn_start:
        in.imm = number(ps);
        in.a = (uint32_t)number(ps);
        break;
    case IR_poll:
        in.imm = number(ps);
        break;
    case IR_icount:
        in.aux = (uint16_t)number(ps);
        expect(ps, ",");
        in.imm = number(ps);
        break;
    case IR_fence:
        in.aux = (uint16_t)number(ps);
        break;
    case IR_br:
        in.a = block_ref(ps);
        break;
    case IR_x87: case IR_x87_mem:
        in.c = (uint32_t)number(ps);
        if (op == IR_x87_mem) {
            expect(ps, ",");
            memory(ps, &in, 0);
        }
        break;
    case IR_exit:
        parse_exit(ps, &in);
        break;
    default:
        parse_typed(ps, &in);
        break;
    }
    if (ps->failed) {
        return;
    }
    if (!at_end(ps)) {
        fail(ps, "junk at the end of the line");
        return;
    }
    bool has_value = ir_op_info[op].signature[0] != '-' && in.type != IR_VOID;
    if (has_value != (name != UINT64_MAX)) {
        fail(ps, has_value ? "the value needs a name" : "there is no value to name");
        return;
    }
    IrRef ref = append(ps, in);
    if (has_value) {
        while (ps->values.n <= name) {
            *vec_push(&ps->values) = IR_NONE;
        }
        ps->values.at[name] = ref;
    }
    if (ir_op_info[op].flags & IR_OP_TERM) {
        ps->unit->blocks.at[ps->block].end = ps->unit->insns.n;
        ps->block = -1;
    }
}

static void parse_block_head(Parser *ps)
{
    uint16_t block = block_ref(ps), pred = 0, flags = 0;

    if (ps->failed) {
        return;
    }
    if (ps->block >= 0) {
        fail(ps, "b%d has no terminator", ps->block);
        return;
    }
    if (ps->unit->blocks.at[block].end) {
        fail(ps, "b%u stands twice", block);
        return;
    }
    if (accept(ps, "merge")) {
        flags = IR_BLOCK_MERGE;
    } else if (accept(ps, "loop")) {
        flags = IR_BLOCK_MERGE | IR_BLOCK_LOOP;
    } else if (accept(ps, "tree")) {
        pred = block_ref(ps);
    } else {
        fail(ps, "merge, loop or tree expected");
        return;
    }
    if (accept(ps, "cold")) {
        flags |= IR_BLOCK_COLD;
    }
    vaddr pc = 0;
    if (accept(ps, "pc")) {
        expect(ps, "=");
        pc = number(ps);
    }
    expect(ps, ":");
    ps->unit->blocks.at[block] = (IrBlock){
        .first = ps->unit->insns.n, .flags = flags, .pred = pred, .pc = pc };
    ps->block = block;
}

static void parse_unit_line(Parser *ps)
{
    IrUnit *unit = ps->unit;

    while (!ps->failed && !at_end(ps)) {
        if (accept(ps, "pc")) {
            expect(ps, "=");
            unit->pc = number(ps);
        } else if (accept(ps, "mode")) {
            expect(ps, "=");
            unit->mode = number(ps);
        } else if (accept(ps, "softmmu")) {
            unit->softmmu = true;
        } else if (accept(ps, "addr32")) {
            unit->addr32 = true;
        } else if (accept(ps, "addr56")) {
            unit->addr56 = true;
        } else if (accept(ps, "gb0")) {
            unit->guest_base_zero = true;
        } else if (accept(ps, "parallel")) {
            unit->parallel = true;
        } else {
            fail(ps, "unknown property of the unit");
        }
    }
}

static void parse_line(Parser *ps)
{
    if (at_end(ps)) {
        return;
    }
    if (accept(ps, "unit")) {
        parse_unit_line(ps);
    } else if (*ps->p == 'b' && isdigit((unsigned char)ps->p[1])) {
        parse_block_head(ps);
    } else if (ps->block < 0) {
        fail(ps, "instruction outside a block");
    } else {
        parse_insn(ps);
    }
    if (!ps->failed && !at_end(ps)) {
        fail(ps, "junk at the end of the line");
    }
}

bool ir_parse(IrUnit *unit, const char *text, Error **errp)
{
    Parser ps = { .unit = unit, .p = text, .line = 1, .block = -1 };

    ir_unit_reset(unit);
    unit->pc = unit->mode = 0;
    unit->softmmu = unit->addr32 = unit->addr56 = unit->guest_base_zero = unit->parallel = false;
    while (!ps.failed && *ps.p) {
        parse_line(&ps);
        if (!ps.failed) {
            const char *end = strchr(ps.p, '\n');
            ps.p = end ? end + 1 : ps.p + strlen(ps.p);
            ps.line++;
        }
    }
    if (!ps.failed && ps.block >= 0) {
        fail(&ps, "b%d has no terminator", ps.block);
    }
    if (!ps.failed && !unit->blocks.n) {
        fail(&ps, "no block");
    }
    vec_free(&ps.values);
    if (ps.failed) {
        error_set(errp, "IR text, line %u: %s", ps.line, ps.why);
        return false;
    }
    ir_unit_facts(unit);
    return true;
}
