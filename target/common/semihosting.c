/*
 * semihosting.c: what a guest program asks of the emulator by its architecture's semihosting instruction: a console, files of the host,
 * the time, its command line, commands of the host, its end.
 *
 * The guest reaches every file the process may open, so system mode has it off unless asked for.
 * Leaves out: calls forwarded to a debugger.
 * Specification: Semihosting for AArch32 and AArch64 2.0, whose calls RISC-V Semihosting 0.4 takes over.
 *
 * Threads: the calling vCPU's; `lock` guards the table of files.
 */
#include "target/semihosting.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "util/alloc.h"
#include "util/log.h"

enum {
    SYS_OPEN = 0x01, SYS_CLOSE, SYS_WRITEC, SYS_WRITE0, SYS_WRITE, SYS_READ, SYS_READC, SYS_ISERROR, SYS_ISTTY, SYS_SEEK,
    SYS_FLEN = 0x0c, SYS_TMPNAM, SYS_REMOVE, SYS_RENAME, SYS_CLOCK, SYS_TIME, SYS_SYSTEM, SYS_ERRNO,
    SYS_GET_CMDLINE = 0x15, SYS_HEAPINFO, SYS_EXIT = 0x18, SYS_EXIT_EXTENDED = 0x20, SYS_ELAPSED = 0x30, SYS_TICKFREQ,
};
enum { STOPPED_APPLICATION_EXIT = 0x20026, MAX_TEXT = 4096, MAX_TRANSFER = 1 << 20, N_FILES = 256 };

typedef struct File {
    enum { FILE_FREE, FILE_HOST, FILE_CONSOLE, FILE_FEATURES } kind;
    int fd;
    bool standard;   /* a stream of our own: not closed */
    unsigned at;     /* FILE_FEATURES */
} File;

static struct {
    pthread_mutex_t lock;
    File files[N_FILES];
} semihosting = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Both extensions there are: SYS_EXIT_EXTENDED, and ":tt" opened for appending is standard error. */
static const uint8_t features[] = { 0x53, 0x48, 0x46, 0x42, 3 };

typedef struct Call {
    const SemihostingHost *host;
    Vcpu *vcpu;
    unsigned word;        /* bytes */
    uint64_t block;       /* the parameter: the address of a block of words, for most calls */
    bool bad;             /* guest memory was not there */
    int error;
    bool again;           /* what it waits for has not come, and the vCPU is wanted elsewhere */
} Call;

static _Thread_local int last_error;

/* -- guest memory ------------------------------------------------------------------------------------------- */

static bool get_bytes(Call *c, uint64_t addr, void *out, size_t n)
{
    c->bad |= !c->host->read(c->vcpu, addr, out, n);
    return !c->bad;
}

static bool put_bytes(Call *c, uint64_t addr, const void *in, size_t n)
{
    c->bad |= !c->host->write(c->vcpu, addr, in, n);
    return !c->bad;
}

/* Word i of the block. */
static uint64_t arg(Call *c, unsigned i)
{
    uint8_t raw[8] = { 0 };
    get_bytes(c, c->block + (uint64_t)i * c->word, raw, c->word);
    bool big = c->vcpu->target->big_endian;
    return c->word == 8 ? big ? ldbe64(raw) : ldle64(raw) : big ? ldbe32(raw) : ldle32(raw);
}

static void put_word(Call *c, uint64_t addr, uint64_t value, unsigned bytes)
{
    uint8_t raw[8];
    bool big = c->vcpu->target->big_endian;
    if (bytes == 8) {
        big ? stbe64(raw, value) : stle64(raw, value);
    } else {
        big ? stbe32(raw, (uint32_t)value) : stle32(raw, (uint32_t)value);
    }
    put_bytes(c, addr, raw, bytes);
}

/* A name of `len` bytes, and a NUL of ours. */
static bool get_text(Call *c, uint64_t addr, uint64_t len, char text[MAX_TEXT])
{
    if (len >= MAX_TEXT) {
        c->error = ENAMETOOLONG;
        return false;
    }
    text[len] = 0;
    return !len || get_bytes(c, addr, text, len);
}

