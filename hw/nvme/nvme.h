/*
 * nvme.h: an NVM Express controller, its queues and namespaces.
 *
 * A command is fetched into an NvmeRequest, which lives until its completion is in the completion queue (or the controller
 * is reset). The number of requests is bounded per controller and per submission queue, whatever the guest's rings say.
 *
 * Specification: NVM Express 1.4.
 */
#ifndef HW_NVME_H
#define HW_NVME_H

#include "hw/block-conf.h"
#include "hw/dma.h"
#include "hw/pci.h"

typedef struct NvmeCtrl NvmeCtrl;
typedef struct NvmeNs NvmeNs;
typedef struct NvmeSq NvmeSq;
typedef struct NvmeCq NvmeCq;
typedef struct NvmeRequest NvmeRequest;

enum { NVME_MAX_NS = 256, NVME_MAX_QUEUES = 256, NVME_QUEUE_ENTRIES = 2048, NVME_MAX_REQUESTS = 1024, NVME_AER_MAX = 8,
       NVME_EVENTS_MAX = 64, NVME_PAGE_MIN = 4096, NVME_COMPARE_BYTES = 16384 };

enum { /* status field: code type and code; 4.6.1 */
    NVME_OK = 0, NVME_INVALID_OPCODE = 1, NVME_INVALID_FIELD = 2, NVME_TRANSFER_ERROR = 4, NVME_INTERNAL = 6, NVME_ABORTED = 7,
    NVME_INVALID_NS = 0xb, NVME_INVALID_PRP_OFFSET = 0x13, NVME_LBA_RANGE = 0x80, NVME_CAPACITY = 0x81,
    NVME_INVALID_CQ = 0x100, NVME_INVALID_QID = 0x101, NVME_INVALID_QSIZE = 0x102, NVME_AER_LIMIT = 0x105,
    NVME_INVALID_VECTOR = 0x108, NVME_INVALID_LOG = 0x109, NVME_INVALID_QDELETE = 0x10c, NVME_NOT_SAVEABLE = 0x10d,
    NVME_NOT_CHANGEABLE = 0x10e, NVME_READ_ONLY = 0x182, NVME_WRITE_FAULT = 0x280, NVME_READ_ERROR = 0x281,
    NVME_COMPARE_FAILURE = 0x285, NVME_DNR = 0x4000, NVME_PENDING = 0xffff,
};

struct NvmeSq {
    NvmeCtrl *n;
    NvmeCq *cq;
    uint16_t id, entries, head, tail, in_flight;
    gpa addr;
    bool running;
};

struct NvmeCq {
    uint16_t id, entries, head, tail, vector;
    bool phase, irq_enabled;
    gpa addr;
    unsigned users;             /* submission queues */
    NvmeRequest *waiting, **waiting_last; /* completions there is no room for */
};

struct NvmeRequest {
    NvmeRequest *next, **prev;  /* of the controller */
    NvmeRequest *next_waiting;
    NvmeCtrl *n;
    NvmeSq *sq;                 /* NULL: the queue is gone, nobody waits */
    NvmeNs *ns;
    uint8_t cmd[64];
    uint16_t cid, status;
    uint32_t result;
    bool is_done;
    /* Data. */
    DmaList list;
    uint64_t at, left;          /* bytes; or ranges */
    uint8_t *buf;
    struct iovec iov;
};

typedef struct NvmeEvent { uint8_t type, info, log; } NvmeEvent;

struct NvmeCtrl {
    PciDevice pci;
    MemoryRegion bar, regs;
    Bus bus;
    BlockConf conf;             /* drive=: a namespace of the controller's own */
    uint32_t max_ioqpairs, num_queues, aer_max_queued;
    uint16_t msix_qsize;
    uint8_t mdts, aerl;
    /* Registers. */
    uint32_t intms, cc, csts, aqa;
    uint64_t asq, acq;
    NvmeSq *sqs[NVME_MAX_QUEUES];
    NvmeCq *cqs[NVME_MAX_QUEUES];
    uint32_t queues_granted;
    NvmeNs *ns[NVME_MAX_NS + 1]; /* by id */
    NvmeRequest *requests;
    unsigned n_requests;
    bool engaged;               /* at work: accesses to our registers from there are ignored */
    bool stalled;               /* fetching stopped at NVME_MAX_REQUESTS */
    uint32_t page_bytes;
    /* Features. */
    uint32_t features[16];
    uint64_t timestamp_ms;
    int64_t timestamp_at_ns;
    bool write_cache;
    /* Asynchronous events: requests that wait, events that wait, types not told until their log is read. */
    NvmeRequest *aers[NVME_AER_MAX];
    unsigned n_aers;
    NvmeEvent events[NVME_EVENTS_MAX];
    unsigned n_events;
    uint8_t event_masked;
    uint32_t changed_ns[NVME_MAX_NS];
    uint32_t n_changed_ns;
    uint64_t reads, writes, read_bytes, write_bytes;
    unsigned shutdown_flushes;
    uint32_t shutdown_turn;
};

struct NvmeNs {
    Device dev;
    BlockConf conf;
    NvmeCtrl *n;
    uint32_t nsid;
    uint64_t eui64;
    char *uuid_text;
    uint8_t uuid[16];
    unsigned lba_shift;
};

static inline uint32_t nvme_dw(const NvmeRequest *r, unsigned n) { return ldle32(r->cmd + n * 4); }

/* queue.c */
void nvme_process(NvmeCtrl *n, NvmeSq *sq);
void nvme_complete(NvmeRequest *r, uint16_t status);
void nvme_post_waiting(NvmeCtrl *n, NvmeCq *cq);
void nvme_update_irq(NvmeCtrl *n);
uint16_t nvme_create_sq(NvmeCtrl *n, unsigned id, unsigned cqid, gpa addr, unsigned entries);
uint16_t nvme_create_cq(NvmeCtrl *n, unsigned id, gpa addr, unsigned entries, unsigned vector, bool irq_enabled);
void nvme_delete_sq(NvmeCtrl *n, unsigned id);
void nvme_delete_cq(NvmeCtrl *n, unsigned id);
/* Ends everything without a trace. */
void nvme_drop_all(NvmeCtrl *n);
void nvme_event(NvmeCtrl *n, uint8_t type, uint8_t info, uint8_t log);
void nvme_flush_events(NvmeCtrl *n);
/* prp.c: the guest memory a command names; a status. */
uint16_t nvme_map(NvmeRequest *r, uint64_t bytes);
/* A reply of at most `bytes` at position `skip` of `data`. */
uint16_t nvme_reply(NvmeRequest *r, const void *data, uint32_t data_bytes, uint64_t skip, uint32_t bytes);

/* Commands: a status, or NVME_PENDING when nvme_complete() follows. */
uint16_t nvme_admin(NvmeRequest *r);
uint16_t nvme_identify(NvmeRequest *r);
uint16_t nvme_get_features(NvmeRequest *r);
uint16_t nvme_set_features(NvmeRequest *r);
uint16_t nvme_get_log(NvmeRequest *r);
uint16_t nvme_io(NvmeRequest *r);
void nvme_reset_features(NvmeCtrl *n);

/* ns.c */
bool nvme_ns_attach(NvmeCtrl *n, NvmeNs *ns, Error **errp);
void nvme_ns_detach(NvmeNs *ns);
extern const BusType nvme_bus_type;

#endif
