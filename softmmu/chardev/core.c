/*
 * core.c: front ends, the registry of back ends, creation from options.
 *
 * Threads: see priv.h. The registry belongs to the main loop's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "softmmu/chardev/priv.h"
#include "util/trace.h"

static const CharBackend *const backends[] = {
    &chardev_file,     &chardev_mux,  &chardev_null,   &chardev_parallel,
    &chardev_pipe,     &chardev_pty,  &chardev_ringbuf, &chardev_serial, &chardev_socket,
    &chardev_stdio,    &chardev_testdev, &chardev_udp,
};

/* Back ends of the field that are not there, and what to say. */
static const struct {
    const char *name, *reason;
} absent_backends[] = {
    { "vc", "there is no display to show a virtual console on; use stdio, pty, socket or file" },
    { "gtk", "there is no display" },
    { "spicevmc", "SPICE is not supported" },
    { "spiceport", "SPICE is not supported" },
    { "qemu-vdagent", "there is no display" },
    { "dbus", "D-Bus is not supported" },
    { "braille", "BrlAPI is not supported" },
    { "msmouse", "serial mice are not supported" },
    { "wctablet", "serial tablets are not supported" },
    { "hub", "hubs are not supported; use a mux" },
};

static const char *const common_options[] = { "backend", "id", "mux", "logfile", "logappend" };

static Chardev *all_chardevs;
void (*chardev_quit_hook)(void);

Chardev *chardev_first(void)
{
    return all_chardevs;
}

Chardev *chardev_find(const char *id)
{
    for (Chardev *chr = all_chardevs; chr; chr = chr->next) {
        if (chr->id && !strcmp(chr->id, id)) {
            return chr;
        }
    }
    return NULL;
}

const char *chardev_id(const Chardev *chr)
{
    return chr->id;
}

const char *chardev_filename(const Chardev *chr)
{
    return chr->filename ? chr->filename : chr->backend->name;
}

void chardev_set_filename(Chardev *chr, char *filename)
{
    free(chr->filename);
    chr->filename = filename;
}

bool chardev_is_mux(const Chardev *chr)
{
    return chr->backend == &chardev_mux;
}

/* ---- towards the front end ---- */

size_t chardev_can_read(Chardev *chr)
{
    CharFrontend *fe = chr->fe;
    return fe && fe->handlers && fe->handlers->can_read ? fe->handlers->can_read(fe->opaque) : 0;
}

void chardev_give(Chardev *chr, const uint8_t *buf, size_t len)
{
    CharFrontend *fe = chr->fe;
    if (fe && fe->handlers && fe->handlers->read && len) {
        TRACE("chardev_read", "id %s bytes %zu", chr->id, len);
        fe->handlers->read(fe->opaque, buf, len);
    }
}

void chardev_event(Chardev *chr, CharEvent event)
{
    TRACE("chardev_event", "id %s event %d", chr->id, (int)event);
    if (event == CHAR_EVENT_OPENED) {
        chr->peer_open = true;
    } else if (event == CHAR_EVENT_CLOSED) {
        bool was = chr->peer_open;
        chr->peer_open = false;
        if (!was) {
            return;
        }
    }
    CharFrontend *fe = chr->fe;
    if (fe && fe->handlers && fe->handlers->event) {
        fe->handlers->event(fe->opaque, event);
    }
}

void chardev_writable(Chardev *chr)
{
    bh_schedule(chr->writable_bh);
}

/* Loop side: first our own queue, then the front end. */
static void chardev_run_writable(void *opaque)
{
    Chardev *chr = opaque;
    pthread_mutex_lock(&chr->lock);
    bool empty = chardev_flush_queue(chr);
    pthread_mutex_unlock(&chr->lock);
    if (!empty) {
        return;
    }
    CharFrontend *fe = chr->fe;
    if (fe && fe->want_writable) {
        fe->want_writable = false;
        if (fe->handlers && fe->handlers->writable) {
            fe->handlers->writable(fe->opaque);
        }
    }
}

