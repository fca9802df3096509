/*
 * vnc-client.c: a VNC connection: bytes in and out, protocol version, security, initialisation.
 *
 * Specification: RFC 6143, 7.1 (handshake), 7.2 (security types), 7.3 (initialisation); appendix A (3.3 and 3.7).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ui/vnc-server.h"
#include "util/trace.h"

enum { SECURITY_NONE = 1, SECURITY_VNC = 2 };

/* ---- buffers ---- */

void *vnc_reserve(VncBuffer *b, size_t n)
{
    if (b->cap - b->n < n) {
        b->cap = MAX(b->n + n, b->cap * 2);
        b->at = xrealloc(b->at, b->cap);
    }
    return b->at + b->n;
}

void vnc_put(VncBuffer *b, const void *bytes, size_t n)
{
    if (n) {
        memcpy(vnc_reserve(b, n), bytes, n);
        b->n += n;
    }
}

/* An empty buffer that was large once gives its memory back. */
static void buffer_shrink(VncBuffer *b)
{
    if (!b->n && b->cap > 256 * KiB) {
        free(b->at);
        *b = (VncBuffer){0};
    }
}

static void buffer_drop(VncBuffer *b, size_t n)
{
    if (n) { /* else there may be no buffer yet */
        memmove(b->at, b->at + n, b->n - n);
        b->n -= n;
    }
    buffer_shrink(b);
}

/* ---- output ---- */

size_t vnc_pending(const VncClient *c)
{
    return c->out.n + c->wire.n - c->sent;
}

static void watch_for(VncClient *c)
{
    if (c->watch) {
        unsigned events = (vnc_pending(c) ? LOOP_WRITE : 0) | (vnc_pending(c) < VNC_OUT_STOP_READING ? LOOP_READ : 0);
        loop_watch_set(c->watch, c->closing ? 0 : events);
    }
}

