/*
 * queue.c: submission and completion queues: fetching commands, posting completions, interrupts, asynchronous events.
 *
 * Specification: NVM Express 1.4, 4.1 (queues), 4.6 (completion entries), 5.2 (asynchronous events), 7.5 (interrupts).
 */
#include "hw/nvme/nvme.h"
#include "util/log.h"

enum { SQE_BYTES = 64, CQE_BYTES = 16 };

/* -- interrupts ------------------------------------------------------------------------------------------------------------ */

void nvme_update_irq(NvmeCtrl *n)
{
    bool level = false;

    for (unsigned i = 0; i < NVME_MAX_QUEUES && !pci_msix_enabled(&n->pci); i++) {
        const NvmeCq *cq = n->cqs[i];
        level |= cq && cq->irq_enabled && cq->head != cq->tail && cq->vector < 32 && !(n->intms >> cq->vector & 1);
    }
    pci_set_irq(&n->pci, level);
}

static void interrupt(NvmeCtrl *n, const NvmeCq *cq)
{
    if (!cq->irq_enabled) {
        return;
    }
    if (pci_msix_enabled(&n->pci)) {
        pci_msix_notify(&n->pci, cq->vector);
    } else {
        nvme_update_irq(n);
    }
}

/* -- completions ------------------------------------------------------------------------------------------------------------ */

static void request_free(NvmeRequest *r)
{
    NvmeCtrl *n = r->n;

    *r->prev = r->next;
    if (r->next) {
        r->next->prev = r->prev;
    }
    n->n_requests--;
    dma_list_finish(&r->list);
    free(r->buf);
    free(r);
}

static bool is_full(const NvmeCq *cq)
{
    return (cq->tail + 1) % cq->entries == cq->head;
}

static void post(NvmeCtrl *n, NvmeCq *cq, NvmeRequest *r)
{
    uint8_t cqe[CQE_BYTES] = { 0 };

    stle32(cqe, r->result);
    stle16(cqe + 8, r->sq->head);
    stle16(cqe + 10, r->sq->id);
    stle16(cqe + 12, r->cid);
    stle16(cqe + 14, (uint16_t)(r->status << 1 | cq->phase));
    /* The phase bit tells that the entry is there: it goes last. */
    gpa at = cq->addr + (gpa)cq->tail * CQE_BYTES;
    dma_write(&n->pci.dma, at, cqe, 12);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    dma_write(&n->pci.dma, at + 12, cqe + 12, 4);
    if (++cq->tail == cq->entries) {
        cq->tail = 0;
        cq->phase = !cq->phase;
    }
    r->sq->in_flight--;
    request_free(r);
}

void nvme_post_waiting(NvmeCtrl *n, NvmeCq *cq)
{
    bool any = false;

    while (cq->waiting && !is_full(cq)) {
        NvmeRequest *r = cq->waiting;
        cq->waiting = r->next_waiting;
        if (!cq->waiting) {
            cq->waiting_last = &cq->waiting;
        }
        post(n, cq, r);
        any = true;
    }
    if (any) {
        interrupt(n, cq);
    }
}

/* Queues that had to wait for requests to end go on. */
static void resume(NvmeCtrl *n)
{
    if (n->stalled && n->n_requests < NVME_MAX_REQUESTS / 2) {
        n->stalled = false;
        for (unsigned i = 0; i < NVME_MAX_QUEUES; i++) {
            if (n->sqs[i]) {
                nvme_process(n, n->sqs[i]);
            }
        }
    }
}

void nvme_complete(NvmeRequest *r, uint16_t status)
{
    NvmeCtrl *n = r->n;
    NvmeSq *sq = r->sq;

    if (!sq) { /* the queue or the controller was reset meanwhile */
        request_free(r);
        return;
    }
    /* A message interrupt may be aimed at our own registers: they are deaf until we are done. */
    bool was_engaged = n->engaged;
    n->engaged = true;
    NvmeCq *cq = sq->cq;
    r->status = status;
    r->is_done = true;
    r->next_waiting = NULL;
    *cq->waiting_last = r;
    cq->waiting_last = &r->next_waiting;
    nvme_post_waiting(n, cq);
    if (!sq->running) {
        nvme_process(n, sq);
        resume(n);
    }
    n->engaged = was_engaged;
}

/* -- fetching ------------------------------------------------------------------------------------------------------------------ */

