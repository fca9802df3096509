/*
 * loader.c: opening, unpacking and placing images. See loader.h.
 * ELF: System V ABI, chapters 4 and 5; gzip: RFC 1952 by way of zlib.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "hw/loader.h"
#include "util/bits.h"

static bool image_gunzip(Image *image, const char *what, const char *path, uint64_t max_bytes,
                         Error **errp)
{
    z_stream z = { .next_in = image->data,
                   .avail_in = (uInt)MIN(image->len, UINT32_MAX) };
    uint64_t cap = MIN(MAX(image->len * 4, 1 * MiB), max_bytes), len = 0;
    uint8_t *out = NULL;
    int status;

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        error_set(errp, "cannot unpack %s '%s'", what, path);
        return false;
    }
    do {
        if (len == cap && cap == max_bytes) {
            break;
        }
        cap = out ? MIN(cap * 2, max_bytes) : cap;
        out = xrealloc(out, cap);
        while (len < cap) {
            uInt room = (uInt)MIN(cap - len, 1u << 30);
            z.next_out = out + len;
            z.avail_out = room;
            status = inflate(&z, Z_NO_FLUSH);
            len += room - z.avail_out;
            if (status != Z_OK) {
                break;
            }
        }
    } while (status == Z_OK);
    inflateEnd(&z);
    if (status != Z_STREAM_END) {
        if (status == Z_OK) {
            error_set(errp, "%s '%s' is larger than %" PRIu64 " bytes when unpacked", what, path,
                      max_bytes);
        } else {
            error_set(errp, "%s '%s' is a damaged gzip file", what, path);
        }
        free(out);
        return false;
    }
    image_close(image);
    *image = (Image){ out, len, false };
    return true;
}

bool image_open_raw(Image *image, const char *what, const char *path, Error **errp)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *image = (Image){0};
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(errp, errno, "could not load %s '%s'", what, path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (!S_ISREG(st.st_mode) || !st.st_size) {
        error_set(errp, "could not load %s '%s': %s", what, path,
                  S_ISREG(st.st_mode) ? "the file is empty" : "not a regular file");
        close(fd);
        return false;
    }
    /* A copy: each reset loads it again, and the file may have been cut short or replaced by then. */
    uint8_t *data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ok = data != MAP_FAILED;
    ssize_t n = 0;
    for (off_t at = 0; ok && at < st.st_size; at += n) {
        n = pread(fd, data + at, (size_t)(st.st_size - at), at);
        if (n == 0) {
            errno = EIO; /* shorter than it was a moment ago */
        }
        ok = n > 0 || (n < 0 && errno == EINTR);
        n = MAX(n, 0);
    }
    if (!ok) {
        error_set_errno(errp, errno, "could not load %s '%s'", what, path);
        if (data != MAP_FAILED) {
            munmap(data, (size_t)st.st_size);
        }
        close(fd);
        return false;
    }
    close(fd);
    *image = (Image){ data, (uint64_t)st.st_size, true };
    return true;
}

bool image_open(Image *image, const char *what, const char *path, uint64_t max_bytes,
                Error **errp)
{
    if (!image_open_raw(image, what, path, errp)) {
        return false;
    }
    if (image->len > 18 && image->data[0] == 0x1f && image->data[1] == 0x8b &&
        image->data[2] == 8 && !image_gunzip(image, what, path, max_bytes, errp)) {
        image_close(image);
        return false;
    }
    return true;
}

void image_close(Image *image)
{
    if (image->mapped) {
        munmap(image->data, image->len);
    } else {
        free(image->data);
    }
    *image = (Image){0};
}

bool image_fits(Machine *m, gpa addr, uint64_t len)
{
    bool ok = true;

    rcu_read_lock();
    while (len && ok) {
        MemLookup at = memory_lookup(&m->memory, addr);
        uint64_t n = MIN(at.length, len);
        ok = at.mr && memory_region_host(at.mr);
        addr += n;
        len -= n;
    }
    rcu_read_unlock();
    return ok;
}

bool image_load_raw(Machine *m, const Image *image, const char *what, const char *path, gpa addr,
                    Error **errp)
{
    if (!image_fits(m, addr, image->len)) {
        error_set(errp, "%s '%s' (%" PRIu64 " bytes) does not fit into memory at 0x%" PRIx64,
                  what, path, image->len, addr);
        return false;
    }
    machine_add_rom(m, path, addr, image->data, image->len, 0);
    return true;
}

bool image_is_elf(const Image *image)
{
    return image->len >= EI_NIDENT && !memcmp(image->data, ELFMAG, SELFMAG);
}

/* The fields both classes have, widened. */
typedef struct Segment {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz;
} Segment;

static Segment segment_at(const uint8_t *p, bool is64)
{
    if (is64) {
        return (Segment){ ldle32(p), ldle64(p + 8), ldle64(p + 16), ldle64(p + 24),
                          ldle64(p + 32), ldle64(p + 40) };
    }
    return (Segment){ ldle32(p), ldle32(p + 4), ldle32(p + 8), ldle32(p + 12), ldle32(p + 16),
                      ldle32(p + 20) };
}

