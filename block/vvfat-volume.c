/*
 * vvfat-volume.c: the volume of a folder: layout, names, tables.
 *
 * Regular files and folders; links are followed to files, not to folders, so that there is no end to come back from. Files of other kinds are
 * left out. Clusters are given out one after the other, so each file and folder is in one piece.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "block/vvfat.h"
#include "util/alloc.h"
#include "util/bits.h"

enum {
    ATTR_READ_ONLY = 1, ATTR_LABEL = 8, ATTR_FOLDER = 16, ATTR_ARCHIVE = 32, ATTR_LONG_NAME = 15, LONG_CHARS = 13, MAX_LONG = 255, ROOT_ENTRIES = 512,
    MAX_DEPTH = 32, MAX_FOLDER_BYTES = 65536 * FAT_ENTRY_BYTES, FAT_BOOT_SIGNATURE = 510,
};
#define MAX_FILE_BYTES UINT32_MAX

/* -- layout ---------------------------------------------------------------------------------------------------------- */

static bool lay_out(FatVolume *v, Error **errp)
{
    v->bits = v->bits ? v->bits : v->floppy ? 12 : 16;
    v->cylinders = v->floppy ? 80 : v->bits == 12 ? 64 : 1024;
    v->heads = v->floppy ? 2 : 16;
    v->per_track = v->floppy ? 36 : 63;
    v->start = v->floppy ? 0 : v->per_track;
    uint32_t sectors = v->cylinders * v->heads * v->per_track, own = sectors - v->start;
    if (v->floppy && v->bits != 12) {
        error_set(errp, "a floppy disk of this size has FAT12");
        return false;
    }
    v->disk_bytes = (uint64_t)sectors * FAT_SECTOR;
    v->reserved = v->bits == 32 ? 32 : 1;
    v->root_sectors = v->bits == 32 ? 0 : ROOT_ENTRIES * FAT_ENTRY_BYTES / FAT_SECTOR;
    /* FAT32 has at least 65525 clusters, by which it is known. */
    v->cluster_sectors = v->bits == 32 ? 8 : 16;
    uint64_t clusters = (own - v->reserved - v->root_sectors) / v->cluster_sectors;
    v->fat_sectors = (uint32_t)DIV_ROUND_UP((clusters + 2) * v->bits / 8 + 1, FAT_SECTOR);
    v->n_clusters = (own - v->reserved - v->root_sectors - 2 * v->fat_sectors) / v->cluster_sectors;
    v->head_bytes = (uint64_t)(v->start + v->reserved + 2 * v->fat_sectors + v->root_sectors) * FAT_SECTOR;
    v->head = xcalloc(1, v->head_bytes);
    v->next_cluster = 2;
    return true;
}

static uint8_t *fat_table(const FatVolume *v)
{
    return v->head + (uint64_t)(v->start + v->reserved) * FAT_SECTOR;
}

static void set_entry(const FatVolume *v, uint32_t cluster, uint32_t value)
{
    uint8_t *t = fat_table(v);

    if (v->bits == 32) {
        stle32(t + cluster * 4, value & 0x0fffffff);
    } else if (v->bits == 16) {
        stle16(t + cluster * 2, (uint16_t)value);
    } else {
        uint8_t *at = t + cluster + cluster / 2;
        uint16_t both = ldle16(at);
        stle16(at, cluster & 1 ? (uint16_t)((both & 0x000f) | value << 4) : (uint16_t)((both & 0xf000) | (value & 0x0fff)));
    }
}

/* A chain for `bytes`; 0 for nothing. NULL with an error if there is no room. */
static FatExtent *allocate(FatVolume *v, uint64_t bytes, Error **errp)
{
    uint64_t cluster = v->cluster_sectors * FAT_SECTOR, n = MAX(DIV_ROUND_UP(bytes, cluster), 1u);

    if (n > v->n_clusters + 2 - v->next_cluster) {
        error_set(errp, "Directory does not fit in FAT%u (capacity %.2f MB)", v->bits, (double)v->n_clusters * (double)cluster / 1e6);
        return NULL;
    }
    if (v->n_extents == v->cap_extents) {
        v->extents = vec_grow(v->extents, &v->cap_extents, sizeof(FatExtent));
    }
    FatExtent *e = &v->extents[v->n_extents++];
    *e = (FatExtent){ v->next_cluster, (uint32_t)n, bytes, NULL, NULL };
    for (uint32_t i = 0; i < n; i++) {
        set_entry(v, e->first + i, i + 1 < n ? e->first + i + 1 : 0x0fffffff);
    }
    v->next_cluster += (uint32_t)n;
    return e;
}

