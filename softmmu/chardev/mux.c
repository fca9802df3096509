/*
 * mux.c: several front ends on one back end, chosen with the escape character.
 *
 * Output of every front end goes through as it comes. Input goes to the one
 * with the focus; what it does not take yet waits in a small buffer of its own,
 * so that a slow guest does not lose the keys of the monitor.
 */
#include <stdio.h>
#include <time.h>
#include "softmmu/chardev/priv.h"

#define MUX_MAX_FRONTENDS 32
#define MUX_BUFFER_BYTES 256u /* a power of two */

int chardev_mux_escape = 1;

typedef struct Mux {
    Chardev chr;
    CharFrontend base;
    CharFrontend *fe[MUX_MAX_FRONTENDS];
    uint8_t buffer[MUX_MAX_FRONTENDS][MUX_BUFFER_BYTES];
    unsigned produced[MUX_MAX_FRONTENDS], consumed[MUX_MAX_FRONTENDS];
    int focus; /* -1: nobody is there */
    bool escaped;
    bool timestamps, line_start;
    int64_t start_ns;
} Mux;

void chardev_set_escape(int c)
{
    chardev_mux_escape = c;
}

unsigned char_mux_users(const Chardev *chr)
{
    const Mux *mux = container_of(chr, Mux, chr);
    unsigned n = 0;
    for (int i = 0; i < MUX_MAX_FRONTENDS; i++) {
        n += mux->fe[i] != NULL;
    }
    return n;
}

bool char_has_focus(const CharFrontend *fe)
{
    if (!fe->chr || !chardev_is_mux(fe->chr)) {
        return true;
    }
    const Mux *mux = container_of(fe->chr, Mux, chr);
    return mux->focus == fe->mux_tag || mux->focus < 0;
}

static void mux_tell(Mux *mux, int tag, CharEvent event)
{
    CharFrontend *fe = tag >= 0 ? mux->fe[tag] : NULL;
    if (fe && fe->handlers && fe->handlers->event) {
        fe->handlers->event(fe->opaque, event);
    }
}

static void mux_set_focus(Mux *mux, int tag)
{
    if (mux->focus != tag) {
        mux_tell(mux, mux->focus, CHAR_EVENT_MUX_OUT);
        mux->focus = tag;
        mux_tell(mux, tag, CHAR_EVENT_MUX_IN);
    }
}

static int mux_next(const Mux *mux, int from)
{
    for (int i = 1; i <= MUX_MAX_FRONTENDS; i++) {
        int tag = (from + i + MUX_MAX_FRONTENDS) % MUX_MAX_FRONTENDS;
        if (mux->fe[tag] && mux->fe[tag]->handlers) {
            return tag;
        }
    }
    return -1;
}

/* ---- input ---- */

static void mux_help(Mux *mux)
{
    char key[16];
    if (chardev_mux_escape > 0 && chardev_mux_escape < 26) {
        snprintf(key, sizeof(key), "C-%c", 'a' + chardev_mux_escape - 1);
    } else {
        snprintf(key, sizeof(key), "0x%02x", chardev_mux_escape & 0xff);
    }
    char_printf(&mux->base,
                "\r\n%s is the escape key; after it\r\n"
                "  h    this list\r\n"
                "  x    leave the emulator\r\n"
                "  s    write changed disk contents to their images\r\n"
                "  t    time stamps at line starts, on or off\r\n"
                "  b    send a break (the magic SysRq key of Linux)\r\n"
                "  c    to the next user of this terminal (guest, monitor)\r\n"
                "  %s  the key itself\r\n", key, key);
}

static void mux_command(Mux *mux, uint8_t c)
{
    switch (c) {
    case 'h':
    case '?':
        mux_help(mux);
        break;
    case 'x':
        char_printf(&mux->base, "QEMU: Terminated\r\n");
        if (chardev_quit_hook) {
            chardev_quit_hook();
        } else {
            exit(0);
        }
        break;
    case 's':
        /* Writes go to images without a cache of ours: nothing is kept back. */
        break;
    case 'b':
        mux_tell(mux, mux->focus, CHAR_EVENT_BREAK);
        break;
    case 'c': {
        int next = mux_next(mux, mux->focus);
        if (next >= 0) {
            mux_set_focus(mux, next);
        }
        break;
    }
    case 't':
        mux->timestamps = !mux->timestamps;
        mux->line_start = false;
        break;
    default:
        break;
    }
}

