/*
 * server-handshake.c: the server's side of NBD's handshake: fixed newstyle with TLS, lists, information, structured and extended replies,
 * metadata contexts (sections "Fixed newstyle negotiation", "Option types", "Metadata querying").
 *
 * An option has at most 32 MiB, of which only the bounded strings we know are kept; what is larger or wrong is skipped and
 * answered with an error. The number of options a client sends is bounded, too.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "block/nbd/server.h"
#include "block/object.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { MAX_OPTION_BYTES = 32 << 20, MAX_OPTIONS = 100000, MAX_QUERIES = 4096 };

typedef struct Option {
    NbdClient *client;
    uint32_t type, left;      /* left: bytes that have not been read */
} Option;

/* -- replies --------------------------------------------------------------------------------------------------------- */

static bool reply_data(const Option *o, uint32_t type, const void *data, uint32_t bytes)
{
    uint8_t head[NBD_OPTION_REPLY_BYTES];
    struct iovec v = { (void *)data, bytes };

    stbe64(head, NBD_REPLY_MAGIC);
    stbe32(head + 8, o->type);
    stbe32(head + 12, type);
    stbe32(head + 16, bytes);
    return !channel_co_write(o->client->ch, head, sizeof(head), sg_of(&v), bytes);
}

static bool reply(const Option *o, uint32_t type)
{
    return reply_data(o, type, NULL, 0);
}

/* Skips what is left of the option. */
static bool PRINTF_LIKE(3, 4) reply_error(Option *o, uint32_t type, const char *fmt, ...)
{
    va_list ap;

    if (channel_co_skip(o->client->ch, o->left)) {
        return false;
    }
    o->left = 0;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    bool ok = reply_data(o, type, text, (uint32_t)MIN(strlen(text), (size_t)NBD_MAX_STRING));
    free(text);
    return ok;
}

/* -- reading an option ----------------------------------------------------------------------------------------------- */

typedef enum Got { GOT, REFUSED, BROKEN } Got;   /* REFUSED: an error has been sent; BROKEN: the connection */

static Got read_bytes(Option *o, void *buf, uint32_t bytes)
{
    if (bytes > o->left) {
        return reply_error(o, NBD_REP_ERR_INVALID, "Inconsistent lengths in option %s", nbd_option_name(o->type)) ? REFUSED : BROKEN;
    }
    if (channel_co_read(o->client->ch, buf, bytes)) {
        return BROKEN;
    }
    o->left -= bytes;
    return GOT;
}

/* A length and as many bytes; without zeros inside. */
static Got read_string(Option *o, char **ret)
{
    uint8_t be[4];
    Got got = read_bytes(o, be, 4);

    if (got != GOT) {
        return got;
    }
    uint32_t n = ldbe32(be);
    if (n > NBD_MAX_STRING) {
        return reply_error(o, NBD_REP_ERR_INVALID, "%s: string of %" PRIu32 " bytes is too long", nbd_option_name(o->type), n) ? REFUSED : BROKEN;
    }
    if (n > o->left) {
        return reply_error(o, NBD_REP_ERR_INVALID, "Inconsistent lengths in option %s", nbd_option_name(o->type)) ? REFUSED : BROKEN;
    }
    char *text = xmalloc(n + 1);
    got = read_bytes(o, text, n);
    if (got == GOT && memchr(text, 0, n)) {
        got = reply_error(o, NBD_REP_ERR_INVALID, "%s: embedded NUL in a string", nbd_option_name(o->type)) ? REFUSED : BROKEN;
    }
    if (got != GOT) {
        free(text);
        return got;
    }
    text[n] = '\0';
    *ret = text;
    return GOT;
}

/* -- options --------------------------------------------------------------------------------------------------------- */

static bool list(Option *o)
{
    if (o->left) {
        return reply_error(o, NBD_REP_ERR_INVALID, "option 'list' has unexpected length");
    }
    for (NbdExport *e = o->client->server->exports, *next; e; e = next) {
        size_t name = strlen(e->name), text = e->description ? strlen(e->description) : 0;
        uint8_t *data = xmalloc(4 + name + text);
        stbe32(data, (uint32_t)name);
        memcpy(data + 4, e->name, name);
        if (text) {
            memcpy(data + 4 + name, e->description, text);
        }
        e->refs++; /* it may be removed while this is sent */
        bool ok = reply_data(o, NBD_REP_SERVER, data, (uint32_t)(4 + name + text));
        next = e->removed ? NULL : e->next;
        nbd_export_unref(e);
        free(data);
        if (!ok) {
            return false;
        }
    }
    return reply(o, NBD_REP_ACK);
}

