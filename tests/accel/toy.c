/*
 * toy.c: the toy target and the toy host of toy.h.
 */
#include <pthread.h>
#include "tcg/host.h"
#include "tcg/interp.h"
#include "toy.h"

void (*toy_hook)(Vcpu *vcpu, unsigned reg);

/* ---- helpers ---- */

static void help_sync(Vcpu *vcpu)
{
    tcg_icache_sync(vcpu);
}

static void help_illegal(Vcpu *vcpu, uint64_t insn)
{
    vcpu_raise(vcpu, 2, insn);
}

static void help_svc(Vcpu *vcpu, uint64_t reg)
{
    if (toy_hook) {
        toy_hook(vcpu, reg);
    }
}

enum { HELP_SYNC, HELP_ILLEGAL, HELP_SVC };

static const HelperDesc helpers[] = {
    [HELP_SYNC] = { "sync", (void *)help_sync, HELPER_VCPU | HELPER_RAISES, IR_VOID, 0, { 0 } },
    [HELP_ILLEGAL] = { "illegal", (void *)help_illegal, HELPER_VCPU | HELPER_RAISES | HELPER_NORETURN,
                       IR_VOID, 1, { IR_I64 } },
    [HELP_SVC] = { "svc", (void *)help_svc, HELPER_VCPU | HELPER_RAISES | HELPER_WRITES_STATE, IR_VOID,
                   1, { IR_I64 } },
};

/* ---- front end ---- */

static unsigned insn_length(unsigned op)
{
    switch (op) {
    case TOY_ADDI: case TOY_BNEZ: case TOY_JMP: case TOY_CALL: case TOY_LI:
        return 4;
    default:
        return 2;
    }
}

static bool fetch(TransCtx *ctx, vaddr pc, uint8_t insn[4], unsigned *ret_length)
{
    if (!trans_fetch(ctx, pc, insn, 2)) {
        return false;
    }
    *ret_length = insn_length(insn[0]);
    return *ret_length == 2 || trans_fetch(ctx, pc + 2, insn + 2, 2);
}

static bool toy_scan(TransCtx *ctx, vaddr pc, ScanInsn *ret)
{
    uint8_t insn[4];
    unsigned length;
    if (!fetch(ctx, pc, insn, &length)) {
        return false;
    }
    ret->length = length;
    ret->kind = SCAN_NORMAL;
    switch (insn[0]) {
    case TOY_BNEZ:
        ret->kind = SCAN_BRANCH;
        break;
    case TOY_JMP:
        ret->kind = SCAN_JUMP;
        break;
    case TOY_CALL:
        ret->kind = SCAN_CALL;
        break;
    case TOY_JR:
        ret->kind = SCAN_INDIRECT;
        break;
    case TOY_SYS: case TOY_SYNC: case TOY_MODE: case TOY_SVC:
        ret->kind = SCAN_STOP;
        break;
    }
    if (length == 4) {
        ret->target = pc + (int16_t)ldle16(insn + 2);
    }
    return true;
}

