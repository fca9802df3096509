/*
 * lower-mem.c: guest memory: loads, stores, atomics, fences.
 *
 * User mode: one host instruction; a host fault is the guest's. System mode: the inline TLB check of
 * vcpu.h. What fails the check, and misaligned accesses that must fault, go out of line through the
 * trampolines of frame.c; a register that holds slots' contents is not written before the access is done.
 * Accesses at one base share a check (host.h); out of line they try a check of their own before the slow path.
 * Streams compare the pointer with its bound, and are looked up out of line.
 *
 * Order: temporaries, then ra_consume, ra_dest, then code: everything the allocator does about an
 * instruction stands before the site its snapshot describes.
 */
#include "tcg/x86_64/host.h"

static inline bool is_addr32(const HostCompiler *hc, IrRef base)
{
    return hc->unit->addr32 || val_type(hc, base) == IR_I32;
}

/* The guest address as an lea operand; registers pinned. */
static Mem guest_operand(HostCompiler *hc, const IrInsn *in, const IrMem *mem, bool has_index)
{
    IrRef base = hc->ops[0], index = has_index ? hc->ops[1] : IR_NONE;
    Mem m = { .base = NO_REG, .index = NO_REG, .disp = mem->disp };
    if (val_is_const(hc, base)) {
        uint64_t imm = hc->insns[base].imm + (uint64_t)(int64_t)mem->disp;
        if (is_addr32(hc, base)) {
            imm = (uint32_t)imm;
        }
        if (index == IR_NONE && imm <= INT32_MAX) {
            m.disp = (int32_t)imm;
            return m;
        }
    }
    m.base = ra_use(hc, base);
    if (index != IR_NONE) {
        m.index = ra_use(hc, index);
        m.scale = mem->scale_log2;
    }
    return m;
}

static void without_top_byte(HostCompiler *hc, Reg addr)
{
    x_shift_ri(&hc->as, true, S_SHL, addr, 8);
    x_shift_ri(&hc->as, true, S_SHR, addr, 8);
}

static Mem user_operand(HostCompiler *hc, Mem g, bool wrap32)
{
    bool zero = hc->unit->guest_base_zero;
    if (g.base == NO_REG) {
        return zero ? g : mem_bd(REG_BASE, g.disp);
    }
    if (wrap32) {
        /* The sum wraps at 4 GiB. */
        if (g.index == NO_REG && g.disp == 0) {
            x_mov_rr(&hc->as, false, REG_TMP, g.base);
        } else {
            x_lea(&hc->as, false, REG_TMP, g);
        }
        return zero ? mem_bd(REG_TMP, 0) : mem_bi(REG_BASE, REG_TMP, 0, 0);
    }
    if (hc->unit->addr56) {
        if (g.index == NO_REG && g.disp == 0) {
            x_mov_rr(&hc->as, true, REG_TMP, g.base);
        } else {
            x_lea(&hc->as, true, REG_TMP, g);
        }
        without_top_byte(hc, REG_TMP);
        return zero ? mem_bd(REG_TMP, 0) : mem_bi(REG_BASE, REG_TMP, 0, 0);
    }
    if (zero) {
        return g;
    }
    if (g.index == NO_REG) {
        return mem_bi(REG_BASE, g.base, 0, g.disp);
    }
    x_lea(&hc->as, true, REG_TMP, g);
    return mem_bi(REG_BASE, REG_TMP, 0, 0);
}

/* ---- slow paths ---- */

static void emit_site(HostCompiler *hc, const IrMem *mem, uint32_t lea_pos, uint32_t inline_site)
{
    Asm *as = &hc->as;
    while (x_offset(as) & 3) {
        x_u8(as, 0xcc);
    }
    uint32_t at = x_offset(as);
    int32_t rel = (int32_t)(at - (lea_pos + 4));
    memcpy(as->start + lea_pos, &rel, 4);
    SlowSite site;
    memset(&site, 0, sizeof(site));
    site.mem = *mem;
    site.site_delta = (int32_t)(inline_site - at);
    memcpy(as->cur, &site, sizeof(site));
    as->cur += sizeof(site);
}

/* Calls a slow path with the guest address in register addr (or r11). Returns where the site goes. */
static uint32_t emit_slow_call(HostCompiler *hc, const Ool *o, RuntimeEntry entry)
{
    Asm *as = &hc->as;
    Reg addr = o->r[0];
    if (addr == NO_REG) {
        if (o->mem.base == NO_REG) {
            x_mov_ri(as, REG_TMP, (uint32_t)o->mem.disp);
        } else {
            x_lea(as, !o->x, REG_TMP, o->mem);
        }
        addr = REG_TMP;
    }
    x_store(as, 3, arg_mem(0), addr);
    x_lea(as, true, REG_TMP, mem_bd(X_RIP, 0));
    uint32_t lea_pos = x_offset(as) - 4;
    x_rm(as, 0xff, 2, JIT_MEM(scratch[SCRATCH_ENTRY + entry]));
    return lea_pos;
}

