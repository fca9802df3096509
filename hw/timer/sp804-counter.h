/*
 * sp804-counter.h: one down counter as the SP804 dual timer, the Integrator/CP and others have it.
 *
 * Arm DDI 0271D, 3.3. Threads: BQL.
 */
#ifndef HW_TIMER_SP804_COUNTER_H
#define HW_TIMER_SP804_COUNTER_H

#include "hw/device.h"
#include "softmmu/clock.h"

typedef struct Sp804Counter {
    uint32_t freq_hz;
    uint32_t load, control;
    uint32_t base;               /* the value at base_ns */
    int64_t base_ns;
    bool raised;                 /* TimerRIS */
    Timer timer;
    void (*changed)(void *opaque); /* the interrupt may have changed */
    void *opaque;
} Sp804Counter;

void sp804_counter_init(Sp804Counter *c, void (*changed)(void *opaque), void *opaque);
void sp804_counter_finish(Sp804Counter *c);
void sp804_counter_reset(Sp804Counter *c);
uint32_t sp804_counter_read(Sp804Counter *c, uint32_t offset);
void sp804_counter_write(Sp804Counter *c, uint32_t offset, uint32_t value);
bool sp804_counter_irq(const Sp804Counter *c);

extern const StateDesc sp804_counter_state;

#endif
