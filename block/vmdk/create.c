/*
 * create.c: new images: the descriptor, and the extents of each kind.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/vmdk/vmdk.h"
#include "softmmu/options.h"
#include "util/random.h"

const BlockOption vmdk_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "adapter_type", OPTION_STRING, "Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX", NULL },
    { "backing_file", OPTION_STRING, "File name of a base image", NULL },
    { "backing_fmt", OPTION_STRING, "Must be 'vmdk' if present", NULL },
    { "compat6", OPTION_BOOL, "VMDK version 6 image", "off" },
    { "hwversion", OPTION_STRING, "VMDK hardware version", "undefined" },
    { "toolsversion", OPTION_STRING, "VMware guest tools version", NULL },
    { "subformat", OPTION_STRING, "VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | twoGbMaxExtentSparse | twoGbMaxExtentFlat | streamOptimized} ", NULL },
    { "zeroed_grain", OPTION_BOOL, "Enable efficient zero writes using the zeroed-grain GTE feature", NULL },
    { NULL },
};

static const struct Subformat {
    const char *name;
    bool flat, split, compressed;
} subformats[] = {
    { "monolithicSparse", false, false, false }, { "monolithicFlat", true, false, false }, { "twoGbMaxExtentSparse", false, true, false },
    { "twoGbMaxExtentFlat", true, true, false }, { "streamOptimized", false, false, true },
};

typedef struct CreateOptions {
    uint64_t size;
    const char *adapter, *backing, *format, *hwversion, *toolsversion;
    bool compat6, zeroed_grain;
    const struct Subformat *subformat;
    uint32_t parent_cid;
} CreateOptions;

static bool read_options(const Json *options, CreateOptions *o, Error **errp)
{
    static const char *const adapters[] = { "ide", "lsilogic", "buslogic", "legacyESX" };
    const char *subformat;
    bool known = false;

    if (!opts_size(options, "size", 0, &o->size, errp) || !opts_string(options, "adapter_type", "ide", &o->adapter, errp) ||
        !opts_string(options, "backing_file", NULL, &o->backing, errp) || !opts_string(options, "backing_fmt", NULL, &o->format, errp) ||
        !opts_bool(options, "compat6", false, &o->compat6, errp) || !opts_string(options, "hwversion", "undefined", &o->hwversion, errp) ||
        !opts_string(options, "subformat", "monolithicSparse", &subformat, errp) ||
        !opts_string(options, "toolsversion", "2147483647", &o->toolsversion, errp) || !opts_bool(options, "zeroed_grain", false, &o->zeroed_grain, errp)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(subformats); i++) {
        o->subformat = strcmp(subformats[i].name, subformat) ? o->subformat : &subformats[i];
    }
    if (!o->subformat) {
        error_set(errp, "invalid parameter value: %s", subformat);
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++) {
        known |= !strcmp(adapters[i], o->adapter);
    }
    if (!known) {
        error_set(errp, "invalid parameter value: %s", o->adapter);
        return false;
    }
    if (strcmp(o->hwversion, "undefined") && o->compat6) {
        error_set(errp, "compat6 cannot be enabled with hwversion set");
        return false;
    }
    if (!strcmp(o->hwversion, "undefined")) {
        o->hwversion = o->compat6 ? "6" : "4";
    }
    if (o->backing && o->subformat->flat) {
        error_set(errp, "Flat image can't have backing file");
        return false;
    }
    if (o->zeroed_grain && o->subformat->flat) {
        error_set(errp, "Flat image can't enable zeroed grain");
        return false;
    }
    if (strpbrk(o->hwversion, "\"\n") || strpbrk(o->toolsversion, "\"\n") || (o->backing && strpbrk(o->backing, "\"\n"))) {
        error_set(errp, "a descriptor cannot hold quotes and line ends");
        return false;
    }
    o->size = ROUND_UP(o->size, (uint64_t)VMDK_SECTOR);
    return true;
}

static bool read_parent_cid(const char *filename, CreateOptions *o, Error **errp)
{
    o->parent_cid = VMDK_NO_PARENT;
    if (!o->backing) {
        return true;
    }
    char *path = filename_relative_to(filename, o->backing);
    Json *options = json_object();
    if (o->format) {
        json_put_string(options, "driver", o->format);
    }
    BlockNode *node = node_open(path, options, BLOCK_NO_BACKING | BLOCK_NO_IO, errp);
    bool ok = node && !strcmp(node->driver->name, "vmdk");
    if (ok) {
        o->parent_cid = ((VmdkState *)node->state)->cid;
    } else if (node) {
        error_set(errp, "backing_file must be a vmdk image");
    }
    node_unref(node);
    free(path);
    return ok;
}

/* -- sparse extents -------------------------------------------------------------------------------------------------- */

