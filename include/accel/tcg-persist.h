/*
 * tcg-persist.h: translations kept for later processes (user mode).
 *
 * A unit is position-independent data: a later process that has the same guest bytes at the same guest address, and whose
 * emulator would translate them alike, copies the code instead of translating again. Units are kept in a file per guest
 * program, by default in memory that a reboot clears ($XDG_RUNTIME_DIR or /dev/shm, if that is a tmpfs).
 *
 * Threads: open before guest code runs; save by a thread that is about to end or replace the process.
 */
#ifndef ACCEL_TCG_PERSIST_H
#define ACCEL_TCG_PERSIST_H

#include "accel/vcpu.h"
#include "util/error.h"

/*
 * Looks for the file. `where`: NULL or "auto", "off", or a directory (absolute, existing, our own). `exe_fd`: the guest program's file,
 * not kept. `config` names everything besides the guest's bytes that decides about code: target, CPU model, options.
 * False: `where` is a directory that cannot be used; an automatic place that cannot be used is none.
 */
bool tcg_persist_open(const char *where, int exe_fd, const char *config, Error **errp);
/* By the thread of `vcpu`: writes the file anew if there is enough that it lacks. Says nothing when it cannot. */
void tcg_persist_save(const Vcpu *vcpu);

#endif