/* What is mapped may have changed: addends in registers and spill places are no longer good. */
static void forget_addends(HostCompiler *hc, const Ool *o)
{
    for (uint32_t m = o->addend_regs; m; m &= m - 1) {
        x_alu_ri(&hc->as, true, A_OR, __builtin_ctz(m), ADDEND_NONE);
    }
    for (uint64_t m = o->addend_spills; m; m &= m - 1) {
        x_mov_mi(&hc->as, 3, spill_mem(__builtin_ctzll(m)), ADDEND_NONE);
    }
    x64_streams_reset(hc, o->streams);
}

static Mem stream_mem(unsigned n, unsigned field_offset)
{
    return mem_plus(JIT_MEM(stream), n * (int)sizeof(StreamEntry) + (int)field_offset);
}

/* No pointer is below 0 or above the last address. */
void x64_streams_reset(HostCompiler *hc, const uint8_t streams[2])
{
    for (unsigned down = 0; down < 2; down++) {
        for (unsigned m = streams[down]; m; m &= m - 1) {
            x_mov_mi(&hc->as, 3, stream_mem(__builtin_ctz(m), offsetof(StreamEntry, bound)), down ? -1 : 0);
        }
    }
}

/* r11 = the TLB entry of guest address g, then flags = its tag against the page of byte `last`, masked; temporary t. */
static void emit_tlb_compare(HostCompiler *hc, Mem g, Mem last, unsigned mmu_index, bool write, int32_t low_mask, Reg t)
{
    Asm *as = &hc->as;
    unsigned page_bits = hc->target->page_bits;
    int32_t page_mask = -(1 << page_bits) | low_mask;
    Mem mask = JIT_MEM(tlb[0].mask), table = JIT_MEM(tlb[0].table);
    mask.disp += mmu_index * (int)sizeof(TlbFast);
    table.disp += mmu_index * (int)sizeof(TlbFast);
    static_assert(sizeof(TlbEntry) == 32, "shift below");
    if (g.index == NO_REG && !g.disp) {
        x_mov_rr(as, true, REG_TMP, g.base);
    } else {
        x_lea(as, true, REG_TMP, g);
    }
    x_shift_ri(as, true, S_SHR, REG_TMP, page_bits - 5);
    x_alu_rm(as, true, A_AND, REG_TMP, mask);
    x_alu_rm(as, true, A_ADD, REG_TMP, table);
    if (last.disp) {
        x_lea(as, true, t, last);
    } else {
        x_mov_rr(as, true, t, last.base);
    }
    x_alu_ri(as, true, A_AND, t, page_mask);
    x_alu_rm(as, true, A_CMP, t, mem_bd(REG_TMP, write ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read)));
}

enum { STREAM_MARGIN = 16384 }; /* a page, the displacement and a turn of the loop, and some more */
static const Mem entry_addend = { .base = REG_TMP, .index = NO_REG, .disp = offsetof(TlbEntry, addend) };

/* After a slow path: the entry may be there now. */
static void group_check_again(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    const MemGroup *mg = o->group;
    Reg base = o->mem.base;
    emit_tlb_compare(hc, mem_bd(base, mg->lo), mem_bd(base, mg->hi - 1), mg->mmu_index, mg->write, 0, o->addend);
    x_mov_ri(as, o->addend, (uint64_t)ADDEND_NONE);
    uint8_t *none = x_jcc8(as, CC_NE);
    x_rm(as, I_MOV_LD | X_W, o->addend, entry_addend);
    x_bind8(as, none);
}

static void after_slow(HostCompiler *hc, const Ool *o)
{
    if (o->leads) {
        group_check_again(hc, o);
    }
    forget_addends(hc, o);
}

static void load_plain(HostCompiler *hc, const IrMem *mem, unsigned type, Reg d, Mem m)
{
    if (ir_type_is_int(type)) {
        x_load(&hc->as, mem->size_log2, mem->sign, type == IR_I64, d, m);
    } else if (type == IR_V128 && mem->size_log2 < 4) {
        ra_load(hc, d, mem->size_log2 == 2 ? IR_F32 : IR_F64, m); /* zeroes the rest */
    } else {
        ra_load(hc, d, type, m);
    }
}

static void emit_slow_load(HostCompiler *hc, const Ool *o)
{
    const IrInsn *in = &hc->insns[o->insn];
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    bool vec = ir_type_is_vec(in->type);
    uint32_t lea = emit_slow_call(hc, o, vec ? RT_SLOW_LOAD_VEC : RT_SLOW_LOAD);
    load_plain(hc, mem, in->type, o->r[1], vec ? spill_mem(SPILL_VEC_ARG) : arg_mem(0));
    after_slow(hc, o);
    ool_back(hc, o);
    emit_site(hc, mem, lea, o->site);
}