static void enter(NbdClient *client, NbdExport *e)
{
    client->export = e;
    e->refs++;
    e->clients++;
    if (client->context_export != e) {
        client->n_contexts = 0; /* they were chosen for another one */
    }
}

/* Oldest way in. There is no way to say no but to leave. */
static bool export_name(Option *o)
{
    NbdClient *client = o->client;
    char name[NBD_MAX_STRING + 1];
    uint8_t data[8 + 2 + 124] = { 0 };
    uint32_t n = o->left;
    struct iovec none = { 0 };

    if (n > NBD_MAX_STRING || channel_co_read(client->ch, name, n)) {
        return false;
    }
    o->left = 0;
    name[n] = '\0';
    NbdExport *e = strlen(name) == n ? nbd_export_find(client->server, name) : NULL;
    if (!e || client->extended) {
        return false;
    }
    stbe64(data, export_node(e)->size_bytes);
    stbe16(data + 8, nbd_export_flags(client, e));
    enter(client, e);
    return !channel_co_write(client->ch, data, client->no_zeroes ? 10 : sizeof(data), sg_of(&none), 0);
}

static bool send_info(const Option *o, const NbdExport *e, bool wants_blocks, bool wants_name, bool wants_description)
{
    const BlockNode *node = export_node(e);
    uint8_t data[2 + NBD_MAX_STRING];
    bool ok = true;

    if (wants_name) {
        stbe16(data, NBD_INFO_NAME);
        memcpy(data + 2, e->name, strlen(e->name));
        ok = reply_data(o, NBD_REP_INFO, data, (uint32_t)(2 + strlen(e->name)));
    }
    if (wants_description && e->description && ok) {
        stbe16(data, NBD_INFO_DESCRIPTION);
        memcpy(data + 2, e->description, strlen(e->description));
        ok = reply_data(o, NBD_REP_INFO, data, (uint32_t)(2 + strlen(e->description)));
    }
    /* A client that knows of block sizes keeps to them; for others requests are made to fit. */
    uint32_t min = wants_blocks ? MIN(node->request_align, 65536u) : 1;
    min = node->size_bytes & (min - 1) ? 1 : min; /* the end must be in reach */
    stbe16(data, NBD_INFO_BLOCK_SIZE);
    stbe32(data + 2, min);
    stbe32(data + 6, MAX(4096u, min));
    stbe32(data + 10, NBD_MAX_PAYLOAD);
    ok = ok && reply_data(o, NBD_REP_INFO, data, 14);
    stbe16(data, NBD_INFO_EXPORT);
    stbe64(data + 2, node->size_bytes);
    stbe16(data + 10, nbd_export_flags(o->client, e));
    return ok && reply_data(o, NBD_REP_INFO, data, 12);
}

/* INFO and GO. */
static bool info(Option *o, bool *entered)
{
    NbdClient *client = o->client;
    bool wants_name = false, wants_description = false, wants_blocks = false;
    uint8_t be[2];
    char *name;
    Got got = read_string(o, &name);

    if (got != GOT) {
        return got == REFUSED;
    }
    got = read_bytes(o, be, 2);
    unsigned n = got == GOT ? ldbe16(be) : 0;
    if (got == GOT && o->left != 2 * n) {
        got = reply_error(o, NBD_REP_ERR_INVALID, "Inconsistent lengths in option %s", nbd_option_name(o->type)) ? REFUSED : BROKEN;
    }
    for (unsigned i = 0; i < n && got == GOT; i++) {
        got = read_bytes(o, be, 2);
        switch (ldbe16(be)) {
        case NBD_INFO_NAME: wants_name = true; break;
        case NBD_INFO_DESCRIPTION: wants_description = true; break;
        case NBD_INFO_BLOCK_SIZE: wants_blocks = true; break;
        default: break;
        }
    }
    if (got != GOT) {
        free(name);
        return got == REFUSED;
    }
    NbdExport *e = nbd_export_find(client->server, name);
    if (!e) {
        bool ok = reply_error(o, NBD_REP_ERR_UNKNOWN, "export '%s' not present", name);
        free(name);
        return ok;
    }
    free(name);
    e->refs++;
    bool ok = send_info(o, e, wants_blocks || o->type == NBD_OPT_INFO, wants_name, wants_description);
    if (ok && o->type == NBD_OPT_GO && e->removed) {
        ok = reply_error(o, NBD_REP_ERR_SHUTDOWN, "the export is being removed");
    } else if (ok) {
        if (o->type == NBD_OPT_GO) {
            enter(client, e);
            *entered = true;
        }
        ok = reply(o, NBD_REP_ACK);
    }
    nbd_export_unref(e);
    return ok;
}

