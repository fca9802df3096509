/*
 * keymap.c: keyboard layouts: which key gives an X symbol, for clients that send symbols instead of keys.
 *
 * A layout is a text file in the folder "keymaps" of the data folders: lines "symbol 0xNN [shift] [altgr] [numlock]
 * [addupper]…", where NN is a set 1 code with bit 7 for the 0xe0 prefix, "include NAME", comments. The US layout and the
 * keys that are the same everywhere are built in; names of symbols come from libxkbcommon.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_XKBCOMMON
#include <xkbcommon/xkbcommon.h>
#endif
#include "softmmu/datadir.h"
#include "ui/display.h"
#include "util/alloc.h"

enum { INCLUDE_DEPTH = 8, FILE_MAX_LINES = 20000 };

typedef struct Entry {
    uint32_t keysym;
    uint16_t set1;
    uint8_t shift, altgr;
} Entry;

struct Keymap {
    char *name;
    VEC(Entry) entries; /* by symbol; for one symbol, the plainest first */
    Keymap *next;
};

static Keymap *keymaps; /* writable: layouts that were asked for */

/* Keys without a printed symbol of a layout, X symbol and set 1 code (X11 keysymdef: 0xff00 to 0xffff). */
static const Entry fixed[] = {
    { 0xff08, 0x0e }, { 0xff09, 0x0f }, { 0xfe20, 0x0f, 1 }, { 0xff0d, 0x1c }, { 0xff13, 0xe046 }, { 0xff6b, 0xe046 }, { 0xff14, 0x46 }, { 0xff15, 0x54 },
    { 0xff1b, 0x01 }, { 0xff50, 0xe047 }, { 0xff51, 0xe04b }, { 0xff52, 0xe048 }, { 0xff53, 0xe04d }, { 0xff54, 0xe050 }, { 0xff55, 0xe049 },
    { 0xff56, 0xe051 }, { 0xff57, 0xe04f }, { 0xff61, 0xe037 }, { 0xff63, 0xe052 }, { 0xff67, 0xe05d }, { 0xff7e, 0xe038 }, { 0xff7f, 0x45 },
    { 0xff8d, 0xe01c }, { 0xff95, 0x47 }, { 0xff96, 0x4b }, { 0xff97, 0x48 }, { 0xff98, 0x4d }, { 0xff99, 0x50 }, { 0xff9a, 0x49 }, { 0xff9b, 0x51 },
    { 0xff9c, 0x4f }, { 0xff9d, 0x4c }, { 0xff9e, 0x52 }, { 0xff9f, 0x53 }, { 0xffaa, 0x37 }, { 0xffab, 0x4e }, { 0xffac, 0x7e }, { 0xffad, 0x4a },
    { 0xffae, 0x53 }, { 0xffaf, 0xe035 }, { 0xffb0, 0x52 }, { 0xffb1, 0x4f }, { 0xffb2, 0x50 }, { 0xffb3, 0x51 }, { 0xffb4, 0x4b }, { 0xffb5, 0x4c },
    { 0xffb6, 0x4d }, { 0xffb7, 0x47 }, { 0xffb8, 0x48 }, { 0xffb9, 0x49 }, { 0xffbd, 0x59 }, { 0xffbe, 0x3b }, { 0xffbf, 0x3c }, { 0xffc0, 0x3d },
    { 0xffc1, 0x3e }, { 0xffc2, 0x3f }, { 0xffc3, 0x40 }, { 0xffc4, 0x41 }, { 0xffc5, 0x42 }, { 0xffc6, 0x43 }, { 0xffc7, 0x44 }, { 0xffc8, 0x57 },
    { 0xffc9, 0x58 }, { 0xffe1, 0x2a }, { 0xffe2, 0x36 }, { 0xffe3, 0x1d }, { 0xffe4, 0xe01d }, { 0xffe5, 0x3a }, { 0xffe7, 0x38 }, { 0xffe8, 0xe038 },
    { 0xffe9, 0x38 }, { 0xffea, 0xe038 }, { 0xfe03, 0xe038 }, { 0xffeb, 0xe05b }, { 0xffec, 0xe05c }, { 0xffff, 0xe053 },
};