/* -- console -------------------------------------------------------------------------------------------------- */

static void write_console(const Call *c, const void *data, size_t n)
{
    const char *p = data;

    if (c->host->write_console) {
        c->host->write_console(data, n);
        return;
    }
    while (n) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

/* 0: the input has ended, or `again`. */
static size_t read_console(Call *c, void *out, size_t n)
{
    ssize_t done = 0;

    if (c->host->read_console) {
        done = (ssize_t)c->host->read_console(c->vcpu, out, n, &c->again);
        return (size_t)done;
    }
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    while (poll(&input, 1, SEMIHOSTING_PATIENCE_MS) <= 0) {
        if (atomic_load(&c->vcpu->jit.exit_request)) {
            c->again = true;
            return 0;
        }
    }
    do {
        done = read(STDIN_FILENO, out, n);
    } while (done < 0 && errno == EINTR);
    return (size_t)MAX(done, 0);
}

/* -- files ---------------------------------------------------------------------------------------------------- */

static int64_t fail(Call *c, int error)
{
    c->error = error;
    return -1;
}

static File *file_of(Call *c, uint64_t handle)
{
    if (handle >= 1 && handle < N_FILES && semihosting.files[handle].kind) {
        return &semihosting.files[handle];
    }
    c->error = EBADF;
    return NULL;
}

/* Handles are never 0. */
static int64_t new_file(Call *c, File file)
{
    for (unsigned i = 1; i < N_FILES; i++) {
        if (!semihosting.files[i].kind) {
            semihosting.files[i] = file;
            return i;
        }
    }
    if (file.kind == FILE_HOST && !file.standard) {
        close(file.fd);
    }
    return fail(c, EMFILE);
}

static int64_t call_open(Call *c)
{
    static const int how[12] = { /* fopen's r rb r+ r+b w wb w+ w+b a ab a+ a+b */
        O_RDONLY, O_RDONLY, O_RDWR, O_RDWR,
        O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC,
        O_WRONLY | O_CREAT | O_APPEND, O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT | O_APPEND, O_RDWR | O_CREAT | O_APPEND,
    };
    char name[MAX_TEXT];
    uint64_t mode = arg(c, 1);

    if (!get_text(c, arg(c, 0), arg(c, 2), name) || mode >= ARRAY_SIZE(how)) {
        return fail(c, c->error ? c->error : EINVAL);
    }
    if (!strcmp(name, ":tt")) {
        return new_file(c, c->host->write_console ? (File){ .kind = FILE_CONSOLE } : (File){ .kind = FILE_HOST, .standard = true, .fd = mode < 4 ? STDIN_FILENO : mode < 8 ? STDOUT_FILENO : STDERR_FILENO });
    }
    if (!strcmp(name, ":semihosting-features")) {
        return how[mode] == O_RDONLY ? new_file(c, (File){ .kind = FILE_FEATURES }) : fail(c, EACCES);
    }
    int fd = open(name, how[mode] | O_CLOEXEC, 0644);
    return fd < 0 ? fail(c, errno) : new_file(c, (File){ .kind = FILE_HOST, .fd = fd });
}

static int64_t call_close(Call *c)
{
    File *f = file_of(c, arg(c, 0));
    if (!f) {
        return -1;
    }
    if (f->kind == FILE_HOST && !f->standard) {
        close(f->fd);
    }
    *f = (File){ 0 };
    return 0;
}

/* Both answer with how much was not done. */
static int64_t transfer(Call *c, bool is_write)
{
    uint64_t addr = arg(c, 1), len = arg(c, 2);
    File *f = file_of(c, arg(c, 0));
    size_t n = (size_t)MIN(len, (uint64_t)MAX_TRANSFER);
    ssize_t done = 0;

    if (!f || c->bad || !n) {
        return (int64_t)len;
    }
    uint8_t *data = xmalloc(n);
    if (f->kind == FILE_FEATURES) {
        done = is_write ? (errno = EBADF, -1) : (ssize_t)MIN(n, sizeof(features) - f->at);
        if (done > 0) {
            memcpy(data, features + f->at, (size_t)done);
            f->at += (unsigned)done;
        }
    } else if (!is_write || get_bytes(c, addr, data, n)) {
        File file = *f;
        pthread_mutex_unlock(&semihosting.lock); /* it may block */
        if (file.standard && file.fd == STDIN_FILENO && !is_write) {
            done = (ssize_t)read_console(c, data, n);
        } else if (file.kind == FILE_HOST) {
            do {
                done = is_write ? write(file.fd, data, n) : read(file.fd, data, n);
            } while (done < 0 && errno == EINTR);
        } else if (is_write) {
            write_console(c, data, n);
            done = (ssize_t)n;
        } else {
            done = (ssize_t)read_console(c, data, n);
        }
        pthread_mutex_lock(&semihosting.lock);
    }
    if (done < 0) {
        c->error = errno;
    } else if (!is_write && done > 0) {
        put_bytes(c, addr, data, (size_t)done);
    }
    free(data);
    return (int64_t)(len - (uint64_t)MAX(done, 0));
}

static int64_t call_seek(Call *c)
{
    File *f = file_of(c, arg(c, 0));
    uint64_t at = arg(c, 1);
    if (!f) {
        return -1;
    }
    if (f->kind == FILE_FEATURES) {
        f->at = (unsigned)MIN(at, sizeof(features));
        return 0;
    }
    if (f->kind == FILE_CONSOLE) {
        return fail(c, ESPIPE);
    }
    return lseek(f->fd, (off_t)at, SEEK_SET) < 0 ? fail(c, errno) : 0;
}

static int64_t call_length(Call *c)
{
    struct stat st;
    File *f = file_of(c, arg(c, 0));
    if (!f) {
        return -1;
    }
    if (f->kind == FILE_FEATURES) {
        return sizeof(features);
    }
    if (f->kind == FILE_CONSOLE) {
        return 0;
    }
    return fstat(f->fd, &st) < 0 ? fail(c, errno) : st.st_size;
}

static int64_t call_remove(Call *c)
{
    char name[MAX_TEXT];
    return get_text(c, arg(c, 0), arg(c, 1), name) && remove(name) == 0 ? 0 : fail(c, c->error ? c->error : errno);
}

static int64_t call_rename(Call *c)
{
    char from[MAX_TEXT], to[MAX_TEXT];
    return get_text(c, arg(c, 0), arg(c, 1), from) && get_text(c, arg(c, 2), arg(c, 3), to) && rename(from, to) == 0
               ? 0 : fail(c, c->error ? c->error : errno);
}

static int64_t call_tmpnam(Call *c)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "/tmp/semihosting-%x%02x", (unsigned)getpid(), (unsigned)arg(c, 1) & 0xff) + 1;
    return arg(c, 2) >= (uint64_t)n && put_bytes(c, arg(c, 0), name, (size_t)n) ? 0 : -1;
}

