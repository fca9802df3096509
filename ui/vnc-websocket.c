/*
 * vnc-websocket.c: RFB inside a WebSocket connection: the HTTP handshake and frames.
 *
 * Specification: RFC 6455, 4.2 (server handshake), 5 (framing); SHA-1: FIPS 180-4, 6.1.
 */
#include <string.h>
#include <strings.h>
#include "ui/vnc.h"

enum { HEADER_MAX = 8192, OP_CONTINUE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (unsigned i = 0; i < 80; i++) {
        w[i] = i < 16 ? ldbe32(p + i * 4) : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t t = rotate(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Of at most 119 bytes: two blocks. */
static void sha1_short(const uint8_t *bytes, size_t n, uint8_t digest[20])
{
    uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    uint8_t buf[128] = {0};
    size_t total = n < 56 ? 64 : 128;

    memcpy(buf, bytes, n);
    buf[n] = 0x80;
    stbe64(buf + total - 8, n * 8);
    sha1_block(h, buf);
    if (total == 128) {
        sha1_block(h, buf + 64);
    }
    for (unsigned i = 0; i < 5; i++) {
        stbe32(digest + i * 4, h[i]);
    }
}

static void base64(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < n ? in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? digits[v & 63] : '=';
    }
    *out = 0;
}

/* The value of a header line in [p, end); malloc'd, NULL: not there. */
static char *header_value(const char *p, const char *end, const char *name)
{
    size_t len = strlen(name);

    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        line_end = line_end ? line_end : end;
        if ((size_t)(line_end - p) > len && !strncasecmp(p, name, len) && p[len] == ':') {
            const char *from = p + len + 1, *to = line_end;
            while (from < to && (*from == ' ' || *from == '\t')) {
                from++;
            }
            while (to > from && (to[-1] == '\r' || to[-1] == ' ')) {
                to--;
            }
            return xstrndup(from, (size_t)(to - from));
        }
        p = line_end + 1;
    }
    return NULL;
}

static bool handshake(VncClient *c)
{
    VncBuffer *b = &c->raw_in;
    const char *text = (const char *)b->at, *stop = memmem(b->at ? (void *)b->at : (void *)"", b->n, "\r\n\r\n", 4);

    if (!stop) {
        return b->n < HEADER_MAX;
    }
    char *key = header_value(text, stop, "Sec-WebSocket-Key"), *upgrade = header_value(text, stop, "Upgrade");
    char *protocol = header_value(text, stop, "Sec-WebSocket-Protocol");
    bool ok = !strncmp(text, "GET ", 4) && key && strlen(key) <= 64 && upgrade && strcasestr(upgrade, "websocket");
    if (ok) {
        char *joined = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key), accept[32];
        uint8_t digest[20];
        sha1_short((uint8_t *)joined, strlen(joined), digest);
        base64(digest, sizeof(digest), accept);
        free(joined);
        char *answer = xasprintf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: %s\r\n%s\r\n", accept,
                                 protocol && strstr(protocol, "binary") ? "Sec-WebSocket-Protocol: binary\r\n" : "");
        vnc_put(&c->wire, answer, strlen(answer));
        free(answer);
        c->ws_open = true;
    } else {
        static const char refuse[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\n\r\n";
        vnc_put(&c->wire, refuse, sizeof(refuse) - 1);
    }
    size_t used = (size_t)(stop + 4 - text);
    memmove(b->at, b->at + used, b->n - used);
    b->n -= used;
    free(key);
    free(upgrade);
    free(protocol);
    return ok;
}

void ws_frame_header(VncBuffer *out, uint8_t opcode, size_t n)
{
    vnc_put8(out, 0x80 | opcode);
    if (n < 126) {
        vnc_put8(out, (uint8_t)n);
    } else if (n < 65536) {
        vnc_put8(out, 126);
        vnc_put16(out, (uint16_t)n);
    } else {
        vnc_put8(out, 127);
        vnc_put32(out, (uint32_t)((uint64_t)n >> 32));
        vnc_put32(out, (uint32_t)n);
    }
}

/* One frame of raw_in; false: not complete. *ok false: against the rules. */
static bool take_frame(VncClient *c, bool *ok)
{
    VncBuffer *b = &c->raw_in;
    size_t head = 2, n;

    if (b->n < 2) {
        return false;
    }
    unsigned opcode = b->at[0] & 15;
    n = b->at[1] & 127;
    if (n == 126) {
        head = 4;
    } else if (n == 127) {
        head = 10;
    }
    if (b->n < head + 4) {
        return false;
    }
    n = head == 4 ? ldbe16(b->at + 2) : head == 10 ? ldbe64(b->at + 2) : n;
    /* 5.1: what clients send is masked; 5.5: control frames are short and whole. */
    if (!(b->at[1] & 0x80) || (b->at[0] & 0x70) || n > VNC_IN_MAX / 2 || (opcode >= 8 && (n > 125 || !(b->at[0] & 0x80))) || opcode == OP_TEXT) {
        *ok = false;
        return false;
    }
    if (b->n < head + 4 + n) {
        return false;
    }
    uint8_t *mask = b->at + head, *data = mask + 4;
    for (size_t i = 0; i < n; i++) {
        data[i] ^= mask[i & 3];
    }
    if (opcode == OP_BINARY || opcode == OP_CONTINUE) {
        vnc_put(&c->in, data, n);
    } else if (opcode == OP_PING) {
        ws_frame_header(&c->wire, OP_PONG, n);
        vnc_put(&c->wire, data, n);
    } else if (opcode == OP_CLOSE) {
        *ok = false;
    }
    memmove(b->at, data + n, b->n - head - 4 - n);
    b->n -= head + 4 + n;
    return *ok;
}

bool ws_decode(VncClient *c)
{
    bool ok = true;

    if (!c->ws_open && !handshake(c)) {
        return false;
    }
    while (c->ws_open && take_frame(c, &ok)) {
    }
    return ok;
}
