/*
 * console.h: what a display device shows and what user interfaces look at.
 *
 * A Console is one head. The device owns the picture: it gives the console a surface (host memory in a pixman format, often
 * the guest's own frame buffer) and tells which part changed. User interfaces (VNC, SDL, screendump) are listeners.
 *
 * Threads: BQL.
 */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include "hw/device.h"

typedef struct Console Console;

typedef struct Surface {
    uint32_t width, height, stride_bytes;
    uint32_t format;        /* pixman_format_code_t */
    uint8_t *data;
    bool owned;             /* data is freed with the surface */
} Surface;

typedef struct CursorImage {
    uint32_t width, height, hot_x, hot_y;
    uint32_t *argb;         /* width * height, owned by the caller */
} CursorImage;

/* A display device's side. All may be NULL but update. */
typedef struct ConsoleOps {
    void (*update)(void *opaque);               /* bring the surface up to date: calls console_update() for what changed */
    void (*invalidate)(void *opaque);           /* everything must be drawn again */
    /* A user interface would like this size (virtio-gpu, VNC resize). */
    void (*ui_resize)(void *opaque, uint32_t width, uint32_t height);
} ConsoleOps;

/* dev: whose head it is (NULL: the machine's). Returns an index for screendump's device/head and VNC's display. */
Console *console_new(Device *dev, unsigned head, const ConsoleOps *ops, void *opaque);
void console_free(Console *con);

/* Takes ownership of the surface struct; NULL: no picture. */
void console_set_surface(Console *con, Surface *surface);
Surface *console_surface(Console *con);
Surface *surface_new(uint32_t width, uint32_t height);                 /* x8r8g8b8, owned, black */
Surface *surface_new_for(uint32_t width, uint32_t height, uint32_t format, uint32_t stride_bytes, uint8_t *data);
void surface_free(Surface *surface);
void console_update(Console *con, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
void console_set_cursor(Console *con, const CursorImage *cursor);      /* NULL: none */
void console_move_cursor(Console *con, int x, int y, bool visible);

/* A user interface's side. */
typedef struct ConsoleListener {
    void (*switched)(struct ConsoleListener *l, Surface *surface);
    void (*updated)(struct ConsoleListener *l, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
    void (*cursor)(struct ConsoleListener *l, const CursorImage *cursor);
    void (*cursor_moved)(struct ConsoleListener *l, int x, int y, bool visible);
    Console *con;
    struct ConsoleListener *next;
} ConsoleListener;

void console_listen(Console *con, ConsoleListener *listener);
void console_unlisten(ConsoleListener *listener);
/* Asks the device to bring the surface up to date now (user interfaces on a timer, screendump). */
void console_refresh(Console *con);
void console_invalidate(Console *con);
void console_ask_size(Console *con, uint32_t width, uint32_t height);
Console *console_by_index(unsigned index);
Console *console_by_device(const char *device, unsigned head, Error **errp);
unsigned console_count(void);

#endif