static void chardev_run_accept(void *opaque)
{
    Chardev *chr = opaque;
    if (chr->backend->accept_input) {
        chr->backend->accept_input(chr);
    }
}

/* ---- output ---- */

bool chardev_write_log(Chardev *chr, const uint8_t *buf, size_t len)
{
    while (chr->log_fd >= 0 && len) {
        ssize_t n = write(chr->log_fd, buf, len);
        if (n < 0 && errno == EINTR) {
            continue;
        } else if (n <= 0) {
            return false;
        }
        buf += n;
        len -= (size_t)n;
    }
    return true;
}

bool chardev_flush_queue(Chardev *chr)
{
    while (chr->queue_at < chr->queue.n) {
        size_t n = chr->backend->write(chr, chr->queue.at + chr->queue_at,
                                       chr->queue.n - chr->queue_at);
        if (!n) {
            return false;
        }
        chr->queue_at += n;
    }
    chr->queue_at = 0;
    if (chr->queue.cap > MiB) {
        vec_free(&chr->queue);
    }
    vec_clear(&chr->queue);
    return true;
}

size_t char_write(CharFrontend *fe, const void *buf, size_t len)
{
    Chardev *chr = fe->chr;
    if (!chr) {
        return len;
    }
    pthread_mutex_lock(&chr->lock);
    size_t n = chardev_flush_queue(chr) ? chr->backend->write(chr, buf, len) : 0;
    chardev_write_log(chr, buf, n);
    TRACE("chardev_write", "id %s bytes %zu taken %zu", chr->id, len, n);
    if (n < len) {
        fe->want_writable = true;
    }
    pthread_mutex_unlock(&chr->lock);
    return n;
}

void char_write_all(CharFrontend *fe, const void *buf, size_t len)
{
    Chardev *chr = fe->chr;
    if (!chr) {
        return;
    }
    pthread_mutex_lock(&chr->lock);
    const uint8_t *p = buf;
    chardev_write_log(chr, p, len);
    if (chardev_flush_queue(chr)) {
        size_t n = chr->backend->write(chr, p, len);
        p += n;
        len -= n;
    }
    /* Half a message would be worse than none: the peer is not reading at all. */
    if (len && chr->queue.n - chr->queue_at + len <= CHAR_QUEUE_MAX_BYTES) {
        for (size_t i = 0; i < len; i++) {
            *vec_push(&chr->queue) = p[i];
        }
    }
    pthread_mutex_unlock(&chr->lock);
}

size_t char_queued(CharFrontend *fe)
{
    Chardev *chr = fe->chr;
    if (!chr) {
        return 0;
    }
    pthread_mutex_lock(&chr->lock);
    size_t n = chr->queue.n - chr->queue_at;
    fe->want_writable |= n != 0;
    pthread_mutex_unlock(&chr->lock);
    return n;
}

void char_printf(CharFrontend *fe, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    char_write_all(fe, text, strlen(text));
    free(text);
}

/* ---- front ends ---- */

bool char_attach(CharFrontend *fe, Chardev *chr, Error **errp)
{
    assert(!fe->chr);
    if (chr->backend->attached) {
        fe->chr = chr;
        fe->mux_tag = -1;
        chr->backend->attached(chr, fe);
        if (fe->mux_tag < 0) {
            fe->chr = NULL;
            error_set(errp, "chardev '%s' has too many users", chr->id);
            return false;
        }
        return true;
    }
    if (chr->fe) {
        error_set(errp, "chardev '%s' is already in use", chr->id ? chr->id : "(unnamed)");
        return false;
    }
    fe->chr = chr;
    fe->mux_tag = -1;
    chr->fe = fe;
    return true;
}

void char_detach(CharFrontend *fe)
{
    Chardev *chr = fe->chr;
    if (!chr) {
        return;
    }
    char_set_handlers(fe, NULL, NULL);
    if (chr->backend->detached) {
        chr->backend->detached(chr, fe);
    } else {
        chr->fe = NULL;
    }
    fe->chr = NULL;
    fe->open = false;
}