/* -- the rest ------------------------------------------------------------------------------------------------------ */

static int64_t call_write0(Call *c)
{
    char text[256];
    unsigned n = 0;
    uint64_t addr = c->block;
    for (unsigned i = 0; i < MAX_TRANSFER && get_bytes(c, addr + i, &text[n], 1) && text[n]; i++) {
        if (++n == sizeof(text)) {
            write_console(c, text, n);
            n = 0;
        }
    }
    write_console(c, text, n);
    return 0;
}

static int64_t call_readc(Call *c)
{
    unsigned char byte;
    pthread_mutex_unlock(&semihosting.lock);
    size_t n = read_console(c, &byte, 1);
    pthread_mutex_lock(&semihosting.lock);
    return n == 1 ? byte : -1;
}

static int64_t call_cmdline(Call *c)
{
    char *args = c->host->command_line();
    size_t n = strlen(args) + 1;
    bool fits = arg(c, 1) >= n && put_bytes(c, arg(c, 0), args, n);
    free(args);
    if (!fits) {
        return fail(c, E2BIG);
    }
    put_word(c, c->block + c->word, n - 1, c->word);
    return c->bad ? -1 : 0;
}

static int64_t call_heapinfo(Call *c)
{
    uint64_t at = arg(c, 0), info[4] = { 0 };
    c->host->heap(c->vcpu, info);
    for (unsigned i = 0; i < 4; i++) {
        put_word(c, at + (uint64_t)i * c->word, info[i], c->word);
    }
    return 0;
}

