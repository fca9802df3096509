/*
 * coredump.c: an ELF core file of the guest program (gABI; notes as in linux/elfcore.h).
 *
 * Written to qemu_NAME_YYYYMMDD-HHMMSS_PID.core in the current directory, like the reference does, within RLIMIT_CORE.
 * Holds registers of every thread, the auxiliary vector and all readable private or anonymous memory.
 * Leaves out: floating-point registers, shared file mappings. Other threads run on while it is written.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "linux-user/user.h"

typedef struct Out {
    int fd;
    uint64_t at, limit;
    bool ok;
} Out;

static void put(Out *o, const void *data, size_t n)
{
    if (!o->ok || n > o->limit - MIN(o->limit, o->at)) {
        o->ok = false;
        return;
    }
    const char *p = data;
    while (n) {
        ssize_t w = write(o->fd, p, n);
        if (w <= 0) {
            o->ok = false;
            return;
        }
        p += w;
        n -= (size_t)w;
        o->at += (uint64_t)w;
    }
}

static void pad_to(Out *o, uint64_t offset)
{
    static const char zeros[4096];
    while (o->ok && o->at < offset) {
        put(o, zeros, MIN(offset - o->at, sizeof(zeros)));
    }
}

typedef VEC(uint8_t) Bytes;

static void add(Bytes *b, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *vec_push(b) = ((const uint8_t *)data)[i];
    }
}

static void add_int(Bytes *b, const Abi *abi, uint64_t v, unsigned n)
{
    uint8_t raw[8] = { 0 };
    for (unsigned i = 0; i < n; i++) {
        raw[i] = (uint8_t)(v >> 8 * (abi->big_endian ? n - 1 - i : i));
    }
    add(b, raw, n);
}

/* name: at most 7 characters. */
static void note(Bytes *b, const Abi *abi, const char *name, uint32_t type, const void *data, size_t n)
{
    char padded[8] = "";
    memcpy(padded, name, strlen(name));
    add_int(b, abi, strlen(name) + 1, 4);
    add_int(b, abi, n, 4);
    add_int(b, abi, type, 4);
    add(b, padded, ROUND_UP(strlen(name) + 1, 4));
    add(b, data, n);
    while (b->n % 4) {
        *vec_push(b) = 0;
    }
}

/* struct elf_prstatus: signal numbers, masks and ids, four times (times in words), registers, fpvalid. */
static void note_thread(Bytes *b, Thread *t, int sig)
{
    const Abi *abi = t->abi;
    unsigned w = abi->word_bytes;
    Bytes s = { 0 };
    uint8_t regs[1024] = { 0 };
    add_int(&s, abi, (uint64_t)sig, 4);
    add_int(&s, abi, 0, 8);
    add_int(&s, abi, (uint64_t)sig, 2);
    add_int(&s, abi, 0, 2);
    add_int(&s, abi, 0, w);
    add_int(&s, abi, t->sigmask, w);
    add_int(&s, abi, (uint64_t)t->tid, 4);
    add_int(&s, abi, (uint64_t)getppid(), 4);
    add_int(&s, abi, (uint64_t)getpgrp(), 4);
    add_int(&s, abi, (uint64_t)getsid(0), 4);
    for (int i = 0; i < 8; i++) {
        add_int(&s, abi, 0, w);
    }
    abi->core_regs(t, regs);
    add(&s, regs, abi->core_regs_bytes);
    add_int(&s, abi, 0, 4);
    while (s.n % w) {
        *vec_push(&s) = 0;
    }
    note(b, abi, "CORE", NT_PRSTATUS, s.at, s.n);
    vec_free(&s);
    for (const CoreNote *n = abi->core_notes; n && n->name; n++) {
        memset(regs, 0, n->bytes);
        n->fill(t, regs);
        note(b, abi, n->name, n->type, regs, n->bytes);
    }
}

static bool wanted(const Vma *v)
{
    return (v->prot & PAGE_READ) && !((v->flags & VMA_SHARED) && (v->flags & VMA_FILE));
}