static void mux_drain(Mux *mux, int tag)
{
    CharFrontend *fe = mux->fe[tag];
    while (fe && fe->handlers && fe->handlers->can_read && fe->handlers->read &&
           mux->produced[tag] != mux->consumed[tag]) {
        size_t room = fe->handlers->can_read(fe->opaque);
        unsigned at = mux->consumed[tag] % MUX_BUFFER_BYTES;
        size_t n = MIN(mux->produced[tag] - mux->consumed[tag], MUX_BUFFER_BYTES - at);
        n = MIN(n, room);
        if (!n) {
            return;
        }
        uint8_t copy[MUX_BUFFER_BYTES];
        memcpy(copy, &mux->buffer[tag][at], n);
        mux->consumed[tag] += (unsigned)n;
        fe->handlers->read(fe->opaque, copy, n);
        fe = mux->fe[tag];
    }
}

static size_t mux_can_read(void *opaque)
{
    Mux *mux = opaque;
    if (mux->focus < 0) {
        return 1; /* the escape key works even then */
    }
    unsigned used = mux->produced[mux->focus] - mux->consumed[mux->focus];
    /* The last byte stays free for an escape sequence that gets out of a stuck guest: when the
     * buffer is full its newest byte is replaced. */
    return used < MUX_BUFFER_BYTES ? MUX_BUFFER_BYTES - used : 1;
}

static void mux_read(void *opaque, const uint8_t *buf, size_t len)
{
    Mux *mux = opaque;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = buf[i];
        if (mux->escaped) {
            mux->escaped = false;
            if (c != (uint8_t)chardev_mux_escape) {
                mux_command(mux, c);
                continue;
            }
        } else if (c == (uint8_t)chardev_mux_escape) {
            mux->escaped = true;
            continue;
        }
        int tag = mux->focus;
        if (tag < 0) {
            continue;
        }
        if (mux->produced[tag] - mux->consumed[tag] == MUX_BUFFER_BYTES) {
            mux->produced[tag]--;
        }
        mux->buffer[tag][mux->produced[tag]++ % MUX_BUFFER_BYTES] = c;
        mux_drain(mux, tag);
    }
}

static void mux_event(void *opaque, CharEvent event)
{
    Mux *mux = opaque;
    if (event == CHAR_EVENT_BREAK) {
        mux_tell(mux, mux->focus, event);
        return;
    }
    mux->chr.peer_open = event == CHAR_EVENT_OPENED;
    for (int i = 0; i < MUX_MAX_FRONTENDS; i++) {
        mux_tell(mux, i, event);
    }
}

static void mux_writable(void *opaque)
{
    Mux *mux = opaque;
    chardev_writable(&mux->chr);
    for (int i = 0; i < MUX_MAX_FRONTENDS; i++) {
        CharFrontend *fe = mux->fe[i];
        if (fe && fe->want_writable) {
            fe->want_writable = false;
            if (fe->handlers && fe->handlers->writable) {
                fe->handlers->writable(fe->opaque);
            }
        }
    }
}

static const CharHandlers mux_handlers = {
    .can_read = mux_can_read, .read = mux_read, .event = mux_event, .writable = mux_writable,
};

/* ---- output ---- */

static void mux_write_stamp(Mux *mux)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    if (!mux->start_ns) {
        mux->start_ns = ns;
    }
    int64_t ms = (ns - mux->start_ns) / 1000000;
    char_printf(&mux->base, "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
                (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
}

static size_t mux_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    Mux *mux = container_of(chr, Mux, chr);
    if (!mux->timestamps) {
        return char_write(&mux->base, buf, len);
    }
    for (size_t i = 0; i < len; i++) {
        if (mux->line_start) {
            mux_write_stamp(mux);
            mux->line_start = false;
        }
        if (!char_write(&mux->base, &buf[i], 1)) {
            return i;
        }
        mux->line_start = buf[i] == '\n';
    }
    return len;
}