/* The names of an export's contexts, by number (server.h); NULL behind the last. */
static char *context_name(const NbdExport *e, unsigned id)
{
    if (id == NBD_CONTEXT_ALLOCATION_ID) {
        return xstrdup("base:allocation");
    }
    if (id == NBD_CONTEXT_DEPTH_ID) {
        return xstrdup("qemu:allocation-depth");
    }
    return id - NBD_CONTEXT_BITMAP_ID < e->n_bitmaps ? xasprintf("qemu:dirty-bitmap:%s", e->dirty[id - NBD_CONTEXT_BITMAP_ID]->name) : NULL;
}

/* "base:", "qemu:" and "qemu:dirty-bitmap:" mean all of theirs, but only in lists. */
static bool query_matches(const char *query, const char *name, bool is_list)
{
    size_t n = strlen(query);

    if (!strcmp(query, name)) {
        return true;
    }
    return is_list && (!strcmp(query, "base:") || !strcmp(query, "qemu:") || !strcmp(query, "qemu:dirty-bitmap:")) && !strncmp(query, name, n);
}

static void match_query(const NbdExport *e, const char *query, bool is_list, bool *chosen)
{
    char *name;

    for (unsigned id = 0; id < NBD_MAX_CONTEXTS && (name = context_name(e, id)) != NULL; id++) {
        if ((id != NBD_CONTEXT_DEPTH_ID || e->allocation_depth) && (!query || query_matches(query, name, is_list))) {
            chosen[id] = true;
        }
        free(name);
    }
}

static bool meta_context(Option *o)
{
    NbdClient *client = o->client;
    bool is_list = o->type == NBD_OPT_LIST_META_CONTEXT, chosen[NBD_MAX_CONTEXTS] = { false };
    uint8_t be[4];
    char *name = NULL, *query;

    if (!client->structured) {
        return reply_error(o, NBD_REP_ERR_INVALID, "request option '%s' when structured reply is not negotiated", nbd_option_name(o->type));
    }
    if (!is_list) { /* whatever comes of it, the old ones are gone */
        client->n_contexts = 0;
        client->context_export = NULL;
    }
    Got got = read_string(o, &name);
    if (got != GOT) {
        return got == REFUSED;
    }
    NbdExport *e = nbd_export_find(client->server, name);
    if (!e) {
        bool ok = reply_error(o, NBD_REP_ERR_UNKNOWN, "export '%s' not present", name);
        free(name);
        return ok;
    }
    free(name);
    e->refs++;
    got = read_bytes(o, be, 4);
    uint32_t n = got == GOT ? ldbe32(be) : 0;
    if (n > MAX_QUERIES) {
        got = reply_error(o, NBD_REP_ERR_TOO_BIG, "too many queries") ? REFUSED : BROKEN;
    }
    if (got == GOT && !n && is_list) {
        match_query(e, NULL, true, chosen);
    }
    for (uint32_t i = 0; i < n && got == GOT; i++) {
        got = read_string(o, &query);
        if (got == GOT) {
            match_query(e, query, is_list, chosen);
            free(query);
        }
    }
    if (got == GOT && o->left) {
        got = reply_error(o, NBD_REP_ERR_INVALID, "Inconsistent lengths in option %s", nbd_option_name(o->type)) ? REFUSED : BROKEN;
    }
    bool ok = got != BROKEN;
    for (unsigned id = 0; id < NBD_MAX_CONTEXTS && got == GOT && ok; id++) {
        if (chosen[id]) {
            char *text = context_name(e, id);
            uint8_t *data = xmalloc(4 + strlen(text));
            stbe32(data, is_list ? 0 : client->n_contexts);
            memcpy(data + 4, text, strlen(text));
            if (!is_list) {
                client->contexts[client->n_contexts++] = (uint8_t)id;
            }
            ok = reply_data(o, NBD_REP_META_CONTEXT, data, (uint32_t)(4 + strlen(text)));
            free(data);
            free(text);
        }
    }
    if (got == GOT && !is_list && !e->removed) {
        client->context_export = e;
    }
    nbd_export_unref(e);
    return ok && (got != GOT || reply(o, NBD_REP_ACK));
}