void char_set_handlers(CharFrontend *fe, const CharHandlers *handlers, void *opaque)
{
    fe->handlers = handlers;
    fe->opaque = opaque;
    fe->open = handlers != NULL;
    Chardev *chr = fe->chr;
    if (!chr) {
        return;
    }
    if (chr->backend->handlers_set) {
        chr->backend->handlers_set(chr, fe);
    }
    if (handlers) {
        if (chr->peer_open && handlers->event) {
            handlers->event(opaque, CHAR_EVENT_OPENED);
        }
        char_accept_input(fe);
    }
}

void char_accept_input(CharFrontend *fe)
{
    Chardev *chr = fe->chr;
    if (!chr) {
        return;
    }
    if (chr->backend->fe_accept_input) {
        chr->backend->fe_accept_input(chr, fe);
    } else {
        bh_schedule(chr->accept_bh);
    }
}

void char_set_open(CharFrontend *fe, bool open)
{
    fe->open = open;
}

bool char_connected(const CharFrontend *fe)
{
    return fe->chr && fe->chr->peer_open;
}

void char_disconnect(CharFrontend *fe)
{
    if (fe->chr && fe->chr->backend->disconnect) {
        fe->chr->backend->disconnect(fe->chr);
    }
}

bool char_set_line(CharFrontend *fe, const CharLine *line)
{
    Chardev *chr = fe->chr;
    return chr && chr->backend->set_line && chr->backend->set_line(chr, line);
}

bool char_set_break(CharFrontend *fe, bool on)
{
    Chardev *chr = fe->chr;
    return chr && chr->backend->set_break && chr->backend->set_break(chr, on);
}

bool char_get_modem(CharFrontend *fe, unsigned *ret_tio)
{
    Chardev *chr = fe->chr;
    return chr && chr->backend->get_modem && chr->backend->get_modem(chr, ret_tio);
}

bool char_set_modem(CharFrontend *fe, unsigned tio)
{
    Chardev *chr = fe->chr;
    return chr && chr->backend->set_modem && chr->backend->set_modem(chr, tio);
}

int char_take_fd(CharFrontend *fe)
{
    Chardev *chr = fe->chr;
    if (!chr || !chr->n_fds) {
        return -1;
    }
    int fd = chr->fds[0];
    memmove(chr->fds, chr->fds + 1, --chr->n_fds * sizeof(int));
    return fd;
}

void chardev_send_break(Chardev *chr)
{
    chardev_event(chr, CHAR_EVENT_BREAK);
}

/* ---- life ---- */

static void chardev_destroy(Chardev *chr)
{
    if (chr->backend->close) {
        chr->backend->close(chr);
    }
    bh_free(chr->accept_bh);
    bh_free(chr->writable_bh);
    if (chr->log_fd >= 0) {
        close(chr->log_fd);
    }
    for (unsigned i = 0; i < chr->n_fds; i++) {
        close(chr->fds[i]);
    }
    vec_free(&chr->queue);
    pthread_mutex_destroy(&chr->lock);
    free(chr->filename);
    free(chr->id);
    free(chr);
}

static void chardev_register(Chardev *chr)
{
    TRACE("chardev_add", "id %s backend %s", chr->id, chr->backend->name);
    Chardev **p = &all_chardevs;
    while (*p) {
        p = &(*p)->next;
    }
    *p = chr;
    chr->registered = true;
}

static void chardev_unregister(Chardev *chr)
{
    for (Chardev **p = &all_chardevs; *p; p = &(*p)->next) {
        if (*p == chr) {
            *p = chr->next;
            chr->next = NULL;
            chr->registered = false;
            return;
        }
    }
}