bool image_load_elf(Machine *m, const Image *image, const char *what, const char *path,
                    uint16_t elf_machine, uint64_t offset, ElfInfo *ret, Error **errp)
{
    const uint8_t *d = image->data;
    bool is64 = d[EI_CLASS] == ELFCLASS64;
    ElfInfo info = { .first = UINT64_MAX, .is64 = is64 };
    bool entry_found = false;

    if (d[EI_DATA] != ELFDATA2LSB || (d[EI_CLASS] != ELFCLASS32 && !is64)) {
        error_set(errp, "%s '%s' is not a little-endian ELF file", what, path);
        return false;
    }
    if (image->len < (is64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))) {
        error_set(errp, "%s '%s' is cut short: its ELF header is incomplete", what, path);
        return false;
    }
    if (ldle16(d + 18) != elf_machine) {
        error_set(errp, "%s '%s' is for another architecture (ELF machine %u, expected %u)",
                  what, path, ldle16(d + 18), elf_machine);
        return false;
    }
    if (ldle16(d + 16) != ET_EXEC && ldle16(d + 16) != ET_DYN) {
        error_set(errp, "%s '%s' is an ELF file of type %u, not an executable", what, path, ldle16(d + 16));
        return false;
    }
    uint64_t entry = is64 ? ldle64(d + 24) : ldle32(d + 24);
    uint64_t phoff = is64 ? ldle64(d + 32) : ldle32(d + 28);
    uint16_t phentsize = is64 ? ldle16(d + 54) : ldle16(d + 42);
    uint16_t phnum = is64 ? ldle16(d + 56) : ldle16(d + 44);
    if (phentsize < (is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || phoff > image->len ||
        (uint64_t)phentsize * phnum > image->len - phoff) {
        error_set(errp, "%s '%s' has a damaged ELF program header table", what, path);
        return false;
    }
    info.entry = entry;
    for (unsigned i = 0; i < phnum; i++) {
        Segment s = segment_at(d + phoff + (uint64_t)i * phentsize, is64);
        if (s.type != PT_LOAD || !s.memsz) {
            continue;
        }
        if (s.offset > image->len || s.filesz > image->len - s.offset || s.filesz > s.memsz) {
            error_set(errp, "%s '%s' is cut short or damaged (ELF segment %u)", what, path, i);
            machine_drop_roms(m, path);
            return false;
        }
        gpa at = s.paddr + offset;
        if (!image_fits(m, at, s.memsz)) {
            error_set(errp, "%s '%s': ELF segment of %" PRIu64 " bytes does not fit into memory "
                      "at 0x%" PRIx64, what, path, s.memsz, at);
            machine_drop_roms(m, path);
            return false;
        }
        machine_add_rom(m, path, at, image->data + s.offset, s.filesz, s.memsz);
        info.first = MIN(info.first, at);
        info.last = MAX(info.last, at + s.memsz - 1);
        if (!entry_found && entry >= s.vaddr && entry - s.vaddr < s.memsz) {
            info.entry = at + (entry - s.vaddr);
            entry_found = true;
        }
    }
    if (info.first == UINT64_MAX) {
        error_set(errp, "%s '%s' has nothing to load", what, path);
        return false;
    }
    *ret = info;
    return true;
}

bool image_elf_symbol(const Image *image, const char *name, uint64_t *ret)
{
    const uint8_t *d = image->data;

    if (!image_is_elf(image) || image->len < sizeof(Elf64_Ehdr)) {
        return false;
    }
    bool is64 = d[EI_CLASS] == ELFCLASS64;
    uint64_t shoff = is64 ? ldle64(d + 40) : ldle32(d + 32);
    uint16_t shentsize = ldle16(d + (is64 ? 58 : 46)), shnum = ldle16(d + (is64 ? 60 : 48));
    size_t need = is64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (shentsize < need || shoff > image->len ||
        (uint64_t)shentsize * shnum > image->len - shoff) {
        return false;
    }
    for (unsigned i = 0; i < shnum; i++) {
        const uint8_t *s = d + shoff + (uint64_t)i * shentsize;
        uint32_t link = ldle32(s + (is64 ? 40 : 24));
        if (ldle32(s + 4) != SHT_SYMTAB || link >= shnum) {
            continue;
        }
        const uint8_t *t = d + shoff + (uint64_t)link * shentsize;
        uint64_t at = is64 ? ldle64(s + 24) : ldle32(s + 16);
        uint64_t len = is64 ? ldle64(s + 32) : ldle32(s + 20);
        uint64_t text_at = is64 ? ldle64(t + 24) : ldle32(t + 16);
        uint64_t text_len = is64 ? ldle64(t + 32) : ldle32(t + 20);
        size_t entry = is64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
        if (at > image->len || len > image->len - at || text_at > image->len ||
            text_len > image->len - text_at) {
            continue;
        }
        for (uint64_t pos = 0; pos + entry <= len; pos += entry) {
            const uint8_t *sym = d + at + pos;
            uint32_t text = ldle32(sym);
            if (text < text_len && strlen(name) < text_len - text &&
                !memcmp(d + text_at + text, name, strlen(name) + 1)) {
                *ret = is64 ? ldle64(sym + 8) : ldle32(sym + 4);
                return true;
            }
        }
    }
    return false;
}
