/*
 * elf.c: loads guest programs (ELF, System V ABI gABI 4.1 chapters 4 and 5) and builds the initial stack as Linux
 * does (argv, envp, auxiliary vector).
 *
 * Every number of the file is checked before it is used: a garbage file gives one line. Both word sizes and byte
 * orders are read through ElfReader. Leaves out: flat binaries, FDPIC.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include "linux-user/user.h"

enum { MAX_PHDRS = 512, MAX_ARG_BYTES = 32 * 1024 * 1024 };

typedef struct Segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz, memsz, align;
} Segment;

typedef struct ElfFile {
    int fd;
    const char *path;
    bool is64, big;
    uint16_t type, machine;
    uint32_t e_flags;
    uint64_t entry, phoff;
    Segment *seg;
    unsigned n_seg;
    uint64_t file_bytes;
    unsigned exec_prot;   /* for code, beside what segments say */
} ElfFile;

static uint64_t get(const ElfFile *f, const uint8_t *p, unsigned size)
{
    switch (size) {
    case 2: return f->big ? ldbe16(p) : ldle16(p);
    case 4: return f->big ? ldbe32(p) : ldle32(p);
    default: return f->big ? ldbe64(p) : ldle64(p);
    }
}

static bool read_at(int fd, void *buf, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = pread(fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r <= 0) {
            return false;
        }
        done += (size_t)r;
    }
    return true;
}

const Abi *elf_identify(const uint8_t *h, size_t n)
{
    if (n < 20 || memcmp(h, ELFMAG, SELFMAG)) {
        return NULL;
    }
    ElfFile f = { .big = h[EI_DATA] == ELFDATA2MSB };
    unsigned machine = (unsigned)get(&f, h + 18, 2), type = (unsigned)get(&f, h + 16, 2);
    for (size_t i = 0; abi_list[i]; i++) {
        const Abi *a = abi_list[i];
        if (machine == a->elf_machine && f.big == a->big_endian
            && h[EI_CLASS] == (a->word_bytes == 8 ? ELFCLASS64 : ELFCLASS32)
            && (type == ET_EXEC || type == ET_DYN)) {
            return a;
        }
    }
    return NULL;
}

static const char *machine_name(unsigned machine)
{
    static const struct { uint16_t machine; const char *name; } names[] = {
        { EM_386, "i386" }, { EM_X86_64, "x86-64" }, { EM_ARM, "Arm" }, { EM_AARCH64, "AArch64" },
        { EM_RISCV, "RISC-V" }, { EM_PPC, "PowerPC" }, { EM_PPC64, "PowerPC64" }, { EM_MIPS, "MIPS" },
        { EM_S390, "S/390" }, { EM_SPARC, "SPARC" }, { EM_SPARCV9, "SPARC V9" }, { EM_68K, "m68k" },
        { EM_ALPHA, "Alpha" }, { EM_SH, "SuperH" }, { EM_PARISC, "PA-RISC" }, { 258, "LoongArch" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].machine == machine) {
            return names[i].name;
        }
    }
    return "unknown";
}

