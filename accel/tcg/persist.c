/*
 * persist.c: translations kept for later processes, user mode.
 *
 * One file per guest program and kind of translation: the name is a hash of the program's beginning, our own build id,
 * the host's features and the configuration. It holds a header, an index (open addressing, record offsets) and records. A
 * record is a unit: where it belongs, the guest bytes it was made from, links, snapshots, code. It is used when the very same
 * bytes stand at that address now, so neither a changed file nor another library at the same place can do harm; a
 * checksum per record and bounds tell damage apart. The guest bytes are copied when the unit is made: later the
 * guest may have changed them under a unit that stays good until its next fence.i.
 *
 * The file is read through a private mapping and replaced as a whole (rename) when a process ends, or executes
 * another program, and has translated enough that the file lacks. Of two processes that save at once one wins.
 *
 * Trust: the code is run as ours, so the directory and the file must belong to us and be writable by nobody else; a
 * process with more privilege than its user (AT_SECURE) keeps nothing and uses nothing.
 *
 * Leaves out: units of pages that are written or shared, single steps, everything under gdb and code logs.
 * Threads: see accel/tcg-persist.h; persist_find() and persist_note() any.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <dirent.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>
#include "accel/tcg-persist.h"
#include "internal.h"
#include "util/alloc.h"

enum {
    FORMAT_VERSION = 1,
    MIN_NEW_UNITS = 16,              /* fewer are not worth writing */
    GROWTH_SHARE = 16,               /* nor is less than this part of what is there */
    MAX_FILE_BYTES = 48 << 20,
    MAX_DIR_BYTES = 512 << 20,       /* of all files, and no more than a part of the file system; the oldest go */
    FILE_SYSTEM_SHARE = 8,
    FRESH_SECONDS = 600,             /* a file that is used counts as new again after this long */
    TMPFS_MAGIC_NUMBER = 0x01021994, /* statfs(2) */
    RECORD_ALIGN = 8,
    BASE_USED = 1 << 31,             /* in a record's flags: guest addresses are not host addresses */
};

typedef struct FileHeader {
    char magic[8];
    uint64_t key[2];
    uint32_t n_units, n_buckets;     /* a power of two; the index follows */
    uint64_t n_bytes;                /* of the file */
} FileHeader;

typedef struct Record {
    uint64_t sum;                    /* of everything after it */
    uint64_t pc, mode;
    uint32_t flags, n_bytes;         /* the record's, a multiple of RECORD_ALIGN */
    uint32_t first[2], last[2];
    uint32_t n_links, n_snapshot_bytes, n_code_bytes, n_guest_bytes;
    uint16_t n_guest_insns, n_pages;
    uint32_t reserved;
    /* links (HostLink), guest bytes, snapshots, code */
} Record;

static const char magic[8] = { 'T', 'C', 'G', 'k', 'e', 'p', 't', FORMAT_VERSION };

bool persist_enabled;

static struct {
    char *dir;
    char name[40];
    uint64_t key[2];
    const FileHeader *file;          /* NULL: none yet */
    _Atomic uint32_t new_units;      /* made by this process since its start or fork */
    _Atomic uint64_t new_bytes;
} persist;

/* ---- hashes ---- */

static inline uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

static uint64_t hash_bytes(uint64_t seed, const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t h = mix(seed ^ n);
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = mix(h ^ word);
    }
    uint64_t rest = 0;
    memcpy(&rest, p, n);
    return mix(mix(h ^ rest));
}

static uint32_t record_hash(vaddr pc, uint64_t mode, uint32_t flags)
{
    uint64_t h = mix(mix(pc) ^ mix(mode + flags));
    return (uint32_t)(h ^ h >> 32);
}

static uint64_t record_sum(const Record *r)
{
    return hash_bytes(1, (const uint8_t *)r + sizeof(r->sum), r->n_bytes - sizeof(r->sum));
}

static uint32_t record_flags(const Vcpu *vcpu, uint32_t flags)
{
    return flags | (vcpu->jit.guest_base ? (uint32_t)BASE_USED : 0);
}