/* The command's exit status, or 128 and its signal. */
static int64_t call_system(Call *c)
{
    char command[MAX_TEXT];
    if (!get_text(c, arg(c, 0), arg(c, 1), command)) {
        return fail(c, c->error ? c->error : EFAULT);
    }
    pthread_mutex_unlock(&semihosting.lock);
    int status = system(command);
    pthread_mutex_lock(&semihosting.lock);
    return status < 0 ? fail(c, errno) : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int64_t call_exit(Call *c, bool extended)
{
    bool block = extended || c->word == 8; /* 32-bit programs give the reason itself to SYS_EXIT */
    uint64_t reason = block ? arg(c, 0) : c->block;
    int status = reason != STOPPED_APPLICATION_EXIT ? 1 : block ? (int)arg(c, 1) : 0;
    c->host->exit(c->vcpu, status & 0xff);
    return 0;
}

static int64_t run(Call *c, uint64_t operation)
{
    File *f;
    char byte;
    uint64_t ns = c->host->clock_ns();

    switch (operation) {
    case SYS_OPEN: return call_open(c);
    case SYS_CLOSE: return call_close(c);
    case SYS_WRITEC:
        if (get_bytes(c, c->block, &byte, 1)) {
            write_console(c, &byte, 1);
        }
        return 0;
    case SYS_WRITE0: return call_write0(c);
    case SYS_WRITE: return transfer(c, true);
    case SYS_READ: return transfer(c, false);
    case SYS_READC: return call_readc(c);
    case SYS_ISERROR: return c->word == 8 ? (int64_t)arg(c, 0) < 0 : (int32_t)arg(c, 0) < 0;
    case SYS_ISTTY:
        f = file_of(c, arg(c, 0));
        return f ? f->kind == FILE_CONSOLE || (f->kind == FILE_HOST && isatty(f->fd)) : -1;
    case SYS_SEEK: return call_seek(c);
    case SYS_FLEN: return call_length(c);
    case SYS_TMPNAM: return call_tmpnam(c);
    case SYS_REMOVE: return call_remove(c);
    case SYS_RENAME: return call_rename(c);
    case SYS_CLOCK: return (int64_t)(ns / 10000000);
    case SYS_TIME: return time(NULL);
    case SYS_SYSTEM: return call_system(c);
    case SYS_ERRNO: return last_error;
    case SYS_GET_CMDLINE: return call_cmdline(c);
    case SYS_HEAPINFO: return call_heapinfo(c);
    case SYS_EXIT: return call_exit(c, false);
    case SYS_EXIT_EXTENDED: return call_exit(c, true);
    case SYS_ELAPSED:
        put_word(c, c->block, ns, 8);
        return 0;
    case SYS_TICKFREQ: return 1000000000;
    default:
        log_unimp("semihosting call %#" PRIx64 "\n", operation);
        return fail(c, ENOSYS);
    }
}

bool semihosting_call(const SemihostingHost *host, Vcpu *vcpu, unsigned word_bytes, uint64_t operation, uint64_t parameter, uint64_t *ret_result)
{
    Call c = { .host = host, .vcpu = vcpu, .word = word_bytes, .block = parameter };

    pthread_mutex_lock(&semihosting.lock);
    int64_t result = run(&c, operation);
    pthread_mutex_unlock(&semihosting.lock);
    last_error = c.bad ? EFAULT : c.error ? c.error : last_error;
    *ret_result = (uint64_t)(c.bad ? -1 : result);
    return !c.again;
}
