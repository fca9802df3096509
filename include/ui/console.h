/*
 * console.h: what a display device shows and what user interfaces look at.
 *
 * A Console is one head. The device owns the picture: it gives the console a surface (host memory, often the guest's own
 * frame buffer) and tells which part changed. User interfaces (VNC, SDL, screendump) are listeners.
 *
 * A surface is always 32 bits a pixel, 0x00RRGGBB in host order; the upper byte means nothing. Devices convert other
 * formats, so that this is done once and not in every user interface.
 *
 * Threads: BQL.
 */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include "hw/device.h"

typedef struct Console Console;

enum { CONSOLE_MAX_WIDTH = 16000, CONSOLE_MAX_HEIGHT = 12000, CURSOR_MAX = 512 };

typedef struct Surface {
    uint32_t width, height, stride_bytes;
    uint8_t *data;
    bool owned;             /* data is freed with the surface */
} Surface;

typedef struct CursorImage {
    uint32_t width, height, hot_x, hot_y; /* at most CURSOR_MAX */
    const uint32_t *argb;   /* width * height; alpha in the top byte, colours not multiplied by it */
} CursorImage;

/* A display device's side. All may be NULL. */
typedef struct ConsoleOps {
    void (*update)(void *opaque);               /* bring the surface up to date: calls console_update() for what changed */
    void (*invalidate)(void *opaque);           /* everything must be drawn again */
    /* A user interface would like this size (virtio-gpu, VNC resize). */
    void (*ui_resize)(void *opaque, uint32_t width, uint32_t height);
} ConsoleOps;

/* dev: whose head it is (NULL: the machine's). Consoles are numbered in the order they are made. */
Console *console_new(Device *dev, unsigned head, const ConsoleOps *ops, void *opaque);
void console_free(Console *con);

/* Takes ownership of the surface struct; NULL: no picture. */
void console_set_surface(Console *con, Surface *surface);
Surface *console_surface(Console *con);
Surface *surface_new(uint32_t width, uint32_t height);                 /* owned, black */
Surface *surface_new_for(uint32_t width, uint32_t height, uint32_t stride_bytes, uint8_t *data);
void surface_free(Surface *surface);
static inline uint32_t *surface_row(const Surface *surface, uint32_t y)
{
    return (uint32_t *)(surface->data + (size_t)y * surface->stride_bytes);
}
/* Outside parts are cut off. */
void console_update(Console *con, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
void console_set_cursor(Console *con, const CursorImage *cursor);      /* copied; NULL: none */
void console_move_cursor(Console *con, int x, int y, bool visible);
/* NULL: the guest has not defined one. */
const CursorImage *console_cursor(Console *con, int *ret_x, int *ret_y, bool *ret_visible);

/* A user interface's side; every function may be NULL. */
typedef struct ConsoleListener {
    /* surface NULL: there is no picture now. The console goes away: surface NULL and l->con NULL. */
    void (*switched)(struct ConsoleListener *l, Surface *surface);
    void (*updated)(struct ConsoleListener *l, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
    void (*cursor)(struct ConsoleListener *l, const CursorImage *cursor);
    void (*cursor_moved)(struct ConsoleListener *l, int x, int y, bool visible);
    Console *con;
    struct ConsoleListener *next;
} ConsoleListener;

/* Tells the listener what is there at once. */
void console_listen(Console *con, ConsoleListener *listener);
void console_unlisten(ConsoleListener *listener);
/* Asks the device to bring the surface up to date now (user interfaces on a timer, screendump). */
void console_refresh(Console *con);
void console_invalidate(Console *con);
void console_ask_size(Console *con, uint32_t width, uint32_t height);
/* Whether the device follows console_ask_size(). */
bool console_can_resize(Console *con);
Console *console_by_index(unsigned index);
/* "device" and "head" of screendump and VNC: an id or a path. */
Console *console_by_device(const char *device, unsigned head, Error **errp);
unsigned console_index(Console *con);
unsigned console_count(void);

/* The picture as a file: PNG (also without a library) or PPM. */
typedef enum ImageFormat { IMAGE_PPM, IMAGE_PNG } ImageFormat;
NODISCARD bool image_write(const Surface *surface, int fd, ImageFormat format, Error **errp);

#endif
