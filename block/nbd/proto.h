/*
 * proto.h: numbers of the NBD protocol (doc/proto.md of the NBD project; sections are named where they are used). All on the wire are
 * big-endian.
 */
#ifndef BLOCK_NBD_PROTO_H
#define BLOCK_NBD_PROTO_H

#include <stdint.h>

#define NBD_MAGIC UINT64_C(0x4e42444d41474943)            /* "NBDMAGIC" */
#define NBD_OPTS_MAGIC UINT64_C(0x49484156454f5054)       /* "IHAVEOPT" */
#define NBD_OLDSTYLE_MAGIC UINT64_C(0x00420281861253)
#define NBD_REPLY_MAGIC UINT64_C(0x0003e889045565a9)      /* of options */
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_EXTENDED_REQUEST_MAGIC 0x21e41c71u
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_STRUCTURED_REPLY_MAGIC 0x668e33efu
#define NBD_EXTENDED_REPLY_MAGIC 0x6e8a278cu

#define NBD_DEFAULT_PORT "10809"

enum {
    NBD_REQUEST_BYTES = 28, NBD_EXTENDED_REQUEST_BYTES = 32, NBD_SIMPLE_REPLY_BYTES = 16, NBD_STRUCTURED_REPLY_BYTES = 20,
    NBD_EXTENDED_REPLY_BYTES = 32, NBD_OPTION_BYTES = 16, NBD_OPTION_REPLY_BYTES = 20,
    NBD_MAX_STRING = 4096,
    NBD_MAX_PAYLOAD = 32 << 20,     /* what both sides must take where nothing else is said */
};

/* Handshake flags of the server; of the client the same bits. */
enum { NBD_FIXED_NEWSTYLE = 1, NBD_NO_ZEROES = 2 };

/* Transmission flags. */
enum {
    NBD_HAS_FLAGS = 1 << 0, NBD_READ_ONLY = 1 << 1, NBD_SEND_FLUSH = 1 << 2, NBD_SEND_FUA = 1 << 3, NBD_ROTATIONAL = 1 << 4,
    NBD_SEND_TRIM = 1 << 5, NBD_SEND_WRITE_ZEROES = 1 << 6, NBD_SEND_DF = 1 << 7, NBD_CAN_MULTI_CONN = 1 << 8, NBD_SEND_RESIZE = 1 << 9,
    NBD_SEND_CACHE = 1 << 10, NBD_SEND_FAST_ZERO = 1 << 11, NBD_BLOCK_STATUS_PAYLOAD = 1 << 12,
};

typedef enum NbdOption {
    NBD_OPT_EXPORT_NAME = 1, NBD_OPT_ABORT, NBD_OPT_LIST, NBD_OPT_PEEK_EXPORT, NBD_OPT_STARTTLS, NBD_OPT_INFO, NBD_OPT_GO,
    NBD_OPT_STRUCTURED_REPLY, NBD_OPT_LIST_META_CONTEXT, NBD_OPT_SET_META_CONTEXT, NBD_OPT_EXTENDED_HEADERS,
} NbdOption;

#define NBD_REP_ERR(n) (0x80000000u | (n))
#define NBD_REP_ACK 1u
#define NBD_REP_SERVER 2u
#define NBD_REP_INFO 3u
#define NBD_REP_META_CONTEXT 4u
#define NBD_REP_ERR_UNSUP NBD_REP_ERR(1)
#define NBD_REP_ERR_POLICY NBD_REP_ERR(2)
#define NBD_REP_ERR_INVALID NBD_REP_ERR(3)
#define NBD_REP_ERR_PLATFORM NBD_REP_ERR(4)
#define NBD_REP_ERR_TLS_REQD NBD_REP_ERR(5)
#define NBD_REP_ERR_UNKNOWN NBD_REP_ERR(6)
#define NBD_REP_ERR_SHUTDOWN NBD_REP_ERR(7)
#define NBD_REP_ERR_BLOCK_SIZE_REQD NBD_REP_ERR(8)
#define NBD_REP_ERR_TOO_BIG NBD_REP_ERR(9)
#define NBD_REP_ERR_EXT_HEADER_REQD NBD_REP_ERR(10)

enum { NBD_INFO_EXPORT, NBD_INFO_NAME, NBD_INFO_DESCRIPTION, NBD_INFO_BLOCK_SIZE };

enum { NBD_CMD_READ, NBD_CMD_WRITE, NBD_CMD_DISC, NBD_CMD_FLUSH, NBD_CMD_TRIM, NBD_CMD_CACHE, NBD_CMD_WRITE_ZEROES, NBD_CMD_BLOCK_STATUS };
enum { NBD_FUA = 1, NBD_NO_HOLE = 2, NBD_DF = 4, NBD_REQ_ONE = 8, NBD_FAST_ZERO = 16, NBD_PAYLOAD_LEN = 32 };

enum { NBD_REPLY_DONE = 1 };   /* flag: the last chunk */
enum {
    NBD_REPLY_NONE, NBD_REPLY_OFFSET_DATA, NBD_REPLY_OFFSET_HOLE, NBD_REPLY_BLOCK_STATUS = 5, NBD_REPLY_BLOCK_STATUS_EXT = 6,
    NBD_REPLY_ERROR = 0x8001, NBD_REPLY_ERROR_OFFSET = 0x8002,
};

/* base:allocation */
enum { NBD_STATE_HOLE = 1, NBD_STATE_ZERO = 2 };

/* Errors on the wire are numbers of their own, which happen to be Linux'. */
enum {
    NBD_EPERM = 1, NBD_EIO = 5, NBD_ENOMEM = 12, NBD_EINVAL = 22, NBD_ENOSPC = 28, NBD_EOVERFLOW = 75, NBD_ENOTSUP = 95, NBD_ESHUTDOWN = 108,
};

const char *nbd_option_name(uint32_t option);
const char *nbd_reply_name(uint32_t type);
uint32_t nbd_error_of(int negative_errno);
int nbd_error_to_errno(uint32_t error);    /* negative; anything unknown is -EINVAL */

#endif