void vnc_flush(VncClient *c)
{
    if (c->websocket && c->ws_open && c->out.n) {
        ws_frame_header(&c->wire, 2, c->out.n);
        vnc_put(&c->wire, c->out.at, c->out.n);
        c->out.n = 0;
        buffer_shrink(&c->out);
    }
    VncBuffer *b = c->websocket ? &c->wire : &c->out;
    while (c->fd >= 0 && c->sent < b->n) {
        ssize_t n = send(c->fd, b->at + c->sent, b->n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (n <= 0) {
            vnc_client_close(c);
            break;
        }
        c->sent += (size_t)n;
    }
    if (c->sent == b->n) {
        b->n = c->sent = 0;
        buffer_shrink(b);
    }
    watch_for(c);
}

/* ---- handshake ---- */

static void refuse(VncClient *c, const char *reason)
{
    vnc_put32(&c->out, (uint32_t)strlen(reason));
    vnc_put(&c->out, reason, strlen(reason));
    vnc_flush(c);
    vnc_client_close(c);
}

/* 7.1.3; before 3.8 there is no reason, and none at all for "no security" before 3.8. */
static void security_result(VncClient *c, bool ok, bool by_password)
{
    if (by_password || c->minor >= 8) {
        vnc_put32(&c->out, ok ? 0 : 1);
    }
    if (ok) {
        c->authenticated = true;
        c->state = VNC_INIT;
    } else if (c->minor >= 8) {
        refuse(c, "Authentication failed");
    } else {
        vnc_flush(c);
        vnc_client_close(c);
    }
}

static void start_challenge(VncClient *c)
{
    if (getrandom(c->challenge, sizeof(c->challenge), 0) != sizeof(c->challenge)) {
        vnc_client_close(c);
        return;
    }
    vnc_put(&c->out, c->challenge, sizeof(c->challenge));
    c->state = VNC_CHALLENGE;
}

static size_t on_version(VncClient *c, const uint8_t *p, size_t n)
{
    enum { LEN = 12 };
    unsigned major = 0, minor = 0;

    if (n < LEN) {
        return 0;
    }
    if (memcmp(p, "RFB ", 4) || p[7] != '.' || p[11] != '\n') {
        vnc_client_close(c);
        return LEN;
    }
    for (unsigned i = 0; i < 3; i++) {
        major = major * 10 + (p[4 + i] - '0') % 10u;
        minor = minor * 10 + (p[8 + i] - '0') % 10u;
    }
    /* 3.4 to 3.6, which some say, are to be taken as 3.3; what is newer as 3.8. */
    c->minor = major != 3 || minor >= 8 ? 8 : minor == 7 ? 7 : 3;
    uint8_t type = c->server->use_password ? SECURITY_VNC : SECURITY_NONE;
    if (major < 3) {
        vnc_put32(&c->out, 0);
        refuse(c, "Invalid version");
    } else if (c->minor == 3) {
        vnc_put32(&c->out, type);
        if (type == SECURITY_VNC) {
            start_challenge(c);
        } else {
            c->authenticated = true;
            c->state = VNC_INIT;
        }
    } else {
        vnc_put8(&c->out, 1);
        vnc_put8(&c->out, type);
        c->state = VNC_SECURITY;
    }
    return LEN;
}

static size_t on_security(VncClient *c, const uint8_t *p, size_t n)
{
    if (n < 1) {
        return 0;
    }
    if (*p != (c->server->use_password ? SECURITY_VNC : SECURITY_NONE)) {
        security_result(c, false, true);
    } else if (*p == SECURITY_VNC) {
        start_challenge(c);
    } else {
        security_result(c, true, false);
    }
    return 1;
}

static size_t on_challenge(VncClient *c, const uint8_t *p, size_t n)
{
    uint8_t expected[VNC_CHALLENGE_BYTES], differ = 0;

    if (n < VNC_CHALLENGE_BYTES) {
        return 0;
    }
    if (vnc_password_usable(c->server)) {
        vnc_encrypt_challenge(c->server->password, c->challenge, expected);
        for (unsigned i = 0; i < VNC_CHALLENGE_BYTES; i++) {
            differ |= expected[i] ^ p[i];
        }
    } else {
        differ = 1;
    }
    security_result(c, !differ, true);
    return VNC_CHALLENGE_BYTES;
}

/* ClientInit: whether others may stay. */
static bool share_ok(VncClient *c, bool shared)
{
    VncServer *s = c->server;

    if (s->share == SHARE_FORCE_SHARED && !shared) {
        return false;
    }
    for (VncClient *other = s->clients; other && s->share == SHARE_ALLOW_EXCLUSIVE && !shared; other = other->next) {
        if (other != c && other->initialized) {
            vnc_client_close(other);
        }
    }
    return true;
}

static size_t on_init(VncClient *c, const uint8_t *p, size_t n)
{
    VncServer *s = c->server;

    if (n < 1) {
        return 0;
    }
    /* The device may not have been asked for its picture since the guest chose another size. */
    vnc_server_update(s);
    if (!share_ok(c, *p != 0)) {
        vnc_client_close(c);
        return 1;
    }
    char *name = display_title();
    const VncPixelFormat *pf = &c->pf;
    vnc_put16(&c->out, (uint16_t)s->width);
    vnc_put16(&c->out, (uint16_t)s->height);
    vnc_put8(&c->out, pf->bits);
    vnc_put8(&c->out, pf->depth);
    vnc_put8(&c->out, pf->big_endian);
    vnc_put8(&c->out, pf->true_color);
    for (unsigned k = 0; k < 3; k++) {
        vnc_put16(&c->out, pf->max[k]);
    }
    vnc_put(&c->out, pf->shift, 3);
    vnc_put(&c->out, "\0\0\0", 3);
    vnc_put32(&c->out, (uint32_t)strlen(name));
    vnc_put(&c->out, name, strlen(name));
    free(name);
    c->state = VNC_NORMAL;
    c->initialized = true;
    c->size_changed = false;
    vnc_mark_all(c);
    Json *data = json_object();
    json_put(data, "server", vnc_server_event(c, true));
    json_put(data, "client", vnc_client_describe(c));
    vnc_event("VNC_INITIALIZED", data);
    vnc_server_wake(s);
    return 1;
}

/* ---- input ---- */

static size_t handle(VncClient *c, const uint8_t *p, size_t n)
{
    switch (c->state) {
    case VNC_VERSION: return on_version(c, p, n);
    case VNC_SECURITY: return on_security(c, p, n);
    case VNC_CHALLENGE: return on_challenge(c, p, n);
    case VNC_INIT: return on_init(c, p, n);
    default: return vnc_message(c, p, n);
    }
}

void vnc_feed(VncClient *c, const uint8_t *bytes, size_t n)
{
    size_t at = 0;

    vnc_put(c->websocket ? &c->raw_in : &c->in, bytes, n);
    if (c->websocket && !ws_decode(c)) {
        vnc_flush(c);
        vnc_client_close(c);
    }
    while (!c->closing && at < c->in.n) {
        size_t used;
        if (c->skip) {
            used = MIN(c->skip, c->in.n - at);
            c->skip -= used;
        } else {
            used = handle(c, c->in.at + at, c->in.n - at);
        }
        if (!used) {
            break;
        }
        at += used;
    }
    buffer_drop(&c->in, at);
    if (c->in.n > VNC_IN_MAX || c->raw_in.n > VNC_IN_MAX) {
        vnc_client_close(c); /* a message longer than any there is */
    }
}

static void client_ready(void *opaque, unsigned events)
{
    VncClient *c = opaque;
    uint8_t buf[16 * 1024];

    if (events & LOOP_WRITE) {
        vnc_flush(c);
        if (!vnc_pending(c) && c->wants_update) {
            vnc_server_wake(c->server);
        }
    }
    if ((events & (LOOP_READ | LOOP_HANGUP | LOOP_ERROR)) && !c->closing) {
        ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n > 0) {
            vnc_feed(c, buf, (size_t)n);
            vnc_flush(c);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            vnc_client_close(c);
        }
    }
}

