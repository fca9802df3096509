/*
 * policy.c: what happens when the host cannot read or write: the guest is told, nothing is, or the machine stops and the request
 * is tried again when it goes on (rerror=, werror=).
 *
 * A request that waits for that is parked: it counts as in flight. Whoever drains the drive (reset, removal) gets it ended
 * with its error.
 */
#include <errno.h>
#include <string.h>

#include "block/internal.h"

const char *const block_on_error_names[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static BlockErrorHook *error_hook;

void block_set_error_hook(BlockErrorHook *hook)
{
    error_hook = hook;
}

void block_set_error_policy(BlockBackend *blk, BlockOnError on_read, BlockOnError on_write)
{
    blk->on_read_error = on_read != BLOCK_ON_ERROR_AUTO ? on_read : blk->on_read_error;
    blk->on_write_error = on_write != BLOCK_ON_ERROR_AUTO ? on_write : blk->on_write_error;
}

bool block_parse_policy(const char *option, const char *text, BlockOnError *ret, Error **errp)
{
    for (int i = BLOCK_ON_ERROR_REPORT; block_on_error_names[i]; i++) {
        if (!strcmp(text, block_on_error_names[i]) && (i != BLOCK_ON_ERROR_ENOSPC || *option == 'w')) {
            *ret = (BlockOnError)i;
            return true;
        }
    }
    error_set(errp, "'%s' invalid %s error action", text, *option == 'w' ? "write" : "read");
    return false;
}

BlockOnError block_error_action(BlockBackend *blk, bool is_read, int result)
{
    BlockOnError policy = is_read ? blk->on_read_error : blk->on_write_error;

    if (policy == BLOCK_ON_ERROR_AUTO) {
        policy = is_read ? BLOCK_ON_ERROR_REPORT : BLOCK_ON_ERROR_ENOSPC;
    }
    if (policy == BLOCK_ON_ERROR_ENOSPC) {
        policy = result == -ENOSPC ? BLOCK_ON_ERROR_STOP : BLOCK_ON_ERROR_REPORT;
    }
    if (policy == BLOCK_ON_ERROR_STOP && !error_hook) {
        policy = BLOCK_ON_ERROR_REPORT; /* nobody could make it go on */
    }
    if (policy == BLOCK_ON_ERROR_STOP) {
        blk->io_error = result;
    }
    if (error_hook) {
        error_hook(blk->id ? blk->id : "", blk->owner ? blk->owner : "", is_read, block_on_error_names[policy], result);
    }
    return policy;
}
