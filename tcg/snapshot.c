/*
 * snapshot.c: the event stream that says where slots are (snapshot.h).
 *
 * An event is one byte, kind | delta << 3, where delta is the host code offset since the previous event
 * (31: a LEB128 number of 31 or more follows), then its operands:
 *   BLOCK                      every slot is in memory again
 *   INSN   sleb128 pc - last pc, leb128 extra word
 *   MEMORY slot / GPR slot,reg / VEC slot,reg / SPILL slot,place     one byte each
 *   CONST  slot, sleb128 value
 * An event holds for every offset from its own on. Offsets never go back.
 *
 * Threads: writers belong to one compiler; streams are constant once written.
 */
#include "tcg/snapshot.h"
#include "target/target.h"

enum { EV_BLOCK, EV_INSN, EV_MEMORY, EV_GPR, EV_VEC, EV_SPILL, EV_CONST };
enum { DELTA_ESCAPE = 31 };

static void put_leb(SnapWriter *w, uint64_t v)
{
    while (v >= 0x80) {
        *vec_push(&w->bytes) = v | 0x80;
        v >>= 7;
    }
    *vec_push(&w->bytes) = v;
}

static void put_sleb(SnapWriter *w, int64_t v)
{
    put_leb(w, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_event(SnapWriter *w, unsigned kind, uint32_t offset)
{
    uint32_t delta = offset - w->last_offset;
    w->last_offset = offset;
    if (delta < DELTA_ESCAPE) {
        *vec_push(&w->bytes) = kind | delta << 3;
    } else {
        *vec_push(&w->bytes) = kind | DELTA_ESCAPE << 3;
        put_leb(w, delta);
    }
}

void snap_begin(SnapWriter *w)
{
    vec_clear(&w->bytes);
    w->last_offset = 0;
    w->last_pc = 0;
    w->in_sites = w->new_block = w->new_insn = false;
    w->changed = (IrSlotSet){ { 0 } };
}

static void write_slot(SnapWriter *w, uint32_t offset, unsigned slot, SnapWhere where, uint64_t value)
{
    static const uint8_t kind[] = { EV_MEMORY, EV_GPR, EV_VEC, EV_SPILL, EV_CONST };
    put_event(w, kind[where], offset);
    *vec_push(&w->bytes) = slot;
    if (where == SNAP_CONST) {
        put_sleb(w, (int64_t)value);
    } else if (where != SNAP_MEMORY) {
        *vec_push(&w->bytes) = value;
    }
}

void snap_sites_begin(SnapWriter *w, uint32_t offset)
{
    if (w->new_block) {
        put_event(w, EV_BLOCK, offset);
        w->new_insn = true;
    }
    if (w->new_insn) {
        put_event(w, EV_INSN, offset);
        put_sleb(w, (int64_t)(w->pc - w->last_pc));
        w->last_pc = w->pc;
        put_leb(w, w->extra);
    }
    for (unsigned k = 0; k < IR_MAX_SLOTS / 64; k++) {
        for (uint64_t m = w->changed.w[k]; m; m &= m - 1) {
            unsigned slot = k * 64 + (unsigned)__builtin_ctzll(m);
            if (w->slot[slot].where != SNAP_MEMORY || !w->new_block) {
                write_slot(w, offset, slot, w->slot[slot].where, w->slot[slot].value);
            }
        }
        w->changed.w[k] = 0;
    }
    w->new_block = w->new_insn = false;
    w->in_sites = true;
}

void snap_sites_end(SnapWriter *w)
{
    w->in_sites = false;
}

void snap_block(SnapWriter *w, uint32_t offset)
{
    w->new_block = true;
    w->in_sites = false;
    w->changed = (IrSlotSet){ { 0 } };
}

void snap_insn(SnapWriter *w, uint32_t offset, vaddr pc, uint32_t extra)
{
    w->new_insn = true;
    w->pc = pc;
    w->extra = extra;
}

void snap_slot(SnapWriter *w, uint32_t offset, unsigned slot, SnapWhere where, uint64_t value)
{
    if (w->in_sites) {
        write_slot(w, offset, slot, where, value);
        return;
    }
    w->slot[slot].where = where;
    w->slot[slot].value = value;
    ir_slots_add(&w->changed, slot);
}

typedef struct Reader {
    const uint8_t *at, *end;
    uint32_t offset;
    vaddr pc;
    bool has_insn;
    uint32_t extra;
    /* the event just read */
    uint8_t kind, slot;
    uint64_t value;
} Reader;

static uint64_t get_leb(Reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            break;
        }
    }
    return v;
}

static int64_t get_sleb(Reader *r)
{
    uint64_t v = get_leb(r);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint8_t get_byte(Reader *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

/* The next event that holds at `limit`; false at the end. */
static bool next_event(Reader *r, uint32_t limit)
{
    if (r->at >= r->end) {
        return false;
    }
    uint8_t head = *r->at++;
    uint32_t delta = head >> 3;
    if (delta == DELTA_ESCAPE) {
        delta = get_leb(r);
    }
    r->offset += delta;
    if (r->offset > limit) {
        return false;
    }
    r->kind = head & 7;
    switch (r->kind) {
    case EV_BLOCK:
        r->has_insn = false;
        break;
    case EV_INSN:
        r->pc += get_sleb(r);
        r->extra = get_leb(r);
        r->has_insn = true;
        break;
    default:
        r->slot = get_byte(r);
        r->value = r->kind == EV_CONST ? (uint64_t)get_sleb(r) : r->kind == EV_MEMORY ? 0 : get_byte(r);
    }
    return true;
}

bool snapshot_restore(const uint8_t *bytes, size_t n_bytes, uint32_t offset, const HostFrame *frame,
                      Vcpu *vcpu, uint32_t *ret_extra)
{
    Reader r = { .at = bytes, .end = bytes + n_bytes };
    struct { uint8_t kind; uint64_t value; } where[IR_MAX_SLOTS];
    const Target *target = vcpu->target;
    unsigned n = target->n_slots;

    for (unsigned i = 0; i < n; i++) {
        where[i].kind = EV_MEMORY;
    }
    while (next_event(&r, offset)) {
        if (r.kind == EV_BLOCK) {
            for (unsigned i = 0; i < n; i++) {
                where[i].kind = EV_MEMORY;
            }
        } else if (r.kind != EV_INSN && r.slot < n) {
            where[r.slot].kind = r.kind;
            where[r.slot].value = r.value;
        }
    }
    if (!r.has_insn) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        const void *from;
        switch (where[i].kind) {
        case EV_GPR: from = &frame->gpr[where[i].value & 15]; break;
        case EV_VEC: from = frame->vec[where[i].value & 15]; break;
        case EV_SPILL: from = vcpu->jit.spill[where[i].value % VCPU_N_SPILLS]; break;
        case EV_CONST: from = &where[i].value; break;
        default: continue;
        }
        memcpy(vcpu->state + target->slots[i].offset, from, ir_type_bytes(target->slots[i].type));
    }
    const SlotDesc *pc = &target->slots[target->pc_slot];
    memcpy(vcpu->state + pc->offset, &r.pc, ir_type_bytes(pc->type));
    if (ret_extra) {
        *ret_extra = r.extra;
    }
    return true;
}

bool snapshot_pc(const uint8_t *bytes, size_t n_bytes, uint32_t offset, vaddr *ret_pc)
{
    Reader r = { .at = bytes, .end = bytes + n_bytes };
    while (next_event(&r, offset)) {
    }
    if (!r.has_insn) {
        return false;
    }
    *ret_pc = r.pc;
    return true;
}
