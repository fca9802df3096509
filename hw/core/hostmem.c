/*
 * hostmem.c: memory backends, guest RAM with a say where it comes from.
 * Left out: NUMA policy (host-nodes, policy), huge page sizes of memfd, file alignment.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "hw/hostmem.h"

typedef struct HostMem {
    Object obj;
    uint64_t size;
    bool share, prealloc, merge, dump, readonly, discard_data;
    char *mem_path;
    MemoryRegion region;
    void *host;
    int fd;
} HostMem;

static void hostmem_init(Object *obj)
{
    HostMem *h = (HostMem *)obj;

    h->fd = -1;
    h->merge = h->dump = true;
}

static void memfd_init(Object *obj)
{
    ((HostMem *)obj)->share = true;
}

static void hostmem_finish(Object *obj)
{
    HostMem *h = (HostMem *)obj;

    memory_region_finish(&h->region);
    if (h->host) {
        memory_synchronize();
        munmap(h->host, ROUND_UP(h->size, MEMORY_PAGE_BYTES));
    }
    if (h->fd >= 0) {
        close(h->fd);
    }
}

static bool file_open(HostMem *h, Error **errp)
{
    struct stat st;

    if (!h->mem_path) {
        error_set(errp, "mem-path property not set");
        return false;
    }
    if (!stat(h->mem_path, &st) && S_ISDIR(st.st_mode)) {
        char *name = xasprintf("%s/guest-ram-XXXXXX", h->mem_path);
        h->fd = mkostemp(name, O_CLOEXEC);
        if (h->fd >= 0) {
            unlink(name);
        }
        free(name);
    } else {
        h->fd = open(h->mem_path, (h->readonly ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0644);
    }
    if (h->fd < 0 || fstat(h->fd, &st) < 0) {
        error_set_errno(errp, errno, "can't open backing store %s for guest RAM", h->mem_path);
        return false;
    }
    if ((uint64_t)st.st_size < h->size &&
        (h->readonly || ftruncate(h->fd, (off_t)h->size) < 0)) {
        error_set(errp, "backing store %s is smaller than %" PRIu64 " bytes", h->mem_path,
                  h->size);
        return false;
    }
    return true;
}

static bool hostmem_complete(Object *obj, Error **errp)
{
    HostMem *h = (HostMem *)obj;
    bool file = object_is_a(obj, "memory-backend-file");

    if (!h->size) {
        error_set(errp, "can't create backend with size 0");
        return false;
    }
    if (h->size > (uint64_t)1 << 46) {
        error_set(errp, "can't create backend with size %" PRIu64, h->size);
        return false;
    }
    if (file && !file_open(h, errp)) {
        return false;
    }
    if (!file && (h->share || object_is_a(obj, "memory-backend-memfd"))) {
        h->fd = memfd_create(h->obj.name, MFD_CLOEXEC);
        if (h->fd < 0 || ftruncate(h->fd, (off_t)h->size) < 0) {
            error_set_errno(errp, errno, "failed to create memfd for '%s'", h->obj.name);
            return false;
        }
    }
    int flags = (h->share ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE |
                (h->fd < 0 ? MAP_ANONYMOUS : 0) | (h->prealloc ? MAP_POPULATE : 0);
    void *host = mmap(NULL, ROUND_UP(h->size, MEMORY_PAGE_BYTES), PROT_READ | PROT_WRITE, flags,
                      h->fd, 0);
    if (host == MAP_FAILED) {
        error_set_errno(errp, errno, "cannot map %" PRIu64 " bytes for memory backend '%s'",
                        h->size, h->obj.name);
        return false;
    }
    h->host = host;
    madvise(host, h->size, MADV_HUGEPAGE);
    if (!h->dump) {
        madvise(host, h->size, MADV_DONTDUMP);
    }
    memory_region_init_ram_ptr(&h->region, obj, h->obj.name, h->size, host,
                               h->share ? h->fd : -1);
    return true;
}

MemoryRegion *memory_backend_region(Object *obj)
{
    HostMem *h = (HostMem *)obj;

    return object_is_a(obj, "memory-backend") && h->host ? &h->region : NULL;
}

static const Property hostmem_props[] = {
    { .name = "size", .kind = PROP_SIZE, .type_name = "int", .offset = offsetof(HostMem, size),
      .help = "Size of the memory region (ex: 500M)" },
    { .name = "share", .kind = PROP_BOOL, .offset = offsetof(HostMem, share),
      .help = "Mark the memory as private to QEMU or shared" },
    { .name = "prealloc", .kind = PROP_BOOL, .offset = offsetof(HostMem, prealloc),
      .help = "Preallocate memory" },
    { .name = "merge", .kind = PROP_BOOL, .offset = offsetof(HostMem, merge),
      .help = "Mark memory as mergeable" },
    { .name = "dump", .kind = PROP_BOOL, .offset = offsetof(HostMem, dump),
      .help = "Set to 'off' to exclude from core dump" },
};

static const ObjectType hostmem_base_type = {
    .name = "memory-backend",
    .parent = "object",
    .summary = "guest RAM",
    .size_bytes = sizeof(HostMem),
    .abstract = true,
    .props = hostmem_props,
    .n_props = ARRAY_SIZE(hostmem_props),
    .init = hostmem_init,
    .finish = hostmem_finish,
};
OBJECT_TYPE_REGISTER(hostmem_base_type);

static const ObjectType hostmem_ram_type = {
    .name = "memory-backend-ram",
    .parent = "memory-backend",
    .summary = "anonymous memory",
    .user_creatable = true,
    .complete = hostmem_complete,
};
OBJECT_TYPE_REGISTER(hostmem_ram_type);

static const Property file_props[] = {
    PROP_STR("mem-path", HostMem, mem_path, "backing file, or a folder for a temporary one"),
    { .name = "readonly", .kind = PROP_BOOL, .offset = offsetof(HostMem, readonly) },
    { .name = "discard-data", .kind = PROP_BOOL, .offset = offsetof(HostMem, discard_data) },
};

static const ObjectType hostmem_file_type = {
    .name = "memory-backend-file",
    .parent = "memory-backend",
    .summary = "memory in a file",
    .user_creatable = true,
    .props = file_props,
    .n_props = ARRAY_SIZE(file_props),
    .complete = hostmem_complete,
};
OBJECT_TYPE_REGISTER(hostmem_file_type);

static const ObjectType hostmem_memfd_type = {
    .name = "memory-backend-memfd",
    .parent = "memory-backend",
    .summary = "memory in an anonymous file that can be shared",
    .user_creatable = true,
    .init = memfd_init,
    .complete = hostmem_complete,
};
OBJECT_TYPE_REGISTER(hostmem_memfd_type);