const FatExtent *fat_extent_at(const FatVolume *v, uint32_t cluster)
{
    size_t low = 0, high = v->n_extents;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->extents[middle].first <= cluster) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low && cluster < v->extents[low - 1].first + v->extents[low - 1].n ? &v->extents[low - 1] : NULL;
}

/* -- names ----------------------------------------------------------------------------------------------------------- */

static bool short_char(unsigned char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"*+,./:;<=>?[\\]|", c);
}

/* As it is, in capitals, if it has eight characters and three at the most; *ret_same: it had no small ones. */
static bool plain_short_name(const char *name, uint8_t *ret, bool *ret_same)
{
    const char *dot = strchr(name, '.');
    size_t base = dot ? (size_t)(dot - name) : strlen(name), ext = dot ? strlen(dot + 1) : 0;

    if (!base || base > 8 || ext > 3 || (dot && !ext)) {
        return false;
    }
    memset(ret, ' ', FAT_LABEL_BYTES);
    *ret_same = true;
    for (size_t i = 0; i < base + ext; i++) {
        unsigned char c = (unsigned char)(i < base ? name[i] : dot[1 + i - base]);
        if (!short_char(c)) {
            return false;
        }
        bool is_small = c >= 'a' && c <= 'z';
        *ret_same &= !is_small;
        ret[i < base ? i : 8 + i - base] = is_small ? (uint8_t)(c - 32) : c;
    }
    return true;
}

static bool name_is_used(const uint8_t *folder, size_t bytes, const uint8_t *name)
{
    for (size_t at = 0; at < bytes; at += FAT_ENTRY_BYTES) {
        if (folder[at + 11] != ATTR_LONG_NAME && !memcmp(folder + at, name, FAT_LABEL_BYTES)) {
            return true;
        }
    }
    return false;
}

/* NAME~1.EXT, with the first number nobody has. */
static bool make_short_name(const char *name, const uint8_t *folder, size_t bytes, uint8_t *ret)
{
    const char *dot = strrchr(name, '.');
    char base[9] = "", tail[9];
    size_t n = 0;

    dot = dot == name ? NULL : dot;
    for (const char *c = name; *c && c != dot && n < 8; c++) {
        unsigned char up = (unsigned char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        if (*c != '.' && *c != ' ') {
            base[n++] = short_char(up) ? (char)up : '_';
        }
    }
    if (!n) {
        base[n++] = '_';
    }
    memset(ret, ' ', FAT_LABEL_BYTES);
    n = 0;
    for (const char *c = dot ? dot + 1 : ""; *c && n < 3; c++) {
        unsigned char up = (unsigned char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        if (*c != ' ') {
            ret[8 + n++] = short_char(up) ? up : '_';
        }
    }
    for (unsigned number = 1; number < 1000000; number++) {
        int t = snprintf(tail, sizeof(tail), "~%u", number), keep = MIN((int)strlen(base), 8 - t);
        memset(ret, ' ', 8);
        memcpy(ret, base, (size_t)keep);
        memcpy(ret + keep, tail, (size_t)t);
        if (!name_is_used(folder, bytes, ret)) {
            return true;
        }
    }
    return false;
}

/* UTF-8 to UTF-16; what is no character, or not one of a name, becomes '_'. */
static size_t long_name(const char *name, uint16_t *out, size_t max)
{
    const unsigned char *c = (const unsigned char *)name;
    size_t n = 0;

    while (*c && n + 1 < max) {
        unsigned extra = *c >= 0xf0 && *c < 0xf8 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc0 ? 1 : 0;
        uint32_t u = extra == 3 ? *c & 7u : extra == 2 ? *c & 15u : extra == 1 ? *c & 31u : *c;
        bool ok = *c < 0x80 || extra;
        for (unsigned i = 1; i <= extra && ok; i++) {
            ok = (c[i] & 0xc0) == 0x80;
            u = u << 6 | (c[i] & 0x3f);
        }
        c += ok ? 1 + extra : 1;
        u = ok && u >= ' ' && u <= 0x10ffff && !(u < 0x80 && strchr("\"*/:<>?\\|", (int)u)) && !(u >= 0xd800 && u < 0xe000) ? u : '_';
        if (u >= 0x10000) {
            out[n++] = (uint16_t)(0xd800 + ((u - 0x10000) >> 10));
            u = 0xdc00 + ((u - 0x10000) & 0x3ff);
        }
        out[n++] = (uint16_t)u;
    }
    return n;
}

/* -- folders --------------------------------------------------------------------------------------------------------- */

typedef VEC(uint8_t) FolderData;

static uint8_t *add_slot(FolderData *f)
{
    for (unsigned i = 0; i < FAT_ENTRY_BYTES; i++) {
        *vec_push(f) = 0;
    }
    return f->at + f->n - FAT_ENTRY_BYTES;
}

static void set_time(uint8_t *e, time_t when)
{
    struct tm tm;

    localtime_r(&when, &tm);
    int year = MIN(MAX(tm.tm_year - 80, 0), 127);
    uint16_t date = (uint16_t)(year << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday), clock = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
    stle16(e + 14, clock);
    stle16(e + 16, date);
    stle16(e + 18, date);
    stle16(e + 22, clock);
    stle16(e + 24, date);
}

static uint8_t short_checksum(const uint8_t *name)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < FAT_LABEL_BYTES; i++) {
        sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
    }
    return sum;
}