/* US: rows of keys from a first code on, without and with Shift. */
static const struct {
    uint8_t first;
    const char *plain, *shifted;
} us_rows[] = {
    { 0x02, "1234567890-=", "!@#$%^&*()_+" }, { 0x10, "qwertyuiop[]", "QWERTYUIOP{}" }, { 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
    { 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" }, { 0x39, " ", NULL },
};

static void add(Keymap *map, uint32_t keysym, unsigned set1, bool shift, bool altgr)
{
    *vec_push(&map->entries) = (Entry){ keysym, (uint16_t)set1, shift, altgr };
}

static void add_us(Keymap *map)
{
    for (size_t i = 0; i < ARRAY_SIZE(us_rows); i++) {
        for (unsigned k = 0; us_rows[i].plain[k]; k++) {
            add(map, (uint8_t)us_rows[i].plain[k], us_rows[i].first + k, false, false);
            if (us_rows[i].shifted) {
                add(map, (uint8_t)us_rows[i].shifted[k], us_rows[i].first + k, true, false);
            }
        }
    }
}

uint32_t keysym_from_name(const char *name, size_t len)
{
#ifdef HAVE_XKBCOMMON
    char *copy = xstrndup(name, len);
    uint32_t keysym = xkb_keysym_from_name(copy, XKB_KEYSYM_NO_FLAGS);
    free(copy);
    return keysym;
#else
    return len == 1 && *name > ' ' && *name < 0x7f ? (uint8_t)*name : 0;
#endif
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = words; (p = strstr(p, word)); p += n) {
        if ((p == words || p[-1] == ' ') && (!p[n] || p[n] == ' ')) {
            return true;
        }
    }
    return false;
}

static bool read_file(Keymap *map, const char *name, unsigned depth, Error **errp);

static bool read_line(Keymap *map, char *line, unsigned depth, Error **errp)
{
    line[strcspn(line, "#\r\n")] = 0;
    line += strspn(line, " \t");
    if (!*line || !strncmp(line, "map ", 4)) {
        return true;
    }
    if (!strncmp(line, "include ", 8)) {
        char *name = line + 8 + strspn(line + 8, " ");
        name[strcspn(name, " \t")] = 0;
        return read_file(map, name, depth + 1, errp);
    }
    size_t len = strcspn(line, " \t");
    char *rest;
    unsigned long code = strtoul(line + len, &rest, 0);
    uint32_t keysym = keysym_from_name(line, len);
    if (!keysym || !code || code > 0xff) {
        return true; /* symbols of newer X versions */
    }
    unsigned set1 = code & 0x80 ? 0xe000 | (code & 0x7f) : (unsigned)code;
    bool shift = has_word(rest, "shift"), altgr = has_word(rest, "altgr");
    add(map, keysym, set1, shift, altgr);
    if (has_word(rest, "addupper") && keysym >= 'a' && keysym <= 'z') {
        add(map, keysym - 32, set1, true, altgr);
    }
    return true;
}

static bool read_file(Keymap *map, const char *name, unsigned depth, Error **errp)
{
    char *relative = xasprintf("keymaps/%s", name), *path = strchr(name, '/') || *name == '.' ? NULL : datadir_find(relative);
    FILE *file = path && depth < INCLUDE_DEPTH ? fopen(path, "r") : NULL;
    char line[512];
    bool ok = true;

    free(relative);
    free(path);
    if (!file) {
        error_set(errp, "could not read keymap file: '%s'", name);
        return false;
    }
    for (unsigned n = 0; ok && n < FILE_MAX_LINES && fgets(line, sizeof(line), file); n++) {
        ok = read_line(map, line, depth, errp);
    }
    fclose(file);
    return ok;
}

static int compare(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int cost = (x->shift + 2 * x->altgr) - (y->shift + 2 * y->altgr);

    return x->keysym != y->keysym ? (x->keysym < y->keysym ? -1 : 1) : cost ? cost : (int)x->set1 - (int)y->set1;
}

const Keymap *keymap_get(const char *name, Error **errp)
{
    for (Keymap *map = keymaps; map; map = map->next) {
        if (!strcmp(map->name, name)) {
            return map;
        }
    }
    Keymap *map = xnew(Keymap);
    map->name = xstrdup(name);
    bool us = !strcmp(name, "en-us");
#ifdef HAVE_XKBCOMMON
    bool ok = us || read_file(map, name, 0, errp);
#else
    bool ok = us;
    if (!ok) {
        error_set(errp, "keyboard layout '%s': this build has no libxkbcommon, which knows the names of keys", name);
    }
#endif
    if (!ok) {
        vec_free(&map->entries);
        free(map->name);
        free(map);
        return NULL;
    }
    if (us) {
        add_us(map);
    }
    qsort(map->entries.at, map->entries.n, sizeof(Entry), compare);
    map->next = keymaps;
    keymaps = map;
    return map;
}

KeymapKey keymap_find(const Keymap *map, uint32_t keysym)
{
    size_t low = 0, high = map->entries.n;

    /* ISO 8859-1 and Unicode symbols are the same characters. */
    if (keysym >= 0x01000020 && keysym <= 0x010000ff) {
        keysym &= 0xff;
    }
    while (low < high) { /* the first of the symbol's */
        size_t mid = low + (high - low) / 2;
        if (map->entries.at[mid].keysym < keysym) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low < map->entries.n && map->entries.at[low].keysym == keysym) {
        const Entry *e = &map->entries.at[low];
        return (KeymapKey){ e->set1, e->shift, e->altgr };
    }
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (fixed[i].keysym == keysym) {
            return (KeymapKey){ fixed[i].set1, fixed[i].shift, false };
        }
    }
    return (KeymapKey){0};
}
