/*
 * chardev-double.c: a stand-in for character devices in device tests: output is
 * kept, input is given by the test. See chardev-double.h.
 */
#include "tests/hw/chardev-double.h"
#include "util/alloc.h"

struct Chardev {
    int unused;
};

size_t double_out_len;
uint8_t double_out[4096];
bool double_blocked;
static struct Chardev the_chardev;
static CharFrontend *attached;

bool char_attach(CharFrontend *fe, Chardev *chr, Error **errp)
{
    fe->chr = chr;
    return true;
}

void char_detach(CharFrontend *fe)
{
    fe->chr = NULL;
    if (attached == fe) {
        attached = NULL;
    }
}

void char_set_handlers(CharFrontend *fe, const CharHandlers *handlers, void *opaque)
{
    fe->handlers = handlers;
    fe->opaque = opaque;
    attached = handlers ? fe : NULL;
}

size_t char_write(CharFrontend *fe, const void *buf, size_t len)
{
    if (double_blocked) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        double_out[double_out_len++ % sizeof(double_out)] = ((const uint8_t *)buf)[i];
    }
    return len;
}

void double_unblock(void)
{
    double_blocked = false;
    attached->handlers->writable(attached->opaque);
}

size_t double_input(const char *text, size_t len)
{
    size_t room = attached->handlers->can_read(attached->opaque);

    len = len < room ? len : room;
    if (len) {
        attached->handlers->read(attached->opaque, (const uint8_t *)text, len);
    }
    return len;
}

void double_break(void)
{
    attached->handlers->event(attached->opaque, CHAR_EVENT_BREAK);
}

void char_accept_input(CharFrontend *fe)
{
}

bool char_set_line(CharFrontend *fe, const CharLine *line)
{
    return false;
}

bool char_set_break(CharFrontend *fe, bool on)
{
    return false;
}

bool char_get_modem(CharFrontend *fe, unsigned *ret_tio)
{
    return false;
}

bool char_set_modem(CharFrontend *fe, unsigned tio)
{
    return false;
}

Chardev *chardev_find(const char *id)
{
    return &the_chardev;
}

const char *chardev_id(const Chardev *chr)
{
    return "double";
}

/* Not used by these tests, but by what they are linked with. */
void char_write_all(CharFrontend *fe, const void *buf, size_t len)
{
    char_write(fe, buf, len);
}

bool char_connected(const CharFrontend *fe)
{
    return true;
}

void char_set_open(CharFrontend *fe, bool open)
{
}

bool chardev_new_legacy(const char *id, const char *text, bool *ret_mon, Chardev **ret_chr, Error **errp)
{
    *ret_chr = &the_chardev;
    return true;
}