/* The slots of the long name, the last part first. */
static void add_long_name(FolderData *f, const uint16_t *chars, size_t n, uint8_t sum)
{
    static const uint8_t places[LONG_CHARS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
    size_t slots = DIV_ROUND_UP(n, (size_t)LONG_CHARS);

    for (size_t s = slots; s-- > 0;) {
        uint8_t *e = add_slot(f);
        e[0] = (uint8_t)((s + 1) | (s + 1 == slots ? 0x40 : 0));
        e[11] = ATTR_LONG_NAME;
        e[13] = sum;
        for (size_t i = 0; i < LONG_CHARS; i++) {
            size_t at = s * LONG_CHARS + i;
            stle16(e + places[i], at < n ? chars[at] : at == n ? 0 : 0xffff);
        }
    }
}

/* The place of the short entry in the folder, whose cluster comes later; SIZE_MAX: no room for another. */
static size_t add_entry(FolderData *f, const char *name, uint8_t attributes, uint64_t bytes, time_t when)
{
    uint16_t chars[MAX_LONG + 1];
    uint8_t short_name[FAT_LABEL_BYTES];

    bool same = false, plain = plain_short_name(name, short_name, &same) && !name_is_used(f->at, f->n, short_name);
    if (!plain && !make_short_name(name, f->at, f->n, short_name)) {
        return SIZE_MAX;
    }
    if (!plain || !same) {
        add_long_name(f, chars, long_name(name, chars, MAX_LONG), short_checksum(short_name));
    }
    uint8_t *e = add_slot(f);
    memcpy(e, short_name, FAT_LABEL_BYTES);
    e[11] = attributes;
    set_time(e, when);
    stle32(e + 28, attributes & ATTR_FOLDER ? 0 : (uint32_t)bytes);
    return f->n - FAT_ENTRY_BYTES;
}

static void set_cluster(uint8_t *e, uint32_t cluster)
{
    stle16(e + 20, (uint16_t)(cluster >> 16));
    stle16(e + 26, (uint16_t)cluster);
}

typedef struct Child {
    char *path;
    size_t entry;
    uint64_t bytes;
    bool is_folder;
} Child;
typedef VEC(Child) Children;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_names(const char *folder, char ***ret_names, size_t *ret_n, Error **errp)
{
    VEC(char *) names = { 0 };
    DIR *d = opendir(folder);
    const struct dirent *e;

    if (!d) {
        error_set(errp, "Could not read directory %s", folder);
        return false;
    }
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
            *vec_push(&names) = xstrdup(e->d_name);
        }
    }
    closedir(d);
    if (names.n) { /* the same image each time */
        qsort(names.at, names.n, sizeof(char *), by_name);
    }
    *ret_names = names.at;
    *ret_n = names.n;
    return true;
}

