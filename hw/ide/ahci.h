/*
 * ahci.h: an AHCI controller's state, shared by its registers (ahci.c) and its command engine (ahci-port.c).
 */
#ifndef HW_IDE_AHCI_H
#define HW_IDE_AHCI_H

#include "hw/ide/internal.h"
#include "hw/pci.h"

enum { AHCI_PORTS = 6, AHCI_SLOTS = 32 };

enum { /* port interrupt status, 3.3.5 */
    PIS_DHRS = 1, PIS_PSS = 2, PIS_DSS = 4, PIS_SDBS = 8, PIS_DPS = 0x20, PIS_PCS = 0x40, PIS_PRCS = 1 << 22,
    PIS_OFS = 1 << 24, PIS_HBDS = 1 << 28, PIS_HBFS = 1 << 29, PIS_TFES = 1 << 30,
};
enum { /* port command, 3.3.7 */
    PCMD_ST = 1, PCMD_SUD = 2, PCMD_POD = 4, PCMD_CLO = 8, PCMD_FRE = 16, PCMD_FR = 1 << 14, PCMD_CR = 1 << 15,
    PCMD_ATAPI = 1 << 24, PCMD_ICC = (int)0xf0000000,
};

typedef struct AhciController AhciController;
typedef struct AhciPort AhciPort;

/* A queued command (NCQ). */
typedef struct AhciQueued {
    AhciPort *port;
    bool active, is_write;
    unsigned tag;
    uint64_t lba;
} AhciQueued;

struct AhciPort {
    IdeChannel channel;
    AhciController *hba;
    unsigned number;
    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, scr_status, scr_control, scr_error, scr_active, ci;
    /* The command under way in the drive; -1: none. */
    int slot;
    bool running;           /* port_run() is at work further up */
    bool halted;            /* an error: nothing more until ST is cleared */
    bool dropping;          /* the queue is being emptied: results are nobody's */
    bool signature_sent;
    gpa table;              /* command table */
    uint32_t prdt_entries, prdt_at, prdt_skip, moved;
    bool pio_in;            /* the command's data came by PIO: its last PIO Setup FIS was the end */
    uint8_t last_slot;
    uint8_t fis[64];
    AhciQueued queued[AHCI_SLOTS];
    /* NCQ error, for READ LOG EXT page 10h. */
    uint8_t error_tag, error_status, error_error;
    uint64_t error_lba;
    bool error_valid;
};

struct AhciController {
    PciDevice pci;
    MemoryRegion mem, idp;
    uint32_t ghc, is, idp_index;
    AhciPort ports[AHCI_PORTS];
};

/* ahci-port.c */
extern const IdeHost ahci_host;
void ahci_port_run(AhciPort *p);
/* Gives up all that is under way. */
void ahci_port_drop(AhciPort *p);
void ahci_port_update(AhciPort *p);     /* task file from the drive */
void ahci_send_signature(AhciPort *p);
/* ahci.c */
void ahci_port_irq(AhciPort *p, uint32_t bits);

#endif