static void toy_translate(TransCtx *ctx)
{
    IrBuilder *b = ctx->b;
    uint8_t insn[4] = { 0 };
    unsigned length;
    IrMem mem = { .size_log2 = 3, .mmu_index = 0 };
    if (!fetch(ctx, ctx->pc, insn, &length)) {
        abort();
    }
    unsigned ra = insn[1] >> 4, rb = insn[1] & 15;
    int64_t imm = (int16_t)ldle16(insn + 2);
    vaddr target = ctx->pc + imm;
    ctx->next_pc = ctx->pc + length;
    switch (insn[0]) {
    case TOY_NOP:
        break;
    case TOY_ADDI:
        ir_put(b, ra, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, ra), imm));
        break;
    case TOY_LI:
        ir_put(b, ra, ir_i64(b, imm));
        break;
    case TOY_ADD:
        ir_put(b, ra, ir_op2(b, IR_add, IR_I64, ir_get(b, ra), ir_get(b, rb)));
        break;
    case TOY_BNEZ:
        trans_branch(ctx, IR_NE, ir_get(b, ra), ir_i64(b, 0), target);
        break;
    case TOY_JMP:
        trans_jump(ctx, target);
        break;
    case TOY_CALL:
        ir_put(b, 15, ir_i64(b, ctx->next_pc));
        trans_call(ctx, target, ctx->next_pc);
        break;
    case TOY_JR:
        trans_jump_indirect(ctx, ra == 15 ? IR_EXIT_RETURN : IR_EXIT_INDIRECT, ir_get(b, ra), 0);
        break;
    case TOY_SYS:
        trans_leave(ctx, VCPU_EXIT_SYSCALL, ctx->pc);
        break;
    case TOY_LD:
        ir_put(b, ra, ir_load(b, IR_I64, ir_get(b, rb), IR_NONE, mem));
        break;
    case TOY_ST:
        ir_store(b, ir_get(b, ra), IR_NONE, ir_get(b, rb), mem);
        break;
    case TOY_AMOADD:
        mem.rmw = IR_RMW_ADD;
        mem.order = IR_ORDER_SEQ_CST;
        ir_put(b, ra, ir_rmw(b, IR_I64, ir_get(b, rb), ir_get(b, ra), mem));
        break;
    case TOY_ALONE:
        if (b->unit->parallel) {
            trans_leave(ctx, VCPU_EXIT_ATOMIC, ctx->pc);
        } else {
            ir_put(b, ra, ir_op2_imm(b, IR_add, IR_I64, ir_get(b, ra), 1));
        }
        break;
    case TOY_SYNC:
        ir_call(b, HELP_SYNC, 0, NULL);
        trans_leave(ctx, VCPU_EXIT_FLUSH, ctx->next_pc);
        break;
    case TOY_MODE:
        ir_stenv(b, offsetof(ToyState, mode), 8, ir_get(b, ra));
        trans_leave(ctx, VCPU_EXIT_FLUSH, ctx->next_pc);
        break;
    case TOY_SVC:
        ir_call(b, HELP_SVC, 1, (IrRef[]){ ir_i64(b, ra) });
        trans_leave(ctx, VCPU_EXIT_FLUSH, ctx->next_pc);
        break;
    default:
        ir_call(b, HELP_ILLEGAL, 1, (IrRef[]){ ir_i64(b, insn[0]) });
        ir_trap(b);
        break;
    }
}

static uint64_t toy_mode(const Vcpu *vcpu)
{
    return ((const ToyState *)vcpu->state)->mode;
}

static bool toy_begin(TransCtx *ctx)
{
    return true;
}

static vaddr toy_get_pc(const Vcpu *vcpu)
{
    return ((const ToyState *)vcpu->state)->pc;
}

static void toy_set_pc(Vcpu *vcpu, vaddr pc)
{
    toy_state(vcpu)->pc = pc;
}

static size_t toy_disas(vaddr pc, const uint8_t *bytes, size_t n, uint64_t mode, char *out, size_t size)
{
    snprintf(out, size, "op%u %u,%u", bytes[0], bytes[1] >> 4, bytes[1] & 15);
    return insn_length(bytes[0]);
}

#define SLOT(n) { "r" #n, offsetof(ToyState, r[n]), IR_I64 }
static const SlotDesc slots[] = {
    SLOT(0), SLOT(1), SLOT(2), SLOT(3), SLOT(4), SLOT(5), SLOT(6), SLOT(7), SLOT(8), SLOT(9), SLOT(10),
    SLOT(11), SLOT(12), SLOT(13), SLOT(14), SLOT(15),
    { "pc", offsetof(ToyState, pc), IR_I64 },
};

const Target toy_target = {
    .name = "toy",
    .word_bits = 64,
    .pc_shift = 1,
    .max_insn_bytes = 4,
    .page_bits = 12,
    .slots = slots,
    .n_slots = ARRAY_SIZE(slots),
    .pc_slot = 16,
    .state_size_bytes = sizeof(ToyState),
    .helpers = helpers,
    .n_helpers = ARRAY_SIZE(helpers),
    .n_mmu_modes = 2,
    .trans_mode = toy_mode,
    .trans_begin = toy_begin,
    .scan = toy_scan,
    .translate = toy_translate,
    .disas = toy_disas,
    .get_pc = toy_get_pc,
    .set_pc = toy_set_pc,
};

/* ---- host: code is a pointer to the unit's copy, then two words for each link ---- */

typedef struct ToyCode {
    uint64_t magic;
    const IrUnit *ir;
    uint32_t n_links;
    uint32_t pad;
    struct { int32_t distance; uint32_t exit; } link[];
} ToyCode;

enum { TOY_MAGIC = 0x746f79 };

struct HostCompiler { HostLink links[1024]; };

static HostCompiler *compiler_new(void)
{
    return calloc(1, sizeof(HostCompiler));
}

