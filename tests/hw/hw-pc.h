/*
 * hw-pc.h: between the files of the PC boards' test.
 */
#ifndef TESTS_HW_HW_PC_H
#define TESTS_HW_HW_PC_H

#include "hw/i386/pc.h"

extern X86Machine *pc;

uint32_t in(uint16_t port, unsigned size);
void out(uint16_t port, unsigned size, uint32_t value);
/* Physical memory as processor `cpu` sees it. */
uint64_t rd(unsigned cpu, gpa addr, unsigned size);
void wr(unsigned cpu, gpa addr, unsigned size, uint64_t value);
uint32_t config_rd(unsigned devfn, unsigned offset, unsigned size);
void config_wr(unsigned devfn, unsigned offset, unsigned size, uint32_t value);
/* Guest time goes on; timers fire at their moments. */
void advance_ns(int64_t ns);
void reset(void);
/* The vector the processor would take; -1: none. */
int ack(unsigned cpu);

/* hw-pc-chipset.c; the number of failures. */
int test_chipset(bool q35);

#endif