static bool chardev_open_log(Chardev *chr, const Json *opts, Error **errp)
{
    const char *path;
    bool append;
    if (!opts_string(opts, "logfile", NULL, &path, errp) ||
        !opts_bool(opts, "logappend", false, &append, errp)) {
        return false;
    }
    if (path) {
        chr->log_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC),
                           0666);
        if (chr->log_fd < 0) {
            error_set_errno(errp, errno, "cannot open log file '%s'", path);
            return false;
        }
    }
    return true;
}

Chardev *chardev_create(const CharBackend *backend, const char *id, const Json *opts,
                        Error **errp)
{
    Chardev *chr = xcalloc(1, backend->size_bytes);
    chr->backend = backend;
    chr->id = id ? xstrdup(id) : NULL;
    chr->log_fd = -1;
    pthread_mutex_init(&chr->lock, NULL);
    chr->accept_bh = bh_new(loop_main(), chardev_run_accept, chr);
    chr->writable_bh = bh_new(loop_main(), chardev_run_writable, chr);
    if (!chardev_open_log(chr, opts, errp) || (backend->open && !backend->open(chr, opts, errp))) {
        chardev_destroy(chr);
        return NULL;
    }
    return chr;
}

static const CharBackend *backend_find(const char *name, Error **errp)
{
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        const CharBackend *b = backends[i];
        if (!b->internal && (!strcmp(b->name, name) || (b->alias && !strcmp(b->alias, name)))) {
            return b;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(absent_backends); i++) {
        if (!strcmp(absent_backends[i].name, name)) {
            error_set(errp, "chardev backend '%s' is not available: %s", name,
                      absent_backends[i].reason);
            return NULL;
        }
    }
    error_set(errp, "'%s' is not a valid char driver name", name);
    return NULL;
}

static bool check_options(const CharBackend *backend, const Json *opts, Error **errp)
{
    for (size_t i = 0; i < json_count(opts); i++) {
        const char *key = json_key_at(opts, i);
        bool ok = false;
        for (size_t k = 0; k < ARRAY_SIZE(common_options) && !ok; k++) {
            ok = !strcmp(key, common_options[k]);
        }
        for (const char *const *k = backend->options; k && *k && !ok; k++) {
            ok = !strcmp(key, *k);
        }
        if (!ok) {
            error_set(errp, "Invalid parameter '%s'", key);
            return false;
        }
    }
    return true;
}

Chardev *chardev_new(const char *id, const Json *opts, Error **errp)
{
    const char *name = json_get_string(opts, "backend");
    bool mux;
    if (!name) {
        error_set(errp, "chardev '%s' has no backend", id);
        return NULL;
    }
    const CharBackend *backend = backend_find(name, errp);
    if (!backend || !check_options(backend, opts, errp) ||
        !opts_bool(opts, "mux", false, &mux, errp)) {
        return NULL;
    }
    if (chardev_find(id)) {
        error_set(errp, "Chardev with id '%s' already exists", id);
        return NULL;
    }
    char *base_id = mux ? xasprintf("%s-base", id) : NULL;
    if (base_id && chardev_find(base_id)) {
        error_set(errp, "Chardev with id '%s' already exists", base_id);
        free(base_id);
        return NULL;
    }
    Chardev *chr = chardev_create(backend, mux ? base_id : id, opts, errp);
    if (chr) {
        chardev_register(chr);
        if (mux) {
            Json *mux_opts = json_object();
            json_put_string(mux_opts, "chardev", base_id);
            Chardev *base = chr;
            chr = chardev_create(&chardev_mux, id, mux_opts, errp);
            json_free(mux_opts);
            if (chr) {
                chardev_register(chr);
            } else {
                chardev_unregister(base);
                chardev_destroy(base);
            }
        }
    }
    free(base_id);
    return chr;
}

void chardev_print_backends(void)
{
    printf("Available chardev backend types:\n");
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (!backends[i]->internal) {
            printf("  %s\n", backends[i]->name);
        }
    }
}

