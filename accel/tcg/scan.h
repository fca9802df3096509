/*
 * scan.h: the shape of a unit before it is translated (scan.c), and the driver's state.
 */
#ifndef ACCEL_TCG_SCAN_H
#define ACCEL_TCG_SCAN_H

#include "internal.h"

enum { SCAN_NONE = UINT16_MAX, SCAN_MAX_BLOCKS = 10 * TCG_LIMIT_MAX_INSNS + 2 };

/* A guest instruction of the unit. */
typedef struct ScanNode {
    vaddr pc, target;
    uint8_t kind, length;      /* ScanKind */
    bool leader;               /* begins a block */
    bool glued, keeps, sets;   /* ScanInsn */
    bool copy;                 /* of an instruction that is another node as well: see turn_loop() */
    bool turned;               /* began a loop that has been turned */
    uint16_t n_preds;
    uint16_t pred;             /* the last one found */
    uint16_t next, taken;      /* nodes, SCAN_NONE: outside */
    uint16_t block;            /* index into blocks, of leaders */
    uint16_t last, n_insns;    /* of leaders: the block's last node, and how many it has */
} ScanNode;

/* A block to be emitted, in order. */
typedef struct ScanBlock {
    uint16_t node;             /* SCAN_NONE: only an exit to pc */
    vaddr pc;
    uint16_t pred;             /* block, of exit blocks and tree blocks */
    uint16_t tail;             /* planned blocks: where the end is, itself or the last part after trans_leave_if */
    bool done;                 /* such a part: emitted where it began */
    uint8_t reason;            /* of an exit block that leaves: VcpuExit + 1 */
    bool raise;                /* of an exit block that calls a helper instead: which, with what argument */
    uint16_t helper;
    uint32_t argument;
    bool merge, loop;
    uint16_t n_insns;
    uint16_t left;             /* -icount, exit blocks that leave: instructions charged and not run */
} ScanBlock;

/* One page the unit's bytes come from: [0] the entry's, [1] the one after it. */
typedef struct ScanPage {
    vaddr addr;
    bool asked, ok, compare;   /* compare: may change unseen or be written without fault */
    const uint8_t *host;
    CodePage *page;
    uint64_t index;
    uint32_t version;
    uint32_t first, last;      /* offsets of bytes used */
} ScanPage;

typedef struct TransDriver {
    Translator *tr;
    TcgVcpu *tv;
    TransCtx ctx;
    uint32_t flags;
    uint32_t max_insns;
    uint32_t generation;
    ScanPage page[2];
    bool fault;                /* a fetch failed, at fault_addr */
    vaddr fault_addr;
    ScanNode *nodes;           /* TCG_LIMIT_MAX_INSNS */
    uint32_t n_nodes;
    uint16_t entry;            /* the first instruction's node */
    ScanBlock *blocks;         /* SCAN_MAX_BLOCKS */
    uint32_t n_blocks, n_planned;
    uint16_t *map;             /* by byte offset from page[0].addr: node, SCAN_NONE */
    uint16_t *stack, *order;
    uint16_t node;             /* being translated */
    uint16_t planned;          /* block being emitted */
    uint16_t icount_left;      /* instructions of the block behind the one being translated */
    bool split;                /* trans_leave_if or trans_skip_if was used: indices are not in emission order */
    uint16_t skip_join;        /* trans_skip_if: where it goes on */
    uint16_t go_on;            /* trans_jump inside a block: the next node */
    uint16_t fall_block, taken_block; /* of the block being emitted */
    uint16_t first_block;      /* 1 when block 0 only leads to a loop */
    bool polled;               /* the instruction being translated has polled: it may go round */
    bool poll_heads;           /* polls stand at the heads of loops, not where they go round */
    bool unpolled;             /* a way round that the scan did not know of has no poll */
} TransDriver;

struct Translator {
    Translator *next;          /* pool */
    Translator *next_all;
    bool busy;
    IrUnit unit;
    IrBuilder builder;
    HostCompiler *compiler;
    CodeRegion *region;
    TransDriver driver;
};

/* Fills nodes and blocks from pc. False: nothing can be fetched there. */
bool scan_unit(TransDriver *d, vaddr pc);
/* The map is all SCAN_NONE again. */
void scan_forget(TransDriver *d);
static inline uint16_t scan_find(const TransDriver *d, vaddr pc)
{
    uint64_t offset = pc - d->page[0].addr;
    return offset < 2 * TCG_PAGE_BYTES ? d->map[offset] : SCAN_NONE;
}
/* The node at pc that the one being translated leads to. */
static inline uint16_t scan_successor(const TransDriver *d, vaddr pc)
{
    const ScanNode *n = &d->nodes[d->node];
    return n->next != SCAN_NONE && d->nodes[n->next].pc == pc ? n->next
           : n->taken != SCAN_NONE && d->nodes[n->taken].pc == pc ? n->taken : scan_find(d, pc);
}

#endif
