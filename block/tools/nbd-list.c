/*
 * nbd-list.c: qemu-nbd -L: the exports of another server, as a person reads them.
 */
#include <stdio.h>
#include <string.h>

#include "block/nbd/client.h"
#include "block/tools/nbd.h"
#include "util/alloc.h"

static const char *const flag_names[16] = {
    [1] = "readonly", [2] = "flush", [3] = "fua", [4] = "rotational", [5] = "trim", [6] = "zeroes", [7] = "df", [8] = "multi", [9] = "resize", [10] = "cache",
    [11] = "fast-zero", [12] = "block-status-payload",
};

static void print_export(const NbdInfo *info)
{
    printf(" export: '%s'\n", info->name);
    if (info->description && *info->description) {
        printf("  description: %s\n", info->description);
    }
    if (info->flags & NBD_HAS_FLAGS) {
        printf("  size:  %" PRIu64 "\n  flags: 0x%x (", info->size_bytes, info->flags);
        for (unsigned i = 1; i < ARRAY_SIZE(flag_names); i++) {
            if (info->flags >> i & 1 && flag_names[i]) {
                printf(" %s", flag_names[i]);
            }
        }
        printf(" )\n");
    }
    if (info->has_block_size) {
        printf("  min block: %u\n  opt block: %u\n  max block: %u\n", info->min_block, info->opt_block, info->max_block);
    }
    if (info->extended) {
        printf("  transaction size: 64-bit\n");
    }
    if (info->n_contexts) {
        printf("  available meta contexts: %zu\n", info->n_contexts);
        for (size_t i = 0; i < info->n_contexts; i++) {
            printf("   %s\n", info->contexts[i].name);
        }
    }
}

typedef struct ListRun {
    const Address *address;
    const TlsCreds *tls;
    const char *hostname;
    NbdInfo *list;
    size_t n;
    bool ok;
    Error **errp;
} ListRun;

static void list_entry(void *opaque)
{
    ListRun *run = opaque;
    NbdInfo oldstyle_info = { 0 };
    bool oldstyle;
    int fd = address_co_connect(run->address, run->errp);

    if (fd < 0) {
        return;
    }
    NbdHandshake h = { .ch = channel_new(fd), .tls = run->tls, .headers = NBD_HEADERS_EXTENDED, .hostname = run->hostname };
    if (!h.hostname && run->address->kind == ADDRESS_INET) {
        h.hostname = run->address->host;
    }
    oldstyle_info.name = xstrdup("");
    run->ok = nbd_co_greet(&h, &oldstyle_info, &oldstyle, run->errp);
    if (run->ok && oldstyle) {
        run->list = xnew(NbdInfo);
        *run->list = oldstyle_info;
        run->n = 1;
    } else {
        nbd_info_free(&oldstyle_info);
        run->ok = run->ok && nbd_co_list(&h, &run->list, &run->n, run->errp);
    }
    channel_free(h.ch);
}

bool nbd_list_exports(const Address *address, const TlsCreds *tls, const char *hostname, Error **errp)
{
    ListRun run = { .address = address, .tls = tls, .hostname = hostname, .errp = errp };

    ioctx_run(ioctx_main(), list_entry, &run);
    if (run.ok) {
        printf("exports available: %zu\n", run.n);
    }
    for (size_t i = 0; i < run.n; i++) {
        if (run.ok) {
            print_export(&run.list[i]);
        }
        nbd_info_free(&run.list[i]);
    }
    free(run.list);
    return run.ok;
}
