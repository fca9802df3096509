/*
 * ns.c: namespaces: "nvme-ns" devices on a controller's bus, and the one of the controller's own drive=.
 */
#include <stdio.h>

#include "hw/nvme/nvme.h"
#include "util/random.h"

const BusType nvme_bus_type = {
    .type = { .name = "nvme-bus", .parent = "bus", .size_bytes = sizeof(Bus), .summary = "namespaces of an NVMe controller" },
    .kind = "nvme-bus",
};
OBJECT_TYPE_REGISTER(nvme_bus_type);

static bool parse_uuid(const char *text, uint8_t out[16])
{
    unsigned n = 0;

    for (; *text; text++) {
        if (*text == '-' && (n == 8 || n == 12 || n == 16 || n == 20)) {
            continue;
        }
        int digit = *text >= '0' && *text <= '9' ? *text - '0' : (*text | 32) >= 'a' && (*text | 32) <= 'f' ? (*text | 32) - 'a' + 10 : -1;
        if (digit < 0 || n == 32) {
            return false;
        }
        out[n / 2] = (uint8_t)(n & 1 ? out[n / 2] | digit : digit << 4);
        n++;
    }
    return n == 32;
}

bool nvme_ns_attach(NvmeCtrl *n, NvmeNs *ns, Error **errp)
{
    for (uint32_t id = 1; !ns->nsid && id <= NVME_MAX_NS; id++) {
        ns->nsid = n->ns[id] ? 0 : id;
    }
    if (!ns->nsid || ns->nsid > NVME_MAX_NS) {
        error_set(errp, ns->nsid ? "invalid namespace id (must be between 0 and %u)" : "no free namespace id", NVME_MAX_NS);
        return false;
    }
    if (n->ns[ns->nsid]) {
        error_set(errp, "namespace id '%u' already allocated", ns->nsid);
        return false;
    }
    if (ns->uuid_text && strcmp(ns->uuid_text, "auto")) {
        if (!parse_uuid(ns->uuid_text, ns->uuid)) {
            error_set(errp, "'%s' is not a valid UUID", ns->uuid_text);
            return false;
        }
    } else if (!random_bytes(ns->uuid, sizeof(ns->uuid), true)) {
        error_set(errp, "the host gives no random numbers");
        return false;
    } else {
        ns->uuid[6] = (uint8_t)((ns->uuid[6] & 0x0f) | 0x40); /* RFC 4122: random */
        ns->uuid[8] = (uint8_t)((ns->uuid[8] & 0x3f) | 0x80);
    }
    ns->lba_shift = (unsigned)__builtin_ctzll(ns->conf.logical_block_size);
    ns->n = n;
    n->ns[ns->nsid] = ns;
    return true;
}

static void ns_changed(NvmeCtrl *n, uint32_t nsid)
{
    for (uint32_t i = 0; i < n->n_changed_ns; i++) {
        if (n->changed_ns[i] == nsid) {
            return;
        }
    }
    if (n->n_changed_ns < NVME_MAX_NS) {
        n->changed_ns[n->n_changed_ns++] = nsid;
    }
    if (n->features[0x0b] & 1 << 8) {
        nvme_event(n, 2, 0, 4); /* notice: namespace attributes changed */
    }
}

/* The drive has been drained. */
void nvme_ns_detach(NvmeNs *ns)
{
    NvmeCtrl *n = ns->n;

    block_drain(ns->conf.blk);
    for (NvmeRequest *r = n->requests; r; r = r->next) {
        r->ns = r->ns == ns ? NULL : r->ns;
    }
    n->ns[ns->nsid] = NULL;
}

static bool ns_realize(Device *dev, Error **errp)
{
    NvmeNs *ns = (NvmeNs *)dev;
    NvmeCtrl *n = (NvmeCtrl *)dev->bus->parent;

    if (!block_conf_attach(&ns->conf, dev, false, false, 512, errp)) {
        return false;
    }
    if (!nvme_ns_attach(n, ns, errp)) {
        block_conf_detach(&ns->conf);
        return false;
    }
    if (dev->hotplugged) {
        ns_changed(n, ns->nsid);
    }
    return true;
}

static void ns_unrealize(Device *dev)
{
    NvmeNs *ns = (NvmeNs *)dev;
    NvmeCtrl *n = ns->n;

    nvme_ns_detach(ns);
    block_conf_detach(&ns->conf);
    ns_changed(n, ns->nsid);
}

static const Property ns_props[] = {
    BLOCK_CONF_PROPS(NvmeNs, conf),
    PROP_U32("nsid", NvmeNs, nsid, 0, "Namespace id; 0: the first that is free"),
    PROP_U64("eui64", NvmeNs, eui64, 0, "EUI-64; 0: none"),
    PROP_STR("uuid", NvmeNs, uuid_text, "UUID, or \"auto\" (default) for a random one"),
};

static const DeviceType nvme_ns_type = {
    .type = { .name = "nvme-ns", .parent = "device", .size_bytes = sizeof(NvmeNs), .summary = "virtual NVMe namespace",
              .props = ns_props, .n_props = ARRAY_SIZE(ns_props) },
    .category = DEVICE_STORAGE, .bus = "nvme-bus", .realize = ns_realize, .unrealize = ns_unrealize, .user_creatable = true,
    .hotpluggable = true,
};
DEVICE_TYPE_REGISTER(nvme_ns_type);
