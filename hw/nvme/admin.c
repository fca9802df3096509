/*
 * admin.c: admin commands: queues, features, log pages, abort, asynchronous event requests.
 *
 * Specification: NVM Express 1.4, 5. Leaves out: namespace and firmware management, security, directives, format.
 */
#include "hw/nvme/nvme.h"
#include "softmmu/clock.h"

enum { OP_DELETE_SQ = 0, OP_CREATE_SQ = 1, OP_GET_LOG = 2, OP_DELETE_CQ = 4, OP_CREATE_CQ = 5, OP_IDENTIFY = 6, OP_ABORT = 8,
       OP_SET_FEATURES = 9, OP_GET_FEATURES = 0xa, OP_ASYNC_EVENT = 0xc };
enum { FEAT_ARBITRATION = 1, FEAT_POWER = 2, FEAT_TEMPERATURE = 4, FEAT_ERROR_RECOVERY = 5, FEAT_WRITE_CACHE = 6,
       FEAT_QUEUES = 7, FEAT_COALESCING = 8, FEAT_VECTOR = 9, FEAT_ATOMICITY = 0xa, FEAT_EVENTS = 0xb, FEAT_TIMESTAMP = 0xe };
enum { LOG_ERROR = 1, LOG_HEALTH = 2, LOG_FIRMWARE = 3, LOG_CHANGED_NS = 4, LOG_EFFECTS = 5, KELVIN_ROOM = 0x143 };

/* -- queues ---------------------------------------------------------------------------------------------------------------- */

static unsigned n_queues(const NvmeCtrl *n)
{
    return n->max_ioqpairs + 1;
}