static bool start_tls(Option *o)
{
    NbdClient *client = o->client;

    if (o->left) {
        return reply_error(o, NBD_REP_ERR_INVALID, "option 'starttls' has unexpected length");
    }
    if (!client->server->tls) {
        return reply_error(o, NBD_REP_ERR_POLICY, "TLS not configured");
    }
    if (channel_is_tls(client->ch)) {
        return reply_error(o, NBD_REP_ERR_INVALID, "TLS already enabled");
    }
    if (channel_has_input(client->ch)) { /* put in by somebody between; after the handshake it would pass for the client's */
        return false;
    }
    if (!reply(o, NBD_REP_ACK)) {
        return false;
    }
    Error *err = NULL;
    if (!channel_co_tls(client->ch, client->server->tls, NULL, &err)) {
        error_free(err);
        return false;
    }
    /* What was agreed on before, nobody had protected. */
    client->structured = client->extended = false;
    client->n_contexts = 0;
    client->context_export = NULL;
    const char *peer = channel_peer_name(client->ch);
    return !client->server->authz || block_authz_allows(client->server->authz, peer, NULL);
}

static bool headers(Option *o)
{
    NbdClient *client = o->client;
    bool extended = o->type == NBD_OPT_EXTENDED_HEADERS;

    if (o->left) {
        return reply_error(o, NBD_REP_ERR_INVALID, "option '%s' has unexpected length", nbd_option_name(o->type));
    }
    if (extended ? client->extended : client->structured) {
        return reply_error(o, client->extended && !extended ? NBD_REP_ERR_EXT_HEADER_REQD : NBD_REP_ERR_INVALID,
                           extended || !client->extended ? "%s already negotiated" : "extended headers already negotiated", nbd_option_name(o->type));
    }
    client->structured = true;
    client->extended |= extended;
    return reply(o, NBD_REP_ACK);
}

/* False: the connection ends. */
static bool serve_option(Option *o, bool *entered)
{
    NbdClient *client = o->client;

    if (client->server->tls && !channel_is_tls(client->ch) && o->type != NBD_OPT_STARTTLS && o->type != NBD_OPT_ABORT) {
        return o->type != NBD_OPT_EXPORT_NAME && reply_error(o, NBD_REP_ERR_TLS_REQD, "Option 0x%" PRIx32 " not permitted before TLS", o->type);
    }
    switch (o->type) {
    case NBD_OPT_EXPORT_NAME:
        *entered = export_name(o);
        return *entered;
    case NBD_OPT_ABORT:
        if (!channel_co_skip(client->ch, o->left)) {
            reply(o, NBD_REP_ACK); /* it may have gone already */
        }
        return false;
    case NBD_OPT_LIST: return list(o);
    case NBD_OPT_STARTTLS: return start_tls(o);
    case NBD_OPT_INFO: case NBD_OPT_GO: return info(o, entered);
    case NBD_OPT_STRUCTURED_REPLY: case NBD_OPT_EXTENDED_HEADERS: return headers(o);
    case NBD_OPT_LIST_META_CONTEXT: case NBD_OPT_SET_META_CONTEXT: return meta_context(o);
    default: return reply_error(o, NBD_REP_ERR_UNSUP, "Unsupported option %" PRIu32 " (%s)", o->type, nbd_option_name(o->type));
    }
}

bool nbd_co_handshake(NbdClient *client)
{
    uint8_t head[18], be[NBD_OPTION_BYTES];
    struct iovec none = { 0 };

    stbe64(head, NBD_MAGIC);
    stbe64(head + 8, NBD_OPTS_MAGIC);
    stbe16(head + 16, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
    if (channel_co_write(client->ch, head, sizeof(head), sg_of(&none), 0) || channel_co_read(client->ch, be, 4)) {
        return false;
    }
    uint32_t flags = ldbe32(be);
    if (flags & ~(uint32_t)(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES)) {
        return false; /* "MUST close the connection if it does not recognize the client's flags" */
    }
    client->fixed = flags & NBD_FIXED_NEWSTYLE;
    client->no_zeroes = flags & NBD_NO_ZEROES;
    for (unsigned i = 0; i < MAX_OPTIONS; i++) {
        bool entered = false;
        if (channel_co_read(client->ch, be, sizeof(be)) || ldbe64(be) != NBD_OPTS_MAGIC) {
            return false;
        }
        Option o = { .client = client, .type = ldbe32(be + 8), .left = ldbe32(be + 12) };
        if (o.left > MAX_OPTION_BYTES || (!client->fixed && o.type != NBD_OPT_EXPORT_NAME && o.type != NBD_OPT_ABORT && o.type != NBD_OPT_STARTTLS)) {
            return false;
        }
        if (!serve_option(&o, &entered)) {
            return false;
        }
        if (entered) {
            return !client->closing;
        }
    }
    return false;
}