bool chardev_add_option(const char *text, Error **errp)
{
    Json *opts = opts_parse(text, "backend", errp);
    if (!opts) {
        return false;
    }
    const char *id = json_get_string(opts, "id");
    bool ok = false;
    if (!id) {
        error_set(errp, "chardev: no id specified");
    } else if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, "
                        "'-', '.', '_')");
    } else {
        ok = chardev_new(id, opts, errp) != NULL;
    }
    json_free(opts);
    return ok;
}

bool chardev_remove(const char *id, Error **errp)
{
    Chardev *chr = chardev_find(id);
    if (!chr) {
        error_set(errp, "Chardev '%s' not found", id);
        return false;
    }
    if (chr->fe || (chardev_is_mux(chr) && char_mux_users(chr))) {
        error_set(errp, "Chardev '%s' is busy", id);
        return false;
    }
    chardev_unregister(chr);
    chardev_destroy(chr);
    return true;
}

bool chardev_change(const char *id, const Json *opts, Error **errp)
{
    Chardev *old = chardev_find(id);
    const char *name = json_get_string(opts, "backend");
    bool mux;
    if (!old) {
        error_set(errp, "Chardev '%s' does not exist", id);
        return false;
    }
    if (!opts_bool(opts, "mux", false, &mux, errp)) {
        return false;
    }
    if (mux || chardev_is_mux(old)) {
        error_set(errp, "Mux device hotswap not supported yet");
        return false;
    }
    const CharBackend *backend = name ? backend_find(name, errp) : NULL;
    if (!name) {
        error_set(errp, "chardev '%s' has no backend", id);
    }
    if (!backend || !check_options(backend, opts, errp)) {
        return false;
    }
    /* A monitor keeps its peer's state (negotiation, history); it is not swapped. */
    if (old->fe && old->fe->fixed) {
        error_set(errp, "Chardev user does not support chardev hotswap");
        return false;
    }
    Chardev *chr = chardev_create(backend, id, opts, errp);
    if (!chr) {
        return false;
    }
    CharFrontend *fe = old->fe;
    if (fe) {
        if (old->peer_open && !chr->peer_open && fe->handlers && fe->handlers->event) {
            fe->handlers->event(fe->opaque, CHAR_EVENT_CLOSED);
        }
        old->fe = NULL;
        fe->chr = chr;
        chr->fe = fe;
        if (chr->peer_open && !old->peer_open && fe->handlers && fe->handlers->event) {
            fe->handlers->event(fe->opaque, CHAR_EVENT_OPENED);
        }
        bh_schedule(chr->accept_bh);
    }
    chardev_unregister(old);
    chardev_destroy(old);
    chardev_register(chr);
    return true;
}

static bool frontend_open(const Chardev *chr)
{
    return chardev_is_mux(chr) ? char_mux_users(chr) > 0 : chr->fe && chr->fe->open;
}

Json *chardev_query(void)
{
    Json *list = json_array();
    for (Chardev *chr = all_chardevs; chr; chr = chr->next) {
        Json *item = json_object();
        json_put_bool(item, "frontend-open", frontend_open(chr));
        json_put_string(item, "filename", chardev_filename(chr));
        json_put_string(item, "label", chr->id ? chr->id : "");
        json_push(list, item);
    }
    return list;
}

Json *chardev_query_backends(void)
{
    Json *list = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
        if (!backends[i]->internal) {
            Json *item = json_object();
            json_put_string(item, "name", backends[i]->name);
            json_push(list, item);
        }
    }
    return list;
}

void chardev_cleanup(void)
{
    /* Muxes first: they are users of other back ends. */
    for (int pass = 0; pass < 2; pass++) {
        for (Chardev *chr = all_chardevs, *next; chr; chr = next) {
            next = chr->next;
            if (pass || chardev_is_mux(chr)) {
                pthread_mutex_lock(&chr->lock);
                chardev_flush_queue(chr);
                pthread_mutex_unlock(&chr->lock);
                if (chr->backend->close) {
                    chr->backend->close(chr);
                }
            }
        }
    }
    all_chardevs = NULL;
}
