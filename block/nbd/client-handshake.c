/*
 * client-handshake.c: the client's side of NBD's handshake: greeting, TLS, lists, information, metadata contexts (sections "Handshake",
 * "Option types", "Metadata querying").
 */
#include <errno.h>
#include <string.h>

#include "block/nbd/client.h"
#include "util/alloc.h"
#include "util/bits.h"

/* What a server may say in one reply, beside the bounds of its strings. */
enum { MAX_REPLY_BYTES = 64 * 1024, MAX_EXPORTS = 100000, MAX_CONTEXTS = 10000 };

typedef struct OptionReply {
    uint32_t type, bytes;
    uint8_t *data;          /* with a zero behind it; the caller's */
} OptionReply;

static bool read_failed(int err, const char *what, Error **errp)
{
    if (err == CHANNEL_END) {
        error_set(errp, "Failed to read %s: Unexpected end-of-file before all data were read", what);
    } else if (err) {
        error_set_errno(errp, -err, "Failed to read %s", what);
    }
    return err != 0;
}

static bool send_option(NbdHandshake *h, uint32_t option, const void *data, uint32_t bytes, Error **errp)
{
    uint8_t head[NBD_OPTION_BYTES];
    struct iovec v = { (void *)data, bytes };

    stbe64(head, NBD_OPTS_MAGIC);
    stbe32(head + 8, option);
    stbe32(head + 12, bytes);
    int err = channel_co_write(h->ch, head, sizeof(head), sg_of(&v), bytes);
    if (err) {
        error_set_errno(errp, -err, "Failed to send option request");
    }
    return !err;
}

void nbd_co_abort(NbdHandshake *h)
{
    if (h->fixed && !channel_is_down(h->ch)) {
        send_option(h, NBD_OPT_ABORT, NULL, 0, NULL);
    }
}

static bool read_reply(NbdHandshake *h, uint32_t option, OptionReply *ret, Error **errp)
{
    uint8_t head[NBD_OPTION_REPLY_BYTES];

    if (read_failed(channel_co_read(h->ch, head, sizeof(head)), "option reply", errp)) {
        return false;
    }
    ret->type = ldbe32(head + 12);
    ret->bytes = ldbe32(head + 16);
    if (ldbe64(head) != NBD_REPLY_MAGIC) {
        error_set(errp, "Unexpected option reply magic");
        return false;
    }
    if (ldbe32(head + 8) != option) {
        error_set(errp, "Unexpected option type %u (%s), expected %u (%s)", ldbe32(head + 8), nbd_option_name(ldbe32(head + 8)), option,
                  nbd_option_name(option));
        return false;
    }
    if (ret->bytes > MAX_REPLY_BYTES) {
        error_set(errp, "server replied with too much data to option %s", nbd_option_name(option));
        return false;
    }
    ret->data = xmalloc(ret->bytes + 1);
    ret->data[ret->bytes] = '\0';
    if (read_failed(channel_co_read(h->ch, ret->data, ret->bytes), "option reply", errp)) {
        free(ret->data);
        return false;
    }
    return true;
}

