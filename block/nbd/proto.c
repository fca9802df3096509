/*
 * proto.c: names of NBD's numbers, and its errors.
 */
#include "block/nbd/proto.h"

#include <errno.h>

#include "util/base.h"

const char *nbd_option_name(uint32_t option)
{
    static const char *const names[] = {
        [NBD_OPT_EXPORT_NAME] = "export name", [NBD_OPT_ABORT] = "abort", [NBD_OPT_LIST] = "list", [NBD_OPT_PEEK_EXPORT] = "peek export",
        [NBD_OPT_STARTTLS] = "starttls", [NBD_OPT_INFO] = "info", [NBD_OPT_GO] = "go", [NBD_OPT_STRUCTURED_REPLY] = "structured reply",
        [NBD_OPT_LIST_META_CONTEXT] = "list meta context", [NBD_OPT_SET_META_CONTEXT] = "set meta context",
        [NBD_OPT_EXTENDED_HEADERS] = "extended headers",
    };
    return option < ARRAY_SIZE(names) && names[option] ? names[option] : "<unknown>";
}

const char *nbd_reply_name(uint32_t type)
{
    static const char *const good[] = { "<unknown>", "ack", "server", "info", "meta context" };
    static const char *const bad[] = {
        "<unknown>", "unsupported", "denied by policy", "invalid", "platform lacks support", "TLS required", "export unknown",
        "server shutting down", "block size required", "option payload too big", "extended headers required",
    };
    bool is_error = type >> 31;
    uint32_t n = type & 0x7fffffff;

    if (is_error) {
        return n < ARRAY_SIZE(bad) ? bad[n] : bad[0];
    }
    return n < ARRAY_SIZE(good) ? good[n] : good[0];
}

uint32_t nbd_error_of(int err)
{
    switch (-err) {
    case 0: return 0;
    case EPERM: case EROFS: return NBD_EPERM;
    case EIO: return NBD_EIO;
    case ENOMEM: return NBD_ENOMEM;
    case EDQUOT: case EFBIG: case ENOSPC: return NBD_ENOSPC;
    case EOVERFLOW: return NBD_EOVERFLOW;
    case ENOTSUP: return NBD_ENOTSUP;
    case ESHUTDOWN: return NBD_ESHUTDOWN;
    default: return NBD_EINVAL;
    }
}

int nbd_error_to_errno(uint32_t error)
{
    switch (error) {
    case 0: return 0;
    case NBD_EPERM: return -EPERM;
    case NBD_EIO: return -EIO;
    case NBD_ENOMEM: return -ENOMEM;
    case NBD_ENOSPC: return -ENOSPC;
    case NBD_EOVERFLOW: return -EOVERFLOW;
    case NBD_ENOTSUP: return -ENOTSUP;
    case NBD_ESHUTDOWN: return -ESHUTDOWN;
    default: return -EINVAL;
    }
}
