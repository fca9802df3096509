/*
 * identify.c: what the controller and its namespaces are.
 *
 * Specification: NVM Express 1.4, 5.15.
 */
#include <stdio.h>

#include "hw/nvme/nvme.h"
#include "softmmu/version.h"

enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1, CNS_ACTIVE_LIST = 2, CNS_DESCRIPTORS = 3, CNS_ALLOCATED_LIST = 0x10, CNS_ALLOCATED_NS = 0x11 };
enum { IDENTIFY_BYTES = 4096 };

static void padded(uint8_t *to, const char *text, size_t bytes)
{
    size_t len = strnlen(text, bytes);

    memset(to, ' ', bytes);
    memcpy(to, text, len);
}

/* Figure 247 */
static void identify_controller(NvmeCtrl *n, uint8_t *id)
{
    char version[16];

    snprintf(version, sizeof(version), "%d.%d.%d", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR, EMULATOR_COMPAT_MICRO);
    stle16(id, pci_get16(&n->pci, PCI_VENDOR_ID));
    stle16(id + 2, pci_get16(&n->pci, PCI_SUBSYSTEM_VENDOR));
    padded(id + 4, n->conf.serial, 20);
    padded(id + 24, "QEMU NVMe Ctrl", 40);
    padded(id + 64, version, 8);
    id[72] = 6;                          /* arbitration burst */
    id[73] = 0x00;                       /* IEEE OUI 52:54:00, least significant byte first */
    id[74] = 0x54;
    id[75] = 0x52;
    id[77] = n->mdts;
    stle32(id + 80, 0x00010400);
    stle32(id + 92, 1 << 8);             /* events for namespaces that change */
    id[111] = 1;                         /* I/O controller */
    id[258] = 3;                         /* four Abort commands */
    id[259] = n->aerl;
    id[260] = 1 << 1 | 1;                /* one firmware slot, read only */
    id[261] = 1 << 2 | 1 << 1;           /* log offsets, commands supported */
    stle16(id + 266, 0x157);             /* 70 °C */
    stle16(id + 268, 0x175);             /* 100 °C */
    id[512] = 0x66;
    id[513] = 0x44;
    stle32(id + 516, NVME_MAX_NS);
    stle16(id + 520, 1 << 6 | 1 << 3 | 1 << 2 | 1); /* timestamp, write zeroes, data set management, compare */
    id[525] = 3 << 1 | 1;                /* write cache; FLUSH may be for all namespaces */
    snprintf((char *)id + 768, 256, "nqn.2019-08.org.qemu:%.200s", n->conf.serial);
    stle16(id + 2048, 0x9c4);            /* power state 0: 25 W */
    stle32(id + 2052, 0x10);
    stle32(id + 2056, 0x4);
}

/* Figure 245 */
static void identify_namespace(const NvmeNs *ns, uint8_t *id)
{
    uint64_t blocks = block_size_bytes(ns->conf.blk) >> ns->lba_shift;

    stle64(id, blocks);
    stle64(id + 8, blocks);
    stle64(id + 16, blocks);
    id[24] = 1 << 4 | 1 << 2;            /* preferred sizes are given; deallocated blocks are an error nowhere */
    id[30] = 0;
    id[33] = 1 | 1 << 3;                 /* deallocated blocks read as zeros; write zeroes may deallocate */
    uint64_t granularity = ns->conf.discard_granularity == UINT32_MAX ? 4096 : ns->conf.discard_granularity;
    uint64_t unit = MAX(granularity >> ns->lba_shift, 1u) - 1;
    stle16(id + 68, (uint16_t)MIN(unit, 65535)); /* deallocation granularity and alignment */
    stle16(id + 70, (uint16_t)MIN(unit, 65535));
    if (block_is_readonly(ns->conf.blk)) {
        id[99] = 1;                      /* write protected */
    }
    stbe64(id + 120, ns->eui64);
    id[128 + 2] = (uint8_t)ns->lba_shift;
}

static uint32_t active_list(const NvmeCtrl *n, uint32_t after, uint8_t *out)
{
    uint32_t count = 0;

    for (uint32_t id = 1; id <= NVME_MAX_NS; id++) {
        if (n->ns[id] && id > after) {
            stle32(out + 4 * count++, id);
        }
    }
    return count;
}

static void descriptors(const NvmeNs *ns, uint8_t *out)
{
    unsigned at = 0;

    out[at] = 3;                         /* UUID */
    out[at + 1] = 16;
    memcpy(out + at + 4, ns->uuid, 16);
    at += 20;
    if (ns->eui64) {
        out[at] = 1;
        out[at + 1] = 8;
        stbe64(out + at + 4, ns->eui64);
        at += 12;
    }
    out[at] = 4;                         /* command set: NVM */
    out[at + 1] = 1;
}

uint16_t nvme_identify(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    uint32_t nsid = ldle32(r->cmd + 4);
    uint8_t out[IDENTIFY_BYTES] = { 0 };
    const NvmeNs *ns = nsid && nsid <= NVME_MAX_NS ? n->ns[nsid] : NULL;

    switch (nvme_dw(r, 10) & 0xff) {
    case CNS_NAMESPACE: case CNS_ALLOCATED_NS:
        if (!nsid || (nsid > NVME_MAX_NS && nsid != UINT32_MAX)) {
            return NVME_INVALID_NS | NVME_DNR;
        }
        if (ns) {
            identify_namespace(ns, out); /* of an inactive one: zeros */
        } else if (nsid == UINT32_MAX) { /* what all have in common */
            out[128 + 2] = 9;
        }
        break;
    case CNS_CONTROLLER:
        identify_controller(n, out);
        break;
    case CNS_ACTIVE_LIST: case CNS_ALLOCATED_LIST:
        if (nsid >= UINT32_MAX - 1) {
            return NVME_INVALID_NS | NVME_DNR;
        }
        active_list(n, nsid, out);
        break;
    case CNS_DESCRIPTORS:
        if (!ns) {
            return NVME_INVALID_NS | NVME_DNR;
        }
        descriptors(ns, out);
        break;
    default:
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    return nvme_reply(r, out, sizeof(out), 0, sizeof(out));
}