/* ---- what the name stands for ---- */

static int add_build_id(struct dl_phdr_info *info, size_t size, void *opaque)
{
    uint64_t *key = opaque;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const uint8_t *p = (const uint8_t *)(info->dlpi_addr + ph->p_vaddr), *end = p + ph->p_memsz;
        while (ph->p_type == PT_NOTE && (size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)p;
            size_t bytes = sizeof(*note) + ROUND_UP(note->n_namesz, 4) + ROUND_UP(note->n_descsz, 4);
            if (note->n_type == NT_GNU_BUILD_ID && bytes <= (size_t)(end - p)) {
                key[0] = hash_bytes(key[0], note, bytes);
                key[1] = hash_bytes(key[1], note, bytes);
                return 1;
            }
            p += bytes;
        }
    }
    return -1; /* only the program itself, which comes first, is asked */
}

static bool make_key(int exe_fd, const char *config)
{
    uint8_t head[4096];
    struct stat st;
    ssize_t n = pread(exe_fd, head, sizeof(head), 0);
    if (n <= 0 || fstat(exe_fd, &st) < 0) {
        return false;
    }
    char *text = xasprintf("%s|%s|%s|%u|%zu", config, tcg.host->name, tcg.host->features(), tcg.max_insns, (size_t)st.st_size);
    for (unsigned k = 0; k < 2; k++) {
        persist.key[k] = hash_bytes(hash_bytes(k, text, strlen(text)), head, (size_t)n);
    }
    free(text);
    if (dl_iterate_phdr(add_build_id, persist.key) != 1) {
        return false; /* cannot tell one build from the next */
    }
    snprintf(persist.name, sizeof(persist.name), "%016" PRIx64 "%016" PRIx64, persist.key[0], persist.key[1]);
    return true;
}

/* ---- the place ---- */

static bool is_private(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & 022);
}

static bool is_tmpfs(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC_NUMBER;
}

/* A directory of our own in memory; NULL: none. */
static char *automatic_dir(void)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    char *dir = NULL;
    if (run && run[0] == '/' && is_tmpfs(run)) {
        dir = xasprintf("%s/emu-translations", run);
    } else if (is_tmpfs("/dev/shm")) {
        dir = xasprintf("/dev/shm/emu-translations-%u", (unsigned)geteuid());
    } else {
        return NULL;
    }
    struct stat st;
    if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || !is_private(&st)) {
        free(dir);
        return NULL;
    }
    return dir;
}

static bool choose_dir(const char *where, Error **errp)
{
    if (!where || !strcmp(where, "auto")) {
        persist.dir = automatic_dir();
        return true;
    }
    struct stat st;
    if (where[0] != '/') {
        error_set(errp, "'%s' is not off, auto or an absolute path", where);
        return false;
    }
    if (stat(where, &st) < 0) {
        error_set_errno(errp, errno, "cannot keep translations in '%s'", where);
        return false;
    }
    if (!S_ISDIR(st.st_mode) || !is_private(&st)) {
        error_set(errp, "cannot keep translations in '%s': not a directory that belongs to the user and is writable by nobody else",
                  where);
        return false;
    }
    persist.dir = xstrdup(where);
    return true;
}

static const uint32_t *file_index(const FileHeader *file)
{
    return (const uint32_t *)(const void *)(file + 1);
}

static uint64_t records_offset(uint32_t n_buckets)
{
    return ROUND_UP(sizeof(FileHeader) + (uint64_t)n_buckets * sizeof(uint32_t), RECORD_ALIGN);
}

static bool header_good(const FileHeader *h, uint64_t n_bytes)
{
    return !memcmp(h->magic, magic, sizeof(magic)) && !memcmp(h->key, persist.key, sizeof(h->key)) && h->n_bytes == n_bytes
           && h->n_buckets && !(h->n_buckets & (h->n_buckets - 1)) && h->n_units < h->n_buckets
           && records_offset(h->n_buckets) <= n_bytes;
}