static bool list_folder(const char *folder, FolderData *f, Children *children, Error **errp)
{
    char **names;
    size_t n;
    bool ok = true;

    if (!read_names(folder, &names, &n, errp)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        char *path = xasprintf("%s/%s", folder, names[i]);
        struct stat st, link;
        bool there = ok && !lstat(path, &link) && !stat(path, &st) && (S_ISREG(st.st_mode) || S_ISDIR(link.st_mode));
        if (there && S_ISREG(st.st_mode) && (uint64_t)st.st_size > MAX_FILE_BYTES) {
            error_set(errp, "File %s is larger than 4GB", path);
            ok = there = false;
        }
        if (there) {
            bool is_folder = S_ISDIR(st.st_mode);
            size_t entry = add_entry(f, names[i], is_folder ? ATTR_FOLDER : ATTR_ARCHIVE, (uint64_t)st.st_size, st.st_mtime);
            if (entry == SIZE_MAX || f->n > MAX_FOLDER_BYTES) {
                error_set(errp, "Directory %s has too many entries", folder);
                ok = false;
            } else {
                *vec_push(children) = (Child){ xstrdup(path), entry, is_folder ? 0 : (uint64_t)st.st_size, is_folder };
            }
        }
        free(path);
        free(names[i]);
    }
    free(names);
    return ok;
}

/* `depth` 0: the root. *ret_cluster: where it begins. */
static bool add_folder(FatVolume *v, const char *folder, uint32_t parent, unsigned depth, uint32_t *ret_cluster, Error **errp)
{
    FolderData f = { 0 };
    Children children = { 0 };
    bool in_head = !depth && v->root_sectors, ok = depth <= MAX_DEPTH;
    uint8_t *data = NULL;
    uint32_t own = 0;

    if (!ok) {
        error_set(errp, "folders within folders, too deep: %s", folder);
    } else if (depth) {
        memcpy(add_slot(&f), ".          ", FAT_LABEL_BYTES);
        memcpy(add_slot(&f), "..         ", FAT_LABEL_BYTES);
        f.at[11] = f.at[FAT_ENTRY_BYTES + 11] = ATTR_FOLDER;
        set_time(f.at, time(NULL));
        set_time(f.at + FAT_ENTRY_BYTES, time(NULL));
    } else {
        uint8_t *e = add_slot(&f);
        memcpy(e, v->label, FAT_LABEL_BYTES);
        e[11] = ATTR_LABEL;
        set_time(e, time(NULL));
    }
    ok = ok && list_folder(folder, &f, &children, errp);
    if (ok && in_head) {
        if (f.n > v->root_sectors * FAT_SECTOR) {
            error_set(errp, "Too many entries in root directory");
            ok = false;
        } else {
            data = v->head + v->head_bytes - v->root_sectors * FAT_SECTOR;
        }
    } else if (ok) {
        FatExtent *e = allocate(v, f.n, errp);
        ok = e != NULL;
        if (e) {
            own = e->first;
            data = e->data = xcalloc(e->n, (size_t)v->cluster_sectors * FAT_SECTOR);
        }
    }
    if (ok) {
        memcpy(data, f.at, f.n);
        if (depth) {
            set_cluster(data, own);
            set_cluster(data + FAT_ENTRY_BYTES, parent);
        }
    }
    for (size_t i = 0; i < children.n; i++) {
        Child *c = &children.at[i];
        uint32_t cluster = 0;
        if (ok && c->is_folder) {
            ok = add_folder(v, c->path, depth ? own : 0, depth + 1, &cluster, errp);
        } else if (ok && c->bytes) {
            FatExtent *e = allocate(v, c->bytes, errp);
            ok = e != NULL;
            if (e) {
                cluster = e->first;
                e->path = xstrdup(c->path);
            }
        }
        if (ok) {
            set_cluster(data + c->entry, cluster);
        }
        free(c->path);
    }
    vec_free(&children);
    vec_free(&f);
    *ret_cluster = own;
    return ok;
}

/* -- boot sector ----------------------------------------------------------------------------------------------------- */

static void write_chs(const FatVolume *v, uint8_t *at, uint32_t sector)
{
    uint32_t cylinder = sector / v->per_track / v->heads;

    cylinder = MIN(cylinder, 1023u);
    at[0] = (uint8_t)(sector / v->per_track % v->heads);
    at[1] = (uint8_t)((sector % v->per_track + 1) | (cylinder >> 2 & 0xc0));
    at[2] = (uint8_t)cylinder;
}

