/*
 * vnc.c: VNC servers: the picture they share out, sockets, and what monitors ask.
 *
 * A server keeps a copy of the picture as its clients were told it. When the device says that something was drawn, the tiles in
 * question are compared with the copy, so that clients get what really changed. Nothing runs while no client waits for an
 * update.
 */
#include "ui/vnc.h"
#include <string.h>
#include <time.h>
#include "ui/vnc-server.h"

enum { INTERVAL_MIN_MS = 33, INTERVAL_MAX_MS = 250 };

static VncServer *servers; /* writable: those of -vnc, in order */
static void (*event_hook)(const char *event, Json *data);

void vnc_set_event_hook(void (*hook)(const char *event, Json *data))
{
    event_hook = hook;
}

void vnc_event(const char *event, Json *data)
{
    if (event_hook) {
        event_hook(event, data);
    } else {
        json_free(data);
    }
}

VncServer *vnc_servers(void)
{
    return servers;
}

/* ---- the picture ---- */

static void mark_drawn(VncServer *s, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    uint32_t x1 = DIV_ROUND_UP(x + width, VNC_TILE), y1 = DIV_ROUND_UP(y + height, VNC_TILE);

    for (uint32_t ty = y / VNC_TILE; ty < MIN(y1, s->tiles_y); ty++) {
        for (uint32_t tx = x / VNC_TILE; tx < MIN(x1, s->tiles_x); tx++) {
            s->drawn[(size_t)ty * s->row_words + tx / 64] |= BIT(tx % 64);
        }
    }
    s->any_drawn = true;
}

static void set_size(VncServer *s, uint32_t width, uint32_t height)
{
    s->width = width;
    s->height = height;
    s->tiles_x = DIV_ROUND_UP(width, VNC_TILE);
    s->tiles_y = DIV_ROUND_UP(height, VNC_TILE);
    s->row_words = DIV_ROUND_UP(s->tiles_x, 64);
    free(s->picture);
    free(s->drawn);
    s->picture = xcalloc((size_t)width * height, 4);
    s->drawn = xcalloc((size_t)s->row_words * s->tiles_y, 8);
    for (VncClient *c = s->clients; c; c = c->next) {
        free(c->dirty);
        c->dirty = xcalloc((size_t)s->row_words * s->tiles_y, 8);
        c->size_changed = true;
        c->ask_x = c->ask_y = 0;
        c->ask_width = width;
        c->ask_height = height;
        vnc_mark_all(c);
    }
}

static VncServer *server_of(ConsoleListener *l)
{
    return container_of(l, VncServer, listener);
}

static void on_switched(ConsoleListener *l, Surface *surface)
{
    VncServer *s = server_of(l);

    if (!l->con) {
        s->con = NULL;
    }
    if (!surface) { /* dark, as large as before */
        memset(s->picture, 0, (size_t)s->width * s->height * 4);
        for (VncClient *c = s->clients; c; c = c->next) {
            vnc_mark_all(c);
        }
    } else if (surface->width != s->width || surface->height != s->height) {
        set_size(s, surface->width, surface->height);
    }
    mark_drawn(s, 0, 0, s->width, s->height);
    vnc_server_wake(s);
}

static void on_updated(ConsoleListener *l, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    mark_drawn(server_of(l), x, y, width, height);
}

static void on_cursor(ConsoleListener *l, const CursorImage *cursor)
{
    for (VncClient *c = server_of(l)->clients; c; c = c->next) {
        c->cursor_changed = true;
    }
    vnc_server_wake(server_of(l));
}

/* Copies a tile; whether anything in it was different. The upper byte of surface pixels means nothing. */
static bool take_tile(VncServer *s, const Surface *surface, uint32_t tx, uint32_t ty)
{
    uint32_t x = tx * VNC_TILE, width = MIN((uint32_t)VNC_TILE, s->width - x), differ = 0;

    for (uint32_t y = ty * VNC_TILE; y < MIN((ty + 1) * VNC_TILE, s->height); y++) {
        const uint32_t *from = surface_row(surface, y) + x;
        uint32_t *to = s->picture + (size_t)y * s->width + x;
        for (uint32_t i = 0; i < width; i++) {
            uint32_t v = from[i] & 0xffffff;
            differ |= v ^ to[i];
            to[i] = v;
        }
    }
    return differ != 0;
}

