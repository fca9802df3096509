/*
 * chardev.h: byte streams between a device (or monitor) and the host.
 *
 * A Chardev is the host's side: a terminal, a socket, a file… It has a unique
 * id and is found by it. A CharFrontend is the user of it: a UART, a virtio
 * console port, a monitor, the gdb stub. It is embedded in its owner's struct,
 * starts zeroed, and is attached to at most one Chardev; a Chardev serves one
 * front end, except a mux, which serves several and gives input to the one
 * chosen with Ctrl-A c. A front end without Chardev may be used: it swallows
 * output and never gives input.
 *
 * Input: the loop asks handlers->can_read() how many bytes the front end takes
 * and calls handlers->read() with at most as many. While it takes none, the
 * host's side is not read; call char_accept_input() when there is room again.
 *
 * Output: char_write() never blocks. It returns how many bytes were taken; if
 * fewer than asked, handlers->writable() is called once when it is worth
 * trying again. char_write_all() queues what does not go out at once (for
 * monitors), up to 16 MiB, beyond which output is lost; char_queued() tells
 * how much waits, so that a monitor stops reading from a peer that does not.
 *
 * Threads: char_write/char_write_all/char_accept_input from any thread; all
 * else in the main loop with the device lock. Handlers run in the main loop.
 */
#ifndef SOFTMMU_CHARDEV_H
#define SOFTMMU_CHARDEV_H

#include "softmmu/loop.h"
#include "util/json.h"

typedef struct Chardev Chardev;
typedef struct CharFrontend CharFrontend;

typedef enum CharEvent {
    CHAR_EVENT_OPENED,  /* a peer is there (sockets: connected) */
    CHAR_EVENT_CLOSED,  /* the peer has gone */
    CHAR_EVENT_BREAK,   /* break condition received */
    CHAR_EVENT_MUX_IN,  /* this front end has become the one with the input */
    CHAR_EVENT_MUX_OUT, /* and no longer is */
} CharEvent;

typedef struct CharHandlers {
    size_t (*can_read)(void *opaque);
    void (*read)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, CharEvent event);    /* may be NULL */
    void (*writable)(void *opaque);                  /* may be NULL */
} CharHandlers;

struct CharFrontend {
    Chardev *chr; /* NULL: nothing attached */
    const CharHandlers *handlers;
    void *opaque;
    int mux_tag;        /* position on a mux; -1 without */
    bool open;          /* the owner takes part (see char_set_open) */
    bool want_writable; /* a write came up short */
    bool fixed;         /* the owner cannot stand chardev_change() (monitors, the gdb stub) */
};

/* ---- for devices and monitors ---- */
/* False if `chr` already has a front end and is no mux. */
bool char_attach(CharFrontend *fe, Chardev *chr, Error **errp);
void char_detach(CharFrontend *fe); /* harmless without Chardev */
/* NULL handlers: stop listening. CHAR_EVENT_OPENED follows at once if a peer is there. */
void char_set_handlers(CharFrontend *fe, const CharHandlers *handlers, void *opaque);
size_t char_write(CharFrontend *fe, const void *buf, size_t len);
void char_write_all(CharFrontend *fe, const void *buf, size_t len);
/* Bytes queued by char_write_all(); if not 0, writable() will be called when they are gone. */
size_t char_queued(CharFrontend *fe);
void char_printf(CharFrontend *fe, const char *fmt, ...) PRINTF_LIKE(2, 3);
void char_accept_input(CharFrontend *fe);
/* Whether the guest side is open (virtio console ports); shown by query-chardev. */
void char_set_open(CharFrontend *fe, bool open);
/* The peer of a socket is there, or the back end has no notion of it. */
bool char_connected(const CharFrontend *fe);
/* Input of the mux goes here now (without a mux: always true). */
bool char_has_focus(const CharFrontend *fe);
/* Ends the connection of a socket back end (it may connect again). */
void char_disconnect(CharFrontend *fe);

/* Serial line: only host tty back ends act on them, false elsewhere. */
typedef struct CharLine {
    unsigned speed_baud, data_bits, stop_bits;
    char parity; /* 'N', 'E', 'O' */
} CharLine;
enum { CHAR_TIO_CTS = 1, CHAR_TIO_CAR = 2, CHAR_TIO_DSR = 4, CHAR_TIO_RI = 8,
       CHAR_TIO_DTR = 16, CHAR_TIO_RTS = 32 };
bool char_set_line(CharFrontend *fe, const CharLine *line);
bool char_set_break(CharFrontend *fe, bool on);
bool char_get_modem(CharFrontend *fe, unsigned *ret_tio);
bool char_set_modem(CharFrontend *fe, unsigned tio);

/* ---- life ---- */
/*
 * Creates and registers a back end from options as parsed by options.h
 * ("backend" names the kind, the rest its parameters; strings or typed values).
 * `id` must be unique. If "mux" is on the result is the mux, and the back end
 * behind it is called ID-base.
 */
Chardev *chardev_new(const char *id, const Json *opts, Error **errp);
/* From -chardev BACKEND,id=ID,… */
bool chardev_add_option(const char *text, Error **errp);
/*
 * From the older one-word forms: stdio, mon:stdio, tcp:HOST:PORT,…,
 * unix:PATH,…, udp:…, telnet:…, pty, file:PATH, pipe:PATH, null, /dev/X,
 * chardev:ID. The result is named `id`, except with chardev:ID. `with_mux`:
 * a "mon:" prefix is allowed; *ret_mon then says that a monitor belongs on it
 * too. "none" gives NULL without error.
 */
bool chardev_new_legacy(const char *id, const char *text, bool *ret_mon, Chardev **ret_chr,
                        Error **errp);
Chardev *chardev_find(const char *id);
/* Fails if it is in use or not hot-removable. */
bool chardev_remove(const char *id, Error **errp);
/* chardev-change: replaces the back end under a living front end. */
bool chardev_change(const char *id, const Json *opts, Error **errp);
const char *chardev_id(const Chardev *chr);
const char *chardev_filename(const Chardev *chr); /* as shown by query-chardev */
void chardev_print_backends(void); /* -chardev help */
bool chardev_is_mux(const Chardev *chr);
/* A pty's path, or NULL. */
const char *chardev_pty_path(const Chardev *chr);
void chardev_send_break(Chardev *chr);
/* Ring buffers only. `read` returns the caller's NUL-terminated text. */
bool chardev_ringbuf_write(Chardev *chr, const void *buf, size_t len, Error **errp);
char *chardev_ringbuf_read(Chardev *chr, size_t max_bytes, size_t *ret_len, Error **errp);
/* Array of {label, filename, frontend-open}; array of {name}. */
Json *chardev_query(void);
Json *chardev_query_backends(void);
/* Ends every back end: terminals are restored, socket files removed. Also run at exit(). */
void chardev_cleanup(void);
/* -echr: the control character that starts mux commands (1: Ctrl-A); the default of stdio's
 * signal= (off with -nographic). */
void chardev_set_escape(int c);
void chardev_set_stdio_signals(bool on);
/* What a Ctrl-A x on a mux does. */
extern void (*chardev_quit_hook)(void);

/* Descriptors handed over a unix socket with the bytes just read (getfd, add-fd);
 * -1: none. The caller's to close. */
int char_take_fd(CharFrontend *fe);

#endif