/* Header and program headers. f->seg is allocated on success. */
static bool elf_read(ElfFile *f, const Abi *abi, Error **errp)
{
    uint8_t h[64] = { 0 };
    struct stat st;
    if (fstat(f->fd, &st) < 0) {
        error_set_errno(errp, errno, "cannot read '%s'", f->path);
        return false;
    }
    f->file_bytes = (uint64_t)st.st_size;
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_set(errp, "'%s' is no regular file", f->path);
        return false;
    }
    ssize_t n = pread(f->fd, h, sizeof(h), 0);
    if (n < 20 || memcmp(h, ELFMAG, SELFMAG)) {
        error_set(errp, "'%s' is no ELF file", f->path);
        return false;
    }
    f->is64 = h[EI_CLASS] == ELFCLASS64;
    f->big = h[EI_DATA] == ELFDATA2MSB;
    f->type = (uint16_t)get(f, h + 16, 2);
    f->machine = (uint16_t)get(f, h + 18, 2);
    if (f->machine != abi->elf_machine || f->is64 != (abi->word_bytes == 8) || f->big != abi->big_endian) {
        error_set(errp, "'%s' is a %d-bit %s-endian program for %s (ELF machine %u), not for %s", f->path,
                  f->is64 ? 64 : 32, f->big ? "big" : "little", machine_name(f->machine), f->machine,
                  abi->target);
        return false;
    }
    if (f->type != ET_EXEC && f->type != ET_DYN) {
        error_set(errp, "'%s' is an ELF file of type %u, not a program", f->path, f->type);
        return false;
    }
    if ((size_t)n < (f->is64 ? 64u : 52u)) {
        error_set(errp, "'%s' is truncated: the ELF header is incomplete", f->path);
        return false;
    }
    f->entry = f->is64 ? get(f, h + 24, 8) : get(f, h + 24, 4);
    f->phoff = f->is64 ? get(f, h + 32, 8) : get(f, h + 28, 4);
    f->e_flags = (uint32_t)get(f, h + (f->is64 ? 48 : 36), 4);
    unsigned phentsize = (unsigned)get(f, h + (f->is64 ? 54 : 42), 2);
    f->n_seg = (unsigned)get(f, h + (f->is64 ? 56 : 44), 2);
    unsigned want = f->is64 ? 56 : 32;
    if (phentsize != want || !f->n_seg || f->n_seg > MAX_PHDRS) {
        error_set(errp, "'%s' has a bad program header table (%u entries of %u bytes)", f->path, f->n_seg,
                  phentsize);
        return false;
    }
    uint8_t *raw = xmalloc(f->n_seg * want);
    if (f->phoff > (uint64_t)INT64_MAX - f->n_seg * want || !read_at(f->fd, raw, f->n_seg * want, f->phoff)) {
        error_set(errp, "'%s' is truncated: the program header table is incomplete", f->path);
        free(raw);
        return false;
    }
    f->seg = xcalloc(f->n_seg, sizeof(Segment));
    for (unsigned i = 0; i < f->n_seg; i++) {
        const uint8_t *p = raw + i * want;
        Segment *s = &f->seg[i];
        s->type = (uint32_t)get(f, p, 4);
        if (f->is64) {
            s->flags = (uint32_t)get(f, p + 4, 4);
            s->offset = get(f, p + 8, 8);
            s->vaddr = get(f, p + 16, 8);
            s->filesz = get(f, p + 32, 8);
            s->memsz = get(f, p + 40, 8);
            s->align = get(f, p + 48, 8);
        } else {
            s->offset = get(f, p + 4, 4);
            s->vaddr = get(f, p + 8, 4);
            s->filesz = get(f, p + 16, 4);
            s->memsz = get(f, p + 20, 4);
            s->flags = (uint32_t)get(f, p + 24, 4);
            s->align = get(f, p + 28, 4);
        }
    }
    free(raw);
    return true;
}

/* The span of PT_LOAD segments, page aligned. */
static bool elf_span(const ElfFile *f, uint64_t page_bytes, vaddr *ret_lo, vaddr *ret_hi, uint64_t *ret_align,
                     Error **errp)
{
    vaddr lo = UINT64_MAX, hi = 0;
    uint64_t align = page_bytes;
    for (unsigned i = 0; i < f->n_seg; i++) {
        const Segment *s = &f->seg[i];
        if (s->type != PT_LOAD || !s->memsz) {
            continue;
        }
        if (s->vaddr > INT64_MAX || s->memsz > (uint64_t)INT64_MAX - s->vaddr - page_bytes || s->filesz > s->memsz
            || s->offset > (uint64_t)INT64_MAX - s->filesz) {
            error_set(errp, "'%s': program header %u is malformed", f->path, i);
            return false;
        }
        if (s->filesz && (s->vaddr - s->offset) % page_bytes) {
            error_set(errp, "'%s': program header %u is not aligned to pages of %" PRIu64 " bytes", f->path, i,
                      page_bytes);
            return false;
        }
        if (s->filesz && s->offset + s->filesz > f->file_bytes) {
            error_set(errp, "'%s' is truncated: segment %u ends at byte %" PRIu64 " of %" PRIu64, f->path, i,
                      s->offset + s->filesz, f->file_bytes);
            return false;
        }
        lo = MIN(lo, ROUND_DOWN(s->vaddr, page_bytes));
        hi = MAX(hi, ROUND_UP(s->vaddr + s->memsz, page_bytes));
        if (bits_is_pow2(s->align) && s->align <= 1 * GiB) {
            align = MAX(align, s->align);
        }
    }
    if (lo >= hi) {
        error_set(errp, "'%s' has no loadable segments", f->path);
        return false;
    }
    *ret_lo = lo;
    *ret_hi = hi;
    *ret_align = align;
    return true;
}