/* ---- life ---- */

static void mux_attached(Chardev *chr, CharFrontend *fe)
{
    Mux *mux = container_of(chr, Mux, chr);
    for (int i = 0; i < MUX_MAX_FRONTENDS; i++) {
        if (!mux->fe[i]) {
            mux->fe[i] = fe;
            fe->mux_tag = i;
            mux->produced[i] = mux->consumed[i] = 0;
            return;
        }
    }
}

static void mux_detached(Chardev *chr, CharFrontend *fe)
{
    Mux *mux = container_of(chr, Mux, chr);
    mux->fe[fe->mux_tag] = NULL;
    if (mux->focus == fe->mux_tag) {
        mux->focus = -1;
        int next = mux_next(mux, fe->mux_tag);
        if (next >= 0) {
            mux_set_focus(mux, next);
        }
    }
}

/* The one that came first has the focus: the serial port, if there is one (main.c attaches
 * monitors last). */
static void mux_handlers_set(Chardev *chr, CharFrontend *fe)
{
    Mux *mux = container_of(chr, Mux, chr);
    if (fe->handlers && (mux->focus < 0 || fe->mux_tag < mux->focus)) {
        mux_set_focus(mux, fe->mux_tag);
    }
}

static void mux_fe_accept_input(Chardev *chr, CharFrontend *fe)
{
    Mux *mux = container_of(chr, Mux, chr);
    /* Through a bottom half: this may be another thread, or a call from within read(). */
    bh_schedule(mux->chr.accept_bh);
}

static void mux_accept_input(Chardev *chr)
{
    Mux *mux = container_of(chr, Mux, chr);
    for (int i = 0; i < MUX_MAX_FRONTENDS; i++) {
        mux_drain(mux, i);
    }
    char_accept_input(&mux->base);
}

static bool mux_open(Chardev *chr, const Json *opts, Error **errp)
{
    Mux *mux = container_of(chr, Mux, chr);
    const char *base_id = json_get_string(opts, "chardev");
    mux->focus = -1;
    Chardev *base = base_id ? chardev_find(base_id) : NULL;
    if (!base) {
        error_set(errp, "mux: chardev '%s' not found", base_id ? base_id : "");
        return false;
    }
    if (!char_attach(&mux->base, base, errp)) {
        return false;
    }
    mux->base.fixed = true;
    chardev_set_filename(chr, xstrdup("mux"));
    char_set_handlers(&mux->base, &mux_handlers, mux);
    return true;
}

static void mux_close(Chardev *chr)
{
    Mux *mux = container_of(chr, Mux, chr);
    char_detach(&mux->base);
}

static void mux_disconnect(Chardev *chr)
{
    char_disconnect(&container_of(chr, Mux, chr)->base);
}

static bool mux_set_line(Chardev *chr, const CharLine *line)
{
    return char_set_line(&container_of(chr, Mux, chr)->base, line);
}

static bool mux_set_break(Chardev *chr, bool on)
{
    return char_set_break(&container_of(chr, Mux, chr)->base, on);
}

static bool mux_get_modem(Chardev *chr, unsigned *ret_tio)
{
    return char_get_modem(&container_of(chr, Mux, chr)->base, ret_tio);
}

static bool mux_set_modem(Chardev *chr, unsigned tio)
{
    return char_set_modem(&container_of(chr, Mux, chr)->base, tio);
}

static const char *const mux_options[] = { "chardev", NULL };
const CharBackend chardev_mux = {
    .name = "mux", .size_bytes = sizeof(Mux), .options = mux_options,
    .open = mux_open, .close = mux_close, .write = mux_write,
    .accept_input = mux_accept_input, .attached = mux_attached, .detached = mux_detached,
    .handlers_set = mux_handlers_set, .fe_accept_input = mux_fe_accept_input,
    .disconnect = mux_disconnect, .set_line = mux_set_line, .set_break = mux_set_break,
    .get_modem = mux_get_modem, .set_modem = mux_set_modem,
};