void core_dump(Thread *t, int sig)
{
    const Abi *abi = t->abi;
    char name[512];
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    const char *base = strrchr(user.exe_path, '/');
    snprintf(name, sizeof(name), "qemu_%.200s_%04d%02d%02d-%02d%02d%02d_%d.core", base ? base + 1 : user.exe_path,
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
    t->checked_tags = false; /* it is read whatever its tags are */
    struct rlimit rl = { .rlim_cur = 0 };
    getrlimit(RLIMIT_CORE, &rl);
    Out o = { .fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), .limit = rl.rlim_cur,
              .ok = true };
    if (o.fd < 0) {
        return;
    }
    Bytes notes = { 0 };
    note_thread(&notes, t, sig); /* the thread at fault comes first */
    thread_list_lock();
    for (Thread *other = thread_list_first(); other; other = other->next) {
        if (other != t) {
            note_thread(&notes, other, sig);
        }
    }
    thread_list_unlock();
    uint8_t aux[1024];
    size_t aux_bytes = MIN(user.auxv_end - user.auxv, sizeof(aux));
    if (copy_from_guest(aux, user.auxv, aux_bytes)) {
        note(&notes, abi, "CORE", NT_AUXV, aux, aux_bytes);
    }

    size_t n_vmas, n_load = 0;
    Vma *vmas = mm_snapshot(&n_vmas);
    for (size_t i = 0; i < n_vmas; i++) {
        n_load += wanted(&vmas[i]);
    }
    n_load = MIN(n_load, 60000u);
    bool is64 = abi->word_bytes == 8;
    unsigned w = abi->word_bytes, eh = is64 ? 64 : 52, ph = is64 ? 56 : 32;
    Bytes h = { 0 };
    const uint8_t ident[16] = { 0x7f, 'E', 'L', 'F', is64 ? ELFCLASS64 : ELFCLASS32,
                                abi->big_endian ? ELFDATA2MSB : ELFDATA2LSB, EV_CURRENT };
    add(&h, ident, sizeof(ident));
    add_int(&h, abi, ET_CORE, 2);
    add_int(&h, abi, abi->elf_machine, 2);
    add_int(&h, abi, EV_CURRENT, 4);
    add_int(&h, abi, 0, w);
    add_int(&h, abi, eh, w);
    add_int(&h, abi, 0, w);
    add_int(&h, abi, 0, 4);
    add_int(&h, abi, eh, 2);
    add_int(&h, abi, ph, 2);
    add_int(&h, abi, n_load + 1, 2);
    add_int(&h, abi, 0, 6);
    uint64_t notes_at = eh + ph * (n_load + 1), at = ROUND_UP(notes_at + notes.n, mm.page_bytes), data_at = at;
    for (size_t i = 0, k = 0; k <= n_load; i++) {
        bool is_note = k == 0;
        if (!is_note && !wanted(&vmas[i - 1])) {
            continue;
        }
        const Vma none = { 0 }, *v = is_note ? &none : &vmas[i - 1];
        uint64_t offset = is_note ? notes_at : at, size = is_note ? notes.n : v->end - v->start;
        uint32_t flags = (v->prot & PAGE_READ ? PF_R : 0) | (v->prot & PAGE_WRITE ? PF_W : 0)
                         | (v->prot & PAGE_EXEC ? PF_X : 0);
        add_int(&h, abi, is_note ? PT_NOTE : PT_LOAD, 4);
        if (is64) {
            add_int(&h, abi, flags, 4);
        }
        add_int(&h, abi, offset, w);
        add_int(&h, abi, v->start, w);
        add_int(&h, abi, 0, w);
        add_int(&h, abi, size, w);
        add_int(&h, abi, is_note ? 0 : size, w);
        if (!is64) {
            add_int(&h, abi, flags, 4);
        }
        add_int(&h, abi, is_note ? 4 : mm.page_bytes, w);
        at += is_note ? 0 : size;
        k++;
    }
    put(&o, h.at, h.n);
    put(&o, notes.at, notes.n);
    pad_to(&o, data_at);
    uint8_t *page = xmalloc(mm.page_bytes);
    size_t written = 0;
    for (size_t i = 0; i < n_vmas && written < n_load && o.ok; i++) {
        if (!wanted(&vmas[i])) {
            continue;
        }
        written++;
        for (vaddr p = vmas[i].start; p < vmas[i].end && o.ok; p += mm.page_bytes) {
            bool zero = !copy_from_guest(page, p, mm.page_bytes)
                        || (page[0] == 0 && !memcmp(page, page + 1, mm.page_bytes - 1));
            if (zero && o.at + mm.page_bytes <= o.limit && lseek(o.fd, (off_t)mm.page_bytes, SEEK_CUR) >= 0) {
                o.at += mm.page_bytes; /* a hole */
            } else {
                put(&o, page, mm.page_bytes);
            }
        }
    }
    if (ftruncate(o.fd, (off_t)o.at) < 0) {
        o.ok = false;
    }
    free(page);
    free(vmas);
    vec_free(&h);
    vec_free(&notes);
    close(o.fd);
}
