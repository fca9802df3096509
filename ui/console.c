/*
 * console.c: heads, their surfaces and who looks at them (see ui/console.h).
 */
#include "ui/console.h"
#include <string.h>
#include "util/alloc.h"

struct Console {
    Device *dev;
    unsigned head;
    const ConsoleOps *ops;
    void *opaque;
    Surface *surface;
    CursorImage cursor;
    bool has_cursor, cursor_visible;
    int cursor_x, cursor_y;
    ConsoleListener *listeners;
    Console *next;
};

static Console *consoles; /* writable: the heads of the machine, in order */

Surface *surface_new(uint32_t width, uint32_t height)
{
    assert(width && height && width <= CONSOLE_MAX_WIDTH && height <= CONSOLE_MAX_HEIGHT);
    Surface *s = surface_new_for(width, height, width * 4, xcalloc((size_t)width * height, 4));
    s->owned = true;
    return s;
}

Surface *surface_new_for(uint32_t width, uint32_t height, uint32_t stride_bytes, uint8_t *data)
{
    Surface *s = xnew(Surface);
    *s = (Surface){ .width = width, .height = height, .stride_bytes = stride_bytes, .data = data };
    return s;
}

void surface_free(Surface *surface)
{
    if (surface && surface->owned) {
        free(surface->data);
    }
    free(surface);
}

Console *console_new(Device *dev, unsigned head, const ConsoleOps *ops, void *opaque)
{
    Console *con = xnew(Console), **at = &consoles;

    con->dev = dev;
    con->head = head;
    con->ops = ops;
    con->opaque = opaque;
    while (*at) {
        at = &(*at)->next;
    }
    *at = con;
    return con;
}

void console_free(Console *con)
{
    if (!con) {
        return;
    }
    while (con->listeners) {
        ConsoleListener *l = con->listeners;
        con->listeners = l->next;
        l->con = NULL;
        if (l->switched) {
            l->switched(l, NULL);
        }
    }
    for (Console **at = &consoles; *at; at = &(*at)->next) {
        if (*at == con) {
            *at = con->next;
            break;
        }
    }
    surface_free(con->surface);
    free((void *)con->cursor.argb);
    free(con);
}

void console_set_surface(Console *con, Surface *surface)
{
    Surface *old = con->surface;

    con->surface = surface;
    for (ConsoleListener *l = con->listeners; l; l = l->next) {
        if (l->switched) {
            l->switched(l, surface);
        }
    }
    surface_free(old);
}

Surface *console_surface(Console *con)
{
    return con->surface;
}

void console_update(Console *con, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    const Surface *s = con->surface;

    if (!s || x >= s->width || y >= s->height || !width || !height) {
        return;
    }
    width = MIN(width, s->width - x);
    height = MIN(height, s->height - y);
    for (ConsoleListener *l = con->listeners; l; l = l->next) {
        if (l->updated) {
            l->updated(l, x, y, width, height);
        }
    }
}

void console_set_cursor(Console *con, const CursorImage *cursor)
{
    free((void *)con->cursor.argb);
    con->cursor = (CursorImage){0};
    con->has_cursor = cursor != NULL;
    if (cursor) {
        assert(cursor->width <= CURSOR_MAX && cursor->height <= CURSOR_MAX);
        con->cursor = *cursor;
        con->cursor.argb = xmemdup(cursor->argb, (size_t)cursor->width * cursor->height * 4);
    }
    for (ConsoleListener *l = con->listeners; l; l = l->next) {
        if (l->cursor) {
            l->cursor(l, con->has_cursor ? &con->cursor : NULL);
        }
    }
}

void console_move_cursor(Console *con, int x, int y, bool visible)
{
    con->cursor_x = x;
    con->cursor_y = y;
    con->cursor_visible = visible;
    for (ConsoleListener *l = con->listeners; l; l = l->next) {
        if (l->cursor_moved) {
            l->cursor_moved(l, x, y, visible);
        }
    }
}

const CursorImage *console_cursor(Console *con, int *ret_x, int *ret_y, bool *ret_visible)
{
    *ret_x = con->cursor_x;
    *ret_y = con->cursor_y;
    *ret_visible = con->cursor_visible;
    return con->has_cursor ? &con->cursor : NULL;
}

void console_listen(Console *con, ConsoleListener *listener)
{
    listener->con = con;
    listener->next = con->listeners;
    con->listeners = listener;
    if (listener->switched) {
        listener->switched(listener, con->surface);
    }
    if (listener->cursor && con->has_cursor) {
        listener->cursor(listener, &con->cursor);
    }
    if (listener->cursor_moved && con->has_cursor) {
        listener->cursor_moved(listener, con->cursor_x, con->cursor_y, con->cursor_visible);
    }
}

void console_unlisten(ConsoleListener *listener)
{
    if (!listener->con) {
        return;
    }
    for (ConsoleListener **at = &listener->con->listeners; *at; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    listener->con = NULL;
    listener->next = NULL;
}

void console_refresh(Console *con)
{
    if (con->ops->update) {
        con->ops->update(con->opaque);
    }
}

void console_invalidate(Console *con)
{
    if (con->ops->invalidate) {
        con->ops->invalidate(con->opaque);
    }
}

void console_ask_size(Console *con, uint32_t width, uint32_t height)
{
    if (con->ops->ui_resize && width && height && width <= CONSOLE_MAX_WIDTH && height <= CONSOLE_MAX_HEIGHT) {
        con->ops->ui_resize(con->opaque, width, height);
    }
}

bool console_can_resize(Console *con)
{
    return con->ops->ui_resize != NULL;
}

Console *console_by_index(unsigned index)
{
    Console *con = consoles;

    while (con && index--) {
        con = con->next;
    }
    return con;
}

unsigned console_index(Console *con)
{
    unsigned n = 0;

    for (Console *at = consoles; at && at != con; at = at->next) {
        n++;
    }
    return n;
}

Console *console_by_device(const char *device, unsigned head, Error **errp)
{
    Device *dev = device_find(device);

    if (!dev) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_FOUND, "Device '%s' not found", device);
        return NULL;
    }
    for (Console *con = consoles; con; con = con->next) {
        /* virtio-gpu: the head is the inner device's, the user names the PCI function around it. */
        for (Object *obj = con->dev ? &con->dev->obj : NULL; obj && con->head == head; obj = obj->parent) {
            if (obj == &dev->obj) {
                return con;
            }
        }
    }
    error_set(errp, "Device %s (head %u) is not bound to a console", device, head);
    return NULL;
}

unsigned console_count(void)
{
    return console_index(NULL);
}