/* ---- life ---- */

static void client_bh(void *opaque)
{
    VncClient *c = opaque;

    if (c->closing) {
        vnc_client_free(c);
    } else {
        vnc_flush(c);
    }
}

void vnc_client_new(VncServer *server, int fd, const VncSocket *socket)
{
    VncClient *c = xnew(VncClient);

    c->server = server;
    c->fd = fd;
    c->websocket = socket && socket->websocket;
    c->encoding = ENC_RAW;
    c->compress_level = 1;
    c->last_x = c->last_y = -1;
    c->bh = bh_new(loop_main(), client_bh, c);
    vnc_default_format(&c->pf);
    c->dirty = xcalloc((size_t)server->row_words * server->tiles_y + 1, 8);
    c->next = server->clients;
    server->clients = c;
    server->n_clients++;
    vnc_put(&c->out, "RFB 003.008\n", 12);
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        c->watch = loop_watch(loop_main(), fd, LOOP_READ, client_ready, c);
        TRACE("vnc_client_connected", "fd %d websocket %d", fd, c->websocket);
        bh_schedule(c->bh);
    }
}

void vnc_client_close(VncClient *c)
{
    if (!c->closing) {
        c->closing = true;
        watch_for(c);
        bh_schedule(c->bh);
    }
}

void vnc_client_free(VncClient *c)
{
    vnc_release_keys(c);
    vnc_client_gone(c);
    loop_unwatch(c->watch);
    bh_free(c->bh);
    if (c->fd >= 0) {
        close(c->fd);
    }
    if (c->zlib_open) {
        deflateEnd(&c->zlib);
    }
    free(c->in.at);
    free(c->out.at);
    free(c->raw_in.at);
    free(c->wire.at);
    free(c->zscratch.at);
    free(c->dirty);
    free(c->host);
    free(c->service);
    free(c->server_host);
    free(c->server_service);
    free(c);
}

Json *vnc_client_describe(const VncClient *c)
{
    Json *ret = json_object();

    json_put_string(ret, "host", c->host ? c->host : "");
    json_put_string(ret, "service", c->service ? c->service : "");
    json_put_string(ret, "family", c->family ? c->family : "unknown");
    json_put_bool(ret, "websocket", c->websocket);
    return ret;
}