/* An error reply as a message. */
static void explain_error(const OptionReply *r, uint32_t option, const char *name, Error **errp)
{
    switch (r->type) {
    case NBD_REP_ERR_UNSUP: error_set(errp, "Unsupported option type %u (%s)", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_POLICY: error_set(errp, "Denied by server for option %u (%s)", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_INVALID: error_set(errp, "Invalid parameters for option %u (%s)", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_PLATFORM: error_set(errp, "Server lacks support for option %u (%s)", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_TLS_REQD: error_set(errp, "Server requires TLS for option %u (%s): Did you forget a valid tls-creds?", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_UNKNOWN: error_set(errp, "Requested export not available"); break;
    case NBD_REP_ERR_SHUTDOWN: error_set(errp, "Server shutting down before option %u (%s)", option, nbd_option_name(option)); break;
    case NBD_REP_ERR_BLOCK_SIZE_REQD: error_set(errp, "Server requires INFO_BLOCK_SIZE for option %u (%s)", option, nbd_option_name(option)); break;
    default: error_set(errp, "Unknown error code when asking for option %u (%s)", option, nbd_option_name(option));
    }
    if (r->bytes && r->bytes <= NBD_MAX_STRING && errp && *errp) {
        Error *err = *errp;
        *errp = NULL;
        error_set(errp, "%s (server reported: %s)", error_message(err), (const char *)r->data);
        error_free(err);
    }
}

/* An option without replies but "yes": 1 yes, 0 no, -1 failed. */
static int ask(NbdHandshake *h, uint32_t option, Error **errp)
{
    OptionReply r;

    if (!send_option(h, option, NULL, 0, errp) || !read_reply(h, option, &r, errp)) {
        return -1;
    }
    int ret = r.type == NBD_REP_ACK ? 1 : 0;
    if (r.type == NBD_REP_ACK && r.bytes) {
        error_set(errp, "server sent data with the reply to option %s", nbd_option_name(option));
        ret = -1;
    } else if (r.type != NBD_REP_ACK && r.type != NBD_REP_ERR_UNSUP && r.type != NBD_REP_ERR_POLICY) {
        if (r.type >> 31) {
            explain_error(&r, option, NULL, errp);
        } else {
            error_set(errp, "Unexpected reply type %u (%s), expected %u (%s)", r.type, nbd_reply_name(r.type), NBD_REP_ACK, nbd_reply_name(NBD_REP_ACK));
        }
        ret = -1;
    }
    free(r.data);
    return ret;
}

static bool start_tls(NbdHandshake *h, Error **errp)
{
    int yes = ask(h, NBD_OPT_STARTTLS, errp);

    if (yes == 0) {
        error_set(errp, "Server don't support STARTTLS option");
        nbd_co_abort(h);
    }
    if (yes == 1 && channel_has_input(h->ch)) { /* somebody between puts in what TLS does not protect */
        error_set(errp, "server sent data before the TLS handshake");
        return false;
    }
    return yes == 1 && channel_co_tls(h->ch, h->tls, h->hostname, errp);
}

static bool read_oldstyle(NbdHandshake *h, NbdInfo *info, Error **errp)
{
    uint8_t rest[8 + 4 + 124];

    if (h->tls) {
        error_set(errp, "Server does not support STARTTLS");
        return false;
    }
    if (read_failed(channel_co_read(h->ch, rest, sizeof(rest)), "export length", errp)) {
        return false;
    }
    info->size_bytes = ldbe64(rest);
    uint32_t flags = ldbe32(rest + 8);
    info->flags = (uint16_t)flags;
    if (flags >> 16) {
        error_set(errp, "Unexpected export flags %" PRIx32, flags);
        return false;
    }
    if (info->name && *info->name) {
        error_set(errp, "Server does not support non-empty export names");
        return false;
    }
    return true;
}

bool nbd_co_greet(NbdHandshake *h, NbdInfo *info, bool *oldstyle, Error **errp)
{
    uint8_t head[18], reply[4];
    NbdHeaders wanted = h->headers;

    h->headers = NBD_HEADERS_SIMPLE;
    *oldstyle = false;
    if (read_failed(channel_co_read(h->ch, head, 16), "initial magic", errp)) {
        return false;
    }
    if (ldbe64(head) != NBD_MAGIC) {
        error_set(errp, "Bad initial magic received: 0x%" PRIx64, ldbe64(head));
        return false;
    }
    if (ldbe64(head + 8) == NBD_OLDSTYLE_MAGIC) {
        *oldstyle = true;
        return read_oldstyle(h, info, errp);
    }
    if (ldbe64(head + 8) != NBD_OPTS_MAGIC) {
        error_set(errp, "Bad server magic received: 0x%" PRIx64, ldbe64(head + 8));
        return false;
    }
    if (read_failed(channel_co_read(h->ch, head + 16, 2), "server flags", errp)) {
        return false;
    }
    unsigned flags = ldbe16(head + 16);
    h->fixed = flags & NBD_FIXED_NEWSTYLE;
    h->no_zeroes = flags & NBD_NO_ZEROES;
    stbe32(reply, flags & (NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES));
    struct iovec none = { 0 };
    int err = channel_co_write(h->ch, reply, sizeof(reply), sg_of(&none), 0);
    if (err) {
        error_set_errno(errp, -err, "Failed to send clientflags field");
        return false;
    }
    if (h->tls) {
        if (!h->fixed) {
            error_set(errp, "Server does not support STARTTLS");
            return false;
        }
        if (!start_tls(h, errp)) {
            return false;
        }
    }
    if (h->fixed && wanted == NBD_HEADERS_EXTENDED) {
        int yes = ask(h, NBD_OPT_EXTENDED_HEADERS, errp);
        if (yes < 0) {
            return false;
        }
        h->headers = yes ? NBD_HEADERS_EXTENDED : NBD_HEADERS_SIMPLE;
    }
    if (h->fixed && wanted >= NBD_HEADERS_STRUCTURED && h->headers == NBD_HEADERS_SIMPLE) {
        int yes = ask(h, NBD_OPT_STRUCTURED_REPLY, errp);
        if (yes < 0) {
            return false;
        }
        h->headers = yes ? NBD_HEADERS_STRUCTURED : NBD_HEADERS_SIMPLE;
    }
    return true;
}

/* -- metadata contexts ----------------------------------------------------------------------------------------------- */

/* `queries` NULL-terminated. Contexts the server names are added to info. */
static bool meta_context(NbdHandshake *h, uint32_t option, NbdInfo *info, const char *const *queries, Error **errp)
{
    VEC(uint8_t) data = { 0 };
    uint32_t n = 0;
    size_t name = strlen(info->name);
    bool ok;

#define ADD32(value) do { uint8_t be[4]; stbe32(be, (value)); for (int b = 0; b < 4; b++) { *vec_push(&data) = be[b]; } } while (0)
    ADD32((uint32_t)name);
    for (size_t i = 0; i < name; i++) {
        *vec_push(&data) = (uint8_t)info->name[i];
    }
    while (queries[n]) {
        n++;
    }
    ADD32(n);
    for (size_t q = 0; q < n; q++) {
        ADD32((uint32_t)strlen(queries[q]));
        for (const char *p = queries[q]; *p; p++) {
            *vec_push(&data) = (uint8_t)*p;
        }
    }
#undef ADD32
    ok = send_option(h, option, data.at, (uint32_t)data.n, errp);
    vec_free(&data);
    for (OptionReply r; ok;) {
        if (!read_reply(h, option, &r, errp)) {
            return false;
        }
        bool last = r.type == NBD_REP_ACK || r.type >> 31;
        if (r.type == NBD_REP_META_CONTEXT) {
            if (r.bytes < 5 || r.bytes > 4 + NBD_MAX_STRING || info->n_contexts >= MAX_CONTEXTS || memchr(r.data + 4, 0, r.bytes - 4)) {
                error_set(errp, "Failed to negotiate meta context: the server's reply is malformed");
                ok = false;
            } else {
                info->contexts = xrealloc(info->contexts, (info->n_contexts + 1) * sizeof(*info->contexts));
                info->contexts[info->n_contexts++] = (NbdContext){ xstrdup((char *)r.data + 4), ldbe32(r.data) };
            }
        } else if (!last) {
            error_set(errp, "Unexpected reply type %u (%s), expected %u (%s)", r.type, nbd_reply_name(r.type), NBD_REP_META_CONTEXT,
                      nbd_reply_name(NBD_REP_META_CONTEXT));
            ok = false;
        } else if (r.type == NBD_REP_ERR_UNKNOWN) {
            explain_error(&r, option, info->name, errp);
            ok = false;
        } /* other errors: there are no contexts */
        free(r.data);
        if (last) {
            break;
        }
    }
    return ok;
}

/* -- information ----------------------------------------------------------------------------------------------------- */

static char *copy_string(const uint8_t *data, size_t bytes)
{
    return xstrndup((const char *)data, bytes);
}

static bool take_info(NbdInfo *info, const OptionReply *r, bool *has_export, Error **errp)
{
    unsigned type = r->bytes >= 2 ? ldbe16(r->data) : 0xffff;

    switch (type) {
    case NBD_INFO_EXPORT:
        if (r->bytes != 12) {
            break;
        }
        info->size_bytes = ldbe64(r->data + 2);
        info->flags = ldbe16(r->data + 10);
        *has_export = true;
        return true;
    case NBD_INFO_BLOCK_SIZE:
        if (r->bytes != 14) {
            break;
        }
        info->min_block = ldbe32(r->data + 2);
        info->opt_block = ldbe32(r->data + 6);
        info->max_block = ldbe32(r->data + 10);
        info->has_block_size = true;
        if (!bits_is_pow2(info->min_block) || info->min_block > 64 * KiB) {
            error_set(errp, "server minimum block size %" PRIu32 " is not a power of two of at most 64k", info->min_block);
            return false;
        }
        if (!bits_is_pow2(info->opt_block) || info->opt_block < info->min_block) {
            error_set(errp, "server preferred block size %" PRIu32 " is not valid", info->opt_block);
            return false;
        }
        if (info->max_block < info->min_block) {
            error_set(errp, "server maximum block size %" PRIu32 " is not valid", info->max_block);
            return false;
        }
        return true;
    case NBD_INFO_DESCRIPTION:
        if (r->bytes - 2 > NBD_MAX_STRING) {
            break;
        }
        free(info->description);
        info->description = copy_string(r->data + 2, r->bytes - 2);
        return true;
    default:
        if (r->bytes >= 2) {
            return true; /* what is not known is ignored */
        }
    }
    error_set(errp, "Failed to read info: the server's reply is malformed");
    return false;
}

/* INFO or GO. 1, 0: the server does not know the option, -1. */
static int info_or_go(NbdHandshake *h, uint32_t option, NbdInfo *info, Error **errp)
{
    size_t name = strlen(info->name);
    uint8_t *data = xmalloc(4 + name + 2 + 4);
    bool has_export = false;
    int ret = -1;

    stbe32(data, (uint32_t)name);
    memcpy(data + 4, info->name, name);
    stbe16(data + 4 + name, 2);
    stbe16(data + 4 + name + 2, NBD_INFO_BLOCK_SIZE);
    stbe16(data + 4 + name + 4, NBD_INFO_DESCRIPTION);
    bool ok = send_option(h, option, data, (uint32_t)(4 + name + 6), errp);
    free(data);
    for (OptionReply r; ok;) {
        if (!read_reply(h, option, &r, errp)) {
            return -1;
        }
        if (r.type == NBD_REP_INFO) {
            ok = take_info(info, &r, &has_export, errp);
        } else if (r.type == NBD_REP_ACK) {
            ret = has_export ? 1 : -1;
            if (!has_export) {
                error_set(errp, "broken server omitted NBD_INFO_EXPORT");
            }
            ok = false;
        } else if (r.type == NBD_REP_ERR_UNSUP) {
            ret = 0;
            ok = false;
        } else if (r.type >> 31) {
            explain_error(&r, option, info->name, errp);
            if (r.type == NBD_REP_ERR_UNKNOWN && errp && *errp) {
                Error *err = *errp;
                const char *text = error_message(err);
                *errp = NULL;
                const char *rest = strstr(text, " (server");
                error_set(errp, "Requested export not available%s", rest ? rest : "");
                error_free(err);
            }
            ok = false;
        } else {
            error_set(errp, "unexpected reply type %u (%s)", r.type, nbd_reply_name(r.type));
            ok = false;
        }
        free(r.data);
    }
    return ret;
}

static bool export_name(NbdHandshake *h, NbdInfo *info, Error **errp)
{
    uint8_t head[10];

    if (!send_option(h, NBD_OPT_EXPORT_NAME, info->name, (uint32_t)strlen(info->name), errp) ||
        read_failed(channel_co_read(h->ch, head, sizeof(head)), "export length", errp) ||
        (!h->no_zeroes && read_failed(channel_co_skip(h->ch, 124), "reserved block", errp))) {
        return false;
    }
    info->size_bytes = ldbe64(head);
    info->flags = ldbe16(head + 8);
    return true;
}

bool nbd_co_go(NbdHandshake *h, NbdInfo *info, const char *context, Error **errp)
{
    int done = 0;

    info->min_block = 1;
    info->max_block = NBD_MAX_PAYLOAD;
    if (strlen(info->name) > NBD_MAX_STRING) {
        error_set(errp, "export name is too long");
        return false;
    }
    if (context && h->fixed && h->headers >= NBD_HEADERS_STRUCTURED) {
        const char *const queries[] = { context, NULL };
        if (!meta_context(h, NBD_OPT_SET_META_CONTEXT, info, queries, errp)) {
            return false;
        }
    }
    if (h->fixed) {
        done = info_or_go(h, NBD_OPT_GO, info, errp);
        if (done < 0) {
            nbd_co_abort(h);
        }
    }
    info->structured = h->headers >= NBD_HEADERS_STRUCTURED;
    info->extended = h->headers == NBD_HEADERS_EXTENDED;
    return done > 0 || (!done && export_name(h, info, errp));
}

/* -- lists ----------------------------------------------------------------------------------------------------------- */

static bool list_names(NbdHandshake *h, NbdInfo **list, size_t *n, Error **errp)
{
    if (!send_option(h, NBD_OPT_LIST, NULL, 0, errp)) {
        return false;
    }
    for (OptionReply r;;) {
        if (!read_reply(h, NBD_OPT_LIST, &r, errp)) {
            return false;
        }
        uint32_t name = r.bytes >= 4 ? ldbe32(r.data) : 0;
        bool more = r.type == NBD_REP_SERVER, good = more && r.bytes >= 4 && name <= r.bytes - 4 && name <= NBD_MAX_STRING && *n < MAX_EXPORTS;
        if (good) {
            *list = xrealloc(*list, (*n + 1) * sizeof(**list));
            (*list)[*n] = (NbdInfo){ .name = copy_string(r.data + 4, name), .min_block = 1 };
            size_t rest = r.bytes - 4 - name;
            (*list)[*n].description = rest ? copy_string(r.data + 4 + name, MIN(rest, (size_t)NBD_MAX_STRING)) : NULL;
            ++*n;
        } else if (more) {
            error_set(errp, "Failed to read export list: the server's reply is malformed");
        } else if (r.type >> 31) {
            explain_error(&r, NBD_OPT_LIST, NULL, errp);
        } else if (r.type != NBD_REP_ACK) {
            error_set(errp, "Unexpected reply type %u (%s), expected %u (%s)", r.type, nbd_reply_name(r.type), NBD_REP_SERVER, nbd_reply_name(NBD_REP_SERVER));
        }
        free(r.data);
        if (!good) {
            return r.type == NBD_REP_ACK;
        }
    }
}

bool nbd_co_list(NbdHandshake *h, NbdInfo **list, size_t *n, Error **errp)
{
    static const char *const all[] = { NULL };

    if (!h->fixed) {
        error_set(errp, "Server does not support export lists");
        return false;
    }
    if (!list_names(h, list, n, errp)) {
        return false;
    }
    for (size_t i = 0; i < *n; i++) {
        NbdInfo *info = &(*list)[i];
        info->structured = h->headers >= NBD_HEADERS_STRUCTURED;
        info->extended = h->headers == NBD_HEADERS_EXTENDED;
        int known = info_or_go(h, NBD_OPT_INFO, info, errp);
        if (known < 0 || (known && info->structured && !meta_context(h, NBD_OPT_LIST_META_CONTEXT, info, all, errp))) {
            return false;
        }
    }
    nbd_co_abort(h);
    return true;
}

void nbd_info_free(NbdInfo *info)
{
    for (size_t i = 0; i < info->n_contexts; i++) {
        free(info->contexts[i].name);
    }
    free(info->contexts);
    free(info->name);
    free(info->description);
    *info = (NbdInfo){ 0 };
}
