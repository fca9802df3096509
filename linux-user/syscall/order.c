/*
 * order.c: memory that the kernel reads or writes directly, for ABIs of the other byte order: a copy in the host's.
 *
 * Structures with a description (struct.c) need none of this; what is left are arrays of numbers, and structures that are the same
 * in every little-endian ABI.
 * What descriptors carry: contents.c.
 */
#include <ctype.h>
#include "linux-user/syscall/syscall.h"
#include "util/alloc.h"

/* Reverses the numbers of a layout: fields of q 8, l 4, w 2, b 1 bytes, each with a count before it if that is not 1; it begins anew at its end. */
static void reverse(uint8_t *p, size_t n, const char *layout)
{
    const char *at = layout;

    for (size_t done = 0; done < n;) {
        unsigned count = 0;
        while (isdigit((unsigned char)*at)) {
            count = count * 10 + (unsigned)(*at++ - '0');
        }
        unsigned bytes = *at == 'q' ? 8 : *at == 'l' ? 4 : *at == 'w' ? 2 : 1;
        for (count = MAX(count, 1u); count && done + bytes <= n; count--, done += bytes) {
            for (unsigned i = 0; i < bytes / 2; i++) {
                uint8_t byte = p[done + i];
                p[done + i] = p[done + bytes - 1 - i];
                p[done + bytes - 1 - i] = byte;
            }
        }
        if (count) {
            return; /* what is cut off in the middle is nobody's */
        }
        at = at[1] ? at + 1 : layout;
    }
}

static void *begin(Thread *t, Ordered *o, vaddr addr, size_t size_bytes, const char *layout, bool *ok)
{
    *o = (Ordered){ .addr = addr, .size_bytes = size_bytes, .layout = layout };
    if (!addr || !*ok) {
        return NULL;
    }
    o->copy = size_bytes <= sizeof(o->small) ? o->small : xmalloc(size_bytes);
    if (!copy_from_guest(o->copy, addr, size_bytes)) {
        *ok = false;
    }
    reverse(o->copy, size_bytes, layout);
    return o->copy;
}

void *order_in(Thread *t, Ordered *o, vaddr addr, size_t size_bytes, const char *layout, bool *ok)
{
    o->copy = NULL;
    return t->abi->big_endian ? begin(t, o, addr, size_bytes, layout, ok) : guest_in(addr, size_bytes, ok);
}

void *order_inout(Thread *t, Ordered *o, vaddr addr, size_t size_bytes, const char *layout, bool *ok)
{
    o->copy = NULL;
    return t->abi->big_endian ? begin(t, o, addr, size_bytes, layout, ok) : guest_out(addr, size_bytes, ok);
}

bool order_out(Ordered *o, bool changed)
{
    bool ok = true;

    if (o->copy && changed) {
        reverse(o->copy, o->size_bytes, o->layout);
        ok = copy_to_guest(o->addr, o->copy, o->size_bytes);
    }
    if (o->copy != o->small) {
        free(o->copy); /* or there is none */
    }
    o->copy = NULL;
    return ok;
}

void order_fields(const Abi *abi, void *data, size_t size_bytes, const char *layout)
{
    if (abi->big_endian) {
        reverse(data, size_bytes, layout);
    }
}
