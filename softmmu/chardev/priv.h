/*
 * priv.h: what a back end is, inside the room.
 *
 * A back end is one CharBackend table and a struct that starts with Chardev.
 * `lock` guards the output side: write() is called with it, from any thread.
 * Everything else runs in the main loop with the device lock.
 */
#ifndef SOFTMMU_CHARDEV_PRIV_H
#define SOFTMMU_CHARDEV_PRIV_H

#include <pthread.h>
#include "softmmu/chardev.h"
#include "softmmu/options.h"
#include "util/alloc.h"

typedef struct CharBackend {
    const char *name, *alias;
    const char *absent;            /* not there: the reason, as an error */
    bool internal;                 /* not for -chardev */
    size_t size_bytes;             /* of the struct */
    const char *const *options;    /* NULL-terminated, besides the common ones */
    bool (*open)(Chardev *chr, const Json *opts, Error **errp);
    void (*close)(Chardev *chr);   /* also after a failed open */
    /* Takes what it can, never blocks. Short: call chardev_writable() later. */
    size_t (*write)(Chardev *chr, const uint8_t *buf, size_t len);
    void (*accept_input)(Chardev *chr); /* the front end may take bytes again */
    void (*attached)(Chardev *chr, CharFrontend *fe);      /* mux */
    void (*detached)(Chardev *chr, CharFrontend *fe);      /* mux */
    void (*handlers_set)(Chardev *chr, CharFrontend *fe);  /* mux */
    void (*fe_accept_input)(Chardev *chr, CharFrontend *fe); /* mux */
    void (*disconnect)(Chardev *chr);
    bool (*set_line)(Chardev *chr, const CharLine *line);
    bool (*set_break)(Chardev *chr, bool on);
    bool (*get_modem)(Chardev *chr, unsigned *ret_tio);
    bool (*set_modem)(Chardev *chr, unsigned tio);
} CharBackend;

#define CHAR_MAX_FDS 16
#define CHAR_QUEUE_MAX_BYTES (16u * 1024 * 1024)

struct Chardev {
    const CharBackend *backend;
    char *id, *filename;
    CharFrontend *fe;            /* the only one; a mux keeps its own list */
    bool peer_open;              /* CHAR_EVENT_OPENED has been or will be told */
    bool handlers_know;          /* … has been told */
    bool registered;
    bool in_accept;
    BottomHalf *accept_bh, *writable_bh;
    pthread_mutex_t lock;
    VEC(uint8_t) queue;          /* output waiting, under lock */
    size_t queue_at;             /* bytes of it already gone */
    int log_fd;                  /* logfile=, -1: none */
    int fds[CHAR_MAX_FDS];       /* received descriptors */
    unsigned n_fds;
    Chardev *next;
};

extern const CharBackend chardev_null, chardev_ringbuf, chardev_file, chardev_pipe, chardev_stdio,
    chardev_pty, chardev_serial, chardev_parallel, chardev_socket, chardev_udp, chardev_mux,
    chardev_testdev;

/* ---- for back ends ---- */
/* How many bytes the front end takes now. */
size_t chardev_can_read(Chardev *chr);
/* Gives input; `len` at most chardev_can_read(). */
void chardev_give(Chardev *chr, const uint8_t *buf, size_t len);
void chardev_event(Chardev *chr, CharEvent event);
/* The queue moves on; tells the front end to try again. Any thread. */
void chardev_writable(Chardev *chr);
/* Writes what char_write_all() has queued; true when nothing is left. Under lock. */
bool chardev_flush_queue(Chardev *chr);
void chardev_set_filename(Chardev *chr, char *filename); /* takes it */
bool chardev_write_log(Chardev *chr, const uint8_t *buf, size_t len);
Chardev *chardev_create(const CharBackend *backend, const char *id, const Json *opts,
                        Error **errp);
Chardev *chardev_first(void);
unsigned char_mux_users(const Chardev *chr);

/* ---- fd.c: back ends that are a pair of descriptors ---- */
typedef struct CharFd {
    Chardev chr;
    int in, out;            /* -1: none; may be equal */
    bool out_is_stream_socket;
    FdWatch *in_watch, *out_watch;
    bool in_paused;         /* the front end takes nothing */
    void (*eof)(Chardev *chr); /* end of input or error; NULL: stop reading */
    bool out_waiting;       /* under lock */
    bool saved_in, saved_out; /* descriptors are not ours to close */
} CharFd;

/* `in`/`out` as opened; makes `out` non-blocking unless it is a file. */
void char_fd_start(CharFd *cf, int in, int out);
void char_fd_stop(CharFd *cf); /* unwatches, closes */
size_t char_fd_write(Chardev *chr, const uint8_t *buf, size_t len);
void char_fd_accept_input(Chardev *chr);
bool char_fd_set_nonblocking(int fd, Error **errp);

extern int chardev_mux_escape; /* 1 for Ctrl-A; -echr */
extern bool chardev_stdio_signals; /* the default of signal= */

#endif