void nvme_process(NvmeCtrl *n, NvmeSq *sq)
{
    if (sq->running) {
        return;
    }
    sq->running = true;
    /* A round of the ring at most: the doorbell, or the next completion, brings us back. */
    for (unsigned i = 0; i < sq->entries && sq->head != sq->tail && sq->in_flight < sq->entries; i++) {
        if (n->n_requests >= NVME_MAX_REQUESTS) {
            n->stalled = true;
            break;
        }
        NvmeRequest *r = xnew(NvmeRequest);
        r->n = n;
        r->sq = sq;
        if (dma_read(&n->pci.dma, sq->addr + (gpa)sq->head * SQE_BYTES, r->cmd, SQE_BYTES) != MEM_OK) {
            log_guest_error("nvme: submission queue %u is not in memory\n", sq->id);
            free(r);
            n->csts |= 2; /* controller fatal status */
            break;
        }
        sq->head = (uint16_t)((sq->head + 1) % sq->entries);
        sq->in_flight++;
        r->cid = ldle16(r->cmd + 2);
        r->next = n->requests;
        r->prev = &n->requests;
        if (r->next) {
            r->next->prev = &r->next;
        }
        n->requests = r;
        n->n_requests++;
        /* Fused commands and SGLs are not offered (5.15.2.2). */
        uint16_t status = r->cmd[1] & 0xc3 ? NVME_INVALID_FIELD | NVME_DNR : sq->id ? nvme_io(r) : nvme_admin(r);
        if (status != NVME_PENDING) {
            nvme_complete(r, status);
        }
    }
    sq->running = false;
}

/* -- making and deleting ---------------------------------------------------------------------------------------------------------- */

uint16_t nvme_create_cq(NvmeCtrl *n, unsigned id, gpa addr, unsigned entries, unsigned vector, bool irq_enabled)
{
    NvmeCq *cq = xnew(NvmeCq);

    cq->id = (uint16_t)id;
    cq->addr = addr;
    cq->entries = (uint16_t)entries;
    cq->vector = (uint16_t)vector;
    cq->irq_enabled = irq_enabled;
    cq->phase = true;
    cq->waiting_last = &cq->waiting;
    n->cqs[id] = cq;
    return NVME_OK;
}

uint16_t nvme_create_sq(NvmeCtrl *n, unsigned id, unsigned cqid, gpa addr, unsigned entries)
{
    NvmeSq *sq = xnew(NvmeSq);

    sq->n = n;
    sq->id = (uint16_t)id;
    sq->cq = n->cqs[cqid];
    sq->cq->users++;
    sq->addr = addr;
    sq->entries = (uint16_t)entries;
    n->sqs[id] = sq;
    return NVME_OK;
}

/* Completions of the queue that have no place yet go with it. */
static void forget_waiting(NvmeSq *sq)
{
    NvmeRequest **at = &sq->cq->waiting;

    while (*at) {
        NvmeRequest *r = *at;
        if (r->sq == sq) {
            *at = r->next_waiting;
            request_free(r);
        } else {
            at = &r->next_waiting;
        }
    }
    sq->cq->waiting_last = at;
}

void nvme_delete_sq(NvmeCtrl *n, unsigned id)
{
    NvmeSq *sq = n->sqs[id];

    n->sqs[id] = NULL;
    forget_waiting(sq);
    for (NvmeRequest *r = n->requests; r; r = r->next) {
        r->sq = r->sq == sq ? NULL : r->sq;
    }
    sq->cq->users--;
    free(sq);
}

void nvme_delete_cq(NvmeCtrl *n, unsigned id)
{
    free(n->cqs[id]);
    n->cqs[id] = NULL;
    nvme_update_irq(n);
}

void nvme_drop_all(NvmeCtrl *n)
{
    for (unsigned i = 0; i < n->n_aers; i++) {
        NvmeRequest *r = n->aers[i];
        request_free(r);
    }
    n->n_aers = n->n_events = 0;
    n->event_masked = 0;
    for (unsigned i = 0; i < NVME_MAX_QUEUES; i++) {
        if (n->sqs[i]) {
            nvme_delete_sq(n, i);
        }
    }
    /* What the media still work on ends before the queues' memory is the guest's again. */
    for (unsigned i = 1; i <= NVME_MAX_NS; i++) {
        if (n->ns[i]) {
            block_drain(n->ns[i]->conf.blk);
        }
    }
    for (unsigned i = 0; i < NVME_MAX_QUEUES; i++) {
        if (n->cqs[i]) {
            nvme_delete_cq(n, i);
        }
    }
    n->stalled = false;
}

/* -- asynchronous events (5.2) ------------------------------------------------------------------------------------------------------ */

void nvme_flush_events(NvmeCtrl *n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n->n_events; i++) {
        NvmeEvent e = n->events[i];
        if (!n->n_aers || n->event_masked >> e.type & 1) {
            n->events[kept++] = e;
            continue;
        }
        NvmeRequest *r = n->aers[--n->n_aers];
        r->result = e.type | (uint32_t)e.info << 8 | (uint32_t)e.log << 16;
        n->event_masked |= (uint8_t)(1 << e.type);
        nvme_complete(r, NVME_OK);
    }
    n->n_events = kept;
}

void nvme_event(NvmeCtrl *n, uint8_t type, uint8_t info, uint8_t log)
{
    if (n->n_events < MIN(n->aer_max_queued, NVME_EVENTS_MAX)) {
        n->events[n->n_events++] = (NvmeEvent){ type, info, log };
        nvme_flush_events(n);
    }
}
