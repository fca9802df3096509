/*
 * io.h: what the files of qemu-io share: an image, and commands typed at it.
 */
#ifndef BLOCK_TOOLS_IO_H
#define BLOCK_TOOLS_IO_H

#include <time.h>

#include "block/node.h"

typedef struct IoShell {
    BlockNode *node;             /* NULL: no file is open */
    BlockEdge *edge;
    char *filename;
    unsigned flags, default_flags;
    bool writethrough, misalign, quit;
    unsigned in_flight;          /* aio_* requests */
} IoShell;

typedef struct IoCommand {
    const char *name, *alias, *args, *summary, *help; /* help NULL: none beyond the summary */
    int min_args, max_args;      /* max -1: any number */
    bool needs_file;
    /* argv[0] is the name. The exit status of the whole: 0, or 1 if it failed. */
    int (*run)(IoShell *shell, int argc, char **argv);
} IoCommand;

extern const IoCommand io_transfer_commands[], io_image_commands[]; /* end with a NULL name */

bool io_open(IoShell *shell, const char *filename, Json *options, unsigned flags);
void io_close(IoShell *shell);
/* A number with a suffix; false with a message. `what` for messages. */
bool io_number(const char *text, int64_t *ret);
int io_usage(const IoCommand *command);
const IoCommand *io_find(const char *name);
/* "64 KiB"; bytes without a unit are "32 bytes". */
void io_format_size(double value, char *buf, size_t bytes);

#endif
