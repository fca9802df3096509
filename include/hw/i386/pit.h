/*
 * pit.h: what the speaker port needs of an 8254.
 */
#ifndef HW_I386_PIT_H
#define HW_I386_PIT_H

#include "hw/device.h"

enum { PIT_HZ = 1193182 };

typedef struct PitOps {
    void (*set_gate)(Device *pit, unsigned channel, bool level);
    bool (*gate)(Device *pit, unsigned channel);
    bool (*out)(Device *pit, unsigned channel);
} PitOps;

/* What every PIT begins with: ours ("isa-pit"), an accelerator's. */
typedef struct PitBase {
    Device dev;
    const PitOps *ops;
} PitBase;

void pit_set_gate(Device *pit, unsigned channel, bool level);
bool pit_gate(Device *pit, unsigned channel);
bool pit_out(Device *pit, unsigned channel);

#endif
