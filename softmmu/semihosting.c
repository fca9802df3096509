/*
 * semihosting.c: semihosting of a machine: its options, and what target/common/semihosting.c asks of this side.
 *
 * The console is a character device (-semihosting-config chardev=) or standard error and input.
 * Leaves out: target=gdb, calls that a debugger carries out.
 *
 * Threads: calls come from vCPU threads; input of the character device arrives in the main loop and waits in a ring.
 */
#include "softmmu/semihosting.h"
#include <pthread.h>
#include <time.h>
#include "softmmu/bql.h"
#include "softmmu/chardev.h"
#include "softmmu/clock.h"
#include "softmmu/machine.h"
#include "softmmu/system.h"
#include "target/semihosting.h"
#include "util/alloc.h"

static struct {
    bool on, userspace;
    char *args, *fallback, *chardev;
    CharFrontend console;
    pthread_mutex_t lock; /* of the ring */
    pthread_cond_t filled;
    uint8_t ring[256];
    unsigned n, first;
} semihosting = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER };

/* -- console -------------------------------------------------------------------------------------------------- */

static void write_console(const void *data, size_t n) { char_write_all(&semihosting.console, data, n); }

static size_t read_console(Vcpu *vcpu, void *out, size_t n, bool *again)
{
    uint8_t *byte = out;
    size_t done = 0;

    pthread_mutex_lock(&semihosting.lock);
    while (!semihosting.n && !*again) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += SEMIHOSTING_PATIENCE_MS * 1000000l;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        *again = pthread_cond_timedwait(&semihosting.filled, &semihosting.lock, &soon) && atomic_load(&vcpu->jit.exit_request);
    }
    for (; done < n && semihosting.n; semihosting.n--) {
        byte[done++] = semihosting.ring[semihosting.first++ % sizeof(semihosting.ring)];
    }
    pthread_mutex_unlock(&semihosting.lock);
    char_accept_input(&semihosting.console);
    return done;
}

static size_t console_can_read(void *opaque)
{
    pthread_mutex_lock(&semihosting.lock);
    size_t room = sizeof(semihosting.ring) - semihosting.n;
    pthread_mutex_unlock(&semihosting.lock);
    return room;
}

static void console_read(void *opaque, const uint8_t *buf, size_t n)
{
    pthread_mutex_lock(&semihosting.lock);
    for (size_t i = 0; i < n; i++, semihosting.n++) {
        semihosting.ring[(semihosting.first + semihosting.n) % sizeof(semihosting.ring)] = buf[i];
    }
    pthread_cond_broadcast(&semihosting.filled);
    pthread_mutex_unlock(&semihosting.lock);
}

/* -- calls ----------------------------------------------------------------------------------------------------- */

static uint64_t clock_ns(void) { return (uint64_t)clock_get_ns(VM_CLOCK_VIRTUAL); }

/* The machine ends; the vCPU does not come back from here to guest code. */
static void end(Vcpu *vcpu, int status)
{
    bool took = bql_enter();

    machine_request_shutdown_with(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, status);
    atomic_store(&vcpu->stop_request, true);
    vcpu_kick(vcpu);
    if (took) {
        bql_unlock();
    }
}

/* The heap grows from behind the program, the stack down from the end of its memory. */
static void heap(Vcpu *vcpu, uint64_t info[4])
{
    gpa start, end_addr;
    bool took = bql_enter();

    if (machine_unused_ram(machine_current(), &start, &end_addr)) {
        info[0] = info[3] = start;
        info[1] = info[2] = end_addr;
    }
    if (took) {
        bql_unlock();
    }
}

static char *command_line(void)
{
    return xstrdup(semihosting.args ? semihosting.args : semihosting.fallback ? semihosting.fallback : "");
}

static bool call(Vcpu *vcpu, unsigned word_bytes, uint64_t operation, uint64_t parameter, uint64_t *ret_result)
{
    SemihostingHost host = {
        .read = system_debug_read, .write = system_debug_write,
        .write_console = semihosting.console.chr ? write_console : NULL, .read_console = semihosting.console.chr ? read_console : NULL,
        .command_line = command_line,
        .clock_ns = clock_ns, .heap = heap, .exit = end,
    };
    return semihosting_call(&host, vcpu, word_bytes, operation, parameter, ret_result);
}

void semihosting_enable(bool userspace, const char *args, const char *chardev)
{
    semihosting.on = true;
    semihosting.userspace = userspace;
    free(semihosting.args);
    semihosting.args = args ? xstrdup(args) : NULL;
    free(semihosting.chardev);
    semihosting.chardev = chardev ? xstrdup(chardev) : NULL;
}

bool semihosting_start(const char *kernel, const char *append, Error **errp)
{
    static const CharHandlers handlers = { .can_read = console_can_read, .read = console_read };

    free(semihosting.fallback);
    semihosting.fallback = kernel ? xasprintf("%s%s%s", kernel, append ? " " : "", append ? append : "") : NULL;
    if (semihosting.on && semihosting.chardev) {
        Chardev *chr = chardev_find(semihosting.chardev);
        if (!chr) {
            error_set(errp, "semihosting chardev '%s' not found", semihosting.chardev);
            return false;
        }
        if (!char_attach(&semihosting.console, chr, errp)) {
            return false;
        }
        semihosting.console.fixed = true;
        char_set_handlers(&semihosting.console, &handlers, NULL);
        char_set_open(&semihosting.console, true);
    }
    return true;
}

void semihosting_attach(Vcpu *vcpu)
{
    if (semihosting.on) {
        vcpu->semihost = call;
        vcpu->semihost_user = semihosting.userspace;
    }
}