static void emit_slow_store(HostCompiler *hc, const Ool *o)
{
    const IrInsn *in = &hc->insns[o->insn];
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    bool vec = ir_type_is_vec(in->type);
    if (o->r[1] == NO_REG) {
        if (o->imm == (uint64_t)(int32_t)o->imm) {
            x_mov_mi(&hc->as, 3, arg_mem(1), (int32_t)o->imm);
        } else {
            x_mov_mi(&hc->as, 2, arg_mem(1), (int32_t)o->imm);
            x_mov_mi(&hc->as, 2, mem_plus(arg_mem(1), 4), (int32_t)(o->imm >> 32));
        }
    } else if (vec) {
        ra_store(hc, spill_mem(SPILL_VEC_ARG), in->type, o->r[1]);
    } else {
        ra_store(hc, arg_mem(1), ir_type_is_int(in->type) ? IR_I64 : in->type, o->r[1]);
    }
    uint32_t lea = emit_slow_call(hc, o, vec ? RT_SLOW_STORE_VEC : RT_SLOW_STORE);
    after_slow(hc, o);
    ool_back(hc, o);
    emit_site(hc, mem, lea, o->site);
}

static void emit_slow_atomic(HostCompiler *hc, const Ool *o)
{
    const IrMem *mem = &hc->unit->mem.at[hc->insns[o->insn].aux];
    uint32_t lea = emit_slow_call(hc, o, RT_SLOW_ATOMIC);
    x_load(&hc->as, 3, false, true, o->r[1], arg_mem(0));
    forget_addends(hc, o);
    ool_back(hc, o);
    emit_site(hc, mem, lea, o->site);
}

static void emit_own_check(HostCompiler *hc, const Ool *o);
static void emit_stream_look_up(HostCompiler *hc, const Ool *o);

/* ---- the check in front of an access ---- */

typedef struct Check {
    bool softmmu;
    int32_t align; /* address bits that must be zero */
    Reg addr;      /* softmmu: complete guest address */
    Reg compare;   /* softmmu: temporary; of a group's leader: its addend's register */
    const MemGroup *group;
    IrRef addend;  /* of the group; IR_NONE: no group */
    bool leads, stream;
    Reg known;     /* follower: register of the addend */
    Mem guest;
    bool wrap32;
    size_t ool[2]; /* out-of-line entries; their r[1], imm and back are the caller's to set */
    unsigned n_ool;
} Check;

/* Before ra_consume: operands and temporaries. plain: a load or store, which may have an index. */
static void check_begin(HostCompiler *hc, const IrInsn *in, const IrMem *mem, bool plain, Check *ck)
{
    *ck = (Check){ .softmmu = hc->unit->softmmu, .addr = NO_REG, .addend = IR_NONE };
    ck->align = (int32_t)ir_mem_align_mask(mem);
    ck->guest = guest_operand(hc, in, mem, plain);
    ck->wrap32 = is_addr32(hc, hc->ops[0]);
    if (!ck->softmmu) {
        return;
    }
    Mem g = ck->guest;
    unsigned led = plain ? group_led(hc, hc->i) : NO_INDEX, followed = plain ? group_followed(hc, hc->i) : NO_INDEX;
    unsigned own = plain && hc->group_of ? hc->group_of[hc->i] : NO_INDEX;
    if (own != NO_INDEX && followed == NO_INDEX && hc->group.at[own].stream != NO_STREAM) {
        ck->group = &hc->group.at[own];
        ck->addend = group_value(hc, own);
        ck->leads = led != NO_INDEX;
        ck->stream = true;
        ck->compare = ra_temp(hc, REGS_GPR);
        return;
    }
    if (led != NO_INDEX || followed != NO_INDEX) {
        unsigned in_force = led != NO_INDEX ? led : followed;
        ck->group = &hc->group.at[in_force];
        ck->addend = group_value(hc, in_force);
        ck->leads = led != NO_INDEX;
        if (ck->leads) {
            ck->compare = ra_temp(hc, REGS_GPR);
        } else {
            ck->known = ra_use(hc, ck->addend);
        }
        return;
    }
    if (g.base != NO_REG && g.index == NO_REG && g.disp == 0 && !ck->wrap32) {
        ck->addr = g.base;
    } else if (plain && g.base != NO_REG && g.index == NO_REG && !ck->wrap32 && g.disp < INT32_MAX - 32) {
        /* base + disp: the sum is not needed in a register. */
    } else {
        ck->addr = ra_temp(hc, REGS_GPR);
    }
    ck->compare = ra_temp(hc, REGS_GPR);
}

/* What registers and spill places hold addends at this point. */
static void ool_addends(HostCompiler *hc, Ool *o)
{
    uint16_t core = hc->block[hc->b].core;
    if (core != NO_INDEX) {
        memcpy(o->streams, hc->block[core].streams, sizeof(o->streams));
    }
    if (!hc->group.n) {
        return;
    }
    for (uint32_t m = hc->used; m; m &= m - 1) {
        unsigned r = __builtin_ctz(m);
        o->addend_regs |= val_is_addend(hc, hc->st.reg_val[r]) ? 1u << r : 0;
    }
    for (uint64_t m = hc->st.spill_used & ~SPILLS_RESERVED; m; m &= m - 1) {
        unsigned place = __builtin_ctzll(m);
        o->addend_spills |= val_is_addend(hc, hc->st.spill_val[place]) ? BIT(place) : 0;
    }
}