/* Both directories with all their tables: there is nothing to allocate but grains. */
static int write_directory(BlockNode *file, uint64_t at, uint64_t entries, uint64_t directory_sectors, uint64_t table_sectors)
{
    uint8_t *gd = xcalloc(directory_sectors, VMDK_SECTOR);

    for (uint64_t i = 0; i < entries; i++) {
        stle32(gd + i * 4, (uint32_t)(at + directory_sectors + i * table_sectors));
    }
    int err = node_pwrite(file, at * VMDK_SECTOR, gd, directory_sectors * VMDK_SECTOR, 0);
    free(gd);
    return err;
}

static int write_sparse(BlockNode *file, uint64_t size, const CreateOptions *o)
{
    enum { GRAIN = 128, GTES = VMDK_MAX_GTES, TABLE_SECTORS = GTES * 4 / VMDK_SECTOR };
    uint64_t capacity = size / VMDK_SECTOR, entries = DIV_ROUND_UP(DIV_ROUND_UP(capacity, GRAIN), GTES), gd_sectors = DIV_ROUND_UP(entries * 4, VMDK_SECTOR);
    uint64_t rgd = 1 + VMDK_DESCRIPTOR_SECTORS, gd = rgd + gd_sectors + entries * TABLE_SECTORS;
    uint64_t overhead = ROUND_UP(gd + gd_sectors + entries * TABLE_SECTORS, (uint64_t)GRAIN);
    uint8_t h[VMDK_SECTOR] = { 0 };

    if (overhead > UINT32_MAX) {
        return -EFBIG;
    }
    stbe32(h, VMDK_MAGIC);
    stle32(h + VMDK_VERSION, o->subformat->compressed ? 3 : o->zeroed_grain ? 2 : 1);
    stle32(h + VMDK_FLAGS, 1 | FLAG_REDUNDANT | (o->zeroed_grain ? FLAG_ZERO_GRAIN : 0) | (o->subformat->compressed ? FLAG_COMPRESSED | FLAG_MARKERS : 0));
    stle64(h + VMDK_CAPACITY, capacity);
    stle64(h + VMDK_GRAIN, GRAIN);
    stle64(h + VMDK_DESC_OFFSET, 1);
    stle64(h + VMDK_DESC_SIZE, VMDK_DESCRIPTOR_SECTORS);
    stle32(h + VMDK_GTES, GTES);
    stle64(h + VMDK_RGD, rgd);
    stle64(h + VMDK_GD, gd);
    stle64(h + VMDK_OVERHEAD, overhead);
    memcpy(h + VMDK_LINE_ENDS, "\n \r\n", 4); /* spoilt by a transfer that changes line ends */
    stle16(h + VMDK_ALGORITHM, o->subformat->compressed);
    int err = node_pwrite(file, 0, h, sizeof(h), 0);
    err = err ? err : node_zero(file, VMDK_SECTOR, (overhead - 1) * VMDK_SECTOR, 0);
    err = err || !entries ? err : write_directory(file, rgd, entries, gd_sectors, TABLE_SECTORS);
    return err || !entries ? err : write_directory(file, gd, entries, gd_sectors, TABLE_SECTORS);
}

/* -- the image ------------------------------------------------------------------------------------------------------- */

static bool create_extent(const char *path, uint64_t size, const CreateOptions *o, const Json *options, Error **errp)
{
    BlockNode *file = format_create_file(path, options, errp);

    if (!file) {
        return false;
    }
    bool ok = true;
    if (o->subformat->flat) {
        ok = node_truncate(file, size, false, PREALLOC_OFF, errp);
    } else {
        int err = write_sparse(file, size, o);
        ok = !err;
        if (err) {
            error_set_errno(errp, -err, "Could not write the extent '%s'", path);
        }
    }
    node_unref(file);
    return ok;
}