static void compiler_free(HostCompiler *hc)
{
    free(hc);
}

/* Copies are never freed: a test ends soon. They stay reachable for leak checkers. */
static struct { pthread_mutex_t lock; VEC(IrUnit *) units; } copies = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const IrUnit *keep_copy(const IrUnit *from)
{
    IrUnit *to = xmemdup(from, sizeof(*from));
#define COPY(v) (to->v.at = to->v.n ? xmemdup(from->v.at, from->v.n * sizeof(*from->v.at)) : NULL)
    COPY(insns);
    COPY(blocks);
    COPY(mem);
    COPY(exits);
    COPY(args);
    COPY(vconst);
#undef COPY
    pthread_mutex_lock(&copies.lock);
    *vec_push(&copies.units) = to;
    pthread_mutex_unlock(&copies.lock);
    return to;
}

static bool compile(HostCompiler *hc, const IrUnit *unit, uint8_t *out, size_t room_bytes, HostCode *ret)
{
    ToyCode *code = (ToyCode *)out;
    size_t size = sizeof(*code) + unit->exits.n * 8 * 2;
    if (room_bytes < size || unit->exits.n > ARRAY_SIZE(hc->links)) {
        return false;
    }
    code->magic = TOY_MAGIC;
    code->ir = keep_copy(unit);
    uint32_t n = 0;
    for (uint32_t i = 0; i < unit->exits.n; i++) {
        unsigned kind = unit->exits.at[i].kind;
        if (kind == IR_EXIT_JUMP || kind == IR_EXIT_CALL) {
            uint32_t patch = offsetof(ToyCode, link[n]);
            uint32_t stub = offsetof(ToyCode, link[unit->exits.n + n]);
            code->link[n].distance = stub - (patch + 4);
            code->link[n].exit = i;
            hc->links[n++] = (HostLink){ .patch = patch, .stub = stub, .exit = i };
        }
    }
    code->n_links = n;
    *ret = (HostCode){ .size_bytes = size, .links = hc->links, .n_links = n };
    return true;
}

static size_t runtime_emit(uint8_t *out, size_t room_bytes, const uint8_t *rx)
{
    out[0] = 0xcc;
    return 1;
}

static void host_vcpu_init(Vcpu *vcpu, const uint8_t *runtime_rx)
{
}

static HostResult enter(Vcpu *vcpu, const void *at)
{
    for (;;) {
        const ToyCode *code = at;
        if (code->magic != TOY_MAGIC) {
            abort();
        }
        VcpuExit reason = interp_run(vcpu, code->ir);
        if (reason != VCPU_EXIT_NONE) {
            return (HostResult){ .reason = reason };
        }
        vaddr pc = toy_get_pc(vcpu);
        at = NULL;
        for (uint32_t i = 0; i < code->n_links && !at; i++) {
            const IrExit *e = &code->ir->exits.at[code->link[i].exit];
            if (e->pc == pc) {
                const uint8_t *patch = (const uint8_t *)&code->link[i].distance;
                int32_t d = __atomic_load_n(&code->link[i].distance, __ATOMIC_ACQUIRE);
                at = patch + 4 + d;
                if ((const uint8_t *)at < (const uint8_t *)code + sizeof(*code) + code->ir->exits.n * 16
                    && (const uint8_t *)at > (const uint8_t *)code) {
                    return (HostResult){ .reason = VCPU_EXIT_NONE, .link = patch };
                }
            }
        }
        if (!at) {
            JumpCacheEntry *e = &vcpu->jit.jump_cache[jump_cache_index(1, pc)];
            if (__atomic_load_n(&e->pc, __ATOMIC_ACQUIRE) == pc) {
                at = __atomic_load_n(&e->code, __ATOMIC_RELAXED);
            }
            if (!at) {
                at = tcg_lookup(vcpu);
            }
            if (!at) {
                return (HostResult){ .reason = VCPU_EXIT_NONE };
            }
        }
    }
}

static void toy_link(uint8_t *patch_rw, const uint8_t *patch_rx, const uint8_t *target_rx)
{
    __atomic_store_n((int32_t *)patch_rw, (int32_t)(target_rx - patch_rx - 4), __ATOMIC_RELEASE);
}

const HostOps toy_host = {
    .name = "toy",
    .compiler_new = compiler_new,
    .compiler_free = compiler_free,
    .compile = compile,
    .runtime_emit = runtime_emit,
    .vcpu_init = host_vcpu_init,
    .enter = enter,
    .link = toy_link,
};