static bool take_changes(VncServer *s)
{
    const Surface *surface = s->con ? console_surface(s->con) : NULL;
    bool any = false;

    if (!s->any_drawn || !surface) {
        return false;
    }
    s->any_drawn = false;
    for (uint32_t ty = 0; ty < s->tiles_y; ty++) {
        for (uint32_t word = 0; word < s->row_words; word++) {
            size_t at = (size_t)ty * s->row_words + word;
            uint64_t changed = 0;
            for (uint64_t bits = s->drawn[at]; bits; bits &= bits - 1) {
                unsigned bit = (unsigned)__builtin_ctzll(bits);
                changed |= take_tile(s, surface, word * 64 + bit, ty) ? BIT(bit) : 0;
            }
            s->drawn[at] = 0;
            any |= changed != 0;
            for (VncClient *c = s->clients; c && changed; c = c->next) {
                c->dirty[at] |= changed;
            }
        }
    }
    return any;
}

/* What is not on the screen but shown by clients: LEDs, the kind of pointer. */
static void check_states(VncServer *s)
{
    bool absolute = input_is_absolute();
    unsigned leds = input_leds();

    for (VncClient *c = s->clients; c; c = c->next) {
        c->mode_changed |= absolute != s->absolute;
        c->leds_changed |= leds != s->leds;
    }
    s->absolute = absolute;
    s->leds = leds;
}

static bool somebody_waits(const VncServer *s)
{
    for (const VncClient *c = s->clients; c; c = c->next) {
        if (c->initialized && c->wants_update && !c->closing && vnc_pending(c) <= VNC_OUT_LOW) {
            return true;
        }
    }
    return false;
}

bool vnc_server_update(VncServer *s)
{
    if (s->con) {
        console_refresh(s->con);
    }
    check_states(s);
    bool changed = take_changes(s);
    for (VncClient *c = s->clients; c; c = c->next) {
        vnc_update(c);
    }
    return changed;
}

static void server_tick(void *opaque)
{
    VncServer *s = opaque;

    if (!somebody_waits(s)) {
        return;
    }
    bool changed = vnc_server_update(s);
    s->interval_ms = changed ? INTERVAL_MIN_MS : MIN(s->interval_ms + INTERVAL_MIN_MS, INTERVAL_MAX_MS);
    s->last_tick_ns = clock_get_ns(VM_CLOCK_REALTIME);
    if (somebody_waits(s)) {
        timer_set_ns(&s->timer, s->last_tick_ns + s->interval_ms * NS_PER_MS);
    }
}

void vnc_server_wake(VncServer *s)
{
    int64_t at = s->last_tick_ns + INTERVAL_MIN_MS * NS_PER_MS;

    s->interval_ms = INTERVAL_MIN_MS;
    if (!timer_pending(&s->timer) || timer_deadline_ns(&s->timer) > at) {
        timer_set_ns(&s->timer, at);
    }
}

VncServer *vnc_server_new(const char *id)
{
    VncServer *s = xnew(VncServer), **at = &servers;

    s->id = xstrdup(id);
    s->max_clients = 32;
    s->lock_key_sync = true;
    timer_init(&s->timer, VM_CLOCK_REALTIME, server_tick, s);
    set_size(s, 640, 480);
    s->listener = (ConsoleListener){ .switched = on_switched, .updated = on_updated, .cursor = on_cursor };
    s->absolute = input_is_absolute();
    while (*at) {
        at = &(*at)->next;
    }
    *at = s;
    return s;
}

void vnc_server_attach(VncServer *s, Console *con)
{
    s->con = con;
    if (con) {
        console_listen(con, &s->listener);
    }
}