/* Creates the extents and returns their lines; NULL: failed. */
static char *create_extents(const char *filename, const CreateOptions *o, const Json *options, Error **errp)
{
    const char *slash = strrchr(filename, '/'), *name = slash ? slash + 1 : filename, *dot = strrchr(name, '.');
    bool has_suffix = dot && !strcmp(dot, ".vmdk");
    int stem = (int)(has_suffix ? dot - name : (ptrdiff_t)strlen(name)), folder = (int)(name - filename);
    char *lines = xstrdup("");
    uint64_t left = o->size;

    for (unsigned i = 1; left || i == 1; i++) {
        uint64_t bytes = o->subformat->split ? MIN(left, VMDK_EXTENT_LIMIT) : left;
        char *own, *path;
        if (o->subformat->split) {
            own = xasprintf("%.*s-%c%03u%s", stem, name, o->subformat->flat ? 'f' : 's', i, has_suffix ? ".vmdk" : "");
        } else if (o->subformat->flat) {
            own = xasprintf("%.*s-flat%s", stem, name, has_suffix ? ".vmdk" : "");
        } else {
            own = xstrdup(name);
        }
        path = xasprintf("%.*s%s", folder, filename, own);
        if (!(left || !o->subformat->split)) { /* none at all */
            free(own);
            free(path);
            break;
        }
        bool ok = create_extent(path, bytes, o, options, errp);
        char *more = xasprintf(o->subformat->flat ? "%sRW %" PRIu64 " FLAT \"%s\" 0\n" : "%sRW %" PRIu64 " SPARSE \"%s\"\n", lines, bytes / VMDK_SECTOR, own);
        free(lines);
        free(own);
        free(path);
        lines = more;
        if (!ok) {
            free(lines);
            return NULL;
        }
        left -= bytes;
    }
    return lines;
}

static char *make_descriptor(const CreateOptions *o, const char *extents)
{
    unsigned heads = !strcmp(o->adapter, "ide") ? 16 : 255;
    uint32_t cid;
    char *hint = o->backing ? xasprintf("parentFileNameHint=\"%s\"", o->backing) : xstrdup("");

    if (!random_bytes(&cid, sizeof(cid), true) || cid == VMDK_NO_PARENT) {
        cid = 0x123456;
    }
    char *text = xasprintf("# Disk DescriptorFile\nversion=1\nCID=%08" PRIx32 "\nparentCID=%08" PRIx32 "\ncreateType=\"%s\"\n%s\n# Extent description\n%s\n"
                           "# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"%s\"\nddb.geometry.cylinders = \"%" PRIu64 "\"\n"
                           "ddb.geometry.heads = \"%u\"\nddb.geometry.sectors = \"63\"\nddb.adapterType = \"%s\"\nddb.toolsVersion = \"%s\"\n",
                           cid, o->parent_cid, o->subformat->name, hint, extents, o->hwversion, o->size / (63u * heads * VMDK_SECTOR), heads, o->adapter,
                           o->toolsversion);
    free(hint);
    return text;
}

bool vmdk_create(const char *filename, const Json *options, Error **errp)
{
    CreateOptions o = { 0 };

    if (!read_options(options, &o, errp) || !read_parent_cid(filename, &o, errp)) {
        return false;
    }
    char *extents = create_extents(filename, &o, options, errp);
    if (!extents) {
        return false;
    }
    char *text = make_descriptor(&o, extents);
    bool own_file = o.subformat->flat || o.subformat->split, ok = true;
    size_t bytes = strlen(text);
    if (!own_file && bytes > VMDK_DESCRIPTOR_SECTORS * VMDK_SECTOR) {
        error_set(errp, "the descriptor is too long");
        ok = false;
    }
    BlockNode *file = !ok ? NULL : own_file ? format_create_file(filename, options, errp) : node_open_protocol(filename, BLOCK_RDWR, errp);
    ok = file != NULL;
    if (ok) {
        int err = node_pwrite(file, own_file ? 0 : VMDK_SECTOR, text, bytes, 0);
        ok = !err;
        if (err) {
            error_set_errno(errp, -err, "Could not write description");
        }
    }
    node_unref(file);
    free(text);
    free(extents);
    return ok;
}
