/*
 * eeprom93c46.h: a 93C46 serial EEPROM, 64 words of 16 bits, on three wires (Microwire).
 *
 * After chip select: a start bit, two bits of opcode, six of address, then data in or out, one bit for each rising clock.
 * Writes take no time. Specification: Fairchild NM93C46, "Functional description".
 */
#ifndef HW_NET_EEPROM93C46_H
#define HW_NET_EEPROM93C46_H

#include "hw/device.h"

enum { EEPROM93C46_WORDS = 64 };

typedef struct Eeprom93c46 {
    uint16_t words[EEPROM93C46_WORDS];
    uint8_t select, clock, data_out, write_enabled;
    uint8_t n_bits;        /* shifted in since the start bit, that one included */
    uint8_t reading;       /* data comes out; the address goes on to the next word after each */
    uint8_t address, out_bits;
    uint32_t in;
} Eeprom93c46;

void eeprom93c46_reset(Eeprom93c46 *e); /* the lines, not the contents */
/* Levels of chip select, clock and data in. */
void eeprom93c46_set(Eeprom93c46 *e, bool select, bool clock, bool data);
extern const StateDesc eeprom93c46_state;

#endif