static Mem group_check(HostCompiler *hc, Check *ck)
{
    Asm *as = &hc->as;
    const MemGroup *mg = ck->group;
    Mem g = ck->guest;
    Reg addend = ck->leads || ck->stream ? ck->compare : ck->known;
    if (ck->stream) {
        x_alu_rm(as, true, A_CMP, g.base, stream_mem(mg->stream, offsetof(StreamEntry, bound)));
    } else if (ck->leads) {
        emit_tlb_compare(hc, mem_bd(g.base, mg->lo), mem_bd(g.base, mg->hi - 1), mg->mmu_index, mg->write, 0, addend);
    } else {
        x_alu_ri(as, true, A_CMP, addend, ADDEND_NONE);
    }
    uint32_t site = x_offset(as);
    unsigned fails = ck->stream ? mg->down ? CC_BE : CC_AE : ck->leads ? CC_NE : CC_E;
    Ool *o = ool_jcc(hc, fails, ck->stream ? emit_stream_look_up : emit_own_check);
    o->r[0] = NO_REG;
    o->mem = g;
    o->site = site;
    o->group = mg;
    o->addend = addend;
    o->leads = ck->leads;
    o->resume = x_offset(as);
    ool_addends(hc, o);
    ck->ool[ck->n_ool++] = o - hc->ool.at;
    if (ck->stream) {
        x_rm(as, I_MOV_LD | X_W, addend, stream_mem(mg->stream, offsetof(StreamEntry, addend)));
    } else if (ck->leads) {
        x_rm(as, I_MOV_LD | X_W, addend, entry_addend);
    }
    if (ck->leads) {
        ra_adopt(hc, ck->addend, addend);
    }
    return mem_bi(addend, g.base, 0, g.disp);
}

/*
 * After ra_dest: emits the check and returns the host operand. Each failing branch leads to `slow`,
 * whose Ool knows the guest address.
 */
static Mem check_emit(HostCompiler *hc, const IrMem *mem, bool write, Check *ck,
                      void (*slow)(HostCompiler *, const Ool *))
{
    Asm *as = &hc->as;
    unsigned size = 1u << mem->size_log2;

    if (!ck->softmmu) {
        if (ck->align) {
            if (ck->guest.base == NO_REG) {
                if (ck->guest.disp & ck->align) {
                    x_jmp_rel32(as);
                    Ool *o = ool_new(hc, slow, x_offset(as) - 4);
                    o->r[0] = NO_REG;
                    o->mem = ck->guest;
                    o->x = ck->wrap32;
                    o->site = x_offset(as) - 5;
                    ck->ool[ck->n_ool++] = o - hc->ool.at;
                }
            } else {
                Reg low = ck->guest.base;
                if (ck->guest.index != NO_REG || (ck->guest.disp & ck->align)) {
                    x_lea(as, true, REG_TMP, ck->guest);
                    low = REG_TMP;
                }
                x_test_ri(as, false, low, ck->align);
                uint32_t site = x_offset(as);
                Ool *o = ool_jcc(hc, CC_NE, slow);
                o->r[0] = NO_REG;
                o->mem = ck->guest;
                o->x = ck->wrap32;
                o->site = site;
                ck->ool[ck->n_ool++] = o - hc->ool.at;
            }
        }
        return user_operand(hc, ck->guest, ck->wrap32);
    }
    if (ck->addend != IR_NONE) {
        return group_check(hc, ck);
    }
    Mem g = ck->guest;
    Reg addr = ck->addr;
    if (addr != NO_REG) {
        if (g.base == NO_REG) {
            x_mov_ri(as, addr, (uint32_t)g.disp);
        } else if (addr != g.base) {
            x_lea(as, !ck->wrap32, addr, g);
        }
        g = mem_bd(addr, 0);
    }
    /* The page of the last byte: an access across pages has no entry. */
    Mem last = mem_plus(g, ck->align ? 0 : (int32_t)size - 1);
    emit_tlb_compare(hc, g, last, mem->mmu_index, write, ck->align, ck->compare);
    uint32_t site = x_offset(as);
    Ool *o = ool_jcc(hc, CC_NE, slow);
    o->r[0] = addr;
    o->mem = g;
    o->x = false;
    o->site = site;
    ool_addends(hc, o);
    ck->ool[ck->n_ool++] = o - hc->ool.at;
    x_rm(as, I_MOV_LD | X_W, REG_TMP, entry_addend);
    return mem_bi(REG_TMP, g.base, 0, g.disp);
}

static void check_end(HostCompiler *hc, const Check *ck, Reg value, uint64_t imm)
{
    for (unsigned k = 0; k < ck->n_ool; k++) {
        Ool *o = &hc->ool.at[ck->ool[k]];
        o->r[1] = value;
        o->imm = imm;
        o->back = x_offset(&hc->as);
    }
}

/* ---- loads and stores ---- */

static void store_value(HostCompiler *hc, const IrInsn *in, const IrMem *mem, Mem m, Reg r, uint64_t imm)
{
    if (r == NO_REG) {
        x_mov_mi(&hc->as, mem->size_log2, m, (int32_t)imm);
    } else if (ir_type_is_int(in->type)) {
        x_store(&hc->as, mem->size_log2, m, r);
    } else {
        bool part = in->type == IR_V128 && mem->size_log2 < 4;
        ra_store(hc, m, !part ? in->type : mem->size_log2 == 2 ? IR_F32 : IR_F64, r);
    }
}