static int prot_of(uint32_t flags)
{
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/* f->exec_prot by its properties, if any (PT_GNU_PROPERTY: note "GNU", type 5, an array of type, size, padded data). */
static void property_prot(Thread *t, ElfFile *f)
{
    enum { PROPERTY = 0x6474e553, MOST_BYTES = 1024, HEADER_BYTES = 16 };
    uint8_t note[MOST_BYTES];

    for (unsigned i = 0; t->abi->elf_property_prot && i < f->n_seg; i++) {
        const Segment *s = &f->seg[i];
        if (s->type != PROPERTY || s->filesz < HEADER_BYTES || s->filesz > sizeof(note) || !read_at(f->fd, note, s->filesz, s->offset)
            || get(f, note, 4) != 4 || (uint32_t)get(f, note + 8, 4) != 5 || memcmp(note + 12, "GNU", 4)) {
            continue;
        }
        uint64_t end = MIN(s->filesz, HEADER_BYTES + (uint64_t)(uint32_t)get(f, note + 4, 4));
        for (uint64_t at = HEADER_BYTES; at + 8 <= end;) {
            uint32_t size_bytes = (uint32_t)get(f, note + at + 4, 4);
            if (size_bytes > end - at - 8) {
                break;
            }
            f->exec_prot |= t->abi->elf_property_prot(t, (uint32_t)get(f, note + at, 4), note + at + 8, size_bytes);
            at += 8 + ROUND_UP((uint64_t)size_bytes, 8);
        }
    }
}

static bool map_segment(const ElfFile *f, const Segment *s, vaddr bias, Error **errp)
{
    uint64_t page = mm.page_bytes;
    vaddr start = s->vaddr + bias, map_start = ROUND_DOWN(start, page);
    vaddr file_end = start + s->filesz, mem_end = start + s->memsz;
    vaddr anon_start = map_start;
    int prot = prot_of(s->flags) | (s->flags & PF_X ? (int)f->exec_prot : 0);
    int64_t r = 0;
    if (s->filesz) {
        r = mm_mmap(map_start, file_end - map_start, prot, MAP_PRIVATE | MAP_FIXED, f->fd,
                    s->offset - (start - map_start), 0);
        anon_start = ROUND_UP(file_end, page);
        /* The page's tail holds other bytes of the file: zero for .bss, when it may be written at all. */
        if (r >= 0 && s->memsz > s->filesz && (s->flags & PF_W) && anon_start > file_end
            && !clear_guest(file_end, anon_start - file_end)) {
            r = -EFAULT;
        }
    }
    if (r >= 0 && mem_end > anon_start) {
        r = mm_mmap(anon_start, mem_end - anon_start, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, 0);
    }
    if (r < 0) {
        error_set_errno(errp, (int)-r, "cannot map '%s' at %#" PRIx64, f->path, map_start);
        return false;
    }
    return true;
}

/* Maps all of f; returns the bias in *ret_bias. */
static bool map_file(const ElfFile *f, vaddr lo, vaddr hi, uint64_t align, vaddr pie_hint, vaddr *ret_bias,
                     Error **errp)
{
    vaddr bias = 0;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* One reservation first, so that no segment lands on something that is there already. */
    if (f->type == ET_DYN) {
        uint64_t extra = align > mm.page_bytes ? align : 0;
        int64_t r = mm_mmap(pie_hint, hi - lo + extra, PROT_NONE, flags, -1, 0, 0);
        if (r < 0) {
            error_set_errno(errp, (int)-r, "no room for '%s' (%" PRIu64 " bytes)", f->path, hi - lo);
            return false;
        }
        vaddr base = ROUND_UP((vaddr)r, align);
        bias = base - lo;
        if (base > (vaddr)r) {
            mm_munmap((vaddr)r, base - (vaddr)r);
        }
        if (base + (hi - lo) < (vaddr)r + (hi - lo) + extra) {
            mm_munmap(base + (hi - lo), (vaddr)r + extra - base);
        }
    } else {
        int64_t r = mm_mmap(lo, hi - lo, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0, 0);
        if (r < 0) {
            error_set_errno(errp, (int)-r, "cannot map '%s' at its address %#" PRIx64, f->path, lo);
            return false;
        }
    }
    vaddr done = lo + bias;
    for (unsigned i = 0; i < f->n_seg; i++) {
        const Segment *s = &f->seg[i];
        if (s->type == PT_LOAD && s->memsz) {
            if (!map_segment(f, s, bias, errp)) {
                return false;
            }
            /* Holes between segments are not part of the program. */
            vaddr start = ROUND_DOWN(s->vaddr + bias, mm.page_bytes);
            if (start > done) {
                mm_munmap(done, start - done);
            }
            done = MAX(done, ROUND_UP(s->vaddr + bias + s->memsz, mm.page_bytes));
        }
    }
    *ret_bias = bias;
    return true;
}

/* PT_INTERP: looked up under -L first. */
static bool load_interp(Thread *t, const ElfFile *main_file, const Segment *s, ElfImage *ret, Error **errp)
{
    char name[USER_PATH_MAX], under_prefix[USER_PATH_MAX];
    if (s->filesz < 2 || s->filesz > sizeof(name) || !read_at(main_file->fd, name, s->filesz, s->offset)
        || name[s->filesz - 1]) {
        error_set(errp, "'%s' has a malformed interpreter name", main_file->path);
        return false;
    }
    ElfFile f = { .path = path_resolve(name, under_prefix) };
    f.fd = open(f.path, O_RDONLY | O_CLOEXEC);
    if (f.fd < 0) {
        error_set_errno(errp, errno, "cannot open '%s', the interpreter of '%s'", name, main_file->path);
        return false;
    }
    bool ok = false;
    vaddr lo, hi, bias;
    uint64_t align;
    if (elf_read(&f, t->abi, errp) && elf_span(&f, mm.page_bytes, &lo, &hi, &align, errp)) {
        property_prot(t, &f);
        ok = map_file(&f, lo, hi, align, 0, &bias, errp);
    }
    if (ok) {
        ret->interp_base = bias + (f.type == ET_DYN ? lo : 0);
        ret->interp_entry = f.entry + bias;
    }
    free(f.seg);
    close(f.fd);
    return ok;
}

/* -s; otherwise what the limit lets a program's stack grow to. It is reserved, not used: size costs nothing. */
static uint64_t stack_limit_bytes(void)
{
    struct rlimit limit;
    if (user.options.stack_bytes) {
        return user.options.stack_bytes;
    }
    uint64_t most = MIN(mm.task_size / 16, (uint64_t)1 << 30);
    return getrlimit(RLIMIT_STACK, &limit) < 0 ? 8 * MiB : MIN((uint64_t)limit.rlim_cur, most);
}

/* Unmapped below the stack: an overflow is a fault, not a corruption. */
static uint64_t stack_guard_bytes(void)
{
    return 16 * mm.page_bytes;
}

bool elf_load(Thread *t, int fd, const char *path, ElfImage *ret, Error **errp)
{
    const Abi *abi = t->abi;
    ElfFile f = { .fd = fd, .path = path };
    vaddr lo, hi, bias = 0;
    uint64_t align;
    uint64_t page = user.options.page_bytes ? user.options.page_bytes : (uint64_t)1 << user.target->page_bits;
    if (!elf_read(&f, abi, errp)) {
        return false;
    }
    bool ok = elf_span(&f, page, &lo, &hi, &align, errp)
              && mm_init(abi, f.type == ET_EXEC ? lo : UINT64_MAX, f.type == ET_EXEC ? hi : 0, errp);
    if (ok) { /* what is mapped before the stack leaves it room, however large its limit (arch_pick_mmap_layout) */
        uint64_t below_top = ROUND_UP(stack_limit_bytes(), mm.page_bytes) + stack_guard_bytes();
        mm.mmap_top = MIN(mm.mmap_top, mm.stack_top - MIN(below_top, mm.stack_top / 2));
    }
    const Segment *interp = NULL;
    for (unsigned i = 0; i < f.n_seg; i++) {
        if (f.seg[i].type == PT_INTERP && !interp) {
            interp = &f.seg[i];
        }
    }
    if (ok && !interp) { /* else it is the interpreter's business */
        property_prot(t, &f);
    }
    /* A position-independent program without interpreter is most likely the loader itself: out of the way. */
    vaddr hint = interp || lo ? ROUND_DOWN(MIN(abi->pie_base, mm.task_size / 3 * 2), mm.page_bytes) : 0;
    ok = ok && map_file(&f, lo, hi, align, hint, &bias, errp);
    if (ok) {
        *ret = (ElfImage){ .path = path, .load_bias = bias, .entry = f.entry + bias, .start = lo + bias,
                           .end = hi + bias, .brk = hi + bias, .n_phdr = (uint16_t)f.n_seg };
        for (unsigned i = 0; i < f.n_seg; i++) {
            const Segment *s = &f.seg[i];
            if (s->type == PT_LOAD && s->offset <= f.phoff && f.phoff - s->offset < s->filesz) {
                ret->phdr = s->vaddr + bias + (f.phoff - s->offset);
            } else if (s->type == PT_PHDR && !ret->phdr) {
                ret->phdr = s->vaddr + bias;
            } else if (s->type == PT_GNU_STACK) {
                ret->exec_stack = s->flags & PF_X;
            }
        }
        if (interp) {
            ok = load_interp(t, &f, interp, ret, errp);
        }
    }
    free(f.seg);
    if (!ok) {
        return false;
    }
    if (f.type == ET_DYN && !interp && !hint) {
        /* The heap would run into the mappings above: give it the program's usual place. */
        ret->brk = MIN(abi->pie_base, mm.task_size / 3 * 2);
    }
    mm.brk_start = mm.brk = ROUND_UP(ret->brk, mm.page_bytes);
    user.entry = ret->entry;
    user.elf_flags = f.e_flags;
    return true;
}

/* -- the stack ---------------------------------------------------------------------------------------- */

typedef struct StackBuilder {
    vaddr sp;
    bool ok;
} StackBuilder;

static vaddr push_bytes(StackBuilder *b, const void *data, size_t n)
{
    b->sp -= n;
    b->ok = b->ok && copy_to_guest(b->sp, data, n);
    return b->sp;
}

static bool map_vdso(Thread *t)
{
    uint8_t *page = xcalloc(1, mm.page_bytes);
    uint64_t functions[USER_MAX_VDSO] = { 0 };
    size_t n = vdso_build(t->abi, page, mm.page_bytes, functions);
    int64_t at = mm_mmap(0, mm.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, VMA_VDSO);
    bool ok = n && at >= 0 && copy_to_guest((vaddr)at, page, mm.page_bytes)
              && mm_mprotect((vaddr)at, mm.page_bytes, PROT_READ | PROT_EXEC) == 0;
    free(page);
    user.vdso = (vaddr)at;
    for (unsigned i = 0; i < t->abi->n_vdso; i++) {
        user.vdso_function[i] = (vaddr)at + functions[i];
        if (t->abi->vdso[i].is_sigreturn) {
            user.sigreturn = user.vdso_function[i];
        }
    }
    return ok;
}

vaddr elf_build_stack(Thread *t, const ElfImage *image, int argc, char **argv, char **envp, Error **errp)
{
    const Abi *abi = t->abi;
    uint64_t stack_bytes = stack_limit_bytes();
    stack_bytes = ROUND_UP(MAX(stack_bytes, (uint64_t)128 * 1024), mm.page_bytes);
    size_t arg_bytes = 0;
    int envc = 0;
    for (int i = 0; i < argc; i++) {
        arg_bytes += strlen(argv[i]) + 1;
    }
    for (; envp[envc]; envc++) {
        arg_bytes += strlen(envp[envc]) + 1;
    }
    if (arg_bytes > MAX_ARG_BYTES) {
        error_set(errp, "arguments and environment are longer than %d bytes", MAX_ARG_BYTES);
        return 0;
    }
    if (arg_bytes > stack_bytes / 2) {
        stack_bytes += ROUND_UP(arg_bytes * 2, mm.page_bytes);
    }
    int64_t at = mm_mmap(mm.stack_top - stack_bytes - stack_guard_bytes(), stack_bytes + stack_guard_bytes(),
                         PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0,
                         VMA_STACK);
    if (at >= 0) {
        at = mm_mprotect(mm.stack_top - stack_bytes, stack_bytes,
                         PROT_READ | PROT_WRITE | (image->exec_stack ? PROT_EXEC : 0));
    }
    if (at < 0) {
        error_set_errno(errp, (int)-at, "no room for a stack of %" PRIu64 " bytes", stack_bytes);
        return 0;
    }
    mm.mmap_top = MIN(mm.mmap_top, mm.stack_top - stack_bytes - stack_guard_bytes());
    if (abi->n_vdso && !map_vdso(t)) {
        error_set(errp, "no room for the vDSO");
        return 0;
    }

    StackBuilder b = { mm.stack_top - abi->word_bytes, true };
    vaddr *argp = xcalloc((size_t)argc + (size_t)envc + 1, sizeof(vaddr));
    vaddr execfn = push_bytes(&b, image->path, strlen(image->path) + 1);
    user.env_end = b.sp;
    for (int i = envc - 1; i >= 0; i--) {
        argp[argc + i] = push_bytes(&b, envp[i], strlen(envp[i]) + 1);
    }
    user.env_start = user.arg_end = b.sp;
    for (int i = argc - 1; i >= 0; i--) {
        argp[i] = push_bytes(&b, argv[i], strlen(argv[i]) + 1);
    }
    user.arg_start = b.sp;
    b.sp = ROUND_DOWN(b.sp, (vaddr)16);
    uint8_t random[16];
    if (user.options.have_seed) {
        uint64_t x = user.options.seed;
        for (unsigned i = 0; i < 16; i++) { /* splitmix64: reproducible, nothing more */
            x += 0x9e3779b97f4a7c15u;
            uint64_t z = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
            random[i] = (uint8_t)(z >> 27);
        }
    } else if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
        memcpy(random, (const void *)getauxval(AT_RANDOM), sizeof(random));
    }
    vaddr at_random = push_bytes(&b, random, 16);
    const char *platform_name = abi->model_platform ? abi->model_platform(t) : abi->platform;
    vaddr platform = platform_name ? push_bytes(&b, platform_name, strlen(platform_name) + 1) : 0;
    const struct { uint64_t type, value; } aux[] = {
        { AT_HWCAP, abi->hwcap(t) },
        { AT_PAGESZ, mm.page_bytes },
        { AT_CLKTCK, (uint64_t)sysconf(_SC_CLK_TCK) },
        { AT_PHDR, image->phdr },
        { AT_PHENT, abi->word_bytes == 8 ? 56 : 32 },
        { AT_PHNUM, image->n_phdr },
        { AT_BASE, image->interp_base },
        { AT_FLAGS, 0 },
        { AT_ENTRY, image->entry },
        { AT_UID, getuid() },
        { AT_EUID, geteuid() },
        { AT_GID, getgid() },
        { AT_EGID, getegid() },
        { AT_SECURE, getauxval(AT_SECURE) },
        { AT_RANDOM, at_random },
        { AT_HWCAP2, abi->hwcap2 ? abi->hwcap2(t) : 0 },
        { AT_EXECFN, execfn },
        { user.vdso ? AT_SYSINFO_EHDR : AT_IGNORE, user.vdso },
        { 51 /* AT_MINSIGSTKSZ */, abi->min_sigstack(t) },
        { platform ? AT_PLATFORM : AT_IGNORE, platform },
        { abi->vdso_has_syscall ? AT_SYSINFO : AT_IGNORE, user.vdso_function[0] },
        { AT_NULL, 0 },
    };
    size_t words = 1 + (size_t)argc + 1 + (size_t)envc + 1 + 2 * ARRAY_SIZE(aux);
    b.sp = ROUND_DOWN(b.sp - words * abi->word_bytes, (vaddr)16);
    vaddr p = b.sp;
#define PUT(v) (b.ok = b.ok && store_guest_word(abi, p, (v)), p += abi->word_bytes)
    PUT((uint64_t)argc);
    for (int i = 0; i < argc; i++) {
        PUT(argp[i]);
    }
    PUT(0);
    for (int i = 0; i < envc; i++) {
        PUT(argp[argc + i]);
    }
    PUT(0);
    user.auxv = p;
    for (size_t i = 0; i < ARRAY_SIZE(aux); i++) {
        PUT(aux[i].type);
        PUT(aux[i].value);
    }
    user.auxv_end = p;
#undef PUT
    free(argp);
    user.stack_start = b.sp;
    if (!b.ok) {
        error_set(errp, "the arguments do not fit on the stack of %" PRIu64 " bytes", stack_bytes);
        return 0;
    }
    return b.sp;
}
