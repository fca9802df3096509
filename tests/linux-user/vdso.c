/*
 * The vDSO: a loadable object of the program's own kind, found by AT_SYSINFO_EHDR and by dlsym-like look-up of its
 * versioned symbols; its functions give what the system calls give.
 */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *base;
static const ElfW(Dyn) *dyn;

static const void *entry(ElfW(Sxword) tag)
{
    for (const ElfW(Dyn) *d = dyn; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == tag) {
            return base + d->d_un.d_ptr;
        }
    }
    return NULL;
}

static unsigned hash(const char *name)
{
    unsigned h = 0;
    for (; *name; name++) {
        h = (h << 4) + (unsigned char)*name;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    return h;
}

/* The symbol by name; its version must have the name, too. */
static const void *find(const char *name, const char *version)
{
    const ElfW(Sym) *sym = entry(DT_SYMTAB);
    const char *str = entry(DT_STRTAB);
    const Elf32_Word *h = entry(DT_HASH);
    const ElfW(Half) *versym = entry(DT_VERSYM);
    const ElfW(Verdef) *vd = entry(DT_VERDEF);
    if (!h) {
        return NULL; /* a host with DT_GNU_HASH only: the caller skips */
    }
    for (Elf32_Word i = h[2 + hash(name) % h[0]]; i; i = h[2 + h[0] + i]) {
        if (strcmp(str + sym[i].st_name, name) || sym[i].st_shndx == SHN_UNDEF) {
            continue;
        }
        for (const ElfW(Verdef) *v = vd;; v = (const void *)((const char *)v + v->vd_next)) {
            if ((v->vd_ndx & 0x7fff) == (versym[i] & 0x7fff)) {
                const ElfW(Verdaux) *aux = (const void *)((const char *)v + v->vd_aux);
                if (!strcmp(str + aux->vda_name, version) && v->vd_hash == hash(version)) {
                    return base + sym[i].st_value;
                }
            }
            if (!v->vd_next) {
                break;
            }
        }
    }
    return NULL;
}

static int in_maps(void)
{
    char line[512];
    int found = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == (unsigned long)base && strstr(line, "[vdso]")) {
            found = strstr(line, " r-xp ") != NULL;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

#ifdef __aarch64__
static int getcpu_call(unsigned *cpu, unsigned *node)
{
    return (int)syscall(SYS_getcpu, cpu, node, NULL);
}
#endif

int main(void)
{
    base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!base) {
        puts("no vDSO");
        return 1;
    }
    const ElfW(Ehdr) *eh = (const void *)base;
    printf("magic %d type %d in maps %d\n", !memcmp(eh->e_ident, ELFMAG, SELFMAG), eh->e_type, in_maps());
    const ElfW(Phdr) *ph = (const void *)(base + eh->e_phoff);
    for (int i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_DYNAMIC) {
            dyn = (const void *)(base + ph[i].p_vaddr);
        }
    }
#ifdef __riscv
    const char *version = "LINUX_4.15";
    static const char *const more[] = { "__vdso_rt_sigreturn", "__vdso_flush_icache", "__vdso_riscv_hwprobe" };
    for (int i = 0; i < 3; i++) {
        if (!find(more[i], version)) {
            printf("no %s\n", more[i]);
            return 1;
        }
    }
    int (*flush)(void *, void *, unsigned long) = find("__vdso_flush_icache", version);
    struct { long key; unsigned long value; } probe[2] = { { 3, 0 }, { -5, 1 } };
    long (*hwprobe)(void *, size_t, size_t, unsigned long *, unsigned) = find("__vdso_riscv_hwprobe", version);
    if (flush(NULL, NULL, 0) || hwprobe(probe, 2, 0, NULL, 0) || !(probe[0].value & 1) || probe[1].key != -1) {
        puts("wrong results");
        return 1;
    }
#elif defined(__aarch64__)
    const char *version = "LINUX_2.6.39";
    static const char *const more[] = { "__kernel_rt_sigreturn", "__kernel_gettimeofday", "__kernel_clock_getres" };
    for (int i = 0; i < 3; i++) {
        if (!find(more[i], version)) {
            printf("no %s\n", more[i]);
            return 1;
        }
    }
#else
    const char *version = "LINUX_2.6";
    if (!entry(DT_HASH)) {
        puts("skip: the host's vDSO has no DT_HASH");
        return 77;
    }
#endif
#ifdef __aarch64__ /* no function for the processor's number */
    int (*gettime)(clockid_t, struct timespec *) = find("__kernel_clock_gettime", version);
    int (*getcpu)(unsigned *, unsigned *) = getcpu_call;
    if (!gettime || find("__kernel_nothing", version) || find("__kernel_clock_gettime", "LINUX_0")) {
#else
    int (*gettime)(clockid_t, struct timespec *) = find("__vdso_clock_gettime", version);
    int (*getcpu)(unsigned *, unsigned *) = find("__vdso_getcpu", version);
    if (!gettime || !getcpu || find("__vdso_nothing", version) || find("__vdso_getcpu", "LINUX_0")) {
#endif
        puts("look-up");
        return 1;
    }
    struct timespec a, b, c;
    unsigned cpu = 0xffffff;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a);
    int r = gettime(CLOCK_MONOTONIC, &b);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
    long long na = a.tv_sec * 1000000000LL + a.tv_nsec, nb = b.tv_sec * 1000000000LL + b.tv_nsec,
              nc = c.tv_sec * 1000000000LL + c.tv_nsec;
    int got = getcpu(&cpu, NULL);
    printf("clock %d, between %d, cpu %d %d\n", r, na <= nb && nb <= nc, got, cpu < 65536);
    return 0;
}