/* jcc from out-of-line code to more of it, for the same access. */
static void ool_again(HostCompiler *hc, unsigned cc, const Ool *o, void (*emit)(HostCompiler *, const Ool *))
{
    Ool *again = ool_jcc(hc, cc, emit);
    uint32_t patch = again->patch;
    *again = *o;
    again->emit = emit;
    again->patch = patch;
}

/* Out of line, when the group's check failed: the bytes of the group may be in two pages. */
static void emit_own_check(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    const IrInsn *in = &hc->insns[o->insn];
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    bool write = in->op == IR_st;
    void (*slow)(HostCompiler *, const Ool *) = write ? emit_slow_store : emit_slow_load;
    if (mem->big_endian && mem->size_log2 > 0) {
        slow(hc, o);
        return;
    }
    emit_tlb_compare(hc, o->mem, mem_plus(o->mem, (1 << mem->size_log2) - 1), mem->mmu_index, write, 0, o->addend);
    ool_again(hc, CC_NE, o, slow);
    x_rm(as, I_MOV_LD | X_W, REG_TMP, entry_addend);
    Mem m = mem_bi(REG_TMP, o->mem.base, 0, o->mem.disp);
    if (write) {
        store_value(hc, in, mem, m, o->r[1], o->imm);
    } else {
        load_plain(hc, mem, in->type, o->r[1], m);
    }
    /* The register that served as a temporary. */
    if (o->leads || o->addend_regs >> o->addend & 1) {
        x_alu_ri(as, true, A_OR, o->addend, ADDEND_NONE);
    }
    ool_back(hc, o);
}

/* A stream comes to another page. At both ends of the address space bounds would wrap. */
static void emit_stream_look_up(HostCompiler *hc, const Ool *o)
{
    Asm *as = &hc->as;
    const MemGroup *mg = o->group;
    Reg base = o->mem.base, t = o->addend;
    uint8_t bit = 1u << mg->stream, own[2] = { mg->down ? 0 : bit, mg->down ? bit : 0 };
    x64_streams_reset(hc, own); /* the old bound must not be in force when the pointer is past the margins */
    x_lea(as, true, t, mem_bd(base, mg->lo + STREAM_MARGIN));
    x_alu_ri(as, true, A_CMP, t, 2 * STREAM_MARGIN);
    ool_again(hc, CC_B, o, emit_own_check);
    emit_tlb_compare(hc, mem_bd(base, mg->lo), mem_bd(base, mg->hi - 1), mg->mmu_index, mg->write, 0, t);
    ool_again(hc, CC_NE, o, emit_own_check);
    x_rm(as, I_MOV_LD | X_W, REG_TMP, entry_addend);
    x_store(as, 3, stream_mem(mg->stream, offsetof(StreamEntry, addend)), REG_TMP);
    int32_t in_page = (1 << hc->target->page_bits) - 1;
    x_lea(as, true, t, mem_bd(base, mg->lo));
    x_alu_ri(as, true, mg->down ? A_AND : A_OR, t, mg->down ? ~in_page : in_page);
    x_lea(as, true, t, mem_bd(t, mg->down ? -mg->lo - 1 : -(mg->hi - 1) + 1));
    x_store(as, 3, stream_mem(mg->stream, offsetof(StreamEntry, bound)), t);
    x_jump_back(as, CC_ALWAYS, o->resume);
}

/* Bytes of the integer in d reversed; its value extended as mem says. */
static void swap_loaded(HostCompiler *hc, const IrMem *mem, unsigned type, Reg d)
{
    Asm *as = &hc->as;
    switch (mem->size_log2) {
    case 1:
        x_bswap(as, false, d);
        x_shift_ri(as, false, mem->sign ? S_SAR : S_SHR, d, 16);
        if (mem->sign && type == IR_I64) {
            x_rr(as, I_MOVSXD | X_W, d, d);
        }
        break;
    case 2:
        x_bswap(as, false, d);
        if (mem->sign && type == IR_I64) {
            x_rr(as, I_MOVSXD | X_W, d, d);
        }
        break;
    case 3:
        x_bswap(as, true, d);
        break;
    }
}

static void lower_load(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    Check ck;

    check_begin(hc, in, mem, true, &ck);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    Mem m = check_emit(hc, mem, false, &ck, emit_slow_load);
    if (!mem->big_endian || mem->size_log2 == 0) {
        load_plain(hc, mem, in->type, d, m);
    } else if (ir_type_is_int(in->type)) {
        x_load(as, mem->size_log2, false, false, d, m);
        swap_loaded(hc, mem, in->type, d);
    } else if (ir_type_is_fp(in->type)) {
        x_load(as, mem->size_log2, false, false, REG_TMP, m);
        x_bswap(as, mem->size_log2 == 3, REG_TMP);
        ra_move(hc, d, REG_TMP, in->type);
    } else {
        hc->ok = false; /* big-endian vectors are a target's own business */
    }
    check_end(hc, &ck, d, 0);
    ra_done(hc);
}

