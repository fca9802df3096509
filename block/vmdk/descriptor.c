/*
 * descriptor.c: the text that says what a disk is made of.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/vmdk/vmdk.h"
#include "util/parse.h"

unsigned vmdk_probe(const uint8_t *head, size_t bytes, const char *filename)
{
    const char *at = (const char *)head, *end = at + bytes;

    if (bytes >= 4 && (ldbe32(head) == VMDK_MAGIC || ldbe32(head) == COWD_MAGIC)) {
        return 100;
    }
    if (bytes < 21 || memcmp(at, "# Disk DescriptorFile", 21)) {
        return 0;
    }
    /* Behind comments and empty lines comes the version. */
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((line_end ? line_end : end) - at);
        n -= n && at[n - 1] == '\r';
        if (n && *at != '#' && strspn(at, " ") < n) {
            return n == 9 && !memcmp(at, "version=", 8) && at[8] >= '1' && at[8] <= '3' ? 100 : 0;
        }
        if (!line_end) {
            break;
        }
        at = line_end + 1;
    }
    return 0;
}

static const char *find_key(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        if (!strncmp(at, key, n) && at[n] == '=') {
            return at + n + 1;
        }
    }
    return NULL;
}

char *vmdk_value(const char *text, const char *key)
{
    const char *at = find_key(text, key);

    if (!at) {
        return NULL;
    }
    if (*at == '"') {
        return xstrndup(at + 1, strcspn(at + 1, "\"\r\n"));
    }
    return xstrndup(at, strcspn(at, "\r\n"));
}

static bool read_cid(const char *text, const char *key, uint32_t *ret)
{
    const char *at = find_key(text, key);
    unsigned value;

    if (!at || sscanf(at, "%8x", &value) != 1) {
        return false;
    }
    *ret = value;
    return true;
}

bool vmdk_read_descriptor(BlockNode *node, const char *text, uint64_t at, Error **errp)
{
    VmdkState *s = node->state;
    const char *cid = find_key(text, "CID");

    s->create_type = vmdk_value(text, "createType");
    if (!s->create_type) {
        error_set(errp, "invalid VMDK image descriptor");
        return false;
    }
    s->parent_cid = VMDK_NO_PARENT;
    read_cid(text, "parentCID", &s->parent_cid);
    /* It is written in place, if there is room for all its digits. */
    if (read_cid(text, "CID", &s->cid) && strspn(cid, "0123456789abcdefABCDEF") == 8) {
        s->cid_at = at + (uint64_t)(cid - text);
    }
    char *hint = s->parent_cid != VMDK_NO_PARENT ? vmdk_value(text, "parentFileNameHint") : NULL;
    if (hint) {
        node->backing_file = hint;
        node->backing_format = xstrdup("vmdk");
    }
    return true;
}

VmdkExtent *vmdk_add_extent(VmdkState *s, VmdkKind kind, const char *type, BlockNode *file, uint64_t bytes)
{
    VmdkExtent *e = xnew(VmdkExtent);
    VmdkExtent *last = s->n_extents ? s->extents[s->n_extents - 1] : NULL;

    e->kind = kind;
    e->type = type;
    e->file = file;
    e->start = last ? last->start + last->bytes : 0;
    e->bytes = bytes;
    s->extents = xrealloc(s->extents, (s->n_extents + 1) * sizeof(*s->extents));
    s->extents[s->n_extents++] = e;
    return e;
}

/* -- extents --------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; VmdkKind kind; } extent_types[] = {
    { "FLAT", VMDK_FLAT }, { "VMFS", VMDK_FLAT }, { "SPARSE", VMDK_SPARSE }, { "VMFSSPARSE", VMDK_SPARSE }, { "ZERO", VMDK_ZERO },
};

typedef struct ExtentLine {
    char access[11], type[11], file[512];
    uint64_t sectors, offset;
    bool has_file, has_offset;
} ExtentLine;

/* RW 4192256 SPARSE "name", with an offset for flat ones. False: the line is another. */
static bool parse_line(const char *line, size_t bytes, ExtentLine *l)
{
    char *text = xstrndup(line, bytes);
    int used = 0;
    unsigned long long sectors, offset;

    *l = (ExtentLine){ 0 };
    bool ok = sscanf(text, "%10s %llu %10s%n", l->access, &sectors, l->type, &used) == 3 &&
              (!strcmp(l->access, "RW") || !strcmp(l->access, "RDONLY") || !strcmp(l->access, "NOACCESS"));
    if (ok) {
        const char *at = text + used, *open = strchr(at, '"'), *close = open ? strchr(open + 1, '"') : NULL;
        l->sectors = sectors;
        if (close && (size_t)(close - open) < sizeof(l->file)) {
            memcpy(l->file, open + 1, (size_t)(close - open - 1));
            l->has_file = close > open + 1;
            l->has_offset = sscanf(close + 1, " %llu", &offset) == 1;
            l->offset = l->has_offset ? offset : 0;
        }
    }
    free(text);
    return ok;
}

