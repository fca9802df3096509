/*
 * sd.h: between SD host controllers and the card.
 *
 * A host has a slot, which is a bus of kind "sd-bus" for one card, "sd-card". Commands are answered at once; data comes and goes in pieces
 * that complete later, in the main loop or before the call returns. A slot without a card answers nothing.
 *
 * Specification: SD Physical Layer Simplified Specification 6.00 (states and commands: chapter 4, registers: 5). Threads: BQL.
 */
#ifndef HW_SD_H
#define HW_SD_H

#include "hw/device.h"

typedef struct SdSlot SdSlot;
/* ok false: the card does not give or take these bytes. */
typedef void SdDone(void *opaque, bool ok);

typedef struct SdSlotOps {
    void (*changed)(void *opaque);  /* a card came or went */
    void (*ready)(void *opaque);    /* the card is no longer busy */
} SdSlotOps;

struct SdSlot {
    Bus *bus;
    Device *card;                   /* NULL: none */
    const SdSlotOps *ops;
    void *opaque;
};

typedef enum SdData { SD_DATA_NONE, SD_DATA_READ, SD_DATA_WRITE } SdData;

enum { SD_BLOCK_BYTES = 512 };

/* Makes the slot of a host; in realize. */
void sd_slot_init(SdSlot *slot, Device *host, const char *bus_name, const SdSlotOps *ops, void *opaque);
/* For boards: puts a card with the drive if=sd of this index, or an empty one, into a host's (first) bus. NULL and an error. */
Device *sd_card_create(Bus *bus, unsigned index, Error **errp);
/* The card's wires are switched to another host. */
void sd_slot_move(SdSlot *from, SdSlot *to);

bool sd_present(const SdSlot *slot);
bool sd_read_only(const SdSlot *slot);
/* Bytes of the response: 0 none, 4, or 16 with the bits in the order of the manual, CRC last. */
unsigned sd_command(SdSlot *slot, unsigned command, uint32_t arg, uint8_t response[16]);
/* Which way the command before this left the data lines. */
SdData sd_data(const SdSlot *slot);
/* One at a time, the buffer stays until done. sd_abandon(): done is not called any more. */
void sd_read(SdSlot *slot, void *buf, uint32_t bytes, SdDone *done, void *opaque);
void sd_write(SdSlot *slot, const void *buf, uint32_t bytes, SdDone *done, void *opaque);
void sd_abandon(SdSlot *slot);
/* Programming or erasing; ready() follows. */
bool sd_busy(const SdSlot *slot);

#endif