/* User mode, AVX: the access is the instruction's own operand, so a fault leaves the result unwritten. */
void lower_with_load(HostCompiler *hc, const IrInsn *in, uint32_t op, int imm)
{
    const IrInsn *ld = &hc->insns[in->b];
    const IrMem *mem = &hc->unit->mem.at[ld->aux];
    IrRef own = hc->ops[0], base = hc->ops[1], index = hc->ops[2];
    Check ck;

    Reg ra = ra_use(hc, own);
    hc->ops[0] = base;
    hc->ops[1] = index;
    check_begin(hc, ld, mem, true, &ck);
    hc->ops[0] = own;
    hc->ops[1] = base;
    ra_consume(hc);
    Reg d = ra_dest(hc, !(hc->used >> ra & 1) ? ra : NO_REG, 0);
    Mem m = check_emit(hc, mem, false, &ck, emit_slow_load);
    v_rrm(&hc->as, op, d, ra, m, imm >= 0);
    if (imm >= 0) {
        x_u8(&hc->as, imm);
    }
    for (unsigned k = 0; k < ck.n_ool; k++) {
        hc->ool.at[ck.ool[k]].insn = in->b; /* misaligned: raises and does not come back */
    }
    check_end(hc, &ck, d, 0);
    ra_done(hc);
}

static void lower_store(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    IrRef v = hc->ops[2];
    bool swap = mem->big_endian && mem->size_log2 > 0;
    uint64_t imm = 0;
    Reg r = NO_REG;
    Check ck;

    if (hc->val[v].fused == FUSED_STORE) {
        hc->ops[2] = IR_NONE;
        check_begin(hc, in, mem, true, &ck);
        ra_consume(hc);
        x64_store_fp_control(hc, check_emit(hc, mem, true, &ck, emit_slow_store));
        return;
    }
    if (val_is_const(hc, v) && !ir_type_is_vec(in->type)) {
        imm = hc->insns[v].imm;
        if (swap) {
            imm = mem->size_log2 == 1 ? __builtin_bswap16(imm) : mem->size_log2 == 2 ? __builtin_bswap32(imm) : __builtin_bswap64(imm);
        }
        if (mem->size_log2 == 3 && (int64_t)imm != (int32_t)imm) {
            r = ra_use(hc, v);
        }
    } else {
        r = ra_use(hc, v);
    }
    check_begin(hc, in, mem, true, &ck);
    Reg swapped = r != NO_REG && swap ? ra_temp(hc, REGS_GPR) : NO_REG;
    ra_consume(hc);
    if (swapped != NO_REG) {
        ra_move(hc, swapped, r, in->type);
        if (mem->size_log2 == 1) {
            x_bswap(as, false, swapped);
            x_shift_ri(as, false, S_SHR, swapped, 16);
        } else {
            x_bswap(as, mem->size_log2 == 3, swapped);
        }
    }
    Mem m = check_emit(hc, mem, true, &ck, emit_slow_store);
    if (swapped != NO_REG) {
        x_store(as, mem->size_log2, m, swapped);
    } else {
        store_value(hc, in, mem, m, r, imm);
    }
    check_end(hc, &ck, r, hc->insns[v].op == IR_const ? hc->insns[v].imm : 0);
    if (mem->order == IR_ORDER_SEQ_CST) {
        x_u8(as, 0xf0);
        x_alu_mi(as, false, A_OR, mem_bd(RSP, 0), 0);
    }
}

/* ---- atomics ---- */

/* Opcode of the given width: byte forms are one less, 16-bit ones have the 66 prefix. */
static uint32_t sized(uint32_t op, unsigned size_log2)
{
    switch (size_log2) {
    case 0: return (op - 1) | X_BREG;
    case 1: return op | P_66;
    case 2: return op;
    default: return op | X_W;
    }
}

static void lock_rm(HostCompiler *hc, uint32_t op, Reg r, Mem m)
{
    x_u8(&hc->as, 0xf0);
    x_rm(&hc->as, op, r, m);
}

/* Register s of `size` bytes, extended to the result's type, in d. */
static void extend_to(HostCompiler *hc, const IrMem *mem, unsigned type, bool sign, Reg d, Reg s)
{
    Asm *as = &hc->as;
    bool w = type == IR_I64;
    switch (mem->size_log2) {
    case 0: x_rr(as, (sign ? I_MOVSX8 : I_MOVZX8) | x_w(sign && w), d, s); break;
    case 1: x_rr(as, (sign ? I_MOVSX16 : I_MOVZX16) | x_w(sign && w), d, s); break;
    case 2:
        if (sign && w) {
            x_rr(as, I_MOVSXD | X_W, d, s);
        } else {
            x_mov_rr(as, false, d, s);
        }
        break;
    default: x_mov_rr(as, true, d, s);
    }
}

/* Reverses the low `size` bytes of r; the bytes above become zero or junk. */
static void swap_reg(HostCompiler *hc, const IrMem *mem, Reg r)
{
    if (!mem->big_endian) {
        return;
    }
    switch (mem->size_log2) {
    case 0: break;
    case 1:
        x_bswap(&hc->as, false, r);
        x_shift_ri(&hc->as, false, S_SHR, r, 16);
        break;
    default: x_bswap(&hc->as, mem->size_log2 == 3, r);
    }
}