static void map_file(void)
{
    char *path = xasprintf("%s/%s", persist.dir, persist.name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    struct stat st;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_private(&st) && st.st_size >= (off_t)sizeof(FileHeader)
        && st.st_size <= MAX_FILE_BYTES) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | (st.st_size < (1 << 20) ? MAP_POPULATE : 0), fd, 0);
        if (map != MAP_FAILED && header_good(map, (uint64_t)st.st_size)) {
            persist.file = map;
            if (st.st_mtim.tv_sec + FRESH_SECONDS < time(NULL)) {
                futimens(fd, NULL);
            }
        } else if (map != MAP_FAILED) {
            munmap(map, (size_t)st.st_size);
        }
    }
    close(fd);
}

bool tcg_persist_open(const char *where, int exe_fd, const char *config, Error **errp)
{
    bool off = where && !strcmp(where, "off");
    if (off || !tcg.host || tcg.options.verify || tcg.options.one_insn_per_tb || tcg.options.nochain || getauxval(AT_SECURE)
        || log_enabled(LOG_IN_ASM | LOG_OP | LOG_OP_OPT | LOG_OUT_ASM | LOG_EXEC | LOG_CPU | LOG_NOCHAIN)) {
        return true;
    }
    if (!choose_dir(where, errp)) {
        return false;
    }
    if (persist.dir && make_key(exe_fd, config)) {
        map_file();
        persist_enabled = true;
    }
    return true;
}

/* ---- finding ---- */

/* The record at an offset of the index, if it lies inside the file and is whole. */
static const Record *record_at(uint32_t offset)
{
    const FileHeader *file = persist.file;
    if (offset < records_offset(file->n_buckets) || offset % RECORD_ALIGN || offset + sizeof(Record) > file->n_bytes) {
        return NULL;
    }
    const Record *r = (const Record *)(const void *)((const uint8_t *)file + offset);
    return r->n_bytes >= sizeof(Record) && r->n_bytes % RECORD_ALIGN == 0 && r->n_bytes <= file->n_bytes - offset ? r : NULL;
}

static bool record_unpack(const Record *r, PersistedUnit *ret)
{
    if (r->n_pages < 1 || r->n_pages > 2 || record_sum(r) != r->sum) {
        return false;
    }
    uint64_t guest_bytes = 0;
    for (unsigned k = 0; k < r->n_pages; k++) {
        if (r->first[k] > r->last[k] || r->last[k] >= TCG_PAGE_BYTES) {
            return false;
        }
        guest_bytes += r->last[k] - r->first[k] + 1;
    }
    uint64_t need = sizeof(*r) + (uint64_t)r->n_links * sizeof(HostLink) + guest_bytes + r->n_snapshot_bytes + r->n_code_bytes;
    if (need > r->n_bytes) {
        return false;
    }
    const HostLink *links = (const HostLink *)(const void *)(r + 1);
    const uint8_t *p = (const uint8_t *)(links + r->n_links);
    *ret = (PersistedUnit){
        .first = { r->first[0], r->first[1] }, .last = { r->last[0], r->last[1] }, .n_pages = r->n_pages,
        .n_guest_insns = r->n_guest_insns, .n_guest_bytes = r->n_guest_bytes, .guest_bytes = p,
        .host_bytes = p + guest_bytes + r->n_snapshot_bytes,
        .code = { .size_bytes = r->n_code_bytes, .links = links, .n_links = r->n_links,
                  .snapshots = p + guest_bytes, .n_snapshot_bytes = r->n_snapshot_bytes },
    };
    if (r->n_pages == 1) {
        ret->first[1] = UINT32_MAX; /* as of a page that was not used */
        ret->last[1] = 0;
    }
    return true;
}

bool persist_find(const Vcpu *vcpu, vaddr pc, uint64_t mode, uint32_t flags, uint32_t *cursor, PersistedUnit *ret)
{
    const FileHeader *file = persist.file;
    if (!file) {
        return false;
    }
    flags = record_flags(vcpu, flags);
    const uint32_t *index = file_index(file);
    uint32_t hash = record_hash(pc, mode, flags), mask = file->n_buckets - 1;
    while (*cursor <= mask) {
        uint32_t offset = index[(hash + (*cursor)++) & mask];
        const Record *r = offset ? record_at(offset) : NULL;
        if (!r) {
            break;
        }
        if (r->pc == pc && r->mode == mode && r->flags == flags && record_unpack(r, ret)) {
            return true;
        }
    }
    return false;
}