static void write_partition_table(const FatVolume *v)
{
    uint8_t *mbr = v->head, *p = mbr + 446;
    uint32_t sectors = (uint32_t)(v->disk_bytes / FAT_SECTOR);

    stle32(mbr + 440, 0xbe1afdfa); /* the disk's signature, and the volume's serial number */
    p[0] = 0x80;
    write_chs(v, p + 1, v->start);
    p[4] = v->bits == 12 ? 1 : v->bits == 16 ? 6 : 0x0b;
    write_chs(v, p + 5, sectors - 1);
    stle32(p + 8, v->start);
    stle32(p + 12, sectors - v->start);
    stle16(mbr + FAT_BOOT_SIGNATURE, 0xaa55);
}

static void write_boot_sector(const FatVolume *v)
{
    uint8_t *b = v->head + (uint64_t)v->start * FAT_SECTOR, *ext = b + (v->bits == 32 ? 64 : 36);
    uint32_t sectors = (uint32_t)(v->disk_bytes / FAT_SECTOR) - v->start;
    static const char kinds[3][9] = { "FAT12   ", "FAT16   ", "FAT32   " };

    memcpy(b, "\xeb\x3e\x90MSWIN4.1", 11);
    stle16(b + 11, FAT_SECTOR);
    b[13] = (uint8_t)v->cluster_sectors;
    stle16(b + 14, (uint16_t)v->reserved);
    b[16] = 2;
    stle16(b + 17, v->bits == 32 ? 0 : ROOT_ENTRIES);
    stle16(b + 19, sectors < 65536 ? (uint16_t)sectors : 0);
    b[21] = v->floppy ? 0xf0 : 0xf8;
    stle16(b + 22, v->bits == 32 ? 0 : (uint16_t)v->fat_sectors);
    stle16(b + 24, (uint16_t)v->per_track);
    stle16(b + 26, (uint16_t)v->heads);
    stle32(b + 28, v->start);
    stle32(b + 32, sectors < 65536 ? 0 : sectors);
    if (v->bits == 32) {
        stle32(b + 36, v->fat_sectors);
        stle32(b + 44, 2); /* the root's cluster */
        stle16(b + 48, 1);
        stle16(b + 50, 6);
    }
    ext[0] = v->floppy ? 0 : 0x80;
    ext[2] = 0x29;
    stle32(ext + 3, 0xbe1afdfa);
    memcpy(ext + 7, v->label, FAT_LABEL_BYTES);
    memcpy(ext + 18, kinds[v->bits == 12 ? 0 : v->bits == 16 ? 1 : 2], 8);
    stle16(b + FAT_BOOT_SIGNATURE, 0xaa55);
    if (v->bits == 32) {
        uint8_t *info = b + FAT_SECTOR;
        stle32(info, 0x41615252);
        stle32(info + 484, 0x61417272);
        stle32(info + 488, v->n_clusters + 2 - v->next_cluster);
        stle32(info + 492, v->next_cluster);
        stle32(info + 508, 0xaa550000);
        memcpy(b + 6 * FAT_SECTOR, b, 2 * FAT_SECTOR); /* the copy */
    }
}

bool fat_make(FatVolume *v, const char *folder, Error **errp)
{
    uint32_t root;

    if (!lay_out(v, errp)) {
        return false;
    }
    set_entry(v, 0, 0x0fffff00u | (v->floppy ? 0xf0 : 0xf8));
    set_entry(v, 1, 0x0fffffff);
    if (!add_folder(v, folder, 0, 0, &root, errp)) {
        return false;
    }
    if (!v->floppy) {
        write_partition_table(v);
    }
    write_boot_sector(v);
    uint8_t *fat = fat_table(v);
    memcpy(fat + (uint64_t)v->fat_sectors * FAT_SECTOR, fat, (uint64_t)v->fat_sectors * FAT_SECTOR);
    return true;
}

void fat_free(FatVolume *v)
{
    for (size_t i = 0; i < v->n_extents; i++) {
        free(v->extents[i].path);
        free(v->extents[i].data);
    }
    free(v->extents);
    free(v->head);
}