/*
 * The host operand of an atomic access. In system mode the address goes to a register of its own, which
 * the slow path fills in its place.
 */
static Mem atomic_operand(HostCompiler *hc, const IrMem *mem, Check *ck, Reg host)
{
    Mem m = check_emit(hc, mem, true, ck, emit_slow_atomic);
    if (host != NO_REG) {
        x_lea(&hc->as, true, host, m);
        m = mem_bd(host, 0);
        check_end(hc, ck, host, 0);
    } else {
        /* Misaligned in user mode: the slow path raises and does not come back. */
        check_end(hc, ck, REG_TMP, 0);
    }
    return m;
}

/* ---- x87 ---- */

/* All of it in C, on the state in memory; nothing has happened when the access faults. */
static void emit_slow_x87(HostCompiler *hc, const Ool *o)
{
    const IrInsn *in = &hc->insns[o->insn];
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    x_mov_mi(&hc->as, 3, arg_mem(1), (int32_t)in->c);
    uint32_t lea = emit_slow_call(hc, o, RT_SLOW_X87);
    forget_addends(hc, o);
    ool_back(hc, o);
    emit_site(hc, mem, lea, o->site);
}

static void lower_x87_mem(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Check ck;

    check_begin(hc, in, mem, true, &ck);
    ra_consume(hc);
    x64_x87_ready(hc);
    if (x64_x87_lacks(hc, in->c)) {
        x_jmp_rel32(&hc->as);
        Ool *o = ool_new(hc, emit_slow_x87, x_offset(&hc->as) - 4);
        o->r[0] = NO_REG;
        o->mem = ck.guest;
        o->x = ck.wrap32;
        o->site = x_offset(&hc->as) - 5;
        ool_addends(hc, o);
        return;
    }
    /* What an instruction that only reads does not need to ask for, it does not ask for. */
    Mem m = check_emit(hc, mem, !ir_x87_reads_memory(in->c), &ck, emit_slow_x87);
    x64_x87_memory(hc, in->c, m);
    check_end(hc, &ck, NO_REG, 0);
}

static void lower_rmw(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    unsigned size = mem->size_log2;
    bool softmmu = hc->unit->softmmu;
    bool w = in->type == IR_I64;
    Check ck;

    bool xadd = (mem->rmw == IR_RMW_ADD || mem->rmw == IR_RMW_XCHG) && (!mem->big_endian || mem->rmw == IR_RMW_XCHG);
    if (!xadd) {
        ra_take(hc, RAX);
    }
    Reg operand = ra_use(hc, hc->ops[1]);
    check_begin(hc, in, mem, false, &ck);
    Reg host = softmmu ? ck.compare : NO_REG;
    Reg t = ra_temp(hc, REGS_GPR);
    if (xadd) {
        ra_consume(hc);
        Reg d = ra_dest(hc, NO_REG, 0);
        Mem m = atomic_operand(hc, mem, &ck, host);
        x_mov_rr(as, w, t, operand);
        if (mem->rmw == IR_RMW_ADD) {
            lock_rm(hc, sized(I_XADD, size), t, m);
        } else {
            swap_reg(hc, mem, t);
            x_rm(as, sized(I_XCHG, size), t, m);
            swap_reg(hc, mem, t);
        }
        extend_to(hc, mem, in->type, mem->sign, d, t);
        ra_done(hc);
        return;
    }
    bool minmax = mem->rmw >= IR_RMW_MINS;
    bool sign = mem->rmw == IR_RMW_MINS || mem->rmw == IR_RMW_MAXS;
    Reg limit = minmax ? ra_temp(hc, REGS_GPR) : NO_REG;
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    Mem m = atomic_operand(hc, mem, &ck, host);
    if (minmax) {
        extend_to(hc, mem, IR_I64, sign, limit, operand);
    }
    x_load(as, size, false, false, RAX, m);
    uint32_t top = x_offset(as);
    x_mov_rr(as, true, t, RAX);
    swap_reg(hc, mem, t);
    switch (mem->rmw) {
    case IR_RMW_ADD: x_alu_rr(as, true, A_ADD, t, operand); break;
    case IR_RMW_AND: x_alu_rr(as, true, A_AND, t, operand); break;
    case IR_RMW_OR: x_alu_rr(as, true, A_OR, t, operand); break;
    case IR_RMW_XOR: x_alu_rr(as, true, A_XOR, t, operand); break;
    default: {
        static const uint8_t cc[] = { CC_L, CC_G, CC_B, CC_A };
        extend_to(hc, mem, IR_I64, sign, t, t);
        x_alu_rr(as, true, A_CMP, limit, t);
        x_cmov(as, true, cc[mem->rmw - IR_RMW_MINS], t, limit);
    }
    }
    swap_reg(hc, mem, t);
    lock_rm(hc, sized(I_CMPXCHG, size), t, m);
    x_jump_back(as, CC_NE, top);
    swap_reg(hc, mem, RAX);
    extend_to(hc, mem, in->type, mem->sign, d, RAX);
    ra_done(hc);
}

