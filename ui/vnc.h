/*
 * vnc.h: inside the VNC server.
 *
 *   vnc.c          servers: options, sockets, the picture and what of it changed, the monitors' questions
 *   vnc-client.c   one connection: bytes in and out, the handshake
 *   vnc-input.c    messages of the client
 *   vnc-update.c   messages to the client: rectangles and pseudo-rectangles
 *   vnc-pixels.c   pixel formats; raw, hextile and zlib encodings        vnc-zrle.c   ZRLE
 *   vnc-auth.c     the password challenge    vnc-websocket.c  RFC 6455
 *
 * What a peer sends is checked before it is used; what is kept for it is bounded: VNC_IN_MAX bytes of input, and no update is
 * made while more than VNC_OUT_LOW bytes of output wait.
 *
 * Specification: RFC 6143 (RFB 3.8, 3.7, 3.3); the registered extensions as in the community's rfbproto document. Threads: BQL, main loop.
 */
#ifndef UI_VNC_H
#define UI_VNC_H

#include <zlib.h>
#include "softmmu/clock.h"
#include "softmmu/loop.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/input.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { VNC_TILE = 16, VNC_IN_MAX = 1 << 20, VNC_OUT_LOW = 64 * 1024, VNC_OUT_STOP_READING = 1 << 20, VNC_UPDATE_BYTES = 2 << 20,
       VNC_PASSWORD_BYTES = 8, VNC_CHALLENGE_BYTES = 16, VNC_MAX_SOCKETS = 16 };

enum { /* encodings, RFC 6143 7.7 and 7.8, and registered ones */
    ENC_RAW = 0, ENC_COPYRECT = 1, ENC_HEXTILE = 5, ENC_ZLIB = 6, ENC_ZRLE = 16,
    ENC_DESKTOP_SIZE = -223, ENC_CURSOR = -239, ENC_POINTER_CHANGE = -257, ENC_EXTENDED_KEY = -258, ENC_LED_STATE = -261,
    ENC_DESKTOP_NAME = -307, ENC_EXTENDED_DESKTOP_SIZE = -308, ENC_ALPHA_CURSOR = -314, ENC_WMVI = 0x574d5669,
    ENC_COMPRESS_0 = -256, ENC_COMPRESS_9 = -247,
};

enum { /* VncClient.features */
    F_DESKTOP_SIZE = 1, F_EXTENDED_DESKTOP_SIZE = 2, F_CURSOR = 4, F_ALPHA_CURSOR = 8, F_POINTER_CHANGE = 16, F_EXTENDED_KEY = 32,
    F_LED_STATE = 64, F_WMVI = 128, F_DESKTOP_NAME = 256, F_COPYRECT = 512,
};

typedef enum VncShare { SHARE_ALLOW_EXCLUSIVE, SHARE_FORCE_SHARED, SHARE_IGNORE } VncShare;

typedef struct VncBuffer {
    uint8_t *at;
    size_t n, cap;
} VncBuffer;

typedef struct VncPixelFormat {
    uint8_t bits, depth, big_endian, true_color;
    uint16_t max[3];
    uint8_t shift[3];
    unsigned bytes;
    bool native;              /* as surfaces have it: no conversion */
    bool compact;             /* ZRLE: three bytes a pixel are enough */
    bool compact_high;        /* and they are the upper three */
    uint32_t lut[3][256];     /* red, green, blue part of a pixel value */
} VncPixelFormat;

typedef struct VncServer VncServer;
typedef struct VncClient VncClient;
typedef struct VncSocket VncSocket;

struct VncSocket {
    VncServer *server;
    int fd;
    FdWatch *watch;
    bool websocket;
    char *host, *service;
    const char *family;
};

struct VncServer {
    char *id, *text;
    Console *con;
    ConsoleListener listener;
    char *device;             /* display=, looked up when the machine is there */
    unsigned head;
    VncSocket sockets[VNC_MAX_SOCKETS];
    unsigned n_sockets;
    char *unix_path;          /* removed at the end */
    VncClient *clients;
    unsigned n_clients, max_clients;
    bool use_password;
    char *password;           /* NULL: nobody gets in */
    int64_t expires_at_s;
    VncShare share;
    bool lock_key_sync;
    const Keymap *keymap;
    /* The picture as clients know it, and the tiles that the device has drawn since. */
    uint32_t width, height, tiles_x, tiles_y, row_words;
    uint32_t *picture;
    uint64_t *drawn;
    bool any_drawn, absolute;
    unsigned leds;
    Timer timer;
    int64_t interval_ms, last_tick_ns;
    VncServer *next;
};