static BlockNode *open_file(BlockNode *node, unsigned number, const char *name, bool metadata, Json *options, Error **errp)
{
    char *key = xasprintf("extents.%u", number), *path = NULL;
    BlockEdge *edge = NULL;

    if (json_get(options, key)) {
        edge = node_open_child(node, options, key, metadata ? ROLE_DATA | ROLE_METADATA : ROLE_DATA, NULL, false, errp);
    } else if (*name != '/' && !filename_has_protocol(name) && (!node->filename || !strncmp(node->filename, "json:", 5))) {
        error_set(errp, "Cannot use relative extent paths with VMDK descriptor file '%s'", node->filename ? node->filename : "");
    } else {
        path = filename_relative_to(node->filename, name);
        const BlockDriver *protocol = driver_of_filename(path, errp);
        if (protocol) {
            /* A protocol, never guessed: an extent must not be taken for an image. */
            Json *child = json_object();
            json_put_string(child, "driver", protocol->name);
            json_put_string(child, "filename", path);
            json_put(options, key, child);
            edge = node_open_child(node, options, key, metadata ? ROLE_DATA | ROLE_METADATA : ROLE_DATA, NULL, false, errp);
        }
    }
    free(path);
    free(key);
    return edge_node(edge);
}

static bool open_extent(BlockNode *node, const ExtentLine *l, Json *options, const char *line, int line_bytes, Error **errp)
{
    VmdkState *s = node->state;
    size_t t = 0;

    while (t < ARRAY_SIZE(extent_types) && strcmp(extent_types[t].name, l->type)) {
        t++;
    }
    bool flat = t < ARRAY_SIZE(extent_types) && extent_types[t].kind == VMDK_FLAT;
    if (t == ARRAY_SIZE(extent_types) && !strcmp(l->type, "SESPARSE")) {
        error_set(errp, "Unsupported extent type '%s'", l->type);
        return false;
    }
    if (t == ARRAY_SIZE(extent_types) || !l->sectors || (extent_types[t].kind != VMDK_ZERO && !l->has_file) ||
        (!strcmp(l->type, "FLAT") && !l->has_offset)) {
        error_set(errp, "Invalid extent line: %.*s", line_bytes, line);
        return false;
    }
    if (l->sectors > INT64_MAX / 2 / VMDK_SECTOR || l->offset > INT64_MAX / 2 / VMDK_SECTOR || s->n_extents >= VMDK_MAX_EXTENTS ||
        node->size_bytes > INT64_MAX - l->sectors * VMDK_SECTOR) {
        error_set(errp, "the extents are too many or too large");
        return false;
    }
    BlockNode *file = NULL;
    if (extent_types[t].kind != VMDK_ZERO) {
        file = open_file(node, s->n_extents, l->file, !flat, options, errp);
        if (!file) {
            return false;
        }
    }
    VmdkExtent *e = vmdk_add_extent(s, extent_types[t].kind, extent_types[t].name, file, l->sectors * VMDK_SECTOR);
    e->readonly = strcmp(l->access, "RW") != 0;
    e->file_offset = l->offset * VMDK_SECTOR;
    if (e->kind == VMDK_SPARSE && !vmdk_open_sparse(node, e, errp)) {
        return false;
    }
    node->size_bytes += e->bytes;
    return true;
}

bool vmdk_open_extents(BlockNode *node, const char *text, Json *options, Error **errp)
{
    VmdkState *s = node->state;
    static const char *const types[] = { "monolithicFlat", "vmfs", "vmfsSparse", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "monolithicSparse", "custom" };
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        known |= !strcmp(types[i], s->create_type);
    }
    if (!known) {
        error_set(errp, "Unsupported image type '%s'", s->create_type);
        return false;
    }
    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        size_t bytes = strcspn(at, "\r\n");
        ExtentLine l;
        if (parse_line(at, bytes, &l)) {
            if (!strcmp(l.access, "NOACCESS")) {
                error_set(errp, "Unsupported access of an extent: NOACCESS");
                return false;
            }
            if (!open_extent(node, &l, options, at, (int)bytes, errp)) {
                return false;
            }
        }
    }
    return true;
}