static void lower_cas(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    bool w = in->type == IR_I64;
    Check ck;

    ra_take(hc, RAX);
    Reg expected = ra_use(hc, hc->ops[1]), desired = ra_use(hc, hc->ops[2]);
    check_begin(hc, in, mem, false, &ck);
    Reg host = hc->unit->softmmu ? ck.compare : NO_REG;
    Reg t = mem->big_endian ? ra_temp(hc, REGS_GPR) : NO_REG;
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    Mem m = atomic_operand(hc, mem, &ck, host);
    if (t != NO_REG) {
        x_mov_rr(as, w, t, desired);
        swap_reg(hc, mem, t);
        desired = t;
    }
    x_mov_rr(as, w, RAX, expected);
    swap_reg(hc, mem, RAX);
    lock_rm(hc, sized(I_CMPXCHG, mem->size_log2), desired, m);
    swap_reg(hc, mem, RAX);
    extend_to(hc, mem, in->type, mem->sign, d, RAX);
    ra_done(hc);
}

static void lower_ll(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    Check ck;

    /* A plain load: it needs no permission to write, and devices answer it. */
    check_begin(hc, in, mem, false, &ck);
    Reg t = ra_temp(hc, REGS_GPR);
    ra_consume(hc);
    Reg keep = ck.addr != NO_REG ? ck.addr : ck.guest.base;
    Reg d = ra_dest(hc, NO_REG, keep != NO_REG ? 1u << keep : 0);
    Mem m = check_emit(hc, mem, false, &ck, emit_slow_load);
    if (!mem->big_endian || mem->size_log2 == 0) {
        load_plain(hc, mem, in->type, d, m);
    } else {
        x_load(as, mem->size_log2, false, false, d, m);
        swap_loaded(hc, mem, in->type, d);
    }
    check_end(hc, &ck, d, 0);
    extend_to(hc, mem, IR_I64, false, t, d);
    swap_reg(hc, mem, t);
    x_store(as, 3, JIT_MEM(monitor_value[0]), t);
    if (ck.addr != NO_REG) {
        x_store(as, 3, JIT_MEM(monitor_addr), ck.addr);
    } else {
        Mem g = ck.guest;
        if (g.base == NO_REG) {
            x_mov_mi(as, 3, JIT_MEM(monitor_addr), g.disp);
        } else {
            x_lea(as, !ck.wrap32, REG_TMP, g);
            if (hc->unit->addr56) {
                without_top_byte(hc, REG_TMP);
            }
            x_store(as, 3, JIT_MEM(monitor_addr), REG_TMP);
        }
    }
    ra_done(hc);
}

static void lower_sc(HostCompiler *hc, const IrInsn *in)
{
    const IrMem *mem = &hc->unit->mem.at[in->aux];
    Asm *as = &hc->as;
    bool w = hc->insns[in->b].type == IR_I64;
    Check ck;

    ra_take(hc, RAX);
    Reg value = ra_use(hc, hc->ops[1]);
    check_begin(hc, in, mem, false, &ck);
    Reg host = hc->unit->softmmu ? ck.compare : NO_REG;
    Reg t = mem->big_endian ? ra_temp(hc, REGS_GPR) : NO_REG;
    Reg a = ck.addr != NO_REG ? ck.addr : ra_temp(hc, REGS_GPR);
    ra_consume(hc);
    Reg d = ra_dest(hc, NO_REG, 0);
    if (t != NO_REG) {
        x_mov_rr(as, w, t, value);
        swap_reg(hc, mem, t);
        value = t;
    }
    if (ck.addr == NO_REG) {
        if (ck.guest.base == NO_REG) {
            x_mov_ri(as, a, (uint32_t)ck.guest.disp);
        } else {
            x_lea(as, !ck.wrap32, a, ck.guest);
            if (hc->unit->addr56) {
                without_top_byte(hc, a);
            }
        }
    }
    Mem m = atomic_operand(hc, mem, &ck, host);
    x_load(as, 3, false, true, RAX, JIT_MEM(monitor_value[0]));
    x_alu_rm(as, true, A_CMP, a, JIT_MEM(monitor_addr));
    uint8_t *fail = x_jcc8(as, CC_NE);
    lock_rm(hc, sized(I_CMPXCHG, mem->size_log2), value, m);
    x_bind8(as, fail);
    x_mov_mi(as, 3, JIT_MEM(monitor_addr), -1);
    x_setcc(as, CC_NE, RAX);
    x_rr(as, I_MOVZX8, d, RAX);
    ra_done(hc);
}

void lower_mem(HostCompiler *hc, const IrInsn *in)
{
    switch (in->op) {
    case IR_ld: lower_load(hc, in); break;
    case IR_st: lower_store(hc, in); break;
    case IR_rmw: lower_rmw(hc, in); break;
    case IR_cas: lower_cas(hc, in); break;
    case IR_ll: lower_ll(hc, in); break;
    case IR_sc: lower_sc(hc, in); break;
    case IR_x87_mem: lower_x87_mem(hc, in); break;
    default:
        /* Total store order: only a store before a later load needs an instruction. */
        if (in->aux & IR_FENCE_WR) {
            x_u8(&hc->as, 0xf0);
            x_alu_mi(&hc->as, false, A_OR, mem_bd(RSP, 0), 0);
        }
    }
}
