/*
 * fuzz-vnc.c: what a VNC client may send, with and without a websocket around it. Each byte string is handled to its end or ends the
 * connection; memory that is held for the client stays bounded; no access outside the picture.
 *
 * Input: pairs of hexadecimal digits are bytes of the client. 'w' first: a websocket; 'p' first: with a password. '|' lets the server make its
 * update (and the client read it), '#' draws, '%' changes the size of the screen, '-' takes the screen away, '"' begins and ends text that
 * is sent as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include "softmmu/loop.h"
#include "tests/fuzz/fuzz.h"
#include "ui/vnc-server.h"

#define HELLO "\"RFB 003.008\n\"01 01"
#define FORMAT(bits, depth) " 00000000" bits depth "0001 00ff00ff00ff 100800 000000"
#define ASK " 03 00 0000 0000 00c8 0096"

const char *const fuzz_seeds[] = {
    "",
    HELLO " 02 00 0001 00000010" ASK "|#| 03 01 0000 0000 00c8 0096 #|",
    HELLO " 02 00 0003 00000005 ffffff21 ffffff11" ASK "|" FORMAT("10", "10") ASK "#|",
    HELLO " 02 00 0002 00000006 ffffff08" ASK "|%" ASK "| 04 01 0000 00000061 05 01 0010 0020 05 00 0010 0020",
    HELLO " 02 00 0004 fffffecc fffffefe fffffeff fffffefb" ASK "| fb 00 0100 0100 01 00 00000000 00000000 01000100 00000000 |-" ASK "|",
    HELLO " 06 000000 00000003 616263 06 000000 fffffffd 616263 ff 00 0001 00000061 0000001e" ASK "|",
    HELLO " 00000000 0808 00 00 000000000000 000000 000000" ASK "| 02 00 0001 00000010" ASK "#|",
    "\"RFB 003.003\n\" 01" ASK "|", "p\"RFB 003.007\n\" 02 00112233445566778899aabbccddeeff 01", "p\"RFB 003.003\n\" 00112233445566778899aabbccddeeff",
    "w\"GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\nSec-WebSocket-Protocol: binary\r\n\r\n\""
    "82 8c 00000000 \"RFB 003.008\n\" 02 82 00000000 01 80 81 00000000 01 89 80 00000000 82 8a 01020304 02 02 03 04 01 02 cb 04 01 94 |", NULL
};
const char *const fuzz_words[] = {
    "|", "#", "%", "-", "\"", ASK, FORMAT("20", "18"), FORMAT("08", "08"), " 02 00 ffff", " ffffffff", " 7fffffff", " 0000", "ff ff", " fb 00", " 06 000000",
    " 02 00 0001 00000010", " 02 00 0001 00000005", " 02 00 0001 574d5669", " 88 80 00000000", " 82 fe 0100 00000000", " 82 ff 7fffffffffffffff 00000000", NULL
};

static Console *con;
static VncServer *server;
static uint32_t frame;

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-vnc: %s\n", what);
        abort();
    }
}

static void draw(void)
{
    Surface *s = console_surface(con);

    frame++;
    for (uint32_t y = 0; s && y < s->height; y++) {
        for (uint32_t x = 0; x < s->width; x++) {
            surface_row(s, y)[x] = x * y % 97 < 60 ? 0x102030 * (frame % 8) : x / 8 * y * 0x010307 + frame;
        }
    }
    if (s) {
        console_update(con, 0, 0, s->width, s->height);
    }
}

static void set_up(void)
{
    static const ConsoleOps ops = {0};

    con = console_new(NULL, 0, &ops, NULL);
    console_set_surface(con, surface_new(200, 150));
    server = vnc_server_new("fuzz");
    server->keymap = keymap_get("en-us", NULL);
    vnc_server_attach(server, con);
    draw();
}

static void take_output(VncClient *c)
{
    /* An update is at most VNC_UPDATE_BYTES and one rectangle more. */
    require(c->out.n + c->wire.n < 8 << 20, "output without bound");
    require(c->in.n <= VNC_IN_MAX && c->raw_in.n <= VNC_IN_MAX, "input without bound");
    c->out.n = c->wire.n = c->sent = 0;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VncSocket websocket = { .websocket = true };
    uint8_t run[4096];
    size_t n = 0;
    int high = -1;
    bool text = false;

    if (!server) {
        set_up();
    }
    if (!console_surface(con) || server->width != 200) {
        console_set_surface(con, surface_new(200, 150));
        draw();
    }
    server->use_password = size && data[0] == 'p';
    vnc_client_new(server, -1, size && data[0] == 'w' ? &websocket : NULL);
    VncClient *c = server->clients;
    for (size_t i = 0; i <= size && !c->closing; i++) {
        uint8_t b = i < size ? data[i] : '|';
        bool stop = !text && strchr("|#%-", b) && b;
        if (b == '"') {
            text = !text;
        } else if (text) {
            run[n++] = b;
        } else if (digit(b) >= 0 && high < 0) {
            high = digit(b);
        } else if (digit(b) >= 0) {
            run[n++] = (uint8_t)(high << 4 | digit(b));
            high = -1;
        }
        if (!stop && n < sizeof(run)) {
            continue;
        }
        vnc_feed(c, run, n);
        vnc_flush(c);
        n = 0;
        take_output(c);
        if (b == '#') {
            draw();
        } else if (b == '%') {
            console_set_surface(con, surface_new(1 + frame * 37 % 400, 1 + frame * 23 % 300));
            draw();
        } else if (b == '-') {
            console_set_surface(con, NULL);
        }
        vnc_server_update(server);
        take_output(c);
    }
    vnc_client_free(c);
    require(!server->clients, "a client is left");
    while (loop_run_once(loop_main(), false)) {
    }
    return 0;
}