void vnc_server_free(VncServer *s)
{
    while (s->clients) {
        vnc_client_free(s->clients);
    }
    for (VncServer **at = &servers; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    console_unlisten(&s->listener);
    timer_cancel(&s->timer);
    vnc_server_close_sockets(s);
    free(s->picture);
    free(s->drawn);
    free(s->id);
    free(s->text);
    free(s->device);
    free(s->password);
    free(s);
}

void vnc_finish(void)
{
    while (servers) {
        vnc_server_free(servers);
    }
}

unsigned vnc_count(void)
{
    unsigned n = 0;
    for (VncServer *s = servers; s; s = s->next) {
        n++;
    }
    return n;
}

void vnc_client_gone(VncClient *c)
{
    VncServer *s = c->server;

    for (VncClient **at = &s->clients; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            s->n_clients--;
            break;
        }
    }
    if (c->host) {
        Json *data = json_object();
        json_put(data, "server", vnc_server_event(c, true));
        json_put(data, "client", vnc_client_describe(c));
        vnc_event("VNC_DISCONNECTED", data);
    }
}

/* ---- for the monitors ---- */

bool vnc_password_usable(const VncServer *s)
{
    return s->password && (s->expires_at_s == VNC_EXPIRES_NEVER || time(NULL) < s->expires_at_s);
}

static const char *auth_name(const VncServer *s)
{
    return s->use_password ? "vnc" : "none";
}

Json *vnc_server_event(const VncClient *c, bool with_auth)
{
    Json *ret = json_object();

    json_put_string(ret, "host", c->server_host ? c->server_host : "");
    json_put_string(ret, "service", c->server_service ? c->server_service : "");
    json_put_string(ret, "family", c->family ? c->family : "unknown");
    json_put_bool(ret, "websocket", c->websocket);
    if (with_auth) {
        json_put_string(ret, "auth", auth_name(c->server));
    }
    return ret;
}

static VncServer *find_server(const char *id, Error **errp)
{
    VncServer *s = servers;

    while (s && id && strcmp(s->id, id)) {
        s = s->next;
    }
    if (!s) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, id ? "VNC display '%s' not found" : "VNC is not in use", id);
    }
    return s;
}

bool vnc_set_password(const char *display, const char *password, Error **errp)
{
    VncServer *s = find_server(display, errp);

    if (!s) {
        return false;
    }
    if (!s->use_password) {
        error_set(errp, "this VNC display asks for no password: start it with password=on");
        return false;
    }
    free(s->password);
    s->password = xstrdup(password);
    return true;
}

bool vnc_expire_password(const char *display, int64_t at_s, Error **errp)
{
    VncServer *s = find_server(display, errp);

    if (s) {
        s->expires_at_s = at_s;
    }
    return s != NULL;
}

static Json *describe_clients(const VncServer *s)
{
    Json *list = json_array();

    for (const VncClient *c = s->clients; c; c = c->next) {
        json_push(list, vnc_client_describe(c));
    }
    return list;
}

static void put_socket(Json *to, const VncSocket *socket)
{
    json_put_string(to, "host", socket->host);
    json_put_string(to, "service", socket->service);
    json_put_string(to, "family", socket->family);
}

Json *vnc_describe(Error **errp)
{
    Json *ret = json_object();

    json_put_bool(ret, "enabled", servers != NULL);
    if (servers) {
        if (servers->n_sockets) {
            put_socket(ret, &servers->sockets[0]);
        }
        json_put_string(ret, "auth", auth_name(servers));
        json_put(ret, "clients", describe_clients(servers));
    }
    return ret;
}

Json *vnc_describe_servers(void)
{
    Json *list = json_array();

    for (const VncServer *s = servers; s; s = s->next) {
        Json *item = json_object(), *sockets = json_array();
        json_put_string(item, "id", s->id);
        for (unsigned i = 0; i < s->n_sockets; i++) {
            Json *socket = json_object();
            put_socket(socket, &s->sockets[i]);
            json_put_bool(socket, "websocket", s->sockets[i].websocket);
            json_put_string(socket, "auth", auth_name(s));
            json_push(sockets, socket);
        }
        json_put(item, "server", sockets);
        json_put(item, "clients", describe_clients(s));
        json_put_string(item, "auth", auth_name(s));
        if (s->device) {
            json_put_string(item, "display", s->device);
        }
        json_push(list, item);
    }
    return list;
}