void persist_note(const TransUnit *unit)
{
    if (persist_enabled && unit->from == UNIT_TRANSLATED) {
        atomic_fetch_add_explicit(&persist.new_units, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&persist.new_bytes, unit->code_bytes, memory_order_relaxed);
    }
}

/* The parent saves what it made; a child counts its own. */
void persist_forked(void)
{
    atomic_store(&persist.new_units, 0);
    atomic_store(&persist.new_bytes, 0);
}

/* ---- saving ---- */

typedef struct Image {
    const Vcpu *vcpu;
    VEC(uint8_t) records;
    VEC(uint32_t) offsets;           /* of records in `records` */
} Image;

static void put(Image *image, const void *data, size_t n)
{
    while (image->records.cap - image->records.n < n) {
        image->records.at = vec_grow(image->records.at, &image->records.cap, 1);
    }
    if (n) {
        memcpy(image->records.at + image->records.n, data, n);
        image->records.n += n;
    }
}

static void put_unit(const TransUnit *unit, void *opaque)
{
    Image *image = opaque;
    if (unit->from != UNIT_TRANSLATED || atomic_load(&unit->invalid) || unit->flags & ~(uint32_t)(UNIT_PARALLEL | UNIT_GUARDED)
        || !unit->guest_bytes || image->records.n > MAX_FILE_BYTES * 3 / 4) {
        return;
    }
    size_t start = image->records.n;
    Record r = {
        .pc = unit->pc, .mode = unit->mode, .flags = record_flags(image->vcpu, unit->flags), .n_links = unit->n_links,
        .n_snapshot_bytes = unit->n_snapshot_bytes, .n_code_bytes = unit->code_bytes, .n_guest_bytes = unit->n_guest_bytes,
        .n_guest_insns = unit->n_guest_insns, .n_pages = unit->n_pages,
    };
    for (unsigned k = 0; k < unit->n_pages; k++) {
        r.first[k] = unit->first[k];
        r.last[k] = unit->last[k];
    }
    size_t n_guest_bytes = 0;
    for (unsigned k = 0; k < unit->n_pages; k++) {
        n_guest_bytes += unit->last[k] - unit->first[k] + 1;
    }
    put(image, &r, sizeof(r));
    for (uint32_t i = 0; i < unit->n_links; i++) {
        put(image, &(HostLink){ .patch = unit->links[i].patch, .stub = unit->links[i].stub }, sizeof(HostLink));
    }
    put(image, unit->guest_bytes, n_guest_bytes);
    put(image, unit->snapshots, unit->n_snapshot_bytes);
    size_t code = image->records.n;
    put(image, unit->code, unit->code_bytes);
    for (uint32_t i = 0; i < unit->n_links; i++) {
        /* Unlinked: to the stub. */
        int32_t distance = (int32_t)(unit->links[i].stub - (unit->links[i].patch + 4));
        memcpy(image->records.at + code + unit->links[i].patch, &distance, sizeof(distance));
    }
    while (image->records.n % RECORD_ALIGN) {
        *vec_push(&image->records) = 0;
    }
    Record *at = (Record *)(void *)(image->records.at + start);
    at->n_bytes = (uint32_t)(image->records.n - start);
    at->sum = record_sum(at);
    *vec_push(&image->offsets) = (uint32_t)start;
}

/* What the file has already, whole records only. */
static void put_old(Image *image)
{
    const FileHeader *file = persist.file;
    for (uint32_t i = 0; file && i < file->n_buckets; i++) {
        uint32_t offset = file_index(file)[i];
        const Record *r = offset ? record_at(offset) : NULL;
        if (r && record_sum(r) == r->sum) {
            *vec_push(&image->offsets) = (uint32_t)image->records.n;
            put(image, r, r->n_bytes);
        }
    }
}

