/*
 * user-watch.c: watchpoints of a user-mode process. While there are any, running threads single-step (user.c). Writes
 * are noticed by comparing the watched bytes, so system calls that write are seen too; reads, and where gdb wants
 * to know before (Target.gdb_watch_before) also writes, by decoding the instruction before it runs (Target.mem_access).
 */
#include "gdbstub/user-priv.h"

typedef struct Watch {
    GdbPoint kind;
    vaddr addr;
    size_t size;
    uint8_t old[64];
} Watch;

static VEC(Watch) watches;

bool gdb_user_watching(void) { return watches.n != 0; }
void gdb_user_watch_clear(void) { vec_clear(&watches); }

GdbPointResult gdb_user_watch(Vcpu *vcpu, GdbPoint kind, vaddr addr, uint64_t size_bytes, bool insert)
{
    if (!size_bytes || size_bytes > sizeof(((Watch *)0)->old) || (kind != GDB_POINT_WRITE && !vcpu->target->mem_access)) {
        return GDB_POINT_UNSUPPORTED;
    }
    for (size_t i = 0; i < watches.n; i++) {
        if (watches.at[i].kind == kind && watches.at[i].addr == addr && watches.at[i].size == size_bytes) {
            if (!insert) {
                watches.at[i] = watches.at[--watches.n];
            }
            return GDB_POINT_DONE;
        }
    }
    Watch watch = { .kind = kind, .addr = addr, .size = size_bytes };
    if (!insert || !gdb_user_transfer(vcpu, addr, watch.old, size_bytes, false)) {
        return GDB_POINT_FAILED;
    }
    *vec_push(&watches) = watch;
    return GDB_POINT_DONE;
}

void gdb_user_watch_refresh(Vcpu *vcpu)
{
    for (size_t i = 0; i < watches.n; i++) {
        gdb_user_transfer(vcpu, watches.at[i].addr, watches.at[i].old, watches.at[i].size, false);
    }
}

typedef struct Ahead {
    GdbUserHit hit;
    bool writes; /* they are told before they happen, too */
} Ahead;

static void touched(void *opaque, vaddr addr, uint64_t size_bytes, bool read, bool write)
{
    Ahead *ahead = opaque;
    for (size_t i = 0; i < watches.n && !ahead->hit.kind; i++) {
        const Watch *w = &watches.at[i];
        bool wanted = w->kind == GDB_POINT_WRITE ? write && ahead->writes : w->kind == GDB_POINT_READ ? read : read || ahead->writes;
        if (wanted && (addr - w->addr < w->size || w->addr - addr < size_bytes)) {
            ahead->hit = (GdbUserHit){ w->kind, MAX(addr, w->addr) };
        }
    }
}

GdbUserHit gdb_user_watch_ahead(Vcpu *vcpu)
{
    Ahead ahead = { .writes = vcpu->target->gdb_watch_before };
    uint8_t insn[16];
    size_t n = MIN(sizeof(insn), (size_t)vcpu->target->max_insn_bytes);
    bool decode = ahead.writes && watches.n;
    for (size_t i = 0; i < watches.n; i++) {
        decode |= watches.at[i].kind != GDB_POINT_WRITE;
    }
    decode &= vcpu->target->mem_access != NULL;
    /* The last instruction of a page may be shorter than the longest there is. */
    while (decode && n && !gdb_user_transfer(vcpu, vcpu->target->get_pc(vcpu), insn, n, false)) {
        n /= 2;
    }
    if (decode && n) {
        vcpu->target->mem_access(vcpu, insn, n, touched, &ahead);
    }
    return ahead.hit;
}

GdbUserHit gdb_user_watch_after(Vcpu *vcpu, GdbUserHit ahead)
{
    GdbUserHit hit = ahead;
    for (size_t i = 0; i < watches.n; i++) {
        uint8_t now[64];
        Watch *w = &watches.at[i];
        if (gdb_user_transfer(vcpu, w->addr, now, w->size, false) && memcmp(now, w->old, w->size)) {
            memcpy(w->old, now, w->size);
            if (w->kind != GDB_POINT_READ) {
                hit = (GdbUserHit){ w->kind, w->addr };
            }
        }
    }
    return hit;
}