static uint16_t create_cq(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xffff, entries = (nvme_dw(r, 10) >> 16) + 1, flags = nvme_dw(r, 11) & 0xffff;
    unsigned vector = nvme_dw(r, 11) >> 16;
    gpa addr = ldle64(r->cmd + 24);

    if (!id || id >= n_queues(n) || n->cqs[id]) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    if (entries < 2 || entries > NVME_QUEUE_ENTRIES) {
        return NVME_INVALID_QSIZE | NVME_DNR;
    }
    if (addr % n->page_bytes) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    if (vector >= n->msix_qsize || (!pci_msix_enabled(&n->pci) && vector)) {
        return NVME_INVALID_VECTOR | NVME_DNR;
    }
    if (!(flags & 1)) { /* physically contiguous only: CAP.CQR */
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    return nvme_create_cq(n, id, addr, entries, vector, flags & 2);
}

static uint16_t create_sq(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xffff, entries = (nvme_dw(r, 10) >> 16) + 1, cqid = nvme_dw(r, 11) >> 16;
    gpa addr = ldle64(r->cmd + 24);

    if (!cqid || cqid >= n_queues(n) || !n->cqs[cqid]) {
        return NVME_INVALID_CQ | NVME_DNR;
    }
    if (!id || id >= n_queues(n) || n->sqs[id]) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    if (entries < 2 || entries > NVME_QUEUE_ENTRIES) {
        return NVME_INVALID_QSIZE | NVME_DNR;
    }
    if (addr % n->page_bytes) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    if (!(nvme_dw(r, 11) & 1)) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    return nvme_create_sq(n, id, cqid, addr, entries);
}

static uint16_t delete_sq(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xffff;

    if (!id || id >= n_queues(n) || !n->sqs[id]) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    /* What is under way ends first; those completions are posted as usual. */
    for (unsigned i = 1; i <= NVME_MAX_NS; i++) {
        if (n->ns[i]) {
            block_drain(n->ns[i]->conf.blk);
        }
    }
    nvme_delete_sq(n, id);
    return NVME_OK;
}

static uint16_t delete_cq(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xffff;

    if (!id || id >= n_queues(n) || !n->cqs[id]) {
        return NVME_INVALID_QID | NVME_DNR;
    }
    if (n->cqs[id]->users) {
        return NVME_INVALID_QDELETE | NVME_DNR;
    }
    nvme_delete_cq(n, id);
    return NVME_OK;
}

/* 5.1: best effort. Commands on their way to the medium cannot be stopped; events that are waited for can. */
static uint16_t abort_command(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned sqid = nvme_dw(r, 10) & 0xffff, cid = nvme_dw(r, 10) >> 16;

    r->result = 1; /* not aborted */
    if (sqid >= n_queues(n) || !n->sqs[sqid]) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    for (unsigned i = 0; sqid == 0 && i < n->n_aers; i++) {
        NvmeRequest *aer = n->aers[i];
        if (aer->cid == cid) {
            n->aers[i] = n->aers[--n->n_aers];
            nvme_complete(aer, NVME_ABORTED);
            r->result = 0;
            break;
        }
    }
    return NVME_OK;
}

static uint16_t async_event(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;

    if (n->n_aers > n->aerl || n->n_aers == NVME_AER_MAX) {
        return NVME_AER_LIMIT | NVME_DNR;
    }
    n->aers[n->n_aers++] = r;
    nvme_flush_events(n);
    return NVME_PENDING;
}

/* -- features (5.21) ---------------------------------------------------------------------------------------------------------- */

void nvme_reset_features(NvmeCtrl *n)
{
    memset(n->features, 0, sizeof(n->features));
    n->features[FEAT_ARBITRATION] = 7;           /* no limit */
    n->features[FEAT_TEMPERATURE] = 0x157;
    n->features[FEAT_EVENTS] = 1 << 8;
    n->queues_granted = n->max_ioqpairs;
    n->timestamp_ms = 0;
    n->timestamp_at_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
    n->n_changed_ns = 0;
    n->write_cache = true;
}

static bool is_feature(unsigned id)
{
    return (id >= FEAT_ARBITRATION && id <= FEAT_EVENTS && id != 3) || id == FEAT_TIMESTAMP;
}

static bool is_changeable(unsigned id)
{
    return id != FEAT_ERROR_RECOVERY;
}

uint16_t nvme_get_features(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xff, select = nvme_dw(r, 10) >> 8 & 7;

    if (!is_feature(id) || select > 3) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (select == 3) { /* what can be done with it */
        r->result = is_changeable(id) ? 4 : 0;
        return NVME_OK;
    }
    switch (id) {
    case FEAT_WRITE_CACHE:
        r->result = select == 0 ? n->write_cache : 1;
        return NVME_OK;
    case FEAT_QUEUES:
        r->result = (n->queues_granted - 1) | (n->queues_granted - 1) << 16;
        return NVME_OK;
    case FEAT_VECTOR: {
        unsigned vector = nvme_dw(r, 11) & 0xffff;
        if (vector >= n->msix_qsize) {
            return NVME_INVALID_FIELD | NVME_DNR;
        }
        r->result = vector | (vector == 0 ? 1 << 16 : 0); /* no coalescing */
        return NVME_OK;
    }
    case FEAT_TEMPERATURE:
        r->result = nvme_dw(r, 11) >> 20 & 3 ? 0 : nvme_dw(r, 11) >> 16 & 15 ? 0 : n->features[id];
        return NVME_OK;
    case FEAT_TIMESTAMP: {
        uint8_t out[8] = { 0 };
        uint64_t ms = n->timestamp_ms + (uint64_t)((clock_get_ns(VM_CLOCK_VIRTUAL) - n->timestamp_at_ns) / NS_PER_MS);
        stle64(out, (ms & 0xffffffffffff) | (n->timestamp_ms ? UINT64_C(1) << 49 : 0)); /* origin: Set Features */
        return nvme_reply(r, out, sizeof(out), 0, sizeof(out));
    }
    default:
        r->result = n->features[id];
        return NVME_OK;
    }
}

uint16_t nvme_set_features(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    unsigned id = nvme_dw(r, 10) & 0xff;
    uint32_t value = nvme_dw(r, 11);

    if (nvme_dw(r, 10) & UINT32_C(0x80000000)) {
        return NVME_NOT_SAVEABLE | NVME_DNR;
    }
    if (!is_feature(id)) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (!is_changeable(id)) {
        return NVME_NOT_CHANGEABLE | NVME_DNR;
    }
    switch (id) {
    case FEAT_WRITE_CACHE:
        n->write_cache = value & 1;
        return NVME_OK;
    case FEAT_QUEUES: {
        uint32_t wanted_sq = (value & 0xffff) + 1, wanted_cq = (value >> 16) + 1;
        if (wanted_sq > 0xffff || wanted_cq > 0xffff) {
            return NVME_INVALID_FIELD | NVME_DNR;
        }
        n->queues_granted = n->max_ioqpairs;
        r->result = (n->max_ioqpairs - 1) | (n->max_ioqpairs - 1) << 16;
        return NVME_OK;
    }
    case FEAT_POWER:
        if (value & 31) {
            return NVME_INVALID_FIELD | NVME_DNR;
        }
        n->features[id] = 0;
        return NVME_OK;
    case FEAT_TEMPERATURE:
        if (!(value >> 16 & 0x3f)) { /* the composite sensor's upper limit */
            n->features[id] = value & 0xffff;
        }
        return NVME_OK;
    case FEAT_VECTOR:
        return (value & 0xffff) < n->msix_qsize ? NVME_OK : NVME_INVALID_FIELD | NVME_DNR;
    case FEAT_TIMESTAMP: {
        uint8_t in[8];
        uint16_t status = nvme_map(r, sizeof(in));
        if (status != NVME_OK) {
            return status;
        }
        if (dma_list_read(&n->pci.dma, &r->list, 0, in, sizeof(in)) != sizeof(in)) {
            return NVME_TRANSFER_ERROR;
        }
        n->timestamp_ms = ldle64(in) & 0xffffffffffff;
        n->timestamp_at_ns = clock_get_ns(VM_CLOCK_VIRTUAL);
        return NVME_OK;
    }
    default:
        n->features[id] = value;
        return NVME_OK;
    }
}

/* -- log pages (5.14) ------------------------------------------------------------------------------------------------------------ */

static void health(NvmeCtrl *n, uint8_t *out)
{
    stle16(out + 1, KELVIN_ROOM);
    out[3] = 100;                                /* spare */
    out[4] = 10;
    stle64(out + 32, DIV_ROUND_UP(n->read_bytes, 512000));  /* units of 1000 sectors */
    stle64(out + 48, DIV_ROUND_UP(n->write_bytes, 512000));
    stle64(out + 64, n->reads);
    stle64(out + 80, n->writes);
    stle64(out + 112, 1);                        /* power cycles */
}

static void effects(uint8_t *out)
{
    static const uint8_t admin[] = { OP_DELETE_SQ, OP_CREATE_SQ, OP_GET_LOG, OP_DELETE_CQ, OP_CREATE_CQ, OP_IDENTIFY, OP_ABORT,
                                     OP_SET_FEATURES, OP_GET_FEATURES, OP_ASYNC_EVENT };
    static const struct { uint8_t op; bool changes; } io[] = { { 0, true }, { 1, true }, { 2, false }, { 5, false }, { 8, true }, { 9, true } };

    for (size_t i = 0; i < ARRAY_SIZE(admin); i++) {
        stle32(out + admin[i] * 4, 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(io); i++) {
        stle32(out + 1024 + io[i].op * 4, 1 | (io[i].changes ? 2 : 0));
    }
}

uint16_t nvme_get_log(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;
    uint32_t dw10 = nvme_dw(r, 10), id = dw10 & 0xff;
    uint64_t dwords = (dw10 >> 16) + ((uint64_t)(nvme_dw(r, 11) & 0xffff) << 16) + 1;
    uint64_t skip = nvme_dw(r, 12) | (uint64_t)nvme_dw(r, 13) << 32;
    bool retain = dw10 & 1 << 15;
    uint8_t out[4096] = { 0 };
    uint32_t bytes;

    if (skip & 3) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    switch (id) {
    case LOG_ERROR: bytes = 64; break;           /* no error has been recorded */
    case LOG_HEALTH:
        bytes = 512;
        health(n, out);
        break;
    case LOG_FIRMWARE:
        bytes = 512;
        out[0] = 1;
        memcpy(out + 8, "1.0     ", 8);
        break;
    case LOG_CHANGED_NS:
        bytes = 4096;
        for (uint32_t i = 0; i < n->n_changed_ns; i++) {
            stle32(out + i * 4, n->changed_ns[i]);
        }
        break;
    case LOG_EFFECTS:
        bytes = 4096;
        effects(out);
        break;
    default:
        return NVME_INVALID_LOG | NVME_DNR;
    }
    uint16_t status = nvme_reply(r, out, bytes, skip, (uint32_t)MIN(dwords * 4, UINT32_MAX));
    if (status == NVME_OK && !retain) {
        /* 5.2: reading the page lets events of its kind through again. */
        n->event_masked &= (uint8_t)~(id == LOG_ERROR ? 1 << 0 : id == LOG_HEALTH ? 1 << 1 : id == LOG_CHANGED_NS ? 1 << 2 : 0);
        n->n_changed_ns = id == LOG_CHANGED_NS ? 0 : n->n_changed_ns;
        nvme_flush_events(n);
    }
    return status;
}

uint16_t nvme_admin(NvmeRequest *r)
{
    switch (r->cmd[0]) {
    case OP_DELETE_SQ: return delete_sq(r);
    case OP_CREATE_SQ: return create_sq(r);
    case OP_GET_LOG: return nvme_get_log(r);
    case OP_DELETE_CQ: return delete_cq(r);
    case OP_CREATE_CQ: return create_cq(r);
    case OP_IDENTIFY: return nvme_identify(r);
    case OP_ABORT: return abort_command(r);
    case OP_SET_FEATURES: return nvme_set_features(r);
    case OP_GET_FEATURES: return nvme_get_features(r);
    case OP_ASYNC_EVENT: return async_event(r);
    default: return NVME_INVALID_OPCODE | NVME_DNR;
    }
}