static bool write_all(int fd, const void *data, size_t n)
{
    for (const uint8_t *p = data; n;) {
        ssize_t done = write(fd, p, n);
        if (done <= 0 && errno != EINTR) {
            return false;
        }
        p += MAX(done, 0);
        n -= (size_t)MAX(done, 0);
    }
    return true;
}

static bool write_image(int fd, const Image *image)
{
    FileHeader h = { .n_units = (uint32_t)image->offsets.n, .n_buckets = 64 };
    memcpy(h.magic, magic, sizeof(magic));
    memcpy(h.key, persist.key, sizeof(h.key));
    while (h.n_buckets < 2 * h.n_units) {
        h.n_buckets *= 2;
    }
    uint64_t start = records_offset(h.n_buckets);
    h.n_bytes = start + image->records.n;
    size_t head_bytes = start;
    uint8_t *head = xcalloc(1, head_bytes);
    memcpy(head, &h, sizeof(h));
    uint32_t *index = (uint32_t *)(void *)(head + sizeof(h));
    for (size_t i = 0; i < image->offsets.n; i++) {
        const Record *r = (const Record *)(const void *)(image->records.at + image->offsets.at[i]);
        uint32_t at = record_hash(r->pc, r->mode, r->flags);
        while (index[at & (h.n_buckets - 1)]) {
            at++;
        }
        index[at & (h.n_buckets - 1)] = (uint32_t)(start + image->offsets.at[i]);
    }
    bool ok = h.n_bytes <= MAX_FILE_BYTES && write_all(fd, head, head_bytes) && write_all(fd, image->records.at, image->records.n);
    free(head);
    return ok;
}

/* Until all files together are within bounds, the oldest goes. */
static void trim_dir(int dir_fd)
{
    struct statfs fs;
    if (fstatfs(dir_fd, &fs) < 0) {
        return;
    }
    uint64_t limit = MIN((uint64_t)MAX_DIR_BYTES, (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / FILE_SYSTEM_SHARE);
    for (;;) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
            if (fd >= 0) {
                close(fd);
            }
            return;
        }
        uint64_t total = 0;
        char oldest[sizeof(persist.name) + 24] = "";
        struct timespec when = { 0 };
        for (struct dirent *e; (e = readdir(dir));) {
            struct stat st;
            if (strlen(e->d_name) >= sizeof(oldest) || fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0
                || !S_ISREG(st.st_mode)) {
                continue;
            }
            total += (uint64_t)st.st_size;
            if (!oldest[0] || st.st_mtim.tv_sec < when.tv_sec
                || (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
                when = st.st_mtim;
                snprintf(oldest, sizeof(oldest), "%s", e->d_name);
            }
        }
        closedir(dir);
        if (total <= limit || !oldest[0] || unlinkat(dir_fd, oldest, 0) < 0) {
            return;
        }
    }
}

static void replace_file(const Image *image)
{
    int dir_fd = open(persist.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return;
    }
    char temp[sizeof(persist.name) + 24];
    snprintf(temp, sizeof(temp), "%s.%d", persist.name, (int)getpid());
    int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        bool ok = write_image(fd, image);
        ok = close(fd) == 0 && ok;
        if (!ok || renameat(dir_fd, temp, dir_fd, persist.name) < 0) {
            unlinkat(dir_fd, temp, 0);
        } else {
            trim_dir(dir_fd);
        }
    }
    close(dir_fd);
}

void tcg_persist_save(const Vcpu *vcpu)
{
    uint64_t have = persist.file ? persist.file->n_bytes : 0;
    if (!persist_enabled || atomic_load(&persist.new_units) < MIN_NEW_UNITS
        || atomic_load(&persist.new_bytes) * GROWTH_SHARE < have) {
        return;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY) {
        return; /* a write too many would be a signal */
    }
    persist_forked(); /* once */
    Image image = { .vcpu = vcpu };
    tcg_guard_enter();
    put_old(&image);
    code_for_each_unit(put_unit, &image);
    tcg_guard_leave();
    replace_file(&image);
    vec_free(&image.records);
    vec_free(&image.offsets);
}