struct VncClient {
    VncServer *server;
    int fd;
    FdWatch *watch;
    bool websocket, ws_open, closing, initialized, authenticated;
    char *host, *service, *server_host, *server_service;
    const char *family;
    VncBuffer in, out;         /* RFB bytes */
    VncBuffer raw_in, wire;    /* of a websocket: frames not decoded yet, and to be sent */
    size_t sent;               /* bytes at the start of what is going out that are gone */
    size_t skip;               /* bytes of a message to drop (cut text) */
    enum { VNC_VERSION, VNC_SECURITY, VNC_CHALLENGE, VNC_INIT, VNC_NORMAL } state;
    int minor;                 /* protocol 3.minor */
    BottomHalf *bh;            /* writes, or ends the connection */
    uint8_t challenge[VNC_CHALLENGE_BYTES];
    VncPixelFormat pf;
    int encoding, compress_level;
    unsigned features;
    z_stream zlib;
    bool zlib_open;
    int zlib_level;
    VncBuffer zscratch;
    /* What it has to be told. */
    uint64_t *dirty;           /* tiles, as server->drawn */
    bool wants_update, forced; /* asked for; asked without "incremental" */
    uint32_t ask_x, ask_y, ask_width, ask_height;
    bool size_changed, cursor_changed, mode_changed, leds_changed;
    bool keys_offered;         /* it knows that extended key events are understood */
    int size_reason, size_status;
    bool size_answer;
    int last_x, last_y;
    unsigned buttons;
    uint64_t keys_down[(INPUT_N_KEYS + 63) / 64];
    VncClient *next;
};

/* vnc-client.c */
void vnc_client_new(VncServer *server, int fd, const VncSocket *socket);
/* Soon: callers up the stack may still use it. */
void vnc_client_close(VncClient *c);
void vnc_client_free(VncClient *c);
void vnc_flush(VncClient *c);
size_t vnc_pending(const VncClient *c);
/* Bytes of the peer: handles what is complete. */
void vnc_feed(VncClient *c, const uint8_t *bytes, size_t n);
Json *vnc_client_describe(const VncClient *c);

/* Output buffer. */
void vnc_put(VncBuffer *b, const void *bytes, size_t n);
static inline void vnc_put8(VncBuffer *b, uint8_t v) { vnc_put(b, &v, 1); }
static inline void vnc_put16(VncBuffer *b, uint16_t v) { uint8_t t[2]; stbe16(t, v); vnc_put(b, t, 2); }
static inline void vnc_put32(VncBuffer *b, uint32_t v) { uint8_t t[4]; stbe32(t, v); vnc_put(b, t, 4); }
void *vnc_reserve(VncBuffer *b, size_t n); /* room for n more; b->n is the caller's to move */

/* vnc-input.c: handles the message at p once the handshake is done; returns its length, 0: it is not complete. */
size_t vnc_message(VncClient *c, const uint8_t *p, size_t n);
void vnc_release_keys(VncClient *c);

/* vnc-update.c */
void vnc_update(VncClient *c);
void vnc_mark_all(VncClient *c);

/* vnc-pixels.c */
/* False: a format that is not possible. */
bool vnc_set_format(VncPixelFormat *pf, unsigned bits, unsigned depth, bool big_endian, bool true_color, const uint16_t max[3],
                    const uint8_t shift[3]);
void vnc_default_format(VncPixelFormat *pf);
void vnc_put_color_map(VncClient *c);
uint8_t *vnc_convert(const VncPixelFormat *pf, const uint32_t *from, unsigned n, uint8_t *to);
static inline uint32_t vnc_pixel(const VncPixelFormat *pf, uint32_t rgb)
{
    return pf->lut[0][rgb >> 16 & 0xff] | pf->lut[1][rgb >> 8 & 0xff] | pf->lut[2][rgb & 0xff];
}
void vnc_store_pixel(const VncPixelFormat *pf, uint32_t pixel, uint8_t *to);
typedef struct VncRect {
    uint32_t x, y, width, height;
} VncRect;
/* Appends the data of a rectangle (without its header) to c->out. */
void vnc_encode(VncClient *c, int encoding, const VncRect *r);
void vnc_encode_zrle(VncClient *c, const VncRect *r);
/* Through the client's one zlib stream, with its length in front. */
void vnc_put_deflated(VncClient *c, const uint8_t *bytes, size_t n);

/* vnc-auth.c */
void vnc_encrypt_challenge(const char *password, const uint8_t in[VNC_CHALLENGE_BYTES], uint8_t out[VNC_CHALLENGE_BYTES]);

/* vnc-websocket.c: false when the connection cannot go on. */
bool ws_decode(VncClient *c);
void ws_frame_header(VncBuffer *out, uint8_t opcode, size_t n);

/* vnc.c */
void vnc_client_gone(VncClient *c);
void vnc_event(const char *event, Json *data);
void vnc_server_wake(VncServer *server); /* look at the picture soon */
Json *vnc_server_event(const VncClient *c, bool with_auth);
bool vnc_password_usable(const VncServer *server);

#endif
