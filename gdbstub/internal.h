/* internal.h: what the files of the stub share. */
#ifndef GDBSTUB_INTERNAL_H
#define GDBSTUB_INTERNAL_H

#include "gdbstub/gdbstub.h"

typedef VEC(char) GdbText; /* a packet being built; not NUL-terminated */

enum { GDB_PACKET_BYTES = 16384 }; /* longest packet accepted */

void gdb_text_add(GdbText *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
void gdb_text_hex(GdbText *text, const void *data, size_t n);
/* Two hex digits per byte; stops at the first that is none. Returns bytes written (≤ room). */
size_t gdb_unhex(const char *hex, void *out, size_t room);

/* Register access by gdb's number; values in target byte order. 0: no such register. */
size_t gdb_reg_read(Vcpu *vcpu, unsigned number, void *out, size_t room);
size_t gdb_reg_write(Vcpu *vcpu, unsigned number, const void *in, size_t n);
/* The registers of the 'g' packet: the general group, in order of number. */
unsigned gdb_reg_count_general(Vcpu *vcpu);
/* "target.xml" or a file it includes: malloc'd text, NULL if unknown. */
char *gdb_target_xml(Vcpu *vcpu, const char *annex);

/* Adds bytes as the protocol's binary data, escaped. */
void gdb_text_binary(GdbText *text, const void *data, size_t n);

/* hostio.c: files the debugger has open; 0: a free place. */
typedef struct GdbFiles {
    int fd[16];
} GdbFiles;
bool gdb_hostio(GdbFiles *files, const GdbOps *ops, void *opaque, char *args, GdbText *text);
void gdb_hostio_finish(GdbFiles *files);

int gdb_signal_from_linux(int signal);
int gdb_signal_to_linux(int signal);

#endif
