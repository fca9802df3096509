/* user-priv.h: what the files of the user-mode stub share. All with user.c's lock. */
#ifndef GDBSTUB_USER_PRIV_H
#define GDBSTUB_USER_PRIV_H

#include "gdbstub/internal.h"

/* Guest memory; false: not (all) there. Writing ignores protections. */
bool gdb_user_transfer(Vcpu *vcpu, vaddr addr, void *data, size_t size_bytes, bool write);

/* user-watch.c */
typedef struct GdbUserHit {
    GdbPoint kind;       /* 0: none */
    vaddr addr;
} GdbUserHit;

GdbPointResult gdb_user_watch(Vcpu *vcpu, GdbPoint kind, vaddr addr, uint64_t size_bytes, bool insert);
void gdb_user_watch_clear(void);
bool gdb_user_watching(void);
/* The debugger may have written: what is there now is what changes are compared with. */
void gdb_user_watch_refresh(Vcpu *vcpu);
/* Before a step: a read or access watchpoint that the next instruction is going to touch. */
GdbUserHit gdb_user_watch_ahead(Vcpu *vcpu);
/* After it: what changed; else what was found ahead. */
GdbUserHit gdb_user_watch_after(Vcpu *vcpu, GdbUserHit ahead);

#endif
