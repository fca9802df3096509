/*
 * snapshot.h: where each slot is when generated code stops in the middle.
 *
 * For every unit the host back end writes a byte stream of events in order of host offset: "from here on
 * slot S is in register R / spill place P / equals constant C / is in memory", and "from here on the
 * guest instruction is at pc, with its extra word". Changes are collected and written only where somebody may
 * ask, at the sites between snap_sites_begin and snap_sites_end. Nothing is written back on the fast path for the
 * sake of faults: snapshot_restore() replays the stream up to the faulting offset and completes the state.
 * Out-of-line code (slow paths) names the in-line offset it belongs to.
 *
 * The format is private to tcg/snapshot.c and position-independent.
 */
#ifndef TCG_SNAPSHOT_H
#define TCG_SNAPSHOT_H

#include "accel/vcpu.h"
#include "tcg/ir.h"

/* Host registers as saved by a slow-path trampoline or taken from a signal context. */
typedef struct HostFrame {
    uint64_t gpr[16];               /* in the host's encoding order */
    alignas(16) uint8_t vec[16][32]; /* as the stack of the trampolines is aligned */
    uint32_t fp_control;            /* signal context only: x86 MXCSR at the fault */
    const void *fxsave;             /* signal context only: x86 state of the x87 unit at the fault, or NULL */
} HostFrame;

typedef enum SnapWhere { SNAP_MEMORY, SNAP_GPR, SNAP_VEC, SNAP_SPILL, SNAP_CONST } SnapWhere;

typedef struct SnapWriter {
    VEC(uint8_t) bytes;
    uint32_t last_offset;
    vaddr last_pc;
    /* not yet written */
    bool in_sites, new_block, new_insn;
    vaddr pc;
    uint32_t extra;
    IrSlotSet changed;
    struct { uint8_t where; uint64_t value; } slot[IR_MAX_SLOTS];
} SnapWriter;

void snap_begin(SnapWriter *w);
/* A block begins at `offset`: every slot is in memory unless told afterwards. */
void snap_block(SnapWriter *w, uint32_t offset);
void snap_insn(SnapWriter *w, uint32_t offset, vaddr pc, uint32_t extra);
/* Instructions from `offset` to the end of the sites may stop in the middle. */
void snap_sites_begin(SnapWriter *w, uint32_t offset);
void snap_sites_end(SnapWriter *w);
void snap_slot(SnapWriter *w, uint32_t offset, unsigned slot, SnapWhere where, uint64_t value);

/*
 * Completes vcpu->state for the instruction at `offset` and sets the pc slot. Returns false when no
 * guest instruction covers the offset. ret_extra may be NULL.
 */
bool snapshot_restore(const uint8_t *bytes, size_t n_bytes, uint32_t offset, const HostFrame *frame,
                      Vcpu *vcpu, uint32_t *ret_extra);
/* The guest pc only. */
bool snapshot_pc(const uint8_t *bytes, size_t n_bytes, uint32_t offset, vaddr *ret_pc);

#endif
